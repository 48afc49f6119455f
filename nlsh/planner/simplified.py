"""Traditional Chinese as the models read it: in simplified characters, one for one, so that every word stays where it is.

The pretrained encoder has few Chinese characters and room for a thousand more, and most of what is written about computers here is simplified. What a plan
copies from a request stays as it was written: only what the models are shown is changed.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("traditional.txt")


def simplified(text: str) -> str:
    """Return a text of the same length with its traditional characters simplified.

    >>> simplified("刪除舊報告.pdf")
    '删除旧报告.pdf'
    """
    return text if text.isascii() else text.translate(_table())


@cache
def _table() -> dict[int, int]:
    rows = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return str.maketrans("".join(rows[::2]), "".join(rows[1::2]))
