"""The file actions that make and change things: what they refuse, what they leave behind, and that undo brings everything back."""

from __future__ import annotations

import os
import stat
import struct
import subprocess
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlsh.plan import registry
from nlsh.plan.errors import BadArgument, NlshError, NotFound, NotPossible, Refused, StaleStep
from nlsh.plan.plan import Call, Plan
from nlsh.plan.records import Note
from nlsh.plan.steps import Step, step_from_data
from nlsh.steps.links import AddName
from nlsh.steps.making import JoinFiles, MakeFile, SplitFile
from nlsh.steps.marks import SetFlag
from nlsh.testing import Scene, build, snapshot
from nlsh.world import World
from nlsh.world import cuts as cutting
from nlsh.world.files import identify, identity
from nlsh.world.flags import FLAGS, flags_of
from nlsh.world.texts import encoding_of
from tests.unit.actions.conftest import act, look

ODD = ["two\nlines", "-rf", "it's", 'a "quoted" name', os.fsdecode(b"caf\xe9\xff"), "文件", "a b", "x" * 255]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root rights")
not_as_root = pytest.mark.skipif(os.geteuid() == 0, reason="root may do everything")


def there_and_back(scene: Scene, action: str, **written: Any) -> dict[str, tuple[Any, ...]]:
    """Run a call, take it back, and find everything as it was; return what there was in between."""
    before = snapshot(scene.home)
    outcome = act(scene, action, **written)
    assert outcome.status == "done"
    between = snapshot(scene.home)
    assert between != before
    act(scene, "history.undo")
    assert snapshot(scene.home) == before
    return between


# --- create, template, touch ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ODD)
def test_any_name_can_be_created_and_taken_back(scene: Scene, name: str) -> None:
    path = str(scene.home / name)
    between = there_and_back(scene, "file.create", paths=(path,), text="x")
    assert between[name][4] == 2


def test_a_name_that_is_too_long_or_none_is_refused_before_anything_is_made(scene: Scene) -> None:
    for name in ("x" * 256, "文" * 86, "new/"):
        with pytest.raises(Refused):
            look("file.create", paths=("a", name))
    assert not (scene.home / "a").exists()
    assert look("file.create", paths="文" * 85)


def test_two_files_of_one_call_share_a_new_folder_and_not_a_name(scene: Scene) -> None:
    found = look("file.create", paths=("new/a", "new/b"))
    assert [type(s).__name__ for s in found] == ["MakeFolder", "MakeFile", "MakeFile"]
    with pytest.raises(Refused):
        look("file.create", paths=("a", "a"))


def test_undo_of_create_keeps_what_was_written_since(scene: Scene) -> None:
    act(scene, "file.create", paths="a.txt", text="one")
    (scene.home / "a.txt").write_text("two")
    with pytest.raises(Refused, match="has changed"):
        act(scene, "history.undo")
    assert (scene.home / "a.txt").read_text() == "two"


def test_create_does_not_replace_what_came_meanwhile(scene: Scene) -> None:
    (step,) = look("file.create", paths="a.txt", text="mine")
    (scene.home / "a.txt").write_text("theirs")
    with pytest.raises(StaleStep):
        step.check()
    with pytest.raises(StaleStep):
        step.apply()
    assert (scene.home / "a.txt").read_text() == "theirs"
    assert sorted(os.listdir(scene.home)) == ["a.txt"]


def test_every_template_has_a_beginning_and_its_own_place(scene: Scene) -> None:
    from nlsh.actions.file._templates import BEGINNINGS, sort_of
    from nlsh.plan.terms import TEMPLATES

    assert set(BEGINNINGS) == set(TEMPLATES)
    for sort, beginning in BEGINNINGS.items():
        assert beginning.text.endswith("\n")
        (step,) = look("file.template", path=beginning.name or "thing", what=sort)
        assert isinstance(step, MakeFile)
        if sort != "readme":
            assert sort_of(os.path.basename(step.path)) == sort
    assert sort_of("README.md") == "readme" and sort_of("notes.md") is None
    (step,) = look("file.template", path=".", what="readme")
    assert step.path == str(scene.home / "README.md")  # type: ignore[attr-defined]
    for sort, check in (("python", "python3"), ("shell", "bash")):
        act(scene, "file.template", path=f"run-{sort}", what=sort)
        (made,) = scene.home.glob(f"run-{sort}.*")
        assert os.access(made, os.X_OK)
        done = subprocess.run([check, str(made)], capture_output=True, text=True)
        assert done.returncode == 0 and done.stdout == "Hello\n"


def test_touch_sets_times_and_undo_brings_them_back_to_the_nanosecond(scene: Scene) -> None:
    build(scene.home, {"a": "a", "folder/b": "b", "link": {"link": "folder"}})
    os.utime(scene.home / "a", ns=(1_500_000_000_123_456_789, 1_600_000_000_987_654_321))
    os.utime(scene.home / "folder", ns=(1, 2))
    before = os.stat(scene.home / "a")
    act(scene, "file.touch", paths=("a", "link", "new"))
    assert os.stat(scene.home / "a").st_atime_ns > 1_700_000_000_000_000_000 < os.stat(scene.home / "folder").st_mtime_ns
    act(scene, "history.undo")
    after = os.stat(scene.home / "a")
    assert (after.st_atime_ns, after.st_mtime_ns) == (before.st_atime_ns, before.st_mtime_ns)
    between = there_and_back(scene, "file.touch", paths=("a", "link", "new"))
    assert between["a"][3] > 1_700_000_000_000_000_000 < between["folder"][3] and between["new"][4] == 0


def test_touch_takes_two_names_of_one_file_for_one(scene: Scene) -> None:
    build(scene.home, {"a": {"text": "a", "age": "9d"}, "b": {"text": "b", "age": "9d"}})
    os.link(scene.home / "a", scene.home / "other a")
    before = snapshot(scene.home)
    for plan in ('file.touch(["a", "other a", "b", "new"])', 'file.touch("*a")'):
        played = scene.play(plan)
        assert played.error is None, played.error
        assert time.time() - os.stat(scene.home / "other a").st_mtime < 600
        assert scene.play("history.undo()").error is None
        assert snapshot(scene.home) == before


def test_touch_refuses_dangling_links_and_other_peoples_files(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    build(scene.home, {"lonely": {"link": "nowhere"}, "a": "a"})
    with pytest.raises(Refused, match="leads nowhere"):
        look("file.touch", paths="lonely")
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    with pytest.raises(NotPossible, match="belongs to"):
        look("file.touch", paths="a")


# --- link, chown, flags --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("hard", [False, True])
def test_links_to_any_name_work_and_go_back(scene: Scene, name: str, hard: bool) -> None:
    (scene.home / name).write_text("inside")
    (scene.home / "to").mkdir()
    before = snapshot(scene.home)
    act(scene, "file.link", path=str(scene.home / name), to=str(scene.home / "to"), hard=hard)
    made = scene.home / "to" / name
    assert made.read_text() == "inside" and made.is_symlink() is not hard
    if hard:
        assert os.stat(made).st_ino == os.stat(scene.home / name).st_ino
    act(scene, "history.undo")
    assert snapshot(scene.home) == before


def test_a_link_is_written_so_that_both_can_move_together(scene: Scene) -> None:
    build(scene.home, {"site/v1/a": "a", "other": None})
    (step,) = look("file.link", path="site/v1", to="site/current")
    assert step.goal == "v1"  # type: ignore[attr-defined]
    (step,) = look("file.link", path="site/v1", to="other/current")
    assert step.goal == str(scene.home / "site/v1")  # type: ignore[attr-defined]


def test_hard_links_are_refused_where_there_can_be_none(scene: Scene) -> None:
    build(scene.home, {"folder/a": "a", "link": {"link": "folder"}, "file": "f"})
    for path in ("folder", "link"):
        with pytest.raises(Refused, match="only a file"):
            look("file.link", path=path, to="new", hard=True)
    shm = Path("/dev/shm")
    if shm.is_dir() and os.stat(shm).st_dev != os.stat(scene.home).st_dev:
        with pytest.raises(Refused, match="another file system"):
            look("file.link", path="file", to="/dev/shm/nlsh-test-link", hard=True)
    with pytest.raises(NotFound):
        look("file.link", path="missing", to="new")


def test_undo_of_a_hard_link_does_not_mind_that_the_file_was_written(scene: Scene) -> None:
    build(scene.home, {"a": "a"})
    act(scene, "file.link", path="a", to="b", hard=True)
    (scene.home / "b").write_text("written under one name")
    act(scene, "history.undo")
    assert (scene.home / "a").read_text() == "written under one name" and not (scene.home / "b").exists()


@as_root
def test_chown_changes_owner_and_group_and_undo_gives_them_back(scene: Scene) -> None:
    build(scene.home, {"a": {"text": "a", "mode": "640"}, "folder/b": "b"})
    between = there_and_back(scene, "file.chown", paths=("a", "folder"), owner="65534:4711")
    assert between["a"][1:3] == (65534, 4711) == between["folder"][1:3]
    assert between["folder/b"][1] == 0
    between = there_and_back(scene, "file.chown", paths="a", group="4712")
    assert between["a"][1:3] == (0, 4712)


def test_chown_says_who_may(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    build(scene.home, {"a": "a", "link": {"link": "a"}, "set": {"text": "s", "mode": "4755"}})
    with pytest.raises(Refused, match="is a link"):
        look("file.chown", paths="link", owner="1")
    with pytest.raises(Refused, match="setuid"):
        look("file.chown", paths="set", owner="1")
    with pytest.raises(NotFound):
        look("file.chown", paths="a", owner="no-such-user-here")
    with pytest.raises(BadArgument):
        look("file.chown", paths="a")
    with pytest.raises(Refused, match="home folder"):
        look("file.chown", paths="~", owner="1")
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    with pytest.raises(NotPossible, match="root rights"):
        look("file.chown", paths="a", owner="1")


def _flags_here(folder: Path) -> bool:
    probe = folder / "probe"
    probe.write_text("x")
    try:
        flags_of(str(probe))
    except OSError:
        return False
    finally:
        probe.unlink()
    return True


@as_root
@pytest.mark.parametrize("attribute", list(FLAGS))
def test_flags_are_set_for_real_and_cleared_again(scene: Scene, attribute: str) -> None:
    if not _flags_here(scene.home):
        pytest.skip("this file system has no flags")
    build(scene.home, {"a": "a", "folder/b": "b"})
    for name in ("a", "folder"):
        path = str(scene.home / name)
        act(scene, "file.set_attribute", paths=name, attribute=attribute)
        try:
            assert flags_of(path) & FLAGS[attribute]
            if attribute == "immutable" and name == "a":
                with pytest.raises(PermissionError):
                    (scene.home / name).write_text("changed")
            assert look("file.set_attribute", paths=name, attribute=attribute) == ()
        finally:
            act(scene, "history.undo")
        assert not flags_of(path) & FLAGS[attribute]


@as_root
def test_flags_can_be_changed_only_on_what_was_handed_over(tmp_path: Path) -> None:
    """The right to the flags is bound to the file: on another one, and without the grant, the kernel refuses."""
    import fcntl

    from nlsh.guard.grant import Grant
    from nlsh.guard.sandbox import enter
    from nlsh.plan.effects import Effect
    from nlsh.steps.marks import SET_FLAGS

    if not _flags_here(tmp_path):
        pytest.skip("this file system has no flags")
    mine, other = tmp_path / "mine", tmp_path / "other"
    for file in (mine, other):
        file.write_text("x")

    def refused(path: Path) -> bool:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, SET_FLAGS, struct.pack("=i", 0x40))
        except OSError:
            return True
        return False

    def child(effects: tuple[Effect, ...], step: Step) -> int:
        pid = os.fork()
        if pid == 0:
            came = 99
            try:
                enter(Grant.of(effects))
                came = refused(mine) * 1 + refused(other) * 2
                try:
                    step.apply()
                except NlshError:
                    came += 4
                os.dup2(1, 511)
                try:
                    os.dup2(1, 600)
                except OSError:
                    came += 8
            finally:
                os._exit(came)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    step = SetFlag(str(mine), "no-dump", True, identify(str(mine)))
    both = (*step.effects(), Effect("fs.read", str(tmp_path)))
    # Through a descriptor of its own it may not, with the one handed over it may, and nothing gets a number from there on.
    assert child(both, step) == 1 + 2 + 8
    assert flags_of(str(mine)) & 0x40 and not flags_of(str(other)) & 0x40
    # The same step without the right, or without the path, can do nothing.
    for less in ((Effect("fs.meta", str(mine)), Effect("fs.read", str(tmp_path))), (both[1], both[2])):
        assert child(less, SetFlag(str(mine), "no-dump", False, identify(str(mine)))) & 7 == 7
    assert flags_of(str(mine)) & 0x40


def test_flags_say_what_they_need(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    build(scene.home, {"a": "a", "link": {"link": "a"}})
    with pytest.raises(Refused, match="neither a file nor a folder"):
        look("file.set_attribute", paths="link", attribute="immutable")
    if _flags_here(scene.home):
        monkeypatch.setattr(os, "geteuid", lambda: 4242)
        with pytest.raises(NotPossible, match="root rights"):
            look("file.set_attribute", paths="a", attribute="no-dump")


# --- shred, split, join --------------------------------------------------------------------------------------------------


def test_shred_overwrites_before_it_deletes(scene: Scene) -> None:
    path = scene.home / "secret"
    path.write_bytes(b"secret" * 100_000)
    with open(path, "rb") as kept:
        act(scene, "file.shred", paths="secret")
        assert not path.exists()
        left = kept.read()
    assert len(left) == 600_000 and b"secret" not in left


def test_shred_warns_honestly_and_refuses_what_it_cannot_do(scene: Scene) -> None:
    build(scene.home, {"a": "a", "folder/b": "b", "link": {"link": "a"}})
    os.link(scene.home / "a", scene.home / "second")
    assert scene.kernel is not None
    (scene.home / "c").write_text("c")
    preview = scene.kernel.preview(registry.parse('file.shred("c")'))
    assert all(word in preview.calls[0].no_undo for word in ("SSDs", "copy-on-write", "journals", "snapshots"))
    for path, why in (("a", "hard links"), ("folder", "is a folder"), ("link", "no regular file")):
        with pytest.raises(Refused, match=why):
            look("file.shred", paths=path)
    assert (scene.home / "a").read_text() == "a"


def test_shred_leaves_the_holes_of_a_big_file_alone(scene: Scene) -> None:
    path = scene.home / "sparse"
    with open(path, "wb") as file:
        file.truncate(5 << 30)
        file.seek(3 << 30)
        file.write(b"data")
    blocks = os.stat(path).st_blocks
    with open(path, "rb") as kept:
        act(scene, "file.shred", paths="sparse")
        assert os.fstat(kept.fileno()).st_blocks <= blocks
        assert os.pread(kept.fileno(), 4, 3 << 30) != b"data"


@pytest.mark.parametrize("how", [{"size": "1000"}, {"lines": "7"}, {"parts": "4"}, {"size": "1MB"}])
@pytest.mark.parametrize("name", ["a.txt", "-rf", "two\nlines", os.fsdecode(b"\xff.bin")])
def test_what_is_split_and_joined_is_the_same_again(scene: Scene, how: dict[str, str], name: str) -> None:
    data = b"".join(b"line %d\n" % n for n in range(1000)) + b"no end"
    path = scene.home / name
    path.write_bytes(data)
    os.chmod(path, 0o600)
    before = snapshot(scene.home)
    act(scene, "file.split", path=str(path), **how)
    parts = sorted(p for p in scene.home.iterdir() if p != path)
    assert b"".join(p.read_bytes() for p in parts) == data
    assert all(stat.S_IMODE(p.stat().st_mode) == 0o600 for p in parts)
    if "lines" in how:
        assert all(p.read_bytes().count(b"\n") == 7 for p in parts[:-1])
    if len(parts) > 1:
        act(scene, "file.join", paths=tuple(str(p) for p in parts), to="whole")
        assert (scene.home / "whole").read_bytes() == data and stat.S_IMODE((scene.home / "whole").stat().st_mode) == 0o600
        act(scene, "history.undo")
    act(scene, "history.undo")
    assert snapshot(scene.home) == before


def test_a_text_is_split_at_line_ends(scene: Scene) -> None:
    rows = [f"第{n}行 " + "x" * (n * 7 % 50) + "\n" for n in range(400)]
    (scene.home / "a.txt").write_text("".join(rows))
    before = snapshot(scene.home)
    act(scene, "file.split", path="a.txt", parts="7")
    parts = [(scene.home / f"a.txt.{n:03}").read_text() for n in range(1, 8)]
    assert "".join(parts) == "".join(rows) and all(p.endswith("\n") for p in parts)
    sizes = [len(p.encode()) for p in parts]
    assert max(sizes) - min(sizes) <= 2 * max(len(r.encode()) for r in rows)
    act(scene, "history.undo")
    assert snapshot(scene.home) == before


def test_a_text_of_too_few_lines_is_cut_between_characters(scene: Scene) -> None:
    (scene.home / "a.txt").write_text("张三李四王五\n" + "赵六")
    (step,) = look("file.split", path="a.txt", parts="5")
    assert "in the middle of lines" in step.describe() and len(step.makes()) == 5
    act(scene, "file.split", path="a.txt", parts="5")
    assert "".join((scene.home / f"a.txt.00{n}").read_text() for n in range(1, 6)) == "张三李四王五\n赵六"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.lists(st.sampled_from(["a", "é", "苹", "\n", "\r\n", "long"]), min_size=1, max_size=40).map("".join),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"]),
    parts=st.integers(2, 8),
)
def test_cuts_are_line_ends_wherever_there_are_lines_enough(tmp_path: Path, text: str, encoding: str, parts: int) -> None:
    data = text.encode(encoding)
    (tmp_path / "a").write_bytes(data)
    if encoding_of(data) not in (encoding, "ascii"):  # a few characters without a mark may look like something else
        return
    with open(tmp_path / "a", "rb") as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "CHUNK", 8)
        found = cutting.cuts(file.fileno(), len(data), parts)
    lines = text.count("\n") + (not text.endswith("\n"))
    if found is None:
        assert lines < parts
        return
    places, whole = found
    codec = encoding if encoding.endswith("be") else {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(encoding, "utf-8")
    edges = [0, *places, len(data)]
    pieces = [data[a:b].decode(codec) for a, b in pairwise(edges)]
    assert edges == sorted(set(edges)) and len(pieces) == parts and whole == (lines >= parts)
    assert not whole or all(p.endswith("\n") for p in pieces[:-1])


def test_joined_texts_keep_their_lines_and_pieces_their_bytes(scene: Scene) -> None:
    build(scene.home, {
        "a.txt": "no end", "b.txt": "win\r\nend", "c.md": "", "d.md": "last", "x.csv": "\ufeffid,n\r\n1,2\r\n", "y.csv": "id,n\n3,4", "z.csv": "id,n",
        "w.csv": "id,m\n5,6\n", "log.txt.001": "ha", "log.txt.002": "lf\n", "xaa": "ha", "xab": "lf", "p.bin": b"\0", "q.txt": "q",
    })  # fmt: skip
    for sources, whole in (
        (("a.txt", "b.txt", "c.md", "d.md"), "no end\nwin\r\nend\r\nlast"),
        (("x.csv", "y.csv", "z.csv", "y.csv"), "\ufeffid,n\r\n1,2\r\n3,4\n3,4"),
        (("y.csv", "w.csv"), "id,n\n3,4\nid,m\n5,6\n"),
        (("y.csv", "a.txt"), "id,n\n3,4\nno end"),
        ("log.txt.*", "half\n"),
        (("xaa", "xab"), "half"),
        (("q.txt", "p.bin", "q.txt"), "q\0q"),
    ):
        before = snapshot(scene.home)
        act(scene, "file.join", paths=sources, to="whole")
        assert (scene.home / "whole").read_bytes().decode() == whole
        act(scene, "history.undo")
        assert snapshot(scene.home) == before
    wide = ",".join(f"column{n}" for n in range(10_000)) + "\n"
    (scene.home / "wide.csv").write_text(wide)
    (step,) = look("file.join", paths=("wide.csv", "wide.csv"), to="whole")
    assert not step.starts, "what is longer than was read of it is not taken for a row of names"  # type: ignore[attr-defined]
    (step,) = look("file.join", paths=("x.csv", "y.csv", "y.csv"), to="whole")
    assert "their first row once" in step.describe() and "a line end behind y.csv" in step.describe()


@pytest.mark.parametrize(
    ("name", "hint"), [("a.pdf", "pdf.merge"), ("a.JPG", "image.join"), ("a.mp3", "media.join"), ("a.mkv", "media.join"), ("a.docx", "document.convert")]
)
def test_files_with_an_inner_order_are_not_put_one_behind_the_other(scene: Scene, name: str, hint: str) -> None:
    build(scene.home, {name: "x", "b.txt": "y"})
    for paths in ((name, "b.txt"), ("b.txt", name)):
        with pytest.raises(NotPossible) as caught:
            look("file.join", paths=paths, to="whole")
        assert hint in caught.value.hint and ".001" in caught.value.hint


def test_undo_of_split_keeps_parts_that_were_changed(scene: Scene) -> None:
    build(scene.home, {"a": "0123456789"})
    act(scene, "file.split", path="a", size="3")
    (scene.home / "a.002").write_text("mine")
    with pytest.raises(Refused, match="have changed"):
        act(scene, "history.undo")
    assert len(os.listdir(scene.home)) == 5


def test_split_and_join_refuse(scene: Scene) -> None:
    build(scene.home, {"a": "0123456789", "zero": b"\x00123456789", "empty": "", "folder/x": "x"})
    for path, written in (("a", {"size": "1", "lines": "1"}), ("a", {"parts": "11"}), ("zero", {"parts": "6"}), ("a", {"size": "0.1"})):
        with pytest.raises(Refused):
            look("file.split", path=path, **written)
    with pytest.raises(BadArgument):
        look("file.split", path="a")
    with pytest.raises(Refused, match="is empty"):
        look("file.split", path="empty", parts="2")
    with pytest.raises(Refused, match="not a regular file"):
        look("file.split", path="folder", parts="2")
    (scene.home / "big").touch()
    os.truncate(scene.home / "big", 1 << 30)
    with pytest.raises(Refused, match="at most"):
        look("file.split", path="big", size="10")
    with pytest.raises(Refused, match="at least two"):
        look("file.join", paths="a", to="b")
    with pytest.raises(Refused, match="not a regular file"):
        look("file.join", paths=("a", "folder"), to="b")


def test_too_many_lines_leave_no_part_behind(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    from nlsh.steps import making

    build(scene.home, {"a": "x\n" * 100})
    monkeypatch.setattr(making, "MOST_PARTS", 20)
    (step,) = look("file.split", path="a", lines="1")
    with pytest.raises(Refused, match="more than 20"):
        list(step.apply() or ())
    assert os.listdir(scene.home) == ["a"]


def test_join_notices_a_file_that_changes_while_it_is_read(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    from nlsh.steps import _fs

    build(scene.home, {"a": "aaaa", "b": "bbbb"})
    (step,) = look("file.join", paths=("a", "b"), to="all")
    copy = _fs.copy_range

    def meanwhile(*args: Any) -> None:
        copy(*args)
        with open(scene.home / "a", "a") as file:
            file.write("more")

    monkeypatch.setattr(_fs, "copy_range", meanwhile)
    with pytest.raises(StaleStep, match="changed while it was read"):
        step.apply()
    assert sorted(os.listdir(scene.home)) == ["a", "b"]


def test_big_sparse_files_are_split_and_joined_with_their_holes(scene: Scene) -> None:
    path = scene.home / "big"
    with open(path, "wb") as file:
        file.truncate(5 << 30)
        file.seek((4 << 30) + 5)
        file.write(b"here")
    act(scene, "file.split", path="big", parts="2")
    act(scene, "file.join", paths=("big.001", "big.002"), to="whole")
    whole = os.stat(scene.home / "whole")
    assert whole.st_size == 5 << 30 and whole.st_blocks < 1000
    with open(scene.home / "whole", "rb") as made:
        made.seek((4 << 30) + 5)
        assert made.read(4) == b"here"


def test_steps_come_back_from_json(scene: Scene) -> None:
    import json

    build(scene.home, {"a": "a", "b": "b"})
    known = identify(str(scene.home / "a"))
    steps: list[Step] = [
        MakeFile("/x", "text\udcff", 5), JoinFiles((("/a", known), ("/b", known)), "/c", 7), SplitFile("/a", known, 1, 0, 3, 9), AddName("/a", "/b", known),
        SetFlag("/a", "immutable", True, known),
    ]  # fmt: skip
    for step in steps:
        for each in (step, step.inverse()):
            assert each is not None
            assert step_from_data(json.loads(json.dumps(each.as_data()))) == each
        again = step.inverse().inverse()  # type: ignore[union-attr]
        assert again == step


# --- rename_all ----------------------------------------------------------------------------------------------------------


def names(scene: Scene, under: str = ".") -> list[str]:
    return sorted(os.listdir(scene.home / under))


@pytest.mark.parametrize(
    ("there", "written", "then"),
    [
        (["a.tar.gz", "b.txt"], {"suffix": "-old"}, ["a-old.tar.gz", "b-old.txt"]),
        (["it's fine.TXT", "don't stop.md"], {"case": "title"}, ["Don't Stop.md", "It's Fine.TXT"]),
        (["ONE.TXT", "Ünder.Md"], {"case": "lower"}, ["one.txt", "ünder.md"]),
        (["one.txt"], {"case": "upper"}, ["ONE.TXT"]),
        (["a b c", "d e"], {"spaces": "dashes"}, ["a-b-c", "d-e"]),
        (["a b c"], {"spaces": "下划线"}, ["a_b_c"]),
        (["a", "b.md", "c.tar.gz"], {"extension": ".txt"}, ["a.txt", "b.txt", "c.txt"]),
        (["x1", "x10", "x2"], {"number": True, "keep": True}, ["x1-001", "x10-003", "x2-002"]),
        (["x1.JPG", "y.tar.gz", ".h"], {"number": True}, ["001.JPG", "002.tar.gz", ".h"]),
        (["x1.jpeg", "x2.jpeg"], {"number": True, "prefix": "trip ", "extension": "jpg"}, ["trip 001.jpg", "trip 002.jpg"]),
        (["a.txt", "b.txt"], {"number": True, "suffix": "-old"}, ["a-old-001.txt", "b-old-002.txt"]),
        (["IMG a", "IMG b"], {"number": True, "replace": "IMG "}, ["a-001", "b-002"]),
        (["a b"], {"number": True, "spaces": "_"}, ["a_b-001"]),
        (["a.txt", "b.txt"], {"prefix": "n-", "case": "upper", "number": True}, ["n-A-001.TXT", "n-B-002.TXT"]),
        (["two\nlines", "-rf"], {"prefix": "x"}, ["x-rf", "xtwo\nlines"]),
        ([os.fsdecode(b"\xff.txt")], {"prefix": "x"}, [os.fsdecode(b"x\xff.txt")]),
        (["IMG_1", "IMG_2"], {"replace": "IMG_", "by": "p"}, ["p1", "p2"]),
        ([".hidden", "a"], {"prefix": "x"}, [".hidden", "xa"]),
    ],
)
def test_new_names(scene: Scene, there: list[str], written: dict[str, Any], then: list[str]) -> None:
    build(scene.home, {f"d/{n}": n for n in there})
    (scene.home / "d" / "inner").mkdir()
    before = snapshot(scene.home)
    act(scene, "file.rename_all", paths="d", **written)
    assert names(scene, "d") == sorted([*then, "inner"])
    act(scene, "history.undo")
    assert snapshot(scene.home) == before


@pytest.mark.parametrize(
    ("plan", "order"),
    [
        ('file.rename_all("d", number=true)', "1 2 10"),
        ('file.rename_all("d/*", number=true)', "1 2 10"),
        ('a = file.find(under="d"); file.rename_all(a, number=true)', "1 2 10"),
        ('a = file.find(under="d"); b = result.filter(a, containing="IMG"); file.rename_all(b, number=true)', "1 2 10"),
        ('a = file.list("d"); file.rename_all(a, number=true)', "1 2 10"),
        # An order that was asked for is the order.
        ('a = file.find(under="d", sort="newest"); file.rename_all(a, number=true)', "10 1 2"),
        ('a = file.find(under="d"); b = result.sort(a, by="oldest"); file.rename_all(b, number=true)', "2 1 10"),
        ('a = file.find(under="d", sort="newest"); b = result.take(a, first="2"); file.rename_all(b, number=true)', "10 1"),
        ('file.rename_all(["d/IMG10.jpg", "d/IMG2.jpg", "d/IMG1.jpg"], number=true)', "10 2 1"),
    ],
)
def test_numbers_are_given_in_the_order_of_the_names_unless_another_was_asked_for(scene: Scene, plan: str, order: str) -> None:
    build(scene.home, {"d/IMG1.jpg": {"text": "1", "age": "5d"}, "d/IMG2.jpg": {"text": "2", "age": "9d"}, "d/IMG10.jpg": {"text": "10", "age": "1d"}})
    before = snapshot(scene.home)
    assert scene.play(plan).error is None
    assert [(scene.home / f"d/{n:03d}.jpg").read_text() for n in range(1, len(order.split()) + 1)] == order.split()
    act(scene, "history.undo")
    assert snapshot(scene.home) == before


def test_what_was_found_in_an_earlier_turn_is_numbered_by_name(scene: Scene) -> None:
    for sort, order in (("", "1 2 10"), (', sort="oldest"', "2 1 10")):
        folder = f"d{len(sort)}"
        build(scene.home, {f"{folder}/IMG{n}.jpg": {"text": str(n), "age": age} for n, age in ((1, "5d"), (2, "9d"), (10, "1d"))})
        assert scene.play(f'file.find(under="{folder}"{sort})').error is None
        assert scene.play("file.rename_all(_, number=true)").error is None
        assert [(scene.home / f"{folder}/{n:03d}.jpg").read_text() for n in (1, 2, 3)] == order.split()


def test_numbering_again_renames_only_what_is_new(scene: Scene) -> None:
    build(scene.home, {"d/a.jpg": "a", "d/b.jpg": "b"})
    act(scene, "file.rename_all", paths="d", number=True)
    build(scene.home, {"d/c.jpg": "c"})
    (step,) = look("file.rename_all", paths="d", number=True)
    assert step.describe().endswith("/d/c.jpg to 003.jpg")


def noted(scene: Scene, plan: str) -> tuple[str, ...]:
    """Return what the preview of a plan says beside its steps."""
    assert scene.kernel is not None
    return tuple(note for call in scene.kernel.preview(registry.parse(plan)).calls for note in call.notes)


def test_the_preview_names_what_keeps_its_name(scene: Scene) -> None:
    build(scene.home, {"d/A": "a", "d/Sub/B": "b", "d/Other": None, "d/.hidden": "h", "e/A": "a", "f/A": "a", "f/Sub": None})
    left = f"Only the files directly in {scene.home}/"
    assert noted(scene, 'file.rename_all("d", case="lower")') == (f"{left}d get new names; left as they are: 2 folders and all in them and 1 hidden name.",)
    assert noted(scene, 'file.rename_all("f", case="lower")') == (f"{left}f get new names; left as they are: 1 folder and all in it.",)
    assert noted(scene, 'file.rename_all("e", case="lower")') == noted(scene, 'file.rename_all("d/*", case="lower")') == ()


def test_a_row_of_renames_gives_way_in_the_right_order(scene: Scene) -> None:
    build(scene.home, {"a": "a", "ba": "ba", "bba": "bba"})
    between = there_and_back(scene, "file.rename_all", paths=("a", "ba", "bba"), prefix="b")
    assert {"ba", "bba", "bbba"} <= set(between) and "a" not in between


def test_a_folder_and_what_is_in_it_get_new_names_together(scene: Scene) -> None:
    build(scene.home, {"Dir/Sub/File": "f", "Dir/Other": "o"})
    paths = tuple(str(scene.home / p) for p in ("Dir", "Dir/Sub", "Dir/Sub/File", "Dir/Other"))
    between = there_and_back(scene, "file.rename_all", paths=paths, case="lower")
    assert {"dir/sub/file", "dir/other"} <= set(between)


def test_renames_that_would_collide_are_refused_and_nothing_moves(scene: Scene) -> None:
    build(scene.home, {"a-x.txt": "1", "a-y.txt": "2", "a.txt": "3", "d/one": "1", "d/x": None})
    before = snapshot(scene.home)
    for written in (
        {"paths": ("a-x.txt", "a-y.txt"), "replace": "-x"}, {"paths": ("a-x.txt", "a.txt"), "replace": "-x"}, {"paths": "d", "replace": "one"},
        {"paths": "d", "prefix": "../"}, {"paths": "d", "replace": "one", "by": "x"}, {"paths": "*.txt", "suffix": "s" * 250},
    ):  # fmt: skip
        with pytest.raises(Refused):
            look("file.rename_all", **written)
    with pytest.raises(NotFound):
        look("file.rename_all", paths="d/x", prefix="y")
    with pytest.raises(BadArgument):
        look("file.rename_all", paths="d", by="y")
    assert look("file.rename_all", paths="d", replace="not in it", by="y") == ()
    assert snapshot(scene.home) == before


@pytest.mark.parametrize("what", ["/", "/usr/bin", "/etc", "/*", "/etc/*", "/usr/../etc/*.*", "/usr/bin/?*"])
def test_all_that_is_in_a_system_folder_is_never_meant(scene: Scene, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused, match="system folder"):
        look("file.rename_all", paths=what, prefix="x")
    if "*" in what:
        for action, written in (("file.trash", {}), ("file.delete", {}), ("file.chmod", {"mode": "777"}), ("file.move", {"to": str(scene.home)})):
            with pytest.raises(Refused, match="all that is in the system folder"):
                look(action, paths=what, **written)
        monkeypatch.chdir("/etc")
        with pytest.raises(Refused, match="all that is in the system folder /etc"):
            look("file.trash", World(cwd="/etc", home=str(scene.home)), paths="*")
    build(scene.home, {"a/x": "x", "a/y": "y"})
    assert len(look("file.trash", paths=str(scene.home / "a/*"))) == 2


def test_only_case_changes_where_case_does_not_matter(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system where README and readme are one name, renaming to the other case goes by way of a third."""
    from nlsh.actions.file import _renaming

    there = {"/d/README": 1, "/d/other": 2}

    def find(path: str) -> str | None:
        return next((p for p in there if p.lower() == path.lower()), None)

    def same(path: str, other: str) -> bool:
        return path != other and find(path) == find(other) is not None

    disk = _renaming.Names(lambda p: find(p) is not None, same)
    found = list(_renaming.ordered({"/d/README": "/d/readme"}, disk))
    assert found == [("/d/README", "/d/.README.aside"), ("/d/.README.aside", "/d/readme")]
    with pytest.raises(Refused):
        list(_renaming.ordered({"/d/README": "/d/OTHER"}, disk))
    with pytest.raises(Refused):
        list(_renaming.ordered({"/d/README": "/d/new", "/d/other": "/d/NEW"}, disk))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_only_case_changes_on_a_real_file_system_where_case_does_not_matter(scene: Scene) -> None:
    mount = scene.home / "mount"
    mount.mkdir()
    made = _without_case(scene.folder / "image", mount)
    if made is None:
        pytest.skip("no file system in which case does not matter can be mounted here")
    try:
        build(made, {"README": "r", "Notes.txt": "n", "other": "o"})
        assert (made / "readme").exists(), "case does matter here"
        act(scene, "file.rename_all", paths=str(made), case="upper")
        assert names(scene, str(made)) == ["NOTES.TXT", "OTHER", "README"]
        act(scene, "history.undo")
        assert names(scene, str(made)) == ["Notes.txt", "README", "other"]
        act(scene, "file.rename", path=str(made / "README"), to="readme")
        assert "readme" in names(scene, str(made)) and (made / "readme").read_text() == "r"
        with pytest.raises(Refused):
            look("file.rename_all", paths=(str(made / "readme"),), replace="readme", by="OTHER")
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def _without_case(image: Path, mount: Path) -> Path | None:
    """Mount a file system with a folder in which case does not matter, and return that folder."""
    with open(image, "wb") as file:
        file.truncate(16 << 20)
    for make, inside in ((["mkfs.vfat", str(image)], "."), (["mkfs.ext4", "-q", "-O", "casefold", "-E", "encoding=utf8", str(image)], "folder")):
        try:
            for command in (make, ["mount", "-o", "loop", str(image), str(mount)]):
                subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        folder = mount / inside
        folder.mkdir(exist_ok=True)
        if inside == "." or subprocess.run(["chattr", "+F", str(folder)], capture_output=True).returncode == 0:
            return folder
        subprocess.run(["umount", str(mount)], check=True)
    return None


# --- sync ----------------------------------------------------------------------------------------------------------------


def test_sync_keeps_modes_times_attributes_links_and_hard_links(scene: Scene) -> None:
    build(
        scene.home,
        {
            "from/run": {"text": "x", "mode": "751", "age": "9d", "xattr": {"user.note": "n"}}, "from/sub/deep/file": {"text": "f", "age": "8d"},
            "from/link": {"link": "../nowhere"}, "from/zero": "", "from/two\nlines": "t", "from/-rf": "r", "to/sub/kept": "kept",
        },
    )  # fmt: skip
    os.link(scene.home / "from/run", scene.home / "from/second")
    os.mkfifo(scene.home / "from/pipe")
    between = there_and_back(scene, "file.sync", path="from", to="to")
    for name in ("run", "second", "sub/deep/file", "zero", "two\nlines", "-rf", "link", "pipe"):
        assert between[f"to/{name}"] == between[f"from/{name}"], name
    assert between["to/sub/kept"][4] == 4
    act(scene, "file.sync", path="from", to="to")
    assert os.stat(scene.home / "to/run").st_ino == os.stat(scene.home / "to/second").st_ino
    assert look("file.sync", path="from", to="to") == (), "what is up to date is left alone"


def test_sync_replaces_what_is_older_and_keeps_it_in_the_trash(scene: Scene) -> None:
    build(
        scene.home,
        {
            "from/a": {"text": "new", "age": "1d"}, "to/a": {"text": "old", "age": "5d", "mode": "600", "xattr": {"user.note": "mine"}},
            "from/l": {"link": "b"}, "to/l": {"link": "c"}, "from/mode": {"text": "m", "mode": "700", "age": "3d"},
        },
    )  # fmt: skip
    status = os.stat(scene.home / "from/mode")
    (scene.home / "to/mode").write_text("m")
    os.utime(scene.home / "to/mode", ns=(status.st_mtime_ns, status.st_mtime_ns))
    between = there_and_back(scene, "file.sync", path="from", to="to")
    assert between["to/a"] == between["from/a"] and between["to/l"][-1] == "b" and "0" not in between["to/mode"][0]
    assert between[".local/share/Trash/files/a"][5] == (("user.note", b"mine"),)
    assert between["to/mode"][0] == "-rwx------"


def test_sync_leaves_what_is_newer_there_and_says_so(scene: Scene) -> None:
    build(
        scene.home,
        {
            "from/a": {"text": "old", "age": "5d"}, "to/a": {"text": "edited there", "age": "1d"}, "from/b": {"text": "new", "age": "1d"},
            "to/b": {"text": "old", "age": "5d"}, "from/link": {"link": "a"}, "to/link": {"text": "edited, too", "age": "0s"},
        },
    )  # fmt: skip
    os.link(scene.home / "from/a", scene.home / "from/second")
    note = f"a, link are newer in {scene.home}/to than in {scene.home}/from"
    assert noted(scene, 'file.sync("from", to="to")') == (f"{note} and stay as they are. force=true replaces them.",)
    between = there_and_back(scene, "file.sync", path="from", to="to")
    assert between["to/a"][4] == len("edited there") and between["to/link"][4] == len("edited, too") and between["to/b"] == between["from/b"]
    assert between["to/second"][4] == 3, "its other name there holds something else by now"
    for more in ({"force": True}, {"mirror": True}):
        plan = f'file.sync("from", to="to", {next(iter(more))}=true)'
        assert noted(scene, plan) == (f"{note} and are replaced, too: the newer ones go to the trash.",)
        between = there_and_back(scene, "file.sync", path="from", to="to", **more)
        assert between["to/a"] == between["from/a"] and between["to/link"][-1] == "a"
        assert between[".local/share/Trash/files/a"][4] == len("edited there")


def test_where_all_is_newer_there_nothing_is_done_and_the_reason_is_told(scene: Scene) -> None:
    build(scene.home, {"from/a": {"text": "old", "age": "5d"}, "to/a": {"text": "edited", "age": "1d"}})
    assert scene.kernel is not None
    outcome = scene.kernel.run(scene.kernel.preview(registry.parse('file.sync("from", to="to")')))
    assert outcome.status == "nothing"
    assert [r.text for r in outcome.records] == [f"a is newer in {scene.home}/to than in {scene.home}/from and stays as it is. force=true replaces it."]


def test_what_the_preview_notes_is_among_the_results_too_where_nothing_asks(scene: Scene) -> None:
    build(scene.home, {"from/a": {"text": "old", "age": "5d"}, "to/a": {"text": "edited", "age": "1d"}, "from/b": "b"})
    played = scene.play('file.sync("from", to="to")')
    assert played.outcome is not None and [r.text[:13] for r in played.outcome.records if isinstance(r, Note)] == ["a is newer in"]
    assert scene.kernel is not None and scene.kernel.last is not None and not scene.kernel.last.notes, "it is not what a later call works on"


def test_mirror_moves_to_the_trash_and_never_deletes(scene: Scene) -> None:
    build(scene.home, {"from/a": "a", "from/kind/x": "x", "to/extra/deep": "e", "to/kind": "a file", "to/gone": {"link": "nowhere"}})
    with pytest.raises(Refused, match="mirror=true"):
        look("file.sync", path="from", to="to")
    between = there_and_back(scene, "file.sync", path="from", to="to", mirror=True)
    assert {n for n in between if n.startswith("to/")} == {"to/a", "to/kind", "to/kind/x"}
    assert {".local/share/Trash/files/extra/deep", ".local/share/Trash/files/kind", ".local/share/Trash/files/gone"} <= set(between)


def test_undo_of_sync_keeps_what_was_changed_since(scene: Scene) -> None:
    build(scene.home, {"from/a": {"text": "new", "age": "1d"}, "to/a": {"text": "old", "age": "5d"}})
    act(scene, "file.sync", path="from", to="to")
    (scene.home / "to/a").write_text("mine")
    with pytest.raises(Refused, match="has changed"):
        act(scene, "history.undo")
    assert (scene.home / "to/a").read_text() == "mine"


def test_sync_refuses_what_cannot_be(scene: Scene) -> None:
    build(scene.home, {"a/b/c": "c", "file": "f", "link": {"link": "a"}})
    for path, to in (("a", "a"), ("a", "a/b"), ("a/b", "a"), ("file", "x"), ("a", "file"), ("a", "link")):
        with pytest.raises(Refused):
            look("file.sync", path=path, to=to)
    with pytest.raises(NotFound):
        look("file.sync", path="missing", to="a")
    (scene.home / "not mounted").mkdir()
    with pytest.raises(Refused, match="would throw away all"):
        look("file.sync", path="not mounted", to="a", mirror=True)
    assert look("file.sync", path="not mounted", to="new", mirror=True) and look("file.sync", path="not mounted", to="a") == ()


@not_as_root
def test_sync_says_what_it_may_not_read(scene: Scene) -> None:
    build(scene.home, {"a/closed/c": "c"})
    os.chmod(scene.home / "a/closed", 0)
    try:
        with pytest.raises(NotPossible, match="cannot be read"):
            look("file.sync", path="a", to="b")
    finally:
        os.chmod(scene.home / "a/closed", 0o755)


def test_a_failing_replacement_leaves_the_old_file_where_it_was(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    from nlsh.steps import _fs

    build(scene.home, {"from/a": {"text": "new", "age": "1d"}, "to/a": {"text": "old", "age": "5d"}, ".local/share/Trash/files/x": "x"})
    (scene.home / ".local/share/Trash/info").mkdir()
    (step,) = look("file.sync", path="from", to="to")
    before = snapshot(scene.home)
    for broken in ("copy_data", "exchange"):
        with monkeypatch.context() as patch:

            def full(*_: object) -> None:
                raise OSError(28, "No space left on device")

            patch.setattr(_fs, broken, full)
            with pytest.raises(NotPossible, match="No space left"):
                step.apply()
        now = snapshot(scene.home)
        assert {p: f[:3] + f[4:] for p, f in now.items()} == {p: f[:3] + f[4:] for p, f in before.items()}


# --- open ----------------------------------------------------------------------------------------------------------------


def test_open_says_what_is_missing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    build(scene.home, {"a.pdf": "a"})
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(NotPossible, match="no display"):
        look("file.open", paths="a.pdf")
    monkeypatch.setenv("DISPLAY", ":99")
    with pytest.raises(NotPossible, match="no program no-such-program"):
        look("file.open", paths="a.pdf", program="no-such-program")
    monkeypatch.setattr("nlsh.world.tools.present", lambda name: f"/usr/bin/{name}")
    with pytest.raises(NotPossible, match="message bus"):
        look("file.open", paths="a.pdf")
    monkeypatch.setattr("nlsh.world.tools.present", lambda name: None)
    with pytest.raises(NotPossible, match="gio is not installed"):
        look("file.open", paths="a.pdf")
    with pytest.raises(NotFound):
        look("file.open", paths="b.pdf")


def test_open_starts_it_outside_the_sandbox_over_a_real_bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's systemd is one of the tests' own, on a real bus; what it starts writes down what it was given."""
    from tests.unit.actions.fake_bus import Bus, Systemd
    from tests.unit.actions.fake_bus import scene as on_bus

    bus, systemd = Bus(tmp_path), Systemd()
    try:
        bus.serve(systemd)
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus.address)
        monkeypatch.setenv("DISPLAY", ":99")
        opener = tmp_path / "opener"
        opener.write_text(f'#!/bin/sh\nprintf "%s %s" "$DISPLAY" "$1" > {tmp_path}/opened\n')
        opener.chmod(0o755)
        monkeypatch.setattr("nlsh.world.tools.present", lambda name: str(opener) if name == "xdg-open" else None)
        with on_bus(tmp_path, given={"a $HOME.pdf": "a"}) as scene:
            assert scene.kernel is not None
            preview = scene.kernel.preview(Plan((Call("file.open", {"paths": "a $HOME.pdf"}),)))
            assert "outside nlsh's sandbox" in preview.calls[0].steps[0].describe() and preview.calls[0].no_undo
            outcome = scene.kernel.run(preview)
            assert outcome.status == "done", outcome.errors
            assert (tmp_path / "opened").read_text() == f":99 file://{scene.home}/a%20%24HOME.pdf"
            (started,) = [body for method, body in systemd.calls if method == "StartTransientUnit"]
            assert {k: v[1] for k, v in started[2]}["Type"] == "exec", "it is not waited for"
    finally:
        bus.close()


def test_open_hands_any_name_on_as_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    from nlsh.actions.file import open as opening

    monkeypatch.setattr("nlsh.world.tools.present", lambda name: None if name == "gio" else f"/usr/bin/{name}")
    assert opening._command("/a b/$HOME/" + os.fsdecode(b"\xff\n"), None) == ("/usr/bin/xdg-open", "file:///a%20b/%24HOME/%FF%0A")
    assert opening._command("/-rf", "eog") == ("/usr/bin/eog", "/-rf")
    with pytest.raises(NotPossible, match="is not text"):
        opening._command(os.fsdecode(b"/\xff"), "eog")


def test_identity_of_a_made_file_is_known_before_it_is_made(tmp_path: Path) -> None:
    step = MakeFile(str(tmp_path / "a"), "text", 1_600_000_000_123_456_789)
    step.apply()
    assert identity(os.lstat(tmp_path / "a"))[2:] == (1_600_000_000_123_456_789, 4) and step.state() == "done"
