"""The planner of a session: loaded once, used by one thread at a time, and asked ahead while a line is still typed.

What was planned ahead is what Enter gets, where neither the words nor what they stand in have changed; everything else that is under way then is
given up. It plans only: nothing that is planned ahead is previewed or run.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from nlsh.plan.errors import NlshError
from nlsh.plan.plan import STDIN

if TYPE_CHECKING:
    from nlsh.plan.plan import Plan
    from nlsh.planner.answer import Answer, Context
    from nlsh.planner.planner import Planner
    from nlsh.settings import Settings
    from nlsh.shell.warm import DaemonPlanner

# One of these stands in what `shares_said` knows.
_OF_SHARES = ("%", "％", "percent", "per cent", "half", "third", "quarter", "all of", "一半", "分之")
_Key = tuple[object, ...]


class Planning:
    """One planner and what it answered last."""

    def __init__(self, settings: Settings, *, model: str = "") -> None:
        """`model`: what the command line says, before the settings. The planner is loaded when a sentence comes."""
        self.settings = settings
        self.model = model
        self.planner: Planner | None = None
        self.last: Answer | None = None
        self._loading = threading.Lock()
        self._using = threading.Lock()
        self._notice = ""
        self._ahead: tuple[_Key, Answer] | None = None  # what was planned before Enter
        self._wanted: _Key | None = None  # what Enter waits for: anything else under way is given up

    def plan(self, text: str, context: Context) -> Answer:
        """Return the planner's answer to a sentence. Raises ModelError and NotUnderstood."""
        planner = self.load()
        self._wanted = key = _key(text, context)
        try:
            with self._using:
                if self._ahead is not None and self._ahead[0] == key:
                    self.last = self._ahead[1]
                else:
                    self.last = _planned(planner, text, context)
        finally:
            self._wanted = None
        return self.last

    def ahead(self, text: str, context: Context, stop: Callable[[], bool]) -> Answer | None:
        """Plan what is being typed, from another thread; None where that is given up, cannot be, or would take too long with this model."""
        from nlsh.planner.engine import Stopped

        planner = self.planner  # what is not loaded yet is not loaded for this
        if planner is None or not getattr(planner, "quick", False):
            return None
        key = _key(text, context)
        with self._using:
            if self._ahead is not None and self._ahead[0] == key:
                return self._ahead[1]
            if stop():
                return None
            planner.stop = lambda: self._wanted != key if self._wanted is not None else stop()
            try:
                answer = _planned(planner, text, context)
            except (Stopped, NlshError):
                self._keep_warm()
                return None
            finally:
                planner.stop = None
            self._ahead = (key, answer)
            return answer

    def learn(self, request: str, plan: Plan) -> None:
        """Remember what the user chose, or made of a plan, for a sentence of theirs. Raises NlshError where it cannot be kept."""
        if self.planner is None or request.startswith("!"):
            return
        with self._using:
            self._ahead = None
            self.planner.learn(request.removeprefix("?").strip(), plan)

    def notice(self) -> str:
        """Return, once, what a planner of another model, or of another process, has to say."""
        said, self._notice = str(getattr(self.planner, "notice", "")) or self._notice, ""
        if getattr(self.planner, "notice", ""):
            self.planner.notice = ""  # type: ignore[union-attr]
        return said

    def load(self) -> Planner:
        """Return the planner. Raises ModelError. Its models load when it first plans, or in `warm_up`."""
        with self._loading:
            if self.planner is None:
                self.planner = self._shared() or self._new()  # type: ignore[assignment]  # it plans and learns as one does
            return self.planner  # type: ignore[return-value]

    def begin(self, text: str) -> None:
        """Plan the sentence of a one-shot in another thread, while this one sets up the rest: `plan` waits for it, where it is that sentence that counts."""
        if self.planner is None and not self.model and not self.settings.planner:
            # Not a daemon: a process that ends while a library loads a model may end with a fault of that library.
            threading.Thread(target=self._begin, args=(text,), name="load-models").start()

    def _begin(self, text: str) -> None:
        from nlsh.planner.answer import Context

        context = Context(os.getcwd(), os.path.expanduser("~"))
        with contextlib.suppress(Exception), self._using:  # it is met again, and shown, when the sentence is planned
            if self.last is None:
                self._ahead = _key(text, context), _planned(self.load(), text, context)

    def warm_up(self, context: Context, then: Callable[[], None]) -> None:
        """Have warm models, from another thread: the daemon's, or else this process's own. Who plans meanwhile waits. `then` is called when that is over."""
        with self._loading:
            try:
                if (shared := self._shared()) is not None:
                    if shared.attach(context):
                        self.planner = shared  # type: ignore[assignment]  # as in `load`
                        then()
                        return
                    self._notice = shared.notice
                planner = self._new()
                planner.plan("what is in this folder", context)
                self.planner = planner
            except Exception:
                # It is met again, and shown, when the planner is needed.
                return
        then()

    def _keep_warm(self) -> None:
        """Have the daemon again, where what is being typed has found that it is gone: it ends by itself when nobody has asked it for long."""
        if (renew := getattr(self.planner, "renew", None)) is not None:
            renew()

    def _shared(self) -> DaemonPlanner | None:
        """Return what plans through the daemon, None where that is not wanted."""
        if self.model or self.settings.daemon == "off":
            return None
        from nlsh.shell.warm import DaemonPlanner

        return DaemonPlanner(self.settings, self._new)

    def close(self) -> bool:
        """Have a daemon for the next sentence, where one was missed for this one and a person sits here; return whether one was started."""
        if not getattr(self.planner, "absent", False):
            return False
        from nlsh.shell import warm

        if not warm.worth_starting(self.settings):
            return False
        warm.start_daemon()
        return True

    def _new(self) -> Planner:
        from dataclasses import replace

        from nlsh.planner.learned import Learned
        from nlsh.planner.planner import Planner

        settings = self.settings
        if self.model:
            settings = replace(settings, planner=self.model)
        if not settings.planner:
            return Planner(settings, learned=Learned())
        from nlsh.planner.models import planner_for

        return planner_for(settings, Learned())

    def switch(self, settings: Settings) -> None:
        """Plan with what the settings say now, from the next request on."""
        with self._using, self._loading:
            if self.planner is not None:
                self.planner.close()
            self.settings, self.planner, self._ahead = settings, None, None


def _planned(planner: Planner, text: str, context: Context) -> Answer:
    from nlsh.planner import refer

    if (found := refer.resolve(text, context, planner.plan)) is not None:
        return found
    if context.last_action == STDIN:
        from nlsh.planner import piped_said

        if (found := piped_said.resolve(text, context, planner.plan)) is not None:
            return found
    if any(word in text.lower() for word in _OF_SHARES):
        from nlsh.planner import shares_said

        if (shared := shares_said.read(text)) is not None:
            return shared
    return planner.plan(text, context)


def _key(text: str, context: Context) -> _Key:
    """Return what an answer depends on: records by which they are, for there may be many."""
    return (text, context.cwd, context.last_action, id(context.last_records), context.last_plan, context.recent)
