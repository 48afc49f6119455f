"""What the kernel itself keeps of how the machine has gone: pressure (PSI) and load averages."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from nlsh.plan.errors import NotPossible
from nlsh.plan.records.resource import LoadAverage, Pressure
from nlsh.world import rates
from nlsh.world.machine import online_cores

PRESSURE = "/proc/pressure"
_KINDS = {"cpu": "cpu", "memory": "memory", "io": "disk", "irq": "interrupts"}
_LINE = re.compile(r"^(some|full) avg10=([\d.]+) avg60=([\d.]+) avg300=([\d.]+) total=(\d+)$", re.M)


def pressure() -> Iterator[Pressure]:
    """Yield how long work had to wait for each resource. Raises NotPossible where the kernel does not count it."""
    found = False
    for name, called in _KINDS.items():
        try:
            with open(os.path.join(PRESSURE, name), encoding="ascii") as file:
                text = file.read()
        except OSError:  # an older kernel has no irq; one that was told not to count answers with EOPNOTSUPP
            continue
        for kind, short, middle, long, total in _LINE.findall(text):
            # That no task at all could have the processor says nothing about a whole machine: the kernel writes zeros.
            if (name, kind) != ("cpu", "full"):
                found = True
                tasks = "some" if kind == "some" else "all"
                yield Pressure(called, tasks, float(short), float(middle), float(long), round(int(total) / 1e6, 1))
    if not found:
        raise NotPossible(
            "Not available here, because this kernel does not count pressure (PSI).",
            hint="Nothing was changed. Where it was built with it, psi=1 on the kernel's command line turns it on. resource.load() is there everywhere.",
        )


def load() -> LoadAverage:
    """Return the load averages."""
    averages = [round(value, 2) for value in os.getloadavg()]
    running, tasks = rates.running_tasks()
    return LoadAverage(averages[0], averages[1], averages[2], len(online_cores()), running, tasks)
