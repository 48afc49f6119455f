"""Policy: rules in TOML that allow, ask about or deny the effects of a preview; the strictest rule that matches wins.

The shipped rules come first, then the user's (whose `allow` answers an `ask`), then the project's (which may only tighten), then the
session's `--allow`. A `deny` is final, but for a shipped one that says `lift`: a rule of the user's that names the kind of effect in full makes
a question of it. It owns the rules and the decision; showing it, and enforcing it, is done elsewhere.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlsh import settings
from nlsh.guard import secrets
from nlsh.plan.effects import KINDS, Effect
from nlsh.plan.errors import SettingsError

if TYPE_CHECKING:
    from nlsh.plan.plan import Preview, PreviewedCall

_ANSWERS = ("allow", "ask", "deny")
_WHENS = ("cannot-undo", "other-user", "own-process", "only-reads", "times")
_KEYS = ("name", "answer", "effect", "target", "but", "when", "unless", "reason", "each_time", "lift", "match", "not_match")
_MOST_BYTES = 1 << 20  # of a policy file
MOST_WILDCARDS = 3  # in one pattern of a rule
_CHANGES_SOMETHING = frozenset(kind for kind, (_, changes, _) in KINDS.items() if changes)


@dataclass(frozen=True)
class Rule:
    """One rule. `scope` is where it comes from: shipped, user, project or session. `each_time`: an earlier yes is not to be remembered.

    `lift`: a deny that a rule of the user's turns into a question, each time.
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


@dataclass(frozen=True)
class Decision:
    """What is to be done with a plan: `answer`, the rule that decided and why, and the effects it was about.

    `closed` are the paths that no worker may read, though a folder around them is read: see `Policy.closed`.
    """

    answer: str
    rule: str
    reason: str
    asked: tuple[Effect, ...] = ()
    each_time: bool = False
    closed: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Case:
    """An effect as a rule sees it: the places its target means, and what else is so about it."""

    kind: str
    target: str
    places: tuple[str, ...]
    states: frozenset[str]


@dataclass(frozen=True)
class Policy:
    """All rules, in order of where they come from."""

    rules: tuple[Rule, ...]
    cwd: str = field(default_factory=os.getcwd)

    def with_session(self, allowed: Iterable[str]) -> Policy:
        """Return the policy with `--allow EFFECT[:TARGET]`: an ask becomes an allow, a deny stays. Raises SettingsError."""
        return replace(self, rules=(*self.rules, *(_session_rule(a) for a in allowed)))

    def renewed(self) -> Policy:
        """Return the policy for the working directory as it is now, with what was allowed for this session. Raises SettingsError."""
        new = load()
        return replace(new, rules=(*new.rules, *(r for r in self.rules if r.scope == "session")))

    def closed(self) -> tuple[str, ...]:
        """Return the paths that the user's and the project's rules forbid to read: a plan that reads around them must not read them either."""
        # LIMIT: patterns, and rules with conditions, hold what is named; Landlock knows no patterns.
        rules = (r for r in self.rules if r.answer == "deny" and r.scope != "shipped" and not (r.when or r.unless or r.but) and _is_about(r, "fs.read"))
        context = _context(self.cwd)
        return tuple(sorted({p for r in rules for p in _paths(r.target, context, True).trees}))

    def decide(self, preview: Preview) -> Decision:
        """Return what is to be done with a plan: the strictest of what its effects get."""
        return replace(self._decision(preview), closed=self.closed())

    def _decision(self, preview: Preview) -> Decision:
        worst: dict[str, list[tuple[Rule, Effect]]] = {a: [] for a in _ANSWERS}
        real: dict[str, str] = {}
        about = {kind: [r for r in self.rules if _is_about(r, kind)] for kind in {e.kind for e in preview.effects}}
        context = _context(self.cwd)
        for call in preview.calls:
            states, times = _states_of_call(call), _only_times(call)
            for effect in call.effects:
                rule = self._rule_for(about[effect.kind], _case(effect, states | _states_of(effect, times), real), context)
                worst[rule.answer].append((rule, effect))
        for answer in ("deny", "ask"):
            if found := worst[answer]:
                # The first rule in the file is the gravest: its name stands for the decision, the reasons of all are given.
                order = {(r.scope, r.name): n for n, r in enumerate(self.rules)}
                rules = sorted({r for r, _ in found}, key=lambda r: order.get((r.scope, r.name), len(order)))
                reasons = [_reason(r) for r in rules if r.name != "changes"] or [r.reason for r in rules]
                asked = tuple(sorted({e for _, e in found}))
                return Decision(answer, rules[0].name, "; ".join(dict.fromkeys(reasons)), asked, any(r.each_time for r in rules))
        rule = worst["allow"][0][0] if worst["allow"] else _NOTHING
        return Decision("allow", rule.name, rule.reason)

    def _rule_for(self, rules: list[Rule], case: _Case, context: _Context) -> Rule:
        found = [r for r in rules if _matches(r, case, context)]
        lifted = next((r for r in found if r.lift and r.answer == "deny" and _is_lifted(found, case.kind)), None)
        for rule in found:
            if rule.answer == "deny" and rule is not lifted:
                return rule
        if lifted is not None:
            # Never more than a question: whoever lets a disk be erased is still asked which one it is this time.
            return replace(lifted, answer="ask", each_time=True)
        # A yes given before, by the user's file or for this session, answers what the shipped rules ask; the project's own asks remain.
        yes = next((r for r in reversed(found) if r.answer == "allow" and r.scope in ("user", "session")), None)
        asks = [r for r in found if r.answer == "ask" and not (yes and (r.scope == "shipped" or yes.scope == "session"))]
        return asks[0] if asks else yes or next((r for r in found if r.answer == "allow"), _UNKNOWN if not found else found[0])


def _reason(rule: Rule) -> str:
    if not (rule.lift and rule.answer == "deny"):
        return rule.reason
    path = settings.config_dir() / "policy.toml"
    return f'{rule.reason}: to be asked about it instead, put a [[rule]] with effect = ["{rule.effect[0]}"] and answer = "ask" into {path}'


def _is_about(rule: Rule, kind: str) -> bool:
    return any(_kind_pattern(p).fullmatch(kind) for p in rule.effect)


def _is_lifted(rules: list[Rule], kind: str) -> bool:
    """Whether the user's own file answers for this very kind of effect: a pattern such as "dev.*" or "*" was not written with it in mind."""
    return any(r.scope == "user" and r.answer != "deny" and kind in r.effect for r in rules)


def _matches(rule: Rule, case: _Case, context: _Context) -> bool:
    if rule.when and rule.when not in case.states:
        return False
    if rule.unless and rule.unless in case.states:
        return False
    if rule.but and all(_under(rule.but, case, place, context) for place in case.places):
        return False
    if not rule.target:
        return True
    # What forbids or asks is also meant where a link leads. What allows is not: whoever makes a link must not thereby get leave.
    follow = rule.answer != "allow"
    if any(_under(rule.target, case, place, context, follow=follow) for place in case.places):
        return True
    return rule.answer == "deny" and case.kind in ("fs.write", "fs.delete") and any(_holds(place, rule.target, context) for place in case.places)


def _under(patterns: tuple[str, ...], case: _Case, place: str, context: _Context, *, follow: bool = False) -> bool:
    # A socket is a path too, and /var/run/docker.sock is /run/docker.sock.
    if case.kind.startswith(("fs.", "dev.", "bus.")):
        return _is_among(place, patterns, context, follow=follow)
    return any(_kind_pattern(p).fullmatch(place) for p in patterns)


def _holds(place: str, patterns: tuple[str, ...], context: _Context) -> bool:
    """Whether `place` is a folder with something in it that is meant: who moves, removes or may write the whole folder does it to that, too."""
    paths = _paths(patterns, context, True)
    if place not in paths.around or os.path.islink(place):
        return False
    return any(p.startswith(place.rstrip("/") + "/") and os.path.lexists(p) for p in paths.alone | paths.trees)


_UNKNOWN = Rule("unknown", "ask", ("*",), "no rule is about it")
_NOTHING = Rule("nothing", "allow", (), "it needs nothing")


def load() -> Policy:
    """Read the shipped, the user's and the project's rules and try their examples. Raises SettingsError."""
    rules = list(_shipped())
    for path, scope in ((settings.config_dir() / "policy.toml", "user"), (Path(".nlsh") / "policy.toml", "project")):
        rules += _read(path, scope)
    return Policy(tuple(rules))


def _shipped() -> list[Rule]:
    found = _read(Path(__file__).with_name("policy.toml"), "shipped")
    if not found:
        raise SettingsError("nlsh's own policy is missing: this installation is broken.", hint="Nothing was run. Install nlsh again.")
    return found


def _read(path: Path, scope: str) -> list[Rule]:
    try:
        text = _text_of(path)
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}.", hint="Nothing was run.") from error
    import tomllib

    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}.", hint="Nothing was run. Mend the file or remove it.") from error
    _check_keys(path, data, ("rule",))
    written = data.get("rule", [])
    if not isinstance(written, list) or not all(isinstance(w, dict) for w in written):
        raise SettingsError(f"{path}: rules are written as [[rule]].", hint="Nothing was run.")
    rules = [_rule(path, scope, w, number) for number, w in enumerate(written, 1)]
    for rule in rules:
        _try_examples(path, rule)
    return rules


def _text_of(path: Path) -> str:
    # The working directory may be anybody's: a pipe or a device there must not keep nlsh waiting, nor fill its memory.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise OSError(errno.EFBIG, f"it has more than {_MOST_BYTES:,} bytes")
    return data.decode()


def _rule(path: Path, scope: str, written: dict[str, Any], number: int) -> Rule:
    _check_keys(path, written, _KEYS)
    name = str(written.get("name", f"{scope}-{number}"))
    values: dict[str, Any] = {"name": name, "scope": scope}
    for key in ("answer", "reason", "when", "unless"):
        if key in written and not isinstance(written[key], str):
            raise SettingsError(f"{path}: {name}: {key} must be a text.", hint="Nothing was run.")
        values[key] = written.get(key, "")
    for key in ("effect", "target", "but", "match", "not_match"):
        listed = written.get(key, [])
        if not isinstance(listed, list) or not all(isinstance(i, str) and i for i in listed):
            raise SettingsError(f"{path}: {name}: {key} must be a list of texts.", hint="Nothing was run.")
        values[key] = tuple(listed)
    for key in ("each_time", "lift"):
        if not isinstance(written.get(key, False), bool):
            raise SettingsError(f"{path}: {name}: {key} must be true or false.", hint="Nothing was run.")
        values[key] = written.get(key, False)
    if values["lift"] and scope != "shipped":
        raise SettingsError(f"{path}: {name}: lift is for the shipped rules.", hint="Nothing was run. Leave the line out: you can change your own rule.")
    _one_of(path, name, "answer", values["answer"], _ANSWERS)
    for key in ("when", "unless"):
        if values[key]:
            _one_of(path, name, key, values[key], _WHENS)
    if not values["effect"]:
        raise SettingsError(f"{path}: {name}: effect says which effects the rule is about.", hint=f"For example effect = {['fs.write']}.")
    for pattern in values["effect"]:
        if not any(_kind_pattern(pattern).fullmatch(kind) for kind in KINDS):
            _one_of(path, name, "effect", pattern, tuple(KINDS))
    for pattern in (*values["effect"], *values["target"], *values["but"]):
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


def _check_keys(path: Path, data: dict[str, Any], known: tuple[str, ...]) -> None:
    for key in data:
        if key not in known:
            raise SettingsError(f"{path}: unknown key “{key}”.", hint=_nearest(key, known))


def _nearest(word: str, known: tuple[str, ...]) -> str:
    import difflib

    close = difflib.get_close_matches(word, known, 1)
    return f"Nothing was run. Did you mean {close[0]}?" if close else f"Nothing was run. Known: {', '.join(known)}."


def _try_examples(path: Path, rule: Rule) -> None:
    context = _context(os.getcwd())
    for examples, wanted in ((rule.match, True), (rule.not_match, False)):
        for example in examples:
            effect, _, state = example.partition(" +")
            kind, _, target = effect.partition(":")
            if kind not in KINDS or (state and state not in _WHENS):
                raise SettingsError(f"{path}: {rule.name}: “{example}” is not an example such as fs.write:~/x.", hint="Nothing was run.")
            target = (_substituted(target, context) or ("*",))[0]
            states = frozenset({state} if state else ())
            if (_is_about(rule, kind) and _matches(rule, _case(Effect(kind, target), states, {}), context)) != wanted:
                raise SettingsError(
                    f"{path}: {rule.name}: its example “{example}” does {'not match' if wanted else 'match'}.",
                    hint="Nothing was run. Mend the rule or the example.",
                )


def _session_rule(written: str) -> Rule:
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


def _case(effect: Effect, states: frozenset[str], real: dict[str, str]) -> _Case:
    if not effect.kind.startswith("fs."):
        return _Case(effect.kind, effect.target, (effect.target,), states)
    path = os.path.normpath(effect.target)
    folder, name = os.path.split(path)
    if folder not in real:
        real[folder] = os.path.realpath(folder)
    place = os.path.join(real[folder], name) if name else "/"
    places = {path, place}
    # Of a hundred thousand files in one folder, the way to it is followed once.
    if effect.kind in ("fs.read", "fs.write") and os.path.islink(place):
        places.add(os.path.realpath(place))
    return _Case(effect.kind, effect.target, tuple(sorted(places)), states)


def _states_of_call(call: PreviewedCall) -> frozenset[str]:
    states = set()
    if call.no_undo and any(e.changes and e.kind != "exec" for e in call.effects):
        states.add("cannot-undo")
    if not any(e.changes and e.kind != "exec" for e in call.effects):
        states.add("only-reads")
    return frozenset(states)


def _only_times(call: PreviewedCall) -> frozenset[str]:
    """Return the folders of which a call changes nothing but puts back their times, as undo does."""
    times: set[str] = set()
    more: set[str] = set()
    for step in call.steps:
        (times if type(step).__name__ == "RestoreTimes" else more).update(e.target for e in step.effects() if e.kind == "fs.meta")
    return frozenset(times - more)


def _states_of(effect: Effect, times: frozenset[str]) -> frozenset[str]:
    if effect.kind == "fs.meta" and effect.target in times:
        return frozenset({"times"})
    if effect.kind not in ("proc.signal", "proc.tune"):
        return frozenset()
    if effect.target in ("0", "1", str(os.getpid())):
        return frozenset({"own-process"})
    try:
        owner = os.stat(f"/proc/{effect.target}").st_uid
    except OSError:
        return frozenset()
    return frozenset({"other-user"}) if owner != os.geteuid() else frozenset()


@dataclass(frozen=True, eq=False)
class _Context:
    home: str
    homes: tuple[str, ...]  # it, and where it leads if it is reached through a link
    cwd: str
    config: str
    state: str
    secrets: tuple[str, ...]
    own: tuple[str, ...]


def _context(cwd: str) -> _Context:
    return _context_of(os.path.expanduser("~"), cwd, os.environ.get("XDG_CONFIG_HOME", ""), os.environ.get("XDG_STATE_HOME", ""))


@cache
def _context_of(home: str, cwd: str, _config: str, _state: str) -> _Context:
    own = secrets.own()
    homes = tuple(dict.fromkeys((home, os.path.realpath(home))))
    return _Context(home, homes, cwd, own[0], own[1], secrets.hidden(), own)


def _substituted(pattern: str, context: _Context) -> tuple[str, ...]:
    """Return the paths and patterns that one written in a policy stands for."""
    exact = "=" if pattern.startswith("=") else ""
    body = pattern.removeprefix("=")
    if body == "{secrets}":
        return tuple(exact + s for s in context.secrets)
    if body == "{own}":
        return tuple(exact + s for s in context.own)
    if body == "{above-home}":
        found = []
        for folder in map(os.path.dirname, context.homes):
            while folder != "/":
                found.append("=" + folder)
                folder = os.path.dirname(folder)
        return tuple(dict.fromkeys(found))
    # Steps name real places: where the home folder is reached through a link, both ways to it are meant.
    bodies = [h + body[1:] for h in context.homes] if body == "~" or body.startswith("~/") else [body]
    if "{home}" in body:
        bodies = [body.replace("{home}", h) for h in context.homes]
    for word in ("cwd", "config", "state"):
        bodies = [b.replace("{" + word + "}", getattr(context, word)) for b in bodies]
    return tuple(exact + b for b in bodies)


@dataclass(frozen=True)
class _Paths:
    """What patterns mean: paths alone, paths with all below them, expressions for the rest; `around` are the folders that these paths are in."""

    alone: frozenset[str]
    trees: frozenset[str]
    others: tuple[re.Pattern[str], ...]
    around: frozenset[str]


@cache
def _paths(patterns: tuple[str, ...], context: _Context, follow: bool) -> _Paths:
    alone, trees, others = set(), set(), []
    for pattern in (p for written in patterns for p in _substituted(written, context)):
        exact = pattern.startswith("=")
        body = os.path.normpath(pattern.removeprefix("="))
        if any(c in body for c in "*?"):
            expression = "".join(_piece(p) for p in re.split(r"(\*\*/|\*\*|\*|\?)", body))
            others.append(re.compile(expression + ("" if exact else "(/.*)?"), re.S))
        else:
            (alone if exact else trees).update((body, os.path.realpath(body)) if follow else (body,))
    around = frozenset().union(*(secrets.above(os.path.dirname(p)) for p in (*alone, *trees)))
    return _Paths(frozenset(alone), frozenset(trees), tuple(others), around)


def _is_among(place: str, patterns: tuple[str, ...], context: _Context, *, follow: bool) -> bool:
    paths = _paths(patterns, context, follow)
    if place in paths.alone or "/" in paths.trees:
        return True
    if place in paths.trees or not paths.trees.isdisjoint(secrets.above(place.rpartition("/")[0])):
        return True
    return any(p.fullmatch(place) for p in paths.others)


def _piece(text: str) -> str:
    return {"**/": "(.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(text, re.escape(text))


@cache
def _kind_pattern(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(".*" if p == "*" else re.escape(p) for p in re.split(r"(\*)", pattern)), re.S)
