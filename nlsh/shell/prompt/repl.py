"""The shell itself: a prompt that takes sentences, commands and slash words until one leaves it.

It owns the loop and the words that only make sense in a shell (cd, export, alias, slash words); the line editor is `editor`'s. Everything that
does something is a turn of `Session`. Ctrl-C cancels the line or the running plan, never the shell; Ctrl-D leaves.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from nlsh.monitor.sampler import Sampler
from nlsh.plan.errors import NlshError
from nlsh.shell.line.builtins import Leave, Words
from nlsh.shell.line.dialect import make_places
from nlsh.shell.line.job_control import JobControl
from nlsh.shell.options import Options, UsageError, checked_request, is_plain
from nlsh.shell.prompt.editor import LineEditor, PlainEditor
from nlsh.shell.prompt.news import News
from nlsh.shell.prompt.slash import Slash
from nlsh.shell.show import escape, here, place
from nlsh.shell.turn import INTERRUPTED, Session
from nlsh.steps._shell import knows_state
from nlsh.steps.command import user_shell
from nlsh.world import World

if TYPE_CHECKING:
    from prompt_toolkit.formatted_text import FormattedText

    from nlsh.shell.fix import Failure

_WELCOME = (
    "nlsh: say what you want in your own words, or type a command. What would change anything is shown first, and asked.",
    "!cmd is always a command and ?text always language; undo takes the last change back; /help lists the rest.",
)


class Repl:
    """One interactive shell."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.status = 0
        self._hinted: Failure | None = None
        self._before = ""  # the line before: what !! means
        self.job_control: JobControl | None = None

    def run(self) -> int:
        """Talk until the user leaves; return the status that `exit` was given."""
        with Session.start(self.options) as session:
            self.session = session
            # Ctrl-\ is for what runs in front, and never for nlsh. No SIG_IGN: an editor that is started for a plan would have it, too.
            signal.signal(signal.SIGQUIT, lambda *_: None)
            session.undo_word = "undo"
            session.another = self.handle
            self.words = Words(session)
            self.words.state.kind = knows_state(user_shell(typed=True))
            make_places(self.words.state.kind)
            self.slash = Slash(session)
            self.news = News(session.settings)
            first = not self._history_file().exists()
            editor = self._editor()
            self.job_control = session.job_control = JobControl.of(session, editor.look)
            # The models load while the first line is typed; the zygote was forked before this thread.
            threading.Thread(target=session.planning.warm_up, args=(session.context(), editor.ready), name="load-models", daemon=True).start()
            if first and not self.options.quiet:
                session.say(*(session.look.prose(line) for line in (*_WELCOME, self._confinement())))
            signal.signal(signal.SIGINT, signal.default_int_handler)
            try:
                with Sampler():
                    self._offer_unfinished()
                    while True:
                        try:
                            self._turn(editor)
                        except Leave:
                            if self.job_control is None or self.job_control.may_leave():
                                raise
                        except KeyboardInterrupt:
                            self.status = INTERRUPTED  # one more Ctrl-C, while what the last one ended was being told: never the shell's end
            except Leave as leave:
                return leave.status
            finally:
                if self.job_control is not None:
                    self.job_control.end()

    def _turn(self, editor: LineEditor | PlainEditor) -> None:
        self._settle()
        try:
            line = editor.prompt(self._prompt)
            if isinstance(editor, PlainEditor):
                line = self._whole(line, editor)
        except KeyboardInterrupt:
            return
        except EOFError:
            raise Leave(0) from None
        if not line.strip():
            return
        self.session.look = self.session.look.resized()  # the terminal may have been resized while the line was typed
        editor.running(line)
        try:
            self.status = self.handle(line)
            if self.job_control is not None:
                self.job_control.stay()
        except KeyboardInterrupt:
            self.session.begin_line()
            self.session.say("Cancelled.")
            self.status = INTERRUPTED
        except NlshError as error:
            self.status = self.session.fail(error)
        except BrokenPipeError:
            raise Leave(1) from None
        finally:
            self.session.begin_line()
            editor.ran(self.status)
            self.words.state.status = self.status
        self._hint()
        sys.stdout.flush()

    def _whole(self, line: str, editor: PlainEditor) -> str:
        """Return a line with those that it goes on in, as the line editor gives it."""
        line = line.rstrip("\n")
        while line.strip() and (line.startswith("!") or self.session.is_command(line)) and self.words.state.goes_on(line):
            more = editor.prompt(lambda: "> ").rstrip("\n")
            if not more:
                break
            line += "\n" + more
        return line

    def _hint(self) -> None:
        """Say that /fix knows something, where what has just failed is of a kind it knows."""
        failure = self.session.last_failure
        if self.status == 0 or failure is None or failure is self._hinted or self.options.quiet:
            return
        from nlsh.shell.fix import proposals

        self._hinted = failure
        if found := proposals(failure, "", os.getcwd()):
            self.session.say(self.session.look.paint(f"  /fix: {escape(found[0].why)}", "dim"))

    def _settle(self) -> None:
        """Be ready for a line: with what is to be told of jobs, in a folder that exists, on a terminal as wide as it is now."""
        session = self.session
        session.say(*(session.look.paint(f"nlsh: {line}", "yellow") for line in self.news.lines()))
        if self.job_control is not None:
            session.say(*self.job_control.news())
        session.look = session.look.resized()
        try:
            os.getcwd()
        except OSError:
            gone = os.environ.get("PWD", "")
            there = next((p for p in map(str, Path(gone).parents) if os.path.isdir(p) and os.access(p, os.X_OK)), "/") if gone.startswith("/") else "/"
            os.chdir(there)
            os.environ["PWD"] = there
            session.kernel.world = World()
            session.policy = session.kernel.policy = session.policy.renewed()
            session.say(session.look.paint(f"nlsh: the folder {place(gone) if gone else 'nlsh stood in'} is gone; now in {place(there)}.", "yellow"))

    def handle(self, line: str) -> int:
        """Do what a line says and return its status. Raises Leave."""
        text = checked_request(line, command=self.session.is_command(line))
        if text == "!!":
            if not self._before:
                raise UsageError("There was no line before this one.", hint="Nothing was run.")
            text = self._before
            self.session.say(self.session.look.paint(escape(text), "dim"))
        self._before = text
        if text.startswith("/") and (status := self.slash.handle(text)) is not None:
            return status
        for slash, words in (("/redo", ("redo", "redo that", "redo it", "重做")), ("/help", ("help", "帮助", "幫助"))):
            if text in words:
                return self.slash.handle(slash) or 0
        if (status := self.words.handle(text)) is not None:
            return status
        if self.job_control is not None and (status := self.job_control.handle(text)) is not None:
            return status
        return self.session.request(text)

    # --- the editor ----------------------------------------------------------------------------------------------

    def _editor(self) -> LineEditor | PlainEditor:
        if is_plain(self.options):
            return PlainEditor()
        return LineEditor(self.session, self._history_file(), self._jobs_in_short)

    @staticmethod
    def _history_file() -> Path:
        from nlsh.settings import state_dir

        return state_dir() / "history"

    def _prompt(self) -> FormattedText | str:
        level, where = self.session.level, place(here())
        # Not a sign that could be typed: "!" begins a command.
        failed = f"({self.status}) " if self.status else ""
        if is_plain(self.options):
            return f"{where} {level} {failed}$ "
        from prompt_toolkit.formatted_text import FormattedText

        # The last cell has a colour: one that looks like nothing is not drawn, nor the mark in front of it that says where input begins.
        end = [("[ZeroWidthEscape]", "\x1b]133;B\x07"), ("fg:ansidefault", " ")]
        if not self.session.look.color:
            return FormattedText([("", f"{where} {level} {failed}$"), *end])
        warn = "ansired" if level == "L0" else "ansibrightblack"
        return FormattedText([("ansicyan", where), ("", " "), (warn, level), ("", " "), ("ansired", failed), ("bold", "$"), *end])

    def _jobs_in_short(self) -> list[str]:
        return [*(self.job_control.in_short() if self.job_control is not None else ()), *([f"{self.news.later} later"] if self.news.later else ())]

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
                session.say("")
                continue
            if answer.startswith("f"):
                self.status = session.run(finish_plan(run.run_id), f"finish {run.run_id}")
            elif answer.startswith("r"):
                self.status = session.run(reverse_plan(run.run_id), f"undo {run.run_id}")
            elif answer.startswith("k"):
                leave(session.journal, run.run_id)
