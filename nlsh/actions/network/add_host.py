"""network.add_host: give a name an address in the hosts file."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from nlsh.actions.network import _hosts
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import BadArgument, Refused
from nlsh.plan.steps import Step
from nlsh.plan.terms import Host
from nlsh.steps.hosts import EditHosts
from nlsh.world import World, routes


class AddHost(Action):
    """Add an entry to the hosts file."""

    name = "network.add_host"
    effects = ("fs.read", "fs.write")

    class Args(BaseArgs):
        host = arg(Host(), "The name.", required=True)
        address = arg(Host(), "Its address.", required=True)

    def look(self, args: Any, world: World) -> EditHosts | None:
        if not routes.is_address(args.address):
            raise BadArgument(f"network.add_host: address: “{args.address}” is no IP address.", hint='For example address="192.168.1.5".')
        if routes.is_address(args.host):
            raise BadArgument(f"network.add_host: host: “{args.host}” is an address, not a name.", hint='For example host="nas.home".')
        new = ipaddress.ip_address(args.address)
        fields = _hosts.fields(world)
        for entry in routes.hosts(fields["path"]):
            if args.host not in entry.names.lower().split():
                continue
            old = ipaddress.ip_address(entry.address)
            if old == new:
                return None
            if old.version == new.version:
                raise Refused(
                    f"{args.host} is {entry.address} in {fields['path']} already (line {entry.line}): the first entry counts.",
                    hint=f"Nothing was changed. Take it out first: network.remove_host {args.host}.",
                )
        return EditHosts(**fields, host=args.host, address=args.address)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        if seen is not None:
            yield seen

    examples = (
        Example(
            say=(
                "add nas.home with address 192.168.1.5 to the hosts file",
                "make nas.home point to 192.168.1.5 in the hosts file",
                "在hosts里添加nas.home，地址192.168.1.5",
                "把nas.home指向192.168.1.5，写进hosts文件",
            ),
            plan='network.add_host("nas.home", address="192.168.1.5")',
            given={"etc/hosts": "127.0.0.1 localhost"},
            after={"etc/hosts": "127.0.0.1 localhost\n192.168.1.5\tnas.home\n"},
        ),
        Example(
            say=("add a hosts entry nas.home 192.168.1.9", "hosts里加一条nas.home 192.168.1.9"),
            plan='network.add_host("nas.home", address="192.168.1.9")',
            given={"etc/hosts": "127.0.0.1 localhost\n192.168.1.5 nas.home\n"},
            refused="action.refused",
        ),
        Example(
            say=("add nas.home as nowhere to the hosts file",),
            plan='network.add_host("nas.home", address="nowhere")',
            given={"etc/hosts": "127.0.0.1 localhost\n"},
            refused="plan.bad-argument",
        ),
    )
