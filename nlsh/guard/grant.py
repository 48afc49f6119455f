"""Grant: the effects a worker is confined to, resolved to the folders, processes and ports that the kernel can enforce.

It owns what each effect amounts to, and what no grant ever holds. Entering the sandbox for it is `nlsh.guard.sandbox`'s.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from nlsh.guard import secrets
from nlsh.plan.effects import Effect
from nlsh.plan.errors import Denied
from nlsh.steps.handles import started_ticks

_CHANGES = ("fs.write", "fs.delete", "fs.meta")
# A command of the user's, or a program that an action names.
RUNS = ("exec", "tool.read", "tool.run")
LEVELS = ("L0", "L1", "L2")


@dataclass(frozen=True)
class Grant:
    """What a worker may do. Paths are resolved; `processes` are (pid, start in clock ticks, what for: signal, tune or read).

    `read`: files and trees to read. `change`: folders in which files may be made, written, renamed and removed, with all below.
    `remove`: folders in which they may only be removed. `meta`: what may get other attributes (Landlock does not see those).
    `hidden`: what is left out of all of them. `level_required`: the level of enforcement without which it is not entered.
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

    @classmethod
    def of(cls, effects: Iterable[Effect], *, level_required: str | None = None, closed: Iterable[str] = ()) -> Grant:
        """Build the grant of `effects`. Raises Denied where one of them is nlsh's own, or a secret.

        `closed` are paths that policy forbids to read, besides the secrets. `level_required` is L1 (Landlock) for what changes anything, else L0.
        """
        wanted = tuple(sorted(set(effects)))
        hidden, own = secrets.hidden(), frozenset(secrets.own())
        unread = frozenset((*hidden, *closed))
        parents: dict[str, str] = {}
        runs = any(e.kind in RUNS for e in wanted)
        # A folder that is written as a tree is also removed from as a tree: what is deleted is what lies in it, not the folder itself.
        written = {_place(e.target, parents) for e in wanted if e.kind == "fs.write"}
        found: dict[str, dict[str, None]] = {name: {} for name in ("read", "change", "remove", "meta", "devices")}
        for effect in wanted:
            if effect.kind == "fs.read":
                path = _place(effect.target, parents)
                if os.path.islink(path):
                    path = os.path.realpath(path)
                _refuse_hidden(effect, path, unread, own, tree=False)
                found["read"][path] = None
            elif effect.kind in _CHANGES:
                path = _place(effect.target, parents)
                tree = _is_folder(path)
                if runs and not tree:
                    # A command's folder is a folder when it is approved. If it has become a link, its own folder must not stand for it.
                    raise Denied(f"{effect.target} is no folder any more.", hint="Nothing was run. Look at it and ask again.")
                _refuse_hidden(effect, path, frozenset(hidden), own, tree=tree and effect.kind != "fs.meta")
                if effect.kind == "fs.meta":
                    found["meta"][path] = None
                elif effect.kind == "fs.delete":
                    found["remove"][path if tree and path in written else _standing(os.path.dirname(path), parents)] = None
                else:
                    # LIMIT: all below it, a project's own .nlsh/policy.toml included: to keep a part of a folder needs a mount namespace.
                    found["change"][path if tree else _standing(os.path.dirname(path), parents)] = None
            elif effect.kind == "fs.log":
                # Made and opened before the worker is confined: its folder is not granted.
                _refuse_hidden(effect, _place(effect.target, parents), frozenset(hidden), own, tree=False)
            elif effect.kind in ("dev.control", "dev.format"):
                found["devices"][_place(effect.target, parents)] = None
        roots = {name: tuple(sorted(paths)) for name, paths in found.items()}
        # To wait for the end of a process takes a pidfd, and no leave to do anything to it.
        named = (e for e in wanted if e.kind in ("proc.signal", "proc.tune") or (e.kind == "proc.read" and e.target.isdigit()))
        processes = tuple(sorted(_process(e) for e in named))
        level = level_required or ("L1" if any(e.changes for e in wanted) else "L0")
        return cls(effects=wanted, **roots, processes=processes, hidden=tuple(dict.fromkeys((*hidden, *closed))), level_required=level)

    def has(self, *kinds: str) -> bool:
        """Whether an effect is of one of these kinds."""
        return any(e.kind in kinds for e in self.effects)

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
        return self.has("proc.read") and not self.runs and not any(e.changes for e in self.effects)

    def refused(self, path: str) -> bool:
        """Whether a refusal to do something with `path` can only be this grant's, not the system's own permissions'."""
        real = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
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
        return asdict(self)

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Grant:
        """Rebuild a grant. Raises TypeError and KeyError for other data."""
        fields = {k: tuple(v) if isinstance(v, (list, tuple)) else v for k, v in data.items()}
        fields["effects"] = tuple(Effect(**e) for e in data["effects"])
        fields["processes"] = tuple((int(p), int(s), str(w)) for p, s, w in data["processes"])
        return cls(**fields)

    def digest(self) -> str:
        """Return the SHA-256 of the grant, for the audit."""
        return hashlib.sha256(json.dumps(self.as_data(), sort_keys=True).encode()).hexdigest()


def _within(path: str, root: str) -> bool:
    return path == root or root == "/" or path.startswith(root + "/")


def _place(target: str, parents: dict[str, str]) -> str:
    """Return the path with the links on its way followed, and a link at its end left alone: steps change the link, not what it names."""
    absolute = os.path.normpath(target)
    folder, name = os.path.split(absolute)
    if folder not in parents:
        parents[folder] = os.path.realpath(folder)
    return os.path.join(parents[folder], name) if name else "/"


def _standing(folder: str, parents: dict[str, str]) -> str:
    """Return the nearest folder that exists: where one has to be made first, it is made there."""
    key = "\0" + folder
    if key not in parents:
        path = folder
        while not os.path.isdir(path):
            path = os.path.dirname(path)
        parents[key] = os.path.realpath(path)
    return parents[key]


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def _refuse_hidden(effect: Effect, path: str, hidden: frozenset[str], own: frozenset[str], *, tree: bool) -> None:
    """Raise Denied for what is hidden, and for a change of a whole tree with nlsh's own in it."""
    around = secrets.above(os.path.dirname(path)) | {path}
    if not own.isdisjoint(around) or (tree and any(_within(o, path) for o in own)):
        raise Denied(
            f"{effect.kind} may not touch {effect.target}: it holds nlsh's own policy, journal or audit.",
            hint="Nothing was changed. No plan can touch these; edit the policy yourself, outside nlsh.",
        )
    if not hidden.isdisjoint(around):
        raise Denied(f"{effect.kind} may not touch {effect.target}: it is kept secret from plans.", hint="Nothing was changed. Open it yourself, outside nlsh.")


def _process(effect: Effect) -> tuple[int, int, str]:
    try:
        pid = int(effect.target)
    except ValueError:
        raise Denied(f"{effect.kind} needs one process id, not “{effect.target}”.", hint="Nothing was changed.") from None
    return pid, started_ticks(pid), effect.kind.partition(".")[2]


def _names(paths: tuple[str, ...]) -> str:
    return ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
