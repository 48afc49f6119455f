"""Make checkpoints of shipped GGUF files, so that training goes on from a release without the files that its training left behind.

What Q8_0 has rounded stays rounded; the rows of the encoder's words that no training touches are taken from the pretrained encoder again, and the
prototypes are exact, since `meanings.bin` holds them as they were.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from gguf.quants import dequantize
from tokenizers import Tokenizer, models

from nlsh.modelkit import adapt, encoder, tokenizer
from nlsh.modelkit.export import ENCODER_TENSORS

_TABLES = {"position_embd.weight": "embeddings.position_embeddings.weight", "token_types.weight": "embeddings.token_type_embeddings.weight"}
_PARTS = dict(ENCODER_TENSORS)


def restore(shipped: Path, out: Path) -> None:
    """Write `encoder.pt`, `decoder.pt` and `tokenizer.json` to the folder `out`, as `--start` wants them, from the folder `shipped` with GGUF files."""
    out.mkdir(parents=True, exist_ok=True)
    encoder.save(_encoder(shipped), out / "encoder.pt", None, 0.0)
    planner = shipped / "planner" / "planner.gguf"
    model = adapt.load(planner)
    torch.save({"model": model.state_dict()}, out / "decoder.pt")
    _tokenizer(planner).save(str(out / "tokenizer.json"))


def _encoder(shipped: Path) -> encoder.Trained:
    file = shipped / "encoder" / "encoder.gguf"
    weights, tokenizer_file = encoder.pretrained()
    data: dict[str, Any] = json.loads(tokenizer_file.read_text(encoding="utf-8"))
    vocabulary: dict[str, int] = data["model"]["vocab"]
    by_id = {i: t for t, i in vocabulary.items()}
    reader = gguf.GGUFReader(file)
    for number, token in enumerate(reader.fields["tokenizer.ggml.tokens"].contents()):
        if by_id[number].startswith("[unused") and token != by_id[number]:
            vocabulary[token.removeprefix("\u2581")] = vocabulary.pop(by_id[number])
    found = {t.name: torch.from_numpy(np.array(dequantize(t.data, t.tensor_type), dtype=np.float32)) for t in reader.tensors}
    words = weights["embeddings.word_embeddings.weight"].clone()
    learned = encoder.learned_characters(data)
    words[learned] = found.pop("token_embd.weight")[learned]
    state = {"embeddings.word_embeddings.weight": words} | {_name(name): tensor for name, tensor in found.items()}
    meanings, prototypes = _meanings(shipped / "planner" / "meanings.bin")
    roles, readers = _roles(shipped / "planner" / "roles.bin")
    # All words are in the table: none is learned apart from it.
    return encoder.Trained(encoder.Encoder(state, torch.tensor([], dtype=torch.long)), data, meanings, prototypes, roles, readers)


def _name(tensor: str) -> str:
    """Return what BERT calls a tensor of the file."""
    if tensor in _TABLES:
        return _TABLES[tensor]
    name, _, kind = tensor.rpartition(".")
    if name == "token_embd_norm":
        return f"embeddings.LayerNorm.{kind}"
    _, layer, part = name.split(".")
    return f"encoder.layer.{layer}.{_PARTS[part]}.{kind}"


def _meanings(file: Path) -> tuple[list[str], torch.Tensor]:
    """Return the meanings and their prototypes [meanings, width]."""
    line, _, body = file.read_bytes().partition(b"\n")
    head = json.loads(line)
    texts = [m["text"] for m in head["meanings"]]
    rows = np.frombuffer(body, dtype="<f4", count=len(texts) * head["width"]).reshape(len(texts), head["width"])
    return texts, torch.from_numpy(rows.copy())


def _roles(file: Path) -> tuple[list[str], torch.Tensor]:
    """Return the roles and the rows that read them [roles, width]; of a release from before roles, only the one of what is part of no argument."""
    if not file.exists():
        return [""], torch.zeros(1, encoder.HIDDEN)
    line, _, body = file.read_bytes().partition(b"\n")
    head = json.loads(line)
    return head["roles"], torch.from_numpy(np.frombuffer(body, dtype="<f4").reshape(len(head["roles"]), head["width"]).copy())


def _tokenizer(planner: Path) -> Tokenizer:
    fields = gguf.GGUFReader(planner).fields
    tokens, types, merges = (fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "token_type", "merges"))
    made = tokenizer.of(models.BPE({t: i for i, t in enumerate(tokens)}, [tuple(m.split(" ")) for m in merges]))
    made.add_special_tokens([t for t, kind in zip(tokens, types, strict=True) if kind == gguf.TokenType.CONTROL])
    return made
