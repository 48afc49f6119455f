"""The view by bubblewrap, on a machine that lets it make namespaces and nlsh not: AppArmor's way is stood in for, the rest is real."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nlsh.guard.grant import Grant
from nlsh.guard.sandbox import bubblewrap, landlock, view
from nlsh.guard.sandbox.probe import probe
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.steps.command import RunCommand
from tests.sandbox.conftest import NOBODY, eventually, give_to_nobody, in_child, last_of

pytestmark = pytest.mark.skipif(not Path("/usr/bin/bwrap").exists(), reason="bubblewrap is not installed here")


@pytest.fixture
def home() -> Iterator[Path]:
    """A home of an ordinary user's, with a repository in it and secrets beside it."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "home"
        (found / "place/.git/hooks").mkdir(parents=True)
        for name in ("beside", ".netrc", "place/.git/config"):
            (found / name).write_text("x")
        if os.geteuid() == 0:
            give_to_nobody(Path(folder))
        yield found


def as_user(home: Path, function: Callable[[], Any]) -> Any:
    """Run a function as an ordinary user where nlsh may make no namespaces; skip where bubblewrap may not either."""

    def there() -> Any:
        os.environ.clear()
        os.environ.update(HOME=str(home), PATH="/usr/bin:/bin", SHELL="/bin/sh")
        os.chdir(home / "place")
        view._tried = lambda: "No namespaces can be made: this is a test."  # type: ignore[assignment]
        return bubblewrap.why_not() or function()

    came = in_child(there, user=NOBODY if os.geteuid() == 0 else None)
    assert came.done, came
    if isinstance(came.value, str):
        pytest.skip(came.value)
    return came.value


def job(command: str) -> dict[str, Any]:
    step = RunCommand(command, os.getcwd())
    return {"steps": [step.as_data()], "grant": Grant.of(step.effects()).as_data(), "cwd": os.getcwd(), "env": dict(os.environ)}


# What names /proc looks at processes, and would see all of them.
ATTEMPTS = """{ stat -c %s ../.netrc; ls -d /pr""oc/[1-9]* | wc -l; } > made
chmod 700 ../beside; touch .git/hooks/x; echo y > ../new; kill -9 PID; true"""


def test_a_raw_command_gets_the_whole_view_and_is_held_to_it(home: Path) -> None:
    def run() -> tuple[str, str, bool]:
        zygote = Zygote.start()
        try:
            messages = list(zygote.run(job(ATTEMPTS.replace("PID", str(zygote.pid))), None))
            # Nobody has ended it, and what is wanted outside the folder is asked about here, too; below Landlock 3 it is refused.
            asking = job("echo a > ../asked") | {"ask": 20.0}
            assert last_of(list(zygote.run(asking, None, lambda message, standstill: "yes")))["type"] == ("done" if landlock.abi() >= 3 else "failed")
            return zygote.level, last_of(messages)["type"], probe().by_bubblewrap
        finally:
            zygote.close()

    assert as_user(home, run) == ("L3", "done", True)
    size, processes = (home / "place/made").read_text().split()
    assert size == "0" and int(processes) < 10
    assert (
        not (home / "beside").stat().st_mode & 0o100
        and not (home / "new").exists()
        and ((home / "asked").exists() or landlock.abi() < 3)
        and not list((home / "place/.git/hooks").iterdir())
    )


def test_it_ends_with_all_that_it_started(home: Path) -> None:
    def run() -> tuple[bool, bool]:
        zygote = Zygote.start()
        running = zygote.run(job("echo up > up; sleep 98765.25; true"), None)
        next(running)

        def sleeps() -> bool:
            return any(b"98765.25\0" in f.read_bytes() for f in Path("/proc").glob("[1-9]*/cmdline") if f.exists() and b"sleep" in f.read_bytes()[:6])

        try:
            came = eventually(sleeps)
            running.close()
            return came, eventually(lambda: not sleeps())
        finally:
            zygote.close()

    assert as_user(home, run) == (True, True)
