"""A pack's own actions: Python files that look at things and say what they found. Loaded only with the user's consent, always confined.

Such code never runs in nlsh itself, and never changes anything: it is run in a worker's sandbox with leave to read what its `reads` name, and
what it yields other calls of the plan may take. What changes anything is the catalogue's, is previewed and can be taken back.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from nlsh.plan import registry
from nlsh.plan.action import Action, BaseArgs, arg
from nlsh.plan.errors import NotFound, Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Path as PathValue
from nlsh.settings import state_dir
from nlsh.skills.front import read_text
from nlsh.skills.load import BadPack, Entry, OwnAction, Pack, in_text, load_pack
from nlsh.steps.own_code import MOST_SOURCE, OwnCode
from nlsh.world import World


class Consent:
    """What the user has agreed to: folders of packs, each with the digest of the code that was in it then."""

    def __init__(self) -> None:
        self._file = state_dir() / "packs.json"

    def holds(self, pack: Pack, code: Mapping[str, str]) -> bool:
        """Return whether this code of a pack, as `sources` read it, is what was agreed to."""
        return not pack.actions or self._read().get(str(pack.folder)) == digest(pack, code)

    def give(self, pack: Pack, code: Mapping[str, str]) -> None:
        """Remember that the user agrees to this code of a pack, as it was shown: it is not read again."""
        self._write({**self._read(), str(pack.folder): digest(pack, code)})

    def forget(self, folder: Path) -> None:
        """Forget what was agreed to for a pack."""
        self._write({k: v for k, v in self._read().items() if k != str(folder)})

    def _read(self) -> dict[str, str]:
        try:
            found = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self, agreed: dict[str, str]) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(agreed, indent=1))
        os.replace(new, self._file)


def digest(pack: Pack, code: Mapping[str, str]) -> str:
    """Return the SHA-256 of a pack's actions: what they are declared to be, and their code."""
    parts = [[a.name, code[a.name], list(a.reads), {n: [p.type.name, p.default] for n, p in a.parameters.items()}] for a in pack.actions.values()]
    return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def sources(pack: Pack) -> dict[str, str]:
    """Return the code of a pack's actions by their names. Raises BadPack."""
    return {action.name: _source(action) for action in pack.actions.values()}


def _source(action: OwnAction) -> str:
    text = read_text(action.file)
    if len(text) > MOST_SOURCE or "\0" in text:
        raise BadPack(f"{action.file} has more than {MOST_SOURCE:,} characters, or is not text.")
    return text


def load(entry: Entry) -> None:
    """Make the own actions that an entry uses known to this process. Raises Refused without the user's consent, BadPack and BadPlan."""
    noun = entry.pack.replace("-", "_") + "."
    if any(noun in text for text in (*entry.parts, *entry.requires)):
        load_all(load_pack(entry.folder))


def load_all(pack: Pack) -> None:
    """Make every own action of a pack known to this process. Raises Refused without the user's consent, BadPack and BadPlan."""
    code = sources(pack)
    if not Consent().holds(pack, code):
        raise Refused(
            f"The pack {pack.name} has Python code of its own that you have not agreed to, or that has changed since.",
            hint=f"Nothing was run. Read it in {pack.folder / 'actions'}, then: nlsh skills trust {pack.name}.",
        )
    for declared in pack.actions.values():
        registry.add(_action(declared, code[declared.name]))


def _action(declared: OwnAction, source: str) -> Action:
    parameters = declared.parameters.values()
    kinds = dict.fromkeys(("tool.read", "fs.read", *(r.partition(":")[0] for r in declared.reads)))

    class Own(Action):
        __doc__ = declared.summary
        name = declared.name
        effects = tuple(kinds)
        Args: Any = type(
            "Args", (BaseArgs,), {p.name: arg(p.type, p.help, default=p.default and p.type.parse(p.default), required=p.default is None) for p in parameters}
        )  # fmt: skip

        def look(self, args: Any, world: World) -> dict[str, Any]:
            values = {n: getattr(args, n) for n in self.Args.fields}
            return {n: world.resolve(v) if isinstance(declared.parameters[n].type, PathValue) and v else v for n, v in values.items()}

        def steps(self, args: Any, seen: Any) -> Iterator[Step]:
            yield OwnCode(declared.name, source, seen, tuple(_needed(declared, seen)))

    return Own()


def _needed(declared: OwnAction, seen: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for written in declared.reads:
        kind, _, target = written.partition(":")
        target = in_text(target, {n: str(v) for n, v in seen.items()}) or ("/" if kind == "fs.read" else "*")
        if kind == "fs.read" and not os.path.exists(path := os.path.expanduser(target)):
            raise NotFound(f"{path} does not exist.", hint="Nothing was run.")
        yield kind, os.path.expanduser(target) if kind == "fs.read" else target
