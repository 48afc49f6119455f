"""What a single process has and may: its open files, environment, limits, place in the tree, network; and which were started by nlsh.

All from /proc. What only the owner or root may see raises PermissionError, which the actions turn into a sentence.
"""

from __future__ import annotations

import os
import re
import resource
import stat
from collections.abc import Iterable, Iterator

from nlsh.plan.records.process import OpenFile, ProcessLimit, Variable
from nlsh.world import machine
from nlsh.world.processes import Running, every, lineage

# Set in the environment of what nlsh starts, so that it is known again.
TOKEN = "NLSH_STARTED"
_SECRET = re.compile(r"token|key|secret|passw|passphrase|pwd$|credential|auth|cookie|session_id|private", re.I)
# Names in which such a word says nothing secret.
_PLAIN = {"SSH_AUTH_SOCK", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS", "XDG_SESSION_ID", "PWD", "OLDPWD", "GPG_AGENT_INFO"}
# A secret may also stand in an address: postgres://user:secret@host.
_IN_ADDRESS = re.compile(r"([a-zA-Z][\w+.-]{0,30}://[^\s/:@]{0,256}:)[^\s/@]{1,4096}(@)")
MASK = "…"
_LIMITS = {
    "Max cpu time": ("cpu time", resource.RLIMIT_CPU), "Max file size": ("file size", resource.RLIMIT_FSIZE), "Max data size": ("data", resource.RLIMIT_DATA),
    "Max stack size": ("stack", resource.RLIMIT_STACK), "Max core file size": ("core file", resource.RLIMIT_CORE),
    "Max resident set": ("resident memory", resource.RLIMIT_RSS), "Max processes": ("processes", resource.RLIMIT_NPROC),
    "Max open files": ("open files", resource.RLIMIT_NOFILE), "Max locked memory": ("locked memory", resource.RLIMIT_MEMLOCK),
    "Max address space": ("address space", resource.RLIMIT_AS), "Max file locks": ("file locks", 10), "Max pending signals": ("pending signals", 11),
    "Max msgqueue size": ("message queues", 12), "Max nice priority": ("nice priority", 13), "Max realtime priority": ("realtime priority", 14),
    "Max realtime timeout": ("realtime timeout", 15),
}  # fmt: skip


def _bytes(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def status(pid: int) -> dict[str, str]:
    """Return the fields of /proc/PID/status; nothing where the process has ended."""
    try:
        lines = _bytes(f"/proc/{pid}/status").decode("utf-8", "surrogateescape").split("\n")
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def kilobytes(fields: dict[str, str], name: str) -> int:
    """Return a field of `status` that is an amount of memory, in bytes; 0 where it is not there, as of a kernel thread."""
    return int(fields.get(name, "0 kB").split()[0]) * 1024


def io(pid: int) -> tuple[int, int]:
    """Return how many bytes a process has had read from disks and written to them. Raises OSError."""
    fields = dict(line.split(": ") for line in _bytes(f"/proc/{pid}/io").decode().splitlines())
    return int(fields["read_bytes"]), int(fields["write_bytes"])


def variables(pid: int) -> Iterator[Variable]:
    """Yield the environment with which a process was started, values that look like secrets kept back. Raises OSError."""
    from nlsh.world.identity import is_secret

    for entry in _bytes(f"/proc/{pid}/environ").split(b"\0"):
        name, sign, value = (part.decode("utf-8", "surrogateescape") for part in entry.partition(b"="))
        if not sign or not name:
            continue  # a program may have written a title over it
        # Of an address only the password is kept back; any other shape of a key is, whatever the variable is called.
        if (_SECRET.search(name) and name not in _PLAIN) or (name not in _PLAIN and is_secret(name, _IN_ADDRESS.sub(r"\1 \2", value))):
            yield Variable(name, MASK, pid, True)
            continue
        shown = _IN_ADDRESS.sub(rf"\1{MASK}\2", value)
        yield Variable(name, shown, pid, shown != value)


def environment(pid: int) -> dict[str, str]:
    """Return the environment with which a process was started, as it is: not to be shown or written down. Raises OSError."""
    pairs = (entry.decode("utf-8", "surrogateescape").partition("=") for entry in _bytes(f"/proc/{pid}/environ").split(b"\0"))
    return {name: value for name, sign, value in pairs if sign and name}


def limits(process: Running) -> Iterator[ProcessLimit]:
    """Yield the limits that a process runs under. Raises OSError."""
    for line in _bytes(f"/proc/{process.pid}/limits").decode().splitlines()[1:]:
        fields = re.split(r"\s{2,}", line.strip())
        if fields[0] in _LIMITS and len(fields) >= 3:
            yield ProcessLimit(_LIMITS[fields[0]][0], _limit(fields[1]), _limit(fields[2]), fields[3] if len(fields) > 3 else "", process.pid, process.called)


def _limit(written: str) -> int | None:
    return None if written == "unlimited" else int(written)


def link(pid: int, name: str) -> str | None:
    """Return where /proc/PID/NAME leads (cwd, exe), or None where it may not be seen or there is none."""
    try:
        return os.readlink(f"/proc/{pid}/{name}")
    except OSError:
        return None


def open_files(process: Running) -> Iterator[OpenFile]:
    """Yield what a process has open, its program and its working folder first. Raises OSError."""
    pid, name = process.pid, process.called
    numbers = sorted(int(n) for n in os.listdir(f"/proc/{pid}/fd"))
    for what, kind in (("exe", "program"), ("cwd", "working folder")):
        if target := link(pid, what):
            yield OpenFile(target, kind, "read", pid, name)
    for number in numbers:
        try:
            target = os.readlink(f"/proc/{pid}/fd/{number}")
        except FileNotFoundError:  # closed meanwhile
            continue
        kind, size = _kind(pid, number, target)
        yield OpenFile(target, kind, _access(pid, number), pid, name, number, size)


def _kind(pid: int, number: int, target: str) -> tuple[str, int | None]:
    for start, kind in (("socket:", "socket"), ("pipe:", "pipe"), ("anon_inode:", "other")):
        if target.startswith(start):
            return kind, None
    try:
        found = os.stat(f"/proc/{pid}/fd/{number}")
    except OSError:
        return "other", None
    if stat.S_ISREG(found.st_mode):
        return "file", found.st_size
    kinds = ((stat.S_ISDIR, "folder"), (stat.S_ISCHR, "device"), (stat.S_ISBLK, "device"), (stat.S_ISFIFO, "pipe"), (stat.S_ISSOCK, "socket"))
    return next((kind for test, kind in kinds if test(found.st_mode)), "other"), None


def _access(pid: int, number: int) -> str:
    try:
        match = re.search(rb"^flags:\s+([0-7]+)", _bytes(f"/proc/{pid}/fdinfo/{number}"), re.M)
    except OSError:
        return ""
    return ("read", "write", "read and write", "")[int(match[1], 8) & 3] if match else ""


def sockets(pid: int) -> set[int]:
    """Return the inodes of the sockets that a process holds. Raises OSError."""
    found = (link(pid, f"fd/{n}") or "" for n in os.listdir(f"/proc/{pid}/fd"))
    return {int(t[8:-1]) for t in found if t.startswith("socket:[")}


def network_use(pid: int) -> tuple[bool, bool, bool]:
    """Return whether a process listens for connections, connects or uses UDP, and waits at a local socket that has a path. Raises OSError."""
    held = sockets(pid)
    listens = connects = local = False
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for fields in _table(pid, table):
            if int(fields[9]) in held:
                waits = table.startswith("tcp") and fields[3] == "0A"
                listens, connects = listens or waits, connects or not waits
    for fields in _table(pid, "unix"):
        # Flag 0x10000: it accepts connections.
        local = local or (int(fields[6]) in held and bool(int(fields[3], 16) & 0x10000))
    return listens, connects, local


def _table(pid: int, name: str) -> Iterator[list[str]]:
    try:
        with open(f"/proc/{pid}/net/{name}", encoding="utf-8", errors="surrogateescape") as file:
            next(file, None)
            for line in file:
                yield line.split()
    except FileNotFoundError:  # no IPv6 here
        return


def service_of(pid: int) -> str:
    """Return the system's service that a process belongs to, as its control group says, or nothing."""
    try:
        match = re.search(rb"/system\.slice/(?:[^\n]*/)?([^/\n]+\.service)", _bytes(f"/proc/{pid}/cgroup"))
    except OSError:
        return ""
    return match[1].decode("utf-8", "surrogateescape") if match else ""


def ordered(everyone: Iterable[Running]) -> list[tuple[Running, int, str]]:
    """Return processes as a tree: each followed by those it started, with its depth and the drawing before its name."""
    known = {p.pid: p for p in everyone}
    children: dict[int, list[Running]] = {}
    roots: list[Running] = []
    for process in sorted(known.values(), key=lambda p: p.pid):
        (children.setdefault(process.parent, []) if process.parent in known and process.parent != process.pid else roots).append(process)
    found: list[tuple[Running, int, str]] = []
    # Not recursive: a chain of processes may be longer than Python's stack.
    waiting = [(root, 0, "", "") for root in reversed(roots)]
    while waiting:
        process, depth, before, mark = waiting.pop()
        found.append((process, depth, before + mark))
        below = before + {"": "", "├─ ": "│  ", "└─ ": "   "}[mark]
        own = children.get(process.pid, [])
        for number, child in reversed(list(enumerate(own))):
            waiting.append((child, depth + 1, below, "└─ " if number == len(own) - 1 else "├─ "))
    return found


def below(pids: Iterable[int], everyone: list[Running]) -> list[Running]:
    """Return these processes and all that they have started and that still descend from them."""
    wanted = set(pids)
    while more := {p.pid for p in everyone if p.parent in wanted} - wanted:
        wanted |= more
    return [p for p in everyone if p.pid in wanted]


def started_with(token: str, log: str) -> list[Running]:
    """Return the processes that nlsh started with this token, and what these have started, parents first.

    They are known by their environment; one that has written over it, by the log that it holds open.
    """
    found = [p for p in every() if p.state not in "ZX" and (_has(p.pid, token) or _holds(p.pid, log))]
    depth = {p.pid: len(lineage(p.pid)) for p in found}
    return sorted(found, key=lambda p: (depth[p.pid], p.pid))


def _has(pid: int, token: str) -> bool:
    try:
        return environment(pid).get(TOKEN) == token
    except OSError:
        return False


def _holds(pid: int, log: str) -> bool:
    return any(link(pid, f"fd/{n}") == log for n in (1, 2))


def count_open(pid: int) -> int:
    """Return how many descriptors a process has open. Raises OSError."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def group_limits(process: Running) -> Iterator[ProcessLimit]:
    """Yield the limits of a process's control group, where it has one with limits."""
    folder = machine.cgroup_of(process.pid)
    for setting, name, unit in (("memory.max", "memory of the control group", "bytes"), ("pids.max", "tasks of the control group", "tasks")):
        try:
            written = machine.setting(folder, setting) if folder else "max"
        except OSError:
            continue
        if written != "max":
            yield ProcessLimit(name, int(written), int(written), unit, process.pid, process.called)
    try:
        quota, _, period = (machine.setting(folder, "cpu.max") if folder else "max").partition(" ")
    except OSError:
        return
    if quota != "max":
        share = round(100 * int(quota) / int(period or 100_000))
        yield ProcessLimit("share of one core, by the control group", share, share, "percent", process.pid, process.called)
