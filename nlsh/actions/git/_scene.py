"""Small real repositories for the examples, written as git itself writes them, so that none is needed to set the scene."""

from __future__ import annotations

import hashlib
import struct
import zlib
from typing import Any

_WHEN = 1_700_000_000


def repository(folder: str, *commits: tuple[str, dict[str, str]], now: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the files of a repository in `folder` with these commits (subject, all its files) on its branch main; `now`: files as they are now.

    It keeps no log of what its branch pointed to, so that undo leaves every byte as it was.
    """
    found: dict[str, Any] = {}
    git = f"{folder}/.git"

    def kept(kind: str, data: bytes) -> bytes:
        whole = f"{kind} {len(data)}\0".encode() + data
        id = hashlib.sha1(whole, usedforsecurity=False)
        found[f"{git}/objects/{id.hexdigest()[:2]}/{id.hexdigest()[2:]}"] = zlib.compress(whole)
        return id.digest()

    parent, blobs, files = "", {}, {}
    for number, (subject, files) in enumerate(commits):
        blobs = {name: kept("blob", text.encode()) for name, text in sorted(files.items())}
        tree = kept("tree", b"".join(f"100644 {name}\0".encode() + id for name, id in blobs.items())).hex()
        who = f"Ada <ada@example.org> {_WHEN + number} +0000"
        before = f"parent {parent}\n" if parent else ""
        parent = kept("commit", f"tree {tree}\n{before}author {who}\ncommitter {who}\n\n{subject}\n".encode()).hex()
    entries = b""
    for name, id in blobs.items():
        entry = struct.pack(">10I20sH", 0, 0, 0, 0, 0, 0, 0o100644, 0, 0, len(files[name].encode()), id, len(name)) + name.encode() + b"\0"
        entries += entry.ljust(-(-len(entry) // 8) * 8, b"\0")
    index = b"DIRC" + struct.pack(">II", 2, len(blobs)) + entries
    found[f"{git}/index"] = index + hashlib.sha1(index, usedforsecurity=False).digest()
    found[f"{git}/HEAD"] = "ref: refs/heads/main\n"
    found[f"{git}/config"] = "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tlogAllRefUpdates = false\n"
    found[f"{git}/refs/heads/main"] = f"{parent}\n"
    return found | {f"{folder}/{name}": text for name, text in {**files, **(now or {})}.items()}
