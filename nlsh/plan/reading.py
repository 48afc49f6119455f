"""A written plan, read: the syntax tree that Python makes of it, of which only calls with literal arguments are a plan. See `syntax`."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from nlsh.plan.errors import BadPlan
from nlsh.plan.plan import LAST, Call, Plan, Ref, Value

if TYPE_CHECKING:
    from nlsh.plan.schedule import Schedule

_NAME = re.compile(r"[a-z_][a-z0-9_]*")


def parsed(text: str, positional: Callable[[str], str | None]) -> Plan:
    """Return the plan that `text` writes. Raises BadPlan, and what `ast.parse` raises."""
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
