"""Bringing one folder up to date with another: no file that was changed later is lost, all else arrives, and undo gives back exactly what was there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from nlsh.plan import registry
from nlsh.world import World

NAMES = ["a", "b", "d/a", "d/e/f", "two\nlines", "文件"]
# What is under a name: content and time in seconds; times less than two seconds apart may be one time on other file systems.
FILES = st.dictionaries(st.sampled_from(NAMES), st.tuples(st.sampled_from(["x", "yy", "zzz"]), st.sampled_from([10, 20, 30])), max_size=len(NAMES))
Files = dict[str, tuple[str, int]]


def make(root: Path, files: Files) -> None:
    root.mkdir()
    for name, (content, at) in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
        os.utime(root / name, (at, at))


def found(root: Path) -> Files:
    return {str(p.relative_to(root)): (p.read_text(), int(p.stat().st_mtime)) for p in root.rglob("*") if p.is_file()}


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(here=FILES, there=FILES, force=st.booleans(), linked=st.booleans())
def test_no_later_change_is_lost_and_undo_is_identity(tmp_path: Path, here: Files, there: Files, force: bool, linked: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        home = Path(tempfile.mkdtemp(dir=tmp_path))
        patch.setenv("HOME", str(home))
        patch.setenv("XDG_DATA_HOME", str(home / ".local/share"))
        through(home, here, there, force, linked)


def through(home: Path, here: Files, there: Files, force: bool, linked: bool) -> None:
    make(home / "from", here)
    make(home / "to", there)
    if linked and "a" in here:
        os.link(home / "from/a", home / "from/another name")
        here = {**here, "another name": here["a"]}
    unit = registry.get("file.sync")
    args = unit.Args.bind("file.sync", {"path": str(home / "from"), "to": str(home / "to"), **({"force": True} if force else {})})
    seen = unit.look(args, World(cwd=str(home), home=str(home)))
    newer = {n for n in here.keys() & there.keys() if there[n][1] > here[n][1]}
    event(f"{len(newer)} newer")
    said = " ".join(unit.notes(args, seen))
    assert bool(newer) == bool(said) and ("replaced, too" in said) == bool(newer and force)
    steps = list(unit.steps(args, seen))
    for step in steps:
        step.check()
        step.apply()
    # As in rsync, size and time tell what is the same.
    same = {n for n in here.keys() & there.keys() if (len(there[n][0]), there[n][1]) == (len(here[n][0]), here[n][1])}
    stays = {n: f for n, f in there.items() if n not in here or n in same or (n in newer and not force)}
    assert found(home / "to") == {**here, **stays}
    assert found(home / "from") == here
    thrown = home / ".local/share/Trash/files"
    assert sorted(found(thrown).values() if thrown.exists() else ()) == sorted(f for n, f in there.items() if n not in stays)
    for step in reversed(steps):
        inverse = step.inverse()
        assert inverse is not None
        inverse.check()
        inverse.apply()
    assert (found(home / "from"), found(home / "to")) == (here, there)
