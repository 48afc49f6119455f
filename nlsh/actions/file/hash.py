"""file.hash: the checksum of files, or whether a file has the one it should have."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.errors import BadArgument, NlshError, NotPossible, StaleStep
from nlsh.plan.records import Note, Record
from nlsh.plan.records.files import Checksum
from nlsh.plan.terms import HASHES, Among
from nlsh.plan.values import Files, Name
from nlsh.steps import handles
from nlsh.world import World
from nlsh.world.files import identity, is_same

_DIGITS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128, "blake2b": 128}
_BLOCK = 1 << 18
_TOLD = 1 << 24
_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


class Hash(Action):
    """Compute the checksum of files, or check one."""

    name = "file.hash"
    effects = ("fs.read",)

    class Args(BaseArgs):
        paths = arg(Files(), "The files.", required=True)
        algorithm = arg(Among(HASHES), "md5, sha1, sha256, sha512 or blake2b.", default="sha256")
        expect = arg(Name(), "The checksum that it must have.")

    def look(self, args: Any, world: World) -> Any:
        found = list(dict.fromkeys(os.path.realpath(p) for p in world.matches(args.paths)))
        for path in found:
            if os.path.isdir(path):
                hint = "Nothing was changed. Name the files in it, or compare folders with file.compare."
                raise NotPossible(f"{path} is a folder: only files have a checksum.", hint=hint)
        expected, algorithms = _expected(args)
        if expected and len(found) > 1:
            raise BadArgument("Only one file can have the expected checksum.", hint="Name one file, or leave expect out.")
        return {"paths": found, "expect": expected, "algorithms": algorithms}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return tuple(Effect("fs.read", p) for p in seen["paths"])

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        done, total = 0, sum(_size(p) for p in seen["paths"])
        for path in seen["paths"]:
            sums = _sums(path, tuple(seen["algorithms"]), done, total)
            done += _size(path)
            if not sums:
                if len(seen["paths"]) == 1:
                    raise StaleStep(f"{path} changed while it was read: it has no checksum yet.", hint="Nothing was changed. Ask again when it is finished.")
                yield Note(f"{path} changed while it was read: it has no checksum yet.")
                continue
            if not (expected := seen["expect"]):
                yield from (Checksum(digest, path, name) for name, digest in sums.items())
                continue
            name = next((n for n, digest in sums.items() if digest == expected), "")
            if not name:
                said = " or ".join(f"its {n} checksum is {digest}" for n, digest in sums.items())
                hint = "Nothing was changed. Do not use the file: fetch it again."
                raise NlshError(f"{path} is not what was expected: {said}, not {expected}.", hint=hint, code="file.differs")
            yield Checksum(expected, path, name, True)
            yield Note(f"{path} has the {name} checksum that was expected.")

    examples = (
        Example(
            say=("sha256 of abc.bin", "checksum of abc.bin", "compute the hash of abc.bin", "计算abc.bin的校验和"),
            plan='file.hash("abc.bin")',
            given={"abc.bin": "abc"},
            result=(_ABC,),
        ),
        Example(
            say=("md5 of every txt file here", "the md5 checksums of *.txt", "这里所有txt文件的md5"),
            plan='file.hash("*.txt", algorithm="md5")',
            given={"a.txt": "abc", "b.txt": ""},
            result=("900150983cd24fb0d6963f7d28e17f72", "d41d8cd98f00b204e9800998ecf8427e"),
        ),
        Example(
            say=(f"does abc.bin have the checksum {_ABC}", f"verify that the sha256 of abc.bin is {_ABC}", f"检查abc.bin的校验和是不是{_ABC}"),
            plan=f'file.hash("abc.bin", expect="{_ABC}")',
            given={"abc.bin": "abc"},
            result=(_ABC,),
        ),
        Example(
            say=("check that bad.bin has md5 900150983cd24fb0d6963f7d28e17f72", "检查bad.bin的md5是不是900150983cd24fb0d6963f7d28e17f72"),
            plan='file.hash("bad.bin", expect="900150983cd24fb0d6963f7d28e17f72")',
            given={"bad.bin": "abd"},
            refused="file.differs",
        ),
    )


def _expected(args: Any) -> tuple[str, list[str]]:
    """Return the expected checksum (or nothing) in small letters, and which algorithms it may be of. Raises BadArgument."""
    if not args.expect:
        return "", [args.algorithm]
    text = re.sub(r"^[a-z0-9-]+\s*[:=]\s*", "", args.expect.strip().lower())
    known = [args.algorithm] if "algorithm" in args.written else [n for n, digits in _DIGITS.items() if digits == len(text)]
    if not re.fullmatch(r"[0-9a-f]+", text) or not known:
        lengths = ", ".join(f"{n} {digits}" for n, digits in _DIGITS.items())
        raise BadArgument(f"“{args.expect}” is no checksum.", hint=f"They have hexadecimal digits: {lengths}.")
    if len(text) != _DIGITS[known[0]]:
        wanted = _DIGITS[known[0]]
        raise BadArgument(f"“{args.expect}” is no {known[0]} checksum: that has {wanted} hexadecimal digits, not {len(text)}.", hint="Leave the algorithm out.")
    return text, known


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0


def _sums(path: str, algorithms: tuple[str, ...], done: int, total: int) -> dict[str, str]:
    """Return the checksum by each algorithm, read once; none where the file changed meanwhile. Raises NotPossible."""
    import hashlib

    from nlsh.world.contents import open_text

    sums = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
    try:
        descriptor = open_text(path)
        try:
            known = identity(os.fstat(descriptor))
            told = done
            while block := os.read(descriptor, _BLOCK):
                for one in sums.values():
                    one.update(block)
                done += len(block)
                if done - told >= _TOLD:
                    told = done
                    handles.progress(done, total, "bytes")
            if not is_same(os.fstat(descriptor), known):
                return {}
        finally:
            os.close(descriptor)
    except OSError as error:
        raise NotPossible(f"{path} cannot be read: {error.strerror}.", hint="Nothing was changed. See who may read it with file.info.") from error
    return {name: one.hexdigest() for name, one in sums.items()}
