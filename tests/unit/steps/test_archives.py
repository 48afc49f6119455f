"""Archives: what goes in comes out, what would come out elsewhere is refused, and undo removes only what nobody changed."""

from __future__ import annotations

import io
import json
import os
import stat
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from nlsh.plan.errors import NlshError, NotPossible, Refused, StaleStep
from nlsh.plan.steps import Step, step_from_data
from nlsh.steps.archives import CreateArchive, ExtractArchive
from nlsh.testing import snapshot
from nlsh.world import archives
from nlsh.world.files import identify

PLENTY = 1 << 40
STAMP_NS = 1_700_000_000_000_000_000


def run(step: Step) -> None:
    received = step_from_data(json.loads(json.dumps(step.as_data())))
    assert received == step
    received.check()
    received.apply()


def extraction(archive: Path, root: Path, free_bytes: int = PLENTY) -> ExtractArchive:
    entries = archives.checked(str(archive), free_bytes)
    members = tuple((e.path, e.type, e.size, e.mtime_ns, e.mode, e.target, e.number) for e in entries)
    return ExtractArchive(str(archive), str(root), members, identify(str(archive)))


def tar(path: Path, *members: tuple[tarfile.TarInfo, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as file:
        for info, content in members:
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.mtime = kind, link, mode, 1_600_000_000
    return info


def zipped(path: Path, *members: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


@pytest.fixture
def source(home: Path) -> Path:
    folder = home / "source"
    (folder / "sub" / "empty").mkdir(parents=True)
    (folder / "a.txt").write_text("a" * 1000)
    (folder / "sub" / "run.sh").write_text("#!/bin/sh\n")
    os.chmod(folder / "sub" / "run.sh", 0o755)
    (folder / "sub" / "up").symlink_to("../a.txt")
    (folder / "文件 -x\n").write_text("odd")
    for path in folder.rglob("*"):
        os.utime(path, (1_600_000_000, 1_600_000_000), follow_symlinks=False)
    return folder


@pytest.mark.parametrize("kind", archives.FORMATS)
def test_what_goes_in_comes_out(home: Path, source: Path, kind: str) -> None:
    step = CreateArchive(((str(source), "source", identify(str(source))),), str(home / f"x.{kind}"), kind, STAMP_NS)
    run(step)
    assert step.state() == "done"
    (home / "out").mkdir()
    run(extraction(home / f"x.{kind}", home / "out"))
    before, after = snapshot(source), snapshot(home / "out" / "source")
    assert before.keys() == after.keys()
    for path in before:
        if path != ".":
            assert after[path][0] == before[path][0] and after[path][4:] == before[path][4:], path
            assert after[path][3] == before[path][3] or not stat.S_ISREG(os.lstat(source / path).st_mode), path


def test_tar_keeps_names_that_are_no_text_and_zip_says_that_it_cannot(home: Path) -> None:
    folder = home / "d"
    folder.mkdir()
    (folder / os.fsdecode(b"\xff\xfe")).write_text("x")
    members = ((str(folder), "d", identify(str(folder))),)
    run(CreateArchive(members, str(home / "x.tar.gz"), "tar.gz", STAMP_NS))
    (home / "out").mkdir()
    run(extraction(home / "x.tar.gz", home / "out"))
    assert os.listdir(home / "out" / "d") == [os.fsdecode(b"\xff\xfe")]
    with pytest.raises(NotPossible, match="zip cannot hold"):
        run(CreateArchive(members, str(home / "x.zip"), "zip", STAMP_NS))
    assert not (home / "x.zip").exists()


def test_an_archive_inside_what_is_packed_leaves_itself_out(home: Path, source: Path) -> None:
    run(CreateArchive(((str(source), "source", identify(str(source))),), str(source / "self.tar"), "tar", STAMP_NS))
    with tarfile.open(source / "self.tar") as file:
        assert "source/self.tar" not in file.getnames() and "source/a.txt" in file.getnames()


def test_undo_of_packing(home: Path, source: Path) -> None:
    before = snapshot(home)
    mtime_ns = os.stat(home).st_mtime_ns
    step = CreateArchive(((str(source), "source", identify(str(source))),), str(home / "x.zip"), "zip", STAMP_NS)
    run(step)
    run(step.inverse())
    os.utime(home, ns=(mtime_ns, mtime_ns))
    assert snapshot(home) == before
    run(step)
    (home / "x.zip").write_bytes(b"changed")
    with pytest.raises(StaleStep):
        run(step.inverse())
    with pytest.raises(StaleStep):
        run(step)
    assert (home / "x.zip").read_bytes() == b"changed"


def test_undo_of_unpacking(home: Path) -> None:
    archive = zipped(home / "x.zip", ("a.txt", b"a"), ("sub/b.txt", b"b"), ("sub/deep/", b""))
    (home / "out").mkdir()
    before = snapshot(home)
    step = extraction(archive, home / "out")
    mtime_ns = os.stat(home / "out").st_mtime_ns
    run(step)
    run(step.inverse())
    os.utime(home / "out", ns=(mtime_ns, mtime_ns))
    assert snapshot(home) == before


@pytest.mark.parametrize("change", ["edit", "add", "remove"])
def test_undo_of_unpacking_refuses_what_was_changed(home: Path, change: str) -> None:
    archive = zipped(home / "x.zip", ("sub/a.txt", b"a"), ("sub/b.txt", b"b"))
    step = extraction(archive, home)
    run(step)
    if change == "edit":
        (home / "sub/b.txt").write_text("B")
    elif change == "add":
        (home / "sub/c.txt").write_text("c")
    else:
        (home / "sub/b.txt").unlink()
    with pytest.raises(StaleStep):
        run(step.inverse())
    assert (home / "sub/a.txt").read_text() == "a"


EVIL: dict[str, tuple[tarfile.TarInfo, ...]] = {
    "parent": (member("../evil"),),
    "parent in the middle": (member("a/../../evil"),),
    "absolute": (member("/tmp/evil"),),
    "absolute link": (member("l", tarfile.SYMTYPE, "/etc/passwd"),),
    "link out": (member("l", tarfile.SYMTYPE, "../../x"),),
    "link out by folders": (member("a/b/l", tarfile.SYMTYPE, "../../../x"),),
    "through a link": (member("l", tarfile.SYMTYPE, "sub"), member("l/evil")),
    "through links": (member("a", tarfile.SYMTYPE, "."), member("a/b", tarfile.SYMTYPE, ".."), member("a/b/evil")),
    "link through a link": (member("d/e/f"), member("l", tarfile.SYMTYPE, "d/e"), member("m", tarfile.SYMTYPE, "l/../../..")),
    "link through a link, one file": (member("d/e/f"), member("l", tarfile.SYMTYPE, "d/e"), member("m", tarfile.SYMTYPE, "l/../f")),
    "hard link out": (member("h", tarfile.LNKTYPE, "/etc/passwd"),),
    "hard link to what comes later": (member("h", tarfile.LNKTYPE, "f"), member("f")),
    "hard link to a link": (member("l", tarfile.SYMTYPE, "f"), member("f"), member("h", tarfile.LNKTYPE, "l")),
    "device": (member("null", tarfile.CHRTYPE),),
    "pipe": (member("pipe", tarfile.FIFOTYPE),),
    "file below a file": (member("f"), member("f/g")),
    "file, then a link of that name": (member("f"), member("f", tarfile.SYMTYPE, "sub")),
}


@pytest.mark.parametrize("name", EVIL)
def test_what_leads_outside_is_refused(home: Path, name: str) -> None:
    archive = tar(home / "x.tar", *((m, b"evil" if m.isreg() else b"") for m in EVIL[name]))
    with pytest.raises(Refused):
        archives.checked(str(archive), PLENTY)


def test_the_same_archives_without_the_evil_are_unpacked(home: Path) -> None:
    """The twin of the test before: what is refused there is refused for what it does, not for being a link or having dots."""
    good = (
        (member("./d/e/f"), b"f"), (member("d/l", tarfile.SYMTYPE, "e/f"), b""), (member("d/e/up", tarfile.SYMTYPE, "../l"), b""),
        (member("h", tarfile.LNKTYPE, "./d/e/f"), b""), (member("..dots"), b"d"), (member("d/x..y"), b"x"), (member("f", mode=0o6777), b"1"),
        (member("f"), b"2"),
    )  # fmt: skip
    (home / "out").mkdir()
    run(extraction(tar(home / "x.tar", *good), home / "out"))
    out = home / "out"
    assert (out / "d/l").read_text() == "f" and (out / "h").read_text() == "f" and (out / "..dots").read_text() == "d" and (out / "f").read_text() == "2"
    assert os.stat(out / "h").st_nlink == 1
    assert stat.S_IMODE(os.stat(out / "f").st_mode) == 0o644


def test_modes_of_members_are_tamed(home: Path) -> None:
    run(extraction(tar(home / "x.tar", (member("f", mode=0o6777), b"1"), (member("g", mode=0), b"1")), home))
    assert stat.S_IMODE(os.stat(home / "f").st_mode) == 0o755
    assert stat.S_IMODE(os.stat(home / "g").st_mode) == 0o600


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil"])
def test_zip_slip_is_refused(home: Path, name: str) -> None:
    with pytest.raises(Refused):
        archives.checked(str(zipped(home / "x.zip", (name, b"x"))), PLENTY)


def test_zip_link_out_is_refused(home: Path) -> None:
    info = zipfile.ZipInfo("link")
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(home / "x.zip", "w") as file:
        file.writestr(info, "/etc/passwd")
    with pytest.raises(Refused, match="leads outside"):
        archives.checked(str(home / "x.zip"), PLENTY)


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.xz"])
def test_bombs_are_refused_before_they_are_unpacked(home: Path, kind: str) -> None:
    path = home / f"bomb.{kind}"
    zeros = bytes(archives.HARMLESS_BYTES + 1)
    if kind == "zip":
        zipped(path, ("zeros", zeros))
    else:
        tar(path, (member("zeros"), zeros), mode=f"w:{archives.COMPRESSION[kind]}")
    with pytest.raises(Refused, match="fill the disk"):
        archives.checked(str(path), PLENTY)


def test_a_bomb_of_headers_is_not_unpacked_to_be_looked_at(home: Path) -> None:
    """A header that claims terabytes is refused by what it says."""
    info = member("big")
    info.size = 1 << 42
    (home / "x.tar").write_bytes(info.tobuf() + bytes(1024))
    with pytest.raises(NlshError):
        archives.checked(str(home / "x.tar"), PLENTY)


def test_what_does_not_fit_is_refused(home: Path) -> None:
    archive = zipped(home / "x.zip", ("a", b"x" * 1000))
    with pytest.raises(Refused, match="free"):
        archives.checked(str(archive), 999)
    assert archives.checked(str(archive), 1000)


def test_overlapping_members_are_refused(home: Path) -> None:
    path = zipped(home / "x.zip", ("a", os.urandom(4000)), ("b", b"y"))
    data = bytearray(path.read_bytes())
    # The directory says that the second member is where the first one is, and as big.
    first, second = (data.find(b"PK\x01\x02"), data.find(b"PK\x01\x02", data.find(b"PK\x01\x02") + 4))
    data[second + 20 : second + 28] = data[first + 20 : first + 28]
    data[second + 42 : second + 46] = data[first + 42 : first + 46]
    path.write_bytes(bytes(data))
    with pytest.raises(Refused, match="overlap"):
        archives.checked(str(path), PLENTY)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04rubbish", b"\x1f\x8brubbish!", b"BZh9rubbish", b"\xfd7zXZ\0rubbish", b"plain text, no archive" * 40])
def test_what_is_no_archive_is_said_to_be_none(home: Path, content: bytes) -> None:
    (home / "x.zip").write_bytes(content)
    with pytest.raises(NotPossible):
        archives.checked(str(home / "x.zip"), PLENTY)


def test_a_damaged_archive_leaves_nothing_behind(home: Path) -> None:
    path = tar(home / "x.tar.gz", (member("a"), b"a" * 100), (member("b"), os.urandom(50_000)), mode="w:gz")
    (home / "out").mkdir()
    step = extraction(path, home / "out")
    data = path.read_bytes()
    path.write_bytes(data[:25_000])
    damaged: Any = ExtractArchive(step.archive, step.root, step.members, identify(str(path)))
    with pytest.raises(NlshError):
        run(damaged)
    assert os.listdir(home / "out") == []


def test_an_archive_that_was_exchanged_is_not_unpacked(home: Path) -> None:
    step = extraction(zipped(home / "x.zip", ("a", b"a")), home)
    zipped(home / "x.zip", ("a", b"something else"))
    with pytest.raises(StaleStep):
        run(step)
    assert not (home / "a").exists()


def test_nothing_is_overwritten(home: Path) -> None:
    step = extraction(zipped(home / "x.zip", ("a", b"new")), home)
    (home / "a").write_text("mine")
    with pytest.raises(StaleStep):
        step.check()
    with pytest.raises(StaleStep):
        step.apply()
    assert (home / "a").read_text() == "mine"
