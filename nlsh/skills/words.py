"""Values in command lines: each becomes one quoted word, and stands only where a shell reads a word and nothing else.

A command line that is `{name}` and nothing else is the value: there a pack says that it takes a command line.
What is left to a shell is read once: in quotes, in a substitution, in a text that is given to a command, a value could end what it stands in.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from nlsh.plan.errors import BadArgument, BadPlan

if TYPE_CHECKING:
    from tree_sitter import Node

RUN_BY_A_SHELL = {"shell.run": "command", "process.start": "command"}  # the argument of an action that is a command line
PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_MARK = re.compile(r"NLSH([0-9]+)VALUE")
_TAKES_WORDS = frozenset(("command", "file_redirect", "for_statement"))
_AROUND = frozenset(
    (
        "program", "list", "pipeline", "subshell", "compound_statement", "negated_command", "if_statement", "elif_clause", "else_clause", "while_statement",
        "do_group", "redirected_statement", "for_statement", "command",
    )
)  # fmt: skip


def check_command(command: str, names: Collection[str]) -> None:
    """Raise BadPlan where one of these names stands in a command line in another place than a word's."""
    _places(command, names)


def filled_command(command: str, given: Mapping[str, str], paths: Collection[str] = ()) -> str:
    """Return a command line with every `{name}` replaced by its value, quoted. `paths`: the names whose values are paths.

    Raises BadPlan where one stands in another place than a word's, and BadArgument for a value that would be an option there.
    """
    if (whole := PLACEHOLDER.fullmatch(command.strip())) is not None and whole[1] in given:
        return given[whole[1]]
    values = {n: _path(v) if n in paths else v for n, v in given.items()}
    for name, may_be_option in _places(command, given):
        if may_be_option and values[name].startswith("-"):
            raise BadArgument(f"{name}: “{values[name]}” begins with a dash, and would be an option of the command.", hint="Nothing was run.")
    return PLACEHOLDER.sub(lambda m: shlex.quote(values[m[1]]) if m[1] in values else m[0], command)


def _path(written: str) -> str:
    path = os.path.expanduser(written)
    return f"./{path}" if path.startswith("-") else path


def _places(command: str, names: Collection[str]) -> list[tuple[str, bool]]:
    """Return each name with whether its value could be taken for an option. Raises BadPlan."""
    from nlsh.actions.shell._words import NotUnderstood, parse

    used = [m[1] for m in PLACEHOLDER.finditer(command) if m[1] in names]
    if not used or PLACEHOLDER.fullmatch(command.strip()):
        return []
    numbers = iter(range(len(used)))
    try:
        root = parse(PLACEHOLDER.sub(lambda m: f"NLSH{next(numbers)}VALUE" if m[1] in names else m[0], command))
    except NotUnderstood as error:
        raise BadPlan(f"“{command}” is not a command line that a value can be put into: {error}.", hint="Nothing was run.") from error
    found = {number: may_be_option for node in _words(root) for number, may_be_option in _marks(node)}
    for number, name in enumerate(used):
        if number not in found:
            raise BadPlan(
                f"“{command}”: {{{name}}} must be a word of its own or a part of one, not in quotes, in a substitution or in the program's place.",
                hint="Nothing was run. A value is quoted where it stands.",
            )
    return [(name, found[number]) for number, name in enumerate(used)]


def _words(root: Node) -> Iterator[Node]:
    """Yield the words that programs are given, files are named by, and loops go over, outside of substitutions."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        for child in node.named_children:
            if child.type in _AROUND or child.type == "file_redirect":
                waiting.append(child)
            elif node.type in _TAKES_WORDS and child.type in ("word", "concatenation"):
                yield child


def _marks(word: Node) -> Iterator[tuple[int, bool]]:
    """Yield the marks in a word that stand outside of quotes, each with whether it begins what may be an option."""
    parts = word.children if word.type == "concatenation" else [word]
    before = word.prev_named_sibling
    while before is not None and before.text != b"--":
        before = before.prev_named_sibling
    option = before is None and word.parent is not None and word.parent.type == "command"
    for part in (p for p in parts if p.type == "word"):
        for mark in _MARK.finditer((part.text or b"").decode()):
            yield int(mark[1]), option and part.start_byte + mark.start() == word.start_byte
