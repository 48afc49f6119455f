"""Steps that fill the clipboard: through the desktop's own clipboard manager, or by asking the terminal."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass

from nlsh.plan.effects import Effect
from nlsh.plan.steps import Step
from nlsh.steps._bus import opened

KLIPPER = ("org.kde.klipper", "/klipper", "org.kde.klipper.klipper")


def _shown(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}… ({len(text):,} characters)"


@dataclass(frozen=True)
class FillKlipper(Step):
    """Give a text to the clipboard manager of Plasma."""

    text: str

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("bus.call", "session"), Effect("sys.control", "the clipboard"))

    def describe(self) -> str:
        return f"put into the clipboard: {_shown(self.text)}"

    def apply(self) -> None:
        with opened("session") as bus:
            bus.call(*KLIPPER, "setClipboardContents", "s", self.text)


@dataclass(frozen=True)
class FillByTerminal(Step):
    """Ask a terminal to put a text into the clipboard (OSC 52). It does not answer, so nobody knows whether it did."""

    terminal: str
    text: str

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("dev.control", self.terminal), Effect("sys.control", "the clipboard"))

    def describe(self) -> str:
        return f"ask the terminal to put into the clipboard: {_shown(self.text)}"

    def apply(self) -> None:
        data = b"\x1b]52;c;" + base64.b64encode(self.text.encode("utf-8", "surrogateescape")) + b"\a"
        descriptor = os.open(self.terminal, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            while data:
                data = data[os.write(descriptor, data) :]
        finally:
            os.close(descriptor)
