"""From what a command changed on a copy to the steps that keep it."""

from __future__ import annotations

import os
from collections.abc import Iterator

from nlsh.plan.errors import StaleStep
from nlsh.plan.steps import Step
from nlsh.steps.keeping import PutFromLayer, SetAttributes, SwapWithLayer, TakeIntoLayer
from nlsh.world.files import identity
from nlsh.world.layers import ChangeSet, Piece, old_of, upper_of

_MOST_NAMED = 3


def keeping(found: ChangeSet) -> Iterator[Step]:
    """Yield the steps that keep the changes, in an order in which each finds what the one before has left. Raises StaleStep where others changed the same."""
    if found.conflicts:
        names = ", ".join(os.path.join(found.root, p) for p in sorted(set(found.conflicts))[:_MOST_NAMED])
        more = f" and {len(set(found.conflicts)) - _MOST_NAMED} more" if len(set(found.conflicts)) > _MOST_NAMED else ""
        raise StaleStep(f"Somebody else changed {names}{more} while the command ran.", hint="Nothing was changed. Run the command again.")
    if found.is_empty:
        return
    folders: dict[str, tuple[int, ...]] = {}
    gone = {p.path for p in found.pieces if p.kind == "gone"}
    replaced = {p.path for p in found.pieces if p.kind == "new" and p.path in gone}
    for number, piece in enumerate(found.pieces):
        yield _step(found, piece, number, folders, piece.path in replaced)


def _step(found: ChangeSet, piece: Piece, number: int, folders: dict[str, tuple[int, ...]], replaces: bool) -> Step:
    path = os.path.join(found.root, piece.path) if piece.path else found.root
    upper = os.path.join(upper_of(found.layer), piece.path)
    old, new = piece.old, piece.new
    if piece.kind == "new" and new is not None:
        parent = os.path.dirname(path)
        if parent not in folders:
            folders[parent] = identity(os.lstat(parent))
        return PutFromLayer(path, upper, new.identity, new.tree.digest, new.tree.entries, folders[parent], replaces)
    assert old is not None
    if piece.kind == "gone":
        store = os.path.join(old_of(found.layer), str(number))
        return TakeIntoLayer(path, store, old.identity, old.tree.digest, old.tree.entries, found.since_ns, replaces)
    assert new is not None
    if piece.kind == "swap":
        return SwapWithLayer(path, upper, new.identity, old.identity, found.since_ns)
    return SetAttributes(path, old.identity, (old.mode, old.mtime_ns, old.attributes), (new.mode, new.mtime_ns, new.attributes), found.since_ns)
