"""The session of a one-shot, whose only line is known from the start: its sentence is planned while everything else is still imported.

What a sentence is sent with is imported before the zygote is forked, which needs most of it, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlsh.guard.sandbox.zygote import Zygote
from nlsh.planner import answer  # noqa: F401 - as the module says
from nlsh.servers import install
from nlsh.settings import load_settings
from nlsh.shell.line.detect import is_command
from nlsh.shell.planning import Planning

if TYPE_CHECKING:
    from nlsh.shell.options import Options
    from nlsh.shell.turn import Session


def start(options: Options, text: str) -> Session:
    """Fork the zygote, begin to plan where `text` is a sentence, and set up the rest meanwhile. Raises SettingsError and JournalError."""
    install()
    zygote = Zygote.start()
    planning = Planning(load_settings(), model=options.model)
    if is_sentence := not text.startswith("!") and not is_command(text):
        planning.begin(text.removeprefix("?").strip())
    from nlsh.shell.turn import Session

    session = Session(options, zygote, planning)
    if is_sentence:
        _prepare_runs()
    return session


def _prepare_runs() -> None:
    """Have at hand what most plans are previewed and run with, while there is no plan yet."""
    import sqlite3  # noqa: F401

    import nlsh.guard.grant
    import nlsh.journal.anchors
    import nlsh.steps.observe
    import nlsh.world.files
    import nlsh.world.places  # noqa: F401
    from nlsh.journal.redact import redacted
    from nlsh.plan import registry

    registry.names()  # is kept
    redacted("")  # compiles what every audited decision is read with
