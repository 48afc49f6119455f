"""The sandbox: what confines a worker to its grant, and the zygote that starts workers. Policy and grants are made elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nlsh.guard.grant import Grant


def enter(grant: Grant, layer: str = "", asks: Iterable[str] = ()) -> int | None:
    """Confine this process to `grant`, for good; with `layer`, to a copy of the folder it may change. Raises NotEnforced and NotPossible: nothing may run.

    Return the descriptor on which a broker hears of what `asks` names, None where there is none.
    """
    from nlsh.guard.sandbox.confine import enter

    return enter(grant, layer, asks)
