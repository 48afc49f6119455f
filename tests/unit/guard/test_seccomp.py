"""The filter's assembler: every jump stays inside, every path ends in an answer."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlsh.guard.sandbox import seccomp
from nlsh.guard.sandbox.seccomp import Profile, build

RETURN, JUMP = 0x06, 0x05

profiles = st.builds(
    Profile,
    write=st.booleans(), write_by_flags=st.booleans(), exec=st.booleans(), route=st.booleans(), tcp=st.booleans(), udp=st.booleans(),
    listen=st.booleans(), signal_descriptors=st.sampled_from([(0, 0), (512, 512), (512, 530)]), signal_scoped=st.booleans(),
    known=st.lists(st.integers(1, 4_000_000), max_size=300).map(tuple), tune=st.lists(st.integers(1, 4_000_000), max_size=300).map(tuple),
    truncates_unseen=st.booleans(), flag_descriptors=st.sampled_from([(0, 0), (512, 512), (512, 530)]),
    watches=st.sampled_from([(), (5, 9)]),
)  # fmt: skip


@given(profiles)
def test_programs_are_whole(profile: Profile) -> None:
    code = list(struct.iter_unpack("=HBBI", build(profile)))
    assert len(code) <= 4096
    for place, (what, yes, no, value) in enumerate(code):
        if what == JUMP:
            assert place + 1 + value < len(code)
        elif what & 0x07 == 0x05:
            assert place + 1 + max(yes, no) < len(code)
    assert code[-1][0] == RETURN


def test_many_threads_fit() -> None:
    assert len(build(Profile(tune=tuple(range(100, 3000)), known=(100,)))) // 8 < 600
    assert len(build(Profile(tune=tuple(range(100, 2900, 2)), known=(100,)))) // 8 <= 4096


@pytest.mark.parametrize("machine", [0, 1])
def test_no_number_stands_for_two_calls(machine: int) -> None:
    numbers = [pair[machine] for pair in seccomp._NUMBERS.values() if pair[machine] is not None]
    assert len(numbers) == len(set(numbers))
