"""The steps of the recipe, each from files to files: what `python -m nlsh.modelkit` runs."""

from __future__ import annotations

import argparse
import json
import random
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlsh.modelkit.__main__ import CORPUS, MODELS, corpus_hash
from nlsh.modelkit.corpus import Corpus, Phrasing
from nlsh.modelkit.imagined import Imagined

if TYPE_CHECKING:
    import torch

    from nlsh.modelkit.encoder import Trained


def encoder(args: argparse.Namespace) -> int:
    """Fine-tune the encoder and rank the meanings for every phrasing."""
    from nlsh.modelkit import encoder as enc

    stamp = {"corpus": corpus_hash(), "minutes": args.encoder_minutes, "seed": args.seed}
    corpus, out = Corpus.load(CORPUS), args.work / "encoder.pt"
    if not _done(args.work / "encoder.json", stamp) or not out.exists():
        start = args.start / "encoder.pt" if args.start else None
        options = {"minutes": args.encoder_minutes, "threads": args.threads, "seed": args.seed, "half": args.bfloat16}
        enc.train(corpus, out, **options, stamp=stamp, start=start, imagined=Imagined(corpus))
        (args.work / "encoder.json").write_text(json.dumps(stamp))
    rank(args.work, corpus, half=args.bfloat16)
    return 0


def rank(work: Path, corpus: Corpus, *, half: bool = False) -> None:
    """Write which meanings the encoder finds nearest to every phrasing, and which with the invented actions' among them; and the phrasings' vectors.

    `half`: multiply in bfloat16.
    """
    import torch

    from nlsh.modelkit import encoder as enc

    trained, imagined = enc.load(work / "encoder.pt"), Imagined(corpus)
    rng = random.Random(17)
    # The real meanings first; the invented actions that were kept out of training stand where a few examples of theirs are, as a pack's would.
    place = {text: i for i, text in enumerate(trained.meanings)}
    with torch.no_grad():
        added = [trained.prototypes[place[m.text]] if m.text in place else _mean(trained, corpus, imagined.of[m.text][:5], rng) for m in imagined.meanings]
    real = [m.text for m in corpus.meanings]
    trained.prototypes = torch.stack([*(trained.prototypes[place[text]] for text in real), *added])
    trained.meanings = [*real, *(m.text for m in imagined.meanings)]
    filled = [(p, s.request) for p in [*corpus.phrasings, *imagined.phrasings] if (s := corpus.fill(p, rng, varied=False, test=p.held_out))]
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        vectors = trained.vectors([request for _, request in filled])
    among_all, among_real = ([[trained.meanings[i] for i in row] for row in trained.rank(vectors, first=n)] for n in (None, len(real)))
    known = set(real)
    trained_on = [i for i, (p, _) in enumerate(filled) if p.meaning.text in known and not p.held_out]
    torch.save({"meanings": [filled[i][0].meaning.text for i in trained_on], "vectors": vectors[trained_on].half()}, work / "vectors.pt")
    ranks = {p.text: near for (p, _), near in zip(filled, among_real, strict=True) if p.meaning.text in known}
    # Of a real phrasing only what differs.
    mixed = {p.text: near for (p, _), near in zip(filled, among_all, strict=True) if not known.issuperset(near)}
    for file, found in (("rank.json", ranks), ("imagined.json", mixed)):
        (work / file).write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")


def _mean(trained: Trained, corpus: Corpus, phrasings: list[Phrasing], rng: random.Random) -> torch.Tensor:
    from torch.nn.functional import normalize

    return normalize(trained.embed(trained.filled(corpus, phrasings, rng)).mean(0), dim=-1)


def decoder(args: argparse.Namespace) -> int:
    """Train the tokenizer and the decoder."""
    from tokenizers import Tokenizer

    from nlsh.modelkit import parallel, train
    from nlsh.modelkit import tokenizer as tok
    from nlsh.planner.vocabulary import catalogue, control_tokens

    corpus, actions = Corpus.load(CORPUS), catalogue()
    control = control_tokens(actions)
    # The tokens are frozen with the tokenizer: a checkpoint outlives a growing catalogue.
    stamp = {"corpus": corpus_hash(), "control": control}
    file = args.work / "tokenizer.json"
    processes = parallel.join()
    if processes.first and not (_done(args.work / "control.json", stamp) and file.exists()):
        if args.start and tok.control_of(args.start / "tokenizer.json")[: len(control)] == control:
            # With the same actions it goes on with the same pieces of words: no row of its table has to be learned anew.
            shutil.copyfile(args.start / "tokenizer.json", file)
        else:
            tok.build(corpus, control, 5120, file)
        (args.work / "control.json").write_text(json.dumps(stamp))
    processes.wait()
    ranks = [json.loads((args.work / name).read_text(encoding="utf-8")) for name in ("rank.json", "imagined.json")]
    encoding = train.Encoding(Tokenizer.from_file(str(file)), actions, corpus.meanings, Imagined(corpus))
    recipe = train.Recipe(
        minutes=args.decoder_minutes,
        threads=args.threads,
        seed=args.seed,
        width=args.width,
        layers=args.layers,
        feed_forward=3 * args.width,
        bfloat16=args.bfloat16,
    )
    train.train(corpus, encoding, train.retrieval_of(corpus, *ranks), recipe, args.work / "decoder.pt", args.start)
    return 0


def restore(args: argparse.Namespace) -> int:
    """Write the checkpoints of shipped models to `work`, which `--start` then takes."""
    from nlsh.modelkit.restore import restore as write

    write(args.models, args.work)
    return 0


def export(args: argparse.Namespace) -> int:
    """Write GGUF files to `work/shipped`, quantised to Q8_0."""
    import torch

    from nlsh.modelkit import encoder as enc
    from nlsh.modelkit import export as gguf
    from nlsh.modelkit import train
    from nlsh.modelkit.quantize import quantize
    from nlsh.planner.vocabulary import catalogue

    corpus = Corpus.load(CORPUS)
    out = args.work / "shipped"
    for name in ("encoder", "planner"):
        (out / name).mkdir(parents=True, exist_ok=True)
    control = json.loads((args.work / "control.json").read_text())["control"]
    trained = enc.load(args.work / "encoder.pt")
    gguf.export_encoder(trained, args.work / "encoder-f16.gguf")
    quantize(args.work / "encoder-f16.gguf", out / "encoder" / "encoder.gguf", "q8_0")
    gguf.export_decoder(train.load(args.work / "decoder.pt"), args.work / "tokenizer.json", control, args.work / "planner-f16.gguf")
    quantize(args.work / "planner-f16.gguf", out / "planner" / "planner.gguf", "q8_0")
    said = torch.load(args.work / "vectors.pt", weights_only=True)
    exemplars = gguf.exemplars(said["meanings"], said["vectors"].float())
    gguf.export_meanings(trained, exemplars, corpus.meanings, catalogue(), out / "planner" / "meanings.bin")
    gguf.export_roles(trained, out / "planner" / "roles.bin")
    gguf.export_ordinary(corpus, out / "planner" / "ordinary.txt")
    return 0


def evaluate(args: argparse.Namespace) -> int:
    """Print the tables for the models in `args.models`."""
    print(scores(args.models, most=args.most, calibrate=args.calibrate, worst=args.worst)["text"])
    return 0


CALIBRATED_ON = 1_000  # held-out phrasings
# The strangers' sets whose failures are printed, and by which thresholds are set: what was read while mending things measures no more.
READ = ("first", "second", "third")


def unseen(args: argparse.Namespace) -> int:
    """Print how well actions that were added after training are understood."""
    from nlsh.modelkit.unseen import score

    print(score(args.models, CORPUS / "unseen", Corpus.load(CORPUS)))
    return 0


def scores(models: Path, *, most: int = 0, calibrate: bool = False, worst: int = 0) -> dict[str, Any]:
    """Score the models in a folder as they run, where nothing exists and where the files are that a request is about.

    With `calibrate`, write the calibration first that is fitted on the held-out phrasings and the strangers' sets that were read, both ways.
    """
    from nlsh.modelkit import evaluate as ev
    from nlsh.planner.planner import Planner
    from nlsh.settings import Settings

    planner = Planner(Settings(), models)
    corpus = Corpus.load(CORPUS)
    held = ev.held_out(corpus)
    random.Random(29).shuffle(held)
    both = [held[: most or None], ev.strangers(CORPUS / "strangers")[: most or None]]
    nothing, files = ([ev.run(planner, cases, files=there) for cases in both] for there in (False, True))
    if calibrate:
        # The order of readings changes with the fit: fit once more with the new one.
        for _ in range(2):
            fitted = ev.calibrate(
                [o for outcomes, _ in (nothing, files) for o in outcomes[:CALIBRATED_ON]],
                [o for _, strange in (nothing, files) for o in strange if o.case.source in READ],
            )
            planner.calibration = fitted
            nothing, files = ([ev.weighed_again(planner, o) for o in part] for part in (nothing, files))
        ev.save_calibration(fitted, models / "planner" / "calibration.json")
    outcomes, strange = nothing
    text = [ev.table(outcomes, "Held-out phrasings"), "", ev.table(strange, "Strangers (never trained on, other authors)"), ""]
    for name in sorted({o.case.source for o in strange}):
        text += [ev.table([o for o in strange if o.case.source == name], f"Strangers, {name} set"), ""]
    text += [line for o, title in zip(files, ("Held-out phrasings", "Strangers"), strict=True) for line in (ev.table(o, f"{title}, their files there"), "")]
    errors = [ev.calibration_error(o, planner.calibration) for o in (outcomes, strange)]
    text.append(f"Expected calibration error: held out {errors[0]:.3f}, strangers {errors[1]:.3f}.")
    text += ["", "Strangers by action:", "", ev.by_action(strange), "", "Held-out phrasings by action:", "", ev.by_action(outcomes)]
    if worst:
        read = [o for o in strange if o.case.source in READ]
        text += ["", "Worst failures, strangers:", "", ev.worst(read, worst), "", "Worst failures, held out:", "", ev.worst(outcomes, worst)]
    exact = sum(o.rank == 0 for o in [*outcomes]) / len(outcomes)
    return {"text": "\n".join(text), "held_out": exact, "strangers": sum(o.rank == 0 for o in strange) / len(strange), "corpus": corpus_hash()}


def ship(args: argparse.Namespace) -> int:
    """Copy the built models to `models/` if they score better on the strangers' set than what is there."""
    built = scores(args.work / "shipped", calibrate=True, worst=25)
    there = MODELS / "planner" / "scores.json"
    before = json.loads(there.read_text())["strangers"] if there.exists() else -1.0
    print(built["text"])
    if built["strangers"] < before:
        print(f"kept what is in models/: strangers {before:.1%} against {built['strangers']:.1%}")
        return 1
    for name in ("encoder", "planner"):
        (MODELS / name).mkdir(parents=True, exist_ok=True)
        for file in (args.work / "shipped" / name).iterdir():
            shutil.copyfile(file, MODELS / name / file.name)
    there.write_text(json.dumps({k: v for k, v in built.items() if k != "text"}, indent=1) + "\n")
    (MODELS / "planner" / "scores.md").write_text(built["text"] + "\n", encoding="utf-8")
    return 0


def build(args: argparse.Namespace) -> int:
    """Run every step."""
    from nlsh.modelkit.__main__ import lint

    return lint() or encoder(args) or decoder(args) or export(args) or ship(args)


def _done(file: Path, stamp: dict[str, Any]) -> bool:
    try:
        return bool(json.loads(file.read_text()) == stamp)
    except (OSError, ValueError):
        return False
