"""The sandbox: what confines a worker to its grant, and the zygote that starts workers. Policy and grants are made elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nlsh.guard.grant import Grant


def enter(grant: Grant) -> None:
    """Confine this process to `grant`, for good. Raises NotEnforced if this kernel cannot, and then nothing may be run."""
    from nlsh.guard.sandbox.confine import enter

    enter(grant)
