"""Scripts: a file of lines, each as it would be typed: sentences, commands, plans, cd and export. `#!/usr/bin/env nlsh` makes one executable.

    #!/usr/bin/env nlsh
    # Comments and empty lines mean nothing; a backslash at its end continues a line.
    cd $1
    stale = file.find(under=".", named="*.bak", older="30d")
    file.trash(stale)
    !tar czf ../notes.tar.gz .

Lines of plan text that follow one another are one plan, with one approval. `$1`…`$9`, `${10}`, `$@`, `$#` and `$0` are the arguments; what they
hold never becomes another command or call: a command's shell is given them as its own arguments (`set -- 'a b'; cat "$1"`), whose values no shell
reads again; in a plan they are put into values after it was parsed.
A script ends at the first line that fails, with its status, as under `set -e` in a shell; `set +e` goes on, and then a script whose last line was
done ends with 5 where an earlier one was not. `exit N` ends it.
"""

from __future__ import annotations

import io
import re
import shlex
import tokenize
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from nlsh.plan import registry
from nlsh.plan.errors import BadPlan, NlshError
from nlsh.plan.frozen import frozen
from nlsh.plan.plan import Call, Plan, Value
from nlsh.shell.line.builtins import Leave, Words
from nlsh.shell.line.detect import tree
from nlsh.shell.options import Options, UsageError, checked_request
from nlsh.shell.turn import Session, one_line
from nlsh.skills.words import RUN_BY_A_SHELL

if TYPE_CHECKING:
    from tree_sitter import Node

MOST_BYTES = 1 << 20
PARTLY = 5
_PLAN_LINE = re.compile(r"(?:[a-z_][a-z0-9_]*\s*=\s*)?[a-z][a-z_]*\.[a-z][a-z_]*\(")
_JOB_BEGINS = re.compile(r"with (?:every|at|when|background)\(")
_JOB_LINE = re.compile(r"with (?:every|at|when|background)\(.*\):.*\)")
_ARGUMENT = re.compile(r"\$(?:([0-9#@])|\{([0-9]+|#|@)\})")
_OF_ARGUMENTS = re.compile(r"\$\{?[#!]?[0-9@*#]")  # those, and what a shell makes of them
_EXIT = re.compile(r"exit(\s+(\d{1,3}|\$\S+))?(\s+#.*)?")
_NAME = "_nlsh_script"  # a shell cannot be told its $0 afterwards
_SPLIT = frozenset(("command", "command_name", "file_redirect", "for_statement", "array", "test_command"))
_PARTS = frozenset(("concatenation", "binary_expression", "unary_expression", "negated_expression", "parenthesized_expression"))


@frozen(slots=False)
class Statement:
    """A line of a script, or several of one plan: where it stands and what it says."""

    number: int
    text: str
    plan: bool = False


def run(options: Options) -> int:
    """Run the script that is the first of the words, with the others as its arguments; return its status. Raises UsageError and BadPlan."""
    file, *arguments = options.words
    statements = read(file)
    script = Script(file, arguments)
    for statement in statements:
        script.check(statement)
    with Session.start(options) as session:
        return script.run(statements, session)


def read(file: str) -> list[Statement]:
    """Return the statements of a script. Raises UsageError for what cannot be read."""
    try:
        with open(file, "rb") as opened:
            data = opened.read(MOST_BYTES + 1)
        text = data.decode("utf-8-sig")  # as editors of Windows write it
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.", hint="Nothing was run.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not valid UTF-8.", hint="Nothing was run.") from error
    if len(data) > MOST_BYTES:
        raise UsageError(f"{file} has more than {MOST_BYTES:,} bytes.", hint="Nothing was run.")
    return statements_of(text)


def statements_of(text: str) -> list[Statement]:
    """Return what a script says, comments and empty lines left out."""
    found: list[Statement] = []
    begun, whole, last_plan = 0, "", -1
    for number, line in enumerate(text.splitlines(), start=1):
        begun = begun or number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            whole += line[:-1]
            continue
        whole, said, at = "", (whole + line).strip(), begun
        begun = 0
        if not said or said.startswith("#"):
            continue
        if "#" in said and (_PLAN_LINE.match(said) or _JOB_BEGINS.match(said)):
            said = _without_comment(said)
        is_plan = bool(_PLAN_LINE.match(said)) and said.endswith(")")
        if _JOB_LINE.fullmatch(said):
            found.append(Statement(at, said, plan=True))
            last_plan = -1
            continue
        if is_plan and found and found[-1].plan and last_plan == at - 1:
            found[-1] = replace(found[-1], text=f"{found[-1].text}\n{said}")
        else:
            found.append(Statement(at, said, is_plan))
        last_plan = number if is_plan else -1
    if whole:
        found.append(Statement(begun, whole.strip()))
    return found


class Script:
    """A script that runs, with its arguments."""

    def __init__(self, name: str, arguments: list[str]) -> None:
        self.name, self.arguments = name, arguments

    def check(self, statement: Statement) -> None:
        """Raise UsageError for an argument that is not given, and BadPlan for plan text that is none: before anything is run."""
        for match in _ARGUMENT.finditer(_without_quoted(statement.text)):
            which = match[1] or match[2]
            if which.isdigit() and int(which) > len(self.arguments):
                many = f"{len(self.arguments)} argument{'' if len(self.arguments) == 1 else 's'}"
                raise UsageError(f"{self.name}:{statement.number} uses {match[0]}, and there are {many}.", hint="Nothing was run.")
        if statement.text.split(None, 1)[0] == "exit" and not _EXIT.fullmatch(statement.text):
            raise UsageError(f"{self.name}:{statement.number}: exit takes one number.", hint="Nothing was run. A sentence that begins with it: ?exit …")
        if statement.plan:
            try:
                registry.parse(statement.text)
            except BadPlan as error:
                raise BadPlan(f"{self.name}:{statement.number}: {error.message}", hint=error.hint or "Nothing was run.") from error

    def run(self, statements: list[Statement], session: Session) -> int:
        """Run the statements in order and return the status of the whole."""
        words = Words(session)
        stops, status, failed = True, 0, False
        for statement in statements:
            if statement.text in ("set -e", "set +e"):
                stops = statement.text == "set -e"
                continue
            try:
                status = self._one(statement, session, words)
            except Leave as leave:
                return leave.status
            except NlshError as error:
                status = session.fail(error)
            failed = failed or status != 0
            if status and stops:
                if statement is not statements[-1]:
                    session.say(f"nlsh: {self.name}:{statement.number} ended with status {status}; the rest was not run.")
                return status
        return status or (PARTLY if failed else 0)

    def _one(self, statement: Statement, session: Session, words: Words) -> int:
        if statement.plan:
            plan = self.filled(registry.parse(statement.text))
            return session.run(plan, one_line(plan))
        text = statement.text
        raw, first = text.startswith("!"), text.split(None, 1)[0]
        if first in words.known and (status := words.handle(self.in_own_words(text))) is not None:
            return status
        if raw or first in words.aliases or (not text.startswith("?") and session.is_command(text)):
            text = text.removeprefix("!").strip()
            direct = "!" if text.startswith("!") else ""
            line = direct + self.in_command(text.removeprefix("!").strip())
            return session.command(checked_request("!" + line)[1:], request=line)
        return session.sentence(checked_request(self.in_text(text)).removeprefix("?").strip())

    def value(self, which: str) -> str:
        """Return what an argument holds: its number, `#` or `@`."""
        if which == "#":
            return str(len(self.arguments))
        if which == "@":
            return " ".join(self.arguments)
        return self.name if which == "0" else self.arguments[int(which) - 1]

    def in_text(self, text: str) -> str:
        """Return a sentence with the arguments in it."""
        return _ARGUMENT.sub(lambda m: self.value(m[1] or m[2]), text)

    def in_command(self, line: str) -> str:
        """Return a command line behind what gives its shell the arguments; where one stands outside of quotes, it is put into double ones."""
        source = line.encode("utf-8", "surrogateescape")
        uses = [node for node in _nodes(tree(line)) if node.type in ("simple_expansion", "expansion") and _OF_ARGUMENTS.match(_text(node))]
        if not uses and not _OF_ARGUMENTS.search(_without_quoted(line)):
            return line
        named = ""
        for node in sorted(uses, key=lambda n: -n.start_byte):
            if _ARGUMENT.fullmatch(written := _text(node)):
                if written in ("$0", "${0}"):
                    named, written = f"{_NAME}={shlex.quote(self.name)}; ", f"${{{_NAME}}}"
                new = f'"{written}"' if _would_be_split(node) else written
                source = source[: node.start_byte] + new.encode() + source[node.end_byte :]
        return f"{named}set {shlex.join(['--', *self.arguments])}; {source.decode('utf-8', 'surrogateescape')}"

    def in_own_words(self, line: str) -> str:
        """Return a line for the shell's own words, which run nothing, with the arguments in it, each quoted; in single quotes nothing is replaced."""
        found, quote, at = [], "", 0
        while at < len(line):
            char = line[at]
            match = _ARGUMENT.match(line, at) if quote != "'" else None
            if match:
                which = match[1] or match[2]
                values = self.arguments if which == "@" and not quote else [self.value(which)]
                found.append(" ".join(re.sub(r'([\\"$`])', r"\\\1", v) if quote else shlex.quote(v) for v in values))
                at = match.end()
                continue
            if char == "\\" and quote != "'":
                found.append(line[at : at + 2])
                at += 2
                continue
            if char in "'\"" and quote in ("", char):
                quote = "" if quote else char
            found.append(char)
            at += 1
        return "".join(found)

    def filled(self, plan: Plan) -> Plan:
        """Return a plan with the arguments in its values; a value that is `$@` alone becomes all of them. A command line is given them as its shell's."""

        def value_of(value: Value) -> Value:
            if isinstance(value, tuple):
                return tuple(self.in_text(v) for v in value)
            if value == "$@":
                return tuple(self.arguments)
            return self.in_text(value) if isinstance(value, str) else value

        def in_call(call: Call) -> Call:
            lines = {k: self.in_command(v) for k, v in call.args.items() if RUN_BY_A_SHELL.get(call.action) == k and isinstance(v, str)}
            return replace(call, args={k: lines[k] if k in lines else value_of(v) for k, v in call.args.items()})

        return replace(plan, calls=tuple(map(in_call, plan.calls)))


def _without_comment(line: str) -> str:
    """Return a line of plan text without the comment behind it; as it is where it is none."""
    try:
        for token in tokenize.generate_tokens(io.StringIO(line).readline):
            if token.type == tokenize.COMMENT:
                return line[: token.start[1]].rstrip()
    except (tokenize.TokenError, SyntaxError):
        pass
    return line


def _without_quoted(line: str) -> str:
    """Return a line without what stands in single quotes, where nothing is replaced."""
    return re.sub(r"'[^']*'", "''", line) if not _PLAN_LINE.match(line) else line


def _nodes(root: Node) -> Iterator[Node]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += node.children


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "surrogateescape")


def _would_be_split(node: Node) -> bool:
    """Return whether a shell would make several words of an expansion, or file names: it stands outside of quotes."""
    above = node.parent
    while above is not None and above.type in _PARTS:
        above = above.parent
    return above is not None and above.type in _SPLIT
