"""Steps that make new files: with a text, out of others, out of a part of one; and those that remove what was made, if nobody has changed it.

What they make gets a time that was fixed when it was approved (`stamp_ns`): by it and the size, undo knows it again.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import IO

from nlsh.plan.effects import Effect
from nlsh.plan.errors import Refused, StaleStep
from nlsh.plan.records import Record
from nlsh.plan.steps import Step, step_from_data
from nlsh.steps import _fs, handles
from nlsh.world.cuts import cuts
from nlsh.world.files import Identity, is_same, record

MOST_PARTS = 10_000
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_BLOCK = 1 << 20
# A part of a file that is joined: its path, and what it is known by.
Piece = tuple[str, Identity]


def _beside(path: str) -> tuple[str, ...]:
    return (os.path.dirname(path),)


def _state(path: str, known: Identity) -> str:
    try:
        return "done" if is_same(os.lstat(path), known) else "unknown"
    except OSError:
        return "undone"


@dataclass(frozen=True)
class MakeFile(Step):
    """Make one file with a text in it, with the mode that the user's umask says; `executable`: a program."""

    path: str
    text: str
    stamp_ns: int
    executable: bool = False

    @property
    def _data(self) -> bytes:
        return self.text.encode("utf-8", "surrogateescape")

    @property
    def _made(self) -> Identity:
        return (0, 0, self.stamp_ns, len(self._data))

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("fs.write", self.path),)

    def describe(self) -> str:
        return f"create {self.path} with {len(self._data):,} bytes" if self.text else f"create the empty file {self.path}"

    def check(self) -> None:
        _fs.must_be_free(self.path)

    def apply(self) -> None:
        with _fs.explained(f"create {self.path}"), _fs.new_file(self.path, 0o777 if self.executable else 0o666) as made:
            with os.fdopen(os.dup(made), "wb") as file:
                file.write(self._data)
            os.utime(made, ns=(self.stamp_ns, self.stamp_ns))

    def inverse(self) -> Step:
        return RemoveMade(self.path, self._made, tuple(self.as_data().items()))

    def state(self) -> str:
        return _state(self.path, self._made)

    def leftovers(self) -> tuple[str, ...]:
        folder, name = os.path.split(self.path)
        return (os.path.join(folder, _fs.beside(name)),)

    def touches(self) -> tuple[str, ...]:
        return _beside(self.path)

    def makes(self) -> tuple[tuple[str, str], ...]:
        return ((self.path, "file"),)


@dataclass(frozen=True)
class RemoveMade(Step):
    """Remove a file that nlsh made, if it is still what was made; `again` is the data of the step that makes it."""

    path: str
    identity: Identity
    again: tuple[tuple[str, object], ...]

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("fs.delete", self.path),)

    def describe(self) -> str:
        return f"remove {self.path}, which was made"

    def check(self) -> None:
        _fs.still_there(self.path, self.identity)

    def apply(self) -> None:
        with _fs.explained(f"remove {self.path}"), _fs.parent_of(self.path) as (folder, name):
            _fs.still(folder, name, self.identity, self.path)
            os.unlink(name, dir_fd=folder)

    def inverse(self) -> Step:
        return step_from_data(dict(self.again))

    def state(self) -> str:
        return {"done": "undone", "undone": "done"}.get(_state(self.path, self.identity), "unknown")

    def touches(self) -> tuple[str, ...]:
        return _beside(self.path)


@dataclass(frozen=True)
class JoinFiles(Step):
    """Write one file after the other into a new one, which only those may read who may read all of them.

    `starts`: from which byte on each is taken (tables that all begin with the same row of names: it stands once); `ends`: what is written behind
    each (a line end, where a text's last line has none). Empty: all of each, and nothing between them.
    """

    sources: tuple[Piece, ...]
    target: str
    stamp_ns: int
    starts: tuple[int, ...] = ()
    ends: tuple[str, ...] = ()

    @property
    def _made(self) -> Identity:
        return (0, 0, self.stamp_ns, sum(known[3] for _, known in self.sources) - sum(self.starts) + sum(map(len, self.ends)))

    def effects(self) -> tuple[Effect, ...]:
        return (*(Effect("fs.read", path) for path, _ in self.sources), Effect("fs.write", self.target))

    def describe(self) -> str:
        names = " + ".join(os.path.basename(path) for path, _ in self.sources[:6])
        more = f" + {len(self.sources) - 6} more" if len(self.sources) > 6 else ""
        once = ", their first row once" if any(self.starts) else ""
        ended = [os.path.basename(path) for (path, _), end in zip(self.sources, self.ends, strict=False) if end]
        lines = f", with a line end behind {ended[0]}{f' and {len(ended) - 1} more' if len(ended) > 1 else ''}" if ended else ""
        return f"join {names}{more} into {self.target}{once}{lines}"

    def check(self) -> None:
        for path, known in self.sources:
            _fs.still_there(path, known)
        _fs.must_be_free(self.target)

    def apply(self) -> None:
        with _fs.explained(f"join files into {self.target}"), _fs.new_file(self.target, 0o600) as made:
            at, mode = 0, 0o666
            meter = handles.Meter(self._made[3])
            nothing = ("",) * len(self.sources)
            for (path, known), start, end in zip(self.sources, self.starts or (0,) * len(nothing), self.ends or nothing, strict=True):
                with _reading(path, known) as source:
                    mode &= os.fstat(source).st_mode
                    _fs.copy_range(source, made, start, at, known[3] - start, meter)
                at += known[3] - start
                at += os.pwrite(made, end.encode(), at)
                if end:
                    meter.came(len(end))
            os.fchmod(made, 0o600 | mode & ~_umask())
            os.utime(made, ns=(self.stamp_ns, self.stamp_ns))

    def inverse(self) -> Step:
        return RemoveMade(self.target, self._made, tuple(self.as_data().items()))

    def state(self) -> str:
        return _state(self.target, self._made)

    def touches(self) -> tuple[str, ...]:
        return _beside(self.target)

    def makes(self) -> tuple[tuple[str, str], ...]:
        return ((self.target, "file"),)


@contextmanager
def _reading(path: str, known: Identity) -> Iterator[int]:
    """Give a descriptor of a file for reading. Raises StaleStep unless it is what was approved, before and after."""
    with _fs.parent_of(path) as (folder, name):
        _fs.still(folder, name, known, path)
        descriptor = os.open(name, _READ, dir_fd=folder)
    try:
        yield descriptor
        if not is_same(os.fstat(descriptor), known):
            raise StaleStep(f"{path} changed while it was read.", hint="Nothing of what was made was kept. Ask again when nobody writes to it.")
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


@dataclass(frozen=True)
class SplitFile(Step):
    """Write the parts of a file, each of `size` bytes or of `lines` lines, or a text in `parts` parts, into new files beside it: NAME.001, NAME.002, …

    `whole_lines`: each of the `parts` ends with a line. `width`: of the numbers. The parts are whole files one by one; when one cannot be written, none stays.
    """

    path: str
    identity: Identity
    size: int
    lines: int
    width: int
    stamp_ns: int
    parts: int = 0
    whole_lines: bool = False

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("fs.read", self.path), Effect("fs.write", part_name(self.path, 1, self.width)))

    def describe(self) -> str:
        each = f"parts of {self.lines:,} lines" if self.lines else f"parts of {self.size:,} bytes"
        if self.parts:
            each = f"{self.parts:,} parts, {'at line ends' if self.whole_lines else 'also in the middle of lines'}"
        return f"split {self.path} into {each}: {part_name(os.path.basename(self.path), 1, self.width)}, …"

    def check(self) -> None:
        _fs.still_there(self.path, self.identity)
        _fs.must_be_free(part_name(self.path, 1, self.width))

    def apply(self) -> Iterator[Record]:
        made: list[str] = []
        with _fs.explained(f"split {self.path}"):
            try:
                with _reading(self.path, self.identity) as source:
                    mode = stat.S_IMODE(os.fstat(source).st_mode) & 0o666 | 0o600
                    meter = handles.Meter(self.identity[3])
                    for number, (start, count) in enumerate(self._pieces(source), start=1):
                        if number > MOST_PARTS:
                            raise Refused(f"{self.path} has more than {MOST_PARTS:,} such parts.", hint="Nothing was kept. Say bigger parts.")
                        part = part_name(self.path, number, self.width)
                        with _fs.new_file(part, mode) as new:
                            _fs.copy_range(source, new, start, 0, count, meter)
                            os.utime(new, ns=(self.stamp_ns, self.stamp_ns))
                        made.append(part)
                        yield record(part, os.lstat(part))
            except BaseException:
                for part in made:
                    with suppress(OSError):
                        os.unlink(part)
                raise

    def _pieces(self, source: int) -> Iterator[tuple[int, int]]:
        """Yield start and length of each part."""
        if self.parts:
            found = cuts(source, self.identity[3], self.parts)
            if found is None:
                raise StaleStep(f"{self.path} has changed since it was approved.", hint="Nothing was changed by this step. Look at it and ask again.")
            yield from ((start, end - start) for start, end in pairwise((0, *found[0], self.identity[3])))
            return
        if not self.lines:
            whole = self.identity[3]
            yield from ((start, min(self.size, whole - start)) for start in range(0, whole, self.size))
            return
        with os.fdopen(os.dup(source), "rb") as file:
            start = 0
            while (end := _after_lines(file, start, self.lines)) > start:
                yield start, end - start
                start = end

    def inverse(self) -> Step:
        return RemoveParts(self.path, self.identity, self.size, self.lines, self.width, self.stamp_ns, self.parts, self.whole_lines)

    def state(self) -> str:
        parts = made_parts(self.path, self.width, self.stamp_ns)
        return "done" if parts and sum(os.lstat(p).st_size for p in parts) == self.identity[3] else "unknown" if parts else "undone"

    def touches(self) -> tuple[str, ...]:
        return _beside(self.path)

    def makes(self) -> tuple[tuple[str, str], ...]:
        count = self.parts or (1 if self.lines else -(-self.identity[3] // self.size))
        return tuple((part_name(self.path, n, self.width), "file") for n in range(1, count + 1))


def _after_lines(file: IO[bytes], at: int, lines: int) -> int:
    """Return where the line ends that is `lines` lines after `at`, or the end of the file."""
    file.seek(at)
    while block := file.read(_BLOCK):
        ends = block.count(b"\n")
        if ends < lines:
            lines -= ends
            at += len(block)
            continue
        place = -1
        for _ in range(lines):
            place = block.index(b"\n", place + 1)
        return at + place + 1
    return at


def part_name(path: str, number: int, width: int) -> str:
    """Return what a part of a file is called."""
    return f"{path}.{number:0{width}d}"


def made_parts(path: str, width: int, stamp_ns: int) -> list[str]:
    """Return the parts that lie beside a file and have the time they were made with, in order, up to the first that has not."""
    found: list[str] = []
    while True:
        part = part_name(path, len(found) + 1, width)
        try:
            status = os.lstat(part)
        except OSError:
            return found
        if not is_same(status, (0, 0, stamp_ns, status.st_size)):
            return found
        found.append(part)


@dataclass(frozen=True)
class RemoveParts(Step):
    """Remove the parts that `SplitFile` made, if all of them are there as they were made."""

    path: str
    identity: Identity
    size: int
    lines: int
    width: int
    stamp_ns: int
    parts: int = 0
    whole_lines: bool = False

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("fs.delete", part_name(self.path, 1, self.width)),)

    def describe(self) -> str:
        return f"remove the parts {part_name(self.path, 1, self.width)}, …"

    def check(self) -> None:
        parts = made_parts(self.path, self.width, self.stamp_ns)
        if sum(os.lstat(p).st_size for p in parts) != self.identity[3]:
            raise StaleStep(
                f"The parts of {self.path} have changed since they were made.", hint="Nothing was removed. Trash them yourself if you do not need them."
            )

    def apply(self) -> None:
        with _fs.explained(f"remove the parts of {self.path}"):
            # The last first: what is left, should this be cut short, is still a row from the first on.
            for part in reversed(made_parts(self.path, self.width, self.stamp_ns)):
                with _fs.parent_of(part) as (folder, name):
                    _fs.still(folder, name, (0, 0, self.stamp_ns, _fs.status_at(folder, name).st_size), part)
                    os.unlink(name, dir_fd=folder)

    def inverse(self) -> Step:
        return SplitFile(self.path, self.identity, self.size, self.lines, self.width, self.stamp_ns, self.parts, self.whole_lines)

    def state(self) -> str:
        return "unknown" if made_parts(self.path, self.width, self.stamp_ns) else "done"

    def touches(self) -> tuple[str, ...]:
        return _beside(self.path)
