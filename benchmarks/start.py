"""How long a person waits: `nlsh --version`, a cold `nlsh -c`, and from Enter to the preview in a warm shell, each beside a named peer.

    python benchmarks/start.py [--runs 15] [--json] [--base ANOTHER_CHECKOUT]

Medians over interleaved runs in a scratch home, so that a busy machine slows both sides; the ratio is what compares across machines. Beside the time
that passes stands that of the processors, of a process and all it has waited for. With --base the peer of each row is the same in another checkout,
such as one that `git worktree add` has made: what a change has brought.
The budgets (DESIGN, section 12) are for 2 idle cores: 120 ms, 700 ms and 300 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
READING = "find pdfs in my downloads folder"
CHANGING = "move the pdfs in my downloads folder to the trash"


Taken = tuple[float, float]  # seconds that passed, and seconds of processors


def process(*command: str, env: dict[str, str], cwd: Path) -> Callable[[], Taken]:
    """Return a function that runs a command to its end and says what it took. Raises where it fails."""

    def run() -> Taken:
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True)
        passed, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        return passed, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return run


def used(pid: int) -> float:
    """Return the seconds of processors that a process has used so far, with those of its processes that it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def enter_to_preview(env: dict[str, str], cwd: Path) -> tuple[Callable[[], Taken], Callable[[], None]]:
    """Return a function that types a changing request into a warm shell on a pty and says what it took until it asks, and one that ends the shell."""
    import pexpect

    child = pexpect.spawn(sys.executable, ["-m", "nlsh"], env=env, cwd=str(cwd), encoding="utf-8", timeout=60, dimensions=(40, 160))
    child.delaybeforesend = None
    child.expect(r"L\d (?:\(\d+\) )?\$")

    def run() -> Taken:
        before, started = used(child.pid), time.perf_counter()
        child.send(f"?{CHANGING}\r")
        child.expect([r"\[y/N/[a-z/]*\?\] ", r"Which\? ", r"Do that\? "])
        took = time.perf_counter() - started, used(child.pid) - before
        child.send("n\r")
        child.expect(r"L\d (?:\(\d+\) )?\$")
        return took

    run()  # the first one waits for the models
    return run, lambda: child.close(force=True)


def bash_prompt(env: dict[str, str], cwd: Path) -> tuple[Callable[[], Taken], Callable[[], None]]:
    """Return the same for bash: from Enter to the question of `rm -i`."""
    import pexpect

    child = pexpect.spawn("bash", ["--norc", "-i"], env={**env, "PS1": "ready> "}, cwd=str(cwd), encoding="utf-8", timeout=60)
    child.delaybeforesend = None
    child.expect_exact("ready> ")

    def run() -> Taken:
        before, started = used(child.pid), time.perf_counter()
        child.send("rm -i Downloads/*.pdf\r")
        child.expect_exact("? ")
        took = time.perf_counter() - started, used(child.pid) - before
        child.send("\x03")
        child.expect_exact("ready> ")
        return took

    run()
    return run, lambda: child.close(force=True)


def compare(ours: Callable[[], Taken], peer: Callable[[], Taken], runs: int) -> tuple[Taken, Taken]:
    """Return the medians of both over `runs` interleaved runs, after one of each that does not count."""
    ours(), peer()
    pairs = [(ours(), peer()) for _ in range(runs)]
    mine, other = ([statistics.median(column) for column in zip(*taken, strict=True)] for taken in zip(*pairs, strict=True))
    return (mine[0], mine[1]), (other[0], other[1])


def scratch(folder: Path, tree: Path) -> tuple[dict[str, str], Path]:
    """Make a home with something to find, and return the environment in which nlsh of `tree` runs there."""
    (folder / "Downloads").mkdir(parents=True)
    for number in range(20):
        (folder / "Downloads" / f"paper-{number}.pdf").write_text("x")
    (folder / "plan.nlsh").write_text('file.find(under="~/Downloads", kind="pdfs")')
    # An installed nlsh has its bytecode beside it; a benchmark that compiles it at every start would measure the compiler.
    env = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "NLSH_")) and k != "PYTHONDONTWRITEBYTECODE"}
    return env | {"HOME": str(folder), "PYTHONPATH": str(tree), "TERM": "xterm", "NO_COLOR": "1", "PROMPT_TOOLKIT_NO_CPR": "1", "LC_ALL": "C.UTF-8"}, folder


def main() -> int:
    """Measure and print; return 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--base", type=Path, help="another checkout, to compare with")
    options = parser.parse_args()
    rows: list[tuple[str, str, Taken, Taken]] = []
    with tempfile.TemporaryDirectory(prefix="nlsh-bench-") as folder:
        env, home = scratch(Path(folder) / "ours", ROOT)
        base_env, base_home = scratch(Path(folder) / "base", options.base.resolve()) if options.base else (env, home)
        nlsh = (sys.executable, "-m", "nlsh")
        base = f"the same in {options.base}"

        def beside(what: str, words: tuple[str, ...], peer: tuple[str, ...]) -> None:
            ours = process(*nlsh, *words, env=env, cwd=home)
            other = process(*nlsh, *words, env=base_env, cwd=base_home) if options.base else process(*peer, env=env, cwd=home)
            rows.append((what, base if options.base else " ".join(peer).replace(sys.executable, "python3"), *compare(ours, other, options.runs)))

        beside("nlsh --version", ("--version",), (sys.executable, "-c", "pass"))
        beside("nlsh plan FILE, reading", ("plan", "plan.nlsh"), ("bash", "-c", "true"))
        env["NLSH_DAEMON"] = base_env["NLSH_DAEMON"] = "off"
        try:
            beside(f"nlsh -c “{READING}”, cold", ("-c", READING), ("bash", "-c", "true"))
        except subprocess.CalledProcessError as error:
            print(f"nlsh -c failed: {error.stderr.decode(errors='replace').strip()}", file=sys.stderr)
        else:
            ours, end = enter_to_preview(env, home)
            peer, end_peer = enter_to_preview(base_env, base_home) if options.base else bash_prompt(env, home)
            what = f"Enter → preview of “{CHANGING}”, warm"
            rows.append((what, base if options.base else "Enter → the question of rm -i in bash", *compare(ours, peer, options.runs)))
            end(), end_peer()
    for what, peer_name, (ours_s, ours_cpu), (peer_s, peer_cpu) in rows:
        if options.json:
            found = {"what": what, "ms": round(ours_s * 1000, 1), "cpu_ms": round(ours_cpu * 1000), "peer": peer_name, "peer_ms": round(peer_s * 1000, 1)}
            print(json.dumps({**found, "peer_cpu_ms": round(peer_cpu * 1000), "ratio": round(ours_s / peer_s, 2)}))
        else:
            print(f"{ours_s * 1000:7.1f} ms  {ours_cpu * 1000:5.0f} ms of processors  {what}")
            print(f"{peer_s * 1000:7.1f} ms  {peer_cpu * 1000:5.0f} ms of processors  {peer_name}   ratio {ours_s / peer_s:.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
