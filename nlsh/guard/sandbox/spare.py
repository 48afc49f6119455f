"""A supervisor and its worker that were forked ahead of their job: a job that comes finds them waiting, and starts sooner by two forks.

Neither is confined before it has a job, as a process forked for one is not; neither does anything until then but wait. Each is used for one job.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import select
import signal
import socket
from typing import Any

from nlsh.guard.sandbox import supervisor
from nlsh.guard.sandbox.kernel import SET_PDEATHSIG, be_called, prctl
from nlsh.plan.process_names import SPARE, WORKER

_MOST = 8  # descriptors that come with a job


class Spare:
    """The zygote's end of a supervisor and a worker that wait."""

    def __init__(self, pid: int, of_supervisor: socket.socket, of_worker: socket.socket) -> None:
        self._pid = pid
        self.ends = (of_supervisor, of_worker)

    @classmethod
    def fork(cls, *, without: socket.socket) -> Spare:
        """Fork both. They end when the zygote does; of its descriptors they let go `without`. Raises OSError."""
        pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(2)]
        pid = os.fork()
        if pid == 0:
            try:
                without.close()
                for ours, _ in pairs:
                    ours.close()
                _stand_by(pairs[0][1], pairs[1][1])
            finally:
                os._exit(1)
        for _, theirs in pairs:
            theirs.close()
        return cls(pid, pairs[0][0], pairs[1][0])

    def give(self, given: list[int]) -> bool:
        """Hand over a job's descriptors: its text, where its messages go, its control, and those of the worker. Return whether somebody is there to take it."""
        supervisors, workers = self.ends
        try:
            _send(supervisors, given)
        except OSError:
            self.end()
            return False
        # A worker that is gone by now is its supervisor's to tell of.
        with contextlib.suppress(OSError):
            _send(workers, [given[0], given[1], *given[3:]])
        self._close()
        return True

    def end(self) -> None:
        """Have both end, and wait for that; not for one that was stopped, which ends once it goes on."""
        self._close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, os.WUNTRACED)

    def _close(self) -> None:
        for end in self.ends:
            end.close()


def text_of(written: int) -> dict[str, Any]:
    """Return the job that a descriptor holds, which others may be reading too. Raises ValueError."""
    job: dict[str, Any] = json.loads(os.pread(written, os.fstat(written).st_size, 0))
    return job


def _stand_by(of_supervisor: socket.socket, of_worker: socket.socket) -> None:
    """Fork the worker, wait for a job, and supervise the worker through it; or end with who would bring one."""
    woken = supervisor.prepare()
    be_called(SPARE)
    me = os.getpid()
    worker = os.fork()
    if worker == 0:
        of_supervisor.close()
        supervisor.be_worker(lambda: _work(of_worker, me))
    of_worker.close()
    while not _came(of_supervisor, woken):
        # Without its worker it is no use: the zygote finds it gone, and forks another, instead of a job's being lost here.
        if os.waitpid(worker, os.WNOHANG)[0]:
            os._exit(0)
    given = _receive(of_supervisor)
    be_called(WORKER)
    of_supervisor.close()
    if not given:
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)
        os._exit(0)
    written, writer, control, *stdio = given
    job = text_of(written)
    os.close(written)
    supervisor.see_through(job, worker, writer, control, stdio, woken)


def _work(channel: socket.socket, parent: int) -> None:
    prctl(SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    given = _receive(channel)
    channel.close()
    if given:
        written, writer, *stdio = given
        job = text_of(written)
        os.close(written)
        supervisor.work(job, writer, stdio, parent)


def _came(channel: socket.socket, woken: int) -> bool:
    """Wait; return whether it was for a job, or for who brings one to be gone, rather than for news of a child."""
    poller = select.poll()
    for descriptor in (channel.fileno(), woken):
        poller.register(descriptor, select.POLLIN)
    ready = [descriptor for descriptor, _ in poller.poll()]
    if channel.fileno() in ready:
        return True
    os.read(woken, 512)
    return False


def _send(channel: socket.socket, given: list[int]) -> None:
    channel.sendmsg([b"j"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", given))], socket.MSG_NOSIGNAL | socket.MSG_DONTWAIT)


def _receive(channel: socket.socket) -> list[int]:
    """Return the descriptors that come; none where the other end is gone."""
    given = array.array("i")
    for _, _, content in channel.recvmsg(1, socket.CMSG_SPACE(4 * _MOST), socket.MSG_CMSG_CLOEXEC)[1]:
        given.frombytes(content[: len(content) // 4 * 4])
    return list(given)
