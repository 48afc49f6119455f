"""The primitive changes and observations: each with `check`, `apply` and, where there is one, its `inverse`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache


@cache
def load(module: object = "") -> None:
    """Import the module of steps that is called so, or every one where there is none, so that their classes are registered by name."""
    import importlib
    from pathlib import Path

    stems = {file.stem for file in Path(__file__).parent.glob("[a-z]*.py")}
    for stem in [module] if module in stems else sorted(stems):
        importlib.import_module(f"nlsh.steps.{stem}")


def load_for(steps: Iterable[Mapping[str, object]]) -> None:
    """Import the modules of steps that are data. What cannot be imported is theirs to report who make steps of it."""
    import contextlib

    for module in {s["in"] for s in steps if isinstance(s.get("in"), str)}:
        with contextlib.suppress(Exception):
            load(module)
