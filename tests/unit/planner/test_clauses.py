"""Which part of a sentence says when: over two hundred phrasings, in English and in Chinese, a third of which only look as if they had one."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlsh.plan import registry
from nlsh.plan.schedule import CONDITIONS, KINDS
from nlsh.planner.clauses import about_jobs, about_skills, split

LINES = [line for line in Path(__file__).with_name("clauses.txt").read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
CASES = [tuple(part.strip() for part in line.split("|", 2)) for line in LINES]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_when_and_what(case: tuple[str, ...]) -> None:
    sentence, *wanted = case
    found = split(sentence)
    if wanted == [""]:
        assert found is None
        return
    assert found is not None
    assert [str(found.schedule).removeprefix("with ").removesuffix(":"), found.rest] == wanted
    # It is a schedule that a plan can hold, and that comes to be due or is waited for.
    plan = registry.parse(f"{found.schedule} file.list()")
    assert plan.schedule == found.schedule and registry.parse(registry.format(plan)) == plan
    assert found.schedule.kind == "when" or found.schedule.next_due(1_790_000_000.0) is not None


def test_what_one_is_reminded_of_is_no_request() -> None:
    for sentence in ("remind me at 6pm to delete the old backups", "at 6pm remind me to delete the old backups", "remind me to delete the old backups at 6pm"):
        assert (clause := split(sentence)) is not None and clause.notice == "delete the old backups"
    assert (clause := split("下午三点提醒我重启服务器")) is not None and clause.notice == "重启服务器"
    assert (clause := split("at 6pm delete the old backups")) is not None and clause.notice == ""


def test_every_kind_and_every_condition_can_be_said() -> None:
    said = [c for c in (split(case[0]) for case in CASES) if c is not None]
    assert {c.schedule.kind for c in said} == set(KINDS)
    assert {c.schedule.condition for c in said} == {"", *CONDITIONS}
    assert len(CASES) >= 200 and sum(case[1] == "" for case in CASES) >= 60


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("show my jobs", ["list"]),
        ("what are the scheduled tasks?", ["list"]),
        ("列出所有定时任务", ["list"]),
        ("cancel job 3", ["cancel", "3"]),
        ("please stop task #12", ["cancel", "12"]),
        ("取消任务3", ["cancel", "3"]),
        ("pause the job 4", ["pause", "4"]),
        ("恢复后台任务2", ["resume", "2"]),
        ("run job 5 now", ["run", "5"]),
        ("show the log of job 6", ["log", "6"]),
        ("show job 7", ["show", "7"]),
        ("retry job 4", ["retry", "4"]),
        ("run job 4 again", ["retry", "4"]),
        ("重试任务4", ["retry", "4"]),
        ("which jobs failed?", ["list"]),
        ("show the failed jobs", ["list"]),
        ("why did job 8 fail?", ["log", "8"]),
        ("what does job 9 do?", ["show", "9"]),
        ("retry the upload job", None),
        ("delete jobs.txt", None),
        ("stop the job", None),
        ("show the cron jobs", None),
        ("kill process 3", None),
        ("显示任务栏", None),
    ],
)
def test_sentences_about_jobs(sentence: str, words: list[str] | None) -> None:
    assert about_jobs(sentence) == words


@pytest.mark.parametrize(
    ("sentence", "asked"),
    [
        ("make a skill from my last 5 requests", ("", 5)),
        ("nlsh new skill from last 5 requests", ("", 5)),
        ("new skill tidy-up from my last 2 requests", ("tidy-up", 2)),
        ("make a skill out of my last request", ("", 1)),
        ("Please create a new skill pack called Tidy-Up out of my last three requests.", ("tidy-up", 3)),
        ("turn my last request into a skill named one-thing", ("one-thing", 1)),
        ("把我最近5个请求做成技能包", ("", 5)),
        ("用最近两个请求创建一个技能包，叫 backup-2", ("backup-2", 2)),
        ("make a skill from my last 500 requests", None),
        ("make a skill", None),
        ("make a folder from my last 5 requests", None),
        ("show my last 5 requests", None),
        ("pack my last 5 downloads", None),
        ("make a skill from my last 5 requests and delete them", None),
        ("删除最近5个技能包", None),
    ],
)
def test_sentences_about_skill_packs(sentence: str, asked: tuple[str, int] | None) -> None:
    assert about_skills(sentence) == asked
