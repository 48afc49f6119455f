"""What the runs of a job may do: what was approved, in the folders that its plan names, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nlsh.guard.policy import load
from nlsh.guard.standing import StandingGrant, StandingPolicy, standing
from nlsh.plan import registry
from nlsh.plan.effects import Effect
from nlsh.plan.errors import Denied, Refused
from nlsh.plan.plan import Plan, Preview, PreviewedCall
from nlsh.world import World


def preview(plan: Plan, *effects: Effect) -> Preview:
    calls = tuple(PreviewedCall(c, (), effects if n == len(plan.calls) - 1 else ()) for n, c in enumerate(plan.calls))
    return Preview(plan, calls)


def granted(text: str, *effects: Effect) -> StandingGrant:
    plan = registry.parse(text)
    return standing(plan, preview(plan, *effects), World())


def test_the_next_run_may_find_other_files_in_the_same_folder_and_none_elsewhere(home: Path) -> None:
    (home / "Downloads").mkdir()
    grant = granted('a = file.find(under="Downloads", named="*.tmp"); file.trash(a)', Effect("fs.delete", f"{home}/Downloads/a.tmp"))
    inside = [Effect(k, f"{home}/Downloads/x/b.tmp") for k in ("fs.read", "fs.write", "fs.delete")]
    outside = [
        Effect("fs.delete", f"{home}/Documents/b.tmp"), Effect("fs.delete", f"{home}/Downloads2/b.tmp"), Effect("fs.delete", f"{home}/Downloads/../b.tmp"),
        Effect("fs.meta", f"{home}/Downloads/b.tmp"), Effect("exec", "rm b.tmp"), Effect("net.connect", "example.org:443"),
    ]  # fmt: skip
    assert grant.beyond(inside) == [] and grant.beyond(outside) == outside
    assert StandingGrant.from_data(grant.as_data()) == grant
    # A folder below it that leads out of it is not it.
    (home / "Downloads" / "out").symlink_to(home)
    assert grant.beyond([Effect("fs.delete", f"{home}/Downloads/out/b.tmp")])


def test_a_command_is_held_to_its_words_and_its_folder(home: Path) -> None:
    shown = (Effect("exec", "make"), Effect("fs.write", f"{home}/project"))
    grant = granted('shell.run("make")', *shown)
    assert grant.beyond(shown) == []
    others = [Effect("exec", "make install"), Effect("fs.write", f"{home}/other"), Effect("fs.write", f"{home}/project/sub")]
    assert grant.beyond(others) == others


def test_what_is_read_over_a_link_is_what_it_leads_to(home: Path) -> None:
    for folder in ("Downloads", "private"):
        (home / folder).mkdir()
    (home / "private" / "key").write_text("k")
    (home / "Downloads" / "a.tmp").write_text("a")
    grant = granted('file.find(under="Downloads")')
    for name, target in (("out", home / "private" / "key"), ("in", home / "Downloads" / "a.tmp")):
        (home / "Downloads" / name).symlink_to(target)
    inside, out = (Effect("fs.read", f"{home}/Downloads/{name}") for name in ("in", "out"))
    assert grant.beyond([inside, out]) == [out]


def test_a_folder_that_is_only_looked_at_may_not_be_changed(home: Path) -> None:
    shown = (Effect("exec", "sleep 1"), Effect("fs.read", "/"), Effect("fs.write", str(home)), Effect("fs.log", f"{home}/logs/1.log"))
    grant = granted('process.start("sleep 1")', *shown)
    may = [*shown, Effect("fs.read", "/etc/hosts"), Effect("fs.log", f"{home}/logs/2.log")]
    others = [Effect(k, "/etc/hosts") for k in ("fs.write", "fs.delete", "fs.meta", "fs.log")]
    assert grant.beyond([*may, *others]) == others
    # A folder that is meant where none is named may be changed as one that is named.
    assert granted('git.commit(message="m")').beyond([Effect("fs.write", f"{home}/.git/index")]) == []


def test_processes_are_held_to_their_names(home: Path) -> None:
    own = Path(f"/proc/{os.getpid()}/comm").read_text().strip()
    one = Effect("proc.signal", str(os.getpid()))
    assert granted(f'process.kill(name="{own}")').beyond([one]) == []
    assert granted('process.kill(name="another")').beyond([one]) == [one]
    assert granted(f'process.kill(name="{own}")').beyond([Effect("proc.tune", str(os.getpid()))]) != []


def test_policy_denies_first_and_what_it_asks_each_time_is_held_to_what_was_shown(home: Path) -> None:
    plan = registry.parse('a = file.find(under="/etc", named="*.tmp"); file.trash(a)')
    shown = Effect("fs.delete", "/etc/shown.tmp")
    policy = load()
    grant = standing(plan, preview(plan, shown), World())
    held = StandingPolicy(policy.rules, policy.cwd, grant, "job 1")
    other, key = Effect("fs.delete", "/etc/other.tmp"), Effect("fs.delete", "/etc/shadow")
    assert grant.beyond([other, key]) == []
    assert policy.decide(preview(plan, shown)).answer == "ask"
    assert [held.decide(preview(plan, e)).answer for e in (shown, other, key)] == ["allow", "deny", "deny"]
    assert "each time" in held.decide(preview(plan, other)).reason
    beyond = held.decide(preview(plan, Effect("fs.delete", f"{home}/x")))
    assert (beyond.answer, beyond.rule) == ("deny", "job 1") and "beyond what was approved" in beyond.reason
    # What policy allows anybody is still not the job's.
    assert policy.decide(preview(plan, Effect("fs.read", f"{home}/x"))).answer == "allow"
    assert held.decide(preview(plan, Effect("fs.read", f"{home}/x"))).answer == "deny"


def test_what_no_job_may_do(home: Path) -> None:
    with pytest.raises(Denied):
        granted('file.create("x")', Effect("priv.root", "to write there"))
    with pytest.raises(Denied):
        granted("history.undo()")
    plan = registry.parse("file.trash(_)")
    with pytest.raises(Refused):
        standing(plan, Preview(Plan(()), ()), World())
    watched = standing(plan, Preview(Plan(()), ()), World(), [str(home)])
    assert watched.beyond([Effect("fs.delete", f"{home}/new")]) == []
