"""When a plan runs, if not at once: `with every("1h"):`, `with at("18:00"):`, `with when(process.exits(name="make")):`, `with background():`.

A schedule keeps what was written, as a plan does; `Timing` is what it means. What the conditions are on this machine is `nlsh.world.conditions`'s.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta
from typing import Any

from nlsh.plan.amounts import Bytes, CoreTime, Duration, Percent, Rate
from nlsh.plan.errors import BadArgument, BadPlan
from nlsh.plan.frozen import frozen
from nlsh.plan.later import later
from nlsh.plan.terms import Clock
from nlsh.plan.values import Glob, Name, Path, Text, ValueType

KINDS = ("every", "at", "when", "background")
MISSED = ("once", "skip")
PRIORITIES = ("high", "normal", "low")
SHORTEST_S = 10.0
MOST_RETRIES = 10

# What a plan may wait for: its arguments, the first of which may stand without its name; which of them it needs; whether it happens again and again.
CONDITIONS: dict[str, tuple[dict[str, ValueType], tuple[str, ...], bool]] = {
    "process.exits": ({"name": Name(), "pid": Text()}, ("name", "pid"), False),
    "process.starts": ({"name": Name()}, ("name",), True),
    "disk.over": ({"share": Percent(), "path": Path()}, ("share",), True),
    "memory.over": ({"share": Percent()}, ("share",), True),
    "battery.under": ({"share": Percent()}, ("share",), True),
    "file.appears": ({"under": Path(), "name": Glob()}, ("under",), True),
    "file.changes": ({"path": Path()}, ("path",), True),
    "network.online": ({}, (), True),
}
# How much of the machine its runs may use, each with all that it starts.
BUDGET: dict[str, ValueType] = {"cores": CoreTime(), "cpu": Percent(), "memory": Bytes(), "io": Rate(), "gpu_memory": Bytes()}
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_CHINESE_DAYS = {"一": 0, "二": 1, "三": 2, "四": 3, "五": 4, "六": 5, "日": 6, "天": 6}


@frozen()
class Schedule:
    """When a plan runs, as it was written. `kind` is one of KINDS; `condition` one of CONDITIONS where it is `when`, and `args` are then its own.

    `missed`: what was due while nothing could be run is run `once`, or not at all (`skip`). `retry`: how often what failed with nothing done is
    tried again. `priority`: one of PRIORITIES. `budget`: what of BUDGET each run may use.
    """

    kind: str
    args: Mapping[str, str] = field(default_factory=dict)
    condition: str = ""
    missed: str = ""
    retry: int = 0
    priority: str = "normal"
    budget: Mapping[str, str] = field(default_factory=dict)

    def __hash__(self) -> int:
        more = (self.condition, self.missed, self.retry, self.priority, tuple(sorted(self.budget.items())))
        return hash((self.kind, tuple(sorted(self.args.items())), more))

    @property
    def amounts(self) -> dict[str, float]:
        """What its budget means: cores, per cent of the machine's processor (cpu), bytes, and bytes a second (io)."""
        return {name: BUDGET[name].parse(written) for name, written in self.budget.items()}

    @property
    def repeats(self) -> bool:
        """Whether it is not done with one run."""
        return self.kind == "every" or (self.kind == "when" and CONDITIONS[self.condition][2])

    @property
    def when_missed(self) -> str:
        """What is done about runs that were missed: what is written, else `skip` for lengths of time and `once` for the rest."""
        return self.missed or ("skip" if self.kind == "every" and not _is_calendar(self.args) else "once")

    def next_due(self, after: float) -> float | None:
        """Return the first time after `after` (seconds since the epoch) that it is due; None where it waits for a condition, or is never due again."""
        if self.kind == "background":
            return after
        if self.kind == "at":
            due = moment_of(self.args["time"], after)
            return due if due > after else None
        if self.kind == "every":
            return _every(self.args, after)
        return None

    def due_after_setback(self, due: float, now: float) -> float | None:
        """Return when it is due instead of at `due`, where that can only be so late because the clock has been set back; None where it need not be."""
        if self.kind != "every":
            return None
        due_now = _every(self.args, now)
        # What is due at a time of day may have been reckoned in another time zone.
        return due_now if due > due_now + (2 * 86400 if _is_calendar(self.args) else SHORTEST_S) else None

    def __str__(self) -> str:
        """Return the header, as it stands in a plan."""
        from nlsh.plan.syntax import quoted

        more = ([f"missed={quoted(self.missed)}"] if self.missed else []) + ([f'retry="{self.retry}"'] if self.retry else [])
        more += [f"priority={quoted(self.priority)}"] if self.priority != "normal" else []
        more += [f"{name}={quoted(written)}" for name, written in self.budget.items()]
        shown = [quoted(v) if k == _first_of(self) and not n else f"{k}={quoted(v)}" for n, (k, v) in enumerate(self.args.items())]
        if self.kind == "when":
            condition = f"{self.condition}({', '.join(shown)})"
            return f"with when({', '.join([condition, *more])}):"
        return f"with {self.kind}({', '.join([*shown, *more])}):"


def _first_of(schedule: Schedule) -> str:
    if schedule.kind == "when":
        return next(iter(CONDITIONS[schedule.condition][0]), "")
    return {"every": "interval", "at": "time"}.get(schedule.kind, "")


def schedule_of(kind: str, args: Mapping[str, str], condition: str = "") -> Schedule:
    """Return a schedule whose every value has been checked. Raises BadPlan and BadArgument."""
    given = dict(args)
    missed, retry, priority = given.pop("missed", ""), given.pop("retry", "0"), given.pop("priority", "normal")
    budget = {name: given.pop(name) for name in BUDGET if name in given}
    if kind not in KINDS:
        raise BadPlan(f"A plan cannot stand in “with {kind}(…)”.", hint=f"There is: {', '.join(KINDS)}.")
    if missed not in ("", *MISSED):
        raise BadArgument(f"missed is {' or '.join(MISSED)}, not “{missed}”.")
    if not (retry.isascii() and retry.isdigit() and int(retry) <= MOST_RETRIES):
        raise BadArgument(f"retry is a number up to {MOST_RETRIES}, not “{retry}”.")
    if priority not in PRIORITIES:
        raise BadArgument(f"priority is {', '.join(PRIORITIES[:-1])} or {PRIORITIES[-1]}, not “{priority}”.")
    _check_budget(budget)
    if kind == "when":
        _check_condition(condition, given)
    else:
        fields = {"every": ("interval", "at"), "at": ("time",), "background": ()}[kind]
        _check_names(kind, given, fields, fields[:1])
    found = Schedule(kind, given, condition, missed, int(retry), priority, budget)
    try:
        if kind == "every":
            _every(given, 0.0)
        elif kind == "at":
            moment_of(given["time"], time.time())
    except (ValueError, OverflowError) as error:
        raise BadArgument(f"{kind}: {error}.", hint='For example every("1h"), every("day", at="18:00"), at("18:00"), at("tomorrow 9am").') from error
    return found


def _check_budget(budget: Mapping[str, str]) -> None:
    if "cores" in budget and "cpu" in budget:
        raise BadArgument("cores and cpu both say how much of the processor: give one of them.")
    for name, written in budget.items():
        try:
            BUDGET[name].parse(written)
        except (ValueError, TypeError) as error:
            raise BadArgument(f"{name}: {error}.", hint=f'For example {name}="{BUDGET[name].example}".') from error


def _check_condition(condition: str, given: dict[str, str]) -> None:
    if condition not in CONDITIONS:
        import difflib

        close = difflib.get_close_matches(condition, CONDITIONS, 1)
        raise BadPlan(f"A plan cannot wait for “{condition}”.", hint=f"Did you mean {close[0]}?" if close else f"It can for: {', '.join(CONDITIONS)}.")
    types, needed, _ = CONDITIONS[condition]
    _check_names(condition, given, tuple(types), ())
    if needed and not any(k in given for k in needed):
        raise BadArgument(f"{condition} needs {' or '.join(needed)}.")
    for key, value in given.items():
        try:
            types[key].parse(value)
            if key == "pid":
                pids_of(value)
        except (ValueError, TypeError) as error:
            raise BadArgument(f"{condition}: {key}: {error}.") from error


def pids_of(written: str) -> tuple[int, ...]:
    """Return the process ids of a condition: one, or several with commas between them. Raises ValueError."""
    parts = [part.strip() for part in written.split(",")]
    if wrong := [part for part in parts if not (part.isascii() and part.isdigit())]:
        raise ValueError(f"“{wrong[0]}” is no process id")
    return tuple(map(int, parts))


def _check_names(what: str, given: Mapping[str, str], fields: tuple[str, ...], needed: tuple[str, ...]) -> None:
    for key in given:
        if key not in fields:
            raise BadArgument(f"{what} has no argument “{key}”.", hint=f"It has: {', '.join(fields)}." if fields else "It has none.")
    for key in needed:
        if key not in given:
            raise BadArgument(f"{what} needs {key}.")


# --- times -----------------------------------------------------------------------------------------------------------


def _calendar(interval: str) -> tuple[frozenset[int] | None, int] | None:
    """Return on which days of the week (None: all), or on which of the month (0: none), an interval in words is; None where it is a length of time."""
    text = re.sub(r"^(every|each|每个?|the)\s*", "", interval.strip().lower())
    text = text.removeprefix("on ").strip()
    whole = {
        "day": None, "daily": None, "天": None, "日": None, "night": None, "morning": None, "evening": None, "afternoon": None,
        "天早上": None, "天晚上": None, "晚": None,
        "weekday": frozenset(range(5)), "workday": frozenset(range(5)), "工作日": frozenset(range(5)),
        "weekend": frozenset((5, 6)), "周末": frozenset((5, 6)), "week": frozenset((0,)), "weekly": frozenset((0,)), "周": frozenset((0,)),
        "星期": frozenset((0,)),
    }  # fmt: skip
    if (one := text if text in whole else text.removesuffix("s")) in whole:
        return whole[one], 0
    if text in ("month", "monthly", "月", "个月"):
        return None, 1
    if match := re.fullmatch(r"(?:月|month on (?:the )?)(\d{1,2})(?:st|nd|rd|th|号|日)?", text):
        return (None, int(match[1])) if 1 <= int(match[1]) <= 31 else None
    days = set()
    for word in re.split(r"\s*(?:,|、|\band\b|和)\s*", text):
        if match := re.fullmatch(r"(?:周|星期|礼拜)?([一二三四五六日天])", word):
            days.add(_CHINESE_DAYS[match[1]])
        elif found := [n for n, d in enumerate(_DAYS) if word.rstrip("s") in (d, d[:3])]:
            days.add(found[0])
        else:
            return None
    return frozenset(days), 0


def _is_calendar(args: Mapping[str, str]) -> bool:
    return "at" in args or _calendar(args.get("interval", "")) is not None


def _every(args: Mapping[str, str], after: float) -> float:
    interval = args["interval"]
    found = _calendar(interval)
    if found is None:
        if "at" in args:
            raise ValueError(f"at goes with days, and “{interval}” is a length of time")
        seconds = Duration().parse(re.sub(r"^(every|each|每)\s*", "", interval))
        if not SHORTEST_S <= seconds <= 366 * 86400:
            raise ValueError(f"“{interval}” is not a length of time from {SHORTEST_S:g} seconds to a year")
        return after + seconds
    days, of_month = found
    hour, minute = _clock(args["at"]) if "at" in args else _usual(interval)
    day = datetime.fromtimestamp(after)
    for ahead in range(400):
        there = (day + timedelta(days=ahead)).replace(hour=hour, minute=minute, second=0, microsecond=0)
        if of_month and there.day != of_month:
            continue
        if (days is None or there.weekday() in days) and there.timestamp() > after:
            return there.timestamp()
    raise ValueError(f"“{interval}” never comes")


def _usual(interval: str) -> tuple[int, int]:
    text = interval.lower()
    for words, at in ((("morning", "早"), (9, 0)), (("evening", "晚上"), (19, 0)), (("night", "晚", "夜"), (22, 0)), (("afternoon", "下午"), (15, 0))):
        if any(w in text for w in words):
            return at
    return 9, 0


def _clock(written: str) -> tuple[int, int]:
    return Clock().parse(written)


_IN = re.compile(r"(?:in|after)\s+(.+)|(.+?)\s*(?:from now|later|之后|以后|后)")
_PARTS = {"morning": "9:00", "evening": "19:00", "afternoon": "15:00", "night": "22:00", "早上": "9:00", "晚上": "19:00", "下午": "15:00"}
_DAY_WORDS = {
    "today": 0,
    "tonight": 0,
    "tomorrow": 1,
    "tomorrow night": 1,
    "day after tomorrow": 2,
    "the day after tomorrow": 2,
    "今天": 0,
    "今晚": 0,
    "明天": 1,
    "明日": 1,
    "明晚": 1,
    "后天": 2,
    "大后天": 3,
}
_NIGHTS = ("tonight", "tomorrow night", "今晚", "明晚")
_DAY_LAST = later(r"(?!(?:next|this)\s+\w+$)(.+?)\s+(?:on\s+)?((?:next\s+|this\s+)?(?:mon|tues|wednes|thurs|fri|satur|sun)day)")
_PART_FIRST = later(r"(?:this\s+|in the\s+)?(morning|afternoon|evening|night)(?:,?\s+(?:at\s+)?(.+))?")


def moment_of(written: str, now: float) -> float:
    """Return the time that a written moment means, seen from `now`: "18:00", "tomorrow 9am", "in 20 minutes", "monday at noon", "2026-12-01 08:00"."""
    text = " ".join(written.strip().lower().split())
    text = re.sub(r"^(at|on)\s+", "", text)
    if match := _IN.fullmatch(text):
        return now + Duration().parse(match[1] or match[2])
    today = datetime.fromtimestamp(now)
    if text.startswith(("this ", "今天")) and (match := _PART_FIRST.fullmatch(text)):
        return _on(today, _of_part(text), written)
    for word in sorted(_DAY_WORDS, key=len, reverse=True):
        pattern = rf"(?:{word})\b[,\s]*(?:at\s+)?(.*)|(.*?)\s+{word}" if word.isascii() else rf"{word}\s*(.*)"
        if match := re.fullmatch(pattern, text):
            clock = (match[1] or (match[2] if match.lastindex and match.lastindex > 1 else "") or "").strip()
            if word in _NIGHTS and clock:
                clock = ("晚上" + clock) if not word.isascii() else clock if re.search("[ap]m|:", clock) else clock + " tonight"
            return _on(today + timedelta(days=_DAY_WORDS[word]), _of_part(clock) or ("22:00" if word in _NIGHTS else "9:00"), written)
    if match := re.fullmatch(r"next (week|month)|下(?:个)?(周|星期|礼拜|月)", text):
        month = (match[1] or match[2]) in ("month", "月")
        first = (today.replace(day=1) + timedelta(days=32)).replace(day=1) if month else today + timedelta(days=7 - today.weekday())
        return _on(first, "9:00", written)
    if match := _DAY_LAST.fullmatch(text):
        text = f"{match[2]} {match[1]}"
    if match := re.fullmatch(r"(?:next |this |下?(?=[周星礼]))?([a-z]+|(?:周|星期|礼拜)[一二三四五六日天])[,\s]*(?:at\s+)?(.*)", text):
        days = _calendar(match[1])
        if days is not None and days[0] is not None and len(days[0]) == 1 and not days[1] and match[1] not in ("week", "weekly", "周", "星期"):
            due = _every({"interval": match[1], "at": match[2].strip() or "9:00"}, now)
            if text.startswith("下"):
                monday = (today - timedelta(days=today.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
                return due if due >= (monday + timedelta(days=7)).timestamp() else due + 7 * 86400
            # "next monday", said on a monday, is not today.
            return due + 7 * 86400 if text.startswith("next") and datetime.fromtimestamp(due).date() == today.date() else due
    from nlsh.plan.dates import day_to_come

    if (found := day_to_come(re.sub(r"(?<=\d)t(?=\d)", " ", text), today)) is not None:
        return _on(found[0], _of_part(found[1]) or "9:00", written)
    due = _on(today, text, written)
    # A time of day that is over today is meant tomorrow.
    return due if due > now else _on(today + timedelta(days=1), text, written)


def _of_part(clock: str) -> str:
    """Return a time of day whose part of the day comes first ("morning at 8") as Clock takes it."""
    if clock in _PARTS:
        return _PARTS[clock]
    if match := _PART_FIRST.fullmatch(clock):
        at = match[2]
        return _PARTS[match[1]] if not at else at if re.search(r"[ap]\.?m\b|:", at) else f"{at} {'at' if match[1] == 'night' else 'in the'} {match[1]}"
    return clock


def _on(day: datetime, clock: str, written: str) -> float:
    try:
        hour, minute = _clock(clock)
    except ValueError:
        raise ValueError(f"“{written}” is no time such as 18:00, tomorrow 9am or in 20 minutes") from None
    # Twelve at night is the end of the day that is named, not its beginning.
    after = hour < 5 and (clock.startswith("晚") or clock.endswith("tonight"))
    return (day + timedelta(days=after)).replace(hour=hour, minute=minute, second=0, microsecond=0).timestamp()


def describe(schedule: Schedule) -> str:
    """Return in words when it runs."""
    args = schedule.args
    if schedule.kind == "background":
        return "now, in the background"
    if schedule.kind == "at":
        return f"once, at {args['time'].removeprefix('at ')}" if not args["time"].startswith("in ") else f"once, {args['time']}"
    if schedule.kind == "every":
        return f"every {args['interval'].removeprefix('every ')}" + (f" at {args['at']}" if "at" in args else "")
    said: dict[str, Any] = {"name": "", "path": "/", "under": "", "pid": "", "share": "", **args}
    several = not said["name"] and "," in said["pid"]
    words = {
        "process.exits": f"processes {said['pid']} have ended" if several else f"{said['name'] or 'process ' + said['pid']} has ended",
        "process.starts": f"{said['name']} starts",
        "disk.over": f"the disk of {said['path']} is more than {said['share']} full",
        "memory.over": f"more than {said['share']} of the memory is used",
        "battery.under": f"the battery is below {said['share']}",
        "file.appears": f"{said['name'] or 'a file'} appears in {said['under']}",
        "file.changes": f"{said['path']} changes",
        "network.online": "the network is there again",
    }
    return ("each time " if schedule.repeats else "once, when ") + words[schedule.condition]
