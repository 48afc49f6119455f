"""Does a raw command only read? Judged by what every part of it would do, as a bash grammar reads it; what is not understood may change.

It decides how much a command is given, not whether it is safe: one that is taken for reading is run without any right to change, by the
kernel, so a wrong yes is a command that fails; a wrong no is a question too many. It owns the shapes of command lines; what single
programs do is in `_commands`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from nlsh.actions.shell._commands import NETWORK, SAFE_VARIABLES, reads
from nlsh.actions.shell._words import NotUnderstood, Word, blank, check_expansion, parse, text_of, word_of

if TYPE_CHECKING:
    from tree_sitter import Node

    Inside = Callable[[Node], None]

_MOST_DEPTH = 40
_BETWEEN = frozenset(
    {";", "\n", "&&", "||", "|", "|&", "(", ")", "{", "}", "!", "if", "then", "else", "elif", "fi", "for", "in", "do", "done", "while", "until"}
)
# What holds commands and nothing else.
_HOLDERS = frozenset(
    (
        "program",
        "list",
        "pipeline",
        "subshell",
        "compound_statement",
        "negated_command",
        "if_statement",
        "elif_clause",
        "else_clause",
        "while_statement",
        "do_group",
    )
)
_TEST_PARTS = frozenset(("unary_expression", "binary_expression", "negated_expression", "parenthesized_expression", "test_operator"))
# In [[ … ]] numbers are computed, and what is computed may run something; -v and -R look into what a name names.
_COMPUTED = re.compile(r"(?<!\S)-(eq|ne|lt|le|gt|ge|v|R)(?!\S)")


def only_reads(command: str, folder: str = "") -> bool:
    """Whether every part of a command line is known to only read, with these options. `folder`: where it runs, whose file names may look like options."""
    try:
        _Reading(command, folder).statement(parse(command), 0)
    except (NotUnderstood, RecursionError):
        return False
    return True


def needs_network_state(command: str) -> bool:
    """Whether a reading command asks the kernel about the network."""
    return bool(NETWORK & set(re.findall(r"[\w.-]+", command)))


class _Reading:
    """One walk over a command line; raises NotUnderstood at the first part that may change something."""

    def __init__(self, command: str, folder: str) -> None:
        # Whoever changes the folder on the way globs in another one.
        self._may_glob = bool(folder) and not re.search(r"\bcd\b", command) and not _has_dashes(folder)

    def statement(self, node: Node, depth: int) -> None:
        if depth > _MOST_DEPTH:
            raise NotUnderstood("too deep")

        def inside(held: Node) -> None:
            for child in held.named_children:
                self.statement(child, depth + 1)

        if node.type in _HOLDERS:
            for child in node.children:
                if child.is_named:
                    self.statement(child, depth + 1)
                elif child.type not in _BETWEEN:
                    raise NotUnderstood(child.type)
        elif node.type == "command":
            self._command(node, inside)
        elif node.type == "redirected_statement":
            for child in node.children:
                if child.type == "file_redirect":
                    _redirect(child, inside)
                else:
                    self.statement(child, depth + 1)
        elif node.type == "variable_assignment":
            _assignment(node, inside)
        elif node.type == "for_statement" and text_of(node).startswith("for"):
            self._for(node, depth, inside)
        elif node.type == "test_command" and text_of(node).startswith("["):
            _test(node, inside)
        elif node.type != "comment":
            raise NotUnderstood(node.type)

    def _command(self, node: Node, inside: Inside) -> None:
        words: list[Word] = []
        whole, at = node.text or b"", 0
        for child in node.children:
            # A line that ends is the end of a command, whatever the tree says.
            if not blank(whole[at : child.start_byte - node.start_byte]):
                raise NotUnderstood("a gap")
            at = child.end_byte - node.start_byte
            if child.type == "variable_assignment":
                name, value = _assignment(child, inside)
                if name not in SAFE_VARIABLES or not value.known:
                    raise NotUnderstood(f"a program is given {name}")
            elif child.type == "file_redirect":
                _redirect(child, inside)
            else:
                words.append(word_of(child, inside))
        if self._may_glob:
            # No file name here begins with a dash, so what a pattern finds is no option.
            words = [w if not w.globs or w.splits else Word("./" + w.text, globs=True) for w in words]
        if not words or not reads(words):
            raise NotUnderstood(text_of(node))

    def _for(self, node: Node, depth: int, inside: Inside) -> None:
        for child in node.children:
            if child.type == "variable_name":
                _check_name(text_of(child))
            elif child.type == "do_group":
                self.statement(child, depth + 1)
            elif child.is_named:
                word_of(child, inside)
            elif child.type not in _BETWEEN:
                raise NotUnderstood(child.type)


def _has_dashes(folder: str) -> bool:
    try:
        return any(name.startswith(("-", "+")) for name in os.listdir(folder))
    except OSError:
        return True


def _check_name(name: str) -> None:
    # A variable of the environment (PATH, PAGER, LD_PRELOAD) is passed on to programs when it is set.
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", name) or name.endswith("_proxy"):
        raise NotUnderstood(f"it sets {name}")


def _assignment(node: Node, inside: Inside) -> tuple[str, Word]:
    children = node.children
    if len(children) not in (2, 3) or children[0].type != "variable_name" or children[1].type != "=":
        raise NotUnderstood("an assignment")
    name = text_of(children[0])
    value = word_of(children[2], inside) if len(children) == 3 else Word("")
    if name not in SAFE_VARIABLES:
        _check_name(name)
    return name, value


def _redirect(node: Node, inside: Inside) -> None:
    sign, place = "", None
    for child in node.children:
        if child.type == "file_descriptor":
            continue
        if child.is_named and place is None:
            place = word_of(child, inside)
        elif not child.is_named and not sign:
            sign = child.type
        else:
            raise NotUnderstood("a redirection")
    if sign in (">&-", "<&-") and place is None:
        return
    if place is None:
        raise NotUnderstood("a redirection to nowhere")
    if sign in (">&", "<&") and re.fullmatch(r"\d+|-", place.text) and place.known:
        return
    if sign == "<" and not place.text.startswith(("/dev/tcp", "/dev/udp", "\0")):
        return
    if sign not in (">", ">>", "&>", "&>>", ">|") or place != Word("/dev/null"):
        raise NotUnderstood("it writes")


def _test(node: Node, inside: Inside) -> None:
    if _COMPUTED.search(text_of(node)):
        raise NotUnderstood("it computes")
    waiting = list(node.children)
    while waiting:
        part = waiting.pop()
        if part.type in _TEST_PARTS:
            waiting += part.children
        elif part.type == "regex":
            if re.search(r"[$`<>]", text_of(part)):
                raise NotUnderstood("a pattern")
        elif part.type in ("simple_expansion", "expansion", "command_substitution", "arithmetic_expansion"):
            check_expansion(part, inside)
        elif part.type == "extglob_pattern":
            if re.search(r"[$`<>]", text_of(part)):
                raise NotUnderstood("a pattern")
        elif part.is_named:
            word_of(part, inside)
