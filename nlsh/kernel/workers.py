"""Workers for many tasks at once: a scheduler's decisions carried out on the workers of one zygote, and every task's messages passed on as it gets them.

What becomes of a task is always told: its `StepMessages` end with one last message for each step, also where its worker is killed, its thread fails or
all is closed. A task whose worker was gone before it had begun its first step is given another worker; one that may have begun is not, since nobody
knows how far it came: its step is told to be lost, and the world says what was done (`nlsh.kernel.recover`).

A task is paused by its supervisor, which stops its worker and all that this has started (`nlsh.guard.sandbox.pausing`); this process is never stopped
itself, so that no lock of the journal's is held by somebody who stands still.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nlsh.guard.sandbox.part import Part
from nlsh.kernel.bus import ROOM, Bus, Closed, Mailbox, Request, StepMessages
from nlsh.plan.errors import NlshError

if TYPE_CHECKING:
    from nlsh.guard.sandbox.zygote import Zygote
    from nlsh.kernel.scheduler import Scheduler, Task

TRIES = 3  # workers for a task that has not begun
MOST_WAITING = 1024
ENDED = "work.ended"  # the topic under which the keys of tasks that have ended are published
_LOST = ("worker.lost", "step.lost")
_NOT_TRIED = NlshError("It was not tried, because an earlier step failed.", code="step.skipped")

Drive = Callable[[Part], Generator[dict[str, Any], None, None]]


@dataclass(slots=True, eq=False)
class _Work:
    task: Task
    drive: Drive
    messages: StepMessages
    part: Part
    thread: threading.Thread | None = field(default=None)


class Workers:
    """Runs tasks as `scheduler` says. `drive(part)` of a task runs its job through `part.run` and yields the messages. Close it when done."""

    def __init__(self, zygote: Zygote, scheduler: Scheduler, bus: Bus | None = None) -> None:
        self.bus = Bus() if bus is None else bus
        self._zygote, self._scheduler = zygote, scheduler
        self._work: dict[Hashable, _Work] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._stirred = False
        self._dispatcher = threading.Thread(target=self._dispatch, name="scheduler", daemon=True)
        self._dispatcher.start()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(self, task: Task, steps: int, drive: Drive, *, room: int = ROOM) -> StepMessages:
        """Have a task run when its turn comes; return its messages, which must be taken or dropped. Waits while too many tasks wait.

        Raises NotPossible where it could never fit, ValueError for a key twice, Closed.
        """
        work = _Work(task, drive, StepMessages(steps, room), Part(self._zygote))
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._work) < MOST_WAITING)
            if self._closed:
                raise Closed
            self._scheduler.add(task, time.monotonic())
            self._work[task.key] = work
            self._stir()
        return work.messages

    def serve(self, address: str) -> threading.Thread:
        """Take tasks over the bus, too, until closed: a request is the arguments of `submit`, its answer the messages. Return the thread that does."""
        ready = threading.Event()

        def take() -> None:
            with self.bus.serving(address) as requests:
                closing = threading.Thread(target=self._close_with, args=(requests,), daemon=True)
                closing.start()
                ready.set()
                for request in requests:
                    self._take(request)

        thread = threading.Thread(target=take, name=address, daemon=True)
        thread.start()
        ready.wait()
        return thread

    def withdraw(self, key: Hashable) -> bool:
        """Take a task back that has not begun; return whether that was so. Its messages end."""
        with self._changed:
            work = self._work.get(key)
            if work is None or work.thread is not None:
                return False
            del self._work[key]
            self._scheduler.ended(key, time.monotonic())
            self._stir()
        work.messages.end(NlshError("It was taken back before it had begun.", code="step.cancelled"))
        return True

    def close(self) -> None:
        """End every task, and wait for that."""
        with self._changed:
            self._closed = True
            works = list(self._work.values())
            self._stir()
        for work in works:
            if not self.withdraw(work.task.key):
                work.messages.drop()
                work.part.end()
        for work in works:
            if work.thread is not None:
                work.thread.join()
        self._dispatcher.join()

    # --- turns ---------------------------------------------------------------------------------------------------

    def _stir(self) -> None:
        self._stirred = True
        self._changed.notify_all()

    def _dispatch(self) -> None:
        with self._changed:
            while not self._closed:
                self._stirred = False
                for decision in self._scheduler.decide(time.monotonic()):
                    work = self._work[decision.key]
                    if decision.what == "start":
                        work.thread = threading.Thread(target=self._run, args=(work,), name=f"work {decision.key}", daemon=True)
                        work.thread.start()
                    elif decision.what == "pause":
                        work.part.pause()
                    else:
                        work.part.go_on()
                self._changed.wait_for(lambda: self._stirred, self._scheduler.next_look(time.monotonic()))

    def _take(self, request: Request) -> None:
        try:
            messages = self.submit(*request.body)
        except Exception as error:
            request.refuse(error)
            return
        if not request.reply(messages) and not self.withdraw(request.body[0].key):
            messages.drop()  # who asked has given up waiting

    def _close_with(self, requests: Mailbox[Request]) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed)
        requests.close()

    # --- one task ------------------------------------------------------------------------------------------------

    def _run(self, work: _Work) -> None:
        error = NlshError("The worker ended before it had said what became of this step.", hint="Look at what it was to change.", code="step.lost")
        try:
            for left in reversed(range(TRIES)):
                if not self._through(work, again=left > 0):
                    break
        except Closed:
            pass  # nobody follows it any more; its worker was ended
        except NlshError as raised:
            error = raised
        except Exception as raised:
            error = NlshError(f"nlsh itself failed: {type(raised).__name__}: {raised}.", hint="Please report it.", code="internal.error")
        finally:
            work.messages.end(error, rest=_NOT_TRIED)
            with self._changed:
                del self._work[work.task.key]
                self._scheduler.ended(work.task.key, time.monotonic())
                self._stir()
            self.bus.publish(ENDED, work.task.key)

    def _through(self, work: _Work, *, again: bool) -> bool:
        """Pass on what a worker tells; return whether it was gone before it had begun anything, so that another may be tried (`again`)."""
        begun = False
        messages = work.drive(work.part)
        try:
            for message in messages:
                begun = begun or message["type"] in ("start", "done", "records")
                if again and not begun and not self._closed and _is_lost(message):
                    return True
                work.messages.put(message)
        finally:
            # Closing the stream is what kills a worker that is still there.
            messages.close()
        return False


def _is_lost(message: dict[str, Any]) -> bool:
    return message["type"] == "failed" and message["error"].get("code") in _LOST
