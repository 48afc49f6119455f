"""How a process of nlsh's own has the interpreter start sooner. Nothing here is for a program that imports nlsh: the interpreter is its own.

A one-shot lives for a tenth of a second, and a tenth of its work was what Python does for processes that live long.
"""

from __future__ import annotations

import gc
import importlib
import sys
from types import ModuleType

# Containers that were made and not freed before they are looked through: more than a one-shot makes, a few megabytes.
_MANY = 50_000
# Modules of the standard library, and one that each imports for what nlsh hardly ever has it do: `dataclasses` looks into classes without a docstring
# with `inspect`, which takes longer to import than all else it imports; `urllib.parse`, which `pathlib` imports, at addresses in brackets.
_SPARED = (("dataclasses", "inspect"), ("urllib.parse", "ipaddress"))


def begin() -> None:
    """Look for garbage less often, and import some modules without what they hardly ever need."""
    gc.set_threshold(_MANY)
    for module, unneeded in _SPARED:
        _import_without(module, unneeded)


class _Later(ModuleType):
    """Stands for a module until something of it is used."""

    def __getattr__(self, name: str) -> object:
        self.leave()
        return getattr(importlib.import_module(self.__name__), name)

    def leave(self) -> None:
        """Leave the place among the modules to the one that is stood for."""
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]


def _import_without(module: str, unneeded: str) -> None:
    """Import a module that gets another one when it uses it. Whoever else imports that one gets it itself."""
    if module in sys.modules or unneeded in sys.modules:
        return
    sys.modules[unneeded] = later = _Later(unneeded)
    try:
        importlib.import_module(module)
    finally:
        later.leave()
