"""The container engine (Docker or Podman), over the socket on which it speaks HTTP: its containers, their images and what they have printed.

One connection is kept for all requests: a confined worker is handed one and can make no other.
"""

from __future__ import annotations

import json
import os
import socket
import stat
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from nlsh.plan.errors import NlshError, NotFound, NotPossible, Refused
from nlsh.plan.records import Line
from nlsh.plan.records.containers import Container, ContainerImage

if TYPE_CHECKING:
    import http.client

_NOTHING = "Nothing was changed."
_PATIENCE_S = 120.0
_LONGEST_LINE = 1 << 20
STOPPED = ("created", "exited", "dead", "configured", "initialized", "stopped")


class EngineError(NlshError):
    """The container engine said no, in its own words."""

    code = "container.failed"


def socket_path() -> str:
    """Return the path of the engine's socket. Raises NotPossible where there is none, or where this user may not speak to it."""
    for variable in ("DOCKER_HOST", "CONTAINER_HOST"):
        if address := os.environ.get(variable):
            if not address.startswith("unix://"):
                raise NotPossible(
                    f"{variable} names an engine that is not on this machine: {address}.", hint=f"{_NOTHING} nlsh speaks to the engine of this machine only."
                )
            return _usable(address.removeprefix("unix://"))
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    places = ("/var/run/docker.sock", f"{runtime}/docker.sock", f"{runtime}/podman/podman.sock", "/run/podman/podman.sock")
    there = [p for p in places if _is_socket(p)]
    if not there:
        raise NotPossible(
            "Not available here, because no container engine runs: neither Docker nor Podman has a socket.",
            hint=f"{_NOTHING} Start Docker, or Podman's with: systemctl --user start podman.socket",
        )
    return next((p for p in there if os.access(p, os.W_OK)), None) or _usable(there[0])


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False


def _usable(path: str) -> str:
    real = os.path.realpath(path)
    if not _is_socket(real):
        raise NotPossible(f"Not available here, because no container engine answers at {path}.", hint=_NOTHING)
    if not os.access(real, os.W_OK):
        raise NotPossible(
            f"You may not speak to the container engine at {path}.", hint=f"{_NOTHING} Run nlsh with sudo, or have yourself added to the group that may."
        )
    return real


class Engine:
    """The engine at the other end of a connection."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(_PATIENCE_S)
        import http.client

        self._http = http.client.HTTPConnection("localhost")
        self._http.auto_open = 0
        self._http.sock = connection

    def close(self) -> None:
        self._http.close()

    def request(self, method: str, path: str, **query: Any) -> http.client.HTTPResponse:
        """Send a request and return the answer, to be read to its end. Raises NotFound, Refused or EngineError with the engine's words, NotPossible."""
        from http.client import HTTPException

        asked = path + (f"?{urlencode({k: v if isinstance(v, str) else json.dumps(v) for k, v in query.items()})}" if query else "")
        try:
            self._http.request(method, asked, headers={"Accept": "application/json"})
            answer = self._http.getresponse()
            if answer.status < 400:
                return answer
            body = answer.read()
        except (OSError, HTTPException) as error:
            raise NotPossible(f"The container engine does not answer: {error}.", hint="It may have been done all the same: look.") from error
        try:
            words = str(json.loads(body)["message"])
        except (ValueError, KeyError, TypeError):
            words = f"it answered with status {answer.status}"
        kind = {404: NotFound, 409: Refused}.get(answer.status, EngineError)
        raise kind(f"The container engine says: {words.rstrip('.')}.", hint="")

    def ask(self, path: str, **query: Any) -> Any:
        """Return what the engine answers as data."""
        from http.client import HTTPException

        try:
            return json.loads(self.request("GET", path, **query).read() or b"null")
        except (OSError, ValueError, HTTPException) as error:
            raise NotPossible(f"The container engine answers nothing that can be read: {error}.", hint=_NOTHING) from error

    def order(self, method: str, path: str, **query: Any) -> None:
        """Have something done. An engine that says it is so already (304) has done it."""
        self.request(method, path, **query).read()

    def containers(self, *, all: bool, size: bool = False) -> list[dict[str, Any]]:
        """Return the running containers, or all of them, as the engine describes them; `size` counts what each has written."""
        return list(self.ask("/containers/json", **({"all": True} if all else {}), **({"size": True} if size else {})) or ())

    def inspect(self, identity: str) -> dict[str, Any]:
        """Return all that the engine knows of one container. Raises NotFound."""
        return dict(self.ask(f"/containers/{quote(identity, safe='')}/json"))

    def images(self) -> list[dict[str, Any]]:
        """Return the images, as the engine describes them."""
        return list(self.ask("/images/json") or ())

    def logs(self, identity: str, last: int) -> Iterator[Line]:
        """Yield the last lines that a container has printed, on its output and its errors, in the order they came."""
        terminal = bool(self.inspect(identity).get("Config", {}).get("Tty"))
        answer = self.request("GET", f"/containers/{quote(identity, safe='')}/logs", stdout=True, stderr=True, tail=str(last))
        for number, line in enumerate(_lines(_whole(answer) if terminal else _frames(answer)), start=1):
            yield Line(line.decode("utf-8", "replace").rstrip("\r"), number)


def _whole(answer: http.client.HTTPResponse) -> Iterator[tuple[int, bytes]]:
    while data := answer.read1(1 << 16):
        yield 0, data


def _frames(answer: http.client.HTTPResponse) -> Iterator[tuple[int, bytes]]:
    """Yield (stream, data): without a terminal, output and errors come in frames with a header of eight bytes."""
    while header := answer.read(8):
        if len(header) < 8:
            return
        left = int.from_bytes(header[4:], "big")
        while left and (data := answer.read(min(left, 1 << 16))):
            left -= len(data)
            yield header[0], data


def _lines(pieces: Iterator[tuple[int, bytes]]) -> Iterator[bytes]:
    rest: dict[int, bytes] = {}
    for stream, data in pieces:
        *whole, rest[stream] = (rest.get(stream, b"") + data).split(b"\n")
        yield from whole
        if len(rest[stream]) > _LONGEST_LINE:
            yield rest.pop(stream)
    yield from (r for r in rest.values() if r)


def name_of(container: dict[str, Any]) -> str:
    """Return the name of a container in a list, or the start of its id."""
    return next((str(n).lstrip("/") for n in container.get("Names") or ()), "") or str(container["Id"])[:12]


def choose(name: str, engine: Engine, doing: str) -> dict[str, Any]:
    """Return the container that a name, the start of an id, or a part of a name or an image means. Raises NotFound, or Refused where several fit."""
    found = engine.containers(all=True)
    wanted = name.strip().lstrip("/").casefold()
    tests = (
        lambda c: wanted in (str(n).lstrip("/").casefold() for n in c.get("Names") or ()),
        lambda c: len(wanted) >= 4 and str(c["Id"]).startswith(wanted),
        lambda c: wanted in name_of(c).casefold(),
        lambda c: wanted in str(c.get("Image", "")).casefold(),
    )
    for test in tests:
        these = [c for c in found if test(c)]
        if len(these) > 1:
            listed = ", ".join(name_of(c) for c in these[:8])
            raise Refused(f"“{name}” could be any of {len(these)} containers: {listed}.", hint=f"{_NOTHING} Say which to {doing}, by its whole name.")
        if these:
            return these[0]
    known = ", ".join(name_of(c) for c in found[:8])
    raise NotFound(f"There is no container called “{name}”.", hint=f"{_NOTHING} There is {known}." if known else f"{_NOTHING} There are no containers.")


def as_record(container: dict[str, Any]) -> Container:
    """Return a container of a list as a record."""
    ports = []
    for port in container.get("Ports") or ():
        inside = f"{port.get('PrivatePort')}/{port.get('Type', 'tcp')}"
        ports.append(f"{port['PublicPort']}→{inside}" if port.get("PublicPort") else inside)
    return Container(
        name_of(container), str(container.get("Image", "")), str(container.get("State", "")), ", ".join(dict.fromkeys(ports)), _when(container.get("Created")),
        str(container["Id"]),
    )  # fmt: skip


def _when(created: Any) -> float:
    # Docker tells seconds, some versions of Podman a date.
    if isinstance(created, (int, float)):
        return float(created)
    try:
        return datetime.fromisoformat(str(created)).timestamp()
    except ValueError:
        return 0.0


def tags_of(image: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of an image; one that lost its name to a newer one has none."""
    return tuple(str(t) for t in image.get("RepoTags") or () if t != "<none>:<none>")


def image_record(image: dict[str, Any]) -> ContainerImage:
    """Return an image of a list as a record."""
    names = tags_of(image)
    short = str(image["Id"]).removeprefix("sha256:")[:12]
    return ContainerImage(names[0] if names else short, int(image.get("Size") or 0), _when(image.get("Created")), names, str(image["Id"]))
