"""Wireless networks in reach, as NetworkManager sees them over the system bus. It asks only; joining one is a step's."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from nlsh.plan.frozen import frozen
from nlsh.plan.records.network import Wifi
from nlsh.world.bus import Bus

MANAGER = "org.freedesktop.NetworkManager"
ROOT = "/org/freedesktop/NetworkManager"
SETTINGS = f"{ROOT}/Settings"
WHAT = "NetworkManager"
NONE = "/"
_WIFI = 2
_PRIVACY = 0x1
_KEY_PSK, _KEY_802_1X, _KEY_SAE, _OWE = 0x100, 0x200, 0x400, 0x1800


@frozen(slots=False)
class Station:
    """A network in reach of a device: its strongest station, the stored profile for it and what the device is connected by now."""

    ssid: bytes
    device: str
    profile: str
    connection: str
    record: Wifi

    @property
    def is_open(self) -> bool:
        return self.record.security == "open"


def name_of(ssid: bytes) -> str:
    """Return an SSID as text; it is bytes, of whatever encoding."""
    return ssid.decode("utf-8", "surrogateescape")


def devices(bus: Bus) -> list[str]:
    """Return the wireless devices that NetworkManager knows."""
    found = bus.call(MANAGER, ROOT, MANAGER, "GetDevices")[0]
    return [d for d in found if bus.property(MANAGER, d, f"{MANAGER}.Device", "DeviceType") == _WIFI]


def is_on(bus: Bus) -> bool:
    """Return whether wireless networking is switched on."""
    return bool(bus.property(MANAGER, ROOT, MANAGER, "WirelessEnabled"))


def profiles(bus: Bus) -> dict[bytes, str]:
    """Return the stored profiles of wireless networks by SSID."""
    found = {}
    for path in bus.call(MANAGER, SETTINGS, f"{MANAGER}.Settings", "ListConnections")[0]:
        settings: Mapping[str, Mapping[str, Any]] = bus.call(MANAGER, path, f"{MANAGER}.Settings.Connection", "GetSettings")[0]
        if "802-11-wireless" in settings and "ssid" in settings["802-11-wireless"]:
            found[bytes(settings["802-11-wireless"]["ssid"][1])] = path
    return found


def stations(bus: Bus) -> list[Station]:
    """Return the networks in reach, the connected first, then the strongest; hidden ones are left out."""
    known = profiles(bus)
    best: dict[tuple[bytes, str], Station] = {}
    for device in devices(bus):
        wireless = bus.properties(MANAGER, device, f"{MANAGER}.Device.Wireless")
        active = bus.property(MANAGER, device, f"{MANAGER}.Device", "ActiveConnection")
        connection = bus.property(MANAGER, active, f"{MANAGER}.Connection.Active", "Connection") if active != NONE else ""
        for path in bus.call(MANAGER, device, f"{MANAGER}.Device.Wireless", "GetAllAccessPoints")[0]:
            point = bus.properties(MANAGER, path, f"{MANAGER}.AccessPoint")
            ssid = bytes(point["Ssid"])
            if not ssid.strip(b"\0"):
                continue
            connected = path == wireless.get("ActiveAccessPoint")
            record = Wifi(name_of(ssid), int(point["Strength"]), _security(point), int(point["Frequency"]), connected, ssid in known)
            key = (ssid, record.security)
            if key not in best or (connected, record.signal_percent) > (best[key].record.connected, best[key].record.signal_percent):
                best[key] = Station(ssid, device, known.get(ssid, ""), connection, record)
    return sorted(best.values(), key=lambda s: (not s.record.connected, -s.record.signal_percent, s.ssid))


def looked_s(bus: Bus) -> float | None:
    """Return how many seconds ago a device last looked for networks; None where it has not since the machine was started, or does not say."""
    scans = [bus.properties(MANAGER, d, f"{MANAGER}.Device.Wireless").get("LastScan", -1) for d in devices(bus)]
    last = max((int(scan) for scan in scans), default=-1)  # in milliseconds since the machine was started, or -1
    return None if last < 0 else max(time.clock_gettime(time.CLOCK_BOOTTIME) - last / 1000, 0.0)


def _security(point: Mapping[str, Any]) -> str:
    wpa, rsn = int(point["WpaFlags"]), int(point["RsnFlags"])
    if (wpa | rsn) & _KEY_802_1X:
        return "enterprise"
    if rsn & _KEY_SAE:
        return "WPA3" if not rsn & _KEY_PSK else "WPA2/WPA3"
    if rsn & _OWE and not rsn & _KEY_PSK:
        return "open"
    if rsn or wpa:
        return "WPA2" if rsn else "WPA"
    return "WEP" if int(point["Flags"]) & _PRIVACY else "open"
