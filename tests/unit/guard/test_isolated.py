"""A Python that nlsh starts for itself runs nlsh's code, and none that lies in the user's folder or that his environment names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nlsh.guard import isolated
from nlsh.guard.sandbox.zygote import Zygote

TRAP = "import os, pathlib\npathlib.Path(__file__).with_name('ran').open('a').write(f'{os.getpid()} ')\n"


@pytest.fixture
def trap(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder whose modules a Python of this environment runs; return the file in which they write that they ran."""
    for name in ("sitecustomize.py", "json.py"):
        (home / name).write_text(TRAP)
    monkeypatch.setenv("PYTHONPATH", ".")
    for name in ("LD_LIBRARY_PATH", "LLAMA_CPP_LIB_PATH", "NLSH_CARRIED"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("NLSH_THREADS", "2")
    return home / "ran"


def test_nothing_of_the_folder_runs_in_it(trap: Path) -> None:
    code = "import json, sys; print(nlsh.__file__, json.__file__, *sys.argv[1:])"
    own = subprocess.run(isolated.command(code, "a b"), capture_output=True, text=True, check=True)
    assert os.path.dirname(isolated.__file__).startswith(os.path.dirname(own.stdout.split()[0])) and own.stdout.endswith("a b\n") and not trap.exists()
    subprocess.run([sys.executable, "-P", "-c", "import json"], check=True)
    assert trap.exists(), "another Python runs it"


def test_a_zygote_of_its_own_neither_runs_nor_inherits_it(trap: Path) -> None:
    zygote = Zygote.spawn()
    try:
        assert zygote.level  # it is up
        given = {entry.partition(b"=")[0].decode() for entry in Path(f"/proc/{zygote.pid}/environ").read_bytes().split(b"\0")}
    finally:
        zygote.close()
    assert not trap.exists()
    assert {"HOME", "XDG_STATE_HOME", "NLSH_THREADS"} <= given
    assert not given & {"PYTHONPATH", "LD_LIBRARY_PATH", "LLAMA_CPP_LIB_PATH", "NLSH_CARRIED"}
