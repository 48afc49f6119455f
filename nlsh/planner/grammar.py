"""The grammar of plans (GBNF), generated from the registry and narrowed to the request: it has only so many words to point at.

Everything the decoder can write under it is a call of a declared action with declared arguments in declared order; what is left to check afterwards is
that spans run forwards and that values mean something.
"""

from __future__ import annotations

from collections.abc import Callable

from nlsh.planner.vocabulary import MAX_CALLS, REFUSAL, Catalogue


def build(actions: Catalogue, words: int, *, last: bool, token: Callable[[str], str]) -> str:
    """Return the grammar for a request of `words` words; `last` says whether there is a result of the last turn to refer to.

    `token` gives the grammar's way to write a control token.
    """
    rules = []
    span = "span" if words else None
    names = []
    for number, (name, slots) in enumerate(actions.items()):
        body = [token(f"<{name}>")]
        for slot in slots:
            values = [token(f"<={v}>") for v in slot.fixed]
            if slot.span and span:
                values.append(span)
            if slot.reference:
                values.append("ref")
            if not values:
                continue
            one = f"{token(f'<{slot.name}=>')} ({' | '.join(values)})"
            body.append(f"({one}){'' if slot.required and not slot.several else '+' if slot.required else '*' if slot.several else '?'}")
        rules.append(f"a{number} ::= {' '.join(body)}")
        if name == REFUSAL:
            refusal = f"a{number}"
        else:
            names.append(f"a{number}")
    references = [token(f"<r{i}>") for i in range(0 if last else 1, MAX_CALLS)]
    rules += [
        # llama.cpp itself allows the end token exactly where the root is complete.
        f"root ::= call{' call?' * (MAX_CALLS - 1)} | {refusal}",
        f"call ::= {' | '.join(names)}",
        f"ref ::= {' | '.join(references)}",
        *([f"w ::= {' | '.join(token(f'<w{i}>') for i in range(words))}", "span ::= w w"] if words else []),
    ]
    return "\n".join(rules)
