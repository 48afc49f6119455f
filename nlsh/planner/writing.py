"""Have a model write text under a grammar: the likeliest text, and, where it was not sure, what it would have written instead.

Vocabularies of a hundred thousand tokens are handled with numpy, and the grammar is asked about the likeliest tokens first: about all of them only
where those leave too much open.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nlsh.plan.errors import ModelError
from nlsh.planner import turns
from nlsh.planner.engine import Written, _decode

if TYPE_CHECKING:
    from nlsh.planner.engine import Engine

LIKELIEST = 512  # tokens that the grammar is asked about first
SURE = 0.9  # a text of at least this probability needs no alternatives


def write(engine: Engine, prompt: Sequence[int], grammar: str, *, best: int, longest: int) -> list[Written]:
    """Return up to `best` texts of at most `longest` tokens that the grammar allows after `prompt`, the likeliest first.

    At every place the likeliest token is taken (temperature 0). Others follow the second likeliest token at the place where that is likeliest. Whoever's
    turn it is meanwhile (`turns`) has the model in between. Raises ModelError if the grammar does not parse or the prompt is too long.
    """
    lib = engine.lib
    lib.llama_memory_clear(engine.memory, True)
    most = lib.llama_n_batch(engine.context)
    for start in range(0, len(prompt), most):
        part = prompt[start : start + most]
        if start:
            turns.rest(engine)
        _decode(engine, [(t, start + i, 0, start + i == len(prompt) - 1) for i, t in enumerate(part)])
    first, forks = _follow(engine, len(prompt), grammar, (), (), longest)
    found = [first] if first is not None else []
    if first is not None and math.exp(first.log_probability) >= SURE:
        return found
    for tokens, probs in sorted(forks, key=lambda fork: -sum(fork[1]))[: best - 1]:
        place = len(prompt) + len(tokens) - 1
        # A model that keeps no past by position (a recurrent one) cannot go back.
        if not lib.llama_memory_seq_rm(engine.memory, 0, place, -1):
            break
        _decode(engine, [(tokens[-1], place, 0, True)])
        other, _ = _follow(engine, len(prompt), grammar, tokens, probs, longest)
        if other is not None:
            found.append(other)
    return sorted(found, key=lambda w: -w.log_probability)


_Fork = tuple[tuple[int, ...], tuple[float, ...]]


def _follow(engine: Engine, start: int, grammar: str, tokens: tuple[int, ...], probs: tuple[float, ...], longest: int) -> tuple[Written | None, list[_Fork]]:
    """Go on from `tokens` with the likeliest token each time; return the text (None: it came to no end) and where it could have gone elsewhere."""
    lib = engine.lib
    sampler = lib.llama_sampler_init_grammar(engine.vocab, grammar.encode(), b"root")
    if not sampler:
        raise ModelError("The grammar of this request could not be used.", code="model.grammar")
    try:
        for token in tokens:
            lib.llama_sampler_accept(sampler, token)
        forks: list[_Fork] = []
        while len(tokens) < longest:
            allowed = _allowed(engine, sampler)
            if not allowed:
                return None, forks
            for token, log_p in allowed[1:2]:
                if not lib.llama_vocab_is_eog(engine.vocab, token):
                    forks.append(((*tokens, token), (*probs, log_p)))
            token, log_p = allowed[0]
            probs = (*probs, log_p)
            if lib.llama_vocab_is_eog(engine.vocab, token):
                return Written(tokens, probs), forks
            tokens = (*tokens, token)
            lib.llama_sampler_accept(sampler, token)
            turns.rest(engine)
            _decode(engine, [(token, start + len(tokens) - 1, 0, True)])
        return None, forks
    finally:
        lib.llama_sampler_free(sampler)


def _allowed(engine: Engine, sampler: Any) -> list[tuple[int, float]]:
    """Return the two likeliest tokens that the grammar allows next, with their log-probabilities among all that it allows."""
    import numpy as np

    logits = np.ctypeslib.as_array(engine.lib.llama_get_logits_ith(engine.context, -1), shape=(engine.size,)).astype(np.float64)
    logits -= logits.max()
    if engine.size > LIKELIEST:
        likeliest = np.argpartition(-logits, LIKELIEST)[:LIKELIEST]
        ids, kept = _passed(engine, sampler, likeliest, logits[likeliest])
        # What was not asked about must weigh less than what was allowed, or it could change the choice.
        if len(ids) and np.exp(kept).sum() >= np.exp(logits).sum() - np.exp(logits[likeliest]).sum():
            return _best(ids, kept)
    return _best(*_passed(engine, sampler, np.arange(engine.size), logits))


def _passed(engine: Engine, sampler: Any, ids: Any, logits: Any) -> tuple[Any, Any]:
    import numpy as np

    lib = engine.lib
    rows = np.empty(len(ids), dtype=[("id", np.int32), ("logit", np.float32), ("p", np.float32)])
    rows["id"], rows["logit"], rows["p"] = ids, logits, 0
    data = ctypes.cast(rows.ctypes.data, ctypes.POINTER(lib.llama_token_data))
    array = lib.llama_token_data_array(data=data, size=len(rows), selected=-1, sorted=False)
    lib.llama_sampler_apply(sampler, ctypes.byref(array))
    kept = rows["logit"] > -1e30
    return rows["id"][kept], rows["logit"][kept].astype(np.float64)


def _best(ids: Any, logits: Any) -> list[tuple[int, float]]:
    import numpy as np

    if not len(ids):
        return []
    total = math.log(np.exp(logits - logits.max()).sum()) + logits.max()
    order = np.lexsort((ids, -logits))[:2]
    return [(int(ids[i]), float(logits[i] - total)) for i in order]


def text_of(engine: Engine, tokens: Sequence[int]) -> str:
    """Return the text that tokens write."""
    buffer, pieces = ctypes.create_string_buffer(512), b""
    for token in tokens:
        length = engine.lib.llama_token_to_piece(engine.vocab, token, buffer, len(buffer), 0, False)
        pieces += buffer.raw[: max(0, length)]
    return pieces.decode("utf-8", "replace")
