"""What the desktop remembers of the files that were opened: its list of recently used ones, which any program of the user may write."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes, urlsplit

_LARGEST = 32 << 20


def list_path(home: str) -> str:
    """Return where the desktop keeps the list."""
    data = os.environ.get("XDG_DATA_HOME", "")
    return os.path.join(data if data.startswith("/") else os.path.join(home, ".local/share"), "recently-used.xbel")


def opened(path: str) -> Iterator[tuple[str, float]]:
    """Yield the path of each file in the list at `path`, and when it was last opened, in seconds since the epoch.

    Raises OSError where it cannot be read, ValueError where it is no such list or is not safe to parse.
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import iterparse

    if os.path.getsize(path) > _LARGEST:
        raise ValueError("it is too large")
    try:
        with open(path, "rb") as file:
            for _, element in iterparse(file, forbid_dtd=True):
                if element.tag == "bookmark":
                    place, at = _place(element.get("href", "")), _seconds(element.get("visited") or element.get("modified") or "")
                    if place and at is not None:
                        yield place, at
                    element.clear()
    except (ParseError, DefusedXmlException) as error:
        raise ValueError(f"it is not well formed ({type(error).__name__})") from error


def _place(address: str) -> str | None:
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        return None
    path = os.fsdecode(unquote_to_bytes(parts.path))
    return os.path.normpath(path) if path.startswith("/") and "\0" not in path else None


def _seconds(written: str) -> float | None:
    try:
        moment = datetime.datetime.fromisoformat(written)
        return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
