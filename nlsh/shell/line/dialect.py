"""How what is carried from line to line is written for each kind of shell: bash, the others of sh's kind, zsh and fish."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from nlsh.plan.frozen import frozen
from nlsh.shell.line.detect import is_unfinished
from nlsh.shell.line.sentence import word_set
from nlsh.steps._shell import fish_quote

if TYPE_CHECKING:
    from nlsh.shell.line.state import ShellState

OPTIONS = word_set("pipefail noglob nounset noclobber allexport")
SHOPTS = word_set("globstar nullglob dotglob extglob failglob nocaseglob nocasematch lastpipe globasciiranges xpg_echo inherit_errexit")
SETOPTS = word_set(
    "pipefail noglob nounset noclobber allexport extendedglob nullglob globdots nonomatch nocaseglob nocasematch numericglobsort ksharrays kshglob "
    "shwordsplit globsubst rcexpandparam bareglobqual nobareglobqual braceccl noequals magicequalsubst nomultios octalzeroes cbases pushdignoredups"
)
_KINDS = {"scalar": "", "array": "a", "association": "A", "integer": "i", "float": ""}
_LETTERS = {"export": "x", "readonly": "r", "lower": "l", "upper": "u"}


@frozen(slots=False)
class Variable:
    """A variable of the shell: its attributes as bash writes them (x exported, a array, A names to values, r, i, l, u) and what it holds."""

    attributes: str
    value: str = ""
    items: tuple[tuple[str, str], ...] = ()

    def assignment(self, name: str, kind: str = "bash") -> str:
        """Return what gives it to a shell of a kind; to a sh where it is plain."""
        if kind == "fish":
            return f"set -g {name} " + " ".join(fish_quote(v) for v in ([v for _, v in self.items] if "a" in self.attributes else [self.value]))
        # Not that it is a number (i): bash would compute what a later line gives it, which could run something.
        letters = "".join(c for c in self.attributes if c in "aAlurx")
        if not ("a" in letters or "A" in letters):
            value = shlex.quote(self.value)
        elif kind == "zsh":
            value = "(" + " ".join(shlex.quote(word) for k, v in self.items for word in ((k, v) if "A" in letters else (v,))) + ")"
        else:
            value = "(" + " ".join(f"[{shlex.quote(k)}]={shlex.quote(v)}" for k, v in self.items) + ")"
        word = "typeset" if kind == "zsh" else "declare"
        return f"{word} -{letters} {name}={value}" if letters.strip("x") else f"{name}={value}"


def attributes(said: str) -> str:
    """Return attributes as bash writes them, of zsh's words for them ("scalar-export") or of bash's own."""
    kind, *others = said.split("-")
    return said if kind not in _KINDS else _KINDS[kind] + "".join(_LETTERS.get(word, "") for word in others)


def carried_lines(state: ShellState) -> Iterator[str]:
    """Yield the lines by which a shell of the state's kind gets what it holds."""
    kind = state.kind
    yield from (v.assignment(n, kind) for n, v in state.variables.items() if v.attributes.strip("t") != "x")
    if kind in ("bash", "zsh"):
        yield from (f"alias {shlex.quote(f'{n}={v}')}" for n, v in state.aliases.items())
    yield from (f"setopt {name}" if kind == "zsh" else f"set -o {name}" for name in sorted(state.options))
    if state.shopts is not None:
        yield from (f"shopt -{'s' if name in state.shopts else 'u'} {name}" for name in sorted(SHOPTS & (state.shopts | {"globasciiranges"})))
    if kind == "zsh" and state.pushed:
        yield f"dirstack=({' '.join(map(shlex.quote, state.pushed))})"
    else:
        yield from (f"pushd -n {shlex.quote(folder)} >/dev/null 2>&1" for folder in reversed(state.pushed))
    if state.umask:
        yield f"umask {state.umask}"


_FISH_QUOTED = re.compile(r"""\\.|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|(?<!\S)#.*""", re.S)
_FISH_BLOCK = re.compile(r"(?:^|[;\n&|(]|\b(?:and|or|not|begin|then)\b)\s*(begin|if|for|while|function|switch|end)\b")


_FISH_LINE = re.compile(r"(?:(?:for|while|if|begin|function|switch)\b.*[;\n]\s*end\b.*|set\s+-\w+\s+\w+.*)", re.S)


# Of a pattern: **/*.txt(N), *(om[1,3]). And what fish writes for $(…).
_ZSH_QUALIFIER = re.compile(r"(?<!\S)([^\s()'\"]*[*?\]][^\s()'\"]*)\([^\s()'\"]{1,20}\)(?=\s|$|[;|&])")
_FISH_SUBSTITUTION = re.compile(r"(?<=[\s\"=])\((?=[a-z])")
_TAKE_VALUES = re.compile(r"(?:echo|printf|set|test|math|string|count)\s")  # what begins so is followed by values, and a sentence seldom does
# Words that only a shell of this kind knows, with what no sentence says after them.
_ITS_WORDS = {
    "zsh": re.compile(
        r"(?:(?:un)?setopt|autoload|zmodload|zstyle|bindkey|compdef|whence|rehash|zmv|zparseopts|noglob)\b.*|emulate\s+(?:-\w+\s+)?(?:z|k|c)?sh\b.*|"
        r"print\s+-\w+\b.*|repeat\s+\d+\s+\S.*|for\s+\w+\s+\([^)]*\)\s+\S.*",
        re.S,
    ),
    "fish": re.compile(
        r"string\s+(?:collect|escape|join0?|length|lower|match|pad|repeat|replace|shorten|split0?|sub|trim|unescape|upper)\b.*|math\s+['\"]?[-\d($].*|"
        r"abbr(?:\s+-.*)?|func(?:ed|save)\s+\S+|functions(?:\s+-.*)?|status\s+(?:is-|-).*|count\s+[$(].*|contains\s+\S+\s+[$(].*|set\s+(?:-\w+\s+)+\w+.*",
        re.S,
    ),
}


def as_bash(line: str, kind: str) -> str:
    """Return a line of a shell of a kind as a bash grammar reads it, to tell by it what the line is: without what that would stumble over."""
    if kind == "zsh":
        return _ZSH_QUALIFIER.sub(r"\1", line)
    return _FISH_SUBSTITUTION.sub("$(", line) if kind == "fish" and _TAKE_VALUES.match(line) else line


def make_places(kind: str) -> None:
    """Make the folders that fish makes at its first start, so that it does not want to at a command of somebody's."""
    if kind == "fish":
        for variable, usual in (("XDG_CONFIG_HOME", "~/.config"), ("XDG_DATA_HOME", "~/.local/share")):
            with suppress(OSError):
                os.makedirs(os.path.join(os.environ.get(variable) or os.path.expanduser(usual), "fish"), mode=0o700, exist_ok=True)


def is_in_words_of(line: str, kind: str, is_command: Callable[[str], bool]) -> bool:
    """Return whether a line is plainly a command that only a shell of this kind reads, alone or among parts that are commands in any (`is_command`)."""
    if kind == "fish" and _FISH_LINE.fullmatch(line.strip()) is not None:
        return True
    if (own := _ITS_WORDS.get(kind)) is None:
        return False
    parts = [part for part in re.split(r"\s*(?:;|&&|\|\||\|)\s*", line.strip()) if part]
    return any(own.fullmatch(p) for p in parts) and all(own.fullmatch(p) or is_command(p) for p in parts)


def goes_on(line: str, kind: str) -> bool:
    """Return whether a command line is not finished, as a shell of a kind reads it."""
    if kind == "fish":
        bare = _FISH_QUOTED.sub("_", line)
        words = _FISH_BLOCK.findall(bare)
        opened = len(words) - 2 * words.count("end")
        return opened > 0 or bare.count("(") > bare.count(")") or bool(re.search(r"['\"]|(\||&&|\|\||\\)\s*$", bare))
    # In zsh a } ends a block wherever it is a word of its own.
    return is_unfinished(line) and not (kind == "zsh" and not is_unfinished(re.sub(r"(?<=\s)\}(?=\s|$|;)", "; }", line)))


def last_words(kind: str, carried: str, name: str, status: int) -> str:
    """Return the text by which a shell gets what is carried, in a variable `name` that it takes away, and the status of the line before."""
    if kind == "fish":
        return f"set -e {name}\n{carried}_nlsh_exit {status}"
    return f"unset {name}\n{carried}(exit {status})"
