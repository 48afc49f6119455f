"""The grammar of plans, generated from the registry and narrowed to the request: it has only so many words to point at.

Everything the decoder can write under it is a call of a declared action with declared arguments in declared order; what is left to check afterwards is
that spans run forwards and that values mean something. A plan is calls, an argument is one value, every terminal is one token: so a position in the
grammar is four numbers, and what may come next is looked up, which costs nothing beside a general parser's search over two hundred actions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nlsh.planner.vocabulary import MAX_CALLS, REFUSAL, Catalogue, Slot

# Where one stands in a plan: the calls begun, the token of the last one's action, the place of its last argument (-1: none yet), and what that lacks.
State = tuple[int, int, int, int]
_WHOLE, _VALUE, _SPAN_END = range(3)


class Grammar:
    """What the decoder may write after what it has written, token by token."""

    start: State = (0, -1, -1, _WHOLE)

    def __init__(self, actions: Catalogue, words: int, *, last: bool, control: Mapping[str, int], end: int) -> None:
        """For a request of `words` words; `last` says whether there is a result of the last turn to refer to.

        `control` gives the ids of the control tokens, `end` is the one that ends a plan.
        """
        self._control, self._end = control, end
        self._slots = {control[f"<{name}>"]: slots for name, slots in actions.items()}
        self._refusal = control[f"<{REFUSAL}>"]
        self._calls = [token for token in self._slots if token != self._refusal]
        self._words = [control[f"<w{i}>"] for i in range(words)]
        self._references = [control[f"<r{i}>"] for i in range(0 if last else 1, MAX_CALLS)]
        self._arguments: dict[int, list[tuple[Slot, int, list[int]]]] = {}

    def allowed(self, state: State) -> Sequence[int]:
        """Return the tokens that may come next."""
        calls, action, place, lacks = state
        if not calls:
            return [*self._calls, self._refusal]
        if lacks == _SPAN_END:
            return self._words
        arguments = self._of(action)
        if lacks == _VALUE:
            return arguments[place][2]
        found = [arguments[place][1]] if place >= 0 and arguments[place][0].several else []
        for slot, token, _ in arguments[place + 1 :]:
            found.append(token)
            if slot.required:
                return found
        return [*found, *(self._calls if calls < MAX_CALLS and action != self._refusal else ()), self._end]

    def after(self, state: State, token: int) -> State:
        """Return where one stands after `token`, which must be an allowed one."""
        calls, action, place, lacks = state
        if lacks == _SPAN_END:
            return calls, action, place, _WHOLE
        if lacks == _VALUE:
            return calls, action, place, _SPAN_END if token in self._words else _WHOLE
        if token in self._slots:
            return calls + 1, token, -1, _WHOLE
        return calls, action, next(i for i, a in enumerate(self._of(action)) if a[1] == token), _VALUE

    def along(self, skeleton: Sequence[int], at: int, state: State) -> list[tuple[int, int]]:
        """Return the tokens that go on with a plan of this skeleton (`vocabulary.skeleton`), `at` of whose tokens are written, each with how many are then.

        None where this grammar has no such plan.
        """
        _, action, place, lacks = state
        due = skeleton[at] if at < len(skeleton) else self._end
        if lacks == _SPAN_END:
            return [(word, at) for word in self._words]
        more: list[tuple[int, int]] = []
        if place >= 0:
            slot, argument, values = self._of(action)[place]
            if lacks == _VALUE:
                return [(due, at + 1)] if due in values else [(word, at) for word in self._words if slot.span]
            if slot.several and slot.span:
                more.append((argument, at))
        allowed = self.allowed(state)
        return [(token, then) for token, then in ((due, at + 1), *more) if token in allowed]

    def _of(self, action: int) -> list[tuple[Slot, int, list[int]]]:
        """Return the arguments that can be written of an action: each with its token and those of its values, or of their first word."""
        if action not in self._arguments:
            found = []
            for slot in self._slots[action]:
                values = [self._control[f"<={v}>"] for v in slot.fixed]
                values += (self._words if slot.span else []) + (self._references if slot.reference else [])
                if values:
                    found.append((slot, self._control[f"<{slot.name}=>"], values))
            self._arguments[action] = found
        return self._arguments[action]
