"""What a request says by pointing at the turn before: “the second one”, “do that for ~/Music too”, “again”, “只要 pdf”.

The decoder sees a sentence and what kind of result came before it, neither the plan nor how many rows there were. So what points at a plan, or at one row
by its place, is resolved here by code over the last plan and its typed records. What comes out is a plan like any other, over `_`, which means
the rows that stood on the screen: nothing is searched again for them. Words that do not plainly point are left to the decoder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace

from nlsh.plan.errors import NlshError
from nlsh.plan.later import later
from nlsh.plan.plan import LAST, Call, Plan, Ref, Value
from nlsh.plan.values import Paths
from nlsh.planner.answer import Answer, Context, Reading

Ask = Callable[[str, Context], Answer]

CERTAIN = 0.99  # of what is read by rule: pointed out by its place, by name, or as what came on a pipe
_NTH = (
    r"first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|thirteenth|fourteenth|fifteenth|sixteenth|seventeenth|eighteenth|"
    r"nineteenth|twentieth|\d{1,4}(?:st|nd|rd|th)"
)
_THING = "(?:one|file|folder|item|entry|row|result|match|process|of (?:them|those|these))"
_ONE = later(
    rf"\b(?:the |that )?(?:(?P<nth>{_NTH}) {_THING}|(?P<last>last|final) (?:one|of (?:them|those|these))"
    rf"|(?:number|no\.?|#) ?(?P<number>\d{{1,4}}|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"
    r"(?: of (?:them|those|these))?)(?:['’]s)?(?=$|[\s,.?!;])"
    r"(?! (?:in|inside|under|within|at|on|that|which|with) )"
    r"|(?P<zh>第[一二三四五六七八九十百]+)(?![一二三四五六七八九十百次天方年月周章页列手])(?:个|項|项|条|份)?(?:文件夹|文件|进程)?"
    r"|第 ?(?P<zhn>\d{1,4})(?!\d) ?(?:个|项|条|份)?|(?P<zhlast>最后一)(?:个|项|条|份)",
    re.I,
)
_BACK = later(r"\b(?:those|them|these|all of it)\b|它们|他们|那些|这些|這些|牠們|它們", re.I)
# Nothing but that one: no verb with it, or one that only looks.
_BARE = later(r"^(?:(?:just|only|show(?: me)?|what about|now|and|那|就|只要|看看|显示)\s*)*$", re.I)
_TOO = later(
    r"^(?:and |now |then |please )*(?:(?:do|run|repeat) (?:the )?(?:that|this|it|same)(?: thing)?(?: again)?|(?:the )?same(?: thing)?(?: again)?|again|that)"
    r" (?:for|in|on|with|to|at|under) (?P<en>\S.*?)(?: (?:too|as well|also))?[.!?]*$"
    r"|^(?:and |what about |how about )(?:for |in |on |under )?(?P<bare>[~/.]\S*?)(?: (?:too|as well))?[.!?]*$"
    r"|^(?:现在|再|也)*(?:对|在|给)\s*(?P<zh>\S+?)\s*(?:也|再)?(?:这样做|这么做|同样(?:处理|操作|做)|做同样的事|做一遍|来一遍|一样)(?:做|处理)?(?:一次|一遍)?[。！？]?$"
    r"|^(?P<zh2>[~/.]\S*?)\s*(?:也(?:一样|这样|同样(?:处理)?|这么做)|呢)[。！？]?$",
    re.I,
)
_AGAIN = later(
    r"^(?:and |now |please )*(?:(?:do|run) (?:that|it|this)(?: once)? (?:again|once more)|again|once more|repeat(?: that| it)?|same again"
    r"|再(?:来|做)一[次遍]|重复一[次遍])[.!。！]*$",
    re.I,
)
_ONLY_ZH = later(r"^(?:我?只(?:要|看|留|显示)|仅(?:要|看|显示)?)\s*(?:其中的?|那些|这些)?\s*(?P<kind>[A-Za-z0-9]{1,8})\s*(?:格式)?的?\s*(?:文件)?[。！]?$")


def points_back(text: str) -> bool:
    """Whether a request is about what was found before: “delete those”, “把它们压缩”."""
    return _BACK.search(text) is not None


def resolve(request: str, context: Context, ask: Ask) -> Answer | None:
    """Return what a request that points at the turn before means, or None where it does not. `ask` plans what is left of it. Raises what `ask` raises."""
    text = " ".join(request.split())
    if context.last_plan is not None:
        if (match := _TOO.match(text)) is not None:
            return _elsewhere(next(g for g in match.groupdict().values() if g), context)
        if _AGAIN.match(text):
            return _sure(context.last_plan, "what was done last, again")
    if not context.last_records:
        return None
    if (match := _ONLY_ZH.match(text)) is not None:
        return _sure(Plan((Call("result.filter", {"what": Ref(LAST), "kind": match["kind"]}),)), "of what was found last")
    found = list(_ONE.finditer(text))
    return _one(text, found[0], context, ask) if len(found) == 1 else None


def whole(plan: Plan, before: Plan | None) -> Plan:
    """Return a plan that no longer needs the turn before: what `_` meant in it, where that only looked, comes first. Else the plan itself."""
    from nlsh.plan.registry import get

    if before is None or not _uses_last(plan) or _uses_last(before) or not all(get(c.action).reads_only() for c in before.calls):
        return plan
    name = _free("found", before, plan)
    first = (*before.calls[:-1], replace(before.calls[-1], result=before.calls[-1].result or name))
    return Plan((*first, *(_with(c, str(first[-1].result)) for c in plan.calls)))


def _one(text: str, match: re.Match[str], context: Context, ask: Ask) -> Answer | None:
    """Return what is to be done with one row, by its place."""
    nth = _place(match)
    if nth is None:
        place: dict[str, Value] = {"last": "1"}
    elif not 0 < nth <= len(context.last_records):
        return Answer("question", (), f"There is no number {nth}: the last result has {len(context.last_records)}. Nothing was changed.")
    else:
        place = {"nth": str(nth)}
    take = Call("result.take", {"what": Ref(LAST), **place})
    left = text[: match.start()] + "\0" + text[match.end() :]
    if _BARE.match(left.replace("\0", "").strip(" ,.?!。？！吧呢")):
        return _sure(Plan((take,)), "of what was found last, by its place")
    # The decoder knows what to do with “those”; which one that is, is known here.
    for word in ("这个", "它") if match["zh"] or match["zhn"] or match["zhlast"] else ("those", "it"):
        answer = ask(left.replace("\0", word), context)
        readings = [r for r in answer.readings if _uses_last(r.plan)]
        if readings and answer.kind in ("plan", "choose"):
            name = _free("one", *(r.plan for r in readings))
            over = tuple(replace(r, plan=Plan((replace(take, result=name), *(_with(c, name) for c in r.plan.calls)))) for r in readings)
            said = f"“{match[0]}”: {' '.join(' '.join(map(str, item)) for item in place.items())} of what was found last"
            return replace(answer, readings=over, trace=(*answer.trace, said))
    # It may point at nothing: “find the first file in docs”. But what takes another row than the one that is named is wrong.
    answer = ask(text, context)
    readings = [r for r in answer.readings if all(c.action != "result.take" for c in r.plan.calls)]
    if len(readings) == len(answer.readings):
        return answer
    if readings:
        return Answer("choose", tuple(readings), "Is this what you mean?", answer.trace)
    return Answer("question", (), f"What is to be done with “{match[0]}”? Say it in other words.", answer.trace)


def _place(match: re.Match[str]) -> int | None:
    """Return which row is meant, counted from 1; None: the last, 0: none that there can be."""
    if match["last"] or match["zhlast"]:
        return None
    from nlsh.plan.numerals import number, ordinal

    if match["number"]:
        return int(number(match["number"]))
    return int(match["zhn"]) if match["zhn"] else ordinal(match["nth"] or match["zh"]) or 0


def _elsewhere(where: str, context: Context) -> Answer | None:
    """Return the last plan, about another place; None where the words are no place or the plan has none."""
    from nlsh.plan.registry import get
    from nlsh.world.places import resolve as resolve_place

    plan = context.last_plan
    assert plan is not None
    where = where.strip("\"'“”")
    looks = where.startswith(("/", "~", "./", "../"))
    try:
        found = resolve_place(where, cwd=context.cwd, home=context.home, must_exist=True)
    except NlshError:
        if not looks:
            return None
        found = where
    for at, call in enumerate(plan.calls):
        fields = get(call.action).Args.fields
        places = [k for k, a in fields.items() if isinstance(a.type, Paths)]
        # The first argument that is a path is what a call is about; what comes after is where things go.
        if places and not isinstance(call.args.get(places[0]), Ref):
            written = where if looks or os.path.isabs(where) else found
            args = {**call.args, places[0]: written}
            changed = Plan((*plan.calls[:at], replace(call, args=args), *plan.calls[at + 1 :]))
            return None if _uses_last(changed) else _sure(changed, "what was done last, in another place")
    return None


def _sure(plan: Plan, why: str) -> Answer:
    return Answer("plan", (Reading(plan, CERTAIN, why),), why, (f"refers to the turn before: {why}",))


def _uses_last(plan: Plan) -> bool:
    return any(isinstance(v, Ref) and v.name == LAST for c in plan.calls for v in c.args.values())


def _with(call: Call, name: str) -> Call:
    """Return the call with `_` replaced by a result's name."""
    return replace(call, args={k: Ref(name) if isinstance(v, Ref) and v.name == LAST else v for k, v in call.args.items()})


def _free(name: str, *plans: Plan) -> str:
    taken = {c.result for p in plans for c in p.calls}
    return next(n for n in (name, *(f"{name}{i}" for i in range(2, 1000))) if n not in taken)
