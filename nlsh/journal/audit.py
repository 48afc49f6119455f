"""The audit: an append-only, hash-chained record of what was asked, planned, decided (and by whom) and what came of it.

One JSON object a line in `audit.jsonl`. Each entry carries the hash of the one before it and its own, over the canonical JSON of the
rest; `audit.head` holds number and hash of the newest, so that cutting off the end is noticed too. `verify` names the first break.
Only descriptions of effects are recorded: no file contents.

# LIMIT: who may write these files may also rewrite the whole chain and its head; against that, keep the head elsewhere.
# LIMIT: the audit is not rotated.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from nlsh.plan.errors import JournalError

FIRST = "0" * 64
_BLOCK = 1 << 16
_EVENTS = ("plan", "decision", "outcome", "note")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `verify` found: whether the chain holds, how many entries it has, and the first broken line (counted from 1) with what is wrong."""

    holds: bool
    entries: int
    line: int | None = None
    problem: str = ""


class Audit:
    """The log. Several processes may append at once. Raises JournalError where it cannot be written or read."""

    def __init__(self, folder: Path | str | None = None) -> None:
        """Use the log in `folder` (default: the state folder)."""
        self._folder = Path(folder) if folder is not None else None

    @property
    def folder(self) -> Path:
        """Where the log is."""
        if self._folder is None:
            from nlsh.settings import state_dir

            self._folder = state_dir()
        return self._folder

    @property
    def path(self) -> Path:
        """The log itself."""
        return self.folder / "audit.jsonl"

    @property
    def head(self) -> Path:
        """The file that holds number and hash of the newest entry."""
        return self.folder / "audit.head"

    def append(self, event: str, *, sync: bool = True, **fields: Any) -> dict[str, Any]:
        """Add an entry (`event`: plan, decision, outcome or note) and return it.

        It is on disk when this returns, unless `sync` is false: then it is with the next one that is (for what changes nothing).
        """
        if event not in _EVENTS:
            raise ValueError(f"unknown audit event: {event}")
        with self._locked() as file:
            seq, previous, notes = self._end(file)
            if seq == 0 and not sync:
                self._set_head(seq, previous)  # so that a head that is missing later was taken away
            lines = b""
            entry: dict[str, Any] = {}
            for kind, values in (*notes, (event, fields)):
                seq += 1
                entry = {"seq": seq, "time": round(time.time(), 6), "event": kind, **values, "prev": previous}
                entry["hash"] = previous = _hash(entry)
                lines += _canonical(entry) + b"\n"
            self._write(file, lines, sync=sync)
            if sync:
                self._set_head(seq, previous)
        return entry

    def entries(self, n: int | None = None) -> list[dict[str, Any]]:
        """Return the newest `n` entries (None: all), oldest first; lines that cannot be read are left out, `verify` names them."""
        from collections import deque

        found: deque[dict[str, Any]] = deque(maxlen=n)
        for line in self._lines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                found.append(entry)
        return list(found)

    def verify(self) -> Verdict:
        """Check every link and the head; name the first line that is wrong."""
        with self._locked(writing=False):
            head = self._read_head()
            anchor, anchored = head if isinstance(head, tuple) else (0, FIRST)
            number, previous = 0, FIRST
            for number, line in enumerate(self._lines(), start=1):
                problem, entry = _check_line(line, number, previous)
                if problem and not line.endswith(b"\n") and anchor < number:
                    problem = "it is incomplete: the machine stopped while it was written; the next entry sets it aside"
                if problem:
                    return Verdict(False, number - 1, number, problem)
                previous = entry["hash"]
                if number == anchor and previous != anchored:
                    return Verdict(False, number - 1, number, f"its hash is not the one that {self.head.name} holds")
            if isinstance(head, str):
                return Verdict(False, number, None, head)
            if head is None and number:
                return Verdict(False, number, None, f"{self.head.name} is missing: it cannot be told whether entries at the end are missing")
            if anchor > number:
                return Verdict(False, number, number + 1, f"entries {number + 1} to {anchor} are missing")
            return Verdict(True, number)

    # --- the files -----------------------------------------------------------------------------------------------

    def _end(self, file: BinaryIO) -> tuple[int, str, list[tuple[str, dict[str, Any]]]]:
        """Return number and hash that the next entry follows, and notes to write before it about what is wrong at the end."""
        notes: list[tuple[str, dict[str, Any]]] = []
        line, torn_at = _last_line(file)
        head = self._read_head()
        if torn_at is not None:
            notes.append(("note", self._set_aside(file, torn_at)))
        seq, digest = 0, FIRST
        if line:
            try:
                entry = json.loads(line)
                seq, digest = int(entry["seq"]), str(entry["hash"])
            except (ValueError, KeyError, TypeError):
                # Someone changed the last line. Going on from the head keeps the break where it is, for `verify` to name.
                notes.append(("note", {"what": "the last line could not be read"}))
                seq, digest = (head[0], head[1]) if isinstance(head, tuple) else (_count_lines(file), hashlib.sha256(line).hexdigest())
        if isinstance(head, str):
            notes.append(("note", {"what": head}))
        elif head is None and seq:
            notes.append(("note", {"what": f"{self.head.name} was missing"}))
        elif head is not None and head[0] > seq:
            notes.append(("note", {"what": f"entries {seq + 1} to {head[0]} are missing"}))
            seq, digest = head
        return seq, digest, notes

    def _set_aside(self, file: BinaryIO, start: int) -> dict[str, Any]:
        file.seek(start)
        torn = file.read()
        with open(self.folder / "audit.torn", "ab", opener=_owner_only) as aside:
            aside.write(torn + b"\n")
            aside.flush()
            os.fsync(aside.fileno())
        os.ftruncate(file.fileno(), start)
        return {"what": "an incomplete last line was set aside in audit.torn", "bytes": len(torn), "sha256": hashlib.sha256(torn).hexdigest()}

    @staticmethod
    def _write(file: BinaryIO, data: bytes, *, sync: bool) -> None:
        view = memoryview(data)
        end = os.lseek(file.fileno(), 0, os.SEEK_END)
        try:
            while view:
                view = view[os.write(file.fileno(), view) :]
            if sync:
                os.fsync(file.fileno())
        except OSError:
            # A half-written entry is worse than none: the caller is told that nothing was recorded.
            os.ftruncate(file.fileno(), end)
            raise

    def _set_head(self, seq: int, digest: str) -> None:
        # One short write over the same bytes is atomic enough here: a torn head is seen by `verify`, and by the next append.
        data = f"{seq:020d} {digest}\n".encode()
        fd = os.open(self.head, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.pwrite(fd, data, 0)
            os.ftruncate(fd, len(data))
            os.fdatasync(fd)
        finally:
            os.close(fd)

    def _read_head(self) -> tuple[int, str] | str | None:
        """Return number and hash; None if there is no head; a sentence if it cannot be read."""
        try:
            data = self.head.read_bytes()
        except FileNotFoundError:
            return None
        seq, digest = data[:20], data[21:85]
        well_formed = len(data) == 86 and data[20:21] == b" " and data.endswith(b"\n") and seq.isdigit()
        if not well_formed or any(c not in b"0123456789abcdef" for c in digest):
            return f"{self.head.name} is damaged"
        return int(seq), digest.decode()

    def _lines(self) -> Iterator[bytes]:
        try:
            with open(self.path, "rb") as file:
                yield from file
        except FileNotFoundError:
            return
        except OSError as error:
            raise JournalError(f"The audit {self.path} cannot be read: {error}.", hint="Make it readable for you.") from error

    @contextmanager
    def _locked(self, *, writing: bool = True) -> Iterator[BinaryIO]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with open(self.path, "r+b", buffering=0, opener=_owner_only) as file:
                fcntl.flock(file, fcntl.LOCK_EX if writing else fcntl.LOCK_SH)
                yield file
        except OSError as error:
            raise JournalError(
                f"The audit {self.path} cannot be {'written' if writing else 'read'}: {error}.",
                hint=f"Nothing was changed. Make {self.folder} writable for you and free some space, then try again.",
            ) from error


def _check_line(line: bytes, number: int, previous: str) -> tuple[str, dict[str, Any]]:
    """Return what is wrong with a line (empty: nothing) and its entry."""
    try:
        entry = json.loads(line)
    except ValueError:
        return "it is not JSON", {}
    if not isinstance(entry, dict) or not {"seq", "prev", "hash"} <= entry.keys():
        return "it is not an entry", {}
    if _canonical(entry) + b"\n" != line:
        return "it is not written as nlsh writes it", {}
    if _hash({k: v for k, v in entry.items() if k != "hash"}) != entry["hash"]:
        return "its hash does not fit what it says: it was changed", {}
    if entry["seq"] != number:
        return f"it is entry {entry['seq']}, not {number}: entries are missing or were moved", {}
    if entry["prev"] != previous:
        return "it does not follow from the entry before it", {}
    return "", entry


def _canonical(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry, sort_keys=True, separators=(",", ":")).encode("ascii")


def _hash(entry: dict[str, Any]) -> str:
    return hashlib.sha256(_canonical(entry)).hexdigest()


def _last_line(file: BinaryIO) -> tuple[bytes, int | None]:
    """Return the last complete line, and where an incomplete one after it starts (None: there is none)."""
    end = file.seek(0, os.SEEK_END)
    start, data = end, b""
    while start > 0:
        step = min(_BLOCK, start)
        start -= step
        file.seek(start)
        data = file.read(step) + data
        complete = data[: data.rfind(b"\n") + 1]
        if complete.count(b"\n") >= 2 or (start == 0):
            break
    complete = data[: data.rfind(b"\n") + 1]
    line = complete[complete[:-1].rfind(b"\n") + 1 :]
    torn_at = start + len(complete)
    return line, torn_at if torn_at < end else None


def _count_lines(file: BinaryIO) -> int:
    file.seek(0)
    count = 0
    while block := file.read(_BLOCK):
        count += block.count(b"\n")
    return count


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
