"""Policy: rules in TOML that allow, ask about or deny the effects of a preview; the strictest rule that matches wins.

The shipped rules come first, then the administrator's and the user's (whose `allow` answers what the shipped rules ask), then the project's
(which may only tighten), then the session's `--allow`. A `deny` is final, but for a shipped one that says `lift`: a rule of the user's that
names the kind of effect in full makes a question of it. It owns the decision; what a rule is is `rules`', showing and enforcing is done elsewhere.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlsh.guard import demands, files, secrets, trials
from nlsh.guard.paths import goal_of, leads_to, place_of, plain
from nlsh.guard.rules import ANSWERS, EXACT, WHENS, Rule, check_keys, kind_pattern, rule_of, session_rule
from nlsh.plan.effects import KINDS, Effect
from nlsh.plan.errors import SettingsError
from nlsh.plan.frozen import frozen

if TYPE_CHECKING:
    from nlsh.plan.plan import Preview, PreviewedCall

_OTHER_PROGRAMS = "other-programs"  # of a command for which earlier lines have set what its programs are found by
_CHANGES_SOMETHING = frozenset(kind for kind, (_, changes, _) in KINDS.items() if changes)


@frozen(slots=False)
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
    layer: str = ""
    file: str = ""


@frozen(slots=False)
class _Case:
    """An effect as a rule sees it: the places its target means, and what else is so about it."""

    kind: str
    target: str
    places: tuple[str, ...]
    states: frozenset[str]


@frozen(slots=False)
class Policy:
    """All rules, in order of where they come from."""

    rules: tuple[Rule, ...]
    cwd: str = field(default_factory=os.getcwd)

    def with_session(self, allowed: Iterable[str]) -> Policy:
        """Return the policy with `--allow EFFECT[:TARGET]`: an ask becomes an allow, a deny stays. Raises SettingsError."""
        return replace(self, rules=(*self.rules, *(session_rule(a) for a in allowed)))

    def with_rules(self, rules: Iterable[Rule]) -> Policy:
        """Return the policy with rules for this session."""
        return replace(self, rules=(*self.rules, *(replace(r, scope="session", file="") for r in rules)))

    def renewed(self) -> Policy:
        """Return the policy for the working directory as it is now, with what was allowed for this session. Raises SettingsError."""
        new = load()
        return replace(new, rules=(*new.rules, *(r for r in self.rules if r.scope == "session")))

    def settled(self) -> Policy:
        """Return the policy with `~`, `{own}` and the like written out as they are now: it means the same where HOME is another folder."""
        context = _context(self.cwd)
        now = [r for r in self.rules if _stands_in(r, self.cwd)]
        found = [replace(r, target=_written_out(r.target, context), but=_written_out(r.but, context), within="") for r in now]
        # A rule about nothing must not become one about everything.
        return replace(self, rules=tuple(new for new, old in zip(found, now, strict=True) if new.target or not old.target))

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
        worst: dict[str, list[tuple[Rule, Effect]]] = {a: [] for a in ANSWERS}
        # Where the paths led when they were previewed: what is judged is what a grant will hold.
        real = {folder: place for call in preview.calls for folder, place in call.places.items()}
        about = {kind: [r for r in self.rules if _is_about(r, kind)] for kind in {e.kind for c in preview.calls for e in c.effects}}
        context = _context(self.cwd)
        folders = _Folders([r for rules in about.values() for r in rules], context)
        for call in preview.calls:
            of_call, times = _states_of_call(call), _only_times(call)
            for effect in call.effects:
                states = of_call | _states_of(effect, times)
                if (key := folders.key(effect, states, real)) is None:
                    rule = self._rule_for(about[effect.kind], _case(effect, states, real), context)
                elif (known := folders.known.get(key)) is not None:
                    rule = known
                else:
                    rule = folders.known[key] = self._rule_for(about[effect.kind], folders.any_name(key), context)
                worst[rule.answer].append((rule, effect))
        for answer in ("deny", "ask"):
            if found := worst[answer]:
                # The first rule in the file is the gravest: its name stands for the decision, the reasons of all are given.
                order = {(r.scope, r.name): n for n, r in enumerate(self.rules)}
                rules = sorted({id(r): r for r, _ in found}.values(), key=lambda r: order.get((r.scope, r.name), len(order)))
                reasons = [_reason(r) for r in rules if r.name != "changes"] or [r.reason for r in rules]
                asked = tuple(sorted({e for _, e in found}))
                each_time = any(r.each_time for r in rules)
                return Decision(answer, rules[0].name, "; ".join(dict.fromkeys(reasons)), asked, each_time, layer=rules[0].scope, file=rules[0].file)
        rule = worst["allow"][0][0] if worst["allow"] else _NOTHING
        return Decision("allow", rule.name, rule.reason, layer=rule.scope, file=rule.file)

    def _rule_for(self, rules: list[Rule], case: _Case, context: _Context) -> Rule:
        found = [r for r in rules if _matches(r, case, context)]
        lifted = next((r for r in found if r.lift and r.answer == "deny" and _is_lifted(found, case.kind)), None)
        for rule in found:
            if rule.answer == "deny" and rule is not lifted:
                return rule
        if lifted is not None:
            # Never more than a question: whoever lets a disk be erased is still asked which one it is this time.
            return replace(lifted, answer="ask", each_time=True)
        # A yes given before, by a file or for this session, answers what the shipped rules ask; what others ask remains, but that one who
        # sits here may answer the project's and his own for a session.
        yes = next((r for r in reversed(found) if r.answer == "allow" and r.scope in ("system", "user", "session")), None)
        answered = () if yes is None else ("shipped", "user", "project") if yes.scope == "session" else ("shipped",)
        asks = [r for r in found if r.answer == "ask" and r.scope not in answered]
        return asks[0] if asks else yes or next((r for r in found if r.answer == "allow"), _UNKNOWN if not found else found[0])


def _reason(rule: Rule) -> str:
    if not (rule.lift and rule.answer == "deny"):
        return rule.reason
    path = files.user_file()
    return f'{rule.reason}: to be asked about it instead, put a [[rule]] with effect = ["{rule.effect[0]}"] and answer = "ask" into {path}'


def _is_about(rule: Rule, kind: str) -> bool:
    return kind in rule.effect or any(kind_pattern(p).fullmatch(kind) for p in rule.effect if "*" in p)


def _is_lifted(rules: list[Rule], kind: str) -> bool:
    """Whether the user's own file answers for this very kind of effect: a pattern such as "dev.*" or "*" was not written with it in mind."""
    return any(r.scope == "user" and r.answer != "deny" and kind in r.effect for r in rules)


def _matches(rule: Rule, case: _Case, context: _Context) -> bool:
    if rule.when and rule.when not in case.states:
        return False
    if rule.unless and rule.unless in case.states:
        return False
    if rule.command and _command_state(rule.command) not in case.states:
        return False
    # A yes to a command was one to the programs it ran then: other variables from earlier lines may mean others by its words.
    if rule.answer == "allow" and _OTHER_PROGRAMS in case.states and (rule.command or (case.kind == "exec" and rule.target)):
        return False
    if not _stands_in(rule, context.cwd):
        return False
    if rule.but and all(_under(rule.but, case, place, context) for place in case.places):
        return False
    if not rule.target:
        return True
    # What forbids or asks is also meant where a link leads. What allows is not: whoever makes a link must not thereby get leave.
    follow = rule.answer != "allow"
    if not follow:
        return all(_under(rule.target, case, place, context) for place in case.places)
    if any(_under(rule.target, case, place, context, follow=True) for place in case.places):
        return True
    return rule.answer == "deny" and case.kind in ("fs.write", "fs.delete") and any(_holds(place, rule.target, context) for place in case.places)


def _stands_in(rule: Rule, cwd: str) -> bool:
    return not rule.within or cwd == rule.within or cwd.startswith(rule.within.rstrip("/") + "/")


def _under(patterns: tuple[str, ...], case: _Case, place: str, context: _Context, *, follow: bool = False) -> bool:
    # A socket is a path too, and /var/run/docker.sock is /run/docker.sock.
    if case.kind.startswith(("fs.", "dev.", "bus.")):
        return _is_among(place, patterns, context, follow=follow)
    return any(kind_pattern(p).fullmatch(place) for p in patterns)


def _holds(place: str, patterns: tuple[str, ...], context: _Context) -> bool:
    """Whether `place` is a folder with something in it that is meant: who moves, removes or may write the whole folder does it to that, too."""
    paths = _paths(patterns, context, True)
    if place not in paths.around or os.path.islink(place):
        return False
    return any(p.startswith(place.rstrip("/") + "/") and os.path.lexists(p) for p in paths.alone | paths.trees)


_UNKNOWN = Rule("unknown", "ask", ("*",), "no rule is about it")
_NOTHING = Rule("nothing", "allow", (), "it needs nothing")


def load() -> Policy:
    """Read the rules of all layers and try their examples. Raises SettingsError."""
    rules = list(_shipped())
    for path, scope in files.layers():
        rules += _read(path, scope)
    return Policy(tuple(rules))


def _shipped() -> list[Rule]:
    found = _read(Path(__file__).with_name("policy.toml"), "shipped")
    if not found:
        raise SettingsError("nlsh's own policy is missing: this installation is broken.", hint="Nothing was run. Install nlsh again.")
    return found


def check(text: str, path: str) -> None:
    """Try a user's policy file that is about to be written. Raises SettingsError."""
    _rules_of(Path(path), "user", demands.parsed(text, path))


def _read(path: Path, scope: str) -> list[Rule]:
    return _rules_of(path, scope, demands.read(path))


def _rules_of(path: Path, scope: str, data: dict[str, Any]) -> list[Rule]:
    check_keys(path, data, ("rule", "guard", "shell"))
    demands.parse(str(path), data.get("guard", {}))
    trials.parse(str(path), data.get("shell", {}))
    written = data.get("rule", [])
    if not isinstance(written, list) or not all(isinstance(w, dict) for w in written):
        raise SettingsError(f"{path}: rules are written as [[rule]].", hint="Nothing was run.")
    rules = [rule_of(path, scope, w, number) for number, w in enumerate(written, 1)]
    for rule in rules:
        _try_examples(path, rule)
    return rules


def _try_examples(path: Path, rule: Rule) -> None:
    context = _context(os.getcwd())
    for examples, wanted in ((rule.match, True), (rule.not_match, False)):
        for example in examples:
            effect, _, state = example.partition(" +")
            kind, _, target = effect.partition(":")
            if kind not in KINDS or (state and state not in WHENS):
                raise SettingsError(f"{path}: {rule.name}: “{example}” is not an example such as fs.write:~/x.", hint="Nothing was run.")
            target = (_substituted(target, context) or ("*",))[0]
            states = frozenset({state} if state else ())
            if (_is_about(rule, kind) and _matches(rule, _case(Effect(kind, target), states, {}), context)) != wanted:
                raise SettingsError(
                    f"{path}: {rule.name}: its example “{example}” does {'not match' if wanted else 'match'}.",
                    hint="Nothing was run. Mend the rule or the example.",
                )


def _case(effect: Effect, states: frozenset[str], real: dict[str, str]) -> _Case:
    if not effect.kind.startswith("fs."):
        return _Case(effect.kind, effect.target, (effect.target,), states)
    # Of a hundred thousand files in one folder, the way to it is followed once.
    place = place_of(effect.target, real)
    places = {plain(effect.target), place}
    if effect.kind in ("fs.read", "fs.write"):
        places.add(goal_of(place, real))
    return _Case(effect.kind, effect.target, tuple(sorted(places)), states)


class _Folders:
    """What the rules say of a whole folder: of a hundred thousand files in one, all that no rule can tell apart are judged once.

    A rule can tell a file from its neighbours only where a path that it names is the file or lies below it, where a pattern of it may
    match, or where the file is a link, whose goal counts too. Those are judged one by one.
    """

    def __init__(self, rules: Iterable[Rule], context: _Context) -> None:
        self.known: dict[tuple[str, str, frozenset[str]], Rule] = {}
        paths = [_paths(patterns, context, follow) for r in rules for patterns in (r.target, r.but) for follow in (False, True)]
        self._named = frozenset().union(*(p.alone | p.trees | p.around for p in paths))
        self._needles = frozenset(needle for p in paths for needle, _ in p.others)

    def key(self, effect: Effect, states: frozenset[str], real: dict[str, str]) -> tuple[str, str, frozenset[str]] | None:
        """Return what all effects have in common that are judged like this one; None where it is judged by itself."""
        kind, path = effect
        if not kind.startswith("fs.") or path != os.path.normpath(path):
            return None
        folder, _, name = path.rpartition("/")
        if folder in ("", "/") or not name:
            return None
        if folder not in real:
            real[folder] = os.path.realpath(folder)
        if real[folder] != folder or path in self._named or any(n in path for n in self._needles):
            return None
        if kind in ("fs.read", "fs.write") and goal_of(path, real) != path:
            return None
        return kind, folder, states

    def any_name(self, key: tuple[str, str, frozenset[str]]) -> _Case:
        """Return the case of something in the folder that has no name any rule could mean."""
        kind, folder, states = key
        path = f"{folder}/\0"
        return _Case(kind, path, (path,), states)


def _command_state(command: str) -> str:
    return f"exec {command}"


def _states_of_call(call: PreviewedCall) -> frozenset[str]:
    states = {_command_state(e.target) for e in call.effects if e.kind == "exec"}
    if call.carried:
        states.add(_OTHER_PROGRAMS)
    if call.no_undo and any(e.changes and e.kind != "exec" for e in call.effects):
        states.add("cannot-undo")
    if not any(e.changes and e.kind != "exec" for e in call.effects):
        states.add("only-reads")
    return frozenset(states)


def _only_times(call: PreviewedCall) -> frozenset[str]:
    """Return the folders of which a call changes nothing but puts back their times, as undo does."""
    if not any(e.kind == "fs.meta" for e in call.effects):
        return frozenset()
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


@frozen(slots=False, eq=False)
class _Context:
    home: str
    homes: tuple[str, ...]  # it, and where it leads if it is reached through a link
    cwd: str
    config: str
    state: str
    secrets: tuple[str, ...]
    own: tuple[str, ...]


def _context(cwd: str) -> _Context:
    return _context_of(os.path.expanduser("~"), cwd, os.environ.get("XDG_CONFIG_HOME", ""), os.environ.get("XDG_STATE_HOME", ""), demands.found().hide)


@cache
def _context_of(home: str, cwd: str, _config: str, _state: str, _hide: tuple[str, ...]) -> _Context:
    own = secrets.own()
    homes = tuple(dict.fromkeys((home, os.path.realpath(home))))
    return _Context(home, homes, cwd, own[0], own[1], secrets.hidden(), own)


def _written_out(patterns: tuple[str, ...], context: _Context) -> tuple[str, ...]:
    return tuple(p for written in patterns for p in _substituted(written, context))


def _substituted(pattern: str, context: _Context) -> tuple[str, ...]:
    """Return the paths and patterns that one written in a policy stands for."""
    if pattern.startswith(EXACT):
        return (pattern,)
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


@frozen(slots=False)
class _Paths:
    """What patterns mean: paths alone, paths with all below them, expressions for the rest; `around` are the folders that these paths are in."""

    alone: frozenset[str]
    trees: frozenset[str]
    others: tuple[tuple[str, re.Pattern[str]], ...]  # each with a text that is in all it matches
    around: frozenset[str]


@cache
def _paths(patterns: tuple[str, ...], context: _Context, follow: bool) -> _Paths:
    alone: set[str] = set()
    trees: set[str] = set()
    others = []
    places: dict[str, str] = {}
    for pattern in _written_out(patterns, context):
        if pattern.startswith(EXACT):
            body = pattern.removeprefix(EXACT)
            alone.update((body, leads_to(body, places)) if follow else (body,))
            continue
        exact = pattern.startswith("=")
        body = os.path.normpath(pattern.removeprefix("="))
        if any(c in body for c in "*?"):
            pieces = re.split(r"(\*\*/|\*\*|\*|\?)", body)
            expression = re.compile("".join(map(_piece, pieces)) + ("" if exact else "(/.*)?"), re.S)
            others.append((max(pieces[::2], key=len), expression))
        else:
            (alone if exact else trees).update((body, leads_to(body, places)) if follow else (body,))
    around = frozenset().union(*(secrets.above(os.path.dirname(p)) for p in (*alone, *trees)))
    return _Paths(frozenset(alone), frozenset(trees), tuple(others), around)


def _is_among(place: str, patterns: tuple[str, ...], context: _Context, *, follow: bool) -> bool:
    paths = _paths(patterns, context, follow)
    if place in paths.alone or "/" in paths.trees:
        return True
    if place in paths.trees or not paths.trees.isdisjoint(secrets.above(place.rpartition("/")[0])):
        return True
    return any(needle in place and p.fullmatch(place) for needle, p in paths.others)


def _piece(text: str) -> str:
    return {"**/": "(.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(text, re.escape(text))
