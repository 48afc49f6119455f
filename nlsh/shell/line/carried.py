"""Which variables one line of the shell may leave to the next, and which of them choose what programs later lines run.

It owns the names, and what an assignment that is written in a line comes to. What is not told apart here is a value like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from nlsh.shell.line.detect import tree

if TYPE_CHECKING:
    from tree_sitter import Node

# What belongs to one shell process, makes a shell or the loader run something, or is nlsh's own.
NOT_CARRIED = re.compile(
    r"BASH\w*|SHELLOPTS|PPID|UID|EUID|SHLVL|RANDOM|SRANDOM|SECONDS|LINENO|PIPESTATUS|DIRSTACK|GROUPS|FUNCNAME|OPTIND|OPTERR|COMP_\w+|"
    r"EPOCH\w+|PWD|OLDPWD|_|IFS|PS\d|"
    r"HOST(NAME|TYPE)|MACHTYPE|OSTYPE|COLUMNS|LINES|READLINE_\w+|LESSSECURE|PAGERSECURE|"
    r"ZDOTDIR|FPATH|MODULE_PATH|fish_\w+|HIST(CMD|FILE)|ENV|LD_\w+|GLIBC_TUNABLES|PROMPT_COMMAND|PYTHON(STARTUP|INSPECT)|NLSH_\w*|_nlsh_\w*|GCONV_PATH|LOCPATH"
)
# What programs, or the code and the settings that they load, are found by. A name too many is a note and a question too many.
CHOOSES = re.compile(
    r"PATH|SHELL|HOME|CDPATH|(READ)?NULLCMD|XDG_\w+_(HOME|DIRS?)|GIT_\w+|\w+_ASKPASS|\w*_(SSH|COMMAND|RSH)|\w*PAGER|EDITOR|\w+_EDITOR|VISUAL|BROWSER|LESS\w*|TERMINFO\w*|"
    r"PERL\w*|RUBY\w*|GEM_\w+|BUNDLE_\w+|NODE_\w+|NPM_\w+|npm_\w+|YARN_\w+|PYTHON\w*|PIP_\w+|UV_\w+|CONDA_\w+|LUA_\w+|PHP\w*|TCL\w*|R_\w+|JAVA\w*|_JAVA_OPTIONS|"
    r"JDK_\w+|CLASSPATH|MAVEN_\w+|GRADLE_\w+|MAKE\w*|GNUMAKEFLAGS|MFLAGS|CMAKE_\w+|CC|CXX|CPP|FC|LD|AR|AS|(CC|CXX|CPP|LD|C|CXX)FLAGS|COMPILER_PATH|CARGO\w*|RUST\w*|"
    r"GO(PATH|ROOT|FLAGS|BIN|PROXY|TOOLCHAIN|ENV)|DOCKER_\w+|KUBECONFIG|ANSIBLE_\w+|OPENSSL_\w+|SSL_\w+|CURL_\w+|WGETRC|(?i:\w+_proxy)"
)
# Other names, in zsh, for what is carried by its own name or not at all: arrays of what PATH and its like hold, and of what is loaded, and prompts.
TIED = frozenset(("path", "fpath", "cdpath", "module_path", "manpath", "mailpath", "fignore", "prompt", "PROMPT", "PROMPT2", "PROMPT3", "PROMPT4"))
# A shell gives these to itself where its environment has none: no line has set them.
_ITS_OWN = frozenset(("PATH", "SHELL", "HOME"))
_PIECE = re.compile(r"""'(?P<raw>[^']*)'|"(?P<quoted>(?:\\.|[^"\\])*)"|(?P<bare>(?:\\.|[^'"\\])+)""", re.S)
_USE = re.compile(rb"\$\{?[!#]?([A-Za-z0-9_]+)")
_TOKEN = re.compile(r"\\(?P<escaped>.)|\$\{(?P<braced>\w+)\}|\$(?P<name>\w+)|(?P<computed>[$`])|(?P<home>(?<![^:])~(?=/|:|$))|(?P<text>[^\\$`~]+|~)", re.S)


def is_its_own(name: str, attributes: str, environment: Mapping[str, str]) -> bool:
    """Return whether a variable is one that a shell has made for itself."""
    return name in _ITS_OWN and name not in environment and "x" not in attributes


def used_as_left(line: str) -> frozenset[str]:
    """Return the variables that a line uses as earlier lines have left them: all but those that it has set itself by then, whatever else comes about.

    What looks like an assignment may be an argument (`echo x=1`), for one command alone (`x=1 make`), or never come about (`false && x=1`).
    """
    sets: list[tuple[str, int, int]] = []  # a name, and the bytes between which it has the line's own value
    for node in tree(line).children:
        behind = node.next_sibling is not None and node.next_sibling.type == "&"
        if node.type == "for_statement" and (body := node.child_by_field_name("body")) is not None:
            sets.append((_name_in(node, "variable"), body.start_byte, body.end_byte))
        elif node.type in ("variable_assignment", "variable_assignments") and not behind:
            for each in node.children if node.type == "variable_assignments" else (node,):
                sets.append((_name_in(each, "name"), node.end_byte, len(line.encode("utf-8", "surrogateescape"))))
    uses = ((use[1].decode(), use.start()) for use in _USE.finditer(line.encode("utf-8", "surrogateescape")))
    return frozenset(name for name, at in uses if not any(name == own and first <= at < end for own, first, end in sets))


def _name_in(node: Node, field: str) -> str:
    found = node.child_by_field_name(field)
    return (found.text or b"").decode("utf-8", "replace") if found is not None else ""


def written(line: str, name: str, known: Mapping[str, str]) -> frozenset[str]:
    """Return what a variable has become in a line by assignments that are written there; `known` are the values they may be put together of.

    What is computed (`$(…)`, a variable that is not known) is none of these, and neither is what another program or file has said.
    """
    values, found = dict(known), set()
    for node in _assignments(tree(line)):
        target, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        key = (target.text or b"").decode("utf-8", "replace") if target is not None else ""
        worth = _worth((value.text or b"").decode("utf-8", "surrogateescape") if value is not None else "", values)
        if worth is None:
            values.pop(key, None)
            continue
        values[key] = values.get(key, "") + worth if any(c.type == "+=" for c in node.children) else worth
        if key == name:
            found.add(values[key])
    return frozenset(found)


def _assignments(root: Node) -> Iterator[Node]:
    waiting, found = [root], []
    while waiting:
        node = waiting.pop()
        if node.type == "variable_assignment":
            found.append(node)
        waiting += node.children
    yield from sorted(found, key=lambda n: n.start_byte)


def _worth(text: str, values: Mapping[str, str]) -> str | None:
    # No shell's whole reading of a word: what came back is compared with it, so that what it gets wrong is taken for computed.
    found = []
    for piece in _PIECE.finditer(text):
        if piece["raw"] is not None:
            found.append(piece["raw"])
            continue
        for token in _TOKEN.finditer(piece["quoted"] if piece["bare"] is None else piece["bare"]):
            used = token["braced"] or token["name"] or ("HOME" if token["home"] and piece["bare"] else "")
            if token["computed"] or (used and used not in values):
                return None
            found.append(values[used] if used else token["escaped"] or token["text"] or token["home"] or "")
    return "".join(found)
