"""Every way of writing a value in `written.txt` means what stands beside it there; what is none, or may be two, is refused with a reason."""

from __future__ import annotations

import ast
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from nlsh.plan import amounts, counted, terms, values
from nlsh.plan.kinds import KINDS
from nlsh.plan.numerals import number
from nlsh.plan.schedule import moment_of

NOW = datetime(2026, 11, 4, 11, 30)  # a Wednesday
TYPES = {name: getattr(module, name) for module in (terms, counted, values, amounts) for name in dir(module) if name[:1].isupper()}


def table() -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for line in (Path(__file__).parent / "written.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("= "):
            pairs = found.setdefault(line[2:], [])
        elif line and not line.startswith("# "):
            text, _, meant = line.partition("\t")
            pairs.append((text if text[:1] != "'" else ast.literal_eval(text), meant))
    return found


TABLE = table()


def shown(kind: str, value: Any) -> str:
    """Return a value as the table writes it."""
    if kind == "Clock":
        return "{:02}:{:02}".format(*value)
    if kind in ("Age", "moment"):
        at = datetime.fromtimestamp(value if kind == "moment" else NOW.timestamp() - value)
        return f"{at:%Y-%m-%d %H:%M}"
    return f"{value:.12g}" if isinstance(value, float) else str(value).replace(" ", "") if isinstance(value, tuple) else str(value)


def meant(kind: str, said: str) -> str:
    """Return what the table says in the form that `shown` gives."""
    if kind == "Kind":
        named = [(p[1:],) if p[0] == "." else KINDS[p][0] for p in said.split(", ")]
        return shown(kind, tuple(dict.fromkeys(e for one in named for e in one)))
    if kind == "Age" and said.endswith(" days"):
        return shown(kind, float(said.removesuffix(" days")) * 86400)
    if kind in ("number", "Duration", "Percent", "CoreTime", "Factor", "Moment"):
        return f"{float(said):.12g}"
    return said


def reader(kind: str) -> Callable[[str], Any]:
    if kind == "number":
        return number
    if kind == "moment":
        return lambda text: moment_of(text, NOW.timestamp())
    return TYPES[kind]().parse  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", TABLE)
def test_what_is_written_means_that(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", NOW.timestamp)
    read, wrong = reader(kind), []
    for text, said in TABLE[kind]:
        try:
            value = read(text)
        except ValueError as error:
            got = "refused" if str(error) else "refused without a reason"
        else:
            got = shown(kind, value)
        if got != (said if said == "refused" else meant(kind, said)):
            wrong.append(f"{text!r} is {got}, not {said}")
    assert not wrong, "\n".join(wrong)


def test_what_may_be_two_days_names_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", NOW.timestamp)
    with pytest.raises(ValueError, match="2026-11-03 or 2026-10-27"):
        amounts.Age().parse("last tuesday")
    with pytest.raises(ValueError, match="2024-02-01 or 2024-01-02"):
        amounts.Age().parse("01/02/2024")
    with pytest.raises(ValueError, match="no day of the calendar"):
        amounts.Age().parse("2024-02-30")
    with pytest.raises(ValueError, match="bits"):
        amounts.Rate().parse("10 mbps")


def test_no_mode_with_special_bits_hides_behind_another() -> None:
    for written in ("u+s,g+w", "g+w,u+s", "u=rws,g+w", "a+xt"):
        with pytest.raises(ValueError, match="setuid"):
            values.Mode().parse(written)


def test_the_table_is_large() -> None:
    assert sum(map(len, TABLE.values())) > 1000
