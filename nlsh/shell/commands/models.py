"""`nlsh model`: which models there are, which one plans, and what can be done with them.

The one file it changes by itself is the user's config.toml, as `model use` says. What is fetched gets to its place by a plan
(`network.download`): previewed, decided, asked and undoable like every other.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlsh import settings
from nlsh.plan.errors import ModelError, NlshError, NotPossible
from nlsh.plan.plan import Call, Plan
from nlsh.shell.options import Options, UsageError
from nlsh.shell.show import Look, escape, show_table, size
from nlsh.shell.turn import Session, one_line

if TYPE_CHECKING:
    from nlsh.modelkit.evaluate import Case, Outcome
    from nlsh.planner.metadata import Metadata

_MOST_CASES = {True: 100, False: 12}  # for a look at accuracy: of a model that points, of one that writes text, which takes seconds a case
_SEED = 3


def run(options: Options) -> int:
    """Do what `nlsh model …` says. Raises UsageError for words it does not know."""
    if not options.words:
        return _facts(options)
    verb, *words = options.words
    if verb not in _VERBS:
        import difflib

        close = difflib.get_close_matches(verb, _VERBS, 1)
        raise UsageError(
            f"nlsh model does not know “{verb}”.", hint=f"Did you mean nlsh model {close[0]}?" if close else f"There is: {', '.join(_VERBS)}, learned."
        )
    return _VERBS[verb](options, words)


def _look(options: Options) -> Look:
    return Look.of(json=options.json, plain=options.plain, color=options.color or settings.load_settings().color)


def show(options: Options, data: dict[str, Any], said: dict[str, str] | None = None) -> None:
    """Write facts, a line each; as JSON, one object. `said`: how a value is written for people."""
    said = said or {}
    rows = []
    for key, value in data.items():
        text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
        rows.append((key.removesuffix("_bytes").replace("_", " "), said.get(key, text)))
    show_table(("what", "value"), rows, _look(options), data=[data])


def usage(form: str) -> UsageError:
    return UsageError("That is not how it is said.", hint=f"nlsh model {form}")


def in_use(options: Options) -> Path:
    from nlsh.planner.models import resolve, shipped

    asked = options.model or settings.load_settings().planner
    return resolve(asked) if asked else shipped()


# --- what there is ---------------------------------------------------------------------------------------------------


def _facts(options: Options) -> int:
    from nlsh.shell.commands.doctor import model_facts

    facts = model_facts(options)
    show_table(("model", "path", "what"), [(f["model"], f["path"], f["what"]) for f in facts], _look(options), data=facts)
    return 0 if all(f["found"] for f in facts) else 1


def _list(options: Options, words: list[str]) -> int:
    from nlsh.planner import metadata
    from nlsh.planner.models import SHIPPED, own, shipped

    if words:
        raise usage("list")
    asked = options.model or settings.load_settings().planner
    places = {SHIPPED: shipped(), **own()}
    try:
        used = in_use(options)
    except ModelError:
        used = Path(asked)  # it is listed, with what is wrong with it
    if used not in places.values():
        places[used.stem] = used
    data: list[dict[str, Any]] = []
    for name, path in places.items():
        try:
            found = metadata.read(path)
            what = f"{found.architecture}, {_amount(found.parameters)} parameters, {found.quantization}"
            what += "" if found.points else ", writes plans as text" if found.chat_template else ", cannot plan: no chat template"
            amount = found.size_bytes
        except ModelError as error:
            what, amount = error.message, 0
        data.append({"name": name, "in_use": path == used, "path": str(path), "size_bytes": amount, "what": what})
    rows = [("*" if d["in_use"] else "", d["name"], size(d["size_bytes"]) if d["size_bytes"] else "", d["what"], d["path"]) for d in data]
    show_table(("", "model", "size", "what", "path"), rows, _look(options), data=data)
    return 0


def _info(options: Options, words: list[str]) -> int:
    from nlsh.planner import metadata
    from nlsh.planner.models import resolve

    if len(words) > 1:
        raise usage("info [NAME|PATH]")
    found = metadata.read(resolve(words[0]) if words else in_use(options))
    plans = "by pointing at the request's words" if found.points else "as text, by its chat template" if found.chat_template else "not at all"
    data = {
        "path": str(found.path),
        "name": found.text("general.name"),
        "architecture": found.architecture,
        "parameters": found.parameters,
        "quantization": found.quantization,
        "layers": found.layers,
        "context_tokens": found.context,
        "tokenizer": found.tokenizer,
        "chat_template": bool(found.chat_template),
        "plans": plans,
        "licence": found.text("general.license") or "not said",
        "size_bytes": found.size_bytes,
        "sha256": _sha256(found.path),
        "runs": _runs(found),
    }
    show(
        options, data, {"parameters": _amount(found.parameters), "size_bytes": size(found.size_bytes), "chat_template": "yes" if found.chat_template else "no"}
    )
    return 0


def _runs(model: Metadata) -> str:
    from nlsh.planner.chat import MOST_CONTEXT
    from nlsh.planner.models import decide

    return decide(model, min(MOST_CONTEXT, model.context or MOST_CONTEXT)).why


def _amount(count: int) -> str:
    for unit, name in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return str(count)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


# --- which one plans -------------------------------------------------------------------------------------------------


def _use(options: Options, words: list[str]) -> int:
    """Write the user's choice into config.toml."""
    from nlsh.planner.models import SHIPPED, check, resolve
    from nlsh.shell.commands.config_file import set_setting

    if len(words) != 1:
        raise usage("use NAME|PATH, or nlsh model use shipped")
    path = resolve(words[0])
    found = check(path)
    if options.dry_run:
        print(f"{settings.config_dir() / 'config.toml'} would say: planner = {json.dumps(str(path)) if words[0] != SHIPPED else '(nothing)'}")
        return 0
    file = set_setting("planner", None if words[0] == SHIPPED else str(path))
    data = {"planner": str(path), "config": str(file), "plans_by": "pointing" if found.points else "text"}
    if options.json:
        print(json.dumps(data))
    else:
        print(f"nlsh now plans with {escape(str(path))}" + ("." if found.points else ": it writes plans as text, held to the grammar."))
    if "NLSH_PLANNER" in os.environ:
        print("nlsh: NLSH_PLANNER is set, and counts more than what was just chosen.", file=sys.stderr)
    return 0


def _pull(options: Options, words: list[str]) -> int:
    """Download a model into the user's folder of models: a plan of network.download like any other."""
    from nlsh.planner import metadata

    if len(words) != 1:
        raise usage("pull URL [--sha256 HEX]")
    args = {"url": words[0], "to": f"{settings.own_models_dir()}/", **({"sha256": options.sha256} if options.sha256 else {})}
    plan = Plan((Call("network.download", args),))
    with Session.start(options) as session:
        status = session.run(plan, one_line(plan))
        if status or options.dry_run:
            return status
        last = session.kernel.last
        path = next((Path(p) for r in (last.records if last else ()) if (p := getattr(r, "path", "")) and os.path.isfile(p)), None)
        if path is None:
            return status
        try:
            found = metadata.read(path)
        except ModelError as error:
            session.say(f"nlsh: {escape(error.message)} It was kept; take it back: nlsh undo")
            return error.exit_status
        if not options.quiet:
            session.say(f"{escape(path.stem)}: {found.architecture}, {_amount(found.parameters)} parameters. Plan with it: nlsh model use {escape(path.stem)}")
    return 0


# --- how good it is --------------------------------------------------------------------------------------------------


def _bench(options: Options, words: list[str]) -> int:
    from nlsh.modelkit.bench import bench
    from nlsh.planner.models import planner_for, resolve

    if len(words) > 1:
        raise usage("bench [NAME|PATH]")
    path = resolve(words[0]) if words else in_use(options)
    measured = {"path": str(path), **bench(planner_for(replace(settings.load_settings(), planner=str(path))))}
    show(options, measured, {"peak_memory_bytes": size(measured["peak_memory_bytes"])})
    return 0


def _eval(options: Options, words: list[str]) -> int:
    """Score a model on requests it was never trained on."""
    from nlsh.modelkit import evaluate
    from nlsh.planner.models import planner_for, resolve

    if len(words) > 1:
        raise usage("eval [NAME|PATH] [--most N]")
    path = resolve(words[0]) if words else in_use(options)
    planner = planner_for(replace(settings.load_settings(), planner=str(path)))
    for name, title in (("held out", "Held-out phrasings"), ("strangers", "Strangers (never trained on, other authors)")):
        outcomes = evaluate.run(planner, _cases(name, options.most))
        if options.json:
            error = evaluate.calibration_error(outcomes, planner.calibration)
            print(json.dumps({"set": name, "path": str(path), **_score(outcomes), "calibration_error": round(error, 4)}))
        else:
            print(evaluate.table(outcomes, title), "", sep="\n")
    return 0


def _cases(name: str, most: int) -> list[Case]:
    """Return at most `most` cases of a set (0: all of them), the same each time. Raises NotPossible where the sets are not here."""
    import random

    from nlsh.modelkit import evaluate
    from nlsh.modelkit.corpus import Corpus
    from nlsh.shipped import models_dir

    folder = models_dir() / "corpus"
    if not (folder / "strangers").is_dir():
        raise NotPossible(
            f"Not available here, because the test requests ({folder}) are not installed.", hint="Nothing was changed. A checkout of nlsh has them."
        )
    cases = evaluate.strangers(folder / "strangers") if name == "strangers" else evaluate.held_out(Corpus.load(folder))
    return random.Random(_SEED).sample(cases, min(most, len(cases))) if most else cases


def _score(outcomes: list[Outcome]) -> dict[str, Any]:
    from nlsh.modelkit.evaluate import harmful

    count = max(1, len(outcomes))
    times = sorted(o.milliseconds for o in outcomes) or [0.0]
    return {
        "requests": len(outcomes),
        "exact": round(sum(o.rank == 0 for o in outcomes) / count, 4),
        "among_three": round(sum(o.rank is not None and o.rank < 3 for o in outcomes) / count, 4),
        "action": round(sum(o.action_right for o in outcomes) / count, 4),
        "asked": round(sum(o.answer.kind in ("choose", "question") for o in outcomes) / count, 4),
        "harmful": round(sum(map(harmful, outcomes)) / count, 4),
        "median_ms": round(times[len(times) // 2], 1),
    }


def accuracy(path: Path, most: int) -> tuple[float | None, str]:
    """Return the share of the strangers' requests that a model plans exactly, and in words; None and why where that cannot be measured."""
    from nlsh.modelkit import evaluate
    from nlsh.planner import metadata
    from nlsh.planner.models import planner_for

    chosen = settings.load_settings()
    try:
        found = metadata.read(path)
        planner = planner_for(replace(chosen, encoder=str(path)) if found.architecture == "bert" else replace(chosen, planner=str(path)))
        cases = _cases("strangers", most or _MOST_CASES[found.points or found.architecture == "bert"])
        planner.warm()
    except NlshError as error:
        return None, f"not measured: {error.message}"
    outcomes = evaluate.run(planner, cases)
    for engine in (planner.decoder, planner.encoder):
        engine.close()
    exact = _score(outcomes)["exact"]
    return exact, f"{exact:.1%} of {len(outcomes)} requests planned exactly"


# --- making others ---------------------------------------------------------------------------------------------------


def _making(options: Options, words: list[str]) -> int:
    from nlsh.shell.commands import model_making

    return getattr(model_making, options.words[0])(options, words)


_VERBS: dict[str, Callable[[Options, list[str]], int]] = {
    "list": _list, "info": _info, "use": _use, "pull": _pull, "bench": _bench, "eval": _eval, **dict.fromkeys(("quantize", "prune", "train", "adapt"), _making),
}  # fmt: skip
