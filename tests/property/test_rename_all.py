"""Renaming many at once: for any set of renames, none overwrites another, the names come out as wanted, and undo gives back exactly what was there."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from nlsh.actions.file import _renaming
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.plan import registry
from nlsh.plan.errors import BadArgument, NotPossible, Refused
from nlsh.plan.plan import Call, Plan
from nlsh.steps.renames import RenamePath
from nlsh.testing import Scene, snapshot
from nlsh.world import World, patterns, substitution
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


EXPRESSIONS = st.sampled_from([r"(\w)(\d+)", r"^(.)", r"\d", r"(a|b)+", r"(?P<n>[A-Z]+)_?", r"\s*\(copy\)", r"x*", r"(\.\w+)$", r"[\udc80-\udcff]", r"/_+/"])
BYS = st.sampled_from(["", "$1", r"\1-", "${1}$$", "x", r"\\", "-$2$1", r"\g<n>", "文"])
GIVEN_NAMES = st.text(st.sampled_from("ab12_A ().\n\udcff文"), min_size=1, max_size=12).filter(lambda n: n not in (".", ".."))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_names=st.sets(GIVEN_NAMES, min_size=1, max_size=6), regex=EXPRESSIONS, by=BYS)
def test_names_by_an_expression_are_those_of_python_and_undo_is_identity(tmp_path: Path, given_names: set[str], regex: str, by: str) -> None:
    root = Path(tempfile.mkdtemp(dir=tmp_path))
    for name in given_names:
        (root / name).write_text(name, errors="surrogateescape")
    before = snapshot(root)
    unit = registry.get("file.rename_all")
    args = unit.Args.bind("file.rename_all", {"paths": [str(root / n) for n in given_names], "regex": regex, **({"by": by} if by else {})})
    template = {"${1}$$": r"\g<1>$"}.get(by, re.sub(r"\$(\d)", r"\\g<\1>", by))
    try:
        wanted = {n: re.sub(regex.strip("/") if len(regex) > 2 else regex, template, n) for n in given_names}
    except (re.error, IndexError):
        with pytest.raises(BadArgument):
            unit.look(args, World())
        return
    try:
        steps = list(unit.steps(args, unit.look(args, World())))
    except Refused:
        event("refused")
        new = list(wanted.values())
        assert len(set(new)) < len(new) or any(n in ("", ".", "..") or "/" in n for n in new) or {n for o, n in wanted.items() if n != o} & given_names
        assert snapshot(root) == before
        return
    mtime_ns = os.stat(root).st_mtime_ns
    for step in steps:
        step.check()
        step.apply()
    assert {n: (root / n).read_text(errors="surrogateescape") for n in os.listdir(root)} == {new: old for old, new in wanted.items()}
    for step in reversed(steps):
        inverse = step.inverse()
        assert inverse is not None
        inverse.check()
        inverse.apply()
    os.utime(root, ns=(mtime_ns, mtime_ns))
    assert snapshot(root) == before


def test_an_expression_that_explodes_is_ended_in_any_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "_TICK_S", 0.1)
    monkeypatch.setattr(substitution, "_PATIENCE_S", 0.5)
    (tmp_path / ("a" * 60 + "!")).touch()
    (tmp_path / "aab").touch()
    unit = registry.get("file.rename_all")

    def looked(regex: str) -> object:
        try:
            return len(unit.look(unit.Args.bind("file.rename_all", {"paths": str(tmp_path), "regex": regex, "by": "x"}), World()).steps)
        except NotPossible as error:
            return error.message

    with ThreadPoolExecutor(1) as other:
        for run in (lambda regex: other.submit(looked, regex).result(), looked):
            started = time.monotonic()
            assert "takes too long" in str(run("(a+)+$"))
            assert time.monotonic() - started < 30
            assert run("a+b$") == 1


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
