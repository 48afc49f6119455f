"""media.join: one recording out of several, one after the other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.actions import _looking
from nlsh.actions.image import _chosen
from nlsh.actions.media import _made
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import NotFound, Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Path, Paths
from nlsh.steps.content import fresh
from nlsh.steps.media_edits import JoinMedia, is_sound
from nlsh.world import World, places
from nlsh.world.files import real_place


class Join(Action):
    """Join sound or video files into one."""

    name = "media.join"
    effects = ("fs.read", "fs.write", "tool.run")

    class Args(BaseArgs):
        paths = arg(Paths(), "The files, in order.", required=True)
        to = arg(Path(), "The new file; its ending says the format. Left out: joined and the ending of the first, beside it.")

    def look(self, args: Any, world: World) -> Any:
        sources = _chosen.files(args.paths, world)
        if len(sources) < 2:
            raise Refused(f"{sources[0]} is the only file: there is nothing to join it with.", hint="Nothing was changed. Name two or more.")
        target = real_place(places.new(args.to, cwd=world.cwd, home=world.home)) if args.to else _looking.joined(sources[0], world)
        if not os.path.splitext(target)[1]:
            target += os.path.splitext(sources[0])[1]
        if not is_sound(target) and (only := next((s for s in sources if is_sound(s)), "")):
            raise Refused(f"{only} is only sound, and {target} would be a film.", hint="Nothing was changed. Join films with films, and sound with sound.")
        if not world.is_folder(os.path.dirname(target)):
            raise NotFound(f"There is no folder {os.path.dirname(target)}.", hint="Nothing was changed. Make it first with folder.create.")
        _made.refuse_wide((os.path.dirname(target),))
        fields = [fresh(path, target, world) for path in sources]
        others = tuple((f["source"], f["identity"]) for f in fields[1:])
        return [JoinMedia(**fields[0], others=others, **_made.programs(JoinMedia, "join recordings"))]

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=(
                "join Music/one.wav and Music/two.wav into Music/both.wav",
                "put Music/one.wav and Music/two.wav one after the other as Music/both.wav",
                "把Music/one.wav和Music/two.wav接成Music/both.wav",
            ),
            plan='media.join(["Music/one.wav", "Music/two.wav"], to="Music/both.wav")',
            given={"Music/one.wav": _made.BEEP, "Music/two.wav": _made.BEEP},
            after={"Music/both.wav": {}, "Music/one.wav": _made.BEEP},
            may_lack=True,
        ),
        Example(
            say=("join Music/one.wav and Music/two.wav", "make one recording of Music/one.wav and Music/two.wav", "把Music/one.wav和Music/two.wav接成一个"),
            plan='media.join(["Music/one.wav", "Music/two.wav"])',
            given={"Music/one.wav": _made.BEEP, "Music/two.wav": _made.BEEP},
            after={"Music/joined.wav": {}},
            may_lack=True,
        ),
        Example(
            say=("stitch the clips in clips together as clips/all.y4m", "把clips里的视频拼成clips/all.y4m"),
            plan='a = file.find(under="clips", named="*.y4m", sort="name"); media.join(a, to="clips/all.y4m")',
            given={"clips/1.y4m": _made.FILM, "clips/2.y4m": _made.FILM},
            after={"clips/all.y4m": {}},
            may_lack=True,
        ),
        Example(
            say=("join Music/one.wav and clips/sea.y4m into clips/new.mp4", "把Music/one.wav和clips/sea.y4m拼成clips/new.mp4"),
            plan='media.join(["Music/one.wav", "clips/sea.y4m"], to="clips/new.mp4")',
            given={"Music/one.wav": _made.BEEP, "clips/sea.y4m": _made.FILM},
            refused="action.refused",
        ),
        Example(
            say=("join Music/one.wav into Music/both.wav", "把Music/one.wav接成Music/both.wav"),
            plan='media.join("Music/one.wav", to="Music/both.wav")',
            given={"Music/one.wav": _made.BEEP},
            refused="action.refused",
        ),
    )
