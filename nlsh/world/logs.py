"""The logs of this machine: systemd's journal where there is one, else the files that syslog writes, and the kernel's own buffer."""

from __future__ import annotations

import datetime
import glob
import json
import os
import re
from collections import deque
from collections.abc import Iterator
from typing import Any

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible
from nlsh.plan.records.logs import LogEntry
from nlsh.world import tools

LEVELS = ("emergency", "alert", "critical", "error", "warning", "notice", "info", "debug")
_USUAL = ("/var/log/journal", "/run/log/journal")
JOURNALS = _USUAL
FILES = ("/var/log/syslog", "/var/log/messages")
KERNEL_FILES = ("/var/log/kern.log",)
KERNEL_BUFFER = "/dev/kmsg"
_FIELDS = "__REALTIME_TIMESTAMP,MESSAGE,SYSLOG_IDENTIFIER,_COMM,_PID,PRIORITY,_SYSTEMD_UNIT"
# RFC 3339, as rsyslog and syslog-ng write today; and the older form, which has no year.
_STAMPS = (
    re.compile(r"(?P<new>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?) (?P<rest>.*)", re.S),
    re.compile(r"(?P<old>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) (?P<rest>.*)", re.S),
)
_ORIGIN = re.compile(r"(?P<host>\S+) (?P<source>[^\s:\[]+)(?:\[(?P<pid>\d+)\])?: ?(?P<text>.*)", re.S)
# For logs that do not say how grave an entry is.
GRAVE = re.compile(r"\b(?:error|errors|fail|failed|failure|fatal|panic|emerg|crit|critical|segfault|oops|denied)\b", re.I)
_BLOCK = 1 << 16
WHO_MAY = "Run nlsh with sudo, or become a member of the group systemd-journal."


def journals() -> list[str]:
    """Return the folders that hold a journal."""
    return [folder for folder in JOURNALS if _files_of(folder)]


def _files_of(folder: str) -> list[str]:
    return [*glob.glob(f"{glob.escape(folder)}/*/*.journal"), *glob.glob(f"{glob.escape(folder)}/*.journal")]


def _is_open(folder: str) -> bool:
    """Return whether this user may read more of a journal than what their own programs have logged, or other machines have sent."""
    return any(os.access(f, os.R_OK) for f in _files_of(folder) if not os.path.basename(f).startswith(("user-", "remote-")))


def _closed() -> bool:
    """Return whether there are journals of which this user may not even see the files, as those in memory are."""
    inner = (d for folder in JOURNALS for d in glob.glob(f"{glob.escape(folder)}/*/"))
    return tools.present("journalctl") is not None and any(not os.access(d, os.R_OK | os.X_OK) for d in inner)


def find(*, kernel: bool = False, journal_only: bool = False) -> dict[str, Any]:
    """Return where the log is, as data for `entries`. Raises NotPossible where there is none, or none that may be read.

    `own`: it is a journal of which this user may read what their own programs have logged, and nothing of the system's.
    """
    folders = journals() if tools.present("journalctl") else []
    if whole := [f for f in folders if _is_open(f)]:
        return {"kind": "journal", "paths": [*whole, *(f for f in folders if f not in whole)], "own": False}
    if not journal_only:
        there = [p for p in (*(KERNEL_FILES if kernel else ()), *FILES) if os.path.isfile(p)]
        if readable := [p for p in there if os.access(p, os.R_OK)]:
            return {"kind": "file", "paths": readable[:1]}
        if kernel and os.path.exists(KERNEL_BUFFER):
            if _buffer_is_open():
                return {"kind": "buffer", "paths": [KERNEL_BUFFER]}
            who = WHO_MAY if folders or _closed() else "Run nlsh with sudo."
            raise NotPossible("You may not read what the kernel has logged here.", hint=f"Nothing was changed. {who}")
    if folders and not kernel and not journal_only and any(os.access(f, os.R_OK) for folder in folders for f in _files_of(folder)):
        return {"kind": "journal", "paths": folders, "own": True}
    if folders or _closed():
        raise NotPossible("You may not read the system's journal.", hint=f"Nothing was changed. {WHO_MAY}")
    if not journal_only and there:
        raise NotPossible(f"{there[0]} may not be read by you.", hint="Nothing was changed. Run nlsh with sudo, or become a member of the file's group.")
    files = "" if journal_only else f" nor a file such as {FILES[0]}"
    raise NotPossible(f"Not available here, because there is no journal{files}.", hint="Nothing was changed.")


def _buffer_is_open() -> bool:
    try:
        os.close(os.open(KERNEL_BUFFER, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def effects(where: dict[str, Any]) -> tuple[Effect, ...]:
    """Return what reading that log needs."""
    reads = tuple(Effect("fs.read", p) for p in where["paths"])
    if where["kind"] == "journal":
        return (Effect("tool.read", "journalctl --output=json"), *reads, *(Effect("fs.read", p) for p in ("/etc/machine-id",) if os.path.exists(p)))
    return reads


def entries(
    where: dict[str, Any], *, last: int | None = None, since: float | None = None, text: str = "", errors: bool = False, kernel: bool = False, unit: str = ""
) -> Iterator[LogEntry]:
    """Yield entries, the oldest first: the `last` ones of those that are newer than `since` (seconds since the epoch), hold `text`, and are errors."""
    if where["kind"] == "journal":
        found = _journal(where["paths"], last=None if text else last, since=since, errors=errors, kernel=kernel, unit=unit)
    elif where["kind"] == "buffer":
        found = _buffer()
    else:
        # A log of what everybody says is read from its end only where the last lines are all that is wanted.
        whole = (kernel and where["paths"][0] not in KERNEL_FILES) or since is not None or bool(text) or errors
        found = (_entry(line) for line in (_lines(where["paths"][0]) if whole or last is None else _last_lines(where["paths"][0], last)))
    chosen = (e for e in found if _fits(e, where["kind"], since, text.lower(), errors, kernel))
    return iter(deque(chosen, last)) if last is not None else chosen


def _fits(entry: LogEntry, kind: str, since: float | None, text: str, errors: bool, kernel: bool) -> bool:
    if kind != "journal":
        if since is not None and (entry.at or 0) < since:
            return False
        if kernel and entry.source != "kernel":
            return False
        if errors and not (entry.level in LEVELS[:4] if entry.level else GRAVE.search(entry.text)):
            return False
    return not text or text in entry.text.lower() or text in entry.source.lower()


def _journal(folders: list[str], *, last: int | None, since: float | None, errors: bool, kernel: bool, unit: str) -> Iterator[LogEntry]:
    argv = [tools.find("journalctl"), "--output=json", f"--output-fields={_FIELDS}", "--no-pager", "--quiet"]
    argv += [f"--directory={f}" for f in folders[:1] if f not in _USUAL]
    argv += [f"--lines={last}"] if last is not None else []
    argv += [f"--since=@{since:.0f}"] if since is not None else []
    argv += ["--priority=err"] if errors else []
    argv += ["--dmesg", "--boot"] if kernel else []
    argv += [f"--unit={unit}"] if unit else []
    for line in tools.lines(argv):
        if line.startswith("{"):
            yield _from_journal(json.loads(line))


def _from_journal(fields: dict[str, Any]) -> LogEntry:
    level, pid = str(fields.get("PRIORITY", "")), str(fields.get("_PID", ""))
    return LogEntry(
        at=int(fields["__REALTIME_TIMESTAMP"]) / 1e6 if "__REALTIME_TIMESTAMP" in fields else None,
        source=_text(fields.get("SYSLOG_IDENTIFIER") or fields.get("_COMM")),
        text=_text(fields.get("MESSAGE")),
        level=LEVELS[int(level)] if level.isdigit() and int(level) < len(LEVELS) else "",
        pid=int(pid) if pid.isdigit() else None,
        unit=_text(fields.get("_SYSTEMD_UNIT")),
    )


def _text(value: Any) -> str:
    """Return a field as text: the journal gives what is no UTF-8 as numbers, several values as a list, and what is too long as nothing."""
    if isinstance(value, list):
        if all(isinstance(v, int) for v in value):
            return bytes(value).decode("utf-8", "surrogateescape")
        return " ".join(_text(v) for v in value)
    return "" if value is None else str(value)


def _lines(path: str) -> Iterator[str]:
    with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        for line in file:
            yield line.rstrip("\n")


def _last_lines(path: str, count: int) -> list[str]:
    """Return the last lines of a file, reading no more of it than they take."""
    with open(path, "rb") as file:
        place = file.seek(0, os.SEEK_END)
        held = b""
        while place and held.count(b"\n") <= count:
            step = min(_BLOCK, place)
            place = file.seek(place - step)
            held = file.read(step) + held
    lines = held.decode("utf-8", "surrogateescape").split("\n")
    return (lines[:-1] if lines and not lines[-1] else lines)[-count:]


def _entry(line: str) -> LogEntry:
    """Return the entry that a line of a syslog file is; a line of another form is its text alone."""
    for stamp in _STAMPS:
        if found := stamp.match(line):
            at = _time(found.groupdict())
            origin = _ORIGIN.match(found["rest"])
            if origin:
                return LogEntry(at, origin["source"], origin["text"], "", int(origin["pid"]) if origin["pid"] else None)
            return LogEntry(at, "", found["rest"])
    return LogEntry(None, "", line)


def _time(stamp: dict[str, str]) -> float | None:
    try:
        if "new" in stamp:
            return datetime.datetime.fromisoformat(stamp["new"]).timestamp()
        now = datetime.datetime.now()
        at = datetime.datetime.strptime(f"{now.year} {stamp['old']}", "%Y %b %d %H:%M:%S")
        # What would be tomorrow was last year.
        return (at if at <= now + datetime.timedelta(days=1) else at.replace(year=now.year - 1)).timestamp()
    except ValueError:
        return None


def _buffer() -> Iterator[LogEntry]:
    """Yield what is in the kernel's buffer now: one record a read, `priority,number,microseconds,flags;text` and lines of further fields."""
    from nlsh.world.processes import boot_time

    started = boot_time()
    descriptor = os.open(KERNEL_BUFFER, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        while True:
            try:
                record = os.read(descriptor, 8192)
            except BlockingIOError:
                return
            except BrokenPipeError:
                continue  # it was overwritten meanwhile; the next read gives the oldest that is left
            head, _, text = record.decode("utf-8", "surrogateescape").partition(";")
            fields = head.split(",")
            priority = int(fields[0])
            source = "kernel" if priority >> 3 == 0 else ""
            words = re.sub(r"\\x([0-9a-f]{2})", lambda m: chr(int(m[1], 16)), text.split("\n", 1)[0])
            if not source and (origin := re.match(r"([^\s:\[]+)(?:\[\d+\])?: ?(.*)", words, re.S)):
                source, words = origin.groups()
            yield LogEntry(started + int(fields[2]) / 1e6, source, words, LEVELS[priority & 7])
    finally:
        os.close(descriptor)
