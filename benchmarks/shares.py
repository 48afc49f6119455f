"""Do programs get the shares of the processor that were asked for?  Run: python benchmarks/shares.py [--seconds 2] [--tries 3] [--sessions]

Starts programs that burn all the time they get, shares the processor out among them with resource.share, in a confined worker as a user would, and
measures what each then uses, with a competitor that nobody limits beside them. The difference must be within five per cent of the machine. Of
several tries the one counts that was disturbed least by other work, if that took no more than the tolerance; where the machine is busy otherwise, how
they share what is left still tells something, as far as they are held by the same means. A case that only control groups can do exactly does not count
where there are none, nor where the user's own systemd keeps shares against a competitor in a session beside it; the preview says so there, too.
`--sessions` starts each program in a session of its own, as terminals and services do. Says by which means the shares are kept here.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from nlsh.guard.grant import Grant
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.plan import registry
from nlsh.plan.steps import Step
from nlsh.resources import limits
from nlsh.world import World, processes

TOLERANCE = 5.0
BURN = "print('ready', flush=True)\nwhile True:\n    pass\n"
# What is tried: programs, how many processes each has, and the shares; how many processes compete with them; whether only control groups can do it.
CASES: tuple[tuple[str, dict[str, tuple[int, str]], int, bool], ...] = (
    ("half the machine for one, beside a competitor", {"train": (2, "50%")}, 1, False),
    ("half each", {"train": (1, "50%"), "serve": (1, "50%")}, 0, False),
    ("one core at 35 to 15", {"train": (1, "35%"), "serve": (1, "15%")}, 0, False),
    ("a quarter and a half, with several processes", {"train": (2, "25%"), "serve": (2, "50%")}, 1, True),
)


def started(folder: Path, name: str, count: int, sessions: bool) -> list[subprocess.Popen[bytes]]:
    """Start `count` processes that answer to `name`, and wait until they burn."""
    script = folder / f"{name}.py"
    script.write_text(BURN)
    found = [subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, start_new_session=sessions) for _ in range(count)]
    for child in found:
        assert child.stdout is not None
        child.stdout.readline()
    return found


def steps_of(text: str) -> list[Step]:
    (call,) = registry.parse(text).calls
    action = registry.get(call.action)
    args = action.Args.bind(call.action, call.args)
    return list(action.steps(args, json.loads(json.dumps(action.look(args, World())))))


def run(zygote: Zygote, steps: list[Step]) -> None:
    """Run steps as a plan's are run: in a worker that is confined to their effects."""
    grant = Grant.of(e for s in steps for e in s.effects())
    job = {"steps": [s.as_data() for s in steps], "grant": grant.as_data(), "cwd": os.getcwd(), "env": dict(os.environ)}
    bad: list[dict[str, Any]] = [m for m in zygote.run(job) if m["type"] in ("failed", "denied")]
    if bad:
        raise SystemExit(f"{bad[0]}")


def used(pids: list[int]) -> float:
    return sum(processes.cpu_seconds(found) for pid in pids if (found := processes.read(pid)) is not None)


def busy() -> float:
    """Return how many seconds all cores together have been busy, or taken away by the machine around this one."""
    user, nice, system, _, _, irq, softirq, steal, *_ = (int(f) for f in Path("/proc/stat").read_text().splitlines()[0].split()[1:])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def window(children: dict[str, list[subprocess.Popen[bytes]]], seconds: float) -> tuple[float, dict[str, float]]:
    """Return what other work took of the machine for so long, and what each program had of it, in per cent."""
    before, began, taken = {n: used([c.pid for c in found]) for n, found in children.items()}, time.monotonic(), busy()
    time.sleep(seconds)
    had = {n: used([c.pid for c in found]) - before[n] for n, found in children.items()}
    machine = (time.monotonic() - began) * (os.cpu_count() or 1)
    return 100 * max(busy() - taken - sum(had.values()), 0.0) / machine, {n: 100 * v / machine for n, v in had.items()}


def case(
    zygote: Zygote, title: str, wanted: dict[str, tuple[int, str]], others: int, by_groups: bool, *, seconds: float, tries: int, sessions: bool
) -> bool | None:
    """Run one case and print it; return whether it was within the tolerance, None where it does not count."""
    children: dict[str, list[subprocess.Popen[bytes]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        tag = os.urandom(3).hex()
        try:
            for name, (count, _) in wanted.items():
                children[name] = started(Path(folder), f"{name}-{tag}", count, sessions)
            children["(others)"] = started(Path(folder), f"others-{tag}", others, sessions) if others else []
            names = ", ".join(f'"{n}-{tag}"' for n in wanted)
            shares = ", ".join(f'"{s}"' for _, s in wanted.values())
            steps = steps_of(f"resource.share([{names}], share=[{shares}])")
            run(zygote, steps)
            print(f"{title}:")
            for step in steps:
                print(f"    {step.describe()}")
            time.sleep(0.5)
            foreign, had = min((window(children, seconds) for _ in range(tries)), key=lambda w: w[0])
            good = True
            for name, share in had.items():
                asked = float(wanted[name][1].rstrip("%")) if name in wanted else None
                off = None if asked is None else share - asked
                good &= off is None or abs(off) <= TOLERANCE
                print(f"  {name:10} measured {share:5.1f}%" + ("" if off is None else f"  asked {asked:5.1f}%  off {off:+5.1f}"))
            together = sum(had[n] for n in wanted)
            asked_all = sum(float(s.rstrip("%")) for _, s in wanted.values())
            for name, (_, share) in wanted.items() if len(wanted) > 1 else ():
                part = 100 * had[name] / together if together else 0.0
                print(f"  of what they had together, {name} had {part:5.1f}%, asked {100 * float(share.rstrip('%')) / asked_all:5.1f}%")
            print(f"  other work took {foreign:.1f}% of the machine meanwhile")
            run(zygote, [back for s in reversed(steps) if (back := s.inverse()) is not None])
            if foreign > TOLERANCE:
                print("  that is too much: it does not count")
                return None
            # What competes is started here, so in the session that nlsh would be in.
            by_itself = any(getattr(s, "bus", "") == "session" for s in steps) and limits.in_a_session()
            return None if by_groups and (by_itself or any(type(s).__name__ == "SetAffinity" for s in steps)) else good
        finally:
            for child in (c for found in children.values() for c in found):
                child.kill()
                child.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each try measures")
    parser.add_argument("--tries", type=int, default=3, help="how many times; the one with the least other work on the machine counts")
    parser.add_argument("--sessions", action="store_true", help="a session for each program")
    options = parser.parse_args()
    zygote = Zygote.start()
    try:
        results = [good for one in CASES if (good := case(zygote, *one, seconds=options.seconds, tries=options.tries, sessions=options.sessions)) is not None]
    finally:
        zygote.close()
    print(f"{sum(results)} of {len(results)} within {TOLERANCE:.0f}% of the machine")
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
