"""How long a person waits: `nlsh --version`, a cold `nlsh -c`, and from Enter to the preview in a warm shell, each beside a named peer.

    python benchmarks/start.py [--runs 15] [--json]

Medians over interleaved runs in a scratch home, so that a busy machine slows both sides; the ratio is what compares across machines.
The budgets (DESIGN, section 12) are for 2 idle cores: 120 ms, 700 ms and 300 ms.
"""

from __future__ import annotations

import argparse
import json
import os
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


def process(*command: str, env: dict[str, str], cwd: Path) -> Callable[[], float]:
    """Return a function that runs a command to its end and gives the seconds it took. Raises where it fails."""

    def run() -> float:
        started = time.perf_counter()
        subprocess.run(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True)
        return time.perf_counter() - started

    return run


def enter_to_preview(env: dict[str, str], cwd: Path) -> tuple[Callable[[], float], Callable[[], None]]:
    """Return a function that types a changing request into a warm shell on a pty and gives the seconds until it asks, and one that ends the shell."""
    import pexpect

    child = pexpect.spawn(sys.executable, ["-m", "nlsh"], env=env, cwd=str(cwd), encoding="utf-8", timeout=60, dimensions=(40, 160))
    child.delaybeforesend = None
    child.expect(r"L\d (?:\(\d+\) )?\$")

    def run() -> float:
        started = time.perf_counter()
        child.send(f"?{CHANGING}\r")
        child.expect([r"\[y/N/e/\?\] ", r"Which\? ", r"Do that\? "])
        took = time.perf_counter() - started
        child.send("n\r")
        child.expect(r"L\d (?:\(\d+\) )?\$")
        return took

    run()  # the first one waits for the models
    return run, lambda: child.close(force=True)


def bash_prompt(env: dict[str, str], cwd: Path) -> tuple[Callable[[], float], Callable[[], None]]:
    """Return the same for bash: from Enter to the question of `rm -i`."""
    import pexpect

    child = pexpect.spawn("bash", ["--norc", "-i"], env={**env, "PS1": "ready> "}, cwd=str(cwd), encoding="utf-8", timeout=60)
    child.delaybeforesend = None
    child.expect_exact("ready> ")

    def run() -> float:
        started = time.perf_counter()
        child.send("rm -i Downloads/*.pdf\r")
        child.expect_exact("? ")
        took = time.perf_counter() - started
        child.send("\x03")
        child.expect_exact("ready> ")
        return took

    run()
    return run, lambda: child.close(force=True)


def compare(ours: Callable[[], float], peer: Callable[[], float], runs: int) -> tuple[float, float]:
    """Return the medians of both over `runs` interleaved runs, after one of each that does not count."""
    ours(), peer()
    pairs = [(ours(), peer()) for _ in range(runs)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def main() -> int:
    """Measure and print; return 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="nlsh-bench-") as scratch:
        home = Path(scratch)
        (home / "Downloads").mkdir()
        for number in range(20):
            (home / "Downloads" / f"paper-{number}.pdf").write_text("x")
        # An installed nlsh has its bytecode beside it; a benchmark that compiles it at every start would measure the compiler.
        env = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "NLSH_")) and k != "PYTHONDONTWRITEBYTECODE"}
        env |= {"HOME": str(home), "PYTHONPATH": str(ROOT), "TERM": "xterm", "NO_COLOR": "1", "PROMPT_TOOLKIT_NO_CPR": "1", "LC_ALL": "C.UTF-8"}
        nlsh = (sys.executable, "-m", "nlsh")
        python = process(sys.executable, "-c", "pass", env=env, cwd=home)
        bash = process("bash", "-c", "true", env=env, cwd=home)
        plan = home / "plan.nlsh"
        plan.write_text('file.find(under="~/Downloads", kind="pdfs")')
        rows.append(("nlsh --version", "python3 -c pass", *compare(process(*nlsh, "--version", env=env, cwd=home), python, options.runs)))
        rows.append(("nlsh plan FILE, reading", "bash -c true", *compare(process(*nlsh, "plan", str(plan), env=env, cwd=home), bash, options.runs)))
        try:
            rows.append((f"nlsh -c “{READING}”, cold", "bash -c true", *compare(process(*nlsh, "-c", READING, env=env, cwd=home), bash, options.runs)))
        except subprocess.CalledProcessError as error:
            print(f"nlsh -c failed: {error.stderr.decode(errors='replace').strip()}", file=sys.stderr)
        else:
            (ours, end), (peer, end_peer) = enter_to_preview(env, home), bash_prompt(env, home)
            rows.append((f"Enter → preview of “{CHANGING}”, warm", "Enter → the question of rm -i in bash", *compare(ours, peer, options.runs)))
            end(), end_peer()
    for what, peer_name, ours_s, peer_s in rows:
        if options.json:
            print(
                json.dumps(
                    {"what": what, "ms": round(ours_s * 1000, 1), "peer": peer_name, "peer_ms": round(peer_s * 1000, 1), "ratio": round(ours_s / peer_s, 2)}
                )
            )
        else:
            print(f"{ours_s * 1000:7.1f} ms  {what}\n{peer_s * 1000:7.1f} ms  {peer_name}   ratio {ours_s / peer_s:.1f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
