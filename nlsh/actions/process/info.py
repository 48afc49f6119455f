"""process.info: all about one process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from nlsh.actions.process._seen import Shows, still
from nlsh.plan.action import Example
from nlsh.plan.records import Process, Record
from nlsh.plan.records.process import ProcessInfo
from nlsh.world import World, network, process_facts, processes
from nlsh.world.processes import Running

SAMPLE_S = 0.1


class Info(Shows):
    """Show all about processes: what they are, what they use, who started them."""

    name = "process.info"

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        found = list(still(seen))
        used = {r.pid: r for r in processes.sampled(found, SAMPLE_S)}
        listening = network.listening()
        for process in found:
            if process.pid in used:
                yield _info(process, used[process.pid], listening)

    examples = (
        Example(
            say=("tell me about nlsh-idle", "details of nlsh-idle", "show everything about the program nlsh-idle", "nlsh-idle的详细信息"),
            plan='process.info(name="nlsh-idle")',
            processes=("nlsh-idle",),
            result=("{pid:nlsh-idle}",),
        ),
        Example(
            say=("describe process {pid:nlsh-idle}", "more about pid {pid:nlsh-idle}", "进程{pid:nlsh-idle}的详情"),
            plan='process.info(pid="{pid:nlsh-idle}")',
            processes=("nlsh-idle",),
            result=("{pid:nlsh-idle}",),
        ),
        Example(say=("tell me about nlsh-absent",), plan='process.info(name="nlsh-absent")', refused="world.not-found"),
    )


def _info(process: Running, used: Process, listening: list[network.Listener]) -> ProcessInfo:
    pid = process.pid
    fields = process_facts.status(pid)
    parent = processes.read(process.parent)
    # What only the owner may see stays unknown for others, and does not keep the rest back.
    files = ports = moved = None
    try:
        held = process_facts.sockets(pid)
        ports = ", ".join(dict.fromkeys(f"{s.port}/{s.protocol}" for s in listening if s.inode in held))
        files = process_facts.count_open(pid)
        moved = process_facts.io(pid)
    except OSError:
        pass
    return ProcessInfo(
        pid=pid,
        name=process.called,
        command=process.command,
        user=used.user,
        status=used.status,
        parent=process.parent,
        parent_name=parent.called if parent else "",
        started_at=process.started_at,
        running_seconds=round(max(0.0, time.time() - process.started_at), 1),
        cpu_percent=used.cpu_percent,
        cpu_seconds=round(processes.cpu_seconds(process), 2),
        memory_bytes=used.memory_bytes,
        memory_percent=used.memory_percent,
        swap_bytes=process_facts.kilobytes(fields, "VmSwap"),
        threads=int(fields.get("Threads", 0)),
        nice=process.nice,
        cores=fields.get("Cpus_allowed_list", ""),
        program=process_facts.link(pid, "exe"),
        folder=process_facts.link(pid, "cwd"),
        files=files,
        read_bytes=moved[0] if moved else None,
        written_bytes=moved[1] if moved else None,
        ports=ports,
        service=process_facts.service_of(pid) or None,
    )
