"""The gate under random input: plans, policies, grants, messages between its processes, and a damaged journal.

Whatever comes, the answer is one of nlsh's own errors or what was asked for: no other exception, no hang, and never more leave than before.
A few hundred inputs each; `NLSH_FUZZ_EXAMPLES=100000 pytest tests/property/test_fuzz_gate.py` gives it so many in all.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import random
import re
import select
import socket
import sqlite3
import string
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from nlsh.guard import policy, secrets
from nlsh.guard.grant import Grant
from nlsh.guard.sandbox import zygote as zygote_module
from nlsh.guard.sandbox.zygote import GO_ON, Zygote
from nlsh.journal.audit import Audit
from nlsh.journal.redact import HIDDEN, redacted
from nlsh.journal.store import Journal, NewStep
from nlsh.journal.undo import History
from nlsh.kernel.recover import unfinished
from nlsh.plan import registry
from nlsh.plan.effects import KINDS, Effect
from nlsh.plan.errors import BadPlan, NlshError
from nlsh.plan.plan import Call, Plan, Preview, PreviewedCall, Ref, plan_from_data
from nlsh.settings import config_dir, state_dir
from nlsh.steps.making import MakeFile
from nlsh.steps.renames import RenamePath

ALL = int(os.environ.get("NLSH_FUZZ_EXAMPLES", "0"))
LAST = ("done", "failed", "denied")
WAIT_S = 30


def some(usual: int, share: float) -> Callable[[Any], Any]:
    """Give a test its number of inputs: the usual, or its share of what the environment asks for."""
    return settings(
        max_examples=max(usual, int(ALL * share)), deadline=None, phases=(Phase.explicit, Phase.generate, Phase.shrink), database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip


# --- plans ---------------------------------------------------------------------------------------------------------

ACTIONS = registry.names()
PLANS = [e.plan for name in ACTIONS for e in registry.get(name).examples]
WORDS = ["file.find", "file.trash", "(", ")", "[", "]", "=", ",", ".", "_", "a", "None", "lambda:", "**", "*", "-", "1e999", "0x", "'", '"', "\\", "\n", "  "]
WORDS += [
    "true",
    "f''",
    "b''",
    "#",
    ":",
    ":=",
    "await",
    "async",
    "\x00",
    "\u202e",
    "\ud800",
    "{",
    "}",
    "import os",
    "...",
    "@",
    "~",
    "not",
    "9" * 5000,
    "(" * 300,
]
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))  # a plan can hold
VALUES = st.one_of(TEXTS, st.booleans(), st.lists(TEXTS, max_size=4).map(tuple), st.sampled_from(["100MB", "30d", "~/x", "*.txt"]))


@st.composite
def damaged_plans(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(PLANS))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        cut = draw(st.integers(0, 6))
        text = text[:at] + draw(st.one_of(st.sampled_from(WORDS), st.text(max_size=3))) + text[at + cut :]
    return text


@some(300, 0.25)
@given(st.one_of(damaged_plans(), st.lists(st.sampled_from(WORDS), max_size=12).map("".join), st.text()))
def test_any_text_is_a_plan_or_refused_and_what_is_a_plan_is_written_back(text: str) -> None:
    try:
        plan = registry.parse(text)
    except NlshError as error:
        assert str(error)
        return
    written = registry.format(plan)
    assert registry.parse(written) == plan
    assert registry.format(registry.parse(written)) == written
    assert plan_from_data(json.loads(json.dumps(plan.as_data()))) == plan


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    calls, names = [], ["_"]
    for n in range(draw(st.integers(1, 4))):
        action = registry.get(draw(st.sampled_from(ACTIONS)))
        fields = draw(st.lists(st.sampled_from(sorted(action.Args.fields)), unique=True, max_size=3)) if action.Args.fields else []
        args = {f: draw(st.one_of(VALUES, st.sampled_from(names).map(Ref))) for f in fields}
        result = draw(st.sampled_from([None, f"r{n}"]))
        calls.append(Call(action.name, args, result))
        names += [result] if result else []
    return Plan(tuple(calls))


@some(300, 0.05)
@given(plans())
def test_a_plan_is_what_its_text_says(plan: Plan) -> None:
    assert registry.parse(registry.format(plan)) == plan
    for call in plan.calls:
        with contextlib.suppress(NlshError):  # any value is a value or a mistake that is named
            registry.get(call.action).Args.bind(call.action, {k: v for k, v in call.args.items() if not isinstance(v, Ref)})


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from(["action", "args", "result", "ref", "file.find"])),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(["action", "args", "result", "ref", "x"]), inner, max_size=4)),
    max_leaves=12,
)


@some(200, 0.25)
@given(JSON)
def test_any_data_is_a_plan_or_refused(data: Any) -> None:
    try:
        plan = plan_from_data(data)
    except BadPlan:
        return
    with contextlib.suppress(NlshError):
        assert registry.parse(registry.format(plan)).calls


# --- policies ------------------------------------------------------------------------------------------------------

KIND_PATTERNS = st.sampled_from([*KINDS, "fs.*", "*", "proc.*", "net.*", "fs", "", "x.y", "fs.writ", "*.*"])
TARGETS = st.sampled_from(
    [
        "~",
        "=~",
        "~/docs",
        "~/docs/*",
        "**",
        "**/*.key",
        "/",
        "=/",
        "/etc",
        "{own}",
        "{secrets}",
        "{cwd}",
        "{state}",
        "{home}/x",
        "4711",
        "example.org:443",
        "*",
        "?",
    ]
)
RULES = st.fixed_dictionaries(
    {"answer": st.sampled_from(["allow", "ask", "deny"]), "effect": st.lists(KIND_PATTERNS, min_size=1, max_size=2)},
    optional={
        "name": st.text(max_size=5), "target": st.lists(TARGETS, max_size=2), "but": st.lists(TARGETS, max_size=2), "reason": st.text(max_size=5),
        "when": st.sampled_from(["cannot-undo", "other-user", "only-reads", "x", ""]), "unless": st.sampled_from(["cannot-undo", "times"]),
        "each_time": st.booleans(), "lift": st.booleans(), "match": st.lists(st.text(max_size=6), max_size=1), "surprise": JSON,
    },
)  # fmt: skip
# Rules that are valid on their own, so that what they come to can be compared.
SOUND = st.fixed_dictionaries(
    {"answer": st.sampled_from(["allow", "ask", "deny"]), "effect": st.lists(st.sampled_from([*KINDS, "fs.*", "*"]), min_size=1, max_size=2)},
    optional={"target": st.lists(TARGETS, max_size=2), "but": st.lists(TARGETS, max_size=1), "unless": st.sampled_from(["cannot-undo", "times"])},
)
EFFECTS = st.builds(
    Effect, st.sampled_from(sorted(KINDS)),
    st.sampled_from(
        ["~/docs/a", "~/.ssh/id", "~", "/", "/etc/passwd", "/tmp/x.key", "4711", "1", "example.org:443", "*", "/dev/sdb1", "~/.config/nlsh/policy.toml"]
    ),
)  # fmt: skip
STRICT = {"allow": 0, "ask": 1, "deny": 2}


def toml_of(rules: list[dict[str, Any]]) -> str:
    import tomli_w

    return tomli_w.dumps({"rule": rules})


def previewed(*effects: Effect, no_undo: str = "") -> Preview:
    found = tuple(Effect(e.kind, e.target.replace("~", os.environ["HOME"], 1)) for e in effects)
    call = Call("file.trash", {})
    return Preview(Plan((call,)), (PreviewedCall(call, (), found, no_undo),))


def loaded(user: str = "", project: str = "") -> policy.Policy:
    for path, text in ((config_dir() / "policy.toml", user), (Path(".nlsh/policy.toml"), project)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return policy.load()


@some(150, 0.05)
@given(
    text=st.one_of(
        st.text(), st.lists(st.sampled_from(["[[rule]]", "\n", "answer", "=", '"deny"', "effect", '["fs.*"]', "[", "rule", "'"]), max_size=14).map("".join)
    )
)
def test_any_text_is_a_policy_or_refused(home: Path, text: str) -> None:
    with contextlib.suppress(NlshError):
        loaded(user=text)


@some(80, 0.01)
@given(user=st.lists(RULES, max_size=3), project=st.lists(RULES, max_size=2), effect=EFFECTS)
def test_any_rules_are_a_policy_or_refused(home: Path, user: list[dict[str, Any]], project: list[dict[str, Any]], effect: Effect) -> None:
    try:
        texts = toml_of(user), toml_of(project)
    except (TypeError, ValueError):
        return  # what TOML cannot hold
    with contextlib.suppress(NlshError):
        assert loaded(*texts).decide(previewed(effect)).answer in STRICT


@some(60, 0.01)
@given(
    first=st.lists(SOUND, max_size=2), second=st.lists(SOUND, max_size=3), effects=st.lists(EFFECTS, min_size=1, max_size=3), no_undo=st.booleans(),
    allowed=st.lists(st.sampled_from(["fs.write", "fs.read:~/docs", "exec", "dev.format"]), max_size=2), seed=st.integers(0, 99),
)  # fmt: skip
def test_no_layer_takes_back_what_a_higher_one_denies(
    home: Path, first: list[dict[str, Any]], second: list[dict[str, Any]], effects: list[Effect], no_undo: bool, allowed: list[str], seed: int
) -> None:
    preview = previewed(*effects, no_undo="because" if no_undo else "")
    project = [r for r in second if r["answer"] != "allow"]
    try:
        shipped = loaded().decide(preview)
        user = loaded(toml_of(first)).decide(preview)
        both = loaded(toml_of(first), toml_of(project))
    except NlshError:
        return
    # What ships denied stays denied, or (a lift) is asked about each time.
    if shipped.answer == "deny":
        assert user.answer == "deny" or (user.answer == "ask" and user.each_time), (shipped, user)
    # A project only tightens, and nothing said for a session takes back a deny.
    whole = both.decide(preview)
    assert STRICT[whole.answer] >= STRICT[user.answer]
    session = both.with_session(allowed).decide(preview)
    assert (session.answer == "deny") == (whole.answer == "deny")
    # The order of the rules of a layer does not matter, nor that of the effects.
    random.Random(seed).shuffle(first)
    other = loaded(toml_of(first), toml_of(project[::-1])).decide(previewed(*reversed(effects), no_undo="because" if no_undo else ""))
    assert other.answer == whole.answer
    assert other.asked == whole.asked


# --- grants --------------------------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        "docs",
        ".ssh",
        "id",
        "to-ssh",
        "to-key",
        ".config",
        "nlsh",
        "..",
        ".",
        "",
        "new",
        "a\nb",
        "\udcff",
        "x" * 300,
        "to-home",
        "loop",
        ".local",
        "state",
        "proc",
    ]
)
PATHS = st.one_of(
    st.lists(PIECES, max_size=5).map(lambda parts: "/".join(["~", *parts])), st.lists(PIECES, max_size=4).map(lambda parts: "/" + "/".join(parts)),
    st.text(min_size=1, max_size=8),
    st.sampled_from(["/proc/self/root", "/proc/self/cwd/.ssh", "//etc//shadow", "/etc/../etc/shadow", "~/docs/../.ssh", "a\0b"]),
)  # fmt: skip


@pytest.fixture
def furnished(home: Path) -> Path:
    """Return a home with secrets, and with links that lead to them."""
    (home / ".ssh").mkdir()
    (home / ".ssh/id").write_text("key")
    (home / "docs").mkdir()
    (home / "docs/a").write_text("a")
    for name, goal in (("to-ssh", ".ssh"), ("docs/to-key", "../.ssh/id"), ("to-home", "."), ("loop", "loop")):
        (home / name).symlink_to(goal)
    config_dir().mkdir(parents=True)
    state_dir()
    return home


@some(150, 0.05)
@example(wanted=[("fs.meta", "~/to-ssh")], closed=False)
@given(wanted=st.lists(st.tuples(st.sampled_from(sorted(KINDS)), PATHS), min_size=1, max_size=4), closed=st.booleans())
def test_a_grant_never_holds_what_is_hidden(furnished: Path, wanted: list[tuple[str, str]], closed: bool) -> None:
    effects = tuple(Effect(kind, target.replace("~", str(furnished), 1)) for kind, target in wanted)
    try:
        grant = Grant.of(effects, closed=(str(furnished / "docs"),) if closed else ())
    except NlshError:
        return
    hidden = {os.path.realpath(h) for h in secrets.hidden()}
    for root in (*grant.read, *grant.change, *grant.remove, *grant.meta):
        real = os.path.realpath(root)
        assert not any(real == h or real.startswith(h + "/") for h in hidden), (root, effects)
    assert set(grant.effects) == set(effects)
    assert set(secrets.hidden()) <= set(grant.hidden)
    if closed:
        assert not any(os.path.realpath(r) == str(furnished / "docs") for r in grant.read)
    assert Grant.from_data(json.loads(json.dumps(grant.as_data()))) == grant
    # More effects never take a root away, and fewer never add one.
    try:
        less = Grant.of(effects[:-1])
    except NlshError:
        return
    if not closed:
        assert set(less.read) <= set(grant.read) and set(less.devices) <= set(grant.devices)


# --- messages ------------------------------------------------------------------------------------------------------

MESSAGES = st.one_of(
    st.binary(max_size=40),
    JSON.map(lambda d: json.dumps(d).encode()),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["start", "done", "failed", "denied", "records", "progress", "exit", "x"]), "step": st.integers(-2, 5)},
        optional={
            "status": st.one_of(st.none(), st.integers(-99, 99)), "to": st.one_of(st.integers(-5, 5000), st.text(max_size=2)), "error": JSON, "lost": JSON,
        },
    ).map(lambda d: json.dumps(d).encode()),
)  # fmt: skip
STREAMS = st.lists(st.tuples(MESSAGES, st.sampled_from([b"\n", b"\n", b"\n", b""])), max_size=12).map(lambda parts: b"".join(m + e for m, e in parts))


@some(300, 0.25)
@given(stream=STREAMS, steps=st.integers(0, 4))
def test_each_step_gets_one_last_message_whatever_a_worker_says(stream: bytes, steps: int) -> None:
    reader, writer = os.pipe()
    ours, theirs = socket.socketpair()
    os.write(writer, stream)
    os.close(writer)
    client = Zygote(0, theirs)
    client._send = lambda *given: (reader, ours)  # type: ignore[method-assign]
    told = list(client.run({"steps": [{}] * steps}))
    theirs.close()
    assert sorted(m["step"] for m in told if m["type"] in LAST) == list(range(steps))
    ended: set[int] = set()
    for message in told:
        assert message["step"] not in ended, "something came after a last message"
        if message["type"] in LAST:
            ended.add(message["step"])


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    started = Zygote.start()
    yield started
    started.close()


def job_for(folder: Path) -> dict[str, Any]:
    steps = [MakeFile(str(folder / f"{i}"), "x", 10**18) for i in range(2)]
    grant = Grant.of(tuple(e for s in steps for e in s.effects()))
    return {"steps": [s.as_data() for s in steps], "grant": grant.as_data(), "cwd": str(folder), "env": {}}


def is_well(zygote: Zygote, folder: Path) -> None:
    """Check that the zygote still starts workers, and leaks no descriptors."""
    for name in ("0", "1"):
        with contextlib.suppress(FileNotFoundError):
            (folder / name).unlink()
    assert [m["type"] for m in zygote.run(job_for(folder)) if m["type"] in LAST] == ["done", "done"]
    assert len(os.listdir(f"/proc/{zygote.pid}/fd")) < 20


@st.composite
def damaged(draw: st.DrawFn, sound: bytes) -> bytes:
    data = bytearray(sound)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        match draw(st.sampled_from(["flip", "cut", "put"])):
            case "flip" if data:
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del data[at:]
            case _:
                data[at:at] = draw(st.sampled_from([b"[" * 100_000, b"null", b'"', b"{}", b"-1", b"\xff", b"[1]", b'{"step":1}']))
    return bytes(data)


def give(zygote: Zygote, data: bytes, word: bytes, descriptors: int) -> bytes:
    """Send the zygote a job of these bytes, with so many of the descriptors that belong to one; return all that comes back."""
    written, (reader, writer), (ours, theirs) = os.memfd_create("job"), os.pipe(), socket.socketpair()
    null = os.open(os.devnull, os.O_RDWR)
    os.write(written, data)
    given = [written, writer, theirs.fileno(), null, null, null][:descriptors]
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", given))] if given else []
    zygote._channel.sendmsg([word], rights, socket.MSG_NOSIGNAL)
    theirs.close()
    for descriptor in (written, writer, null):
        os.close(descriptor)
    found = b""
    while select.select([reader], [], [], WAIT_S)[0]:
        if not (data := os.read(reader, 1 << 16)):
            break
        found += data
    else:
        pytest.fail("the zygote keeps its client waiting")
    os.close(reader)
    ours.close()
    return found


@some(25, 0.002)
@given(data=st.data())
def test_the_zygote_survives_any_job_and_runs_nothing_else(furnished: Path, zygote: Zygote, data: st.DataObject) -> None:
    folder = furnished / "docs"
    canary = furnished / "canary"
    sound = json.dumps(job_for(folder)).encode()
    what = data.draw(
        st.one_of(damaged(sound), JSON.map(lambda d: json.dumps(d).encode()), JSON.map(lambda d: json.dumps({**job_for(folder), "steps": d}).encode()))
    )
    before = {p for p in furnished.rglob("*") if folder not in p.parents}
    give(zygote, what, data.draw(st.sampled_from([b"j", b"x"])), data.draw(st.sampled_from([6, 6, 6, 3, 2, 1, 0])))
    assert not canary.exists()
    assert {p for p in furnished.rglob("*") if folder not in p.parents} == before, "something was changed that no grant held"
    assert {p.name for p in folder.iterdir()} <= {"a", "to-key", "0", "1"} | {p.name for p in folder.iterdir() if p.stat(follow_symlinks=False).st_size == 1}
    is_well(zygote, folder)


@some(15, 0.0005)
@given(said=st.binary(max_size=20))
def test_whatever_a_client_says_on_the_way_each_step_ends_once(furnished: Path, zygote: Zygote, said: bytes) -> None:
    folder = furnished / "docs"
    for name in ("0", "1"):
        with contextlib.suppress(FileNotFoundError):
            (folder / name).unlink()
    messages = zygote.run(job_for(folder))
    told = [next(messages)]
    for control in list(zygote._controls):
        with contextlib.suppress(OSError):
            control.send((said or b"c") + GO_ON, socket.MSG_NOSIGNAL)  # what was paused on the way goes on
    told += messages
    assert sorted(m["step"] for m in told if m["type"] in LAST) == [0, 1]
    made = {m["step"] for m in told if m["type"] == "done"}
    assert {n for n in (0, 1) if (folder / str(n)).exists()} == made


# --- a damaged journal ---------------------------------------------------------------------------------------------

CELLS = st.one_of(
    st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=12), st.binary(max_size=12), JSON.map(json.dumps),
    st.sampled_from(["running", "done", "planned", "{}", "[]", '{"step":"RenamePath"}', '{"step":"RunCommand","in":"command"}', "1:2:3"]),
    st.sampled_from(['{"step":"x","in":"../../x"}', '{"step":"x","in":"os"}']),
)  # fmt: skip
COLUMNS = [("runs", c) for c in ["at", "finished_at", "request", "plan", "digest", "cwd", "status", "owner", "turn", "about", "undone_by", "no_undo", "total"]]
COLUMNS += [("steps", c) for c in ["call", "step", "data", "inverse", "source", "state"]] + [("folders", c) for c in ["path", "before_ns", "after_ns"]]


@pytest.fixture
def kept(home: Path) -> Path:
    """Return a journal with a run that was cut short, and one that was done."""
    journal = Journal(home / "kept.sqlite")
    for owner in ("", "1:1:none"):
        steps = [NewStep(0, i, RenamePath(str(home / f"{i}"), str(home / f"n{i}"), (1, i))) for i in range(2)]
        run = journal.begin(request="r", plan="p", digest="d", cwd=str(home), steps=steps)
        journal.mark(run, [(0, "done")])
        if owner:
            with journal.using() as db:
                db.execute("UPDATE runs SET owner=? WHERE id=?", (owner, run))
        else:
            journal.finish(run, "partly")
    with journal.using() as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    journal.close()
    return home / "kept.sqlite"


def read_all(path: Path) -> None:
    """Do what a start and an undo do with a journal; only nlsh's own errors may come of it."""
    journal = Journal(path)
    try:
        for asked in (
            lambda: unfinished(journal), lambda: History(journal).recent(20), lambda: History(journal)(), lambda: History(journal)(1),
            lambda: History(journal).remaining(2), lambda: journal.begin(request="", plan="", digest="", cwd="/", steps=[], turn="undo", about=1),
        ):  # fmt: skip
            with contextlib.suppress(NlshError):
                asked()
    finally:
        with contextlib.suppress(sqlite3.Error):
            journal.close()


@some(100, 0.01)
@given(changes=st.lists(st.tuples(st.sampled_from(COLUMNS), CELLS), min_size=1, max_size=3))
@example(changes=[(("steps", "state"), 0), (("folders", "path"), 0)])
def test_any_cell_of_the_journal_is_read_or_refused(home: Path, kept: Path, changes: list[tuple[tuple[str, str], Any]]) -> None:
    path = home / "damaged.sqlite"
    for old in home.glob("damaged.sqlite*"):
        old.unlink()
    path.write_bytes(kept.read_bytes())
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        for (table, column), value in changes:
            with contextlib.suppress(sqlite3.Error):
                db.execute(f"UPDATE {table} SET {column}=?", (value,))
    read_all(path)


@some(60, 0.005)
@given(seed=st.integers(), flips=st.integers(1, 40), cut=st.booleans())
def test_any_bytes_of_the_journal_are_read_or_refused(home: Path, kept: Path, seed: int, flips: int, cut: bool) -> None:
    chance = random.Random(seed)
    data = bytearray(kept.read_bytes())
    for _ in range(flips):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    for old in home.glob("damaged.sqlite*"):
        old.unlink()
    (home / "damaged.sqlite").write_bytes(data[: chance.randrange(len(data))] if cut else data)
    read_all(home / "damaged.sqlite")


# --- secrets -------------------------------------------------------------------------------------------------------

# None that is a digit of a hash: those stand in the log, too.
LETTERS = st.text(alphabet=sorted(set(string.ascii_letters) - set("abcdefABCDEF")), min_size=16, max_size=40)
SECRETS = st.one_of(
    LETTERS.map(lambda t: ("ghp_" + t, "{}")), LETTERS.map(lambda t: ("sk-" + t, "{}")), LETTERS.map(lambda t: ("glpat-" + t, "{}")),
    LETTERS.map(lambda t: ("AKIA" + t.upper()[:16], "{}")), LETTERS.map(lambda t: (f"eyJ{t}.{t}.{t}", "{}")), LETTERS.map(lambda t: (t, "https://me:{}@host/x")),
    LETTERS.map(lambda t: (t, "Authorization: Bearer {}")), LETTERS.map(lambda t: (t, "password={}")), LETTERS.map(lambda t: (t, '--password "{}"')),
    LETTERS.map(lambda t: (t, "API_KEY={}")), LETTERS.map(lambda t: (t, "the password is {}")), LETTERS.map(lambda t: (t, "密码是{}")),
    LETTERS.map(lambda t: (f"-----BEGIN OPENSSH PRIVATE KEY-----\n{t}\n-----END OPENSSH PRIVATE KEY-----", "{}")),
)  # fmt: skip


@some(150, 0.005)
@given(secret=SECRETS, before=st.text(alphabet="ab /.,", max_size=10), after=st.text(alphabet="ab /.,", max_size=10))
def test_a_secret_of_a_known_shape_is_not_written_down(home: Path, secret: tuple[str, str], before: str, after: str) -> None:
    hidden, place = secret
    request = f"{before} {place.format(hidden)} {after}"
    plan = registry.format(Plan((Call("shell.run", {"command": request}),)))
    kept = re.sub(r"-----(BEGIN|END) OPENSSH PRIVATE KEY-----|\n", "", hidden)
    log = Audit(home / "log")
    log.append("decision", sync=False, request=request, plan=plan, effects=[f"exec {request}"], errors=[{"message": request}])
    journal = Journal(home / "log/journal.sqlite")
    run = journal.begin(request=request, plan=plan, digest="", cwd="/", steps=[])
    row = journal.run(run)
    assert row is not None
    journal.close()
    assert kept not in log.path.read_text() and kept not in row.request + row.plan
    assert HIDDEN in row.request
    log.path.unlink()


@some(150, 0.15)
@given(st.text())
def test_leaving_out_secrets_is_quick_and_done_once(text: str) -> None:
    once = redacted(text)
    assert isinstance(once, str) and redacted(once).count(HIDDEN) >= once.count(HIDDEN)


def test_every_process_message_is_checked_by_its_own_module() -> None:
    """The client drops what no worker of nlsh sends: were it not so, the tests above would test nothing."""
    assert zygote_module._message(b"[]") is None
    assert zygote_module._message(b'{"type":"done","step":0}') is not None
