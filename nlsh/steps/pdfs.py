"""Steps on PDF files: new ones out of pages of others, by pypdf. The files themselves are never changed."""

from __future__ import annotations

import os
import re
import stat
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import IO, Any

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible, Refused, StaleStep
from nlsh.plan.steps import Step
from nlsh.steps import _fs, handles
from nlsh.steps.content import WriteNew
from nlsh.world import pdfs
from nlsh.world.files import Identity, is_same

MOST_PAGES = 20_000


@dataclass(frozen=True, kw_only=True)
class ExtractPages(WriteNew):
    """Write some pages of a PDF, in the order in which they are said, into a new one."""

    pages: tuple[int, ...]

    def words(self) -> str:
        which = f"page {self.pages[0]}" if len(self.pages) == 1 else f"{len(self.pages)} pages"
        return f"write {which} of {self.source} to {self.target}"

    def produce(self, source: IO[bytes], target: IO[bytes]) -> None:
        import pypdf

        with pdfs.opened(source, self.source) as reader:
            last = len(reader.pages)
            if missing := [p for p in self.pages if p > last]:
                raise Refused(f"{self.source} has {last} pages, and no page {missing[0]}.", hint=pdfs.UNCHANGED)
            writer = pypdf.PdfWriter()
            for number, page in enumerate(self.pages, start=1):
                writer.add_page(reader.pages[page - 1])
                handles.progress(number, len(self.pages))
            writer.write(target)


@dataclass(frozen=True, kw_only=True)
class MergePdfs(WriteNew):
    """Write all pages of several PDFs, one after the other, into a new one. `others` are those after the first, with what each is known by."""

    others: tuple[tuple[str, Identity], ...]

    def words(self) -> str:
        return f"join {len(self.others) + 1} PDF files into {self.target}"

    def effects(self) -> tuple[Effect, ...]:
        return (*super().effects(), *(() if self.back else (Effect("fs.read", path) for path, _ in self.others)))

    def check(self) -> None:
        super().check()
        if not self.back:
            for path, known in self.others:
                _fs.still_there(path, known)

    def produce(self, source: IO[bytes], target: IO[bytes]) -> None:
        import pypdf

        writer = pypdf.PdfWriter()
        with ExitStack() as files:
            self._append(writer, source, self.source)
            for number, (path, known) in enumerate(self.others, start=2):
                with _fs.parent_of(path) as (folder, name):
                    file = files.enter_context(os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder), "rb"))
                if not is_same(os.fstat(file.fileno()), known):
                    raise StaleStep(f"{path} has changed since it was approved.", hint="Nothing was made. Ask again.")
                self._append(writer, file, path)
                handles.progress(number, len(self.others) + 1)
            writer.write(target)

    @staticmethod
    def _append(writer: Any, file: IO[bytes], path: str) -> None:
        with pdfs.opened(file, path) as reader:
            writer.append(reader)


def is_page(stem: str, name: str) -> bool:
    """Return whether a file's name is that of a page of the PDF called `stem`."""
    return re.fullmatch(re.escape(stem) + r"-\d+\.pdf", name) is not None


@dataclass(frozen=True)
class SplitPdf(Step):
    """Write each page of a PDF into a file of its own in the new folder `folder`: STEM-1.pdf and so on; `back`: remove them again.

    `shared`: the folder was there before, with other things, but none with such a name.

    `stamp_ns` becomes the files' modification time: it is how undo knows that nobody has changed them since. Page 1 comes to be last:
    where it is, all are.
    """

    source: str
    folder: str
    stem: str
    identity: Identity
    stamp_ns: int
    back: bool = False
    shared: bool = False

    def effects(self) -> tuple[Effect, ...]:
        if self.back:
            return (Effect("fs.read", self.folder), Effect("fs.delete", self.folder))
        return (Effect("fs.read", self.source), Effect("fs.write", self.folder))

    def describe(self) -> str:
        return f"remove the pages of {self.source} from {self.folder}" if self.back else f"write each page of {self.source} into {self.folder}"

    def check(self) -> None:
        if self.back:
            self._made()
            return
        _fs.still_there(self.source, self.identity)
        with _fs.explained(f"look at {self.folder}"):
            if os.path.lexists(self.folder) and self._names():
                raise StaleStep(f"There is something in {self.folder} now.", hint="Nothing was changed by this step. Ask again.")

    def _names(self) -> list[str]:
        """Return what is in the folder; of one that was there before, what has a page's name."""
        names = os.listdir(self.folder)
        return [n for n in names if is_page(self.stem, n)] if self.shared else names

    def _made(self) -> list[str]:
        """Return the names of the pages, the first one first. Raises StaleStep where something is there that nlsh did not leave so."""
        with _fs.explained(f"look at {self.folder}"):
            names = sorted(self._names())
            for name in names:
                status = os.lstat(os.path.join(self.folder, name))
                if not is_page(self.stem, name) or not stat.S_ISREG(status.st_mode) or status.st_mtime_ns != self.stamp_ns:
                    raise StaleStep(
                        f"{os.path.join(self.folder, name)} was added or changed since.", hint="Nothing was removed. Trash what you do not need yourself."
                    )  # fmt: skip
        return names

    def apply(self) -> None:
        with _fs.explained(self.describe()):
            if self.back:
                for name in self._made():
                    os.unlink(os.path.join(self.folder, name))
                return
            made: list[str] = []
            try:
                self._write(made)
            except BaseException:
                for path in made:
                    with suppress(OSError):
                        os.unlink(path)
                raise

    def _write(self, made: list[str]) -> None:
        import pypdf

        with _fs.parent_of(self.source) as (folder, name):
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not is_same(status, self.identity):
                raise StaleStep(f"{self.source} has changed since it was approved.", hint="Nothing was made. Ask again.")
            with pdfs.opened(file, self.source) as reader:
                count = len(reader.pages)
                if count > MOST_PAGES:
                    raise NotPossible(f"{self.source} has {count:,} pages: that would be as many files.", hint="Nothing was made. Take some with pdf.extract.")
                for number in range(count, 0, -1):
                    path = os.path.join(self.folder, f"{self.stem}-{number:0{len(str(count))}}.pdf")
                    writer = pypdf.PdfWriter()
                    writer.add_page(reader.pages[number - 1])
                    with _fs.new_file(path, stat.S_IMODE(status.st_mode) & 0o666 | 0o200) as target:
                        with os.fdopen(os.dup(target), "wb") as page:
                            writer.write(page)
                        os.utime(target, ns=(self.stamp_ns, self.stamp_ns))
                    made.append(path)
                    handles.progress(count - number + 1, count)

    def inverse(self) -> Step:
        return replace(self, back=not self.back)

    def state(self) -> str:
        try:
            names = self._names()
        except OSError:
            names = []
        whole = any(re.fullmatch(re.escape(self.stem) + r"-0*1\.pdf", n) for n in names)
        if not names:
            return "done" if self.back else "undone"
        return "unknown" if not whole else "undone" if self.back else "done"

    def touches(self) -> tuple[str, ...]:
        return (self.folder,)
