"""Modes and owners of all below a folder: each thing gets what was asked for, links lead nowhere, and undo gives back exactly what was there."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlsh.plan import registry
from nlsh.plan.errors import Refused
from nlsh.plan.steps import Step, step_from_data
from nlsh.plan.values import Mode, apply_mode
from nlsh.testing import snapshot
from nlsh.world import World

ROOT = Path(__file__).resolve().parents[2]
NAMES = st.sampled_from(["a", "b.sh", "two\nlines", "-R", "\udcff", "文件", ".hidden"])
MODES = st.sampled_from([0o644, 0o600, 0o755, 0o777, 0o400, 0o1777, 0o640, 0o711])
# A folder's own mode leaves it open to its owner, so that anybody can run this; an int is a file, None a link that leads out.
TREES = st.recursive(st.one_of(MODES, st.none()), lambda t: st.tuples(MODES.map(lambda m: m | 0o700), st.dictionaries(NAMES, t, max_size=4)), max_leaves=12)
WANTED = st.sampled_from(["644", "600", "755", "000", "read-only", "private", "executable", "u+w", "a-x", "go=", "g+rX", "u=rwX,go=rX"])
Tree = int | None | tuple[int, dict[str, "Tree"]]


def made(place: Path, tree: Tree, outside: Path) -> None:
    if tree is None:
        place.symlink_to(outside)
    elif isinstance(tree, int):
        place.write_text("x")
        place.chmod(tree)
    else:
        place.mkdir()
        for name, inner in tree[1].items():
            made(place / name, inner, outside)
        place.chmod(tree[0])


def steps(action: str, **written: object) -> list[Step]:
    unit = registry.get(action)
    args = unit.Args.bind(action, written)
    found = list(unit.steps(args, unit.look(args, World())))
    return [step_from_data(json.loads(json.dumps(s.as_data()))) for s in found]


def modes(root: Path) -> dict[str, int]:
    found = {p: os.lstat(p) for p in (str(root), *(os.path.join(f, n) for f, folders, files in os.walk(root) for n in (*folders, *files)))}
    return {p: stat.S_IMODE(s.st_mode) for p, s in found.items() if not stat.S_ISLNK(s.st_mode)}


def is_right(path: str, old: int, new: int, wanted: str) -> bool:
    folder = os.path.isdir(path)
    parsed = Mode().parse(wanted)
    asked = apply_mode(parsed.replace("X", "x") if folder else parsed, old & 0o777) & 0o777 | old & 0o1000
    if not folder:
        return new == asked
    # Who may read a folder may still enter it; beyond that nothing is added.
    readable = (new & 0o444) >> 2
    return new & ~0o111 == asked & ~0o111 and asked & ~new == 0 and (new & ~asked) & ~readable == 0 and (not wanted.isdigit() or readable & ~new == 0)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=st.dictionaries(NAMES, TREES, max_size=5), wanted=WANTED)
def test_undo_after_a_mode_for_all_is_identity(tmp_path: Path, tree: dict[str, Tree], wanted: str) -> None:
    base = Path(tempfile.mkdtemp(dir=tmp_path))
    (base / "outside").write_text("not below it")
    made(base / "root", (0o755, tree), base / "outside")
    before, was = snapshot(base), modes(base / "root")
    found = steps("file.chmod", paths=str(base / "root"), mode=wanted, all=True)
    for step in found:
        assert step.state() == "undone"
        step.check()
        step.apply()
    if os.geteuid() == 0 or wanted not in ("000", "go="):
        now = modes(base / "root")
        assert all(is_right(p, was[p], now[p], wanted) for p in was), wanted
        assert was.keys() == now.keys()
        assert steps("file.chmod", paths=str(base / "root"), mode=wanted, all=True) == [] or wanted == "g+rX"
    assert stat.S_IMODE((base / "outside").stat().st_mode) == before["outside"][0] or (base / "outside").read_text() == "not below it"
    for step in reversed(found):
        inverse = step.inverse()
        assert inverse is not None
        inverse.check()
        inverse.apply()
    assert snapshot(base) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root rights")
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=st.dictionaries(NAMES, TREES, max_size=5), owner=st.sampled_from(["owner", "group"]))
def test_undo_after_an_owner_for_all_is_identity(tmp_path: Path, tree: dict[str, Tree], owner: str) -> None:
    base = Path(tempfile.mkdtemp(dir=tmp_path))
    (base / "outside").write_text("not below it")
    made(base / "root", (0o755, tree), base / "outside")
    before = snapshot(base)
    found = steps("file.chown", paths=str(base / "root"), **{owner: "1"}, all=True)
    for step in found:
        step.check()
        step.apply()
    now = snapshot(base)
    at = 1 if owner == "owner" else 2
    for path, facts in now.items():
        below = path.startswith("root") and not facts[0].startswith("l")
        assert facts[at] == (1 if below else before[path][at]), path
    for step in reversed(found):
        inverse = step.inverse()
        assert inverse is not None
        inverse.check()
        inverse.apply()
    assert snapshot(base) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes files of others")
def test_root_changes_no_file_that_is_also_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "d" / "sub").mkdir(parents=True)
    (tmp_path / "d" / "one").write_text("1")
    os.link(tmp_path / "d" / "one", tmp_path / "d" / "sub" / "again")
    assert len(steps("file.chmod", paths=str(tmp_path / "d"), mode="600", all=True)) == 3, "two names of one file are one change, beside two folders"
    (tmp_path / "elsewhere").write_text("a password")
    os.link(tmp_path / "elsewhere", tmp_path / "d" / "mine")
    for action, written in (("file.chmod", {"mode": "666"}), ("file.chown", {"owner": "1"})):
        with pytest.raises(Refused, match="hard link"):
            steps(action, paths=str(tmp_path / "d"), all=True, **written)
    assert steps("file.chmod", paths=str(tmp_path / "d" / "mine"), mode="666"), "what is named itself is meant"


def test_links_folders_in_folders_and_what_is_precious(tmp_path: Path) -> None:
    (tmp_path / "d" / "sub").mkdir(parents=True)
    (tmp_path / "d" / "sub" / "f").write_text("1")
    (tmp_path / "link").symlink_to("d")
    with pytest.raises(Refused, match="link"):
        steps("file.chmod", paths=str(tmp_path / "link"), mode="700", all=True)
    named = [str(tmp_path / p) for p in ("d", "d/sub", "d/sub/f")]
    assert len(steps("file.chmod", paths=named, mode="600", all=True)) == 3, "each thing once"
    (tmp_path / "d" / "sub" / "f").chmod(0o4755)
    with pytest.raises(Refused, match="setuid"):
        steps("file.chmod", paths=str(tmp_path / "d"), mode="700", all=True)
    for precious in ("/", "/usr", "/etc", "~"):
        with pytest.raises(Refused):
            steps("file.chmod", paths=precious, mode="700", all=True)
        with pytest.raises(Refused):
            steps("file.chown", paths=precious, owner="me", all=True)


AS_ANOTHER = """
import os, sys
from nlsh.plan import registry
from nlsh.plan.errors import NotPossible
from nlsh.world import World
unit = registry.get("file.chmod")
def steps(mode):
    args = unit.Args.bind("file.chmod", {"paths": sys.argv[1], "mode": mode, "all": True})
    return list(unit.steps(args, unit.look(args, World())))
steps("700")  # what is imported late is imported now: nobody may be kept out of where nlsh lies
os.setgroups([]); os.setgid(65534); os.setuid(65534)
found = steps("000")
for step in found: step.check(); step.apply()
assert not os.access(sys.argv[1], os.R_OK)
for step in reversed(found): back = step.inverse(); back.check(); back.apply()
assert open(sys.argv[1] + "/sub/f").read() == "1"
os.chmod(sys.argv[1] + "/sub", 0)
try: steps("700")
except NotPossible as error: print(error.message)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become somebody else")
def test_who_is_not_root_closes_folders_last_and_opens_them_first() -> None:
    # Below a folder of the tests' own, nobody might not get through.
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        os.chmod(place, 0o755)
        root = Path(place) / "d"
        (root / "sub").mkdir(parents=True)
        (root / "sub" / "f").write_text("1")
        for path in (root, root / "sub", root / "sub" / "f"):
            os.chown(path, 65534, 65534)
        done = subprocess.run(
            [sys.executable, "-c", AS_ANOTHER, str(root)], cwd=place, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert "cannot be read" in done.stdout and "a part of" in done.stdout
