"""What is in the trash: of the home folder and of other mounts, back from it, and gone for good."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from nlsh.plan.errors import BadArgument, NotFound, Refused, StaleStep
from nlsh.steps.trash import info_text
from nlsh.testing import Scene, build, snapshot
from nlsh.world.trash import all_trashed, bins, free_name
from tests.unit.actions.conftest import act, look, mounted

ODD = ["two\nlines", "-rf", "it's", 'a "quoted" name', os.fsdecode(b"caf\xe9\xff"), "文件", "a b ", "100%", "x" * 255, ".hidden", "=[x]"]
TRASH = ".local/share/Trash"


def trashed(home: Path, name: str, path: str, when: str = "2024-01-02T03:04:05", text: str = "t") -> None:
    """Put something into the trash the way another program does."""
    build(home, {f"{TRASH}/files/{name}": text, f"{TRASH}/info/{name}.trashinfo": info_text(path, when)})


def listed(scene: Scene, **written: Any) -> list[str]:
    return [r.path for r in act(scene, "trash.list", **written).records]


@pytest.mark.parametrize("name", ODD)
def test_any_name_goes_to_the_trash_is_listed_and_comes_back(scene: Scene, name: str) -> None:
    path = scene.home / "d" / name
    path.parent.mkdir()
    path.write_text("inside")
    os.setxattr(path, "user.note", b"n")
    os.utime(path, ns=(1, 1_600_000_000_123_456_789))
    before = snapshot(scene.home / "d")
    act(scene, "file.trash", paths=(str(path),))
    assert listed(scene) == [str(path)]
    in_trash = snapshot(scene.home)
    act(scene, "trash.restore", names=(str(path),))
    assert {p: f for p, f in snapshot(scene.home / "d").items() if p != "."} == {p: f for p, f in before.items() if p != "."}
    assert listed(scene) == []
    act(scene, "history.undo")
    assert snapshot(scene.home) == in_trash, "what was restored is in the trash again, its information with its time and mode"


def test_what_was_deleted_last_comes_first_and_back_first(scene: Scene) -> None:
    for number, when in enumerate(("2024-03-01T00:00:00", "2024-05-01T00:00:00", "2024-01-01T00:00:00")):
        trashed(scene.home, f"n{number}", f"{scene.home}/place/n{number}", when)
    assert [os.path.basename(p) for p in listed(scene)] == ["n1", "n0", "n2"]
    assert [os.path.basename(p) for p in listed(scene, limit="2")] == ["n1", "n0"]
    before = snapshot(scene.home)
    act(scene, "trash.restore", latest="2")
    assert sorted(os.listdir(scene.home / "place")) == ["n0", "n1"]
    act(scene, "history.undo")
    assert snapshot(scene.home) == before and not (scene.home / "place").exists()


def test_what_a_name_means(scene: Scene) -> None:
    home = scene.home
    trashed(home, "a.2.txt", f"{home}/a.txt", "2024-05-01T00:00:00", "newer")
    trashed(home, "a.txt", f"{home}/a.txt", "2024-01-01T00:00:00", "older")
    trashed(home, "b.log", f"{home}/one/b.log")
    trashed(home, "b.2.log", f"{home}/two/b.log")
    trashed(home, "Report.pdf", f"{home}/Report.pdf")
    for name, path in (
        ("a.txt", "a.txt"),
        ("report", "Report.pdf"),
        ("report.PDF", "Report.pdf"),
        ("one/b.log", "one/b.log"),
        (f"{home}/two/b.log", "two/b.log"),
    ):
        step = look("trash.restore", names=name)[-1]
        assert step.path == f"{home}/{path}", name  # type: ignore[attr-defined]
    assert look("trash.restore", names="a.txt")[-1].name == "a.2.txt"  # type: ignore[attr-defined]
    assert {s.path for s in look("trash.restore", names="*.log") if hasattr(s, "info")} == {f"{home}/one/b.log", f"{home}/two/b.log"}  # type: ignore[attr-defined]
    with pytest.raises(Refused, match="could be any of"):
        look("trash.restore", names="b.log")
    with pytest.raises(NotFound):
        look("trash.restore", names="missing")
    with pytest.raises(BadArgument):
        look("trash.restore")


def test_restore_overwrites_nothing_and_says_when_it_is_late(scene: Scene) -> None:
    trashed(scene.home, "a", f"{scene.home}/a")
    (step,) = look("trash.restore", names="a")
    (scene.home / "a").write_text("new")
    with pytest.raises(Refused, match="already something"):
        look("trash.restore", names="a")
    with pytest.raises(StaleStep):
        step.check()
    (scene.home / "a").unlink()
    (scene.home / TRASH / "files" / "a").unlink()
    with pytest.raises(StaleStep, match="not in the trash any more"):
        step.check()
    with pytest.raises(NotFound):
        look("trash.restore", names="a")


def test_two_of_one_place_do_not_both_come_back(scene: Scene) -> None:
    trashed(scene.home, "a", f"{scene.home}/a", "2024-01-01T00:00:00")
    trashed(scene.home, "a.2", f"{scene.home}/a", "2024-02-01T00:00:00")
    with pytest.raises(Refused, match="already something"):
        look("trash.restore", latest="2")


@pytest.mark.parametrize(
    ("info", "why"),
    [
        ("", "nothing in it"),
        ("[Trash Info]\nPath=../../../etc/cron.d/x\nDeletionDate=2024-01-01T00:00:00\n", "out of the trash"),
        ("[Trash Info]\nPath=\nDeletionDate=never\n", "no path"),
        ("[Trash Info]\nPath=%2e%2e/x\n", "out of the trash, in disguise"),
        ("[Trash Info]\nPath=a%00b\n", "a zero byte"),
        ("x" * 100_000, "too long"),
    ],
)
def test_information_that_is_not_to_be_believed_restores_nothing(scene: Scene, info: str, why: str) -> None:
    build(scene.home, {f"{TRASH}/files/x": "x", f"{TRASH}/info/x.trashinfo": info})
    assert listed(scene) == [f"{scene.home}/{TRASH}/files/x"], why
    with pytest.raises((Refused, NotFound)):
        look("trash.restore", names="x")
    with pytest.raises(Refused, match="Nobody knows"):
        look("trash.restore", latest="1")


def test_a_stick_cannot_name_places_outside_it(tmp_path: Path) -> None:
    from nlsh.world.trash import trashed as read

    bin = tmp_path / ".Trash-0"
    build(tmp_path, {f".Trash-0/files/{n}": n for n in "abc"})
    for name, path in (("a", "/etc/cron.d/x"), ("b", "photos/b.jpg"), ("c", "x/../../y")):
        build(tmp_path, {f".Trash-0/info/{name}.trashinfo": f"[Trash Info]\nPath={path}\nDeletionDate=2024-01-01T00:00:00\n"})
    assert [t.path for t in read(str(bin), str(tmp_path))] == ["", f"{tmp_path}/photos/b.jpg", ""]


def test_empty_deletes_everything_also_what_is_read_only_or_nobodys(scene: Scene) -> None:
    trashed(scene.home, "a", f"{scene.home}/a")
    build(scene.home, {f"{TRASH}/files/closed/sub/b": "b", f"{TRASH}/files/nobodys": "n", f"{TRASH}/files/link": {"link": "/etc"}, "keep": "k"})
    build(
        scene.home,
        {f"{TRASH}/info/closed.trashinfo": info_text("/x", "2024-01-01T00:00:00"), f"{TRASH}/info/gone.trashinfo": info_text("/y", "2024-01-01T00:00:00")},
    )
    for folder in (f"{TRASH}/files/closed/sub", f"{TRASH}/files/closed"):
        os.chmod(scene.home / folder, 0o500)
    act(scene, "trash.empty")
    assert os.listdir(scene.home / TRASH / "files") == [] == os.listdir(scene.home / TRASH / "info")
    assert (scene.home / "keep").exists() and os.path.isdir("/etc")
    with pytest.raises(Refused, match="cannot be undone"):
        act(scene, "history.undo", run="1")
    with pytest.raises(NotFound, match="is empty"):
        look("trash.empty")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_what_is_read_only_is_deleted_by_its_owner_too() -> None:
    import shutil
    import tempfile

    from nlsh.steps.trash import DeleteTrashed
    from nlsh.world.files import identify

    # Not below pytest's own folder, which is closed to others.
    home = Path(tempfile.mkdtemp(prefix="nlsh-test-"))
    try:
        os.chown(home, 65534, 65534)
        pid = os.fork()
        if pid == 0:
            came = 1
            try:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
                build(home, {"T/files/closed/sub/b": "b", "T/info": None})
                for folder in ("T/files/closed/sub", "T/files/closed"):
                    os.chmod(home / folder, 0o500)
                kept = str(home / "T/files/closed")
                DeleteTrashed("/x", str(home / "T"), "closed", identify(kept)).apply()
                came = 2 if os.path.exists(kept) else 0
            finally:
                os._exit(came)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    finally:
        shutil.rmtree(home)


def test_empty_older_leaves_what_is_new_or_of_unknown_age(scene: Scene) -> None:
    trashed(scene.home, "old", "/x/old", "2001-01-01T00:00:00")
    trashed(scene.home, "new", "/x/new", "2999-01-01T00:00:00")
    trashed(scene.home, "odd", "/x/odd", "once upon a time")
    build(scene.home, {f"{TRASH}/files/nobodys": "n"})
    act(scene, "trash.empty", older="30 days")
    assert sorted(os.listdir(scene.home / TRASH / "files")) == ["new", "nobodys", "odd"]


def test_empty_deletes_only_what_was_shown(scene: Scene) -> None:
    trashed(scene.home, "a", "/x/a")
    (step,) = look("trash.empty")
    (scene.home / TRASH / "files" / "a").write_text("something else by now")
    with pytest.raises(StaleStep):
        step.check()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_the_trash_of_another_mount(scene: Scene) -> None:
    with mounted(scene.home / "a stick") as mount:
        build(mount, {"photos/a.jpg": "a", "b": "b"})
        act(scene, "file.trash", paths=(str(mount / "photos"), str(mount / "b")))
        own = str(mount / f".Trash-{os.getuid()}")
        assert own in dict(bins()) and sorted(os.listdir(f"{own}/files")) == ["b", "photos"]
        assert "Path=b\n" in (mount / f".Trash-{os.getuid()}/info/b.trashinfo").read_text()
        assert sorted(listed(scene)) == [str(mount / "b"), str(mount / "photos")]
        act(scene, "trash.restore", names="photos")
        assert (mount / "photos/a.jpg").read_text() == "a"
        act(scene, "history.undo")
        act(scene, "trash.empty")
        assert os.listdir(f"{own}/files") == [] and not (mount / "photos").exists()


def test_a_trash_that_is_a_link_or_somebody_elses_is_not_used(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    build(scene.home, {"mount/x": "x", "elsewhere/files": None, f"mount/.Trash-{os.getuid()}": {"link": "../elsewhere"}})
    monkeypatch.setattr("nlsh.world.trash.tops", lambda: iter([str(scene.home / "mount")]))
    assert all("mount" not in folder for folder, _ in bins())
    (scene.home / f"mount/.Trash-{os.getuid()}").unlink()
    (scene.home / f"mount/.Trash-{os.getuid()}").mkdir()
    assert str(scene.home / f"mount/.Trash-{os.getuid()}") in dict(bins())


def test_many_of_one_name_are_not_counted_from_the_start_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0
    lexists = os.path.lexists

    def counted(path: str) -> bool:
        nonlocal asked
        asked += 1
        return lexists(path)

    monkeypatch.setattr(os.path, "lexists", counted)
    numbers: dict[str, int] = {}
    taken: set[str] = set()
    for _ in range(2000):
        taken.add(os.path.join(str(tmp_path), "files", free_name(str(tmp_path), "index.html", taken, numbers)))
    assert len(taken) == 2000 and asked < 10_000
    assert all_trashed() is not None
