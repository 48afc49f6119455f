"""text.query: one value of a JSON, YAML or TOML file, by the way to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from nlsh.actions.text import _text
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible
from nlsh.plan.records import Line, Record
from nlsh.plan.values import Path, Text
from nlsh.world import World, data, texts

_USERS = '{"users": [{"name": "Ann", "tags": ["a", "b"]}, {"name": "Bob"}], "file.name": true, "price": 1.5, "none": null}'


class Query(Action):
    """Show one value of a JSON, YAML or TOML file."""

    name = "text.query"
    effects = ("fs.read",)

    class Args(BaseArgs):
        path = arg(Path(), "The file.", required=True)
        key = arg(Text(), "The way to the value: users.0.name.", required=True)

    def look(self, args: Any, world: World) -> Any:
        seen = _text.one(args.path, world)
        data.refuse_large(seen["path"])
        return seen

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return _text.reads(seen.values())

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        """Yield the value as a line, a list of single values as a line each, anything else as JSON."""
        path = seen["path"]
        raw = texts.sample(path, data.MOST_BYTES + 1)
        format = data.format_of(path, raw[:100])
        if format == "xml":
            raise NotPossible(f"{path} is XML; text.query reads JSON, YAML, TOML and CSV.", hint="Nothing was changed.")
        try:
            value = data.look_up(data.parse(raw, format) if format else data.guess_and_parse(raw), args.key)
        except data.Malformed as error:
            raise error.of(path) from error
        single = isinstance(value, list) and not any(isinstance(v, (dict, list)) for v in value)
        if isinstance(value, dict) or (isinstance(value, list) and not single):
            shown = json.dumps(value, ensure_ascii=False, indent=2).split("\n")
        else:
            shown = [line for v in (value if single else [value]) for line in (v if isinstance(v, str) else json.dumps(v)).split("\n")]
        for number, text in enumerate(shown, start=1):
            yield Line(data.sayable(text), number)

    examples = (
        Example(
            say=("what is users.0.name in data.json", "show the value users.0.name of data.json", "data.json里users.0.name的值"),
            plan='text.query("data.json", key="users.0.name")',
            given={"data.json": _USERS},
            result=("Ann",),
        ),
        Example(
            say=("get users[0].tags from data.json", "data.json中users[0].tags是什么"),
            plan='text.query("data.json", key="users[0].tags")',
            given={"data.json": _USERS},
            result=("a", "b"),
        ),
        Example(
            say=("server.port in config.yaml", "which server.port does config.yaml have", "config.yaml的server.port是多少"),
            plan='text.query("config.yaml", key="server.port")',
            given={"config.yaml": "server:\n  port: 8080  # default\n"},
            result=("8080",),
        ),
        Example(
            say=("the project.name of pyproject.toml", "pyproject.toml里的project.name"),
            plan='text.query("pyproject.toml", key="project.name")',
            given={"pyproject.toml": '[project]\nname = "x"\n'},
            result=("x",),
        ),
        Example(
            say=("what is users.0.mail in data.json", "data.json里users.0.mail"),
            plan='text.query("data.json", key="users.0.mail")',
            given={"data.json": _USERS},
            refused="world.not-found",
        ),
        Example(
            say=("a.b of broken.json", "broken.json的a.b"),
            plan='text.query("broken.json", key="a.b")',
            given={"broken.json": '{"a": '},
            refused="world.not-possible",
        ),
    )
