"""In which order texts stand: by letters whatever their case, and common Chinese characters by their sound, as a dictionary has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

# The common characters of Chinese, in GB 2312 from B0A1 to D7F9: they stand there by pinyin.
_FIRST, _LAST = 0xB0A1, 0xD7F9
_CHINESE = (0x4E00, 0x9FFF)
_KANA = (0x3040, 0x30FF)


class _Sounds(dict[int, int]):
    """Where a character stands: common Chinese ones by their sound, behind them the others, all else where it is in Unicode."""

    def __missing__(self, point: int) -> int:
        place = point
        if _CHINESE[0] <= point <= _CHINESE[1]:
            # Both kinds within the two blocks at the end of Unicode that are for private use: they stay behind every letter, and beside one another.
            raw = int.from_bytes(_gb2312(chr(point)), "big")
            place = 0xF0000 + raw if _FIRST <= raw <= _LAST else 0x100000 + point
        self[point] = place
        return place


_SOUNDS = _Sounds()


def _gb2312(char: str) -> bytes:
    return char.encode("gb2312", "ignore")


def by_letters(text: str) -> str:
    """Return what to sort a text by: its letters, in any case."""
    return text.casefold()


def by_sound(text: str) -> str:
    """Return what to sort a text by that may be Chinese.

    >>> sorted(["张三", "李四", "王五", "阿明", "bob", "Al"], key=by_sound)
    ['Al', 'bob', '阿明', '李四', '王五', '张三']
    """
    # LIMIT: a character with several sounds has the place of its commonest one: the surname 曾 stands at céng.
    return text.casefold().translate(_SOUNDS)


def has_rare(text: str) -> bool:
    """Return whether a Chinese character is in the text whose sound `by_sound` does not know."""
    return not text.isascii() and any(_SOUNDS[ord(c)] >= 0x100000 for c in text)


def order_in(texts: Iterable[str]) -> Callable[[str], str]:
    """Return what to sort texts by: by sound where there is Chinese in them and nothing that only Japanese has."""
    chinese = False
    for text in texts:
        if text.isascii():
            continue
        if any(_KANA[0] <= ord(c) <= _KANA[1] for c in text):
            return by_letters
        chinese = chinese or any(_CHINESE[0] <= ord(c) <= _CHINESE[1] for c in text)
    return by_sound if chinese else by_letters
