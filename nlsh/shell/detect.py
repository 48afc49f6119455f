"""Is a line a command or a sentence? Deciding wrongly must be harmless: both go through the same preview, policy and worker.

`!cmd` and `?text` settle it. Otherwise a line is a command only where that is plain: its first word is a program (or a word of the shell)
and the rest reads as a command's, not as a sentence's.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from functools import cache
from glob import glob

# Words of the shell that are commands whatever follows them.
_ALWAYS = {
    "echo",
    "printf",
    "export",
    "alias",
    "unalias",
    "unset",
    "source",
    "eval",
    "exec",
    "pwd",
    "type",
    "command",
    "ulimit",
    "umask",
    "set",
    "pushd",
    "popd",
}
_BUILTINS = _ALWAYS | {
    "test",
    "true",
    "false",
    "wait",
    "times",
    "trap",
    "hash",
    "jobs",
    "fg",
    "bg",
    "read",
    "[",
    "let",
    "declare",
    "for",
    "while",
    "until",
    "if",
    "case",
}
# Programs whose names are everyday words: a sentence may start with them, so the rest has to look like a command's.
_EVERYDAY_TEXT = """
    as at base bind bless change chat check clear compress copy cut date delete dig disable display do done edit eject enable end expand
    factor file find finger flock fold free get gather give go halt head host import info install join kill last less let link list load
    locate lock login look mail make man mark merge more mount move name nice note open paste patch pause pick play pr print prompt
    reboot record remove rename repeat replace reset resize restart resume rev run save say screen script search see send service show
    shred shut shutdown sleep sort split start stat stop strip strings suspend switch sync tail talk take tell time timeout top
    trace trash trim truncate try turn undo unlink unpack unzip update uptime view wait wall watch what whatis where which who word
    write yes zip archive extract backup count display size open process kill killall service
"""
# Words that stand in sentences and hardly in commands.
_SENTENCE_TEXT = """
    a about after all already also an and any anything are as be because been before biggest bigger by can could did do does don't every
    everything find first folder folders for from give had has have how i i'm in inside into is it its it's largest last like me my named
    newer newest of older oldest on only or our out please should show slow so some something than that that's the their them then there
    these they this those to today too under until use using was we were what what's whatever when where which who whose why will with
    yesterday you your running taking eating called
"""
_EVERYDAY = frozenset(_EVERYDAY_TEXT.split())
_SENTENCE = frozenset(_SENTENCE_TEXT.split())
_OPTION = re.compile(r"--?[A-Za-z0-9][\w-]*(=.*)?")
_OPERATOR = re.compile(r"[|<>;`]|&&|\$[\w({]|&\s*$")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=\S*")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")


def is_command(line: str) -> bool:
    """Return whether `line` is plainly a raw command; a sentence, and anything doubtful, is not."""
    words = _words(line)
    while words and _ASSIGNMENT.fullmatch(words[0]):
        words = words[1:]
        if words and _is_program(words[0]):
            return True
    if not words:
        return False
    first, rest = words[0], words[1:]
    if first in _ALWAYS:
        return True
    if not _is_program(first):
        return False
    if not rest:
        return True
    if _has_shell_signs(line, rest):
        return True
    if first in _EVERYDAY:
        # "make backup.sh executable" names a file too: every word has to be the command's.
        return all(_exists(w) for w in rest) or (first == "make" and all(w in _make_targets() for w in rest))
    if _CJK.search(line):
        return all(_exists(w) for w in rest)
    return not _reads_as_sentence(rest) or all(_exists(w) for w in rest)


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:  # an apostrophe: "what's using port 80"
        return line.split()


def _is_program(word: str) -> bool:
    if "/" in word:
        path = os.path.expanduser(word)
        return os.path.isfile(path) and os.access(path, os.X_OK)
    return word in _BUILTINS or _on_path(word, os.environ.get("PATH", ""))


@cache
def _on_path(word: str, path: str) -> bool:
    return shutil.which(word, path=path) is not None


def _has_shell_signs(line: str, rest: list[str]) -> bool:
    return any(_OPTION.fullmatch(w) for w in rest) or _OPERATOR.search(line) is not None


def _exists(word: str) -> bool:
    path = os.path.expanduser(word)
    if any(c in word for c in "*?["):
        return bool(glob(path))
    return os.path.lexists(path)


def _make_targets() -> set[str]:
    """Return the targets that a Makefile in the working directory names."""
    for name in ("GNUmakefile", "makefile", "Makefile"):
        if os.path.isfile(name):
            try:
                with open(name, encoding="utf-8", errors="replace") as file:
                    return set(re.findall(r"^([\w.-]+(?:[ \t]+[\w.-]+)*)[ \t]*:(?!=)", file.read(1 << 20), re.M))
            except OSError:
                return set()
    return set()


def _reads_as_sentence(rest: list[str]) -> bool:
    return rest[-1].endswith(("?", "？")) or any(w.lower().strip(",.!") in _SENTENCE for w in rest)
