"""Level L3: what the view below Landlock and seccomp closes. Every refusal has its twin that is allowed, as root and in a user namespace."""

from __future__ import annotations

import errno
import os
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nlsh.guard.grant import Grant
from nlsh.guard.sandbox import confine, landlock, namespaces, view
from nlsh.guard.sandbox.kernel import SET_DUMPABLE, prctl
from nlsh.guard.sandbox.seccomp import OURS
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.plan.effects import Effect
from nlsh.steps.command import RunCommand
from tests.at_work import children
from tests.sandbox.conftest import NOBODY, Came, changing, eventually, give_to_nobody, in_child, last_of, reading, run_steps, typed
from tests.sandbox.test_escapes import ATTEMPTS, INSIDE, NEEDS_ROOT, REFUSALS, Scene, scene  # noqa: F401
from tests.sandbox.test_worker import ended, job_of

pytestmark = pytest.mark.skipif(bool(view.why_not()), reason=f"no view can be had here: {view.why_not()}")

REFUSED = {*REFUSALS, errno.EROFS, errno.ESRCH, errno.EBUSY, errno.EXDEV, OURS}
USERS = [None, NOBODY] if os.geteuid() == 0 else [None]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder that a command may change, with another beside it."""
    (tmp_path / "place").mkdir()
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "file").write_text("old")
    return tmp_path / "place"


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A scratch folder that pytest does not own: another pytest that starts closes the way to all of pytest's own to other users."""
    with tempfile.TemporaryDirectory(prefix="nlsh-test-") as folder:
        yield Path(folder)


def as_user(function: Callable[[], Any], grant: Grant, user: int | None, folder: Path) -> Came:
    """Run a function confined, as somebody who owns what is in `folder`."""
    if user is not None:
        give_to_nobody(folder)
    return in_child(function, grant=grant, user=user)


# --- the matrix ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ATTEMPTS)
def test_refused_to_a_reading_command(scene: Scene, name: str) -> None:  # noqa: F811
    before = scene.picture()
    came = in_child(lambda: ATTEMPTS[name](scene) and None, grant=reading())
    assert came.errno in REFUSED, came
    assert scene.picture() == before


# Landlock does not see chmod and the like: here they are closed outside all the same.
OUTSIDE = [
    *INSIDE,
    "chown",
    "attribute",
    "fchmod",
    "setuid",
    "connect",
    "udp",
    "signal",
    "signal-pidfd",
    "signal-queue",
    "ptrace",
    "secret",
    "unix",
    "unix-abstract",
]


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("name", OUTSIDE)
def test_refused_to_a_command_outside_its_folder(scene: Scene, place: Path, name: str, user: int | None, tmp_path: Path) -> None:  # noqa: F811
    if user is not None:
        give_to_nobody(tmp_path)
    before = scene.picture()
    came = as_user(lambda: ATTEMPTS[name](scene) and None, changing(place), user, place)
    assert came.errno in REFUSED, came
    assert scene.picture() == before


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("name", [*INSIDE, "chown", "attribute", "fchmod"])
def test_allowed_to_a_command_in_its_folder(scene: Scene, name: str, user: int | None, tmp_path: Path) -> None:  # noqa: F811
    if user is not None:
        give_to_nobody(tmp_path)
    came = in_child(lambda: ATTEMPTS[name](scene) and None, grant=changing(scene.folder), user=user)
    assert came.done, came


@pytest.mark.parametrize("abi", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("name", ["write", "delete", "truncate", "chmod", "times", "signal", "secret", "mount", "unshare", "connect"])
def test_held_on_every_landlock(scene: Scene, place: Path, name: str, abi: int) -> None:  # noqa: F811
    before = scene.picture()
    came = in_child(lambda: ATTEMPTS[name](scene) and None, grant=changing(place), abi=abi)
    assert came.errno in REFUSED, came
    assert scene.picture() == before
    if name not in NEEDS_ROOT and name in INSIDE:
        assert in_child(lambda: ATTEMPTS[name](scene) and None, grant=changing(scene.folder), abi=abi).done


# --- secrets ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("user", USERS)
def test_names_and_sizes_of_secrets_are_not_seen(home: Path, place: Path, user: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".ssh").mkdir()
    (home / ".ssh" / "id").write_text("KEY")
    (home / ".netrc").write_text("machine example.org password KEY")
    (home / "notes").write_text("x")
    if user is not None:
        give_to_nobody(tmp_path)
    grant = changing(place)
    for look in (lambda: os.stat(home / ".ssh" / "id"), lambda: os.listdir(home / ".ssh"), lambda: (home / ".netrc").read_text()):
        assert in_child(look, grant=grant, user=user).errno in (errno.EACCES, errno.ENOENT)
    assert in_child(lambda: os.stat(home / ".netrc").st_size, grant=grant, user=user).value == 0
    assert in_child(lambda: os.stat(home / "notes").st_size, grant=grant, user=user).value == 1
    # Without a view only what is in them is held.
    monkeypatch.setattr(view, "forbidden", True)
    assert in_child(lambda: os.stat(home / ".ssh" / "id").st_size, grant=grant, user=user).value == 3


def test_paths_of_the_policy_are_hidden_and_protected(home: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, project = home / ".config" / "nlsh" / "policy.toml", place / ".nlsh" / "policy.toml"
    for file in (own, project):
        file.parent.mkdir(parents=True)
    (home / "diary").mkdir()
    (home / "diary" / "today").write_text("secret")
    (place / "keep").write_text("old")
    (place / "free").write_text("old")
    grant = changing(place)
    assert in_child((home / "diary" / "today").read_text, grant=grant).value == "secret"
    assert in_child(lambda: (place / "keep").write_text("new"), grant=grant).done
    own.write_text('[guard]\nhide = ["~/diary"]\n')
    project.write_text(f'[guard]\nprotect = ["{place}/keep"]\n')
    monkeypatch.chdir(place)
    grant = changing(place)
    assert in_child((home / "diary" / "today").read_text, grant=grant).errno == errno.EACCES
    assert in_child(lambda: os.stat(home / "diary" / "today"), grant=grant).errno == errno.EACCES
    assert in_child(lambda: (place / "keep").write_text("newer"), grant=grant).errno == errno.EROFS
    assert in_child(lambda: (place / "free").write_text("newer"), grant=grant).done
    # Nothing takes a shipped one away.
    (home / ".ssh").mkdir()
    assert str(home / ".ssh") in changing(place).hidden


# --- what is protected --------------------------------------------------------------------------------------------------


@pytest.fixture
def repository(place: Path) -> Path:
    for folder in (".git/hooks", ".git/objects", ".nlsh"):
        (place / folder).mkdir(parents=True)
    for file in (".git/config", ".git/HEAD", ".git/index", ".git/hooks/sample", ".nlsh/policy.toml"):
        (place / file).write_text("")
    return place


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize(
    "attempt",
    {
        "hook": lambda p: (p / ".git/hooks/pre-commit").write_text("evil"),
        "sample": lambda p: (p / ".git/hooks/sample").chmod(0o755),
        "config": lambda p: (p / ".git/config").write_text("evil"),
        "replace": lambda p: os.rename(p / ".git/HEAD", p / ".git/config"),
        "remove": lambda p: os.unlink(p / ".git/config"),
        "move-hooks": lambda p: os.rename(p / ".git/hooks", p / ".git/old"),
        "move-all": lambda p: os.rename(p / ".git", p / "old"),
        "link": lambda p: os.link(p / ".git/config", p / "other"),
        "own-policy": lambda p: (p / ".nlsh/policy.toml").write_text("evil"),
        "own-folder": lambda p: os.rename(p / ".nlsh", p / "old"),
    }.items(),
    ids=lambda item: item[0],
)
def test_what_runs_later_is_not_changed_by_a_command(repository: Path, attempt: tuple[str, Callable[[Path], Any]], user: int | None, tmp_path: Path) -> None:
    if user is not None:
        give_to_nobody(tmp_path)
    grant = changing(repository)
    came = in_child(lambda: attempt[1](repository) and None, grant=grant, user=user)
    assert came.errno in (errno.EROFS, errno.EBUSY, errno.EXDEV, errno.EACCES), came
    for work in (lambda: (repository / ".git/index").write_text("x"), lambda: os.rename(repository / ".git/index", repository / ".git/index2")):
        assert in_child(lambda work=work: work() and None, grant=grant, user=user).done
    # Where the folder is another's, nothing of it is protected: what refused was the view.
    assert in_child(lambda: attempt[1](repository) and None, user=user).done


def test_who_names_what_is_protected_may_change_it(home: Path) -> None:
    (home / ".bashrc").write_text("old")
    (home / ".config" / "autostart").mkdir(parents=True)
    beside = typed(("fs.write", home / "notes"))
    assert in_child(lambda: (home / ".bashrc").write_text("new") and None, grant=beside).errno == errno.EROFS
    assert in_child(lambda: (home / "notes").write_text("new") and None, grant=beside).done
    for named in (home / ".bashrc", home / ".config" / "autostart" / "app.desktop"):
        assert in_child(lambda named=named: named.write_text("new") and None, grant=typed(("fs.write", named))).done
        assert in_child(lambda named=named: named.unlink(), grant=typed(("fs.delete", named))).done
    # Where only nlsh's own steps run, a folder that is moved or removed takes along what is in it.
    (home / ".config" / "nlsh").mkdir()
    (home / ".config" / "nlsh" / "policy.toml").write_text('[guard]\nprotect = ["~/docs/keep"]\n')
    (home / "docs").mkdir()
    (home / "docs" / "keep").write_text("x")
    assert in_child(lambda: (home / "docs" / "keep").write_text("y"), grant=typed(("fs.write", home / "docs" / "free"))).errno == errno.EROFS
    assert in_child(lambda: os.rename(home / "docs", home / "old"), grant=typed(("fs.delete", home / "docs"), ("fs.write", home / "old"))).done
    assert (home / "old" / "keep").read_text() == "x"


def test_a_tool_may_change_the_repository_that_it_names(repository: Path) -> None:
    for effects, allowed in (
        ((("tool.run", "git config"), ("fs.write", repository / ".git")), True),
        ((("tool.run", "npm install"), ("fs.write", repository)), False),
        ((("exec", "git config"), ("fs.write", repository / ".git")), False),
    ):
        came = in_child(lambda: (repository / ".git/config").write_text("x") and None, grant=typed(*effects))
        assert came.done if allowed else came.errno == errno.EROFS, effects


def test_the_worker_says_that_it_was_refused(zygote: Zygote, home: Path) -> None:
    from tests.sandbox.test_worker import step

    (home / ".bashrc").write_text("old")
    last = last_of(run_steps(zygote, step("write", home / ".bashrc", ("fs.write", home / "notes"))))
    assert (last["type"], last["error"]["code"]) == ("denied", "guard.denied")
    assert last_of(run_steps(zygote, step("write", home / ".bashrc", ("fs.write", home / ".bashrc"))))["type"] == "done"


# --- processes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("user", USERS)
def test_a_command_sees_and_signals_only_its_own(place: Path, victim: int, user: int | None) -> None:
    def numbers() -> list[str]:
        return [n for n in os.listdir("/proc") if n.isdigit()]

    came = as_user(numbers, changing(place), user, place)
    assert came.value == ["1", "2"]
    # One that names a program that looks at processes is shown them, and still signals none.
    looking = Grant.of(RunCommand("ps aux > list", str(place)).effects())
    assert str(victim) in as_user(numbers, looking, user, place).value
    assert as_user(lambda: os.kill(victim, signal.SIGUSR1), looking, user, place).errno == errno.EPERM
    assert as_user(lambda: os.kill(victim, signal.SIGUSR1), changing(place), user, place).errno == errno.ESRCH

    def own() -> int:
        pid = os.fork()
        if pid == 0:
            signal.pause()
        os.kill(pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    for abi in (1, 5, None):
        assert in_child(own, grant=changing(place), abi=abi).value == -signal.SIGKILL
    assert not ended(victim)


@pytest.mark.parametrize("user", USERS)
def test_the_first_process_gives_nothing_away(place: Path, user: int | None) -> None:
    def stays() -> None:
        os.kill(1, signal.SIGKILL)
        os.stat("/proc/1")
        raise PermissionError(errno.EPERM, "it is still there")

    for attempt in (
        lambda: [os.open(f"/proc/1/fd/{n}", os.O_RDWR) for n in os.listdir("/proc/1/fd")],
        lambda: os.readlink("/proc/1/root"),
        lambda: os.open("/proc/1/mem", os.O_RDONLY),
        lambda: os.open("/proc/1/environ", os.O_RDONLY),
        stays,
    ):
        assert as_user(lambda attempt=attempt: attempt() and None, changing(place), user, place).errno in REFUSED
    assert as_user(lambda: os.listdir("/proc/self/fd") and None, changing(place), user, place).done


def command(zygote: Zygote, line: str, folder: Path) -> tuple[dict[str, Any], str]:
    """Run a raw command that may change `folder`; return its last message and what it printed."""
    out = os.open(folder / ".out", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        last = last_of(run_steps(zygote, RunCommand(line, str(folder)), stdio=(0, out, out)))
        return last, os.pread(out, 65536, 0).decode()
    finally:
        os.close(out)


@pytest.mark.parametrize(("line", "status"), [("exit 3", 3), ("kill -9 $$", 137), ("kill -TERM $$", 143), ("true", 0)])
def test_a_command_ends_as_it_ends(zygote: Zygote, place: Path, line: str, status: int) -> None:
    assert command(zygote, line, place)[0]["status"] == status


def test_what_has_ended_is_collected(zygote: Zygote, place: Path) -> None:
    """Who waits for a process that its own parent has left must see it go."""
    line = "(setsid sh -c 'echo $$ > pid; exit 0' &) ; until [ -s pid ]; do :; done; p=$(cat pid); while kill -0 $p 2>&-; do :; done; echo gone"
    assert command(zygote, line, place)[1] == "gone\n"


def test_whatever_dies_everything_ends(place: Path) -> None:
    def lives(shell: int) -> bool:
        return not ended(shell)

    for which in ("waiting", "first", "worker", "client"):
        zygote = Zygote.start()
        running = zygote.run(job_of(RunCommand("echo > up; sleep 1000", str(place))), (0, 1, 2))
        assert next(running)["type"] == "start"
        assert eventually(lambda: (place / "up").exists())
        (supervisor,) = children(zygote.pid)
        (waiting,) = children(supervisor)
        (first,) = children(waiting)
        (worker,) = children(first)
        (shell,) = children(worker)
        assert lives(shell)
        if which == "client":
            running.close()  # as its death does
        else:
            os.kill({"waiting": waiting, "first": first, "worker": worker}[which], signal.SIGKILL)
        assert eventually(lambda shell=shell: ended(shell)), which
        if which != "client":
            last = last_of(list(running))
            assert last["error"]["code"] == "worker.lost" and "SIGKILL" in last["error"]["message"], which
        zygote.close()
        (place / "up").unlink()


def test_a_wish_to_stop_reaches_the_command(zygote: Zygote, place: Path) -> None:
    running = zygote.run(job_of(RunCommand("trap 'exit 42' INT; echo > up; while :; do sleep 0.1; done", str(place))), (0, 1, 2))
    next(running)
    assert eventually(lambda: (place / "up").exists())
    zygote.cancel()
    assert last_of(list(running))["status"] == 42


# --- files that everybody shares ----------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder that does not lie in /tmp."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="nlsh-test-") as folder:
        os.chmod(folder, 0o777)
        yield Path(folder)


@pytest.mark.skipif(any(p.startswith("/tmp/") for p in confine._runtime()), reason="nlsh itself lies in /tmp")
def test_temporary_files_are_the_command_s_own(zygote: Zygote, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.chdir(elsewhere)
    with tempfile.NamedTemporaryFile(dir="/tmp", prefix="nlsh-test-") as shared:
        last, said = command(zygote, 'f=$(mktemp) && echo hello > "$f" && cat "$f" && ls "$(dirname "$f")"', elsewhere)
        assert last["type"] == "done" and said.startswith("hello\n") and os.path.basename(shared.name) not in said
        made = said.split()[1]
        assert not os.path.exists(f"/tmp/{made}")
        # Who names /tmp means the one that everybody has, where it may change nothing.
        last, said = command(zygote, f"ls {shared.name}; echo x > /tmp/nlsh-test-made", elsewhere)
        assert shared.name in said and last["status"] != 0
        assert not os.path.exists("/tmp/nlsh-test-made")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can put a socket there")
def test_sockets_in_run_are_not_there(place: Path) -> None:
    path = f"/run/nlsh-test-{os.getpid()}.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        try:
            assert in_child(lambda: os.stat(path), grant=changing(place)).errno == errno.ENOENT
            assert in_child(lambda: os.listdir("/run"), grant=changing(place)).done
            assert in_child(lambda: os.stat(path) and None).done
            # What the grant names of it stays.
            assert in_child(lambda: os.stat(path) and None, grant=typed(("exec", "x"), ("fs.read", path))).done
        finally:
            os.unlink(path)


def test_the_network_is_another_one(place: Path) -> None:
    def interfaces() -> list[str]:
        return sorted(line.split(":")[0].strip() for line in Path("/proc/self/net/dev").read_text().splitlines()[2:])

    with_network = Grant.of([*RunCommand("make", str(place)).effects(), Effect("net.read", "*")])
    assert in_child(interfaces, grant=changing(place)).value == ["lo"]
    assert in_child(interfaces, grant=with_network).value == interfaces()


# --- the view alone, without Landlock and seccomp -----------------------------------------------------------------------


def in_view(function: Callable[[], Any], seen: view.View, user: int | None) -> Came:
    def enter() -> Any:
        if user is not None:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
            prctl(SET_DUMPABLE, 1)
        view.enter(seen)
        return function()

    return in_child(enter)


@pytest.mark.parametrize("user", USERS)
def test_each_part_of_the_view_holds_by_itself(scene: Scene, place: Path, user: int | None, tmp_path: Path) -> None:  # noqa: F811
    if user is not None:
        give_to_nobody(tmp_path)
    seen = view.View((str(place),), exact=True, hidden=(str(scene.secret.parent),))
    before = scene.picture()
    for name, wanted in (
        ("write", errno.EROFS), ("delete", errno.EROFS), ("chmod", errno.EROFS), ("times", errno.EROFS), ("chown", errno.EROFS), ("attribute", errno.EROFS),
        ("signal", errno.ESRCH), ("unix-abstract", errno.ECONNREFUSED), ("connect", errno.ENETUNREACH),
    ):  # fmt: skip
        assert in_view(lambda name=name: ATTEMPTS[name](scene) and None, seen, user).errno == wanted, name
    # Root that has kept its rights may look into the mask, and finds it empty.
    assert in_view(lambda: os.listdir(scene.secret.parent), seen, user) in (Came([]), Came(errno=errno.EACCES))
    assert scene.picture() == before
    assert in_view(lambda: (place / "new").write_text("x") and None, seen, user).done
    assert in_view(lambda: (os.getuid(), os.geteuid()), seen, user).value == ((user, user) if user is not None else (os.getuid(), os.geteuid()))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can share its mounts")
def test_no_mount_reaches_the_system_and_new_ones_of_it_are_seen(place: Path) -> None:
    shared = 1 << 20
    (place / "usb").mkdir()

    def system() -> tuple[bool, str]:
        """Play the system, in mounts of the test's own that are shared as systemd shares them."""
        namespaces.unshare(namespaces.NEW_MOUNTS)
        namespaces.set_attributes("/", propagation=namespaces.PRIVATE)
        namespaces.set_attributes("/", propagation=shared)
        before = [m.path for m in namespaces.mounts()]
        to_worker, from_worker = os.pipe(), os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                view.enter(view.View((str(place),), exact=True, hidden=("/sys",), alone=False))
                os.write(from_worker[1], b"x")
                os.read(to_worker[0], 1)
                os.write(from_worker[1], (place / "usb" / "file").read_bytes())
            finally:
                os._exit(0)
        os.read(from_worker[0], 1)
        same = [m.path for m in namespaces.mounts()] == before
        namespaces.attach(namespaces.new_mount("tmpfs", {}), str(place / "usb"))
        (place / "usb" / "file").write_text("plugged in")
        os.write(to_worker[1], b"x")
        os.waitpid(pid, 0)
        os.close(from_worker[1])
        return same, os.read(from_worker[0], 100).decode()

    assert in_child(system).value == (True, "plugged in")


@pytest.mark.parametrize("user", USERS)
def test_the_view_cannot_be_left_or_taken_away(place: Path, user: int | None, tmp_path: Path) -> None:
    (tmp_path / "beside" / "file").write_text("old")
    grant = changing(place)
    for attempt in (
        lambda: namespaces.unmount("/run"),
        lambda: namespaces.mount(None, "/", None, 32 | 4096),  # a remount without read-only
        lambda: namespaces.set_attributes("/", remove=namespaces.READ_ONLY),
        lambda: namespaces.copy_tree("/"),
        lambda: namespaces.unshare(namespaces.NEW_USER),
        lambda: os.setns(os.open("/proc/self/ns/mnt", os.O_RDONLY), 0) if hasattr(os, "setns") else namespaces.pivot_root("/", "/"),
        lambda: (tmp_path / "beside" / "file").write_text("new"),
        lambda: Path(f"/proc/self/root{tmp_path}/beside/file").write_text("new"),
    ):
        assert as_user(lambda attempt=attempt: attempt() and None, grant, user, tmp_path).errno in REFUSED
    assert (tmp_path / "beside" / "file").read_text() == "old"

    def rights() -> list[str]:
        return [line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(("CapEff", "CapPrm", "CapBnd", "CapInh"))]

    assert set(as_user(rights, grant, user, tmp_path).value) == {"0" * 16}


def test_what_is_renamed_between_two_folders_is_not_copied(home: Path) -> None:
    for name in ("from", "to"):
        (home / name).mkdir()
    (home / "from" / "file").write_text("x")
    inode = (home / "from" / "file").stat().st_ino
    granted = typed(("fs.delete", home / "from" / "file"), ("fs.write", home / "to" / "file"))
    assert in_child(lambda: os.rename(home / "from" / "file", home / "to" / "file"), grant=granted).done
    assert (home / "to" / "file").stat().st_ino == inode
    assert in_child(lambda: (home / "other").write_text("x"), grant=granted).errno == errno.EACCES


# --- levels -------------------------------------------------------------------------------------------------------------


def test_what_is_required_is_had_or_nothing_runs(home: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = home / ".config" / "nlsh" / "policy.toml"
    policy.parent.mkdir(parents=True)
    monkeypatch.chdir(place)

    def demanding(own: str, project: str) -> Grant:
        policy.write_text(own)
        (place / ".nlsh").mkdir(exist_ok=True)
        (place / ".nlsh" / "policy.toml").write_text(project)
        return typed(("fs.read", home))

    for own, project in (('[guard]\nrequire = "L3"\n', ""), ("", '[guard]\nrequire = "L3"\n'), ('[guard]\nrequire = "L3"\n', '[guard]\nrequire = "L1"\n')):
        grant = demanding(own, project)
        assert grant.level_required == "L3"
        assert in_child(lambda: None, grant=grant).done
        monkeypatch.setattr(view, "forbidden", True)
        assert in_child(lambda: None, grant=grant).code == "guard.not-enforced"
        monkeypatch.setattr(view, "forbidden", False)
    monkeypatch.setattr(view, "forbidden", True)
    grant = demanding('[guard]\nrequire = "L2"\n', "")
    assert in_child(lambda: None, grant=grant).done
    assert in_child(lambda: None, grant=grant, abi=5).code == "guard.not-enforced"
    assert in_child(lambda: None, grant=demanding("", ""), abi=5).done


def test_a_view_that_was_promised_and_cannot_be_entered_is_a_refusal(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert in_child(lambda: (place / "made").write_text("x") and None, grant=changing(place)).done
    (place / "made").unlink()

    def fail(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "no mounts today")

    assert not view.why_not()
    for broken in ("enter", "copy_tree", "attach", "set_attributes"):
        with monkeypatch.context() as patched:
            patched.setattr(namespaces, broken, fail)
            assert in_child(lambda: (place / "made").write_text("x") and None, grant=changing(place)).code == "guard.not-enforced"
    assert not (place / "made").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_command_of_an_ordinary_user_has_a_view(open_to_all: Path) -> None:
    place = open_to_all / "place"
    place.mkdir()
    (open_to_all / "beside").mkdir()
    give_to_nobody(open_to_all)

    def run() -> tuple[str, dict[str, Any], str, bool]:
        os.chdir(place)
        zygote = Zygote.start()
        try:
            last, said = command(zygote, "id -u; touch made; echo /proc/[0-9]*; touch ../beside/x", place)
            return zygote.level, last, said, os.stat(place / "made").st_uid == NOBODY
        finally:
            zygote.close()

    came = in_child(run, user=NOBODY)
    assert came.done, came
    level, last, said, made = came.value
    assert (level, last["type"], made) == ("L3", "failed", True) and "Read-only file system" in said
    assert said.split()[0] == str(NOBODY) and str(os.getpid()) not in said.split()
    assert not (open_to_all / "beside" / "x").exists()


def test_who_has_a_view(home: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without root a view falsifies owners: there only programs that change something have one, unless it is required."""
    command_, typed_, reads = changing(place), typed(("fs.write", home / "x")), reading()
    others = [typed(("fs.read", home)), typed(("proc.read", "*")), typed(("bus.call", "session")), typed(("sys.control", "x"))]
    for root, wanted in ((True, [True, True, True]), (False, [True, False, False])):
        monkeypatch.setattr(namespaces, "privileged", lambda root=root: root)
        assert [view.of(g) is not None for g in (command_, typed_, reads)] == wanted
        assert not any(view.of(g) for g in others)
    demanding = [Grant.of(g.effects, level_required="L3") for g in (typed_, reads)]
    assert all(view.of(g) for g in demanding)


def test_the_zygote_tells_the_level_of_its_workers(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for forbidden, abi, level in ((False, None, "L3"), (False, 1, "L3"), (True, None, confine.level(landlock.abi())), (True, 1, "L1"), (False, 0, "L0")):
        monkeypatch.setattr(view, "forbidden", forbidden)
        monkeypatch.setattr(landlock, "ceiling", abi)
        zygote = Zygote.start()
        assert zygote.level == level
        zygote.close()
