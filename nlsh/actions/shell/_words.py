"""The words of a command line as a bash grammar reads them: what they say, and what of it is known only when the shell runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

# Stands in a word for what an expansion will put there.
UNKNOWN = "\0"
# ${name}, its length, a part of it, or something else where it is not set. Not ${!name}, ${name:=…}, ${name@P} and arithmetic, which run or set.
_EXPANSION = re.compile(r"\$\{#?(?:[A-Za-z_]\w*|[0-9]+)(:?[-+?].*|[#%]{1,2}.*)?\}", re.S)
_NUMBERS = re.compile(r"\$\(\([\d\s+*/%<>=!&|^~?:()-]*\)\)")
_BLANK = re.compile(r"(?:[ \t]|\\\n)*")


@dataclass(frozen=True)
class Word:
    """A word after quotes are taken away. `splits`: it may become several words, or none; `globs`: file names may take its place."""

    text: str
    splits: bool = False
    globs: bool = False

    @property
    def known(self) -> bool:
        """Whether what it says is known before it runs."""
        return not (self.splits or self.globs) and UNKNOWN not in self.text

    @property
    def may_be_option(self) -> bool:
        """Whether it is, or may become, something that begins with a dash."""
        return self.splits or self.text[:1] in ("-", "+", UNKNOWN, "") or (self.globs and self.text[:1] in "*?[")


class NotUnderstood(Exception):
    """A part of a command line that is not looked into."""


def parse(command: str) -> Node:
    """Return the tree of a command line. Raises NotUnderstood where it is no valid one."""
    if any(c < " " and c not in "\t\n" for c in command) or "\x7f" in command:
        raise NotUnderstood("control characters")
    try:
        source = command.encode()
    except UnicodeEncodeError:
        raise NotUnderstood("not UTF-8") from None
    root = _parser().parse(source).root_node
    if root.has_error or not root.children:
        raise NotUnderstood("not a valid command line")
    _check_cover(root, source)
    return root


@cache
def _parser() -> Parser:
    import tree_sitter_bash
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_bash.language()))


def _check_cover(root: Node, source: bytes) -> None:
    """Raise NotUnderstood where something stands between the parts of the tree that is not white: what the tree does not show is not judged."""
    waiting, at = [root], 0
    while waiting:
        node = waiting.pop()
        if node.child_count and node.type not in ("word", "string", "string_content", "raw_string", "heredoc_body"):
            waiting += reversed(node.children)
            continue
        if not blank(source[at : node.start_byte].replace(b"\n", b" ").replace(b"\\ ", b" ")):
            raise NotUnderstood(f"something before {node.type}")
        at = max(at, node.end_byte)
    if source[at:].strip():
        raise NotUnderstood("something at the end")


def blank(source: bytes) -> bool:
    """Whether there is nothing but blanks and continued lines."""
    return _BLANK.fullmatch(source.decode(errors="replace")) is not None


def text_of(node: Node) -> str:
    """Return the source of a node."""
    return (node.text or b"").decode()


def word_of(node: Node, substituted: Callable[[Node], None]) -> Word:
    """Return a word; `substituted` is given what stands in $(…) and <(…), and raises where it may not. Raises NotUnderstood."""
    match node.type:
        case "word" | "number" | "file_descriptor":
            return _plain(text_of(node))
        case "raw_string":
            return Word(text_of(node)[1:-1])
        case "string":
            return _quoted(node, substituted)
        case "concatenation":
            if text_of(node) == "{}":
                return Word("{}")
            parts = [word_of(c, substituted) for c in node.children]
            if any(b.start_byte != a.end_byte for a, b in zip(node.children, node.children[1:], strict=False)):
                raise NotUnderstood("a word with gaps")
            return Word("".join(p.text for p in parts), any(p.splits for p in parts), any(p.globs for p in parts))
        case "simple_expansion" | "expansion" | "command_substitution" | "arithmetic_expansion":
            check_expansion(node, substituted)
            return Word(UNKNOWN, splits=True)
        case "process_substitution" if text_of(node).startswith("<("):
            substituted(node)
            return Word("/dev/fd/" + UNKNOWN)
        case "command_name" if node.child_count == 1:
            return word_of(node.children[0], substituted)
    raise NotUnderstood(node.type)


def _plain(raw: str) -> Word:
    if raw == "{}":
        return Word(raw)
    text, splits, globs, at = [], False, False, 0
    while at < len(raw):
        char = raw[at]
        if char == "\\":
            text.append(raw[at + 1 : at + 2].replace("\n", ""))
            at += 2
            continue
        if char in "$`\"'|&;<>()":
            raise NotUnderstood(f"{char} in a word")
        splits = splits or char in "{}"
        globs = globs or char in "*?["
        text.append(char)
        at += 1
    # With braces there is no saying what it begins with.
    return Word((UNKNOWN if splits else "") + "".join(text), splits, globs)


def _quoted(node: Node, substituted: Callable[[Node], None]) -> Word:
    whole, text, at = node.text or b"", [], 1
    for child in node.children[1:-1]:
        start = child.start_byte - node.start_byte
        # The grammar leaves white space and single signs between the parts of a string out of the tree.
        text.append(_inside_quotes(whole[at:start].decode()))
        if child.type == "string_content" or not child.is_named:
            text.append(_inside_quotes(text_of(child)))
        else:
            check_expansion(child, substituted)
            text.append(UNKNOWN)
        at = child.end_byte - node.start_byte
    text.append(_inside_quotes(whole[at:-1].decode()))
    return Word("".join(text), splits=any(text_of(c) in ("$@", "${@}") for c in node.children))


def _inside_quotes(text: str) -> str:
    bare = re.sub(r"\\.", "", text, flags=re.S)
    if "`" in bare or '"' in bare or re.search(r"\$[\w({!@*#?$-]", bare):
        raise NotUnderstood("an expansion that the tree does not show")
    return re.sub(r'\\(["\\$`\n])', lambda m: m[1].strip("\n"), text)


def check_expansion(node: Node, substituted: Callable[[Node], None]) -> None:
    """Raise NotUnderstood for an expansion that does more than put a text in its place."""
    match node.type:
        case "simple_expansion":
            return
        case "command_substitution":
            return substituted(node)
        case "arithmetic_expansion" if _NUMBERS.fullmatch(text_of(node)):
            return
        case "expansion" if _EXPANSION.fullmatch(text_of(node)):
            for child in node.named_children:
                if child.type not in ("variable_name", "special_variable_name", "regex"):
                    word_of(child, substituted)
                elif child.type == "regex" and re.search(r"[$`<>]", text_of(child)):
                    break
            else:
                return
    raise NotUnderstood(node.type)
