"""Numbers as people write them: in digits, in English words and in Chinese numerals. What they are amounts of is `nlsh.plan.amounts`'s.

A text that could be two numbers (“5 10”, “两三”, “one two”) is none: which of them is for its writer to say.
"""

from __future__ import annotations

import re

from nlsh.plan.later import later

_ONES = {w: n for n, w in enumerate(("one", "two", "three", "four", "five", "six", "seven", "eight", "nine"), 1)}
_TEENS = {w: n for n, w in enumerate(
    ("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"), 10)}  # fmt: skip
_TENS = {w: n * 10 for n, w in enumerate(("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"), 2)} | {"fourty": 40}
_SCALES = {"thousand": 1000, "grand": 1000, "k": 1000, "million": 10**6, "billion": 10**9}
_SOME = {"single": 1, "couple": 2, "pair": 2, "few": 3, "several": 5}
_PARTS = {"half": 2, "halve": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10}
_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10, "eleventh": 11,
    "twelfth": 12, "thirteenth": 13, "fourteenth": 14, "fifteenth": 15, "sixteenth": 16, "seventeenth": 17, "eighteenth": 18, "nineteenth": 19,
    "twentieth": 20, "thirtieth": 30, "fortieth": 40, "fiftieth": 50,
}  # fmt: skip
_BEFORE = later(
    r"^(?:(?:of|the|about|around|roughly|approximately|some|just|only|exactly|top|first|last|next|past|latest|大约|大概|约|前|最近)(?:\s+|(?<=[约概前近])))+"
)
_AFTER = later(r"\s+(?:of(?:\s+(?:the|them|those|these|an?))?|or so)$|个$")
_DIGITS = later(r"[+-]?(?:\d+(?:\.\d+)?|\.\d+|\d+,\d{1,2}|\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?: \d{3})+(?:\.\d+)?)")
_FRACTION = later(r"(?:(\d+) +)?(\d+) ?/ ?(\d+)")
_PART_SIGNS = {"½": "1/2", "¼": "1/4", "¾": "3/4", "⅓": "1/3", "⅔": "2/3", "⅛": "1/8"}

CHINESE = "零〇一二两俩三四五六七八九十廿卅百千万亿半壹贰叁肆伍陆柒捌玖拾佰仟萬億兩"  # what Chinese numerals are written with
_CHINESE_DIGITS = {"零": 0, "〇": 0, "一": 1, "二": 2, "两": 2, "俩": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}
_CHINESE_UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10**4, "亿": 10**8}
_FORMAL = str.maketrans("壹贰叁肆伍陆柒捌玖拾佰仟萬億兩", "一二三四五六七八九十百千万亿两")
_CHINESE_PIECE = later(r"\d+(?:\.\d+)?|[零〇一二两俩三四五六七八九十百千万亿]")


def number(text: str) -> float:
    """Return the number that `text` writes in digits, English words or Chinese numerals. Raises ValueError where it is none, or might be two.

    >>> number("5"), number("twenty five"), number("a hundred"), number("half a million"), number("十五"), number("一万二")
    (5.0, 25.0, 100.0, 500000.0, 15.0, 12000.0)
    """
    cleaned = tidy(text)
    if cleaned.isdecimal() and len(cleaned) < 300:
        return float(cleaned)
    found = _written(cleaned)
    if found is None and (shorter := _AFTER.sub("", _BEFORE.sub("", cleaned, count=1)).strip()) != cleaned:
        found = _written(shorter)
    if found is None:
        raise ValueError(f"“{text}” is not a number")
    return found


def ordinal(text: str) -> int | None:
    """Return which place an ordinal means, counted from 1 ("2nd", "third", "twenty-first", "第二"), or None where it is none."""
    cleaned = tidy(text).removeprefix("the ")
    if match := re.fullmatch(r"(\d+)(?:st|nd|rd|th)", cleaned):
        return int(match[1])
    if cleaned.startswith("第"):
        value = _written(cleaned[1:].strip())
        return int(value) if value is not None and value == int(value) and value > 0 else None
    tens, _, ones = cleaned.replace("-", " ").rpartition(" ")
    if ones in _ORDINALS and (not tens or (tens in _TENS and _ORDINALS[ones] < 10)):
        return _TENS.get(tens, 0) + _ORDINALS[ones]
    return None


def tidy(text: str) -> str:
    """Return `text` in lower case, with plain digits and marks for full-width ones, and single spaces."""
    text = text.strip().lower()
    if not text.isascii():
        import unicodedata

        for sign, plain in _PART_SIGNS.items():
            text = text.replace(sign, f" {plain}")
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.split())


def _written(text: str) -> float | None:
    figures = any(c.isdecimal() for c in text)
    if figures and _DIGITS.fullmatch(text):
        return _digits(text)
    if figures and (match := _FRACTION.fullmatch(text)):
        return int(match[1] or 0) + int(match[2]) / int(match[3]) if int(match[3]) else None
    if text and not text.isascii():
        return _chinese(text.removesuffix("个").strip().translate(_FORMAL))
    return _english(text)


def _digits(text: str) -> float | None:
    plain = text.replace(",", ".") if re.fullmatch(r"[+-]?\d+,\d{1,2}", text) else re.sub("[, ]", "", text)
    return float(plain) if len(plain) < 300 else None


def _english(text: str) -> float | None:
    """Add up the words one by one; None where one of them cannot follow the one before."""
    total, current = 0.0, None
    before = ""  # what kind of word came last
    if not text.isalpha():
        text = re.sub(r"(?<=[a-z])-(?=[a-z])|,", " ", re.sub(r"(?<=\d)k$", " k", text))
    for word in text.split():
        if word in ("a", "an"):
            fits = before in ("", "and", "part", "of")
            before = "article" if before != "and" else "and"
        elif word == "and":
            fits, before = before in ("hundred", "scale", "ones", "tens", "digits", "article"), "and"
            # “3 and 4” is no 7: what may follow is a part, or the rest after a hundred.
            fits = (fits and current is not None) or total > 0
        elif word == "of":
            fits, before = before in ("some", "part", "dozen"), "of"
        elif word in _ONES or word in _TEENS or word in _TENS or (not word.isalpha() and _DIGITS.fullmatch(word)):
            value = _ONES.get(word) or _TEENS.get(word) or _TENS.get(word) or _digits(word)
            free = before in ("", "hundred", "scale") or (before == "and" and (total > 0 or (current or 0) >= 100))
            fits = value is not None and (free or (before == "tens" and word in _ONES))
            if current and current % 100 and before != "tens":
                fits = False
            current = (current or 0) + (value or 0)
            before = "tens" if word in _TENS else "digits" if word[-1].isdigit() else "ones"
        elif word == "zero":
            fits, current, before = before == "" and not total, 0.0, "zero"
        elif word in _SOME:
            fits, current, before = before in ("", "article"), float(_SOME[word]), "some"
        elif word == "hundred":
            fits = before in ("", "article", "ones", "teens", "digits", "tens", "some", "part", "of") and (current is None or 0 < current < 100)
            current, before = (1.0 if current is None else current) * 100, "hundred"
        elif word in ("dozen", "dozens"):
            fits = before in ("", "article", "ones", "digits", "some", "part", "tens", "of")
            current, before = (1.0 if current is None else current) * 12, "dozen"
        elif word in _SCALES:
            fits = before not in ("zero", "scale", "and") and not (word == "k" and before == "")
            total, current, before = total + (1.0 if current is None else current) * _SCALES[word], None, "scale"
        elif (part := _PARTS.get(word.rstrip("s"))) is not None:
            plural, alone = word.endswith(("s", "halves")), word in ("half", "quarter")
            if before == "and":
                fits, current = not plural and current is not None, (current or 0) + 1 / part
            else:
                fits = (
                    (before == "" and alone)
                    or (before == "article" and not plural)
                    or (before in ("ones", "digits") and (plural or current == 1) and not total)
                )
                current = (1.0 if current is None else current) / part
            before = "part"
        else:
            return None
        if not fits:
            return None
    if before in ("", "and", "of"):
        # “half of a”, “a couple of”: what it is a part of comes after.
        return current if before == "of" else None
    return total + (1.0 if current is None and before == "article" else current or 0)


def _chinese(text: str) -> float | None:
    if not text:
        return None
    if len(text) == 1 and text in _CHINESE_DIGITS:
        return float(_CHINESE_DIGITS[text])
    if "分之" in text and (match := re.fullmatch(r"(.+)分之(.+)", text)):
        below, above = _chinese(match[1]), _chinese(match[2])
        return above / below if above is not None and below else None
    if text in ("半", "一半"):
        return 0.5
    if "半" in text and (match := re.fullmatch(r"(.+?)个?半", text)):
        whole = _chinese(match[1])
        return whole + 0.5 if whole is not None and whole == int(whole) else None
    if "点" in text and (match := re.fullmatch(r"([^点]+)点([零〇一二三四五六七八九]+)", text)):
        whole = _chinese(match[1])
        return None if whole is None else whole + float("0." + "".join(str(_CHINESE_DIGITS[c]) for c in match[2]))
    if all(c in _CHINESE_DIGITS for c in text) and len(text) > 1:
        value = "".join(str(_CHINESE_DIGITS[c]) for c in text)
        # “两三”, “五六” say about how many; “二〇二四”, “八零” are digits.
        return float(value) if len(text) > 2 or (text[1] in "零〇" and text[0] not in "零〇两") else None
    text = text.replace("廿", "二十").replace("卅", "三十")
    pieces = _CHINESE_PIECE.findall(text)
    if not pieces or "".join(pieces) != text:
        return None
    total = section = 0.0
    digit: float | None = None
    below = 0.0  # the unit that a digit at the end stands below: “一万二” is 12000
    for piece in pieces:
        unit = _CHINESE_UNITS.get(piece)
        if unit is None:
            if digit:
                return None  # “三四十”
            digit = float(piece) if piece[0].isdecimal() and piece.isascii() else float(_CHINESE_DIGITS[piece])
            below = 0.0 if digit == 0 else below
        elif unit >= 10**4:
            total = (total + section + (digit or 0) or 1) * unit if unit == 10**8 else total + (section + (digit or 0) or 1) * unit
            section, digit, below = 0.0, None, unit / 10
        else:
            section += (1 if digit is None or digit == 0 else digit) * unit
            digit, below = None, unit / 10
    return total + section + (digit or 0) * (below if below >= 10 and digit else 1)
