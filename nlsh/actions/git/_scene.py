"""Small real repositories for the examples, written as git itself writes them, so that none is needed to set the scene."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Sequence
from typing import Any

_WHEN = 1_700_000_000
_WHO = "[user]\n\tname = Ada\n\temail = ada@example.org\n"


def repository(
    folder: str,
    *commits: tuple[str, dict[str, str]],
    now: dict[str, Any] | None = None,
    branches: dict[str, int] | None = None,
    stash: dict[str, str] | None = None,
    config: str = "",
) -> dict[str, Any]:
    """Return the files of a repository in `folder` with these commits (subject, all its files) on its branch main; `now`: files as they are now.

    `branches`: name → at which commit, counted from 0, another branch is. `stash`: all its files as they were put away. `config`: more of its settings.

    It keeps no log of what its branch pointed to, so that undo leaves every byte as it was.
    """
    found: dict[str, Any] = {}
    git = f"{folder}/.git"

    def kept(kind: str, data: bytes) -> bytes:
        whole = f"{kind} {len(data)}\0".encode() + data
        id = hashlib.sha1(whole, usedforsecurity=False)
        found[f"{git}/objects/{id.hexdigest()[:2]}/{id.hexdigest()[2:]}"] = zlib.compress(whole)
        return id.digest()

    def tree_of(files: dict[str, str]) -> tuple[str, dict[str, bytes]]:
        blobs = {name: kept("blob", text.encode()) for name, text in sorted(files.items())}
        return kept("tree", b"".join(f"100644 {name}\0".encode() + id for name, id in blobs.items())).hex(), blobs

    def commit(number: int, tree: str, parents: Sequence[str], subject: str) -> str:
        who = f"Ada <ada@example.org> {_WHEN + number} +0000"
        before = "".join(f"parent {p}\n" for p in parents)
        return kept("commit", f"tree {tree}\n{before}author {who}\ncommitter {who}\n\n{subject}\n".encode()).hex()

    tree = ""
    blobs: dict[str, bytes] = {}
    files: dict[str, str] = {}
    ids: list[str] = []
    for number, (subject, files) in enumerate(commits):
        tree, blobs = tree_of(files)
        ids.append(commit(number, tree, ids[-1:], subject))
    if stash is not None:
        at, said = len(ids), "On main: half done"
        put = commit(at, tree_of(stash)[0], (ids[-1], commit(at, tree, ids[-1:], "index on main")), said)
        found[f"{git}/refs/stash"] = f"{put}\n"
        found[f"{git}/logs/refs/stash"] = f"{'0' * 40} {put} Ada <ada@example.org> {_WHEN + at} +0000\t{said}\n"
    entries = b""
    for name, id in blobs.items():
        entry = struct.pack(">10I20sH", 0, 0, 0, 0, 0, 0, 0o100644, 0, 0, len(files[name].encode()), id, len(name)) + name.encode() + b"\0"
        entries += entry.ljust(-(-len(entry) // 8) * 8, b"\0")
    index = b"DIRC" + struct.pack(">II", 2, len(blobs)) + entries
    found[f"{git}/index"] = index + hashlib.sha1(index, usedforsecurity=False).digest()
    found[f"{git}/HEAD"] = "ref: refs/heads/main\n"
    found[f"{git}/config"] = f"[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tlogAllRefUpdates = false\n{_WHO}{config}"
    found |= {f"{git}/refs/heads/{name}": f"{ids[at]}\n" for name, at in {"main": len(ids) - 1, **(branches or {})}.items()}
    return found | {f"{folder}/{name}": text for name, text in {**files, **(now or {})}.items()}


def bare(folder: str, *commits: tuple[str, dict[str, str]]) -> dict[str, Any]:
    """Return a repository with these commits and no files checked out, such as others are pushed to."""
    inside = {path.removeprefix("x/.git/"): what for path, what in repository("x", *commits).items() if path.startswith("x/.git/")}
    inside["config"] = inside["config"].replace("bare = false", "bare = true")
    return {f"{folder}/{name}": what for name, what in inside.items() if name != "index"}


def follows(url: str) -> dict[str, Any]:
    """Return what `repository` takes to have its main branch follow that of another one."""
    return {"config": f'[remote "origin"]\n\turl = {url}\n[branch "main"]\n\tremote = origin\n\tmerge = refs/heads/main\n'}
