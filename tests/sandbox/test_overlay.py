"""Commands on a copy: what they would change is told as it is, keeping gives what a plain shell gives, undo gives back what was there, to the nanosecond."""

from __future__ import annotations

import codecs
import importlib
import os
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nlsh.guard.sandbox import namespaces, overlay, view
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.plan import registry
from nlsh.plan.errors import NlshError, Refused, StaleStep
from nlsh.settings import tried_dir
from nlsh.steps.command import RunCommand
from nlsh.steps.keeping import SetAttributes
from tests.sandbox.conftest import NOBODY, give_to_nobody, in_child, last_of, run_steps
from tests.sandbox.trials import Bench, Tree, needs_views, tree

OLD = 1_500_000_000_123_456_789


@pytest.fixture
def bench(home: Path, zygote: Zygote) -> Iterator[Bench]:
    needs_views()
    folder = home / "work"
    folder.mkdir()
    fill(folder)
    made = Bench(folder, zygote)
    yield made
    made.drop()
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)


def fill(folder: Path) -> None:
    (folder / "build" / "deep").mkdir(parents=True)
    for name, text in (
        ("a.txt", "one\ntwo\n"),
        ("b.txt", "b\n"),
        ("build/x.o", "x" * 5000),
        ("build/deep/y.o", "y"),
        ("文件 with\nline", "odd\n"),
        ("-n", "dash\n"),
    ):
        (folder / name).write_text(text)
    with open(os.path.join(os.fsencode(folder), b"not-\xff-utf8"), "w") as file:
        file.write("bytes\n")
    (folder / "link").symlink_to("a.txt")
    (folder / "dangling").symlink_to("nowhere")
    (folder / "one").write_text("linked\n")
    os.link(folder / "one", folder / "two")
    os.mkfifo(folder / "pipe")
    (folder / "main.c").write_text("int main(void){return 0;}\n")
    (folder / "empty").mkdir()
    for path in sorted(folder.rglob("*"), reverse=True):
        os.utime(path, ns=(OLD, OLD), follow_symlinks=False)
    os.utime(folder, ns=(OLD, OLD))


COMMANDS = {
    "rm -rf": "rm -rf build && rm a.txt -- -n && rm not-*",
    "rm everything": "rm -rf ./* && ls -A",
    "replace a folder": "rm -rf build && mkdir build && echo new > build/new && echo y > build/deep",
    "sed -i": "sed -i s/one/ONE/ a.txt main.c && sed -i s/x/z/ build/x.o",
    "append and truncate": "echo more >> a.txt; : > b.txt; truncate -s 3 main.c",
    "tar": "tar cf t.tar build a.txt one two pipe && mkdir out && tar xf t.tar -C out",
    "cp -a": "cp -a build build2 && cp -a link dangling pipe one two empty/ && cp b.txt a.txt",
    "mv a folder that was there": "mv build moved && mv a.txt moved/deep/ && mv moved/x.o x.o",
    "mv over": "mv b.txt a.txt && mv main.c 'with space' && mv empty elsewhere",
    "links": "ln a.txt hard && ln -sf b.txt link && ln one three && rm two && ln -s /etc/hostname out",
    "in place through a hard link": "echo more >> one",
    "chmod": "chmod 600 a.txt build/x.o && chmod 500 build && chmod 711 empty && chmod 000 b.txt",
    "closed folders": "mkdir -p c/d && echo 1 > c/d/f && chmod 000 c/d && mkdir e && chmod 300 e && chmod 100 build/deep",
    "writable for a while": "chmod 700 build && rm build/x.o && echo > build/n && chmod 555 build",
    "file to folder and back": "rm a.txt && mkdir a.txt && echo x > a.txt/x && rm -rf build && echo file > build && rm link && mkdir link",
    "fifo": "mkfifo p2 && rm pipe && echo text > pipe && chmod 600 p2",
    "odd names": "echo x >> '文件 with\nline' && mkdir \"$(printf 'n\\nl')\" && echo > \"$(printf 'n\\nl')/-rf\" && mv -- -n \"$(printf '\\377\\376')\"",
    "touch": "touch -d '2001-02-03 04:05:06' a.txt build empty link",
    "big and sparse": "truncate -s 3G sparse && dd if=/dev/zero of=big bs=1M count=20 status=none && printf end >> sparse",
    "fails half way": "echo half > new; rm b.txt; false",
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_kept_is_what_sh_does_and_undo_is_what_was(bench: Bench, tmp_path: Path, command: str) -> None:
    (bench.folder / "build").chmod(0o555) if "for a while" in command else None
    twin = tmp_path / "twin"
    subprocess.run(["cp", "-a", str(bench.folder), str(twin)], check=True)
    before = tree(bench.folder)
    status = subprocess.run(["/bin/sh", "-c", command], cwd=twin, check=False, capture_output=True).returncode
    tried = bench.try_(command)
    assert (tried.command_status or 0) == status
    assert tree(bench.folder) == before
    kept = bench.keep()
    assert kept.status == "done", kept.errors
    wanted = tree(twin, times=False)
    if command == COMMANDS["in place through a hard link"]:
        wanted["two"] = tree(bench.folder, times=False)["two"]  # the other name keeps the old content, and that is said
        wanted["one"] = (*wanted["one"][:4], "", ())
        assert "its other names keep the old one" in bench.found().changes[0].note or bench.found().changes
        assert (bench.folder / "two").read_text() == "linked\n"
    assert named_alike(tree(bench.folder, times=False), wanted)
    bench.drop()
    undone = bench.undo()
    assert undone.status == "done", undone.errors
    assert tree(bench.folder) == before
    # And once more forwards, in another session.
    assert bench.undo(undone.run_id).status == "done"
    assert named_alike(tree(bench.folder, times=False), wanted)


def named_alike(found: Tree, wanted: Tree) -> bool:
    assert found.keys() == wanted.keys()
    for name, (kind, mode, _, inside, same, extended) in found.items():
        assert (kind, mode, inside, same, extended) == (wanted[name][0], wanted[name][1], *wanted[name][3:]), name
    return True


def have(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"there is no {program} here")


def kept_and_undone(bench: Bench, command: str) -> None:
    before = tree(bench.folder)
    tried = bench.try_(command)
    assert tried.status == "done", tried.errors
    assert tree(bench.folder) == before
    assert bench.keep().status == "done"
    after = tree(bench.folder)
    assert after != before
    undone = bench.undo()
    assert undone.status == "done", undone.errors
    assert tree(bench.folder) == before
    assert bench.undo(undone.run_id).status == "done"  # done again
    assert {k: (*v[:2], *v[3:]) for k, v in tree(bench.folder).items()} == {k: (*v[:2], *v[3:]) for k, v in after.items()}


def test_git(bench: Bench) -> None:
    have("git")
    who = "git -c user.name=a -c user.email=a@b"
    kept_and_undone(bench, f"git init -q . && git add a.txt && {who} commit -qm one && echo x >> a.txt && {who} commit -qam two && git gc -q")
    assert subprocess.run(["git", "log", "--oneline"], cwd=bench.folder, capture_output=True, check=True).stdout.count(b"\n") == 2
    assert subprocess.run(["git", "fsck"], cwd=bench.folder, capture_output=True, check=False).returncode == 0
    kept_and_undone(bench, "git reset -q --hard HEAD~1 && git checkout -q -b other")


def test_a_build(bench: Bench) -> None:
    have("gcc")
    kept_and_undone(bench, "gcc -c main.c -o main.o && gcc main.o -o main && ./main")
    assert subprocess.run([str(bench.folder / "main")], check=False).returncode == 0


def test_sqlite_with_a_write_ahead_log(bench: Bench) -> None:
    statements = ("PRAGMA journal_mode=WAL", "CREATE TABLE IF NOT EXISTS t(x)", "INSERT INTO t VALUES(1)")
    script = "import sqlite3;d=sqlite3.connect('d.db');" + "".join(f"d.execute('{s}');" for s in statements) + "d.commit()"
    command = f'{sys.executable} -c "{script}"'
    kept_and_undone(bench, command)
    kept_and_undone(bench, command)
    import sqlite3

    assert sqlite3.connect(bench.folder / "d.db").execute("SELECT count(*) FROM t").fetchone() == (2,)


def test_a_mapped_file(bench: Bench) -> None:
    script = "import mmap;f=open('build/x.o','r+b');m=mmap.mmap(f.fileno(),0);m[0:3]=b'NEW';m.flush()"
    kept_and_undone(bench, f'{sys.executable} -c "{script}"')
    assert (bench.folder / "build/x.o").read_bytes()[:4] == b"NEWx"


def test_extended_attributes(bench: Bench) -> None:
    os.setxattr(bench.folder / "b.txt", "user.old", b"1")
    os.setxattr(bench.folder / "build", "user.old", b"1")
    script = (
        "import os;os.setxattr('a.txt','user.tag',b'v');os.removexattr('b.txt','user.old');os.setxattr('build','user.old',b'2');"
        "os.setxattr('build','user.more',b'3');os.mkdir('n');os.setxattr('n','user.tag',bytes(range(256)))"
    )
    kept_and_undone(bench, f'{sys.executable} -c "{script}"')
    assert os.getxattr(bench.folder / "a.txt", "user.tag") == b"v" and os.getxattr(bench.folder / "build", "user.old") == b"2"
    assert not [k for p in bench.folder.rglob("*") if not p.is_symlink() for k in os.listxattr(p) if "overlay" in k]


def test_a_socket_file_stays_and_can_be_removed(bench: Bench) -> None:
    os.chdir(bench.folder)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("sock")
    kept_and_undone(bench, "rm sock && echo x > beside")
    listener.close()


# --- what is told ---------------------------------------------------------------------------------------------------


def told(bench: Bench, command: str) -> list[tuple[str, str]]:
    bench.try_(command)
    return [(c.kind, c.path) for c in bench.found().changes]


def test_every_change_is_told(bench: Bench) -> None:
    command = "rm -rf build; echo x >> a.txt; mkdir -p new/er; echo 1 > new/er/f; chmod 600 b.txt; mv main.c c.main"
    assert told(bench, command) == [
        ("changed", "a.txt"), ("attributes", "b.txt"), ("deleted", "build"), ("deleted", "build/deep"), ("deleted", "build/deep/y.o"),
        ("deleted", "build/x.o"), ("moved", "c.main"), ("created", "new"), ("created", "new/er"), ("created", "new/er/f"),
    ]  # fmt: skip
    sizes = {c.path: (c.before_bytes, c.after_bytes) for c in bench.found().changes}
    assert sizes["a.txt"] == (8, 10) and sizes["build/x.o"] == (5000, None) and sizes["new/er/f"] == (None, 2)


@pytest.mark.parametrize("command", ["cat a.txt > /dev/null", "echo same > t; rm t", "chmod 600 a.txt; chmod 644 a.txt", "touch -r a.txt b.txt", "true"])
def test_what_ends_as_it_was_is_no_change(bench: Bench, command: str) -> None:
    (bench.folder / "a.txt").chmod(0o644)
    assert told(bench, command) == []
    before = tree(bench.folder)
    assert bench.keep().status == "nothing"
    assert tree(bench.folder) == before


def test_a_replaced_folder_is_told_by_what_differs(bench: Bench) -> None:
    assert told(bench, "cp -a build b2 && rm -rf build && mv b2 build && rm build/x.o && echo n > build/n") == [
        ("created", "build/n"),
        ("deleted", "build/x.o"),
    ]


# --- what holds -----------------------------------------------------------------------------------------------------


def test_dropped_is_as_if_it_had_never_run(bench: Bench) -> None:
    before = tree(bench.folder)
    bench.try_(COMMANDS["rm everything"] + "; echo x > a.txt; mkfifo f; mkdir -p q/w; chmod 000 q")
    assert bench.found().changes
    bench.drop()
    assert tree(bench.folder) == before
    assert os.listdir(tried_dir()) == []


def test_nothing_else_can_be_changed_or_reached(bench: Bench, home: Path) -> None:
    (home / "beside").write_text("b")
    os.utime(home / "beside", ns=(OLD, OLD))
    for command in (f"echo x > {home}/beside", f"chmod 600 {home}/beside", f"touch {home}/new", f"ls {tried_dir()}", "kill -9 1 || kill -0 1"):
        assert bench.try_(f"{command} 2>/dev/null && test $$ != 2").command_status or command.startswith("kill"), command
    assert bench.try_("echo x > here").status == "done"  # the control
    status = (home / "beside").stat()
    assert (status.st_mtime_ns, (home / "beside").read_text()) == (OLD, "b") and not (home / "new").exists()


def test_it_has_no_network_and_its_own_processes(bench: Bench) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        script = f"import socket;socket.create_connection(('127.0.0.1',{listener.getsockname()[1]}),1)"
        assert bench.try_(f'{sys.executable} -c "{script}" 2>/dev/null').command_status == 1
    bench.try_("ls -d /proc/[0-9]* | wc -l > n; cp a.txt copy")
    bench.keep()
    assert int((bench.folder / "n").read_text()) < 10 and (bench.folder / "copy").exists()


def test_what_it_leaves_in_the_background_writes_nothing_afterwards(bench: Bench) -> None:
    bench.try_("(while :; do date +%N > ticking; done) & sleep 0.05; echo done > done")
    first = bench.found()
    size = os.stat(os.path.join(bench.layer.path, "upper", "ticking")).st_mtime_ns
    assert {c.path for c in first.changes} == {"done", "ticking"}
    assert bench.keep().status == "done"
    assert (bench.folder / "ticking").stat().st_mtime_ns == size


def test_somebody_elses_change_meanwhile_is_refused_and_not_lost(bench: Bench) -> None:
    for command, change in (
        ("echo mine >> a.txt", lambda: (bench.folder / "a.txt").write_text("theirs")),
        ("rm -rf build", lambda: (bench.folder / "build" / "precious").write_text("theirs")),
        ("rm -rf build", lambda: (bench.folder / "build/deep/y.o").write_text("theirs")),
        ("echo mine > fresh", lambda: (bench.folder / "fresh").write_text("theirs")),
        ("chmod 600 b.txt", lambda: (bench.folder / "b.txt").chmod(0o640)),
        ("mv main.c m.c", lambda: os.rename(bench.folder / "b.txt", bench.folder / "main.c")),
    ):
        bench.try_(command)
        change()
        with pytest.raises(StaleStep):
            bench.preview()
        theirs = tree(bench.folder)
        bench.drop()
        assert tree(bench.folder) == theirs


def test_a_change_between_the_question_and_the_answer_is_refused(bench: Bench) -> None:
    for command, name in (("echo mine >> a.txt", "a.txt"), ("echo mine > fresh", "fresh"), ("rm b.txt", "b.txt"), ("rm -rf build", "build/deep/y.o")):
        bench.try_(command)
        preview = bench.preview()
        (bench.folder / name).write_text("theirs")
        outcome = bench.keep(preview)
        assert outcome.status == "failed" and outcome.errors[0].code == "step.stale", outcome
        assert (bench.folder / name).read_text() == "theirs"


def test_a_change_after_keeping_makes_undo_refuse(bench: Bench) -> None:
    bench.try_("mkdir made && echo 1 > made/f && echo x >> a.txt && rm b.txt")
    assert bench.keep().status == "done"
    (bench.folder / "made" / "mine").write_text("mine")
    after = tree(bench.folder)
    with pytest.raises(Refused, match="changed since"):
        bench.undo()
    assert tree(bench.folder) == after
    (bench.folder / "made" / "mine").unlink()
    os.utime(bench.folder / "made", ns=(OLD, OLD))
    with pytest.raises(NlshError):
        (bench.folder / "a.txt").write_text("again")
        bench.undo()
    assert (bench.folder / "a.txt").read_text() == "again"


@pytest.mark.parametrize("when", ["before", "during"])
def test_a_folder_that_becomes_a_link_leads_nowhere(bench: Bench, home: Path, when: str) -> None:
    outside = home / "outside"
    outside.mkdir()
    (outside / "x.o").write_text("x" * 5000)
    os.utime(outside / "x.o", ns=(OLD, OLD))
    bench.try_("echo new > build/new; echo z >> build/x.o; rm build/deep/y.o")
    preview = bench.preview()
    before = tree(outside)

    def swap() -> None:
        os.rename(bench.folder / "build", bench.folder / "aside")
        os.symlink(outside, bench.folder / "build")

    if when == "before":
        swap()
    outcome = bench.keep(preview, during=swap if when == "during" else None)
    assert outcome.status in ("failed", "denied", "partly"), outcome
    assert tree(outside) == before
    assert (bench.folder / "aside" / "x.o").read_text() == "x" * 5000


def test_forged_marks_in_the_tree_are_no_orders(bench: Bench) -> None:
    os.setxattr(bench.folder / "build", "user.overlay.opaque", b"y")
    os.setxattr(bench.folder / "empty", "user.overlay.redirect", b"/etc")
    os.setxattr(bench.folder / "a.txt", "user.overlay.metacopy", b"")
    (bench.folder / "zero").touch()
    os.setxattr(bench.folder / "zero", "user.overlay.whiteout", b"y")
    if os.geteuid() == 0:
        os.mknod(bench.folder / "device", stat.S_IFCHR | 0o600, os.makedev(0, 0))
    before = tree(bench.folder)
    bench.try_("echo x >> a.txt; echo new > build/new; echo e > empty/e; ls; echo z >> zero || true")
    assert not [c for c in bench.found().changes if c.kind == "deleted"]
    assert bench.keep().status == "done"
    assert (bench.folder / "build" / "x.o").exists() and sorted(os.listdir(bench.folder / "empty")) == ["e"]
    assert bench.undo().status == "done"
    assert tree(bench.folder) == before


def test_a_command_cannot_write_marks_into_its_layer(bench: Bench) -> None:
    script = (
        "import os\nfor n,v in (('opaque',b'y'),('whiteout',b'y'),('redirect',b'/etc')):\n"
        "  for p in ('build','a.txt','empty'):\n    try: os.setxattr(p,'user.overlay.'+n,v)\n    except OSError: pass\n"
        "try: os.mknod('b.txt.gone',0o020600,0)\nexcept OSError: pass"
    )
    (bench.folder / "s.py").write_text(script)
    bench.try_(f"{sys.executable} s.py; echo 1 > done")
    assert [(c.kind, c.path) for c in bench.found().changes if c.kind in ("deleted", "created")] == [("created", "done")]


@pytest.mark.parametrize("place", ["data", "top"])
def test_what_undo_puts_back_is_not_forged_by_another_command(bench: Bench, zygote: Zygote, home: Path, place: str) -> None:
    """A command that runs where the old contents lie could otherwise write, by the user's own undo, where it may not."""
    bench.try_("echo kept > a.txt")
    assert bench.keep().status == "done" and bench.layer is not None
    around = Path(bench.layer.path).parents[1]
    (stored,) = (p for p in Path(bench.layer.path).rglob("*") if p.is_file() and p.read_text() == "one\ntwo\n")
    if place == "top":  # as where the folder lies on another mount
        around = home / "disk"
        stored = around / f".nlsh-{os.geteuid()}" / "layer" / "old"
        stored.parent.mkdir(parents=True)
        stored.write_text("one\ntwo\n")
    forge = f"touch -r '{stored}' t; printf 'bad\\ntwo\\n' > forged; echo control > beside; cat forged > '{stored}' && touch -r t '{stored}'"
    assert last_of(run_steps(zygote, RunCommand(forge, str(around))))["type"] != "done"
    assert (around / "beside").read_text() == "control\n" and stored.read_text() == "one\ntwo\n"
    assert bench.undo().status == "done" and (bench.folder / "a.txt").read_text() == "one\ntwo\n"


def test_setuid_is_never_kept(bench: Bench) -> None:
    bench.try_("cp /bin/true t; chmod u+s t || echo refused > said")
    assert (bench.keep().status, (bench.folder / "said").exists()) == ("done", True)
    assert not (bench.folder / "t").stat().st_mode & stat.S_ISUID
    with pytest.raises(Refused, match="setuid"):
        SetAttributes("/x", (1, 2, 3, 4), (0o100755, 3, ()), (0o104755, 3, ()))


def test_what_is_mounted_below_is_seen_and_stays_as_it_is(bench: Bench) -> None:
    if not namespaces.privileged():
        pytest.skip("to mount something takes root")
    place = bench.folder / "empty"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], check=True)
    try:
        (place / "inside").write_text("there")
        bench.try_("cat empty/inside > seen; echo x > empty/more; rm -rf empty")
        assert [(c.kind, c.path) for c in bench.found().changes] == [("created", "seen")]
        assert bench.keep().status == "done"
        assert (bench.folder / "seen").read_text() == "there" and os.listdir(place) == ["inside"]
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_folder_on_another_file_system_has_its_layer_there(bench: Bench, home: Path) -> None:
    if not namespaces.privileged():
        pytest.skip("to mount something takes root")
    place = home / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", str(place)], check=True)
    try:
        (place / "w").mkdir()
        (place / "w" / "a").write_text("a")
        for folder in (place / "w", place):
            other = Bench(folder, bench.kernel._zygote)
            before = tree(folder, only=lambda path: ".nlsh" not in path)
            tried = other.try_("echo x >> a; ls -A; touch .new")
            if tried.errors and tried.errors[0].code == overlay.CANNOT:
                pytest.skip(str(tried.errors[0]))
            assert other.layer.path.startswith(str(place / ".nlsh-"))
            assert other.keep().status == "done" and (folder / ".new").exists()
            assert other.undo().status == "done"
            assert tree(folder, only=lambda path: ".nlsh" not in path) == before
            other.drop()
    finally:
        os.chdir(bench.folder)
        subprocess.run(["umount", str(place)], check=True)


# --- layers ---------------------------------------------------------------------------------------------------------


def test_what_a_dead_process_left_is_swept_and_what_a_run_needs_is_not(bench: Bench) -> None:
    bench.try_("echo x > made; mkdir -p q/w; chmod 000 q")
    kept = bench.layer.path
    number = bench.keep().run_id
    bench.drop()
    pid = os.fork()
    if pid == 0:
        try:
            overlay.prepare(str(bench.folder), tried_dir())
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    living = overlay.prepare(str(bench.folder), tried_dir())
    assert len(os.listdir(tried_dir())) == 3
    overlay.sweep(tried_dir(), is_needed=lambda run: run == number)
    assert sorted(os.listdir(tried_dir())) == sorted(os.path.basename(p) for p in (kept, living.path))
    living.close()
    overlay.sweep(tried_dir(), is_needed=lambda run: False)
    assert os.listdir(tried_dir()) == []
    assert (bench.folder / "made").exists()


def test_a_planted_pointer_sweeps_nothing_of_others(home: Path) -> None:
    victim = home / ".nlsh-precious" / "1-abc"
    victim.mkdir(parents=True)
    shared = home / f".nlsh-{os.geteuid()}" / "1-abc"
    shared.mkdir(parents=True)
    shared.parent.chmod(0o777)
    tried_dir().mkdir(parents=True, mode=0o700)
    for number, place in enumerate((victim, shared, "/etc")):
        (tried_dir() / (f"{os.path.basename(place)}.at" if number != 1 else "1-abc.at")).write_text(f'"{place}"')
        overlay.sweep(tried_dir(), is_needed=lambda run: False)
    assert victim.exists() and shared.exists() and os.path.exists("/etc")


def test_a_folder_for_layers_that_is_not_ours_is_not_used(home: Path) -> None:
    tried_dir().mkdir(parents=True)
    tried_dir().chmod(0o777)
    with pytest.raises(NlshError, match="cannot be tried"):
        overlay.prepare(str(home), tried_dir())


def test_without_namespaces_nothing_is_run(bench: Bench, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr(view, "forbidden", True)
    own = Zygote.start()
    try:
        other = Bench(bench.folder, own)
        outcome = other.try_("echo x > made")
        assert [e.code for e in outcome.errors] == [overlay.CANNOT]
        assert not (bench.folder / "made").exists() and other.found().is_empty
        other.drop()
    finally:
        own.close()


def test_for_a_user_who_is_not_root(home: Path) -> None:
    needs_views()
    if os.geteuid() != 0:
        pytest.skip("the other tests are this one")
    # Loaded now: this Python may lie where that user cannot look.
    registry.get("shell.run"), registry.get("history.undo"), codecs.lookup("unicode_escape"), codecs.lookup("ascii")
    for name in ("sqlite3", "tomllib", "nlsh.steps.leftovers"):
        importlib.import_module(name)
    folder = home / "work"
    folder.mkdir()
    fill(folder)
    give_to_nobody(home)

    def all_of_it() -> tuple[bool, bool, str]:
        own = Zygote.start()
        bench = Bench(folder, own)
        before = tree(folder)
        tried = bench.try_("echo x >> a.txt; rm -rf build; mkdir n; echo 1 > n/1; chmod 500 empty; ln one four; chmod 000 n; id -u > who")
        if tried.status != "done":
            return False, False, f"{tried.errors}"
        same = tree(folder) == before
        kept = bench.keep()
        who = (folder / "who").read_text() if (folder / "who").exists() else ""
        undone = bench.undo()
        bench.drop()
        own.close()
        return same and kept.status == "done", undone.status == "done" and tree(folder) == before, f"{who}{kept.errors}{undone.errors}"

    came = in_child(all_of_it, user=NOBODY)
    assert came.done, came
    assert came.value == (True, True, f"{NOBODY}\n[][]")
