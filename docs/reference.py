"""Write the reference: one page for each noun with all its actions, arguments, effects, undo and examples, and an index.

    python docs/reference.py [--check]

The pages come from the actions themselves. With --check nothing is written, and a page that is not up to date is an error.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "reference"
sys.path.insert(0, str(ROOT))


def pages() -> dict[str, str]:
    """Return the text of every page by its file name."""
    import importlib

    from nlsh.plan.registry import all_actions

    nouns: dict[str, list[object]] = {}
    for action in all_actions():
        nouns.setdefault(action.name.split(".")[0], []).append(action)
    found = {}
    count = sum(map(len, nouns.values()))
    index = [
        "# Reference",
        "",
        f"All {count} actions, made by `python docs/reference.py` from the actions themselves. In nlsh: `nlsh actions`, `nlsh actions NOUN.VERB`.",
        "",
        "| noun | actions |",
        "| --- | --- |",
    ]
    for noun, actions in sorted(nouns.items()):
        about = (importlib.import_module(f"nlsh.actions.{noun}").__doc__ or "").strip().splitlines()[0]
        found[f"{noun}.md"] = "\n".join([f"# {noun}", "", about, "", *(line for a in actions for line in section(a))]).rstrip() + "\n"
        index.append(f"| [{noun}]({noun}.md) | {', '.join(a.name.split('.')[1] for a in actions)} |")
    found["README.md"] = "\n".join(index) + "\n"
    return found


def section(action: object) -> list[str]:
    """Return the lines about one action."""
    from nlsh.plan.effects import KINDS

    lines = [f"## {action.name}", "", action.summary(), ""]
    if action.Args.fields:
        lines += ["| argument | takes | meaning |", "| --- | --- | --- |"]
        for name, arg in action.Args.fields.items():
            takes = ", ".join(f"`{c}`" for c in arg.type.choices) or arg.type.name
            need = " (needed)" if arg.required else f" (otherwise {_written(arg.default)})" if arg.default not in (None, False) else ""
            lines.append(f"| `{name}` | {takes} | {_cell(arg.help)}{need} |")
        lines.append("")
    effects = ", ".join(f"`{e}`" for e in action.effects) or "none"
    undo = f"no: {action.undo.reason}" if action.undo is not None else "nothing to undo" if not any(KINDS[e][1] for e in action.effects) else "yes"
    lines += [f"Effects: {effects}. Undo: {undo}.", ""]
    for example in action.examples:
        said = " / ".join(f"“{s}”" for s in example.say)
        outcome = f" → refused (`{example.refused}`)" if example.refused else ""
        lines.append(f"- {said}<br>`{example.plan}`{outcome}")
    return [*lines, ""]


def _written(value: object) -> str:
    return ", ".join(f"`{v}`" for v in value) if isinstance(value, tuple) else f"`{value}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def stale() -> list[str]:
    """Return the names of pages that are missing, out of date or nobody's."""
    wanted = pages()
    there = {p.name for p in FOLDER.glob("*.md")}
    return sorted(n for n in there | set(wanted) if n not in wanted or n not in there or (FOLDER / n).read_text(encoding="utf-8") != wanted[n])


def main() -> int:
    if "--check" in sys.argv[1:]:
        old = stale()
        for name in old:
            print(f"docs/reference/{name} is not up to date: python docs/reference.py", file=sys.stderr)
        return 1 if old else 0
    wanted = pages()
    FOLDER.mkdir(exist_ok=True)
    for page in FOLDER.glob("*.md"):
        if page.name not in wanted:
            page.unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    print(f"{len(wanted)} pages in docs/reference")
    return 0


if __name__ == "__main__":
    sys.exit(main())
