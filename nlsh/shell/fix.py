"""`/fix`: what may mend what failed last. It proposes plans from the error, the command and what is here; nothing is run unasked.

Rules read the error's text where there is one (a typed action's, or what the user pastes after /fix), and otherwise look at what the command names: a
raw command shares the terminal, and what it printed there is not kept. Each proposal goes through preview, policy and question like any plan.
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from nlsh.plan import registry
from nlsh.plan.errors import NlshError
from nlsh.plan.frozen import frozen
from nlsh.plan.plan import Call, Plan, Value
from nlsh.shell.options import UsageError
from nlsh.shell.show import escape

if TYPE_CHECKING:
    from nlsh.shell.turn import Session

MOST = 3
NOT_UNDERSTOOD = 4
_MOST_CHARACTERS = 500  # of what the planner is told
NO_PROGRAM, _NOT_EXECUTABLE = 127, 126
_INSTEAD = {"python": "python3", "pip": "pip3", "vi": "vim", "docker-compose": "docker compose", "ifconfig": "ip addr", "netstat": "ss"}
_GIT_TEXT = """
    add am apply bisect blame branch checkout cherry-pick clean clone commit config diff fetch format-patch gc grep init log merge mv pull push rebase
    reflog remote reset restore revert rm show stash status switch tag worktree
"""
_GIT = _GIT_TEXT.split()


@frozen(slots=False)
class Failure:
    """What failed: the request as it was typed, the plan, the exit status, and what was said of it."""

    request: str
    plan: Plan
    status: int
    errors: tuple[str, ...]

    @property
    def command(self) -> str:
        """The raw command, where that is what failed."""
        only = self.plan.calls[0] if len(self.plan.calls) == 1 else None
        return str(only.args.get("command", "")) if only is not None and only.action == "shell.run" else ""


@frozen(slots=False)
class Proposal:
    """A plan that may mend it, and why."""

    plan: Plan
    why: str

    @property
    def command(self) -> str:
        """The raw command, where it is one."""
        return str(self.plan.calls[0].args["command"]) if self.plan.calls[0].action == "shell.run" else ""


def is_mistyped(line: str) -> bool:
    """Return whether a line that nothing was made of looks like a command whose program is written wrongly: “gti status”."""
    from nlsh.shell.line.detect import is_command

    first, _, rest = line.strip().partition(" ")
    if not re.fullmatch(r"[a-z][a-z0-9._+-]+", first) or shutil.which(first):
        return False
    return any(is_command(f"{near} {rest}") for near in _nearest(first))


def may_be_command(line: str) -> bool:
    """Return whether a line that nothing was made of begins with a program and has no word that only a sentence needs: “ls nosuch”."""
    from nlsh.shell.line.sentence import Operand

    first, *rest = line.split()
    return shutil.which(first) is not None and len(rest) <= 4 and not any(w.is_function_word or w.is_sentence for w in map(Operand, rest))


def _nearest(name: str) -> list[str]:
    """Return the programs whose names are nearest to one that is none: first those of the same letters."""
    names = _programs()
    same = sorted((n for n in names if len(n) > 2 and sorted(n) == sorted(name)), key=lambda n: (n[0] != name[0], n))
    return list(dict.fromkeys((*same, *difflib.get_close_matches(name, names, 2, 0.7))))[:2]


def proposals(failure: Failure, said: str, cwd: str) -> list[Proposal]:
    """Return what may mend a failure, the likeliest first; `said` is what the user adds of the error's text. Looks at the world, changes nothing."""
    text = "\n".join((*failure.errors, said))
    found: dict[str, Proposal] = {}
    for rule in _RULES:
        for proposal in rule(failure, text, cwd):
            if proposal.plan != failure.plan and proposal.plan.calls[0].args.get("command", True):
                found.setdefault(registry.format(proposal.plan), proposal)
    return list(found.values())[:MOST]


def mend(session: Session, said: str) -> int:
    """Show what may mend the last failure and run what is picked. Raises UsageError where nothing failed."""
    failure = session.last_failure
    if failure is None:
        raise UsageError("Nothing has failed that could be mended.", hint="Nothing was run.")
    found = proposals(failure, said, os.getcwd()) or _planned(session, failure, said)
    if not found:
        session.say("nlsh knows nothing that would mend this. Give it the error's words: /fix TEXT. Nothing was run.")
        return NOT_UNDERSTOOD
    for number, proposal in enumerate(found, start=1):
        plan = "; ".join(registry.format(proposal.plan).splitlines())
        session.say(f"  {number}  {escape(proposal.command or plan)}", session.look.paint(f"     {escape(proposal.why)}", "dim"))
    if not session.can_ask():
        return NOT_UNDERSTOOD
    try:
        answer = session.read(f"Which? [{'1' if len(found) == 1 else f'1-{len(found)}'}, Enter: none] ").strip()
    except EOFError:
        answer = ""
    if not (answer.isascii() and answer.isdecimal() and 1 <= int(answer) <= len(found)):
        session.say("Nothing was run.")
        return NOT_UNDERSTOOD
    chosen = found[int(answer) - 1]
    return session.run(chosen.plan, f"fix: {failure.request}")


def _planned(session: Session, failure: Failure, said: str) -> list[Proposal]:
    """Return what the planner makes of the request with its error beside it, where no rule knows better."""
    text = " ".join(" ".join((failure.request.lstrip("!?"), *failure.errors, said)).split())[:_MOST_CHARACTERS]
    try:
        answer = session.planning.plan(f"fix this: {text}", session.context())
    except NlshError:
        return []
    plans = [r.plan for r in answer.readings if r.plan != failure.plan] if answer.kind in ("plan", "choose") else []
    return [Proposal(p, "the model's guess from the error") for p in plans[:MOST]]


def _command(line: str, why: str) -> Proposal:
    return Proposal(Plan((Call("shell.run", {"command": line}),)), why)


def _call(action: str, why: str, **args: str) -> Proposal:
    return Proposal(Plan((Call(action, args),)), why)


def _words(failure: Failure) -> list[str]:
    try:
        return shlex.split(failure.command)
    except ValueError:
        return []


def _suggested(failure: Failure, text: str, cwd: str) -> Iterator[Proposal]:
    """What the program itself, or nlsh, says was meant."""
    if failure.command:
        words = _words(failure)
        if len(words) > 1 and (match := re.search(r"most similar commands? (?:is|are)\s+(\S+)|[Dd]id you mean:? (?:this\?\s+)?[`'“\"]?([\w.-]+)", text)):
            meant = match[1] or match[2]
            yield _command(_replaced(failure.command, words[1], meant), f"the program asks whether “{meant}” was meant")
        return
    if (match := re.search(r"There is no (?:\w+ )?“([^”]+)”.*(?:Did you mean|Nearest:?) “?([^”?,]+)”?[?.,]", text, re.S)) is not None:
        yield from _replan(failure, match[1], match[2].strip())


def _replan(failure: Failure, wrong: str, right: str) -> Iterator[Proposal]:
    try:
        calls = tuple(replace(c, args={k: _put_right(v, wrong, right) for k, v in c.args.items()}) for c in failure.plan.calls)
        yield Proposal(registry.parse(registry.format(replace(failure.plan, calls=calls))), f"“{right}” is the nearest to “{wrong}”")
    except NlshError:
        return


def _put_right(value: Value, wrong: str, right: str) -> Value:
    """Return the value with a name in it that is wrong replaced: the whole of it, or its last part."""
    if isinstance(value, tuple):
        return tuple(str(_put_right(v, wrong, right)) for v in value)
    if not isinstance(value, str) or (value != wrong and not value.endswith(f"/{wrong}")):
        return value
    return value[: len(value) - len(wrong)] + right


def _unknown_program(failure: Failure, text: str, cwd: str) -> Iterator[Proposal]:
    words = [w for w in _words(failure) if not re.fullmatch(r"\w+=.*", w)]
    missing = re.search(r"([\w.+-]+): (?:command )?not found", text)
    name = missing[1] if missing else words[0] if words and failure.status == NO_PROGRAM else ""
    if not name or "/" in name or shutil.which(name):
        return
    if name in _INSTEAD and shutil.which(_INSTEAD[name].split()[0]):
        yield _command(_replaced(failure.command, name, *_INSTEAD[name].split()), f"there is no {name} here, but {_INSTEAD[name]}")
    for near in _nearest(name):
        yield _command(_replaced(failure.command, name, near), f"there is no program {name}; {near} is the nearest")
    yield _call("package.search", f"there is no program {name}: it may be in a package", text=name)


def _not_executable(failure: Failure, text: str, cwd: str) -> Iterator[Proposal]:
    words = _words(failure)
    if words and "/" in words[0] and os.path.isfile(os.path.join(cwd, words[0])) and not os.access(os.path.join(cwd, words[0]), os.X_OK):
        yield _call("file.chmod", f"{words[0]} is there and not executable", paths=words[0], mode="executable")


def _missing_path(failure: Failure, text: str, cwd: str) -> Iterator[Proposal]:
    words = _words(failure)
    if failure.status == NO_PROGRAM:
        return
    if words[:1] == ["mkdir"] and "-p" not in words:
        for word in words[1:]:
            if not word.startswith("-") and not os.path.isdir(os.path.dirname(os.path.join(cwd, word))):
                yield _command(_replaced(failure.command, "mkdir", "mkdir", "-p"), f"the folder around {word} is not there either")
    for word in words[1:]:
        path = os.path.join(cwd, os.path.expanduser(word))
        if word.startswith("-") or any(c in word for c in "*?[$=:") or os.path.lexists(path):
            continue
        folder, name = os.path.split(path.rstrip("/"))
        try:
            near = difflib.get_close_matches(name, [n for n in os.listdir(folder) if n.isprintable()], 1, 0.7)
        except OSError:
            continue
        if near:
            right = word.rstrip("/")[: len(word.rstrip("/")) - len(name)] + near[0]
            yield _command(_replaced(failure.command, word, right), f"there is no {word}; {right} is the nearest")


def _folder(failure: Failure, text: str, cwd: str) -> Iterator[Proposal]:
    words = _words(failure)
    if words[:1] in (["cp"], ["rm"]) and not any(re.fullmatch(r"-\w*[rRa]\w*|--recursive", w) for w in words):
        for word in words[1:]:
            if not word.startswith("-") and os.path.isdir(os.path.join(cwd, os.path.expanduser(word))):
                if words[0] == "rm":
                    yield _call("file.trash", f"{word} is a folder; the trash gives it back", paths=word)
                else:
                    yield _command(_replaced(failure.command, "cp", "cp", "-r"), f"{word} is a folder")
                return


def _git(failure: Failure, text: str, cwd: str) -> Iterator[Proposal]:
    words = _words(failure)
    if words[:1] != ["git"]:
        return
    if (match := re.search(r"git push --set-upstream ([^\s-]\S*) ([^\s-]\S*)", text)) is not None:
        yield _command(f"git push --set-upstream {shlex.quote(match[1])} {shlex.quote(match[2])}", "the branch has nowhere to go yet")
    if len(words) > 1 and words[1].isalpha() and words[1] not in _GIT:
        for near in difflib.get_close_matches(words[1], _GIT, 2, 0.6):
            yield _command(_replaced(failure.command, words[1], near), f"git has no command {words[1]}; {near} is the nearest")


def _taken_port(failure: Failure, text: str, cwd: str) -> Iterator[Proposal]:
    taken = re.search(r"[Aa]ddress already in use|EADDRINUSE|port \d+ is (?:already )?(?:in use|allocated)", text)
    if taken and (match := re.search(r"(?:port\D{0,3}|:)(\d{2,5})(?!\d)|(?<![\d.])(\d{4,5})(?![\d.])", f"{text} {failure.command}")):
        port = match[1] or match[2]
        yield _call("process.kill", f"port {port} is taken", port=port)
        yield _call("network.ports", "to see who listens")


def _full_disk(failure: Failure, text: str, cwd: str) -> Iterator[Proposal]:
    if re.search(r"No space left on device|Disk quota exceeded", text):
        yield _call("resource.disk", "a disk is full: which")
        yield _call("file.find", "the largest files in your home folder", under="~", sort="largest", limit="20")


def _missing_module(failure: Failure, text: str, cwd: str) -> Iterator[Proposal]:
    if (match := re.search(r"No module named ['\"]?([A-Za-z_]\w*)", text)) is not None:
        yield _call("package.install", f"Python does not find {match[1]}", names=match[1], backend="pip")


_RULES: tuple[Callable[[Failure, str, str], Iterator[Proposal]], ...] = (
    _suggested, _unknown_program, _not_executable, _git, _folder, _missing_path, _taken_port, _full_disk, _missing_module,
)  # fmt: skip


def _replaced(command: str, word: str, *by: str) -> str:
    """Return the command with the first such word replaced, the rest as it was typed; nothing where a shell would read more or other words in it."""
    found = re.sub(rf"(?<![\w/.-]){re.escape(word)}(?![\w-])", lambda _: shlex.join(by), command, count=1)
    try:
        before, after = shlex.split(command), shlex.split(found)
    except ValueError:
        return ""
    # Quotes within quotes are none: what stands in the one is read by the shell all the same.
    meant = ([*before[:n], old.replace(word, by[0], 1), *by[1:], *before[n + 1 :]] for n, old in enumerate(before) if word in old)
    return found if after in meant else ""


def _programs() -> list[str]:
    found: set[str] = set()
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        try:
            found.update(os.listdir(folder))
        except OSError:
            continue
    return sorted(found)
