"""Traditional characters are shown to the models as simplified ones; what is copied stays as it was written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nlsh.planner import prompt
from nlsh.planner.lexer import lex
from nlsh.planner.roles import piece_starts
from nlsh.planner.simplified import simplified


@given(st.text(max_size=200))
def test_every_word_stays_where_it_is(text: str) -> None:
    as_read = simplified(text)
    assert len(as_read) == len(text) and simplified(as_read) == as_read
    assert [(w.start, w.end, w.spaced) for w in lex(as_read)] == [(w.start, w.end, w.spaced) for w in lex(text)]


def test_what_is_simplified_and_what_is_not() -> None:
    assert simplified("把檔案壓縮後刪除，資料夾裡的照片") == "把档案压缩后删除，资料夹里的照片"
    assert simplified("报告 notes.txt — naïve カタカナ") == "报告 notes.txt — naïve カタカナ"


def test_the_prompt_and_the_pieces_are_of_simplified_words() -> None:
    shown: list[str] = []
    prompt.build(lex("刪除 舊報告.pdf"), [], None, lambda _: 0, lambda text: shown.append(text) or [])
    assert "".join(shown).replace(" ", "") == "删除旧报告.pdf"
    assert piece_starts("刪除舊報告", ["[CLS]", *"删除旧报告", "[SEP]"]) == [-1, 0, 1, 2, 3, 4, -1]
