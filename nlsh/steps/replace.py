"""ReplaceByCopy: put a copy in the place of a file or link; what was there goes to the trash of its file system, whole, and comes back on undo."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from dataclasses import dataclass, fields

from nlsh.plan.effects import Effect
from nlsh.plan.errors import StaleStep
from nlsh.plan.steps import Step
from nlsh.steps import _fs
from nlsh.steps.trash import TrashPath, clear_note, is_free_note
from nlsh.world.files import Identity, is_same, loosened


@dataclass(frozen=True)
class _Replacement(Step):
    """What both directions hold: the copy's `source`, `target`, and where what was at the target goes (`old` is what that is known by).

    `link`: whether the source is one. `missing` are the folders of the trash that are not there yet.
    """

    source: str
    target: str
    identity: Identity
    old: Identity
    trash: str
    name: str
    info: str
    missing: tuple[str, ...] = ()
    link: bool = False

    @property
    def _kept(self) -> str:
        return os.path.join(self.trash, "files", self.name)

    @property
    def _note(self) -> str:
        return os.path.join(self.trash, "info", self.name + ".trashinfo")

    @property
    def _beside(self) -> str:
        folder, name = os.path.split(self.target)
        return os.path.join(folder, _fs.beside(f"{name}/{self.name}"))

    @property
    def _lies(self) -> str:
        """Where the old one is once the copy is in its place: cut short, it lies beside that still."""
        return self._beside if _fs.is_free(self._kept) and self._is(self._beside, self.old) else self._kept

    def leftovers(self) -> tuple[str, ...]:
        # With the old one in its place, what lies beside it is a copy that did not come to be.
        return (self._beside,) if self._is(self.target, self.old) else ()

    @property
    def _copy(self) -> Identity:
        return loosened(self.identity)

    def _as(self, kind: type[_Replacement]) -> Step:
        return kind(**{f.name: getattr(self, f.name) for f in fields(self)})

    def _is(self, path: str, known: Identity) -> bool:
        try:
            return is_same(os.lstat(path), known)
        except OSError:
            return False

    def touches(self) -> tuple[str, ...]:
        return (os.path.dirname(self.target), *(os.path.dirname(f) for f in self.missing[:1]), os.path.dirname(self._kept), os.path.dirname(self._note))


@dataclass(frozen=True)
class ReplaceByCopy(_Replacement):
    """Put a copy of `source` at `target`, with its mode, times and attributes, in one moment; what was there lies in the trash then."""

    def effects(self) -> tuple[Effect, ...]:
        return (
            *(() if self.link else (Effect("fs.read", self.source),)),
            Effect("fs.read", self.target),
            Effect("fs.write", self.target),
            *(Effect("fs.write", folder) for folder in self.missing),
            Effect("fs.write", self._kept),
            Effect("fs.write", self._note),
        )

    def describe(self) -> str:
        return f"replace {self.target} by a copy of {self.source}; the old one goes to the trash"

    def check(self) -> None:
        _fs.still_there(self.source, self.identity)
        _fs.still_there(self.target, self.old)
        if not (_fs.is_free(self._kept) and is_free_note(self._note, self.info)):
            raise StaleStep(f"The trash has got another “{self.name}” meanwhile.", hint="Nothing was changed by this step. Ask again.")

    def apply(self) -> None:
        with _fs.explained(f"replace {self.target}"):
            for folder in self.missing:
                with suppress(FileExistsError):  # an earlier step of this plan may have made it
                    os.mkdir(folder, 0o700)
            # Beside it first, and into its place in one moment: either of them is whole there, whatever happens. To exchange it with what lies
            # in the trash would do, but into a folder that may be read nothing can be moved from one that was made just now (Landlock).
            beside = os.path.basename(self._beside)
            with (
                _fs.parent_of(self.source) as (from_, name), _fs.parent_of(self.target) as (place, old),
                _fs.parent_of(self._kept) as (bin, spare), _fs.parent_of(self._note) as (notes, note), ExitStack() as undo,
            ):  # fmt: skip
                _fs.still(from_, name, self.identity, self.source)
                _fs.still(place, old, self.old, self.target)
                _fs.copy_entry(from_, name, place, beside)
                undo.callback(_unlink, place, beside)
                clear_note(notes, note, self.info)
                made = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=notes)
                undo.callback(_unlink, notes, note)
                with os.fdopen(made, "wb") as file:
                    file.write(self.info.encode())
                    file.flush()
                    os.fsync(made)
                _fs.exchange(place, beside, place, old)
                undo.callback(_fs.exchange, place, beside, place, old)
                _fs.still(place, beside, self.old, self.target)
                # Cut short here, the old one lies beside the copy; `_lies` finds it there.
                _fs.rename(place, beside, bin, spare)
                undo.pop_all()

    def inverse(self) -> Step:
        return self._as(PutBackReplaced)

    def state(self) -> str:
        if self._is(self._lies, self.old):
            return "done"
        return "undone" if self._is(self.target, self.old) else "unknown"


@dataclass(frozen=True)
class PutBackReplaced(_Replacement):
    """Put back from the trash what a copy has replaced, and remove the copy, if it is still what was made; its source can make it again."""

    def effects(self) -> tuple[Effect, ...]:
        return (
            Effect("fs.read", self._kept),
            Effect("fs.write", self.target),
            Effect("fs.write", self._kept),
            Effect("fs.delete", self._kept),
            Effect("fs.delete", self._note),
            *(Effect("fs.delete", folder) for folder in self.missing),
        )

    def describe(self) -> str:
        return f"put the old {self.target} back from the trash"

    def check(self) -> None:
        if _fs.is_free(self._lies):
            raise StaleStep(f"The old {self.target} is not in the trash any more.", hint="Nothing was changed by this step: the trash was emptied.")
        _fs.still_there(self._lies, self.old)
        _fs.still_there(self.target, self._copy)

    def apply(self) -> None:
        with _fs.explained(f"put the old {self.target} back"):
            with (
                _fs.parent_of(self.target) as (place, name), _fs.parent_of(self._lies) as (bin, spare), _fs.parent_of(self._note) as (notes, note)
            ):  # fmt: skip
                _fs.still(bin, spare, self.old, self._lies)
                _fs.still(place, name, self._copy, self.target)
                _fs.exchange(place, name, bin, spare)
                try:
                    _fs.still(bin, spare, self._copy, self.target)
                except BaseException:
                    _fs.exchange(place, name, bin, spare)
                    raise
                os.unlink(spare, dir_fd=bin)
                _unlink(notes, note)
            for folder in reversed(self.missing):
                with suppress(OSError):
                    os.rmdir(folder)

    def inverse(self) -> Step:
        return self._as(ReplaceByCopy)

    def state(self) -> str:
        if self._is(self.target, self.old):
            return "done"
        return "undone" if self._is(self._lies, self.old) else "unknown"


def _unlink(folder: int, name: str) -> None:
    with suppress(OSError):
        os.unlink(name, dir_fd=folder)


def replacing(source: str, identity: Identity, link: bool, trashing: TrashPath) -> Step:
    """Return the step that puts a copy where `trashing` would take something away from."""
    return ReplaceByCopy(source, trashing.path, identity, trashing.identity, trashing.trash, trashing.name, trashing.info, trashing.missing, link)
