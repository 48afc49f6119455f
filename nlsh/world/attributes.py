"""Attributes of files beside their mode: extended ones, access lists, and the flags of the file system."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import suppress

from nlsh.world.files import group_name, owner_name
from nlsh.world.flags import FLAGS, flags_of

_SHOWN = 4096
# Those that can be set by nlsh, and the others.
_WORDS = {bit: word for word, bit in FLAGS.items()} | {
    0x80: "no-access-times", 0x1: "secure-deletion", 0x2: "undeletable", 0x4: "compressed",
    0x8: "synchronous", 0x800: "encrypted", 0x1000: "indexed", 0x4000: "journalled-data", 0x8000: "no-tail-merging", 0x10000: "synchronous-folder",
    0x20000: "top-of-a-tree", 0x80000: "extents", 0x100000: "verity", 0x800000: "no-copy-on-write", 0x2000000: "direct-access",
    0x10000000: "inline-data", 0x20000000: "project-inherited", 0x40000000: "any-case",
}  # fmt: skip
_ACCESS_LISTS = {"system.posix_acl_access": "access", "system.posix_acl_default": "default access"}
_USER, _GROUP = 0x02, 0x08
_WHO = {0x01: "owner", _USER: "user", 0x04: "group", _GROUP: "group", 0x10: "mask", 0x20: "others"}


def attributes(path: str) -> Iterator[tuple[str, str, str]]:
    """Yield (kind, name, value) of each attribute of `path`, links not followed; nothing where the file system has none. Raises OSError."""
    for name in sorted(_names(path)):
        try:
            raw = os.getxattr(path, name, follow_symlinks=False)
        except OSError:
            continue  # gone meanwhile, or only for those who have more rights
        if name in _ACCESS_LISTS:
            yield from ((_ACCESS_LISTS[name], who, rights) for who, rights in access_list(raw))
        else:
            yield "attribute", name, _value(raw)
    if flags := flag_bits(path):
        yield "flags", "flags", ", ".join(word for bit, word in _WORDS.items() if flags & bit) or f"{flags:#x}"


def _names(path: str) -> list[str]:
    os.lstat(path)  # raises where there is nothing; that the file system has no attributes is no error
    with suppress(OSError):
        return os.listxattr(path, follow_symlinks=False)
    return []


def _value(raw: bytes) -> str:
    """Return text as text, and anything else in hexadecimal."""
    text = raw.rstrip(b"\0")[:_SHOWN].decode("utf-8", "replace")
    return text if "\ufffd" not in text and text.replace("\n", "").replace("\t", "").isprintable() else "0x" + raw[:_SHOWN].hex()


def access_list(raw: bytes) -> Iterator[tuple[str, str]]:
    """Yield (who, rights) of a POSIX access list as the kernel keeps it; nothing for another version than 2."""
    if len(raw) < 4 or struct.unpack_from("<I", raw)[0] != 2:
        return
    for tag, rights, number in struct.iter_unpack("<HHI", raw[4 : 4 + (len(raw) - 4) // 8 * 8]):
        who = _WHO.get(tag, f"{tag:#x}")
        if tag in (_USER, _GROUP):
            who += ":" + (owner_name(number) if tag == _USER else group_name(number))
        yield who, "".join(letter if rights & bit else "-" for letter, bit in (("r", 4), ("w", 2), ("x", 1)))


def flag_bits(path: str) -> int:
    """Return the flags of a file or folder as bits; 0 where the file system has none, or they may not be read."""
    with suppress(OSError):
        return flags_of(path)
    return 0
