"""How long a key takes to the screen while the model is planning what is typed, beside bash: `python benchmarks/keystrokes.py [--keys N]`.

Real terminals (ptys), one key at a time. From writing a key to reading its echo. The pauses between keys are as long as a plan takes to begin and
shorter than it takes to end, so that the model is at work when most keys come: that is not assumed but read from the kernel, which says just before
each key whether a thread other than the one that draws runs or could. Keys that found one so are a row of their own. Bar: 30 ms at their 99th percentile.
"""

from __future__ import annotations

import argparse
import os
import pty
import random
import re
import select
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SEQUENCE = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]|\x1b\][^\x07]*\x07")
LINES = (
    "find the pdf files in docs that are larger than 10MB", "which process is using the most memory right now", "move the old logs to the archive folder",
    "show me what is listening on port 8080", "compress the photos from last month into photos.zip",
)  # fmt: skip


class Terminal:
    """A process on a pty that is answered where it asks for the cursor."""

    def __init__(self, words: list[str], home: str) -> None:
        self.child, self.fd = pty.fork()
        if self.child == 0:
            os.chdir(home)
            os.environ.update(HOME=home, TERM="xterm-256color", PYTHONPATH=str(ROOT), NLSH_DAEMON="off", PS1="$ ", HISTFILE="/dev/null")
            os.execvp(words[0], words)
        self.seen = b""

    def read(self, seconds: float) -> bytes:
        """Return what comes within so many seconds, as soon as anything does."""
        ready, _, _ = select.select([self.fd], [], [], seconds)
        data = os.read(self.fd, 65536) if ready else b""
        for _ in range(data.count(b"\x1b[6n")):
            os.write(self.fd, b"\x1b[1;1R")
        self.seen += data
        return data

    def until(self, text: bytes, seconds: float) -> bool:
        """Read until `text` has come."""
        end = time.monotonic() + seconds
        while text not in self.seen and time.monotonic() < end:
            self.read(0.1)
        return text in self.seen

    def at_work(self) -> bool:
        """Return whether a thread behind the first runs, or waits for a processor only."""
        for task in os.listdir(f"/proc/{self.child}/task"):
            if task != str(self.child):
                try:
                    stat = Path(f"/proc/{self.child}/task/{task}/stat").read_text()
                except OSError:
                    continue  # it has ended
                if stat.rpartition(") ")[2][0] == "R":
                    return True
        return False

    def key(self, char: str, pause_s: float) -> tuple[float, bool]:
        """Type a key; return the milliseconds until it is on the screen, after reading on for so long, and whether the model was at work meanwhile."""
        while self.read(0):
            pass
        self.seen = b""
        at_work = self.at_work()
        began = time.perf_counter()
        os.write(self.fd, char.encode())
        while char.encode() not in SEQUENCE.sub(b"", self.seen) and time.perf_counter() - began < 2:
            self.read(0.5)
        took = (time.perf_counter() - began) * 1000
        end = time.monotonic() + pause_s
        while (left := end - time.monotonic()) > 0:
            self.read(left)
        return took, at_work


def measure(terminal: Terminal, keys: int, end: str) -> list[tuple[float, bool]]:
    """Type the lines, over and over, clearing each; return the milliseconds of every key, and whether the model was at work."""
    chance = random.Random(1)
    taken: list[tuple[float, bool]] = []
    while len(taken) < keys:
        for line in LINES:
            for char in line:
                if char == " ":  # a blank on a blank is drawn by moving the cursor
                    os.write(terminal.fd, b" ")
                else:
                    taken.append(terminal.key(char, chance.uniform(0.09, 0.2)))
            os.write(terminal.fd, end.encode())
            terminal.read(0.3)
            if len(taken) >= keys:
                break
    return taken[:keys]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=200)
    keys = parser.parse_args().keys
    with tempfile.TemporaryDirectory() as home:
        found = {}
        for name, words, prompt in (("bash", ["bash", "--norc", "--noprofile", "-i"], b"$ "), ("nlsh", [sys.executable, "-m", "nlsh"], b"shipped")):
            terminal = Terminal(words, home)
            if not terminal.until(prompt, 20):
                sys.exit(f"{name} did not come up: {terminal.seen[-300:]!r}")
            taken = measure(terminal, keys, "\x15")
            found[name] = [took for took, _ in taken]
            if name == "nlsh":
                found["nlsh, model at work"] = [took for took, at_work in taken if at_work]
            os.kill(terminal.child, 9)
            os.waitpid(terminal.child, 0)
        for name, every in found.items():
            if not every:
                sys.exit(f"{name}: no key came meanwhile, so nothing was measured.")
            p99 = sorted(every)[max(0, int(len(every) * 0.99) - 1)]
            print(f"{name:20} {len(every):4} keys   median {statistics.median(every):6.2f} ms   p99 {p99:6.2f} ms   most {max(every):6.2f} ms")
        print(f"nlsh / bash at the median: {statistics.median(found['nlsh']) / statistics.median(found['bash']):.1f}")


if __name__ == "__main__":
    main()
