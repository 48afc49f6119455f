"""The step that downloads a file: beside its place, going on from an earlier attempt, checked, and then put there, never over anything."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError, NotPossible, StaleStep
from nlsh.plan.records import Note, Record
from nlsh.plan.records.network import Downloaded
from nlsh.plan.steps import Step
from nlsh.steps import _fs, handles

if TYPE_CHECKING:
    from nlsh.world.fetch import Answer

_BLOCK = 1 << 18
_TOLD_EVERY_S = 0.1
# A server that never ends must not fill the disk.
_LEFT_FREE = 64 << 20
# On a .part file: where it comes from, and what its server called this version of it.
_ORIGIN = "user.nlsh.download"


class WrongChecksum(NlshError):
    """What came is not what was asked for."""

    code = "network.checksum"


@dataclass(frozen=True)
class DownloadFile(Step):
    """Download `url` into `folder` as `name`, or, with `server_names`, as what the server calls it if it does.

    What has come so far is NAME.part, which a later attempt goes on with (`resumes`: there is one). `stamp_ns` becomes the file's
    modification time: it is how undo finds it and knows that nobody has changed it. `back`: this is the step that removes it again.
    """

    url: str
    folder: str
    name: str
    stamp_ns: int
    sha256: str = ""
    server_names: bool = False
    resumes: bool = False
    back: bool = False

    @property
    def target(self) -> str:
        """The file, as far as its name is known before."""
        return os.path.join(self.folder, self.name)

    @property
    def part(self) -> str:
        return self.target + ".part"

    def effects(self) -> tuple[Effect, ...]:
        from nlsh.world.routes import is_address
        from nlsh.world.web import host_of, port_of

        if self.back:
            return (Effect("fs.delete", self.target),)
        host = host_of(self.url)
        name = (Effect("net.connect", f"dns://{host}"),) if not is_address(host) else ()
        return (
            *name,
            Effect("net.connect", f"{f'[{host}]' if ':' in host else host}:{port_of(self.url)}"),
            # Where the server sends on to.
            Effect("net.connect", "*:443"),
            *((Effect("fs.read", self.part),) if self.resumes else ()),
            Effect("fs.write", self.part),
            Effect("fs.write", self.target),
        )

    def describe(self) -> str:
        if self.back:
            return f"remove what was downloaded to {self._found() or self.target}"
        return f"download {self.url} to {self.target}" + (", or the name the server gives it" if self.server_names else "")

    def check(self) -> None:
        if self.back:
            if self._found() is None:
                raise StaleStep(f"{self.target} is not there any more, or was changed since.", hint="Nothing was removed.")
            return
        _fs.must_be_free(self.target)
        if unfinished(self.part, self.url) != ("ours" if self.resumes else ""):
            raise StaleStep(f"What lies at {self.part} is not what lay there when this was approved.", hint="Nothing was overwritten. Ask again.")

    def apply(self) -> Iterator[Record]:
        if self.back:
            with _fs.explained(self.describe()), _fs.parent_of(self._found() or self.target) as (folder, name):
                if not _has_time(_fs.status_at(folder, name), self.stamp_ns):
                    raise StaleStep(f"{self.target} was changed since.", hint="Nothing was removed.")
                os.unlink(name, dir_fd=folder)
            return
        with _fs.explained(f"download {self.url}"), _fs.parent_of(self.part) as (folder, part):
            yield from self._download(folder, part)

    def _download(self, folder: int, part: str) -> Iterator[Record]:
        from nlsh.world.fetch import Request

        request = Request(self.url)
        # Asked first: where the server has nothing, nothing is made here.
        answer = request.send(*self._left())
        with answer.stream:
            self._refuse_too_big(answer)
            yield from (Note(f"It led on to {hop}.") for hop in request.hops)
            descriptor, fresh = self._open(folder, part)
            kept = False
            try:
                if answer.start == 0:
                    os.ftruncate(descriptor, 0)
                # Without a mark of what it is, nothing can go on with it later.
                kept = bool(answer.validator) and _mark(descriptor, self.url, answer.validator)
                digest, size = self._receive(descriptor, answer)
                if self.sha256 and digest != self.sha256:
                    raise WrongChecksum(f"What came from {answer.url} has the SHA-256 {digest}, not {self.sha256}.", hint="It was not kept.")
                with suppress(OSError):
                    os.removexattr(descriptor, _ORIGIN)
                os.utime(descriptor, ns=(self.stamp_ns, self.stamp_ns))
                os.fsync(descriptor)
                path = self._place(folder, part, answer.name)
            except BaseException as error:
                if isinstance(error, WrongChecksum) or (fresh and not kept):
                    with suppress(OSError):
                        os.unlink(part, dir_fd=folder)
                elif isinstance(error, NlshError) and os.fstat(descriptor).st_size:
                    error.hint = f"What has come so far is kept in {self.part}; the same request goes on from there."
                raise
            finally:
                os.close(descriptor)
        yield Downloaded(path, size, digest, answer.url)

    def _left(self) -> tuple[int, str]:
        """Return how much of an earlier attempt is there, and what the server called that version."""
        with suppress(OSError):
            if self.resumes and (validator := _origin(self.part).get("validator", "")):
                return os.lstat(self.part).st_size, validator
        return 0, ""

    def _open(self, folder: int, part: str) -> tuple[int, bool]:
        """Return a descriptor of what has come so far, and whether that is nothing yet. What is new is not read again."""
        flags = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        if not self.resumes:
            return os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | flags, 0o666, dir_fd=folder), True
        descriptor = os.open(part, os.O_RDWR | flags, dir_fd=folder)
        if _origin(descriptor).get("url") != self.url:
            os.close(descriptor)
            raise StaleStep(f"There is something else at {self.part} now.", hint="Nothing was overwritten. Ask again.")
        return descriptor, False

    def _refuse_too_big(self, answer: Answer) -> None:
        free = room_in(self.folder)
        if answer.length is not None and answer.length > free:
            raise NotPossible(
                f"{self.name} has {answer.length:,} bytes to come, and there are {free:,} free in {self.folder}.",
                hint="Nothing was changed. Make room and ask again.",
            )

    def _receive(self, descriptor: int, answer: Answer) -> tuple[str, int]:
        """Write what comes; return its SHA-256 and its size, with what was there already."""
        import http.client

        from nlsh.world.fetch import explained
        from nlsh.world.web import host_of

        digest, size, told = sha256(), 0, 0.0
        while size < answer.start:
            block = os.pread(descriptor, min(_BLOCK, answer.start - size), size)
            if not block:
                raise StaleStep(f"{self.part} has changed meanwhile.", hint="Ask again.")
            digest.update(block)
            size += len(block)
        total = None if answer.length is None else answer.start + answer.length
        while True:
            try:
                block = answer.stream.read1(_BLOCK)
            except (OSError, http.client.HTTPException) as error:
                raise explained(answer.url, error) from None
            if not block:
                break
            digest.update(block)
            while block:
                written = os.pwrite(descriptor, block, size)
                size, block = size + written, block[written:]
            if (now := time.monotonic()) - told >= _TOLD_EVERY_S:
                handles.progress(size, total, "bytes")
                told = now
                if total is None and room_in(self.folder) < _LEFT_FREE:
                    os.ftruncate(descriptor, 0)
                    raise NotPossible(
                        f"{host_of(answer.url)} did not say how much there is, and after {size:,} bytes {self.folder} is nearly full.",
                        hint="What had come was removed again. Make room and ask again.",
                    )
            if handles.stopping():
                raise NlshError("The download was cancelled.", code="step.cancelled")
        if total is not None and size != total:
            raise NotPossible(f"The connection to {host_of(answer.url)} ended after {size:,} of {total:,} bytes.", hint="Ask again.")
        handles.progress(size, total, "bytes")
        return digest.hexdigest(), size

    def _place(self, folder: int, part: str, said: str) -> str:
        """Give the finished file its name; return its path."""
        name = said if self.server_names and said else self.name
        stem, ending = os.path.splitext(name)
        number = 0
        while True:
            try:
                _fs.rename(folder, part, folder, name)
            except FileExistsError:
                if not self.server_names:
                    raise
                number += 1
                name = f"{stem}-{number}{ending}"
            else:
                return os.path.join(self.folder, name)

    def inverse(self) -> Step:
        return replace(self, back=not self.back)

    def _found(self) -> str | None:
        """Return where the downloaded file is, unchanged, or None."""
        with suppress(OSError):
            if _has_time(os.lstat(self.target), self.stamp_ns):
                return self.target
        if self.server_names:
            with suppress(OSError), os.scandir(self.folder) as entries:
                for entry in entries:
                    # Under a name nobody knew before, only the very nanosecond tells.
                    if entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_mtime_ns == self.stamp_ns:
                        return entry.path
        return None

    def state(self) -> str:
        return "undone" if (self._found() is None) != self.back else "done"

    def touches(self) -> tuple[str, ...]:
        return (self.folder,)

    def makes(self) -> tuple[tuple[str, str], ...]:
        return () if self.server_names or self.back else ((self.target, "file"),)


def room_in(folder: str) -> int:
    """Return how many bytes this user may still write in a folder's file system."""
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize


def unfinished(part: str, url: str) -> str:
    """Return whether what lies at `part` is an unfinished download of `url` ("ours"), something else ("other") or nothing ("")."""
    try:
        status = os.lstat(part)
    except OSError:
        return ""
    return "ours" if stat.S_ISREG(status.st_mode) and _origin(part).get("url") == url else "other"


def _origin(part: int | str) -> dict[str, Any]:
    try:
        found = json.loads(os.getxattr(part, _ORIGIN))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _mark(descriptor: int, url: str, validator: str) -> bool:
    # LIMIT: file systems without user attributes, or with little room for them: there an attempt begins anew.
    try:
        os.setxattr(descriptor, _ORIGIN, json.dumps({"url": url, "validator": validator}).encode())
    except OSError:
        return False
    return True


def _has_time(status: os.stat_result, stamp_ns: int) -> bool:
    found = status.st_mtime_ns
    # FAT keeps times to two seconds, some network file systems to one.
    return stat.S_ISREG(status.st_mode) and (found == stamp_ns or (found % 1_000_000_000 == 0 and abs(found - stamp_ns) < 2_000_000_000))
