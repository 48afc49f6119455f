"""Completion at the prompt: slash words, actions and their arguments, programs, processes, services, and paths everywhere."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from nlsh.plan import registry
from nlsh.shell.prompt.slash import WORDS
from nlsh.shell.show import escape

_MOST = 200
# After these a word is the name of a process, or of a service.
_PROCESS_WORDS = {"kill", "killall", "pkill", "stop", "end", "pause", "resume", "process", "processes", "renice", "restart", "is"}
_SERVICE_WORDS = {"start", "stop", "restart", "reload", "enable", "disable", "status", "service", "services", "unit", "systemctl"}
# What a shell would not take as it is written; of these, what it would not even within quotes.
_QUOTED = frozenset(" '&;|<>()*?[]{}#~!^")
_NEVER = frozenset('"$`\\')
_PLAIN = re.compile(r"[\w.:@%+,/=-]+")
_UNITS = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")


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
        if words[0] in ("/plan", "/actions", "/explain") and not first:
            start = max(word.rfind(c) for c in "(=;") + 1
            tail = word[start:]
            if words[0] != "/actions" and (arguments := list(_arguments(text))):
                yield from arguments
                return
            yield from (Completion(n, -len(tail)) for n in registry.names() if tail and n.startswith(tail))
        if first and word.startswith("!") and len(word) > 1 and "/" not in word:
            yield from (Completion("!" + n, -len(word)) for n in _programs(word[1:]))
            return
        yield from _paths(word.removeprefix("!") if first else word)
        if first and len(word) > 1 and word.isascii() and word.isalnum():
            yield from (Completion(n, -len(word)) for n in _programs(word))
        before = {w.strip("!,").lower() for w in words[:-1]}
        if word and not first and "/" not in word:
            if before & _PROCESS_WORDS:
                yield from (Completion(n, -len(word), display_meta="process") for n in _processes() if n.startswith(word))
            if before & _SERVICE_WORDS:
                yield from (Completion(n, -len(word), display_meta="service") for n in _services() if n.startswith(word))


def _arguments(text: str) -> Iterator[Completion]:
    """Yield the arguments of the call that the cursor is in, those it does not have yet."""
    call = re.search(r"([a-z]+\.[a-z_]+)\(([^()]*)$", text)
    if call is None or call[1] not in registry.names() or call[2].count('"') % 2:
        return
    start = re.search(r"[a-z_]*$", call[2])
    word = start[0] if start else ""
    given = set(re.findall(r"(\w+)=", call[2]))
    for name, argument in registry.get(call[1]).Args.fields.items():
        if name.startswith(word) and name not in given:
            yield Completion(f"{name}=", -len(word), display_meta=argument.help)


def _processes() -> list[str]:
    from nlsh.world import processes

    return sorted({p.called for p in processes.every() if _PLAIN.fullmatch(p.called)})


def _services() -> list[str]:
    found: set[str] = set()
    for folder in _UNITS:
        try:
            found.update(n.removesuffix(".service") for n in os.listdir(folder) if n.endswith(".service") and "@" not in n and _PLAIN.fullmatch(n))
        except OSError:
            continue
    return sorted(found)


def _programs(start: str) -> Iterator[str]:
    found: set[str] = set()
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        try:
            found.update(n for n in os.listdir(folder) if n.startswith(start) and _PLAIN.fullmatch(n))
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
        if not name.isprintable() or not _NEVER.isdisjoint(name):
            continue  # it could not be typed back as it is, or would be more than a name to a shell
        is_folder = os.path.isdir(os.path.join(folder or ".", name))
        path = written[: len(written) - len(start)] + name + ("/" if is_folder else "")
        # Quotes rather than backslashes: sentences know them too. A folder's stay open for what is in it.
        shown = f'"{path}' + ("" if is_folder else '"') if quoted or not _QUOTED.isdisjoint(path.removeprefix("~/")) else path
        yield Completion(shown, -len(word), display=escape(name) + ("/" if is_folder else ""))
