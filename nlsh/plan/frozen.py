"""`frozen`: the classes that `dataclass(frozen=True, slots=True)` makes, with their methods written when they are first called.

The standard library writes and compiles six methods of every such class when it is imported, which costs more than all else in most modules; a
one-shot imports a hundred such classes and makes objects of a few. For classes on its way, that no other dataclass inherits from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from operator import attrgetter

TYPE_CHECKING = False  # as in typing, which this is imported before
if TYPE_CHECKING:
    from typing import Any, NoReturn, TypeVar, dataclass_transform

    _T = TypeVar("_T")

    @dataclass_transform(frozen_default=True, field_specifiers=(field,))
    def frozen(*, slots: bool = True, eq: bool = True) -> Callable[[type[_T]], type[_T]]: ...
else:

    def frozen(*, slots: bool = True, eq: bool = True) -> Callable[[type], type]:
        """Make a class a dataclass whose objects do not change. `slots` and `eq` are as `dataclass` has them."""
        return lambda cls: _made(cls, slots, eq)


def _made(cls: type, slots: bool, eq: bool) -> type:
    if cls.__doc__ is None:
        cls.__doc__ = cls.__name__  # else `dataclass` works out what its signature would be
    made: Any = dataclass(init=False, repr=False, eq=False, slots=slots)(cls)
    own = vars(cls)
    declared = fields(made)

    def first(self: object, *args: object, **kwargs: object) -> None:
        made.__init__ = _init_of(made, declared)
        made.__init__(self, *args, **kwargs)

    made.__init__ = first
    made.__setattr__ = made.__delattr__ = _refuse
    if slots:
        made.__getstate__, made.__setstate__ = _state_of, _set_state
    if "__repr__" not in own:
        made.__repr__ = _repr
    if eq:
        value = attrgetter(*compared) if (compared := [f.name for f in declared if f.compare]) else lambda self: ()

        def equal(self: object, other: object) -> bool:
            return bool(value(self) == value(other)) if other.__class__ is self.__class__ else NotImplemented

        if "__eq__" not in own:
            made.__eq__ = equal
        if own.get("__hash__") is None:  # a class that says what is equal has None there
            made.__hash__ = lambda self: hash(value(self))
    return made


def _init_of(made: type, declared: tuple[Field[Any], ...]) -> Callable[..., None]:
    """Write `__init__`, as `dataclass` does."""
    known: dict[str, object] = {"_set": object.__setattr__, "_missing": MISSING}
    taken: dict[bool, list[str]] = {False: [], True: []}
    body: list[str] = []
    for f in declared:
        given, default = f.name, f"_default_{f.name}"
        if f.default_factory is not MISSING:
            known[default] = f.default_factory
            given = f"{default}() if {f.name} is _missing else {f.name}" if f.init else f"{default}()"
        elif f.default is not MISSING:
            known[default] = f.default
            given = f.name if f.init else default
        elif not f.init:
            continue
        if f.init:
            otherwise = "" if default not in known else "=_missing" if f.default_factory is not MISSING else f"={default}"
            taken[bool(f.kw_only)].append(f.name + otherwise)
        body.append(f"_set(self, {f.name!r}, {given})")
    if hasattr(made, "__post_init__"):
        body.append("self.__post_init__()")
    parameters = ", ".join(["self", *taken[False], *(["*"] if taken[True] else []), *taken[True]])
    exec(f"def __init__({parameters}):\n " + "\n ".join(body or ["pass"]), known)  # the names are those of fields
    return known["__init__"]  # type: ignore[return-value]


def _refuse(self: object, name: str, value: object = None) -> NoReturn:
    raise FrozenInstanceError(f"cannot change field {name!r}")


def _repr(self: Any) -> str:
    return f"{self.__class__.__qualname__}({', '.join(f'{f.name}={getattr(self, f.name)!r}' for f in fields(self) if f.repr)})"


def _state_of(self: Any) -> list[object]:
    return [getattr(self, f.name) for f in fields(self)]


def _set_state(self: Any, state: list[object]) -> None:
    for f, value in zip(fields(self), state, strict=True):
        object.__setattr__(self, f.name, value)
