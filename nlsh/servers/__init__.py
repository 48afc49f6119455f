"""MCP servers of the user's, whose tools are actions here: `mcp_NAME.tool`. Each call starts the server under a grant, and asks."""

from __future__ import annotations


def install() -> None:
    """Have the tools of the user's servers found when a plan names one."""
    from nlsh.plan import registry

    registry.provide("mcp_", _bring)


def _bring() -> None:
    from nlsh.plan import registry
    from nlsh.servers.actions import actions_of
    from nlsh.servers.config import read

    for server in read().values():
        for action in actions_of(server):
            registry.add(action)
