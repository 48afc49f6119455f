"""device.volume: how loud the sound is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Percent
from nlsh.plan.errors import BadArgument, Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Choice, Flag
from nlsh.steps._sockets import opened
from nlsh.steps.knobs import SetVolume
from nlsh.world import World, pulse
from nlsh.world.pulse import FULL, Pulse

_STEP_PERCENT = 10


class Volume(Action):
    """Set how loud the sound is, or mute it."""

    name = "device.volume"
    effects = ("bus.call",)

    class Args(BaseArgs):
        level = arg(Percent(), "How loud; where it is muted, it is heard again.")
        change = arg(Choice("up", "down"), "A step louder (and heard again, where it is muted) or quieter.")
        mute = arg(Flag(), "No sound at all.", default=False)
        unmute = arg(Flag(), "Sound again; at 0%, a step of it.", default=False)
        need_one_of = ("level", "change", "mute", "unmute")

    def look(self, args: Any, world: World) -> Any:
        if (args.level is not None, bool(args.change), args.mute, args.unmute).count(True) != 1 and not (args.level is not None and args.unmute):
            raise BadArgument("device.volume takes one of level, change, mute and unmute.", hint='For example level="40%".')
        path = pulse.socket_path()
        with opened(path, Pulse, "the sound server") as server:
            now = server.output()
        after = now.volumes
        if args.level is not None:
            after = _scaled(now.volumes, args.level)
        elif args.change:
            # Never louder than it is meant to be, and not quieter either where it is already.
            most = max(100, now.percent)
            after = _scaled(now.volumes, min(max(now.percent + (_STEP_PERCENT if args.change == "up" else -_STEP_PERCENT), 0), most))
        elif args.unmute and not now.percent:
            after = _scaled(now.volumes, _STEP_PERCENT)  # sound again is sound that is heard
        # Louder, or so loud, is for who wants to hear it, as every volume key has it. Quieter is not.
        muted = args.mute or (now.muted and not (args.unmute or args.change == "up" or args.level is not None))
        if (after, muted) == (now.volumes, now.muted):
            state = "muted" if args.mute else "not muted" if args.unmute else f"at {now.percent}%"
            raise Refused(f"The sound is {state} already.", hint="Nothing was changed.")
        return SetVolume(path, now.name, now.description, now.volumes, after, now.muted, muted)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield seen

    examples = (
        Example(
            say=("set the volume to 40%", "sound at 40 percent please", "turn the speakers to 40%", "音量调到40%"),
            plan='device.volume(level="40%")',
            may_lack=True,
        ),
        Example(say=("mute the sound", "be quiet, no sound", "静音"), plan="device.volume(mute=true)", may_lack=True),
        Example(say=("mute the sound and turn it up", "静音再大声点"), plan='device.volume(change="up", mute=true)', refused="plan.bad-argument"),
    )


def _scaled(volumes: tuple[int, ...], percent: float) -> tuple[int, ...]:
    """Return the volumes with the loudest channel at `percent`, and the balance between them kept."""
    loudest, goal = max(volumes, default=0), round(FULL * percent / 100)
    return tuple(round(v * goal / loudest) for v in volumes) if loudest else tuple(goal for _ in volumes)
