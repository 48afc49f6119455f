"""The words the decoder writes plans with, derived from the registry: one control token an action, an argument, a fixed value.

A value is otherwise a span of the request (`<w3><w5>`) or a reference (`<r1>`: the result of call 1, `<r0>`: of the last turn). Text a user types can
never become one of these tokens: they have token type CONTROL and user text is tokenised without special tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from nlsh.plan.action import Arg
from nlsh.plan.amounts import Whole
from nlsh.plan.errors import BadPlan
from nlsh.plan.frozen import frozen
from nlsh.plan.plan import LAST, Call, Plan, Ref, Value
from nlsh.plan.values import Flag, Paths
from nlsh.planner.lexer import MAX_WORDS, Word, span_text

REFUSAL = "none.refuse"
REASONS = ("chat", "unclear", "outside", "dangerous")
FRAME = ("<pad>", "<bos>", "<eos>", "<prev>", "<usr>", "<cand>", "<plan>")
MAX_CALLS = 4
REFERENCES = tuple(f"<r{i}>" for i in range(MAX_CALLS))
WORDS = tuple(f"<w{i}>" for i in range(MAX_WORDS))
RESULT_NAMES = "abcdefgh"
# For what the decoder was not trained on: an action of a skill pack, its arguments and fixed values are called by these in one request.
ALIASES = {"<": tuple(f"<any{i}>" for i in range(6)), "=": tuple(f"<any{i}=>" for i in range(8)), "<=": tuple(f"<=any{i}>" for i in range(8))}


@frozen()
class Slot:
    """What one argument of one action may be: `fixed` values, and whether a span, a reference or several values are possible."""

    name: str
    fixed: tuple[str, ...]
    span: bool
    reference: bool
    several: bool
    required: bool

    def only(self, fixed: tuple[str, ...]) -> Slot:
        """Return the slot with these fixed values alone."""
        return Slot(self.name, fixed, self.span, self.reference, self.several, self.required)


Catalogue = Mapping[str, tuple[Slot, ...]]


def catalogue() -> dict[str, tuple[Slot, ...]]:
    """Return every action of the registry with its slots in declared order, and the refusal."""
    from nlsh.plan.registry import all_actions

    found = {a.name: tuple(_slot(name, declared) for name, declared in a.Args.fields.items()) for a in all_actions()}
    found[REFUSAL] = (Slot("reason", REASONS, False, False, False, True),)
    return found


def cached_catalogue() -> dict[str, tuple[Slot, ...]]:
    """Return `catalogue()` without importing the actions, from the user's cache while no file of the catalogue has changed."""
    import json
    import os

    from nlsh.settings import cache_dir

    stamp = _stamp()
    file = cache_dir() / "catalogue.json"
    try:
        saved = json.loads(file.read_text())
        if saved["stamp"] == [list(s) for s in stamp]:
            return {name: tuple(Slot(s[0], tuple(s[1]), *s[2:]) for s in slots) for name, slots in saved["actions"].items()}
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        pass
    fresh = catalogue()
    part = file.with_suffix(f".{os.getpid()}")
    try:
        part.write_text(
            json.dumps({"stamp": stamp, "actions": {n: [[s.name, s.fixed, s.span, s.reference, s.several, s.required] for s in v] for n, v in fresh.items()}})
        )
        part.replace(file)
    except OSError:
        pass  # a cache that cannot be written costs time, nothing else
    return fresh


def _stamp() -> list[tuple[str, int, int]]:
    """Return what changes with every file that a slot comes from: those of the actions, those of their values, and this one."""
    import os

    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    found = []
    with os.scandir(os.path.join(root, "actions")) as rooms:
        folders = [os.path.join(root, "plan"), os.path.join(root, "planner"), *(room.path for room in rooms if room.is_dir())]
    for folder in folders:
        with os.scandir(folder) as files:
            found += [(f.path, s.st_mtime_ns, s.st_size) for f in files if f.name.endswith(".py") and (s := f.stat())]
    return sorted(found)


def _slot(name: str, declared: Arg) -> Slot:
    kind = declared.type
    flag, paths = isinstance(kind, Flag), isinstance(kind, Paths)
    several = (paths and kind.name == "paths") or kind.name in ("processes", "process ids", "names", "shares", "sizes")
    closed = flag or kind.name in ("choice", "result")
    return Slot(
        name,
        ("true",) if flag else tuple(dict.fromkeys((*kind.choices, *declared.common))),
        span=not closed,
        reference=paths or kind.name in ("processes", "result"),
        several=several or (isinstance(kind, Whole) and kind.name.endswith("ids")),
        required=declared.required,
    )


def control_tokens(actions: Catalogue) -> list[str]:
    """Return every control token, in a stable order; the position is the token id."""
    names = sorted(actions)
    arguments = sorted({s.name for slots in actions.values() for s in slots})
    fixed = sorted({v for slots in actions.values() for s in slots for v in s.fixed})
    aliases = [t for group in ALIASES.values() for t in group]
    return [*FRAME, *WORDS, *REFERENCES, *aliases, *(f"<{n}>" for n in names), *(f"<{a}=>" for a in arguments), *(f"<={v}>" for v in fixed)]


def token_class(token: str) -> str:
    """Return which of ALIASES can stand for a control token: "<" for an action, "=" for an argument, "<=" for a fixed value, "" for what is none of them."""
    if token.startswith("<="):
        return "<="
    return "=" if token.endswith("=>") else "<" if "." in token else ""


def said(token: str) -> str:
    """Return the words of an action's, an argument's or a fixed value's name: “lamp dim” of `<lamp.dim>`, “room” of `<room=>`, “eco” of `<=eco>`."""
    return " ".join(token.strip("<=>").replace("_", " ").replace("-", " ").replace(".", " ").split())


def aliases_for(skeletons: Iterable[Iterable[str]], known: Mapping[str, int]) -> dict[str, str]:
    """Return what the tokens that the decoder does not know go by in one request; a token for which no alias is left has none."""
    free = {group: [t for t in tokens if t in known] for group, tokens in ALIASES.items()}
    names: dict[str, str] = {}
    for token in dict.fromkeys(t for tokens in skeletons for t in tokens):
        if token not in known and free.get(token_class(token)):
            names[token] = free[token_class(token)].pop(0)
    return names


def renamed(actions: Catalogue, names: Mapping[str, str], known: Mapping[str, int]) -> dict[str, tuple[Slot, ...]]:
    """Return the actions that go by an alias, with those arguments and fixed values that can be written."""
    found = {}
    for name, slots in actions.items():
        if f"<{name}>" not in names:
            continue
        written = []
        for slot in slots:
            argument = names.get(f"<{slot.name}=>", f"<{slot.name}=>")
            if argument in known:
                fixed = tuple(names.get(f"<={v}>", f"<={v}>")[2:-1] for v in slot.fixed if names.get(f"<={v}>", f"<={v}>") in known)
                written.append(Slot(argument[1:-2], fixed, slot.span, slot.reference, slot.several, slot.required))
        found[names[f"<{name}>"][1:-1]] = tuple(written)
    return found


def skeleton(calls: Iterable[Call], actions: Catalogue) -> list[str]:
    """Return the tokens of a plan without its values: what a candidate in the prompt looks like."""
    tokens = []
    for call in calls:
        tokens.append(f"<{call.action}>")
        for slot in actions[call.action]:
            if slot.name in call.args:
                tokens.append(f"<{slot.name}=>")
                value = call.args[slot.name]
                written = "true" if value is True else value
                if isinstance(written, str) and written in slot.fixed:
                    tokens.append(f"<={written}>")
                elif isinstance(value, Ref):
                    tokens.append("<r0>" if value.name == LAST else "<r1>")
    return tokens


def encode(calls: Iterable[Call], actions: Catalogue, span_of: Mapping[str, tuple[int, int]]) -> list[str]:
    """Return the tokens that write a plan; `span_of` gives the words for a value such as "{dir}". Raises KeyError where one has none."""
    tokens, names = [], {LAST: 0}
    for number, call in enumerate(calls, start=1):
        if call.result:
            names[call.result] = number
        tokens.append(f"<{call.action}>")
        for slot in actions[call.action]:
            if slot.name not in call.args:
                continue
            value = call.args[slot.name]
            for item in value if isinstance(value, tuple) else (value,):
                tokens.append(f"<{slot.name}=>")
                written = "true" if item is True else item
                if isinstance(item, Ref):
                    tokens.append(f"<r{names[item.name]}>")
                elif written in slot.fixed:
                    tokens.append(f"<={written}>")
                else:
                    first, last = span_of[str(written)]
                    tokens += [f"<w{first}>", f"<w{last}>"]
        unknown = set(call.args) - {s.name for s in actions[call.action]}
        if unknown:
            raise KeyError(f"{call.action} has no {', '.join(sorted(unknown))}")
    return tokens


def decode(tokens: Iterable[str], actions: Catalogue, request: str, words: list[Word]) -> Plan:
    """Return the plan that the decoder's tokens write. Raises BadPlan where they write none."""
    calls: list[tuple[str, dict[str, Value]]] = []
    used: set[int] = set()
    it: Iterator[str] = iter(tokens)
    try:
        for token in it:
            name = token[1:-1]
            if name in actions:
                calls.append((name, {}))
                continue
            argument = name.removesuffix("=")
            slot = next(s for s in actions[calls[-1][0]] if s.name == argument)
            value: Value = _value(next(it), it, request, words, len(calls))
            if isinstance(value, Ref) and value.name != LAST:
                used.add(RESULT_NAMES.index(value.name))
            args = calls[-1][1]
            if isinstance(value, str) and value == "true" and slot.fixed == ("true",):
                value = True
            if argument in args:
                before = args[argument]
                if not slot.several or not isinstance(value, str) or isinstance(before, (bool, Ref)):
                    raise BadPlan(f"{argument} stands twice.")
                value = (*(before if isinstance(before, tuple) else (before,)), value)
            args[argument] = value
    except (StopIteration, IndexError, RuntimeError, KeyError) as error:
        raise BadPlan(f"The model wrote no plan: {' '.join(tokens)[:200]}") from error
    return Plan(tuple(Call(name, args, RESULT_NAMES[i] if i in used else None) for i, (name, args) in enumerate(calls)))


def _value(token: str, it: Iterator[str], request: str, words: list[Word], call: int) -> str | Ref:
    if token.startswith("<="):
        return token[2:-1]
    if token.startswith("<r"):
        number = int(token[2:-1])
        if number >= call:
            raise IndexError("a reference to a later call")
        return Ref(LAST if number == 0 else RESULT_NAMES[number - 1])
    return span_text(request, words, int(token[2:-1]), int(next(it)[2:-1]))
