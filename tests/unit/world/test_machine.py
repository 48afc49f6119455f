"""Facts about the machine, held against psutil's where it has them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import psutil
import pytest

from nlsh.plan.records import Mount
from nlsh.world import machine


def test_memory_is_what_psutil_says() -> None:
    found = {m.kind: m for m in machine.memory()}
    assert found["memory"].total_bytes == psutil.virtual_memory().total
    assert abs(found["memory"].available_bytes - psutil.virtual_memory().available) < 2**29
    assert ("swap" in found) == bool(psutil.swap_memory().total)


def test_cpu_of_all_and_of_each() -> None:
    (everything,) = machine.cpu(each=False, seconds=0.01)
    assert everything.core == "all" and 0 <= everything.used_percent <= 100 and everything.load_1m is not None
    assert [c.core for c in machine.cpu(each=True, seconds=0.01)] == [str(c) for c in machine.online_cores()]


def test_busy_time_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([{"all": (100, 1000), "0": (50, 500), "1": (50, 500)}, {"all": (150, 1200), "0": (50, 600), "1": (100, 600)}])
    monkeypatch.setattr(machine, "_cpu_times", lambda: next(looks))
    assert [(c.core, c.used_percent) for c in machine.cpu(each=True, seconds=0)] == [("0", 0.0), ("1", 50.0)]


def test_idlest_cores_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([{"0": (0, 0), "1": (0, 0), "2": (0, 0)}, {"0": (90, 100), "1": (10, 100), "2": (50, 100)}])
    monkeypatch.setattr(machine, "_cpu_times", lambda: next(looks))
    assert machine.idlest_cores((0, 1, 2), 0) == [1, 2, 0]


def test_disks_are_those_of_df_each_once() -> None:
    found = {d.mount: d for d in machine.disks()}
    room = psutil.disk_usage("/")
    assert found["/"].total_bytes == room.total and abs(found["/"].used_percent - room.percent) < 1
    assert len({os.stat(m).st_dev for m in found}) == len(found)
    assert not {"/proc", "/sys", "/dev"} & set(found)


def test_disk_of_a_place_on_another_file_system() -> None:
    assert machine.disk_of("/proc").type == "proc"
    assert machine.disk_of("/").mount == "/"


def test_mounts_with_spaces_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_text", lambda path: "/dev/sdb1 /media/my\\040stick vfat rw,nosuid 0 0\n")
    assert machine.mounts() == [Mount("/media/my stick", "/dev/sdb1", "vfat", "rw,nosuid")]


@pytest.mark.parametrize(("written", "cores"), [("0-3,6", (0, 1, 2, 3, 6)), ("0\n", (0,)), ("", ())])
def test_core_lists(written: str, cores: tuple[int, ...]) -> None:
    assert machine.core_list(written) == cores


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 seconds"), (61, "1 minute 1 second"), (90061, "1 day 1 hour"), (259200, "3 days"), (3605, "1 hour 5 seconds")]
)
def test_lengths_of_time(seconds: float, words: str) -> None:
    assert machine.span(seconds) == words


@pytest.mark.parametrize(("size", "words"), [(0, "0 B"), (1024, "1 KB"), (1536, "1.5 KB"), (1024**3, "1 GB"), (5 * 1024**4, "5.0 TB")])
def test_amounts(size: int, words: str) -> None:
    assert machine.amount(size) == words


def test_uptime_and_facts() -> None:
    import time

    assert abs(machine.uptime() - (time.time() - psutil.boot_time())) < 5
    facts = {f.name: f.value for f in machine.facts()}
    assert facts["cores"] == str(len(machine.online_cores())) and re.search(r"[A-Za-z]", facts["processor"])


def test_a_control_group_counts_only_where_nobody_else_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "cgroup.procs").write_text("7\n")
    (tmp_path / "below/cgroup.procs").write_text("8\n")
    (tmp_path / "memory.max").write_text("max\n")
    monkeypatch.setattr(machine, "cgroup_of", lambda pid: str(tmp_path))
    assert machine.cgroup_members(str(tmp_path)) == (7, 8)
    assert machine.cgroup_for((7, 8, 9), 7, "memory.max") == str(tmp_path)
    assert machine.cgroup_for((7,), 7, "memory.max") == ""
    assert machine.cgroup_for((7, 8), 7, "cpu.max") == ""


def test_the_root_group_is_nobodys_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cgroup_root", lambda: "/cg")
    for text, folder in (("0::/\n", ""), ("1:cpu:/x\n0::/a/b\n", "/cg/a/b"), ("0::/../x\n", ""), ("1:cpu:/x\n", "")):
        monkeypatch.setattr(machine, "_text", lambda path, text=text: text)
        assert machine.cgroup_of(5) == folder
