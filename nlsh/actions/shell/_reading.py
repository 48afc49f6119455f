"""Does a raw command only read? A cautious guess from its words.

It decides how much a command is given, not whether it is safe: one that is taken for reading is run without any right to change, by the
kernel, so a wrong yes is a command that fails; a wrong no is a question too many.
"""

from __future__ import annotations

import re
import shlex


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PLAIN = _words(
    "ls dir cat head tail wc grep egrep fgrep rg stat file du df ps pgrep pidof pstree free uptime uname arch nproc whoami id groups users who w last "
    "pwd echo printf true false test [ which type basename dirname realpath readlink uniq cut tr nl tac rev column comm join paste fold fmt expand "
    "diff cmp diff3 md5sum sha1sum sha224sum sha256sum sha384sum sha512sum b2sum cksum sum od hexdump strings less more zcat zgrep zless bzcat xzcat "
    "zstdcat lsblk lscpu lsmem lsusb lspci lsmod lsof lsns findmnt blkid locate getent locale tty seq yes sleep expr bc factor cal nm objdump readelf "
    "ldd size jq vmstat iostat mpstat pidstat top htop printenv tree fd fdfind bat exa eza cd man apropos whatis journalctl numfmt shuf "
    "getconf logname hostid tput stty look"
)
_NETWORK = _words("ss netstat ip ifconfig route")

# command: words or options that make it change something, run something, or write a file
_UNLESS = {
    "find": r"-(exec|execdir|ok|okdir|delete|fprint|fprint0|fprintf|fls)",
    "fd": r"-(x|X|-exec|-exec-batch).*",
    "fdfind": r"-(x|X|-exec|-exec-batch).*",
    "sort": r"-[a-zA-Z]*o.*|--o.*|--compress.*",
    "tree": r"-[a-zA-Z]*o.*|--output.*",
    "rg": r"--pre\b.*|--hostname-bin.*",
    "less": r"-[a-zA-Z]*[oO].*|--log.*|--LOG.*",
    "date": r"-s.*|--s.*|\d+",
    "hostname": r"[^-].*|-F.*|-b.*|--file.*|--boot.*",
    "mount": r".*",
    "env": r".*",
    "sed": r"-[a-zA-Z]*i.*|--in-place.*|-[a-zA-Z]*f.*|--file.*|.*[wWe]( .*|$)|.*/[a-zA-Z0-9]*[we][a-zA-Z0-9]*",
    "awk": r".*(>|\||system|getline|close).*|-f.*|-i.*|--.*",
    "ip": r"add|del|delete|set|change|replace|flush|append|exec|-b.*|-batch",
    "ifconfig": r"up|down|add|del|[0-9].*",
    "route": r"add|del|flush",
    "ss": r"-K|--kill|-D.*|--diag.*",
    "tput": r"reset|init",
    "stty": r"[^-].*|-[^aFg].*",
    "journalctl": r"--(rotate|vacuum|flush|sync|relinquish|smart|update|setup|cursor-file).*",
    "jq": r"-n?i.*",
    "bat": r"cache",
}
_ALLOWED_WITH = frozenset({*_PLAIN, *_NETWORK, "find", "sort", "date", "hostname", "mount", "env", "sed", "awk"})
# command: the subcommands that only read, and what must not stand among their words
_SUBCOMMANDS = {
    "git": (
        "status log diff show blame ls-files ls-tree rev-parse describe shortlog grep cat-file rev-list merge-base reflog whatchanged",
        r"--(output|ext-diff|open-files-in-pager).*|-O.*|expire|delete",
    ),
    "apt": ("list show search policy", r""),
    "apt-cache": ("show search policy depends rdepends pkgnames showpkg madison", r""),
    "dpkg": ("-l -L -s -S --list --listfiles --status --search --get-selections --print-architecture", r""),
    "rpm": ("-q -qa -qi -ql -qf --query", r"--(install|erase|upgrade|import|rebuilddb|initdb|setperms|setugids|pipe).*"),
    "pip": ("list show freeze", r"--log.*"),
}  # fmt: skip
# What puts another command after itself.
_CARRIERS = frozenset({"time", "xargs", "nice"})
# Substitution, here-documents, subshells, background, history and more lines than one: not looked into.
_NOT_LOOKED_INTO = re.compile(r"[`\n\r\0]|\$[({'\"]|<<|<\(|>\(|(?<![&>])&(?![&>\d])|^\s*!|\(|\)|\{|\}.*;|;;")
_SEPARATORS = {"|", "|&", "||", "&&", ";"}
_REDIRECTIONS = {">", ">>", "<", "&>", "&>>", ">|"}


def only_reads(command: str) -> bool:
    """Whether every command of the pipeline or list is known to only read, and nothing is written to but /dev/null."""
    if _NOT_LOOKED_INTO.search(_without_single_quoted(command)):
        return False
    try:
        lexer = shlex.shlex(command, posix=True, punctuation_chars="();<>|&")
        lexer.whitespace_split = True
        lexer.commenters = ""
        words = list(lexer)
    except ValueError:
        return False
    parts: list[list[str]] = [[]]
    while words:
        word = words.pop(0)
        if word in _SEPARATORS:
            parts.append([])
        elif word in _REDIRECTIONS:
            if not words or (word != "<" and words[0] != "/dev/null"):
                return False
            words.pop(0)
            _drop_descriptor(parts[-1])
        elif word in (">&", "<&"):
            if not words or not words[0].isdigit():
                return False
            words.pop(0)
            _drop_descriptor(parts[-1])
        elif word and all(c in "();<>|&" for c in word):
            return False
        else:
            parts[-1].append(word)
    if len(parts) > 1 and not parts[-1] and command.rstrip().endswith(";"):
        parts.pop()
    return bool(parts) and all(_part_reads(p) for p in parts)


def needs_network_state(command: str) -> bool:
    """Whether a reading command asks the kernel about the network."""
    return bool(_NETWORK & set(re.findall(r"[\w.-]+", command)))


def _without_single_quoted(command: str) -> str:
    # Inside '…' a shell looks into nothing; anything else that looks quoted may still be substituted into, "it's $(this)" too.
    kept, quote, at = [], "", 0
    while at < len(command):
        char = command[at]
        if char == "\\" and quote != "'":
            kept.append(command[at : at + 2])
            at += 2
            continue
        if quote != "'" or char in "'\n\r\0":
            kept.append(char)
        if char in "'\"" and quote in ("", char):
            quote = "" if quote else char
        at += 1
    return "".join(kept)


def _drop_descriptor(part: list[str]) -> None:
    if part and part[-1].isdigit():
        part.pop()


def _part_reads(words: list[str]) -> bool:
    if not words:
        return False
    name, rest = words[0], words[1:]
    if name in _CARRIERS:
        while rest and (rest[0].startswith("-") or rest[0].isdigit()):
            if name == "xargs" and re.fullmatch(r"-[aIiEedLlnPs]", rest[0]):
                rest.pop(0)  # its value follows
            rest = rest[1:]
        return _part_reads(rest) if rest else name == "xargs"
    if name in _SUBCOMMANDS:
        known, never = _SUBCOMMANDS[name]
        options = []
        while name == "git" and rest and rest[0] in ("-C", "--no-pager"):
            options.append(rest.pop(0))
            if options[-1] == "-C" and rest:
                rest.pop(0)
        return bool(rest) and rest[0] in known.split() and not any(never and re.fullmatch(never, w) for w in rest[1:])
    if rest in (["--version"], ["--help"]):
        return True
    if name not in _ALLOWED_WITH:
        return False
    if name == "uniq" and sum(not w.startswith("-") for w in rest) > 1:
        return False  # its second file is written
    if name in ("sed", "awk"):
        rest = _script(rest)
    never = _UNLESS.get(name, "")
    return not never or not any(re.fullmatch(never, w) for w in rest)


def _script(words: list[str]) -> list[str]:
    """Return the options and the script of sed or awk: what follows names files, and those may look like anything."""
    place = next((n for n, w in enumerate(words) if not w.startswith("-") and (n == 0 or words[n - 1] not in ("-F", "-v"))), len(words))
    return [*words[: place + 1], *(w for n, w in enumerate(words) if n > place and (w.startswith("-") or words[n - 1] == "-e"))]
