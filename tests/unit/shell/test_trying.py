"""When a raw command is tried on a copy, what is said when it is not, and how what it would change is shown."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nlsh.guard import trials
from nlsh.guard.sandbox import view
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.plan.errors import SettingsError
from nlsh.settings import tried_dir
from nlsh.shell.changes import MOST_LINES, diff_lines, list_lines, summary
from nlsh.shell.options import Options
from nlsh.shell.show import Look
from nlsh.shell.trying import why_not
from nlsh.shell.turn import Session
from nlsh.world.layers import Change, ChangeSet
from tests.sandbox.trials import needs_views, tree

PLAIN = Look()


@pytest.fixture
def zygote(home: Path) -> Iterator[Zygote]:
    (home / "work").mkdir()
    os.chdir(home / "work")
    Path("a.txt").write_text("one\n")
    started = Zygote.start()
    yield started


def session(zygote: Zygote, **options: object) -> Session:
    return Session(Options(**options), zygote)  # type: ignore[arg-type]


@pytest.mark.parametrize("command", [
    "vim a.txt", "sudo nano x", "ls | less", "EDITOR=x crontab -e", "make && top", "make &", "sleep 9 &", "git push", "git -C sub push origin", "curl -O http://x",
    "git clone https://example.org/x", "git clone me@host:x", "rsync -a . host:there", "pip install x", "npm ci", "apt install x", "timeout 5 ssh host",
    "/usr/bin/vim x",
])  # fmt: skip
def test_what_is_not_tried_says_why(command: str) -> None:
    assert why_not(command)


@pytest.mark.parametrize("command", [
    "make", "rm -rf build && make", "git commit -am 'push it'", "git clone ./here there", "rsync -a a/ b/", "touch vim", "sed -i s/top/x/ f",
    "pip --version > v", "cp less more", "echo 'a &' > f", "make && touch x", "git add . ; git commit -m ssh", "python3 build.py",
])  # fmt: skip
def test_the_rest_is(command: str) -> None:
    assert why_not(command) == ""


@pytest.mark.parametrize(("own", "project", "wanted"), [
    ("", "", "auto"), ("never", "", "never"), ("always", "", "always"), ("never", "auto", "auto"), ("never", "always", "always"),
    ("always", "never", "always"),
    ("", "never", "auto"), ("auto", "always", "always"),
])  # fmt: skip
def test_the_strictest_file_wins(home: Path, own: str, project: str, wanted: str) -> None:
    for folder, said in ((home / ".config/nlsh", own), (home / ".nlsh", project)):
        folder.mkdir(parents=True)
        if said:
            (folder / "policy.toml").write_text(f'[shell]\npreview = "{said}"\n')
    assert trials.way() == wanted


@pytest.mark.parametrize("text", ['[shell]\npreview = "sometimes"\n', "[shell]\npreviews = 1\n", "shell = 3\n"])
def test_a_wrong_setting_is_named(home: Path, text: str) -> None:
    from nlsh.guard import policy

    (home / ".config/nlsh").mkdir(parents=True)
    (home / ".config/nlsh/policy.toml").write_text(text)
    for read in (trials.way, policy.load):
        with pytest.raises(SettingsError, match="shell"):
            read()


def test_tried_shown_and_kept(zygote: Zygote, capfd: pytest.CaptureFixture[str]) -> None:
    needs_views()
    with session(zygote, yes=True) as one:
        assert one.request("!echo said; echo two >> a.txt; echo new > 'b c'; exit 7") == 7
        out, err = capfd.readouterr()
        assert out == "said\n"
        assert "it failed with status 7. Nothing is changed yet." in err and "    change a.txt  4 B → 8 B\n" in err and "    create b c  4 B\n" in err
        assert "    +two\n" in err and "1 file created (4 B), 1 file changed (8 B)" in err and "Take it back: nlsh undo 1" in err
    assert Path("a.txt").read_text() == "one\ntwo\n"


def test_nobody_to_ask_keeps_nothing(zygote: Zygote, capfd: pytest.CaptureFixture[str]) -> None:
    needs_views()
    before = tree(Path.cwd())
    with session(zygote) as one:
        assert one.request("!echo two >> a.txt; echo said") == 3
    out, err = capfd.readouterr()
    assert out == "said\n" and "needs an approval and there is nobody to ask. Nothing was changed." in err
    assert tree(Path.cwd()) == before and os.listdir(tried_dir()) == []


def test_what_changes_nothing_asks_nothing(zygote: Zygote, capfd: pytest.CaptureFixture[str]) -> None:
    needs_views()
    with session(zygote) as one:
        assert one.request("!python3 -c 'print(4)'; exit 5") == 5
        assert one.request("!python3 -c 'print(4)'") == 0
    out, err = capfd.readouterr()
    assert out == "4\n4\n" and "approval" not in err


def test_as_json(zygote: Zygote, capfd: pytest.CaptureFixture[str]) -> None:
    needs_views()
    with session(zygote, yes=True, json=True) as one:
        assert one.request("!rm a.txt; mkdir n") == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    (tried,) = [line["tried"] for line in lines if "tried" in line]
    assert tried["status"] == 0 and [(c["kind"], c["path"]) for c in tried["changes"]] == [
        ("deleted", str(Path("a.txt").resolve())),
        ("created", str(Path("n").resolve())),
    ]
    assert any("outcome" in line for line in lines)


def test_twice_exclaimed_is_not_tried_and_says_so(zygote: Zygote, capfd: pytest.CaptureFixture[str]) -> None:
    needs_views()
    with session(zygote) as one:
        assert one.request("!!echo x > b") == 3
        assert "not tried on a copy first, because you have said !!" in capfd.readouterr().err
        assert not Path("b").exists() and not tried_dir().exists()
    with session(Zygote.start(), yes=True) as one:
        assert one.request("!!echo x > b") == 0
        assert "cannot be undone" in capfd.readouterr().err and Path("b").exists()


def test_a_plan_of_several_calls_says_that_its_command_is_not_tried(zygote: Zygote, capfd: pytest.CaptureFixture[str]) -> None:
    needs_views()
    from nlsh.plan import registry

    with session(zygote, yes=True) as one:
        assert one.run(registry.parse('folder.create("n")\nshell.run("echo x > b")'), "two things") == 0
    assert "not tried on a copy first, because it is one call of several" in capfd.readouterr().err and Path("b").exists()


def test_where_there_are_no_namespaces_it_says_so_and_asks_as_before(home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(view, "forbidden", True)
    (home / "work").mkdir()
    os.chdir(home / "work")
    with session(Zygote.start()) as one:
        assert one.request("!echo x > b") == 3
    err = capfd.readouterr().err
    assert "not tried on a copy first, because this system lets nobody but root make namespaces" in err and "cannot be undone" in err
    assert os.listdir() == []


@pytest.mark.parametrize("command", ["!!echo x > b", "!vim b", "!echo x > b &"])
def test_always_means_not_without(zygote: Zygote, home: Path, capfd: pytest.CaptureFixture[str], command: str) -> None:
    Path(".nlsh").mkdir()
    Path(".nlsh/policy.toml").write_text('[shell]\npreview = "always"\n')
    with session(zygote, yes=True) as one:
        assert one.request(command) == 3
    assert "This is not run, because it cannot be tried on a copy first" in capfd.readouterr().err
    assert not Path("b").exists()


def test_a_denied_folder_is_not_even_tried(zygote: Zygote, home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Path(".nlsh").mkdir()
    Path(".nlsh/policy.toml").write_text(f'[[rule]]\nanswer = "deny"\neffect = ["fs.write"]\ntarget = ["{home}/work"]\nreason = "ours"\n')
    with session(zygote, yes=True) as one:
        assert one.request("!echo ran; echo x > b") == 3
    assert "ran" not in capfd.readouterr().out and not Path("b").exists()


# --- how it looks -------------------------------------------------------------------------------------------------


def found(*changes: Change, root: str = "/w") -> ChangeSet:
    return ChangeSet(root, "/l", 0, list(changes))


def test_names_cannot_draw_the_list() -> None:
    lines = list_lines(found(Change("created", "a\n    delete ~/everything\x1b[2J\u202e", "file", None, 1)), PLAIN)
    assert len(lines) == 1 and "\n" not in lines[0] and "\x1b" not in lines[0] and "\\n" in lines[0] and "\\x1b" in lines[0] and "\\u202e" in lines[0]


def test_a_long_list_is_folded_and_counted() -> None:
    many = [Change("deleted", "old", "folder"), *(Change("deleted", f"old/{i}", "file", 1024, None) for i in range(5000))]
    lines = list_lines(found(*many, Change("changed", "z", "file", 1, 2)), PLAIN)
    assert lines == ["    delete folder old  with 5,000 files, 4.9 MB", "    change z  1 B → 2 B"]
    flat = [Change("created", f"{i}", "file", None, 1) for i in range(100)]
    lines = list_lines(found(*flat), PLAIN)
    assert len(lines) == MOST_LINES + 1 and lines[-1] == "    and 80 more"
    assert len(list_lines(found(*flat), PLAIN, whole=True)) == 100
    assert summary(found(*many)) == "5,000 files deleted (4.9 MB), 1 folder deleted"


def test_what_is_obeyed_later_stands_first(home: Path) -> None:
    flat = [Change("created", f"{i}", "file", None, 1) for i in range(100)]
    hook = Change("created", "sub/.git/hooks/post-checkout", "file", None, 9)
    lines = list_lines(
        found(*flat, hook, Change("created", "n/.git/config", "file", None, 9), Change("created", ".git/hooks/x.sample", "file", None, 9)), PLAIN
    )
    assert "sub/.git/hooks/post-checkout" in lines[0] and "obeys this later" in lines[0]
    assert sum("obeys" in line for line in lines) == 1
    own = found(Change("changed", ".bashrc", "file", 1, 2), root=str(home))
    assert "obeys" in list_lines(own, PLAIN)[0]


def test_texts_are_bounded_and_escaped(tmp_path: Path) -> None:
    root, upper = tmp_path / "root", tmp_path / "layer" / "upper"
    root.mkdir(), upper.mkdir(parents=True)
    for name, old, new in (("t", "a\nb\n", "a\n\x1b[2Jevil\t\n"), ("big", "x\n" * 300_000, "y\n"), ("bin", "a\0", "b\0"), ("long", "a\n" * 200, "b\n" * 200)):
        (root / name).write_text(old)
        (upper / name).write_text(new)
    os.mkfifo(upper / "pipe")
    (root / "pipe").write_text("text")
    changes = [Change("changed", n, "file", 1, 1) for n in ("bin", "big", "pipe", "t", "long")]
    shown = ChangeSet(str(root), str(tmp_path / "layer"), 0, changes)
    lines = diff_lines(shown, PLAIN)
    assert "    +\\x1b[2Jevil\t" in lines and not any("\x1b" in line for line in lines)
    assert any("more" in line for line in lines) and len(lines) < 60
    assert len(diff_lines(shown, PLAIN, whole=True)) > 400
