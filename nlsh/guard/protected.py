"""What is kept as it is inside what may be changed: files that something else runs or obeys later, such as a shell's start files, git's hooks, and what
nlsh itself puts back when a command is undone.

It owns the shipped list, and who may change such a file all the same. The mount view under a worker makes the rest read-only.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from nlsh import settings
from nlsh.guard import demands, secrets

# Below a home folder: what runs when somebody logs in or opens a terminal, and what tells git which programs to run.
_IN_HOME = (
    ".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".profile", ".zshrc", ".zshenv", ".zprofile", ".zlogin", ".zlogout",
    ".config/fish", ".inputrc", ".xprofile", ".xinitrc", ".xsession", ".xsessionrc", ".pam_environment", ".config/autostart", ".config/systemd",
    ".config/environment.d", ".config/plasma-workspace", ".local/share/systemd", ".local/share/dbus-1", ".gitconfig", ".config/git", ".tmux.conf",
    ".config/tmux",
)  # fmt: skip
_OF_THE_SYSTEM = (
    "/etc/profile", "/etc/profile.d", "/etc/bash.bashrc", "/etc/bashrc", "/etc/zsh", "/etc/environment", "/etc/ld.so.preload", "/etc/ld.so.conf",
    "/etc/ld.so.conf.d", "/etc/pam.d", "/etc/sudoers", "/etc/sudoers.d", "/etc/crontab", "/etc/cron.d", "/etc/cron.hourly", "/etc/cron.daily",
    "/etc/cron.weekly", "/etc/cron.monthly", "/var/spool/cron", "/etc/systemd", "/etc/udev/rules.d", "/etc/polkit-1",
)  # fmt: skip


def listed(homes: Iterable[str]) -> tuple[str, ...]:
    """Return every path that is protected wherever it can be changed, whether or not it exists. Raises SettingsError."""
    # What undo puts back, and the models that read a sentence.
    ours = (str(settings.tried_dir()), str(settings.own_models_dir()))
    return (*(os.path.join(h, name) for h in homes for name in _IN_HOME), *_OF_THE_SYSTEM, *ours, *demands.found().protect)


def in_reach(roots: Iterable[str], named: Iterable[str], homes: Iterable[str], *, programs: bool, commands: bool) -> Iterator[str]:
    """Yield what exists below `roots`, the folders that may be changed, and is to be kept as it is.

    `named` are the paths that the approved effects say they change. Who names a protected path, or one below it, may change it. Where only
    steps of nlsh's own run, and not `programs`, to name a folder is to name what lies in it. A program that an action names, and that is no
    `commands` of the user's, may change a repository's settings where its effects name the repository's own folder.
    """
    roots, named = frozenset(roots), frozenset(named)
    found = dict.fromkeys(listed(homes))
    for root in roots if programs else ():
        # The last: what was replaced by a command that was tried, where that lies on the mount of its folder.
        inside = (".nlsh", ".git/config", ".git/config.worktree", ".git/hooks", f".nlsh-{os.geteuid()}")
        found.update(dict.fromkeys(os.path.join(root, name) for name in inside))
        if os.path.isfile(os.path.join(root, ".git")):
            found[os.path.join(root, ".git")] = None  # it says where the repository is
        if _is_repository(root):
            found.update(dict.fromkeys(os.path.join(root, name) for name in ("config", "config.worktree", "hooks")))
    # Where a link leads is what is run. The link itself nothing can be mounted on.
    for real in dict.fromkeys(map(os.path.realpath, found)):
        around = secrets.above(os.path.dirname(real)) | {real}
        if roots.isdisjoint(around) and "/" not in roots:
            continue
        if not os.path.lexists(real) or any(n == real or n.startswith(real + "/") for n in named):
            continue
        naming = named & around
        if (naming and not programs) or (not commands and any(map(_is_repository, naming))):
            continue
        yield real


def _is_repository(folder: str) -> bool:
    return os.path.isfile(os.path.join(folder, "HEAD")) and os.path.isdir(os.path.join(folder, "objects"))
