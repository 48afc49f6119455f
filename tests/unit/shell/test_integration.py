"""What other shells source, the man page and the schema of --json: made from what there is, and valid to those who read it."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from nlsh.cli import _parser
from nlsh.settings import Settings
from nlsh.shell.options import Options, UsageError
from nlsh.shell.prompt import integration
from tests.journeys.conftest import ROOT

SHELLS = {"bash": integration.bash, "zsh": integration.zsh, "fish": integration.fish}


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_and_flag_completes(shell: str) -> None:
    made = SHELLS[shell](_parser())
    for name in integration.commands(_parser()):
        assert name in made
    assert "dry-run" in made and "file.find" in made
    if (program := shutil.which(shell)) is not None:
        subprocess.run([program, "-n"], input=made, text=True, check=True, timeout=30)


def test_the_man_page_names_all_there_is_and_roff_reads_it() -> None:
    page = integration.man(_parser())
    said = page.replace("\\-", "-")
    for flag in ("--dry-run", "--null", "--no-input", "-c", "--json"):
        assert flag in said
    for name in (*integration.commands(_parser()), *(f"NLSH_{f.name.upper()}" for f in dataclasses.fields(Settings))):
        assert name in said
    assert page.isascii()
    if (groff := shutil.which("groff")) is not None:
        done = subprocess.run([groff, "-man", "-Tascii", "-ww"], input=page, text=True, capture_output=True, check=True, timeout=60)
        assert (done.stderr == "" and "EXIT STATUS" in done.stdout.replace("\x08", "").replace("_", "")) or "XI" in done.stdout


def test_another_shell_is_a_usage_error() -> None:
    with pytest.raises(UsageError):
        integration.run(Options(words=["csh"]), _parser())


def _module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("json_schema", ROOT / "docs" / "json_schema.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_the_schema_promises_still_holds() -> None:
    module = _module()
    file = ROOT / "docs" / "json-schema-1.json"
    assert module.broken(json.loads(file.read_text()), module.schema()) == []
    # It would be noticed.
    less = module.schema()
    del less["$defs"]["File"]["properties"]["size_bytes"]
    assert module.broken(json.loads(file.read_text()), less)


def test_what_is_printed_is_of_the_schema(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    from nlsh.cli import main

    (home / "a.txt").write_text("a")
    plans = (
        ["file.list()"],
        ["-n", 'file.trash("a.txt")'],
        ["--yes", 'file.trash("a.txt")'],
        ['file.trash("a.txt")'],
        ["resource.memory()"],
        ['file.read("no")'],
    )
    for words in plans:
        main(["--json", *words[:-1], "plan", words[-1]])
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert len(lines) >= len(plans) and {"preview", "outcome", "error"} <= {k for line in lines for k in line}
    check = jsonschema.Draft202012Validator(_module().schema())
    for line in lines:
        check.validate(line)
    assert not check.is_valid({"record": "File"}) and not check.is_valid({"outcome": {}})
