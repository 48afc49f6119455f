"""Raw commands, one after the other in nlsh and in bash on the same tree: the same output, the same status, the same tree at the end.

They are given to one session, some at once, as at its prompt, so that each finds what those before left in the shell. `tests/data/commands.txt` has them.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from nlsh.shell.line.builtins import Words
from nlsh.shell.options import Options
from nlsh.shell.turn import Session

COMMANDS = [c.replace(r"\n", "\n") for c in (Path(__file__).parents[1] / "data" / "commands.txt").read_text(encoding="utf-8").splitlines()]
_AT_ONCE = 25  # commands in one line: each line costs a worker, and most a copy and what is kept of it


def plant(folder: Path) -> Path:
    """Make the tree."""
    (folder / "docs").mkdir(parents=True)
    for name, text in {
        "a.txt": "first\nlast\n", "b.txt": "b\n", "words.txt": "pear\napple\napple\nfig\nbanana\n", "numbers.txt": "10\n9\n100\n",
        "data.csv": "name,size\nx,3\ny,4\n", "docs/one.md": "one\n", "docs/two.md": "two\n", "script.sh": '#!/bin/sh\necho "script $# $1 $2"\nexit 3\n',
    }.items():  # fmt: skip
        (folder / name).write_text(text)
        (folder / name).chmod(0o644)
    return folder


def tree(folder: Path) -> dict[str, tuple[str, str]]:
    """Return what lies in a folder: kinds and modes, contents and targets."""
    found = {}
    for path in sorted(folder.rglob("*")):
        mode = f"{path.lstat().st_mode:o}"
        found[str(path.relative_to(folder))] = (mode, os.readlink(path) if path.is_symlink() else path.read_bytes().hex() if path.is_file() else "")
    return found


def told(commands: list[str]) -> str:
    """Return a command line that runs commands, and says the status of each."""
    return "\n".join(f"{command}\nprintf '\\n--- %s ---\\n' $?" for command in commands)


def parts(printed: bytes) -> list[str]:
    """Return what each command has printed, with its status at the end."""
    return printed.decode("utf-8", "replace").split(" ---\n")[:-1]


@pytest.fixture
def bash(home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    found = shutil.which("bash", path="/bin:/usr/bin")
    if found is None:
        pytest.skip("there is no bash here")
    monkeypatch.setenv("SHELL", found)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    return found


def test_the_same_output_status_and_tree(bash: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(COMMANDS) >= 200
    theirs, ours, printed = plant(home / "theirs" / "tree"), plant(home / "ours" / "tree"), home / "printed"
    with subprocess.Popen([bash, "--norc"], cwd=theirs, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as peer:
        expected = parts(peer.communicate("\n".join(f"eval {shlex.quote(told([c]))} </dev/null" for c in COMMANDS).encode())[0])
    monkeypatch.chdir(ours)
    stdout, stdin = os.dup(1), os.dup(0)
    null = os.open(os.devnull, os.O_RDONLY)
    out = os.open(printed, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        with Session.start(Options(yes=True, quiet=True)) as session:
            if session.level == "L0":
                pytest.skip("this kernel cannot confine commands that change something")
            Words(session)
            os.dup2(out, 1)
            os.dup2(null, 0)
            for at in range(0, len(COMMANDS), _AT_ONCE):
                line = told(COMMANDS[at : at + _AT_ONCE])
                session.command(line, request=line)
    finally:
        os.dup2(stdout, 1)
        os.dup2(stdin, 0)
        for descriptor in (stdout, stdin, null, out):
            os.close(descriptor)
    found = parts(printed.read_bytes())
    differing = [(c, e, f) for c, e, f in zip(COMMANDS, expected, found, strict=False) if e != f]
    assert not differing
    assert len(found) == len(expected) == len(COMMANDS)
    assert tree(ours) == tree(theirs)
