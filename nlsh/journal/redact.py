"""What looks like a secret is left out of what is written down about a request: the audit and the journal are kept for months.

By shape only: a secret that looks like a word is a word (`docs/limits.md`).
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

HIDDEN = "(hidden)"
_VALUE = r"""(?:\\?(?P<quote>["']).*?(?:(?P=quote)|\Z)|[^\s"',;)]+)"""
_NAMES = (
    r"pass(?:word|wd|phrase|code)?|pwd|secret|token|credentials?|api[_-]?key|(?:access|secret|private|auth|client)[_-]?(?:key|token|secret)"
    r"|密码|口令|密钥|令牌"
)
# Keys that can be told by how they begin.
_KEYS = (
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)",
    r"(?<![A-Za-z0-9])(?:gh[pousr]_|github_pat_|glpat-|hf_|npm_|pypi-|sk-|sk_live_|rk_live_|xox[abeprs]-|AIza|dop_v1_)[A-Za-z0-9_\-]{10,}",
    r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{12,}",
    r"(?<![A-Za-z0-9])eyJ[A-Za-z0-9_\-]{5,}\.[A-Za-z0-9_\-]{5,}(?:\.[A-Za-z0-9_\-]*)?",
)
# What stands where a secret stands, in any case; what is kept of a match is the group `kept`.
_PLACES = (
    r"(?P<kept>://[^/\s:@\"']*:)[^/\s@\"']+(?=@)",
    r"(?P<kept>\b(?:proxy-)?authorization\s*:\s*(?:(?:bearer|basic|token|digest)\s+)?)[^\s\"']+",
    r"(?P<kept>\bbearer\s+)[A-Za-z0-9_\-.=+/]{8,}",
    rf"(?P<kept>(?:\b|_)(?:{_NAMES})[\"']?\s*(?:=|:|:|\bis\b|是|为)\s*){_VALUE}",
    rf"(?P<kept>--(?:{_NAMES})\s+){_VALUE}",
)


@cache
def _compiled() -> tuple[re.Pattern[str], ...]:
    return (*(re.compile(shape, re.S) for shape in _KEYS), *(re.compile(shape, re.S | re.I) for shape in _PLACES))


def redacted(value: Any) -> Any:
    """Return a text, or the texts in lists and dicts, with what looks like a secret replaced."""
    if isinstance(value, str):
        for shape in _compiled():
            value = shape.sub(lambda m: (m.groupdict().get("kept") or "") + HIDDEN, value)
        return value
    if isinstance(value, (list, tuple)):
        return [redacted(v) for v in value]
    if isinstance(value, dict):
        return {k: redacted(v) for k, v in value.items()}
    return value
