"""Prose and tables on a terminal of any width: nothing is lost, no line is too long where words allow it, and continuation lines are set in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nlsh.shell.fit import fold, table, width

WORDS = st.lists(st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=9), min_size=1, max_size=40)


@given(WORDS, st.integers(0, 6), st.integers(30, 100))
def test_prose_keeps_its_words_within_the_width(words: list[str], margin: int, columns: int) -> None:
    text = " " * margin + " ".join(words)
    lines = fold(text, columns).split("\n")
    assert " ".join(lines).split() == text.split()
    assert all(width(line) <= columns for line in lines)
    assert all(line.startswith(" " * (margin + 2)) for line in lines[1:])


def test_colours_take_no_room_and_a_terminal_that_is_none_folds_nothing() -> None:
    assert fold("\x1b[33m" + "word " * 8 + "\x1b[0m", 40) == "\x1b[33m" + "word " * 8 + "\x1b[0m"
    assert fold("word " * 100, 0) == "word " * 100


ROWS = [("changes", "shipped", "ask", "it changes something that somebody may want back"), ("reading", "user", "allow", "it only reads")]


def test_a_table_that_does_not_fit_is_folded_in_its_last_column_and_then_stacked() -> None:
    heads = ("rule", "from", "answer", "reason")
    assert len(list(table(ROWS, heads, 120, str))) == 3
    folded = "\n".join(table(ROWS, heads, 60, str)).split("\n")
    assert all(width(line) <= 60 for line in folded)
    assert folded[1].startswith("changes  shipped  ask     it changes") and folded[2].startswith(" " * 26 + "may")
    stacked = "\n".join(table(ROWS, heads, 40, str)).split("\n")
    assert all(width(line) <= 40 for line in stacked) and "    it only reads" in stacked
    for lines in (folded, stacked):
        assert set(" ".join(lines).split()) >= {word for row in ROWS for cell in row for word in cell.split()}
