"""What nlsh has learned from its user: requests with the plan that was chosen, edited or agreed to. Kept here, on this machine, and nowhere else.

The same words again give that plan first; like words find its meaning beside the corpus's. One line of JSON each, with the request's vector, so that
nothing has to be computed when a request comes in. A line that is damaged is left out, not an error: the planner works without.
"""

from __future__ import annotations

import base64
import json
import os
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from nlsh.plan.errors import NlshError, NotFound
from nlsh.plan.frozen import frozen
from nlsh.plan.plan import Plan, Ref
from nlsh.settings import state_dir

MOST = 2_000  # the oldest give way


@frozen()
class Example:
    """A request and the plan it stands for here. `vector` is the request's, made by the encoder that `encoder` names; `skeleton` and `actions` are the
    plan's, as the planner's retrieval wants them.
    """

    request: str
    plan: str
    at: float
    encoder: str
    vector: array[float]
    skeleton: tuple[str, ...]
    actions: tuple[str, ...]


def same(request: str) -> str:
    """Return what two requests share that differ only in case, blanks and the mark at their end."""
    return " ".join(request.casefold().split()).rstrip(".?!。？！ ")


class Learned:
    """The learned examples, newest last."""

    def __init__(self, file: Path | None = None) -> None:
        self.file = file or state_dir() / "learned.jsonl"

    def all(self) -> list[Example]:
        """Return every example that can be read."""
        return list(self._read())

    def _read(self) -> Iterator[Example]:
        try:
            lines = self.file.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        except OSError:
            return
        for line in lines:
            try:
                data = json.loads(line)
                vector = array("f")
                vector.frombytes(base64.b64decode(data["vector"]))
                words = tuple(map(str, data["skeleton"])), tuple(map(str, data["actions"]))
                yield Example(str(data["request"]), str(data["plan"]), float(data["at"]), str(data["encoder"]), vector, *words)
            except (ValueError, KeyError, TypeError):
                continue

    def add(self, request: str, plan: str, encoder: str, vector: list[float], skeleton: Sequence[str], actions: Sequence[str]) -> None:
        """Remember that `request` means `plan`; what it meant before is forgotten. Raises NlshError where it cannot be written."""
        kept = [e for e in self._read() if same(e.request) != same(request)]
        self._write([*kept, Example(request, plan, time.time(), encoder, array("f", vector), tuple(skeleton), tuple(actions))][-MOST:])

    def made_by(self, encoder: str, embed: Callable[[str], list[float]]) -> list[Example]:
        """Return every example with a vector of this encoder; those that another one made are made anew, once."""
        examples = self.all()
        if all(e.encoder == encoder for e in examples):
            return examples
        examples = [e if e.encoder == encoder else replace(e, encoder=encoder, vector=array("f", embed(e.request))) for e in examples]
        self._write(examples)
        return examples

    def forget(self, number: int) -> Example:
        """Forget the example with this number, counted from 1, and return it. Raises NotFound."""
        examples = self.all()
        if not 1 <= number <= len(examples):
            raise NotFound(f"There is no learned example {number}.", hint="Nothing was changed. See nlsh model learned.")
        gone = examples.pop(number - 1)
        self._write(examples)
        return gone

    def clear(self) -> int:
        """Forget every example; return how many there were."""
        count = len(self.all())
        self._write([])
        return count

    def _write(self, examples: list[Example]) -> None:
        part = self.file.with_suffix(f".{os.getpid()}")
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w", encoding="utf-8", errors="surrogateescape") as file:
                for e in examples:
                    vector = base64.b64encode(e.vector.tobytes()).decode()
                    known = {"request": e.request, "plan": e.plan, "at": e.at, "encoder": e.encoder, "skeleton": e.skeleton, "actions": e.actions}
                    file.write(json.dumps({**known, "vector": vector}) + "\n")
            part.replace(self.file)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise NlshError(f"What was learned cannot be written to {self.file}: {error.strerror}.", hint="The request itself is not affected.") from error


def worth_learning(plan: Plan) -> bool:
    """Whether a plan can mean the same another time: it refers to no result of the turn before, and is no raw command."""
    return not any(isinstance(v, Ref) and v.name == "_" for c in plan.calls for v in c.args.values()) and all(c.action != "shell.run" for c in plan.calls)
