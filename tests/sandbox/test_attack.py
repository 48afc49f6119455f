"""Attacks that once worked, on the whole way from a plan to the kernel. Each is paired with an allowed control that proves the attempt."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import io
import json
import os
import socket
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from nlsh.actions.shell._reading import only_reads
from nlsh.guard import policy
from nlsh.guard.grant import Grant
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.journal.audit import Audit
from nlsh.journal.store import Journal
from nlsh.kernel.kernel import Kernel
from nlsh.kernel.outcome import Outcome
from nlsh.plan import registry
from nlsh.plan.effects import Effect
from nlsh.plan.errors import BadPlan, Denied, JournalError, NlshError, NotPossible, SettingsError, StaleStep
from nlsh.plan.plan import Call, Plan, Preview, PreviewedCall
from nlsh.shell.commands.registered import plan_from_text
from nlsh.shell.line.builtins import Words
from nlsh.shell.show import escape, place
from nlsh.steps.archives import CreateArchive
from nlsh.steps.command import ReadCommand, RunCommand
from nlsh.world import World
from nlsh.world.archives import checked, members, opened
from nlsh.world.files import identify
from tests.sandbox.conftest import NOBODY, Came, changing, give_to_nobody, in_child, last_of, reading, run_steps, typed

_libc = ctypes.CDLL(None, use_errno=True)
_REMOVE = 0


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _decided(*effects: tuple[str, object], allow: tuple[str, ...] = ()) -> tuple[str, str]:
    found = tuple(Effect(kind, str(target)) for kind, target in effects)
    call = Call("file.test")
    decision = policy.load().with_session(allow).decide(Preview(Plan((call,)), (PreviewedCall(call, (), found),)))
    return decision.answer, decision.rule


@pytest.fixture
def kernel(zygote: Zygote, home: Path, tmp_path: Path) -> Iterator[Kernel]:
    """A kernel to which the user says yes to whatever is asked."""
    journal = Journal()
    yield Kernel(policy.load(), zygote, journal, Audit(), World(), approve=lambda preview, decision: True)
    journal.close()


def _run(kernel: Kernel, plan: str) -> Outcome:
    return kernel.run(kernel.preview(registry.parse(plan)))


# --- what the kernel was thought to stop --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["memory", "semaphores", "queue"])
def test_system_v_objects_are_not_removed_by_their_number(home: Path, kind: str) -> None:
    made = {
        "memory": lambda: _checked(_libc.shmget(0, 4096, 0o1600)),
        "semaphores": lambda: _checked(_libc.semget(0, 1, 0o1600)),
        "queue": lambda: _checked(_libc.msgget(0, 0o1600)),
    }[kind]
    remove = {
        "memory": lambda number: _checked(_libc.shmctl(number, _REMOVE, None)),
        "semaphores": lambda number: _checked(_libc.semctl(number, 0, _REMOVE, 0)),
        "queue": lambda number: _checked(_libc.msgctl(number, _REMOVE, None)),
    }[kind]
    number = made()
    try:
        for grant in (reading(), changing(home / "x" if (home / "x").mkdir() is None else home), typed(("fs.read", home))):
            came = in_child(lambda: remove(number), grant=grant)
            assert came.errno in (errno.EPERM, errno.EKEYREJECTED), came
    finally:
        assert in_child(lambda: remove(number)).done


def test_a_pair_of_sockets_does_not_reach_others(home: Path) -> None:
    # A path may have 108 bytes at most.
    path = f"/tmp/nlsh-attack-{os.getpid()}.sock"

    def send() -> int:
        one, _other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        return one.sendto(b"hello", path)

    def pair() -> bytes:
        one, other = socket.socketpair()
        one.send(b"x")
        return other.recv(1)

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        try:
            assert in_child(send).done
            for grant in (reading(), typed(("fs.read", home))):
                assert in_child(send, grant=grant).errno in (errno.EACCES, errno.EKEYREJECTED)
                assert in_child(pair, grant=grant) == Came(b"x")
        finally:
            os.unlink(path)


# FS_IOC_SETVERSION, ENABLE_VERITY, SET_ENCRYPTION_POLICY, BTRFS_IOC_SUBVOL_CREATE, FAT_IOCTL_SET_ATTRIBUTES, OCFS2_IOC_REFLINK: on a descriptor for reading.
@pytest.mark.parametrize("number", [0x40087602, 0x40806685, 0x800C6613, 0x5000940E, 0x40047211, 0x40186F04])
def test_nothing_is_changed_through_a_descriptor_for_reading(home: Path, number: int) -> None:
    (home / "file").write_text("x")

    def ask(wanted: int) -> None:
        with open(home / "file", "rb") as file:
            fcntl.ioctl(file, wanted, bytearray(8192))

    outside, inside = in_child(lambda: ask(number)), in_child(lambda: ask(number), grant=reading())
    assert outside.errno != errno.EPERM  # this file system does it, or does not know it
    assert inside.errno == errno.EPERM
    # FIGETBSZ stays.
    assert in_child(lambda: ask(2), grant=reading()).errno == in_child(lambda: ask(2)).errno


# --- speaking for the worker --------------------------------------------------------------------------------------------

_FORGED = json.dumps({"type": "records", "step": 0, "records": [{"record": "Line", "text": "forged", "number": 1}]})


def _said(messages: list[dict[str, object]]) -> str:
    return json.dumps(messages)


def test_a_command_cannot_speak_for_its_worker(zygote: Zygote, home: Path) -> None:
    command = f"echo '{_FORGED}' > /proc/$PPID/fd/3; exit 7"
    for step in (ReadCommand(command, str(home)), RunCommand(command, str(_folder(home)))):
        messages = run_steps(zygote, step)
        assert last_of(messages)["status"] == 7, messages
        assert "forged" not in _said(messages)
    # The same words reach a descriptor of the command's own.
    reader, writer = os.pipe()
    run_steps(zygote, ReadCommand(f"echo '{_FORGED}' > /proc/$$/fd/1", str(home)), stdio=(0, writer, writer))
    os.close(writer)
    assert b"forged" in os.read(reader, 4096)
    os.close(reader)


def _folder(home: Path) -> Path:
    (home / "folder").mkdir(exist_ok=True)
    return home / "folder"


def test_garbage_from_a_worker_breaks_nothing() -> None:
    from nlsh.guard.sandbox.zygote import _lines

    reader, writer = os.pipe()
    good = b'{"type":"done","step":0,"status":null}\n'
    os.write(writer, b'garbage\n[1]\n{"type":"done"}\n{"type":"done","step":[]}\n{"type":"exit"}\n\xff\n' + good)
    os.close(writer)
    assert list(_lines(reader)) == [json.loads(good)]
    os.close(reader)


@pytest.mark.parametrize("command", ["echo \"it's $(touch x) it's\"", "echo \"'$(ipcrm -a)'\"", "echo \"'`touch x`'\"", "echo \\\"'$(rm x)'\\\" \"'$(rm x)'\""])
def test_a_quote_within_quotes_hides_no_substitution(command: str) -> None:
    assert not only_reads(command)
    for harmless in ("echo 'it is $(not run)'", "echo \"it's\" 'a $(b) c'", "grep 'a\"b' notes", "awk '{print $1}' notes"):
        assert only_reads(harmless), harmless


def test_a_command_of_an_ordinary_user_runs_and_sees_its_own_descriptors(home: Path, tmp_path: Path) -> None:
    give_to_nobody(tmp_path)

    def run() -> list[dict[str, object]]:
        zygote = Zygote.start()
        reader, writer = os.pipe()
        os.write(writer, b"in")
        os.close(writer)
        try:
            found = [last_of(run_steps(zygote, ReadCommand(c, str(home)), stdio=(reader, 1, 2))) for c in ("cat /dev/stdin", "ls /proc/$PPID/fd")]
        finally:
            zygote.close()
        return found

    came = in_child(run, user=NOBODY if os.geteuid() == 0 else None)
    assert came.done, came
    own, of_the_worker = came.value
    assert own["type"] == "done" and of_the_worker["type"] == "failed", came


# --- the folder of a command --------------------------------------------------------------------------------------------


def test_a_link_in_the_place_of_its_folder_gives_a_command_nothing(home: Path, zygote: Zygote) -> None:
    (home / "elsewhere").mkdir()
    (home / "project").symlink_to(home / "elsewhere")
    with pytest.raises(Denied):
        Grant.of(RunCommand("touch ../evil", str(home / "project")).effects())
    with pytest.raises(Denied):
        Grant.of(RunCommand("touch ../evil", str(home / "gone")).effects())
    assert Grant.of(RunCommand("x", str(home / "elsewhere")).effects()).change == (str(home / "elsewhere"),)


def test_a_plan_cannot_put_a_link_in_the_place_of_its_command_s_folder(kernel: Kernel, home: Path) -> None:
    (home / "project").mkdir()
    (home / "elsewhere").mkdir()
    (home / "way").symlink_to(home / "elsewhere")
    own = home / ".config" / "nlsh" / "policy.toml"
    own.parent.mkdir(parents=True)
    own.write_text("# mine\n")
    os.chdir(home / "project")
    kernel.world = World()
    attack = f'file.move("{home}/project", to="{home}/moved")\nfile.copy("{home}/way", to="{home}/project")\nshell.run("echo > ../.config/nlsh/policy.toml")'
    try:
        outcome = _run(kernel, attack)
    except NlshError:
        pass
    else:
        assert outcome.status != "done", outcome
    assert own.read_text() == "# mine\n"
    # The control: the same command, in the folder that was shown, may change what is in there.
    os.chdir(home / "elsewhere")
    kernel.world = World()
    assert _run(kernel, 'shell.run("echo > made")').status == "done"
    assert (home / "elsewhere" / "made").exists()


def test_a_command_is_not_run_where_a_link_leads(zygote: Zygote, home: Path) -> None:
    (home / "elsewhere").mkdir()
    (home / "way").symlink_to(home / "elsewhere")
    assert last_of(run_steps(zygote, ReadCommand("true", str(home / "way"))))["type"] == "failed"
    assert last_of(run_steps(zygote, ReadCommand("true", str(home / "elsewhere"))))["type"] == "done"


# --- around ask and deny ------------------------------------------------------------------------------------------------


def test_a_secret_is_not_carried_away_with_its_folder(kernel: Kernel, home: Path) -> None:
    (home / ".cargo").mkdir()
    (home / ".cargo" / "config.toml").write_text("")
    assert _decided(("fs.delete", home / ".cargo"))[0] == "ask"
    (home / ".cargo" / "credentials.toml").write_text("TOKEN")
    assert _decided(("fs.delete", home / ".cargo")) == ("deny", "secrets")
    outcome = _run(kernel, 'file.move("~/.cargo", to="~/open")')
    assert outcome.status == "denied"
    assert (home / ".cargo" / "credentials.toml").exists()
    assert _run(kernel, 'file.move("~/.cargo/config.toml", to="~/open.toml")').status == "done"


def test_a_denied_path_is_not_reached_by_the_folder_around_it(home: Path) -> None:
    _user_policy(home, 'answer = "deny"\neffect = ["fs.delete", "fs.write"]\ntarget = ["~/work/keep"]')
    (home / "work" / "keep").mkdir(parents=True)
    (home / "other").mkdir()
    for kind in ("fs.delete", "fs.write"):  # to write a folder that is there is to write anything in it: a raw command
        assert _decided((kind, home / "work"))[0] == "deny"
        assert _decided((kind, home / "other"))[0] == "ask"
    assert _decided(("fs.write", home / "work" / "new.txt"))[0] == "ask"


def _user_policy(home: Path, rule: str) -> None:
    path = home / ".config" / "nlsh" / "policy.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"[[rule]]\n{rule}\n")


def test_a_home_behind_a_link_is_the_same_home(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    way = tmp_path / "way-home"
    way.symlink_to(home)
    _user_policy(home, 'answer = "deny"\neffect = ["fs.delete"]\ntarget = ["~/keep", "~/logs/*.log"]')
    monkeypatch.setenv("HOME", str(way))
    for target in (way, home, home.parent):
        assert _decided(("fs.meta", target)) == ("deny", "roots")
    for base in (way, home):
        assert _decided(("fs.delete", base / "keep" / "x"))[0] == "deny"
        assert _decided(("fs.delete", base / "logs" / "x.log"))[0] == "deny"
        assert _decided(("fs.delete", base / "free"))[0] == "ask"


def test_a_denied_link_is_denied_by_where_it_leads_and_an_allowed_one_is_not(home: Path) -> None:
    (home / "docs").mkdir()
    (home / "way").symlink_to(home / "docs")
    _user_policy(home, 'answer = "deny"\neffect = ["fs.delete"]\ntarget = ["~/way"]\n[[rule]]\nanswer = "allow"\neffect = ["fs.write"]\ntarget = ["~/way"]')
    assert _decided(("fs.delete", home / "docs" / "x"))[0] == "deny"
    assert _decided(("fs.delete", home / "x"))[0] == "ask"
    # A link made later must not widen what was allowed.
    assert _decided(("fs.write", home / "docs" / "x"))[0] == "ask"


@pytest.mark.parametrize("written", ["fs.write:", "fs.write:=", "fs.write: ", "exec:"])
def test_an_empty_target_is_not_every_target(home: Path, written: str) -> None:
    with pytest.raises(SettingsError):
        _decided(("fs.write", home / "x"), allow=(written,))
    assert _decided(("fs.write", home / "x"), allow=("fs.write:~/x",))[0] == "allow"


def test_what_policy_forbids_to_read_is_not_read_by_who_reads_around_it(home: Path, zygote: Zygote) -> None:
    for name in ("private", "open"):
        (home / "notes" / name).mkdir(parents=True)
        (home / "notes" / name / "x.txt").write_text(f"needle in {name}")
    _user_policy(home, 'answer = "deny"\neffect = ["fs.read"]\ntarget = ["~/notes/private"]')
    journal = Journal()
    kernel = Kernel(policy.load(), zygote, journal, Audit(), World(), approve=lambda preview, decision: True)
    found = _run(kernel, 'text.search("needle", under="~/notes")')
    assert "needle in open" in str(found.records) and "needle in private" not in str(found.records), found
    assert _run(kernel, 'shell.run("cat notes/open/x.txt")').status == "done"
    assert _run(kernel, 'shell.run("cat notes/private/x.txt")').status == "failed"
    # To write there was not forbidden.
    (home / "new").mkdir()
    assert _run(kernel, 'file.move("new", to="notes/private/new")').status == "done"
    journal.close()


def test_a_project_s_rules_hold_once_one_stands_in_it(home: Path) -> None:
    (home / "project" / ".nlsh").mkdir(parents=True)
    (home / "project" / ".nlsh" / "policy.toml").write_text('[[rule]]\nanswer = "deny"\neffect = ["fs.delete"]\n')
    call = Call("file.test")
    wanted = Preview(Plan((call,)), (PreviewedCall(call, (), (Effect("fs.delete", str(home / "x")),)),))
    start = policy.load().with_session(["fs.write:~/x"])
    assert start.decide(wanted).answer == "ask"
    os.chdir(home / "project")
    assert start.renewed().decide(wanted).answer == "deny"
    os.chdir(home)
    assert start.renewed().decide(wanted).answer == "ask"
    assert start.renewed().rules == start.rules


def test_the_shell_s_cd_takes_up_a_project_s_rules(home: Path, kernel: Kernel) -> None:
    session = SimpleNamespace(policy=kernel.policy, kernel=kernel, say=lambda *lines: None)
    words = Words(session)  # type: ignore[arg-type]
    for name, text in (("project", '[[rule]]\nanswer = "deny"\neffect = ["fs.delete"]\n'), ("broken", "not toml")):
        (home / name / ".nlsh").mkdir(parents=True)
        (home / name / ".nlsh" / "policy.toml").write_text(text)
        (home / name / "file").write_text("x")
    with pytest.raises(SettingsError):
        words.handle("cd broken")
    assert os.getcwd() == str(home)
    assert words.handle("cd project") == 0
    assert _run(kernel, 'file.move("file", to="other")').status == "denied"
    assert words.handle("cd ..") == 0
    assert _run(kernel, 'file.move("project/file", to="other")').status == "done"


def test_secrets_of_a_moved_configuration_are_secret(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _decided(("fs.read", tmp_path / "config" / "gh" / "hosts.yml"))[0] == "allow"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert _decided(("fs.read", tmp_path / "config" / "gh" / "hosts.yml")) == ("deny", "secrets")
    assert _decided(("fs.read", tmp_path / "config" / "other"))[0] == "allow"


# --- what lies in the working directory ---------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["pipe", "device", "big"])
def test_a_project_s_policy_that_is_no_file_does_not_keep_nlsh(home: Path, what: str) -> None:
    (home / ".nlsh").mkdir()
    path = home / ".nlsh" / "policy.toml"
    if what == "pipe":
        os.mkfifo(path)
    elif what == "device":
        path.symlink_to("/dev/zero")
    else:
        path.write_bytes(b"#" * (2 << 20))
    script = "from nlsh.guard import policy\nfrom nlsh.plan.errors import SettingsError\ntry: policy.load()\nexcept SettingsError: print('refused')\n"
    limits = "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
    where = {**os.environ, "PYTHONPATH": str(Path(policy.__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", limits + script], capture_output=True, text=True, timeout=60, env=where, check=False)
    assert done.stdout == "refused\n", done.stderr
    path.unlink()
    path.write_text("")
    assert policy.load().rules


# --- archives -----------------------------------------------------------------------------------------------------------


def _tar_with_header(path: Path, kind: bytes, amount: int) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = kind, amount
    with tarfile.open(path, "w:gz") as tarred:
        tarred.fileobj.write(header.tobuf(tarfile.GNU_FORMAT))  # type: ignore[union-attr]
        for _ in range(amount >> 20):
            tarred.fileobj.write(bytes(1 << 20))  # type: ignore[union-attr]
        tarred.offset = 0


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
def test_a_tar_s_names_do_not_fill_the_memory(tmp_path: Path, kind: bytes) -> None:
    _tar_with_header(tmp_path / "bomb.tar.gz", kind, 64 << 20)
    with pytest.raises(NotPossible, match="bytes"):
        checked(str(tmp_path / "bomb.tar.gz"), 1 << 40)
    # Names as long as a file system knows them, and attributes, are read.
    long = "/".join(["d" * 200] * 15)
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        with tarfile.open(tmp_path / "good.tar.gz", "w:gz", format=form) as tarred:
            tarred.addfile(tarfile.TarInfo(long), io.BytesIO(b""))
        with open(tmp_path / "good.tar.gz", "rb") as file, opened(file, "good") as archive:
            assert [e.path for e in members(archive)] == [long]


def test_a_pipe_called_an_archive_keeps_nobody_waiting(kernel: Kernel, home: Path) -> None:
    os.mkfifo(home / "pipe.zip")
    for plan in ('archive.extract("pipe.zip")', 'archive.list("pipe.zip")'):
        try:
            assert _run(kernel, plan).status == "failed"
        except NotPossible:
            continue


def test_undo_removes_no_other_thing_of_the_archive_s_name_and_time(home: Path) -> None:
    (home / "a").write_text("a")
    made = CreateArchive(((str(home / "a"), "a", identify(str(home / "a"))),), str(home / "a.tar"), "tar", 10**18)
    made.apply()
    (home / "a.tar").rename(home / "kept.tar")
    (home / "a.tar").symlink_to(home / "a")
    os.utime(home / "a.tar", ns=(10**18, 10**18), follow_symlinks=False)
    back = made.inverse()
    for do in (back.check, back.apply):
        with pytest.raises(StaleStep):
            do()
    (home / "a.tar").unlink()
    (home / "kept.tar").rename(home / "a.tar")
    back.check()
    back.apply()
    assert not (home / "a.tar").exists()


# --- the front process --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [f"file.find(limit=0x{'f' * 50_000})", f"file.find(named={'+'.join(['a'] * 2500)})", f"file.find(named=-{'a.' * 2500}b)", f"a{'.b' * 5000}(1)"],
    ids=["number", "sum", "attribute", "name"],
)
def test_no_plan_text_breaks_the_parser(text: str) -> None:
    with pytest.raises(BadPlan):
        registry.parse(text)


@pytest.mark.parametrize("text", ['{"preview": 3}', '{"preview": {}}', '[{"action": "file.list", "args": {}, "result": [1]}]', "[[1]]", '[{"args": 1}]'])
def test_no_plan_data_breaks_the_reader(text: str) -> None:
    with pytest.raises(BadPlan):
        plan_from_text(text)
    assert plan_from_text('[{"action": "file.list", "args": {}, "result": "a"}]') == plan_from_text('{"preview": {"plan": "a = file.list()"}}')


@pytest.mark.parametrize("column, value", [("cwd", "not json"), ("owner", "nonsense"), ("cwd", "[" * 5000)])
def test_a_journal_row_changed_by_hand_is_an_error_and_no_crash(kernel: Kernel, home: Path, column: str, value: str) -> None:
    import sqlite3

    (home / "a").write_text("a")
    assert _run(kernel, 'file.move("a", to="b")').status == "done"
    with sqlite3.connect(kernel.journal.path) as db:
        db.execute(f"UPDATE runs SET status='running', {column}=?", (value,))
    db.close()
    if column == "cwd":
        with pytest.raises(JournalError):
            kernel.preview(registry.parse("history.undo()"))
    else:  # whose process cannot be known is not running
        assert _run(kernel, "history.undo()").status == "done"
        assert (home / "a").exists()


# --- a false picture ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("blank", ["\u3164", "\u115f", "\u2800", "\u034f", "\ufe0f", "\U000e0101"])
def test_what_cannot_be_seen_in_a_name_is_shown(blank: str) -> None:
    assert blank not in escape(f"report{blank}.pdf")
    assert escape("报告 é 📄 한글.pdf") == "报告 é 📄 한글.pdf"


def test_a_name_does_not_begin_a_line_by_its_spaces() -> None:
    assert "   " not in place("/srv/a" + " " * 70 + "effects: none")
    assert place("/srv/a b  c") == "/srv/a b  c"
