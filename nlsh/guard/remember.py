"""Remember: the rules that an approval becomes where the user says so, never wider than what was shown, and writing them into his policy file.

Each rule names the effects that were asked about letter by letter. What could be undone is allowed only where it can be, and in the folder
that a project is, where that was said. It owns what may be remembered at all.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nlsh.guard import files
from nlsh.guard.rules import EXACT, Rule
from nlsh.plan.errors import NotPossible

if TYPE_CHECKING:
    from nlsh.guard.policy import Decision, Policy
    from nlsh.plan.effects import Effect
    from nlsh.plan.plan import Preview

SCOPES = ("session", "project", "always")
MOST_TARGETS = 200  # of what is remembered at once: nobody reads more before it is written
# Their targets say what is changed. A process's number, a bus or a device would stand for whatever is there next time.
_REMEMBERED = ("fs.write", "fs.delete", "fs.meta", "fs.log", "exec", "tool.run", "sys.control")


def rules_of(preview: Preview, decision: Decision, policy: Policy, scope: str) -> tuple[Rule, ...]:
    """Return the rules after which this plan is not asked about again. Raises NotPossible where it may not or cannot be remembered."""
    if decision.answer != "ask":
        raise NotPossible(
            f"This is not asked about, so there is nothing to remember: the policy says {decision.answer} (rule {decision.rule}).", hint="Nothing was written."
        )
    if decision.each_time:
        raise NotPossible(f"This is asked each time: {decision.reason} (rule {decision.rule}).", hint="Nothing was written. You can say yes to it once.")
    asked = frozenset(decision.asked)
    if carried := sorted({name for c in preview.calls for name in c.carried}):
        why = f"which programs it runs depends on what earlier lines set ({', '.join(carried)})"
        raise NotPossible(f"This cannot be remembered: {why}.", hint="Nothing was written. You can say yes to it once.")
    if kinds := sorted({e.kind for e in asked if e.kind not in _REMEMBERED}):
        why = "its target stands for whatever is there next time"
        raise NotPossible(f"{', '.join(kinds)} cannot be remembered: {why}.", hint="Nothing was written. You can say yes to it once.")
    if len(asked) > MOST_TARGETS:
        raise NotPossible(f"{len(asked):,} effects are too many to remember one by one.", hint="Nothing was written. Write a rule for their folder yourself.")
    within = policy.cwd if scope == "project" else ""
    rules = tuple(_rules(preview, asked, within))
    # As it will stand: what is written counts for less than what is said for a session.
    after = policy.with_rules(rules) if scope == "session" else replace(policy, rules=(*policy.rules, *rules))
    if after.decide(preview).answer != "allow":
        raise NotPossible("Another rule would still ask about this.", hint="Nothing was written. nlsh policy check says which.")
    return rules


def _rules(preview: Preview, asked: frozenset[Effect], within: str) -> Iterable[Rule]:
    # What a raw command may do to its folder is allowed to this command alone.
    gone: dict[tuple[Effect, str], bool] = {}
    for call in preview.calls:
        command = next((e.target for e in call.effects if e.kind == "exec"), "")
        for effect in asked.intersection(call.effects):
            key = effect, "" if effect.kind == "exec" else command
            gone[key] = gone.get(key, False) or bool(call.no_undo)
    # Targets to which the same was to be done stand in one rule; kinds and targets that were not shown together do not.
    done: dict[tuple[str, str, bool], set[str]] = {}
    for (effect, command), lost in gone.items():
        done.setdefault((effect.target, command, lost), set()).add(effect.kind)
    together: dict[tuple[tuple[str, ...], str, bool], list[str]] = {}
    for (target, command, lost), every in done.items():
        together.setdefault((tuple(sorted(every)), command, lost), []).append(target)
    now = time.localtime()
    for number, ((kinds, command, lost), targets) in enumerate(sorted(together.items()), 1):
        yield Rule(
            f"approved-{time.strftime('%Y%m%d-%H%M%S', now)}-{number}", "allow", kinds, f"approved on {time.strftime('%Y-%m-%d', now)}",
            tuple(EXACT + t for t in sorted(targets)), unless="" if lost else "cannot-undo", exact=True, within=within, command=command, scope="user",
        )  # fmt: skip


def as_toml(rules: Sequence[Rule]) -> str:
    """Return rules as they stand in a policy file. Raises NotPossible for a name that is not UTF-8."""
    import tomli_w

    tables: list[dict[str, Any]] = []
    for rule in rules:
        table: dict[str, Any] = {"name": rule.name, "answer": rule.answer, "effect": list(rule.effect), "exact": rule.exact, "target": list(rule.targets)}
        table |= {key: value for key, value in (("unless", rule.unless), ("within", rule.within), ("command", rule.command)) if value}
        tables.append({**table, "reason": rule.reason})
    text = tomli_w.dumps({"rule": tables})
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotPossible("A name that is not UTF-8 cannot stand in a policy file.", hint="Nothing was written.") from None
    return text


def write(rules: Sequence[Rule]) -> str:
    """Add rules to the user's policy file and return its path. Raises SettingsError or NotPossible, and then nothing is changed."""
    from nlsh.guard.policy import check

    path = os.path.realpath(files.user_file())
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        files.check_writers(files.user_file())
        before = ""
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                before = file.read()
        # No other TOML table is left open: a rule begins with a header of its own.
        after = before + ("\n" if before.endswith("\n") or not before else "\n\n") + as_toml(rules)
        check(after, path)
        number, made = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".policy-")
        try:
            with open(number, "w", encoding="utf-8") as file:
                file.write(after.lstrip("\n"))
                file.flush()
                os.fsync(number)
            os.replace(made, path)
        except BaseException:
            os.unlink(made)
            raise
    except (OSError, UnicodeDecodeError) as error:
        raise NotPossible(f"{path} cannot be written: {error}.", hint="Nothing was written.") from error
    return path
