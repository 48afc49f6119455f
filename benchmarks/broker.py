"""What it costs that a raw command is asked about at the system call: a round trip, a question, and commands that stay inside their grant.

    python benchmarks/broker.py [--runs 5]

Each line is a median, and for a command its ratio to the same command in the same sandbox without a broker. `every open` is what it would cost to
be told of opening for reading, too.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from nlsh.guard.grant import Grant
from nlsh.guard.sandbox import seccomp
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.steps.command import RunCommand

_OPENS = 20_000
_TIMED = """
import ctypes, os, time
libc = ctypes.CDLL(None, use_errno=True)
begin = time.perf_counter()
for n in range({times}):
    {call}
print((time.perf_counter() - begin) / {times} * 1e6)
"""


class Bench:
    """One zygote, and one folder that commands may change."""

    def __init__(self, work: Path) -> None:
        self.zygote, self.work = Zygote.start(), work

    def run(self, command: str, *, asks: bool) -> float:
        """Run a command; return how many seconds it took. Whatever it asks is answered yes."""
        step = RunCommand(command, str(self.work))
        job: dict[str, Any] = {"steps": [step.as_data()], "grant": Grant.of(step.effects()).as_data(), "cwd": str(self.work), "env": dict(os.environ)}
        if asks:
            job["ask"] = 30.0
        begin = time.perf_counter()
        *_, last = self.zygote.run(job, ask=lambda message, standstill: "yes")
        if last["type"] != "done":
            raise SystemExit(f"{command}: {last}")
        return time.perf_counter() - begin

    def each(self, call: str, times: int) -> float:
        """Return how many microseconds a call takes under a broker, by the clock of who makes it."""
        self.run(f"{sys.executable} -I -c {shlex.quote(_TIMED.format(call=call, times=times))} > figure", asks=True)
        return float((self.work / "figure").read_text())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        work, outside = Path(folder) / "work", Path(folder) / "outside"
        work.mkdir()
        outside.mkdir()
        (work / "read").touch()
        for name in ("source", "made"):
            (work / name).mkdir()
        # What a compiler does, many times: read headers, write an object.
        build = (
            "import os\nfor n in range(200):\n    for m in range(100):\n        os.close(os.open('read', os.O_RDONLY))\n"
            "    for k in range(2):\n        with open(f'made/{n}.{k}', 'w') as f: f.write('x')\n"
            "    os.unlink(f'made/{n}.0')\n    os.rename(f'made/{n}.1', 'made/o')\n"
        )
        (work / "build.py").write_text(build)
        bench = Bench(work)
        inside = str(work / "f")
        print(f"a call handed back, {seccomp.ASKED['files'][0]} inside: {bench.each(f'libc.unlink({os.fsencode(inside)!r})', 5000):.0f} µs")
        asked = "os.close(os.open({!r} % n, os.O_WRONLY | os.O_CREAT))".format(f"{outside}/%d")
        print(f"a file made outside, question and all but the time a person takes: {bench.each(asked, 100):.0f} µs")
        commands = {
            "true": "true",
            f"build: {_OPENS:,} opens, 800 changes": f"{sys.executable} -I build.py",
            "make and remove 2,000 files": "for n in $(seq 2000); do : > made/$n; done; rm -r made; mkdir made",
        }
        for name, command in commands.items():
            took: dict[bool, list[float]] = {False: [], True: []}
            for _ in range(runs):
                for asks in took:
                    took[asks].append(bench.run(command, asks=asks))
            without, with_ = (statistics.median(took[a]) for a in (False, True))
            print(f"{name}: {with_ * 1e3:.0f} ms, {with_ / without:.2f} × without ({without * 1e3:.0f} ms)")
        bench.zygote.close()
        every = _with_every_open(work, runs)
        print(f"the build told of every open: {every * 1e3:.0f} ms")


def _with_every_open(work: Path, runs: int) -> float:
    """Return how long the build takes where reading is told of like writing: in a zygote of its own, whose filter has no other rule for it."""
    seccomp.ASKED["files"] = (*seccomp.ASKED["files"], "openat", "open")
    bench = Bench(work)
    took = [bench.run(f"{sys.executable} -I build.py", asks=True) for _ in range(runs)]
    bench.zygote.close()
    return statistics.median(took)


if __name__ == "__main__":
    main()
