"""Sentences about a text that came on a pipe: “sort these lines”, “how many words is that”, “only the lines with foo”, “这些行去重”.

The decoder knows what is done with a file that is named, and makes little of “it”. So what points at the text is put as the name of a file, and in the
plans that come back that name is `_` again: the text itself. Only what reads lines can take it; of the rest it is said that it needs a file.

What is read here decides, too, whether stdin is read at all: a pipe that nobody writes to must not hold up what is not about it.
"""

from __future__ import annotations

import re
from dataclasses import replace

from nlsh.plan.later import later
from nlsh.plan.plan import LAST, STDIN, Call, Plan, Ref, Value
from nlsh.planner.answer import Answer, Context, Reading
from nlsh.planner.refer import CERTAIN, Ask

NAME = "input.txt"  # what the text is called to the decoder
# Of one reading that is left to choose from, and that changes nothing: from here on it need not be asked about.
_LIKELY = 0.6

_NOTHING_MORE = r"\s*(?:$|[,.;:?!]|(?:by|in|into|with|without|as|to|and|then|but|for|from|please|alphabetically|numerically|backwards?)\b"
_ENDS = rf"(?={_NOTHING_MORE}))"
_GOES_ON = rf"(?={_NOTHING_MORE}|(?:is|are|has|have|contains?)\b))"
_UNPLACED = r"(?!\s+(?:of|in|from|on)\b)"
_COUNTED = "lines|words|characters|letters"
# The text by a name of its own, whatever else the sentence says.
_TEXT = later(
    r"\b(?:the )?(?:standard input|stdin)\b(?! (?:files?|folders?|paths?)\b)"
    rf"|\b(?:the (?:piped |given )?input|(?:this|that) (?:input|text|list|data|output)|the (?:piped|given) (?:text|data|list)){_GOES_ON}"
    r"|标准输入|输入的?(?:内容|文本|文字)|管道里?的?(?:内容|文本|文字)|这段(?:文字|文本|话)|这[个份](?:文本|数据|列表)"
    r"|[这那]些(?:行|文字|文本|内容|数据|词|字|名字|数字)",
    re.I,
)
_SOME_LINES = later(rf"\b(which|how many|any|some|all|none|each) of (?:these|those|the (?:input|piped|given)) (lines|words|names|numbers){_UNPLACED}\b", re.I)
_LINES = later(rf"\b(?:all )?(?:of )?(?:these|those|the (?:input|piped|given)) (lines|words|names|numbers){_UNPLACED}\b", re.I)
# Words that are about a text, but may be about that of a file, too: they count where the sentence names nothing else.
_KINDS = r"(?:first|last|second|third|longest|shortest|unique|different|duplicate|repeated|empty|blank)"
_THE_LINES = later(rf"\b(the (?:{_KINDS} )?(?:(?:first|last) \w+ )?(?:{_COUNTED}|line))\b{_UNPLACED}", re.I)
_HOW_MANY = later(rf"\bhow many ({_COUNTED})(?: are (?:there|these|those))?(?=\s*[.?!]*$)", re.I)
_BARE_LINES = later(
    rf"^((?:(?:how many|only|just|show|print|keep|give|get|find|list|count|number|sort|reverse|remove|drop|delete|me|all|any|{_KINDS})\s+)*lines){_UNPLACED}\b"
    r"(?! (?:up|down|numbers?|ends?|endings?)\b)",
    re.I,
)
_IT = later(rf"\b(?:(?:this|it){_GOES_ON}|that{_ENDS}|(?<=does )(?:this|it|that)(?= (?:have|contain|hold)\b))|它|这个?(?=[里中有排的去按统]|$)", re.I)
_THEM = later(rf"\b(?:these|those){_GOES_ON}|\b(?:them|they)\b|它们|这些|那些|其中", re.I)
_ABOUT_TEXT = later(
    r"\b(?:sort(?:ed)?|order|count|lines?|words?|characters?|letters?|duplicates?|repeats?|repeated|unique|distinct|columns?|e-?mails?|e-mail addresses|links?"
    r"|urls?|numbers?|dates?|alphabetical\w*|numerical\w*|reversed?|backwards|extract|grep|frequen\w+|often|csv|average|mean)\b"
    r"|排序|排列|行|词|字|去重|重复|统计|邮箱|链接|数字|列",
    re.I,
)
_ZH_LINES = later(r"^((?:请|帮我|只要|只看|只显示|只留|仅显示|显示|列出|找出|去掉|删掉)*)(?=(?:不?(?:包含|含有|含|带有|带|有)\S.*的|重复的?|空)行)")
_ZH_HOW_MANY = later(r"^(?:一共|总共|共)?有?(?=(?:多少|几)(?:个|条)?(?:行|词|单词|字符|字)[?？吗呢]*$)")
_HOLD = r"(?:with|have|has|hold|holds|contain|contains|containing|mention|mentions|that (?:have|hold|contain|mention))"
# Said in a way that the decoder takes for something else: “delete the lines with foo”, “how many lines have foo”, “the last line”, “the second column”.
_WITHOUT = later(rf"^(?:please )?(?:delete|remove|drop|omit|hide|exclude|leave out|filter out) (?:all )?(the lines of {re.escape(NAME)}) {_HOLD} (?=\S)", re.I)
_NUMBER_WITH = later(rf"^how many (lines of {re.escape(NAME)}) {_HOLD} (?=\S)", re.I)
_ONE_LINE = later(rf"^(?:(?:please|show|give|print|only|just|me) )*the (first|last) line of {re.escape(NAME)}[.?!]*$", re.I)
_NTH_COLUMN = later(r"\bthe (\w+) column\b", re.I)
_TO_A_FILE = later(
    r"^(?:please )?(delete|erase|trash|save|store|write|move|rename)\b(?!.*\b(?:duplicate|repeat|empty|blank))|^(?:请|帮我)*(?:把.*)?(删|保存)", re.I
)
_AND_THEN = later(r"\b(?:and|then)\s+(?:then\s+)?(?:show|print|count|sort|remove|keep|take|only|list|drop|extract|give|number|reverse)\b|(?:然后|再)", re.I)
_SOUGHT = later(r"\b(?:with|without|contain(?:s|ing)?|ha(?:s|ve)|mention(?:s|ing)?)\s+(?:\"[^\"]*\"|“[^”]*”|'[^']*'|\S+)", re.I)  # in the lines: no place
# What stands behind these words is a place, or else how something is done.
_PLACE = later(r"\b(?:in|of|from|under|inside|within|below)\s+(?:(?:the|my|your|all|a|an)\s+)*([^\s,;?!]+)", re.I)
_NO_PLACE = frozenset((
    "reverse", "reversed", "order", "alphabetical", "alphabetic", "numerical", "numeric", "ascending", "descending", "it", "this", "that", "these", "those",
    "them", "total", "all", "each", "every", "line", "lines", "word", "words", "characters", "column", "columns", "input", "stdin", "standard", "piped",
    "given", "text", "list", "data", "upper", "lower", "capitals", "length", "size", "number", "numbers", "common", "which"
))  # fmt: skip
_PATH = later(r"(?<![\w@])(?:[~.]{0,2}/\S|\S+/\S|[\w-]+\.[A-Za-z]\w{0,4}(?![\w@]))|[在从]\S+?[里中]")
_ANOTHER_BEFORE = later(r"\b(?:and|then)\b|[,，;；]|然后")


def rewritten(request: str, *, piped: bool = False) -> str:
    """Return the request with NAME for what points at a text that is piped in; empty where nothing does. `piped`: there is one, so “them” is it."""
    text = " ".join(request.split())
    if NAME in text:
        return ""  # a file of the user's that is called so
    said = _LINES.sub(rf"the \1 of {NAME}", _SOME_LINES.sub(rf"\1 \2 of {NAME}", _TEXT.sub(NAME, text)))
    if said == text and not _elsewhere(text):
        said = _weakly(text)
    if piped and said == text:
        said = _THEM.sub(NAME, text)
    return said if said != text else ""


def is_plain(request: str) -> bool:
    """Return whether the request can be about nothing but what is piped in, so that there being nothing is worth an error."""
    text = " ".join(request.split())
    return _TEXT.search(text) is not None or _LINES.search(text) is not None


def _elsewhere(text: str) -> bool:
    """Return whether the sentence names a place or a file that it may be about instead."""
    text = _SOUGHT.sub(" ", text)
    return _PATH.search(text) is not None or any(word.lower().rstrip(".") not in _NO_PLACE for word in _PLACE.findall(text))


def _weakly(text: str) -> str:
    if _HOW_MANY.search(text):
        return _HOW_MANY.sub(rf"how many \1 are in {NAME}", text)
    match = _IT.search(text)
    # “find the log and sort it”: what was named before.
    if match is not None and _ABOUT_TEXT.search(text) and not _ANOTHER_BEFORE.search(text, 0, match.start()):
        return _IT.sub(NAME, text)
    for pattern, put in ((_THE_LINES, rf"\1 of {NAME}"), (_BARE_LINES, rf"\1 of {NAME}"), (_ZH_LINES, rf"\1{NAME}里"), (_ZH_HOW_MANY, f"{NAME}有")):
        if pattern.search(text):
            return pattern.sub(put, text, count=1)
    return text


def resolve(request: str, context: Context, ask: Ask) -> Answer | None:
    """Return what a request about a text from a pipe means; None where no such text stands before it, or the words do not point at it.

    `ask` plans a request. Raises what `ask` raises.
    """
    if context.last_action != STDIN or not (said := rewritten(request, piped=True)):
        return None
    if not rewritten(request) and (answer := ask(request, context)).kind == "plan":
        return answer  # “them” may be the lines one by one, too: “how many are those”, “only those with foo”
    said, counted = _plainly(said)
    if match := _TO_A_FILE.match(said):
        return _refused(f"To {match[1].lower()} it" if match[1] else f"“{match[2]}”")
    if one := _ONE_LINE.match(said):
        why = "a line of what came on the pipe"
        return Answer("plan", (Reading(Plan((Call("file.read", {"paths": Ref(LAST), one[1].lower(): "1"}),)), CERTAIN, why),), why, (why,))
    alone = replace(context, last_action=None, last_records=())
    unable = ""
    offered: Answer | None = None
    for form in dict.fromkeys((said, said.replace(f" of {NAME}", f" in {NAME}"))):
        answer = ask(form, alone)
        if answer.kind not in ("plan", "choose"):
            continue
        readings, cannot = _over_text(answer)
        unable = unable or cannot
        if not readings or cannot:
            continue
        if counted:
            readings = tuple(replace(r, plan=_counted(r.plan)) for r in readings)
        whole = len(readings[0].plan.calls) > 1 or not _AND_THEN.search(form)  # else a part of what is wanted was left out
        if whole and (answer.kind == "plan" or _is_likely(readings)):
            return replace(answer, kind="plan", readings=readings, trace=(*answer.trace, f"what came on the pipe, as “{form}”"))
        offered = offered or replace(answer, kind="choose", message="Is this what you mean?", readings=readings)
    return offered if offered is not None or not unable else _refused(unable)


def _plainly(said: str) -> tuple[str, bool]:
    """Return the request in words that the decoder reads rightly, and whether the lines that it then shows are to be counted."""
    from nlsh.plan.numerals import ordinal

    said = _NTH_COLUMN.sub(lambda m: f"column {place}" if (place := ordinal(m[1])) else m[0], said)
    number = _NUMBER_WITH.sub(r"only the \1 with ", said)
    return _WITHOUT.sub(r"only \1 without ", number), number != said


def _is_likely(readings: tuple[Reading, ...]) -> bool:
    """Return whether one reading is left, which only looks, and is likely enough to be run without a question."""
    from nlsh.plan.registry import get

    return len(readings) == 1 and readings[0].confidence >= _LIKELY and all(get(c.action).reads_only() for c in readings[0].plan.calls)


def _counted(plan: Plan) -> Plan:
    """Return the plan with the number of what it shows."""
    return Plan((*plan.calls[:-1], replace(plan.calls[-1], result="found"), Call("result.count", {"what": Ref("found")})))


def _refused(what: str) -> Answer:
    """Return the answer to what cannot be done with lines: an action, or words for it."""
    words = f"{what} needs a file, and what came on the pipe is only its text. Nothing was run. Write it to a file first, and name that."
    return Answer("refusal", (), words)


def _over_text(answer: Answer) -> tuple[tuple[Reading, ...], str]:
    """Return the readings over `_` in place of NAME, equal ones as one; and the action of the first reading, where that one cannot take lines."""
    found: dict[Plan, Reading] = {}
    cannot = ""
    for number, reading in enumerate(answer.readings):
        plan = _put(reading.plan)
        if isinstance(plan, str):
            cannot = cannot or (plan if number == 0 else "")
        elif plan is not None:
            before = found[plan].confidence if plan in found else 0.0
            found[plan] = replace(reading, plan=plan, confidence=min(CERTAIN, before + reading.confidence))
    return tuple(found.values()), cannot


def _put(plan: Plan) -> Plan | str | None:
    """Return the plan with `_` for NAME, or the name of an action in it that cannot take lines; None where the plan is not about the text."""
    calls, about = [], False
    for call in map(_as_filter, plan.calls):
        args: dict[str, Value] = {}
        for key, value in call.args.items():
            if value in (NAME, (NAME,)):
                if not _takes_lines(call.action, key):
                    return call.action
                value, about = Ref(LAST), True
            elif any(NAME in str(v) for v in (value if isinstance(value, tuple) else (value,))):
                return None  # a word of the sentence was taken for a part of the name
            args[key] = value
        calls.append(replace(call, args=args))
    return Plan(tuple(calls)) if about else None


def _as_filter(call: Call) -> Call:
    """Return a search in the text alone as what shows its lines: “the lines with foo” may be either to the decoder."""
    if call.action == "text.search" and call.args.get("under") in (NAME, (NAME,)) and set(call.args) <= {"text", "under", "ignore_case"}:
        args = {"path": NAME, **{"containing" if k == "text" else k: v for k, v in call.args.items() if k != "under"}}
        return replace(call, action="text.filter", args=args)
    return call


def _takes_lines(action: str, argument: str) -> bool:
    from nlsh.plan.registry import get, names

    return action in names() and getattr(get(action).Args.fields[argument].type, "or_lines", False)
