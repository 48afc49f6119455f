"""What is shown: names escaped, numbers aligned, one record a line on a pipe."""

from __future__ import annotations

import io
import json
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlsh.plan.records import Change, Exit, Fact, File, HistoryEntry, Line, Match, Process, Record, Tally
from nlsh.plan.records.files import Duplicate
from nlsh.shell.fit import width
from nlsh.shell.show import Look, count, escape, escape_on_pipe, place, plain_line, show_records, show_table, size

TABLE = Look(table=True, columns=80)


def shown(records: list[Record], look: Look, cwd: str | None = None) -> str:
    out = io.StringIO()
    show_records(records, look, out, cwd=cwd)
    return out.getvalue()


@given(st.text())
def test_nothing_escaped_can_move_or_hide_anything(text: str) -> None:
    assert all(c == " " or c.isprintable() or unicodedata.category(c) == "Zs" for c in escape(text))
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in escape(text))


# Letters and symbols that draw nothing count as invisible, not as ordinary: fillers of Hangul, the blank of Braille.
@given(st.text(st.characters(categories=("L", "N", "P", "S"), exclude_characters="\u115f\u1160\u3164\uffa0\u2800")))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    if text.isprintable():
        assert escape(text) == text == escape_on_pipe(text)


@pytest.mark.parametrize(
    ("raw", "seen"),
    [
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("a\u202eb", r"a\u202eb"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("a\u200bb\ufeff", r"a\u200bb\ufeff"),
        ("a\udce9b", r"a\xe9b"),
        ("a\U000e0041", r"a\U000e0041"),
        ("下载\u3000文件", "下载\u3000文件"),
        ("café ☕", "café ☕"),
    ],
)
def test_escape(raw: str, seen: str) -> None:
    assert escape(raw) == seen


def test_a_pipe_gets_the_bytes_of_a_name_that_is_not_utf8() -> None:
    assert escape_on_pipe("a\udce9\nb") == "a\udce9\\nb"


@pytest.mark.parametrize(
    ("amount", "words"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KB"), (10 * 1024, "10 KB"), (1536 * 1024**2, "1.5 GB"), (5 * 1024**6, "5120 PB")]
)
def test_size(amount: int, words: str) -> None:
    assert size(amount) == words


def test_count() -> None:
    assert (count(1, "step"), count(1000, "step"), count(2, "entry")) == ("1 step", "1,000 steps", "2 entries")


def test_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert place("/home/ada/x") == "~/x"
    assert place("/home/ada") == "~"
    assert place("/home/adam/x") == "/home/adam/x"
    assert place("/srv/a/b", cwd="/srv/a") == "b"
    assert place("/srv/ab", cwd="/srv/a") == "/srv/ab"
    assert place("/x", cwd="/") == "/x"


def test_width_counts_columns() -> None:
    assert (width("abc"), width("下载"), width("e\u0301")) == (3, 4, 1)


def test_a_table_is_aligned_numbers_to_the_right() -> None:
    lines = shown([File("/w/a", size_bytes=5, modified_at=0), File("/w/下载.txt", size_bytes=1536, modified_at=0)], TABLE, "/w").splitlines()
    assert lines[0].split() == ["size", "modified", "path"]
    assert lines[1].startswith("   5 B  ") and lines[2].startswith("1.5 KB  ")
    assert lines[1].endswith("  a") and lines[2].endswith("  下载.txt")


def test_a_long_command_is_cut_to_the_terminal_and_a_path_never() -> None:
    (_, line) = shown([Process(1, "x", command="c" * 200)], TABLE).splitlines()
    assert len(line) == 80 and line.endswith("…")
    path = "/w/" + "p" * 200
    assert path in shown([File(path)], TABLE)


@pytest.mark.parametrize("columns", [60, 80])
def test_the_history_fits_and_says_whole_whether_it_can_be_taken_back(columns: int) -> None:
    request = "move the pdfs in my downloads folder to " + "x" * 40
    runs: list[Record] = [HistoryEntry(n, 0.0, request, "", "done", 1, 1, f"taken back by run {n}") for n in (1, 2)]
    head, *lines = shown(runs, Look(table=True, columns=columns)).splitlines()
    assert max(map(len, lines)) <= columns and len(lines) == 2
    assert head.split()[-2:] == ["undo", "request"] and "taken back by run 2  mo" in lines[1]


def test_the_history_on_a_pipe_has_times_that_programs_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        run = HistoryEntry(3, 1795459024.6, "undo", "history.undo()", "done", 1, 1, "yes")
        stream = io.StringIO()
        show_records([run], Look(), stream)
        assert stream.getvalue() == "3\t2026-11-24T00:07:04+05:30\tdone\tundo\tyes\n"
        stream = io.StringIO()
        show_records([run], Look(json=True), stream)
        assert json.loads(stream.getvalue())["at"] == 1795459024.6
    finally:
        monkeypatch.undo()
        time.tzset()


def test_both_files_of_a_pair_are_named_from_here() -> None:
    assert "b.pdf" in (said := shown([Duplicate("/w/a.pdf", "/w/b.pdf", 1)], TABLE, "/w")) and "/w/" not in said


def test_each_kind_in_its_own_way_on_a_terminal() -> None:
    records: list[Record] = [Tally(1200, "pdfs"), Match("/w/a.py", 3, "  x = 1"), Line("a\tb\x1b[0m"), Change("move a\nb"), Fact("kernel", "6.1"), Exit(0)]
    assert shown(records, TABLE, "/w") == "pdfs: 1,200\na.py:3: x = 1\na\tb\\x1b[0m\nmove a\\nb\nkernel  6.1\n"


def test_plain_lines_are_one_a_record() -> None:
    assert plain_line(File("/w/a\tb\nc")) == r"/w/a\tb\nc"
    assert plain_line(Process(7, "x", cpu_percent=1.25, memory_bytes=3)) == "7\tx\t\t1.2\t3\t"
    assert shown([Exit(3)], Look()) == ""


def test_a_files_own_text_is_not_changed_on_a_pipe() -> None:
    assert shown([Line("a\tb\x1b[0m")], Look()) == "a\tb\x1b[0m\n"
    assert plain_line(Match("/w/a\nb", 2, "x\ty")) == "/w/a\\nb\t2\tx\ty"


def test_json_is_exact() -> None:
    record = File("/w/a\n\u202e\udce9")
    (line,) = shown([record], Look(json=True)).splitlines()
    assert line.isascii() and json.loads(line)["path"] == record.path


def test_no_records_show_nothing() -> None:
    assert shown([], TABLE) == shown([], Look()) == shown([], Look(json=True)) == ""


def test_show_table(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("rule", "reason"), [("a\x1b", "because")], TABLE, data=[{"rule": "a"}])
    show_table(("rule", "reason"), [("a\x1b", "because")], Look(), data=[{"rule": "a"}])
    show_table(("rule", "reason"), [("a\x1b", "because")], Look(json=True), data=[{"rule": "a"}])
    assert capsys.readouterr().out == 'rule   reason\na\\x1b  because\na\\x1b\tbecause\n{"rule": "a"}\n'


@pytest.mark.parametrize(
    ("variables", "color", "wanted"),
    [({}, "auto", False), ({}, "always", True), ({"NO_COLOR": "1"}, "always", True), ({}, "never", False)],
)
def test_colour_off_a_terminal(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], color: str, wanted: bool) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    look = Look.of(color=color)
    assert look.color is wanted and look.table is False
    assert (look.paint("x", "red") == "x") is not wanted
