"""Train the decoder on sentences of the corpus, each with the candidates the encoder would have offered.

Resumable: the checkpoint holds weights, optimiser, random state and how far it is. On a GPU the same code runs in bfloat16 autocast.
"""

from __future__ import annotations

import json
import math
import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

from nlsh.modelkit.corpus import Corpus, Meaning, Sentence
from nlsh.modelkit.imagined import OUTSIDE, Imagined, kept_out
from nlsh.modelkit.model import Decoder, Shape
from nlsh.modelkit.parallel import join
from nlsh.planner import prompt
from nlsh.planner.vocabulary import ALIASES, REFUSAL, Catalogue, control_tokens, encode, skeleton, token_class

IGNORED = -100
MADE_UP = 0.12  # the share of training sentences in which actions go by aliases
IMAGINED = 0.12  # the share of sentences for actions that nobody has
ABSENT = 0.2  # of those, the share to which no such action is offered
STRAY = 0.06  # the share of sentences to which an action that nobody has is offered without being meant
SMOOTHED_EVERY, SMOOTHING = 10, 0.005  # steps; how much of the weights of then goes into their running mean (arXiv 1803.05407)
WORTH_COMPILING = 15.0  # minutes of training on a CPU
LENGTHS = (32, 48, 64, 80, 96, 128, 160, 224, 320)


@dataclass(frozen=True)
class Retrieval:
    """What the encoder offers: the ranked meanings for every phrasing, and how often the right one has which rank on held-out phrasings."""

    ranked: dict[str, list[str]]  # phrasing text → meanings, nearest first
    rank_share: list[float]  # rank 0, 1, … of the right meaning on held-out phrasings; the last entry: not among them
    imagined: dict[str, list[str]] = field(default_factory=dict)  # the same with the meanings of invented actions among them

    def candidates(self, sentence: Sentence, phrasing: str, rng: random.Random) -> list[str]:
        """Return meanings for a training sentence, the right one at a rank drawn from the held-out distribution."""
        gold = sentence.meaning.text
        ranked = self.ranked.get(phrasing, [])
        if phrasing in self.imagined and (phrasing not in self.ranked or rng.random() < STRAY):
            ranked = self.imagined[phrasing]
        others = [m for m in ranked if m != gold]
        rank = rng.choices(range(len(self.rank_share)), self.rank_share)[0]
        if rank < prompt.CANDIDATES:
            others.insert(rank, gold)
        return others[: prompt.CANDIDATES]


class Encoding:
    """Turns sentences into token ids."""

    def __init__(self, tokenizer: Tokenizer, actions: Catalogue, meanings: list[Meaning], imagined: Imagined | None = None) -> None:
        self.tokenizer, self.imagined = tokenizer, imagined
        self.ids = {t: i for i, t in enumerate(control_tokens(actions))}
        self.actions = {**actions, **(imagined.catalogue() if imagined else {})}
        self.skeletons = {m.text: skeleton(m.plan.calls, self.actions) for m in [*meanings, *(imagined.meanings if imagined else [])]}
        self.outside = next((m for m in meanings if m.text == OUTSIDE), None)
        self._text: dict[str, list[int]] = {}

    def text(self, piece: str) -> list[int]:
        found = self._text.get(piece)
        if found is None:
            found = self.tokenizer.encode(piece, add_special_tokens=False).ids
            if len(self._text) < 200_000:
                self._text[piece] = found
        return found

    def example(self, sentence: Sentence, candidates: list[str], rng: random.Random | None = None) -> tuple[list[int], list[int]] | None:
        """Return the ids of the prompt and of the plan with its end token; None where it needs more aliases than there are.

        With `rng`, now and then an action of it is one nobody knows, and an action that nobody has is one that is not offered.
        """
        spans = {f"{{{slot}}}": span for slot, span in sentence.spans.items()}
        offered, plan = [self.skeletons[c] for c in candidates], encode(sentence.calls, self.actions, spans)
        if rng is not None and self.outside is not None and f"<{sentence.calls[0].action}>" not in self.ids and rng.random() < ABSENT:
            offered = [tokens for tokens in offered if tokens[0] != plan[0]]
            plan = encode(self.outside.plan.calls, self.actions, {})
        names: dict[str, str] = {}
        if rng is not None and rng.random() < MADE_UP:
            names = _hidden(offered, plan, rng)
        shown = dict.fromkeys(t for tokens in offered for t in tokens)
        unknown = [t for t in shown if t not in self.ids]
        for token in unknown:
            free = [a for a in ALIASES[token_class(token)] if a not in names.values()]
            if not free:
                return None
            names[token] = rng.choice(free) if rng is not None else free[0]
        plan = [names.get(t, t) for t in plan]
        if any(t not in self.ids for t in plan):
            return None
        offered = [[names.get(t, t) for t in tokens] for tokens in offered]
        really = {alias: token for token, alias in names.items()}
        asked = prompt.build(sentence.words, offered, sentence.previous, self.ids.__getitem__, self.text, really)
        return asked, [*(self.ids[t] for t in plan), self.ids["<eos>"]]


def _hidden(offered: list[list[str]], plan: list[str], rng: random.Random) -> dict[str, str]:
    """Return aliases for some of the actions that are offered, so that a plan can be written for an action that came after training.

    What it is for, the decoder then only sees in its name's words, in that it is offered, how near, and with which arguments; nothing of a plan is
    hidden that is not offered.
    """
    shown = {t for tokens in offered for t in tokens}
    names: dict[str, str] = {}
    actions = [t for t in dict.fromkeys(t for tokens in offered for t in tokens) if token_class(t) == "<" and t != f"<{REFUSAL}>"]
    if not actions:
        return names
    rng.shuffle(actions)
    hidden = set(actions[: rng.choice([1, 1, 2, len(actions)])])
    also = rng.random() < 0.5  # its arguments too, or are they called as everybody's
    for group in ("<", "=", "<="):
        free = list(ALIASES[group])
        rng.shuffle(free)
        for token in sorted(shown):
            if token_class(token) == group and free and (token in hidden if group == "<" else also and rng.random() < 0.7):
                names[token] = free.pop()
    if any(token_class(t) in ("=", "<=") and t not in shown for t in plan) and any(t in names for t in plan):
        return {}  # it needs words that the offer does not show
    return names


def collate(examples: list[tuple[list[int], list[int]]], device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return inputs and targets [batch, length]; only the plan is learned, not the request."""
    longest = max(len(p) + len(o) for p, o in examples) - 1
    length = next(n for n in LENGTHS if n >= longest)
    x = torch.zeros(len(examples), length, dtype=torch.long)
    y = torch.full((len(examples), length), IGNORED)
    for i, (asked, plan) in enumerate(examples):
        whole = asked + plan
        x[i, : len(whole) - 1] = torch.tensor(whole[:-1])
        y[i, len(asked) - 1 : len(whole) - 1] = torch.tensor(plan)
    return x.to(device), y.to(device)


def batches(corpus: Corpus, encoding: Encoding, retrieval: Retrieval, rng: random.Random, size: int) -> Iterator[list[tuple[list[int], list[int]]]]:
    """Yield batches of examples of like length, for ever."""
    while True:
        examples: list[tuple[list[int], list[int]]] = []
        while len(examples) < size * 16:
            sentence = encoding.imagined.sample(rng) if encoding.imagined and rng.random() < IMAGINED else corpus.sample(rng)
            example = encoding.example(sentence, retrieval.candidates(sentence, sentence.source, rng), rng)
            if example is not None and len(example[0]) + len(example[1]) <= LENGTHS[-1]:
                examples.append(example)
        examples.sort(key=lambda e: len(e[0]) + len(e[1]) + rng.random())
        chunks = [examples[i : i + size] for i in range(0, len(examples), size)]
        rng.shuffle(chunks)
        yield from chunks


@dataclass(frozen=True)
class Recipe:
    """How to train: wall-clock minutes, or steps where that is not 0."""

    minutes: float = 45.0
    steps: int = 0
    batch: int = 32
    rate: float = 1.5e-3
    threads: int = 2
    bfloat16: bool = False  # on the CPU; on a GPU always
    seed: int = 0
    width: int = 192
    layers: int = 6
    feed_forward: int = 576


def train(corpus: Corpus, encoding: Encoding, retrieval: Retrieval, recipe: Recipe, out: Path, start: Path | None = None) -> Decoder:
    """Train and return the decoder; the checkpoint at `out` is continued if it is there and from the same recipe.

    Under torchrun (nlsh.modelkit.parallel) each process draws sentences of its own, and the first one writes and reports.

    `start`: a folder with the decoder.pt and tokenizer.json of an earlier training, for a smaller catalogue, to go on from.
    """
    torch.set_num_threads(recipe.threads)
    torch.manual_seed(recipe.seed)
    processes = join()
    device = processes.device
    shape = Shape(encoding.tokenizer.get_vocab_size(), recipe.width, recipe.layers, recipe.feed_forward, recipe.width // 64)
    model = Decoder(shape).to(device)
    matrices = [p for p in model.parameters() if p.dim() == 2]
    vectors = [p for p in model.parameters() if p.dim() != 2]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}], lr=recipe.rate, betas=(0.9, 0.98), fused=True
    )
    step, spent = 0, 0.0
    if out.exists():
        saved = torch.load(out, weights_only=True, map_location=device)
        if saved["recipe"] == asdict(recipe) and saved["shape"] == asdict(shape):
            model.load_state_dict(saved["model"])
            optimizer.load_state_dict(saved["optimizer"])
            step, spent = saved["step"], saved["spent"]
            print(f"decoder: continuing at step {step}, {spent / 60:.1f} min", flush=True)
    if start is not None and step == 0:
        _inherit(model, encoding.tokenizer, start)
    smooth = {name: p.detach().clone() for name, p in (saved["smooth"] if step else model.state_dict()).items()}
    rng = random.Random(recipe.seed * 1_000_003 + step + processes.rank * 7_919)
    # Two CPU cores compile for two minutes and then take three fifths of the time for a step.
    long = not recipe.steps and recipe.minutes >= WORTH_COMPILING and shutil.which("g++") is not None
    hidden = torch.compile(model.hidden, dynamic=True) if processes.kind == "cuda" or long else model.hidden
    began, shown, seen, average = time.time() - spent, time.time(), 0, None
    if processes.first:
        print(f"decoder: {model.size() / 1e6:.2f} M parameters on {processes.count} × {device}; {asdict(recipe)}", flush=True)
    for chunk in batches(corpus, encoding, retrieval, rng, recipe.batch):
        done = step / recipe.steps if recipe.steps else processes.agreed((time.time() - began) / (recipe.minutes * 60))
        if done >= 1:
            break
        # Warm up, hold, then decay linearly over the last 60%.
        rate = recipe.rate * min(1.0, (step + 1) / 200) * max(0.02, min(1.0, (1 - done) / 0.6))
        for group in optimizer.param_groups:
            group["lr"] = rate
        x, y = collate(chunk, device)
        with torch.autocast(processes.kind, dtype=torch.bfloat16, enabled=processes.kind == "cuda" or recipe.bfloat16):
            h = hidden(x)
            wanted = y != IGNORED
            loss = F.cross_entropy(model.logits(h[wanted]).float(), y[wanted])
        loss.backward()
        processes.average(model.parameters())
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step += 1
        if step % SMOOTHED_EVERY == 0 or step < SMOOTHED_EVERY:
            for name, p in model.state_dict().items():
                smooth[name].lerp_(p.detach(), max(SMOOTHING, min(1.0, SMOOTHED_EVERY / step)))
        seen += len(chunk)
        average = loss.item() if average is None else 0.98 * average + 0.02 * loss.item()
        if not math.isfinite(average):
            raise RuntimeError(f"the loss is {average} at step {step}: lower the rate")
        if processes.first and time.time() - shown > 180:
            shown = time.time()
            print(
                f"decoder: {(shown - began) / 60:.1f} min, step {step}, {seen} sentences, loss {average:.4f}, {score(model, corpus, encoding, retrieval, 400)}",
                flush=True,
            )
            _save(out, model, smooth, optimizer, recipe, shape, step, time.time() - began)
    if not processes.first:
        model.load_state_dict(smooth)
        return model
    _save(out, model, smooth, optimizer, recipe, shape, step, time.time() - began)
    print(f"decoder: done at step {step}: {score(model, corpus, encoding, retrieval, 0)}", flush=True)
    model.load_state_dict(smooth)
    print(f"decoder: its running mean: {score(model, corpus, encoding, retrieval, 0)}", flush=True)
    return model


@torch.no_grad()
def _inherit(model: Decoder, tokenizer: Tokenizer, start: Path) -> None:
    """Take over the weights of an earlier decoder; tokens that both know keep their rows, whatever their numbers.

    Where it had fewer layers, new ones stand evenly between them, and say nothing yet: the deeper decoder writes what the earlier one wrote.
    """
    saved = torch.load(start / "decoder.pt", weights_only=True, map_location="cpu")["model"]
    had, has = len({name.split(".")[1] for name in saved if name.startswith("blocks.")}), model.s.layers
    places = [layer * has // had for layer in range(had)]
    deeper = {name: torch.zeros_like(p) if name.endswith(("out.weight", "down.weight")) else p for name, p in model.state_dict().items() if "blocks." in name}
    for name, p in saved.items():
        _, layer, *rest = name.split(".")
        if name.startswith("blocks."):
            deeper[".".join(["blocks", str(places[int(layer)]), *rest])] = p
    old = Tokenizer.from_file(str(start / "tokenizer.json")).get_vocab()
    rows = model.embedding.weight.detach().clone()
    known = [(place, old[token]) for token, place in tokenizer.get_vocab().items() if token in old]
    rows[[p for p, _ in known]] = saved["embedding.weight"][[o for _, o in known]].to(rows.device)
    model.load_state_dict({**{name: p for name, p in saved.items() if not name.startswith("blocks.")}, **deeper, "embedding.weight": rows})
    print(f"decoder: going on from {start}, {len(known)} of {len(rows)} tokens known", flush=True)


def _save(
    out: Path, model: Decoder, smooth: dict[str, torch.Tensor], optimizer: torch.optim.Optimizer, recipe: Recipe, shape: Shape, step: int, spent: float
) -> None:
    weights = {"model": model.state_dict(), "smooth": smooth, "optimizer": optimizer.state_dict()}
    torch.save({**weights, "recipe": asdict(recipe), "shape": asdict(shape), "step": step, "spent": spent}, out.with_suffix(".part"))
    out.with_suffix(".part").replace(out)


def load(file: Path) -> Decoder:
    """Read the decoder of a checkpoint: the running mean of its weights."""
    saved = torch.load(file, weights_only=True, map_location="cpu")
    model = Decoder(Shape(**saved["shape"]))
    model.load_state_dict(saved["smooth"])
    return model.eval()


@torch.no_grad()
def score(model: Decoder, corpus: Corpus, encoding: Encoding, retrieval: Retrieval, most: int) -> str:
    """Return the share of held-out phrasings (0: all) whose plan is exact under teacher forcing, with the encoder's real candidates."""
    model.eval()
    device = str(next(model.parameters()).device)
    held = sorted(corpus.held_out, key=lambda p: hash_order(p.text))[: most or None]
    if encoding.imagined is not None:
        held += [p for m in encoding.imagined.meanings if kept_out(m) for p in encoding.imagined.of[m.text][5:]]
    right: dict[str, list[int]] = {"en": [], "zh": [], "new actions": []}
    chosen: list[int] = []
    rng = random.Random(5)
    examples = []
    for p in held:
        sentence, new = corpus.fill(p, rng, varied=False, test=True), p.text not in retrieval.ranked
        ranked = (retrieval.imagined if new else retrieval.ranked).get(p.text)
        if sentence is not None and ranked and (example := encoding.example(sentence, ranked[: prompt.CANDIDATES])):
            examples.append(("new actions" if new else p.language, example))
        elif new:
            right["new actions"].append(0)
    examples.sort(key=lambda e: len(e[1][0]) + len(e[1][1]))
    for i in range(0, len(examples), 64):
        chunk = examples[i : i + 64]
        x, y = collate([e for _, e in chunk], device)
        ok = (model(x).argmax(-1) == y) | (y == IGNORED)
        for j, (language, (asked, _)) in enumerate(chunk):
            right[language].append(int(ok[j].all()))
            chosen.append(int(ok[j, len(asked) - 1]))
    model.train()
    shares = " ".join(f"{k} {sum(v) / len(v):.1%}" for k, v in right.items() if v)
    return f"held out: exact {shares}, action {sum(chosen) / len(chosen):.1%}"


def hash_order(text: str) -> str:
    """Order that looks random and is the same everywhere."""
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


def retrieval_of(corpus: Corpus, rank: dict[str, list[str]], imagined: dict[str, list[str]] | None = None) -> Retrieval:
    """Return the candidates for training from what the encoder ranks for each phrasing."""
    counts = [1.0] * (prompt.CANDIDATES + 1)
    for p in corpus.held_out:
        ranked = rank.get(p.text)
        if ranked is None:
            continue
        place = ranked.index(p.meaning.text) if p.meaning.text in ranked else prompt.CANDIDATES
        counts[min(place, prompt.CANDIDATES)] += 1
    return Retrieval(rank, [c / sum(counts) for c in counts], imagined or {})


def save_rank(file: Path, rank: dict[str, list[str]]) -> None:
    file.write_text(json.dumps(rank, ensure_ascii=False), encoding="utf-8")
