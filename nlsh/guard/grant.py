"""Grant: the effects a worker is confined to, resolved to the folders, processes and ports that the kernel can enforce.

It owns what each effect amounts to, and what no grant ever holds. Entering the sandbox for it is `nlsh.guard.sandbox`'s.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from nlsh.guard import demands, protected, secrets
from nlsh.guard.paths import goal_of, place_of
from nlsh.plan.effects import KINDS, Effect
from nlsh.plan.errors import Denied
from nlsh.plan.frozen import frozen
from nlsh.steps.handles import started_ticks

_CHANGES = ("fs.write", "fs.delete", "fs.meta")
# A command of the user's, or a program that an action names.
RUNS = ("exec", "tool.read", "tool.run")
LEVELS = ("L0", "L1", "L2", "L3")


@frozen(slots=False)
class Grant:
    """What a worker may do. Paths are resolved; `processes` are (pid, start in clock ticks, what for: signal, tune or read).

    `read`: files and trees to read. `change`: folders in which files may be made, written, renamed and removed, with all below.
    `remove`: folders in which they may only be removed. `meta`: what may get other attributes (Landlock does not see those).
    `hidden`: what is left out of all of them. `protect`: what stays as it is below what may be changed, where there is a mount view.
    `level_required`: the level of enforcement without which it is not entered.
    """

    effects: tuple[Effect, ...]
    read: tuple[str, ...]
    change: tuple[str, ...]
    remove: tuple[str, ...]
    meta: tuple[str, ...]
    devices: tuple[str, ...]
    processes: tuple[tuple[int, int, str], ...]
    hidden: tuple[str, ...]
    level_required: str
    protect: tuple[str, ...] = ()

    @classmethod
    def of(cls, effects: Iterable[Effect], *, level_required: str | None = None, closed: Iterable[str] = (), places: Mapping[str, str] | None = None) -> Grant:
        """Build the grant of `effects`. Raises Denied where one of them is nlsh's own, or a secret.

        `closed` are paths that policy forbids to read, besides the secrets. `level_required` is L1 (Landlock) for what changes anything, else L0,
        and at least what `[guard] require` of a policy file says. Raises SettingsError where such a file is not valid. `places` is where the paths
        led when they were previewed (`paths.places_of`): there, and nowhere else, is what is granted.
        """
        wanted = tuple(sorted(set(effects)))
        if any("\0" in e.target for e in wanted):
            raise Denied("A path cannot have a NUL character in it.", hint="Nothing was changed.")
        hidden, own = secrets.hidden(), frozenset(secrets.own())
        to_change, to_read = _Closed(frozenset(hidden), own), _Closed(frozenset((*hidden, *closed)), own)
        parents = dict(places or {})
        changed: set[str] = set()
        runs = any(e.kind in RUNS for e in wanted)
        # A folder that is written as a tree is also removed from as a tree: what is deleted is what lies in it, not the folder itself.
        paths = {e: place_of(e.target, parents) for e in wanted if e.kind.startswith("fs.")}
        written = {path for effect, path in paths.items() if effect.kind == "fs.write"}
        found: dict[str, dict[str, None]] = {name: {} for name in ("read", "change", "remove", "meta", "devices")}
        for effect in wanted:
            if effect.kind == "fs.read":
                path = goal_of(paths[effect], parents)
                to_read.refuse(effect, path, tree=False)
                found["read"][path] = None
            elif effect.kind in _CHANGES:
                path = paths[effect]
                tree = _is_folder(path)
                if runs and (not tree or os.path.realpath(path) != path):
                    # A command's folder is a folder when it is approved. If it has become a link, its own folder must not stand for it.
                    raise Denied(f"{effect.target} is no folder any more, or a link leads there now.", hint="Nothing was run. Look at it and ask again.")
                to_change.refuse(effect, path, tree=tree and effect.kind != "fs.meta")
                changed.add(path)
                if effect.kind == "fs.meta":
                    # Attributes may be set through a link: what it leads to must not be a secret either.
                    to_change.refuse(effect, goal_of(path, parents), tree=False)
                    found["meta"][path] = None
                elif effect.kind == "fs.delete":
                    found["remove"][path if tree and path in written else _standing(path, parents)] = None
                else:
                    # All below it: what of that stays as it is (`protect`) takes a mount view.
                    found["change"][path if tree else _standing(path, parents)] = None
            elif effect.kind == "fs.log":
                # Made and opened before the worker is confined: its folder is not granted.
                to_change.refuse(effect, paths[effect], tree=False)
            elif effect.kind in ("dev.control", "dev.format"):
                found["devices"][place_of(effect.target, parents)] = None
        roots = {name: tuple(sorted(paths)) for name, paths in found.items()}
        # To wait for the end of a process takes a pidfd, and no leave to do anything to it.
        named = (e for e in wanted if e.kind in ("proc.signal", "proc.tune") or (e.kind == "proc.read" and e.target.isdigit()))
        processes = tuple(sorted(_process(e) for e in named))
        usual = "L1" if any(e.changes for e in wanted) else "L0"
        level = max(level_required or usual, demands.found().require)
        kept = protected.in_reach(
            (*roots["change"], *roots["remove"], *roots["meta"]), changed, secrets.homes(), programs=runs, commands=any(e.kind == "exec" for e in wanted)
        )  # fmt: skip
        every = tuple(dict.fromkeys((*hidden, *closed)))
        return cls(effects=wanted, **roots, processes=processes, hidden=every, level_required=level, protect=tuple(kept))

    def with_folder(self, folder: str) -> Grant:
        """Return this grant with leave to change a folder: for a worker in whose view there is only a copy of it. Raises Denied as `of` does."""
        more = (Effect(kind, folder) for kind in _CHANGES)
        return replace(Grant.of((*self.effects, *more)), hidden=self.hidden)

    def has(self, *kinds: str) -> bool:
        """Whether an effect is of one of these kinds."""
        return not self._kinds.isdisjoint(kinds)

    @cached_property
    def _kinds(self) -> frozenset[str]:
        return frozenset(e.kind for e in self.effects)

    @property
    def runs(self) -> bool:
        """Whether programs may be run: the user's command, or a tool that an action names."""
        return self.has(*RUNS)

    @property
    def changes_files(self) -> bool:
        return self.has(*_CHANGES)

    @property
    def looks_into_processes(self) -> bool:
        """Whether it only reads, and reads other processes: /proc/PID/fd of one outside a Landlock domain is closed to those inside."""
        # Not where programs are run: these would be confined to nothing.
        return self.has("proc.read") and not self.runs and not any(KINDS[kind][1] for kind in self._kinds)

    def refused(self, path: str, *, busy: bool = False) -> bool:
        """Whether a refusal to do something with `path` can only be this grant's, not the system's own; `busy`: because something is mounted there."""
        real = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        if any(_within(real, p) for p in self.protect):
            return True
        if busy:
            return False
        if any(_within(real, h) for h in self.hidden):
            return True
        if any(_within(real, root) for root in (*self.change, *self.remove, *self.meta, *self.devices)):
            return False
        if any(_within(real, root) for root in self.read):
            # access(2) asks the permissions alone: where they allow reading, it was a change that was refused.
            return os.access(real, os.R_OK, follow_symlinks=True)
        return True

    def describe(self) -> tuple[str, ...]:
        """Return, in sentences, what the kernel holds the worker to."""
        said = []
        if self.read:
            said.append(f"may read {_names(self.read)}, secrets left out")
        if self.change:
            said.append(f"may write in {_names(self.change)}")
        if self.remove:
            said.append(f"may remove from {_names(self.remove)}")
        if not self.changes_files:
            said.append("cannot change any file")
        if self.looks_into_processes:
            said.append("which files it reads is not confined: it looks into other processes, which Landlock would forbid")
        said.append("may use the network as approved" if self.has("net.connect", "net.listen") else "cannot use the network")
        if any(e.kind == "net.connect" and (e.target == "*" or e.target.startswith(("dns://", "udp://"))) for e in self.effects):
            said.append("to which hosts it sends datagrams is not confined: no kernel holds those to one")
        if not self.runs:
            said.append("cannot run programs")
        return tuple(said)

    def as_data(self) -> dict[str, Any]:
        """Return JSON-able data; `from_data` is its inverse."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Grant:
        """Rebuild a grant. Raises TypeError and KeyError for other data."""
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, (list, tuple)) else v for k, v in data.items()}
        fields["effects"] = tuple(Effect(*e) for e in data["effects"])
        fields["processes"] = tuple((int(p), int(s), str(w)) for p, s, w in data["processes"])
        return cls(**fields)

    def digest(self) -> str:
        """Return the SHA-256 of the grant, for the audit."""
        return hashlib.sha256(json.dumps(self.as_data(), sort_keys=True).encode()).hexdigest()


def _within(path: str, root: str) -> bool:
    return path == root or root == "/" or path.startswith(root + "/")


def _standing(place: str, parents: dict[str, str]) -> str:
    """Return the folder that `place` is in, or the nearest around it that exists: where one has to be made first, it is made there.

    A link that has come to be on the way since it was followed is no folder: what is below it is not granted.
    """
    folder = place.rpartition("/")[0] or "/"
    key = "\0standing " + folder
    if (known := parents.get(key)) is None:
        known = folder
        while not _is_folder(known):
            known = os.path.dirname(known)
        parents[key] = known
    return known


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


class _Closed:
    """What no grant holds: what is hidden, and nlsh's own. Of many things in one folder, the folder is looked at once."""

    def __init__(self, hidden: frozenset[str], own: frozenset[str]) -> None:
        self._hidden, self._own = hidden, own
        self._folders: dict[str, tuple[bool, bool]] = {}

    def refuse(self, effect: Effect, path: str, *, tree: bool) -> None:
        """Raise Denied for what is hidden, and for a change of a whole tree with nlsh's own in it."""
        folder = path.rpartition("/")[0] or "/"
        if (known := self._folders.get(folder)) is None:
            around = secrets.above(folder)
            known = self._folders[folder] = not self._own.isdisjoint(around), not self._hidden.isdisjoint(around)
        in_own, in_hidden = known
        if in_own or path in self._own or (tree and any(_within(o, path) for o in self._own)):
            raise Denied(
                f"{effect.kind} may not touch {effect.target}: it holds nlsh's own policy, journal or audit.",
                hint="Nothing was changed. No plan can touch these; edit the policy yourself, outside nlsh.",
            )
        if in_hidden or path in self._hidden:
            hint = "Nothing was changed. Open it yourself, outside nlsh."
            raise Denied(f"{effect.kind} may not touch {effect.target}: it is kept secret from plans.", hint=hint)


def _process(effect: Effect) -> tuple[int, int, str]:
    try:
        pid = int(effect.target)
    except ValueError:
        raise Denied(f"{effect.kind} needs one process id, not “{effect.target}”.", hint="Nothing was changed.") from None
    return pid, started_ticks(pid), effect.kind.partition(".")[2]


def _names(paths: tuple[str, ...]) -> str:
    return ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
