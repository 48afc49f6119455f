"""The lexer: every value a person can write is a span, and a span is the request's own text."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlsh.planner.lexer import MAX_WORDS, lex, span_text


def words(request: str) -> list[str]:
    return [request[w.start : w.end] for w in lex(request)]


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ('move "my file.txt" to ~/Docs, please.', ["move", "my file.txt", "to", "~/Docs", ",", "please", "."]),
        ("kill :8080!", ["kill", ":", "8080", "!"]),
        ("把~/下载里最大的列出来", ["把", "~/", "下", "载", "里", "最", "大", "的", "列", "出", "来"]),
        ("what's in .. ?", ["what", "'s", "in", "..", "?"]),
        ("“报告 终稿.docx”移走", ["报告 终稿.docx", "移", "走"]),
        ("100MB+ files", ["100MB", "+", "files"]),
        ("make it 800x600, not 1024×768px", ["make", "it", "800", "x", "600", ",", "not", "1024", "×", "768px"]),
        ("read 2x4.txt at 0x1f and 0x10", ["read", "2x4.txt", "at", "0x1f", "and", "0x10"]),
        ("", []),
    ],
)
def test_words(request_: str, expected: list[str]) -> None:
    assert words(request_) == expected


@given(st.text(max_size=300))
def test_words_are_in_order_and_inside_the_request(request_: str) -> None:
    found = lex(request_)
    assert len(found) <= MAX_WORDS
    for before, after in itertools.pairwise(found):
        assert before.end <= after.start
    assert all(0 <= w.start < w.end <= len(request_) for w in found)


@given(st.text(alphabet=st.characters(whitelist_categories=("L", "N"), whitelist_characters="/_-~"), min_size=1, max_size=20))
def test_a_name_between_blanks_copies_exactly(name: str) -> None:
    request_ = f"show {name} now"
    found = lex(request_)
    first = next(i for i, w in enumerate(found) if w.start == 5)
    last = next(i for i, w in enumerate(found) if w.end == 5 + len(name))
    assert span_text(request_, found, first, last) == name


@pytest.mark.parametrize("end", [".", "!", "?", "。", "?!"])
def test_the_mark_that_ends_a_request_is_no_part_of_a_name(end: str) -> None:
    request_ = f"list Semester 4{end}"
    found = lex(request_)
    assert span_text(request_, found, 1, len(found) - 1) == "Semester 4"
    assert span_text("what is ..", lex("what is .."), 2, 2) == ".."


def test_a_span_outside_the_request_is_an_error() -> None:
    with pytest.raises(IndexError):
        span_text("a b", lex("a b"), 1, 2)
