"""Score the shipped models as they run: GGUF, grammar, retrieval, n-best, on phrasings they never saw. Fit the calibration; write the tables.

Two plans are the same if every call is the same action and every argument means the same: "the downloads folder" and "downloads", "2 gigs" and "2GB".
"""

from __future__ import annotations

import json
import os
import random
import re
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, astuple, dataclass, replace
from pathlib import Path
from typing import Any

from nlsh.modelkit.corpus import Corpus, plan_of
from nlsh.plan.errors import NlshError
from nlsh.plan.plan import Call, Plan, Ref
from nlsh.plan.records import File, Process
from nlsh.plan.registry import get, names, positional
from nlsh.plan.syntax import parse_plan
from nlsh.plan.values import Path as PathType
from nlsh.plan.values import Paths
from nlsh.planner.answer import Answer, Context
from nlsh.planner.ground import must_exist
from nlsh.planner.lexer import lex
from nlsh.planner.planner import Calibration, Evidence, Planner
from nlsh.planner.vocabulary import REFUSAL
from nlsh.world.places import bare_names, well_known


@dataclass(frozen=True)
class Case:
    """A request, the plan it means, and where it comes from. `also`: other plans that are just as right."""

    request: str
    plan: Plan
    language: str
    source: str
    previous: str | None = None
    also: tuple[Plan, ...] = ()


def meaning_of(plan: Plan) -> Any:
    """Return a comparable form of what a plan means. Raises BadPlan."""
    names: dict[str, int] = {}
    calls = []
    for number, call in enumerate(plan.calls):
        if call.result:
            names[call.result] = number
        calls.append((call.action, tuple(sorted((k, _meant(call, k, v, names)) for k, v in call.args.items()))))
    return tuple(calls)


def _meant(call: Call, key: str, value: Any, names: dict[str, int]) -> str:
    if isinstance(value, Ref):
        return f"ref {names.get(value.name, -1)}"
    if call.action == REFUSAL:
        return str(value)
    kind = get(call.action).Args.fields[key].type
    if isinstance(kind, (Paths, PathType)):
        return repr(sorted(map(_place, value if isinstance(value, tuple) else (value,))))
    try:
        return repr(kind.parse(value)).lower()
    except (ValueError, TypeError):
        return repr(value).lower()


def _place(written: str) -> str:
    """Return what a path means where nothing exists: a place that has a name by that (“my home folder” is “~”), anything else by its bare name."""
    name = written.lower().rstrip("/") or "/"
    return (well_known(name, "~", ".") or bare_names(name)[-1].strip("\"'“”「」`")).lower()


def held_out(corpus: Corpus, seed: int = 11) -> list[Case]:
    """Return each held-out phrasing once, its slots filled with names kept for tests."""
    rng = random.Random(seed)
    cases = []
    for p in corpus.held_out:
        s = corpus.fill(p, rng, varied=False, test=True)
        if s is not None:
            cases.append(Case(s.request, plan_of(s), p.language, p.style, p.meaning.previous))
    return cases


def strangers(folder: Path) -> list[Case]:
    """Return the strangers' requests: written by people who do not know the catalogue, never trained on."""
    cases = []
    for file in sorted(folder.glob("*.txt")):
        for line in file.read_text(encoding="utf-8").splitlines():
            request, tab, text = line.partition("\t")
            if not tab:
                continue
            plan, *also = (_written(t) for t in text.split(" | "))
            chinese = sum("\u4e00" <= c <= "\u9fff" for c in request) > 1
            cases.append(Case(request, plan, "zh" if chinese else "en", file.stem, also=tuple(also)))
    return cases


def _written(text: str) -> Plan:
    return parse_plan(text.strip().replace("none(", f"{REFUSAL}(").replace("; ", "\n"), lambda a: "reason" if a == REFUSAL else positional(a))


@dataclass
class Outcome:
    """How one case went. `found`: every reading, best first, its evidence, and whether it is right; `rank` is the place of the right one, or None."""

    case: Case
    found: list[tuple[Plan, Evidence, bool]]
    answer: Answer
    milliseconds: float

    @property
    def rank(self) -> int | None:
        return next((i for i, (_, _, right) in enumerate(self.found) if right), None)

    @property
    def best(self) -> Plan | None:
        return self.found[0][0] if self.found else None

    @property
    def evidence(self) -> Evidence:
        return self.found[0][1] if self.found else Evidence(-20.0, -7.0)

    @property
    def action_right(self) -> bool:
        plans = (self.case.plan, *self.case.also)
        return self.best is not None and any(self.best.calls[0].action == p.calls[0].action and len(self.best.calls) == len(p.calls) for p in plans)


@contextmanager
def furnished(case: Case, others: Iterable[Case]) -> Iterator[str]:
    """Make a home folder with the files that a case is about, as somebody has them who asks for it, and some of other cases. Yield its path."""
    with tempfile.TemporaryDirectory(prefix="nlsh-eval-") as home:
        for folder in _HOME_FOLDERS:
            os.mkdir(os.path.join(home, folder))
        for one in (case, *others):
            for call in one.plan.calls:
                for argument, value in call.args.items():
                    if call.action in names() and isinstance(get(call.action).Args.fields[argument].type, Paths) and must_exist(call.action, argument):
                        for written in value if isinstance(value, tuple) else (value,):
                            if isinstance(written, str):
                                _make(written, home)
        yield home


_HOME_FOLDERS = ("Desktop", "Documents", "Downloads", "Music", "Pictures", "Videos")
_ENDING = re.compile(r"\.\w{1,8}$")


def _make(written: str, home: str) -> None:
    """Make the file or folder that is called so in a home folder; nothing where it lies elsewhere."""
    if any(c in written for c in "*?[") or well_known(written, home, home):
        return
    name = bare_names(written)[-1].strip("\"'“”「」`")
    path = os.path.normpath(os.path.join(home, name.removeprefix("~/")))
    if os.path.isabs(name) or not path.startswith(home + "/") or os.path.lexists(path):
        return
    with suppress(OSError):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if _ENDING.search(path):
            open(path, "x").close()
        else:
            os.mkdir(path)


def run(planner: Planner, cases: Sequence[Case], *, files: bool = False) -> list[Outcome]:
    """Plan every case; with `files`, in a home folder that has the files it is about and those of ten others."""
    outcomes = []
    rng = random.Random(5)
    for case in cases:
        records = (File("x"),) if (case.previous or "").startswith("file") else (Process(1, "x"),)
        with furnished(case, rng.sample(cases, min(10, len(cases)))) if files else nullcontext("/home/u") as home:
            outcomes.append(_outcome(planner, case, Context(home, home, case.previous, records if case.previous else ())))
    return outcomes


def _outcome(planner: Planner, case: Case, context: Context) -> Outcome:
    began = time.perf_counter()
    try:
        answer, plans, evidence = planner.explain(case.request, context)
    except NlshError as error:
        answer, plans, evidence = Answer("question", (), error.message), [], []
    spent = (time.perf_counter() - began) * 1e3
    wanted = [meaning_of(p) for p in (case.plan, *case.also)]
    return Outcome(case, [(p, e, _safe(p) in wanted) for p, e in zip(plans, evidence, strict=True)], answer, spent)


def weighed_again(planner: Planner, outcomes: list[Outcome]) -> list[Outcome]:
    """Return the outcomes as they are with the planner's calibration of now: the models have said what they say."""
    again = []
    for o in outcomes:
        found = planner.ordered(o.found)
        again.append(replace(o, found=found, answer=planner.answer([(p, e) for p, e, _ in found], ())))
    return again


def _safe(plan: Plan) -> Any:
    try:
        return meaning_of(plan)
    except NlshError:
        return None


def table(outcomes: list[Outcome], title: str) -> str:
    """Return scores as Markdown: exact, right among three, action, and how it was offered."""
    lines = [
        f"### {title} ({len(outcomes)} requests)",
        "",
        "| part | n | exact plan | among three | action | asked instead | wrong change offered as sure |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    parts: dict[str, list[Outcome]] = {"all": outcomes}
    for o in outcomes:
        parts.setdefault(f"language {o.case.language}", []).append(o)
        parts.setdefault("negatives" if o.case.plan.calls[0].action == REFUSAL else "plans", []).append(o)
    for o in sorted(outcomes, key=lambda o: o.case.source):
        parts.setdefault(f"author {o.case.source}", []).append(o)
    for o in sorted(outcomes, key=lambda o: len(lex(o.case.request))):
        parts.setdefault(f"length {_length(len(lex(o.case.request)))}", []).append(o)
    for name, part in parts.items():
        shares = (
            sum(o.rank == 0 for o in part),
            sum(o.rank is not None and o.rank < 3 for o in part),
            sum(o.action_right for o in part),
            sum(o.answer.kind in ("choose", "question") for o in part),
            sum(map(harmful, part)),
        )
        lines.append(f"| {name} | {len(part)} | " + " | ".join(f"{s / len(part):.1%}" for s in shares) + " |")
    times = sorted(o.milliseconds for o in outcomes)
    middle, late = times[len(times) // 2], times[int(len(times) * 0.95)]
    lines += ["", f"Time from request to plan: median {middle:.0f} ms, 95th percentile {late:.0f} ms (this machine, one thread)."]
    if refused := parts.get("negatives"):
        stopped = sum(o.answer.kind != "plan" for o in refused) / len(refused)
        lines.append(f"Negatives refused or questioned: {stopped:.1%}.")
    return "\n".join(lines)


def _length(words: int) -> str:
    return next((f"up to {most} words" for most in (5, 10, 15) if words <= most), "more than 15 words")


def harmful(o: Outcome) -> bool:
    """Whether a wrong plan that changes something was offered alone, as if sure."""
    return o.answer.kind == "plan" and o.rank != 0 and o.best is not None and o.best.calls[0].action != REFUSAL and Planner._changes(o.best)


def by_action(outcomes: list[Outcome]) -> str:
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for o in outcomes:
        groups[o.case.plan.calls[-1].action].append(o)
    rows = sorted((sum(o.rank == 0 for o in g) / len(g), a, len(g)) for a, g in groups.items())
    return "| action | n | exact |\n| --- | --- | --- |\n" + "\n".join(f"| {a} | {n} | {share:.0%} |" for share, a, n in rows)


def worst(outcomes: list[Outcome], most: int = 50) -> str:
    from nlsh.plan.syntax import format_plan

    wrong = sorted((o for o in outcomes if o.rank != 0), key=lambda o: -(o.answer.readings[0].confidence if o.answer.readings else 0))

    def line(plan: Plan | None) -> str:
        return "; ".join(format_plan(plan).splitlines()) if plan else "(nothing)"

    return "\n".join(f"- `{o.case.request}` → `{line(o.best)}`, meant `{line(o.case.plan)}`" for o in wrong[:most])


RIDGE = 0.1
MOST_WRONG_CHANGES, MOST_WRONG_LOOKS = 0.0105, 0.04  # shares of requests that may be answered with one wrong plan as if it were sure


def calibrate(outcomes: list[Outcome], strangers: list[Outcome]) -> Calibration:
    """Fit the weights of evidence by Newton's method on both (a conditional logit), and set the thresholds by what `strangers` would have been offered."""
    import numpy as np

    cases = [o for o in (*outcomes, *strangers) if o.found]
    most = max(len(o.found) for o in cases)
    size = len(astuple(cases[0].evidence)) + 1
    # What a reading has, and the bias; “none of them” stands behind the readings, with nothing. [cases, readings + 1, evidence + 1]
    has = np.zeros((len(cases), most + 1, size))
    there, right = np.zeros((len(cases), most + 1), bool), np.zeros((len(cases), most + 1), bool)
    for n, o in enumerate(cases):
        for i, (_, evidence, ok) in enumerate(o.found):
            has[n, i] = (1.0, *astuple(evidence))
            there[n, i], right[n, i] = True, ok
        there[n, most] = True
        right[n, most] = o.rank is None
    weights = np.array([3.0, 1.0, 0.5, *([-0.5] * (size - 5)), 1.0, 0.5])

    def shares(of: Any, among: Any) -> tuple[Any, Any]:
        """Return the probability of each reading among these, and the log of what they all weigh."""
        scores = np.where(among, has @ of, -np.inf)
        top = scores.max(1, keepdims=True)
        odds = np.exp(scores - top)
        return odds / odds.sum(1, keepdims=True), (top[:, 0] + np.log(odds.sum(1)))

    def likelihood(of: Any) -> float:
        # A little ridge: what hardly ever occurs in the fit gets no wild weight.
        return float((shares(of, right)[1] - shares(of, there)[1]).sum() - RIDGE / 2 * of @ of)

    for _ in range(50):
        (wanted, _), (given, _) = shares(weights, right), shares(weights, there)
        gradient = np.einsum("ni,nik->k", wanted - given, has) - RIDGE * weights
        mean = np.einsum("ni,nik->nk", given, has)
        # That of what is given alone: the likelihood is not concave where several readings are right, and this always leads upwards.
        hessian = np.einsum("ni,nik,nil->kl", given, has, has) - mean.T @ mean + RIDGE * np.eye(size)
        step = np.linalg.solve(hessian, gradient)
        while likelihood(weights + step) < likelihood(weights) and np.abs(step).max() >= 1e-6:
            step /= 2
        weights += step
        if np.abs(step).max() < 1e-6:
            break
    fitted = Calibration(*map(float, weights))
    change, look = (_threshold(fitted, strangers, changes, most) for changes, most in ((True, MOST_WRONG_CHANGES), (False, MOST_WRONG_LOOKS)))
    return replace(fitted, sure=min(look, change), sure_change=change, choose=0.15)


def confidence(o: Outcome, fitted: Calibration) -> float:
    """Return how sure the best reading of a request is; 0 where it has none."""
    return fitted.confidences([e for _, e, _ in o.found])[0] if o.found else 0.0


def _threshold(fitted: Calibration, outcomes: list[Outcome], changes: bool, most: float) -> float:
    """Return the lowest confidence from which on at most the share `most` of all requests is a wrong plan that does (not) change something."""
    kind = [o for o in outcomes if o.best is not None and o.best.calls[0].action != REFUSAL and Planner._changes(o.best) == changes]
    wrong = sorted((confidence(o, fitted) for o in kind if o.rank != 0), reverse=True)
    allowed = int(most * len(outcomes))
    return round(min(0.995, wrong[allowed] + 0.001), 3) if len(wrong) > allowed else 0.5


def calibration_error(outcomes: list[Outcome], fitted: Calibration, bins: int = 10) -> float:
    """Return the expected calibration error of the best reading's confidence."""
    groups: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for o in outcomes:
        c = confidence(o, fitted)
        groups[min(bins - 1, int(c * bins))].append((c, o.rank == 0))
    return sum(abs(sum(c for c, _ in g) - sum(ok for _, ok in g)) for g in groups.values()) / max(1, len(outcomes))


def save_calibration(fitted: Calibration, file: Path) -> None:
    file.write_text(json.dumps({k: round(v, 4) for k, v in asdict(fitted).items()}) + "\n")


def kinds(outcomes: list[Outcome]) -> str:
    return ", ".join(f"{k} {n}" for k, n in Counter(o.answer.kind for o in outcomes).most_common())
