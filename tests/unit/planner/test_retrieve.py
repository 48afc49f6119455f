"""Finding the nearest meanings: prototypes, their exemplars, damaged files."""

from __future__ import annotations

import json
from array import array
from pathlib import Path

import pytest

from nlsh.plan.errors import ModelError
from nlsh.planner.retrieve import Meanings

PROTOTYPES = ((1.0, 0.0, 0.0), (0.8, 0.6, 0.0))


def written(folder: Path, exemplars: tuple[tuple[tuple[int, ...], ...], ...], *, more: bytes = b"") -> Path:
    """Write two meanings; exemplars in hundredths."""
    meanings = [
        {"text": name, "skeleton": [f"<{name}>"], "actions": [name], "follow_up": False, "exemplars": len(rows)}
        for name, rows in zip(("file.list", "file.find"), exemplars, strict=True)
    ]
    head = json.dumps({"width": 3, "scale": 0.01, "meanings": meanings}).encode()
    body = array("f", [v for row in PROTOTYPES for v in row]).tobytes() + array("b", [v for rows in exemplars for row in rows for v in row]).tobytes()
    (file := folder / "meanings.bin").write_bytes(head + b"\n" + body + more)
    return file


def first(file: Path, vector: list[float]) -> str:
    return Meanings(file).nearest(vector, follow_up=False)[0].text


def test_an_exemplar_near_by_decides_over_a_prototype_that_is_a_little_nearer(tmp_path: Path) -> None:
    asked = [0.95, 0.3, 0.1]
    assert first(written(tmp_path, ((), ())), asked) == "file.list"
    assert first(written(tmp_path, (((100, 0, 0),), ((100, 0, 0), (95, 30, 10)))), asked) == "file.find"
    assert first(written(tmp_path, (((95, 30, 10),), ((80, 60, 0),))), asked) == "file.list"


@pytest.mark.parametrize("more", [b"\0", b"\0\0\0"])
def test_a_file_of_the_wrong_size_is_damaged(tmp_path: Path, more: bytes) -> None:
    Meanings(written(tmp_path, (((100, 0, 0),), ())))
    with pytest.raises(ModelError, match="damaged"):
        Meanings(written(tmp_path, (((100, 0, 0),), ()), more=more))
