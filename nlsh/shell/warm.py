"""Plan through the daemon, whose models are warm, and in this process where that cannot be: which says so.

The daemon is asked what a sentence means, and nothing else: previews, questions, approvals and what is learned from them stay here.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nlsh.kernel.daemon_wire import GivenUp, NoDaemon, ask, setup_of
from nlsh.plan.errors import BadPlan
from nlsh.plan.plan import plan_from_data

if TYPE_CHECKING:
    from nlsh.plan.plan import Plan
    from nlsh.planner.answer import Answer, Context
    from nlsh.planner.planner import Planner
    from nlsh.settings import Settings

LIMIT_S = 3.0  # for a plan of the shipped models, which takes a tenth of a second
LIMIT_OF_OTHERS_S = 60.0
COMES_UP_S = 10.0  # with warm models: a shell waits as long for a daemon before it loads them itself
_AGAIN_S = 10.0  # between two tries to have one
STARTED = 'sentences are planned by a daemon that keeps the models warm for all shells. nlsh daemon stop ends it; daemon = "off" in config.toml: none is used.'
_MOST_RECORDS = 50  # of the last result: what it was about, not all of it


class DaemonPlanner:
    """Plans through the daemon; `notice` says why it was not, where that is worth knowing. `absent`: there was none to ask.

    `stop` is set while what is only being typed is planned: then nothing is loaded or waited for, and Stopped is raised once it says so.
    """

    def __init__(self, settings: Settings, local: Callable[[], Planner]) -> None:
        self.notice = ""
        self.absent = False
        self.quick = not settings.planner  # other models take seconds
        self.stop: Callable[[], bool] | None = None
        self._settings, self._new = settings, local
        self._planner: Planner | None = None
        self._alone = False  # there was no daemon to be had: what is loaded here stays
        self._setup = ""
        self._tried = -math.inf  # when a daemon was last started

    def plan(self, request: str, context: Context) -> Answer:
        """Return what a request means. Raises what a planner raises."""
        if not self._alone:
            try:
                return _answer(self._ask(request, context))
            except (GivenUp, NoDaemon, BadPlan) as error:
                if self.stop is not None or isinstance(error, GivenUp):
                    from nlsh.planner.engine import Stopped

                    raise Stopped from None
                self._alone, self.absent = True, error.code == "daemon.absent"
                self.notice = "" if self.absent else f"{error} This was planned without it."
        planner = self.local()
        planner.stop = self.stop
        try:
            return planner.plan(request, context)
        finally:
            planner.stop = None

    def attach(self, context: Context) -> bool:
        """Have a daemon with warm models, one that was started for this where a person sits here; return whether there is one. `notice` says what is new."""
        until, started = time.monotonic() + (LIMIT_OF_OTHERS_S if self._settings.planner else COMES_UP_S), False
        while (left := until - time.monotonic()) > 0:
            try:
                self._ask("what is in this folder", context, seconds=left)
            except BadPlan:
                return False
            except NoDaemon as error:
                if error.code not in ("daemon.absent", "daemon.stale"):
                    self.notice = f"{error} The models were loaded here."
                    return False
                if not worth_starting(self._settings):
                    return False
                if not started:
                    start_daemon()
                    started = True
            else:
                self.notice = STARTED if started else ""
                return True
            time.sleep(0.02)
        return False

    def renew(self) -> None:
        """Start a daemon that is gone, where a person sits here: it is there when he has typed his sentence."""
        if self._alone or time.monotonic() - self._tried < _AGAIN_S or not worth_starting(self._settings):
            return
        self._tried = time.monotonic()
        try:
            ask({"ask": "status"}, seconds=0.2)
        except NoDaemon as error:
            if error.code in ("daemon.absent", "daemon.stale"):
                start_daemon()

    def _ask(self, request: str, context: Context, *, seconds: float = 0.0) -> dict[str, Any]:
        # As this process is: what is installed meanwhile is not what it runs.
        self._setup = self._setup or setup_of(self._settings)
        message = {**_message(request, context), "setup": self._setup, "priority": self._priority()}
        limit = LIMIT_OF_OTHERS_S if self._settings.planner else LIMIT_S
        return ask(message, seconds=seconds or limit, stop=self.stop)

    def _priority(self) -> str:
        """Return how much it matters who waits: somebody who has pressed Enter, a script, or nobody yet."""
        return "low" if self.stop is not None else "high" if sys.stderr.isatty() else "normal"

    def learn(self, request: str, plan: Plan) -> None:
        """Remember what the user has chosen: here, because the daemon takes nobody's word for it."""
        self.local().learn(request, plan)

    def close(self) -> None:
        """Free the models of this process, where it has any."""
        if self._planner is not None:
            self._planner.close()
            self._planner = None

    def local(self) -> Planner:
        """Return the planner of this process."""
        if self._planner is None:
            self._planner = self._new()
        return self._planner


def _message(request: str, context: Context) -> dict[str, Any]:
    records = [r.as_data() for r in context.last_records[:_MOST_RECORDS]]
    about = {"cwd": context.cwd, "home": context.home, "last_action": context.last_action, "last_records": records, "recent": list(context.recent)}
    if context.last_plan is not None:
        about["last_plan"] = context.last_plan.as_data()
    return {"ask": "plan", "request": request, "context": about}


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
    """The daemon's side: one planner that stays, and that several clients have in turn."""

    def __init__(self, new: Callable[[], Planner]) -> None:
        from nlsh.planner.turns import Turns

        self._new = new
        self._planner: Planner | None = None
        self._turns = Turns()

    def plan(self, message: dict[str, Any], client: str, gone: Callable[[], bool]) -> dict[str, Any]:
        """Answer a client's message, unless nobody waits for it any more (`gone`): then Stopped is raised.

        Raises what a planner raises, and KeyError and TypeError for a message that is none of ours.
        """
        from nlsh.kernel.scheduler import PRIORITIES
        from nlsh.plan.records import record_from_data
        from nlsh.planner.answer import Context

        about = message["context"]
        records = tuple(record_from_data(r) for r in about["last_records"])
        last_plan = plan_from_data(about["last_plan"]) if "last_plan" in about else None
        context = Context(str(about["cwd"]), str(about["home"]), about["last_action"], records, tuple(about["recent"]), last_plan)
        priority = message.get("priority") if message.get("priority") in PRIORITIES else "normal"
        with self._turns.turn(client, str(priority), rests=True, gone=gone):
            planner = self._loaded()
            planner.stop = gone
            try:
                answer = planner.plan(str(message["request"]), context)
            finally:
                planner.stop = None
        readings = [{"plan": r.plan.as_data(), "confidence": r.confidence, "why": r.why} for r in answer.readings]
        return {"kind": answer.kind, "readings": readings, "message": answer.message, "trace": list(answer.trace)}

    def load(self) -> None:
        """Load the models, by planning something. Raises what a planner raises."""
        from nlsh.planner.answer import Context

        with self._turns.turn("the daemon"):
            self._loaded().plan("what is in this folder", Context("/", os.path.expanduser("~")))

    def _loaded(self) -> Planner:
        if self._planner is None:
            self._planner = self._new()
        return self._planner

    def forget(self) -> None:
        """Let the models go, unless somebody has just come who wants them."""
        import gc

        with self._turns.turn("the daemon"):
            if self._planner is not None and not self._turns.rested:
                self._planner.close()
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
