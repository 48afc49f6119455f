"""Run the tests a pack carries: each in a scratch home, through the same kernel, policy, ceiling and confined workers as a user's run.

    [[entries.sort.tests]]
    name = "pictures go to Pictures"
    given = { "Downloads/a.jpg" = "1", "Downloads/old.zip" = { text = "2", age = "40d" }, "Downloads/empty/" = "" }
    with = { folder = "~/Downloads" }
    after = { "Downloads/Pictures/a.jpg" = "1", … }   # the whole tree; a folder is named only where it is empty; left out: as given
    output = ["a.jpg"]                                 # texts that the result shows
    exit = 0
    may_lack = false                                   # true: a machine that has no such thing is no failure

Every approval is given. The planner is not asked: a sentence is tested by the plan it is pinned to. Code of the pack's own is run, confined
as ever: whoever tests a pack of somebody else's reads it first.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlsh.plan.amounts import Bytes, Duration
from nlsh.plan.errors import NlshError, NotPossible
from nlsh.plan.plan import Plan, Preview
from nlsh.skills import ceiling, own
from nlsh.skills.load import Entry, Pack
from nlsh.skills.run import check_requires, plan_entry

if TYPE_CHECKING:
    from nlsh.guard.sandbox.zygote import Zygote
    from nlsh.kernel.kernel import Kernel

_PRIVATE = {"XDG_CONFIG_HOME": "config", "XDG_STATE_HOME": "state", "XDG_CACHE_HOME": "cache", "XDG_DATA_HOME": "data"}
_SHOWN = 1 << 20  # bytes; of a bigger file its size stands for what is in it


def check_pack(pack: Pack) -> list[str]:
    """Run every test of a pack and return what fails, one text each."""
    from nlsh.guard.sandbox.zygote import Zygote

    zygote = Zygote.start()
    try:
        return [problem for entry in pack.entries.values() for test in entry.tests if (problem := check(pack, entry, test, zygote))]
    finally:
        zygote.close()


def check(pack: Pack, entry: Entry, test: Mapping[str, Any], zygote: Zygote) -> str:
    """Run one test and return what is wrong, empty where nothing is."""
    title = f"{entry.full_name}: {test.get('name', 'unnamed test')}"
    with tempfile.TemporaryDirectory(prefix="nlsh-pack-") as scratch:
        home = Path(os.path.realpath(scratch)) / "home"
        home.mkdir()
        build(home, test.get("given", {}))
        before = tree(home)
        with _at_home(home):
            status, shown, error = _run(pack, entry, test.get("with", {}), zygote)
        if error is not None and error.code == "world.not-possible" and test.get("may_lack"):
            return ""
        said = f" {error}" if error is not None else ""
        if status != (wanted := int(test.get("exit", 0))):
            return f"{title}: exit status {status}, not {wanted}.{said}"
        if missing := [text for text in test.get("output", []) if text not in shown]:
            return f"{title}: the result does not show {missing}, but: {shown.strip()}"
        found, expected = tree(home), {str(k): str(v) for k, v in test["after"].items()} if "after" in test else before
        if found != expected:
            lost = sorted(expected.items() - found.items())
            more = sorted(found.items() - expected.items())
            return f"{title}: missing {lost}, not expected {more}.{said}"
    return ""


class _Session:
    """What an entry needs of a session, without a planner."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def preview(self, plan: Plan, request: str) -> Preview:
        return self.kernel.preview(plan, request)

    def plan_of(self, text: str) -> Plan:
        raise NotPossible(f"“{text}” is not pinned to a plan, and a test asks no model.", hint="Pin it: nlsh skills pin PACK.ENTRY.", code="skills.not-pinned")


def _run(pack: Pack, entry: Entry, given: Mapping[str, str], zygote: Zygote) -> tuple[int, str, NlshError | None]:
    """Return the exit status of an entry's run, what its result shows, and the error if there was one."""
    from nlsh.guard.policy import load
    from nlsh.journal.audit import Audit
    from nlsh.journal.store import Journal
    from nlsh.kernel.kernel import Kernel
    from nlsh.world import World

    own.Consent().give(pack)  # in the scratch home alone
    with ExitStack() as stack:
        journal = Journal()
        stack.callback(journal.close)
        kernel = Kernel(load(), zygote, journal, Audit(), World(), approve=lambda preview, decision: True)
        try:
            values = entry.given([f"{key}={value}" for key, value in given.items()])
            own.load(entry)
            check_requires(entry)
            stack.enter_context(ceiling.held(entry, values, kernel))
            plan = plan_entry(entry, values, _Session(kernel))
            if plan is None:
                return 0, "", None
            outcome = kernel.run(kernel.preview(plan, f"run {entry.full_name}"))
        except NlshError as error:
            return error.exit_status, "", error
        return outcome.exit_status, "\n".join(r.plain() for r in outcome.records), outcome.errors[0] if outcome.errors else None


@contextmanager
def _at_home(home: Path) -> Iterator[None]:
    """Within: this process is at home there, and keeps nothing of nlsh's elsewhere."""
    before, cwd = dict(os.environ), os.getcwd()
    os.environ.update({variable: str(home.parent / name) for variable, name in _PRIVATE.items()}, HOME=str(home), LC_ALL="C.UTF-8")
    os.chdir(home)
    try:
        yield
    finally:
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(before)


def build(home: Path, given: Mapping[str, Any]) -> None:
    """Make a tree: path → text, or {text, age, size, mode, link, picture}; a path that ends in a slash is a folder.

    `size`: so big, sparse ("10MB"). `picture`: one of that many pixels ("8x6"), of the kind its name says.
    """
    for path, content in given.items():
        target = home / path
        if path.endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        fields = content if isinstance(content, dict) else {"text": content}
        if "link" in fields:
            target.symlink_to(fields["link"])
            continue
        if "picture" in fields:
            from PIL import Image

            width, _, height = str(fields["picture"]).partition("x")
            Image.new("RGB", (int(width), int(height)), "navy").save(target)
        else:
            target.write_text(str(fields.get("text", "")), encoding="utf-8")
        if "size" in fields:
            os.truncate(target, Bytes().parse(fields["size"]))
        if "mode" in fields:
            target.chmod(int(fields["mode"], 8))
        if "age" in fields:
            then = time.time() - Duration().parse(fields["age"])
            os.utime(target, (then, then))


def tree(home: Path) -> dict[str, str]:
    """Return every file with its text (a big or binary one with its size), and every empty folder with a slash."""
    found: dict[str, str] = {}
    for folder, folders, files in os.walk(home):
        base = Path(folder)
        for name in files:
            found[str((base / name).relative_to(home))] = _text(base / name)
        if not folders and not files and base != home:
            found[str(base.relative_to(home)) + "/"] = ""
    return found


def _text(file: Path) -> str:
    if file.is_symlink():
        return f"-> {os.readlink(file)}"
    size = file.stat().st_size
    if size > _SHOWN:
        return f"{size} bytes"
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return "binary"
