"""What the user's shell has from line to line: variables, functions, aliases, options, the folders of pushd, and the status of the last line.

Every raw command runs in a shell of its own, so this is given to each and taken back from it. What came back was said by whatever ran, so it is
data: nlsh's own environment never takes it up, nor what export and unset say; what a command gets is put together when it starts. A name that
stands for other commands (a function, an alias) is written out in the command line itself before anybody judges it, so that preview, policy and
audit see what really runs; values are passed beside it. Those that choose programs are named to preview and policy (`choosing`).
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nlsh.plan.errors import SettingsError
from nlsh.shell.line.carried import CHOOSES, NOT_CARRIED, TIED, is_its_own, used_as_left, written
from nlsh.shell.line.detect import is_command, tree
from nlsh.shell.line.dialect import OPTIONS, SETOPTS, SHOPTS, Variable, as_bash, attributes, carried_lines, goes_on, is_in_words_of, last_words
from nlsh.shell.line.sentence import word_set
from nlsh.shell.show import escape
from nlsh.steps._shell import CARRIED, KEEPS, TYPED, is_whole, knows_state
from nlsh.steps.command import user_shell

if TYPE_CHECKING:
    from tree_sitter import Node

    from nlsh.shell.turn import Session

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FUNCTION_NAME = re.compile(r"[A-Za-z_][\w.:+@-]*")
_HEADS = re.compile(r"^(?=(?:function )?\S+ \(\) $)", re.M)  # where `declare -f` begins a function
_MOST_CARRIED = 100_000  # bytes of values: the kernel takes 128 KiB in one variable
_MOST_SHOWN = 100  # characters of a value in a preview
_MOST_WRITTEN = 50  # functions and aliases in one line
_SETS = word_set(
    "cd pushd popd dirs alias unalias set shopt read mapfile readarray eval source . let getopts umask printf declare export unset local typeset readonly"
    " setopt unsetopt integer float emulate dirs function functions abbr"
)
_SETTING = frozenset(("variable_assignment", "declaration_command", "unset_command", "function_definition", "for_statement", "c_style_for_statement"))


@dataclass
class ShellState:
    """The state of one session's shell, which is one of the kinds bash, sh, zsh and fish."""

    kind: str = field(default_factory=lambda: knows_state(user_shell()))
    variables: dict[str, Variable] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)  # variables of nlsh's own environment that the shell has not
    functions: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    options: frozenset[str] = frozenset()
    shopts: frozenset[str] | None = None
    pushed: tuple[str, ...] = ()
    umask: str = ""
    status: int = 0
    told: set[str] = field(default_factory=set)  # what is not kept and was said to be so
    _came: str = ""

    # --- what a line is -------------------------------------------------------------------------------------------

    def is_command(self, line: str) -> bool:
        """Return whether a line is plainly a command, for who has these functions and aliases and this PATH."""
        path = self.variables["PATH"].value if "PATH" in self.variables else None

        def here(part: str) -> bool:
            return is_command(as_bash(part, self.kind), {*self.functions, *self.aliases}, path=path)

        return here(line) or is_in_words_of(line, self.kind, here)

    def goes_on(self, line: str) -> bool:
        """Return whether a command line is not finished."""
        return goes_on(line.lstrip("!"), self.kind)

    def written_out(self, line: str) -> str:
        """Return the line with its aliases replaced, behind the functions that it may call."""
        line = self.without_aliases(line)
        used: dict[str, str] = {}
        waiting = [line]
        while waiting and len(used) < _MOST_WRITTEN:
            words = set(re.findall(r"[A-Za-z_][\w.:+@-]*", waiting.pop()))
            for name in sorted(words & self.functions.keys() - used.keys()):
                used[name] = self.functions[name]
                waiting.append(self.functions[name])
        return "\n".join([*used.values(), line])

    def without_aliases(self, line: str, not_again: frozenset[str] = frozenset()) -> str:
        """Return the line with every alias in the place of a command replaced by what it stands for."""
        known = self.aliases.keys() - not_again
        if not known or len(not_again) > _MOST_WRITTEN or not any(name in line for name in known):
            return line
        source = line.encode("utf-8", "surrogateescape")
        for node in reversed(list(_command_names(tree(line)))):
            name = (node.text or b"").decode("utf-8", "replace")
            if name in known:
                value = self.without_aliases(self.aliases[name], not_again | {name})
                source = source[: node.start_byte] + value.encode("utf-8", "surrogateescape") + source[node.end_byte :]
        return source.decode("utf-8", "surrogateescape")

    # --- running --------------------------------------------------------------------------------------------------

    def run(self, session: Session, line: str, request: str, *, direct: bool, behind: bool = False) -> int:
        """Run a raw command in a shell with this state, take up what it leaves, and return its status."""
        from nlsh.shell.turn import command_plan

        text = self.written_out(line)
        self._came = ""
        keeps = may_set(text) and not behind
        session.kernel.environment, session.kernel.carried = self.environment(keeps=keeps), self.choosing(text)
        try:
            self.status = session.run(command_plan(text), request, direct=direct, behind=behind)
            if keeps and session.job_control is not None and session.job_control.has(request):
                session.say(session.look.paint("  what this line sets is not there for later lines, since it was stopped", "yellow"))
            if self._came:
                self._take(session, self._came, text)
        finally:
            self.lend(session)
        return self.status

    def lend(self, session: Session) -> None:
        """Give the commands of sentences and plans what is exported, and say of it what chooses programs."""
        session.kernel.environment, session.kernel.carried = self.exported(), self.choosing()

    def note(self, event: dict[str, Any]) -> None:
        """Take notice of a kernel's event: what the shell of a command said of itself."""
        if event["type"] == "records":
            self._came = next((str(r.get("state", "")) for r in event["records"] if r.get("record") == "Kept"), self._came)

    def forget(self) -> None:
        """Forget what the last command's shell said: what it did was dropped."""
        self._came = ""

    def environment(self, *, keeps: bool) -> dict[str, str | None]:
        """Return what a command's job is told: the exported variables, and all else as text that its shell reads."""
        carried, own = self._carried(), self.kind in ("zsh", "fish")
        if not (own or keeps or carried or self.variables or self.removed or self.status):
            return {}
        words = {CARRIED: last_words(self.kind, carried, CARRIED, self.status), **({KEEPS: "1"} if keeps else {}), **({TYPED: "1"} if own else {})}
        return {**self.exported(), **words}

    def exported(self) -> dict[str, str | None]:
        """Return how the environment of a command differs from nlsh's own; None: it has no such variable."""
        plain = {n: v.value for n, v in self.variables.items() if "x" in v.attributes and not set(v.attributes) & set("aA")}
        return {**dict.fromkeys(self.removed), **plain}

    def value(self, name: str) -> str:
        """Return what a variable holds in this shell; empty where there is none."""
        found = self.variables.get(name)
        return found.value if found is not None else "" if name in self.removed else os.environ.get(name, "")

    def choosing(self, line: str = "") -> dict[str, str]:
        """Return, by its name, what of this state may choose which programs a command line runs, and how its preview says so."""
        used = used_as_left(line) if line and (self.variables or self.removed) else frozenset()
        found = {}
        for name in sorted(n for n in {*self.variables, *self.removed} if CHOOSES.fullmatch(n) or n in used):
            gone = f"without {name}, which an earlier line removed"
            found[name] = gone if name in self.removed else f"with {name}={_shown(name, self.value(name))} from an earlier line"
        if self.umask and int(_own_umask(), 8) & ~int(self.umask, 8):
            found["umask"] = f"with umask {self.umask} from an earlier line: what is made may be open to others"
        return found

    def _carried(self) -> str:
        text = "".join(f"{line}\n" for line in carried_lines(self))
        return text if len(text.encode("utf-8", "surrogateescape")) <= _MOST_CARRIED else ""

    # --- what comes back ------------------------------------------------------------------------------------------

    def _take(self, session: Session, said: str, text: str) -> None:
        if not is_whole(said):
            return
        reader = _Reader(self, text)
        folder = reader.read(said.split("\0"))
        for words in sorted(set(reader.lost) - self.told):
            session.say(session.look.paint(f"nlsh: {escape(words)} is not kept for later lines.", "yellow"))
        self.told.update(reader.lost)
        if reader.computed and _lets(session, reader.computed):
            self.variables |= reader.computed
        if sum(len(v.value) + sum(len(k) + len(i) for k, i in v.items) for v in self.variables.values()) > _MOST_CARRIED:
            session.say(session.look.paint("nlsh: the shell's variables are too long to be carried to the next line; their values are not there.", "yellow"))
        if folder and folder != os.getcwd():
            try:
                stand_in(session, folder)
            except (OSError, SettingsError) as error:
                session.say(f"nlsh: {escape(str(error))}")

    def export(self, name: str, value: str) -> None:
        """Give the commands of later lines a variable; nlsh itself keeps the environment it was started with."""
        self.removed.discard(name)
        self.variables[name] = Variable("x", value)

    def unset(self, name: str) -> None:
        """Forget a variable, or a function where there is no such variable."""
        if name not in self.variables and (name not in os.environ or name in self.removed):
            self.functions.pop(name, None)
        self.variables.pop(name, None)
        if name in os.environ:
            self.removed.add(name)


class _Reader:
    """Reads what a shell said into a state: names that are none are left out, and whatever follows is data."""

    def __init__(self, state: ShellState, text: str) -> None:
        self.state, self.text = state, text
        self.variables: dict[str, Variable] = {}
        self.functions: dict[str, str] = {}
        self.aliases: dict[str, str] = {}
        self.pushed: list[str] = []
        self.folder = ""
        self.lost: list[str] = []  # what is there and is not kept, in words
        self.computed: dict[str, Variable] = {}  # what chooses programs and is not written in the line

    def read(self, parts: list[str]) -> str:
        """Take it all up and return the folder that the shell stood in."""
        state, at = self.state, iter(parts)
        said_all = False
        for kind in at:
            if kind == "cwd":
                self.folder = next(at, "").removesuffix("\n")
            elif kind == "umask":
                said = next(at, "").removesuffix("\n")
                state.umask = said if re.fullmatch(r"[0-7]{3,4}", said) and int(said, 8) != int(_own_umask(), 8) else ""
            elif kind == "value":
                self._variable(next(at, ""), Variable(attributes(next(at, "")), next(at, "")))
            elif kind == "array":
                name, said, count = next(at, ""), next(at, ""), next(at, "")
                items = tuple((next(at, ""), next(at, "")) for _ in range(min(int(count), len(parts)) if re.fullmatch(r"[0-9]{1,7}", count) else 0))
                self._variable(name, Variable(attributes(said), items=items))
            elif kind == "functions":
                for text in _HEADS.split(next(at, "")):
                    self._function(text.partition(" () ")[0].removeprefix("function "), text.rstrip("\n"))
            elif kind == "alias":
                name = next(at, "")
                self.aliases[name] = next(at, "")
            elif kind == "options":
                said_all = True
                state.options = OPTIONS & set(next(at, "").split(":"))
            elif kind == "setopt":
                said_all = True
                state.options = SETOPTS & set(next(at, "").split())
            elif kind == "said":
                said_all = True
            elif kind == "function":
                self._function(next(at, ""), next(at, "").rstrip("\n"))
            elif kind == "lost":
                self.lost.append(next(at, ""))
            elif kind == "shopts":
                state.shopts = SHOPTS & set(next(at, "").split(":"))
            elif kind == "pushed":
                self.pushed = next(at, "").splitlines()[1:]
            elif kind == "exports":
                exports, _, values, _, aliases = (next(at, "") for _ in range(5))
                self._plain(exports, values, aliases)
                said_all = True
        if said_all:
            self._settle()
        return self.folder if self.folder.startswith("/") else ""

    def _settle(self) -> None:
        state = self.state
        self._hold_back()
        state.removed = {n for n in os.environ if n not in self.variables and not NOT_CARRIED.fullmatch(n) and _NAME.fullmatch(n)}
        state.variables = {n: v for n, v in self.variables.items() if not (set(v.attributes) <= {"x"} and "x" in v.attributes and os.environ.get(n) == v.value)}
        # Those that were not written out before the line were not there to be said.
        for name in [n for n in state.functions if re.search(rf"(?<![\w]){re.escape(n)}(?![\w])", self.text)]:
            del state.functions[name]
        state.functions |= self.functions
        # Those of fish are functions; what nlsh keeps of them is its own.
        said = self.aliases if state.kind != "fish" else state.aliases
        state.aliases = {n: v for n, v in said.items() if n and not re.search(r"[\s$`'\"\\/=|&;()<>]", n)}
        state.pushed = tuple(self.pushed)

    def _hold_back(self) -> None:
        """Leave what chooses programs as it was, where the line has computed it: nobody could read in the line what it would become."""
        state = self.state
        before = {n: Variable("x", v) for n, v in os.environ.items() if n not in state.removed} | state.variables
        known = {n: v.value for n, v in before.items() if n not in state.variables or CHOOSES.fullmatch(n)} | {"PWD": os.getcwd()}
        for name, variable in [(n, v) for n, v in self.variables.items() if CHOOSES.fullmatch(n)]:
            if is_its_own(name, variable.attributes, os.environ):
                del self.variables[name]
            elif variable.items or (variable.value != before.get(name, Variable("")).value and variable.value not in written(self.text, name, known)):
                self.computed[name] = self.variables.pop(name)
                if name in before:
                    self.variables[name] = before[name]

    def _variable(self, name: str, variable: Variable) -> None:
        if self.state.kind == "zsh" and name in TIED:
            return
        if NOT_CARRIED.fullmatch(name) or not _NAME.fullmatch(name) or not re.fullmatch("[aAilurxtc]*", variable.attributes):
            return
        # What a shell computes with may run something: numbers in arrays, and what integers hold, are numbers.
        numbers = [k for k, _ in variable.items] if "A" not in variable.attributes else []
        if "i" in variable.attributes:
            numbers += [variable.value or "0", *(v for _, v in variable.items)]
        if all(re.fullmatch(r"-?\d+", number) for number in numbers):
            self.variables[name] = variable

    def _function(self, name: str, text: str) -> None:
        """Keep a function if its text is one definition of it and nothing else: it is put before later lines."""
        if not _FUNCTION_NAME.fullmatch(name):
            return
        if self.state.kind == "fish":
            # As fish itself writes it, from its first word to its last.
            text = re.sub(r"\A(#.*\n)+", "", text)
            if re.match(rf"function {re.escape(name)}(?=[\s;])", text) and text.endswith("\nend"):
                self.functions[name] = text
            return
        root = tree(text)
        one = root.named_children[0] if root.named_child_count == 1 else None
        if one is not None and not root.has_error and one.type == "function_definition" and (one.named_children[0].text or b"").decode() == name:
            self.functions[name] = text
        elif self.state.kind == "zsh":
            self.lost.append(f"the function {name}, which is in words that only zsh reads")

    def _plain(self, exports: str, values: str, aliases: str) -> None:
        """Read what `export -p`, `set` and `alias` print in a shell of sh's kind."""
        exported = {w.partition("=")[0] for w in _split(exports)}
        for word in _split(values):
            name, equals, value = word.partition("=")
            if equals:
                self._variable(name, Variable("x" if name in exported else "", value))
        # Those that were there are not said again: a sh would replace them a second time in lines that have none any more.
        self.aliases = {**self.state.aliases, **{n: v for n, equals, v in (w.partition("=") for w in _split(aliases)) if equals}}
        for node in tree(self.text).named_children:
            if node.type == "function_definition":
                self._function((node.named_children[0].text or b"").decode(), (node.text or b"").decode())


def _lets(session: Session, computed: dict[str, Variable]) -> bool:
    """Return whether what a line computed is carried to the next though it chooses programs: somebody who is asked says so."""
    names = ", ".join(computed)
    if session.options.yes:
        return True
    if session.can_ask():
        session.say(*(session.look.paint(f"  {escape(n)}={escape(_shown(n, v.value))}", "yellow") for n, v in computed.items()))
        try:
            return session.read(f"The line computed what chooses the programs of later lines ({names}). Carry it on? [y/N] ").strip().lower() in ("y", "yes")
        except EOFError:
            return False
    session.say(session.look.paint(f"nlsh: {names}: computed by this line, and chooses what later lines run, so it is not carried on. Write it out.", "yellow"))
    return False


def may_set(text: str) -> bool:
    """Return whether a command line may leave its shell another state: what cannot, is not asked for it."""
    root = tree(text)
    if root.has_error:
        return True
    waiting: list[Node] = [root]
    while waiting:
        node = waiting.pop()
        if node.type in _SETTING and not (node.type == "variable_assignment" and node.parent is not None and node.parent.type == "command"):
            return True
        if node.type == "command_name" and (node.text or b"").decode("utf-8", "replace").strip("\\'\"") in (*_SETS, "command", "builtin"):
            return True
        if node.type in ("expansion", "compound_statement") and re.search(rb":?=|\+\+|--", node.text or b""):
            return True
        waiting += node.children
    return False


def stand_in(session: Session, folder: str) -> None:
    """Change nlsh's folder, with the rules that hold there. Raises OSError, and SettingsError where these are broken: then it stays where it was."""
    from nlsh.world import World

    here = os.getcwd()
    os.chdir(folder)
    try:
        # A project's own rules hold from the moment one stands in it.
        session.policy = session.kernel.policy = session.policy.renewed()
    except SettingsError:
        os.chdir(here)
        raise
    os.environ["OLDPWD"], os.environ["PWD"] = here, os.getcwd()
    session.kernel.world = World()


def _command_names(root: Node) -> Iterator[Node]:
    waiting = [root]
    found = []
    while waiting:
        node = waiting.pop()
        if node.type == "command_name" and node.child_count == 1 and node.children[0].type == "word":
            found.append(node)
        waiting += node.children
    yield from sorted(found, key=lambda n: n.start_byte)


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return []


def _shown(name: str, value: str) -> str:
    from nlsh.world.identity import HIDDEN, is_secret

    return HIDDEN if is_secret(name, value) else value if len(value) <= _MOST_SHOWN else f"{value[:_MOST_SHOWN]}…"


def _own_umask() -> str:
    mask = os.umask(0o077)
    os.umask(mask)
    return f"{mask:04o}"
