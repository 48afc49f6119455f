"""What the actions that search below folders have in common: their arguments, where they look, and what is wanted of a file."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, arg
from nlsh.plan.amounts import Age, Bytes, Count
from nlsh.plan.effects import Effect
from nlsh.plan.records import Note
from nlsh.plan.values import Choice, Flag, Glob, Kind, Mode, Name, Paths, Text
from nlsh.steps import handles
from nlsh.world import World
from nlsh.world.files import Wanted, notes_reading, owner_id

_NO_FILES = ("/proc/", "/sys/", "/dev/")  # what is mounted there are the kernel's tables and devices


class SearchArgs(BaseArgs):
    """Below which folders, and what is wanted of a file."""

    under = arg(Paths(), "The folders to search, with all below them.", default=(".",), common=("~", "/"))
    named = arg(Glob(), "A name or pattern; without wildcards and file ending, any name it is part of.")
    kind = arg(Kind(), "A kind of file in anybody's words.")
    type = arg(
        Choice("file", "folder", "link", "broken link"),
        "Files, folders, links, or links that lead nowhere; left out: no folders, unless only a name is given.",
    )
    larger = arg(Bytes(), "Larger than this.")
    smaller = arg(Bytes(), "Smaller than this.")
    newer = arg(Age(), "Changed within this time.")
    older = arg(Age(), "Not changed for this time.")
    unused = arg(Age(), "Neither opened nor changed for this time.")
    depth = arg(Count(), "At most this many folders down: 1 is what lies directly in a folder.", common=("1",))
    containing = arg(Text(), "Files that hold this text.")
    owner = arg(Name(), "Whose files.")
    mode = arg(Mode(), "Files with exactly this mode, or with these rights.")
    regex = arg(Text(), "A regular expression that the name must match, all of it or a part.")
    empty = arg(Flag(), "Only files, or folders, with nothing in them.", default=False)
    hidden = arg(Flag(), "Also names that start with a dot, and what is below them.", default=False)


def look(args: Any, world: World) -> dict[str, Any]:
    """Return the folders to search and what depends on the moment, as JSON-able data. Raises NotFound, and BadArgument for a wrong expression."""
    if args.regex:
        from nlsh.world.patterns import compiled

        compiled(args.regex)
    found = roots(args.under, world)
    sort = getattr(args, "sort", None)
    return {
        "roots": list(found),
        "now": world.now(),
        "uid": owner_id(args.owner) if args.owner else None,
        "unread": _unread(found) if args.unused is not None else [],
        # Where all of a disk or of a home is asked for what takes room: most of that is in hidden folders.
        "hidden": (args.larger is not None or sort == "largest") and any(r in ("/", os.path.realpath(world.home)) for r in found),
        "dated": sort in ("newest", "oldest"),
    }


def _unread(found: tuple[str, ...]) -> list[str]:
    """Return where the file system does not note when a file is opened: of `found`, and of what is mounted below them."""
    from nlsh.world.machine import mounts

    unread = [r for r in found if not notes_reading(r)]
    above = tuple(r.rstrip("/") + "/" for r in found)
    # By what the kernel says: a network disk that does not answer is not waited for.
    below = [m.mount for m in mounts() if "noatime" in m.options.split(",") and m.mount.startswith(above) and not m.mount.startswith(_NO_FILES)]
    return list(dict.fromkeys((*unread, *(m for m in below if not any(m.startswith(u.rstrip("/") + "/") for u in unread)))))


class Below(Action):
    """Base of the actions that read all below the folders that their argument `under` names."""

    effects = ("fs.read",)

    def look(self, args: Any, world: World) -> Any:
        return {"roots": list(roots(args.under, world))}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return reads(seen)


def endings(kind: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return what the names of files of a kind end with; empty where any will do."""
    return tuple(f".{e}" for e in kind or ())


def roots(under: tuple[str, ...], world: World) -> tuple[str, ...]:
    """Return the real paths that `under` means, what lies below another of them left out. Raises NotFound."""
    found = dict.fromkeys(os.path.realpath(p) for p in world.matches(under))
    return tuple(p for p in found if not any(p != other and p.startswith(other.rstrip("/") + "/") for other in found))


def reads(seen: dict[str, Any]) -> tuple[Effect, ...]:
    """Return the effects of reading below the roots."""
    return tuple(Effect("fs.read", root) for root in seen["roots"])


def wanted(args: Any, seen: dict[str, Any]) -> Wanted:
    """Return what is wanted of a file."""
    return Wanted(
        named=args.named,
        endings=args.kind or (),
        type=args.type,
        larger=args.larger,
        smaller=args.smaller,
        since=None if args.newer is None else seen["now"] - args.newer,
        before=None if args.older is None else seen["now"] - args.older,
        unused=None if args.unused is None else seen["now"] - args.unused,
        depth=args.depth,
        uid=seen["uid"],
        mode=args.mode,
        regex=args.regex,
        empty=args.empty,
        hidden=args.hidden or seen["hidden"],
        containing=args.containing or None,
        dated=seen["dated"],
        tell=handles.Meter(unit="folders").came,
        opening=handles.checkpoint,
    )


def notes(seen: dict[str, Any], wanted: Wanted, *, of_hidden: bool = False) -> Iterator[Note]:
    """Yield what is to be said beside what was found: what was not looked into and why; of hidden folders where `of_hidden` says so."""
    yield from unnoted(seen)
    yield from left_out(wanted.skipped)
    if wanted.unread:
        longer = "" if wanted.asks_for_documents else ': say the kind, as kind="pdf", to give them more time'
        yield Note(
            f"Not looked into: {_documents(wanted.unread)}. Their text is of a kind that is not read here, locked, damaged, a picture, or takes too long"
            f" to read{longer}."
        )
    if of_hidden and wanted.passed:
        names = ", ".join(name for name, _ in wanted.passed.most_common(3)) + (", …" if len(wanted.passed) > 3 else "")
        number = wanted.passed.total()
        yield Note(f"{number} hidden folder{'s' if number > 1 else ''} ({names}) {'were' if number > 1 else 'was'} not looked into: hidden=true does.")


def unopened(unread: Counter[str], *, asked: bool) -> Iterator[Note]:
    """Yield one note that says of how many documents the lines were not looked at, if of any; `asked`: they were asked for, and cannot be read."""
    if unread:
        why = "cannot be read here: it is of another kind, locked, damaged, a picture, or too long" if asked else 'is packed: say the kind, as kind="pdf"'
        yield Note(f"Not looked into: {_documents(unread)}. Their text {why}{'' if asked else ', to have them read'}.")


def _documents(unread: Counter[str]) -> str:
    number = unread.total()
    kinds = ", ".join(f"{count} {ending.lstrip('.')}" for ending, count in unread.most_common())
    return f"{number} document{'s' if number > 1 else ''} ({kinds})"


def unnoted(seen: dict[str, Any]) -> Iterator[Note]:
    """Yield one note that names where nobody notes when a file is opened, if anywhere: there only changes count."""
    if seen["unread"]:
        yield Note(
            f"When files are opened is not noted below {_few(seen['unread'])} (noatime): there, what was not changed for so long counts as unused, "
            "even if it is looked at every day."
        )


def left_out(skipped: list[str]) -> Iterator[Note]:
    """Yield one note that names what could not be read, if anything."""
    if skipped:
        yield Note(f"Could not be read, so left out: {_few(skipped)}.")


def _few(paths: list[str]) -> str:
    return ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
