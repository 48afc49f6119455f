"""A package imports only packages above it: plan, world, steps, actions, guard, journal, kernel, planner, …, shell, and then the entrances."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent / "nlsh"
# Lower may be imported by higher; those of one line may not import each other.
LAYERS = (
    ("plan",),
    ("world",),
    ("steps",),
    ("resources",),
    ("actions",),
    ("guard",),
    ("journal",),
    ("kernel",),
    ("planner",),
    ("modelkit", "monitor", "servers", "skills"),
    ("shell",),
    ("api", "testing"),
    ("mcp",),
    ("cli",),
    ("__main__",),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
# Usable everywhere: where things are kept, what ships, how nlsh says no.
EVERYWHERE = {"nlsh", "nlsh.settings", "nlsh.shipped", "nlsh.plan.errors"}
# A step goes by its name and an action by its own: what looks the class up for a name must import from below.
EXCEPTIONS = {
    ("nlsh.plan.steps", "nlsh.steps"),  # step_from_data finds the class of a step
    ("nlsh.plan.action", "nlsh.steps.observe"),  # an action that only reads is one Observe
}
# Stand-alone: used before anything else is installed.
OUTSIDE = {"bootstrap"}


def modules() -> list[Path]:
    return sorted(p for p in ROOT.rglob("*.py") if p.relative_to(ROOT).parts[0].removesuffix(".py") in LEVEL)


def name_of(file: Path) -> str:
    parts = ("nlsh", *file.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def runtime_imports(file: Path) -> Iterator[str]:
    """Yield what a module imports when it runs, inside functions too; what is only for type checkers is left out."""
    tree = ast.parse(file.read_text())
    hidden = {n for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) for n in ast.walk(node)}
    for node in ast.walk(tree):
        if node in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative imports are not used"
            base = str(node.module)
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                place = ROOT.parent.joinpath(*whole.split("."))
                yield whole if place.is_dir() or place.with_suffix(".py").is_file() else base


@pytest.mark.parametrize("file", modules(), ids=name_of)
def test_imports_point_downwards(file: Path) -> None:
    importer = name_of(file)
    own = importer.split(".")[1]
    for imported in runtime_imports(file):
        if not imported.startswith("nlsh.") or imported in EVERYWHERE or (importer, imported) in EXCEPTIONS:
            continue
        package = imported.split(".")[1]
        assert package in LEVEL, f"{importer} imports {imported}, which is in no layer"
        assert package == own or LEVEL[package] < LEVEL[own], f"{importer} imports {imported}, which is above it"


def test_every_package_is_in_a_layer() -> None:
    found = {p.stem for p in ROOT.iterdir() if p.suffix == ".py" or (p.is_dir() and any(p.glob("*.py")))}
    known = set(LEVEL) | OUTSIDE | {n.removeprefix("nlsh.") for n in EVERYWHERE} | {"__init__"}
    assert found <= known, found - known
