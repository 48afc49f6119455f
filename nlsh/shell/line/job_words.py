"""The words of job control in a line: jobs, fg, bg, kill %1, wait; and what & stands after."""

from __future__ import annotations

import re
import shlex

from nlsh.shell.line.detect import tree

_SPEC = re.compile(r"%.*|\d+")


def words_of(line: str) -> list[str] | None:
    """Return the words of a line of job control; None for any other line, such as a sentence that begins with one of its words ("wait for make")."""
    if "\n" in line or re.search(r"[|<>;&`$]", line):
        return None
    try:
        words = shlex.split(line)
    except ValueError:
        return None
    first, rest = (words[0], words[1:]) if words else ("", [])
    specs = [w for w in rest if _SPEC.fullmatch(w)]
    fits = {
        "jobs": len(specs) == len([w for w in rest if w not in ("-l", "-p")]),
        "fg": len(rest) <= 1, "bg": len(rest) <= 1 or rest == specs,
        "wait": rest == specs,
        "kill": any(w.startswith("%") for w in rest) and all(w.startswith("%") or (n == 0 and w.startswith("-")) for n, w in enumerate(rest)),
        "disown": rest == specs or rest in (["-h"], ["-a"]),
    }  # fmt: skip
    return words if fits.get(first, False) else None


def parts(line: str) -> list[tuple[str, bool]]:
    """Return the parts of a command line that are run one after the other, each with whether it is run behind: what & stands after is.

    A line whose parts know of each other ($!, a here-document) is one part.
    """
    root, source = tree(line), line.encode("utf-8", "surrogateescape")
    if root.has_error or "$!" in line or "<<" in line or not any(c.type == "&" for c in root.children):
        return [(line, False)]
    found, begun = [], 0
    for statement, sign in zip(root.children, [*root.children[1:], None], strict=True):
        if sign is None or sign.type != "&":
            continue
        found += [(source[begun : statement.start_byte], False), (source[statement.start_byte : statement.end_byte], True)]
        begun = sign.end_byte
    texts = [(text.decode("utf-8", "surrogateescape").strip().rstrip(";").strip(), behind) for text, behind in (*found, (source[begun:], False))]
    return [(text, behind) for text, behind in texts if text]
