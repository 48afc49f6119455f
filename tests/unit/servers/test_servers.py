"""MCP servers of the user's as actions: a real server of the official SDK over stdio, started under a grant, asked about, and held to it."""

from __future__ import annotations

import json
import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("mcp", reason="the extra nlsh[mcp] is not installed")

from nlsh.cli import main
from nlsh.guard.sandbox import landlock
from nlsh.plan import registry
from nlsh.plan.errors import NotFound, SettingsError
from nlsh.servers import config
from nlsh.servers.actions import actions_of, program
from nlsh.steps import mcp_call

pytestmark = pytest.mark.skipif(not landlock.abi(), reason="this kernel has no Landlock")

SERVER = '''
import socket
from pathlib import Path
from mcp.server import MCPServer

server = MCPServer("notes")


@server.tool()
def tryAll(folder: str, outside: str, port: int = 1) -> str:
    """Try to read, to write and to connect."""
    tries = {
        "read": lambda: Path(folder, "a.txt").read_text(),
        "outside": lambda: Path(outside).read_text(),
        "write": lambda: Path(folder, "b.txt").write_text("b"),
        "connect": lambda: socket.create_connection(("127.0.0.1", port), 2).close(),
    }
    said = []
    for name, attempt in tries.items():
        try:
            said.append(f"{name}: {attempt()}")
        except OSError as error:
            said.append(f"{name}: refused")
    return "\\n".join(said)


server.run()
'''


def do(*words: str) -> int:
    return main([*words, "--no-input", "--plain"])


def call(home: Path, text: str, *flags: str) -> int:
    (home / "p.plan").write_text(text)
    return main(["plan", "p.plan", "--no-input", "--plain", *flags])


def test_a_server_is_added_called_and_held_to_its_grant(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (home / "notes").mkdir()
    (home / "notes/a.txt").write_text("moon")
    (home / "else.txt").write_text("secret")
    (home / "server.py").write_text(SERVER)
    command = ("--", sys.executable, str(home / "server.py"))
    effects = ("--allow", "fs.read:~/notes")
    # Nobody agrees, so it is not even started.
    assert main(["servers", "add", "notes", "--no-input", *effects, *command]) == 3 and not config.read()
    assert main(["servers", "add", "notes", "--yes", *effects, *command]) == 0
    assert "mcp_notes.try_all" in capfd.readouterr().out
    assert do("servers", "show", "notes", "--json") == 0
    assert json.loads(capfd.readouterr().out)["effects"] == ["fs.read:~/notes"]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        socket.create_connection(("127.0.0.1", port), 2).close()
        text = f'mcp_notes.try_all(folder="{home}/notes", outside="{home}/else.txt", port="{port}")'
        # A call is asked about, whatever it is called; that its effects are not known is said.
        assert call(home, text) == 3
        assert "not known beyond the effects" in capfd.readouterr().err
        assert call(home, text, "--yes") == 0
        said = capfd.readouterr().out
        assert all(line in said for line in ("read: moon", "outside: refused", "write: refused", "connect: refused"))
        # The same server with a wider grant.
        wider = replace(config.read()["notes"], effects=("fs.read:~/notes", "fs.read:~/else.txt", "fs.write:~/notes", f"net.connect:127.0.0.1:{port}"))
        config.write({"notes": wider})
        registry.drop("mcp_notes.")
        assert call(home, text, "--yes") == 0
        said = capfd.readouterr().out
        assert all(line in said for line in ("read: moon", "outside: secret", "write: 1", "connect: None")), said
    # No plan changes what is written down of servers.
    assert call(home, 'file.delete("~/.config/nlsh/servers.toml")', "--yes") == 3 and config.read()
    assert do("servers", "remove", "notes") == 0 and not config.read()
    assert call(home, text, "--yes") == 2


def test_a_server_that_says_nothing_is_not_waited_for_as_one_that_works(home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(mcp_call, "HELLO_S", 0.5)
    assert main(["servers", "add", "silent", "--yes", "--", "/bin/sleep", "1000"]) == 1
    assert "did not answer within 0.5 seconds" in capfd.readouterr().err.replace("\n", " ") and not config.read()


def test_what_a_server_says_of_its_tools_becomes_arguments_or_is_left_out() -> None:
    schema = {"properties": {"n": {"type": "integer"}, "how": {"enum": ["a", "b"]}, "l": {"type": "array"}}, "required": ["n"]}
    tools = (
        config.Tool("doIt", "Do\nit.", json.dumps(schema)),
        config.Tool("bad", "", json.dumps({"properties": {"not a name": {}}})),
        config.Tool("x", "", "["),
    )
    actions = {a.name: a for a in actions_of(config.Server("s", ("true",), (), tools))}
    assert list(actions) == ["mcp_s.list_tools", "mcp_s.do_it"]
    bound = actions["mcp_s.do_it"].Args.bind("mcp_s.do_it", {"n": "3", "how": "a", "l": '["x"]'})
    assert (bound.n, bound.how, bound.l) == (3, "a", ["x"])  # type: ignore[attr-defined]
    assert not actions["mcp_s.do_it"].reads_only() and actions["mcp_s.do_it"].undo is not None


def test_what_a_server_says_is_marked_as_its_words_and_has_no_control_characters() -> None:
    schema = {"properties": {"n": {"type": "string", "description": "\x1b]0;x\x07one\u202e"}, "how": {"type": "string", "enum": ["\x1b[2J", "b"]}}}
    tools = (config.Tool("a", "Do\nit\x1b[2J\x9b1m. Ignore “all”\u200b.", json.dumps(schema)), config.Tool("b\x1b[2J"))
    actions = {a.name: a for a in actions_of(config.Server("s", ("true",), (), tools))}
    action = actions["mcp_s.a"]
    fields = action.Args.fields
    assert action.summary() == 'The server says: “Do it[2J1m. Ignore “all".”' and fields["n"].help == "The server says: “]0;xone”"
    assert not fields["how"].type.choices and fields["how"].help == "how"
    assert actions["mcp_s.b_2_j"].summary() == "Call b_2_j of the MCP server s."


def test_a_server_s_program_is_the_one_it_was_added_with(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("bin", "project"):
        (home / folder).mkdir(mode=0o755)
        (home / folder / "served").write_text("#!/bin/sh\nexit 1\n")
        (home / folder / "served").chmod(0o755)
    monkeypatch.chdir(home / "project")
    monkeypatch.setenv("PATH", f".::{home}/bin:/usr/bin:/bin")
    assert main(["servers", "add", "s", "--no-input", "--plain", "--", "served"]) == 3
    said = capsys.readouterr().err
    assert f"{home}/bin/served" in said and f"{home}/project" not in said
    # Named by its path it may lie anywhere, and stays the one it was.
    assert main(["servers", "add", "s", "--no-input", "--plain", "--", "./served"]) == 3
    assert f"{home}/project/served" in capsys.readouterr().err
    # What was written down before names are looked up so, too.
    assert program("served") == f"{home}/bin/served"
    monkeypatch.setenv("PATH", ".:/usr/bin:/bin")
    for name in ("served", "./served"):
        with pytest.raises(NotFound, match="no such program"):
            program(name)
    registry.drop("mcp_s.")


@pytest.mark.parametrize(
    ("server", "says"),
    [
        (config.Server("No Name", ("true",)), "cannot be a server's name"),
        (config.Server("x", ()), "needs a command"),
        (config.Server("x", ("true",), ("exec",)), "no effect"),
        (config.Server("x", ("true",), ("fs.write",)), "needs a target"),
    ],
)
def test_what_cannot_be_a_server_is_said(server: config.Server, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        config.checked(server)


def test_nothing_of_the_catalogue_is_replaced() -> None:
    from nlsh.plan.errors import BadPlan

    class Fake(type(registry.get("file.list"))):  # type: ignore[misc]
        name = "file.list"

    with pytest.raises(BadPlan, match="noun of the catalogue"):
        registry.add(Fake())


def test_what_was_not_added_is_not_removed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["servers", "remove", "nope"]) == 1
    said = capsys.readouterr()
    assert not said.out and "There is no MCP server “nope”" in said.err and "Nothing was changed" in said.err
