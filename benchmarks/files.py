"""How fast large trees are read: find, search in content, duplicates, how much a folder holds; each beside the usual program for it, in the same run.

    python benchmarks/files.py [--files 20000] [--text 64] [--runs 3] [--only WORD …] [--json]
    python benchmarks/files.py --at-size    (1,000,000 files to find in, 1 GB of text to search, 100,000 files that may be duplicates)

A scratch tree of small files, and one file of text (megabytes). Each action is run as nlsh runs it, `nlsh plan FILE` with its confined worker,
and as the observation alone, in this process: the first is what a person waits for, the second is what the reading costs. Medians over
interleaved runs with a warm cache; the ratio to the peer is what compares across machines. Peers that are not installed are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENDINGS = ("txt", "log", "jpg", "pdf", "py", "md")
IN_A_FOLDER = 100
NEEDLE = "needle in the haystack"

Peers = tuple[tuple[str, ...], ...]


def make_tree(root: Path, files: int, megabytes: int) -> None:
    """Make a tree of `files` small files, a tenth of them copies of another one, and a file of text beside it."""
    chance = random.Random(1)
    for number in range(files):
        folder = root / "tree" / f"{number // IN_A_FOLDER % 50}" / f"{number // IN_A_FOLDER}"
        if number % IN_A_FOLDER == 0:
            folder.mkdir(parents=True)
        line = b"some words of a text, number %d\n" % (number if number % 10 else number % 1000)
        (folder / f"file-{number}.{ENDINGS[number % len(ENDINGS)]}").write_bytes(line * (1 + number % 3 * 40))
    (root / "text").mkdir()
    with open(root / "text" / "long.txt", "wb") as file:
        line_number = 0
        while file.tell() < megabytes << 20:
            file.write(b"".join(b"line %d of a text with %d words in it\n" % (n, chance.randrange(100)) for n in range(line_number, line_number + 10_000)))
            line_number += 10_000
        file.write(NEEDLE.encode() + b"\n")


def process(*command: str, env: dict[str, str], cwd: Path) -> Callable[[], float]:
    """Return a function that runs a command to its end and gives the seconds it took. Raises where it fails; grep's 1 is no failure."""

    def run() -> float:
        started = time.perf_counter()
        done = subprocess.run(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        if done.returncode not in (0, 1):
            raise subprocess.CalledProcessError(done.returncode, command, stderr=done.stderr)
        return time.perf_counter() - started

    return run


def observation(plan: str, cwd: Path) -> Callable[[], float]:
    """Return a function that looks and observes in this process, unconfined, and gives the seconds it took."""
    from nlsh.plan import registry
    from nlsh.world import World

    (call,) = registry.parse(plan).calls
    action = registry.get(call.action)
    args = action.Args.bind(call.action, call.args)

    def run() -> float:
        world = World(cwd=str(cwd))
        started = time.perf_counter()
        for _ in action.observe(args, action.look(args, world), world):
            continue
        return time.perf_counter() - started

    return run


def medians(runs: int, *what: Callable[[], float]) -> list[float]:
    """Return the median of each over `runs` interleaved runs, after one of each that does not count."""
    for one in what:
        one()
    rounds = [[one() for one in what] for _ in range(runs)]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


CASES: tuple[tuple[str, str, Peers], ...] = (
    ("find by name", 'file.find(under="tree", named="*99.pdf")', (("find", "tree", "-name", "*99.pdf"), ("fd", "-HI", "-g", "*99.pdf", "tree"))),
    ("find by size", 'file.find(under="tree", larger="2KB")', (("find", "tree", "-type", "f", "-size", "+2k"), ("fd", "-HI", "-tf", "-S+2ki", ".", "tree"))),
    ("files that contain", f'file.find(under="tree", containing="{NEEDLE}")', (("grep", "-rlF", NEEDLE, "tree"), ("rg", "-uuulF", NEEDLE, "tree"))),
    ("lines in many files", 'text.search("number 77", under="tree")', (("grep", "-rnF", "number 77", "tree"), ("rg", "-uunF", "number 77", "tree"))),
    ("lines in one long file", f'text.search("{NEEDLE}", under="text")', (("grep", "-rnF", NEEDLE, "text"), ("rg", "-uunF", NEEDLE, "text"))),
    ("the same in any case", f'text.search("{NEEDLE}", under="text", ignore_case=true)', (("grep", "-rniF", NEEDLE, "text"), ("rg", "-uuniF", NEEDLE, "text"))),
    ("duplicates", 'file.duplicates(under="tree")', (("jdupes", "-rq", "tree"), ("fdupes", "-rq", "tree"))),
    ("how much a folder holds", 'folder.size("tree")', (("du", "-s", "tree"),)),
)  # fmt: skip


# What each case is about, at the size that it is promised for: files, megabytes of text, words in the names of the cases.
AT_SIZE: tuple[tuple[int, int, tuple[str, ...]], ...] = (
    (100_000, 1, ("contain", "many files", "duplicates", "holds")),
    (1000, 1024, ("long file", "any case")),
    (1_000_000, 1, ("find",)),
)


def installed(name: str) -> str | None:
    """Return the path of a peer; Debian calls fd fdfind."""
    return shutil.which(name) or (shutil.which("fdfind") if name == "fd" else None)


def main() -> int:
    """Measure and print; return 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--text", type=int, default=64, help="megabytes of text in one file")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", nargs="+", metavar="WORD", default=[""], help="the cases with one of these words in their names")
    parser.add_argument("--at-size", action="store_true", help="each case at the size that it is promised for, instead of --files and --text")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    for files, megabytes, about in AT_SIZE if options.at_size else ((options.files, options.text, ("",)),):
        cases = [c for c in CASES if any(w in c[0] for w in about) and any(w in c[0] for w in options.only)]
        if cases:
            print(f"# {files:,} files, {megabytes:,} MB of text", file=sys.stderr)
            measure(cases, files, megabytes, options.runs, as_json=options.json)
    return 0


def measure(cases: list[tuple[str, str, Peers]], files: int, megabytes: int, runs: int, *, as_json: bool) -> None:
    """Make a tree of that size and measure the cases in it."""
    with tempfile.TemporaryDirectory(prefix="nlsh-bench-") as scratch:
        home = Path(scratch)
        make_tree(home, files, megabytes)
        env = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "NLSH_")) and k != "PYTHONDONTWRITEBYTECODE"}
        env |= {"HOME": str(home), "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}
        for what, plan, peers in cases:
            file = home / "plan.nlsh"
            file.write_text(plan)
            found = [(p[0], process(str(installed(p[0])), *p[1:], env=env, cwd=home)) for p in peers if installed(p[0])]
            whole, alone, *others = medians(
                runs, process(sys.executable, "-m", "nlsh", "plan", str(file), env=env, cwd=home), observation(plan, home), *(run for _, run in found)
            )
            report(what, whole, alone, [(name, seconds) for (name, _), seconds in zip(found, others, strict=True)], as_json=as_json)


def report(what: str, whole: float, alone: float, peers: list[tuple[str, float]], *, as_json: bool) -> None:
    """Print the times of one case, and how they compare with each peer."""
    if as_json:
        ratios = {name: {"ms": round(s * 1000, 1), "ratio": round(whole / s, 2), "ratio_observation": round(alone / s, 2)} for name, s in peers}
        print(json.dumps({"what": what, "ms": round(whole * 1000, 1), "observation_ms": round(alone * 1000, 1), "peers": ratios}), flush=True)
        return
    print(f"{what}\n  {whole * 1000:8.1f} ms  nlsh\n  {alone * 1000:8.1f} ms  its observation alone")
    for name, seconds in peers:
        print(f"  {seconds * 1000:8.1f} ms  {name}   ratio {whole / seconds:.1f}, alone {alone / seconds:.1f}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
