"""network.remove_host: take a name out of the hosts file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.network import _hosts
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import NotFound, Refused
from nlsh.plan.steps import Step
from nlsh.plan.terms import Host
from nlsh.steps.hosts import EditHosts
from nlsh.world import World, routes

_NEEDED = ("localhost", "ip6-localhost", "localhost.localdomain", "broadcasthost")


class RemoveHost(Action):
    """Remove an entry from the hosts file."""

    name = "network.remove_host"
    effects = ("fs.read", "fs.write")

    class Args(BaseArgs):
        host = arg(Host(), "The name.", required=True)

    def look(self, args: Any, world: World) -> EditHosts:
        if args.host in _NEEDED:
            raise Refused(f"The machine itself needs {args.host} in its hosts file.", hint="Nothing was changed.")
        fields = _hosts.fields(world)
        names = {n.lower() for e in routes.hosts(fields["path"]) for n in e.names.split()}
        if args.host not in names:
            near = sorted(n for n in names if args.host in n or n.split(".")[0] == args.host.split(".")[0])
            hint = f" Did you mean {' or '.join(near[:3])}?" if near else ""
            raise NotFound(f"{args.host} is not in {fields['path']}.", hint=f"Nothing was changed.{hint}")
        return EditHosts(**fields, host=args.host)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield seen

    examples = (
        Example(
            say=("remove nas.home from the hosts file", "delete the hosts entry nas.home", "take nas.home out of the hosts file", "从hosts中删除nas.home"),
            plan='network.remove_host("nas.home")',
            given={"etc/hosts": "127.0.0.1 localhost\n192.168.1.5 nas.home nas # upstairs\n192.168.1.6 nas.home\n"},
            after={"etc/hosts": "127.0.0.1 localhost\n192.168.1.5\tnas # upstairs\n"},
        ),
        Example(
            say=("remove printer.home from the hosts file", "从hosts中删除printer.home"),
            plan='network.remove_host("printer.home")',
            given={"etc/hosts": "127.0.0.1 localhost\n"},
            refused="world.not-found",
        ),
    )
