"""`/top`: how busy this machine is, drawn anew each second until a key ends it. It reads and changes nothing."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

from nlsh.plan.errors import NotPossible
from nlsh.plan.records import Process
from nlsh.shell.fit import width
from nlsh.shell.show import Look, bar, escape, size
from nlsh.world import machine, processes
from nlsh.world.samples import drawn

_EVERY_S = 1.0
_ORDER = {"c": ("CPU", lambda p: (-p.cpu_percent, -p.memory_bytes)), "m": ("memory", lambda p: (-p.memory_bytes, -p.cpu_percent))}
_ON, _OFF = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"


def run(look: Look) -> int:
    """Show it until q, Escape or Ctrl-C. Raises NotPossible where there is no terminal that can be drawn on."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM", "dumb") in ("dumb", "") or not look.table:
        raise NotPossible("/top needs a terminal it can draw on.", hint="Ask for what uses the most CPU instead.")
    course: list[float] = []
    by = "c"
    with _drawing() as terminal:
        while True:
            found = list(processes.sampled(processes.every(), 0 if not course else _EVERY_S / 4))
            cpu = next(iter(machine.cpu(each=False)))
            course = [*course[-59:], cpu.used_percent]
            rows, columns = os.get_terminal_size(terminal).lines, os.get_terminal_size(terminal).columns
            sys.stdout.write("\x1b[H" + "\r\n".join(f"{line}\x1b[K" for line in lines(found, course, by, rows, columns, look)) + "\x1b[J")
            sys.stdout.flush()
            ready, _, _ = select.select([terminal], [], [], _EVERY_S / 2)
            key = os.read(terminal, 16).decode("utf-8", "replace") if ready else ""
            if key[:1] in ("q", "\x1b", "\x03", "\x04"):
                break
            by = key if key in _ORDER else by
    return 0


def lines(found: list[Process], course: list[float], by: str, rows: int, columns: int, look: Look) -> list[str]:
    """Return the screen: bars, the course of the last minute, and the processes that use most. No line is wider than the terminal."""
    load = " ".join(f"{v:.2f}" for v in os.getloadavg())
    top = [_cut(f"cpu    {course[-1]:5.1f} % {bar(course[-1] / 100)}  load {load}  {drawn(tuple(course), 100)}", columns)]
    for memory in machine.memory():
        used = f"{size(memory.used_bytes)} of {size(memory.total_bytes)}"
        top.append(_cut(f"{memory.kind:6} {memory.used_percent:5.1f} % {bar(memory.used_percent / 100)}  {used}", columns))
    name, order = _ORDER[by]
    top.append(look.paint(_cut(f"{len(found):,} processes by {name} · c: by CPU · m: by memory · q: back", columns), "dim", err=False))
    top.append(look.paint(_cut(f"{'pid':>8}  {'cpu %':>6}  {'memory':>8}  {'user':10.10}  command", columns), "dim", err=False))
    left = max(0, rows - len(top))
    for p in sorted(found, key=order)[:left]:
        top.append(_cut(f"{p.pid:8}  {p.cpu_percent:6.1f}  {size(p.memory_bytes):>8}  {escape(p.user):10.10}  {escape(p.command or p.name)}", columns))
    return top


def _cut(text: str, columns: int) -> str:
    """Return `text` in so many columns."""
    text = text[:columns]
    while width(text) > columns:
        text = text[:-1]
    return text


@contextmanager
def _drawing() -> Iterator[int]:
    """Within, the terminal is a sheet of its own and keys come at once; yield its descriptor."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        sys.stdout.write(_ON)
        yield descriptor
    except KeyboardInterrupt:
        pass
    finally:
        sys.stdout.write(_OFF)
        sys.stdout.flush()
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
