"""Which words of a request are which argument of an action that came after training, told by its examples.

The decoder has learned nothing about such an action: of “a copy of Music on sdb, to be safe” it may take either name for what is kept. The encoder's state
of a word says what the word is to its sentence (decision 30), and in the examples of an action it is much the same for the words of one argument. So each
argument is the mean of its words' states in the examples, as a class is the mean of its few examples in a prototypical network (arXiv 1703.05175): values
go to the arguments they are nearest to, and a second reading takes every word for what it is nearest to.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from operator import mul

from nlsh.plan.frozen import frozen
from nlsh.plan.plan import Call, Value
from nlsh.planner.lexer import Word, lex, span_text

_NONE = ""  # what is part of no argument
MOST_TURNED = 4  # arguments that are put in every order: 24 of them
State = Sequence[float]


@frozen()
class Seen:
    """A request as the encoder sees it: its words, and the state of each, of unit length; None where it saw nothing of a word."""

    request: str
    words: list[Word]
    states: list[State | None]


def unit(states: Iterable[State]) -> State | None:
    """Return the mean of states, of unit length; None of no state."""
    total = [sum(column) for column in zip(*states, strict=True)]
    length = math.sqrt(sum(v * v for v in total))
    return [v / length for v in total] if length else None


def prototypes(examples: Iterable[tuple[Call, Seen]]) -> dict[str, State]:
    """Return the mean state of each argument's words in examples of one action, under "" that of all other words."""
    states: dict[str, list[State]] = defaultdict(list)
    for call, seen in examples:
        part = [_NONE] * len(seen.words)
        for argument, value in call.args.items():
            for one in value if isinstance(value, tuple) else (value,):
                for n in _place(one, seen) or ():
                    part[n] = argument
        for argument, state in zip(part, seen.states, strict=True):
            if state is not None:
                states[argument].append(state)
    return {argument: mean for argument, of in states.items() if (mean := unit(of)) is not None}


def turned(call: Call, seen: Seen, known: Mapping[str, State]) -> Call:
    """Return the call with its values in that order in which they are nearest to their arguments."""
    places = {argument: _place(value, seen) for argument, value in call.args.items() if argument in known}
    states = {a: unit(s for n in place if (s := seen.states[n]) is not None) for a, place in places.items() if place}
    arguments = [a for a, state in states.items() if state is not None]
    if not 2 <= len(arguments) <= MOST_TURNED:
        return call
    near = {(a, b): sum(map(mul, known[a], states[b] or ())) for a in arguments for b in arguments}
    best = max(permutations(arguments), key=lambda order: sum(near[a, b] for a, b in zip(arguments, order, strict=True)))
    return replace(call, args={**call.args, **{a: call.args[b] for a, b in zip(arguments, best, strict=True)}})


def tagged(call: Call, seen: Seen, known: Mapping[str, State]) -> Call | None:
    """Return the call with each argument that stands in the request taken from the words nearest to it; None where one of them has none."""
    wanted = [argument for argument, value in call.args.items() if argument in known and _place(value, seen)]
    best: dict[str, tuple[float, int, int]] = {}
    closeness = [{a: sum(map(mul, known[a], state)) for a in known} if state is not None else {} for state in seen.states]
    parts = [max(near, key=near.__getitem__) if near else _NONE for near in closeness]
    for first, last, argument in _runs(parts, seen.words):
        sure = sum(closeness[n][argument] - closeness[n].get(_NONE, 0.0) for n in range(first, last + 1) if parts[n] == argument)
        best[argument] = max(best.get(argument, (-math.inf, 0, 0)), (sure, first, last))
    if not wanted or any(argument not in best for argument in wanted):
        return None
    values: dict[str, Value] = {a: span_text(seen.request, seen.words, *best[a][1:]) for a in wanted}
    return replace(call, args={**call.args, **values})


def _runs(parts: Sequence[str], words: Sequence[Word]) -> Iterable[tuple[int, int, str]]:
    """Yield the first and last word of every run of words that are one argument; a word of none between two of it is part of it."""
    parts = [a if a or not 0 < n < len(parts) - 1 or parts[n - 1] != parts[n + 1] else parts[n - 1] for n, a in enumerate(parts)]
    start = 0
    for n in range(1, len(parts) + 1):
        if n == len(parts) or parts[n] != parts[start]:
            first, last = start, n - 1
            while last > first and not any(map(str.isalnum, words[last].text)):
                last -= 1
            if parts[start]:
                yield first, last, parts[start]
            start = n


def _place(value: object, seen: Seen) -> range | None:
    """Return the numbers of the words that a value is, where it stands in the request from word to word."""
    if not isinstance(value, str) or not value:
        return None
    start = seen.request.find(value)
    while start >= 0:
        first = next((n for n, w in enumerate(seen.words) if w.start == start), None)
        last = next((n for n, w in enumerate(seen.words) if w.end == start + len(value)), None)
        if first is not None and last is not None:
            return range(first, last + 1)
        start = seen.request.find(value, start + 1)
    return None


def seen_by(request: str, pieces: Sequence[str], states: Sequence[float]) -> Seen:
    """Return a request with the states of its words; `pieces` are the encoder's tokens, `states` its state of each, one after the other."""
    from nlsh.planner.roles import piece_starts

    words = lex(request)
    of: list[list[State]] = [[] for _ in words]
    width = len(states) // max(1, len(pieces))
    for number, start in enumerate(piece_starts(request, pieces) if width else ()):
        word = next((n for n, w in enumerate(words) if w.start <= start < w.end), None)
        if word is not None:
            of[word].append(states[number * width : (number + 1) * width])
    return Seen(request, words, [unit(s) if s else None for s in of])
