"""Real processes and real terminals: `nlsh(...)` runs a one-shot, `terminal(...)` types at one."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from nlsh.kernel import daemon_wire as wire
from nlsh.kernel.daemon import command as daemon_command
from nlsh.shipped import models_dir

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 60
DAEMON_LIMIT_S = 30.0

Run = Callable[..., subprocess.CompletedProcess[str]]
Terminal = Callable[..., pexpect.spawn]
Start = Callable[..., "subprocess.Popen[bytes]"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In CI a journey has a second try (decision 28): terminals wait for processes that a busy machine may be late with."""
    if os.environ.get("CI"):
        for item in items:
            if item.path.is_relative_to(Path(__file__).parent):
                item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    """Return the environment of a process that lives in the scratch home."""
    found = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "NO_COLOR": "1", "PROMPT_TOOLKIT_NO_CPR": "1", "LC_ALL": "C.UTF-8"}
    for variable in ("VISUAL", "EDITOR", "PYTHONDONTWRITEBYTECODE"):
        found.pop(variable, None)
    return found


@pytest.fixture
def nlsh(home: Path, environment: dict[str, str]) -> Run:
    """Return a function that runs nlsh without a terminal and gives what came of it."""

    def run(*words: str, stdin: str | bytes = "", cwd: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        given = stdin if isinstance(stdin, bytes) else stdin.encode()
        done = subprocess.run(
            [sys.executable, "-m", "nlsh", *words], input=given, capture_output=True, cwd=cwd or home, env={**environment, **more}, timeout=LIMIT_S, check=False
        )
        out, err = (data.decode("utf-8", "surrogateescape") for data in (done.stdout, done.stderr))
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    return run


@pytest.fixture
def terminal(home: Path, environment: dict[str, str]) -> Iterator[Terminal]:
    """Return a function that starts nlsh on a terminal of its own."""
    started: list[pexpect.spawn] = []

    def start(*words: str, **more: str) -> pexpect.spawn:
        child = pexpect.spawn(
            sys.executable, ["-m", "nlsh", *words], env={**environment, **more}, cwd=str(home), encoding="utf-8", codec_errors="replace",
            timeout=LIMIT_S, dimensions=(40, 160),
        )  # fmt: skip
        started.append(child)
        return child

    yield start
    for child in started:
        child.close(force=True)


@pytest.fixture
def shipped_models() -> None:
    """Fail where the shipped models are missing: they are part of what is tested."""
    for name in ("encoder/encoder.gguf", "planner/planner.gguf", "planner/meanings.bin"):
        if not (models_dir() / name).is_file():
            pytest.fail(f"models/{name} is missing")


def ended(child: pexpect.spawn) -> int:
    """Wait until a process on a terminal has ended and return its status."""
    child.expect(pexpect.EOF)
    child.close()
    return int(child.exitstatus if child.exitstatus is not None else 128 + (child.signalstatus or 0))


def plain(text: str) -> str:
    """Return what a terminal was sent, without the sequences that only place and style it."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text).replace("\r", "")


def states(words: str) -> list[str]:
    """Return the states of the processes of exactly this command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "cmdline").read_bytes().split(b"\0")[:-1] == words.encode().split():
                    found.append((entry / "stat").read_bytes().rpartition(b") ")[2][:1].decode())
            except OSError:
                continue
    return found


# --- the daemon ----------------------------------------------------------------------------------------------------


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + DAEMON_LIMIT_S
    while not true():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)


def answers() -> bool:
    try:
        return bool(wire.ask({"ask": "status"}, seconds=5))
    except wire.NoDaemon:
        return False


@pytest.fixture
def runtime(home: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a runtime folder that others could reach: what keeps them out is what nlshd makes in it."""
    folder = Path(tempfile.mkdtemp(prefix="nlsh-runtime-", dir="/tmp"))
    folder.chmod(0o755)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setenv("NLSH_DAEMON", "auto")
    environment |= {"XDG_RUNTIME_DIR": str(folder), "NLSH_DAEMON": "auto"}
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def start(runtime: Path, environment: dict[str, str]) -> Iterator[Start]:
    started = []

    def run(*more: str, wait: bool = True) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            daemon_command("daemon", "run", *more), env=environment, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        started.append(process)
        if wait:
            until(answers)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        process.communicate(timeout=DAEMON_LIMIT_S)
