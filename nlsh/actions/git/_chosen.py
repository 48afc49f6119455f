"""Which repository is meant, and what asking it needs."""

from __future__ import annotations

import shlex
from typing import Any

from nlsh.plan.effects import Effect
from nlsh.plan.records import Note
from nlsh.world import World
from nlsh.world.git import Repository, find


def look(args: Any, world: World) -> dict[str, Any]:
    """Return the data of the repository that is meant. Raises NotFound, NotPossible and Refused."""
    return find(world.resolve(args.path)).as_data()


def needs(seen: Any, *commands: tuple[str, ...]) -> tuple[Effect, ...]:
    """Return the effects of asking git these things."""
    repository = Repository.from_data(seen)
    ignored = (repository.ignored,) if repository.ignored != "/dev/null" else ()
    reads = (repository.top, *repository.folders, *ignored)
    return (*(Effect("tool.read", shlex.join(repository.argv(*c))) for c in commands), *(Effect("fs.read", f) for f in reads))


def unfiltered(repository: Repository) -> list[Note]:
    """Return a note where filters are set up: they are programs, and were not run."""
    names = dict.fromkeys(name.split(".", 1)[1].rpartition(".")[0] for name in repository.filters)
    if not names:
        return []
    return [Note(f"The filters {', '.join(names)} of this repository were not run: files that they change may be shown as modified.")]
