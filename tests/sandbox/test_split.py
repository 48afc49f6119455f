"""What is readable is split around what is hidden as a plain walk down the folders would: made-up trees, seeds 0 to 9."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from nlsh.guard.sandbox.landlock import split


def _plain(path: str, hidden: list[str]) -> Iterator[tuple[str, bool]]:
    if path in hidden:
        return
    if not any(h.startswith(path.rstrip("/") + "/") for h in hidden):
        yield path, True
        return
    yield path, False
    try:
        inside = [e.path for e in os.scandir(path) if not e.is_symlink()]
    except OSError:
        return
    for each in inside:
        yield from (found for found in _plain(each, hidden) if found[1])


@pytest.mark.parametrize("seed", range(10))
def test_as_by_a_plain_walk(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    made = [str(tmp_path)]
    for number in range(60):
        path = os.path.join(chance.choice([m for m in made if os.path.isdir(m) and not os.path.islink(m)]), f"{chance.choice('abc')}{number}")
        kind = chance.choice(("folder", "folder", "file", "link"))
        if kind == "folder":
            os.mkdir(path)
        elif kind == "file":
            Path(path).touch()
        else:
            os.symlink(chance.choice(made), path)
        made.append(path)
    for _ in range(30):
        hidden = [chance.choice(made) + chance.choice(("", "", "/gone")) for _ in range(chance.randrange(6))]
        root = chance.choice(made)
        below_hidden = any(root == h or root.startswith(h + "/") for h in hidden)
        assert sorted(split(root, hidden)) == ([] if below_hidden else sorted(_plain(root, hidden))), (root, hidden)
    assert not list(split(str(tmp_path), ["/"]))
    assert list(split(str(tmp_path), [])) == [(str(tmp_path), True)]
