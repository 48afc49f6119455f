"""Printers, asked of the print service (CUPS) in its own protocol (IPP) over its socket."""

from __future__ import annotations

import http.client
import os
import socket
import struct
from collections.abc import Iterator
from typing import Any

from nlsh.plan.errors import NotPossible
from nlsh.plan.records.devices import Printer

_PLACES = ("/run/cups/cups.sock", "/var/run/cups/cups.sock")
_GET_DEFAULT, _GET_PRINTERS = 0x4001, 0x4002
_NOT_FOUND = 0x0406
_END_OF_GROUPS = 0x0F  # tags up to this one start a group of attributes
_PRINTER = 0x04
_WANTED = ("printer-name", "printer-info", "printer-location", "printer-state", "printer-state-reasons", "printer-is-accepting-jobs", "queued-job-count")
_STATES = {3: "idle", 4: "printing", 5: "stopped"}
_NOTHING = "Nothing was changed."


def socket_path() -> str:
    """Return the path of the print service's socket. Raises NotPossible where there is none."""
    own = os.environ.get("CUPS_SERVER", "")
    for place in ((own,) if own.startswith("/") else ()) + _PLACES:
        if os.path.exists(place):
            return place
    raise NotPossible("Not available here, because the print service CUPS does not run.", hint=f"{_NOTHING} Start it (service cups) and ask again.")


def printers(connection: socket.socket) -> Iterator[Printer]:
    """Yield the printers, over a connection to the print service, which is used up. Raises NotPossible where it does not answer."""
    talk = http.client.HTTPConnection("localhost")
    talk.auto_open = 0
    talk.sock = connection
    try:
        default = next((a.get("printer-name") for a in _ask(talk, _GET_DEFAULT)), None)
        for found in _ask(talk, _GET_PRINTERS):
            reasons = found.get("printer-state-reasons", ())
            reasons = [r for r in (reasons if isinstance(reasons, list) else [reasons]) if r != "none"]
            name = str(found.get("printer-name", ""))
            about = ", ".join(str(found[k]) for k in ("printer-info", "printer-location") if found.get(k) and found[k] != name)
            yield Printer(
                name, _STATES.get(found.get("printer-state", 0), "unknown"), about, int(found.get("queued-job-count", 0)),
                bool(found.get("printer-is-accepting-jobs", True)), name == default, ", ".join(str(r) for r in reasons),
            )  # fmt: skip
    except (OSError, http.client.HTTPException, struct.error, IndexError) as error:
        raise NotPossible(f"The print service does not answer: {error}.", hint=_NOTHING) from error
    finally:
        talk.close()


def _ask(talk: http.client.HTTPConnection, operation: int) -> list[dict[str, Any]]:
    body = struct.pack(">BBHI", 2, 0, operation, 1) + b"\x01"
    body += _attribute(0x47, "attributes-charset", "utf-8") + _attribute(0x48, "attributes-natural-language", "en")
    for number, name in enumerate(_WANTED):
        body += _attribute(0x44, "" if number else "requested-attributes", name)
    talk.request("POST", "/", body + b"\x03", {"Content-Type": "application/ipp"})
    answer = talk.getresponse()
    data = answer.read()
    if answer.status != 200:
        raise NotPossible(f"The print service does not answer: status {answer.status}.", hint=_NOTHING)
    status = struct.unpack_from(">H", data, 2)[0]
    # Where there is no printer at all, it finds none.
    if status == _NOT_FOUND:
        return []
    if status >= 0x0100:
        raise NotPossible(f"The print service says no (IPP status {status:#06x}).", hint=_NOTHING)
    return [attributes for group, attributes in _groups(data) if group == _PRINTER]


def _attribute(tag: int, name: str, value: str) -> bytes:
    return struct.pack(f">BH{len(name)}sH{len(value)}s", tag, len(name), name.encode(), len(value), value.encode())


def _groups(data: bytes) -> list[tuple[int, dict[str, Any]]]:
    """Return the groups of attributes of an answer; an attribute of several values is a list."""
    found: list[tuple[int, dict[str, Any]]] = []
    at, name = 8, ""
    while at < len(data) and data[at] != 0x03:
        tag = data[at]
        at += 1
        if tag <= _END_OF_GROUPS:
            found.append((tag, {}))
            continue
        length = struct.unpack_from(">H", data, at)[0]
        written = data[at + 2 : at + 2 + length].decode("ascii", "replace")
        at += 2 + length
        size = struct.unpack_from(">H", data, at)[0]
        value = _value(tag, data[at + 2 : at + 2 + size])
        at += 2 + size
        group = found[-1][1]
        if written:
            name, group[written] = written, value
        else:
            group[name] = [*(group[name] if isinstance(group[name], list) else [group[name]]), value]
    return found


def _value(tag: int, data: bytes) -> Any:
    if tag in (0x21, 0x23) and len(data) == 4:  # a number, or one of a list
        return struct.unpack(">i", data)[0]
    if tag == 0x22:
        return data == b"\x01"
    return data.decode("utf-8", "replace")
