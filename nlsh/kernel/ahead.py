"""Reading ahead: calls of a plan that only read run beside earlier ones, where that cannot be told from running them in turn.

What a run shows, journals and answers comes from the calls in their order: what was read ahead is held back, over a bounded queue, until its turn, and is
dropped where an earlier call fails or the user stops. Only what reads runs ahead, so that there is never more than one call that changes something
under way, and none before all earlier ones have ended: the journal's rule for what a crash has left, that steps run one after the other, holds as ever.

Which calls may run ahead of which:

- one that only reads files, devices or buses, or by tools, of others that do;
- the same of one that changes files, if it reads nothing but files, and none that the other writes, removes or alters, nor any below or above such: by
  their real paths, and only where there is no second name for them (a hard link, another mount);
- none of one that measures the machine or waits for something: a reading beside other work would be another reading.
"""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

from nlsh.kernel.work import drive
from nlsh.plan import registry

if TYPE_CHECKING:
    from nlsh.guard.grant import Grant
    from nlsh.guard.sandbox.zygote import Zygote
    from nlsh.kernel.bus import StepMessages
    from nlsh.kernel.workers import Workers
    from nlsh.plan.plan import PreviewedCall

_READS = {"fs.read", "tool.read", "dev.read", "bus.read"}
_CHANGES_FILES = {"fs.write", "fs.delete", "fs.meta"}
_ROOM = 32  # messages of a call that wait for its turn


def may_overtake(later: PreviewedCall, earlier: PreviewedCall) -> bool:
    """Return whether `later` may run beside, or before, `earlier`: nobody could tell."""
    if not _only_reads(later):
        return False
    if _only_reads(earlier):
        return True
    kinds = {e.kind for e in earlier.effects}
    if not kinds & _CHANGES_FILES or kinds - _CHANGES_FILES - {"fs.read"} or any(e.kind != "fs.read" for e in later.effects):
        return False
    changed = [os.path.normpath(e.target) for e in earlier.effects if e.kind != "fs.read"]
    return _are_apart(changed, [e.target for e in later.effects])


def _only_reads(call: PreviewedCall) -> bool:
    steps_read = all(s.reads_only for s in call.steps) and {e.kind for e in call.effects} <= _READS
    return steps_read and bool(call.steps) and not registry.get(call.call.action).live


def _are_apart(changed: Sequence[str], read: Sequence[str]) -> bool:
    """Return whether nothing that is changed is, holds or lies in what is read, under whatever name."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            # A space in a path is written \040.
            mounts = [re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), line.split()[4]) for line in file]
    except (OSError, IndexError):
        return False
    alter = [os.path.realpath(os.path.dirname(p)).rstrip("/") + "/" + os.path.basename(p) for p in changed]
    look = [os.path.realpath(p) for p in read]
    # Names that differ only in case, or in how accents are written, may be one, on some file systems.
    plain = [[unicodedata.normalize("NFD", p).casefold() for p in paths] for paths in (alter, look)]
    if any(a == b or _is_in(a, b) or _is_in(b, a) for a in plain[0] for b in plain[1]):
        return False
    # Of two mounts, one may show the other's files.
    if len({max((m for m in mounts if p == m or _is_in(p, m)), key=len, default="") for p in (*alter, *look)}) > 1:
        return False
    if any(m != r and _is_in(m, r) for m in mounts for r in (*alter, *look)):
        return False
    return all(_has_one_name(p) for p in alter)


def _is_in(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")


def _has_one_name(path: str) -> bool:
    """Return whether what is at a path, if anything is, is a file of that name alone; of a folder, nobody knows what names the files in it have."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1


class Ahead:
    """The calls of a plan that run ahead of their turn. `left` are the positions of those that are to be run; close it when the run has ended."""

    def __init__(self, calls: Sequence[PreviewedCall], left: Sequence[int], grants: Sequence[Grant | None], zygote: Zygote, cwd: str) -> None:
        self._calls, self._left, self._grants, self._zygote, self._cwd = calls, list(left), grants, zygote, cwd
        self._workers: Workers | None = None
        self._begun: dict[int, StepMessages] = {}

    def begin(self, position: int) -> None:
        """Have those run ahead that may, now that it is the turn of the call at `position`."""
        before = [self._calls[position]]
        for later in self._left[self._left.index(position) + 1 :]:
            call = self._calls[later]
            grant = self._grants[later]
            if later not in self._begun and grant is not None and all(may_overtake(call, earlier) for earlier in before):
                self._begun[later] = self._submit(later, call, grant)
            before.append(call)

    def take(self, position: int) -> Generator[dict[str, Any], None, None] | None:
        """Return the messages of a call whose turn it is, if it runs ahead: one that waits for a worker has its turn like any other."""
        messages = self._begun.get(position)
        if messages is None or self._workers is None or self._workers.withdraw(position):
            return None
        return _followed(messages)

    def close(self) -> None:
        """End what runs ahead still: its turn does not come."""
        if self._workers is not None:
            self._workers.close()

    def _submit(self, position: int, call: PreviewedCall, grant: Grant) -> StepMessages:
        from nlsh.kernel.scheduler import Needs, Scheduler, Task
        from nlsh.kernel.workers import Workers

        if self._workers is None:
            # The call whose turn it is has a core, too.
            self._workers = Workers(self._zygote, Scheduler(Needs(float(max(1, len(os.sched_getaffinity(0)) - 1)))))
        return self._workers.submit(Task(position), len(call.steps), lambda part: drive(part, call, lambda: grant, self._cwd), room=_ROOM)


def _followed(messages: StepMessages) -> Generator[dict[str, Any], None, None]:
    try:
        yield from messages
    finally:
        messages.drop()
