"""The gate at the system call: what a raw command wants outside its grant becomes a question, and what came of each is kept for the audit.

Policy comes first: what it denies, and what no grant ever holds, is refused without a question. Showing a question is the shell's, waiting and doing
what was agreed to the sandbox's.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from nlsh.plan.effects import Effect
from nlsh.plan.errors import Denied, NlshError, NotPossible
from nlsh.plan.frozen import frozen
from nlsh.plan.plan import Call, Plan, Preview, PreviewedCall

if TYPE_CHECKING:
    from nlsh.guard.policy import Policy
    from nlsh.guard.rules import Rule
    from nlsh.guard.sandbox.zygote import Standstill

MOST_KEPT = 200  # gated calls of a run, by name; the others are counted
ONCE, JOB, ALWAYS, NO, END, LATE = "once", "job", "always", "no", "end", "late"
_VERBS = {
    "connect": "connect to the socket", "open": "write", "mkdir": "make the folder", "unlink": "remove", "rmdir": "remove", "rename": "move",
}  # fmt: skip
_NO_UNDO = "what a command does outside its folder is not journalled"


@frozen(slots=False)
class Question:
    """What a program wants: `verb` and `target` in words that are not escaped, the effects it amounts to, and for how long it waits.

    `folder` is what "this job" and "always" would be about where they are about more than the target. `tried`: the command runs on a copy,
    and this does not. `signalled`: the process that is to be signalled, since when it has run, and the signal; "this job" is about that alone.
    """

    program: str
    verb: str
    target: str
    effects: tuple[Effect, ...]
    seconds: float
    command: str = ""
    folder: str = ""
    tried: bool = False
    signalled: tuple[int, ...] = ()

    def rules(self) -> tuple[Rule, ...]:
        """Return the rules that "always" would write: for this command alone, and no wider than what is shown. Raises NotPossible for a signal."""
        from nlsh.guard.rules import EXACT, Rule

        if self.signalled:
            raise NotPossible("A signal cannot be always allowed: the number stands for whatever process has it next time.", hint="Nothing was written.")
        kinds = tuple(sorted({e.kind for e in self.effects}))
        targets = (self.folder,) if self.folder else tuple(EXACT + e.target for e in self.effects)
        name = f"asked-{time.strftime('%Y%m%d-%H%M%S')}"
        reason = f"said to {self.program} on {time.strftime('%Y-%m-%d')}"
        return (Rule(name, "allow", kinds, reason, tuple(dict.fromkeys(targets)), exact=not self.folder, command=self.command, scope="user"),)


Ask = Callable[[Question, "Standstill"], str]


@dataclass
class Gated:
    """What became of the calls that were gated in a run: the first ones, and how many there were."""

    entries: list[dict[str, str]] = field(default_factory=list)
    count: int = 0

    def add(self, **entry: str) -> None:
        """Keep one, where there is room."""
        self.count += 1
        if len(self.entries) < MOST_KEPT:
            self.entries.append({key: value for key, value in entry.items() if value})


class Gate:
    """Answers the questions of one run. `ask` is called for what policy leaves open; `tell` with each refusal that nobody was asked about."""

    def __init__(self, policy: Policy, ask: Ask, seconds: float, closed: tuple[str, ...], tell: Callable[[dict[str, Any]], None]) -> None:
        self.seconds, self.gated = seconds, Gated()
        self._policy, self._ask, self._closed, self._tell = policy, ask, closed, tell
        self._said: list[tuple[frozenset[str], tuple[Effect, ...], str, tuple[int, ...]]] = []
        self._command, self._tried = "", False
        self._carried: tuple[str, ...] = ()

    def takes(self, call: Any) -> bool:
        """Take up a call, where its worker is to ask: it runs a raw command that may change something, be it on a copy."""
        from nlsh.steps.command import ReadCommand, RunCommand, TryCommand

        found = next((s for s in call.steps if isinstance(s, RunCommand) and not isinstance(s, ReadCommand)), None)
        if found is None:
            return False
        self._command, self._carried, self._tried = found.command, call.carried, isinstance(found, TryCommand)
        return True

    def note(self, what: Any) -> None:
        """Keep a refusal that the broker has told of."""
        if isinstance(what, dict):
            self._refuse(str(what.get("program")), str(what.get("kind")), "", str(what.get("why")), "policy")

    def answer(self, message: dict[str, Any], standstill: Standstill) -> str:
        """Answer a question: "yes", "no" or "end", which ends the command, too."""
        try:
            question = self._question(message["what"])
        except (KeyError, TypeError, ValueError, OverflowError, OSError):
            self._refuse("a program", "something", "", "the question could not be read", "broker")
            return "no"
        try:
            rule = self._allowed(question)
        except Denied as error:
            self._refuse(question.program, question.verb, question.target, error.message, "policy", error.hint)
            return "no"
        except (NlshError, OSError) as error:
            self._refuse(question.program, question.verb, question.target, str(error), "policy")
            return "no"
        if rule:
            self._keep(question, "allow", rule, "policy")
            return "yes"
        said = self._ask(question, standstill)
        if said in (JOB, ALWAYS):
            self._said.append((frozenset(e.kind for e in question.effects), question.effects, question.folder, question.signalled))
        words = {ONCE: "once", JOB: "for this job", ALWAYS: "always", LATE: "no answer in time"}
        self._keep(question, "allow" if said in (ONCE, JOB, ALWAYS) else "deny", words.get(said, "no"), "timeout" if said == LATE else "user")
        return "yes" if said in (ONCE, JOB, ALWAYS) else "end" if said == END else "no"

    # --- what it is ----------------------------------------------------------------------------------------------

    def _question(self, what: dict[str, Any]) -> Question:
        """Return the question that a broker's words are. Raises KeyError, TypeError, ValueError, OverflowError and OSError for words that are none
        of ours.
        """
        kind, program = what["kind"], str(what["program"])
        folder = ""
        signalled: tuple[int, ...] = ()
        effects: tuple[Effect, ...]
        if kind == "connect" and "path" not in what:
            host, port = _numeric(str(what["host"])), int(what["port"])
            target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            verb, effects = "connect to", (Effect("net.connect", target),)
        elif kind == "kill":
            pid, number = int(what["target"]), int(what["signal"])
            verb, effects = f"send {_signal_name(number)} to", (Effect("proc.signal", str(pid)),)
            target, signalled = f"process {pid} ({_name_of(pid, what['began'])})", (pid, int(what["began"]), number)
        else:
            target = _absolute(what["path"])
            verb = _VERBS[kind]
            if kind == "connect":
                effects = (Effect("bus.call", target),)
            elif kind == "rename":
                to = _absolute(what["to"])
                effects, target = (Effect("fs.delete", target), Effect("fs.write", to)), f"{target} to {to}"
            else:
                effects = (Effect("fs.delete" if kind in ("unlink", "rmdir") else "fs.write", target),)
                folder = self._folder_of(target)
                if kind == "open" and int(what["flags"]) & os.O_ACCMODE != os.O_WRONLY:
                    effects = (*effects, Effect("fs.read", target))
                    verb = "read and write"
        return Question(program, verb, target, effects, self.seconds, self._command, folder, self._tried, signalled)

    def _folder_of(self, path: str) -> str:
        """Return the folder that an answer for longer is about: the one it is in, where that is neither a home folder nor holds secrets or our own."""
        from nlsh.guard.grant import Grant

        folder = os.path.dirname(path)
        named = any(c in folder for c in "*?{}") or folder.startswith("=")
        try:
            Grant.of((Effect("fs.write", folder),), closed=self._closed)
            refused = self._decision((Effect("fs.write", folder),)).answer == "deny"
        except NlshError:
            refused = True
        return "" if refused or named or folder in ("/", "/tmp", "/var/tmp", os.path.expanduser("~")) else folder

    # --- what is decided -----------------------------------------------------------------------------------------

    def _allowed(self, question: Question) -> str:
        """Return the rule that allows it, empty where somebody must be asked. Raises Denied for what is not even asked about."""
        from nlsh.guard.grant import Grant

        places = [Effect("fs.read", e.target) if e.kind == "bus.call" else e for e in question.effects if e.kind.startswith(("fs.", "bus."))]
        Grant.of(places, closed=self._closed)
        decision = self._decision(question.effects)
        if decision.answer == "deny":
            raise Denied(decision.reason, hint=f"rule {decision.rule}")
        if not set(question.effects).intersection(decision.asked):
            return self._rule_for(question.effects)
        kinds = {e.kind for e in question.effects}
        for known, effects, folder, signalled in self._said:
            if not kinds <= known or signalled != question.signalled:
                continue
            if set(question.effects) <= set(effects) or (folder and all(_within(e.target, folder) for e in question.effects)):
                return "said for this job"
        return ""

    def _rule_for(self, effects: tuple[Effect, ...]) -> str:
        """Return the name of the rule without which these effects would be asked about."""
        for rule in reversed(self._policy.rules):
            if rule.answer == "allow" and rule.scope != "shipped":
                others = replace(self._policy, rules=tuple(r for r in self._policy.rules if r is not rule))
                if set(effects).intersection(self._decision(effects, others).asked):
                    return rule.name
        return "several rules"

    def _decision(self, effects: tuple[Effect, ...], policy: Policy | None = None) -> Any:
        # With the command, about which alone some rules are.
        call = PreviewedCall(Call("shell.run"), (), (Effect("exec", self._command or "?"), *effects), _NO_UNDO, carried=self._carried)
        return (policy or self._policy).decide(Preview(Plan((call.call,)), (call,)))

    # --- what is kept --------------------------------------------------------------------------------------------

    def _keep(self, question: Question, decision: str, rule: str, who: str) -> None:
        self.gated.add(program=question.program, what=question.verb, target=question.target, decision=decision, rule=rule, who=who)

    def _refuse(self, program: str, what: str, target: str, why: str, who: str, rule: str = "") -> None:
        self.gated.add(program=program, what=what, target=target, decision="deny", rule=rule or why, who=who)
        self._tell({"type": "gated", "program": program, "what": what, "target": target, "why": why, "count": self.gated.count})


def _absolute(path: Any) -> str:
    if not isinstance(path, str) or not path.startswith("/") or "\0" in path or path != os.path.normpath(path):
        raise ValueError("no path of ours")
    os.fsencode(path)  # no file has half a pair of surrogates in its name
    return path


def _numeric(host: str) -> str:
    """Return a host's address, which must be written as rules about it are. Raises ValueError and OSError.

    What else would name the same host, a rule about it would miss: 0x7f000001, ::ffff:127.0.0.1, a name.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    packed = socket.inet_pton(family, host)
    if socket.inet_ntop(family, packed) != host or not any(packed) or (len(packed) == 16 and packed.startswith(bytes(10) + b"\xff\xff")):
        raise ValueError("no address of ours")
    return host


def _name_of(pid: int, began: object) -> str:
    """Return the name of the program that a process runs, as it is seen from here. Raises ValueError where another process has the number."""
    from nlsh.guard.sandbox.wants import program_of
    from nlsh.steps.handles import started_ticks

    if not began or started_ticks(pid) != began:
        raise ValueError("no process of which was asked")
    return program_of(pid)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _within(path: str, root: str) -> bool:
    return path == root or path.startswith(root + "/")
