"""nlsh as an MCP server: a real client of the official SDK over stdio, with and without a user to ask."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

mcp = pytest.importorskip("mcp", reason="the extra nlsh[mcp] is not installed")

from mcp_types import ElicitResult  # noqa: E402

from nlsh.cli import main  # noqa: E402
from nlsh.guard.sandbox import landlock  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]


def talk(
    work: Callable[[Any], Awaitable[None]], *flags: str, answer: bool | None = None, mode: str = "auto", asked: list[str] | None = None, action: str = "accept"
) -> None:
    """Start `nlsh mcp` and have a client work with it; `answer` is what its user says to what is elicited, None: it cannot be asked."""

    async def elicited(context: Any, params: Any) -> Any:
        if asked is not None:
            asked.append(params.message)
        return ElicitResult(action=action, content={"approve": answer} if action == "accept" else None)

    async def session() -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        server = mcp.StdioServerParameters(command=sys.executable, args=["-m", "nlsh", "mcp", *flags], env=environment, cwd=os.getcwd())
        async with mcp.Client(server, mode=mode, elicitation_callback=None if answer is None else elicited) as client:
            await work(client)

    asyncio.run(asyncio.wait_for(session(), 60))


async def call(client: Any, tool: str, **arguments: Any) -> Any:
    result = await client.call_tool(tool, arguments)
    if result.is_error:
        return result.content[0].text
    return result.structured_content.get("result", result.structured_content)


needs_landlock = pytest.mark.skipif(not landlock.abi(), reason="this kernel has no Landlock")


@needs_landlock
@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_an_agent_finds_previews_runs_and_takes_back_with_its_user_s_leave(home: Path, mode: str) -> None:
    asked: list[str] = []
    text = 'file.create("a.txt", text="a")'

    async def work(client: Any) -> None:
        assert sorted(t.name for t in (await client.list_tools()).tools) == ["plan", "preview", "run", "search_actions", "undo"]
        assert "file.find" in [a["action"] for a in await call(client, "search_actions", query="find big files")]
        assert [a["action"] for a in await call(client, "search_actions", query="file.trash")] == ["file.trash"]
        shown = await call(client, "preview", plan=text)
        assert shown["decision"]["answer"] == "ask" and not asked
        done = await call(client, "run", plan=text)
        assert done["status"] == "done" and (home / "a.txt").read_text().strip() == "a"
        assert len(asked) == 1 and "a.txt" in asked[0]
        # What only reads is not asked about; what a command prints does not get into the protocol.
        listed = await call(client, "run", plan='file.list(".")')
        assert [Path(r["path"]).name for r in listed["records"]] == ["a.txt"]
        assert (await call(client, "run", plan='shell.run("echo hello")'))["output"] == "hello\n" and len(asked) == 1
        assert (await call(client, "undo", run=done["run"]))["status"] == "done" and not (home / "a.txt").exists()
        assert len(asked) == 2
        assert "plan.unknown-action" in await call(client, "run", plan="file.nothing()")

    talk(work, answer=True, mode=mode, asked=asked)


@needs_landlock
def test_without_leave_nothing_is_changed_and_denied_is_denied(home: Path) -> None:
    asked: list[str] = []
    text = 'file.create("a.txt")'

    async def refused(client: Any) -> None:
        assert (await call(client, "run", plan=text))["status"] == "denied"

    async def denied(client: Any) -> None:
        assert (await call(client, "run", plan='file.create("~/.config/nlsh/policy.toml")'))["status"] == "denied"

    async def allowed(client: Any) -> None:
        assert (await call(client, "run", plan=text))["status"] == "done"
        await denied(client)

    talk(refused, answer=False, asked=asked)  # the user says no
    assert len(asked) == 1
    talk(refused)  # the client cannot ask
    for action in ("decline", "cancel"):
        talk(refused, answer=True, action=action)  # he closes what asks him
    assert not (home / "a.txt").exists()
    talk(allowed, "--allow", f"fs.write:{home}", answer=True)
    assert (home / "a.txt").exists() and not (home / ".config/nlsh/policy.toml").exists()


@needs_landlock
def test_an_approval_is_good_for_the_preview_that_was_shown_once(home: Path) -> None:
    from nlsh.api import AsyncShell
    from nlsh.mcp import Server

    async def work() -> None:
        async with AsyncShell() as shell:
            server, text = Server(shell), 'file.create("a.txt")'
            assert (await server.run(text, True))["status"] == "denied"  # nothing was shown
            asking = SimpleNamespace(client_capabilities=SimpleNamespace(elicitation={}))
            await server.question(text, asking)  # type: ignore[arg-type]
            assert (await server.run(text, True))["status"] == "done"
            (home / "a.txt").unlink()
            assert (await server.run(text, True))["status"] == "denied"

    asyncio.run(work())


@needs_landlock
def test_the_agent_s_user_hears_what_the_reading_could_not_do(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nlsh.actions.file import _search
    from nlsh.api import AsyncShell
    from nlsh.mcp import Server
    from nlsh.plan import registry
    from nlsh.shell.preview import preview_data

    monkeypatch.setattr(_search, "notes_reading", lambda path: False)
    (home / "old").write_text("old")
    os.utime(home / "old", (0, 0))

    async def work() -> None:
        async with AsyncShell() as shell:
            server, text = Server(shell), 'a = file.find(unused="30 days"); file.trash(a)'
            asking = SimpleNamespace(client_capabilities=SimpleNamespace(elicitation={}))
            asked: Any = await server.question(text, asking)  # type: ignore[arg-type]
            assert "note: When files are opened is not noted below" in asked.message
            assert "noatime" in preview_data(await server.preview(text))["calls"][0]["notes"][0]
            assert "noatime" in (await server.run(text, True))["notes"][0]
            # In two runs, too: the user has not seen what the agent has.
            (home / "new").write_text("new")
            os.utime(home / "new", (0, 0))
            await shell.run(registry.parse('file.find(unused="30 days")'))
            assert "noatime" in (await server.question("file.trash(_)", asking)).message  # type: ignore[arg-type,union-attr]

    asyncio.run(work())


@needs_landlock
def test_runs_at_once_do_not_mix_what_they_print(home: Path) -> None:
    from nlsh.api import AsyncShell
    from nlsh.mcp import Server

    async def work() -> list[dict[str, Any]]:
        async with AsyncShell() as shell:
            server = Server(shell)
            return await asyncio.gather(*(server.run(f'shell.run("echo {word}; seq 300 | wc -l; echo {word}")', False) for word in ("one", "two", "three")))

    assert [run["output"] for run in asyncio.run(work())] == [f"{word}\n300\n{word}\n" for word in ("one", "two", "three")]


def test_an_agent_is_not_given_yes(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mcp", "--yes"]) == 2
    assert "not to approve its own plans" in capsys.readouterr().err
