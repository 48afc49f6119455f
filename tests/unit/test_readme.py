"""The README says what is so: its transcript is real, its commands exist."""

from __future__ import annotations

import re
from pathlib import Path

from nlsh import cli

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_transcript_was_made() -> None:
    found = re.search(r"<!-- transcript: python docs/transcript\.py -->\n```\n(.*?)```\n<!-- end of transcript -->", README, re.S)
    assert found, "run: python docs/transcript.py"
    assert "Run this? [y/N/a/e/?] y" in found[1] and "Done: " in found[1] and "Traceback" not in found[1]


def test_every_command_and_flag_is_named() -> None:
    for command in cli._COMMANDS:
        assert f"nlsh {command}" in README, command
    for flag in ("--yes", "--dry-run", "--json", "--plain", "--no-input", "--allow", "--model", "--explain", "-q", "-v", "--color"):
        assert flag in README, flag
