"""Which files have the same content: by size, then by their first block, then as a whole; and where two of them first differ."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256

from nlsh.plan.frozen import frozen
from nlsh.plan.later import later
from nlsh.world.contents import open_text
from nlsh.world.files import walk

_FIRST = 1 << 14  # most files are no longer: they are read once
_BLOCK = 1 << 18
# What file managers and browsers call a copy: cat (1), cat - Copy, Copy of cat, cat 副本.
_COPY = later(r"(?i)[ _]?\(\d{1,3}\)$|\bcopy\b|_copy\d*$|\b(?:kopie|copie|copia|cópia)\b|副本|拷贝|拷貝|複製|复制|复件|コピー")


@dataclass
class Duplicates:
    """Looks for files of the same content. `tell(done, total)` gets bytes; `skipped` the paths that could not be read."""

    tell: Callable[[int, int], None]
    skipped: list[str] = field(default_factory=list)
    looked: Callable[[], None] | None = None  # called for each folder that is read
    _done: int = 0
    _total: int = 0

    def groups(self, roots: Iterable[str], *, endings: tuple[str, ...] = (), larger: int = 0) -> Iterator[tuple[int, list[str]]]:
        """Yield size and paths of each group of files with the same content, the oldest first; the largest groups' files come first.

        Of one age (unzipped, synced), what is called a copy comes behind what is not, and a longer name behind a shorter one.
        Empty files, links and hidden names are left out; a file with several names counts as one, under the first of them.
        """
        by_size = self._by_size(roots, endings, larger)
        self._total = sum(size * len(paths) for size, paths in by_size.items())
        for size in sorted(by_size, reverse=True):
            # Taken out: when it has been looked at, its memory is free.
            for same in self._same(size, by_size.pop(size)):
                same.sort(key=_age)
                yield size, same

    def _by_size(self, roots: Iterable[str], endings: tuple[str, ...], larger: int) -> dict[int, list[str]]:
        """Return the paths of the files of each size that more than one has."""
        alone: dict[int, str] = {}
        found: dict[int, list[str]] = {}
        linked: set[tuple[int, int]] = set()
        for root in roots:
            for entry in walk(root, hidden=False, skipped=self.skipped, tell=self.looked):
                try:
                    if not entry.is_file(follow_symlinks=False) or (endings and not entry.name.lower().endswith(endings)):
                        continue
                    status = entry.stat(follow_symlinks=False)
                except OSError:
                    continue  # vanished meanwhile
                size = status.st_size
                if size <= larger:
                    continue
                if status.st_nlink > 1:
                    if (key := (status.st_dev, status.st_ino)) in linked:
                        continue
                    linked.add(key)
                if size in found:
                    found[size].append(entry.path)
                elif (first := alone.pop(size, None)) is not None:
                    found[size] = [first, entry.path]
                else:
                    alone[size] = entry.path
        return found

    def _same(self, size: int, paths: list[str]) -> Iterator[list[str]]:
        by_start: dict[bytes, list[str]] = {}
        for path in paths:
            start = self._read(path, lambda descriptor: os.read(descriptor, _FIRST))
            if start:
                by_start.setdefault(start if len(start) <= 64 else sha256(start).digest(), []).append(path)
                self._came(min(size, _FIRST))
        for group in by_start.values():
            if len(group) < 2:
                self._came(max(size - _FIRST, 0))
            elif size <= _FIRST:
                yield group
            elif len(group) == 2:
                if self._are_same(*group):
                    yield group
                self._came(2 * (size - _FIRST))
            else:
                whole: dict[bytes, list[str]] = {}
                for path in group:
                    if digest := self._read(path, self._digest):
                        whole.setdefault(digest, []).append(path)
                yield from (same for same in whole.values() if len(same) > 1)

    def _read(self, path: str, what: Callable[[int], bytes]) -> bytes:
        """Return what `what` makes of an open file, or nothing where it cannot be read."""
        try:
            descriptor = open_text(path)
        except FileNotFoundError:
            return b""
        except OSError:
            self.skipped.append(path)
            return b""
        try:
            return what(descriptor)
        except OSError:
            self.skipped.append(path)
            return b""
        finally:
            os.close(descriptor)

    def _digest(self, descriptor: int) -> bytes:
        whole = sha256()
        for block in iter(lambda: os.read(descriptor, _BLOCK), b""):
            whole.update(block)
            self._came(len(block))
        return whole.digest()

    def _are_same(self, one: str, other: str) -> bool:
        try:
            return first_difference(one, other) is None
        except FileNotFoundError:
            return False
        except OSError as error:
            self.skipped.append(os.fsdecode(error.filename or one))
            return False

    def _came(self, amount: int) -> None:
        before, self._done = self._done, self._done + amount
        if self._done >> 24 != before >> 24:
            self.tell(min(self._done, self._total), self._total)


def _age(path: str) -> tuple[int, bool, int, str]:
    """Return what to sort copies by so that the one that was there first is the first."""
    name = os.path.basename(path)
    try:
        age = os.lstat(path).st_mtime_ns
    except OSError:
        age = 1 << 63
    return age, _COPY.search(os.path.splitext(name)[0]) is not None, len(name), path


@frozen()
class Difference:
    """Where two files first differ, counted from 1; `line` None where one of them is not text. `ended`: one of them ends there."""

    byte: int
    line: int | None
    ended: bool


def first_difference(one: str, other: str, tell: Callable[[int], None] = lambda done: None) -> Difference | None:
    """Return where two files first differ, or None where they do not. `tell` gets the bytes compared so far. Raises OSError."""
    ours = open_text(one)
    try:
        theirs = open_text(other)
        try:
            done, lines, is_text = 0, 1, True
            while True:
                a, b = _filled(ours), _filled(theirs)
                is_text = is_text and b"\0" not in a and b"\0" not in b
                if a == b:
                    if not a:
                        return None
                    done += len(a)
                    lines += a.count(b"\n") if is_text else 0
                    tell(done)
                    continue
                at = _differing(a, b)
                return Difference(done + at + 1, lines + a.count(b"\n", 0, at) if is_text else None, at in (len(a), len(b)))
        finally:
            os.close(theirs)
    finally:
        os.close(ours)


def _filled(descriptor: int) -> bytes:
    """Return the next block, shorter only at the end of the file."""
    block = os.read(descriptor, _BLOCK)
    while block and len(block) < _BLOCK and (more := os.read(descriptor, _BLOCK - len(block))):
        block += more
    return block


def _differing(a: bytes, b: bytes) -> int:
    """Return the index of the first byte in which two differing blocks differ: halves, so that the comparing is done in C."""
    low, high = 0, max(len(a), len(b))
    while high - low > 1:
        middle = (low + high) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle
    return low


def kind_of(path: str) -> tuple[str, os.stat_result]:
    """Return file, folder, link or other, and the status of `path`, links not followed. Raises OSError."""
    from nlsh.world.files import type_of

    status = os.lstat(path)
    return type_of(status.st_mode), status


def differences(one: str, other: str, skipped: list[str], tell: Callable[[int], None]) -> Iterator[tuple[str, str, str]]:
    """Yield (what, path, detail) for two folders: only here, only there, different; in the order of the names. `tell` gets the files compared so far."""
    done = 0
    todo = [""]
    while todo:
        below = todo.pop()
        names = _names(os.path.join(one, below) if below else one, skipped), _names(os.path.join(other, below) if below else other, skipped)
        deeper = []
        for name in sorted(names[0] | names[1]):
            inner = os.path.join(below, name)
            here, there = os.path.join(one, inner), os.path.join(other, inner)
            if name not in names[1]:
                yield "only here", here, ""
            elif name not in names[0]:
                yield "only there", there, ""
            else:
                try:
                    detail = _difference(here, there)
                except FileNotFoundError:
                    continue  # vanished meanwhile
                except OSError as error:
                    skipped.append(os.fsdecode(error.filename or here))
                    continue
                if detail is None:
                    deeper.append(inner)
                elif detail:
                    yield "different", here, detail
                done += 1
                tell(done)
        todo += reversed(deeper)


def _names(folder: str, skipped: list[str]) -> set[str]:
    try:
        return set(os.listdir(folder))
    except OSError:
        skipped.append(folder)
        return set()


def _difference(here: str, there: str) -> str | None:
    """Return in what two things of the same name differ, "" for nothing, None for two folders."""
    (ours, a), (theirs, b) = kind_of(here), kind_of(there)
    if ours != theirs:
        return f"a {ours} here, a {theirs} there"
    if ours == "folder":
        return None
    if ours == "link":
        return "" if os.readlink(here) == os.readlink(there) else "the links lead to different places"
    if (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino):
        return ""
    if not stat.S_ISREG(a.st_mode):
        return "" if (stat.S_IFMT(a.st_mode), a.st_rdev) == (stat.S_IFMT(b.st_mode), b.st_rdev) else "they are of different kinds"
    if a.st_size != b.st_size:
        return f"{a.st_size:,} bytes here, {b.st_size:,} there"
    found = first_difference(here, there)
    return said(found) if found is not None else ""


def said(found: Difference) -> str:
    """Return where two files differ, in words."""
    where = f"at byte {found.byte:,}" + (f", in line {found.line:,}" if found.line is not None else "")
    return f"one of them ends {where}" if found.ended else f"the first difference is {where}"
