"""The shell itself: a prompt that takes sentences, commands and slash words until one leaves it.

It owns the line editor and the words that only make sense in a shell (cd, export, alias, slash words). Everything that does something is
a turn of `Session`. Ctrl-C cancels the line or the running plan, never the shell; Ctrl-D leaves.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nlsh.monitor.sampler import Sampler
from nlsh.plan.errors import NlshError
from nlsh.shell.builtins import Leave, Words
from nlsh.shell.options import Options, checked_request
from nlsh.shell.show import escape, place
from nlsh.shell.slash import Slash
from nlsh.shell.turn import INTERRUPTED, Session

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.formatted_text import FormattedText

_WELCOME = (
    "nlsh: say what you want in your own words, or type a command. What would change anything is shown first, and asked.",
    "!cmd is always a command and ?text always language; undo takes the last change back; /help lists the rest.",
)


class PlainEditor:
    """Lines from a terminal that can do nothing but show text: no editing but the terminal's own, no history, no sequences."""

    def prompt(self, message: Callable[[], object]) -> str:
        """Return the next line. Raises EOFError at its end."""
        sys.stdout.write(str(message()))
        sys.stdout.flush()
        try:
            line = sys.stdin.readline()
        except KeyboardInterrupt:
            sys.stdout.write("\n")
            raise
        if not line:
            sys.stdout.write("\n")
            raise EOFError
        return line


class Repl:
    """One interactive shell."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.status = 0

    def run(self) -> int:
        """Talk until the user leaves; return the status that `exit` was given."""
        with Session.start(self.options) as session:
            self.session = session
            session.undo_word = "undo"
            self.words = Words(session)
            self.slash = Slash(session)
            first = not self._history_file().exists()
            editor = self._editor()
            # The models load while the first line is typed; the zygote was forked before this thread.
            threading.Thread(target=session.warm_up, name="load-models", daemon=True).start()
            if first and not self.options.quiet:
                session.say(*_WELCOME, self._confinement())
            try:
                with Sampler():
                    self._offer_unfinished()
                    while True:
                        self._turn(editor)
            except Leave as leave:
                return leave.status

    def _turn(self, editor: PromptSession[str] | PlainEditor) -> None:
        try:
            line = editor.prompt(self._prompt)
        except KeyboardInterrupt:
            return
        except EOFError:
            raise Leave(0) from None
        if not line.strip():
            return
        try:
            self.status = self.handle(line)
        except KeyboardInterrupt:
            self.session.say("Cancelled.")
            self.status = INTERRUPTED
        except NlshError as error:
            self.status = self.session.fail(error)
        except BrokenPipeError:
            raise Leave(1) from None
        sys.stdout.flush()

    def handle(self, line: str) -> int:
        """Do what a line says and return its status. Raises Leave."""
        text = checked_request(line)
        if text.startswith("/") and (status := self.slash.handle(text)) is not None:
            return status
        if (status := self.words.handle(text)) is not None:
            return status
        return self.session.request(self.words.expanded(text))

    # --- the editor ----------------------------------------------------------------------------------------------

    def _editor(self) -> PromptSession[str] | PlainEditor:
        if self.options.plain or os.environ.get("TERM", "dumb") in ("dumb", ""):
            return PlainEditor()
        from prompt_toolkit import PromptSession
        from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
        from prompt_toolkit.history import FileHistory

        from nlsh.shell.complete import ShellCompleter

        class History(FileHistory):
            def append_string(self, string: str) -> None:
                """Keep a line, unless it starts with a space: as in other shells, that one is not remembered."""
                if not string.startswith(" "):
                    super().append_string(string)

        file = self._history_file()
        # Made here, so that nobody else can read it from the start.
        os.close(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        return PromptSession(
            history=History(str(file)),
            completer=ShellCompleter(),
            complete_while_typing=False,
            auto_suggest=AutoSuggestFromHistory(),
            enable_open_in_editor=True,
            mouse_support=False,
        )

    @staticmethod
    def _history_file() -> Path:
        from nlsh.settings import state_dir

        return state_dir() / "history"

    def _prompt(self) -> FormattedText | str:
        level = self.session.level
        here, mark = place(os.getcwd()), "$" if self.status == 0 else "!"
        if not self.session.look.color:
            return f"{here} {level} {mark} "
        from prompt_toolkit.formatted_text import FormattedText

        warn = "ansired" if level == "L0" else "ansibrightblack"
        return FormattedText([("ansicyan", here), ("", " "), (warn, level), ("", " "), ("ansired" if self.status else "bold", f"{mark} ")])

    # --- the start -----------------------------------------------------------------------------------------------

    def _confinement(self) -> str:
        if self.session.level == "L0":
            return "This kernel cannot confine what runs (level L0): nothing that changes anything will be run. See /doctor."
        return f"What runs is confined by the kernel to what was shown (level {self.session.level})."

    def _offer_unfinished(self) -> None:
        from nlsh.kernel.recover import finish_plan, leave, reverse_plan, unfinished

        session = self.session
        for run in unfinished(session.journal):
            session.say(session.look.paint(escape(run.message), "yellow"))
            if run.settled:
                continue
            try:
                answer = session.read("[f]inish it, [r]everse it, [k]eep it as it is, or Enter: later? ").strip().lower()
            except (EOFError, KeyboardInterrupt):
                session.say()
                continue
            if answer.startswith("f"):
                self.status = session.run(finish_plan(run.run_id), f"finish {run.run_id}")
            elif answer.startswith("r"):
                self.status = session.run(reverse_plan(run.run_id), f"undo {run.run_id}")
            elif answer.startswith("k"):
                leave(session.journal, run.run_id)
