"""Calls of a plan that only read run beside others, where that cannot be told: what comes of it is as if they had run in turn."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nlsh.kernel import ahead
from nlsh.kernel.kernel import Kernel
from nlsh.kernel.outcome import Outcome
from nlsh.plan import registry
from nlsh.plan.records import Note
from tests.at_work import family

LIMIT_S = 60.0


@pytest.fixture
def tree(home: Path) -> Path:
    for folder in ("one", "two", "three"):
        (home / folder).mkdir()
        for name in "abc":
            (home / folder / name).write_text(f"{folder} {name}\n")
    return home


def workers(kernel: Kernel) -> list[int]:
    """Return the supervisors of the kernel's zygote."""
    return [p for p in family(kernel._zygote.pid) if _parent(p) == kernel._zygote.pid]


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()[1])
    except OSError:
        return 0


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.002)


def run(kernel: Kernel, text: str) -> Outcome:
    return kernel.run(kernel.preview(registry.parse(text), text))


BESIDE = [
    ('file.find(under="one")', 'text.search("b", under="two")', True),
    ('file.hash("one/a")', 'file.hash("one/a")', True),
    ('file.copy("one/a", to="two/new")', 'file.find(under="three")', True),
    ('file.copy("one/a", to="two/new")', 'file.find(under="one")', True),  # both only read it
    ('file.copy("one/a", to="two/new")', 'file.find(under="two")', False),
    ('file.copy("one/a", to="two/new")', 'file.find(under=".")', False),
    ('file.copy("one/a", to="two/new")', 'file.find(under="link")', False),  # leads to two
    ('file.chmod("two/b", mode="600")', 'file.hash("three/second-name")', False),
    ('folder.create("two/new")', 'file.list("two")', False),
    ('file.find(under="one")', 'file.copy("one/a", to="three/new")', False),  # what changes something waits for all
    ('folder.create("two/new")', 'folder.create("three/new")', False),
    ('resource.cpu()', 'file.find(under="one")', False),  # what is measured would be this
    ('file.find(under="one")', 'process.list()', False),
    ('file.watch("one")', 'file.find(under="two")', False),
    ('file.chmod("two/c", mode="600")', 'file.hash("three/second-name")', True),
]  # fmt: skip


def test_which_may_run_beside_which(kernel: Kernel, tree: Path) -> None:
    (tree / "link").symlink_to("two")
    os.link(tree / "two" / "b", tree / "three" / "second-name")
    for first, second, beside in BESIDE:
        calls = kernel.preview(registry.parse(f"{first}\n{second}")).calls
        assert ahead.may_overtake(calls[1], calls[0]) is beside, (first, second)


def test_they_overlap_and_come_in_order(make_kernel: Callable[..., Kernel], tree: Path) -> None:
    with open(tree / "two" / "big", "wb") as file:
        file.truncate(300 << 20)
    seen: list[tuple[int, str]] = []
    beside: list[int] = []

    def on_event(event: dict[str, Any]) -> None:
        if "call" not in event:
            return
        seen.append((event["call"], event["type"]))
        if seen == [(0, "call")]:
            # Only the second call has a worker by now; it stands still, so that it cannot have ended before the first.
            until(lambda: any(family(p) for p in workers(kernel)))
            beside.extend(workers(kernel))
            for pid in family(beside[0]):
                os.kill(pid, signal.SIGSTOP)
        elif (event["call"], event["type"]) == (0, "done"):
            assert set(beside) <= set(workers(kernel))
            for pid in family(beside[0]):
                os.kill(pid, signal.SIGCONT)

    kernel = make_kernel(on_event=on_event)
    outcome = run(kernel, 'file.find(under="one", named="a")\nfile.hash("two/big")')
    assert outcome.status == "done" and len(beside) == 1
    assert [os.path.basename(r.path) for r in outcome.records] == ["a", "big"]
    assert [c for c, _ in seen] == sorted(c for c, _ in seen), "nobody can tell"
    assert kernel.last is not None and len(kernel.last.records) == 1


def test_as_in_turn_and_taken_back(make_kernel: Callable[..., Kernel], tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = 'file.copy("one/a", to="two/new")\nfile.find(under="three")\nfile.trash("two/b")\ntext.search("one", under="one")\nfile.find(under="two")\n'

    def shot() -> dict[str, tuple[bytes, int]]:
        return {str(p): (p.read_bytes() if p.is_file() else b"", p.stat().st_mtime_ns) for p in sorted(tree.glob("*/**/*")) if "." not in str(p)[1:]}

    before, found = shot(), []
    for begins in (None, lambda self, position: None):
        if begins is not None:
            monkeypatch.setattr(ahead.Ahead, "begin", begins)
        events: list[tuple[Any, ...]] = []
        kernel = make_kernel(on_event=lambda e, to=events: to.append((e["type"], e.get("call"), e.get("step"))) if "call" in e else None)
        outcome = run(kernel, plan)
        steps = [(s.call, s.state) for s in kernel.journal.steps(outcome.run_id or 0)]
        paths = [r.path for r in outcome.records if not isinstance(r, Note) and "Trash" not in r.path]
        found.append((outcome.status, paths, outcome.done, steps, list(dict.fromkeys(events))))
        assert "new" in os.listdir("two") and run(kernel, "history.undo()").status == "done"
        assert shot() == before
    assert found[0] == found[1] and found[0][0] == "done"


def test_after_a_failure_and_a_wish_to_stop_nothing_later_is_shown_or_left(make_kernel: Callable[..., Kernel], tree: Path) -> None:
    stops = False

    def on_event(event: dict[str, Any]) -> None:
        if stops and (event["type"], event.get("call")) == ("start", 0):
            os.kill(os.getpid(), signal.SIGINT)

    kernel = make_kernel(on_event=on_event)
    preview = kernel.preview(registry.parse('file.hash("one/a")\nfile.hash("two/b")'))
    (tree / "one" / "a").unlink()
    outcome = kernel.run(preview)
    assert outcome.status == "failed" and not outcome.records and len(outcome.errors) == 1 and not family(kernel._zygote.pid)
    (tree / "one" / "a").write_text("again")
    stops = True
    outcome = run(kernel, 'file.find(under="one")\nfile.find(under="two")\nfolder.create("four")')
    assert outcome.status == "cancelled" and not (tree / "four").exists() and not family(kernel._zygote.pid)
