"""What a sentence about a job says besides when and what: how much of the machine it may use, how it stands to others, how often it is tried again.

"every hour run make with at most 1 core and 2GB of memory", "at low priority", "and retry 3 times", "最多用2个核", "低优先级". Found by rules and split
off, as the time is: the planner would take it for a part of what is to be done. Only words that set a bound are taken ("at most", "up to").
"""

from __future__ import annotations

import re

_NUMBER = r"(?:\d+(?:\.\d+)?|half an?|an?|(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve|sixteen)(?:\s+and\s+a\s+half)?)"
_SIZE = (
    r"(?:\d+(?:,\d{3})*(?:\.\d+)?\s*(?:[kmgt]i?b?|bytes|gigs?|megs?|(?:kilo|mega|giga|tera)bytes?)"
    rf"|{_NUMBER}\s+(?:gigs?|megs?|[kmgt]i?b|(?:kilo|mega|giga|tera)bytes?))"
)
_CPU = r"(?:cpu(?:\s+time)?|processors?|machine|computer)"
# Each says what it is an amount of; the first that fits counts.
_AMOUNTS: tuple[tuple[str, str], ...] = (
    ("cores", rf"(?P<cores>{_NUMBER})\s+(?:cpu\s+|processor\s+)?(?:cores?|cpus)"),
    ("cpu", rf"(?P<cpu>\d+(?:\.\d+)?\s*(?:%|percent|per cent)|half|(?:a|one|two|three) (?:third|quarter|fifth)s?)(?:\s+of)?(?:\s+(?:the|my|this))?\s+{_CPU}"),
    ("gpu_memory", rf"(?P<gpu_memory>{_SIZE})(?:\s+of)?\s+(?:(?:the\s+)?(?:gpu|graphics|video)(?:\s+card)?(?:'s)?\s+(?:memory|ram)|vram)"),
    ("io", rf"(?P<io>{_SIZE}(?:\s*/\s*s(?:ec)?|\s+(?:a|per)\s+second|ps))(?:(?:\s+of)?\s+(?:the\s+)?(?:disk(?:\s+(?:io|i/o|bandwidth))?|io|i/o|bandwidth))?"),
    ("memory", rf"(?P<memory>{_SIZE})(?:\s+of)?\s+(?:memory|ram)"),
)  # fmt: skip
_ANY = "|".join(re.sub(r"\?P<\w+>", "?:", pattern) for _, pattern in _AMOUNTS)
_MOST = r"(?:at\s+most|no\s+more\s+than|not\s+more\s+than|up\s+to|a\s+maximum\s+of|max(?:imum)?)"
_USING = r"(?:(?:and\s+)?(?:using|with|taking|on|use|take|limited\s+to|held\s+to|within|let\s+it\s+(?:use|have))\s+)"
_LIST = rf"(?P<amounts>(?:{_ANY})(?:(?:\s*,\s*|\s+)(?:and\s+)?(?:{_MOST}\s+)?(?:{_ANY}))*)"
_BOUND = rf"(?:{_USING}?{_MOST}|(?:and\s+)?(?:limited|held)\s+to|(?:using|on|with)\s+only)\s+{_LIST}"
_PRIORITY = r"(?:and\s+)?(?:at|with|on)\s+(?:an?\s+)?(?P<priority>low|high|normal)(?:er)?\s+priority"
_RETRY = (
    r"(?:and\s+)?(?:if\s+it\s+fails,?\s+)?(?:retry(?:ing)?|try(?:ing)?(?:\s+it)?\s+again)(?:\s+it)?(?:\s+(?:up\s+to|at\s+most))?\s+"
    r"(?P<retry>\d+|once|twice|three|four|five)(?:\s+times?)?(?:\s+if\s+it\s+fails)?"
)
_CN_NUMBER = r"(?:\d+(?:\.\d+)?|[一两二三四五六七八九十]+(?:个半)?|半)"
_CN_SIZE = r"[\d.一两二三四五六七八九十百半]+\s*个?(?:兆|[kmgt]i?b?)"
_CN_AMOUNTS = (
    ("cores", rf"(?P<cores>{_CN_NUMBER})\s*个?(?:CPU\s*)?核心?"),
    ("cpu", r"(?P<cpu>\d+(?:\.\d+)?\s*[%％]|一半|[一二两三四五六七八九]成|[三四五]分之[一二三四])的?\s*(?:CPU|处理器|机器)"),
    ("gpu_memory", rf"(?P<gpu_memory>{_CN_SIZE})的?\s*显存"),
    ("memory", rf"(?P<memory>{_CN_SIZE})的?\s*内存"),
)
_CN_ANY = "|".join(re.sub(r"\?P<\w+>", "?:", pattern) for _, pattern in _CN_AMOUNTS)
_CN_BOUND = rf"(?:最多|至多|不超过)(?:只?(?:能|可以))?(?:使用|占用|用|占)?\s*(?P<amounts>(?:{_CN_ANY})(?:\s*[、和及与,，]?\s*(?:{_CN_ANY}))*)"
_CN_PRIORITY = r"(?:以|用)?(?P<priority>低|高)优先级(?:地|来)?"
_CN_RETRY = r"(?:如果)?失败(?:了|时|后)?(?:最多)?(?:就)?重试(?P<retry>\d+|一|两|二|三|四|五)次"
_TIMES = {"once": "1", "twice": "2", "three": "3", "four": "4", "five": "5", "一": "1", "两": "2", "二": "2", "三": "3", "四": "4", "五": "5"}


def split(sentence: str) -> tuple[str, dict[str, str]]:
    """Return a sentence without what it says of budget, priority and retries, and that as the arguments of a schedule; nothing where it says none."""
    found: dict[str, str] = {}
    for pattern in (_BOUND, _PRIORITY, _RETRY):
        # At the end, or between commas: elsewhere it belongs to what is to be done.
        match = re.search(rf"(?:^|[\s,，]\s*)(?:{pattern})(?=\s*(?:[,，]|$)|\s+(?:(?:and\s+)?(?:at|with|retry|try|using|if)\b))", sentence, re.I)
        sentence = _taken(sentence, match, _AMOUNTS, found)
    for pattern in (_CN_BOUND, _CN_PRIORITY, _CN_RETRY):
        sentence = _taken(sentence, re.search(rf"[,，、\s]*(?:并且?)?{pattern}", sentence, re.I), _CN_AMOUNTS, found)
    return sentence.strip(" ,，"), found


def _taken(sentence: str, match: re.Match[str] | None, amounts: tuple[tuple[str, str], ...], found: dict[str, str]) -> str:
    if match is None:
        return sentence
    said = match.groupdict()
    if said.get("amounts"):
        rest = said["amounts"]
        for name, pattern in amounts:
            if one := re.search(pattern, rest, re.I):
                found[name] = " ".join(one[name].split())
                rest = rest[: one.start()] + "|" + rest[one.end() :]
    elif said.get("priority"):
        found["priority"] = {"低": "low", "高": "high"}.get(said["priority"], said["priority"].lower())
    elif said.get("retry"):
        found["retry"] = _TIMES.get(said["retry"].lower(), said["retry"])
    return sentence[: match.start()] + sentence[match.end() :]
