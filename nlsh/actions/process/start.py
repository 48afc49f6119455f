"""process.start: start a program that goes on without nlsh."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.process._started import log_path, program_of, token
from nlsh.actions.shell._folder import too_wide
from nlsh.actions.shell._reading import only_reads
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import BadArgument, Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Path, Text
from nlsh.steps.start import StartProgram
from nlsh.world import World


class Start(Action):
    """Start a program that goes on after nlsh has ended, confined as a raw command is, for as long as it runs.

    Undo ends it; what it has changed by then is not taken back.
    """

    name = "process.start"
    effects = ("exec", "fs.read", "fs.write", "fs.delete", "fs.meta", "fs.log", "proc.read")

    class Args(BaseArgs):
        command = arg(Text(), "the command line", required=True)
        log = arg(Path(), "the new file for what it prints; left out: in nlsh's cache folder")

    def look(self, args: Any, world: World) -> dict[str, Any]:
        # It runs in the background anyway; a shell that puts it there would be gone at once.
        command = args.command.strip()
        command = command[:-1].rstrip() if command.endswith("&") and not command.endswith("&&") else command
        if not command or "\0" in command:
            raise BadArgument("process.start: command: it must be a command line.", hint='For example command="python3 server.py".')
        changes = not only_reads(command, world.cwd)
        if changes and (whole := too_wide(world)):
            raise Refused(
                f"“{command}” may change files, and {whole} is too much to give to one program.",
                hint="Nothing was started. cd into the folder it is about: it may then change what is in there. Commands that only read run anywhere.",
            )
        name = program_of(command)
        return {"command": command, "name": name, "cwd": world.cwd, "log": log_path(args.log, name, world), "token": token(), "changes": changes}

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield StartProgram(seen["command"], seen["name"], seen["cwd"], seen["log"], seen["token"], seen["changes"])

    examples = (
        Example(
            say=("run sleep 300 in the background", "start sleep 300 and let it go on", "在后台运行sleep 300"),
            plan='process.start("sleep 300")',
        ),
        Example(
            say=("start tail -f notes.txt detached",),
            plan='process.start("tail -f notes.txt")',
            given={"notes.txt": "one\n"},
            after={"notes.txt": "one\n"},
        ),
        Example(
            say=("run sleep 300 in the background and log to out.log", "后台运行sleep 300，日志写到out.log"),
            plan='process.start("sleep 300", log="out.log")',
            given={"out.log": "kept\n"},
            after={"out.log": "kept\n"},
            refused="action.refused",
        ),
        Example(say=("start touch x in the background",), plan='process.start("touch x")', refused="action.refused"),
    )
