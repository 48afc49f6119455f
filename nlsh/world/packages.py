"""Packages of software behind one small interface: what each package manager has, would change, and is told to do.

The backends are in `packages_of_system` and `packages_of_user`; here is what they have in common and which one is meant. They read what is made
for programs; each names the programs, files and connections that its answers need.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import field
from typing import ClassVar

from nlsh.plan.effects import Effect
from nlsh.plan.errors import BadArgument, NotFound, NotPossible
from nlsh.plan.frozen import frozen
from nlsh.plan.records import Fact
from nlsh.plan.records.packages import Package
from nlsh.plan.terms import PACKAGE_BACKENDS
from nlsh.world import tools

# (install | upgrade | remove, name, version before, version after)
PackageChange = tuple[str, str, str, str]
AGAIN = "the versions that were there would have to be fetched again"  # why nothing takes it back
BLIND = "this package manager does not say beforehand what else changes"
OLD_S = 86400.0  # lists older than this may lack updates that matter
NETWORK = tuple(("fs.read", p) for p in ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl", "/etc/pki", "/etc/ca-certificates"))


@frozen(slots=False)
class Order:
    """What a package manager is told: `argv`, and what that changes where it says so beforehand (`simulate` prints it, in its own way).

    `runner`: "system" or "session" (systemd runs it, as root or as the user) or "here" (the worker, with the effects in `needed`).
    `back` takes it back, and changes `back_changes`; `final` is why nothing does.
    """

    argv: tuple[str, ...]
    changes: tuple[PackageChange, ...]
    runner: str
    simulate: tuple[str, ...] = ()
    back: tuple[str, ...] = ()
    back_simulate: tuple[str, ...] = ()
    back_changes: tuple[PackageChange, ...] = ()
    final: str = ""
    needed: tuple[tuple[str, str], ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    complete: bool = True  # whether `changes` are all


class Backend:
    """A package manager. Methods raise NotFound for a package it does not know, NotPossible for what it has no way to tell."""

    name: ClassVar[str]
    tool: ClassVar[str]
    pattern: ClassVar[str] = r"[A-Za-z0-9@][A-Za-z0-9+._@/:-]*"
    refresh: ClassVar[str] = ""  # the command that fetches its lists anew
    refreshes: ClassVar[tuple[str, ...]] = ()  # the verbs for which it does that itself
    online: ClassVar[tuple[str, ...]] = ()  # what it asks the network for
    outside: ClassVar[tuple[str, ...]] = ()  # what it can only answer where it may write temporary files: not in a worker that only reads
    runner: str = "system"  # who carries out its orders: see Order

    def present(self) -> bool:
        """Return whether this machine has it."""
        return tools.present(self.tool) is not None

    def checked(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names. Raises BadArgument for what no package of this kind can be called."""
        for name in names:
            if not re.fullmatch(self.pattern, name):
                raise BadArgument(f"“{name}” is no name of a package of {self.name}.", hint='For example "htop". Nothing was changed.')
        return tuple(dict.fromkeys(names))

    def reads(self, verb: str) -> tuple[Effect, ...]:
        """Return what answering needs: to search, info, list, files, owner or pending."""
        online = (Effect("net.connect", "*"), *(Effect(k, p) for k, p in NETWORK if os.path.exists(p))) if verb in self.online else ()
        return (Effect("tool.read", self.tool), Effect("sys.read", "*"), *(Effect("fs.read", p) for p in self.folders() if os.path.exists(p)), *online)

    def folders(self) -> tuple[str, ...]:
        """Return the files and folders that its programs read."""
        return ()

    def fetched(self) -> float | None:
        """Return when its lists were fetched, in seconds since the epoch; 0 where never, None where it fetches them by itself or cannot tell."""
        return None

    def installed(self) -> Iterator[Package]:
        """Yield the packages that are installed."""
        raise NotImplementedError

    def info(self, name: str) -> Iterator[Fact]:
        """Yield what is known of a package."""
        raise NotImplementedError

    def search(self, text: str) -> Iterator[Package]:
        """Yield the packages that could be installed and have to do with `text`."""
        raise self.cannot("search for packages")

    def files(self, name: str) -> Iterator[str]:
        """Yield the files of an installed package."""
        raise self.cannot("list the files of a package")

    def owner(self, path: str) -> Iterator[Package]:
        """Yield the packages a file belongs to."""
        raise self.cannot("say whose a file is")

    def pending(self) -> Iterator[Package]:
        """Yield the packages of which there is a newer version."""
        raise self.cannot("say which updates there are")

    def order(self, verb: str, names: tuple[str, ...]) -> Order:
        """Return what to tell it, to install, remove or update (no names: everything)."""
        raise self.cannot(f"{verb} packages")

    def parse(self, output: str) -> tuple[PackageChange, ...]:
        """Return the changes that the output of `simulate` says."""
        raise NotImplementedError

    def cannot(self, what: str) -> NotPossible:
        """Return the error for what this package manager has no way to do."""
        return NotPossible(f"nlsh cannot {what} with {self.name}.", hint="Nothing was changed.")


def backends() -> dict[str, Backend]:
    """Return every backend by name, those of systems first."""
    from nlsh.world import packages_of_system, packages_of_user

    found = (*packages_of_system.ALL, *packages_of_user.ALL)
    return {kind.name: kind() for kind in found}


def backend(name: str | None) -> Backend:
    """Return a backend by name; None: the system's own. Raises NotPossible where this machine does not have it."""
    known = backends()
    if name is not None:
        if not known[name].present():
            raise NotPossible(f"Not available here, because {known[name].tool} is not installed.", hint="Nothing was changed.")
        return known[name]
    from nlsh.world import packages_of_system

    for kind in packages_of_system.ALL:
        if known[kind.name].present():
            return known[kind.name]
    raise NotPossible("Not available here, because this system has no package manager that nlsh knows.", hint=f"It knows {', '.join(PACKAGE_BACKENDS)}.")


def of_lists(backend: Backend, now: float) -> str:
    """Return a sentence on how old the lists are that a backend goes by, at the time `now` in seconds since the epoch; nothing where they are new enough."""
    at = backend.fetched()
    if at is None or now - at < OLD_S:
        return ""
    if not at:
        return f"{backend.name} has fetched no package lists here, so it knows of no updates."
    from nlsh.world.machine import span

    return f"{backend.name} goes by package lists of {span((now - at) // 86400 * 86400)} ago: newer updates are not in them."


def others(chosen: Backend) -> str:
    """Return a sentence on what else installs programs on this machine and was not asked; nothing where there is nothing else."""
    known = backends()
    names = [n for n in ("flatpak", "snap") if n != chosen.name and known[n].present()]
    if not names:
        return ""
    which = f'backend="{names[0]}"' if len(names) == 1 else " or ".join(f'backend="{n}"' for n in names)
    return f"This is what {chosen.name} has. {' and '.join(names)} {'is' if len(names) == 1 else 'are'} here, too: {which}."


def unknown(name: str, hint: str = "") -> NotFound:
    """Return the error for a package that nobody knows."""
    return NotFound(f"There is no package {name} here.", hint=f"Nothing was changed.{' ' + hint if hint else ''}")
