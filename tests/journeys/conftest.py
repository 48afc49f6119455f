"""Real processes and real terminals: `nlsh(...)` runs a one-shot, `terminal(...)` types at one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from nlsh.shipped import models_dir

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 60

Run = Callable[..., subprocess.CompletedProcess[str]]
Terminal = Callable[..., pexpect.spawn]


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
