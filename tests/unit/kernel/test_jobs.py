"""The store of jobs: a due time is run once, whoever looks; what was missed, cut short or failed is treated as was said."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import pytest

from nlsh.kernel.jobs import JobRun, Jobs
from nlsh.plan import registry
from nlsh.plan.errors import JournalError, NotFound, Refused

NOW = 1_790_000_000.0
HOUR = 'with every("1h"): file.list()'


def add(plan: str = HOUR, due: float | None = NOW) -> int:
    return Jobs().add(request="r", plan=plan, args={}, cwd="/", env={}, grants={}, due=due, state={})


def claimed(number: int, now: float = NOW) -> int:
    jobs = Jobs()
    run = jobs.claim(jobs.job(number), now)
    assert run is not None
    return run


def _claim(number: int, barrier: object, results: object) -> None:
    jobs = Jobs()
    job = jobs.job(number)
    barrier.wait()  # type: ignore[attr-defined]
    results.put(jobs.claim(job, NOW))  # type: ignore[attr-defined]


def test_of_many_that_look_at_once_one_gets_the_run(home: Path) -> None:
    number = add()
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(6), context.Queue()
    them = [context.Process(target=_claim, args=(number, barrier, results)) for _ in range(6)]
    for process in them:
        process.start()
    got = [results.get(timeout=30) for _ in them]
    for process in them:
        process.join()
    assert sum(g is not None for g in got) == 1
    assert len(Jobs().runs(number)) == 1 and Jobs().job(number).due == NOW + 3600


def test_a_claimed_run_is_begun_once_and_the_next_waits_for_its_end(home: Path) -> None:
    number = add()
    run = claimed(number)
    assert Jobs().begin(run) and not Jobs().begin(run)
    jobs = Jobs()
    assert jobs.claim(jobs.job(number), NOW + 3600) is None
    jobs.end(run, "done", "")
    assert jobs.claim(jobs.job(number), NOW + 3600) is not None


def test_what_was_claimed_and_never_begun_is_handed_on_and_what_was_cut_short_is_told(home: Path) -> None:
    never, cut = add(), add()
    pid = os.fork()
    if pid == 0:
        try:
            claimed(never)
            Jobs().begin(claimed(cut))
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    handed = Jobs().settle()
    assert [r.job for r in handed] == [never] and Jobs().begin(handed[0].id)
    assert Jobs().settle() == []
    assert [(r.job, r.status) for r in Jobs().untold()] == [(cut, "lost")]
    assert Jobs().untold() == []


def test_what_is_claimed_does_not_begin_once_its_job_is_paused_or_cancelled(home: Path) -> None:
    jobs = Jobs()
    for plan, call_off in ((HOUR, jobs.pause), (HOUR, jobs.cancel), ("with background(): file.list()", jobs.pause)):
        number = add(plan)
        run = claimed(number)
        call_off(number)
        assert not jobs.begin(run) and jobs.run(run).status == jobs.job(number).status == ("paused" if call_off == jobs.pause else "cancelled")
        assert jobs.settle() == [] and jobs.untold() == []
        if call_off == jobs.pause:
            jobs.resume(number)
            # What was to run once is not lost; what comes again waits for its next time.
            job = jobs.job(number)
            again = jobs.claim(job, job.due or 0.0)
            assert again is not None and jobs.begin(again) and (job.due == NOW + 3600) == (plan == HOUR)


def test_a_claim_that_outlived_its_job_is_not_handed_on(home: Path) -> None:
    number = add()
    pid = os.fork()
    if pid == 0:
        try:
            claimed(number)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    jobs = Jobs()
    with jobs._changing() as db:  # as an earlier nlsh left it
        db.execute("UPDATE jobs SET status='cancelled'")
    assert not jobs.begin(jobs.runs(number)[0].id) and jobs.settle() == []
    assert jobs.runs(number)[0].status == "cancelled"


def test_to_run_a_paused_job_is_refused_and_it_stays_paused(home: Path) -> None:
    jobs, number = Jobs(), add()
    jobs.pause(number)
    with pytest.raises(Refused, match="paused"):
        jobs.due_now(number, NOW)
    assert jobs.job(number).status == "paused"
    jobs.resume(number)
    jobs.due_now(number, NOW - 1)
    assert jobs.job(number).due == NOW - 1


def test_what_is_over_is_run_again_only_where_it_has_failed(home: Path) -> None:
    jobs = Jobs()
    for status, again in (("failed", True), ("lost", True), ("done", False), ("nothing", False)):
        number = add("with background(): file.list()")
        jobs.end(claimed(number), status, "")
        assert jobs.job(number).status == "done"
        if not again:
            with pytest.raises(Refused, match="is done"):
                jobs.due_now(number, NOW + 1)
            continue
        jobs.due_now(number, NOW + 1)
        jobs.end(claimed(number, NOW + 1), "done", "")
        assert [r.status for r in jobs.runs(number)] == [status, "done"] and jobs.job(number).status == "done"


@pytest.mark.parametrize(
    ("plan", "status"),
    [
        (HOUR, "missed"),
        ('with every("1h", missed="once"): file.list()', "claimed"),
        ('with every("day", at="18:00"): file.list()', "claimed"),
        ('with every("day", at="18:00", missed="skip"): file.list()', "missed"),
        ('with at("2026-01-01 08:00"): file.list()', "claimed"),
        ('with at("2026-01-01 08:00", missed="skip"): file.list()', "missed"),
    ],
)
def test_what_was_missed(home: Path, plan: str, status: str) -> None:
    number = add(plan)
    late, jobs = NOW + 5 * 86400 + 7, Jobs()
    jobs.claim(jobs.job(number), late)
    assert [r.status for r in jobs.runs(number)] == [status]
    job = jobs.job(number)
    # Five days late is one run, not five; the next is in the future.
    assert job.due is None or job.due > late
    assert job.status == ("done" if status == "missed" and "at(" in plan[:9] else "waiting")


def test_it_is_tried_again_ever_later_and_not_for_ever(home: Path) -> None:
    number = add('with at("2026-01-01 08:00", retry="2"): file.list()')
    jobs, waits = Jobs(), []
    for _ in range(3):
        run = jobs.claim(jobs.job(number), jobs.job(number).due or 0.0)
        assert run is not None
        before = time.time()
        jobs.end(run, "failed", "no", exit_status=1, again=True)
        if (due := jobs.job(number).due) is not None:
            waits.append(round((due - before) / 60))
    assert waits == [1, 2] and jobs.job(number).status == "done"
    assert [r.attempt for r in jobs.runs(number)] == [0, 1, 2]


def test_what_has_been_done_in_part_is_not_tried_again(home: Path) -> None:
    number = add('with at("2026-01-01 08:00", retry="2"): file.list()')
    Jobs().end(claimed(number), "partly", "half", exit_status=5)
    assert Jobs().job(number).status == "done" and len(Jobs().runs(number)) == 1


def test_files_that_appear_meanwhile_wait_for_the_next_run(home: Path) -> None:
    number = add('with when(file.appears("/tmp")): file.list()', due=None)
    jobs = Jobs()
    jobs.set_state(number, {}, due=NOW, found=("/a",))
    first = claimed(number)
    jobs.set_state(number, {}, due=NOW + 1, found=("/b", "/c"))
    jobs.end(first, "done", "")
    second = claimed(number, NOW + 1)
    found: list[JobRun] = [jobs.run(first), jobs.run(second)]
    assert [r.found for r in found] == [("/a",), ("/b", "/c")]


def test_nobody_else_reads_it(home: Path) -> None:
    add()
    assert Jobs().path.stat().st_mode & 0o077 == 0


def test_a_clock_that_is_set_back_does_not_put_off_what_comes_again_and_again(home: Path) -> None:
    """The machine began with a clock that was years ahead."""
    jobs = Jobs()
    every, daily = add(due=NOW + 3600), add('with every("day", at="18:00"): file.list()', due=NOW + 3600)
    years = NOW - 4 * 365 * 86400
    for number, least, most in ((every, 0, 3600), (daily, 0, 86400)):
        job = jobs.job(number)
        assert job.schedule.due_after_setback(NOW + 3600, NOW) is None
        earlier = job.schedule.due_after_setback(NOW + 3600, years)
        assert earlier is not None and least < earlier - years <= most
        jobs.bring_forward(job, earlier)
        assert jobs.job(number).due == earlier
    once = registry.parse('with at("2035-01-01 10:00"): file.list()').schedule
    assert once is not None and once.due_after_setback(NOW + 3600, years) is None


def test_what_cannot_be_started_on_a_full_disk_is_started_later_and_the_clock_goes_on(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nlsh.kernel import job_clock

    number = add(due=time.time() - 1)
    clock = job_clock.JobClock(lambda *words: ["true"])
    full = OSError(28, "No space left on device")

    def no_room(*_: object, **__: object) -> None:
        raise JournalError("full") from full

    with monkeypatch.context() as patch:
        patch.setattr(job_clock, "open", lambda *_, **__: (_ for _ in ()).throw(full), raising=False)
        patch.setattr(Jobs, "end", no_room)
        assert clock.tick() is not None
    assert [r.status for r in Jobs().runs(number)] == ["claimed"]
    started: list[int] = []
    monkeypatch.setattr(job_clock.JobClock, "_start", lambda self, job, run: started.append(run))
    clock.tick()
    assert started == [Jobs().runs(number)[0].id]


def test_a_number_that_no_job_can_have_is_no_job(home: Path) -> None:
    with pytest.raises(NotFound):
        Jobs().job(10**30)
