"""text.group: the rows of a CSV file by what stands in a column: how many, and what the numbers of another come to."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Overflow
from typing import Any

from nlsh.actions.text import _text
from nlsh.actions.text._order import order_in
from nlsh.actions.text.statistics import Sum
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Count
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotFound, NotPossible
from nlsh.plan.records import Note, Record
from nlsh.plan.records.text import GroupStatistic
from nlsh.plan.values import Choice, Name, Path
from nlsh.steps import handles
from nlsh.world import World

_SALES = "city,item,price\nParis,tea,1.50\nRome,tea,2\nParis,milk,0.70\nRome,coffee,\nParis,tea,1.80\n"
# Rows are a stream; what is held is one record for each group.
_MOST_GROUPS = 1_000_000
_ORDERS = ("count", "sum", "mean", "name")


class Group(Action):
    """Group the rows of a CSV file by a column, with count, sum, mean, least and greatest."""

    name = "text.group"
    effects = ("fs.read",)

    class Args(BaseArgs):
        path = arg(Path(or_lines=True), "The CSV file.", required=True)
        by = arg(Name(), "The column whose values make the groups: its name or number.", required=True)
        column = arg(Name(), "The column of numbers that is added up in each; left out: rows are only counted.")
        sort = arg(Choice(*_ORDERS), "The largest first by this, or by the groups' names; left out: as they come in the file.")
        limit = arg(Count(), "At most this many groups.", common=("1",))

    def look(self, args: Any, world: World) -> Any:
        return _text.one(args.path, world)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return _text.reads(seen.values())

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        from nlsh.world.tables import Table, plain

        table = Table(seen["path"], tell=handles.progress_in_bytes, table=True)
        key, value = table.position(args.by), None if args.column is None else table.position(args.column)
        groups: dict[str, list[Any]] = {}
        try:
            for _, row in table.rows():
                name = row[key].strip() if key < len(row) else ""
                if (found := groups.get(name)) is None:
                    if len(groups) >= _MOST_GROUPS:
                        many = f"{_text.name_of(seen['path'])} has more than {_MOST_GROUPS:,} groups by that column."
                        raise NotPossible(many, hint="Nothing was changed. Group by another.")
                    found = groups[name] = [0, Sum()]
                found[0] += 1
                if value is not None and value < len(row):
                    found[1].add(row[value])
        except Overflow as error:
            raise NotPossible(f"The numbers in {_text.name_of(seen['path'])} are too large to be added up.", hint="Nothing was changed.") from error
        if value is not None and groups and not any(total.count for _, total in groups.values()):
            raise NotFound(f"There are no numbers in that column of {_text.name_of(seen['path'])}.", hint="Nothing was changed. See it with text.table.")
        order = list(groups.items())
        if args.sort == "name":
            by = order_in(groups)
            order.sort(key=lambda item: by(item[0]))
        elif args.sort == "count":
            order.sort(key=lambda item: -item[1][0])
        elif args.sort:
            # A group without numbers has no sum and no mean, which is not the same as zero: it stands behind all others.
            order.sort(key=lambda item: (not item[1][1].count, -_size(item[1][1], args.sort)))
        for name, (count, total) in order[: args.limit]:
            if not total.count:
                yield GroupStatistic(name, count, others=total.others)
                continue
            said = total.record(name)
            yield GroupStatistic(name, count, plain(total.sum), said.mean, said.least, said.greatest, said.others)
        if args.limit is not None and len(order) > args.limit:
            yield Note(f"These are {args.limit} of {len(order):,} groups.")

    examples = (
        Example(
            say=("total of price per city in sales.csv", "sum up the price column of sales.csv by city", "sales.csv按city汇总price"),
            plan='text.group("sales.csv", by="city", column="price")',
            given={"sales.csv": _SALES},
            result=("Paris", "Rome"),
        ),
        Example(
            say=("how many rows for each item are in sales.csv", "count sales.csv by item", "sales.csv里每种item有多少行"),
            plan='text.group("sales.csv", by="item")',
            given={"sales.csv": _SALES},
            result=("tea", "milk", "coffee"),
        ),
        Example(
            say=(
                "which city has the highest total price in sales.csv",
                "the city with the most price in sales.csv",
                "sales.csv里price总和最高的city",
            ),
            plan='text.group("sales.csv", by="city", column="price", sort="sum", limit="1")',
            given={"sales.csv": _SALES},
            result=("Paris",),
        ),
        Example(
            say=("average price by item in sales.csv, highest first", "sales.csv按item的price平均值，从高到低"),
            plan='text.group("sales.csv", by="item", column="price", sort="mean")',
            given={"sales.csv": _SALES},
            result=("tea", "milk", "coffee"),
        ),
        Example(
            say=("balance by account in book.csv, highest first", "book.csv按account合计balance，从高到低"),
            plan='text.group("book.csv", by="account", column="balance", sort="sum")',
            given={"book.csv": "account,balance\nnew,\nshop,-5\nrent,-20\n"},
            result=("shop", "rent", "new"),
        ),
        Example(
            say=("sum of price per country in sales.csv", "sales.csv按country汇总price"),
            plan='text.group("sales.csv", by="country", column="price")',
            given={"sales.csv": _SALES},
            refused="world.not-found",
        ),
    )


def _size(total: Sum, by: str) -> Any:
    return (total.sum if by == "sum" else total.sum / total.count) if total.count else 0
