"""The main job, end to end: a sentence in, a safe action out. The requests of the first release, approved, with their real effects."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Ask = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def ask(nlsh: Ask) -> Ask:
    """Return a function that makes one request, without a terminal."""
    return lambda request, *flags: nlsh(*flags, "-c", request)


@pytest.fixture
def server() -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A process of our own that listens on a loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = f"import socket,sys; s=socket.create_server(('127.0.0.1',{port})); print('up',flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        yield process, port
        process.kill()


def sized(path: Path, size: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    return path


def tree(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    found = {}
    for path in sorted(folder.rglob("*")):
        if not any(part.startswith(".") for part in path.relative_to(folder).parts):
            stat = path.lstat()
            found[str(path.relative_to(folder))] = (stat.st_mode, stat.st_mtime_ns, path.read_bytes() if path.is_file() else b"")
    return found


def test_what_is_using_the_most_memory(home: Path, ask: Ask) -> None:
    run = ask("what is using the most memory")
    assert run.returncode == 0, run.stderr
    assert len(run.stdout.splitlines()[0].split("\t")) >= 5


def test_the_five_largest_files(home: Path, ask: Ask) -> None:
    for n in range(1, 8):
        sized(home / f"Downloads/f{n}", n * 1000)
    run = ask("show the 5 largest files in ~/Downloads")
    assert [Path(line).name for line in run.stdout.splitlines()] == ["f7", "f6", "f5", "f4", "f3"], run.stderr


def test_the_three_largest_in_chinese(home: Path, ask: Ask) -> None:
    for n in range(1, 6):
        sized(home / f"Downloads/f{n}", n * 1000)
    run = ask("把下载文件夹里最大的三个文件列出来")
    assert [Path(line).name for line in run.stdout.splitlines()] == ["f5", "f4", "f3"], run.stderr


def test_recent_python_files(home: Path, ask: Ask) -> None:
    sized(home / "new.py", 5)
    os.utime(sized(home / "old.py", 5), (1e9, 1e9))
    sized(home / "new.txt", 5)
    run = ask("find python files changed in the last two days")
    assert [Path(line).name for line in run.stdout.splitlines()] == ["new.py"], run.stderr


def test_how_full_are_my_disks(home: Path, ask: Ask) -> None:
    run = ask("how full are my disks")
    assert run.returncode == 0, run.stderr
    assert any(line.startswith("/") for line in run.stdout.splitlines())


def test_who_listens_and_killing_it(home: Path, ask: Ask, server: tuple[subprocess.Popen[bytes], int]) -> None:
    process, port = server
    run = ask(f"which process is listening on port {port}")
    assert run.stdout.split("\t")[0] == str(process.pid), run.stderr
    assert ask(f"kill whatever is on port {port}").returncode == 3, "nobody could approve it"
    assert process.poll() is None
    run = ask(f"kill whatever is on port {port}", "--yes")
    assert run.returncode == 0, run.stderr
    assert process.wait(timeout=10) == -15


def test_moving_and_undoing_byte_for_byte(home: Path, ask: Ask, nlsh: Ask) -> None:
    for name in ("Downloads/a.pdf", "Downloads/deep/b.PDF", "Downloads/c.txt"):
        os.utime(sized(home / name, 10), (1.5e9, 1.5e9))
    (home / "Downloads/a.pdf").chmod(0o640)
    (home / "Documents").mkdir()
    before = tree(home)
    dry = ask("move all pdfs from Downloads to Documents", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert tree(home) == before
    assert ask("move all pdfs from Downloads to Documents").returncode == 3
    assert tree(home) == before
    run = ask("move all pdfs from Downloads to Documents", "--yes")
    assert run.returncode == 0, run.stderr
    assert sorted(p.name for p in (home / "Documents").iterdir()) == ["a.pdf", "b.PDF"]
    assert nlsh("undo", "--yes").returncode == 0
    assert tree(home) == before


def test_compressing_a_folder(home: Path, ask: Ask) -> None:
    sized(home / "logs/x.log", 10)
    run = ask("archive the logs folder", "--yes")
    assert run.returncode == 0, run.stderr
    with tarfile.open(next(home.glob("logs.tar*"))) as archive:
        assert "logs/x.log" in archive.getnames()
    assert (home / "logs/x.log").exists()


def test_making_a_script_executable(home: Path, ask: Ask, nlsh: Ask) -> None:
    script = sized(home / "backup.sh", 5)
    script.chmod(0o644)
    assert ask("make backup.sh executable", "--yes").returncode == 0
    assert script.stat().st_mode & 0o111 == 0o111
    assert nlsh("undo", "--yes").returncode == 0
    assert script.stat().st_mode & 0o777 == 0o644


def test_usb_devices(home: Path, ask: Ask) -> None:
    run = ask("list my usb devices")
    # A machine without USB says so, and why.
    assert (run.returncode, bool(run.stdout)) in ((0, True), (1, False))
    assert run.returncode == 0 or "usb" in run.stderr.lower()


def test_limiting_a_process_to_one_core(home: Path, ask: Ask, nlsh: Ask, server: tuple[subprocess.Popen[bytes], int]) -> None:
    process, _ = server
    before = os.sched_getaffinity(process.pid)
    run = ask(f"limit process {process.pid} to one cpu core", "--yes")
    assert run.returncode == 0, run.stderr
    assert len(os.sched_getaffinity(process.pid)) == 1
    assert nlsh("undo", "--yes").returncode == 0
    assert os.sched_getaffinity(process.pid) == before
