"""Values: how people write texts, names, paths, kinds, patterns and modes, and what they mean; amounts are in `nlsh.plan.amounts`.

A plan keeps every value as it was written ("100MB", "two days", "下载文件夹"); `parse` turns it into a number or a name when
the call is bound. Each type raises ValueError with a sentence a person can act on. English and Chinese forms are
accepted everywhere. Types that need to look at the machine (does this path exist?) only tidy the text here; `world`
resolves it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nlsh.plan.frozen import frozen
from nlsh.plan.kinds import kind_extensions
from nlsh.plan.later import later

if TYPE_CHECKING:
    from nlsh.plan.records import Record


class ValueType:
    """What one argument accepts. `name` is the word used in documentation, `example` one written form."""

    name = "value"
    example = "value"
    choices: tuple[str, ...] = ()

    def parse(self, written: Any) -> Any:
        """Return the value that `written` means. Raises ValueError."""
        raise NotImplementedError

    def heard(self, written: str, request: str) -> str:
        """Return how to write what `written`, a piece of the sentence `request`, means there: as it is, unless the words around it turn its meaning."""
        return written


class Text(ValueType):
    """Any text, taken as it is."""

    name = "text"
    example = "hello world"

    def parse(self, written: Any) -> str:
        if not isinstance(written, str) or not written:
            raise ValueError("it must be some text")
        return written


class Name(Text):
    """A bare name: of a program, a user, a service."""

    name = "name"
    example = "firefox"


class Paths(ValueType):
    """One or more files or folders: paths, names, patterns, or the result of an earlier call."""

    name = "paths"
    example = "~/Downloads/report.pdf"

    def __init__(self, *, or_lines: bool = False) -> None:
        """`or_lines`: the lines of an earlier result do as well, where it is text and no files. The value is then Rows."""
        self.or_lines = or_lines

    def parse(self, written: Any) -> Any:
        if self.or_lines and isinstance(written, Rows):
            return written
        items = written if isinstance(written, (tuple, list)) else (written,)
        for item in items:
            if not isinstance(item, str) or not item:
                raise ValueError("it must be a path, or several")
            if "\0" in item:
                raise ValueError("a path cannot contain a zero byte")
        return tuple(items)


class Files(Paths):
    """One or more files: the action refuses folders. `for_folders` names the action that does for those what is meant."""

    def __init__(self, for_folders: str = "", *, or_lines: bool = False) -> None:
        super().__init__(or_lines=or_lines)
        self.for_folders = for_folders


class Path(Paths):
    """One file or folder."""

    name = "path"

    def parse(self, written: Any) -> Any:
        items = super().parse(written)
        if isinstance(items, Rows):
            return items
        if len(items) != 1:
            raise ValueError("it must be one path")
        return items[0]


class Unordered(tuple[str, ...]):
    """Paths that stand for a reference, in an order that nobody has asked for: as they happened to be found."""


@frozen(slots=False)
class Rows:
    """What stands for a reference once its call has run: the records, by which action they came, and where relative paths of them start.

    `unordered`: they come as they happened to be found.
    """

    records: tuple[Record, ...] = ()
    action: str = ""
    cwd: str = ""
    unordered: bool = False

    def __str__(self) -> str:
        return "_"


class Result(ValueType):
    """The records of an earlier call: `_` for the last turn's, or a call's own name. The value is Rows."""

    name = "result"
    example = "_"

    def parse(self, written: Any) -> Rows:
        if isinstance(written, Rows):
            return written
        # In a worker: the rows that are wanted were picked before.
        if written == "_":
            return Rows()
        raise ValueError("it must be the result of an earlier call: _ for the last one")


class Choice(ValueType):
    """One of a few words."""

    name = "choice"

    def __init__(self, *choices: str) -> None:
        self.choices = choices
        self.example = choices[0]

    def parse(self, written: Any) -> str:
        if written not in self.choices:
            raise ValueError(f"it must be one of {', '.join(self.choices)}")
        return str(written)


class Flag(ValueType):
    """True or false."""

    name = "flag"
    example = "true"

    def parse(self, written: Any) -> bool:
        if isinstance(written, bool):
            return written
        if str(written).lower() in ("true", "yes"):
            return True
        if str(written).lower() in ("false", "no"):
            return False
        raise ValueError("it must be true or false")


class Kind(ValueType):
    """A kind of file in anybody's words: "pdfs", "images", ".log files", "图片". Parsed to its extensions."""

    name = "kind"
    example = "pdfs"

    def parse(self, written: Any) -> tuple[str, ...]:
        return kind_extensions(str(written))


_WHAT = r"(?:(?:anything|everything|those|all|names?|files?|the files|all files|things?)\s+)?(?:(?:that|which|whose names?)\s+)?"
_NAMED = {
    later(rf"{_WHAT}end(?:s|ing)?\s+(?:in|with|on)\s+(\S+)|(?:所有)?(?:名字|文件名)?以?\s*(\S+?)\s*(?:结尾|为后缀)的?(?:文件)?", re.I): "*{}",
    later(rf"{_WHAT}(?:start(?:s|ing)?|begin(?:s|ning)?)\s+with\s+(\S+)|(?:所有)?(?:名字|文件名)?以?\s*(\S+?)\s*(?:开头|打头)的?(?:文件)?", re.I): "{}*",
    later(
        rf"{_WHAT}contain(?:s|ing)?\s+(\S+)|with\s+(\S+)\s+in\s+(?:the|their|its)\s+names?"
        r"|(?:名字|文件名)?(?:里|中)?(?:包含|含有|含|带有|有)\s*(\S+?)\s*的(?:文件)?", re.I
    ): "*{}*",
}  # fmt: skip
_FILES = later(r"(?:(?:all|the|my|any|every|those|these)\s+)*(\S.*?)\s+files?|(?:所有的?|全部的?)?\s*(.+?)\s*(?:的)?文件", re.I)


class Glob(ValueType):
    """A name pattern: "*.log", "report*", ".tmp files", or a part of a name."""

    name = "pattern"
    example = "*.log"

    def parse(self, written: Any) -> str:
        text = str(written).strip().strip("\"'`")
        if not text:
            raise ValueError("it must be a name or a pattern such as *.log")
        if "/" in text:
            raise ValueError(f"“{text}” is a path, not a name pattern; say the folder on its own")
        if re.search(r"\{[^}]*,[^}]*\}", text):
            raise ValueError(f"“{text}” is several patterns; say one, or the kinds of file")
        plain = text.isascii() and " " not in text
        for said, pattern in () if plain else _NAMED.items():
            if match := said.fullmatch(text):
                part = next(g for g in match.groups() if g).strip("\"'`“”")
                return part if any(c in part for c in "*?[") else pattern.format(part)
        if not plain and (match := _FILES.fullmatch(text)):
            text = match[1] or match[2]
            ending = text.lstrip(".")
            if not any(c in text for c in "*?[") and re.fullmatch(r"[\w+-]{1,12}(?:\.\w{1,5})?", ending):
                return f"*.{ending}"
        if re.fullmatch(r"\.\w+(\.\w+)?", text) and text.lower() not in (
            ".bashrc",
            ".profile",
            ".env",
            ".gitignore",
            ".zshrc",
            ".vimrc",
            ".git",
            ".ssh",
            ".config",
            ".cache",
            ".npmrc",
            ".bash_history",
        ):
            return f"*{text}"
        return text


_MODE_WORDS = {
    "a+x": ("executable", "runnable", "+x", "x", "exec", "可执行", "执行权限", "可执行权限", "能运行", "可运行", "executable by everyone", "所有人可执行"),
    "a-w": (
        "read-only",
        "readonly",
        "read only",
        "ro",
        "unwritable",
        "只读",
        "只读权限",
        "not writable",
        "non-writable",
        "write-protected",
        "write protected",
        "不可写",
        "不能改",
        "写保护",
    ),
    "u+w": ("writable", "writeable", "editable", "+w", "w", "可写", "写权限", "可写权限", "可编辑"),
    "go-rwx": (
        "private",
        "only mine",
        "owner only",
        "owner-only",
        "secret",
        "私有",
        "私密",
        "仅自己可见",
        "only me",
        "just me",
        "only for me",
        "only i can read",
        "readable only by me",
        "只有我能看",
        "只有我能读",
        "仅自己可读",
        "仅本人可见",
    ),
    "a+r": (
        "readable",
        "+r",
        "world-readable",
        "world readable",
        "public",
        "readable by everyone",
        "everyone can read",
        "readable by all",
        "可读",
        "公开",
        "所有人可读",
        "人人可读",
    ),
    "g+w": ("group writable", "group-writable", "writable by the group", "同组可写"),
    "a-x": ("non-executable", "not executable", "-x", "不可执行"),
}
_MODE_BY_WORD = {word: mode for mode, words in _MODE_WORDS.items() for word in words}
_SYMBOLIC = later(r"[ugoa]*(?:[+-][rwxXst]+|=[rwxXst]*)(?:,[ugoa]*(?:[+-][rwxXst]+|=[rwxXst]*))*")


class Mode(ValueType):
    """File permissions: "755", "u+x", "executable", "read-only", "private". Parsed to chmod's own notation."""

    name = "mode"
    example = "755"
    choices = ("executable", "read-only", "writable", "private")

    def parse(self, written: Any) -> str:
        text = re.sub(r"^(?:chmod|mode|permissions?|权限)\s*", "", str(written).strip().lower()).strip()
        if re.fullmatch(r"(?:0|0o)?[0-7]{3}", text):
            return text[-3:].zfill(3)
        if re.fullmatch(r"0?[1-7][0-7]{3}", text):
            raise ValueError("setuid, setgid and sticky bits are not set by nlsh")
        if re.fullmatch(r"[d-]?[r-][w-][x-]([r-][w-][x-]){2}", text):
            text = text[-9:]
            return "".join(str(sum(b for c, b in zip(text[i : i + 3], (4, 2, 1), strict=True) if c != "-")) for i in (0, 3, 6))
        if text in _MODE_BY_WORD:
            return _MODE_BY_WORD[text]
        if _SYMBOLIC.fullmatch(text):
            if "s" in text or "t" in text:
                raise ValueError("setuid, setgid and sticky bits are not set by nlsh")
            return ",".join("a" + part if part[0] in "+-=" else part for part in text.split(","))
        raise ValueError(f"“{written}” is not a mode such as 755, u+x, executable or read-only")


def apply_mode(symbolic: str, old: int) -> int:
    """Return the permission bits that `symbolic` (octal or chmod notation) makes of `old`, for a file that is not a folder.

    >>> oct(apply_mode("a+x", 0o640)), oct(apply_mode("755", 0o600))
    ('0o751', '0o755')
    """
    if symbolic.isdigit():
        return int(symbolic, 8)
    new = old
    for part in symbolic.split(","):
        who, sign, what = re.fullmatch(r"([ugoa]*)([+=-])([rwxX]*)", part).groups()  # type: ignore[union-attr]
        bits = 0
        for target in "ugo" if "a" in who or not who else who:
            shift = {"u": 6, "g": 3, "o": 0}[target]
            for letter in what:
                wanted = {"r": 4, "w": 2, "x": 1, "X": 1 if old & 0o111 else 0}[letter]
                bits |= wanted << shift
            if sign == "=":
                new &= ~(7 << shift)
        new = new & ~bits if sign == "-" else new | bits
    return new
