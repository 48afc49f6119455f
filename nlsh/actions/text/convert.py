"""text.convert: write a data file in another format, beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.actions.text import _text
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import NotPossible, Refused
from nlsh.plan.steps import Step
from nlsh.plan.terms import DATA_FORMATS, Among
from nlsh.plan.values import Path
from nlsh.steps.content import fresh
from nlsh.steps.texts import ConvertData
from nlsh.world import World, data, texts


class Convert(Action):
    """Convert a file between JSON, YAML, TOML and CSV."""

    name = "text.convert"
    effects = ("fs.read", "fs.write")

    class Args(BaseArgs):
        path = arg(Path(), "The file; it stays, and the new one is written beside it.", required=True)
        to = arg(Among(DATA_FORMATS), "The new format.", required=True)

    def look(self, args: Any, world: World) -> Any:
        path = _text.one(args.path, world)["path"]
        old = data.format_of(path, texts.sample(path, 100))
        if old is None or old == "xml":
            raise NotPossible(f"{path} does not say that it is JSON, YAML, TOML or CSV.", hint="Nothing was changed. Give it the ending of what it is.")
        if old == args.to:
            raise Refused(f"{path} is {old.upper()} already.", hint="Nothing was changed. text.format lays it out anew.")
        data.refuse_large(path)
        return (ConvertData(old=old, to=args.to, **fresh(path, f"{os.path.splitext(path)[0]}.{args.to}", world)),)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=("convert config.yaml to json", "make a json file from config.yaml", "turn config.yaml into json", "把config.yaml转换成json"),
            plan='text.convert("config.yaml", to="json")',
            given={"config.yaml": "name: 张三\nports: [80, 443]\n# comment\n"},
            after={"config.yaml": "name: 张三\nports: [80, 443]\n# comment\n", "config.json": '{\n  "name": "张三",\n  "ports": [\n    80,\n    443\n  ]\n}\n'},
        ),
        Example(
            say=("convert people.json to csv", "export people.json as csv", "把people.json转成csv"),
            plan='text.convert("people.json", to="csv")',
            given={"people.json": '[{"name": "Ann, B", "age": 3}, {"name": "Bob", "ok": true}]'},
            after={"people.csv": 'name,age,ok\n"Ann, B",3,\nBob,,true\n'},
        ),
        Example(
            say=("convert people.csv to yaml", "people.csv as yaml", "把people.csv转成yaml"),
            plan='text.convert("people.csv", to="yaml")',
            given={"people.csv": "name,zip\nAnn,00123\n"},
            after={"people.yaml": "- name: Ann\n  zip: '00123'\n"},
        ),
        Example(
            say=("convert settings.json to toml", "settings.json转成toml"),
            plan='text.convert("settings.json", to="toml")',
            given={"settings.json": '{"a": {"b": 1.5}}'},
            after={"settings.toml": "[a]\nb = 1.5\n"},
        ),
        Example(
            say=("turn settings.toml into json", "settings.toml转json"),
            plan='text.convert("settings.toml", to="json")',
            given={"settings.toml": "a = 1\n", "settings.json": "mine"},
            refused="action.refused",
        ),
    )
