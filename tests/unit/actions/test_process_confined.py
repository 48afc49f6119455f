"""The actions on processes in a real, confined worker: they can do what was approved, to whom it was approved, and no more."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nlsh.guard.grant import Grant
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.plan import registry
from nlsh.plan.steps import Step
from nlsh.world import World

NAME = f"nlshc{os.getpid()}"
THREADED = (
    "import threading,time\n[threading.Thread(target=time.sleep,args=(600,),daemon=True).start() for _ in range(3)]\n"
    "print('ready',flush=True)\ntime.sleep(600)\n"
)


@pytest.fixture
def zygote(home: Path) -> Iterator[Zygote]:
    server = Zygote.start()
    yield server
    server.close()


@pytest.fixture
def threaded(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    (tmp_path / f"{NAME}.py").write_text(THREADED)
    with subprocess.Popen([sys.executable, str(tmp_path / f"{NAME}.py")], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield child
        child.kill()


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["/bin/sleep", "600"]) as child:
        yield child
        child.kill()


def steps_of(text: str) -> list[Step]:
    (call,) = registry.parse(text).calls
    action = registry.get(call.action)
    args = action.Args.bind(call.action, call.args)
    return list(action.steps(args, json.loads(json.dumps(action.look(args, World())))))


def run(zygote: Zygote, steps: list[Step], granted: list[Step] | None = None) -> list[dict[str, Any]]:
    grant = Grant.of(e for s in granted or steps for e in s.effects())
    job = {"steps": [s.as_data() for s in steps], "grant": grant.as_data(), "cwd": os.getcwd(), "env": dict(os.environ)}
    return [m for m in zygote.run(job) if m["type"] not in ("start", "progress")]


def test_every_thread_is_tuned_and_given_back(zygote: Zygote, threaded: subprocess.Popen[bytes]) -> None:
    tasks = [int(t) for t in os.listdir(f"/proc/{threaded.pid}/task")]
    steps = steps_of(f'process.priority(name="{NAME}", level="low")') + steps_of(f'resource.limit(name="{NAME}", memory="8GB", cores="1")')
    assert {m["type"] for m in run(zygote, steps)} == {"done"}
    assert {os.getpriority(os.PRIO_PROCESS, t) for t in tasks} == {10} and len(tasks) == 4
    assert {len(os.sched_getaffinity(t)) for t in tasks} == {1}
    back = [s.inverse() for s in steps[1:]]
    assert {m["type"] for m in run(zygote, [s for s in back if s])} == {"done"}
    assert {len(os.sched_getaffinity(t)) for t in tasks} == {len(os.sched_getaffinity(0))}


def test_what_was_approved_for_one_cannot_be_done_to_another(zygote: Zygote, threaded: subprocess.Popen[bytes], other: subprocess.Popen[bytes]) -> None:
    for text in (
        'process.kill(pid="{}", force=true)', 'process.pause(pid="{}")', 'process.priority(pid="{}", level="low")', 'resource.limit(pid="{}", memory="8GB")'
    ):  # fmt: skip
        approved, wanted = steps_of(text.format(threaded.pid)), steps_of(text.format(other.pid))
        (message,) = run(zygote, wanted, approved)
        assert message["type"] == "denied", message
    found = Path(f"/proc/{other.pid}/stat").read_text().split()
    assert found[2] == "S" and found[18] == "0" and other.poll() is None
    # The control: with its own approval it is done.
    assert [m["type"] for m in run(zygote, steps_of(f'process.kill(pid="{other.pid}")'))] == ["done"]
    assert other.wait(10) == -signal.SIGTERM


def test_pause_resume_and_kill(zygote: Zygote, threaded: subprocess.Popen[bytes]) -> None:
    for verb in ("pause", "resume", "pause", "kill"):
        assert [m["type"] for m in run(zygote, steps_of(f'process.{verb}(name="{NAME}.py")'))] == ["done"]
    assert threaded.wait(10) == -signal.SIGTERM
    (message,) = run(zygote, steps_of(f'process.find(name="{NAME}")'))
    assert message["error"]["code"] == "world.not-found"


def test_looking_works_confined(zygote: Zygote, threaded: subprocess.Popen[bytes], home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, (home / "held.txt").open("w"):
        port = listener.getsockname()[1]
        for text, expected in (
            (f'process.find(port="{port}")', os.getpid()),
            ('process.find(using="held.txt")', os.getpid()),
            (f'process.find(name="{NAME}")', threaded.pid),
            ("process.list()", threaded.pid),
            ("network.ports()", os.getpid()),
        ):
            messages = run(zygote, steps_of(text))
            assert messages[-1]["type"] == "done", messages[-1]
            assert expected in {r["pid"] for m in messages if m["type"] == "records" for r in m["records"]}, text


@pytest.mark.parametrize(
    "text",
    ["resource.cpu()", "resource.memory()", "resource.disk()", "device.block()", "device.mounts()", "network.addresses()", "system.info()", "system.uptime()"],
)
def test_the_machine_can_be_looked_at_confined(text: str, zygote: Zygote) -> None:
    messages = run(zygote, steps_of(text))
    assert messages[-1]["type"] == "done", messages[-1]
    assert messages[0]["type"] == "records" or text == "device.block()"


@pytest.mark.parametrize("text", ["device.usb()", "device.gpu()"])
def test_devices_that_may_not_be_there(text: str, zygote: Zygote) -> None:
    last = run(zygote, steps_of(text))[-1]
    assert last["type"] == "done" or last["error"]["code"] == "world.not-possible"


def test_the_newest_process_is_not_the_worker_that_looks(zygote: Zygote, threaded: subprocess.Popen[bytes]) -> None:
    messages = run(zygote, steps_of('process.list(sort="newest")'))
    mine = Path(f"/proc/{os.getpid()}/cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ").decode()
    assert [r["pid"] for m in messages if m["type"] == "records" for r in m["records"] if r["command"] == mine] == [os.getpid()]
