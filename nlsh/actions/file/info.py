"""file.info: everything there is to say about a file."""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.records import FileInfo, Record
from nlsh.plan.values import Paths
from nlsh.world import World
from nlsh.world.files import group_name, owner_name, real_place, status_of, type_of

_AT_FDCWD, _AT_SYMLINK_NOFOLLOW, _STATX_BTIME = -100, 0x100, 0x800


class Info(Action):
    """Show everything about a file: size, owner, permissions, times and type."""

    name = "file.info"
    effects = ("fs.read",)

    class Args(BaseArgs):
        paths = arg(Paths(), "The files or folders.", required=True)

    def look(self, args: Any, world: World) -> Any:
        return {"paths": list(dict.fromkeys(real_place(p) for p in world.matches(args.paths)))}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        # What a link leads to is named, not read.
        return tuple(Effect("fs.read", os.path.dirname(p) if os.path.islink(p) else p) for p in seen["paths"])

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        for path in seen["paths"]:
            status = status_of(path)
            kind = type_of(status.st_mode)
            yield FileInfo(
                path=path, type=kind, size_bytes=status.st_size, mode=stat.S_IMODE(status.st_mode),
                owner=owner_name(status.st_uid), group=group_name(status.st_gid), modified_at=status.st_mtime, accessed_at=status.st_atime,
                created_at=_created_at(path), links=status.st_nlink, inode=status.st_ino,
                target=os.readlink(path) if kind == "link" else None, content_type=_content_type(path, kind),
            )  # fmt: skip

    examples = (
        Example(
            say=("tell me about report.pdf", "details of report.pdf", "who owns report.pdf and when was it changed", "report.pdf的详细信息"),
            plan='file.info("report.pdf")',
            given={"report.pdf": "pdf"},
            result=("report.pdf",),
        ),
        Example(
            say=("what do you know about every log file here", "show the properties of *.log", "查看所有日志文件的属性"),
            plan='file.info("*.log")',
            given={"a.log": "a", "b.log": "b", "c.txt": "c"},
            result=("a.log", "b.log"),
        ),
        Example(
            say=("tell me about draft.odt", "properties of draft.odt", "draft.odt的信息"),
            plan='file.info("draft.odt")',
            given={"other": "o"},
            refused="world.not-found",
        ),
    )


def _created_at(path: str) -> float | None:
    """Return when a file was created, in seconds since the epoch, or None where the file system does not say."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "statx"):
        return None
    found = ctypes.create_string_buffer(256)
    # SAFETY: statx fills at most 256 bytes of the buffer, which outlives the call.
    if libc.statx(_AT_FDCWD, os.fsencode(path), _AT_SYMLINK_NOFOLLOW, _STATX_BTIME, found) != 0:
        return None
    (mask,) = struct.unpack_from("=I", found, 0)
    seconds, nanoseconds = struct.unpack_from("=qI", found, 80)
    return seconds + nanoseconds / 1e9 if mask & _STATX_BTIME else None


def _content_type(path: str, kind: str) -> str | None:
    if kind != "file":
        return {"folder": "inode/directory", "link": "inode/symlink"}.get(kind)
    import mimetypes

    # A table of its own: the system's list of types is a file that a confined worker may not read.
    if guessed := mimetypes.MimeTypes().guess_type(path)[0]:
        return guessed
    from nlsh.world.contents import looks_binary, open_text

    try:
        descriptor = open_text(path)
    except OSError:
        return None
    try:
        start = os.read(descriptor, 8192)
    finally:
        os.close(descriptor)
    return "inode/x-empty" if not start else "application/octet-stream" if looks_binary(start) else "text/plain"
