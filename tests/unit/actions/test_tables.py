"""Tables in groups and joined: exact sums, odd cells, columns of one name, rows that have no match."""

from __future__ import annotations

import json
import random
import re
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from nlsh.plan import registry
from nlsh.plan.errors import NlshError, NotFound, NotPossible
from nlsh.plan.records import Record
from nlsh.plan.records.text import GroupStatistic
from nlsh.plan.steps import step_from_data
from nlsh.world import World


def grouped(**written: Any) -> list[Record]:
    unit = registry.get("text.group")
    args = unit.Args.bind("text.group", written)
    return list(unit.observe(args, json.loads(json.dumps(unit.look(args, World()))), World()))


def merge(**written: Any) -> list[str]:
    """Join two tables; return what was said of it."""
    unit = registry.get("text.merge")
    args = unit.Args.bind("text.merge", written)
    for step in unit.steps(args, unit.look(args, World())):
        received = step_from_data(json.loads(json.dumps(step.as_data())))
        assert received == step
        received.check()
        said = [r.text for r in received.apply() or ()]  # type: ignore[attr-defined]
    return said


def test_groups_are_what_a_person_would_add_up(home: Path) -> None:
    source, sums, counts = random.Random(1), defaultdict(Decimal), defaultdict(int)
    with open(home / "t.tsv", "w") as file:
        file.write("who\tamount\n")
        for _ in range(5000):
            who, amount = source.choice("abc"), Decimal(source.randrange(-(10**9), 10**9)) / 1000
            sums[who] += amount
            counts[who] += 1
            file.write(f"{who}\t{amount}\n")
    found = {g.group: g for g in grouped(path="t.tsv", by="who", column="amount", sort="sum")}  # type: ignore[attr-defined]
    assert {n: Decimal(g.sum) for n, g in found.items()} == dict(sums) and {n: g.count for n, g in found.items()} == dict(counts)
    assert list(found) == sorted(sums, key=lambda n: -sums[n])


def test_odd_cells(home: Path) -> None:
    (home / "t.csv").write_text('city,price\n"A, ""b""",1\nRome ,2\nRome,\n,5\nRome,n/a\nParis\n')
    assert [(g.group, g.count, g.sum, g.others) for g in grouped(path="t.csv", by="1", column="price")] == [  # type: ignore[attr-defined]
        ('A, "b"', 1, "1", 0), ("Rome", 3, "2", 1), ("", 1, "5", 0), ("Paris", 1, "", 0),
    ]  # fmt: skip
    *rows, note = grouped(path="t.csv", by="city", sort="name", limit="2")
    assert [g.group for g in rows if isinstance(g, GroupStatistic)] == ["", 'A, "b"'] and "2 of 4" in note.text  # type: ignore[attr-defined]
    (home / "words.csv").write_text("city,item\nRome,tea\n")
    for written in ({"by": "item", "column": "city"}, {"by": "country"}, {"by": "9"}):
        with pytest.raises(NotFound):
            grouped(path="words.csv", **written)


def test_merge(home: Path) -> None:
    (home / "a.csv").write_text('id;name;note\n1;"Ann; B";x\n2;Bob\n 1 ;Again;y\n3;Cleo;z\n')
    (home / "b.csv").write_text("ID,city\n1,Rome\n1,Paris\n2,Oslo\n9,Nowhere\n")
    merge(path="a.csv", other="b.csv", to="c.csv")
    assert (home / "c.csv").read_text() == ('id;name;note;city\n1;"Ann; B";x;Rome\n1;"Ann; B";x;Paris\n2;Bob;;Oslo\n 1 ;Again;y;Rome\n 1 ;Again;y;Paris\n')
    (home / "d.csv").write_text("id,name\n1,x\n")
    (home / "e.csv").write_text("a,b\n1,x\n")
    (home / "f.csv").write_text("1,2\n3,4\n")
    for other in ("d.csv", "e.csv", "f.csv", "a.csv", "none.csv"):
        with pytest.raises(NlshError):
            merge(path="a.csv", other=other, to="new.csv")
    assert not (home / "new.csv").exists() and not [p for p in home.iterdir() if p.name.startswith(".nlsh")]


def test_rows_without_a_value_match_nothing(home: Path) -> None:
    (home / "p.csv").write_text("id,name\n1,Ann\n,Bob\n3,Cleo\n")
    (home / "c.csv").write_text("id,city\n1,Rome\n,Oslo\n ,Bonn\n4,Nice\n")
    for keep, rows, said in (
        (
            "matching",
            "1,Ann,Rome\n",
            (r"2 rows of p\.csv had no match in c\.csv and were left out; keep=\"left\"", r"3 rows of c\.csv .* left out; keep=\"all\""),
        ),
        ("left", "1,Ann,Rome\n,Bob,\n3,Cleo,\n", (r"2 rows of p\.csv .* empty there", r"3 rows of c\.csv .* left out")),
        ("all", "1,Ann,Rome\n,Bob,\n3,Cleo,\n,,Oslo\n,,Bonn\n4,,Nice\n", (r"2 rows of p\.csv .* empty there", r"3 rows of c\.csv .* at the end")),
    ):
        notes = merge(path="p.csv", other="c.csv", to=f"{keep}.csv", keep=keep)
        assert (home / f"{keep}.csv").read_text() == f"id,name,city\n{rows}"
        assert len(notes) == len(said) and all(re.match(pattern, note) for pattern, note in zip(said, notes, strict=True)), notes
    (home / "d.csv").write_text("id,city\n1,Rome\n3,Oslo\n")
    (home / "q.csv").write_text("id,name\n3,Cleo\n1,Ann\n")
    assert merge(path="q.csv", other="d.csv", to="whole.csv") == []


def test_groups_without_a_number_stand_behind_those_below_zero(home: Path) -> None:
    (home / "t.csv").write_text("who,n\nnone,\nlow,-5\nzero,0\nhigh,3\n")
    for by in ("sum", "mean"):
        assert [g.group for g in grouped(path="t.csv", by="who", column="n", sort=by)] == ["high", "zero", "low", "none"]  # type: ignore[attr-defined]


def table(action: str, **written: Any) -> list[Any]:
    unit = registry.get(action)
    args = unit.Args.bind(action, written)
    return list(unit.observe(args, unit.look(args, World()), World()))


def test_a_mean_lies_among_its_numbers(home: Path) -> None:
    (home / "t.csv").write_text("at,share\n1700000000001,1\n1700000000003,1\n1700000000002,2\n")
    at, share = table("text.statistics", path="t.csv")
    assert (at.mean, share.mean) == ("1700000000002", "1.333333333")


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (",a,b\n0,1.5,x\n1,2.5,y\n", ("1", "a", "b")),  # as pandas writes one
        ("a,b,\n1,2,\n", ("a", "b", "3")),
        ("x,x,y\n1,2,3\n", ("x", "x 2", "y")),
        ("Ann,,Paris\nBob,30,Rome\n", ()),
        ("Rome,Rome\nParis,Rome\n", ()),
        (",a\n", ()),
    ],
)
def test_a_first_row_may_lack_a_name(home: Path, content: str, named: tuple[str, ...]) -> None:
    (home / "t.csv").write_text(content)
    rows = table("text.table", path="t.csv")
    assert all(r.names == named for r in rows) and len(rows) == content.count("\n") - bool(named)


def test_what_is_no_table_is_not_shown_as_an_empty_one(home: Path) -> None:
    unit = registry.get("text.table")
    (home / "people.json").write_text('[{"name": "Ann"}]')
    with pytest.raises(NotPossible, match="no table of rows"):
        unit.look(unit.Args.bind("text.table", {"path": "people.json"}), World())


def test_a_joined_table_keeps_the_names_it_had(home: Path) -> None:
    (home / "a.csv").write_text(",id\n0,7\n")
    (home / "b.csv").write_text("id,room\n7,12\n")
    merge(path="a.csv", other="b.csv", to="c.csv", on="id")
    assert (home / "c.csv").read_text() == ",id,room\n0,7,12\n"
