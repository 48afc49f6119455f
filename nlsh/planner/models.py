"""Which model plans: the shipped one, one of the user's by name, or a GGUF file by its path; and how much of it a graphics card takes.

nlsh's own decoders write plans by pointing (`planner.Planner`); every other model with a chat template writes them as text (`chat.ChatPlanner`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nlsh.plan.errors import ModelError, NotPossible
from nlsh.plan.frozen import frozen
from nlsh.planner import metadata
from nlsh.planner.metadata import Metadata
from nlsh.planner.planner import Planner
from nlsh.settings import own_models_dir
from nlsh.shipped import models_dir

if TYPE_CHECKING:
    from nlsh.planner.learned import Learned
    from nlsh.settings import Settings

SHIPPED = "shipped"
_RESERVE = 512 << 20  # bytes of a card that stay free: for what computing needs, and for other programs
_SUFFIX = ".gguf"


def shipped() -> Path:
    """Return the shipped decoder."""
    return models_dir() / "planner" / "planner.gguf"


def own() -> dict[str, Path]:
    """Return the user's own models by name: FILE.gguf is called FILE; a folder that holds planner/planner.gguf goes by the folder's name."""
    found = {}
    for place in sorted(own_models_dir().glob("*")):
        if place.suffix == _SUFFIX and place.is_file():
            found[place.stem] = place
        elif (place / "planner" / "planner.gguf").is_file():
            found[place.name] = place / "planner" / "planner.gguf"
    return found


def resolve(name: str) -> Path:
    """Return the model that `name` means: “shipped”, one of the user's own, or a path. Raises ModelError with the nearest name."""
    if name == SHIPPED:
        return shipped()
    models = own()
    for known in (name, name.removesuffix(_SUFFIX)):
        if "/" not in name and known in models and not os.path.exists(name):
            return models[known]
    path = Path(os.path.abspath(os.path.expanduser(name)))
    if path.is_file():
        return path
    if path.is_dir():
        raise ModelError(f"{path} is a folder, not a model.", hint="Nothing was changed. Give the path of a GGUF file.")
    if "/" in name:
        raise ModelError(f"There is no model file {path}.", hint="Nothing was changed. Give the path of a GGUF file, or a name of nlsh model list.")
    import difflib

    close = difflib.get_close_matches(name, [SHIPPED, *models], 1, 0.5)
    raise ModelError(
        f"There is no model “{name}”: no file of that name here, and none in {own_models_dir()}.",
        hint=f"Nothing was changed. Did you mean {close[0]}?" if close else "Nothing was changed. See nlsh model list.",
    )


def check(path: Path) -> Metadata:
    """Return the header of a model that can plan. Raises ModelError for one that cannot: no GGUF file, cut short, no chat template."""
    found = metadata.read(path)
    if not found.points and not found.chat_template:
        what = f"a model of the kind “{found.architecture}” " if found.architecture else ""
        raise ModelError(
            f"{path} is {what}without a chat template, and was not trained to write plans.",
            hint="Nothing was changed. Use a model that follows instructions (often called “instruct” or “chat”), or the shipped one.",
        )
    return found


def planner_for(settings: Settings, learned: Learned | None = None) -> Planner:
    """Return the planner for the model that is set. Raises ModelError for one that cannot plan. Nothing is loaded yet."""
    if not settings.planner:
        return Planner(settings, learned=learned)
    path = resolve(settings.planner)
    settings = replace(settings, planner=str(path))
    if check(path).points:
        # What was trained as a whole lies together: with its encoder, its meanings and its calibration.
        together = all((path.parent / part).is_file() for part in ("meanings.bin", "../encoder/encoder.gguf"))
        return Planner(settings, path.parent.parent if together else None, learned)
    from nlsh.planner.chat import ChatPlanner

    return ChatPlanner(settings, learned=learned)


@frozen()
class Offload:
    """How many of a model's layers go to the graphics card, and why."""

    layers: int
    why: str


def offload(model: Metadata, context: int, *, able: bool, free: Callable[[], list[tuple[str, int]]]) -> Offload:
    """Return how many layers fit into the cards' free memory beside what remembers `context` tokens.

    `able`: whether this llama.cpp was built for a graphics card. `free`: gives each card's name and free bytes, and may raise NotPossible.
    """
    if not able:
        return Offload(0, "on the processor: this llama.cpp was built without a graphics card")
    try:
        cards = free()
    except NotPossible as error:
        return Offload(0, f"on the processor: {error.message.removesuffix('.')}")
    room = sum(max(0, amount - _RESERVE) for _, amount in cards)
    remembered = 4 * context * (model.number("attention.key_length") or _head_width(model)) * max(1, model.number("attention.head_count_kv"))
    sizes = [remembered] * model.layers
    rest = 0
    for tensor in model.tensors:
        parts = tensor.name.split(".")
        if parts[0] == "blk" and parts[1].isdigit() and int(parts[1]) < len(sizes):
            sizes[int(parts[1])] += tensor.bytes
        else:
            rest += tensor.bytes
    # llama.cpp puts the last layers on the card first, and the output last of all.
    taken, used = 0, 0
    for size in [*reversed(sizes), rest]:
        if used + size > room:
            break
        taken, used = taken + 1, used + size
    named = ", ".join(f"{name} ({amount >> 20:,} MiB free)" for name, amount in cards)
    if not taken:
        return Offload(0, f"on the processor: not even one layer fits on {named}")
    every = taken == len(sizes) + 1
    return Offload(taken, f"{'all' if every else f'{taken} of {len(sizes)}'} layers on {named}")


def _head_width(model: Metadata) -> int:
    return model.number("embedding_length") // max(1, model.number("attention.head_count"))


def decide(model: Metadata, context: int) -> Offload:
    """Return what is offloaded on this machine."""
    from nlsh.planner.engine import library
    from nlsh.world.gpus import free_memory

    return offload(model, context, able=bool(library().llama_supports_gpu_offload()), free=free_memory)
