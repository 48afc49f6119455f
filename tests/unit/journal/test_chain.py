"""A chain of fifty entries under every small attack: each is found, and located at the entry that it is about."""

from __future__ import annotations

import random
from functools import cache
from itertools import combinations

import pytest

from nlsh.journal import chain
from nlsh.journal.chain import FIRST, Break, Witness, canonical, compare, examine, linked

COUNT = 50


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    found, previous = [], FIRST
    for seq in range(1, COUNT + 1):
        entry = linked({"seq": seq, "time": 1.5 + seq, "event": "decision", "plan": f'file.trash("{seq}")'}, previous)
        previous = entry["hash"]
        found.append(canonical(entry) + b"\n")
    return found


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read each of the lines that stay the same once."""
    monkeypatch.setattr(chain, "read", cache(chain.read))


def breaks(lines: list[bytes], data: bytes | list[bytes], *witnesses: Witness) -> list[Break]:
    text = data if isinstance(data, bytes) else b"".join(data)
    head = Witness("audit.head", COUNT, chain.read(lines[-1])["hash"], newest=True)
    return compare(examine(part for part in text.splitlines(keepends=True)), witnesses or (head,))


def test_an_untouched_chain_has_no_breaks(lines: list[bytes]) -> None:
    assert breaks(lines, lines) == []
    assert examine(lines).end == COUNT


def test_every_byte_flipped_is_found_at_its_entry(lines: list[bytes]) -> None:
    whole = b"".join(lines)
    chosen = random.Random(5)
    tried = 0
    for number, line in enumerate(lines, start=1):
        start = len(b"".join(lines[: number - 1]))
        for at in range(start, start + len(line)):
            changed = bytearray(whole)
            changed[at] ^= 1 << chosen.randrange(8)
            found = breaks(lines, bytes(changed))
            assert found and found[0].entry == number, (at, whole[at : at + 1], found)
            assert found[0].kind == "changed", found
            tried += 1
    assert tried == len(whole)


def test_every_line_taken_out_is_found(lines: list[bytes]) -> None:
    for n in range(COUNT - 1):
        (found,) = breaks(lines, lines[:n] + lines[n + 1 :])
        assert (found.kind, found.entry, found.line) == ("removed", n + 1, n + 1)


def test_every_end_cut_off_is_found(lines: list[bytes]) -> None:
    for n in range(COUNT):
        (found,) = breaks(lines, lines[:n])
        assert (found.kind, found.entry) == ("truncated", n + 1)
        assert str(COUNT) in found.problem


def test_every_line_twice_is_found(lines: list[bytes]) -> None:
    for n in range(COUNT):
        for place in (n + 1, COUNT):
            found = breaks(lines, [*lines[:place], lines[n], *lines[place:]])
            assert [(b.kind, b.entry, b.line) for b in found] == [("inserted", n + 1, place + 1)]


def test_every_two_lines_exchanged_are_found(lines: list[bytes]) -> None:
    for a, b in combinations(range(COUNT), 2):
        other = list(lines)
        other[a], other[b] = lines[b], lines[a]
        found = breaks(lines, other)
        assert found and found[0].entry == a + 1 and found[0].kind == "reordered", (a, b, found)


def test_a_line_put_in_is_found_whatever_it_is(lines: list[bytes]) -> None:
    forged = canonical(linked({"seq": 7, "time": 1.0, "event": "decision"}, chain.read(lines[5])["hash"])) + b"\n"
    for text, kind in ((b"rubbish\n", "inserted"), (b"\n", "inserted"), (forged, "inserted")):
        for n in range(7, COUNT):
            found = breaks(lines, [*lines[:n], text, *lines[n:]])
            assert found[0].kind == kind and found[0].line == n + 1, (n, found)


def test_a_line_break_in_the_middle_is_one_change(lines: list[bytes]) -> None:
    for at in range(1, len(lines[20]) - 1):
        (found,) = breaks(lines, [*lines[:20], lines[20][:at] + b"\n" + lines[20][at:], *lines[21:]])
        assert (found.kind, found.entry) == ("changed", 21)


def test_several_breaks_are_all_named(lines: list[bytes]) -> None:
    other = [*lines[:4], *lines[5:20], lines[20].replace(b"trash", b"crash"), *lines[21:30], lines[3], *lines[30:]]
    assert [(b.kind, b.entry) for b in breaks(lines, other)] == [("inserted", 4), ("removed", 5), ("changed", 21)]


@pytest.mark.parametrize("remembered", [(50,), (20, 50), (30, 50), (20, 30, 50)])
def test_an_entry_written_anew_with_all_that_follows_is_found(lines: list[bytes], remembered: tuple[int, ...]) -> None:
    """A forger who makes every later hash fit is caught by what others remember, and between which of them is known."""
    forged, previous = lines[:24], chain.read(lines[23])["hash"]
    for line in lines[24:]:
        entry = {k: v for k, v in chain.read(line).items() if k not in ("prev", "hash")}
        made = linked({**entry, "plan": "nothing"}, previous)
        previous = made["hash"]
        forged = [*forged, canonical(made) + b"\n"]
    known = [Witness(f"anchor {n}", n, chain.read(lines[n - 1])["hash"]) for n in remembered]
    (found,) = breaks(lines, forged, *known)
    assert found.kind == "rolled back"
    assert found.entry == (21 if 20 in remembered else 1)
    assert f"anchor {30 if 30 in remembered else 50}" in found.problem


def test_one_entry_written_anew_is_blamed_itself(lines: list[bytes]) -> None:
    for n in range(COUNT - 1):
        entry = chain.read(lines[n])
        made = linked({k: v for k, v in entry.items() if k not in ("prev", "hash")} | {"plan": "nothing"}, entry["prev"])
        found = breaks(lines, [*lines[:n], canonical(made) + b"\n", *lines[n + 1 :]])
        assert [(b.kind, b.entry) for b in found] == [("changed", n + 1)]


def test_what_the_machine_did_not_finish_is_told_from_what_was_cut(lines: list[bytes]) -> None:
    shorter = Witness("audit.head", COUNT - 1, chain.read(lines[-2])["hash"], newest=True)
    for kept in range(1, len(lines[-1])):
        data = b"".join(lines[:-1]) + lines[-1][:kept]
        assert [(b.kind, b.entry) for b in breaks(lines, data, shorter)] == [("torn", COUNT)]
        assert [(b.kind, b.entry) for b in breaks(lines, data)] == [("changed", COUNT)]
