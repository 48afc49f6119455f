"""Colours of the line that is typed. Nothing is looked up: a key must never wait for a disk."""

from __future__ import annotations

import re
from collections.abc import Callable

from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.lexers import Lexer
from prompt_toolkit.styles import Style

_PIECES = re.compile(
    r"""(?P<slash>^/[a-z]+(?=\s|$))|(?P<mark>^[!?]{1,2})|(?P<string>"[^"]*"?|(?<!\w)'[^']*'?|“[^”]*”?)|(?P<option>(?<!\S)--?[A-Za-z][\w-]*)
    |(?P<variable>\$\w+|\$\{[^}]*\}?)|(?P<operator>[|<>;&]+)|(?P<path>(?<!\S)(?:~|\.{1,2})?/[^\s|<>;&"']*)
    |(?P<amount>(?<!\S)\d+(?:\.\d+)?\s?(?:[KMGT]i?B?|B|%|[smhdw])?(?=\s|$))|(?P<call>\b[a-z]+\.[a-z_]+(?=\())""",
    re.X,
)
_LONGEST = 2_000  # characters of a line that are coloured
STYLE = Style.from_dict(
    {
        "slash": "ansicyan", "mark": "ansimagenta bold", "string": "ansigreen", "option": "ansiyellow", "variable": "ansimagenta", "operator": "bold",
        "path": "ansicyan", "amount": "ansiyellow", "call": "bold", "plan": "ansigreen", "dim": "ansibrightblack",
        "bottom-toolbar": "noreverse ansibrightblack", "bottom-toolbar.text": "noreverse ansibrightblack",
    }
)  # fmt: skip


class LineLexer(Lexer):
    """Colours what can be told from the text alone."""

    def lex_document(self, document: Document) -> Callable[[int], StyleAndTextTuples]:
        """Return the function that gives a line in its colours."""
        lines = document.lines
        return lambda number: pieces(lines[number]) if number < len(lines) else []


def pieces(line: str) -> StyleAndTextTuples:
    """Return a line as styled pieces that together are the line."""
    if len(line) > _LONGEST:
        return [("", line)]
    found: StyleAndTextTuples = []
    at = 0
    for match in _PIECES.finditer(line):
        if match.start() > at:
            found.append(("", line[at : match.start()]))
        found.append((f"class:{match.lastgroup}", match[0]))
        at = match.end()
    return [*found, ("", line[at:])]
