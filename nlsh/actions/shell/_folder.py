"""Which folder is too much to give to one command."""

from __future__ import annotations

import os

from nlsh.world import World


def too_wide(world: World) -> str:
    """Return words for the folder the user stands in, where it is his whole home, holds that or is in /proc, and nothing otherwise.

    What Landlock allows for a folder it allows for all below: a whole home would take the keys and nlsh's own journal with it, and /proc the
    memory of the shell that runs the command.
    """
    cwd, home = os.path.realpath(world.cwd), os.path.realpath(world.home)
    if home == cwd:
        return "your whole home folder"
    return cwd if cwd == "/" or f"{cwd}/".startswith("/proc/") or home.startswith(cwd + "/") else ""
