"""Outcome: how the run of a plan ended, in data, words and an exit status."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from nlsh.kernel.gate import Gated
from nlsh.plan.errors import NlshError
from nlsh.plan.frozen import frozen
from nlsh.plan.records import Record

if TYPE_CHECKING:
    from nlsh.kernel.command import Command

_STOPPED = 148  # 128 and SIGTSTP, as shells say it


@frozen(slots=False)
class Outcome:
    """How a run ended.

    `status`: done, failed, denied, partly, cancelled, or nothing (there was nothing to do); stopped or running, which is no end, of a raw command.
    `done` of `total` steps were applied; `run_id` is the journalled run (None: it changed nothing); `command_status` is what the last raw command exited with.
    """

    status: str
    records: list[Record] = field(default_factory=list)
    errors: list[NlshError] = field(default_factory=list)
    run_id: int | None = None
    done: int = 0
    total: int = 0
    command_status: int | None = None
    gated: Gated | None = None  # what raw commands wanted outside their grants, and what became of it
    resting: Command | None = None  # the run, where it has not ended: its command was stopped, or goes on behind
    as_root: tuple[dict[str, Any], ...] = ()  # by call, how the processes were confined that were root's

    @property
    def exit_status(self) -> int:
        """What a one-shot returns: 0 done, 1 failed, 3 denied, 5 partly, 130 cancelled; a raw command's own where it ran."""
        if self.status == "failed" and self.errors:
            return self.errors[0].exit_status
        if self.status == "done" and self.errors:
            return 1
        if self.status == "done" and self.command_status:
            return self.command_status
        return {"done": 0, "nothing": 0, "failed": 1, "denied": 3, "partly": 5, "cancelled": 130, "stopped": _STOPPED, "running": 0}[self.status]

    @property
    def message(self) -> str:
        """One or two sentences for a person; empty where the result speaks for itself."""
        first = str(self.errors[0]) if self.errors else ""
        if self.status == "nothing":
            return "There was nothing to do."
        if self.status == "cancelled":
            first = "Cancelled."
        if self.status in ("partly", "cancelled") and self.run_id is not None:
            steps = f"{self.done:,} of {self.total:,} step{'' if self.total == 1 else 's'} {'was' if self.done == 1 else 'were'} done"
            undo = "; `nlsh undo` takes them back." if self.done else "; nothing was changed."
            return f"{first} {steps}{undo}".strip()
        if self.status == "cancelled":
            return "Cancelled. Nothing was changed."
        return first
