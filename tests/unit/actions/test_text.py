"""What the text actions make of texts: any encoding, any bytes, any length; what they change, and what they refuse."""

from __future__ import annotations

import io
import json
import os
import re
import tempfile
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlsh.plan import registry
from nlsh.plan.errors import BadArgument, NlshError, NotFound, NotPossible, Refused, StaleStep
from nlsh.plan.records import Line, Note, Record
from nlsh.plan.steps import Step, step_from_data
from nlsh.plan.values import Rows
from nlsh.shell.show import Look, show_records
from nlsh.testing import Scene, build
from nlsh.world import World, data, layout, patterns, tables, texts
from nlsh.world.replacing import Replacer

ODD = ["new\nline.txt", "'q' \"d\".txt", "-n.txt", "\udcff.txt", "a b.txt", "$(x).txt"]
READING = {
    "text.sort": {},
    "text.unique": {},
    "text.columns": {"columns": "1"},
    "text.filter": {"containing": "x"},
    "text.frequency": {},
    "text.extract": {"what": "emails"},
    "text.info": {},
    "text.query": {"key": "a"},
    "text.table": {},
    "text.statistics": {},
    "text.validate": {},
}
CHANGING = {
    "text.replace": {"text": "x", "by": "y"},
    "text.encoding": {"to": "utf-16"},
    "text.line_endings": {"to": "windows"},
    "text.format": {},
    "text.convert": {"to": "json"},
}


def subject(action: str) -> str:
    return "under" if action == "text.replace" else next(iter(registry.get(action).Args.fields))


def looked(action: str, path: Any, **written: Any) -> tuple[Any, Any, Any]:
    unit = registry.get(action)
    args = unit.Args.bind(action, {subject(action): path, **written})
    return unit, args, unit.look(args, World())


def steps(action: str, path: Any, **written: Any) -> tuple[Step, ...]:
    unit, args, seen = looked(action, path, **written)
    return tuple(unit.steps(args, seen))


def observed(action: str, path: Any, **written: Any) -> list[Record]:
    unit, args, seen = looked(action, path, **written)
    return list(unit.observe(args, seen, World()))


def shown(action: str, path: Any, **written: Any) -> list[str]:
    return [r.plain().split("\t")[0] if r.columns[0] != "text" else r.text for r in observed(action, path, **written) if not isinstance(r, Note)]  # type: ignore[attr-defined]


def do(step: Step) -> None:
    again = step_from_data(json.loads(json.dumps(step.as_data())))
    assert again == step
    again.check()
    again.apply()


# --- all of them -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", [*READING, *CHANGING])
def test_binary_files_folders_and_what_is_missing_are_refused(home: Path, action: str) -> None:
    (home / "picture.json").write_bytes(b"\x89PNG\r\n\x00\x00")
    (home / "folder").mkdir()
    os.mkfifo(home / "pipe")
    more = READING.get(action, CHANGING.get(action, {}))
    for path in ("picture.json", "pipe", *(["folder"] if action != "text.replace" else [])):
        with pytest.raises(NotPossible):
            looked(action, path, **more)
    with pytest.raises(NotFound):
        looked(action, "nowhere.json", **more)


@pytest.mark.parametrize("action", list(READING))
@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"\xff\xfea\x00", b"caf\xe9 \x80\x81\n", b"\r\r\n\n\r", b'a,b\n"x', bytes(range(1, 256)) * 3])
def test_no_bytes_crash_anything(home: Path, action: str, content: bytes) -> None:
    for name in ("a.json", "a.yaml", "a.csv", "a.xml", "a"):
        (home / name).write_bytes(content)
        try:
            for record in observed(action, name, **READING[action]):
                json.dumps(record.as_data())
                record.plain()
        except NlshError as error:
            assert str(error).endswith(".")


@pytest.mark.parametrize("name", ODD)
def test_any_name_will_do(home: Path, name: str) -> None:
    (home / name).write_text("b\na\n")
    assert shown("text.sort", (str(home / name),)) == ["a", "b"]
    (step,) = steps("text.replace", (str(home / name),), text="a", by="c")
    do(step)
    assert (home / name).read_text() == "b\nc\n"
    do(step.inverse())  # type: ignore[arg-type]
    assert (home / name).read_text() == "b\na\n"


@pytest.fixture
def other(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder in which this process, if it is root's, is somebody else for the while of the test."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(os.path.realpath(name))
        os.chmod(folder, 0o755)
        monkeypatch.chdir(folder)
        (folder / "open.json").write_text('{"a": "x"}\n')
        (folder / "closed.json").write_text('{"a": "x"}\n')
        os.chmod(folder / "closed.json", 0)
        for action, more in (READING | CHANGING).items():  # what is only imported when it is needed may not be readable for others
            with suppress(NlshError):
                observed(action, "open.json", **more) if action in READING else steps(action, "open.json", **more)
        if os.geteuid() == 0:
            os.seteuid(65534)
            try:
                yield folder
            finally:
                os.seteuid(0)
        else:
            yield folder


@pytest.mark.parametrize("action", [*READING, *CHANGING])
def test_what_may_not_be_read_is_refused(other: Path, action: str) -> None:
    more = READING.get(action, CHANGING.get(action, {}))
    with pytest.raises(NotPossible, match="Permission denied"):
        looked(action, "closed.json", **more)
    if action in READING and action != "text.table":  # to which a .json file is no table
        looked(action, "open.json", **more)


def test_other_peoples_files_are_not_made_ones_own(other: Path) -> None:
    if os.geteuid() == os.getuid():
        pytest.skip("there is nobody else here to own a file")
    with pytest.raises(NotPossible, match=r"belongs to root|may not change"):
        steps("text.replace", "open.json", text="x", by="y")


def test_searching_by_expression_is_line_by_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "_TICK_S", 0.1)

    def found(regex: str, **more: Any) -> list[tuple[str, int, str]]:
        unit = registry.get("text.search")
        args = unit.Args.bind("text.search", {"regex": regex, **more})
        rows = list(unit.observe(args, unit.look(args, World()), World()))
        return [(os.path.basename(r.path), r.number, r.text) for r in rows]  # type: ignore[attr-defined]

    (home / "a.txt").write_bytes("eins 12\r\nÄpfel\n\nend 345".encode())
    (home / "b.bin").write_bytes(b"12\0")
    (home / "long").write_text("x" * 100_000 + "7" + "x" * 100_000)
    assert found(r"\d{2,}") == [("a.txt", 1, "eins 12"), ("a.txt", 4, "end 345")]
    assert found(r"12$") == [("a.txt", 1, "eins 12")], "the end of a line is before its mark"
    assert found(r"^$") == [("a.txt", 3, "")] and found(r"\Aend") == [("a.txt", 4, "end 345")]
    assert found(r"eins\s+Ä") == [], "a match does not go on in the next line"
    assert found("äpfel") == [] and found("äpfel", ignore_case=True) == [("a.txt", 2, "Äpfel")]
    assert found("/[ä]P/", ignore_case=True, under="a.txt") == [("a.txt", 2, "Äpfel")]
    ((name, _, text),) = found("7")
    assert name == "long" and "7" in text and len(text) < 10_000
    for written in ({"regex": "("}, {"text": "a", "regex": "b"}, {}):
        with pytest.raises(BadArgument):
            unit = registry.get("text.search")
            unit.look(unit.Args.bind("text.search", written), World())
    (home / "slow").write_text("a" * 60 + "!")
    with pytest.raises(NotPossible, match="takes too long"):
        found("(a+)+$", under="slow")


def test_a_file_that_goes_away_before_it_is_read(home: Path) -> None:
    (home / "a").write_text("a")
    unit, args, seen = looked("text.sort", "a")
    os.unlink(home / "a")
    with pytest.raises(NotPossible, match="cannot be read"):
        list(unit.observe(args, seen, World()))


@pytest.mark.parametrize(
    ("action", "more"), [("text.filter", {"containing": "7"}), ("text.unique", {}), ("text.extract", {"what": "numbers"}), ("text.columns", {"columns": "1"})]
)
def test_streams_take_constant_memory(home: Path, action: str, more: dict[str, str]) -> None:
    (home / "big").write_bytes(b"the same line 7 again and again and again and again and again\n" * 60_000)
    unit, args, seen = looked(action, "big", **more)
    tracemalloc.start()
    count = sum(1 for _ in unit.observe(args, seen, World()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count >= 1 and peak < 2 << 20, peak


def test_a_line_without_end_takes_no_quadratic_time(home: Path) -> None:
    for content in (b"a" * 600_000, b"1" * 600_000, b"a." * 300_000, b"1:" * 300_000, b"a@" * 300_000, b"1-" * 300_000, b"http://" * 90_000):
        (home / "a").write_bytes(content)
        for what in ("emails", "urls", "numbers", "ips", "dates"):
            observed("text.extract", "a", what=what)


# --- encodings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("苹果\n香蕉\n", "gb18030"),
        ("姓名,年龄\n张三,20\n李四,30\n", "gb18030"),
        ("蘋果\n香蕉\n", "big5"),
        ("日本語のテキスト", "shift_jis"),
        ("日本語のテキスト", "euc_jp"),
        ("한국어 텍스트입니다", "euc_kr"),
        ("привет, как дела", "cp1251"),
        ("café\n", "latin-1"),
        ("“café” – x", "cp1252"),
        ("hello", "utf-16"),
        ("hello", "utf-16-le"),
        ("ab", "utf-16-be"),
        ("Käse", "utf-8-sig"),
        ("Käse", "utf-8"),
        ("cheese", "ascii"),
        ("x", "utf-32"),
    ],
)
def test_encodings_are_told(home: Path, text: str, encoding: str) -> None:
    (home / "a").write_bytes(text.encode(encoding))
    (info,) = observed("text.info", "a")
    assert info.encoding == encoding  # type: ignore[attr-defined]
    assert "\n".join(texts.lines(str(home / "a"))) == text.removesuffix("\n")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200).filter(lambda b: b"\0" not in b and not b.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf"))))
def test_bytes_that_mean_nothing_survive(home: Path, content: bytes) -> None:
    (home / "a").write_bytes(content)
    encoding = texts.encoding_of(content) or ""
    lines = list(texts.lines(str(home / "a")))
    if encoding in ("ascii", "utf-8", "latin-1", "cp1252"):
        codec = "utf-8" if encoding == "ascii" else encoding
        wanted = content.split(b"\n")
        wanted = wanted[:-1] if wanted[-1] == b"" else wanted
        ended = content.count(b"\n")
        assert [x.encode(codec, "surrogateescape") for x in lines] == [w.removesuffix(b"\r") if i < ended else w for i, w in enumerate(wanted)]


@pytest.mark.parametrize(
    ("old", "to"),
    [("gb18030", "utf-8"), ("utf-8", "gbk"), ("utf-8", "big5"), ("utf-8", "utf-16"), ("utf-16", "utf-8"), ("utf-8-sig", "utf-8"), ("utf-8", "utf-8-sig")],
)
def test_encodings_are_converted_and_back(home: Path, old: str, to: str) -> None:
    text = "姓名：張三\r\n年龄\n" if "big5" not in (old, to) else "姓名：張三\r\n"
    (home / "a").write_bytes(text.encode(old))
    (step,) = steps("text.encoding", "a", to=to)
    do(step)
    new = {"gbk": "gb18030"}.get(to, to)
    assert (home / "a").read_bytes() == text.encode(new)
    do(step.inverse())  # type: ignore[arg-type]
    assert (home / "a").read_bytes() == text.encode(old)


def test_what_an_encoding_cannot_hold_stops_the_conversion(home: Path) -> None:
    (home / "a").write_text("Käse 苹果")
    (step,) = steps("text.encoding", "a", to="latin-1")
    with pytest.raises(NotPossible, match=r"苹.*latin-1"):
        step.apply()
    assert (home / "a").read_text() == "Käse 苹果"
    (home / "b").write_bytes("ä".encode() * 200_000 + b"\xff")
    (step,) = steps("text.encoding", "b", to="utf-16")
    with pytest.raises(NotPossible, match="byte 400000 is 0xff"):
        step.apply()


def test_ascii_is_in_nearly_every_encoding_already(home: Path) -> None:
    (home / "a").write_text("plain")
    for to in ("utf-8", "gbk", "latin-1", "ascii"):
        with pytest.raises(Refused, match="already"):
            steps("text.encoding", "a", to=to)
    assert steps("text.encoding", "a", to="utf-8 with bom")


# --- replace -----------------------------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(
    blocks=st.lists(st.text(alphabet="abé苹\n", max_size=12).map(str.encode), max_size=8),
    text=st.text(alphabet="abé苹", min_size=1, max_size=3),
    by=st.text(alphabet="abx苹", min_size=1, max_size=4),
)
def test_a_stream_is_replaced_as_a_whole_would_be(blocks: list[bytes], text: str, by: str) -> None:
    whole = b"".join(blocks)
    replacer = Replacer(text, by, ignore_case=False)
    out = b"".join(replacer.feed(b) for b in blocks) + replacer.finish()
    assert out == whole.replace(text.encode(), by.encode()) and replacer.count == whole.count(text.encode())
    assert not replacer.unsafe


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_case_is_ignored_in_any_alphabet_and_across_blocks(size: int) -> None:
    whole = "Straße STRASSE äpfel ÄPFEL Äpfel".encode()
    replacer = Replacer("äpfel", "x", ignore_case=True)
    out = b"".join(replacer.feed(whole[i : i + size]) for i in range(0, len(whole), size)) + replacer.finish()
    assert out.decode() == "Straße STRASSE x x x" and replacer.count == 3


def test_the_preview_counts_and_shows_changed_lines(home: Path) -> None:
    (home / "a").write_text("one\ntwo two\nthree\ntwo\n\ntwo")
    (step,) = steps("text.replace", "a", text="two", by="2")
    said = step.describe()
    assert "4 times" in said and str(home / "a") in said and "line 2: “two two” → “2 2”" in said and "line 4: “two” → “2”" in said
    assert "\n" not in said and "line 6" not in said


def test_the_preview_says_what_is_inside_longer_words(home: Path) -> None:
    (home / "a").write_text("Ann, Anna and Marianne: Ann\n")
    (step,) = steps("text.replace", "a", text="Ann", by="Eva", ignore_case=True)
    assert "4 times, 2 of them inside longer words, in" in step.describe()
    do(step)
    (home / "b").write_text("Anna")
    assert "once, that inside a longer word, in" in steps("text.replace", "b", text="Ann", by="Eva")[0].describe()
    (home / "c").write_text("Ann.")
    assert "longer" not in steps("text.replace", "c", text="Ann", by="Eva")[0].describe()


@settings(max_examples=300, deadline=None)
@given(
    pieces=st.lists(st.sampled_from(["ab", "ab", "é", "苹", " ", "_", "1", ".", "𠀀", "ж"]), max_size=12),
    size=st.integers(1, 9),
    text=st.sampled_from(["ab", "é", "苹", ".", "b", "ж"]),
)
def test_what_is_inside_words_does_not_depend_on_blocks(pieces: list[str], size: int, text: str) -> None:
    whole = "".join(pieces)
    replacer = Replacer(text, "x", ignore_case=False)
    raw = whole.encode()
    for start in range(0, len(raw), size):
        replacer.feed(raw[start : start + size])
    replacer.finish()
    letter = r"[ab_1éж]"
    beginning, end = (rf"(?<={letter})", rf"(?={letter})") if re.match(letter, text) else ("(?!)", "(?!)")
    assert replacer.inside == len(re.findall(rf"{beginning}{re.escape(text)}|{re.escape(text)}{end}", whole))


def test_characters_with_and_without_blanks(home: Path) -> None:
    (home / "a").write_text("今天 很好\r\n再见\n")
    (home / "b").write_text("x y")
    (home / "c").write_text("xy")
    tally, note = observed("text.count", "a", unit="characters")
    assert tally.count == 10 and note.text == "6 of them are no blanks or line ends."  # type: ignore[attr-defined]
    *_, tally, note = observed("text.count", ("a", "b"), unit="characters")
    assert tally.count == 13 and note.text.startswith("8 of them")  # type: ignore[attr-defined]
    assert len(observed("text.count", "c", unit="characters")) == 1


def test_replacing_looks_only_at_texts_that_are_not_hidden(home: Path) -> None:
    build(home, {"d/a.txt": "x", "d/.hidden": "x", "d/.git/config": "x", "d/b.bin": b"\0x", "d/sub/c.py": "x", "other": "x", "d/link": {"link": "../other"}})
    found = [os.path.relpath(s.path, home) for s in steps("text.replace", "d", text="x", by="y")]  # type: ignore[attr-defined]
    assert sorted(found) == ["d/a.txt", "d/sub/c.py"]
    assert [os.path.basename(s.path) for s in steps("text.replace", "d", text="x", by="y", kind="python files")] == ["c.py"]  # type: ignore[attr-defined]


def test_a_text_that_is_not_utf8_is_only_replaced_where_that_is_safe(home: Path) -> None:
    (home / "latin.c").write_bytes(b"/* caf\xe9 */ old_name = 1;\n")
    (step,) = steps("text.replace", "latin.c", text="old_name", by="new")
    do(step)
    assert (home / "latin.c").read_bytes() == b"/* caf\xe9 */ new = 1;\n"
    with pytest.raises(Refused, match="not UTF-8"):
        steps("text.replace", "latin.c", text="new", by="größer")
    # In Shift-JIS, the second byte of this character is that of a backslash.
    (home / "sjis").write_bytes("表示".encode("shift_jis"))
    with pytest.raises(Refused, match="not UTF-8"):
        steps("text.replace", "sjis", text="\\", by="/")


def test_replacing_nothing_is_refused(home: Path) -> None:
    (home / "a").write_text("x")
    with pytest.raises(NotFound):
        steps("text.replace", "a", text="y", by="z")
    with pytest.raises(Refused):
        steps("text.replace", "a", text="x", by="x")


def test_too_much_to_count_is_said_and_a_file_of_its_own_is_done_uncounted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nlsh.actions.text import replace

    monkeypatch.setattr(replace, "_MOST_BYTES", 10)
    build(home, {"d/a": "x" * 20})
    with pytest.raises(NotPossible, match="too much"):
        steps("text.replace", "d", text="x", by="y")
    (step,) = steps("text.replace", "d/a", text="x", by="y")
    assert "wherever it stands" in step.describe()
    do(step)
    assert (home / "d/a").read_text() == "y" * 20


def test_a_file_that_changes_between_preview_and_run_is_left_alone(home: Path) -> None:
    (home / "a").write_text("x")
    (step,) = steps("text.replace", "a", text="x", by="y")
    (home / "a").write_text("x and more")
    with pytest.raises(StaleStep):
        step.check()
    assert (home / "a").read_text() == "x and more"


def test_confined_replacing_across_a_tree_with_a_trash_and_without(tmp_path: Path) -> None:
    given = {"src/a.py": "old", "src/deep/a.py": "old", "top.txt": "old", ".local/share/Trash/files": None, ".local/share/Trash/info": None}
    for number, scene_given in enumerate((given, {k: v for k, v in given.items() if v is not None})):
        with Scene(tmp_path / str(number), scene_given) as scene:
            played = scene.play('text.replace("old", by="new", under=".")')
            assert played.error is None and played.outcome is not None and played.outcome.done == 3
            assert [(scene.home / p).read_text() for p in ("src/a.py", "src/deep/a.py", "top.txt")] == ["new"] * 3
            assert len(os.listdir(scene.home / ".local/share/Trash/files")) == 3
            (scene.home / "top.txt").write_text("mine")
            refused = scene.play("history.undo()")
            assert refused.error is not None and refused.error.code == "action.refused"
            assert (scene.home / "src/a.py").read_text() == "new"


# --- line ends, tables, data -------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n", b"\xff"]), max_size=12).map(b"".join),
    to=st.sampled_from(["unix", "windows"]),
    size=st.integers(1, 4),
)
def test_line_ends(home: Path, content: bytes, to: str, size: int) -> None:
    from nlsh.steps import texts as steps_

    class Slow(io.BytesIO):
        def read(self, count: int | None = -1, /) -> bytes:
            return super().read(size)

    step = steps_.ConvertLineEnds(to=to, path="/a", identity=(0, 0, 0, len(content)), trash="", name="", info="", stamp_ns=0)
    out = io.BytesIO()
    wanted = content.replace(b"\r\n", b"\n")
    wanted = wanted if to == "unix" else content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    if wanted == content:
        with pytest.raises(NotPossible, match="already"):
            step.rewrite(Slow(content), out)
    else:
        step.rewrite(Slow(content), out)
        assert out.getvalue() == wanted


def test_kinds_of_line_ends(home: Path) -> None:
    for content, kind in (
        (b"a\nb\n", "unix"),
        (b"a\r\nb", "windows"),
        (b"a\rb\r", "mac"),
        (b"a\r\nb\n", "mixed"),
        (b"a", "none"),
        ("a\r\n".encode("utf-16"), "windows"),
    ):
        (home / "a").write_bytes(content)
        assert observed("text.info", "a")[0].line_endings == kind  # type: ignore[attr-defined]
    (home / "a").write_bytes("a\r\n".encode("utf-16"))
    with pytest.raises(NotPossible, match="utf-16"):
        steps("text.line_endings", "a", to="unix")


def test_tables_have_the_separator_that_they_have(home: Path) -> None:
    for content in ("a;b\n1,5;x\n", "a\tb\n1,5\tx\n", 'a,b\n"1,5",x\n', "a|b\n1,5|x\n"):
        (home / "t.csv").write_text(content)
        assert shown("text.columns", "t.csv", columns="B") == ["x"]
        assert shown("text.columns", "t.csv", columns="1") == ["1,5"]
    (home / "t.csv").write_text("1,2\n3,4\n")
    assert shown("text.columns", "t.csv", columns="2") == ["2", "4"]  # no names: the first row is one, too
    with pytest.raises(NotFound, match="no column 3"):
        shown("text.columns", "t.csv", columns="3")
    (home / "t.csv").write_text('name,note\nAnn,"two\nlines\tand a tab"\nBob\n\nCleo,x,y\n')
    assert [r.text for r in observed("text.table", "t.csv")] == ["Ann\ttwo lines and a tab", "Bob\t", "Cleo\tx,y"]  # type: ignore[attr-defined]
    for written, found in (("comma", ["a;b c"]), ("semicolon", ["a", "b c"]), ("空格", ["a;b", "c"])):
        (home / "t").write_text("a;b c\n")
        row, _ = (
            observed("text.columns", "t", columns="1-9", separator=written)
            if written == "空格"
            else observed("text.columns", "t", columns=",".join(str(i + 1) for i in range(len(found))), separator=written)
        )
        assert [c for c in row.cells if c] == found  # type: ignore[attr-defined]


def test_tables_are_shown_with_their_names(home: Path) -> None:
    (home / "t.csv").write_text("name,age\nAnn,9\nBob\x1b[2J,10\n")
    out = io.StringIO()
    show_records(observed("text.table", "t.csv"), Look(table=True), out)
    lines = out.getvalue().splitlines()
    assert lines[0].split() == ["name", "age"] and lines[1].split() == ["Ann", "9"] and "\x1b" not in out.getvalue() and len(lines) == 3


def test_column_and_equals_belong_together(home: Path) -> None:
    (home / "t.csv").write_text("a\n1\n")
    for more in ({"column": "a"}, {"equals": "1"}):
        with pytest.raises(BadArgument):
            looked("text.table", "t.csv", **more)


def test_what_is_only_shown_says_that_the_file_stays(home: Path) -> None:
    (home / "a.txt").write_text("b\na\nb\nb\n")
    for action, more in (("text.sort", {}), ("text.filter", {"containing": "b"}), ("text.columns", {"columns": "1"}), ("text.unique", {})):
        *_, note = observed(action, "a.txt", **more)
        assert isinstance(note, Note) and note.text == "a.txt stays as it is.", action
    assert [r.text for r in observed("text.unique", "a.txt")[2:]] == ["2 repeated lines are not shown.", "a.txt stays as it is."]  # type: ignore[attr-defined]
    assert observed("text.filter", "a.txt", containing="x") == []


def test_how_much_of_a_frequency_is_shown(home: Path) -> None:
    (home / "a").write_text("".join(f"line{n}\n" for n in range(30)))
    assert len(observed("text.frequency", "a", unit="lines")) == 30
    *rows, note = observed("text.frequency", "a")
    assert len(rows) == 20 and note.text == "These are 20 of 30 different words."  # type: ignore[attr-defined]
    *rows, note = observed("text.frequency", "a", unit="lines", limit="7")
    assert len(rows) == 7 and note.text == "These are 7 of 30 different lines."  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "content", "numbers"),
    [
        ("a", "x 1,200\ny 15\nz 1,2\nw 1,2000\n-1,000.5 v\n", ["-1,000.5 v", "z 1,2", "w 1,2000", "y 15", "x 1,200"]),
        ("a.csv", 'x,5,300\ny,7,200\n"z","1,200",1\n', ["x,5,300", "y,7,200", '"z","1,200",1']),
        ("a.csv", "x;1,200\ny;15\n", ["y;15", "x;1,200"]),
        ("a.csv", 'x,"5\n', ['x,"5']),
    ],
)
def test_lines_are_sorted_by_numbers_with_thousands(home: Path, name: str, content: str, numbers: list[str]) -> None:
    (home / name).write_text(content)
    assert shown("text.sort", name, numeric=True) == numbers


def test_chinese_is_sorted_by_sound(home: Path) -> None:
    (home / "a").write_text("张三\n李四\nbob\n王五\n阿明\nAl\n10 张\n")
    wanted = ["10 张", "Al", "bob", "阿明", "李四", "王五", "张三"]
    assert shown("text.sort", "a") == wanted and shown("text.sort", "a", reverse=True) == wanted[::-1]
    assert not [r for r in observed("text.sort", "a") if "pinyin" in r.plain()]
    (home / "a").write_text("張三\n婷婷\n李四\n")
    *_, rare, _ = observed("text.sort", "a")
    assert shown("text.sort", "a")[0] == "李四" and "rare" in rare.text  # type: ignore[attr-defined]
    (home / "a").write_text("日本\n愛\nの\n")
    assert shown("text.sort", "a") == ["の", "愛", "日本"], "what has Japanese letters is no Chinese"
    (home / "t.csv").write_text("name,n\n张三,1\n李四,2\n阿明,3\n")
    assert [r.cells[0] for r in observed("text.table", "t.csv", sort="name")] == ["阿明", "李四", "张三"]  # type: ignore[attr-defined]
    assert [r.group for r in observed("text.group", "t.csv", by="name", sort="name")] == ["阿明", "李四", "张三"]  # type: ignore[attr-defined]


def test_a_table_is_sorted_the_other_way_round(home: Path) -> None:
    (home / "t.csv").write_text('n,x\na,9\nb,"1,200"\nc,\nd,100\ne,n/a\nf,9\n')
    for reverse, wanted in ((True, "bdafce"), (False, "afdbce")):
        assert "".join(r.cells[0] for r in observed("text.table", "t.csv", sort="x", reverse=reverse)) == wanted  # type: ignore[attr-defined]
    assert "".join(r.cells[0] for r in observed("text.table", "t.csv", sort="n", reverse=True, limit="2")) == "fe"  # type: ignore[attr-defined]
    with pytest.raises(BadArgument, match="needs a column"):
        looked("text.table", "t.csv", reverse=True)


def test_statistics_are_exact(home: Path) -> None:
    (home / "t.csv").write_text("n,x\n0.1,1\n0.2,\n1e3,?\n")
    (one,) = observed("text.statistics", "t.csv")
    assert (one.column, one.count, one.sum, one.least, one.greatest) == ("n", 3, "1000.3", "0.1", "1000")  # type: ignore[attr-defined]
    (two,) = observed("text.statistics", "t.csv", column="x")
    assert (two.count, two.others, two.mean) == (1, 1, "1")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1,234.5", "1234.5"),
        ("12,5", "12.5"),
        ("-3", "-3"),
        ("40%", "40"),
        ("€1", "1"),
        ("1.2.3", None),
        ("", None),
        ("-", None),
        ("e5", None),
        (".", None),
        ("1e999", "1E+999"),
        ("１", None),
    ],
)
def test_numbers(cell: str, value: str | None) -> None:
    found = tables.number(cell)
    assert (None if found is None else tables.plain(found)) == value


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x85\u2028\u2029\ufeff", exclude_categories=("Cc", "Cs")), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc.é", min_size=1, max_size=3), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=150, deadline=None)
@given(value=VALUES)
def test_formats_hold_what_they_are_given(value: Any) -> None:
    assert data.parse(layout.written(value, "json"), "json") == value
    assert data.parse(layout.written(value, "yaml"), "yaml") == value
    raw = json.dumps(value).encode()
    assert json.loads(layout.laid_out(raw, "json")) == value
    if isinstance(value, dict) and "null" not in raw.decode():
        try:
            back = data.parse(layout.written(value, "toml"), "toml")
        except NotPossible:
            return
        assert back == value


@pytest.mark.parametrize(
    ("name", "content", "line", "problem"),
    [
        ("a.json", b'{"a": 1,\n "a": 2}', 0, "twice"),
        ("a.json", b'{\n"a": }', 2, "expecting value"),
        ("a.json", b"[" * 100_000, 0, "deeply"),
        ("a.json", b"{}\n\xff", 2, "0xff"),
        ("a.json", b"[NaN]", 0, "NaN"),
        ("a.yaml", b"a: 1\na: 2\n", 1, "twice"),
        ("a.yaml", b"a:\n\t- b\n", 2, "token"),
        ("a.yaml", b"&a [*a]", 0, "itself"),
        ("a.yaml", b"a: !!python/object/apply:os.system ['x']", 1, "constructor"),
        ("a.toml", b"a = 1\nb = \n", 2, "value"),
        ("a.csv", b"a,b\n1,2\n1\n", 3, "1 cells"),
        ("a.csv", b'a,b\n"1,2\n', 2, "end of data"),
        ("a.xml", b"<a>\n<b></a>", 2, "mismatched"),
        ("a.xml", b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', 1, "entity"),
    ],
)
def test_what_is_wrong_and_where(home: Path, name: str, content: bytes, line: int, problem: str) -> None:
    (home / name).write_bytes(content)
    (checked,) = observed("text.validate", name)
    assert not checked.valid and checked.line == line and problem in checked.problem, checked  # type: ignore[attr-defined]


def test_references_that_multiply_are_refused(home: Path) -> None:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]", *(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]" for i in range(8))]
    (home / "a.yaml").write_text("\n".join(lines))
    (checked,) = observed("text.validate", "a.yaml")
    assert "multiply" in checked.problem  # type: ignore[attr-defined]


def test_one_bad_file_of_several_is_told_beside_the_others(home: Path) -> None:
    (home / "a.json").write_text("{}")
    (home / "notes").write_text("hi")
    found = observed("text.validate", ("a.json", "notes"))
    assert found[0].valid and isinstance(found[1], Note) and "notes" in found[1].text  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("a.b", ["1"]),
        ("A.b", ["1"]),
        ("list.0", ["x"]),
        ("list[-1]", ["y"]),
        ("list", ["x", "y"]),
        ("x.y", ["dotted"]),
        ("none", ["null"]),
        ("many", ["one", "two"]),
        ("$.a.b", ["1"]),
        ('a["b"]', ["1"]),
        ("a", ["{", '  "b": 1', "}"]),
    ],
)
def test_ways_to_a_value(home: Path, key: str, found: list[str]) -> None:
    (home / "a.json").write_text('{"a": {"b": 1}, "list": ["x", "y"], "x.y": "dotted", "none": null, "many": "one\\ntwo"}')
    assert shown("text.query", "a.json", key=key) == found


@pytest.mark.parametrize("key", ["b", "a.c", "list.2", "list.x", "a.b.c"])
def test_ways_that_lead_nowhere_say_what_there_is(home: Path, key: str) -> None:
    (home / "a.json").write_text('{"a": {"b": 1}, "list": ["x", "y"]}')
    with pytest.raises(NotFound) as caught:
        observed("text.query", "a.json", key=key)
    assert caught.value.hint


def test_a_conversion_that_cannot_be_leaves_nothing_behind(home: Path) -> None:
    for name, content, to, why in (
        ("a.json", "[1, 2]", "toml", "list"),
        ("b.json", '{"x": null}', "toml", "x"),
        ("c.json", '[{"a": [1]}]', "csv", "row 1"),
        ("d.json", "{", "yaml", "line 1"),
    ):
        (home / name).write_text(content)
        (step,) = steps("text.convert", name, to=to)
        with pytest.raises(NotPossible, match=why):
            step.apply()
    assert sorted(os.listdir(home)) == ["a.json", "b.json", "c.json", "d.json"]


def test_layouts_keep_what_is_said(home: Path) -> None:
    for content in (b"a: 1 # why\n", b"# top\na: 1\n", b"a: |\n  x\n# end\n", b"a: | # c\n  x\n"):
        with pytest.raises(NotPossible, match="comments"):
            layout.laid_out(content, "yaml")
    assert layout.laid_out(b"a:   'x # y'\nb: x#y\n", "yaml") == b"a: 'x # y'\nb: x#y\n"
    assert layout.laid_out(b"<p>one <b>two</b> three</p>", "xml") == b"<p>one <b>two</b> three</p>\n"
    assert layout.laid_out(b"<a xml:space='preserve'> <b/> </a>", "xml") == b'<a xml:space="preserve"> <b/> </a>\n'
    with pytest.raises(NotPossible, match="iso-8859-1"):
        layout.laid_out(b'<?xml version="1.0" encoding="iso-8859-1"?><a>\xe9</a>', "xml")
    assert layout.laid_out(b'["\\ud83d", "\\u00e9"]', "json") == '[\n  "\\ud83d",\n  "é"\n]\n'.encode()


def test_languages() -> None:
    for text, language in (
        ("Der Hund ist nicht auf dem Tisch und das ist gut", "German"),
        ("今天天气很好", "Chinese"),
        ("これはペンです", "Japanese"),
        ("한국어입니다", "Korean"),
        ("def f(x): return x + 1", ""),
        ("", ""),
    ):
        assert texts.language_of(text) == language


# --- what other tools find -----------------------------------------------------------------------------------------


def test_lines_are_sorted_by_the_numbers_that_are_written(home: Path) -> None:
    """Numbers that a float cannot tell apart, such as .5, and such as stand in a word only."""
    (home / "a").write_text("9007199254740993\n9007199254740992\n.5\n-.5\nimg10.png\nimg9.png\nv2 1.5 MB\nnone\n")
    wanted = ["-.5", ".5", "v2 1.5 MB", "img9.png", "img10.png", "9007199254740992", "9007199254740993"]
    assert shown("text.sort", "a", numeric=True) == [*wanted, "none"]
    assert shown("text.sort", "a", numeric=True, reverse=True) == [*reversed(wanted), "none"]


@pytest.mark.parametrize(
    ("what", "content", "found"),
    [
        ("emails", "邮箱是ann@example.org谢谢，jürgen@ex.org é@ex.org a@b.中国", ["ann@example.org", "jürgen@ex.org", "é@ex.org", "a@b.中国"]),
        ("urls", "请看https://a.org/x，xhttps://no.org", ["https://a.org/x"]),
        ("numbers", "价格100元，-5度 .5 -.5 a.5 v1.2 1_0 3-4", ["100", "-5", ".5", "-.5", "3", "4"]),
        ("ips", "地址是10.0.0.1吗 v1.2.3.4", ["10.0.0.1"]),
        ("dates", "于2024-03-05发布 2024-01-02T10:00:00Z 2024-13-01 5th of May 2024 2024-01-02x", ["2024-03-05", "2024-01-02", "5th of May 2024"]),
    ],
)
def test_extract_knows_words_without_blanks_between_them(home: Path, what: str, content: str, found: list[str]) -> None:
    (home / "a").write_text(content)
    assert shown("text.extract", "a", what=what) == found


def test_a_cell_may_hold_any_separator_of_lines(home: Path) -> None:
    rows = [{"a": 1, "b": "x\u2028y"}, {"a": 2, "b": "p\x0bq\x85r"}, {"a": 3, "b": "t\ru\nv"}]
    (home / "a.csv").write_text('a,b\n1,x\u2028y\n2,p\x0bq\x85r\n3,"t\ru\nv"\n', newline="")
    (step,) = steps("text.convert", "a.csv", to="json")
    do(step)
    assert json.loads((home / "a.json").read_text()) == rows
    (home / "b.json").write_text(json.dumps({"a": rows}, ensure_ascii=False))
    assert json.loads("\n".join(shown("text.query", "b.json", key="a"))) == rows


def test_values_are_as_they_were_written(home: Path) -> None:
    """A number is not made infinite, a time no number, and a name with a dot does not hide what lies behind two names."""
    (home / "a.json").write_text('{"big": 1E400, "small": 1}')
    (home / "a.toml").write_text("big = 1e400\nsmall = inf\n")
    for name in ("a.json", "a.toml"):
        with pytest.raises(NotPossible, match=r"1[eE]400 is too large"):
            shown("text.query", name, key="small")
    (home / "a.yaml").write_text("time: 12:30\nports: [22:22, 1:30.5]\nnumber: 0x1f\nhalf: 0.5\n")
    assert [shown("text.query", "a.yaml", key=k) for k in ("time", "ports", "number", "half")] == [["12:30"], ["22:22", "1:30.5"], ["31"], ["0.5"]]
    (home / "b.json").write_text('{"a.b": 1, "a": {"b": {"c": 2}, "b.c": 3, "d": 4}}')
    assert [shown("text.query", "b.json", key=k) for k in ("a.b", "a.b.c", "a.d")] == [["1"], ["3"], ["4"]]
    (home / "c.json").write_text('{"a.b": 1, "a": {"b": {"c": 2}}}')
    assert shown("text.query", "c.json", key="a.b.c") == ["2"]
    with pytest.raises(NotFound):
        shown("text.query", "c.json", key="a.b.d")


def test_data_in_an_old_encoding_is_refused_with_a_way_out(home: Path) -> None:
    (home / "a.csv").write_bytes("名,数\n中文,1\n苹果,2\n".encode("gbk"))
    (step,) = steps("text.convert", "a.csv", to="json")
    with pytest.raises(NotPossible, match=r"text\.encoding"):
        step.apply()
    do(*steps("text.encoding", "a.csv", to="utf-8"))
    do(*steps("text.convert", "a.csv", to="json"))
    assert json.loads((home / "a.json").read_text())[1] == {"名": "苹果", "数": 2}


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
def test_characters_are_counted_in_the_encoding_that_a_text_has(home: Path, encoding: str) -> None:
    content = "今天的天气很好 as\nwe said 中文\n" * 20_000
    (home / "a").write_bytes(content.encode(encoding))
    (counted,) = observed("text.count", "a")
    assert (counted.lines, counted.words, counted.characters) == (40_000, 100_000, len(content))  # type: ignore[attr-defined]


def test_half_a_character_is_shown_as_one_that_is_not_known(home: Path) -> None:
    (home / "a.json").write_text('{"a": "x\\ud800", "b": [{"\\udcff": "\\ud83d\\ude00"}], "\\ud801": null}')
    (home / "twice.json").write_text('{"\\ud800": 1, "\\ud800": 2}')
    assert shown("text.query", "a.json", key="a") == ["x\ufffd"]
    assert json.loads("\n".join(shown("text.query", "a.json", key="b"))) == [{"\ufffd": "\U0001f600"}]
    for action, name, written in (
        ("text.query", "a.json", {"key": "c"}),
        ("text.query", "twice.json", {"key": "c"}),
        ("text.convert", "a.json", {"to": "toml"}),
    ):
        with pytest.raises(NlshError) as caught:
            [do(s) for s in steps(action, name, **written)] if action in CHANGING else shown(action, name, **written)
        str(caught.value).encode()
    (checked,) = observed("text.validate", "twice.json")
    checked.plain().encode()


def test_names_that_end_in_zero_bytes_are_no_text() -> None:
    assert texts.encoding_of(b"a\0b\0c") is None and texts.encoding_of("ab\n".encode("utf-16-le")) == "utf-16-le"


# --- texts that are no files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "written", "found"),
    [
        ("text.sort", {}, ["a 2", "a 2", "b 10", "c x@y.org"]), ("text.sort", {"numeric": True}, ["a 2", "a 2", "b 10", "c x@y.org"]),
        ("text.unique", {}, ["b 10", "a 2", "c x@y.org"]), ("text.filter", {"containing": "a"}, ["a 2", "a 2"]),
        ("text.filter", {"without": "a"}, ["b 10", "c x@y.org"]), ("text.extract", {"what": "emails"}, ["x@y.org"]),
        ("text.frequency", {"unit": "lines", "limit": 1}, ["a 2\t2"]), ("text.columns", {"columns": "1"}, ["b", "a", "a", "c"]),
        ("text.count", {"unit": "lines"}, ["4"]), ("text.count", {"unit": "words"}, ["8"]), ("text.count", {"unit": "characters"}, ["23"]),
        ("text.count", {}, ["\t4\t8\t23"]), ("file.read", {"first": 2}, ["b 10", "a 2"]), ("file.read", {"last": 1}, ["c x@y.org"]),
        ("file.read", {"lines": "2-3"}, ["a 2", "a 2"]),
    ],
)  # fmt: skip
def test_the_lines_of_a_result_are_a_text_and_nothing_is_read_for_them(action: str, written: dict[str, Any], found: list[str]) -> None:
    lines = tuple(Line(text, number) for number, text in enumerate(("b 10", "a 2", "a 2", "c x@y.org"), start=1))
    (step,) = _steps_over(Rows(lines, "stdin"), action, written)
    assert step.effects() == ()
    # A worker gets it as JSON.
    records = list(step_from_data(json.loads(json.dumps(step.as_data()))).apply())
    assert [r.plain() for r in records if not isinstance(r, Note)] == found
    assert not any("stays as it is" in str(getattr(r, "text", "")) for r in records)


def test_lines_with_commas_are_a_table() -> None:
    lines = tuple(Line(text) for text in ("name,age", "ann,30", "bob,20"))
    (step,) = _steps_over(Rows(lines, "stdin"), "text.columns", {"columns": "age"})
    assert [r.plain() for r in step.apply()] == ["30", "20"]
    prose = tuple(Line(text) for text in ("well, yes", "so it is"))
    (step,) = _steps_over(Rows(prose, "stdin"), "text.columns", {"columns": "1"})
    assert [r.plain() for r in step.apply()] == ["well,", "so"]
    (step,) = _steps_over(Rows(lines, "stdin"), "text.statistics", {"column": "age"})
    (record,) = step_from_data(json.loads(json.dumps(step.as_data()))).apply()
    assert record.mean == "25"
    with pytest.raises(NotFound, match="the text has no column"):
        list(_steps_over(Rows(lines, "stdin"), "text.statistics", {"column": "size"})[0].apply())


def _steps_over(rows: Rows, action: str, written: dict[str, Any]) -> tuple[Step, ...]:
    unit, args, seen = looked(action, rows, **written)
    return tuple(unit.steps(args, seen))
