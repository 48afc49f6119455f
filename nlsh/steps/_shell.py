"""The shell around a command whose state is carried from line to line: it is given values, runs the line, and says what it has afterwards.

It owns the protocol between nlsh and that shell. Values go in by the environment, as assignments that nlsh has quoted; what comes back is data
(names and values, NUL between them) in a file without a name, of which the programs that the line runs have no descriptor.
"""

from __future__ import annotations

import os
import shlex

# What a job's environment says to a command's step; never left in it.
CARRIED = "NLSH_CARRIED"
KEEPS = "NLSH_KEEPS"
MOST_BYTES = 1 << 20
_OUT = 9

# Bash: attributes, scalars, arrays, functions, aliases, options and the folders of pushd.
_BASH = r"""
{ set +eux +o noclobber +o noglob; unalias -a; unset -f builtin printf compgen declare mapfile eval shopt dirs umask pwd; } 2>/dev/null
builtin mapfile -t _nlsh_all < <(builtin compgen -A variable)
{ builtin printf 'cwd\0%s\0umask\0%s\0' "$(builtin pwd -P)" "$(builtin umask)"
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
builtin mapfile -t _nlsh_all < <(builtin compgen -A function)
for _nlsh_n in "${_nlsh_all[@]}"; do builtin printf 'function\0%s\0%s\0' "$_nlsh_n" "$(builtin declare -f -- "$_nlsh_n")"; done
for _nlsh_n in "${!_nlsh_a[@]}"; do builtin printf 'alias\0%s\0%s\0' "$_nlsh_n" "${_nlsh_a[$_nlsh_n]}"; done
builtin printf 'options\0%s\0shopts\0%s\0' "$_nlsh_o" "$_nlsh_p"
builtin mapfile -t _nlsh_all < <(builtin dirs -l -p)
for _nlsh_n in "${_nlsh_all[@]:1}"; do builtin printf 'pushed\0%s\0' "$_nlsh_n"; done
builtin printf 'end\0'; } >&9 2>/dev/null
"""
_BASH_FIRST = (
    "{ _nlsh_s=$? _nlsh_o=$SHELLOPTS _nlsh_p=$BASHOPTS; builtin declare -A _nlsh_a; "
    'for _nlsh_n in "${!BASH_ALIASES[@]}"; do _nlsh_a[$_nlsh_n]=${BASH_ALIASES[$_nlsh_n]}; done; } 2>/dev/null'
)
# Any other shell of sh's kind: `set` and `export -p` print what can be read back; functions it cannot name.
_SH = r"""
_nlsh_s=$?
{ unalias pwd umask printf set export 2>/dev/null
printf 'cwd\0%s\0umask\0%s\0exports\0' "$(pwd -P)" "$(umask)"; export -p; printf '\0set\0'; set; printf '\0aliases\0'
alias; printf '\0end\0'; } >&9 2>/dev/null
"""


def knows_state(shell: str) -> str:
    """Return which kind of state a shell can say: bash's, sh's, or none (empty)."""
    name = os.path.basename(os.path.realpath(shell))
    return (
        "bash"
        if name.startswith("bash")
        else "sh"
        if name in ("dash", "ash", "busybox", "sh", "ksh", "mksh", "yash")
        else "cwd"
        if name.startswith("zsh")
        else ""
    )


def script(shell: str, line: str, *, keeps: bool) -> str:
    """Return the script that runs `line` with what is carried; `keeps`: it says its state afterwards, on descriptor 9."""
    after = {"bash": f"{_BASH_FIRST}\n{_BASH}", "sh": _SH}.get(knows_state(shell), "")
    # What is carried takes itself out of the environment, and leaves the status of the line before, which this one may ask for.
    first = f'eval "${{{CARRIED}-}}"; eval {shlex.quote(line)}'
    return f"{first} {_OUT}>&-\n{after}\nexit $_nlsh_s" if keeps and after else first


class Said:
    """A file without a name for what a shell says of its state."""

    def __init__(self) -> None:
        self.descriptor = os.memfd_create("nlsh-state")

    def actions(self) -> list[tuple[int, int, int]]:
        """Return what gives the shell the descriptor."""
        return [(os.POSIX_SPAWN_DUP2, self.descriptor, _OUT)]

    def read(self) -> str:
        """Return what was said, and close; empty where it is nothing or too much."""
        try:
            data = os.pread(self.descriptor, MOST_BYTES + 1, 0)
        finally:
            os.close(self.descriptor)
        return "" if len(data) > MOST_BYTES else data.decode("utf-8", "surrogateescape")
