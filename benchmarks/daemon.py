"""What the daemon saves: a one-shot sentence, cold in its own process, and through nlshd, whose models are warm.

    python benchmarks/daemon.py [--runs 9] [--json]

Medians over interleaved runs in a scratch home, so that a busy machine slows both sides; the ratio is what compares across machines.
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
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REQUEST = "find pdfs in my downloads folder"


def one_shot(environment: dict[str, str], home: Path, daemon: str) -> tuple[float, float]:
    """Return the seconds that a one-shot takes, and those of a processor that it uses itself. Raises where it fails."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "nlsh", "-c", REQUEST], env={**environment, "NLSH_DAEMON": daemon}, cwd=home, stdin=subprocess.DEVNULL, capture_output=True,
        check=True, text=True,
    )  # fmt: skip
    took, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if "paper.pdf" not in done.stdout or done.stderr:
        raise RuntimeError(f"this was no ordinary answer: {done.stdout}{done.stderr}")
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "Downloads").mkdir()
        (home / "Downloads" / "paper.pdf").write_text("x")
        environment = {"HOME": folder, "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        nlsh = [sys.executable, "-m", "nlsh", "daemon"]
        subprocess.run([*nlsh, "start"], env=environment, cwd=home, check=True, stdout=subprocess.DEVNULL)
        try:
            cold, warm = [], []
            one_shot(environment, home, "auto")  # waits for the models
            for _ in range(asked.runs):
                cold.append(one_shot(environment, home, "off"))
                warm.append(one_shot(environment, home, "auto"))
            status = json.loads(subprocess.run([*nlsh, "status", "--json"], env=environment, cwd=home, check=True, capture_output=True, text=True).stdout)
            with open(f"/proc/{status['pid']}/status", encoding="ascii") as file:
                resident = next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))
        finally:
            subprocess.run([*nlsh, "stop"], env=environment, cwd=home, check=False, stdout=subprocess.DEVNULL)
    (cold_s, cold_cpu), (warm_s, warm_cpu) = (tuple(map(statistics.median, zip(*runs, strict=True))) for runs in (cold, warm))
    found = {
        "cold_ms": round(cold_s * 1000), "daemon_ms": round(warm_s * 1000), "cold_to_daemon": round(cold_s / warm_s, 2),
        "cold_cpu_ms": round(cold_cpu * 1000), "daemon_cpu_ms": round(warm_cpu * 1000), "cold_to_daemon_cpu": round(cold_cpu / warm_cpu, 2),
        "planned_by_daemon": status["planned"], "daemon_resident_mb": round(resident / 1024), "runs": asked.runs,
    }  # fmt: skip
    print(json.dumps(found) if asked.json else "\n".join(f"{k:20} {v}" for k, v in found.items()))


if __name__ == "__main__":
    main()
