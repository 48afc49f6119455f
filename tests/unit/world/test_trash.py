"""Which trash a thing goes to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nlsh.world import trash


def test_home_trash_and_what_is_missing_of_it(home: Path) -> None:
    (home / "a").touch()
    found = trash.bin_for(str(home / "a"))
    assert found.folder == str(home / ".local/share/Trash") and found.written == str(home / "a") and found.same_device
    share, bin = home / ".local/share", home / ".local/share/Trash"
    assert found.missing == tuple(str(p) for p in (share.parent, share, bin, bin / "files", bin / "info"))
    os.makedirs(home / ".local/share/Trash/files")
    assert trash.bin_for(str(home / "a")).missing == (str(home / ".local/share/Trash/info"),)


@pytest.fixture
def elsewhere(home: Path) -> Iterator[Path]:
    """Give a file on another file system, in a folder that seems to be its top."""
    shm = Path("/dev/shm")
    if not shm.is_dir() or os.stat(shm).st_dev == os.stat(home).st_dev or not os.access(shm, os.W_OK):
        pytest.skip("there is no second file system")
    folder = shm / f"nlsh-test-{os.getpid()}"
    folder.mkdir()
    (folder / "a").touch()
    yield folder
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    folder.rmdir()


def test_another_file_system_has_a_trash_of_its_own(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trash, "_top_of", lambda folder, device: str(elsewhere))
    uid = os.getuid()
    found = trash.bin_for(str(elsewhere / "a"))
    assert found.folder == str(elsewhere / f".Trash-{uid}") and found.written == "a" and found.same_device
    (elsewhere / ".Trash").mkdir()
    assert trash.bin_for(str(elsewhere / "a")).folder == str(elsewhere / f".Trash-{uid}"), "without the sticky bit it is not trusted"
    os.chmod(elsewhere / ".Trash", 0o1777)
    assert trash.bin_for(str(elsewhere / "a")).folder == str(elsewhere / ".Trash" / str(uid))
    (elsewhere / ".Trash").rmdir()
    (elsewhere / f".Trash-{uid}").symlink_to("/tmp")
    found = trash.bin_for(str(elsewhere / "a"))
    assert found.folder.endswith(".local/share/Trash") and not found.same_device, "a link is not trusted"


def test_the_top_of_a_file_system_is_found(elsewhere: Path) -> None:
    assert trash._top_of(str(elsewhere), os.stat(elsewhere).st_dev) == "/dev/shm"


def test_names_in_the_trash_are_free_and_fit(home: Path) -> None:
    for folder in ("T/files", "T/info"):
        (home / folder).mkdir(parents=True)
    (home / "T/files/a.tar.gz").touch()
    (home / "T/info/b.trashinfo").touch()
    bin = str(home / "T")
    assert trash.free_name(bin, "c") == "c"
    assert trash.free_name(bin, "a.tar.gz") == "a.2.tar.gz"
    assert trash.free_name(bin, "b") == "b.2"
    assert trash.free_name(bin, "c", {f"{bin}/files/c", f"{bin}/files/c.2"}) == "c.3"
    assert trash.free_name(bin, ".bashrc", {f"{bin}/files/.bashrc"}) == ".bashrc.2"
    long = trash.free_name(bin, "文" * 85)
    (home / "T/info" / f"{long}.trashinfo").touch()
    (home / "T/files" / long).touch()
    (home / "T/info" / f"{trash.free_name(bin, '文' * 85)}.trashinfo").touch()


def test_what_is_in_a_trash_is_known(home: Path) -> None:
    assert trash.is_in_trash(str(home / ".local/share/Trash/files/a"))
    assert trash.is_in_trash(f"/mnt/.Trash-{os.getuid()}/files/a")
    assert not trash.is_in_trash(str(home / "Trash/a"))
