"""text.extract: the e-mail addresses, links, numbers, IP addresses or dates in files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

from nlsh.actions.text import _text
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible
from nlsh.plan.records import Line, Record
from nlsh.plan.values import Choice, Paths, Rows
from nlsh.steps import handles
from nlsh.world import World

_MONTH = r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
# Every repetition has an end, and each begins where none could have begun before: a line of millions of letters takes no longer for that.
# Chinese, Japanese and Korean set no blanks: “价格100元” holds a number as “price 100 yuan” does. A letter of theirs ends no word that begins after it.
_WIDE = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_W = rf"[^\W{_WIDE}]"
_PATTERNS = {
    "emails": re.compile(
        rf"(?<![.+%-])(?<!{_W})(?:{_W}|[+%-])(?:{_W}|[.+%-]){{0,63}}@(?:[^\W_](?:[\w-]{{0,61}}[^\W_])?\.){{1,8}}"
        rf"(?:[^\W\d_{_WIDE}]{{2,24}}(?!{_W}|@)|[^\W\d_]{{2,24}}(?![\w@]))"
    ),
    "urls": re.compile(rf"(?<!{_W})(?:https?|ftp)://[^\s<>\"'`{{}}|\\^\u3000-\u303f\uff00-\uffef]{{1,2000}}", re.I),
    "numbers": re.compile(
        rf"(?<!\.)(?<!{_W})[+-]?(?:(?:\d{{1,3}}(?:,\d{{3}}){{1,12}}(?![\d,])|\d{{1,400}})(?:\.\d{{1,400}})?|\.\d{{1,400}})(?:[eE][+-]?\d{{1,4}})?(?!{_W})"
    ),
    "ips": re.compile(rf"(?<![.:])(?<!{_W})(?:\d{{1,3}}(?:\.\d{{1,3}}){{3}}|[0-9A-Fa-f:]{{2,39}}(?:(?<=:)\d{{1,3}}(?:\.\d{{1,3}}){{3}})?)(?!:|{_W}|\.\d)"),
    "dates": re.compile(
        rf"(?<![./-])(?<!{_W})(?:\d{{4}}([-/.])\d{{1,2}}\1\d{{1,2}}|\d{{1,2}}([-/.])\d{{1,2}}\2(?:\d{{4}}|\d{{2}})"
        rf"|\d{{1,2}}(?:st|nd|rd|th|\.)? (?:of )?{_MONTH}\.?,? \d{{4}}"
        rf"|{_MONTH}\.? \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}})(?!(?!T\d){_W}|/|[.-]\d)|(?<!\d)(?:\d{{4}}年)?\d{{1,2}}月\d{{1,2}}[日号]",
        re.I,
    ),
}
_MAIL = "From: Ann <ann@example.org>\nto: bob.b+x@mail.example.co.uk, ann@example.org\nsee https://example.org/a?b=1. Or (http://x.test)\n"


class Extract(Action):
    """Pull e-mail addresses, links, numbers, IP addresses or dates out of files."""

    name = "text.extract"
    effects = ("fs.read",)

    class Args(BaseArgs):
        paths = arg(Paths(or_lines=True), "The text files.", required=True)
        what = arg(Choice("emails", "urls", "numbers", "ips", "dates"), "What to pull out; addresses and links each once, the others all.", required=True)

    def look(self, args: Any, world: World) -> Any:
        return {"paths": [_text.lines_of(args.paths)] if isinstance(args.paths, Rows) else list(_text.several(args.paths, world))}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return _text.reads(seen["paths"])

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        from nlsh.world.texts import lines

        several = len(seen["paths"]) > 1
        once = args.what in ("emails", "urls", "ips")
        known: set[bytes] = set()
        failed = []
        for path in seen["paths"]:
            try:
                for number, text in enumerate(lines(path, handles.progress_in_bytes), start=1):
                    for found in _found(args.what, text):
                        mark = blake2b(found.lower().encode("utf-8", "surrogatepass"), digest_size=16).digest() if once else b""
                        if not once or mark not in known:
                            known.add(mark)
                            yield Line(found, number, path if several else "")
            except NotPossible as error:
                if not several:
                    raise
                failed.append(error)
        yield from _text.left_out(failed)

    examples = (
        Example(
            say=(
                "extract the email addresses from mail.txt",
                "which e-mail addresses are in mail.txt",
                "pull all emails out of mail.txt",
                "提取mail.txt里的邮箱地址",
            ),
            plan='text.extract("mail.txt", what="emails")',
            given={"mail.txt": _MAIL},
            result=("ann@example.org", "bob.b+x@mail.example.co.uk"),
        ),
        Example(
            say=("list the links in mail.txt", "get all urls from mail.txt", "找出mail.txt里的链接"),
            plan='text.extract("mail.txt", what="urls")',
            given={"mail.txt": _MAIL},
            result=("https://example.org/a?b=1", "http://x.test"),
        ),
        Example(
            say=("which numbers are in bill.txt", "extract all numbers from bill.txt", "提取bill.txt中的数字"),
            plan='text.extract("bill.txt", what="numbers")',
            given={"bill.txt": "3 apples for 1,234.50, -2 back, v1.2.3 x9\n"},
            result=("3", "1,234.50", "-2"),
        ),
        Example(
            say=("ip addresses in access.log", "extract every ip from access.log", "access.log里有哪些ip地址"),
            plan='text.extract("access.log", what="ips")',
            given={"access.log": "10.0.0.1 GET\n999.1.1.1 x\nfe80::1 y\n10.0.0.1 z 12:30:45\n"},
            result=("10.0.0.1", "fe80::1"),
        ),
        Example(
            say=("find the dates in diary.txt", "which dates does diary.txt mention", "提取diary.txt里的日期"),
            plan='text.extract("diary.txt", what="dates")',
            given={"diary.txt": "2023-01-05 and 5 January 2023\nMar 3, 2024; 24.12.2023; 2023年1月5日. 2023-99-99\n"},
            result=("2023-01-05", "5 January 2023", "Mar 3, 2024", "24.12.2023", "2023年1月5日"),
        ),
        Example(
            say=("emails in photo.jpg", "photo.jpg里的邮箱"),
            plan='text.extract("photo.jpg", what="emails")',
            given={"photo.jpg": b"\x00"},
            refused="world.not-possible",
        ),
    )


def _found(what: str, text: str) -> Iterator[str]:
    for match in _PATTERNS[what].finditer(text):
        found = match[0]
        if what == "urls":
            # A full stop or a bracket after a link belongs to the sentence around it.
            found = found.rstrip(".,;:!?*")
            while found.endswith((")", "]")) and found.count(found[-1]) > found.count("(" if found[-1] == ")" else "["):
                found = found[:-1].rstrip(".,;:!?")
        elif (what == "ips" and not _is_address(found)) or (what == "dates" and not _is_date(found)):
            continue
        yield found


def _is_address(text: str) -> bool:
    import ipaddress

    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return text != "::"


def _is_date(text: str) -> bool:
    numbers = re.findall(r"\d+", text)
    if len(numbers) == 3 and len(numbers[0]) == 4:
        return 1 <= int(numbers[1]) <= 12 and 1 <= int(numbers[2]) <= 31
    # In either order of day and month.
    small = [int(n) for n in numbers if len(n) < 4][:2]
    return all(1 <= n <= 31 for n in small) and (len(small) < 2 or min(small) <= 12)
