"""Dates as people write them: "2024-03-05", "the 3rd", "last tuesday", "march", "上个月五号", and how long ago that was.

What could be two days (“01/02/2024”, “last tuesday” on a Wednesday) or is none (“2024-02-30”) is refused with what to write instead: a search that
deletes must not guess.
"""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta

from nlsh.plan.later import later
from nlsh.plan.numerals import number, ordinal

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKDAY = later(r"(?:(?P<which>last|this|past|on)\s+)?(?P<day>mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?")
_NTH = r"(?P<nth>\d{1,2}(?:st|nd|rd|th)?|[a-z]+(?:-[a-z]+)?)"
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_ENGLISH = tuple(
    later(p)
    for p in (
        rf"{_YEAR}[-/.](?P<number>\d\d?)(?:[-/.](?P<nth>\d\d?))?",
        rf"(?:the\s+)?{_NTH}\s+(?:of\s+)?{_MONTH}(?:,?\s+(?:of\s+)?{_YEAR})?",
        rf"{_MONTH}\s+(?:the\s+)?{_NTH}(?:,?\s+{_YEAR})?",
        rf"(?:(?P<which>last|this)\s+)?{_MONTH}(?:,?\s+(?:of\s+)?{_YEAR})?",
        r"(?:the\s+)?(?P<nth>\d{1,2}(?:st|nd|rd|th))(?:\s+(?:of\s+)?(?P<which>this|last|next)\s+month)?|the\s+(?P<nth2>[a-z]+(?:-[a-z]+)?)(?:\s+of\s+(?P<which2>this|last|next)\s+month)",
        _YEAR,
    )
)
_SLASHES = later(r"(\d\d?)[/.](\d\d?)[/.]((?:19|20)\d\d)")
_N = r"[\d一二三四五六七八九十廿]+"
_CHINESE = later(
    rf"(?:(?P<year>(?:19|20)\d\d|[一二][九〇零一二三四五六七八]{{3}}|今|去|前)年)?的?(?:(?P<month>{_N})月份?)?(?:(?P<day>{_N})[日号])?"
    rf"|(?P<which>上个?|这个?|本|下个?)月(?:(?P<of>{_N})[日号])?"
)
_CHINESE_WEEKDAY = later(r"(?P<which>上个?|这个?|本)?(?:周|星期|礼拜)(?P<day>[一二三四五六日天])?")
_DAYS_AGO = {
    "today": 0,
    "yesterday": 1,
    "the day before yesterday": 2,
    "day before yesterday": 2,
    "今天": 0,
    "今日": 0,
    "昨天": 1,
    "昨日": 1,
    "前天": 2,
    "大前天": 3,
}
_PARTS = {"morning": 0, "afternoon": 12, "evening": 18, "night": 18, "早上": 0, "早晨": 0, "上午": 0, "中午": 12, "下午": 12, "晚上": 18, "晚": 18}
_BEGAN = {
    "day": ("this morning", "this afternoon", "this evening", "tonight", "midnight", "今早", "今晚", "零点"),
    "week": ("this week", "the start of the week", "the beginning of the week", "本周", "这周", "这个星期", "这个礼拜", "本星期", "这星期"),
    "month": ("this month", "the start of the month", "the beginning of the month", "本月", "这个月", "这月"),
    "year": ("this year", "the start of the year", "the beginning of the year", "今年", "本年"),
}  # fmt: skip
_BEFORE = later(r"^(?:since|from|as of|ever since|on|自从|自|从)\s*(?![a-z]*$(?<=on))")
_AFTER = later(r"\s*(?:onwards?|以来|至今|开始|起)$")


def seconds_since(text: str) -> float | None:
    """Return how many seconds ago what `text` says began, by the local clock; None where it says no date. Raises ValueError for what is to come."""
    now = time.time()
    began = began_at(_AFTER.sub("", _BEFORE.sub("", text)), now)
    if began is not None and began > now:
        raise ValueError(f"“{text}” is still to come, and not a time that is over")
    return None if began is None else max(now - began, 1.0)


def began_at(text: str, now: float) -> float | None:
    """Return when what `text` says began, in seconds since the epoch, looking back from `now`; None where it says no date. Raises ValueError."""
    here = datetime.fromtimestamp(now)
    today = _midnight(here)
    for part, words in _BEGAN.items():
        if text in words:
            back = {"day": today, "week": today - timedelta(days=today.weekday()), "month": today.replace(day=1), "year": today.replace(month=1, day=1)}
            return back[part].timestamp()
    if text in ("last night", "昨晚", "昨夜"):
        return _at(today - timedelta(days=1), 18).timestamp()
    for day, clock in _splits(text):
        if not day:
            continue
        if (found := _back(day, today)) is None:
            continue
        if not clock:
            return found.timestamp()
        if clock in _PARTS:
            return _at(found, _PARTS[clock]).timestamp()
        if (time_of_day := _clock(clock)) is not None:
            return _at(found, *time_of_day).timestamp()
    if re.search(r"[:：点时]|\d\s*[ap]\.?m\.?$|o'clock|noon|中午|midday", text) and (time_of_day := _clock(text)) is not None:
        then = _at(today, *time_of_day)
        # A time of day that is still to come was meant yesterday.
        return (then if then <= here else then - timedelta(days=1)).timestamp()
    return None


def day_to_come(text: str, today: datetime) -> tuple[datetime, str] | None:
    """Return the next day that a date at either end of `text` means, and the rest, which says the time of day; None where there is no date."""
    for day, clock in _splits(text):
        if day and not day.isdecimal() and (found := _date(day, _midnight(today), back=False)) is not None:
            return found, clock
    return None


def _splits(text: str) -> list[tuple[str, str]]:
    """Return the ways to split a text into a day and a time of day, the longest day first."""
    found = []
    if not text.isascii():
        found = [(text[:n].strip(), text[n:].strip()) for n in range(len(text), 0, -1)]
    words = text.split()
    for n in range(len(words), 0, -1):
        found.append((" ".join(words[:n]).rstrip(","), re.sub(r"^at\s+", "", " ".join(words[n:]))))
        if n < len(words):
            found.append((re.sub(r"^on\s+", "", " ".join(words[n:])), re.sub(r"^at\s+|\s+on$", "", " ".join(words[:n]))))
    return found


def _back(text: str, today: datetime) -> datetime | None:
    if text in _DAYS_AGO:
        return today - timedelta(days=_DAYS_AGO[text])
    if match := _WEEKDAY.fullmatch(text):
        return _weekday(_WEEKDAYS.index(match["day"][:3]), match["which"] or "", today, text)
    if (match := _CHINESE_WEEKDAY.fullmatch(text)) and (match["day"] or (match["which"] or "")[:1] == "上"):
        monday = today - timedelta(days=today.weekday())
        which, day = (match["which"] or "")[:1], "一二三四五六日天".find(match["day"] or "一")
        if not which:
            return _weekday(min(day, 6), "", today, text)
        return monday + timedelta(days=min(day, 6) - (7 if which == "上" else 0))
    return _date(text, today, back=True)


def _weekday(day: int, which: str, today: datetime, said: str) -> datetime:
    ago = (today.weekday() - day) % 7
    if which == "this":
        return today + timedelta(days=day - today.weekday())
    if which == "last":
        nearest = today - timedelta(days=ago or 7)
        of_last_week = today - timedelta(days=today.weekday() + 7 - day)
        if nearest != of_last_week:
            raise ValueError(f"“{said}” is {nearest:%Y-%m-%d} or {of_last_week:%Y-%m-%d}; write which")
        return nearest
    return today - timedelta(days=ago)


def _date(text: str, today: datetime, *, back: bool) -> datetime | None:
    """Return the day that a date means: the last that was, or with `back` false the next that comes, where it names no year. Raises ValueError."""
    if match := _SLASHES.fullmatch(text):
        first, second, of = int(match[1]), int(match[2]), int(match[3])
        if first <= 12 and second <= 12 and first != second:
            raise ValueError(f"“{text}” is {of}-{second:02}-{first:02} or {of}-{first:02}-{second:02}; write which")
        return _made(of, *((second, first) if first > 12 or first == second else (first, second)), text)
    for pattern in _ENGLISH if text.isascii() else ():
        if match := pattern.fullmatch(text):
            said = match.groupdict()
            nth, which = said.get("nth"), said.get("which") or ""
            day = None if nth is None else int(nth) if nth.isdecimal() else ordinal(nth)
            if nth is not None and day is None:
                continue
            month = int(said["number"]) if said.get("number") else _MONTHS.index(said["month"][:3]) + 1 if said.get("month") else None
            year = int(said["year"]) if said.get("year") else None
            if month is None and year is None and which:
                return _of_month({"last": -1, "next": 1}.get(which, 0), day or 1, today, text)
            return _full(year or (today.year if which == "this" else None), month, day, today, text, back=back)
    if text.isascii() or not (match := _CHINESE.fullmatch(text)) or not any(match.groups()):
        return None
    if match["which"]:
        return _of_month({"上": -1, "下": 1}.get(match["which"][0], 0), int(number(match["of"] or "一")), today, text)
    if match["year"] and match["day"] and not match["month"]:
        return None
    years = {"今": today.year, "去": today.year - 1, "前": today.year - 2}
    year = years[match["year"]] if match["year"] in years else int(number(match["year"])) if match["year"] else None
    of_month, of_day = (int(number(match[n])) if match[n] else None for n in ("month", "day"))
    return _full(year, of_month, of_day, today, text, back=back)


def _full(year: int | None, month: int | None, day: int | None, today: datetime, said: str, *, back: bool) -> datetime | None:
    if year is not None:
        return _made(year, 1 if month is None else month, 1 if day is None else day, said)
    if month is None and day is None:
        return None
    # 29 February may be eight years away, the 31st of a month two months.
    for away in range(0, 9 * 12):
        at = today.year * 12 + today.month - 1 + (-away if back else away)
        if month is not None and at % 12 + 1 != month:
            continue
        try:
            found = datetime(at // 12, at % 12 + 1, 1 if day is None else day)
        except ValueError:
            continue
        if (found <= today) if back else (found > today):
            return found
    raise ValueError(f"“{said}” is no day of the calendar")


def _of_month(ahead: int, day: int, today: datetime, said: str) -> datetime:
    at = today.year * 12 + today.month - 1 + ahead
    return _made(at // 12, at % 12 + 1, day, said)


def _made(year: int, month: int, day: int, said: str) -> datetime:
    try:
        return datetime(year, month, day)
    except ValueError:
        raise ValueError(f"“{said}” is no day of the calendar") from None


def _clock(text: str) -> tuple[int, int] | None:
    from nlsh.plan.terms import Clock

    try:
        return Clock().parse(text)
    except ValueError:
        return None


def _midnight(day: datetime) -> datetime:
    return day.replace(hour=0, minute=0, second=0, microsecond=0)


def _at(day: datetime, hour: int, minute: int = 0) -> datetime:
    return day.replace(hour=hour, minute=minute)
