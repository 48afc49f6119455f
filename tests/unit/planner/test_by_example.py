"""Arguments of an action that came after training, told by its examples. The encoder's states are made up here; `tests/model` has real ones."""

from __future__ import annotations

import pytest

from nlsh.plan.plan import Call
from nlsh.planner.by_example import Seen, prototypes, seen_by, tagged, turned
from nlsh.planner.lexer import lex

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
