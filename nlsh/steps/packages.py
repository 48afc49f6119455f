"""Steps that install, remove and update packages: what was previewed, or nothing."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError, StaleStep
from nlsh.plan.records import Change, Record
from nlsh.plan.steps import Step
from nlsh.steps import handles, units
from nlsh.steps._bus import asked
from nlsh.world import packages, tools
from nlsh.world.services import SYSTEMD

Changes = tuple[tuple[str, str, str, str], ...]
_MOST_SHOWN = 40
_SCRATCH = "/var/tmp"
_VERBS = {"install": "install", "upgrade": "update", "remove": "remove"}


def words(changes: Changes, complete: bool) -> str:
    """Return the changes in words: every package by name, with its version."""
    parts = []
    for verb, word in _VERBS.items():
        some = [f"{n} {old} → {new}" if verb == "upgrade" and old and new else f"{n} {new or old}".strip() for v, n, old, new in changes if v == verb]
        if some:
            more = f" and {len(some) - _MOST_SHOWN} more" if len(some) > _MOST_SHOWN else ""
            parts.append(f"{word} {', '.join(some[:_MOST_SHOWN])}{more}")
    return "; ".join(parts) + ("" if complete else ", and what that needs or frees")


@dataclass(frozen=True)
class ChangePackages(Step):
    """Have a package manager run `argv`, after `simulate` has said that it would still make just these `changes`.

    `runner`: "system" or "session" (systemd runs it), "here" (this worker does, with the effects in `needed`), or "snapd". `back` takes it back.
    """

    backend: str
    argv: tuple[str, ...]
    changes: Changes
    runner: str
    simulate: tuple[str, ...] = ()
    back: tuple[str, ...] = ()
    back_simulate: tuple[str, ...] = ()
    back_changes: Changes = ()
    final: str = ""
    needed: tuple[tuple[str, str], ...] = ()
    environment: tuple[str, ...] = ()
    complete: bool = True
    reads: tuple[str, ...] = ()

    def effects(self) -> tuple[Effect, ...]:
        # apt takes the signed lists apart there.
        reads = (*(Effect("fs.read", p) for p in self.reads), Effect("fs.write", _SCRATCH))
        looks = (Effect("tool.read", shlex.join(self.simulate)), *reads) if self.simulate else ()
        if self.runner == "snapd":
            from nlsh.world.packages_of_user import Snap

            return (Effect("bus.call", Snap.socket), Effect("sys.control", shlex.join(self.argv)))
        if self.runner == "here":
            return (Effect("tool.run", shlex.join(self.argv)), *(Effect(kind, target) for kind, target in self.needed), *looks)
        return (*units.effects_of(self.runner, self.argv), *looks)

    def describe(self) -> str:
        return f"{self.backend}: {words(self.changes, self.complete)}"

    def outside(self) -> str:
        if self.runner == "snapd":
            return "snapd does this as root and outside nlsh's sandbox, hooks of packages included: nothing holds them to what is shown here."
        said = units.outside(self.runner, self.argv)
        return said and f"{said} Packages bring scripts of their own along, which can change anything on this machine."

    def check(self) -> None:
        if self.simulate:
            now = packages.backends()[self.backend].parse(tools.output(self.simulate, extra={"TMPDIR": _SCRATCH}))
            if now != tuple(self.changes):
                raise StaleStep(f"{self.backend} would do something else now: {words(now, True) or 'nothing'}.", hint="Nothing was changed. Ask again.")

    def apply(self) -> Iterator[Record]:
        if self.runner == "snapd":
            self._snapd()
        elif self.runner == "here":
            # What a package manager keeps for itself does not go into the home folder, which this worker may not write.
            extra = dict(e.partition("=")[::2] for e in self.environment)
            tools.output(self.argv, extra=extra, seconds=3600)
        else:
            with asked(self.runner, SYSTEMD, "systemd") as bus:
                units.start(bus, self.argv, self.describe(), environment=(*units.environment_for(self.runner), *self.environment))
        yield Change(self.describe())

    def _snapd(self) -> None:
        """Have snapd do it, and wait for the end of its change."""
        from nlsh.world.packages_of_user import Snap, ask_snapd

        _, action, *names = self.argv
        connection = handles.bus(Snap.socket)
        try:
            change = ask_snapd(connection, "POST", "/v2/snaps", {"action": action, "snaps": names})
            while not (found := ask_snapd(connection, "GET", f"/v2/changes/{change}"))["ready"]:
                tasks = found.get("tasks", ())
                handles.progress(sum(t.get("status") == "Done" for t in tasks), len(tasks) or None, stops=False)
                time.sleep(0.2)
        finally:
            if not handles.is_handed(Snap.socket):
                connection.close()
        if found.get("err"):
            raise NlshError(f"snapd: {str(found['err']).splitlines()[-1].rstrip('.')}.", hint="It has put back what it had begun.", code="tool.failed")

    def inverse(self) -> Step | None:
        if not self.back:
            return None
        return ChangePackages(
            self.backend, self.back, self.back_changes, self.runner, self.back_simulate, self.argv, self.simulate, self.changes, "", self.needed,
            self.environment, self.complete, self.reads,
        )  # fmt: skip

    def no_undo(self) -> str:
        return self.final or super().no_undo()


def change(backend: packages.Backend, order: packages.Order) -> ChangePackages:
    """Return the step for what a package manager is to be told."""
    return ChangePackages(
        backend.name, order.argv, order.changes, order.runner, order.simulate, order.back, order.back_simulate, order.back_changes, order.final, order.needed,
        tuple(f"{k}={v}" for k, v in order.environment.items()), order.complete, tuple(f for f in backend.folders() if order.simulate and os.path.exists(f)),
    )  # fmt: skip
