"""Facts about devices: disks and partitions, what is plugged into USB, graphics cards. Read from /sys; NVIDIA's library where it is there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

from nlsh.plan.errors import NotPossible
from nlsh.plan.records import Device
from nlsh.world import machine

SYS = "/sys"
_PCI_IDS = ("/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids")
_VENDORS = {
    "10de": "NVIDIA", "1002": "AMD", "8086": "Intel", "1a03": "ASPEED", "102b": "Matrox", "1234": "QEMU", "1af4": "virtio", "15ad": "VMware",
    "1b36": "QXL", "80ee": "VirtualBox", "1414": "Hyper-V", "1013": "Cirrus Logic",
}  # fmt: skip
_USB_CLASSES = {
    "01": "audio", "02": "modem", "03": "input", "06": "camera", "07": "printer", "08": "storage", "09": "hub", "0b": "card reader", "0e": "video",
    "e0": "wireless",
}  # fmt: skip
_BLOCK_KINDS = (
    ("loop", "loop"), ("sr", "optical"), ("dm-", "mapped"), ("md", "raid"), ("zram", "compressed memory"), ("ram", "ram"), ("fd", "floppy"),
)  # fmt: skip


def attribute(*parts: str) -> str:
    """Return the text of an attribute in /sys, or nothing where there is none."""
    try:
        with open(os.path.join(*parts), encoding="utf-8", errors="replace") as file:
            return file.read().strip("\0 \n")
    except OSError:
        return ""


def entries(folder: str) -> list[str]:
    """Return the names in a folder, in order; none where there is no such folder."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def block() -> Iterator[Device]:
    """Yield the disks of this machine, each followed by its partitions, with size, model and where they are mounted."""
    mounted: dict[str, list[str]] = {}
    for mount in machine.mounts():
        if mount.device.startswith("/dev/"):
            places = mounted.setdefault(os.path.realpath(mount.device), [])
            if mount.mount not in places:
                places.append(mount.mount)
    swaps = {line.split()[0] for line in attribute("/proc/swaps").splitlines()[1:]}
    for name in entries(f"{SYS}/block"):
        folder = f"{SYS}/block/{name}"
        size = int(attribute(folder, "size") or 0) * 512
        # A loop or RAM disk of no size is a free slot, not a device; an empty card reader is one.
        if not size and name.startswith(("loop", "ram", "zram", "nbd")):
            continue
        yield Device(name, _kind(name), _model(name, folder), size, _detail(name, folder, mounted, swaps))
        for part in entries(folder):
            if attribute(folder, part, "partition"):
                yield Device(part, "partition", "", int(attribute(folder, part, "size") or 0) * 512, _detail(part, f"{folder}/{part}", mounted, swaps))


def _kind(name: str) -> str:
    return next((kind for start, kind in _BLOCK_KINDS if name.startswith(start)), "disk")


def _model(name: str, folder: str) -> str:
    made = " ".join(p for p in (attribute(folder, "device/vendor"), attribute(folder, "device/model")) if p and not p.startswith("0x"))
    return made or attribute(folder, "dm/name") or attribute(folder, "loop/backing_file") or ("virtual disk" if name.startswith(("vd", "xvd")) else "")


def _detail(name: str, folder: str, mounted: dict[str, list[str]], swaps: set[str]) -> str:
    parts = []
    if attribute(folder, "removable") == "1":
        parts.append("removable")
    if attribute(folder, "ro") == "1":
        parts.append("read-only")
    # A virtual disk says that it spins whatever it is made of.
    if attribute(folder, "queue/rotational") == "1" and _kind(name) == "disk" and not name.startswith(("vd", "xvd")):
        parts.append("spinning")
    if f"/dev/{name}" in swaps:
        parts.append("swap")
    if places := mounted.get(f"/dev/{name}"):
        parts.append(f"mounted on {', '.join(places)}")
    return "; ".join(parts)


def usb() -> Iterator[Device]:
    """Yield what is plugged into USB. Raises NotPossible where there is no USB."""
    folder = f"{SYS}/bus/usb/devices"
    if not os.path.isdir(folder):
        raise NotPossible("This machine has no USB: its kernel knows no USB bus.", hint="A virtual machine or a container often has none.")
    for name in entries(folder):
        vendor, product = attribute(folder, name, "idVendor"), attribute(folder, name, "idProduct")
        # An interface of a device (1-2:1.0) has no ids; a root hub is the machine's own socket.
        if not vendor or name.startswith("usb"):
            continue
        described = " ".join(p for p in (attribute(folder, name, "manufacturer"), attribute(folder, name, "product")) if p) or "unnamed device"
        kinds = [attribute(folder, name, "bDeviceClass")] + [attribute(folder, i, "bInterfaceClass") for i in entries(folder) if i.startswith(f"{name}:")]
        kind = next((_USB_CLASSES[k] for k in kinds if k in _USB_CLASSES), "device")
        speed = attribute(folder, name, "speed")
        yield Device(f"{vendor}:{product}", f"usb {kind}", described, None, f"port {name}" + (f"; {speed} Mbit/s" if speed else ""))


def gpu() -> Iterator[Device]:
    """Yield the graphics cards, with their use where the driver tells it. Raises NotPossible, saying why, where there is none."""
    nvidia, why = _nvidia()
    yield from nvidia
    found = bool(nvidia)
    for name in entries(f"{SYS}/bus/pci/devices"):
        folder = f"{SYS}/bus/pci/devices/{name}"
        # PCI class 03: display controllers.
        if not attribute(folder, "class").startswith("0x03"):
            continue
        vendor, device = attribute(folder, "vendor")[2:], attribute(folder, "device")[2:]
        if vendor == "10de" and nvidia:
            continue
        found = True
        total = attribute(folder, "mem_info_vram_total")
        called = pci_names([(vendor, device)])[vendor, device]
        yield Device(_card(folder) or name, "gpu", called, int(total) if total.isdigit() else None, _gpu_detail(folder, vendor, why))
    if not found:
        for name in entries(f"{SYS}/class/drm"):
            if re.fullmatch(r"card\d+", name):
                found = True
                driver = os.path.basename(os.path.realpath(f"{SYS}/class/drm/{name}/device/driver"))
                yield Device(name, "gpu", "" if driver == "driver" else f"driven by {driver}")
    if not found:
        raise NotPossible(
            f"There is no graphics card here that this system can see: no display device on the PCI bus, none in /sys/class/drm, and no NVIDIA device ({why}).",
            hint="A virtual machine or a container has one only if it was given one.",
        )


def _nvidia() -> tuple[list[Device], str]:
    """Return the NVIDIA cards, and why there are none if there are none."""
    try:
        import pynvml
    except ImportError:
        return [], "nvidia-ml-py is not installed"
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return [], str(error)
    try:
        return [_nvidia_card(pynvml, i) for i in range(pynvml.nvmlDeviceGetCount())], "its driver lists none"
    except pynvml.NVMLError as error:
        return [], str(error)
    finally:
        pynvml.nvmlShutdown()


def _nvidia_card(pynvml: object, index: int) -> Device:
    card = pynvml.nvmlDeviceGetHandleByIndex(index)  # type: ignore[attr-defined]
    name = pynvml.nvmlDeviceGetName(card)  # type: ignore[attr-defined]
    memory = pynvml.nvmlDeviceGetMemoryInfo(card)  # type: ignore[attr-defined]
    parts = [f"{machine.amount(memory.used)} of {machine.amount(memory.total)} in use"]
    for ask, words in (
        (lambda: pynvml.nvmlDeviceGetUtilizationRates(card).gpu, "{}% busy"),  # type: ignore[attr-defined]
        (lambda: pynvml.nvmlDeviceGetTemperature(card, 0), "{} °C"),  # type: ignore[attr-defined]
        (lambda: pynvml.nvmlSystemGetDriverVersion(), "driver {}"),  # type: ignore[attr-defined]
    ):
        try:
            parts.append(words.format(ask()))
        except pynvml.NVMLError:  # type: ignore[attr-defined]  # not every card tells everything
            continue
    return Device(f"nvidia{index}", "gpu", name if isinstance(name, str) else name.decode(), memory.total, "; ".join(parts))


def _card(folder: str) -> str:
    return next((n for n in entries(f"{folder}/drm") if n.startswith("card")), "")


def _gpu_detail(folder: str, vendor: str, why: str) -> str:
    parts = []
    if used := attribute(folder, "mem_info_vram_used"):
        parts.append(f"{machine.amount(int(used))} in use")
    if busy := attribute(folder, "gpu_busy_percent"):
        parts.append(f"{busy}% busy")
    driver = os.path.basename(os.path.realpath(f"{folder}/driver"))
    parts.append(f"driver {driver}" if driver != "driver" else "no driver")
    if vendor == "10de" and why:
        parts.append(f"use unknown: {why}")
    return "; ".join(parts)


def pci_names(wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return the names of these (maker, device) numbers, from the list that systems keep of them; it is read once for all."""
    asked = set(wanted)
    makers: dict[str, str] = {}
    known: dict[tuple[str, str], str] = {}
    for path in _PCI_IDS:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                vendor = ""
                for line in file:
                    if line[:1] not in "\t#\n":
                        vendor = line[:4] if line[4:6] == "  " else ""
                        makers[vendor] = line[6:].strip()
                    elif vendor and line[:1] == "\t" and (vendor, line[1:5]) in asked:
                        known[vendor, line[1:5]] = line[7:].strip()
        except OSError:
            continue
        break
    said = {}
    for vendor, device in asked:
        maker = makers.get(vendor) or _VENDORS.get(vendor, f"vendor {vendor}")
        said[vendor, device] = f"{maker} {known.get((vendor, device), f'device {device}')}"
    return said
