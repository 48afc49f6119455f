"""Texts that take turns with one model: a long one is interrupted for another, and goes on later with the very bytes it would have written anyway.

At a switch llama.cpp's own state of the sequence (its keys and values) is saved and later put back, instead of reading the text again in one piece: in
other batches the same sums round differently. A sampler keeps its own state, and the last token is decoded only after the switch, so that no logits
have to be kept.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from nlsh.plan.errors import ModelError
from nlsh.planner.engine import Engine, _decode

_SEQUENCE = 0


class Turns:
    """Who has the context of an engine. One thread at a time."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._holder: Text | None = None

    @contextmanager
    def lent(self) -> Iterator[Engine]:
        """Within: the engine is free for whatever clears it first, and no text is written."""
        self.take(None)
        yield self.engine

    def take(self, text: Text | None) -> bool:
        """Give the context to a text, or to nobody, having saved what its holder needs; return whether it had it already."""
        if text is self._holder:
            return True
        if self._holder is not None:
            self._holder.save()
        self._holder = text
        self.engine.lib.llama_memory_clear(self.engine.memory, True)
        return False


class Text:
    """A text after `prompt`, of at most `longest` tokens: with a `seed` drawn at `temperature`, without one the likeliest token each time. Close it."""

    def __init__(
        self, turns: Turns, prompt: Sequence[int], *, longest: int, seed: int | None = None, temperature: float = 1.0, grammar: str = ""
    ) -> None:  # fmt: skip
        """Raises ModelError for no prompt, one that is too long, or a grammar that does not parse."""
        self._turns, self._engine, self._lib = turns, turns.engine, turns.engine.lib
        if not prompt or len(prompt) + longest > self._lib.llama_n_ctx(self._engine.context):
            raise ModelError("The text would be too long for the model, or has no beginning.", hint="Nothing was changed. Say it in fewer words.")
        self._prompt, self._longest = list(prompt), longest
        self._state: Any = None
        self.tokens: list[int] = []
        self.done = False
        self._sampler = self._lib.llama_sampler_chain_init(self._lib.llama_sampler_chain_default_params())
        if grammar:
            rules = self._lib.llama_sampler_init_grammar(self._engine.vocab, grammar.encode(), b"root")
            if not rules:
                self.close()
                raise ModelError("The grammar of this request could not be used.", code="model.grammar")
            self._lib.llama_sampler_chain_add(self._sampler, rules)
        if seed is not None:
            self._lib.llama_sampler_chain_add(self._sampler, self._lib.llama_sampler_init_temp(temperature))
        last = self._lib.llama_sampler_init_greedy() if seed is None else self._lib.llama_sampler_init_dist(seed)
        self._lib.llama_sampler_chain_add(self._sampler, last)

    def write(self, stop: Callable[[], bool] | None = None) -> bool:
        """Write on until the text has its end, or `stop` says after a token that it is another's turn; return whether it has ended. Raises ModelError."""
        while not self.done:
            self._one()
            if stop is not None and stop():
                break
        return self.done

    def close(self) -> None:
        """Let go of the sampler; nothing more is written."""
        if self._sampler:
            self._lib.llama_sampler_free(self._sampler)
            self._sampler, self.done = None, True

    def save(self) -> None:
        """Keep the state of the sequence, for it to be put back when it is this text's turn again. Raises ModelError."""
        size = self._lib.llama_state_seq_get_size(self._engine.context, _SEQUENCE)
        self._state = (ctypes.c_uint8 * size)()
        if self._lib.llama_state_seq_get_data(self._engine.context, self._state, size, _SEQUENCE) != size:
            raise ModelError("The model's state could not be saved.", hint="Nothing was changed. Try again.")

    def _one(self) -> None:
        if not self._turns.take(self) and self._state is not None:
            size = len(self._state)
            if self._lib.llama_state_seq_set_data(self._engine.context, self._state, size, _SEQUENCE) == 0:
                raise ModelError("The model's state could not be put back.", hint="Nothing was changed. Try again.")
            self._state = None
        if self.tokens:
            _decode(self._engine, [(self.tokens[-1], len(self._prompt) + len(self.tokens) - 1, _SEQUENCE, True)])
        else:
            most = self._lib.llama_n_batch(self._engine.context)
            for start in range(0, len(self._prompt), most):
                part = self._prompt[start : start + most]
                _decode(self._engine, [(t, start + i, _SEQUENCE, start + i == len(self._prompt) - 1) for i, t in enumerate(part)])
        token = self._lib.llama_sampler_sample(self._sampler, self._engine.context, -1)
        if self._lib.llama_vocab_is_eog(self._engine.vocab, token):
            self.done = True
            return
        self.tokens.append(token)
        self.done = len(self.tokens) >= self._longest
