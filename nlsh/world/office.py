"""LibreOffice's engine (LibreOfficeKit): open one document and save it in another format, in a process that is there for nothing else.

The command `soffice` would talk to itself over a socket, which no confined program may make; the engine, loaded into a process, does not.
"""

from __future__ import annotations

import ctypes
import os

_POINTER, _STRING = ctypes.c_void_p, ctypes.c_char_p


# SAFETY: as LibreOfficeKit.h has them since 4.3; what comes after in the real ones is not touched.
class _OfficeClass(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t), ("destroy", ctypes.CFUNCTYPE(None, _POINTER)),
        ("load", ctypes.CFUNCTYPE(_POINTER, _POINTER, _STRING)), ("error", ctypes.CFUNCTYPE(_STRING, _POINTER)),
    ]  # fmt: skip


class _Office(ctypes.Structure):
    _fields_ = [("methods", ctypes.POINTER(_OfficeClass))]


class _DocumentClass(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t), ("destroy", ctypes.CFUNCTYPE(None, _POINTER)),
        ("save", ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, _STRING, _STRING, _STRING)),
    ]  # fmt: skip


class _Document(ctypes.Structure):
    _fields_ = [("methods", ctypes.POINTER(_DocumentClass))]


def converted(library: str, settings: str, source: str, target: str, format: str) -> str:
    """Convert, and return what went wrong, or an empty text. `library` is the engine's path; `settings`, `source` and `target` are file addresses."""
    hook = ctypes.CDLL(library, mode=ctypes.RTLD_GLOBAL).libreofficekit_hook_2
    hook.restype, hook.argtypes = _POINTER, [_STRING, _STRING]
    made = hook(os.path.dirname(library).encode(), settings.encode())
    if not made:
        return "it does not start"
    office = ctypes.cast(made, ctypes.POINTER(_Office)).contents.methods.contents
    opened = office.load(made, source.encode())
    if not opened:
        return (office.error(made) or b"it cannot be opened").decode("utf-8", "replace")
    document = ctypes.cast(opened, ctypes.POINTER(_Document)).contents.methods.contents
    if not document.save(opened, target.encode(), format.encode(), None):
        return (office.error(made) or b"it cannot be saved").decode("utf-8", "replace")
    return ""
