"""Everything below a folder, for what changes the things themselves: all of it or nothing."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator

from nlsh.plan.errors import NotPossible, Refused
from nlsh.world.files import status_of, walk


def all_below(root: str, verb: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield place and status of all that is below `root`, the deepest first; links are left out, as what they lead to may be anywhere.

    Raises NotPossible where a folder cannot be read, and Refused as root for a file that is also somewhere else under another name.
    """
    if stat.S_ISLNK(status_of(root).st_mode):
        return
    skipped: list[str] = []
    found = [(e.path, e.stat(follow_symlinks=False)) for e in walk(root, skipped=skipped) if not e.is_symlink()] if os.path.isdir(root) else []
    if skipped:
        raise NotPossible(f"{skipped[0]} cannot be read: nlsh does not {verb} a part of what is below {root}.", hint="Nothing was changed. Name what is meant.")
    if os.geteuid() == 0:
        _refuse_named_elsewhere(found, root, verb)
    found.sort(key=lambda item: item[0].count("/"), reverse=True)
    yield from found


def _refuse_named_elsewhere(found: list[tuple[str, os.stat_result]], root: str, verb: str) -> None:
    """Raise Refused for a hard link: who may write to a folder that root is asked to change may have put another's file in it."""
    linked = [(path, s) for path, s in found if stat.S_ISREG(s.st_mode) and s.st_nlink > 1]
    names = Counter((s.st_dev, s.st_ino) for _, s in linked)
    for path, status in linked:
        if names[status.st_dev, status.st_ino] < status.st_nlink:
            raise Refused(
                f"{path} is also a file outside {root} (a hard link): nlsh does not {verb} that one with it as root.",
                hint="Nothing was changed. Remove or copy it first, or name what else is meant.",
            )
