"""Anchors: how long the audit was and what its newest hash was, at moments of its life, kept in the journal's database.

They are the second place that remembers the chain: whoever cuts off its end, or puts an older log with its head back, has not changed these.
"""

from __future__ import annotations

from nlsh.journal.store import Journal
from nlsh.plan.frozen import frozen

KEEP = 1000
_TABLE = "CREATE TABLE IF NOT EXISTS audit_anchors (id INTEGER PRIMARY KEY AUTOINCREMENT, entries INTEGER NOT NULL, hash TEXT NOT NULL, at REAL NOT NULL)"


@frozen()
class Anchor:
    """The chain had so many entries, the newest with this hash, at this time (seconds since the epoch)."""

    entries: int
    hash: str
    at: float


class Anchors:
    """The anchors of the audit in a journal. Raises JournalError where it cannot be used."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def add(self, anchor: Anchor) -> None:
        """Remember an anchor, synced; the oldest beyond a thousand are let go."""
        with self._journal.using() as db:
            db.execute("PRAGMA synchronous=FULL")
            db.execute("BEGIN IMMEDIATE")
            db.execute(_TABLE)
            db.execute("INSERT INTO audit_anchors (entries, hash, at) VALUES (?,?,?)", (anchor.entries, anchor.hash, anchor.at))
            db.execute("DELETE FROM audit_anchors WHERE id <= (SELECT max(id) FROM audit_anchors) - ?", (KEEP,))
            db.execute("COMMIT")
            db.execute("PRAGMA synchronous=NORMAL")

    def all(self) -> list[Anchor]:
        """Return the anchors by the number of entries; what is no anchor is one of -1 entries."""
        if not self._journal.path.exists():
            return []
        with self._journal.using() as db:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name='audit_anchors'").fetchone():
                return []
            rows = db.execute("SELECT entries, hash, at FROM audit_anchors ORDER BY entries, id").fetchall()
        whole = (isinstance(n, int) and n > 0 and isinstance(h, str) and isinstance(t, float) for n, h, t in rows)
        return [Anchor(*row) if ok else Anchor(-1, "", 0.0) for row, ok in zip(rows, whole, strict=True)]
