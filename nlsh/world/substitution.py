"""What texts become when all that a regular expression matches in them is replaced: within a time, wherever it is asked for.

This file is a program, too, and imports nothing of nlsh: only Python's main thread hears the timer that ends an expression, so another thread has a
process of its own do it.
"""

from __future__ import annotations

import re
import signal
import sys

# A text, or the number or name of a group.
Part = str | tuple[int | str]
_PATIENCE_S = 2.0


def replaced(pattern: re.Pattern[str], parts: list[Part], text: str) -> str:
    """Return `text` with each match of `pattern` replaced by the parts one after another; a group that matched nothing is empty."""
    return pattern.sub(lambda match: "".join(p if isinstance(p, str) else match[p[0]] or "" for p in parts), text)


def all_replaced(pattern: re.Pattern[str], parts: list[Part], texts: list[str]) -> list[str]:
    """Return what each text becomes. Raises NotPossible where a match takes longer than about a second, or all of them very long."""
    import threading

    if threading.current_thread() is threading.main_thread():
        from nlsh.world.patterns import bounded

        with bounded(pattern, lambda text: replaced(pattern, parts, text)) as work:
            return [work(text) for text in texts]
    return _by_process(pattern, parts, texts)


def _by_process(pattern: re.Pattern[str], parts: list[Part], texts: list[str]) -> list[str]:
    import json
    import subprocess

    from nlsh.world.patterns import too_long

    given = json.dumps([_PATIENCE_S + len(texts) / 10_000, pattern.pattern, parts, texts]).encode()
    done = subprocess.run([sys.executable, "-I", "-S", __file__], input=given, capture_output=True, check=False)
    if done.returncode == -signal.SIGVTALRM:
        raise too_long(pattern, texts[0] if len(texts) == 1 else f"one of {len(texts):,} names")
    found: list[str] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    import json

    seconds, expression, given, names = json.load(sys.stdin)
    # Of its own time, after which the kernel ends it: nothing handles the signal.
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    written = [p if isinstance(p, str) else tuple(p) for p in given]
    json.dump([replaced(re.compile(expression), written, name) for name in names], sys.stdout)
