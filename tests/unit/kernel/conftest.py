"""A kernel on the real journal, audit, policy, actions and confined workers, in a scratch home."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nlsh.guard import policy
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.journal.audit import Audit
from nlsh.journal.store import Journal
from nlsh.kernel.kernel import Kernel
from nlsh.kernel.outcome import Outcome
from nlsh.plan import registry
from nlsh.world import World


@pytest.fixture
def make_kernel(home: Path) -> Iterator[Callable[..., Kernel]]:
    """Return what makes a kernel; the user agrees to everything unless `approve` says otherwise."""
    zygotes: list[Zygote] = []

    def make(**more: Any) -> Kernel:
        zygotes.append(Zygote.start())
        return Kernel(policy.load(), zygotes[-1], Journal(), Audit(), World(), **{"approve": lambda preview, decision: True, **more})

    yield make
    for zygote in zygotes:
        zygote.close()


@pytest.fixture
def kernel(make_kernel: Callable[..., Kernel]) -> Kernel:
    return make_kernel()


@pytest.fixture
def do(kernel: Kernel) -> Callable[[str], Outcome]:
    """Return what previews and runs the plan that a text writes."""
    return lambda text: kernel.run(kernel.preview(registry.parse(text), text))
