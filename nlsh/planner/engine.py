"""Run GGUF models with llama.cpp, through the low-level interface of llama-cpp-python: embed a text, or decode under a grammar.

The package's own `Llama` class imports numpy and jinja2, some 300 ms that a one-shot does not have; `library` loads the bindings alone.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import math
import os
import sys
import types
from array import array
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlsh.plan.errors import ModelError
from nlsh.plan.frozen import frozen

if TYPE_CHECKING:
    from nlsh.planner.grammar import Grammar, State


@cache
def library() -> Any:
    """Return the ctypes bindings `llama_cpp.llama_cpp`, without running the package's `__init__`. Raises ModelError."""
    # Two threads that spin at a barrier on a busy machine turn 50 ms into seconds.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if "llama_cpp" not in sys.modules:
        spec = importlib.util.find_spec("llama_cpp")
        if spec is None or spec.submodule_search_locations is None:
            raise ModelError(
                "llama-cpp-python is not installed, so no model can run.", hint="Nothing was changed. Set it up again: python3 -m nlsh.bootstrap run"
            )
        package = types.ModuleType("llama_cpp")
        package.__path__ = list(spec.submodule_search_locations)
        package.__spec__ = spec
        sys.modules["llama_cpp"] = package
        try:
            lib = importlib.import_module("llama_cpp.llama_cpp")
        finally:
            # Whoever imports the package later gets the whole of it.
            del sys.modules["llama_cpp"]
    else:
        lib = importlib.import_module("llama_cpp.llama_cpp")
    silent = lib.llama_log_callback(lambda level, text, data: None)
    library.silent = silent  # type: ignore[attr-defined]  # llama.cpp keeps the pointer
    lib.llama_log_set(silent, None)
    lib.llama_backend_init()
    return lib


class Stopped(Exception):
    """What was being decoded is not wanted any more."""


MOST_TOKENS = 1 << 17  # of one text


@frozen()
class Embedded:
    """A text as an encoder reads it: its vector, of unit length; its token ids; their states, one after the other, where the encoder tells them."""

    vector: list[float]
    tokens: list[int]
    states: array[float]


class Engine:
    """A loaded model with one context. Close it, or let it go with the process."""

    def __init__(self, path: Path, *, context: int, threads: int, embed: bool = False, sequences: int = 1, gpu_layers: int | None = None) -> None:
        """Load `path`; `gpu_layers` of it onto a graphics card (None: as llama.cpp does by itself).

        Raises ModelError with one sentence if the file is missing, not a GGUF file, or cannot be loaded.
        """
        lib = self.lib = library()
        self.path = path
        try:
            with open(path, "rb") as file:
                magic = file.read(4)
        except OSError as error:
            raise ModelError(
                f"The model {path} cannot be read: {error.strerror}.", hint="Nothing was changed. Reinstall nlsh, or choose another with --model."
            ) from error
        if magic != b"GGUF":
            raise ModelError(f"{path} is not a GGUF model.", hint="Nothing was changed. Reinstall nlsh, or choose another with --model.")
        params = lib.llama_model_default_params()
        if gpu_layers is not None:
            params.n_gpu_layers = gpu_layers
        self.model = lib.llama_model_load_from_file(str(path).encode(), params)
        if not self.model:
            raise ModelError(f"The model {path} is damaged or of an unknown kind.", hint="Nothing was changed. Reinstall nlsh, or choose another with --model.")
        cp = lib.llama_context_default_params()
        cp.n_ctx = context
        # A batch is a whole prompt, which the processor reads in pieces.
        cp.n_batch, cp.n_ubatch = context, min(context, 512)
        cp.n_seq_max = sequences
        cp.n_threads = cp.n_threads_batch = threads
        cp.embeddings = embed
        if embed and self._pools_by_mean():
            cp.pooling_type = lib.LLAMA_POOLING_TYPE_NONE  # the mean is taken here: the state of each token says something, too
        if sequences > 1:
            cp.kv_unified = True
        self.context = lib.llama_init_from_model(self.model, cp)
        if not self.context:
            lib.llama_model_free(self.model)
            raise ModelError(f"No memory for a context of the model {path}.", hint="Nothing was changed.")
        self.vocab = lib.llama_model_get_vocab(self.model)
        self.size = lib.llama_vocab_n_tokens(self.vocab)
        self.memory = lib.llama_get_memory(self.context)
        self._buffer = (lib.llama_token * 4096)()
        self._text: dict[str, list[int]] = {}

    def tokenize(self, text: str, *, special: bool = False, add_special: bool = False) -> list[int]:
        """Return the ids of `text`; control tokens are only ever read from it where `special` is set."""
        key = text if not special and not add_special else ""
        if key and key in self._text:
            return self._text[key]
        data = text.encode("utf-8", "replace")
        count = self.lib.llama_tokenize(self.vocab, data, len(data), self._buffer, len(self._buffer), add_special, special)
        if -MOST_TOKENS <= count < 0:
            # It says how many there would be.
            self._buffer = (self.lib.llama_token * -count)()
            count = self.lib.llama_tokenize(self.vocab, data, len(data), self._buffer, len(self._buffer), add_special, special)
        if count < 0:
            raise ModelError("The text is too long for the model.", hint="Nothing was changed. Say it in fewer words.")
        ids = list(self._buffer[:count])
        if key:
            self._text[key] = ids
        return ids

    def token_text(self, token: int) -> str:
        """Return the text of a token as it stands in the vocabulary."""
        return self.lib.llama_vocab_get_text(self.vocab, token).decode("utf-8", "replace")

    def _pools_by_mean(self) -> bool:
        kind = self._metadata(f"{self._metadata('general.architecture')}.pooling_type")
        return kind == str(self.lib.LLAMA_POOLING_TYPE_MEAN)

    def _metadata(self, key: str) -> str:
        value = ctypes.create_string_buffer(64)
        return value.value.decode() if self.lib.llama_model_meta_val_str(self.model, key.encode(), value, len(value)) > 0 else ""

    def embed(self, text: str) -> list[float]:
        """Return the embedding of `text`, of unit length."""
        return self.read(text).vector

    def read(self, text: str) -> Embedded:
        """Return the embedding of `text` with its tokens and their states."""
        lib = self.lib
        ids = self.tokenize(text, add_special=True)
        limit = lib.llama_n_ctx(self.context)
        ids = ids[: limit - 1] + ids[-1:] if len(ids) > limit else ids
        tokens = (lib.llama_token * len(ids))(*ids)  # the batch points into it
        batch = lib.llama_batch_get_one(tokens, len(ids))
        if lib.llama_decode(self.context, batch) != 0:
            raise ModelError("The encoder could not read the request.")
        width = lib.llama_model_n_embd(self.model)
        states = array("f")
        if lib.llama_pooling_type(self.context) == lib.LLAMA_POOLING_TYPE_NONE:
            states.frombytes(ctypes.string_at(lib.llama_get_embeddings(self.context), states.itemsize * width * len(ids)))
            vector = [sum(column) for column in zip(*(states[i : i + width] for i in range(0, len(states), width)), strict=True)]
        else:
            vector = lib.llama_get_embeddings_seq(self.context, 0)[:width]
        length = math.sqrt(sum(v * v for v in vector)) or 1.0
        return Embedded([v / length for v in vector], ids, states)

    def close(self) -> None:
        """Free the model; the engine cannot be used afterwards."""
        self.lib.llama_free(self.context)
        self.lib.llama_model_free(self.model)


@frozen()
class Written:
    """One decoded sequence: its token ids without the end token, and the log-probability of each token among those allowed."""

    tokens: tuple[int, ...]
    log_probs: tuple[float, ...]

    @property
    def log_probability(self) -> float:
        return sum(self.log_probs)


def beam_search(
    engine: Engine,
    prompt: Sequence[int],
    grammar: Grammar,
    end: int,
    *,
    width: int,
    best: int,
    skeletons: Sequence[Sequence[int]] = (),
    longest: int = 48,
    stop: Callable[[], bool] | None = None,
) -> list[Written]:
    """Return the `best` most probable token sequences after `prompt` that the grammar allows, and one of each of the `skeletons` that is not among them.

    Probabilities are over the tokens that the grammar allows next. A skeleton's sequence is written beside the beams, token by token the most probable.
    Raises ModelError if the prompt is too long, and Stopped once `stop` says so.
    """
    lib = engine.lib
    lib.llama_memory_clear(engine.memory, True)
    _decode(engine, [(t, i, 0, i == len(prompt) - 1) for i, t in enumerate(prompt)])
    logits = lib.llama_get_logits_ith(engine.context, len(prompt) - 1)
    first = _likely(logits, grammar.allowed(grammar.start), width)
    # A beam: its tokens, their log-probabilities, the sequence it grows from and where it stands in the grammar.
    beams: list[tuple[tuple[int, ...], tuple[float, ...], int, State]] = [((t,), (p,), 0, grammar.after(grammar.start, t)) for t, p in first]
    along = [_Along(skeleton, 2 * width + 1 + n, grammar) for n, skeleton in enumerate(skeletons)]
    for one in along:
        lib.llama_memory_seq_cp(engine.memory, 0, one.sequence, -1, -1)
        one.grow(logits, grammar, end)
    finished: list[Written] = []
    for generation in range(longest):
        finished += [Written(tokens[:-1], probs) for tokens, probs, _, _ in beams if tokens[-1] == end]
        finished.sort(key=lambda w: -w.log_probability)
        floor = finished[best - 1].log_probability if len(finished) >= best else -math.inf
        live = [b for b in beams if b[0][-1] != end and sum(b[1]) > floor]
        growing = [one for one in along if one.tokens and one.tokens[-1] != end]
        if not live and not growing:
            break
        if stop is not None and stop():
            raise Stopped
        # Generations take turns with two pools of sequences: a beam is copied from its parent's pool into the other.
        here, there = (1, 1 + width) if generation % 2 == 0 else (1 + width, 1)
        for slot, (_, _, parent, _) in enumerate(live):
            lib.llama_memory_seq_cp(engine.memory, parent, here + slot, -1, -1)
        for sequence in range(there, there + width):
            lib.llama_memory_seq_rm(engine.memory, sequence, -1, -1)
        position = len(prompt) + generation
        rows = [(b[0][-1], position, here + slot, True) for slot, b in enumerate(live)]
        _decode(engine, rows + [(one.tokens[-1], position, one.sequence, True) for one in growing])
        grown = []
        for slot, (tokens, probs, _, state) in enumerate(live):
            for token, logp in _likely(lib.llama_get_logits_ith(engine.context, slot), grammar.allowed(state), width):
                grown.append(((*tokens, token), (*probs, logp), here + slot, state))
        for slot, one in enumerate(growing, start=len(live)):
            one.grow(lib.llama_get_logits_ith(engine.context, slot), grammar, end)
        grown.sort(key=lambda beam: -sum(beam[1]))
        beams = [(tokens, probs, at, state if tokens[-1] == end else grammar.after(state, tokens[-1])) for tokens, probs, at, state in grown[:width]]
    found = sorted(finished, key=lambda w: -w.log_probability)[:best]
    more = {one.tokens[:-1]: Written(one.tokens[:-1], one.log_probs) for one in along if one.tokens and one.tokens[-1] == end}
    return sorted({**more, **{w.tokens: w for w in found}}.values(), key=lambda w: -w.log_probability)


class _Along:
    """A sequence that is written after a skeleton, in a sequence of the context of its own; without tokens where the grammar has no such plan."""

    def __init__(self, skeleton: Sequence[int], sequence: int, grammar: Grammar) -> None:
        self.skeleton, self.sequence = skeleton, sequence
        self.at, self.state = 0, grammar.start
        self.tokens: tuple[int, ...] = ()
        self.log_probs: tuple[float, ...] = ()

    def grow(self, logits: Any, grammar: Grammar, end: int) -> None:
        """Write the next token: of those that go on with the skeleton the most probable, as probable as it is among all that the grammar allows."""
        allowed = grammar.allowed(self.state)
        ways = dict(grammar.along(self.skeleton, self.at, self.state))
        likely = next(((token, p) for token, p in _likely(logits, allowed, len(allowed)) if token in ways), None)
        if likely is None:
            self.tokens, self.log_probs = (), ()
            return
        token, log_p = likely
        self.tokens, self.log_probs, self.at = (*self.tokens, token), (*self.log_probs, log_p), ways[token]
        if token != end:
            self.state = grammar.after(self.state, token)


def _decode(engine: Engine, rows: list[tuple[int, int, int, bool]]) -> None:
    """Run (token, position, sequence, wants logits) rows through the model."""
    lib = engine.lib
    batch = lib.llama_batch_init(len(rows), 0, 1)
    try:
        batch.n_tokens = len(rows)
        for i, (token, position, sequence, wanted) in enumerate(rows):
            batch.token[i] = token
            batch.pos[i] = position
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = sequence
            batch.logits[i] = wanted
        if lib.llama_decode(engine.context, batch) != 0:
            raise ModelError("The request is too long for the model.", hint="Nothing was changed. Say it in fewer words.")
    finally:
        lib.llama_batch_free(batch)


def _likely(logits: Any, allowed: Sequence[int], most: int) -> list[tuple[int, float]]:
    """Return the `most` likely of the allowed tokens with their log-probabilities among all of these, best first."""
    values = [logits[token] for token in allowed]
    top = max(values)
    total = top + math.log(sum(map(math.exp, [v - top for v in values])))
    best = sorted(range(len(values)), key=values.__getitem__, reverse=True)[:most]
    return [(allowed[i], values[i] - total) for i in best]
