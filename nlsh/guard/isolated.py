"""How nlsh starts a Python of its own: one that runs nlsh's code and the installed packages', whatever the user's environment and folder are.

Such a process is not confined. So no variable that has a program load code (PYTHONPATH, LD_PRELOAD, LLAMA_CPP_LIB_PATH, …) reaches it, and
nothing is imported from the folder that it is started in.
"""

from __future__ import annotations

import os
import site
import sys

# What such a process may know; a list of what it may not would never be whole. LIMIT: a Python that only works with LD_LIBRARY_PATH does not start.
_KEPT = ("HOME", "USER", "LOGNAME", "PATH", "LANG", "LANGUAGE", "TZ", "NLSH_PLANNER", "NLSH_ENCODER", "NLSH_THREADS", "NLSH_SURE")
_KEPT_PREFIXES = ("LC_", "XDG_")


def command(code: str, *words: str) -> list[str]:
    """Return the command line of an isolated Python that runs `code` with this very nlsh, from wherever it is imported; `words` are its arguments."""
    import nlsh

    root = os.path.dirname(os.path.dirname(os.path.abspath(nlsh.__file__)))
    # An isolated Python leaves out the user's site-packages, where nlsh and what it needs may be installed. They come last: they hide nothing.
    own = site.getusersitepackages()
    after = [root, *([own] if own in sys.path and os.path.isabs(own) else [])]
    first = f"import sys; sys.path.insert(0, {root!r}); import nlsh; sys.path[:] = sys.path[1:] + {after!r}; "
    return [sys.executable, "-I", "-c", first + code, *words]


def as_root(code: str, *words: str) -> list[str]:
    """Return the command line of a Python that may be root's: nlsh and Python's own library, nothing that is installed beside them.

    Without `site` no .pth file, no virtual environment and no sitecustomize is run; -B: root leaves no compiled files in somebody's folder.
    """
    import nlsh

    root = os.path.dirname(os.path.dirname(os.path.realpath(nlsh.__file__)))
    return [os.path.realpath(sys.executable), "-I", "-S", "-B", "-c", f"import sys; sys.path.append({root!r}); {code}", *words]


def environment() -> dict[str, str]:
    """Return what such a process gets of this one's environment."""
    return {k: v for k, v in os.environ.items() if k in _KEPT or k.startswith(_KEPT_PREFIXES)}
