"""Trials: whether raw commands are tried on a copy first, as the `[shell]` tables of the policy files say; the strictest wins.

[shell]
preview = "auto"     # "auto": where it can be; "always": or not at all; "never": not, which only your own file can say
"""

from __future__ import annotations

import os
import re
from typing import Any

from nlsh import settings
from nlsh.guard import demands, protected, secrets
from nlsh.plan.errors import SettingsError

# From the loosest to the strictest.
WAYS = ("never", "auto", "always")
_USUAL = "auto"
_OF_A_REPOSITORY = re.compile(r"(.*/)?(\.git/hooks/.*(?<!\.sample)|\.git/config(\.worktree)?|\.nlsh(/.*)?)", re.S)


def way() -> str:
    """Return what the user's and the project's policy file say together. Raises SettingsError."""
    own = _of_file(str(settings.config_dir() / "policy.toml")) or _USUAL
    project = _of_file(os.path.join(os.getcwd(), ".nlsh/policy.toml")) or WAYS[0]
    return max(own, project, key=WAYS.index)


def obeyed_later(path: str, *, new: bool) -> bool:
    """Return whether something else runs or obeys a file later: what is protected from commands that change their folder at once.

    `new`: it was not there. The settings of a repository that is new itself are no surprise.
    """
    if any(path == p or path.startswith(p + "/") for p in protected.listed(secrets.homes())):
        return True
    return _OF_A_REPOSITORY.fullmatch(path) is not None and not (new and path.endswith("/.git/config"))


def _of_file(path: str) -> str:
    return parse(path, demands.read(path).get("shell", {}))


def parse(path: str, table: Any) -> str:
    """Return what a `[shell]` table says, empty for nothing. Raises SettingsError that names the key."""
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: [shell] must be a table.", hint="Nothing was run.")
    for key in table:
        if key != "preview":
            raise SettingsError(f"{path}: unknown key “{key}” in [shell].", hint="Nothing was run. Known: preview.")
    said = table.get("preview", "")
    if said not in ("", *WAYS):
        raise SettingsError(f"{path}: preview in [shell] cannot be “{said}”.", hint=f"Nothing was run. Known: {', '.join(WAYS)}.")
    return str(said)
