"""What a person sees before a plan runs, and the one question about it.

It shows a frozen `Preview` and a `Decision`; it changes neither. Everything that comes from the machine is escaped here or in `show`:
a file name cannot draw the prompt.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from nlsh.plan import registry
from nlsh.plan.effects import KINDS, Effect
from nlsh.plan.plan import Preview, PreviewedCall
from nlsh.plan.steps import Step, counted
from nlsh.settings import tried_dir
from nlsh.shell.show import Look, count, escape, escape_name, place, size

if TYPE_CHECKING:
    from nlsh.guard.policy import Decision

MOST_STEPS = 20  # of a call, shown in words; the rest is counted
MOST_NOTES = 10
_MOST_TARGETS = 3
_ANYTHING = ("fs.write", "fs.delete", "fs.meta")
QUESTION = "Run this? [y/N/a/e/?] "
HELP = (
    "y  run it as shown",
    "n  or Enter: change nothing",
    "e  edit the plan, then see it again",
    "a  run it, and have that remembered: the rule is shown first",
    "1  or another number: that reading instead",
    "?  why this is asked",
)


def preview_lines(preview: Preview, look: Look, *, decision: Decision | None = None, with_plan: bool = True, cwd: str | None = None) -> list[str]:
    """Return the lines that say what a plan would touch: the plan, its steps, sizes, effects, and what cannot be undone."""
    lines: list[str] = []
    command = _only_command(preview)
    if with_plan and command is None:
        lines += [look.paint("  " + escape(line), "bold") for line in registry.format(preview.plan).splitlines()]
    # In words a step may show what is in a file; of what is denied, only what it is about is told.
    for call in preview.calls if decision is None or decision.answer != "deny" else ():
        lines += _call_lines(call, look, cwd)
    lines += _effect_lines(preview.effects, look, command)
    reasons = dict.fromkeys((c.call.action, c.no_undo) for c in preview.calls if c.no_undo)
    lines += [look.prose(f"  cannot be undone: {action}: {escape(why)}", "yellow") for action, why in reasons]
    if decision is not None and decision.answer == "ask":
        lines.append(look.prose(f"  asks because: {escape(decision.reason)}", "dim"))
    return lines


def _only_command(preview: Preview) -> str | None:
    """Return the command of a plan that is one command and nothing else: its step says it already, as it was typed."""
    if [c.call.action for c in preview.calls] != ["shell.run"] or len(preview.calls[0].steps) != 1:
        return None
    return getattr(preview.calls[0].steps[0], "command", None)


def _call_lines(call: PreviewedCall, look: Look, cwd: str | None) -> list[str]:
    # A note may hold a file's name, and how many there are, who named the files may choose.
    lines = [look.prose(f"  note: {escape_name(note)}", "yellow") for note in call.notes[:MOST_NOTES]]
    if len(call.notes) > MOST_NOTES:
        lines.append(look.prose(f"  note: and {len(call.notes) - MOST_NOTES:,} more notes", "yellow"))
    steps, folders = counted(call.steps)
    if not steps and not folders:
        if call.changes is False and not call.steps:
            lines.append(look.paint(f"  {call.call.action}: nothing to do", "dim"))
        return lines
    shown = steps if len(steps) <= MOST_STEPS + 1 else steps[:MOST_STEPS]
    for step in shown:
        amount = _bytes_of(step)
        lines.append(look.prose(f"    {words_of(step)}" + (look.paint(f"  {size(amount)}", "dim") if amount is not None else "")))
    if len(shown) < len(steps):
        lines.append(f"    and {len(steps) - len(shown):,} more")
    if folders:
        lines.append(f"    put back the modification times of {count(len(folders), 'folder')}")
    if len(steps) > 1:
        amounts = [a for s in steps if (a := _bytes_of(s)) is not None]
        total = f", {size(sum(amounts))}" if amounts and sum(amounts) else ""
        lines.append(look.paint(f"    {count(len(steps), 'step')}{total}", "dim"))
    return lines


def _bytes_of(step: Step) -> int | None:
    """Return how many bytes the file of a step has, where the step knows: the fourth field of a file's identity."""
    identity = getattr(step, "identity", None)
    return identity[3] if isinstance(identity, tuple) and len(identity) == 4 and isinstance(identity[3], int) else None


def words_of(step: Step) -> str:
    """Return a step in words, escaped, with paths below the home folder shortened."""
    home = os.path.expanduser("~").rstrip("/") + "/"
    said = step.describe()
    shorter = said.replace(f" {home}", " ~/") if len(home) > 1 else said
    # A command is shown as it is typed, a name so that its spaces cannot begin a line of their own.
    return escape(shorter) if hasattr(step, "command") else escape_name(shorter)


def _effect_lines(effects: Iterable[Effect], look: Look, command: str | None = None) -> list[str]:
    grouped: dict[str, list[str]] = {}
    for effect in effects:
        if effect != ("exec", command):
            grouped.setdefault(effect.kind, []).append(effect.target)
    words = []
    if command is not None and (folders := grouped.get("fs.write")) and all(grouped.get(kind) == folders for kind in _ANYTHING):
        # A folder with all below it.
        words.append((True, f"change anything in {_targets('fs.write', folders)}"))
        for kind in _ANYTHING:
            del grouped[kind]
    for kind, targets in grouped.items():
        words.append((KINDS[kind][1], f"{KINDS[kind][2]} {_targets(kind, targets)}".rstrip()))
    if not words:
        return []
    # Reading is said last: what changes is what matters here.
    words.sort(key=lambda pair: not pair[0])
    return [look.prose("  effects: " + " · ".join(text for _, text in words), "dim")]


def _targets(kind: str, targets: list[str]) -> str:
    if targets == ["*"]:
        return "" if kind in ("proc.read", "net.read", "sys.read") else "anything"
    if not kind.startswith("fs."):
        return ", ".join(escape(t) for t in targets[:_MOST_TARGETS]) + (f" and {len(targets) - _MOST_TARGETS:,} more" if len(targets) > _MOST_TARGETS else "")
    if len(targets) == 1:
        return place(targets[0])
    kept = [t for t in targets if t.startswith(f"{tried_dir()}/")]
    if kept and len(kept) < len(targets):
        # What nlsh keeps of a command's changes lies elsewhere: it does not make “1 file” into “2 in ~”.
        return f"{_targets(kind, [t for t in targets if t not in kept])}, {len(kept):,} in {place(str(tried_dir()))}"
    return f"{len(targets):,} in {place(os.path.commonpath(targets))}"


def preview_data(preview: Preview, decision: Decision | None = None) -> dict[str, Any]:
    """Return a preview as JSON-able data: the plan as text and as calls, each with its steps and effects."""
    denied = decision is not None and decision.answer == "deny"
    data: dict[str, Any] = {
        "plan": registry.format(preview.plan),
        "calls": [
            {
                **call,
                "steps": [{**s.as_data(), **({} if denied else {"says": s.describe()})} for s in previewed.steps],
                "effects": [e.as_data() for e in previewed.effects],
                "cannot_undo": previewed.no_undo,
                "notes": list(previewed.notes),
            }
            for call, previewed in zip(preview.plan.as_data(), preview.calls, strict=True)
        ],
        "digest": preview.digest(),
    }
    if decision is not None:
        data["decision"] = {"answer": decision.answer, "rule": decision.rule, "reason": decision.reason}
    return data


def ask(
    preview: Preview, decision: Decision, look: Look, *, cwd: str | None, read: Callable[[str], str], edit: Callable[[str], str | None],
    remember: Callable[[Preview, Decision], bool], others: Sequence[str] = (),
) -> bool | str:  # fmt: skip
    """Show a preview and ask once. Return True to run it, False to change nothing, or the text of another plan: an edited one, or one of `others`.

    `remember` is called for the answer "always" and says whether that approves it.
    """
    for line in preview_lines(preview, look, decision=decision, cwd=cwd):
        print(line, file=sys.stderr)
    for number, text in enumerate(others, start=1):
        print(look.prose(f"  or {number}: {escape('; '.join(text.splitlines()))}", "dim"), file=sys.stderr)
    alone = len(preview.calls) == 1 and getattr(preview.calls[0], "elevated", False)
    asked = QUESTION.replace("Run this?", "Run this as root?") if alone else QUESTION
    keys = HELP if others else tuple(line for line in HELP if not line.startswith("1"))
    question = asked.replace("?] ", f"?/{'1' if len(others) == 1 else f'1-{len(others)}'}] ") if others else asked
    while True:
        try:
            answer = read(question).strip().lower()
        except EOFError:
            print(file=sys.stderr)
            return False
        if answer in ("y", "yes", "是", "好"):
            return True
        if answer in ("", "n", "no", "否", "不"):
            return False
        if answer in ("e", "edit"):
            edited = edit(registry.format(preview.plan))
            if edited is not None:
                return edited
        elif answer in ("a", "always"):
            if remember(preview, decision):
                return True
        elif answer.isascii() and answer.isdecimal() and 1 <= int(answer) <= len(others):
            return others[int(answer) - 1]
        elif answer in ("?", "why"):
            for line in (*why_lines(decision), *keys):
                print(look.prose("  " + line), file=sys.stderr)
        else:
            print(f"  “{escape(answer)}” is no answer here.", file=sys.stderr)
            for line in keys:
                print("  " + line, file=sys.stderr)


def may_go_by_itself(preview: Preview, decision: Decision) -> bool:
    """Whether the mode “auto” may run what policy asks about: all of it can be taken back, and no rule wants each time to be asked about.

    Nor where something must be known of what it works on: that it was not found by what was asked for, or not all of it.
    """
    if decision.each_time or any(getattr(c, "heard", ()) for c in preview.calls):
        return False
    return all(not c.no_undo for c in preview.calls) and not any(e.kind in ("exec", "priv.root") for e in preview.effects)


def why_lines(decision: Decision, *, besides: str = "") -> list[str]:
    """Return which rule asks, why, and about which effects; those below `besides` are nlsh's own affair."""
    lines = [f"rule {escape(str(decision.rule))}: {escape(decision.reason)}"]
    asked = [e for e in decision.asked if not (besides and e.kind.startswith("fs.") and e.target.startswith(besides.rstrip("/") + "/"))]
    for effect in asked[:MOST_STEPS]:
        lines.append(f"  {effect.kind}: {place(effect.target) if effect.kind.startswith('fs.') else escape(effect.target)}")
    if len(asked) > MOST_STEPS:
        lines.append(f"  and {len(asked) - MOST_STEPS:,} more")
    return lines


def edit_text(text: str, *, plain: bool = False) -> str | None:
    """Let the user change a plan in $VISUAL or $EDITOR, or in place where neither is set (`plain`: by writing it anew). Return None if nothing came of it."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not editor:
        return _written_anew() if plain else _edit_in_place(text)
    import shlex
    import subprocess
    import tempfile

    with tempfile.NamedTemporaryFile("w+", suffix=".nlsh", prefix="plan-", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        try:
            done = subprocess.run([*shlex.split(editor), file.name], check=False)
        except (OSError, ValueError) as error:
            print(f"nlsh: the editor “{escape(editor)}” cannot be started: {error}.", file=sys.stderr)
            return None
        if done.returncode != 0:
            print(f"nlsh: the editor ended with status {done.returncode}; the plan is as it was.", file=sys.stderr)
            return None
        # Editors that save by renaming leave a new file under the name.
        with open(file.name, encoding="utf-8", errors="replace") as saved:
            return saved.read().strip() or None


def _written_anew() -> str | None:
    print("  Write the plan anew, on one line; Enter leaves it as it is.", file=sys.stderr)
    sys.stderr.write("plan> ")
    sys.stderr.flush()
    return sys.stdin.readline().strip() or None


def _edit_in_place(text: str) -> str | None:
    from prompt_toolkit import prompt

    try:
        edited = prompt("plan> ", default=text.replace("\n", "; "))
    except (EOFError, KeyboardInterrupt):
        return None
    return edited.strip() or None
