"""Steps on services: start, stop, restart, reload, enable and disable them through systemd, over the system's message bus."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError, NotPossible, StaleStep
from nlsh.plan.records import Change, Record
from nlsh.plan.steps import Step
from nlsh.steps._bus import asked
from nlsh.world.bus import Bus, BusError
from nlsh.world.services import MANAGER, ROOT, SYSTEMD, UNIT, failure, shown

_METHODS = {"start": "StartUnit", "stop": "StopUnit", "restart": "RestartUnit", "reload": "ReloadUnit"}
_BACK = {"start": "stop", "stop": "start", "enable": "disable", "disable": "enable"}
_PATIENCE_S = 180.0
_REFUSALS = ("AccessDenied", "InteractiveAuthorizationRequired", "NotAuthorized")


def run_job(bus: Bus, begin: Any, unit: str, *, seconds: float = _PATIENCE_S) -> None:
    """Call `begin`, which returns systemd's job, and wait for its end. Raises NlshError with why it failed."""
    try:
        bus.call(SYSTEMD, ROOT, MANAGER, "Subscribe")
    except BusError as error:
        # The steps of a worker share one connection.
        if not error.name.endswith(".AlreadySubscribed"):
            raise
    with bus.signals(MANAGER, "JobRemoved") as next_one:
        job = ordered(begin)
        until = time.monotonic() + seconds
        while True:
            _, path, _, result = next_one(max(until - time.monotonic(), 0.0))
            if path == job:
                break
    if result not in ("done", "skipped"):
        why = failure(bus, unit) or {"dependency": "something that it needs failed", "timeout": "it took too long", "canceled": "it was called off"}.get(
            result, result
        )
        raise NlshError(f"{shown(unit)} failed: {why}.", hint=f'service.logs("{shown(unit)}") shows what it said.', code="service.failed")


def ordered(begin: Any) -> Any:
    """Return the first thing that `begin` answers. Raises NotPossible where the system does not let this user give that order."""
    try:
        answer = begin()
    except BusError as error:
        if error.name.endswith(_REFUSALS):
            raise NotPossible("The system does not let you do this.", hint="Nothing was changed. Run nlsh with sudo, or as somebody who may.") from error
        raise
    return answer[0] if answer else None


@dataclass(frozen=True)
class OrderUnit(Step):
    """Start, stop, restart or reload a unit. `was` is its state when it was approved; `others` go down with it, and come back with it.

    `final` is why it cannot be taken back (empty: it can).
    """

    unit: str
    verb: str
    was: str
    others: tuple[str, ...] = ()
    final: str = ""

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("bus.call", "system"), *(Effect("sys.control", u) for u in (self.unit, *self.others)))

    def describe(self) -> str:
        more = f", and with it {', '.join(shown(o) for o in self.others)}" if self.others else ""
        return f"{self.verb} {shown(self.unit)} (it is {self.was}){more}"

    def _state(self, bus: Bus) -> str:
        path = bus.call(SYSTEMD, ROOT, MANAGER, "LoadUnit", "s", self.unit)[0]
        return str(bus.property(SYSTEMD, path, UNIT, "ActiveState"))

    def check(self) -> None:
        with asked("system", SYSTEMD, "systemd") as bus:
            now = self._state(bus)
        if now != self.was:
            raise StaleStep(f"{shown(self.unit)} is {now} now, not {self.was}.", hint="Nothing was changed. Ask again.")

    def apply(self) -> Iterator[Record]:
        with asked("system", SYSTEMD, "systemd") as bus:
            for unit in (self.unit, *(self.others if self.verb == "start" else ())):
                run_job(bus, lambda unit=unit: bus.call(SYSTEMD, ROOT, MANAGER, _METHODS[self.verb], "ss", unit, "replace", may_ask=True), unit)
            yield Change(f"{shown(self.unit)}: {self.verb}, it is {self._state(bus)} now")

    def inverse(self) -> Step | None:
        if self.verb not in _BACK or self.final:
            return None
        return OrderUnit(self.unit, _BACK[self.verb], "active" if self.verb == "start" else "inactive", self.others)

    def no_undo(self) -> str:
        return self.final or super().no_undo()

    def state(self) -> str:
        try:
            with asked("system", SYSTEMD, "systemd") as bus:
                now = self._state(bus)
        except NlshError:
            return "unknown"
        return "undone" if now == self.was else "done" if (now == "active") == (self.verb == "start") else "unknown"


@dataclass(frozen=True)
class LinkUnit(Step):
    """Enable or disable a unit: whether it starts with the machine. `was` is its state when it was approved."""

    unit: str
    verb: str
    was: str

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("bus.call", "system"), Effect("sys.control", self.unit))

    def describe(self) -> str:
        return f"{self.verb} {shown(self.unit)}: it {'starts' if self.verb == 'enable' else 'does not start any more'} with the machine"

    def _state(self, bus: Bus) -> str:
        return str(bus.call(SYSTEMD, ROOT, MANAGER, "GetUnitFileState", "s", self.unit)[0])

    def check(self) -> None:
        with asked("system", SYSTEMD, "systemd") as bus:
            now = self._state(bus)
        if now != self.was:
            raise StaleStep(f"{shown(self.unit)} is {now} now, not {self.was}.", hint="Nothing was changed. Ask again.")

    def apply(self) -> None:
        with asked("system", SYSTEMD, "systemd") as bus:
            if self.verb == "enable":
                ordered(lambda: bus.call(SYSTEMD, ROOT, MANAGER, "EnableUnitFiles", "asbb", [self.unit], False, False, may_ask=True))
            else:
                ordered(lambda: bus.call(SYSTEMD, ROOT, MANAGER, "DisableUnitFiles", "asb", [self.unit], False, may_ask=True))
            # As systemctl does: the manager goes by what it has read.
            ordered(lambda: bus.call(SYSTEMD, ROOT, MANAGER, "Reload", may_ask=True))

    def inverse(self) -> Step | None:
        return LinkUnit(self.unit, _BACK[self.verb], "enabled" if self.verb == "enable" else "disabled")

    def state(self) -> str:
        try:
            with asked("system", SYSTEMD, "systemd") as bus:
                now = self._state(bus)
        except NlshError:
            return "unknown"
        return "undone" if now == self.was else "done" if now == f"{self.verb}d" else "unknown"
