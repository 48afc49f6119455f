"""Tokens of plans: what is encoded decodes to the same plan, and nothing else decodes."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from nlsh.modelkit import corpus as corpora
from nlsh.plan.errors import BadPlan
from nlsh.plan.plan import Ref
from nlsh.planner.lexer import lex
from nlsh.planner.vocabulary import cached_catalogue, catalogue, control_tokens, decode, encode

CORPUS = Path(__file__).parents[3] / "models" / "corpus"


@pytest.fixture(scope="module")
def actions() -> dict:
    return catalogue()


def test_every_phrasing_encodes_and_decodes_to_its_plan(actions: dict) -> None:
    corpus = corpora.Corpus.load(CORPUS)
    rng = random.Random(1)
    tokens = set(control_tokens(actions))
    checked = 0
    for phrasing in rng.sample(corpus.phrasings, 1500):
        s = corpus.fill(phrasing, rng, varied=True)
        if s is None:
            continue
        written = encode(s.calls, actions, {f"{{{k}}}": v for k, v in s.spans.items()})
        assert set(written) <= tokens
        plan = decode(written, actions, s.request, s.words)
        wanted = corpora.plan_of(s)
        assert [c.action for c in plan.calls] == [c.action for c in wanted.calls]
        for got, want in zip(plan.calls, wanted.calls, strict=True):
            assert {k: v for k, v in got.args.items() if not isinstance(v, Ref)} == {k: v for k, v in want.args.items() if not isinstance(v, Ref)}
        checked += 1
    assert checked > 1300


def test_a_value_that_no_token_writes_is_a_problem_of_the_corpus(tmp_path: Path) -> None:
    (tmp_path / "GROUPS.txt").write_text('trash.list(limit="1")\ntrash.list(limit="7")\nfile.list({dir}, sort="newest")\n')
    (problem,) = corpora.lint(tmp_path)
    assert problem.startswith('trash.list(limit="7")')


def test_the_cache_gives_what_the_registry_gives(home: Path, actions: dict) -> None:
    assert cached_catalogue() == actions
    assert (home / ".cache/nlsh/catalogue.json").exists()
    assert cached_catalogue() == actions


def test_a_cache_counts_only_while_no_file_has_changed(home: Path, actions: dict) -> None:
    cached_catalogue()
    file = home / ".cache/nlsh/catalogue.json"
    saved = json.loads(file.read_text())
    stamped = {"/".join(Path(path).parts[-3:]).removeprefix("nlsh/") for path, *_ in saved["stamp"]}
    assert {"actions/file/find.py", "plan/values.py", "planner/vocabulary.py"} <= stamped
    del saved["actions"]["file.find"]
    file.write_text(json.dumps(saved))
    assert "file.find" not in cached_catalogue()  # it is read at all
    for changed in ([], saved["stamp"][1:], [[*saved["stamp"][0][:1], 1, 2], *saved["stamp"][1:]]):
        file.write_text(json.dumps({**saved, "stamp": changed}))
        assert cached_catalogue() == actions


@pytest.mark.parametrize(
    "tokens",
    [
        ["<file.find>", "<under=>"],
        ["<under=>"],
        ["<file.find>", "<under=>", "<w1>", "<w0>"],
        ["<file.move>", "<paths=>", "<r1>"],
        ["<file.find>", "<under=>", "<w0>", "<w9>"],
        ["<file.find>", "<port=>", "<w0>", "<w0>"],
    ],
)
def test_what_is_no_plan_is_refused(tokens: list[str], actions: dict) -> None:
    with pytest.raises(BadPlan):
        decode(tokens, actions, "a b", lex("a b"))
