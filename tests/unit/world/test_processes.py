"""Names, identities and scripts of processes."""

from __future__ import annotations

import os
import subprocess

import pytest

from nlsh.plan.errors import NotFound
from nlsh.world import processes
from nlsh.world.processes import Running


def process(pid: int, name: str, *argv: str, state: str = "S") -> Running:
    return Running(pid, 1, name, state, 0, 5, 0, 0, 0, False, argv or (name,))


ALL = [
    process(10, "chrome", "/opt/google/chrome/chrome", "--type=renderer"),
    process(11, "chromium", "/usr/lib/chromium/chromium"),
    process(12, "python3.11", "/usr/bin/python3", "-X", "dev", "train.py", "--epochs", "3"),
    process(13, "python3.11", "python3.11", "-m", "http.server"),
    process(14, "Web Content", "/usr/lib/firefox/firefox", "-contentproc"),
    process(15, "GeckoMain", "/usr/lib/firefox/firefox"),
    process(16, "Discord"),
    process(17, "a-very-long-nam", "/usr/bin/a-very-long-name-indeed"),
    process(18, "node", "node", "/srv/app/server.js"),
    process(19, "nginx", "nginx: worker process"),
    process(20, "bash", "-bash"),
    process(21, "chrome", "chrome", state="Z"),
]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("chrome", [10]), ("google chrome", [10]), ("Chromium", [11]), ("chrom", []), ("train.py", [12]), ("train", [12]), ("python", [12, 13]),
        ("python3", [12]), ("python3.11", [12, 13]), ("http.server", [13]), ("firefox", [14, 15]), ("火狐", [14, 15]), ("discord", [16]),
        ("a-very-long-name-indeed", [17]), ("server.js", [18]), ("/srv/app/server.js", [18]), ("nginx", [19]), ("bash", [20]), ("", []),
    ],
)  # fmt: skip
def test_names_as_people_say_them(said: str, meant: list[int]) -> None:
    assert [p.pid for p in processes.named(said, ALL)] == meant


def test_a_script_that_has_a_programs_own_name_does_not_hide_it() -> None:
    both = [*ALL, process(30, "python3", "python3", "/home/u/discord.py")]
    assert [p.pid for p in processes.named("discord", both)] == [16]
    assert [p.pid for p in processes.named("discord.py", both)] == [30]


def test_resembling_is_for_looking() -> None:
    assert [p.pid for p in processes.resembling("chrom", ALL)] == [10, 11]
    assert processes.resembling("", ALL) == []


@pytest.mark.parametrize(
    ("argv", "script"),
    [
        (("python", "-c", "pass", "x.py"), ""), (("python3", "-u", "x.py"), "x.py"), (("bash", "/opt/run.sh", "a"), "/opt/run.sh"),
        (("python", "-m", "pytest"), "pytest"), (("vim", "x.py"), ""), (("python",), ""), (("node", "-r", "ts-node", "a.ts"), "a.ts"),
    ],
)  # fmt: skip
def test_the_script_of_an_interpreter(argv: tuple[str, ...], script: str) -> None:
    assert process(1, argv[0], *argv).script == script


def test_a_summary_is_short_and_keeps_secrets_out() -> None:
    shown = process(1, "db", "db", "--password", "hunter2", "--api-key=abc", "PGPASSWORD=x", "--port", "5432", "a" * 500).summary
    assert shown.startswith("db --password … --api-key=… PGPASSWORD=… --port 5432 aaa") and len(shown) == 120 and shown.endswith("…")
    assert process(1, "sleep", "sleep", "600").summary == "sleep 600"


def test_a_name_with_brackets_and_spaces_is_read_whole(tmp_path: os.PathLike[str]) -> None:
    program = os.path.join(tmp_path, "a) b (c")
    os.symlink("/bin/sleep", program)
    child = subprocess.Popen([program, "600"])
    try:
        # The kernel gives a program its name a moment before its arguments.
        while not ((found := processes.read(child.pid)) and found.argv):
            assert child.poll() is None
        assert (found.name, found.parent, found.argv[1]) == ("a) b (c", os.getpid(), "600")
        assert processes.same(child.pid, found.started)
        assert not processes.same(child.pid, f"{found.started_ticks + 1}@{processes.boot_id()}")
        assert not processes.same(child.pid, f"{found.started_ticks}@other-boot")
    finally:
        child.kill()
        child.wait()
    assert not processes.same(child.pid, found.started)
    assert processes.read(child.pid) is None
    assert processes.user_ids(child.pid) == (-1, -1, -1)
    assert processes.threads(child.pid) == ()


def test_start_times_are_those_of_the_clock() -> None:
    import psutil

    me = processes.read(os.getpid())
    assert me is not None
    assert abs(me.started_at - psutil.Process().create_time()) < 2
    assert abs(me.resident_bytes - psutil.Process().memory_info().rss) < 50_000_000
    assert me.nice == psutil.Process().nice()


def test_lineage_ends_at_the_first_process() -> None:
    chain = processes.lineage(os.getpid())
    assert chain[:2] == (os.getpid(), os.getppid())
    assert len(set(chain)) == len(chain)


def test_users() -> None:
    assert processes.user_id("me") == processes.user_id("我") == os.getuid()
    assert processes.user_id("root") == 0 and processes.user_name(0) == "root"
    with pytest.raises(NotFound, match="no user"):
        processes.user_id("nlsh-no-such-user")
