"""McpCall: start an MCP server, call one of its tools, and end it; the server has what this worker has, and nothing else.

The protocol is spoken here, not by the SDK: what runs confined is small, and needs neither an event loop nor a socket for one.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shlex
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError, NotPossible
from nlsh.plan.records import Line, Record
from nlsh.plan.steps import Step

LIMIT_S = 120.0
HELLO_S = 20.0  # for the first answer: who says nothing by then is no MCP server, or waits for something
_ENDS_WITHIN_S = 2.0
_MOST_BYTES = 16 << 20
_VERSION = "2025-06-18"
_NO_METHOD = -32601


class McpFailed(NlshError):
    """An MCP server did not do what it was asked to."""

    code = "mcp.failed"


@dataclass(frozen=True)
class McpCall(Step):
    """Call `tool` (empty: list the tools) of the server that `command` starts, confined to `needed`."""

    server: str
    command: tuple[str, ...]
    tool: str
    arguments: dict[str, Any]
    needed: tuple[tuple[str, str], ...]

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("tool.run", shlex.join(self.command)), *(Effect(kind, target) for kind, target in self.needed))

    def describe(self) -> str:
        given = ", ".join(f"{k}={json.dumps(v, ensure_ascii=False)}" for k, v in self.arguments.items())
        what = f"call {self.tool}({given}) of the MCP server {self.server}" if self.tool else f"start the MCP server {self.server} and list its tools"
        return f"{what}; what it does is not known beyond the effects it is confined to"

    def no_undo(self) -> str:
        return "what an MCP server does is not known to nlsh"

    def apply(self) -> Iterator[Record]:
        from nlsh.world.tools import environment

        try:
            process = subprocess.Popen(self.command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/")
        except OSError as error:
            raise NotPossible(f"{self.command[0]} cannot be run: {error.strerror}.", hint="Nothing was done.") from error
        talk = _Talk(process, self.server)
        try:
            talk.ask("initialize", protocolVersion=_VERSION, capabilities={}, clientInfo={"name": "nlsh", "version": "1"})
            talk.greeted()
            if self.tool:
                yield from self._result(talk.ask("tools/call", name=self.tool, arguments=self.arguments))
            else:
                yield from (Line(json.dumps(tool), n) for n, tool in enumerate(self._tools(talk), start=1))
        finally:
            talk.end()

    def _result(self, found: dict[str, Any]) -> Iterator[Record]:
        content = [c for c in found.get("content", ()) if isinstance(c, dict)]
        texts = [str(c.get("text", f"({c.get('type')} content)")) for c in content] or [json.dumps(found.get("structuredContent", {}))]
        if found.get("isError"):
            raise McpFailed(f"{self.server}: {self.tool}: {' '.join(texts)[:1000]}.", hint="What it did before that is not known.")
        yield from (Line(line, n) for n, line in enumerate((line for text in texts for line in text.splitlines()), start=1))

    def _tools(self, talk: _Talk) -> Iterator[dict[str, Any]]:
        cursor: dict[str, Any] = {}
        for _ in range(100):
            found = talk.ask("tools/list", **cursor)
            yield from (t for t in found.get("tools", ()) if isinstance(t, dict) and isinstance(t.get("name"), str))
            if not isinstance(found.get("nextCursor"), str):
                return
            cursor = {"cursor": found["nextCursor"]}


class _Talk:
    """A conversation with a server over its standard streams: one JSON message a line."""

    def __init__(self, process: subprocess.Popen[bytes], name: str) -> None:
        self._process, self._name = process, name
        self._until, self._limit, self._id, self._rest = time.monotonic() + HELLO_S, HELLO_S, 0, b""

    def greeted(self) -> None:
        """Say that it has begun; what it is asked from now on may take its time."""
        self._until, self._limit = time.monotonic() + LIMIT_S, LIMIT_S
        self.tell("notifications/initialized")

    def tell(self, method: str, **params: Any) -> None:
        self._send({"jsonrpc": "2.0", "method": method, **({"params": params} if params else {})})

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Return the result of a request. Raises McpFailed."""
        self._id += 1
        self._send({"jsonrpc": "2.0", "id": self._id, "method": method, "params": params})
        while True:
            message = self._receive()
            if "method" in message:
                if "id" in message:  # nobody is asked on behalf of a server
                    empty = {"result": {}} if message["method"] == "ping" else {"error": {"code": _NO_METHOD, "message": "not offered"}}
                    self._send({"jsonrpc": "2.0", "id": message["id"], **empty})
            elif message.get("id") == self._id:
                if isinstance(message.get("result"), dict):
                    return message["result"]
                error = message.get("error")
                said = error.get("message", "") if isinstance(error, dict) else "no result"
                raise McpFailed(f"The MCP server {self._name} refused {method}: {str(said)[:1000]}.", hint="See what it says when it is run by hand.")

    def end(self) -> None:
        """Close the server's input, as the protocol has it, and end it where it does not end by itself."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._gone() from error

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        while True:
            line, newline, rest = self._rest.partition(b"\n")
            if newline:
                self._rest = rest
                try:
                    message = json.loads(line)
                except (ValueError, RecursionError):
                    continue  # some print to their output what is none of the protocol's
                if isinstance(message, dict):
                    return message
                continue
            left = self._until - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                raise McpFailed(f"The MCP server {self._name} did not answer within {self._limit:g} seconds.", hint="It was ended; what it did is not known.")
            data = os.read(descriptor, 1 << 16)
            if not data or len(self._rest) > _MOST_BYTES:
                raise self._gone()
            self._rest += data

    def _gone(self) -> McpFailed:
        return McpFailed(
            f"The MCP server {self._name} ended before it answered.",
            hint="It may need more than it was given: see nlsh servers show, and nlsh servers add --allow.",
        )
