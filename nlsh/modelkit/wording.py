"""Vary the wording of a phrasing without touching its slots: synonyms, dropped small words, chatter around it, typos."""

from __future__ import annotations

import random

BEFORE = [
    "hey",
    "hi",
    "ok",
    "okay so",
    "please",
    "pls",
    "could you",
    "can you please",
    "would you kindly",
    "i need you to",
    "now",
    "quick",
    "computer,",
    "hey shell,",
    "alright,",
    "um,",
    "so",
    "right,",
    "hello, please",
    "i want you to",
    "go ahead and",
    "just",
    "yo",
    "if you can,",
    "next,",
    "ok now",
    "can u",
]
AFTER = [
    "please",
    "thanks",
    "thank you",
    "pls",
    "now",
    "asap",
    "for me",
    "if possible",
    "right away",
    "ok?",
    "when you can",
    "cheers",
    "quickly",
    "will you",
    "would you",
    "k thx",
    "right now",
    "today",
    "thx",
    "plz",
]
BEFORE_ZH = ["请", "帮我", "麻烦", "麻烦你", "请帮我", "能不能", "可以", "你好，", "那个，", "帮忙", "现在", "给我", "我想", "快", "嗯，"]
AFTER_ZH = ["吧", "谢谢", "一下", "好吗", "，谢谢", "，快点", "呗", "，麻烦了", "啊", "可以吗"]
SYNONYMS = [
    line.split("|")
    for line in """show|display|print|show me|give me|let me see|tell me
find|locate|look for|search for|hunt for|track down
folder|directory|dir
delete|remove|erase|get rid of|trash|del|rm
move|relocate|transfer|shift|put|mv
copy|duplicate|replicate|cp
computer|machine|pc|box|system|laptop
bigger|larger|greater
big|large|huge
biggest|largest|heaviest
newest|latest|most recent
last|past|previous
all|every|all the
kill|terminate|end|stop|quit
process|program|task|app
processes|programs|tasks|apps
cpu|processor
memory|ram|mem
create|make|set up
use|uses|using|take up
limit|cap|restrict|throttle
permissions|perms|rights|mode
archive|zip|compress
extract|unpack|unzip|uncompress
check|see|look at
is there|do i have|are there
want|need|would like
space|room|storage
list|enumerate|ls
graphics card|gpu|video card
size|how big
older than|more than
changed|modified|edited
connected|plugged in|attached
hard drive|disk|drive
drives|disks
lines|rows""".splitlines()
]
_SYNONYMS: dict[str, list[str]] = {}
for _group in SYNONYMS:
    for _word in _group:
        _SYNONYMS.setdefault(_word, []).extend(w for w in _group if w != _word)
SMALL = set(
    [
        "the",
        "a",
        "an",
        "of",
        "me",
        "my",
        "please",
        "to",
        "in",
        "on",
        "for",
        "can",
        "you",
        "i",
        "is",
        "are",
        "that",
        "this",
        "it",
        "and",
        "some",
        "any",
        "just",
        "there",
    ]
)
NEAR = {"q": "wa", "w": "qes", "e": "wrd", "r": "etf", "t": "ryg", "y": "tuh", "u": "yij", "i": "uok", "o": "ipl", "p": "ol", "a": "qsz", "s": "adwx", "d": "sfec", "f": "dgrv", "g": "fhtb", "h": "gjyn", "j": "hkum", "k": "jlim", "l": "kop", "z": "xas", "x": "zcs", "c": "xvd", "v": "cbf", "b": "vng", "n": "bmh", "m": "nj"}  # fmt: skip


def typo(word: str, rng: random.Random) -> str:
    """Return `word` with one slip of the fingers: swapped, dropped, doubled or neighbouring letters."""
    if len(word) < 4 or not word.isascii():
        return word
    i, kind = rng.randrange(len(word) - 1), rng.random()
    if kind < 0.3:
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    if kind < 0.55:
        return word[:i] + word[i + 1 :]
    if kind < 0.75:
        return word[:i] + word[i] + word[i:]
    return word[:i] + rng.choice(NEAR.get(word[i].lower(), word[i])) + word[i + 1 :]


def vary(text: str, rng: random.Random, language: str) -> str:
    """Return another wording of `text`; words that hold a slot stay as they are."""
    if language == "zh":
        if rng.random() < 0.15:
            text = rng.choice(BEFORE_ZH) + text
        if rng.random() < 0.15:
            text = text.rstrip("。？！") + rng.choice(AFTER_ZH)
        return text
    words = text.split(" ")
    if rng.random() < 0.4:
        words = _with_synonyms(words, rng)
    if rng.random() < 0.3:
        kept = [w for w in words if "{" in w or not (w.lower() in SMALL and rng.random() < 0.4)]
        words = kept or words
    if rng.random() < 0.18:
        words = [*rng.choice(BEFORE).split(" "), *words]
    if rng.random() < 0.18:
        words = [*words, *rng.choice(AFTER).split(" ")]
    if rng.random() < 0.25:
        words = [w if "{" in w or rng.random() > 0.15 else typo(w, rng) for w in words]
    return " ".join(words)


def _with_synonyms(words: list[str], rng: random.Random) -> list[str]:
    out, i = [], 0
    while i < len(words):
        two = " ".join(words[i : i + 2]).lower()
        if two in _SYNONYMS and rng.random() < 0.4:
            out.append(rng.choice(_SYNONYMS[two]))
            i += 2
        elif words[i].lower() in _SYNONYMS and rng.random() < 0.3:
            out.append(rng.choice(_SYNONYMS[words[i].lower()]))
            i += 1
        else:
            out.append(words[i])
            i += 1
    return " ".join(out).split(" ")
