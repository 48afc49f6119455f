"""`later` is `re.compile`, later."""

from __future__ import annotations

import re

import pytest

from nlsh.plan.later import later


def test_it_matches_as_a_compiled_expression_does() -> None:
    pattern = later(r"(?P<word>[a-z]+)\s(\d+)", re.I)
    assert [m.groups() for m in pattern.finditer("Ab 1, cd 22")] == [("Ab", "1"), ("cd", "22")]
    assert pattern.sub("x", "ab 1") == "x" and pattern.match("1") is None and pattern.groupindex == {"word": 1}


def test_a_wrong_one_is_found_when_it_is_used() -> None:
    pattern = later("(")
    with pytest.raises(re.error):
        pattern.search("a")
