"""For any tree and any commands: trying changes nothing, keeping gives what sh gives, and taking it back gives what was there."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from nlsh.guard.sandbox.zygote import Zygote
from nlsh.plan.errors import NotFound
from tests.property.test_undo import FOLDER_MODES, MODES, NAMES, PATHS, TREES, build
from tests.sandbox.trials import Bench, needs_views, tree

BYTES = st.binary(max_size=20).map(lambda b: "".join(f"\\{c:03o}" for c in b))
OPERATIONS = st.one_of(
    st.tuples(st.just("write"), PATHS, BYTES),
    st.tuples(st.just("append"), PATHS, BYTES),
    st.tuples(st.sampled_from(["rm -rf", "rm -f", "rmdir", "mkdir -p", "mkfifo", "touch", ": >>"]), PATHS),
    st.tuples(st.sampled_from(["mv -f", "mv -n", "cp -a", "cp -r", "ln", "ln -sf", "ln -f"]), PATHS, PATHS),
    st.tuples(st.just("chmod"), PATHS, st.one_of(MODES, FOLDER_MODES, st.sampled_from([0o555, 0o300]))),
    st.tuples(st.just("touch -hd @"), PATHS, st.integers(1, 1_700_000_000)),
    st.tuples(st.just("cd"), NAMES),
)

# What root may do beyond its own files no raw command may.
AS_CONFINED = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--") if os.geteuid() == 0 else ()


def written(operation: tuple[object, ...]) -> str:
    """Return an operation as a line of sh."""

    def path(parts: object) -> str:
        return "./" + "/".join(parts)  # type: ignore[arg-type]

    match operation:
        case ("write", parts, data):
            return f"printf %b {shlex.quote(str(data))} > {shlex.quote(path(parts))}"
        case ("append", parts, data):
            return f"printf %b {shlex.quote(str(data))} >> {shlex.quote(path(parts))}"
        case ("chmod", parts, mode):
            return f"chmod {mode:o} {shlex.quote(path(parts))}"
        case ("touch -hd @", parts, seconds):
            return f"touch -hd @{seconds} {shlex.quote(path(parts))}"
        case ("cd", name):
            return f"cd ./{shlex.quote(str(name))}"
        case (words, parts):
            return f"{words} {shlex.quote(path(parts))}"
        case (words, source, target):
            return f"{words} {shlex.quote(path(source))} {shlex.quote(path(target))}"
    raise AssertionError(operation)


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    started = Zygote.start()
    yield started
    started.close()


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(given_tree=TREES, operations=st.lists(OPERATIONS, min_size=1, max_size=12))
def test_kept_is_sh_and_undone_is_before(home: Path, zygote: Zygote, given_tree: list, operations: list[tuple[object, ...]]) -> None:
    needs_views()
    if AS_CONFINED and shutil.which(AS_CONFINED[0]) is None:
        pytest.skip("there is no setpriv here")
    place = Path(tempfile.mkdtemp(dir=home))
    try:
        work, twin = place / "work", place / "twin"
        work.mkdir()
        build(work, given_tree)
        subprocess.run(["cp", "-a", "--preserve=all", str(work), str(twin)], check=True)
        # A pipe that nobody reads keeps a command waiting: such a line is left.
        script = "exec 2>/dev/null </dev/null\nset +e\n" + "\n".join(
            f"timeout 0.2 sh -c {shlex.quote(line)}" if "cd ./" not in line else line for line in map(written, operations)
        )
        if "\udcff" in script or "\0" in script:
            script = script.replace("\udcff", "X")
        subprocess.run([*AS_CONFINED, "/bin/sh", "-c", script], cwd=twin, check=False)
        bench = Bench(work, zygote)
        before = tree(work)
        bench.try_(script)
        assert tree(work) == before
        kept = bench.keep()
        assert kept.status in ("done", "nothing"), (kept.errors, script)
        wanted, found = tree(twin, times=False), tree(work, times=False)
        assert found.keys() == wanted.keys(), script
        for name in wanted:
            # Which names are one file may differ where one of them was there before: that is said when it is asked about.
            assert found[name][:4] == wanted[name][:4] or wanted[name][4] or before.get(name, ("",) * 6)[4], (name, script)
        bench.drop()
        try:
            assert bench.undo().status == "done" or kept.status == "nothing"
        except NotFound:
            assert kept.status == "nothing"
        assert tree(work) == before, script
    finally:
        os.chdir(home)
        subprocess.run(["chmod", "-R", "u+rwx", str(place)], check=False, capture_output=True)
        shutil.rmtree(place, ignore_errors=True)
        shutil.rmtree(home / ".local", ignore_errors=True)
