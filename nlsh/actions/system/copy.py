"""system.copy: puts a text into the clipboard."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, Never, arg
from nlsh.plan.errors import NotPossible, Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Text
from nlsh.steps._bus import opened
from nlsh.steps.clipboard import KLIPPER, FillByTerminal, FillKlipper
from nlsh.steps.units import RunAsUnit
from nlsh.world import World, clipboard, services

MOST_CHARACTERS = 100_000  # what terminals take, and what an approval can still mean
_DEAF = ("linux", "dumb", "")  # kinds of terminal that know of no clipboard


class Copy(Action):
    """Put a text into the clipboard."""

    name = "system.copy"
    effects = ("bus.call", "dev.control", "sys.control")
    undo = Never("what was in the clipboard before is not kept")

    class Args(BaseArgs):
        text = arg(Text(), "The text.", required=True)

    def look(self, args: Any, world: World) -> dict[str, Any]:
        if len(args.text) > MOST_CHARACTERS:
            raise Refused(f"{len(args.text):,} characters are too many for the clipboard.", hint="Nothing was changed. Put them into a file.")
        if "\0" in args.text:
            raise Refused("A text with zero bytes cannot be in the clipboard.", hint="Nothing was changed.")
        try:
            with opened("session") as bus:
                if bus.has(KLIPPER[0]):
                    return {"how": "klipper"}
                if (argv := clipboard.writer()) and bus.has(services.SYSTEMD):
                    return {"how": "unit", "argv": argv, "environment": [f"{k}={v}" for k, v in clipboard.display().items()]}
        except NotPossible:
            pass
        terminal = next((os.ttyname(d) for d in (1, 2, 0) if os.isatty(d)), None)
        if terminal is None or os.environ.get("TERM", "") in _DEAF:
            raise NotPossible("Not available here, because there is neither a desktop nor a terminal with a clipboard.", hint="Nothing was changed.")
        return {"how": "terminal", "terminal": terminal}

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        if seen["how"] == "klipper":
            yield FillKlipper(args.text)
        elif seen["how"] == "unit":
            yield RunAsUnit("session", tuple(seen["argv"]), "put the text into the clipboard", tuple(seen["environment"]), args.text, True)
        else:
            yield FillByTerminal(seen["terminal"], args.text)

    examples = (
        Example(
            say=("copy hello world to the clipboard", "put hello world into my clipboard", "把hello world复制到剪贴板"),
            plan='system.copy(text="hello world")',
            may_lack=True,
        ),
        Example(say=("copy an empty text",), plan='system.copy(text="")', refused="plan.bad-argument"),
    )
