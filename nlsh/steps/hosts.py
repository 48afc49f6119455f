"""The step that changes the hosts file: an entry is added, or a name taken out of all entries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

from nlsh.plan.errors import NotPossible
from nlsh.steps.content import ChangeContent

_MOST_BYTES = 64 << 20


@dataclass(frozen=True, kw_only=True)
class EditHosts(ChangeContent):
    """Give the name `host` the address `address` in the hosts file, or, where that is empty, take it out."""

    host: str
    address: str = ""

    def words(self) -> str:
        return f"add {self.address} {self.host} to {self.path}" if self.address else f"take {self.host} out of {self.path}"

    def rewrite(self, source: IO[bytes], target: IO[bytes]) -> None:
        old = source.read(_MOST_BYTES + 1)
        if len(old) > _MOST_BYTES:
            raise NotPossible(f"{self.path} is larger than {_MOST_BYTES >> 20} MB: that is no hosts file.", hint="Nothing was changed.")
        if self.address:
            target.write(old + (b"" if not old or old.endswith(b"\n") else b"\n") + f"{self.address}\t{self.host}\n".encode())
            return
        for line in old.splitlines(keepends=True):
            target.write(without(line, self.host))


def without(line: bytes, host: str) -> bytes:
    """Return a line of a hosts file without a name; nothing of it is left where that was its only one."""
    entry, mark, comment = line.partition(b"#")
    words = entry.split()
    kept = [w for w in words[1:] if w.lower() != host.lower().encode()]
    if len(words) < 2 or len(kept) == len(words) - 1:
        return line
    if not kept:
        return b""
    end = b" " + mark + comment if mark else line[len(line.rstrip(b"\r\n")) :]
    return words[0] + b"\t" + b" ".join(kept) + end
