"""Sentences made of phrasings: what is added to them for training never becomes a part of the plan that was not one."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from nlsh.modelkit import corpus as module
from nlsh.modelkit.corpus import Corpus, Phrasing, plan_of, read_meaning

FOLDER = Path(__file__).parents[3] / "models/corpus"


def _sentences(text: str, meaning: str, language: str, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, object]]]:
    monkeypatch.setattr(module, "PLACED", 1.0)
    corpus, rng = Corpus(FOLDER), random.Random(3)
    filled = (corpus.fill(Phrasing(text, read_meaning(meaning), language, "test"), rng, varied=True) for _ in range(40))
    return [(s.request, dict(plan_of(s).calls[0].args)) for s in filled if s is not None]


@pytest.mark.parametrize(
    ("text", "language", "words"), [("rename {file} to {newname}", "en", ("in", "inside", "from")), ("把{file}改名为{newname}", "zh", ("里", "下", "中"))]
)
def test_where_a_file_lies_is_said_and_no_part_of_its_name(text: str, language: str, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    made = _sentences(text, "file.rename({file}, to={newname})", language, monkeypatch)
    assert len(made) > 20
    for request, args in made:
        name = str(args["paths"] if "paths" in args else args["path"])
        rest = request.replace(name, "", 1).replace(str(args["to"]), "", 1)
        assert name in request and any(w in rest for w in words), request


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("start a new file {file}", "file.create({file})"),
        ("as {file}: join {path} and {path2}", "file.join([{path}, {path2}], to={file})"),
        ("move {file} to {dir}", "file.move({file}, to={dir})"),
    ],
)
def test_what_is_made_or_has_a_folder_in_its_plan_is_left_alone(text: str, meaning: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for request, args in _sentences(text, meaning, "en", monkeypatch):
        values = [str(v) for a in args.values() for v in (a if isinstance(a, tuple) else (a,))]
        rest = request
        for value in values:
            rest = rest.replace(value, "", 1)
        assert " in " not in rest and " inside " not in rest and "which is" not in rest, request


def test_what_is_refused_is_learned_of_any_file_by_that_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RENAMED", 1.0)
    corpus, rng = Corpus(FOLDER), random.Random(3)
    refused = read_meaning('none(reason="outside")')
    made = {s.request for _ in range(40) if (s := corpus.fill(Phrasing("print invoice_0091.pdf twice, as a.pdf.", refused, "en", "test"), rng, varied=True))}
    assert len({r for r in made if "invoice_0091" not in r and ".pdf" in r}) > 10
    # …as it stands where it is only scored, and no name of what is done.
    kept = corpus.fill(Phrasing("print invoice_0091.pdf twice", refused, "en", "test"), rng, varied=False)
    assert kept is not None and kept.request == "print invoice_0091.pdf twice"
    read = Phrasing("show invoice_0091.pdf, {file}", read_meaning("file.read({file})"), "en", "test")
    others = [s.request for _ in range(20) if (s := corpus.fill(read, rng, varied=True))]
    assert others and all("invoice_0091" in r for r in others)


def test_what_is_refused_may_name_things(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "GROUPS.txt").write_text('none(reason="outside")\nfile.read({file})\n')
    (tmp_path / "en/some.txt").write_text('= none(reason="outside")\nprint {pdf} twice\ndraw {file} over {file}\n= file.read({file})\nshow {pdf}\n')
    found = module.lint(tmp_path)
    assert len(found) == 2 and "draw" in found[0] and "show" in found[1]
