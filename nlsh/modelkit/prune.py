"""Leave out of a GGUF file what is not needed: whole layers, and the rows of tokens that nothing uses. Weights are copied, never computed anew."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlsh.plan.errors import ModelError, NotPossible
from nlsh.planner import metadata

if TYPE_CHECKING:
    import gguf

_NAMED_ROWS = ("token_embd.weight", "output.weight", "token_embd_norm_a.weight")
_LISTS = ("tokens", "scores", "token_type")
_NORMAL = 1  # gguf's token type of what is neither control nor a byte nor the unknown token


def layers_of(text: str, count: int) -> list[int]:
    """Return the layers that a text such as "3,5-7" names. Raises ModelError for others than 0 to `count` - 1, and for all of them."""
    found: set[int] = set()
    for part in text.replace(" ", "").split(","):
        match = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", part)
        if match is None:
            raise ModelError(f"“{text}” does not name layers.", hint="Nothing was written. For example: --layers 3,5-7")
        found |= set(range(int(match[1]), int(match[2] or match[1]) + 1))
    if not found or max(found) >= count:
        raise ModelError(f"The model has the layers 0 to {count - 1}, not {text}.", hint="Nothing was written.")
    if len(found) == count:
        raise ModelError("A model without any layer does nothing.", hint="Nothing was written.")
    return sorted(found)


def prune(source: Path, target: Path, *, layers: Sequence[int] = (), texts: Iterable[str] | None = None) -> dict[str, int]:
    """Write `source` without `layers` and, with `texts`, without the tokens that are not needed to write them; return what was left out.

    Control tokens, bytes and single characters always stay. Raises ModelError; NotPossible where the package gguf is missing.
    """
    try:
        import gguf
    except ImportError:
        raise NotPossible("Pruning needs the Python package gguf.", hint="Nothing was written. Install it: pip install 'nlsh[train]'") from None
    about = metadata.read(source)
    reader = gguf.GGUFReader(source)
    rows = list(range(about.vocabulary)) if texts is None else _needed(source, reader, texts)
    kept = [n for n in range(about.layers) if n not in set(layers)]
    writer = gguf.GGUFWriter(target, about.architecture)
    new_row = {old: new for new, old in enumerate(rows)}

    def changed(key: str, value: Any) -> Any:
        if key == f"{about.architecture}.block_count":
            return len(kept)
        if isinstance(value, list) and len(value) == about.layers and key.startswith(about.architecture):
            return [value[n] for n in kept]  # a number for each layer
        if texts is not None and key == f"{about.architecture}.vocab_size":
            return len(rows)
        if texts is not None and key.startswith("tokenizer.ggml."):
            return _tokenizer_value(key.removeprefix("tokenizer.ggml."), value, rows, new_row, reader)
        return value

    copy_fields(reader, writer, changed)
    for tensor in reader.tensors:
        name, data = tensor.name, tensor.data
        if match := re.fullmatch(r"blk\.(\d+)\.(.*)", name):
            if int(match[1]) not in kept:
                continue
            name = f"blk.{kept.index(int(match[1]))}.{match[2]}"
        elif texts is not None and name in _NAMED_ROWS and data.shape[0] == about.vocabulary:
            data = data[rows]
        writer.add_tensor(name, data, raw_dtype=tensor.tensor_type)
    finish(writer, target)
    return {"layers": len(layers), "tokens": about.vocabulary - len(rows)}


def copy_fields(reader: gguf.GGUFReader, writer: gguf.GGUFWriter, changed: Callable[[str, Any], Any]) -> None:
    """Write what a file says of itself into another, each value as `changed` gives it."""
    for key, field in reader.fields.items():
        # The writer says these itself.
        if not key.startswith("GGUF.") and key != "general.architecture":
            writer.add_key_value(key, changed(key, field.contents()), field.types[0], field.types[-1] if len(field.types) > 1 else None)


def finish(writer: gguf.GGUFWriter, target: Path) -> None:
    """Write the file. Raises ModelError where that cannot be done, and then there is none."""
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    except OSError as error:
        target.unlink(missing_ok=True)
        raise ModelError(f"{target} cannot be written: {error.strerror}.", hint="Nothing was written.") from error
    finally:
        writer.close()


def _tokenizer_value(name: str, value: Any, rows: Sequence[int], new_row: dict[int, int], reader: gguf.GGUFReader) -> Any:
    if name in _LISTS:
        return [value[r] for r in rows]
    if name.endswith("_token_id"):
        return new_row[value]
    if name == "merges":
        tokens = reader.fields["tokenizer.ggml.tokens"].contents()
        left = {tokens[r] for r in rows}
        return [m for m in value if {m.replace(" ", "", 1), *m.split(" ", 1)} <= left]
    return value


def _needed(source: Path, reader: gguf.GGUFReader, texts: Iterable[str]) -> list[int]:
    """Return the tokens that `texts` are written with, and all that those are made of when text is split: in the file's order."""
    from nlsh.planner.engine import Engine

    if "tokenizer.ggml.tokens" not in reader.fields:
        raise ModelError(f"{source} has no vocabulary.", hint="Nothing was written.")
    tokens: list[str] = reader.fields["tokenizer.ggml.tokens"].contents()
    types = reader.fields["tokenizer.ggml.token_type"].contents() if "tokenizer.ggml.token_type" in reader.fields else [_NORMAL] * len(tokens)
    kept = {i for i, (t, kind) in enumerate(zip(tokens, types, strict=True)) if kind != _NORMAL or len(t) <= 1}
    kept |= {v for key, field in reader.fields.items() if key.endswith("_token_id") and isinstance(v := field.contents(), int) and 0 <= v < len(tokens)}
    engine = Engine(source, context=64, threads=1, gpu_layers=0)
    try:
        for word in {w for text in texts for w in text.split()}:
            kept.update(engine.tokenize(f" {word}"))
            kept.update(engine.tokenize(word))
    finally:
        engine.close()
    # What a token is made of: splitting gets to it over its parts.
    by_text = {t: i for i, t in enumerate(tokens)}
    for i in sorted(kept):
        text = tokens[i]
        if types[i] == _NORMAL:
            kept |= {by_text[text[a:b]] for a in range(len(text)) for b in range(a + 1, len(text) + 1) if text[a:b] in by_text}
    return sorted(kept)
