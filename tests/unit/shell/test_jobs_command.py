"""What `nlsh jobs` says of a job that was paused."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from nlsh import cli
from nlsh.kernel.jobs import Jobs
from nlsh.plan import registry

HOUR = registry.format(registry.parse('with every("1h"): file.list()'))


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    assert cli.main(["jobs", "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    return json.loads(line)


def test_a_job_that_is_paused_before_its_run_begins_was_not_cancelled(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs, now = Jobs(), time.time()
    number = jobs.add(request="list", plan=HOUR, args={}, cwd="/", env={}, grants={}, due=now, state={})
    first = jobs.claim(jobs.job(number), now)
    assert first is not None and jobs.begin(first)
    jobs.end(first, "done", "")
    assert jobs.claim(jobs.job(number), now + 3600) is not None
    jobs.pause(number)
    found = listed(capsys)
    assert (found["status"], found["last"]) == ("paused", "done")  # what it did last, and not what it has not begun
    put_off = jobs.runs(number)[-1]
    assert (put_off.status, put_off.message) == ("paused", "The job was paused before this had begun.")
    assert cli.main(["jobs", "wait", str(number)]) == 2 and "is paused" in capsys.readouterr().err
