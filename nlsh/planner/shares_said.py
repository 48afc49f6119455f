"""Sentences that share the machine out among several programs: "give train 70%, serve 20% and render 30% of the cpu, and keep nginx responsive".

Read by rule, not by the model, which copies one share well and mixes up several. One share is the model's. Which programs there are, and whether it goes
into the machine, is for the action to say.
"""

from __future__ import annotations

import re

from nlsh.plan.amounts import Percent
from nlsh.plan.plan import Call, Plan, Value
from nlsh.planner.answer import Answer, Reading

_NAME = r"(?:the\s+|my\s+)?(?P<{}>[A-Za-z_][A-Za-z0-9_.+-]*)(?:\s+(?:process|program|job))?"
_SHARE = (
    r"(?P<{}>\d{{1,3}}(?:\.\d+)?\s*(?:%|percent|per\s+cent)|(?:one\s+|a\s+|two\s+|three\s+)?(?:half|thirds?|quarters?|fifths?)|all|the\s+(?:rest|other\s+half))"
)
_ALL = r"(?:\s+of)?\s+(?:the\s+|this\s+|my\s+)?(?P<all>cpu(?:\s+time)?|processors?|machine|computer|cores)"
_ALL_AGAIN = _ALL.replace("?P<all>", "?:")
_VERB = r"(?:please\s+)?(?:give|let|assign|allot|share\s+out|share|reserve|limit|hold|cap)\s+"
_KEEP = (
    r"(?:[,;]?\s*(?:and|but)\s+(?:keep|leave)\s+" + _NAME.format("first") + r"\s+(?:responsive|fast|quick)|"
    r"[,;]?\s*without\s+slowing\s+(?:down\s+)?" + _NAME.format("first_too") + r"(?:\s+down)?)"
)  # fmt: skip
_BETWEEN = r"\s*(?:,\s*(?:and\s+)?|;\s*|\s+and\s+|\s+while\s+)\s*"
_ONE = rf"{_NAME.format('name')}\s+(?:(?:to|at|have|has|gets?|use|uses|take|takes)\s+)?(?:at\s+most\s+)?{_SHARE.format('share')}(?:{_ALL_AGAIN})?"
_TURNED = rf"{_SHARE.format('share')}(?:{_ALL_AGAIN})?\s+(?:to|for)\s+{_NAME.format('name')}"
_CN_ONE = (
    r"(?:把|将|让|给)?\s*(?P<name>[A-Za-z_][A-Za-z0-9_.+-]*)\s*(?:限制(?:在|到)|分到|分配|占用?|用|得到|给)?\s*"
    r"(?P<share>\d{1,3}(?:\.\d+)?\s*[%％]|一半|[三四五]分之[一二三四]|[一二两三四五六七八九]成)的?\s*(?P<all>CPU|处理器|机器)?"
)
_CN_KEEP = r"[，,]?\s*(?:同时|并且?|又)?(?:保证|保持|不(?:要)?影响|不拖慢)\s*([A-Za-z_][A-Za-z0-9_.+-]*)\s*(?:响应快|流畅|的?响应速度?)?$"


def read(text: str) -> Answer | None:
    """Return the answer to a sentence that shares the machine out between at least two programs; None where it is another."""
    sentence = " ".join(text.split()).rstrip(".!。！ ")
    found = _chinese(sentence) if re.search(r"[一-鿿]", sentence) else _english(sentence)
    if found is None:
        return None
    pairs, first = found
    names, shares = tuple(n for n, _ in pairs), tuple(s for _, s in pairs)
    if (len(pairs) < 2 and not first) or len(set(names)) < len(names):
        return None
    one = len(pairs) == 1
    args: dict[str, Value] = {"name": names[0] if one else names, "share": shares[0] if one else shares, **({"first": first} if first else {})}
    why = "shares, by rule"
    return Answer("plan", (Reading(Plan((Call("resource.share", args),)), 1.0, why),), why, (why,))


def _english(sentence: str) -> tuple[list[tuple[str, str]], str] | None:
    if re.search(_ALL, sentence, re.I) is None:
        return None
    first = ""
    if kept := re.search(_KEEP + r"$", sentence, re.I):
        first, sentence = kept["first"] or kept["first_too"], sentence[: kept.start()]
    begun = re.match(_VERB, sentence, re.I)
    rest = sentence[begun.end() :] if begun else sentence
    rest = re.sub(r"^(?:out\s+)?(?:the\s+)?(?:cpu|processor|machine)\s*:\s*", "", rest, flags=re.I)
    parts = re.split(_BETWEEN, rest, flags=re.I)
    pairs: list[tuple[str, str]] = []
    for part in parts:
        match = re.fullmatch(_ONE, part, re.I) or re.fullmatch(_TURNED, part, re.I)
        if match is None:
            return None
        share = _plain(match["share"], pairs)
        if share is None:
            return None
        pairs.append((match["name"], share))
    return pairs, first


def _plain(share: str, before: list[tuple[str, str]]) -> str | None:
    """Return a share as a plan has it; what is left over is computed from those before."""
    words = re.sub(r"^(?:one|a)\s+", "", " ".join(share.lower().split()))
    if words in ("the other half", "all"):
        return "half" if words != "all" else "100%"
    if words == "the rest":
        try:
            left = 100.0 - sum(Percent().parse(s) for _, s in before)
        except ValueError:
            return None
        return f"{left:g}%" if before and left > 0 else None
    if words in ("third", "quarter", "fifth"):
        return f"a {words}"
    return words if words[-1].isalpha() and "percent" not in words and "per cent" not in words else re.sub(r"\s*(?:percent|per cent|%)$", "%", words)


def _chinese(sentence: str) -> tuple[list[tuple[str, str]], str] | None:
    first = ""
    if kept := re.search(_CN_KEEP, sentence):
        first, sentence = kept[1], sentence[: kept.start()]
    parts = [p for p in re.split(r"\s*[，,、；;]\s*|\s*(?:和|而)\s*", sentence) if p]
    matches = [re.fullmatch(_CN_ONE, part, re.I) for part in parts]
    if not all(matches) or not any(m["all"] for m in matches if m):
        return None
    return [(m["name"], m["share"].replace("％", "%").replace(" ", "")) for m in matches if m], first
