"""What is found out about files: trees, copies, checksums, differences, events, attributes, and the finer questions of file.find."""

from __future__ import annotations

import difflib
import hashlib
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlsh.actions.file.follow import _SAID
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.plan import registry
from nlsh.plan.errors import BadArgument, NlshError, NotFound, NotPossible, Refused
from nlsh.plan.records import Line, Note, Record
from nlsh.testing import Scene, build
from nlsh.world import World, attributes, differences, following, patterns, sameness, watching
from nlsh.world import recent as recently
from nlsh.world.files import Wanted, has_mode

ODD = ["two\nlines", 'it\'s "quoted"', "-rf", "tab\there", " blank ", "naïve ☃", os.fsdecode(b"caf\xe9")]
ROOT = Path(__file__).resolve().parents[3]


def records(action: str, **written: Any) -> list[Any]:
    unit = registry.get(action)
    args = unit.Args.bind(action, written)
    return list(unit.observe(args, unit.look(args, World()), World()))


def paths(home: Path, found: list[Any]) -> list[str]:
    return [os.path.relpath(r.path, home) for r in found if not isinstance(r, Note)]


def refused(kind: type[NlshError], action: str, **written: Any) -> str:
    with pytest.raises(kind) as caught:
        records(action, **written)
    assert caught.value.message.endswith(".")
    return str(caught.value)


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    started = Zygote.start()
    yield started
    started.close()


# --- file.find ---------------------------------------------------------------------------------------------------


def test_find_broken_links(home: Path) -> None:
    build(home, {"a": "a", "good": {"link": "a"}, "gone": {"link": "nowhere"}, "under": {"link": "a/b"}, "round": {"link": "round"}, "folder": {"link": "."}})
    assert paths(home, records("file.find", type="broken link")) == ["gone", "round", "under"]
    assert paths(home, records("file.find", type="link")) == ["folder", "gone", "good", "round", "under"]
    assert records("file.count", type="broken link")[0].count == 3


@pytest.mark.parametrize(
    ("wanted", "fits", "misses"),
    [
        ("644", (0o644,), (0o600, 0o755)),
        ("a+x", (0o700, 0o755, 0o001), (0o644,)),
        ("a-w", (0o444, 0o555), (0o644, 0o464)),
        ("go-rwx", (0o600, 0o700), (0o640,)),
        ("o+w", (0o666, 0o002), (0o664,)),
        ("ug+r", (0o440,), (0o400,)),
        ("u=rw,go=r", (0o644,), (0o664, 0o744)),
        ("g=", (0o707,), (0o717,)),
    ],
)
def test_mode(wanted: str, fits: tuple[int, ...], misses: tuple[int, ...]) -> None:
    assert all(has_mode(m, wanted) for m in fits) and not any(has_mode(m, wanted) for m in misses)


def test_find_by_mode_leaves_links_out(home: Path) -> None:
    build(home, {"all": {"text": "a", "mode": "777"}, "mine": {"text": "m", "mode": "600"}, "link": {"link": "mine"}})
    assert paths(home, records("file.find", mode="777")) == ["all"]
    assert paths(home, records("file.find", mode="private")) == ["mine"]
    assert records("file.count", mode="777")[0].count == 1


def test_find_by_regular_expression(home: Path) -> None:
    build(home, {"IMG_1.jpg": "1", "my IMG_1.jpg": "2", "IMG_1.JPG": "3", "v1.2": "4", ".v3.4": "5", "v5.6/x": "6"})
    assert paths(home, records("file.find", regex=r"^IMG_\d\.jpg$")) == ["IMG_1.jpg"]
    assert paths(home, records("file.find", regex=r"/IMG_\d\.jpg/")) == ["IMG_1.jpg", "my IMG_1.jpg"]
    assert paths(home, records("file.find", regex=r"v\d\.\d")) == ["v1.2", "v5.6"]
    assert paths(home, records("file.find", regex=r"v\d\.\d", type="file")) == ["v1.2"]
    assert paths(home, records("file.find", regex=r"^\.v")) == [".v3.4"]
    assert paths(home, records("file.find", regex=r"^my", named="*.jpg")) == ["my IMG_1.jpg"]
    assert records("file.count", regex="IMG")[0].count == 3


@pytest.mark.parametrize("expression", ["(", "[a", "*", "x" * 2000, "(" * 500, r"\p{L}"])
def test_what_is_no_regular_expression_is_refused_before_anything_is_read(home: Path, expression: str) -> None:
    refused(BadArgument, "file.find", regex=expression)


def test_a_regular_expression_that_explodes_is_ended(home: Path) -> None:
    (home / ("a" * 60 + "!")).touch()
    started = time.process_time()
    assert "too long" in refused(NotPossible, "file.find", regex="(a+)+$")
    assert time.process_time() - started < 10
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)


def test_find_only_so_deep(home: Path) -> None:
    build(home, {"a.txt": "a", "one/b.txt": "b", "one/two/c.txt": "c", "one/two/three/d.txt": "d", "out": {"link": "one"}})
    for depth, found in (("1", ["a.txt"]), ("two", ["a.txt", "one/b.txt"]), ("4", ["a.txt", "one/b.txt", "one/two/c.txt", "one/two/three/d.txt"])):
        assert paths(home, records("file.find", kind="txt", depth=depth)) == found
        assert records("file.count", kind="txt", depth=depth)[0].count == len(found)
    assert paths(home, records("file.find", under="one/", kind="txt", depth="1")) == ["one/b.txt"]
    assert paths(home, records("file.find", under="a.txt", depth="1")) == ["a.txt"]
    assert [r.path for r in records("file.find", under="/", named="proc", type="folder", depth="1")] == ["/proc"]
    refused(BadArgument, "file.find", depth="0")


def test_hidden_folders_are_looked_into_where_room_is_asked_for(home: Path) -> None:
    build(home, {"a.iso": "a" * 3000, ".cache/b": "b" * 4000, "sub/.git/c": "c" * 5000, "sub/d": "d" * 2000})
    found = records("file.find", under="~", larger="2500B")
    assert paths(home, found) == ["a.iso", ".cache/b", "sub/.git/c"]
    assert next(r.text for r in found if isinstance(r, Note)).startswith("Hidden files and folders were looked into")
    assert paths(home, records("file.find", under="~", sort="largest", limit="1")) == ["sub/.git/c"]
    assert records("file.count", under="~", larger="2500B")[0].count == 3
    # Elsewhere, and where something else is asked for, it is said.
    found = records("file.find", under="sub", larger="1KB")
    assert paths(home, found) == ["sub/d"]
    assert [r.text for r in found if isinstance(r, Note)] == ["1 hidden folder (.git) was not looked into: hidden=true does."]
    assert [r.text for r in records("file.find", under="~", named="nowhere")] == ["2 hidden folders (.cache, .git) were not looked into: hidden=true does."]
    assert paths(home, found := records("file.find", under="~")) == ["a.iso", "sub/d"] and not [r for r in found if isinstance(r, Note)]


def test_empty_folders_in_empty_folders_go_at_once(tmp_path: Path) -> None:
    with Scene(tmp_path / "scene", {"x/y/z": None, "x/w": None, "keep/a": "a", "keep/e": None}) as scene:
        played = scene.play('a = file.find(type="folder", empty=true); file.trash(a)')
        assert played.error is None, played.error
        assert not (scene.home / "x").exists() and [p.name for p in (scene.home / "keep").iterdir()] == ["a"]


def test_find_what_nobody_opened(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, day = time.time(), 86_400
    for name, read, changed in (("stale", 90, 90), ("read", 1, 90), ("written", 90, 1), ("both", 1, 1)):
        (home / name).write_text(name)
        os.utime(home / name, (now - read * day, now - changed * day))
    assert paths(home, records("file.find", unused="30 days")) == ["stale"]
    assert paths(home, records("file.find", unused="120 days")) == []
    assert records("file.count", unused="30 days")[0].count == 1
    assert paths(home, records("file.find", older="30 days")) == ["read", "stale"]
    # Where reading leaves no trace, that is said.
    monkeypatch.setattr(os, "statvfs", lambda _: type("Noatime", (), {"f_flag": os.ST_NOATIME})())
    notes = [r.text for r in records("file.find", unused="30 days") if isinstance(r, Note)]
    assert len(notes) == 1 and "noatime" in notes[0]


def test_find_says_where_below_a_folder_opening_is_not_noted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is mounted somewhere below; many of them are named by a few."""
    from nlsh.plan.records import Mount
    from nlsh.world import machine

    def said(*mounts: Mount) -> list[str]:
        monkeypatch.setattr(machine, "mounts", lambda: list(mounts))
        return [r.text for r in records("file.find", unused="30 days") if isinstance(r, Note)]

    nas = Mount(f"{home}/nas", "nas:/photos", "nfs4", "rw,noatime,vers=4.2")
    assert said(Mount(f"{home}/usb", "/dev/sdb1", "ext4", "rw,relatime"), Mount(f"{home}2/nas", "nas:/x", "nfs4", "rw,noatime")) == []
    assert [f"below {home}/nas (noatime)" in note for note in said(nas)] == [True]
    (note,) = said(*(Mount(f"{home}/{n}", "d", "ext4", "rw,noatime") for n in range(9)))
    assert f"{home}/2 and 6 more (noatime)" in note


# --- file.read ---------------------------------------------------------------------------------------------------


def test_lines_by_their_numbers(home: Path) -> None:
    (home / "a").write_bytes(b"one\ntwo\r\nthree\nfour\nfive")
    (home / "b").write_text("ONE\n")

    def read(lines: str, paths: object = "a") -> list[tuple[int, str]]:
        return [(r.number, r.text) for r in records("file.read", paths=paths, lines=lines) if not isinstance(r, Note)]

    assert read("2-3") == [(2, "two"), (3, "three")]
    assert read("5") == [(5, "five")] and read("4 to the end") == [(4, "four"), (5, "five")]
    assert read("4, 1 and 2-3, 2") == [(1, "one"), (2, "two"), (3, "three"), (4, "four")]
    assert read("1", ("a", "b")) == [(1, "one"), (1, "ONE")]
    (note,) = records("file.read", paths="a", lines="9-12")
    assert isinstance(note, Note) and note.text.endswith("ends with line 5.")
    assert isinstance(records("file.read", paths="a", lines="4-99")[-1], Note) and isinstance(records("file.read", paths="a", lines="40 on")[-1], Note)
    refused(BadArgument, "file.read", paths="a", lines="1-2", last="3")


def test_lines_far_from_the_end_are_not_read(home: Path) -> None:
    with open(home / "big", "wb") as file:
        file.write(b"one\ntwo\n" * 2000)
        file.truncate(1 << 40)
    assert [r.text for r in records("file.read", paths="big", lines="2")] == ["two"]


def test_many_quick_matches_are_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "_TICK_S", 0.01)
    with patterns.bounded(patterns.compiled("b$")) as search:
        assert sum(1 for _ in range(300_000) if search("aaab")) == 300_000


def test_find_survives_names_of_all_kinds_and_circles(home: Path) -> None:
    for name in ODD:
        (home / name).write_text("x")
    (home / "round").symlink_to(".")
    assert sorted(paths(home, records("file.find", under=str(home)))) == sorted([*ODD, "round"])
    assert sorted(paths(home, records("file.find", regex="caf"))) == [os.fsdecode(b"caf\xe9")]


def test_what_may_not_be_read_is_said_and_the_rest_is_found(home: Path, tmp_path: Path, zygote: Zygote) -> None:
    with Scene(tmp_path / "scene", {".ssh/key": "word", "a/.x": "word", "b.txt": "word"}, zygote=zygote) as scene:
        played = scene.play('file.find(containing="word", hidden=true)')
        assert played.error is None and played.outcome is not None
        assert [os.path.relpath(r.path, scene.home) for r in played.records] == ["b.txt", "a/.x"]  # type: ignore[attr-defined]
        assert [r.text for r in played.outcome.records if isinstance(r, Note)] == [f"Could not be read, so left out: {scene.home}/.ssh/key."]


@pytest.mark.parametrize("action", ["file.find", "file.tree", "file.duplicates", "file.recent"])
def test_a_folder_that_may_not_be_read_is_said(home: Path, monkeypatch: pytest.MonkeyPatch, action: str) -> None:
    build(home, {"shut/x": "x", "open/y": "y"})
    scandir = os.scandir

    def refusing(path: str) -> Any:
        if path.endswith("/shut"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert records(action)[-1] == Note(f"Could not be read, so left out: {home}/shut.")


# --- file.tree ---------------------------------------------------------------------------------------------------


def test_a_deep_tree_and_odd_names(home: Path) -> None:
    deep = home / "t"
    for _ in range(400):
        deep /= "d"
    deep.mkdir(parents=True)
    found = records("file.tree", paths="t")
    assert len(found) == 401 and found[-1].depth == 400
    assert len(records("file.tree", paths="t", depth="7")) == 8
    for name in ODD:
        (home / "t" / name).touch()
    assert {r.entry.partition("── ")[2] for r in records("file.tree", paths="t", depth="1")[1:]} == {*ODD, "d"}


def test_tree_of_a_file_and_of_a_circle(home: Path) -> None:
    build(home, {"a.txt": "a", "f/up": {"link": ".."}})
    assert [r.type for r in records("file.tree", paths="a.txt")] == ["file"]
    assert [(r.entry, r.type) for r in records("file.tree", paths="f")][1] == ("└── up -> ..", "link")


# --- file.duplicates ---------------------------------------------------------------------------------------------


def test_duplicates_of_every_size(home: Path) -> None:
    long, longer = os.urandom(200_000), os.urandom(600_000)
    for name, content, age in (
        ("a1", b"same", 3), ("a2", b"same", 1), ("b", b"diff", 1), ("e1", b"", 1), ("e2", b"", 1), ("l1", long, 9), ("l2", long, 5),
        ("m", long[:-1] + bytes([long[-1] ^ 1]), 1), ("x1", longer, 3), ("x2", longer, 2), ("x3", longer, 1), ("x4", longer[:-1] + bytes([longer[-1] ^ 1]), 1),
    ):  # fmt: skip
        (home / name).write_bytes(content)
        os.utime(home / name, (1e9 - age, 1e9 - age))
    os.link(home / "l1", home / "other name of l1")
    (home / "link").symlink_to("a1")
    found = records("file.duplicates")
    assert [(os.path.basename(r.path), os.path.basename(r.same_as)) for r in found] == [("x2", "x1"), ("x3", "x1"), ("l2", "l1"), ("a2", "a1")]


def test_the_oldest_copy_is_never_among_what_a_later_call_gets(home: Path, tmp_path: Path, zygote: Zygote) -> None:
    given_ = {"old": {"text": "same", "age": "9d"}, "new": {"text": "same", "age": "1d"}, "other": "o"}
    with Scene(tmp_path / "scene", given_, zygote=zygote) as scene:
        assert scene.play("a = file.duplicates()\nfile.trash(a)").error is None
        assert sorted(p.name for p in scene.home.iterdir() if p.name[0] != ".") == ["old", "other"]


@pytest.mark.parametrize(
    ("kept", "copies"),
    [
        ("cat.jpg", ["cat (1).jpg", "cat (2).jpg"]),
        ("x.txt", ["Copy of x.txt", "x - Copy.txt", "x copy 2.txt"]),
        ("报告.docx", ["报告 - 副本.docx", "报告(1).docx"]),
        ("cat in the garden.jpg", ["cat (1).jpg", "cat - Copy.jpg"]),
        ("a/img.png", ["b/img.png"]),
    ],
)
def test_of_equally_old_files_the_one_that_is_not_called_a_copy_is_kept(home: Path, kept: str, copies: list[str]) -> None:
    build(home, dict.fromkeys((*copies, kept), "same"))
    for path in (*copies, kept):
        os.utime(home / path, (1e9, 1e9))
    found = records("file.duplicates")
    assert {r.same_as for r in found} == {str(home / kept)} and sorted(paths(home, found)) == sorted(copies)
    # Age comes first all the same.
    os.utime(home / copies[0], (1e8, 1e8))
    assert {r.same_as for r in records("file.duplicates")} == {str(home / copies[0])}


def test_duplicates_pass_over_what_cannot_be_read_or_goes_away(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(home, {"a": "same", "b": "same", "c": "same", "d": "same"})
    real = sameness.open_text

    def opening(path: str) -> int:
        if path.endswith("/b"):
            raise PermissionError(13, "Permission denied", path)
        if path.endswith("/d"):
            raise FileNotFoundError(2, "No such file", path)
        return real(path)

    monkeypatch.setattr(sameness, "open_text", opening)
    found = records("file.duplicates")
    assert paths(home, found) == ["c"] and found[-1] == Note(f"Could not be read, so left out: {home}/b.")


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contents=st.lists(st.sampled_from([b"a", b"b", b"aa", b"x" * 40_000, b"x" * 39_999 + b"y", b"y" + b"x" * 39_999]), max_size=12))
def test_duplicates_are_what_hashing_everything_says(tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]) -> None:
    folder = tmp_path_factory.mktemp("copies")
    by_content: dict[bytes, int] = {}
    for number, content in enumerate(contents):
        (folder / str(number)).write_bytes(content)
        by_content[content] = by_content.get(content, 0) + 1
    groups = [g for _, g in sameness.Duplicates(lambda done, total: None).groups([str(folder)])]
    assert sorted(len(g) for g in groups) == sorted(n for n in by_content.values() if n > 1)
    assert all(len({Path(p).read_bytes() for p in g}) == 1 for g in groups)


# --- file.list, file.count, folder.size ---------------------------------------------------------------------------


def test_folders_in_a_list_by_size_are_said_to_be_listed_without_what_is_in_them(home: Path) -> None:
    build(home, {"d/big/film": "x" * 100_000, "d/a": "aa", "d/b": "b", "flat/a": "aa", "flat/b": "b"})
    for sort in ("largest", "smallest"):
        for limit in ({}, {"limit": "1"}):
            *_, note = records("file.list", paths="d", sort=sort, **limit)
            assert isinstance(note, Note) and "folder.size(each=true)" in note.text
        assert not any(isinstance(r, Note) for r in records("file.list", paths="flat", sort=sort))
    assert not any(isinstance(r, Note) for r in (*records("file.list", paths="d"), *records("file.list", paths="d", sort="newest")))


def test_a_count_says_of_what(home: Path) -> None:
    build(home, {"a": "a", "d/b": "b", "d/.c": "c"})
    for written, said in (
        ({}, (2, "files in all folders below, hidden ones left out")), ({"hidden": True}, (3, "files in all folders below")),
        ({"depth": "1"}, (1, "files directly there, hidden ones left out")),
        ({"type": "folder", "depth": "2"}, (1, "folders down to 2 folders below, hidden ones left out")),
    ):  # fmt: skip
        (tally,) = records("file.count", **written)
        assert (tally.count, tally.of) == said


def test_the_parts_of_a_folder_add_up_to_all_of_it(home: Path) -> None:
    build(home, {"d/a/x": "x" * 50_000, "d/b/y": "y" * 9000, "d/film": "f" * 400_000, "d/.hidden/z": "z" * 20_000})
    for number in range(30):
        (home / f"d/{number:02d}").write_bytes(b"s" * 5000)
    os.link(home / "d/film", home / "d/film again")
    whole = records("folder.size", paths="d")[0]
    *parts, note = records("folder.size", paths="d", each=True)
    assert {os.path.basename(p.path) for p in parts} >= {"a", "b", ".hidden", "film"} or os.path.basename(parts[0].path) == "film again"
    assert [p.size_bytes for p in parts] == sorted((p.size_bytes for p in parts), reverse=True)
    assert len(parts) == 3 + 20 and note.text.startswith("11 smaller files directly in there take together ")
    assert sum(p.files for p in parts) + 11 == whole.files
    own = os.lstat(home / "d").st_blocks * 512
    assert sum(p.size_bytes for p in parts) + 11 * 8192 + own == whole.size_bytes
    # Those who ask for folders get as many of them, those who ask for things the largest.
    found = [r for r in records("folder.size", paths="d", each=True, limit="2") if not isinstance(r, Note)]
    assert [os.path.basename(p.path).removesuffix(" again") for p in found] == ["film", "a", ".hidden"]


def test_a_folder_of_files_alone_has_parts_too(home: Path) -> None:
    build(home, {"d/a": "a" * 9000, "d/b": "b", "d/link": {"link": "a"}, "e": None})
    found = records("folder.size", paths="d", each=True)
    assert [os.path.basename(r.path) for r in found] == ["a", "b", "link"] and [r.files for r in found] == [1, 1, 1]
    assert records("folder.size", paths="e", each=True) == []
    found = records("folder.size", paths=("d/a", "d"), each=True, limit="1")
    assert os.path.basename(found[0].path) == "a"


# --- file.hash ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512", "blake2b"])
def test_every_algorithm_and_every_expected_checksum(home: Path, algorithm: str) -> None:
    content = os.urandom(3 << 20)
    (home / "-f \n").write_bytes(content)
    digest = hashlib.new(algorithm, content).hexdigest()
    assert records("file.hash", paths="-f \n", algorithm=algorithm)[0].checksum == digest
    # Which algorithm it is of, its length says.
    for written in (digest, digest.upper(), f"{algorithm}:{digest}"):
        first, note = records("file.hash", paths="-f \n", expect=written)
        assert (first.checksum, first.algorithm, first.matches) == (digest, algorithm, True) and isinstance(note, Note)
    wrong = digest[:-1] + ("0" if digest[-1] != "0" else "1")
    with pytest.raises(NlshError) as caught:
        records("file.hash", paths="-f \n", expect=wrong)
    assert (caught.value.code, caught.value.exit_status) == ("file.differs", 1) and digest in str(caught.value)


def test_what_is_no_checksum_and_no_file_is_refused(home: Path) -> None:
    build(home, {"a": "a", "b": "b", "folder": None})
    refused(BadArgument, "file.hash", paths="a", expect="hello")
    refused(BadArgument, "file.hash", paths="a", expect="ab" * 16, algorithm="sha256")
    refused(BadArgument, "file.hash", paths=("a", "b"), expect="ab" * 16)
    refused(NotPossible, "file.hash", paths="folder")
    refused(NotFound, "file.hash", paths="missing")
    os.mkfifo(home / "pipe")
    refused(NotPossible, "file.hash", paths="pipe")


# --- file.compare and file.diff ----------------------------------------------------------------------------------


def compared(one: str, other: str) -> list[tuple[str, str]]:
    return [(r.result, os.path.basename(r.path)) for r in records("file.compare", path=one, to=other)]


@pytest.mark.parametrize(
    ("one", "other", "byte", "line"),
    [
        (b"", b"x", 1, 1), (b"abc", b"abd", 3, 1), (b"a\nb\nc", b"a\nb\nX", 5, 3), (b"a\0b", b"a\0c", 3, None),
        (b"x" * 300_000 + b"a", b"x" * 300_000 + b"b", 300_001, 1), (b"\n" * 300_000, b"\n" * 300_001, 300_001, 300_001),
    ],
)  # fmt: skip
def test_where_files_first_differ(home: Path, one: bytes, other: bytes, byte: int, line: int | None) -> None:
    (home / "one").write_bytes(one)
    (home / "other").write_bytes(other)
    for a, b in (("one", "other"), ("other", "one")):
        (found,) = records("file.compare", path=a, to=b)
        assert (found.result, found.byte, found.line) == ("different", byte, line)
    (home / "other").write_bytes(one)
    assert compared("one", "other") == [("same", "one")]


def test_folders_are_compared(home: Path) -> None:
    build(
        home,
        {
            "a/same": "s", "b/same": "s", "a/size": "1", "b/size": "22", "a/kind": "k", "b/kind/x": "k", "a/l": {"link": "x"}, "b/l": {"link": "y"},
            "a/only/x": "1", "b/sub/there": "t", "a/sub/same": "s", "b/sub/same": "s", "a/two\nlines": "1", "b/two\nlines": "2",
        },
    )  # fmt: skip
    os.mkfifo(home / "a" / "pipe")
    os.mkfifo(home / "b" / "pipe")
    assert compared("a", "b") == [
        ("different", "kind"), ("different", "l"), ("only here", "only"), ("different", "size"), ("different", "two\nlines"), ("only there", "there"),
    ]  # fmt: skip
    assert compared("a", "a") == [("same", "a")]
    assert compared("a/same", "b") == [("same", "same")]
    assert compared("a/sub", "b/sub")[0] == ("only there", "there")
    (home / "b" / "alone").touch()
    refused(Refused, "file.compare", path="a", to="b/alone")


def test_diff_says_what_there_is_to_say(home: Path) -> None:
    (home / "a").write_bytes(b"one\r\ntwo")
    (home / "b").write_bytes(b"one\r\ntwo\n")
    assert [r.text for r in records("file.diff", path="a", to="b")] == [
        "--- a", "+++ b", "@@ -1,2 +1,2 @@", " one\r", "-two", "\\ No newline at end of file", "+two",
    ]  # fmt: skip
    (home / "c").write_bytes(b"\0")
    assert [type(r) for r in records("file.diff", path="a", to="c")] == [Line]
    assert [type(r) for r in records("file.diff", path="a", to="a")] == [Note]
    os.truncate(home / "c", 65 << 20)
    refused(Refused, "file.diff", path="a", to="c")


LINES = st.lists(st.sampled_from([b"a\n", b"b\n", b"c\n", b"d\n", b"\n"]), max_size=30)


def applied(old: list[bytes], found: list[tuple[str, int, int, int, int]], new: list[bytes]) -> list[bytes]:
    made: list[bytes] = []
    last = (0, 0)
    for tag, a, b, c, d in found:
        assert (a, c) == last, "no gaps"
        assert tag != "equal" or old[a:b] == new[c:d]
        made += old[a:b] if tag == "equal" else new[c:d]
        last = (b, d)
    assert last == (len(old), len(new)) or not found
    return made


@given(old=LINES, new=LINES, most=st.sampled_from([0, 4, 2_000_000]))
def test_a_diff_turns_the_old_into_the_new(old: list[bytes], new: list[bytes], most: int) -> None:
    before = differences._MOST
    differences._MOST = most
    try:
        assert applied(old, list(differences.pieces(old, new)), new) == new
    finally:
        differences._MOST = before


def test_a_diff_of_small_texts_is_that_of_difflib(home: Path) -> None:
    old, new = [f"{n}\n" for n in range(60)], [f"{n}\n" for n in range(60) if n != 30]
    new[5] = "five\n"
    ours = [line.decode() for line in differences.unified([s.encode() for s in old], [s.encode() for s in new], "a", "b")]
    assert ours == [s.rstrip("\n") for s in difflib.unified_diff(old, new, "a", "b", lineterm="")]


def test_a_diff_of_large_texts_takes_seconds_not_hours() -> None:
    old = [b"%d\n" % n for n in range(100_000)]
    new = [b"x\n" if n % 1000 == 0 else line for n, line in enumerate(old)]
    new[50_000:50_000] = [b"new %d\n" % n for n in range(3000)]
    started = time.process_time()
    assert applied(old, list(differences.pieces(old, new)), new) == new
    assert sum(tag != "equal" for tag, *_ in differences.pieces(old, new)) <= 120
    # The worst: nothing stands once.
    low = [b"ab"[n % 2 : n % 2 + 1] for n in range(30_000)]
    assert applied(low, list(differences.pieces(low, low[::3])), low[::3]) == low[::3]
    assert time.process_time() - started < 30


# --- file.recent -------------------------------------------------------------------------------------------------


def xbel(*bookmarks: tuple[str, str]) -> str:
    inner = "".join(f'<bookmark href="{href}" added="2020-01-01T00:00:00Z" modified="2020-01-01T00:00:00Z" visited="{at}"/>' for href, at in bookmarks)
    return f'<?xml version="1.0" encoding="UTF-8"?><xbel version="1.0">{inner}</xbel>'


def test_recent_files_are_those_opened_and_those_changed(home: Path) -> None:
    build(home, {"old book é.pdf": {"text": "b", "age": "300d"}, "new.txt": {"text": "n", "age": "2d"}, ".hidden": "h"})
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600))
    listed = home / ".local/share/recently-used.xbel"
    listed.parent.mkdir(parents=True)
    listed.write_text(xbel((f"file://{home}/old%20book%20%C3%A9.pdf", at), ("file:///nowhere", at), ("https://example.org/x.pdf", at), ("file://host/x", at)))
    found = records("file.recent")
    assert [(os.path.basename(r.path), r.what) for r in found] == [("old book é.pdf", "opened"), ("new.txt", "changed")]
    assert paths(home, records("file.recent", limit="1")) == ["old book é.pdf"]
    assert paths(home, records("file.recent", kind="txt")) == ["new.txt"]


@pytest.mark.parametrize(
    "text",
    [
        "no xml", "<xbel><bookmark", '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><xbel>&b;</xbel>',
        '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><xbel><bookmark href="&f;"/></xbel>',
    ],
)  # fmt: skip
def test_a_list_that_is_no_list_or_an_attack_is_left_out(home: Path, text: str) -> None:
    build(home, {"a.txt": "a", ".local/share/recently-used.xbel": text})
    found = records("file.recent")
    assert isinstance(found[0], Note) and paths(home, found) == ["a.txt"]


def test_wrong_times_and_places_in_the_list(home: Path) -> None:
    listed = home / "x"
    at = "2024-01-01T00:00:00"
    listed.write_text(xbel(("file:///a", "never"), ("file:///b%00", at), ("file:///c/../d", at), ("http://[", at)))
    assert list(recently.opened(str(listed))) == [("/d", 1704067200.0)]


# --- file.follow and file.watch ----------------------------------------------------------------------------------


def react(scene: Scene, zygote: Zygote, answers: dict[str, Callable[[], object]]) -> list[str]:
    """Have something done each time a record of a live call says something, and the call ended when all has been done. Return what was said."""
    assert scene.kernel is not None
    said: list[str] = []

    def on_event(event: dict[str, Any]) -> None:
        for one in event.get("records", ()):
            said.append(one.get("text") or one.get("what"))
            if (answer := answers.pop(said[-1], None)) is not None:
                answer()
                if not answers:
                    zygote.cancel()

    scene.kernel.on_event = on_event
    return said


def test_following_a_file_through_growth_truncation_and_rotation(home: Path, tmp_path: Path, zygote: Zygote) -> None:
    with Scene(tmp_path / "scene", {"logs/app.log": "first\nsecond\nthi"}, zygote=zygote) as scene:
        log = scene.home / "logs" / "app.log"

        def add(text: str) -> Callable[[], object]:
            def append() -> None:
                with log.open("a") as file:
                    file.write(text)

            return append

        def rotate() -> None:
            log.rename(scene.home / "logs" / "app.log.1")
            log.write_text("fresh\n")

        answers = {"second": add("rd\nfourth\n"), "fourth": lambda: log.write_text("cut\n"), "cut": rotate, "fresh": add("end\n"), "end": lambda: None}
        said = react(scene, zygote, answers)
        played = scene.play('file.follow("logs/app.log")')
        # To be stopped is how it ends: that is no failure.
        assert played.error is None and played.outcome is not None and played.outcome.status == "done"
        assert said == ["first", "second", "third", "fourth", _SAID["cut"], "cut", _SAID["new"], "fresh", "end"]


def test_a_new_file_beside_secrets_stays_unread_and_that_is_said(home: Path, tmp_path: Path, zygote: Zygote) -> None:
    with Scene(tmp_path / "scene", {"app.log": "old\n"}, zygote=zygote) as scene:

        def rotate() -> None:
            (scene.home / "app.log").unlink()
            (scene.home / "app.log").write_text("new\n")

        said = react(scene, zygote, {"old": rotate, _SAID["shut"]: lambda: None})
        played = scene.play('file.follow("app.log")')
        assert played.error is None and said == ["old", _SAID["shut"]]


def test_a_quiet_file_is_left_at_once_when_asked_to(home: Path, tmp_path: Path, zygote: Zygote) -> None:
    with Scene(tmp_path / "scene", {"app.log": "only\n"}, zygote=zygote) as scene:
        react(scene, zygote, {"only": lambda: None})
        started = time.monotonic()
        played = scene.play('file.follow("app.log")')
        assert played.outcome is not None and played.outcome.status == "done" and time.monotonic() - started < 10


def test_following_without_inotify_and_lines_without_end(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(following.inotify, "Inotify", none)
    log = home / "log"
    log.write_bytes(b"caf\xe9\r\nrest")
    with following.Followed(str(log)) as followed:
        assert followed.descriptors == []
        assert list(followed.news()) == [("line", os.fsdecode(b"caf\xe9"))]
        with log.open("ab") as file:
            file.write(b" of it\nx")
        assert list(followed.news()) == [("line", "rest of it")]
        log.unlink()
        assert list(followed.news()) == [] and list(followed.rest()) == [("line", "x")]
        log.write_text("back\n")
        assert list(followed.news()) == [("new", ""), ("line", "back")]


def test_what_cannot_be_followed_is_refused(home: Path) -> None:
    os.mkfifo(home / "pipe")
    build(home, {"folder": None})
    for what in ("pipe", "folder"):
        refused(NotPossible, "file.follow", path=what, time="1s")
    refused(NotFound, "file.follow", path="missing")


def happened(watched: watching.Watched, home: Path, until: str) -> list[tuple[str, str]]:
    """Return what is told until something has happened to the path `until`."""
    from nlsh.steps import handles

    found: list[tuple[str, str]] = []
    deadline = time.monotonic() + 20
    while not any(path == until for _, path in found):
        assert time.monotonic() < deadline, found
        if handles.wait([watched.descriptor], deadline):
            told, overflow = watched.meaning(watched.take())
            assert not overflow
            found += [(what, os.path.relpath(path, home)) for what, path, _ in told]
    return found


def test_watching_a_tree(home: Path) -> None:
    build(home, {"a.txt": "a", "sub/b.txt": "b", ".hid/x": "x"})
    with watching.Watched((str(home),)) as watched:
        (home / "a.txt").write_text("new")
        (home / "a.txt").chmod(0o600)
        (home / "two\nlines").touch()
        (home / "sub" / "b.txt").rename(home / "c.txt")
        (home / ".hid" / "x").unlink()
        (home / "c.txt").unlink()
        assert happened(watched, home, "c.txt") == [("changed", "a.txt"), ("created", "two\nlines"), ("renamed", "c.txt"), ("removed", "c.txt")]
        # What is made in a new folder is told of, even before it is watched; and under its new name after it was renamed.
        (home / "new" / "deep").mkdir(parents=True)
        (home / "new" / "deep" / "file").touch()
        assert set(happened(watched, home, "new/deep/file")) == {("created", "new"), ("created", "new/deep"), ("created", "new/deep/file")}
        (home / "new").rename(home / "newer")
        assert happened(watched, home, "newer") == [("renamed", "newer")]
        (home / "newer" / "deep" / "other").touch()
        assert happened(watched, home, "newer/deep/other") == [("created", "newer/deep/other")]
        # What is written to all the time is told once a second, and its last change is not lost.
        for number in range(50):
            (home / "a.txt").write_text(str(number))
        (home / "end").touch()
        assert happened(watched, home, "end").count(("changed", "a.txt")) <= 1
        assert watched.held_back() in ([], [str(home / "a.txt")])


def test_watching_one_file_through_being_replaced(home: Path) -> None:
    build(home, {"conf": "1", "other": "o"})
    with watching.Watched((str(home / "conf"),)) as watched:
        (home / "other").write_text("2")
        (home / "conf.tmp").write_text("2")
        (home / "conf.tmp").rename(home / "conf")
        assert happened(watched, home, "conf") == [("created", "conf")]


def test_the_number_of_watches_is_bounded_and_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(6):
        (home / str(number) / "below").mkdir(parents=True)
    with watching.Watched((str(home),), most=4) as watched:
        assert (len(watched._folders), watched.left_out) == (4, 3 + 3)  # what is below one that is left out is not even looked for
    unit = registry.get("file.watch")
    args = unit.Args.bind("file.watch", {"time": "0.1s"})
    monkeypatch.setattr(watching.Watched.__init__, "__defaults__", (4,))
    assert [type(r) for r in unit.observe(args, unit.look(args, World()), World())] == [Note]


def test_watching_confined_until_it_is_stopped(home: Path, tmp_path: Path, zygote: Zygote) -> None:
    with Scene(tmp_path / "scene", {"a/b": "b"}, zygote=zygote) as scene:
        ended = threading.Event()

        def change() -> None:
            # It cannot be seen from here when the watch is there: so there is always something new.
            number = 0
            while not ended.wait(0.02):
                (scene.home / "a" / f"new {(number := number + 1)}").touch()

        changing = threading.Thread(target=change)
        changing.start()
        try:
            said = react(scene, zygote, {"created": lambda: None})
            played = scene.play("file.watch()")
        finally:
            ended.set()
            changing.join()
        assert played.error is None and played.outcome is not None and played.outcome.status == "done" and set(said) == {"created"}


@pytest.mark.parametrize("reader_leaves", [False, True])
def test_a_live_call_is_shown_as_it_comes_and_ends_with_its_reader_or_with_ctrl_c(home: Path, reader_leaves: bool) -> None:
    build(home, {"app.log": "one\ntwo\n", "plan.nlsh": 'file.follow("app.log")'})
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-m", "nlsh", "plan", "plan.nlsh"], env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert [process.stdout.readline(), process.stdout.readline()] == ["one\n", "two\n"]
        with (home / "app.log").open("a") as log:
            log.write("three\n")
        assert process.stdout.readline() == "three\n"
        if reader_leaves:
            process.stdout.close()
            with (home / "app.log").open("a") as log:
                log.write("four\n")
        else:
            process.send_signal(signal.SIGINT)
            assert process.stdout.read() == ""  # nothing is shown twice
        assert process.wait(30) == 0


# --- file.attributes ---------------------------------------------------------------------------------------------


def test_extended_attributes_of_any_bytes(home: Path) -> None:
    path = home / "-a\n"
    path.write_text("a")
    os.setxattr(path, "user.text", "naïve".encode())
    os.setxattr(path, "user.raw", b"\xff\x00\x01")
    found = {(r.kind, r.name): r.value for r in records("file.attributes", paths="-a\n")}
    assert found["attribute", "user.text"] == "naïve" and found["attribute", "user.raw"] == "0xff0001"


def test_access_lists_are_decoded(home: Path) -> None:
    nobody = 0xFFFFFFFF
    entries = ((1, 6, nobody), (2, 4, 0), (2, 7, 987654), (4, 4, nobody), (8, 5, 0), (16, 7, nobody), (32, 0, nobody))
    raw = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    expected = [("owner", "rw-"), ("user:root", "r--"), ("user:987654", "rwx"), ("group", "r--"), ("group:root", "r-x"), ("mask", "rwx"), ("others", "---")]
    assert list(attributes.access_list(raw)) == expected
    assert list(attributes.access_list(b"")) == list(attributes.access_list(b"\x01\0\0\0")) == []
    (home / "a").touch()
    try:
        os.setxattr(home / "a", "system.posix_acl_access", raw)
    except OSError:
        pytest.skip("this file system keeps no access lists")
    assert [(r.name, r.value) for r in records("file.attributes", paths="a") if r.kind == "access"] == expected


def test_flags_and_what_has_none(home: Path) -> None:
    build(home, {"a": "a", "link": {"link": "a"}})
    (home / "a").chmod(0o600)
    if not attributes.flag_bits(str(home / "a")):
        pytest.skip("this file system has no flags")
    assert [r.name for r in records("file.attributes", paths="a") if r.kind == "flags"] == ["flags"]
    assert [type(r) for r in records("file.attributes", paths="link")] == [Note]
    os.mkfifo(home / "pipe")
    assert [type(r) for r in records("file.attributes", paths="pipe")] == [Note]
    if (lsattr := subprocess.run(["lsattr", "-d", "-l", "a"], capture_output=True, text=True, check=False)).returncode == 0:
        assert ("Extents" in lsattr.stdout) == ("extents" in records("file.attributes", paths="a")[-1].value)


# --- speed -------------------------------------------------------------------------------------------------------


def test_a_search_asks_for_no_status_it_does_not_need(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(home, {f"f{n}.txt": "x" for n in range(50)})
    asked: list[str] = []
    monkeypatch.setattr(Wanted, "_has", lambda self, path, status: asked.append(path) or True)
    assert len(records("file.find", named="f7.txt")) == 1 and len(asked) == 1


def test_every_record_travels(home: Path) -> None:
    from nlsh.plan.records import record_from_data

    build(home, {"a": "same", "b": "same", "sub/c": "c"})
    found: list[Record] = [
        *records("file.tree"), *records("file.duplicates"), *records("file.hash", paths="a"), *records("file.compare", path="a", to="b"),
        *records("file.recent"),
    ]  # fmt: skip
    assert [record_from_data(r.as_data()) for r in found] == found


def test_a_dot_in_an_expression_does_not_ask_for_hidden_files(home: Path) -> None:
    build(home, {"a.txt": "a", ".b.txt": "b", ".git/c.txt": "c"})
    assert paths(home, records("file.find", regex=r"\.txt$")) == ["a.txt"]
    assert paths(home, records("file.find", regex=r"/^\.b/")) == [".b.txt"]


def test_setuid_is_another_mode(home: Path) -> None:
    build(home, {"a": {"text": "a", "mode": "755"}, "b": "b"})
    os.chmod(home / "b", 0o4755)
    assert paths(home, records("file.find", mode="755")) == ["a"]
    assert sorted(paths(home, records("file.find", mode="executable"))) == ["a", "b"]
