"""Rules: what one says, how it is written in TOML and on the command line, and what is wrong with one that is not valid."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import Any

from nlsh import settings
from nlsh.plan.effects import KINDS
from nlsh.plan.errors import SettingsError
from nlsh.plan.frozen import frozen

ANSWERS = ("allow", "ask", "deny")
WHENS = ("cannot-undo", "other-user", "own-process", "only-reads", "times")
_KEYS = ("name", "answer", "effect", "target", "but", "when", "unless", "reason", "each_time", "lift", "match", "not_match", "exact", "within", "command")
MOST_WILDCARDS = 3  # in one pattern of a rule
EXACT = "\0"  # before a target that is meant letter by letter


@frozen(slots=False)
class Rule:
    """One rule. `scope` is the layer it comes from: shipped, system, user, project or session; `file` where it stands, empty for a flag's.

    `each_time`: an earlier yes is not to be remembered. `lift`: a deny that a rule of the user's turns into a question, each time.
    `exact`: its targets are meant letter by letter, themselves only. `within`: it holds while nlsh stands in that folder.
    `command`: it is about what this raw command does, letter by letter, and nothing else.
    """

    name: str
    answer: str
    effect: tuple[str, ...]
    reason: str
    target: tuple[str, ...] = ()
    but: tuple[str, ...] = ()
    when: str = ""
    unless: str = ""
    each_time: bool = False
    lift: bool = False
    scope: str = "shipped"
    match: tuple[str, ...] = ()
    not_match: tuple[str, ...] = ()
    exact: bool = False
    within: str = ""
    command: str = ""
    file: str = ""

    @property
    def targets(self) -> tuple[str, ...]:
        """Its targets as they are written."""
        return tuple(t.removeprefix(EXACT) for t in self.target)


def rule_of(path: Path, scope: str, written: dict[str, Any], number: int) -> Rule:
    """Return a rule as it is written in a file. Raises SettingsError that names the file, the rule and the key."""
    check_keys(path, written, _KEYS)
    name = str(written.get("name", f"{scope}-{number}"))
    values: dict[str, Any] = {"name": name, "scope": scope, "file": os.path.abspath(path)}
    for key in ("answer", "reason", "when", "unless", "within", "command"):
        if key in written and not isinstance(written[key], str):
            raise SettingsError(f"{path}: {name}: {key} must be a text.", hint="Nothing was run.")
        values[key] = written.get(key, "")
    for key in ("effect", "target", "but", "match", "not_match"):
        listed = written.get(key, [])
        if not isinstance(listed, list) or not all(isinstance(i, str) and i for i in listed):
            raise SettingsError(f"{path}: {name}: {key} must be a list of texts.", hint="Nothing was run.")
        values[key] = tuple(listed)
    for key in ("each_time", "lift", "exact"):
        if not isinstance(written.get(key, False), bool):
            raise SettingsError(f"{path}: {name}: {key} must be true or false.", hint="Nothing was run.")
        values[key] = written.get(key, False)
    if values["lift"] and scope != "shipped":
        raise SettingsError(f"{path}: {name}: lift is for the shipped rules.", hint="Nothing was run. Leave the line out: you can change your own rule.")
    _one_of(path, name, "answer", values["answer"], ANSWERS)
    for key in ("when", "unless"):
        if values[key]:
            _one_of(path, name, key, values[key], WHENS)
    if not values["effect"]:
        raise SettingsError(f"{path}: {name}: effect says which effects the rule is about.", hint=f"For example effect = {['fs.write']}.")
    for pattern in values["effect"]:
        if pattern not in KINDS and not any(kind_pattern(pattern).fullmatch(kind) for kind in KINDS):
            _one_of(path, name, "effect", pattern, tuple(KINDS))
    if values["within"]:
        values["within"] = os.path.normpath(os.path.expanduser(values["within"]))
        if not values["within"].startswith("/"):
            raise SettingsError(f"{path}: {name}: within must be a folder that begins with / or ~/.", hint="Nothing was run.")
    if values["exact"]:
        if not values["target"]:
            raise SettingsError(f"{path}: {name}: exact is about targets, and there are none.", hint="Nothing was run.")
        values["target"] = tuple(EXACT + t for t in values["target"])
    for pattern in (*values["effect"], *(() if values["exact"] else values["target"]), *values["but"]):
        # Each wildcard multiplies what matching may cost: a policy that somebody left in a folder must not hang nlsh.
        if len(re.findall(r"\*+", pattern)) > MOST_WILDCARDS:
            raise SettingsError(f"{path}: {name}: “{pattern}” has more than {MOST_WILDCARDS} wildcards.", hint="Nothing was run. Write it as several patterns.")
    if scope == "project" and values["answer"] == "allow":
        raise SettingsError(f"{path}: {name}: a project's policy may only tighten, not allow.", hint=f"Put it in {settings.config_dir() / 'policy.toml'}.")
    values["reason"] = values["reason"] or f"rule {name} of {path}"
    return Rule(**values)


def _one_of(path: Path, name: str, key: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise SettingsError(f"{path}: {name}: {key} cannot be “{value}”.", hint=_nearest(value, known))


def check_keys(path: Path, data: dict[str, Any], known: tuple[str, ...]) -> None:
    """Raise SettingsError for a key that is not known, with the nearest one that is."""
    for key in data:
        if key not in known:
            raise SettingsError(f"{path}: unknown key “{key}”.", hint=_nearest(key, known))


def _nearest(word: str, known: tuple[str, ...]) -> str:
    import difflib

    close = difflib.get_close_matches(word, known, 1)
    return f"Nothing was run. Did you mean {close[0]}?" if close else f"Nothing was run. Known: {', '.join(known)}."


def session_rule(written: str) -> Rule:
    """Return the rule of one `--allow EFFECT[:TARGET]`. Raises SettingsError."""
    kind, colon, target = written.partition(":")
    if colon and not target.strip("= "):
        # As of "fs.write:$UNSET": nothing given never means everything.
        raise SettingsError(f"--allow {written}: there is no target after the colon.", hint=f"Nothing was run. Every target is --allow {kind}.")
    if kind not in KINDS:
        raise SettingsError(f"--allow {written}: there is no effect “{kind}”.", hint=_nearest(kind, tuple(KINDS)))
    return Rule(f"--allow {written}", "allow", (kind,), "allowed for this session", target=(_made_absolute(kind, target),) if target else (), scope="session")


def _made_absolute(kind: str, target: str) -> str:
    if not kind.startswith("fs.") or target.startswith(("/", "~", "{", "=", "**")):
        return target
    return os.path.join(os.getcwd(), target)


@cache
def kind_pattern(pattern: str) -> re.Pattern[str]:
    """Return the expression for a kind of effect, or for a target that is no path."""
    if pattern.startswith(EXACT):
        return re.compile(re.escape(pattern.removeprefix(EXACT)))
    return re.compile("".join(".*" if p == "*" else re.escape(p) for p in re.split(r"(\*)", pattern)), re.S)
