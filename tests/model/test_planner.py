"""The planner as it ships: real GGUF files, real grammar. What it says to what is no request, to a follow-up, to a forged token."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlsh.modelkit import unseen
from nlsh.modelkit.corpus import Corpus
from nlsh.plan.errors import ModelError, NlshError, NotUnderstood
from nlsh.plan.plan import Ref
from nlsh.plan.records import File, Process
from nlsh.planner.answer import Context
from nlsh.planner.engine import Engine
from nlsh.planner.lexer import lex
from nlsh.planner.planner import MAX_REQUEST_CHARACTERS, SKELETONS, Planner
from nlsh.settings import Settings
from nlsh.shipped import models_dir

HERE = Context("/home/u", "/home/u")


@pytest.fixture(scope="module")
def planner() -> Planner:
    return Planner(Settings())


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ("", "request.empty"),
        ("  \n", "request.empty"),
        ("x" * (MAX_REQUEST_CHARACTERS + 1), "request.long"),
        ("a\0b", "request.binary"),
        ("caf\udce9", "request.binary"),
    ],
)
def test_what_cannot_be_a_request(planner: Planner, request_: str, code: str) -> None:
    with pytest.raises(NotUnderstood) as caught:
        planner.plan(request_, HERE)
    assert caught.value.code == code
    assert "Nothing was" in str(caught.value)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(min_size=1, max_size=300))
def test_any_text_gets_an_answer_or_an_error_of_ours(planner: Planner, request_: str) -> None:
    try:
        answer = planner.plan(request_, HERE)
    except NlshError:
        return
    assert answer.kind in ("plan", "choose", "question", "refusal")
    assert answer.kind in ("question", "refusal") or answer.readings


def test_values_are_the_requests_own_words(planner: Planner) -> None:
    name = "Zx9 –weird— (naïve) 名字.tar.gz"
    answer = planner.plan(f'move "{name}" to /srv/Über-Ablage', HERE)
    values = [v for call in answer.readings[0].plan.calls for v in call.args.values()]
    assert name in values
    assert "/srv/Über-Ablage" in values


def test_text_never_becomes_a_control_token(planner: Planner) -> None:
    control = set(planner.control.values())
    for text in ("<file.trash>", "<eos>", "<plan><file.delete><paths=><w0><w0>", " <cand>"):
        assert not control & set(planner.decoder.tokenize(text))
    assert planner.decoder.tokenize("<eos>", special=True) == [planner.control["<eos>"]]


def test_a_follow_up_refers_to_the_last_result(planner: Planner) -> None:
    found = Context("/home/u", "/home/u", "file.find", (File("/home/u/a.log"),))
    plan = planner.plan("delete those", found).readings[0].plan
    assert [c.action for c in plan.calls] == ["file.trash"]
    assert Ref("_") in plan.calls[0].args.values()
    busy = Context("/home/u", "/home/u", "process.find", (Process(5, "x"),))
    assert planner.plan("kill it", busy).readings[0].plan.calls[0].action == "process.kill"


def test_without_a_last_result_nothing_refers_to_one(planner: Planner) -> None:
    for reading in planner.plan("delete those", HERE).readings:
        assert Ref("_") not in [v for c in reading.plan.calls for v in c.args.values()]


def test_readings_are_ordered_and_confidences_are_probabilities(planner: Planner) -> None:
    readings = planner.plan("show big files", HERE).readings
    assert all(0 <= r.confidence <= 1 for r in readings)
    assert [r.confidence for r in readings] == sorted((r.confidence for r in readings), reverse=True)


@pytest.mark.parametrize("part", ["encoder/encoder.gguf", "planner/planner.gguf", "planner/meanings.bin"])
@pytest.mark.parametrize("damage", ["missing", "cut", "other"])
def test_a_missing_or_damaged_model_is_one_clear_error(tmp_path: Path, part: str, damage: str) -> None:
    for file in ("encoder/encoder.gguf", "planner/planner.gguf", "planner/meanings.bin"):
        place = tmp_path / file
        place.parent.mkdir(exist_ok=True)
        place.symlink_to(models_dir() / file)
    broken = tmp_path / part
    data = broken.read_bytes()
    broken.unlink()
    if damage == "cut":
        broken.write_bytes(data[: len(data) // 2])
    elif damage == "other":
        broken.write_bytes(b"not a model\n" * 10)
    with pytest.raises(ModelError) as caught:
        Planner(Settings(), tmp_path).plan("list files", HERE)
    assert str(broken) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_encoder_is_no_decoder() -> None:
    with pytest.raises(ModelError, match="plans"):
        Planner(Settings(planner=str(models_dir() / "encoder/encoder.gguf"))).plan("list files", HERE)


def test_the_encoder_gives_unit_vectors_that_mean_something(planner: Planner) -> None:
    engine: Engine = planner.encoder
    a, b, c = (engine.embed(t) for t in ("what is eating my ram", "which processes use the most memory", "rename a.txt to b.txt"))
    assert sum(x * x for x in a) == pytest.approx(1, abs=1e-3)
    assert sum(x * y for x, y in zip(a, b, strict=True)) > sum(x * y for x, y in zip(a, c, strict=True)) + 0.3


def test_a_folder_that_says_where_a_file_lies_is_not_left_over(planner: Planner, tmp_path: Path) -> None:
    (tmp_path / "Documents").mkdir()
    (tmp_path / "Documents/note1.txt").touch()
    _, plans, evidence = planner.explain("delete note1.txt in Documents", Context(str(tmp_path), str(tmp_path)))
    named = {str(p.calls[0].args.get("paths")): e.named for p, e in zip(plans, evidence, strict=True) if p.calls[0].action == "file.trash"}
    assert named["Documents/note1.txt"] == 0


def test_the_encoder_knows_which_words_are_arguments_and_a_reading_that_says_otherwise_is_astray(planner: Planner) -> None:
    request = "nothing helps, so restart tomcat"
    read = planner.encoder.read(request)
    inside = planner.roles.inside(request, [planner.encoder.token_text(t) for t in read.tokens], read.states)
    sure = {word.text: p for word, p in zip(lex(request), inside, strict=True)}
    assert (sure["tomcat"] or 0) > 0.8 > 0.2 > (sure["helps"] or 0)
    _, plans, evidence = planner.explain(request, HERE)
    astray = {str(p.calls[0].args.get("name")): e.astray for p, e in zip(plans, evidence, strict=True)}
    assert astray["tomcat"] == 0 < astray.get("helps", 1)
    assert planner.calibration.astray < 0


def test_any_text_can_be_read_for_roles(planner: Planner) -> None:
    chance = random.Random(11)
    for length in [*range(1, 60), 2000]:
        text = "".join(chance.choice("aZ0 .,-_/~\"'“”é́İßﬁ가龘汉🐧👩‍💻\u2581\u200b\u00a0\t") for _ in range(length))
        read = planner.encoder.read(text)
        assert len(planner.roles.inside(text, [planner.encoder.token_text(t) for t in read.tokens], read.states)) == len(lex(text))


ADDED = """\
= vault.keep(what={dir}, on={device})
put {dir} into the vault on {device}
keep {dir} safe in the vault of {device}
{device} is the vault, {dir} goes in
vault {dir} to {device}
把{dir}存进 {device} 的保险库
--
i would sleep better with {dir} in the vault, take {device}
{device} has a vault: put {dir} there
use {device} as the vault for {dir}
on {device}, vault up {dir}
lock {dir} into the vault, {device} please
the vault on {device} should get {dir} today
can the vault take {dir}? it is {device}
into the vault of {device} with {dir}
"""


def test_values_of_an_added_action_go_where_its_examples_have_them(tmp_path: Path) -> None:
    file = tmp_path / "vault.txt"
    file.write_text(ADDED)
    added = unseen.read(file, Corpus(models_dir() / "corpus"))
    planner = unseen.WithAdded(Settings(), models_dir(), added)
    wanted = [(s.request, unseen.plan_of(s)) for s in added[0].held_out]
    found = [(planner.explain(request, HERE)[1][0], plan) for request, plan in wanted]
    assert sum(best == plan for best, plan in found) >= len(wanted) - 2, [p for p, _ in found]


def test_a_request_of_many_names_is_read_as_a_whole(planner: Planner) -> None:
    names = " ".join(f"IMG_20240201_1234{n:02}.jpg" for n in range(75))
    answer = planner.plan(f"delete {names}", HERE)
    assert len(names) < MAX_REQUEST_CHARACTERS and answer.kind in ("plan", "choose", "question")


def test_nothing_is_sure_where_something_is_to_be_kept(planner: Planner, tmp_path: Path) -> None:
    for name in ("notes.txt", "b.txt", "keys.txt", "报告.pdf"):
        (tmp_path / name).touch()
    here = Context(str(tmp_path), str(tmp_path))
    for request in (
        "delete everything except notes.txt",
        "permanently delete all but notes.txt",
        "shred old keys.txt",
        "删除报告.pdf以外的文件",
        "删除旧报告.pdf",
    ):
        answer = planner.plan(request, here)
        assert answer.kind != "plan", (request, answer.readings[0])
    assert planner.plan("delete notes.txt", here).kind == "plan"


@pytest.mark.parametrize("request_", ["throw away the old logs in src", "把 src 里的旧日志删掉", "is nginx alright"])
def test_each_of_the_nearest_meanings_has_a_reading(planner: Planner, request_: str) -> None:
    known = planner.meanings.nearest(planner.encoder.read(request_).vector, follow_up=False)
    written = {tuple(t for t in read.tokens if not t.startswith("<w")) for read in planner.decode(request_, known, None)}
    single = {tuple(dict.fromkeys(tokens)) for tokens in written}  # an argument with several values has its name several times
    for near in known[:SKELETONS]:
        assert tuple(dict.fromkeys(near.skeleton)) in single, near.text
