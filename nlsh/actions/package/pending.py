"""package.pending: updates that wait to be installed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from nlsh.actions.package import _orders
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.records import Note, Record
from nlsh.plan.records.packages import Package
from nlsh.plan.terms import PACKAGE_BACKENDS, Among
from nlsh.world import World, packages


class Pending(Action):
    """List the updates that wait to be installed."""

    name = "package.pending"
    effects = (*_orders.READ_EFFECTS, "net.connect")

    class Args(BaseArgs):
        backend = arg(Among(PACKAGE_BACKENDS), "As for package.search.")

    def look(self, args: Any, world: World) -> dict[str, Any]:
        chosen = packages.backend(args.backend)
        old = packages.of_lists(chosen, world.now())
        notes = [f"{old} `{chosen.refresh}`, as root, fetches them anew."] if old else []
        notes += [more] if args.backend is None and (more := packages.others(chosen)) else []
        return {"backend": chosen.name, "found": [asdict(p) for p in chosen.pending()] if "pending" in chosen.outside else None, "notes": notes}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return packages.backends()[seen["backend"]].reads("pending")

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        if seen["found"] is not None:
            yield from (Package(**p) for p in seen["found"])
        else:
            yield from _orders.reader(seen["backend"]).pending()
        yield from (Note(text) for text in seen["notes"])

    examples = (
        Example(say=("which updates are there", "are there pending package updates", "有哪些更新"), plan="package.pending()", may_lack=True),
        Example(say=("updates from the moon",), plan='package.pending(backend="moon")', refused="plan.bad-argument"),
    )
