"""The bootstrap's decisions; the environment itself is made by whoever runs the tests."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nlsh import bootstrap

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> Path:
    """Return a clone in which nothing is set up, whose pip only writes down what it was told."""
    folder = tmp_path / "clone"
    folder.mkdir()
    (folder / "pyproject.toml").write_text('dependencies = ["llama-cpp-python==1.2.3"]')
    monkeypatch.setattr(bootstrap, "ROOT", folder)
    monkeypatch.setattr(bootstrap, "VENV", folder / ".venv")
    monkeypatch.setattr(bootstrap, "STAMP", folder / ".venv" / "stamp.json")
    for variable in ("CMAKE_ARGS", "NLSH_PREBUILT"):
        monkeypatch.delenv(variable, raising=False)
    return folder


@pytest.fixture
def told(clone: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []

    def make() -> None:
        (clone / ".venv" / "bin").mkdir(parents=True, exist_ok=True)
        (clone / ".venv" / "bin" / "python").touch()

    monkeypatch.setattr(bootstrap, "_make_venv", make)
    monkeypatch.setattr(bootstrap, "_pip", lambda *words: found.append(words))
    monkeypatch.setattr(bootstrap, "_compile", lambda version, folder: (found.append(("compile", version)), (folder / "llama.whl").touch()))
    return found


def test_it_runs_without_anything_installed() -> None:
    tree = ast.parse((ROOT / "nlsh" / "bootstrap.py").read_text())
    names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    names |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert {n.split(".")[0] for n in names} <= sys.stdlib_module_names
    done = subprocess.run([sys.executable, "-I", "-S", str(ROOT / "nlsh" / "bootstrap.py")], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2 and done.stderr.startswith("usage:")


def test_the_compile_is_cached_and_a_repeat_does_nothing(clone: Path, told: list[tuple[str, ...]]) -> None:
    bootstrap.ensure(dev=False)
    assert [w[0] for w in told] == ["compile", "install", "install"]
    told.clear()
    bootstrap.ensure(dev=False)
    assert told == []
    (clone / ".venv" / "stamp.json").unlink()
    bootstrap.ensure(dev=False)
    assert ("compile", "1.2.3") not in told and len(told) == 2


def test_dev_is_added_and_stays(clone: Path, told: list[tuple[str, ...]]) -> None:
    bootstrap.ensure(dev=False)
    bootstrap.ensure(dev=True)
    assert told[-1][-1] == f"{clone}[dev]"
    told.clear()
    bootstrap.ensure(dev=False)
    assert told == []


def test_a_changed_pyproject_installs_again(clone: Path, told: list[tuple[str, ...]]) -> None:
    bootstrap.ensure(dev=False)
    told.clear()
    (clone / "pyproject.toml").write_text('dependencies = ["llama-cpp-python==1.2.4"]')
    bootstrap.ensure(dev=False)
    assert told[0] == ("compile", "1.2.4")


def test_other_flags_are_another_wheel(clone: Path, told: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    bootstrap.ensure(dev=False)
    before = bootstrap.wheel_dir("1.2.3")
    told.clear()
    monkeypatch.setenv("CMAKE_ARGS", "-DGGML_CUDA=ON")
    assert bootstrap.wheel_dir("1.2.3") != before
    assert bootstrap.cmake_args().endswith("-DGGML_CUDA=ON")
    bootstrap.ensure(dev=False)
    assert told[0] == ("compile", "1.2.3")


def test_prebuilt_compiles_nothing(clone: Path, told: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NLSH_PREBUILT", "1")
    bootstrap.ensure(dev=False)
    assert not any(w[0] == "compile" for w in told)
    assert bootstrap.PREBUILT_INDEX in told[0] and "--only-binary" in told[0]


def test_a_broken_stamp_is_no_stamp(clone: Path, told: list[tuple[str, ...]]) -> None:
    bootstrap.ensure(dev=False)
    for text in ("", "[]", "{", json.dumps({"wanted": "x"})):
        told.clear()
        bootstrap.STAMP.write_text(text)
        bootstrap.ensure(dev=False)
        assert told


def test_no_prebuilt_wheel_is_said_with_what_to_do(clone: Path, told: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*words: str) -> None:
        raise bootstrap.SetupError("pip failed")

    monkeypatch.setenv("NLSH_PREBUILT", "1")
    monkeypatch.setattr(bootstrap, "_pip", fail)
    with pytest.raises(bootstrap.SetupError, match="without NLSH_PREBUILT it is compiled"):
        bootstrap.ensure(dev=False)
    assert not bootstrap.STAMP.exists()


def test_progress_of_the_compile_is_ninjas_own_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bootstrap, "_QUIET_S", 0.0)
    lines = "collecting\n  [1/140] g++ a.cpp\nwarning\n  [140/140] link\n"
    with (tmp_path / "log").open("w") as log, subprocess.Popen(["printf", lines], stdout=subprocess.PIPE, text=True) as process:
        bootstrap._follow(process, log)
    assert (tmp_path / "log").read_text() == lines
    said = capsys.readouterr().err
    assert "1 of 140" in said and "140 of 140" in said and "g++" not in said


def test_a_failed_compile_shows_the_end_of_its_log_and_leaves_no_wheel(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = clone / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho 'error: no such instruction'\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(bootstrap.SetupError, match="no such instruction"):
        bootstrap._install_llama("1.2.3")
    assert not list(bootstrap.wheel_dir("1.2.3").glob("*.whl"))


def test_no_compiler_is_said_with_what_to_do(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(bootstrap.SetupError, match="NLSH_PREBUILT=1"):
        bootstrap._compile("1.2.3", clone)


def test_no_ensurepip_is_said_with_what_to_do(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(bootstrap.SetupError, match="venv"):
        bootstrap._make_venv()
    assert not (clone / ".venv").exists()


def test_the_readme_and_the_pin_agree() -> None:
    readme = (ROOT / "README.md").read_text()
    assert "python3 -m nlsh.bootstrap run" in readme and "python3 -m nlsh.bootstrap test" in readme
    assert bootstrap._pinned_version() == "0.3.36"
