"""A bench for commands that are tried on a copy: try, keep, drop and undo them through a real kernel, and compare trees."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nlsh.guard import policy
from nlsh.guard.sandbox import overlay, view
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.journal.audit import Audit
from nlsh.journal.store import Journal
from nlsh.kernel.kernel import Kernel
from nlsh.kernel.outcome import Outcome
from nlsh.plan import registry
from nlsh.plan.plan import Call, Plan, Preview
from nlsh.settings import tried_dir
from nlsh.world import World, layer_changes
from nlsh.world.layers import ChangeSet

Tree = dict[str, tuple[object, ...]]


def needs_views() -> None:
    """Skip where this machine has no namespaces for workers."""
    if why := view.why_not():
        pytest.skip(f"commands cannot be tried on a copy here: {why}")


class Bench:
    """One folder, and the kernel that tries commands in it."""

    def __init__(self, folder: Path, zygote: Zygote) -> None:
        self.folder = folder
        os.chdir(folder)
        self.kernel = Kernel(policy.load(), zygote, Journal(), Audit(), World(), approve=lambda preview, decision: True)
        self.plan = Plan(())
        self.layer: overlay.Layer | None = None

    def try_(self, command: str) -> Outcome:
        """Try a command; nothing of it is kept yet."""
        self.drop()
        os.chdir(self.folder)
        self.layer = overlay.prepare(str(self.folder), tried_dir())
        self.plan = Plan((Call("shell.run", {"command": command}),))
        self.kernel.world = replace(World(), layer=self.layer.path)
        return self.kernel.run(self.kernel.preview(self.plan, command))

    def found(self) -> ChangeSet:
        """Return what it would change."""
        assert self.layer is not None
        return layer_changes.read(self.layer.path)

    def preview(self) -> Preview:
        """Return the plan that keeps it. Raises StaleStep."""
        assert self.layer is not None
        self.kernel.world = replace(World(), layer=self.layer.path, tried=self.found())
        return self.kernel.preview(self.plan)

    def keep(self, preview: Preview | None = None, during: Callable[[], None] | None = None, told: Callable[[int], object] | None = None) -> Outcome:
        """Keep it; `during` is called when it is journalled and before the first step, `told` with the number of each step that is done."""
        layer = self.layer
        assert layer is not None

        def note(event: dict[str, object]) -> None:
            if event["type"] == "run" and isinstance(event["run"], int):
                layer.keep_for(event["run"])
                if during is not None:
                    during()
            elif event["type"] == "done" and told is not None and isinstance(event["step"], int):
                told(event["step"])

        self.kernel.on_event = note
        try:
            return self.kernel.run(preview or self.preview())
        finally:
            self.kernel.on_event = lambda event: None
            self.kernel.world = World()

    def undo(self, run: int | None = None) -> Outcome:
        """Take the last run back, or the one of that number; taking back an undo does it again."""
        self.kernel.world = World()
        return self.kernel.run(self.kernel.preview(registry.parse("history.undo()" if run is None else f'history.undo(run="{run}")')))

    def drop(self) -> None:
        """Let go of the layer: what no run needs is removed."""
        if self.layer is not None:
            self.layer.close()
            self.layer = None


def tree(root: Path, *, times: bool = True, only: Callable[[str], bool] = lambda path: True) -> Tree:
    """Return all that is below a folder: kind, mode, time, content, extended attributes, and which names are one file."""
    found: Tree = {}
    names: dict[tuple[int, int], str] = {}

    def add(path: str) -> None:
        status = os.lstat(path)
        name = os.path.relpath(path, root)
        inside: object = None
        if stat.S_ISREG(status.st_mode):
            with open(path, "rb") as file:
                inside = file.read() if status.st_size < 1 << 24 else (status.st_size, file.read(1 << 16))
        elif stat.S_ISLNK(status.st_mode):
            inside = os.readlink(path)
        same = names.setdefault((status.st_dev, status.st_ino), name) if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode) else ""
        extended = [] if stat.S_ISLNK(status.st_mode) else [(k, os.getxattr(path, k)) for k in sorted(os.listxattr(path))]
        found[name] = (stat.S_IFMT(status.st_mode), stat.S_IMODE(status.st_mode), status.st_mtime_ns if times else 0, inside, same, tuple(extended))

    def walk(path: str) -> None:
        if not only(os.path.relpath(path, root)):
            return
        add(path)
        if os.path.isdir(path) and not os.path.islink(path):
            closed = stat.S_IMODE(os.lstat(path).st_mode)
            times_of = os.lstat(path)
            if closed & 0o500 != 0o500:
                os.chmod(path, 0o700)
            for name in sorted(os.listdir(path)):
                walk(os.path.join(path, name))
            if closed & 0o500 != 0o500:
                os.chmod(path, closed)
                os.utime(path, ns=(times_of.st_atime_ns, times_of.st_mtime_ns))

    walk(str(root))
    return found
