"""What is made of results: the rows that somebody saw, by what they showed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from nlsh.testing import Scene


def found(scene: Scene, plan: str) -> list[Any]:
    played = scene.play(plan)
    assert played.error is None, played.error
    return list(played.records)


def names(scene: Scene, plan: str) -> list[str]:
    return [os.path.relpath(r.path, scene.home) for r in found(scene, plan)]


def test_the_first_second_of_1970_is_a_time(scene: Scene) -> None:
    for name, at in (("old", -(10**9)), ("zero", 0), ("new", 10**9)):
        (scene.home / name).write_text(name)
        os.utime(scene.home / name, (at, at))
    assert names(scene, 'a = file.list(); result.sort(a, by="oldest")') == ["old", "zero", "new"]
    assert names(scene, 'a = file.list(); result.filter(a, older="1 day")') == ["new", "old", "zero"]
    assert len(found(scene, 'a = file.list(); result.group(a, by="day")')) == 3


def test_what_no_row_shows_is_not_looked_through(scene: Scene, tmp_path: Path) -> None:
    """Every path begins with those of the home and of the folder somebody is in."""
    assert "home" in str(scene.home)
    for name in ("at home/a", "b", "c"):
        path = scene.home / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    assert names(scene, 'a = file.find(); result.filter(a, containing="home")') == ["at home/a"]
    assert names(scene, 'a = file.find(); result.filter(a, without="home")') == ["b", "c"]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "d").write_text("d")
    assert len(found(scene, f'a = file.find("{elsewhere}"); result.filter(a, containing="elsewhere")')) == 1
