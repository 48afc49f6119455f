"""The broker of one worker: it hears of the system calls that reach outside the grant, and has them asked about while their caller waits.

It stands between the supervisor and the worker, as an ancestor of whatever a raw command starts, since only an ancestor may read arguments
everywhere. It can do nothing of what it hears of: its own filter lets it neither write, connect, remove, signal nor run anything, not even with what it
takes from another process. What is agreed to is done by a `hand`, which the supervisor makes for it. A call is either handed back to the kernel, whose
Landlock then refuses what is not granted whatever a racing thread has put in place of the argument, or answered without the kernel ever looking at the
argument again.
"""

from __future__ import annotations

import errno
import json
import os
import select
import socket
from collections.abc import Callable
from typing import Any

from nlsh.guard.sandbox import capabilities, notify, seccomp
from nlsh.guard.sandbox.kernel import SET_DUMPABLE, SET_NO_NEW_PRIVS, prctl
from nlsh.guard.sandbox.wants import Refused, Wants, process_of, program_of

# What a job is to be asked about: keys of `seccomp.ASKED`.
ASKS = ("connect", "files", "signals")
LARGEST = 3500  # bytes of a question: what fits into a pipe in one piece, with what goes around it
MOST_NOTES = 200  # of a job: refusals that nobody was asked about; the others are counted
_STILL_THERE_S = 0.2


def broker(
    worker: int, channel: socket.socket, hears: socket.socket, woken: int, wake: int, roots: tuple[str, ...], hidden: tuple[str, ...]
) -> int:  # fmt: skip
    """Be the broker of `worker` until it ends; return its exit status.

    `hears`: where the worker sends its listener; `woken`: what can be read once a child has ended, `wake` the end to which signals are written;
    `roots`: what it may change; `hidden`: what nobody is asked about.
    """
    prctl(SET_DUMPABLE, 0)
    prctl(SET_NO_NEW_PRIVS, 1)
    capabilities.drop(frozenset())
    seccomp.install(seccomp.build(seccomp.Profile(watches=(channel.fileno(), wake))))
    return _Broker(channel, hears, woken, roots, hidden).serve(worker)


class _Broker:
    def __init__(self, channel: socket.socket, hears: socket.socket, woken: int, roots: tuple[str, ...], hidden: tuple[str, ...]) -> None:
        self._channel, self._hears, self._woken, self._wants = channel, hears, woken, Wants(roots, hidden)
        self._listener: notify.Listener | None = None
        self._open: dict[int, tuple[notify.Call, dict[str, Any]]] = {}
        self._number = 0
        self._notes = 0

    def serve(self, worker: int) -> int:
        poller = select.poll()
        for descriptor in (self._channel.fileno(), self._hears.fileno(), self._woken):
            poller.register(descriptor, select.POLLIN)
        while True:
            for descriptor, _ in poller.poll(int(_STILL_THERE_S * 1000) if self._open else None):
                if descriptor == self._woken:
                    os.read(self._woken, 512)
                    if (status := reap(worker)) is not None:
                        return status
                elif descriptor == self._hears.fileno():
                    poller.unregister(descriptor)
                    pid, given = notify.receive_from(self._hears)
                    if given:
                        # In a view it is a child of the worker's that sends it, and goes on as the worker.
                        self._channel.send(json.dumps({"worker": pid}).encode())
                        self._listener = notify.Listener(given[0])
                        poller.register(given[0], select.POLLIN)
                elif descriptor == self._channel.fileno():
                    self._answered()
                elif not self._hear():
                    poller.unregister(descriptor)
            self._withdraw()

    # --- what is heard -------------------------------------------------------------------------------------------

    def _hear(self) -> bool:
        assert self._listener is not None
        try:
            call = self._listener.receive()
        except OSError:
            return False
        if call is None:
            return True
        given: tuple[int, ...] = ()
        try:
            found = self._wants.of(call)
            if found is None:
                self._listener.hand_back(call)
                return True
            request, given = found
            if not self._listener.waits(call):
                return True  # whose memory that was is not known any more
            request["program"], request["pid"] = program_of(call.thread), process_of(call.thread)
            text = json.dumps(request)
            if len(text) > LARGEST:
                raise Refused("its name is too long to be asked about")
            self._number += 1
            self._open[self._number] = call, request
            notify.send(self._channel, f'{{"ask":{self._number},"what":{text}}}'.encode(), given)
        except Refused as why:
            self._note(call, str(why))
            self._listener.reply(call, errno.EACCES)
        except OSError as error:
            # What the program itself would have met: a bad address, a folder that is not there.
            self._listener.reply(call, error.errno or errno.EPERM)
        except Exception as error:
            self._note(call, f"{type(error).__name__} in the broker")
            self._listener.reply(call, errno.EPERM)
        finally:
            for descriptor in given:
                os.close(descriptor)
        return True

    def _note(self, call: notify.Call, why: str) -> None:
        """Tell of a refusal that nobody was asked about."""
        self._notes += 1
        if self._notes <= MOST_NOTES:
            text = json.dumps({"kind": call.name, "program": program_of(call.thread), "why": why})
            notify.send(self._channel, f'{{"note":{text}}}'.encode())

    # --- answers -------------------------------------------------------------------------------------------------

    def _answered(self) -> None:
        assert self._listener is not None
        data, given = notify.receive(self._channel)
        if not data:
            raise OSError(errno.EPIPE, "the supervisor is gone")
        try:
            answer = json.loads(data)
            number = answer.get("answer", answer.get("came"))
            opened = self._open.get(number)
            if opened is None:
                return
            call, request = opened
            if "answer" in answer:
                if answer["yes"]:
                    if self._listener.waits(call):
                        notify.send(self._channel, json.dumps({"go": number}).encode())
                    return
                else:
                    self._listener.reply(call, errno.EACCES if request["kind"] in ("connect", "open") else errno.EPERM)
            elif given and request["kind"] == "connect":
                self._listener.give(call, given[0], at=request["at"], inherited=request["inherited"])
                self._listener.reply(call, answer["error"])
            elif given:
                self._listener.reply(call, value=self._listener.give(call, given[0], inherited=request["inherited"]))
            else:
                self._listener.reply(call, answer["error"])
            del self._open[number]
        except OSError:
            # The caller has gone, or has no room for another descriptor: it gets what it gets then.
            self._listener.reply(call, errno.EMFILE)
            del self._open[number]
        finally:
            for descriptor in given:
                os.close(descriptor)

    def _withdraw(self) -> None:
        """Take back the questions whose callers have gone."""
        for number, (call, _) in list(self._open.items()):
            assert self._listener is not None
            if not self._listener.waits(call):
                del self._open[number]
                notify.send(self._channel, json.dumps({"gone": number}).encode())


def reap(worker: int, ended: Callable[[int], None] | None = None) -> int | None:
    """Collect every child that has ended, telling `ended` of it; return the worker's status once it is among them."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == worker:
            found = os.waitstatus_to_exitcode(status)
        elif ended is not None:
            ended(pid)
