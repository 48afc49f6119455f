"""git.search: commits that say something, or that brought or took away a piece of text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from nlsh.actions.git import _chosen
from nlsh.actions.git._scene import repository
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Age, Count
from nlsh.plan.effects import Effect
from nlsh.plan.errors import BadArgument
from nlsh.plan.records import Note, Record
from nlsh.plan.values import Choice, Name, Path, Text
from nlsh.world import World, git

_COMMITS = (("Start", {"a.txt": "tea\n"}), ("Fix the kettle", {"a.txt": "tea\ncoffee\n"}), ("Tidy", {"a.txt": "coffee\n"}))


class Search(Action):
    """Find commits by what they say, what they changed, who made them or when."""

    name = "git.search"
    effects = ("fs.read", "tool.read")

    class Args(BaseArgs):
        text = arg(Text(), "What is looked for.")
        where = arg(Choice("message", "change"), "In what commits say, or in the lines that they added or removed.", default="message")
        author = arg(Name(), "Made by whom: a part of the name or address.")
        newer = arg(Age(), "Made within this time.")
        path = arg(Path(), "The repository, or a folder or file in it: only commits that changed it.", default=".")
        limit = arg(Count(), "At most this many, the latest; left out: all.")
        need_one_of = ("text", "author", "newer")

    def look(self, args: Any, world: World) -> Any:
        if args.where == "change" and not args.text:
            raise BadArgument("git.search: where=“change” needs a text.", hint='For example text="TODO".')
        return {"repository": _chosen.look(args, world), "now": world.now()}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        found = git.Repository.from_data(seen["repository"])
        return _chosen.needs(seen["repository"], (*git.log_command(args.limit), *_wanted(args, seen["now"]), *found.within))

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        found = git.Repository.from_data(seen["repository"])
        none = True
        for commit in git.log(found, args.limit, *_wanted(args, seen["now"])) if found.head() else ():
            none = False
            yield commit
        if none:
            yield Note("There is no such commit.")

    examples = (
        Example(
            say=("which commits in code mention kettle", "find commits about kettle in code", "code里哪些提交提到kettle"),
            plan='git.search("kettle", path="code")',
            given=repository("code", *_COMMITS),
            result=(None,),
            may_lack=True,
        ),
        Example(
            say=("which commit in code added or removed coffee", "when did the text coffee appear in code", "code里哪次提交改动了coffee"),
            plan='git.search("coffee", where="change", path="code")',
            given=repository("code", *_COMMITS),
            result=(None,),
            may_lack=True,
        ),
        Example(
            say=("which commits in code touched a line with sugar", "code里哪些提交动过带sugar的行"),
            plan='git.search("sugar", where="change", path="code")',
            given=repository("code", ("Start", {"a.txt": "1 sugar\n"}), ("More", {"a.txt": "2 sugar\n"}), ("Other", {"a.txt": "2 sugar\n", "b.txt": "b\n"})),
            result=(None, None),
            may_lack=True,
        ),
        Example(
            say=("what did Ada commit to code", "commits by Ada in code", "Ada在code里提交了什么"),
            plan='git.search(author="Ada", path="code")',
            given=repository("code", *_COMMITS),
            result=(None, None, None),
            may_lack=True,
        ),
        Example(
            say=("commits of the last week in code", "what was committed to code this past week", "code最近一周的提交"),
            plan='git.search(newer="week", path="code")',
            given=repository("code", *_COMMITS),
            result=(),
            may_lack=True,
        ),
        Example(
            say=("find commits about tea in notes", "notes里关于tea的提交"),
            plan='git.search("tea", path="notes")',
            given={"notes/a.txt": "a"},
            refused="world.not-found",
            may_lack=True,
        ),
    )


def _changed(text: str) -> str:
    """Return git's option for commits with `text` in a line that they added or removed."""
    if "\n" in text or any("\udc80" <= c <= "\udcff" for c in text):
        # No line holds it, or it is no text that a pattern could be made of: this finds where the number of its occurrences changed.
        return f"-S{text}"
    # An extended regular expression of POSIX, in which nothing else has a meaning.
    return "-G" + re.sub(r"([\\^$.|?*+(){\[])", r"\\\1", text)


def _wanted(args: Any, now: float) -> tuple[str, ...]:
    """Return git's options for what is asked for."""
    text = () if not args.text else (f"--grep={args.text}",) if args.where == "message" else (_changed(args.text), "--no-textconv")
    return (
        "--fixed-strings", "--regexp-ignore-case", *text, *((f"--author={args.author}",) if args.author else ()),
        *((f"--since={int(now - args.newer)}",) if args.newer else ()),
    )  # fmt: skip
