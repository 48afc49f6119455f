"""How long do plans wait under load, and is any lost, run twice or left hanging when workers are killed?

    python benchmarks/scheduler.py [--quick] [--plans 1000] [--seed 1]     waits: first come first served, round robin, and nlsh's scheduler
    python benchmarks/scheduler.py --simulated                             the same in simulated time: no workers, no noise, some seconds
    python benchmarks/scheduler.py --kill [--quick]                        the same load while workers are killed at random

Four clients queue plans: a shell's are short and of high priority and come all the while, an agent's are mixed, a batch is all there at once, jobs are
long and of low priority. Each plan is one step in a real confined worker, which computes for a given time of its own processor; the order of arrival and
all lengths are the same for the three. A plan's wait is the time from its arrival to its end, less that length. The three run at once, each with places of
its own, so that whatever else the machine does holds up all of them alike: what counts are the ratios of one run, which takes about as long as all the plans
three times over. Round robin, too, has at most as many workers paused as nlsh's scheduler: a paused one keeps its process and its memory.
Simulated, a worker's start takes START_S, and a place is a whole core.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psutil

from nlsh.guard.grant import Grant
from nlsh.guard.sandbox.part import Part
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.kernel.bus import LAST, StepMessages
from nlsh.kernel.scheduler import MOST_PAUSED, QUANTUM_S, Decision, Needs, Scheduler, Task
from nlsh.kernel.workers import Workers
from nlsh.plan.effects import Effect
from nlsh.plan.process_names import SPARE, ZYGOTE
from nlsh.plan.steps import Step

PLACES = max(2, len(os.sched_getaffinity(0)))
START_S = 0.015
BUSY = 0.8  # arrivals are spread over so much of the time that all of it takes
# Of a client: its part of the plans, the priority, the mean lengths and how often, whether all come at once.
CLIENTS = {
    "shell": (0.35, "high", ((0.01, 1.0),), False),
    "agent": (0.25, "normal", ((0.02, 0.8), (0.2, 0.2)), False),
    "batch": (0.25, "normal", ((0.03, 1.0),), True),
    "jobs": (0.15, "low", ((0.15, 0.8), (0.5, 0.2)), False),
}


@dataclass(frozen=True)
class Compute(Step):
    """Note that it has begun, compute for `seconds`, and note that it is done."""

    number: int
    seconds: float
    ledger: str

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("fs.write", self.ledger),)

    def describe(self) -> str:
        return f"compute for {self.seconds} s"

    def apply(self) -> None:
        self._note("begun")
        until = time.thread_time() + self.seconds
        while time.thread_time() < until:
            pass
        self._note("done")

    def _note(self, what: str) -> None:
        try:
            os.close(os.open(f"{self.ledger}/{self.number}.{what}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            os.close(os.open(f"{self.ledger}/{self.number}.twice", os.O_CREAT | os.O_WRONLY, 0o600))


@dataclass(frozen=True)
class Item:
    """A plan to be queued: `at` is a part of the whole time."""

    number: int
    client: str
    priority: str
    seconds: float
    at: float


def load(count: int, seed: int) -> list[Item]:
    chance = random.Random(seed)
    found = []
    for client, (part, priority, lengths, at_once) in CLIENTS.items():
        for _ in range(round(count * part)):
            mean = chance.choices([m for m, _ in lengths], [w for _, w in lengths])[0]
            seconds = min(4 * mean, chance.expovariate(1 / mean))
            found.append((0.0 if at_once else chance.random() * BUSY, client, priority, seconds))
    return [Item(n, client, priority, seconds, at) for n, (at, client, priority, seconds) in enumerate(sorted(found))]


class Queue:
    """First come, first served; with a quantum, round robin."""

    def __init__(self, quantum: float | None) -> None:
        self._quantum = quantum
        self._waiting: list[Hashable] = []
        self._running: dict[Hashable, float] = {}
        self._begun: set[Hashable] = set()

    def add(self, task: Task, now: float) -> None:
        self._waiting.append(task.key)

    def ended(self, key: Hashable, now: float) -> None:
        self._running.pop(key, None)
        if key in self._waiting:
            self._waiting.remove(key)
        self._begun.discard(key)

    def decide(self, now: float) -> list[Decision]:
        found = []
        over = [k for k, since in self._running.items() if self._quantum is not None and now - since >= self._quantum]
        for key in over:
            if self._next() is not None:
                del self._running[key]
                self._waiting.append(key)
                found.append(Decision("pause", key))
        while len(self._running) < PLACES and (key := self._next()) is not None:
            self._waiting.remove(key)
            self._running[key] = now
            found.append(Decision("resume" if key in self._begun else "start", key))
            self._begun.add(key)
        return found

    def _next(self) -> Hashable | None:
        crowded = len(self._begun) - len(self._running) >= MOST_PAUSED
        return next((k for k in self._waiting if not crowded or k in self._begun), None)

    def next_look(self, now: float) -> float | None:
        if self._quantum is None or not self._running or not self._waiting:
            return None
        return max(0.0, min(self._running.values()) + self._quantum - now)


class Trial:
    """One run of a load through one scheduler."""

    def __init__(self, items: list[Item], scheduler: Any, ledger: str, span: float) -> None:
        self.items, self.ledger, self.span = items, ledger, span
        self.ended: dict[int, float] = {}
        self.arrived: dict[int, float] = {}
        self.last: dict[int, list[dict[str, Any]]] = {}
        self.zygote = Zygote.start()
        self._grant = Grant.of([Effect("fs.write", ledger)]).as_data()
        self._scheduler = scheduler

    def drive(self, item: Item) -> Any:
        step = Compute(item.number, item.seconds, self.ledger)
        job = {"steps": [step.as_data()], "grant": self._grant, "cwd": "/", "env": {}}
        return lambda part: part.run(job)

    def run(self) -> float:
        """Queue everything as it comes; return how long all of it took."""
        list(self.drive(Item(-1, "", "", 0.0, 0.0))(Part(self.zygote)))  # what the first one imports is not the second's
        workers = Workers(self.zygote, self._scheduler)
        ended = workers.bus.follow("work.ended", room=len(self.items) + 1)
        workers.serve("kernel")
        self._began = time.monotonic()
        clients = [threading.Thread(target=self._client, args=(name, workers)) for name in CLIENTS]
        for client in clients:
            client.start()
        for _ in self.items:
            self.ended[ended.take(timeout=120)] = time.monotonic()  # type: ignore[index]
        for client in clients:
            client.join()
        taken = time.monotonic() - self._began
        workers.close()
        self.zygote.close()
        return taken

    def _client(self, name: str, workers: Workers) -> None:
        waiting: list[tuple[Item, StepMessages]] = []
        for item in (i for i in self.items if i.client == name):
            time.sleep(max(0.0, self._began + item.at * self.span - time.monotonic()))
            self.arrived[item.number] = time.monotonic()
            task = Task(item.number, name, item.priority, preemptible=True)
            waiting.append((item, workers.bus.ask("kernel", (task, 1, self.drive(item)), timeout=120)))
        for item, messages in waiting:
            self.last[item.number] = [m for m in messages if m["type"] in LAST]


Times = tuple[dict[int, float], dict[int, float]]  # when each plan came, and when it ended


def simulated(items: list[Item], scheduler: Any, span: float) -> Times:
    """Return when each plan came and when it ended, in simulated seconds."""
    left = {i.number: i.seconds + START_S for i in items}
    coming = sorted(items, key=lambda i: i.at, reverse=True)
    ended: dict[int, float] = {}
    running: list[int] = []
    now = 0.0
    while len(ended) < len(items):
        while coming and coming[-1].at * span <= now:
            item = coming.pop()
            scheduler.add(Task(item.number, item.client, item.priority, preemptible=True), now)
        for what, key in scheduler.decide(now):
            running.remove(key) if what == "pause" else running.append(key)  # type: ignore[arg-type]
        look = scheduler.next_look(now)
        steps = [left[n] for n in running] + ([coming[-1].at * span - now] if coming else []) + ([max(look, 1e-4)] if look is not None else [])
        now += min(steps)
        for number in list(running):
            left[number] -= min(steps)
            if left[number] <= 1e-9:
                running.remove(number)
                scheduler.ended(number, now)
                ended[number] = now
    return {i.number: i.at * span for i in items}, ended


def at_once(items: list[Item], schedulers: dict[str, Callable[[], Any]], folder: str, span: float) -> dict[str, Times]:
    """Run a load through each scheduler, in a process for each, side by side; return when each plan came and when it ended."""
    context = multiprocessing.get_context("fork")
    told = context.SimpleQueue()

    def one(name: str, made: Callable[[], Any]) -> None:
        trial = Trial(items, made(), _made(folder, name.replace(" ", "")), span)
        taken = trial.run()
        told.put((name, taken, trial.arrived, trial.ended))

    them = [context.Process(target=one, args=item) for item in schedulers.items()]
    for process in them:
        process.start()
    rows: dict[str, Times] = {}
    for _ in them:
        name, taken, arrived, ended = told.get()
        print(f"{name}: {len(items)} plans in {taken:.1f} s", file=sys.stderr)
        rows[name] = arrived, ended
    for process in them:
        process.join()
    return {name: rows[name] for name in schedulers}


def waits(items: list[Item], arrived: dict[int, float], ended: dict[int, float], priority: str | None) -> list[float]:
    return [ended[i.number] - arrived[i.number] - i.seconds for i in items if priority in (None, i.priority)]


def ours() -> Scheduler:
    return Scheduler(Needs(float(PLACES)))


def compare(count: int, seed: int, *, real: bool) -> None:
    items = load(count, seed)
    with tempfile.TemporaryDirectory() as folder:
        span = sum(i.seconds + START_S for i in items) / PLACES
        if real:
            sample = items[:: max(1, count // 20)]
            probe = Trial([Item(i.number, i.client, i.priority, i.seconds, 0.0) for i in sample], Queue(None), _made(folder, "probe"), 0.0)
            # Alone, it has the machine to itself; then three share it.
            span = 3 * probe.run() * len(items) / len(sample)
        schedulers = {"first come": lambda: Queue(None), "round robin": lambda: Queue(QUANTUM_S), "nlsh": ours}
        alone = {} if real else {name: simulated(items, made(), span) for name, made in schedulers.items()}
        rows = alone or at_once(items, schedulers, folder, span)
    print(f"{count} plans of {len(CLIENTS)} clients, {PLACES} places; waits, and how many times nlsh's that is")
    print(f"{'':24}{'mean':>18}{'90th percentile':>20}")
    for priority in (None, "high", "normal", "low"):
        base = _figures(waits(items, *rows["nlsh"], priority))
        for name, times in rows.items():
            mean, late = _figures(waits(items, *times, priority))
            print(f"{priority or 'all':8}{name:16}{mean:9.2f} s {mean / base[0]:5.2f}x {late:10.2f} s {late / base[1]:5.2f}x")


def _figures(waits: list[float]) -> tuple[float, float]:
    return max(1e-3, statistics.mean(waits)), max(1e-3, statistics.quantiles(waits, n=10)[-1])


def _made(folder: str, name: str) -> str:
    path = os.path.join(folder, name)
    os.mkdir(path)
    return path


def kill(count: int, seed: int) -> int:
    """Run a load while its workers are killed; return 1 where a plan was lost, run twice or left hanging, or was told to be what it is not."""
    items = load(count, seed)
    chance = random.Random(seed)
    killed = 0
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(items, ours(), folder, count * 0.02)
        over = threading.Event()

        def killer() -> None:
            nonlocal killed
            while not over.wait(chance.expovariate(1 / 0.05)):
                try:
                    victims = [p for p in psutil.Process(trial.zygote.pid).children(recursive=True) if p.name() not in (SPARE, ZYGOTE)]
                    victim = chance.choice(victims)
                    victim.send_signal(signal.SIGKILL)
                    killed += 1
                except (psutil.Error, IndexError):
                    continue

        thread = threading.Thread(target=killer)
        thread.start()
        try:
            trial.run()
        finally:
            over.set()
            thread.join()
        notes = {name: set() for name in ("begun", "done", "twice")}
        for file in os.listdir(folder):
            number, _, what = file.partition(".")
            notes[what].add(int(number))
    told = {n: [m["type"] for m in last] for n, last in trial.last.items()}
    faults = {
        "without exactly one last message": [i.number for i in items if len(told.get(i.number, [])) != 1],
        "run twice": sorted(notes["twice"]),
        "told to be done and not done": [n for n, t in told.items() if t == ["done"] and n not in notes["done"]],
        "never begun": [i.number for i in items if i.number not in notes["begun"]],
    }
    failed = sum(t != ["done"] for t in told.values())
    print(f"{count} plans, {killed} processes killed: {count - failed} plans told to be done, {failed} told to be lost")
    for words, numbers in faults.items():
        print(f"  {words}: {len(numbers)}{f' ({numbers[:5]})' if numbers else ''}")
    return int(any(numbers for words, numbers in faults.items() if words != "never begun"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plans", type=int, default=1000)
    parser.add_argument("--quick", action="store_true", help="100 plans")
    parser.add_argument("--simulated", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kill", action="store_true")
    options = parser.parse_args()
    count = 100 if options.quick else options.plans
    if options.kill:
        return kill(count, options.seed)
    compare(count, options.seed, real=not options.simulated)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
