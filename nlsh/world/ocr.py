"""Text in pictures, by tesseract: which languages it has here, and what it reads. Only the confined worker has it look at a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nlsh.plan.errors import NotPossible
from nlsh.world import tools

_UNCHANGED = "Nothing was changed."
_USUAL = ("eng", "chi_sim")


def program() -> str:
    """Return tesseract's path. Raises NotPossible where it is not installed."""
    return tools.find("tesseract", why="read text in pictures", install="tesseract-ocr (tesseract)")


def languages(tesseract: str, wanted: str | None) -> tuple[str, ...]:
    """Return the languages to read: the one that is wanted, else English and Chinese as far as they are here. Raises NotPossible."""
    here = {line.strip() for line in tools.output((tesseract, "--list-langs")).splitlines()[1:]}
    if wanted and wanted not in here:
        raise NotPossible(
            f"Not available here, because tesseract has no data for the language {wanted}.",
            hint=f"{_UNCHANGED} Install tesseract-ocr-{wanted.replace('_', '-')} and ask again.",
        )
    found = (wanted,) if wanted else tuple(n for n in _USUAL if n in here) or tuple(sorted(here - {"osd"})[:1])
    if not found:
        raise NotPossible("Not available here, because tesseract has no data for any language.", hint=f"{_UNCHANGED} Install tesseract-ocr-eng.")
    return found


def reading(tesseract: str, path: str, languages: Sequence[str]) -> tuple[str, ...]:
    """Return the command that writes what it reads in the picture `path`."""
    return (tesseract, path, "stdout", "-l", "+".join(languages))


def lines(tesseract: str, path: str, languages: Sequence[str]) -> Iterator[str]:
    """Yield the lines of text in a picture, without empty ones at the end. Raises NotPossible for what tesseract cannot read as a picture."""
    try:
        said = tools.output(reading(tesseract, path, languages), seconds=600, extra={"OMP_THREAD_LIMIT": "1"})
    except tools.ToolFailed as error:
        raise NotPossible(f"{path} is not a picture that tesseract can read.", hint=_UNCHANGED) from error
    yield from said.replace("\f", "").rstrip().splitlines()
