"""A signal that interrupts no system call is heard all the same."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from nlsh.guard.sandbox.heard import until_readable


def test_a_ctrl_c_that_interrupts_nothing_ends_the_wait() -> None:
    reader, writer = os.pipe()
    # It is another thread's: to the one that waits it comes as one does that came just before the call.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)

    def send() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        time.sleep(0.1)  # until the other waits
        os.kill(os.getpid(), signal.SIGINT)
        over.wait(10)
        os.write(writer, b"x")  # else it would wait for ever

    over = threading.Event()
    sender = threading.Thread(target=send)
    try:
        with pytest.raises(KeyboardInterrupt):
            sender.start()
            until_readable(reader)
    finally:
        over.set()
        sender.join()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        signal.signal(signal.SIGINT, handler)
    assert signal.set_wakeup_fd(-1) == -1
    # What can be read already is not waited for, and one whose handler goes on ends no wait.
    until_readable(reader)
    os.read(reader, 1)
    signal.signal(signal.SIGUSR2, lambda *_: None)
    threading.Timer(0.05, lambda: (os.kill(os.getpid(), signal.SIGUSR2), os.write(writer, b"y"))).start()
    until_readable(reader)
    assert os.read(reader, 1) == b"y"
    signal.signal(signal.SIGUSR2, signal.SIG_DFL)
    os.close(reader)
    os.close(writer)
