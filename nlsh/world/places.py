"""From what people call a place to its path: "my downloads folder", "下载文件夹", "~/x", "the logs folder", "report".

A path that exists as written always wins; then the user's well-known folders (XDG user dirs); then a name that exists under the working
directory or the home folder in another case or without its ending. A place is never invented: NotFound names the nearest.
"""

from __future__ import annotations

import os
import re

from nlsh.plan.errors import NotFound, Refused

# well-known folder: (XDG key, default under home, what people call it)
_USER_DIRS: dict[str, tuple[str, tuple[str, ...]]] = {
    "DOWNLOAD": ("Downloads", ("downloads", "download", "dl", "下载", "下載")),
    "DOCUMENTS": ("Documents", ("documents", "document", "docs", "my docs", "文档", "文件档", "我的文档", "文稿")),
    "DESKTOP": ("Desktop", ("desktop", "桌面")),
    "PICTURES": ("Pictures", ("pictures", "picture", "photos", "pics", "images", "图片", "照片", "相册")),
    "MUSIC": ("Music", ("music", "music library", "songs", "音乐")),
    "VIDEOS": ("Videos", ("videos", "video", "movies", "视频", "影片")),
    "TEMPLATES": ("Templates", ("templates", "模板")),
    "PUBLICSHARE": ("Public", ("public", "公共")),
}
_HERE = {"here", "this folder", "this directory", "current folder", "current directory", "the current folder", "the current directory", "working directory", "cwd", "this dir", "this place", "current dir", "the folder i'm in", "right here", "in here", "where i am", "where i am now", "这里", "这儿", "当前目录", "当前文件夹", "这个目录", "这个文件夹", "本目录", "此目录", "当前位置", "本文件夹"}  # fmt: skip
_HOME = {"home", "my home", "home folder", "home directory", "my home folder", "my home directory", "my files", "my folder", "home dir", "my home dir", "my account", "主目录", "家目录", "我的主目录", "我的文件", "用户目录", "home目录", "个人文件夹", "主文件夹"}  # fmt: skip
_PARENT = {"the parent folder", "parent folder", "parent directory", "the parent directory", "the parent", "the folder above", "folder above", "the directory above", "directory above", "one folder up", "one directory up", "one level up", "one up", "up one level", "上级目录", "上一级目录", "上级文件夹", "上一层", "上一级", "上层", "上面的"}  # fmt: skip
_ROOT = {"the whole computer", "this computer", "whole computer", "whole system", "the whole system", "this machine", "the whole machine", "whole disk", "the whole disk", "everywhere", "root", "the root", "root directory", "filesystem root", "根目录", "整个系统", "整台电脑", "全盘", "整个硬盘"}  # fmt: skip
_SYSTEM = {"temp": "/tmp", "tmp": "/tmp", "temporary": "/tmp", "the temp directory": "/tmp", "临时": "/tmp", "log directory": "/var/log", "system logs": "/var/log", "system log": "/var/log", "系统日志": "/var/log", "etc": "/etc"}  # fmt: skip
_DETERMINER = re.compile(r"^(?:(?:the|my|our|your|that|this|inside|in|on|from|into|under)\s+|(?:我的|这个|那个)\s*)", re.I)
_NOUN = re.compile(r"\s+(?:folders?|directory|dir|file)$|\s*(?:目录|文件夹|资料夹)$", re.I)
# One character says little: "公里" is a word, "下载里" is "in downloads".
_POSITION = re.compile(r"(?<=..)\s*(?:里面|下面|里头|里|中|上|下|内)$")

_AROUND_A_NAME = re.compile(r"(?:the|my|a|an)\s+(.+?)\s+(?:folder|directory)", re.I)


def bare_names(written: str) -> list[str]:
    """Return the forms of `written` with the words around a name taken off, longest first."""
    forms = [written.strip()]
    while True:
        for words in (_DETERMINER, _POSITION, _NOUN):
            shorter = words.sub("", forms[-1], count=1).strip()
            if shorter and shorter != forms[-1]:
                forms.append(shorter)
                break
        else:
            return forms


def _user_dir(key: str, default: str, home: str) -> str:
    try:
        with open(os.path.join(os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config"), "user-dirs.dirs"), encoding="utf-8") as file:
            for line in file:
                if match := re.match(rf'\s*XDG_{key}_DIR="(.+)"', line):
                    return match[1].replace("$HOME", home)
    except (OSError, UnicodeDecodeError):
        pass
    return os.path.join(home, default)


def well_known(written: str, home: str, cwd: str) -> str | None:
    """Return the path of a place that has a name of its own (here, home, downloads, …), or None."""
    for form in bare_names(written.lower()):
        if form in _HERE:
            return cwd
        if form in _HOME:
            return home
        if form in _PARENT:
            return os.path.dirname(cwd)
        if form in _ROOT:
            return "/"
        for key, (default, words) in _USER_DIRS.items():
            if form in words:
                return _user_dir(key, default, home)
        if form in _SYSTEM:
            return _SYSTEM[form]
    return None


def absolute(written: str, *, cwd: str, home: str) -> str:
    """Return `written` as an absolute path, `~` expanded, `.` and `..` folded, links left alone."""
    if written == "~" or written.startswith("~/"):
        written = home + written[1:]
    elif written.startswith("~"):
        written = os.path.expanduser(written)
    path = os.path.normpath(os.path.join(cwd, written))
    return path[1:] if path.startswith("//") else path


def resolve(written: str, *, cwd: str, home: str, must_exist: bool = True) -> str:
    """Return the absolute path that `written` means.

    Raises NotFound, naming the nearest, if it must exist and does not; Refused if several things fit equally well. What need not exist
    is a place to put something: a folder is meant by it in another case, never a file.
    """
    for text in dict.fromkeys((written, written.strip().strip("\"'`") or written)):
        exact = absolute(text, cwd=cwd, home=home)
        if os.path.lexists(exact):
            return exact
    looks_like_path = "/" in text or text.startswith("~")
    known = None if looks_like_path else well_known(text, home, cwd)
    # A place to be made: "images" is a name, "my pictures folder" is that one.
    if known is not None and (os.path.lexists(known) or (not must_exist and not _is_plain_word(text))):
        return known
    if looks_like_path:
        if found := _in_any_case(text, cwd, home, whole=must_exist):
            return found
        if not must_exist:
            return absolute(text, cwd=cwd, home=home)
    else:
        for form in bare_names(text):
            hits = _by_name(form, (cwd, home), folders_only=not must_exist)
            if len(hits) == 1:
                return hits[0]
            if len(hits) > 1:
                raise Refused(f"“{written}” could be any of {', '.join(sorted(hits)[:4])}.", hint="Nothing was changed. Say which one.")
        if not must_exist:
            return absolute(bare_names(text)[-1], cwd=cwd, home=home)
    raise NotFound(f"There is no “{written}” here.", hint=_suggest(exact, cwd, home))


def new(written: str, *, cwd: str, home: str) -> str:
    """Return the absolute path for something that is to be made: a bare name is one in the working directory, whatever it is called.

    >>> new("the music folder", cwd="/work", home="/home/me"), new("profile.txt", cwd="/work", home="/home/me")
    ('/work/music', '/work/profile.txt')
    """
    text = written.strip().strip("\"'`") or written
    if "/" in text.rstrip("/") or text.startswith("~"):
        return _in_any_case(text, cwd, home, whole=False) or absolute(text, cwd=cwd, home=home)
    # “the music folder” is called music; “new folder” and “the end” are names.
    around = _AROUND_A_NAME.fullmatch(text)
    return absolute(around[1] if around else text, cwd=cwd, home=home)


def _is_plain_word(text: str) -> bool:
    return text.isascii() and " " not in text


def _in_any_case(text: str, cwd: str, home: str, *, whole: bool) -> str | None:
    """Return the path that `text` means when its folders are written in another case, or its first part is a well-known folder.

    With `whole`, all of it must exist; without, its first part must, and what is missing at the end is kept as it is written.
    """
    path = absolute(text, cwd=cwd, home=home)
    first, _, rest = text.partition("/")
    if first and first not in ("~", ".", "..") and not os.path.lexists(absolute(first, cwd=cwd, home=home)):
        # "docs/api" that is to be made has nothing to do with ~/Documents; "my documents/api" has.
        base = well_known(first, home, cwd) if whole or not _is_plain_word(first) else None
        if base is None or not os.path.isdir(base):
            hits = _by_name(first, (cwd, home) if whole else (cwd,), folders_only=True)
            base = hits[0] if len(hits) == 1 else None
        if base is not None:
            path = os.path.normpath(os.path.join(base, rest))
    found, parts = "/", [p for p in path.split("/") if p]
    for number, part in enumerate(parts):
        exact = os.path.join(found, part)
        if os.path.lexists(exact):
            found = exact
            continue
        try:
            same = [e for e in os.listdir(found) if e.lower() == part.lower()]
        except OSError:
            same = []
        if len(same) == 1 and (whole or os.path.isdir(os.path.join(found, same[0]))):
            found = os.path.join(found, same[0])
            continue
        return None if whole else os.path.join(found, *parts[number:])
    return found


def _by_name(name: str, folders: tuple[str, ...], *, folders_only: bool) -> list[str]:
    for folder in dict.fromkeys(folders):
        exact = os.path.join(folder, name)
        if os.path.isdir(exact) if folders_only else os.path.lexists(exact):
            return [os.path.normpath(exact)]
        try:
            entries = os.listdir(folder)
        except OSError:
            continue
        same = [e for e in entries if e.lower() == name.lower()]
        if folders_only:
            same = [e for e in same if os.path.isdir(os.path.join(folder, e))]
        elif not same and len(name) > 2:
            same = [e for e in entries if e.lower().rsplit(".", 1)[0] == name.lower() and not e.startswith(".")]
        if same:
            return [os.path.join(folder, e) for e in same]
    return []


def _suggest(exact: str, cwd: str, home: str) -> str:
    import difflib

    parent, name = os.path.split(exact)
    try:
        close = difflib.get_close_matches(name, os.listdir(parent), 2, 0.7)
    except OSError:
        return "Nothing was changed. Check the path."
    if close:
        return f"Nothing was changed. Did you mean {' or '.join(os.path.join(parent, c) for c in close)}?"
    return f"Nothing was changed. Looked in {cwd}{'' if cwd == home else f' and {home}'}."


def matches(written: tuple[str, ...], *, cwd: str, home: str) -> tuple[str, ...]:
    """Return the existing paths that names and patterns mean, in order, without repeats.

    A pattern (`*.log`, "log files") is matched inside its folder only, hidden names left out unless the pattern starts with a dot. A text
    that exists as a file is that file, even where it looks like a pattern. Raises NotFound where one of them matches nothing.
    """
    found: dict[str, None] = {}
    for item in written:
        exact = absolute(item, cwd=cwd, home=home)
        if os.path.lexists(exact) or not (pattern := _pattern(item)):
            found[resolve(item, cwd=cwd, home=home)] = None
            continue
        import glob as globbing

        hits = sorted(globbing.glob(absolute(pattern, cwd=cwd, home=home)))
        if not hits:
            raise NotFound(f"Nothing matches “{item}”.", hint="Nothing was changed.")
        found.update(dict.fromkeys(hits))
    return tuple(found)


def _pattern(item: str) -> str:
    """Return the pattern that `item` writes ("*.log", ".tmp files"), or an empty text where it is a name."""
    if any(c in item for c in "*?["):
        stripped = re.sub(r"\s*(?:files|文件)$", "", item.strip(), flags=re.I)
        return stripped if any(c in stripped for c in "*?[") else item
    if match := re.fullmatch(r"(?:all |the |all the |所有的?)?(\.[\w.]+)\s*(?:files|文件)", item.strip(), re.I):
        return f"*{match[1]}"
    return ""
