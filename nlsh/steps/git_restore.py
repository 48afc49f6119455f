"""RestoreVersion: a file as it was in a commit, in the place of what is there now, which git keeps until that is taken back."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from dataclasses import dataclass, replace
from typing import IO

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError, StaleStep
from nlsh.plan.steps import Step
from nlsh.steps import _fs
from nlsh.steps._git import STALE, GitStep, Pairs
from nlsh.world import tools


@dataclass(frozen=True)
class RestoreVersion(GitStep):
    """Let the file `name`, relative to the top, hold the blob `new` (from the commit that is called `said`) instead of the blob `old`.

    An empty blob means that there is no file. `old_ns` and `new_ns` are the times of modification, `mode` that of a file that is made.
    """

    repository: Pairs
    name: str
    old: str
    new: str
    said: str
    old_ns: int
    new_ns: int
    mode: int = 0o644
    back: bool = False

    @property
    def _path(self) -> str:
        return os.path.join(self._git.top, self.name)

    @property
    def _ends(self) -> tuple[str, str, int]:
        """What is there before, what after, and the time it gets."""
        return (self.new, self.old, self.old_ns) if self.back else (self.old, self.new, self.new_ns)

    def effects(self) -> tuple[Effect, ...]:
        return self._effects("cat-file", "blob", self._ends[1] or self.new, files=True)

    def describe(self) -> str:
        if not self.back:
            return f"put {self._path} back to what it was in {self.said}" if self.old else f"bring {self._path} back as it was in {self.said}"
        return f"put {self._path} back to what it was before" if self.old else f"remove {self._path}, which came from {self.said}"

    def check(self) -> None:
        if self._found() != self._ends[0]:
            raise StaleStep(f"{self._path} has changed since.", hint=STALE)

    def _found(self) -> str:
        """Return the blob that the file is, as it is; empty where there is none."""
        try:
            if not stat.S_ISREG(os.lstat(self._path).st_mode):
                return "other"
        except FileNotFoundError:
            return ""
        return self._git.output("hash-object", "--no-filters", "--", self._path).strip()

    def apply(self) -> None:
        before, after, stamp = self._ends
        with _fs.explained(self.describe()), _fs.parent_of(self._path) as (folder, name):
            if not self.back and before and self._git.output("hash-object", "-w", "--no-filters", "--", self._path).strip() != before:
                raise StaleStep(f"{self._path} has changed since.", hint=STALE)
            if not after:
                os.unlink(name, dir_fd=folder)
                return
            descriptor, beside = _fs.make_beside(folder, name, self.mode)
            try:
                with os.fdopen(descriptor, "wb") as target:
                    self._write(after, target)
                    target.flush()
                    if before:
                        os.fchmod(descriptor, stat.S_IMODE(_fs.status_at(folder, name).st_mode) & 0o777)
                    os.utime(descriptor, ns=(stamp, stamp))
                if before:
                    _fs.exchange(folder, beside, folder, name)
                else:
                    _fs.rename(folder, beside, folder, name)
                    return
            except BaseException:
                os.unlink(beside, dir_fd=folder)
                raise
            os.unlink(beside, dir_fd=folder)

    def _write(self, blob: str, target: IO[bytes]) -> None:
        # LIMIT: as git keeps it: line ends that .gitattributes would have it write otherwise stay as they are kept.
        command = self._git.argv("cat-file", "blob", blob)
        with (
            os.fdopen(os.memfd_create("complaint"), "r+b") as said,
            subprocess.Popen(
                command, cwd=self._git.top, env=tools.environment(self._git.environment()), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said
            ) as process,
        ):
            assert process.stdout is not None
            shutil.copyfileobj(process.stdout, target, 1 << 20)
            if process.wait():
                said.seek(0)
                raise tools.failed(command, process.returncode, said.read(1 << 16))

    def inverse(self) -> Step:
        return replace(self, back=not self.back)

    def state(self) -> str:
        try:
            found = self._found()
        except (NlshError, OSError):
            return "unknown"
        before, after, _ = self._ends
        return {before: "undone", after: "done"}.get(found, "unknown")

    def touches(self) -> tuple[str, ...]:
        return (os.path.dirname(self._path),)
