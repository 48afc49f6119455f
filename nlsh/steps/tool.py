"""RunTool: run a program that an action names, with fixed arguments, no terminal and no shell, confined to stated effects."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError
from nlsh.plan.records import Line, Record
from nlsh.plan.steps import Step


@dataclass(frozen=True)
class RunTool(Step):
    """Run `argv` in `cwd` with the effects that the action states besides running it.

    `what` is the line of the preview. `back` is the argv that takes it back (empty: it cannot be), with `back_what`. `shows`: yield what it prints.
    """

    argv: tuple[str, ...]
    what: str
    needed: tuple[tuple[str, str], ...] = ()
    cwd: str = "/"
    back: tuple[str, ...] = ()
    back_what: str = ""
    shows: bool = False

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("tool.run", shlex.join(self.argv)), *(Effect(kind, target) for kind, target in self.needed))

    def describe(self) -> str:
        return self.what

    def apply(self) -> Iterator[Record]:
        from nlsh.world.tools import environment, failed

        try:
            done = subprocess.run(self.argv, cwd=self.cwd, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, check=False)
        except OSError as error:
            raise NlshError(f"{self.argv[0]} cannot be run: {error.strerror}.", hint="Nothing was done.", code="tool.failed") from error
        if done.returncode:
            raise failed(self.argv, done.returncode, done.stderr or done.stdout)
        if self.shows:
            for number, line in enumerate(done.stdout.decode("utf-8", "surrogateescape").splitlines(), start=1):
                yield Line(line, number)

    def inverse(self) -> Step | None:
        return RunTool(self.back, self.back_what, self.needed, self.cwd, self.argv, self.what) if self.back else None
