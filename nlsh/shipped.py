"""Where what ships with nlsh lies: `models/` and `skills/`, beside the package in a checkout, inside it in a wheel.

It finds folders and opens nothing. What a user adds of their own (skill packs, models) is found elsewhere.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _folder(name: str) -> Path:
    inside = _PACKAGE / f"_{name}"
    return inside if inside.is_dir() else _PACKAGE.parent / name


def models_dir() -> Path:
    """Return the folder of the shipped models, whether or not it exists."""
    return _folder("models")


def skills_dir() -> Path:
    """Return the folder of the shipped skill packs, whether or not it exists."""
    return _folder("skills")
