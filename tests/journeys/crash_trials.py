"""Crash trials: run a plan for real on a scratch tree, kill -9 some of nlsh at some moment, recover, and look whether anything is missing.

    python -m tests.journeys.crash_trials --trials 1000 [--seed 7] [--only move]

A trial holds if, right after the kill, every content is where the journal says or where it was; if what `recover` offers then brings the tree
to what was planned, or back to exactly what was there; if everything can be taken back afterwards; and if the audit's chain is whole. The
kill hits the client, the zygote, the supervisor or the worker, or all of them, at a random moment or at one of the client's own milestones
(before and after each write of the journal and the audit), and sometimes the recovery is killed as well.
"""

from __future__ import annotations

import argparse
import importlib
import math
import os
import pkgutil
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nlsh.guard.sandbox
import nlsh.steps
import nlsh.world
from nlsh.guard import policy
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.journal.audit import Audit
from nlsh.journal.store import Journal
from nlsh.journal.undo import done_steps
from nlsh.kernel.kernel import Kernel
from nlsh.kernel.recover import finish_plan, leave, reverse_plan, unfinished
from nlsh.plan import registry
from nlsh.plan.errors import NlshError, NotFound
from nlsh.plan.plan import Plan
from nlsh.testing import build, snapshot
from nlsh.world import World

SIZES = (1, 4, 20, 60, 150)  # how many files a plan is about
VICTIMS = ("client", "zygote", "supervisor", "worker", "all")
# What the client does besides: it is killed right before or right after the n-th of these.
MILESTONES = ("journal.begin", "journal.mark", "journal.finish", "audit.append")
STATE_LIMIT_S = 60

Tree = dict[str, Any]


@dataclass(frozen=True)
class Way:
    """A plan to be cut short: what it is given, and the files it leaves (path → content) when it is done."""

    name: str
    plan: Callable[[int], str]
    given: Callable[[int], Tree]
    after: Callable[[int], dict[str, str]]


def _files(n: int, folder: str = "from") -> Tree:
    return {f"{folder}/{i:03}.txt": {"text": f"content {i}\n", "age": f"{i + 1}d", "mode": "640"} for i in range(n)}


def _left(n: int, name: Callable[[int], str], text: Callable[[int], str] = lambda i: f"content {i}\n") -> dict[str, str]:
    return {name(i): text(i) for i in range(n)}


WAYS = (
    Way("move", lambda n: 'file.move("from/*", to="to")', lambda n: {**_files(n), "to": None}, lambda n: _left(n, lambda i: f"to/{i:03}.txt")),
    Way("trash", lambda n: 'file.trash("from/*")', _files, lambda n: {}),
    Way(
        "rename_all", lambda n: 'file.rename_all("from", prefix="x")', lambda n: {f"from/{'x' * i}.txt": f"content {i}\n" for i in range(1, n + 1)},
        lambda n: {f"from/{'x' * (i + 1)}.txt": f"content {i}\n" for i in range(1, n + 1)},
    ),
    Way(
        "create", lambda n: 'folder.create("made")\n' + "\n".join(f'file.create("made/{i}.txt", text="new {i}")' for i in range(min(n, 12))),
        lambda n: {"kept.txt": "kept"},
        lambda n: {"kept.txt": "kept", **{f"made/{i}.txt": f"new {i}\n" for i in range(min(n, 12))}},
    ),
    Way(
        "replace", lambda n: 'text.replace("content", by="matter", under="from")', _files,
        lambda n: _left(n, lambda i: f"from/{i:03}.txt", lambda i: f"matter {i}\n"),
    ),
    Way(
        "extract", lambda n: 'archive.extract("pack.zip", to="out")',
        lambda n: {"pack.zip": {"members": {f"d/{i}.txt": f"member {i}" * 2000 for i in range(n)}}},
        lambda n: {f"out/d/{i}.txt": f"member {i}" * 2000 for i in range(n)},
    ),
    Way("chmod", lambda n: 'file.chmod("from/*", mode="600")', _files, lambda n: _left(n, lambda i: f"from/{i:03}.txt")),
    Way(
        "copy", lambda n: 'file.copy("from", to="copied")', _files,
        lambda n: {**_left(n, lambda i: f"from/{i:03}.txt"), **_left(n, lambda i: f"copied/{i:03}.txt")},
    ),
    Way(
        "pack", lambda n: 'archive.create("from", to="packed.tar.gz")', _files, lambda n: _left(n, lambda i: f"from/{i:03}.txt"),
    ),
    Way(
        "several", lambda n: 'folder.create("to")\nfile.chmod("from/*", mode="600")\nfile.move("from/*", to="to")\nfile.trash("more/*")',
        lambda n: {**_files(n), **_files(n, "more")}, lambda n: _left(n, lambda i: f"to/{i:03}.txt"),
    ),
)  # fmt: skip


@dataclass
class Report:
    """What came of the trials: how many of each kind, and what was found wrong (trial number → words)."""

    trials: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    wrong: dict[int, str] = field(default_factory=dict)


class _Wrong(Exception):
    """Something that must hold does not."""


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a folder with a home, whose environment is this process's meanwhile."""
    folder = Path(tempfile.mkdtemp(prefix="nlsh-crash-"))
    before, cwd = dict(os.environ), os.getcwd()
    home = folder / "home"
    home.mkdir()
    kept = {name: str(folder / word) for name, word in (("XDG_CONFIG_HOME", "config"), ("XDG_STATE_HOME", "state"), ("XDG_CACHE_HOME", "cache"))}
    os.environ.update(HOME=str(home), XDG_DATA_HOME=str(folder / "data"), **kept)
    os.chdir(home)
    try:
        yield folder
    finally:
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(folder)


def a_kernel(zygote: Zygote) -> Kernel:
    """Return a kernel as a new process would have it: it agrees to everything."""
    return Kernel(policy.load(), zygote, journal := Journal(), Audit(journal=journal), World(), approve=lambda preview, decision: True)


# --- the run that is killed ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kill:
    """Who is killed and when: after so many seconds, or (milestone) before or after the n-th of what the client itself does."""

    victim: str
    delay_s: float = 0.0
    milestone: str = ""
    number: int = 0
    after: bool = False
    since: str = "run"  # what the time counts from: the preview that is about to be run, or the run, once it is journalled and in the audit

    def __str__(self) -> str:
        when = f"{'after' if self.after else 'before'} {self.milestone} {self.number}" if self.milestone else f"at {self.delay_s * 1000:.1f} ms"
        return f"{self.victim} {when}"


def killed(plan: Plan, request: str, kill: Kill) -> float:
    """Run a plan in another process, kill as `kill` says, and wait until nothing of it runs; return how long the run itself took, in seconds."""
    ready, tell = os.pipe()
    started = time.monotonic()
    client = os.fork()
    if client == 0:
        try:
            os.close(ready)
            os.setsid()
            _be_client(plan, request, kill, tell)
        except NlshError:
            os._exit(3)
        except BaseException:
            traceback.print_exc()
            os._exit(9)
        finally:
            os._exit(0)
    os.close(tell)
    try:
        if os.read(ready, 1) and not kill.milestone:
            started = time.monotonic()
            while (left := kill.delay_s - (time.monotonic() - started)) > 0:
                time.sleep(min(left, 0.0005))
            _strike(client, kill.victim)
        os.read(ready, 1)  # it says when the run has ended, or is no more
        took = time.monotonic() - started
    finally:
        os.close(ready)
    _, status = os.waitpid(client, 0)
    if os.waitstatus_to_exitcode(status) == 9:
        raise _Wrong("the client failed")
    limit = time.monotonic() + STATE_LIMIT_S
    while _session(client):
        if time.monotonic() > limit:
            raise _Wrong(f"of the killed run these still go on: {_session(client)}")
        time.sleep(0.0005)
    return took


def _be_client(plan: Plan, request: str, kill: Kill, tell: int) -> None:
    zygote = Zygote.start()
    kernel = a_kernel(zygote)
    if kill.milestone:
        _arm(kernel, kill)
    preview = kernel.preview(plan, request)
    on_event = kernel.on_event

    def told(event: dict[str, Any]) -> None:
        if event["type"] == ("run" if kill.since == "run" else "decision") or event["type"] == "outcome":
            with suppress(BrokenPipeError):
                os.write(tell, b"r")
        on_event(event)

    kernel.on_event = told
    kernel.run(preview)
    kernel.audit.anchor()
    zygote.close()


def _arm(kernel: Kernel, kill: Kill) -> None:
    """Have the n-th of what is to be done kill the client, or all of it."""
    owner, _, name = kill.milestone.partition(".")
    holder, attribute = (kernel, "on_event") if owner == "event" else (getattr(kernel, owner), name)
    original, left = getattr(holder, attribute), [kill.number]

    def struck(*args: Any, **kwargs: Any) -> Any:
        left[0] -= 1
        if left[0] == 0 and not kill.after:
            _strike(os.getpid(), kill.victim)
        found = original(*args, **kwargs)
        if left[0] == 0 and kill.after:
            _strike(os.getpid(), kill.victim)
        return found

    setattr(holder, attribute, struck)


def _strike(client: int, victim: str) -> None:
    """Kill -9 whoever of a client's processes is meant, as far as they are there."""
    levels: dict[str, list[int]] = {"client": [client]}
    for above, name in (("client", "zygote"), ("zygote", "supervisor"), ("supervisor", "worker")):
        levels[name] = [child for pid in levels[above] for child in _children(pid)]
    levels["all"] = [p for name in ("worker", "supervisor", "zygote", "client") for p in levels[name]]
    for pid in levels.get(victim, ()):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _children(pid: int) -> list[int]:
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _session(leader: int) -> list[int]:
    """Return the processes of a session that still run."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = Path("/proc", pid, "stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] not in (b"Z", b"X"):
            found.append(int(pid))
    return found


# --- one trial -----------------------------------------------------------------------------------------------------


def contents(folder: Path) -> Counter[str]:
    """Return how often each content is there, below a folder."""
    return Counter(p.read_text() for p in folder.rglob("*") if p.is_file() and not p.is_symlink() and p.suffix not in (".zip", ".gz"))


def files(home: Path) -> dict[str, str]:
    """Return path → content of every file, archives left out."""
    return {str(p.relative_to(home)): p.read_text() for p in sorted(home.rglob("*")) if p.is_file() and p.suffix not in (".zip", ".gz")}


def trial(chance: random.Random, way: Way, zygote: Zygote, spans: dict[str, float], sizes: tuple[int, ...] = SIZES) -> tuple[Kill, str]:
    """Do one trial; return the kill, and how it ended in a word. Raises _Wrong with what does not hold."""
    n = chance.choice(sizes)
    with scratch() as folder:
        home = folder / "home"
        build(home, way.given(n))
        before, had = snapshot(home), contents(home)
        key = f"{way.name} of {n}"
        kill = _a_kill(chance, spans.get(key, 0.05), n)
        took = killed(registry.parse(way.plan(n)), way.name, kill)
        if kill.victim == "worker":  # the client has seen the end of it: so long others of the kind may take
            spans[key] = min(took, 1.0)
        _nothing_lost(folder, had, way, n)
        try:
            ended = _recover(chance, zygote, way, n, before)
        except _Wrong as error:
            raise _Wrong(f"{way.name} of {n}, {kill}: {error}") from None
        except NlshError as error:
            raise _Wrong(f"{way.name} of {n}, {kill}: {error}") from error
    return kill, ended


def _a_kill(chance: random.Random, span: float, n: int) -> Kill:
    which = chance.random()
    after = chance.random() < 0.5
    if which < 0.5:
        return Kill(chance.choice(VICTIMS), 0.0, "event", chance.randint(3, max(5, chance.randint(1, 2 * n))), after)
    if which < 0.75:
        return Kill(chance.choice(("client", "all")), 0.0, chance.choice(MILESTONES), chance.choice((1, 1, 2)), after)
    return Kill(chance.choice(VICTIMS), chance.random() * span * 1.05, since=chance.choice(("preview", "run", "run", "run")))


def _nothing_lost(folder: Path, had: Counter[str], way: Way, n: int) -> None:
    now = contents(folder / "home") + contents(folder / "data/Trash/files")
    new = {old: old.replace("content", "matter") for old in had} if way.name == "replace" else {}
    missing = [c for c in had if not now[c] and not now[new.get(c, c)]]
    if missing:
        raise _Wrong(f"{way.name} of {n}: lost: {missing[:3]}")
    if way.name not in ("copy", "replace") and (twice := [c for c in had if now[c] > had[c]]):
        raise _Wrong(f"{way.name} of {n}: twice: {twice[:3]}")


def _recover(chance: random.Random, zygote: Zygote, way: Way, n: int, before: dict[str, tuple[Any, ...]]) -> str:
    home = Path.cwd()
    kernel = a_kernel(zygote)
    try:
        (run,) = kernel.journal.recent(1) or [None]
        done = 0 if run is None else sum(s.state == "done" for s in done_steps(kernel.journal, run))
        ended = (
            "nothing was begun" if run is None else "nothing was done" if not done else "all was done" if done == run.total else "taken back from the middle"
        )
        choice = chance.choice(("finish", "reverse", "leave"))
        for attempt in range(10):
            left = [u for u in unfinished(kernel.journal) if not u.settled]
            if not left:
                break
            if choice == "leave":
                leave(kernel.journal, left[0].run_id)
                ended = "left"
                continue
            # A reversal that was cut short is finished: to take that back would be to do it all again.
            plan = finish_plan(left[0].run_id) if choice == "finish" or attempt else reverse_plan(left[0].run_id)
            ended = ended if attempt else choice
            if attempt == 0 and chance.random() < 0.3:
                kernel.journal.close()
                killed(plan, choice, Kill(chance.choice(VICTIMS), chance.random() * 0.03))
                ended = f"{choice}, killed again"
                continue
            outcome = kernel.run(kernel.preview(plan, choice))
            if outcome.status != "done":
                raise _Wrong(f"{choice} ended {outcome.status}: {outcome.message}")
        else:
            raise _Wrong("there is always something left to recover")
        if ended == "finish" and files(home) != way.after(n):
            raise _Wrong(f"finished, and it is not what was planned: {_difference(files(home), way.after(n))}")
        if ended == "reverse" and (what := _difference(snapshot(home), before)):
            raise _Wrong(f"reversed, and it is not what was there: {what}")
        _take_all_back(kernel)
        if what := _difference(_timeless(snapshot(home), ended), _timeless(before, ended)):
            raise _Wrong(f"taken back ({ended}), and it is not what was there: {what}")
        verdict = kernel.audit.verify()
        # A last line that was being written is the one thing that may be left, and the next entry sets it aside.
        if [b for b in verdict.breaks if b.kind != "torn"]:
            raise _Wrong(f"the audit: {verdict.breaks}")
    finally:
        kernel.journal.close()
    return ended


def _take_all_back(kernel: Kernel) -> None:
    for _ in range(20):
        try:
            preview = kernel.preview(registry.parse("history.undo()"))
        except NotFound:
            return
        outcome = kernel.run(preview)
        if outcome.status != "done":
            raise _Wrong(f"undo ended {outcome.status}: {outcome.message}")
    raise _Wrong("there is always something left to undo")


def _timeless(found: dict[str, Any], ended: str) -> dict[str, Any]:
    """Leave out the times of folders where nothing was done: the one step that was begun may have made and removed a file there."""
    if ended not in ("nothing was done", "left"):
        return found
    return {p: (facts[0], *facts[4:]) if facts[0].startswith("d") else facts for p, facts in found.items()}


def _difference(now: dict[str, Any], then: dict[str, Any]) -> list[str]:
    return [f"{p}: {str(now.get(p))[:90]} instead of {str(then.get(p))[:90]}" for p in sorted({*now, *then}) if now.get(p) != then.get(p)][:4]


def run(
    trials: int, seed: int, *, only: str = "", say: Callable[[str], None] = lambda text: None, sizes: tuple[int, ...] = SIZES, limit_s: float = math.inf
) -> Report:  # fmt: skip
    """Do so many trials, each from a seed of its own, and report; after `limit_s`, none but the first of each way is begun."""
    ends = time.monotonic() + limit_s
    _load_all()
    report, spans = Report(), {}
    ways = [w for w in WAYS if only in ("", w.name)]
    zygote = Zygote.start()
    try:
        for number in range(trials):
            if time.monotonic() > ends and number >= len(ways):
                break
            chance = random.Random(f"{seed}/{number}")
            try:
                kill, ended = trial(chance, ways[number % len(ways)], zygote, spans, sizes)
                report.kills[f"{kill.victim}{' at a milestone' if kill.milestone else ''}"] += 1
                report.ended[ended] += 1
            except _Wrong as error:
                report.wrong[number] = str(error)
                say(f"trial {number}: {error}")
            report.trials += 1
            if report.trials % 50 == 0:
                say(f"{report.trials} trials, {len(report.wrong)} wrong")
    finally:
        zygote.close()
    return report


def _load_all() -> None:
    """Import what the forks need, once here instead of in each of them."""
    registry.all_actions()
    for package in (nlsh.guard.sandbox, nlsh.steps, nlsh.world):
        for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            importlib.import_module(module.name)


def main() -> int:
    """Run trials as the command line says."""
    parser = argparse.ArgumentParser(description="Kill nlsh in the middle of plans, and see whether anything is lost.")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", choices=["", *(w.name for w in WAYS)])
    words = parser.parse_args()
    started = time.monotonic()
    report = run(words.trials, words.seed, only=words.only, say=lambda text: print(text, flush=True))
    print(f"{report.trials} trials in {time.monotonic() - started:.0f} s, {len(report.wrong)} wrong (seed {words.seed})")
    print("killed:", ", ".join(f"{k} {v}" for k, v in sorted(report.kills.items())))
    print("ended:", ", ".join(f"{k} {v}" for k, v in sorted(report.ended.items())))
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
