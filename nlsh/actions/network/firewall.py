"""network.firewall: whether a firewall runs, and what it lets through."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError, NotPossible
from nlsh.plan.records import Record
from nlsh.steps import _bus
from nlsh.world import World, firewall, tools


class Firewall(Action):
    """Show whether a firewall runs and what it lets through."""

    name = "network.firewall"
    effects = ("net.read", "fs.read", "bus.read", "tool.read", "priv.root")

    def look(self, args: Any, world: World) -> dict[str, Any]:
        if _firewalld_is_there():
            return {"by": "firewalld"}
        nft = tools.present("nft")
        if nft and os.geteuid() == 0:
            return {"by": "nft", "argv": [nft, "--json", "list", "ruleset"]}
        if os.path.exists(firewall.UFW_CONF):
            files = (firewall.UFW_CONF, firewall.UFW_DEFAULTS, *firewall.UFW_RULES)
            return {"by": "ufw", "files": [f for f in files if os.access(f, os.R_OK)]}
        if nft:
            raise NotPossible("The rules of nftables can be read by root only: it needs root rights.", hint="Nothing was changed. Run nlsh with sudo for this.")
        raise NotPossible(
            "Not available here, because none of firewalld, ufw and nft is installed: there may still be rules that other programs have made.",
            hint="Nothing was changed. Install nftables and ask again as root.",
        )

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        if seen["by"] == "firewalld":
            return (Effect("bus.read", "system"),)
        if seen["by"] == "ufw":
            return tuple(Effect("fs.read", f) for f in seen["files"])
        return (
            Effect("tool.read", shlex.join(seen["argv"])),
            Effect("net.read", "firewall"),
            Effect("priv.root", "the rules of nftables are shown to root only (CAP_NET_ADMIN)"),
        )

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        if seen["by"] == "firewalld":
            with _bus.asked("system", firewall.FIREWALLD, "firewalld") as bus:
                yield from firewall.firewalld(bus)
        elif seen["by"] == "ufw":
            yield from firewall.ufw()
        else:
            yield from firewall.nftables(tools.output(seen["argv"]))

    examples = (
        Example(
            say=("is a firewall running", "show the firewall rules", "what does the firewall let through", "防火墙开着吗", "查看防火墙规则"),
            plan="network.firewall()",
            may_lack=True,
        ),
        Example(
            say=("throw rules.txt away, then show the firewall rules", "把rules.txt扔进回收站，再看看防火墙规则"),
            plan='file.trash("rules.txt"); network.firewall()',
            refused="world.not-found",
        ),
    )


def _firewalld_is_there() -> bool:
    try:
        with _bus.opened("system") as bus:
            return bus.has(firewall.FIREWALLD)
    except NlshError:
        return False
