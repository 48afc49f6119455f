"""Skill packs: folders with a SKILL.md (the agentskills form) and a pack.toml (what nlsh needs besides): found, read and checked.

    tidy-downloads/
      SKILL.md     front matter: name, description, metadata.nlsh-pack; text for people and other agents
      pack.toml    entries: parameters with types and defaults, plan texts or a sentence, guards, tests; actions of its own
      pins.toml    plans that sentences were made into, each with the hash of what was approved (`pins`)

Looked up in the user's `nlsh/skills` (XDG config), `~/.agents/skills`, what ships with nlsh, and `.agents/skills` of the working
directory, in this order: a project cannot put its own pack in the place of one the user knows. Reading a pack runs nothing of it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from nlsh import shipped
from nlsh.plan.amounts import Bytes, Count, Duration
from nlsh.plan.effects import KINDS
from nlsh.plan.errors import BadArgument, BadPlan, NotFound
from nlsh.plan.frozen import frozen
from nlsh.plan.plan import Call, Plan, Value
from nlsh.plan.syntax import parse_plan
from nlsh.plan.values import Choice, Flag, Glob, Kind, Name, Text, ValueType
from nlsh.plan.values import Path as PathValue
from nlsh.skills.front import BadPack, near, read_front_matter, read_text
from nlsh.skills.words import PLACEHOLDER as _PLACEHOLDER
from nlsh.skills.words import RUN_BY_A_SHELL, check_command, filled_command

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_TYPES: dict[str, type[ValueType]] = {
    "path": PathValue, "text": Text, "name": Name, "count": Count, "size": Bytes, "duration": Duration, "kind": Kind, "pattern": Glob, "flag": Flag,
}  # fmt: skip


_MOST_WILDCARDS = 3  # in one effect, as in a rule of a policy
_READS = ("fs.read", "proc.read", "sys.read")  # what an action of a pack's own may be given


@frozen(slots=False)
class Parameter:
    """A typed parameter of an entry; `default` is written as in a plan, None where it must be given."""

    name: str
    type: ValueType
    help: str
    default: str | None = None


@frozen(slots=False)
class Entry:
    """One thing a pack does: `parts` are plan texts, of which those that find nothing are left out; without them `sentence` goes to the planner.

    `effects` is the ceiling of what it may do, as "KIND" or "KIND:TARGET"; `ask`: it is always asked about. `folder` is the pack's.
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
    effects: tuple[str, ...] = ()
    ask: bool = False
    tests: tuple[Mapping[str, Any], ...] = ()
    folder: Path = Path()

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
            "sentence": self.sentence, "plan": list(self.parts), "effects": list(self.effects), "ask": self.ask,
            "parameters": [{"name": p.name, "type": p.type.name, "help": p.help, "default": p.default} for p in self.parameters.values()],
        }  # fmt: skip


@frozen(slots=False)
class OwnAction:
    """An action of a pack's own: what its Python file may read (`reads`, as "KIND" or "KIND:TARGET"), and the arguments it takes."""

    name: str
    file: Path
    summary: str
    reads: tuple[str, ...]
    parameters: Mapping[str, Parameter]


@frozen(slots=False)
class Pack:
    """A loaded pack. `default` is the entry that runs where only the pack is named, empty if there is none."""

    name: str
    description: str
    folder: Path
    entries: Mapping[str, Entry]
    default: str = ""
    front: Mapping[str, Any] = field(default_factory=dict)
    actions: Mapping[str, OwnAction] = field(default_factory=dict)


def folders() -> tuple[Path, ...]:
    """Return where packs are looked up, the first that has a pack wins."""
    from nlsh.settings import config_dir

    return (config_dir() / "skills", Path(os.path.expanduser("~/.agents/skills")), shipped.skills_dir(), Path(".agents/skills").absolute())


def found(where: tuple[Path, ...] | None = None) -> Iterator[tuple[str, Path]]:
    """Yield the name and the folder of every pack, the first of a name alone."""
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


def added() -> Iterator[tuple[str, Path]]:
    """Yield the packs that the user has added and those that ship. The other folders are filled by other programs too, and by whoever wrote a project."""
    own, _, ships, _ = folders()
    return found((own, ships))


def all_packs() -> list[Pack]:
    """Load every pack that is found. Raises BadPack."""
    return [load_pack(folder) for _, folder in found()]


def find_pack(name: str) -> Pack:
    """Return the pack of this name. Raises NotFound with the nearest names, and BadPack."""
    known = dict(found())
    if name not in known:
        raise NotFound(f"There is no skill pack “{name}”.", hint=near(name, list(known)) + " Nothing was run.")
    return load_pack(known[name])


def find(name: str) -> Entry:
    """Return the entry that PACK or PACK.ENTRY names. Raises NotFound with the nearest names."""
    pack_name, _, entry_name = name.partition(".")
    pack = find_pack(pack_name)
    entry_name = entry_name or pack.default
    if entry_name not in pack.entries:
        what = f"“{pack_name}” has no entry “{entry_name}”." if entry_name else f"“{pack_name}” has several entries."
        raise NotFound(what, hint=f"It has: {', '.join(pack.entries)}. Nothing was run.")
    return pack.entries[entry_name]


def said(sentence: str) -> Entry | None:
    """Return the entry that people call by exactly this sentence, of the packs that the user has added and the shipped ones.

    Any other is run by its name alone: a folder that somebody else has filled gives no meaning to what you say.
    """
    wanted = _bare(sentence)
    for _, folder in added():
        try:
            # Most sentences are no pack's: what does not have the words in it is not parsed.
            text = read_text(folder / "pack.toml")
            if not any(wanted in " ".join(t.lower().split()) for t in (text, _unescaped(text))):
                continue
            pack = load_pack(folder)
        except BadPack:
            continue  # named, with what is wrong, when it is run
        for entry in pack.entries.values():
            if wanted in map(_bare, entry.say) and all(p.default is not None for p in entry.parameters.values()):
                return entry
    return None


def in_text(text: str, given: Mapping[str, str]) -> str:
    """Return the text with every `{name}` replaced, in one pass: a value that itself holds {name} is not filled again."""
    return _PLACEHOLDER.sub(lambda m: given.get(m[1], m[0]), text)


def filled(plan: Plan, entry: Entry, given: Mapping[str, str]) -> Plan:
    """Return the plan with `{name}` in its values replaced. A value cannot add calls or arguments: the plan is parsed before.

    In a command line it is one quoted word. Raises BadPlan and BadArgument where it cannot be one.
    """
    paths = [p.name for p in entry.parameters.values() if isinstance(p.type, PathValue)]

    def value_of(value: Value) -> Value:
        if isinstance(value, tuple):
            return tuple(in_text(v, given) for v in value)
        if not isinstance(value, str):
            return value
        name = value[1:-1]
        if value == f"{{{name}}}" and name in entry.parameters and isinstance(entry.parameters[name].type, Flag):
            return bool(Flag().parse(given[name]))
        return in_text(value, given)

    def in_call(call: Call) -> Call:
        lines = {k: filled_command(v, given, paths) for k, v in call.args.items() if RUN_BY_A_SHELL.get(call.action) == k and isinstance(v, str)}
        return replace(call, args={k: lines[k] if k in lines else value_of(v) for k, v in call.args.items()})

    return replace(plan, calls=tuple(map(in_call, plan.calls)))


def _unescaped(text: str) -> str:
    """Return a file's text with every escape of TOML read, also where it is none: for a search that must miss nothing."""

    def read(match: re.Match[str]) -> str:
        code, goes_on, one = match.groups()
        if code:
            return chr(number) if (number := int(code[1:], 16)) <= sys.maxunicode else ""
        return "" if goes_on else _ESCAPES.get(one, one)

    return re.sub(r"\\(?:(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})|(\s+)|(.))", read, text) if "\\" in text else text


def _bare(sentence: str) -> str:
    return re.sub(r"^(please|请)\s*|[\s.!。！]+$|\s+please$", "", " ".join(sentence.lower().split()))


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
        data = tomllib.loads(read_text(file))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadPack(f"{file} cannot be read: {error}.", hint="Nothing was run.") from error
    _only(file, "", data, ("default", "entries", "actions"))
    actions = {key: _own_action(file, name, key, value) for key, value in _table(file, "actions", data.get("actions", {})).items()}
    entries = {key: _entry(file, name, key, value) for key, value in _table(file, "entries", data.get("entries", {})).items()}
    if not entries:
        raise BadPack(f"{file} has no entries.")
    default = str(data.get("default", "" if len(entries) > 1 else next(iter(entries))))
    if default and default not in entries:
        raise BadPack(f"{file}: default names “{default}”, which is no entry.")
    return Pack(name, description, folder, entries, default, front, actions)


def _entry(file: Path, pack: str, name: str, raw: Any) -> Entry:
    where = f"entries.{name}"
    data = _table(file, where, raw)
    _only(file, where, data, ("summary", "parameters", "parts", "plan", "sentence", "say", "requires", "effects", "ask", "tests"))
    if not NAME.fullmatch(name):
        raise BadPack(f"{file}: {where}: a name has lower-case letters, digits and single hyphens.")
    parameters = _parameters(file, where, data)
    parts = tuple(_texts(file, where, data.get("parts", [data["plan"]] if "plan" in data else [])))
    sentence = str(data.get("sentence", ""))
    if not parts and not sentence:
        raise BadPack(f"{file}: {where} needs a plan, parts or a sentence.")
    say, requires, effects = (tuple(_texts(file, where, data.get(key, []))) for key in ("say", "requires", "effects"))
    for written in effects:
        _check_effect(file, where, written, tuple(KINDS))
    if not isinstance(data.get("ask", False), bool):
        raise BadPack(f"{file}: {where}.ask must be true or false.")
    for text in (*parts, sentence, *(e for e in effects if e.partition(":")[2] != "{trash}")):
        for placeholder in _PLACEHOLDER.findall(text):
            if placeholder not in parameters:
                raise BadPack(f"{file}: {where} uses {{{placeholder}}}, which is no parameter of it.")
    for text in parts:
        _check_commands(file, where, text, parameters)
    if not isinstance(data.get("summary"), str) or not data["summary"]:
        raise BadPack(f"{file}: {where} needs a summary.")
    tests = data.get("tests", [])
    if not isinstance(tests, list) or not all(isinstance(t, dict) for t in tests):
        raise BadPack(f"{file}: {where}.tests must be tables.")
    for test in tests:
        _only(file, f"{where}.tests", test, ("name", "given", "with", "after", "exit", "output", "may_lack"))
    if parts and sentence and not _PLACEHOLDER.search(sentence):
        say = (*say, sentence)
    ask = data.get("ask", False)
    return Entry(pack, name, data["summary"], parameters, parts, sentence, say, requires, effects, ask, tuple(tests), file.parent)


def _check_commands(file: Path, where: str, text: str, parameters: Mapping[str, Parameter]) -> None:
    """Raise BadPack where a parameter stands in a command line so that its value could be more than a word of it."""
    if not any(name in text for name in RUN_BY_A_SHELL):
        return
    try:
        plan = parse_plan(text, lambda action: RUN_BY_A_SHELL.get(action, "first"))
    except BadPlan:
        return  # said when it is run: what it calls may not be known yet
    for call in plan.calls:
        command = call.args.get(RUN_BY_A_SHELL.get(call.action, ""))
        if isinstance(command, str):
            try:
                check_command(command, parameters)
            except BadPlan as error:
                raise BadPack(f"{file}: {where}: {error.message}", hint=error.hint) from error


def _own_action(file: Path, pack: str, name: str, raw: Any) -> OwnAction:
    where = f"actions.{name}"
    data = _table(file, where, raw)
    _only(file, where, data, ("file", "summary", "reads", "parameters"))
    if not re.fullmatch(r"[a-z]+(_[a-z]+)*", name):
        raise BadPack(f"{file}: {where}: a name has lower-case letters and single underscores.")
    if pack.startswith("mcp-"):
        raise BadPack(f"{file}: {where}: its name would be that of an MCP server's tool. Give the pack another name.")
    if not isinstance(data.get("summary"), str) or not data["summary"]:
        raise BadPack(f"{file}: {where} needs a summary.")
    code = Path(os.path.normpath(file.parent / str(data.get("file", f"actions/{name}.py"))))
    if not code.is_relative_to(file.parent) or not code.resolve().is_relative_to(file.parent.resolve()):
        raise BadPack(f"{file}: {where}: its file must lie in the pack.")
    reads = tuple(_texts(file, where, data.get("reads", [])))
    parameters = _parameters(file, where, data)
    for written in reads:
        _check_effect(file, where, written, _READS)
        for placeholder in _PLACEHOLDER.findall(written):
            if placeholder not in parameters:
                raise BadPack(f"{file}: {where} uses {{{placeholder}}}, which is no parameter of it.")
    return OwnAction(f"{pack.replace('-', '_')}.{name}", code, data["summary"], reads, parameters)


def _check_effect(file: Path, where: str, written: str, known: tuple[str, ...]) -> None:
    kind, colon, target = written.partition(":")
    if kind not in known:
        raise BadPack(f"{file}: {where}: “{kind}” is no effect it can have. {near(kind, list(known))}")
    if colon and not target.strip():
        raise BadPack(f"{file}: {where}: “{written}” has no target after the colon; every target is “{kind}”.")
    if target.count("*") > _MOST_WILDCARDS:
        raise BadPack(f"{file}: {where}: “{written}” has more than {_MOST_WILDCARDS} wildcards.")


def _parameters(file: Path, where: str, data: dict[str, Any]) -> dict[str, Parameter]:
    written = _table(file, where, data.get("parameters", {}))
    return {key: _parameter(file, f"{where}.parameters.{key}", key, value) for key, value in written.items()}


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
            raise BadPack(f"{file}: {where + ': ' if where else ''}unknown key “{key}”. {near(key, list(known))}")
