"""text.table: a CSV file as a table, sorted or only some of its rows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from nlsh.actions.text import _text
from nlsh.actions.text._order import order_in
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Count
from nlsh.plan.effects import Effect
from nlsh.plan.errors import BadArgument, NotPossible
from nlsh.plan.records import Record
from nlsh.plan.records.text import Row
from nlsh.plan.values import Flag, Name, Path, Text
from nlsh.steps import handles
from nlsh.world import World

_PEOPLE = "name,age,city\nAnn,30,Paris\nBob,9,Rome\nCleo,100,Paris\n"


class Table(Action):
    """Show a CSV file as a table."""

    name = "text.table"
    effects = ("fs.read",)

    class Args(BaseArgs):
        path = arg(Path(or_lines=True), "The CSV file.", required=True)
        sort = arg(Name(), "By which column.")
        reverse = arg(Flag(), "The largest or last of that column first.", default=False)
        column = arg(Name(), "Only rows in which this column …")
        equals = arg(Text(), "… is this.")
        limit = arg(Count(), "At most this many rows.")

    def look(self, args: Any, world: World) -> Any:
        if (args.column is None) != (args.equals is None):
            raise BadArgument("text.table: column and equals belong together.", hint='For example column="city", equals="Paris".')
        if args.reverse and args.sort is None:
            raise BadArgument("text.table: reverse needs a column to sort by.", hint='For example sort="price", reverse=true.')
        seen = _text.one(args.path, world)
        if _text.name_of(seen["path"]).lower().endswith((".json", ".yaml", ".yml", ".toml", ".xml")):
            raise NotPossible(
                f"{_text.name_of(seen['path'])} is no table of rows and columns.",
                hint='Nothing was changed. text.convert(…, to="csv") makes one of a list; text.query shows a value of it.',
            )
        if args.sort is not None:
            _text.refuse_unsortable(seen["path"])
        return seen

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return _text.reads(seen.values())

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        from nlsh.world import tables

        table = tables.Table(seen["path"], tell=handles.progress_in_bytes, table=True)
        rows = table.rows()
        if args.column is not None:
            rows = _where(rows, table.position(args.column), args.equals)
        if args.sort is not None:
            rows = iter(_ordered(list(rows), table.position(args.sort), reverse=args.reverse))
        wide = len(table.first or ())
        for number, row in islice(rows, args.limit):
            # A row that is longer or shorter than the others is brought to their length: what is too much goes into its last cell.
            cells = (*row[: wide - 1], ",".join(row[wide - 1 :])) if len(row) > wide else row + ("",) * (wide - len(row))
            yield Row.of(number, cells, table.names)

    examples = (
        Example(
            say=("show people.csv as a table", "display people.csv nicely", "用表格显示people.csv"),
            plan='text.table("people.csv")',
            given={"people.csv": _PEOPLE},
            result=("Ann\t30\tParis", "Bob\t9\tRome", "Cleo\t100\tParis"),
        ),
        Example(
            say=("show people.csv sorted by age", "people.csv ordered by the age column", "people.csv按age排序"),
            plan='text.table("people.csv", sort="age")',
            given={"people.csv": _PEOPLE},
            result=("Bob\t9\tRome", "Ann\t30\tParis", "Cleo\t100\tParis"),
        ),
        Example(
            say=("people.csv sorted by age, oldest first", "people.csv按age从大到小"),
            plan='text.table("people.csv", sort="age", reverse=true)',
            given={"people.csv": _PEOPLE + "Dan,,Oslo\n"},
            result=("Cleo\t100\tParis", "Ann\t30\tParis", "Bob\t9\tRome", "Dan\t\tOslo"),
        ),
        Example(
            say=("the top 2 of people.csv by age", "the 2 rows of people.csv with the highest age", "people.csv里age最高的2行"),
            plan='text.table("people.csv", sort="age", reverse=true, limit="2")',
            given={"people.csv": _PEOPLE},
            result=("Cleo\t100\tParis", "Ann\t30\tParis"),
        ),
        Example(
            say=("rows of people.csv where city is Paris", "people.csv里city是Paris的行"),
            plan='text.table("people.csv", column="city", equals="paris")',
            given={"people.csv": _PEOPLE},
            result=("Ann\t30\tParis", "Cleo\t100\tParis"),
        ),
        Example(
            say=("the first row of export.csv", "show 1 row of export.csv", "显示export.csv的前1行"),
            plan='text.table("export.csv", limit="1")',
            given={"export.csv": '姓名;分数\n"张;三";90,5\n李四;80\n'.encode("gb18030")},
            result=("张;三\t90,5",),
        ),
        Example(
            say=("sort people.csv by salary", "people.csv按salary列排序"),
            plan='text.table("people.csv", sort="salary")',
            given={"people.csv": _PEOPLE},
            refused="world.not-found",
        ),
        Example(
            say=("show the people folder as a table", "用表格显示people文件夹"),
            plan='text.table("people")',
            given={"people": None},
            refused="world.not-possible",
        ),
    )


def _where(rows: Iterator[tuple[int, tuple[str, ...]]], position: int, wanted: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    from nlsh.world.tables import number

    text, value = wanted.strip().casefold(), number(wanted)
    for item in rows:
        cell = item[1][position] if position < len(item[1]) else ""
        if cell.strip().casefold() == text or (value is not None and number(cell) == value):
            yield item


def _ordered(rows: list[tuple[int, tuple[str, ...]]], position: int, *, reverse: bool) -> list[tuple[int, tuple[str, ...]]]:
    """Return rows by a column: by number where most of its cells hold one, else by letters. Rows that have no place in it come last, as they stand."""
    from nlsh.world.tables import number

    full = [r for r in rows if position < len(r[1]) and r[1][position].strip()]
    numbered = [(value, r) for r in full if (value := number(r[1][position])) is not None]
    if len(numbered) * 2 > len(full):
        # “n/a” among prices must not make 100 stand before 9.
        numbered.sort(key=lambda pair: pair[0], reverse=reverse)
        full = [r for _, r in numbered]
    else:
        order = order_in([r[1][position] for r in full])
        full.sort(key=lambda r: order(r[1][position].strip()), reverse=reverse)
    known = {r[0] for r in full}
    return full + [r for r in rows if r[0] not in known]
