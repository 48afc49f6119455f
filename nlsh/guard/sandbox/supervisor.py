"""The supervisor of one worker: it ends it, and everything it has started, when it is done, when its client goes, or when it is told to.

It is not confined, and runs nothing of a plan.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from nlsh.guard.sandbox.broker import broker, reap
from nlsh.guard.sandbox.group import BEHIND, FRONT, RELEASE, STAND
from nlsh.guard.sandbox.kernel import SET_CHILD_SUBREAPER, SET_PDEATHSIG, be_called, prctl
from nlsh.guard.sandbox.pausing import Pause
from nlsh.guard.sandbox.relay import Relay
from nlsh.guard.sandbox.worker import HEARS, LEADS, MESSAGES, Worker
from nlsh.guard.sandbox.zygote import CANCEL, GO_ON, PAUSE
from nlsh.plan.process_names import WORKER
from nlsh.plan.steps import STEP_TYPES
from nlsh.steps import handles, load_for

_STDIO = 3
_LEAVES = 90  # the exit status of a worker that has started something that is to go on


def supervise(job: dict[str, Any], writer: int, control: int, stdio: list[int], kind: type[Worker] = Worker, confine: Callable[[], None] | None = None) -> None:
    """Fork the worker, of a `kind`; end with it, or end it. `confine` is called once it is there, and may leave this process little."""
    woken = prepare()
    be_called(WORKER)
    supervisor = os.getpid()
    relay = None
    if "ask" in job:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        relay = Relay(ours, writer, control, float(job["ask"]), tuple(job["grant"]["hidden"]))
    worker = os.fork()
    if worker == 0:
        if relay is None:
            be_worker(lambda: work(job, writer, stdio, supervisor, kind=kind))
        ours.close()
        os.close(control)
        be_worker(lambda: _broke(job, writer, stdio, supervisor, theirs))
    if relay is not None:
        theirs.close()
    see_through(job, worker, writer, control, stdio, woken, relay, confine)


def prepare() -> int:
    """Make this process a supervisor, before it forks; return a descriptor that can be read when a child has ended."""
    prctl(SET_CHILD_SUBREAPER, 1)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # A wish to stop that comes before the worker can hear it waits, instead of ending it: `Worker.begin` lets it through.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return woken


def be_worker(does: Callable[[], None]) -> NoReturn:
    """Do what a worker, or its broker, does in the process forked for it, and end with the status that its supervisor expects."""
    try:
        does()
    finally:
        os._exit(_LEAVES if handles.left_running() else 0)


def see_through(
    job: dict[str, Any],
    worker: int,
    writer: int,
    control: int,
    stdio: list[int],
    woken: int,
    relay: Relay | None = None,
    confine: Callable[[], None] | None = None,
) -> NoReturn:
    """Watch a worker that was forked, end what it leaves, tell how it ended, and end."""
    # Ctrl-C reaches the whole foreground group by itself: a second one would be one too many. A group of the command's own is not ours.
    told_by_terminal = job.get("terminal") not in (FRONT, BEHIND) and any(_is_foreground(d) for d in stdio)
    for descriptor in stdio:
        os.close(descriptor)
    try:
        if confine is not None:
            confine()
        status = _watch(worker, control, woken, told_by_terminal, relay, None if confine is not None else Pause(os.getpid()))
    except BaseException:
        # What is left of it must not go on unwatched.
        os.kill(worker, signal.SIGKILL)
        _end_descendants()
        raise
    if status == _LEAVES and _may_leave(job):
        # Nothing else was run in this job: what was started is in the worker's sandbox for good, and belongs to nobody here any more.
        status = 0
    else:
        _end_descendants()
    with contextlib.suppress(BrokenPipeError):
        os.write(writer, json.dumps({"type": "exit", "status": status}).encode() + b"\n")
    os._exit(0)


def _broke(job: dict[str, Any], writer: int, stdio: list[int], supervisor: int, channel: socket.socket) -> None:
    """Fork the worker, and be its broker. What the worker leaves behind becomes this process's, and when this ends the worker ends."""
    prctl(SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != supervisor:
        return
    prctl(SET_CHILD_SUBREAPER, 1)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    hears, tells = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    hears.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    me = os.getpid()
    worker = os.fork()
    if worker == 0:
        try:
            work(job, writer, stdio, me, tells.fileno())
        finally:
            os._exit(0)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})  # it was blocked for the worker
    tells.close()
    for descriptor in (writer, *stdio):
        os.close(descriptor)
    channel.send(json.dumps({"worker": worker}).encode())
    roots = (*job["grant"]["change"], *job["grant"]["remove"], *(s["cwd"] for s in job["steps"] if "cwd" in s))
    status = broker(worker, channel, hears, woken, wake, tuple(roots), tuple(job["grant"]["hidden"]))
    channel.send(json.dumps({"ended": status}).encode())


def work(job: dict[str, Any], writer: int, stdio: list[int], parent: int, tells: int | None = None, kind: type[Worker] = Worker) -> None:
    """Do a job in this process, which was forked by `parent` for it and has nothing else to do."""
    prctl(SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    be_called(WORKER)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for told in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(told, signal.SIG_DFL)
    # All are above the first four, since those are taken.
    given = {MESSAGES: writer} | ({} if tells is None else {HEARS: tells}) | ({LEADS: stdio[_STDIO]} if len(stdio) > _STDIO else {})
    for number, descriptor in enumerate(stdio[:_STDIO]):
        os.dup2(descriptor, number)
    moved = {number: fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, LEADS + 1) for number, descriptor in given.items()}
    for number in range(MESSAGES, LEADS + 1):
        if number in moved:
            os.dup2(moved[number], number, inheritable=False)
        else:
            os.closerange(number, number + 1)
    os.closerange(LEADS + 1, 65536)
    try:
        kind(MESSAGES).run(job)
    except BrokenPipeError:
        return
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()


def _may_leave(job: dict[str, Any]) -> bool:
    """Whether a step of the job may leave running what it starts."""
    load_for(job["steps"])  # a supervisor that was there before its job knows no steps but those of earlier ones
    kinds = (STEP_TYPES.get(step.get("step", "")) for step in job["steps"])
    return any(kind is not None and kind.detaches for kind in kinds)


def _is_foreground(descriptor: int) -> bool:
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return False


def _watch(worker: int, control: int, woken: int, told_by_terminal: bool, relay: Relay | None, pause: Pause | None) -> int:
    """Wait for the worker, doing what the client says meanwhile; return its exit status, or the negative number of its signal.

    With a relay, `worker` is the broker that has forked it.
    """
    poller = select.poll()
    # What loses its parent becomes this process's, or the broker's where there is one; a worker goes on, and hears of its command's being stopped.
    standstill = Pause(worker) if relay is not None else Pause(os.getpid(), beside=worker)
    if relay is not None:
        poller.register(relay.channel, select.POLLIN)
    poller.register(control, select.POLLIN)
    poller.register(woken, select.POLLIN)
    while True:
        for descriptor, _ in poller.poll(relay.timeout() if relay is not None else None):
            if descriptor == woken:
                os.read(woken, 512)
                status = reap(worker, relay.hand_ended if relay is not None else None)
                if status is not None:
                    return status if relay is None else relay.status(status)
                continue
            if relay is not None and descriptor == relay.channel.fileno():
                if not relay.hear():
                    # Without it the command would go on, and be told that there is no such call.
                    poller.unregister(descriptor)
                    _signal(worker, signal.SIGKILL)
                continue
            word = b""
            with contextlib.suppress(ConnectionResetError):
                word = os.read(control, 1)
            if word == STAND:
                standstill.begin()
                with contextlib.suppress(OSError):
                    os.write(control, STAND)
            elif word == RELEASE:
                standstill.end()
                with contextlib.suppress(OSError):
                    os.write(control, RELEASE)
            elif word in (PAUSE, GO_ON):
                # A question has a standstill of its own, so a job that may ask is not paused; nor is root's, whose supervisor may do little.
                if pause is not None and relay is None:
                    pause.begin() if word == PAUSE else pause.end()
            elif word == CANCEL:
                if pause is not None:
                    pause.end()
                started = worker if relay is None else relay.started(worker)
                if started:
                    _signal(started, signal.SIGUSR1)
                for pid in () if told_by_terminal or not started else _descendants(started):
                    _signal(pid, signal.SIGINT)
            elif word and relay is not None:
                relay.answer(word, worker)
            elif word:
                continue
            else:
                poller.unregister(control)
                os.kill(worker, signal.SIGKILL)
        if relay is not None:
            relay.tick(worker)


def _end_descendants() -> None:
    """Kill whatever the worker has left behind: as subreaper, this process is its parent now."""
    while left := _children(os.getpid()):
        for pid in left:
            _signal(pid, signal.SIGKILL)
        for pid in left:
            try:
                os.waitpid(pid, 0)
            except ChildProcessError:
                continue


def _children(pid: int) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(p) for p in file.read().split()]
    except OSError:
        return _children_by_search(pid)


def _descendants(pid: int) -> Iterator[int]:
    for child in _children(pid):
        yield child
        yield from _descendants(child)


def _children_by_search(parent: int) -> list[int]:
    """For kernels without /proc/PID/task/TID/children."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    if int(file.read().rpartition(b")")[2].split()[1]) == parent:
                        found.append(int(name))
            except OSError:
                continue
    return found


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
