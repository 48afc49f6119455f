"""Training in several processes: real ones, started by torchrun, that find each other over loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("tokenizers")

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import hashlib, json, random, sys
from pathlib import Path
import torch
from nlsh.modelkit import parallel, tokenizer, train
from nlsh.modelkit.corpus import Corpus
from nlsh.modelkit.recipe import CORPUS
from nlsh.planner.vocabulary import catalogue, control_tokens

work = Path(sys.argv[1])
processes = parallel.join()
weight = torch.nn.Parameter(torch.zeros(3))
weight.grad = torch.full((3,), float(processes.rank))
processes.average([weight])
clock = processes.agreed(0.25 + processes.rank)
corpus = Corpus.load(CORPUS)
corpus.phrasings = [p for p in corpus.phrasings if p.meaning.actions[0].startswith(("file.", "none."))][::150]
if processes.first:
    tokenizer.build(corpus, control_tokens(catalogue()), 5120, work / "tokenizer.json", sentences=200)
processes.wait()
encoding = train.Encoding(tokenizer.Tokenizer.from_file(str(work / "tokenizer.json")), catalogue(), corpus.meanings)
rank = {p.text: [p.meaning.text] for p in corpus.phrasings}
drawn = []
sample = corpus.sample
def remember(rng):
    sentence = sample(rng)
    drawn.append(sentence.request)
    return sentence
corpus.sample = remember
recipe = train.Recipe(steps=2, batch=2, width=64, layers=1, feed_forward=64, threads=1)
model = train.train(corpus, encoding, train.retrieval_of(corpus, rank), recipe, work / "decoder.pt")
weights = hashlib.sha256(b"".join(v.detach().numpy().tobytes() for v in model.state_dict().values())).hexdigest()
said = {"gradient": weight.grad.tolist(), "clock": clock, "count": processes.count, "weights": weights, "drawn": drawn[:5]}
(work / f"said{processes.rank}.json").write_text(json.dumps(said))
"""


def test_two_processes_train_one_decoder(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(tmp_path / "program.py"), str(tmp_path)]
    ran = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}, capture_output=True, text=True, timeout=240
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    one, other = (json.loads((tmp_path / f"said{rank}.json").read_text()) for rank in (0, 1))
    assert one["gradient"] == other["gradient"] == [0.5] * 3
    assert one["clock"] == other["clock"] == 0.25
    assert one["count"] == 2
    assert one["drawn"] != other["drawn"]
    assert one["weights"] == other["weights"]
    assert (tmp_path / "decoder.pt").exists()
    assert "2 × cpu" in ran.stdout + ran.stderr
