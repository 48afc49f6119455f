"""What the planner answers: a plan, a few readings to choose from, a question, or a refusal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from nlsh.plan.plan import Plan
from nlsh.plan.records import Record


@dataclass(frozen=True)
class Context:
    """What the planner may know besides the request: where it stands and what the last turn gave."""

    cwd: str
    home: str
    last_action: str | None = None
    last_records: tuple[Record, ...] = ()
    recent: tuple[str, ...] = ()
    last_plan: Plan | None = None


@dataclass(frozen=True)
class Reading:
    """One way to read the request. `confidence` is the calibrated probability, 0 to 1, that it is what was meant."""

    plan: Plan
    confidence: float
    why: str = ""


@dataclass(frozen=True)
class Answer:
    """`plan`: one reading; `choose`: two or three; `question`: none is sure enough; `refusal`: there is no such action."""

    kind: Literal["plan", "choose", "question", "refusal"]
    readings: tuple[Reading, ...] = ()
    message: str = ""
    trace: tuple[str, ...] = field(default=())
