"""ShredFile: overwrite what is in a file, then delete it. There is no way back, and no guarantee that nothing is left."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from nlsh.plan.effects import Effect
from nlsh.plan.errors import StaleStep
from nlsh.plan.steps import Step
from nlsh.steps import _fs, handles
from nlsh.world.files import Identity, is_same

_BLOCK = 1 << 20


@dataclass(frozen=True)
class ShredFile(Step):
    """Overwrite the blocks of one file with random bytes, wait until they are on the disk, and delete it."""

    path: str
    identity: Identity

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("fs.read", self.path), Effect("fs.write", self.path), Effect("fs.delete", self.path))

    def describe(self) -> str:
        return f"overwrite {self.path} ({self.identity[3]:,} bytes) with random bytes and delete it for good"

    def check(self) -> None:
        _fs.still_there(self.path, self.identity)

    def apply(self) -> None:
        with _fs.explained(f"shred {self.path}"), _fs.parent_of(self.path) as (folder, name):
            _fs.still(folder, name, self.identity, self.path)
            opened = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            try:
                status = os.fstat(opened)
                if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1 or not is_same(status, self.identity):
                    raise StaleStep(f"{self.path} has changed since it was approved.", hint="Nothing was overwritten. Look at it and ask again.")
                for start, end in _stored(opened, status.st_size):
                    for at in range(start, end, _BLOCK):
                        _write(opened, os.urandom(min(_BLOCK, end - at)), at)
                        # Half of a file is nobody's file: what was begun is finished.
                        handles.progress(at, status.st_size, "bytes", stops=False)
                os.fsync(opened)
            finally:
                os.close(opened)
            os.unlink(name, dir_fd=folder)


def _stored(file: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of what is stored of a file: a hole holds nothing to overwrite."""
    at = 0
    while at < size:
        try:
            at = os.lseek(file, at, os.SEEK_DATA)
            end = min(os.lseek(file, at, os.SEEK_HOLE), size)
        except OSError:
            return
        yield at, end
        at = end


def _write(file: int, data: bytes, at: int) -> None:
    while data:
        written = os.pwrite(file, data, at)
        data, at = data[written:], at + written
