"""A copy-on-write view of one folder: what a command writes there goes to a layer beside it, and everything else is read-only.

It owns where layers lie, how one is made and removed, and what is mounted for the view (`view`, which a worker enters before Landlock and
seccomp). What lies in a layer afterwards is read by `nlsh.world.layer_changes`.

A layer lies on the same mount as its folder, so that to keep a file is to rename it: in the user's data folder, else in a hidden folder at
the top of the mount. Whoever made a layer holds a lock on it as long as it lives; one that nobody holds and no journalled run needs is swept away.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nlsh.guard.sandbox import namespaces
from nlsh.plan.errors import NotPossible
from nlsh.world.files import identity
from nlsh.world.layers import attributes_of, old_of, root_file_of, upper_of, work_of

if TYPE_CHECKING:
    from nlsh.guard.sandbox.view import View

CANNOT = "sandbox.no-copy"
_MAGIC = 0x794C7630  # of overlayfs
_KEPT = "kept"
_POINTER = ".at"


def cannot(why: str) -> NotPossible:
    """Return the error that says why a command cannot be tried on a copy."""
    return NotPossible(f"It cannot be tried on a copy: {why}.", hint="Nothing was run.", code=CANNOT)


@dataclass
class Layer:
    """A layer of this process, locked as long as it is open."""

    path: str
    root: str
    lock: int

    def keep_for(self, run: int) -> None:
        """Note, synced, that a journalled run needs this layer to be taken back."""
        place = os.path.join(self.path, _KEPT)
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.write(descriptor, str(run).encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.fsync(self.lock)

    def close(self) -> None:
        """Let go of it; unless a run needs it, remove it with all that is in it."""
        if os.path.exists(os.path.join(self.path, _KEPT)):
            _remove(work_of(self.path))
        else:
            _remove(self.path)
        os.close(self.lock)


def prepare(root: str, data: Path) -> Layer:
    """Make an empty layer over the folder `root`; `data` is the user's data folder. Raises NotPossible where there can be none."""
    try:
        home = _home_for(root, data)
        layer = os.path.join(home, f"{os.getpid()}-{os.urandom(8).hex()}")
        os.mkdir(layer, 0o700)
        lock = os.open(layer, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for folder in (upper_of(layer), work_of(layer), old_of(layer)):
                os.mkdir(folder, 0o700)
            _make_like(root, upper_of(layer))
            if home != str(data):
                _ours(str(data))
                (data / (os.path.basename(layer) + _POINTER)).write_text(json.dumps(layer))
            with open(root_file_of(layer), "x", encoding="utf-8") as file:
                json.dump({"root": root, "identity": identity(os.lstat(root))}, file)
        except BaseException:
            os.close(lock)
            _remove(layer)
            raise
    except OSError as error:
        raise cannot(f"no layer can be made for {root}: {error.strerror or error}") from error
    return Layer(layer, root, lock)


def sweep(data: Path, *, is_needed: Callable[[int], bool]) -> None:
    """Remove layers that a process left when it died, and those whose journalled run is gone."""
    for layer in list(_layers(data)):
        try:
            lock = os.open(layer, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            run = _run_of(layer)
            if run is None or not is_needed(run):
                _remove(layer)
        except OSError:
            continue  # its process lives
        finally:
            os.close(lock)
    for pointer in data.glob("*" + _POINTER):
        if not os.path.isdir(_pointed(pointer)):
            pointer.unlink(missing_ok=True)


def _layers(data: Path) -> Iterator[str]:
    try:
        entries = sorted(os.scandir(data), key=lambda e: e.name)
    except OSError:
        return
    for entry in entries:
        if entry.name.endswith(_POINTER):
            if place := _pointed(Path(entry.path)):
                yield place
        elif entry.is_dir(follow_symlinks=False):
            yield entry.path


def _pointed(pointer: Path) -> str:
    try:
        found = json.loads(pointer.read_text())
    except (OSError, ValueError):
        return ""
    # What it leads to is removed as a whole: only what has the shape and the name of a layer, in a folder that is ours alone.
    ours = isinstance(found, str) and os.path.isabs(found) and os.path.basename(found) + _POINTER == pointer.name
    return found if ours and os.path.basename(os.path.dirname(found)) == _hidden_name() and _is_ours(os.path.dirname(found)) else ""


def _run_of(layer: str) -> int | None:
    try:
        with open(os.path.join(layer, _KEPT), "rb") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


# --- where layers lie ---------------------------------------------------------------------------------------------


def _hidden_name() -> str:
    return f".nlsh-{os.geteuid()}"


def _home_for(root: str, data: Path) -> str:
    """Return the folder for layers that lies on the same mount as `root`, made if need be."""
    mount = _mount_of(root)
    _ours(str(data))
    if _mount_of(str(data)) == mount:
        return str(data)
    top = root
    while top != "/" and _mount_of(os.path.dirname(top)) == mount:
        top = os.path.dirname(top)
    for place in dict.fromkeys((top, os.path.dirname(root), root)):
        if _mount_of(place) != mount:
            continue
        with suppress(OSError):
            return _ours(os.path.join(place, _hidden_name()))
    raise cannot(f"there is no place for it on the file system of {root}")


def _ours(folder: str) -> str:
    """Make a folder that is ours alone, and return it. Raises OSError where another one is there."""
    os.makedirs(os.path.dirname(folder), mode=0o700, exist_ok=True)
    with suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    if not _is_ours(folder):
        raise PermissionError(errno.EPERM, f"{folder} is not this user's alone")
    return folder


def _is_ours(folder: str) -> bool:
    try:
        status = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077


def _mount_of(path: str) -> tuple[int, int]:
    """Return what tells mounts apart: within one, renaming works."""
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        with open(f"/proc/self/fdinfo/{descriptor}", "rb") as file:
            number = next(int(line.split()[1]) for line in file if line.startswith(b"mnt_id:"))
        return number, os.fstat(descriptor).st_dev
    finally:
        os.close(descriptor)


def _make_like(root: str, upper: str) -> None:
    """Give the layer's top what the folder has: of a folder that is on both sides, the layer's attributes are what is seen."""
    import base64

    status = os.lstat(root)
    for name, value in attributes_of(root):
        with suppress(OSError):
            os.setxattr(upper, name, base64.b64decode(value))
    if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
        with suppress(OSError):
            os.chown(upper, status.st_uid, status.st_gid)
    os.chmod(upper, stat.S_IMODE(status.st_mode))
    os.utime(upper, ns=(status.st_atime_ns, status.st_mtime_ns))


def _remove(layer: str) -> None:
    """Remove a layer with all that is in it, folders that are closed to their owner too."""
    shutil.rmtree(layer, ignore_errors=True)
    if os.path.lexists(layer):
        with suppress(OSError):
            _open_up(layer)
        shutil.rmtree(layer, ignore_errors=True)
    parent = os.path.dirname(layer)
    if os.path.basename(parent) == _hidden_name():
        with suppress(OSError):
            os.rmdir(parent)


def _open_up(folder: str) -> None:
    os.chmod(folder, 0o700)
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _open_up(entry.path)


# --- the view -----------------------------------------------------------------------------------------------------


def view_on(seen: View | None, layer: str, roots: tuple[str, ...]) -> View:
    """Return the view with its one root as a copy. Raises NotPossible where there is no view, or it is of something else."""
    if seen is None:
        raise cannot("this system lets nobody but root make namespaces, or closes them to this program")
    if len(roots) != 1 or seen.roots != roots:
        raise cannot("the command would change more than one folder")
    return seen.on_copy(layer)


def trees(root: str, layer: str) -> list[tuple[str | int, int]]:
    """Return what is to be mounted where: the copy of `root`, and what is mounted below it, read-only, since an overlay does not see that. Raises OSError."""
    with _opened(root) as lower, _opened(upper_of(layer)) as upper, _opened(work_of(layer)) as work:
        # By descriptors: a path may hold the signs that separate options. Volatile: without it every copy is synced, ten times slower.
        places = {k: f"/proc/self/fd/{d}" for k, d in (("lowerdir", lower), ("upperdir", upper), ("workdir", work))}
        made = namespaces.new_mount("overlay", {"userxattr": None, "volatile": None, **places}, namespaces.NO_SUID | namespaces.NO_DEVICES)
    found: list[tuple[str | int, int]] = [(root, made)]
    for path in _mounts_inside(root):
        tree = namespaces.copy_tree(path)
        namespaces.set_attributes(tree, add=namespaces.READ_ONLY)
        found.append((path, tree))
    return found


def check(root: str) -> None:
    """Raise OSError unless a copy is mounted at `root`: else the grant would be one to change the folder itself."""
    found = _FileSystem()
    # SAFETY: statfs(2) writes at most 120 bytes on 64-bit machines; the structure is longer.
    done = ctypes.CDLL(None, use_errno=True).statfs(ctypes.c_char_p(os.fsencode(root)), ctypes.byref(found))
    if done != 0 or found.kind & 0xFFFFFFFF != _MAGIC:
        raise OSError(errno.EXDEV, "the copy is not where it should be")


class _FileSystem(ctypes.Structure):
    _fields_ = (("kind", ctypes.c_long), ("rest", ctypes.c_byte * 248))


@contextmanager
def _opened(path: str) -> Iterator[int]:
    """Give a descriptor of a folder. Raises OSError where a link is on the way to it."""
    descriptor = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.readlink(f"/proc/self/fd/{descriptor}") != path:
            raise OSError(errno.ELOOP, f"a part of {path} is a link now")
        yield descriptor
    finally:
        os.close(descriptor)


def _mounts_inside(root: str) -> list[str]:
    """Return the mounts below a folder, the outermost of each row."""
    found = sorted({m.path for m in namespaces.mounts() if m.path.startswith(root.rstrip("/") + "/")})
    return [p for p in found if not any(p.startswith(other + "/") for other in found)]


def why(error: OSError) -> str:
    """Return in words why there can be no copy."""
    if error.errno in (errno.EPERM, errno.EACCES, errno.ENOSPC, errno.EUSERS):
        return "this system lets nobody but root make namespaces, or closes them to this program"
    if error.errno in (errno.ENODEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
        return "the file system here, or this kernel, cannot be the ground of an overlay"
    return str(error.strerror or error)
