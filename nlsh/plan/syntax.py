"""The plan, written down: Python's own syntax, parsed with `ast`, never evaluated.

big = file.find(under="~/Downloads", larger="100MB", older="30d")
file.trash(big)

A plan that is to run later, repeatedly or on an event stands in one `with`: every("1h"), at("18:00"), when(process.exits(name="make")), background().
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from nlsh.plan.errors import BadPlan
from nlsh.plan.plan import LAST, Call, Plan, Ref, Value

if TYPE_CHECKING:
    from nlsh.plan.schedule import Schedule

MAX_PLAN_CHARACTERS = 100_000
_NAME = re.compile(r"[a-z_][a-z0-9_]*")


def parse_plan(text: str, positional: Callable[[str], str | None]) -> Plan:
    """Return the plan that `text` writes.

    `positional` gives the name of an action's first argument (which may be written without its name), or None if it has none; it
    raises UnknownAction. Raises BadPlan for anything that is not a call of an action with literal arguments.
    """
    if len(text) > MAX_PLAN_CHARACTERS:
        raise BadPlan(f"The plan has {len(text)} characters; at most {MAX_PLAN_CHARACTERS} are read.")
    try:
        return _parsed(text, positional)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        raise BadPlan(f"This is not a plan: {getattr(error, 'msg', error)}{f' in line {line}' if line else ''}.") from error


def _parsed(text: str, positional: Callable[[str], str | None]) -> Plan:
    body = ast.parse(text.strip() + "\n").body
    schedule = None
    if len(body) == 1 and isinstance(body[0], ast.With):
        schedule, body = _schedule(body[0]), body[0].body
    calls = []
    for node in body:
        result = None
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            result, value = node.targets[0].id, node.value
            if result == LAST or not _NAME.fullmatch(result):
                raise BadPlan(f"“{result}” cannot be the name of a result.")
        elif isinstance(node, ast.Expr):
            value = node.value
        elif isinstance(node, ast.With):
            raise BadPlan("A “with” stands around the whole plan, and there is one of it.", hint="Write two plans.")
        else:
            raise BadPlan(f"Line {node.lineno} is not a call of an action.")
        calls.append(_call(value, result, positional))
    if not calls:
        raise BadPlan("The plan is empty.")
    return Plan(tuple(calls), schedule)


def _schedule(node: ast.With) -> Schedule:
    from nlsh.plan.schedule import BUDGET, CONDITIONS, KINDS, schedule_of

    match node.items:
        case [ast.withitem(context_expr=ast.Call(func=ast.Name(id=kind)) as head, optional_vars=None)]:
            pass
        case _:
            raise BadPlan(f"“with {', '.join(map(ast.unparse, node.items))}” does not say when a plan runs.", hint='For example: with every("1h"):')
    if kind not in KINDS:
        schedule_of(kind, {})
    condition, args = "", dict[str, str]()
    given = list(head.args)
    if kind == "when":
        match given:
            case [ast.Call(func=ast.Attribute(value=ast.Name(id=noun), attr=verb)) as inner]:
                condition = f"{noun}.{verb}"
                if condition not in CONDITIONS:
                    schedule_of(kind, {}, condition)
                args = _words(condition, inner.args, inner.keywords, next(iter(CONDITIONS[condition][0]), None))
            case _:
                raise BadPlan("when needs one condition.", hint='For example: with when(process.exits(name="make")):')
        given = []
    more = _words(kind, given, head.keywords, {"every": "interval", "at": "time"}.get(kind))
    if clash := sorted(set(args) & set(more)) or (sorted(set(more) - {"missed", "retry", "priority", *BUDGET}) if kind == "when" else []):
        raise BadPlan(f"{kind} has no argument “{clash[0]}”.", hint="What is waited for has its own, in its own brackets.")
    return schedule_of(kind, {**args, **more}, condition)


def _words(what: str, given: list[ast.expr], keywords: list[ast.keyword], first: str | None) -> dict[str, str]:
    """Return the arguments of a schedule, which are texts and numbers."""
    if len(given) > 1 or (given and first is None):
        raise BadPlan(f"{what}: only the first argument may stand without its name.")
    pairs = [(str(first), given[0])] if given else []
    found: dict[str, str] = {}
    for key, node in [*pairs, *((str(k.arg), k.value) for k in keywords)]:
        value = _value(node, what)
        if not isinstance(value, str) or key in found:
            raise BadPlan(f"{what}: {key} is one text.")
        found[key] = value
    return found


def _call(node: ast.expr, result: str | None, positional: Callable[[str], str | None]) -> Call:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)):
        raise BadPlan(f"“{ast.unparse(node)}” is not a call of an action such as file.find(…).")
    action = f"{node.func.value.id}.{node.func.attr}"
    first = positional(action)
    args: dict[str, Value] = {}
    if len(node.args) > 1 or (node.args and first is None):
        raise BadPlan(f"{action}: only the first argument may stand without its name.")
    if node.args:
        args[str(first)] = _value(node.args[0], action)
    for keyword in node.keywords:
        if keyword.arg is None:
            raise BadPlan(f"{action}: ** is not part of a plan.")
        if keyword.arg in args:
            raise BadPlan(f"{action}: {keyword.arg} is given twice.")
        args[keyword.arg] = _value(keyword.value, action)
    return Call(action, args, result)


def _value(node: ast.expr, action: str) -> Value:
    match node:
        case ast.Constant(value=bool() as flag):
            return flag
        case ast.Constant(value=str() as text):
            return text
        case ast.Constant(value=int() | float() as amount):
            return str(amount)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as amount)) if not isinstance(amount, bool):
            return f"-{amount}"
        case ast.Name(id="true" | "false" as word):
            return word == "true"
        case ast.Name(id=name):
            return Ref(name)
        case ast.List(elts=items) | ast.Tuple(elts=items):
            values = tuple(_value(i, action) for i in items)
            if all(isinstance(v, str) for v in values):
                return values  # type: ignore[return-value]
    raise BadPlan(f"{action}: “{ast.unparse(node)}” is not a value a plan can hold.")


def format_plan(plan: Plan, positional: Callable[[str], str | None] = lambda action: None) -> str:
    """Return the text of `plan`, one call a line, or one line where it has a schedule; `parse_plan` reads it back to an equal plan."""
    lines = []
    for call in plan.calls:
        first = positional(call.action)
        parts: list[str] = []
        for key, value in call.args.items():
            parts.append(_written(value) if key == first and not parts else f"{key}={_written(value)}")
        text = f"{call.action}({', '.join(parts)})"
        lines.append(f"{call.result} = {text}" if call.result else text)
    if plan.schedule is not None:
        return f"{plan.schedule} " + "; ".join(lines)
    return "\n".join(lines)


def _written(value: Value) -> str:
    if isinstance(value, Ref):
        return value.name
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(quoted(v) for v in value) + "]"
    return quoted(value)


def quoted(text: str) -> str:
    """Return a text as it stands in a plan."""
    escaped = "".join(_escape(c) for c in text)
    return f'"{escaped}"'


def _escape(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char.isprintable():
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
