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

import nlsh.journal.audit as module
from nlsh.journal.audit import ANCHOR_EVERY, Audit
from nlsh.journal.chain import FIRST, canonical, linked
from nlsh.journal.store import Journal
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


def test_a_line_forged_with_a_hash_that_fits_is_found(audit: Audit) -> None:
    lines = audit.path.read_bytes().splitlines(keepends=True)
    entry = json.loads(lines[2])
    forged = linked({**{k: v for k, v in entry.items() if k not in ("prev", "hash")}, "who": "policy"}, entry["prev"])
    lines[2] = canonical(forged) + b"\n"
    audit.path.write_bytes(b"".join(lines))
    (found,) = audit.verify().breaks
    assert (found.kind, found.entry, found.line) == ("changed", 3, 3)
    assert "does not follow" in found.problem


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


def test_three_processes_appending_at_once_keep_one_chain(home: Path) -> None:
    """Two thousand entries each: nothing is lost, nothing is torn, the anchors of all three agree."""
    script = (
        "import sys\nfrom nlsh.journal.audit import Audit\na = Audit()\n"
        "for i in range(2000): a.append('decision', sync=i % 20 == 0, who=sys.argv[1], n=i)\na.anchor()"
    )
    others = [subprocess.Popen([sys.executable, "-c", script, str(k)], cwd=Path(__file__).resolve().parents[3]) for k in range(3)]
    assert [p.wait() for p in others] == [0] * 3
    audit = Audit()
    verdict = audit.verify()
    assert (verdict.breaks, verdict.entries) == ((), 6000)
    written = [(e["who"], e["n"]) for e in audit.entries()]
    for k in range(3):
        assert [n for who, n in written if who == str(k)] == list(range(2000))


# --- what the journal remembers ----------------------------------------------------------------------------------


def put_back(audit: Audit, entries: int) -> None:
    """Put the log and its head back as they were when there were so many entries, as a backup would."""
    lines = audit.path.read_bytes().splitlines(keepends=True)[:entries]
    last = json.loads(lines[-1])
    audit.path.write_bytes(b"".join(lines))
    audit._set_head(module._Head(last["seq"], last["hash"], last["time"], 0))


def test_an_older_log_with_its_head_is_found_by_the_anchor(audit: Audit) -> None:
    audit.anchor()
    assert audit.verify().holds
    put_back(audit, 4)
    (found,) = audit.verify().breaks
    assert (found.kind, found.entry) == ("rolled back", 5)
    # Grown again beyond it, the entries in between are others than those that were anchored.
    for i in range(4):
        audit.append("decision", n=i)
    (found,) = audit.verify().breaks
    assert found.kind == "rolled back" and "1 to 6" in found.problem, found


def test_between_two_anchors_it_is_known_where_the_other_log_begins(audit: Audit) -> None:
    audit.anchor()
    for i in range(6):
        audit.append("decision", n=i)
    audit.anchor()
    put_back(audit, 8)
    for i in range(9):
        audit.append("decision", n=i)
    (found,) = audit.verify().breaks
    assert (found.kind, found.entry) == ("rolled back", 7)


def test_another_log_altogether_is_found(audit: Audit, tmp_path: Path) -> None:
    audit.anchor()
    other = Audit(tmp_path / "other")
    for i in range(20):
        other.append("decision", n=i)
    os.replace(other.path, audit.path)
    os.replace(other.head, audit.head)
    assert audit.verify().breaks[0].kind == "rolled back"


def test_an_anchor_is_made_every_so_often_without_being_asked(home: Path) -> None:
    audit = Audit()
    for i in range(ANCHOR_EVERY):
        audit.append("decision", n=i)
    put_back(audit, 10)
    assert [(b.kind, b.entry) for b in audit.verify().breaks] == [("rolled back", 11)]


def test_anchors_removed_from_the_journal_are_found_and_noted(audit: Audit) -> None:
    audit.anchor()
    journal = Journal(audit.folder / "journal.sqlite")
    with journal.using() as db:
        db.execute("DELETE FROM audit_anchors")
    (found,) = audit.verify().breaks
    assert found.kind == "anchors" and "6 entries" in found.problem
    audit.append("outcome", outcome="done")
    audit.anchor()
    assert audit.verify().holds
    assert "was missing" in audit.entries(1)[0]["what"]


@pytest.mark.parametrize("value", ["'x'", "-1", "NULL", "9e99", "7"])
def test_an_anchor_that_was_changed_is_found(audit: Audit, value: str) -> None:
    audit.anchor()
    journal = Journal(audit.folder / "journal.sqlite")
    with journal.using() as db:
        db.execute("CREATE TABLE changed AS SELECT * FROM audit_anchors")
        db.execute("DROP TABLE audit_anchors")
        db.execute("ALTER TABLE changed RENAME TO audit_anchors")
        db.execute(f"UPDATE audit_anchors SET entries={value}")
    assert not audit.verify().holds


def test_a_journal_that_is_damaged_is_said_and_the_log_goes_on(audit: Audit) -> None:
    audit.anchor()
    (audit.folder / "journal.sqlite").write_bytes(b"rubbish" * 1000)
    fresh = Audit()
    assert [b.kind for b in fresh.verify().breaks] == ["anchors"]
    fresh.append("outcome", outcome="done")
    fresh.anchor()
    assert fresh.entries(1)[0]["outcome"] == "done"


def test_only_so_many_anchors_are_kept(audit: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nlsh.journal.anchors.KEEP", 3)
    for i in range(6):
        audit.append("decision", n=i)
        audit.anchor()
    with Journal(audit.folder / "journal.sqlite").using() as db:
        assert [n for (n,) in db.execute("SELECT entries FROM audit_anchors ORDER BY id")] == [10, 11, 12]
    assert audit.verify().holds


def test_a_log_moved_away_while_its_lock_is_waited_for_gets_nothing(audit: Audit) -> None:
    script = "from nlsh.journal.audit import Audit\nprint(flush=True)\nAudit().append('decision', n=1)"
    with audit._locked():
        other = subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).resolve().parents[3], stdout=subprocess.PIPE)
        while "flock" not in Path(f"/proc/{other.pid}/wchan").read_text() and not _waits_for_a_lock(other.pid):
            os.sched_yield()
        os.rename(audit.path, audit.folder / "old")
    assert other.wait() == 0
    other.communicate()
    assert (audit.folder / "old").read_bytes().count(b"\n") == 6
    assert audit.entries()[-1]["n"] == 1


def _waits_for_a_lock(pid: int) -> bool:
    return any("->" in line and str(pid) in line.split() for line in Path("/proc/locks").read_text().splitlines())


def test_a_last_entry_written_anew_stays_found_after_more_entries(audit: Audit) -> None:
    lines = audit.path.read_bytes().splitlines(keepends=True)
    entry = json.loads(lines[-1])
    lines[-1] = canonical(linked({"seq": 6, "time": entry["time"], "event": "decision", "decision": "deny"}, entry["prev"])) + b"\n"
    audit.path.write_bytes(b"".join(lines))
    assert [(b.kind, b.entry) for b in audit.verify().breaks] == [("rolled back", 1)]
    audit.append("outcome", outcome="done")
    assert [(b.kind, b.entry) for b in audit.verify().breaks] == [("changed", 6)]


# --- what is read from it ----------------------------------------------------------------------------------------


def test_export_gives_the_lines_as_they_are(audit: Audit) -> None:
    assert b"".join(audit.export()) == audit.path.read_bytes()
    middle = audit.entries()[3]["time"]
    assert [json.loads(line)["seq"] for line in audit.export(middle)] == [4, 5, 6]


def test_entries_can_be_chosen(audit: Audit) -> None:
    assert [e["seq"] for e in audit.entries(2, lambda e: e["seq"] % 2 == 0)] == [4, 6]
