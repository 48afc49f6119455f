"""Run the tests a pack carries: each in a scratch home, through the command line and so through the same gate as a user's run.

`python -m nlsh.skills.check FOLDER…` prints what fails and ends with 1 if anything does.

    [[entries.sort.tests]]
    name = "pictures go to Pictures"
    given = { "Downloads/a.jpg" = "1", "Downloads/old.zip" = { text = "2", age = "40d" }, "Downloads/empty/" = "" }
    with = { folder = "~/Downloads" }
    after = { "Downloads/Pictures/a.jpg" = "1", … }   # the whole tree; a folder is named only where it is empty
    exit = 0
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nlsh.plan.amounts import Duration
from nlsh.skills.load import BadPack, Entry, Pack, load_pack

_LIMIT_S = 60
_PRIVATE = {"XDG_CONFIG_HOME": "config", "XDG_STATE_HOME": "state", "XDG_CACHE_HOME": "cache", "XDG_DATA_HOME": "data"}


def check_pack(pack: Pack) -> list[str]:
    """Run every test of a pack and return what fails, one text each."""
    return [problem for entry in pack.entries.values() for test in entry.tests if (problem := check(pack, entry, test))]


def check(pack: Pack, entry: Entry, test: Mapping[str, Any]) -> str:
    """Run one test and return what is wrong, empty where nothing is."""
    title = f"{entry.full_name}: {test.get('name', 'unnamed test')}"
    with tempfile.TemporaryDirectory(prefix="nlsh-pack-") as scratch:
        home = Path(scratch) / "home"
        home.mkdir()
        build(home, test.get("given", {}))
        environment = {**os.environ, "HOME": str(home), "LC_ALL": "C.UTF-8", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        for variable, name in _PRIVATE.items():
            environment[variable] = str(Path(scratch) / name)
        # The pack under test is found first, wherever it lies.
        skills = Path(scratch) / "config" / "nlsh" / "skills"
        skills.mkdir(parents=True)
        (skills / pack.name).symlink_to(pack.folder.absolute())
        words = [f"{key}={value}" for key, value in test.get("with", {}).items()]
        command = [sys.executable, "-m", "nlsh", "run", entry.full_name, *words, "--yes", "--no-input"]
        done = subprocess.run(command, cwd=home, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
        wanted = int(test.get("exit", 0))
        if done.returncode != wanted:
            return f"{title}: exit status {done.returncode}, not {wanted}: {done.stderr.strip()}"
        found, expected = tree(home), {str(k): str(v) for k, v in test.get("after", test.get("given", {})).items()}
        if found != expected:
            lost = sorted(expected.items() - found.items())
            more = sorted(found.items() - expected.items())
            return f"{title}: missing {lost}, not expected {more}. {done.stderr.strip()}"
    return ""


def build(home: Path, given: Mapping[str, Any]) -> None:
    """Make a tree: path → text, or {text, age}; a path that ends in a slash is a folder."""
    for path, content in given.items():
        target = home / path
        if path.endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        fields = content if isinstance(content, dict) else {"text": content}
        target.write_text(str(fields.get("text", "")), encoding="utf-8")
        if "age" in fields:
            then = time.time() - Duration().parse(fields["age"])
            os.utime(target, (then, then))


def tree(home: Path) -> dict[str, str]:
    """Return every file with its text, and every empty folder with a slash."""
    found: dict[str, str] = {}
    for folder, folders, files in os.walk(home):
        base = Path(folder)
        for name in files:
            found[str((base / name).relative_to(home))] = (base / name).read_text(encoding="utf-8", errors="replace")
        if not folders and not files and base != home:
            found[str(base.relative_to(home)) + "/"] = ""
    return found


def main(argv: list[str] | None = None) -> int:
    """Check the packs in the folders that are named; return 1 if anything fails."""
    failures = 0
    for folder in sys.argv[1:] if argv is None else argv:
        try:
            pack = load_pack(Path(folder).resolve())
            problems = check_pack(pack)
        except BadPack as error:
            problems, pack = [str(error)], None
        for problem in problems:
            print(problem, file=sys.stderr)
        failures += len(problems)
        if pack is not None and not problems:
            print(f"{pack.name}: {sum(len(e.tests) for e in pack.entries.values())} tests passed")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
