"""Quantise a GGUF file with llama.cpp's own quantiser."""

from __future__ import annotations

import ctypes
from pathlib import Path

from nlsh.plan.errors import ModelError
from nlsh.planner.engine import library

TYPES = {"q8_0": "LLAMA_FTYPE_MOSTLY_Q8_0", "q6_k": "LLAMA_FTYPE_MOSTLY_Q6_K", "q5_k_m": "LLAMA_FTYPE_MOSTLY_Q5_K_M", "q4_k_m": "LLAMA_FTYPE_MOSTLY_Q4_K_M"}


def quantize(source: Path, target: Path, kind: str, threads: int = 2) -> None:
    """Write `source` as `kind` (one of TYPES) to `target`. Raises ModelError."""
    lib = library()
    params = lib.llama_model_quantize_default_params()
    params.ftype = getattr(lib, TYPES[kind])
    params.nthread = threads
    if lib.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(params)) != 0:
        raise ModelError(f"{source} could not be quantised to {kind}.", hint="Nothing was written.")
