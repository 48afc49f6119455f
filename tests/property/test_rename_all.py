"""Renaming many at once: for any set of renames, none overwrites another, the names come out as wanted, and undo gives back exactly what was there."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from nlsh.actions.file import _renaming
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.plan.errors import Refused
from nlsh.plan.plan import Call, Plan
from nlsh.steps.renames import RenamePath
from nlsh.testing import Scene, snapshot
from nlsh.world import World
from nlsh.world.files import identify

NAMES = st.sampled_from(["a", "b", "c", "A", "B", "a.txt", ".a.aside", ".b.aside", "two\nlines", "-n", "\udcff", "文件"])
# Old names → new ones: swaps, rows, circles, collisions and names that stay, all by chance.
WANTED = st.dictionaries(NAMES, NAMES, min_size=1, max_size=12)


class _Disk:
    """Names in memory: what is there, whoever is renamed."""

    def __init__(self, there: set[str], *, fold: bool = False) -> None:
        self._fold = fold
        self.there = {self.key(p): (p, p) for p in there}

    def key(self, path: str) -> str:
        return path.casefold() if self._fold else path

    def names(self) -> _renaming.Names:
        return _renaming.Names(
            lambda p: self.key(p) in self.there,
            lambda p, o: p != o and self.key(p) == self.key(o) and self.key(p) in self.there and self.there[self.key(p)][1] != o,
        )

    def rename(self, old: str, new: str) -> None:
        assert self.key(old) in self.there, f"{old} is not there"
        assert self.key(new) not in self.there, f"{new} would be overwritten"
        self.there[self.key(new)] = (self.there.pop(self.key(old))[0], new)

    def now(self) -> dict[str, str]:
        """Return the name each thing has now, by its first name."""
        return dict(self.there.values())


@settings(max_examples=500, deadline=None)
@given(wanted=WANTED, more=st.sets(NAMES, max_size=4))
def test_no_rename_overwrites_and_all_names_come_out(wanted: dict[str, str], more: set[str]) -> None:
    disk = _Disk({f"/d/{n}" for n in (*wanted, *more)})
    moves = {f"/d/{o}": f"/d/{n}" for o, n in wanted.items()}
    final = {p: moves.get(p, p) for p in disk.now()}
    try:
        found = list(_renaming.ordered(moves, disk.names()))
    except Refused:
        event("refused")
        assert len(set(final.values())) < len(final), "it could have been done"
        return
    event("done")
    for old, new in found:
        disk.rename(old, new)
    assert disk.now() == final
    for old, new in reversed(found):
        disk.rename(new, old)
    assert disk.now() == {p: p for p in final}
    assert len(found) <= len(moves) * 3 // 2 + 1


@settings(max_examples=300, deadline=None)
@given(wanted=st.dictionaries(st.sampled_from("abcdefg"), st.sampled_from("aAbBcCdDeEfFgGhH"), min_size=1, max_size=7))
def test_nothing_is_overwritten_where_case_does_not_matter(wanted: dict[str, str]) -> None:
    disk = _Disk({f"/d/{n}" for n in wanted}, fold=True)
    try:
        found = list(_renaming.ordered({f"/d/{o}": f"/d/{n}" for o, n in wanted.items()}, disk.names()))
    except Refused:
        event("refused")
        return
    event("done")
    for old, new in found:
        disk.rename(old, new)
    assert disk.now() == {f"/d/{o}": f"/d/{n}" for o, n in wanted.items()}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=WANTED, folders=st.sets(NAMES, max_size=3))
def test_undo_after_apply_is_identity_on_a_real_folder(tmp_path: Path, wanted: dict[str, str], folders: set[str]) -> None:
    root = Path(tempfile.mkdtemp(dir=tmp_path))
    for name in wanted:
        if name in folders:
            (root / name).mkdir()
            (root / name / "inside").write_text(name, errors="surrogateescape")
        else:
            (root / name).write_text(name, errors="surrogateescape")
    moves = {str(root / o): str(root / n) for o, n in wanted.items()}
    before = snapshot(root)
    try:
        pairs = list(_renaming.ordered(moves, _renaming.names_in(World(cwd=str(root)))))
    except Refused:
        assert snapshot(root) == before
        return
    known = {path: identify(path) for path in moves}
    steps = []
    for old, new in pairs:
        known[new] = known[old]
        steps.append(RenamePath(old, new, known[old]))
    inverses = []
    mtime_ns = os.stat(root).st_mtime_ns
    for step in steps:
        assert step.state() == "undone"
        step.check()
        step.apply()
        assert step.state() == "done"
        inverses.append(step.inverse())
    for old, new in wanted.items():
        assert (root / new / "inside" if old in folders else root / new).read_text(errors="surrogateescape") == old
    for inverse in reversed(inverses):
        inverse.check()
        inverse.apply()
    os.utime(root, ns=(mtime_ns, mtime_ns))
    assert snapshot(root) == before


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    started = Zygote.start()
    yield started
    started.close()


def test_a_swap_and_a_circle_through_everything(tmp_path: Path, zygote: Zygote) -> None:
    """A shift by one through the whole of nlsh: journal, worker, undo and redo."""
    with Scene(tmp_path, {f"{'x' * n}.txt": f"{n}" for n in range(1, 30)}, zygote=zygote) as scene:
        kernel = scene.kernel
        assert kernel is not None
        before = snapshot(scene.home)
        paths = tuple(f"{'x' * n}.txt" for n in range(1, 30))
        outcome = kernel.run(kernel.preview(Plan((Call("file.rename_all", {"paths": paths, "prefix": "x"}),))))
        assert outcome.status == "done" and outcome.total == 29
        assert {p.name: p.read_text() for p in scene.home.iterdir()} == {f"{'x' * (n + 1)}.txt": f"{n}" for n in range(1, 30)}
        assert scene.play("history.undo()").error is None
        assert snapshot(scene.home) == before
        assert scene.play(f'history.undo(run="{kernel.journal.recent(1)[0].id}")').error is None
        assert (scene.home / "xx.txt").read_text() == "1"
        assert scene.play("history.undo()").error is None
        assert snapshot(scene.home) == before


def test_the_order_of_a_hundred_thousand_renames_is_found_in_seconds() -> None:
    """No quadratic work: a row of a hundred thousand in which each takes the next one's name, and as many pairs that swap."""
    for moves in (
        {f"/d/{n}": f"/d/{n + 1}" for n in range(100_000)},
        {f"/d/{n}": f"/d/{n ^ 1}" for n in range(100_000)},
        {f"/d/{n}": f"/d/{(n + 1) % 100_000}" for n in range(100_000)},
    ):
        disk = _Disk(set(moves))
        started = time.monotonic()
        found = list(_renaming.ordered(moves, disk.names()))
        # A limit that no machine misses by being slow: quadratic work would take hours.
        assert time.monotonic() - started < 60
        for old, new in found:
            disk.rename(old, new)
        assert disk.now() == moves
