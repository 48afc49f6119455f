"""Steps on the machine as a whole: its name and time zone, notifications, and when it stops, over the message bus."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError, StaleStep
from nlsh.plan.records import Change, Record
from nlsh.plan.steps import Step
from nlsh.steps._bus import asked
from nlsh.steps.services import ordered

LOGIND, _LOGIND_PATH = "org.freedesktop.login1", "/org/freedesktop/login1"
LOGIND_MANAGER = f"{LOGIND}.Manager"
NOTIFICATIONS = "org.freedesktop.Notifications"
# setting: service, path, property, method
SETTINGS = {
    "hostname": ("org.freedesktop.hostname1", "/org/freedesktop/hostname1", "StaticHostname", "SetStaticHostname"),
    "time zone": ("org.freedesktop.timedate1", "/org/freedesktop/timedate1", "Timezone", "SetTimezone"),
}
_NOW = {"reboot": "Reboot", "poweroff": "PowerOff", "suspend": "Suspend"}
WORDS = {"reboot": "restart", "poweroff": "switch off", "suspend": "put to sleep"}


def setting(name: str) -> str:
    """Return how the machine is set now. Raises NotPossible where nothing on the bus keeps it."""
    service, path, property_, _ = SETTINGS[name]
    with asked("system", service, f"what keeps the {name}") as bus:
        return str(bus.property(service, path, service, property_))


@dataclass(frozen=True)
class SetSetting(Step):
    """Set the name or the time zone of the machine from `old` to `new`."""

    name: str
    old: str
    new: str

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("bus.call", "system"), Effect("sys.control", f"its {self.name}"))

    def describe(self) -> str:
        return f"set the {self.name} of this machine to {self.new} (it is {self.old or 'not set'})"

    def check(self) -> None:
        now = setting(self.name)
        if now != self.old:
            raise StaleStep(f"The {self.name} is {now} now, not {self.old}.", hint="Nothing was changed. Ask again.")

    def apply(self) -> None:
        service, path, _, method = SETTINGS[self.name]
        with asked("system", service, f"what keeps the {self.name}") as bus:
            ordered(lambda: bus.call(service, path, service, method, "sb", self.new, True, may_ask=True))

    def inverse(self) -> Step | None:
        return SetSetting(self.name, self.new, self.old)

    def state(self) -> str:
        try:
            now = setting(self.name)
        except NlshError:
            return "unknown"
        return "undone" if now == self.old else "done" if now == self.new else "unknown"


def scheduled() -> tuple[str, float] | None:
    """Return what logind will do and when, in seconds since the epoch, or None. Raises NotPossible where there is no logind."""
    with asked("system", LOGIND, "logind") as bus:
        kind, micros = bus.property(LOGIND, _LOGIND_PATH, LOGIND_MANAGER, "ScheduledShutdown")
    return (kind, micros / 1e6) if kind else None


def able(kind: str) -> str:
    """Return what logind says to reboot, poweroff or suspend: yes, challenge (after a password), no, or na. Raises NotPossible without logind."""
    with asked("system", LOGIND, "logind") as bus:
        return str(bus.call(LOGIND, _LOGIND_PATH, LOGIND_MANAGER, f"Can{_NOW[kind]}")[0])


def _clock(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


@dataclass(frozen=True)
class StopMachine(Step):
    """Restart, switch off or suspend the machine now."""

    kind: str

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("bus.call", "system"), Effect("sys.control", f"{WORDS[self.kind]} the machine"))

    def describe(self) -> str:
        return f"{WORDS[self.kind]} this machine now"

    def no_undo(self) -> str:
        return "what was open and not saved is gone"

    def apply(self) -> None:
        with asked("system", LOGIND, "logind") as bus:
            ordered(lambda: bus.call(LOGIND, _LOGIND_PATH, LOGIND_MANAGER, _NOW[self.kind], "b", True, may_ask=True))


@dataclass(frozen=True)
class PlanStop(Step):
    """Have the machine restart or switch off at a time (seconds since the epoch), or, with `off`, call that off."""

    kind: str
    at: float
    off: bool = False

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("bus.call", "system"), Effect("sys.control", f"{WORDS.get(self.kind, self.kind)} the machine"))

    def describe(self) -> str:
        what = f"{WORDS.get(self.kind, self.kind)} this machine at {_clock(self.at)}"
        return f"call off what is planned: {what}" if self.off else what

    def check(self) -> None:
        found = scheduled()
        wanted = (self.kind, self.at) if self.off else None
        if (found is None) != (wanted is None) or (found and wanted and (found[0] != wanted[0] or abs(found[1] - wanted[1]) > 1)):
            now = f"{WORDS.get(found[0], found[0])} at {_clock(found[1])}" if found else "nothing"
            raise StaleStep(f"What is planned for this machine now: {now}.", hint="Nothing was changed. Ask again.")
        if not self.off and self.at <= time.time():
            raise StaleStep(f"{_clock(self.at)} has passed.", hint="Nothing was changed. Ask again.")

    def apply(self) -> Iterator[Record]:
        with asked("system", LOGIND, "logind") as bus:
            if self.off:
                ordered(lambda: bus.call(LOGIND, _LOGIND_PATH, LOGIND_MANAGER, "CancelScheduledShutdown", may_ask=True))
            else:
                ordered(lambda: bus.call(LOGIND, _LOGIND_PATH, LOGIND_MANAGER, "ScheduleShutdown", "st", self.kind, int(self.at * 1e6), may_ask=True))
        yield Change(self.describe())

    def inverse(self) -> Step | None:
        return PlanStop(self.kind, self.at, not self.off)

    def state(self) -> str:
        try:
            planned = scheduled() is not None
        except NlshError:
            return "unknown"
        return "done" if planned != self.off else "undone"


@dataclass(frozen=True)
class Notify(Step):
    """Show a notification on the desktop."""

    text: str

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("bus.call", "session"), Effect("sys.control", "the desktop's notifications"))

    def describe(self) -> str:
        return f"show a notification: {self.text}"

    def apply(self) -> None:
        # What it says is no mark-up; servers that read it as such must not.
        body: Any = ("nlsh", 0, "", self.text, "", [], {}, -1)
        with asked("session", NOTIFICATIONS, "a notification server") as bus:
            bus.call(NOTIFICATIONS, "/org/freedesktop/Notifications", NOTIFICATIONS, "Notify", "susssasa{sv}i", *body)
