"""Time zones: which one a person means by a name, a city or a country, and what time it is there."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from nlsh.plan.errors import NotFound, NotPossible, Refused
from nlsh.plan.records import Fact

TIMEDATE = "org.freedesktop.timedate1"
_FOLDER = Path("/usr/share/zoneinfo")
# What the tz database has no place for: cities that keep another one's time, what zones are called, and names in Chinese.
_CALLED = {
    "Asia/Shanghai": "beijing, china, shenzhen, guangzhou, hangzhou, 北京, 上海, 中国, 深圳, 广州, 杭州, 成都",
    "Asia/Hong_Kong": "香港",
    "Asia/Taipei": "台北, 台湾, taiwan",
    "Asia/Tokyo": "osaka, kyoto, japan, 东京, 日本, 大阪, jst",
    "Asia/Seoul": "首尔, 韩国, south korea, korea",
    "Asia/Singapore": "新加坡",
    "Asia/Kolkata": "mumbai, delhi, new delhi, bangalore, bengaluru, india, 印度, 新德里, 孟买",
    "Asia/Dubai": "迪拜, abu dhabi",
    "Asia/Bangkok": "曼谷, 泰国",
    "Europe/London": "england, britain, uk, united kingdom, 伦敦, 英国",
    "Europe/Paris": "巴黎, 法国",
    "Europe/Berlin": "germany, munich, hamburg, frankfurt, 柏林, 德国, 慕尼黑, 法兰克福",
    "Europe/Madrid": "spain, barcelona, 马德里, 西班牙",
    "Europe/Rome": "italy, milan, 罗马, 意大利",
    "Europe/Moscow": "莫斯科",
    "Europe/Zurich": "geneva, bern, switzerland, 苏黎世, 瑞士",
    "America/New_York": "nyc, boston, washington, miami, eastern, eastern time, est, edt, et, 纽约, 华盛顿, 波士顿",
    "America/Chicago": "houston, dallas, austin, central time, cst, cdt, 芝加哥",
    "America/Denver": "mountain time, mst, mdt, 丹佛",
    "America/Los_Angeles": "la, san francisco, seattle, california, pacific, pacific time, pst, pdt, pt, 洛杉矶, 旧金山, 西雅图",
    "America/Toronto": "多伦多",
    "America/Vancouver": "温哥华",
    "America/Sao_Paulo": "rio, rio de janeiro, 圣保罗",
    "Australia/Sydney": "canberra, 悉尼",
    "Australia/Melbourne": "墨尔本",
    "Pacific/Auckland": "wellington, 奥克兰, 新西兰, new zealand",
    "Africa/Cairo": "开罗, 埃及",
    "UTC": "gmt, zulu, z, greenwich, utc time, 世界时, 协调世界时, 格林尼治, 格林威治",
    "Europe/Brussels": "cet, cest",
}


def zone(written: str) -> str:
    """Return the name in the tz database that a person means. Raises NotFound, and Refused where a country has several."""
    known = _zones()
    if not known:
        raise NotPossible("Not available here, because the time zone database (tzdata) is not installed.", hint="Nothing was changed.")
    plain = _plain(written)
    for found in (known.get(plain), _called().get(plain), _cities().get(plain)):
        if found:
            return found
    if country := _country(plain):
        if len(country) == 1:
            return country[0]
        shown = ", ".join(country[:6]) + (f" and {len(country) - 6} more" if len(country) > 6 else "")
        raise Refused(f"There are {len(country)} time zones in {written}: {shown}.", hint="Nothing was changed. Name one of them.")
    import difflib

    near = difflib.get_close_matches(plain, [*known, *_cities()], 3)
    names = [known.get(n) or _cities()[n] for n in near]
    raise NotFound(
        f"There is no time zone “{written}”.", hint=f"Nothing was changed.{' Did you mean ' + ', '.join(dict.fromkeys(names)) + '?' if names else ''}"
    )


def _plain(text: str) -> str:
    text = re.sub(r"\s*(time zone|timezone|time|时区|时间)$", "", text.strip().lower()) or text.strip().lower()
    return re.sub(r"[\s_]+", " ", text).strip()


@cache
def _zones() -> dict[str, str]:
    import zoneinfo

    return {_plain(name): name for name in zoneinfo.available_timezones() if not name.startswith(("posix", "right")) and name not in ("localtime", "Factory")}


@cache
def _called() -> dict[str, str]:
    return {word: name for name, words in _CALLED.items() for word in words.split(", ")}


@cache
def _cities() -> dict[str, str]:
    # Those of the present table come last, so that they win over old names.
    names = sorted((n for n in _zones().values() if "/" in n and not n.startswith("Etc/")), key=lambda n: n in _listed())
    return {_plain(n.rpartition("/")[2]): n for n in names}


@cache
def _listed() -> dict[str, tuple[str, ...]]:
    """Return the zones of the table of today, with their countries' codes."""
    return {fields[2]: tuple(fields[0].split(",")) for fields in _table("zone1970.tab") if len(fields) >= 3}


def _table(name: str) -> list[list[str]]:
    try:
        text = (_FOLDER / name).read_text(encoding="utf-8")
    except OSError:
        return []
    return [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]


def _country(plain: str) -> list[str]:
    code = next((f[0] for f in _table("iso3166.tab") if len(f) == 2 and f[1].lower() == plain), None)
    return [name for name, codes in _listed().items() if code in codes] if code else []


def local_zone() -> str:
    """Return the name of the machine's time zone, or its abbreviation where it has no name."""
    import os

    for named in (os.environ.get("TZ", "").lstrip(":"), os.path.realpath("/etc/localtime").partition("zoneinfo/")[2]):
        if named and _plain(named) in _zones():
            return _zones()[_plain(named)]
    try:
        written = Path("/etc/timezone").read_text(encoding="utf-8").strip()
    except OSError:
        written = ""
    return written or datetime.datetime.now().astimezone().tzname() or "UTC"


def times(name: str | None, now: float) -> Iterator[Fact]:
    """Yield date and time, in a zone of the tz database or, for None, in this machine's."""
    import zoneinfo

    there = datetime.datetime.fromtimestamp(now, zoneinfo.ZoneInfo(name)) if name else datetime.datetime.fromtimestamp(now).astimezone()
    offset = there.strftime("%z")
    yield Fact("time", there.strftime("%H:%M:%S"))
    yield Fact("date", there.strftime("%Y-%m-%d"))
    yield Fact("day", there.strftime("%A"))
    yield Fact("time zone", f"{name or local_zone()} ({there.tzname()}, UTC{offset[:3]}:{offset[3:5]})")
    if name is None:
        yield Fact("utc", datetime.datetime.fromtimestamp(now, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S"))
