"""New names by a regular expression: what it matches becomes a text in which $1 or \\1 is what its first group matched."""

from __future__ import annotations

import re

from nlsh.plan.errors import BadArgument
from nlsh.world.patterns import compiled
from nlsh.world.substitution import Part, all_replaced

_GROUP = re.compile(r"\$(?:\{(\w+)\}|(\d{1,2})|\$)|\\(?:g<(\w+)>|(\d{1,2})|\\)")


def by_expression(expression: str, by: str, names: list[str]) -> dict[str, str]:
    """Return for each name what it becomes when each match of `expression` is replaced by `by`.

    Raises BadArgument for a wrong expression or a group that it has not, and NotPossible where a match takes longer than about a second.
    """
    pattern = compiled(expression)
    return dict(zip(names, all_replaced(pattern, _parts(pattern, by), names), strict=True))


def _parts(pattern: re.Pattern[str], by: str) -> list[Part]:
    """Return `by` cut into plain texts and groups of `pattern`."""
    parts: list[Part] = []
    at = 0
    for match in _GROUP.finditer(by):
        said = match[1] or match[2] or match[3] or match[4]
        parts.append(by[at : match.start()])
        at = match.end()
        if said is None:
            parts.append(match[0][0])  # $$ and \\ are the signs themselves
            continue
        group: int | str = int(said) if said.isdigit() else said
        if group not in pattern.groupindex and (isinstance(group, str) or group > pattern.groups):
            raise BadArgument(f"“{pattern.pattern}” has no group {group}, which “{by}” names.", hint=r"Put what is to be kept in brackets, as in IMG_(\d+).")
        parts.append((group,))
    return [*parts, by[at:]]
