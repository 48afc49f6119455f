"""system.notify: shows a notification on the desktop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, Never, arg
from nlsh.plan.steps import Step
from nlsh.plan.values import Text
from nlsh.steps._bus import asked
from nlsh.steps.system import NOTIFICATIONS
from nlsh.steps.system import Notify as NotifyStep
from nlsh.world import World


class Notify(Action):
    """Show a notification on the desktop."""

    name = "system.notify"
    effects = ("bus.call", "sys.control")
    undo = Never("what was shown has been seen")

    class Args(BaseArgs):
        text = arg(Text(), "What it says.", required=True)

    def look(self, args: Any, world: World) -> None:
        with asked("session", NOTIFICATIONS, "a notification server"):
            pass

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield NotifyStep(args.text)

    examples = (
        Example(
            say=("notify me: tea is ready", "show a notification saying tea is ready", "弹个通知：tea is ready"),
            plan='system.notify(text="tea is ready")',
            may_lack=True,
        ),
        Example(say=("show an empty notification",), plan='system.notify(text="")', refused="plan.bad-argument"),
    )
