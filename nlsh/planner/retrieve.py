"""Find the known meanings nearest to a request: the encoder's vector against one prototype vector a meaning, then against the best ones' exemplars.

An exemplar is a direction in which some of a meaning's phrasings lie: a request may be near to how some people say it and far from the middle.
A thousand prototypes are compared (`products`) in less time than numpy would take to import.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Sequence
from heapq import nlargest
from itertools import accumulate
from operator import mul
from pathlib import Path

from nlsh.plan.errors import ModelError
from nlsh.plan.frozen import frozen
from nlsh.planner.products import products

# Examples are not drawn to a trained prototype, so their cosines are lower. On added actions (`modelkit unseen`) the right one came first for 71%
# of the phrasings instead of 65% by the nearest example alone.
OWN_BONUS = 0.05
SHARPNESS = 20.0  # the scale of the cosine classifier in training
LOOKED_INTO = 16  # of how many meanings the exemplars are compared
EXEMPLARS = 0.3  # how much the nearest exemplar counts beside the prototype


@frozen()
class Known:
    """A known meaning: its text in the corpus, the decoder's tokens of its skeleton, its actions, and how likely it is here."""

    text: str
    skeleton: tuple[str, ...]
    actions: tuple[str, ...]
    probability: float


@frozen()
class Own:
    """An example from outside the corpus: the user's, or a pack's."""

    text: str
    skeleton: tuple[str, ...]
    actions: tuple[str, ...]
    vector: Sequence[float]


class Meanings:
    """The known meanings and their prototype vectors."""

    def __init__(self, file: Path) -> None:
        """Read what `modelkit.export` wrote. Raises ModelError."""
        try:
            data = file.read_bytes()
            head_line, _, body = data.partition(b"\n")
            head = json.loads(head_line)
            self.width: int = head["width"]
            self._meanings = [(m["text"], tuple(m["skeleton"]), tuple(m["actions"]), m["follow_up"]) for m in head["meanings"]]
            self._scale: float = head.get("scale", 1.0)
            counts = [int(m.get("exemplars", 0)) for m in head["meanings"]]
        except OSError as error:
            raise ModelError(f"The model {file} cannot be read: {error.strerror}.", hint="Nothing was changed. Reinstall nlsh.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{file} is damaged.", hint="Nothing was changed. Reinstall nlsh.") from error
        prototypes = 4 * self.width * len(self._meanings)
        if len(body) != prototypes + self.width * sum(counts):
            raise ModelError(f"{file} is damaged: its size is wrong.", hint="Nothing was changed. Reinstall nlsh.")
        self._prototypes = array("f")
        self._prototypes.frombytes(body[:prototypes])
        self._exemplars = array("b")
        self._exemplars.frombytes(body[prototypes:])
        self._first = [0, *accumulate(counts)]  # the first exemplar of each meaning

    @staticmethod
    def _own_score(vector: Sequence[float], group: Sequence[Own]) -> tuple[float, str, tuple[str, ...], tuple[str, ...]]:
        """Return how near a few examples of one meaning are, with the nearest one's text: midway between the nearest and the middle of them all."""
        cosines = [sum(map(mul, example.vector, vector)) for example in group]
        middle = [sum(column) for column in zip(*(example.vector for example in group), strict=True)]
        length = math.sqrt(sum(v * v for v in middle)) or 1.0
        near, first = max((c, -i) for i, c in enumerate(cosines))
        example = group[-first]
        score = (near + sum(map(mul, middle, vector)) / length) / 2 + OWN_BONUS
        return SHARPNESS * score, example.text, example.skeleton, example.actions

    def _nearest_exemplar(self, place: int, vector: Sequence[float]) -> float | None:
        """Return the cosine of the nearest exemplar of one meaning; None where it has none."""
        rows = array("f", self._exemplars[self.width * self._first[place] : self.width * self._first[place + 1]])
        return self._scale * max(products(rows, vector)) if rows else None

    def nearest(self, vector: list[float], *, follow_up: bool, most: int = 8, also: Sequence[Own] = ()) -> list[Known]:
        """Return the `most` likely meanings, best first. Follow-ups count only where there is something to follow.

        `also` are examples from outside the corpus, each with a vector of its own; those with one skeleton count together.
        """
        if len(vector) != self.width:
            raise ModelError(f"The encoder gives vectors of {len(vector)} numbers, the meanings have {self.width}.", hint="Use the shipped encoder.")
        scores = [
            SHARPNESS * cosine if follow_up or not meaning[3] else -math.inf
            for cosine, meaning in zip(products(self._prototypes, vector), self._meanings, strict=True)
        ]
        for place in nlargest(LOOKED_INTO, range(len(scores)), key=scores.__getitem__):
            near = self._nearest_exemplar(place, vector)
            if near is not None and scores[place] > -math.inf:
                scores[place] += EXEMPLARS * (SHARPNESS * near - scores[place])
        found = [(score, *meaning[:3]) for score, meaning in zip(scores, self._meanings, strict=True)]
        groups: dict[tuple[str, ...], list[Own]] = {}
        for example in also:
            groups.setdefault(example.skeleton, []).append(example)
        found += [self._own_score(vector, group) for group in groups.values()]
        top = max(f[0] for f in found)
        total = sum(math.exp(f[0] - top) for f in found)
        nearest = sorted(found, key=lambda f: -f[0])[:most]
        return [Known(text, skeleton, actions, math.exp(score - top) / total) for score, text, skeleton, actions in nearest]
