"""device.brightness: how bright the screen is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Percent
from nlsh.plan.errors import BadArgument, Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Choice
from nlsh.steps._bus import asked
from nlsh.steps.knobs import LOGIN, SetBrightness
from nlsh.world import World, screens

_STEP_PERCENT = 10


class Brightness(Action):
    """Set how bright the screen is."""

    name = "device.brightness"
    effects = ("dev.read", "dev.control", "bus.call")

    class Args(BaseArgs):
        level = arg(Percent(), "How bright.")
        change = arg(Choice("up", "down"), "A step brighter or darker.")
        need_one_of = ("level", "change")

    def look(self, args: Any, world: World) -> Any:
        if args.level is not None and args.change:
            raise BadArgument("device.brightness takes a level or a change, not both.", hint='For example change="up".')
        light = screens.light()
        wanted = args.level if args.level is not None else 100 * light.now / light.most + (_STEP_PERCENT if args.change == "up" else -_STEP_PERCENT)
        # Never quite dark: nobody could read the way back.
        after = min(max(round(light.most * wanted / 100), 1), light.most)
        if after == light.now:
            raise Refused(f"The screen is at {light.percent}% already.", hint="Nothing was changed.")
        by_service = not os.access(light.path, os.W_OK)
        if by_service:
            with asked("system", LOGIN, "the login service, which may set the brightness where only root may otherwise,"):
                pass
        return SetBrightness(light.name, light.path, light.now, after, light.most, by_service)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield seen

    examples = (
        Example(
            say=("set the brightness to 60%", "dim the screen to 60 percent", "screen at 60% please", "屏幕亮度调到60%"),
            plan='device.brightness(level="60%")',
            may_lack=True,
        ),
        Example(say=("make the screen brighter", "too dark, turn the brightness up", "屏幕亮一点"), plan='device.brightness(change="up")', may_lack=True),
        Example(
            say=("set the brightness to 60% and up", "亮度调到60%再亮一点"),
            plan='device.brightness(level="60%", change="up")',
            refused="plan.bad-argument",
        ),
    )
