"""Is a line a command or a sentence? Deciding wrongly must be harmless: both go through the same preview, policy and worker.

`!cmd` and `?text` settle it. Otherwise a line is a command only where that is plain: a bash grammar reads it, every program in it is there, and
what follows each one looks like what that program takes, not like the rest of a sentence. What single programs take is in `operands`.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Collection, Iterator
from functools import cache
from typing import TYPE_CHECKING

from nlsh.shell.line.operands import CARRIERS, OWN_WORDS, fits
from nlsh.shell.line.sentence import STRONG_WORDS, Operand

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

# Of these words no program is needed: the shell knows them itself.
_BUILTINS = OWN_WORDS | {
    "[", "test", "true", "false", "times", "kill", "fg", "bg", "jobs", "exit", "cd", "return", "shift", "break", "continue", "getopts", "help", "logout",
    "disown", "suspend",
    "caller", "bind", "enable", "mapfile", "readarray", "complete", "compgen", "history", "fc",
}  # fmt: skip
_KEYWORDS = frozenset(("if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "select", "function", "in", "time", "coproc"))
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(\[[^\]]*\])?\+?=")
_STATEMENTS = frozenset(
    (
        "for_statement",
        "c_style_for_statement",
        "while_statement",
        "if_statement",
        "case_statement",
        "function_definition",
        "test_command",
        "compound_statement",
        "subshell",
    )
)
_MOST_PARSED = 20_000  # characters of a line that is decided on


def tree(text: str) -> Node:
    """Return what a bash grammar makes of a text, errors included."""
    return _parser().parse(text.encode("utf-8", "surrogateescape")).root_node


def is_command(line: str, known: Collection[str] = (), *, path: str | None = None) -> bool:
    """Return whether `line` is plainly a raw command; a sentence, and anything doubtful, is not.

    `known`: the shell's functions and aliases. `path`: the shell's PATH, where that is another one than nlsh's.
    """
    if path is not None:
        known = _Known(known, path)
    text = line.strip()
    if not text or len(text) > _MOST_PARSED or not _may_begin(text, known):
        return False
    root = tree(text)
    if root.has_error:
        return _broken_command(text, known)
    # What the line itself defines may be called in it.
    defined = {(c.named_children[0].text or b"").decode() for c in root.named_children if c.type == "function_definition"}
    try:
        return _Decision(text, _Known({*known, *defined}, os.environ.get("PATH", "") if path is None else path)).of(root)
    except RecursionError:
        return False


def is_unfinished(line: str) -> bool:
    """Return whether a command line goes on: a quote, a here-document, a block or a bracket is open, or it ends with an operator or a backslash."""
    if re.search(r"(?<!\\)(\\\\)*\\$", line) or re.search(r"(\|\||&&|(?<!>)\|)[ \t]*$", line):
        return True
    for _, mark in _heredocs(line):
        if not re.search(rf"^\t*{re.escape(mark)}$", line.partition("\n")[2], re.M):
            return True
    source = line.encode("utf-8", "replace")
    return _parser().parse(source).root_node.has_error and any(not _parser().parse(source + end).root_node.has_error for end in _ENDS)


_ENDS = (
    b"'",
    b'"',
    b"\n)",
    b"\n}",
    b"\ndone",
    b"\nfi",
    b"\nesac",
    b" x\ndone",
    b"\ndo x\ndone",
    b"\nthen x\nfi",
    b" x\nfi",
    b"\n{ x; }",
    b"`",
    b'")',
    b"\n]]",
    b" x\n}",
    b"\n*) ;; esac",
)


def _heredocs(line: str) -> Iterator[tuple[str, str]]:
    for found in re.finditer(r"(?<!<)<<(-?)(?!<)[ \t]*(['\"]?)([A-Za-z_]\w*)\2", re.sub(r"\$\(\(.*?\)\)|\(\(.*?\)\)", "", line)):
        yield found[1], found[3]


def _may_begin(text: str, known: Collection[str]) -> bool:
    """Whether a command line may begin so, before anything is parsed."""
    if text[0] in "({<>" or text.startswith(("[[ ", "[ ")):
        return True
    first = re.match(r"(?:[^\s;|&<>()'\"\\$`]|\\.|\$\w+)+", text)
    if first is None:
        return text[0] in "\"'$"
    word = first[0]
    return bool(_ASSIGNMENT.match(word)) or word in _KEYWORDS or _is_program(word, known) or (text[first.end() :].lstrip().startswith("()"))


class _Known(Collection[str]):
    """Names that are programs: those that a shell knows, and those on its PATH."""

    def __init__(self, names: Collection[str], path: str) -> None:
        self.names, self._path = names, path

    def __contains__(self, word: object) -> bool:
        return word in self.names or (isinstance(word, str) and "/" not in word and bool(word) and _on_path(word, self._path))

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


class _Decision:
    """One walk over a tree: a line is a command if each of its parts is one."""

    def __init__(self, text: str, known: _Known) -> None:
        self._known = known
        # Signs that no sentence has. A > may be "greater than", a trailing & an "and".
        self._shaped = re.search(r"\|[^|]|&&|\$[\w({?]|<\(|`|<<|2>|&>|>&", text) is not None

    def of(self, node: Node) -> bool:
        match node.type:
            case "program" | "list" | "pipeline" | "negated_command":
                return all(self.of(c) or (self._is_later(c) and bool(n)) for n, c in enumerate(node.named_children))
            case "redirected_statement":
                return self._redirected(node)
            case "command":
                return self._command(node)
            case "declaration_command" | "unset_command":
                name, *rest = [_operand(c) for c in node.children]
                return fits(name.text, rest, is_program=self._is_program, shaped=self._shaped)
            case "variable_assignment" | "variable_assignments" | "comment":
                return True
            case "function_definition":
                return node.named_child_count == 2 and node.named_children[1].type in _STATEMENTS
            case "subshell" | "compound_statement":
                return any(c.type.endswith("expression") for c in node.named_children) or all(map(self.of, node.named_children))
        return node.type in _STATEMENTS

    def _is_later(self, node: Node) -> bool:
        """Whether a part may be one of a program that is not there (yet): what is written as a path, or stands in a pipe, with options or alone."""
        if node.type != "command":
            return False
        name, *rest = [_operand(c) for c in node.children]
        in_pipe = node.parent is not None and node.parent.type == "pipeline"
        named = name.text.startswith("./") or (in_pipe and not self._is_program(name.text))
        return named and not any(w.is_function_word or w.is_sentence for w in rest)

    def _redirected(self, node: Node) -> bool:
        extra: list[Node] = []
        for child in node.named_children:
            if child.type == "file_redirect":
                # "> 1 GB": what comes after the file's name is a word of the command's again.
                targets = [c for c in child.named_children if c.type != "file_descriptor"]
                text = child.text or b""
                if targets and targets[0].type == "number" and not text.startswith((b">&", b"<&")) and b"&" not in text:
                    return False
                extra += targets[1:]
        body = node.named_children[0]
        if body.type == "command":
            return self._command(body, extra)
        return body.type in ("file_redirect", "heredoc_redirect", "herestring_redirect") or self.of(body)

    def _command(self, node: Node, extra: list[Node] | tuple[Node, ...] = ()) -> bool:
        words = [
            _operand(c) for c in (*node.children, *extra) if c.type not in ("variable_assignment", "file_redirect", "herestring_redirect", "heredoc_redirect")
        ]
        assigned = any(c.type == "variable_assignment" for c in node.children)
        return bool(words) and self._plain(words, assigned)

    def _plain(self, words: list[Operand], assigned: bool) -> bool:
        name, rest = words[0], words[1:]
        if name.quoted or name.text.startswith("$") or "$(" in name.text:
            # "notes" and $HOME alone say nothing: a quoted program's name, or one that is computed, has to have words.
            return bool(rest) and not name.is_sentence and (name.text.startswith("$") or self._is_program(name.text))
        if name.text == "command" and rest and rest[0].text in ("-v", "-V"):
            return True
        if (skip := CARRIERS.get(name.text)) is not None and rest:
            return self._carried(name, skip(rest))
        if not self._is_program(name.text):
            return False
        if name.text in self._known.names:
            # What the user has made himself is called with whatever it takes.
            return not any(w.is_sentence or w.text in STRONG_WORDS for w in rest)
        return assigned or fits(name.text, rest, is_program=self._is_program, shaped=self._shaped)

    def _carried(self, name: Operand, rest: list[Operand] | None) -> bool:
        """Whether what a program carries (sudo, time, nohup) is a command itself. `rest` None: it carries none, and has only its own options."""
        if rest is None:
            return True
        return bool(rest) and (rest[0].quoted or self._plain(rest, assigned=False))

    def _is_program(self, word: str) -> bool:
        return _is_program(word, self._known)


def _operand(node: Node) -> Operand:
    text = (node.text or b"").decode("utf-8", "replace")
    if node.type in ("string", "raw_string", "ansi_c_string", "translated_string"):
        return Operand(text.lstrip("$").strip("'\""), quoted=True)
    return Operand(re.sub(r"\\(.)", r"\1", text), quoted="\\" in text or "'" in text or '"' in text or "$(" in text)


def _broken_command(text: str, known: Collection[str]) -> bool:
    """Whether a line that is no valid one is a command all the same: one that is not finished, or has a slip in it. An apostrophe makes no command."""
    if not is_unfinished(text) and not re.search(r"\$[{(]", text):
        return False
    # What stands in a here-document, or in a block, says nothing of how the line begins.
    first = text.partition("\n")[0].removesuffix("\\")
    try:
        words = shlex.split(first)
    except ValueError:
        # An open quote: "git commit -m 'the", but not "what's" or "don't".
        head = re.split(r"['\"]", first)[0]
        words = head.split() if head.endswith((" ", "=", "(", "{", ",", "|")) else []
    if not words:
        return False
    name, rest = words[0], [Operand(w) for w in words[1:]]
    if name in _KEYWORDS:
        return text.endswith((" do", ";do", "then", ")", "{", " in")) or re.search(r"[;\n]|\[ ", text) is not None
    if not _is_program(name, known) and not _ASSIGNMENT.match(name) and not re.match(r"[A-Za-z_]\w*\s*\(\)|[({]", text):
        return False
    return not any(w.is_function_word for w in rest)


def _is_program(word: str, known: Collection[str] = ()) -> bool:
    if word in known or word in _BUILTINS:
        return True
    if "/" in word:
        path = os.path.expanduser(os.path.expandvars(word))
        return os.path.isfile(path) and os.access(path, os.X_OK)
    return bool(word) and _on_path(word, os.environ.get("PATH", ""))


@cache
def _on_path(word: str, path: str) -> bool:
    # As `shutil.which` looks, which imports every kind of compression for it.
    files = (os.path.join(folder, word) for folder in path.split(os.pathsep)) if path else ()
    return any(os.access(file, os.X_OK) and not os.path.isdir(file) for file in files)


@cache
def _parser() -> Parser:
    from tree_sitter import Language, Parser

    return Parser(Language(_bash()))


def _bash() -> object:
    """Return the bash grammar: from the extension itself, because its package imports `importlib.resources` for a file that is not read here."""
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    package = PathFinder.find_spec("tree_sitter_bash")
    found = None if package is None else PathFinder.find_spec("_binding", package.submodule_search_locations)
    if found is None or found.loader is None:
        import tree_sitter_bash

        return tree_sitter_bash.language()
    binding = module_from_spec(found)
    found.loader.exec_module(binding)
    return binding.language()
