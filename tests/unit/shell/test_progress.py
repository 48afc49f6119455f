"""The line of progress: only for long runs, counted from the run's start, and gone before anything else is said."""

from __future__ import annotations

import io

import pytest

from nlsh.shell import progress
from nlsh.shell.show import Look


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_users_thinking_time_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, clock = Tty(), [0.0]
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    line = progress.Progress(Look.of(json=False, plain=True, color="never"), quiet=False)
    line.note({"type": "decision"})
    clock[0] = 30.0  # the preview is read
    line.note({"type": "run"})
    line.note({"type": "done", "step": 0})
    assert screen.getvalue() == ""
    clock[0] = 31.0
    line.note({"type": "done", "step": 1})
    assert "2 steps done" in screen.getvalue()
    line.clear()
    assert screen.getvalue().endswith("\r\x1b[K")


def test_after_ctrl_c_a_long_step_is_said_to_be_ended_and_how_it_ends_at_once(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    line = progress.Progress(Look(), quiet=False, plain=True)
    monkeypatch.setattr(line, "_ENDING_AFTER_S", 60.0)
    line.note({"type": "stopping", "left": 1, "command": False})
    line.note({"type": "outcome"})  # it ended in time: nothing need be said
    monkeypatch.setattr(line, "_ENDING_AFTER_S", 0.0)
    line.note({"type": "stopping", "left": 1, "command": False})
    shown = ""
    while "once more" not in shown:
        shown += capfd.readouterr().err
    assert shown.count("being ended") == 1
    # A command is told by the terminal: that it has not ended is said at the second in a row.
    line.note({"type": "stopping", "left": 2, "command": True})
    assert capfd.readouterr().err == ""
    line.note({"type": "stopping", "left": 1, "command": True})
    assert "has not ended" in capfd.readouterr().err


def test_many_steps_say_how_many_how_fast_and_how_long_still(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, clock = Tty(), [0.0]
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    line = progress.Progress(Look.of(json=False, plain=True, color="never"), quiet=False)
    line.note({"type": "run", "calls": 1})
    line.note({"type": "call", "steps": 100_000})
    for step in range(1, 1001):
        clock[0] = step / 500
        line.note({"type": "done", "step": step})
    assert " of 100,000 steps done, 501 a second, 3 min 18 s left " in screen.getvalue()
    line.clear()
    line.note({"type": "run", "calls": 1})
    for second in (1, 2, 3):
        clock[0] = 2.0 + second
        line.note({"type": "progress", "done": second << 20, "total": 5 << 20, "unit": "bytes"})
    assert screen.getvalue().endswith("a second, 2 s left ")
    line.clear()
    line.note({"type": "run", "calls": 1})
    line.note({"type": "call", "steps": 3})
    for step, second, done in ((0, 10, 0), (0, 12, 8 << 20), (1, 20, 0), (1, 22, 2 << 20)):
        clock[0] = float(second)
        line.note({"type": "progress", "step": step, "done": done, "total": 8 << 20, "unit": "bytes"})
    # The second step has a rate of its own: the time of the first, and its bytes, are not its.
    assert screen.getvalue().endswith("0 of 3 steps done; 2.0 MB of 8.0 MB, 1.0 MB a second, 6 s left ")
    line.clear()
    line.note({"type": "run", "calls": 1})
    for second in (30, 31, 32):
        clock[0] = float(second)
        line.note({"type": "progress", "done": (second - 30) * 500, "total": 4000, "unit": "folders"})
    assert screen.getvalue().endswith("1,000 of 4,000 folders, 500 a second, 6 s left ")
    clock[0] = 33.0
    line.note({"type": "progress", "done": 2000, "unit": "\x1b[2J\nnlsh: forged"})
    assert "\x1b[2J" not in screen.getvalue() and "\n" not in screen.getvalue() and "forged" in screen.getvalue()
