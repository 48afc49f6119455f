"""container.prune: remove stopped containers and images that nobody uses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example, Never
from nlsh.plan.errors import Refused
from nlsh.plan.steps import Step
from nlsh.steps._sockets import opened
from nlsh.steps.containers import RemoveContainer, RemoveImage
from nlsh.world import World, containers
from nlsh.world.containers import STOPPED, Engine


class Prune(Action):
    """Remove stopped containers and images nobody uses: exactly those that the preview names."""

    name = "container.prune"
    effects = ("bus.call", "sys.control")
    undo = Never("a removed container's files are lost, and an image has to be fetched or built again")

    def look(self, args: Any, world: World) -> Any:
        path = containers.socket_path()
        with opened(path, Engine, "the container engine") as engine:
            found = engine.containers(all=True, size=True)
            images = engine.images()
        going = [c for c in found if c.get("State") in STOPPED]
        used = {str(c.get("ImageID", "")) for c in found if c not in going}
        unused = [i for i in images if str(i["Id"]) not in used]
        if not going and not unused:
            raise Refused("There is no stopped container, and every image is used.", hint="Nothing was changed.")
        removals = [RemoveContainer(path, c["Id"], containers.name_of(c), int(c.get("SizeRw") or 0)) for c in going]
        return [*removals, *(RemoveImage(path, i["Id"], containers.tags_of(i), int(i.get("Size") or 0)) for i in unused)]

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=("clean up docker", "remove stopped containers and unused images", "docker system prune", "清理没用的容器和镜像"),
            plan="container.prune()",
            may_lack=True,
        ),
        # In a scene there is no engine.
        Example(say=("prune docker", "podman prune"), plan="container.prune()", refused="world.not-possible"),
    )
