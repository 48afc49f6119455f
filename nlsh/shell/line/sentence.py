"""One word of a line that may be a command or a sentence: what it says for the one or the other."""

from __future__ import annotations

import os
import re
from functools import cached_property
from glob import glob

from nlsh.plan.frozen import frozen


def has_cjk(text: str) -> bool:
    """Return whether there is a Chinese, Japanese or Korean character in a text."""
    return not text.isascii() and re.search(r"[\u3000-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]", text) is not None


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


# Words that stand in sentences and hardly in commands.
FUNCTION_WORDS = word_set("""
    a about after already also am an and any anything are as be because been before between biggest bigger but by can could did do does don't every
    everything for from give had has have her here his how i i'm if in inside into is isn't it its it's largest like me more most my named newer newest not of
    older oldest only or our out please she should slow so some something than that that's the their them then there these they this those to today too tonight
    tomorrow under until
    us using was we were what what's whatever when where which whichever while who whose why will with without won't yesterday you your running taking eating
    called crashed crashes broken broke stuck frozen freezes freezing hangs eats uses failed failing down
""")
# These are also names of subcommands, targets and groups: they count where nothing else speaks for a command.
WEAK_WORDS = word_set(
    "version versions process processes package packages database databases container containers problem problems error errors "
    "settings usage installed missing all show list on off first last use up down find running here out new old next again now"
)
# Beside them even an option does not make a command.
STRONG_WORDS = word_set("the my your this these those me it them is are was please a an")
_PATHLIKE = re.compile(r"[~/]|\.{1,2}$|.*[*?\[{/]|.*\.[A-Za-z0-9~]{1,8}$|\.\w")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?[smhdkMGT%]?")
_OPTION = re.compile(r"-[\w?#@-]\S*|--|-|\+[A-Za-z]+")


@frozen(slots=False)
class Operand:
    """A word after a program's name, as it is written; `quoted`: some of it is."""

    text: str
    quoted: bool = False

    @cached_property
    def exists(self) -> bool:
        """Whether it is a file that is there, or a pattern that finds some."""
        path = os.path.expanduser(os.path.expandvars(self.text))
        return bool(glob(path)) if any(c in path for c in "*?[") and not self.quoted else os.path.lexists(path)

    @property
    def is_option(self) -> bool:
        """Whether it is an option."""
        return _OPTION.fullmatch(self.text) is not None and not self.quoted

    @property
    def is_path(self) -> bool:
        """Whether it is a file, or is written as only files are."""
        return self.quoted or self.text.startswith("$") or self.exists or (_PATHLIKE.match(self.text) is not None and not has_cjk(self.text[-1:]))

    @property
    def is_number(self) -> bool:
        """Whether it is a number, with a unit perhaps."""
        return _NUMBER.fullmatch(self.text) is not None

    @property
    def is_function_word(self) -> bool:
        """Whether it is a word that sentences need, and no file."""
        return not self.quoted and self.text.lower().strip(",.!?;:") in FUNCTION_WORDS and not (self.text.startswith(".") or self.exists)

    @property
    def is_sentence(self) -> bool:
        """Whether it is written as words of a sentence are: with its marks, or in a script that no program's words have."""
        if self.quoted or self.text.startswith("$"):
            return False
        if self.text.endswith(("?", "!", ",", "？", "。", "，")) and len(self.text) > 1:
            return not self.exists
        return has_cjk(self.text) and not self.is_path
