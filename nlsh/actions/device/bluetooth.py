"""device.bluetooth: the Bluetooth devices that this machine knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible
from nlsh.plan.records import Note, Record
from nlsh.plan.records.devices import BluetoothDevice
from nlsh.steps._bus import asked
from nlsh.world import World

_SERVICE = "org.bluez"


class Bluetooth(Action):
    """List Bluetooth devices: those that are paired and those that were seen lately."""

    name = "device.bluetooth"
    effects = ("bus.read",)

    def look(self, args: Any, world: World) -> Any:
        with asked("system", _SERVICE, "Bluetooth"):
            return None

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("bus.read", "system"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        with asked("system", _SERVICE, "Bluetooth") as bus:
            objects = bus.objects(_SERVICE).values()
        adapters = [o["org.bluez.Adapter1"] for o in objects if "org.bluez.Adapter1" in o]
        if not adapters:
            raise NotPossible("Not available here, because this machine has no Bluetooth adapter.", hint="Nothing was changed.")
        found = []
        for interfaces in objects:
            if device := interfaces.get("org.bluez.Device1"):
                battery = interfaces.get("org.bluez.Battery1", {}).get("Percentage")
                address = str(device.get("Address", ""))
                found.append(
                    BluetoothDevice(
                        name=str(device.get("Alias") or device.get("Name") or address),
                        address=address,
                        kind=str(device.get("Icon", "")),
                        connected=bool(device.get("Connected")),
                        paired=bool(device.get("Paired")),
                        battery_percent=None if battery is None else int(battery),
                    )
                )
        yield from sorted(found, key=lambda d: (not d.connected, not d.paired, d.name.casefold()))
        if not any(a.get("Powered") for a in adapters):
            yield Note("Bluetooth is switched off: these are devices known from before.")

    examples = (
        Example(
            say=("list bluetooth devices", "is my headset connected over bluetooth", "what is paired with this computer", "连了哪些蓝牙设备"),
            plan="device.bluetooth()",
            may_lack=True,
        ),
    )
