"""Write the JSON Schema of what `nlsh --json` prints: `docs/json-schema-1.json`.

    python docs/json_schema.py [--check]

Each line of stdout is one of it: a record, or an event about the run. Fields and records may be added within a version; one that is taken away, renamed or
given another type needs a new one. With --check nothing is written, and what a version has promised and does not hold any more is an error.
"""

from __future__ import annotations

import json
import sys
import types
import typing
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean"}
_ERROR = {"type": "object", "required": ["code", "message"], "properties": {"code": {"type": "string"}, "message": {"type": "string"}}}
_TEXT, _WHOLE = {"type": "string"}, {"type": "integer"}


def schema() -> dict[str, Any]:
    """Return the schema as it is now."""
    from nlsh.plan import records
    from nlsh.shell.talk import SCHEMA

    records._import_all()
    definitions = {name: _record(kind) for name, kind in sorted(records.RECORD_TYPES.items())}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A line of nlsh --json, schema {SCHEMA}",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in (*definitions, *_events())],
        "$defs": {**definitions, **_events()},
    }


def _events() -> dict[str, Any]:
    from nlsh.shell.talk import SCHEMA

    def event(name: str, about: str, inside: dict[str, Any], needed: list[str], **beside: Any) -> dict[str, Any]:
        body = {"type": "object", "required": needed, "properties": inside} if name != "question" else inside
        return {
            "description": about, "type": "object", "required": ["schema", name], "properties": {"schema": {"const": SCHEMA}, name: body, **beside},
            "not": {"required": ["record"]},
        }  # fmt: skip

    plan = {"plan": _TEXT, "calls": {"type": "array"}, "digest": _TEXT, "decision": {"type": "object"}}
    ended = {"status": {"enum": ["done", "failed", "denied", "partly", "cancelled", "nothing"]}, "exit_status": _WHOLE, "run": {"type": ["integer", "null"]}}
    choice = {"type": "object", "required": ["plan", "confidence", "why"], "properties": {"plan": _TEXT, "confidence": {"type": "number"}, "why": _TEXT}}
    return {
        "event:preview": event("preview", "What a plan would do (--dry-run).", plan, ["plan", "calls", "digest"]),
        "event:tried": event("tried", "What a raw command changed on its copy.", {"status": _WHOLE, "changes": {"type": "array"}}, ["status", "changes"]),
        "event:outcome": event(
            "outcome", "How a run ended: after what changes something, or did not do all.",
            {**ended, "errors": {"type": "array", "items": _ERROR}, "notes": {"type": "array", "items": _TEXT}},
            ["status", "exit_status", "run", "errors"],
        ),
        "event:error": event("error", "Why nothing was run.", _ERROR["properties"], ["code", "message"]),
        "event:question": event(
            "question", "What is not clear: nothing was run, and the status is 4.", _TEXT, [], kind={"enum": ["choose", "question", "refusal"]},
            choices={"type": "array", "items": choice},
        ),
    }  # fmt: skip


def _record(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    found = {f.name: _type(hints[f.name]) for f in fields(kind)}
    needed = [f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING]
    about = (kind.__doc__ or "").strip().splitlines()[0]
    return {"description": about, "type": "object", "required": ["record", *needed], "properties": {"record": {"const": kind.__name__}, **found}}


def _type(hint: Any) -> dict[str, Any]:
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    if hint is type(None):
        return {"type": "null"}
    if origin in (typing.Union, types.UnionType):
        each = [_type(i) for i in inside]
        return {"type": [e["type"] for e in each]} if all(set(e) == {"type"} for e in each) else {"anyOf": each}
    if origin in (tuple, list):
        return {"type": "array", "items": _type(inside[0])} if inside else {"type": "array"}
    return {}


def broken(promised: Any, now: Any, where: str = "") -> list[str]:
    """Return what `promised` has that `now` has not, or otherwise: what whoever reads the lines may rely on."""
    if isinstance(promised, dict):
        if not isinstance(now, dict):
            return [where]
        return [
            b
            for k, v in promised.items()
            if k not in ("description", "oneOf", "title")
            for b in ([f"{where}/{k}"] if k not in now else broken(v, now[k], f"{where}/{k}"))
        ]
    if isinstance(promised, list):
        # What was always there still is; what may be there may be more.
        return [f"{where}: {p}" for p in promised if p not in now]
    return [] if promised == now else [f"{where}: {promised} is {now}"]


def main() -> int:
    from nlsh.shell.talk import SCHEMA

    file = ROOT / "docs" / f"json-schema-{SCHEMA}.json"
    if "--check" in sys.argv[1:]:
        gone = broken(json.loads(file.read_text()), schema())
        print("\n".join(gone) or "All that was promised holds.")
        return 1 if gone else 0
    file.write_text(json.dumps(schema(), indent=1, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
