"""Where a path leads: as the system says it, whatever was followed before."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from nlsh.guard.paths import leads_to


def test_a_path_leads_where_realpath_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("a/b", "a/.c", "d"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "a/b/file").write_text("x")
    links = {"a/up": "..", "d/in": "../a/b", "d/file": "../a/b/file", ".l": str(tmp_path / "d"), "a/gone": "nowhere/x", "d/again": "in"}
    for link, target in links.items():
        (tmp_path / link).symlink_to(target)
    monkeypatch.chdir(tmp_path)
    words = ("a", "b", ".c", "d", "up", "in", "file", ".l", "gone", "again", "..", ".", "")
    places: dict[str, str] = {}
    for count in range(4):
        for parts in itertools.product(words, repeat=count):
            for path in ("/".join(parts), os.path.join(str(tmp_path), *parts)):
                assert leads_to(path, places) == os.path.realpath(path), path
