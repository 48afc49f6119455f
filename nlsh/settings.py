"""Where nlsh keeps things (XDG base directories) and what the user has set.

Precedence: flags > environment (`NLSH_*`) > user file (`config.toml`) > defaults. An unknown key is an error that names the nearest known one.
"""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path
from typing import Any

from nlsh.plan.errors import JournalError, SettingsError
from nlsh.plan.frozen import frozen


def _xdg(variable: str, fallback: str) -> Path:
    value = os.environ.get(variable, "")
    # The specification says that relative paths are to be ignored.
    base = Path(value) if value.startswith("/") else Path(os.path.expanduser("~")) / fallback
    return base / "nlsh"


def config_dir() -> Path:
    """Return where policy.toml and config.toml live."""
    return _xdg("XDG_CONFIG_HOME", ".config")


def state_dir() -> Path:
    """Return where the journal, the audit, the jobs and the history live; created owner-only. Raises JournalError where it cannot be."""
    path = _xdg("XDG_STATE_HOME", ".local/state")
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        what = f"{path}, where nlsh keeps its journal, its audit and its jobs, cannot be made: {error.strerror}."
        raise JournalError(what, hint="Nothing was run. Make it writable for you, or set XDG_STATE_HOME to a folder that is.") from error
    return path


def cache_dir() -> Path:
    """Return where things live that can be made again."""
    path = _xdg("XDG_CACHE_HOME", ".cache")
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def own_models_dir() -> Path:
    """Return where the user's own models lie, whether or not it exists."""
    return _xdg("XDG_DATA_HOME", ".local/share") / "models"


def tried_dir() -> Path:
    """Return where lies what raw commands changed on a copy, kept or not yet decided on, whether or not it exists."""
    return _xdg("XDG_DATA_HOME", ".local/share") / "tried"


def runtime_dir() -> Path:
    """Return where the daemon's socket lies, whether or not it exists: for this login, or below the state folder where the system gives no such place."""
    value = os.environ.get("XDG_RUNTIME_DIR", "")
    return Path(value) / "nlsh" if value.startswith("/") and os.path.isdir(value) else state_dir() / "run"


def trash_dir() -> Path:
    """Return the home trash of the freedesktop.org trash specification 1.0."""
    value = os.environ.get("XDG_DATA_HOME", "")
    base = Path(value) if value.startswith("/") else Path(os.path.expanduser("~")) / ".local/share"
    return base / "Trash"


@frozen(slots=False)
class Settings:
    """What a user can set. `planner` and `encoder` are paths of GGUF files, empty for the shipped ones."""

    planner: str = ""
    encoder: str = ""
    threads: int = 1
    sure: float = 0.0  # confidence from which one plan is offered alone; 0: what the model's calibration says
    color: str = "auto"
    keys: str = "emacs"  # or "vi": how the line is edited
    daemon: str = "auto"  # or "off": sentences are planned in this process, and none is started for the next one


def load_settings() -> Settings:
    """Read the user's settings. Raises SettingsError that names the file, the key and the nearest known key."""
    values: dict[str, Any] = {}
    file = config_dir() / "config.toml"
    known = {f.name: f.type for f in fields(Settings)}
    try:
        text = file.read_text()
    except FileNotFoundError:
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} cannot be read: {error}.", hint="Nothing was run.") from error
    if text.strip():
        import tomllib

        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"{file} is not valid TOML: {error}.", hint="Nothing was run. Mend the file or remove it.") from error
    for key in known:
        if (name := f"NLSH_{key.upper()}") in os.environ:
            values[key] = os.environ[name]
    return Settings(**{k: _checked(file, k, v, known) for k, v in values.items()})


def _checked(file: Path, key: str, value: Any, known: dict[str, Any]) -> Any:
    if key not in known:
        import difflib

        close = difflib.get_close_matches(key, list(known), 1)
        raise SettingsError(f"{file}: unknown setting “{key}”.", hint=f"Did you mean {close[0]}?" if close else f"Known: {', '.join(known)}.")
    if key == "keys" and value not in ("emacs", "vi"):
        raise SettingsError(f"{file}: keys must be emacs or vi, not {value!r}.", hint="Nothing was run.")
    if key == "daemon" and value not in ("auto", "off"):
        raise SettingsError(f"{file}: daemon must be auto or off, not {value!r}.", hint="Nothing was run.")
    kinds = {"str": str, "int": int, "float": float}
    try:
        return kinds[str(known[key])](value)
    except ValueError as error:
        raise SettingsError(f"{file}: {key} must be {known[key]}, not {value!r}.", hint="Nothing was run.") from error
