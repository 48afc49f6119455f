"""text.filter: the lines of a file that hold a text, or that do not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.text import _text
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.records import Line, Record
from nlsh.plan.values import Flag, Path, Text
from nlsh.steps import handles
from nlsh.world import World

_LOG = "start\nERROR disk full\ndebug: x\nerror: again\n"


class Filter(Action):
    """Show the lines of a file that hold a text, or that do not."""

    name = "text.filter"
    effects = ("fs.read",)

    class Args(BaseArgs):
        path = arg(Path(or_lines=True), "The text file.", required=True)
        containing = arg(Text(), "Lines with this.")
        without = arg(Text(), "Lines without this.")
        ignore_case = arg(Flag(), "Capitals and small letters are the same.", default=False)
        need_one_of = ("containing", "without")

    def look(self, args: Any, world: World) -> Any:
        return _text.one(args.path, world)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return _text.reads(seen.values())

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        from nlsh.world.contents import means_any_case
        from nlsh.world.texts import lines

        # As for names: without a capital, any case is meant.
        wanted, unwanted = ((t, t is not None and (args.ignore_case or means_any_case(t))) for t in (args.containing, args.without))
        some = False
        for number, text in enumerate(lines(seen["path"], handles.progress_in_bytes), start=1):
            if (wanted[0] is None or _stands(*wanted, text)) and (unwanted[0] is None or not _stands(*unwanted, text)):
                some = True
                yield Line(text, number)
        if some:
            yield from _text.stays(seen["path"])

    examples = (
        Example(
            say=(
                "show the lines of app.log with ERROR",
                "only the lines in app.log that contain ERROR",
                "filter app.log for ERROR",
                "显示app.log里包含ERROR的行",
            ),
            plan='text.filter("app.log", containing="ERROR")',
            given={"app.log": _LOG},
            result=("ERROR disk full",),
        ),
        Example(
            say=("show app.log without the debug lines", "lines of app.log that do not contain debug", "app.log里不含debug的行"),
            plan='text.filter("app.log", without="debug")',
            given={"app.log": _LOG},
            result=("start", "ERROR disk full", "error: again"),
        ),
        Example(
            say=("lines of app.log with error in any case but not again", "app.log里含error不含again的行，不分大小写"),
            plan='text.filter("app.log", containing="error", without="again", ignore_case=true)',
            given={"app.log": _LOG},
            result=("ERROR disk full",),
        ),
        Example(say=("filter app.log", "过滤app.log"), plan='text.filter("app.log")', given={"app.log": _LOG}, refused="plan.bad-argument"),
    )


def _stands(sought: str, any_case: bool, text: str) -> bool:
    return sought.casefold() in text.casefold() if any_case else sought in text
