"""Measure a model on this machine: how fast it reads and writes, how long a request takes to become a plan, how much memory that needs."""

from __future__ import annotations

import os
import resource
import statistics
import time
from typing import TYPE_CHECKING, Any

from nlsh.plan.errors import NlshError
from nlsh.planner.answer import Context
from nlsh.planner.engine import _decode

if TYPE_CHECKING:
    from nlsh.planner.engine import Engine
    from nlsh.planner.planner import Planner

REQUESTS = (
    "find pdfs in my downloads folder",
    "what is using the most memory",
    "move report.pdf to the archive folder",
    "how full are my disks",
    "kill whatever is on port 8080",
    "找出下载文件夹里的pdf",
)
READ, WRITTEN = 256, 64  # tokens


def bench(planner: Planner, rounds: int = 3) -> dict[str, Any]:
    """Return what was measured. Rates are the best of `rounds`, times the median over REQUESTS once everything is loaded. Raises ModelError."""
    began = time.perf_counter()
    planner.warm()
    loaded = time.perf_counter() - began
    context = Context(os.getcwd(), os.path.expanduser("~"))
    _plan(planner, REQUESTS[0], context)
    times = [_plan(planner, request, context) for _ in range(rounds) for request in REQUESTS]
    rates = [_rates(planner.decoder) for _ in range(rounds)]
    return {
        "load_ms": round(1e3 * loaded, 1),
        "prompt_tokens_per_s": round(max(r for r, _ in rates), 1),
        "written_tokens_per_s": round(max(w for _, w in rates), 1),
        "request_to_plan_ms": round(1e3 * statistics.median(times), 1),
        "slowest_request_ms": round(1e3 * max(times), 1),
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def _plan(planner: Planner, request: str, context: Context) -> float:
    began = time.perf_counter()
    try:
        planner.plan(request, context)
    except NlshError as error:
        if error.code == "model.error":
            raise
    return time.perf_counter() - began


def _rates(engine: Engine) -> tuple[float, float]:
    """Return tokens a second, read in one go and written one by one."""
    lib = engine.lib
    room = lib.llama_n_batch(engine.context)
    amount = min(READ, room - 1)
    lib.llama_memory_clear(engine.memory, True)
    began = time.perf_counter()
    _decode(engine, [(i % engine.size, i, 0, i == amount - 1) for i in range(amount)])
    read = time.perf_counter() - began
    steps = min(WRITTEN, int(lib.llama_n_ctx(engine.context)) - amount)
    began = time.perf_counter()
    for step in range(steps):
        _decode(engine, [(step % engine.size, amount + step, 0, True)])
    return amount / read, steps / (time.perf_counter() - began)
