"""What programs take after their names, as far as it tells a command from a sentence that begins with such a name.

Many names are everyday words (find, make, kill, sort, open, time): of those every operand has to be what the program takes: a file that
is there, a number, a target. Of others anything will do that does not read as a sentence.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from nlsh.shell.line.sentence import FUNCTION_WORDS, STRONG_WORDS, WEAK_WORDS, Operand, has_cjk, word_set

_HOST = re.compile(r"[\w-]+(\.[\w-]+)+(:\d+)?(/\S*)?|\S*://\S+|\S+@\S+|localhost(:\d+)?(/\S*)?|[\da-fA-F:]*:[\da-fA-F:]+|\S+:\S*")

Words = list[Operand]
Test = Callable[[str], bool]


def _each(test: Callable[[Operand], bool], least: int = 0, most: int = 99) -> Callable[[Words, Test], bool]:
    return lambda words, _: least <= len(words) <= most and all(map(test, words))


def _is(pattern: str) -> Callable[[Operand], bool]:
    return lambda word: re.fullmatch(pattern, word.text) is not None


def _plain(word: Operand) -> bool:
    return not word.is_function_word and not word.is_sentence


_paths = _each(lambda w: w.is_path or w.is_number)


def _things(words: Words, _: Test) -> bool:
    """Files, of which one at least is there: what these programs are called is what one says in a sentence, too."""
    return all(w.is_path or w.is_number for w in words) and any(w.exists or w.quoted or "://" in w.text or w.text.startswith("$") for w in words)


_nothing = _each(lambda w: False)
_numbers = _each(lambda w: w.is_number or w.text.startswith("$") or w.quoted, 1)
_one_word = _each(_plain, 1, 1)
_names = _each(_is(r"[A-Za-z_]\w*"), 1)
_assignments = _each(_is(r"[A-Za-z_]\w*(\[.*\])?(\+?=.*)?(\(.*\))?"), 1)


def _to(words: Words, _: Test) -> bool:
    """Files, and then where they go."""
    return len(words) >= 2 and all(w.is_path for w in words[:-1]) and _plain(words[-1])


def _new(words: Words, _: Test) -> bool:
    # New names; those in CJK one at a time, and not a phrase.
    return len(words) > 0 and all(w.is_path or (not w.is_function_word and re.fullmatch(r"[\w.+@%-]+", w.text)) for w in words) and (
        not any(has_cjk(w.text) for w in words) or (len(words) == 1 and not re.search("一个|的$|那个|这个|叫", words[0].text))
    )  # fmt: skip


def _searched(words: Words, _: Test) -> bool:
    """A pattern, and then files."""
    return len(words) >= 2 and all(w.is_path for w in words[1:])


def _pattern(words: Words, _: Test) -> bool:
    return (len(words) == 1 and _plain(words[0])) or (len(words) > 1 and all(w.is_path for w in words[1:]))


def _script(words: Words, _: Test) -> bool:
    return bool(words) and words[0].is_path


def _programs(words: Words, is_program: Test) -> bool:
    named = [w for w in words if not w.is_number]
    return bool(named) and (all(is_program(w.text) for w in named) or (len(named) == 1 and _plain(named[0])))


def _targets(words: Words, _: Test) -> bool:
    return all("=" in w.text[1:] or w.text in _make_targets() for w in words)


def _make_targets() -> frozenset[str]:
    """Return the targets that a Makefile in the working directory names."""
    for name in ("GNUmakefile", "makefile", "Makefile"):
        if os.path.isfile(name):
            try:
                with open(name, encoding="utf-8", errors="replace") as file:
                    found = re.findall(r"^([\w.-]+(?:[ \t]+[\w.-]+)*)[ \t]*:(?!=)", file.read(1 << 20), re.M)
            except OSError:
                break
            return frozenset(word for targets in found for word in targets.split())
    return frozenset()


def _tar(words: Words, _: Test) -> bool:
    return (
        len(words) >= 2
        and re.fullmatch(r"[A-Za-z]*[ctxru][A-Za-z]*f|[ctxru][A-Za-z]*", words[0].text) is not None
        and all(w.is_path or _plain(w) for w in words)
    )


def _hosts(words: Words, _: Test) -> bool:
    return bool(words) and (_HOST.fullmatch(words[0].text) is not None or words[0].text.startswith("$") or (len(words) == 1 and _plain(words[0])))


def _only_hosts(words: Words, _: Test) -> bool:
    return bool(words) and _HOST.fullmatch(words[0].text) is not None


def _subcommands(text: str) -> Callable[[Words, Test], bool]:
    known = word_set(text)
    return lambda words, _: bool(words) and words[0].text in known


def _at(words: Words, _: Test) -> bool:
    return (
        re.fullmatch(r"(now|noon|midnight|teatime|\d{1,2}(:\d\d)?(am|pm)?)( ?\+ ?\d+ ?\w+)?( (today|tomorrow))?", " ".join(w.text for w in words)) is not None
    )


def _service(words: Words, _: Test) -> bool:
    return len(words) == 2 and words[1].text in ("start", "stop", "restart", "status", "reload", "force-reload")


def _tested(words: Words, _: Test) -> bool:
    return len(words) >= 2 and any(re.fullmatch(r"-\w+|!?=|==|<|>", w.text) for w in words)


_SHAPES: dict[str, Callable[[Words, Test], bool]] = {
    **dict.fromkeys(
        word_set(
            "cat less more head tail wc uniq tac nl rev ls dir rm rmdir stat file du df vi vim nvim nano emacs ed xdg-open gimp mpv vlc "
            "identify unzip gunzip gzip bzip2 xz zcat md5sum sha256sum sum cksum diff cmp comm csplit tree strings ldd realpath readlink "
            "basename dirname shred pr fold fmt column unexpand od hexdump base64 truncate tee truncate source . pushd shuf mount umount "
            "firefox chrome chromium montage script unlink losetup fuser lsof crontab blender"
        ),
        _paths,
    ),
    **dict.fromkeys(
        word_set(
            "open play print display view see compare convert split join paste cut sort patch expand spell rename import load lock "
            "select trash extract eject resize code chat notify"
        ),
        _things,
    ),
    **dict.fromkeys(word_set("cp mv ln rsync scp link install"), _to),
    **dict.fromkeys(word_set("mkdir touch mkfifo mktemp"), _new),
    **dict.fromkeys(word_set("grep egrep fgrep zgrep"), _searched),
    **dict.fromkeys(word_set("rg ag ack locate look apropos"), _pattern),
    **dict.fromkeys(word_set("python python3 node ruby bash sh zsh php perl java javac gcc g++ cc clang rustc"), _script),
    **dict.fromkeys(word_set("which type whereis whatis man info"), _programs),
    "make": _targets,
    "tar": _tar,
    **dict.fromkeys(word_set("ping ssh traceroute mtr host whois dig nmap nc telnet"), _hosts),
    **dict.fromkeys(word_set("curl wget yt-dlp"), _only_hosts),
    **dict.fromkeys(word_set("killall pkill pgrep id groups finger passwd su login printenv fd gdb"), _one_word),
    **dict.fromkeys(word_set("sleep seq factor cal"), _numbers),
    "kill": _each(_is(r"%?\d+|%\w+|\$.*|`.*"), 1),
    "zip": _each(lambda w: w.is_path, 2),
    "ps": _each(_is("[aefuxlwjvTcr]+"), 0, 1),
    "date": _each(lambda w: w.text.startswith("+")),
    "at": _at,
    "service": _service,
    "test": _tested,
    "shutdown": _each(_is(r"now|\+\d+|\d\d:\d\d"), 0, 1),
    "vmstat": _numbers,
    "wall": _each(lambda w: w.quoted or w.is_path, 1),
    "find": _paths,
    "yes": _each(_plain, 0, 1),
    "who": lambda words, _: [w.text for w in words] == ["am", "i"],
    "bc": _paths,
    "units": _paths,
    "echo": lambda words, _: True,
    "set": lambda words, _: False,
    "read": _each(_is(r"[a-z_A-Z]\w*"), 1, 3),
    "let": _each(lambda w: w.quoted or re.search(r"=|\+\+|--", w.text) is not None, 1),
    "exit": _each(_is(r"\d+|\$.*"), 0, 1),
    "trap": lambda words, _: bool(words) and (words[0].quoted or words[0].text == "-"),
    "hash": _each(lambda w: False),
    "go": _subcommands("build run test mod get install fmt vet env doc generate clean list tool version work help"),
    "wait": _each(_is(r"%?\d+|\$.*")),
    "jobs": _nothing,
    "fg": _each(_is(r"%?\w+"), 0, 1),
    "bg": _each(_is(r"%?\w+"), 0, 1),
    "declare": _each(lambda w: "=" in w.text),
    "typeset": _each(lambda w: "=" in w.text),
    "local": _assignments,
    "readonly": _assignments,
    "eval": lambda words, _: all(w.quoted or "$" in w.text or "`" in w.text for w in words),
    "export": _each(_is(r"[A-Za-z_]\w*=.*|[A-Z_][A-Z0-9_]*"), 1),
    "unset": _each(_is(r"[A-Z_][A-Z0-9_]*|[a-z_]\w*"), 1),
    "umask": _each(_is(r"[0-7]+|[ugoa,=rwx+-]+")),
    "alias": _each(lambda w: "=" in w.text),
    "ulimit": _each(lambda w: w.is_number),
    "popd": _nothing,
    "dirs": _nothing,
    "disown": _each(_is(r"%?\d+")),
    "ip": _subcommands("a addr address r route l link n neigh rule netns"),
    "shopt": _one_word,
    "unalias": _names,
    "history": _numbers,
    "cd": _each(_plain, 0, 1),
    "git": _subcommands(
        "add am annotate apply archive bisect blame branch bundle cat-file checkout cherry cherry-pick clean clone commit config "
        "describe diff difftool fetch format-patch fsck "
        "gc grep help init log ls-files ls-remote ls-tree merge mergetool mv notes prune pull push range-diff rebase reflog remote "
        "repack reset restore rev-list rev-parse "
        "revert rm shortlog show show-ref sparse-checkout stash status submodule switch tag update-index version whatchanged worktree lfs flow"
    ),
    "docker": _subcommands(
        "attach build builder buildx commit compose container context cp create diff events exec export history image images "
        "import info inspect kill load login logout logs "
        "manifest network node pause plugin port ps pull push rename restart rm rmi run save search secret service stack start "
        "stats stop swarm system tag top unpause update "
        "version volume wait"
    ),
    "kubectl": _subcommands(
        "get describe apply create delete edit exec logs port-forward rollout scale top cp config run explain label annotate cluster-info drain cordon patch"
    ),
    "npm": _subcommands(
        "install i ci test t start run run-script build publish init update uninstall ls list outdated audit link version view exec cache config login pack"
    ),
    "pip": _subcommands("install uninstall list show freeze download check search config cache wheel index"),
    "pip3": _subcommands("install uninstall list show freeze download check search config cache wheel index"),
    "apt": _subcommands("update upgrade install remove purge autoremove search show list policy full-upgrade edit-sources depends source download clean"),
    "systemctl": _subcommands(
        "start stop restart reload status enable disable is-active is-enabled is-failed mask unmask list-units list-unit-files "
        "list-timers list-sockets daemon-reload cat show edit "
        "kill reboot poweroff suspend hibernate isolate set-default get-default reset-failed try-restart"
    ),
    "tmux": _subcommands("attach a new new-session ls list-sessions kill-session kill-server detach source source-file send-keys split-window info"),
}
# Nothing but options may follow these.
_ALONE = word_set(
    "start stop top htop free uptime who w users tty arch nproc locale reset clear reboot halt poweroff last lastlog lsblk "
    "lscpu lsusb lspci uname hostname pwd whoami true false times sync dmesg "
    "screen netstat ss pstree mesg dirs task batch calendar record compress nice write time watch logout lsmod env check"
)
# What they are given is text, whatever it says.
_TEXT = word_set("echo printf logger figlet cowsay notify-send expr : [")
# Words of the shell that are commands with what they take.
OWN_WORDS = word_set(
    "echo printf export alias unalias unset source . : eval exec pwd type command builtin ulimit umask set pushd popd dirs "
    "shopt hash wait trap read let declare typeset local readonly jobs "
    "disown times history test"
)


def fits(name: str, words: Words, *, is_program: Test, shaped: bool) -> bool:
    """Return whether `words` are what `name` takes. `shaped`: the line has signs that no sentence has."""
    if "/" in name:
        return True  # a program that is called by its place
    if name in _TEXT:
        return not (words and words[-1].text.endswith("?") and len(words) > 3)
    if not words:
        return name not in ("help", "time", "nice", "eval", "read", "let", "test")
    operands = [w for w in _after_globals(name, words) if not w.is_option]
    options = len(operands) < len(words)
    if name == "set":
        return words[0].is_option
    if any(w.is_sentence for w in operands) and not _takes_any_script(name, operands):
        return False
    if _reads_as_sentence(name, operands, options=options, shaped=shaped):
        return False
    if name in _ALONE:
        return not operands or options or (shaped and all(w.is_path or w.is_number for w in operands))
    shape = _SHAPES.get(name)
    if shape is None:
        # Nothing is known of it: few words, none of which a sentence needs.
        weak = name not in _SUBCOMMANDED and any(w.text in WEAK_WORDS for w in operands)
        return options or shaped or (not weak and len(operands) <= 4) or any(w.is_path for w in operands)
    if (not operands and options) or shape(operands, is_program):
        return True
    return (options or shaped) and (name not in _STRICT or (name in _CHANGES and options and not any(w.text in WEAK_WORDS for w in operands)))


# Options that come before a subcommand and have a value: “git -C src status”.
_GLOBALS = {
    "git": re.compile("-[Cc]|--git-dir|--work-tree"),
    "kubectl": re.compile("-n|--namespace|--context|--kubeconfig"),
    "docker": re.compile("-[Hc]|--context|--host"),
}


def _after_globals(name: str, words: Words) -> Words:
    """Return the words without the options, and their values, that stand before a program's subcommand."""
    takes, at = _GLOBALS.get(name), 0
    while takes is not None and at + 1 < len(words) and takes.fullmatch(words[at].text):
        at += 2
    return words[at:]


# An option does not make their other words into what they take.
_STRICT = word_set("git docker systemctl npm pip pip3 apt export unset alias rm cp mv kubectl")
_CHANGES = word_set("rm cp mv")


def _reads_as_sentence(name: str, operands: Words, *, options: bool, shaped: bool) -> bool:
    rest = operands
    if (name in _SEARCHES and rest and (options or len(rest) == 2)) or (name in ("find",) and options):
        # The first word is a pattern, and any word may be one; after find's options stand their values.
        rest = rest[1:] if name in _SEARCHES else [w for w in rest if w.text in STRONG_WORDS]
    words = [w.text.lower().strip(",.!?;:") for w in rest if not w.quoted and not w.exists]
    # A name of one letter, and no article: "touch a b".
    words = [w for at, w in enumerate(words) if w not in ("a", "i") or re.fullmatch(r"[a-z]{3,}", "".join(words[at + 1 : at + 2]))]
    if name == "who" and words == ["am", "i"]:
        return False
    if name == "make" and all(w in _make_targets() or "=" in w for w in words):
        return False
    if name in _SUBCOMMANDED and words and words[0] not in STRONG_WORDS and name in _SHAPES:
        words = words[1:]  # the subcommand is compared with those there are
    found = [w for w in words if w in FUNCTION_WORDS]
    if any(w in STRONG_WORDS for w in found):
        return True
    if options or shaped or name in _SUBCOMMANDED:
        return len(found) > (1 if options and name not in _SUBCOMMANDED else 0) or (bool(found) and not options and not shaped)
    return bool(found)


_SEARCHES = word_set("grep egrep fgrep zgrep rg ag ack sed awk pgrep pkill killall apropos man")
_SUBCOMMANDED = word_set(
    "git docker kubectl npm pip pip3 apt systemctl tmux ip terraform cargo go gh conda poetry yarn pnpm helm vagrant adb ansible snap flatpak nmcli ufw dpkg"
)


def _takes_any_script(name: str, operands: Words) -> bool:
    """Whether a word in any script may stand here: a pattern, or a new name."""
    if name in _SEARCHES and len(operands) >= 2:
        return all(w.is_path for w in operands[1:])
    return name in ("mkdir", "touch") and len(operands) == 1


# --- programs that carry another one: what of their words is its ------------------------------------------------------


def _after(options_with_value: str = "(?!)", own: int = 0) -> Callable[[Words], Words | None]:
    takes = re.compile(options_with_value)

    def rest(words: Words) -> Words | None:
        at = 0
        while at < len(words) and (words[at].is_option or re.match(r"[A-Za-z_]\w*=", words[at].text)):
            at += 2 if takes.fullmatch(words[at].text) else 1
        if at >= len(words):
            return None
        if own and not words[at].is_number:
            return []
        return words[at + own :]

    return rest


CARRIERS: dict[str, Callable[[Words], Words | None]] = {
    "sudo": _after("-[ugpUCrtD]"),
    "doas": _after("-u"),
    "time": _after(),
    "nice": _after("-n"),
    "nohup": _after(),
    "watch": _after("-[nd]"),
    "env": _after("-u"),
    "timeout": _after("-[ks]", 1),
    "command": _after(),
    "builtin": _after(),
    "exec": _after("-a"),
    "xargs": _after("-[nIPLsda]"),
    "strace": _after("-[eopPs]"),
    "setsid": _after(),
    "stdbuf": _after("-[ioe]"),
    "ionice": _after("-[cnp]"),
    "coproc": _after(),
}
