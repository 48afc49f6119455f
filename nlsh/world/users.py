"""The users of this machine, the groups they are in, and their logins as utmp, wtmp and wtmpdb keep them."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

from nlsh.plan.errors import NotFound
from nlsh.plan.records.users import Login, User, UserGroup
from nlsh.world.bus import Bus

LOGIND = "org.freedesktop.login1"
UTMP = "/run/utmp"
WTMP = "/var/log/wtmp"
WTMPDB = "/var/lib/wtmpdb/wtmp.db"
# struct utmp of glibc on Linux: type, pid, line, id, user, host, exit, session, seconds, microseconds, address.
_UTMP = struct.Struct("=hxxi32s4s32s256s4sii i16s20x")
_USER_PROCESS, _DEAD_PROCESS, _BOOT = 7, 8, 2
_NOBODY = 65534


def people() -> tuple[int, int]:
    """Return the lowest and the highest id that people have here."""
    low, high = 1000, 60000
    try:
        with open("/etc/login.defs", encoding="utf-8", errors="replace") as file:
            for line in file:
                words = line.split()
                if len(words) >= 2 and words[1].isdigit():
                    low = int(words[1]) if words[0] == "UID_MIN" else low
                    high = int(words[1]) if words[0] == "UID_MAX" else high
    except OSError:
        pass
    return low, high


def users() -> Iterator[User]:
    """Yield the users: people first, and root, then those that are for programs."""
    import pwd

    low, high = people()

    def kind(uid: int) -> str:
        return "person" if uid == 0 or (low <= uid <= high and uid != _NOBODY) else "system"

    found = {e.pw_name: e for e in pwd.getpwall()}.values()
    for entry in sorted(found, key=lambda e: (kind(e.pw_uid) == "system", e.pw_uid, e.pw_name)):
        yield User(entry.pw_name, entry.pw_uid, kind(entry.pw_uid), entry.pw_gecos.split(",")[0], entry.pw_dir, entry.pw_shell)


def user(name: str | None) -> User:
    """Return a user by name or number; None: who runs this. Raises NotFound, with names that are like it."""
    import pwd

    try:
        entry = pwd.getpwuid(os.getuid()) if name is None else pwd.getpwuid(int(name)) if name.isascii() and name.isdigit() else pwd.getpwnam(name)
    except (KeyError, OverflowError, ValueError) as error:
        if name is None:
            return User(str(os.getuid()), os.getuid(), "person", "", os.path.expanduser("~"), "")
        import difflib

        near = difflib.get_close_matches(name, [e.pw_name for e in pwd.getpwall()], 3)
        raise NotFound(f"There is no user {name} here.", hint=f"Nothing was changed.{' There is ' + ', '.join(near) + '.' if near else ''}") from error
    low, high = people()
    kind = "person" if entry.pw_uid == 0 or low <= entry.pw_uid <= high else "system"
    return User(entry.pw_name, entry.pw_uid, kind, entry.pw_gecos.split(",")[0], entry.pw_dir, entry.pw_shell)


def groups(name: str | None) -> Iterator[UserGroup]:
    """Yield the groups of a user, the main one first; None: those that this process has."""
    import grp
    import pwd

    if name is None:
        main, ids = os.getgid(), os.getgroups()
    else:
        try:
            main = pwd.getpwnam(name).pw_gid
        except KeyError:
            return
        ids = os.getgrouplist(name, main)
    for gid in dict.fromkeys((main, *sorted(ids))):
        try:
            called = grp.getgrgid(gid).gr_name
        except KeyError:
            called = str(gid)
        yield UserGroup(called, gid, gid == main)


def sessions(bus: Bus) -> Iterator[Login]:
    """Yield who is logged in, as logind says."""
    for _, _, name, seat, path in bus.call(LOGIND, "/org/freedesktop/login1", f"{LOGIND}.Manager", "ListSessions")[0]:
        found = bus.properties(LOGIND, path, f"{LOGIND}.Session")
        if found.get("Class", "user") in ("user", "user-early", "greeter") and found.get("State") != "closing":
            since = found.get("Timestamp")
            yield Login(name, found.get("TTY") or found.get("Display") or seat, found.get("RemoteHost", ""), since / 1e6 if since else None)


def logged_in(path: str = UTMP) -> Iterator[Login]:
    """Yield who is logged in, as utmp says: entries whose process still runs."""
    for kind, pid, line, name, host, at in _entries(path):
        if kind == _USER_PROCESS and os.path.exists(f"/proc/{pid}"):
            yield Login(name, line, host, at)


def logins(limit: int, *, wtmp: str = WTMP, database: str = WTMPDB) -> Iterator[Login]:
    """Yield the last logins, the newest first, from wtmpdb where there is one, else from wtmp."""
    if os.path.exists(database):
        yield from _from_database(database, limit)
        return
    ended: dict[str, float] = {}
    shutdown: float | None = None
    given = 0
    for kind, _, line, name, host, at in _entries(wtmp, backwards=True):
        if given >= limit:
            return
        if kind == _BOOT or (kind == 1 and name == "shutdown"):
            # Nobody's login outlives this.
            shutdown = at
            ended.clear()
        elif kind == _DEAD_PROCESS:
            ended[line] = at
        elif kind == _USER_PROCESS:
            yield Login(name, line, host, at, ended.pop(line, shutdown))
            given += 1
            # The next older login on this line ended at the latest when this one began.
            ended[line] = at


def _from_database(path: str, limit: int) -> Iterator[Login]:
    import sqlite3
    from urllib.parse import quote

    # Immutable: a reader that is not to write cannot take part in its locks.
    connection = sqlite3.connect(f"file:{quote(path)}?mode=ro&immutable=1", uri=True)
    try:
        rows = connection.execute("SELECT User, TTY, RemoteHost, Login, Logout FROM wtmp WHERE Type = 3 ORDER BY Login DESC LIMIT ?", (limit,))
        for name, line, host, login, logout in rows:
            yield Login(name or "", line or "", host or "", login / 1e6, logout / 1e6 if logout else None)
    finally:
        connection.close()


def _entries(path: str, *, backwards: bool = False) -> Iterator[tuple[int, int, str, str, str, float]]:
    """Yield (type, pid, line, user, host, seconds) of each whole entry, a few at a time."""
    with open(path, "rb") as file:
        count = os.fstat(file.fileno()).st_size // _UTMP.size
        for start in range(0, count, 64) if not backwards else range((count - 1) // 64 * 64, -1, -64):
            file.seek(start * _UTMP.size)
            data = file.read(min(64, count - start) * _UTMP.size)
            places = range(0, len(data) // _UTMP.size * _UTMP.size, _UTMP.size)
            for place in reversed(places) if backwards else places:
                kind, pid, line, _, name, host, _, _, seconds, micros, _ = _UTMP.unpack_from(data, place)
                # Seconds are unsigned by now: the format has 32 bits for them.
                yield kind, pid, _string(line), _string(name), _string(host), (seconds & 0xFFFFFFFF) + micros / 1e6


def _string(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
