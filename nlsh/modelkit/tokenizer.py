"""The decoder's tokenizer: byte-level BPE with llama.cpp's `smollm` pre-tokenizer (digits one by one), control tokens first."""

from __future__ import annotations

import random
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from nlsh.modelkit.corpus import Corpus
from nlsh.planner.simplified import simplified


def of(model: models.BPE) -> Tokenizer:
    """Return a tokenizer that splits text as llama.cpp's `smollm` does, with `model` for the pieces."""
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def build(corpus: Corpus, control: list[str], size: int, out: Path, *, sentences: int = 40_000, seed: int = 1) -> Tokenizer:
    """Train a tokenizer of `size` entries on sentences of the corpus and save it. The control tokens have ids 0, 1, 2, …"""
    rng = random.Random(seed)
    tokenizer = of(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=control, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False, min_frequency=2
    )
    words = (w for _ in range(sentences) for w in corpus.sample(rng, chinese=0.3).words)
    tokenizer.train_from_iterator((simplified(f" {w.text}" if w.spaced else w.text) for w in words), trainer)
    tokenizer.save(str(out))
    return tokenizer


def control_of(file: Path) -> list[str]:
    """Return the control tokens of a tokenizer in the order of their numbers."""
    return [token.content for _, token in sorted(Tokenizer.from_file(str(file)).get_added_tokens_decoder().items())]
