"""SetIoPriority: set how soon every thread of a process gets the disk."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass, replace

from nlsh.plan.effects import Effect
from nlsh.plan.steps import Step
from nlsh.steps._process import check_same, check_unchanged, each_thread, effects_on, state_of, tune
from nlsh.world import io_priority, processes


@dataclass(frozen=True)
class SetIoPriority(Step):
    """Set the priority of every thread of a process at the disk: (thread, the kernel's number) pairs, before and after."""

    pid: int
    started: str
    name: str
    old: tuple[tuple[int, int], ...]
    new: tuple[tuple[int, int], ...]
    root: str = ""

    def effects(self) -> tuple[Effect, ...]:
        return effects_on("proc.tune", self.pid, self.root)

    def describe(self) -> str:
        new, old = io_priority.words(dict(self.new)[self.pid]), io_priority.words(dict(self.old)[self.pid])
        return f"set the priority of {self.name} (process {self.pid}) at the disk to {new}, was {old}"

    def check(self) -> None:
        check_same(self.pid, self.started, self.name)
        check_unchanged(self.name, "priority at the disk", io_priority.words(io_priority.get(self.pid)), io_priority.words(dict(self.old)[self.pid]))

    def apply(self) -> None:
        tune(self.pid, self.started, self.name, lambda: each_thread(self.pid, dict(self.new), _set))  # type: ignore[arg-type]

    def inverse(self) -> SetIoPriority:
        return replace(self, old=self.new, new=self.old)

    def state(self) -> str:
        found = processes.read(self.pid)
        now = io_priority.get(self.pid) if found else None
        return state_of(found, self.started, now, dict(self.old)[self.pid], dict(self.new)[self.pid])


def _set(thread: int, value: int) -> None:
    # SAFETY: ioprio_set takes three numbers.
    if io_priority.libc().syscall(ctypes.c_long(io_priority.numbers()[1]), ctypes.c_long(io_priority.PROCESS), ctypes.c_long(thread), ctypes.c_long(value)) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
