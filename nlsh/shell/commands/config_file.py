"""Change one setting in the user's config.toml, as the user asked for by name: everything else in it stays as it is, comments too."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from nlsh.plan.errors import SettingsError
from nlsh.settings import config_dir

_UNCHANGED = "Nothing was changed."


def set_setting(key: str, value: str | None) -> Path:
    """Set `key` to the text `value`, or take it out (None); return the file. Raises SettingsError, and then the file is as it was."""
    import tomllib

    file = Path(os.path.realpath(config_dir() / "config.toml"))
    if value is not None and not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
        raise SettingsError(f"{value!r} is not valid UTF-8, and {file} has to be.", hint=_UNCHANGED)
    try:
        old = file.read_bytes().decode()
    except FileNotFoundError:
        old = ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} cannot be read: {error}.", hint=_UNCHANGED) from error
    try:
        before = tomllib.loads(old)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file} is not valid TOML: {error}.", hint=f"{_UNCHANGED} Mend the file or remove it.") from error
    new = _changed(old, key, value)
    wanted = {**{k: v for k, v in before.items() if k != key}, **({} if value is None else {key: value})}
    try:
        right = tomllib.loads(new) == wanted
    except tomllib.TOMLDecodeError:
        right = False
    if not right:
        raise SettingsError(f"{key} in {file} is written in a way that nlsh does not change.", hint=f"{_UNCHANGED} Set it yourself: {_line(key, value)}")
    if new != old:
        _write(file, new)
    return file


def _changed(text: str, key: str, value: str | None) -> str:
    lines = text.splitlines(keepends=True)
    # Settings stand before the first table.
    end = next((i for i, line in enumerate(lines) if line.lstrip().startswith("[")), len(lines))
    place = next((i for i, line in enumerate(lines[:end]) if re.match(rf"""\s*(["']?){re.escape(key)}\1\s*=""", line)), None)
    if place is not None:
        ending = re.search(r"[\r\n]*\Z", lines[place])
        comment = re.search(r"\s+#[^\"']*$", lines[place].rstrip("\r\n"))
        kept = (comment[0] if comment else "") + (ending[0] if ending else "")
        lines[place : place + 1] = [] if value is None else [_line(key, value) + kept]
    elif value is not None:
        if end and not lines[end - 1].endswith("\n"):
            lines[end - 1] += "\n"
        lines.insert(end, _line(key, value) + "\n")
    return "".join(lines)


def _line(key: str, value: str | None) -> str:
    if value is None:
        return f"(no {key})"
    escaped = "".join(f"\\{c}" if c in '"\\' else c if c.isprintable() else f"\\U{ord(c):08X}" for c in value)
    return f'{key} = "{escaped}"'


def _write(file: Path, text: str) -> None:
    """Put the text in place of the file's in one go, with the file's mode."""
    part = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        mode = file.stat().st_mode & 0o777 if file.exists() else 0o600
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode), "wb") as out:
            out.write(text.encode())
            out.flush()
            os.fchmod(out.fileno(), mode)
            os.fsync(out.fileno())
        part.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise SettingsError(f"{file} cannot be written: {error.strerror}.", hint=_UNCHANGED) from error
