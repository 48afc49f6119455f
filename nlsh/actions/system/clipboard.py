"""system.clipboard: what is in the clipboard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible
from nlsh.plan.records import Line, Record
from nlsh.steps._bus import opened
from nlsh.steps.clipboard import KLIPPER
from nlsh.world import World, clipboard


class Clipboard(Action):
    """Show what is in the clipboard."""

    name = "system.clipboard"
    effects = ("bus.read", "tool.read")

    def look(self, args: Any, world: World) -> dict[str, Any]:
        if argv := clipboard.reader():
            # Asked here: such a program makes a connection to the display of its own, which no worker can.
            return {"how": argv[0], "text": clipboard.contents(argv)}
        try:
            with opened("session") as bus:
                if bus.has(KLIPPER[0]):
                    return {"how": "", "text": ""}
        except NotPossible:
            pass
        raise NotPossible(
            "Not available here, because there is no desktop whose clipboard could be read.", hint="wl-paste, xclip or xsel can, where there is a display."
        )

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("tool.read", seen["how"]),) if seen["how"] else (Effect("bus.read", "session"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        text = seen["text"]
        if not seen["how"]:
            with opened("session") as bus:
                text = bus.call(*KLIPPER, "getClipboardContents")[0]
        for number, line in enumerate(text.splitlines(), start=1):
            yield Line(line, number)

    examples = (Example(say=("what is in my clipboard", "show the clipboard", "剪贴板里是什么"), plan="system.clipboard()", may_lack=True),)
