"""Where policy files lie, from the weakest layer to the strongest, and whether somebody else could have written one."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path

from nlsh import settings
from nlsh.plan.errors import SettingsError

# Tests set this to a file of their own. Deliberately not an environment variable: nobody leaves the administrator's rules out.
SYSTEM = Path("/etc/nlsh/policy.toml")


def user_file() -> Path:
    """Return where the user's own rules are."""
    return settings.config_dir() / "policy.toml"


def layers() -> tuple[tuple[Path, str], ...]:
    """Return the policy files besides the shipped one with their layers: the administrator's, the user's, the project's."""
    return (SYSTEM, "system"), (user_file(), "user"), (Path(os.getcwd()) / ".nlsh" / "policy.toml", "project")


def check_writers(path: Path | str) -> None:
    """Raise SettingsError where a system or user policy file, its folder, or one above could be changed by somebody else.

    A project's file is anybody's, and may only tighten.
    """
    if Path(path) not in (SYSTEM, user_file()) or not os.path.lexists(path):
        return
    owners = {0} if Path(path) == SYSTEM else {0, os.geteuid()}
    for place in dict.fromkeys((str(path), os.path.realpath(path))):
        folder = os.path.dirname(place)
        # Of what is further up it matters that nobody else can put another folder in its place.
        for above in (place, folder, *map(str, Path(folder).parents)):
            if why := _others_write(above, owners if above in (place, folder) else None):
                raise SettingsError(
                    f"{path} is not obeyed, and nothing is run without it: {above} {why}.",
                    hint=f"Nothing was run. Look at what it says, then: chmod go-w {above}; or move the file away.",
                )


def _others_write(path: str, owners: set[int] | None) -> str:
    try:
        status = os.stat(path)
    except OSError as error:
        return f"cannot be looked at: {error.strerror}"
    if owners is not None and status.st_uid not in owners:
        return f"belongs to {_name(status.st_uid)}"
    if stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX:
        return ""  # as /tmp: others add to it, and take nothing of ours away
    if status.st_mode & stat.S_IWOTH:
        return "can be written by everybody"
    if status.st_mode & stat.S_IWGRP and status.st_gid and not _is_only_ours(path, status.st_gid):
        return "can be written by a group"
    return ""


def _is_only_ours(path: str, group: int) -> bool:
    """Whether a group has the user in it and nobody else, as where each user has a group of his own."""
    try:
        if "system.posix_acl_access" in os.listxattr(path):
            return False  # the group's bits are then the most that any of a list may
        user, found = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except (KeyError, OSError):
        return False
    return user.pw_gid == group and found.gr_name == user.pw_name and set(found.gr_mem) <= {user.pw_name}


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"
