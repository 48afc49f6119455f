"""Skill packs: folders with a SKILL.md (the agentskills form) and a pack.toml (what nlsh needs besides): found, read and checked.

    tidy-downloads/
      SKILL.md     front matter: name, description; text for people and other agents
      pack.toml    entries: parameters with types and defaults, plan texts or a sentence, what they require, tests

Looked up in the user's `nlsh/skills` (XDG config), `~/.agents/skills`, what ships with nlsh, and `.agents/skills` of the working
directory, in this order: a project cannot put its own pack in the place of one the user knows. Packs hold data, never code.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nlsh import shipped
from nlsh.plan.amounts import Bytes, Count, Duration
from nlsh.plan.errors import BadArgument, NlshError, NotFound
from nlsh.plan.values import Choice, Flag, Glob, Kind, Name, Text, ValueType
from nlsh.plan.values import Path as PathValue

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_TYPES: dict[str, type[ValueType]] = {
    "path": PathValue, "text": Text, "name": Name, "count": Count, "size": Bytes, "duration": Duration, "kind": Kind, "pattern": Glob, "flag": Flag,
}  # fmt: skip
_FRONT = ("name", "description", "license", "compatibility", "metadata", "allowed-tools")


class BadPack(NlshError):
    """A skill pack is not valid; the message names the file and what is wrong with it."""

    code = "skills.bad-pack"
    exit_status = 2


@dataclass(frozen=True)
class Parameter:
    """A typed parameter of an entry; `default` is written as in a plan, None where it must be given."""

    name: str
    type: ValueType
    help: str
    default: str | None = None


@dataclass(frozen=True)
class Entry:
    """One thing a pack does: `parts` are plan texts, of which those that find nothing are left out; or `sentence` goes to the planner.

    `tests` are the pack's own: a given tree, and what it becomes.
    """

    pack: str
    name: str
    summary: str
    parameters: Mapping[str, Parameter]
    parts: tuple[str, ...] = ()
    sentence: str = ""
    say: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    tests: tuple[Mapping[str, Any], ...] = ()

    @property
    def full_name(self) -> str:
        return f"{self.pack}.{self.name}"

    def given(self, words: list[str]) -> dict[str, str]:
        """Return the parameters' values, from `key=value` words and the defaults. Raises BadArgument, naming the nearest."""
        values: dict[str, str] = {}
        for word in words:
            key, equals, value = word.partition("=")
            if not equals:
                raise BadArgument(f"“{word}” is not key=value.", hint=f"{self.full_name} takes: {self._takes()}. Nothing was run.")
            if key not in self.parameters:
                raise BadArgument(f"{self.full_name} has no parameter “{key}”.", hint=f"It takes: {self._takes()}. Nothing was run.")
            values[key] = value
        for parameter in self.parameters.values():
            value = values.setdefault(parameter.name, "" if parameter.default is None else parameter.default)
            if parameter.default is None and not value:
                raise BadArgument(
                    f"{self.full_name} needs {parameter.name}: {parameter.help}", hint=f'For example {parameter.name}="{parameter.type.example}".'
                )
            try:
                parameter.type.parse(value)
            except (ValueError, TypeError, OverflowError) as error:
                raise BadArgument(f"{self.full_name}: {parameter.name}: {error}.", hint=f'For example {parameter.name}="{parameter.type.example}".') from error
        return values

    def _takes(self) -> str:
        return ", ".join(self.parameters) or "nothing"

    def as_data(self) -> dict[str, Any]:
        """Return the entry as JSON-able data."""
        return {
            "entry": self.full_name, "summary": self.summary, "say": list(self.say), "requires": list(self.requires),
            "parameters": [{"name": p.name, "type": p.type.name, "help": p.help, "default": p.default} for p in self.parameters.values()],
        }  # fmt: skip


@dataclass(frozen=True)
class Pack:
    """A loaded pack. `default` is the entry that runs where only the pack is named, empty if there is none."""

    name: str
    description: str
    folder: Path
    entries: Mapping[str, Entry]
    default: str = ""
    front: Mapping[str, Any] = field(default_factory=dict)


def folders() -> tuple[Path, ...]:
    """Return where packs are looked up, the first that has a pack wins."""
    from nlsh.settings import config_dir

    return (config_dir() / "skills", Path(os.path.expanduser("~/.agents/skills")), shipped.skills_dir(), Path(".agents/skills").absolute())


def _found(where: tuple[Path, ...] | None = None) -> Iterator[tuple[str, Path]]:
    seen = set()
    for folder in folders() if where is None else where:
        try:
            names = sorted(p.name for p in folder.iterdir() if (p / "pack.toml").is_file())
        except OSError:
            continue
        for name in names:
            if name not in seen:
                seen.add(name)
                yield name, folder / name


def all_packs() -> list[Pack]:
    """Load every pack that is found. Raises BadPack."""
    return [load_pack(folder) for _, folder in _found()]


def find(name: str) -> Entry:
    """Return the entry that PACK or PACK.ENTRY names. Raises NotFound with the nearest names."""
    pack_name, _, entry_name = name.partition(".")
    known = dict(_found())
    if pack_name not in known:
        raise NotFound(f"There is no skill pack “{pack_name}”.", hint=_near(pack_name, list(known)) + " Nothing was run.")
    pack = load_pack(known[pack_name])
    entry_name = entry_name or pack.default
    if entry_name not in pack.entries:
        what = f"“{pack_name}” has no entry “{entry_name}”." if entry_name else f"“{pack_name}” has several entries."
        raise NotFound(what, hint=f"It has: {', '.join(pack.entries)}. Nothing was run.")
    return pack.entries[entry_name]


def said(sentence: str) -> Entry | None:
    """Return the entry that people call by exactly this sentence, of the user's and the shipped packs.

    A pack of the working directory is run by its name alone: a folder that somebody else has filled gives no meaning to what you say.
    """
    wanted = _bare(sentence)
    for _, folder in _found(folders()[:-1]):
        try:
            pack = load_pack(folder)
        except BadPack:
            continue  # named, with what is wrong, when it is run
        for entry in pack.entries.values():
            if wanted in map(_bare, entry.say) and all(p.default is not None for p in entry.parameters.values()):
                return entry
    return None


def _bare(sentence: str) -> str:
    return re.sub(r"^(please|请)\s*|[\s.!。！]+$|\s+please$", "", " ".join(sentence.lower().split()))


def _near(word: str, known: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(word, known, 1)
    return f"Did you mean {close[0]}?" if close else f"There is: {', '.join(known)}." if known else "None is installed."


def load_pack(folder: Path) -> Pack:
    """Read a pack. Raises BadPack, naming the file and what is wrong."""
    import tomllib

    front = read_front_matter(folder / "SKILL.md")
    name = str(front.get("name", ""))
    if name != folder.name or not NAME.fullmatch(name) or len(name) > 64:
        raise BadPack(f"{folder}/SKILL.md: its name must be “{folder.name}”, the folder's: lower-case letters, digits and single hyphens.")
    description = str(front.get("description", ""))
    if not 1 <= len(description) <= 1024:
        raise BadPack(f"{folder}/SKILL.md: the description must have 1 to 1,024 characters.")
    file = folder / "pack.toml"
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadPack(f"{file} cannot be read: {error}.") from error
    _only(file, "", data, ("default", "entries"))
    entries = {key: _entry(file, name, key, value) for key, value in _table(file, "entries", data.get("entries", {})).items()}
    if not entries:
        raise BadPack(f"{file} has no entries.")
    default = str(data.get("default", "" if len(entries) > 1 else next(iter(entries))))
    if default and default not in entries:
        raise BadPack(f"{file}: default names “{default}”, which is no entry.")
    return Pack(name, description, folder, entries, default, front)


def _entry(file: Path, pack: str, name: str, raw: Any) -> Entry:
    where = f"entries.{name}"
    data = _table(file, where, raw)
    _only(file, where, data, ("summary", "parameters", "parts", "plan", "sentence", "say", "requires", "tests"))
    if not NAME.fullmatch(name):
        raise BadPack(f"{file}: {where}: a name has lower-case letters, digits and single hyphens.")
    parameters = {key: _parameter(file, f"{where}.parameters.{key}", key, value) for key, value in _table(file, where, data.get("parameters", {})).items()}
    parts = tuple(_texts(file, where, data.get("parts", [data["plan"]] if "plan" in data else [])))
    sentence = str(data.get("sentence", ""))
    if bool(parts) == bool(sentence):
        raise BadPack(f"{file}: {where} needs either plan, parts or a sentence.")
    for text in (*parts, sentence):
        for placeholder in _PLACEHOLDER.findall(text):
            if placeholder not in parameters:
                raise BadPack(f"{file}: {where} uses {{{placeholder}}}, which is no parameter of it.")
    if not isinstance(data.get("summary"), str) or not data["summary"]:
        raise BadPack(f"{file}: {where} needs a summary.")
    tests = data.get("tests", [])
    if not isinstance(tests, list) or not all(isinstance(t, dict) for t in tests):
        raise BadPack(f"{file}: {where}.tests must be tables.")
    for test in tests:
        _only(file, f"{where}.tests", test, ("name", "given", "with", "after", "exit"))
    say, requires = (tuple(_texts(file, where, data.get(key, []))) for key in ("say", "requires"))
    return Entry(pack, name, data["summary"], parameters, parts, sentence, say, requires, tuple(tests))


def _parameter(file: Path, where: str, name: str, raw: Any) -> Parameter:
    data = _table(file, where, raw)
    _only(file, where, data, ("type", "help", "default", "choices"))
    kind = data.get("type", "text")
    if kind == "choice":
        choices = _texts(file, where, data.get("choices", []))
        if not choices:
            raise BadPack(f"{file}: {where}: a choice needs choices.")
        of: ValueType = Choice(*choices)
    elif kind in _TYPES:
        of = _TYPES[kind]()
    else:
        raise BadPack(f"{file}: {where}: unknown type “{kind}”. There is: {', '.join([*_TYPES, 'choice'])}.")
    default = data.get("default")
    if default is not None and not isinstance(default, str):
        raise BadPack(f"{file}: {where}: the default is written as text, as in a plan.")
    return Parameter(name, of, str(data.get("help", "")), default)


def _table(file: Path, where: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadPack(f"{file}: {where} must be a table.")
    return value


def _texts(file: Path, where: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
        raise BadPack(f"{file}: {where}: a list of texts is needed.")
    return value


def _only(file: Path, where: str, data: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in data:
        if key not in known:
            raise BadPack(f"{file}: {where + ': ' if where else ''}unknown key “{key}”. {_near(key, list(known))}")


def read_front_matter(file: Path) -> dict[str, Any]:
    """Return the front matter of a SKILL.md: texts, block texts and one level of maps, the part of YAML that the form needs. Raises BadPack."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadPack(f"{file} cannot be read: {error}.") from error
    if not lines or lines[0].strip() != "---" or "---" not in [line.strip() for line in lines[1:]]:
        raise BadPack(f"{file} must start with front matter between two lines of ---.")
    end = next(i for i, line in enumerate(lines[1:], start=1) if line.strip() == "---")
    found: dict[str, Any] = {}
    key = ""
    for number, line in enumerate(lines[1:end], start=2):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        indented = line[0] in " \t"
        match = re.fullmatch(r"\s*([A-Za-z][\w-]*):(?:\s+(.*))?", line)
        if indented and isinstance(found.get(key), str):
            found[key] = f"{found[key]} {line.strip()}".strip()
        elif indented and match and key:
            found[key][match[1]] = _scalar(match[2] or "")
        elif not indented and match:
            key = match[1]
            text = _scalar(match[2] or "")
            found[key] = {} if not text and key == "metadata" else "" if text in (">", ">-", "|", "|-") else text
        else:
            raise BadPack(f"{file}:{number}: this line is not understood: {line.strip()}")
    for key in found:
        if key not in _FRONT:
            raise BadPack(f"{file}: unknown key “{key}” in the front matter. {_near(key, list(_FRONT))}")
    return found


def _scalar(text: str) -> str:
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return re.sub(r"\s+#.*$", "", text)
