"""Containers, against an engine of these tests' own that speaks Docker's HTTP on a unix socket and keeps containers and images."""

from __future__ import annotations

import json
import os
import socketserver
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from nlsh.plan import registry
from nlsh.plan.errors import NotFound, NotPossible, Refused, StaleStep
from nlsh.testing import Played, Scene
from nlsh.world import World, containers


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Engine

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: Any) -> None:
        pass

    def _say(self, status: int, data: Any = None, raw: bytes | None = None) -> None:
        body = raw if raw is not None else b"" if data is None else json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _do(self) -> None:
        engine, url = self.server, urlsplit(self.path)
        query, parts = parse_qs(url.query), [unquote(p) for p in url.path.strip("/").split("/")]
        engine.asked.append(f"{self.command} {self.path}")
        if parts == ["containers", "json"]:
            return self._say(200, [{k: v for k, v in c.items() if k != "Printed"} for c in engine.containers if c["State"] == "running" or "all" in query])
        if parts == ["images", "json"]:
            return self._say(200, engine.images)
        if parts[0] == "images" and self.command == "DELETE":
            return self._delete_image(parts[1])
        found = next((c for c in engine.containers if c["Id"] == parts[1]), None)
        if found is None:
            return self._say(404, {"message": f"No such container: {parts[1]}"})
        if self.command == "DELETE":
            if found["State"] == "running":
                return self._say(409, {"message": "cannot remove a running container"})
            engine.containers.remove(found)
            return self._say(204)
        if parts[2] == "json":
            state = {"Running": found["State"] == "running", "Status": found["State"]}
            return self._say(200, {"State": state, "Config": {"Tty": found["Tty"]}, "HostConfig": {"AutoRemove": found["AutoRemove"]}})
        if parts[2] == "logs":
            return self._logs(found, int(query["tail"][0]))
        found["State"] = {"stop": "exited", "start": "running"}[parts[2]]
        return self._say(204)

    def _delete_image(self, name: str) -> None:
        found = next((i for i in self.server.images if name == i["Id"] or name in i["RepoTags"]), None)
        if found is None:
            return self._say(404, {"message": f"No such image: {name}"})
        if any(c["ImageID"] == found["Id"] for c in self.server.containers):
            return self._say(409, {"message": "image is being used"})
        if name in found["RepoTags"]:
            found["RepoTags"].remove(name)
        if not found["RepoTags"]:
            self.server.images.remove(found)
        return self._say(200, [{"Deleted": name}])

    def _logs(self, container: dict[str, Any], last: int) -> None:
        lines = container["Printed"][-last:]
        if container["Tty"]:
            return self._say(200, raw=b"".join(line + b"\r\n" for _, line in lines))
        frames = b""
        for stream, line in lines:
            # A line may come in two frames, and another stream's between them.
            for piece in (line[:3], line[3:] + b"\n"):
                frames += struct.pack(">BxxxI", stream, len(piece)) + piece
        return self._say(200, raw=frames)

    do_GET = do_POST = do_DELETE = _do


class Engine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def __init__(self, path: str) -> None:
        self.asked: list[str] = []
        self.containers: list[dict[str, Any]] = []
        self.images: list[dict[str, Any]] = []
        super().__init__(path, Handler)

    def add(self, name: str, state: str = "running", image: str = "nginx:1", **more: Any) -> None:
        self.containers.append(
            {
                "Id": f"{len(self.containers) + 1:x}" * 64, "Names": [f"/{name}"], "Image": image, "ImageID": f"sha256:{image}", "State": state,
                "Created": 1_700_000_000, "Ports": [{"PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"}], "SizeRw": 2048, "Tty": False,
                "AutoRemove": False, "Printed": [], **more,
            }
        )  # fmt: skip

    def add_image(self, *tags: str, identity: str = "", size: int = 1 << 20) -> None:
        self.images.append({"Id": identity or f"sha256:{tags[0]}", "RepoTags": list(tags), "Size": size, "Created": 1_700_000_000})


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with Scene(tmp_path / "scene") as started:
        yield started


@pytest.fixture
def engine(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    path = f"{tmp_path}/engine.sock"
    with Engine(path) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
        yield server
        server.shutdown()
        thread.join()


def done(played: Played) -> Played:
    assert played.error is None, played.error
    assert played.outcome is not None and played.outcome.status == "done"
    return played


def test_list_and_images_run_confined(scene: Scene, engine: Engine) -> None:
    engine.add("web")
    engine.add("old", "exited", Ports=[])
    engine.add_image("nginx:1", "nginx:latest", size=5)
    engine.add_image(identity="sha256:" + "f" * 64, size=7)
    assert [r.name for r in done(scene.play("container.list()")).records] == ["web"]
    web, old = done(scene.play("container.list(all=true)")).records
    assert (web.state, web.ports, web.created_at, old.name, old.state, old.ports) == ("running", "8080→80/tcp", 1.7e9, "old", "exited", "")
    assert [(r.name, r.size_bytes) for r in done(scene.play("container.images()")).records] == [("f" * 12, 7), ("nginx:1", 5)]


@pytest.mark.parametrize("terminal", [False, True])
def test_logs_are_lines_whatever_frames_they_come_in(scene: Scene, engine: Engine, terminal: bool) -> None:
    engine.add("web", Printed=[(1, b"first"), (2, "schön, no?".encode()), (1, b"not \xff text"), (1, b"")], Tty=terminal)
    lines = done(scene.play('container.logs("web", last="3")')).records
    assert [r.text for r in lines] == ["schön, no?", "not � text", ""]  # type: ignore[attr-defined]
    assert [r.number for r in lines] == [1, 2, 3]  # type: ignore[attr-defined]


def test_long_logs_come_in_pieces_and_end_without_a_line_end(engine: Engine) -> None:
    pieces = iter([(1, b"a" * (containers._LONGEST_LINE + 1)), (1, b"b"), (2, b"err\nmore")])
    assert [len(line) for line in containers._lines(pieces)] == [containers._LONGEST_LINE + 1, 3, 1, 4]


def test_stop_can_be_taken_back(scene: Scene, engine: Engine) -> None:
    engine.add("web")
    played = done(scene.play('container.stop("web")'))
    assert played.preview is not None and not played.preview.calls[0].no_undo
    assert [c["State"] for c in engine.containers] == ["exited"]
    done(scene.play("history.undo()"))
    assert [c["State"] for c in engine.containers] == ["running"]


def test_stop_of_one_that_removes_itself_says_that_it_is_final(scene: Scene, engine: Engine) -> None:
    engine.add("once", AutoRemove=True)
    played = done(scene.play('container.stop("once")'))
    assert played.preview is not None and "removed as soon as it stops" in played.preview.calls[0].no_undo


def test_stop_of_a_stopped_one_and_of_none_is_refused(scene: Scene, engine: Engine) -> None:
    engine.add("old", "exited")
    assert scene.play('container.stop("old")').error.code == "action.refused"  # type: ignore[union-attr]
    missing = scene.play('container.stop("web")').error
    assert missing is not None and missing.code == "world.not-found" and "There is old" in missing.hint
    assert not [a for a in engine.asked if a.startswith("POST")]


def test_a_container_that_stops_meanwhile_is_left_alone(scene: Scene, engine: Engine) -> None:
    engine.add("web")
    unit = registry.get("container.stop")
    args = unit.Args.bind("container.stop", {"name": "web"})
    (step,) = unit.steps(args, unit.look(args, World()))
    engine.containers[0]["State"] = "exited"
    with pytest.raises(StaleStep):
        step.check()
    assert step.state() == "done"
    engine.containers.clear()
    assert step.state() == "unknown"


def test_names_ids_and_parts_of_names(scene: Scene, engine: Engine) -> None:
    for name in ("shop-web", "shop-db", "web"):
        engine.add(name)
    unit = registry.get("container.stop")

    def found(name: str) -> str:
        args = unit.Args.bind("container.stop", {"name": name})
        return unit.look(args, World()).name  # type: ignore[no-any-return]

    assert [found(n) for n in ("web", "/web", "WEB", "shop-d", "1" * 12)] == ["web", "web", "web", "shop-db", "shop-web"]
    with pytest.raises(Refused, match=r"shop-web, shop-db"):
        found("shop")
    with pytest.raises(NotFound):
        found("222")  # the start of an id, but too short to be meant as one


def several(engine: Engine) -> None:
    engine.add("web")
    engine.add("old", "exited", "redis:7")
    engine.add("paused", "paused", "busybox:1")
    for tags in (("nginx:1",), ("redis:7", "redis:latest"), ("busybox:1",)):
        engine.add_image(*tags)
    engine.add_image(identity="sha256:" + "f" * 64)


def test_prune_removes_exactly_what_it_shows(scene: Scene, engine: Engine) -> None:
    several(engine)
    preview = scene.kernel.preview(registry.parse("container.prune(all=true)"))  # type: ignore[union-attr]
    assert [s.describe() for s in preview.calls[0].steps] == [
        "remove the stopped container old, 2 KB",
        "remove the image redis:7, redis:latest, at most 1 MB",
        "remove the image ffffffffffff, at most 1 MB",
    ]
    assert preview.calls[0].no_undo and not preview.calls[0].notes
    engine.add("newer", "exited", "redis:8")  # since then: it was not shown
    outcome = scene.kernel.run(preview)  # type: ignore[union-attr]
    assert outcome.status == "done", outcome.errors
    assert [c["Names"] for c in engine.containers] == [["/web"], ["/paused"], ["/newer"]]
    assert [i["RepoTags"] for i in engine.images] == [["nginx:1"], ["busybox:1"]]
    undo = scene.play("history.undo()").error
    assert undo is not None


def test_prune_leaves_images_that_have_a_name_and_says_so(scene: Scene, engine: Engine) -> None:
    several(engine)
    played = done(scene.play("container.prune()"))
    assert played.preview is not None
    assert "No container uses redis:7, redis:latest, and it stays: container.prune(all=true) removes it." in played.preview.calls[0].notes
    assert [c["Names"] for c in engine.containers] == [["/web"], ["/paused"]]
    assert [i["RepoTags"] for i in engine.images] == [["nginx:1"], ["redis:7", "redis:latest"], ["busybox:1"]]
    nothing = scene.play("container.prune()").error
    assert nothing is not None and nothing.code == "action.refused"
    assert "without a name" in nothing.message and "redis:7" in nothing.hint and len(engine.images) == 3


def test_prune_of_what_is_stopped_takes_no_image(scene: Scene, engine: Engine) -> None:
    several(engine)
    done(scene.play('container.prune(state="stopped")'))
    assert [c["Names"] for c in engine.containers] == [["/web"], ["/paused"]] and len(engine.images) == 4
    assert scene.play('container.prune(state="stopped")').error.code == "action.refused"  # type: ignore[union-attr]
    assert scene.play('container.prune(all=true, state="stopped")').error.code == "plan.bad-argument"  # type: ignore[union-attr]
    assert len(engine.images) == 4


def test_prune_leaves_what_runs_again(scene: Scene, engine: Engine) -> None:
    engine.add("old", "exited")
    preview = scene.kernel.preview(registry.parse("container.prune()"))  # type: ignore[union-attr]
    engine.containers[0]["State"] = "running"
    assert scene.kernel.run(preview).errors[0].code == "step.stale"  # type: ignore[union-attr]
    assert len(engine.containers) == 1


def test_prune_with_nothing_to_remove(scene: Scene, engine: Engine) -> None:
    engine.add("web")
    engine.add_image("nginx:1")
    assert scene.play("container.prune()").error.code == "action.refused"  # type: ignore[union-attr]


@pytest.mark.parametrize("address", ["tcp://10.0.0.1:2375", "unix:///nowhere/docker.sock"])
def test_no_engine_is_said(home: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    with pytest.raises(NotPossible, match=r"not on this machine|no container engine answers"):
        containers.socket_path()


def test_podmans_socket_of_the_user_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("DOCKER_HOST", "CONTAINER_HOST"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(containers, "_is_socket", lambda p: p.startswith(str(tmp_path)) and os.path.exists(p))
    (tmp_path / "podman").mkdir()
    (tmp_path / "podman/podman.sock").touch()
    assert containers.socket_path() == f"{tmp_path}/podman/podman.sock"


def test_an_engine_that_goes_away_is_no_crash(scene: Scene, engine: Engine) -> None:
    preview = scene.kernel.preview(registry.parse("container.list()"))  # type: ignore[union-attr]
    engine.shutdown()
    engine.server_close()
    os.unlink(engine.server_address)  # type: ignore[arg-type]
    outcome = scene.kernel.run(preview)  # type: ignore[union-attr]
    assert [e.code for e in outcome.errors] == ["world.not-possible"]


def test_a_worker_reaches_no_socket_that_was_not_approved(scene: Scene, engine: Engine) -> None:
    """The handed connection is all: the same engine under another effect is out of reach."""
    from nlsh.guard.grant import Grant
    from nlsh.plan.effects import Effect
    from nlsh.steps.observe import Observe

    def outcome(*effects: Effect) -> list[dict[str, Any]]:
        step = Observe("container.list", {}, os.environ["DOCKER_HOST"].removeprefix("unix://"), effects)
        job = {"steps": [step.as_data()], "grant": Grant.of(effects).as_data(), "env": dict(os.environ), "cwd": "/"}
        return [m for m in scene.kernel._zygote.run(job) if m["type"] in ("done", "denied", "failed")]  # type: ignore[union-attr]

    engine.add("web")
    path = os.environ["DOCKER_HOST"].removeprefix("unix://")
    assert [m["type"] for m in outcome(Effect("bus.read", path))] == ["done"]
    assert [m["type"] for m in outcome(Effect("sys.read", "*"))] == ["denied"]
