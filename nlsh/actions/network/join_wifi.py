"""network.join_wifi: connect to a wireless network that is open, or whose password the system knows."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from nlsh.actions.network.wifi import ready
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import NotFound, NotPossible
from nlsh.plan.steps import Step
from nlsh.plan.values import Name
from nlsh.steps import _bus
from nlsh.steps.wifi import JoinWifi as Join
from nlsh.world import World, wifi


class JoinWifi(Action):
    """Connect to a wireless network."""

    name = "network.join_wifi"
    effects = ("bus.call",)

    class Args(BaseArgs):
        name = arg(Name(), "The network.", required=True)

    def look(self, args: Any, world: World) -> Join | None:
        with _bus.asked("system", wifi.MANAGER, wifi.WHAT) as bus:
            ready(bus)
            found = wifi.stations(bus)
        station = _chosen(args.name, found)
        if station.record.connected:
            return None
        if not station.profile and not station.is_open:
            raise NotPossible(
                f"“{station.record.name}” wants a password ({station.record.security}) that the system does not know, and nlsh takes none in a sentence.",
                hint="Nothing was changed. Join it once in the system's network settings, where the password is asked for and kept; from then on nlsh can.",
            )
        now = next((s.record.name for s in found if s.record.connected and s.device == station.device), "")
        new = "" if station.profile else str(uuid.uuid4())
        return Join(station.record.name, station.ssid.hex(), station.device, station.profile, new, station.connection, now)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        if seen is not None:
            yield seen

    examples = (
        Example(
            say=("connect to the wifi Library", "join the wireless network Library", "连接无线网络Library", "连上Library的WiFi"),
            plan='network.join_wifi("Library")',
            may_lack=True,
        ),
        Example(say=("join a wifi without a name",), plan='network.join_wifi("")', refused="plan.bad-argument"),
    )


def _chosen(name: str, found: list[wifi.Station]) -> wifi.Station:
    """Return the network that a name means: exactly, or in any case where only one does. Raises NotFound."""
    exact = [s for s in found if s.record.name == name]
    alike = [s for s in found if s.record.name.casefold() == name.casefold()]
    if exact or len({s.ssid for s in alike}) == 1:
        # Of one name with and without a password, the one that is known.
        return max(exact or alike, key=lambda s: (s.record.connected, bool(s.profile), s.record.signal_percent))
    names = ", ".join(dict.fromkeys(s.record.name for s in found[:8]))
    raise NotFound(f"There is no wireless network “{name}” in reach.", hint=f"Nothing was changed. In reach are: {names}." if names else "Nothing was changed.")
