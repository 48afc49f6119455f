"""The step that joins a wireless network, and leaves it again: NetworkManager is told over the system bus."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError, NotPossible
from nlsh.plan.steps import Step
from nlsh.steps import _bus, handles
from nlsh.world import wifi
from nlsh.world.wifi import MANAGER, NONE, ROOT, SETTINGS

if TYPE_CHECKING:
    from nlsh.world.bus import Bus

_PATIENCE_S, _EVERY_S = 60.0, 0.1
_ACTIVATED, _DEACTIVATING = 2, 3
_NO_SECRETS = 7


@dataclass(frozen=True)
class JoinWifi(Step):
    """Connect `device` to the network of `name`, by its stored `profile`, or, where that is empty, by a new one called `uuid`.

    `ssid` is the network's own name in hexadecimal. `before` is the profile the device was connected by (empty: by none) and `before_name`
    that network. `back`: this is the step that goes back to it.
    """

    name: str
    ssid: str
    device: str
    profile: str
    uuid: str
    before: str
    before_name: str
    back: bool = False

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("bus.call", "system"),)

    def describe(self) -> str:
        if not self.back:
            return f"connect to the wireless network {self.name}"
        return f"go back to the wireless network {self.before_name}" if self.before else f"disconnect from the wireless network {self.name}"

    def apply(self) -> None:
        with _bus.asked("system", MANAGER, wifi.WHAT) as bus:
            if self.back:
                self._leave(bus)
            elif self.profile:
                self._wait(bus, self._activate(bus, self.profile))
            else:
                self._join_new(bus)

    def _activate(self, bus: Bus, profile: str) -> str:
        return str(bus.call(MANAGER, ROOT, MANAGER, "ActivateConnection", "ooo", profile, self.device, NONE)[0])

    def _join_new(self, bus: Bus) -> None:
        settings = {
            "connection": {"id": ("s", self.name), "uuid": ("s", self.uuid), "type": ("s", "802-11-wireless")},
            "802-11-wireless": {"ssid": ("ay", bytes.fromhex(self.ssid))},
        }
        profile, active = bus.call(MANAGER, ROOT, MANAGER, "AddAndActivateConnection", "a{sa{sv}}oo", settings, self.device, NONE)
        try:
            self._wait(bus, active)
        except BaseException:
            # What did not work is not kept: the system would try it again by itself.
            bus.call(MANAGER, profile, f"{MANAGER}.Settings.Connection", "Delete")
            raise

    def _leave(self, bus: Bus) -> None:
        if self.uuid:
            profile = bus.call(MANAGER, SETTINGS, f"{MANAGER}.Settings", "GetConnectionByUuid", "s", self.uuid)[0]
            bus.call(MANAGER, profile, f"{MANAGER}.Settings.Connection", "Delete")
        if self.before:
            self._wait(bus, self._activate(bus, self.before))
        elif not self.uuid:
            bus.call(MANAGER, self.device, f"{MANAGER}.Device", "Disconnect")

    def _wait(self, bus: Bus, active: str) -> None:
        """Return once the connection is there. Raises NotPossible where it does not come about."""
        from nlsh.world.bus import BusError

        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until:
            try:
                state = bus.property(MANAGER, active, f"{MANAGER}.Connection.Active", "State")
            except BusError:  # it is gone as soon as it has failed
                state = _DEACTIVATING
            if state == _ACTIVATED:
                return
            if state >= _DEACTIVATING:
                raise self._failed(bus)
            if handles.stopping():
                raise NlshError("It was cancelled while the connection was being made.", hint="See where it stands with network.wifi.", code="step.cancelled")
            time.sleep(_EVERY_S)
        raise NotPossible(f"{self.name} did not let this machine in within {_PATIENCE_S:.0f} seconds.", hint="See where it stands with network.wifi.")

    def _failed(self, bus: Bus) -> NotPossible:
        from nlsh.world.bus import BusError

        try:
            reason = bus.property(MANAGER, self.device, f"{MANAGER}.Device", "StateReason")[1]
        except BusError:
            reason = 0
        if reason == _NO_SECRETS:
            return NotPossible(
                f"{self.name} wants a password, and none is stored or was given.",
                hint="nlsh takes no passwords. Give it once in the system's network settings, and ask again.",
            )
        words = f"The connection to {self.name} did not come about (NetworkManager's reason {reason})."
        return NotPossible(words, hint="See where it stands with network.wifi.")

    def inverse(self) -> Step:
        return replace(self, back=not self.back)

    def state(self) -> str:
        try:
            with _bus.asked("system", MANAGER, wifi.WHAT) as bus:
                joined = any(s.record.connected and s.ssid.hex() == self.ssid for s in wifi.stations(bus))
        except (NlshError, OSError):
            return "unknown"
        return "done" if joined != self.back else "undone"
