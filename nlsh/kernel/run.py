"""A run in progress: one worker after the other, what comes back from them, the marks in the journal, and the outcome."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from nlsh.journal.undo import how_far
from nlsh.kernel.ahead import Ahead
from nlsh.kernel.bind import Result
from nlsh.kernel.outcome import Outcome
from nlsh.kernel.work import Stop, drive, interruptible, on_the_terminal, only_looks
from nlsh.plan.errors import JournalError, NlshError
from nlsh.plan.plan import Preview, PreviewedCall
from nlsh.plan.records import Change, Note, Record, record_from_data

if TYPE_CHECKING:
    from nlsh.guard.elevate import Elevated
    from nlsh.guard.grant import Grant
    from nlsh.guard.sandbox.group import Group
    from nlsh.guard.sandbox.zygote import Zygote
    from nlsh.journal.store import Journal
    from nlsh.kernel.gate import Gate
    from nlsh.plan.steps import Step

MARK_EVERY_STEPS = 200
MARK_EVERY_S = 0.05
_LAST = ("done", "failed", "denied")
_INTERRUPTED = 130
_NOT_BEGUN = ("step.skipped", "step.cancelled")
# The worker ended before it could say what became of the step: the world says it.
_LOST = ("step.lost", "worker.lost")


def already_read(call: Any) -> bool:
    """Return whether a previewed call was run during the preview, so that its records are there."""
    return getattr(call, "read", None) is not None


class Run:
    """The run of an approved preview that has been journalled as `number` (None: it changes nothing)."""

    def __init__(
        self, preview: Preview, number: int | None, journal: Journal, zygote: Zygote, cwd: str, on_event: Callable[[dict[str, Any]], None],
        closed: tuple[str, ...] = (), gate: Gate | None = None, environment: Mapping[str, str | None] | None = None,
        orders: Mapping[int, Elevated] | None = None,
    ) -> None:  # fmt: skip
        self.preview, self.number, self.cwd, self._closed = preview, number, cwd, closed
        self.last: Result | None = None
        self._gate, self._environment, self._orders = gate, environment, orders or {}
        self._journal, self._zygote, self._on_event = journal, zygote, on_event
        self._records: list[Record] = []
        self._errors: list[NlshError] = []
        self._done = 0
        self._refused = False
        self._command_status: int | None = None
        self._marks: list[tuple[int, str]] = []
        self._marked_at = time.monotonic()
        self._unwritten: JournalError | None = None
        self._ahead: Ahead | None = None

    def go(self, grants: list[Grant | None]) -> Outcome:
        """Run the calls in order, until one fails or the user asks to stop. `grants` are those of the calls as the world is now."""
        from nlsh.guard.grant import Grant

        seq, first = 0, True
        left = [i for i, call in enumerate(self.preview.calls) if not already_read(call)]
        self._ahead = Ahead(self.preview.calls, left, grants, self._zygote, self.cwd) if len(left) > 1 else None
        with interruptible(self._zygote, told=self._on_event) as stop:
            try:
                for position, call in enumerate(self.preview.calls):
                    if already_read(call):
                        # Where nothing asks, no preview is shown: they are heard of here.
                        self._records += [r for r in getattr(call, "read", ()) if isinstance(r, Note)]
                        continue
                    if stop.asked or self._errors:
                        break
                    if self._ahead is not None:
                        self._ahead.begin(position)
                    self._on_event({"type": "call", "call": position, "action": call.call.action, "steps": len(call.steps)})
                    # Earlier calls may have made what a later one works on: what there is is looked at anew, where its paths lead is not.
                    anew = lambda call=call: Grant.of(call.effects, closed=self._closed, places=call.places)  # noqa: E731
                    grant = (lambda ready=grants[position]: ready) if first else anew
                    self._records += [Note(text) for text in getattr(call, "said", ())]
                    before = len(self._records)
                    stop.command, stop.looks = on_the_terminal(call), only_looks(call)
                    self._call(position, call, grant, seq, stop)
                    stop.looks = False
                    seq += sum(not s.reads_only for s in call.steps)
                    first = False
                    # What was found among other things lacks what those lacked; a change that was made is what it is.
                    heard = () if call.changes else getattr(call, "heard", ())
                    self.last = Result(call.call.action, tuple(self._records[before:]), self.cwd, heard, getattr(call, "unordered", False))
            except BaseException:
                self._close("partly" if self._done else "failed")
                raise
            finally:
                if self._ahead is not None:
                    self._ahead.close()
        return self._outcome(stop)

    def _call(self, position: int, call: PreviewedCall, grant: Callable[[], Grant], seq: int, stop: Stop) -> None:
        """Run one call. `seq` is the journal's number of its first changing step."""
        for _ in self._calling(position, call, grant, seq, stop):
            continue

    def _calling(self, position: int, call: PreviewedCall, grant: Callable[[], Grant], seq: int, stop: Stop, group: Group | None = None) -> Iterator[None]:
        """Run one call; yield whenever its command was stopped, or is not waited for and has nothing to tell."""
        steps = list(_numbered(call, seq))
        ended, reached = 0, 0
        messages = self._ahead.take(position) if self._ahead is not None else None
        if messages is None:
            messages = drive(self._zygote, call, grant, self.cwd, self._gate, self._environment, self._orders.get(position), group)
        try:
            for message in messages:
                if group is not None and message["type"] in ("quiet", "stopped", "continued"):
                    if group.heard(message):
                        yield
                    continue
                # `at`: where its records will stand among those of the outcome, for those who show them as they come.
                self._on_event({**message, "call": position, "at": len(self._records)})
                kind = message["type"]
                if kind == "start" and stop.asked:
                    stop.ask()  # it was asked before this worker was there
                elif kind == "records":
                    self._records += [record_from_data(r) for r in message["records"]]
                elif kind in _LAST and ended < len(steps):
                    # Steps end in the order in which they are written.
                    if _is_lost(message):
                        reached = max(reached, ended + _further([step for step, _ in steps[ended:]]))
                    self._step_ended(*steps[ended], message, stop, found_done=ended < reached)
                    ended += 1
        except BaseException as error:
            # The worker may be further than what was heard of it.
            messages.close()
            left = steps[ended:]
            done = how_far([step for step, _ in left])
            for i, (step, number) in enumerate(left):
                self._note(step, number, i < done, begun=i == done)
            if not isinstance(error, (KeyboardInterrupt, GeneratorExit)):
                raise
            stop.asked = True

    def _step_ended(self, step: Step, seq: int | None, message: dict[str, Any], stop: Stop, *, found_done: bool) -> None:
        ok = message["type"] == "done" or found_done
        if message["type"] != "done":
            error = NlshError.from_data(message["error"])
            if error.code not in _NOT_BEGUN and not (error.code in _LOST and (ok or stop.asked)):
                self._errors.append(error)
            self._refused = self._refused or message["type"] == "denied"
        if (status := message.get("status")) is not None:
            self._command_status = status
        self._note(step, seq, ok, begun=_is_lost(message))

    def _note(self, step: Step, seq: int | None, done: bool, *, begun: bool = False) -> None:
        """Note how a step ended. `begun` and not done: nobody knows how far it came; it stays planned, and may have left something half made."""
        if done and (seq is not None or not self.preview.changes):
            self._done += 1
        if seq is None:
            return
        if done:
            self._records.append(Change(step.describe(), _left_behind(step)))
        if done or not begun:
            self._marks.append((seq, "done" if done else "failed"))
        if len(self._marks) >= MARK_EVERY_STEPS or time.monotonic() - self._marked_at >= MARK_EVERY_S:
            self._write_marks()

    def _write_marks(self) -> None:
        if self.number is None or self._unwritten is not None:
            return
        try:
            self._journal.mark(self.number, self._marks)
        except JournalError as error:
            # The steps are done all the same; a later start reads from the world how far this went.
            self._unwritten = error
        self._marks, self._marked_at = [], time.monotonic()

    def _close(self, status: str) -> None:
        if self.number is None:
            return
        self._write_marks()
        try:
            self._journal.finish(self.number, status)
        except JournalError as error:
            self._unwritten = self._unwritten or error

    def _outcome(self, stop: Stop) -> Outcome:
        changes = self.preview.changes
        total = sum(not (changes and s.reads_only) for c in self.preview.calls if not already_read(c) for s in c.steps)
        # A command that had a Ctrl-C and then ended with a status of its own was not ended by it.
        by_itself = stop.command and len(self.preview.calls) == 1 and self._command_status not in (None, 0, _INTERRUPTED)
        if stop.asked and self._done < total and not by_itself:
            status = "cancelled"
        elif self._done == total and not self._errors:
            status = "done"
        elif self._done:
            status = "partly"
        else:
            status = "denied" if self._refused else "failed"
        self._close("failed" if status == "denied" else status)
        if self._unwritten is not None:
            self._errors.append(self._unwritten)
        gated = None if self._gate is None else self._gate.gated
        as_root = tuple({"call": position, **via.confined} for position, via in self._orders.items() if via.confined)
        return Outcome(status, self._records, self._errors, self.number, self._done, total, self._command_status, gated, as_root=as_root)


def _is_lost(message: dict[str, Any]) -> bool:
    return message["type"] != "done" and (message.get("lost") is True or message["error"].get("code") in _LOST)


def _further(steps: list[Step]) -> int:
    """Return how many steps the world shows to be done of those that a lost worker may have begun: one, or the quick ones that it tells of together."""
    begun = next((i for i, step in enumerate(steps) if not step.quick), len(steps))
    return how_far(steps[: max(1, begun)])


def _numbered(call: PreviewedCall, first: int) -> Iterator[tuple[Step, int | None]]:
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
