"""The recording of samples: what is written is what is read, by several at once, and nothing of it harms a session."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from nlsh.monitor import sampler
from nlsh.world import samples
from nlsh.world.samples import Sample

NOW = 1_800_000_000.0
VALUES = st.floats(0, 100, width=32)


@given(ages=st.lists(st.integers(0, samples.SLOTS - 1), unique=True, max_size=40), value=VALUES)
def test_what_was_written_is_read_in_order(tmp_path_factory: object, ages: list[int], value: float) -> None:
    file = tmp_path_factory.mktemp("ring") / "samples"  # type: ignore[attr-defined]
    descriptor = sampler.opened(str(file))
    for age in ages:
        os.pwrite(descriptor, samples.packed(Sample(NOW - age * samples.STEP_S, value, value, value)), samples.place(NOW - age * samples.STEP_S))
    os.close(descriptor)
    found = samples.read(str(file), NOW, samples.KEPT_S)
    assert [s.at for s in found] == [NOW - age * samples.STEP_S for age in sorted(ages, reverse=True)]
    assert all(s.cpu == s.memory == s.load == value for s in found)
    recent = samples.read(str(file), NOW, 600)
    assert [s.at for s in recent] == [s.at for s in found if s.at > NOW - 600]


@given(st.lists(st.tuples(st.floats(0, 599), VALUES), min_size=1, max_size=60), st.sampled_from(samples.KINDS), st.sampled_from([10.0, 60.0, 600.0, 3600.0]))
def test_a_course_keeps_within_what_was_seen(given: list[tuple[float, float]], of: str, seconds: float) -> None:
    seen = sorted((Sample(NOW - min(age, seconds - 1), v, v, v) for age, v in given), key=lambda s: s.at)
    course = samples.course(of, seen, NOW, seconds)
    values = [v for v in course.series if v is not None]
    assert len(course.series) == len(course.course) <= 60 and len(course.series) * course.step_seconds >= seconds
    assert values and all(course.lowest - 0.06 <= v <= course.highest + 0.06 for v in values)
    assert course.lowest <= course.mean <= course.highest


def test_the_file_never_grows_and_is_the_users_alone(tmp_path: Path) -> None:
    file = tmp_path / "samples"
    descriptor = sampler.opened(str(file))
    before = samples.ticks()
    for _ in range(3):
        before = sampler.record(descriptor, before)
    os.close(descriptor)
    assert file.stat().st_size == samples.SIZE and file.stat().st_mode & 0o777 == 0o600 and len(list(tmp_path.iterdir())) == 1
    (found,) = samples.read(str(file), time.time() + 1, 60)[-1:]
    assert 0 <= found.cpu <= 100 and 0 < found.memory < 100 and found.load >= 0


def test_a_session_beside_another_adds_to_the_same_file(tmp_path: Path) -> None:
    file = str(tmp_path / "samples")
    one, two = sampler.opened(file), sampler.opened(file)
    os.pwrite(one, samples.packed(Sample(NOW, 1, 1, 1)), samples.place(NOW))
    os.pwrite(two, samples.packed(Sample(NOW + 10, 2, 2, 2)), samples.place(NOW + 10))
    assert [s.cpu for s in samples.read(file, NOW + 10, 60)] == [1, 2]
    os.close(one), os.close(two)


def test_what_is_no_ring_is_replaced_and_a_link_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "samples"
    file.write_text("something else")
    os.close(sampler.opened(str(file)))
    assert file.stat().st_size == samples.SIZE
    other = tmp_path / "other"
    other.write_text("kept")
    file.unlink()
    file.symlink_to(other)
    with sampler.Sampler(str(file), every_s=0.01) as running:
        running._thread.join(10)
    assert not running._thread.is_alive() and other.read_text() == "kept"


def test_it_records_while_it_is_entered_and_ends_at_once(tmp_path: Path) -> None:
    file = str(tmp_path / "samples")
    with sampler.Sampler(file, every_s=0.02) as running:
        until = time.monotonic() + 20
        while not samples.read(file, time.time(), 60):
            assert time.monotonic() < until
    assert not running._thread.is_alive() and threading.active_count() >= 1


def test_a_cache_that_cannot_be_written_harms_nothing(tmp_path: Path) -> None:
    with sampler.Sampler(str(tmp_path / "no/such/samples"), every_s=0.01) as running:
        running._thread.join(10)
    assert not running._thread.is_alive()


def test_a_slow_session_does_not_wait_for_its_next_look(tmp_path: Path) -> None:
    began = time.monotonic()
    with sampler.Sampler(str(tmp_path / "samples")):
        pass
    assert time.monotonic() - began < 5
