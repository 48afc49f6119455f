"""Plan through the daemon, whose models are warm, and in this process where that cannot be: which says so.

The daemon is asked what a sentence means, and nothing else: previews, questions, approvals and what is learned from them stay here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nlsh.kernel.daemon_wire import NoDaemon, ask, setup_of
from nlsh.plan.errors import BadPlan
from nlsh.plan.plan import plan_from_data

if TYPE_CHECKING:
    from nlsh.plan.plan import Plan
    from nlsh.planner.answer import Answer, Context
    from nlsh.planner.planner import Planner
    from nlsh.settings import Settings

LIMIT_S = 3.0  # for a plan of the shipped models, which takes a tenth of a second
LIMIT_OF_OTHERS_S = 60.0
_MOST_RECORDS = 50  # of the last result: what it was about, not all of it


class DaemonPlanner:
    """Plans through the daemon; `notice` says why it was not, where that is worth knowing. `absent`: there was none to ask."""

    quick = False  # what is only being typed is not planned

    def __init__(self, settings: Settings, local: Callable[[], Planner]) -> None:
        self.notice = ""
        self.absent = False
        self._settings, self._local = settings, local
        self._planner: Planner | None = None

    def plan(self, request: str, context: Context) -> Answer:
        """Return what a request means. Raises what a planner raises."""
        if self._planner is None:
            try:
                return _answer(ask(_message(request, context, self._settings), seconds=LIMIT_OF_OTHERS_S if self._settings.planner else LIMIT_S))
            except (NoDaemon, BadPlan) as error:
                self.absent = error.code == "daemon.absent"
                self.notice = "" if self.absent else f"{error} This was planned without it."
        return self.local().plan(request, context)

    def learn(self, request: str, plan: Plan) -> None:
        """Remember what the user has chosen: here, because the daemon takes nobody's word for it."""
        self.local().learn(request, plan)

    def local(self) -> Planner:
        """Return the planner of this process."""
        if self._planner is None:
            self._planner = self._local()
        return self._planner


def _message(request: str, context: Context, settings: Settings) -> dict[str, Any]:
    records = [r.as_data() for r in context.last_records[:_MOST_RECORDS]]
    about = {"cwd": context.cwd, "home": context.home, "last_action": context.last_action, "last_records": records, "recent": list(context.recent)}
    if context.last_plan is not None:
        about["last_plan"] = context.last_plan.as_data()
    return {"ask": "plan", "setup": setup_of(settings), "request": request, "context": about}


def _answer(reply: dict[str, Any]) -> Answer:
    """Return the answer that a reply holds. Raises BadPlan for one that holds none."""
    from nlsh.planner.answer import Answer, Reading

    try:
        readings = tuple(Reading(plan_from_data(r["plan"]), float(r["confidence"]), str(r["why"])) for r in reply["readings"])
        if reply["kind"] not in ("plan", "choose", "question", "refusal"):
            raise BadPlan("The daemon's answer could not be read.")
        return Answer(reply["kind"], readings, str(reply["message"]), tuple(map(str, reply["trace"])))
    except (KeyError, TypeError, ValueError):
        raise BadPlan("The daemon's answer could not be read.") from None


class Warm:
    """The daemon's side: one planner that stays."""

    def __init__(self, new: Callable[[], Planner]) -> None:
        self._new = new
        self._planner: Planner | None = None

    def plan(self, message: dict[str, Any]) -> dict[str, Any]:
        """Answer a client's message. Raises what a planner raises, and KeyError and TypeError for a message that is none of ours."""
        from nlsh.plan.records import record_from_data
        from nlsh.planner.answer import Context

        about = message["context"]
        records = tuple(record_from_data(r) for r in about["last_records"])
        last_plan = plan_from_data(about["last_plan"]) if "last_plan" in about else None
        context = Context(str(about["cwd"]), str(about["home"]), about["last_action"], records, tuple(about["recent"]), last_plan)
        answer = self._loaded().plan(str(message["request"]), context)
        readings = [{"plan": r.plan.as_data(), "confidence": r.confidence, "why": r.why} for r in answer.readings]
        return {"kind": answer.kind, "readings": readings, "message": answer.message, "trace": list(answer.trace)}

    def load(self) -> None:
        """Load the models, by planning something. Raises what a planner raises."""
        from nlsh.planner.answer import Context

        self._loaded().plan("what is in this folder", Context("/", os.path.expanduser("~")))

    def _loaded(self) -> Planner:
        if self._planner is None:
            self._planner = self._new()
        return self._planner

    def forget(self) -> None:
        """Let the models go."""
        import gc

        self._planner = None
        gc.collect()


def start_daemon() -> None:
    """Start nlshd, apart from this process and its terminal. Whether it comes up, the next that asks it finds out."""
    import subprocess

    from nlsh.guard import isolated
    from nlsh.kernel.daemon import command

    nothing = subprocess.DEVNULL
    subprocess.Popen(
        command("daemon", "run", "--quiet"), env=isolated.environment(), cwd="/", stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True
    )


def worth_starting(settings: Settings) -> bool:
    """Return whether a daemon that was missed is to be started for the next sentence: where a person sits."""
    return settings.daemon == "auto" and sys.stderr.isatty()
