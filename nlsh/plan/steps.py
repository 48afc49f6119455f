"""Steps: one primitive change (or one observation) a call amounts to. Data, with an inverse where there is one.

The concrete steps live in `nlsh.steps`; this module owns what all of them are, how they travel to a worker and back,
and nothing that touches the machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from nlsh.plan.effects import Effect
    from nlsh.plan.records import Record

STEP_TYPES: dict[str, type[Step]] = {}


class Step:
    """Base of all steps. A subclass is a frozen dataclass whose fields are JSON-able and registers itself by its name.

    `check` runs in the worker, before `apply`, and raises `StaleStep` if the world is not what was approved.
    `apply` runs in the worker and makes the change; an observation yields records instead of changing anything.
    `inverse` is pure: the step that takes this one back, or None. It must hold for the world as `apply` leaves it.
    """

    reads_only: ClassVar[bool] = False
    # What it starts may go on when its worker has ended, if the step says so (`nlsh.steps.handles.leave_running`).
    detaches: ClassVar[bool] = False
    # `apply` itself raises StaleStep for all that `check` looks at, so that the worker need not look twice.
    applies_checked: bool = False
    # Over in a moment, with an inverse, and `state` tells whether it was done: of many such steps the worker tells together.
    quick: bool = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # A dataclass with slots is built twice; the second class is the one that is used.
        STEP_TYPES[cls.__name__] = cls

    def effects(self) -> tuple[Effect, ...]:
        """What this step needs; pure."""
        raise NotImplementedError

    def describe(self) -> str:
        """One line for the preview; raw text, the screen escapes it."""
        raise NotImplementedError

    def check(self) -> None:
        """Raise StaleStep unless the world is what was approved."""

    def drift(self) -> None:
        """Raise what `check` would, before anything is approved: it runs unconfined, so it may start nothing that somebody else's files set up."""
        self.check()

    def apply(self) -> Iterator[Record] | None:
        """Do it. Runs confined."""
        raise NotImplementedError

    def inverse(self) -> Step | None:
        """Return the step that takes this one back, or None."""
        return None

    def no_undo(self) -> str:
        """Return why `inverse` is None, where it is: said in the preview, before it is approved."""
        return "one of its steps has no inverse"

    def resolved(self) -> tuple[Step, ...]:
        """Return the steps that do this one in the world as it is now: for one that could not name its object when it was written down."""
        return (self,)

    def outside(self) -> str:
        """Return who does it outside the sandbox, and what nothing holds him to, in words for the preview; empty where this step does it itself."""
        return ""

    def state(self) -> str:
        """After a crash: 'undone', 'done' or 'unknown', read from the world. Only steps with an inverse need it."""
        return "unknown"

    def leftovers(self) -> tuple[str, ...]:
        """Paths that this step, where it was cut short, may have left half made and that are nobody's file: read from the world, after a crash."""
        return ()

    def touches(self) -> tuple[str, ...]:
        """Folders whose own modification time this step changes; undo puts those times back."""
        return ()

    def only_times(self) -> tuple[str, ...]:
        """Folders whose modification time is all that this step sets; empty where it does anything else."""
        return ()

    def makes(self) -> tuple[tuple[str, str], ...]:
        """Paths that this step leaves where there was nothing, each with 'file' or 'folder': what later calls of a plan may count on."""
        return ()

    def as_data(self) -> dict[str, Any]:
        """Return JSON-able data that `step_from_data` turns back into an equal step."""
        kind = type(self)
        return {"step": kind.__name__, "in": kind.__module__.rpartition(".")[2], **self.__dict__}


def counted(steps: Iterable[Step]) -> tuple[list[Step], tuple[str, ...]]:
    """Return the steps that change what somebody has asked for, and the folders whose times the others only set right behind them.

    A file that comes into a folder gives that another time: to set it is bookkeeping, and no change that anybody would count.
    """
    every = [s for s in steps if not s.reads_only]
    touched = {path for s in every if not s.only_times() for path in s.touches()}
    folders: dict[str, None] = {}
    found = []
    for step in every:
        times = step.only_times()
        if touched.isdisjoint(times):
            found.append(step)
        else:
            folders.update(dict.fromkeys(times))
        touched.update(step.touches())
    return found, tuple(folders)


as_json = json.JSONEncoder(separators=(",", ":")).encode


def step_from_data(data: dict[str, Any]) -> Step:
    """Rebuild a step. Raises KeyError for an unknown step and TypeError for wrong fields."""
    fields: dict[str, Any] = {k: _tuples(v) if type(v) is list else v for k, v in data.items()}
    name, module = fields.pop("step"), fields.pop("in", "")
    if name not in STEP_TYPES:
        from nlsh.steps import load

        load(module)
    return STEP_TYPES[name](**fields)


def _tuples(value: list[Any]) -> tuple[Any, ...]:
    """JSON turns tuples into lists; steps hold tuples so that they stay hashable."""
    return tuple([_tuples(v) if type(v) is list else v for v in value])
