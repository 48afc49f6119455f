"""Which programs only read, and with which options: what is not named here may change something.

Long options may be abbreviated, so a part of a forbidden one is forbidden; what an expansion may turn into an option counts as one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from nlsh.actions.shell._scripts import awk_reads, sed_reads
from nlsh.actions.shell._words import UNKNOWN, Word


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Programs that write nowhere and start nothing, whatever their options say.
_PLAIN = _set(
    "ls dir cat head tail wc grep egrep fgrep stat du df ps pgrep pidof pstree free uptime uname arch nproc whoami id groups users who w last "
    "pwd echo true false : which type basename dirname realpath readlink cut tr nl tac rev column comm join paste fold fmt expand unexpand "
    "cmp md5sum sha1sum sha224sum sha256sum sha384sum sha512sum b2sum cksum sum od hexdump strings zcat zgrep bzcat xzcat "
    "zstdcat lsblk lscpu lsmem lsusb lsmod lsns lslocks lsipc findmnt locate getent locale tty seq yes sleep expr bc factor cal readelf "
    "vmstat iostat mpstat top htop printenv exa eza cd apropos whatis numfmt getconf logname hostid look pr tsort mountpoint "
    "base64 base32 basenc uuidgen pathchk pmap cloc tokei hexyl fc-list jq netstat size break continue exit pushd popd dirs "
    "clear whereis ncal fortune figlet"
)
NETWORK = _set("ss netstat ip ifconfig route")
# Programs of which at least the version may be asked.
_VERSIONED = _set(
    "python python3 node npm npx yarn pnpm go cargo rustc gcc g++ cc clang make cmake ninja git docker podman java javac ruby perl php bash zsh fish tar rsync "
    "curl wget ssh vim nvim emacs nano pip pip3 uv ffmpeg gpg openssl systemctl kubectl helm terraform sqlite3 psql mysql rm cp mv mkdir ln "
    "chmod chown touch dd"
)
# The short ways in which some of them are asked for it: of others the same letter means something else.
_SHORT = {
    "-V": _set("python python3 pip pip3 curl wget ssh perl rustc cargo"), "-v": _set("node npm npx yarn pnpm ruby php gcc g++ cc clang make perl docker git"),
    "-version": _set("java javac ffmpeg sqlite3"),
}  # fmt: skip
# What bash runs itself, and the words that begin its statements.
OF_THE_SHELL = _set(
    ". : [ alias bg bind break builtin caller cd command compgen complete compopt continue declare dirs disown echo enable eval exec exit export false fc fg "
    "getopts hash help history jobs kill let local logout mapfile popd printf pushd pwd read readarray readonly return set shift shopt source suspend test "
    "times trap true type typeset ulimit umask unalias unset wait if then else elif fi case esac for select while until do done in function time coproc"
)
# What a program may be given in its environment without being told to start or load something.
SAFE_VARIABLES = _set(
    "LC_ALL LC_COLLATE LC_CTYPE LC_TIME LC_NUMERIC LC_MESSAGES LANG LANGUAGE TZ COLUMNS LINES TERM NO_COLOR POSIXLY_CORRECT BLOCK_SIZE TIME_STYLE IFS"
)


@dataclass(frozen=True)
class _Unless:
    """Options that make a program change or start something. `operands`: at most so many words that are no options."""

    short: str = ""
    long: tuple[str, ...] = ()
    word: str = ""
    operands: int = 1 << 30

    def __call__(self, words: list[Word]) -> bool:
        operands = 0
        ended = False
        for word in words:
            if word.splits or (word.globs and self.operands < 1 << 30):
                return False  # it may become several, options among them
            text = word.text
            if self.word and (UNKNOWN in text or re.fullmatch(self.word, text, re.S)):
                return False
            if ended or text == "-" or not word.may_be_option or (text.startswith("+") and not self.word) or not text:
                operands += 1
            elif not word.known:
                return False
            elif text == "--":
                ended = True
            elif text.startswith("--"):
                name = text[2:].split("=")[0]
                if any(forbidden.startswith(name) for forbidden in self.long):
                    return False
            elif any(c in self.short for c in text[1:]):
                return False
        return operands <= self.operands


@dataclass(frozen=True)
class _Only:
    """What every word has to look like, each of them known. `options`: those that begin with a dash; `operands`: the rest."""

    options: str = ""
    operands: str = r".*"
    most: int = 1 << 30

    def __call__(self, words: list[Word]) -> bool:
        rest = 0
        for word in words:
            if word.splits or (word.may_be_option and not word.known) or (self.operands != r".*" and not word.known):
                return False
            if word.text.startswith("-"):
                if not re.fullmatch(self.options, word.text):
                    return False
            else:
                rest += 1
                if not re.fullmatch(self.operands, word.text, re.S):
                    return False
        return rest <= self.most


# Not those that write a log, read keys, or begin with a command of the pager's own. A worker sets LESSSECURE, so that less starts nothing.
_PAGED = _Only(r"-[NSRXFiIMmnwWsgGEerqQx0-9~]+", r"(?!\+).*")
_PACKED = r"-[cdkqvfl]*[cl][cdkqvfl]*|--stdout|--to-stdout|--list|--decompress"
_IP = r"-(4|6|0|br|brief|o|oneline|s|stats|statistics|d|details|j|json|p|pretty|c|color|h|human|r|resolve|t|ts)"

_SOME: dict[str, Callable[[list[Word]], bool]] = {
    "[": lambda words: _tests(words), "test": lambda words: _tests(words), "printf": lambda words: _prints(words), "read": lambda words: _asks(words),
    "sort": _Unless("oTS", ("output", "compress-program", "temporary-directory")), "shuf": _Unless("o", ("output",)), "uniq": _Unless(operands=1),
    "tree": _Unless("oR", ("output",)), "rg": _Unless("", ("pre", "hostname-bin")), "file": _Unless("C", ("compile",)),
    "fd": _Unless("xX", ("exec", "exec-batch")), "fdfind": _Unless("xX", ("exec", "exec-batch")), "diff": _Unless("l", ("paginate",)),
    "diff3": _Unless("", ("diff-program",)), "bat": _Unless("", ("pager", "generate-config-file"), r"cache"), "lsof": _Unless("D"),
    "batcat": _Unless("", ("pager", "generate-config-file"), r"cache"), "lspci": _Unless("H"), "blkid": _Unless("cgw", ("cache-file", "garbage-collect")),
    "nm": _Unless("", ("plugin",)), "objdump": _Unless("", ("plugin",)), "pidstat": _Unless("e"), "iconv": _Unless("o", ("output",)),
    "xxd": _Unless("r", operands=1), "dmesg": _Only(r"-[THLwkxtPe]+|--(human|ctime|follow|kernel|decode|notime|nopager|color.*)", r".*", 0),
    "date": _Unless("s", ("set",), r"\d+(\.\d+)?"), "hostname": _Only(r"-[aAdfiIsy]+|--(all-.*|domain|fqdn|long|ip-address|short)", "", 0),
    "mount": _Only("-l", "", 0),
    # Only what gives a shell its arguments.
    "set": lambda words: bool(words) and words[0].known and words[0].text == "--",
    "umask": _Only("-S", r"[0-7]{1,4}", 1), "alias": _Only("-p", "", 0), "history": _Only("", r"\d+"), "jobs": _Only("-[lpr]+", "", 0),
    "sysctl": _Only(r"-[aAnNeq]+|--(all|names|values|ignore|quiet|pattern)", r"[a-z0-9_.-]+"), "ulimit": _Only(r"-[HS]?[a-zA-Z]", "", 0),
    "ip": _Only(_IP, r"a|addr|address|l|link|r|route|ro|n|neigh|neighbour|rule|show|list|ls|get|dev|table|main|all|\d[\d.:a-fA-F/]*|[a-z]{2,5}\d[\w.@-]*|lo"),
    "ifconfig": _Only(r"-[as]", r"[a-z]+\d?[\w.]*(?<!up)(?<!down)", 1), "route": _Only(r"-[n46eFC]+", "", 0), "ss": _Unless("KD", ("kill", "diag")),
    "tput": _Only("-T.*", r"(?!reset|init).*"), "stty": _Only(r"-[aFg]|-F.*|--all|--save", r"/dev/.*|size|speed"), "sensors": _Only("-[ujfA]+", r"[\w-]+"),
    "journalctl": _Unless("", ("rotate", "vacuum-size", "vacuum-files", "vacuum-time", "flush", "sync", "relinquish-var", "smart-relinquish-var",
                               "update-catalog", "setup-keys", "cursor-file", "force", "root", "image")),
    "less": _PAGED, "more": _PAGED, "zless": _PAGED, "zmore": _PAGED,
    "man": _Only("-[kfaws]", r"[\w.+:\[-]+"), "nvidia-smi": _Only(r"-[Lq]|--(query-(gpu|compute-apps)|format)=.*", r"topo"), "lsb_release": _Only("-[acdirs]+"),
    "tar": lambda words: _tar(words), "zipinfo": _Only(r"-[12slmhtTvz]+"), "unzip": lambda words: _unzip(words), "sed": sed_reads,
    "gzip": lambda words: _packed(words), "gunzip": lambda words: _packed(words), "xz": lambda words: _packed(words), "unxz": lambda words: _packed(words),
    "bzip2": lambda words: _packed(words), "bunzip2": lambda words: _packed(words), "zstd": lambda words: _packed(words), "awk": awk_reads,
    "mawk": awk_reads, "gawk": awk_reads, "find": lambda words: _find(words), "env": lambda words: _env(words), "git": lambda words: _git(words),
}  # fmt: skip

# program: subcommand to what its own words may be
_WITHIN: dict[str, dict[str, Callable[[list[Word]], bool]]] = {
    "git": {
        **dict.fromkeys(_set("status log diff show blame ls-files ls-tree rev-parse describe shortlog rev-list merge-base whatchanged name-rev count-objects "
                             "check-ignore for-each-ref show-ref diff-tree diff-index diff-files grep cherry range-diff var"),
                        _Unless("O", ("output", "ext-diff", "textconv", "open-files-in-pager", "show-signature", "filters", "paginate"))),
        "cat-file": _Only(r"-[tpse]"),
        "reflog": _Only(r"-\w+|--[\w-]+(=\w+)?", r"(?!expire|delete|drop|write|exists).*"), "remote": _Only("-v|--verbose", "", 0),
        "branch": _Only(r"-[arv]+|--(all|remotes|list|show-current|merged|no-merged|verbose)", "", 0), "tag": _Only(r"-n\d*|-l|--list", "", 0),
        "stash": lambda words: bool(words) and words[0].text in ("list", "show") and _Only(r"-p|--stat", r"list|show|\d+", 2)(words),
        "config": _Only(r"-l|--(list|get|get-all|get-regexp|show-origin|global|local|system)", r"[\w.*-]+", 1),
        "worktree": _Only("", "list", 1), "submodule": _Only("", "status", 1), "help": _Only("", "", 0), "version": _Only("", "", 0),
    },
    "apt": dict.fromkeys(_set("list show search policy depends rdepends"), _Only(r"-[an]|--(installed|upgradable|all-versions|names-only)")),
    "apt-cache": dict.fromkeys(_set("show search policy depends rdepends pkgnames showpkg madison"), _Only(r"-[an]|--(installed|names-only|all-versions)")),
    "dpkg": dict.fromkeys(_set("-l -L -s -S -p --list --listfiles --status --search --get-selections --print-architecture"), _Only()),
    "dpkg-query": dict.fromkeys(_set("-l -L -s -S -W --list --listfiles --status --search --show"), _Only(r"-f.*|--showformat=.*")),
    "rpm": dict.fromkeys(_set("-q -qa -qi -ql -qf -qR -qip -qlp --query"), _Only(r"-[aiflRpd]+|--(last|changelog|requires|provides|list|info)")),
    "pip": dict.fromkeys(_set("list show freeze check"), _Unless("", ("log", "python", "cache-dir", "proxy", "outdated", "uptodate", "index-url"))),
    "brew": dict.fromkeys(_set("list info"), _Only(r"--(formula|cask|versions)")),
    "cargo": {"tree": _Only("", "", 0)}, "go": {"version": _Only("", "", 0), "env": _Only("", r"[A-Z]+")}, "npm": {"ls": _Only(r"-g|--depth=\d", r"[\w@/-]+")},
}  # fmt: skip
_WITHIN["pip3"] = _WITHIN["pip"]


def reads(words: list[Word]) -> bool:
    """Whether a program with these words is known to only read."""
    first, rest = words[0], words[1:]
    if not first.known:
        return False
    name = first.text
    if (carried := _CARRIERS.get(name)) is not None:
        return carried(rest)
    if (check := _SOME.get(name)) is not None:
        return check(rest)
    if (within := _WITHIN.get(name)) is not None and rest and rest[0].known and (check := within.get(rest[0].text)) is not None:
        return check(rest[1:])
    if name in _PLAIN:
        return True
    asked = rest[0].text if len(rest) == 1 and rest[0].known else ""
    return (name in _VERSIONED | _WITHIN.keys() and asked in ("--version", "--help")) or name in _SHORT.get(asked, ())


def _after_options(words: list[Word], alone: str, with_value: str = "(?!)") -> list[Word] | None:
    """Return what follows a carrier's own options; None where one of them is not known. `with_value`: those whose next word is theirs."""
    rest = list(words)
    while rest and rest[0].text.startswith("-"):
        word = rest.pop(0)
        if not word.known:
            return None
        if word.text == "--":
            break
        if re.fullmatch(with_value, word.text) and rest and rest[0].known:
            rest.pop(0)
        elif not re.fullmatch(alone, word.text):
            return None
    return rest


def _tests(words: list[Word]) -> bool:
    # -v and -R compute subscripts, wherever they stand: to a test -- is a text as any other.
    return not any(w.text in ("--", "-v", "-R") for w in words) and _Unless("vR")(words)


def _prints(words: list[Word]) -> bool:
    # %n sets the variable that the word for it names.
    form = next((w for w in words if w.text != "--"), Word(""))
    return _Unless("v")(words) and (len(words) < 2 or (form.known and not re.search(r"%[^%a-zA-Z]*[hlLjzt]*n", form.text)))


def _asks(words: list[Word]) -> bool:
    # read puts what it is told into variables: those of the environment are passed on to programs.
    rest = _after_options(words, r"-[rse]+", r"-[rs]*[pntNd]")
    return rest is not None and all(w.known and re.fullmatch(r"[a-z_][a-z0-9_]*", w.text) for w in rest)


def _xargs(words: list[Word]) -> bool:
    rest = _after_options(words, r"-[0rtx]+|-[nPLIEsd].+|--(null|no-run-if-empty|verbose|max-(args|procs|lines)=\d+|delimiter=.*)", r"-[nPLIEsda]|-0?I")
    # What it appends comes from its input, and may look like an option.
    return rest is not None and (not rest or reads([*rest, Word(UNKNOWN, splits=True)]))


def _carrier(alone: str, with_value: str = "(?!)", skip: str = "") -> Callable[[list[Word]], bool]:
    def check(words: list[Word]) -> bool:
        rest = _after_options(words, alone, with_value)
        if rest and skip:
            if not (rest[0].known and re.fullmatch(skip, rest[0].text)):
                return False
            rest = rest[1:]
        return bool(rest) and reads(rest or [])

    return check


def _named(words: list[Word]) -> bool:
    if words and words[0].text in ("-v", "-V"):
        return all(w.known for w in words)
    return _carrier("-p")(words)


_CARRIERS: dict[str, Callable[[list[Word]], bool]] = {
    "xargs": _xargs, "time": _carrier("-p"), "nice": _carrier(r"-n?-?\d+|--adjustment=-?\d+", "-n"), "command": _named, "builtin": _carrier("(?!)"),
    "timeout": _carrier(r"-[vf]|-[ks].+|--(preserve-status|foreground|verbose|signal=\w+|kill-after=\w+)", "-[ks]", r"[\d.]+[smhd]?"),
    "stdbuf": _carrier(r"-[ioe][L\d]\w*"), "ionice": _carrier(r"-[cn]\d|-t", "-[cn]"),
}  # fmt: skip


def _env(words: list[Word]) -> bool:
    rest = list(words)
    while rest and rest[0].known and (rest[0].text in ("-i", "-0") or rest[0].text.partition("=")[0] in SAFE_VARIABLES):
        rest.pop(0)
    # Alone it would show what is in the environment, keys included.
    return bool(rest) and "=" not in rest[0].text and not rest[0].text.startswith("-") and reads(rest)


_FIND_RUNS = ("-exec", "-execdir", "-ok", "-okdir")


def _find(words: list[Word]) -> bool:
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word.splits or (word.may_be_option and not word.known):
            return False
        if word.text in ("-delete", "-fprint", "-fprint0", "-fprintf", "-fls"):
            return False
        if word.text in _FIND_RUNS:
            end = next((n for n, w in enumerate(rest) if w.text == ";" or (w.text == "+" and n and rest[n - 1].text == "{}")), None)
            # What it finds begins with where it searches, and that is no option.
            if not end or word.text != "-exec" or not reads([Word("./{}") if w.text == "{}" else w for w in rest[:end]]):
                return False
            rest = rest[end + 1 :]
    return True


def _git(words: list[Word]) -> bool:
    rest = list(words)
    while rest and rest[0].known and rest[0].text in ("-C", "--no-pager", "-P", "--no-optional-locks"):
        if rest.pop(0).text == "-C" and rest and not rest.pop(0).known:
            return False
    if len(rest) == 1 and rest[0].text == "--version":
        return True
    check = _WITHIN["git"].get(rest[0].text) if rest and rest[0].known else None
    return check is not None and check(rest[1:])


def _tar(words: list[Word]) -> bool:
    # A colon would be another machine's, reached by a program that is started for it.
    if not words or any(w.splits or (w.may_be_option and not w.known) or ":" in w.text for w in words):
        return False
    first, rest = words[0].text, [w.text for w in words[1:]]
    if not (re.fullmatch(r"-?[tvzjJaf]+", first) and "t" in first) and first != "--list":
        return False
    return all(re.fullmatch(r"-[vzjJaf]+|--(list|verbose|gzip|bzip2|xz|zstd)", w) for w in rest if w.startswith("-"))


def _unzip(words: list[Word]) -> bool:
    return bool(words) and words[0].known and re.fullmatch(r"-[lvtpcqZ12]*[lvtpcZ][lvtpcqZ12]*", words[0].text) is not None and _Only("-[lvq]+")(words[1:])


def _packed(words: list[Word]) -> bool:
    return any(re.fullmatch(_PACKED, w.text) and w.text != "--decompress" for w in words) and _Only(rf"{_PACKED}|-[dkqv]+")(words)
