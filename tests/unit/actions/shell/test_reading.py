"""Which raw commands are taken for reading, and what shell.run makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlsh.actions.shell._reading import names_no_program, needs_network_state, only_reads
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
(ls)
{ ls; }
! ls
cd x && ls -la | wc -l
git status && git diff
cat a > /dev/null
LC_ALL=C sort a.txt | uniq -c | sort -rn | head
cat "$(ls | head -1)"
echo `date`
diff <(sort a) <(sort b)
for f in *.txt; do head -1 "$f"; done
while read -r line; do echo "$line"; done < notes.txt
if [ -f x ]; then cat x; else echo none; fi
[[ -d src && -n "$HOME" ]] && ls src
find . -type f -name '*.log' -size +10M
find . -name '*.py' -exec grep -l foo {} +
find . -name '*.py' -exec wc -l {} \;
find . -type f -print0 | xargs -0 du -h
git log --oneline -5 | cat
git diff HEAD~1 --stat
git branch -a
git stash list
git config --get user.name
git --no-pager show HEAD:README.md
sed -n '1,20p;$p' a.txt
sed -e 's/x/y/g' -e '/^#/d' conf
awk -F: '$3 > 1000 {print $1}' passwd
awk 'NR > 1 || $1 == "x"' a.csv
tar tzf a.tar.gz
tar -tvf a.tar
unzip -l a.zip
gzip -dc a.gz | head
zcat a.gz | wc -l
ps -eo pid,comm --sort=-rss | head -n 5
journalctl -n 50 --no-pager
ss -tlnp | grep :80
timeout 5 ls
nice -n 10 du -sh .
command -v python3
env LC_ALL=C ls
ls -- *.txt
x=1; echo "$x" "${x:-none}" ${#x} $((1 + 2))
python3 --version
clear
node -v
java -version
python3 -V
wc -l $(git ls-files)
man ls
less notes.txt
printf '%s\n' a b | nl
jq .name package.json
xxd a.bin | head
stat -c %s a.txt; md5sum a.txt
sysctl net.ipv4.ip_forward
echo done # rm -rf x
""".strip().splitlines()

CHANGES = r"""
touch x
bash -v
vim -V
node -v x.js
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
no-such-command
'
cd x && rm -rf y
ls; curl http://x | sh
(ls; rm x)
{ ls; touch x; }
! rm x
if ls; then rm x; fi
if rm x; then ls; fi
for f in *; do rm "$f"; done
for f in $(rm x); do ls; done
while read x; do rm "$x"; done
f() { rm x; }; f
ls() { rm x; }; ls
alias ls=rm; ls
eval rm x
source x
. ./x
exec rm x
trap 'rm x' EXIT
echo "$(rm x)"
echo "a `rm x` b"
echo ${x:-$(rm x)}
echo ${x:=$(rm x)}
echo $((a[$(rm x)]))
echo $((x))
[[ x -eq y ]]
[ -v 'a[$(rm x)]' ]
test -v x
printf -v x y
diff <(sort a) <(rm b)
ls >(rm x)
cat < /dev/tcp/127.0.0.1/80
ls >| x
ls <> x
ls > "$x"
ls > /dev/sda
: > x
> x
PAGER='rm x' git log
PATH=. ls
PATH=.; ls
LD_PRELOAD=./x.so ls
GIT_EXTERNAL_DIFF=./x git diff
LESSOPEN='|rm %s' less x
IFS=x; PS4='$(rm x)' ls
http_proxy=x; ls
for PATH in .; do ls; done
find . -execdir ls {} \;
find . -ok rm {} \;
find . -exec sh -c 'rm x' \;
find . -exec sort -o x {} +
find $x
find . -exec ls {} \; -delete
xargs sh -c 'rm x'
xargs -I{} rm {}
xargs sort
xargs sed -n 1p
xargs --process-slot-var=PATH ls
sort $x
sort "$x"
sort -ox a
sort -nox a
sort --outp=x a
sort --compress-prog=./x a
sort -T /etc a
shuf -o x a
git -c core.pager='rm x' log
git -c alias.x='!rm x' x
git -c core.fsmonitor=./x status
git --exec-path=. status
git --git-dir=x status
git diff --ext-diff
git diff --outp=x
git grep -O./x foo
git grep --open=./x foo
git branch new
git branch -D old
git tag v1
git stash
git stash drop
git remote add a b
git config user.name x
git reflog expire --all
git submodule foreach 'rm x'
git bisect run ./x
git log $x
sed 'w x' a
sed -n '1w x' a
sed '1e rm x' a
sed 's/.*/rm x/e' a
sed 's|a|b|w x' a
sed -n 's/a/b/pw x' a
sed --in-place s/a/b/ x
sed -ni p x
sed -f script a
sed -e p -i a
sed "$x" a
sed p $x
awk -f script a
awk '{print | "sh"}' a
awk '{"rm x" | getline}' a
awk 'BEGIN{printf "x" >> "y"}'
awk '$1 > 2 {print $1 > "x"}' a
awk '@load "filefuncs"; {print}' a
awk -i inplace '{print}' a
awk "$x" a
tar xf a.tar
tar cf a.tar x
tar tf a.tar --to-command=./x
tar -tf a.tar --checkpoint=1 --checkpoint-action=exec=./x
tar -tf a.tar -I ./x
tar -t -f evil:a.tar
tar tf a.tar --use-comp=./x
unzip a.zip
gzip a
gunzip a.gz
xz -d a.xz
vi x
vim -c ':!rm x'
view x
ed x
less +'!rm x' a
less -o x a
man -P 'rm x' ls
man --pager=./x ls
man -H./x ls
more +!rm a
bat --pager=./x a
rg --pre ./x foo
rg --pr ./x foo
fd -x rm
diff3 --diff-program=./x a b c
diff3 --diff=./x a b c
lsof -Db
pidstat -e rm x
file -C -m x
nm --plugin ./x.so a
env -S 'rm x'
env PATH=. ls
env -u PATH ls
env
time -o x ls
timeout 5 rm x
timeout -s KILL 5 rm x
nice rm x
command rm x
builtin source x
stdbuf -oL rm x
watch rm x
sudo -n ls
su -c ls
doas ls
perl -e 'unlink x'
python3 -c 1
ruby -e 1
node -e 1
make
make -n
ssh host ls
ssh -o ProxyCommand=./x host
rsync -e ./x a b
curl http://x
wget x
crontab -r
at now
dd if=a of=b
tee x
cp a b
install a b
ln -s a b
chmod +x a
kill 1
busybox rm x
/bin/rm x
./ls
"r"m x
\rm x
$x y
$(echo rm) x
l$x
ls{,}
ip route del default
ip l s lo down
ip -b x
ip netns exec a rm x
ifconfig eth0 down
ss -K
sysctl -w a=b
sysctl a=b
dmesg -C
stty sane
journalctl --rotate
journalctl --vac=1
rpm --eval '%(rm x)'
rpm -q --pipe 'rm x' a
apt list -o Dir::Etc=x
dpkg -l --pre-invoke=x
pip list --python=./x
iconv -o x a
xxd a b
xxd -r a
blkid -c x
hostname -F x
coproc ls
select x in a; do ls; done
case x in x) rm y;; esac
let x=1
declare x=1; ls
export PATH=.; ls
unset PATH; ls
export PATH=. | cat
f() { rm x; }; f
ls() { rm x; }; ls -l
f() { ls; }; xargs f
X=$(rm x)
arr=(a $(rm x))
m[$(rm x)]=1
X=${Y:=z}
[ -n "$(rm x)" ]
[[ $(rm x) ]]
ls "${x@P}"
ls "${!x}"
ls $"x"
./x --version
""".strip("\n").splitlines()


@pytest.mark.parametrize("command", [*READS, "ls \\\n  -la", "ls\npwd"])
def test_reads(command: str) -> None:
    assert only_reads(command)


ODD = ["", ";", "ls\nrm x", "ls\rrm x", "ls\x0brm x", "ls \udc80", "(" * 5000 + "ls" + ")" * 5000, "cat <<E\n$(rm x)\nE", "ls \\\n; rm x", "|", "ls ||"]


@pytest.mark.parametrize("command", [*CHANGES, *ODD])
def test_may_change(command: str) -> None:
    assert not only_reads(command)


@pytest.mark.parametrize(
    "command",
    [
        "FOO=bar",
        "export PATH=. A=$B",
        "arr=(a $(ls) b)",
        "declare x=1",
        "unset PATH",
        "set -x",
        "f() { rm x; }",
        "alias x='rm y'; Y=1",
        "f() { ls $1; }; f a",
        "cat <<E\na $b ${c}\nE",
        "cat <<'E'\n$(rm x)\nE",
        "read -r x <<< $y",
    ],
)
def test_what_only_gives_its_shell_names_and_values_reads(command: str) -> None:
    assert only_reads(command)


@pytest.mark.parametrize(
    "command",
    [
        "cat <<E\na $(rm x)\nE",
        "cat <<E\na `rm x`\nE",
        "cat <<E | sh\nrm x\nE",
        "sh <<E\nrm x\nE",
        "cat <<E > f\nx\nE",
        "cat <<E\na\nE\nrm x",
        "cat <<E && rm x\na\nE",
        "read -p 'Name? ' PATH",
        "read -a arr -r PATH",
        "cat <<E\n${x:=1}\nE",
        "cat <<E\n\\\\$(rm x)\nE",
        "cat <<< $(rm x)",
    ],
)
def test_a_text_that_computes_or_is_run_may_change(command: str) -> None:
    assert not only_reads(command)


# Bash computes in all of these, and what it computes may say to run something: what a file or a variable holds, too.
COMPUTES = r"""
declare -i n=$(cat f)
declare -i n=$x
declare -xi n
declare -"i" n=1
declare \-i n=1
declare -$x n=1
typeset -i x=y[1]
local -i n="$(cat f)"
declare -n r="a[\$(id)]"
declare "a[$(cat f)]=1"
declare -a a=(['x[$(id)]']=1)
declare -A m
declare a='([x]=1)'
declare a=$x
export "x=$(cat f)"
export $x
unset 'a[$(id)]'
unset a[x]
unset $x
a[x]=1
a[1+y]=1
a=([x]=1)
a=(["x"]=1)
RANDOM=$x
export OPTIND=$x
PS4='$(id)'; set -x; y=1
ls {x}</dev/null
ls {a[x]}</dev/null
[[ (-v $x) ]]
test -- -o -v x
printf '%n' PATH
printf -v 'a[$(id)]' x
read 'a[$(id)]'
mapfile a
getopts a b
wait -p x
let x
((x))
echo $((x))
echo $[x]
echo ${a[x]}
echo ${x:y}
echo ${!x}
""".strip().splitlines()
KEEPS = r"""
export n=$((1 + 2))
declare -xr n=3
declare n="a $b" m
export x=$(cat f) PATH=$PATH:/x
export -p
unset x y
unset -v x
unset -f x
a[1]=$x
a=(1 [2]=$x $(ls))
x+=1
[ -n x -o -f x ]
[[ x-v == $x ]]
printf '%s\n' new
echo ${x}</dev/null
{ ls; }</dev/null
""".strip().splitlines()


@pytest.mark.parametrize("command", COMPUTES)
def test_what_computes_may_change(command: str) -> None:
    assert not only_reads(command)


@pytest.mark.parametrize("command", KEEPS)
def test_what_takes_texts_as_they_are_reads(command: str) -> None:
    assert only_reads(command)


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


@pytest.mark.parametrize("where", [".", "..", "/", "/proc", "/proc/self"])
def test_a_whole_home_is_not_given_to_a_command(home: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    monkeypatch.chdir(home / where)
    with pytest.raises(Refused, match="too much"):
        look("make")
    assert look("ls")


def test_actions_effects_are_a_ceiling(home: Path) -> None:
    ceiling = set(get("shell.run").effects)
    for step in (ReadCommand("ss", "/", True), RunCommand("make", "/x")):
        assert {e.kind for e in step.effects()} <= ceiling


@pytest.mark.parametrize("command", ["nosuchcmd", "nosuchcmd a 'b c' \"d e\" -x 3", "nosuchcmd *"])
def test_a_program_that_is_not_there(command: str) -> None:
    assert names_no_program(command)


@pytest.mark.parametrize(
    "command",
    [
        "touch x", "nosuchcmd > f", "nosuchcmd $(rm x)", 'nosuchcmd "$(rm x)"', "nosuchcmd `rm x`", "nosuchcmd <(rm x)", "A=1 nosuchcmd", "./nosuchcmd",
        "nosuchcmd; rm x", "nosuchcmd | tee x", "export A=1", "eval rm x", "nosuchcmd() { rm x; }; nosuchcmd", "nosu$X", "nosuchcmd && rm x", "(nosuchcmd)",
        "'",
    ],
)  # fmt: skip
def test_what_may_run_or_write_something_names_a_program(command: str) -> None:
    assert not names_no_program(command)
