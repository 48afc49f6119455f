"""Parts of pictures, several on one, and pictures that fit into a size."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from nlsh.actions.image._scene import noise, png
from nlsh.plan import registry
from nlsh.plan.errors import BadArgument, NlshError, NotPossible, Refused
from nlsh.plan.steps import Step, step_from_data
from nlsh.world import World


def do(action: str, **written: Any) -> tuple[Step, ...]:
    unit = registry.get(action)
    args = unit.Args.bind(action, written)
    steps = tuple(unit.steps(args, unit.look(args, World())))
    for step in steps:
        received = step_from_data(json.loads(json.dumps(step.as_data())))
        assert received == step
        received.check()
        list(received.apply() or ())
    return steps


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


@pytest.mark.parametrize(
    ("written", "wanted", "left"),
    [
        ({"shape": "square"}, (30, 30), "red"), ({"width": "10", "part": "right"}, (10, 30), "blue"), ({"edges": "5"}, (30, 20), "red"),
        ({"width": "4", "height": "6", "part": "top left"}, (4, 6), "red"), ({"shape": "9:16", "part": "right"}, (16, 30), "blue"),
    ],
)  # fmt: skip
def test_crop(home: Path, written: dict[str, str], wanted: tuple[int, int], left: str) -> None:
    (home / "a.png").write_bytes(png(40, 30))  # its left half red, its right half blue
    (step,) = do("image.crop", paths="a.png", **written)
    with Image.open(home / "a-cropped.png") as made:
        assert made.size == wanted and made.getpixel((0, 0)) == {"red": (255, 0, 0), "blue": (0, 0, 255)}[left]
    step.inverse().apply()  # type: ignore[union-attr]
    assert os.listdir(home) == ["a.png"] and (home / "a.png").read_bytes() == png(40, 30)


def test_crop_counts_as_the_picture_is_seen(home: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6  # it stands on its side
    Image.new("RGB", (40, 20)).save(home / "a.jpg", exif=exif)
    do("image.crop", paths="a.jpg", width="20", height="10", part="top")
    assert size(home / "a-cropped.jpg") == (20, 10)
    for wrong in ({"width": "30"}, {"edges": "10"}):
        os.unlink(home / "a-cropped.jpg") if (home / "a-cropped.jpg").exists() else None
        with pytest.raises(Refused):
            do("image.crop", paths="a.jpg", **wrong)
    with pytest.raises(BadArgument):
        do("image.crop", paths="a.jpg", width="3", shape="square")
    assert os.listdir(home) == ["a.jpg"]


def test_shrink_gives_up_quality_before_pixels(home: Path) -> None:
    written = io.BytesIO()
    with Image.open(io.BytesIO(noise(300, 200))) as picture:
        picture.convert("RGB").save(written, "JPEG", quality=95)
    (home / "a.jpg").write_bytes(written.getvalue())
    (home / "b.png").write_bytes(noise(300, 200))
    do("image.shrink", paths="a.jpg", to="40KB")
    assert (home / "a-small.jpg").stat().st_size <= 40 << 10 and size(home / "a-small.jpg") == (300, 200)
    os.unlink(home / "a-small.jpg")
    do("image.shrink", paths=("a.jpg", "b.png"), to="4KB")
    for name in ("a-small.jpg", "b-small.png"):
        assert (home / name).stat().st_size <= 4 << 10 and size(home / name)[0] < 300
        os.unlink(home / name)
    with pytest.raises(NotPossible, match="does not fit"):
        do("image.shrink", paths="b.png", to="50")
    with pytest.raises(Refused, match="not larger"):
        do("image.shrink", paths="b.png", to="9MB")
    assert sorted(os.listdir(home)) == ["a.jpg", "b.png"]


def test_join(home: Path) -> None:
    (home / "a.png").write_bytes(png(40, 30))
    (home / "b.png").write_bytes(png(10, 15))
    (home / "notes.txt").write_text("no picture")
    do("image.join", paths=("a.png", "b.png"), to="row.png")
    assert size(home / "row.png") == (20 + 10, 15)
    do("image.join", paths=("a.png", "b.png"), to="column", by="column")
    assert size(home / "column.png") == (10, round(30 * 10 / 40) + 15)
    do("image.join", paths=("a.png", "b.png", "row.png"), to="sheet.jpg", by="grid")
    assert size(home / "sheet.jpg")[0] > 2 * 300
    do("image.join", paths=("a.png", "b.png"), to="both.pdf")
    assert (home / "both.pdf").read_bytes().startswith(b"%PDF")
    there = sorted(os.listdir(home))
    for to, paths in (("x.gif", ("a.png", "b.png")), ("x.png", ("a.png", "notes.txt")), ("no/x.png", ("a.png", "b.png")), ("row.png", ("a.png", "b.png"))):
        with pytest.raises(NlshError):
            do("image.join", paths=paths, to=to)
    assert sorted(os.listdir(home)) == there
