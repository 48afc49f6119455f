"""The planner: a request and its context in, a plan, a choice, a question or a refusal out. It changes nothing and grants nothing.

retrieve the nearest known meanings → prompt → beam search under the grammar, and one reading of each near meaning → check every reading against the
registry → how likely each is the right one → one plan, a choice among at most three, or a question. A wrong plan that changes something, offered as if
sure, is the worst outcome, so a reading that changes things needs more confidence than one that only looks.
"""

from __future__ import annotations

import json
import math
import os
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nlsh.plan.errors import NlshError, NotUnderstood
from nlsh.plan.frozen import frozen
from nlsh.plan.plan import STDIN, Plan
from nlsh.planner import grammar, prompt
from nlsh.planner.answer import REFUSALS, Answer, Context, Reading
from nlsh.planner.ground import as_a_name, existing, for_folders, ground, heard, located, places_left, sense, taken_twice
from nlsh.planner.leftover import Ordinary, excepted, left_over
from nlsh.planner.lexer import lex
from nlsh.planner.roles import Roles, astray
from nlsh.planner.simplified import simplified
from nlsh.planner.vocabulary import REFUSAL, Catalogue, aliases_for, cached_catalogue, decode, renamed, skeleton
from nlsh.shipped import models_dir

if TYPE_CHECKING:
    from nlsh.planner import by_example
    from nlsh.planner.engine import Embedded, Engine
    from nlsh.planner.learned import Example, Learned
    from nlsh.planner.retrieve import Known, Meanings, Own
    from nlsh.settings import Settings

MAX_REQUEST_CHARACTERS = 2_000
BEAMS, READINGS, CHOICES = 4, 5, 3  # beams are searched, sequences read, readings offered
CONTEXT_TOKENS = 1024
MOST_DROPPED = 0.5  # of what the decoder says counts for the rest where it cannot be: a model that is mostly wrong is not made sure
TWICE = 4.0  # taken off the log-probability for a word that a plan takes twice
MOST_HERE = 2  # more names that are here say no more
SKELETONS = 5  # of how many of the nearest meanings a reading is written, likely or not
MOST_EXAMPLES = 12  # of an action are read again for the states of their words, the newest: 8 ms each
LESS_SURE = 0.5
# What the follow-ups of the corpus come after.
FOLLOWED = ("file.find", "file.list", "process.list", "process.find")
TAUGHT = 0.99  # the confidence of what the user chose for the same words before
WORTH_SHOWING = 0.1  # of the best reading's confidence: less likely ones would only be noise among the choices


Found = TypeVar("Found", bound="tuple[Any, ...]")


@frozen()
class Read:
    """A plan as the decoder wrote it: its control tokens, and their log-probability."""

    tokens: list[str]
    log_probability: float


@frozen()
class Evidence:
    """What speaks for a reading: the log-probabilities of decoder and retrieval, names that are `here`; and against it: words left over (see `leftover`) or
    astray (see `roles`)."""

    decoder: float
    retrieval: float
    named: int = 0
    unknown: int = 0
    cut: int = 0
    astray: int = 0
    refuses: int = 0
    here: int = 0


@frozen(slots=False)
class Calibration:
    """How likely each reading of a request is the right one, and the confidences needed; fitted by `modelkit.evaluate`.

    A conditional logit (McFadden 1974): the readings compete with one another and with “none of them”, which scores 0; `bias` is what every reading has more.
    """

    bias: float = 0.0
    decoder: float = 1.0
    retrieval: float = 0.5
    named: float = 0.0
    unknown: float = 0.0
    cut: float = 0.0
    astray: float = 0.0
    refuses: float = 0.0
    here: float = 0.0
    sure: float = 0.6  # to offer one reading alone that only looks
    sure_change: float = 0.8  # …that changes something
    choose: float = 0.2  # to offer readings to choose from

    @classmethod
    def load(cls, file: Path) -> Calibration:
        try:
            return cls(**json.loads(file.read_text()))
        except FileNotFoundError:
            return cls()

    def score(self, e: Evidence) -> float:
        """Return the evidence as one number to compare readings by."""
        said = self.decoder * e.decoder + self.retrieval * e.retrieval + self.refuses * e.refuses + self.here * e.here
        return said + self.named * e.named + self.unknown * e.unknown + self.cut * e.cut + self.astray * e.astray

    def confidences(self, readings: Sequence[Evidence]) -> list[float]:
        """Return the probability of each of a request's readings that it is the right one."""
        odds = [math.exp(max(-60.0, min(60.0, self.bias + self.score(e)))) for e in readings]
        return [o / (1 + sum(odds)) for o in odds]


def checked_request(request: str) -> str:
    """Return the request, tidied. Raises NotUnderstood for what cannot be a request: empty, too long, binary."""
    text = unicodedata.normalize("NFC", request).strip()
    if not text:
        raise NotUnderstood(
            "The request is empty.", hint='Nothing was done. Say what you want, for example: nlsh -c "how full are my disks"', code="request.empty"
        )
    if len(text) > MAX_REQUEST_CHARACTERS:
        raise NotUnderstood(
            f"The request has {len(text)} characters; nlsh reads at most {MAX_REQUEST_CHARACTERS}.",
            hint="Nothing was done. Say it in one or two sentences.",
            code="request.long",
        )
    odd = sum(1 for c in text if (ord(c) < 32 and c not in "\t\n\r") or 0xDC80 <= ord(c) <= 0xDCFF or c == "\ufffd")
    if odd:
        raise NotUnderstood("The request contains bytes that are not text.", hint="Nothing was done. Type it as plain text.", code="request.binary")
    return text


class Planner:
    """Plans requests with the shipped models. Loading is lazy and takes some 100 ms; it raises ModelError."""

    quick = True  # whether it can plan while somebody is typing

    def __init__(self, settings: Settings, folder: Path | None = None, learned: Learned | None = None) -> None:
        """`learned`: what the user has taught it; without it, it knows what it was trained on."""
        self.settings = settings
        self.learned = learned
        self.stop: Callable[[], bool] | None = None  # says that what is being planned is not wanted any more: then Stopped is raised
        self.folder = folder or models_dir()  # with encoder/ and planner/ in it
        self._shown: dict[str, tuple[tuple[tuple[str, str], ...], Mapping[str, by_example.State]]] = {}

    @cached_property
    def actions(self) -> Catalogue:
        return cached_catalogue()

    @cached_property
    def encoder(self) -> Engine:
        from nlsh.planner.engine import Engine

        return Engine(Path(self.settings.encoder or self.folder / "encoder" / "encoder.gguf"), context=512, threads=self.settings.threads, embed=True)

    @cached_property
    def decoder(self) -> Engine:
        from nlsh.planner.engine import Engine

        path = Path(self.settings.planner or self.folder / "planner" / "planner.gguf")
        return Engine(path, context=CONTEXT_TOKENS, threads=self.settings.threads, sequences=2 * BEAMS + 1 + SKELETONS)

    @cached_property
    def meanings(self) -> Meanings:
        from nlsh.planner.retrieve import Meanings

        return Meanings(self.folder / "planner" / "meanings.bin")

    @cached_property
    def calibration(self) -> Calibration:
        return Calibration.load(self.folder / "planner" / "calibration.json")

    @cached_property
    def ordinary(self) -> Ordinary:
        return Ordinary(self.folder / "planner" / "ordinary.txt")

    @cached_property
    def roles(self) -> Roles:
        return Roles(self.folder / "planner" / "roles.bin")

    @cached_property
    def control(self) -> dict[str, int]:
        """The control tokens this decoder knows, by their text. Raises ModelError where it is not a decoder of plans."""
        from nlsh.plan.errors import ModelError

        engine = self.decoder
        found: dict[str, int] = {}
        for token in range(engine.size):
            text = engine.token_text(token)
            if not (text.startswith("<") and text.endswith(">") and len(text) > 2):
                break  # control tokens come first
            found[text] = token
        if "<plan>" not in found:
            raise ModelError(
                f"{engine.path} was not trained to write plans.", hint="Nothing was changed. Use the shipped model, or train one: python -m nlsh.modelkit build"
            )
        return found

    @cached_property
    def known_actions(self) -> Catalogue:
        """The registry's actions that this decoder has tokens for, with the arguments and values it has tokens for."""
        kept = {}
        for name, slots in self.actions.items():
            if f"<{name}>" in self.control:
                kept[name] = tuple(s.only(tuple(v for v in s.fixed if f"<={v}>" in self.control)) for s in slots if f"<{s.name}=>" in self.control)
        return kept

    def warm(self) -> None:
        """Load everything a plan needs."""
        _ = self.encoder, self.decoder, self.meanings, self.calibration, self.known_actions

    def close(self) -> None:
        """Free the models; they load again when something is planned."""
        for name in ("encoder", "decoder"):
            # Nothing else does: what llama.cpp has made is not Python's to collect.
            if (engine := self.__dict__.pop(name, None)) is not None:
                engine.close()

    def plan(self, request: str, context: Context) -> Answer:
        """Return what `request` means in `context`. Raises NotUnderstood for what is no request, ModelError where a model cannot run."""
        return self.explain(request, context)[0]

    def explain(self, request: str, context: Context) -> tuple[Answer, list[Plan], list[Evidence]]:
        """Return the answer with every valid plan, refusals included, best first, and each one's evidence."""
        text = checked_request(request)
        follows = bool(context.last_action and context.last_records)
        read = self.encoder.read(simplified(text))
        examples = self._examples()
        known = self.meanings.nearest(read.vector, follow_up=follows, also=self._own(examples))
        inside = self.roles.inside(text, self._pieces(read), read.states)
        written = self._as_in_examples(self._found(text, known, _followed(context) if follows else None), text, read, examples)
        found = self._merged(written, text, context, inside)
        near = tuple(f"near: {k.text} ({k.probability:.0%})" for k in known[:4])
        if (taught := self._taught(text, examples, self._readings(found))) is not None:
            return self._answer(taught, near), [p for p, _ in found], [e for _, e in found]
        return self.answer(found, near), [p for p, _ in found], [e for _, e in found]

    def _pieces(self, read: Embedded) -> list[str]:
        return [self.encoder.token_text(t) for t in read.tokens]

    def _as_in_examples(
        self, found: list[tuple[Plan, float, float]], text: str, read: Embedded, examples: Sequence[Example]
    ) -> list[tuple[Plan, float, float]]:
        """Return the plans with the values of actions that came after training where the examples of those have them, and a reading more of each."""
        if all(self._is_known(c.action) for plan, _, _ in found for c in plan.calls):
            return found
        from nlsh.planner import by_example

        seen = by_example.seen_by(text, self._pieces(read), read.states)
        placed = []
        for plan, decoder, retrieval in found:
            turned, tagged = [], []
            for call in plan.calls:
                known = {} if self._is_known(call.action) else self._prototypes(call.action, examples)
                turned.append(by_example.turned(call, seen, known))
                tagged.append(by_example.tagged(call, seen, known) or turned[-1])
            first, second = (Plan(tuple(calls), plan.schedule) for calls in (turned, tagged))
            first = first if self._binds(first) else plan
            placed.append((first, decoder, retrieval))
            if second not in (first, plan) and self._binds(second):
                placed.append((second, decoder - LESS_SURE, retrieval))
        return placed

    def _binds(self, plan: Plan) -> bool:
        try:
            self._check(plan)
        except NlshError:
            return False
        return True

    def _is_known(self, action: str) -> bool:
        """Whether the decoder knows the arguments of an action, and not only what they are called."""
        return f"<{action}>" in self.control

    def _prototypes(self, action: str, examples: Sequence[Example]) -> Mapping[str, by_example.State]:
        """Return what the words of each argument of an action look like in its examples."""
        from nlsh.planner import by_example

        of = [e for e in examples if action in e.actions][-MOST_EXAMPLES:]
        key = tuple((e.request, e.plan) for e in of)
        if self._shown.get(action, (None, {}))[0] != key:
            calls = []
            for example in of:
                with suppress(NlshError):
                    read = self.encoder.read(simplified(example.request))
                    seen = by_example.seen_by(example.request, self._pieces(read), read.states)
                    calls += [(call, seen) for call in self._plan_of(example).calls if call.action == action]
            self._shown[action] = key, by_example.prototypes(calls)
        return self._shown[action][1]

    @staticmethod
    def _plan_of(example: Example) -> Plan:
        from nlsh.plan import registry

        return registry.parse(example.plan)

    def answer(self, found: Sequence[tuple[Plan, Evidence]], trace: tuple[str, ...]) -> Answer:
        """Return what is answered where these readings were found, best first."""
        return self._answer(self._readings(found), trace)

    def _readings(self, found: Sequence[tuple[Plan, Evidence]]) -> list[Reading]:
        confidences = self.calibration.confidences([e for _, e in found])
        return [Reading(plan, confidence, _why(e)) for (plan, e), confidence in zip(found, confidences, strict=True)]

    def ordered(self, found: Iterable[Found]) -> list[Found]:
        """Return readings, each a plan, its evidence and whatever else, best first.

        The best of another shape comes second and the best one's nearest variation third: three to choose from are to differ.
        """
        ranked = sorted(found, key=lambda f: -self.calibration.score(f[1]))
        if not ranked:
            return []
        first, *rest = ranked
        of_its_shape = [self._shape(f[0]) == self._shape(first[0]) for f in rest]
        # A refusal is nothing to choose.
        may_be = [same or first[0].calls[0].action == REFUSAL or f[0].calls[0].action != REFUSAL for f, same in zip(rest, of_its_shape, strict=True)]
        ways = list(zip(rest, of_its_shape, may_be, strict=True))
        other, variation = (next((f for f, same, may in ways if same is wanted and may), None) for wanted in (False, True))
        chosen = [f for f in (other, variation) if f is not None]
        return [first, *chosen, *(f for f in rest if all(f is not c for c in chosen))]

    def _shape(self, plan: Plan) -> tuple[str, ...]:
        """Return a plan without what it copies from the request."""
        return (*skeleton(plan.calls, self.actions), *(str(c.args.get("reason")) for c in plan.calls if c.action == REFUSAL))

    def _merged(self, found: list[tuple[Plan, float, float]], text: str, context: Context, inside: Sequence[float | None]) -> list[tuple[Plan, Evidence]]:
        """Ground the plans; those that mean the same here are one, as likely as all of them together. Weigh what each leaves over. Best first."""
        by_sense: dict[object, tuple[Plan, float, float]] = {}
        here = {"cwd": context.cwd, "home": context.home}
        every = [(ground(plan, text, **here), decoder, retrieval) for plan, decoder, retrieval in found]
        for other in (as_a_name, for_folders):  # what is meant may be both: the name of a folder, and what is done to folders
            every += [(p, d, r) for plan, d, r in every if (p := other(plan, **here)) is not None]
        for grounded, decoder, retrieval in every:
            decoder -= TWICE * taken_twice(grounded, text, self.actions)
            key = sense(grounded, **here)
            if key in by_sense:
                first, log_p, near = by_sense[key]
                by_sense[key] = (first, min(0.0, math.log(math.exp(log_p) + math.exp(decoder))), near)
            else:
                by_sense[key] = (grounded, decoder, retrieval)
        # What was copied is weighed as it was copied, and then means what is said around it.
        weighed = []
        for plan, decoder, retrieval in by_sense.values():
            means = located(heard(plan, text), text, **here)
            weighed.append((means, self._evidence(plan, means, text, decoder, retrieval, context, inside)))
        meant: dict[object, tuple[Plan, Evidence]] = {}
        for plan, evidence in sorted(weighed, key=lambda f: -self.calibration.score(f[1])):
            meant.setdefault(sense(plan, **here), (plan, evidence))
        return self.ordered(meant.values())

    def _evidence(self, plan: Plan, means: Plan, text: str, decoder: float, retrieval: float, context: Context, inside: Sequence[float | None]) -> Evidence:
        """Return what speaks for a plan as it was copied; a folder that it `means` because it was said is not left over."""
        wrong = astray(plan, text, inside, self.actions)
        if plan.calls[0].action == REFUSAL:
            return Evidence(decoder, retrieval, astray=wrong, refuses=1)
        named, unknown, cut = left_over(text, plan, self.ordinary)
        named += excepted(text, plan)
        at = {"cwd": context.cwd, "home": context.home}
        # A reading whose paths are here is likelier than the models, which see no files, can know.
        here = max(-MOST_HERE, min(MOST_HERE, existing(means, text, **at)))
        return Evidence(decoder, retrieval, named + places_left(means, text, **at), unknown, cut, wrong, here=here)

    @cached_property
    def encoder_id(self) -> str:
        """What names the encoder: vectors of two encoders cannot be compared."""
        status = os.stat(self.encoder.path)
        return f"{status.st_size}-{status.st_mtime_ns}"

    def _examples(self) -> list[Example]:
        return [] if self.learned is None else self.learned.made_by(self.encoder_id, self._embed)

    def _embed(self, text: str) -> list[float]:
        return self.encoder.embed(simplified(text))

    def _own(self, examples: Sequence[Example]) -> list[Own]:
        from nlsh.planner.retrieve import Own

        return [Own(f"you: {e.request}", e.skeleton, e.actions, e.vector) for e in examples]

    def _taught(self, text: str, examples: Sequence[Example], readings: list[Reading]) -> list[Reading] | None:
        """Return the readings with the one first that the user chose for these very words, or None where there is none that still fits."""
        from nlsh.plan import registry
        from nlsh.planner.learned import same

        for example in reversed(examples):
            if same(example.request) == same(text):
                try:
                    plan = registry.parse(example.plan)
                    self._check(plan)
                except NlshError:
                    return None
                return [Reading(plan, TAUGHT, "you have said so before"), *(r for r in readings if r.plan != plan)]
        return None

    def learn(self, request: str, plan: Plan) -> None:
        """Remember that `request` means `plan`. Raises NlshError where it cannot be kept; does nothing without a place for it."""
        from nlsh.plan import registry
        from nlsh.planner.learned import worth_learning

        if self.learned is None or not worth_learning(plan):
            return
        text = checked_request(request)
        words = skeleton(plan.calls, self.actions)
        self.learned.add(text, registry.format(plan), self.encoder_id, self._embed(text), words, [c.action for c in plan.calls])

    def _answer(self, readings: list[Reading], trace: tuple[str, ...]) -> Answer:
        if not readings:
            return Answer("question", (), REFUSALS["unclear"], trace)
        first = readings[0].plan.calls[0]
        readings = [r for r in readings if r.plan.calls[0].action != REFUSAL]
        if first.action == REFUSAL:
            reason = str(first.args.get("reason", "unclear"))
            return Answer("question" if reason == "unclear" else "refusal", (), REFUSALS.get(reason, REFUSALS["unclear"]), trace)
        best = readings[0]
        readings = [r for r in readings if r.confidence >= best.confidence * WORTH_SHOWING][:CHOICES]
        needed = self.settings.sure or (self.calibration.sure_change if self._changes(best.plan) else self.calibration.sure)
        if best.confidence >= needed:
            return Answer("plan", tuple(readings), best.why, trace)
        if best.confidence >= self.calibration.choose:
            return Answer("choose", tuple(readings), "Which of these do you mean?" if len(readings) > 1 else "Is this what you mean?", trace)
        return Answer("question", tuple(readings), "nlsh is not sure what you mean. Nothing was run. Say it in other words.", trace)

    def decode(self, text: str, known: Sequence[Known], previous: str | None) -> list[Read]:
        """Return the most probable plans for `text` as the decoder writes them."""
        from nlsh.planner.engine import beam_search

        words = lex(text)
        control = self.control
        # An action that came after training goes by an alias: the decoder copies it from where it is offered.
        names = aliases_for((k.skeleton for k in known[: prompt.CANDIDATES]), control)
        offered = [[names.get(t, t) for t in k.skeleton] for k in known]
        candidates = [tokens for tokens in offered if all(t in control for t in tokens)]
        if previous is not None and f"<{previous}>" not in control:
            previous = None
        really = {alias: token for token, alias in names.items()}
        ids = prompt.build(words, candidates, previous, control.__getitem__, self.decoder.tokenize, really)
        actions = {**self.known_actions, **renamed(self.actions, names, control)} if names else self.known_actions
        rules = grammar.Grammar(actions, len(words), last=previous is not None, control=control, end=control["<eos>"])
        skeletons = [[control[t] for t in tokens] for tokens in candidates[:SKELETONS]]
        found = beam_search(self.decoder, ids, rules, control["<eos>"], width=BEAMS, best=READINGS, skeletons=skeletons, stop=self.stop)
        return [Read([really.get(t, t) for t in map(self.token, w.tokens)], w.log_probability) for w in found]

    def _found(self, text: str, known: Sequence[Known], previous: str | None) -> list[tuple[Plan, float, float]]:
        """Return the valid plans with their log-probabilities. What does not bind is dropped, and the rest is likelier for it: the next best is the repair."""
        words = lex(text)
        found: list[tuple[Plan, float, float]] = []
        dropped = 0.0
        for written in self.decode(text, known, previous):
            try:
                plan = decode(written.tokens, self.actions, text, words)
                self._check(plan)
            except NlshError:
                dropped += math.exp(written.log_probability)
                continue
            found.append((plan, written.log_probability, retrieval_log_probability(plan, known)))
        gained = -math.log(max(MOST_DROPPED, 1.0 - dropped))
        return [(plan, min(0.0, log_p + gained), near) for plan, log_p, near in found]

    def token(self, token: int) -> str:
        return self.decoder.token_text(token)

    @staticmethod
    def _check(plan: Plan) -> None:
        """Bind every call whose arguments are all written. Raises BadPlan."""
        from nlsh.plan.plan import Ref
        from nlsh.plan.registry import get

        for call in plan.calls:
            if call.action != REFUSAL and not any(isinstance(v, Ref) for v in call.args.values()):
                get(call.action).Args.bind(call.action, call.args)

    @staticmethod
    def _changes(plan: Plan) -> bool:
        from nlsh.plan.registry import get

        return any(not get(c.action).reads_only() for c in plan.calls)


def _why(e: Evidence) -> str:
    text = f"the model is {math.exp(e.decoder):.0%} sure of its words, retrieval {math.exp(e.retrieval):.0%}"
    left = e.named + e.unknown
    return f"{text}, {left} word{'' if left == 1 else 's'} left over" if left else text


def _followed(context: Context) -> str | None:
    """Return the action that a follow-up comes after, as the decoder has seen it: what matters is whether files or processes were found."""
    if context.last_action == STDIN:
        return "file.read"
    if context.last_action in FOLLOWED:
        return context.last_action
    for record in context.last_records:
        if getattr(record, "pid", None):
            return "process.list"
        if getattr(record, "path", ""):
            return "file.find"
    return context.last_action


def retrieval_log_probability(plan: Plan, known: Sequence[Known]) -> float:
    """Return the log of how likely retrieval finds the plan's first action, at least one in a thousand."""
    first = plan.calls[0].action
    last = plan.calls[-1].action
    share = sum(k.probability for k in known if k.actions and (k.actions[-1] == last or (k.actions[0] == first and len(plan.calls) > len(k.actions))))
    return math.log(max(share, 1e-3))
