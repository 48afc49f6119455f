"""ConvertDocument: a document in another format beside it, by LibreOffice, which is let near nothing but its input and a folder of its own."""

from __future__ import annotations

import os
import shlex
import signal
import stat
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import quote

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError, NotPossible
from nlsh.steps import _fs, handles
from nlsh.steps.content import WriteNew
from nlsh.world import office, tools

_SECONDS = 300
_NOTHING = "Nothing of it was kept."
# What LibreOffice keeps outside of its own folder, and fonts.
_READ = ("/etc/libreoffice", "/etc/fonts", "/var/lib/libreoffice", "/var/spool/libreoffice", "/var/cache/fontconfig")


@dataclass(frozen=True, kw_only=True)
class ConvertDocument(WriteNew):
    """Write `source` in the format `to` to `target`; `office` is the path of LibreOffice's engine. No macro runs: nobody is asked.

    LibreOffice writes into a new folder beside the target, where its settings for this once are too; from there the whole file takes its name.
    """

    to: str
    office: str

    def words(self) -> str:
        return f"make {self.target}, {self.source} as {self.to}"

    def _call(self, folder: str) -> tuple[str, str, str, str, str]:
        target = os.path.join(folder, f"made.{self.to}")
        settings, source, made = (f"file://{quote(p)}" for p in (os.path.join(folder, "settings"), self.source, target))
        return self.office, settings, source, made, self.to

    def effects(self) -> tuple[Effect, ...]:
        if self.back:
            return super().effects()
        folder = os.path.dirname(self.target)
        return (
            Effect("tool.run", shlex.join(self._call(folder))),
            Effect("fs.read", self.source),
            *(Effect("fs.read", p) for p in _READ if os.path.exists(p)),
            Effect("fs.write", folder),
        )

    def apply(self) -> None:
        if self.back:
            super().apply()
            return
        with _fs.explained(self.words()), _fs.parent_of(self.target) as (folder, name):
            scratch = f".nlsh-converting-{os.getpid()}-{os.urandom(6).hex()}"
            os.mkdir(scratch, 0o700, dir_fd=folder)
            place = os.path.join(os.path.dirname(self.target), scratch)
            try:
                self._convert(place)
                with _fs.parent_of(os.path.join(place, f"made.{self.to}")) as (inside, made):
                    if not stat.S_ISREG(_fs.status_at(inside, made).st_mode):
                        raise NotPossible(f"LibreOffice made something else than a file of {self.source}.", hint=_NOTHING)
                    # What only its owner may read makes nothing that others may.
                    os.chmod(made, stat.S_IMODE(os.lstat(self.source).st_mode) & 0o666 | 0o200, dir_fd=inside)
                    os.utime(made, ns=(self.stamp_ns, self.stamp_ns), dir_fd=inside)
                    _fs.rename(inside, made, folder, name)
            finally:
                with suppress(OSError):
                    _fs.remove_tree(folder, scratch)

    def _convert(self, scratch: str) -> None:
        with os.fdopen(os.memfd_create("said"), "r+b") as said:
            process = os.fork()
            if not process:
                self._in_the_child(scratch, said.fileno())
            ended = os.pidfd_open(process)
            try:
                handles.wait([ended], time.monotonic() + _SECONDS)
            finally:
                os.close(ended)
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)  # whoever has ended stays until he is waited for
                status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
            if handles.stopping():
                raise NlshError("Not finished: it was cancelled.", hint=_NOTHING, code="step.cancelled")
            if status or not os.path.exists(os.path.join(scratch, f"made.{self.to}")):
                said.seek(0)
                told = [w for w in said.read(1 << 16).decode("utf-8", "replace").splitlines() if w.startswith("wrong: ")]
                why = told[-1].removeprefix("wrong: ").rstrip(".") if told else f"it ended with status {status}"
                raise NlshError(f"LibreOffice could not make {self.to} of {self.source}: {why}.", hint="Nothing was made.", code="tool.failed")

    def _in_the_child(self, scratch: str, said: int) -> NoReturn:
        """Become a process that has nothing of the worker's but what the engine may have, convert, and end."""
        try:
            nowhere = os.open(os.devnull, os.O_RDONLY)
            for descriptor, number in ((nowhere, 0), (said, 1), (said, 2)):
                os.dup2(descriptor, number)
            os.closerange(3, os.sysconf("SC_OPEN_MAX"))
            own = dict.fromkeys(("HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"), scratch)
            env = tools.environment({**own, "SAL_USE_VCLPLUGIN": "svp"})
            os.environ.clear()
            os.environ.update(env)
            os.chdir(scratch)
            if narrow := handles.narrowed((self.source, *_READ), (scratch,)):
                narrow()
            wrong = office.converted(*self._call(scratch))
            os.write(1, f"wrong: {wrong}\n".encode() if wrong else b"")
            os._exit(1 if wrong else 0)
        finally:
            os._exit(2)
