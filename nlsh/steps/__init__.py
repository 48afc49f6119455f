"""The primitive changes and observations: each with `check`, `apply` and, where there is one, its `inverse`."""

from __future__ import annotations

from functools import cache


@cache
def load() -> None:
    """Import every module of steps, so that their classes are registered by name."""
    import importlib
    from pathlib import Path

    for file in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        importlib.import_module(f"nlsh.steps.{file.stem}")
