"""Sensors, batteries, graphics cards, disks and interfaces, on a /sys of the test's own: the hardware is not here."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nlsh.plan.errors import NotPossible
from nlsh.plan.records.resource import GpuProcess, GpuUse
from nlsh.world import gpus, pressure, rates, sensors


@pytest.fixture
def sys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty /sys."""
    for module in (sensors, gpus, rates):
        monkeypatch.setattr(module, "SYS", str(tmp_path))
    return tmp_path


def fill(folder: Path, **values: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in values.items():
        (folder / name).write_text(f"{value}\n")


def test_temperatures_with_their_limits_and_without_what_is_no_temperature(sys: Path) -> None:
    fill(sys / "class/hwmon/hwmon0", name="coretemp", temp1_input=45000, temp1_label="Package", temp1_max=80000, temp1_crit=100000)
    fill(sys / "class/hwmon/hwmon0", temp10_input=41500, temp2_input=-128000, temp3_input="nonsense", fan1_input=1200)
    fill(sys / "class/hwmon/hwmon1", name="nvme", temp1_input=30850, temp1_max=65261850)
    found = [(t.sensor, t.label, t.celsius, t.high_celsius, t.critical_celsius) for t in sensors.temperatures()]
    assert found == [("coretemp", "Package", 45.0, 80.0, 100.0), ("coretemp", "temp10", 41.5, None, None), ("nvme", "temp1", 30.9, None, None)]


def test_an_old_driver_and_a_thermal_zone(sys: Path) -> None:
    fill(sys / "class/hwmon/hwmon0/device", name="w83627", temp1_input=30000)
    assert [t.sensor for t in sensors.temperatures()] == ["w83627"]
    (sys / "class/hwmon/hwmon0/device/temp1_input").unlink()
    fill(sys / "class/thermal/thermal_zone0", type="acpitz", temp=51000, trip_point_0_type="critical", trip_point_0_temp=105000)
    fill(sys / "class/thermal/cooling_device0", type="Fan")
    (found,) = sensors.temperatures()
    assert (found.sensor, found.celsius, found.critical_celsius) == ("acpitz", 51.0, 105.0)


def test_fans_that_stand_still_are_shown(sys: Path) -> None:
    fill(sys / "class/hwmon/hwmon0", name="thinkpad", fan1_input=0, fan2_input=3210, fan2_label="CPU fan")
    assert [(f.sensor, f.label, f.rpm) for f in sensors.fans()] == [("thinkpad", "fan1", 0), ("thinkpad", "CPU fan", 3210)]


@pytest.mark.parametrize("ask", [sensors.temperatures, sensors.fans, sensors.batteries])
def test_what_is_not_there_is_said(ask: Any, sys: Path) -> None:
    with pytest.raises(NotPossible, match=r"^Not available here, because"):
        list(ask())


def test_a_battery_that_counts_energy(sys: Path) -> None:
    fill(sys / "class/power_supply/AC", type="Mains", online=0)
    fill(
        sys / "class/power_supply/BAT0", type="Battery", status="Discharging", present=1, capacity=50, energy_now=25_000_000, energy_full=40_000_000,
        energy_full_design=50_000_000, power_now=10_000_000, cycle_count=312, manufacturer="ACME", model_name="B1",
    )  # fmt: skip
    fill(sys / "class/power_supply/mouse", type="Battery", scope="Device", capacity=80, status="Unknown")
    own, mouse = sensors.batteries()
    assert (own.name, own.charge_percent, own.status, own.left_seconds, own.left) == ("BAT0", 50.0, "discharging", 9000, "2 hours 30 minutes")
    assert (own.power_watts, own.health_percent, own.cycles, own.model) == (10.0, 80.0, 312, "ACME B1")
    assert (mouse.charge_percent, mouse.left_seconds, mouse.left) == (80.0, None, "")


def test_a_battery_that_counts_charge_and_is_charging(sys: Path) -> None:
    fill(
        sys / "class/power_supply/BAT1", type="Battery", status="Charging", charge_now=1_000_000, charge_full=4_000_000, charge_full_design=4_000_000,
        current_now=-1_500_000, voltage_now=12_000_000,
    )  # fmt: skip
    (found,) = sensors.batteries()
    assert (found.charge_percent, found.left_seconds, found.power_watts, found.health_percent) == (25.0, 7200, 18.0, 100.0)


def test_a_battery_that_was_taken_out_or_has_no_rate(sys: Path) -> None:
    fill(sys / "class/power_supply/BAT0", type="Battery", present=0)
    with pytest.raises(NotPossible):
        list(sensors.batteries())
    fill(sys / "class/power_supply/BAT0", present=1, status="Full", capacity=100, power_now=0, energy_now=1, energy_full=0)
    (found,) = sensors.batteries()
    assert (found.charge_percent, found.left_seconds, found.status) == (100.0, None, "full")


# --- graphics cards ---


class Nvml:
    """NVIDIA's library as a machine with one card shows it; fan and power are not told by this card."""

    NVML_TEMPERATURE_GPU = 0

    class NVMLError(Exception):
        """What the library raises."""

    def __init__(self, pid: int) -> None:
        self.pid, self.closed = pid, False

    def nvmlDeviceGetCount(self) -> int:
        return 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetName(self, card: int) -> bytes:
        return b"NVIDIA Test"

    def nvmlSystemGetDriverVersion(self) -> str:
        return "1.2"

    def nvmlDeviceGetMemoryInfo(self, card: int) -> Any:
        return SimpleNamespace(used=1 << 30, total=8 << 30)

    def nvmlDeviceGetUtilizationRates(self, card: int) -> Any:
        return SimpleNamespace(gpu=42)

    def nvmlDeviceGetTemperature(self, card: int, sensor: int) -> int:
        return 61

    def nvmlDeviceGetPowerUsage(self, card: int) -> int:
        raise self.NVMLError

    def nvmlDeviceGetFanSpeed(self, card: int) -> int:
        raise self.NVMLError

    def nvmlDeviceGetComputeRunningProcesses(self, card: int) -> list[Any]:
        return [SimpleNamespace(pid=self.pid, usedGpuMemory=5 << 20), SimpleNamespace(pid=2**22 - 1, usedGpuMemory=None)]

    def nvmlDeviceGetGraphicsRunningProcesses(self, card: int) -> list[Any]:
        return []

    def nvmlShutdown(self) -> None:
        self.closed = True


def test_nvidia_cards_with_what_they_tell_and_their_processes(sys: Path) -> None:
    import os

    nvml = Nvml(os.getpid())
    fill(sys / "bus/pci/devices/0000:01:00.0", **{"class": "0x030000", "vendor": "0x10de", "device": "0x2684"})
    card, mine, gone = gpus.use(lambda: nvml)
    assert isinstance(card, GpuUse) and isinstance(mine, GpuProcess) and isinstance(gone, GpuProcess)
    assert (card.name, card.model, card.load_percent, card.celsius, card.power_watts, card.fan_percent) == ("nvidia0", "NVIDIA Test", 42.0, 61.0, None, None)
    assert (card.memory_used_bytes, card.memory_total_bytes, card.driver) == (1 << 30, 8 << 30, "1.2")
    assert mine.pid == os.getpid() and mine.name and mine.memory_bytes == 5 << 20 and (gone.name, gone.memory_bytes) == ("", None)
    assert nvml.closed


def none_here() -> Any:
    raise NotPossible("NVIDIA's driver is not there")


def test_an_amd_card_as_its_driver_shows_it(sys: Path) -> None:
    folder = sys / "bus/pci/devices/0000:03:00.0"
    fill(folder, **{"class": "0x030000", "vendor": "0x1002", "device": "0x73bf"}, gpu_busy_percent=7, mem_info_vram_used=1024, mem_info_vram_total=4096)
    fill(folder / "hwmon/hwmon3", temp1_input=55000, power1_average=30_500_000, pwm1=51, pwm1_max=255)
    (folder / "drm/card1").mkdir(parents=True)
    (card,) = gpus.use(none_here)
    assert isinstance(card, GpuUse)
    assert (card.name, card.load_percent, card.memory_used_bytes, card.celsius, card.power_watts, card.fan_percent) == ("card1", 7.0, 1024, 55.0, 30.5, 20.0)


def test_no_card_at_all_is_said_with_the_reason(sys: Path) -> None:
    fill(sys / "bus/pci/devices/0000:00:03.0", **{"class": "0x020000", "vendor": "0x1af4", "device": "0x1041"})
    with pytest.raises(NotPossible, match="driver is not there"):
        list(gpus.use(none_here))


# --- disks, interfaces and pressure ---


def test_disks_are_measured_whole_and_unused_loops_left_out(sys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sda", "loop0"):
        (sys / "block" / name).mkdir(parents=True)
    monkeypatch.setattr(rates, "PROC", str(sys))
    lines = ["8 0 sda {} 0 {} 0 5 0 {} 0 0 {} 0", "8 1 sda1 9 0 9 0 9 0 9 0 0 9 0", "7 0 loop0 0 0 0 0 0 0 0 0 0 0 0"]
    (sys / "diskstats").write_text("\n".join(lines).format(10, 100, 0, 0))

    def later(seconds: float) -> None:
        (sys / "diskstats").write_text("\n".join(lines).format(20, 2148, 0, 1000))

    monkeypatch.setattr(rates.time, "sleep", later)
    monkeypatch.setattr(rates.time, "monotonic", iter((0.0, 2.0)).__next__)
    (disk,) = rates.disks(2.0)
    assert (disk.device, disk.read_bytes_per_s, disk.write_bytes_per_s, disk.operations_per_s, disk.busy_percent) == ("sda", 524288.0, 0.0, 5.0, 50.0)


def test_together_counts_hardware_once(sys: Path) -> None:
    for name, received in (("eth0", 100), ("docker0", 90), ("lo", 5)):
        fill(sys / "class/net" / name / "statistics", rx_bytes=received, tx_bytes=1, rx_errors=1, tx_errors=0, rx_dropped=0, tx_dropped=2)
    found = rates.network(0.0)
    assert rates.together(found).received_total_bytes == 190
    (sys / "class/net/eth0/device").mkdir()
    whole = rates.together(found)
    assert (whole.received_total_bytes, whole.errors, whole.dropped) == (100, 1, 2)


def test_pressure_as_the_kernel_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pressure, "PRESSURE", str(tmp_path))
    (tmp_path / "cpu").write_text("some avg10=1.50 avg60=0.20 avg300=0.00 total=2500000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n")
    (tmp_path / "io").write_text("some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=9.00 avg60=0.00 avg300=0.00 total=0\n")
    found = [(p.resource, p.tasks, p.last_10s_percent, p.waited_seconds) for p in pressure.pressure()]
    assert found == [("cpu", "some", 1.5, 2.5), ("disk", "some", 0.0, 0.0), ("disk", "all", 9.0, 0.0)]
