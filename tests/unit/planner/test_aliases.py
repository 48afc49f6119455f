"""Actions that came after training: they go by aliases in one request, and come back as what they are."""

from __future__ import annotations

import random

import pytest

from nlsh.planner.vocabulary import ALIASES, Slot, aliases_for, control_tokens, renamed, token_class

KNOWN_ACTIONS = {"file.find": (Slot("under", ("~",), True, True, True, False),)}
NEW = {"photo.sort": (Slot("under", ("~",), True, True, True, True), Slot("by", ("date", "camera"), False, False, False, False))}


def known() -> dict[str, int]:
    return {t: i for i, t in enumerate(control_tokens(KNOWN_ACTIONS))}


def test_only_what_is_unknown_gets_an_alias() -> None:
    names = aliases_for([["<file.find>", "<under=>"], ["<photo.sort>", "<under=>", "<by=>", "<=date>"]], known())
    assert set(names) == {"<photo.sort>", "<by=>", "<=date>"}
    assert all(alias in known() and token_class(alias) in ("", token_class(token)) for token, alias in names.items())


def test_the_renamed_action_offers_what_can_be_written() -> None:
    names = aliases_for([["<photo.sort>", "<under=>", "<by=>", "<=date>"]], known())
    ((name, slots),) = renamed({**KNOWN_ACTIONS, **NEW}, names, known()).items()
    assert f"<{name}>" == names["<photo.sort>"]
    assert [s.name for s in slots] == ["under", names["<by=>"][1:-2]]
    assert slots[1].fixed == (names["<=date>"][2:-1],)  # “camera” was not offered, so it cannot be written


def test_where_no_alias_is_left_there_is_none() -> None:
    many = [[f"<made.up{i}>"] for i in range(len(ALIASES["<"]) + 3)]
    names = aliases_for(many, known())
    assert len(names) == len(ALIASES["<"]) == len(set(names.values()))


def test_training_hides_actions_only_behind_what_is_offered() -> None:
    train = pytest.importorskip("nlsh.modelkit.train", exc_type=ImportError)
    offered = [["<file.find>", "<under=>"], ["<file.trash>", "<paths=>"]]
    plan = ["<file.trash>", "<paths=>", "<w1>", "<w2>"]
    hidden = 0
    for seed in range(200):
        names = train._hidden(offered, plan, random.Random(seed))
        assert len(set(names.values())) == len(names)
        assert set(names) <= {t for tokens in offered for t in tokens}
        hidden += plan[0] in names
    assert 40 < hidden < 200
    # A plan that needs a word nobody offered is left as it is.
    unseen = ["<file.find>", "<under=>", "<w1>", "<w1>", "<kind=>", "<w2>", "<w2>"]
    for seed in range(50):
        assert not {"<file.find>", "<under=>", "<kind=>"} & set(train._hidden(offered, unseen, random.Random(seed)))


def test_an_imagined_action_is_offered_under_an_alias_with_the_words_of_its_name_or_is_outside() -> None:
    train = pytest.importorskip("nlsh.modelkit.train", exc_type=ImportError)
    from nlsh.modelkit.corpus import Corpus
    from nlsh.modelkit.imagined import Imagined
    from nlsh.modelkit.recipe import CORPUS
    from nlsh.planner.vocabulary import catalogue

    class Pieces:  # a tokenizer that keeps every piece whole
        def encode(self, piece: str, add_special_tokens: bool) -> object:
            return type("Encoded", (), {"ids": [piece]})()

    corpus = Corpus.load(CORPUS)
    imagined = Imagined(corpus)
    encoding = train.Encoding(Pieces(), catalogue(), corpus.meanings, imagined)
    tokens = {i: t for t, i in encoding.ids.items()}
    rng, called, outside = random.Random(3), 0, 0
    for _ in range(60):
        sentence = imagined.sample(rng)
        asked, plan = encoding.example(sentence, [sentence.meaning.text], rng)
        if tokens[plan[0]] == "<none.refuse>":
            outside += 1
            continue
        called += 1
        assert tokens[plan[0]] in ALIASES["<"]
        assert asked[asked.index(plan[0]) + 1] == " " + sentence.calls[0].action.replace(".", " ").replace("_", " ")
    assert called > 30 and outside > 3
