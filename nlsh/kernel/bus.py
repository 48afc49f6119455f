"""The bus between threads of one kernel: request and reply, publish and subscribe, and the messages of a call's steps, all over bounded queues.

Every queue has room for so much and no more: who sends faster than is taken waits. Nobody waits for ever for one that is gone: a closed queue wakes
both ends, and a request whose server ends is answered by that. Every step gets exactly one last message (`StepMessages`), whatever becomes of its worker.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from nlsh.plan.errors import NlshError

T = TypeVar("T")

ROOM = 256  # messages that wait in a queue, where nothing else is said
LAST = ("done", "failed", "denied")


class Closed(Exception):
    """The other end of a queue is gone."""


class NoAnswer(NlshError):
    """A request got no answer: nobody serves the address, its server has ended, or the time was up."""

    code = "bus.no-answer"


class Mailbox(Generic[T]):
    """A first-in, first-out queue with room for `room` items; any number of threads may put and take."""

    def __init__(self, room: int = ROOM) -> None:
        """Raises ValueError for no room at all."""
        if room < 1:
            raise ValueError("a queue has room for at least one")
        self._room = room
        self._items: deque[T] = deque()
        self._closed = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T, timeout: float | None = None) -> None:
        """Add an item, waiting for room up to `timeout` seconds. Raises Closed, and TimeoutError where there was no room."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._closed or len(self._items) < self._room, timeout):
                raise TimeoutError("the queue is full")
            self._add(item)

    def force(self, item: T) -> None:
        """Add an item that nobody can wait with, whether there is room or not. Raises Closed."""
        with self._changed:
            self._add(item)

    def _add(self, item: T) -> None:
        if self._closed:
            raise Closed
        self._items.append(item)
        self._changed.notify_all()

    def take(self, timeout: float | None = None) -> T:
        """Return the oldest item, waiting for one up to `timeout` seconds. Raises Closed where none will come, and TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._closed or self._items, timeout):
                raise TimeoutError("nothing came")
            if not self._items:
                raise Closed
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def close(self, *, drop: bool = False) -> list[T]:
        """Let nothing more in. What is in it can still be taken, unless it is to `drop`: then it is returned."""
        with self._changed:
            self._closed = True
            dropped = list(self._items) if drop else []
            if drop:
                self._items.clear()
            self._changed.notify_all()
            return dropped

    def __iter__(self) -> Iterator[T]:
        """Take items until it is closed and empty."""
        while True:
            try:
                yield self.take()
            except Closed:
                return


class Request:
    """A question that came over the bus. Its first answer counts; `reply` and `refuse` say whether theirs was that."""

    def __init__(self, body: Any) -> None:
        self.body = body
        self._answer: tuple[Any, BaseException | None] | None = None
        self._answered = threading.Event()
        self._lock = threading.Lock()

    def reply(self, value: Any) -> bool:
        """Answer it."""
        return self._set(value, None)

    def refuse(self, error: BaseException) -> bool:
        """Answer it with an error, which is raised where it was asked."""
        return self._set(None, error)

    def _set(self, value: Any, error: BaseException | None) -> bool:
        with self._lock:
            if self._answer is not None:
                return False
            self._answer = (value, error)
            self._answered.set()
            return True

    def wait(self, timeout: float | None) -> Any:
        """Return the answer. Raises the error that it is, or NoAnswer once `timeout` seconds are over: an answer that comes later counts no more."""
        if not self._answered.wait(timeout):
            self.refuse(NoAnswer(f"There was no answer within {timeout:g} s.", hint="Nothing is known of what was asked for. Look before you try again."))
        assert self._answer is not None
        value, error = self._answer
        if error is not None:
            raise error
        return value


class Bus:
    """Addresses that are served and topics that are followed, by name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._served: dict[str, tuple[Mailbox[Request], set[Request]]] = {}
        self._followed: dict[str, list[Mailbox[Any]]] = {}

    @contextmanager
    def serving(self, address: str, room: int = ROOM) -> Iterator[Mailbox[Request]]:
        """Within: requests to `address` come into this queue. What was not answered at the end is refused. Raises ValueError where it is served already."""
        mailbox: Mailbox[Request] = Mailbox(room)
        with self._lock:
            if address in self._served:
                raise ValueError(f"{address} is served already")
            self._served[address] = mailbox, set()
        try:
            yield mailbox
        finally:
            with self._lock:
                _, left = self._served.pop(address)
            mailbox.close(drop=True)
            for request in list(left):
                request.refuse(_gone(address))

    def ask(self, address: str, body: Any, timeout: float | None = None) -> Any:
        """Send a request and return its answer, waiting up to `timeout` seconds for room and answer together. Raises NoAnswer, and what was answered."""
        with self._lock:
            if address not in self._served:
                raise _gone(address)
            mailbox, left = self._served[address]
            request = Request(body)
            left.add(request)
        until = None if timeout is None else time.monotonic() + timeout
        try:
            mailbox.put(request, timeout)
        except (Closed, TimeoutError) as error:
            left.discard(request)
            raise _gone(address) if isinstance(error, Closed) else NoAnswer(f"{address} has too much to do.", hint="Nothing was begun.") from error
        try:
            return request.wait(None if until is None else max(0.0, until - time.monotonic()))
        finally:
            left.discard(request)

    def follow(self, topic: str, room: int = ROOM) -> Mailbox[Any]:
        """Return a queue that gets what is published under `topic` from now on; `leave` it when done."""
        mailbox: Mailbox[Any] = Mailbox(room)
        with self._lock:
            self._followed.setdefault(topic, []).append(mailbox)
        return mailbox

    def leave(self, topic: str, mailbox: Mailbox[Any]) -> None:
        """Follow a topic no longer; what was not taken is dropped."""
        with self._lock:
            left = [m for m in self._followed.get(topic, []) if m is not mailbox]
            self._followed[topic] = left
            if not left:
                del self._followed[topic]
        mailbox.close(drop=True)

    def publish(self, topic: str, message: Any) -> int:
        """Give a message to all who follow `topic`, waiting for the slowest to have room; return how many got it."""
        with self._lock:
            followers = list(self._followed.get(topic, ()))
        count = 0
        for mailbox in followers:
            try:
                mailbox.put(message)
            except Closed:
                continue  # it left meanwhile
            count += 1
        return count


def _gone(address: str) -> NoAnswer:
    return NoAnswer(f"Nobody serves {address}.", hint="Nothing is known of what was asked for, if it had been taken.")


class StepMessages:
    """The messages of a call with `count` steps, from whoever drives its worker to whoever follows it: one last message for each step, and none after it."""

    def __init__(self, count: int, room: int = ROOM) -> None:
        self._open = dict.fromkeys(range(count))
        self._messages: Mailbox[dict[str, Any]] = Mailbox(room)

    def put(self, message: dict[str, Any]) -> bool:
        """Pass a message on, waiting for room; return whether it passed. Raises Closed where nobody follows any more."""
        step = message["step"]
        if message["type"] in LAST:
            if step not in self._open:
                return False
            self._messages.put(message)
            # Only now: a message that did not get through was none.
            self._open.pop(step, None)
            return True
        if step in self._open:
            self._messages.put(message)
            return True
        return False

    def end(self, error: NlshError, *, rest: NlshError | None = None) -> None:
        """Give every step without a last message one: the first of them `error`, the others `rest` (None: `error` too). Nothing follows that."""
        for step in list(self._open):
            kind = "denied" if error.exit_status == 3 else "failed"
            try:
                self._messages.force({"type": kind, "step": step, "error": error.as_data()})
            except Closed:
                break
            finally:
                self._open.pop(step, None)
            error = rest or error
        self._messages.close()

    def drop(self) -> None:
        """Follow it no longer: what is still sent is refused."""
        self._messages.close(drop=True)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._messages)
