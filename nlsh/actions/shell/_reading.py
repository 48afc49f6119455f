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

from nlsh.actions.shell._commands import NETWORK, OF_THE_SHELL, SAFE_VARIABLES, reads
from nlsh.actions.shell._words import UNKNOWN, NotUnderstood, Word, blank, check_expansion, parse, text_of, word_of

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
_COMPUTED = re.compile(r"(?<!\w)-(eq|ne|lt|le|gt|ge|v|R)(?!\w)")
# {name}<file puts a number into a variable, or where a computed subscript says.
_NUMBERED = re.compile(r"(?<!\$)\{[A-Za-z_]\w*(\[.*\])?\}[<>]", re.S)
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
# Bash computes what is given to these, or expands it as a prompt.
_COMPUTES = re.compile(r"BASH\w*|PS\d|S?RANDOM|SECONDS|LINENO|OPTIND|OPTERR|HISTCMD|EPOCH\w+|DIRSTACK|COMP_\w+|E?UID|PPID")
# Attributes that leave a value a text: not numbers (i), other names (n) or arrays (a, A).
_ATTRIBUTES = re.compile(r"-[xrglutp]+|--")
_TAKES_ARRAYS = frozenset(("declare", "typeset", "local"))


def only_reads(command: str, folder: str = "") -> bool:
    """Whether every part of a command line is known to only read, with these options. `folder`: where it runs, whose file names may look like options."""
    try:
        if _NUMBERED.search(command.replace("\\\n", "")):
            raise NotUnderstood("a redirection into a variable")
        root = parse(command)
        _Reading(command, folder, only_sets=_only_sets(root)).statement(root, 0)
    except (NotUnderstood, RecursionError):
        return False
    return True


def needs_network_state(command: str) -> bool:
    """Whether a reading command asks the kernel about the network."""
    return bool(NETWORK & set(re.findall(r"[\w.-]+", command)))


def names_no_program(command: str) -> bool:
    """Whether a command line is one program with its arguments, and there is no such program: no file on the PATH, and nothing of the shell's own.

    A zsh or fish may have more words of its own: they are run like a missing program, without any right to change something.
    """
    try:
        root = parse(command)
    except NotUnderstood:
        return False
    only = root.named_children[0] if root.named_child_count == 1 else None
    if only is None or only.type != "command" or not all(map(_says_itself, only.named_children)):
        return False
    name = text_of(only.named_children[0])
    if re.fullmatch(r"[\w.+-]+", name) is None or name in OF_THE_SHELL:
        return False
    return not any(os.path.lexists(os.path.join(folder, name)) for folder in os.environ.get("PATH", os.defpath).split(os.pathsep))


def _says_itself(node: Node) -> bool:
    """Return whether a part of a command is a word, with nothing in it that a shell would run first."""
    if node.type == "string":
        return all(c.type == "string_content" for c in node.named_children)
    return node.type in ("command_name", "word", "number", "raw_string") and all(c.type == "word" for c in node.named_children)


_SETTING = frozenset(("variable_assignment", "variable_assignments", "declaration_command", "unset_command", "function_definition"))
_NAMES = frozenset(("alias", "unalias", "set", "shopt"))


def _only_sets(root: Node) -> bool:
    """Whether a line gives its shell values and names, and runs nothing: they then are no program's yet."""
    waiting, found = list(root.named_children), False
    while waiting:
        node = waiting.pop()
        if node.type == "list":
            waiting += node.named_children
        elif node.type in _SETTING or (node.type == "command" and node.named_children[0].type == "command_name" and text_of(node.named_children[0]) in _NAMES):
            found = True
        elif node.type != "comment":
            return False
    return found


class _Reading:
    """One walk over a command line; raises NotUnderstood at the first part that may change something.

    `only_sets`: it runs nothing after it has set something, but gives its shell names and values for later lines.
    """

    def __init__(self, command: str, folder: str, *, only_sets: bool = False) -> None:
        self._only_sets = only_sets
        self._functions: set[str] = set()  # those of the line, whose bodies only read
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
                elif child.type in ("heredoc_redirect", "herestring_redirect"):
                    _given(child, inside)
                else:
                    self.statement(child, depth + 1)
        elif self._only_sets and node.type in _SETTING:
            self._setting(node, inside)
        elif node.type == "function_definition" and node.named_child_count == 2 and node.named_children[1].type in _HOLDERS:
            self.statement(node.named_children[1], depth + 1)
            self._functions.add(text_of(node.named_children[0]))
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
            if child.type == "herestring_redirect":
                _given(child, inside)
            elif child.type == "variable_assignment":
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
        if words and words[0].known and words[0].text in self._functions:
            return
        if not words or not (reads(words) or (self._only_sets and words[0].text in _NAMES)):
            raise NotUnderstood(text_of(node))

    def _setting(self, node: Node, inside: Inside) -> None:
        """Check that names and values stay names and values; a function that is not called does nothing."""
        if node.type == "variable_assignment":
            return _given_value(node, inside, declared=False)
        if node.type == "function_definition":
            return None
        keyword = text_of(node.children[0])
        for child in node.named_children:
            if child.type == "variable_assignment":
                _given_value(child, inside, declared=keyword in _TAKES_ARRAYS)
                continue
            word = Word(text_of(child)) if child.type == "variable_name" else word_of(child, inside)
            # Another word could be an assignment, a subscript or an option that is found out only as it runs.
            options = re.compile("-[vf]|--") if keyword == "unset" else _ATTRIBUTES
            if not word.known or not (_NAME.fullmatch(word.text) or options.fullmatch(word.text)):
                raise NotUnderstood(f"{keyword} {text_of(child)}")
        return None

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


def _given_value(node: Node, inside: Inside, *, declared: bool) -> None:
    """Check what a variable is given; `declared`: by a word that takes a text in parentheses for an array, if the variable is one."""
    name = text_of(node.children[0])
    if not re.fullmatch(rf"{_NAME.pattern}(\[\d+\])?", name, re.ASCII) or _COMPUTES.fullmatch(name.partition("[")[0]):
        raise NotUnderstood(f"it sets {name}")
    for child in node.children[2:]:
        if child.type != "array":
            value = word_of(child, inside)
            if declared and value.text.startswith(("(", UNKNOWN)):
                raise NotUnderstood("it may be an array")
            continue
        for item in child.named_children:
            word_of(item, inside)
            if not re.fullmatch(r"(\[\d+\]\+?=)?[^\[]*", text_of(item)):
                raise NotUnderstood("a subscript")


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


def _given(node: Node, inside: Inside) -> None:
    """Check a text that a command is given as its input."""
    if node.type == "herestring_redirect":
        for child in node.named_children:
            word_of(child, inside)
        return
    start = next((text_of(c) for c in node.children if c.type == "heredoc_start"), "")
    for child in node.children:
        if child.type == "heredoc_body":
            # In quotes the end mark keeps all as it is; without them a plain variable is all that may be put in.
            text = re.sub(r"\\.|\$\w+|\$\{\w+\}", "", text_of(child), flags=re.S)
            if not re.search(r"['\"\\]", start) and re.search(r"[$`]", text):
                raise NotUnderstood("something computed in a text")
        elif child.type not in ("<<", "<<-", "heredoc_start", "heredoc_end"):
            raise NotUnderstood("more behind a text")


def _test(node: Node, inside: Inside) -> None:
    if _COMPUTED.search(text_of(node).replace("\\\n", "")):
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
