"""Products of one vector with many: by ggml's own routine where llama.cpp is loaded, which is where a vector of a request comes from.

A thousand in 1 ms; in plain Python, which it is without llama.cpp, 10 ms. They differ from the eighth digit on.
"""

from __future__ import annotations

import ctypes
import sys
from array import array
from collections.abc import Callable, Sequence
from functools import cache
from operator import mul

_F32 = 0  # ggml's number for this type
_Routine = Callable[[int, int, int, int, int, int, int, int], None]


class _Traits(ctypes.Structure):
    """`ggml_type_traits_cpu` of ggml-cpu.h."""

    _fields_ = (("from_float", ctypes.c_void_p), ("vec_dot", ctypes.c_void_p), ("vec_dot_type", ctypes.c_int), ("nrows", ctypes.c_int64))


def products(rows: array[float], vector: Sequence[float]) -> list[float]:
    """Return the product of `vector` with each of `rows`, floats of 32 bits that stand one row after the other."""
    width = len(vector)
    count = len(rows) // width
    if (bindings := sys.modules.get("llama_cpp.llama_cpp")) is None or (dot := _routine(bindings._lib)) is None:
        return [sum(map(mul, rows[i * width : (i + 1) * width], vector)) for i in range(count)]
    by, found = array("f", vector), array("f", bytes(4 * count))
    first, second, into = (numbers.buffer_info()[0] for numbers in (rows, by, found))
    for i in range(count):
        dot(width, into + 4 * i, 0, first + 4 * width * i, 0, second, 0, 1)
    return found.tolist()


@cache
def _routine(library: ctypes.CDLL) -> _Routine | None:
    """Return `vec_dot` of ggml; None where this build of it loads what it computes with by itself."""
    try:
        traits_of = library.ggml_get_type_traits_cpu
    except AttributeError:
        return None
    traits_of.restype, traits_of.argtypes = ctypes.POINTER(_Traits), (ctypes.c_int,)
    traits = traits_of(_F32).contents
    if traits.vec_dot is None or traits.vec_dot_type != _F32 or traits.nrows != 1:
        return None  # or the structure is another one in this build
    # Of a thousandth of a millisecond each: to let go of the interpreter's lock for it would take longer.
    size, pointer = ctypes.c_size_t, ctypes.c_void_p
    made: _Routine = ctypes.PYFUNCTYPE(None, ctypes.c_int, pointer, size, pointer, size, pointer, size, ctypes.c_int)(traits.vec_dot)
    return made
