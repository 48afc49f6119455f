"""What is pointed at by its number, counted from 1: columns of a table, pages of a document, lines of a text."""

from __future__ import annotations

import re
from typing import Any

from nlsh.plan.later import later
from nlsh.plan.numerals import number, ordinal, tidy
from nlsh.plan.values import ValueType


class Columns(ValueType):
    """Columns of a table by number, counted from 1, or by name: 2, 1-3, name, "1 and 3"."""

    name = "columns"
    example = "1,3"

    def parse(self, written: Any) -> tuple[int | str, ...]:
        items = written if isinstance(written, (tuple, list)) else _AND.split(str(written).strip())
        found: list[int | str] = []
        for item in items:
            text = re.sub(r"^(the\s+|columns?\b|fields?\b|第)\s*|\s*(\bcolumns?|\bfields?|列|栏|个)$", "", str(item).strip(), flags=re.I)
            text = re.sub(r"^(columns?|fields?)\s+", "", text.strip(), flags=re.I)
            if not text:
                continue
            if _from_the_end(text):
                raise ValueError(f"“{item}”: columns are counted from the first")
            many = _first_so_many(text)
            value = _ordinal(text) if many is None else text
            span = None if isinstance(value, int) else re.fullmatch(r"(.+?)\s*(?:-|–|\bto\b|到|至)\s*(?:columns?\s+|第)?(.+?)", text, re.I)
            low: int | str = 1 if many is not None else _ordinal(span[1].rstrip("列栏页 ")) if span else ""
            high: int | str = many if many is not None else _ordinal(span[2].strip()) if span else ""
            if isinstance(low, int) and isinstance(high, int):
                if not 1 <= low <= high <= 10_000:
                    raise ValueError(f"“{item}” is no range of columns")
                found += range(low, high + 1)
                continue
            found.append(value)
        if not found or any(isinstance(c, int) and c < 1 for c in found):
            raise ValueError(f"“{written}” names no column; they are counted from 1")
        return tuple(found)


_AND = later(r"\s*(?:,|，|、|;|\band\b|和|与|&)\s*")
_PLAIN_NUMBER = later(r"[\d-]|[零一二两三四五六七八九十百千]+$|(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|\w+ty)\b")


def _ordinal(text: str) -> int | str:
    """Return the place that `text` says ("3", "third", "twenty"); the text itself, a name, where it says none."""
    lower = tidy(text)
    if (place := ordinal(lower)) is not None:
        return place
    try:
        value = number(lower) if _PLAIN_NUMBER.match(lower) else 0.5  # “a” and “few” are names
    except ValueError:
        return text
    return int(value) if value == int(value) else text


def _first_so_many(text: str) -> int | None:
    """Return how many “the first three” and “前三” are; None for other words."""
    if match := re.fullmatch(r"(?:the\s+)?(?:first|top)\s+(.+)|(?:最?前|头|开头)的?\s*(.+)", tidy(text)):
        many = _ordinal((match[1] or match[2]).strip())
        if isinstance(many, int) and ordinal(match[1] or match[2]) is None:
            return many
    return None


def _from_the_end(text: str) -> bool:
    """Whether “the last two”, “最后三” are meant."""
    match = re.fullmatch(r"(?:the\s+)?(?:last|final|bottom)\s+(.+)|(?:最后的?|末尾?|倒数第?)\s*(.+)", tidy(text))
    return match is not None and isinstance(_ordinal((match[1] or match[2]).strip()), int)


class Pages(ValueType):
    """Pages of a document, counted from 1: 3, 2-5, "1 and 4". The value is a tuple of numbers."""

    name = "pages"
    example = "2-5"

    def parse(self, written: Any) -> tuple[int, ...]:
        said = tidy(str(written))
        if re.search(r"\blast\b|最后|倒数", said) or (
            re.fullmatch(r"(?:only |just )?.+ pages|[^第前头]+页", said)
            and isinstance(many := _ordinal(re.sub(r"\s*(?:pages|页)$|^(?:only|just)\s+", "", said)), int)
            and many != 1
        ):
            raise ValueError(f"“{written}” does not say which pages, as 3 or 2-5 do; they are counted from 1")
        text = re.sub(r"\b(?:pages?\b|pp?\.|the\b|from\b)|页|第", " ", said)
        found = []
        try:
            items = Columns().parse(re.sub(r"\s+(through|thru|until)\s+", " to ", " ".join(text.split())))
        except ValueError:
            items = ()
        for item in items:
            if not isinstance(item, int):
                break
            found.append(item)
        if not found or len(found) != len(items):
            raise ValueError(f"“{written}” is no list of pages, counted from 1, as 3 or 2-5 are")
        return tuple(found)


_TO = r"-|–|—|~|～|\.\.+|:|\bto\b|\b(?:un)?til\b|\btill\b|\bthr(?:ough|u)\b|到|至"


class Lines(ValueType):
    """Lines of a text, counted from 1: 12, "10 to 20", "between 10 and 20", "3, 7 and 9-12", "40 to the end".

    The value is a tuple of (first, last), last None for the end.
    """

    name = "lines"
    example = "10-20"

    def parse(self, written: Any) -> tuple[tuple[int, int | None], ...]:
        text = tidy(str(written))
        if (many := _first_so_many(re.sub(r"\s*(?:\blines?|行)$", "", text))) is not None and many > 0:
            return ((1, many),)
        if re.match(r"(?:the\s+)?(?:last|final|bottom)\b|最后|倒数|末", text) or re.search(r"\b(?:few|several|couple|dozens?)\b", text):
            raise ValueError(f"“{written}” names no lines; they are counted from 1, as in 12 or 10-20")
        if (many_of := re.fullmatch(r"(.+) lines|([^第]+)行", text)) and _ordinal(many_of[1] or many_of[2]) not in (1, many_of[1], many_of[2]):
            raise ValueError(f"“{written}” says how many lines, not which, as in 12 or 10-20")
        text = re.sub(r"^(?:up to|until|till)\s+", "1 to ", text)
        onwards = re.fullmatch(r"(?:from|starting (?:at|from|with))\s+(?:the\s+)?(?:line\s+)?(\S+)(?:\s+line)?", text)
        if onwards and isinstance(_ordinal(onwards[1]), int):
            return ((_line(onwards[1], written), None),)
        if between := re.fullmatch(r"(?:.*\bbetween\s+)(.+?)\s+and\s+(.+)|(?:在|介于)?(.+?)[和与到至](.+?)行?之间的?行?", text):
            text = " to ".join(part for part in between.groups() if part)
        text = re.sub(r"\b(lines?|numbers?|from|the|nos?\.)(?=\s|\d|$)|#|第|行|从", " ", text.replace("the end", "end"))
        found: list[tuple[int, int | None]] = []
        for item in _AND.split(text.strip()):
            if not item.strip():
                continue
            if ordinal(item) is not None:
                found.append((line := _line(item, written), line))
            elif rest := re.fullmatch(rf"(.+?)\s*(?:(?:{_TO})\s*(?:end|last|最后|末尾|结尾|文件尾)?|\bon(?:wards?)?|\+|以后|之后|起|开始)", item):
                found.append((_line(rest[1], written), None))
            elif span := re.fullmatch(rf"(.+?)\s*(?:up )?(?:{_TO})\s*(.+)", item):
                found.append((_line(span[1], written), _line(span[2], written)))
            else:
                found.append((line := _line(item, written), line))
        if not found or any(last is not None and last < first for first, last in found):
            raise ValueError(f"“{written}” names no lines; they are counted from 1, the first before the last")
        return tuple(found)


def _line(text: str, written: Any) -> int:
    value = _ordinal(text.strip())
    if not isinstance(value, int) or value < 1 or re.search(r"\d\s+\d", text):
        raise ValueError(f"“{written}” names no lines, for example 12 or 10-20")
    return value
