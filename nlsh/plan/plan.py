"""Plans: calls in order, each of which may name an earlier result; and the preview of one, frozen for approval."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from nlsh.plan.effects import Effect
from nlsh.plan.errors import BadPlan
from nlsh.plan.frozen import frozen
from nlsh.plan.steps import Step, as_json

if TYPE_CHECKING:
    from nlsh.plan.schedule import Schedule

LAST = "_"
STDIN = "stdin"  # in place of the action that found a result: it came on a pipe


@frozen()
class Ref:
    """The result of an earlier call by name; `_` is the result of the last turn."""

    name: str


Value = str | bool | Ref | tuple[str, ...]


@frozen()
class Call:
    """An action with its arguments as they were written, and the name of its result where a later call uses it."""

    action: str
    args: Mapping[str, Value] = field(default_factory=dict)
    result: str | None = None

    def __hash__(self) -> int:
        return hash((self.action, tuple(sorted(self.args.items(), key=lambda kv: kv[0])), self.result))


@frozen()
class Plan:
    """Calls in order. Raises BadPlan where a call names a result that no earlier call has.

    `schedule`: when it runs, if not at once; such a plan is a job, and is previewed and run without it.
    """

    calls: tuple[Call, ...]
    schedule: Schedule | None = None

    def __post_init__(self) -> None:
        known = {LAST}
        for call in self.calls:
            for key, value in call.args.items():
                if any("\0" in text for text in (value if isinstance(value, tuple) else (value,)) if isinstance(text, str)):
                    raise BadPlan(f"{call.action}: {key} has a NUL character in it, which no name can have.")
                if isinstance(value, Ref) and value.name not in known:
                    raise BadPlan(f"{call.action} uses “{value.name}”, which no earlier call names.")
            if call.result is not None:
                if call.result in known:
                    raise BadPlan(f"The result name “{call.result}” is used twice.")
                known.add(call.result)

    def as_data(self) -> list[dict[str, Any]]:
        """Return JSON-able data; `plan_from_data` is its inverse. Raises BadPlan for one with a schedule, which would be lost."""
        if self.schedule is not None:
            raise BadPlan("A plan that runs later is written as text, not as data.", hint="Nothing was run.")
        return [
            {
                "action": c.action,
                "args": {k: {"ref": v.name} if isinstance(v, Ref) else list(v) if isinstance(v, tuple) else v for k, v in c.args.items()},
                **({"result": c.result} if c.result else {}),
            }
            for c in self.calls
        ]


def plan_from_data(data: Any) -> Plan:
    """Rebuild a plan from `as_data`. Raises BadPlan."""
    try:
        calls = []
        for item in data:
            args: dict[str, Value] = {}
            for key, value in item["args"].items():
                if isinstance(value, dict):
                    args[key] = Ref(value["ref"])
                elif isinstance(value, list):
                    args[key] = tuple(str(v) for v in value)
                elif isinstance(value, (str, bool)):
                    args[key] = value
                else:
                    raise TypeError(type(value).__name__)
            result = item.get("result")
            if not (result is None or isinstance(result, str)):
                raise TypeError(type(result).__name__)
            calls.append(Call(str(item["action"]), args, result))
    except (KeyError, TypeError, AttributeError) as error:
        raise BadPlan(f"This is not plan data: {error}.") from error
    return Plan(tuple(calls))


@frozen()
class Until:
    """What a call does to some processes (`of`, their numbers) for the sake of others: it is over once these (`processes`, number and start) have ended.

    `names` and `of_name` are what they are called.
    """

    names: tuple[str, ...]
    processes: tuple[tuple[int, str], ...]
    of_name: str
    of: tuple[int, ...]


@frozen()
class PreviewedCall:
    """A call with the steps it amounts to. `no_undo` is why it cannot be undone, empty if it can or changes nothing.

    `carried` are the variables from earlier lines of a shell that choose which programs its command runs. `places` is where the paths of its
    effects led when it was previewed: a link that is put there afterwards does not change what is judged, nor what is granted. `until` says what of
    it is over with the end of other processes.
    """

    call: Call
    steps: tuple[Step, ...]
    effects: tuple[Effect, ...]
    no_undo: str = ""
    notes: tuple[str, ...] = ()
    carried: tuple[str, ...] = field(default=(), kw_only=True)
    until: tuple[Until, ...] = field(default=(), kw_only=True)
    places: Mapping[str, str] = field(default_factory=dict, kw_only=True, repr=False, compare=False)
    _texts: list[str] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def changes(self) -> bool:
        return any(not s.reads_only for s in self.steps)

    def step_texts(self) -> list[str]:
        """Return each step as JSON: what is hashed, journalled and sent to the worker is the same text."""
        if not self._texts:
            self._texts.extend(as_json(s.as_data()) for s in self.steps)
        return self._texts


@frozen()
class Preview:
    """The frozen list of steps and effects of a plan: what is approved, what is run, what is hashed into the audit."""

    plan: Plan
    calls: tuple[PreviewedCall, ...]
    request: str = ""

    @property
    def effects(self) -> tuple[Effect, ...]:
        return tuple(sorted({e for c in self.calls for e in c.effects}))

    @property
    def changes(self) -> bool:
        return any(c.changes for c in self.calls)

    def digest(self) -> str:
        """Return the SHA-256 of the plan, its steps and its effects."""
        digest = hashlib.sha256()
        for written, call in zip(self.plan.as_data(), self.calls, strict=True):
            # JSON in ASCII has no line breaks of its own, so that no two previews give the same lines.
            lines = (json.dumps(written, sort_keys=True), str(len(call.steps)), *call.step_texts(), as_json(call.effects))
            digest.update("".join(line + "\n" for line in lines).encode())
        return digest.hexdigest()
