"""Which reading is meant: the question where the planner is not sure, before any preview."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nlsh.plan import registry
from nlsh.plan.errors import NlshError
from nlsh.shell.show import escape

if TYPE_CHECKING:
    from nlsh.planner.answer import Answer, Reading
    from nlsh.shell.turn import Session


_HELP = "  A number, Enter for none of them, or the request in other words."
_HELP_ONE = "  y, Enter for no, or the request in other words."


def choose(session: Session, answer: Answer) -> Reading | str | None:
    """Show the readings and return the one that is picked, None, or what was said instead: another line."""
    readings = answer.readings[:3]
    plans = [registry.format(r.plan) for r in readings]
    if session.look.json:
        choices = [{"plan": p, "confidence": round(r.confidence, 4), "why": r.why} for p, r in zip(plans, readings, strict=True)]
        session.emit({"question": answer.message, "kind": "choose", "choices": choices})
    session.say(escape(answer.message) or "Which of these do you mean?")
    session.say(*numbered(plans))
    if not session.can_ask():
        session.say("nlsh: nobody can choose here, so nothing was run. Say more exactly what you mean, or give one of these to nlsh plan -.")
        return None
    question = "Do that? [y/N] " if len(readings) == 1 else f"Which? [1-{len(readings)}, Enter: none] "
    while True:
        try:
            written = session.read(question).strip()
        except EOFError:
            session.say("")
            written = ""
        reply = written.lower()
        if reply in ("", "n", "no", "q", "none", "否", "不"):
            session.say("Nothing was run. Say it in other words, or type the command.")
            return None
        if reply in ("y", "yes", "是", "好") and len(readings) == 1:
            return readings[0]
        if reply.isdecimal() and 1 <= int(reply) <= len(readings):
            return readings[int(reply) - 1]
        # No answer has a blank in it, or begins so.
        if " " in reply or reply[0] in "/!?" or not reply.isascii():
            return written
        session.say(_HELP if len(readings) > 1 else _HELP_ONE)


def numbered(plans: Sequence[str]) -> list[str]:
    """Return plans as lines with a number before each, or none where there is but one."""
    lines = []
    for number, text in enumerate(plans, start=1):
        first, *rest = text.splitlines()
        mark = str(number) if len(plans) > 1 else " "
        lines += [f"  {mark}  {escape(first)}", *(f"     {escape(line)}" for line in rest)]
    return lines


def preview_asks(session: Session, readings: Sequence[Reading]) -> bool:
    """Whether there is one reading, and the question below its preview is asked anyway: one question is enough."""
    if len(readings) != 1 or session.options.yes or session.options.dry_run or not session.can_ask():
        return False
    try:
        return session.policy.decide(session.kernel.preview(readings[0].plan)).answer == "ask"
    except NlshError:
        return False
