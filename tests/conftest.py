"""Every test has a home of its own: nothing of the person who runs the tests is read or changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlsh.world import privilege


@pytest.fixture(autouse=True)
def _no_way_to_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test asks this machine's sudo for anything; the one that is about it has users and rules of its own."""
    monkeypatch.setattr(privilege, "folders", ())


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a scratch home folder, which is also the working directory; XDG folders live inside it."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for variable, place in (
        ("XDG_CONFIG_HOME", ".config"),
        ("XDG_STATE_HOME", ".local/state"),
        ("XDG_CACHE_HOME", ".cache"),
        ("XDG_DATA_HOME", ".local/share"),
    ):
        monkeypatch.setenv(variable, str(folder / place))
    for variable in ("NLSH_PLANNER", "NLSH_ENCODER", "NLSH_SURE", "NO_COLOR"):
        monkeypatch.delenv(variable, raising=False)
    # No test leaves a daemon behind: those that are about one say so.
    monkeypatch.setenv("NLSH_DAEMON", "off")
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.chdir(folder)
    return folder
