"""What counts as the same plan when plans are scored: what would do the same, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlsh.modelkit.evaluate import Case, furnished, meaning_of
from nlsh.plan.registry import parse


def _same(one: str, other: str) -> bool:
    return meaning_of(parse(one)) == meaning_of(parse(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('file.find(under="my home folder")', 'file.find(under="~")'),
        ('file.find(under="the downloads folder")', 'file.find(under="~/Downloads")'),
        ('file.list("下载")', 'file.list("Downloads")'),
        ('file.find(under="the src folder", larger="2 gigs")', 'file.find(under="src", larger="2GB")'),
        ('a = file.find(kind="pdf")\nfile.trash(a)', 'x = file.find(kind="pdf")\nfile.trash(x)'),
    ],
)
def test_the_same(one: str, other: str) -> None:
    assert _same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('file.find(under="my home folder")', 'file.find(under="/")'),
        ('file.find(under="src")', "file.find()"),
        ('file.trash("a.txt")', 'file.delete("a.txt")'),
        ('file.trash("new project")', 'file.trash("project")'),
        ('file.find(larger="2GB")', 'file.find(smaller="2GB")'),
    ],
)
def test_not_the_same(one: str, other: str) -> None:
    assert not _same(one, other)


def test_a_case_finds_the_files_it_is_about_and_not_those_it_makes() -> None:
    plans = ('file.move(["a b.txt", "~/x/notes"], to="new")', 'text.search(text="x", under="my logs folder")', 'folder.create("made")', 'file.trash("/etc/x")')
    case, *others = (Case("", parse(p), "en", "test") for p in plans)
    with furnished(case, others) as home:
        here = Path(home)
        assert (here / "a b.txt").is_file() and (here / "x/notes").is_dir() and (here / "logs").is_dir() and (here / "Downloads").is_dir()
        assert not (here / "new").exists() and not (here / "made").exists() and not (here / "etc").exists()
    assert not here.exists()
