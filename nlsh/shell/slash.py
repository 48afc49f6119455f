"""The slash words of the shell: /help and what it lists."""

from __future__ import annotations

import os
from collections.abc import Callable

from nlsh.plan import registry
from nlsh.plan.plan import Call, Plan
from nlsh.shell.options import UsageError
from nlsh.shell.report import explain_lines
from nlsh.shell.turn import Session, one_line

WORDS = {
    "/help": "this list",
    "/plan": "/plan TEXT runs a plan; alone it shows the last one",
    "/why": "what the planner was given, why it chose, and which rule decided",
    "/explain": "say that at every turn (again: stop)",
    "/undo": "take back the last run, or /undo N",
    "/history": "what was done",
    "/actions": "the catalogue, or /actions NAME",
    "/policy": "the rules in force; /policy check REQUEST, /policy show RULE",
    "/audit": "the newest audit entries; /audit verify checks the chain, /audit export writes it out",
    "/model": "which model plans; /model list, /model use NAME",
    "/doctor": "check this machine and this installation",
    "/exit": "leave (so do Ctrl-D and exit)",
}


class Slash:
    """The slash words, over one session."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def handle(self, line: str) -> int | None:
        """Do what a slash word says and return its status; None where the line is no slash word but a path. Raises UsageError."""
        word, _, rest = line.partition(" ")
        known: dict[str, Callable[[str], int]] = {
            "/help": self._help, "/plan": self._plan, "/why": self._why, "/explain": self._explain, "/undo": self._undo,
            "/exit": self._exit, "/quit": self._exit,
        }  # fmt: skip
        if word in known:
            return known[word](rest.strip())
        if word in WORDS:
            return self._command(word[1:], rest.split())
        if "/" in word[1:] or os.path.lexists(word):
            return None
        import difflib

        close = difflib.get_close_matches(word, WORDS, 1)
        raise UsageError(f"There is no {word}.", hint=f"Did you mean {close[0]}?" if close else "See /help.")

    def _command(self, name: str, words: list[str]) -> int:
        """Do what the command line's command of that name does."""
        from dataclasses import replace

        from nlsh.shell import commands

        if name == "policy" and words[:1] in ([], ["list"], ["show"]):
            from nlsh.shell import policy

            # With what was allowed for this session.
            if len(words) > 1:
                policy.show_rule(self.session.policy, words[1], self.session.look)
            else:
                policy.list_rules(self.session.policy, self.session.look)
            return 0
        if name == "model" and words and words[0] not in ("list", "info", "use", "learned"):
            raise UsageError(
                f"/model does not know “{words[0]}”.", hint=f"There is /model list, info, use and learned; the rest outside: nlsh model {words[0]}."
            )
        status = commands.run(replace(self.session.options, command=name, words=words))
        if name == "model" and words[:1] == ["use"] and status == 0:
            self.session.switch_model()
        return status

    def _help(self, rest: str) -> int:
        room = max(map(len, WORDS))
        for word, what in WORDS.items():
            print(f"  {word:{room}}  {what}")
        print("  !cmd is a command as it is, ?text is always language, _ is the last result (“delete those”).")
        print("  cd, export, alias, undo, history and exit are the shell's own words.")
        return 0

    def _plan(self, rest: str) -> int:
        if rest:
            plan = registry.parse(rest)
            return self.session.run(plan, one_line(plan))
        if self.session.last_preview is None:
            raise UsageError("There was no plan yet.")
        print(registry.format(self.session.last_preview.plan))
        return 0

    def _why(self, rest: str) -> int:
        from nlsh.shell.preview import why_lines

        session = self.session
        if session.last_answer is None and session.last_decision is None and session.last_gated is None:
            raise UsageError("There was nothing to explain yet.")
        if session.last_answer is not None:
            print("\n".join(explain_lines(session.last_answer)))
        if session.last_decision is not None:
            print("\n".join("  " + line for line in why_lines(session.last_decision)))
        if session.last_gated is not None and session.last_gated.count:
            from nlsh.shell.asking import gated_lines

            print("\n".join(["  what it wanted outside that:", *("  " + line for line in gated_lines(session.last_gated.entries, session.last_gated.count))]))
        return 0

    def _explain(self, rest: str) -> int:
        from dataclasses import replace

        options = self.session.options
        self.session.options = replace(options, explain=not options.explain)
        print(f"Every turn is explained: {'yes' if self.session.options.explain else 'no'}.")
        return 0

    def _undo(self, rest: str) -> int:
        if rest and not rest.isdigit():
            raise UsageError(f"“{rest}” is not a run's number.", hint="See /history.")
        return self.session.run(Plan((Call("history.undo", {"run": rest} if rest else {}),)), f"undo {rest}".strip())

    def _exit(self, rest: str) -> int:
        from nlsh.shell.builtins import Leave

        raise Leave(0)
