"""Where policy files lie, from the weakest layer to the strongest, and whether somebody else could have written one."""

from __future__ import annotations

import os
from pathlib import Path

from nlsh import settings
from nlsh.guard.writers import others_write
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
            if why := others_write(above, owners if above in (place, folder) else None):
                raise SettingsError(
                    f"{path} is not obeyed, and nothing is run without it: {above} {why}.",
                    hint=f"Nothing was run. Look at what it says, then: chmod go-w {above}; or move the file away.",
                )
