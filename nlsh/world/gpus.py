"""How graphics cards are used: NVIDIA's through its own library, others as their drivers show it below /sys."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from nlsh.plan.errors import NotPossible
from nlsh.plan.records import Record
from nlsh.plan.records.resource import GpuProcess, GpuUse
from nlsh.world import processes
from nlsh.world.devices import attribute, entries, pci_names

SYS = "/sys"


def use(library: Callable[[], Any] | None = None) -> Iterator[Record]:
    """Yield each card's use, followed by the processes on it where the driver tells them. Raises NotPossible where there is no card.

    `library` gives NVIDIA's library; without it, the installed one is taken.
    """
    found, why = False, ""
    try:
        nvml = (library or _library)()
    except NotPossible as error:
        why = error.message
    else:
        try:
            for index in range(nvml.nvmlDeviceGetCount()):
                found = True
                yield from _nvidia(nvml, index)
        finally:
            nvml.nvmlShutdown()
    with_library = found
    for name in entries(f"{SYS}/bus/pci/devices"):
        folder = f"{SYS}/bus/pci/devices/{name}"
        vendor, device = attribute(folder, "vendor")[2:], attribute(folder, "device")[2:]
        # PCI class 03: display controllers.
        if attribute(folder, "class").startswith("0x03") and not (vendor == "10de" and with_library):
            found = True
            yield _shown(name, folder, pci_names([(vendor, device)])[vendor, device])
    if not found:
        raise NotPossible(
            f"Not available here, because there is no graphics card that this system can see: no display device on the PCI bus, and {why}.",
            hint="Nothing was changed. A virtual machine or a container has one only if it was given one.",
        )


def free_memory(library: Callable[[], Any] | None = None) -> list[tuple[str, int]]:
    """Return each NVIDIA card's model with its free memory in bytes. Raises NotPossible where there is no such card, or it does not say."""
    return [(model, free) for model, free, _ in memory(library)]


def memory(library: Callable[[], Any] | None = None) -> list[tuple[str, int, int]]:
    """Return each NVIDIA card's model with its free memory, and all of it, in bytes. Raises NotPossible as `free_memory`."""
    nvml = (library or _library)()
    try:
        cards = [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]
        amounts = [(card, nvml.nvmlDeviceGetMemoryInfo(card)) for card in cards]
        return [(_text(nvml.nvmlDeviceGetName(card)), int(of.free), int(of.total)) for card, of in amounts]
    except nvml.NVMLError as error:
        raise NotPossible(f"NVIDIA's driver does not say how much memory is free ({error})") from error
    finally:
        nvml.nvmlShutdown()


def _library() -> Any:
    try:
        import pynvml
    except ImportError:
        raise NotPossible("nvidia-ml-py is not installed") from None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise NotPossible(f"NVIDIA's driver is not there ({error})") from error
    return pynvml


def _nvidia(nvml: Any, index: int) -> Iterator[Record]:
    card = nvml.nvmlDeviceGetHandleByIndex(index)

    def ask(question: Callable[[], Any]) -> Any:
        try:
            return question()
        except nvml.NVMLError:  # not every card tells everything
            return None

    memory = ask(lambda: nvml.nvmlDeviceGetMemoryInfo(card))
    load = ask(lambda: nvml.nvmlDeviceGetUtilizationRates(card))
    power = ask(lambda: nvml.nvmlDeviceGetPowerUsage(card))
    called = ask(lambda: nvml.nvmlDeviceGetName(card)) or "NVIDIA"
    driver = ask(nvml.nvmlSystemGetDriverVersion) or ""
    name = f"nvidia{index}"
    celsius = ask(lambda: nvml.nvmlDeviceGetTemperature(card, nvml.NVML_TEMPERATURE_GPU))
    fan = ask(lambda: nvml.nvmlDeviceGetFanSpeed(card))
    yield GpuUse(
        name=name,
        model=_text(called),
        load_percent=None if load is None else float(load.gpu),
        memory_used_bytes=None if memory is None else memory.used,
        memory_total_bytes=None if memory is None else memory.total,
        celsius=None if celsius is None else float(celsius),
        power_watts=None if power is None else round(power / 1000, 1),
        fan_percent=None if fan is None else float(fan),
        driver=_text(driver),
    )
    held: dict[int, int | None] = {}
    for question in (nvml.nvmlDeviceGetComputeRunningProcesses, nvml.nvmlDeviceGetGraphicsRunningProcesses):
        for process in ask(partial(question, card)) or ():
            held[process.pid] = process.usedGpuMemory if process.usedGpuMemory is not None else held.get(process.pid)
    for pid, amount in sorted(held.items(), key=lambda item: (-(item[1] or 0), item[0])):
        # The driver counts the processes of all containers by the host's numbers: one that is not here has no name here.
        running = processes.read(pid)
        yield GpuProcess(pid, running.called if running else "", name, amount)


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


def _shown(name: str, folder: str, called: str) -> GpuUse:
    """Return what a driver shows below /sys: amdgpu most, others less."""
    sensors = next((f"{folder}/hwmon/{h}" for h in entries(f"{folder}/hwmon")), "")
    celsius = _number(sensors, "temp1_input")
    power = _number(sensors, "power1_average") or _number(sensors, "power1_input")
    fan, most = _number(sensors, "pwm1"), _number(sensors, "pwm1_max") or 255
    busy = _number(folder, "gpu_busy_percent")
    driver = os.path.basename(os.path.realpath(f"{folder}/driver"))
    return GpuUse(
        name=next((n for n in entries(f"{folder}/drm") if re.fullmatch(r"card\d+", n)), name),
        model=called,
        load_percent=None if busy is None else float(busy),
        memory_used_bytes=_number(folder, "mem_info_vram_used"),
        memory_total_bytes=_number(folder, "mem_info_vram_total"),
        celsius=None if celsius is None else celsius / 1000,
        power_watts=None if power is None else round(power / 1e6, 1),
        fan_percent=None if fan is None else round(100 * fan / most, 1),
        driver="" if driver == "driver" else driver,
    )


def _number(folder: str, name: str) -> int | None:
    text = attribute(folder, name) if folder else ""
    return int(text) if re.fullmatch(r"-?\d+", text) else None
