"""Steps on the content of texts: replace, convert encoding and line ends, lay out anew, and write a data file in another format."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from typing import IO, Any

from nlsh.plan.errors import NotPossible, Refused
from nlsh.steps import handles
from nlsh.steps.content import ChangeContent, WriteNew
from nlsh.world import data, layout
from nlsh.world.contents import CHUNK, looks_binary
from nlsh.world.replacing import Replacer

_UNCHANGED = "Nothing was changed by this step."


@dataclass(frozen=True, kw_only=True)
class ReplaceText(ChangeContent):
    """Put `by` wherever `text` stands. `count` is how often that was when it was looked at (-1: not counted), `shown` a few changed lines,
    `inside` how many of the places are parts of longer words.
    """

    text: str
    by: str
    ignore_case: bool = False
    count: int = -1
    shown: tuple[str, ...] = field(default=(), compare=False)
    inside: int = 0

    def as_data(self) -> dict[str, Any]:
        # The lines are for the preview: the journal holds nothing of what is in files.
        return {**super().as_data(), "shown": ()}

    def words(self) -> str:
        times = "wherever it stands" if self.count < 0 else "once" if self.count == 1 else f"{self.count} times"
        whole = "that" if self.count == 1 else "all of them" if self.inside == self.count else f"{self.inside} of them"
        inside = f", {whole} inside {'a longer word' if self.inside == 1 else 'longer words'}," if self.inside else ""
        lines = f" ({'; '.join(self.shown)})" if self.shown else ""
        return f"replace “{self.text}” by “{self.by}” {times}{inside} in {self.path}{lines}"

    def rewrite(self, source: IO[bytes], target: IO[bytes]) -> None:
        replacer = Replacer(self.text, self.by, ignore_case=self.ignore_case)
        done, size = 0, self.identity[3]
        while block := source.read(CHUNK):
            if not done and looks_binary(block[:8192]):
                raise NotPossible(f"{self.path} is not a text file.", hint=_UNCHANGED)
            target.write(replacer.feed(block))
            done += len(block)
            handles.progress(done, size, "bytes")
        target.write(replacer.finish())
        if replacer.unsafe:
            raise Refused(replacer.why_unsafe(self.path), hint=f"{_UNCHANGED} Convert it with text.encoding first.")
        if not replacer.count:
            raise NotPossible(f"“{self.text}” does not stand in {self.path}.", hint=_UNCHANGED)


@dataclass(frozen=True, kw_only=True)
class ConvertLineEnds(ChangeContent):
    """End all lines as Unix (LF) or Windows (CR LF) does. `lines` is how many change (-1: not counted)."""

    to: str
    lines: int = -1

    def words(self) -> str:
        count = "" if self.lines < 0 else f" ({self.lines} line{'' if self.lines == 1 else 's'} change{'s' if self.lines == 1 else ''})"
        return f"give {self.path} {'Windows (CR LF)' if self.to == 'windows' else 'Unix (LF)'} line endings{count}"

    def rewrite(self, source: IO[bytes], target: IO[bytes]) -> None:
        carried, done, changed = b"", 0, False
        while block := source.read(CHUNK):
            if not done and looks_binary(block[:8192]):
                raise NotPossible(f"{self.path} is not a text file.", hint=_UNCHANGED)
            done += len(block)
            block = carried + block
            # A CR at the end may belong to an LF that is still to come.
            carried = b"\r" if block.endswith(b"\r") else b""
            block = block[:-1] if carried else block
            new = block.replace(b"\r\n", b"\n") if self.to == "unix" else re.sub(rb"(?<!\r)\n", b"\r\n", block)
            changed = changed or len(new) != len(block)
            target.write(new)
            handles.progress(done, self.identity[3], "bytes")
        target.write(carried)
        if not changed:
            raise NotPossible(f"{self.path} has {self.to.capitalize()} line endings already.", hint=_UNCHANGED)


@dataclass(frozen=True, kw_only=True)
class ConvertEncoding(ChangeContent):
    """Write the text in another encoding, `to`; it was found to be in `old`. What either cannot hold stops it."""

    old: str
    to: str

    def words(self) -> str:
        return f"convert {self.path} from {self.old} to {self.to}"

    def rewrite(self, source: IO[bytes], target: IO[bytes]) -> None:
        decoder, encoder = codecs.getincrementaldecoder(self.old)(), codecs.getincrementalencoder(self.to)()
        done = 0
        while True:
            block = source.read(CHUNK)
            try:
                text = decoder.decode(block, not block)
            except UnicodeDecodeError as error:
                raise NotPossible(
                    f"{self.path} is not {self.old} throughout: byte {done + error.start} is 0x{error.object[error.start]:02x}.", hint=_UNCHANGED
                ) from error
            try:
                target.write(encoder.encode(text, not block))
            except UnicodeEncodeError as error:
                char = error.object[error.start]
                raise NotPossible(f"“{char}” (U+{ord(char):04X}) cannot be written in {self.to}.", hint=f"{_UNCHANGED} UTF-8 can hold it.") from error
            if not block:
                return
            done += len(block)
            handles.progress(done, self.identity[3], "bytes")


@dataclass(frozen=True, kw_only=True)
class LayOut(ChangeContent):
    """Lay out a JSON, YAML or XML file anew: the same data, two blanks for each level."""

    format: str

    def words(self) -> str:
        return f"lay out {self.path} as {self.format.upper()}"

    def rewrite(self, source: IO[bytes], target: IO[bytes]) -> None:
        try:
            target.write(layout.laid_out(source.read(data.MOST_BYTES + 1), self.format))
        except data.Malformed as error:
            raise error.of(self.path) from error


@dataclass(frozen=True, kw_only=True)
class ConvertData(WriteNew):
    """Write what a JSON, YAML, TOML or CSV file holds in another of these formats."""

    old: str
    to: str

    def words(self) -> str:
        return f"write {self.target} from {self.source}, as {self.to.upper()}"

    def produce(self, source: IO[bytes], target: IO[bytes]) -> None:
        try:
            target.write(layout.written(data.parse(source.read(data.MOST_BYTES + 1), self.old), self.to))
        except data.Malformed as error:
            raise error.of(self.source) from error
