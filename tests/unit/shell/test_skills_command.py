"""nlsh skills: making a pack of what was done, adding and removing one, and what asks first."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nlsh.cli import main
from nlsh.plan import registry
from nlsh.plan.errors import Refused
from nlsh.shell.turn import Session
from nlsh.skills import load
from nlsh.skills.new import write_pack


def do(*words: str) -> int:
    return main([*words, "--no-input", "--plain"])


def plan(home: Path, text: str) -> None:
    (home / "p.plan").write_text(text)
    assert do("plan", "p.plan", "--yes", "-q") == 0


def test_a_pack_of_the_last_requests(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    plan(home, 'file.create("~/a.txt")')
    plan(home, 'file.create("~/b.txt", text="b")')
    plan(home, 'file.rename("~/b.txt", to="c.txt")')
    assert do("undo", "--yes", "-q") == 0
    assert do("skills", "new", "mine", "--from-last", "5") == 0
    made = load.find_pack("mine")
    # What was taken back is not among them; the order is the one in which it was done.
    assert [e.parts for e in made.entries.values()] == [('file.create("~/a.txt")',), ('file.create("~/b.txt", text="b")',)]
    (home / "a.txt").unlink()
    assert do("run", "mine", "--yes", "-q") == 0 and (home / "a.txt").exists()
    assert do("skills", "new", "mine") == 1 and "exists already" in capfd.readouterr().err
    assert do("skills", "new", "Bad Name") == 2


def test_a_sentence_makes_the_same_pack_after_showing_it(home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NLSH_PLANNER", "/none")  # it is known by rule
    tools = home / "bin"
    tools.mkdir()
    (tools / "make").symlink_to("/bin/true")  # “make” is a program where there is one, and this is a sentence all the same
    monkeypatch.setenv("PATH", str(tools), prepend=os.pathsep)
    words, packs = "make a skill from my last 5 requests", home / ".config/nlsh/skills"
    assert do("-c", words) == 2 and "no requests that were done" in capfd.readouterr().err
    plan(home, 'file.create("~/a.txt")')
    plan(home, 'file.create("~/b.txt", text="b")')
    capfd.readouterr()
    assert do("-c", words, "-n") == 0 and capfd.readouterr().out == "nlsh skills new last-requests --from-last 5\n"
    assert do("-c", words) == 3
    told = capfd.readouterr().err
    assert f"A skill pack: last-requests, in {packs}/last-requests" in told and 'file.create("~/b.txt", text="b")' in told and "nobody to ask" in told
    assert not packs.exists()
    assert do("-c", words, "--yes") == 0
    assert [e.parts for e in load.find_pack("last-requests").entries.values()] == [('file.create("~/a.txt")',), ('file.create("~/b.txt", text="b")',)]
    assert do("new", "skill", "from", "last", "1", "requests", "--yes") == 0
    assert len(load.find_pack("last-requests-2").entries) == 1
    assert do("skills", "list") == 0 and "last-requests-2" in capfd.readouterr().out


def test_a_new_pack_is_valid_and_passes_its_own_test(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert do("skills", "new", "fresh") == 0
    assert do("skills", "test", "fresh") == 0
    assert "fresh: 1 test passed." in capfd.readouterr().out
    file = home / ".config/nlsh/skills/fresh/pack.toml"
    file.write_text(file.read_text().replace('"Inbox/new.txt" = "2"', '"Inbox/new.txt" = "3"', 1))
    assert do("skills", "test", "fresh") == 1


def test_a_new_pack_that_cannot_be_written_leaves_nothing_and_one_that_hides_another_says_so(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert do("skills", "new", "backup") == 0
    assert "It comes before" in (said := capfd.readouterr().err) and "nlsh skills remove backup" in said
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    was = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))  # SKILL.md begins, and cannot be ended
    try:
        with pytest.raises(Refused, match="cannot be written") as error:
            write_pack("mine")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, was)
    assert "Nothing was written" in str(error.value) and not (home / ".config/nlsh/skills/mine").exists()


def test_adding_trusting_and_removing_ask_first(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = home / "guest"
    (folder / "actions").mkdir(parents=True)
    (folder / "SKILL.md").write_text("---\nname: guest\ndescription: G.\n---\n")
    (folder / "pack.toml").write_text(
        "[actions.look]\nsummary = 'Look.'\nreads = ['fs.read:/etc/hostname']\n[entries.do]\nsummary = 'S'\nplan = 'guest.look()'\n"
    )
    (folder / "actions/look.py").write_text("def run():\n    yield {'seen': 'moon'}\n")
    assert do("skills", "add", str(folder)) == 3 and not (home / ".config/nlsh/skills").exists()
    assert do("skills", "add", str(folder), "--yes") == 0
    assert do("run", "guest") == 1
    assert do("skills", "trust", "guest") == 3 and "moon" in capfd.readouterr().err
    assert do("skills", "trust", "guest", "--yes") == 0
    assert do("run", "guest") == 0 and "moon" in capfd.readouterr().out
    assert do("skills", "list", "--json") == 0
    listed = {p["pack"]: p for p in map(json.loads, capfd.readouterr().out.splitlines())}
    assert listed["guest"]["own_actions"] == ["look"] and "backup" in listed
    assert do("skills", "show", "guest.do", "--json") == 0
    assert json.loads(capfd.readouterr().out)["plan"] == ["guest.look()"]
    assert do("skills", "remove", "guest") == 3
    assert do("skills", "remove", "guest", "--yes") == 0 and not (home / ".config/nlsh/skills/guest").exists()
    assert do("skills", "remove", "backup", "--yes") == 2
    assert do("skills", "fly") == 2


def test_what_is_added_is_what_was_shown(home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    folder, into = home / "guest", home / ".config/nlsh/skills"
    folder.mkdir()
    (folder / "SKILL.md").write_text("---\nname: guest\ndescription: G.\n---\n")
    (folder / "pack.toml").write_text("[entries.do]\nsummary = 'S'\nplan = 'file.read(\"~/x\")'\n")
    (home / "secret").write_text("moon")
    copied = shutil.copytree

    def between(change: Callable[[], object]) -> None:
        def copy(*args: Any, **given: Any) -> object:
            change()
            return copied(*args, **given)

        monkeypatch.setattr(shutil, "copytree", copy)

    between(lambda: (folder / "notes.txt").symlink_to(home / "secret"))
    assert do("skills", "add", str(folder), "--yes") == 2 and "links in it" in capfd.readouterr().err
    (folder / "notes.txt").unlink()
    between(lambda: (folder / "pack.toml").write_text("[entries.do]\nsummary = 'S'\nplan = 'file.trash(\"~/x\")'\n"))
    assert do("skills", "add", str(folder), "--yes") == 2 and "was changed while" in capfd.readouterr().err
    assert not list(into.iterdir())
    between(lambda: None)
    assert do("skills", "add", str(folder), "--yes") == 0 and [p.name for p in into.iterdir()] == ["guest"]
    assert sorted(p.name for p in (into / "guest").iterdir()) == ["SKILL.md", "pack.toml"]


def test_only_a_pack_of_your_own_is_pinned(home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    toml = "[entries.do]\nsummary = 'S'\nsentence = 'make a file'\neffects = ['fs.read', 'fs.write']\n"
    project = home / "project/.agents/skills/guest"
    project.mkdir(parents=True)
    (project / "SKILL.md").write_text("---\nname: guest\ndescription: G.\n---\n")
    (project / "pack.toml").write_text(toml)
    monkeypatch.chdir(home / "project")
    monkeypatch.setattr(Session, "plan_of", lambda self, text: registry.parse('file.create("~/one.txt")'))
    assert do("skills", "pin", "guest.do", "--yes") == 2 and f"nlsh skills add {project}" in capfd.readouterr().err
    assert sorted(p.name for p in project.iterdir()) == ["SKILL.md", "pack.toml"]
    assert do("skills", "add", str(project), "--yes") == 0 and do("skills", "pin", "guest.do", "--yes") == 0
    assert (home / ".config/nlsh/skills/guest/pins.toml").exists() and not (home / "one.txt").exists()
