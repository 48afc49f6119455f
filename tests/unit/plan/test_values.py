"""Values: what people write, and what it means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlsh.plan.amounts import Age, Bytes, Cores, Count, Duration, Nice, Percent, Pid, Port, number
from nlsh.plan.kinds import kind_extensions
from nlsh.plan.values import Glob, Kind, Mode, apply_mode

DAY = 86400.0


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("5", 5),
        ("twenty five", 25),
        ("a hundred", 100),
        ("a dozen", 12),
        ("two dozen", 24),
        ("a couple of", 2),
        ("3.5", 3.5),
        ("1,000", 1000),
        ("十五", 15),
        ("两百", 200),
        ("二十", 20),
        ("三个", 3),
        ("-5", -5),
    ],
)
def test_numbers(written: str, meant: float) -> None:
    assert number(written) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("100MB", 100 << 20),
        ("2 gigs", 2 << 30),
        ("1.5G", 3 << 29),
        ("500k", 500 << 10),
        ("a gig", 1 << 30),
        ("half a gig", 1 << 29),
        ("100兆", 100 << 20),
        ("两个G", 2 << 30),
        ("100MB+", None),
        ("7 wombats", None),
        ("", None),
    ],
)
def test_sizes(written: str, meant: int | None) -> None:
    if meant is None:
        with pytest.raises(ValueError, match="not a"):
            Bytes().parse(written)
    else:
        assert Bytes().parse(written) == meant


@pytest.mark.parametrize(
    ("written", "days"),
    [
        ("30d", 30),
        ("two weeks", 14),
        ("a month", 30),
        ("week", 7),
        ("24 hours", 1),
        ("last two days", 2),
        ("两天", 2),
        ("一个月", 30),
        ("半年", 182),
        ("一年半", 547.5),
        ("two and a half weeks", 17.5),
        ("3小时", 0.125),
        ("the past week", 7),
    ],
)
def test_durations(written: str, days: float) -> None:
    assert Duration().parse(written) == days * DAY


@pytest.mark.parametrize(
    ("written", "endings"),
    [
        ("pdfs", {"pdf"}),
        (".tar.gz files", {"tar.gz"}),
        ("python files", {"py", "pyi", "pyw"}),
        ("JPEGs", {"jpg", "jpeg"}),
        ("log files", {"log"}),
        ("PDF文件", {"pdf"}),
        ("xyz files", {"xyz"}),
        ("word documents", {"doc", "docx", "odt"}),
    ],
)
def test_kinds(written: str, endings: set[str]) -> None:
    assert set(Kind().parse(written)) == endings


def test_a_measure_word_is_no_part_of_a_kind() -> None:
    assert Kind().parse("张图片") == Kind().parse("图片") and Kind().parse("个压缩包") == Kind().parse("压缩包")
    with pytest.raises(ValueError):
        Kind().parse("张个")


def test_kind_of_images_in_two_languages_is_the_same() -> None:
    assert Kind().parse("照片") == Kind().parse("photos")


@pytest.mark.parametrize("written", ["stuff", "important things", "", "what i wrote yesterday"])
def test_unknown_kind_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="kind"):
        Kind().parse(written)


@pytest.mark.parametrize(
    ("written", "mode"), [("755", "755"), ("0644", "644"), ("+x", "a+x"), ("executable", "a+x"), ("只读", "a-w"), ("rw-r--r--", "644"), ("u+x,g-w", "u+x,g-w")]
)
def test_modes(written: str, mode: str) -> None:
    assert Mode().parse(written) == mode


@pytest.mark.parametrize("written", ["4755", "u+s", "+t", "purple", "999"])
def test_dangerous_or_wrong_modes_are_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"mode|bits"):
        Mode().parse(written)


@given(st.integers(0, 0o777), st.sampled_from(["a+x", "go-rwx", "u+w", "a-w", "u=rw,go=r", "g+X"]))
def test_applying_a_mode_twice_is_applying_it_once(old: int, symbolic: str) -> None:
    once = apply_mode(symbolic, old)
    assert apply_mode(symbolic, once) == once
    assert 0 <= once <= 0o777


@given(st.integers(1, 10**6))
def test_counts_in_digits(n: int) -> None:
    assert Count().parse(str(n)) == Count().parse(f"top {n}") == n


@pytest.mark.parametrize("written", ["0", "-3", "2.5", "many"])
def test_a_count_is_whole_and_positive(written: str) -> None:
    with pytest.raises(ValueError, match="number"):
        Count().parse(written)


def test_bounded_numbers() -> None:
    assert Port().parse(":8080") == 8080
    assert Pid().parse("1234") == 1234
    assert Nice().parse("minus 5") == -5
    for kind, wrong in ((Port(), "70000"), (Pid(), "0"), (Nice(), "20")):
        with pytest.raises(ValueError, match="not a"):
            kind.parse(wrong)


@pytest.mark.parametrize(("written", "cores"), [("one", 1), ("2 cores", 2), ("0-3", (0, 1, 2, 3)), ("0,2", (0, 2)), ("两个核", 2)])
def test_cores(written: str, cores: object) -> None:
    assert Cores().parse(written) == cores


@pytest.mark.parametrize(
    ("written", "share"), [("30%", 30), ("half", 50), ("20 percent", 20), ("百分之30", 30), ("百分之三", 3), ("一半", 50), ("fifty", 50), ("1", 1)]
)
def test_shares(written: str, share: float) -> None:
    assert Percent().parse(written) == share


@pytest.mark.parametrize("written", ["one", "两", "0", "101%", "much"])
def test_what_is_no_share(written: str) -> None:  # “one core” is no hundredth of the processor
    with pytest.raises(ValueError, match=r"share|number"):
        Percent().parse(written)


@pytest.mark.parametrize(
    ("written", "pattern"), [("*.log", "*.log"), (".tmp files", "*.tmp"), ("report*", "report*"), ("*.log files", "*.log"), (".bashrc", ".bashrc")]
)
def test_patterns(written: str, pattern: str) -> None:
    assert Glob().parse(written) == pattern


@given(st.text(max_size=40))
def test_no_text_breaks_a_value(text: str) -> None:
    for kind in (Bytes(), Duration(), Kind(), Mode(), Count(), Cores(), Percent(), Nice(), Glob(), Port()):
        try:
            kind.parse(text)
        except (ValueError, OverflowError):
            continue


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("this morning", 41_400), ("this week", 2 * 86400 + 41_400), ("本周", 2 * 86400 + 41_400), ("this month", 3 * 86400 + 41_400)],
)
def test_parts_of_the_calendar(written: str, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    # A Wednesday, the fourth of the month, half past eleven.
    monkeypatch.setattr(time, "time", lambda: time.mktime((2026, 11, 4, 11, 30, 0, 0, 0, -1)))
    assert Age().parse(written) == seconds


def test_an_ending_before_a_word_for_what_it_is() -> None:
    assert kind_extensions("heic photos") == ("heic",)
    assert kind_extensions("mkv videos") == ("mkv",)
    assert "nef" in kind_extensions("photos") and "mp4" in kind_extensions("videos")
