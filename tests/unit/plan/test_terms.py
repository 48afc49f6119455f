"""Values with a vocabulary of their own, as people write them in English and Chinese; what means nothing is refused with a reason."""

from __future__ import annotations

import pytest

from nlsh.plan import terms
from nlsh.plan.amounts import Rate
from nlsh.plan.counted import Columns, Lines, Pages
from nlsh.plan.terms import Among, Clock, Host, Names, Pixels, Url
from nlsh.plan.values import Result, Rows


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("22:30", (22, 30)), ("10pm", (22, 0)), ("7:15 am", (7, 15)), ("12 am", (0, 0)), ("12pm", (12, 0)), ("noon", (12, 0)), ("midnight", (0, 0)),
        ("half past ten", (10, 30)), ("quarter to 6 pm", (17, 45)), ("at 9 in the evening", (21, 0)), ("5 o'clock", (5, 0)), ("18.30", (18, 30)),
        ("晚上十点半", (22, 30)), ("下午3点", (15, 0)), ("凌晨两点", (2, 0)), ("8点15分", (8, 15)), ("中午", (12, 0)), ("今晚11点", (23, 0)), ("24:00", (0, 0)),
    ],
)  # fmt: skip
def test_times_of_day(written: str, time: tuple[int, int]) -> None:
    assert Clock().parse(written) == time


@pytest.mark.parametrize("written", ["25:00", "10:75", "13pm", "soon", "", "下午九十点", "0pm"])
def test_no_time_of_day(written: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Clock().parse(written)


@pytest.mark.parametrize(
    ("written", "columns"),
    [
        ("2", (2,)), ("1 and 3", (1, 3)), ("1,3", (1, 3)), ("2-4", (2, 3, 4)),
        ("2 to 4", (2, 3, 4)), ("name, price", ("name", "price")), ("the second column", (2,)),
        ("第2列", (2,)), ("姓名和电话", ("姓名", "电话")), ("2nd", (2,)), (("1", "name"), (1, "name")),
    ],
)  # fmt: skip
def test_columns(written: object, columns: tuple[object, ...]) -> None:
    assert Columns().parse(written) == columns


@pytest.mark.parametrize("written", ["0", "", " , ", "5-2", "1-99999999"])
def test_no_columns(written: str) -> None:
    with pytest.raises(ValueError, match="column"):
        Columns().parse(written)


def test_pages() -> None:
    assert Pages().parse("pages 2 to 5") == (2, 3, 4, 5)
    assert Pages().parse("3 and 7") == (3, 7)
    assert Pages().parse("第3页") == (3,)
    with pytest.raises(ValueError, match="pages"):
        Pages().parse("the good ones")
    for wrong in ("3-1", "5 to 2", "0"):
        with pytest.raises(ValueError, match="no list of pages"):
            Pages().parse(wrong)


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        ("12", ((12, 12),)), ("10-20", ((10, 20),)), ("10 to 20", ((10, 20),)), ("between 10 and 20", ((10, 20),)), ("10 and 20", ((10, 10), (20, 20))),
        ("line 10 to line 20", ((10, 20),)), ("10th through 20th", ((10, 20),)), ("ten until twelve", ((10, 12),)), ("10..20", ((10, 20),)),
        ("3, 7 and 9-12", ((3, 3), (7, 7), (9, 12))), ("40 to the end", ((40, None),)), ("40 onwards", ((40, None),)), ("from 40 on", ((40, None),)),
        ("40-", ((40, None),)), ("第10到第20行", ((10, 20),)), ("十到二十", ((10, 20),)), ("10到最后", ((10, None),)), ("第三行", ((3, 3),)),
        ("10和20之间的行", ((10, 20),)), ("3、5", ((3, 3), (5, 5))), ("7-7", ((7, 7),)),
    ],
)  # fmt: skip
def test_lines(written: str, lines: tuple[tuple[int, int | None], ...]) -> None:
    assert Lines().parse(written) == lines


@pytest.mark.parametrize("written", ["", "0", "20-10", "-5", "the good ones", "1 000", "1.5", "3-x", ","])
def test_no_lines(written: str) -> None:
    with pytest.raises(ValueError, match="lines"):
        Lines().parse(written)


@pytest.mark.parametrize("written", ["10MB/s", "10 megabytes per second", "10MB a second", "每秒10MB", "10兆每秒", "10M", "10 MB / s"])
def test_rates(written: str) -> None:
    assert Rate().parse(written) == 10 << 20


@pytest.mark.parametrize("written", ["", "0", "fast", "0MB/s", "10"])
def test_no_rates(written: str) -> None:
    with pytest.raises(ValueError, match="such as"):
        Rate().parse(written)


def test_one_of_a_few_by_any_of_its_names() -> None:
    images = Among(terms.IMAGE_FORMATS)
    assert [images.parse(w) for w in ("JPEG", ".png", "*.webp", "jpg files", "a bitmap", "tif")] == ["jpg", "png", "webp", "jpg", "bmp", "tiff"]
    assert Among(terms.ENCODINGS).parse("GBK") == "gb18030"
    assert Among(terms.TEMPLATES).parse("a python script") == "python"
    assert Among(terms.FILE_SYSTEMS).parse("FAT32") == "vfat"
    with pytest.raises(ValueError, match="png"):
        images.parse("docx")


def test_hosts_and_addresses() -> None:
    assert [Host().parse(w) for w in ("Example.org", "https://example.org:8080/x", "user@host", "192.168.1.1", "[::1]:80", "fe80::1%eth0", "münchen.de")] == [
        "example.org", "example.org", "host", "192.168.1.1", "::1", "fe80::1%eth0", "xn--mnchen-3ya.de",
    ]  # fmt: skip
    for wrong in ("-oProxyCommand=x", "a b", "$(x)", "", "a;b", "x" * 300):
        with pytest.raises(ValueError, match=r".+"):
            Host().parse(wrong)


def test_urls_are_of_the_web() -> None:
    assert Url().parse("example.org/a.zip") == "https://example.org/a.zip"
    assert Url().parse("HTTP://example.org/a?b=c") == "http://example.org/a?b=c"
    for wrong in ("file:///etc/passwd", "javascript:alert(1)", "https://a b/", "https://", "https://-x/"):
        with pytest.raises(ValueError, match=r".+"):
            Url().parse(wrong)


def test_names_pixels_and_results() -> None:
    assert Names().parse("htop") == ("htop",) and Names().parse(["a", "b"]) == ("a", "b")
    assert Pixels().parse("800px") == 800 and Pixels().parse("1024 pixels wide") == 1024 and Pixels().parse("800 x") == 800 and Pixels().parse("800×") == 800
    for wrong in ("0", "70000", "1.5"):
        with pytest.raises(ValueError, match="pixels"):
            Pixels().parse(wrong)
    assert Result().parse("_") == Rows()
    with pytest.raises(ValueError, match="earlier call"):
        Result().parse("those")
