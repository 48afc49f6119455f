"""Packs: what is read, what is refused, and the tests the shipped ones carry."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from nlsh.plan import registry
from nlsh.plan.errors import BadArgument, NlshError, NotFound, NotPossible
from nlsh.plan.plan import Call, Plan, Preview
from nlsh.shipped import skills_dir
from nlsh.skills import check, load, run
from nlsh.skills.load import BadPack, Entry, Pack, load_pack

SHIPPED = [load_pack(p.parent) for p in sorted(skills_dir().glob("*/pack.toml"))]
NAMES = [
    "backup", "dev-cleanup", "disk-rescue", "gpu-jobs", "log-doctor", "media-convert", "new-project", "photo-sorter", "system-report", "tidy-downloads",
]  # fmt: skip

SKILL = "---\nname: demo\ndescription: A pack for tests.\n---\n"
TOML = """
[entries.one]
summary = "Move a file"
plan = 'file.move("{file}", to="{to}/sub")'
[entries.one.parameters]
file = { type = "path", help = "What." }
to = { type = "path", help = "Where.", default = "~/x" }
"""


def write(folder: Path, skill: str = SKILL, toml: str = TOML) -> Path:
    folder.mkdir(parents=True)
    (folder / "SKILL.md").write_text(skill)
    (folder / "pack.toml").write_text(toml)
    return folder


# --- the shipped packs -----------------------------------------------------------------------------------------------


def test_what_ships() -> None:
    assert [p.name for p in SHIPPED] == NAMES


@pytest.mark.parametrize("pack", SHIPPED, ids=lambda p: p.name)
def test_of_a_shipped_pack(pack: Pack) -> None:
    assert check.check_pack(pack) == []


@pytest.mark.parametrize("pack", SHIPPED, ids=lambda p: p.name)
def test_every_entry_is_tested_its_plans_are_valid_and_its_effects_within_its_actions(pack: Pack) -> None:
    assert (pack.folder / "README.md").read_text().startswith("# ")
    for entry in pack.entries.values():
        assert entry.tests
        used = {c.action for text in entry.parts for c in registry.parse(text).calls}
        assert used == set(entry.requires)
        declared = {kind for name in used for kind in registry.get(name).effects}
        assert {e.partition(":")[0] for e in entry.effects} <= declared, entry.full_name


@pytest.mark.parametrize("pack", SHIPPED, ids=lambda p: p.name)
def test_what_its_readme_says_to_type_can_be_typed(pack: Pack) -> None:
    lines = re.findall(r"^nlsh run (.*)|`nlsh run (.*?)`", (pack.folder / "README.md").read_text(), re.MULTILINE)
    assert lines
    for line in (shlex.split(a or b, comments=True) for a, b in lines):
        entry = load.find(line[0])
        given = dict(word.split("=", 1) for word in line[1:] if word != "-n")
        assert set(given) <= set(entry.parameters) and all(p.default is not None or p.name in given for p in entry.parameters.values()), line


def test_no_sentence_means_two_entries() -> None:
    said = [say for pack in SHIPPED for entry in pack.entries.values() for say in entry.say]
    assert len(said) == len(set(said))


def test_a_test_that_should_fail_fails() -> None:
    pack = next(p for p in SHIPPED if p.name == "tidy-downloads")
    entry = pack.entries["sort"]
    given = {"given": {"Downloads/a.jpg": "1"}}
    sort = replace(
        pack,
        entries={
            "sort": replace(
                entry,
                parts=entry.parts[:1],
                requires=(),
                tests=(
                    {"name": "wrong", **given, "after": {"Downloads/a.jpg": "1"}},
                    {"name": "status", **given, "exit": 3},
                    {"name": "shows", **given, "output": ["moon"]},
                    {"name": "right", **given, "after": {"Downloads/Pictures/a.jpg": "1"}},
                ),
            )
        },
    )
    wrong, status, shows = check.check_pack(sort)
    assert "tidy-downloads.sort: wrong" in wrong and "Pictures/a.jpg" in wrong
    assert "exit status 0, not 3" in status and "moon" in shows


# --- reading ---------------------------------------------------------------------------------------------------------


def test_a_pack_is_read(tmp_path: Path) -> None:
    pack = load_pack(write(tmp_path / "demo"))
    assert (pack.name, pack.default, list(pack.entries)) == ("demo", "one", ["one"])
    assert pack.entries["one"].parameters["to"].default == "~/x"


@pytest.mark.parametrize(
    ("skill", "toml", "says"),
    [
        (SKILL.replace("demo", "other"), TOML, "must be “demo”"),
        ("no front matter", TOML, "front matter"),
        (SKILL.replace("description: A pack for tests.", "description:"), TOML, "description"),
        (SKILL.replace("---\n", "---\ncolour: red\n", 1), TOML, "unknown key “colour”"),
        (SKILL, "", "no entries"),
        (SKILL, "[entries.one\n", "cannot be read"),
        (SKILL, TOML.replace("summary", "sumary"), "Did you mean summary?"),
        (SKILL, TOML.replace('type = "path"', 'type = "pth"'), "unknown type “pth”"),
        (SKILL, TOML.replace("{file}", "{files}"), "{files}"),
        (SKILL, TOML.replace("plan =", "say = []\n#"), "plan, parts or a sentence"),
        (SKILL, 'default = "two"\n' + TOML, "no entry"),
        (SKILL, TOML.replace('type = "path"', 'type = "choice"'), "needs choices"),
        (SKILL, TOML.replace("summary", 'effects = ["fs.wrte"]\nsummary'), "Did you mean fs.write?"),
        (SKILL, TOML.replace("summary", 'effects = ["fs.write: "]\nsummary'), "no target after the colon"),
        (SKILL, TOML.replace("summary", 'effects = ["fs.read:/*/*/*/*"]\nsummary'), "wildcards"),
        (SKILL, TOML + '[actions.look]\nsummary = "L"\nfile = "../else.py"\n', "must lie in the pack"),
        (SKILL, TOML + '[actions.look]\nsummary = "L"\nreads = ["fs.write:~"]\n', "no effect it can have"),
    ],
)
def test_a_bad_pack_is_named_with_what_is_wrong(tmp_path: Path, skill: str, toml: str, says: str) -> None:
    with pytest.raises(BadPack) as error:
        load_pack(write(tmp_path / "demo", skill, toml))
    assert says in str(error.value) and "demo" in str(error.value)


def test_what_is_no_text_is_refused_and_holds_nobody_up(tmp_path: Path) -> None:
    """A project brings its packs: a pipe in one of them, or a device, would be waited for or read for ever."""
    for name in ("SKILL.md", "pack.toml"):
        for kind in ("pipe", "device", "huge", "not UTF-8"):
            folder = write(tmp_path / kind / name / "demo")
            (folder / name).unlink()
            match kind:
                case "pipe":
                    os.mkfifo(folder / name)
                case "device":
                    (folder / name).symlink_to("/dev/zero")
                case "huge":
                    (folder / name).write_bytes(b"#" * (1 << 21))
                case _:
                    (folder / name).write_bytes(b"\xff\xfe")
            with pytest.raises(BadPack, match=name):
                load_pack(folder)
    with pytest.raises(BadPack, match="cannot be read"):
        load_pack(write(tmp_path / "demo", toml="x = " + "[" * 5000 + "]" * 5000 + "\n"))
    load_pack(write(tmp_path / "windows" / "demo", "\ufeff" + SKILL.replace("\n", "\r\n")))


def test_own_actions_cannot_be_called_like_those_of_an_mcp_server(tmp_path: Path) -> None:
    toml = TOML + '[actions.look]\nsummary = "L"\n'
    assert "look" in load_pack(write(tmp_path / "demo", toml=toml)).actions
    with pytest.raises(BadPack, match="MCP server"):
        load_pack(write(tmp_path / "mcp-notes", SKILL.replace("demo", "mcp-notes"), toml))


def test_front_matter_in_the_forms_people_write(tmp_path: Path) -> None:
    file = tmp_path / "SKILL.md"
    file.write_text('---\n# a comment\nname: demo # trailing\ndescription: >-\n  one\n  two\nlicense: "MIT"\nmetadata:\n  a: "1"\n  b: 2\n---\nbody\n')
    assert load.read_front_matter(file) == {"name": "demo", "description": "one two", "license": "MIT", "metadata": {"a": "1", "b": "2"}}


def test_a_project_cannot_take_the_place_of_a_pack_the_user_knows(home: Path) -> None:
    write(home / ".agents-elsewhere" / "demo")
    project = home / "project"
    project.mkdir()
    os.chdir(project)
    write(project / ".agents" / "skills" / "tidy-downloads", SKILL.replace("demo", "tidy-downloads"))
    write(project / ".agents" / "skills" / "demo")
    assert load.find("tidy-downloads").name == "sort"
    assert load.find("demo").name == "one"
    write(home / ".config" / "nlsh" / "skills" / "demo", toml=TOML.replace("entries.one", "entries.mine"))
    assert load.find("demo").name == "mine"


@pytest.mark.parametrize("sentence", ["tidy my downloads", "Please tidy my  Downloads.", "整理下载文件夹", "biggest downloads!"])
def test_a_sentence_of_a_pack_finds_its_entry(home: Path, sentence: str) -> None:
    found = load.said(sentence)
    assert found is not None and found.pack == "tidy-downloads"


@pytest.mark.parametrize("said", [r'"f\u0069nd \u0070dfs"', '"find\\tpdfs"', '"""find \\\n   pdfs"""', "'find pdfs'"])
def test_a_sentence_may_be_written_in_any_way_that_toml_has(home: Path, said: str) -> None:
    speaking = TOML.replace("summary", f"say = [{said}]\nsummary").replace('help = "What."', 'default = "x"')
    write(home / ".config" / "nlsh" / "skills" / "demo", toml=speaking)
    found = load.said("find pdfs")
    assert found is not None and found.pack == "demo"


@pytest.mark.parametrize("sentence", ["tidy my desktop", "tidy my downloads and delete the rest", ""])
def test_another_sentence_does_not(home: Path, sentence: str) -> None:
    assert load.said(sentence) is None


def test_only_what_the_user_added_gives_meaning_to_what_you_say(home: Path) -> None:
    speaking = TOML.replace("summary", 'say = ["find pdfs"]\nsummary').replace('help = "What."', 'default = "x"')
    write(home / ".agents-project" / "demo", toml=speaking)
    (home / ".agents").mkdir()
    (home / "project").mkdir()
    (home / "project" / ".agents").mkdir()
    (home / ".agents-project").rename(home / "project" / ".agents" / "skills")
    os.chdir(home / "project")
    assert load.find("demo").say == ("find pdfs",)
    assert load.said("find pdfs") is None
    # Nor does another agent that keeps its skills there.
    write(home / ".agents" / "skills" / "demo", toml=speaking)
    assert load.find("demo").folder.is_relative_to(home / ".agents") and load.said("find pdfs") is None
    write(home / ".config" / "nlsh" / "skills" / "demo", toml=speaking)
    assert load.said("find pdfs") is not None


def test_what_is_not_there_names_the_nearest(home: Path) -> None:
    with pytest.raises(NotFound, match="tidy-downloads"):
        load.find("tidy-download")
    with pytest.raises(NotFound, match="sort, old, big"):
        load.find("tidy-downloads.sotr")


# --- parameters ------------------------------------------------------------------------------------------------------


class Session:
    """Previews that find what they are told to."""

    def __init__(self, empty: tuple[str, ...] = ()) -> None:
        self.empty = empty

    def preview(self, plan: Plan, request: str) -> Preview:
        text = registry.format(plan)
        if any(word in text for word in self.empty):
            raise NotFound("nothing", code=run.NOTHING_FOUND)
        if "broken" in text:
            raise NotFound("no such folder")
        return Preview(plan, ())

    def plan_of(self, text: str) -> Plan:
        return registry.parse(f'file.list("{text}")')


def entry(tmp_path: Path, toml: str = TOML) -> Entry:
    return next(iter(load_pack(write(tmp_path / "demo", toml=toml)).entries.values()))


def test_parameters_are_typed_and_filled_in(tmp_path: Path) -> None:
    one = entry(tmp_path)
    given = one.given(["file=a b.txt"])
    assert given == {"file": "a b.txt", "to": "~/x"}
    plan = run.plan_entry(one, given, Session())
    assert plan is not None and registry.format(plan) == 'file.move("a b.txt", to="~/x/sub")'


@pytest.mark.parametrize(("words", "says"), [([], "needs file"), (["file"], "key=value"), (["fil=x"], "no parameter “fil”"), (["file="], "needs file")])
def test_wrong_parameters(tmp_path: Path, words: list[str], says: str) -> None:
    with pytest.raises(BadArgument, match=says):
        entry(tmp_path).given(words)


def test_a_value_can_neither_add_calls_nor_fill_itself_again(tmp_path: Path) -> None:
    one = entry(tmp_path)
    hostile = 'x"); file.delete("~/y'
    plan = run.plan_entry(one, one.given([f"file={hostile}", "to={file}"]), Session())
    assert plan is not None
    (call,) = plan.calls
    assert call.args == {"paths": hostile, "to": "{file}/sub"}


PARTS = """
[entries.one]
summary = "Parts"
parts = ['a = file.list("{x}", kind="pdfs"); file.trash(a)', 'b = file.list("{x}", kind="zips"); file.trash(b)']
[entries.one.parameters]
x = { type = "path", default = "~" }
"""


def test_parts_that_find_nothing_are_left_out(tmp_path: Path) -> None:
    one = entry(tmp_path, PARTS)
    plan = run.plan_entry(one, one.given([]), Session(empty=("pdfs",)))
    assert plan is not None and registry.format(plan) == 'b = file.list("~", kind="zips")\nfile.trash(b)'
    assert run.plan_entry(one, one.given([]), Session(empty=("pdfs", "zips"))) is None


def test_any_other_error_of_a_part_is_not_swallowed(tmp_path: Path) -> None:
    one = entry(tmp_path, PARTS)
    with pytest.raises(NlshError, match="no such folder"):
        run.plan_entry(one, one.given(["x=broken"]), Session())


def test_a_sentence_goes_to_the_planner(tmp_path: Path) -> None:
    one = entry(tmp_path, "[entries.one]\nsummary = 'S'\nsentence = 'find {what} here'\nparameters.what = { type = 'text', default = 'pdfs' }\n")
    plan = run.plan_entry(one, one.given(["what=zips"]), Session())
    assert plan is not None and registry.format(plan) == 'file.list("?find zips here")'


HOSTILE = ["/dev/null; touch pwned", "$(touch pwned)", "`touch pwned`", "a'; touch pwned; '", '"; touch pwned; "', "a\ntouch pwned", "x}; touch pwned #"]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_in_a_command_is_a_word_of_it_and_no_other_command(tmp_path: Path, value: str) -> None:
    toml = "[entries.one]\nsummary = 'S'\nplan = 'shell.run(\"ls {file} {dir}/{file}.txt | wc -l < {file}; ls -- {word}\")'\n"
    one = entry(tmp_path, toml + "parameters.file = { type = 'text' }\nparameters.dir = { type = 'path' }\nparameters.word = { type = 'text' }\n")
    plan = run.plan_entry(one, one.given([f"file={value}", "dir=~/d", "word=-o"]), Session())
    assert plan is not None
    command = plan.calls[0].args["command"]
    assert isinstance(command, str) and command.startswith(f"ls {shlex.quote(value)} {shlex.quote(os.path.expanduser('~/d'))}/{shlex.quote(value)}.txt")
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert not (tmp_path / "pwned").exists() and "syntax" not in done.stderr.lower()
    with pytest.raises(BadArgument, match="begins with a dash"):
        run.plan_entry(one, one.given(["file=--output=x", "dir=.", "word=x"]), Session())
    # Where the pack takes a command line, the value is one.
    whole = entry(tmp_path / "w", "[entries.one]\nsummary = 'S'\nplan = 'process.start(\"{line}\")'\nparameters.line = { type = 'text' }\n")
    plan = run.plan_entry(whole, whole.given(["line=ls -la"]), Session())
    assert plan is not None and plan.calls[0].args == {"command": "ls -la"}


@pytest.mark.parametrize(
    "command",
    ["echo '{x}'", "echo $(ls {x})", "echo `ls {x}`", "{x} --version", "cat <<E\\n{x}\\nE", "ls # {x}", "A={x} ls", "echo $(({x}))", "[[ {x} ]]", "ls {x} '"],
)
def test_a_pack_whose_values_could_end_what_they_stand_in_is_refused(tmp_path: Path, command: str) -> None:
    def toml(written: str) -> str:
        return f"[entries.one]\nsummary = 'S'\nplan = '''shell.run(\"{written}\")'''\nparameters.x = {{ type = 'text', default = 'a' }}\n"

    assert entry(tmp_path, toml("ls {x} 'one'")).name == "one"
    with pytest.raises(BadPack, match=r"entries\.one"):
        load_pack(write(tmp_path / "other" / "demo", toml=toml(command)))


def test_what_a_value_makes_of_a_sentence_is_never_a_raw_command(tmp_path: Path) -> None:
    class Asked(Session):
        def plan_of(self, text: str) -> Plan:
            return Plan((Call("shell.run", {"command": text.removeprefix("!")}),)) if text.startswith(("!", "wc")) else registry.parse("system.uptime()")

    def planned(number: int, sentence: str, *words: str) -> str:
        toml = f"[entries.one]\nsummary = 'S'\nsentence = '{sentence}'\nparameters.file = {{ type = 'text', default = 'x' }}\n"
        one = entry(tmp_path / str(number), toml)
        plan = run.plan_entry(one, one.given(list(words)), Asked())
        assert plan is not None
        return registry.format(plan)

    assert planned(1, "wc -l {file}", "file=/dev/null; touch pwned") == planned(2, "{file}", "file=!touch pwned") == "system.uptime()"
    assert planned(3, "!wc -l {file}", "file=/dev/null; touch pwned") == "shell.run(\"wc -l '/dev/null; touch pwned'\")"
    assert planned(4, "wc -l notes.txt") == 'shell.run("wc -l notes.txt")'


def test_what_an_entry_requires_must_be_there(tmp_path: Path) -> None:
    one = entry(tmp_path, TOML.replace("summary", "requires = ['file.burn']\nsummary"))
    with pytest.raises(NotPossible, match=r"file\.burn"):
        run.plan_entry(one, one.given(["file=a"]), Session())
