"""When a plan runs: what is written, what it means on the clock, and what is refused."""

from __future__ import annotations

from datetime import datetime

import pytest

from nlsh.plan import registry
from nlsh.plan.errors import BadArgument, BadPlan
from nlsh.plan.plan import Plan
from nlsh.plan.schedule import Schedule, describe, moment_of

TUESDAY = datetime(2026, 3, 10, 12, 30)


def due(header: str, after: datetime = TUESDAY) -> str | None:
    schedule = registry.parse(f"with {header}: file.list()").schedule
    assert schedule is not None
    found = schedule.next_due(after.timestamp())
    return None if found is None else f"{datetime.fromtimestamp(found):%a %d %H:%M}"


@pytest.mark.parametrize(
    ("header", "when"),
    [
        ('every("1h")', "Tue 10 13:30"),
        ('every("90 minutes")', "Tue 10 14:00"),
        ('every("day", at="18:00")', "Tue 10 18:00"),
        ('every("day", at="noon")', "Wed 11 12:00"),
        ('every("weekday", at="9am")', "Wed 11 09:00"),
        ('every("weekend")', "Sat 14 09:00"),
        ('every("monday and thursday", at="7:00")', "Thu 12 07:00"),
        ('every("month on the 1st")', "Wed 01 09:00"),
        ('every("周五", at="下午5点")', "Fri 13 17:00"),
        ('at("18:00")', "Tue 10 18:00"),
        ('at("9am")', "Wed 11 09:00"),
        ('at("in 20 minutes")', "Tue 10 12:50"),
        ('at("tomorrow")', "Wed 11 09:00"),
        ('at("next tuesday at 8")', "Tue 17 08:00"),
        ('at("下周二早上8点")', "Tue 17 08:00"),
        ('at("2026-12-01 08:15")', "Tue 01 08:15"),
        ("background()", "Tue 10 12:30"),
        ('when(disk.over("90%"))', None),
    ],
)
def test_next_due(header: str, when: str | None) -> None:
    assert due(header) == when


def test_what_is_over_is_never_due_again() -> None:
    assert Schedule("at", {"time": "2026-01-01 08:00"}).next_due(TUESDAY.timestamp()) is None
    with pytest.raises(ValueError, match="no time such as"):
        moment_of("someday", TUESDAY.timestamp())


def test_a_plan_with_a_schedule_is_written_on_one_line_and_read_back() -> None:
    text = 'with every("day", at="18:00", missed="skip", retry="2", priority="low"):\n    a = file.find("~", named="*.tmp")\n    file.trash(a)'
    plan = registry.parse(text)
    assert registry.format(plan) == 'with every("day", at="18:00", missed="skip", retry="2", priority="low"): a = file.find("~", named="*.tmp"); file.trash(a)'
    assert registry.parse(registry.format(plan)) == plan
    assert plan != Plan(plan.calls)
    # As data it would have lost its schedule, and run at once.
    with pytest.raises(BadPlan):
        plan.as_data()


@pytest.mark.parametrize(
    "text",
    [
        'with evry("1h"): file.list()',
        'with every("1 second"): file.list()',
        "with every(): file.list()",
        'with every("1h", at="18:00"): file.list()',
        'with at("someday"): file.list()',
        'with when("make"): file.list()',
        'with when(disk.ovr("90%")): file.list()',
        'with when(disk.over("x")): file.list()',
        'with when(disk.over("90%"), path="/"): file.list()',
        'with when(process.exits(pid="$(id)")): file.list()',
        'with open("x"): file.list()',
        'with every("1h") as x: file.list()',
        'with every("1h"), every("2h"): file.list()',
        'with every("1h"):\n  with every("2h"): file.list()',
        'file.list()\nwith every("1h"): file.list()',
        'with every("1h", retry="99"): file.list()',
        'with every("1h", priority="root"): file.list()',
        'with every("1h", missed="twice"): file.list()',
        'with every(["1h"]): file.list()',
    ],
)
def test_what_is_no_schedule(text: str) -> None:
    with pytest.raises(BadPlan):
        registry.parse(text)


def test_several_processes_are_waited_for_together() -> None:
    plan = registry.parse('with when(process.exits(pid="812, 813")): file.list()')
    assert plan.schedule is not None and describe(plan.schedule) == "once, when processes 812, 813 have ended"
    assert registry.parse(registry.format(plan)) == plan
    with pytest.raises(BadArgument, match="“x” is no process id"):
        registry.parse('with when(process.exits(pid="812, x")): file.list()')
