"""Completion at the prompt: slash words, actions, programs behind `!`, and paths everywhere."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from nlsh.plan import registry
from nlsh.shell.show import escape
from nlsh.shell.slash import WORDS

_MOST = 200


class ShellCompleter(Completer):
    """Completes the word before the cursor."""

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """Yield what the word before the cursor may become."""
        text = document.text_before_cursor
        words = text.split(" ")
        word, first = words[-1], len(words) == 1
        if text.count('"') % 2:
            word, first = text[text.rfind('"') :], False
        if first and word.startswith("/"):
            yield from (Completion(w, -len(word), display_meta=what) for w, what in WORDS.items() if w.startswith(word))
        if words[0] in ("/plan", "/actions") and not first:
            start = max(word.rfind(c) for c in "(=;") + 1
            tail = word[start:]
            yield from (Completion(n, -len(tail)) for n in registry.names() if tail and n.startswith(tail))
        if first and word.startswith("!") and len(word) > 1 and "/" not in word:
            yield from (Completion("!" + n, -len(word)) for n in _programs(word[1:]))
        else:
            yield from _paths(word.removeprefix("!") if first else word)


def _programs(start: str) -> Iterator[str]:
    found: set[str] = set()
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        try:
            found.update(n for n in os.listdir(folder) if n.startswith(start))
        except OSError:
            continue
    yield from sorted(found)[:_MOST]


def _paths(word: str) -> Iterator[Completion]:
    if not word:
        return
    quoted = word.startswith('"')
    written = word.removeprefix('"')
    folder, start = os.path.split(os.path.expanduser(written))
    try:
        names = sorted(n for n in os.listdir(folder or ".") if n.startswith(start) and (start.startswith(".") or not n.startswith(".")))
    except OSError:
        return
    for name in names[:_MOST]:
        if not name.isprintable() or '"' in name:
            continue  # it could not be typed back as it is
        is_folder = os.path.isdir(os.path.join(folder or ".", name))
        path = written[: len(written) - len(start)] + name + ("/" if is_folder else "")
        # Quotes rather than backslashes: sentences know them too. A folder's stay open for what is in it.
        shown = f'"{path}' + ("" if is_folder else '"') if quoted or " " in path else path
        yield Completion(shown, -len(word), display=escape(name) + ("/" if is_folder else ""))
