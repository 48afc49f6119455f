"""The command line: flags, streams and exit statuses. It parses, then hands over; what a path does not need it does not import.

Exit status: 0 all done; 1 a step failed; 2 usage; 3 denied, or it needed an approval nobody could give; 4 not understood, or a question is
open; 5 partly done; 130 interrupted. Results go to stdout; previews, questions, progress and errors to stderr.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # as in typing, whose import costs as much as all of `nlsh --version`
if TYPE_CHECKING:
    import argparse
    from typing import NoReturn

    from nlsh.shell.options import Options

_NO_READER = 141  # what a shell says of a process that SIGPIPE ended
_COMMANDS = (
    "run", "skills", "plan", "undo", "finish", "history", "audit", "policy", "actions", "model", "jobs", "daemon", "mcp",
    "servers", "shell-integration", "doctor",
)  # fmt: skip
# Flags of a request that take no value, and the option that each sets.
_SWITCHES = {
    "-y": "yes", "--yes": "yes", "-n": "dry_run", "--dry-run": "dry_run", "--json": "json", "-0": "null", "--null": "null", "--plain": "plain",
    "--no-input": "no_input", "--explain": "explain", "-q": "quiet", "--quiet": "quiet", "-v": "verbose", "--verbose": "verbose",
}  # fmt: skip
_EPILOG = """\
Without a command and without -c, nlsh is a shell: type what you want, or a command.
In a request, !CMD is a raw command and ?TEXT forces language; REQUEST or FILE `-` is stdin.
nlsh FILE [ARGUMENT…] runs a script: such lines, one after the other, until one fails.

exit status: 0 all done · 1 a step failed · 2 usage · 3 denied, or nobody could approve
             4 not understood, or a question is open · 5 partly done · 130 interrupted"""

_MODEL = (
    "list; info [NAME|PATH]; use NAME|PATH|shipped; pull URL; bench [NAME|PATH]; eval [NAME|PATH]; "
    "quantize IN OUT TYPE; prune IN OUT; train NAME; adapt NAME; learned [forget N|clear]"
)
_SKILLS = "list; show PACK[.ENTRY]; test [PACK…]; new NAME; add FOLDER; trust PACK; pin PACK.ENTRY [KEY=VALUE…]; remove PACK"
_JOBS = "list; show N; pause N; resume N; cancel N; run N: now, too; retry N: what failed; wait N: until a run has ended, with its status; log N"
_SERVERS = "list; show NAME; add NAME [--allow EFFECT:TARGET…] -- COMMAND…; remove NAME"
_DAEMON = "what to do; status. restart replaces it in place; install writes a systemd user unit, uninstall removes it; run is the daemon itself"


def main(argv: list[str] | None = None) -> int:
    """Run nlsh for `argv` (default: the process's own) and return its exit status."""
    words = sys.argv[1:] if argv is None else argv
    if words in (["--version"], ["-V"]):
        from nlsh import __version__

        print(f"nlsh {__version__}")
        return 0
    status = _NO_READER
    try:
        if argv is None:
            from nlsh.shell import startup

            startup.begin()
        _set_streams()
        status = _main(words)
        sys.stdout.flush()
    except KeyboardInterrupt:
        status = _say("\nnlsh: interrupted.", 130)
    except BrokenPipeError:
        _silence()
    except OSError as error:
        # A full disk, a folder that is gone or not ours: what was being done has said so in its own words, or is not begun.
        status = _say(f"nlsh: {error.strerror or error}{f': {error.filename}' if error.filename else ''}.", 1)
        _silence()
    except Exception as error:
        if "-v" in words or "--verbose" in words:
            raise
        status = _say(f"nlsh: this is a fault of nlsh: {type(error).__name__}: {error}. With -v it shows where; please report it.".replace("\n", " "), 1)
    if argv is None:
        import gc

        # What is still there is left to the system: the interpreter would look through all of it twice before it ends.
        gc.freeze()
    return status


def _main(words: list[str]) -> int:
    try:
        options = _parse(words)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 2
    from nlsh.plan.errors import NlshError

    try:
        return _dispatch(options)
    except NlshError as error:
        from nlsh.shell.show import escape

        if options.json:
            import json

            from nlsh.shell.talk import SCHEMA

            print(json.dumps({"error": error.as_data(), "schema": SCHEMA}), flush=True)
        return _say(f"nlsh: {escape(str(error))}", error.exit_status)


def _silence() -> None:
    """Send what is still buffered nowhere: it would fail again when the interpreter closes the streams."""
    hole = os.open(os.devnull, os.O_WRONLY)
    os.dup2(hole, 1)
    os.dup2(hole, 2)


def _say(text: str, status: int) -> int:
    try:
        print(text, file=sys.stderr)
    except (BrokenPipeError, ValueError, AttributeError):
        return status
    return status


def _set_streams() -> None:
    """Make names that are not UTF-8 pass through stdout as they are, and be shown escaped on stderr, whatever the locale says."""
    if None in (sys.stdin, sys.stdout, sys.stderr):
        _open_closed()
    for stream, errors in ((sys.stdout, "surrogateescape"), (sys.stderr, "backslashreplace")):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors=errors)


def _open_closed() -> None:
    """Open standard streams that whoever started us has closed (`nlsh … >&-`): else the next file or socket would take their place."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        continue
    os.close(descriptor)
    sys.stdin, sys.stdout, sys.stderr = (
        stream or open(number, mode, closefd=False)  # noqa: SIM115 - as long as the process lives
        for number, (stream, mode) in enumerate(((sys.stdin, "r"), (sys.stdout, "w"), (sys.stderr, "w")))
    )


def _parse(words: list[str]) -> Options:
    from nlsh.shell.options import Options

    words, request = _split(words)
    if request is not None and all(word in _SWITCHES for word in words):
        # Most one-shots: argparse takes longer to import and to set up than the sentence takes to be sent.
        return Options(request=request, **{_SWITCHES[word]: True for word in words})  # type: ignore[arg-type]
    if words[:1] == ["servers"] and "--" in words:
        # A command line of its own, flags and all.
        at = words.index("--")
        fields = vars(_parser(words[:at]).parse_args(words[:at]))
        return Options(**{**fields, "words": [*fields["words"], *words[at:]]})
    if request is None and (script := _script(words)) is not None:
        flags, words = script
        return Options(**{**vars(_parser(flags).parse_args(flags)), "command": "script", "words": words})
    if request is None and words[-1:] == ["-"] and _first(words) == len(words) - 1:
        words, request = words[:-1], "-"  # a request on stdin, as with -c -
    if request is None and words[:2] in (["new", "skill"], ["new", "pack"]):
        # A sentence without quotes, the one there is: nlsh new skill from last 5 requests.
        request, words = " ".join(w for w in words if not w.startswith("-")), [w for w in words if w.startswith("-")]
    parser = _parser(words)
    found, more = parser.parse_known_args(words)
    fields = vars(found)
    if more and "words" in fields and fields["command"] != "plan" and not any(w.startswith("-") for w in more):
        # What stands behind a flag: nlsh run PACK -n KEY=VALUE.
        fields["words"] = [*fields["words"], *more]
    elif more:
        parser.error(f"unrecognized arguments: {' '.join(more)}")
    return Options(**(fields if request is None else {**fields, "request": request}))


def _split(words: list[str]) -> tuple[list[str], str | None]:
    """Take `-c REQUEST` out of the words: a request may look like a flag, which argparse would take it for."""
    for at, word in enumerate(words):
        if word == "--":
            break
        if word in ("-c", "--request") and at + 1 < len(words):
            return words[:at] + words[at + 2 :], words[at + 1]
    return words, None


def _script(words: list[str]) -> tuple[list[str], list[str]] | None:
    """Return the flags, and a script with its arguments, where the first word that is no flag is a script's file; else None."""
    at = _first(words)
    if at is None or not ("/" in words[at] or words[at].endswith(".nlsh")) or not os.path.isfile(words[at]):
        return None
    return words[:at], words[at:]


def _first(words: list[str]) -> int | None:
    """Return where the first word stands that is no flag and no flag's value, before any `--`."""
    at = 0
    while at < len(words) and words[at] != "--":
        if words[at] == "-" or not words[at].startswith("-"):
            return at
        at += 2 if words[at] in ("--allow", "--model", "--color") else 1
    return None


def _named(words: list[str]) -> frozenset[str]:
    """Return the commands that a command line can be about: all of them, where it asks for help or is wrong."""
    plain = [w for w in words if not w.startswith("-")]
    if plain:
        return frozenset(plain).intersection(_COMMANDS) if plain[0] in _COMMANDS else frozenset(_COMMANDS)
    helps = any(w.startswith("--h") or (w[1:2] != "-" and "h" in w) for w in words)
    return frozenset(_COMMANDS) if helps else frozenset()


def _parser(words: list[str] | None = None) -> argparse.ArgumentParser:
    """Return the parser of every command line, or one that is as good for this one: to set up sixteen commands takes longer than most of them run."""
    import argparse

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            """Say what is wrong in one line, with the nearest flag or what was probably meant."""
            self.exit(2, f"nlsh: {_said(message)}\n")

    formatter = argparse.RawDescriptionHelpFormatter
    flags = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    flags.add_argument("-y", "--yes", action="store_true", help="approve what would be asked (never what is denied)")
    flags.add_argument("-n", "--dry-run", action="store_true", help="print the plan to stdout, its preview to stderr, and change nothing")
    flags.add_argument("--json", action="store_true", help="results as JSON lines")
    flags.add_argument("-0", "--null", action="store_true", help="results for xargs -0: each ends with a zero byte, files as nothing but their paths")
    flags.add_argument("--plain", action="store_true", help="plain tab-separated lines, no colour, on a terminal too")
    flags.add_argument("--no-input", action="store_true", help="never ask; what would be asked is refused")
    flags.add_argument(
        "--allow", action="append", metavar="EFFECT[:TARGET]", help="allow an effect for this process, such as fs.write:~/x; never what is denied"
    )
    flags.add_argument("--model", metavar="NAME|PATH", help="plan with this model, a GGUF file")
    flags.add_argument("--explain", action="store_true", help="say what the planner was given and why it chose")
    flags.add_argument("-q", "--quiet", action="store_true", help="only results, questions and errors")
    flags.add_argument("-v", "--verbose", action="store_true", help="say more: the rule, the run, the times")
    flags.add_argument("--color", choices=("auto", "always", "never"), help="colour (auto)")
    parser = Parser(
        "nlsh", description="A shell that you talk to.", epilog=_EPILOG, formatter_class=formatter, parents=[flags], argument_default=argparse.SUPPRESS
    )
    parser.add_argument("-V", "--version", action="store_true", help="print the version")
    parser.add_argument("-c", "--request", metavar="REQUEST", help="do this one thing and end")
    commands = parser.add_subparsers(prog="nlsh", dest="command", metavar="COMMAND", parser_class=Parser)
    named = frozenset(_COMMANDS) if words is None else _named(words)
    unused = Parser(add_help=False, conflict_handler="resolve")

    def command(name: str, help: str, *positional: tuple[str, str, str | int]) -> argparse.ArgumentParser:
        if name not in named:
            return unused
        sub = commands.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".", parents=[flags], argument_default=argparse.SUPPRESS)
        for key, what, nargs in positional:
            sub.add_argument("words", metavar=key, help=what, nargs=nargs)
        return sub

    command("run", "run a skill pack's entry", ("PACK[.ENTRY] [KEY=VALUE…]", "the pack, then its parameters; none: list the packs", "*"))
    skills = command("skills", "list, show, test, make and add skill packs", ("list | show | new | …", _SKILLS, "*"))
    skills.add_argument("--from-last", metavar="N", type=int, help="new: of the last N requests of the journal")
    command("plan", "run a plan that is written down", ("FILE|TEXT", "the plan's file, - for stdin, or the plan itself", 1))
    command("undo", "take back the last run, or the one of that number", ("RUN", "a number of `nlsh history`", "*"))
    command("finish", "finish a run that was cut short", ("RUN", "a number of `nlsh history`", "*"))
    command("history", "list what was done", ("N", "how many (20)", "*"))
    audit = command("audit", "show, verify or export the audit", ("show N | verify | export", "what to do; show 20", "*"))
    audit.add_argument("--plan", metavar="RUN|DIGEST", help="show: only what is about this run, or the plan whose digest begins so")
    audit.add_argument("--step", metavar="N", type=int, help="show: only what is about this step")
    audit.add_argument("--decision", choices=("allow", "ask", "deny"), help="show: only what was decided so")
    audit.add_argument("--since", metavar="WHEN", help="show, export: only from then on, such as 2026-01-31 or 7d")
    policy = command(
        "policy", "show the rules, what they say to a request, or add one", ("list | show RULE | check REQUEST | add REQUEST", "what to do; list", "*")
    )
    policy.add_argument("--project", action="store_true", help="add: the rule holds only while you are in this folder")
    command("actions", "list the catalogue, or describe one action", ("NAME", "such as file.find", "*"))
    model = command("model", "say which models are used, choose, fetch, measure and change them", ("list | info | use | …", _MODEL, "*"))
    model.add_argument("--sha256", metavar="HEX", help="pull: the checksum it must have")
    model.add_argument("--most", metavar="N", type=int, help="eval, quantize, prune, adapt: at most so many test requests of a set")
    model.add_argument("--layers", metavar="LIST", help="prune: the layers to leave out, such as 3,5-7")
    model.add_argument("--vocabulary", action="store_true", help="prune: leave out the tokens that no request and no plan is written with")
    model.add_argument("--minutes", metavar="N", type=float, help="train, adapt: for how long")
    command("jobs", "list and look after what runs later, repeatedly or in the background", ("list | show N | pause N | …", _JOBS, "*"))
    daemon = command(
        "daemon", "keep the models warm and look after jobs, in a process of your own", ("status | start | stop | restart | install", _DAEMON, "*")
    )
    daemon.add_argument("--idle", metavar="SECONDS", type=float, help="run: end after so long without a request and without a job (900)")
    command("mcp", "offer the catalogue to another agent, over stdin and stdout (Model Context Protocol)", ("", "==SUPPRESS==", "*"))
    command("servers", "list, add and remove MCP servers whose tools are actions", ("list | add NAME -- COMMAND… | …", _SERVERS, "*"))
    command("shell-integration", "print what bash, zsh or fish sources, or the man page", ("bash | zsh | fish | man", "for which shell", "*"))
    command("doctor", "check this machine and this installation")
    return parser


def _said(message: str) -> str:
    """Return argparse's complaint with the nearest flag or command, or with how to ask for something."""
    import difflib
    import re

    if match := re.search(r"unrecognized arguments: (--[\w-]+)", message):
        flags = [
            "--yes", "--dry-run", "--json", "--null", "--plain", "--no-input", "--allow", "--model", "--explain", "--quiet",
            "--verbose", "--color", "--version",
        ]  # fmt: skip
        close = difflib.get_close_matches(match[1], flags, 1, 0.7)
        return f"there is no flag {match[1]}. {f'Did you mean {close[0]}?' if close else 'See nlsh --help.'}"
    if match := re.search(r"argument COMMAND: invalid choice: '([^']*)'", message):
        if "/" in match[1]:
            return f"there is no file “{match[1]}”. Nothing was run."
        close = difflib.get_close_matches(match[1], _COMMANDS, 1)
        near = f" Did you mean nlsh {close[0]}?" if close else ""
        return f'there is no command “{match[1]}”.{near} To ask for something: nlsh -c "…", in quotes.'
    return f"{message}. See nlsh --help."


def _dispatch(options: Options) -> int:
    if options.version:
        from nlsh import __version__

        print(f"nlsh {__version__}")
        return 0
    if options.request is not None:
        if options.command is not None:
            return _say(f"nlsh: -c and the command {options.command} cannot go together. See nlsh --help.", 2)
        from nlsh.shell.options import checked_request

        text = checked_request(_from_stdin() if options.request == "-" else options.request)
        from nlsh.shell import oneshot

        with oneshot.start(options, text) as session:
            if options.request != "-":
                from nlsh.shell.piped import result_for

                session.kernel.last = result_for(text)
            return session.request(text)
    if options.command is None:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return _say("nlsh: no terminal to talk on. Give a request: nlsh -c REQUEST, or nlsh -c - to read it from stdin.", 2)
        import signal

        # A shell is not ended by a Ctrl-C that comes while it starts. No SIG_IGN, which what it runs would have, too.
        signal.signal(signal.SIGINT, lambda *_: None)
        from nlsh.shell.prompt.repl import Repl

        return Repl(options).run()
    if options.command == "mcp":
        from nlsh import mcp

        return mcp.serve(options)
    if options.command == "shell-integration":
        from nlsh.shell.prompt import integration

        return integration.run(options, _parser())
    from nlsh.shell.commands import registered

    return registered.run(options)


def _from_stdin() -> str:
    from nlsh.shell.options import MOST_COMMAND_CHARACTERS, NotARequest

    data = sys.stdin.buffer.read(4 * MOST_COMMAND_CHARACTERS + 1)
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise NotARequest("The request on stdin is not valid UTF-8.", hint="Nothing was run.") from None
