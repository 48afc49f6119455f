"""Run the tests a pack carries: each in a scratch home, through the same kernel, policy, ceiling and confined workers as a user's run.

    [[entries.sort.tests]]
    name = "pictures go to Pictures"
    given = { "Downloads/a.jpg" = "1", "Downloads/old.zip" = { text = "2", age = "40d" }, "Downloads/empty/" = "" }
    with = { folder = "~/Downloads" }
    after = { "Downloads/Pictures/a.jpg" = "1", … }   # the whole tree; a folder is named only where it is empty; left out: as given
    output = ["a.jpg"]                                 # texts that the result shows
    exit = 0
    may_lack = false                                   # true: a machine that has no such thing is no failure

Every approval is given, so nothing is allowed that reaches beyond the scratch home: what changes files elsewhere, and what cannot be kept inside
a folder, is denied, and what the user's own policy denies and hides stays so. The planner is not asked: a sentence is tested by the plan it is
pinned to. Code of the pack's own is run, confined as ever: whoever tests a pack of somebody else's reads it first.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlsh.guard.rules import Rule
from nlsh.plan.amounts import Bytes, Duration
from nlsh.plan.effects import KINDS
from nlsh.plan.errors import Denied, NlshError, NotPossible
from nlsh.plan.frozen import frozen
from nlsh.plan.plan import Plan, Preview
from nlsh.skills import ceiling, own
from nlsh.skills.front import BadPack
from nlsh.skills.load import Entry, Pack
from nlsh.skills.run import check_requires, plan_entry

if TYPE_CHECKING:
    from nlsh.guard.policy import Policy
    from nlsh.guard.sandbox.zygote import Zygote
    from nlsh.kernel.kernel import Kernel

_PRIVATE = {"XDG_CONFIG_HOME": "config", "XDG_STATE_HOME": "state", "XDG_CACHE_HOME": "cache", "XDG_DATA_HOME": "data"}
_SHOWN = 1 << 20  # bytes; of a bigger file its size stands for what is in it
_IN_FOLDERS = ("fs.write", "fs.delete", "fs.meta")
# Programs are kept inside the folders by the kernel. All else that changes anything is not, nor is what goes on when the test is over (fs.log).
_NEVER = tuple(kind for kind, (_, changes, _) in KINDS.items() if changes and kind not in (*_IN_FOLDERS, "exec", "tool.run"))
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def check_pack(pack: Pack) -> list[str]:
    """Run every test of a pack and return what fails, one text each. Raises SettingsError."""
    from nlsh.guard.sandbox.zygote import Zygote

    kept = _Kept.now()
    zygote = Zygote.start()
    try:
        return [problem for entry in pack.entries.values() for test in entry.tests if (problem := check(pack, entry, test, zygote, kept))]
    finally:
        zygote.close()


@frozen(slots=False)
class _Kept:
    """What the user's policy keeps from every plan, as it is before HOME is another one: what it denies, hides and protects, and the level it asks for."""

    rules: tuple[Rule, ...]
    guard: Mapping[str, Any]

    @classmethod
    def now(cls) -> _Kept:
        from nlsh.guard import demands, secrets
        from nlsh.guard.policy import load

        found, hidden = demands.found(), (*secrets.hidden(), *secrets.own())
        guard = {"hide": [p for p in dict.fromkeys(hidden) if p.startswith("/")], "protect": list(found.protect), "ask_at_syscall": False}
        rules = tuple(r for r in load().settled().rules if r.answer == "deny" and r.scope != "shipped")
        return cls(rules, guard | ({"require": found.require} if found.require else {}))

    def policy(self, folders: tuple[str, ...]) -> Policy:
        """Return the policy of a test that may change what is in these folders; within `_at_home`. Raises SettingsError."""
        import tomli_w

        from nlsh.guard.files import user_file
        from nlsh.guard.policy import load

        # A file, because what is hidden and demanded is asked for where grants are made, too.
        for folder in (user_file().parent.parent, user_file().parent):
            folder.mkdir(mode=0o700)  # what others could write is not obeyed
        user_file().write_text(tomli_w.dumps({"guard": dict(self.guard)}), encoding="utf-8")
        user_file().chmod(0o600)
        reason = "the tests of a pack change nothing outside their scratch home"
        outside = Rule("outside the test", "deny", _IN_FOLDERS, reason, but=folders)
        return load().with_rules((*self.rules, outside, Rule("outside the test", "deny", _NEVER, reason)))


class _Fence:
    """A zygote that takes no job with leave to change anything outside folders: an earlier call may have put a link where a later one writes."""

    def __init__(self, zygote: Zygote, folders: tuple[str, ...]) -> None:
        self._zygote, self._folders = zygote, folders

    def __getattr__(self, name: str) -> Any:
        return getattr(self._zygote, name)

    def run(self, job: dict[str, Any], **given: Any) -> Iterator[dict[str, Any]]:
        places = [place for name in ("change", "remove", "meta", "devices") for place in job["grant"][name]]
        if outside := [p for p in places if not any(p == f or p.startswith(f + "/") for f in self._folders)]:
            raise Denied(f"{outside[0]} is outside the test's scratch home.", hint="Nothing was changed.")
        return self._zygote.run(job, **given)


def check(pack: Pack, entry: Entry, test: Mapping[str, Any], zygote: Zygote, kept: _Kept) -> str:
    """Run one test and return what is wrong, empty where nothing is."""
    title = f"{entry.full_name}: {test.get('name', 'unnamed test')}"
    with tempfile.TemporaryDirectory(prefix="nlsh-pack-") as scratch:
        home = Path(os.path.realpath(scratch)) / "home"
        home.mkdir()
        try:
            build(home, test.get("given", {}))
        except BadPack as error:
            return f"{title}: {error}"
        before = tree(home)
        with _at_home(home):
            status, shown, failure = _run(pack, entry, test.get("with", {}), zygote, kept)
        if failure is not None and failure.code == "world.not-possible" and test.get("may_lack"):
            return ""
        said = f" {failure}" if failure is not None else ""
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


def _run(pack: Pack, entry: Entry, given: Mapping[str, str], zygote: Zygote, kept: _Kept) -> tuple[int, str, NlshError | None]:
    """Return the exit status of an entry's run, what its result shows, and the error if there was one."""
    from nlsh.journal.audit import Audit
    from nlsh.journal.store import Journal
    from nlsh.kernel.kernel import Kernel
    from nlsh.world import World

    own.Consent().give(pack, own.sources(pack))  # in the scratch home alone
    # Its home, and beside it the trash.
    folders = (os.getcwd(), os.environ["XDG_DATA_HOME"])
    os.mkdir(folders[1])
    with ExitStack() as stack:
        journal = Journal()
        stack.callback(journal.close)
        fenced: Any = _Fence(zygote, folders)
        kernel = Kernel(kept.policy(folders), fenced, journal, Audit(), World(), approve=lambda preview, decision: True)
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

    `size`: so big, sparse ("10MB"). `picture`: one of that many pixels ("8x6"), of the kind its name says. Raises BadPack for what cannot be made
    there, and for what lies outside.
    """
    try:
        for path, content in given.items():
            _make(home, path, content if isinstance(content, dict) else {"text": content})
        # Links may lead through one another: where each ends is known when all are there.
        for link in (Path(folder) / name for folder, folders, files in os.walk(home) for name in (*folders, *files)):
            _check_inside(home, link, str(link.relative_to(home)))
    except (OSError, ValueError, OverflowError, RuntimeError) as error:
        raise BadPack(f"what is given cannot be made: {error}.") from error


def _make(home: Path, path: str, fields: Mapping[str, Any]) -> None:
    target = home / path
    if path.startswith("/") or ".." in Path(path).parts or target == home:
        raise BadPack(f"“{path}” is outside the test's scratch home. Nothing was run.")
    _check_inside(home, target if path.endswith("/") else target.parent, path)
    if path.endswith("/"):
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if "link" in fields:
        # Looked at before it is made, and by its words: an absolute one leads outside.
        _check_inside(home, target.parent / str(fields["link"]), f"{path} -> {fields['link']}")
        target.symlink_to(str(fields["link"]))
        return
    with open(os.open(target, _NEW, 0o666), "w", encoding="utf-8") as file:
        file.write(str(fields.get("text", "")))
    if "picture" in fields:
        from PIL import Image

        width, _, height = str(fields["picture"]).partition("x")
        Image.new("RGB", (int(width), int(height)), "navy").save(target)
    if "size" in fields:
        os.truncate(target, Bytes().parse(fields["size"]))
    if "mode" in fields:
        target.chmod(int(fields["mode"], 8) & 0o777)
    if "age" in fields:
        then = time.time() - Duration().parse(fields["age"])
        os.utime(target, (then, then))


def _check_inside(home: Path, place: Path, named: str) -> None:
    if not Path(os.path.realpath(place)).is_relative_to(home):
        raise BadPack(f"“{named}” leads out of the test's scratch home. Nothing was run.")


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
