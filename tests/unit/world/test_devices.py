"""Devices, read from a /sys that these tests write: what a machine has is not for a test to choose."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from nlsh.plan.errors import NotPossible
from nlsh.plan.records import Device, Mount
from nlsh.world import devices, machine


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(devices, "SYS", str(tmp_path))
    monkeypatch.setattr(devices, "_PCI_IDS", (str(tmp_path / "pci.ids"),))
    monkeypatch.setattr(machine, "mounts", list)
    monkeypatch.setitem(sys.modules, "pynvml", None)
    return tmp_path


def write(folder: Path, **attributes: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in attributes.items():
        file = folder / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(value + "\n")


def test_disks_with_partitions_models_and_mounts(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(system / "block/sda", size="2048", removable="0", ro="0", device__vendor="ATA", device__model="Big Disk", queue__rotational="1")
    write(system / "block/sda/sda1", size="1024", partition="1", ro="0")
    write(system / "block/sdb", size="100", removable="1", device__model="Stick", queue__rotational="0")
    write(system / "block/loop0", size="0")
    write(system / "block/vda", size="8", queue__rotational="1")
    monkeypatch.setattr(machine, "mounts", lambda: [Mount("/", "/dev/sda1", "ext4"), Mount("/srv", "/dev/sda1", "ext4")])
    assert list(devices.block()) == [
        Device("sda", "disk", "ATA Big Disk", 2048 * 512, "spinning"),
        Device("sda1", "partition", "", 1024 * 512, "mounted on /, /srv"),
        Device("sdb", "disk", "Stick", 100 * 512, "removable"),
        Device("vda", "disk", "virtual disk", 8 * 512, ""),
    ]


def test_usb_devices_without_hubs_of_the_machine(system: Path) -> None:
    bus = system / "bus/usb/devices"
    write(bus / "usb1", idVendor="1d6b", idProduct="0002", bDeviceClass="09")
    write(bus / "1-2", idVendor="0781", idProduct="5567", manufacturer="SanDisk", product="Cruzer", bDeviceClass="00", speed="480")
    write(bus / "1-2:1.0", bInterfaceClass="08")
    assert list(devices.usb()) == [Device("0781:5567", "usb storage", "SanDisk Cruzer", None, "port 1-2; 480 Mbit/s")]


def test_no_usb_is_said(system: Path) -> None:
    with pytest.raises(NotPossible, match="no USB"):
        list(devices.usb())


def test_a_card_that_the_pci_bus_knows(system: Path) -> None:
    write(system / "bus/pci/devices/0000:03:00.0", **{"class": "0x030000", "vendor": "0x1002", "device": "0x73df"}, mem_info_vram_total=str(12 * 1024**3),
          mem_info_vram_used=str(1024**3), gpu_busy_percent="7")  # fmt: skip
    (system / "bus/pci/devices/0000:03:00.0/drm/card1").mkdir(parents=True)
    write(system / "bus/pci/devices/0000:04:00.0", **{"class": "0x020000", "vendor": "0x8086", "device": "0x1572"})
    (system / "pci.ids").write_text("# list\n1002  Advanced Micro Devices\n\t73de  Other\n\t73df  Navi 22\n\t\t0001 0002  Sub\n8086  Intel\n")
    (card,) = devices.gpu()
    assert card == Device("card1", "gpu", "Advanced Micro Devices Navi 22", 12 * 1024**3, "1 GB in use; 7% busy; no driver")


def test_an_unlisted_card_has_its_makers_name(system: Path) -> None:
    write(system / "bus/pci/devices/0000:01:00.0", **{"class": "0x030200", "vendor": "0x10de", "device": "0x2330"})
    (card,) = devices.gpu()
    assert card.description == "NVIDIA device 2330" and "use unknown" in card.detail


def test_no_card_says_why(system: Path) -> None:
    with pytest.raises(NotPossible, match="no graphics card") as caught:
        list(devices.gpu())
    assert "nvidia-ml-py is not installed" in caught.value.message


class NVMLError(Exception):
    pass


def nvml(**more: object) -> SimpleNamespace:
    def unsupported(card: object) -> object:
        raise NVMLError("Not Supported")

    library = {
        "NVMLError": NVMLError, "nvmlInit": lambda: None, "nvmlShutdown": lambda: None, "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda i: i, "nvmlDeviceGetName": lambda c: "NVIDIA H100",
        "nvmlDeviceGetMemoryInfo": lambda c: SimpleNamespace(used=2 * 1024**3, total=80 * 1024**3), "nvmlDeviceGetUtilizationRates": unsupported,
        "nvmlDeviceGetTemperature": lambda c, kind: 41, "nvmlSystemGetDriverVersion": lambda: "570.1",
    }  # fmt: skip
    return SimpleNamespace(**{**library, **more})


def test_nvidia_cards_by_their_library_once(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", nvml())
    write(system / "bus/pci/devices/0000:01:00.0", **{"class": "0x030200", "vendor": "0x10de", "device": "0x2330"})
    assert list(devices.gpu()) == [Device("nvidia0", "gpu", "NVIDIA H100", 80 * 1024**3, "2 GB of 80 GB in use; 41 °C; driver 570.1")]


def test_an_nvidia_library_without_its_driver_says_so(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def init() -> None:
        raise NVMLError("Driver Not Loaded")

    monkeypatch.setitem(sys.modules, "pynvml", nvml(nvmlInit=init))
    with pytest.raises(NotPossible, match="Driver Not Loaded"):
        list(devices.gpu())
