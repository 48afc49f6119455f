"""The escape matrix: every way out of a raw command's folder that is known, tried at each level of enforcement beside a twin that is allowed.

Each level is one process that is confined once and tries all. What is open there is exactly what the table in docs/limits.md says; a case that the
table does not name is held everywhere. What cannot be tried from inside a worker (what outlives it, what it inherits, races, trials on a copy, what is
shown) has tests of its own: test_worker, test_broker, test_overlay, test_injection, test_places.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import re
import resource
import shutil
import signal
import socket
import stat
import struct
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nlsh.guard.sandbox import landlock, relay, seccomp, view
from nlsh.guard.sandbox.kernel import GET_NO_NEW_PRIVS, prctl, syscall
from nlsh.guard.sandbox.seccomp import number_of
from tests.sandbox.conftest import Came, changing, in_child
from tests.sandbox.test_escapes import ATTEMPTS, REFUSALS, X86, Scene, scene  # noqa: F401

REFUSED = {*REFUSALS, errno.EROFS, errno.ESRCH, errno.EBUSY, errno.EXDEV, errno.ENOENT, errno.ENETUNREACH, errno.ECONNREFUSED}
_FILTERED = {errno.EPERM, errno.EACCES, errno.ENOSYS}
_libc = ctypes.CDLL(None, use_errno=True)


_TEST = os.getpid()


@dataclass(frozen=True)
class Spot:
    """A folder in which one case does what it does: one lies in the folder that may be changed, one beside it."""

    folder: Path
    scene: Scene
    home: Path

    @classmethod
    def make(cls, folder: Path, scene: Scene) -> Spot:  # noqa: F811
        folder.mkdir(parents=True)
        (folder / "file").write_text("content")
        (folder / "other").write_text("other")
        (folder / "empty").mkdir()
        (folder / "link").symlink_to(folder / "file")
        (folder / "away").symlink_to(folder)
        (folder / "-rf\n x").write_text("odd")
        return cls(folder, scene, scene.home)

    @property
    def file(self) -> Path:
        return self.folder / "file"


Try = Callable[[Spot, Spot], Any]  # (where it is tried, what lies inside)


@dataclass(frozen=True)
class Case:
    """`attempt` is refused, `twin` is done. `row`: where docs/limits.md says at which levels it is open. `lacks`: columns in which the twin is refused, too."""

    attempt: Try
    twin: Try
    row: str = ""
    lacks: tuple[str, ...] = ()
    refused: frozenset[int] = frozenset(REFUSED)
    needs: str = ""  # a program
    alone: bool = False  # in a process of its own


def _open(path: Path | str, flags: int, mode: int = 0o644) -> None:
    descriptor = os.open(path, flags, mode)
    os.write(descriptor, b"changed") if flags & 3 else None
    os.close(descriptor)


def _exchange(old: Path, new: Path) -> None:
    syscall(number_of("renameat2"), -100, ctypes.c_char_p(os.fsencode(old)), -100, ctypes.c_char_p(os.fsencode(new)), 2)


def _reopen(path: Path, flags: int) -> None:
    held = os.open(path, os.O_PATH)
    _open(f"/proc/self/fd/{held}", flags)


def _by_cwd(at: Spot, inside: Spot) -> None:
    os.chdir(inside.folder)
    try:
        _open(f"/proc/self/cwd/{os.path.relpath(at.file, inside.folder)}", os.O_WRONLY)
    finally:
        os.chdir("/")


def _run(*words: str) -> None:
    if (status := subprocess.run(words, capture_output=True, check=False).returncode) != 0:
        raise PermissionError(errno.EACCES, f"it ended with {status}")


def _own_child(function: Callable[[int], Any]) -> None:
    """Signal a process of one's own, which ends by it; or, where that is refused, as a pipe closes."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    try:
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        function(pid)
    except OSError:
        os.close(writer)
        os.waitpid(pid, 0)
        raise
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGUSR1


def _socket_signal(pid: int, request: int) -> None:
    """Have the kernel send SIGIO to a process, as the news that a socket can be read."""
    one, other = socket.socketpair()
    fcntl.ioctl(one, request, struct.pack("=i", pid))
    fcntl.ioctl(one, 0x5452, struct.pack("=i", 1))  # FIOASYNC
    other.send(b"x")


def _pidfd_getfd(pid: int) -> None:
    os.close(syscall(number_of("pidfd_getfd"), os.pidfd_open(pid), 0, 0))


def _ioprio(pid: int) -> None:
    syscall(number_of("ioprio_set"), 1, pid, 2 << 13 | 7)


def _from_memory() -> None:
    held = os.memfd_create("program", 0)
    os.write(held, Path(shutil.which("true") or "/bin/true").resolve().read_bytes())
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(OSError):
            os.execve(held, ["program"], {})
        os._exit(1)
    if os.waitpid(pid, 0)[1] != 0:
        raise PermissionError(errno.EACCES, "it does not run")


def _copied(inside: Spot, program: str, *words: str) -> None:
    copy = inside.folder / f"copy-of-{program}"
    shutil.copy(shutil.which(program) or program, copy)
    copy.chmod(0o755)
    _run(str(copy), *words)


def _numbered(name: str, *arguments: int) -> Try:
    return lambda _, __: syscall(number_of(name), *(arguments or (0, 0, 0, 0, 0)))


def _socket(family: int, kind: int, protocol: int = 0) -> Try:
    return lambda _, __: socket.socket(family, kind, protocol).close()


def _pair(_: Spot, __: Spot) -> None:
    one, other = socket.socketpair()
    one.send(b"x")
    assert other.recv(1) == b"x"


def _int_0x80() -> None:
    code = b"\xb8\x14\x00\x00\x00\xcd\x80\xc3"  # getpid by the table of 32 bits
    with mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC) as page:
        page.write(code)
        ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()


def _listener() -> None:
    seccomp.install(seccomp.build(seccomp.Profile(exec=True)), listen=True)


def _lock(path: Path) -> None:
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)


def _lease(path: Path, request: int) -> None:
    """Have whoever opens a file for writing wait, for 45 seconds as kernels are shipped."""
    with path.open() as file:
        fcntl.fcntl(file, request, fcntl.F_RDLCK)


def _watch(path: Path) -> None:
    descriptor = syscall(294 if X86 else 26, 0)
    syscall(254 if X86 else 27, descriptor, ctypes.c_char_p(os.fsencode(path)), 2)
    os.close(descriptor)


def _no_new_rights(_: Spot, __: Spot) -> None:
    if prctl(GET_NO_NEW_PRIVS):
        raise PermissionError(errno.EPERM, "what is setuid runs as anything else does")


def _ulp(_: Spot, __: Spot) -> None:
    """Make another protocol of a socket, which Landlock does not see connecting; no filter sees which kind of socket it is."""
    one, _other = socket.socketpair()
    one.setsockopt(socket.IPPROTO_TCP, 31, b"smc")


def _same(function: Callable[[Spot], Any], **more: Any) -> Case:
    """Return a case that does the same outside and inside."""
    return Case(lambda at, _: function(at), lambda _, inside: function(inside), **more)


def _to(pid_of: Callable[[Spot], int], function: Callable[[int], Any], **more: Any) -> Case:
    """Return a case that does something to a process of others, and the same to one of its own."""
    return Case(lambda at, _: function(pid_of(at)), lambda _, __: _own_child(function), **more)


def _victim(at: Spot) -> int:
    return at.scene.victim


_L1 = ("L1 (3–5)", "L1 (1–2)")
_ordinary: Try = lambda _, inside: inside.file.read_text()  # noqa: E731
_other: Try = lambda _, __: os.getppid()  # noqa: E731

# By the number of the matrix.
MATRIX: dict[str, Case] = {
    "1-redirect": _same(lambda s: _open(s.file, os.O_WRONLY | os.O_TRUNC), row="write-outside"),
    "2-append": _same(lambda s: _open(s.file, os.O_WRONLY | os.O_APPEND)),
    "3-create": _same(lambda s: _open(s.folder / "new", os.O_WRONLY | os.O_CREAT)),
    "4-mkdir": _same(lambda s: os.mkdir(s.folder / "made")),
    "5-symlink": _same(lambda s: os.symlink("x", s.folder / "pointer")),
    "6-through-a-planted-link": Case(
        lambda at, i: (os.symlink(at.file, i.folder / "planted"), _open(i.folder / "planted", os.O_WRONLY)), lambda _, i: _open(i.folder / "link", os.O_WRONLY)
    ),
    "7-through-a-linked-folder": Case(
        lambda at, i: (os.symlink(at.folder, i.folder / "gate"), _open(i.folder / "gate" / "file", os.O_WRONLY)),
        lambda _, i: _open(i.folder / "away" / "file", os.O_WRONLY),
    ),
    "8-dots": Case(
        lambda at, i: _open(f"{i.folder}/{os.path.relpath(at.file, i.folder)}", os.O_WRONLY), lambda _, i: _open(i.folder / "empty/../file", os.O_WRONLY)
    ),
    "9-proc-self-root": _same(lambda s: _open(f"/proc/self/root{s.file}", os.O_WRONLY)),
    "10-proc-self-cwd": Case(_by_cwd, lambda _, i: _by_cwd(i, i)),
    "11-proc-of-another-root": Case(
        lambda at, _: _open(f"/proc/{at.scene.victim}/root{at.file}", os.O_WRONLY), lambda _, i: _open(f"/proc/self/root{i.file}", os.O_WRONLY)
    ),
    "12-hard-link-in": Case(
        lambda at, i: (os.link(at.file, i.folder / "hard"), _open(i.folder / "hard", os.O_WRONLY)), lambda _, i: os.link(i.file, i.folder / "hard")
    ),
    "13-rename-in": Case(lambda at, i: os.rename(at.file, i.folder / "taken"), lambda _, i: os.rename(i.file, i.folder / "taken")),
    "14-rename-over": Case(lambda at, i: os.rename(i.folder / "other", at.file), lambda _, i: os.rename(i.folder / "other", i.file)),
    "15-exchange": Case(lambda at, i: _exchange(i.file, at.file), lambda _, i: _exchange(i.file, i.folder / "other")),
    "16-truncate": Case(lambda at, _: os.truncate(at.file, 0), lambda _, i: i.file.write_text(""), row="truncate-outside"),
    "17-truncate-by-reading": Case(lambda at, _: _open(at.file, os.O_RDONLY | os.O_TRUNC), lambda _, i: i.file.write_text("x")),
    "18-nameless": _same(lambda s: _open(s.folder, os.O_WRONLY | os.O_TMPFILE)),
    "19-21-io-uring": Case(lambda at, _: ATTEMPTS["io-uring"](at.scene), _ordinary),
    "20-unlink": _same(lambda s: os.unlink(s.file)),
    "20-rmdir": _same(lambda s: os.rmdir(s.folder / "empty")),
    "20-find-delete": _same(lambda s: _run("find", str(s.folder), "-name", "other", "-delete"), needs="find"),
    "22-odd-names": _same(lambda s: _run("sh", "-c", f"cd '{s.folder}' && find . -name '-rf*' -print0 | xargs -0 rm --"), needs="xargs"),
    "23-secret": Case(lambda at, _: at.scene.secret.read_text(), lambda at, _: (at.home / "notes").read_text(), row="read-secret"),
    "24-secret-by-a-link": Case(
        lambda at, i: (os.symlink(at.scene.secret, i.folder / "key"), (i.folder / "key").read_text()),
        lambda at, i: (os.symlink(at.home / "notes", i.folder / "text"), (i.folder / "text").read_text()),
    ),
    "24-secret-by-a-hard-link": Case(
        lambda at, i: (os.link(at.scene.secret, i.folder / "key2"), (i.folder / "key2").read_text()), lambda _, i: os.link(i.file, i.folder / "key2")
    ),
    "25-reopened": _same(lambda s: _reopen(s.file, os.O_WRONLY)),
    "25-secret-reopened": Case(lambda at, _: _reopen(at.scene.secret, os.O_RDONLY), lambda at, _: _reopen(at.home / "notes", os.O_RDONLY)),
    "27-descriptors-of-another": Case(
        lambda at, _: os.open(f"/proc/{at.scene.victim}/fd/0", os.O_RDONLY), lambda _, __: os.listdir("/proc/self/fd"), alone=True
    ),
    "28-environment-of-another": Case(
        lambda at, _: Path(f"/proc/{at.scene.victim}/environ").read_bytes(), lambda _, __: Path("/proc/self/status").read_bytes()
    ),
    "29-memory-of-another": Case(lambda at, _: os.open(f"/proc/{at.scene.victim}/mem", os.O_RDONLY), lambda _, __: Path("/proc/self/cmdline").read_text()),
    "30-stat-secret": Case(lambda at, _: at.scene.secret.stat(), lambda at, _: (at.home / "notes").stat(), row="stat-secret"),
    "31-chmod": _same(lambda s: os.chmod(s.file, 0o600), row="chmod-outside"),
    "32-chown": _same(lambda s: os.chown(s.file, os.geteuid(), os.getegid()), row="chown-outside"),
    "33-times": _same(lambda s: os.utime(s.file, (1, 1)), row="times-outside"),
    "34-attribute": _same(lambda s: os.setxattr(s.file, "user.nlsh", b"x"), row="attribute-outside"),
    "35-setuid": Case(lambda _, i: os.chmod(i.file, 0o4755), lambda _, i: os.chmod(i.file, 0o755)),
    "35-setuid-made": Case(lambda _, i: _open(i.folder / "s", os.O_WRONLY | os.O_CREAT, 0o6755), lambda _, i: _open(i.folder / "s", os.O_WRONLY | os.O_CREAT)),
    "36-flags": Case(lambda _, i: ATTEMPTS["file-flags"](i), lambda _, i: fcntl.ioctl(os.open(i.file, os.O_RDONLY), 0x80086601, bytearray(8))),
    "37-handle": Case(lambda at, _: ATTEMPTS["file-handle"](at), lambda at, _: at.file.stat()),
    "38-kill": _to(_victim, lambda pid: os.kill(pid, signal.SIGUSR1), row="signal-outside", lacks=_L1),
    "38-kill-parent": Case(lambda _, __: os.kill(_TEST, signal.SIGURG), _other),
    "39-kill-group": _to(_victim, lambda pid: os.killpg(pid, signal.SIGUSR1), lacks=_L1),
    "40-tgkill": _to(_victim, lambda pid: syscall(number_of("tgkill"), pid, pid, int(signal.SIGUSR1)), lacks=_L1),
    "40-tkill": _to(_victim, lambda pid: syscall(number_of("tkill"), pid, int(signal.SIGUSR1)), lacks=_L1),
    "40-queue": Case(lambda at, _: ATTEMPTS["signal-queue"](at.scene), _other),
    "40-pidfd": _to(_victim, lambda pid: signal.pidfd_send_signal(os.pidfd_open(pid), signal.SIGUSR1), lacks=_L1),
    "41-owner": Case(lambda at, _: ATTEMPTS["signal-owner"](at.scene), lambda _, __: fcntl.fcntl(0, fcntl.F_GETFL)),
    "41-socket-owner": Case(lambda at, _: _socket_signal(at.scene.victim, 0x8901), _pair),
    "41-socket-group": Case(lambda at, _: _socket_signal(at.scene.victim, 0x8902), _pair),
    "42-ptrace": Case(lambda at, _: ATTEMPTS["ptrace"](at.scene), _other),
    "42-memory": Case(lambda at, _: ATTEMPTS["read-memory"](at.scene), _other),
    "42-descriptor": Case(lambda at, _: _pidfd_getfd(at.scene.victim), lambda _, __: os.close(os.dup(0)), alone=True),
    "43-limits": Case(
        lambda at, _: resource.prlimit(at.scene.victim, resource.RLIMIT_CPU, (100, 100)), lambda _, __: resource.prlimit(0, resource.RLIMIT_CPU)
    ),
    "43-priority": Case(lambda at, _: os.setpriority(os.PRIO_PROCESS, at.scene.victim, 5), lambda _, __: os.setpriority(os.PRIO_PROCESS, 0, 19), alone=True),
    "43-cores": Case(lambda at, _: os.sched_setaffinity(at.scene.victim, {0}), lambda _, __: os.sched_setaffinity(0, os.sched_getaffinity(0))),
    "43-io-priority": Case(lambda at, _: _ioprio(at.scene.victim), lambda _, __: _ioprio(0), alone=True),
    "44-type-into-the-terminal": Case(
        lambda at, _: fcntl.ioctl(at.scene.terminal, 0x5412, b"x"), lambda at, _: fcntl.ioctl(at.scene.terminal, 0x5413, bytearray(8))
    ),
    "45-new-rights": Case(_no_new_rights, _other),
    "47-tcp": Case(lambda at, _: ATTEMPTS["connect"](at.scene), _pair, row="connect-tcp"),
    "48-dev-tcp": Case(lambda at, _: _run("bash", "-c", f"exec 5<>/dev/tcp/127.0.0.1/{at.scene.port}"), lambda _, __: _run("bash", "-c", "true"), needs="bash"),
    "49-fast-open": Case(lambda at, _: ATTEMPTS["fast-open"](at.scene), _pair),
    "50-mptcp": Case(_socket(socket.AF_INET, socket.SOCK_STREAM, 262), _pair, refused=frozenset({*_FILTERED, errno.EPROTONOSUPPORT})),
    "50-sctp": Case(_socket(socket.AF_INET, socket.SOCK_STREAM, 132), _pair, refused=frozenset({*_FILTERED, errno.EPROTONOSUPPORT})),
    "51-udp": Case(lambda at, _: ATTEMPTS["udp"](at.scene), _pair),
    "52-listen": Case(lambda at, _: ATTEMPTS["bind"](at.scene), _pair),
    "53-64-65-unix": Case(lambda at, _: ATTEMPTS["unix"](at.scene), _pair),
    "54-abstract": Case(lambda at, _: ATTEMPTS["unix-abstract"](at.scene), _pair, row="connect-abstract"),
    **{
        f"55-{name}": Case(_socket(family, kind, protocol), _pair, refused=frozenset(_FILTERED))
        for name, family, kind, protocol in (
            ("netlink", 16, 3, 0), ("packet", 17, 3, 0), ("key", 15, 3, 2), ("alg", 38, 5, 0), ("vsock", 40, 1, 0), ("smc", 43, 1, 0), ("xdp", 44, 3, 0),
            ("tipc", 30, 1, 0), ("bluetooth", 31, 3, 1), ("can", 29, 3, 1), ("qipcrtr", 42, 2, 0), ("raw", 2, 3, 6), ("unix-datagram", 1, 2, 0),
        )
    },
    "56-unshare": Case(lambda at, _: ATTEMPTS["unshare"](at.scene), _other),
    "56-clone": Case(lambda at, _: ATTEMPTS["clone-namespace"](at.scene), _other),
    "56-clone3": Case(_numbered("clone3"), _other, refused=frozenset(_FILTERED)),
    "56-setns": Case(_numbered("setns", 0, 0), _other, refused=frozenset(_FILTERED)),
    **{
        f"{number}-{name}": Case(_numbered(name), _other, refused=frozenset(_FILTERED))
        for number, names in (
            (57, "mount umount2 pivot_root chroot open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr"),
            (58, "bpf keyctl add_key request_key userfaultfd init_module finit_module delete_module kexec_load perf_event_open fanotify_init syslog"),
        )
        for name in names.split()
    },
    "59-x32": Case(lambda _, __: syscall(39 | 0x40000000), lambda _, __: syscall(number_of("prctl"), GET_NO_NEW_PRIVS, 0, 0, 0, 0), alone=True),
    "59-int-0x80": Case(lambda _, __: _int_0x80(), _other, alone=True),
    "66-protected": Case(
        lambda _, i: (i.folder.parent / ".git/hooks/pre-commit").write_text("x"), lambda _, i: (i.folder / "hook").write_text("x"), row="write-protected"
    ),
    "66-start-file": Case(lambda at, _: (at.home / ".bashrc").write_text("x"), lambda at, _: (at.home / ".bashrc").read_text()),
    "67-policy": Case(lambda at, _: (at.home / ".config/nlsh/policy.toml").write_text("x"), lambda at, _: (at.home / "notes").read_text()),
    "67-audit": Case(lambda at, _: (at.home / ".local/state/nlsh/audit.jsonl").write_text("x"), lambda at, _: (at.home / "notes").read_text()),
    "71-memory": Case(lambda _, __: _from_memory(), _other, row="run-any", needs="true"),
    "71-copied": Case(lambda _, i: _copied(i, "true"), _other, row="run-any", needs="true"),
    "71-copied-and-outside": Case(
        lambda at, i: _copied(i, "touch", str(at.folder / "made")), lambda _, i: _copied(i, "touch", str(i.folder / "made")), needs="touch"
    ),
    "73-second-listener": Case(lambda _, __: _listener(), _other),
    "78-device-node": Case(lambda _, i: os.mknod(i.folder / "disk", 0o600 | stat.S_IFBLK, os.makedev(8, 0)), lambda _, i: os.mkfifo(i.folder / "pipe")),
    "78-proc-sys": Case(lambda _, __: _open("/proc/sys/kernel/domainname", os.O_WRONLY), lambda _, __: Path("/proc/sys/kernel/domainname").read_text()),
    "protocol-of-a-socket": Case(_ulp, _pair, refused=frozenset(_FILTERED)),
    "unknown-call": Case(lambda _, __: syscall(470, 0, 0, 0, 0), _other, refused=frozenset({errno.ENOSYS})),
    "security-label": Case(lambda _, __: syscall(460, 100, 0, 0, 0), _other, refused=frozenset(_FILTERED)),
    "lock": Case(lambda at, _: _lock(at.file), _other, row="lock"),
    "lease": Case(lambda at, _: _lease(at.file, fcntl.F_SETLEASE), lambda _, i: _lease(i.file, fcntl.F_GETLEASE)),
    "watch": Case(lambda at, _: _watch(at.file), _other, row="watch"),
    "see-processes": Case(
        lambda at, _: Path(f"/proc/{at.scene.victim}/stat").read_text(), lambda _, __: Path("/proc/self/stat").read_text(), row="see-processes"
    ),
}  # fmt: skip
if not X86:
    for name in ("59-x32", "59-int-0x80"):
        del MATRIX[name]


_ABOUT_FILES = {*map(str, range(1, 38)), "66", "71", "78", "lock", "lease", "watch"}
# The table's columns: without namespaces, and with which versions of Landlock.
COLUMNS = {"L3": (False, [1, 2, 3, 4, 5, 6, None]), "L2": (True, [6, None]), "L1 (3–5)": (True, [3, 4, 5]), "L1 (1–2)": (True, [1, 2])}
LEVELS = [(column, abi) for column, (_, versions) in COLUMNS.items() for abi in versions]
LIMITS = Path(__file__).parents[2] / "docs" / "limits.md"


def said_in_the_limits() -> dict[str, dict[str, str]]:
    rows = [[c.strip() for c in line.strip("|\n ").split("|")] for line in LIMITS.read_text().splitlines() if line.startswith("|")]
    heads = next(r for r in rows if r[1:] == list(COLUMNS))
    found = {}
    for row in rows[rows.index(heads) + 2 :]:
        name = re.search(r"`([a-z-]+)`", row[0])
        if name is None or len(row) != len(heads):
            break
        found[name[1]] = dict(zip(heads[1:], row[1:], strict=True))
    return found


def test_every_row_of_the_limits_is_tried() -> None:
    table = said_in_the_limits()
    assert {case.row for case in MATRIX.values()} - {""} == set(table)
    assert {answer for row in table.values() for answer in row.values()} == {"held", "open"}


@pytest.fixture
def spots(scene: Scene, home: Path, tmp_path: Path) -> Iterator[dict[str, tuple[Spot, Spot]]]:  # noqa: F811
    """Return where each case tries what it does: beside the folder that may be changed, and in it."""
    (tmp_path / "place" / ".git" / "hooks").mkdir(parents=True)
    for file in (".config/nlsh/policy.toml", ".local/state/nlsh/audit.jsonl", ".bashrc", "notes"):
        (home / file).parent.mkdir(parents=True, exist_ok=True)
        (home / file).write_text("")
    # What is not about files shares one.
    places = {name: name if name.split("-")[0] in _ABOUT_FILES else "shared" for name in MATRIX}
    made = {place: (Spot.make(scene.folder / place, scene), Spot.make(tmp_path / "place" / place, scene)) for place in dict.fromkeys(places.values())}
    found = {name: made[place] for name, place in places.items()}
    before = os.getcwd()
    yield found
    os.chdir(before)


def _try(attempt: Try, at: Spot, inside: Spot, *, alone: bool) -> Came:
    if alone:
        return in_child(lambda: attempt(at, inside) and None)
    try:
        attempt(at, inside)
    except OSError as error:
        return Came(errno=error.errno or -1)
    return Came()


@pytest.mark.parametrize(("column", "abi"), LEVELS)
def test_what_is_open_is_what_the_limits_say_and_no_more(
    spots: dict[str, tuple[Spot, Spot]],
    scene: Scene,  # noqa: F811
    tmp_path: Path,
    column: str,
    abi: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if (abi or 1) > landlock.abi() or (column == "L2" and landlock.abi() < 6):
        pytest.skip("this kernel's Landlock is older")
    if column == "L3" and view.why_not():
        pytest.skip(f"no view can be had here: {view.why_not()}")
    monkeypatch.setattr(view, "forbidden", COLUMNS[column][0])
    there = {name: case for name, case in MATRIX.items() if not case.needs or shutil.which(case.needs)}

    def tried() -> dict[str, tuple[Came, Came]]:
        os.chdir("/")
        return {name: tuple(_try(t, *spots[name], alone=case.alone) for t in (case.attempt, case.twin)) for name, case in there.items()}  # type: ignore[misc]

    before = {name: _picture(outside.folder) for name, (outside, _) in spots.items()}
    came = in_child(tried, grant=changing(tmp_path / "place"), abi=abi)
    assert came.done, came
    table = said_in_the_limits()
    expected = {name: case.row != "" and table[case.row][column] == "open" for name, case in there.items()}
    assert {name: attempt.done for name, (attempt, _) in came.value.items()} == expected
    for name, (attempt, twin) in came.value.items():
        case = there[name]
        if not expected[name]:
            assert attempt.errno in case.refused or (name.startswith("59-") and attempt.signal == signal.SIGSYS), (name, attempt)
            assert _picture(spots[name][0].folder) == before[name], name
        assert twin.done == (column not in case.lacks), (name, twin)
    assert relay.state(scene.victim) not in "ZX"


def _picture(folder: Path) -> list[tuple[Any, ...]]:
    return [(p.name, s.st_mode, s.st_size, s.st_mtime_ns, s.st_uid) for p in (folder, *sorted(folder.rglob("*"))) for s in (p.lstat(),)]


def test_the_matrix_is_about_what_can_be_done(spots: dict[str, tuple[Spot, Spot]], scene: Scene) -> None:  # noqa: F811
    """Each attempt that this machine and user can make at all works where nothing confines it, or fails by its arguments alone."""
    never = {"38-kill-parent", "44-type-into-the-terminal", "45-new-rights", "73-second-listener", "78-device-node", "78-proc-sys", "unknown-call"}
    ends = {n for n in MATRIX if n.startswith(("38", "39", "40", "41"))}
    for name, case in MATRIX.items():
        if name in never | ends or (case.needs and not shutil.which(case.needs)):
            continue
        came = in_child(lambda case=case, name=name: case.attempt(*spots[name]) and None)
        by_number = case.refused != frozenset(REFUSED)
        if came.errno in (errno.EPERM, errno.EACCES) and (by_number or os.geteuid() != 0):
            continue  # this user, or this system, may not do it anyway
        assert came.done or (by_number and came.errno not in _FILTERED) or came.errno in (errno.ENOSYS, errno.EOPNOTSUPP), (name, came)
