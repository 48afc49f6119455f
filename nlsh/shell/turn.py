"""One turn: a request (or a plan) becomes a preview, a decision, a run and a result. The command line, the REPL and skill packs all go this way.

It owns what a process keeps between turns (the kernel, the planner, the last result) and the order of a turn. What is allowed is the policy's, what
is enforced the worker's; what is said and shown is `talk`'s, `choosing`'s, `preview`'s and `results`'s.

# LIMIT: data piped to a one-shot is a result only where the request points at it (`piped`); otherwise only raw commands get it.
# LIMIT: with --json a raw command's own output still goes to stdout as it is, before its records.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any

from nlsh.plan import registry
from nlsh.plan.errors import NlshError
from nlsh.plan.plan import Call, Plan, Preview
from nlsh.shell.choosing import choose, preview_asks
from nlsh.shell.options import Options, checked_request, is_plain
from nlsh.shell.planning import Planning
from nlsh.shell.preview import ask, edit_text, may_go_by_itself, preview_data, preview_lines
from nlsh.shell.report import explain_lines
from nlsh.shell.results import Results
from nlsh.shell.show import Look, escape
from nlsh.shell.talk import Talk

if TYPE_CHECKING:
    from nlsh.guard.policy import Decision, Policy
    from nlsh.guard.sandbox.zygote import Standstill, Zygote
    from nlsh.kernel.gate import Gated, Question
    from nlsh.kernel.kernel import Kernel
    from nlsh.kernel.outcome import Outcome
    from nlsh.planner.answer import Answer, Context
    from nlsh.shell.fix import Failure
    from nlsh.shell.line.job_control import JobControl
    from nlsh.shell.line.state import ShellState
    from nlsh.skills.load import Entry

NOT_UNDERSTOOD = 4
DENIED = 3
INTERRUPTED = 130


class Session(Talk):
    """What one process has set up: kernel, policy and, once it is needed, the planner."""

    def __init__(self, options: Options, zygote: Zygote, planning: Planning | None = None) -> None:
        """Load policy and journal; raises SettingsError or JournalError. The planner is loaded when a sentence comes, or there is one (`planning`)."""
        from nlsh.guard.policy import load
        from nlsh.journal.audit import Audit
        from nlsh.journal.store import Journal
        from nlsh.kernel.kernel import Kernel
        from nlsh.servers import install
        from nlsh.settings import load_settings
        from nlsh.world import World

        install()
        self.planning = planning or Planning(load_settings(), model=options.model)
        self.settings = self.planning.settings
        super().__init__(options, Look.of(json=options.json, null=options.null, plain=options.plain, color=options.color or self.settings.color))
        self.shell: ShellState | None = None  # what raw commands leave to the next one, where there is a next one
        self.undo_word = "nlsh undo"  # what a user types to take a run back: in the shell itself, just undo
        self.zygote = zygote
        self.policy: Policy = load()
        if options.allow:
            self.policy = self.policy.with_session(options.allow)
        self.journal = Journal()
        self.audit = Audit(journal=self.journal)
        self.kernel: Kernel = Kernel(self.policy, zygote, self.journal, self.audit, World(), approve=self._approve, on_event=self._on_event)
        self.results = Results(self)
        self.last_plan: Plan | None = None  # as far as it went: what “that” and “again” mean
        self.last_failure: Failure | None = None
        self.recent: tuple[str, ...] = ()
        self.last_decision: Decision | None = None
        self.last_preview: Preview | None = None
        self.last_gated: Gated | None = None  # what the last raw command wanted outside its grant
        if self.can_ask():
            self.kernel.ask = self._ask_at_syscall
            self.kernel.may_ask = True
        self.job_control: JobControl | None = None  # of what the prompt runs, where its terminal gives that
        self.swept = False  # whether what earlier trials left behind was removed
        self.another: Callable[[str], int] = self.request  # does a line that was said instead of an answer
        self.mode = "ask"  # or "plan": nothing is run; "auto": what can be undone and is not asked about each time is run
        self._others: Sequence[Plan] = ()  # what the request may mean instead of what is previewed
        self._unsure = False
        self._instead: Plan | None = None  # what the user wants instead of what was previewed

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
        if self.planning.close() and not self.options.quiet:
            words = "the next sentence is planned by a daemon that keeps the models warm for a while. nlsh daemon stop ends it"
            self.say(self.look.paint(f'nlsh: {words}; daemon = "off" in config.toml: none is started.', "dim"))
        self.zygote.close()
        self.audit.anchor()
        self.journal.close()

    # --- requests ------------------------------------------------------------------------------------------------

    def request(self, text: str) -> int:
        """Do what a line asks: `!` a raw command, `?` language, otherwise whichever it plainly is. Return the exit status."""
        if text.startswith("!"):
            return self.command(text[1:].strip(), request=text)
        if text.startswith("?"):
            return self.sentence(text[1:].strip())
        if self.is_command(text) and not text.startswith("nlsh new "):
            if not self.options.quiet and sys.stderr.isatty():
                self.say(self.look.paint(f"  $ {escape(text)}", "dim"))
            return self.command(text, request=text)
        return self.sentence(text)

    def command(self, line: str, *, request: str) -> int:
        """Run a raw command through the same gate; one with another `!` before it without trying it on a copy first."""
        text, direct = line.removeprefix("!").strip(), line.startswith("!")
        checked_request(f"!{text}")
        if self.shell is not None:
            if self.job_control is not None:
                return self.job_control.line(text, request, direct=direct)
            return self.shell.run(self, text, request, direct=direct)
        return self.run(command_plan(text), request, direct=direct)

    def is_command(self, text: str) -> bool:
        """Return whether a line is plainly a raw command, here and now."""
        from nlsh.shell.line.detect import is_command

        return is_command(text) if self.shell is None else self.shell.is_command(text)

    def sentence(self, text: str) -> int:
        """Plan a sentence, or find it among the packs', and run the plan; a question that stays open is status 4."""
        from nlsh.skills.load import said

        if (entry := said(text)) is not None:
            return self.run_entry(entry, {p.name: p.default or "" for p in entry.parameters.values()}, text)
        from nlsh.planner.clauses import about_jobs, about_skills

        try:
            if (words := about_jobs(text)) is not None:
                from nlsh.shell.commands import jobs

                return jobs.said(self, words, text)
            if (pack := about_skills(text)) is not None:
                from nlsh.shell.commands import skills

                return skills.said(self, *pack, text)
            answer = self._later(text) or self.plan(text)
        except NlshError as error:
            return self.fail(error)
        return self.answered(text, answer)

    def _later(self, text: str) -> Answer | None:
        """Return the answer to a sentence that also says when; None where it does not. Raises what `plan` raises."""
        from nlsh.planner.clauses import split

        if (clause := split(text)) is None:
            return None
        from nlsh.shell.commands.jobs import answer_to

        return answer_to(self, clause)

    def answered(self, text: str, answer: Answer) -> int:
        """Run what the planner made of a sentence, after asking which reading is meant where it is not sure."""
        self.recent = (*self.recent[-9:], text)
        if self.options.explain:
            self.say(*explain_lines(answer))
        if answer.kind == "plan":
            return self.run(answer.readings[0].plan, text, others=[r.plan for r in answer.readings[1:4]], understood=True)
        if answer.kind == "choose" and answer.readings:
            if preview_asks(self, answer.readings):
                self.say(self.look.prose("nlsh is not sure that this is what you mean.", "yellow"))
                return self.run(answer.readings[0].plan, text, learn=True, understood=True)
            reading = choose(self, answer)
            if reading is None:
                return NOT_UNDERSTOOD
            if isinstance(reading, str):
                return self.another(checked_request(reading, command=self.is_command(reading)))
            self._learn(text, reading.plan)
            return self.run(reading.plan, text)
        message = answer.message
        if not answer.readings and (last := self.kernel.last) is not None and not last.records:
            from nlsh.planner.refer import points_back

            if points_back(text):
                message = "Nothing was found before, so there is nothing to do that with. Say what is meant, and where."
        if self.look.json:
            self.emit({"question": message, "kind": answer.kind, "choices": []})
        self.say(self.look.prose(escape(message)))
        from nlsh.planner.answer import REFUSALS
        from nlsh.shell import fix

        if message == REFUSALS["chat"]:
            return NOT_UNDERSTOOD  # “hello” is no program written wrongly
        if fix.is_mistyped(text):
            self._failed(text, command_plan(text), fix.NO_PROGRAM, ())
        elif fix.may_be_command(text):
            self.say(self.look.prose(f"  As a command: !{escape(text)}", "dim"))
        return NOT_UNDERSTOOD

    def plan(self, text: str) -> Answer:
        """Return the planner's answer to a sentence. Raises ModelError and NotUnderstood."""
        answer = self.planning.plan(text, self.context())
        if (notice := self.planning.notice()) and not self.options.quiet:
            self.say(self.look.paint(f"nlsh: {escape(notice)}", "yellow"))
        return answer

    def context(self) -> Context:
        """Return what a sentence stands in now."""
        from nlsh.planner.answer import Context

        last = self.kernel.last
        return Context(os.getcwd(), os.path.expanduser("~"), last.action if last else None, last.records if last else (), self.recent, self.last_plan)

    def plan_of(self, text: str) -> Plan:
        """Return the one plan a line means. Raises NotUnderstood where the planner is not sure of one."""
        from nlsh.plan.errors import NotUnderstood

        forced = text.startswith("?")
        if text.startswith("!") or (not forced and self.is_command(text)):
            return command_plan(text.removeprefix("!").removeprefix("!").strip())
        said = text.removeprefix("?").strip()
        answer = self._later(said) or self.plan(said)
        if answer.kind != "plan":
            plans = ["; ".join(registry.format(r.plan).splitlines()) for r in answer.readings]
            may = f" It may mean: {' · '.join(plans)}" if plans else ""
            raise NotUnderstood(answer.message or "This is not clear enough for one plan.", hint=f"Nothing was run. Say it more exactly.{may}")
        return answer.readings[0].plan

    def run_entry(self, entry: Entry, given: Mapping[str, str], request: str) -> int:
        """Run an entry of a skill pack, held to its ceiling; where there is nothing to do, that is no failure."""
        from nlsh.skills import ceiling, own
        from nlsh.skills.run import check_requires, plan_entry

        try:
            own.load(entry)
            check_requires(entry)
            with ceiling.held(entry, given, self, self.kernel):
                plan = plan_entry(entry, given, self)
                if plan is not None:
                    status = self.run(plan, request)
                    if status == DENIED and self.last_preview is not None and (more := ceiling.beyond(self.policy, self.last_preview, entry)):
                        self.say(f"  not among its effects: {escape(', '.join(more))}")
                    return status
        except NlshError as error:
            return self.fail(error)
        if not self.options.quiet:
            self.say("There was nothing to do.")
        return 0

    def preview(self, plan: Plan, request: str) -> Preview:
        """Return what a plan would do; change nothing."""
        return self.kernel.preview(plan, request)

    # --- plans ---------------------------------------------------------------------------------------------------

    def run(
        self, plan: Plan, request: str, *, learn: bool = False, direct: bool = False, behind: bool = False, others: Sequence[Plan] = (),
        understood: bool = False,
    ) -> int:  # fmt: skip
        """Preview a plan, have it decided and approved, run it and show what came of it. Return the exit status.

        `learn`: nlsh is not sure of it; remember it for these words once it has been approved and done. `direct`: a raw command is not tried on a copy
        first. `behind`: it goes on behind the prompt. `others`: what the words may mean instead, to pick from below the preview. `understood`: it was
        read from the words and has not been shown yet.
        """
        corrected, self.last_gated, self.last_decision, self._unsure = learn, None, None, learn
        while True:
            if plan.schedule is not None:
                from nlsh.shell.commands import jobs

                return jobs.offer(self, plan, request, shown=not understood)
            self._instead, self._others = None, [p for p in others if p != plan]
            try:
                preview = self.last_preview = self._previewed(plan, request, shown=not understood)
                if made_room := any(c.until for c in preview.calls):
                    from nlsh.shell import taking_back

                    preview = self.last_preview = taking_back.told(self, preview)
                if self.options.dry_run or self.mode == "plan":
                    return self._dry_run(preview)
                if any(c.action == "shell.run" for c in plan.calls):
                    from nlsh.shell import trying

                    if (status := trying.run(self, plan, preview, request, direct=direct, behind=behind)) is not None:
                        return status
                self._announce(preview)
                self.make_room(preview)
                if self.job_control is not None and [c.action for c in plan.calls] == ["shell.run"]:
                    outcome = self.job_control.run(preview, request, behind=behind)
                    if isinstance(outcome, int):
                        return outcome
                else:
                    outcome = self.kernel.run(preview)
                self.progress.clear()  # before anything is said about it
                if self._instead is None:
                    if made_room:
                        taking_back.arrange(self, preview, outcome)
                    if outcome.status in ("done", "partly", "nothing"):
                        self._remember_plan(plan)
                        if corrected:
                            self._learn(request, plan)
                    return self.report(preview, outcome)
            except NlshError as error:
                # A reading call that the preview needs may be asked about, and edited, too.
                if self._instead is None:
                    self._failed(request, plan, error.exit_status, (str(error),))
                    return self.fail(error)
            finally:
                self.progress.clear()
            plan, corrected, self._unsure, understood = self._instead, True, False, False

    def _previewed(self, plan: Plan, request: str, *, shown: bool) -> Preview:
        """Return a plan's preview. Where there can be none, a plan that was not `shown` is, so that the user sees how he was understood.

        Raises what previewing raises.
        """
        try:
            return self.kernel.preview(plan, request)
        except NlshError:
            if not shown and self._instead is None and not self.options.quiet:
                self.progress.clear()
                self.say(*self.plan_lines(plan))
            raise

    def plan_lines(self, plan: Plan) -> list[str]:
        """Return a plan as it stands above what is said of it."""
        return [self.look.paint("  " + escape(line), "dim") for line in registry.format(plan).splitlines()]

    def make_room(self, preview: Preview) -> None:
        """Leave the terminal to a raw command, if that is what is to run."""
        self.progress.enabled = not any(e.kind == "exec" for e in preview.effects)
        sys.stdout.flush()

    def _remember_plan(self, plan: Plan) -> None:
        """Keep what was done as what “that” and “again” mean."""
        from nlsh.planner.refer import whole

        if not plan.calls[0].action.startswith("history."):
            self.last_plan = whole(plan, self.last_plan)

    def report(self, preview: Preview, outcome: Outcome) -> int:
        """Show what came of a run and return the exit status."""
        if outcome.status == "cancelled":
            self.begin_line()  # behind the ^C
        status = self.results.report(preview, outcome)
        if status == 0 or outcome.status in ("denied", "cancelled"):
            self.last_failure = None
        else:
            self._failed(preview.request, preview.plan, status, tuple(map(str, outcome.errors)))
        return status

    def _failed(self, request: str, plan: Plan, status: int, errors: tuple[str, ...]) -> None:
        from nlsh.shell.fix import Failure

        self.last_failure = Failure(request, plan, status, errors)

    def _learn(self, request: str, plan: Plan) -> None:
        try:
            self.planning.learn(request, plan)
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
            self.say(*self.plan_lines(preview.plan))

    def _approve(self, preview: Preview, decision: Decision) -> bool | str:
        self.progress.clear()  # of what was read for it
        with self.still():
            return self._agreed(preview, decision)

    def _agreed(self, preview: Preview, decision: Decision) -> bool | str:
        self.last_decision = decision
        cwd = os.getcwd()
        if not (self.options.yes and self.options.quiet):
            self.results.tell(preview)
        if self.options.yes:
            if not self.options.quiet:
                self.say(*preview_lines(preview, self.look, cwd=cwd))
            return "flag"
        if self.mode == "auto" and not self._unsure and may_go_by_itself(preview, decision):
            self.say(*preview_lines(preview, self.look, cwd=cwd))
            return "mode auto"
        if not self.can_ask():
            self.say(*preview_lines(preview, self.look, decision=decision, cwd=cwd))
            self.say("nlsh: this needs an approval and there is nobody to ask. Nothing was changed. --yes approves it, -n shows it.")
            return False
        others = [registry.format(p) for p in self._others]
        answer = ask(preview, decision, self.look, cwd=cwd, read=self.read, edit=self._edit, remember=self._remember, others=others)
        if isinstance(answer, str):
            self._instead = registry.parse(answer)
            return False
        if not answer:
            self.say("Nothing was changed.")
        return answer

    def _remember(self, preview: Preview, decision: Decision) -> bool:
        from nlsh.shell.commands import policy

        return policy.remember(self, preview, decision)

    def _ask_at_syscall(self, question: Question, standstill: Standstill) -> str:
        from nlsh.shell import asking

        return asking.ask(self, question, standstill)

    def _edit(self, text: str) -> str | None:
        """Return an edited plan that is a valid one, or None."""
        edited = edit_text(text, plain=is_plain(self.options))
        if edited is None:
            return None
        try:
            registry.parse(edited)
        except NlshError as error:
            self.say(f"nlsh: {escape(str(error))} The plan is as it was.")
            return None
        return edited

    def _on_event(self, event: dict[str, Any]) -> None:
        self.progress.note(event)
        if event["type"] == "gated":
            from nlsh.shell import asking

            asking.told(self, event)
        elif event.get("gated") is not None:
            self.last_gated = event["gated"]
        if self.shell is not None:
            self.shell.note(event)
        if self.job_control is not None:
            self.job_control.note(event)
        self.results.note(event)


def one_line(plan: Plan) -> str:
    """Return a plan's text on one line: what stands for a request where there was none."""
    return "; ".join(registry.format(plan).splitlines())


def command_plan(line: str) -> Plan:
    """Return the plan that runs a raw command."""
    return Plan((Call("shell.run", {registry.positional("shell.run") or "command": line}),))
