"""What it costs to try a command on a copy and to keep it, beside running it in sh: `python benchmarks/shell_preview.py [--runs N] [--files N]`.

Each run is on a fresh tree in a folder of the home's file system. Trying is the command in its copy, the look at what it changed and the
plan that keeps it; keeping is the decision, the journal and the steps. Prints medians, and ratios to sh.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import replace
from pathlib import Path

FOLDER = Path(tempfile.mkdtemp(prefix="nlsh-bench-", dir=os.path.expanduser("~")))
os.environ.update(HOME=str(FOLDER), XDG_STATE_HOME=str(FOLDER / "state"), XDG_DATA_HOME=str(FOLDER / "data"), XDG_CONFIG_HOME=str(FOLDER / "config"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from nlsh.guard.sandbox.zygote import Zygote  # noqa: E402 - after the home is another one

ZYGOTE = Zygote.start()

from nlsh.guard import policy  # noqa: E402
from nlsh.guard.sandbox import overlay, view  # noqa: E402
from nlsh.journal.audit import Audit  # noqa: E402
from nlsh.journal.store import Journal  # noqa: E402
from nlsh.kernel.kernel import Kernel  # noqa: E402
from nlsh.plan.plan import Call, Plan  # noqa: E402
from nlsh.settings import tried_dir  # noqa: E402
from nlsh.world import World, layer_changes  # noqa: E402


def many(work: Path, files: int) -> None:
    """Make a tree of small files in folders of a hundred, and an archive of it."""
    for number in range(files):
        folder = work / "many" / str(number // 100)
        if number % 100 == 0:
            folder.mkdir(parents=True)
        (folder / f"{number}.txt").write_text(f"file {number}\n" * 20)
    with tarfile.open(work / "many.tar", "w") as archive:
        archive.add(work / "many", "out")


def plainly(command: str) -> float:
    """Return the seconds that a command takes in sh."""
    start = time.perf_counter()
    subprocess.run(["/bin/sh", "-c", command], check=True)
    return time.perf_counter() - start


def tried(kernel: Kernel, command: str) -> tuple[float, float, int]:
    """Return the seconds to try a command, those to keep it, and the steps that keeping took."""
    plan = Plan((Call("shell.run", {"command": command}),))
    start = time.perf_counter()
    layer = overlay.prepare(os.getcwd(), tried_dir())
    kernel.world = replace(World(), layer=layer.path)
    outcome = kernel.run(kernel.preview(plan))
    assert outcome.status == "done", outcome.errors
    kernel.world = replace(World(), layer=layer.path, tried=layer_changes.read(layer.path))
    preview = kernel.preview(plan)
    middle = time.perf_counter()
    kernel.on_event = lambda event: layer.keep_for(event["run"]) if event["type"] == "run" else None
    kept = kernel.run(preview)
    end = time.perf_counter()
    assert kept.status == "done", kept.errors
    kernel.on_event = lambda event: None
    layer.close()
    return middle - start, end - middle, kept.total


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--files", type=int, default=5000)
    options = parser.parse_args()
    if why := view.why_not():
        raise SystemExit(f"Commands cannot be tried on a copy here: {why}")
    kernel = Kernel(policy.load(), ZYGOTE, Journal(), Audit(), World(), approve=lambda preview, decision: True)
    commands = {
        "rm -rf of a folder": "rm -rf many",
        "rm of each file": "find many -name '*.txt' -delete",
        "untar": "tar xf many.tar",
        "true": "true; :",
    }
    print(f"{options.files:,} files, {options.runs} runs, medians")
    for name, command in commands.items():
        seconds: dict[str, list[float]] = {"sh": [], "try": [], "keep": []}
        steps = 0
        for number in range(options.runs):
            for kind in ("sh", "nlsh"):
                work = FOLDER / f"{kind}{number}"
                work.mkdir()
                many(work, options.files)
                os.chdir(work)
                if kind == "sh":
                    seconds["sh"].append(plainly(command))
                else:
                    trying, keeping, steps = tried(kernel, command)
                    seconds["try"].append(trying)
                    seconds["keep"].append(keeping)
                os.chdir(FOLDER)
                shutil.rmtree(work)
        sh, trying, keeping = (statistics.median(seconds[k]) for k in ("sh", "try", "keep"))
        print(
            f"{name:22} sh {sh * 1e3:7.0f} ms   try {trying * 1e3:7.0f} ms ({trying / sh:5.1f} ×)   "
            f"keep {keeping * 1e3:6.0f} ms ({keeping / sh:5.1f} ×, {steps:,} steps)"
        )


if __name__ == "__main__":
    try:
        main()
    finally:
        ZYGOTE.close()
        os.chdir("/")
        shutil.rmtree(FOLDER, ignore_errors=True)
