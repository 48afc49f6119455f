"""Facts about cards and what is plugged in: the PCI bus, sound cards, cameras, keyboards and mice. Read from /sys and /proc/asound."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from nlsh.plan.errors import NotPossible
from nlsh.plan.records import Device
from nlsh.world import devices
from nlsh.world.devices import attribute, entries

PROC = "/proc"
_PCI_CLASSES = {
    "00": "other", "01": "storage", "02": "network", "03": "graphics", "04": "multimedia", "05": "memory", "06": "bridge", "07": "communication",
    "08": "system", "09": "input", "0a": "docking station", "0b": "processor", "0c": "serial bus", "0d": "wireless", "0e": "intelligent controller",
    "0f": "satellite", "10": "encryption", "11": "signal processing", "12": "accelerator", "13": "instrument",
}  # fmt: skip
_PCI_KINDS = {
    "0101": "ide storage", "0104": "raid", "0106": "sata storage", "0108": "nvme storage", "0200": "ethernet", "0280": "network", "0300": "graphics",
    "0401": "audio", "0403": "audio", "0600": "host bridge", "0601": "isa bridge", "0604": "pci bridge", "0c03": "usb controller", "0c05": "smbus",
}  # fmt: skip
_HINT = "A virtual machine or a container often has none."
# Numbers of the kernel's input interface.
_EV_KEY, _EV_REL, _EV_ABS = 1, 2, 3
_KEY_ESC, _KEY_D, _BTN_MOUSE, _BTN_JOYSTICK, _BTN_GAMEPAD, _BTN_TOUCH, _BTN_TOOL_PEN, _BTN_TOOL_FINGER = 1, 32, 0x110, 0x120, 0x130, 0x14A, 0x140, 0x145
_PROP_DIRECT = 1
_KEY_POWER = 116
_BUSES = {
    "0001": "on pci", "0003": "on usb", "0005": "on bluetooth", "0006": "virtual", "0011": "built in", "0018": "built in", "0019": "of the firmware",
    "001c": "built in",
}  # fmt: skip


def pci() -> Iterator[Device]:
    """Yield the cards and controllers on the PCI bus. Raises NotPossible where there is no such bus."""
    folder = f"{devices.SYS}/bus/pci/devices"
    if not os.path.isdir(folder):
        raise NotPossible("Not available here, because this machine has no PCI bus.", hint=_HINT)
    found = []
    for name in entries(folder):
        code = attribute(folder, name, "class").removeprefix("0x")
        vendor, device = (attribute(folder, name, f)[2:] for f in ("vendor", "device"))
        found.append((name, code, vendor, device))
    names = devices.pci_names((v, d) for _, _, v, d in found)
    for name, code, vendor, device in found:
        driver = os.path.basename(os.path.realpath(f"{folder}/{name}/driver"))
        detail = f"driver {driver}" if driver != "driver" else "no driver"
        kind = _PCI_KINDS.get(code[:4]) or _PCI_CLASSES.get(code[:2], "other")
        yield Device(name, kind, names[vendor, device], None, f"{detail}; {vendor}:{device}")


def sound() -> Iterator[Device]:
    """Yield the sound cards, each followed by its outputs and microphones. Raises NotPossible where there is none."""
    folder = f"{devices.SYS}/class/sound"
    cards = [n for n in entries(folder) if re.fullmatch(r"card\d+", n)]
    if not cards:
        raise NotPossible("Not available here, because this machine has no sound card.", hint=_HINT)
    for card in cards:
        about = f"{PROC}/asound/{card}"
        made = _usb_name(os.path.realpath(f"{folder}/{card}/device")) or _pci_name_at(os.path.realpath(f"{folder}/{card}/device"))
        driver = os.path.basename(os.path.realpath(f"{folder}/{card}/device/driver"))
        yield Device(card, "sound card", made or attribute(folder, card, "id"), None, f"driver {driver}" if driver not in ("", "driver") else "")
        for stream in entries(about):
            if not re.fullmatch(r"pcm\d+[pc]", stream):
                continue
            facts = dict(line.partition(": ")[::2] for line in attribute(about, stream, "info").splitlines())
            state = attribute(about, stream, "sub0", "status").splitlines()
            busy = bool(state) and state[0] != "closed"
            kind = "microphone" if stream.endswith("c") else "speaker"
            yield Device(f"{card}/{stream}", kind, facts.get("name") or facts.get("id", ""), None, "in use" if busy else "")


def _pci_name_at(folder: str) -> str:
    vendor, device = attribute(folder, "vendor"), attribute(folder, "device")
    numbers = (vendor[2:], device[2:])
    return devices.pci_names([numbers])[numbers] if vendor.startswith("0x") and device.startswith("0x") else ""


def _usb_name(folder: str) -> str:
    """Return what a USB device above this folder calls itself, or nothing."""
    for _ in range(4):
        if attribute(folder, "idVendor"):
            return " ".join(p for p in (attribute(folder, "manufacturer"), attribute(folder, "product")) if p)
        folder = os.path.dirname(folder)
    return ""


def cameras() -> Iterator[Device]:
    """Yield the cameras: of the several nodes that one has, the first. Raises NotPossible where there is none."""
    folder = f"{devices.SYS}/class/video4linux"
    found = [n for n in entries(folder) if n.startswith("video") and attribute(folder, n, "index") in ("", "0")]
    if not found:
        raise NotPossible("Not available here, because this machine has no camera that its kernel knows.", hint=_HINT)
    for name in sorted(found, key=lambda n: int(n[5:]) if n[5:].isdigit() else 0):
        where = os.path.realpath(f"{folder}/{name}/device")
        driver = os.path.basename(os.path.realpath(f"{where}/driver"))
        made = _usb_name(where)
        detail = "; ".join(p for p in ("usb" if made else "", f"driver {driver}" if driver != "driver" else "") if p)
        yield Device(f"/dev/{name}", "camera", attribute(folder, name, "name") or made or "unnamed camera", None, detail)


def inputs() -> Iterator[Device]:
    """Yield keyboards, mice and other input devices. Raises NotPossible where there is none."""
    folder = f"{devices.SYS}/class/input"
    found = [n for n in entries(folder) if re.fullmatch(r"input\d+", n)]
    if not found:
        raise NotPossible("Not available here, because no keyboard, mouse or other input device is attached.", hint=_HINT)
    for name in sorted(found, key=lambda n: int(n[5:])):
        here = f"{folder}/{name}"
        bus = _BUSES.get(attribute(here, "id/bustype"), "")
        events = next((e for e in entries(here) if e.startswith("event")), "")
        detail = "; ".join(p for p in (bus, f"/dev/input/{events}" if events else "") if p)
        yield Device(name, _input_kind(here), attribute(here, "name") or "unnamed device", None, detail)


def _bits(folder: str, which: str) -> int:
    """Return a bitmap of capabilities; it is written in words of the kernel's size, the highest first."""
    words = attribute(folder, which).split()
    value = 0
    for word in words:
        value = value << 64 | int(word, 16)
    return value


def _input_kind(folder: str) -> str:
    events, keys = _bits(folder, "capabilities/ev"), _bits(folder, "capabilities/key")
    direct = bool(_bits(folder, "properties") >> _PROP_DIRECT & 1)

    def has(key: int) -> bool:
        return bool(keys >> key & 1)

    if events >> _EV_ABS & 1:
        if has(_BTN_TOOL_PEN):
            return "tablet"
        if has(_BTN_TOOL_FINGER) and not direct:
            return "touchpad"
        if has(_BTN_TOUCH):
            return "touchscreen" if direct else "touchpad"
        if has(_BTN_GAMEPAD) or has(_BTN_JOYSTICK):
            return "game controller"
    if has(_BTN_MOUSE) and events >> _EV_REL & 1:
        return "mouse"
    if events >> _EV_ABS & 1 and has(_BTN_MOUSE):
        return "pointer"
    if all(has(k) for k in range(_KEY_ESC, _KEY_D + 1)):
        return "keyboard"
    if has(_KEY_POWER) and events >> _EV_KEY & 1:
        return "power button"
    return "buttons" if events >> _EV_KEY & 1 else "other"
