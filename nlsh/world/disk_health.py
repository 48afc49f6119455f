"""What disks say of their health without the disk service: smartctl's JSON, and the few facts that the kernel shows to everybody."""

from __future__ import annotations

import json
import os
from typing import Any

from nlsh.plan.records.devices import DiskHealth
from nlsh.world import tools

SYS = "/sys"
_REALLOCATED = 5
_END_OF_LIFE = {"0x02": "80% of its spare blocks are used up", "0x03": "90% of its spare blocks are used up"}


def command(node: str) -> tuple[str, ...]:
    """Return the command line that asks a disk with smartctl. Raises NotPossible where it is not installed."""
    return (tools.find("smartctl", why="ask a disk for its health", install="smartmontools"), "--json=c", "--all", node)


def by_smartctl(node: str) -> DiskHealth:
    """Return what smartctl says of a disk; `health` is unknown where the disk does not tell. Raises NotPossible."""
    try:
        # Its status tells of the disk as much as of itself: what it writes is what counts.
        said = json.loads(tools.output(command(node), ok=tuple(range(256)), seconds=60) or "{}")
    except ValueError:
        said = {}
    words = [str(m.get("string", "")) for m in said.get("smartctl", {}).get("messages", ())]
    passed = said.get("smart_status", {}).get("passed")
    if passed is None:
        detail = "; ".join(w for w in words if w) or "it does not tell"
        return DiskHealth(node[5:], "unknown", str(said.get("model_name", "")), detail=detail, source="smartctl")
    nvme: dict[str, Any] = said.get("nvme_smart_health_information_log", {})
    details = []
    for row in said.get("ata_smart_attributes", {}).get("table", ()):
        if row.get("id") == _REALLOCATED and row.get("raw", {}).get("value"):
            details.append(f"{row['raw']['value']} sectors replaced")
    if nvme.get("media_errors"):
        details.append(f"{nvme['media_errors']} media errors")
    worn = nvme.get("percentage_used")
    return DiskHealth(
        node[5:], "healthy" if passed else "failing", str(said.get("model_name", "")), said.get("temperature", {}).get("current"),
        said.get("power_on_time", {}).get("hours"), worn, "; ".join(details), "SMART, by smartctl",
    )  # fmt: skip


def by_kernel(name: str, model: str = "") -> DiskHealth | None:
    """Return what the kernel shows of a disk's health to everybody: of memory cards and eMMC their wear, of NVMe whether it is too hot."""
    device = f"{SYS}/block/{name}/device"
    if end := _read(device, "pre_eol_info"):
        lives = [int(v, 16) for v in _read(device, "life_time").split() if v != "0x00"]
        # A step is a tenth of its life; 0x0b is beyond its end.
        worn = float(max(lives) * 10) if lives else None
        failing = end in ("0x02", "0x03") or (worn is not None and worn > 100)
        return DiskHealth(name, "failing" if failing else "healthy", model, None, None, worn, _END_OF_LIFE.get(end, ""), "the kernel")
    if name.startswith("nvme"):
        for sensor in sorted(_entries(device)):
            if sensor.startswith("hwmon") and (now := _read(device, sensor, "temp1_input")):
                alarm = _read(device, sensor, "temp1_alarm") == "1"
                detail = "it is too hot" if alarm else "without root rights it tells its temperature only"
                return DiskHealth(name, "failing" if alarm else "unknown", model, int(now) / 1000, None, None, detail, "the kernel")
    return None


def _read(*parts: str) -> str:
    try:
        with open(os.path.join(*parts), encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def _entries(folder: str) -> list[str]:
    # The sensor lies in the controller's folder, or in one called hwmon there.
    try:
        return [e for f in (folder, f"{folder}/hwmon") if os.path.isdir(f) for e in (os.listdir(f) if f == folder else [f"hwmon/{x}" for x in os.listdir(f)])]
    except OSError:
        return []
