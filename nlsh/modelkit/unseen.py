"""Score actions that the models have never met, as a skill pack would add them: five examples each, twenty phrasings of others to understand.

`models/corpus/unseen/*.txt`: `= meaning` as in the corpus, the examples, a line `--`, the held-out phrasings. Nothing of it is ever trained on.
"""

from __future__ import annotations

import random
from array import array
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from nlsh.modelkit.corpus import Corpus, Meaning, Phrasing, Sentence, plan_of, read_meaning
from nlsh.plan.errors import NlshError
from nlsh.plan.plan import Plan
from nlsh.plan.registry import names
from nlsh.plan.syntax import format_plan, parse_plan
from nlsh.planner.answer import Context
from nlsh.planner.learned import Example
from nlsh.planner.planner import Planner
from nlsh.planner.vocabulary import Catalogue, Slot, skeleton
from nlsh.settings import Settings


@dataclass(frozen=True)
class Added:
    """An added meaning with its examples and the phrasings to be understood, filled."""

    meaning: Meaning
    examples: tuple[Sentence, ...]
    held_out: tuple[Sentence, ...]


def read(file: Path, corpus: Corpus, seed: int = 23) -> list[Added]:
    """Return what a file adds. Raises ValueError where it is not in form."""
    rng = random.Random(seed)
    found: list[Added] = []
    meaning: Meaning | None = None
    parts: tuple[list[Sentence], list[Sentence]] = ([], [])
    part = 0
    for line in [*file.read_text(encoding="utf-8").splitlines(), "= "]:
        if line.startswith("= "):
            if meaning is not None:
                found.append(Added(meaning, tuple(parts[0]), tuple(parts[1])))
            meaning, parts, part = (read_meaning(line[2:], lambda _: "what") if line[2:].strip() else None), ([], []), 0
        elif line == "--":
            part = 1
        elif line.strip() and not line.startswith("#"):
            if meaning is None:
                raise ValueError(f"{file}: a phrasing before the first meaning")
            language = "zh" if any("\u4e00" <= c <= "\u9fff" for c in line) else "en"
            if (sentence := corpus.fill(Phrasing(line, meaning, language, file.stem), rng, varied=False, test=True)) is not None:
                parts[part].append(sentence)
    return found


class WithAdded(Planner):
    """A planner with actions that are in no registry: they can be planned, not run."""

    def __init__(self, settings: Settings, folder: Path, added: list[Added]) -> None:
        super().__init__(settings, folder)
        self.added = added

    @cached_property
    def actions(self) -> Catalogue:
        found = dict(super().actions)
        by_action: dict[str, list[dict[str, object]]] = {}
        for item in self.added:
            for call in item.meaning.plan.calls:
                by_action.setdefault(call.action, []).append(dict(call.args))
        for action, uses in by_action.items():
            arguments = dict.fromkeys(k for args in uses for k in args)
            found[action] = tuple(Slot(a, (), True, False, False, all(a in args for args in uses)) for a in arguments)
        return found

    @cached_property
    def _vectors(self) -> list[Example]:
        found = []
        for item in self.added:
            words = tuple(skeleton(item.meaning.plan.calls, self.actions))
            for s in item.examples:
                found.append(Example(s.request, format_plan(plan_of(s)), 0.0, "", array("f", self._embed(s.request)), words, item.meaning.actions))
        return found

    def _examples(self) -> list[Example]:
        return self._vectors

    @staticmethod
    def _plan_of(example: Example) -> Plan:
        return parse_plan(example.plan, lambda _: None)

    @staticmethod
    def _check(plan: Plan) -> None:
        Planner._check(Plan(tuple(c for c in plan.calls if c.action in names())))

    @staticmethod
    def _changes(plan: Plan) -> bool:
        return any(c.action not in names() for c in plan.calls) or Planner._changes(plan)


def score(models: Path, folder: Path, corpus: Corpus) -> str:
    """Return the shares of held-out phrasings of added actions that get the exact plan, first and among three, as Markdown."""
    added = [item for file in sorted(folder.glob("*.txt")) for item in read(file, corpus)]
    planner = WithAdded(Settings(), models, added)
    lines = ["| added meaning | n | exact | among three |", "| --- | --- | --- | --- |"]
    total = [0, 0, 0]
    rows = []
    for item in added:
        first = three = 0
        for s in item.held_out:
            ranks = [i for i, plan in enumerate(_readings(planner, s.request)) if _same(plan, plan_of(s))]
            first += ranks[:1] == [0]
            three += bool(ranks) and ranks[0] < 3
        count = len(item.held_out)
        total = [total[0] + count, total[1] + first, total[2] + three]
        rows.append((first / count, f"| `{item.meaning.text}` | {count} | {first / count:.0%} | {three / count:.0%} |"))
    lines += [text for _, text in sorted(rows)]
    lines.append(f"| all | {total[0]} | {total[1] / total[0]:.1%} | {total[2] / total[0]:.1%} |")
    return "\n".join(lines)


def _readings(planner: Planner, request: str) -> list[Plan]:
    try:
        return planner.explain(request, Context("/home/u", "/home/u"))[1]
    except NlshError:
        return []


def _same(one: Plan, other: Plan) -> bool:
    def bare(plan: Plan) -> list[object]:
        return [(c.action, sorted((k, str(v).casefold().strip("\"'“”「」`")) for k, v in c.args.items())) for c in plan.calls]

    return bare(one) == bare(other)
