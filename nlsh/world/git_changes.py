"""What is to be known before a repository is changed: who changes it, which files differ, whose programs would take part, where its remotes are."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from hashlib import blake2b, sha1, sha256

from nlsh.plan.errors import NotFound, NotPossible, Refused
from nlsh.plan.frozen import frozen
from nlsh.world import git
from nlsh.world.git import UNCHANGED, Repository

_STATUS = ("status", "--porcelain=v1", "-z", "--untracked-files=all", "--ignore-submodules=dirty", "--no-renames")
_SHOWN = 5
_AT_ONCE = 500
_LINK, _MODULE = "120000", "160000"
_MOST_READ = 64 << 20


def fit(found: Repository) -> None:
    """Raise Refused where a merge or the like is under way, NotPossible where the user may not change the repository."""
    if under_way := git.unfinished(found):
        raise Refused(f"A {under_way} is under way in {found.top}.", hint=f"{UNCHANGED} Finish it or give it up first, with git.")
    if not os.access(found.git_dir, os.W_OK) or not os.access(found.common_dir, os.W_OK):
        raise NotPossible(f"You may not change the repository {found.top}.", hint=UNCHANGED)


def changed(found: Repository, within: Sequence[str] = ()) -> dict[str, str]:
    """Return the files that differ from the last commit, relative to the top, each with git's two letters for it; `within`: only below these."""
    entries = found.output(*_STATUS, *(("--", *within) if within else ())).split("\0")
    return {e[3:]: e[:2] for e in entries if len(e) > 3}


def altered(found: Repository, names: Iterable[str] = ()) -> set[str]:
    """Return what is staged, what is new, and which of `names` hold other bytes than git keeps, relative to the top.

    Unlike `changed` it has git read no file, so that no program of the repository's could take part, whatever was set up a moment ago. What
    it cannot tell counts as the same: other files, very large ones, and those that git converts.
    """
    entries = [e for e in found.output("ls-files", "-z", "--stage", "-v").split("\0") if e]
    if found.head():
        staged = found.output("diff-index", "--cached", "-z", "--name-only", "--no-renames", "--ignore-submodules=dirty", "HEAD", "--").split("\0")
    else:
        staged = [e.partition("\t")[2] for e in entries]
    new = found.output("ls-files", "-z", "--others", "--exclude-standard").split("\0")
    wanted, differing = set(names), []
    for entry in entries:
        facts, _, name = entry.partition("\t")
        tag, mode, id, _ = facts.split(" ")
        # Another tag is that of a file that git itself does not look at, or of a conflict, which is staged.
        if name in wanted and tag == "H" and mode != _MODULE and not _holds(os.path.join(found.top, name), mode, id):
            differing.append(name)
    converted = {n for n, _ in _attributes(found, differing, "filter", "ident", "working-tree-encoding")}
    return {n for n in (*staged, *new) if n} | (set(differing) - converted)


def _holds(path: str, mode: str, id: str) -> bool:
    """Return whether a file holds the blob `id`, whatever its line ends."""
    try:
        if stat.S_ISLNK(os.lstat(path).st_mode) or mode == _LINK:
            data = os.fsencode(os.readlink(path))
        else:
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
                data = file.read(_MOST_READ + 1)
    except OSError:
        return False
    kind = sha256 if len(id) == sha256().digest_size * 2 else sha1
    either = (data, data.replace(b"\r\n", b"\n"))
    return len(data) > _MOST_READ or any(kind(b"blob %d\0" % len(d) + d, usedforsecurity=False).hexdigest() == id for d in either)


def fingerprint(top: str, names: Iterable[str]) -> str:
    """Return what a set of files is known by: their names, sizes and times."""
    known = blake2b(digest_size=16)
    for name in sorted(names):
        try:
            status = os.lstat(os.path.join(top, name))
            facts = f"{status.st_mode} {status.st_size} {status.st_mtime_ns}"
        except OSError:
            facts = "gone"
        known.update(os.fsencode(name) + b"\0" + facts.encode() + b"\0")
    return known.hexdigest()


def refuse_filtered(found: Repository, names: Sequence[str]) -> None:
    """Raise Refused where a program of the repository's (git-lfs, say) turns one of these files into what is kept: nlsh runs none."""
    if not found.filters and not any(p.startswith("filter.") for p in found.programs()):
        return
    for name, value in _attributes(found, names, "filter"):
        raise Refused(f"{name} goes through the filter “{value}”, a program that nlsh does not run.", hint=f"{UNCHANGED} Do this one with git itself.")


def _attributes(found: Repository, names: Sequence[str], *wanted: str) -> Iterator[tuple[str, str]]:
    """Yield which of these files have one of these attributes set, and to what."""
    for start in range(0, len(names), _AT_ONCE):
        fields = found.output("check-attr", "-z", *wanted, "--", *names[start : start + _AT_ONCE]).split("\0")
        for name, _, value in zip(*(iter(fields[:-1]),) * 3, strict=False):
            if value not in ("unspecified", "unset"):
                yield name, value


def hooks(found: Repository, *names: str) -> tuple[str, ...]:
    """Return which of these hooks the repository has, as files or as settings, as git itself would run them."""
    said = git.asked(found, "config", "--type=path", "--get-all", "core.hooksPath") or ""
    # The last one is nlsh's own, which runs none.
    own = [line for line in said.splitlines() if line != "/dev/null"]
    folder = os.path.join(found.top, own[-1]) if own else os.path.join(found.common_dir, "hooks")
    events = {e.partition("\n")[2] for e in (git.asked(found, "config", "-z", "--get-regexp", r"^hook\..*\.event$") or "").split("\0")}
    return tuple(n for n in names if n in events or os.access(os.path.join(folder, n), os.X_OK))


@frozen(slots=False)
class Who:
    """Who makes a commit; `signs`: their commits are usually signed."""

    name: str
    email: str
    signs: bool


def who(found: Repository) -> Who:
    """Return the user as git knows them. Raises NotPossible where git was never told."""
    said = git.asked(found, "var", "GIT_COMMITTER_IDENT", user_useConfigOnly="true")
    parts = re.fullmatch(r"(.*) <([^>]*)> \d+ [+-]\d{4}", said or "")
    if not parts or not parts[1]:
        raise NotPossible(
            "Git does not know your name and e-mail address, which every commit holds.",
            hint=f'{UNCHANGED} Tell it: git config --global user.name "…" and git config --global user.email "…"',
        )
    return Who(parts[1], parts[2], git.asked(found, "config", "--type=bool", "--get", "commit.gpgSign") == "true")


def line_endings(found: Repository) -> tuple[str, ...]:
    """Return the options that have git treat line endings as the user has set it up: a worker cannot read that."""
    pairs = ((key, git.asked(found, "config", "--get", key)) for key in ("core.autocrlf", "core.eol"))
    return tuple(part for key, value in pairs if value for part in ("-c", f"{key}={value}"))


def branch_of(found: Repository) -> str:
    """Return the name of the branch that is checked out, or an empty text."""
    return found.output("symbolic-ref", "-q", "--short", "HEAD", ok=(0, 1)).strip()


def commit_of(found: Repository, written: str) -> str:
    """Return the id of the commit that a person means. Raises NotFound."""
    name = written.strip()
    said = "" if name.startswith("-") else found.output("rev-parse", "-q", "--verify", f"{name}^{{commit}}", ok=(0, 1, 128)).strip()
    if not said:
        raise NotFound(f"There is no commit “{written}” in {found.top}.", hint=f"{UNCHANGED} See them with git.log.")
    return said


def differing(found: Repository, old: str, new: str) -> tuple[str, ...]:
    """Return the files that differ between two commits, relative to the top."""
    said = found.output("diff-tree", "-r", "-z", "--name-only", "--no-renames", "--no-ext-diff", "--no-textconv", old, new)
    return tuple(n for n in said.split("\0") if n)


def refuse_in_the_way(found: Repository, names: Collection[str], what: str, *, read: bool = True) -> None:
    """Raise Refused where one of these files, which `what` would write, has changes that are in no commit; `read`: have git read them."""
    here = set(changed(found)) if read else altered(found, names)
    if mine := sorted(here.intersection(names)):
        raise Refused(
            f"{listed(mine)} {'has' if len(mine) == 1 else 'have'} changes that are not committed, and {what} would overwrite them.",
            hint=f"{UNCHANGED} Commit them, or put them away with git.stash.",
        )


def listed(names: Sequence[str]) -> str:
    """Return some of many names, and how many more there are."""
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
