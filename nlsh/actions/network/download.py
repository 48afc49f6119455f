"""network.download: get a file from the web, into a new file here."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from nlsh.actions.file import _chosen
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import BadArgument, NotPossible, Refused
from nlsh.plan.steps import Step
from nlsh.plan.terms import Url
from nlsh.plan.values import Name, Path
from nlsh.steps.download import DownloadFile, unfinished
from nlsh.world import World, web

_NAMELESS = "\x01"


class Download(Action):
    """Download a file, with progress and checksum."""

    name = "network.download"
    effects = ("net.connect", "fs.read", "fs.write")

    class Args(BaseArgs):
        url = arg(Url(), "The address.", required=True)
        to = arg(Path(), "The file or folder; left out: a file of its name here.")
        sha256 = arg(Name(), "The checksum (SHA-256) it must have.")

    def look(self, args: Any, world: World) -> tuple[Step, ...]:
        _refuse_other(args.url)
        name, server_names = web.name_in(args.url)
        makes: tuple[Step, ...] = ()
        target = os.path.join(os.path.realpath(world.cwd), _NAMELESS)
        if args.to:
            goal = _chosen.goal((f"/{_NAMELESS}",), args.to, world, plural=False, verb="download")
            makes, target = goal.make(), goal.targets[0]
        folder, last = os.path.split(target)
        if last != _NAMELESS:
            name, server_names = last, False
        before = unfinished(os.path.join(folder, f"{name}.part"), args.url)
        step = DownloadFile(args.url, folder, name, int(world.now() * 1e9), _checksum(args.sha256), server_names, before == "ours")
        if world.exists(step.target):
            raise Refused(f"There is already something at {step.target}.", hint="Nothing was downloaded. nlsh does not overwrite: say another name.")
        if not makes and not os.access(folder, os.W_OK | os.X_OK):
            raise NotPossible(f"You may not create anything in {folder}.", hint="Nothing was downloaded. Say another folder.")
        if before == "other":
            raise Refused(
                f"There is something at {step.part}, where an unfinished download would be kept.",
                hint="Nothing was downloaded. Move it away, or say another name.",
            )
        return (*makes, step)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=(
                "download http://127.0.0.1:{port:nlsh-web}/web/paper.txt",
                "get the file http://127.0.0.1:{port:nlsh-web}/web/paper.txt",
                "下载http://127.0.0.1:{port:nlsh-web}/web/paper.txt",
            ),
            plan='network.download("http://127.0.0.1:{port:nlsh-web}/web/paper.txt")',
            given={"web/paper.txt": "On shells"},
            processes=("nlsh-web",),
            after={"paper.txt": "On shells"},
        ),
        Example(
            say=(
                "download http://127.0.0.1:{port:nlsh-web}/web/paper.txt into papers/",
                "fetch http://127.0.0.1:{port:nlsh-web}/web/paper.txt to papers/",
                "把http://127.0.0.1:{port:nlsh-web}/web/paper.txt下载到papers/",
            ),
            plan='network.download("http://127.0.0.1:{port:nlsh-web}/web/paper.txt", to="papers/")',
            given={"web/paper.txt": "On shells"},
            processes=("nlsh-web",),
            after={"papers/paper.txt": "On shells"},
        ),
        Example(
            say=("download http://127.0.0.1:{port:nlsh-web}/web/paper.txt here", "下载http://127.0.0.1:{port:nlsh-web}/web/paper.txt到这里"),
            plan='network.download("http://127.0.0.1:{port:nlsh-web}/web/paper.txt")',
            given={"web/paper.txt": "On shells", "paper.txt": "mine"},
            processes=("nlsh-web",),
            refused="action.refused",
        ),
        Example(
            say=("download http://127.0.0.1:{port:nlsh-web}/web/gone.txt", "下载http://127.0.0.1:{port:nlsh-web}/web/gone.txt"),
            plan='network.download("http://127.0.0.1:{port:nlsh-web}/web/gone.txt")',
            processes=("nlsh-web",),
            refused="world.not-found",
        ),
    )


def _refuse_other(url: str) -> None:
    """Raise for what is not downloaded: other schemes, addresses with a password in them."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise NotPossible(f"Only http and https are downloaded from, not {parts.scheme}.", hint="Nothing was downloaded.")
    if parts.username is not None:
        raise Refused("There is a user name or password in the address, and what you say is kept in the history.", hint="Nothing was downloaded.")
    try:
        web.port_of(web.as_sent(url))
    except ValueError as error:
        raise BadArgument(f"network.download: url: {error}.", hint='For example url="https://example.org/file.zip".') from error
    if not web.host_of(url):
        raise BadArgument("network.download: url: it names no host.", hint='For example url="https://example.org/file.zip".')


def _checksum(written: str | None) -> str:
    text = re.sub(r"^sha-?256[:=]\s*", "", (written or "").strip().lower())
    if text and not re.fullmatch(r"[0-9a-f]{64}", text):
        raise BadArgument(f"network.download: sha256: “{written}” is no SHA-256: that has 64 hexadecimal digits.", hint="Nothing was downloaded.")
    return text
