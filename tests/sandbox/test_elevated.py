"""What is done as root where nlsh is not root: one confined process for one approved call, started by the system's own sudo."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from nlsh.guard import elevate, isolated, writers
from nlsh.guard.grant import Grant
from nlsh.guard.sandbox import capabilities, elevated, namespaces
from nlsh.guard.sandbox.elevated import LENGTH, Kept
from nlsh.plan.effects import Effect
from nlsh.plan.errors import Denied, NlshError
from nlsh.plan.plan import Call, PreviewedCall
from nlsh.plan.steps import Step
from nlsh.steps.marks import ChangeOwner
from nlsh.world import privilege
from nlsh.world.files import identity
from tests.sandbox.conftest import NOBODY, in_child

FOLDERS = privilege.folders  # before each test takes them away
ANN = 61234  # nobody's number here; the name is in a passwd of the test's own
PASSWORD = "correct horse"
PASSWORD_HASH = "$6$nlshtest$vwY3orZeVZNM0f.D28nNWLbC0bcpmyiJDXQxzeMGAiV/OOGLfL3eFEIaQjaDd9nTlLOS4uZJRi438s2VYg15R."
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be root's process")


@dataclass(frozen=True)
class Attempts(Step):
    """Try what is to be refused to a process of root's, and what it was granted; tell by an error what came of each."""

    path: str
    other: str
    pid: int
    tried: ClassVar[list[str]] = []

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("fs.meta", self.path), Effect("priv.root", "to try it (CAP_CHOWN)"))

    def apply(self) -> None:
        def mounts() -> None:
            namespaces.mount("none", "/mnt", "tmpfs")

        attempts: dict[str, Callable[[], Any]] = {
            "write": lambda: Path("/etc/nlsh-was-here").write_text("x"),
            "beside": lambda: Path(self.other).write_text("x"),
            "content": lambda: Path(self.path).write_text("x"),
            "read": lambda: Path("/etc/shadow").read_text(),
            "chown": lambda: os.chown(self.other, NOBODY, NOBODY),
            "signal": lambda: os.kill(self.pid, 9),
            "become": lambda: os.setuid(NOBODY),
            "run": lambda: os.execv("/bin/true", ["true"]),
            "mount": mounts,
            "connect": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
            "granted": lambda: os.chown(self.path, NOBODY, NOBODY),
        }
        came = []
        for name, attempt in attempts.items():
            try:
                attempt()
                came.append(name)
            except OSError:
                continue
        facts = dict(line.split(":\t") for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
        raise NlshError(json.dumps({"came": came, **{k: facts[k] for k in ("CapEff", "CapPrm", "CapBnd", "NoNewPrivs", "Seccomp")}}))


def frames(step: Step, grant: Grant | None = None, kinds: tuple[str, ...] | None = None) -> tuple[bytes, bytes]:
    """Return what root would be told for a step."""
    may = {"kinds": kinds or (type(step).__name__,), "grant": (grant or Grant.of(step.effects())).as_data()}
    return json.dumps(may, sort_keys=True).encode(), json.dumps({"steps": [step.as_data()]}).encode()


def told(may: bytes, does: bytes, *, approved: tuple[bytes, bytes] | None = None, in_fork: bool = True) -> list[dict[str, Any]]:
    """Give the process of root's an order, `approved` if something else was; return its messages. Run in a fork, or as sudo would run it."""
    if not in_fork:
        skip_where_others_own_the_code()
    digests = [hashlib.sha256(frame).hexdigest() for frame in (approved or (may, does))]
    ours, theirs = socket.socketpair()
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(theirs.fileno(), 0)
            os.dup2(writer, 1)
            if in_fork:
                sys.argv = ["-c", *digests]
                elevated._refuse_foreign_code = lambda user: None  # looked at where it is really started
                elevated.main()
            command = isolated.as_root("from nlsh.guard.sandbox.elevated import main; main()", *digests)
            os.execve(command[0], command, {"LD_PRELOAD": "", "PYTHONPATH": "/tmp"})
        finally:
            os._exit(1)
    theirs.close()
    os.close(writer)
    try:
        for frame in (may, does):
            ours.sendall(LENGTH.pack(len(frame)) + frame)
    except OSError:
        pass  # refused before it was read
    with open(reader, "rb") as file:
        messages = [json.loads(line) for line in file]
    ours.close()
    os.waitpid(pid, 0)
    return messages


def skip_where_others_own_the_code() -> None:
    if others := writers.of_code(0)[1]:
        pytest.skip(f"this checkout, or this Python, is not for root to run: {others}")


def ownership(path: Path, owner: int = NOBODY) -> ChangeOwner:
    status = os.lstat(path)
    return ChangeOwner(str(path), (owner, owner), (status.st_uid, status.st_gid), identity(status), f"to change the owner of {path} (CAP_CHOWN)", "")


def test_the_process_of_roots_keeps_one_right_and_reaches_nothing_else(tmp_path: Path, victim: int, monkeypatch: pytest.MonkeyPatch) -> None:
    granted, other = tmp_path / "granted" / "file", tmp_path / "other"
    granted.parent.mkdir()
    granted.write_text("g")
    other.write_text("o")
    monkeypatch.setitem(elevated.STEPS, "Attempts", Kept("marks", ("chown", "dac_read_search"), ("fs.meta",)))
    messages = told(*frames(Attempts(str(granted), str(other), victim)))
    assert messages[0]["type"] == "confined" and messages[0]["rights"] == ["chown", "dac_read_search"], messages
    found = json.loads(next(m for m in messages if m["type"] == "failed")["error"]["message"])
    bits = 1 << capabilities.NUMBERS["chown"] | 1 << capabilities.NUMBERS["dac_read_search"]
    kept = [int(found[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")]
    assert kept == [bits] * 3 and found["NoNewPrivs"] == "1" and found["Seccomp"] == "2"
    assert "granted" in found["came"] and granted.stat().st_uid == NOBODY
    # In a view, beside what was granted everything is read-only; without one the kernel does not hold owners, and says so in its level.
    assert set(found["came"]) <= ({"granted"} if messages[0]["level"] == "L3" else {"granted", "chown"})
    assert other.read_text() == "o" and granted.read_text() == "g" and not Path("/etc/nlsh-was-here").exists()
    os.kill(victim, 0)


def test_the_order_is_done_by_an_isolated_python_that_obeys_no_environment(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("x")
    messages = told(*frames(ownership(file)), in_fork=False)
    assert [m["type"] for m in messages] == ["confined", "start", "done", "exit"], messages
    assert file.stat().st_uid == NOBODY


def test_root_refuses_what_was_not_approved(tmp_path: Path) -> None:
    file, other = tmp_path / "f", tmp_path / "g"
    file.write_text("x")
    other.write_text("x")
    step, foreign = ownership(file), ownership(other)
    may, does = frames(step)
    wide = Grant.of([*step.effects(), Effect("fs.write", str(tmp_path))])
    refused: dict[str, tuple[list[dict[str, Any]], bool]] = {
        "another order": (told(may, frames(foreign)[1], approved=(may, does)), False),
        "another grant": (told(frames(foreign)[0], does, approved=(may, does)), False),
        "a step outside the grant": (told(may, frames(foreign)[1]), True),
        "another kind of step": (told(frames(step, kinds=("Signal",))[0], does), False),
        "a kind that is not for root": (told(frames(step, kinds=("RunCommand",))[0], does), False),
        "a grant with more": (told(frames(step, wide)[0], does), False),
        "no steps": (told(may, b"not json"), True),
        "cut short": (told(may[:-1], does), False),
    }
    for what, (messages, read) in refused.items():
        # What was approved is read by a process that is confined by then; what was not, is not read.
        assert [m["type"] for m in messages if m["type"] != "exit"] == ["confined", "refused"][0 if read else 1 :], (what, messages)
    assert file.stat().st_uid == other.stat().st_uid == 0
    assert [m["type"] for m in told(may, does)][-2:] == ["done", "exit"] and file.stat().st_uid == NOBODY


def test_code_that_others_can_change_is_not_for_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o755)
    mine, everybodys = tmp_path / "mine.py", tmp_path / "everybodys.py"
    for path in (mine, everybodys):
        path.write_text("")

    os.chown(mine, ANN, ANN)
    assert writers.of_code(ANN, [str(mine)])[0] == str(mine)
    assert str(mine) in writers.of_code(ANN + 1, [str(mine)])[1]
    everybodys.chmod(0o666)
    assert "everybody" in writers.of_code(ANN, [str(everybodys)])[1]
    # It is looked at on both sides, and what the one who asks could have changed is said.
    monkeypatch.setattr(privilege, "way", lambda: "/usr/bin/sudo")
    call = PreviewedCall(Call("file.chown"), (ownership(mine),), ())
    monkeypatch.setattr(writers, "of_code", lambda user, loaded=(): ("/home/ann/nlsh", ""))
    assert "/home/ann/nlsh" in elevate.words(call)[-1] and len(elevate.words(call)) == 2
    elevated._refuse_foreign_code(ANN)
    monkeypatch.setattr(writers, "of_code", lambda user, loaded=(): ("", "/opt/nlsh can be written by everybody"))
    for look in (lambda: elevate.words(call), lambda: elevated._refuse_foreign_code(ANN)):
        with pytest.raises(Denied, match="/opt/nlsh can be written by everybody"):
            look()


def test_which_program_is_asked_for_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if parent.stat().st_mode & 0o011 != 0o011:
            parent.chmod(parent.stat().st_mode | 0o011)
    sudo, pkexec = tmp_path / "sudo", tmp_path / "pkexec"

    def way(display: str = "") -> str:
        def there() -> str:
            os.setsid()  # without a terminal
            privilege.folders = (str(tmp_path),)
            os.environ.pop("WAYLAND_DISPLAY", None)
            os.environ["DISPLAY"] = display
            return privilege.way() if not privilege._may_gain_nothing() else "skip"

        found = in_child(there, user=NOBODY)
        assert found.done, found
        return str(found.value)

    assert way() in ("", "skip")
    for path in (sudo, pkexec):
        path.write_text("")
        path.chmod(0o4755)
    if way() == "skip":
        pytest.skip("nothing here may get more rights than it has")
    assert way() == str(sudo) and way(":0") == str(pkexec)
    sudo.chmod(0o4777)  # which anybody could have changed
    pkexec.chmod(0o755)  # which is not root's when it runs
    assert way() == way(":0") == ""
    assert privilege.way() == "" and privilege.can_be_root()  # root needs none
    order = elevate.Order(str(sudo), b"{}", b"{}")
    assert order.sent(may_ask=False)._words()[:4] == [str(sudo), "-k", "-n", "--"]
    assert elevate.Order(str(pkexec), b"{}", b"{}").sent(may_ask=True)._words()[1:4] == [os.path.realpath(sys.executable), "-I", "-S"]


# --- the whole way, by the system's own sudo ----------------------------------------------------------------------------


def _users(folder: Path, rule: str) -> None:
    """Put users and a rule for sudo of the test's own over the system's, in a mount namespace of its own."""
    namespaces.unshare(namespaces.NEW_MOUNTS)
    namespaces.set_attributes("/", propagation=namespaces.PRIVATE)
    root = "root:x:0:0:root:/root:/bin/sh\n"
    files = {
        "/etc/passwd": (root + f"ann:x:{ANN}:{ANN}::{folder}/home:/bin/sh\n", 0o644),
        "/etc/group": (f"root:x:0:\nann:x:{ANN}:\n", 0o644),
        "/etc/shadow": (f"root:*:19000:0:99999:7:::\nann:{PASSWORD_HASH}:19000:0:99999:7:::\n", 0o600),
        "/etc/sudoers": (f"Defaults env_reset\nDefaults use_pty\n{rule}\n", 0o440),
    }
    for number, (place, (text, mode)) in enumerate(files.items()):
        mine = folder / str(number)
        mine.write_text(text)
        mine.chmod(mode)
        namespaces.attach(namespaces.copy_tree(str(mine)), place)


def _as_ann(folder: Path, rule: str, function: Callable[[], Any]) -> Any:
    """Run a function as an ordinary user to whom sudoers says `rule`."""
    skip_where_others_own_the_code()
    home = folder / "home"
    home.mkdir(exist_ok=True)
    os.chown(home, ANN, ANN)
    for parent in (folder, *folder.parents):
        if parent.stat().st_mode & 0o011 != 0o011:
            parent.chmod(parent.stat().st_mode | 0o011)

    def in_a_world_of_its_own() -> Any:
        _users(folder, rule)
        privilege.folders = FOLDERS
        os.environ.clear()
        os.environ.update(HOME=str(home), PATH="/usr/bin:/bin")
        came = in_child(function, user=ANN)
        assert came.done, came
        return came.value

    came = in_child(in_a_world_of_its_own)
    assert came.done, came
    return came.value


@pytest.mark.skipif(not Path("/usr/bin/sudo").exists(), reason="sudo is not installed here")
def test_sudo_starts_it_for_an_ordinary_user_after_it_was_approved_and_undo_does_too(tmp_path: Path) -> None:
    from nlsh.guard import policy
    from nlsh.guard.sandbox.zygote import Zygote
    from nlsh.journal.audit import Audit
    from nlsh.journal.store import Journal
    from nlsh.kernel.kernel import Kernel
    from nlsh.plan import registry
    from nlsh.shell.preview import preview_lines
    from nlsh.shell.show import Look
    from nlsh.world import World

    home = tmp_path / "home"
    home.mkdir()
    file = home / "notes.txt"
    file.write_text("n")

    def whole_way() -> dict[str, Any]:
        if not privilege.way():
            return {"skip": "nothing here may get more rights than it has"}
        zygote, journal, said = Zygote.start(), Journal(), []
        try:

            def run(text: str, agrees: Callable[[Any], bool]) -> str:
                kernel = Kernel(policy.load(), zygote, journal, Audit(), World(), approve=lambda preview, decision: agrees(preview))
                preview = kernel.preview(registry.parse(text))
                said.extend(preview_lines(preview, Look(False)))
                outcome = kernel.run(preview)
                said.extend(str(e) for e in outcome.errors)
                return outcome.status

            found = {"no": (run('file.chown("~/notes.txt", owner="ann")', lambda preview: False), os.stat(file).st_uid)}
            # Of a plan of several calls, what is done as root is agreed to by itself.
            two = 'folder.create("~/new"); file.chown("~/notes.txt", owner="ann")'
            found["part"] = (run(two, lambda preview: len(preview.calls) == 2), os.path.exists(home / "new"))
            found["yes"] = (run('file.chown("~/notes.txt", owner="ann")', lambda preview: True), os.stat(file).st_uid)
            if found["yes"][0] == "done":
                found["undo"] = (run("history.undo()", lambda preview: True), os.stat(file).st_uid)
            return {**found, "said": "\n".join(said), "log": Audit().entries(keep=lambda entry: "root" in entry)}
        finally:
            zygote.close()
            journal.close()

    found = _as_ann(tmp_path, "ann ALL=(root) NOPASSWD: ALL", whole_way)
    if "skip" in found:
        pytest.skip(found["skip"])
    assert found["no"] == ("denied", 0) and found["part"] == ("denied", False)
    assert found["yes"] == ("done", ANN)
    assert found["undo"] == ("done", 0)
    assert "This needs root. sudo starts one process as root" in found["said"] and "the right to change owners" in found["said"]
    ordered, done = sorted((e for e in found["log"] if e["run"] == 1), key=lambda entry: "outcome" in entry)
    assert ordered["decision"] == "allow" and ordered["who"] == "user" and ordered["root"][0]["by"].endswith("/sudo") and len(ordered["root"][0]["does"]) == 64
    assert done["outcome"] == "done" and done["root"][0]["rights"] == ["chown", "dac_read_search"] and done["root"][0]["level"] in ("L1", "L2", "L3")
    refused = _as_ann(tmp_path, "root ALL=(ALL) ALL", whole_way)
    assert refused["yes"] == ("denied", 0) and "sudo did not let nlsh do this as root" in refused["said"]


@pytest.mark.skipif(not Path("/usr/bin/sudo").exists(), reason="sudo is not installed here")
@pytest.mark.parametrize("typed", [PASSWORD, "wrong"])
def test_sudo_asks_on_the_terminal_for_each_order_and_a_wrong_password_changes_nothing(tmp_path: Path, typed: str) -> None:
    (tmp_path / "home").mkdir()
    file = tmp_path / "home" / "notes.txt"
    file.write_text("n")
    step = ownership(file, ANN)
    may, does = frames(step)

    def order() -> None:
        from nlsh.guard.sandbox.zygote import Zygote

        zygote = Zygote.start()
        sent = elevate.Order("/usr/bin/sudo", may, does).sent(may_ask=True)
        try:
            for message in zygote.run({"steps": [step.as_data()]}, via=sent):
                os.write(1, f"MESSAGE {message['type']}\n".encode())
        except NlshError as error:
            os.write(1, f"MESSAGE {error.code}\n".encode())

    def at_a_terminal() -> Any:
        if not privilege.way():
            return None
        pid, terminal = pty.fork()
        if pid == 0:
            try:
                order()
            finally:
                os._exit(0)
        said, asked = "", 0
        while True:
            try:
                said += os.read(terminal, 4096).decode(errors="replace")
            except OSError:
                break
            while said.count("Password of ann: ") > asked:
                asked += 1
                os.write(terminal, typed.encode() + b"\n")
        os.waitpid(pid, 0)
        return asked, [line.split()[1] for line in said.splitlines() if line.startswith("MESSAGE ")], said

    came = _as_ann(tmp_path, "Defaults passwd_tries=1\nann ALL=(root) ALL", at_a_terminal)
    if came is None:
        pytest.skip("nothing here may get more rights than it has")
    if typed == PASSWORD:
        assert came[:2] == (1, ["start", "done"]) and file.stat().st_uid == ANN, came
    else:
        assert came[:2] == (1, ["guard.not-root"]) and file.stat().st_uid == 0, came
