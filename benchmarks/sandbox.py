"""What confinement costs: a worker until it is confined, and running a program in it, at L2 and L3, beside a bare spawn and, where it is installed, bubblewrap.

    python benchmarks/sandbox.py [--runs 21] [--json]

Medians over interleaved runs, so that a busy machine slows all sides; the ratio is what compares across machines. The budgets (DESIGN, section 12)
are for 2 idle cores, from asking for a worker to its first step beginning, confined: 25 ms at L3, 5 ms at L2.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from nlsh.guard.grant import Grant
from nlsh.guard.sandbox import bubblewrap, confine, view
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.steps.command import RunCommand

_PAUSE_S = 0.05
_BWRAP = ("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--unshare-all", "--die-with-parent", "--new-session")


@contextmanager
def _worker(folder: str, *, views: bool, by_bubblewrap: bool = False) -> Iterator[Callable[[str], tuple[float, float]]]:
    """Yield what runs a command in a worker that may change `folder`, and returns the seconds from asking to its beginning, confined, and to its end."""
    tried = view._tried
    view.forbidden = not views
    if by_bubblewrap:
        view._tried = lambda: "Only bubblewrap is to make it."  # type: ignore[assignment]
    zygote = Zygote.start()
    view.forbidden, view._tried = False, tried
    null = os.open(os.devnull, os.O_RDWR)

    def run(command: str) -> tuple[float, float]:
        step = RunCommand(command, folder)
        grant = Grant.of(step.effects())
        job = {"steps": [step.as_data()], "grant": grant.as_data(), "cwd": folder, "env": dict(os.environ)}
        time.sleep(_PAUSE_S)  # as between a person's requests
        started, confined, last = time.perf_counter(), 0.0, {}
        for last in zygote.run(job, (null, null, null)):
            if last["type"] == "start":
                confined = time.perf_counter() - started
        took = time.perf_counter() - started
        if last["type"] != "done":
            raise SystemExit(f"It was not done: {last}")
        return confined, took

    try:
        yield run
    finally:
        zygote.close()
        os.close(null)


def _spawned(*before: str) -> Callable[[str], tuple[float, float]]:
    def run(command: str) -> tuple[float, float]:
        started = time.perf_counter()
        with subprocess.Popen([*before, "/bin/sh", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as program:
            begun = time.perf_counter() - started
        if program.returncode:
            raise SystemExit(f"It was not done: {program.returncode}")
        return begun, time.perf_counter() - started

    return run


def processor_time(runs: int, folder: str) -> dict[str, float]:
    """Return the median seconds of processor time of a fork, and of one that confines itself at L2 and at L3: what a busy machine does not change."""
    grant = Grant.of(RunCommand("true", folder).effects())
    view.why_not()
    confine.rehearse()
    gc.freeze()

    def once(side: str) -> float:
        pid = os.fork()
        if pid == 0:
            try:
                if side != "bare":
                    view.forbidden = side == "L2"
                    confine.enter(grant)
            finally:
                os._exit(0)
        used = os.wait4(pid, 0)[2]
        return used.ru_utime + used.ru_stime

    sides = ("bare", "L2", *(() if view.why_not() else ("L3",)))
    taken: dict[str, list[float]] = {s: [] for s in sides}
    for _ in range(runs):
        for side in sides:
            taken[side].append(once(side))
    return {s: statistics.median(t) for s, t in taken.items()}


def measure(runs: int) -> dict[str, dict[str, float]]:
    """Return the median seconds of each side for each command; a side that is not there is left out."""
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp", prefix="nlsh-bench-") as folder,
        _worker(folder, views=False) as plain,
        _worker(folder, views=True) as seen,
        _worker(folder, views=True, by_bubblewrap=True) as seen_by_bubblewrap,
    ):
        sides = {"bare": _spawned(), "L2": plain}
        if not view.why_not():
            sides["L3"] = seen
        if bwrap := shutil.which("bwrap"):
            if not bubblewrap.why_not():
                sides["L3 by bwrap"] = seen_by_bubblewrap
            sides["bwrap"] = _spawned(bwrap, *_BWRAP, "--bind", folder, folder)
        found = {}
        for name, command, times in (("start", "true", runs), ("find /usr", "find /usr > found 2>&1 || true", max(runs // 4, 3))):
            os.chdir(folder)
            taken: dict[str, list[tuple[float, float]]] = {s: [] for s in sides}
            for _ in range(times):
                for side, run in sides.items():
                    taken[side].append(run(command))
            if name == "start":
                found["confined"] = {s: statistics.median(begun for begun, _ in t) for s, t in taken.items()}
            found[name] = {s: statistics.median(ended for _, ended in t) for s, t in taken.items()}
        found["confining, processor time"] = processor_time(runs, folder)
        os.chdir("/")
        return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=21)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.runs)
    if options.json:
        print(json.dumps(found))
        return
    for name, sides in found.items():
        print(f"{name}: " + ", ".join(f"{side} {took * 1000:.1f} ms ({took / sides['bare']:.2f} × bare)" for side, took in sides.items()))
    for side, why in (("L3", view.why_not()), ("bwrap", "" if shutil.which("bwrap") else "bubblewrap is not installed.")):
        if why:
            print(f"{side}: absent. {why}")


if __name__ == "__main__":
    main()
