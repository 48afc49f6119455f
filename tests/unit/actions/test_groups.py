"""Every meaning that the planner knows is a plan that the catalogue takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nlsh.plan import registry
from nlsh.plan.plan import Ref

GROUPS = Path(__file__).resolve().parents[3] / "models/corpus/GROUPS.txt"
FILLED = {
    "dir": "Downloads", "dir2": "Pictures", "file": "a.txt", "file2": "b.txt", "path": "a.txt", "path2": "b", "glob": "*.log", "kind": "pdfs", "size": "100MB",
    "age": "two days", "n": "five", "text": "TODO", "user": "root", "proc": "firefox", "pid": "42", "pid2": "43", "port": "8080", "pct": "half", "cores": "2",
    "mode": "755", "nice": "-5", "archive": "x.zip", "newname": "new", "text2": "DONE", "group": "staff", "hash": "md5",
    "digest": "d41d8cd98f00b204e9800998ecf8427e", "template": "python script", "ext": "txt", "regex": "^a.*z$", "table": "t.csv", "columns": "1 and 3",
    "column": "price", "encoding": "gbk", "data": "d.json",
    "key": "a.b", "dataformat": "yaml", "compression": "xz", "image": "i.png", "pixels": "800px", "imageformat": "JPEG", "pdf": "p.pdf", "pdf2": "q.pdf",
    "pages": "2 to 4", "media": "m.mp4", "mediaformat": "mp3", "command": "make -j4", "device": "sdb1", "device2": "sdc1", "filesystem": "ext4",
    "host": "example.org", "ip": "10.0.0.1", "url": "https://example.org/a.zip", "wifi": "HomeNet", "service": "nginx", "service2": "ssh", "package": "htop",
    "package2": "jq", "backend": "apt", "zone": "Europe/Berlin", "variable": "PATH", "clock": "10pm", "container": "web",
}  # fmt: skip


def meanings() -> list[str]:
    lines = (line.strip() for line in GROUPS.read_text().splitlines())
    return [line for line in lines if line and not line.startswith(("#", "none("))]


@pytest.mark.parametrize("meaning", meanings())
def test_meaning_is_a_plan(meaning: str) -> None:
    text = meaning.partition(" ")[2] if meaning.startswith("@") else meaning
    plan = registry.parse(re.sub(r"\{(\w+)\}", lambda m: f'"{FILLED[m[1]]}"', text))
    for call in plan.calls:
        args = registry.get(call.action).Args
        written = {}
        for key, value in call.args.items():
            if isinstance(value, Ref):
                value = {"processes": ("42",), "path": ("/x/a.txt",), "result": "_"}.get(args.fields[key].type.name, ("/x/a.txt", "/x/b.txt"))
            written[key] = value
        args.bind(call.action, written)
