"""system.locale: language, formats and keyboard."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.world import World, identity


class Locale(Action):
    """Show language, keyboard and formats."""

    name = "system.locale"
    effects = ("sys.read", "fs.read")

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("sys.read", "*"), *(Effect("fs.read", p) for p in identity.LOCALE_FILES if os.path.exists(p)))

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from identity.languages()

    examples = (Example(say=("what language is this machine set to", "locale and keyboard layout", "系统语言和键盘是什么"), plan="system.locale()"),)
