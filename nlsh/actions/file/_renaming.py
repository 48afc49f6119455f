"""How many things get new names at once so that none is overwritten: what waits for what, and what has to stand aside for a moment.

Pure but for the two questions it asks: whether a name is taken, and whether two names are one to the file system (`Names`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from nlsh.plan.errors import Refused
from nlsh.world import World

_UNCHANGED = "Nothing was changed."


@dataclass(frozen=True)
class Names:
    """What the file system says: whether a path is `taken`, and whether two paths that are there are the `same` name in different cases."""

    taken: Callable[[str], bool]
    same: Callable[[str, str], bool]


def ordered(wanted: Mapping[str, str], names: Names) -> Iterator[tuple[str, str]]:
    """Yield the renames, (old path, new path), in an order in which every new name is free when its turn comes.

    `wanted` gives for each old path the new one, in the same folder. Who takes the name of another comes after it; in a circle one stands
    aside under a name of nobody's, and so does what only changes its case where that is the same name. What is in a folder comes before the
    folder. Raises Refused where two want one name or where it is taken. Needs time in proportion to the number of renames.
    """
    moves = {old: new for old, new in wanted.items() if old != new}
    recased = _refuse_clashes(moves, names)
    used = set(moves.values())
    # The deepest first: a folder's own name is part of the paths of what is in it.
    for chain in sorted(_in_order(moves), key=lambda chain: -chain[0].count("/")):
        yield from _chain(chain, moves, names, used, recased)


def _in_order(moves: Mapping[str, str]) -> Iterator[list[str]]:
    """Yield chains of old paths: in each, who takes a name comes after who gives it up. The first of a circle is named again at its end."""
    takers = {new: old for old, new in moves.items()}
    done: set[str] = set()
    for old, new in moves.items():
        if new in moves or old in done:
            continue
        chain = [old]  # its new name is free; whoever takes its old one is next
        while (taker := takers.get(chain[-1])) is not None:
            chain.append(taker)
        done.update(chain)
        yield chain
    for old in moves:
        if old in done:
            continue
        circle = [old]
        while (taker := takers[circle[-1]]) != old:
            circle.append(taker)
        done.update(circle)
        yield [*circle, old]


def _chain(chain: list[str], moves: Mapping[str, str], names: Names, used: set[str], recased: set[str]) -> Iterator[tuple[str, str]]:
    if len(chain) > 1 and chain[0] == chain[-1]:
        aside = _aside(chain[0], names, used)
        yield chain[0], aside
        yield from ((old, moves[old]) for old in chain[1:-1])
        yield aside, moves[chain[0]]
        return
    for old in chain:
        new = moves[old]
        if old in recased:
            aside = _aside(old, names, used)
            yield old, aside
            yield aside, new
        else:
            yield old, new


def _aside(path: str, names: Names, used: set[str]) -> str:
    """Return a name beside `path` that nobody has or will have."""
    folder, stem = os.path.split(path)
    while len(os.fsencode(stem)) > 235:
        stem = stem[:-1]
    aside, number = os.path.join(folder, f".{stem}.aside"), 1
    while aside in used or names.taken(aside):
        number += 1
        aside = os.path.join(folder, f".{stem}.aside{number}")
    used.add(aside)
    return aside


def _refuse_clashes(moves: Mapping[str, str], names: Names) -> set[str]:
    """Return what only gets its own name in another case, where case does not matter. Raises Refused."""
    givers: dict[str, str] = {}
    recased: set[str] = set()
    alike: dict[str, tuple[str, str]] = {}
    for old, new in moves.items():
        if new in givers:
            raise _clash(givers[new], old, new)
        givers[new] = old
        if new not in moves and names.taken(new):
            if not names.same(old, new):
                raise Refused(
                    f"There is already something at {new}.", hint=f"{_UNCHANGED} nlsh does not overwrite: choose another name, or move it away first."
                )
            recased.add(old)
        # LIMIT: where case does not matter, a name is not given to one thing while another with the same letters gives it up: that is refused.
        other = alike.setdefault(new.casefold(), (old, new))
        if other[0] != old and names.same(old, _other_case(old)):
            raise _clash(other[0], old, new)
    return recased


def _clash(first: str, second: str, new: str) -> Refused:
    return Refused(f"{first} and {second} would both be called {os.path.basename(new)}.", hint=f"{_UNCHANGED} Rename them another way, or number them.")


def _other_case(path: str) -> str:
    folder, name = os.path.split(path)
    return os.path.join(folder, name.swapcase())


def split_name(name: str) -> tuple[str, str]:
    """Return a name without its ending, and the ending: .tar.gz is one, and a name that begins with a dot has none for that."""
    stem, ending = os.path.splitext(name)
    inner, before = os.path.splitext(stem)
    return (inner, before + ending) if before == ".tar" and inner else (stem, ending)


def names_in(world: World) -> Names:
    """Return what the file systems of this machine say of names."""
    listed: dict[str, frozenset[str]] = {}

    def same(path: str, other: str) -> bool:
        try:
            first, second = os.lstat(path), os.lstat(other)
        except OSError:
            return False
        folder, name = os.path.split(other)
        if folder not in listed:
            listed[folder] = frozenset(os.listdir(folder))
        # A hard link is the same file, too, but it stands in the folder under its own name.
        return path != other and (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino) and name not in listed[folder]

    return Names(world.exists, same)
