"""What the actions on packages have in common: the package manager that is meant, and the order it is given."""

from __future__ import annotations

from typing import Any

from nlsh.plan.action import Looked
from nlsh.plan.errors import NotPossible, Refused
from nlsh.steps import handles
from nlsh.steps import packages as steps
from nlsh.steps._bus import asked
from nlsh.world import packages
from nlsh.world.packages_of_user import Snap
from nlsh.world.services import SYSTEMD

CHANGE_EFFECTS = ("tool.read", "tool.run", "fs.read", "sys.read", "fs.write", "net.connect", "bus.call", "sys.control", "priv.root")
READ_EFFECTS = ("tool.read", "fs.read", "sys.read", "bus.read")


def look(verb: str, names: tuple[str, ...], backend: str | None, now: float) -> Looked:
    """Return the step, none where nothing is to be done, and what is to be known beside it; `now` is in seconds since the epoch.

    Raises NotFound for a package that is not known, NotPossible where nobody here may do it, Refused where nothing is to be updated as far as old lists tell.
    """
    chosen = packages.backend(backend)
    chosen.checked(names)
    if chosen.runner in ("system", "session"):
        # The scripts of packages write everywhere and speak to everything. A worker may not, and half of an installation is worse than none.
        try:
            with asked(chosen.runner, SYSTEMD, "systemd"):
                pass
        except NotPossible as error:
            raise NotPossible(
                f"{chosen.name} is run by systemd, outside nlsh's sandbox, and there is no systemd here.",
                hint=f"Nothing was changed. Run {chosen.tool} yourself, as root.",
            ) from error
    order = chosen.order(verb, names)
    notes = []
    if verb != "remove" and verb not in chosen.refreshes and (old := packages.of_lists(chosen, now)):
        fetch = f"Fetch them anew with `{chosen.refresh}`, as root, and ask again."
        if verb == "update" and not order.changes:
            # Not “nothing to do”, after which a plan would go on: with new lists there may well be something.
            raise Refused(f"Nothing is known to be updated, but {old}", hint=f"Nothing was changed. {fetch}")
        notes.append(f"{old} {fetch}")
    if verb == "update" and not names and backend is None and (more := packages.others(chosen)):
        notes.append(more)
    return Looked((steps.change(chosen, order),) if order.changes else (), tuple(notes))


def reader(name: Any) -> packages.Backend:
    """Return the backend as a worker has it: over the connection that it was handed."""
    return Snap(lambda: handles.bus(Snap.socket)) if name == "snap" else packages.backend(name)
