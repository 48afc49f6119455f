"""The front matter of a SKILL.md, as the agentskills form has it; and how a pack that is not valid is refused."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any

from nlsh.plan.errors import NlshError

_FRONT = ("name", "description", "license", "compatibility", "metadata", "allowed-tools")
MOST_BYTES = 1 << 20  # of one file of a pack


class BadPack(NlshError):
    """A skill pack is not valid; the message names the file and what is wrong with it."""

    code = "skills.bad-pack"
    exit_status = 2


def near(word: str, known: list[str]) -> str:
    """Return what was probably meant, or all there is."""
    import difflib

    close = difflib.get_close_matches(word, known, 1)
    return f"Did you mean {close[0]}?" if close else f"There is: {', '.join(known)}." if known else "None is installed."


def read_text(file: Path) -> str:
    """Return the text of a pack's file. Raises BadPack: whose pack it is may have put a pipe, a device or a huge file there."""
    try:
        with open(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise BadPack(f"{file} cannot be read: it is no file.", hint="Nothing was run.")
            data = opened.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise BadPack(f"{file} has more than {MOST_BYTES:,} bytes.", hint="Nothing was run.")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise BadPack(f"{file} cannot be read: {error.strerror}.", hint="Nothing was run.") from error
    except UnicodeDecodeError as error:
        raise BadPack(f"{file} cannot be read: it is not valid UTF-8.", hint="Nothing was run.") from error


def read_front_matter(file: Path) -> dict[str, Any]:
    """Return the front matter of a SKILL.md: texts, block texts and one level of maps, the part of YAML that the form needs. Raises BadPack."""
    lines = read_text(file).splitlines()
    if not lines or lines[0].strip() != "---" or "---" not in [line.strip() for line in lines[1:]]:
        raise BadPack(f"{file} must start with front matter between two lines of ---.")
    end = next(i for i, line in enumerate(lines[1:], start=1) if line.strip() == "---")
    found: dict[str, Any] = {}
    key = ""
    for number, line in enumerate(lines[1:end], start=2):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        indented = line[0] in " \t"
        match = re.fullmatch(r"\s*([A-Za-z][\w-]*):(?:\s+(.*))?", line)
        if indented and isinstance(found.get(key), str):
            found[key] = f"{found[key]} {line.strip()}".strip()
        elif indented and match and key:
            found[key][match[1]] = _scalar(match[2] or "")
        elif not indented and match:
            key = match[1]
            text = _scalar(match[2] or "")
            found[key] = {} if not text and key == "metadata" else "" if text in (">", ">-", "|", "|-") else text
        else:
            raise BadPack(f"{file}:{number}: this line is not understood: {line.strip()}")
    for key in found:
        if key not in _FRONT:
            raise BadPack(f"{file}: unknown key “{key}” in the front matter. {near(key, list(_FRONT))}")
    return found


def _scalar(text: str) -> str:
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return re.sub(r"\s+#.*$", "", text)
