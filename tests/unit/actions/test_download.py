"""network.download against a web server of the test's own, which tells the truth, lies, breaks off, redirects and is slow."""

from __future__ import annotations

import hashlib
import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlsh.plan import registry
from nlsh.plan.errors import BadArgument, NlshError, NotFound, NotPossible, Refused, StaleStep
from nlsh.plan.records import Note, Record
from nlsh.plan.records.network import Downloaded
from nlsh.plan.steps import step_from_data
from nlsh.steps import download, handles
from nlsh.steps.download import DownloadFile
from nlsh.testing import Scene, snapshot
from nlsh.world import World, fetch, web

CONTENT = bytes(range(256)) * 1024
HALF = len(CONTENT) // 2
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """What is asked for says how it is answered."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        server: Any = self.server
        server.asked.append((self.path, dict(self.headers)))
        self.close_connection = True
        name = self.path.split("?")[0].strip("/").split("/")[0].partition(".")[0].replace("-", "_")
        getattr(self, f"_{name}", self._missing)()

    def _send(self, content: bytes = CONTENT, *, status: int = 200, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def _missing(self) -> None:
        self._send(b"no", status=404)

    def _gone(self) -> None:
        self._send(b"no", status=410)

    def _broken(self) -> None:
        self._send(b"no", status=500)

    def _plain(self) -> None:
        wanted, tag = self.headers.get("Range"), '"one"'
        if wanted and self.headers.get("If-Range") == tag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(CONTENT):
                self._send(b"", status=416, Content_Range=f"bytes */{len(CONTENT)}")
                return
            self._send(CONTENT[start:], status=206, ETag=tag, Content_Range=f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        else:
            self._send(ETag=tag)

    def _half(self) -> None:
        """Break off in the middle the first time; then as `plain`."""
        if self.headers.get("Range"):
            self._plain()
        else:
            self._send(CONTENT[:HALF], length=len(CONTENT), ETag='"one"')

    def _half_unmarked(self) -> None:
        self._send(CONTENT[:HALF], length=len(CONTENT))

    def _renewed(self) -> None:
        """Break off; what is asked for after that has become another version."""
        if self.headers.get("Range"):
            self._send(b"new version", ETag='"two"')
        else:
            self._send(CONTENT[:HALF], length=len(CONTENT), ETag='"one"')

    def _confused(self) -> None:
        if self.headers.get("Range"):
            self._send(CONTENT[7:], status=206, ETag='"one"', Content_Range=f"bytes 7-{len(CONTENT) - 1}/{len(CONTENT)}")
        else:
            self._send(CONTENT[:HALF] if self.server.asked[0][0] == self.path and len(self.server.asked) == 1 else CONTENT, length=len(CONTENT), ETag='"one"')  # type: ignore[attr-defined]

    def _part(self) -> None:
        self._send(CONTENT[7:], status=206, Content_Range=f"bytes 7-{len(CONTENT) - 1}/{len(CONTENT)}")

    def _shorter(self) -> None:
        self._send(CONTENT, length=100)

    def _huge(self) -> None:
        self._send(b"", length=1 << 60)

    def _negative(self) -> None:
        self._send(CONTENT, length=-5)

    def _chunked(self) -> None:
        self._chunks(b"10000\r\n" + CONTENT[:0x10000] + b"\r\n0\r\n\r\n")

    def _chunked_broken(self) -> None:
        self._chunks(b"10000\r\n" + CONTENT[:100])

    def _chunks(self, sent: bytes) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(sent)

    def _endless(self) -> None:
        """No length: the end of the connection is the end of the file."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(CONTENT)

    def _slow(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "3")
        self.send_header("ETag", '"slow"')
        self.end_headers()
        for byte in (b"a", b"b", b"c"):
            self.wfile.write(byte)
            self.wfile.flush()
            self.server.more.wait(20)  # type: ignore[attr-defined]

    def _silent(self) -> None:
        self.server.more.wait(20)  # type: ignore[attr-defined]

    def _garbage(self) -> None:
        self.wfile.write(b"this is not HTTP\r\n\r\n")

    def _named(self) -> None:
        self._send(Content_Disposition=self.path.partition("?")[2].replace("+", " "))

    def _to(self) -> None:
        self._send(b"", status=302, Location=self.path.partition("?")[2])

    def _loop(self) -> None:
        self._send(b"", status=302, Location=f"/loop{len(self.server.asked)}")  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_loop"):
            return self._loop
        raise AttributeError(name)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.more = threading.Event()

    def handle_error(self, *_: Any) -> None:
        pass  # clients that go away are what is tested

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


def serve(server: Server) -> Iterator[Server]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.more.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    yield from serve(Server())


@pytest.fixture
def other() -> Iterator[Server]:
    yield from serve(Server())


def steps(url: str, **written: Any) -> tuple[Any, ...]:
    action = registry.get("network.download")
    args = action.Args.bind(action.name, {"url": url, **written})
    found = tuple(action.steps(args, action.look(args, World())))
    for step in found:
        assert step_from_data(step.as_data()) == step
    return found


def get(url: str, **written: Any) -> Downloaded:
    """Download in this process; return the record of what came."""
    found: list[Record] = []
    for step in steps(url, **written):
        step.check()
        found += step.apply() or ()
    return next(r for r in found if isinstance(r, Downloaded))


def undo(url_step: DownloadFile) -> None:
    back = url_step.inverse()
    back.check()
    assert list(back.apply() or ()) == []


# --- what comes


@pytest.mark.parametrize("path", ["plain.bin", "endless.bin"])
def test_a_file_comes_as_it_is(home: Path, server: Server, path: str) -> None:
    found = get(f"{server.url}/{path}")
    assert (found.path, found.size_bytes, found.sha256) == (str(home / path), len(CONTENT), DIGEST)
    assert (home / path).read_bytes() == CONTENT and os.listdir(home) == [path]
    assert os.listxattr(home / path) == [] and os.stat(home / path).st_mode & 0o111 == 0
    assert server.asked[0][1]["Accept-Encoding"] == "identity" and "Authorization" not in server.asked[0][1]


def test_chunks_are_put_together(home: Path, server: Server) -> None:
    assert get(f"{server.url}/chunked.bin").size_bytes == 0x10000


def test_undo_removes_it_only_unchanged(home: Path, server: Server) -> None:
    (step,) = steps(f"{server.url}/plain.bin")
    assert step.state() == "undone"
    list(step.apply())
    assert step.state() == "done" and step.inverse().inverse() == step
    content = (home / "plain.bin").read_bytes()
    (home / "plain.bin").write_bytes(content)  # the same, and yet the user's now
    with pytest.raises(StaleStep):
        step.inverse().check()
    os.utime(home / "plain.bin", ns=(step.stamp_ns, step.stamp_ns))
    undo(step)
    assert os.listdir(home) == [] and step.state() == "undone"
    with pytest.raises(StaleStep):
        step.inverse().check()


def test_the_way_of_a_plan_confined_and_back(tmp_path: Path, server: Server) -> None:
    with Scene(tmp_path, {"a.txt": "a"}) as scene:
        before = snapshot(scene.home)
        played = scene.play(f'network.download("{server.url}/plain.bin", to="new/", sha256="{DIGEST}")')
        assert played.error is None and (scene.home / "new/plain.bin").read_bytes() == CONTENT
        assert scene.play("history.undo()").error is None
        assert snapshot(scene.home) == before
        # Half of it is kept, and what is kept is gone on with.
        assert scene.play(f'network.download("{server.url}/half.bin")').error is not None
        assert (scene.home / "half.bin.part").stat().st_size == HALF
        played = scene.play(f'network.download("{server.url}/half.bin")')
        assert played.error is None and (scene.home / "half.bin").read_bytes() == CONTENT
        assert not (scene.home / "half.bin.part").exists()
        assert "Range" in server.asked[-1][1]


# --- checksums


def test_a_wrong_checksum_keeps_nothing(home: Path, server: Server) -> None:
    with pytest.raises(download.WrongChecksum) as caught:
        get(f"{server.url}/plain.bin", sha256="0" * 64)
    assert DIGEST in str(caught.value) and os.listdir(home) == []
    assert get(f"{server.url}/plain.bin", sha256=f"SHA256:{DIGEST.upper()}").sha256 == DIGEST


@pytest.mark.parametrize("written", ["abc", "0" * 63, "g" * 64, "md5:" + "0" * 32])
def test_what_is_no_checksum_is_refused_before(home: Path, server: Server, written: str) -> None:
    with pytest.raises(BadArgument):
        steps(f"{server.url}/plain.bin", sha256=written)
    assert server.asked == []


# --- what breaks off, and going on


def test_what_broke_off_is_gone_on_with(home: Path, server: Server) -> None:
    with pytest.raises(NotPossible) as caught:
        get(f"{server.url}/half.bin", sha256=DIGEST)
    assert f"{HALF:,} of {len(CONTENT):,}" in str(caught.value) and "half.bin.part" in caught.value.hint
    assert get(f"{server.url}/half.bin", sha256=DIGEST).size_bytes == len(CONTENT)
    assert server.asked[1][1]["Range"] == f"bytes={HALF}-" and server.asked[1][1]["If-Range"] == '"one"'
    assert os.listdir(home) == ["half.bin"]


def test_another_version_begins_anew(home: Path, server: Server) -> None:
    with pytest.raises(NotPossible):
        get(f"{server.url}/renewed.bin")
    get(f"{server.url}/renewed.bin")
    assert (home / "renewed.bin").read_bytes() == b"new version"


def test_another_part_than_asked_for_begins_anew(home: Path, server: Server) -> None:
    with pytest.raises(NotPossible):
        get(f"{server.url}/confused.bin")
    assert get(f"{server.url}/confused.bin").sha256 == DIGEST
    with pytest.raises(NotPossible):
        get(f"{server.url}/part.bin")
    assert os.listdir(home) == ["confused.bin"]


def test_a_whole_part_is_asked_for_again(home: Path, server: Server) -> None:
    (home / "plain.bin.part").write_bytes(CONTENT + b"more")
    os.setxattr(home / "plain.bin.part", "user.nlsh.download", f'{{"url": "{server.url}/plain.bin", "validator": "\\"one\\""}}'.encode())
    assert get(f"{server.url}/plain.bin").sha256 == DIGEST


def test_without_a_version_nothing_is_kept(home: Path, server: Server) -> None:
    with pytest.raises(NotPossible):
        get(f"{server.url}/half-unmarked.bin")
    assert os.listdir(home) == []


def test_where_attributes_cannot_be_kept_it_begins_anew(home: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "setxattr", refuse)
    with pytest.raises(NotPossible):
        get(f"{server.url}/half.bin")
    assert os.listdir(home) == []
    assert get(f"{server.url}/plain.bin").sha256 == DIGEST


def test_a_part_of_somebody_else_is_left_alone(home: Path, server: Server) -> None:
    (home / "plain.bin.part").write_text("mine")
    with pytest.raises(Refused):
        steps(f"{server.url}/plain.bin")
    os.unlink(home / "plain.bin.part")
    with pytest.raises(NotPossible):
        get(f"{server.url}/half.bin")
    with pytest.raises(Refused):  # the same name, from elsewhere
        steps(f"{server.url}/plain/half.bin")
    (step,) = steps(f"{server.url}/plain.bin")
    (home / "plain.bin.part").write_text("mine")
    with pytest.raises(StaleStep):
        step.check()
    with pytest.raises(StaleStep):
        list(step.apply())
    os.unlink(home / "plain.bin.part")
    (home / "plain.bin.part").symlink_to(home / "elsewhere")
    with pytest.raises(StaleStep):
        list(step.apply())
    assert not (home / "elsewhere").exists()


def test_stopping_keeps_what_has_come(home: Path, server: Server) -> None:
    told: list[tuple[int, int | None, str]] = []
    handles.on_progress(lambda *said: told.append(said), lambda: True)
    try:
        with pytest.raises(NlshError) as caught:
            get(f"{server.url}/slow.bin")
    finally:
        handles.on_progress(None)
    assert caught.value.code == "step.cancelled" and told[0] == (1, 3, "bytes")
    assert (home / "slow.bin.part").read_bytes() == b"a"
    server.more.set()
    assert get(f"{server.url}/slow.bin").size_bytes == 3


# --- lies and failures


def test_more_than_was_announced_is_not_read(home: Path, server: Server) -> None:
    assert get(f"{server.url}/shorter.bin").size_bytes == 100


@pytest.mark.parametrize(("path", "error"), [
    ("missing.bin", NotFound), ("gone.bin", NotFound), ("broken.bin", NotPossible), ("garbage.bin", NotPossible), ("chunked-broken.bin", NotPossible),
    ("loop.bin", NotPossible), ("huge.bin", NotPossible),
])  # fmt: skip
def test_what_does_not_come_leaves_nothing(home: Path, server: Server, path: str, error: type[NlshError]) -> None:
    before = snapshot(home)
    with pytest.raises(error):
        get(f"{server.url}/{path}")
    assert os.listdir(home) == []
    if path != "chunked-broken.bin":  # that one had begun
        assert snapshot(home) == before


def test_silence_ends(home: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "TIMEOUT_S", 0.2)
    with pytest.raises(NotPossible) as caught:
        get(f"{server.url}/silent.bin")
    assert "did not answer" in str(caught.value)


def test_nobody_there(home: Path) -> None:
    server = Server()
    server.server_close()
    with pytest.raises(NotPossible) as caught:
        get(f"{server.url}/plain.bin")
    assert "refused" in str(caught.value)


def test_no_more_than_there_is_room_for(home: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "room_in", lambda folder: len(CONTENT) - 1)
    with pytest.raises(NotPossible) as caught:
        get(f"{server.url}/plain.bin")
    assert "free" in str(caught.value) and os.listdir(home) == []
    monkeypatch.setattr(download, "room_in", lambda folder: len(CONTENT))
    assert get(f"{server.url}/plain.bin").sha256 == DIGEST


# --- redirects


def test_redirects_are_followed_and_shown(home: Path, server: Server) -> None:
    (step,) = steps(f"{server.url}/to.bin?/to?/plain.bin", to="x.bin")
    found = list(step.apply())
    assert [r.text for r in found if isinstance(r, Note)] == [f"It led on to {server.url}/to?/plain.bin.", f"It led on to {server.url}/plain.bin."]
    assert found[-1].url == f"{server.url}/plain.bin" and (home / "x.bin").read_bytes() == CONTENT  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "where",
    ["ftp://127.0.0.1/x", "file:///etc/passwd", "data:,x", "http://127.0.0.1:1/x", "http://localhost:{port}/plain", "//u:p@127.0.0.1:{port}/x"],
)
def test_redirects_elsewhere_are_refused(home: Path, server: Server, where: str) -> None:
    with pytest.raises((Refused, NotPossible)):  # urllib itself says no to what is no web address
        get(f"{server.url}/to.bin?{where.format(port=server.server_address[1])}", to="x.bin")
    assert len(server.asked) == 1
    assert os.listdir(home) == []


def test_the_kernel_holds_redirects_to_their_ports(tmp_path: Path, server: Server, other: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    # As if the check of addresses had been passed: Landlock knows the port too.
    monkeypatch.setattr(fetch, "may_lead", lambda *_: True)
    with Scene(tmp_path) as scene:
        played = scene.play(f'network.download("{server.url}/to.bin?{other.url}/plain.bin", to="x.bin")')
        assert played.error is not None and other.asked == []
        assert scene.play(f'network.download("{server.url}/to.bin?{server.url}/plain.bin", to="x.bin")').error is None


@pytest.mark.parametrize(("first", "before", "url", "may"), [
    ("http://a/x", "http://a/x", "http://a/y", True),
    ("http://a/x", "http://a/x", "https://a/y", True),
    ("http://a/x", "http://a/x", "https://b/y", True),
    ("https://a:8443/x", "https://a:8443/x", "https://a:8443/y", True),
    ("https://a:8443/x", "https://a:8443/x", "https://b:8443/y", False),
    ("http://a/x", "http://a/x", "http://b/y", False),
    ("https://a/x", "https://a/x", "http://a/y", False),
    ("http://a/x", "https://b/x", "http://a/y", False),
    ("http://a/x", "http://a/x", "https://b:444/y", False),
    ("http://a/x", "http://a/x", "https://u:p@b/y", False),
    ("http://a/x", "http://a/x", "http://a:99999/y", False),
    ("http://a/x", "http://a/x", "gopher://a/y", False),
])  # fmt: skip
def test_where_a_redirect_may_lead(first: str, before: str, url: str, may: bool) -> None:
    assert web.may_lead(first, before, url) is may


# --- names


@pytest.mark.parametrize(("said", "name"), [
    ('attachment; filename="report.pdf"', "report.pdf"),
    ('attachment; filename="../../.bashrc"', "bashrc"),
    ('attachment; filename="/etc/passwd"', "passwd"),
    ('attachment; filename="..\\\\..\\\\evil.exe"', "evil.exe"),
    ('attachment; filename="-rf"', "rf"),
    ("attachment; filename*=UTF-8''na%C3%AFve%2F..%2Fx.txt", "x.txt"),
    ('attachment; filename=".."', "named"),
    ("attachment", "named"),
    ("inline; filename=" + "x" * 300 + ".pdf", "x" * 196 + ".pdf"),
])  # fmt: skip
def test_the_name_a_server_gives_is_bare(home: Path, server: Server, said: str, name: str) -> None:
    (step,) = steps(f"{server.url}/named?{said.replace(' ', '+')}")
    assert "the name the server gives it" in step.describe()
    found = list(step.apply())[-1]
    assert found.path == str(home / name) and os.listdir(home) == [name]  # type: ignore[attr-defined]
    undo(step)
    assert os.listdir(home) == []


def test_a_name_that_is_taken_gets_a_number(home: Path, server: Server) -> None:
    (home / "report.pdf").write_text("mine")
    (step,) = steps(f"{server.url}/named?attachment;+filename=report.pdf")
    assert list(step.apply())[-1].path == str(home / "report-1.pdf")  # type: ignore[attr-defined]
    undo(step)
    assert os.listdir(home) == ["report.pdf"] and (home / "report.pdf").read_text() == "mine"


def test_a_name_that_was_said_stays(home: Path, server: Server) -> None:
    (step,) = steps(f"{server.url}/named?attachment;+filename=report.pdf", to="mine.pdf")
    assert list(step.apply())[-1].path == str(home / "mine.pdf")  # type: ignore[attr-defined]


@pytest.mark.parametrize(("url", "name", "server_names"), [
    ("https://a/x/file.zip", "file.zip", False),
    ("https://a/x/file.zip?sig=1", "file.zip", True),
    ("https://a/x/", "a", True),
    ("https://a", "a", True),
    ("https://a/%2e%2e%2f%2e%2e%2fetc%2fpasswd.txt", "passwd.txt", False),
    ("https://a/%E6%8A%A5%E5%91%8A.pdf", "报告.pdf", False),
    ("https://a/a%0Ab.txt", "ab.txt", False),
    ("https://a/%ff.txt", "\ufffd.txt", False),
    ("https://a/file.zip#part", "file.zip", False),
])  # fmt: skip
def test_the_name_in_an_address(url: str, name: str, server_names: bool) -> None:
    assert web.name_in(url) == (name, server_names)


@settings(max_examples=300, deadline=None)
@given(st.text())
def test_a_bare_name_is_one(text: str) -> None:
    name = web.bare_name(text)
    assert not set(name) & {"/", "\\", "\0", "\n"} and name.isprintable()
    assert not name.startswith((".", "-", "~", " ")) and not name.endswith(".") and len(os.fsencode(name)) <= 200
    assert web.bare_name(name) == name


def test_it_never_overwrites(home: Path, server: Server) -> None:
    (home / "plain.bin").write_text("mine")
    with pytest.raises(Refused):
        steps(f"{server.url}/plain.bin")
    (step,) = steps(f"{server.url}/plain.bin", to="x.bin")
    (home / "x.bin").symlink_to("nowhere")
    with pytest.raises(StaleStep):
        step.check()
    with pytest.raises(StaleStep):
        list(step.apply())
    assert os.readlink(home / "x.bin") == "nowhere" and (home / "plain.bin").read_text() == "mine"


@pytest.mark.parametrize(("url", "error"), [
    ("ftp://127.0.0.1/x", NotPossible), ("http://me:secret@127.0.0.1/x", Refused), ("http://127.0.0.1:99999/x", BadArgument),
])  # fmt: skip
def test_addresses_that_are_not_taken(home: Path, url: str, error: type[NlshError]) -> None:
    with pytest.raises(error):
        steps(url)


def test_addresses_in_other_alphabets_are_sent_as_ascii(home: Path, server: Server) -> None:
    (step,) = steps(f"{server.url}/plain/über.txt?ä=ö#ü", to="x.bin")
    list(step.apply())
    assert server.asked[0][0] == "/plain/%C3%BCber.txt?%C3%A4=%C3%B6"
    assert web.as_sent("http://bücher.example/a%20b") == "http://xn--bcher-kva.example/a%20b"


def test_what_is_approved_is_what_is_needed(home: Path) -> None:
    (step,) = steps("https://example.org/file.zip")
    said = {(e.kind, e.target) for e in step.effects()}
    assert said == {
        ("net.connect", "dns://example.org"), ("net.connect", "example.org:443"), ("net.connect", "*:443"),
        ("fs.write", str(home / "file.zip")), ("fs.write", str(home / "file.zip.part")),
    }  # fmt: skip
    assert {e.kind for e in step.inverse().effects()} == {"fs.delete"}  # type: ignore[union-attr]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_where_nothing_may_be_made(home: Path, server: Server) -> None:
    (home / "closed").mkdir(mode=0o555)
    with pytest.raises(NotPossible):
        steps(f"{server.url}/plain.bin", to="closed/")


# --- certificates


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[Server, Path]]:
    """A server whose certificate is its own, for 127.0.0.1 only."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=test",
         "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True,
    )  # fmt: skip
    server = Server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    for found in serve(server):
        yield found, certificate


def test_only_a_certificate_that_is_trusted(home: Path, secured: tuple[Server, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    server, certificate = secured
    url = server.url.replace("http:", "https:")
    with pytest.raises(fetch.BadCertificate):
        get(f"{url}/plain.bin")
    assert server.asked == [] and os.listdir(home) == []
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert get(f"{url}/plain.bin").sha256 == DIGEST
    with pytest.raises(fetch.BadCertificate):  # trusted, and for somebody else
        get(f"{url.replace('127.0.0.1', 'localhost')}/plain.bin", to="x.bin")
    assert len(server.asked) == 1


def test_certificates_are_checked_in_a_worker_too(tmp_path: Path, secured: tuple[Server, Path]) -> None:
    with Scene(tmp_path / "scene") as scene:
        played = scene.play(f'network.download("{secured[0].url.replace("http:", "https:")}/plain.bin")')
    assert played.error is not None and played.error.code == "network.certificate"
    assert secured[0].asked == []
