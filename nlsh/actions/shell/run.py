"""shell.run: run a command line in the shell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.shell._folder import too_wide
from nlsh.actions.shell._kept import keeping
from nlsh.actions.shell._reading import names_no_program, needs_network_state, only_reads
from nlsh.plan.action import ABSENT, Action, BaseArgs, Example, arg
from nlsh.plan.errors import Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Text
from nlsh.steps.command import ReadCommand, RunCommand, TryCommand
from nlsh.world import World


class Run(Action):
    """Run a command line in the shell, confined to reading, or to changing the folder it runs in.

    In a world with a layer it is tried there; when it was, the steps are those that keep what it changed.
    """

    name = "shell.run"
    effects = ("exec", "fs.read", "fs.write", "fs.delete", "fs.meta", "proc.read", "net.read")

    class Args(BaseArgs):
        command = arg(Text(), "the command line", required=True)

    def look(self, args: Any, world: World) -> dict[str, Any]:
        if world.tried is not None:
            return {"changes": world.tried}
        if only_reads(args.command, world.cwd):
            return {"cwd": world.cwd, "reads": True, "network": needs_network_state(args.command)}
        if whole := too_wide(world):
            if names_no_program(args.command):
                # Its shell says so, and ends with 127, as in any other folder: it has nothing to run, and so nothing to change.
                return {"cwd": world.cwd, "reads": True, "network": False}
            raise Refused(
                f"“{args.command}” may change files, and {whole} is too much to give to one command.",
                hint="Nothing was run. cd into the folder it is about: it may then change what is in there. Commands that only read run anywhere.",
            )
        return {"cwd": world.cwd, "reads": False, "network": False, "layer": world.layer}

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        if "changes" in seen:
            yield from keeping(seen["changes"])
        elif seen["reads"]:
            yield ReadCommand(args.command, seen["cwd"], seen["network"])
        elif seen["layer"]:
            yield TryCommand(args.command, seen["cwd"], seen["layer"])
        else:
            yield RunCommand(args.command, seen["cwd"])

    examples = (
        Example(say=("!ls notes", "run the command ls notes"), plan='shell.run("ls notes")', given={"notes/a.txt": "a"}, after={"notes/a.txt": "a"}),
        Example(
            say=("!cd notes && rm a.txt", "run rm a.txt in notes"),
            plan='shell.run("cd notes && rm a.txt")',
            given={"notes/a.txt": "a"},
            after={"notes/a.txt": "a"},
            refused="action.refused",
        ),
        Example(say=("!touch x",), plan='shell.run("touch x")', after={"x": ABSENT}, refused="action.refused"),
    )
