"""Undo takes everything back: for any tree and any sequence of plans, undoing them one by one shows each earlier state again, exactly.

Exactly: names, bytes, link targets, modes and modification times to the nanosecond, of files and of folders.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from nlsh.guard import policy
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.journal.audit import Audit
from nlsh.journal.store import Journal
from nlsh.kernel.kernel import Kernel
from nlsh.plan import registry
from nlsh.plan.errors import NlshError, NotFound
from nlsh.plan.plan import Call, Plan, Preview
from nlsh.settings import state_dir
from nlsh.world import World

NAMES = st.sampled_from(["a", "b", "c.txt", "d e", "文件", "*", "[x]", "-n", "'q'", "new\nline", "\udcff", ".hidden", "~"])
MODES = st.sampled_from([0o644, 0o600, 0o755, 0o444, 0o400, 0o640])
FOLDER_MODES = st.sampled_from([0o755, 0o700, 0o711, 0o770])
TIMES = st.integers(1_000_000_000_000_000_000, 1_700_000_000_123_456_789)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(tuple)
# What is at a path: ("file", bytes, mode), ("folder", mode), ("link", target), ("pipe", mode)
THINGS = st.one_of(
    st.tuples(st.just("file"), st.binary(max_size=40), MODES),
    st.tuples(st.just("file"), st.just(b""), MODES),
    st.tuples(st.just("folder"), FOLDER_MODES),
    st.tuples(st.just("link"), st.sampled_from(["a", "../b", "nowhere", "."])),
    st.tuples(st.just("pipe"), MODES),
)
TREES = st.lists(st.tuples(PATHS, THINGS, TIMES), min_size=1, max_size=12)
# A thing that is there, by its number in the tree; where something is to go: into or beside such a thing, under a name, or at any path.
THERE = st.integers(0, 30)
SOME = st.lists(THERE, min_size=1, max_size=3)
GOALS = st.one_of(THERE, st.tuples(THERE, NAMES), PATHS)
ACTIONS = st.one_of(
    st.tuples(st.just("file.move"), SOME, GOALS),
    st.tuples(st.just("file.copy"), SOME, GOALS),
    st.tuples(st.just("file.rename"), THERE, NAMES),
    st.tuples(st.just("file.trash"), SOME),
    st.tuples(st.just("folder.create"), GOALS),
    st.tuples(st.just("file.chmod"), SOME, st.sampled_from(["600", "755", "u+x", "a-w", "private", "444"])),
)
PLANS = st.lists(st.lists(ACTIONS, min_size=1, max_size=2), min_size=1, max_size=6)

Snapshot = dict[str, tuple[object, ...]]


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    started = Zygote.start()
    yield started
    started.close()


@pytest.fixture
def place(home: Path) -> Iterator[Path]:
    """Return a folder for scratch trees; the trash and nlsh's own files are elsewhere in the home."""
    folder = home / "work"
    folder.mkdir()
    yield folder
    _make_removable(folder)


def build(root: Path, tree: list[tuple[tuple[str, ...], tuple[object, ...], int]]) -> None:
    times: dict[Path, int] = {}
    modes: dict[Path, int] = {}
    for path, thing, time in tree:
        target = root.joinpath(*path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            match thing:
                case ("file", bytes() as data, int() as mode):
                    with open(target, "xb") as file:
                        file.write(data)
                    modes[target] = mode
                case ("folder", int() as mode):
                    target.mkdir()
                    modes[target] = mode
                case ("link", str() as goal):
                    os.symlink(goal, target)
                case ("pipe", int() as mode):
                    os.mkfifo(target)
                    modes[target] = mode
        except (FileExistsError, NotADirectoryError, OSError):
            continue
        times[target] = time
    for target, mode in modes.items():
        os.chmod(target, mode)
    for target, time in sorted(times.items(), key=lambda i: -len(i[0].parts)):
        os.utime(target, ns=(time, time), follow_symlinks=False)


def snapshot(root: Path) -> Snapshot:
    found: Snapshot = {}
    for folder, folders, files in os.walk(root):
        for path in (folder, *(os.path.join(folder, n) for n in (*folders, *files))):
            status = os.lstat(path)
            kind = stat.S_IFMT(status.st_mode)
            inside: object = None
            if stat.S_ISREG(status.st_mode):
                inside = Path(path).read_bytes() if os.access(path, os.R_OK) else status.st_size
            elif stat.S_ISLNK(status.st_mode):
                inside = os.readlink(path)
            found[os.path.relpath(path, root)] = (kind, stat.S_IMODE(status.st_mode), status.st_mtime_ns, inside)
    return found


def timeless(found: Snapshot, known: Snapshot) -> Snapshot:
    """Return a snapshot without the times of folders that are not in `known`."""
    return {p: (kind, mode, 0 if stat.S_ISDIR(int(str(kind))) and p not in known else time, inside) for p, (kind, mode, time, inside) in found.items()}


def plan_of(root: Path, wanted: list[tuple[object, ...]]) -> Plan:
    """Return a plan over what is in the tree now; paths are absolute, as an earlier call hands them on."""
    there = sorted(os.path.join(root, p) for p in snapshot(root) if p != ".") or [str(root / "a")]

    def at(goal: object) -> str:
        match goal:
            case int() as number:
                return there[number % len(there)]
            case (int() as number, str() as name):
                folder = there[number % len(there)]
                return os.path.join(folder if os.path.isdir(folder) else os.path.dirname(folder), name)
        return str(root.joinpath(*goal))  # type: ignore[misc]

    calls = []
    for action, first, *rest in wanted:
        some = tuple(dict.fromkeys(at(n) for n in first)) if isinstance(first, list) else ()
        match action:
            case "file.move" | "file.copy":
                args = {"paths": some, "to": at(rest[0])}
            case "file.rename":
                args = {"path": at(first), "to": rest[0]}
            case "file.trash":
                args = {"paths": some}
            case "file.chmod":
                args = {"paths": some, "mode": rest[0]}
            case "folder.create":
                args = {"paths": (at(first),)}
        calls.append(Call(str(action), args))  # type: ignore[arg-type]
    return Plan(tuple(calls))


def _make_removable(root: Path) -> None:
    for folder, _, _ in os.walk(root):
        os.chmod(folder, 0o700)


@settings(
    max_examples=60,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(tree=TREES, plans=PLANS)
def test_undo_after_apply_is_identity(place: Path, zygote: Zygote, tree: list, plans: list) -> None:
    state = Path(tempfile.mkdtemp(dir=state_dir()))
    root = Path(tempfile.mkdtemp(dir=place))
    journal = Journal(state / "journal.sqlite")
    kernel = Kernel(policy.load(), zygote, journal, Audit(state), World(cwd=str(place)), approve=lambda preview, decision: True)
    build(root, tree)
    stages: list[tuple[int, Snapshot, Snapshot]] = []
    for wanted in plans:
        before = snapshot(root)
        try:
            outcome = kernel.run(kernel.preview(plan_of(root, wanted)))
        except NlshError as error:
            event(f"refused: {error.code}")
            assert snapshot(root) == before, "a refused plan changed something"
            continue
        after = snapshot(root)
        event(f"{outcome.status}: {wanted[0][0]}")
        if outcome.done == 0:
            assert after == before, "a plan of which nothing was done changed something"
            continue
        assert outcome.run_id is not None
        stages.append((outcome.run_id, before, after))

    def take_back(text: str) -> Preview:
        preview = kernel.preview(registry.parse(text), text)
        outcome = kernel.run(preview)
        assert outcome.status == "done", outcome.message
        return preview

    for run, before, after in reversed(stages):
        preview = take_back("history.undo()")
        assert preview.calls[0].reversal.run == run  # type: ignore[attr-defined]
        assert snapshot(root) == before
        # Doing it again gives what there was then, but for the times of folders that are made anew; and that can be taken back, too.
        take_back(f'history.undo(run="{kernel.journal.recent(1)[0].id}")')
        assert timeless(snapshot(root), before) == timeless(after, before)
        take_back("history.undo()")
        assert snapshot(root) == before
    with pytest.raises(NotFound):
        kernel.preview(registry.parse("history.undo()"))
    assert kernel.audit.verify().holds
    journal.close()
    _make_removable(root)
    shutil.rmtree(root)
