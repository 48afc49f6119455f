"""Is every action reached by saying it? Each action's own examples, planned by the shipped models: how many are read so first, or offered at all.

    python benchmarks/reach.py [--json]

Left out are examples that are refused, and sentences with a place to be filled in. What only works on a result (`result.*`) needs a turn before.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from nlsh.plan import registry
from nlsh.planner.answer import Context
from nlsh.planner.planner import Planner
from nlsh.settings import Settings


def measure() -> dict[str, tuple[int, int, int]]:
    """Return for each action how many sentences there are, how many are read so first, and how many at all."""
    planner, found = Planner(Settings()), {}
    for action in registry.all_actions():
        said = [s for e in action.examples if not e.refused for s in e.say[:2] if "{" not in s]
        plans = [[r.plan for r in planner.plan(s, Context("/home/u", "/home/u")).readings] for s in said]
        hits = [[any(c.action == action.name for c in plan.calls) for plan in readings] for readings in plans]
        found[action.name] = len(said), sum(h[:1] == [True] for h in hits), sum(map(any, hits))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    found = measure()
    if parser.parse_args().json:
        print(json.dumps(found))
        return 0
    said, first, offered = (sum(f[i] for f in found.values()) for i in range(3))
    print(f"{len(found)} actions, {said} sentences: {first / said:.1%} first, {offered / said:.1%} offered")
    print("never offered:", ", ".join(name for name, (n, _, hits) in found.items() if n and not hits) or "none")
    return 0


if __name__ == "__main__":
    sys.exit(main())
