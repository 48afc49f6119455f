"""The run of one raw command that its user may stop, and let go on in front or behind: the same run, with a rest in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nlsh.kernel.bind import Result
from nlsh.kernel.outcome import Outcome
from nlsh.kernel.run import Run
from nlsh.kernel.work import Stop, interruptible

if TYPE_CHECKING:
    from nlsh.guard.grant import Grant
    from nlsh.guard.sandbox.group import Group


class Command(Run):
    """The run of a preview whose only call is a raw command. `group` is set before it goes."""

    group: Group

    def go(self, grants: list[Grant | None]) -> Outcome:
        """Start it; return its outcome, or one that says that it rests."""
        (call,), (grant,) = self.preview.calls, grants
        self._stop = Stop(self._zygote)
        self._stop.command = True
        self._on_event({"type": "call", "call": 0, "action": call.call.action, "steps": len(call.steps)})
        self._going: Iterator[None] = self._calling(0, call, lambda: grant, 0, self._stop, self.group)  # type: ignore[arg-type,return-value]
        return self.go_on()

    def go_on(self) -> Outcome:
        """Hear of it until it ends, or is stopped, or is not waited for: return its outcome, or one that says that it rests."""
        with interruptible(self._zygote, self._stop) as stop:
            try:
                for _ in self._going:
                    return Outcome("stopped" if self.group.stopped else "running", resting=self)
            except BaseException:
                self._close("partly" if self._done else "failed")
                raise
        self.last = Result(self.preview.calls[0].call.action, tuple(self._records), self.cwd)
        return self._outcome(stop)

    def end(self) -> Outcome:
        """Kill it, with all that it has started; return what came of it."""
        self._stop.asked = True
        self._going.close()  # type: ignore[attr-defined]
        return self._outcome(self._stop)
