"""Tasks on real confined workers: killed at random nothing is lost, run twice or left hanging; long work is paused for urgent work and goes on."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from nlsh.guard.grant import Grant
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.kernel.bus import LAST, Bus, NoAnswer
from nlsh.kernel.scheduler import Needs, Scheduler, Task
from nlsh.kernel.workers import Workers
from nlsh.plan.effects import Effect
from nlsh.plan.steps import Step
from tests.at_work import family

LIMIT_S = 60.0


@dataclass(frozen=True)
class Noted(Step):
    """Note that it has begun, wait for a file of its name where it is to, and note that it is done."""

    quick: ClassVar[bool] = False
    folder: str
    name: str
    waits: bool = False

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("fs.write", self.folder),)

    def describe(self) -> str:
        return f"note {self.name}"

    def apply(self) -> None:
        self._note("begun")
        until = time.monotonic() + LIMIT_S
        while self.waits and not os.path.exists(f"{self.folder}/{self.name}.go") and time.monotonic() < until:
            time.sleep(0.01)
        self._note("done")

    def _note(self, what: str) -> None:
        with open(f"{self.folder}/{self.name}.{what}", "a") as file:
            file.write("x")


@pytest.fixture
def zygote() -> Iterator[Zygote]:
    started = Zygote.start()
    yield started
    started.close()


def driven(folder: Path, name: str, *, waits: bool = False) -> Callable[[Any], Iterator[dict[str, Any]]]:
    step = Noted(str(folder), name, waits)
    job = {"steps": [step.as_data()], "grant": Grant.of(step.effects()).as_data(), "cwd": "/", "env": {}}
    return lambda part: part.run(job)


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.005)


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1].decode()
    except OSError:
        return "X"


def test_killed_workers_lose_nothing_and_run_nothing_twice(zygote: Zygote, tmp_path: Path) -> None:
    chance, over = random.Random(7), threading.Event()
    told: dict[int, list[str]] = {}

    def kill() -> None:
        while not over.wait(0.02):
            if there := family(zygote.pid):
                try:
                    os.kill(chance.choice(there), signal.SIGKILL)
                except ProcessLookupError:
                    continue

    with Workers(zygote, Scheduler(Needs(2.0), quantum=0.02)) as workers:
        workers.serve("kernel")
        killer = threading.Thread(target=kill)
        killer.start()

        def client(number: int) -> None:
            task = Task(number, f"client {number % 3}", ("low", "normal", "high")[number % 3], preemptible=True)
            messages = workers.bus.ask("kernel", (task, 1, driven(tmp_path, str(number))), timeout=LIMIT_S)
            told[number] = [m["type"] for m in messages if m["type"] in LAST]

        clients = [threading.Thread(target=client, args=(n,)) for n in range(10)]
        for one in clients:
            one.start()
        time.sleep(0.5)
        over.set()
        killer.join()
        for one in clients:
            one.join(LIMIT_S)
        assert not any(one.is_alive() for one in clients), "a caller is left hanging"
    notes = {p.name: p.read_text() for p in tmp_path.iterdir()}
    assert all(text == "x" for text in notes.values()), "something ran twice"
    assert sorted(told) == list(range(10)) and all(len(kinds) == 1 for kinds in told.values())
    assert all(f"{n}.done" in notes for n, kinds in told.items() if kinds == ["done"]), "something was told to be done that is not"
    assert ["done"] in told.values()
    until(lambda: not family(zygote.pid))


def test_one_that_had_not_begun_is_given_another_worker_and_one_that_had_is_not(zygote: Zygote, tmp_path: Path) -> None:
    tries: list[str] = []

    def lost_at_first(part: Any) -> Iterator[dict[str, Any]]:
        tries.append("x")
        if len(tries) == 1:
            yield {"type": "failed", "step": 0, "error": {"code": "worker.lost", "message": "gone", "hint": ""}, "lost": True}
            return
        yield from driven(tmp_path, "first")(part)

    with Workers(zygote, Scheduler(Needs(2.0))) as workers:
        assert [m["type"] for m in workers.submit(Task(1), 1, lost_at_first)] == ["start", "done"] and len(tries) == 2
        messages = workers.submit(Task(2), 1, driven(tmp_path, "second", waits=True))
        until((tmp_path / "second.begun").exists)
        for pid in family(zygote.pid):
            os.kill(pid, signal.SIGKILL)
        assert [(m["type"], m.get("error", {}).get("code")) for m in messages] == [("start", None), ("failed", "worker.lost")]
    assert (tmp_path / "second.begun").read_text() == "x" and not (tmp_path / "second.done").exists()


def test_long_work_stands_still_for_urgent_work_and_goes_on(zygote: Zygote, tmp_path: Path) -> None:
    with Workers(zygote, Scheduler(Needs(1.0), quantum=0.05)) as workers:
        long = workers.submit(Task("long", priority="low", preemptible=True), 1, driven(tmp_path, "long", waits=True))
        until((tmp_path / "long.begun").exists)
        running = [pid for pid in family(zygote.pid) if state(pid) != "T"]
        urgent = workers.submit(Task("urgent", priority="high"), 1, driven(tmp_path, "urgent", waits=True))
        until((tmp_path / "urgent.begun").exists)
        stopped = [pid for pid in running if state(pid) == "T"]
        assert stopped and len(stopped) == len(running) - 1, "all but its supervisor stand still"
        (tmp_path / "long.go").touch()
        (tmp_path / "urgent.go").touch()
        assert [m["type"] for m in urgent][-1] == "done"
        assert [m["type"] for m in long][-1] == "done"
    assert (tmp_path / "long.begun").read_text() == (tmp_path / "long.done").read_text() == "x"


def test_closing_answers_everybody(zygote: Zygote, tmp_path: Path) -> None:
    workers = Workers(zygote, Scheduler(Needs(1.0)))
    server = workers.serve("kernel")
    first = workers.submit(Task(1), 1, driven(tmp_path, "first", waits=True))
    second = workers.submit(Task(2), 2, driven(tmp_path, "second"))
    until((tmp_path / "first.begun").exists)
    assert workers.withdraw(2) and not workers.withdraw(1)
    assert [(m["step"], m["type"]) for m in second] == [(0, "failed"), (1, "failed")]
    workers.close()
    server.join(LIMIT_S)
    assert all(m["type"] not in LAST or m["step"] == 0 for m in first)
    until(lambda: not family(zygote.pid))
    with pytest.raises(NoAnswer):
        workers.bus.ask("kernel", (), timeout=1)


def test_the_bus_answers_also_where_a_server_does_not() -> None:
    bus, answers = Bus(), []

    def ask(what: str) -> None:
        try:
            answers.append(bus.ask("there", what, timeout=LIMIT_S))
        except NoAnswer as error:
            answers.append(error.code)

    with bus.serving("there", room=1) as requests:
        threads = [threading.Thread(target=ask, args=(str(n),)) for n in range(3)]
        for thread in threads:
            thread.start()
        first = requests.take(LIMIT_S)
        assert first.reply("yes") and not first.reply("no")
    for thread in threads:
        thread.join(LIMIT_S)
    assert sorted(answers) == ["bus.no-answer", "bus.no-answer", "yes"]
    with bus.serving("there"), pytest.raises(NoAnswer, match="There was no answer within"):
        bus.ask("there", "anything", timeout=0.01)
    followers = [bus.follow("news"), bus.follow("news", room=1)]
    assert bus.publish("news", 1) == 2
    publisher = threading.Thread(target=bus.publish, args=("news", 2))
    publisher.start()
    assert [followers[1].take(LIMIT_S), followers[1].take(LIMIT_S)] == [1, 2], "the second waited for room"
    publisher.join(LIMIT_S)
    bus.leave("news", followers[1])
    assert bus.publish("news", 3) == 1 and [followers[0].take() for _ in range(3)] == [1, 2, 3]
