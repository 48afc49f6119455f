"""What the flags of a process say, and what a request may be."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import field

from nlsh.plan.errors import NlshError
from nlsh.plan.frozen import frozen

MOST_CHARACTERS = 2000  # of a request
MOST_COMMAND_CHARACTERS = 100_000  # of a raw command


class UsageError(NlshError):
    """The command line asks for something that does not exist."""

    code = "shell.usage"
    exit_status = 2


def not_so(command: str, words: Sequence[str], known: Collection[str], hint: str) -> UsageError:
    """Return what is said of words that `nlsh COMMAND` does not take; of one of `known` not that there is none, but that other words belong to it."""
    said = " ".join(words)
    if words and words[0] in known:
        return UsageError(f"That is not how it is said: nlsh {command} {said}.", hint=hint)
    return UsageError(f"nlsh {command} does not know “{said}”.", hint=hint)


class NotARequest(UsageError):
    """The request is empty, too long, or not text."""

    code = "shell.not-a-request"


@frozen(slots=False)
class Options:
    """The parsed command line. `request` is what -c was given; `words` are what follows a command."""

    request: str | None = None
    command: str | None = None
    words: list[str] = field(default_factory=list)
    yes: bool = False
    dry_run: bool = False
    json: bool = False
    plain: bool = False
    null: bool = False
    no_input: bool = False
    allow: list[str] = field(default_factory=list)
    model: str = ""
    explain: bool = False
    quiet: bool = False
    verbose: bool = False
    color: str = ""
    version: bool = False
    # Of `nlsh policy` only.
    project: bool = False
    # Of `nlsh audit` only.
    plan: str = ""
    step: int = 0
    decision: str = ""
    since: str = ""
    # Of `nlsh model` only.
    sha256: str = ""
    most: int = 0
    layers: str = ""
    vocabulary: bool = False
    minutes: float = 0.0
    # Of `nlsh skills new` only: how many.
    from_last: int = 0
    # Of `nlsh daemon run` only: seconds.
    idle: float = 0.0


def is_plain(options: Options) -> bool:
    """Return whether the terminal is to get text alone, and no sequences: it was asked for, or it knows none."""
    return options.plain or os.environ.get("TERM", "dumb") in ("dumb", "")


def checked_request(text: str, *, command: bool = False) -> str:
    """Return the request: on one line, or as it is where it is a command. Raises NotARequest for what is empty, too long, or not text."""
    raw = command or text.lstrip().startswith("!")
    text = text.strip() if raw else " ".join(text.split())
    if not text or text in ("!", "?"):
        raise NotARequest("The request is empty.", hint="Nothing was run. Say what you want, such as “what is using the most memory”.")
    most = MOST_COMMAND_CHARACTERS if raw else MOST_CHARACTERS
    if len(text) > most:
        raise NotARequest(f"The request has {len(text):,} characters; at most {most:,} are read.", hint="Nothing was run.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotARequest("The request is not valid UTF-8.", hint="Nothing was run.") from None
    if any(not c.isprintable() and not (raw and c in "\n\t") and _is_control(c) for c in text):
        raise NotARequest("The request has control characters in it.", hint="Nothing was run.")
    return text


def _is_control(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cs", "Cn", "Co")
