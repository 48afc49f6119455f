"""How something is moved: renamed where that can be, else copied to the other file system, compared, and removed here.

Owns that nothing of it is lost on the way: what somebody writes meanwhile stays where it was written.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

from nlsh.plan.errors import NotPossible, Refused, StaleStep
from nlsh.steps import _fs
from nlsh.steps.handles import Meter
from nlsh.world.files import Identity


def move(source: str, target: str, known: Identity) -> None:
    """Move what `known` was taken from, by renaming, or by copying and removing where the target is on another file system."""
    with _fs.parent_of(source) as (old_folder, old), _fs.parent_of(target) as (new_folder, new):
        _fs.still(old_folder, old, known, source)
        try:
            _fs.rename(old_folder, old, new_folder, new)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
        else:
            return
        size, before = _survey(old_folder, old, source)
        _copy_tree(old_folder, old, new_folder, new, Meter(size))
        _, after = _survey(old_folder, old, source)
        if after != before:
            _fs.remove_tree(new_folder, new)
            raise StaleStep(
                f"{source} changed while it was moved to another file system.", hint="Nothing was changed. Ask again when nobody writes to what is in it."
            )
        # LIMIT: what is written in the moment between the second look and the removal is lost, as with mv.
        _fs.remove_tree(old_folder, old, known)


def _survey(folder: int, name: str, path: str) -> tuple[int, int]:
    """Return how many bytes a file or a folder with all below it holds, and a number that is another one where any of it has changed.

    Raises Refused for what cannot be copied, NotPossible for what could not be removed afterwards.
    """
    status = _fs.status_at(folder, name)
    mode = status.st_mode
    if stat.S_ISSOCK(mode) or stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        raise Refused(f"{path} is a socket or a device: it cannot go to another file system.", hint="Nothing was changed.")
    # A sum, for whatever order the names come in.
    size = _fs.held(status) if stat.S_ISREG(mode) else 0
    mark = hash((path, status.st_ino, mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    if stat.S_ISDIR(mode):
        inside = os.open(name, _fs.O_FOLDER, dir_fd=folder)
        try:
            names = os.listdir(inside)
            if names and not os.access(".", os.W_OK | os.X_OK, dir_fd=inside):
                raise NotPossible(
                    f"You may not remove what is in {path}: it could be copied to another file system, not moved.",
                    hint="Nothing was changed. Copy it with file.copy, or see who may write there with file.info.",
                )
            for child in names:
                below = _survey(inside, child, os.path.join(path, child))
                size, mark = size + below[0], mark + below[1]
        finally:
            os.close(inside)
    return size, mark


def _copy_tree(old_folder: int, old: str, new_folder: int, new: str, meter: Meter) -> None:
    """Copy a file or a folder and all below it: owners, modes, times, attributes and hard links among them kept. Leaves nothing behind when it fails."""
    if not stat.S_ISDIR(_fs.status_at(old_folder, old).st_mode):
        _fs.copy_entry(old_folder, old, new_folder, new, with_owner=True, meter=meter)
        return
    os.mkdir(new, 0o700, dir_fd=new_folder)
    try:
        _fill_folder(old_folder, old, new_folder, new, (new_folder, new), {}, meter)
    except BaseException:
        with suppress(OSError):
            _fs.remove_tree(new_folder, new)
        raise


def _fill_folder(old_folder: int, old: str, new_folder: int, new: str, top: tuple[int, str], names: dict[tuple[int, int], str], meter: Meter) -> None:
    """Fill the copy of a folder. `top`: the folder above the whole copy, and the way from there; `names`: the first name of each file with several."""
    status = _fs.status_at(old_folder, old)
    source = os.open(old, _fs.O_FOLDER, dir_fd=old_folder)
    try:
        target = os.open(new, _fs.O_FOLDER, dir_fd=new_folder)
        try:
            for name in os.listdir(source):
                here = _fs.status_at(source, name)
                way = os.path.join(top[1], name)
                if stat.S_ISDIR(here.st_mode):
                    os.mkdir(name, 0o700, dir_fd=target)
                    _fill_folder(source, name, target, name, (top[0], way), names, meter)
                elif here.st_nlink > 1 and (first := names.setdefault((here.st_dev, here.st_ino), way)) != way:
                    os.link(first, name, src_dir_fd=top[0], dst_dir_fd=target, follow_symlinks=False)
                else:
                    _fs.copy_entry(source, name, target, name, with_owner=True, meter=meter)
            _fs.copy_attributes(source, target)
            with suppress(OSError):
                os.fchown(target, status.st_uid, status.st_gid)
            os.fchmod(target, stat.S_IMODE(status.st_mode) & 0o1777)
            os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
        finally:
            os.close(target)
    finally:
        os.close(source)
