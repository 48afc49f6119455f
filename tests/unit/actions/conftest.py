"""What the tests of changing actions share: a scratch home with a kernel, one call run in it for real, and another file system beside it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nlsh.guard.sandbox.zygote import Zygote
from nlsh.plan import registry
from nlsh.plan.plan import Call, Plan
from nlsh.plan.steps import Step
from nlsh.testing import Scene
from nlsh.world import World


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    started = Zygote.start()
    yield started
    started.close()


@pytest.fixture
def scene(tmp_path: Path, zygote: Zygote) -> Iterator[Scene]:
    with Scene(tmp_path, zygote=zygote) as made:
        yield made


def run(scene: Scene, action: str, **written: Any) -> Any:
    """Run one call for real, confined; return what came of it."""
    assert scene.kernel is not None
    return scene.kernel.run(scene.kernel.preview(Plan((Call(action, written),))))


def act(scene: Scene, action: str, **written: Any) -> Any:
    """Run one call for real, confined; raise what it ended with."""
    outcome = run(scene, action, **written)
    if outcome.errors:
        raise outcome.errors[0]
    return outcome


def look(action: str, world: World | None = None, **written: Any) -> tuple[Step, ...]:
    """Return the steps of one call, unbound to any kernel."""
    unit = registry.get(action)
    args = unit.Args.bind(action, written)
    return tuple(unit.steps(args, unit.look(args, world or World())))


@contextmanager
def mounted(folder: Path, size: str = "1m") -> Iterator[Path]:
    """Give another file system, a small one in memory."""
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "none", str(folder)], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
