"""network.wifi: the wireless networks in reach."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible
from nlsh.plan.records import Note, Record
from nlsh.steps import _bus
from nlsh.world import World, machine, wifi
from nlsh.world.bus import Bus

_FRESH_S = 60.0  # about as often as it looks where it has something to look for


class Wifi(Action):
    """List wireless networks in reach."""

    name = "network.wifi"
    effects = ("bus.read",)

    def look(self, args: Any, world: World) -> None:
        with _bus.asked("system", wifi.MANAGER, wifi.WHAT) as bus:
            ready(bus)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("bus.read", "system"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        with _bus.asked("system", wifi.MANAGER, wifi.WHAT) as bus:
            # LIMIT: NetworkManager looks for networks in its own time; to have it look is no reading.
            ago = wifi.looked_s(bus)
            if ago is None or ago > _FRESH_S:
                last = "has not said when it last looked for networks" if ago is None else f"last looked for networks {machine.span(ago)} ago"
                yield Note(f"{wifi.WHAT} {last}: what has come into reach since may be missing. Opening the system's own list of networks has it look.")
            for station in wifi.stations(bus):
                yield station.record

    examples = (
        Example(
            say=("which wifi networks are there", "list wireless networks", "show wifi networks in range", "有哪些无线网络", "附近有什么WiFi"),
            plan="network.wifi()",
            may_lack=True,
        ),
    )


def ready(bus: Bus) -> None:
    """Raise NotPossible where there is no wireless device, or it is switched off."""
    if not wifi.devices(bus):
        raise NotPossible("Not available here, because there is no wireless device.", hint="Nothing was changed.")
    if not wifi.is_on(bus):
        raise NotPossible("Wireless networking is switched off.", hint="Nothing was changed. Switch it on and ask again.")
