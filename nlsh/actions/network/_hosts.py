"""What changing the hosts file takes, shared by adding and removing."""

from __future__ import annotations

import os
from typing import Any

from nlsh.plan.errors import NotFound, NotPossible
from nlsh.world import World, routes


def fields(world: World) -> dict[str, Any]:
    """Return the fields of a step that changes the hosts file. Raises NotFound and NotPossible."""
    from nlsh.steps.content import kept

    path = os.path.realpath(routes.HOSTS)
    if not os.path.exists(path):
        raise NotFound(f"There is no {path} here.", hint="Nothing was changed.")
    if not (os.access(path, os.W_OK) and os.access(os.path.dirname(path), os.W_OK)):
        raise NotPossible(f"Only root may change {path}.", hint="Nothing was changed. Run nlsh with sudo for this.")
    return kept(path, world, set())
