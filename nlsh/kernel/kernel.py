"""The kernel: from a plan to its preview, from an approved preview to what came of it. The one gate that every plan goes through.

Order of a run: one decision, one approval, the journal (synced), the audit of the decision, then a worker for each call, confined to
that call's effects. Owns that order and nothing of the parts: policy and sandbox are `guard`'s, the records `journal`'s.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nlsh.journal.undo import History, settle
from nlsh.kernel.bind import BoundCall, Result, bind, fill, referred
from nlsh.kernel.outcome import Outcome
from nlsh.kernel.work import Stop, drive, interruptible
from nlsh.plan import registry
from nlsh.plan.effects import Effect
from nlsh.plan.errors import BadPlan, Denied, JournalError, NlshError
from nlsh.plan.plan import LAST, Plan, Preview
from nlsh.plan.records import Change, Record, record_from_data

if TYPE_CHECKING:
    from nlsh.guard.grant import Grant
    from nlsh.guard.policy import Decision, Policy
    from nlsh.guard.sandbox.zygote import Zygote
    from nlsh.journal.audit import Audit
    from nlsh.journal.store import Journal, NewStep
    from nlsh.plan.steps import Step
    from nlsh.world import World

MARK_EVERY_STEPS = 200
MARK_EVERY_S = 0.05
_SHOWN_EFFECTS = 100
_AFTERMATH = ("step.skipped", "step.cancelled")
_LOST = ("step.lost", "worker.lost")


def _nobody(preview: Preview, decision: Decision) -> bool:
    return False


def _silent(event: dict[str, Any]) -> None:
    pass


class Kernel:
    """Previews and runs plans.

    `approve(preview, decision)` is called once when policy asks; it returns whether the user agrees, or "flag" where an option on the
    command line says so. `on_event(event)` gets the workers' messages, each with its `call`, and `decision`, `run`, `call` and `outcome`
    events. `last` is the result that `_` means.
    """

    def __init__(
        self, policy: Policy, zygote: Zygote, journal: Journal, audit: Audit, world: World, *,
        approve: Callable[[Preview, Decision], bool | str] = _nobody, on_event: Callable[[dict[str, Any]], None] = _silent,
    ) -> None:  # fmt: skip
        self.policy, self.journal, self.audit = policy, journal, audit
        self.approve, self.on_event = approve, on_event
        self.last: Result | None = None
        self._zygote = zygote
        # The state folder is made now: made between a preview and its run, it would change what the preview found.
        self.journal.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._world = replace(world, history=History(journal))

    @property
    def world(self) -> World:
        """The world that plans are looked at in; set it after `cd`."""
        return self._world

    @world.setter
    def world(self, world: World) -> None:
        self._world = replace(world, history=History(self.journal))

    # --- preview -------------------------------------------------------------------------------------------------

    def preview(self, plan: Plan, request: str = "") -> Preview:
        """Return the plan with its steps and effects; change nothing.

        A call that only reads and that a later one refers to is decided on and run here. Raises what binding and looking raise, and
        Denied where such a reading call may not run.
        """
        wanted = referred(plan)
        results: dict[str, Result] = {} if self.last is None else {LAST: self.last}
        calls: list[BoundCall] = []
        world = self._world
        for call in plan.calls:
            action = registry.get(call.action)
            written = fill(call, action, results)
            bound = bind(call, action, written, world)
            if bound.reversal is not None and len(plan.calls) > 1:
                raise BadPlan(f"{call.action} must be a plan of its own.", hint="Nothing was changed. Ask for one after the other.")
            if call.result in wanted:
                if action.reads_only():
                    records = self._read(replace(call, args=written, result=None), bound, request)
                    bound = replace(bound, read=records)
                else:
                    records = tuple(Change(s.describe(), path) for s in bound.steps for path, _ in s.makes())
                results[str(call.result)] = Result(call.action, records, world.cwd)
            calls.append(bound)
            world = world.expecting(bound.steps)
        return Preview(plan, tuple(calls), request)

    def _read(self, call: Any, bound: BoundCall, request: str) -> tuple[Record, ...]:
        preview = Preview(Plan((call,)), (replace(bound, call=call),), request)
        outcome = self.run(preview)
        if outcome.status == "cancelled":
            raise KeyboardInterrupt
        if outcome.status not in ("done", "nothing"):
            raise outcome.errors[0] if outcome.errors else NlshError(f"{call.action} did not finish.", hint="Nothing was changed.")
        return tuple(outcome.records)

    # --- run -----------------------------------------------------------------------------------------------------

    def run(self, preview: Preview) -> Outcome:
        """Decide, ask where needed, journal, and run the calls in order; return what came of it. Raises JournalError before anything is done."""
        from nlsh.guard.grant import Grant

        if not any(c.steps for c in preview.calls):
            return Outcome("nothing")
        digest = preview.digest()
        decision, allowed, who = self._decide(preview)
        record = {
            "request": preview.request, "plan": registry.format(preview.plan), "effects": _shown(preview.effects), "digest": digest,
            "decision": "allow" if allowed else "deny", "rule": str(decision.rule), "who": who,
        }  # fmt: skip
        if not allowed:
            self.audit.append("decision", **record)
            return self._ended(Outcome("denied", errors=[_refusal(decision, who)]), digest)
        try:
            grants = [None if getattr(c, "read", None) is not None else Grant.of(c.effects) for c in preview.calls]
        except Denied as error:
            self.audit.append("decision", **{**record, "decision": "deny", "rule": error.code, "who": "policy"})
            return self._ended(Outcome("denied", errors=[error]), digest)
        run = self._begin(preview, digest) if preview.changes else None
        try:
            # Of a plan that only reads, decision and outcome go to disk together.
            self.audit.append("decision", sync=run is not None, **record, **({} if run is None else {"run": run}))
        except BaseException:
            if run is not None:
                self.journal.forget(run)
            raise
        self.on_event({"type": "run", "run": run, "calls": len(preview.calls)})
        return self._ended(_Run(self, preview, run, grants).go(), digest)

    def _decide(self, preview: Preview) -> tuple[Decision, bool, str]:
        """Return the decision, whether the plan may run, and who said so: policy, user or flag."""
        decision = self.policy.decide(preview)
        self.on_event({"type": "decision", "answer": decision.answer, "rule": str(decision.rule), "reason": decision.reason})
        if decision.answer != "ask":
            return decision, decision.answer == "allow", "flag" if str(decision.rule).startswith("--allow") else "policy"
        # What the user agreed to while this plan was previewed is not asked again.
        granted = {e for c in preview.calls if getattr(c, "read", None) is not None for e in c.effects}
        if decision.asked and granted.issuperset(decision.asked):
            return decision, True, "user"
        answer = self.approve(preview, decision)
        return decision, bool(answer), answer if isinstance(answer, str) and answer else "user"

    def _begin(self, preview: Preview, digest: str) -> int:
        reversal = next((c.reversal for c in preview.calls if getattr(c, "reversal", None) is not None), None)  # type: ignore[attr-defined]
        if reversal is not None and (about := self.journal.run(reversal.run)) is not None:
            settle(self.journal, about)
        return self.journal.begin(
            request=preview.request, plan=registry.format(preview.plan), digest=digest, cwd=self._world.cwd, steps=_new_steps(preview),
            no_undo="; ".join(f"{c.call.action}: {c.no_undo}" for c in preview.calls if c.no_undo),
            turn="do" if reversal is None else reversal.turn, about=None if reversal is None else reversal.run,
        )  # fmt: skip

    def _ended(self, outcome: Outcome, digest: str) -> Outcome:
        if outcome.status == "denied" and not outcome.total:
            pass  # the decision says it all
        else:
            fields: dict[str, Any] = {"digest": digest, "outcome": outcome.status, "done": outcome.done, "total": outcome.total}
            if outcome.run_id is not None:
                fields["run"] = outcome.run_id
            if outcome.errors:
                fields["errors"] = [e.as_data() for e in outcome.errors[:5]]
            try:
                self.audit.append("outcome", **fields)
            except JournalError as error:
                outcome.errors.append(error)
        self.on_event({"type": "outcome", "status": outcome.status, "run": outcome.run_id, "done": outcome.done, "total": outcome.total})
        return outcome


class _Run:
    """One run in progress: what came back from the workers, and what is still to be marked in the journal."""

    def __init__(self, kernel: Kernel, preview: Preview, run: int | None, grants: list[Grant | None]) -> None:
        self.kernel, self.preview, self.run = kernel, preview, run
        self._grants = grants
        self.records: list[Record] = []
        self.errors: list[NlshError] = []
        self.done = 0
        self.refused = False
        self.command_status: int | None = None
        self._marks: list[tuple[int, str]] = []
        self._marked_at = time.monotonic()
        self._unwritten: JournalError | None = None

    def go(self) -> Outcome:
        seq = 0
        last: Result | None = None
        with interruptible(self.kernel._zygote) as stop:
            for number, call in enumerate(self.preview.calls):
                if getattr(call, "read", None) is not None:
                    continue
                if stop.asked or self.errors:
                    break
                self.kernel.on_event({"type": "call", "call": number, "action": call.call.action, "steps": len(call.steps)})
                before = len(self.records)
                self._call(number, call, seq, stop)
                seq += sum(not s.reads_only for s in call.steps)
                last = Result(call.call.action, tuple(self.records[before:]), self.kernel.world.cwd)
        outcome = self._outcome(stop)
        if last is not None and outcome.status in ("done", "partly"):
            self.kernel.last = last
        return outcome

    def _call(self, number: int, call: BoundCall, seq: int, stop: Stop) -> None:
        """Run one call. `seq` is the journal's number of its first changing step."""
        waiting = _numbered(call, seq)
        step, at = next(waiting, (None, None))
        messages = drive(self.kernel._zygote, call, lambda: self._grant(number, call), self.kernel.world.cwd)
        try:
            for message in messages:
                self.kernel.on_event({**message, "call": number})
                kind = message["type"]
                if kind == "start" and stop.asked:
                    stop.ask()  # it was asked before this worker was there
                elif kind == "records":
                    self.records += [record_from_data(r) for r in message["records"]]
                elif kind in ("done", "failed", "denied") and step is not None:
                    # Steps end in the order in which they are written.
                    self._step_ended(step, at, message)
                    step, at = next(waiting, (None, None))
        except KeyboardInterrupt:
            stop.asked = True
            messages.close()
            while step is not None:
                self._step_ended(step, at, {"type": "failed", "error": {"code": "step.cancelled", "message": "Cancelled."}})
                step, at = next(waiting, (None, None))

    def _grant(self, number: int, call: BoundCall) -> Grant:
        from nlsh.guard.grant import Grant

        first = self._grants[number]
        if number == 0 and first is not None:
            return first
        # Calls before this one may have made what it works on: paths are resolved anew.
        return Grant.of(call.effects)

    def _step_ended(self, step: Step, seq: int | None, message: dict[str, Any]) -> None:
        ok = message["type"] == "done"
        if not ok:
            error = NlshError.from_data(message["error"])
            # What became of a step that did not say so itself is read from the world.
            ok = not step.reads_only and error.code != "step.skipped" and step.inverse() is not None and step.state() == "done"
            if error.code not in _AFTERMATH and not (ok and error.code in _LOST):
                self.errors.append(error)
            self.refused = self.refused or message["type"] == "denied"
        if (status := message.get("status")) is not None:
            self.command_status = status
        if seq is not None:
            self._mark(seq, "done" if ok else "failed")
        if ok and (seq is not None or not self.preview.changes):
            self.done += 1
        if ok and seq is not None:
            self.records.append(Change(step.describe(), _left_behind(step)))

    def _mark(self, seq: int, state: str) -> None:
        self._marks.append((seq, state))
        if len(self._marks) >= MARK_EVERY_STEPS or time.monotonic() - self._marked_at >= MARK_EVERY_S:
            self._write_marks()

    def _write_marks(self) -> None:
        if self.run is None or self._unwritten is not None:
            return
        try:
            self.kernel.journal.mark(self.run, self._marks)
        except JournalError as error:
            # The steps are done all the same; a later start reads from the world how far this went.
            self._unwritten = error
        self._marks, self._marked_at = [], time.monotonic()

    def _outcome(self, stop: Stop) -> Outcome:
        changes = self.preview.changes
        total = sum(not (changes and s.reads_only) for c in self.preview.calls if getattr(c, "read", None) is None for s in c.steps)
        if stop.asked and self.done < total:
            status = "cancelled"
        elif self.done == total:
            status = "done"
        elif self.done:
            status = "partly"
        else:
            status = "denied" if self.refused else "failed"
        if self.run is not None:
            self._write_marks()
            try:
                self.kernel.journal.finish(self.run, "failed" if status == "denied" else status)
            except JournalError as error:
                self._unwritten = self._unwritten or error
        if self._unwritten is not None:
            self.errors.append(self._unwritten)
        return Outcome(status, self.records, self.errors, self.run, self.done, total, self.command_status)


def _new_steps(preview: Preview) -> Iterator[NewStep]:
    from nlsh.journal.store import NewStep

    for number, call in enumerate(preview.calls):
        reversal = getattr(call, "reversal", None)
        sources = iter(reversal.sources if reversal is not None else ())
        for index, step in enumerate(call.steps):
            if not step.reads_only:
                yield NewStep(number, index, step, next(sources, None))


def _numbered(call: BoundCall, first: int) -> Iterator[tuple[Step, int | None]]:
    seq = first
    for step in call.steps:
        if step.reads_only:
            yield step, None
        else:
            yield step, seq
            seq += 1


def _left_behind(step: Step) -> str:
    """Return the path that a step leaves behind, or the process it was done to; empty where there is neither."""
    for name in ("target", "path", "pid"):
        if (value := getattr(step, name, None)) is not None:
            return str(value)
    return ""


def _shown(effects: tuple[Effect, ...]) -> list[str]:
    """Return effects as the audit holds them: at most a hundred; the digest is over all."""
    shown = [f"{e.kind} {e.target}" for e in effects[:_SHOWN_EFFECTS]]
    return shown if len(effects) <= _SHOWN_EFFECTS else [*shown, f"and {len(effects) - _SHOWN_EFFECTS} more"]


def _refusal(decision: Decision, who: str) -> Denied:
    if decision.answer == "ask":
        return Denied("This needs an approval, and it was not given.", hint=f"Nothing was changed. Rule: {decision.rule}.", code="guard.not-approved")
    return Denied(f"{decision.reason}", hint=f"Nothing was changed. Rule: {decision.rule}.")
