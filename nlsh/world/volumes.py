"""Disks, partitions and the file systems on them, and which of them people mean: /dev/sdb1, sdb1, a label, "the usb stick"."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from nlsh.plan.errors import NotFound, NotPossible, Refused
from nlsh.plan.frozen import frozen
from nlsh.world import World, tools
from nlsh.world.machine import amount

_NOTHING = "Nothing was changed."
_COLUMNS = "KNAME,TYPE,SIZE,FSTYPE,LABEL,PARTLABEL,UUID,MAJ:MIN,RM,HOTPLUG,TRAN,VENDOR,MODEL,RO"
# What runs from there cannot be spared. A partition beside one of these is not touched either.
_SYSTEM_PLACES = frozenset({"/", "/boot", "/boot/efi", "/efi", "/usr", "/var", "/home", "/etc", "/opt", "/srv", "/nix", "/gnu", "swap"})
_WORDS = (
    ("disc", re.compile(r"(?<![a-z])(cd|cd-?rom|dvd|blu-?ray|disc)s?(?![a-z])|光盘|光驱"), "disc"),
    ("card", re.compile(r"(?<![a-z])(card|(micro|mini)?[ -]?sd)(?![a-z])|sd卡|存储卡|内存卡|tf卡"), "memory card"),
    ("usb", re.compile(r"(?<![a-z])(usb|stick|thumb|flash|pen ?drive|key)(?![a-z])|u盘|优盘|闪存"), "USB stick"),
    ("external", re.compile(r"(?<![a-z])(external|portable|removable)(?![a-z])|移动|外接|外置|插着"), "external drive"),
)
_BEFORE = re.compile(r"^(the|my|our|your|this|that|a|an)\s+|^(我的|那个|这个|那块|这块)", re.I)
_AFTER = re.compile(r"\s*(drive|disk|stick|card|volume|partition|device|usb|硬盘|盘|卡|分区)$", re.I)


@frozen()
class Volume:
    """A disk, a partition or what is made of them. `disk` is the disk it is on (itself for a disk); `system`: what runs now needs that disk.

    `made_of` are the nodes right below it: the partitions of a disk, what is decrypted from a partition.
    """

    node: str
    kind: str
    size_bytes: int
    disk: str
    file_system: str = ""
    label: str = ""
    part_label: str = ""
    uuid: str = ""
    mounts: tuple[str, ...] = ()
    removable: bool = False
    external: bool = False
    transport: str = ""
    model: str = ""
    read_only: bool = False
    system: bool = False
    made_of: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Return the node without /dev/."""
        return os.path.basename(self.node)

    def shown(self) -> str:
        """Return what a person knows it by."""
        facts = (self.label, self.model, self.file_system, amount(self.size_bytes), f"mounted on {', '.join(self.mounts)}" if self.mounts else "")
        return f"{self.node} ({', '.join(f for f in facts if f)})"


def volumes() -> list[Volume]:
    """Return every disk of this machine, each followed by what is on it. Raises NotPossible where there is no lsblk."""
    argv = (tools.find("lsblk", why="see which disks there are", install="util-linux"), "--json", "--bytes", "--paths", "--output", _COLUMNS)
    mounted = _mounted()
    # lsblk knows what is on a device from the device manager. Where there is none (in a container), root can look.
    probes = os.geteuid() == 0 and not os.path.isdir("/run/udev/data") and tools.present("blkid") is not None
    found: dict[str, Volume] = {}
    for top in json.loads(tools.output(argv, ok=(0, 32, 64), seconds=20) or '{"blockdevices": []}')["blockdevices"]:
        size = int(top.get("size") or 0)
        if not size and re.match(r"/dev/(loop|ram|zram|nbd)", top["kname"]):
            continue  # a free slot, not a device
        rows = list(_rows(top))
        if probes:
            for row, _ in rows:
                row.update(_probed(row["kname"]))
        system = any(p in _SYSTEM_PLACES for row, _ in rows for p in _places(row, mounted))
        for row, parent in rows:
            node = row["kname"]
            if node not in found:  # a mirror is below each of its disks
                found[node] = _volume(row, parent, top, mounted, system)
    return list(found.values())


def _rows(row: dict[str, Any], parent: dict[str, Any] | None = None) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    yield row, parent or row
    for child in row.get("children") or ():
        yield from _rows(child, row)


def _probed(node: str) -> dict[str, str]:
    """Return what is on a device, in lsblk's words, from the device itself."""
    words = {"TYPE": "fstype", "LABEL": "label", "UUID": "uuid", "PART_ENTRY_NAME": "partlabel"}
    # 2: nothing is on it, or nothing that is known; 4: the device cannot be read; 8: several things could be on it.
    said = tools.output((tools.find("blkid"), "--probe", "--output", "export", node), ok=(0, 2, 4, 8), seconds=10)
    pairs = (line.partition("=")[::2] for line in said.splitlines())
    return {words[key]: re.sub(r"\\(.)", r"\1", value) for key, value in pairs if key in words}


def _places(row: dict[str, Any], mounted: dict[str, list[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*mounted.get(row.get("maj:min") or "", ()), *mounted.get(row["kname"], ()))))


def _volume(row: dict[str, Any], parent: dict[str, Any], top: dict[str, Any], mounted: dict[str, list[str]], system: bool) -> Volume:
    def text(key: str, source: dict[str, Any] = row) -> str:
        return str(source.get(key) or "").strip()

    def true(key: str) -> bool:
        return top.get(key) in (True, "1", 1)

    node, kernel = row["kname"], os.path.basename(row["kname"])
    transport = text("tran", top)
    model = " ".join(p for p in (text("vendor", top), text("model", top)) if p and not p.startswith("0x")) or _backing(kernel)
    return Volume(
        node, row["type"], int(row.get("size") or 0), top["kname"], text("fstype"), text("label"), text("partlabel"), text("uuid"), _places(row, mounted),
        true("rm"), transport == "usb" or (true("hotplug") and row["type"] != "loop"), transport, model, row.get("ro") in (True, "1", 1), system,
        tuple(c["kname"] for c in row.get("children") or ()),
    )  # fmt: skip


def _backing(kernel: str) -> str:
    try:
        with open(f"/sys/block/{kernel}/loop/backing_file", encoding="utf-8", errors="surrogateescape") as file:
            return file.read().rstrip("\n")
    except OSError:
        return ""


def _mounted() -> dict[str, list[str]]:
    """Return where each device is mounted, by its number ("8:17") and by its node; swap space counts as mounted on "swap"."""
    found: dict[str, list[str]] = {}

    def unescaped(field: str) -> str:
        return re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), field)

    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            fields = line.split(" ")
            place, source = unescaped(fields[4]), unescaped(fields[fields.index("-") + 2])
            # btrfs and bcachefs have numbers of their own: there the source tells the device.
            for key in dict.fromkeys((fields[2], os.path.realpath(source) if source.startswith("/dev/") else "")):
                if key and place not in found.setdefault(key, []):
                    found[key].append(place)
    try:
        with open("/proc/swaps", encoding="utf-8", errors="surrogateescape") as file:
            for line in file.readlines()[1:]:
                found.setdefault(os.path.realpath(unescaped(line.split()[0])), []).append("swap")
    except OSError:
        pass
    return found


def mounts_of(node: str) -> tuple[str, ...]:
    """Return where a device is mounted now."""
    try:
        number = os.stat(node).st_rdev
    except OSError:
        return ()
    mounted = _mounted()
    return tuple(dict.fromkeys((*mounted.get(f"{os.major(number)}:{os.minor(number)}", ()), *mounted.get(os.path.realpath(node), ()))))


def identity(node: str) -> str:
    """Return what tells this device from another that gets the same name: its size and the number the kernel gave its disk. Empty: it is gone."""
    try:
        number = os.stat(node).st_rdev
        folder = os.path.realpath(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
        with open(f"{folder}/size", encoding="ascii") as file:
            size = file.read().strip()
    except OSError:
        return ""
    disk = os.path.dirname(folder) if os.path.exists(f"{folder}/partition") else folder
    try:
        with open(f"{disk}/diskseq", encoding="ascii") as file:
            return f"{size}:{file.read().strip()}"
    except OSError:
        return f"{size}:"


def choose(written: str, world: World, found: list[Volume], fits: Callable[[Volume], bool] = lambda v: True, lacking: str = "") -> Volume:
    """Return the one volume of `found` that `written` means and that `fits`; a disk stands for the only volume on it that does.

    `lacking` is what is said of a device that does not fit: "holds no file system". Raises NotFound, NotPossible where no such kind of device is
    plugged in, and Refused, naming them, where several could be meant.
    """
    named = _named(written, world, found)
    by_node = {v.node: v for v in found}
    meant = list(dict.fromkeys(w for v in named for w in _below(v, fits, by_node)))
    if not meant:
        raise Refused(f"{named[0].shown()} {lacking}.", hint=_NOTHING)
    if len(meant) > 1:
        listed = "; ".join(v.shown() for v in meant[:6])
        raise Refused(f"“{written}” could be any of {len(meant)}: {listed}.", hint=f"{_NOTHING} Say which, for example {meant[0].name}.")
    return meant[0]


def _below(volume: Volume, fits: Callable[[Volume], bool], by_node: dict[str, Volume]) -> Iterable[Volume]:
    if fits(volume):
        return (volume,)
    return [w for node in volume.made_of if node in by_node for w in _below(by_node[node], fits, by_node)]


def _named(written: str, world: World, found: list[Volume]) -> list[Volume]:
    for these in (_by_path(written, world, found), _by_name(written, found), _by_words(written, found), _by_model(written, found)):
        if these:
            return these
    near = "; ".join(v.shown() for v in found if v.kind != "loop")
    raise NotFound(f"There is no device “{written}” here.", hint=f"{_NOTHING} There is {near}." if near else _NOTHING)


def _by_path(written: str, world: World, found: list[Volume]) -> list[Volume]:
    text = written.strip()
    path = os.path.normpath(os.path.join(world.cwd, os.path.expanduser(text)))
    if text.startswith("/dev/"):
        node = os.path.realpath(path)
        if these := [v for v in found if v.node == node]:
            return these
        raise NotFound(f"There is no device {text} here.", hint=f"{_NOTHING} device.block() lists those there are.")
    if these := [v for v in found if path in v.mounts or os.path.realpath(path) in v.mounts]:
        return these
    if os.path.isfile(path):
        return [v for v in found if v.kind == "loop" and v.model == os.path.realpath(path)]
    return []


def _by_name(written: str, found: list[Volume]) -> list[Volume]:
    for text in dict.fromkeys((written.strip(), _BEFORE.sub("", written.strip()), _AFTER.sub("", _BEFORE.sub("", written.strip())))):
        for names in (lambda v: (v.name,), lambda v: (v.label, v.uuid), lambda v: (v.part_label,)):
            if these := [v for v in found if text and text.casefold() in (n.casefold() for n in names(v))]:
                return these
    return []


def _by_words(written: str, found: list[Volume]) -> list[Volume]:
    text = written.strip().lower()
    for kind, pattern, called in _WORDS:
        if pattern.search(text):
            these = [v for v in found if v.node == v.disk and not v.system and _is(v, kind)]
            if not these:
                raise NotPossible(f"Not available here, because no {called} is plugged in.", hint=f"{_NOTHING} device.block() lists the disks there are.")
            return these
    return []


def _is(disk: Volume, kind: str) -> bool:
    card = disk.name.startswith("mmcblk") or "card" in disk.model.lower()
    if kind == "disc":
        return disk.kind == "rom"
    if kind == "card":
        return card
    if kind == "usb":
        return disk.kind == "disk" and (disk.transport == "usb" or disk.removable) and not card
    return disk.kind == "disk" and (disk.external or disk.removable)


def _by_model(written: str, found: list[Volume]) -> list[Volume]:
    text = _BEFORE.sub("", written.strip()).casefold()
    return [v for v in found if v.node == v.disk and len(text) > 2 and text in v.model.casefold() and v.kind != "loop"]
