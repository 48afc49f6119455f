"""What each kind of effect opens, and no more; and what the probe says about this kernel and about older ones."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from nlsh.guard.sandbox import landlock, seccomp
from nlsh.guard.sandbox.confine import level
from nlsh.guard.sandbox.kernel import syscall
from nlsh.guard.sandbox.probe import probe
from nlsh.guard.sandbox.seccomp import OURS, number_of
from tests.sandbox.conftest import NOBODY, changing, in_child, reading, typed

# What Landlock and seccomp do alone; with a view below them, see test_namespaces.
pytestmark = pytest.mark.usefixtures("no_views")


def open_files(pid: int) -> list[str]:
    """The files that a process has open."""
    return [os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")]


def test_only_a_look_into_processes_sees_their_files(home: Path, victim: int) -> None:
    assert in_child(lambda: open_files(victim), grant=typed(("proc.read", "*"))).value
    assert in_child(lambda: open_files(victim), grant=typed(("fs.read", "/"))).errno in (errno.EACCES, errno.EPERM)
    assert in_child(lambda: open_files(victim)).done
    # With a command to run, the files it reads are held, and so processes stay closed.
    assert in_child(lambda: open_files(victim), grant=reading()).errno in (errno.EACCES, errno.EPERM)


def test_a_look_into_processes_changes_nothing(home: Path, victim: int) -> None:
    for attempt in (
        lambda: os.open(home / "x", os.O_WRONLY | os.O_CREAT),
        lambda: os.kill(victim, 15),
        lambda: os.execv("/bin/true", ["true"]),
        socket.socket,
        lambda: os.open(f"/proc/{victim}/mem", os.O_RDWR),
    ):
        assert in_child(attempt, grant=typed(("proc.read", "*"))).errno == OURS


def netlink(protocol: int) -> None:
    """Ask the kernel's routing family for something."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol) as one:
        one.bind((0, 0))


def test_network_state_is_netlink_route_only(home: Path) -> None:
    granted = typed(("net.read", "*"))
    assert in_child(lambda: netlink(0), grant=granted).done
    assert in_child(lambda: netlink(16), grant=granted).errno == OURS  # generic netlink
    assert in_child(socket.socket, grant=granted).errno == OURS
    assert in_child(lambda: netlink(0), grant=typed(("fs.read", "/"))).errno == OURS
    assert in_child(lambda: netlink(16)).done
    assert in_child(lambda: Path("/proc/net/tcp").read_text(), grant=granted).done


def test_a_connection_is_held_to_its_port(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        granted = typed(("net.connect", f"localhost:{one.getsockname()[1]}"))

        def connect(server: socket.socket) -> None:
            socket.create_connection(server.getsockname()).close()

        assert in_child(lambda: connect(one), grant=granted).done
        assert in_child(lambda: connect(other), grant=granted).errno == errno.EACCES
        assert in_child(lambda: connect(other), grant=typed(("net.connect", "*"))).done
        assert in_child(lambda: socket.socket(type=socket.SOCK_DGRAM), grant=granted).errno == OURS
        assert in_child(lambda: socket.socket(proto=262), grant=granted).errno == errno.EPROTONOSUPPORT
        assert in_child(lambda: socket.create_server(("127.0.0.1", 0)), grant=granted).errno in (errno.EACCES, OURS)


def test_a_port_is_listened_on_only_where_granted(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    def listen(number: int) -> None:
        with socket.socket() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(("127.0.0.1", number))
            one.listen()

    assert in_child(lambda: listen(port), grant=typed(("net.listen", str(port)))).done
    assert in_child(lambda: listen(0), grant=typed(("net.listen", str(port)))).errno == errno.EACCES
    assert in_child(lambda: listen(0), grant=typed(("net.listen", "*"))).done


def test_removing_is_not_writing(home: Path) -> None:
    (home / "folder").mkdir()
    for name in ("one", "two"):
        (home / "folder" / name).write_text("x")
    granted = typed(("fs.delete", home / "folder" / "one"))
    assert in_child(lambda: (home / "folder" / "two").write_text("y"), grant=granted).errno == errno.EACCES
    assert in_child(lambda: (home / "folder" / "new").write_text("y"), grant=granted).errno == errno.EACCES
    assert in_child(lambda: (home / "folder" / "one").unlink(), grant=granted).done
    assert (home / "folder" / "two").read_text() == "x"


@pytest.mark.parametrize("abi", [None, 2, 3, 5])
def test_a_move_between_folders(home: Path, abi: int | None) -> None:
    for name in ("from", "to", "elsewhere"):
        (home / name).mkdir()
    (home / "from" / "file").write_text("x")
    (home / "from" / "tree").mkdir()
    (home / "from" / "tree" / "leaf").write_text("x")
    for name in ("file", "tree"):
        granted = typed(("fs.delete", home / "from" / name), ("fs.write", home / "to" / name))
        refused = in_child(lambda name=name: os.rename(home / "from" / name, home / "elsewhere" / name), grant=granted, abi=abi)
        assert refused.errno in (errno.EACCES, errno.EXDEV)
        assert in_child(lambda name=name: os.rename(home / "from" / name, home / "to" / name), grant=granted, abi=abi).done
    assert (home / "to" / "tree" / "leaf").exists()


def test_setting_attributes_is_not_writing(home: Path) -> None:
    (home / "file").write_text("x")
    granted = typed(("fs.meta", home / "file"))
    assert in_child(lambda: os.chmod(home / "file", 0o600), grant=granted).done
    assert in_child(lambda: (home / "file").write_text("y"), grant=granted).errno == errno.EACCES
    assert in_child(lambda: (home / "file").unlink(), grant=granted).errno == errno.EACCES


def test_times_of_a_folder_do_not_open_what_is_in_it(home: Path) -> None:
    (home / "folder").mkdir()
    (home / "folder" / "file").write_text("x")
    granted = typed(("fs.meta", home / "folder"))
    assert in_child(lambda: os.utime(home / "folder", (1, 1)), grant=granted).done
    assert in_child(lambda: (home / "folder" / "file").read_text(), grant=granted).errno == errno.EACCES


def test_no_core_is_dumped_and_no_handler_of_crashes_is_started(home: Path) -> None:
    """At 0 the kernel still starts what core_pattern names, as root and outside; at 1 it does neither, and a command cannot make a 0 of it."""

    def lowers() -> tuple[tuple[int, int], tuple[int, int], int]:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        syscall(number_of("setrlimit"), 4, ctypes.create_string_buffer(16))
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))  # the control: other limits are its own
        shell = subprocess.run(["sh", "-c", "ulimit -c 0; ulimit -c"], capture_output=True, check=True)
        return resource.getrlimit(resource.RLIMIT_CORE), resource.getrlimit(resource.RLIMIT_NOFILE), int(shell.stdout)

    assert in_child(lowers, grant=reading()).value == ((1, 1), (64, 64), 0)
    assert in_child(lowers).value[0] == (0, 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_everything_works_without_root(tmp_path: Path, home: Path) -> None:
    from tests.sandbox.conftest import give_to_nobody

    (home / "in").mkdir()
    give_to_nobody(tmp_path)
    for granted in (changing(home / "in"), typed(("fs.write", home / "in" / "x"))):
        assert in_child(lambda: (home / "in" / "x").write_text("x"), grant=granted, user=NOBODY).done
        assert in_child(lambda: (home / "x").write_text("x"), grant=granted, user=NOBODY).errno == errno.EACCES


# --- the probe


def test_the_probe_finds_what_is_there(home: Path) -> None:
    found = probe()
    assert (found.level, found.landlock_abi, found.seccomp) == (level(landlock.abi()), landlock.abi(), True)
    assert "level" in found.sentences()[0]


OTHERS = [(0, True, "L0"), (1, True, "L1"), (5, True, "L1"), (6, True, "L2"), (None, False, "L0"), (0, False, "L0")]


@pytest.mark.parametrize(("abi", "there", "wanted"), OTHERS)
def test_the_probe_on_other_kernels(home: Path, monkeypatch: pytest.MonkeyPatch, abi: int | None, there: bool, wanted: str) -> None:
    if abi is not None and landlock.abi() < abi:
        pytest.skip("this kernel is older than that")
    monkeypatch.setattr(landlock, "ceiling", abi)
    monkeypatch.setattr(seccomp, "available", there)
    found = probe()
    assert (found.level, found.seccomp) == (wanted, there)
    assert ("nothing is run" in " ".join(found.sentences())) == (not there)
    assert ("refused" in " ".join(found.sentences())) == (there and (wanted == "L0" or (abi or 9) < 4))


def test_the_probe_says_what_is_open_and_how_to_raise_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nlsh.guard.sandbox import probe as module
    from nlsh.guard.sandbox import view

    said = " ".join(probe().sentences())
    assert "names, sizes and times of secrets" in said and "switched off" in said and "L3" in said
    for file, value, wanted in (
        ("apparmor_restrict_unprivileged_userns", "1", "AppArmor"),
        ("unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
        ("max_user_namespaces", "0", "user.max_user_namespaces"),
    ):
        monkeypatch.setattr(module, "_says", lambda path, file=file, value=value: value if path.endswith(file) else "")
        assert wanted in " ".join(module.how_to_raise())
    assert "bubblewrap" in " ".join(module.how_to_raise())
    monkeypatch.setattr(module, "_says", lambda path: "1" if "apparmor" in path else "")
    assert f'profile nlsh "{os.path.realpath(sys.executable)}"' in module.apparmor_profile() and "userns," in module.apparmor_profile()
    monkeypatch.setattr(module, "_says", lambda path: "")
    assert module.apparmor_profile() == ""
    monkeypatch.setattr(view, "forbidden", False)
    if not view.why_not():
        found = probe()
        assert found.level == "L3" and "names, sizes" not in " ".join(found.sentences())
