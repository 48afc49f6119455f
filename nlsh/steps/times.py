"""RestoreTimes: put back the modification times of folders in which a run, since taken back, had changed something."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from nlsh.plan.effects import Effect
from nlsh.plan.steps import Step


@dataclass(frozen=True)
class RestoreTimes(Step):
    """Set the modification times of `folders`, pairs of path and nanoseconds. A folder that is not there any more is left out."""

    folders: tuple[tuple[str, int], ...]

    def effects(self) -> tuple[Effect, ...]:
        return tuple(Effect("fs.meta", path) for path, _ in self.folders)

    def describe(self) -> str:
        return f"put back the modification times of {len(self.folders)} folder{'' if len(self.folders) == 1 else 's'}"

    def apply(self) -> None:
        for path, mtime_ns in self.folders:
            try:
                status = os.lstat(path)
                if stat.S_ISDIR(status.st_mode):
                    os.utime(path, ns=(status.st_atime_ns, mtime_ns), follow_symlinks=False)
            except FileNotFoundError:
                continue

    def inverse(self) -> RestoreTimes:
        """Return a step that does nothing: the journal holds the times from before this run, and its undo ends with them."""
        return RestoreTimes(())

    def state(self) -> str:
        # Times that already fit say nothing about the steps before; doing this step again is harmless.
        return "unknown"

    def only_times(self) -> tuple[str, ...]:
        return self.touches()

    def touches(self) -> tuple[str, ...]:
        return tuple(path for path, _ in self.folders)
