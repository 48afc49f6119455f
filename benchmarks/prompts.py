"""How often a working day is interrupted: the questions that 50 ordinary requests meet under the shipped policy, and what each is for.

`python benchmarks/prompts.py`. Each request is a plan or a raw command, previewed and decided on in a scratch home; nothing is run but what a
preview reads. Beside it stands what a list would ask: a shell command for the same, asked about unless every program of it is on a list of
known ones and nothing is redirected, substituted or run in sequence with `;`. That list is computed here by rule, after those which
coding agents ship; it is no measurement of another program.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

from nlsh.plan import registry
from nlsh.plan.errors import NlshError
from nlsh.shell.turn import command_plan
from nlsh.testing import Scene

GIVEN = {
    "Downloads/report.pdf": "x",
    "Downloads/old.zip": {"members": {"a.txt": "a"}},
    "Downloads/photo.jpg": "x",
    "work/app.py": "import os\n# TODO\n",
    "work/notes.md": "a\nTODO b\n",
    "work/data.csv": "a,1\nb,2\n",
    "work/server.log": "error\nok\n",
    "work/Makefile": "test:\n\ttrue\n",
    "backup": None,
}
# The plan or, with “!”, the command; then a shell command for the same.
REQUESTS = [
    ('file.list("Downloads")', "ls Downloads"),
    ('file.find(under="Downloads", sort="largest", limit="5")', "du -a Downloads | sort -rn | head -5"),
    ('text.search("TODO", under="work")', "grep -rn TODO work"),
    ('file.read("work/notes.md")', "cat work/notes.md"),
    ('file.info("work/app.py")', "stat work/app.py"),
    ("process.list()", "ps aux"),
    ("resource.memory()", "free -h"),
    ("resource.disk()", "df -h"),
    ("system.uptime()", "uptime"),
    ("system.info()", "uname -a"),
    ('git.status("work")', "git -C work status"),
    ('git.log(path="work")', "git -C work log"),
    ('git.diff("work")', "git -C work diff"),
    ('file.count("work")', "find work -type f | wc -l"),
    ('archive.list("Downloads/old.zip")', "unzip -l Downloads/old.zip"),
    ('file.hash("Downloads/report.pdf")', "sha256sum Downloads/report.pdf"),
    ('text.count("work/notes.md")', "wc work/notes.md"),
    ('file.diff("work/notes.md", to="work/data.csv")', "diff work/notes.md work/data.csv"),
    ('file.move("Downloads/report.pdf", to="work/")', "mv Downloads/report.pdf work/"),
    ('file.copy("work", to="backup/work")', "cp -r work backup/work"),
    ('file.trash("Downloads/photo.jpg")', "gio trash Downloads/photo.jpg"),
    ('file.rename("work/notes.md", to="ideas.md")', "mv work/notes.md work/ideas.md"),
    ('folder.create("work/docs")', "mkdir work/docs"),
    ('archive.extract("Downloads/old.zip")', "unzip Downloads/old.zip -d Downloads"),
    ('text.replace("TODO", by="DONE", under="work/notes.md")', "sed -i s/TODO/DONE/ work/notes.md"),
    ("!ls -la | wc -l", ""),
    ("!cd work && ls", ""),
    ("!git status && git diff", ""),
    ("!git log --oneline -5", ""),
    ("!cat work/server.log | grep -c error", ""),
    ("!tail -n 50 work/server.log 2>/dev/null", ""),
    ("!find . -name '*.py' -exec wc -l {} +", ""),
    ("!find . -name '*.log' | xargs ls -la", ""),
    ("!awk -F, '$2 > 1 {print $1}' work/data.csv", ""),
    ("!sed -n '1,20p' work/app.py", ""),
    ('!for f in work/*.md; do wc -l "$f"; done', ""),
    ("!sort work/data.csv | uniq -c | sort -rn", ""),
    ("!du -sh * | sort -h", ""),
    ("!ps aux | awk '{print $2}' | head", ""),
    ("!python3 --version", ""),
    ("!grep -rn TODO work > /dev/null && echo found", ""),
    ("!diff <(sort work/data.csv) <(sort work/notes.md)", ""),
    ('!echo "$(date +%F)"', ""),
    ("!ss -tlnp | grep 80", ""),
    ("!tar tzf work/a.tar.gz", ""),
    ("!make test", ""),
    ("!python3 app.py", ""),
    ("!touch new.txt", ""),
    ("!git commit -am wip", ""),
    ("!rm -rf build && mkdir build", ""),
]
LISTED = {
    "ls",
    "cat",
    "head",
    "tail",
    "wc",
    "grep",
    "rg",
    "find",
    "pwd",
    "echo",
    "which",
    "whoami",
    "ps",
    "df",
    "du",
    "free",
    "uptime",
    "uname",
    "stat",
    "date",
    "sort",
    "uniq",
    "cut",
    "diff",
    "tree",
    "file",
    "id",
    "env",
    "nl",
}
LISTED_GIT = {"status", "log", "diff", "show", "branch"}


def list_asks(command: str) -> bool:
    """Return whether a list of known programs asks about a command."""
    if re.search(r"[;<>`&]|\$\(", command.replace("&&", "")):
        return True
    for part in re.split(r"&&|\|\|?", command):
        words = shlex.split(part)
        if words[:1] == ["git"]:
            if len(words) < 2 or words[1] not in LISTED_GIT:
                return True
        elif not words or words[0] not in LISTED or {"-exec", "-delete", "-o"} & set(words):
            return True
    return False


def main() -> None:
    reasons: Counter[str] = Counter()
    asked, listed, failed = [], [], []
    with tempfile.TemporaryDirectory() as folder, Scene(Path(folder) / "scene", GIVEN) as scene:
        subprocess.run(["git", "init", "-q", str(scene.home / "work")], check=True)
        subprocess.run(
            ["git", "-C", str(scene.home / "work"), "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x"], check=True
        )
        assert scene.kernel is not None
        top = scene.kernel.world
        for written, shell in REQUESTS:
            raw = written.startswith("!")
            # A command that may change something is refused in the home folder as a whole: people stand in their project.
            scene.kernel.world = replace(top, cwd=str(scene.home / "work")) if raw else top
            try:
                plan = command_plan(written[1:]) if raw else registry.parse(written)
                decision = scene.kernel.policy.decide(scene.kernel.preview(plan))
            except NlshError as error:
                failed.append(f"{written}: {error}")
                continue
            if decision.answer != "allow":
                asked.append(written)
                reasons[decision.rule] += 1
            if list_asks(shell or written[1:]):
                listed.append(written)
    number = len(REQUESTS) - len(failed)
    print(f"{number} requests: nlsh asks {len(asked)} times, a list of known programs {len(listed)} times.")
    print("nlsh, by rule: " + ", ".join(f"{rule} {count}" for rule, count in reasons.most_common()))
    for request in asked:
        print(f"  asked: {request}")
    print(f"only the list asks: {len([r for r in listed if r not in asked])}; only nlsh asks: {[r for r in asked if r not in listed]}")
    for line in failed:
        print(f"  not previewed: {line}")


if __name__ == "__main__":
    main()
