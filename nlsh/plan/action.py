"""Actions: a declared unit of the catalogue, with its typed arguments, effects, look, steps, undo and examples in one class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar

from nlsh.plan.effects import KINDS, Effect
from nlsh.plan.errors import BadArgument
from nlsh.plan.frozen import frozen
from nlsh.plan.values import ValueType

if TYPE_CHECKING:
    from nlsh.plan.plan import Until
    from nlsh.plan.records import Record
    from nlsh.plan.steps import Step
    from nlsh.world import World

_MISSING: Any = object()


@frozen()
class Arg:
    """One argument: its type, what it is for, and what it is when it is not given (`default` None: nothing)."""

    type: ValueType
    help: str
    default: Any = None
    required: bool = False
    common: tuple[str, ...] = ()  # values that sentences imply without writing them: "the biggest" is limit="1"
    name: str = ""


def arg(type: ValueType, help: str, *, default: Any = None, required: bool = False, common: tuple[str, ...] = ()) -> Any:
    """Declare an argument in an `Args` class; the first one declared may be written without its name."""
    return Arg(type, help, default, required, common)


class BaseArgs:
    """The bound arguments of one call. Attributes hold parsed values; `written` holds what the plan says."""

    fields: ClassVar[dict[str, Arg]] = {}
    need_one_of: ClassVar[tuple[str, ...]] = ()
    written: Mapping[str, Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # What a class inherits comes first: arguments that several actions share.
        own = {k: Arg(v.type, v.help, v.default, v.required, v.common, k) for k, v in vars(cls).items() if isinstance(v, Arg)}
        cls.fields = cls.fields | own

    @classmethod
    def bind(cls, action: str, written: Mapping[str, Any]) -> BaseArgs:
        """Parse what a plan says into values. Raises BadArgument, naming the argument, and the nearest name for an unknown one."""
        self = cls()
        self.written = dict(written)
        for key in written:
            if key not in cls.fields:
                raise BadArgument(f"{action} has no argument “{key}”.", hint=_nearest(key, list(cls.fields)))
        for key, declared in cls.fields.items():
            value = written.get(key, _MISSING)
            if value is _MISSING:
                if declared.required:
                    raise BadArgument(f"{action} needs {key}: {declared.help.removesuffix('.')}.", hint=f'For example {key}="{declared.type.example}".')
                setattr(self, key, declared.default)
                continue
            try:
                setattr(self, key, declared.type.parse(value))
            except (ValueError, TypeError, OverflowError) as error:
                raise BadArgument(f"{action}: {key}: {error}.", hint=f'For example {key}="{declared.type.example}".') from error
        if cls.need_one_of and not any(written.get(k) not in (None, (), "") for k in cls.need_one_of):
            raise BadArgument(f"{action} needs one of {', '.join(cls.need_one_of)}; nothing given never means everything.")
        return self


def _nearest(word: str, known: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(word, known, 1)
    return f"Did you mean {close[0]}?" if close else f"It has: {', '.join(known)}." if known else "It has none."


@frozen()
class Never:
    """Why an action cannot be undone: said in the preview, before it is approved."""

    reason: str


@frozen()
class Example:
    """Requests with the plan they mean and what comes of it, on a small real scene: test, documentation, training seed.

    `given`: path → text, bytes, None for a folder, or a dict of `text`, `size`, `age`, `mode`, `link`, `members` (see `nlsh.testing.Scene`),
    in a scratch home that is also the working directory.
    `processes`: names of idle processes that run meanwhile (“nlsh-web” is a web server for the scene's files); in `plan`, `{pid:NAME}` and
    `{port:NAME}` stand for theirs.
    `result`: the first column of each expected record, in order (None: not checked, for all or one; `...` as last element: at least these).
    `after`: path → text, bytes, None for a folder, a dict as in `given` ({}: it is there), or `ABSENT`; checked after the run.
    `refused`: the error code, when the example is one that must be refused; then nothing may change.
    `may_lack`: not every machine has such a thing; where it has none, `world.not-possible` is the right answer.
    `repositories`: paths in which undo brings back what the files hold, not their times, nor what git keeps for itself.
    """

    say: tuple[str, ...]
    plan: str
    given: Mapping[str, Any] = field(default_factory=dict)
    processes: tuple[str, ...] = ()
    result: tuple[Any, ...] | None = None
    after: Mapping[str, Any] = field(default_factory=dict)
    refused: str = ""
    may_lack: bool = False
    repositories: tuple[str, ...] = ()


ABSENT: Any = ...


@frozen()
class Looked:
    """What the `look` of an action that changes things may return: its steps, and what the preview says beside them, each a sentence or two."""

    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()


class Action:
    """Base of all actions. The class docstring's first line is the summary.

    `effects` is the ceiling: kinds of effect its steps may need. `undo` is a `Never` with its reason, or None: its steps have inverses.
    `live`: it reads until Ctrl-C; its records are shown as they come, and its observation waits with `nlsh.steps.handles.wait` and ends when told to.
    """

    name: ClassVar[str]
    effects: ClassVar[tuple[str, ...]]
    undo: ClassVar[Never | None] = None
    live: ClassVar[bool] = False
    examples: ClassVar[tuple[Example, ...]] = ()

    class Args(BaseArgs):
        """No arguments."""

    @classmethod
    def summary(cls) -> str:
        return (cls.__doc__ or "").strip().splitlines()[0]

    @classmethod
    def reads_only(cls) -> bool:
        return not any(KINDS[k][1] for k in cls.effects)

    @classmethod
    def first_argument(cls) -> str | None:
        return next(iter(cls.Args.fields), None)

    def look(self, args: Any, world: World) -> Any:
        """Read from the world what `steps` needs; change nothing. May raise NotFound, NotPossible or Refused."""
        return None

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        """Yield the steps; pure. An action that only reads leaves this alone and defines `observe` and `needs`."""
        from nlsh.steps.observe import Observe

        yield Observe(self.name, _as_json(args.written), seen, self.needs(args, seen))

    def is_ordered(self, args: Any) -> bool:
        """Return whether the order of its records was asked for or says something; False: they come as they happen to be found. Pure."""
        return True

    def until(self, args: Any, seen: Any) -> tuple[Until, ...]:
        """Return what of the steps is done for the sake of other processes, and is over once these have ended; pure."""
        return ()

    def notes(self, args: Any, seen: Any) -> tuple[str, ...]:
        """Return what the preview says beside the steps, for what they do not show: what is left out, what stays as it was; pure."""
        return seen.notes if isinstance(seen, Looked) else ()

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        """For an action that only reads: the effects of its observation; pure."""
        raise NotImplementedError

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        """For an action that only reads: yield its records. Runs in the worker, confined to `needs`."""
        raise NotImplementedError


def _as_json(written: Mapping[str, Any]) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v if isinstance(v, (str, bool, int, float)) or v is None else str(v) for k, v in written.items()}
