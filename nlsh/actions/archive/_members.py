"""Which members of an archive are meant by names, patterns and kinds of file, and by which paths they are unpacked."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable
from dataclasses import replace

from nlsh.plan.errors import NotFound
from nlsh.plan.kinds import kind_extensions
from nlsh.plan.values import Glob
from nlsh.world.archives import Entry
from nlsh.world.files import name_test


def chosen(entries: tuple[Entry, ...], only: tuple[str, ...], archive: str) -> tuple[Entry, ...]:
    """Return the members that `only` means, folders with all below them, and the folders that these are in.

    A single thing goes by its name alone: nobody who wants one file out of an archive wants the folders around it. Raises NotFound.
    """
    named: dict[str, Entry] = {}
    for text in only:
        if not (found := _meant(entries, text)):
            raise NotFound(f"There is no “{text}” in {archive}.", hint="Nothing was unpacked. archive.list shows what is in it.")
        named |= {e.path: e for e in found}
    wanted = [e for e in entries if e.path in named or any(above in named for above in _above(e.path))]
    heads = [e for e in wanted if not any(above in named for above in _above(e.path))]
    inside = os.path.dirname(heads[0].path)
    # Where a link leads is told from where it lies.
    if len(heads) == 1 and inside and not any(e.type == "link" for e in wanted):
        return tuple(replace(e, path=e.path.removeprefix(f"{inside}/")) for e in wanted)
    around = {above for e in wanted for above in _above(e.path)}
    known = {e.path for e in wanted}
    return tuple(e for e in entries if e.path in known or e.path in around)


def _meant(entries: tuple[Entry, ...], text: str) -> list[Entry]:
    """Return what `text` means: the member of this path, else those of this name, else of this pattern, kind, or part of a name."""
    path = os.path.normpath(text.strip()).lstrip("/")
    for test in _tests(text.strip(), path):
        if found := [e for e in entries if test(e)]:
            return found
    return []


def _tests(text: str, path: str) -> list[Callable[[Entry], object]]:
    tests: list[Callable[[Entry], object]] = [lambda e: e.path == path, lambda e: _name(e) == text]
    if "/" in text:
        whole = re.compile(fnmatch.translate(path)).match
        return [*tests, lambda e: whole(e.path)]
    pattern = Glob().parse(text)
    by_name = re.compile(*name_test(pattern)).match
    like = [lambda e: by_name(_name(e))]
    try:
        endings = tuple(f".{ending}" for ending in kind_extensions(text))
    except ValueError:
        return [*tests, *like]
    kind = [lambda e: e.type != "folder" and _name(e).lower().endswith(endings)]
    return [*tests, *like, *kind] if any(c in pattern for c in "*?[") else [*tests, *kind, *like]


def _name(entry: Entry) -> str:
    return os.path.basename(entry.path)


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:n]) for n in range(1, len(parts))]
