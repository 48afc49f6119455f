"""The system's disk service (UDisks2) as it is asked: which object stands for a device, what its drive says of itself."""

from __future__ import annotations

from typing import Any

from nlsh.plan.errors import NotPossible
from nlsh.plan.records.devices import DiskHealth
from nlsh.world.bus import Bus

SERVICE = "org.freedesktop.UDisks2"
ROOT = "/org/freedesktop/UDisks2"
BLOCK = "org.freedesktop.UDisks2.Block"
FILE_SYSTEM = "org.freedesktop.UDisks2.Filesystem"
DRIVE = "org.freedesktop.UDisks2.Drive"
_ATA = "org.freedesktop.UDisks2.Drive.Ata"
_NVME = "org.freedesktop.UDisks2.NVMe.Controller"
_ZERO_CELSIUS_K = 273.15

Objects = dict[str, dict[str, dict[str, Any]]]


def object_of(bus: Bus, node: str, objects: Objects | None = None) -> str:
    """Return the path of the object that stands for a device. Raises NotPossible where the service does not know it."""
    for path, interfaces in (objects if objects is not None else bus.objects(SERVICE, ROOT)).items():
        if bytes(interfaces.get(BLOCK, {}).get("Device", b"")).rstrip(b"\0") == node.encode():
            return path
    raise NotPossible(f"The disk service does not know {node}.", hint="Nothing was changed.")


def drive_of(bus: Bus, node: str) -> tuple[str, dict[str, Any]]:
    """Return the path and the properties of the drive that a device is on. Raises NotPossible where it has none, as a loop device."""
    objects = bus.objects(SERVICE, ROOT)
    path = str(objects[object_of(bus, node, objects)][BLOCK].get("Drive", "/"))
    if DRIVE not in objects.get(path, {}):
        raise NotPossible(f"{node} is no drive that could be ejected.", hint="Nothing was changed.")
    return path, objects[path][DRIVE]


def health(bus: Bus) -> dict[str, DiskHealth]:
    """Return what the drives say of themselves (SMART), by node; a drive that has not been asked yet is left out."""
    objects = bus.objects(SERVICE, ROOT)
    found = {}
    for interfaces in objects.values():
        block = interfaces.get(BLOCK, {})
        drive = objects.get(str(block.get("Drive", "/")), {})
        node = bytes(block.get("Device", b"")).rstrip(b"\0").decode("utf-8", "surrogateescape")
        if "org.freedesktop.UDisks2.Partition" in interfaces or not node:
            continue
        model = " ".join(p for p in (str(drive.get(DRIVE, {}).get("Vendor", "")), str(drive.get(DRIVE, {}).get("Model", ""))) if p)
        if (ata := drive.get(_ATA)) and ata.get("SmartUpdated"):
            bad = int(ata.get("SmartNumBadSectors", 0))
            failing = bool(ata.get("SmartFailing"))
            hours = int(ata.get("SmartPowerOnSeconds", 0)) // 3600 or None
            detail = f"{bad} bad sectors" if bad > 0 else ""
            found[node] = DiskHealth(node[5:], "failing" if failing else "healthy", model, _celsius(ata), hours, None, detail, "SMART, by UDisks")
        elif (nvme := drive.get(_NVME)) and nvme.get("SmartUpdated"):
            warnings = [str(w) for w in nvme.get("SmartCriticalWarning", ())]
            hours = int(nvme.get("SmartPowerOnHours", 0)) or None
            found[node] = DiskHealth(
                node[5:], "failing" if warnings else "healthy", model, _celsius(nvme), hours, None, ", ".join(warnings), "SMART, by UDisks"
            )  # fmt: skip
    return found


def _celsius(smart: dict[str, Any]) -> float | None:
    kelvin = float(smart.get("SmartTemperature", 0) or 0)
    return round(kelvin - _ZERO_CELSIUS_K, 1) if kelvin > 0 else None
