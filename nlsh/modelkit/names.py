"""Make up names as people write them: folders, files, programs, texts; the ground that the fillers of slots stand on.

Most come from lists that people wrote (`models/corpus/slots`), the rest is put together from words, so that no model can learn names by heart.
A fifth of every list is kept for tests, so that a test never rewards remembering a name.
"""

from __future__ import annotations

import random
import string
from functools import cache
from pathlib import Path

EXTENSIONS = (  # the usual ones twice  # noqa: SIM905
    "txt pdf log py md csv json jpg png zip tar.gz mp3 mp4 docx xlsx html sh conf yaml sql cpp rs go bak tmp iso svg ipynb js ts java c h toml ini xml "
    "pptx wav mkv gif heic epub srt db txt pdf jpg png docx csv log py odt ods rtf tex bib mov avi flac ogg m4a aac webm raw cr2 nef dng arw psd ai "
    "blend stl obj gcode dwg dxf fastq bam vcf fasta bin dat pcap parquet npy h5 pkl rds rb php kt swift lua r cs vue jsx tsx css scss lock env cfg "
    "service deb rpm apk exe msi dmg jar class o so pyc whl patch diff eml ics mbox torrent crt pem gpg ttf otf woff2 eps tif tiff bmp webp mid sav "
    "pak vdi qcow2 ova key numbers pages mobi azw3 cbz kdbx prv xcf kra fig sketch indd drawio gpx kml geojson shp las wasm "
).split()
ROOTS = [
    "~/",
    "/",
    "/tmp/",
    "/var/",
    "/home/{w}/",
    "./",
    "../",
    "",
    "",
    "",
    "",
    "~/Documents/",
    "~/Downloads/",
    "/etc/",
    "/opt/",
    "/mnt/",
    "/srv/",
    "/media/{w}/",
    "~/Desktop/",
    "~/work/",
]
COMMON_PATHS = ["~/Downloads", "~/Documents", "/tmp", "/var/log", "/etc", "~", "~/Desktop", "/home", "/usr/local/bin", "~/Pictures", "~/Music", "/opt", "/srv/www", "/var/www/html", "~/.config", "/usr/share", "/mnt/usb", "/media/usb", "..", "./", "/var/lib", "~/src"]  # fmt: skip
NUMBER_WORDS = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "fifteen", "twenty", "thirty", "fifty"]


@cache
def _sections(corpus: Path, name: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (corpus / "slots" / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("[") and line.endswith("]") and line[1:-1].isalpha():
            current = found.setdefault(line[1:-1], [])
        elif line.strip() and not line.startswith("#"):
            current.append(line)
    return found


@cache
def _words(corpus: Path) -> list[str]:
    words = (corpus / "slots" / "words.txt").read_text().split()
    random.Random(3).shuffle(words)
    return words


class Names:
    """Random fillers for one sentence. `language` is en or zh; `test` draws from the names kept for tests."""

    def __init__(self, corpus: Path, rng: random.Random, language: str, *, test: bool = False) -> None:
        self.r, self.zh = rng, language == "zh"
        words = _words(corpus)
        cut = int(len(words) * 0.8)
        self.words = words[cut:] if test else words[:cut]
        self._names = {k: self._part(v, test) for k, v in _sections(corpus, "names-en.txt").items()}
        self._names_zh = {k: self._part(v, test) for k, v in _sections(corpus, "names-zh.txt").items()}

    @staticmethod
    def _part(names: list[str], test: bool) -> list[str]:
        return [n for i, n in enumerate(names) if (i % 5 == 2) == test]

    def word(self) -> str:
        r, x = self.r, self.r.random()
        if x < 0.7:
            return r.choice(self.words)
        if x < 0.85:
            return "".join(r.choice(string.ascii_lowercase + "aeiou") for _ in range(r.randint(2, 9)))
        if x < 0.95:
            return "".join(r.choice(string.ascii_lowercase + string.digits) for _ in range(r.randint(3, 8)))
        return "".join(r.choice(string.ascii_letters) for _ in range(r.randint(2, 8)))

    def _stem(self, section: str) -> str:
        r, x = self.r, self.r.random()
        if self.zh and x < 0.68:
            return self._stem_zh(section)
        x = r.random()
        if x < 0.5:
            return r.choice(self._names[section])
        if x < 0.63:
            return self.word()
        if x < 0.72:
            return self.word() + r.choice("_-") + self.word()
        if x < 0.79:
            return self.word() + r.choice(["", "_", "-", " "]) + str(r.randint(0, 2030))
        if x < 0.83:
            return f"{r.randint(2015, 2027)}-{r.randint(1, 12):02d}-{r.randint(1, 28):02d}" + r.choice(["", "_" + self.word()])
        if x < 0.87:
            return self.word().capitalize()
        if x < 0.9:
            return self.word().capitalize() + self.word().capitalize()
        words = [self.word() for _ in range(r.choice([2, 2, 3]))]
        return r.choice([" ", " ", " ", " & ", " of ", " - "]).join(words if r.random() < 0.5 else [w.capitalize() for w in words])

    def _stem_zh(self, section: str) -> str:
        r, x = self.r, self.r.random()
        if x < 0.08:
            # Characters that make no word: where a name ends must be told from the sentence around it.
            return "".join(r.choice(r.choice(self._names_zh[section])) for _ in range(r.randint(2, 4)))
        name = r.choice(self._names_zh[section])
        if x < 0.16:
            return name + r.choice(self._names_zh[section])
        return name + r.choice([""] * 9 + [str(r.randint(1, 2026)), "_v2", "（1）", "-" + self.word(), f"{r.randint(2015, 2027)}"])

    def _quoted(self, text: str, share: float = 0.06) -> str:
        """Quote half of what has a space, and sometimes what has none: people write names as they see them ("open My Holiday.txt")."""
        odd = any(c in text for c in "()[]'")
        if (odd and self.r.random() < 0.8) or (" " in text and self.r.random() < 0.4) or self.r.random() < share:
            marks = ["“”", "「」", '""', '""'] if self.zh else ['""', '""', "''", "``"]
            left, right = tuple(self.r.choice([m for m in marks if m[0] not in text and m[1] not in text] or ["``"]))
            return left + text + right
        return text

    def _folder_path(self) -> str:
        r = self.r
        root = r.choice(ROOTS).replace("{w}", self.word())
        parts = "/".join(self._stem("folder") for _ in range(r.choice([1, 1, 1, 2, 2, 3])))
        return root + parts + ("/" if r.random() < 0.12 else "")

    def _with_ending(self, endings: list[str], many: float = 0.0) -> str:
        r = self.r
        ending = r.choice(endings)
        if r.random() < many:
            return self._quoted("*." + ending, 0.1)
        folder = self._folder_path().rstrip("/") + "/" if r.random() < 0.25 else ""
        return self._quoted(folder + self._stem("file") + "." + ending)
