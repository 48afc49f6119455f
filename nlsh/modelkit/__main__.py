"""`python -m nlsh.modelkit build`: lint → encoder → tokenizer → decoder → GGUF → evaluation and cards, each step resumable.

Intermediate files lie in `build/models`; a step is done again only where its inputs changed. `models/` gets the result of `ship`, which `build`
runs at its end, and only if it scores better than what is there (or nothing is there).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path

# Threads that spin at barriers make training three times slower on a machine that does anything else. Before OpenMP loads.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

ROOT = Path(__file__).resolve().parent.parent.parent
CORPUS, MODELS = ROOT / "models" / "corpus", ROOT / "models"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m nlsh.modelkit", description="Train, export, quantise and evaluate the shipped models.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("lint", help="check the corpus")
    build = verbs.add_parser("build", help="the whole recipe, resumable")
    for verb in (
        build,
        verbs.add_parser("encoder", help="fine-tune the encoder"),
        verbs.add_parser("decoder", help="train the decoder from the encoder's candidates"),
    ):
        verb.add_argument("--work", type=Path, default=ROOT / "build" / "models", help="where intermediate files lie")
        verb.add_argument("--start", type=Path, help="a folder with encoder.pt, decoder.pt and tokenizer.json of an earlier training to go on from")
        verb.add_argument("--encoder-minutes", type=float, default=25)
        verb.add_argument("--decoder-minutes", type=float, default=60)
        verb.add_argument("--threads", type=int, default=2)
        verb.add_argument("--bfloat16", action="store_true", help="multiply in bfloat16 on the CPU: a quarter faster with AVX512-BF16")
        verb.add_argument("--seed", type=int, default=0)
        verb.add_argument("--width", type=int, default=192)
        verb.add_argument("--layers", type=int, default=6)
    for name, words in (
        ("export", "write and quantise GGUF files"),
        ("eval", "score the models as they run"),
        ("unseen", "score actions that were added after training"),
        ("ship", "copy the built models to models/ if they score better"),
        ("restore", "make a folder for --start of GGUF files: checkpoints of a release"),
    ):
        verb = verbs.add_parser(name, help=words)
        verb.add_argument("--work", type=Path, default=ROOT / "build" / "models")
        if name in ("eval", "unseen", "restore"):
            verb.add_argument("--models", type=Path, default=MODELS, help="the folder with encoder/ and planner/")
        if name == "eval":
            verb.add_argument("--most", type=int, default=0, help="at most so many cases of each set (0: all)")
            verb.add_argument("--calibrate", action="store_true", help="fit the calibration on the held-out phrasings and write it")
            verb.add_argument("--worst", type=int, default=0, help="print so many failures")
    args = parser.parse_args()
    if args.verb == "lint":
        return lint()
    args.work.mkdir(parents=True, exist_ok=True)
    from nlsh.modelkit import recipe

    return {
        "encoder": recipe.encoder, "decoder": recipe.decoder, "export": recipe.export, "eval": recipe.evaluate, "unseen": recipe.unseen,
        "ship": recipe.ship, "build": recipe.build, "restore": recipe.restore,
    }[args.verb](args)  # fmt: skip


def lint() -> int:
    from nlsh.modelkit import corpus, imagined

    problems = corpus.lint(CORPUS) + imagined.lint(CORPUS)
    for problem in problems:
        print(problem)
    loaded = corpus.Corpus.load(CORPUS)
    print(json.dumps({"meanings": len(loaded.meanings), "phrasings": len(loaded.phrasings), "held_out": len(loaded.held_out), "problems": len(problems)}))
    return 1 if problems else 0


def corpus_hash() -> str:
    """Return a hash of every file the models are made of."""
    digest = hashlib.sha256()
    for file in sorted(CORPUS.rglob("*.txt")):
        if not {"strangers", "unseen"} & set(file.parts):
            digest.update(file.relative_to(CORPUS).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main())
