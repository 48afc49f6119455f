"""OwnCode: run the Python of a skill pack's own action, in a process of its own that may read what was approved and change nothing."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, ClassVar

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError
from nlsh.plan.records import File, Record
from nlsh.plan.records.text import Row
from nlsh.plan.steps import Step

MOST_SOURCE = 100_000  # characters: it travels as one word of a command line
# Only the standard library: neither the user's site packages nor the working folder is on its path.
_HARNESS = """
import json, sys
found = {"__name__": "nlsh_own_action"}
exec(compile(sys.argv[1], sys.argv[2], "exec"), found)
for row in found["run"](**json.loads(sys.argv[3])):
    print(json.dumps(row), flush=True)
"""


@dataclass(frozen=True)
class OwnCode(Step):
    """Call `run(**args)` of `source`, which yields rows: a dict with `path` is a file that a later call can take, any other a row of a table."""

    reads_only: ClassVar[bool] = True

    name: str
    source: str
    args: dict[str, Any]
    needed: tuple[tuple[str, str], ...] = ()

    def effects(self) -> tuple[Effect, ...]:
        python = os.path.realpath(sys.executable)
        program = Effect("tool.read", f"{python} {self.name} (sha256 {sha256(self.source.encode()).hexdigest()[:16]})")
        own = () if python.startswith("/usr/") else (Effect("fs.read", python),)
        return (program, *own, *(Effect(kind, target) for kind, target in self.needed))

    def describe(self) -> str:
        return f"run the pack's own code {self.name}, which may change nothing"

    def apply(self) -> Iterator[Record]:
        from nlsh.world.tools import lines

        argv = [os.path.realpath(sys.executable), "-I", "-S", "-c", _HARNESS, self.source, self.name, json.dumps(self.args)]
        for number, line in enumerate(lines(argv), start=1):
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            if not isinstance(row, dict) or not row:
                raise NlshError(f"{self.name} gave something that is no row: {line[:100]}", hint="Nothing was changed.", code="skills.own-code")
            yield _file(self.name, row["path"]) if isinstance(row.get("path"), str) else Row.of(number, tuple(map(str, row.values())), tuple(map(str, row)))


def _file(name: str, path: str) -> File:
    try:
        status = os.lstat(path)
    except OSError:
        return File(path)
    except ValueError as error:  # a NUL in it, or half a character
        raise NlshError(f"{name} gave something that is no path: {path[:100]!r}", hint="Nothing was changed.", code="skills.own-code") from error
    return File(path, size_bytes=status.st_size, modified_at=status.st_mtime, mode=status.st_mode & 0o7777)
