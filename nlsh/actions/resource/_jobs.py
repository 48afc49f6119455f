"""Which jobs a call means: each name, or each process id, is one, with all its processes."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from nlsh.actions.process._chosen import choose, root_needed
from nlsh.plan.amounts import Bytes, Percent
from nlsh.plan.errors import BadArgument, NotPossible
from nlsh.plan.values import Name
from nlsh.world import machine
from nlsh.world.processes import Running


class Names(Name):
    """One or more bare names of programs."""

    name = "names"
    example = "ffmpeg"

    def parse(self, written: Any) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(super(Names, self).parse(w) for w in (written if isinstance(written, (tuple, list)) else (written,)))


class Shares(Percent):
    """One or more shares: "half", "30%"."""

    name = "shares"
    example = "half"

    def parse(self, written: Any) -> tuple[float, ...]:  # type: ignore[override]
        return tuple(super(Shares, self).parse(w) for w in (written if isinstance(written, (tuple, list)) else (written,)))


class Sizes(Bytes):
    """One or more amounts of data."""

    name = "sizes"
    example = "4GB"

    def parse(self, written: Any) -> tuple[int, ...]:  # type: ignore[override]
        return tuple(super(Sizes, self).parse(w) for w in (written if isinstance(written, (tuple, list)) else (written,)))


@dataclass(frozen=True, slots=True)
class Job:
    """Processes that get something together. `roots`: why root rights are needed for each, empty where they are not."""

    name: str
    processes: tuple[Running, ...]
    roots: tuple[str, ...]

    @property
    def pids(self) -> tuple[int, ...]:
        return tuple(p.pid for p in self.processes)

    def check_memory(self, most: int | None) -> None:
        """Raise NotPossible where it holds more than `most` bytes already: the kernel would end it."""
        holds = sum(p.resident_bytes for p in self.processes)
        if most is not None and most < holds:
            raise NotPossible(
                f"{self.name} holds {machine.amount(holds)} of memory already, and would be ended for holding more than {machine.amount(most)}.",
                hint="Nothing was changed. Choose more, or end it.",
            )

    def members(self) -> list[list[Any]]:
        """Return its processes as the steps on groups want them."""
        return [[p.pid, p.started, p.called, root] for p, root in zip(self.processes, self.roots, strict=True)]


def jobs(names: tuple[str, ...], pids: tuple[int, ...], doing: str) -> list[Job]:
    """Return the jobs that are meant. Raises what `choose` raises, and BadArgument where a process is in two of them."""
    found = [_job(name, choose(SimpleNamespace(what=(), name=name, pid=()), doing), doing) for name in dict.fromkeys(names)]
    for pid in dict.fromkeys(pids):
        chosen = choose(SimpleNamespace(what=(), name=None, pid=(pid,)), doing)
        found.append(_job(f"{chosen[0].called} ({pid})", chosen, doing))
    seen: dict[int, str] = {}
    for job in found:
        for pid in job.pids:
            if pid in seen:
                raise BadArgument(f"Process {pid} is meant twice, as {seen[pid]} and as {job.name}.", hint="Nothing was changed. Name it once.")
            seen[pid] = job.name
    return found


def _job(name: str, chosen: list[Running], doing: str) -> Job:
    return Job(name, tuple(chosen), tuple(root_needed(p, doing) for p in chosen))


def each(values: tuple[Any, ...] | None, count: int, what: str) -> tuple[Any, ...]:
    """Return one value for each of so many jobs: as given, the one for all, or None for all. Raises BadArgument."""
    if not values:
        return (None,) * count
    if len(values) == 1:
        return values * count
    if len(values) != count:
        raise BadArgument(
            f"There are {len(values)} values of {what} for {count} job{'' if count == 1 else 's'}.", hint="Give one for each, or one for all alike."
        )
    return values
