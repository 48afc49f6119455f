"""How often a line is taken for what it is not: `python benchmarks/detect.py [--show]`.

The labelled lines (tests/data/lines.txt) are split by a hash of each; `--show` lists the errors of the half that may be read. Beside it stands
the peer that decides by the first word alone.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from nlsh.actions.shell._reading import only_reads  # noqa: E402 - after the path
from nlsh.shell.line import detect  # noqa: E402
from nlsh.shell.line.builtins import is_own  # noqa: E402

LINES = ROOT / "tests" / "data" / "lines.txt"


@dataclass(frozen=True)
class Labelled:
    """A line and what it is: command, builtin, answer or sentence. `held_out`: only the score of it is looked at."""

    line: str
    label: str

    @property
    def held_out(self) -> bool:
        return hashlib.sha256(self.line.encode()).digest()[0] % 2 == 1


def sections() -> Iterator[tuple[str, str]]:
    """Yield the lines of the file, each with the section it stands in."""
    section = ""
    for line in LINES.read_text(encoding="utf-8").splitlines():
        if found := re.fullmatch(r"\[(\w+)\]", line):
            section = found[1]
        elif section and line:
            yield section, line


def labelled() -> list[Labelled]:
    """Return all labelled lines."""
    kinds = ("command", "builtin", "answer", "sentence")
    return [Labelled(line.replace(r"\n", "\n"), section) for section, line in sections() if section in kinds]


def machine(folder: Path) -> None:
    """Make the machine that the lines are typed on in `folder`, stand in it, and have its programs alone on PATH."""
    words = {name: [w for section, line in sections() if section == name for w in line.split()] for name in ("programs", "files", "targets")}
    programs, files = folder / "programs", folder / "files"
    programs.mkdir()
    for name in words["programs"]:
        (programs / name).symlink_to("/bin/sh")
    for name in words["files"]:
        path = files / name.rstrip("*")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{t}:\n" for t in words["targets"]) if name == "Makefile" else "x\n")
        path.chmod(0o755 if name.endswith("*") else 0o644)
    os.environ["PATH"] = str(programs)
    os.chdir(files)


def decided(line: str) -> str:
    """Return what nlsh takes a line for: builtin, command or sentence."""
    return "builtin" if is_own(line) else "command" if detect.is_command(line) else "sentence"


def is_wrong(item: Labelled) -> bool:
    """Whether a line is taken for what it is not. What an answer is taken for matters only where it would run."""
    return decided(item.line) != ("sentence" if item.label == "answer" else item.label)


def runs_unasked(item: Labelled) -> bool:
    """Whether a sentence is taken for a command that is not known to only read: one that might change something."""
    return item.label in ("sentence", "answer") and decided(item.line) == "command" and not only_reads(item.line)


def _by_first_word(item: Labelled) -> bool:
    first = item.line.split()[0]
    found = "builtin" if is_own(first) else "command" if detect.is_command(first) else "sentence"
    return found != ("sentence" if item.label == "answer" else item.label)


def main() -> int:
    """Print the error rates of both halves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--show", action="store_true", help="list the errors of the half to develop on")
    shown = parser.parse_args().show
    with tempfile.TemporaryDirectory() as folder:
        machine(Path(folder))
        lines = labelled()
        for name, half in (("to develop on", [i for i in lines if not i.held_out]), ("held out", [i for i in lines if i.held_out])):
            began = time.perf_counter()
            wrong = [i for i in half if is_wrong(i)]
            took_us = (time.perf_counter() - began) / len(half) * 1e6
            risky, peer = sum(map(runs_unasked, half)), sum(map(_by_first_word, half)) / len(half)
            print(
                f"{name:14} {len(half)} lines, {len(wrong)} wrong ({len(wrong) / len(half):.2%}; by the first word alone {peer:.1%}), "
                f"{risky} sentences that would run and may change something, {took_us:.0f} µs a line"
            )
            if shown and name == "to develop on":
                for item in wrong:
                    print(f"    {item.label:9} taken for {decided(item.line):9} {item.line!r}")
        os.chdir("/")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
