"""Records of the network: routes, connections, answers of other hosts, wireless networks, name servers, rules of a firewall."""

from __future__ import annotations

from typing import ClassVar

from nlsh.plan.frozen import frozen
from nlsh.plan.records import Record


@frozen()
class Route(Record):
    """Where packets to a destination go. `destination` is “default” for all others; `gateway` is empty where it is reached directly."""

    destination: str
    gateway: str
    interface: str
    metric: int
    family: str
    columns: ClassVar = ("destination", "gateway", "interface", "metric", "family")


@frozen()
class HostAddress(Record):
    """An address that a name has, or a name that an address has."""

    address: str
    name: str
    family: str
    columns: ClassVar = ("address", "name", "family")


@frozen()
class Connection(Record):
    """A connection, and who has it; a datagram socket without a peer has no remote end."""

    protocol: str
    local_address: str
    local_port: int
    remote_address: str
    remote_port: int | None
    state: str
    pid: int | None = None
    process: str = ""
    columns: ClassVar = ("protocol", "local_address", "local_port", "remote_address", "remote_port", "state", "pid", "process")


@frozen()
class Reply(Record):
    """How long one question took to be answered, None where it was not. `by` says how it was asked: ICMP, or TCP and a port."""

    number: int
    address: str
    time_ms: float | None
    by: str
    columns: ClassVar = ("number", "address", "time_ms", "by")


@frozen()
class Hop(Record):
    """A station on the way to a host; without an address where it did not answer. `note` says why the way ends here."""

    number: int
    address: str
    time_ms: float | None
    note: str = ""
    columns: ClassVar = ("number", "address", "time_ms", "note")


@frozen()
class Reached(Record):
    """What came of an attempt to connect. `state` is open, refused, no answer or no way."""

    state: str
    host: str
    port: int
    address: str
    time_ms: float | None = None
    columns: ClassVar = ("state", "host", "port", "address", "time_ms")


@frozen()
class Level(Record):
    """One of the things that being connected takes. `state` is yes or no."""

    level: str
    state: str
    detail: str
    columns: ClassVar = ("level", "state", "detail")


@frozen()
class Downloaded(Record):
    """A file that was downloaded, and from where in the end."""

    path: str
    size_bytes: int
    sha256: str
    url: str
    columns: ClassVar = ("path", "size_bytes", "sha256")


@frozen()
class Wifi(Record):
    """A wireless network in reach; of several stations of one name, the strongest."""

    name: str
    signal_percent: int
    security: str
    frequency_mhz: int
    connected: bool = False
    known: bool = False
    columns: ClassVar = ("name", "signal_percent", "security", "frequency_mhz", "connected", "known")


@frozen()
class HostEntry(Record):
    """An entry of the hosts file; `line` counts from 1."""

    address: str
    names: str
    line: int
    columns: ClassVar = ("address", "names")


@frozen()
class FirewallRule(Record):
    """A rule, or what happens to what no rule is about (`rule` “everything else”)."""

    where: str
    rule: str
    answer: str
    columns: ClassVar = ("where", "rule", "answer")


@frozen()
class NameServer(Record):
    """A name server that this machine asks, for an interface or for all; `domains` are those it is asked about, or that are tried."""

    address: str
    interface: str
    source: str
    domains: str = ""
    columns: ClassVar = ("address", "interface", "source", "domains")
