"""Which words of a request are part of an argument, and what that says of a reading."""

from __future__ import annotations

import json
from array import array
from pathlib import Path

import pytest

from nlsh.plan import registry
from nlsh.plan.errors import ModelError
from nlsh.planner.roles import MOST, Roles, astray, piece_starts
from nlsh.planner.vocabulary import catalogue

REQUEST = "rename plan.txt to b.txt"
PIECES = ("[CLS]", "▁ren", "ame", "▁plan", "▁.", "▁txt", "▁to", "▁b", "▁.", "▁txt", "[SEP]")


@pytest.mark.parametrize(
    ("request_", "pieces", "starts"),
    [
        (REQUEST, PIECES, [-1, 0, 3, 7, 11, 12, 16, 19, 20, 21, -1]),
        ("Café  photos", ("▁cafe", "▁photos"), [0, 6]),
        ("把 素材 移到2GB", ("▁把", "▁素", "▁材", "▁移", "▁到", "▁2", "gb"), [0, 2, 3, 5, 6, 7, 8]),
        ("show 🐧🐧 now", ("▁show", "[UNK]", "▁now"), [0, 5, 8]),
        ("show 龘x now", ("▁show", "[UNK]", "▁x", "▁now"), [0, 5, 6, 8]),
        ("", ("[CLS]", "[SEP]"), [-1, -1]),
        ("a", ("▁a", "▁b"), [0, -1]),
    ],
)
def test_where_pieces_start(request_: str, pieces: tuple[str, ...], starts: list[int]) -> None:
    assert piece_starts(request_, pieces) == starts


# rename plan.txt to b.txt
INSIDE = (0.01, 0.99, 0.02, 0.97)


@pytest.mark.parametrize(
    ("plan", "inside", "words"),
    [
        ('file.rename("plan.txt", to="b.txt")', INSIDE, 0),
        ('file.rename("b.txt", to="plan.txt")', INSIDE, 0),
        ('file.rename("rename", to="b.txt")', INSIDE, 2),
        ('file.rename("plan.txt to", to="b.txt")', INSIDE, 1),
        ('file.rename("plan.t", to="b.txt")', INSIDE, 1),  # no word of the request, so that the word is left out
        ("file.list()", INSIDE, 2),
        ("file.list()", (0.3, 0.7, 0.3, 0.7), 0),  # the encoder is not sure
        ("file.list()", (None, None, None, 0.9), 1),
        ("file.list()", (0.9, 0.9, 0.9, 0.9), MOST),
    ],
)
def test_words_that_a_reading_takes_astray(plan: str, inside: tuple[float | None, ...], words: int) -> None:
    assert astray(registry.parse(plan), REQUEST, inside, catalogue()) == words


def test_a_value_that_the_action_names_itself_is_no_word_of_the_request() -> None:
    assert astray(registry.parse('file.list(sort="newest")'), "newest files", (0.01, 0.01), catalogue()) == 0


def test_what_is_part_of_an_argument_is_read_from_states(tmp_path: Path) -> None:
    file = tmp_path / "roles.bin"
    file.write_bytes(json.dumps({"width": 2, "roles": ["", "path"]}).encode() + b"\n" + array("f", [1, 0, 0, 1]).tobytes())
    pieces, states = ("[CLS]", "▁a", "▁b", "b", "[SEP]"), array("f", [0, 0, 9, 0, 0, 9, 0, 9, 0, 0])
    first, second = Roles(file).inside("a bb", pieces, states)
    assert first is not None and first < 0.01
    assert second is not None and second > 0.99
    assert Roles(file).inside("a bb", pieces, array("f")) == [None, None]  # an encoder that tells no states
    assert Roles(tmp_path / "absent").inside("a bb", pieces, states) == [None, None]


@pytest.mark.parametrize("damage", [b"no json\n", b'{"width": 2, "roles": ["", "path"]}\n1234', b'{"width": 1, "roles": ["path"]}\n1234'])
def test_a_damaged_file_is_named(tmp_path: Path, damage: bytes) -> None:
    file = tmp_path / "roles.bin"
    file.write_bytes(damage)
    with pytest.raises(ModelError, match=r"roles\.bin"):
        Roles(file).inside("a", ("▁a",), array("f", [1, 0]))
