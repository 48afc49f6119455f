"""Every format of archive: what goes in comes out, what would come out elsewhere or fill the disk is refused, damage is found, more can be added."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import stat
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import py7zr
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from py7zr.helpers import ArchiveTimestamp

from nlsh.plan import registry
from nlsh.plan.errors import NlshError, NotFound, NotPossible, Refused, StaleStep
from nlsh.plan.records import Record
from nlsh.plan.steps import Step, step_from_data
from nlsh.steps.archives import ExtractArchive
from nlsh.testing import Scene, snapshot
from nlsh.world import World, archives, sevenzip, streams
from nlsh.world.files import identify

PLENTY = 1 << 40
PACK: dict[str, Callable[[bytes], bytes]] = {
    "gz": lambda d: gzip.compress(d, mtime=0),
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": lambda d: zstandard.ZstdCompressor(write_checksum=True).compress(d),
}
ADDABLE = archives.FORMATS


def steps(action: str, **written: Any) -> tuple[Step, ...]:
    unit = registry.get(action)
    args = unit.Args.bind(action, written)
    return tuple(unit.steps(args, unit.look(args, World())))


def records(action: str, **written: Any) -> list[Record]:
    unit = registry.get(action)
    args = unit.Args.bind(action, written)
    return list(unit.observe(args, unit.look(args, World()), World()))


def run(*found: Step) -> None:
    for step in found:
        received = step_from_data(json.loads(json.dumps(step.as_data())))
        assert received == step
        received.check()
        received.apply()


def back(*found: Step) -> None:
    for step in reversed(found):
        inverse = step.inverse()
        assert inverse is not None
        run(inverse)


def seven(path: Path, *members: tuple[str, bytes, int]) -> Path:
    """Make a 7z whose members have these names, contents and modes, however evil: as a foreign program might."""
    with py7zr.SevenZipFile(path, "w") as file:
        for number, (name, content, mode) in enumerate(members):
            file.writef(io.BytesIO(content), f"m{number}")
            kind = {stat.S_IFLNK: stat.FILE_ATTRIBUTE_REPARSE_POINT, stat.S_IFDIR: stat.FILE_ATTRIBUTE_DIRECTORY}.get(stat.S_IFMT(mode), 0)
            file.header.files_info.files[-1].update(
                filename=name, attributes=kind | sevenzip.UNIX_MODE | mode << 16, lastwritetime=ArchiveTimestamp(sevenzip.EPOCH + 16_000_000_000_000_000)
            )
    return path


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "zst"])
def test_a_single_file_is_compressed_listed_checked_and_unpacked(home: Path, kind: str) -> None:
    text = "".join(f"line {n}\n" for n in range(20_000))
    (home / "big.log").write_text(text)
    os.chmod(home / "big.log", 0o640)
    os.utime(home / "big.log", (1_600_000_000, 1_600_000_000))
    before = snapshot(home)
    mtime_ns = os.stat(home).st_mtime_ns
    packed = steps("archive.compress", paths="big.log", format=kind)
    run(*packed)
    made = home / f"big.log.{kind}"
    assert stat.S_IMODE(made.stat().st_mode) == 0o640 and made.stat().st_mtime == 1_600_000_000 and made.stat().st_size < len(text)
    (listed,) = records("archive.list", archive=str(made))
    assert (listed.path, listed.size_bytes) == ("big.log", len(text))  # type: ignore[attr-defined]
    (whole,) = records("archive.check", archive=str(made))
    assert (whole.files, whole.size_bytes) == (1, len(text))  # type: ignore[attr-defined]
    with pytest.raises(Refused, match="already something"):
        steps("archive.extract", archive=str(made))
    (home / "out").mkdir()
    unpacked = steps("archive.extract", archive=str(made), to="out")
    run(*unpacked)
    assert (home / "out" / "big.log").read_text() == text
    back(*unpacked)
    assert os.listdir(home / "out") == []
    (home / "out").rmdir()
    back(*packed)
    os.utime(home, ns=(mtime_ns, mtime_ns))
    assert snapshot(home) == before


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "zst"])
def test_a_single_file_by_create(home: Path, kind: str) -> None:
    (home / "a.txt").write_text("a")
    (home / "folder").mkdir()
    run(*steps("archive.create", paths="a.txt", to=f"b.txt.{kind}"))
    assert streams.compression_of((home / f"b.txt.{kind}").read_bytes()) == kind
    for wrong in ("folder", ("a.txt", "folder")):
        with pytest.raises(Refused, match="holds one file"):
            steps("archive.create", paths=wrong, to=f"c.{kind}")


@pytest.mark.parametrize("kind", archives.FORMATS)
def test_only_some_members_are_unpacked(home: Path, kind: str) -> None:
    (home / "in" / "pics" / "deep").mkdir(parents=True)
    for name in ("a.txt", "pics/a.txt", "pics/one.png", "pics/deep/two.PNG", "b.md"):
        (home / "in" / name).write_text(name)
    run(*steps("archive.create", paths="in", to=f"x.{kind}"))

    def unpacked(*only: str) -> list[str]:
        before = snapshot(home)
        mtime_ns = os.stat(home).st_mtime_ns
        found = steps("archive.extract", archive=f"x.{kind}", to="out", only=only)
        run(*found)
        there = sorted(str(p.relative_to(home / "out")) for p in (home / "out").rglob("*") if p.is_file())
        assert all((home / "out" / p).read_text().endswith(os.path.basename(p)) for p in there)
        back(*found)
        os.utime(home, ns=(mtime_ns, mtime_ns))
        assert snapshot(home) == before
        return there

    assert unpacked("b.md") == ["b.md"] and unpacked("in/pics/a.txt") == ["a.txt"]
    assert unpacked("a.txt") == ["in/a.txt", "in/pics/a.txt"]
    assert unpacked("pngs") == unpacked("*.png") == ["in/pics/deep/two.PNG", "in/pics/one.png"]
    assert unpacked("deep") == ["deep/two.PNG"] and unpacked("in/pics/*") == ["in/pics/a.txt", "in/pics/deep/two.PNG", "in/pics/one.png"]
    assert unpacked("b.md", "deep") == ["in/b.md", "in/pics/deep/two.PNG"]
    for gone in ("gone.txt", "../b.md", "*.gif", "videos", "in/gone/*"):
        with pytest.raises(NotFound, match="There is no"):
            steps("archive.extract", archive=f"x.{kind}", only=("b.md", gone))
    (home / "b.md").write_text("mine")
    with pytest.raises(Refused, match="already something"):
        steps("archive.extract", archive=f"x.{kind}", only="b.md")


def test_links_stay_where_they_lead_from_and_evil_archives_stay_evil(home: Path) -> None:
    with tarfile.open(home / "x.tar", "w") as made:
        for name, target in (("d/link", "../a"), ("d/inside", "b")):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            made.addfile(link)
        made.addfile(tarfile.TarInfo("a"))
    run(*steps("archive.extract", archive="x.tar", to="out", only="d"))
    assert os.readlink(home / "out" / "d" / "link") == "../a"
    run(*steps("archive.extract", archive="x.tar", to="more", only="link"))
    assert os.path.islink(home / "more" / "d" / "link"), "out of its folder it would lead out of what was unpacked"
    with tarfile.open(home / "evil.tar", "w") as made:
        for name in ("good", "../evil"):
            made.addfile(tarfile.TarInfo(name))
    with pytest.raises(Refused):
        steps("archive.extract", archive="evil.tar", only="good")


def test_concatenated_streams_are_one(home: Path) -> None:
    for kind, pack in PACK.items():
        (home / f"x.{kind}").write_bytes(pack(b"one ") + pack(b"two"))
        run(*steps("archive.extract", archive=f"x.{kind}"))
        assert (home / "x").read_bytes() == b"one two"
        (home / "x").unlink()


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "zst"])
@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_damage_is_found_and_leaves_nothing_behind(home: Path, kind: str, damage: str) -> None:
    data = bytearray(PACK[kind](os.urandom(100_000)))
    (home / f"good.{kind}").write_bytes(data)
    assert records("archive.check", archive=f"good.{kind}")
    if damage == "cut":
        del data[-30:]
    else:
        data[len(data) // 2] ^= 0xFF
        data[len(data) // 2 + 1] ^= 0x55
    (home / f"bad.{kind}").write_bytes(data)
    with pytest.raises(NlshError):
        records("archive.check", archive=f"bad.{kind}")
    with pytest.raises(NlshError):
        run(*steps("archive.extract", archive=f"bad.{kind}"))
    assert not (home / "bad").exists()


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "zst"])
def test_a_single_bomb_is_stopped_while_it_is_unpacked(home: Path, kind: str) -> None:
    (home / f"bomb.{kind}").write_bytes(PACK[kind](bytes(archives.HARMLESS_BYTES + (4 << 20))))
    for go in (
        lambda: run(*steps("archive.extract", archive=f"bomb.{kind}")),
        lambda: records("archive.check", archive=f"bomb.{kind}"),
        lambda: records("archive.list", archive=f"bomb.{kind}"),
    ):
        with pytest.raises(Refused, match="fill the disk"):
            go()
    assert not (home / "bomb").exists()
    (home / f"harmless.{kind}").write_bytes(PACK[kind](bytes(1 << 20)))
    run(*steps("archive.extract", archive=f"harmless.{kind}"))
    assert (home / "harmless").stat().st_size == 1 << 20


def test_looking_at_a_single_file_does_not_decompress_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "x.gz").write_bytes(PACK["gz"](os.urandom(1 << 20)))
    read: list[int] = []
    reading = gzip.GzipFile.read

    def counting(self: gzip.GzipFile, size: int = -1) -> bytes:
        block = reading(self, size)
        read.append(len(block))
        return block

    monkeypatch.setattr(gzip.GzipFile, "read", counting)
    steps("archive.extract", archive="x.gz")
    assert sum(read) < 10_000


@pytest.mark.parametrize("kind", ["7z", "tar.zst"])
def test_bombs_are_refused_before_they_are_unpacked(home: Path, kind: str) -> None:
    zeros = bytes(archives.HARMLESS_BYTES + 1)
    if kind == "7z":
        seven(home / "bomb.7z", ("zeros", zeros, stat.S_IFREG | 0o644))
    else:
        inner = io.BytesIO()
        with tarfile.open(fileobj=inner, mode="w") as file:
            info = tarfile.TarInfo("zeros")
            info.size = len(zeros)
            file.addfile(info, io.BytesIO(zeros))
        (home / "bomb.tar.zst").write_bytes(PACK["zst"](inner.getvalue()))
    for action in ("archive.extract", "archive.check"):
        with pytest.raises(Refused, match="fill the disk"):
            steps(action, archive=f"bomb.{kind}") if action == "archive.extract" else records(action, archive=f"bomb.{kind}")


EVIL: dict[str, tuple[tuple[str, bytes, int], ...]] = {
    "parent": (("../evil", b"e", stat.S_IFREG | 0o644),),
    "parent in the middle": (("a/../../evil", b"e", stat.S_IFREG | 0o644),),
    "backslashes": (("..\\evil", b"e", stat.S_IFREG | 0o644),),
    "absolute": (("/tmp/evil", b"e", stat.S_IFREG | 0o644),),
    "link out": (("l", b"../../x", stat.S_IFLNK | 0o777),),
    "absolute link": (("l", b"/etc/passwd", stat.S_IFLNK | 0o777),),
    "through a link": (("l", b"sub", stat.S_IFLNK | 0o777), ("l/evil", b"e", stat.S_IFREG | 0o644)),
    "device": (("null", b"x", stat.S_IFCHR | 0o644),),
    "socket": (("s", b"x", stat.S_IFSOCK | 0o644),),
}


@pytest.mark.parametrize("name", EVIL)
def test_a_7z_that_leads_outside_is_refused(home: Path, name: str) -> None:
    with pytest.raises(Refused):
        steps("archive.extract", archive=str(seven(home / "x.7z", *EVIL[name])))
    assert sorted(os.listdir(home)) == ["x.7z"]


def test_a_7z_without_the_evil_is_unpacked(home: Path) -> None:
    """The twin of the test before."""
    seven(
        home / "x.7z",
        ("d/f", b"f", stat.S_IFREG | 0o6777), ("d/l", b"f", stat.S_IFLNK | 0o777), ("..dots", b"d", stat.S_IFREG | 0o644),
        ("twice", b"1", stat.S_IFREG | 0o644), ("twice", b"2", stat.S_IFREG | 0o644), ("empty", b"", stat.S_IFREG | 0o600),
    )  # fmt: skip
    found = steps("archive.extract", archive="x.7z")
    run(*found)
    out = home / "x"
    assert (out / "d/l").read_bytes() == b"f" and (out / "..dots").read_bytes() == b"d" and (out / "twice").read_bytes() == b"2"
    assert stat.S_IMODE((out / "d/f").stat().st_mode) == 0o755 and (out / "empty").stat().st_size == 0
    back(*found)
    assert not out.exists()


def test_a_7z_with_a_password_is_refused_in_words(home: Path) -> None:
    with py7zr.SevenZipFile(home / "x.7z", "w", password="secret") as file:
        file.writestr(b"hidden", "a.txt")
    with py7zr.SevenZipFile(home / "y.7z", "w", password="secret", header_encryption=True) as file:
        file.writestr(b"hidden", "a.txt")
    for name in ("x.7z", "y.7z"):
        for action in ("archive.extract", "archive.check", "archive.list"):
            with pytest.raises(NotPossible, match="password"):
                steps(action, archive=name) if action == "archive.extract" else records(action, archive=name)


@pytest.mark.parametrize("content", [b"", b"short", b"\0" * 26, b"\xff" * 200])
def test_what_is_no_7z_is_said_to_be_none(home: Path, content: bytes) -> None:
    (home / "x.7z").write_bytes(sevenzip.MAGIC + content)
    with pytest.raises(NotPossible):
        steps("archive.extract", archive="x.7z")


def test_a_7z_with_another_byte_anywhere_is_never_more_than_a_refusal(home: Path) -> None:
    data = seven(home / "x.7z", ("a", b"a" * 500, stat.S_IFREG | 0o644), ("l", b"a", stat.S_IFLNK | 0o777)).read_bytes()
    for place in range(len(data)):
        (home / "y.7z").write_bytes(data[:place] + bytes([data[place] ^ 0x41]) + data[place + 1 :])
        try:
            records("archive.check", archive="y.7z")
            records("archive.list", archive="y.7z")
        except NlshError as error:
            assert error.code != "internal.error"


@pytest.mark.parametrize("kind", ADDABLE)
def test_what_is_added_is_there_and_what_was_there_stays(home: Path, kind: str) -> None:
    (home / "src").mkdir()
    (home / "src" / "old.txt").write_text("old" * 1000)
    (home / "more").mkdir()
    (home / "more" / "new -x\n.txt").write_text("new")
    (home / "more" / "link").symlink_to("new -x\n.txt")
    run(*steps("archive.create", paths="src", to=f"x.{kind}"))
    os.chmod(home / f"x.{kind}", 0o600)
    before = (home / f"x.{kind}").read_bytes()
    found = steps("archive.add", paths="more", to=f"x.{kind}")
    run(*found)
    assert stat.S_IMODE((home / f"x.{kind}").stat().st_mode) == 0o600
    names = {r.path for r in records("archive.list", archive=f"x.{kind}")}  # type: ignore[attr-defined]
    assert names == {"src", "src/old.txt", "more", "more/new -x\n.txt", "more/link"}
    assert records("archive.check", archive=f"x.{kind}")
    (home / "out").mkdir()
    run(*steps("archive.extract", archive=f"x.{kind}", to="out"))
    assert (home / "out/src/old.txt").read_text() == "old" * 1000 and (home / "out/more/link").read_text() == "new"
    with pytest.raises(Refused, match="already"):
        run(*steps("archive.add", paths="src", to=f"x.{kind}"))
    back(*found)
    assert (home / f"x.{kind}").read_bytes() == before


def test_adding_goes_by_what_the_archive_is(home: Path) -> None:
    (home / "a.txt").write_text("a")
    (home / "b.txt").write_text("b")
    run(*steps("archive.compress", paths="a.txt"))
    with pytest.raises(Refused, match="one compressed file"):
        steps("archive.add", paths="b.txt", to="a.txt.gz")
    (home / "a.txt.gz").rename(home / "odd")
    with pytest.raises(Refused, match="one compressed file"):
        run(*steps("archive.add", paths="b.txt", to="odd"))
    (home / "none.zip").write_bytes(b"")
    with pytest.raises(NotPossible, match="empty"):
        steps("archive.add", paths="b.txt", to="none.zip")
    with pytest.raises(Refused, match="itself"):
        steps("archive.add", paths="none.zip", to="none.zip")


def test_adding_to_an_archive_that_changed_is_stale(home: Path) -> None:
    (home / "a.txt").write_text("a")
    (home / "b.txt").write_text("b")
    run(*steps("archive.create", paths="a.txt", to="x.tar"))
    found = steps("archive.add", paths="b.txt", to="x.tar")
    with open(home / "x.tar", "ab") as file:
        file.write(b"\0" * 512)
    with pytest.raises(StaleStep):
        run(*found)


def test_a_damaged_tar_is_found_and_not_added_to(home: Path) -> None:
    (home / "b.txt").write_text("b")
    with tarfile.open(home / "x.tar", "w") as file:
        for name in ("one", "two"):
            info = tarfile.TarInfo(name)
            info.size = 10
            file.addfile(info, io.BytesIO(b"0123456789"))
    data = bytearray((home / "x.tar").read_bytes())
    data[1024] ^= 0xFF
    (home / "x.tar").write_bytes(data)
    with pytest.raises(NotPossible, match="damaged"):
        records("archive.check", archive="x.tar")
    with pytest.raises(NotPossible, match="damaged"):
        run(*steps("archive.add", paths="b.txt", to="x.tar"))
    assert (home / "x.tar").read_bytes() == data


def test_names_that_7z_cannot_hold_are_said(home: Path) -> None:
    folder = home / "d"
    folder.mkdir()
    (folder / os.fsdecode(b"\xff")).write_text("x")
    with pytest.raises(NotPossible, match="7z cannot hold"):
        run(*steps("archive.create", paths="d", to="x.7z"))
    (folder / os.fsdecode(b"\xff")).rename(folder / "a\\b")
    with pytest.raises(NotPossible, match="7z cannot hold"):
        run(*steps("archive.create", paths="d", to="x.7z"))
    assert not (home / "x.7z").exists()


NAMES = st.text(st.characters(blacklist_characters="/\0\\", blacklist_categories=("Cs",)), min_size=1, max_size=12).filter(
    lambda n: n not in (".", "..") and len(n.encode()) < 200
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.dictionaries(NAMES, st.binary(max_size=300), min_size=1, max_size=5), kind=st.sampled_from(["7z", "tar.zst", "zip"]))
def test_any_names_and_contents_come_out_as_they_went_in(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], kind: str) -> None:
    home = tmp_path_factory.mktemp("any")
    (home / "d").mkdir()
    for name, content in files.items():
        (home / "d" / name).write_bytes(content)
    here = World(cwd=str(home), home=str(home))
    unit = registry.get("archive.create")
    args = unit.Args.bind("archive.create", {"paths": str(home / "d"), "to": str(home / f"x.{kind}")})
    run(*unit.steps(args, unit.look(args, here)))
    (home / "out").mkdir()
    entries = archives.checked(str(home / f"x.{kind}"), PLENTY)
    members = tuple((e.path, e.type, e.size, e.mtime_ns, e.mode, e.target, e.number) for e in entries)
    run(ExtractArchive(str(home / f"x.{kind}"), str(home / "out"), members, identify(str(home / f"x.{kind}"))))
    assert {n: (home / "out" / "d" / n).read_bytes() for n in os.listdir(home / "out" / "d")} == files


def test_confined_every_format_is_made_added_to_and_unpacked(tmp_path: Path) -> None:
    with Scene(tmp_path, {"d/a.txt": "a", "d/l": {"link": "a.txt"}, "b.txt": "b"}) as scene:
        for kind in archives.FORMATS:
            for plan in (
                f'archive.create("d", to="x.{kind}")', f'archive.add("b.txt", to="x.{kind}")', f'archive.check("x.{kind}")',
                f'archive.list("x.{kind}")', f'archive.extract("x.{kind}", to="out-{kind}")',
            ):  # fmt: skip
                played = scene.play(plan)
                assert played.error is None, f"{plan}: {played.error}"
            assert (scene.home / f"out-{kind}" / "d" / "l").read_text() == "a" and (scene.home / f"out-{kind}" / "b.txt").read_text() == "b"
        for kind in PACK:
            for plan in (f'archive.compress("b.txt", format="{kind}")', f'archive.extract("b.txt.{kind}", to="single-{kind}")'):
                played = scene.play(plan)
                assert played.error is None, f"{plan}: {played.error}"
            assert (scene.home / f"single-{kind}" / "b.txt").read_text() == "b"


# --- names and times of others' zip files ------------------------------------------------------------------------


def unflagged(path: Path, encoding: str, *names: str) -> None:
    """Write a zip file as old programs do: names in `encoding`, without a word on which it is."""
    rest = {name: name.encode(encoding) for name in names}
    with zipfile.ZipFile(path, "w") as zipped:
        for number, raw in enumerate(rest.values()):
            zipped.writestr(f"{number}".ljust(len(raw), "#"), f"text {number}")
    content = path.read_bytes()
    for number, raw in enumerate(rest.values()):
        content = content.replace(f"{number}".ljust(len(raw), "#").encode(), raw)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("gbk", ("中文文件.txt", "资料/照片.jpg", "plain.txt")),
        ("utf-8", ("é中.txt", "Müller.doc")),
        ("cp437", ("café.txt", "Müller.doc")),
        ("shift_jis", ("日本語のファイル.txt",)),
    ],
)
def test_names_in_a_zip_file_that_do_not_say_their_encoding(home: Path, encoding: str, names: tuple[str, ...]) -> None:
    unflagged(home / "a.zip", encoding, *names)
    before = (home / "a.zip").read_bytes()
    assert [m.path for m in records("archive.list", archive="a.zip")] == list(names)  # type: ignore[attr-defined]
    (home / "new.txt").write_text("new")
    run(*steps("archive.add", paths="new.txt", to="a.zip"))
    # What was there is as it was, headers and list: other programs compare them.
    raw = [n.encode(encoding) for n in names]
    assert all((home / "a.zip").read_bytes().count(n) == before.count(n) == 2 for n in raw)
    assert records("archive.check", archive="a.zip")
    run(*steps("archive.extract", archive="a.zip", to="out"))
    assert [(home / "out" / n).read_text() for n in (*names, "new.txt")] == [*(f"text {i}" for i in range(len(names))), "new"]


def test_a_zip_file_keeps_times_to_the_second_in_any_time_zone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = {"odd": 1_700_000_001, "before": -157_680_001, "after": 4_102_444_800}
    for name, at in times.items():
        (home / name).write_text(name)
        os.utime(home / name, (at, at))
    run(*steps("archive.create", paths=list(times), to="a.zip"), *steps("archive.create", paths=list(times), to="a.7z"))
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        run(*steps("archive.extract", archive="a.zip", to="zip"), *steps("archive.extract", archive="a.7z", to="7z"))
    finally:
        monkeypatch.undo()
        time.tzset()
    # A zip file has no room for seconds since the epoch after 2038: then it keeps what a clock on the wall showed.
    assert {n: int(os.stat(home / "zip" / n).st_mtime) for n in ("odd", "before")} == {n: times[n] for n in ("odd", "before")}
    assert {n: int(os.stat(home / "7z" / n).st_mtime) for n in times} == times


def test_a_tar_may_hold_a_file_that_it_was_told_of_twice(home: Path) -> None:
    """GNU tar writes the second as another name of the first."""
    with tarfile.open(home / "a.tar", "w") as tarred:
        member = tarfile.TarInfo("d/a")
        member.size = 1
        tarred.addfile(member, io.BytesIO(b"a"))
        again = tarfile.TarInfo("./d/a")
        again.type, again.linkname = tarfile.LNKTYPE, "d/a"
        tarred.addfile(again)
    run(*steps("archive.extract", archive="a.tar", to="out"))
    assert (home / "out/d/a").read_text() == "a"


def test_the_preview_of_compressing_says_that_the_originals_stay(home: Path) -> None:
    for name in ("a.log", "b.log"):
        (home / name).write_text("x" * 1024)
    unit = registry.get("archive.compress")
    for written, said in (
        ("a.log", "a.log stays: up to 1 KB more is used, not less. To make room, trash it afterwards."),
        ("*.log", "The 2 originals stay: up to 2 KB more is used, not less. To make room, trash them afterwards."),
    ):
        args = unit.Args.bind("archive.compress", {"paths": written})
        assert unit.notes(args, unit.look(args, World())) == (said,)
