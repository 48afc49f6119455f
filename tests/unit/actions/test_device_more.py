"""Disks, sticks, screens, sound, printers and Bluetooth: against loop devices, a message bus with services of these tests' own, and a real sound server.

What is not on the machine is skipped, or read from folders and sockets that the tests make.
"""

from __future__ import annotations

import json
import os
import shutil
import socketserver
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from nlsh.plan import registry
from nlsh.plan.errors import BadArgument, NotFound, NotPossible, Refused, StaleStep
from nlsh.plan.records.devices import DiskHealth, Printer
from nlsh.plan.steps import step_from_data
from nlsh.steps.knobs import SetBrightness, SetVolume
from nlsh.testing import Played, Scene
from nlsh.world import World, printers, pulse, screens, udisks, volumes
from nlsh.world.pulse import FULL
from nlsh.world.volumes import Volume
from tests.unit.actions.conftest import look

ROOT = os.geteuid() == 0


def done(played: Played) -> Played:
    assert played.error is None, played.error
    assert played.outcome is not None and played.outcome.status == "done"
    return played


def write(folder: Path, **attributes: str) -> None:
    for name, value in attributes.items():
        file = folder / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(value + "\n")


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with Scene(tmp_path / "scene") as started:
        yield started


# --- which device is meant --------------------------------------------------------------------------------------------


def volume(node: str, kind: str = "part", **more: Any) -> Volume:
    disk = more.pop("disk", f"/dev/{node.rstrip('0123456789')}" if kind == "part" else f"/dev/{node}")
    return Volume(f"/dev/{node}", kind, more.pop("size_bytes", 1 << 30), disk, **more)


MACHINE = [
    volume("sda", "disk", model="ATA Big", system=True, made_of=("/dev/sda1", "/dev/sda2")),
    volume("sda1", file_system="ext4", mounts=("/",), system=True),
    volume("sda2", file_system="ntfs", label="Windows", system=True),
    volume("sdb", "disk", model="SanDisk Cruzer", removable=True, external=True, transport="usb", made_of=("/dev/sdb1",)),
    volume("sdb1", file_system="vfat", label="KINGSTON", uuid="AB-12", mounts=("/media/me/KINGSTON",), removable=True, external=True, transport="usb"),
    volume("sdc", "disk", model="Seagate Backup+", external=True, transport="usb", made_of=("/dev/sdc1", "/dev/sdc2")),
    volume("sdc1", file_system="ext4", label="backup", part_label="first", external=True, transport="usb"),
    volume("sdc2", file_system="ext4", label="more", external=True, transport="usb"),
    volume("mmcblk0", "disk", removable=True, external=True, transport="mmc", file_system="exfat", label="CARD"),
    volume("sr0", "rom", removable=True, file_system="iso9660", label="DVD-VIDEO"),
]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("/dev/sdb1", "sdb1"), ("sdb1", "sdb1"), ("kingston", "sdb1"), ("the KINGSTON stick", "sdb1"), ("AB-12", "sdb1"), ("/media/me/KINGSTON", "sdb1"),
        ("my backup drive", "sdc1"), ("BACKUP", "sdc1"), ("first", "sdc1"), ("the sd card", "mmcblk0"), ("the camera card", "mmcblk0"), ("SD卡", "mmcblk0"),
        ("the dvd", "sr0"), ("光盘", "sr0"), ("the sandisk", "sdb1"), ("/dev/sdb", "sdb1"), ("sda2", "sda2"),
    ],
)  # fmt: skip
def test_what_people_call_a_device(home: Path, said: str, meant: str) -> None:
    assert volumes.choose(said, World(), MACHINE, lambda v: bool(v.file_system), "holds nothing").name == meant


def test_words_mean_what_is_plugged_in_and_never_the_system(home: Path) -> None:
    everything = MACHINE[:5] + MACHINE[8:]
    assert volumes.choose("the usb stick", World(), everything).name == "sdb"
    assert volumes.choose("U盘", World(), everything, lambda v: bool(v.mounts)).name == "sdb1"
    with pytest.raises(Refused, match=r"could be any of 2: /dev/sdb .*; /dev/sdc "):
        volumes.choose("the usb stick", World(), MACHINE)
    with pytest.raises(Refused, match=r"any of 2: /dev/sdc1 .*/dev/sdc2"):
        volumes.choose("seagate", World(), MACHINE, lambda v: bool(v.file_system))
    with pytest.raises(NotPossible, match="no USB stick is plugged in"):
        volumes.choose("the usb stick", World(), MACHINE[:3])
    with pytest.raises(NotFound) as none:
        volumes.choose("HOLIDAY", World(), MACHINE)
    assert "/dev/sdb1 (KINGSTON, " in none.value.hint
    for wrong in ("/dev/sdz9", "/dev/../dev/sdz9", "-rf", "a'b\n"):
        with pytest.raises(NotFound):
            volumes.choose(wrong, World(), MACHINE)
    with pytest.raises(Refused, match="holds nothing"):
        volumes.choose("sdb", World(), [MACHINE[3]], lambda v: bool(v.file_system), "holds nothing")


@pytest.fixture
def machine(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[Volume]:
    """The disks of MACHINE, which are really there as far as looking goes, and no disk service."""
    found = list(MACHINE)
    monkeypatch.setattr(volumes, "volumes", lambda: found)
    monkeypatch.setattr(volumes, "identity", lambda node: "1:1")
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={home}/none")
    return found


def test_the_system_and_what_is_mounted_is_never_formatted(machine: list[Volume]) -> None:
    for device in ("sda", "sda1", "sda2", "Windows"):
        with pytest.raises(Refused, match="this system runs from"):
            look("device.format", device=device)
    for device in ("sdb1", "sdb", "KINGSTON"):
        with pytest.raises(Refused, match="mounted on /media/me/KINGSTON"):
            look("device.format", device=device)
    machine.append(volume("sdd", "disk", file_system="LVM2_member"))
    with pytest.raises(Refused, match="part of something bigger"):
        look("device.format", device="sdd")
    machine.append(volume("sde", "disk", read_only=True))
    with pytest.raises(Refused, match="write-protected"):
        look("device.format", device="sde")
    with pytest.raises(Refused, match="has 2 partitions"):
        look("device.format", device="seagate")


@pytest.mark.skipif(not ROOT or shutil.which("mkfs.ext4") is None, reason="needs root and mkfs.ext4")
def test_the_whole_disk_is_formatted_only_when_it_is_named(machine: list[Volume]) -> None:
    machine[4] = volume("sdb1", file_system="ext4", label="KINGSTON", transport="usb")
    del machine[5:9]  # the others are pulled out
    for said, node in (("the usb stick", "/dev/sdb1"), ("sdb", "/dev/sdb"), ("KINGSTON", "/dev/sdb1")):
        (step,) = look("device.format", device=said)
        assert [e.target for e in step.effects() if e.kind == "dev.format"] == [node]
        assert step.inverse() is None and step.no_undo()


def test_a_stick_is_formatted_as_it_was(machine: list[Volume], monkeypatch: pytest.MonkeyPatch) -> None:
    """Who says no file system wants an empty stick that its camera, television or other machine reads as before."""
    monkeypatch.setattr("nlsh.actions.device._storage.has_service", lambda: True)

    def made(said: str, **more: Any) -> str:
        (step,) = look("device.format", device=said, **more)
        assert f"make a new {step.file_system} file system" in step.describe()
        return str(step.file_system)

    machine[4] = volume("sdb1", file_system="vfat", label="KINGSTON", external=True, transport="usb")
    assert (made("KINGSTON"), made("sdb"), made("KINGSTON", format="ntfs")) == ("vfat", "vfat", "ntfs")
    assert (made("sdc1"), made("sdc"), made("mmcblk0")) == ("ext4", "ext4", "exfat")
    for now, new in (("", "exfat"), ("crypto_LUKS", "exfat"), ("hfsplus", "exfat"), ("ext3", "ext4"), ("ntfs", "ntfs"), ("msdos", "vfat")):
        machine[4] = volume("sdb1", file_system=now, part_label="stick", external=True, transport="usb")
        assert made("sdb1") == new
    machine[4] = volume("sdb1", file_system="vfat", removable=True)
    machine[6] = volume("sdc1", file_system="ntfs", external=True)
    assert made("sdc") == "exfat"  # of two kinds, neither is what it was
    machine.append(volume("nvme0n1", "disk"))
    assert made("nvme0n1") == "ext4"


def test_a_folder_that_cannot_be_chosen_does_not_keep_it_from_being_mounted(machine: list[Volume], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nlsh.actions.device._storage.need_service", lambda what: None)
    unit = registry.get("device.mount")
    for to, notes in ((None, 0), ("/mnt/my stick", 1)):
        args = unit.Args.bind("device.mount", {"device": "sdc1", **({"to": to} if to else {})})
        seen = unit.look(args, World())
        (step,) = unit.steps(args, seen)
        assert step.describe().startswith("mount /dev/sdc1") and len(unit.notes(args, seen)) == notes
    assert "will not be on /mnt/my stick" in unit.notes(args, seen)[0] and "sudo mount /dev/sdc1 '/mnt/my stick'" in unit.notes(args, seen)[0]


def test_without_the_disk_service_it_is_said(machine: list[Volume], monkeypatch: pytest.MonkeyPatch) -> None:
    for action, device in (("mount", "sdc1"), ("unmount", "KINGSTON"), ("eject", "sdb")):
        with pytest.raises(NotPossible, match=r"UDisks|message bus"):
            look(f"device.{action}", device=device)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for action, more in (("format", {}), ("label", {"to": "X"})):
        with pytest.raises(NotPossible, match="run nlsh with sudo"):
            look(f"device.{action}", device="sdc1", **more)


def test_mounting_what_is_mounted_and_the_reverse_is_refused(machine: list[Volume]) -> None:
    with pytest.raises(Refused, match="mounted already"):
        look("device.mount", device="KINGSTON")
    with pytest.raises(Refused, match="is not mounted"):
        look("device.unmount", device="sdc1")
    with pytest.raises(Refused, match="this system runs from"):
        look("device.unmount", device="/")
    with pytest.raises(Refused, match="could be ejected"):
        look("device.eject")


def test_partitions_of_one_disk(machine: list[Volume]) -> None:
    unit = registry.get("device.partitions")

    def rows(**written: Any) -> list[Any]:
        args = unit.Args.bind("device.partitions", written)
        return list(unit.observe(args, json.loads(json.dumps(unit.look(args, World()))), World()))

    assert [r.name for r in rows(device="sdc2")] == ["sdc1", "sdc2"]
    (one,) = rows(device="the sd card")
    assert (one.name, one.disk, one.file_system, one.label) == ("mmcblk0", "mmcblk0", "exfat", "CARD")
    assert [r.name for r in rows()] == ["sda1", "sda2", "sdb1", "sdc1", "sdc2", "mmcblk0", "sr0"]


# --- loop devices: real file systems ----------------------------------------------------------------------------------


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[str]:
    """A real block device of 16 MB with an ext4 file system called OLD."""
    if not ROOT or shutil.which("mkfs.ext4") is None or shutil.which("losetup") is None:
        pytest.skip("needs root, losetup and mkfs.ext4")
    image = tmp_path / "stick.img"
    with open(image, "wb") as file:
        file.truncate(16 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-L", "OLD", image], check=True)
    made = subprocess.run(["losetup", "--find", "--show", image], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no loop devices here: {made.stderr.strip()}")
    node = made.stdout.strip()
    try:
        yield node
    finally:
        while os.path.ismount(tmp_path / "mnt"):
            subprocess.run(["umount", tmp_path / "mnt"], check=True)
        subprocess.run(["losetup", "--detach", node], check=True)


def label(node: str) -> str:
    return subprocess.run(["e2label", node], capture_output=True, text=True, check=True).stdout.strip()


def test_a_label_is_set_by_a_confined_tool_and_taken_back(scene: Scene, loop: str) -> None:
    played = done(scene.play(f'device.label("{loop}", to="NEW")'))
    assert played.preview is not None and "OLD" in played.preview.calls[0].steps[0].describe()
    assert label(loop) == "NEW"
    done(scene.play("history.undo()"))
    assert label(loop) == "OLD"


def test_a_label_that_cannot_be_is_refused(home: Path, loop: str) -> None:
    for name, why in (("x" * 17, "at most 16 bytes"), ("OLD", "already"), ("-f", "dash")):
        with pytest.raises(Refused, match=why):
            look("device.label", device=loop, to=name)
    assert label(loop) == "OLD"


def test_formatting_is_denied_until_the_user_lifts_it(scene: Scene, loop: str, tmp_path: Path) -> None:
    plan = f'device.format("{loop}")'
    denied = scene.play(plan).error
    assert denied is not None and denied.code == "guard.denied" and "dev.format" in denied.message
    assert label(loop) == "OLD"
    from nlsh.guard.policy import load

    config = Path(os.environ["XDG_CONFIG_HOME"]) / "nlsh"
    config.mkdir(parents=True)
    (config / "policy.toml").write_text(f'[[rule]]\nname = "my-stick"\neffect = ["dev.format"]\ntarget = ["{loop}"]\nanswer = "ask"\n')
    assert scene.kernel is not None
    scene.kernel.policy = load()
    played = done(scene.play(plan))
    assert played.preview is not None and played.preview.calls[0].no_undo
    assert label(loop) == ""
    assert [v.file_system for v in volumes.volumes() if v.node == loop] == ["ext4"]


def test_what_was_mounted_or_exchanged_meanwhile_is_left_alone(scene: Scene, loop: str, tmp_path: Path) -> None:
    (step,) = look("device.label", device=loop, to="NEW")
    assert step_from_data(json.loads(json.dumps(step.as_data()))) == step
    (tmp_path / "mnt").mkdir()
    subprocess.run(["mount", loop, tmp_path / "mnt"], check=True)
    with pytest.raises(StaleStep, match="is mounted on"):
        step.check()
    with pytest.raises(Refused, match="is mounted on"):
        look("device.label", device=loop, to="NEW")
    subprocess.run(["umount", tmp_path / "mnt"], check=True)
    step.check()
    subprocess.run(["losetup", "--detach", loop], check=True)
    # It is let go of once nothing has it open any more: what looks at new file systems may, for a moment.
    backing = Path("/sys/block", Path(loop).name, "loop/backing_file")
    for _ in range(200):
        if not backing.exists():
            break
        time.sleep(0.05)
    other = tmp_path / "other.img"
    other.write_bytes(bytes(16 << 20))
    subprocess.run(["losetup", loop, other], check=True)
    with pytest.raises(StaleStep, match="not the device any more"):
        step.check()


# --- the disk service, Bluetooth and the login service, on a bus of these tests' own ------------------------------------


SERVICES: list[Service] = []


class Service:
    """A service on a message bus, run by a thread: `methods` by name, and the objects it manages."""

    def __init__(self, address: str, name: str) -> None:
        from jeepney.io.blocking import open_dbus_connection

        self.objects: dict[str, dict[str, dict[str, tuple[str, Any]]]] = {}
        self.methods: dict[str, Callable[..., tuple[str, tuple[Any, ...]]]] = {"GetManagedObjects": lambda path: ("a{oa{sa{sv}}}", (self.objects,))}
        self.calls: list[tuple[Any, ...]] = []
        self._connection = open_dbus_connection(address)
        from jeepney.bus_messages import message_bus
        from jeepney.wrappers import unwrap_msg

        unwrap_msg(self._connection.send_and_get_reply(message_bus.RequestName(name)))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        SERVICES.append(self)

    def _serve(self) -> None:
        from jeepney import HeaderFields, MessageType, new_error, new_method_return

        while True:
            try:
                message = self._connection.receive()
            except (OSError, EOFError):
                self._connection.close()
                return
            if message.header.message_type is not MessageType.method_call:
                continue
            fields = message.header.fields
            method, path = fields[HeaderFields.member], fields[HeaderFields.path]
            self.calls.append((method, path, *message.body))
            try:
                signature, body = self.methods[method](path, *message.body)
                self._connection.send(new_method_return(message, signature or None, body))
            except Exception as error:
                name = getattr(error, "name", "org.example.Error.Failed")
                self._connection.send(new_error(message, name, "s", (str(error),)))


@pytest.fixture
def bus(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if shutil.which("dbus-daemon") is None:
        pytest.skip("needs dbus-daemon")
    pytest.importorskip("jeepney")
    address = f"unix:path={tmp_path}/bus"
    daemon = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--nopidfile", "--nosyslog", f"--address={address}", "--print-address=1"], stdout=subprocess.PIPE, text=True
    )
    assert daemon.stdout is not None and daemon.stdout.readline().startswith("unix:path=")
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
    yield address
    daemon.kill()
    daemon.communicate()
    while SERVICES:  # they end with their bus
        SERVICES.pop().thread.join()


class DiskError(Exception):
    name = "org.freedesktop.UDisks2.Error.DeviceBusy"


@pytest.fixture
def disks(bus: str, loop: str, tmp_path: Path) -> Iterator[Service]:
    """A disk service that really mounts the loop device, and holds it to be on a drive that can be switched off."""
    service = Service(bus, udisks.SERVICE)
    place = tmp_path / "mnt"
    place.mkdir()

    def mount(path: str, options: dict[str, Any]) -> tuple[str, tuple[Any, ...]]:
        how = ["-o", options["options"][1]] if "options" in options else []
        subprocess.run(["mount", *how, loop, place], check=True)
        return "s", (str(place),)

    def unmount(path: str, options: Any) -> tuple[str, tuple[Any, ...]]:
        if subprocess.run(["umount", place], stderr=subprocess.DEVNULL, check=False).returncode:
            raise DiskError("target is busy")
        return "", ()

    def set_label(path: str, name: str, options: Any) -> tuple[str, tuple[Any, ...]]:
        subprocess.run(["e2label", loop, name], check=True)
        return "", ()

    def make(path: str, kind: str, options: Any) -> tuple[str, tuple[Any, ...]]:
        subprocess.run([f"mkfs.{kind}", "-q", "-F", loop], check=True)
        return "", ()

    service.methods.update(Mount=mount, Unmount=unmount, SetLabel=set_label, Format=make, PowerOff=lambda path, options: ("", ()))
    drive = f"{udisks.ROOT}/drives/stick"
    service.objects = {
        f"{udisks.ROOT}/block_devices/stick": {
            udisks.BLOCK: {"Device": ("ay", loop.encode() + b"\0"), "Drive": ("o", drive)},
            udisks.FILE_SYSTEM: {},
        },
        drive: {udisks.DRIVE: {"Ejectable": ("b", False), "CanPowerOff": ("b", True), "Vendor": ("s", "Kingston"), "Model": ("s", "Stick")}},
    }
    yield service


def test_mount_and_its_undo_by_the_disk_service(scene: Scene, disks: Service, loop: str, tmp_path: Path) -> None:
    (change,) = [r for r in done(scene.play(f'device.mount("{loop}")')).records if getattr(r, "path", "")]
    assert change.path == str(tmp_path / "mnt")  # type: ignore[attr-defined]
    assert os.path.ismount(tmp_path / "mnt")
    done(scene.play("history.undo()"))
    assert not os.path.ismount(tmp_path / "mnt")
    done(scene.play("history.undo(run=2)"))
    assert os.path.ismount(tmp_path / "mnt")


def test_a_folder_to_mount_on_is_the_services_to_choose(scene: Scene, disks: Service, loop: str) -> None:
    preview = scene.kernel.preview(registry.parse(f'device.mount("{loop}", to="/mnt")'))  # type: ignore[union-attr]
    assert any("will not be on /mnt" in note for note in preview.calls[0].notes)
    (change,) = [r for r in done(scene.play(f'device.mount("{loop}", to="/mnt")')).records if getattr(r, "path", "")]
    assert os.path.ismount(change.path) and change.path != "/mnt"
    done(scene.play("history.undo()"))
    assert not os.path.ismount(change.path)


def test_unmount_by_the_folder_and_back_read_only(scene: Scene, disks: Service, loop: str, tmp_path: Path) -> None:
    place = tmp_path / "mnt"
    subprocess.run(["mount", "-o", "ro", loop, place], check=True)
    done(scene.play(f'device.unmount("{place}")'))
    assert not os.path.ismount(place)
    done(scene.play("history.undo()"))
    assert os.statvfs(place).f_flag & os.ST_RDONLY


def test_what_is_in_use_is_said(scene: Scene, disks: Service, loop: str, tmp_path: Path) -> None:
    subprocess.run(["mount", loop, tmp_path / "mnt"], check=True)
    with open(tmp_path / "mnt/open", "w"):
        failed = scene.play(f'device.unmount("{loop}")').error
        assert failed is not None and failed.code == "world.not-possible" and "in use" in failed.message
    assert os.path.ismount(tmp_path / "mnt")


def test_eject_unmounts_first_and_is_final(scene: Scene, disks: Service, loop: str, tmp_path: Path) -> None:
    subprocess.run(["mount", loop, tmp_path / "mnt"], check=True)
    played = done(scene.play(f'device.eject("{loop}")'))
    assert played.preview is not None and played.preview.calls[0].no_undo == "it has to be put in again by hand"
    assert not os.path.ismount(tmp_path / "mnt")
    assert [c[0] for c in disks.calls if c[0] != "GetManagedObjects"] == ["Unmount", "PowerOff"]


def test_eject_of_what_is_built_in_is_refused(disks: Service, loop: str) -> None:
    disks.objects[f"{udisks.ROOT}/drives/stick"][udisks.DRIVE]["CanPowerOff"] = ("b", False)
    with pytest.raises(Refused, match="built in"):
        look("device.eject", device=loop)


def test_label_by_the_disk_service(scene: Scene, disks: Service, loop: str) -> None:
    done(scene.play(f'device.label("{loop}", to="-NEW")'))
    assert label(loop) == "-NEW"
    done(scene.play("history.undo()"))
    assert label(loop) == "OLD"


def test_format_by_the_disk_service_is_denied_too(scene: Scene, disks: Service, loop: str) -> None:
    denied = scene.play(f'device.format("{loop}")').error
    assert denied is not None and denied.code == "guard.denied"
    (step,) = look("device.format", device=loop)
    step.check()
    step.apply()
    assert label(loop) == ""


def test_health_by_the_disk_service(scene: Scene, disks: Service, loop: str) -> None:
    from nlsh.steps import handles
    from nlsh.world.bus import Bus

    drive = disks.objects[f"{udisks.ROOT}/drives/stick"]
    drive["org.freedesktop.UDisks2.Drive.Ata"] = {
        "SmartUpdated": ("t", 1), "SmartFailing": ("b", True), "SmartTemperature": ("d", 313.15), "SmartPowerOnSeconds": ("t", 7200),
        "SmartNumBadSectors": ("x", 3),
    }  # fmt: skip
    with Bus(handles.bus("system")) as asked:
        (told,) = udisks.health(asked).values()
    assert told == DiskHealth(loop[5:], "failing", "Kingston Stick", 40.0, 2, None, "3 bad sectors", "SMART, by UDisks")
    drive.pop("org.freedesktop.UDisks2.Drive.Ata")
    drive["org.freedesktop.UDisks2.NVMe.Controller"] = {"SmartUpdated": ("t", 1), "SmartCriticalWarning": ("as", ["spare"]), "SmartTemperature": ("q", 300)}
    with Bus(handles.bus("system")) as asked:
        (told,) = udisks.health(asked).values()
    assert (told.health, told.detail, told.temperature_celsius) == ("failing", "spare", 26.9)


def test_bluetooth(scene: Scene, bus: str) -> None:
    assert scene.play("device.bluetooth()").error.code == "world.not-possible"  # type: ignore[union-attr]
    service = Service(bus, "org.bluez")
    assert scene.play("device.bluetooth()").error.message.startswith("Not available here, because this machine has no Bluetooth adapter")  # type: ignore[union-attr]
    device = {"Address": ("s", "00:11"), "Alias": ("s", "Köpfhörer"), "Icon": ("s", "audio-headset"), "Paired": ("b", True), "Connected": ("b", True)}
    service.objects = {
        "/org/bluez/hci0": {"org.bluez.Adapter1": {"Powered": ("b", False)}},
        "/org/bluez/hci0/a": {"org.bluez.Device1": {"Address": ("s", "00:22"), "Paired": ("b", True)}},
        "/org/bluez/hci0/b": {"org.bluez.Device1": device, "org.bluez.Battery1": {"Percentage": ("y", 70)}},
    }
    played = done(scene.play("device.bluetooth()"))
    first, second = played.records
    assert (first.name, first.address, first.kind, first.connected, first.battery_percent) == ("Köpfhörer", "00:11", "audio-headset", True, 70)  # type: ignore[attr-defined]
    assert (second.name, second.connected, second.battery_percent) == ("00:22", False, None)  # type: ignore[attr-defined]
    assert "switched off" in played.outcome.records[-1].text  # type: ignore[union-attr]


# --- screens ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(screens, "SYS", str(tmp_path))
    write(tmp_path / "class/backlight/acpi_video0", type="firmware", max_brightness="10", brightness="5")
    write(tmp_path / "class/backlight/intel", type="raw", max_brightness="1000", brightness="500")
    return tmp_path / "class/backlight/acpi_video0/brightness"


def test_brightness_and_its_inverse(screen: Path, home: Path) -> None:
    (step,) = look("device.brightness", level="80%")
    assert isinstance(step, SetBrightness) and not step.by_service
    step.check()
    step.apply()
    assert screen.read_text().startswith("8") and step.state() == "done"
    back = step.inverse()
    assert back is not None
    back.check()
    back.apply()
    assert screen.read_text().startswith("5") and step.state() == "undone"
    screen.write_text("7\n")
    with pytest.raises(StaleStep):
        step.check()


@pytest.mark.parametrize(("now", "said", "after"), [("5", "up", 6), ("5", "down", 4), ("10", "down", 9), ("2", "down", 1)])
def test_brightness_goes_in_steps(screen: Path, home: Path, now: str, said: str, after: int) -> None:
    screen.write_text(now)
    (step,) = look("device.brightness", change=said)
    assert isinstance(step, SetBrightness) and step.after == after


def test_brightness_never_goes_dark_or_beyond(screen: Path, home: Path) -> None:
    for now, said in (("1", "down"), ("10", "up")):
        screen.write_text(now)
        with pytest.raises(Refused, match="already"):
            look("device.brightness", change=said)
    (step,) = look("device.brightness", level="1%")
    assert isinstance(step, SetBrightness) and step.after == 1
    with pytest.raises(BadArgument):
        look("device.brightness", level="1%", change="up")


def test_brightness_in_a_confined_worker(screen: Path, scene: Scene) -> None:
    """The kernel of a scene looks here, and its worker writes the one file it was granted."""
    preview = scene.kernel.preview(registry.parse('device.brightness(level="80%")'))  # type: ignore[union-attr]
    assert [e.kind for e in preview.effects] == ["dev.control", "dev.read"]
    # The worker knows the step's own path; where the screens are is not looked up again.
    outcome = scene.kernel.run(preview)  # type: ignore[union-attr]
    assert outcome.status == "done", outcome.errors
    assert screen.read_text().startswith("8")


def test_brightness_by_the_login_service_for_those_without_rights(screen: Path, scene: Scene, bus: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(NotPossible, match="login service"):
        look("device.brightness", level="80%")
    login = Service(bus, "org.freedesktop.login1")

    def set_brightness(path: str, kind: str, name: str, value: int) -> tuple[str, tuple[Any, ...]]:
        screen.write_text(f"{value}\n")
        return "", ()

    login.methods["SetBrightness"] = set_brightness
    preview = scene.kernel.preview(registry.parse('device.brightness(level="80%")'))  # type: ignore[union-attr]
    assert [e.kind for e in preview.effects] == ["bus.call", "dev.read"]
    (step,) = preview.calls[0].steps
    step.apply()
    assert login.calls == [("SetBrightness", "/org/freedesktop/login1/session/auto", "backlight", "acpi_video0", 8)]


def test_no_screen_is_said(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screens, "SYS", str(tmp_path))
    with pytest.raises(NotPossible, match="no screen"):
        look("device.brightness", level="50%")


# --- sound ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def sound(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A real sound server with an output that goes nowhere."""
    program = shutil.which("pulseaudio")
    if program is None:
        pytest.skip("needs pulseaudio")
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    path = f"{runtime}/native"
    monkeypatch.setenv("PULSE_SERVER", f"unix:{path}")
    env = {**os.environ, "PULSE_RUNTIME_PATH": str(runtime), "PULSE_STATE_PATH": str(runtime), "HOME": str(runtime)}
    loads = ["--load=module-null-sink sink_name=nowhere", f"--load=module-native-protocol-unix socket={path}"]
    options = ["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes", "--log-target=stderr"]
    server = subprocess.Popen([program, *options, *loads], env=env, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        wait_for(lambda: os.path.exists(path), server)
        yield path
    finally:
        server.terminate()
        server.communicate(timeout=10)


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    for _ in range(1000):
        if condition():
            return
        try:
            process.wait(0.01)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"it ended: {process.communicate()[1]}")
    raise AssertionError("it did not come up")


def output(path: str) -> pulse.Output:
    from nlsh.steps._sockets import opened

    with opened(path, pulse.Pulse, "the sound server") as server:
        return server.output()


def test_volume_and_mute_of_a_real_sound_server(scene: Scene, sound: str) -> None:
    start = output(sound)
    assert start == pulse.Output("nowhere", start.description, (FULL, FULL), False)
    done(scene.play('device.volume(level="40%")'))
    assert output(sound).percent == 40
    done(scene.play('device.volume(change="up")'))
    assert output(sound).percent == 50
    done(scene.play("device.volume(mute=true)"))
    assert output(sound).muted
    done(scene.play("history.undo()"))
    assert not output(sound).muted
    assert scene.play("device.volume(unmute=true)").error.code == "action.refused"  # type: ignore[union-attr]
    done(scene.play('device.volume(change="down")'))
    assert output(sound).percent == 40
    done(scene.play("history.undo()"))
    assert output(sound).percent == 50


@pytest.mark.parametrize(
    ("now", "muted", "written", "after", "silent", "words"),
    [
        (30, True, {"change": "up"}, 40, False, "and unmute it"),
        (30, True, {"level": "50%"}, 50, False, "and unmute it"),
        (30, True, {"level": "30%"}, 30, False, "unmute the sound"),
        (100, True, {"change": "up"}, 100, False, "unmute the sound"),
        (30, True, {"change": "down"}, 20, True, "which stays muted"),
        (0, True, {"unmute": True}, 10, False, "and unmute it"),
        (0, False, {"unmute": True}, 10, False, "from 0% to 10%"),
        (30, True, {"unmute": True}, 30, False, "unmute the sound"),
        (30, False, {"mute": True}, 30, True, "mute the sound"),
        (30, False, {"unmute": True}, None, False, ""),
        (30, True, {"mute": True}, None, False, ""),
    ],
)
def test_what_is_made_louder_is_heard(
    monkeypatch: pytest.MonkeyPatch, now: int, muted: bool, written: dict[str, Any], after: int | None, silent: bool, words: str
) -> None:
    class Server:
        def output(self) -> pulse.Output:
            return pulse.Output("speakers", "Speakers", (round(FULL * now / 100),) * 2, muted)

    monkeypatch.setattr(pulse, "socket_path", lambda: "/run/native")
    monkeypatch.setattr("nlsh.actions.device.volume.opened", lambda *_: nullcontext(Server()))
    if after is None:
        with pytest.raises(Refused, match="already"):
            look("device.volume", **written)
        return
    (step,) = look("device.volume", **written)
    assert isinstance(step, SetVolume) and step.muted_after is silent and words in step.describe()
    assert step.after == (round(FULL * after / 100),) * 2
    back = step.inverse()
    assert isinstance(back, SetVolume) and (back.after, back.muted_after) == (step.before, muted)


def test_volume_keeps_the_balance_and_comes_back_exactly(scene: Scene, sound: str) -> None:
    from nlsh.steps._sockets import opened

    uneven = (30_001, 15_003)
    with opened(sound, pulse.Pulse, "the sound server") as server:
        server.set_volumes("nowhere", uneven)
        with pytest.raises(pulse.PulseError, match="no sound output"):
            server.output("elsewhere")
    (step,) = look("device.volume", level="100%")
    assert isinstance(step, SetVolume) and step.after == (FULL, round(15_003 * FULL / 30_001))
    step.check()
    step.apply()
    back = step.inverse()
    assert back is not None
    back.check()
    back.apply()
    assert output(sound).volumes == uneven
    with pytest.raises(StaleStep):
        back.check()


class NoSound(socketserver.BaseRequestHandler):
    answers = b""

    def handle(self) -> None:
        self.request.recv(1000)
        self.request.sendall(self.answers)


@pytest.mark.parametrize(
    "answers",
    [b"", b"HTTP/1.1 400 Bad Request\r\n\r\nxxxxxxxxxx", struct.pack(">5I", 3, 0xFFFFFFFF, 0, 0, 0) + b"Lab", struct.pack(">5I", 0, 0xFFFFFFFF, 0, 0, 0)],
)
def test_what_is_no_sound_server_is_said(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: bytes) -> None:
    path = f"{tmp_path}/native"
    monkeypatch.setenv("PULSE_SERVER", path)
    handler = type("Handler", (NoSound,), {"answers": answers})
    with socketserver.UnixStreamServer(path, handler) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        with pytest.raises(NotPossible, match="sound server"):
            look("device.volume", level="50%")


def test_no_sound_server_is_said(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("PULSE_SERVER", raising=False)
    monkeypatch.delenv("PULSE_RUNTIME_PATH", raising=False)
    if os.path.exists("/run/pulse/native"):
        pytest.skip("a sound server for the whole system runs here")
    with pytest.raises(NotPossible, match="no sound server"):
        look("device.volume", mute=True)
    for written in ({"level": "50%", "change": "up"}, {"mute": True, "unmute": True}, {"mute": False}):
        with pytest.raises(BadArgument):
            look("device.volume", **written)


# --- printers -------------------------------------------------------------------------------------------------------------


def ipp(status: int, *groups: list[tuple[int, str, bytes]]) -> bytes:
    body = struct.pack(">BBHI", 2, 0, status, 1) + b"\x01" + struct.pack(">BH18sH5s", 0x47, 18, b"attributes-charset", 5, b"utf-8")
    for group in groups:
        body += b"\x04"
        for tag, name, value in group:
            body += struct.pack(f">BH{len(name)}sH{len(value)}s", tag, len(name), name.encode(), len(value), value)
    return body + b"\x03"


class Cups(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answers: dict[int, bytes]

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.headers["Content-Type"] == "application/ipp" and asked.endswith(b"\x03")
        body = self.answers[struct.unpack_from(">H", asked, 2)[0]]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def cups(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[int, bytes]]:
    path = f"{tmp_path}/cups.sock"
    monkeypatch.setenv("CUPS_SERVER", path)
    answers: dict[int, bytes] = {}
    handler = type("Handler", (Cups,), {"answers": answers})
    with socketserver.ThreadingUnixStreamServer(path, handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield answers
        server.shutdown()
        thread.join()


def test_printers(scene: Scene, cups: dict[int, bytes]) -> None:
    office = [
        (0x42, "printer-name", b"office"), (0x41, "printer-info", "Büro".encode()), (0x23, "printer-state", struct.pack(">i", 4)),
        (0x44, "printer-state-reasons", b"toner-low"), (0x44, "", b"media-low"), (0x21, "queued-job-count", struct.pack(">i", 2)),
        (0x22, "printer-is-accepting-jobs", b"\x00"),
    ]  # fmt: skip
    home = [(0x42, "printer-name", b"home"), (0x23, "printer-state", struct.pack(">i", 3)), (0x44, "printer-state-reasons", b"none")]
    cups.update({0x4001: ipp(0, office[:1]), 0x4002: ipp(0, office, home)})
    assert done(scene.play("device.printer()")).records == (
        Printer("office", "printing", "Büro", 2, False, True, "toner-low, media-low"),
        Printer("home", "idle", "", 0, True, False, ""),
    )


def test_no_printer_and_no_sense(scene: Scene, cups: dict[int, bytes]) -> None:
    cups.update({0x4001: ipp(0x0406), 0x4002: ipp(0x0406)})
    assert done(scene.play("device.printer()")).records == ()
    for wrong in (ipp(0x0403), b"\x02\x00\x00", ipp(0, [(0x42, "printer-name", b"x")])[:-4]):
        cups[0x4002] = wrong
        failed = scene.play("device.printer()").error
        assert failed is not None and failed.code == "world.not-possible", failed


def test_no_print_service_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUPS_SERVER", raising=False)
    monkeypatch.setattr(printers, "_PLACES", ("/nowhere/cups.sock",))
    with pytest.raises(NotPossible, match="CUPS does not run"):
        printers.socket_path()


# --- health ---------------------------------------------------------------------------------------------------------------


def test_health_of_this_machines_disks(scene: Scene) -> None:
    played = scene.play("device.health()")
    if played.error is not None and played.error.code == "world.not-possible":
        pytest.skip("this machine has no disk of its own")
    assert all(r.health in ("healthy", "failing", "unknown") for r in done(played).records)  # type: ignore[attr-defined]
