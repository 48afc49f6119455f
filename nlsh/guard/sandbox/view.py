"""The view: what a worker sees of the machine, by namespaces and mounts, below Landlock and seccomp.

It owns which grants get a view, what is writable, hidden, protected and private in it, and how it is entered. What the kernel is told to do it
tells through `namespaces`.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from nlsh.guard import secrets
from nlsh.guard.sandbox import capabilities, namespaces
from nlsh.guard.sandbox.kernel import SET_DUMPABLE, SET_NO_NEW_PRIVS, SET_PDEATHSIG, prctl
from nlsh.plan.frozen import frozen

if TYPE_CHECKING:
    from nlsh.guard.grant import Grant

_LEAST = namespaces.NO_SUID | namespaces.NO_DEVICES
# Of /run, what programs are started from or files of the user lie in; all else in it is sockets and the state of services.
_KEPT_IN_RUN = ("/run/media", "/run/current-system", "/run/booted-system", "/run/opengl-driver", "/run/wrappers", "/run/host")
# What is private and writable where a view is `temporary`.
TEMPORARY = ("/tmp", "/dev/shm")
# Where the masks stand while they are copied from: one of these is there everywhere, and is back when the worker starts.
_STAGES = ("/tmp", "/run", "/mnt", "/var")

# Tests set this to stand on a machine without namespaces. Deliberately not an environment variable: nothing outside lowers enforcement.
forbidden: bool = False
# Set in a worker that was started in its view, by bubblewrap.
inside: bool = False


@frozen(slots=False)
class View:
    """What a worker sees. `roots`: what it may change; all else is read-only. `exact`: each is a mount of its own, and nothing beside it is writable.

    `hidden` and `protected`: paths that are masked or read-only, whatever is around them. `kept`: paths below /run that stay. `temporary`: it has
    a /tmp of its own. `alone`: it sees and reaches only its own processes. `network`: it has the machine's network.
    """

    roots: tuple[str, ...]
    exact: bool
    hidden: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    temporary: bool = False
    alone: bool = True
    network: bool = False
    layer: str = ""  # of the one root it sees a copy: what it writes there goes to this layer

    def on_copy(self, layer: str) -> View:
        """Return this view with its root as a copy. What is protected there may be changed: it is shown, and kept only if it is agreed to."""
        return replace(self, layer=layer, protected=(), hidden=(*self.hidden, os.path.dirname(layer)))


def of(grant: Grant, kept: Iterable[str] = (), runtime: Iterable[str] = ()) -> View | None:
    """Return the view for a grant; None for one that sees the machine as it is.

    `kept` are paths that its effects need besides what it names, `runtime` is what Python and nlsh are made of.
    """
    if not is_due(grant):
        return None
    wanted = _roots(grant)
    roots = _distinct(wanted)
    exact = grant.runs or len(roots) < 2
    if not exact:
        roots = _together(roots)
    opened = frozenset().union(*map(secrets.above, wanted))
    read = [r for r in grant.read if r != "/"]
    taken = (*roots, *read, *runtime, here())
    # What names /tmp means the one that is there.
    temporary = grant.has("exec") and grant.changes_files and not any("/tmp" in e.target for e in grant.effects if e.kind == "exec")
    return View(
        roots, exact,
        # What may be changed without being read is Landlock's to keep unread.
        hidden=tuple(h for h in _distinct(grant.hidden) if h not in opened),
        protected=grant.protect,
        kept=_distinct(p for p in (*_KEPT_IN_RUN, *kept, *roots, *read) if _within(p, "/run") and p != "/run"),
        temporary=temporary and not any(_within(p, t) for p in taken for t in TEMPORARY),
        # What is told the number of a process, or starts one that outlives it, must know it by the machine's number.
        alone=not grant.has("proc.read", "proc.signal", "proc.tune"),
        network=grant.has("net.connect", "net.listen", "net.read"),
    )  # fmt: skip


def _roots(grant: Grant) -> frozenset[str]:
    """Return what must be writable, with all below it."""
    alone = len(grant.meta) == 1 and not grant.change and not grant.remove
    if alone and os.path.isfile(grant.meta[0]) and not os.path.islink(grant.meta[0]):
        return frozenset(grant.meta)
    folders = (m if os.path.isdir(m) and not os.path.islink(m) else os.path.dirname(m) for m in grant.meta)
    return frozenset((*grant.change, *grant.remove, *folders))


def _distinct(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the paths that lie in no other of them."""
    return _outermost(frozenset(paths))


@functools.lru_cache(32)  # a zygote's workers hide the same
def _outermost(every: frozenset[str]) -> tuple[str, ...]:
    return ("/",) if "/" in every else tuple(sorted(p for p in every if every.isdisjoint(secrets.above(os.path.dirname(p)))))


def _together(roots: Iterable[str]) -> tuple[str, ...]:
    """Return for the roots that lie on one mount the folder that holds them: from one mount to another nothing can be renamed.

    What else is in that folder Landlock keeps from being written. Its modes, owners and times are left to the steps, which are nlsh's own.
    """
    mounted = sorted({m.path for m in namespaces.mounts()}, key=len)
    groups: dict[str, list[str]] = {}
    for root in roots:
        groups.setdefault(next(m for m in reversed(mounted) if _within(root, m)), []).append(root)
    return _distinct(os.path.commonpath(group) for group in groups.values())


def _within(path: str, root: str) -> bool:
    return path == root or root == "/" or path.startswith(root + "/")


def here() -> str:
    """Return the working folder, “/” where it is gone."""
    try:
        return os.getcwd()
    except OSError:
        return "/"


def is_due(grant: Grant) -> bool:
    """Return whether a grant gets a view: what changes files or runs programs does.

    In a user namespace, which all but root need for it, files of others have no owner and a file can be given no other group. So there what
    only reads is left to see the machine as it is, and so are nlsh's own steps, which keep owners and groups; unless L3 is required.
    """
    if not (grant.changes_files or grant.runs):
        return False
    return namespaces.privileged() or grant.level_required == "L3" or (grant.runs and grant.changes_files)


def enter(view: View) -> bool:
    """Enter `view`, in a process of its own where it sees only its own; return whether it is in a user namespace of its own. Raises OSError.

    What this process has open stays open. The one that called waits, and ends as this one ends.
    """
    place = here()
    flags = namespaces.NEW_MOUNTS | namespaces.NEW_IPC | namespaces.NEW_UTS
    flags |= (0 if view.network else namespaces.NEW_NETWORK) | (namespaces.NEW_PIDS if view.alone else 0)
    own = namespaces.enter(flags)
    if view.alone:
        _descend()
    _mount(view)
    try:
        os.chdir(place)  # from above, where the mounts are
    except OSError:
        os.chdir("/")
    return own


def _mount(view: View) -> None:
    processes = namespaces.new_mount("proc", {}, _LEAST | namespaces.NO_EXEC) if view.alone else None
    kept = [(path, namespaces.copy_tree(path)) for path in view.kept if os.path.lexists(path)]
    if "/" not in view.roots:
        # Copied while they can be written, and put back when nothing else can.
        writable = _copy_of(view) if view.layer else list(_writable(view.roots))
        namespaces.set_attributes("/", add=namespaces.READ_ONLY)
        if os.path.isdir("/run") and not os.path.islink("/run") and "/run" not in view.roots:
            _mask_run(kept)
        for where, tree in writable:
            namespaces.attach(tree, where)
            if isinstance(where, int):
                os.close(where)
    if processes is not None:
        namespaces.set_attributes(processes, add=namespaces.READ_ONLY)
        namespaces.attach(processes, "/proc")
    if view.temporary:
        for path in filter(os.path.isdir, TEMPORARY):
            # Of half the memory at most, as such file systems are, and gone with the worker.
            namespaces.attach(namespaces.new_mount("tmpfs", {"mode": "1777"}, _LEAST), path)
    _mask(view.hidden)
    for pinned in ways(view):
        namespaces.attach(namespaces.copy_tree(pinned), pinned)
    for path in filter(os.path.lexists, view.protected):
        tree = namespaces.copy_tree(path)
        namespaces.set_attributes(tree, add=namespaces.READ_ONLY)
        namespaces.attach(tree, path)


def _writable(roots: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Yield what each root is now and a copy of it. A root to which a link leads by now is left out, and with it what the link names."""
    for root in roots:
        if (place := namespaces.place(root)) is not None:
            yield place, namespaces.copy_tree(place)


def _copy_of(view: View) -> list[tuple[str | int, int]]:
    from nlsh.guard.sandbox import overlay

    (root,) = view.roots
    return overlay.trees(root, view.layer)


def ways(view: View) -> Iterator[str]:
    """Yield the folders on the way to what is protected from programs: as mounts they cannot be renamed, and what is protected with them."""
    if not view.exact:
        return
    found = set()
    for path in view.protected:
        for root in view.roots:
            folder = os.path.dirname(path)
            while len(folder) > len(root) and _within(folder, root):
                found.add(folder)
                folder = os.path.dirname(folder)
    yield from sorted(found - set(view.protected))


def _mask_run(kept: Iterable[tuple[str, int]]) -> None:
    """Put a folder over /run that has only what is kept of it, read-only."""
    namespaces.attach(namespaces.new_mount("tmpfs", {"mode": "755"}, _LEAST | namespaces.NO_EXEC), "/run")
    for path, tree in kept:
        folder = stat.S_ISDIR(os.fstat(tree).st_mode)
        os.makedirs(path if folder else os.path.dirname(path), exist_ok=True)
        if not folder:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o444))
        namespaces.attach(tree, path)
    namespaces.set_attributes("/run", add=namespaces.READ_ONLY)


def _mask(hidden: Iterable[str]) -> None:
    """Put an empty, closed file or folder over each path: neither what is in it nor how much can be seen."""
    found = []
    for path in hidden:
        with contextlib.suppress(OSError):
            mode = os.lstat(path).st_mode
            if not stat.S_ISLNK(mode):  # where it leads is in the list, too
                found.append((path, stat.S_ISDIR(mode)))
    if not found:
        return
    stage = next(s for s in _STAGES if os.path.isdir(s) and not os.path.islink(s))
    tree = namespaces.new_mount("tmpfs", {"mode": "755"}, _LEAST | namespaces.NO_EXEC)
    os.mkdir("folder", 0, dir_fd=tree)
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0, dir_fd=tree))
    masks = {True: os.open("folder", os.O_PATH | os.O_CLOEXEC, dir_fd=tree), False: os.open("file", os.O_PATH | os.O_CLOEXEC, dir_fd=tree)}
    namespaces.set_attributes(tree, add=namespaces.READ_ONLY)
    namespaces.attach(tree, stage)
    copies = [(path, namespaces.copy_tree(masks[folder], below=False)) for path, folder in found]
    for mask in masks.values():
        os.close(mask)
    namespaces.unmount(stage)
    for path, copy in copies:
        namespaces.attach(copy, path)


def _descend() -> None:
    """Go on as a child in the new namespace of process numbers, below a first process that does nothing but collect what has ended."""
    alive, held = os.pipe()
    told, tell = os.pipe()
    # A wish to stop that comes meanwhile is not lost: it is handed on when there is somebody to hand it to.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    first = os.fork()
    if first:
        _hand_on(first, before)
        _end_like(first, told, held)
    try:
        prctl(SET_PDEATHSIG, signal.SIGKILL)
        os.close(held)
        _refuse_orphaned(alive)
        child = os.fork()
        if child:
            _hand_on(child, before)
            _collect(child, tell)
    except BaseException:
        os._exit(1)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    for descriptor in (alive, told, tell):
        os.close(descriptor)


def _hand_on(child: int, mask: Iterable[int]) -> None:
    def tell(*_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGUSR1)

    signal.signal(signal.SIGUSR1, tell)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _refuse_orphaned(alive: int) -> None:
    """End where the process that waits for this one is gone already: nobody would end this one."""
    os.set_blocking(alive, False)
    with contextlib.suppress(BlockingIOError):
        if os.read(alive, 1) == b"":
            os._exit(1)


def _end_like(first: int, told: int, held: int) -> NoReturn:
    """Wait for the first process of the namespace, and end as the worker in it ended."""
    status = 1
    try:
        _close_all_but(told, held)
        os.waitpid(first, 0)
        said = os.read(told, 16)
        status = int(said) if said else -signal.SIGKILL
        if status < 0:
            if -status not in (signal.SIGKILL, signal.SIGSTOP):
                signal.signal(-status, signal.SIG_DFL)
            os.kill(os.getpid(), -status)
    finally:
        os._exit(status & 0xFF)


def _collect(child: int, tell: int) -> NoReturn:
    """Be the first process of the namespace: collect whatever ends, tell how the worker ended, and take all that is left along."""
    try:
        _close_all_but(tell)
        # Those that it is the first of must not reach it, nor through it what it could do.
        prctl(SET_NO_NEW_PRIVS, 1)
        capabilities.drop(frozenset())
        prctl(SET_DUMPABLE, 0)
        while True:
            pid, status = os.waitpid(-1, 0)
            if pid == child:
                os.write(tell, str(os.waitstatus_to_exitcode(status)).encode())
                break
    finally:
        os._exit(0)


def _close_all_but(*kept: int) -> None:
    first = 0
    for descriptor in sorted(kept):
        os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, 65536)


def why_not() -> str:
    """Return why no worker can have a view here, in a sentence; empty where one can. Found once in a process, by doing it."""
    return "" if inside else "This was switched off." if forbidden else _tried()


@functools.cache
def _tried() -> str:
    return ask_child(_try)


def ask_child(function: Callable[[], str]) -> str:
    """Return what `function` says in a child process."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        word = b"The trial ended without a word."
        try:
            os.close(reader)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            word = function().encode()
        finally:
            os.write(writer, word)
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as file:
        said = file.read().decode()
    with contextlib.suppress(ChildProcessError):  # where children are not waited for
        os.waitpid(pid, 0)
    return said


def _try() -> str:
    """Enter a view and look whether it holds; return what does not, in a sentence."""
    every = namespaces.NEW_MOUNTS | namespaces.NEW_IPC | namespaces.NEW_UTS | namespaces.NEW_NETWORK | namespaces.NEW_PIDS
    writable = stage()
    try:
        namespaces.enter(every)
    except OSError as error:
        return f"No namespaces can be made: {error.strerror}."
    try:
        _descend()
        _mount(View((writable,), exact=True, hidden=("/sys",)))
        held = holds(writable)
    except OSError as error:
        return f"Namespaces can be made, but nothing can be mounted in them: {error.strerror}."
    return "" if held else "Namespaces can be made, but they do not hold what they should."


def stage() -> str:
    """Return a folder that is there everywhere, as what a view that is tried may change."""
    return next(p for p in _STAGES if os.path.isdir(p))


def holds(writable: str) -> bool:
    """Return whether this process is in a view of its own processes in which it may change `writable` alone, and /sys is hidden. Raises OSError."""
    numbers = [n for n in os.listdir("/proc") if n.isdigit()]
    read_only = os.statvfs("/").f_flag & os.ST_RDONLY and not os.statvfs(writable).f_flag & os.ST_RDONLY
    return bool(_is_masked("/sys") and len(numbers) <= 2 and read_only)


def _is_masked(folder: str) -> bool:
    try:
        return not os.listdir(folder)
    except PermissionError:
        return True
