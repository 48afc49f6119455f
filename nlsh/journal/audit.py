"""The audit: an append-only, hash-chained record of what was asked, planned, decided (and by whom) and what came of it.

One entry a line in `audit.jsonl` (`chain` owns its form). `audit.head` holds number, hash and time of the newest, and every so often and at
the end of a session an anchor of the same goes into the journal's database (`anchors`), so that cutting off the end or putting an older log
in place is noticed too. `verify` names every break. Only descriptions of effects are recorded: no file contents, and no secrets that can
be told by their shape (`redact`).

# LIMIT: who may write these files may also rewrite the whole chain, its head and its anchors; against that, keep an export elsewhere.
# LIMIT: the audit is not rotated.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from nlsh.journal.chain import FIRST, Break, Witness, canonical, compare, examine, linked, read
from nlsh.journal.redact import redacted
from nlsh.plan.errors import JournalError
from nlsh.plan.frozen import frozen

if TYPE_CHECKING:
    from nlsh.journal.anchors import Anchors
    from nlsh.journal.store import Journal

ANCHOR_EVERY = 64  # entries
_BLOCK = 1 << 13
_EVENTS = ("plan", "decision", "outcome", "note")


@frozen()
class Verdict:
    """What `verify` found: how many whole entries there are, and every break, in the order of the entries."""

    entries: int
    breaks: tuple[Break, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.breaks

    @property
    def line(self) -> int | None:
        """The line of the first break."""
        return self.breaks[0].line if self.breaks else None

    @property
    def problem(self) -> str:
        """The first break in words."""
        return self.breaks[0].problem if self.breaks else ""


@frozen()
class _Head:
    """The newest entry, as `audit.head` holds it, and how many entries the newest anchor was for."""

    seq: int
    hash: str
    at: float
    anchored: int

    def written(self) -> bytes:
        """Return the line of the file: always as long, so that it is written over in one sector."""
        text = f"{self.seq:020d} {self.hash} {self.at:020.6f} {self.anchored:020d}"
        return f"{text} {hashlib.sha256(text.encode()).hexdigest()}\n".encode()

    @classmethod
    def parsed(cls, data: bytes) -> _Head:
        """Return the head of a line. Raises ValueError if it is not one."""
        seq, digest, at, anchored, _ = data.decode("ascii").split(" ")
        found = cls(int(seq), digest, float(at), int(anchored))
        if found.written() != data:
            raise ValueError("its own checksum does not fit")
        return found


_NO_HEAD = _Head(0, FIRST, 0.0, 0)


class Audit:
    """The log. Several processes may append at once. Raises JournalError where it cannot be written or read."""

    def __init__(self, folder: Path | str | None = None, journal: Journal | None = None) -> None:
        """Use the log in `folder` (default: the state folder), anchored in `journal` (default: the one in that folder)."""
        self._folder = Path(folder) if folder is not None else None
        self._journal = journal
        self._grew = False

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
            entry, head = self._add(file, event, redacted(fields), sync=sync)
            self._grew = True
            if sync and head.seq - head.anchored >= ANCHOR_EVERY:
                self._anchor(file, head)
        return entry

    def anchor(self) -> None:
        """Remember in the journal how long the chain is by now, if this process has added to it; where that cannot be used, nothing is done."""
        if not self._grew:
            return
        with suppress(JournalError), self._locked() as file:
            seq, digest, notes = self._end(file)
            head = self._read_head()
            if seq and not notes and isinstance(head, _Head) and head.anchored != seq:
                os.fsync(file.fileno())
                self._anchor(file, _Head(seq, digest, time.time(), head.anchored))
            self._grew = False

    def entries(self, n: int | None = None, keep: Callable[[dict[str, Any]], bool] = lambda entry: True) -> list[dict[str, Any]]:
        """Return the newest `n` entries (None: all) that `keep` says yes to, oldest first; broken lines are left out, `verify` names them."""
        from collections import deque

        found: deque[dict[str, Any]] = deque(maxlen=n)
        for line in self._lines():
            with suppress(ValueError):
                entry = read(line)
                if keep(entry):
                    found.append(entry)
        return list(found)

    def export(self, since: float | None = None) -> Iterator[bytes]:
        """Yield the lines of the log as they are, with their ends: those of entries since then (seconds since the epoch), and broken ones."""
        for line in self._lines():
            try:
                at = read(line).get("time", 0.0)
            except ValueError:
                at = None
            if since is None or at is None or at >= since:
                yield line if line.endswith(b"\n") else line + b"\n"

    def verify(self) -> Verdict:
        """Check every entry, the head and the anchors; name every break and the entry that it is about."""
        with self._locked(writing=False):
            found = examine(self._lines())
            head = self._read_head()
            breaks, witnesses = self._remembered(head)
        if isinstance(head, _Head):
            witnesses.append(Witness(self.head.name, head.seq, head.hash, newest=True))
        elif head is None and found.hashes:
            breaks.append(Break("head", f"{self.head.name} is missing: it cannot be told whether entries at the end are missing"))
        elif head is not None:
            breaks.append(Break("head", head))
        return Verdict(len(found.hashes), (*compare(found, (w for w in witnesses if w.entries)), *breaks))

    # --- the anchors ---------------------------------------------------------------------------------------------

    def _anchor(self, file: BinaryIO, head: _Head) -> None:
        from nlsh.journal.anchors import Anchor

        # Where the journal cannot be used, what changes anything says so; the log goes on without.
        with suppress(JournalError):
            with self._anchors() as anchors:
                known = anchors.all()
                what = ""
                if head.anchored and all(a.entries != head.anchored for a in known):
                    what = f"the anchor of {head.anchored} entries was missing from the journal"
                elif known and known[-1].entries > head.seq:
                    what = f"the journal remembers {known[-1].entries} entries, and there are {head.seq}"
                if what:
                    _, head = self._add(file, "note", {"what": what}, sync=True)
                anchors.add(Anchor(head.seq, head.hash, time.time()))
            self._set_head(_Head(head.seq, head.hash, head.at, head.seq))

    @contextmanager
    def _anchors(self) -> Iterator[Anchors]:
        from nlsh.journal.anchors import Anchors
        from nlsh.journal.store import Journal

        journal = self._journal or Journal(self.folder / "journal.sqlite")
        try:
            yield Anchors(journal)
        finally:
            if journal is not self._journal:
                journal.close()

    def _remembered(self, head: _Head | str | None) -> tuple[list[Break], list[Witness]]:
        """Return what the journal remembers of the chain, and what is wrong with that."""
        try:
            with self._anchors() as anchors:
                known = anchors.all()
        except JournalError as error:
            return [Break("anchors", f"what the journal remembers cannot be read: {error.message.rstrip('.')}")], []
        breaks = [Break("anchors", "one of the journal's anchors was changed")] if any(a.entries < 0 for a in known) else []
        if isinstance(head, _Head) and head.anchored and all(a.entries != head.anchored for a in known):
            breaks.append(Break("anchors", f"the journal does not hold the anchor of {head.anchored} entries any more"))
        when = {a: time.strftime("%Y-%m-%d %H:%M", time.localtime(max(0.0, min(a.at, 2.0**33)))) for a in known}
        return breaks, [Witness(f"the journal's anchor of {when[a]}", a.entries, a.hash) for a in known if a.entries > 0]

    # --- the files -----------------------------------------------------------------------------------------------

    def _add(self, file: BinaryIO, event: str, fields: dict[str, Any], *, sync: bool) -> tuple[dict[str, Any], _Head]:
        """Write an entry, and before it notes about what is wrong at the end, in one write."""
        seq, previous, notes = self._end(file)
        head = self._read_head()
        anchored = head.anchored if isinstance(head, _Head) else 0
        if seq == 0 and not sync:
            self._set_head(_NO_HEAD)  # so that a head that is missing later was taken away
        lines = b""
        entry: dict[str, Any] = {}
        for kind, values in (*notes, (event, fields)):
            seq += 1
            entry = linked({"seq": seq, "time": round(time.time(), 6), "event": kind, **values}, previous)
            previous = entry["hash"]
            lines += canonical(entry) + b"\n"
        self._write(file, lines, sync=sync)
        new = _Head(seq, previous, entry["time"], anchored)
        if sync:
            self._set_head(new)
        return entry, new

    def _end(self, file: BinaryIO) -> tuple[int, str, list[tuple[str, dict[str, Any]]]]:
        """Return number and hash that the next entry follows, and notes to write before it about what is wrong at the end."""
        notes: list[dict[str, Any]] = []
        lines, torn_at = _last_lines(file)
        head = self._read_head()
        if torn_at is not None:
            notes.append(self._set_aside(file, torn_at))
        seq, digest = 0, FIRST
        if lines:
            try:
                entry = read(lines[-1])
                seq, digest = entry["seq"], entry["hash"]
            except ValueError:
                # Someone changed the last line. Going on from the head keeps the break where it is, for `verify` to name.
                notes.append({"what": "the last line could not be read"})
                seq, digest = (head.seq, head.hash) if isinstance(head, _Head) else (_count_lines(file), hashlib.sha256(lines[-1]).hexdigest())
        if isinstance(head, str):
            notes.append({"what": head})
        elif head is None and seq:
            notes.append({"what": f"{self.head.name} was missing"})
        elif head is not None and head.seq > seq:
            notes.append({"what": f"entries {seq + 1} to {head.seq} are missing"})
            seq, digest = head.seq, head.hash
        elif head is not None and _hash_of(lines, seq, head.seq) not in (None, head.hash):
            notes.append({"what": f"entry {head.seq} is not the one that {self.head.name} remembers"})
            digest = head.hash
        return seq, digest, [("note", n) for n in notes]

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

    def _set_head(self, head: _Head) -> None:
        # One short write over the same bytes is atomic enough here: a torn head is seen by `verify`, and by the next append.
        data = head.written()
        fd = os.open(self.head, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.pwrite(fd, data, 0)
            os.ftruncate(fd, len(data))
            os.fdatasync(fd)
        finally:
            os.close(fd)

    def _read_head(self) -> _Head | str | None:
        """Return the head; None if there is none; a sentence if it cannot be read."""
        try:
            return _Head.parsed(self.head.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError:
            return f"{self.head.name} is damaged"

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
            with self._open(fcntl.LOCK_EX if writing else fcntl.LOCK_SH) as file:
                yield file
        except OSError as error:
            raise JournalError(
                f"The audit {self.path} cannot be {'written' if writing else 'read'}: {error}.",
                hint=f"Nothing was changed. Make {self.folder} writable for you and free some space, then try again.",
            ) from error

    @contextmanager
    def _open(self, lock: int) -> Iterator[BinaryIO]:
        while True:
            with open(self.path, "r+b", buffering=0, opener=_owner_only) as file:
                fcntl.flock(file, lock)
                # While this waited for the lock the log may have been moved away: what is added must not go with it.
                if not _is_still(file, self.path):
                    continue
                yield file
                return


def _is_still(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def _hash_of(lines: list[bytes], last: int, number: int) -> str | None:
    """Return the hash of entry `number` among these lines, the newest of which is entry `last`; None if it is not there."""
    place = len(lines) - 1 - (last - number)
    try:
        entry = read(lines[place]) if 0 <= place < len(lines) else {}
    except ValueError:
        return None
    return str(entry["hash"]) if entry.get("seq") == number else None


def _last_lines(file: BinaryIO) -> tuple[list[bytes], int | None]:
    """Return the last complete lines, at least one if there is one, and where an incomplete one after them starts (None: there is none)."""
    end = file.seek(0, os.SEEK_END)
    start, data = end, b""
    while start > 0:
        step = min(_BLOCK, start)
        start -= step
        file.seek(start)
        data = file.read(step) + data
        if data.count(b"\n") >= 2:
            break
    complete = data[: data.rfind(b"\n") + 1]
    torn_at = start + len(complete)
    lines = [part + b"\n" for part in complete.split(b"\n")[:-1]]
    return lines[1:] if start else lines, torn_at if torn_at < end else None


def _count_lines(file: BinaryIO) -> int:
    file.seek(0)
    count = 0
    while block := file.read(_BLOCK):
        count += block.count(b"\n")
    return count


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
