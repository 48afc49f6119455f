"""Arguments of an action that came after training, told by its examples. The encoder's states are made up here; `tests/model` has real ones."""

from __future__ import annotations

from array import array

import pytest

from nlsh.plan.plan import Call, Plan
from nlsh.planner.by_example import Seen, State, prototypes, seen_by, tagged, turned
from nlsh.planner.engine import Embedded
from nlsh.planner.lexer import lex
from nlsh.planner.planner import Planner
from nlsh.settings import Settings

# What a word is to its sentence, as a made-up encoder has it.
KEPT, PLACE, OTHER = (1.0, 0.0, 0.1), (0.0, 1.0, 0.1), (0.0, 0.1, 1.0)


def seen(*words: tuple[str, tuple[float, ...] | None]) -> Seen:
    request = " ".join(text for text, _ in words)
    states = [state for text, state in words for _ in lex(text)]
    return Seen(request, lex(request), list(states))


EXAMPLES = [
    (Call("copy.safe", {"what": "Music", "to": "sdb"}), seen(("keep", OTHER), ("Music", KEPT), ("on", OTHER), ("sdb", PLACE))),
    (Call("copy.safe", {"what": "a b", "to": "sdc"}), seen(("sdc", PLACE), ("for", OTHER), ("a b", KEPT))),
]
KNOWN = prototypes(EXAMPLES)


def test_what_an_argument_looks_like_is_the_mean_of_its_words() -> None:
    assert set(KNOWN) == {"what", "to", ""}
    assert KNOWN["what"][0] > 0.9 > KNOWN["what"][1] and KNOWN["to"][1] > 0.9 > KNOWN["to"][0]


def test_values_go_where_the_examples_have_such() -> None:
    request = seen(("use", OTHER), ("sde", PLACE), ("to", OTHER), ("keep", OTHER), ("My Films", KEPT))
    right = Call("copy.safe", {"what": "My Films", "to": "sde"})
    assert turned(Call("copy.safe", {"what": "sde", "to": "My Films"}), request, KNOWN) == right
    assert turned(right, request, KNOWN) == right
    # What is no word of the request, or no argument that an example has, stays where it is.
    other = Call("copy.safe", {"what": "sde", "fast": True})
    assert turned(other, request, KNOWN) == other == turned(other, request, {})


def test_another_reading_takes_the_words_that_look_like_the_argument() -> None:
    request = seen(("keep", OTHER), ("My", KEPT), ("of", OTHER), ("Films", KEPT), (",", KEPT), ("there:", OTHER), ("sde", PLACE))
    assert tagged(Call("copy.safe", {"what": "keep", "to": "sde"}), request, KNOWN) == Call("copy.safe", {"what": "My of Films", "to": "sde"})
    assert tagged(Call("copy.safe", {"what": "keep", "to": "sde"}), seen(("keep", OTHER), ("sde", PLACE)), KNOWN) is None
    assert tagged(Call("copy.safe", {"fast": True}), request, KNOWN) is None


@pytest.mark.parametrize("states", [[], [1.0, 0.0] * 4])
def test_words_have_the_mean_state_of_their_pieces(states: list[float]) -> None:
    found = seen_by("keep it", ["[CLS]", "\u2581keep", "\u2581it", "[SEP]"], states)
    assert [w.text for w in found.words] == ["keep", "it"]
    assert found.states == ([[1.0, 0.0]] * 2 if states else [None, None])


class Knows(Planner):
    """A planner that has met no action but the refusal, with made-up words for what an example's arguments look like."""

    def _is_known(self, action: str) -> bool:
        return False

    def _prototypes(self, action: str, examples: object) -> dict[str, State]:
        return {"paths": KEPT, "width": PLACE, "": OTHER}

    def _pieces(self, read: object) -> list[str]:
        return ["\u2581most", "\u2581640", "\u2581b"]


def test_what_does_not_bind_stays_as_the_decoder_has_it_and_what_is_the_same_counts_once() -> None:
    plan = Plan((Call("image.resize", {"paths": "640", "width": "b"}),))
    right = Plan((Call("image.resize", {"paths": "b", "width": "640"}),))
    planner = Knows(Settings())
    # Both look like a width: neither order is better, and “most 640” is none.
    read = Embedded([], [], array("f", [*PLACE, *PLACE, *KEPT]))
    found = planner._as_in_examples([(plan, -1.0, -0.5)], "most 640 b", read, [])
    assert [p for p, _, _ in found] == [right]
    odd = Plan((Call("image.resize", {"paths": "b", "width": "most"}),))
    read = Embedded([], [], array("f", [*KEPT, *PLACE, *PLACE]))
    first, *_ = planner._as_in_examples([(odd, -1.0, -0.5)], "most 640 b", read, [])
    assert first[0] == odd
