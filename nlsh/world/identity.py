"""What this machine is called, made of, and set to: its name, its parts, its language, and the environment that programs get."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping

from nlsh.plan.errors import NotPossible
from nlsh.plan.records import Fact
from nlsh.world import devices, machine

_DMI = "/sys/class/dmi/id"
_TREE = "/proc/device-tree/model"
LOCALE_FILES = ("/etc/locale.conf", "/etc/default/locale", "/etc/vconsole.conf", "/etc/default/keyboard", "/etc/X11/xorg.conf.d/00-keyboard.conf")
_LOCALE = ("LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_TIME", "LC_NUMERIC", "LC_MONETARY", "LC_COLLATE", "LC_MESSAGES", "LC_PAPER", "LC_MEASUREMENT")
# LIMIT: by name, and by the commonest shapes of keys: a secret in a variable of another name is shown.
_SECRET = re.compile(
    r"TOKEN|KEY|SECRET|PASS(?!ED|IVE)|PWD.|.PWD|CREDENTIAL|AUTH(?!OR)|COOKIE|PRIVATE|SIGNATURE|BEARER|(?:^|_)PAT$|DSN|CONNECTION_?STRING", re.I
)
_NOT_SECRET = {"OLDPWD", "SSH_AUTH_SOCK", "XAUTHORITY", "KEYMAP", "XDG_SESSION_ID", "SSH_ASKPASS", "GIT_ASKPASS", "SUDO_ASKPASS", "KEYBOARD"}
_SHAPES = re.compile(r"^(?:gh[pousr]_|github_pat_|sk-|xox[abpr]-|AKIA|eyJ[\w-]+\.|glpat-|hf_|npm_)|-----BEGIN|://[^/\s:@]+:[^/\s@]+@")
HIDDEN = "(hidden)"


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip().rstrip("\0")
    except OSError:
        return ""


def names() -> Iterator[Fact]:
    """Yield what this machine is called, and what its file says where that differs."""
    now, written = os.uname().nodename, _read("/etc/hostname")
    yield Fact("host", now)
    if written and written != now:
        yield Fact("after a restart", written)


def parts() -> Iterator[Fact]:
    """Yield what this machine is made of."""
    maker = " ".join(v for v in (_read(f"{_DMI}/sys_vendor"), _read(f"{_DMI}/product_name")) if v and not v.startswith(("To be filled", "Default string")))
    if model := maker or _read(_TREE):
        yield Fact("model", model)
    if board := " ".join(v for v in (_read(f"{_DMI}/board_vendor"), _read(f"{_DMI}/board_name")) if v):
        yield Fact("board", board)
    if firmware := " ".join(v for v in (_read(f"{_DMI}/bios_vendor"), _read(f"{_DMI}/bios_version"), _read(f"{_DMI}/bios_date")) if v):
        yield Fact("firmware", firmware)
    yield from (f for f in machine.facts() if f.name in ("processor", "architecture", "cores", "memory"))
    for disk in devices.block():
        if disk.kind == "disk":
            yield Fact("disk", " ".join(v for v in (disk.name, disk.description, machine.amount(disk.size_bytes or 0)) if v))
    try:
        for card in devices.gpu():
            yield Fact("graphics", card.description or card.name)
    except NotPossible:
        pass
    for name in sorted(os.listdir("/sys/class/net")):
        if os.path.exists(f"/sys/class/net/{name}/device"):
            kind = "wireless" if os.path.isdir(f"/sys/class/net/{name}/wireless") else "wired"
            yield Fact("network", f"{name} ({kind})")
    for name in sorted(os.listdir("/sys/class/power_supply")) if os.path.isdir("/sys/class/power_supply") else ():
        if _read(f"/sys/class/power_supply/{name}/type") == "Battery":
            yield Fact("battery", " ".join(v for v in (name, _read(f"/sys/class/power_supply/{name}/model_name")) if v))


def languages() -> Iterator[Fact]:
    """Yield language and formats as programs started from here have them, then as the machine is set, then the keyboard."""
    import locale

    for name in _LOCALE:
        if value := os.environ.get(name):
            yield Fact(name, value)
    set_: dict[str, str] = {}
    for path in LOCALE_FILES:
        text = _read(path)
        set_.update({k: v for k, v in re.findall(r"^\s*(?:export\s+)?([A-Z][A-Z_]*)=[\"']?(.*?)[\"']?\s*$", text, re.M) if v and k not in set_})
        for option, value in re.findall(r'Option\s+"Xkb(Layout|Variant|Model)"\s+"([^"]+)"', text):
            set_.setdefault(f"XKB{option.upper()}", value)
    if (lang := set_.get("LANG")) and lang != os.environ.get("LANG"):
        yield Fact("machine's language", lang)
    layout = " ".join(set_[k] for k in ("XKBLAYOUT", "XKBVARIANT") if k in set_) or set_.get("KEYMAP", "")
    if layout:
        yield Fact("keyboard", layout)
    try:
        locale.setlocale(locale.LC_ALL, "")
    except locale.Error:
        yield Fact("note", "this language is not installed: programs fall back to English and ASCII")
    else:
        yield Fact("date format", locale.nl_langinfo(locale.D_FMT))
        yield Fact("decimal point", locale.nl_langinfo(locale.RADIXCHAR))
        yield Fact("encoding", locale.nl_langinfo(locale.CODESET))
    finally:
        locale.setlocale(locale.LC_ALL, "C.UTF-8")


def masked(environment: Mapping[str, str]) -> dict[str, str]:
    """Return environment variables with the values of secrets left out.

    >>> masked({"GITHUB_TOKEN": "x", "HOME": "/root", "DATABASE_URL": "postgres://me:pw@db/x"})
    {'DATABASE_URL': '(hidden)', 'GITHUB_TOKEN': '(hidden)', 'HOME': '/root'}
    """
    return {name: HIDDEN if is_secret(name, value) else value for name, value in sorted(environment.items())}


def is_secret(name: str, value: str) -> bool:
    """Return whether a variable holds what nobody should read over somebody's shoulder."""
    return (name.upper() not in _NOT_SECRET and _SECRET.search(name) is not None) or _SHAPES.search(value) is not None
