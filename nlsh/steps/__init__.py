"""The primitive changes and observations: each with `check`, `apply` and, where there is one, its `inverse`."""

from __future__ import annotations

from functools import cache


@cache
def load(module: object = "") -> None:
    """Import the module of steps that is called so, or every one where there is none, so that their classes are registered by name."""
    import importlib
    from pathlib import Path

    stems = {file.stem for file in Path(__file__).parent.glob("[a-z]*.py")}
    for stem in [module] if module in stems else sorted(stems):
        importlib.import_module(f"nlsh.steps.{stem}")
