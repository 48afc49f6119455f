"""Which step throws a thing away, for the actions that do."""

from __future__ import annotations

import os
import time
from dataclasses import replace

from nlsh.plan.errors import Refused
from nlsh.steps.trash import TrashPath, info_text
from nlsh.world import World
from nlsh.world.files import identify
from nlsh.world.trash import Bin, bin_for, free_name, is_in_trash


class Bins:
    """Gives the steps of one call, each thing under a name of its own in its trash."""

    def __init__(self, world: World) -> None:
        self._taken = set(world.planned)
        self._numbers: dict[str, int] = {}
        # By folder: whether it lies in a trash, and (with the file system) to which trash goes what is in it.
        self._within: dict[str, bool] = {}
        self._found: dict[tuple[str, int], Bin] = {}
        self._when = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(world.now()))

    def throw(self, path: str) -> TrashPath:
        """Return the step that throws `path` away. Raises Refused for what is in the trash, or holds it."""
        folder, name = os.path.split(path)
        if folder not in self._within:
            self._within[folder] = is_in_trash(folder)
        if self._within[folder] or (name in ("Trash", f".Trash-{os.getuid()}") and is_in_trash(path)):
            raise Refused(f"{path} is in the trash already.", hint="Nothing was changed. file.delete removes it for good.")
        bin = self._bin(path)
        if f"{bin.folder}/".startswith(path + "/"):
            raise Refused(f"The trash itself is in {path}.", hint="Nothing was changed. Name what in it is meant.")
        name = free_name(bin.folder, name, self._taken, self._numbers)
        self._taken.add(os.path.join(bin.folder, "files", name))
        return TrashPath(path, bin.folder, name, info_text(bin.written, self._when), identify(path), bin.missing, bin.same_device, os.path.islink(path))

    def _bin(self, path: str) -> Bin:
        folder, name = os.path.split(path)
        key = folder, os.lstat(path).st_dev
        if key not in self._found:
            self._found[key] = bin_for(path)
        known = self._found[key]
        return replace(known, written=os.path.join(os.path.dirname(known.written), name))
