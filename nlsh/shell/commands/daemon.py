"""`nlsh daemon`: start, stop, restart and look at nlshd; install its systemd unit; be it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from nlsh.kernel import daemon_wire as wire
from nlsh.plan.errors import NlshError
from nlsh.settings import load_settings
from nlsh.shell.options import Options, not_so
from nlsh.shell.show import Look, escape, moment

COMES_UP_S = 10.0
_ASKED_S = 2.0
WORDS = ("status", "start", "stop", "restart", "install", "uninstall", "run")
_UNIT = """\
[Unit]
Description=nlsh: warm models, and the jobs that are due

[Service]
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
# Jobs that run are processes of their own, and go on.
KillMode=process

[Install]
WantedBy=default.target
"""


def run(options: Options, look: Look) -> int:
    """Do what `nlsh daemon WORD` says and return the exit status."""
    word, *more = options.words or ["status"]
    if word not in WORDS or more:
        raise not_so("daemon", options.words, WORDS, f"There is: {', '.join(WORDS)}.")
    actions = {"start": _start, "stop": _stop, "restart": _restart, "install": _install, "uninstall": _uninstall}
    if word == "run":
        return serve(options)
    if word == "status":
        return _status(look)
    return actions[word]()


def serve(options: Options) -> int:
    """Be the daemon, until it is idle, stopped or replaced."""
    from nlsh.guard import isolated
    from nlsh.kernel.daemon import IDLE_S, AlreadyRuns, Daemon, command
    from nlsh.kernel.job_clock import JobClock
    from nlsh.shell.warm import Warm

    settings = load_settings()
    os.chdir("/")  # no folder is kept from being unmounted

    def new() -> Any:
        from nlsh.planner.learned import Learned
        from nlsh.planner.models import planner_for
        from nlsh.planner.planner import Planner

        return planner_for(settings, Learned()) if settings.planner else Planner(settings, learned=Learned())

    warm = Warm(new)
    daemon = Daemon(wire.setup_of(settings), warm.plan, prepare=warm.load, forget=warm.forget, jobs=JobClock(command), idle_s=options.idle or IDLE_S)
    try:
        why = daemon.run()
    except AlreadyRuns as error:
        print(f"nlsh: {error}", file=sys.stderr)
        return 0
    if why == "replace":
        words = ["daemon", "run", *(["--idle", str(options.idle)] if options.idle else [])]
        daemon.replace(command(*words), isolated.environment())
    return 0


def status() -> dict[str, Any]:
    """Return what the daemon says of itself. Raises NoDaemon."""
    return wire.ask({"ask": "status"}, seconds=_ASKED_S)


def wake(*, start: bool = True) -> bool:
    """Have the daemon look at the jobs again, and `start` it where it does not run; return whether it runs then."""
    from nlsh.shell.warm import start_daemon

    try:
        wire.ask({"ask": "wake"}, seconds=_ASKED_S)
        return True
    except wire.NoDaemon as error:
        if error.code not in ("daemon.absent", "daemon.stale"):
            return False
    if not start:
        return False
    start_daemon()
    return _came_up() is not None


def _came_up(*, after: float = 0.0, seconds: float = COMES_UP_S) -> dict[str, Any] | None:
    """Wait until a daemon answers that was started later than `after`; return what it says, or None."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            found = status()
            if found["started"] > after:
                return found
        except wire.NoDaemon:
            pass
        time.sleep(0.02)
    return None


def _status(look: Look) -> int:
    try:
        found = status()
    except wire.NoDaemon as error:
        if look.json:
            print(json.dumps({"running": False, "code": error.code, "message": error.message}))
        else:
            print(escape(str(error)))
        return 1
    current = found["setup"] == wire.setup_of(load_settings())
    if look.json:
        print(json.dumps({"running": True, "current": current, **{k: v for k, v in found.items() if k != "setup"}}))
        return 0
    warm = "its models are warm" if found["warm"] else "its models are not loaded"
    print(f"nlshd {found['version']} runs as process {found['pid']} since {moment(found['started'])}; {warm}; {found['planned']} sentences planned.")
    print("It looks after jobs: see nlsh jobs." if found["jobs"] else "No job waits.")
    if not current:
        print("It is of another version, or plans with other models: nlsh daemon restart.")
    return 0


def _start() -> int:
    from nlsh.shell.warm import start_daemon

    try:
        found = status()
        print(f"The daemon runs already, as process {found['pid']}.")
        return 0
    except wire.NoDaemon as error:
        if error.code not in ("daemon.absent", "daemon.stale"):
            raise
    start_daemon()
    started = _came_up()
    if started is None:
        raise NlshError(f"The daemon did not come up in {COMES_UP_S:g} s.", hint="Run it here to see why: nlsh daemon run", code="daemon.failed")
    print(f"The daemon runs, as process {started['pid']}.")
    return 0


def _process() -> tuple[int, int]:
    """Return the daemon's process id, as the kernel tells it, and a descriptor of the process. Raises NoDaemon."""
    try:
        reached = wire.connect(_ASKED_S)
    except wire.NoDaemon:
        # One whose socket is gone can still be told to end.
        if (there := wire.server()) is None:
            raise
        handle = os.pidfd_open(there[0])
        if wire.server() != there:
            os.close(handle)
            raise
        return there[0], handle
    with reached as connection:
        pid = wire.peer(connection)[0]
        handle = os.pidfd_open(pid)
        # It is still at the other end, so that the descriptor is of it and of no later process.
        if wire.peer(connection)[0] != pid:
            raise wire.NoDaemon("The daemon ends.", code="daemon.stale")
    return pid, handle


def _stop() -> int:
    import select

    try:
        pid, handle = _process()
    except wire.NoDaemon as error:
        if error.code in ("daemon.absent", "daemon.stale"):
            print("The daemon does not run.")
            return 0
        raise
    try:
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        if not select.select([handle], [], [], COMES_UP_S)[0]:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            print(f"The daemon (process {pid}) did not end by itself and was killed. Jobs that run go on.")
            return 0
    finally:
        os.close(handle)
    print("The daemon has stopped. Jobs that run go on; none is started until it runs again.")
    return 0


def _restart() -> int:
    try:
        before = status()
        _, handle = _process()
    except wire.NoDaemon as error:
        if error.code == "daemon.wedged":
            _stop()
        elif error.code not in ("daemon.absent", "daemon.stale"):
            raise
        return _start()
    try:
        signal.pidfd_send_signal(handle, signal.SIGHUP)
    finally:
        os.close(handle)
    found = _came_up(after=before["started"])
    if found is not None and found["setup"] != wire.setup_of(load_settings()):
        # It is another installation that has replaced itself: this one takes its place.
        _stop()
        return _start()
    if found is None:
        _stop()
        return _start()
    print(f"The daemon was replaced in place: {found['version']}, process {found['pid']}.")
    return 0


def unit_file() -> Path:
    """Return where the systemd user unit is, whether or not it exists."""
    value = os.environ.get("XDG_CONFIG_HOME", "")
    base = Path(value) if value.startswith("/") else Path(os.path.expanduser("~")) / ".config"
    return base / "systemd" / "user" / "nlshd.service"


def _quoted(words: list[str]) -> str:
    """Return words as a unit file wants them: quoted, with `%` and `$` meant as they are."""
    return " ".join('"' + w.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$") + '"' for w in words)


def _install() -> int:
    from nlsh.kernel.daemon import command

    file = unit_file()
    new = file.with_name(f".{file.name}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(_UNIT.format(command=_quoted(command("daemon", "run"))), encoding="utf-8")
        new.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink()
        raise NlshError(f"{file} cannot be written: {error.strerror}.", hint="Nothing was changed.", code="daemon.unit") from error
    print(f"Written: {file}")
    if _systemctl("daemon-reload") and _systemctl("enable", "nlshd.service"):
        print("It starts when you log in. Start it now: nlsh daemon start, or systemctl --user start nlshd.")
        print("To have it run while nobody is logged in: loginctl enable-linger.")
        return 0
    print("systemd was not told of it (no user session here). Later: systemctl --user enable --now nlshd", file=sys.stderr)
    return 0


def _uninstall() -> int:
    file = unit_file()
    if not file.exists():
        print("No unit is installed.")
        return 0
    _systemctl("disable", "nlshd.service")
    file.unlink()
    print(f"Removed: {file}")
    return 0


def _systemctl(*words: str) -> bool:
    try:
        return subprocess.run(["systemctl", "--user", *words], capture_output=True, timeout=20, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
