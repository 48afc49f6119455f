"""text.columns: some columns of a CSV file, or of a text with columns between blanks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.text import _text
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.counted import Columns
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.plan.records.text import Row
from nlsh.plan.values import Path, Text
from nlsh.steps import handles
from nlsh.world import World

_PEOPLE = 'name,age,city\nAnn,30,Paris\n"Smith, Bob",25,Rome\n'


class ColumnsAction(Action):
    """Show some columns of a file."""

    name = "text.columns"
    effects = ("fs.read",)

    class Args(BaseArgs):
        path = arg(Path(or_lines=True), "The text or CSV file.", required=True)
        columns = arg(Columns(), "Their numbers or, in a CSV file, names.", required=True)
        separator = arg(Text(), "What stands between columns; left out: comma or tab where the file is CSV, else blanks.")

    def look(self, args: Any, world: World) -> Any:
        return _text.one(args.path, world)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return _text.reads(seen.values())

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        """Yield a row for each row of the file; a cell that a row has not is empty."""
        from nlsh.world.tables import Table

        table = Table(seen["path"], args.separator, handles.progress_in_bytes)
        positions = [table.position(c) for c in args.columns]
        names = tuple(table.names[i] for i in positions) if table.names else ()
        number = 0
        for number, row in table.rows():
            cells = tuple(row[i] if i < len(row) else "" for i in positions)
            yield Row.of(number, cells, names)
        if number:
            yield from _text.stays(seen["path"])

    examples = (
        Example(
            say=("show the name and city columns of people.csv", "only name and city from people.csv", "显示people.csv的name和city列"),
            plan='text.columns("people.csv", columns=["name", "city"])',
            given={"people.csv": _PEOPLE},
            result=("Ann\tParis", "Smith, Bob\tRome"),
        ),
        Example(
            say=("the second column of people.csv", "column 2 of people.csv", "people.csv的第2列"),
            plan='text.columns("people.csv", columns="2")',
            given={"people.csv": _PEOPLE},
            result=("30", "25"),
        ),
        Example(
            say=("print columns 1 and 3 of table.txt", "first and third column of table.txt", "打印table.txt的第1列和第3列"),
            plan='text.columns("table.txt", columns="1 and 3")',
            given={"table.txt": "a  b   c\nd e\n"},
            result=("a\tc", "d\t"),
        ),
        Example(
            say=("first column of users.txt split at colons", "users.txt以冒号分隔的第1列"),
            plan='text.columns("users.txt", columns="1", separator=":")',
            given={"users.txt": 'root:x:0\nann:"x:1\n'},
            result=("root", "ann"),
        ),
        Example(
            say=("show the salary column of people.csv", "people.csv的salary列"),
            plan='text.columns("people.csv", columns="salary")',
            given={"people.csv": _PEOPLE},
            refused="world.not-found",
        ),
    )
