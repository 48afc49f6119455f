"""What has to be done so that one folder has what another has: the two trees compared by name, type, size and time."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from nlsh.actions.file import _chosen
from nlsh.actions.file._bins import Bins
from nlsh.plan.errors import NotPossible, Refused
from nlsh.plan.steps import Step
from nlsh.steps.files import ChangeMode, CopyPath, MakeFolder, SetTimes
from nlsh.steps.links import AddName
from nlsh.steps.replace import replacing
from nlsh.world.files import identity, is_same, loosened, status_of, walk

Tree = dict[str, os.stat_result]


def tree(root: str) -> Tree:
    """Return what is below a folder: the path from there, with its status, folders before what is in them. Raises NotPossible where not all can be read."""
    skipped: list[str] = []
    found = {}
    for entry in walk(root, skipped=skipped):
        try:
            found[entry.path[len(root) + 1 :]] = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue  # gone meanwhile
    if skipped:
        raise NotPossible(f"{skipped[0]} cannot be read.", hint="Nothing was changed. See who may read it with file.info.")
    return found


class Comparison:
    """The folder `source` and the folder `target`, which may be missing, and the steps that bring the second up to date.

    A file that was changed later in the target stays as it is there, unless `force` says that it is replaced, too.
    """

    def __init__(self, source: str, target: str, bins: Bins, *, force: bool = False) -> None:
        self.source, self.target, self._bins, self._force = source, target, bins, force
        self._newer: list[str] = []
        self._from, self._to = tree(source), tree(target) if os.path.isdir(target) else {}
        self.bytes_needed = 0
        self._gone: set[str] = set()
        self._names: dict[tuple[int, int], str] = {}

    def steps(self, mirror: bool) -> Iterator[Step]:
        """Yield the steps. With `mirror`, what only the target has is thrown away. Raises Refused where a folder stands for a file or the reverse."""
        if mirror:
            yield from self._extra()
        finished: list[Step] = []
        if not os.path.isdir(self.target):
            yield self._folder("", status_of(self.source), finished)
        for way, status in self._from.items():
            _chosen.refuse_special(os.path.join(self.source, way), status.st_mode)
            there = None if way in self._gone else self._to.get(way)
            if there is not None and stat.S_ISDIR(there.st_mode) != stat.S_ISDIR(status.st_mode):
                what = ("a folder", "a file") if stat.S_ISDIR(there.st_mode) else ("a file", "a folder")
                raise Refused(
                    f"{os.path.join(self.target, way)} is {what[0]} and {os.path.join(self.source, way)} is {what[1]}.",
                    hint="Nothing was changed. Move the first away, or say mirror=true: then it goes to the trash.",
                )
            if stat.S_ISDIR(status.st_mode):
                yield from (self._folder(way, status, finished),) if there is None else self._mode(os.path.join(self.target, way), status, there)
            else:
                yield from self._other(way, status, there)
        yield from reversed(finished)

    def notes(self) -> tuple[str, ...]:
        """Return what the preview says of the files that are newer in the target, once the steps are known."""
        if not self._newer:
            return ()
        one = len(self._newer) == 1
        named = ", ".join(self._newer[:3]) + (f" and {len(self._newer) - 3:,} more" if len(self._newer) > 3 else "")
        what = f"{named} {'is' if one else 'are'} newer in {self.target} than in {self.source}"
        if self._force:
            return (f"{what} and {'is' if one else 'are'} replaced, too: the newer {'one goes' if one else 'ones go'} to the trash.",)
        return (f"{what} and {'stays as it is' if one else 'stay as they are'}. force=true replaces {'it' if one else 'them'}.",)

    def _extra(self) -> Iterator[Step]:
        for way, status in self._to.items():
            above = os.path.dirname(way)
            if above in self._gone:
                self._gone.add(way)  # it goes along
                continue
            wanted = self._from.get(way)
            other_kind = wanted is not None and stat.S_ISDIR(wanted.st_mode) != stat.S_ISDIR(status.st_mode)
            if wanted is None or other_kind:
                self._gone.add(way)
                yield self._bins.throw(os.path.join(self.target, way))

    def _folder(self, way: str, status: os.stat_result, finished: list[Step]) -> Step:
        path = os.path.join(self.target, way) if way else self.target
        mode = stat.S_IMODE(status.st_mode) & 0o1777
        finished.append(SetTimes(path, status.st_atime_ns, status.st_mtime_ns, mode, mode | 0o700))
        return MakeFolder(path, mode | 0o700, os.path.join(self.source, way) if way else self.source)

    def _mode(self, path: str, status: os.stat_result, there: os.stat_result) -> Iterator[Step]:
        old, new = stat.S_IMODE(there.st_mode), stat.S_IMODE(status.st_mode) & 0o1777
        if old & 0o1777 != new and not old & 0o6000:
            yield ChangeMode(path, new, old, identity(there))

    def _other(self, way: str, status: os.stat_result, there: os.stat_result | None) -> Iterator[Step]:
        source, target = os.path.join(self.source, way), os.path.join(self.target, way)
        link = stat.S_ISLNK(status.st_mode)
        if there is not None and stat.S_IFMT(there.st_mode) == stat.S_IFMT(status.st_mode):
            # Links are told apart by where they lead, pipes not at all.
            same = os.readlink(source) == os.readlink(target) if link else not stat.S_ISREG(status.st_mode) or is_same(there, loosened(identity(status)))
            if same:
                if not link:
                    yield from self._mode(target, status, there)
                self._names.setdefault((status.st_dev, status.st_ino), target)
                return
        if there is not None and stat.S_ISREG(there.st_mode) and there.st_mtime_ns > status.st_mtime_ns:
            self._newer.append(way)
            if not self._force:
                return  # nor is it a copy of this one that another name of it could be made from
        first = self._names.setdefault((status.st_dev, status.st_ino), target) if status.st_nlink > 1 else target
        if there is None and first != target:
            yield AddName(first, target, loosened(identity(status)))
            return
        self.bytes_needed += status.st_blocks * 512
        if there is None:
            yield CopyPath(source, target, identity(status), link)
            return
        away = self._bins.throw(target)
        if away.same_device:
            yield replacing(source, identity(status), link, away)
        else:
            yield away
            yield CopyPath(source, target, identity(status), link)
