"""Which raw commands are taken for reading, and what shell.run makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlsh.actions.shell._reading import needs_network_state, only_reads
from nlsh.plan.errors import Refused
from nlsh.plan.registry import get
from nlsh.steps.command import ReadCommand, RunCommand
from nlsh.world import World

READS = r"""
ls
ls -la | wc -l
ls 2>/dev/null
ls 2>&1 | head -3
ls &>/dev/null
cat a && cat b || echo none; pwd
find . -name '*.py' | xargs grep -n foo
ps aux | grep ssh
git status
git -C sub log --oneline | head -5
sed -n 5p file
sed 's/a/b/' file
awk '{print $1}' file
sort -u < file
du -sh * | sort -h | tail -5
echo "$HOME" 'a; b' "it is > not"
time ls
grep -r 'foo(' .
date +%F
rm --help
ip addr
dpkg -l
echo hi > /dev/null
ls;
""".strip().splitlines()

CHANGES = r"""
touch x
rm -rf x
ls; rm x
ls && mv a b
ls | tee x
ls > x
ls >> x
ls >&x
ls 2>x
ls &
ls & rm x
cat $(rm x)
cat `rm x`
cat <(rm x)
cat <<END
FOO=1 ls
(ls)
{ ls; }
find . -delete
find . -name x -exec rm {} ;
find . -fprint x
sort -o x x
sort --output=x x
sed -i s/a/b/ x
sed s/a/b/w x
awk '{print > "x"}' x
awk 'BEGIN{system("rm x")}'
xargs rm
find . | xargs -n 1 rm
uniq a b
date -s 12:00
hostname new
git push
git -C sub commit
git log --output=x
sudo ls
bash -c ls
python3 x.py
ip link set eth0 down
echo ${x@P}
echo $'\'' ; rm x #'
tree -o x
env rm x
nohup ls
! ls
no-such-command
'
""".strip("\n").splitlines()


@pytest.mark.parametrize("command", READS)
def test_reads(command: str) -> None:
    assert only_reads(command)


@pytest.mark.parametrize("command", [*CHANGES, "", ";", "ls\nrm x", "ls\rrm x", "ls \\\n; rm x", "|", "ls ||"])
def test_may_change(command: str) -> None:
    assert not only_reads(command)


def test_every_reading_command_stays_one_in_a_pipeline() -> None:
    for command in READS[:4]:
        assert only_reads(f"{command} | cat")
        assert not only_reads(f"{command} | sh")


def test_network_state() -> None:
    assert needs_network_state("ss -ltn | head")
    assert not needs_network_state("ls")


def look(command: str) -> list:
    """The steps of shell.run for a command, from here."""
    action = get("shell.run")
    args = action.Args.bind("shell.run", {"command": command})
    return list(action.steps(args, action.look(args, World())))


def test_a_reading_command_has_no_change_among_its_effects(home: Path) -> None:
    (step,) = look("ls -la")
    assert isinstance(step, ReadCommand)
    assert step.reads_only
    assert [e.kind for e in step.effects() if e.changes] == ["exec"]


def test_a_changing_command_may_change_its_folder_only(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "in").mkdir()
    monkeypatch.chdir(home / "in")
    (step,) = look("make")
    assert type(step) is RunCommand
    assert not step.reads_only
    assert {e.target for e in step.effects() if e.kind in ("fs.write", "fs.delete", "fs.meta")} == {str(home / "in")}
    assert not any(e.kind.startswith("net") for e in step.effects())


@pytest.mark.parametrize("where", [".", "..", "/"])
def test_a_whole_home_is_not_given_to_a_command(home: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    monkeypatch.chdir(home / where)
    with pytest.raises(Refused, match="too much"):
        look("make")
    assert look("ls")


def test_actions_effects_are_a_ceiling(home: Path) -> None:
    ceiling = set(get("shell.run").effects)
    for step in (ReadCommand("ss", "/", True), RunCommand("make", "/x")):
        assert {e.kind for e in step.effects()} <= ceiling
