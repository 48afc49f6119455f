"""What points at the turn before is resolved by code: places, rows, kinds, and the plan itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlsh.plan import registry
from nlsh.plan.records import File
from nlsh.planner.answer import Answer, Context, Reading
from nlsh.planner.refer import resolve, whole

FILES = tuple(File(f"/home/me/docs/{n}") for n in ("a.txt", "b.pdf", "c.txt"))


def nothing(request: str, context: Context) -> Answer:
    """Stand for a decoder that must not be asked."""
    pytest.fail(f"asked about “{request}”")


def decoder(**known: str) -> object:
    """Return a decoder that knows these requests and nothing else."""

    def ask(request: str, context: Context) -> Answer:
        plan = known.get(request.replace(" ", "_"))
        return Answer("plan", (Reading(registry.parse(plan), 0.9),)) if plan else Answer("question", (), "What?")

    return ask


def context(tmp_path: Path, plan: str = 'file.list("docs")', records: tuple[File, ...] = FILES) -> Context:
    return Context(str(tmp_path), str(tmp_path), "file.list", records, (), registry.parse(plan))


def text(answer: Answer | None) -> str:
    assert answer is not None and answer.readings
    return registry.format(answer.readings[0].plan)


@pytest.mark.parametrize(
    ("said", "plan"),
    [
        ("the second one", 'result.take(_, nth="2")'), ("show me the third one", 'result.take(_, nth="3")'), ("第二个", 'result.take(_, nth="2")'),
        ("the last one", 'result.take(_, last="1")'), ("最后一个", 'result.take(_, last="1")'), ("number 3", 'result.take(_, nth="3")'),
        ("只要pdf", 'result.filter(_, kind="pdf")'), ("只看 txt 文件", 'result.filter(_, kind="txt")'),
    ],
)  # fmt: skip
def test_rows_of_the_last_result(tmp_path: Path, said: str, plan: str) -> None:
    assert text(resolve(said, context(tmp_path), nothing)) == plan


@pytest.mark.parametrize(
    ("said", "nth"), [("第十二个", "12"), ("第二十个", "20"), ("第 21 个", "21"), ("the twelfth one", "12"), ("the 21st one", "21"), ("number eleven", "11")]
)
def test_a_row_far_down_is_that_row_and_no_other(tmp_path: Path, said: str, nth: str) -> None:
    many = tuple(File(f"/home/me/docs/{n}") for n in range(30))
    assert text(resolve(said, context(tmp_path, records=many), nothing)) == f'result.take(_, nth="{nth}")'
    answer = resolve(said, context(tmp_path), nothing)
    assert answer is not None and not answer.readings and f"no number {nth}" in answer.message


def test_what_is_no_row_is_not_taken_for_one(tmp_path: Path) -> None:
    assert resolve("第十二次提交", context(tmp_path), nothing) is None


@pytest.mark.parametrize(
    "said",
    [
        "do that for ~/Music too",
        "same for ~/Music",
        "and in ~/Music?",
        "what about ~/Music",
        "对 ~/Music 也这样做",
        "~/Music 也一样",
        "now do the same in ~/Music",
    ],
)
def test_the_last_plan_in_another_place(tmp_path: Path, said: str) -> None:
    changed = resolve(said, context(tmp_path, 'a = file.find("docs", kind="pdfs"); file.move(a, to="~/x")'), nothing)
    assert text(changed) == 'a = file.find("~/Music", kind="pdfs")\nfile.move(a, to="~/x")'


@pytest.mark.parametrize("said", ["again", "do it again", "再来一次", "once more"])
def test_the_last_plan_again(tmp_path: Path, said: str) -> None:
    assert text(resolve(said, context(tmp_path), nothing)) == 'file.list("docs")'


def test_what_is_done_with_one_row_is_the_decoders_and_which_row_is_not(tmp_path: Path) -> None:
    ask = decoder(delete_those="file.trash(_)", 删掉这个="file.trash(_)")
    assert text(resolve("delete the second one", context(tmp_path), ask)) == 'one = result.take(_, nth="2")\nfile.trash(one)'  # type: ignore[arg-type]
    assert text(resolve("删掉第三个", context(tmp_path), ask)) == 'one = result.take(_, nth="3")\nfile.trash(one)'  # type: ignore[arg-type]


def test_a_decoder_that_takes_another_row_is_not_believed(tmp_path: Path) -> None:
    ask = decoder(delete_the_second_one='a = result.take(_, first="1"); file.trash(a)')
    answer = resolve("delete the second one", context(tmp_path), ask)  # type: ignore[arg-type]
    assert answer is not None and answer.kind == "question" and not answer.readings


def test_a_row_that_is_not_there_is_a_question(tmp_path: Path) -> None:
    answer = resolve("delete the ninth one", context(tmp_path), nothing)
    assert answer is not None and answer.kind == "question" and "the last result has 3" in answer.message


@pytest.mark.parametrize(
    "said", ["find pdf files", "show the first file in docs", "do that", "the secondary disk", "undo that", "only the pdfs", "and then some"]
)
def test_what_does_not_plainly_point_is_left_to_the_decoder(tmp_path: Path, said: str) -> None:
    assert resolve(said, context(tmp_path), nothing) is None


def test_without_a_turn_before_nothing_points(tmp_path: Path) -> None:
    alone = Context(str(tmp_path), str(tmp_path))
    assert [resolve(t, alone, nothing) for t in ("the second one", "again", "do that for ~/Music too", "只要pdf")] == [None] * 4


def test_a_plan_over_the_last_result_is_kept_whole() -> None:
    found, only = registry.parse('file.find("docs", kind="pdfs")'), registry.parse('result.filter(_, larger="1MB")')
    assert registry.format(whole(only, found)) == 'found = file.find("docs", kind="pdfs")\nresult.filter(found, larger="1MB")'
    # What changed something is not done once more to find out what was meant.
    moved = registry.parse('file.move("a", to="b")')
    assert whole(only, moved) == only
