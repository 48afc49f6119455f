"""What a command changed in a layer, read from it and from the folder below: created, changed, deleted, moved, given other attributes.

It owns how overlayfs writes these down. It reads both sides through folder descriptors, never follows a link and never opens a pipe.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from nlsh.plan.errors import NotPossible, StaleStep
from nlsh.world.files import identity
from nlsh.world.layers import OWN_ATTRIBUTES, Change, ChangeSet, Piece, Side, Tree, attributes_of, is_whiteout, root_file_of, tree_of, upper_of

_O_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_O_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_BLOCK = 1 << 20
_NOTHING_BELOW = Tree()
_SET_ID = stat.S_ISUID | stat.S_ISGID


def read(layer: str) -> ChangeSet:
    """Return what lies in a layer as changes of the folder it is over. Raises StaleStep where that is another one now, NotPossible where it cannot be read."""
    try:
        with open(root_file_of(layer), encoding="utf-8") as file:
            about = json.load(file)
            since = os.fstat(file.fileno()).st_ctime_ns
        root = about["root"]
        lower = os.open(root, _O_FOLDER)
        upper = os.open(upper_of(layer), _O_FOLDER)
    except (OSError, ValueError, KeyError) as error:
        raise NotPossible(f"What the command did cannot be read: {error}.", hint="Nothing was changed.") from error
    try:
        if list(identity(os.fstat(lower))) != about["identity"]:
            raise StaleStep(f"{root} is another folder now.", hint="Nothing was changed. Run the command again.")
        found = ChangeSet(root, layer, since)
        reader = _Reader(found)
        reader.folder("", lower, upper, opaque=False, steps=True)
        found.changes = _with_moves(found)
        return found
    except OSError as error:
        raise NotPossible(f"What the command did cannot be read: {error}.", hint="Nothing was changed.") from error
    finally:
        os.close(lower)
        os.close(upper)


class _Reader:
    """Walks both sides at once."""

    def __init__(self, found: ChangeSet) -> None:
        self._found = found

    def folder(self, path: str, lower: int, upper: int, *, opaque: bool, steps: bool) -> None:
        """Compare a folder that is on both sides. `steps` false: it is replaced as a whole, and only told in detail."""
        own = len(self._found.pieces)
        here = os.listdir(upper)
        for name in sorted({*here, *(os.listdir(lower) if opaque else ())}):
            self._entry(os.path.join(path, name), name, lower, upper, opaque=opaque, steps=steps)
        if steps:
            self._folder_itself(path, lower, upper, inside=own)

    def _entry(self, path: str, name: str, lower: int, upper: int, *, opaque: bool, steps: bool) -> None:
        old, new = _status(lower, name), _status(upper, name)
        if new is not None and is_whiteout(upper, name, new):
            new = None
        if old is not None and (new is None or not _both_folders(old, new)):
            self._watch(path, old)
        if new is None:
            if old is not None:
                tree = self._tell(path, lower, name, old, "deleted")
                self._piece(steps, Piece("gone", path, _side(lower, name, old, tree)))
        elif old is None:
            tree = self._tell(path, upper, name, new, "created")
            self._piece(steps, Piece("new", path, None, _side(upper, name, new, tree)))
        elif _both_folders(old, new):
            self._both(path, name, lower, upper, old, new, steps=steps)
        elif stat.S_IFMT(old.st_mode) == stat.S_IFMT(new.st_mode):
            self._compare(path, name, lower, upper, old, new, steps=steps)
        else:
            gone = self._tell(path, lower, name, old, "deleted")
            made = self._tell(path, upper, name, new, "created")
            if stat.S_ISDIR(old.st_mode) or stat.S_ISDIR(new.st_mode):
                self._piece(steps, Piece("gone", path, _side(lower, name, old, gone)))
                self._piece(steps, Piece("new", path, None, _side(upper, name, new, made)))
            else:
                self._piece(steps, Piece("swap", path, _side(lower, name, old), _side(upper, name, new)))

    def _both(self, path: str, name: str, lower: int, upper: int, old: os.stat_result, new: os.stat_result, *, steps: bool) -> None:
        with _inside(lower, name) as below, _inside(upper, name, mend=True) as above:
            replaced = _is_opaque(above)
            if old.st_ctime_ns > self._found.since_ns >= old.st_mtime_ns:
                self._found.conflicts.append(path)  # another folder has this name now, or it has other attributes
            self.folder(path, below, above, opaque=replaced or not steps, steps=steps and not replaced)
            if replaced and steps:
                gone, newest = tree_of(below)
                made, _ = tree_of(above)
                if newest > self._found.since_ns:
                    self._found.conflicts.append(path)
                self._piece(True, Piece("gone", path, _side(lower, name, old, gone)))
                self._piece(True, Piece("new", path, None, _side(upper, name, new, made)))

    def _compare(self, path: str, name: str, lower: int, upper: int, old: os.stat_result, new: os.stat_result, *, steps: bool) -> None:
        before, after = _side(lower, name, old), _side(upper, name, new)
        kind = _type(old.st_mode)
        shared = "its other names keep the old one" if old.st_nlink > 1 else ""
        if not _same_content(lower, upper, name, old, new):
            self._say("changed", path, kind, old.st_size, new.st_size, shared)
            self._piece(steps, Piece("swap", path, before, after))
            return
        linked = new.st_nlink > 1 and stat.S_ISREG(new.st_mode)
        differs = _differences(old, new, before, after)
        if not differs and not linked:
            return  # copied up and left as it was
        # A file that has got another name must become the one that this name is for.
        in_place = not linked and before.attributes == after.attributes and (old.st_uid, old.st_gid) == (new.st_uid, new.st_gid)
        said = ", ".join((*differs, *(("it gets another name",) if linked else ())))
        self._say("attributes", path, kind, old.st_size, new.st_size, said if in_place or not shared else f"{said}; {shared}")
        self._piece(steps, Piece("attributes" if in_place else "swap", path, before, after))

    def _folder_itself(self, path: str, lower: int, upper: int, *, inside: int) -> None:
        old, new = os.fstat(lower), os.fstat(upper)
        before = Side(identity(old), old.st_mode, old.st_mtime_ns, attributes_of(lower))
        after = Side(identity(new), _mode_before(upper, new), new.st_mtime_ns, attributes_of(upper))
        mode, attributes = before.mode != after.mode, before.attributes != after.attributes
        if mode or attributes:
            differs = [_mode_words(before.mode, after.mode)] if mode else []
            self._say("attributes", path or ".", "folder", None, None, ", ".join((*differs, *(("other attributes",) if attributes else ()))))
        changed_inside = len(self._found.pieces) > inside
        if changed_inside and before.mode & 0o300 != 0o300:
            # What is in it can only be changed while its owner may.
            opened = Side(after.identity, before.mode | 0o700, before.mtime_ns, before.attributes)
            self._found.pieces.insert(inside, Piece("attributes", path, before, opened))
            before = opened
        if mode or attributes or before.mode != after.mode or before.mtime_ns != after.mtime_ns:
            self._found.pieces.append(Piece("attributes", path, before, after))

    def _tell(self, path: str, folder: int, name: str, status: os.stat_result, kind: str) -> Tree:
        """Note a thing that is only on one side, with all that is in it; return what it is known by."""
        old = kind == "deleted"
        size = None if stat.S_ISDIR(status.st_mode) else status.st_size
        self._say(kind, path, _type(status.st_mode), size if old else None, None if old else size)
        if not stat.S_ISDIR(status.st_mode):
            return Tree("", 0, status.st_size)
        try:
            with _inside(folder, name, mend=not old) as inside:

                def say(below: str, entry: os.stat_result) -> None:
                    size = None if stat.S_ISDIR(entry.st_mode) else entry.st_size
                    self._say(kind, f"{path}/{below}", _type(entry.st_mode), size if old else None, None if old else size)

                tree, newest = tree_of(inside, say)
        except PermissionError:
            return Tree()  # nobody can look into it, and it moves as a whole
        if old and newest > self._found.since_ns:
            self._found.conflicts.append(path)
        return tree

    def _watch(self, path: str, status: os.stat_result) -> None:
        # Strictly later: what was done in the same tick as the start, the command has seen.
        if status.st_ctime_ns > self._found.since_ns:
            self._found.conflicts.append(path)

    def _say(self, kind: str, path: str, type: str, before: int | None, after: int | None, note: str = "") -> None:
        self._found.changes.append(Change(kind, path, type, before, after, note))

    def _piece(self, wanted: bool, piece: Piece) -> None:
        if not wanted:
            return
        before = piece.old.mode if piece.old is not None else 0
        # No command of ours can set these; a layer that says so was not written by one.
        if piece.new is not None and piece.new.mode & ~before & _SET_ID and not stat.S_ISDIR(piece.new.mode):
            raise NotPossible(f"{piece.path} would run with its owner's rights (setuid).", hint="Nothing was changed. nlsh never sets that.")
        self._found.pieces.append(piece)


@contextmanager
def _inside(folder: int, name: str, *, mend: bool = False) -> Iterator[int]:
    """Give a descriptor of a folder. `mend`: one of the layer, which the command may have closed to its owner: it is opened for the look."""
    closed: int | None = None
    try:
        opened = os.open(name, _O_FOLDER, dir_fd=folder)
    except PermissionError:
        if not mend:
            raise
        closed = stat.S_IMODE(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
        os.chmod(name, closed | 0o700, dir_fd=folder)
        opened = os.open(name, _O_FOLDER, dir_fd=folder)
        _closed[opened] = closed
    try:
        yield opened
    finally:
        if closed is not None:
            del _closed[opened]
            os.fchmod(opened, closed)
        os.close(opened)


# The modes of folders that are open for a look, by descriptor.
_closed: dict[int, int] = {}


def _mode_before(folder: int, status: os.stat_result) -> int:
    closed = _closed.get(folder)
    return status.st_mode if closed is None else stat.S_IFMT(status.st_mode) | closed


def _status(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _is_opaque(folder: int) -> bool:
    for prefix in OWN_ATTRIBUTES:
        try:
            if os.getxattr(folder, prefix + "opaque") == b"y":
                return True
        except OSError:
            continue
    return False


def _both_folders(old: os.stat_result, new: os.stat_result) -> bool:
    return stat.S_ISDIR(old.st_mode) and stat.S_ISDIR(new.st_mode)


def _side(folder: int, name: str, status: os.stat_result, tree: Tree = _NOTHING_BELOW) -> Side:
    attributes = () if stat.S_ISLNK(status.st_mode) else attributes_of(f"/proc/self/fd/{folder}/{name}")
    return Side(identity(status), status.st_mode, status.st_mtime_ns, attributes, tree, status.st_nlink)


def _differences(old: os.stat_result, new: os.stat_result, before: Side, after: Side) -> list[str]:
    if stat.S_ISLNK(old.st_mode):
        return []
    found = []
    if old.st_mode != new.st_mode:
        found.append(_mode_words(old.st_mode, new.st_mode))
    if old.st_mtime_ns != new.st_mtime_ns:
        found.append("another time")
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
        found.append("another owner")
    if before.attributes != after.attributes:
        found.append("other attributes")
    return found


def _mode_words(old: int, new: int) -> str:
    return f"mode {stat.filemode(old)[1:]} → {stat.filemode(new)[1:]}"


def _same_content(lower: int, upper: int, name: str, old: os.stat_result, new: os.stat_result) -> bool:
    if stat.S_ISLNK(old.st_mode):
        return os.readlink(name, dir_fd=lower) == os.readlink(name, dir_fd=upper)
    if not stat.S_ISREG(old.st_mode):
        return old.st_rdev == new.st_rdev
    if old.st_size != new.st_size:
        return False
    try:
        with os.fdopen(os.open(name, _O_FILE, dir_fd=lower), "rb", 0) as one, os.fdopen(os.open(name, _O_FILE, dir_fd=upper), "rb", 0) as other:
            while block := one.read(_BLOCK):
                if block != other.read(len(block)):
                    return False
    except PermissionError:
        return False  # what cannot be read counts as another one
    return True


def _type(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "link" if stat.S_ISLNK(mode) else "other"


def _with_moves(found: ChangeSet) -> list[Change]:
    """Return the changes with what went from one name to another told as one: a file of the same size and time that came where one has gone."""
    gone: dict[tuple[int, int, int], list[str]] = {}
    for piece in found.pieces:
        if piece.kind == "gone" and piece.old is not None and stat.S_ISREG(piece.old.mode) and piece.old.identity[3]:
            gone.setdefault((piece.old.identity[3], piece.old.mtime_ns, piece.old.mode), []).append(piece.path)
    moved: dict[str, str] = {}
    for piece in found.pieces:
        if piece.kind == "new" and piece.new is not None and stat.S_ISREG(piece.new.mode):
            names = gone.get((piece.new.identity[3], piece.new.mtime_ns, piece.new.mode), [])
            if len(names) == 1:
                moved[piece.path] = names.pop()
    away = set(moved.values())
    told = []
    for change in found.changes:
        if change.kind == "deleted" and change.path in away:
            continue
        if change.kind == "created" and change.path in moved:
            told.append(Change("moved", change.path, change.type, change.after_bytes, change.after_bytes, moved[change.path]))
        else:
            told.append(change)
    return told
