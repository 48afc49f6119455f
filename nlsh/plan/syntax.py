"""The plan, written down: Python's own syntax, parsed with `ast`, never evaluated.

big = file.find(under="~/Downloads", larger="100MB", older="30d")
file.trash(big)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

from nlsh.plan.errors import BadPlan
from nlsh.plan.plan import LAST, Call, Plan, Ref, Value

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
    tree = ast.parse(text.strip() + "\n")
    calls = []
    for node in tree.body:
        result = None
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            result, value = node.targets[0].id, node.value
            if result == LAST or not _NAME.fullmatch(result):
                raise BadPlan(f"“{result}” cannot be the name of a result.")
        elif isinstance(node, ast.Expr):
            value = node.value
        else:
            raise BadPlan(f"Line {node.lineno} is not a call of an action.")
        calls.append(_call(value, result, positional))
    if not calls:
        raise BadPlan("The plan is empty.")
    return Plan(tuple(calls))


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
    """Return the text of `plan`, one call a line; `parse_plan` reads it back to an equal plan."""
    lines = []
    for call in plan.calls:
        first = positional(call.action)
        parts = []
        for key, value in call.args.items():
            parts.append(_written(value) if key == first and not parts else f"{key}={_written(value)}")
        text = f"{call.action}({', '.join(parts)})"
        lines.append(f"{call.result} = {text}" if call.result else text)
    return "\n".join(lines)


def _written(value: Value) -> str:
    if isinstance(value, Ref):
        return value.name
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(_quoted(v) for v in value) + "]"
    return _quoted(value)


def _quoted(text: str) -> str:
    escaped = "".join(_escape(c) for c in text)
    return f'"{escaped}"'


def _escape(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char.isprintable():
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
