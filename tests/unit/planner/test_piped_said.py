"""What points at a text from a pipe is seen, what is about something else is not, and what comes out is over `_`."""

from __future__ import annotations

import pytest

from nlsh.plan import registry
from nlsh.plan.records import Line
from nlsh.planner.answer import Answer, Context, Reading
from nlsh.planner.piped_said import is_plain, resolve, rewritten

TEXT = (Line("b", 1), Line("a", 2))


def context(action: str = "stdin") -> Context:
    return Context("/", "/", action, TEXT)


def decoder(plan: str, *, kind: str = "plan", confidence: float = 0.9, asked: list[str] | None = None) -> object:
    """Return a decoder that answers every request with these plans, which ` | ` divides."""

    def ask(request: str, context: Context) -> Answer:
        if asked is not None:
            asked.append(request)
        readings = tuple(Reading(registry.parse(p), confidence) for p in plan.split(" | ") if p)
        return Answer(kind, readings)  # type: ignore[arg-type]

    return ask


def plan(answer: Answer | None) -> str:
    assert answer is not None and answer.readings
    return "; ".join(registry.format(answer.readings[0].plan).splitlines())


@pytest.mark.parametrize(
    ("said", "as_a_file"),
    [
        ("sort these lines", "sort the lines of input.txt"), ("sort this", "sort input.txt"), ("sort it by number", "sort input.txt by number"),
        ("count the lines", "count the lines of input.txt"), ("how many words is that", "how many words is input.txt"),
        ("only the lines with foo", "only the lines of input.txt with foo"), ("lines without foo", "lines of input.txt without foo"),
        ("how many lines", "how many lines are in input.txt"), ("sort the input", "sort input.txt"),
        ("count the words in stdin", "count the words in input.txt"),
        ("which of these lines contain foo", "which lines of input.txt contain foo"), ("how many words does it have", "how many words does input.txt have"),
        ("only the lines with example.org", "only the lines of input.txt with example.org"),
        ("the first 3 lines", "the first 3 lines of input.txt"), ("extract the emails from this", "extract the emails from input.txt"),
        ("the average of column 2 of this", "the average of column 2 of input.txt"), ("把这些行排序", "把input.txt排序"), ("有多少行", "input.txt有多少行"),
        ("只要包含foo的行", "只要input.txt里包含foo的行"), ("把它排序", "把input.txt排序"),
    ],
)  # fmt: skip
def test_what_points_at_the_text(said: str, as_a_file: str) -> None:
    assert rewritten(said) == as_a_file


@pytest.mark.parametrize(
    "said",
    [
        "count the lines in main.py", "how many lines of python are in src", "only the lines with foo in notes", "find a.txt and sort it", "undo that",
        "what is this", "open it", "the process that uses most memory", "files that are larger than 1MB", "how full is this disk",
        "set the input volume to 50%", "how many files are in this folder", "show lines 10 to 20 of server.log", "which of these are larger than 1MB",
        "统计src里的行数", "a.txt有多少行", "在notes.txt里找包含foo的行", "count the words in my essay", "the average price of these files",
    ],
)  # fmt: skip
def test_what_is_about_something_else_reads_no_stdin(said: str) -> None:
    assert rewritten(said) == ""


def test_them_is_the_text_only_where_there_is_one() -> None:
    assert rewritten("sort them") == "" and rewritten("sort them", piped=True) == "sort input.txt"


def test_nothing_on_stdin_matters_only_to_what_can_be_about_nothing_else() -> None:
    assert is_plain("sort these lines") and is_plain("count the words in stdin")
    assert not is_plain("count the lines") and not is_plain("sort it")


def test_the_name_becomes_the_last_result_again() -> None:
    asked: list[str] = []
    answer = resolve("sort these lines", context(), decoder('text.sort("input.txt", reverse=true)', asked=asked))
    assert plan(answer) == "text.sort(_, reverse=true)" and asked == ["sort the lines of input.txt"]


def test_it_is_about_a_pipe_and_not_about_an_earlier_result() -> None:
    assert resolve("sort these lines", context("file.read"), decoder('text.sort("input.txt")')) is None


def test_a_search_in_the_text_is_its_lines_and_equal_readings_are_one() -> None:
    both = 'text.search("foo", under="input.txt") | text.filter("input.txt", containing="foo")'
    answer = resolve("the lines that contain foo", context(), decoder(both, kind="choose", confidence=0.4))
    assert answer is not None and answer.kind == "plan" and len(answer.readings) == 1
    assert plan(answer) == 'text.filter(_, containing="foo")'


@pytest.mark.parametrize("wanted", ['file.copy("input.txt", to="out.txt")', 'text.validate("input.txt")', 'text.replace("a", by="b", under="input.txt")'])
def test_what_needs_a_file_is_refused_in_words(wanted: str) -> None:
    answer = resolve("turn the input into something else", context(), decoder(wanted))
    assert answer is not None and answer.kind == "refusal" and not answer.readings
    assert answer.message.startswith(f"{wanted.partition('(')[0]} needs a file, and what came on the pipe is only its text.")


@pytest.mark.parametrize(("said", "what"), [("delete these lines", "To delete it"), ("save the input as x", "To save it"), ("把这些行删掉", "“删”")])
def test_what_is_done_to_files_is_refused_and_not_taken_for_something_else(said: str, what: str) -> None:
    answer = resolve(said, context(), decoder('text.unique("input.txt")'))
    assert answer is not None and answer.kind == "refusal" and answer.message.startswith(f"{what} needs a file")


def test_lines_that_are_not_wanted_are_left_out() -> None:
    asked: list[str] = []
    assert plan(resolve("delete the lines with foo", context(), decoder('text.filter("input.txt", without="foo")', asked=asked)))
    assert asked == ["only the lines of input.txt without foo"]


def test_lines_that_hold_something_are_counted() -> None:
    answer = resolve("how many of these lines have foo", context(), decoder('text.filter("input.txt", containing="foo")'))
    assert plan(answer) == 'found = text.filter(_, containing="foo"); result.count(found)'


@pytest.mark.parametrize(("said", "read"), [("the last line", 'file.read(_, last="1")'), ("show me the first line of it", 'file.read(_, first="1")')])
def test_one_line_by_its_place(said: str, read: str) -> None:
    assert plan(resolve(said, context(), decoder(""))) == read


def test_a_reading_that_leaves_out_half_of_what_is_said_is_asked_about() -> None:
    answer = resolve("sort these lines and show the first 2", context(), decoder('file.read("input.txt", first="2")'))
    assert answer is not None and answer.kind == "choose"


def test_what_changes_something_besides_is_not_made_surer() -> None:
    both = 'text.sort("input.txt"); file.trash("old.txt")'
    answer = resolve("sort these lines", context(), decoder(both, kind="choose", confidence=0.8))
    assert answer is not None and answer.kind == "choose"


def test_a_file_that_is_called_as_the_text_is_to_the_decoder_stays_that_file() -> None:
    assert resolve("sort these lines like input.txt", context(), decoder('text.sort("input.txt")')) is None


def test_what_is_not_about_the_text_is_no_reading() -> None:
    assert resolve("lines with foo", context(), decoder('text.search("foo")')) is None


def test_them_may_be_the_lines_one_by_one() -> None:
    answer = resolve("how many are those", context(), decoder("result.count(_)"))
    assert plan(answer) == "result.count(_)"
