"""`nlsh shell-integration bash|zsh|fish|man`: what a shell sources to complete nlsh's words and to turn its current line into a plan; and the man page.

All of it is made from the parser of the command line, so that it cannot fall behind. Nothing is installed: it goes to stdout.
"""

from __future__ import annotations

import argparse
import shlex
from dataclasses import fields

from nlsh.plan import registry
from nlsh.settings import Settings
from nlsh.shell.options import Options, UsageError

_WORDS = {
    "policy": "list show check add", "audit": "show verify export", "daemon": "status start stop restart install uninstall",
    "jobs": "list show pause resume cancel run retry wait log", "skills": "list show test new add trust pin remove",
    "model": "list info use pull bench eval quantize prune train adapt learned", "shell-integration": "bash zsh fish man",
}  # fmt: skip
_ENVIRONMENT = {
    "planner": "a model to plan with, a GGUF file", "encoder": "a model to look examples up with", "threads": "how many threads a model may use",
    "sure": "the confidence, 0 to 1, from which one plan is offered alone", "color": "auto, always or never", "keys": "emacs or vi",
    "daemon": "auto, or off: plan in this process",
}  # fmt: skip


def run(options: Options, parser: argparse.ArgumentParser) -> int:
    """Write a shell's script, or the man page, to stdout. Raises UsageError."""
    made = {"bash": bash, "zsh": zsh, "fish": fish, "man": man}
    if len(options.words) != 1 or options.words[0] not in made:
        raise UsageError("nlsh shell-integration needs to know for what.", hint='There is: bash, zsh, fish, man. Try: eval "$(nlsh shell-integration bash)"')
    print(made[options.words[0]](parser), end="")
    return 0


def commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the commands of the command line by their names."""
    found: dict[str, argparse.ArgumentParser] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found.update(action.choices)
    return found


def _flags(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [a for a in parser._actions if a.option_strings and a.help != argparse.SUPPRESS]


def _words_of(name: str) -> str:
    return " ".join(registry.names()) if name == "actions" else _WORDS.get(name, "")


def bash(parser: argparse.ArgumentParser) -> str:
    """Return what bash sources."""
    flags = " ".join(o for a in _flags(parser) for o in a.option_strings)
    cases = "\n".join(f"    {name}) words={shlex.quote(w)} ;;" for name in commands(parser) if (w := _words_of(name)))
    return f"""# nlsh for bash: eval "$(nlsh shell-integration bash)" in ~/.bashrc. Ctrl-X n turns the line into a plan.
_nlsh() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} command=${{COMP_WORDS[1]}} words={shlex.quote(" ".join(commands(parser)))}
  if [[ $word == -* ]]; then COMPREPLY=($(compgen -W {shlex.quote(flags)} -- "$word")); return; fi
  if (( COMP_CWORD > 1 )); then
    words=
    case $command in
{cases}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _nlsh nlsh
_nlsh_plan() {{
  [[ -n $READLINE_LINE ]] || return
  local plan
  plan=$(nlsh --dry-run --no-input -c "$READLINE_LINE") && [[ -n $plan ]] || return
  READLINE_LINE="nlsh plan $(printf %q "$plan")"
  READLINE_POINT=${{#READLINE_LINE}}
}}
bind -x '"\\C-xn": _nlsh_plan'
"""


def zsh(parser: argparse.ArgumentParser) -> str:
    """Return what zsh sources."""
    flags = " ".join(o for a in _flags(parser) for o in a.option_strings)
    cases = "\n".join(f"    {name}) compadd -- {w} ;;" for name in commands(parser) if (w := _words_of(name)))
    return f"""# nlsh for zsh: eval "$(nlsh shell-integration zsh)" in ~/.zshrc, after compinit. Ctrl-X n turns the line into a plan.
_nlsh() {{
  if [[ $PREFIX == -* ]]; then compadd -- {flags}; return; fi
  if (( CURRENT == 2 )); then compadd -- {" ".join(commands(parser))}; return; fi
  case ${{words[2]}} in
{cases}
  *) _files ;;
  esac
}}
(( $+functions[compdef] )) && compdef _nlsh nlsh
_nlsh_plan() {{
  [[ -n $BUFFER ]] || return
  local plan
  zle -I
  plan=$(nlsh --dry-run --no-input -c "$BUFFER" </dev/tty) && [[ -n $plan ]] || return
  BUFFER="nlsh plan ${{(qq)plan}}"
  CURSOR=${{#BUFFER}}
}}
zle -N _nlsh_plan
bindkey '^Xn' _nlsh_plan
"""


def fish(parser: argparse.ArgumentParser) -> str:
    """Return what fish sources."""
    lines = ["# nlsh for fish: nlsh shell-integration fish | source, in config.fish. Ctrl-X n turns the line into a plan.", "complete -c nlsh -f"]
    for action in _flags(parser):
        names = " ".join(f"-l {o[2:]}" if o.startswith("--") else f"-s {o[1:]}" for o in action.option_strings)
        lines.append(f"complete -c nlsh {names} -d {_fish_quoted(action.help or '')}")
    for name, sub in commands(parser).items():
        lines.append(f"complete -c nlsh -n __fish_use_subcommand -a {name} -d {_fish_quoted(sub.description or '')}")
        if words := _words_of(name):
            lines.append(f"complete -c nlsh -n '__fish_seen_subcommand_from {name}' -a {_fish_quoted(words)}")
    lines += [
        "complete -c nlsh -n '__fish_seen_subcommand_from plan script' -F",
        "function _nlsh_plan",
        "  set -l line (commandline)",
        '  test -n "$line"; or return',
        '  set -l plan (nlsh --dry-run --no-input -c "$line" | string collect); or return',
        '  test -n "$plan"; and commandline -r -- "nlsh plan "(string escape -- "$plan")',
        "  commandline -f repaint",
        "end",
        "bind \\cxn _nlsh_plan",
    ]
    return "\n".join(lines) + "\n"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def man(parser: argparse.ArgumentParser) -> str:
    """Return the man page, section 1."""
    from nlsh import __version__

    lines = [
        f'.TH NLSH 1 "" "nlsh {__version__}" "User Commands"', ".SH NAME", "nlsh \\- a shell that you talk to", ".SH SYNOPSIS",
        ".B nlsh\n[\\fIFLAG\\fR]...\n.br",
        ".B nlsh\n[\\fIFLAG\\fR]... \\fB\\-c\\fR \\fIREQUEST\\fR\n.br\n.B nlsh\n\\fICOMMAND\\fR [\\fIFLAG\\fR]... [\\fIWORD\\fR]...",
        ".SH DESCRIPTION",
        "Say what you want in your own words. A language model on this machine turns it into a plan of typed actions; nlsh shows what the plan would touch,",
        "the kernel holds it to that, and what was changed can be taken back with \\fBnlsh undo\\fR. In a request,",
        "\\fB!\\fR\\fICOMMAND\\fR is a raw command and \\fB?\\fR\\fITEXT\\fR is language; a request or file \\fB\\-\\fR is stdin.",
        ".PP",
        "Stdout carries the result and nothing else. What is piped in can be named: \\(lqthose\\(rq, \\(lqthese files\\(rq, \\(lqstdin\\(rq are its lines,",
        "files where they are paths.",
        ".SH JOBS",
        "In the shell, Ctrl\\-Z stops a raw command and \\fICOMMAND\\fR \\fB&\\fR runs it behind the prompt; \\fBjobs\\fR, \\fBfg\\fR, \\fBbg\\fR, ",
        "\\fBwait\\fR and \\fBkill %\\fR\\fIN\\fR are as in other shells. Jobs end when nlsh is left.",
        "\\fBnlsh jobs\\fR lists plans that run later, which do not.",
        ".SH OPTIONS",
    ]  # fmt: skip
    for action in _flags(parser):
        lines += [".TP", _man_flag(action), _man(action.help or "")]
    lines.append(".SH COMMANDS")
    for name, sub in commands(parser).items():
        lines += [".TP", f"\\fB{_man(name)}\\fR", _man(sub.description or "")]
        words = [a for a in sub._actions if not a.option_strings and a.help]
        if words and words[0].help:
            lines.append(_man(f"Takes: {words[0].help}."))
    statuses = (
        ("0", "all done"), ("1", "a step failed"), ("2", "usage"), ("3", "denied, or nobody could approve"), ("4", "not understood, or a question is open"),
        ("5", "partly done"), ("130", "interrupted"),
    )  # fmt: skip
    lines.append(".SH EXIT STATUS")
    for status, what in statuses:
        lines += [".TP", status, what]
    lines += [".SH ENVIRONMENT"]
    for field in fields(Settings):
        lines += [".TP", f"\\fBNLSH_{field.name.upper()}\\fR", _man(_ENVIRONMENT.get(field.name, "as in config.toml"))]
    lines += [".TP", "\\fBNO_COLOR\\fR, \\fBTERM=dumb\\fR", "no colour; nothing but text"]
    lines += [
        ".SH FILES", ".TP", "~/.config/nlsh/config.toml", "what can be set, as in the environment, in small letters and without NLSH_",
        ".TP", "~/.config/nlsh/policy.toml", "your rules", ".TP", "~/.local/state/nlsh", "journal, audit and history",
        ".SH EXAMPLES", ".nf", "nlsh \\-c 'what is using the most memory'", "nlsh \\-0 \\-c 'find pdfs in ~/Downloads' | xargs \\-0 ls \\-l",
        "git ls\\-files | nlsh \\-c 'which of these are larger than 1MB'",
        "nlsh \\-\\-no\\-input \\-\\-yes \\-c 'move logs older than 30 days in ~/logs to the trash'", ".fi",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _man_flag(action: argparse.Action) -> str:
    names = ", ".join(f"\\fB{_man(o)}\\fR" for o in action.option_strings)
    value = action.metavar or ("|".join(map(str, action.choices)) if action.choices else "")
    return names + (f" \\fI{_man(str(value))}\\fR" if value else "")


def _man(text: str) -> str:
    """Return text as roff shows it: nothing in it is an order."""
    escaped = "".join(c if c.isascii() else f"\\[u{ord(c):04X}]" for c in text.replace("\\", "\\e").replace("-", "\\-"))
    return "\\&" + escaped if escaped.startswith((".", "'")) else escaped
