"""Amounts: how people write numbers (of things, of processes), shares, sizes and lengths of time, and what they mean. What all value types are is `nlsh.plan.values`'s."""

from __future__ import annotations

import re
from typing import Any

from nlsh.plan.values import ValueType

ENGLISH_NUMBERS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50,
    "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "single": 1, "couple": 2, "few": 3,
    "several": 5, "dozen": 12, "half": 0.5, "quarter": 0.25, "third": 1 / 3,
}  # fmt: skip
CHINESE_DIGITS = {"零": 0, "〇": 0, "一": 1, "二": 2, "两": 2, "俩": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9, "半": 0.5}
CHINESE_UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10_000}
_SCALES = {"hundred": 100, "thousand": 1000, "k": 1000, "million": 1_000_000}
_ARTICLES = {"a", "an"}
_FILLER = {"of", "and", "the", "about", "around", "top", "first", "last", "next", "past", "个", "前", "最近"}
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?")


def number(text: str) -> float:
    """Return the number that `text` writes in digits, English words or Chinese numerals.

    >>> number("5"), number("twenty five"), number("a hundred"), number("十五"), number("两百")
    (5.0, 25.0, 100.0, 15.0, 200.0)
    """
    cleaned = text.strip().lower().replace("-", " ") if not re.match(r"^[+-]?\d", text.strip()) else text.strip()
    if _NUMBER.fullmatch(cleaned):
        return float(_decimal(cleaned))
    if re.fullmatch(r"\d{1,3}(,\d{3})+", cleaned):
        return float(cleaned.replace(",", ""))
    cleaned = re.sub(r"个$", "", cleaned)
    if cleaned and all(c in CHINESE_DIGITS or c in CHINESE_UNITS for c in cleaned):
        return _chinese(cleaned)
    total, current, seen, article = 0.0, 0.0, False, False
    for word in cleaned.replace(",", " ").split():
        if word in _ARTICLES:
            article = True
        elif word in ENGLISH_NUMBERS:
            value = ENGLISH_NUMBERS[word]
            current = current * value if word == "dozen" and seen else current + value
            seen = True
        elif _NUMBER.fullmatch(word):
            current, seen = current + float(_decimal(word)), True
        elif word in _SCALES:
            current, seen = max(current, 1) * _SCALES[word], True
            if _SCALES[word] >= 1000:
                total, current = total + current, 0.0
        elif word not in _FILLER:
            raise ValueError(f"“{text}” is not a number")
    if not seen and not article:
        raise ValueError(f"“{text}” is not a number")
    return total + current if seen else 1.0


def _decimal(text: str) -> str:
    return text.replace(",", ".") if re.fullmatch(r"[+-]?\d+,\d{1,2}", text) else text.replace(",", "")


def _chinese(text: str) -> float:
    total = section = digit = 0.0
    for char in text:
        if char in CHINESE_DIGITS:
            # "二零": digits in a row are written out one by one.
            digit = digit * 10 + CHINESE_DIGITS[char] if digit and CHINESE_DIGITS[char] >= 1 else digit + CHINESE_DIGITS[char]
        elif char == "万":
            total, section, digit = total + (section + digit or 1) * 10_000, 0.0, 0.0
        else:
            section, digit = section + (digit or 1) * CHINESE_UNITS[char], 0.0
    return total + section + digit


class Count(ValueType):
    """A whole number of things, at least one."""

    name = "count"
    example = "5"

    def parse(self, written: Any) -> int:
        text = str(written).strip()
        text = re.sub(r"^(top|first|last|前|后|最后|第)\s*", "", text, flags=re.I)
        text = re.sub(r"\s*(lines?|files?|items?|entries|processes|个|条|行|名|项)$", "", text, flags=re.I)
        value = number(text)
        if value != int(value) or value < 1:
            raise ValueError(f"“{written}” is not a whole number of at least 1")
        return int(value)


class Whole(ValueType):
    """A whole number within bounds."""

    name = "number"
    example = "8080"

    def __init__(self, low: int, high: int, what: str = "number") -> None:
        self.low, self.high, self.name = low, high, what
        self.example = str(min(max(8080, low), high))

    def parse(self, written: Any) -> int:
        value = number(str(written).lstrip(":#"))
        if value != int(value) or not self.low <= value <= self.high:
            raise ValueError(f"“{written}” is not a {self.name} from {self.low} to {self.high}")
        return int(value)


def Pid() -> Whole:
    """A process id."""
    return Whole(1, 2**22, "process id")


class Processes(ValueType):
    """Processes found by an earlier call."""

    name = "processes"
    example = "_"

    def parse(self, written: Any) -> tuple[int, ...]:
        items = written if isinstance(written, (tuple, list)) else (written,)
        return tuple(Pid().parse(i) if isinstance(i, str) else int(i) for i in items)


def Port() -> Whole:
    """A TCP or UDP port."""
    return Whole(1, 65535, "port")


class Nice(Whole):
    """A nice value: -20 (first served) to 19 (last served)."""

    def __init__(self) -> None:
        super().__init__(-20, 19, "nice value")
        self.example = "10"

    def parse(self, written: Any) -> int:
        text = str(written).strip().lower()
        for sign, words in (("-", ("minus ", "负", "negative ")), ("", ("plus ",))):
            for word in words:
                if text.startswith(word):
                    text = sign + text[len(word) :]
        return super().parse(text)


class Cores(ValueType):
    """A number of CPU cores ("one", "2"), or which ones ("0,2", "0-3")."""

    name = "cores"
    example = "2"

    def parse(self, written: Any) -> int | tuple[int, ...]:
        text = re.sub(r"\s*(logical |physical )?(cpus?|cores?|processors?|threads?|个?核心?|个)?\s*(cores?)?$", "", str(written).strip(), flags=re.I)
        if re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)+|\d+-\d+", text):
            chosen: set[int] = set()
            for part in text.split(","):
                low, _, high = part.partition("-")
                chosen |= set(range(int(low), int(high or low) + 1))
            return tuple(sorted(chosen))
        value = number(text)
        if value != int(value) or value < 1:
            raise ValueError(f"“{written}” is not a number of cores")
        return int(value)


class Percent(ValueType):
    """A share: "30%", "half", "20 percent". Parsed to a number from 0 (exclusive) to 100."""

    name = "share"
    example = "30%"

    def parse(self, written: Any) -> float:
        text = str(written).strip().lower()
        words = {
            "half": 50.0,
            "a half": 50.0,
            "a third": 100 / 3,
            "one third": 100 / 3,
            "a quarter": 25.0,
            "one quarter": 25.0,
            "一半": 50.0,
            "三分之一": 100 / 3,
            "四分之一": 25.0,
        }
        if text in words:
            return words[text]
        bare = re.sub(r"^百分之|\s*(%|％|percent|per cent|pct)$", "", text)
        value = number(bare)
        if bare == text and not bare[:1].isdigit() and 0 < value < 5:
            raise ValueError(f"“{written}” is a number, not a share")  # “one core” is no hundredth of the processor
        if not 0 < value <= 100:
            raise ValueError(f"“{written}” is not a share between 0% and 100%")
        return value


_BYTE_UNITS = {"": 1, "b": 1, "byte": 1, "bytes": 1, "字节": 1}
for _power, _names in enumerate(
    (
        ("k", "kb", "kib", "kilo", "kilos", "kilobyte", "kilobytes", "千字节"),
        ("m", "mb", "mib", "meg", "megs", "mega", "megabyte", "megabytes", "兆", "兆字节", "mb字节"),
        ("g", "gb", "gib", "gig", "gigs", "giga", "gigabyte", "gigabytes", "吉", "吉字节", "个g"),
        ("t", "tb", "tib", "tera", "terabyte", "terabytes", "太字节"),
    ),
    start=1,
):
    for _name in _names:
        # As `ls -h`, `du -h` and `find -size` do: powers of 1024, whichever way the unit is spelt.
        _BYTE_UNITS[_name] = 1024**_power


class Bytes(ValueType):
    """An amount of data: "100MB", "2 gigs", "1.5G". Powers of 1024."""

    name = "size"
    example = "100MB"

    def parse(self, written: Any) -> int:
        text = str(written).strip().lower()
        match = re.fullmatch(r"(.*?)\s*([a-z]*|字节|千字节|兆字节|兆|吉字节|吉|太字节)", text)
        if match and match[2] in _BYTE_UNITS and match[1]:
            return int(number(match[1]) * _BYTE_UNITS[match[2]])
        if match and match[2] in _BYTE_UNITS and match[2]:
            return _BYTE_UNITS[match[2]]
        raise ValueError(f"“{written}” is not a size such as 100MB or 2G")


_TIME_UNITS = {
    1: ("s", "sec", "secs", "second", "seconds", "秒", "秒钟"),
    60: ("m", "min", "mins", "minute", "minutes", "分", "分钟"),
    3600: ("h", "hr", "hrs", "hour", "hours", "小时", "个小时", "钟头", "个钟头"),
    86400: ("d", "day", "days", "night", "天", "日"),
    604800: ("w", "wk", "wks", "week", "weeks", "周", "星期", "个星期", "礼拜", "个礼拜"),
    2592000: ("mo", "month", "months", "月", "个月"),
    31536000: ("y", "yr", "yrs", "year", "years", "年"),
}
_UNIT_SECONDS = {name: seconds for seconds, names in _TIME_UNITS.items() for name in names}
_RELATIVE_DAYS = {"today": 1, "yesterday": 2, "今天": 1, "昨天": 2, "fortnight": 14, "a fortnight": 14, "quarter": 91, "a quarter": 91, "半年": 182, "half a year": 182, "半个月": 15, "半天": 0.5, "half an hour": 1 / 48, "half a day": 0.5, "半小时": 1 / 48, "overnight": 1, "the weekend": 3}  # fmt: skip


_CALENDAR = {
    "day": ("this morning", "this afternoon", "this evening", "tonight", "since midnight", "midnight", "since this morning", "今早", "今天早上", "今天上午", "今晚", "零点"),
    "week": ("this week", "since monday", "the start of the week", "本周", "这周", "这个星期", "这个礼拜", "本星期", "这星期"),
    "month": ("this month", "the start of the month", "本月", "这个月", "这月"),
    "year": ("this year", "the start of the year", "今年", "本年"),
}  # fmt: skip


def _calendar(text: str) -> float | None:
    """Return how many seconds ago the day, week, month or year began that `text` means, by the local clock; None for other words."""
    part = next((p for p, words in _CALENDAR.items() if text in words), None)
    if part is None:
        return None
    import time

    now = time.time()
    day = time.localtime(now)
    # mktime finds the right hour where the clocks were changed since.
    first = {
        "day": day.tm_mday, "week": day.tm_mday - day.tm_wday, "month": 1, "year": 1,
    }[part]  # fmt: skip
    began = time.mktime((day.tm_year, 1 if part == "year" else day.tm_mon, first, 0, 0, 0, 0, 0, -1))
    return max(now - began, 1.0)


class Duration(ValueType):
    """A length of time: "30d", "two weeks", "3小时". Parsed to seconds."""

    name = "duration"
    example = "30d"

    def parse(self, written: Any) -> float:
        text = re.sub(r"^(the )?(last|past|previous|过去|最近|近)\s*", "", str(written).strip().lower())
        text = re.sub(r"\s*(ago|old|以前|之前|前|内|以内|了)$", "", text)
        if text in _RELATIVE_DAYS:
            return _RELATIVE_DAYS[text] * 86400.0
        if (since := _calendar(text)) is not None:
            return since
        if match := re.fullmatch(r"(.+?) ([a-z]+) and a half|(.+?) and a half ([a-z]+)", text):
            return (number(match[1] or match[3]) + 0.5) * self._unit(match[2] or match[4], written)
        if match := re.fullmatch(r"(.+?)(年|天)半", text):
            return (number(match[1]) + 0.5) * self._unit(match[2], written)
        match = re.fullmatch(r"(.*?)\s*(个?[a-z]+|个?(?:小时|钟头|星期|礼拜|月)|秒钟?|分钟?|天|日|周|年)", text)
        if not match:
            raise ValueError(f"“{written}” is not a length of time such as 30d or two weeks")
        amount = match[1].strip()
        if amount.endswith("半") and len(amount) > 1:
            return (number(amount[:-1].rstrip("个")) + 0.5) * self._unit(match[2], written)
        return (number(amount) if amount else 1.0) * self._unit(match[2], written)

    @staticmethod
    def _unit(word: str, written: Any) -> int:
        if word not in _UNIT_SECONDS:
            raise ValueError(f"“{written}” is not a length of time such as 30d or two weeks")
        return _UNIT_SECONDS[word]
