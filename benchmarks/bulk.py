"""Big changes and big archives, each beside a named peer in the same run: a bulk rename with its journal and undo, tar and zip, listing processes.

    python benchmarks/bulk.py [--files 10000] [--archive-mb 200] [--runs 3] [--only WORD …] [--json]
    python benchmarks/bulk.py --at-size    (100,000 files, archives of 1 GB)

nlsh previews, decides, journals every step and keeps what undo needs; the peers do none of that, but the second one of the renames, which is
the least that can be taken back: a loop that writes each rename into SQLite, synced, before it is done. The ratio says what the rest costs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


def timed(what: Callable[[], object]) -> float:
    """Return how many seconds `what` takes."""
    started = time.perf_counter()
    what()
    return time.perf_counter() - started


def run(*command: str, cwd: Path) -> Callable[[], object]:
    """Return a function that runs a command to its end. Raises where it fails."""
    return lambda: subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True)


def scene(folder: Path) -> object:
    from nlsh.testing import Scene

    return Scene(folder)


def plan(entered: object, text: str) -> tuple[float, float]:
    """Return the seconds that preview and run of a plan took. Raises where it did not end well."""
    from nlsh.plan import registry

    kernel = entered.kernel
    started = time.perf_counter()
    preview = kernel.preview(registry.parse(text))
    previewed = time.perf_counter()
    outcome = kernel.run(preview)
    ended = time.perf_counter()
    if outcome.status not in ("done", "nothing"):
        raise SystemExit(f"{text}: {outcome.status}: {outcome.errors}")
    return previewed - started, ended - previewed


def renames(scratch: Path, files: int) -> list[tuple[str, float, str, float]]:
    """Rename `files` empty files by a pattern, and take it back; beside a loop of os.rename, and one with a journal."""
    rows = []
    with scene(scratch / "renames") as entered:
        folder = entered.home / "in"
        folder.mkdir()
        for number in range(files):
            (folder / f"IMG_{number:06d}.txt").touch()

        def loop(old: str, new: str) -> None:
            for entry in list(os.scandir(folder)):
                os.rename(entry.path, folder / entry.name.replace(old, new))

        def journalled(old: str, new: str) -> None:
            with contextlib.closing(sqlite3.connect(scratch / "peer.sqlite", isolation_level=None)) as db:
                db.execute("PRAGMA journal_mode=WAL")
                db.execute("PRAGMA synchronous=FULL")
                db.execute("CREATE TABLE IF NOT EXISTS steps (old TEXT, new TEXT, inode INTEGER, mtime INTEGER)")
                names = [(e.path, str(folder / e.name.replace(old, new)), e.stat()) for e in os.scandir(folder)]
                db.execute("BEGIN")
                db.executemany("INSERT INTO steps VALUES (?, ?, ?, ?)", ((a, b, s.st_ino, s.st_mtime_ns) for a, b, s in names))
                db.execute("COMMIT")
                for a, b, _ in names:
                    os.rename(a, b)

        peers = [("os.rename in a loop", timed(lambda: loop("IMG", "tmp"))), ("os.rename and SQLite", timed(lambda: journalled("tmp", "IMG")))]
        preview, work = plan(entered, 'file.rename_all("in", replace="IMG", by="holiday")')
        preview_of_undo, undo = plan(entered, "history.undo()")
        for name, peer in peers:
            rows.append((f"preview of {files:,} renames", preview, name, peer))
            rows.append((f"{files:,} renames with journal", work, name, peer))
            rows.append((f"undo of {files:,} renames, its preview included", preview_of_undo + undo, name, peer))
    return rows


def archives(scratch: Path, megabytes: int, runs: int) -> list[tuple[str, float, str, float]]:
    """Pack and unpack a folder of `megabytes`, half of it random, half of it text; beside tar and zip."""
    rows = []
    with scene(scratch / "archives") as entered:
        folder = entered.home / "data"
        folder.mkdir()
        line = b"The quick brown fox jumps over the lazy dog. " * 23302  # about 1 MB
        for number in range(megabytes):
            (folder / f"{number:04d}").write_bytes(os.urandom(1 << 20) if number % 2 else line)
        cases = [
            ("tar", 'archive.create("data", to="ours.tar")', ("tar", "cf", "peer.tar", "data")),
            ("tar.gz", 'archive.create("data", to="ours.tar.gz")', ("tar", "czf", "peer.tar.gz", "data")),
            ("tar.zst", 'archive.create("data", to="ours.tar.zst")', ("tar", "--zstd", "-cf", "peer.tar.zst", "data")),
            ("zip", 'archive.create("data", to="ours.zip")', ("zip", "-qr", "peer.zip", "data")),
        ]
        for kind, text, command in cases:
            if shutil.which(command[0]) is None:
                command = (sys.executable, "-m", "zipfile", "-c", "peer.zip", "data")
            ours, peer = [], []
            for _ in range(runs):
                for name in (f"ours.{kind}", f"peer.{kind}"):
                    (entered.home / name).unlink(missing_ok=True)
                peer.append(timed(run(*command, cwd=entered.home)))
                ours.append(sum(plan(entered, text)))
            rows.append((f"{kind} of {megabytes} MB", statistics.median(ours), " ".join(command[:3]), statistics.median(peer)))
        unpack = timed(run("sh", "-c", "mkdir peer && tar xf peer.tar -C peer", cwd=entered.home))
        rows.append((f"unpacking {megabytes} MB of tar", sum(plan(entered, 'archive.extract("ours.tar", to="out")')), "tar xf", unpack))
    return rows


def processes(scratch: Path, runs: int) -> list[tuple[str, float, str, float]]:
    """List all processes; beside ps."""
    with scene(scratch / "processes") as entered:
        plan(entered, "process.list()")
        ours, peer = [], []
        for _ in range(max(5, runs)):
            ours.append(sum(plan(entered, "process.list()")))
            peer.append(timed(run("ps", "aux", cwd=entered.home)))
    return [(f"listing {len(os.listdir('/proc'))} entries of /proc", statistics.median(ours), "ps aux", statistics.median(peer))]


def main() -> int:
    """Measure and print; return 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--archive-mb", type=int, default=200)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", nargs="+", metavar="WORD", choices=("processes", "renames", "archives"), default=["processes", "renames", "archives"])
    parser.add_argument("--at-size", action="store_true", help="100,000 files and archives of 1 GB, instead of --files and --archive-mb")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.at_size:
        options.files, options.archive_mb = 100_000, 1024
    with tempfile.TemporaryDirectory(prefix="nlsh-bench-") as name:
        scratch = Path(name)
        rows = processes(scratch, options.runs) if "processes" in options.only else []
        rows += renames(scratch, options.files) if "renames" in options.only else []
        rows += archives(scratch, options.archive_mb, options.runs) if "archives" in options.only else []
    for what, ours, peer_name, peer in rows:
        if options.json:
            print(json.dumps({"what": what, "s": round(ours, 4), "peer": peer_name, "peer_s": round(peer, 4), "ratio": round(ours / peer, 2)}))
        else:
            print(f"{ours:9.3f} s  {what}\n{peer:9.3f} s  {peer_name}   ratio {ours / peer:.1f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    if options.json:
        print(json.dumps({"peak_mb": peak[0] >> 10, "peak_mb_of_children": peak[1] >> 10}))
    else:
        print(f"peak memory: nlsh {peak[0] >> 10} MB, its largest child {peak[1] >> 10} MB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
