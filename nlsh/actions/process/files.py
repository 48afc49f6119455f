"""process.files: which files a process has open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.process._seen import Shows, shown_to_owner, still
from nlsh.plan.action import Example
from nlsh.plan.records import Record
from nlsh.world import World, process_facts


class Files(Shows):
    """Show what a process has open: files, folders, devices, pipes and sockets."""

    name = "process.files"

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        for process in still(seen):
            with shown_to_owner(process, "The open files"):
                yield from process_facts.open_files(process)

    examples = (
        Example(
            say=("which files does nlsh-idle have open", "open files of nlsh-idle", "nlsh-idle打开了哪些文件"),
            plan='process.files(name="nlsh-idle")',
            processes=("nlsh-idle",),
            result=("/dev/null", ...),
        ),
        Example(
            say=("what has process {pid:nlsh-idle} open", "进程{pid:nlsh-idle}打开的文件"),
            plan='process.files(pid="{pid:nlsh-idle}")',
            processes=("nlsh-idle",),
            result=("/dev/null", ...),
        ),
        Example(say=("open files of nlsh-absent",), plan='process.files(name="nlsh-absent")', refused="world.not-found"),
    )
