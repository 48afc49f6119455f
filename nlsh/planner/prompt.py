"""The decoder's prompt, the same in training and in use: the words of the request, each behind its index, then the nearest known meanings.

<bos> [<prev> <file.find>] <usr> <w0> move <w1> a.txt … <cand> <file.move> <what=> <to=> <cand> … <plan>

What the decoder has no token for goes by an alias, and the words of its name stand behind it: <cand> <any0> lamp dim <any0=> room <any1=> level.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from nlsh.planner.lexer import Word
from nlsh.planner.simplified import simplified
from nlsh.planner.vocabulary import WORDS, said

CANDIDATES = 3
MAX_WORD_TOKENS = 8
MAX_NAME_TOKENS = 6


def build(
    words: Sequence[Word],
    candidates: Sequence[Sequence[str]],
    previous: str | None,
    control: Callable[[str], int],
    text: Callable[[str], list[int]],
    really: Mapping[str, str] | None = None,
) -> list[int]:
    """Return the prompt's token ids.

    `control` gives the id of a control token, `text` the ids of plain text (never a control token, whatever it says), `really` the token that an alias
    stands for. A long word is clipped in its middle: the model needs to see that it is a path and how it ends, not all of it.
    """
    ids = [control("<bos>")]
    if previous is not None:
        ids += [control("<prev>"), control(f"<{previous}>")]
    ids.append(control("<usr>"))
    for index, word in enumerate(words):
        shown = simplified(word.text)
        pieces = text(f" {shown}" if word.spaced else shown)
        if len(pieces) > MAX_WORD_TOKENS:
            pieces = pieces[: MAX_WORD_TOKENS - 3] + pieces[-3:]
        ids.append(control(WORDS[index]))
        ids += pieces
    for candidate in candidates[:CANDIDATES]:
        ids.append(control("<cand>"))
        for token in candidate:
            ids.append(control(token))
            if really and token in really:
                ids += text(f" {said(really[token])}")[:MAX_NAME_TOKENS]
    ids.append(control("<plan>"))
    return ids
