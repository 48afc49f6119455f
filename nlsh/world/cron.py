"""What cron runs: the system's tables, the folders that are run every hour, day, week and month, and the users' own tables."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator

from nlsh.plan.records.services import CronEntry
from nlsh.world import tools

SYSTEM_TABLE, SYSTEM_FOLDER = "/etc/crontab", "/etc/cron.d"
PERIODS = ("hourly", "daily", "weekly", "monthly", "yearly")
SPOOLS = ("/var/spool/cron/crontabs", "/var/spool/cron")
# As run-parts and cron do: what an editor or a package manager left lying about is not run.
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_TIMES = re.compile(r"(@\w+|(?:\S+\s+){4}\S+)\s+(.*)", re.S)
_SETTING = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\s*=|[\"']")


def places(root: str = "/") -> list[str]:
    """Return the system's tables and folders that are there."""
    listed = (SYSTEM_TABLE, SYSTEM_FOLDER, *(f"/etc/cron.{p}" for p in PERIODS), "/etc/anacrontab")
    return [p for p in (os.path.join(root, i.lstrip("/")) for i in listed) if os.path.exists(p)]


def spool(root: str = "/") -> str | None:
    """Return the folder of the users' tables, where it may be read."""
    return next((p for p in (os.path.join(root, s.lstrip("/")) for s in SPOOLS) if os.path.isdir(p) and os.access(p, os.R_OK)), None)


def own_table() -> str | None:
    """Return the table of who runs this, or None where there is none; `crontab` has the right to read it, and nobody else."""
    path = tools.present("crontab")
    if path is None:
        return None
    done = subprocess.run([path, "-l"], env=tools.environment(), stdin=subprocess.DEVNULL, capture_output=True, timeout=5, check=False)
    return done.stdout.decode("utf-8", "surrogateescape") if done.returncode == 0 else None


def parse(lines: Iterable[str], path: str, user: str | None) -> Iterator[CronEntry]:
    """Yield the entries of a table; `user` None: the sixth field is whose they are, as in the system's own."""
    for line in lines:
        text = line.strip()
        if not text or text.startswith("#") or _SETTING.match(text):
            continue
        found = _TIMES.fullmatch(text)
        if found is None:
            continue
        when, rest = re.sub(r"\s+", " ", found[1]), found[2]
        if user is None:
            owner, _, command = rest.partition(" ") if " " in rest else rest.partition("\t")
            yield CronEntry(when, owner.strip(), command.strip(), path)
        else:
            yield CronEntry(when, user, rest, path)


def _table(path: str, user: str | None) -> Iterator[CronEntry]:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        yield from parse(file, path, user)


def entries(found: Iterable[str], users: str | None) -> Iterator[CronEntry]:
    """Yield what the system's tables and folders (`places`) and the folder of the users' tables say."""
    for path in found:
        period = os.path.basename(path).removeprefix("cron.")
        if os.path.basename(path) == "anacrontab":
            continue  # what it runs are the folders
        if os.path.isfile(path):
            yield from _table(path, None)
        elif period in PERIODS:
            for name in sorted(os.listdir(path)):
                place = os.path.join(path, name)
                if _NAME.fullmatch(name) and os.access(place, os.X_OK):
                    yield CronEntry(period, "root", place, place)
        else:
            for name in sorted(os.listdir(path)):
                if _NAME.fullmatch(name):
                    yield from _table(os.path.join(path, name), None)
    if users is not None:
        for name in sorted(os.listdir(users)):
            if os.path.isfile(os.path.join(users, name)) and not name.startswith("."):
                yield from _table(os.path.join(users, name), name)
