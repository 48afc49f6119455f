"""A request to a web server, with redirects held to what was approved, certificates checked, and errors in sentences.

It brings in the libraries for that, so it is imported only where a file is fetched.
"""

from __future__ import annotations

import http.client
import re
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import IO, Any

from nlsh.plan.errors import NlshError, NotFound, NotPossible, Refused
from nlsh.world.web import as_sent, host_of, may_lead, name_said

TIMEOUT_S = 30.0
_KEPT = "Nothing was changed."


class BadCertificate(NlshError):
    """A server could not prove who it is."""

    code = "network.certificate"


@dataclass
class Answer:
    """What a server answered: the stream of the content, its headers, and where it came from in the end. `start` is where the content begins."""

    stream: Any
    url: str
    start: int
    length: int | None
    validator: str
    name: str


@dataclass
class Request:
    """A request for `url`. `hops` are the addresses that redirects led to."""

    url: str
    hops: list[str] = field(default_factory=list)

    def send(self, start: int = 0, validator: str = "") -> Answer:
        """Ask for the content from `start` on, if it is still what `validator` says, else for all. Raises an NlshError."""
        headers = {"User-Agent": "nlsh", "Accept": "*/*", "Accept-Encoding": "identity"}
        if start and validator:
            headers |= {"Range": f"bytes={start}-", "If-Range": validator}
        self.hops.clear()
        try:
            response = self._opener().open(urllib.request.Request(as_sent(self.url), headers=headers), timeout=TIMEOUT_S)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 416 and start:
                    return self.send()
                kind = NotFound if error.code in (404, 410) else NotPossible
                raise kind(f"The server says {error.code} {error.reason} for {error.url}.", hint=_KEPT) from None
        except (urllib.error.URLError, http.client.HTTPException, OSError, UnicodeError) as error:
            raise explained(self.hops[-1] if self.hops else self.url, error) from None
        return self._answer(response, start)

    def _opener(self) -> urllib.request.OpenerDirector:
        # LIMIT: no proxies: a worker may connect to what was approved, and a proxy is not that.
        opener = urllib.request.OpenerDirector()
        handlers = (
            urllib.request.HTTPHandler(), urllib.request.HTTPSHandler(context=ssl.create_default_context()), _Redirects(self),
            urllib.request.HTTPErrorProcessor(), urllib.request.HTTPDefaultErrorHandler(), urllib.request.UnknownHandler(),
        )  # fmt: skip
        for handler in handlers:
            opener.add_handler(handler)
        return opener

    def _answer(self, response: Any, start: int) -> Answer:
        headers = response.headers
        said = re.fullmatch(r"bytes (\d+)-\d+/(?:\d+|\*)", headers.get("Content-Range", "")) if response.status == 206 else None
        if response.status == 206 and (said is None or int(said[1]) != start):
            response.close()
            if start:
                return self.send()
            raise NotPossible(f"{response.url} answers with another part than was asked for.", hint=_KEPT)
        length = headers.get("Content-Length", "")
        etag = headers.get("ETag", "")
        return Answer(
            response, response.url, start if said else 0, int(length) if length.isdigit() and not response.chunked else None,
            etag if etag and not etag.startswith("W/") else headers.get("Last-Modified", ""), name_said(headers),
        )  # fmt: skip


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to the same host, and to others by https on its usual port only; never from https to http."""

    max_redirections = 10

    def __init__(self, request: Request) -> None:
        self._request = request

    def redirect_request(self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str) -> urllib.request.Request | None:
        if not may_lead(self._request.url, req.full_url, newurl):
            raise Refused(
                f"{req.full_url} leads on to {newurl}, which was not approved: only https on port 443, or the same host and port, is followed.",
                hint=f"{_KEPT} If you trust it, download from there.",
            )
        self._request.hops.append(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def explained(url: str, error: BaseException) -> NlshError:
    """Return the sentence for what kept a request from being answered."""
    import socket

    why = error.reason if isinstance(error, urllib.error.URLError) and isinstance(error.reason, BaseException) else error
    host = host_of(url)
    if isinstance(why, NlshError):
        return why
    if isinstance(why, ssl.SSLCertVerificationError):
        return BadCertificate(f"{host} could not prove who it is: {why.verify_message}.", hint=f"{_KEPT} Nothing was sent to it.")
    if isinstance(why, socket.gaierror):
        if why.errno == socket.EAI_AGAIN:
            return NotPossible(f"The name {host} could not be looked up: no name server answered.", hint=f"{_KEPT} See how far you are online: network.online.")
        return NotFound(f"There is no host “{host}”.", hint=f"{_KEPT} Look whether the address is spelt right.")
    if isinstance(why, TimeoutError):
        return NotPossible(f"{host} did not answer within {TIMEOUT_S:.0f} seconds.", hint=_KEPT)
    if isinstance(why, http.client.IncompleteRead):
        return NotPossible(f"The connection to {host} ended in the middle.", hint=_KEPT)
    words = (why.strerror or str(why)) if isinstance(why, OSError) else str(why) or type(why).__name__
    return NotPossible(f"Nothing could be got from {host}: {words.rstrip('.')}.", hint=_KEPT)
