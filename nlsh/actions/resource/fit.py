"""resource.fit: which models fit on the graphics cards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.actions._looking import files
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Bytes
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible
from nlsh.plan.records import Record
from nlsh.plan.records.resource import ModelFit
from nlsh.plan.values import Flag, Paths
from nlsh.resources import inventory, placement
from nlsh.world import World

# LIMIT: a rule of thumb. What a model needs beside its weights depends on the program that runs it, and on how long its texts are.
_BESIDE = 1.1
_RUNTIME_BYTES = 300 * 2**20


class Fit(Action):
    """Say which of some model files fit into the free memory of the graphics cards, each by itself or all at once, and on which card.

    A model needs its file's size and a tenth more, and 300 MB for what runs it, unless `room` says otherwise.
    """

    name = "resource.fit"
    effects = ("fs.read", "dev.read", "sys.read")

    class Args(BaseArgs):
        paths = arg(Paths(), "the model files (GGUF, safetensors, …)", required=True)
        together = arg(Flag(), "as many of them at once as can be", default=False)
        room = arg(Bytes(), "how much each needs beside its weights; left out: a tenth of them, and 300 MB")

    def look(self, args: Any, world: World) -> Any:
        return {"paths": files(args.paths, world, "models/*.gguf")}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (*(Effect("fs.read", p) for p in seen["paths"]), Effect("dev.read", "gpu"), Effect("sys.read", "*"))

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        cards = inventory.read().cards
        if not cards:
            raise NotPossible(
                "Not available here, because there is no NVIDIA graphics card that tells how much memory it has free.",
                hint="Nothing was changed. A virtual machine or a container has one only if it was given one.",
            )
        weights = {path: os.stat(path).st_size for path in seen["paths"]}
        needs = {path: size + args.room if args.room is not None else int(size * _BESIDE) + _RUNTIME_BYTES for path, size in weights.items()}
        yield from fits(needs, {c.name: c.free_bytes for c in cards}, together=args.together)

    examples = (
        Example(
            say=(
                "which of these models fits on my gpu: a.gguf b.gguf",
                "do a.gguf and b.gguf fit into the memory of the graphics card",
                "can my gpu hold a.gguf or b.gguf",
                "a.gguf和b.gguf哪个放得进我的显卡",
            ),
            plan='resource.fit(["a.gguf", "b.gguf"])',
            given={"a.gguf": {"size": 4096}, "b.gguf": {"size": 8192}},
            result=(...,),
            may_lack=True,
        ),
        Example(
            say=("do a.gguf and b.gguf fit on the gpu both at once", "显卡能同时装下a.gguf和b.gguf吗"),
            plan='resource.fit(["a.gguf", "b.gguf"], together=true)',
            given={"a.gguf": {"size": 4096}, "b.gguf": {"size": 8192}},
            result=(...,),
            may_lack=True,
        ),
    )


def fits(needs: dict[str, int], free: dict[str, int], *, together: bool) -> Iterator[ModelFit]:
    """Yield where each model goes, given what each needs and each card has free, in bytes."""
    for path, fit in placement.models(needs, free, together=together).items():
        whole = len(fit.cards) == 1
        answer = "yes" if whole else "split" if fit.cards else "no"
        where = ", ".join(card if whole else f"{card}: {100 * part:.0f}%" for card, part in fit.cards)
        yield ModelFit(path, answer, where, needs[path], round(100 * fit.part, 1))
