"""The shell around a command whose state is carried from line to line: it is given values, runs the line, and says what it has afterwards.

It owns the protocol between nlsh and that shell. Values go in by the environment, as assignments that nlsh has quoted; what comes back is data
(names and values, NUL between them) over a socket. The programs that the line runs have no descriptor of it, and cannot get one: while the line
runs the shell keeps it closed to what it starts, a socket cannot be opened through /proc as a file can, and seccomp refuses what takes
descriptors or memory from another process.
"""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from nlsh.steps._shell_scripts import FISH, FISH_FIRST, ZSH, ZSH_FIRST

if TYPE_CHECKING:
    from nlsh.steps._group import Stops

# What a job's environment says to a command's step; never left in it.
CARRIED = "NLSH_CARRIED"
KEEPS = "NLSH_KEEPS"
TYPED = "NLSH_TYPED"
MOST_BYTES = 1 << 20
_OUT = 9

# Bash: attributes, scalars, arrays, functions, aliases, options and the folders of pushd. Nothing is read from a pipe ($(…), <(…)): what the line
# left in the background could open that through /proc and write into it.
_BASH = r"""
{ set +eux +o noclobber +o noglob; unalias -a; unset -f builtin printf declare eval exec exit shopt dirs umask pwd; } 2>/dev/null
_nlsh_all=()
for _nlsh_n in a b c d e f g h i j k l m n o p q r s t u v w x y z A B C D E F G H I J K L M N O P Q R S T U V W X Y Z _; do
  builtin eval "_nlsh_all+=(\"\${!$_nlsh_n@}\")"
done
{ builtin printf 'cwd\0'; builtin pwd -P; builtin printf '\0umask\0'; builtin umask; builtin printf '\0'
for _nlsh_n in "${_nlsh_all[@]}"; do
  case $_nlsh_n in _nlsh_*|BASH*|_|IFS) continue;; esac
  builtin eval "_nlsh_t=\${$_nlsh_n@a}"
  case $_nlsh_t in
    *[aA]*) builtin declare -n _nlsh_r=$_nlsh_n
      builtin printf 'array\0%s\0%s\0%s\0' "$_nlsh_n" "$_nlsh_t" "${#_nlsh_r[@]}"
      for _nlsh_k in "${!_nlsh_r[@]}"; do builtin printf '%s\0%s\0' "$_nlsh_k" "${_nlsh_r[$_nlsh_k]}"; done
      builtin unset -n _nlsh_r;;
    *) [[ -v $_nlsh_n ]] && builtin printf 'value\0%s\0%s\0%s\0' "$_nlsh_n" "$_nlsh_t" "${!_nlsh_n}";;
  esac
done
for _nlsh_n in "${!_nlsh_a[@]}"; do builtin printf 'alias\0%s\0%s\0' "$_nlsh_n" "${_nlsh_a[$_nlsh_n]}"; done
builtin printf 'options\0%s\0shopts\0%s\0functions\0' "$_nlsh_o" "$_nlsh_p"; builtin declare -f
builtin printf '\0pushed\0'; builtin dirs -l -p; builtin printf '\0end\0'; } >&9 2>/dev/null
"""
_BASH_FIRST = (
    "{ _nlsh_o=$SHELLOPTS _nlsh_p=$BASHOPTS; builtin declare -A _nlsh_a; "
    'for _nlsh_n in "${!BASH_ALIASES[@]}"; do _nlsh_a[$_nlsh_n]=${BASH_ALIASES[$_nlsh_n]}; done; } 2>/dev/null'
)
# Any other shell of sh's kind: `set` and `export -p` print what can be read back; functions it cannot name.
_SH = r"""
{ unalias pwd umask printf set export 2>/dev/null
printf 'cwd\0'; pwd -P; printf '\0umask\0'; umask; printf '\0exports\0'; export -p; printf '\0set\0'; set; printf '\0aliases\0'
alias; printf '\0end\0'; } >&9 2>/dev/null
"""


# What a trap runs would have the descriptor: none is left when it is opened again, and it is closed before the one of EXIT.
_NO_TRAPS = "{ _nlsh_s=$?; \\trap - %s; } >/dev/null 2>&1"
_SIGNALS = " ".join(str(number) for number in range(1, 32))


def knows_state(shell: str) -> str:
    """Return which kind of state a shell can say: bash's, sh's, zsh's, fish's, or none (empty)."""
    name = os.path.basename(os.path.realpath(shell))
    if name in ("dash", "ash", "busybox", "sh", "ksh", "mksh", "yash"):
        return "sh"
    return next((kind for kind in ("bash", "zsh", "fish") if name.startswith(kind)), "")


def arguments(shell: str, text: str) -> list[str]:
    """Return how a shell is started for a command: none reads a start file, which would be run before each line."""
    own = {"zsh": ["-f"], "fish": ["--no-config"]}.get(knows_state(shell), [])
    return [os.path.basename(shell), *own, "-c", text]


def fish_quote(text: str) -> str:
    """Return a text as one word of fish's."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def script(shell: str, line: str, *, keeps: bool) -> str:
    """Return the script that runs `line` with what is carried; `keeps`: it says its state afterwards, on descriptor 9."""
    if (kind := knows_state(shell)) == "fish":
        first = f"{FISH_FIRST}eval ${CARRIED}\n"
        if not keeps:
            return f"{first}eval {fish_quote(line)}"
        return f"{first}eval {fish_quote(line)} {_OUT}>&-\nset -g _nlsh_s $status\n{FISH}\nexit $_nlsh_s"
    if kind == "zsh":
        first = f'{ZSH_FIRST}eval "${{{CARRIED}-}}"; eval'
        if not keeps:
            return f"{first} {shlex.quote(line)}"
        line = f"eval {shlex.quote(line)}\n{_NO_TRAPS % f'DEBUG ZERR {_SIGNALS}'}"
        return f"{first} {shlex.quote(line)} {_OUT}>&-\n{ZSH}\nexec {_OUT}>&-\nexit $_nlsh_s"
    after = {"bash": f"{_BASH_FIRST}\n{_BASH}", "sh": _SH}.get(knows_state(shell), "")
    # What is carried takes itself out of the environment, and leaves the status of the line before, which this one may ask for.
    first = f'eval "${{{CARRIED}-}}"; eval'
    if not (keeps and after):
        return f"{first} {shlex.quote(line)}"
    signals = f"DEBUG ERR RETURN {_SIGNALS} {{34..64}}" if knows_state(shell) == "bash" else _SIGNALS
    line = f"eval {shlex.quote(line)}\n{_NO_TRAPS % signals}"
    return f"{first} {shlex.quote(line)} {_OUT}>&-\n{after}\nexec {_OUT}>&-\nexit $_nlsh_s"


class Said:
    """A socket for what a shell says of its state."""

    def __init__(self) -> None:
        from socket import socketpair

        self._ours, self._theirs = socketpair()

    def given(self) -> dict[int, int]:
        """Return the shell's descriptor by its number there."""
        return {_OUT: self._theirs.fileno()}

    def close(self) -> None:
        """Close both ends."""
        self._ours.close()
        self._theirs.close()

    def hear(self, pid: int, stops: Stops | None = None) -> str:
        """Return what the shell said until it ended, and close; empty where it is nothing or too much. The process is left to be waited for.

        `stops` hears meanwhile of its being stopped.
        """
        from select import POLLIN, poll
        from socket import SHUT_RD

        self._theirs.close()
        said, ended = bytearray(), os.pidfd_open(pid)
        try:
            waits = poll()
            waits.register(ended, POLLIN)
            waits.register(self._ours, POLLIN)
            if stops is not None:
                waits.register(stops, POLLIN)
            while ended not in (ready := [descriptor for descriptor, _ in waits.poll()]):
                if stops is not None and stops.fileno() in ready:
                    stops.look()
                if self._ours.fileno() in ready and not self._hears(said):
                    waits.unregister(self._ours)
            # A part of the line in the background may still hold the other end: from here on it can add nothing.
            self._ours.shutdown(SHUT_RD)
            while self._hears(said):
                pass
        finally:
            os.close(ended)
            self.close()
        return "" if len(said) > MOST_BYTES else said.decode("utf-8", "surrogateescape")

    def _hears(self, said: bytearray) -> bool:
        more = self._ours.recv(1 << 16)
        # What is too much is taken in and dropped: a shell whose words nobody takes would never end.
        said += more[: MOST_BYTES + 1 - len(said)]
        return bool(more)


# How many texts follow each kind of record; an array says its own number. Those of the second line come once.
_FOLLOW = {"value": 3, "array": 3, "alias": 2, "function": 2, "lost": 1}
_ONCE = {"cwd": 1, "umask": 1, "options": 1, "shopts": 1, "functions": 1, "pushed": 1, "exports": 1, "set": 1, "aliases": 1, "setopt": 1, "said": 0, "end": 0}


def is_whole(said: str) -> bool:
    """Return whether this is one report from its beginning to its end, and nothing else: then no other hand has written into it."""
    parts = said.split("\0")
    at, once = 0, set()
    while at < len(parts):
        kind = parts[at]
        if kind in once or kind not in _FOLLOW | _ONCE:
            return False
        if kind in _ONCE:
            once.add(kind)
        if kind == "end":
            return parts[at + 1 :] == [""]
        count = parts[at + 3] if kind == "array" and at + 3 < len(parts) else "0"
        if not (count.isascii() and count.isdigit() and len(count) < 8):
            return False
        at += 1 + (_FOLLOW | _ONCE)[kind] + 2 * int(count)
    return False
