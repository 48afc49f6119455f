"""container.prune: remove stopped containers and images without a name that nobody uses; those with a name only where that is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, Looked, Never, arg
from nlsh.plan.errors import BadArgument, Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Choice, Flag
from nlsh.steps._sockets import opened
from nlsh.steps.containers import RemoveContainer, RemoveImage
from nlsh.world import World, containers
from nlsh.world.containers import STOPPED, Engine

_SHOWN = 8


class Prune(Action):
    """Remove stopped containers and nameless images nobody uses: exactly those that the preview names."""

    name = "container.prune"
    effects = ("bus.call", "sys.control")
    undo = Never("a removed container's files are lost, and an image has to be fetched or built again")

    class Args(BaseArgs):
        all = arg(Flag(), "Also images that have a name.", default=False)
        state = arg(Choice("stopped"), "Only containers that are so, and no images.")

    def look(self, args: Any, world: World) -> Looked:
        if args.all and args.state:
            raise BadArgument("container.prune takes all images or only what is stopped, not both.", hint="Nothing was changed. Leave one of them out.")
        path = containers.socket_path()
        with opened(path, Engine, "the container engine") as engine:
            found = engine.containers(all=True, size=True)
            images = engine.images()
        going = [c for c in found if c.get("State") in STOPPED]
        used = {str(c.get("ImageID", "")) for c in found if c not in going}
        unused = [i for i in images if str(i["Id"]) not in used]
        # As the engines do it themselves: an image that has a name was fetched or built to be there, and nothing brings one that was built here back.
        wanted = [] if args.state else [i for i in unused if args.all or not containers.tags_of(i)]
        left = [] if args.state else sorted(", ".join(containers.tags_of(i)) for i in unused if i not in wanted)
        if not going and not wanted:
            what = "" if args.state else ", and every image is used" if not left else ", and no image without a name that no container uses"
            raise Refused(f"There is no stopped container{what}.", hint=f"Nothing was changed.{_of_the_rest(left)}")
        removals = [RemoveContainer(path, c["Id"], containers.name_of(c), int(c.get("SizeRw") or 0)) for c in going]
        steps = [*removals, *(RemoveImage(path, i["Id"], containers.tags_of(i), int(i.get("Size") or 0)) for i in wanted)]
        return Looked(tuple(steps), (_of_the_rest(left).strip(),) if left else ())

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen.steps

    examples = (
        Example(
            say=("clean up docker", "remove stopped containers and unused images", "docker system prune", "清理没用的容器和镜像"),
            plan="container.prune()",
            may_lack=True,
        ),
        Example(
            say=("docker system prune -a", "remove every image that no container uses, named ones too", "没有容器用的镜像，有名字的也全删掉"),
            plan="container.prune(all=true)",
            may_lack=True,
        ),
        Example(
            say=("remove the stopped containers, the images stay", "stopped containers go, but no image", "只清停掉的容器，镜像留着"),
            plan='container.prune(state="stopped")',
            may_lack=True,
        ),
        # In a scene there is no engine.
        Example(say=("prune docker", "podman prune"), plan="container.prune()", refused="world.not-possible"),
    )


def _of_the_rest(left: list[str]) -> str:
    """Return a sentence on the unused images that stay."""
    if not left:
        return ""
    shown = ", ".join(left[:_SHOWN]) + (f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else "")
    stay, them = ("it stays", "it") if len(left) == 1 else ("they stay", "them")
    return f" No container uses {shown}, and {stay}: container.prune(all=true) removes {them}."
