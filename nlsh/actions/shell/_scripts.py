"""Scripts of sed and awk that only read: what they may say, and which options may stand beside them."""

from __future__ import annotations

import re

from nlsh.actions.shell._words import Word

_ADDRESS = re.compile(r"\s*(\d+(~\d+)?|\$|/(\\.|[^/\\\n])*/[IM]?)(\s*,\s*([+~]?\d+|\$|/(\\.|[^/\\\n])*/[IM]?))?\s*")
# Commands of one letter that print, delete or move between the two buffers; none of them takes a file's name or starts a program.
_LETTERS = re.compile(r"!?\s*([pdDPnNgGhHx=l]|[qQ]\s*\d*)\s*")
_CHANGE_FLAGS = re.compile(r"[gpiIMm\d]*\s*")


def sed_reads(words: list[Word]) -> bool:
    """Whether sed with these words only prints."""
    scripts, operands = [], 0
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word.splits or (word.may_be_option and not word.known):
            return False
        text = word.text
        if text in ("-e", "--expression"):
            if not rest or not rest[0].known:
                return False
            scripts.append(rest.pop(0).text)
        elif text.startswith("-") and text != "-":
            if not re.fullmatch(r"-[nErsuz]+|--(quiet|silent|regexp-extended|separate|unbuffered|null-data|sandbox|posix|debug)", text):
                return False
        elif operands == 0 and not scripts:
            if not word.known:
                return False
            scripts.append(text)
        else:
            operands += 1
    return bool(scripts) and all(map(_sed_script_reads, scripts))


def _sed_script_reads(script: str) -> bool:
    at = 0
    while at < len(script):
        if script[at] in "; \n\t{}":
            at += 1
        elif (found := _ADDRESS.match(script, at)) or (found := _LETTERS.match(script, at)):
            at = found.end()
            if found.re is _LETTERS and script[at : at + 1] not in ("", ";", "\n", "}"):
                return False
        elif script[at] in "!":
            at += 1
        elif script[at] in "sy" and (end := _end_of_change(script, at)):
            at = end
            if script[at : at + 1] not in ("", ";", "\n", "}"):
                return False
        else:
            return False
    return True


def _end_of_change(script: str, at: int) -> int:
    """Return the end of s/…/…/flags or y/…/…/, 0 where it is none that only prints."""
    mark = script[at + 1 : at + 2]
    if mark in ("", "\\", "\n", " ") or mark.isalnum():
        return 0
    place, seen = at + 2, 0
    while place < len(script) and seen < 2:
        if script[place] == "\\":
            place += 1
        elif script[place] == "\n":
            return 0
        elif script[place] == mark:
            seen += 1
        place += 1
    if seen < 2:
        return 0
    found = _CHANGE_FLAGS.match(script, place)
    return found.end() if found else 0


def awk_reads(words: list[Word]) -> bool:
    """Whether awk with these words only prints."""
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word.splits or not word.known:
            return False
        if word.text in ("-F", "-v"):
            if not rest or rest.pop(0).splits:
                return False
        elif not re.fullmatch(r"-F.+|-v\w+=.*", word.text, re.S):
            # The script; what follows are files, and one that begins with a dash is one all the same.
            return _awk_script_reads(word.text) and not any(w.splits for w in rest) and all(w.text[:1] != "-" or w.text == "-" for w in rest)
    return False


def _awk_script_reads(script: str) -> bool:
    if script.startswith("-") or re.search(r"system|getline|close|fflush|@|\bextension\b", script) or "|" in script.replace("||", ""):
        return False
    # Only print writes into files: an arrow before the first of them compares.
    return ">" not in script[script.find("print") if "print" in script else len(script) :]
