"""The tests that a pack carries run with every approval given: they reach nothing outside their scratch home, whatever the pack's author wrote.

Every denial stands beside the same thing inside.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import tomli_w

from nlsh.cli import main
from nlsh.guard.grant import Grant
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.plan.effects import Effect
from nlsh.plan.errors import Denied
from nlsh.skills import check
from nlsh.skills.front import BadPack
from nlsh.skills.load import load_pack

SKILL = "---\nname: guest\ndescription: Somebody else's.\n---\n"


@pytest.fixture
def confined() -> None:
    zygote = Zygote.start()
    level = zygote.level
    zygote.close()
    if level == "L0":
        pytest.skip("this kernel has no Landlock")


def write(folder: Path, plan: str = 'file.find(under="~", named="a.txt")', **test: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "SKILL.md").write_text(SKILL.replace("guest", folder.name))
    (folder / "pack.toml").write_text(tomli_w.dumps({"entries": {"do": {"summary": "S", "plan": plan, "tests": [test]}}}))
    return folder


def passes(folder: Path, plan: str, **test: object) -> bool:
    return main(["skills", "test", str(write(folder, plan, **test)), "--plain", "--no-input"]) == 0


@pytest.mark.parametrize(
    "given",
    [
        {"/OUT/new": "x"},
        {"../../OUT/new": "x"},
        {"a/../../../../OUT/new": "x"},
        {"a/../b": "x"},
        {"/OUT/new/": ""},
        {"l": {"link": "/OUT"}, "l/new": "x"},
        {"l": {"link": "/OUT/new"}},
        {"l": {"link": "../../x"}},
        {"d1/d2/d3/": "", "l": {"link": "d1/s/d3/../../../x"}, "d1/s": {"link": ".."}},
        {"new": {"link": "new2"}, "new/x": "y"},
        {"a\0b": "x"},
    ],
)
def test_what_is_given_lies_in_the_scratch_home(tmp_path: Path, given: dict[str, object]) -> None:
    out, home = tmp_path / "out", tmp_path / "scratch" / "home"
    out.mkdir()
    home.mkdir(parents=True)
    placed = {k.replace("/OUT", str(out)): {n: v.replace("/OUT", str(out)) for n, v in c.items()} if isinstance(c, dict) else c for k, c in given.items()}
    with pytest.raises(BadPack):
        check.build(home, placed)
    assert not list(out.iterdir()) and sorted(p.name for p in home.parent.iterdir()) == ["home"]


def test_links_inside_the_scratch_home_are_made(tmp_path: Path) -> None:
    check.build(tmp_path, {"d/a.txt": "1", "l": {"link": "d"}, "l/b.txt": "2", "d/up": {"link": "../d/a.txt"}, "e/": ""})
    assert check.tree(tmp_path) == {"d/a.txt": "1", "d/b.txt": "2", "d/up": "-> ../d/a.txt", "e/": ""}


BOTH = {"at/precious.txt": "1", "at/new.txt": "x\n"}


@pytest.mark.parametrize(
    ("plan", "inside"),
    [
        ('file.delete("{at}/precious.txt")', {"at/": ""}),
        ('file.trash("{at}/precious.txt")', {"at/": ""}),
        ('file.create("{at}/new.txt", text="x")', BOTH),
        ('file.chmod("{at}/precious.txt", mode="600")', {"at/precious.txt": "1"}),
        ('file.link("{at}/precious.txt", to="~/p", hard=true)', {"at/precious.txt": "1", "p": "1"}),
    ],
)
def test_no_entry_changes_anything_outside(
    home: Path, tmp_path: Path, confined: None, plan: str, inside: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "precious.txt").write_text("1")
    (out / "precious.txt").chmod(0o644)
    assert passes(home / "guest", plan.replace("{at}", "at"), given={"at/precious.txt": "1"}, after=inside)
    assert not passes(home / "guest", plan.replace("{at}", str(out))) and "change nothing outside their scratch home" in capsys.readouterr().err
    assert [p.name for p in out.iterdir()] == ["precious.txt"] and (out / "precious.txt").read_text() == "1"
    assert (out / "precious.txt").stat().st_mode & 0o777 == 0o644


def test_no_worker_gets_leave_outside_even_where_a_link_was_put_meanwhile(home: Path, tmp_path: Path, confined: None) -> None:
    (home / "d").mkdir()
    (home / "l").symlink_to(tmp_path)
    zygote = Zygote.start()
    try:
        fence = check._Fence(zygote, (str(home / "d"),))
        for kind in ("fs.write", "fs.delete", "fs.meta"):
            job = {"steps": [], "cwd": str(home), "env": {}}
            list(fence.run(job | {"grant": Grant.of([Effect(kind, f"{home}/d/new.txt")]).as_data()}))
            with pytest.raises(Denied, match="outside the test"):
                fence.run(job | {"grant": Grant.of([Effect(kind, f"{home}/l/new.txt")]).as_data()})
    finally:
        zygote.close()


def test_what_the_user_denies_and_hides_stays_so(home: Path, confined: None) -> None:
    for place in ("private/a.txt", "diary/a.txt", "open/a.txt", ".ssh/id_rsa"):
        (home / place).parent.mkdir(parents=True, exist_ok=True)
        (home / place).write_text("moon")
    policy = home / ".config/nlsh/policy.toml"
    policy.parent.mkdir(parents=True)
    policy.write_text('[guard]\nhide = ["~/private"]\n[[rule]]\nanswer = "deny"\neffect = ["fs.read"]\ntarget = ["~/diary"]\n')
    entries = {}
    for number, place in enumerate((home / "private/a.txt", home / "diary/a.txt", home / ".ssh/id_rsa", policy)):
        entries[f"read-{number}"] = {"summary": "S", "plan": f'file.read("{place}")', "tests": [{"exit": 3}]}
        # Nor by a command, which may read around it.
        entries[f"cat-{number}"] = {"summary": "S", "plan": f'shell.run("cat {place}")', "tests": [{"exit": 1}]}
    entries["read"] = {"summary": "S", "plan": f'file.read("{home}/open/a.txt")', "tests": [{"output": ["moon"]}]}
    entries["cat"] = {"summary": "S", "plan": f'shell.run("cat {home}/open/a.txt")', "tests": [{"exit": 0}]}
    folder = write(home / "guest")
    (folder / "pack.toml").write_text(tomli_w.dumps({"entries": entries}))
    assert check.check_pack(load_pack(folder)) == []


def test_no_entry_reaches_processes(home: Path, confined: None) -> None:
    with subprocess.Popen(["sleep", "300"]) as sleeper:
        try:
            plan = f'process.kill(pid="{sleeper.pid}")'
            assert passes(home / "guest", plan, exit=3) and sleeper.poll() is None
            (home / "p.plan").write_text(plan)
            assert main(["plan", "p.plan", "--yes", "-q", "--no-input"]) == 0 and sleeper.wait(20) < 0
        finally:
            sleeper.kill()


def test_without_names_only_what_the_user_added_is_tested(
    home: Path, confined: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("nlsh.shipped.skills_dir", lambda: home / "none")
    for folder in (home / ".config/nlsh/skills/mine", home / "project/.agents/skills/guest", home / ".agents/skills/other"):
        write(folder, given={"a.txt": "1"})
    monkeypatch.chdir(home / "project")
    assert main(["skills", "test", "--plain", "--no-input"]) == 0
    assert capsys.readouterr().out == "mine: 1 test passed.\n"
    assert main(["skills", "test", "guest", "--plain", "--no-input"]) == 0
    assert capsys.readouterr().out == "guest: 1 test passed.\n"
