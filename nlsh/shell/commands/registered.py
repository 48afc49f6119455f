"""The commands of the command line: undo, finish, history, audit, policy, actions, plan, run, skills, servers, model, daemon, doctor; and scripts.

Each returns an exit status. Those that change anything are plans and go through `Session.run` like every other.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from nlsh.plan import registry
from nlsh.plan.plan import Call, Plan
from nlsh.plan.syntax import MAX_PLAN_CHARACTERS
from nlsh.shell.fit import fold
from nlsh.shell.options import Options, UsageError, not_so
from nlsh.shell.show import Look, escape, moment, show_records, show_table
from nlsh.shell.turn import Session, one_line


def run(options: Options) -> int:
    """Do what the command line's command says. Raises UsageError for words it does not know."""
    from nlsh.servers import install

    install()  # a plan is read before there is a session, and may name a server's tool
    return _COMMANDS[str(options.command)](options)


def _look(options: Options) -> Look:
    from nlsh.settings import load_settings

    return Look.of(json=options.json, plain=options.plain, color=options.color or load_settings().color)


def _number(options: Options, default: str = "", *, what: str = "a run's number", hint: str = "See nlsh history.") -> str:
    words = options.words
    if len(words) > 1 or (words and not (words[0].isascii() and words[0].isdigit() and int(words[0]) > 0)):
        raise UsageError(f"“{' '.join(words)}” is not {what}.", hint=hint)
    return words[0] if words else default


def _turn_of(action: str, options: Options) -> int:
    number = _number(options)
    plan = Plan((Call(action, {"run": number} if number else {}),))
    with Session.start(options) as session:
        return session.run(plan, f"{options.command} {number}".strip())


def _undo(options: Options) -> int:
    return _turn_of("history.undo", options)


def _finish(options: Options) -> int:
    return _turn_of("history.finish", options)


def _history(options: Options) -> int:
    from nlsh.journal.store import Journal
    from nlsh.journal.undo import History
    from nlsh.kernel.recover import unfinished
    from nlsh.plan.records import HistoryEntry

    journal = Journal()
    rows = History(journal).recent(min(sys.maxsize, int(_number(options, "20", what="how many of the last runs to list", hint="Try: nlsh history 5"))))
    show_records([HistoryEntry(**row) for row in rows], _look(options))
    if not rows and not options.json:
        print("Nothing was changed yet.", file=sys.stderr)
    for run in (r for r in unfinished(journal) if not r.settled):
        print(f"nlsh: {escape(run.message)}", file=sys.stderr)
    journal.close()
    return 0


def _audit(options: Options) -> int:
    from nlsh.shell.commands import audit

    return audit.run(options, _look(options))


def _policy(options: Options) -> int:
    from nlsh.shell.commands import policy

    return policy.run(options, _look(options))


def _actions(options: Options) -> int:
    look = _look(options)
    if len(options.words) > 1:
        raise UsageError("nlsh actions takes one name.", hint="Try: nlsh actions file.find")
    if not options.words:
        every = registry.all_actions()
        rows = [(a.name, "reads" if a.reads_only() else "changes", a.summary()) for a in every]
        show_table(("action", "what it does", "summary"), rows, look, data=[_action_data(a) for a in every])
        return 0
    name = options.words[0]
    group = [n for n in registry.names() if n.startswith(name.rstrip(".") + ".")]
    for number, each in enumerate(group or [name]):
        action = registry.get(each)
        if look.json:
            print(json.dumps(_action_data(action)))
            continue
        if number:
            print()
        for line in action_lines(action, look):
            # A plan stays on its line: it may be taken over from here.
            print(line if line.startswith("      ") else fold(line, look.columns if look.table else 0))
    return 0


def _action_data(action: Any) -> dict[str, Any]:
    fields = action.Args.fields.values()
    return {
        "action": action.name,
        "summary": action.summary(),
        "reads_only": action.reads_only(),
        "effects": list(action.effects),
        "cannot_undo": action.undo.reason if action.undo else "",
        "arguments": [{"name": a.name, "type": a.type.name, "help": a.help, "required": a.required, "choices": list(a.type.choices)} for a in fields],
        "examples": [{"say": list(e.say), "plan": e.plan} for e in action.examples],
    }


def action_lines(action: Any, look: Look) -> list[str]:
    """Return what there is to know about an action, with its examples."""

    def head(text: str) -> str:
        return look.paint(text, "bold", err=False)

    lines = [f"{head(action.name)}  {action.summary()}"]
    if action.undo:
        lines.append(f"  cannot be undone: {action.undo.reason}")
    lines.append(f"  effects: {', '.join(action.effects)}")
    for field in action.Args.fields.values():
        of = f" ({', '.join(field.type.choices)})" if field.type.choices else ""
        lines.append(f"  {field.name}: {field.type.name}{of}{', needed' if field.required else ''}. {field.help}")
    for example in action.examples:
        lines += [f"  “{escape(example.say[0])}”", *(f"      {escape(line)}" for line in example.plan.strip().splitlines())]
    return lines


def _plan(options: Options) -> int:
    plan = plan_from_text(_read_plan(options.words[0]))
    with Session.start(options) as session:
        return session.run(plan, one_line(plan))


def plan_from_text(text: str) -> Plan:
    """Return the plan of a plan text, or of the JSON that `--json` prints. Raises BadPlan."""
    if text.lstrip().startswith(("[", "{")):
        from nlsh.plan.errors import BadPlan
        from nlsh.plan.plan import plan_from_data

        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadPlan(f"This is not plan data: {error}.") from error
        preview = data.get("preview") if isinstance(data, dict) else None
        if isinstance(preview, dict) and isinstance(preview.get("plan"), str):
            return registry.parse(preview["plan"])
        return registry.parse(registry.format(plan_from_data(data)))
    return registry.parse(text)


def _read_plan(name: str) -> str:
    if "(" in name and not os.path.exists(name):
        return name
    try:
        if name == "-":
            data = sys.stdin.buffer.read(4 * MAX_PLAN_CHARACTERS + 1)
        else:
            with open(name, "rb") as file:
                data = file.read(4 * MAX_PLAN_CHARACTERS + 1)
        return data.decode()
    except FileNotFoundError as error:
        raise UsageError(f"“{name}” is no plan, and there is no file of that name.", hint='Nothing was run. A plan is such as: file.list("~")') from error
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}.", hint="Nothing was run.") from error
    except UnicodeDecodeError:
        raise UsageError(f"{'stdin' if name == '-' else name} is not valid UTF-8.", hint="Nothing was run.") from None


def _run_pack(options: Options) -> int:
    from nlsh.skills.load import all_packs, find

    if not options.words:
        rows, data = [], []
        for entry in (e for pack in all_packs() for e in pack.entries.values()):
            rows.append((entry.full_name, entry.summary, " ".join(f"{p.name}={'' if p.default is None else p.default}" for p in entry.parameters.values())))
            data.append(entry.as_data())
        show_table(("entry", "summary", "parameters"), rows, _look(options), data=data)
        return 0
    entry = find(options.words[0])
    given = entry.given(options.words[1:])
    with Session.start(options) as session:
        return session.run_entry(entry, given, " ".join(["run", entry.full_name, *options.words[1:]]))


def _skills(options: Options) -> int:
    from nlsh.shell.commands import skills

    return skills.run(options, _look(options))


def _servers(options: Options) -> int:
    from nlsh.shell.commands import servers

    return servers.run(options, _look(options))


def _script(options: Options) -> int:
    from nlsh.shell import script

    return script.run(options)


def _model(options: Options) -> int:
    if options.words[:1] == ["learned"]:
        return _learned(options)
    from nlsh.shell.commands import models

    return models.run(options)


def _learned(options: Options) -> int:
    """Show what the user has taught the planner, or have it forgotten."""
    from nlsh.planner.learned import Learned

    learned = Learned()
    match options.words[1:]:
        case []:
            rows = [(str(n), moment(e.at), e.request, "; ".join(e.plan.splitlines())) for n, e in enumerate(learned.all(), start=1)]
            data = [{"number": n, "at": e.at, "request": e.request, "plan": e.plan} for n, e in enumerate(learned.all(), start=1)]
            show_table(("number", "when", "request", "plan"), rows, _look(options), data=data)
            if not rows and not options.json:
                print("Nothing was learned yet: choose among readings or edit a plan, and nlsh remembers it.", file=sys.stderr)
        case ["forget", number] if number.isascii() and number.isdigit():
            print(f"Forgotten: {escape(learned.forget(int(number)).request)}")
        case ["clear"]:
            print(f"Forgotten: {learned.clear()} examples.")
        case words:
            raise not_so("model learned", words, ("forget", "clear"), "There is: nlsh model learned, … forget NUMBER, … clear.")
    return 0


def _daemon(options: Options) -> int:
    from nlsh.shell.commands import daemon

    return daemon.run(options, _look(options))


def _jobs(options: Options) -> int:
    from nlsh.shell.commands import jobs

    return jobs.run(options, _look(options))


def _doctor(options: Options) -> int:
    from nlsh.shell.commands.doctor import checks

    found = checks(options)
    look = _look(options)
    if look.json:
        for check in found:
            print(json.dumps(check))
    else:
        for check in found:
            mark = look.paint("ok", "green", err=False) if check["ok"] else look.paint("no", "red", err=False)
            print(fold(f"{mark}  {check['what']}: {escape(check['found'])}", look.columns if look.table else 0, 4))
    return 0 if all(c["ok"] for c in found) else 1


_COMMANDS = {
    "undo": _undo,
    "finish": _finish,
    "history": _history,
    "audit": _audit,
    "policy": _policy,
    "actions": _actions,
    "plan": _plan,
    "run": _run_pack,
    "skills": _skills,
    "servers": _servers,
    "script": _script,
    "model": _model,
    "jobs": _jobs,
    "daemon": _daemon,
    "doctor": _doctor,
}
