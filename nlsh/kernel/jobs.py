"""The jobs: plans that run later, repeatedly or on an event, and their runs; SQLite beside the journal, where no plan can write.

It owns the rows and which run is whose: a due time is claimed once (one row for job, due time and attempt), and a run has one owner that can be told from
any later process. Starting what is due is `job_clock`'s, running it `job_run`'s.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nlsh.journal.store import is_alive, make_database, next_step, owner_of_this_process
from nlsh.plan.errors import JournalError, NotFound, Refused
from nlsh.plan.frozen import frozen
from nlsh.plan.schedule import Schedule
from nlsh.settings import state_dir

KEEP_RUNS = 200  # of a job
LATE_S = 90.0  # later than that, a run was missed
_BACKOFF_S, _LONGEST_BACKOFF_S = 60.0, 3600.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, request TEXT NOT NULL, plan TEXT NOT NULL, args TEXT NOT NULL, cwd TEXT NOT NULL, env TEXT NOT NULL,
  grants TEXT NOT NULL, status TEXT NOT NULL, due REAL, attempt INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL, found TEXT NOT NULL DEFAULT '[]'
);
CREATE TABLE IF NOT EXISTS runs (
  id INTEGER PRIMARY KEY AUTOINCREMENT, job INTEGER NOT NULL, due REAL NOT NULL, attempt INTEGER NOT NULL, owner TEXT NOT NULL, status TEXT NOT NULL,
  started REAL, finished REAL, message TEXT NOT NULL DEFAULT '', journal INTEGER, exit_status INTEGER, found TEXT NOT NULL DEFAULT '[]',
  told INTEGER NOT NULL DEFAULT 0,
  UNIQUE (job, due, attempt)
);
CREATE INDEX IF NOT EXISTS runs_by_status ON runs (status);
"""
GOING = ("claimed", "running")
_OF_WAITING = "(SELECT status FROM jobs WHERE id=runs.job)='waiting'"
FAILED = ("failed", "partly", "denied", "lost", "cancelled")
_WORTH_TELLING = (*FAILED, "said")


@frozen()
class Job:
    """A job. `status`: waiting, paused, done or cancelled. `due`: when it runs next, in seconds since the epoch; None where it waits for a condition.

    `args` are those of its condition, as they are meant; `state` is what was known of it last; `grants` is its standing grant, as data.
    """

    id: int
    at: float
    request: str
    plan: str
    args: dict[str, str]
    cwd: str
    env: dict[str, str]
    grants: dict[str, Any]
    status: str
    due: float | None
    attempt: int
    state: dict[str, Any]

    @property
    def schedule(self) -> Schedule:
        """When it runs. Raises BadPlan where this nlsh does not know such a schedule."""
        from nlsh.plan import registry

        found = registry.parse(self.plan).schedule
        assert found is not None
        return found


@frozen()
class JobRun:
    """A run of a job. `status`: claimed, running, done, nothing, said, failed, partly, denied, cancelled, paused, lost or missed.

    `paused`: it had not begun when its job was, and comes to pass once that goes on.
    `said`: its message is what its user asked to be told, and has not been told by other means.
    """

    id: int
    job: int
    due: float
    attempt: int
    owner: str
    status: str
    started: float | None
    finished: float | None
    message: str
    journal: int | None
    exit_status: int | None
    found: tuple[str, ...]


_JOB = "id, at, request, plan, args, cwd, env, grants, status, due, attempt, state"
_RUN = "id, job, due, attempt, owner, status, started, finished, message, journal, exit_status, found"


class Jobs:
    """The store. Several processes may use it at once. Every method raises JournalError where it cannot be used."""

    def __init__(self) -> None:
        self.path = state_dir() / "jobs.sqlite"
        self._db: sqlite3.Connection | None = None

    @property
    def exist(self) -> bool:
        """Whether there ever was a job."""
        return self.path.exists()

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def log_of(self, run: int) -> Path:
        """Return where the output of a run is."""
        return state_dir() / "jobs" / f"{run}.log"

    # --- jobs ----------------------------------------------------------------------------------------------------

    def add(
        self, *, request: str, plan: str, args: dict[str, str], cwd: str, env: dict[str, str], grants: dict[str, Any], due: float | None, state: dict[str, Any]
    ) -> int:
        """Write a job that was approved and return its number."""
        written = tuple(json.dumps(v) for v in (args, cwd, env, grants, state))
        with self._changing() as db:
            cursor = db.execute(
                "INSERT INTO jobs (at, request, plan, due, status, args, cwd, env, grants, state) VALUES (?,?,?,?,'waiting',?,?,?,?,?)",
                (time.time(), request, plan, due, *written),
            )
        return int(cursor.lastrowid or 0)

    def all(self) -> list[Job]:
        """Return every job, oldest first."""
        with self._using() as db:
            return [_job(row) for row in db.execute(f"SELECT {_JOB} FROM jobs ORDER BY id")]

    def job(self, number: int) -> Job:
        """Return a job. Raises NotFound."""
        with self._using() as db:
            row = db.execute(f"SELECT {_JOB} FROM jobs WHERE id=?", (number,)).fetchone() if number < 2**63 else None
        if row is None:
            raise NotFound(f"There is no job {number}.", hint="See nlsh jobs.")
        return _job(row)

    def set_state(self, number: int, state: dict[str, Any], *, due: float | None, found: tuple[str, ...] = ()) -> None:
        """Note what was seen of a job's condition, and that it is due, where it is; files that it is about are added to those not yet given to a run."""
        with self._changing() as db:
            row = db.execute("SELECT found FROM jobs WHERE id=?", (number,)).fetchone()
            kept = list(dict.fromkeys([*json.loads(row[0]), *found]))
            db.execute("UPDATE jobs SET state=?, found=?, due=coalesce(due, ?) WHERE id=?", (json.dumps(state), json.dumps(kept), due, number))

    def bring_forward(self, job: Job, due: float) -> None:
        """Have a job be due earlier than it was to be, unless that has been changed meanwhile."""
        with self._changing() as db:
            db.execute("UPDATE jobs SET due=? WHERE id=? AND due=? AND status='waiting'", (due, job.id, job.due))

    def pause(self, number: int) -> None:
        """Have no run of a job begin; one that is claimed does not, and if there is no other, is due again once the job goes on. Raises NotFound, Refused."""
        self._turn(number, ("waiting",), "paused", "paused")

    def resume(self, number: int) -> None:
        """Let a paused job go on; what was due meanwhile is treated as missed. Raises NotFound, Refused."""
        self._turn(number, ("paused",), "waiting", "resumed")

    def cancel(self, number: int) -> None:
        """End a job; a run that is under way is the caller's to stop. Raises NotFound, Refused."""
        self._turn(number, ("waiting", "paused"), "cancelled", "cancelled")

    def _turn(self, number: int, known: tuple[str, ...], status: str, words: str) -> None:
        now = self.job(number).status
        marks = ",".join("?" * len(known))
        with self._changing() as db:
            changed = db.execute(f"UPDATE jobs SET status=? WHERE id=? AND status IN ({marks})", (status, number, *known)).rowcount
            if changed and status != "waiting":
                self._call_off(db, number, status, words)
        if not changed:
            raise Refused(f"Job {number} is {now}, so it cannot be {words}.", hint="Nothing was changed.")

    def _call_off(self, db: sqlite3.Connection, number: int, status: str, words: str) -> None:
        """End the runs of a job that are claimed and have not begun, with the status it has now, and keep what they were about."""
        at = time.time()
        for run, found in db.execute("SELECT id, found FROM runs WHERE job=? AND status='claimed'", (number,)).fetchall():
            # What its user has called off he need not be told of.
            ended = "UPDATE runs SET status=?, message=?, finished=?, exit_status=1, told=1 WHERE id=?"
            db.execute(ended, (status, f"The job was {words} before this had begun.", at, run))
            later = json.loads(db.execute("SELECT found FROM jobs WHERE id=?", (number,)).fetchone()[0])
            kept = json.dumps(list(dict.fromkeys([*json.loads(found), *later])))
            db.execute("UPDATE jobs SET due=coalesce(due, ?), found=? WHERE id=?", (at, kept, number))

    # --- runs ----------------------------------------------------------------------------------------------------

    def runs(self, job: int | None = None, *, going: bool = False) -> list[JobRun]:
        """Return the runs of a job, or of all, oldest first; `going`: only those that have not ended."""
        where, values = ("job=?", [job]) if job is not None else ("1", [])
        where += " AND status IN ('claimed', 'running')" if going else ""
        with self._using() as db:
            return [_run(row) for row in db.execute(f"SELECT {_RUN} FROM runs WHERE {where} ORDER BY id", values)]

    def run(self, number: int) -> JobRun:
        """Return a run. Raises NotFound."""
        with self._using() as db:
            row = db.execute(f"SELECT {_RUN} FROM runs WHERE id=?", (number,)).fetchone()
        if row is None:
            raise NotFound(f"There is no run {number} of a job.", hint="See nlsh jobs.")
        return _run(row)

    def claim(self, job: Job, now: float) -> int | None:
        """Take a job's due time for a run, and set when it is due next; return the run's number.

        None where there is nothing to run: somebody else took it, a run of it is under way, it was missed and is not to be made up for.
        """
        schedule = job.schedule
        due = job.due if job.due is not None else now
        late = now - due > LATE_S and schedule.kind not in ("when", "background")
        following = schedule.next_due(now) if schedule.kind == "every" else None
        with self._changing() as db:
            row = db.execute("SELECT status, due, attempt, found FROM jobs WHERE id=?", (job.id,)).fetchone()
            busy = db.execute("SELECT 1 FROM runs WHERE job=? AND status IN ('claimed', 'running')", (job.id,)).fetchone()
            if row is None or row[0] != "waiting" or row[1] != job.due or busy:
                return None
            missed = late and schedule.when_missed == "skip" and not row[2]
            cursor = db.execute(
                "INSERT OR IGNORE INTO runs (job, due, attempt, owner, status, found, started, finished, message, told) VALUES (?,?,?,?,?,?,?,?,?,?)",
                (
                    job.id, due, row[2], owner_of_this_process(), "missed" if missed else "claimed", row[3], None, now if missed else None,
                    "It was due while no job could be run, and is not made up for." if missed else "", 0,
                ),
            )  # fmt: skip
            status = "waiting" if schedule.repeats else "done" if missed else "waiting"
            db.execute("UPDATE jobs SET due=?, found='[]', status=? WHERE id=?", (following, status, job.id))
            return None if missed or not cursor.rowcount else int(cursor.lastrowid or 0)

    def due_now(self, job: int, now: float) -> None:
        """Have a job run as soon as it can, besides its times; one that is over only where its last run has come to nothing. Raises NotFound, Refused."""
        status, runs = self.job(job).status, self.runs(job)
        again = status == "done" and bool(runs) and runs[-1].status in (*FAILED, "missed")
        with self._changing() as db:
            # What its last run was about, the next is about as well.
            if again:
                db.execute("UPDATE jobs SET status='waiting', found=? WHERE id=? AND status='done'", (json.dumps(runs[-1].found), job))
            changed = db.execute("UPDATE jobs SET due=?, attempt=0 WHERE id=? AND status='waiting'", (now, job)).rowcount
        if not changed and status == "paused":
            raise Refused(f"Job {job} is paused, so it is not run.", hint=f"Nothing was changed. Let it go on first: nlsh jobs resume {job}.")
        if not changed:
            raise Refused(f"Job {job} is {status}, so it is not run again.", hint="Nothing was changed. Only what has failed is tried again: make a new one.")

    def begin(self, run: int) -> bool:
        """Make a claimed run this process's own; return whether it was there to be had: not where its job is paused or has ended."""
        with self._changing() as db:
            words = f"UPDATE runs SET status='running', owner=?, started=? WHERE id=? AND status='claimed' AND {_OF_WAITING}"
            return bool(db.execute(words, (owner_of_this_process(), time.time(), run)).rowcount)

    def end(self, run: int, status: str, message: str, *, journal: int | None = None, exit_status: int = 0, again: bool = False) -> None:
        """Note how a run ended. `again`: nothing of it was done, so that it may be tried again, as often as its schedule says, ever later."""
        now = time.time()
        ended = self.run(run)
        job = self.job(ended.job)
        schedule = job.schedule
        retry = again and ended.attempt < schedule.retry
        with self._changing() as db:
            changed = db.execute(
                "UPDATE runs SET status=?, message=?, finished=?, journal=?, exit_status=? WHERE id=? AND status IN ('claimed', 'running')",
                (status, message, now, journal, exit_status, run),
            ).rowcount
            if not changed:
                return
            if retry:
                later = now + min(_LONGEST_BACKOFF_S, _BACKOFF_S * 2**ended.attempt)
                words = "UPDATE jobs SET attempt=?, found=?, due=min(coalesce(due, ?), ?) WHERE id=?"
                db.execute(words, (ended.attempt + 1, json.dumps(ended.found), later, later, job.id))
            else:
                words = "UPDATE jobs SET attempt=0, status=CASE WHEN ? AND status='waiting' AND due IS NULL THEN 'done' ELSE status END WHERE id=?"
                db.execute(words, (not schedule.repeats, job.id))
            old = db.execute("SELECT id FROM runs WHERE job=? AND finished IS NOT NULL ORDER BY id DESC LIMIT -1 OFFSET ?", (job.id, KEEP_RUNS))
            gone = [number for (number,) in old]
            db.executemany("DELETE FROM runs WHERE id=?", [(number,) for number in gone])
        for number in gone:
            self.log_of(number).unlink(missing_ok=True)

    def settle(self) -> list[JobRun]:
        """Close the runs whose process is gone: those that had begun are lost, and told so; return those that were claimed and never begun, now ours."""
        left = []
        for run in self.runs(going=True):
            if is_alive(run.owner):
                continue
            if run.status == "running":
                self.end(run.id, "lost", "It was cut short: see nlsh history for what it had done.", exit_status=1)
                continue
            if self.job(run.job).status != "waiting":
                self.end(run.id, "cancelled", "The job did not wait any more.", exit_status=1)
                continue
            with self._changing() as db:
                words = f"UPDATE runs SET owner=? WHERE id=? AND status='claimed' AND owner=? AND {_OF_WAITING}"
                if db.execute(words, (owner_of_this_process(), run.id, run.owner)).rowcount:
                    left.append(run)
        return left

    def untold(self) -> list[JobRun]:
        """Return the runs that failed or have something to say, of which the user has not been told, and note that he now is."""
        marks = ",".join("?" * len(_WORTH_TELLING))
        with self._changing() as db:
            found = [_run(row) for row in db.execute(f"SELECT {_RUN} FROM runs WHERE told=0 AND status IN ({marks}) ORDER BY id", _WORTH_TELLING)]
            db.executemany("UPDATE runs SET told=1 WHERE id=?", [(r.id,) for r in found])
        return found

    # --- the file ------------------------------------------------------------------------------------------------

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        try:
            if self._db is None:
                # Made here, so that nobody else can read it from the start.
                make_database(self.path)
                self._db = sqlite3.connect(self.path, timeout=10, isolation_level=None)
                self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + _SCHEMA)
            yield self._db
        except (sqlite3.Error, OSError, ValueError) as error:
            self.close()
            hint = next_step(self.path, error, "the jobs in it are then gone")
            raise JournalError(f"The jobs in {self.path} cannot be used: {error}.", hint=hint) from error

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with self._using() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")


def _job(row: tuple[Any, ...]) -> Job:
    number, at, request, plan, args, cwd, env, grants, status, due, attempt, state = row
    return Job(number, at, request, plan, json.loads(args), json.loads(cwd), json.loads(env), json.loads(grants), status, due, attempt, json.loads(state))


def _run(row: tuple[Any, ...]) -> JobRun:
    return JobRun(*(*row[:-1], tuple(json.loads(row[-1]))))
