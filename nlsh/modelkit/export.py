"""Write the trained models as GGUF files that llama.cpp runs: the decoder as `qwen3`, the encoder as `bert`."""

from __future__ import annotations

import json
import math
import re
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import gguf
import numpy as np
import torch
import torch.nn.functional as F

from nlsh.modelkit import encoder as encoding
from nlsh.modelkit.corpus import SLOT, Corpus, Meaning
from nlsh.modelkit.model import Block, Decoder
from nlsh.planner.leftover import A_NAME
from nlsh.planner.lexer import lex
from nlsh.planner.vocabulary import Catalogue, skeleton

ENCODER_TENSORS = (
    ("attn_q", "attention.self.query"),
    ("attn_k", "attention.self.key"),
    ("attn_v", "attention.self.value"),
    ("attn_output", "attention.output.dense"),
    ("attn_output_norm", "attention.output.LayerNorm"),
    ("ffn_up", "intermediate.dense"),
    ("ffn_down", "output.dense"),
    ("layer_output_norm", "output.LayerNorm"),
)


def _add(writer: gguf.GGUFWriter, name: str, tensor: torch.Tensor) -> None:
    """Matrices as F16 (the source of every quantisation), vectors as F32, and so the two tables that llama.cpp adds without a multiplication."""
    half = tensor.dim() == 2 and name not in ("position_embd.weight", "token_types.weight")
    writer.add_tensor(name, tensor.detach().float().numpy().astype(np.float16 if half else np.float32))


def _finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def export_decoder(model: Decoder, tokenizer_json: Path, control: list[str], out: Path) -> None:
    """Write the decoder with its tokenizer; control tokens get the token type CONTROL, so that no text becomes one."""
    s = model.s
    w = gguf.GGUFWriter(out, "qwen3")
    w.add_name("nlsh planner")
    w.add_license("Apache-2.0")
    w.add_context_length(s.context)
    w.add_embedding_length(s.width)
    w.add_block_count(s.layers)
    w.add_feed_forward_length(s.feed_forward)
    w.add_head_count(s.heads)
    w.add_head_count_kv(s.heads)
    w.add_key_length(s.head_width)
    w.add_value_length(s.head_width)
    w.add_layer_norm_rms_eps(s.epsilon)
    w.add_rope_freq_base(s.rope_base)
    w.add_rope_dimension_count(s.head_width)
    w.add_vocab_size(s.vocabulary)
    w.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    data = json.loads(tokenizer_json.read_text(encoding="utf-8"))
    by_id = {i: t for t, i in data["model"]["vocab"].items()}
    special = set(control)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("smollm")
    w.add_token_list([by_id.get(i, f"[unused{i}]") for i in range(s.vocabulary)])
    types = [gguf.TokenType.CONTROL if by_id.get(i) in special else gguf.TokenType.NORMAL if i in by_id else gguf.TokenType.UNUSED for i in range(s.vocabulary)]
    w.add_token_types(types)
    w.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in data["model"]["merges"]])
    w.add_bos_token_id(control.index("<bos>"))
    w.add_eos_token_id(control.index("<eos>"))
    w.add_pad_token_id(control.index("<pad>"))
    w.add_add_bos_token(False)
    w.add_add_space_prefix(False)
    _add(w, "token_embd.weight", model.embedding.weight)
    for i, b in enumerate(model.blocks):
        assert isinstance(b, Block)
        for name, part in (
            ("attn_norm", b.attention_norm), ("ffn_norm", b.feed_norm), ("attn_q", b.q), ("attn_k", b.k), ("attn_v", b.v), ("attn_output", b.out),
            ("ffn_gate", b.gate), ("ffn_up", b.up), ("ffn_down", b.down), ("attn_q_norm", b.q_norm), ("attn_k_norm", b.k_norm),
        ):  # fmt: skip
            _add(w, f"blk.{i}.{name}.weight", part.weight)
    _add(w, "output_norm.weight", model.norm.weight)
    _finish(w)


def export_encoder(trained: encoding.Trained, out: Path) -> None:
    """Write the encoder with its WordPiece vocabulary and mean pooling."""
    state = trained.encoder.state()
    vocabulary: dict[str, int] = trained.tokenizer_data["model"]["vocab"]
    by_id = {i: t for t, i in vocabulary.items()}
    count = state["embeddings.word_embeddings.weight"].shape[0]
    w = gguf.GGUFWriter(out, "bert")
    w.add_name("nlsh encoder")
    w.add_license("Apache-2.0")
    w.add_context_length(512)
    w.add_embedding_length(encoding.HIDDEN)
    w.add_block_count(encoding.LAYERS)
    w.add_feed_forward_length(encoding.FEED_FORWARD)
    w.add_head_count(encoding.HEADS)
    w.add_layer_norm_eps(encoding.EPS)
    w.add_causal_attention(False)
    w.add_pooling_type(gguf.PoolingType.MEAN)
    w.add_vocab_size(count)
    w.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    w.add_tokenizer_model("bert")
    w.add_tokenizer_pre("default")
    # llama.cpp's WordPiece marks the start of a word with U+2581, where the vocabulary marks the continuation with ##.
    special = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
    tokens, types = [], []
    for i in range(count):
        token = by_id[i]
        control = token in special
        tokens.append(token if control or token.startswith("[unused") else token[2:] if token.startswith("##") else f"\u2581{token}")
        types.append(gguf.TokenType.CONTROL if control else gguf.TokenType.UNUSED if token.startswith("[unused") else gguf.TokenType.NORMAL)
    w.add_token_list(tokens)
    w.add_token_types(types)
    w.add_token_type_count(2)
    w.add_bos_token_id(vocabulary["[CLS]"])
    w.add_eos_token_id(vocabulary["[SEP]"])
    w.add_unk_token_id(vocabulary["[UNK]"])
    w.add_sep_token_id(vocabulary["[SEP]"])
    w.add_pad_token_id(vocabulary["[PAD]"])
    w.add_mask_token_id(vocabulary["[MASK]"])
    _add(w, "token_embd.weight", state["embeddings.word_embeddings.weight"])
    _add(w, "position_embd.weight", state["embeddings.position_embeddings.weight"])
    _add(w, "token_types.weight", state["embeddings.token_type_embeddings.weight"])
    for kind in ("weight", "bias"):
        _add(w, f"token_embd_norm.{kind}", state[f"embeddings.LayerNorm.{kind}"])
        for layer in range(encoding.LAYERS):
            p = f"encoder.layer.{layer}."
            for theirs, ours in ENCODER_TENSORS:
                _add(w, f"blk.{layer}.{theirs}.{kind}", state[f"{p}{ours}.{kind}"])
    _finish(w)


def exemplars(meanings: list[str], vectors: torch.Tensor, *, most: int = 12, apiece: int = 4, rounds: int = 8) -> dict[str, torch.Tensor]:
    """Return for each meaning the directions its phrasings lie in [directions, HIDDEN], unit length: spherical k-means, one for every `apiece` phrasings.

    `meanings` names the meaning of each row of `vectors`.
    """
    places: dict[str, list[int]] = defaultdict(list)
    for i, meaning in enumerate(meanings):
        places[meaning].append(i)
    found = {}
    for meaning, rows in places.items():
        said = F.normalize(vectors[rows], dim=-1)
        count = min(most, math.ceil(len(rows) / apiece))
        centres = said[torch.linspace(0, len(rows) - 1, count).long()]
        for _ in range(rounds):
            nearest = (said @ centres.T).argmax(-1)
            sums = torch.zeros_like(centres).index_add_(0, nearest, said)
            centres = torch.where(sums.norm(dim=-1, keepdim=True) > 0, F.normalize(sums, dim=-1), centres)
        found[meaning] = centres
    return found


def export_meanings(trained: encoding.Trained, exemplars: dict[str, torch.Tensor], meanings: list[Meaning], actions: Catalogue, out: Path) -> None:
    """Write the meanings with their vectors. What the corpus has dropped is left out.

    One line of JSON; the prototypes, float32, a row for each meaning in the same order; their exemplars, int8 in units of `scale`, as many rows for a
    meaning as its `exemplars` says.
    """
    by_text = {m.text: m for m in meanings}
    kept = [i for i, text in enumerate(trained.meanings) if text in by_text]
    nothing = torch.empty(0, encoding.HIDDEN)
    near = [exemplars.get(trained.meanings[i], nothing) for i in kept]
    entries = [
        {"text": m.text, "skeleton": skeleton(m.plan.calls, actions), "actions": m.actions, "follow_up": m.previous is not None, "exemplars": len(rows)}
        for m, rows in zip((by_text[trained.meanings[i]] for i in kept), near, strict=True)
    ]
    every = torch.cat([*near, nothing])
    scale = float(every.abs().max()) / 127 if len(every) else 1.0
    head = {"width": encoding.HIDDEN, "scale": scale, "meanings": entries}
    body = trained.prototypes[kept].numpy().astype("<f4").tobytes() + (every / scale).round().to(torch.int8).numpy().tobytes()
    out.write_bytes(json.dumps(head, ensure_ascii=False).encode() + b"\n" + body)


def export_roles(trained: encoding.Trained, out: Path) -> None:
    """Write the rows that read the roles of words: one line of JSON, then float32, a row for each role in the same order."""
    head = {"width": encoding.HIDDEN, "roles": trained.roles}
    out.write_bytes(json.dumps(head).encode() + b"\n" + trained.readers.numpy().astype("<f4").tobytes())


def export_ordinary(corpus: Corpus, out: Path) -> None:
    """Write the words that at least three training phrasings have outside their slots, and the pairs of Chinese characters that two have, one a line.

    What is refused names its files and numbers itself: these are no words of its own.
    """
    words: Counter[str] = Counter()
    pairs: Counter[str] = Counter()
    for phrasing in corpus.train:
        text = SLOT.sub(" ", phrasing.text).lower()
        words.update({w.text for w in lex(text) if not (phrasing.meaning.refuses and A_NAME.search(w.text))})
        pairs.update({a + b for run in re.findall(r"[\u3040-\u30ff\u3400-\u9fff]+", text) for a, b in pairwise(run)})
    kept = [w for w, n in words.items() if n >= 3] + [p for p, n in pairs.items() if n >= 2]
    out.write_text("\n".join(sorted(kept)) + "\n", encoding="utf-8")
