"""Scenes: run the examples of actions for real, in a scratch home, through the kernel and its confined workers.

Public: authors of skills and actions test with it. A scene owns its folder, its idle processes and its environment, and gives all of
them back when it is left. What an example claims is checked here; which examples there are is the registry's.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlsh.plan.action import ABSENT, Example
from nlsh.plan.amounts import Bytes, Duration
from nlsh.plan.errors import NlshError
from nlsh.plan.records import Note, Record

if TYPE_CHECKING:
    from nlsh.guard.sandbox.zygote import Zygote
    from nlsh.kernel.kernel import Kernel
    from nlsh.kernel.outcome import Outcome
    from nlsh.plan.plan import Preview

_PLACEHOLDER = re.compile(r"\{(pid|port):([^}]+)\}")
_HASHED = 16 << 20
# An idle process: it says which port it listens on, and ends when its scene does.
_IDLE = """
import socket, sys
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
sys.stdout.write(f"{listener.getsockname()[1]}\\n")
sys.stdout.flush()
sys.stdin.read()
"""
# A web server on the loopback address that gives out the scene's files.
_WEB = """
import http.server, sys, threading
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdout.write(f"{server.server_address[1]}\\n")
sys.stdout.flush()
sys.stdin.read()
"""


@dataclass(frozen=True)
class Played:
    """What came of a plan in a scene: its preview and the outcome of its run (None where it did not come to that), and the error if there was one."""

    preview: Preview | None
    outcome: Outcome | None
    error: NlshError | None

    @property
    def records(self) -> tuple[Record, ...]:
        """The records of the run, notes left out."""
        return tuple(r for r in self.outcome.records if not isinstance(r, Note)) if self.outcome is not None else ()


class Scene:
    """A scratch home with what an example is given, in which plans are run for real. Use it as a context manager.

    `given`: path → text, bytes, None for a folder, or a dict of `text`, `members` (path → text: an archive of the kind its ending says),
    `size` ("10MB", sparse), `mode` ("644"), `age` ("30d"), `link` (what it leads to), `xattr` (name → text).
    `zygote`: one to use, which stays; without it the scene starts its own.
    """

    def __init__(self, folder: Path | str, given: Mapping[str, Any] | None = None, processes: tuple[str, ...] = (), *, zygote: Zygote | None = None) -> None:
        self.folder = Path(os.path.realpath(folder))
        self.home = self.folder / "home"
        self.given = given or {}
        self._names = processes
        self._zygote = zygote
        self._running: dict[str, tuple[subprocess.Popen[str], int]] = {}
        self._stack = ExitStack()
        self.kernel: Kernel | None = None

    def __enter__(self) -> Scene:
        try:
            self.home.mkdir(parents=True)
            self._stack.enter_context(_environment(self.folder, self.home))
            self._stack.enter_context(_network(self.home))
            self._stack.enter_context(_no_way_to_root())
            build(self.home, self.given)
            for name in dict.fromkeys(self._names):
                self._start(name)
            self.kernel = self._make_kernel()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def _leave(self) -> None:
        for process, _ in self._running.values():
            process.kill()
            process.communicate()
        self._running.clear()
        self._stack.close()

    def _start(self, name: str) -> None:
        program = self.folder / "bin" / name
        program.parent.mkdir(exist_ok=True)
        # Run under another name, the way an alias of a program is: the kernel takes the name from the link.
        program.symlink_to(os.path.realpath(sys.executable))
        process = subprocess.Popen(
            [str(program), "-I", "-S", "-c", _WEB if name == "nlsh-web" else _IDLE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=self.home,
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.strip().isdigit():
            raise RuntimeError(f"the idle process {name} did not start")
        self._running[name] = (process, int(line))

    def _make_kernel(self) -> Kernel:
        from nlsh.guard.policy import load
        from nlsh.guard.sandbox.zygote import Zygote
        from nlsh.journal.audit import Audit
        from nlsh.journal.store import Journal
        from nlsh.kernel.kernel import Kernel
        from nlsh.world import World

        zygote = self._zygote
        if zygote is None:
            zygote = Zygote.start()
            self._stack.callback(zygote.close)
        journal = Journal()
        self._stack.callback(journal.close)
        return Kernel(load(), zygote, journal, Audit(), World(), approve=lambda preview, decision: True)

    def pid(self, name: str) -> int:
        """Return the process id of one of the scene's processes."""
        return self._running[name][0].pid

    def port(self, name: str) -> int:
        """Return the loopback port on which one of the scene's processes listens."""
        return self._running[name][1]

    def is_running(self, name: str) -> bool:
        """Return whether one of the scene's processes has not ended."""
        return self._running[name][0].poll() is None

    def filled(self, text: str) -> str:
        """Return `text` with {pid:NAME} and {port:NAME} replaced by those of the scene's processes."""
        return _PLACEHOLDER.sub(lambda m: str(self.pid(m[2]) if m[1] == "pid" else self.port(m[2])), text)

    def play(self, plan: str, request: str = "") -> Played:
        """Run the plan `plan` with every approval given, and return what came of it; errors are returned, not raised."""
        from nlsh.plan import registry

        assert self.kernel is not None
        preview = None
        try:
            preview = self.kernel.preview(registry.parse(self.filled(plan)), request)
            outcome = self.kernel.run(preview)
        except NlshError as error:
            return Played(preview, None, error)
        return Played(preview, outcome, outcome.errors[0] if outcome.errors else None)

    def check(self, example: Example) -> None:
        """Run an example and check everything it claims. Raises AssertionError with what differs."""
        before = snapshot(self.home)
        played = self.play(example.plan, example.say[0])
        if example.refused:
            assert played.error is not None, f"{example.plan} was not refused"
            lacks = example.may_lack and played.error.code == "world.not-possible"
            assert lacks or played.error.code == example.refused, f"{example.plan} was refused with {played.error.code} ({played.error}), not {example.refused}"
            assert snapshot(self.home) == before, f"{example.plan} was refused and still changed something"
            return
        if example.may_lack and played.error is not None and played.error.code == "world.not-possible":
            return
        assert played.error is None, f"{example.plan}: {played.error}"
        assert played.outcome is not None
        assert played.outcome.status in ("done", "nothing"), f"{example.plan} ended {played.outcome.status}"
        if example.result is not None:
            self._check_result(example, played.records)
        for path, expected in example.after.items():
            self._check_after(path, expected)
        if played.outcome.run_id is not None:
            # What cannot be taken back must have been said before it was approved.
            if played.preview is not None and not any(c.no_undo for c in played.preview.calls):
                self._check_undo(example, before)
        else:
            assert snapshot(self.home) == before, f"{example.plan} only reads, and still changed something"

    def _check_result(self, example: Example, records: tuple[Record, ...]) -> None:
        got = [self._shown(r) for r in records]
        assert example.result is not None
        wanted = [None if w is None else self.filled(str(w)) for w in example.result if w is not ...]
        if example.result and example.result[-1] is ...:
            missing = [w for w in wanted if w not in got]
            assert not missing, f"{example.plan} did not find {missing}, but {got}"
        else:
            # None stands for any value: a process id, a mount point.
            fits = len(got) == len(wanted) and all(w in (None, g) for g, w in zip(got, wanted, strict=True))
            assert fits, f"{example.plan} found {got}, not {wanted}"

    def _shown(self, record: Record) -> str:
        value = str(getattr(record, record.columns[0]))
        return os.path.relpath(value, self.home) if value.startswith(f"{self.home}/") else value

    def _check_after(self, path: str, expected: Any) -> None:
        place = self.home / path
        if expected is ABSENT:
            assert not os.path.lexists(place), f"{path} is still there"
            return
        assert os.path.lexists(place), f"{path} is not there"
        if expected is None:
            assert place.is_dir(), f"{path} is not a folder"
            return
        details = expected if isinstance(expected, dict) else {"text": expected}
        if "link" in details:
            assert os.readlink(place) == details["link"], f"{path} leads to {os.readlink(place)}"
        if "text" in details:
            assert place.read_bytes() == _bytes(details["text"]), f"{path} holds {place.read_bytes()[:200]!r}"
        if "mode" in details:
            mode = stat.S_IMODE(os.lstat(place).st_mode)
            assert mode == int(details["mode"], 8), f"{path} has mode {mode:o}"

    def _check_undo(self, example: Example, before: dict[str, tuple[Any, ...]]) -> None:
        """Take the run back and check that everything is as it was."""
        undone = self.play("history.undo()")
        assert undone.error is None, f"{example.plan} cannot be undone: {undone.error}"
        after = snapshot(self.home)
        differing = sorted(p for p in {*before, *after} if before.get(p) != after.get(p) and not self._as_git_has_it(p, example, before, after))
        assert not differing, f"after undo of {example.plan}, these differ: {[(p, before.get(p), after.get(p)) for p in differing[:5]]}"

    @staticmethod
    def _as_git_has_it(path: str, example: Example, before: dict[str, tuple[Any, ...]], after: dict[str, tuple[Any, ...]]) -> bool:
        """Return whether a path is in a repository that undo brings back as git would: contents and modes, not times, nor what is git's own."""
        if not any(path == r or path.startswith(f"{r}/") for r in example.repositories):
            return False
        if ".git" in path.split("/"):
            return True
        times = 3
        old, new = (facts[:times] + facts[times + 1 :] if facts else None for facts in (before.get(path), after.get(path)))
        return old == new


def check(example: Example, folder: Path | str, *, zygote: Zygote | None = None) -> None:
    """Set the scene for an example in `folder`, run it and check everything it claims. Raises AssertionError."""
    with Scene(folder, example.given, example.processes, zygote=zygote) as scene:
        scene.check(example)


@contextmanager
def _environment(folder: Path, home: Path) -> Iterator[None]:
    before, cwd = dict(os.environ), os.getcwd()
    for variable in ("XDG_DATA_HOME", "NLSH_PLANNER", "NLSH_ENCODER", "NLSH_SURE"):
        os.environ.pop(variable, None)
    # Examples must not reach what runs on this machine: neither its containers nor its services.
    os.environ["DOCKER_HOST"] = f"unix://{folder}/no-containers"
    os.environ.setdefault("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={folder}/no-bus")
    # What nlsh keeps lies beside the home, so that a scene's files are the scene's alone.
    os.environ.update(
        HOME=str(home), XDG_CONFIG_HOME=str(folder / "config"), XDG_STATE_HOME=str(folder / "state"), XDG_CACHE_HOME=str(folder / "cache")
    )  # fmt: skip
    # No example stops a service or the machine that the tests run on; a test with a bus of its own has set it.
    os.environ.setdefault("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={folder}/no-bus")
    os.chdir(home)
    try:
        yield
    finally:
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _no_way_to_root() -> Iterator[None]:
    """Within: what needs root is refused where this process is not root's. A scene approves everything, and must not ask the machine's own sudo."""
    from nlsh.world import privilege

    before, privilege.folders = privilege.folders, ()
    try:
        yield
    finally:
        privilege.folders = before


@contextmanager
def _network(home: Path) -> Iterator[None]:
    """Let etc/hosts and etc/resolv.conf of the scene be the machine's, and its gateway be the machine itself: no scene asks other machines."""
    from nlsh.world import routes

    before = (routes.HOSTS, routes.RESOLV_CONF, routes.GATEWAY)
    routes.HOSTS, routes.RESOLV_CONF, routes.GATEWAY = str(home / "etc/hosts"), str(home / "etc/resolv.conf"), "127.0.0.1"
    try:
        yield
    finally:
        routes.HOSTS, routes.RESOLV_CONF, routes.GATEWAY = before


def _bytes(value: str | bytes) -> bytes:
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value


def build(home: Path, given: Mapping[str, Any]) -> None:
    """Make the files that `given` describes, as `Scene` says, below `home`."""
    later: list[tuple[Path, dict[str, Any]]] = []
    for name, what in given.items():
        path = home / name
        if what is None:
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        details = what if isinstance(what, dict) else {"text": what}
        if "link" in details:
            path.symlink_to(details["link"])
        elif "members" in details:
            _archive(path, details["members"])
        elif "size" in details:
            with open(path, "wb") as file:
                file.truncate(Bytes().parse(details["size"]))
        else:
            path.write_bytes(_bytes(details.get("text", "")))
        later.append((path, details))
    for path, details in later:
        for key, value in details.get("xattr", {}).items():
            os.setxattr(path, key, value.encode(), follow_symlinks=False)
        if "link" not in details:
            os.chmod(path, int(details.get("mode", "644"), 8))
        if "age" in details:
            changed = time.time() - Duration().parse(details["age"])
            os.utime(path, (changed, changed), follow_symlinks=False)


def _archive(path: Path, members: Mapping[str, Any]) -> None:
    import io
    import tarfile
    import zipfile

    if path.name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as zipped:
            for name, text in members.items():
                zipped.writestr(name, text)
        return
    kinds = {".gz": "gz", ".tgz": "gz", ".bz2": "bz2", ".xz": "xz"}
    with tarfile.open(str(path), f"w:{kinds.get(path.suffix, '')}") as tarred:  # type: ignore[call-overload]
        for name, text in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(_bytes(text)), 1_600_000_000
            tarred.addfile(member, io.BytesIO(_bytes(text)))


def snapshot(home: Path | str) -> dict[str, tuple[Any, ...]]:
    """Return everything below `home` that undo must bring back: path → type, mode, owner, time, size, content, attributes."""
    from hashlib import sha256

    from nlsh.world.files import walk

    found: dict[str, tuple[Any, ...]] = {".": _facts(str(home))}
    for entry in walk(str(home)):
        path = entry.path
        facts = _facts(path)
        if entry.is_file(follow_symlinks=False):
            with open(path, "rb", opener=_unnoticed) as file:
                # Of a big sparse file, its start.
                facts += (sha256(file.read(_HASHED)).hexdigest(),)
        elif entry.is_symlink():
            facts += (os.readlink(path),)
        found[os.path.relpath(path, home)] = facts
    return found


def _unnoticed(path: str, flags: int) -> int:
    """Open a file so that its time of reading stays: what looks for files that nobody opened is tried out here, too."""
    try:
        return os.open(path, flags | os.O_NOATIME)
    except PermissionError:  # another's file
        return os.open(path, flags)


def _facts(path: str) -> tuple[Any, ...]:
    status = os.lstat(path)
    is_folder = stat.S_ISDIR(status.st_mode)
    attributes = tuple(sorted((n, os.getxattr(path, n, follow_symlinks=False)) for n in os.listxattr(path, follow_symlinks=False)))
    return (stat.filemode(status.st_mode), status.st_uid, status.st_gid, status.st_mtime_ns, 0 if is_folder else status.st_size, attributes)
