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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from nlsh.plan.errors import ModelError


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
        cp.n_batch = cp.n_ubatch = min(context, 512)
        cp.n_seq_max = sequences
        cp.n_threads = cp.n_threads_batch = threads
        cp.embeddings = embed
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

    def embed(self, text: str) -> list[float]:
        """Return the pooled embedding of `text`, of unit length."""
        lib = self.lib
        ids = self.tokenize(text, add_special=True)
        limit = lib.llama_n_ctx(self.context)
        ids = ids[: limit - 1] + ids[-1:] if len(ids) > limit else ids
        array = (lib.llama_token * len(ids))(*ids)  # the batch points into it
        batch = lib.llama_batch_get_one(array, len(ids))
        if lib.llama_decode(self.context, batch) != 0:
            raise ModelError("The encoder could not read the request.")
        pointer = lib.llama_get_embeddings_seq(self.context, 0)
        vector = pointer[: lib.llama_model_n_embd(self.model)]
        length = math.sqrt(sum(v * v for v in vector)) or 1.0
        return [v / length for v in vector]

    def close(self) -> None:
        """Free the model; the engine cannot be used afterwards."""
        self.lib.llama_free(self.context)
        self.lib.llama_model_free(self.model)


@dataclass(frozen=True, slots=True)
class Written:
    """One decoded sequence: its token ids without the end token, and the log-probability of each token among those allowed."""

    tokens: tuple[int, ...]
    log_probs: tuple[float, ...]

    @property
    def log_probability(self) -> float:
        return sum(self.log_probs)


def beam_search(
    engine: Engine, prompt: Sequence[int], grammar: str, output: Sequence[int], end: int, *, width: int, best: int, longest: int = 48,
    stop: Callable[[], bool] | None = None,
) -> list[Written]:  # fmt: skip
    """Return the `best` most probable token sequences after `prompt` that the grammar allows.

    `output` are the ids a plan may consist of; probabilities are over those among them that the grammar allows next. Raises ModelError if the grammar
    does not parse or the prompt is too long, and Stopped once `stop` says so.
    """
    lib = engine.lib
    lib.llama_memory_clear(engine.memory, True)
    root = lib.llama_sampler_init_grammar(engine.vocab, grammar.encode(), b"root")
    if not root:
        raise ModelError("The grammar of this catalogue could not be used.", code="model.grammar")
    samplers = [root]
    try:
        _decode(engine, [(t, i, 0, i == len(prompt) - 1) for i, t in enumerate(prompt)])
        first = _allowed(lib, root, lib.llama_get_logits_ith(engine.context, len(prompt) - 1), output)
        # A beam: its tokens, their log-probabilities, the sequence and the grammar state it grows from.
        beams: list[tuple[tuple[int, ...], tuple[float, ...], int, Any]] = [((t,), (p,), 0, root) for t, p in first[:width]]
        finished: list[Written] = []
        for generation in range(longest):
            finished += [Written(tokens[:-1], probs) for tokens, probs, _, _ in beams if tokens[-1] == end]
            finished.sort(key=lambda w: -w.log_probability)
            floor = finished[best - 1].log_probability if len(finished) >= best else -math.inf
            live = [b for b in beams if b[0][-1] != end and sum(b[1]) > floor]
            if not live:
                break
            if stop is not None and stop():
                raise Stopped
            # Generations take turns with two pools of sequences: a beam is copied from its parent's pool into the other.
            here, there = (1, 1 + width) if generation % 2 == 0 else (1 + width, 1)
            grammars = []
            for slot, (tokens, _, parent, state) in enumerate(live):
                lib.llama_memory_seq_cp(engine.memory, parent, here + slot, -1, -1)
                grammars.append(lib.llama_sampler_clone(state))
                lib.llama_sampler_accept(grammars[-1], tokens[-1])
            samplers += grammars
            for sequence in range(there, there + width):
                lib.llama_memory_seq_rm(engine.memory, sequence, -1, -1)
            position = len(prompt) + generation
            _decode(engine, [(b[0][-1], position, here + slot, True) for slot, b in enumerate(live)])
            grown = []
            for slot, (tokens, probs, _, _) in enumerate(live):
                for token, logp in _allowed(lib, grammars[slot], lib.llama_get_logits_ith(engine.context, slot), output)[:width]:
                    grown.append(((*tokens, token), (*probs, logp), here + slot, grammars[slot]))
            beams = sorted(grown, key=lambda beam: -sum(beam[1]))[:width]
        return sorted(finished, key=lambda w: -w.log_probability)[:best]
    finally:
        for sampler in samplers:
            lib.llama_sampler_free(sampler)


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


def _allowed(lib: Any, sampler: Any, logits: Any, output: Sequence[int]) -> list[tuple[int, float]]:
    """Return the tokens among `output` that the grammar allows next with their log-probabilities, best first."""
    count = len(output)
    data = (lib.llama_token_data * count)()
    for i, token in enumerate(output):
        data[i].id = token
        data[i].logit = logits[token]
    array = lib.llama_token_data_array(data=data, size=count, selected=-1, sorted=False)
    lib.llama_sampler_apply(sampler, ctypes.byref(array))
    kept = [(array.data[i].id, array.data[i].logit) for i in range(array.size) if array.data[i].logit > -1e30]
    if not kept:
        return []
    top = max(v for _, v in kept)
    total = top + math.log(sum(math.exp(v - top) for _, v in kept))
    return sorted(((t, v - total) for t, v in kept), key=lambda p: -p[1])
