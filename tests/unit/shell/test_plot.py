"""How a course over time is drawn."""

from __future__ import annotations

import io

from nlsh.plan.records.resource import Course
from nlsh.shell.show import Look, show_records


def shown(*series: float | None, columns: int, of: str = "cpu") -> list[str]:
    known = [v for v in series if v is not None]
    out = io.StringIO()
    record = Course(of, "", known[-1], min(known), sum(known) / len(known), max(known), 0.0, 60.0, series)
    show_records([record], Look(table=True, columns=columns), out)
    return out.getvalue().splitlines()


def test_a_plot_rises_with_what_it_draws_and_leaves_out_what_nobody_noted() -> None:
    head, *rows, axis, times = shown(0, 50, None, 100, columns=30)
    assert head == "cpu %  now 100.0, lowest 0.0, mean 50.0, highest 100.0" and len(rows) == 10
    plot = [row.partition("┤")[2].ljust(20) for row in rows]
    assert [sum(row[at] == "█" for row in plot) for at in (0, 5, 10, 15)] == [0, 5, 0, 10]
    assert plot[-1][0] == "▁" and all(row[10] == " " for row in plot)
    assert rows[0].startswith("   100 ┤") and rows[5].startswith("    50 ┤") and axis.endswith("└" + "─" * 20) and times.split() == ["4", "min", "ago", "now"]


def test_what_is_longer_than_the_terminal_is_drawn_in_means_and_load_of_its_own_highest() -> None:
    lines = shown(*[float(n % 4) for n in range(60)], columns=40, of="load")
    assert all(len(line) <= 40 for line in lines[1:]) and lines[1].startswith("     3 ┤")
