"""The user's MCP servers as they are written down in `servers.toml`: what starts them, what they are confined to, the tools they said they have.

    [notes]
    command = ["python3", "/home/me/notes_server.py"]
    effects = ["fs.read:~/notes"]
    tools = [{ name = "search", description = "…", schema = "{…}" }]

The file is nlsh's own: no plan can change it. Tools are read from it, so that a server runs only when one of them is called.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from nlsh.plan.effects import KINDS
from nlsh.plan.errors import SettingsError
from nlsh.settings import config_dir

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


@dataclass(frozen=True)
class Tool:
    """A tool as its server describes it; `schema` is the JSON schema of its arguments, as text."""

    name: str
    description: str = ""
    schema: str = "{}"


@dataclass(frozen=True)
class Server:
    """A server: its command line, the effects it is confined to besides running, and its tools."""

    name: str
    command: tuple[str, ...]
    effects: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()


def file() -> Path:
    """Return where the servers are written down."""
    return config_dir() / "servers.toml"


def checked(server: Server) -> Server:
    """Return a server that can be one. Raises SettingsError."""
    if not NAME.fullmatch(server.name) or len(server.name) > 40:
        raise SettingsError(f"“{server.name}” cannot be a server's name: lower-case letters, digits and single underscores.", hint="Nothing was changed.")
    if not server.command:
        raise SettingsError(f"The server {server.name} needs a command that starts it.", hint="For example: nlsh servers add notes -- python3 server.py.")
    for written in server.effects:
        kind, colon, target = written.partition(":")
        if kind not in KINDS or kind == "exec" or (colon and not target.strip()):
            raise SettingsError(f"{server.name}: “{written}” is no effect that a server can be given.", hint="For example fs.read:~/notes or net.connect:*.")
        if not colon and kind.startswith(("fs.", "net.", "proc.", "dev.")):
            raise SettingsError(f"{server.name}: {kind} needs a target.", hint=f"For example {kind}:{'~/notes' if kind.startswith('fs.') else '*'}.")
    return server


def read() -> dict[str, Server]:
    """Return the servers by name. Raises SettingsError."""
    try:
        data = tomllib.loads(file().read_text(encoding="utf-8"))
        return {name: checked(_server(name, fields)) for name, fields in data.items()}
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, TypeError, AttributeError) as error:
        raise SettingsError(f"{file()} cannot be read: {error}.", hint="Nothing was run. Mend the file or remove it.") from error


def _server(name: str, fields: Mapping[str, object]) -> Server:
    known = dict(fields)
    tools = tuple(Tool(**t) for t in known.pop("tools", ()))  # type: ignore[attr-defined]
    texts = {key: tuple(str(v) for v in known.pop(key, ())) for key in ("command", "effects")}  # type: ignore[attr-defined]
    if known:
        raise TypeError(f"{name}: unknown key “{next(iter(known))}”")
    return Server(name, texts["command"], texts["effects"], tools)


def write(servers: Mapping[str, Server]) -> None:
    """Write the servers down."""
    import tomli_w

    data = {s.name: {k: v for k, v in asdict(s).items() if k != "name"} for s in servers.values()}
    place = file()
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = place.with_suffix(".new")
    new.write_text(tomli_w.dumps(data, multiline_strings=True), encoding="utf-8")
    os.replace(new, place)
