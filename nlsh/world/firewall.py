"""What a firewall lets through: from nftables' JSON, from ufw's own files, from firewalld over the message bus.

LIMIT: rules of the old iptables (not those it hands to nftables) are not seen: nothing gives them in a form for programs.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nlsh.plan.errors import NotPossible
from nlsh.plan.records.network import FirewallRule

if TYPE_CHECKING:
    from nlsh.world.bus import Bus

FIREWALLD = "org.fedoraproject.FirewallD1"
_FIREWALLD_PATH = "/org/fedoraproject/FirewallD1"
UFW_CONF, UFW_DEFAULTS, UFW_RULES = "/etc/ufw/ufw.conf", "/etc/default/ufw", ("/etc/ufw/user.rules", "/etc/ufw/user6.rules")
_REST = "everything else"
_VERDICTS = ("accept", "drop", "reject", "return", "queue", "continue", "masquerade", "snat", "dnat", "redirect", "tproxy", "notrack")
# Of a match in JSON, the word that nft itself leaves out.
_EQUAL = {"==", "in"}


def nftables(text: str) -> Iterator[FirewallRule]:
    """Yield the rules in what `nft -j list ruleset` writes, each chain's policy last. Raises NotPossible for other text."""
    try:
        listed = [next(iter(item.items())) for item in json.loads(text)["nftables"]]
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
        raise NotPossible("nft did not answer in its JSON form.", hint="Nothing was changed.") from error
    chains = [what for kind, what in listed if kind == "chain"]
    if not chains:
        yield FirewallRule("nftables", _REST, "accept")
    for chain in chains:
        where = f"{chain['family']} {chain['table']} {chain['name']}"
        for kind, rule in listed:
            if kind == "rule" and (rule["family"], rule["table"], rule["chain"]) == (chain["family"], chain["table"], chain["name"]):
                yield FirewallRule(where, *_rule(rule.get("expr", [])))
        if "policy" in chain:
            yield FirewallRule(f"{where} ({chain.get('hook', '')})", _REST, chain["policy"])


def _rule(parts: list[dict[str, Any]]) -> tuple[str, str]:
    """Return what a rule is about, and what it does with that."""
    about, does = [], ""
    for part in parts:
        kind, detail = next(iter(part.items()))
        if kind == "match":
            operator = "" if detail["op"] in _EQUAL else f" {detail['op']}"
            about.append(f"{_value(detail['left'])}{operator} {_value(detail['right'])}")
        elif kind in _VERDICTS:
            does = kind
        elif kind in ("jump", "goto"):
            does = f"{kind} {detail['target']}"
        elif kind == "vmap":
            about.append(_value(detail["key"]))
            does = "by a map"
        elif kind not in ("counter", "log", "comment"):
            # What is not put into words here is still named.
            about.append(kind if not isinstance(detail, dict) or "name" not in detail else f"{kind} {detail['name']}")
    return " ".join(about) or "everything", does or "go on"


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_value(v) for v in value)
    if not isinstance(value, dict):
        return str(value)
    kind, detail = next(iter(value.items()))
    if kind == "payload":
        return f"{detail['protocol']} {detail['field']}" if "protocol" in detail else "raw bytes"
    if kind in ("meta", "ct"):
        return f"ct {detail['key']}" if kind == "ct" else str(detail["key"])
    if kind == "range":
        return "-".join(_value(v) for v in detail)
    if kind == "prefix":
        return f"{_value(detail['addr'])}/{detail['len']}"
    if kind in ("set", "concat"):
        return f"{{{_value(detail)}}}" if kind == "set" else _value(detail)
    if kind == "elem":
        return _value(detail["val"])
    return kind


def ufw() -> Iterator[FirewallRule]:
    """Yield whether ufw is switched on, what it does by default, and its rules where they may be read (by root)."""
    if _settings(UFW_CONF).get("ENABLED", "no").lower() != "yes":
        yield FirewallRule("ufw", _REST, "accept: ufw is switched off")
        return
    for path in UFW_RULES:
        if os.access(path, os.R_OK):
            with open(path, encoding="utf-8", errors="replace") as file:
                for line in file:
                    # ufw notes each rule like this, and reads it back from there.
                    if found := re.match(r"### tuple ### (\S+) (\S+) (\S+) (\S+) (\S+) (\S+)(?: \S+ \S+)? (\S+)", line):
                        action, protocol, port, to, _, source, direction = found.groups()
                        what = f"{'' if protocol == 'any' else protocol + ' '}{'port ' + port if port != 'any' else 'all ports'}"
                        yield FirewallRule(f"ufw {direction.partition('_')[0]}", f"{what} of {to} from {source}", action)
    defaults = _settings(UFW_DEFAULTS)
    for key, where in (("DEFAULT_INPUT_POLICY", "in"), ("DEFAULT_OUTPUT_POLICY", "out"), ("DEFAULT_FORWARD_POLICY", "through")):
        if key in defaults:
            yield FirewallRule(f"ufw {where}", _REST, defaults[key].lower())


def _settings(path: str) -> dict[str, str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return {k.strip(): v.strip().strip("\"'") for k, _, v in (line.partition("=") for line in file if "=" in line and not line.startswith("#"))}
    except OSError:
        return {}


def firewalld(bus: Bus) -> Iterator[FirewallRule]:
    """Yield what firewalld lets in, zone by zone; of the zones, those that an interface is in, else the default one."""
    zones = f"{FIREWALLD}.zone"
    active = bus.call(FIREWALLD, _FIREWALLD_PATH, zones, "getActiveZones")[0]
    for zone in active or {bus.call(FIREWALLD, _FIREWALLD_PATH, FIREWALLD, "getDefaultZone")[0]: {}}:
        settings = {k: v[1] for k, v in bus.call(FIREWALLD, _FIREWALLD_PATH, zones, "getZoneSettings2", "s", zone)[0].items()}
        where = f"zone {zone}"
        for service in settings.get("services", ()):
            yield FirewallRule(where, f"service {service}", "accept")
        for port, protocol in settings.get("ports", ()):
            yield FirewallRule(where, f"{protocol} port {port}", "accept")
        for rule in settings.get("rules_str", ()):
            yield FirewallRule(where, rule, "as it says")
        target = settings.get("target", "default")
        yield FirewallRule(where, _REST, "reject" if target in ("default", "%%REJECT%%") else target.lower())
