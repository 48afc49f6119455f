"""The audit chain: any change of what is on disk is found and located; appends from several processes and torn lines keep it whole."""

from __future__ import annotations

import json
import os
import random
import stat
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from nlsh.journal.audit import FIRST, Audit
from nlsh.plan.errors import JournalError


@pytest.fixture
def audit(home: Path) -> Audit:
    log = Audit()
    for i in range(6):
        log.append("decision", request=f"delete “{i}” 删除", plan=f'file.trash("{i}")', effects=[f"fs.delete /x/{i}"], decision="allow", rule="r", who="user")
    return log


def test_a_chain_that_was_not_touched_holds(audit: Audit) -> None:
    entries = audit.entries()
    assert [e["seq"] for e in entries] == [1, 2, 3, 4, 5, 6]
    assert entries[0]["prev"] == FIRST
    assert all(a["hash"] == b["prev"] for a, b in pairwise(entries))
    verdict = audit.verify()
    assert (verdict.holds, verdict.entries, verdict.line) == (True, 6, None)


def test_an_empty_audit_holds(home: Path) -> None:
    assert Audit().verify().holds
    assert Audit().entries(5) == []


def test_entries_gives_the_newest(audit: Audit) -> None:
    assert [e["seq"] for e in audit.entries(2)] == [5, 6]


def test_it_is_for_its_owner_only(audit: Audit) -> None:
    assert stat.S_IMODE(audit.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(audit.head.stat().st_mode) == 0o600


def test_any_byte_flipped_is_found_in_its_line(audit: Audit) -> None:
    whole = audit.path.read_bytes()
    chosen = random.Random(7)
    starts = [0] + [i + 1 for i, b in enumerate(whole) if b == 10]
    # Every kind of place: each byte of one line, line ends, and a sample of the rest.
    places = {*range(starts[2], starts[3]), *(i for i, b in enumerate(whole) if b == 10), *chosen.sample(range(len(whole)), 200)}
    for at in sorted(places):
        changed = bytearray(whole)
        changed[at] ^= 1 << chosen.randrange(8)
        audit.path.write_bytes(changed)
        verdict = audit.verify()
        line = whole[:at].count(b"\n") + 1
        assert not verdict.holds, (at, whole[at : at + 1])
        assert verdict.line == line, (at, verdict)
        assert verdict.problem
    audit.path.write_bytes(whole)
    assert audit.verify().holds


def test_any_byte_of_the_head_flipped_is_found(audit: Audit) -> None:
    whole = audit.head.read_bytes()
    for at in range(len(whole)):
        changed = bytearray(whole)
        changed[at] ^= 1
        audit.head.write_bytes(changed)
        assert not audit.verify().holds, at


@pytest.mark.parametrize("gone", [0, 2, 5])
def test_a_line_taken_out_is_found(audit: Audit, gone: int) -> None:
    lines = audit.path.read_bytes().splitlines(keepends=True)
    audit.path.write_bytes(b"".join(lines[:gone] + lines[gone + 1 :]))
    verdict = audit.verify()
    assert not verdict.holds
    assert verdict.line == gone + 1
    assert "missing" in verdict.problem


def test_lines_exchanged_are_found(audit: Audit) -> None:
    lines = audit.path.read_bytes().splitlines(keepends=True)
    lines[1], lines[2] = lines[2], lines[1]
    audit.path.write_bytes(b"".join(lines))
    assert audit.verify().line == 2


def test_a_line_forged_with_a_hash_that_fits_is_found_at_the_next(audit: Audit) -> None:
    import nlsh.journal.audit as module

    lines = audit.path.read_bytes().splitlines(keepends=True)
    entry = json.loads(lines[2])
    entry["who"] = "policy"
    del entry["hash"]
    entry["hash"] = module._hash(entry)
    lines[2] = module._canonical(entry) + b"\n"
    audit.path.write_bytes(b"".join(lines))
    verdict = audit.verify()
    assert verdict.line == 4
    assert "does not follow" in verdict.problem


def test_a_tail_cut_off_stays_found_after_more_entries(audit: Audit) -> None:
    lines = audit.path.read_bytes().splitlines(keepends=True)
    audit.path.write_bytes(b"".join(lines[:4]))
    verdict = audit.verify()
    assert (verdict.holds, verdict.line) == (False, 5)
    assert "5 to 6" in verdict.problem
    audit.append("outcome", outcome="done")
    verdict = audit.verify()
    assert (verdict.holds, verdict.line) == (False, 5)
    assert [e["event"] for e in audit.entries(2)] == ["note", "outcome"]
    assert "5 to 6" in audit.entries(2)[0]["what"]


def test_the_whole_log_removed_is_found(audit: Audit) -> None:
    audit.path.unlink()
    assert not audit.verify().holds
    audit.append("outcome", outcome="done")
    assert audit.verify().line == 1


def test_a_head_removed_is_found_and_noted(audit: Audit) -> None:
    audit.head.unlink()
    assert "audit.head" in audit.verify().problem
    audit.append("outcome", outcome="done")
    assert audit.verify().holds
    assert "audit.head was missing" in audit.entries(2)[0]["what"]


@pytest.mark.parametrize("kept", [1, 40, -1])
def test_a_torn_last_line_is_found_set_aside_and_noted(audit: Audit, kept: int) -> None:
    head = audit.head.read_bytes()
    audit.append("outcome", outcome="done")
    lines = audit.path.read_bytes().splitlines(keepends=True)
    torn = lines[-1][:kept]
    audit.path.write_bytes(b"".join(lines[:-1]) + torn)
    audit.head.write_bytes(head)  # the head is synced after the line: it cannot know of it
    verdict = audit.verify()
    assert (verdict.holds, verdict.line) == (False, 7)
    assert "incomplete" in verdict.problem

    audit.append("decision", decision="allow")
    assert audit.verify().holds
    note = audit.entries(2)[0]
    assert note["event"] == "note"
    assert note["bytes"] == len(torn)
    assert (audit.folder / "audit.torn").read_bytes() == torn + b"\n"


def test_a_last_line_that_was_changed_stays_the_first_break(audit: Audit) -> None:
    lines = audit.path.read_bytes().splitlines(keepends=True)
    audit.path.write_bytes(b"".join(lines[:-1]) + b"rubbish\n")
    assert audit.verify().line == 6
    audit.append("outcome", outcome="done")
    assert audit.verify().line == 6


def test_an_entry_longer_than_a_block_keeps_the_chain(audit: Audit) -> None:
    audit.append("decision", plan="x" * 300_000)
    audit.append("outcome", outcome="done")
    assert audit.verify().holds


def test_names_that_are_not_unicode_can_be_recorded(audit: Audit) -> None:
    audit.append("decision", plan=os.fsdecode(b"file.trash('\xff\xfe')"))
    assert audit.verify().holds
    assert os.fsencode(audit.entries(1)[0]["plan"]) == b"file.trash('\xff\xfe')"


def test_entries_that_are_not_synced_are_part_of_the_chain(home: Path) -> None:
    audit = Audit()
    audit.append("decision", sync=False)
    assert audit.verify().holds
    audit.append("outcome")
    audit.append("decision", sync=False)
    assert [e["event"] for e in audit.entries()] == ["decision", "outcome", "decision"]
    assert audit.verify().holds
    lines = audit.path.read_bytes().splitlines(keepends=True)
    audit.path.write_bytes(lines[0])
    assert audit.verify().line == 2


def test_an_unknown_event_is_a_mistake_of_the_caller(audit: Audit) -> None:
    with pytest.raises(ValueError, match="unknown audit event"):
        audit.append("rumour")


def test_a_log_that_cannot_be_written_says_what_to_do(home: Path) -> None:
    audit = Audit()
    audit.folder.mkdir(parents=True, exist_ok=True)
    audit.path.mkdir()
    with pytest.raises(JournalError, match=r"cannot be written.*Nothing was changed"):
        audit.append("decision")


def test_four_processes_appending_at_once_keep_one_chain(home: Path) -> None:
    script = "import sys\nfrom nlsh.journal.audit import Audit\na = Audit()\nfor i in range(25): a.append('decision', who=sys.argv[1], n=i)"
    others = [subprocess.Popen([sys.executable, "-c", script, str(k)], cwd=Path(__file__).resolve().parents[3]) for k in range(4)]
    assert [p.wait() for p in others] == [0] * 4
    audit = Audit()
    verdict = audit.verify()
    assert (verdict.holds, verdict.entries) == (True, 100)
    written = [(e["who"], e["n"]) for e in audit.entries()]
    for k in range(4):
        assert [n for who, n in written if who == str(k)] == list(range(25))
