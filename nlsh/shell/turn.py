"""One turn: a request (or a plan) becomes a preview, a decision, a run and a result. The command line, the REPL and skill packs all go this way.

It owns what a process keeps between turns (the kernel, the planner, the last result). What is allowed is the policy's, what is enforced
the worker's; this module only shows, asks and reports.

# LIMIT: data piped to a one-shot reaches raw commands only; a plan cannot name it yet.
# LIMIT: with --json a raw command's own output still goes to stdout as it is, before its records.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any

from nlsh.plan import registry
from nlsh.plan.errors import NlshError
from nlsh.plan.plan import Call, Plan, Preview
from nlsh.plan.records import Change, Note, Record, record_from_data
from nlsh.shell.options import Options
from nlsh.shell.preview import ask, edit_text, preview_data, preview_lines
from nlsh.shell.progress import Progress
from nlsh.shell.report import SAID, closing_lines, distinct, exit_status, explain_lines
from nlsh.shell.show import Look, escape, show_records

if TYPE_CHECKING:
    from nlsh.guard.policy import Decision, Policy
    from nlsh.guard.sandbox.zygote import Standstill, Zygote
    from nlsh.kernel.gate import Gated, Question
    from nlsh.kernel.kernel import Kernel, Outcome
    from nlsh.planner.answer import Answer, Reading
    from nlsh.planner.planner import Planner
    from nlsh.skills.load import Entry

NOT_UNDERSTOOD = 4
DENIED = 3
INTERRUPTED = 130


class Session:
    """What one process has set up: kernel, policy and, once it is needed, the planner."""

    def __init__(self, options: Options, zygote: Zygote) -> None:
        """Load policy and journal; raises SettingsError or JournalError. The planner is loaded when a sentence comes."""
        from nlsh.guard.policy import load
        from nlsh.journal.audit import Audit
        from nlsh.journal.store import Journal
        from nlsh.kernel.kernel import Kernel
        from nlsh.settings import load_settings
        from nlsh.world import World

        self.options = options
        self.undo_word = "nlsh undo"  # what a user types to take a run back: in the shell itself, just undo
        self.settings = load_settings()
        self.look = Look.of(json=options.json, plain=options.plain, color=options.color or self.settings.color)
        self.zygote = zygote
        self.policy: Policy = load()
        if options.allow:
            self.policy = self.policy.with_session(options.allow)
        self.journal = Journal()
        self.audit = Audit(journal=self.journal)
        self.kernel: Kernel = Kernel(self.policy, zygote, self.journal, self.audit, World(), approve=self._approve, on_event=self._on_event)
        self.recent: list[str] = []
        self.last_answer: Answer | None = None
        self.last_decision: Decision | None = None
        self.last_preview: Preview | None = None
        self.last_gated: Gated | None = None  # what the last raw command wanted outside its grant
        if self.can_ask():
            self.kernel.ask = self._ask_at_syscall
        self.swept = False  # whether what earlier trials left behind was removed
        self._planner: Planner | None = None
        self._loading = threading.Lock()
        self._edited: str | None = None
        self._progress = Progress(self.look, quiet=options.quiet)
        self._live = False  # whether the call that runs shows its records as they come
        self._shown: set[int] = set()  # places in the outcome of the records that were shown as they came

    @classmethod
    def start(cls, options: Options) -> Session:
        """Fork the zygote, before anything heavy is imported or a thread is started, and set up the rest."""
        from nlsh.guard.sandbox.zygote import Zygote

        return cls(options, Zygote.start())

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @cached_property
    def level(self) -> str:
        """The level of enforcement that the workers get."""
        return self.zygote.level

    def close(self) -> None:
        """End the workers, anchor the audit and close the journal."""
        self.zygote.close()
        self.audit.anchor()
        self.journal.close()

    # --- requests ------------------------------------------------------------------------------------------------

    def request(self, text: str) -> int:
        """Do what a line asks: `!` a raw command, `?` language, otherwise whichever it plainly is. Return the exit status."""
        from nlsh.shell.detect import is_command

        if text.startswith("!"):
            return self.command(text[1:].strip(), request=text)
        if text.startswith("?"):
            return self.sentence(text[1:].strip())
        if is_command(text):
            if not self.options.quiet and sys.stderr.isatty():
                self.say(self.look.paint(f"  $ {escape(text)}", "dim"))
            return self.command(text, request=text)
        return self.sentence(text)

    def command(self, line: str, *, request: str) -> int:
        """Run a raw command through the same gate; one with another `!` before it without trying it on a copy first."""
        return self.run(command_plan(line.removeprefix("!").strip()), request, direct=line.startswith("!"))

    def sentence(self, text: str) -> int:
        """Plan a sentence, or find it among the packs', and run the plan; a question that stays open is status 4."""
        from nlsh.skills.load import said

        if (entry := said(text)) is not None:
            return self.run_entry(entry, {p.name: p.default or "" for p in entry.parameters.values()}, text)
        try:
            answer = self.plan(text)
        except NlshError as error:
            return self.fail(error)
        self.recent = [*self.recent[-9:], text]
        if self.options.explain:
            self.say(*explain_lines(answer))
        if answer.kind == "plan":
            return self.run(answer.readings[0].plan, text)
        if answer.kind == "choose" and answer.readings:
            if self._preview_asks(answer.readings):
                self.say(self.look.paint("nlsh is not sure that this is what you mean.", "yellow"))
                return self.run(answer.readings[0].plan, text, learn=True)
            reading = self._choose(answer)
            if reading is None:
                return NOT_UNDERSTOOD
            self._learn(text, reading.plan)
            return self.run(reading.plan, text)
        if self.look.json:
            self.emit({"question": answer.message, "kind": answer.kind, "choices": []})
        self.say(escape(answer.message))
        return NOT_UNDERSTOOD

    def plan(self, text: str) -> Answer:
        """Return the planner's answer to a sentence. Raises ModelError and NotUnderstood."""
        from nlsh.planner.answer import Context

        planner = self.load_planner()
        last = self.kernel.last
        context = Context(os.getcwd(), os.path.expanduser("~"), last.action if last else None, last.records if last else (), tuple(self.recent))
        self.last_answer = planner.plan(text, context)
        if notice := getattr(planner, "notice", ""):
            self.say(self.look.paint(f"nlsh: {escape(notice)}", "yellow"))
            planner.notice = ""  # type: ignore[attr-defined]  # only a planner of another model has something to say
        return self.last_answer

    def plan_of(self, text: str) -> Plan:
        """Return the one plan a line means. Raises NotUnderstood where the planner is not sure of one."""
        from nlsh.plan.errors import NotUnderstood
        from nlsh.shell.detect import is_command

        forced = text.startswith("?")
        if text.startswith("!") or (not forced and is_command(text)):
            return command_plan(text.removeprefix("!").removeprefix("!").strip())
        answer = self.plan(text.removeprefix("?").strip())
        if answer.kind != "plan":
            raise NotUnderstood(answer.message or "This is not clear enough for one plan.", hint="Nothing was run.")
        return answer.readings[0].plan

    def run_entry(self, entry: Entry, given: Mapping[str, str], request: str) -> int:
        """Run an entry of a skill pack; where there is nothing to do, that is no failure."""
        from nlsh.skills.run import plan_entry

        try:
            plan = plan_entry(entry, given, self)
        except NlshError as error:
            return self.fail(error)
        if plan is None:
            if not self.options.quiet:
                self.say("There was nothing to do.")
            return 0
        return self.run(plan, request)

    def preview(self, plan: Plan, request: str) -> Preview:
        """Return what a plan would do; change nothing."""
        return self.kernel.preview(plan, request)

    def load_planner(self) -> Planner:
        """Return the planner. Raises ModelError. Its models load when it first plans, or in `warm_up`."""
        with self._loading:
            if self._planner is None:
                self._planner = self._new_planner()
            return self._planner

    def warm_up(self) -> None:
        """Load the models, from another thread: whoever needs the planner meanwhile waits for it."""
        from nlsh.planner.answer import Context

        with self._loading:
            try:
                planner = self._new_planner()
                planner.plan("what is in this folder", Context(os.getcwd(), os.path.expanduser("~")))
                self._planner = planner
            except Exception:
                # It is met again, and shown, when the planner is needed.
                return

    def _new_planner(self) -> Planner:
        from dataclasses import replace

        from nlsh.planner.learned import Learned
        from nlsh.planner.planner import Planner

        settings = self.settings
        if self.options.model:
            settings = replace(settings, planner=self.options.model)
        if not settings.planner:
            return Planner(settings, learned=Learned())
        from nlsh.planner.models import planner_for

        return planner_for(settings, Learned())

    def switch_model(self) -> None:
        """Plan with what the settings say now, from the next request on."""
        from nlsh.settings import load_settings

        with self._loading:
            self.settings = load_settings()
            self._planner = None

    def _choose(self, answer: Answer) -> Reading | None:
        readings = answer.readings[:3]
        plans = [registry.format(r.plan) for r in readings]
        if self.look.json:
            choices = [{"plan": p, "confidence": round(r.confidence, 4), "why": r.why} for p, r in zip(plans, readings, strict=True)]
            self.emit({"question": answer.message, "kind": "choose", "choices": choices})
        self.say(escape(answer.message) or "Which of these do you mean?")
        for number, text in enumerate(plans, start=1):
            first, *rest = text.splitlines()
            mark = str(number) if len(plans) > 1 else " "
            self.say(f"  {mark}  {escape(first)}", *(f"     {escape(line)}" for line in rest))
        if not self.can_ask():
            self.say("nlsh: nobody can choose here, so nothing was run. Say more exactly what you mean, or give one of these to nlsh plan -.")
            return None
        question = "Do that? [y/N] " if len(readings) == 1 else f"Which? [1-{len(readings)}, Enter: none] "
        while True:
            try:
                reply = self.read(question).strip().lower()
            except EOFError:
                return None
            if reply in ("", "n", "no", "q"):
                return None
            if reply in ("y", "yes") and len(readings) == 1:
                return readings[0]
            if reply.isdecimal() and 1 <= int(reply) <= len(readings):
                return readings[int(reply) - 1]

    # --- plans ---------------------------------------------------------------------------------------------------

    def _preview_asks(self, readings: Sequence[Reading]) -> bool:
        """Whether there is one reading, and the question below its preview is asked anyway: one question is enough."""
        if len(readings) != 1 or self.options.yes or self.options.dry_run or not self.can_ask():
            return False
        try:
            return self.policy.decide(self.kernel.preview(readings[0].plan)).answer == "ask"
        except NlshError:
            return False

    def run(self, plan: Plan, request: str, *, learn: bool = False, direct: bool = False) -> int:
        """Preview a plan, have it decided and approved, run it and show what came of it. Return the exit status.

        `learn`: remember it for these words once it has been approved and done. `direct`: a raw command is not tried on a copy first.
        """
        corrected, self.last_gated = learn, None
        while True:
            self._edited = None
            try:
                preview = self.last_preview = self.kernel.preview(plan, request)
                if self.options.dry_run:
                    return self._dry_run(preview)
                if any(c.action == "shell.run" for c in plan.calls):
                    from nlsh.shell import trying

                    if (status := trying.run(self, plan, preview, request, direct=direct)) is not None:
                        return status
                self._announce(preview)
                self.make_room(preview)
                outcome = self.kernel.run(preview)
                self._progress.clear()  # before anything is said about it
                if self._edited is None:
                    if corrected and outcome.status in ("done", "partly", "nothing"):
                        self._learn(request, plan)
                    return self.report(preview, outcome)
                plan, corrected = registry.parse(self._edited), True
            except NlshError as error:
                # A reading call that the preview needs may be asked about, and edited, too.
                if self._edited is None:
                    return self.fail(error)
                plan, corrected = registry.parse(self._edited), True
            finally:
                self._progress.clear()

    def make_room(self, preview: Preview) -> None:
        """Leave the terminal to a raw command, if that is what is to run."""
        self._progress.enabled = not any(e.kind == "exec" for e in preview.effects)
        sys.stdout.flush()

    def _learn(self, request: str, plan: Plan) -> None:
        """Remember what the user chose, or made of a plan, for a sentence of theirs."""
        if self._planner is None or request.startswith("!"):
            return
        try:
            self._planner.learn(request.removeprefix("?").strip(), plan)
        except NlshError as error:
            self.say(f"nlsh: {escape(str(error))}")

    def _dry_run(self, preview: Preview) -> int:
        decision = self.last_decision = self.policy.decide(preview)
        if self.look.json:
            self.emit({"preview": preview_data(preview, decision)})
        else:
            sys.stdout.write(registry.format(preview.plan) + "\n")
            sys.stdout.flush()
        if not self.options.quiet:
            self.say(*preview_lines(preview, self.look, decision=decision, with_plan=False, cwd=os.getcwd()))
        if decision.answer == "deny":
            self.say(f"nlsh: this would be denied: {escape(decision.reason)} (rule {escape(str(decision.rule))}).")
            return DENIED
        return 0

    def _announce(self, preview: Preview) -> None:
        """On a terminal, show the plan of what is only read, and what --yes approves, before it runs."""
        if self.options.quiet or not sys.stderr.isatty():
            return
        if not preview.changes and not any(c.action == "shell.run" for c in preview.plan.calls):
            self.say(*(self.look.paint("  " + escape(line), "dim") for line in registry.format(preview.plan).splitlines()))

    def _approve(self, preview: Preview, decision: Decision) -> bool | str:
        self.last_decision = decision
        cwd = os.getcwd()
        if self.options.yes:
            if not self.options.quiet:
                self.say(*preview_lines(preview, self.look, cwd=cwd))
            return "flag"
        if not self.can_ask():
            self.say(*preview_lines(preview, self.look, decision=decision, cwd=cwd))
            self.say("nlsh: this needs an approval and there is nobody to ask. Nothing was changed. --yes approves it, -n shows it.")
            return False
        answer = ask(preview, decision, self.look, cwd=cwd, read=self.read, edit=self._edit, remember=self._remember)
        if isinstance(answer, str):
            self._edited = answer
            return False
        if not answer:
            self.say("Nothing was changed.")
        return answer

    def _remember(self, preview: Preview, decision: Decision) -> bool:
        from nlsh.shell import policy

        return policy.remember(self, preview, decision)

    def _ask_at_syscall(self, question: Question, standstill: Standstill) -> str:
        from nlsh.shell import asking

        return asking.ask(self, question, standstill)

    def _edit(self, text: str) -> str | None:
        """Return an edited plan that is a valid one, or None."""
        edited = edit_text(text)
        if edited is None:
            return None
        try:
            registry.parse(edited)
        except NlshError as error:
            self.say(f"nlsh: {escape(str(error))} The plan is as it was.")
            return None
        return edited

    def report(self, preview: Preview, outcome: Outcome) -> int:
        """Show what came of a run and return the exit status."""
        status = exit_status(outcome)
        try:
            self._show(preview, outcome)
            if self.look.json and (status != 0 or preview.changes):
                data = {"status": outcome.status, "exit_status": status, "run": outcome.run_id, "errors": [e.as_data() for e in outcome.errors]}
                self.emit({"outcome": data})
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read our results has what they wanted; what was asked for is done, and the status says how.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        closing = [] if self.options.quiet else closing_lines(preview, outcome, self.look, undo=self.undo_word)
        for error in distinct(outcome.errors, quiet=SAID if self.options.verbose else (*SAID, "command.exit")):
            if not any(escape(str(error)) in line for line in closing):
                self.say(self.look.paint("nlsh: " + escape(str(error)), "red"))
        self.say(*closing)
        return status

    def _show(self, preview: Preview, outcome: Outcome) -> None:
        records = [r for position, r in enumerate(outcome.records) if position not in self._shown]
        if self.look.table and outcome.status == "done" and not self.options.verbose:
            # The preview has just said it all; a line says that it is done.
            records = [r for r in records if not isinstance(r, Change)]
        self._show_all(records)

    def _show_all(self, records: Iterable[Record]) -> None:
        notes = [r for r in records if isinstance(r, Note)]
        show_records((r for r in records if not isinstance(r, Note)), self.look, cwd=os.getcwd())
        self.say(*(self.look.paint(f"nlsh: {escape(note.text)}", "yellow") for note in notes))

    # --- talking -------------------------------------------------------------------------------------------------

    def can_ask(self) -> bool:
        """Return whether a person can be asked: a terminal to read from and one to show on, and no flag against it."""
        return not self.options.no_input and sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()

    def read(self, question: str) -> str:
        """Ask on stderr and return the line that is typed. Raises EOFError at Ctrl-D."""
        import termios

        # What was typed before the question was shown is no answer to it.
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
        sys.stderr.write(self.look.paint(question, "bold"))
        sys.stderr.flush()
        try:
            line = sys.stdin.readline()
        except KeyboardInterrupt:
            sys.stderr.write("\n")
            raise
        if not line:
            raise EOFError
        return line

    def fail(self, error: NlshError) -> int:
        """Report an error and return its exit status."""
        self._progress.clear()
        if self.look.json:
            self.emit({"error": error.as_data()})
        self.say(self.look.paint("nlsh: " + escape(str(error)), "red"))
        return error.exit_status

    def say(self, *lines: str) -> None:
        """Write lines to stderr."""
        for line in lines:
            sys.stderr.write(line + "\n")
        sys.stderr.flush()

    def emit(self, data: dict[str, Any]) -> None:
        """Write a JSON line to stdout."""
        import json

        sys.stdout.write(json.dumps(data) + "\n")

    def _on_event(self, event: dict[str, Any]) -> None:
        self._progress.note(event)
        if event["type"] == "gated":
            from nlsh.shell import asking

            asking.told(self, event)
        elif event.get("gated") is not None:
            self.last_gated = event["gated"]
        if event["type"] == "run":
            self._shown.clear()
        elif event["type"] == "call":
            self._live = registry.get(event["action"]).live
        elif event["type"] == "records" and self._live:
            self._show_live([record_from_data(r) for r in event["records"]], event["at"])

    def _show_live(self, records: list[Record], at: int) -> None:
        """Show what comes from a call that goes on until it is stopped; remember what need not be shown at the end."""
        self._shown.update(range(at, at + len(records)))
        try:
            self._show_all(records)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read it has what they wanted: it ends as with Ctrl-C.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            self.zygote.cancel()


def one_line(plan: Plan) -> str:
    """Return a plan's text on one line: what stands for a request where there was none."""
    return "; ".join(registry.format(plan).splitlines())


def command_plan(line: str) -> Plan:
    """Return the plan that runs a raw command."""
    return Plan((Call("shell.run", {registry.positional("shell.run") or "command": line}),))
