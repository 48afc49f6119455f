"""Steps on what has a knob: how bright the screen is, how loud the sound."""

from __future__ import annotations

import os
from dataclasses import dataclass

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible, StaleStep
from nlsh.plan.steps import Step
from nlsh.steps._bus import asked
from nlsh.steps._sockets import opened
from nlsh.world import screens
from nlsh.world.bus import BusError
from nlsh.world.pulse import FULL, Output, Pulse

LOGIN = "org.freedesktop.login1"
SESSION = "/org/freedesktop/login1/session/auto"
_SOUND = "the sound server"


@dataclass(frozen=True)
class SetBrightness(Step):
    """Set the light of a screen from `before` to `after`, of `most`: by its file, or, where only root may write that, by the login service."""

    name: str
    path: str
    before: int
    after: int
    most: int
    by_service: bool

    def effects(self) -> tuple[Effect, ...]:
        first = Effect("bus.call", "system") if self.by_service else Effect("dev.control", self.path)
        return (first, Effect("dev.read", "backlight"))

    def describe(self) -> str:
        return f"set the brightness of the screen from {round(100 * self.before / self.most)}% to {round(100 * self.after / self.most)}%"

    def check(self) -> None:
        now = screens.read(self.path)
        if now is None:
            raise StaleStep(f"The screen's light {self.name} is gone.", hint="Nothing was changed.")
        if now != self.before:
            raise StaleStep("The brightness has changed since this was previewed.", hint="Nothing was changed. Ask again.")

    def apply(self) -> None:
        if not self.by_service:
            # Not created, not truncated: it is a device's knob.
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(descriptor, str(self.after).encode())
            finally:
                os.close(descriptor)
            return
        with asked("system", LOGIN, "the login service") as bus:
            try:
                bus.call(LOGIN, SESSION, f"{LOGIN}.Session", "SetBrightness", "ssu", "backlight", self.name, self.after)
            except BusError as error:
                raise NotPossible(f"The login service does not set the brightness: {error.message}", hint="Nothing was changed.") from error

    def inverse(self) -> Step:
        return SetBrightness(self.name, self.path, self.after, self.before, self.most, self.by_service)

    def state(self) -> str:
        now = screens.read(self.path)
        return "done" if now == self.after else "undone" if now == self.before else "unknown"


@dataclass(frozen=True)
class SetVolume(Step):
    """Set how loud each channel of an output is (65536 is 100%), and whether it is muted, from what it was to what it is to be."""

    socket: str
    name: str
    description: str
    before: tuple[int, ...]
    after: tuple[int, ...]
    muted_before: bool
    muted_after: bool

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("bus.call", self.socket),)

    def describe(self) -> str:
        if self.before == self.after:
            return f"{'mute' if self.muted_after else 'unmute'} the sound ({self.description})"
        silent = ", which stays muted" if self.muted_after else ", and unmute it" if self.muted_before else ""
        return f"set the volume of {self.description} from {_percent(self.before)}% to {_percent(self.after)}%{silent}"

    def _now(self, pulse: Pulse) -> Output:
        return pulse.output(self.name)

    def check(self) -> None:
        with opened(self.socket, Pulse, _SOUND) as pulse:
            now = self._now(pulse)
        if (now.volumes, now.muted) != (self.before, self.muted_before):
            raise StaleStep("The volume has changed since this was previewed.", hint="Nothing was changed. Ask again.")

    def apply(self) -> None:
        with opened(self.socket, Pulse, _SOUND) as pulse:
            if self.after != self.before:
                pulse.set_volumes(self.name, self.after)
            if self.muted_after != self.muted_before:
                pulse.set_muted(self.name, self.muted_after)

    def inverse(self) -> Step:
        return SetVolume(self.socket, self.name, self.description, self.after, self.before, self.muted_after, self.muted_before)


def _percent(volumes: tuple[int, ...]) -> int:
    return round(100 * max(volumes, default=0) / FULL)
