"""Small GGUF models for tests, written here: a `llama` with an SPM vocabulary that says what it is told to, or nothing that makes sense.

What the speaking model writes next depends on the token before alone: its blocks add nothing, its embeddings are one-hot, and its output is a table.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import gguf
import numpy as np

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}<|sys|>{{ m.content }}{% else %}<|usr|>{{ m.content }}{% endif %}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|say|>{% endif %}"
)
CONTROL = ("<s>", "</s>", "<|sys|>", "<|usr|>", "<|end|>", "<|say|>")


def vocabulary(says: Sequence[str]) -> tuple[list[str], list[int]]:
    """Return tokens and their types: control tokens, bytes, letters, and the pieces of `says`."""
    tokens = ["<unk>", *CONTROL]
    types = [gguf.TokenType.UNKNOWN, *[gguf.TokenType.CONTROL] * len(CONTROL)]
    tokens += [f"<0x{b:02X}>" for b in range(256)]
    types += [gguf.TokenType.BYTE] * 256
    for piece in dict.fromkeys(["\u2581", *map(chr, range(33, 127)), *says]):
        tokens.append(piece.replace(" ", "\u2581"))
        types.append(gguf.TokenType.NORMAL)
    return tokens, [int(t) for t in types]


def write(
    path: Path,
    *,
    says: Sequence[str] = (),
    template: str | None = TEMPLATE,
    context: int = 4096,
    seed: int = 0,
    width: int = 32,
    extra: Mapping[str, str] | None = None,
) -> Path:
    """Write the model to `path`. With `says`, it says these pieces one after the other, and its end; else it is random, of this width."""
    tokens, types = vocabulary(says)
    count = len(tokens)
    if says:
        width = -(-count // 64) * 64
    rng = np.random.default_rng(seed)
    heads, feed, layers = 2, 32, 2
    w = gguf.GGUFWriter(path, "llama")
    w.add_name("Tiny")
    w.add_license("CC0-1.0")
    for key, value in (extra or {}).items():
        w.add_string(key, value)
    w.add_context_length(context)
    w.add_embedding_length(width)
    w.add_block_count(layers)
    w.add_feed_forward_length(feed)
    w.add_head_count(heads)
    w.add_head_count_kv(heads)
    w.add_layer_norm_rms_eps(1e-6)
    w.add_rope_dimension_count(width // heads)
    w.add_vocab_size(count)
    w.add_file_type(gguf.LlamaFileType.ALL_F32)
    w.add_tokenizer_model("llama")
    w.add_token_list(tokens)
    w.add_token_scores([-float(i) for i in range(count)])
    w.add_token_types(types)
    w.add_bos_token_id(tokens.index("<s>"))
    w.add_eos_token_id(tokens.index("</s>"))
    w.add_unk_token_id(0)
    w.add_add_bos_token(True)
    if template is not None:
        w.add_chat_template(template)

    def add(name: str, *shape: int, scale: float = 0.3) -> None:
        w.add_tensor(name, (rng.standard_normal(shape) * (0.0 if says else scale)).astype(np.float32))

    if says:
        w.add_tensor("token_embd.weight", np.eye(count, width, dtype=np.float32))
        table = np.zeros((count, width), dtype=np.float32)
        chain = ["<|say|>", *[s.replace(" ", "\u2581") for s in says], "</s>"]
        for before, after in itertools.pairwise(chain):
            table[tokens.index(after), tokens.index(before)] = 2.0
        w.add_tensor("output.weight", table)
    else:
        add("token_embd.weight", count, width, scale=1.0)
        add("output.weight", count, width, scale=1.0)
    for block in range(layers):
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(f"blk.{block}.{part}.weight", width, width)
        add(f"blk.{block}.ffn_gate.weight", feed, width)
        add(f"blk.{block}.ffn_up.weight", feed, width)
        add(f"blk.{block}.ffn_down.weight", width, feed)
        for part in ("attn_norm", "ffn_norm"):
            w.add_tensor(f"blk.{block}.{part}.weight", np.ones(width, dtype=np.float32))
    w.add_tensor("output_norm.weight", np.ones(width, dtype=np.float32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    return path
