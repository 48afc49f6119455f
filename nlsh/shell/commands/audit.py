"""`nlsh audit`: show, filter, verify and export the record of what was asked, decided and done."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from nlsh.journal.audit import Audit, Verdict
from nlsh.shell.asking import gated_lines
from nlsh.shell.options import Options, UsageError, not_so
from nlsh.shell.show import Look, escape, moment, show_table

_KNOWN = {"seq", "time", "event", "prev", "hash", "gated", "gated_count"}
_SHORTEST = 6  # characters of a plan's digest
_AMOUNT = 20


def run(options: Options, look: Look) -> int:
    """Do what `nlsh audit …` says and return the exit status. Raises UsageError, and JournalError where the log cannot be read."""
    match options.words:
        case ["verify"]:
            return _verify(options)
        case ["export"]:
            return _export(options)
        case [] | ["show"]:
            amount = _AMOUNT
        case ["show", number] if number.isascii() and number.isdigit() and int(number) > 0:
            amount = min(int(number), sys.maxsize)
        case words:
            hint = (
                "There is: nlsh audit show [N] [--plan RUN|DIGEST] [--step N] [--decision allow|ask|deny] [--since WHEN], nlsh audit verify, nlsh audit export."
            )
            raise not_so("audit", words, ("show", "verify", "export"), hint)
    _show(Audit().entries(amount, _wanted(options)), look, verbose=options.verbose)
    return 0


def sentence(verdict: Verdict) -> str:
    """Return what `verify` found, for a person: the first break, and how many more there are."""
    if verdict.holds:
        return f"The audit holds: {verdict.entries:,} {'entry' if verdict.entries == 1 else 'entries'}."
    first, *others = verdict.breaks
    where = f" at entry {first.entry}" if first.entry else ""
    line = f" (line {first.line})" if first.line else ""
    more = f" And {len(others):,} more {'break' if len(others) == 1 else 'breaks'}." if others else ""
    return f"The audit is broken{where}{line}, {first.kind}: {escape(first.problem)}.{more}"


def _verify(options: Options) -> int:
    verdict = Audit().verify()
    if options.json:
        breaks = [{"kind": b.kind, "entry": b.entry, "line": b.line, "problem": b.problem} for b in verdict.breaks]
        print(json.dumps({"holds": verdict.holds, "entries": verdict.entries, "line": verdict.line, "problem": verdict.problem, "breaks": breaks}))
        return 0 if verdict.holds else 1
    print(sentence(verdict))
    for each in verdict.breaks[1:] if options.verbose else ():
        print(f"{each.kind} at {f'entry {each.entry}' if each.entry else 'no entry'}: {escape(each.problem)}.")
    return 0 if verdict.holds else 1


def _export(options: Options) -> int:
    """Write the log to stdout as it is, one JSON object a line, so that its hashes can be checked elsewhere."""
    audit = Audit()
    for line in audit.export(_since(options)):
        sys.stdout.write(line.decode("utf-8", "surrogateescape"))
    verdict = audit.verify()
    if not verdict.holds:
        print(f"nlsh: {sentence(verdict)} It was exported as it is.", file=sys.stderr)
    return 0 if verdict.holds else 1


def _wanted(options: Options) -> Callable[[dict[str, Any]], bool]:
    since = _since(options)
    plan = options.plan.lower()
    if plan and not plan.isdigit() and len(plan) < _SHORTEST:
        raise UsageError(f"--plan {plan}: a plan is named by its run's number or the first {_SHORTEST} characters of its digest.", hint="See nlsh history.")

    def keep(entry: dict[str, Any]) -> bool:
        digest = str(entry.get("digest", ""))
        return (
            (not plan or str(entry.get("run", "")) == plan or (len(plan) >= _SHORTEST and digest.startswith(plan)))
            and (not options.step or entry.get("step") == options.step)
            and (not options.decision or entry.get("decision") == options.decision)
            and (since is None or entry.get("time", 0.0) >= since)
        )

    return keep


def _since(options: Options) -> float | None:
    if not options.since:
        return None
    from datetime import datetime

    from nlsh.plan.amounts import Age

    try:
        return datetime.fromisoformat(options.since).timestamp()
    except (ValueError, OverflowError, OSError):
        pass
    try:
        return time.time() - Age().parse(options.since)
    except (ValueError, OverflowError):
        raise UsageError(f"--since {options.since}: that is no date and no length of time.", hint="For example --since 2026-01-31 or --since 7d.") from None


def _words(entry: dict[str, Any]) -> str:
    """Return what a person wants to know of an entry: what was asked, what was decided and by whom, or what came of it."""
    of = f"plan {str(entry.get('digest', ''))[:_SHORTEST]}"
    if entry.get("event") == "decision":
        who, rule = entry.get("who", ""), entry.get("rule", "")
        return f"{entry.get('decision', '')} by {who}, rule {rule}: {entry.get('request') or entry.get('plan', '')} ({of})"
    if entry.get("event") == "outcome":
        errors = "".join(f"; {e.get('message', '')}" for e in entry.get("errors", []) if isinstance(e, dict))
        run = f"run {entry['run']}, " if "run" in entry else ""
        return f"{entry.get('outcome', '')}, {entry.get('done', 0)} of {entry.get('total', 0)} ({run}{of}){errors}"
    return _all_of(entry)


def _all_of(entry: dict[str, Any]) -> str:
    return " ".join(f"{k}={v if isinstance(v, str) else json.dumps(v)}" for k, v in entry.items() if k not in _KNOWN)


def _show(entries: list[dict[str, Any]], look: Look, *, verbose: bool) -> None:
    rows = []
    for entry in entries:
        rest = _words(entry) if look.table and not verbose else _all_of(entry)
        rows.append((str(entry.get("seq", "")), moment(entry.get("time", 0)), str(entry.get("event", "")), rest))
        # Each on a line of its own: what a raw command wanted outside its grant.
        rows += [("", "", "gated", line) for line in gated_lines(entry.get("gated", []), entry.get("gated_count", 0))]
    show_table(("entry", "when", "event", "what"), rows, look, data=entries)
    if not entries and not look.json:
        print("The audit has no such entries.", file=sys.stderr)
