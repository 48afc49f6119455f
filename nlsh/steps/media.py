"""Steps on sound and video: a new file made of one, by ffmpeg, which is let near nothing but what it reads and what it writes.

ConvertMedia: in another format. What else there is stands in `media_edits`.
"""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError, NotPossible
from nlsh.plan.records import Record
from nlsh.plan.records.media import Media
from nlsh.steps import _fs, handles
from nlsh.steps.content import WriteNew
from nlsh.world import media, tools

# Formats of sound only, in which a picture of the cover would be a film.
SOUND = ("mp3", "wav", "flac", "ogg", "m4a", "opus")
_OPTIONS = {"gif": ("-an", "-sn", "-dn")}


@dataclass(frozen=True, kw_only=True)
class MakeMedia(WriteNew):
    """Base: write `target`, made of `source`. `ffmpeg` and `ffprobe` (empty: there is none) are the programs' paths.

    ffmpeg writes into a new folder beside the target, the only place where it may write; from there the whole file takes its name.
    """

    # Whether it needs to know what its sources are; then there is an ffprobe.
    LOOKS: ClassVar[bool] = False

    ffmpeg: str
    ffprobe: str = ""

    def before(self, seen: tuple[Media, ...]) -> tuple[str, ...]:
        """Return ffmpeg's options for what it reads. `seen` is as in `options`."""
        return ()

    def options(self, seen: tuple[Media, ...]) -> tuple[str, ...]:
        """Return ffmpeg's options for what it writes. `seen` says what the sources are, where the step LOOKS and runs; else it is empty."""
        raise NotImplementedError

    def sources(self) -> tuple[str, ...]:
        """Return what ffmpeg reads, in order."""
        return (self.source,)

    def refuse_made(self, made: os.stat_result, read: os.stat_result) -> None:
        """Raise an NlshError where the file that was made is not what was wanted."""

    def argv(self, written: str, seen: tuple[Media, ...] = ()) -> tuple[str, ...]:
        """Return the command that writes to `written`, where nothing is."""
        # `file:` before a path: whatever its name looks like, it is no option and no address.
        inputs = (part for path in self.sources() for part in (*self.before(seen), "-protocol_whitelist", "file", "-i", f"file:{path}"))
        return (
            self.ffmpeg, "-nostdin", "-hide_banner", "-v", "error", "-n", *inputs, *self.options(seen), "-nostats", "-progress", "pipe:1", f"file:{written}",
        )  # fmt: skip

    def effects(self) -> tuple[Effect, ...]:
        if self.back:
            return super().effects()
        programs = [p for name in (self.ffmpeg, self.ffprobe) if name for p in media.outside_the_system(name)]
        return (
            Effect("tool.run", shlex.join(self.argv(self.target))), *(Effect("fs.read", p) for p in self.sources()), *(Effect("fs.read", p) for p in programs),
            Effect("fs.write", os.path.dirname(self.target)),
        )  # fmt: skip

    def apply(self) -> Iterator[Record] | None:
        if self.back:
            super().apply()
            return None
        with _fs.explained(self.words()), _fs.parent_of(self.target) as (folder, name):
            # Its name says what it is to whoever finds it after a crash.
            scratch = f".nlsh-converting-{os.getpid()}-{os.urandom(6).hex()}"
            os.mkdir(scratch, 0o700, dir_fd=folder)
            try:
                self._convert(os.path.join(os.path.dirname(self.target), scratch), name)
                with _fs.parent_of(os.path.join(os.path.dirname(self.target), scratch, name)) as (inside, _):
                    made = _fs.status_at(inside, name)
                    if not stat.S_ISREG(made.st_mode):
                        raise NotPossible(f"ffmpeg made something else than a file of {self.source}.", hint="Nothing of it was kept.")
                    self.refuse_made(made, os.stat(self.source))
                    # What only its owner may read makes nothing that others may.
                    os.chmod(name, stat.S_IMODE(os.lstat(self.source).st_mode) & 0o666 | 0o200, dir_fd=inside)
                    os.utime(name, ns=(self.stamp_ns, self.stamp_ns), dir_fd=inside)
                    _fs.rename(inside, name, folder, name)
            finally:
                with suppress(OSError):
                    _fs.remove_tree(folder, scratch)
        return None

    def _convert(self, scratch: str, name: str) -> None:
        total = self._length_s()
        complaint = os.memfd_create("complaint")
        seen = tuple(media.look(self.ffprobe, p) for p in self.sources()) if self.LOOKS else ()
        argv = self.argv(os.path.join(scratch, name), seen)
        reads = (*self.sources(), *media.outside_the_system(self.ffmpeg))
        with os.fdopen(complaint, "r+b") as said:
            try:
                process = subprocess.Popen(
                    argv, cwd=scratch, env=tools.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said,
                    preexec_fn=handles.narrowed(reads, (scratch,)),
                )  # fmt: skip
            except (OSError, subprocess.SubprocessError) as error:
                raise NlshError(f"{self.ffmpeg} cannot be run: {error}.", hint="Nothing was made.", code="tool.failed") from error
            assert process.stdout is not None
            with process.stdout as told:
                try:
                    self._follow(told.fileno(), total)
                finally:
                    if handles.stopping():
                        process.kill()
                    status = process.wait()
            if handles.stopping():
                raise NlshError("Not finished: it was cancelled.", hint="Nothing of it was kept.", code="step.cancelled")
            if status:
                said.seek(0)
                raise tools.failed(argv, status, said.read(1 << 20))

    def _length_s(self) -> int | None:
        if not self.ffprobe:
            return None
        try:
            # LIMIT: of the source; what is cut shorter or joined is done earlier or later than it says.
            return int(media.look(self.ffprobe, self.source).duration_s or 0) or None
        except NlshError:
            return None  # ffmpeg will say what is wrong with it

    @staticmethod
    def _follow(descriptor: int, total: int | None) -> None:
        """Read ffmpeg's own report until it ends or the user asks to stop; show seconds of the new file."""
        rest = b""
        while handles.wait([descriptor]) and (data := os.read(descriptor, 1 << 16)):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                key, _, value = line.partition(b"=")
                if key == b"out_time_us" and value.strip().isdigit():
                    handles.progress(int(value) // 1_000_000, total)
            rest = rest[-4096:]


@dataclass(frozen=True, kw_only=True)
class ConvertMedia(MakeMedia):
    """Write `source` in the format `to`."""

    to: str

    def words(self) -> str:
        return f"make {self.target}, {self.source} as {self.to}"

    def options(self, seen: tuple[Media, ...]) -> tuple[str, ...]:
        return ("-vn", "-sn", "-dn") if self.to in SOUND else _OPTIONS.get(self.to, ("-sn", "-dn"))
