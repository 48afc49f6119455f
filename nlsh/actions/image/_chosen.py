"""Which pictures are meant, and the new files that are made beside them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TypeVar

from nlsh.actions import _looking
from nlsh.plan.errors import Refused
from nlsh.plan.steps import Step
from nlsh.steps.content import fresh
from nlsh.world import World

_S = TypeVar("_S", bound=Step)

PATTERN = "*.jpg"


def files(written: tuple[str, ...], world: World) -> list[str]:
    """Return the files that are meant. Raises NotFound, and Refused for folders."""
    return _looking.files(written, world, PATTERN)


def beside(written: tuple[str, ...], world: World, named: Callable[[str, str], str], make: Callable[..., _S]) -> Iterator[_S]:
    """Yield a step for each file that is meant. `named` makes the new file's name of stem and ending, `make` the step of its fields.

    Raises what `fresh` raises, and Refused where two files would get one name.
    """
    taken: dict[str, str] = {}
    for path in files(written, world):
        target = os.path.join(os.path.dirname(path), named(*os.path.splitext(os.path.basename(path))))
        if target in taken:
            raise Refused(f"{taken[target]} and {path} would both become {target}.", hint="Nothing was changed. Do one of them, rename it, then the other.")
        taken[target] = path
        yield make(**fresh(path, target, world))
