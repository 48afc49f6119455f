"""`frozen` makes what `dataclass(frozen=True, slots=True)` makes: of every class here, one of each, and they behave alike."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError, dataclass, field, fields, is_dataclass, replace
from typing import Any, ClassVar

import pytest

from nlsh.plan.frozen import frozen


@frozen()
class Ours:
    """Everything that a field can be."""

    name: str
    size: int = 3
    tags: Mapping[str, str] = field(default_factory=dict)
    note: str = field(default="x", compare=False, repr=False)
    late: str = field(default="k", kw_only=True)
    made: list[int] = field(default_factory=list, init=False, compare=False)
    shared: ClassVar[int] = 7


@dataclass(frozen=True, slots=True)
class Theirs:
    """The same, by the standard library."""

    name: str
    size: int = 3
    tags: Mapping[str, str] = field(default_factory=dict)
    note: str = field(default="x", compare=False, repr=False)
    late: str = field(default="k", kw_only=True)
    made: list[int] = field(default_factory=list, init=False, compare=False)
    shared: ClassVar[int] = 7


def seen(make: Callable[[], Any]) -> object:
    try:
        return make()
    except (TypeError, ValueError, AttributeError) as error:
        return type(error)


@pytest.mark.parametrize(
    "what",
    [
        lambda c: repr(c("a")).replace(c.__name__, ""),
        lambda c: c("a", 4, {"b": "c"}, "d", late="e").size,
        lambda c: c(),
        lambda c: c("a", 1, {}, "x", "late by place"),
        lambda c: c("a", made=[1]),
        lambda c: c("a", unknown=1),
        lambda c: c("a") == c("a", note="another"),
        lambda c: c("a") == c("b"),
        lambda c: c("a") == "a",
        lambda c: hash(c("a")),  # a dict cannot be hashed
        lambda c: hash(c("a", tags=())) == hash(c("a", tags=(), note="another")),
        lambda c: c("a").tags is c("a").tags,
        lambda c: replace(c("a"), size=9).size,
        lambda c: replace(c("a"), made=[1]),
        lambda c: [f.name for f in fields(c)],
        lambda c: (is_dataclass(c), c.__match_args__, c.shared, c.__slots__),
        lambda c: setattr(c("a"), "name", "b"),
        lambda c: delattr(c("a"), "name"),
        lambda c: c("a").__dict__,
        lambda c: copy.deepcopy(c("a", tags={"b": "c"})) == c("a", tags={"b": "c"}),
        lambda c: pickle.loads(pickle.dumps(c("a"))) == c("a"),
    ],
)
def test_it_is_as_the_standard_library_s(what: Callable[[type], Any]) -> None:
    assert seen(lambda: what(Ours)) == seen(lambda: what(Theirs))


def test_what_a_class_says_itself_stays_and_a_derived_one_has_its_own_fields() -> None:
    @frozen(slots=False)
    class Base:
        name: str

        def __post_init__(self) -> None:
            assert self.name, "a name is needed"

        def __repr__(self) -> str:
            return "mine"

    @frozen(slots=False)
    class Derived(Base):
        size: int = 1

    assert repr(Base("a")) == "mine"
    assert (Derived("a", 2).size, Base("b").name, Derived(name="c").name) == (2, "b", "c")
    assert Derived("a") != Base("a")
    with pytest.raises(AssertionError):
        Derived("")
    with pytest.raises(FrozenInstanceError):
        Derived("a").size = 5  # type: ignore[misc]


def test_without_eq_an_object_is_itself_only() -> None:
    @frozen(eq=False)
    class Alone:
        name: str

    one = Alone("a")
    assert one == one and one != Alone("a") and hash(one) != hash(Alone("b"))
