"""The journal: what was done, in which steps, and the inverse of each; SQLite under the state folder, owner-only.

A run is written with all its steps and inverses and synced before anything is applied (`begin`). Progress marks are written in
batches and are a convenience only: after a crash the truth is read from the world. This module owns the rows; what they mean for
undo and recovery is `nlsh.journal.undo`'s. No file contents and no secrets are stored.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlsh.journal.redact import redacted
from nlsh.plan.errors import JournalError, NlshError
from nlsh.plan.frozen import frozen
from nlsh.plan.steps import Step, as_json, step_from_data
from nlsh.steps.times import RestoreTimes

if TYPE_CHECKING:
    import sqlite3

KEEP_DAYS = 90
KEEP_RUNS = 1000
_VERSION = 1
_SCHEMA = """
CREATE TABLE runs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at REAL NOT NULL, finished_at REAL,
  request TEXT NOT NULL, plan TEXT NOT NULL, digest TEXT NOT NULL, cwd TEXT NOT NULL,
  status TEXT NOT NULL, owner TEXT NOT NULL,
  turn TEXT NOT NULL, about INTEGER, undone_by INTEGER,
  no_undo TEXT NOT NULL, total INTEGER NOT NULL
);
CREATE INDEX runs_by_status ON runs (status);
CREATE TABLE steps (
  run INTEGER NOT NULL, seq INTEGER NOT NULL, call INTEGER NOT NULL, step INTEGER NOT NULL,
  data TEXT NOT NULL, inverse TEXT, source INTEGER, state TEXT NOT NULL,
  PRIMARY KEY (run, seq)
) WITHOUT ROWID;
CREATE TABLE folders (
  run INTEGER NOT NULL, path TEXT NOT NULL, before_ns INTEGER NOT NULL, after_ns INTEGER,
  PRIMARY KEY (run, path)
) WITHOUT ROWID;
"""


@frozen()
class Run:
    """A journalled run, without its steps.

    `status`: running, done, partly, failed or cancelled. `turn`: do, undo, redo or finish; `about` is the run that it takes back or
    finishes, `undone_by` the run that took this one back. `no_undo` says why it cannot be undone, empty where it can.
    """

    id: int
    at: float
    finished_at: float | None
    request: str
    plan: str
    digest: str
    cwd: str
    status: str
    owner: str
    turn: str
    about: int | None
    undone_by: int | None
    no_undo: str
    total: int


@frozen()
class JournalledStep:
    """A step as it was written before the run. `state`: planned, done, failed, undone, or passed (another run took it over)."""

    seq: int
    call: int
    step: Step
    inverse: Step | None
    state: str


@frozen()
class NewStep:
    """A step to be journalled; `source` is the `seq` of the step, of the run it is about, that it takes back or finishes.

    `text` is the step as JSON, where it is known.
    """

    call: int
    index: int
    step: Step
    source: int | None = None
    text: str = ""


def owner_of_this_process() -> str:
    """Return pid, start time and boot of this process: a name that no later process can have."""
    return f"{os.getpid()}:{_start_time(os.getpid())}:{_boot()}"


def is_alive(owner: str) -> bool:
    """Return whether the process named by `owner_of_this_process` still runs."""
    pid, _, rest = owner.partition(":")
    started, _, boot = rest.partition(":")
    return pid.isdecimal() and boot == _boot() and started != "" and _start_time(int(pid)) == started


def _start_time(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name, in parentheses, may hold anything; the state follows it and the start time is the 20th field from there.
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in (b"Z", b"X") else fields[19].decode()


def _boot() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return "unknown"


class Journal:
    """The store of runs. Several processes may use it at once. Every method raises JournalError where it cannot be used."""

    def __init__(self, path: Path | str | None = None) -> None:
        """Open the journal at `path` (default: under the state folder) on first use."""
        self._path = Path(path) if path is not None else None
        self._db: sqlite3.Connection | None = None

    @property
    def path(self) -> Path:
        """Where the journal is."""
        if self._path is None:
            from nlsh.settings import state_dir

            self._path = state_dir() / "journal.sqlite"
        return self._path

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        if self._db is not None:
            self._db.close()
            self._db = None

    # --- writing -------------------------------------------------------------------------------------------------

    def begin(
        self, *, request: str, plan: str, digest: str, cwd: str, steps: Iterable[NewStep], no_undo: str = "",
        turn: str = "do", about: int | None = None,
    ) -> int:  # fmt: skip
        """Write a run with its steps, their inverses and the touched folders' times, synced, and return its number.

        Raises JournalError if the run that this one is about was taken back, or is being taken back, by another process meanwhile.
        """
        touched: dict[str, None] = {}
        with self.using() as db:
            db.execute("PRAGMA synchronous=FULL")
            db.execute("BEGIN IMMEDIATE")
            if about is not None:
                self._claim(db, about)
            cursor = db.execute(
                "INSERT INTO runs (at, request, plan, digest, cwd, status, owner, turn, about, no_undo, total) VALUES (?,?,?,?,?,'running',?,?,?,?,0)",
                (time.time(), redacted(_readable(request)), redacted(plan), digest, json.dumps(cwd), owner_of_this_process(), turn, about, no_undo),
            )
            run = int(cursor.lastrowid or 0)
            total = 0

            def rows() -> Iterator[tuple[Any, ...]]:
                nonlocal total
                for seq, new in enumerate(steps):
                    total = seq + 1
                    inverse = new.step.inverse()
                    touched.update(dict.fromkeys(new.step.touches()))
                    yield run, seq, new.call, new.index, new.text or _dump(new.step), None if inverse is None else _dump(inverse), new.source

            db.executemany("INSERT INTO steps (run, seq, call, step, data, inverse, source, state) VALUES (?,?,?,?,?,?,?,'planned')", rows())
            # What finishes a run that did nothing begins where that began: the step that was cut short may have changed the time of its folder.
            nothing = "NOT EXISTS (SELECT 1 FROM steps WHERE run=folders.run AND state='done')"
            known = dict(db.execute(f"SELECT path, before_ns FROM folders WHERE run=? AND {nothing}", (about if turn == "finish" else None,)))
            times = [(run, place, known.get(place, ns)) for path in touched if (ns := _mtime(path)) is not None and (place := json.dumps(path))]
            db.executemany("INSERT INTO folders (run, path, before_ns) VALUES (?,?,?)", times)
            db.execute("UPDATE runs SET total=? WHERE id=?", (total, run))
            db.execute("COMMIT")
            # From here on a lost commit costs nothing but a look at the world.
            db.execute("PRAGMA synchronous=NORMAL")
        return run

    def forget(self, run: int) -> None:
        """Remove a run of which nothing was applied."""
        with self.using() as db, _transaction(db):
            _delete(db, "id = ?", (run,))

    def mark(self, run: int, marks: Iterable[tuple[int, str]]) -> None:
        """Note the states of steps, by `seq`, in one unsynced commit."""
        with self.using() as db, _transaction(db):
            db.executemany("UPDATE steps SET state=? WHERE run=? AND seq=?", ((state, run, seq) for seq, state in marks))

    def finish(self, run: int, status: str) -> None:
        """Note how a run ended and the touched folders' times, carry what it undid or finished over to the run it is about; prune old runs."""
        with self.using() as db, _transaction(db):
            db.execute("UPDATE runs SET status=?, finished_at=? WHERE id=?", (status, time.time(), run))
            with readable_rows():
                times = [(_mtime(json.loads(path)), run, path) for (path,) in db.execute("SELECT path FROM folders WHERE run=?", (run,))]
            db.executemany("UPDATE folders SET after_ns=? WHERE run=? AND path=?", times)
            self._carry_over(db, run)
            # What this run did to the folders of the one it takes back is no change by somebody else.
            mine = "FROM folders AS mine WHERE mine.run=? AND mine.path=folders.path"
            db.execute(
                f"UPDATE folders SET after_ns=(SELECT after_ns {mine}) WHERE run=(SELECT about FROM runs WHERE id=? AND turn='undo') "
                f"AND after_ns=(SELECT before_ns {mine})",
                (run, run, run),
            )  # fmt: skip
            _delete(
                db, "status != 'running' AND (at < ? OR id <= (SELECT max(id) FROM runs) - ?)", (time.time() - KEEP_DAYS * 86400, KEEP_RUNS)
            )  # fmt: skip

    def _claim(self, db: sqlite3.Connection, about: int) -> None:
        row = db.execute("SELECT undone_by, status, owner FROM runs WHERE id=?", (about,)).fetchone()
        busy = db.execute("SELECT owner FROM runs WHERE about=? AND status='running'", (about,)).fetchall()
        if row is None or row[0] is not None or (row[1] == "running" and is_alive(row[2])) or any(is_alive(o) for (o,) in busy):
            db.execute("ROLLBACK")
            raise JournalError(f"Run {about} was taken up by another nlsh meanwhile.", hint="Nothing was changed. See nlsh history.")

    def _carry_over(self, db: sqlite3.Connection, run: int) -> None:
        turn, about = db.execute("SELECT turn, about FROM runs WHERE id=?", (run,)).fetchone()
        if about is None:
            return
        sources = "(SELECT source FROM steps WHERE run=? AND state IN ('done', 'passed') AND source IS NOT NULL)"
        if turn == "finish":
            db.execute(f"UPDATE steps SET state='passed' WHERE run=? AND seq IN {sources}", (about, run))
            left = db.execute("SELECT count(*) FROM steps WHERE run=? AND state IN ('planned', 'failed')", (about,)).fetchone()[0]
            db.execute("UPDATE runs SET status=? WHERE id=?", ("partly" if left else "done", about))
            self._carry_over(db, about)
            return
        db.execute(f"UPDATE steps SET state='undone' WHERE run=? AND seq IN {sources}", (about, run))
        left = db.execute("SELECT count(*) FROM steps WHERE run=? AND state='done' AND inverse IS NOT ?", (about, _NO_CHANGE)).fetchone()[0]
        did = "EXISTS (SELECT 1 FROM steps WHERE run=? AND state='done')"
        db.execute(
            f"UPDATE runs SET undone_by=CASE WHEN ?=0 AND {did} THEN ? END, status=CASE WHEN status='running' THEN 'partly' ELSE status END WHERE id=?",
            (left, run, run, about),
        )

    # --- reading -------------------------------------------------------------------------------------------------

    def run(self, number: int) -> Run | None:
        """Return the run of that number, or None."""
        return next(iter(self._runs("WHERE id=?", (number,))), None)

    def recent(self, limit: int) -> list[Run]:
        """Return the newest runs, newest first."""
        return self._runs("ORDER BY id DESC LIMIT ?", (limit,))

    def last_to_undo(self) -> Run | None:
        """Return the newest run that changed something, is not an undo itself, and was not taken back."""
        changed = "EXISTS (SELECT 1 FROM steps WHERE run=runs.id AND state='done' AND inverse IS NOT ?)"
        found = self._runs(f"WHERE turn != 'undo' AND undone_by IS NULL AND status != 'running' AND {changed} ORDER BY id DESC", (_NO_CHANGE,))
        # What finishes an undo is one, too.
        return next((r for r in found if self.finished_by(r).turn != "undo"), None)

    def finished_by(self, run: Run) -> Run:
        """Return the run that a run finishes, in the end; itself if it finishes none."""
        while run.turn == "finish" and run.about is not None and run.about < run.id and (about := self.run(run.about)) is not None:
            run = about
        return run

    def running(self) -> list[Run]:
        """Return the runs that have not ended, oldest first, whether their process lives or not."""
        return self._runs("WHERE status='running' ORDER BY id", ())

    def states(self, run: int) -> dict[str, int]:
        """Return how many steps of a run are in each state."""
        with self.using() as db:
            return dict(db.execute("SELECT state, count(*) FROM steps WHERE run=? GROUP BY state", (run,)))

    def steps(self, run: int) -> list[JournalledStep]:
        """Return the steps of a run in order."""
        with self.using() as db:
            rows = db.execute("SELECT seq, call, data, inverse, state FROM steps WHERE run=? ORDER BY seq", (run,)).fetchall()
        try:
            found = [JournalledStep(seq, call, _load(data), None if inverse is None else _load(inverse), state) for seq, call, data, inverse, state in rows]
            if not all(isinstance(s.state, str) for s in found):
                raise TypeError("a step's state")
            return found
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError, NlshError, ImportError) as error:
            raise JournalError(f"Run {run} was written by another version of nlsh ({error}).", hint="Nothing was changed. It cannot be undone.") from error

    def folders(self, run: int) -> list[tuple[str, int, int | None]]:
        """Return the touched folders of a run: path, modification time before it and after it in nanoseconds (None: it did not end)."""
        with self.using() as db:
            rows = db.execute("SELECT path, before_ns, after_ns FROM folders WHERE run=? ORDER BY path", (run,)).fetchall()
        with readable_rows():
            found = [(json.loads(path), before, after) for path, before, after in rows]
            if not all(isinstance(p, str) and isinstance(b, int) and isinstance(a, int | None) for p, b, a in found):
                raise TypeError("a folder's path or time")
            return found

    def _runs(self, where: str, values: tuple[Any, ...]) -> list[Run]:
        columns = ", ".join(Run.__dataclass_fields__)
        with self.using() as db:
            rows = db.execute(f"SELECT {columns} FROM runs {where}", values).fetchall()
        at = list(Run.__dataclass_fields__).index("cwd")
        with readable_rows():
            return [_checked(Run(*(json.loads(v) if i == at else v for i, v in enumerate(row)))) for row in rows]

    # --- the connection ------------------------------------------------------------------------------------------

    @contextmanager
    def using(self) -> Iterator[sqlite3.Connection]:
        """Give the connection; a transaction that is open when something goes wrong is taken back. Raises JournalError."""
        import sqlite3

        try:
            if self._db is None:
                self._db = self._open()
            try:
                yield self._db
            except BaseException:
                if self._db is not None and self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        except (sqlite3.Error, OSError, UnicodeDecodeError) as error:  # the last: SQLite's own words about a damaged file
            left, self._db = self._db, None
            if left is not None:
                with suppress(sqlite3.Error):
                    left.close()
            raise JournalError(f"The journal {self.path} cannot be used: {error}.", hint=next_step(self.path, error)) from error

    def _open(self) -> sqlite3.Connection:
        import sqlite3

        # Made here, so that it is owner-only from the start; SQLite gives its -wal and -shm files the same mode.
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        make_database(self.path)
        db = sqlite3.connect(self.path, isolation_level=None, timeout=10)
        try:
            db.execute("PRAGMA busy_timeout=10000")
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version > _VERSION:
                raise JournalError(f"The journal {self.path} was written by a newer nlsh.", hint="Nothing was changed. Use that version.")
            db.execute("PRAGMA journal_mode=WAL")
            if version < _VERSION:
                db.execute("BEGIN IMMEDIATE")
                if db.execute("PRAGMA user_version").fetchone()[0] < _VERSION:
                    for statement in _SCHEMA.split(";"):
                        db.execute(statement)
                    db.execute(f"PRAGMA user_version={_VERSION}")
                db.execute("COMMIT")
        except BaseException:
            db.close()
            raise
        return db


def make_database(path: Path) -> None:
    """Make a file for a database where there is none, and what is there owner-only. Raises OSError.

    What is there is not opened for that: to close any descriptor of a file gives up all the locks that this process holds on it, those of SQLite's
    other connections included, and another process then takes the database for unused (https://sqlite.org/howtocorrupt.html, section 2.2).
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    except FileExistsError:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from None
        if stat.S_IMODE(status.st_mode) != 0o600:
            os.chmod(path, 0o600)


@contextmanager
def readable_rows() -> Iterator[None]:
    """Make what goes wrong with values that nlsh has not written a JournalError."""
    try:
        yield
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        raise JournalError(f"A row of the journal is not as nlsh writes it ({error}).", hint="Nothing was changed. Someone changed it by hand.") from error


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    yield
    db.execute("COMMIT")


def _delete(db: sqlite3.Connection, where: str, values: tuple[Any, ...]) -> None:
    old = [(run,) for (run,) in db.execute(f"SELECT id FROM runs WHERE {where}", values)]
    for table, column in (("steps", "run"), ("folders", "run"), ("runs", "id")):
        db.executemany(f"DELETE FROM {table} WHERE {column}=?", old)


def next_step(path: Path, error: Exception, lost: str = "what it held can then no longer be undone") -> str:
    """Return what the user is to do about a database that cannot be used."""
    if isinstance(error, PermissionError) or "readonly" in str(error) or "unable to open" in str(error):
        return f"Nothing was changed. Make {path.parent} writable for you, then try again."
    if "locked" in str(error):
        return "Nothing was changed. Another nlsh is writing to it; try again."
    if "full" in str(error) or "I/O" in str(error):
        return "Nothing was changed. Free some disk space, then try again."
    # Its -wal and -shm files belong to it: beside a new database they would be the next fault.
    aside = path.parent / "broken"
    return f"Nothing was changed. Move it away with what belongs to it (mkdir -p {aside}; mv {path}* {aside}) to start a new one; {lost}."


def _dump(step: Step) -> str:
    return as_json(step.as_data())


def _checked(run: Run) -> Run:
    """Return the run. Raises TypeError where a value is of another kind than nlsh writes."""
    texts = (run.request, run.plan, run.digest, run.cwd, run.status, run.owner, run.turn, run.no_undo)
    numbers = isinstance(run.id, int) and isinstance(run.total, int) and all(isinstance(n, int | None) for n in (run.about, run.undone_by))
    times = isinstance(run.at, float) and isinstance(run.finished_at, float | None)
    if not (numbers and times and all(isinstance(t, str) for t in texts)):
        raise TypeError(f"run {run.id}")
    return run


def _load(text: str) -> Step:
    return step_from_data(json.loads(text))


# The inverse of what undo itself adds to its runs: it is never what is left to take back.
_NO_CHANGE = _dump(RestoreTimes(()))


def _readable(text: str) -> str:
    """Return `text` with what is not valid Unicode escaped: SQLite takes no lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode()


def _mtime(path: str) -> int | None:
    try:
        return os.lstat(path).st_mtime_ns
    except OSError:
        return None
