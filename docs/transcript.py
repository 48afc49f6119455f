"""Type at a real nlsh in a scratch home and put what it says into the README, between the transcript marks.

    python docs/transcript.py [--print]

Nothing in the README's transcript is written by hand.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from pathlib import Path

import pexpect

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- transcript: python docs/transcript.py -->", "<!-- end of transcript -->"
PROMPT = re.compile(r"\S+ L\d (?:\(\d+\) )?\$ $")
ASKED = "Run this? [y/N/a/e/?] "
# What is typed, and what is answered if nlsh asks.
SESSION = (
    ("which files in my downloads folder are larger than 50MB", "n"),
    ("move the pdfs in my downloads folder to Documents", "y"),
    ("undo", "y"),
    ("ls Downloads", "n"),
    ("delete everything on this computer", "n"),
)


def furnish(home: Path) -> None:
    """Put a few files into the scratch home, with sizes and dates."""
    now = time.time()
    for name, size, days in (
        ("debian.iso", 700 << 20, 40),
        ("talk.mp4", 120 << 20, 3),
        ("thesis.pdf", 2_400_000, 5),
        ("invoice.pdf", 81_000, 20),
        ("photo.jpg", 3_100_000, 2),
    ):
        file = home / "Downloads" / name
        file.parent.mkdir(exist_ok=True)
        with file.open("wb") as out:
            out.truncate(size)
        os.utime(file, (now - days * 86400, now - days * 86400))
    (home / "Documents").mkdir()


def talk(home: Path) -> str:
    """Return what is on the screen after the session."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "NLSH_"))}
    # A dumb terminal gets plain text: no sequences that would have to be taken out again.
    env |= {"HOME": str(home), "PYTHONPATH": str(ROOT), "TERM": "dumb", "LC_ALL": "C.UTF-8", "PROMPT_TOOLKIT_NO_CPR": "1"}
    child = pexpect.spawn(sys.executable, ["-m", "nlsh"], env=env, cwd=str(home), encoding="utf-8", timeout=60, dimensions=(60, 120))
    said = ""

    def until(*patterns: object) -> int:
        nonlocal said
        found = child.expect(list(patterns))
        said += child.before + child.after
        return int(found)

    until(PROMPT)
    for line, answer in SESSION:
        child.send(line + "\r")
        while until(PROMPT, re.escape(ASKED), r"(?:Which|Do that)\? [^\n]*\] ") != 0:
            child.send((answer if child.after.endswith(ASKED) else "1") + "\r")
    child.close(force=True)
    text = "\n".join(line.rstrip() for line in said.replace("\r", "").splitlines())
    return re.sub(r"\n\S+ L\d (?:\(\d+\) )?\$$", "", text.rstrip())


def main() -> int:
    """Make the transcript; print it, or write it into the README."""
    with tempfile.TemporaryDirectory(prefix="nlsh-") as scratch:
        home = Path(scratch) / "ada"
        home.mkdir()
        furnish(home)
        text = talk(home)
    block = f"{BEGIN}\n```\n{text}\n```\n{END}"
    if "--print" in sys.argv[1:]:
        print(block)
        return 0
    readme = ROOT / "README.md"
    old = readme.read_text(encoding="utf-8")
    readme.write_text(re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: block, old, flags=re.S), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
