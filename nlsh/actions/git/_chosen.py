"""Which repository is meant, and what asking it needs."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

from nlsh.plan.effects import Effect
from nlsh.plan.records import Note
from nlsh.world import World
from nlsh.world.git import Repository, find


def look(args: Any, world: World) -> dict[str, Any]:
    """Return the data of the repository that is meant: what the path names in it, all of it where none was said. Raises NotFound, NotPossible and Refused."""
    found = find(world.resolve(args.path))
    # As with git itself: wherever in a repository one stands, it is the repository that one asks about.
    return (found if "path" in args.written else replace(found, place=found.top)).as_data()


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
