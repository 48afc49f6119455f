"""text.merge: two CSV files as one, row by row, by a column that both have."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.actions import _looking
from nlsh.actions.file import _chosen
from nlsh.actions.text import _text
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import NotFound, NotPossible, Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Choice, Name, Path
from nlsh.steps.content import fresh
from nlsh.steps.tables import MOST_HELD, MergeTables
from nlsh.world import World

_PEOPLE = "id,name\n1,Ann\n2,Bob\n3,Cleo\n"
_CITIES = "id,city,name\n2,Rome,r\n1,Paris,p\n"
_ROOMS = "id,room\n1,12\n3,14\n"


class Merge(Action):
    """Join two CSV files by a column that both have."""

    name = "text.merge"
    effects = ("fs.read", "fs.write")

    class Args(BaseArgs):
        path = arg(Path(), "The CSV file whose rows stay, in their order.", required=True)
        other = arg(Path(), "The CSV file whose columns are added.", required=True)
        to = arg(Path(), "The new file; left out: joined and the ending of the first, beside it.")
        on = arg(Name(), "The column by which rows belong together; left out: the one that both have.")
        keep = arg(Choice("matching", "left", "all"), "Rows that both have, all of the first file, or all of both.", default="matching")

    def look(self, args: Any, world: World) -> Any:
        path, other = (_text.one(p, world)["path"] for p in (args.path, args.other))
        if path == other:
            raise Refused(f"{path} cannot be joined with itself.", hint="Nothing was changed. Name two files.")
        if os.path.getsize(other) > MOST_HELD:
            raise NotPossible(
                f"{other} has {os.path.getsize(other) >> 20} MB; up to {MOST_HELD >> 20} MB are held.", hint="Nothing was changed. Turn them round."
            )
        target = _chosen.free_place(args.to, world) if args.to else _looking.joined(path, world)
        if not os.path.splitext(target)[1]:
            target += os.path.splitext(path)[1]
        if not world.is_folder(os.path.dirname(target)):
            raise NotFound(f"There is no folder {os.path.dirname(target)}.", hint="Nothing was changed. Make it first with folder.create.")
        fields, known = fresh(path, target, world), fresh(other, target, world)["identity"]
        return MergeTables(**fields, other=other, other_identity=known, on=args.on or "", keep=args.keep)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield seen

    examples = (
        Example(
            say=(
                "join people.csv and rooms.csv into list.csv",
                "add rooms.csv to people.csv as list.csv",
                "把people.csv和rooms.csv合并成list.csv",
            ),
            plan='text.merge("people.csv", other="rooms.csv", to="list.csv")',
            given={"people.csv": _PEOPLE, "rooms.csv": _ROOMS},
            after={"list.csv": "id,name,room\n1,Ann,12\n3,Cleo,14\n", "people.csv": _PEOPLE},
        ),
        Example(
            say=("join people.csv and rooms.csv on id", "match the rows of people.csv and rooms.csv by id", "按id把people.csv和rooms.csv对起来"),
            plan='text.merge("people.csv", other="rooms.csv", on="id")',
            given={"people.csv": _PEOPLE, "rooms.csv": _ROOMS},
            after={"joined.csv": "id,name,room\n1,Ann,12\n3,Cleo,14\n"},
        ),
        Example(
            say=("match people.csv with cities.csv by id and write list.csv", "按id把people.csv和cities.csv对上，写到list.csv"),
            plan='text.merge("people.csv", other="cities.csv", on="id", to="list.csv")',
            given={"people.csv": _PEOPLE, "cities.csv": _CITIES},
            after={"list.csv": "id,name,city,cities.name\n1,Ann,Paris,p\n2,Bob,Rome,r\n"},
        ),
        Example(
            say=(
                "join people.csv with rooms.csv into list.csv but keep everybody of people.csv",
                "把rooms.csv并到people.csv并保留其所有行，存成list.csv",
            ),
            plan='text.merge("people.csv", other="rooms.csv", to="list.csv", keep="left")',
            given={"people.csv": _PEOPLE, "rooms.csv": _ROOMS + "9,99\n"},
            after={"list.csv": "id,name,room\n1,Ann,12\n2,Bob,\n3,Cleo,14\n"},
        ),
        Example(
            say=("full join of people.csv and rooms.csv to list.csv", "people.csv和rooms.csv合成list.csv，对不上的行也保留"),
            plan='text.merge("people.csv", other="rooms.csv", to="list.csv", keep="all")',
            given={"people.csv": _PEOPLE, "rooms.csv": _ROOMS + "9,99\n9,98\n"},
            after={"list.csv": "id,name,room\n1,Ann,12\n2,Bob,\n3,Cleo,14\n9,,99\n9,,98\n"},
        ),
        Example(
            say=("join people.csv and rooms.csv into old.csv", "把people.csv和rooms.csv合并成old.csv"),
            plan='text.merge("people.csv", other="rooms.csv", to="old.csv")',
            given={"people.csv": _PEOPLE, "rooms.csv": _ROOMS, "old.csv": "mine"},
            refused="action.refused",
        ),
        Example(
            say=("join people.csv and gone.csv into list.csv", "把people.csv和gone.csv合并成list.csv"),
            plan='text.merge("people.csv", other="gone.csv", to="list.csv")',
            given={"people.csv": _PEOPLE},
            refused="world.not-found",
        ),
    )
