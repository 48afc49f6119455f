"""The message bus (D-Bus): calls and properties of the services of a desktop or a system, over a connection that is there already.

A confined worker cannot make such a connection: it is handed one (`nlsh.steps.handles.bus`) where its grant names the bus. jeepney speaks the
protocol; asking and answering is all that is done here, so there is no event loop.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from nlsh.plan.errors import NlshError, NotPossible

TIMEOUT_S = 25.0
_DAEMON = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")


class BusError(NlshError):
    """A service on the bus said no. `name` is the error's own, such as org.freedesktop.DBus.Error.AccessDenied."""

    code = "bus.error"

    def __init__(self, message: str, *, hint: str = "", code: str | None = None, name: str = "") -> None:
        super().__init__(message, hint=hint, code=code)
        self.name = name


class Bus:
    """A connection to a message bus. Use it as a context manager."""

    def __init__(self, connection: socket.socket) -> None:
        """Authenticate on `connection` and say hello. Raises NotPossible."""
        from jeepney.auth import BEGIN, AuthenticationError, Authenticator
        from jeepney.io.blocking import DBusConnection

        connection.settimeout(TIMEOUT_S)
        try:
            talk = Authenticator(inc_null_byte=True)
            for said in talk:
                connection.sendall(said)
                talk.feed(connection.recv(1024))
            connection.sendall(BEGIN)
            connection.settimeout(None)
            self._connection = DBusConnection(connection)
        except (OSError, AuthenticationError) as error:
            connection.close()
            raise NotPossible(f"The message bus does not answer: {error}.", hint="Nothing was changed.") from error

    def __enter__(self) -> Bus:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def call(
        self, service: str | None, path: str, interface: str, method: str, signature: str = "", *body: Any, seconds: float = TIMEOUT_S, may_ask: bool = False
    ) -> tuple[Any, ...]:
        """Call a method and return what it answers. Raises BusError with the service's own words, NotPossible where it does not answer.

        `may_ask`: the service may have the user asked for a password first, by the agent of the desktop.
        """
        from jeepney import DBusAddress, DBusErrorResponse, MessageFlag, MessageType, new_method_call

        message = new_method_call(DBusAddress(path, bus_name=service, interface=interface), method, signature or None, body)
        if may_ask:
            message.header.flags |= MessageFlag.allow_interactive_authorization
        try:
            reply = self._connection.send_and_get_reply(message, timeout=seconds)
        except TimeoutError as error:
            raise NotPossible(f"{service or path} did not answer within {seconds:.0f} seconds.", hint="It may have been done all the same: look.") from error
        except OSError as error:
            raise NotPossible(f"The message bus hung up: {error}.", hint="It may have been done all the same: look.") from error
        if reply.header.message_type is MessageType.error:
            refused = DBusErrorResponse(reply)
            words = str(refused.data[0]) if refused.data else refused.name
            raise BusError(f"{(service or path).rsplit('.', 1)[-1]}: {words.rstrip('.')}.", name=refused.name)
        return tuple(reply.body)

    @contextmanager
    def signals(self, interface: str, name: str) -> Iterator[Callable[[float], tuple[Any, ...]]]:
        """Have signals of this name delivered; yield what waits for the next one, at most so many seconds. It raises NotPossible."""
        from jeepney import MatchRule

        rule = MatchRule(type="signal", interface=interface, member=name)
        self.call(*_DAEMON, "AddMatch", "s", rule.serialise())
        with self._connection.filter(rule, bufsize=1000) as queue:

            def next_one(seconds: float) -> tuple[Any, ...]:
                try:
                    return tuple(self._connection.recv_until_filtered(queue, timeout=seconds).body)
                except TimeoutError as error:
                    raise NotPossible(f"{interface} did not report within {seconds:.0f} seconds.", hint="It may have been done all the same: look.") from error

            yield next_one
        self.call(*_DAEMON, "RemoveMatch", "s", rule.serialise())

    def properties(self, service: str | None, path: str, interface: str) -> dict[str, Any]:
        """Return all properties of an interface of an object."""
        found = self.call(service, path, "org.freedesktop.DBus.Properties", "GetAll", "s", interface)[0]
        return {name: value[1] for name, value in found.items()}

    def property(self, service: str | None, path: str, interface: str, name: str) -> Any:
        """Return one property. Raises BusError where there is none."""
        return self.call(service, path, "org.freedesktop.DBus.Properties", "Get", "ss", interface, name)[0][1]

    def objects(self, service: str, path: str = "/") -> dict[str, dict[str, dict[str, Any]]]:
        """Return every object a service manages: path → interface → property → value."""
        found: Mapping[str, Any] = self.call(service, path, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")[0]
        return {p: {i: {k: v[1] for k, v in values.items()} for i, values in interfaces.items()} for p, interfaces in found.items()}

    def has(self, service: str) -> bool:
        """Whether somebody on the bus goes by this name, or would be started for it."""
        return bool(self.call(*_DAEMON, "NameHasOwner", "s", service)[0]) or service in self.call(*_DAEMON, "ListActivatableNames")[0]
