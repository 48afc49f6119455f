"""RunAsUnit: have systemd run a program as a service of its own: outside nlsh's sandbox, as what it is, with all that it may need.

For what no worker can do: a package manager runs the scripts of packages, which write everywhere and speak to everything, and what holds the
clipboard must outlive a worker.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError, Refused
from nlsh.plan.records import Change, Record
from nlsh.plan.steps import Step
from nlsh.steps._bus import asked
from nlsh.steps.services import run_job
from nlsh.world import tools
from nlsh.world.bus import Bus
from nlsh.world.services import MANAGER, ROOT, SYSTEMD, failure

_PATIENCE_S = 3600.0


def effects_of(target: str, argv: tuple[str, ...]) -> tuple[Effect, ...]:
    """Return what it takes to have `argv` run by the manager behind a bus. Raises Refused for what is to run as root and is not the system's own."""
    if target == "system" and not tools.of_the_system(argv[0]):
        raise Refused(f"{argv[0]} is not one of the system's own programs, and would run as root.", hint="Nothing was changed.")
    order = (Effect("bus.call", target), Effect("sys.control", f"have systemd run: {shlex.join(argv)}"))
    return (*order, Effect("priv.root", f"{os.path.basename(argv[0])} runs as root")) if target == "system" else order


def outside(target: str, argv: tuple[str, ...]) -> str:
    """Return what nothing holds a program to that the manager behind a bus runs, in words; empty for what runs with the user's own rights."""
    if target != "system":
        return ""
    return f"{os.path.basename(argv[0])} runs as root and outside nlsh's sandbox: nothing holds it, or what it runs in turn, to what is shown here."


def environment_for(target: str) -> tuple[str, ...]:
    """Return what a program finds in its environment. As root it is not the user's: his PATH and his home are where anything of his could plant programs."""
    if target == "system":
        return (f"PATH={tools.SYSTEM_PATH}", "LC_ALL=C.UTF-8", "HOME=/root")
    return tuple(f"{k}={v}" for k, v in tools.environment().items() if k in ("PATH", "LC_ALL", "HOME"))


def _on_one_line(text: str) -> str:
    # systemd writes it into the unit's file as it is: a line end in a file's name would begin a setting.
    return "".join(c if c.isprintable() else " " for c in text)[:400]


def start(bus: Bus, argv: tuple[str, ...], what: str, *, environment: tuple[str, ...] = (), given: str = "", stays: bool = False) -> None:
    """Have `argv` run, with `given` as its input, and wait for its end; `stays`: only until it runs. Raises NlshError where it fails."""
    unit = f"nlsh-{os.path.basename(argv[0])}-{os.getpid()}-{os.urandom(4).hex()}.service"
    properties: list[tuple[str, tuple[str, Any]]] = [
        ("Description", ("s", _on_one_line(f"nlsh: {what}"))),
        ("Type", ("s", "exec" if stays else "oneshot")),
        # What looks like a variable in an argument would be replaced by systemd.
        ("ExecStart", ("a(sasb)", [(argv[0], [a.replace("$", "$$") for a in argv], False)])),
        ("Environment", ("as", list(environment))),
    ]
    if given:
        properties += [("StandardInput", ("s", "data")), ("StandardInputData", ("ay", given.encode("utf-8", "surrogateescape")))]
    if stays:
        properties += [("CollectMode", ("s", "inactive-or-failed"))]
    try:
        run_job(
            bus,
            lambda: bus.call(SYSTEMD, ROOT, MANAGER, "StartTransientUnit", "ssa(sv)a(sa(sv))", unit, "fail", properties, [], may_ask=True),
            unit,
            seconds=_PATIENCE_S,
        )
    except NlshError as error:
        if error.code != "service.failed":
            raise
        why = failure(bus, unit) or "it says nothing"
        if not stays:
            bus.call(SYSTEMD, ROOT, MANAGER, "ResetFailedUnit", "s", unit)
        raise NlshError(f"{os.path.basename(argv[0])} failed: {why}.", hint=f'service.logs("{unit}") shows what it said.', code="tool.failed") from error


@dataclass(frozen=True)
class RunAsUnit(Step):
    """Have the system's ("system") or the user's own ("session") systemd run `argv`."""

    target: str
    argv: tuple[str, ...]
    what: str
    environment: tuple[str, ...] = ()
    given: str = ""
    stays: bool = False

    def effects(self) -> tuple[Effect, ...]:
        return effects_of(self.target, self.argv)

    def describe(self) -> str:
        return self.what

    def outside(self) -> str:
        return outside(self.target, self.argv)

    def apply(self) -> Iterator[Record]:
        with asked(self.target, SYSTEMD, "systemd") as bus:
            start(bus, self.argv, self.what, environment=self.environment, given=self.given, stays=self.stays)
        yield Change(self.what)
