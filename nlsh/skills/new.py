"""Write a new pack: an example to begin with, or what was done last, from the journal."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nlsh.plan import registry
from nlsh.plan.errors import BadArgument, NlshError, NotFound, Refused
from nlsh.plan.plan import LAST, Plan, Ref
from nlsh.skills.load import NAME, folders

_EXAMPLE: dict[str, Any] = {
    "entries": {
        "old": {
            "summary": "Move files that have not changed for a while to the trash",
            "say": ["throw away what is old in my inbox"],
            "requires": ["file.find", "file.trash"],
            "effects": ["fs.read:{folder}", "fs.delete:{folder}", "fs.write:{trash}"],
            "plan": 'stale = file.find(under="{folder}", type="file", older="{age}"); file.trash(stale)',
            "parameters": {
                "folder": {"type": "path", "help": "Where to look.", "default": "~/Inbox"},
                "age": {"type": "duration", "help": "How long a file has not changed.", "default": "30d"},
            },
            "tests": [
                {
                    "name": "old files go, new ones stay",
                    "given": {"Inbox/old.txt": {"text": "1", "age": "40d"}, "Inbox/new.txt": "2"},
                    "after": {"Inbox/new.txt": "2"},
                }
            ],
        }
    }
}


def write_pack(name: str, requests: Sequence[tuple[str, str]] = ()) -> tuple[Path, list[str]]:
    """Write a pack into the user's folder of packs: of requests with the plans they were, or an example; return it, and what was left out and why.

    Raises BadArgument for a name that is none, Refused where there is such a pack or it cannot be written, NotFound where nothing is left.
    """
    import tomli_w

    if not NAME.fullmatch(name) or len(name) > 64:
        raise BadArgument(f"“{name}” cannot be the name of a pack: lower-case letters, digits and single hyphens.", hint="Nothing was written.")
    folder = folders()[0] / name
    if folder.exists():
        raise Refused(f"{folder} exists already.", hint="Nothing was written. Choose another name, or: nlsh skills remove " + name + ".")
    data, left_out = of_requests(requests) if requests else (_EXAMPLE, [])
    described = "; ".join(e["summary"] for e in data["entries"].values())[:900]
    front = f"---\nname: {name}\ndescription: >-\n  {described}\nmetadata:\n  nlsh-pack: pack.toml\n---\n\n# {name}\n\n"
    lines = [f"- `nlsh run {name}.{entry}`: {fields['summary']}" for entry, fields in data["entries"].items()]
    try:
        folder.mkdir(parents=True, mode=0o700)
        (folder / "SKILL.md").write_text(front + "\n".join(lines) + "\n", encoding="utf-8")
        (folder / "pack.toml").write_text(tomli_w.dumps(data, multiline_strings=True), encoding="utf-8")
    except OSError as error:
        # Half of a pack would be in the way of the next try.
        shutil.rmtree(folder, ignore_errors=True)
        raise Refused(f"{folder} cannot be written: {error.strerror}.", hint="Nothing was written.") from error
    return folder, left_out


def of_requests(requests: Sequence[tuple[str, str]]) -> tuple[dict[str, Any], list[str]]:
    """Return what a pack of requests with their plans says, as data, and what is left out and why. Raises NotFound where nothing is left."""
    entries: dict[str, dict[str, Any]] = {}
    left_out = []
    for request, text in requests:
        try:
            plan = registry.parse(text)
        except NlshError as error:
            left_out.append(f"{request}: {error.message}")
            continue
        if any(v == Ref(LAST) for c in plan.calls for v in c.args.values()):
            left_out.append(f"{request}: it is about an earlier result.")
            continue
        fields: dict[str, Any] = {"summary": " ".join(request.split())[:200], "requires": sorted({c.action for c in plan.calls})}
        text = registry.format(plan)
        if re.search(r"\{[a-z_][a-z0-9_]*\}", text):
            left_out.append(f"{request}: its plan has braces in it, which mean parameters in a pack.")
            continue
        entries[_entry_name(plan, entries)] = fields | ({} if request == "; ".join(text.splitlines()) else {"say": [fields["summary"]]}) | {"plan": text}
    if not entries:
        raise NotFound(f"None of these can be written down: {' '.join(left_out)}", hint="Nothing was written.")
    return {"default": next(iter(entries)), "entries": entries}, left_out


def _entry_name(plan: Plan, taken: dict[str, dict[str, Any]]) -> str:
    name = plan.calls[-1].action.replace(".", "-").replace("_", "-")
    number = 2
    found = name
    while found in taken:
        found, number = f"{name}-{number}", number + 1
    return found
