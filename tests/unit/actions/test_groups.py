"""Every meaning that the planner knows is a plan that the catalogue takes."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

from nlsh.modelkit.slots import Slots
from nlsh.plan import registry
from nlsh.plan.plan import Ref

CORPUS = Path(__file__).resolve().parents[3] / "models/corpus"


def meanings() -> list[str]:
    lines = (line.strip() for line in (CORPUS / "GROUPS.txt").read_text().splitlines())
    return [line for line in lines if line and not line.startswith(("#", "none("))]


@pytest.mark.parametrize("meaning", meanings())
def test_meaning_is_a_plan(meaning: str) -> None:
    text = meaning.partition(" ")[2] if meaning.startswith("@") else meaning
    slots = Slots(CORPUS, random.Random(meaning), "en")
    plan = registry.parse(re.sub(r"\{(\w+)\}", lambda slot: json.dumps(slots.fill(slot[1], "", "").strip("'\"")), text))
    for call in plan.calls:
        args = registry.get(call.action).Args
        written = {}
        for key, value in call.args.items():
            if isinstance(value, Ref):
                value = {"processes": ("42",), "path": ("/x/a.txt",), "result": "_"}.get(args.fields[key].type.name, ("/x/a.txt", "/x/b.txt"))
            written[key] = value
        args.bind(call.action, written)
