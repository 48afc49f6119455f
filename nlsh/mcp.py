"""nlsh mcp: the catalogue as tools for other agents, over stdio, by the official SDK. The same preview, policy, sandbox, journal and audit as ever.

A few tools instead of one for each action: an agent looks an action up, writes a plan, previews it, runs it. What policy asks about is put to the
agent's user with its preview (elicitation); where the client cannot do that, it is refused. What policy denies is denied. `--yes` is not
for agents; `--allow EFFECT[:TARGET]` is.

# LIMIT: whether a person sees what is elicited is the client's to keep: a client that agrees to everything has agreed to everything.
"""

# Not `from __future__ import annotations`: the SDK evaluates those of the tools, and some name what stands in a function.
import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

from nlsh import __version__
from nlsh.api import AsyncShell, Question, Result
from nlsh.plan import registry
from nlsh.plan.action import Action
from nlsh.plan.errors import NlshError, NotPossible
from nlsh.plan.plan import Call, Plan, Preview
from nlsh.shell.options import Options, UsageError
from nlsh.shell.preview import preview_data, preview_lines
from nlsh.shell.show import Look, escape

try:
    from mcp.server.mcpserver import AcceptedElicitation, Context, Elicit, ElicitationResult, MCPServer, Resolve
    from mcp.server.mcpserver.exceptions import ToolError
    from mcp_types import ToolAnnotations
    from pydantic import BaseModel, Field
except ImportError as error:
    raise NotPossible("nlsh mcp needs the Python package mcp, which is not installed.", hint="Try: pip install 'nlsh[mcp]'.") from error

_MOST_PENDING, _PENDING_S = 20, 600.0
_MOST_OUTPUT = 64 << 10  # bytes of what a raw command prints
_MOST_RECORDS = 500
_FOUND = 8
_INSTRUCTIONS = """\
nlsh does things on this machine through typed actions. Find actions with search_actions, write a plan in Python call syntax, one call a line, such as
    big = file.find(under="~/Downloads", larger="100MB")
    file.trash(big)
preview it, then run it. Each plan is previewed and policy decides: allowed, put to the user, or denied. What was changed can be taken back with undo.
plan turns a sentence into such a plan. shell.run("…") is a command line, confined to the folder nlsh stands in."""


class Approval(BaseModel):
    """The answer of the agent's user to a preview."""

    approve: bool = Field(description="Run this plan?")


@dataclass
class _Pending:
    """A preview that was put to the user: exactly that is run, or nothing."""

    preview: Preview
    at: float = field(default_factory=time.monotonic)


class Server:
    """One client's session: the shell that works for it, and the previews that its user has been asked about."""

    def __init__(self, shell: AsyncShell, *, can_ask: bool = True) -> None:
        self.shell, self.can_ask = shell, can_ask
        self._pending: dict[str, _Pending] = {}
        self._running = asyncio.Lock()  # standard output is the process's: who collects it has it alone

    async def preview(self, text: str) -> Preview:
        """Return the preview of plan text: the one that is put to the user just now, where there is one."""
        waiting = self._waiting(text)
        return waiting.preview if waiting is not None else await self.shell.preview(registry.parse(text))

    def _waiting(self, text: str) -> _Pending | None:
        now = time.monotonic()
        self._pending = {k: p for k, p in self._pending.items() if now - p.at < _PENDING_S}
        return self._pending.get(text)

    async def question(self, text: str, context: Context[Any]) -> Approval | Elicit[Approval]:
        """Return what is to be put to the user about plan text, or the answer where that is not needed or not possible."""
        preview = await self.preview(text)
        decision = self.shell.decide(preview)
        capabilities = context.client_capabilities
        asks = self.can_ask and capabilities is not None and capabilities.elicitation is not None
        if decision.answer != "ask" or not asks:
            return Approval(approve=decision.answer == "allow")
        while len(self._pending) >= _MOST_PENDING:
            self._pending.pop(next(iter(self._pending)))
        self._pending.setdefault(text, _Pending(preview))
        lines = preview_lines(preview, Look.of(json=False, plain=True, color="never"), decision=decision, cwd=os.getcwd())
        return Elicit("\n".join(["nlsh: run this plan?", *lines]), Approval)

    async def run(self, text: str, approved: bool) -> dict[str, Any]:
        """Run plan text, its preview approved or not, and return what came of it. An approval is good for the preview that was shown, once."""
        preview, waiting = await self.preview(text), self._waiting(text)
        self._pending.pop(text, None)
        async with self._running:
            with _printed() as output:
                result = await self.shell.run(preview, approve=lambda shown, decision: approved and waiting is not None and shown is waiting.preview)
                printed = output()
        return _told(result) | ({"output": printed} if printed else {})


def _told(result: Result) -> dict[str, Any]:
    data = result.as_data()
    if len(data["records"]) > _MOST_RECORDS:
        data |= {"records": data["records"][:_MOST_RECORDS], "left_out": len(data["records"]) - _MOST_RECORDS}
    return data


@contextmanager
def _printed() -> Iterator[Any]:
    """Within: what raw commands print on standard output is kept; yields what returns it. The protocol has a descriptor of its own meanwhile."""
    kept, before = os.memfd_create("nlsh-output", os.MFD_CLOEXEC), os.dup(1)
    os.dup2(kept, 1)
    try:
        yield lambda: os.pread(kept, _MOST_OUTPUT, 0).decode("utf-8", "replace")
    finally:
        os.dup2(before, 1)
        os.close(before)
        os.close(kept)


def described(action: Action) -> dict[str, Any]:
    """Return what an agent needs to write a call of an action."""
    arguments = [
        {"name": a.name, "type": a.type.name, "help": a.help, "required": a.required, "choices": list(a.type.choices), "example": a.type.example}
        for a in action.Args.fields.values()
    ]
    return {
        "action": action.name, "summary": action.summary(), "reads_only": action.reads_only(), "effects": list(action.effects),
        "cannot_undo": action.undo.reason if action.undo else "", "arguments": arguments, "examples": [e.plan for e in action.examples[:2]],
    }  # fmt: skip


def search(query: str) -> list[Action]:
    """Return the actions whose name, summary and examples have most of a query's words; all of a noun where the query is one."""
    words = [w.rstrip("s") for w in query.lower().replace(".", " ").split()]
    every = (*registry.all_actions(), *registry.added())
    if (exact := [a for a in every if a.name == query.strip()]) or (exact := [a for a in every if a.name.startswith(f"{query.strip()}.")]):
        return exact
    scored = []
    for action in every:
        said = " ".join(s for e in action.examples for s in e.say).lower()
        score = sum(3 * (w in action.name) + 2 * (w in action.summary().lower()) + (w in said) for w in words)
        scored.append((score, action))
    return [a for score, a in sorted(scored, key=lambda pair: (-pair[0], pair[1].name)) if score][:_FOUND]


def make_server(server: Server) -> MCPServer:
    """Return the MCP server that offers nlsh's tools."""
    made: MCPServer = MCPServer("nlsh", title="nlsh", version=__version__, instructions=_INSTRUCTIONS, log_level="ERROR")

    @contextmanager
    def errors() -> Iterator[None]:
        try:
            yield
        except NlshError as error:
            raise ToolError(escape(f"{error.code}: {error}")) from error

    async def approval(plan: str, context: Context[Any]) -> Approval | Elicit[Approval]:
        with errors():
            return await server.question(plan, context)

    async def undo_approval(context: Context[Any], run: int | None = None) -> Approval | Elicit[Approval]:
        with errors():
            return await server.question(_undo(run), context)

    @made.tool(annotations=ToolAnnotations(read_only_hint=True))
    async def search_actions(query: str) -> list[dict[str, Any]]:
        """Find actions by what they do, by noun ("file") or by name ("file.find"); each with its arguments, effects and examples."""
        return [described(a) for a in search(query)]

    @made.tool(annotations=ToolAnnotations(read_only_hint=True))
    async def plan(request: str) -> dict[str, Any]:
        """Turn a sentence into a plan, with the model on this machine. Where it can mean more than one thing, `choices` are given instead of `plan`."""
        try:
            return {"plan": registry.format(await server.shell.plan(request))}
        except Question as question:
            return {"plan": "", "question": question.message, "choices": [registry.format(p) for p in question.choices]}
        except NlshError as error:
            raise ToolError(escape(f"{error.code}: {error}")) from error

    @made.tool(annotations=ToolAnnotations(read_only_hint=True))
    async def preview(plan: str) -> dict[str, Any]:
        """Show what a plan would do: its steps, its effects, and whether policy allows it, asks the user, or denies it. Changes nothing."""
        with errors():
            shown = await server.preview(plan)
            return preview_data(shown, server.shell.decide(shown))

    @made.tool(annotations=ToolAnnotations(destructive_hint=True))
    async def run(plan: str, approval: Annotated[ElicitationResult[Approval], Resolve(approval)]) -> dict[str, Any]:
        """Run a plan. What policy asks about is put to the user first; without an answer nothing is run."""
        with errors():
            return await server.run(plan, _agreed(approval))

    @made.tool(annotations=ToolAnnotations(destructive_hint=True))
    async def undo(approval: Annotated[ElicitationResult[Approval], Resolve(undo_approval)], run: int | None = None) -> dict[str, Any]:
        """Take back the last run that changed something, or the one of that number (`run` of its result)."""
        with errors():
            return await server.run(_undo(run), _agreed(approval))

    return made


def _agreed(answer: ElicitationResult[Approval]) -> bool:
    """Return whether the user has said yes: not where he declined, or closed what asked him."""
    return isinstance(answer, AcceptedElicitation) and answer.data.approve


def _undo(run: int | None) -> str:
    return registry.format(Plan((Call("history.undo", {} if run is None else {"run": str(run)}),)))


def serve(options: Options) -> int:
    """Serve one client on standard input and output until it goes; return the exit status. Raises UsageError."""
    if options.words:
        raise UsageError(f"nlsh mcp takes no “{' '.join(options.words)}”.", hint="Servers of others are added with nlsh servers add.")
    if options.yes:
        raise UsageError(
            "nlsh mcp does not take --yes: an agent is not to approve its own plans.", hint="--allow EFFECT[:TARGET] allows what it may do unasked."
        )

    async def main() -> None:
        async with AsyncShell(allow=tuple(options.allow), model=options.model) as shell:
            await make_server(Server(shell, can_ask=not options.no_input)).run_stdio_async()

    asyncio.run(main())
    return 0
