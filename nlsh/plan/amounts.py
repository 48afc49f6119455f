"""Amounts: how people write numbers (of things, of processes), shares, sizes and lengths of time, and what they mean.

What all value types are is `nlsh.plan.values`'s, what a number is `nlsh.plan.numerals`'s, and what a date is `nlsh.plan.dates`'s.
"""

from __future__ import annotations

import re
from typing import Any

from nlsh.plan.later import later
from nlsh.plan.numerals import CHINESE, number, ordinal, tidy
from nlsh.plan.values import ValueType

_TIMES = {"once": 1, "twice": 2, "thrice": 3}
_WHICH_END = later(r"^(?:the\s+)?(?:top|first|last|only|just|前|头|后|最后|最前|第|只)(?:的)?\s*")
_COUNTED = later(
    r"\s+(?:more\s+)?(?:lines?|rows?|files?|folders?|items?|things?|entries|entry|results?|matches|processes|programs?|commits?|levels?|layers?|groups?|parts?|pieces?"
    r"|messages?|times?|copies|words?|pages?|packets?|logins?)$|个?(?:文件夹?|进程|提交|结果|记录|单词|部分|程序)$|[个条行名项次层份页段块句]$"
)


class Count(ValueType):
    """A whole number of things, at least one."""

    name = "count"
    example = "5"

    def parse(self, written: Any) -> int:
        text = tidy(str(written))
        if " " in text or not text.isascii():
            text = _COUNTED.sub("", _WHICH_END.sub("", text))
        value = float(_TIMES[text]) if text in _TIMES else number(text)
        if value != int(value) or value < 1:
            raise ValueError(f"“{written}” is not a whole number of at least 1")
        return int(value)


class Nth(Count):
    """A place in a list, counted from 1: "3", "third", "2nd", "第二个"."""

    name = "count"
    example = "2"

    def parse(self, written: Any) -> int:
        text = re.sub(r"^(?:number|no\.?|#)\s*|\s*(?:one|个|项|条|行|份)$", "", tidy(str(written))) or str(written)
        return ordinal(text) or super().parse(written if text == "the" else text)


_OF_A_WHOLE = later(
    r"^(?:(?:the\s+)?(?:tcp\s+|udp\s+)?(?:port|pid|process(?: id)?|run)(?:\s+(?:number|no\.?))?(?=\s|#|:|\d)|端口号?|进程号?|第)\s*[:#]?|^[:#]|(?:/(?:tcp|udp)|号?端口|号)$"
)


class Whole(ValueType):
    """A whole number within bounds."""

    name = "number"
    example = "8080"

    def __init__(self, low: int, high: int, what: str = "number") -> None:
        self.low, self.high, self.name = low, high, what
        self.example = str(min(max(8080, low), high))

    def parse(self, written: Any) -> int:
        text = tidy(str(written))
        value = number(text if text.isdecimal() else _OF_A_WHOLE.sub("", text).strip() or text)
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
        text = tidy(str(written))
        if (below := re.match(r"(?:minus|negative)\s+|负", text)) and (value := number(text[below.end() :])) >= 0:
            return super().parse(f"-{value:g}")
        return super().parse(text.removeprefix("plus "))


MOST_CORES = 4096


class Cores(ValueType):
    """A number of CPU cores ("one", "2"), or which ones ("0,2", "0-3")."""

    name = "cores"
    example = "2"

    def parse(self, written: Any) -> int | tuple[int, ...]:
        said = tidy(str(written))
        named = re.match(r"(?:the\s+)?(?:cpus?|cores?|processors?)\s*#?\s*(?=[\d(])|第(?=\d)", said)
        text = said[named.end() :] if named else said
        text = re.sub(r"\s*(?:(?:logical |physical |cpu )?(?:cpus?|cores?|processors?|threads?)|(?:个|号)?(?:cpu)?(?:核心?|处理器|线程)|个)$", "", text).strip()
        text = re.sub(r"\s*(?:,|、|\band\b|和|&)\s*", ",", re.sub(r"(?<=\d)\s*(?:-|–|—|~|\bto\b|\bthrough\b|到|至)\s*(?=\d)", "-", text))
        if named or re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)+|\d+-\d+", text):
            chosen: set[int] = set()
            for part in text.split(","):
                low, _, high = part.partition("-")
                if not (low.isdecimal() and (high or low).isdecimal() and int(low) <= int(high or low) < MOST_CORES):
                    raise ValueError(f"“{written}” names no cores; they are counted from 0, as in 0,2 or 0-3")
                chosen |= set(range(int(low), int(high or low) + 1))
            return tuple(sorted(chosen))
        value = number(text)
        if value != int(value) or not 1 <= value <= 10**6:
            raise ValueError(f"“{written}” is not a number of cores")
        return int(value)


class CoreTime(ValueType):
    """The time of so many cores, or of a part of one: "2", "0.5", "half a core"."""

    name = "number of cores"
    example = "1.5"

    def parse(self, written: Any) -> float:
        value = number(
            "one"
            if (text := tidy(str(written))) in ("a core", "a cpu", "a processor")
            else re.sub(r"\s*(?:(?:of )?(?:an? |one |the )?(?:cpus?|cores?|processors?)|个?(?:cpu)?核心?)$", "", text)
        )
        if not 0 < value <= MOST_CORES:
            raise ValueError(f"“{written}” is not a number of cores")
        return value


_PERCENT = later(r"\s*(?:%|percent|per cent|pct)$")
_WHOLE_SHARE = ("full", "all", "all of it", "the whole", "max", "maximum", "the maximum", "全部", "最大", "百分之百", "百分百")


class Percent(ValueType):
    """A share: "30%", "half", "20 percent". Parsed to a number from 0 (exclusive) to 100."""

    name = "share"
    example = "30%"

    def parse(self, written: Any) -> float:
        text = re.sub(r"\s+of\s+(?:it|them|that)$", "", tidy(str(written)))
        if text in _WHOLE_SHARE:
            return 100.0
        if match := re.fullmatch(rf"([{CHINESE}\d.]+?)成(半)?", text):
            value = (number(match[1]) + (0.5 if match[2] else 0)) * 10
        elif re.search("half|halves|quarter|third|fifth|tenth|fourth|eighth|分之|一半|/", text) and not text.startswith("百分之") and not _PERCENT.search(text):
            value = number(text) * 100
        else:
            bare = _PERCENT.sub("", text.removeprefix("百分之")).strip()
            value = number(bare)
            # “one core” is no hundredth of the processor, and “0.5” is a half or half a hundredth.
            if bare == text and 0 < value < (1 if bare[:1].isdigit() else 5):
                raise ValueError(f"“{written}” is a number, not a share; write it with a %")
        if not 0 < value <= 100:
            raise ValueError(f"“{written}” is not a share between 0% and 100%")
        return value


_OF_ALL = (
    r"(?:of|from|in)?\s*(?:all\s+)?(?:the|this|my|its|all)?\s*(?:whole|entire|total)?\s*(?:machine|processors?|computer|laptop|box|system|server|cores|cpus)\b"
    r"|(?:of|from|in)\s+(?:the\s+)?(?:whole|entire|total)\s+(?:cpu|thing)\b|的?\s*(?:整[台个]?|全部的?|所有的?)?(?:机器|电脑|处理器|整机|核心?|服务器)"
)
_OF_ONE = r"(?:of\s+)?(?:an?|one|1|a\s+single|one\s+single)\s+(?:core|cpu|processor)\b|的?\s*(?:一个|单个?|单)(?:cpu)?(?:核心?|cpu)"
_AFTER_ALL, _AFTER_ONE = later(rf"\s*(?:{_OF_ALL})"), later(rf"\s*(?:{_OF_ONE})")
_BEFORE_ALL = later(r"(?:整[台个]?(?:机器?|电脑|cpu|处理器)|机器|电脑|处理器|所有核心?|全部核心?|总(?:cpu|核心?|量))(?:资源|时间)?的?\s*$")
_BEFORE_ONE = later(r"(?:一个|单个?)(?:cpu)?(?:核心?|cpu)的?\s*$")


class CpuPart(ValueType):
    """A part of the processor: a percentage of one core's time, as process.list counts it ("50%", "250%"); of all cores' together where that is said.

    "50% of the machine", "half". Parsed to the percentage and what it is of: "core", up to 100 times all cores there may be, or "machine", up to 100.
    """

    name = "share"
    example = "30%"

    def parse(self, written: Any) -> tuple[float, str]:
        text = tidy(str(written))
        for pattern, of in ((_AFTER_ONE, "core"), (_AFTER_ALL, "machine")):
            for found in pattern.finditer(text):
                if found.end() == len(text) and found.start():
                    if re.fullmatch(r"\d+(?:\.\d+)?", head := text[: found.start()].strip()):
                        raise ValueError(f"“{written}” is a number, not a share; write it with a %, or say cores")
                    return self._number(head, of, written), of
        text = re.sub(r"(?:\s*(?:of\s+)?(?:the\s+|its\s+)?|的)cpu(?:\s+time)?$", "", text)
        # Who counts in per cent has read it somewhere, where a core is a hundred of them; who says half means half of what there is.
        percent = _PERCENT.search(text) is not None or text.startswith("百分之") or re.fullmatch(r"\d+(?:\.\d+)?", text) is not None
        of = "core" if percent else "machine"
        return self._number(text, of, written), of

    def heard(self, written: str, request: str) -> str:
        """Return the part with what the request says it is of: “half of the processor”, “50% of one core”."""
        at = request.find(written)
        if at >= 0:
            before, after = request[:at].lower(), request[at + len(written) :].lower()
            for of, behind, ahead in (("one core", _AFTER_ONE, _BEFORE_ONE), ("the machine", _AFTER_ALL, _BEFORE_ALL)):
                if behind.match(after) or ahead.search(before):
                    return f"{written} of {of}"
        return written

    @staticmethod
    def _number(text: str, of: str, written: Any) -> float:
        if of == "core" and (found := re.fullmatch(r"(?:百分之)?(.+?)(?:\s*(?:%|percent|per cent|pct))?", text.strip())):
            try:
                value = number(found[1])
            except ValueError:
                value = 0.0
            if 100 < value <= 100 * MOST_CORES:
                return value
        try:
            return Percent().parse(text.strip())
        except ValueError as error:
            raise ValueError(str(error).replace(text.strip(), str(written))) from None


_BYTE_UNITS = {"b": 1, "byte": 1, "bytes": 1, "字节": 1, "个字节": 1}
for _power, _names in enumerate(
    (
        ("k", "kb", "kib", "kilo", "kilos", "kilobyte", "kilobytes", "kibibytes", "千字节"),
        ("m", "mb", "mib", "meg", "megs", "mega", "megabyte", "megabytes", "mebibytes", "兆", "兆字节", "mb字节", "兆b"),
        ("g", "gb", "gib", "gig", "gigs", "giga", "gigabyte", "gigabytes", "gibibytes", "吉", "吉字节", "个g", "吉b"),
        ("t", "tb", "tib", "tera", "terabyte", "terabytes", "tebibytes", "太字节", "太"),
        ("p", "pb", "pib", "petabyte", "petabytes"),
    ),
    start=1,
):
    for _name in _names:
        # As `ls -h`, `du -h` and `find -size` do: powers of 1024, whichever way the unit is spelt.
        _BYTE_UNITS[_name] = 1024**_power
_SIZE = later(
    r"(.*?)\s*(?:of\s+)?(?:\b(?:an?)\s+)?([a-z]+|个?(?:千字节|兆字节|吉字节|太字节|字节|兆b?|吉b?|太))(半|\s+and\s+a\s+(?:half|quarter))?(?:\s+(?:of data|in size|each|or so))?"
)


class Bytes(ValueType):
    """An amount of data: "100MB", "2 gigs", "1.5G", "half a gig". Powers of 1024."""

    name = "size"
    example = "100MB"

    def parse(self, written: Any) -> int:
        text = tidy(str(written))
        if (plain := re.fullmatch(r"(\d{1,9})(?:\.(\d+))? ?([a-z]+)", text)) and plain[3] in _BYTE_UNITS and plain[3][0] != "p":
            return int(float(f"{plain[1]}.{plain[2] or 0}") * _BYTE_UNITS[plain[3]])
        match = _SIZE.fullmatch(text)
        wrong = ValueError(f"“{written}” is not a size such as 100MB or 2G")
        if re.search(r"\dm?bits?$|[kmg]bits?$", text):
            raise ValueError(f"“{written}” is bits; say it in bytes, such as 100MB")
        if match and (unit := _BYTE_UNITS.get(match[2].removeprefix("个"))):
            amount = number(match[1]) if match[1] else 1.0
            value = (amount + {"": 0.0, "半": 0.5}.get(match[3] or "", 0.25 if (match[3] or "").endswith("quarter") else 0.5)) * unit
        elif text:
            try:
                value = number(text)
            except ValueError:
                raise wrong from None
        else:
            raise wrong
        if not 0 <= value < 2**63:
            raise wrong
        return int(value)


class Rate(Bytes):
    """An amount of data in a second: "10MB/s", "5 megabytes per second", "每秒10MB". Powers of 1024."""

    name = "rate"
    example = "10MB/s"

    def parse(self, written: Any) -> int:
        if re.search(r"[kmg]b(?:it)?ps$", str(written).strip()[:-3].lower() + str(written).strip()[-3:]):
            raise ValueError(f"“{written}” is bits in a second; say it in bytes, such as 10MB/s")
        text = re.sub(r"^每秒钟?|\s*(/|\bper\b|\ban?\b|\beach\b|\bevery\b)\s*(s|sec|second)$|ps$|\s*(每秒钟?|/秒|一秒)$", "", tidy(str(written)))
        if (value := super().parse(text)) < 1024:
            raise ValueError(f"“{written}” is not a rate such as 10MB/s: less than 1 KB/s lets nothing through")
        return value


_TIME_UNITS = {
    1: ("s", "sec", "secs", "second", "seconds", "秒", "秒钟"),
    60: ("m", "min", "mins", "minute", "minutes", "分", "分钟"),
    900: ("刻钟", "刻"),
    3600: ("h", "hr", "hrs", "hour", "hours", "小时", "个小时", "钟头", "个钟头", "个钟"),
    86400: ("d", "day", "days", "night", "nights", "天", "日", "晚", "整天"),
    604800: ("w", "wk", "wks", "week", "weeks", "周", "星期", "个星期", "礼拜", "个礼拜", "个周"),
    1209600: ("fortnight", "fortnights"),
    2592000: ("mo", "mos", "month", "months", "月", "个月"),
    91 * 86400: ("quarter", "quarters", "季度", "个季度"),
    31536000: ("y", "yr", "yrs", "year", "years", "年"),
    315360000: ("decade", "decades"),
}
_UNIT_SECONDS = {name: seconds for seconds, names in _TIME_UNITS.items() for name in names}
_WHOLE_SPANS = {
    "半年": 182, "half a year": 182, "half year": 182, "半个月": 15, "half a month": 15, "the weekend": 3, "weekend": 3, "overnight": 1, "一晚上": 1, "半天": 0.5,
}  # fmt: skip
_LONGEST_S = 1000 * 31536000
_LEADING = later(
    r"^(?:(?:in|for|over|during|within)\s+(?=the|an?\b|\d)|(?:the|these|this)\s+(?=last|past|previous|few)|(?:last|past|previous)\s+|(?:过去|最近|近|前|这)的?\s*)+|^the\s+(?=\d|last|past)"
)
_TRAILING = later(r"\s*(?:\bago|\bold|\blong|\bor so|\bearlier|\bback|以前|之前|前|以内|之内|内|了|左右|以来|来)$")
# One amount and its unit; what follows a unit is the next amount, or a half of it.
_ONE_SPAN = later(
    r"(?P<amount>.*?)\s*(?P<unit>(?<![a-z])(?:seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|nights?|weeks?|wks?|fortnights?|months?|mos?|quarters?(?!\s+(?:of|hour|day|year))|years?|yrs?"
    r"|decades?|[smhdwy])(?![a-z])|个?(?:小时|钟头|星期|礼拜|季度|钟|月|周)|秒钟?|分钟?|刻钟?|整天|天|日|晚|年)"
    r"(?P<more>\s*半钟?|\s+and\s+a\s+(?:half|quarter))?(?:\s*(?:,|and\b|\+|又|零|、)\s*|\s*)"
)
_FEW = later(r"^几(?=个|小时|分|天|周|月|年|秒|星期|礼拜)")


_PLAIN = later(r"(\d+(?:\.\d+)?|[a-z]+(?= )|[一二两三四五六七八九十])? ?([a-z]+|个?[小时钟头月年天日周星期礼拜分秒]+)")


def _plainly(text: str) -> float | None:
    """Return the seconds of “30d”, “two weeks”, “三天”, as most lengths of time are written, without what the rest takes; None for the rest."""
    match = _PLAIN.fullmatch(text.removeprefix("the ").removeprefix("last ").removeprefix("past "))
    if not match or match[2] not in _UNIT_SECONDS or (not match[1] and (len(match[2]) == 1 or match[2] == "night")) or match[2].startswith("quarter"):
        return None
    try:
        seconds = (number(match[1]) if match[1] else 1.0) * _UNIT_SECONDS[match[2]]
    except ValueError:
        return None
    return seconds if seconds <= _LONGEST_S else None


class Duration(ValueType):
    """A length of time: "30d", "two weeks", "3小时", "an hour and a half". Parsed to seconds."""

    name = "duration"
    example = "30d"

    def parse(self, written: Any) -> float:
        if (plain := _plainly(tidy(str(written)))) is not None:
            return plain
        text = _TRAILING.sub("", tidy(str(written)))
        text = text if text in _WHOLE_SPANS else _LEADING.sub("", text)
        if text in _WHOLE_SPANS:
            return _WHOLE_SPANS[text] * 86400.0
        wrong = ValueError(f"“{written}” is not a length of time such as 30d or two weeks")
        total, at, before = 0.0, 0, float("inf")
        while at < len(text):
            match = _ONE_SPAN.match(text, at)
            if not match or match.end() == at:
                raise wrong
            unit = _UNIT_SECONDS.get(match["unit"])
            if unit is None or unit >= before:
                raise wrong  # “5 days 5 days”
            amount, more = match["amount"].strip(), (match["more"] or "").strip()
            if not amount and ((len(match["unit"]) == 1 and match["unit"].isascii()) or at):
                raise wrong
            part = (number(_FEW.sub("三", amount + match["unit"]).removesuffix(match["unit"])) if amount else 1.0) + (
                0.25 if more.endswith("quarter") else 0.5 if more else 0.0
            )
            if part < 0:
                raise wrong
            total, at, before = total + part * unit, match.end(), unit
        if not text or total > _LONGEST_S:
            raise wrong
        return total


class Age(Duration):
    """How long ago: a length of time, or the day or moment that it reaches back to: "30d", "yesterday", "since march", "2024-03-05", "上周一"."""

    def parse(self, written: Any) -> float:
        text = tidy(str(written))
        if not text.endswith(("日", "月")) and (plain := _plainly(text)) is not None:
            return plain
        from nlsh.plan.dates import seconds_since

        if (seconds := seconds_since(text)) is not None:
            return seconds
        return super().parse(re.sub(r"^(?:since|from|自从|自|从)\s*", "", text) or written)
