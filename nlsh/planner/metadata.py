"""What a GGUF file says of itself: read from its header alone, in plain Python, before (and without) loading the model.

A file that is cut short, or is no GGUF file at all, is found here, so that nobody has to guess from what llama.cpp says.
"""

from __future__ import annotations

import math
import mmap
import struct
from functools import cached_property
from pathlib import Path
from typing import Any

from nlsh.plan.errors import ModelError
from nlsh.plan.frozen import frozen

KEPT = 8  # entries of a list that are kept: a vocabulary may have hundreds of thousands
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _LIST = 8, 9
_DEEPEST, _MOST_DIMENSIONS, _MOST_ENTRIES = 4, 8, 1 << 24
# ggml's types: name, weights a block, bytes a block.
TYPES = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34),
    9: ("Q8_1", 32, 40), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210),
    15: ("Q8_K", 256, 292), 16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136), 24: ("I8", 1, 1), 25: ("I16", 1, 2),
    26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8), 29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17), 40: ("NVFP4", 64, 36), 41: ("Q1_0", 128, 18),
}  # fmt: skip
# llama.cpp's names for how a whole file is quantised.
FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M",
    16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S",
    27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4",
}  # fmt: skip


@frozen()
class Listed:
    """A list among the metadata: how many entries it has, and the first KEPT of them."""

    count: int
    first: tuple[Any, ...]


@frozen()
class Tensor:
    """One tensor: its shape (rows last), its type's number, and where in the data it starts."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int

    @property
    def weights(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """Its size in bytes; 0 for a type this module does not know."""
        _, block, each = TYPES.get(self.kind, ("", 1, 0))
        return self.weights // block * each


@frozen(slots=False)
class Metadata:
    """The header of one GGUF file."""

    path: Path
    size_bytes: int
    values: dict[str, Any]
    tensors: tuple[Tensor, ...]

    @property
    def architecture(self) -> str:
        return self.text("general.architecture")

    @property
    def chat_template(self) -> str:
        """The chat template, empty where there is none."""
        return self.text("tokenizer.chat_template")

    @property
    def points(self) -> bool:
        """Whether it writes plans with nlsh's control tokens: one of nlsh's own decoders."""
        tokens = self.values.get("tokenizer.ggml.tokens")
        return isinstance(tokens, Listed) and {"<usr>", "<cand>", "<plan>"} <= {*tokens.first}

    @property
    def parameters(self) -> int:
        return sum(t.weights for t in self.tensors)

    @property
    def layers(self) -> int:
        return self.number("block_count")

    @property
    def context(self) -> int:
        """How many tokens it was trained to read; 0 where the file does not say."""
        return self.number("context_length")

    @property
    def vocabulary(self) -> int:
        tokens = self.values.get("tokenizer.ggml.tokens")
        return tokens.count if isinstance(tokens, Listed) else 0

    @property
    def tokenizer(self) -> str:
        """The tokenizer's kind, its pre-tokenizer and the number of its tokens, in words."""
        kind, pre = self.text("tokenizer.ggml.model"), self.text("tokenizer.ggml.pre")
        return ", ".join(p for p in (kind, pre, f"{self.vocabulary:,} tokens" if self.vocabulary else "") if p) or "none"

    @cached_property
    def quantization(self) -> str:
        """How its weights are kept: what the file says, or else the type of most of them."""
        said = self.values.get("general.file_type")
        if isinstance(said, int) and said in FILE_TYPES:
            return FILE_TYPES[said]
        shares: dict[int, int] = {}
        for tensor in self.tensors:
            shares[tensor.kind] = shares.get(tensor.kind, 0) + tensor.weights
        return TYPES.get(max(shares, key=lambda k: shares[k]), ("unknown", 1, 0))[0] if shares else "unknown"

    def text(self, key: str) -> str:
        value = self.values.get(key, "")
        return value if isinstance(value, str) else ""

    def number(self, key: str) -> int:
        """Return the architecture's own whole number `key` (a list's largest); 0 where there is none."""
        value = self.values.get(f"{self.architecture}.{key}", 0)
        if isinstance(value, Listed):
            value = max((v for v in value.first if isinstance(v, int)), default=0)
        return value if isinstance(value, int) else 0


def read(path: Path) -> Metadata:
    """Return what the header of `path` says. Raises ModelError for what is missing, no GGUF file, damaged or cut short."""
    hint = "Nothing was changed. Choose another model: see nlsh model list."
    try:
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            if size < 24:
                file.seek(0)
                start = file.read(4)
                raise ModelError(f"{path} is truncated." if start == b"GGUF" else f"{path} is not a GGUF model.", hint=hint)
            with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as data:
                if data[:4] != b"GGUF":
                    raise ModelError(f"{path} is not a GGUF model.", hint=hint)
                try:
                    return _parsed(path, size, _Cursor(data, size))
                except _CutShort as error:
                    raise ModelError(f"{path} is truncated: {error}.", hint="Nothing was changed. Fetch it again.") from None
                except (ValueError, struct.error) as error:
                    raise ModelError(f"{path} is damaged: {error}.", hint=hint) from error
    except OSError as error:
        raise ModelError(f"The model {path} cannot be read: {error.strerror or error}.", hint=hint) from error


class _CutShort(Exception):
    """The file ends before what it announces."""


class _Cursor:
    """Reads values one after the other."""

    def __init__(self, data: mmap.mmap, size: int) -> None:
        self.data, self.size, self.at = data, size, 0

    def take(self, amount: int) -> int:
        """Return where the next `amount` bytes start, and go past them."""
        start = self.at
        if amount < 0 or start + amount > self.size:
            raise _CutShort(f"its header says more than its {self.size:,} bytes")
        self.at = start + amount
        return start

    def number(self, code: str) -> Any:
        return struct.unpack_from("<" + code, self.data, self.take(struct.calcsize("<" + code)))[0]

    def text(self) -> str:
        length = self.number("Q")
        start = self.take(length)
        return self.data[start : start + length].decode("utf-8", "replace")

    def value(self, kind: int, depth: int = 0) -> Any:
        if kind in _NUMBERS:
            return self.number(_NUMBERS[kind])
        if kind == _STRING:
            return self.text()
        if kind != _LIST or depth > _DEEPEST:
            raise ValueError(f"it has a value of the unknown kind {kind}")
        inner, count = self.number("I"), self.number("Q")
        first = tuple(self.value(inner, depth + 1) for _ in range(min(count, KEPT)))
        left = count - len(first)
        if inner in _NUMBERS:
            self.take(left * struct.calcsize("<" + _NUMBERS[inner]))
        elif inner == _STRING:
            unpack, data, at, size = struct.Struct("<Q").unpack_from, self.data, self.at, self.size
            for _ in range(left):
                if at + 8 > size:
                    raise _CutShort(f"its header says more than its {size:,} bytes")
                at += 8 + unpack(data, at)[0]
            self.at = at
            self.take(0)
        else:
            for _ in range(left):
                self.value(inner, depth + 1)
        return Listed(count, first)


def _parsed(path: Path, size: int, cursor: _Cursor) -> Metadata:
    cursor.take(4)
    version = cursor.number("I")
    if version not in (2, 3):
        raise ValueError(f"its GGUF version {version} is not 2 or 3")
    tensors, entries = cursor.number("Q"), cursor.number("Q")
    if max(tensors, entries) > _MOST_ENTRIES:
        raise ValueError("its header makes no sense")
    values = {}
    for _ in range(entries):
        key = cursor.text()
        values[key] = cursor.value(cursor.number("I"))
    found = []
    for _ in range(tensors):
        name, dimensions = cursor.text(), cursor.number("I")
        if dimensions > _MOST_DIMENSIONS:
            raise ValueError(f"its tensor {name[:80]!r} has {dimensions} dimensions")
        shape = tuple(cursor.number("Q") for _ in range(dimensions))
        found.append(Tensor(name, shape, cursor.number("I"), cursor.number("Q")))
    alignment = values.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment < 1:
        raise ValueError("its alignment makes no sense")
    start = -(-cursor.at // alignment) * alignment
    needed = max((start + t.offset + t.bytes for t in found), default=start)
    if needed > size:
        raise _CutShort(f"it has {size:,} of at least {needed:,} bytes")
    return Metadata(path, size, values, tuple(found))
