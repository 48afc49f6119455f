"""text.validate: whether data files are well formed, and if not, where not."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from typing import Any

from nlsh.actions.text import _text
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError, NotPossible
from nlsh.plan.records import Record
from nlsh.plan.records.text import Checked
from nlsh.plan.values import Paths
from nlsh.world import World, data, texts


class Validate(Action):
    """Check that JSON, YAML, TOML, CSV or XML files are well formed."""

    name = "text.validate"
    effects = ("fs.read",)

    class Args(BaseArgs):
        paths = arg(Paths(), "The files.", required=True)

    def look(self, args: Any, world: World) -> Any:
        return {"paths": list(_text.several(args.paths, world))}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return _text.reads(seen["paths"])

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        failed: list[NlshError] = []
        for path in seen["paths"]:
            try:
                yield _checked(path)
            except NotPossible as error:
                if len(seen["paths"]) == 1:
                    raise
                failed.append(error)
        yield from _text.left_out(failed)

    examples = (
        Example(
            say=("is config.json valid", "check that config.json is well formed", "validate config.json", "检查config.json的格式是否正确"),
            plan='text.validate("config.json")',
            given={"config.json": '{"a": 1,}'},
            result=("config.json",),
        ),
        Example(
            say=("check a.yaml, b.toml and c.xml", "验证a.yaml、b.toml和c.xml"),
            plan='text.validate(["a.yaml", "b.toml", "c.xml"])',
            given={"a.yaml": "a: [1\n", "b.toml": "a = 1\n", "c.xml": "<a><b/></a>"},
            result=("a.yaml", "b.toml", "c.xml"),
        ),
        Example(say=("validate notes.txt", "检查notes.txt的格式"), plan='text.validate("notes.txt")', given={"notes.txt": "hi"}, refused="world.not-possible"),
    )


def _checked(path: str) -> Checked:
    format = data.format_of(path, texts.sample(path, 100))
    if format is None:
        raise NotPossible(f"{path} does not say that it is JSON, YAML, TOML, CSV or XML.", hint="Nothing was changed. Give it the ending of what it is.")
    try:
        if format == "csv":
            _check_csv(path)
        elif format == "xml":
            with os.fdopen(_open(path), "rb") as file:
                data.check_xml(file)
        else:
            data.refuse_large(path)
            data.parse(texts.sample(path, data.MOST_BYTES + 1), format)
    except data.Malformed as error:
        return Checked(path, False, format, error.line, str(error))
    return Checked(path, True, format)


def _open(path: str) -> int:
    from nlsh.world.contents import open_text

    try:
        return open_text(path)
    except OSError as error:
        raise NotPossible(f"{path} cannot be read: {error.strerror}.", hint="Nothing was changed.") from error


def _check_csv(path: str) -> None:
    """Raise Malformed where a row has more or fewer cells than the first, or quotation marks do not fit. A stream."""
    from itertools import islice

    from nlsh.world.tables import guessed

    start = [line for line in islice(texts.lines(path), 20)]
    separator = guessed(path, start) or ","
    with texts.opened(path) as file:
        rows = csv.reader(file, delimiter=separator, strict=True)
        wide = None
        try:
            for row in rows:
                if wide is None:
                    wide = len(row)
                elif row and len(row) != wide:
                    raise data.Malformed(f"{len(row)} cells where the first row has {wide}", rows.line_num)
        except csv.Error as error:
            raise data.Malformed(str(error), rows.line_num) from error
