"""`/explain COMMAND` and `/explain PLAN`: what it would do, part by part, and what the policy says to it. Nothing is run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nlsh.plan import registry
from nlsh.plan.errors import BadPlan, NlshError
from nlsh.plan.plan import Plan
from nlsh.shell.preview import preview_lines
from nlsh.shell.report import explain_lines
from nlsh.shell.show import escape

if TYPE_CHECKING:
    from nlsh.shell.turn import Session

_ANSWERS = {"allow": "It runs without being asked about", "ask": "It is asked about", "deny": "It is denied"}


def lines_about(session: Session, text: str) -> list[str]:
    """Return what there is to say of a command, a plan or a sentence. Raises what planning raises."""
    from nlsh.shell.turn import command_plan

    try:
        plan = registry.parse(text)
    except BadPlan:
        plan = None
    if plan is not None:
        return [*_calls(plan), *_effects(session, plan, text)]
    if text.startswith("!") or (not text.startswith("?") and session.is_command(text)):
        command = text.lstrip("!").strip()
        return [*_command(command), *_effects(session, command_plan(command), text)]
    answer = session.plan(text.removeprefix("?").strip())
    lines = explain_lines(answer)
    if answer.kind != "plan":
        return [*lines, escape(answer.message)]
    return [*lines, *_calls(answer.readings[0].plan), *_effects(session, answer.readings[0].plan, text)]


def _calls(plan: Plan) -> list[str]:
    lines = []
    for call, written in zip(plan.calls, registry.format(plan).splitlines(), strict=True):
        action = registry.get(call.action)
        lines += [f"  {escape(written)}", f"    {action.summary()}"]
        lines += [f"    {name}: {action.Args.fields[name].help}" for name in call.args if name in action.Args.fields]
        if action.undo:
            lines.append(f"    It cannot be undone: {action.undo.reason}.")
    return lines


def _command(command: str) -> list[str]:
    """Return a command's programs in the order in which they stand, each with where it is and whether it is known to only read."""
    import shutil

    from nlsh.actions.shell._reading import only_reads

    lines = []
    for words in _simple_commands(command):
        name = words[0]
        path = name if "/" in name else shutil.which(name)
        what = "only reads, as far as is known" if only_reads(" ".join(words), os.getcwd()) else "may change something"
        lines += [f"  {escape(' '.join(words))}", f"    {escape(path) if path else 'a word of the shell, or no program that is here'}: {what}"]
    return lines


def _simple_commands(command: str) -> list[list[str]]:
    import tree_sitter
    import tree_sitter_bash

    tree = tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language())).parse(command.encode())
    found, left = [], [tree.root_node]
    while left:
        node = left.pop()
        if node.type == "command":
            words = [(c.text or b"").decode("utf-8", "replace") for c in node.children if c.type not in ("variable_assignment", "file_redirect")]
            if words:
                found.append((node.start_byte, words))
        left += node.children
    return [words for _, words in sorted(found, key=lambda f: f[0])]


def _effects(session: Session, plan: Plan, text: str) -> list[str]:
    """Return a preview's lines and the policy's decision; looking reads, and changes nothing."""
    try:
        preview = session.kernel.preview(plan, text)
    except NlshError as error:
        return [f"  As it stands it does not run: {escape(str(error))}"]
    decision = session.policy.decide(preview)
    said = f"  {_ANSWERS[decision.answer]}: {escape(decision.reason)} (rule {escape(str(decision.rule))})."
    return [*preview_lines(preview, session.look, decision=decision, with_plan=False, cwd=os.getcwd()), said]
