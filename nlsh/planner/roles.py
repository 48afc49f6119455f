"""Which words of a request are part of an argument, as the encoder sees it: evidence against a reading, from another model than the one that wrote it.

The decoder writes a plan token by token from the words it has learned; the encoder was pretrained on far more text, and its state of a piece of a word
says what that is to the sentence. `modelkit.encoder` learns the rows that read it.
"""

from __future__ import annotations

import json
import math
import unicodedata
from array import array
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from nlsh.plan.errors import ModelError
from nlsh.plan.plan import Plan, Ref
from nlsh.planner.lexer import lex
from nlsh.planner.products import products
from nlsh.planner.simplified import simplified
from nlsh.planner.vocabulary import Catalogue

SURELY = 0.8  # how sure the encoder must be of a word for a reading that says otherwise to count as astray
MOST = 3  # more words astray say no more
_NONE = ""  # the role of what is part of no argument
_WORD_START, _UNKNOWN, _FRAME = "\u2581", "[UNK]", ("[CLS]", "[SEP]")


class Roles:
    """The rows that read from the encoder's states which argument a piece is part of."""

    def __init__(self, file: Path) -> None:
        """`file`: what `modelkit.export` wrote; without it, nothing is known."""
        self.file = file

    @cached_property
    def _rows(self) -> tuple[list[str], array[float]]:
        """The roles, and their rows one after the other. Raises ModelError where the file cannot be read or is damaged."""
        rows = array("f")
        try:
            head, _, body = self.file.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return [], rows
        except OSError as error:
            raise ModelError(f"The model {self.file} cannot be read: {error.strerror}.", hint="Nothing was changed. Reinstall nlsh.") from error
        try:
            said = json.loads(head)
            names, width = said["roles"], said["width"]
            rows.frombytes(body)
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{self.file} is damaged.", hint="Nothing was changed. Reinstall nlsh.") from error
        if len(rows) != width * len(names) or _NONE not in names:
            raise ModelError(f"{self.file} is damaged: its size is wrong.", hint="Nothing was changed. Reinstall nlsh.")
        return names, rows

    def inside(self, request: str, pieces: Sequence[str], states: array[float]) -> list[float | None]:
        """Return for each word of a request how likely it is part of an argument; None where nothing is known of it.

        `pieces` are the encoder's tokens, `states` its state of each, one after the other.
        """
        words = lex(request)
        names, rows = self._rows
        if not names or len(states) != len(pieces) * (width := len(rows) // len(names)):
            return [None] * len(words)
        none = names.index(_NONE)
        said: list[list[float]] = [[] for _ in words]
        for number, start in enumerate(piece_starts(request, pieces)):
            word = next((n for n, w in enumerate(words) if w.start <= start < w.end), None)
            if word is not None:
                scores = products(rows, states[number * width : (number + 1) * width])
                top = max(scores)
                said[word].append(1 - math.exp(scores[none] - top) / sum(math.exp(s - top) for s in scores))
        return [sum(s) / len(s) if s else None for s in said]


def astray(plan: Plan, request: str, inside: Sequence[float | None], actions: Catalogue) -> int:
    """Return how many words `plan` takes into an argument, or leaves out of all, against what the encoder is sure of; at most MOST."""
    words = lex(request)
    first, last = ({edge: n for n, edge in enumerate(edges)} for edges in ((w.start for w in words), (w.end for w in words)))
    taken = [False] * len(words)
    for call in plan.calls:
        fixed = {slot.name: slot.fixed for slot in actions.get(call.action, ())}
        for argument, value in call.args.items():
            for one in value if isinstance(value, tuple) else (value,):
                if isinstance(one, (Ref, bool)) or not one or str(one) in fixed.get(argument, ()):
                    continue
                start, length = request.find(str(one)), len(str(one))
                while start >= 0 and not (start in first and start + length in last):
                    start = request.find(str(one), start + 1)
                if start >= 0:
                    for n in range(first[start], last[start + length] + 1):
                        taken[n] = True
    return min(MOST, sum(p is not None and (p if not t else 1 - p) > SURELY for p, t in zip(inside, taken, strict=True)))


def piece_starts(request: str, pieces: Sequence[str]) -> list[int]:
    """Return where each piece of BERT's uncased vocabulary starts in the request; -1 for what is no part of it."""
    letters: list[tuple[str, int]] = []
    for place, character in enumerate(simplified(request)):
        plain = "".join(c for c in unicodedata.normalize("NFD", character) if unicodedata.category(c) != "Mn")
        letters += [(c, place) for c in plain.lower()]
    text = "".join(c for c, _ in letters)
    found, at = [], 0
    for piece in pieces:
        if piece in _FRAME:
            found.append(-1)
            continue
        while at < len(text) and text[at].isspace():
            at += 1
        if piece == _UNKNOWN:
            found.append(letters[at][1] if at < len(text) else -1)
            at = _word_end(text, at)
            continue
        written = piece.removeprefix(_WORD_START)
        here = text.find(written, at) if written else -1
        found.append(letters[here][1] if here >= 0 else -1)
        at = here + len(written) if here >= 0 else at
    return found


def _word_end(text: str, at: int) -> int:
    """Return where the word that starts at `at` ends, as BERT splits: blanks and punctuation end one, a Chinese character is one."""
    end = at
    while end < len(text) and text[end].isalnum() and not "\u3400" <= text[end] <= "\u9fff":
        end += 1
    return max(end, at + 1)
