"""ClearLeftover: what a step has left half made when the machine or its worker was stopped goes to the trash, so that the step can be done or taken back.

To the trash and not away: should it be something else by now, it is not lost.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass

from nlsh.plan.steps import Step
from nlsh.steps.times import RestoreTimes
from nlsh.steps.trash import TrashPath, info_text
from nlsh.world.files import identify
from nlsh.world.trash import bin_for, free_name, is_in_trash


@dataclass(frozen=True)
class ClearLeftover(TrashPath):
    """Move what a step that was cut short has left to the trash; it is not put back when its run is taken back."""

    def describe(self) -> str:
        return f"move {self.path}, which was left half made, to the trash"

    def inverse(self) -> Step:
        return RestoreTimes(())

    def leftovers(self) -> tuple[str, ...]:
        return (self.path,)  # until it is cleared, it is left


def clearing(paths: Iterable[str], now: float) -> list[Step]:
    """Return the steps that clear away those of the paths that are there."""
    taken: set[str] = set()
    steps: list[Step] = []
    for path in paths:
        if not os.path.lexists(path) or is_in_trash(path):
            continue
        bin = bin_for(path)
        name = free_name(bin.folder, os.path.basename(path), taken)
        taken.add(os.path.join(bin.folder, "files", name))
        info = info_text(bin.written, time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(now)))
        steps.append(ClearLeftover(path, bin.folder, name, info, identify(path), bin.missing, bin.same_device, os.path.islink(path)))
    return steps
