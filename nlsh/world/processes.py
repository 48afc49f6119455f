"""Facts about running processes, read from /proc: who they are, what they use, and which of them a name, port or file means.

It changes nothing and decides nothing about what may be done to a process. /proc is read directly: importing psutil costs more than a whole
answer may, and its start time is a float that moves with the clock, while an identity must not.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache

from nlsh.plan.errors import NotFound, NotPossible
from nlsh.plan.frozen import frozen
from nlsh.plan.records import Process

_STATES = {"R": "running", "S": "sleeping", "D": "waiting", "T": "paused", "t": "traced", "Z": "ended", "X": "ended", "I": "idle"}
_KERNEL_THREAD = 0x00200000  # PF_KTHREAD in the flags of /proc/PID/stat
_INTERPRETERS = re.compile(r"(python|pypy|node|nodejs|ruby|perl|php|bash|sh|dash|zsh|ksh|fish|lua|deno|bun|java|Rscript|uv|tclsh|guile|julia)[\d.]*")
_SECRET = re.compile(r"passw|pwd|secret|token|credential|api-?_?key|access-?_?key|private-?_?key", re.I)
_SUMMARY = 120  # characters of a command line in a preview
_COMM_LENGTH = 15  # the kernel cuts a process's name to this many bytes


@frozen()
class Running:
    """One process as it was when it was looked at. `started_ticks` counts from boot; `argv` is empty for a kernel thread."""

    pid: int
    parent: int
    name: str
    state: str
    nice: int
    started_ticks: int
    cpu_ticks: int
    resident_bytes: int
    virtual_bytes: int
    kernel_thread: bool
    argv: tuple[str, ...]

    @property
    def started(self) -> str:
        """What tells this process from another that gets the same number later: ticks since boot, and which boot."""
        return f"{self.started_ticks}@{boot_id()}"

    @property
    def started_at(self) -> float:
        """Seconds since the epoch."""
        return boot_time() + self.started_ticks / _ticks()

    @property
    def command(self) -> str:
        """The command line, or the bracketed name of a kernel thread."""
        return " ".join(self.argv) or f"[{self.name}]"

    @property
    def summary(self) -> str:
        """The command line as a preview and the journal may hold it: cut short, and without values that look like secrets."""
        words, hide = [], False
        for word in self.argv:
            name, sign, _ = word.partition("=")
            words.append("…" if hide else f"{name}=…" if sign and _SECRET.search(name) else word)
            hide = not sign and word.startswith("-") and bool(_SECRET.search(word))
        text = " ".join(words) or self.command
        return text if len(text) <= _SUMMARY else f"{text[: _SUMMARY - 1]}…"

    @property
    def program(self) -> str:
        """The file name in the first word of the command line, or the process's name."""
        return os.path.basename(self.argv[0].lstrip("-")) if self.argv and self.argv[0] else self.name

    @property
    def called(self) -> str:
        """What a person calls it: the program's whole name, where the kernel has cut it."""
        return self.program if len(self.name.encode(errors="surrogateescape")) >= _COMM_LENGTH and self.program.startswith(self.name) else self.name

    @property
    def script(self) -> str:
        """The path of the script that an interpreter runs, or nothing."""
        if not _INTERPRETERS.fullmatch(self.program):
            return ""
        words = iter(self.argv[1:])
        for word in words:
            if word == "-m":
                return next(words, "")
            if word in ("-c", "-e", "-"):
                return ""
            if word in ("-X", "-W", "-cp", "-r", "--require"):
                next(words, "")
            elif not word.startswith("-"):
                return word
        return ""


@cache
def _ticks() -> int:
    return os.sysconf("SC_CLK_TCK")


@cache
def boot_id() -> str:
    """Return the id of this boot of the machine."""
    return _text("/proc/sys/kernel/random/boot_id").strip()


@cache
def boot_time() -> float:
    """Return when this machine started, in seconds since the epoch."""
    match = re.search(r"^btime (\d+)", _text("/proc/stat"), re.M)
    return float(match[1]) if match else 0.0


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def read(pid: int) -> Running | None:
    """Return the process with this id, or None if there is none."""
    try:
        line = _text(f"/proc/{pid}/stat")
        argv = _text(f"/proc/{pid}/cmdline")
    except (FileNotFoundError, ProcessLookupError, NotADirectoryError):
        return None
    # The name may hold spaces and brackets: it ends at the last closing bracket.
    name = line[line.index("(") + 1 : line.rindex(")")]
    rest = line[line.rindex(")") + 2 :].split()
    return Running(
        pid=pid,
        parent=int(rest[1]),
        name=name,
        state=rest[0],
        nice=int(rest[16]),
        started_ticks=int(rest[19]),
        cpu_ticks=int(rest[11]) + int(rest[12]),
        resident_bytes=int(rest[21]) * os.sysconf("SC_PAGE_SIZE"),
        virtual_bytes=int(rest[20]),
        kernel_thread=bool(int(rest[6]) & _KERNEL_THREAD),
        argv=tuple(argv.rstrip("\0").split("\0")) if argv else (),
    )


def cpu_seconds(process: Running) -> float:
    """Return how much time of a processor a process has used since it started."""
    return process.cpu_ticks / _ticks()


def memory(pid: int) -> int:
    """Return the memory that a process takes, in bytes, what it shares with others in part; 0 where it has ended."""
    for file, fields in (("smaps_rollup", ("Pss",)), ("status", ("RssAnon", "RssShmem"))):  # the first may be its owner's alone
        try:
            found = dict(re.findall(r"^(\w+):\s+(\d+) kB", _text(f"/proc/{pid}/{file}"), re.M))
        except OSError:
            continue
        return sum(int(found.get(field, 0)) for field in fields) * 1024
    return 0


def pids() -> list[int]:
    """Return the ids of all processes, ascending."""
    return sorted(int(n) for n in os.listdir("/proc") if n.isdigit())


def every() -> list[Running]:
    """Return all processes, by id."""
    return [p for p in map(read, pids()) if p is not None]


def same(pid: int, started: str) -> bool:
    """Return whether `pid` is still the process that had this start, and has not ended."""
    found = read(pid)
    return found is not None and found.state not in "ZX" and found.started == started


def user_ids(pid: int) -> tuple[int, int, int]:
    """Return the real, effective and saved user id of a process; all -1 if it has ended."""
    try:
        match = re.search(r"^Uid:\s+(\d+)\s+(\d+)\s+(\d+)", _text(f"/proc/{pid}/status"), re.M)
    except (FileNotFoundError, ProcessLookupError):
        match = None
    return (int(match[1]), int(match[2]), int(match[3])) if match else (-1, -1, -1)


@cache
def user_name(uid: int) -> str:
    """Return a user's name, or the number where it has none."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def user_id(written: str) -> int:
    """Return the id of the user that `written` names. Raises NotFound."""
    import pwd

    text = written.strip()
    if text.lower() in ("me", "myself", "my", "mine", "i", "我", "我的", "自己", "本人"):
        return os.getuid()
    try:
        return pwd.getpwnam(text).pw_uid
    except KeyError:
        if text.isdigit():
            return int(text)
    import difflib

    close = difflib.get_close_matches(text, [u.pw_name for u in pwd.getpwall()], 1)
    raise NotFound(f"There is no user called “{written}” on this machine.", hint=f"Did you mean {close[0]}?" if close else "See /etc/passwd.")


def lineage(pid: int) -> tuple[int, ...]:
    """Return `pid` and its ancestors, the nearest first."""
    chain = [pid]
    while (found := read(chain[-1])) and found.parent > 0 and found.parent not in chain:
        chain.append(found.parent)
    return tuple(chain)


def threads(pid: int) -> tuple[int, ...]:
    """Return the thread ids of a process, itself first."""
    try:
        return tuple(sorted((int(n) for n in os.listdir(f"/proc/{pid}/task")), key=lambda t: (t != pid, t)))
    except (FileNotFoundError, ProcessLookupError):
        return ()


def sampled(chosen: Iterable[Running], seconds: float) -> Iterator[Process]:
    """Yield a record of each process, with its use of the CPU over the next `seconds`."""
    before, began = list(chosen), time.monotonic()
    if seconds:
        time.sleep(seconds)
    taken = max(time.monotonic() - began, 1e-3)
    total = _total_memory()
    for first in before:
        now = read(first.pid) if seconds else first
        if now is None or now.started_ticks != first.started_ticks:
            continue
        yield Process(
            pid=now.pid,
            name=now.called,
            user=user_name(user_ids(now.pid)[1]),
            cpu_percent=round(100 * (now.cpu_ticks - first.cpu_ticks) / _ticks() / taken, 1),
            memory_bytes=now.resident_bytes,
            memory_percent=round(100 * now.resident_bytes / total, 1),
            status=_STATES.get(now.state, now.state),
            started_at=now.started_at,
            command=now.command,
        )


def _total_memory() -> int:
    match = re.search(r"^MemTotal:\s+(\d+)", _text("/proc/meminfo"), re.M)
    return int(match[1]) * 1024 if match else 1


# what people say: what the program is called
_SAID = {
    "google chrome": "chrome", "vscode": "code", "vs code": "code", "visual studio code": "code", "libreoffice": "soffice.bin",
    "火狐": "firefox", "火狐浏览器": "firefox", "谷歌浏览器": "chrome", "微信": "wechat",
}  # fmt: skip


def named(name: str, among: Iterable[Running]) -> list[Running]:
    """Return the processes that a name means exactly: the first of these that any process answers to.

    The process's name or its program's file name as written; the same in another case; without a version number (“python” is python3.11); the
    script that an interpreter runs (“train.py” or “train” is `python train.py`). Nothing is guessed from parts of names.
    """
    text = name.strip().strip("\"'`")
    folded = text.casefold()
    everyone = [p for p in among if p.state not in "ZX"]
    for wanted in dict.fromkeys((text, _SAID.get(folded, text))):
        low = wanted.casefold()
        for fits in (
            lambda p, w=wanted: w in _names(p),
            lambda p, w=low: w in {n.casefold() for n in _names(p)},
            lambda p, w=low: w in {re.sub(r"[\d.]+$", "", n).casefold() for n in _names(p)},
            lambda p, w=low: bool(p.script) and w in _script_names(p),
        ):
            if found := [p for p in everyone if fits(p)]:
                return found
    return []


def _names(process: Running) -> set[str]:
    return {process.name, process.program, process.called}


def _script_names(process: Running) -> set[str]:
    base = os.path.basename(process.script).casefold()
    return {base, os.path.splitext(base)[0], process.script.casefold()}


def answers_to(name: str, process: Running) -> str:
    """Return what sets one program that `name` means apart from another: its name, or the whole path of its script."""
    low = name.strip().casefold()
    if process.script and low in _script_names(process) and low not in {n.casefold() for n in _names(process)}:
        return os.path.abspath(os.path.join(_link(f"/proc/{process.pid}/cwd"), process.script))
    same_name = [n for n in _names(process) if n == name.strip()] or [process.called]
    return same_name[0]


def resembling(name: str, among: Iterable[Running]) -> list[Running]:
    """Return the processes whose name, program or script contains `name`: for looking, never for changing."""
    low = name.strip().casefold()
    return [p for p in among if p.state not in "ZX" and low and any(low in n.casefold() for n in (*_names(p), os.path.basename(p.script)))]


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def using(path: str, among: Iterable[Running]) -> list[Running]:
    """Return the processes that have `path` open, run it, or stand in it; for a folder, also anything below it; for a disk, anything on it.

    # LIMIT: a file that is only mapped into memory and not open any more is not found, unless it is the program itself.
    """
    try:
        wanted = os.stat(path)
    except OSError as error:
        raise NotFound(f"{path} cannot be looked at: {error.strerror}.") from error
    real = os.path.realpath(path)
    folder = stat.S_ISDIR(wanted.st_mode)
    disk = _parts(wanted.st_rdev) if stat.S_ISBLK(wanted.st_mode) else frozenset()
    below = real.rstrip("/") + "/"

    def held(link: str) -> bool:
        target = _link(link)
        if target == real or (folder and target.startswith(below)):
            return True
        if folder or not target.startswith("/"):
            return False
        try:
            found = os.stat(link)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino) or found.st_dev in disk

    return [p for p in among if any(held(link) for link in _links(p.pid))]


def _parts(number: int) -> frozenset[int]:
    """Return the device numbers of a disk and its partitions, which are those of the file systems on them."""
    # LIMIT: btrfs, LVM and encrypted disks have numbers of their own: who uses these is found by the folder.
    found = {number}
    with suppress(OSError), os.scandir(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}/") as scan:
        for entry in scan:
            with suppress(OSError, ValueError), open(f"{entry.path}/dev", encoding="ascii") as file:
                major, minor = file.read().split(":")
                found.add(os.makedev(int(major), int(minor)))
    return frozenset(found)


def _links(pid: int) -> Iterator[str]:
    yield f"/proc/{pid}/cwd"
    yield f"/proc/{pid}/exe"
    try:
        numbers = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return
    for number in numbers:
        yield f"/proc/{pid}/fd/{number}"


def owners(inodes: set[int], among: Iterable[Running]) -> dict[int, list[Running]]:
    """Return which processes hold each of these sockets. Those of other users are seen by root only."""
    wanted = {f"socket:[{i}]": i for i in inodes}
    found: dict[int, list[Running]] = {}
    for process in among:
        held = {wanted[target] for link in _links(process.pid) if (target := _link(link)) in wanted}
        for inode in held:
            found.setdefault(inode, []).append(process)
    return found


def on_port(port: int, among: Iterable[Running]) -> list[Running]:
    """Return the processes that listen on a port: TCP listeners, else whoever has bound it for UDP.

    Raises NotPossible if somebody listens but only root can see who.
    """
    from nlsh.world import network

    sockets = [s for s in network.listening() if s.port == port]
    for protocol in ("tcp", "udp"):
        chosen = [s for s in sockets if s.protocol == protocol]
        if not chosen:
            continue
        found = owners({s.inode for s in chosen}, among)
        if not found:
            raise NotPossible(
                f"Port {port} is in use by a process of {user_name(chosen[0].uid)} that cannot be seen from here.",
                hint="It belongs to the kernel or is shielded from this system." if os.geteuid() == 0 else "Root can see it.",
            )
        return sorted({p.pid: p for held in found.values() for p in held}.values(), key=lambda p: p.pid)
    return []
