"""The generated reference is up to date, lists every action, and its check finds what is not."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from nlsh.plan import registry

SOURCE = Path(__file__).resolve().parents[2] / "docs" / "reference.py"


@pytest.fixture
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", SOURCE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_is_up_to_date(reference: ModuleType) -> None:
    assert reference.stale() == []


def test_every_action_with_its_examples_is_in_it(reference: ModuleType) -> None:
    text = "\n".join(reference.pages().values())
    for action in registry.all_actions():
        assert f"\n## {action.name}\n" in text
        for example in action.examples:
            assert f"`{example.plan}`" in text and example.say[0] in text


def test_the_check_finds_a_stale_page(reference: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(reference.FOLDER, tmp_path / "reference")
    monkeypatch.setattr(reference, "FOLDER", tmp_path / "reference")
    assert reference.stale() == []
    (tmp_path / "reference" / "file.md").write_text("old")
    (tmp_path / "reference" / "nobody.md").write_text("")
    (tmp_path / "reference" / "text.md").unlink()
    assert reference.stale() == ["file.md", "nobody.md", "text.md"]
