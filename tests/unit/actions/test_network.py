"""The network actions, against sockets, name servers, hosts files and networks of the test's own."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlsh.guard.grant import Grant
from nlsh.plan import registry
from nlsh.plan.effects import Effect
from nlsh.plan.errors import BadArgument, NotFound, NotPossible, Refused, StaleStep
from nlsh.plan.records import Note, Record
from nlsh.steps.hosts import EditHosts, without
from nlsh.testing import Scene, snapshot
from nlsh.world import World, firewall, reach, routes
from tests.sandbox.conftest import eventually, in_child
from tests.unit.world.network_of_its_own import alone, can_be_alone, can_have_a_router, enter, routed


def look(action: str, **written: Any) -> tuple[Any, Any, Any]:
    unit = registry.get(action)
    args = unit.Args.bind(action, written)
    return unit, args, unit.look(args, World())


def records(action: str, **written: Any) -> list[Record]:
    unit, args, seen = look(action, **written)
    return [r for r in unit.observe(args, seen, World()) if not isinstance(r, Note)]


def needs(action: str, **written: Any) -> set[tuple[str, str]]:
    unit, args, seen = look(action, **written)
    return {(e.kind, e.target) for e in unit.needs(args, seen)}


# --- routes, gateways, name servers

ROUTES = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
eth0\t00000000\tFE01A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
eth0\t0000000A\t00000000\t0201\t0\t0\t100\t000000FF\t0\t0\t0
"""
ROUTES6 = """00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000064 00000001 00000000 00000003   eth0
fe800000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
ff000000000000000000000000000000 08 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000001 00000000 80200001       lo
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
"""


@pytest.mark.skipif(struct.pack("=I", 1)[0] != 1, reason="these tables are of a little-endian machine")
def test_routes_are_read_from_the_kernels_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "4").write_text(ROUTES)
    (tmp_path / "6").write_text(ROUTES6)
    monkeypatch.setattr(routes, "ROUTES", str(tmp_path / "4"))
    monkeypatch.setattr(routes, "ROUTES6", str(tmp_path / "6"))
    assert [r.plain() for r in records("network.routes")] == [
        "default\t192.168.1.254\teth0\t100\tIPv4", "default\t192.168.1.1\twlan0\t600\tIPv4", "192.168.1.0/24\t\teth0\t100\tIPv4",
        "default\tfe80::1\teth0\t100\tIPv6", "fe80::/64\t\teth0\t256\tIPv6",
    ]  # fmt: skip
    assert routes.gateways() == [("192.168.1.254", "eth0"), ("192.168.1.1", "wlan0"), ("fe80::1%eth0", "eth0")]
    monkeypatch.setattr(routes, "ROUTES6", str(tmp_path / "there is none"))
    assert len(records("network.routes")) == 3


def test_name_servers_of_resolv_conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conf = tmp_path / "resolv.conf"
    monkeypatch.setattr(routes, "RESOLV_CONF", str(conf))
    conf.write_text("; a comment\nnameserver 10.0.0.1 # this\nnameserver 10.0.0.1\nnameserver\nsearch a b\noptions edns0\nnameserver fe80::1%eth0\n")
    assert [r.plain() for r in records("network.names")] == [f"10.0.0.1\t\t{conf}\ta b", f"fe80::1%eth0\t\t{conf}\ta b"]
    assert ("fs.read", str(conf)) in needs("network.names") and not any(k.startswith("bus.") for k, _ in needs("network.names"))
    conf.write_text("# none\n")
    with pytest.raises(NotFound):
        records("network.names")


# --- look-ups


def test_an_address_of_this_machine_has_its_name_and_back(home: Path) -> None:
    assert {r.address for r in records("network.lookup", host="localhost")} <= {"127.0.0.1", "::1"}  # type: ignore[attr-defined]
    assert [r.name for r in records("network.lookup", host="127.0.0.1")] == ["localhost"]  # type: ignore[attr-defined]
    assert needs("network.lookup", host="Example.ORG") == {("net.connect", "dns://example.org")}


@pytest.mark.parametrize(("code", "error"), [(socket.EAI_NONAME, NotFound), (socket.EAI_AGAIN, NotPossible)])
def test_what_a_look_up_fails_with(home: Path, monkeypatch: pytest.MonkeyPatch, code: int, error: type[Exception]) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise socket.gaierror(code, "no")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(error):
        records("network.lookup", host="example.org")
    with pytest.raises(error):
        records("network.ping", host="example.org")


# --- connections


def test_connections_by_program_port_and_process(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client, server.accept()[0]:
        port, mine = server.getsockname()[1], client.getsockname()[1]
        found = {(r.local_port, r.remote_port, r.state, r.pid) for r in records("network.connections", port=str(port))}  # type: ignore[attr-defined]
        assert found == {(port, None, "listen", os.getpid()), (port, mine, "established", os.getpid()), (mine, port, "established", os.getpid())}
        assert {r.pid for r in records("network.connections", pid=str(os.getpid()))} == {os.getpid()}  # type: ignore[attr-defined]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            datagrams.bind(("127.0.0.1", 0))
            (only,) = records("network.connections", port=str(datagrams.getsockname()[1]), pid=str(os.getpid()))
            assert (only.protocol, only.state, only.remote_port) == ("udp", "", None)  # type: ignore[attr-defined]
    with pytest.raises(NotFound):
        look("network.connections", pid="4194303")


# --- reaching


@pytest.fixture
def full() -> Iterator[int]:
    """A port that does not answer: nobody accepts, and its queue is full."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(server.getsockname())
        yield server.getsockname()[1]


def test_a_port_is_open_refused_or_does_not_answer(home: Path, full: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (found,) = records("network.reach", host="127.0.0.1", port=str(port))
        assert (found.state, found.address) == ("open", "127.0.0.1") and found.time_ms < 1000  # type: ignore[attr-defined]
    (found,) = records("network.reach", host="127.0.0.1", port=str(port))
    assert found.state == "refused"  # type: ignore[attr-defined]
    monkeypatch.setattr(reach.connect, "__defaults__", (0.2,))
    (found,) = records("network.reach", host="127.0.0.1", port=str(full))
    assert (found.state, found.time_ms) == ("no answer", None)  # type: ignore[attr-defined]


def test_of_several_addresses_one_is_enough(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(reach, "places", lambda host: [(socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.1")])
        (found,) = records("network.reach", host="localhost", port=str(server.getsockname()[1]))
    assert (found.state, found.address) == ("open", "127.0.0.1")  # type: ignore[attr-defined]


def test_what_reaching_needs(home: Path) -> None:
    assert needs("network.reach", host="::1", port="80") == {("net.connect", "[::1]:80")}
    assert needs("network.reach", host="example.org", port="80") == {("net.connect", "dns://example.org"), ("net.connect", "example.org:80")}
    assert needs("network.trace", host="127.0.0.1") == {("net.connect", "udp://127.0.0.1")}


@pytest.mark.skipif(not can_be_alone(), reason="only root can make a network of its own")
def test_where_no_route_leads(home: Path) -> None:
    one = (socket.AF_INET, "192.0.2.1")

    def inside() -> list[Any]:
        alone()
        Path(reach.GROUPS).write_text("0 2147483647")
        return [reach.connect(one, 80), [h.plain() for h in reach.trace(one)], list(reach.echo(one, 2, pause_s=0)), reach.ask_name_server(one[1])]

    assert in_child(inside).value == [("no way", None), ["1\t\t\tnetwork is unreachable"], [None, None], None]


# --- ping


@pytest.mark.parametrize(("text", "may"), [("0\t2147483647\n", True), ("1\t0\n", False), ("rubbish", False), (f"{os.getegid()} {os.getegid()}", True)])
def test_who_may_send_an_echo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, may: bool) -> None:
    (tmp_path / "range").write_text(text)
    monkeypatch.setattr(reach, "GROUPS", str(tmp_path / "range"))
    assert reach.may_echo() is may
    kinds = {t for _, t in needs("network.ping", host="127.0.0.1")}
    assert kinds == ({"icmp://127.0.0.1"} if may else {"127.0.0.1:443", "127.0.0.1:80"})


def test_without_an_echo_it_says_so(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "GROUPS", str(tmp_path / "none"))
    unit, args, seen = look("network.ping", host="127.0.0.1", count="2")
    found = list(unit.observe(args, seen, World()))
    assert "ping_group_range" in found[0].text and [r.by for r in found[1:3]] == ["TCP port 443"] * 2 and "2 of 2 answered" in found[3].text


def test_no_answer_is_an_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "may_echo", lambda: False)
    monkeypatch.setattr(reach, "connect", lambda place, port, seconds=0: ("no answer", None))
    with pytest.raises(reach.NoAnswer):
        records("network.ping", host="127.0.0.1", count="2")


@pytest.mark.skipif(not can_be_alone(), reason="only root can make a network of its own")
def test_a_ping_by_icmp_from_plan_to_answer(tmp_path: Path) -> None:
    def inside() -> list[str]:
        alone()
        Path("/proc/sys/net/ipv4/ping_group_range").write_text("0 2147483647")
        with Scene(tmp_path) as scene:
            played = scene.play('network.ping("127.0.0.1", count="2")')
            assert played.error is None, played.error
            return [r.by for r in played.records if not isinstance(r, Note)]  # type: ignore[attr-defined]

    assert in_child(inside).value == ["ICMP", "ICMP"]


# --- trace


@pytest.mark.skipif(not can_have_a_router(), reason="three networks cannot be joined here")
@pytest.mark.parametrize(("family", "stations"), [
    (socket.AF_INET, ["10.9.1.1", "10.9.2.2"]), (socket.AF_INET6, ["fd09:1::1", "fd09:2::2"]),
])  # fmt: skip
def test_the_stations_on_a_way(home: Path, family: socket.AddressFamily, stations: list[str]) -> None:
    goal = stations[-1]
    with routed() as client:

        def confined(to: str) -> list[Any]:
            enter(client)
            granted = Grant.of([Effect("net.connect", f"udp://{to}")])
            return in_child(lambda: [(h.number, h.address, h.note) for h in reach.trace((family, to))], grant=granted).value

        # The first packets may be lost while the neighbours find each other.
        assert eventually(lambda: in_child(lambda: confined(goal)).value == [(1, stations[0], ""), (2, stations[1], "arrived")])
        nowhere = "10.77.0.1" if family == socket.AF_INET else "fd77::1"
        assert in_child(lambda: confined(nowhere)).value[-1] == (1, stations[0], "no way from here")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_this_machine_is_one_step_away(home: Path, address: str) -> None:
    if ":" in address and not socket.has_ipv6:
        pytest.skip("there is no IPv6 here")
    assert [(r.number, r.address, r.note) for r in records("network.trace", host=address)] == [(1, address, "arrived")]  # type: ignore[attr-defined]


def test_silence_is_not_followed_for_ever(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "_said", lambda *_: None)
    unit, args, seen = look("network.trace", host="127.0.0.1")
    found = list(unit.observe(args, seen, World()))
    assert len(found) == 9 and "did not answer" in found[-1].text


# --- online


@pytest.fixture
def name_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A name server on a loopback port, which is this machine's only one; `say` is how it answers, None: not at all."""
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    monkeypatch.setattr(routes, "RESOLV_CONF", str(tmp_path / "resolv.conf"))
    monkeypatch.setattr(routes, "GATEWAY", "127.0.0.1")
    state: dict[str, Any] = {"say": 0, "asked": []}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        monkeypatch.setattr(reach, "DNS_PORT", one.getsockname()[1])

        def answer() -> None:
            while True:
                question, peer = one.recvfrom(512)
                if question == b"stop":
                    return
                state["asked"].append(question)
                if state["say"] is not None:
                    one.sendto(b"xx" + question[2:], peer)  # of somebody else: not to be believed
                    one.sendto(question[:2] + bytes((0x81, 0x80 | state["say"])) + question[4:], peer)

        thread = threading.Thread(target=answer)
        thread.start()
        yield state
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"stop", one.getsockname())
        thread.join()


def levels() -> dict[str, tuple[str, str]]:
    return {r.level: (r.state, r.detail) for r in records("network.online")}  # type: ignore[attr-defined]


def test_each_level_is_said_by_itself(home: Path, name_server: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    found = levels()
    assert list(found) == ["interface", "gateway", "name server"]
    assert found["gateway"][0] == "yes" and found["name server"][0] == "yes" and "answers in" in found["name server"][1]
    # The question is for the root's servers, and nothing of the user's.
    assert name_server["asked"][0][2:] == bytes.fromhex("010000010000000000000000020001")
    name_server["say"] = 5
    assert "error 5" in levels()["name server"][1]
    name_server["say"] = None
    monkeypatch.setattr(reach.ask_name_server, "__defaults__", (0.1,))
    assert levels()["name server"] == ("no", "127.0.0.1 does not answer")


def test_nothing_is_asked_where_nothing_is_named(home: Path, name_server: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "resolv.conf").write_text("")
    monkeypatch.setattr(routes, "GATEWAY", "")
    for table in ("ROUTES", "ROUTES6"):
        monkeypatch.setattr(routes, table, str(tmp_path / "none"))
    assert needs("network.online") == {("net.read", "*")}
    found = levels()
    assert (found["gateway"][0], found["name server"][0]) == ("no", "no") and name_server["asked"] == []


def test_it_asks_only_the_machines_own(home: Path, name_server: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "may_echo", lambda: False)
    monkeypatch.setattr(reach, "GROUPS", "/nowhere")
    assert needs("network.online") == {("net.read", "*"), ("net.connect", "127.0.0.1:443"), ("net.connect", "127.0.0.1:80"), ("net.connect", "udp://127.0.0.1")}


# --- the hosts file


@pytest.fixture
def hosts(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = home / "etc" / "hosts"
    path.parent.mkdir()
    path.write_bytes(b"# mine\r\n127.0.0.1\tlocalhost\n\n192.168.1.5 nas.home NAS # upstairs\nnot an entry\n192.168.1.6\tprinter\n\xff\xfe broken\n")
    monkeypatch.setattr(routes, "HOSTS", str(path))
    return path


def steps(action: str, **written: Any) -> tuple[Any, ...]:
    unit, args, seen = look(action, **written)
    return tuple(unit.steps(args, seen))


def test_entries_are_what_the_c_library_takes_for_such(hosts: Path) -> None:
    assert [(r.address, r.names, r.line) for r in records("network.hosts")] == [  # type: ignore[attr-defined]
        ("127.0.0.1", "localhost", 2), ("192.168.1.5", "nas.home NAS", 4), ("192.168.1.6", "printer", 6),
    ]  # fmt: skip


@pytest.mark.parametrize(("action", "written", "gone", "come"), [
    ("network.add_host", {"host": "tv.home", "address": "192.168.1.7"}, b"", b"192.168.1.7\ttv.home\n"),
    ("network.add_host", {"host": "nas.home", "address": "fd00::5"}, b"", b"fd00::5\tnas.home\n"),
    ("network.remove_host", {"host": "nas"}, b"192.168.1.5 nas.home NAS # upstairs\n", b"192.168.1.5\tnas.home # upstairs\n"),
    ("network.remove_host", {"host": "PRINTER"}, b"192.168.1.6\tprinter\n", b""),
])  # fmt: skip
def test_a_change_and_back(hosts: Path, action: str, written: dict[str, str], gone: bytes, come: bytes) -> None:
    os.chmod(hosts, 0o640)
    before, content = snapshot(hosts.parent), hosts.read_bytes()
    (step,) = steps(action, **written)
    step.check()
    step.apply()
    new = hosts.read_bytes()
    assert new == (content.replace(gone, come) if gone else content + come)
    assert hosts.stat().st_mode & 0o777 == 0o640
    back = step.inverse()
    back.check()
    back.apply()
    os.utime(hosts.parent, ns=(before["."][3],) * 2)
    assert snapshot(hosts.parent) == before


def test_a_file_changed_meanwhile_is_left_alone(hosts: Path) -> None:
    (step,) = steps("network.add_host", host="tv.home", address="192.168.1.7")
    hosts.write_text("127.0.0.1 localhost\n")
    with pytest.raises(StaleStep):
        step.check()
    with pytest.raises(StaleStep):
        step.apply()
    assert hosts.read_text() == "127.0.0.1 localhost\n"


def test_what_is_there_already(hosts: Path) -> None:
    assert steps("network.add_host", host="nas.home", address="192.168.1.5") == ()
    with pytest.raises(Refused):
        steps("network.add_host", host="nas", address="192.168.1.9")
    with pytest.raises(Refused):
        steps("network.remove_host", host="localhost")
    with pytest.raises(NotFound) as caught:
        steps("network.remove_host", host="nas.office")
    assert "nas.home" in caught.value.hint


@pytest.mark.parametrize(("host", "address"), [("a", "b"), ("192.168.1.1", "192.168.1.2"), ("a b", "::1"), ("a\n127.0.0.1 bank", "::1")])
def test_what_is_no_entry(hosts: Path, host: str, address: str) -> None:
    with pytest.raises(BadArgument):
        steps("network.add_host", host=host, address=address)


def test_no_hosts_file_and_no_right_to_it(hosts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    with pytest.raises(NotPossible) as caught:
        steps("network.add_host", host="tv.home", address="192.168.1.7")
    assert "sudo" in caught.value.hint
    monkeypatch.undo()
    monkeypatch.setattr(routes, "HOSTS", str(hosts) + ".gone")
    with pytest.raises(NotFound):
        steps("network.add_host", host="tv.home", address="192.168.1.7")
    assert records("network.hosts") == []


@settings(max_examples=200, deadline=None)
@given(st.binary(), st.sampled_from(["nas", "nas.home", "a"]))
def test_taking_a_name_out_leaves_every_other(line: bytes, host: str) -> None:
    line = line.replace(b"\n", b"").replace(b"\r", b"")
    full = b"10.0.0.1 nas b NAS.home a " + line + b"\n"
    left = without(full, host)

    def names(text: bytes) -> list[bytes]:
        return text.partition(b"#")[0].split()[1:]

    assert names(left) == [n for n in names(full) if n.lower() != host.encode()]
    assert without(b"# " + line, host) == b"# " + line


def test_the_step_says_what_it_does(hosts: Path) -> None:
    (step,) = steps("network.add_host", host="tv.home", address="192.168.1.7")
    assert isinstance(step, EditHosts) and step.describe() == f"add 192.168.1.7 tv.home to {hosts}"
    assert ("fs.write", str(hosts)) in {(e.kind, e.target) for e in step.effects()}


# --- the firewall

RULESET = """{"nftables": [{"metainfo": {"version": "1.0.6", "json_schema_version": 1}},
{"table": {"family": "inet", "name": "filter", "handle": 1}},
{"chain": {"family": "inet", "table": "filter", "name": "input", "handle": 1, "type": "filter", "hook": "input", "prio": 0, "policy": "drop"}},
{"chain": {"family": "inet", "table": "filter", "name": "own", "handle": 2}},
{"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 3, "expr": [
  {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}, {"accept": null}]}},
{"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 4, "expr": [
  {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "lo"}}, {"counter": {"packets": 1, "bytes": 2}}, {"accept": null}]}},
{"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 5, "expr": [
  {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": {"set": [22, {"range": [8000, 8080]}]}}},
  {"match": {"op": "!=", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": {"prefix": {"addr": "10.0.0.0", "len": 8}}}},
  {"limit": {"rate": 3, "per": "minute"}}, {"jump": {"target": "own"}}]}},
{"rule": {"family": "inet", "table": "filter", "chain": "own", "handle": 6, "expr": [{"log": null}, {"reject": {"type": "icmpx"}}]}}
]}"""


def test_rules_of_nftables_in_words() -> None:
    assert [r.plain() for r in firewall.nftables(RULESET)] == [
        "inet filter input\tct state established, related\taccept",
        "inet filter input\tiifname lo\taccept",
        "inet filter input\ttcp dport {22, 8000-8080} ip saddr != 10.0.0.0/8 limit\tjump own",
        "inet filter input (input)\teverything else\tdrop",
        "inet filter own\teverything\treject",
    ]
    assert [r.plain() for r in firewall.nftables('{"nftables": [{"metainfo": {}}]}')] == ["nftables\teverything else\taccept"]
    for text in ("", "{}", "[]", '{"nftables": [1]}'):
        with pytest.raises(NotPossible):
            list(firewall.nftables(text))


@pytest.mark.skipif(shutil.which("nft") is None or not can_be_alone(), reason="there is no nft, or no network of its own to have rules in")
def test_the_rules_of_a_real_nft(tmp_path: Path) -> None:
    def inside() -> list[str]:
        alone()
        rules = "table inet own {\n chain in {\n type filter hook input priority 0; policy drop;\n tcp dport 22 accept\n tcp dport vmap { 25 : drop }\n }\n}\n"
        subprocess.run(["nft", "-f", "-"], input=rules.encode(), check=True)
        with Scene(tmp_path) as scene:
            played = scene.play("network.firewall()")
            assert played.error is None, played.error
            return [r.plain() for r in played.records]

    wanted = ["inet own in\ttcp dport 22\taccept", "inet own in\ttcp dport\tby a map", "inet own in (input)\teverything else\tdrop"]
    assert in_child(inside).value == wanted


def test_ufw_from_its_own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UFW_CONF", "UFW_DEFAULTS"):
        monkeypatch.setattr(firewall, name, str(tmp_path / name))
    monkeypatch.setattr(firewall, "UFW_RULES", (str(tmp_path / "rules"), str(tmp_path / "rules6")))
    (tmp_path / "UFW_CONF").write_text("# on or off\nENABLED=no\n")
    assert [r.answer for r in firewall.ufw()] == ["accept: ufw is switched off"]
    (tmp_path / "UFW_CONF").write_text("ENABLED=yes\nLOGLEVEL=low\n")
    (tmp_path / "UFW_DEFAULTS").write_text('DEFAULT_INPUT_POLICY="DROP"\nDEFAULT_OUTPUT_POLICY="ACCEPT"\n')
    (tmp_path / "rules").write_text(
        "### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in\n-A ufw-user-input -p tcp --dport 22 -j ACCEPT\n"
        "### tuple ### deny any any 0.0.0.0/0 any 10.0.0.0/8 in_eth0\n### tuple ### allow tcp 80,443 0.0.0.0/0 any 0.0.0.0/0 Nginx%20Full - in\n"
    )
    assert [r.plain() for r in firewall.ufw()] == [
        "ufw in\ttcp port 22 of 0.0.0.0/0 from 0.0.0.0/0\tallow", "ufw in\tall ports of 0.0.0.0/0 from 10.0.0.0/8\tdeny",
        "ufw in\ttcp port 80,443 of 0.0.0.0/0 from 0.0.0.0/0\tallow", "ufw in\teverything else\tdrop", "ufw out\teverything else\taccept",
    ]  # fmt: skip
