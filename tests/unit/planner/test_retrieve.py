"""Finding the nearest meanings: prototypes, their exemplars, damaged files."""

from __future__ import annotations

import ctypes
import json
import random
import sys
from array import array
from pathlib import Path

import pytest

from nlsh.plan.errors import ModelError
from nlsh.planner.engine import library
from nlsh.planner.products import _routine, products
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


@pytest.mark.parametrize("width", [1, 3, 384])
def test_products_are_the_same_with_llama_cpp_and_without(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rolled = random.Random(width)
    rows = array("f", [rolled.uniform(-127, 127) for _ in range(20 * width)])
    vector = [rolled.uniform(-1, 1) / width for _ in range(width)]
    assert _routine(library()._lib) is not None
    quick = products(rows, vector)
    monkeypatch.setitem(sys.modules, "llama_cpp.llama_cpp", None)
    assert quick == pytest.approx(products(rows, vector), abs=1e-4)
    assert len(quick) == 20 and products(array("f"), vector) == []


def test_without_the_routine_products_are_made_in_python() -> None:
    assert _routine(ctypes.CDLL(None)) is None  # which is the interpreter's own, and has nothing of ggml
