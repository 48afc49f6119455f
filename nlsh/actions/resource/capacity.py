"""resource.capacity: what of the machine may be used from here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Fact, Record
from nlsh.resources import inventory
from nlsh.world import World, machine


class Capacity(Action):
    """Show what of the machine may be used from here: cores and how they lie, quotas, limits of memory, graphics cards, disks."""

    name = "resource.capacity"
    effects = ("sys.read", "dev.read")

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("sys.read", "*"), Effect("dev.read", "gpu"))

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        owned = inventory.read()
        counts = {
            "core": len(owned.cores), "physical core": len({(c.socket, c.physical) for c in owned.cores}),
            "socket": len({c.socket for c in owned.cores}), "memory node": len({c.node for c in owned.cores}),
        }  # fmt: skip
        yield Fact("cores", ", ".join(f"{n} {what}{'' if n == 1 else 's'}" for what, n in counts.items()))
        yield Fact("processor", f"the time of {owned.capacity:g} cores" + ("" if owned.quota is None else f" (a control group's quota is {owned.quota:g})"))
        limit = "" if owned.memory_limit is None else f" (a control group's limit is {machine.amount(owned.memory_limit)})"
        yield Fact("memory", f"{machine.amount(owned.memory)}{limit}, {machine.amount(owned.memory_available_bytes)} available on the machine")
        for card in owned.cards:
            yield Fact("graphics card", f"{card.name}: {machine.amount(card.free_bytes)} free")
        for disk in owned.disks:
            yield Fact("disk", f"{disk.name} ({'it spins' if disk.spins else 'solid state'})")

    examples = (
        Example(
            say=(
                "how much of this machine may i use",
                "is there a cpu quota on me",
                "how many cores and how much memory are available to me here",
                "what is the memory limit of this container",
                "我能用多少核心和内存",
                "这个容器的CPU配额是多少",
            ),
            plan="resource.capacity()",
            result=("cores", "processor", "memory", ...),
        ),
    )
