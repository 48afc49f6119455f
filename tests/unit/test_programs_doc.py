"""docs/programs.md: its Python is run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nlsh.guard.sandbox import landlock

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs/programs.md").read_text(encoding="utf-8"), re.S)


@pytest.mark.skipif(not landlock.abi(), reason="this kernel has no Landlock")
@pytest.mark.parametrize(("number", "left"), [(0, []), (1, []), (2, ["c.txt"])])
def test_an_example_runs(home: Path, number: int, left: list[str]) -> None:
    assert len(EXAMPLES) == 3
    if "import mcp" in EXAMPLES[number]:
        pytest.importorskip("mcp", reason="the extra nlsh[mcp] is not installed")
    done = subprocess.run([sys.executable, "-c", EXAMPLES[number]], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in home.iterdir() if not p.name.startswith(".")) == left
