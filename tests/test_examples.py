"""Every example of every action does what it says: run for real, confined, and taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nlsh import testing
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.plan import registry
from nlsh.plan.action import Example


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    started = Zygote.start()
    yield started
    started.close()


def examples() -> list[pytest.param]:
    return [pytest.param(e, id=f"{action.name}-{n}") for action in registry.all_actions() for n, e in enumerate(action.examples)]


@pytest.mark.parametrize("example", examples())
def test_example(example: Example, tmp_path: Path, zygote: Zygote) -> None:
    testing.check(example, tmp_path, zygote=zygote)
