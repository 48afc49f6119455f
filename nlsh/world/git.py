"""Git repositories, asked through git's formats for programs: what has changed, commits, branches.

Owns how git is run: with nothing that a repository's own configuration or attributes could start. No hooks, no file system monitor, no filters,
no external diff, no text conversion, no pager, no signatures checked, no submodules entered, no transport; nothing is written for speed.
Whose repository it is is git's own question (safe.directory), asked with the user's configuration and never answered for them.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType
from typing import Any

from nlsh.plan.errors import NotFound, NotPossible, Refused
from nlsh.plan.frozen import frozen
from nlsh.plan.records.git import GitBranch, GitChange, GitCommit
from nlsh.world import tools
from nlsh.world.files import owner_name

UNCHANGED = "Nothing was changed."
_OFF = {
    "core.fsmonitor": "false", "core.hooksPath": "/dev/null", "core.pager": "cat", "core.editor": "false", "core.attributesFile": "/dev/null",
    "core.alternateRefsCommand": "", "core.sshCommand": "false", "core.gitProxy": "", "core.askPass": "false", "credential.helper": "",
    "diff.external": "", "diff.submodule": "short", "diff.ignoreSubmodules": "dirty", "log.showSignature": "false", "gpg.program": "false",
    "protocol.allow": "never", "gc.auto": "0", "maintenance.auto": "false", "safe.bareRepository": "explicit", "status.submoduleSummary": "false",
    "submodule.recurse": "false", "core.quotePath": "false", "color.ui": "never", "column.ui": "never", "core.commitGraph": "true",
}  # fmt: skip
_FILTERS = r"^filter\..*\.(clean|smudge|process)$"
# From git 2.54 on a hook may be a setting.
_FILTERS_AND_HOOKS = r"^(filter\..*\.(clean|smudge|process)|hook\..*\.(command|event))$"
_STATES = {"M": "modified", "T": "type changed", "A": "added", "D": "deleted", "R": "renamed", "C": "copied", "U": "conflict", ".": ""}


@frozen(slots=False)
class Repository:
    """A repository that git trusts for this user. `top` holds its files, `place` is what was named, `folders` are read beside `top`.

    `filters` are the names of its filter programs' settings when it was found, to be told of: what is switched off is asked for anew each time.
    `ignored` is the user's own list of ignored files.
    """

    git: str
    top: str
    place: str
    git_dir: str
    common_dir: str
    folders: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    ignored: str = "/dev/null"

    def as_data(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Repository:
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, (list, tuple)) else v for k, v in data.items()}
        return cls(**fields)

    def argv(self, *arguments: str) -> tuple[str, ...]:
        """Return the command line."""
        return (self.git, "--no-pager", "--literal-pathspecs", "-C", self.top, *arguments)

    def environment(self) -> dict[str, str]:
        """Return what git is told besides its command line: that this repository was found to be trusted, and everything that is off.

        It holds for one run of git, at once: a branch, a file that came, may set up more. Raises tools.ToolFailed where git cannot tell.
        """
        return self._environment(self.programs())

    def _environment(self, programs: Sequence[str] = ()) -> dict[str, str]:
        # Without the user's own configuration: it is not readable for a worker, and what counts of it was asked before.
        return {**_environment({"safe.directory": self.top, "core.excludesFile": self.ignored}, programs), "GIT_CONFIG_GLOBAL": "/dev/null"}

    def programs(self) -> tuple[str, ...]:
        """Return the names of the settings that have git run filters and hooks here, as they are now. Raises tools.ToolFailed."""
        # With just the settings that git is then run with; where that fails, git must not be run.
        asking = self.argv("config", "-z", "--name-only", "--get-regexp", _FILTERS_AND_HOOKS)
        names = tools.output(asking, cwd=self.top, ok=(0, 1), extra=self._environment(), seconds=20)
        return tuple(dict.fromkeys(n for n in names.split("\0") if n))

    def output(self, *arguments: str, ok: tuple[int, ...] = (0,)) -> str:
        """Return what git says. Raises tools.ToolFailed and NotPossible."""
        return tools.output(self.argv(*arguments), cwd=self.top, ok=ok, extra=self.environment())

    def lines(self, *arguments: str) -> Iterator[str]:
        """Yield what git says, line by line. Raises tools.ToolFailed."""
        return tools.lines(self.argv(*arguments), cwd=self.top, extra=self.environment())

    def head(self) -> str:
        """Return the id of the last commit, or an empty text where there is none."""
        return self.output("rev-parse", "-q", "--verify", "HEAD^{commit}", ok=(0, 1, 128)).strip()

    @property
    def within(self) -> tuple[str, ...]:
        """The arguments that limit a command to what was named, none where that is the whole repository."""
        return () if self.place == self.top else ("--", os.path.relpath(self.place, self.top))


def _environment(settings: dict[str, str], programs: Sequence[str] = ()) -> dict[str, str]:
    wanted = {**_OFF, **settings}
    for name in programs:
        owner = name.rpartition(".")[0]
        wanted.update({f"{owner}.enabled": "false"} if name.startswith("hook.") else {name: "", f"{owner}.required": "false"})
    counted = {f"GIT_CONFIG_{part}_{n}": value for n, pair in enumerate(wanted.items()) for part, value in zip(("KEY", "VALUE"), pair, strict=True)}
    sudo = {"SUDO_UID": os.environ["SUDO_UID"]} if "SUDO_UID" in os.environ else {}
    return {
        **counted, **sudo, "GIT_CONFIG_COUNT": str(len(wanted)), "GIT_CONFIG_NOSYSTEM": "1", "GIT_ATTR_NOSYSTEM": "1", "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1", "GIT_NO_REPLACE_OBJECTS": "1", "GIT_PAGER": "cat",
    }  # fmt: skip


def find(path: str) -> Repository:
    """Return the repository that `path` is in. Raises NotFound where there is none, NotPossible where git is not here or does not trust it, Refused."""
    place = os.path.realpath(path)
    top = place if os.path.isdir(place) else os.path.dirname(place)
    while not os.path.lexists(os.path.join(top, ".git")):
        if top == "/":
            raise NotFound(f"{path} is in no git repository.", hint=f"{UNCHANGED} Name a folder that is in one.")
        top = os.path.dirname(top)
    git = tools.find("git")
    said = _ask(git, top, "rev-parse", "--show-toplevel")
    if said is None:
        owner = os.stat(os.path.join(top, ".git")).st_uid
        if owner != os.geteuid():
            raise NotPossible(
                f"Git does not trust {top}: it belongs to {owner_name(owner)}, and what is set in it could run programs as you.",
                hint=f"{UNCHANGED} If you trust it: git config --global --add safe.directory {shlex.quote(top)}",
            )
        raise NotPossible(f"Git does not take {top} for a repository that it can read.", hint=f"{UNCHANGED} `git status` in it says why.")
    if os.path.realpath(said) != top:
        raise Refused(f"The repository {top} says that its files are elsewhere, in {said}.", hint=f"{UNCHANGED} nlsh looks into no such repository.")
    git_dir = os.path.realpath(_ask(git, top, "rev-parse", "--absolute-git-dir") or os.path.join(top, ".git"))
    common = os.path.realpath(_ask(git, top, "rev-parse", "--path-format=absolute", "--git-common-dir") or git_dir)
    folders = dict.fromkeys(f for f in (git_dir, common, *_alternates(common)) if not f.startswith(top + "/"))
    names = (_ask(git, top, "config", "-z", "--name-only", "--get-regexp", _FILTERS) or "").split("\0")
    own = _ask(git, top, "config", "--type=path", "--get", "core.excludesFile")
    config = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    ignored = os.path.realpath(os.path.join(top, own or os.path.join(config, "git", "ignore")))
    return Repository(
        git, top, place, git_dir, common, tuple(folders), tuple(dict.fromkeys(n for n in names if n)), ignored if os.path.isfile(ignored) else "/dev/null"
    )  # fmt: skip


def _ask(git: str, top: str, *arguments: str, settings: Mapping[str, str] = MappingProxyType({})) -> str | None:
    """Return what git answers with the user's own configuration, or None where it has nothing to say."""
    try:
        done = subprocess.run(
            (git, "--no-pager", "-C", top, *arguments), env=tools.environment(_environment(dict(settings))), stdin=subprocess.DEVNULL, capture_output=True,
            timeout=20, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise NotPossible(f"git did not answer about {top} within 20 seconds.", hint=UNCHANGED) from error
    return os.fsdecode(done.stdout).removesuffix("\n") if done.returncode == 0 else None


def asked(repository: Repository, *arguments: str, **settings: str) -> str | None:
    """Return what git answers with the user's own configuration and these settings (`_` for the dot), or None where it has nothing to say."""
    return _ask(repository.git, repository.top, *arguments, settings={k.replace("_", "."): v for k, v in settings.items()})


def outside(**more: str) -> dict[str, str]:
    """Return what git is told where there is no repository yet: everything that is off, and `more` variables."""
    return {**_environment({}), "GIT_CONFIG_GLOBAL": "/dev/null", **more}


def _alternates(common: str) -> Iterator[str]:
    """Yield the folders of objects that a repository shares with others."""
    objects = os.path.join(common, "objects")
    try:
        with open(os.path.join(objects, "info", "alternates"), "rb") as file:
            for line in file.read(1 << 16).split(b"\n"):
                if line and not line.startswith(b"#"):
                    yield os.path.realpath(os.path.join(objects, os.fsdecode(line)))
    except OSError:
        return


STATUS = ("status", "--porcelain=v2", "-z", "--branch", "--untracked-files=normal", "--ignore-submodules=dirty", "--find-renames")


def status(repository: Repository) -> Iterator[GitChange | str]:
    """Yield what has changed, and a sentence on the branch."""
    fields = iter(repository.output(*STATUS, *repository.within).split("\0"))
    branch: dict[str, str] = {}
    for line in fields:
        kind, _, rest = line.partition(" ")
        if kind == "#":
            name, _, value = rest.partition(" ")
            branch[name] = value
        elif kind in ("1", "2", "u"):
            # XY, what it is as a submodule, modes, ids; a renamed file has its score more, and its old path in the next field.
            parts = rest.split(" ", {"1": 7, "2": 8, "u": 9}[kind])
            was = next(fields, "") if kind == "2" else ""
            staged, unstaged = ("conflict", "conflict") if kind == "u" else (_STATES.get(c, c) for c in parts[0])
            yield GitChange(os.path.join(repository.top, parts[-1]), staged, unstaged, os.path.join(repository.top, was) if was else "")
        elif kind == "?":
            yield GitChange(os.path.join(repository.top, rest.rstrip("/")), "", "untracked")
    yield _branch_sentence(branch)


def _branch_sentence(branch: dict[str, str]) -> str:
    name, upstream = branch.get("branch.head", ""), branch.get("branch.upstream", "")
    where = "On no branch" if name == "(detached)" else f"On branch {name}"
    if branch.get("branch.oid") == "(initial)":
        return f"{where}, which has no commits yet."
    ahead, _, behind = branch.get("branch.ab", "").partition(" ")
    if not upstream or not ahead:
        return f"{where}."
    counts = [f"{n} {word}" for n, word in ((ahead.lstrip("+"), "ahead of"), (behind.lstrip("-"), "behind")) if n != "0"]
    return f"{where}, {' and '.join(counts) or 'the same as'} {upstream}."


def untracked(repository: Repository) -> list[str]:
    """Return the new files, and folders of them, in what was named, relative to the top."""
    return [os.path.relpath(c.path, repository.top) for c in status(repository) if isinstance(c, GitChange) and c.unstaged == "untracked"]


_COMMIT = re.compile(r"[0-9a-f]{40,64}\0")


def log(repository: Repository, limit: int | None, *range: str) -> Iterator[GitCommit]:
    """Yield the latest `limit` commits, or all, the newest first, as git finds them; those that changed what was named, where that is not all."""
    held = ""
    for line in repository.lines(*log_command(limit), *range, *repository.within):
        # A subject may hold a carriage return, which ends a line here.
        if held and not _COMMIT.match(line):
            held += f" {line}"
            continue
        if held:
            yield _commit(held)
        held = line
    if held:
        yield _commit(held)


def _commit(line: str) -> GitCommit:
    id, at, author, email, subject = line.split("\0", 4)
    return GitCommit(id, float(at or 0), author, subject.rstrip(), email)


def log_command(limit: int | None) -> tuple[str, ...]:
    """Return the arguments of the command that lists commits."""
    most = () if limit is None else (f"--max-count={limit}",)
    return ("log", *most, "--no-show-signature", "--no-ext-diff", "--format=tformat:%H%x00%at%x00%an%x00%ae%x00%s")


BRANCHES = (
    "for-each-ref", "--sort=-committerdate", "refs/heads",
    "--format=%(refname:lstrip=2)%00%(HEAD)%00%(committerdate:unix)%00%(objectname)%00%(upstream:short)%00%(upstream:track,nobracket)%00%(contents:subject)%00",
)  # fmt: skip
REMOTE_BRANCHES = (
    "for-each-ref", "--sort=-committerdate", "refs/remotes",
    "--format=%(refname:lstrip=2)%00%(symref)%00%(committerdate:unix)%00%(objectname)%00%(contents:subject)%00",
)  # fmt: skip


def branches(repository: Repository) -> Iterator[GitBranch]:
    """Yield the branches, that with the newest commit first."""
    # A line end follows each; a subject is one line, and names hold none.
    fields = repository.output(*BRANCHES).replace("\0\n", "\0").split("\0")
    for name, current, at, id, upstream, track, subject in zip(*(iter(fields[:-1]),) * 7, strict=False):
        ahead, behind = _tracked(track) if upstream else (None, None)
        yield GitBranch(name, current == "*", float(at or 0), subject, id, upstream, ahead, behind)


def remote_branches(repository: Repository, here: Iterable[GitBranch]) -> Iterator[GitBranch]:
    """Yield the branches of remotes that none of those `here` is or follows, as `REMOTE/BRANCH`, that with the newest commit first."""
    known = {name for b in here for name in (b.name, b.upstream) if name}
    fields = repository.output(*REMOTE_BRANCHES).replace("\0\n", "\0").split("\0")
    for name, symbolic, at, id, subject in zip(*(iter(fields[:-1]),) * 5, strict=False):
        # origin/HEAD is another name of a branch.
        if "/" in name and not symbolic and name not in known and name.partition("/")[2] not in known:
            yield GitBranch(name, False, float(at or 0), subject, id)


def _tracked(track: str) -> tuple[int | None, int | None]:
    if track == "gone":
        return None, None
    counts = dict(part.split(" ", 1) for part in track.split(", ") if " " in part)
    return int(counts.get("ahead", 0)), int(counts.get("behind", 0))


def diff_command(repository: Repository) -> tuple[str, ...]:
    """Return the arguments of the command that shows what is not committed."""
    return ("diff", "--no-ext-diff", "--no-textconv", "--no-color", "--find-renames", "--submodule=short", "--ignore-submodules=dirty")


def diff(repository: Repository) -> Iterator[str]:
    """Yield the lines of the difference between the last commit and the files, in the unified format."""
    against = ("HEAD",) if repository.head() else ("--cached",)
    yield from repository.lines(*diff_command(repository), *against, *repository.within)


def unfinished(repository: Repository) -> str:
    """Return what is under way in a repository (a merge, a rebase, …), or an empty text."""
    for name, what in (
        ("MERGE_HEAD", "merge"), ("rebase-merge", "rebase"), ("rebase-apply", "rebase"), ("CHERRY_PICK_HEAD", "cherry-pick"), ("REVERT_HEAD", "revert"),
        ("BISECT_LOG", "bisect"),
    ):  # fmt: skip
        if os.path.lexists(os.path.join(repository.git_dir, name)):
            return what
    return ""
