"""Web addresses, for downloads: their host and port, the names that they and servers give a file, and where a redirect may lead.

Asking a server is `fetch`'s.
"""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

_PORTS = {"http": 80, "https": 443}
_MOST_NAME_BYTES = 200
_AS_IS = "%/:=&?~#+!$,;'@()*[]|\\^`{}\"<>"


def port_of(url: str) -> int:
    """Return the port of an http or https address. Raises ValueError for one that is none."""
    parts = urlsplit(url)
    return parts.port or _PORTS[parts.scheme]


def host_of(url: str) -> str:
    """Return the host of an address, lower-case, without brackets; empty where there is none."""
    return (urlsplit(url).hostname or "").rstrip(".")


def as_sent(url: str) -> str:
    """Return an address in the form that is sent: all ASCII, what is not percent-encoded, and without a fragment."""
    parts = urlsplit(url)
    try:
        place = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode()
    except UnicodeError as error:
        raise ValueError(f"“{parts.netloc}” is no host") from error
    return urlunsplit((parts.scheme, place, quote(parts.path, safe=_AS_IS), quote(parts.query, safe=_AS_IS), ""))


def bare_name(text: str) -> str:
    """Return what is safe as the name of a new file, from whatever a server or an address says: never a path, hidden, or like an option.

    >>> bare_name("../../.bashrc"), bare_name("C:\\\\x\\\\report.pdf"), bare_name("-rf"), bare_name("..")
    ('bashrc', 'report.pdf', 'rf', '')
    """
    name = re.split(r"[/\\]", text)[-1]
    name = "".join(c for c in name if c.isprintable() and c not in "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    name = name.strip().lstrip(".-~ ").rstrip(". ")
    stem, ending = os.path.splitext(name)
    while len(os.fsencode(stem + ending)) > _MOST_NAME_BYTES:
        stem, ending = (stem[:-1], ending) if stem else ("", ending[:-1])
    return stem + ending


def name_in(url: str) -> tuple[str, bool]:
    """Return the name that an address gives its file, and whether the server may know a better one."""
    parts = urlsplit(url)
    name = bare_name(unquote(parts.path.rsplit("/", 1)[-1], errors="replace"))
    return name or bare_name(host_of(url)) or "download", bool(parts.query) or "." not in name


def name_said(headers: Any) -> str:
    """Return the bare name in a Content-Disposition header, or nothing."""
    try:
        found = headers.get_filename() or ""
        # Bytes of a header come as Latin-1; a name in them is more often UTF-8.
        found = found.encode("latin-1").decode("utf-8")
    except (UnicodeError, LookupError, ValueError, TypeError):
        pass
    return bare_name(str(found)) if "content-disposition" in headers else ""


def may_lead(first: str, before: str, url: str) -> bool:
    """Return whether a redirect from `before` to `url` stays within what is approved for a download from `first`."""
    try:
        scheme, port = urlsplit(url).scheme, port_of(url)
    except (ValueError, KeyError):
        return False
    if urlsplit(url).username is not None or (urlsplit(before).scheme == "https" and scheme != "https"):
        return False
    return (scheme, port) == ("https", 443) or (host_of(url) == host_of(first) and port == port_of(first))
