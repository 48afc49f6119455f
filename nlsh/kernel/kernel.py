"""The kernel: from a plan to its preview, from an approved preview to what came of it. The one gate that every plan goes through.

Order of a run: one decision, one approval, the journal (synced), the audit of the decision, then a worker for each call, confined to
that call's effects. Owns that order and nothing of the parts: policy and sandbox are `guard`'s, the records `journal`'s.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nlsh.journal.undo import History, settle
from nlsh.kernel.bind import BoundCall, Result, bind, fill, heard, referred
from nlsh.kernel.command import Command
from nlsh.kernel.gate import Ask, Gate
from nlsh.kernel.outcome import Outcome
from nlsh.kernel.run import Run, already_read
from nlsh.plan import registry
from nlsh.plan.effects import Effect
from nlsh.plan.errors import BadPlan, Denied, JournalError, NlshError
from nlsh.plan.plan import LAST, Call, Plan, Preview, Ref
from nlsh.plan.records import Change, Note, Record
from nlsh.plan.values import Rows

if TYPE_CHECKING:
    from nlsh.guard.elevate import Order
    from nlsh.guard.grant import Grant
    from nlsh.guard.policy import Decision, Policy
    from nlsh.guard.sandbox.group import Group
    from nlsh.guard.sandbox.zygote import Zygote
    from nlsh.journal.audit import Audit
    from nlsh.journal.store import Journal, NewStep
    from nlsh.world import World

_SHOWN_EFFECTS = 100
_SHOWN_CHARACTERS = 10_000


def _nobody(preview: Preview, decision: Decision) -> bool:
    return False


def _silent(event: dict[str, Any]) -> None:
    pass


class Kernel:
    """Previews and runs plans.

    `approve(preview, decision)` is called once when policy asks; it returns whether the user agrees, or "flag" where an option on the
    command line says so. `on_event(event)` gets the workers' messages, each with its `call`, and `decision`, `run`, `call` and `outcome`
    events. `last` is the result that `_` means. `ask(question, standstill)` answers what a raw command wants outside its grant; without it that is
    refused.
    """

    def __init__(
        self, policy: Policy, zygote: Zygote, journal: Journal, audit: Audit, world: World, *,
        approve: Callable[[Preview, Decision], bool | str] = _nobody, on_event: Callable[[dict[str, Any]], None] = _silent,
    ) -> None:  # fmt: skip
        self.policy, self.journal, self.audit = policy, journal, audit
        self.approve, self.on_event = approve, on_event
        self.ask: Ask | None = None
        self.environment: Mapping[str, str | None] = {}  # what raw commands get beside the user's own
        self.carried: Mapping[str, str] = {}  # what of that chooses their programs, by name, and how a preview says so
        self.may_ask = False  # whether somebody is there who can be asked for a password
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

        A call that only reads and that a later one refers to is decided on and run here; what is to be known of its result (a folder that could
        not be read) is a note of that call. The same of an earlier turn's result is a note of the first call that refers to it. Raises what
        binding and looking raise, and Denied where such a reading call may not run.
        """
        if plan.schedule is not None:
            raise BadPlan("A plan that runs later is a job, and is not run at once.", hint="Nothing was run. See nlsh jobs.")
        wanted = referred(plan)
        results: dict[str, Result] = {} if self.last is None else {LAST: self.last}
        calls: list[BoundCall] = []
        said: set[str] = set()
        world = self._world
        for call in plan.calls:
            action = registry.get(call.action)
            written = fill(call, action, results)
            bound = replace(bind(call, action, written, world), heard=heard(call, results))
            if self.carried and any(e.kind == "exec" for e in bound.effects):
                bound = replace(bound, carried=tuple(self.carried), notes=(*bound.notes, *self.carried.values()))
            if os.geteuid() != 0 and any(e.kind == "priv.root" for e in bound.effects):
                bound = _elevated(bound)
            if bound.reversal is not None and len(plan.calls) > 1:
                raise BadPlan(f"{call.action} must be a plan of its own.", hint="Nothing was changed. Ask for one after the other.")
            if call.result in wanted:
                if action.reads_only():
                    shown = {k: Ref(LAST) if isinstance(v, Rows) else v for k, v in written.items()}
                    records = self._read(replace(call, args=shown, result=None), bound, request)
                    result = Result(call.action, records, world.cwd, bound.heard, bound.unordered)
                    bound = replace(bound, read=records, heard=result.notes)
                else:
                    records = tuple(Change(s.describe(), path) for s in bound.steps for path, _ in s.makes())
                    result = Result(call.action, records, world.cwd)
                results[str(call.result)] = result
            # Whoever agrees to what is done with a result must know what it lacks. Each is said once, where it was heard first.
            new = [note for note in bound.heard if note not in said]
            said.update(new)
            calls.append(replace(bound, notes=(*bound.notes, *new)))
            world = world.expecting(bound.steps)
        return Preview(plan, tuple(calls), request)

    def _read(self, call: Call, bound: BoundCall, request: str) -> tuple[Record, ...]:
        before = self.last
        try:
            outcome = self.run(Preview(Plan((call,)), (replace(bound, call=call),), request))
        finally:
            self.last = before  # what was only read on the way to something else is not what `_` means
        if outcome.status == "cancelled":
            raise KeyboardInterrupt
        if outcome.status not in ("done", "nothing"):
            raise outcome.errors[0] if outcome.errors else NlshError(f"{call.action} did not finish.", hint="Nothing was changed.")
        return tuple(outcome.records)

    # --- run -----------------------------------------------------------------------------------------------------

    def run(self, preview: Preview, group: Group | None = None) -> Outcome:
        """Decide, ask where needed, journal, and run the calls in order; return what came of it. Raises JournalError before anything is done.

        `group`: that of the raw command which is all of it, and which may be stopped: then the outcome is `resting`.
        """
        from nlsh.guard.grant import Grant

        if not any(c.steps for c in preview.calls):
            return Outcome("nothing", [Note(text) for c in preview.calls for text in c.notes])
        digest = preview.digest()
        decision, allowed, who = self._decide(preview)
        grants: list[Grant | None] = []
        beyond: Denied | None = None
        if allowed:
            # Before the level is asked for, which may not be known yet: the process that forks workers starts beside this one.
            try:
                grants = [None if already_read(c) else Grant.of(c.effects, closed=decision.closed, places=c.places) for c in preview.calls]
            except Denied as error:
                beyond = error
        record: dict[str, Any] = {
            "request": preview.request, "plan": _cut(registry.format(preview.plan)), "effects": _shown(preview.effects), "digest": digest,
            "decision": "allow" if allowed else "deny", "rule": str(decision.rule), "who": who,
            "level": self._zygote.level,
        }  # fmt: skip
        if not allowed:
            self.audit.append("decision", **record)
            return self._ended(Outcome("denied", errors=[_refusal(decision, who)]), digest)
        if beyond is not None:
            self.audit.append("decision", **{**record, "decision": "deny", "rule": beyond.code, "who": "policy"})
            return self._ended(Outcome("denied", errors=[beyond]), digest)
        try:
            orders = self._orders(preview, grants, decision)
        except Denied as error:
            self.audit.append("decision", **{**record, "decision": "deny", "rule": error.code, "who": "user"})
            return self._ended(Outcome("denied", errors=[error]), digest)
        if orders:
            record["root"] = [{"call": n, **order.as_data()} for n, order in orders.items()]
        run = self._begin(preview, digest) if preview.changes else None
        try:
            # Of a plan that only reads, decision and outcome go to disk together.
            self.audit.append("decision", sync=run is not None, **record, **({} if run is None else {"run": run}))
        except BaseException:
            if run is not None:
                self.journal.forget(run)
            raise
        self.on_event({"type": "run", "run": run, "calls": len(preview.calls)})
        gate = self._gate(preview, decision)
        sent = {n: order.sent(may_ask=self.may_ask) for n, order in orders.items()}
        kind = Run if group is None else Command
        running = kind(preview, run, self.journal, self._zygote, self._world.cwd, self.on_event, decision.closed, gate, self.environment, sent)
        if isinstance(running, Command) and group is not None:
            running.group = group
        outcome = running.go(grants)
        if outcome.resting is not None:
            return outcome
        if running.last is not None and outcome.status in ("done", "partly"):
            self.last = running.last
        self._call_off(preview, outcome)
        return self._ended(outcome, digest)

    def _call_off(self, preview: Preview, outcome: Outcome) -> None:
        """Where the user took a run back, call off the jobs that would have."""
        about = [c.reversal.run for c in preview.calls if isinstance(c, BoundCall) and c.reversal is not None and c.call.action.startswith("history.")]
        if about and outcome.run_id is not None:
            from nlsh.kernel import reclaim

            reclaim.call_off(self.journal, about[0])

    def go_on(self, command: Command) -> Outcome:
        """Hear of a command that rests: return what came of it, or that it still rests."""
        outcome = command.go_on()
        if outcome.resting is not None:
            return outcome
        if command.group.front and outcome.status in ("done", "partly"):
            self.last = command.last
        return self._ended(outcome, command.preview.digest())

    def end(self, command: Command) -> Outcome:
        """End a command that rests, with all that it has started; return what came of it."""
        return self._ended(command.end(), command.preview.digest())

    def _gate(self, preview: Preview, decision: Decision) -> Gate | None:
        """Return what answers the questions of the raw commands of a plan, if there are any and they are to ask."""
        if self.ask is None or not any(e.kind == "exec" for e in preview.effects):
            return None
        from nlsh.guard import demands

        asked = demands.found()
        return Gate(self.policy, self.ask, asked.ask_seconds, decision.closed, self.on_event) if asked.ask_at_syscall else None

    def _orders(self, preview: Preview, grants: list[Grant | None], decision: Decision) -> dict[int, Order]:
        """Return what root is told, by call. Each is agreed to by itself, unless the whole plan is this one call. Raises Denied where one is not."""
        if not any(getattr(c, "elevated", False) for c in preview.calls):
            return {}
        from nlsh.guard.elevate import Order

        orders = {}
        for position, (call, grant) in enumerate(zip(preview.calls, grants, strict=True)):
            if grant is None or not getattr(call, "elevated", False):
                continue
            if decision.answer == "ask" and len(preview.calls) > 1:
                alone = Preview(Plan((replace(call.call, result=None),)), (call,), preview.request)
                if not self.approve(alone, self.policy.decide(alone)):
                    raise Denied("What needs root was not approved, so nothing of the plan was done.", hint="Nothing was changed.", code="guard.not-approved")
            orders[position] = Order.of(call, grant)
        return orders

    def _decide(self, preview: Preview) -> tuple[Decision, bool, str]:
        """Return the decision, whether the plan may run, and who said so: policy, user or flag."""
        decision = self.policy.decide(preview)
        self.on_event({"type": "decision", "answer": decision.answer, "rule": str(decision.rule), "reason": decision.reason})
        if decision.answer != "ask":
            return decision, decision.answer == "allow", "flag" if str(decision.rule).startswith("--allow") else "policy"
        # What the user agreed to while this plan was previewed is not asked again.
        granted = {e for c in preview.calls if already_read(c) for e in c.effects}
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
        if outcome.total:  # of what was not begun, the decision says it all
            fields: dict[str, Any] = {"digest": digest, "outcome": outcome.status, "done": outcome.done, "total": outcome.total}
            if outcome.run_id is not None:
                fields["run"] = outcome.run_id
            if outcome.gated is not None and outcome.gated.count:
                fields |= {"gated": outcome.gated.entries, "gated_count": outcome.gated.count}
            if outcome.as_root:
                fields["root"] = list(outcome.as_root)
            if outcome.errors:
                fields["errors"] = [e.as_data() for e in outcome.errors[:5]]
            try:
                self.audit.append("outcome", **fields)
            except JournalError as error:
                outcome.errors.append(error)
        event = {"type": "outcome", "status": outcome.status, "run": outcome.run_id, "done": outcome.done, "total": outcome.total}
        self.on_event(event if outcome.gated is None else {**event, "gated": outcome.gated})
        return outcome


def _elevated(bound: BoundCall) -> BoundCall:
    """Return a call that needs root rights, where nlsh has none, as it is done and said. Raises NotPossible and Denied where it cannot be done."""
    from nlsh.guard import elevate

    return replace(bound, elevated=True, notes=(*bound.notes, *elevate.words(bound))) if elevate.is_due(bound) else bound


def _new_steps(preview: Preview) -> Iterator[NewStep]:
    from nlsh.journal.store import NewStep

    for number, call in enumerate(preview.calls):
        reversal = getattr(call, "reversal", None)
        sources = iter(reversal.sources if reversal is not None else ())
        for index, (step, text) in enumerate(zip(call.steps, call.step_texts(), strict=True)):
            if not step.reads_only:
                yield NewStep(number, index, step, next(sources, None), text)


def _shown(effects: tuple[Effect, ...]) -> list[str]:
    """Return effects as the audit holds them: at most a hundred; the digest is over all."""
    shown = [f"{e.kind} {e.target}" for e in effects[:_SHOWN_EFFECTS]]
    return shown if len(effects) <= _SHOWN_EFFECTS else [*shown, f"and {len(effects) - _SHOWN_EFFECTS} more"]


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]} … and {len(text) - _SHOWN_CHARACTERS:,} characters more"


def _refusal(decision: Decision, who: str) -> Denied:
    if decision.answer == "ask":
        return Denied("This needs an approval, and it was not given.", hint=f"Nothing was changed. Rule: {decision.rule}.", code="guard.not-approved")
    return Denied(f"{decision.reason}", hint=f"Nothing was changed. Rule: {decision.rule}.")
