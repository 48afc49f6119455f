"""The plan, written down: Python's own syntax, parsed with `ast` (in `reading`, which what only writes does without), never evaluated.

big = file.find(under="~/Downloads", larger="100MB", older="30d")
file.trash(big)

A plan that is to run later, repeatedly or on an event stands in one `with`: every("1h"), at("18:00"), when(process.exits(name="make")), background().
"""

from __future__ import annotations

from collections.abc import Callable

from nlsh.plan.errors import BadPlan
from nlsh.plan.plan import Plan, Ref, Value

MAX_PLAN_CHARACTERS = 100_000


def parse_plan(text: str, positional: Callable[[str], str | None]) -> Plan:
    """Return the plan that `text` writes.

    `positional` gives the name of an action's first argument (which may be written without its name), or None if it has none; it
    raises UnknownAction. Raises BadPlan for anything that is not a call of an action with literal arguments.
    """
    if len(text) > MAX_PLAN_CHARACTERS:
        raise BadPlan(f"The plan has {len(text)} characters; at most {MAX_PLAN_CHARACTERS} are read.")
    from nlsh.plan.reading import parsed

    try:
        return parsed(text, positional)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        raise BadPlan(f"This is not a plan: {getattr(error, 'msg', error)}{f' in line {line}' if line else ''}.") from error


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
