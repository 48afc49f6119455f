"""The line editor of the shell: history, completion, keys, colours, what nlsh reads in the line so far, and the bar below it.

It reads lines and changes nothing but the mode and how the line looks. A terminal that can do nothing but show text, and `--plain` for screen readers,
get `PlainEditor`, which sends no sequences at all.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from nlsh.guard.sandbox import heard
from nlsh.shell.fit import width
from nlsh.shell.prompt.typed import LINES, Typed
from nlsh.shell.show import escape, here, place

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.formatted_text import FormattedText
    from prompt_toolkit.input import Input
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

    from nlsh.shell.line.job_control import JobControl
    from nlsh.shell.turn import Session

_IN_FRONT_S = 0.2  # between two looks at who is in front, while there are commands behind

MODES = {"ask": "asks before changes", "plan": "plans only, runs nothing", "auto": "runs what can be undone"}


class PlainEditor:
    """Lines from a terminal that can do nothing but show text: no editing but the terminal's own, no history, no sequences."""

    def prompt(self, message: Callable[[], object]) -> str:
        """Return the next line. Raises EOFError at its end."""
        sys.stdout.write(str(message()))
        sys.stdout.flush()
        try:
            heard.until_readable(sys.stdin.fileno())
            line = sys.stdin.readline()
        except KeyboardInterrupt:
            sys.stdout.write("\n")
            raise
        if not line:
            sys.stdout.write("\n")
            raise EOFError
        return line

    def ready(self) -> None:
        """Draw nothing anew."""

    def look(self) -> None:
        """Show nothing now: what has come is shown before the next line."""

    def running(self, line: str) -> None:
        """Say nothing: marks are sequences."""

    def ran(self, status: int) -> None:
        """Say nothing."""


def _hear_to_the_end(keys: Input) -> None:
    """Have what comes when the editor has stopped reading, and the terminal is not yet as it was, read ahead: a Ctrl-C is no signal then, and no key later."""
    from prompt_toolkit.input.typeahead import store_typeahead

    raw_mode = keys.raw_mode

    @contextmanager
    def until_the_end() -> Iterator[None]:
        with raw_mode():
            try:
                yield
            finally:
                if not keys.closed:
                    store_typeahead(keys, keys.read_keys())

    keys.raw_mode = until_the_end  # type: ignore[method-assign]


class LineEditor:
    """Lines from a real terminal, over one session."""

    def __init__(self, session: Session, history: Path, jobs: Callable[[], list[str]] = list) -> None:
        # A key waits for the thread that plans at most this long, where it would otherwise wait 5 ms.
        sys.setswitchinterval(0.0005)
        self._session, self._jobs = session, jobs
        self._prompt = self._made(history)
        _hear_to_the_end(self._prompt.input)
        self._typed = Typed(session, self.redraw)
        self._prompt.default_buffer.on_text_changed += lambda buffer: self._typed.typed(buffer.text)
        self._begun = False  # whether a line is between its marks

    def prompt(self, message: Callable[[], FormattedText | str]) -> str:
        """Return the next line. Raises EOFError and KeyboardInterrupt."""
        self._write(f"\x1b]133;A\x07\x1b]2;nlsh: {escape(place(here()))}\x1b\\")
        try:
            line = self._prompt.prompt(message, pre_run=self._look_first)
        finally:
            self._typed.entered()
        if self._is_cancelled():
            raise KeyboardInterrupt
        return line

    def _is_cancelled(self) -> bool:
        """Return whether Ctrl-C was typed after Enter, before the editor had let go of the keys: it was meant for what was entered."""
        from prompt_toolkit.input.typeahead import get_typeahead, store_typeahead
        from prompt_toolkit.keys import Keys

        keys = get_typeahead(self._prompt.input)
        cancelled = [n for n, key in enumerate(keys) if key.key == Keys.ControlC]
        store_typeahead(self._prompt.input, keys[cancelled[-1] + 1 :] if cancelled else keys)
        return bool(cancelled)

    def redraw(self) -> None:
        """Draw the line and what is below it anew, from any thread."""
        self._prompt.app.invalidate()

    def ready(self) -> None:
        """Take notice, from any thread, that the models are loaded: what was typed by then is read with them."""
        self._typed.again()
        self.redraw()

    def look(self) -> None:
        """Show above the line what commands behind have printed, from any thread; nothing while no line is typed."""
        from prompt_toolkit.application import run_in_terminal

        app = self._prompt.app
        if app.is_running and (loop := app.loop) is not None:
            with suppress(RuntimeError):  # it ended meanwhile
                loop.call_soon_threadsafe(lambda: run_in_terminal(self._show_printed) if app.is_running else None)

    def _look_first(self) -> None:
        # What came after the last look and before there was a line to show it above.
        control = self._session.job_control
        if control is not None and control.has_printed():
            self.look()
        if control:
            self._prompt.app.create_background_task(self._stay_in_front(control))

    @staticmethod
    async def _stay_in_front(control: JobControl) -> None:
        """Take the terminal back from a command behind that has put itself in front: nothing that is typed would come here."""
        from asyncio import sleep

        while True:
            control.take_terminal()
            await sleep(_IN_FRONT_S)

    def _show_printed(self) -> None:
        control = self._session.job_control
        self._session.say(*(control.printed() if control is not None else ()))

    def running(self, line: str) -> None:
        """Mark where the output of a line begins, for the terminal, and name the line in its title."""
        self._begun = True
        self._write(f"\x1b]2;nlsh: {escape(' '.join(line.split())[:60])}\x1b\\\x1b]133;C\x07")

    def ran(self, status: int) -> None:
        """Mark where it ended, and how."""
        if self._begun:
            self._write(f"\x1b]133;D;{status}\x07")
        self._begun = False

    @staticmethod
    def _write(sequence: str) -> None:
        sys.stdout.write(sequence)
        sys.stdout.flush()

    # --- how it is made ------------------------------------------------------------------------------------------

    def _made(self, file: Path) -> PromptSession[str]:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
        from prompt_toolkit.history import FileHistory
        from prompt_toolkit.output import ColorDepth

        from nlsh.shell.prompt.complete import ShellCompleter
        from nlsh.shell.prompt.highlight import STYLE, LineLexer

        class History(FileHistory):
            def append_string(self, string: str) -> None:
                """Keep a line, unless it starts with a space: as in other shells, that one is not remembered."""
                if not string.startswith(" "):
                    super().append_string(string)

        # Made here, so that nobody else can read it from the start.
        os.close(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        made: PromptSession[str] = PromptSession(
            history=History(str(file)),
            completer=ShellCompleter(),
            complete_while_typing=False,
            auto_suggest=AutoSuggestFromHistory(),
            enable_open_in_editor=True,
            mouse_support=False,
            vi_mode=self._session.settings.keys == "vi",
            key_bindings=self._keys(),
            lexer=LineLexer(),
            style=STYLE,
            color_depth=None if self._session.look.color else ColorDepth.MONOCHROME,
            bottom_toolbar=self._bar,
        )
        self._add_reading(made)
        return made

    def _add_reading(self, made: PromptSession[str]) -> None:
        """Put what nlsh reads in the line right below it: of a height that does not change, so that nothing moves while typing."""
        from prompt_toolkit.filters import Condition, is_done, renderer_height_is_known
        from prompt_toolkit.layout import ConditionalContainer, FormattedTextControl, HSplit, Window

        rows = Condition(lambda: made.app.output.get_size().rows >= 10)
        pane = Window(FormattedTextControl(self._reading), height=LINES, dont_extend_height=True)
        root = made.layout.container
        assert isinstance(root, HSplit)
        line = next(w for w in made.layout.find_all_windows() if getattr(w.content, "buffer", None) is made.default_buffer)
        line.dont_extend_height = ~is_done & renderer_height_is_known
        filler = ConditionalContainer(Window(), ~is_done & renderer_height_is_known)
        root.children[1:1] = [ConditionalContainer(pane, rows & ~is_done & renderer_height_is_known), filler]

    def _reading(self) -> FormattedText:
        from prompt_toolkit.formatted_text import FormattedText

        room = self._prompt.app.output.get_size().columns - 3
        shown = []
        for number, (style, text) in enumerate(self._typed.lines):
            shown.append((f"class:{style}", ("\n" if number else "") + "  " + _cut(text, room)))
        return FormattedText(shown)

    def _bar(self) -> str:
        session = self._session
        planner = session.planning.planner
        model = "loading" if planner is None else Path(session.planning.model or session.settings.planner or "shipped").stem
        parts = [f"{session.mode}: {MODES[session.mode]} (Shift+Tab)", f"model {escape(model)}", session.level, place(here())]
        if jobs := self._jobs():
            parts.insert(0, f"jobs: {', '.join(jobs)}")
        room = self._prompt.app.output.get_size().columns - 2
        while len(parts) > 1 and width(" · ".join(parts)) > room:
            parts.pop()
        return " " + _cut(" · ".join(parts), room)

    def _is_command(self, text: str) -> bool:
        return text.startswith("!") or (not text.startswith("?") and self._session.is_command(text))

    def _keys(self) -> KeyBindings:
        from prompt_toolkit.filters import Condition, completion_is_selected, has_completions, is_searching
        from prompt_toolkit.key_binding import KeyBindings
        from prompt_toolkit.key_binding.bindings.search import accept_search_and_accept_input

        keys = KeyBindings()
        keys.add("enter", filter=is_searching)(accept_search_and_accept_input)  # as in every other shell

        @keys.add("s-tab", filter=~has_completions)
        def next_mode(event: KeyPressEvent) -> None:
            names = list(MODES)
            self._session.mode = names[(names.index(self._session.mode) + 1) % len(names)]

        @keys.add("c-t")
        def flip(event: KeyPressEvent) -> None:
            buffer = event.current_buffer
            text, at = buffer.text, buffer.cursor_position
            bare = text.lstrip("!?")
            mark = "?" if self._is_command(text) else "!"
            buffer.text = mark + bare
            buffer.cursor_position = max(1, at + 1 - (len(text) - len(bare)))

        @keys.add("escape", "enter")
        def new_line(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        @keys.add("enter", filter=completion_is_selected)
        def take(event: KeyPressEvent) -> None:
            event.current_buffer.complete_state = None

        @Condition
        def unfinished() -> bool:
            text = self._prompt.default_buffer.text
            # Enter on an empty line always ends it: nobody is kept in a line that nlsh reads otherwise.
            return not text.endswith("\n") and self._is_command(text) and self._session.shell is not None and self._session.shell.goes_on(text)

        @keys.add("enter", filter=unfinished & ~completion_is_selected)
        def go_on(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        return keys


def _cut(text: str, room: int) -> str:
    """Return `text` in so many columns."""
    if width(text) <= room:
        return text
    while text and width(text) > room - 1:
        text = text[: -max(1, (width(text) - room) // 2)]
    return text + "…"
