"""`nlsh policy` and the answer "always": the rules in force, what they say to a request, and what an approval is remembered as.

Both ways to a new rule go through `remember`: the rule is shown as it will be written, with where it holds, before anything is written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from nlsh.plan import registry
from nlsh.plan.errors import Denied, NlshError, Refused
from nlsh.shell.options import Options, UsageError, checked_request, not_so
from nlsh.shell.show import Look, count, escape, place, show_table

if TYPE_CHECKING:
    from nlsh.guard.policy import Decision, Policy
    from nlsh.guard.rules import Rule
    from nlsh.plan.plan import Plan, Preview
    from nlsh.shell.turn import Session

_THERE_IS = "There is: nlsh policy list, show [RULE], check REQUEST, add REQUEST."
_HOW_LONG = "For how long? [o/s/p/a/N] "
_SCOPES = {"o": "once", "once": "once", "s": "session", "session": "session", "p": "project", "project": "project", "a": "always", "always": "always"}


def run(options: Options, look: Look) -> int:
    """Do what `nlsh policy` says and return the exit status. Raises UsageError."""
    from nlsh.guard.policy import load

    match options.words:
        case [] | ["list"] | ["show"]:
            list_rules(load(), look)
        case ["show", name]:
            show_rule(load(), name, look)
        case ["check", *words] if words:
            return _check(options, " ".join(words))
        case ["add", *words] if words:
            return _add(options, " ".join(words))
        case words:
            raise not_so("policy", words, ("list", "show", "check", "add"), _THERE_IS)
    return 0


def list_rules(policy: Policy, look: Look) -> None:
    """Write the rules in force to stdout, in the order in which they are tried."""
    rows = []
    for rule in policy.rules:
        where = ", ".join(rule.targets) + (f" but {', '.join(rule.but)}" if rule.but else "")
        conditions = (("when", rule.when), ("unless", rule.unless), ("within", rule.within), ("command", rule.command))
        state = " ".join(f"{word} {value}" for word, value in conditions if value)
        rows.append((rule.name, rule.scope, rule.answer, ", ".join(rule.effect), " ".join(p for p in (where, state) if p), rule.reason))
    show_table(("rule", "from", "answer", "effects", "on", "reason"), rows, look, data=[_data(r) for r in policy.rules])


def show_rule(policy: Policy, name: str, look: Look) -> None:
    """Write all there is to know about the rules of a name to stdout. Raises UsageError."""
    found = [r for r in policy.rules if r.name == name]
    if not found:
        import difflib

        close = difflib.get_close_matches(name, [r.name for r in policy.rules], 1)
        raise UsageError(f"There is no rule “{name}”.", hint=f"Did you mean {close[0]}?" if close else "See nlsh policy list.")
    for rule in found:
        data = {k: v for k, v in _data(rule).items() if v not in ("", (), [], False)}
        if look.json:
            print(json.dumps(_data(rule)))
        else:
            for key, value in data.items():
                print(f"{key}: {escape(', '.join(value) if isinstance(value, (list, tuple)) else str(value))}")


def _data(rule: Rule) -> dict[str, Any]:
    return {**asdict(rule), "target": rule.targets}


def _check(options: Options, text: str) -> int:
    """Say what the policy decides about a request or command, and by which rule; what changes anything is not run."""
    from nlsh.shell import trying
    from nlsh.shell.turn import DENIED, Session

    with Session.start(options) as session:
        text = checked_request(text)
        plan = replace(session.plan_of(text), schedule=None)
        try:
            preview = session.preview(plan, text)
        except (Denied, Refused) as error:
            # No rule is asked where the action itself, or the reading that the plan begins with, says no: that is the decision.
            return _refused(options, plan, error)
        decision = session.policy.decide(preview)
        if tried := decision.answer != "deny" and trying.is_due(session, preview):
            # Asked about is then what it would change, and that can be taken back.
            decision = session.policy.decide(replace(preview, calls=tuple(replace(c, no_undo="") for c in preview.calls)))
        if options.json:
            data = {
                "answer": decision.answer, "rule": str(decision.rule), "layer": decision.layer, "file": decision.file, "reason": decision.reason,
                "each_time": decision.each_time, "effects": [e.as_data() for e in decision.asked], "plan": registry.format(preview.plan),
                "tried": tried,
            }  # fmt: skip
            print(json.dumps(data))
        else:
            print(f"{decision.answer}: {escape(decision.reason)} (rule {escape(str(decision.rule))})")
            print(f"  layer: {decision.layer or 'none'}")
            print(f"  file: {escape(decision.file) or 'none'}")
            print("  plan: " + escape("; ".join(registry.format(preview.plan).splitlines())))
            if tried:
                print("  tried: on a copy first; what it would change is shown and asked about, and can be taken back")
        return DENIED if decision.answer == "deny" else 0


def _refused(options: Options, plan: Plan, error: NlshError) -> int:
    """Say that a plan is refused before any rule is asked, and why."""
    from nlsh.shell.turn import DENIED

    if options.json:
        data = {
            "answer": "deny", "rule": "", "layer": "", "file": "", "reason": error.message, "each_time": False, "effects": [], "plan": registry.format(plan),
            "tried": False,
        }  # fmt: skip
        print(json.dumps(data))
    else:
        print(f"deny: {escape(str(error))}")
        print("  layer: none")
        print("  file: none")
        print("  plan: " + escape("; ".join(registry.format(plan).splitlines())))
    return DENIED


def _add(options: Options, text: str) -> int:
    """Write what "always" would write for a request or command, after showing it."""
    from nlsh.shell.turn import DENIED, Session

    with Session.start(options) as session:
        text = checked_request(text)
        preview = session.preview(session.plan_of(text), text)
        decision = session.policy.decide(preview)
        return 0 if _remember_for(session, preview, decision, "project" if options.project else "always", question="Write this? [y/N] ") else DENIED


def remember(session: Session, preview: Preview, decision: Decision) -> bool:
    """Ask for how long an approval is to hold, show the rule, and have it written. Return whether the plan is approved."""
    session.say(
        "  o: once, nothing is remembered · s: until this nlsh ends · p: always, while you are in " + place(session.policy.cwd),
        "  a: always, everywhere · n (or Enter): back to the question",
    )
    try:
        scope = _SCOPES.get(session.read(_HOW_LONG).strip().lower(), "")
        if scope == "once":
            return True
        return bool(scope) and _remember_for(session, preview, decision, scope, question="Remember this, and run it? [y/N] ")
    except EOFError:
        session.say("")
        return False


def _remember_for(session: Session, preview: Preview, decision: Decision, scope: str, *, question: str) -> bool:
    from nlsh.guard import remember

    try:
        rules = remember.rules_of(preview, decision, session.policy, scope)
        session.say(*rule_lines(rules, scope, session.policy.cwd))
        if not session.options.yes:
            if not session.can_ask():
                session.say("nlsh: this is written when somebody says yes to it, and there is nobody to ask. Nothing was written. --yes says it.")
                return False
            if session.read(question).strip().lower() not in ("y", "yes", "是", "好"):
                session.say("Nothing was written.")
                return False
        if scope == "session":
            session.policy = session.kernel.policy = session.policy.with_rules(rules)
        else:
            path = remember.write(rules)
            session.policy = session.kernel.policy = session.policy.renewed()
            session.say(f"Written to {place(path)}: {count(len(rules), 'rule')}. Take it out there when it is no longer wanted.")
        return True
    except EOFError:
        session.say("")
    except NlshError as error:
        session.say(session.look.paint("nlsh: " + escape(str(error)), "yellow"))
    return False


def rule_lines(rules: Sequence[Rule], scope: str, cwd: str) -> list[str]:
    """Return rules as they will stand in the file, escaped, and for how long they will hold."""
    from nlsh.guard import files, remember

    where = {
        "session": "until this nlsh ends; it is written nowhere",
        "project": f"always while nlsh stands in {place(cwd)}; written to {place(str(files.user_file()))}",
        "always": f"always, wherever nlsh stands; written to {place(str(files.user_file()))}",
    }[scope]
    return [f"  this holds {where}:", *("    " + escape(line) for line in remember.as_toml(rules).splitlines() if line)]
