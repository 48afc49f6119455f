"""What the members of a zip file say of themselves beside their header: in which encoding their names are, and when exactly they changed."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from nlsh.world.texts import encoding_of

if TYPE_CHECKING:
    import zipfile

# The kind of an extra field: times as Unix has them.
_UNIX_TIME = 0x5455
_IN_UTF_8 = 0x800


def says_its_encoding(info: zipfile.ZipInfo) -> bool:
    """Return whether the name of a member can be read by anybody in one way only."""
    return bool(info.flag_bits & _IN_UTF_8) or info.orig_filename.isascii()


def encoding_of_names(zipped: zipfile.ZipFile) -> str | None:
    """Return the encoding of names that do not say theirs, None for the format's own: macOS writes UTF-8, Windows what its users write in."""
    raw = "\n".join(i.orig_filename for i in zipped.infolist() if not says_its_encoding(i)).encode("cp437")
    found = encoding_of(raw) if raw else None
    if found not in ("utf-8", "gb18030", "big5", "shift_jis", "euc_jp", "euc_kr"):
        return None
    try:
        raw.decode(found)
    except UnicodeDecodeError:
        return None
    return found


def unix_time(extra: bytes) -> int | None:
    """Return the time of change that a zip file keeps beside its own, in seconds since the epoch, None where it keeps none: most programs write it."""
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        if kind == _UNIX_TIME and 5 <= size <= len(extra) - 4 and extra[4] & 1:
            return int(struct.unpack_from("<l", extra, 5)[0])
        extra = extra[4 + size :]
    return None


def with_unix_time(mtime_ns: int) -> bytes:
    """Return the extra field that keeps a time of change to the second; nothing where it has no room for it."""
    seconds = mtime_ns // 1_000_000_000
    return struct.pack("<HHBl", _UNIX_TIME, 5, 1, seconds) if abs(seconds) < 1 << 31 else b""
