"""The corpus: meanings, the phrasings people give them, and random sentences made of both.

A corpus file has `= meaning` lines in plan syntax with `{slots}`, each followed by phrasings of it. This module reads and checks them,
splits off whole phrasings for tests (by a hash of its words, so a phrasing never changes sides), and fills and varies them.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from nlsh.modelkit.slots import Slots
from nlsh.modelkit.wording import vary
from nlsh.plan.plan import Call, Plan, Ref, Value
from nlsh.plan.syntax import parse_plan
from nlsh.planner.ground import MAKES
from nlsh.planner.lexer import Word, lex

SLOT = re.compile(r"\{(\w+)\}")
HELD_OUT = 0.1
MODIFIABLE = ("file.find", "file.count")
# “rename a.txt in Documents to b.txt”: of the plan only the name is a part, and where it lies the planner finds (`planner.ground.located`). Not of what
# is made, nor of where something goes.
PLACED = 0.06
_LIES = {
    "en": ("{%s} in {dir}", "{%s} in {dir}", "{%s} from {dir}", "{%s} inside {dir}", "{%s} that is in {dir}", "{%s}, which is in {dir},"),
    "zh": ("{dir}里的{%s}", "{dir}里的{%s}", "{dir}里面的{%s}", "{dir}下的{%s}", "{dir}中的{%s}", "在{dir}里的{%s}"),
}
_NAMES = re.compile(r"\{(file|path|image|pdf|media|table|data|document)\}")
REFUSAL = "none.refuse"
REFUSED = 0.85
# Files by their names, as requests that are refused have them: in training they get other names, so that no name but what is asked for is learned.
_LITERAL = re.compile(
    r"(?<![\w/.@-])[\w-]*[A-Za-z\d_-]\.(?:(pdf)|(jpe?g|png|gif|webp|heic)|(mp3|mp4|wav|mkv|mov|flac|m4a)|(csv|tsv)|(txt|md|docx?|xlsx?|pptx?|py|js|tex|html|log))(?![\w.])"
)
_LITERALS = ("pdf", "image", "media", "table", "file")
RENAMED = 0.6


def same_words(text: str) -> str:
    """Return what two phrasings share that differ only in case and punctuation: they count as one."""
    return re.sub(r"[^\w{}\-+*/~.<>:@#]+", " ", text.lower()).strip() or text


# What changes nothing of a meaning, and blanks.
_COURTESY = re.compile(r"\b(?:please|pls|plz|kindly|um|uh|could you|can you|for me|just|thanks)\b|请|帮我|一下|麻烦|给我|\s+")


@dataclass(frozen=True)
class Meaning:
    """A plan with slots, and the action of the turn before where it is a follow-up."""

    text: str
    plan: Plan
    previous: str | None

    @property
    def slots(self) -> list[str]:
        return SLOT.findall(self.text)

    @property
    def actions(self) -> tuple[str, ...]:
        return tuple(c.action for c in self.plan.calls)

    @property
    def refuses(self) -> bool:
        return self.plan.calls[0].action == REFUSAL


@dataclass(frozen=True)
class Phrasing:
    """One way to say a meaning."""

    text: str
    meaning: Meaning
    language: str
    style: str

    @property
    def held_out(self) -> bool:
        digest = hashlib.sha256(same_words(self.text).encode()).digest()
        return int.from_bytes(digest[:4]) / 2**32 < HELD_OUT


@dataclass(frozen=True)
class Sentence:
    """A filled phrasing: the request, its words, the plan with each value's place in the request."""

    request: str
    words: list[Word]
    calls: tuple[Call, ...]
    spans: dict[str, tuple[int, int]]  # slot key such as "dir", "0.dir2" → first and last word
    previous: str | None
    meaning: Meaning
    language: str
    source: str  # the phrasing it was made of


def read_meaning(text: str, first: Callable[[str], str | None] | None = None) -> Meaning:
    """Return the meaning a `=` line writes; `first` names the argument that may stand without its name (otherwise as the registry has it). Raises BadPlan."""
    previous = None
    body = text
    if body.startswith("@"):
        head, _, body = body.partition(" ")
        previous = head[1:]
    if body.startswith("none("):
        body = body.replace("none(", f"{REFUSAL}(")
    quoted = SLOT.sub(lambda m: f'"{{{m[1]}}}"', body).replace("; ", "\n")
    return Meaning(text, parse_plan(quoted, first or positional), previous)


def positional(action: str) -> str | None:
    if action == REFUSAL:
        return "reason"
    from nlsh.plan.registry import positional as of_registry

    return of_registry(action)


@dataclass
class Corpus:
    """All phrasings under a folder, by meaning. Raises CorpusError from `load` where a file is not right."""

    folder: Path
    phrasings: list[Phrasing] = field(default_factory=list)
    modifiers: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)  # language → (argument, value, text)

    @classmethod
    def load(cls, folder: Path) -> Corpus:
        """Read every file of the corpus; problems are collected by `lint`, here the first one raises ValueError."""
        corpus = cls(folder)
        meanings: dict[str, Meaning] = {}
        seen: set[tuple[str, str]] = set()
        for language in ("en", "zh"):
            for file in sorted((folder / language).glob("*.txt")):
                if file.stem == "modifiers":
                    corpus.modifiers[language] = list(_modifiers(file))
                    continue
                for header, line in phrasings_of(file):
                    if header not in meanings:
                        meanings[header] = read_meaning(header)
                    if (header, same_words(line)) in seen:
                        continue
                    seen.add((header, same_words(line)))
                    corpus.phrasings.append(Phrasing(line, meanings[header], language, file.stem))
        return corpus

    @cached_property
    def train(self) -> list[Phrasing]:
        return [p for p in self.phrasings if not p.held_out]

    @cached_property
    def held_out(self) -> list[Phrasing]:
        return [p for p in self.phrasings if p.held_out]

    @cached_property
    def meanings(self) -> list[Meaning]:
        return list({p.meaning.text: p.meaning for p in self.phrasings}.values())

    @cached_property
    def _by_meaning(self) -> dict[str, dict[str, list[Phrasing]]]:
        found: dict[str, dict[str, list[Phrasing]]] = {"en": defaultdict(list), "zh": defaultdict(list)}
        for p in self.train:
            found[p.language][p.meaning.text].append(p)
        return found

    @cached_property
    def _weights(self) -> dict[str, tuple[list[str], list[float]]]:
        weights = {}
        for language, groups in self._by_meaning.items():
            names = list(groups)
            # Between uniform over meanings and uniform over phrasings: rare meanings are seen, rich ones are not starved. What is refused is no
            # meaning but everything else that people may say, so it counts by what is said.
            weights[language] = (names, [len(groups[n]) ** (REFUSED if groups[n][0].meaning.refuses else 0.6) for n in names])
        return weights

    def sample(self, rng: random.Random, *, chinese: float = 0.33, compose: float = 0.06) -> Sentence:
        """Return a random varied training sentence."""
        while True:
            language = "zh" if rng.random() < chinese else "en"
            names, weights = self._weights[language]
            phrasing = rng.choice(self._by_meaning[language][rng.choices(names, weights)[0]])
            sentence = self._compose(phrasing, rng) if rng.random() < compose else self.fill(phrasing, rng, varied=True)
            if sentence is not None:
                return sentence

    def fill(self, phrasing: Phrasing, rng: random.Random, *, varied: bool, test: bool = False) -> Sentence | None:
        """Return the phrasing with its slots filled, or None where a value does not end at a word."""
        text, calls = phrasing.text, phrasing.meaning.plan.calls
        if varied and not phrasing.meaning.refuses and rng.random() < 0.18:
            text, calls = self._modified(text, calls, phrasing.language, rng)
        if varied and phrasing.meaning.refuses and rng.random() < RENAMED:
            text = _renamed_files(text)
        if varied:
            text = vary(text, rng, phrasing.language)
            if rng.random() < PLACED:
                text = _placed(text, calls, phrasing.language, rng)
        request, places = _fill(text, Slots(self.folder, rng, phrasing.language, test=test), rng)
        return _sentence(request, places, calls, phrasing, rng)

    def _modified(self, text: str, calls: tuple[Call, ...], language: str, rng: random.Random) -> tuple[str, tuple[Call, ...]]:
        index = next((i for i, c in enumerate(calls) if c.action in MODIFIABLE), None)
        if index is None or (len(calls) > 1 and language == "en"):
            return text, calls
        call = calls[index]
        for _ in range(rng.choice([1, 1, 2])):
            argument, value, words = rng.choice(self.modifiers[language])
            clash = {"larger": ("smaller", "empty"), "smaller": ("larger", "empty"), "empty": ("larger", "smaller")}.get(argument, ())
            slot = SLOT.search(words)
            if argument in call.args or any(c in call.args for c in clash) or (slot and f"{{{slot[1]}}}" in text) or len(calls) > 1:
                continue
            if call.action == "file.count" and argument in ("sort", "limit"):
                continue
            if argument == "sort" and "limit" in call.args:
                continue
            text = text.rstrip("?.! ") + ("" if words[0] in ",，" else " ") + words
            call = Call(call.action, {**call.args, argument: True if value == "true" else value}, call.result)
        return text, (*calls[:index], call, *calls[index + 1 :])

    def _compose(self, first: Phrasing, rng: random.Random) -> Sentence | None:
        """Join two requests into one sentence: "… and then …"."""
        groups = self._by_meaning[first.language]
        second = rng.choice(groups[rng.choice(list(groups))])
        both = (first, second)
        if any(p.meaning.previous or p.meaning.refuses or len(p.meaning.plan.calls) > 1 for p in both):
            return None
        joint = rng.choice(
            [" and then ", ", then ", " and after that ", "; ", " and ", ", and ", " then ", ". then "]
            if first.language == "en"
            else ["，然后", "，再", "，接着", "，并且", "；"]
        )
        parts = []
        for index, p in enumerate(both):
            # Slots of the two halves must not share a name.
            parts.append(_with_index(vary(p.text, rng, p.language).rstrip("?.!。？！ "), index))
        text = joint.join(parts)
        request, places = _fill(text, Slots(self.folder, rng, first.language), rng)
        calls = tuple(Call(c.action, {k: _renamed(v, index) for k, v in c.args.items()}, None) for index, p in enumerate(both) for c in p.meaning.plan.calls)
        return _sentence(request, places, calls, first, rng)


def _placed(text: str, calls: tuple[Call, ...], language: str, rng: random.Random) -> str:
    """Return the phrasing with words for where one of its names lies; as it is where a folder is part of the plan, or the name of what is made."""
    named = _NAMES.search(text)
    if named is None or "{dir" in text or any(c.action in MAKES or f"{{{named[1]}}}" == c.args.get("to") for c in calls):
        return text
    return text.replace(named[0], rng.choice(_LIES[language]) % named[1], 1)


def _renamed_files(text: str) -> str:
    """Return a phrasing with slots for the files that it names, one of a kind."""

    def slot(match: re.Match[str]) -> str:
        kind = next(k for k, found in zip(_LITERALS, match.groups(), strict=True) if found)
        return match[0] if f"{{{kind}}}" in text else f"{{{kind}}}"

    done: set[str] = set()

    def once(match: re.Match[str]) -> str:
        new = slot(match)
        if new in done:
            return match[0]
        done.add(new)
        return new

    return _LITERAL.sub(once, text)


def _with_index(text: str, index: int) -> str:
    return SLOT.sub(lambda m: f"{{{m[1]}@{index}}}", text)


def _renamed(value: Value, index: int) -> Value:
    if isinstance(value, str):
        return _with_index(value, index)
    if isinstance(value, tuple):
        return tuple(_with_index(v, index) for v in value)
    return value


def phrasings_of(file: Path) -> Iterator[tuple[str, str]]:
    """Yield the meaning and the words of every phrasing in a corpus file. Raises ValueError where a phrasing comes before the first meaning."""
    header = None
    for number, raw in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("= "):
            header = line[2:].strip()
        elif header is None:
            raise ValueError(f"{file}:{number}: a phrasing before the first meaning")
        else:
            yield header, line


def _modifiers(file: Path) -> Iterator[tuple[str, str, str]]:
    for header, line in phrasings_of(file):
        argument, _, value = header.partition("=")
        yield argument, value.strip('"'), line


_FILL = re.compile(r"\{([\w@]+)\}")


def _fill(text: str, slots: Slots, rng: random.Random) -> tuple[str, dict[str, tuple[int, int]]]:
    """Return the request and, for each slot, where its text stands in it."""
    request, places, position = "", {}, 0
    for match in _FILL.finditer(text):
        request += text[position : match.start()]
        value = slots.fill(match[1].split("@")[0], request, text[match.end() :])
        # In Chinese many set a name off by blanks: "把 素材 移到 归档".
        apart = " " if slots.zh and rng.random() < 0.3 else ""
        if apart and request and not request[-1].isspace():
            request += apart
        places[match[1]] = (len(request), len(request) + len(value))
        request += value
        if apart and match.end() < len(text) and text[match.end()].isalnum():
            request += apart
        position = match.end()
    request += text[position:]
    if request and rng.random() < 0.2 and not any(start == 0 for start, _ in places.values()):
        request = request[0].upper() + request[1:]
    if request and rng.random() < 0.08 and request[-1].isalpha():
        request += rng.choice([".", "?", "!"])
    return request, places


def _sentence(request: str, places: dict[str, tuple[int, int]], calls: tuple[Call, ...], phrasing: Phrasing, rng: random.Random) -> Sentence | None:
    words = lex(request)
    spans = {}
    for slot, (start, end) in places.items():
        text = request[start:end]
        quoted = len(text) > 2 and (text[0], text[-1]) in {('"', '"'), ("'", "'"), ("`", "`"), ("“", "”"), ("「", "」")}
        first = next((i for i, w in enumerate(words) if w.start == start + quoted), None)
        last = next((i for i, w in enumerate(words) if w.end == end - quoted), None)
        if first is None or last is None:
            return None
        spans[slot] = (first, last)
    previous = phrasing.meaning.previous
    if previous is None and rng.random() < 0.12:
        previous = rng.choice(["file.find", "file.list", "process.list", "process.find"])
    return Sentence(request, words, calls, spans, previous, phrasing.meaning, phrasing.language, phrasing.text)


def plan_of(sentence: Sentence) -> Plan:
    """Return the plan of a sentence with its values as they stand in the request."""
    from nlsh.planner.lexer import span_text

    def text_of(value: str) -> str:
        match = _FILL.fullmatch(value)
        return span_text(sentence.request, sentence.words, *sentence.spans[match[1]]) if match else value

    def written(value: Value) -> Value:
        if isinstance(value, (Ref, bool)):
            return value
        return tuple(text_of(v) for v in value) if isinstance(value, tuple) else text_of(value)

    return Plan(tuple(Call(c.action, {k: written(v) for k, v in c.args.items()}, c.result) for c in sentence.calls))


def lint(folder: Path) -> list[str]:
    """Return every problem of the corpus: unknown meanings, wrong slots, the same words with two meanings, a line twice in one file."""
    problems = []
    known = {line.strip() for line in (folder / "GROUPS.txt").read_text().splitlines() if line.strip() and not line.startswith("#")}
    problems += [f"{header}: {words}" for header in sorted(known) for words in _unwritable(read_meaning(header))]
    seen: dict[str, tuple[str, Path]] = {}
    for language in ("en", "zh"):
        for file in sorted((folder / language).glob("*.txt")):
            if file.stem == "modifiers":
                continue
            for header, line in phrasings_of(file):
                if header not in known:
                    problems.append(f"{file.name}: unknown meaning: {header}")
                slots = SLOT.findall(line)
                # What is refused names things too, and no plan has them.
                if sorted(slots) != sorted(set(slots) if header.startswith("none(") else set(SLOT.findall(header))):
                    problems.append(f"{file.name}: slots of “{line}” are not those of {header}")
                key = _COURTESY.sub("", same_words(line))
                if key in seen and not header.startswith("@") and not seen[key][0].startswith("@") and seen[key][0] != header:
                    problems.append(f"{file.name}: “{line}” ({header}) also means {seen[key][0]} in {seen[key][1].name}")
                seen.setdefault(key, (header, file))
    return problems


def _unwritable(meaning: Meaning) -> Iterator[str]:
    """Yield what of a meaning the decoder has no word for: a value that is neither a slot, a result nor one that its argument names as common."""
    from nlsh.planner.vocabulary import catalogue

    actions = catalogue()
    for call in meaning.plan.calls:
        fixed = {slot.name: slot.fixed for slot in actions[call.action]}
        for argument, value in call.args.items():
            for item in value if isinstance(value, tuple) else (value,):
                if isinstance(item, str) and not SLOT.fullmatch(item) and item not in fixed[argument]:
                    yield f"“{item}” is not among the common values of {argument}"
