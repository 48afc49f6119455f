"""What no plan may read or change: keys, tokens, browser profiles, and nlsh's own policy, journal and audit."""

from __future__ import annotations

import os
from functools import cache, lru_cache

from nlsh import settings
from nlsh.guard import demands
from nlsh.guard.paths import leads_to

# Below a home folder. Names that hold keys, tokens or sessions, not what people keep as documents.
_IN_HOME = (
    ".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker/config.json", ".config/gcloud", ".config/gh", ".config/op", ".config/rclone",
    ".config/git/credentials", ".git-credentials", ".netrc", ".pgpass", ".npmrc", ".pypirc", ".cargo/credentials.toml", ".password-store",
    ".local/share/keyrings", ".local/share/kwalletd", ".mozilla", ".thunderbird", ".config/google-chrome", ".config/chromium",
    ".config/BraveSoftware", ".config/microsoft-edge", ".config/vivaldi", ".config/opera", "snap/firefox", "snap/chromium",
    ".config/containers/auth.json", ".cargo/credentials", ".gem/credentials", ".config/pypoetry/auth.toml", ".vault-token", ".my.cnf",
    ".config/glab-cli", ".config/hub", ".terraform.d/credentials.tfrc.json",
    ".var/app/org.mozilla.firefox", ".var/app/com.google.Chrome", ".var/app/org.chromium.Chromium", ".var/app/com.brave.Browser",
    ".codex/auth.json", ".claude/.credentials.json", ".config/github-copilot", ".config/Signal", ".local/share/TelegramDesktop", ".s3cfg", ".oci",
)  # fmt: skip
_OF_THE_SYSTEM = (
    "/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/ssl/private", "/etc/NetworkManager/system-connections",
    "/etc/wpa_supplicant", "/etc/wireguard", "/etc/krb5.keytab", "/etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_ecdsa_key", "/etc/ssh/ssh_host_ed25519_key",
)  # fmt: skip


def own() -> tuple[str, ...]:
    """Return the folder of nlsh's configuration and policy, that of its journal and audit, where these lead if they are links, the administrator's,
    and that of the daemon's socket.
    """
    state = os.environ.get("XDG_STATE_HOME", "")
    base = state if state.startswith("/") else os.path.join(os.path.expanduser("~"), ".local/state")
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    socket = _with_real(os.path.join(runtime, "nlsh")) if runtime.startswith("/") else ()
    return *_with_real(str(settings.config_dir()), os.path.join(base, "nlsh")), "/etc/nlsh", *socket


def homes() -> tuple[str, ...]:
    """Return the home folders whose secrets are hidden: the user's; for root, everybody's."""
    return _homes(os.path.expanduser("~"), os.geteuid())


@cache
def _homes(home: str, user: int) -> tuple[str, ...]:
    import pwd

    try:
        found = [home, pwd.getpwuid(user).pw_dir]
        if user == 0:
            found += [e.pw_dir for e in pwd.getpwall() if e.pw_dir.startswith(("/home/", "/root")) and os.path.isdir(e.pw_dir)]
    except KeyError:
        found = [home]
    return tuple(dict.fromkeys(h.rstrip("/") for h in found if h not in ("", "/")))


def hidden() -> tuple[str, ...]:
    """Return every path that is hidden from plans, whether it exists or not: what is shipped, and `hide` of the policy's. Raises SettingsError."""
    # LIMIT: paths as they are written. The same files under a bind mount or in a snapshot, and, in a folder that ignores case, names in
    # another case, are others.
    listed = [os.path.join(h, name) for h in homes() for name in _IN_HOME]
    for variable, usual in (("XDG_CONFIG_HOME", ".config/"), ("XDG_DATA_HOME", ".local/share/")):
        base = os.environ.get(variable, "")
        if base.startswith("/"):
            listed += [os.path.join(base, name.removeprefix(usual)) for name in _IN_HOME if name.startswith(usual)]
    return tuple(dict.fromkeys((*_with_real(*listed, *demands.found().hide), *own(), *_OF_THE_SYSTEM)))


def _with_real(*paths: str) -> tuple[str, ...]:
    # Where a link leads is as secret as the link.
    places: dict[str, str] = {}
    return tuple(dict.fromkeys((*paths, *(leads_to(p, places) for p in paths))))


@lru_cache(1024)
def above(folder: str) -> frozenset[str]:
    """Return a folder and all that contain it, but `/`."""
    return frozenset(folder[:place] for place, character in enumerate(folder) if character == "/") | {folder}
