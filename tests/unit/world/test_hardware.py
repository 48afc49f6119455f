"""Cards, sound cards, cameras, input devices and the health of disks, read from folders and programs that these tests make."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nlsh.plan.errors import NotPossible
from nlsh.plan.records.devices import DiskHealth
from nlsh.world import devices, disk_health, hardware


def write(folder: Path, **attributes: str) -> None:
    for name, value in attributes.items():
        file = folder / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(value + "\n")


SMART = {
    "smartctl": {"exit_status": 0, "messages": []}, "model_name": "WD Blue", "smart_status": {"passed": True}, "temperature": {"current": 31},
    "power_on_time": {"hours": 1200}, "ata_smart_attributes": {"table": [{"id": 5, "raw": {"value": 8}}, {"id": 9, "raw": {"value": 1}}]},
}  # fmt: skip


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (SMART, DiskHealth("sdb", "healthy", "WD Blue", 31, 1200, None, "8 sectors replaced", "SMART, by smartctl")),
        (
            {"smart_status": {"passed": False}, "model_name": "X", "nvme_smart_health_information_log": {"percentage_used": 101, "media_errors": 4}},
            DiskHealth("sdb", "failing", "X", None, None, 101, "4 media errors", "SMART, by smartctl"),
        ),
        (
            {"smartctl": {"exit_status": 2, "messages": [{"string": "Unable to detect device type"}]}},
            DiskHealth("sdb", "unknown", "", detail="Unable to detect device type", source="smartctl"),
        ),
    ],
)
def test_what_smartctl_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: dict[str, Any], told: DiskHealth) -> None:
    program = tmp_path / "smartctl"
    status = said.get("smartctl", {}).get("exit_status", 0)
    program.write_text(f"#!/bin/sh\ncat <<'E'\n{json.dumps(said)}\nE\nexit {status}\n")
    program.chmod(0o755)
    monkeypatch.setattr("nlsh.world.tools.present", lambda name: str(program))
    assert disk_health.by_smartctl("/dev/sdb") == told


def test_what_the_kernel_says_of_health(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_health, "SYS", str(tmp_path))
    write(tmp_path / "block/mmcblk0/device", pre_eol_info="0x01", life_time="0x02 0x01")
    write(tmp_path / "block/mmcblk1/device", pre_eol_info="0x03", life_time="0x0b 0x01")
    write(tmp_path / "block/nvme0n1/device/hwmon1", temp1_input="41850", temp1_alarm="0")
    write(tmp_path / "block/nvme1n1/device/hwmon/hwmon2", temp1_input="90850", temp1_alarm="1")
    assert disk_health.by_kernel("mmcblk0") == DiskHealth("mmcblk0", "healthy", "", None, None, 20.0, "", "the kernel")
    worn = disk_health.by_kernel("mmcblk1")
    assert worn is not None and (worn.health, worn.worn_percent) == ("failing", 110.0)
    cool, hot = disk_health.by_kernel("nvme0n1"), disk_health.by_kernel("nvme1n1")
    assert cool is not None and (cool.health, cool.temperature_celsius) == ("unknown", 41.85)
    assert hot is not None and (hot.health, hot.detail) == ("failing", "it is too hot")
    assert disk_health.by_kernel("vda") is None


# --- cards, sound cards, cameras, input ---------------------------------------------------------------------------------


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(devices, "SYS", str(tmp_path / "sys"))
    monkeypatch.setattr(hardware, "PROC", str(tmp_path / "proc"))
    monkeypatch.setattr(devices, "_PCI_IDS", (str(tmp_path / "pci.ids"),))
    names = "# names\n8086  Intel Corporation\n\t1502  82579LM Gigabit\n\t\t1028 04ce  Sub\n10ec  Realtek\n\t8168  RTL8111\nC 02  Network\n"
    (tmp_path / "pci.ids").write_text(names)
    return tmp_path


def test_pci(system: Path) -> None:
    bus = system / "sys/bus/pci/devices"
    write(bus / "0000:00:19.0", **{"class": "0x020000", "vendor": "0x8086", "device": "0x1502"})
    write(bus / "0000:01:00.0", **{"class": "0x010802", "vendor": "0x10ec", "device": "0x0001"})
    write(bus / "0000:02:00.0", **{"class": "0xff0000", "vendor": "0x4242", "device": "0x0001"})
    os.makedirs(system / "drivers/e1000e")
    os.symlink(system / "drivers/e1000e", bus / "0000:00:19.0/driver")
    assert [(d.name, d.kind, d.description, d.detail) for d in hardware.pci()] == [
        ("0000:00:19.0", "ethernet", "Intel Corporation 82579LM Gigabit", "driver e1000e; 8086:1502"),
        ("0000:01:00.0", "nvme storage", "Realtek device 0001", "no driver; 10ec:0001"),
        ("0000:02:00.0", "other", "vendor 4242 device 0001", "no driver; 4242:0001"),
    ]


def test_sound_cards_with_their_streams(system: Path) -> None:
    usb = system / "sys/devices/usb1/1-2"
    write(usb, idVendor="0d8c", manufacturer="C-Media", product="Headset")
    card = system / "sys/class/sound/card1"
    write(card, id="Headset")
    (usb / "1-2:1.0").mkdir()
    os.symlink(usb / "1-2:1.0", card / "device")
    write(system / "sys/class/sound/card0", id="PCH")
    write(system / "sys/class/sound/controlC0", dev="116:0")
    about = system / "proc/asound/card1"
    write(about, pcm0p__info="card: 1\nname: USB Audio\nid: USB", pcm0p__sub0__status="state: RUNNING")
    write(about, pcm0c__info="name: USB Audio", pcm0c__sub0__status="closed")
    assert [(d.name, d.kind, d.description, d.detail) for d in hardware.sound()] == [
        ("card0", "sound card", "PCH", ""),
        ("card1", "sound card", "C-Media Headset", ""),
        ("card1/pcm0c", "microphone", "USB Audio", ""),
        ("card1/pcm0p", "speaker", "USB Audio", "in use"),
    ]


def test_cameras(system: Path) -> None:
    folder = system / "sys/class/video4linux"
    write(folder / "video10", name="Capture\x00", index="0")
    write(folder / "video0", name="Integrated Camera: Integrated C", index="0")
    write(folder / "video1", name="Integrated Camera: Metadata", index="1")
    write(folder / "v4l-subdev0", name="sensor")
    assert [(d.name, d.description) for d in hardware.cameras()] == [("/dev/video0", "Integrated Camera: Integrated C"), ("/dev/video10", "Capture")]


KEYBOARD = "402000000 3803078f800d001 feffffdfffefffff fffffffffffffffe"


@pytest.mark.parametrize(
    ("kind", "events", "keys", "properties"),
    [
        ("keyboard", "120013", KEYBOARD, "0"),
        ("mouse", "17", "1f0000 0 0 0 0", "0"),
        ("touchpad", "b", "e520 10000 0 0 0 0", "5"),
        ("touchscreen", "b", "400 0 0 0 0 0", "2"),
        ("tablet", "b", "1c03 0 0 0 0 0", "0"),
        ("game controller", "20000b", "7cdb000000000000 0 0 0 0", "0"),
        ("power button", "3", "10000000000000 0", "0"),
        ("buttons", "3", "e000000000000 0", "0"),
        ("other", "21", "0", "0"),
    ],
)
def test_kinds_of_input(system: Path, kind: str, events: str, keys: str, properties: str) -> None:
    folder = system / "sys/class/input/input7"
    write(folder, name="Some thing", capabilities__ev=events, capabilities__key=keys, properties=properties, id__bustype="0003", event3__dev="13:67")
    write(system / "sys/class/input/mice", dev="13:63")
    (found,) = hardware.inputs()
    assert (found.name, found.kind, found.description, found.detail) == ("input7", kind, "Some thing", "on usb; /dev/input/event3")


@pytest.mark.parametrize("read", [hardware.pci, hardware.sound, hardware.cameras, hardware.inputs])
def test_what_is_not_there_is_said(system: Path, read: Callable[[], Iterator[Any]]) -> None:
    with pytest.raises(NotPossible, match="Not available here"):
        list(read())
