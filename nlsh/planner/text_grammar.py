"""The grammar of plans as text (GBNF), for a model that was not trained on nlsh's control tokens: it writes the plan as a person would.

As with the control tokens, everything that can be written is a call of one of the offered actions with declared arguments in declared order, and
every string is the request's own words, one of the argument's fixed values, or an earlier result: nothing outside the request can be invented.
"""

from __future__ import annotations

from collections.abc import Sequence

from nlsh.plan.syntax import quoted
from nlsh.planner.lexer import Word
from nlsh.planner.vocabulary import MAX_CALLS, REFUSAL, RESULT_NAMES, Catalogue, Slot


def build(actions: Catalogue, request: str, words: Sequence[Word], *, last: bool) -> str:
    """Return the grammar for plans of `actions` over the words of `request`; `last`: there is a result of the last turn, `_`.

    Every call but the last names its result, so that a later one can use it; a name that is not used means nothing and is left out afterwards.
    """
    rules = list(_spans(request, words))
    calls: list[list[str]] = [[] for _ in range(MAX_CALLS)]
    references = [["_"] * last + list(RESULT_NAMES[:number]) for number in range(MAX_CALLS)]
    for place, (name, slots) in enumerate(actions.items()):
        if name == REFUSAL:
            continue
        for number in range(MAX_CALLS):
            written = [(s, _value(s, bool(words), references[number])) for s in slots]
            if any(s.required and not value for s, value in written):
                continue
            calls[number].append(f"c{number}a{place}")
            rules += _call(f"c{number}a{place}", name, [(s, value) for s, value in written if value])
    refusals = " | ".join(_literal(quoted(reason)) for slot in actions.get(REFUSAL, ()) for reason in slot.fixed)
    refusal = [f"{_literal(f'{REFUSAL}(reason=')} ({refusals}) {_literal(')')}"] if refusals else []
    # From the last call to the first: a line alone, or a named one and what comes after it.
    after = ""
    for number in reversed(range(MAX_CALLS)):
        if calls[number]:
            rules.append(f"c{number} ::= {' | '.join(calls[number])}")
            named = f"{_literal(f'{RESULT_NAMES[number]} = ')} c{number} {_literal(chr(10))} {after}" if after else ""
            rules.append(f"l{number} ::= c{number}{f' | {named}' if named else ''}")
            after = f"l{number}"
    # A tokenizer that marks where words start begins every text with a blank.
    return "\n".join([f'root ::= " "? ({" | ".join([*([after] if after else []), *refusal])})', *rules])


def _spans(request: str, words: Sequence[Word]) -> list[str]:
    """Return the rules for the request's own text from any word to any later one; their number grows with the words, not with the spans."""
    rules = []
    for number, word in enumerate(words):
        rule = _literal(_inside(request[word.start : word.end]))
        if number + 1 < len(words):
            gap = request[word.end : words[number + 1].start]
            rule += f" ({f'{_literal(_inside(gap))} ' if gap else ''}s{number + 1})?"
        rules.append(f"s{number} ::= {rule}")
    if words:
        quote = _literal('"')
        rules.append(f"span ::= {quote} ({' | '.join(f's{n}' for n in range(len(words)))}) {quote}")
    return rules


def _value(slot: Slot, span: bool, references: list[str]) -> str:
    """Return what may stand for an argument, empty where nothing can."""
    flag = slot.fixed == ("true",)
    one = [_literal("true" if flag else quoted(v)) for v in slot.fixed] + (["span"] if slot.span and span else [])
    several = []
    if slot.several and one and not flag:
        item = f"({' | '.join(one)})"
        several = [f"{_literal('[')} {item} ({_literal(', ')} {item})* {_literal(']')}"]
    return " | ".join([*one, *several, *(_literal(r) for r in references if slot.reference)])


def _call(rule: str, name: str, slots: list[tuple[Slot, str]]) -> list[str]:
    """Return the rules of one call: arguments in declared order, a comma before all but the first that is there."""
    rules = [f"{rule} ::= {_literal(f'{name}(')} {rule}b0 {_literal(')')}"]
    for number, (slot, value) in enumerate(slots):
        argument = f"{_literal(f'{slot.name}=')} ({value})"
        rules.append(f"{rule}v{number} ::= {argument}")
        more = f"{rule}m{number + 1}"
        # b: nothing stands before it; m: something does.
        rules.append(f"{rule}b{number} ::= {rule}v{number} {more}{'' if slot.required else f' | {rule}b{number + 1}'}")
        comma = f"{_literal(', ')} {rule}v{number}"
        rules.append(f"{rule}m{number} ::= {comma if slot.required else f'({comma})?'} {more}")
    return [*rules, f'{rule}b{len(slots)} ::= ""', f'{rule}m{len(slots)} ::= ""']


def _inside(text: str) -> str:
    """Return `text` as it stands between the quotes of a plan."""
    return quoted(text)[1:-1]


def _literal(text: str) -> str:
    return '"' + "".join(f"\\{c}" if c in '"\\' else "\\n" if c == "\n" else c if c.isprintable() else f"\\U{ord(c):08x}" for c in text) + '"'
