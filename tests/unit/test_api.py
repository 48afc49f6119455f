"""The API for programs: the same plan, policy, worker and journal; sync and async; events, approval and undo."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from nlsh import AsyncShell, Result, Shell
from nlsh.api import Question, parse
from nlsh.plan.errors import BadPlan, Denied, NlshError
from nlsh.plan.plan import Preview


def test_import_nlsh_is_cheap() -> None:
    code = "import sys, nlsh; assert 'nlsh.api' not in sys.modules and 'asyncio' not in sys.modules; from nlsh import Shell; print(Shell.__module__)"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(root)})
    assert done.stdout.strip() == "nlsh.api"


def test_plan_preview_approve_run_and_undo(home: Path) -> None:
    asked: list[tuple[Preview, str]] = []

    def approve(preview: Preview, decision: Any) -> bool:
        asked.append((preview, decision.answer))
        return len(asked) > 1

    with Shell(approve) as shell:
        if shell.level == "L0":
            pytest.skip("this kernel has no Landlock")
        plan = parse('file.create("a.txt", text="a")')
        preview = shell.preview(plan)
        assert ("fs.write", str(home / "a.txt")) in [tuple(e) for e in preview.effects] and not asked and not (home / "a.txt").exists()
        refused = shell.run(preview)
        assert refused.status == "denied" and not refused.ok and refused.exit_status == 3 and isinstance(refused.errors[0], Denied)
        assert not (home / "a.txt").exists() and asked == [(preview, "ask")]
        done = shell.run(preview)
        assert done.ok and done.run is not None and (home / "a.txt").read_text().strip() == "a"
        found = shell.run(parse('file.list(".")'))
        assert [Path(r.path).name for r in found.records if hasattr(r, "path")] == ["a.txt"]
        os.chdir("/")  # where the program stands is where it stands
        assert shell.undo(done.run).ok and not (home / "a.txt").exists()
        with pytest.raises(NlshError):
            shell.run(parse('file.read("nowhere.txt")'))
    with pytest.raises(RuntimeError):
        shell.run(plan)


def test_the_policy_of_where_the_program_stands_decides_about_a_preview_of_before(home: Path) -> None:
    project = home / "project"
    (project / ".nlsh").mkdir(parents=True)
    (project / ".nlsh/policy.toml").write_text('[[rule]]\nname = "nothing-new"\nanswer = "deny"\neffect = ["fs.write"]\n')
    with Shell(lambda preview, decision: True) as shell:
        if shell.level == "L0":
            pytest.skip("this kernel has no Landlock")
        preview = shell.preview(parse(f'file.create("{home}/a.txt")'))
        os.chdir(project)
        assert shell.decide(preview).answer == "deny"
        assert shell.run(preview).status == "denied" and not (home / "a.txt").exists()
        os.chdir(home)
        assert shell.decide(preview).answer == "ask"
        assert shell.run(preview).ok and (home / "a.txt").exists()


def test_without_approval_what_is_asked_is_denied_and_what_is_allowed_runs(home: Path) -> None:
    with Shell() as shell:
        assert shell.run(parse('file.create("a.txt")')).status == "denied"
        assert shell.run(parse('file.list(".")')).status in ("done", "nothing")
    with Shell(allow=("fs.write",)) as shell:
        if shell.level != "L0":
            assert shell.run(parse('file.create("a.txt")')).ok
        # Not with every approval: nlsh's own.
        result = shell.run(parse('file.create("~/.config/nlsh/policy.toml")'), approve=lambda preview, decision: True)
        assert result.status == "denied" and not (home / ".config/nlsh/policy.toml").exists()


def test_events_stream_in_order_and_end_with_the_result(home: Path) -> None:
    (home / "a.txt").write_text("a")
    with Shell() as shell:
        *events, last = shell.stream(parse('file.list(".")'))
    assert isinstance(last, Result) and last.ok
    kinds = [e["type"] for e in events if isinstance(e, dict)]
    assert kinds[0] == "decision" and kinds[-1] == "outcome" and kinds.index("call") < kinds.index("records") < kinds.index("done")


def test_a_program_with_threads_can_have_shells(home: Path) -> None:
    stop, found = threading.Event(), []

    def work() -> None:
        with Shell() as shell:
            found.append(shell.run(parse('file.list("~")')).exit_status)

    waiting = threading.Thread(target=stop.wait)
    waiting.start()
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    waiting.join()
    assert found == [0, 0]


def test_the_same_in_an_event_loop_with_an_approval_that_is_awaited(home: Path) -> None:
    async def approve(preview: Preview, decision: Any) -> bool:
        await asyncio.sleep(0)
        return "yes" in preview.request

    async def main() -> None:
        async with AsyncShell(approve) as shell:
            assert (await shell.run(parse('file.create("no.txt")'))).status == "denied"
            events = [e async for e in shell.stream(parse('file.create("yes.txt")'))]
            last = events[-1]
            assert isinstance(last, Result)
            if last.status == "denied":
                pytest.skip("this kernel has no Landlock")
            assert last.ok and (home / "yes.txt").exists()
            # To take back is a change, too, and is asked about.
            assert (await shell.undo()).status == "denied"

    asyncio.run(main())


def test_what_is_to_be_later_is_never_run_at_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However sure the planner is of what is to be done: the words that say when are no part of what it is shown."""
    from nlsh.planner.answer import Answer, Context, Reading
    from nlsh.shell.planning import Planning

    heard: list[str] = []

    def plan(self: Planning, text: str, context: Context) -> Answer:
        heard.append(text)
        return Answer("plan", (Reading(parse('file.trash("old.txt")'), 1.0),))

    monkeypatch.setattr(Planning, "plan", plan)
    (home / "old.txt").write_text("x")
    with Shell(lambda preview, decision: True) as shell:
        for sentence in ("at 6pm delete old.txt", "delete old.txt every day with at most 1 core"):
            assert shell.plan(sentence).schedule is not None and heard[-1] == "delete old.txt"
            with pytest.raises(BadPlan, match="is a job"):
                shell.run(sentence)
        with pytest.raises(BadPlan, match="is a job"):
            shell.run("remind me at 6pm to delete old.txt")
    assert (home / "old.txt").exists() and len(heard) == 4


def test_entries_of_packs_and_what_is_not_understood(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nlsh.planner.answer import Answer, Reading
    from nlsh.shell.planning import Planning

    (home / "big.bin").write_text("12345")
    with Shell() as shell:
        assert shell.run_entry("tidy-downloads.big", folder="~").ok
        with pytest.raises(BadPlan):
            shell.run_entry("tidy-downloads.big", colour="red")
        reading = Reading(parse("system.uptime()"), 0.4)
        monkeypatch.setattr(Planning, "plan", lambda self, text, context: Answer("choose", (reading,), "Which?"))
        with pytest.raises(Question) as asked:
            shell.plan("?how long")
        assert asked.value.choices == (reading.plan,)
        assert shell.plan("!true").calls[0].action == "shell.run"


def test_a_call_that_is_given_up_is_not_made_and_the_one_that_runs_goes_on(home: Path) -> None:
    (home / "work").mkdir()
    os.chdir(home / "work")

    async def main() -> None:
        asked = asyncio.Event()

        async def never(preview: Any, decision: Any) -> bool:
            asked.set()
            await asyncio.sleep(3600)
            return True

        async with AsyncShell(lambda preview, decision: True) as shell:
            first = asyncio.create_task(shell.run(parse('shell.run("touch begun; until [ -e go ]; do sleep 0.02; done; touch first")')))
            while not os.path.exists("begun"):
                await asyncio.sleep(0.02)
            second = asyncio.create_task(shell.run(parse('file.create("second")')))
            await asyncio.sleep(0)
            second.cancel()
            await asyncio.wait([second])
            (home / "work" / "go").touch()
            assert (await first).ok and second.cancelled()
            # An approval that nobody waits for any more holds nothing up, and is none.
            third = asyncio.create_task(shell.run(parse('file.create("third")'), approve=never))
            await asyncio.wait_for(asked.wait(), 30)
            third.cancel()
            await asyncio.wait([third])
            assert (await asyncio.wait_for(shell.run(parse('file.create("fourth")')), 30)).ok
        assert sorted(p for p in os.listdir() if p not in ("begun", "go")) == ["first", "fourth"]

    asyncio.run(asyncio.wait_for(main(), 60))


def test_what_cannot_work_is_said_and_does_not_hang(home: Path) -> None:
    with Shell() as shell:
        plan = parse('file.create("a")')
        with pytest.raises(RuntimeError, match="only decide"):
            shell.run(plan, approve=lambda preview, decision: bool(shell.preview(plan)))
        with pytest.raises(TypeError, match="not int"):
            shell.run(3)  # type: ignore[arg-type]
        assert shell.run(plan, approve=lambda preview, decision: shell.decide(preview).answer == "ask").ok
    with pytest.raises(RuntimeError, match="closed"):
        shell.run(plan)
    with pytest.raises(RuntimeError, match="async with"):
        asyncio.run(AsyncShell().run(plan))
