"""file.open: files and folders in the application that the desktop has for them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from nlsh.plan.action import Action, BaseArgs, Example, Never, arg
from nlsh.plan.errors import NotPossible, Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Name, Paths
from nlsh.steps._bus import asked
from nlsh.steps.units import RunAsUnit
from nlsh.world import World, tools
from nlsh.world.files import real_place
from nlsh.world.services import SYSTEMD

MOST = 50
# LIMIT: by name: what else runs a file that it opens is started as it would be by a click.
_INTERPRETERS = re.compile(
    r"(ba|da|z|k|mk|c|tc|fi|nu|a)?sh|rbash|busybox|toybox|pwsh|(python|pypy|perl|ruby|lua|luajit|php|tclsh|wish|node|nodejs|deno|bun|guile|rscript|java)[-\d.]*"
    r"|awk|gawk|mawk|nawk|sed|make|gmake|env|xargs|nohup|setsid|nice|timeout|sudo|doas|pkexec|su|exec|osascript|wine\d*|systemd-run|at|batch|dc|ed|ex|gdb",
    re.I,
)
_OF_THE_DESKTOP = ("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_CURRENT_DESKTOP", "XDG_SESSION_TYPE", "DESKTOP_SESSION")


class Open(Action):
    """Open files or folders with the desktop's application."""

    name = "file.open"
    # An application needs its window, its settings and the network: it is started by the user's systemd, outside nlsh's sandbox, as a click would.
    effects = ("bus.call", "sys.control")
    undo = Never("what has been opened is closed in its own window")

    class Args(BaseArgs):
        paths = arg(Paths(), "What to open.", required=True)
        program = arg(Name(), "With this program.")

    def look(self, args: Any, world: World) -> Any:
        paths = tuple(real_place(p) for p in world.matches(args.paths))
        if len(paths) > MOST:
            raise Refused(f"That would open {len(paths):,} windows; at most {MOST} are opened at once.", hint="Nothing was opened. Name fewer.")
        environment = tuple(f"{name}={value}" for name in _OF_THE_DESKTOP if (value := os.environ.get(name)))
        if not any(e.startswith(("DISPLAY=", "WAYLAND_DISPLAY=")) for e in environment):
            raise NotPossible("Not available here, because this is no desktop: there is no display.", hint="Nothing was opened. file.read shows a file here.")
        found = tuple(_command(path, args.program) for path in paths)
        with asked("session", SYSTEMD, "the user's own systemd, which starts what outlives nlsh,"):
            pass
        what = [f"open {p} with {os.path.basename(argv[0])}, outside nlsh's sandbox" for p, argv in zip(paths, found, strict=True)]
        return tuple(RunAsUnit("session", argv, words, environment, stays=True) for argv, words in zip(found, what, strict=True))

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=("open report.pdf", "show me report.pdf in its viewer", "open the file report.pdf with the default application", "打开report.pdf"),
            plan='file.open("report.pdf")',
            given={"report.pdf": "%PDF-1.4\n"},
            may_lack=True,
        ),
        Example(
            say=("open the folder Pictures in the file manager", "show Pictures in a window", "在文件管理器里打开Pictures"),
            plan='file.open("Pictures")',
            given={"Pictures/a.jpg": "a"},
            may_lack=True,
        ),
        Example(
            say=("open nowhere.pdf", "打开nowhere.pdf"),
            plan='file.open("nowhere.pdf")',
            given={"a": "a"},
            refused="world.not-found",
        ),
    )


def _command(path: str, program: str | None) -> tuple[str, ...]:
    if program is None:
        # As an address, a name means the same whatever is in it.
        address = "file://" + quote(os.fsencode(path))
        if (opener := tools.present("xdg-open")) is not None:
            return (opener, address)
        return (tools.find("gio", why="start the application that the desktop has for a file", install="xdg-utils"), "open", address)
    # By its name only: what lies at a path is no application of the desktop, and would run outside nlsh's sandbox.
    found = None if "/" in program else tools.present(program) or tools.present(program.strip().lower())
    if found is None:
        raise NotPossible(f"Not available here, because there is no program {program}.", hint="Nothing was opened. Leave out the program for the usual one.")
    if _interprets(found):
        raise Refused(
            f"{program} runs what it opens, and would do so outside nlsh's sandbox.", hint=f"Nothing was opened. Run it as a command: {program} {path}."
        )  # fmt: skip
    if _needs_terminal(os.path.basename(found)):
        raise NotPossible(
            f"{program} works in a terminal, not in a window of its own.", hint=f"Nothing was opened. Run it as a command: {program} {path}."
        )  # fmt: skip
    try:
        path.encode("utf-8")
    except UnicodeEncodeError as error:
        raise NotPossible(f"The name {path!r} is not text, so it cannot be handed on.", hint="Nothing was opened. Rename it first.") from error
    return (found, path)


def _interprets(program: str) -> bool:
    """Return whether a program takes a file for what it is to do, and is no application: shells, interpreters, what starts other programs."""
    names = {os.path.basename(p) for p in (program, os.path.realpath(program))}
    return any(_INTERPRETERS.fullmatch(n) for n in names)


def _needs_terminal(name: str) -> bool:
    for folder in (os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(":"):
        try:
            with open(os.path.join(folder, "applications", f"{name}.desktop"), encoding="utf-8", errors="replace") as file:
                return any(line.strip().lower() == "terminal=true" for line in file)
        except OSError:
            continue
    return False
