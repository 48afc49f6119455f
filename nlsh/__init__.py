"""nlsh: a shell that you talk to.

This package file stays empty of imports on purpose: `nlsh --version` and every one-shot start here. `Shell` and `AsyncShell`, for programs, are
found when they are asked for.
"""

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nlsh.api import AsyncShell as AsyncShell
    from nlsh.api import Question as Question
    from nlsh.api import Result as Result
    from nlsh.api import Shell as Shell


def __getattr__(name: str) -> object:
    if name in ("Shell", "AsyncShell", "Result", "Question"):
        from nlsh import api

        return getattr(api, name)
    raise AttributeError(f"module 'nlsh' has no attribute {name!r}")
