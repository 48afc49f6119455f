"""text.statistics: what the numbers in the columns of a CSV file come to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Context, Decimal, Overflow
from typing import Any

from nlsh.actions.text import _text
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotFound, NotPossible
from nlsh.plan.records import Record
from nlsh.plan.records.text import Statistic
from nlsh.plan.values import Name, Path
from nlsh.steps import handles
from nlsh.world import World

_SALES = 'item,price,units\ntea,1.10,3\ncoffee,"1,002.20",\nmilk,0.70,4\n'
# Sums are exact up to so many digits.
_EXACT = Context(prec=60)


class Statistics(Action):
    """Sum, mean, least and greatest of a column of a CSV file."""

    name = "text.statistics"
    effects = ("fs.read",)

    class Args(BaseArgs):
        path = arg(Path(or_lines=True), "The CSV file.", required=True)
        column = arg(Name(), "The column's name or number; left out: every column of numbers.")

    def look(self, args: Any, world: World) -> Any:
        return _text.one(args.path, world)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return _text.reads(seen.values())

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        """Yield a record for each column of numbers. Empty cells count for nothing; cells with something else are told apart."""
        from nlsh.world.tables import Table

        table = Table(seen["path"], tell=handles.progress_in_bytes, table=True)
        only = None if args.column is None else table.position(args.column)
        sums: dict[int, Sum] = {i: Sum() for i in ([only] if only is not None else range(len(table.first or ())))}
        try:
            for _, row in table.rows():
                for i, total in sums.items():
                    if i < len(row):
                        total.add(row[i])
        except Overflow as error:
            raise NotPossible(f"The numbers in {_text.name_of(seen['path'])} are too large to be added up.", hint="Nothing was changed.") from error
        # A column with words in it is one of numbers only where somebody says so.
        found = {i: s for i, s in sums.items() if s.count and (only is not None or not s.others)}
        if not found:
            what = "are no numbers in that column of" if only is not None else "is no column of numbers in"
            raise NotFound(f"There {what} {_text.name_of(seen['path'])}.", hint="Nothing was changed. See it with text.table.")
        for i, total in found.items():
            yield total.record(table.names[i] if table.names else str(i + 1))

    examples = (
        Example(
            say=("sum and average of the price column in sales.csv", "statistics of price in sales.csv", "sales.csv里price列的总和与平均值"),
            plan='text.statistics("sales.csv", column="price")',
            given={"sales.csv": _SALES},
            result=("price",),
        ),
        Example(
            say=("statistics of sales.csv", "sum, mean, min and max of every column of sales.csv", "sales.csv的统计"),
            plan='text.statistics("sales.csv")',
            given={"sales.csv": _SALES},
            result=("price", "units"),
        ),
        Example(
            say=("average of the item column of sales.csv", "sales.csv里item列的平均值"),
            plan='text.statistics("sales.csv", column="item")',
            given={"sales.csv": _SALES},
            refused="world.not-found",
        ),
    )


@dataclass
class Sum:
    """The numbers of one column, as they are added up."""

    count: int = 0
    sum: Decimal = Decimal(0)
    least: Decimal | None = None
    greatest: Decimal | None = None
    others: int = 0

    def add(self, cell: str) -> None:
        from nlsh.world.tables import number

        value = number(cell)
        if value is None:
            self.others += bool(cell.strip())
            return
        self.count += 1
        self.sum = _EXACT.add(self.sum, value)
        self.least = value if self.least is None or value < self.least else self.least
        self.greatest = value if self.greatest is None or value > self.greatest else self.greatest

    def record(self, name: str) -> Statistic:
        from nlsh.world.tables import plain

        mean = _EXACT.divide(self.sum, Decimal(self.count))
        # Rounded to ten digits, yet never before the point: of long ids or times in milliseconds it would lie outside of them.
        mean = Context(prec=max(10, mean.adjusted() + 3)).plus(mean)
        assert self.least is not None and self.greatest is not None
        return Statistic(name, self.count, plain(self.sum), plain(mean), plain(self.least), plain(self.greatest), self.others)
