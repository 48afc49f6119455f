"""What a command would change, as lines: each file with its sizes, long lists folded and counted, and what changes in texts.

Every name, and every line of a file, goes through `escape`. It reads texts on both sides of the layer, and decides nothing.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator

from nlsh.guard.trials import obeyed_later
from nlsh.shell.show import Look, count, escape, escape_name, size
from nlsh.world.layers import Change, ChangeSet, upper_of

MOST_LINES = 20  # of the list, until it is asked for as a whole
MOST_DIFF_LINES = 40  # of all texts together, until they are asked for
_MOST_OF_ONE = 16
_MOST_BYTES = 256 * 1024  # of a text that is compared
_MOST_TEXT_LINES = 4000
_STYLES = {"created": "green", "changed": "yellow", "deleted": "red", "moved": "cyan", "attributes": "cyan"}
_WORDS = {"created": "create", "changed": "change", "deleted": "delete", "moved": "move", "attributes": "set"}


def list_lines(found: ChangeSet, look: Look, *, whole: bool = False) -> list[str]:
    """Return a line for each change, first those of files that something else obeys later; `whole`: all of them, not only the first."""
    obeyed = [c for c in found.changes if c.type != "folder" and obeyed_later(os.path.join(found.root, c.path), new=c.kind == "created")]
    lines = [_line(c, look) + look.paint("  something else runs or obeys this later", "red") for c in obeyed]
    shown = found.changes if whole or len(found.changes) <= MOST_LINES else list(_folded(found.changes))
    listed = [_line(change, look) for change in (shown if whole else shown[:MOST_LINES]) if change not in obeyed]
    lines += listed
    if not whole and len(shown) > MOST_LINES:
        lines.append(f"    and {len(shown) - MOST_LINES:,} more")
    return lines


def summary(found: ChangeSet) -> str:
    """Return all changes in one line.

    >>> summary(ChangeSet("/", "/", 0, [Change("created", "a", "file", None, 2048), Change("deleted", "b", "folder")]))
    '1 file created (2.0 KB), 1 folder deleted'
    """
    parts = []
    for kind in _STYLES:
        of_kind = [c for c in found.changes if c.kind == kind]
        for things, noun in ((([c for c in of_kind if c.type != "folder"]), "file"), ([c for c in of_kind if c.type == "folder"], "folder")):
            if things:
                total = sum((c.before_bytes if kind == "deleted" else c.after_bytes) or 0 for c in things)
                said = "given other attributes" if kind == "attributes" else kind
                parts.append(f"{count(len(things), noun)} {said}" + (f" ({size(total)})" if total and kind != "attributes" else ""))
    return ", ".join(parts)


def diff_lines(found: ChangeSet, look: Look, *, whole: bool = False) -> list[str]:
    """Return what changes in texts as unified diffs; `whole`: all of it, not only the beginning."""
    lines: list[str] = []
    left = 0
    for change in found.changes:
        if change.kind != "changed" or change.type != "file":
            continue
        if not whole and len(lines) >= MOST_DIFF_LINES:
            left += 1
            continue
        diff = list(_diff(found, change.path))
        shown = diff if whole else diff[:_MOST_OF_ONE]
        lines += [_painted(line, look) for line in shown]
        if len(diff) > len(shown):
            lines.append(look.paint(f"    … {count(len(diff) - len(shown), 'line')} more", "dim"))
    if left:
        lines.append(look.paint(f"    … and what changes in {count(left, 'more file')}", "dim"))
    return lines


def changes_data(found: ChangeSet) -> list[dict[str, object]]:
    """Return the changes as JSON-able data."""
    return [
        {"kind": c.kind, "path": os.path.join(found.root, c.path), "type": c.type, "before_bytes": c.before_bytes, "after_bytes": c.after_bytes, "note": c.note}
        for c in found.changes
    ]


def _line(change: Change, look: Look) -> str:
    what = look.paint(_WORDS[change.kind], _STYLES[change.kind])
    name = escape_name(change.path)
    if change.kind == "moved":
        return f"    {what} {escape_name(change.note)} → {name}  {look.paint(size(change.after_bytes or 0), 'dim')}"
    kind = f"{change.type} " if change.type != "file" else ""
    sizes = [size(b) for b in (change.before_bytes, change.after_bytes) if b is not None and change.type == "file"]
    said = " → ".join(sizes if change.kind == "changed" else sizes[:1])
    note = "  ".join(part for part in (said if change.kind != "attributes" else "", escape(change.note)) if part)
    return f"    {what} {kind}{name}" + (look.paint(f"  {note}", "dim") if note else "")


def _folded(changes: Iterable[Change]) -> Iterator[Change]:
    """Yield the changes with what is in a folder that comes or goes as a whole counted into that."""
    top: Change | None = None
    inside: list[Change] = []

    def ended() -> Iterator[Change]:
        if top is not None:
            files = [c for c in inside if c.type != "folder"]
            total = sum((c.after_bytes or c.before_bytes or 0) for c in files)
            yield Change(top.kind, top.path, top.type, None, None, f"with {count(len(files), 'file')}, {size(total)}")

    for change in changes:
        if top is not None and change.path.startswith(top.path + "/") and change.kind == top.kind:
            inside.append(change)
            continue
        if change.type == "folder" and change.kind in ("created", "deleted"):
            yield from ended()
            top, inside = change, []
            continue
        if top is None or not change.path.startswith(top.path + "/"):
            yield from ended()
            top = None
        yield change
    yield from ended()


def _diff(found: ChangeSet, path: str) -> Iterator[str]:
    old, new = _text(os.path.join(found.root, path)), _text(os.path.join(upper_of(found.layer), path))
    if old is None or new is None:
        return
    import difflib

    yield from (line.rstrip("\n") for line in difflib.unified_diff(old, new, f"{path} (now)", f"{path} (then)", n=1))


def _text(path: str) -> list[str] | None:
    """Return the lines of a small text, None for anything else. The command has made one of them: it may be a pipe, or no text."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:
            return None
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES or b"\0" in data:
        return None
    try:
        lines = data.decode().splitlines(keepends=True)
    except UnicodeDecodeError:
        return None
    return lines if len(lines) <= _MOST_TEXT_LINES else None


def _painted(line: str, look: Look) -> str:
    shown = "    " + "\t".join(escape(part) for part in line.split("\t"))
    style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
    return look.paint(shown, style) if style else shown
