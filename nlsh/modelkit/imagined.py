"""Actions that nobody has: invented ones with phrasings, so that the models learn to use what a skill pack adds after training.

`models/corpus/imagined/*.txt`: `= meaning` as in the corpus, over actions that are in no registry
and in no set that measures; phrasings in English and Chinese.
In training they go by aliases always, as an action of a pack does in use; now and then none is offered, and the request is outside.
A few actions are kept out of training, so that a run shows what it does with actions it has not met.
"""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from nlsh.modelkit.corpus import SLOT, Corpus, Meaning, Phrasing, Sentence, phrasings_of, read_meaning, same_words
from nlsh.plan.errors import BadPlan
from nlsh.planner.vocabulary import Catalogue, Slot

KEPT_OUT = 0.06  # the share of actions that are not trained on
OUTSIDE = 'none(reason="outside")'  # what such a request means where its action is not there


class Imagined:
    """The invented actions under a corpus folder, with what was written for them."""

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self.phrasings: list[Phrasing] = []
        meanings: dict[str, Meaning] = {}
        for file in sorted((corpus.folder / "imagined").glob("*.txt")):
            for header, line in phrasings_of(file):
                meaning = meanings.setdefault(header, read_meaning(header, lambda _: None))
                language = "zh" if any("\u4e00" <= c <= "\u9fff" for c in line) else "en"
                self.phrasings.append(Phrasing(line, meaning, language, f"imagined-{file.stem}"))
        self.meanings = list(meanings.values())
        self.known = [m for m in self.meanings if not kept_out(m)]
        self.of: dict[str, list[Phrasing]] = defaultdict(list)
        for phrasing in self.phrasings:
            self.of[phrasing.meaning.text].append(phrasing)

    def sample(self, rng: random.Random) -> Sentence:
        """Return a random varied sentence for an invented action that is trained on. Raises IndexError where there is none."""
        while True:
            phrasing = rng.choice(self.of[rng.choice(self.known).text])
            if (sentence := self.corpus.fill(phrasing, rng, varied=True)) is not None:
                return sentence

    def catalogue(self) -> Catalogue:
        """Return the invented actions with their arguments; what no header gives a place is a fixed value."""
        uses: dict[str, list[dict[str, object]]] = defaultdict(list)
        for meaning in self.meanings:
            for call in meaning.plan.calls:
                uses[call.action].append(dict(call.args))
        return {action: tuple(_slot(name, calls) for name in dict.fromkeys(a for args in calls for a in args)) for action, calls in uses.items()}


def kept_out(meaning: Meaning) -> bool:
    """Tell whether a meaning's action is kept out of training, by a hash of its name."""
    digest = hashlib.sha256(meaning.actions[0].encode()).digest()
    return int.from_bytes(digest[:4]) / 2**32 < KEPT_OUT


def _slot(name: str, calls: Sequence[dict[str, object]]) -> Slot:
    values = [args[name] for args in calls if name in args]
    fixed = tuple(dict.fromkeys("true" if v is True else str(v) for v in values if not SLOT.fullmatch(str(v))))
    return Slot(name, fixed, any(SLOT.fullmatch(str(v)) for v in values), False, False, all(name in args for args in calls))


def lint(folder: Path) -> list[str]:
    """Return what is wrong with the invented actions: no plan, an action that there is or that measures, wrong slots, the same words with two meanings."""
    from nlsh.plan.registry import names

    measured = "".join(f.read_text(encoding="utf-8") for f in (folder / "unseen").glob("*.txt"))
    actions, known = set(names()), {same_words(line) for line in measured.splitlines() if line.strip()}
    problems: list[str] = []
    seen: dict[str, str] = {}
    read: set[str] = set()
    for file in sorted((folder / "imagined").glob("*.txt")):
        for header, line in phrasings_of(file):
            action, key = header.partition("(")[0], same_words(line)
            if header not in read:
                read.add(header)
                try:
                    read_meaning(header, lambda _: None)
                except BadPlan as error:
                    problems.append(f"{file.name}: {header}: {error.message}")
            if action in actions or f"= {action}(" in measured:
                problems.append(f"{file.name}: {action} is not imagined")
            if sorted(set(SLOT.findall(header))) != sorted(SLOT.findall(line)):
                problems.append(f"{file.name}: slots of “{line}” are not those of {header}")
            if key in known or seen.setdefault(key, header) != header:
                problems.append(f"{file.name}: “{line}” is there already")
    return problems
