"""The slash words of the shell: /help and what it lists."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from nlsh.plan import registry
from nlsh.plan.plan import Call, Plan
from nlsh.shell.fit import fold
from nlsh.shell.options import UsageError
from nlsh.shell.report import explain_lines
from nlsh.shell.turn import Session, one_line

WORDS = {
    "/help": "this list",
    "/plan": "/plan TEXT runs a plan; alone it shows the last one",
    "/why": "what the planner was given, why it chose, and which rule decided",
    "/explain": "/explain COMMAND or PLAN says what it would do; alone: explain every turn (again: stop)",
    "/fix": "propose what may mend what failed last; /fix TEXT with the error's words",
    "/undo": "take back the last run, or /undo N",
    "/redo": "do again what was taken back last",
    "/history": "what was done",
    "/actions": "the catalogue, or /actions NAME",
    "/policy": "the rules in force; /policy check REQUEST, /policy show RULE",
    "/audit": "the newest audit entries; /audit verify checks the chain, /audit export writes it out",
    "/skills": "the skill packs and their entries",
    "/top": "how busy this machine is, live",
    "/jobs": "what runs later or repeatedly; /jobs show N, pause N, resume N, cancel N, run N, retry N, log N",
    "/model": "which model plans; /model list, /model use NAME",
    "/doctor": "check this machine and this installation",
    "/exit": "leave (so do Ctrl-D and exit)",
}

_HELP = {
    "At the prompt": (
        ("!command", "a command as it is; !!command: without trying it on a copy first"),
        ("?text", "always language"),
        ("_", "the last result: “delete those”, “the second one” and “the same for ~/Music” mean it, too"),
        ("Tab", "completes; → takes what is shown in grey"),
        ("Ctrl-R", "searches what was typed before"),
        ("Ctrl-T", "flips between command and language"),
        ("Shift-Tab", "changes the mode: ask, plan only, auto"),
        ("Alt-Enter", "begins a new line"),
        ("Ctrl-Z", "stops a command; jobs, fg, bg, wait and kill %1 are for these and for those that & runs behind"),
    ),
    "The shell's own words": (("cd …", "and export, unset, alias, unalias, undo, redo, history and exit"),),
}


class Slash:
    """The slash words, over one session."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def handle(self, line: str) -> int | None:
        """Do what a slash word says and return its status; None where the line is no slash word but a path. Raises UsageError."""
        word, _, rest = line.partition(" ")
        known: dict[str, Callable[[str], int]] = {
            "/": self._help, "/help": self._help, "/plan": self._plan, "/why": self._why, "/explain": self._explain, "/undo": self._undo,
            "/redo": self._redo, "/fix": self._fix, "/top": self._top, "/exit": self._exit, "/quit": self._exit,
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

        from nlsh.shell.commands import registered

        if name == "policy" and words[:1] in ([], ["list"], ["show"]):
            from nlsh.shell.commands import policy

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
        status = registered.run(replace(self.session.options, command=name, words=words))
        if name == "model" and words[:1] == ["use"] and status == 0:
            from nlsh.settings import load_settings

            self.session.planning.switch(load_settings())
        return status

    def _help(self, rest: str) -> int:
        room = max(len(key) for key in (*WORDS, *(k for lines in _HELP.values() for k, _ in lines)))
        columns = self.session.look.columns
        for word, what in WORDS.items():
            print(fold(f"  {word:{room}}  {what}", columns, room + 4))
        for title, lines in _HELP.items():
            print(f"\n{title}")
            for key, what in lines:
                print(fold(f"  {key:{room}}  {what}", columns, room + 4))
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
        if session.planning.last is None and session.last_decision is None and session.last_gated is None:
            raise UsageError("There was nothing to explain yet.")
        if session.planning.last is not None:
            self._print(explain_lines(session.planning.last))
        if session.last_decision is not None:
            self._print("  " + line for line in why_lines(session.last_decision))
        if session.last_gated is not None and session.last_gated.count:
            from nlsh.shell.asking import gated_lines

            lines = gated_lines(session.last_gated.entries, session.last_gated.count)
            self._print(["  what it wanted outside that:", *("  " + line for line in lines)])
        return 0

    def _explain(self, rest: str) -> int:
        if rest:
            from nlsh.shell.explain import lines_about

            self._print(lines_about(self.session, rest))
            return 0
        from dataclasses import replace

        options = self.session.options
        self.session.options = replace(options, explain=not options.explain)
        print(f"Every turn is explained: {'yes' if self.session.options.explain else 'no'}.")
        return 0

    def _print(self, lines: Iterable[str]) -> None:
        columns = self.session.look.columns if self.session.look.table else 0
        for line in lines:
            print(fold(line, columns))

    def _undo(self, rest: str) -> int:
        if rest and not rest.isdigit():
            raise UsageError(f"“{rest}” is not a run's number.", hint="See /history.")
        return self.session.run(Plan((Call("history.undo", {"run": rest} if rest else {}),)), f"undo {rest}".strip())

    def _redo(self, rest: str) -> int:
        # The newest run that took something back and was not taken back itself, before anything else was done.
        for run in self.session.journal.recent(50):
            if run.turn == "undo" and run.undone_by is None:
                return self.session.run(Plan((Call("history.undo", {"run": str(run.id)}),)), "redo")
            if run.turn not in ("undo", "redo"):
                break
        raise UsageError("There is nothing to do again: nothing was taken back since the last change.", hint="See /history.")

    def _fix(self, rest: str) -> int:
        from nlsh.shell.fix import mend

        return mend(self.session, rest)

    def _top(self, rest: str) -> int:
        from nlsh.shell.prompt.top import run

        return run(self.session.look)

    def _exit(self, rest: str) -> int:
        from nlsh.shell.line.builtins import Leave

        raise Leave(0)
