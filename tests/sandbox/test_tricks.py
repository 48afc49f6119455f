"""Programs that write files or start others where nobody expects it (editors, pagers, interpreters, archivers, loaders), as raw commands.

Each trick is run three times: with leave to change its folder it does so (the twin: it works), with the same leave it changes nothing
beside it, and where a command may only read it changes nothing at all. None of them is taken for a command that only reads.
"""

from __future__ import annotations

import os
import platform
import pty
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from nlsh.actions.shell._reading import only_reads
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.plan.steps import Step
from nlsh.steps.command import ReadCommand, RunCommand
from tests.sandbox.conftest import run_steps

# name: the programs it takes, and the command, in which @ is the file that is to come into being. It runs beside `file` with two lines.
TRICKS: dict[str, tuple[str, str]] = {
    "redirection": ("", "echo x > @"),
    "appending": ("", "ls >> @"),
    "clobber": ("", "ls >| @"),
    "read-write": ("", ": <> @"),
    "errors": ("", "ls nothing 2> @"),
    "nothing": ("", "> @"),
    "after-cd": ("", "cd .. && touch @"),
    "in-subshell": ("", "(touch @)"),
    "in-substitution": ("", "echo $(touch @)"),
    "in-backticks": ("", "echo `touch @`"),
    "in-quotes": ("", 'echo "$(touch @)"'),
    "in-default": ("", "echo ${nothing:-$(touch @)}"),
    "in-heredoc": ("", "cat <<E\n$(touch @)\nE"),
    "in-test": ("", '[ -n "$(touch @)" ]'),
    "in-arithmetic": ("bash", "a='b[$(touch @)]'; echo $((a))"),
    "process-substitution": ("bash", "cat <(touch @)"),
    "second-line": ("", "ls\ntouch @"),
    "background": ("", "touch @ & wait"),
    "function": ("", "ls() { touch @; }; ls"),
    "eval": ("", "eval touch @"),
    "exec": ("", "exec touch @"),
    "trap": ("", "trap 'touch @' EXIT"),
    "dot": ("", "echo 'touch @' > s; . ./s"),
    "sh": ("", "sh -c 'touch @'"),
    "bash": ("bash", "bash -c 'touch @'"),
    "pipe-to-sh": ("", "echo 'touch @' | sh"),
    "command": ("", "command touch @"),
    "find-exec": ("find", "find . -maxdepth 0 -exec touch @ \\;"),
    "find-exec-sh": ("find", "find . -maxdepth 0 -exec sh -c 'touch @' {} +"),
    "find-fprint": ("find", "find . -maxdepth 0 -fprint @"),
    "find-fls": ("find", "find . -maxdepth 0 -fls @"),
    "xargs": ("xargs", "echo @ | xargs touch"),
    "xargs-sh": ("xargs", "echo @ | xargs -I{} sh -c 'touch {}'"),
    "env": ("env", "env touch @"),
    "env-S": ("env", "env -S 'touch @'"),
    "nice": ("nice", "nice touch @"),
    "timeout": ("timeout", "timeout 20 touch @"),
    "stdbuf": ("stdbuf", "stdbuf -oL touch @"),
    "nohup": ("nohup", "nohup touch @"),
    "setsid": ("setsid", "setsid -w touch @"),
    "flock": ("flock", "flock file touch @"),
    "taskset": ("taskset", "taskset -c 0 touch @"),
    "ionice": ("ionice", "ionice -c3 touch @"),
    "tar-checkpoint": ("tar", "tar cf /dev/null --checkpoint=1 --checkpoint-action=exec='touch @' file"),
    "tar-I": ("tar", "tar -c -I \"sh -c 'touch @; cat'\" file"),
    "tar-to-command": ("tar", "tar cf - file | tar xf - --to-command='touch @'"),
    "tar-file": ("tar", "tar cf @ file"),
    "tar-list-I": ("tar", "tar tf file -I \"sh -c 'touch @'\""),
    "zip-test": ("zip", "zip -q a.zip file -T -TT 'touch @ #'"),
    "awk-system": ("awk", "awk 'BEGIN{system(\"touch @\")}'"),
    "awk-print": ("awk", "awk '{print > \"@\"}' file"),
    "awk-pipe": ("awk", 'awk \'BEGIN{print "touch @" | "sh"}\''),
    "awk-getline": ("awk", "awk 'BEGIN{\"touch @\" | getline}'"),
    "sed-w": ("sed", "sed -n 'w @' file"),
    "sed-s-w": ("sed", "sed -n 's/o/0/w @' file"),
    "sed-e": ("sed", "sed '1e touch @' file"),
    "sed-s-e": ("sed", "sed 's|.*|touch @|e' file"),
    "sed-f": ("sed", "echo 'w @' > s; sed -f s file"),
    "sort-o": ("sort", "sort -o @ file"),
    "sort-long": ("sort", "sort --outp=@ file"),
    "shuf-o": ("shuf", "shuf -o @ file"),
    "uniq": ("uniq", "uniq file @"),
    "tree-o": ("tree", "tree -o @"),
    "xxd": ("xxd", "xxd file @"),
    "iconv-o": ("iconv", "iconv -o @ file"),
    "tee": ("tee", "ls | tee @"),
    "dd": ("dd", "dd if=file of=@ status=none"),
    "split": ("split", "split file @; mv @aa @"),
    "diff3": ("diff3", "printf 'touch @\\n' > s; chmod +x s; diff3 --diff-program=./s file file file"),
    "vim": ("vim", "vim -Nu NONE -es -c '!touch @' -c 'qa!'"),
    "vim-write": ("vim", "vim -Nu NONE -es -c 'w @' -c 'qa!' file"),
    "ed": ("ed", "printf '!touch @\\nq\\n' | ed -s"),
    "ed-write": ("ed", "printf 'w @\\nq\\n' | ed -s file"),
    "perl": ("perl", 'perl -e \'open(F, ">", "@")\''),
    "perl-i": ("perl", "perl -e 'system(\"touch @\")'"),
    "python": ("python3", 'python3 -c \'open("@", "w")\''),
    "node": ("node", 'node -e \'require("fs").writeFileSync("@", "x")\''),
    "ruby": ("ruby", 'ruby -e \'File.write("@", "x")\''),
    "lua": ("lua", 'lua -e \'io.open("@", "w")\''),
    "php": ("php", "php -r 'touch(\"@\");'"),
    "make": ("make", "printf 'all:\\n\\ttouch @\\n' | TMPDIR=. make -sf -"),
    "make-eval": ("make", "make -s --eval='x:;touch @' x"),
    "make-n": ("make", "make -n --eval='x:=$(shell touch @)' -f /dev/null"),
    "git-alias": ("git", "git init -q r; cd r; git -c alias.x='!touch @' x"),
    "git-fsmonitor": ("git", "git init -q r; cd r; git -c core.fsmonitor='touch @' status"),
    "git-hook": (
        "git",
        "git init -q r; cd r; printf '#!/bin/sh\\ntouch @\\n' > .git/hooks/pre-commit; chmod +x .git/hooks/pre-commit; "
        "git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x",
    ),
    "git-diff": ("git", "git init -q r; cd r; cp ../file .; git add file; echo x >> file; TMPDIR=. git -c diff.external='touch @;' diff | cat"),
    "git-external": ("git", "git init -q r; cd r; cp ../file .; git add file; echo x >> file; TMPDIR=. GIT_EXTERNAL_DIFF='touch @;' git diff | cat"),
    "git-output": ("git", "git init -q r; cd r; git diff --no-index --output=@ /dev/null ../file"),
    "git-grep-O": ("git", "git grep --no-index -O'touch @;' . file"),
    "gcc-wrapper": ("gcc", "echo 'int x;' > x.c; gcc -c -wrapper sh,-c,'touch @' x.c"),
    "gdb": ("gdb", "gdb -nx -batch -ex '!touch @'"),
    "curl-file": ("curl", "curl -so @ file://$PWD/file"),
    "openssl": ("openssl", "openssl rand -out @ 4"),
    "sqlite3": ("sqlite3", "sqlite3 :memory: '.shell touch @'"),
    "busybox": ("busybox", "busybox touch @"),
    "loader": ("gcc", "$(gcc -print-file-name=ld-linux-x86-64.so.2) $(command -v touch) @"),
    "preload": (
        "gcc",
        "printf '#include <fcntl.h>\\n__attribute__((constructor)) void f(void){creat(\"@\",0644);}' > p.c; TMPDIR=. gcc -shared -fPIC -o p.so p.c; LD_PRELOAD=./p.so ls",  # noqa: E501
    ),
    "ssh-proxy": ("ssh", "ssh -F /dev/null -o ProxyCommand='touch @' nowhere"),
    "rsync-e": ("rsync", "rsync -e 'touch @;' nowhere:a ."),
    "memfd": (
        "python3",
        'python3 -c \'import os; d = os.memfd_create("x", 0); os.write(d, open("/usr/bin/touch", "rb").read()); os.execv(f"/proc/self/fd/{d}", ["touch", "@"])\'',  # noqa: E501
    ),
    "script": ("script", "script -qc 'touch @' /dev/null"),
    "start-stop-daemon": ("start-stop-daemon", "start-stop-daemon -S -x $(command -v touch) -- @"),
    "install": ("install", "install file @"),
    "ln": ("ln", "ln -s file @"),
    "mkfifo": ("mkfifo", "mkfifo @"),
    "patch": ("patch", "printf -- '--- /dev/null\\n+++ b\\n@@ -0,0 +1 @@\\n+x\\n' | patch -s -o @ file"),
}
# Where a terminal is needed to get out of a pager. What is typed afterwards leaves it.
ON_A_TERMINAL: dict[str, tuple[str, str]] = {
    "less-bang": ("less", "less '+!touch @' file"),
    "less-open": ("less", "LESSOPEN='|touch @ %s' less file"),
    "less-log": ("less", "cat file | less -O@"),
    "man-pager": ("man", "printf '.TH X 1\\n.SH X\\nx\\n' > x.1; man -P 'touch @;' -l ./x.1"),
    "git-pager": ("git", "git init -q r; cd r; git -c core.pager='touch @;' -p help -a"),
    "vi-bang": ("vim", "vim -Nu NONE -c '!touch @' -c 'qa!'"),
    "more-bang": ("more", "more '+!touch @' file"),
}
# What the sandbox refuses even within the folder: no socket to a program of one's own, no program from memory, nobody traced, no terminal opened, nothing in /tmp.  # noqa: E501
MAY_BE_REFUSED = {"ssh-proxy", "rsync-e", "memfd", "gdb", "script", "start-stop-daemon", "more-bang", "man-pager", "ed", "ed-write"}
KEYS = b"\nq\nq\n:q!\nq\n"


def _run(zygote: Zygote, step: Step, *, terminal: bool) -> None:
    if not terminal:
        hole = os.open(os.devnull, os.O_RDWR)
        try:
            run_steps(zygote, step, stdio=(hole, hole, hole))
        finally:
            os.close(hole)
        return
    ours, theirs = pty.openpty()
    try:
        os.write(ours, KEYS)
        threading.Thread(target=_drain, args=(ours,), daemon=True).start()
        run_steps(zygote, step, stdio=(theirs, theirs, theirs))
    finally:
        os.close(theirs)


def _drain(ours: int) -> None:
    try:
        while os.read(ours, 4096):
            continue
    except OSError:
        os.close(ours)


def _picture(folder: Path) -> dict[str, tuple[int, int, int]]:
    return {str(p): (s.st_mode, s.st_size, s.st_mtime_ns) for p in sorted(folder.rglob("*")) for s in (p.lstat(),)}


@pytest.mark.parametrize("name", [*TRICKS, *ON_A_TERMINAL])
def test_a_trick_changes_its_folder_and_nothing_else(home: Path, zygote: Zygote, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    needs, written = TRICKS.get(name) or ON_A_TERMINAL[name]
    terminal = name in ON_A_TERMINAL
    if missing := [n for n in needs.split() if shutil.which(n) is None]:
        pytest.skip(f"{', '.join(missing)} is not installed")
    if name == "loader" and platform.machine() != "x86_64":
        pytest.skip("the loader has another name here")
    monkeypatch.setenv("SHELL", shutil.which("bash") or "/bin/sh")
    monkeypatch.setenv("TERM", "xterm")
    # pyenv's python3 is a script that writes where it lies.
    monkeypatch.setenv("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
    if missing := [n for n in needs.split() if shutil.which(n) is None]:
        pytest.skip(f"{', '.join(missing)} is not where the system has its programs")
    inside, outside, reading, unconfined = (home / n for n in ("inside", "outside", "reading", "unconfined"))
    for folder in (inside, outside, reading, unconfined):
        folder.mkdir()
        (folder / "file").write_text("one\ntwo\n")

    def command(place: Path) -> str:
        return written.replace("@", str(place)).replace(f"a{place}b", "a@b")

    assert not only_reads(command(inside / "made"), str(inside))
    before = _picture(outside)
    _run(zygote, RunCommand(command(outside / "made"), str(inside)), terminal=terminal)
    assert _picture(outside) == before, f"{name} changed what is beside its folder"
    for left in inside.iterdir():
        if left.name != "file":
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    _run(zygote, RunCommand(command(inside / "made"), str(inside)), terminal=terminal)
    if not os.path.lexists(inside / "made"):
        assert name in MAY_BE_REFUSED, f"{name} is no trick: it does nothing where it may"
        if not terminal:
            subprocess.run(
                [os.environ["SHELL"], "-c", command(unconfined / "made")],
                cwd=unconfined,
                capture_output=True,
                stdin=subprocess.DEVNULL,
                timeout=60,
                check=False,
            )
            assert os.path.lexists(unconfined / "made"), f"{name} is no trick: it does nothing unconfined"
    before = _picture(reading)
    _run(zygote, ReadCommand(command(reading / "made"), str(reading)), terminal=terminal)
    assert _picture(reading) == before, f"{name} changed something where it may only read"


@pytest.mark.parametrize("said", ["less file", "man -w ls", "git log", "more file"])
def test_a_pager_of_a_reading_command_starts_nothing(said: str) -> None:
    assert only_reads(said)
    assert ReadCommand(said, "/").environment["LESSSECURE"] == "1"
    assert "LESSSECURE" not in RunCommand(said, "/").environment
