"""Text in files: streamed, any bytes, any length of line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlsh.world import contents


def lines(path: Path, text: str, *, ignore_case: bool = False) -> list[tuple[int, str]]:
    return list(contents.matching_lines(str(path), contents.Sought.of(text, ignore_case=ignore_case)))


def stands(path: Path, text: str, *, ignore_case: bool = False) -> bool:
    return contents.contains(str(path), contents.Sought.of(text, ignore_case=ignore_case))


def test_lines_are_numbered_and_each_is_given_once(home: Path) -> None:
    (home / "a").write_bytes(b"one two two\r\n\nthree\ntwo")
    assert lines(home / "a", "two") == [(1, "one two two"), (4, "two")]
    assert lines(home / "a", "o.e") == []


def test_case_and_other_alphabets(home: Path) -> None:
    (home / "a").write_text("ÄPFEL\näpfel\nApfel\n苹果\n")
    assert [n for n, _ in lines(home / "a", "äpfel")] == [2]
    assert [n for n, _ in lines(home / "a", "äpfel", ignore_case=True)] == [1, 2]
    assert [n for n, _ in lines(home / "a", "APFEL", ignore_case=True)] == [3]
    assert [n for n, _ in lines(home / "a", "苹果")] == [4]


def test_binary_files_are_no_text(home: Path) -> None:
    (home / "a").write_bytes(b"text\0text")
    assert lines(home / "a", "text") == []


def test_bytes_that_are_no_utf8_survive(home: Path) -> None:
    (home / "a").write_bytes(b"caf\xe9 x\n")
    assert lines(home / "a", "x") == [(1, os.fsdecode(b"caf\xe9 x"))]


def test_a_match_on_the_edge_of_a_block_is_found(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "CHUNK", 4)
    (home / "a").write_text("aaneedleaa\nb\nneedle")
    assert lines(home / "a", "needle") == [(1, "aaneedleaa"), (3, "needle")]
    assert stands(home / "a", "needle") and not stands(home / "a", "needles")


def test_a_line_without_end_needs_bounded_memory(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "CHUNK", 64)
    monkeypatch.setattr(contents, "_LONGEST_LINE", 256)
    (home / "a").write_text("x" * 10_000 + "needle" + "\nneedle\n")
    assert lines(home / "a", "needle")[-1][0] == 2


def test_a_pipe_is_not_waited_for(home: Path) -> None:
    os.mkfifo(home / "pipe")
    with pytest.raises(OSError, match="regular"):
        stands(home / "pipe", "x")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
@given(text=st.text(max_size=60), chunk=st.integers(1, 9))
def test_counts_agree_with_python(tmp_path: Path, text: str, chunk: int) -> None:
    file = tmp_path / "t"
    raw = text.encode("utf-8", "surrogatepass") if not any("\ud800" <= c <= "\udfff" for c in text) else b""
    text = raw.decode()
    file.write_bytes(raw)
    before = contents.CHUNK
    contents.CHUNK = chunk
    try:
        found = contents.count_text(str(file))
    finally:
        contents.CHUNK = before
    expected = text.count("\n") + (text != "" and not text.endswith("\n"))
    assert found == (expected, len(text.split()), len(text))


def test_last_lines_are_read_from_the_end(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "CHUNK", 5)
    (home / "a").write_text("".join(f"line {n}\n" for n in range(100)))
    with open(home / "a", "rb") as file:
        assert contents.last_lines(file.fileno(), 2) == (["line 98", "line 99"], 0)
        assert contents.last_lines(file.fileno(), 200)[1] == 1
    (home / "b").write_text("no end")
    with open(home / "b", "rb") as file:
        assert contents.last_lines(file.fileno(), 3) == (["no end"], 1)
