"""Quantise a GGUF file with llama.cpp's own quantiser."""

from __future__ import annotations

import ctypes
import shutil
from contextlib import suppress
from pathlib import Path

from nlsh.plan.errors import ModelError
from nlsh.planner import metadata
from nlsh.planner.engine import library

# As llama.cpp calls them, in lower case; the larger, the more exact.
TYPES = {
    name: f"LLAMA_FTYPE_MOSTLY_{name.upper()}"
    for name in ("bf16", "f16", "q8_0", "q6_k", "q5_k_m", "q5_k_s", "q5_1", "q5_0", "q4_k_m", "q4_k_s", "q4_1", "q4_0", "q3_k_l", "q3_k_m", "q3_k_s", "q2_k")
}
_WHOLE = ("F32", "F16", "BF16")


def quantize(source: Path, target: Path, kind: str, threads: int = 2) -> None:
    """Write `source` as `kind` (one of TYPES) to `target`. Raises ModelError, and then there is no `target`."""
    lib = library()
    before = metadata.read(source)
    if (free := shutil.disk_usage(target.parent).free) < before.size_bytes // 8:
        raise ModelError(f"There are only {free >> 20:,} MiB free at {target.parent}.", hint="Nothing was written.")
    params = lib.llama_model_quantize_default_params()
    params.ftype = getattr(lib, TYPES[kind])
    params.nthread = threads
    # What is quantised already can be quantised again, with more loss than from the original.
    params.allow_requantize = before.quantization not in _WHOLE
    done = lib.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(params)) == 0
    try:
        if not done:
            raise ModelError(f"{source} could not be quantised to {kind}.", hint="Nothing was written.")
        metadata.read(target)  # a disk that filled up meanwhile
    except ModelError:
        with suppress(OSError):
            target.unlink()
        raise
