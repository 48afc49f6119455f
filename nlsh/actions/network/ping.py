"""network.ping: whether a host answers, and how fast."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.network import _asked
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Count
from nlsh.plan.effects import Effect
from nlsh.plan.records import Note, Record
from nlsh.plan.records.network import Reply
from nlsh.plan.terms import Host
from nlsh.world import World, reach


class Ping(Action):
    """Measure how long a host takes to answer."""

    name = "network.ping"
    effects = ("net.connect",)

    class Args(BaseArgs):
        host = arg(Host(), "The name or address.", required=True)
        count = arg(Count(), "How often.", default=4, common=("1",))

    def look(self, args: Any, world: World) -> dict[str, bool]:
        return _asked.ways()

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (*_asked.lookup(args.host), *_asked.probe(args.host, seen))

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        place = reach.places(args.host)[0]
        by, times = "ICMP", reach.echo(place, args.count)
        if not seen["echo"]:
            number, times = _tcp(place, args.count)
            by = f"TCP port {number}"
            yield Note("ICMP echo is not allowed to this user here (net.ipv4.ping_group_range), so what is measured is a TCP connection being answered.")
        took: list[float] = []
        for number, time_ms in enumerate(times, start=1):
            took += [] if time_ms is None else [time_ms]
            yield Reply(number, place[1], time_ms, by)
        if not took:
            raise reach.NoAnswer(f"{args.host} did not answer ({by}).", hint="It may be off, or something on the way lets no such question through.")
        yield Note(f"{len(took)} of {args.count} answered: {min(took):.2f} to {max(took):.2f} ms, {sum(took) / len(took):.2f} ms on average.")

    examples = (
        Example(
            say=("ping 127.0.0.1", "does 127.0.0.1 answer", "is 127.0.0.1 alive", "ping一下127.0.0.1", "127.0.0.1能通吗"),
            plan='network.ping("127.0.0.1")',
            result=("1", "2", "3", "4"),
        ),
        Example(
            say=("ping localhost twice", "ping localhost 2 times", "ping两次localhost"),
            plan='network.ping("localhost", count="2")',
            result=("1", "2"),
        ),
        Example(say=("ping 127.0.0.1 zero times",), plan='network.ping("127.0.0.1", count="0")', refused="plan.bad-argument"),
    )


def _tcp(place: reach.Place, count: int) -> tuple[int, Iterator[float | None]]:
    """Return the first port on which the host answers, if only by refusing, and the times of `count` connections."""
    for port in _asked.TCP_PORTS[:-1]:
        if reach.connect(place, port)[1] is not None:
            return port, (reach.connect(place, port)[1] for _ in range(count))
    return _asked.TCP_PORTS[-1], (reach.connect(place, _asked.TCP_PORTS[-1])[1] for _ in range(count))
