"""Where repositories come from and go to: which remote is meant, how it is reached, and what of that nlsh lets git do.

A remote on this machine and one on the web are reached. One over ssh is not: its keys are kept from every plan, and so is whoever holds them.
"""

from __future__ import annotations

import os
import re
from urllib.parse import unquote, urlsplit

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError, NotFound, NotPossible, Refused
from nlsh.plan.frozen import frozen
from nlsh.world import git, tools, web
from nlsh.world.git import UNCHANGED, Repository
from nlsh.world.routes import is_address

_SSH = re.compile(r"(?:ssh|git\+ssh|ssh\+git)://|(?:[\w.-]+@)?[\w.-]+:(?!//)")
# What the other repository has set up does not run, where that is on this machine; git tells it nothing of what is off in this one. Its branch
# that is checked out is not changed: that would go through its filters.
_THEIRS = "git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c core.alternateRefsCommand=true -c gc.auto=0 -c maintenance.auto=false"
THEIRS = {
    "--upload-pack": f"{_THEIRS} upload-pack",
    "--receive-pack": f"{_THEIRS} -c receive.denyCurrentBranch=refuse -c receive.autogc=false receive-pack",
}
_MORE_ASKED = ("could not read Username", "could not read Password", "Authentication failed", "terminal prompts disabled", " 403")


@frozen(slots=False)
class Way:
    """How a repository is reached: `url` as git gets it, `place` a folder here (empty: on the web), `host` and `port` there."""

    url: str
    place: str = ""
    host: str = ""
    port: int = 0

    def effects(self, *, change: bool = False) -> tuple[Effect, ...]:
        """Return what it takes to read from it, or to change it."""
        if self.place:
            return (Effect("fs.read", self.place), *((Effect("fs.write", self.place),) if change else ()))
        name = () if is_address(self.host) else (Effect("net.connect", f"dns://{self.host}"),)
        return (*name, Effect("net.connect", f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"))

    def environment(self) -> dict[str, str]:
        """Return what lets git use this one way, and no other."""
        return {"GIT_ALLOW_PROTOCOL": "file" if self.place else "http:https"}


def way(url: str, base: str, *, do_it: str) -> Way:
    """Return how `url` is reached from the folder `base`. Raises NotPossible, NotFound and Refused; `do_it` is the command for who does it himself."""
    if _SSH.match(url) and not os.path.exists(os.path.join(base, url)):
        raise NotPossible(
            f"{url} is reached over ssh, and its keys (~/.ssh and their agent) are kept from every plan.",
            hint=f"{UNCHANGED} Do it yourself, outside nlsh: {do_it}",
        )
    parts = urlsplit(url)
    if parts.scheme in ("http", "https"):
        if parts.username is not None:
            raise Refused("There is a user name or password in the address, and what is planned is kept in the history.", hint=UNCHANGED)
        try:
            return Way(web.as_sent(url), "", web.host_of(url), web.port_of(url))
        except ValueError as error:
            raise Refused(f"{url} is no address: {error}.", hint=UNCHANGED) from error
    if parts.scheme not in ("", "file"):
        raise NotPossible(f"nlsh reaches repositories by https and on this machine, not by {parts.scheme}.", hint=f"{UNCHANGED} Do it yourself: {do_it}")
    place = os.path.realpath(os.path.join(base, unquote(parts.path) if parts.scheme else os.path.expanduser(url)))
    if not os.path.isdir(place):
        raise NotFound(f"There is no repository at {place}.", hint=UNCHANGED)
    return Way(place, place)


@frozen(slots=False)
class Remote:
    """What a branch follows: a remote's name, the branch there, and how it is reached."""

    name: str
    branch: str
    way: Way

    @property
    def tracking(self) -> str:
        return f"refs/remotes/{self.name}/{self.branch}"


def remote_of(found: Repository, branch: str, wanted: str | None, *, pushes: bool) -> Remote:
    """Return the remote that is meant for a branch: the one named, the one it follows, or the only one. Raises NotFound and what `way` raises."""
    names = [n for n in found.output("remote").split("\n") if n]
    own = found.output("config", "--get", f"branch.{branch}.remote", ok=(0, 1)).strip()
    there = found.output("config", "--get", f"branch.{branch}.merge", ok=(0, 1)).strip().removeprefix("refs/heads/")
    name = wanted or own or (names[0] if len(names) == 1 else "origin")
    if name not in names:
        has = f"It has: {', '.join(names)}." if names else "It has none; git remote add makes one."
        raise NotFound(f"{found.top} has no remote {name}.", hint=f"{UNCHANGED} {has}")
    url = git.asked(found, "remote", "get-url", *(("--push",) if pushes else ()), "--", name) or ""
    reached = way(url, found.top, do_it="git push" if pushes else "git pull --ff-only")
    _refuse_turned(found, reached.url, names)
    if pushes and reached.place:
        _refuse_hooked(found, reached.place)
    return Remote(name, there if there and name == own else branch, reached)


def _refuse_turned(found: Repository, url: str, names: list[str]) -> None:
    """Raise Refused where git would go somewhere else than to `url`, which is what is shown: settings turn one address into another."""
    entries = (git.asked(found, "config", "-z", "--get-regexp", r"^url\..*\.(push)?insteadof$") or "").split("\0")
    if url in names or any(e and url.startswith(e.partition("\n")[2]) for e in entries):
        raise Refused(f"The settings of {found.top} would turn {url} into another address.", hint=f"{UNCHANGED} See git config --get-regexp '^(url|remote)'.")


def _refuse_hooked(found: Repository, place: str) -> None:
    """Raise Refused where a repository on this machine has hooks as settings (git 2.54): those cannot be switched off for it from here."""
    for file in (os.path.join(place, "config"), os.path.join(place, ".git", "config")):
        if os.path.isfile(file) and git.asked(found, "config", "--file", file, "--includes", "--name-only", "--get-regexp", r"^hook\..*\.(command|event)$"):
            raise Refused(f"What is pushed to {place} would start programs that its settings name (hook.*).", hint=f"{UNCHANGED} Do it yourself: git push")


def explained(error: NlshError, reached: Way, do_it: str) -> NlshError:
    """Return a clearer error where a repository wants to know who it is."""
    if isinstance(error, tools.ToolFailed) and any(words in str(error) for words in _MORE_ASKED):
        return NotPossible(
            f"{reached.url} wants a name and a password or token, and those that are kept on this machine are kept from plans.",
            hint=f"{UNCHANGED} Do it yourself, outside nlsh: {do_it}",
        )
    return error
