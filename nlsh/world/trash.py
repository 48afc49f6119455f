"""Where the trash is for a path, and what is in the trash: the freedesktop.org trash specification 1.0. Reads only; the step makes what is missing."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from nlsh import settings
from nlsh.plan.frozen import frozen
from nlsh.world.files import Identity, identity

# Of a .trashinfo: a path, each byte of it as three characters, and a date.
_MOST_INFO = 64 << 10
_NO_FILES = frozenset(
    b"proc sysfs devtmpfs devpts cgroup cgroup2 securityfs debugfs tracefs pstore bpf mqueue hugetlbfs configfs fusectl binfmt_misc efivarfs nsfs autofs "
    b"rpc_pipefs selinuxfs squashfs".split()
)


@frozen(slots=False)
class Bin:
    """A trash folder. `written` is the path as its .trashinfo gives it; `missing` are the folders to be made first, outermost first."""

    folder: str
    written: str
    missing: tuple[str, ...]
    same_device: bool


def bin_for(path: str) -> Bin:
    """Return the trash that `path` goes to: the home trash, or the one at the top of its own file system."""
    device = os.lstat(path).st_dev
    home = os.path.realpath(settings.trash_dir())
    if _device_of(home) == device:
        return Bin(home, path, _missing(home), True)
    top = _top_of(os.path.dirname(path), device)
    uid = os.getuid()
    for folder in (_shared(top, uid), os.path.join(top, f".Trash-{uid}")):
        if folder and _usable(folder, device):
            return Bin(folder, os.path.relpath(path, top), _missing(folder), True)
    return Bin(home, path, _missing(home), False)


def is_in_trash(path: str) -> bool:
    """Return whether `path` is a trash or something in one."""
    home = os.path.realpath(settings.trash_dir())
    own = f".Trash-{os.getuid()}"
    return path == home or path.startswith(home + "/") or own in path.split("/")


def _shared(top: str, uid: int) -> str:
    # Only a real folder with the sticky bit may be trusted with a folder of ours in it.
    shared = os.path.join(top, ".Trash")
    try:
        status = os.lstat(shared)
    except OSError:
        return ""
    return os.path.join(shared, str(uid)) if stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX else ""


def _usable(folder: str, device: int) -> bool:
    existing = _existing(folder)
    if os.path.lexists(folder):
        status = os.lstat(folder)
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            return False
    return os.stat(existing).st_dev == device and os.access(existing, os.W_OK | os.X_OK)


def _top_of(folder: str, device: int) -> str:
    while folder != "/":
        above = os.path.dirname(folder)
        if os.lstat(above).st_dev != device:
            return folder
        folder = above
    return folder


def _existing(path: str) -> str:
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def _device_of(folder: str) -> int:
    return os.stat(_existing(folder)).st_dev


def _missing(folder: str) -> tuple[str, ...]:
    wanted = [os.path.join(folder, "files"), os.path.join(folder, "info")]
    missing: list[str] = []
    for path in wanted:
        chain = []
        while not os.path.isdir(path):
            chain.append(path)
            path = os.path.dirname(path)
        missing += [p for p in reversed(chain) if p not in missing]
    return tuple(missing)


def free_name(folder: str, name: str, taken: frozenset[str] | set[str] = frozenset(), numbers: dict[str, int] | None = None) -> str:
    """Return a name for the trash that neither it nor `taken` (paths in its files folder) has.

    `numbers` remembers how far each name was counted, for who asks for many: of a thousand of one name, each is then tried once.
    """
    numbers = {} if numbers is None else numbers
    stem, dot, ending = name.partition(".") if not name.startswith(".") else (name, "", "")
    raw_limit = 255 - len(".trashinfo") - 8
    if len(os.fsencode(name)) > raw_limit:
        stem, dot, ending = os.fsdecode(os.fsencode(name)[:raw_limit]), "", ""
        name = stem
    key = os.path.join(folder, name)
    number = numbers.get(key, 1)
    candidate = name if number == 1 else f"{stem}.{number}{dot}{ending}"
    while (
        os.path.join(folder, "files", candidate) in taken
        or os.path.lexists(os.path.join(folder, "files", candidate))
        or os.path.lexists(os.path.join(folder, "info", candidate + ".trashinfo"))
    ):
        number += 1
        candidate = f"{stem}.{number}{dot}{ending}"
    numbers[key] = number
    return candidate


@frozen(slots=False)
class Trashed:
    """Something in the trash `folder`, where it is called `name`. `path` is where it was, empty where nobody knows (or it is not to be believed).

    `deleted_at` is in seconds since the epoch, 0 where it is not known. `info` is the text of its .trashinfo, and `dated` that file's time in
    nanoseconds and its mode. `identity` is () where only the .trashinfo is left.
    """

    path: str
    folder: str
    name: str
    deleted_at: float
    info: str
    dated: tuple[int, ...]
    identity: Identity
    mode: int = 0

    @property
    def kept(self) -> str:
        """Where it is now."""
        return os.path.join(self.folder, "files", self.name)


def bins() -> tuple[tuple[str, str], ...]:
    """Return the trash folders of this user that exist, each with the folder that relative paths in it start from: the home trash first."""
    home, uid = os.path.realpath(settings.trash_dir()), os.getuid()
    found = {home: os.path.dirname(home)}
    for top in tops():
        for folder in (_shared(top, uid), os.path.join(top, f".Trash-{uid}")):
            try:
                status = os.lstat(folder) if folder else None
            except OSError:
                continue
            if status is not None and stat.S_ISDIR(status.st_mode) and status.st_uid == uid:
                found.setdefault(folder, top)
    return tuple((folder, top) for folder, top in found.items() if os.path.isdir(folder))


def tops() -> Iterator[str]:
    """Yield where file systems are mounted that may hold files of users."""
    try:
        with open("/proc/self/mountinfo", "rb") as file:
            for line in file:
                before, _, after = line.partition(b" - ")
                if after.split(b" ", 1)[0] in _NO_FILES:
                    continue
                place = before.split(b" ")[4]
                for code, character in ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\")):
                    place = place.replace(code, character)
                yield os.fsdecode(place)
    except OSError:
        return


def trashed(bin: str, top: str) -> Iterator[Trashed]:
    """Yield what is in one trash folder: what has its .trashinfo by name, then what has none. What cannot be read is left out."""
    seen = set()
    for info in sorted(_names(os.path.join(bin, "info"))):
        if not info.endswith(".trashinfo"):
            continue
        name = info.removesuffix(".trashinfo")
        place = os.path.join(bin, "info", info)
        try:
            status = os.lstat(place)
            if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_INFO:
                continue
            with open(place, encoding="utf-8", errors="surrogateescape", newline="") as file:
                text = file.read()
        except OSError:
            continue
        seen.add(name)
        found = _entry(bin, name)
        path, deleted_at = _meaning(text, bin, top)
        known, mode = ((), 0) if found is None else (identity(found), found.st_mode)
        yield Trashed(path, bin, name, deleted_at, text, (status.st_mtime_ns, stat.S_IMODE(status.st_mode)), known, mode)
    for name in sorted(set(_names(os.path.join(bin, "files"))) - seen):
        if (found := _entry(bin, name)) is not None:
            yield Trashed("", bin, name, 0.0, "", (), identity(found), found.st_mode)


def all_trashed() -> list[Trashed]:
    """Return everything in every trash of this user, what was thrown away last first."""
    return in_bins(bins())


def in_bins(bins: tuple[tuple[str, str], ...]) -> list[Trashed]:
    """Return everything in these trash folders, each given with where its relative paths start, what was thrown away last first."""
    found = [item for bin, top in bins for item in trashed(bin, top)]
    # Of one second, the order in which their information was written.
    return sorted(found, key=lambda t: (t.deleted_at, t.dated, t.name), reverse=True)


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _entry(bin: str, name: str) -> os.stat_result | None:
    try:
        return os.lstat(os.path.join(bin, "files", name))
    except OSError:
        return None


def _meaning(text: str, bin: str, top: str) -> tuple[str, float]:
    """Return where a thing was, empty where that is not to be believed, and when it was thrown away (seconds since the epoch, 0: not known)."""
    from datetime import datetime
    from urllib.parse import unquote_to_bytes

    values: dict[str, str] = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals:
            values.setdefault(key.strip(), value.strip())
    path = os.fsdecode(unquote_to_bytes(values.get("Path", "").encode("utf-8", "surrogateescape")))
    at_home = bin == os.path.realpath(settings.trash_dir())
    # The trash of a stick is written by whoever had the stick: it may name only places on it.
    if not path or "\0" in path or ".." in path.split("/") or (path.startswith("/") and not at_home):
        path = ""
    else:
        path = os.path.normpath(os.path.join(top, path))
        path = "" if path in ("/", top) else path
    try:
        return path, datetime.fromisoformat(values.get("DeletionDate", "")).timestamp()
    except (ValueError, OverflowError, OSError):
        return path, 0.0
