"""Enter the sandbox for a grant: rlimits, namespaces and mounts, NO_NEW_PRIVS, capabilities, Landlock, seccomp, in this order, or refuse."""

from __future__ import annotations

import errno
import functools
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from nlsh.guard.grant import LEVELS, Grant
from nlsh.guard.sandbox import bubblewrap, capabilities, landlock, overlay, seccomp, view
from nlsh.guard.sandbox.kernel import GET_NO_NEW_PRIVS, GET_SECCOMP, SET_DUMPABLE, SET_NO_NEW_PRIVS, leave_no_core, prctl
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotEnforced
from nlsh.steps import handles

_FILTERED = 2
_DNS = "53"
# Programs, libraries and what the C library looks up: readable in every worker, secrets are elsewhere.
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
_LOOKED_UP = (
    "/etc/ld.so.cache", "/etc/nsswitch.conf", "/etc/passwd", "/etc/group", "/etc/localtime", "/etc/timezone", "/etc/locale.alias",
    "/etc/mime.types", "/etc/magic", "/proc/stat", "/proc/meminfo", "/proc/cpuinfo", "/proc/filesystems", "/proc/version",
)  # fmt: skip
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_TERMINAL = "/dev/tty"
_FACTS = {
    "proc.read": ("/proc",),
    "proc.signal": ("/proc",),
    "proc.tune": ("/proc", "/sys/fs/cgroup"),
    "sys.read": ("/proc", "/sys", "/etc/os-release", "/etc/hostname", "/etc/debian_version", "/run/utmp", "/var/run/utmp", "/var/log/wtmp"),
    "net.read": ("/proc", "/sys", "/etc/hosts", "/etc/resolv.conf", "/etc/services", "/etc/protocols"),
    # How names are looked up, and whose certificates are trusted.
    "net.connect": (
        "/etc/hosts",
        "/etc/resolv.conf",
        "/etc/host.conf",
        "/etc/gai.conf",
        "/etc/services",
        "/etc/protocols",
        "/etc/ssl/certs",
        "/etc/ssl/cert.pem",
        "/etc/ssl/openssl.cnf",
        "/etc/pki/tls/certs",
        "/etc/pki/tls/cert.pem",
        "/etc/pki/tls/openssl.cnf",
        "/etc/pki/ca-trust/extracted",
        "/etc/crypto-policies",
        "/etc/ca-certificates/extracted",
    ),
    "dev.read": ("/proc", "/sys", "/run/udev", "/etc/fstab", "/var/lib/usbutils"),
}


def level(version: int, *, views: bool = False) -> str:
    """Return the level that a version of Landlock gives, beside seccomp; `views`: namespaces and mounts can be had."""
    return "L0" if version < 1 else "L3" if views else "L2" if version >= 6 else "L1"


def enter(grant: Grant, layer: str = "", asks: Iterable[str] = (), rights: frozenset[int] | None = None) -> int | None:
    """Confine this process to `grant`, for good. Raises NotEnforced, after which nothing may be run in it.

    With a view of its own processes only, it returns in a child of the one that called, which then waits and ends as the child does. `layer`: the
    one folder that the grant may change is a copy, and what is written there goes to this layer; raises NotPossible where that cannot be had.
    `asks` is what a broker is told of instead of its being refused (keys of `seccomp.ASKED`): return the descriptor on which it hears of it, None
    where this kernel cannot do that, and refuses it as ever. `rights` are the capabilities that it keeps at most; None: those its effects need.
    """
    version = 0 if grant.looks_into_processes else landlock.abi()
    seen = _seen(grant) if version and not view.why_not() else None
    _demand(grant, version)
    if layer:
        seen = overlay.view_on(seen, layer, grant.change)
    try:
        leave_no_core()
        signalled = handles.take(grant.processes)
        # Connected before the filter is in place: confined, a worker can make no such socket.
        handles.connect(e.target for e in grant.effects if e.kind in ("bus.read", "bus.call"))
        handles.open_logs(e.target for e in grant.effects if e.kind == "fs.log")
        if grant.has("exec"):
            handles.remember(pid for pid, _, what in grant.processes if what == "signal")
        flagged = handles.take_flagged(_may_be_flagged(grant))
        # A view that was found to be possible here and cannot be entered is no reason to go on without one.
        in_user_namespace = view.inside or (view.enter(seen) if seen is not None else False)
        if layer:
            overlay.check(grant.change[0])
        rules = _rules(grant, version, seen) if version else None
        profile = replace(_profile(grant, version, signalled, seen), flag_descriptors=flagged)
        filter_ = seccomp.build(profile)
        asking = seccomp.build(replace(profile, asks=_asked(asks, profile, version))) if asks and version else None
        prctl(SET_NO_NEW_PRIVS, 1)
        # In a user namespace of its own even these would be more than its user has.
        capabilities.drop(frozenset() if in_user_namespace else capabilities.wanted(grant) if rights is None else rights)
        if grant.runs:
            # What the worker starts is in its domain: without this it could open the worker's own descriptors under /proc, and speak for it.
            prctl(SET_DUMPABLE, 0)
        if rules is not None:
            rules.enforce()
            handles.on_narrowed(_narrow)
        listener = _install(filter_, asking)
        held = prctl(GET_NO_NEW_PRIVS) == 1 and prctl(GET_SECCOMP) == _FILTERED
    except OSError as error:
        if layer:
            raise overlay.cannot(overlay.why(error)) from error
        raise NotEnforced(f"The sandbox for this cannot be set up here: {error.strerror or error}.", hint=_HINT) from error
    if not held:
        raise NotEnforced("The kernel did not take the filter of system calls.", hint=_HINT)
    return listener


def _asked(asks: Iterable[str], profile: seccomp.Profile, version: int) -> tuple[str, ...]:
    """Return what may be told to a broker: what Landlock refuses by itself where it is handed back, and holds a hand to where it is allowed."""
    held = {"connect": version >= 4, "files": version >= 3, "signals": profile.signal_scoped}
    return tuple(sorted(what for what in asks if held[what]))


def _install(filter_: bytes, asking: bytes | None) -> int | None:
    if asking is not None:
        try:
            return seccomp.install(asking, listen=True)
        except OSError as error:
            if error.errno != errno.EINVAL:  # older than 5.19: a signal would break off what is asked about
                raise
    seccomp.install(filter_)
    return None


def by_bubblewrap(grant: Grant) -> view.View | None:
    """Return the view in which bubblewrap is to start a worker for a grant, None where this process goes on by itself."""
    return _seen(grant) if landlock.abi() and not grant.looks_into_processes and bubblewrap.is_due(grant) else None


def views_lack() -> str:
    """Return why no worker can have a view here, be it by bubblewrap; empty where one can."""
    return view.why_not() if view.why_not() and bubblewrap.why_not() else ""


def _seen(grant: Grant) -> view.View | None:
    facts = [os.path.realpath(p) for e in grant.effects for p in _FACTS.get(e.kind, ())]
    return view.of(grant, kept=facts, runtime=_runtime())


def _narrow(read: Iterable[str], change: Iterable[str]) -> Callable[[], None]:
    """Return what confines a program that this worker starts, in it, to programs and libraries, to reading `read` and to changing below `change`."""
    rules = landlock.Ruleset(landlock.abi())
    for paths, rights in (
        (_runtime(), landlock.READ | landlock.EXECUTE), (_LOOKED_UP, landlock.READ_FILE), (_DEVICES, landlock.DEVICE),
        (read, landlock.READ | landlock.EXECUTE), (change, landlock.READ | landlock.CHANGE),
    ):  # fmt: skip
        for path in paths:
            rules.allow(path, rights)
    rules.finish()
    return rules.enforce


def _may_be_flagged(grant: Grant) -> tuple[str, ...]:
    """Return what may get flags of its file system: what may get other attributes, where the right to the flags that matter is named, too."""
    named = any("linux_immutable" in capabilities.named(e) for e in grant.effects)
    return grant.meta if named and not grant.runs else ()


_HINT = "Nothing was run. `nlsh doctor` shows what this kernel can enforce."


def rehearse() -> None:
    """Do what `enter` does up to confining, for the usual grants, so that a process forked from here does it faster. Raises OSError."""
    version = landlock.abi()
    capabilities.held()
    nothing = Grant.of(())
    for kinds in ((), ("proc.read",), ("fs.write",), ("exec",), ("exec", "fs.write")):
        usual = replace(nothing, effects=tuple(Effect(k, "*") for k in kinds))
        seccomp.build(_profile(usual, 0 if usual.looks_into_processes else version, handles.FIRST))
    if version:
        os.close(_rules(nothing, version).descriptor)
        # What lies in a home folder is listed here, not opened: a file system there that does not answer would keep this process, and every job, waiting.
        list(landlock.split("/", (*nothing.hidden, "/dev")))
        if not view.why_not():
            _seen(usual)


def _demand(grant: Grant, version: int) -> None:
    if len(os.listdir("/proc/self/task")) != 1:
        raise NotEnforced("A process with several threads cannot be confined.", hint=_HINT)
    lacking = view.why_not()
    have = level(landlock.abi() if grant.looks_into_processes else version, views=not lacking)
    if LEVELS.index(have) < LEVELS.index(grant.level_required):
        why = {"L1": "it has no Landlock that can confine changes", "L2": "its Landlock is older than version 6", "L3": lacking.rstrip(".")}
        raise NotEnforced(
            f"This needs enforcement of level {grant.level_required}, and this kernel gives {have}: {why['L1' if have == 'L0' else grant.level_required]}.",
            hint=_HINT,
        )
    if version < 4 and any(e.target != "*" for e in grant.effects if e.kind in ("net.connect", "net.listen") and "://" not in e.target):
        raise NotEnforced("This kernel cannot hold connections to a port (Landlock before version 4).", hint=_HINT)


def _rules(grant: Grant, version: int, seen: view.View | None = None) -> landlock.Ruleset:
    wanted = {"net.connect": landlock.CONNECT, "net.listen": landlock.BIND}
    ports = [(e.target.rpartition(":")[2], wanted[e.kind]) for e in grant.effects if e.kind in wanted and "://" not in e.target]
    if _asks(grant, "dns"):
        ports.append((_DNS, landlock.CONNECT))
    free = functools.reduce(lambda bits, p: bits | p[1] if p[0] == "*" else bits, ports, 0)
    rules = landlock.Ruleset(version, net=(landlock.BIND | landlock.CONNECT) & ~free, scope_signals=not grant.has("proc.signal"))
    run = landlock.EXECUTE if grant.runs else 0
    for path in _runtime():
        rules.allow(path, landlock.READ | run)
    for path in _LOOKED_UP:
        rules.allow(path, landlock.READ_FILE)
    # The terminal is the user's command's; a tool that nlsh names could only ask and answer there in nlsh's name.
    terminal = not grant.runs or grant.has("exec")
    for path in (*_DEVICES, *((_TERMINAL,) if terminal else ())):
        rules.allow(path, landlock.DEVICE)
    for path, rights in _granted(grant, run):
        rules.allow(path, rights)
    if seen is not None and seen.alone:
        rules.allow("/proc", landlock.READ)
    for path in view.TEMPORARY if seen is not None and seen.temporary else ():
        rules.allow(path, landlock.READ | landlock.CHANGE)
    rules.finish()
    for port, right in ports:
        if port != "*":
            rules.allow_port(int(port), right)
    return rules


def _granted(grant: Grant, run: int) -> Iterator[tuple[str, int]]:
    """Yield (path, rights) of what the grant adds to what every worker has."""
    readable = [*grant.read, *grant.change, *grant.remove, *(m for m in grant.meta if not os.path.isdir(m))]
    for root in dict.fromkeys(readable):
        # Under “/”, the devices are left out: other terminals and raw disks are not files to look into.
        hidden = (*grant.hidden, "/dev") if root == "/" else grant.hidden
        for path, whole in landlock.split(root, hidden):
            yield path, landlock.READ | run if whole else landlock.READ_DIR
    for root in grant.change:
        yield root, landlock.CHANGE
    # Landlock lets a file move only where it gains no right, so what is moved from must allow what is moved to.
    for root in grant.remove:
        yield root, landlock.CHANGE if grant.change else landlock.REMOVE
    # To open a folder is enough to set its times; what is in it stays unread.
    for path in grant.meta:
        yield path, landlock.READ_DIR
    for path in grant.devices:
        yield path, landlock.DEVICE
    for effect in grant.effects:
        for path in _FACTS.get(effect.kind, ()):
            # Resolved, since what leads through a link is granted to nobody: /etc/resolv.conf is one on many systems.
            yield os.path.realpath(path), landlock.READ
        if effect.kind == "dev.read":
            yield "/dev", landlock.READ_DIR
            if effect.target in ("gpu", "*"):
                for name in os.listdir("/dev"):
                    if name.startswith(("nvidia", "dri", "kfd")):
                        yield f"/dev/{name}", landlock.DEVICE | landlock.READ_DIR
    yield os.path.realpath("/proc/self"), landlock.READ
    if grant.has("exec"):
        for descriptor in (0, 1, 2):
            if os.isatty(descriptor):
                yield os.ttyname(descriptor), landlock.DEVICE


@functools.cache
def _runtime() -> tuple[str, ...]:
    """Return what Python, its libraries and nlsh are made of."""
    prefixes = (sys.prefix, sys.base_prefix, sys.exec_prefix)
    found = [os.path.realpath(p) for p in sys.path if p and any(landlock.within(p, prefix) for prefix in prefixes)]
    found += [os.path.join(os.path.realpath(sys.base_prefix), "lib"), os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))]
    return tuple(dict.fromkeys((*_SYSTEM, *found)))


def _asks(grant: Grant, way: str) -> bool:
    """Whether the grant may connect by another way than TCP: dns, udp or icmp."""
    return any(e.kind == "net.connect" and e.target.startswith(f"{way}://") for e in grant.effects)


def _profile(grant: Grant, version: int, signalled: int, seen: view.View | None = None) -> seccomp.Profile:
    pids = tuple(dict.fromkeys(pid for pid, _, _ in grant.processes))
    connects = [e.target for e in grant.effects if e.kind == "net.connect"]
    # A long answer to a look-up comes by TCP, where that can be held to its port.
    tcp = any("://" not in t for t in connects) or (_asks(grant, "dns") and version >= 4)
    # Where only open's flags stand before the files, they must stand for raw commands and graphics devices too.
    devices_open = grant.runs or grant.has("dev.control", "dev.format") or any(e.kind == "dev.read" and e.target in ("gpu", "*") for e in grant.effects)
    return seccomp.Profile(
        write=grant.changes_files,
        write_by_flags=not (devices_open and version),
        exec=grant.runs,
        route=grant.has("net.read"),
        netfilter=any(e.kind == "net.read" and e.target == "firewall" for e in grant.effects),
        tcp=tcp,
        # LIMIT: no kernel holds datagrams to a host or port: who may look up a name may send them anywhere.
        udp="*" in connects or _asks(grant, "udp") or _asks(grant, "dns"),
        icmp=_asks(grant, "icmp"),
        listen=grant.has("net.listen"),
        signal_descriptors=(handles.FIRST, signalled),
        signal_scoped=(version >= 6 or (seen is not None and seen.alone)) and not grant.has("proc.signal"),
        known=pids,
        tune=tuple(_threads(grant)),
        # Where all else is read-only, there is nothing to truncate but what may be written.
        truncates_unseen=version < 3 and not (seen is not None and seen.exact),
    )


def _threads(grant: Grant) -> Iterator[int]:
    """Yield the processes that may be tuned and all their threads: Linux tunes each by itself."""
    for pid, _, what in grant.processes:
        if what == "tune":
            yield pid
            try:
                yield from (int(t) for t in os.listdir(f"/proc/{pid}/task") if int(t) != pid)
            except OSError:
                continue
