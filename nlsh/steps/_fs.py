"""The system calls below the file steps: through folder descriptors, never over what exists, holes and attributes kept.

Owns how a thing is renamed, copied and removed; how it gets to another file system is `_moving`'s. What is approved and how it is taken
back is in `files`, `trash` and `archives`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import blake2b

from nlsh.plan.errors import NlshError, NotPossible, Refused, StaleStep
from nlsh.steps.handles import Meter
from nlsh.world.files import Identity, identity, is_same

_RENAME_NOREPLACE, _RENAME_EXCHANGE = 1, 2
_RESOLVE_NO_SYMLINKS, _RESOLVE_NO_MAGICLINKS = 0x04, 0x02
_SYS_OPENAT2 = 437  # the same on every architecture
_SYS_RENAMEAT2 = {"x86_64": 316, "aarch64": 276, "riscv64": 276, "ppc64le": 357, "s390x": 347, "armv7l": 382}
_FICLONE = 0x40049409
_COPY = 1 << 24  # at once: what lies between two looks whether the user wants to stop
_NOT_HERE = (errno.ENOSYS, errno.EINVAL, errno.EPERM, errno.EOPNOTSUPP)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
O_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_NAMES_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_HOW_TO_OPEN = _OpenHow(_NAMES_FOLDER, 0, _RESOLVE_NO_SYMLINKS | _RESOLVE_NO_MAGICLINKS)
_HOW, _HOW_SIZE = ctypes.byref(_HOW_TO_OPEN), ctypes.sizeof(_HOW_TO_OPEN)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def open_folder(path: str) -> int:
    """Return an O_PATH descriptor of the folder `path`. Raises StaleStep where a part of the path has become a link, or OSError."""
    # SAFETY: openat2(AT_FDCWD, path, &how, sizeof how); the kernel reads both buffers and keeps neither.
    found = _libc().syscall(_SYS_OPENAT2, -100, os.fsencode(path), _HOW, _HOW_SIZE)
    if found >= 0:
        return int(found)
    code = ctypes.get_errno()
    if code == errno.ELOOP:
        raise StaleStep(f"A part of {path} is a link now.", hint="Nothing was changed by this step. Ask again.")
    if code not in _NOT_HERE:
        raise OSError(code, os.strerror(code), path)
    return os.open(path, _NAMES_FOLDER)  # LIMIT: Linux before 5.6: a link put into the path after the preview is followed


def beside(name: str) -> str:
    """Return the name under which what is to be called `name` is made: the same each time, so that what was cut short is found again."""
    return f".nlsh-{blake2b(os.fsencode(name), digest_size=8).hexdigest()}"


def make_beside(folder: int, name: str, mode: int) -> tuple[int, str]:
    """Make the file that is to be called `name` once it is whole; return its descriptor, and its name until then."""
    made_as = beside(name)
    try:
        return os.open(made_as, _NEW, mode, dir_fd=folder), made_as
    except FileExistsError:  # of a run that was cut short, or of another that makes the same at this moment
        made_as = f".nlsh-{os.getpid()}-{os.urandom(6).hex()}"
        return os.open(made_as, _NEW, mode, dir_fd=folder), made_as


class parent_of:
    """Give a descriptor of the folder that `path` is in, and its name there."""

    __slots__ = ("_descriptor", "_name", "_path")

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> tuple[int, str]:
        folder, self._name = os.path.split(self._path)
        self._descriptor = open_folder(folder)
        return self._descriptor, self._name

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        os.close(self._descriptor)
        if isinstance(error, OSError) and error.filename == self._name:  # say which one: whoever judges the error needs the whole path
            error.filename = self._path


class explained:
    """Turn an OSError into the sentence a person needs; `what` reads after 'Could not'."""

    __slots__ = ("_what",)

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, OSError) or isinstance(error, NlshError):
            return
        if isinstance(error, FileNotFoundError):
            raise StaleStep(f"Could not {self._what}: it is not there any more.", hint="Nothing was changed by this step. Ask again.") from error
        if isinstance(error, FileExistsError):
            raise StaleStep(f"Could not {self._what}: something of that name is there now.", hint="Nothing was overwritten. Ask again.") from error
        raise NotPossible(f"Could not {self._what}: {error.strerror or error}.", hint=_next(error.errno)) from error


def _next(code: int | None) -> str:
    if code in (errno.ENOSPC, errno.EDQUOT):
        return "Nothing was left half done. Make room and ask again."
    if code in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "Nothing was changed by this step. See who may write there with file.info."
    return "Nothing was changed by this step."


def status_at(folder: int, name: str) -> os.stat_result:
    """Return the status of `name` in a folder, links not followed."""
    return os.stat(name, dir_fd=folder, follow_symlinks=False)


def still(folder: int, name: str, known: Identity, path: str) -> os.stat_result:
    """Return the status of `name`. Raises StaleStep unless it is what was approved."""
    try:
        status = status_at(folder, name)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StaleStep(f"{path} is not there any more.", hint="Nothing was changed by this step. Ask again.") from error
    if not is_same(status, known):
        raise StaleStep(f"{path} has changed since it was approved.", hint="Nothing was changed by this step. Look at it and ask again.")
    return status


def still_there(path: str, known: Identity) -> os.stat_result:
    """Return the status of `path`. Raises StaleStep unless it is what was approved."""
    with explained(f"look at {path}"), parent_of(path) as (folder, name):
        return still(folder, name, known, path)


def must_be_free(path: str) -> None:
    """Raise StaleStep if something is at `path`, or its folder is not there."""
    if os.path.lexists(path):
        raise StaleStep(f"There is something at {path} now.", hint="Nothing was overwritten. Ask again.")
    if not os.path.isdir(os.path.dirname(path)):
        raise StaleStep(f"There is no folder {os.path.dirname(path)} any more.", hint="Nothing was changed by this step. Ask again.")


def must_be_free_at(folder: int, name: str, path: str) -> None:
    """Raise StaleStep if something is called `name` in a folder."""
    with suppress(FileNotFoundError):
        status_at(folder, name)
        raise StaleStep(f"There is something at {path} now.", hint="Nothing was overwritten. Ask again.")


def is_free(path: str) -> bool:
    """Return whether nothing is at `path`."""
    return not os.path.lexists(path)


def rename(old_folder: int, old: str, new_folder: int, new: str) -> None:
    """Rename, never over something that exists. Raises FileExistsError, or OSError with EXDEV between file systems."""
    code = _renameat2(old_folder, os.fsencode(old), new_folder, os.fsencode(new))
    if code == 0:
        return
    if code not in _NOT_HERE or not _can_try(old_folder, old):
        raise OSError(code, os.strerror(code), new)
    if not stat.S_ISDIR(status_at(old_folder, old).st_mode):
        # A second name, then one name less: as safe as RENAME_NOREPLACE, and known to every file system with links.
        with suppress(OSError):
            os.link(old, new, src_dir_fd=old_folder, dst_dir_fd=new_folder, follow_symlinks=False)
            os.unlink(old, dir_fd=old_folder)
            return
    with suppress(FileNotFoundError):
        status_at(new_folder, new)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new)
    # LIMIT: file systems that know neither RENAME_NOREPLACE nor links (some FUSE, old NFS): a moment between the look and the rename.
    os.rename(old, new, src_dir_fd=old_folder, dst_dir_fd=new_folder)


def _can_try(folder: int, name: str) -> bool:
    try:
        status_at(folder, name)
    except OSError:
        return False
    return True


def exchange(old_folder: int, old: str, new_folder: int, new: str) -> None:
    """Let two files of one file system take each other's place, in one moment where it can. Raises OSError; then both are where they were."""
    code = _renameat2(old_folder, os.fsencode(old), new_folder, os.fsencode(new), _RENAME_EXCHANGE)
    if code == 0:
        return
    if code not in _NOT_HERE or not (_can_try(old_folder, old) and _can_try(new_folder, new)):
        raise OSError(code, os.strerror(code), new)
    # LIMIT: file systems that know no RENAME_EXCHANGE (some FUSE, network ones): a moment in which nothing is called `old`.
    aside = f".{new[:200]}.nlsh"
    rename(new_folder, new, new_folder, aside)
    try:
        rename(old_folder, old, new_folder, new)
        try:
            rename(new_folder, aside, old_folder, old)
        except BaseException:
            rename(new_folder, new, old_folder, old)
            raise
    except BaseException:
        rename(new_folder, aside, new_folder, new)
        raise


def _renameat2(old_folder: int, old: bytes, new_folder: int, new: bytes, flags: int = _RENAME_NOREPLACE) -> int:
    libc = _libc()
    # SAFETY: renameat2(int, const char *, int, const char *, unsigned); the buffers outlive the call.
    if hasattr(libc, "renameat2"):
        done = libc.renameat2(old_folder, old, new_folder, new, flags)
    elif (number := _SYS_RENAMEAT2.get(os.uname().machine)) is not None:
        done = libc.syscall(number, old_folder, ctypes.c_char_p(old), new_folder, ctypes.c_char_p(new), ctypes.c_uint(flags))
    else:
        return errno.ENOSYS
    return 0 if done == 0 else ctypes.get_errno()


@contextmanager
def new_file(path: str, mode: int = 0o666) -> Iterator[int]:
    """Give a descriptor of a new file, which gets its name `path` when it is whole; never over something that exists, and nothing is left when it fails."""
    with parent_of(path) as (folder, name):
        made, made_as = make_beside(folder, name, mode)
        try:
            try:
                yield made
            finally:
                os.close(made)
            rename(folder, made_as, folder, name)
        except BaseException:
            with suppress(OSError):
                os.unlink(made_as, dir_fd=folder)
            raise


def copy_entry(old_folder: int, old: str, new_folder: int, new: str, *, with_owner: bool = False, meter: Meter | None = None) -> None:
    """Copy one file, link or named pipe with mode, times and attributes, never over something that exists.

    Leaves nothing behind when it fails. `with_owner` keeps the owner where that is allowed (for a move); `meter` is that of all that is copied.
    """
    status = status_at(old_folder, old)
    if stat.S_ISREG(status.st_mode):
        _copy_file(old_folder, old, new_folder, new, status, with_owner, meter or Meter(held(status)))
        return
    if stat.S_ISLNK(status.st_mode):
        os.symlink(os.readlink(old, dir_fd=old_folder), new, dir_fd=new_folder)
    elif stat.S_ISFIFO(status.st_mode):
        os.mkfifo(new, stat.S_IMODE(status.st_mode), dir_fd=new_folder)
    else:
        raise Refused(f"{old} is a socket or a device: it cannot be copied.", hint="Nothing was overwritten. Leave it out.")
    try:
        if with_owner:
            with suppress(OSError):
                os.chown(new, status.st_uid, status.st_gid, dir_fd=new_folder, follow_symlinks=False)
        os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=new_folder, follow_symlinks=False)
    except BaseException:
        with suppress(OSError):
            os.unlink(new, dir_fd=new_folder)
        raise


def held(status: os.stat_result) -> int:
    """Return how many bytes there are to copy of a file: holes are none."""
    return min(status.st_size, status.st_blocks * 512)


def _copy_file(old_folder: int, old: str, new_folder: int, new: str, status: os.stat_result, with_owner: bool, meter: Meter) -> None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        source = os.open(old, flags | os.O_NOATIME, dir_fd=old_folder)
    except PermissionError:  # only its owner may ask for its access time to stay
        source = os.open(old, flags, dir_fd=old_folder)
    try:
        target = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=new_folder)
        try:
            copy_data(source, target, status.st_size, meter)
            if not is_same(os.fstat(source), identity(status)):
                raise StaleStep(f"{old} changed while it was copied.", hint="Nothing of the copy was kept. Ask again when nobody writes to it.")
            copy_attributes(source, target)
            if with_owner:
                with suppress(OSError):
                    os.fchown(target, status.st_uid, status.st_gid)
            os.fchmod(target, stat.S_IMODE(status.st_mode) & 0o1777)
            os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
        except BaseException:
            with suppress(OSError):
                os.unlink(new, dir_fd=new_folder)
            raise
        finally:
            os.close(target)
    finally:
        os.close(source)


def copy_data(source: int, target: int, size: int, meter: Meter) -> None:
    """Copy the bytes of a file: shared blocks where the file system can, holes kept as holes."""
    import fcntl

    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:  # not this file system, or two of them
        copy_range(source, target, 0, 0, size, meter)


def copy_range(source: int, target: int, start: int, at: int, count: int, meter: Meter) -> None:
    """Copy `count` bytes from `start` of one file to the end, `at`, of another, holes kept as holes."""
    place, last = start, start + count
    while place < last:
        try:
            place = os.lseek(source, place, os.SEEK_DATA)
            end = os.lseek(source, place, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:
                break  # a hole to the end
            end = last
        end = min(end, last)
        while place < end:
            copied = _copy_some(source, target, place, at + place - start, end - place)
            if copied == 0:
                raise OSError(errno.EIO, "the file shrank while it was copied")
            place += copied
            meter.came(copied)
    os.ftruncate(target, at + count)


def _copy_some(source: int, target: int, start: int, at: int, count: int) -> int:
    try:
        return os.copy_file_range(source, target, min(count, _COPY), start, at)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EBADF, *_NOT_HERE):
            raise
    block = os.pread(source, min(count, 1 << 20), start)
    written = 0
    while written < len(block):
        written += os.pwrite(target, block[written:], at + written)
    return written


def copy_attributes(source: int | str, target: int | str) -> None:
    """Copy the extended attributes (ACLs among them) that the target's file system takes."""
    try:
        names = os.listxattr(source)
    except OSError:
        return
    for name in names:
        # LIMIT: attributes that the other file system or this user's rights do not allow are left out, as cp does.
        with suppress(OSError):
            os.setxattr(target, name, os.getxattr(source, name))


def remove_tree(folder: int, name: str, known: Identity | None = None) -> None:
    """Remove a file, or a folder and all below it, never following a link. With `known`, only if it is that one."""
    status = status_at(folder, name)
    if known is not None and not is_same(status, known):
        raise StaleStep(f"{name} has changed since it was approved.", hint="Nothing was removed. Ask again.")
    if not stat.S_ISDIR(status.st_mode):
        os.unlink(name, dir_fd=folder)
        return
    # LIMIT: one descriptor a level: a tree deeper than the limit of open files (1,024 by default) is not removed.
    inside = os.open(name, O_FOLDER, dir_fd=folder)
    try:
        opened = os.fstat(inside)
        if (opened.st_dev, opened.st_ino) != (status.st_dev, status.st_ino):
            raise StaleStep(f"{name} was exchanged while it was removed.", hint="What was put in its place was not touched.")
        for child in os.listdir(inside):
            with suppress(FileNotFoundError):
                remove_tree(inside, child)
    finally:
        os.close(inside)
    os.rmdir(name, dir_fd=folder)
