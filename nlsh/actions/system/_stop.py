"""What restarting, switching off and suspending have in common: whether this machine can, and when it is to."""

from __future__ import annotations

import datetime
import time
from typing import Any

from nlsh.plan.errors import BadArgument, NotPossible, Refused
from nlsh.steps.system import WORDS, able, scheduled
from nlsh.world import World

_LONGEST_S = 366 * 86400.0


def look(kind: str, args: Any, world: World) -> float | None:
    """Return when the machine is to stop, in seconds since the epoch, or None for now. Raises Refused where something is planned already."""
    at = _when(args, world.now())
    possible(kind)
    if at is not None and (planned := scheduled()) is not None:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(planned[1]))
        what = WORDS.get(planned[0], planned[0])
        raise Refused(f"Something is planned already: {what} this machine at {when}.", hint="Nothing was changed. system.cancel_shutdown() calls it off.")
    return at


def possible(kind: str) -> None:
    """Raise NotPossible where this machine, or this user, cannot."""
    answer = able(kind)
    if answer == "na":
        raise NotPossible(f"This machine cannot be made to do that: {WORDS[kind]}.", hint="Nothing was changed.")
    if answer == "no":
        raise NotPossible("The system does not let you do this.", hint="Nothing was changed. Run nlsh with sudo.")


def _when(args: Any, now: float) -> float | None:
    if args.after is not None and args.at is not None:
        raise BadArgument("Either after a time or at a time of day, not both.", hint="Nothing was changed.")
    if args.after is not None:
        if args.after > _LONGEST_S:
            raise Refused("That is more than a year from now.", hint="Nothing was changed. Name an earlier time.")
        return now + args.after
    if args.at is not None:
        today = datetime.datetime.fromtimestamp(now)
        at = today.replace(hour=args.at[0], minute=args.at[1], second=0, microsecond=0)
        # A time of day that has passed is tomorrow's.
        return (at if at > today else at + datetime.timedelta(days=1)).timestamp()
    return None
