"""What the planner answers: a plan, a few readings to choose from, a question, or a refusal."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from nlsh.plan.frozen import frozen
from nlsh.plan.plan import Plan
from nlsh.plan.records import Record

# What is said of a request that is none of nlsh's.
REFUSALS = {
    "chat": "That is talk, and nlsh only acts on this machine. Try “what is using the most memory”; /help, or `nlsh actions`, shows what it can do.",
    "unclear": "That is not clear enough to act on. Say what, and where: “show the largest files in ~/Downloads”.",
    "outside": "nlsh has no action for that. `nlsh actions` lists what it can do; `!command` runs a command of yours.",
    "dangerous": "nlsh does not plan that: it would wreck the system or somebody's data as a whole. Name the files or processes you mean.",
}


@frozen(slots=False)
class Context:
    """What the planner may know besides the request: where it stands and what the last turn gave."""

    cwd: str
    home: str
    last_action: str | None = None
    last_records: tuple[Record, ...] = ()
    recent: tuple[str, ...] = ()
    last_plan: Plan | None = None


@frozen(slots=False)
class Reading:
    """One way to read the request. `confidence` is the calibrated probability, 0 to 1, that it is what was meant."""

    plan: Plan
    confidence: float
    why: str = ""


@frozen(slots=False)
class Answer:
    """`plan`: one reading; `choose`: two or three; `question`: none is sure enough; `refusal`: there is no such action."""

    kind: Literal["plan", "choose", "question", "refusal"]
    readings: tuple[Reading, ...] = ()
    message: str = ""
    trace: tuple[str, ...] = field(default=())
