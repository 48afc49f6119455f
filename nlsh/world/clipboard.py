"""The clipboard of the desktop: which programs there are for it, and what it holds."""

from __future__ import annotations

import os
import subprocess

from nlsh.plan.errors import NotPossible
from nlsh.world import tools

MOST_BYTES = 1 << 20
_SECONDS = 3.0


def reader() -> list[str] | None:
    """Return the command that prints the clipboard here, or None."""
    if os.environ.get("WAYLAND_DISPLAY") and (path := tools.present("wl-paste")):
        return [path, "--no-newline"]
    if os.environ.get("DISPLAY"):
        for name, options in (("xclip", ["-selection", "clipboard", "-out"]), ("xsel", ["--clipboard", "--output"])):
            if path := tools.present(name):
                return [path, *options]
    return None


def writer() -> list[str] | None:
    """Return the command that holds what it reads in the clipboard here, for as long as it runs, or None."""
    if os.environ.get("WAYLAND_DISPLAY") and (path := tools.present("wl-copy")):
        return [path, "--foreground"]
    if os.environ.get("DISPLAY"):
        for name, options in (("xclip", ["-selection", "clipboard", "-in", "-quiet"]), ("xsel", ["--clipboard", "--input", "--nodetach"])):
            if path := tools.present(name):
                return [path, *options]
    return None


def display() -> dict[str, str]:
    """Return what such a program must know of the environment."""
    return {k: os.environ[k] for k in ("WAYLAND_DISPLAY", "DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR") if k in os.environ}


def contents(argv: list[str]) -> str:
    """Return what the clipboard holds, as text; an empty one is an empty text. Raises NotPossible."""
    try:
        done = subprocess.run(argv, env=tools.environment(display()), stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise NotPossible("Who holds the clipboard does not answer.", hint="Nothing was changed.") from error
    # Each of them ends with 1 where there is nothing.
    return done.stdout[:MOST_BYTES].decode("utf-8", "surrogateescape") if done.returncode == 0 else ""
