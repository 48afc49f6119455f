"""nlsh servers: list, show, add and remove MCP servers of the user's. To add one starts it once, under the grant that is shown, to list its tools."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from typing import Any

from nlsh.plan import registry
from nlsh.plan.errors import NotFound
from nlsh.plan.plan import Call, Plan
from nlsh.servers import config
from nlsh.servers.actions import LIST, actions_of, program
from nlsh.shell.options import Options, UsageError, not_so
from nlsh.shell.show import Look, escape, show_table
from nlsh.shell.turn import Session


def run(options: Options, look: Look) -> int:
    """Do what `nlsh servers` is told. Raises UsageError, SettingsError and NotFound."""
    match options.words:
        case [] | ["list"]:
            return _list(look)
        case ["show", name]:
            return _show(_known(name), look)
        case ["add", name, "--", *command]:
            return _add(_pinned(config.checked(config.Server(name, tuple(command), tuple(options.allow)))), options)
        case ["remove", name]:
            gone = _known(name).name
            config.write({k: v for k, v in config.read().items() if k != gone})
            registry.drop(f"mcp_{name}.")
            print(escape(f"Removed: {name}."))
            return 0
    hint = "There is: list; show NAME; add NAME [--allow EFFECT:TARGET…] -- COMMAND…; remove NAME."
    raise not_so("servers", options.words, ("list", "show", "add", "remove"), hint)


def _pinned(server: config.Server) -> config.Server:
    """Return a server whose program is named by its whole path: later it is that one that runs, wherever nlsh stands and whatever PATH says."""
    first, *rest = server.command
    first = os.path.abspath(os.path.expanduser(first)) if "/" in first else first
    return replace(server, command=(program(first), *rest))


def _known(name: str) -> config.Server:
    servers = config.read()
    if name not in servers:
        raise NotFound(f"There is no MCP server “{name}”.", hint=f"There is: {', '.join(servers) or 'none'}. Nothing was changed.")
    return servers[name]


def _data(server: config.Server) -> dict[str, Any]:
    return {"server": server.name, "command": list(server.command), "effects": list(server.effects), "actions": [a.name for a in actions_of(server)]}


def _list(look: Look) -> int:
    servers = config.read().values()
    rows = [(s.name, str(len(s.tools)), " ".join(s.command), ", ".join(s.effects)) for s in servers]
    show_table(("server", "tools", "command", "may besides"), rows, look, data=[_data(s) for s in servers])
    if not servers and not look.json:
        print("There are no MCP servers. Add one: nlsh servers add NAME -- COMMAND…", file=sys.stderr)
    return 0


def _show(server: config.Server, look: Look) -> int:
    from nlsh.shell.commands.registered import action_lines

    if look.json:
        print(json.dumps(_data(server)))
        return 0
    print(escape(f"{server.name}: {' '.join(server.command)}"))
    print(escape(f"  may besides: {', '.join(server.effects) or 'nothing'}"))
    for action in actions_of(server):
        print("\n".join(["", *map(escape, action_lines(action, look))]))
    return 0


def _add(server: config.Server, options: Options) -> int:
    servers = config.read()
    if server.name in servers:
        raise UsageError(f"There is an MCP server {server.name} already.", hint=f"Nothing was changed. First: nlsh servers remove {server.name}.")
    for action in actions_of(server):
        registry.add(action)
    # The effects that it is to have are not thereby allowed without a question.
    with Session.start(replace(options, allow=[])) as session:
        preview = session.kernel.preview(Plan((Call(f"mcp_{server.name}.{LIST}"),)), f"servers add {server.name}")
        outcome = session.kernel.run(preview)
        if outcome.status != "done":
            return session.report(preview, replace(outcome, records=[]))
        tools = [json.loads(r.text) for r in outcome.records if type(r).__name__ == "Line"]  # type: ignore[attr-defined]
    found = tuple(config.Tool(t["name"], str(t.get("description") or ""), json.dumps(t.get("inputSchema", {}))) for t in tools)
    server = replace(server, tools=found)
    config.write({**servers, server.name: server})
    registry.drop(f"mcp_{server.name}.")
    offered = [a.name for a in actions_of(server) if not a.name.endswith(f".{LIST}")]
    if len(offered) < len(found):
        print(escape(f"nlsh: {len(found) - len(offered)} of its tools cannot be written in a plan and are left out."), file=sys.stderr)
    print(escape(f"Added: {', '.join(offered) or 'it has no tools'}. Each call is shown and asked about."))
    return 0
