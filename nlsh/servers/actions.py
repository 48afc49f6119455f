"""A tool of an MCP server as an action: its arguments by its JSON schema, its effects those its server is confined to, and no undo."""

from __future__ import annotations

import json
import keyword
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nlsh.plan.action import Action, Arg, BaseArgs, Never, arg
from nlsh.plan.errors import BadArgument, NotFound
from nlsh.plan.steps import Step
from nlsh.plan.values import Choice, Flag, Text, ValueType
from nlsh.servers.config import Server, Tool
from nlsh.steps.mcp_call import McpCall
from nlsh.world import World
from nlsh.world.tools import environment

LIST = "list_tools"
_NO_UNDO = Never("what an MCP server does is not known to nlsh; the kernel keeps it to the effects that are shown")
_PLAIN = {"integer": int, "number": float}


@dataclass(frozen=True)
class Json(ValueType):
    """A number, a list or an object, written as JSON."""

    kind: str

    name = "json"

    @property
    def example(self) -> str:  # type: ignore[override]
        return {"integer": "3", "number": "0.5", "array": '["a", "b"]'}.get(self.kind, "{}")

    def parse(self, written: Any) -> Any:
        if self.kind == "array" and isinstance(written, tuple):
            return list(written)
        try:
            value = _PLAIN[self.kind](str(written)) if self.kind in _PLAIN else json.loads(str(written))
        except (ValueError, RecursionError):
            raise ValueError(f"“{written}” is not {self.kind} as JSON has it") from None
        if self.kind in ("array", "object") and not isinstance(value, list if self.kind == "array" else dict):
            raise ValueError(f"“{written}” is not {self.kind} as JSON has it")
        return value


def actions_of(server: Server) -> list[Action]:
    """Return the server's tools as actions, those left out whose arguments cannot be written in a plan; and the one that lists its tools."""
    found = {LIST: _action(server, Tool(LIST), LIST, {}, lists=True)}
    for tool in server.tools:
        verb = re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", tool.name).lower()).strip("_")
        arguments = _arguments(tool)
        if verb and not verb[0].isdigit() and verb not in found and arguments is not None:
            found[verb] = _action(server, tool, verb, arguments)
    return list(found.values())


def _arguments(tool: Tool) -> dict[str, Arg] | None:
    try:
        schema = json.loads(tool.schema)
        properties, required = schema.get("properties", {}), set(schema.get("required", ()))
        names = {n: _type(p) for n, p in properties.items()}
    except (ValueError, AttributeError, TypeError, RecursionError):
        return None
    if any(not n.isidentifier() or keyword.iskeyword(n) or hasattr(BaseArgs, n) or n == "written" for n in names):
        return None
    return {n: arg(t, _words(properties[n].get("description", "")) or n, required=n in required) for n, t in names.items()}


def _type(schema: dict[str, Any]) -> ValueType:
    kind = schema.get("type")
    if isinstance(schema.get("enum"), list) and schema["enum"] and all(isinstance(v, str) and v.isprintable() for v in schema["enum"]):
        return Choice(*schema["enum"])
    if kind == "boolean":
        return Flag()
    return Text() if kind == "string" else Json(kind if kind in ("integer", "number", "array", "object") else "value")


def _words(text: object) -> str:
    """Return what a server says on one line, marked as its words: a person or an agent who reads it is to know that nlsh does not say so."""
    line = "".join(c for c in " ".join(str(text).split()) if c.isprintable())[:200].replace("”", '"')
    return f"The server says: “{line}”" if line else ""


def _action(server: Server, tool: Tool, verb: str, arguments: dict[str, Arg], *, lists: bool = False) -> Action:
    kinds = dict.fromkeys(("tool.run", "fs.read", *(e.partition(":")[0] for e in server.effects)))

    class Called(Action):
        __doc__ = "List the tools of the MCP server." if lists else _words(tool.description) or f"Call {verb} of the MCP server {server.name}."
        name = f"mcp_{server.name}.{verb}"
        effects = tuple(kinds)
        undo = _NO_UNDO
        Args: Any = type("Args", (BaseArgs,), dict(arguments))

        def look(self, args: Any, world: World) -> dict[str, Any]:
            command = (program(server.command[0]), *server.command[1:])
            given = {n: getattr(args, n) for n in self.Args.fields if n in args.written}
            needed = [*_programs(command), *(_effect(e) for e in server.effects)]
            return {"command": command, "given": given, "needed": tuple(dict.fromkeys(needed))}

        def steps(self, args: Any, seen: Any) -> Iterator[Step]:
            yield McpCall(server.name, seen["command"], "" if lists else tool.name, seen["given"], seen["needed"])

    return Called()


def program(name: str) -> str:
    """Return the path of a server's program, which the working folder has no say in. Raises NotFound."""
    # As tools of the system are found: not in relative folders of PATH, nor in those of others.
    path = os.path.expanduser(name) if "/" in name else shutil.which(name, path=environment()["PATH"])
    if path is None or not os.path.isabs(path) or not os.access(path, os.X_OK):
        raise NotFound(f"{name} cannot be run: there is no such program, named by its path or in a folder of your PATH that only you can change.",
                       hint="Nothing was run. Name it by its whole path; a server that was added before, remove and add again.")  # fmt: skip
    return os.path.normpath(path)


def _programs(command: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield what has to be read to start a command: the program, what it leads to, and the files among its words."""
    bin_folder = os.path.dirname(command[0])
    if os.path.isfile(os.path.join(os.path.dirname(bin_folder), "pyvenv.cfg")):
        yield "fs.read", os.path.dirname(bin_folder)
    for word in (command[0], os.path.realpath(command[0]), *command[1:]):
        if os.path.isabs(word) and os.path.isfile(word):
            yield "fs.read", word


def _effect(written: str) -> tuple[str, str]:
    kind, _, target = written.partition(":")
    if kind.startswith("fs."):
        target = os.path.abspath(os.path.expanduser(target))
        if not os.path.exists(target):
            raise BadArgument(f"{target}, which the server may {KIND_WORDS.get(kind, 'use')}, does not exist.", hint="Nothing was run.")
    return kind, target or "*"


KIND_WORDS = {"fs.read": "read", "fs.write": "write", "fs.delete": "remove from"}
