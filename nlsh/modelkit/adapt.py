"""Go on training nlsh's decoder on this machine with what its user has taught it, mixed with sentences of the corpus so that nothing else is forgotten.

It starts from the GGUF file itself, so that nothing of the first training has to be there. It needs torch (the extra `train`).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import gguf
import numpy as np
import torch
import torch.nn.functional as F
from gguf.quants import dequantize

from nlsh.modelkit.corpus import Corpus
from nlsh.modelkit.model import Decoder, Shape
from nlsh.modelkit.prune import copy_fields, finish
from nlsh.modelkit.quantize import quantize
from nlsh.modelkit.train import IGNORED, collate
from nlsh.plan.errors import NlshError
from nlsh.plan.plan import Plan, Ref
from nlsh.plan.registry import parse
from nlsh.planner import metadata, prompt
from nlsh.planner.lexer import Word, find_span, lex
from nlsh.planner.simplified import simplified
from nlsh.planner.vocabulary import encode

if TYPE_CHECKING:
    from nlsh.planner.learned import Example
    from nlsh.planner.planner import Planner

RATE = 1e-4  # a fifteenth of the first training's
BATCH, OWN = 16, 4  # sentences a step, and how many of them are the user's
POOL_A_MINUTE, MOST_POOL = 800, 4000  # sentences of the corpus
_PARTS = {
    "attn_norm": "attention_norm", "ffn_norm": "feed_norm", "attn_q": "q", "attn_k": "k", "attn_v": "v", "attn_output": "out", "ffn_gate": "gate",
    "ffn_up": "up", "ffn_down": "down", "attn_q_norm": "q_norm", "attn_k_norm": "k_norm",
}  # fmt: skip
_Pair = tuple[list[int], list[int]]


def adapt(
    planner: Planner, examples: Sequence[Example], corpus: Corpus, out: Path, *, minutes: float, seed: int = 0, say: Callable[[str], None] = print
) -> int:
    """Write a decoder to `out` that goes on from `planner`'s; return how many of the examples it was trained on. Raises NlshError."""
    rng = random.Random(seed)
    torch.manual_seed(seed)
    # Two threads that wait for each other on a busy machine are slower than one.
    torch.set_num_threads(planner.settings.threads)
    own = [pair for e in examples for pair in _own(planner, e)]
    if not own:
        raise NlshError("None of the learned examples can be trained on: their values are not words of their requests.", hint="Nothing was written.")
    pool = _sentences(planner, corpus, rng, min(MOST_POOL, max(BATCH, int(POOL_A_MINUTE * minutes))))
    source = planner.decoder.path
    model = load(source)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.98), weight_decay=0.01)
    model.train()
    began, told, step = time.monotonic(), time.monotonic(), 0
    while step == 0 or time.monotonic() - began < 60 * minutes:
        share = min(1.0, (time.monotonic() - began) / max(1e-9, 60 * minutes))
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / 20) * max(0.05, 1 - share)
        chunk = [*rng.choices(own, k=OWN), *rng.choices(pool, k=BATCH - OWN)]
        x, y = collate(chunk, "cpu")
        wanted = y != IGNORED
        loss = F.cross_entropy(model.logits(model.hidden(x)[wanted]), y[wanted])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step += 1
        if time.monotonic() - told > 10:
            told = time.monotonic()
            say(f"step {step}, {share:.0%} of the time, loss {loss.item():.3f}")
    whole = out.with_suffix(".f16")
    try:
        save(model.eval(), source, whole)
        quantize(whole, out, "q8_0", planner.settings.threads)
    finally:
        whole.unlink(missing_ok=True)
    return len({e.request for e in examples if _own(planner, e)})


def load(source: Path) -> Decoder:
    """Return the decoder that a GGUF file holds, its weights as exact as the file's."""
    about = metadata.read(source)
    shape = Shape(
        about.vocabulary, about.number("embedding_length"), about.layers, about.number("feed_forward_length"), about.number("attention.head_count"),
        about.number("attention.key_length"), about.context, about.values["qwen3.rope.freq_base"], about.values["qwen3.attention.layer_norm_rms_epsilon"],
    )  # fmt: skip
    model = Decoder(shape)
    state = {_name(t.name): torch.from_numpy(np.array(dequantize(t.data, t.tensor_type), dtype=np.float32)) for t in gguf.GGUFReader(source).tensors}
    model.load_state_dict(state)
    return model


def _name(tensor: str) -> str:
    """Return what a tensor of the file is called in the model."""
    if tensor in ("token_embd.weight", "output_norm.weight"):
        return {"token_embd.weight": "embedding.weight", "output_norm.weight": "norm.weight"}[tensor]
    _, block, part, _ = tensor.split(".")
    return f"blocks.{block}.{_PARTS[part]}.weight"


def save(model: Decoder, source: Path, out: Path) -> None:
    """Write the model with all that `source` says of itself, matrices as F16."""
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(out, metadata.read(source).architecture)
    copy_fields(reader, writer, lambda key, value: int(gguf.LlamaFileType.MOSTLY_F16) if key == "general.file_type" else value)
    state = model.state_dict()
    for tensor in reader.tensors:
        data = state[_name(tensor.name)].detach().float().numpy()
        writer.add_tensor(tensor.name, data.astype(np.float16 if data.ndim == 2 else np.float32))
    finish(writer, out)


def _pair(planner: Planner, words: list[Word], offered: Sequence[Sequence[str]], plan: list[str], previous: str | None) -> _Pair | None:
    """Return the prompt's ids and the plan's; None where this decoder has no token for something."""
    control = planner.control
    if not all(t in control for t in plan) or (previous is not None and f"<{previous}>" not in control):
        return None
    candidates = [tokens for tokens in offered if all(t in control for t in tokens)]
    asked = prompt.build(words, candidates, previous, control.__getitem__, planner.decoder.tokenize)
    return (asked, [*(control[t] for t in plan), control["<eos>"]]) if len(asked) + len(plan) < 300 else None


def _sentences(planner: Planner, corpus: Corpus, rng: random.Random, count: int) -> list[_Pair]:
    found: list[_Pair] = []
    for _ in range(20 * count):
        sentence = corpus.sample(rng)
        near = planner.meanings.nearest(planner.encoder.embed(simplified(sentence.request)), follow_up=sentence.previous is not None)
        try:
            plan = encode(sentence.calls, planner.actions, {f"{{{slot}}}": span for slot, span in sentence.spans.items()})
        except KeyError:
            continue
        pair = _pair(planner, sentence.words, [k.skeleton for k in near], plan, sentence.previous)
        if pair is not None:
            found.append(pair)
        if len(found) >= count:
            break
    return found


def _own(planner: Planner, example: Example) -> list[_Pair]:
    """Return what is trained on of one example: with its own meaning among the candidates, as it is met in use, and without."""
    try:
        plan = parse(example.plan)
        words = lex(example.request)
        tokens = encode(plan.calls, planner.actions, _spans(plan, example.request, words))
    except (NlshError, KeyError):
        return []
    near = [k.skeleton for k in planner.meanings.nearest(planner.encoder.embed(simplified(example.request)), follow_up=False)]
    pairs = (_pair(planner, words, offered, tokens, None) for offered in (near, [example.skeleton, *(s for s in near if s != example.skeleton)]))
    return [p for p in pairs if p is not None]


def _spans(plan: Plan, request: str, words: list[Word]) -> dict[str, tuple[int, int]]:
    """Return where the plan's values stand in the request, as far as they do."""
    found = {}
    for call in plan.calls:
        for value in call.args.values():
            for item in value if isinstance(value, tuple) else (value,):
                if isinstance(item, (bool, Ref)) or (start := request.find(item)) < 0:
                    continue
                if span := find_span(request, words, item, start):
                    found[item] = span
    return found
