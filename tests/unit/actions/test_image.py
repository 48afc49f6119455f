"""Pictures: what is made beside them, what metadata is left (none), and what is refused before it can do harm."""

from __future__ import annotations

import io
import json
import os
import stat
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms, PngImagePlugin

from nlsh.plan import registry
from nlsh.plan.errors import BadArgument, NlshError, NotFound, NotPossible, Refused, StaleStep
from nlsh.plan.records import Note, Record
from nlsh.plan.steps import Step, step_from_data
from nlsh.testing import Scene, snapshot
from nlsh.world import World, pictures

SECRET = b"Secret camera of 48.1372"
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>Secret camera of 48.1372</x:xmpmeta>"


def steps(action: str, **written: Any) -> tuple[Step, ...]:
    unit = registry.get(action)
    args = unit.Args.bind(action, written)
    return tuple(unit.steps(args, unit.look(args, World())))


def run(*found: Step) -> list[Record]:
    told: list[Record] = []
    for step in found:
        received = step_from_data(json.loads(json.dumps(step.as_data())))
        assert received == step
        received.check()
        told += received.apply() or ()
    return told


def info(path: str) -> Any:
    unit = registry.get("image.info")
    args = unit.Args.bind("image.info", {"paths": path})
    (found,) = unit.observe(args, unit.look(args, World()), World())
    return found


def exif(orientation: int = 1) -> Image.Exif:
    found = Image.Exif()
    found[271], found[272], found[274], found[306] = "Secret", "Secret camera of 48.1372", orientation, "2024:05:06 07:08:09"
    found.get_ifd(34853).update({1: "N", 2: (48.0, 8.0, 13.92), 3: "W", 4: (11.0, 34.0, 31.0)})
    return found


def halves(mode: str = "RGB", size: tuple[int, int] = (40, 20)) -> Image.Image:
    """A picture whose left half is red and whose right half is blue."""
    picture = Image.new("RGB", size, "red")
    picture.paste("blue", (size[0] // 2, 0, *size))
    return picture.convert(mode)


def photo(path: Path, *, orientation: int = 1, profile: bytes | None = None, format: str = "JPEG") -> Path:
    options: dict[str, Any] = {"exif": exif(orientation)}
    if format == "JPEG":
        options |= {"comment": SECRET, "quality": 95, "subsampling": 0}
    if format == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_text("Comment", SECRET.decode())
        text.add_text("Software", SECRET.decode(), zip=False)
        text.add_itxt("XML:com.adobe.xmp", XMP.decode())
        options["pnginfo"] = text
    if format == "WEBP":
        options |= {"xmp": XMP, "lossless": True}
    if format == "JPEG":
        options["xmp"] = XMP
    if profile:
        options["icc_profile"] = profile
    halves().save(path, format, **options)
    return path


def left(path: Path | str) -> str:
    """The colour of the left half of a picture."""
    with Image.open(path) as picture:
        red, _, blue = picture.convert("RGB").getpixel((2, picture.height // 2))
    return "red" if red > 180 > 90 > blue else "blue" if blue > 180 > 90 > red else f"{red},{blue}"


@pytest.mark.parametrize(
    ("written", "name", "size"),
    [
        ({"width": "20"}, "p-20.jpg", (20, 10)),
        ({"height": "5"}, "p-x5.jpg", (10, 5)),
        ({"width": "30", "height": "30"}, "p-30x30.jpg", (30, 30)),
        ({"scale": "half"}, "p-50pct.jpg", (20, 10)),
        ({"width": "80px"}, "p-80.jpg", (80, 40)),
        ({"width": "1"}, "p-1.jpg", (1, 1)),
    ],
)
def test_resize(home: Path, written: dict[str, str], name: str, size: tuple[int, int]) -> None:
    photo(home / "p.jpg")
    run(*steps("image.resize", paths="p.jpg", **written))
    with Image.open(home / name) as made:
        assert made.size == size and made.format == "JPEG"
        assert made.getexif()[272] == "Secret camera of 48.1372"


def test_resize_wants_a_size_and_only_one_kind(home: Path) -> None:
    photo(home / "p.jpg")
    for written in ({}, {"width": "20", "scale": "50%"}):
        with pytest.raises(BadArgument):
            steps("image.resize", paths="p.jpg", **written)
    with pytest.raises(Refused, match="pixels"):
        run(*steps("image.resize", paths="p.jpg", width="60000"))
    assert sorted(os.listdir(home)) == ["p.jpg"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_that_a_camera_wrote_is_honoured(home: Path, orientation: int) -> None:
    from PIL import ImageOps

    photo(home / "p.jpg", orientation=orientation)
    with Image.open(home / "p.jpg") as picture:
        seen = ImageOps.exif_transpose(picture).convert("RGB")
    found = info("p.jpg")
    assert (found.width_px, found.height_px) == seen.size
    run(*steps("image.convert", paths="p.jpg", to="png"), *steps("image.strip", paths="p.jpg"), *steps("image.rotate", paths="p.jpg"))
    for name, expected in (("p.png", seen), ("p-stripped.jpg", seen), ("p-rotated.jpg", seen.transpose(Image.Transpose.ROTATE_270))):
        with Image.open(home / name) as made:
            assert made.size == expected.size and made.getexif().get(274, 1) == 1
            difference = max(abs(a - b) for a, b in zip(made.convert("RGB").resize((8, 8)).tobytes(), expected.resize((8, 8)).tobytes(), strict=True))
            assert difference < 90, name


@pytest.mark.parametrize(("by", "size", "colour"), [("right", (20, 40), ""), ("left", (20, 40), ""), ("half", (40, 20), "blue")])
def test_rotate(home: Path, by: str, size: tuple[int, int], colour: str) -> None:
    photo(home / "p.png", format="PNG")
    run(*steps("image.rotate", paths="p.png", by=by))
    with Image.open(home / "p-rotated.png") as made:
        assert made.size == size
        top = made.convert("RGB").getpixel((10, 2))
    assert left(home / "p-rotated.png") == colour if colour else top == ((255, 0, 0) if by == "right" else (0, 0, 255))


def test_info_says_where_and_with_what(home: Path) -> None:
    photo(home / "p.jpg", orientation=6)
    found = info("p.jpg")
    assert (found.format, found.width_px, found.height_px, found.camera, found.taken) == ("jpeg", 20, 40, "Secret camera of 48.1372", "2024-05-06 07:08:09")
    assert found.latitude_degrees == pytest.approx(48.1372, abs=1e-4) and found.longitude_degrees == pytest.approx(-11.5753, abs=1e-4)
    halves().save(home / "plain.png")
    found = info("plain.png")
    assert (found.camera, found.taken, found.latitude_degrees) == ("", "", None)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("with_profile", [False, True])
def test_strip_leaves_no_byte_of_metadata(home: Path, format: str, orientation: int, with_profile: bool) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() if with_profile else None
    path = photo(home / f"p.{format.lower()}", orientation=orientation, profile=profile, format=format)
    assert SECRET in path.read_bytes()
    run(*steps("image.strip", paths=str(path)))
    made = home / f"p-stripped.{format.lower()}"
    data = made.read_bytes()
    chunks = (b"Exif", b"EXIF", b"xmp", b"XMP", b"Photoshop", b"acsp", b"ICC_PROFILE", b"iCCP", b"ICCP", b"eXIf", b"tEXt", b"iTXt", b"zTXt")
    for trace in (SECRET, b"Secret", *chunks):
        assert trace not in data, trace
    with Image.open(made) as picture:
        assert not {274} & set(picture.getexif()) or picture.getexif()[274] == 1
        assert not picture.info.get("icc_profile") and not picture.getexif().get_ifd(34853) and picture.getexif().get(272) is None
        assert picture.format == format
    with Image.open(path) as before, Image.open(made) as after:
        from PIL import ImageOps

        wanted = ImageOps.exif_transpose(before).convert("RGB")
        assert after.size == wanted.size
        if orientation == 1 and not with_profile:
            assert after.convert("RGB").tobytes() == wanted.tobytes(), "the pixels were touched"
    assert SECRET in path.read_bytes()


def test_strip_takes_what_hides_in_odd_places(home: Path) -> None:
    inner = io.BytesIO()
    halves().save(inner, "JPEG", exif=exif())
    jpeg = photo(home / "p.jpg").read_bytes()
    # A preview in the JFIF segment, a segment of a phone's maker, a Photoshop one, and a second picture with its own EXIF behind the end.
    maker = b"\xff\xe5" + struct.pack(">H", 2 + len(SECRET)) + SECRET
    photoshop = b"\xff\xed" + struct.pack(">H", 2 + 14 + len(SECRET)) + b"Photoshop 3.0\0" + SECRET
    (home / "p.jpg").write_bytes(jpeg[:2] + maker + photoshop + jpeg[2:] + inner.getvalue() + SECRET)
    run(*steps("image.strip", paths="p.jpg"))
    assert b"Secret" not in (home / "p-stripped.jpg").read_bytes() and left(home / "p-stripped.jpg") == "red"

    frames = [halves("P", (8, 8)), halves("P", (8, 8)).transpose(Image.Transpose.ROTATE_180)]
    frames[0].save(home / "g.gif", save_all=True, append_images=frames[1:], duration=[50, 70], loop=3, comment=SECRET)
    assert SECRET in (home / "g.gif").read_bytes()
    run(*steps("image.strip", paths="g.gif"))
    with Image.open(home / "g-stripped.gif") as made:
        assert made.n_frames == 2 and made.info["loop"] == 3 and made.info["duration"] == 50
    assert b"Secret" not in (home / "g-stripped.gif").read_bytes()

    png = photo(home / "p.png", format="PNG").read_bytes()
    private = struct.pack(">I", len(SECRET)) + b"prVt" + SECRET + struct.pack(">I", zlib.crc32(b"prVt" + SECRET))
    (home / "p.png").write_bytes(png[:33] + private + png[33:] + SECRET)
    run(*steps("image.strip", paths="p.png"))
    assert b"Secret" not in (home / "p-stripped.png").read_bytes()


def test_a_progressive_jpeg_is_stripped_without_loss(home: Path) -> None:
    Image.effect_noise((64, 64), 80).convert("RGB").save(home / "p.jpg", progressive=True, quality=90, comment=SECRET)
    run(*steps("image.strip", paths="p.jpg"))
    with Image.open(home / "p.jpg") as before, Image.open(home / "p-stripped.jpg") as after:
        assert before.tobytes() == after.tobytes()
    assert SECRET not in (home / "p-stripped.jpg").read_bytes()


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_damaged_picture_is_said_to_be_and_never_more(home: Path, format: str) -> None:
    data = bytearray(photo(home / "p", format=format).read_bytes()) if format != "GIF" else bytearray()
    if format == "GIF":
        halves("P").save(home / "p", "GIF", comment=SECRET)
        data = bytearray((home / "p").read_bytes())
    for place in range(0, len(data), max(1, len(data) // 60)):
        for changed in (data[:place], data[:place] + bytes([data[place] ^ 0x5A]) + data[place + 1 :]):
            (home / "q").write_bytes(changed)
            for action in ("image.strip", "image.rotate"):
                try:
                    found = steps(action, paths="q")
                    run(*found)
                    run(found[0].inverse())  # type: ignore[arg-type]
                except NlshError as error:
                    assert error.code in ("world.not-possible", "action.refused"), error
            assert sorted(os.listdir(home)) == ["p", "q"]


@pytest.mark.parametrize("to", ["jpg", "png", "webp", "gif", "bmp", "tiff", "ico", "pdf"])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"])
def test_every_kind_of_picture_becomes_every_format(home: Path, to: str, mode: str) -> None:
    source = {"LA": "png", "RGBA": "png", "I;16": "png", "P": "png", "1": "png"}.get(mode, "tiff")
    picture = Image.new("I;16", (30, 20), 40_000) if mode == "I;16" else halves("L" if mode == "F" else mode, (30, 20)).convert(mode)
    picture.save(home / f"src-{mode.replace(';', '')}.{source}")
    name = f"src-{mode.replace(';', '')}"
    if to == source:
        with pytest.raises(Refused, match="already"):
            steps("image.convert", paths=f"{name}.{source}", to=to)
        return
    run(*steps("image.convert", paths=f"{name}.{source}", to=to))
    data = (home / f"{name}.{to}").read_bytes()
    if to == "pdf":
        assert data.startswith(b"%PDF")
    else:
        with Image.open(io.BytesIO(data)) as made:
            made.load()
            assert to == "ico" or made.size == (30, 20)


def test_what_shows_through_becomes_white_in_a_jpg(home: Path) -> None:
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(home / "p.png")
    run(*steps("image.convert", paths="p.png", to="jpg"))
    with Image.open(home / "p.jpg") as made:
        assert all(c > 250 for c in made.getpixel((4, 4)))


def test_films_stay_films_and_a_first_picture_is_said_to_be_one(home: Path) -> None:
    frames = [Image.new("RGB", (20, 10), c) for c in ("red", "green", "blue")]
    frames[0].save(home / "f.gif", save_all=True, append_images=frames[1:], duration=[50, 60, 70], loop=0)
    assert run(*steps("image.resize", paths="f.gif", width="10"), *steps("image.convert", paths="f.gif", to="webp")) == []
    for name in ("f-10.gif", "f.webp"):
        with Image.open(home / name) as made:
            assert made.n_frames == 3
    (note,) = run(*steps("image.convert", paths="f.gif", to="jpg"))
    assert isinstance(note, Note) and "3 pictures" in note.text


def test_a_bomb_is_refused_before_it_is_decoded(home: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def png(width: int, height: int) -> bytes:
        header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")

    (home / "bomb.png").write_bytes(png(60_000, 60_000))
    for action, more in (("image.resize", {"width": "10"}), ("image.strip", {}), ("image.rotate", {}), ("image.convert", {"to": "jpg"})):
        with pytest.raises(Refused, match="too much memory"):
            run(*steps(action, paths="bomb.png", **more))
    with pytest.raises(Refused, match="too much memory"):
        info("bomb.png")
    assert pictures.MOST_PIXELS < 60_000 * 60_000
    frames = [Image.new("1", (2, 2), n % 2) for n in range(pictures.MOST_FRAMES + 1)]
    frames[0].save(home / "long.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(Refused, match="frames"):
        info("long.gif")


def test_heic_and_no_pictures_are_said(home: Path) -> None:
    (home / "p.heic").write_bytes(struct.pack(">I", 24) + b"ftypheic" + bytes(200))
    with pytest.raises(NotPossible, match="cannot read HEIC"):
        run(*steps("image.convert", paths="p.heic", to="jpg"))
    (home / "p.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    with pytest.raises(NotPossible, match="not a picture"):
        run(*steps("image.convert", paths="p.eps", to="jpg"))
    (home / "folder").mkdir()
    with pytest.raises(Refused, match="is a folder"):
        steps("image.strip", paths="folder")
    with pytest.raises(NotFound):
        steps("image.strip", paths="nowhere.jpg")


def test_two_that_would_become_one_are_refused(home: Path) -> None:
    halves().save(home / "p.png")
    halves().save(home / "p.bmp")
    with pytest.raises(Refused, match="both become"):
        steps("image.convert", paths=("p.png", "p.bmp"), to="jpg")
    assert steps("image.convert", paths="p.png", to="jpg")


@pytest.mark.parametrize("name", ["a b.png", "-x.png", "new\nline.png", "'q\".png", os.fsdecode(b"\xff.png"), "no ending"])
def test_odd_names_and_undo(home: Path, name: str) -> None:
    photo(home / name, format="PNG")
    os.chmod(home / name, 0o640)
    before = snapshot(home)
    mtime_ns = os.stat(home).st_mtime_ns
    found = [*steps("image.strip", paths=(name,)), *steps("image.resize", paths=(name,), width="10")]
    run(*found)
    stem, ending = os.path.splitext(name)
    assert stat.S_IMODE((home / f"{stem}-10{ending}").stat().st_mode) == 0o640
    for step in reversed(found):
        run(step.inverse())  # type: ignore[arg-type]
    os.utime(home, ns=(mtime_ns, mtime_ns))
    assert snapshot(home) == before


def test_a_picture_that_changed_since_is_left_alone(home: Path) -> None:
    photo(home / "p.png", format="PNG")
    found = steps("image.strip", paths="p.png")
    halves(size=(9, 9)).save(home / "p.png")
    with pytest.raises(StaleStep):
        run(*found)
    found = steps("image.strip", paths="p.png")
    run(*found)
    halves(size=(9, 9)).save(home / "p-stripped.png")
    with pytest.raises(StaleStep):
        run(found[0].inverse())  # type: ignore[arg-type]


def test_look_parses_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "p.jpg").write_bytes(b"\xff\xd8 whatever")
    monkeypatch.setattr(Image, "open", lambda *a, **k: pytest.fail("a picture was opened while previewing"))
    for action, more in (("image.resize", {"width": "10"}), ("image.strip", {}), ("image.rotate", {}), ("image.convert", {"to": "png"})):
        assert steps(action, paths="p.jpg", **more)
    unit = registry.get("image.info")
    args = unit.Args.bind("image.info", {"paths": "p.jpg"})
    assert unit.look(args, World())


def test_confined_all_formats_are_read_and_written(tmp_path: Path) -> None:
    given: dict[str, Any] = {}
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for format, name in (("JPEG", "j.jpg"), ("PNG", "p.png"), ("WEBP", "w.webp"), ("TIFF", "t.tiff")):
        given[name] = photo(tmp_path / name, orientation=6, format=format, profile=profile).read_bytes()
    with Scene(tmp_path / "scene", given) as scene:
        for name in given:
            for plan in (f'image.info("{name}")', f'image.resize("{name}", width="10")', f'image.strip("{name}")', f'image.rotate("{name}")'):
                played = scene.play(plan)
                assert played.error is None, f"{plan}: {played.error}"
        for to in ("png", "webp", "gif", "bmp", "tiff", "ico", "pdf"):
            played = scene.play(f'image.convert("j.jpg", to="{to}")')
            assert played.error is None, f"{to}: {played.error}"
