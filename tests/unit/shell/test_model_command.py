"""`nlsh model`: real files, a real session, a web server of the test's own."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import resource
import threading
import tomllib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from nlsh import cli
from nlsh.plan import registry
from nlsh.plan.errors import NlshError, SettingsError
from nlsh.planner import metadata, models
from nlsh.planner.chat import ChatPlanner
from nlsh.planner.learned import Learned
from nlsh.planner.planner import Planner
from nlsh.settings import Settings
from nlsh.shell.commands.config_file import set_setting
from nlsh.shell.options import Options, UsageError
from nlsh.shell.prompt.slash import Slash
from nlsh.shell.turn import Session

tiny_models = pytest.importorskip("tests.unit.planner.tiny_models", reason="the package gguf is not installed")
SAYS = ["file.find(", "under=", '"my downloads', ' folder"', ", ", "kind=", '"pdfs', '")']
REQUEST = "find pdfs in my downloads folder"
Nlsh = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def speaking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.write(tmp_path_factory.mktemp("models") / "speaking.gguf", says=SAYS)


@pytest.fixture
def own(home: Path, speaking: Path) -> Path:
    """Return the folder of the user's own models, with one in it."""
    folder = home / ".local/share/nlsh/models"
    folder.mkdir(parents=True)
    (folder / "speaker.gguf").write_bytes(speaking.read_bytes())
    return folder


@pytest.fixture
def nlsh(home: Path, capfd: pytest.CaptureFixture[str]) -> Nlsh:
    def run(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        status = cli.main(list(words))
        return status, *capfd.readouterr()

    return run


def config(home: Path) -> Path:
    return home / ".config/nlsh/config.toml"


# --- which one plans -------------------------------------------------------------------------------------------------


def test_use_is_written_into_the_config_and_taken_out_again(nlsh: Nlsh, own: Path, home: Path) -> None:
    file = config(home)
    file.parent.mkdir(parents=True)
    before = '# mine\nthreads = 2  # both cores\n\ncolor = "never"\n'
    file.write_text(before)
    file.chmod(0o640)
    status, out, _ = nlsh("model", "use", "speaker")
    assert status == 0 and "speaker.gguf" in out
    assert tomllib.loads(file.read_text()) == {"threads": 2, "color": "never", "planner": str(own / "speaker.gguf")}
    assert file.read_text().startswith(before) and file.stat().st_mode & 0o777 == 0o640
    assert nlsh("model", "use", "speaker")[0] == 0 and file.read_text().count("planner") == 1
    assert nlsh("model", "use", "shipped")[0] == 0
    assert file.read_text() == before
    assert os.listdir(file.parent) == ["config.toml"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", 'planner = "/a b"\n'),
        ('planner = "/x" # why\nthreads = 1', 'planner = "/a b" # why\nthreads = 1'),
        ("'planner'=\"/x\"\r\n", 'planner = "/a b"\r\n'),
        ("threads = 1", 'threads = 1\nplanner = "/a b"\n'),
        ("[x]\ny = 1\n", 'planner = "/a b"\n[x]\ny = 1\n'),
        ('planner = "/a # b"\n', 'planner = "/a b"\n'),
    ],
)
def test_only_one_line_of_the_config_changes(home: Path, old: str, new: str) -> None:
    config(home).parent.mkdir(parents=True)
    config(home).write_bytes(old.encode())
    set_setting("planner", "/a b")
    assert config(home).read_bytes().decode() == new


@pytest.mark.parametrize("old", ["planner = ", 'planner = """\n/x"""\n', "x = [\nplanner = 1\n"])
def test_a_config_that_cannot_be_changed_stays_as_it_is(home: Path, old: str) -> None:
    config(home).parent.mkdir(parents=True)
    config(home).write_text(old)
    with pytest.raises(SettingsError, match="Nothing was changed"):
        set_setting("planner", "/a")
    assert config(home).read_text() == old


def test_a_name_of_any_characters_comes_back(home: Path) -> None:
    for name in ('/a"b\\c\n\x01\u202e名', "/'''"):
        set_setting("planner", name)
        assert tomllib.loads(config(home).read_text()) == {"planner": name}
    with pytest.raises(SettingsError, match="UTF-8"):
        set_setting("planner", "/caf\udce9")


def test_a_full_disk_leaves_the_config_as_it_was(home: Path) -> None:
    set_setting("planner", "/old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4, hard))
    try:
        with pytest.raises(SettingsError, match="cannot be written"):
            set_setting("planner", "/new")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert tomllib.loads(config(home).read_text()) == {"planner": "/old"} and len(os.listdir(config(home).parent)) == 1


def test_a_config_behind_a_link_stays_a_link(home: Path) -> None:
    config(home).parent.mkdir(parents=True)
    (home / "dotfiles.toml").write_text("threads = 1\n")
    config(home).symlink_to(home / "dotfiles.toml")
    set_setting("planner", "/x")
    assert config(home).is_symlink() and "planner" in (home / "dotfiles.toml").read_text()


def test_what_cannot_plan_is_not_used(nlsh: Nlsh, own: Path, home: Path) -> None:
    data = (own / "speaker.gguf").read_bytes()
    (own / "cut.gguf").write_bytes(data[: len(data) // 2])
    (own / "text.gguf").write_text("I am no model at all, only some text.")
    tiny_models.write(own / "mute.gguf", template=None)
    for name, said in (
        ("cut", "truncated"),
        ("text", "not a GGUF"),
        ("mute", "chat template"),
        ("speakr", "Did you mean speaker?"),
        ("./gone.gguf", "no model file"),
    ):
        status, out, err = nlsh("model", "use", name)
        assert status == 1 and out == "" and said in err and err.count("\n") == 1
    assert not config(home).exists()
    status, out, _ = nlsh("model", "list", "--json")
    listed = {d["name"]: d for d in map(json.loads, out.splitlines())}
    assert status == 0 and set(listed) == {"shipped", "speaker", "cut", "text", "mute"}
    assert "truncated" in listed["cut"]["what"] and "no chat template" in listed["mute"]["what"]


def test_a_dry_run_changes_no_setting(nlsh: Nlsh, own: Path, home: Path) -> None:
    assert nlsh("model", "use", "speaker", "-n")[0] == 0
    assert not config(home).exists()


def test_switching_models_in_a_session(own: Path, home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (home / "Downloads").mkdir()
    for name in ("one.pdf", "two.txt"):
        (home / "Downloads" / name).write_text(name)
    with Session.start(Options(json=True)) as session:
        slash = Slash(session)
        kinds = []
        for name in ("speaker", "shipped", "speaker"):
            assert slash.handle(f"/model use {name}") == 0
            capfd.readouterr()
            assert session.request(REQUEST) == 0
            found = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
            assert [Path(f["path"]).name for f in found if "path" in f] == ["one.pdf"]
            kinds.append(type(session.planning.planner))
        assert kinds == [ChatPlanner, Planner, ChatPlanner]
        with pytest.raises(UsageError):
            slash.handle("/model pull http://127.0.0.1/x")
        with pytest.raises(NlshError):
            slash.handle("/model use nothing")
        assert type(session.planning.planner) is ChatPlanner


def test_a_model_for_one_request(nlsh: Nlsh, own: Path, home: Path) -> None:
    (home / "Downloads").mkdir()
    for model in ("speaker", str(own / "speaker.gguf")):
        status, out, err = nlsh("--model", model, "-n", "-c", REQUEST)
        assert status == 0 and out == 'file.find("my downloads folder", kind="pdfs")\n', err
    status, out, err = nlsh("--model", "speakr", "-c", f"?{REQUEST}")
    assert status == 1 and "Did you mean speaker?" in err
    assert not config(home).exists()


def test_info(nlsh: Nlsh, own: Path, speaking: Path) -> None:
    status, out, _ = nlsh("model", "info", "speaker", "--json")
    data = json.loads(out)
    assert status == 0 and data["sha256"] == hashlib.sha256(speaking.read_bytes()).hexdigest()
    assert (data["architecture"], data["quantization"], data["chat_template"], data["licence"]) == ("llama", "F32", True, "CC0-1.0")
    assert data["size_bytes"] == speaking.stat().st_size and data["runs"].startswith(("on the processor", "all layers"))
    shipped = json.loads(nlsh("model", "info", "--json")[1])
    assert shipped["path"] == str(models.shipped()) and not shipped["chat_template"] and "pointing" in shipped["plans"]


@pytest.mark.parametrize(
    "words", [["lst"], ["info", "a", "b"], ["use"], ["list", "x"], ["pull"], ["quantize", "a", "b"], ["prune", "a", "b"], ["quantize", "shipped", "x", "q9_9"]]
)
def test_what_is_no_command_of_it_is_usage(nlsh: Nlsh, words: list[str]) -> None:
    status, out, err = nlsh("model", *words)
    assert status == 2 and out == "" and err.startswith("nlsh: ")


# --- fetching --------------------------------------------------------------------------------------------------------


class Server(ThreadingHTTPServer):
    """Serves one file at every address; what comes below /half breaks off in the middle the first time."""

    def __init__(self, content: bytes) -> None:
        self.content, self.ranges = content, list[str | None]()
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        server: Any = self.server
        wanted = self.headers.get("Range")
        server.ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        content = server.content[start:]
        self.send_response(206 if wanted else 200)
        self.send_header("ETag", '"one"')
        self.send_header("Content-Length", str(len(content)))
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if self.path.startswith("/half") and not wanted else content)


@pytest.fixture
def server(speaking: Path) -> Iterator[Server]:
    server = Server(speaking.read_bytes())
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_pull_is_asked_and_then_there(nlsh: Nlsh, home: Path, server: Server, speaking: Path) -> None:
    status, _, err = nlsh("model", "pull", f"{server.address}/new.gguf")
    assert status == 3 and "network.download" in err and server.ranges == []
    status, _, err = nlsh("model", "pull", f"{server.address}/new.gguf", "--yes", "--sha256", hashlib.sha256(speaking.read_bytes()).hexdigest())
    assert status == 0 and "nlsh model use new" in err
    assert (home / ".local/share/nlsh/models/new.gguf").read_bytes() == speaking.read_bytes()
    assert nlsh("model", "use", "new")[0] == 0
    assert nlsh("undo", "--yes")[0] == 0 and not (home / ".local/share/nlsh/models/new.gguf").exists()


def test_pull_goes_on_where_it_broke_off(nlsh: Nlsh, home: Path, server: Server, speaking: Path) -> None:
    folder = home / ".local/share/nlsh/models"
    folder.mkdir(parents=True)
    try:
        os.setxattr(folder, "user.nlsh.test", b"")
    except OSError:
        pytest.skip("this file system keeps no mark of an unfinished download")
    address = f"{server.address}/half.gguf"
    status, _, err = nlsh("model", "pull", address, "--yes")
    assert status != 0 and "half.gguf.part" in err
    assert nlsh("model", "pull", address, "--yes")[0] == 0
    assert server.ranges == [None, f"bytes={len(server.content) // 2}-"]
    assert (folder / "half.gguf").read_bytes() == speaking.read_bytes() and os.listdir(folder) == ["half.gguf"]


def test_pull_keeps_nothing_with_a_wrong_checksum_and_says_what_is_no_model(nlsh: Nlsh, home: Path, server: Server) -> None:
    folder = home / ".local/share/nlsh/models"
    status, _, err = nlsh("model", "pull", f"{server.address}/x.gguf", "--yes", "--sha256", "0" * 64)
    assert status == 5 and "SHA-256" in err and not list(folder.glob("*"))  # partly: the folder was made
    assert nlsh("model", "pull", f"{server.address}/x.gguf", "--yes", "--sha256", "abc")[0] == 2
    server.content = b"<html>Not found, but with status 200</html>"
    status, _, err = nlsh("model", "pull", f"{server.address}/page.gguf", "--yes")
    assert status == 1 and "not a GGUF" in err and "nlsh undo" in err
    assert nlsh("model", "pull", "ftp://127.0.0.1/x.gguf", "--yes")[0] != 0


# --- measuring and making --------------------------------------------------------------------------------------------


def test_bench(nlsh: Nlsh, own: Path) -> None:
    for name in ("shipped", "speaker"):
        status, out, _ = nlsh("model", "bench", name, "--json")
        data = json.loads(out)
        assert status == 0 and all(v > 0 for k, v in data.items() if k != "path")
        assert {"prompt_tokens_per_s", "written_tokens_per_s", "request_to_plan_ms", "peak_memory_bytes"} <= set(data)


def test_eval_of_a_few(nlsh: Nlsh, own: Path) -> None:
    for name in ("shipped", "speaker"):
        status, out, _ = nlsh("model", "eval", name, "--most", "4", "--json")
        sets = [json.loads(line) for line in out.splitlines()]
        assert status == 0 and [s["set"] for s in sets] == ["held out", "strangers"]
        assert all(s["requests"] == 4 and 0 <= s["exact"] <= s["among_three"] <= 1 for s in sets)


def test_quantize_makes_a_smaller_file_that_still_plans(nlsh: Nlsh, home: Path) -> None:
    before = models.shipped().read_bytes()
    assert nlsh("model", "quantize", "shipped", "small.gguf", "q4_0")[0] == 3  # nobody to ask: not even begun
    status, out, _ = nlsh("model", "quantize", "shipped", "small.gguf", "q4_0", "-n")
    assert status == 0 and out.startswith("file.move(") and "small.gguf" in out
    assert not (home / "small.gguf").exists() and not list((home / ".cache/nlsh/models").iterdir())
    status, out, _ = nlsh("model", "quantize", "shipped", "small.gguf", "Q4_0", "--most", "3", "--yes", "--json")
    data = json.loads(out.splitlines()[0])
    assert status == 0 and data["size_after_bytes"] == (home / "small.gguf").stat().st_size < data["size_before_bytes"] == len(before)
    assert data["accuracy_before"] is not None and data["accuracy_after"] is not None
    assert metadata.read(home / "small.gguf").quantization == "Q4_0" and models.shipped().read_bytes() == before
    status, _, err = nlsh("model", "quantize", "shipped", "small.gguf", "q4_0", "--yes")
    assert status == 1 and "already something" in err
    assert nlsh("undo", "--yes")[0] == 0 and not (home / "small.gguf").exists()


def test_quantize_of_what_is_no_model(nlsh: Nlsh, home: Path) -> None:
    (home / "x.gguf").write_text("x" * 100)
    status, _, err = nlsh("model", "quantize", "./x.gguf", "y.gguf", "q8_0", "--yes")
    assert status == 1 and "not a GGUF" in err and not (home / "y.gguf").exists()


def test_prune_of_layers_and_tokens(nlsh: Nlsh, own: Path, home: Path) -> None:
    status, out, _ = nlsh("model", "prune", "shipped", "thin.gguf", "--layers", "2", "--vocabulary", "--most", "3", "--yes", "--json")
    data, thin, whole = json.loads(out.splitlines()[0]), metadata.read(home / "thin.gguf"), metadata.read(models.shipped())
    assert status == 0 and data["layers_left_out"] == 1 and thin.layers == whole.layers - 1
    assert thin.vocabulary == whole.vocabulary - data["tokens_left_out"] and thin.points and data["accuracy_after"] is not None
    assert not [t for t in thin.tensors if t.name.startswith(f"blk.{thin.layers}.")]
    assert nlsh("model", "prune", "speaker", "terse.gguf", "--layers", "0", "--most", "1", "--yes")[0] == 0
    (home / "Downloads").mkdir()
    status, out, err = nlsh("--model", "./terse.gguf", "-n", "-c", REQUEST)
    assert status == 0 and "my downloads folder" in out, err
    for layers, said in (("9", "layers 0 to"), ("0-5", "without any layer"), ("x", "does not name")):
        status, _, err = nlsh("model", "prune", "shipped", "none.gguf", "--layers", layers)
        assert status == 1 and said in err


def taught() -> None:
    """Have the planner learn two examples."""
    planner = Planner(Settings(), learned=Learned())
    planner.learn("declutter the stuff in Downloads", registry.parse('file.trash("Downloads")'))
    planner.learn("make my day", registry.parse('file.list("/somewhere/else")'))


def test_adapt_learns_what_the_user_taught(nlsh: Nlsh, home: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    taught()
    status, out, err = nlsh("model", "adapt", "mine", "--minutes", "0.05", "--most", "3", "--yes", "--json")
    assert status == 0, err
    data, made = json.loads(out.splitlines()[0]), home / ".local/share/nlsh/models/mine.gguf"
    # The second example's value is no word of its request: there is nothing to point at.
    assert data["examples"] == 1 and metadata.read(made).points and metadata.read(made).quantization == "Q8_0"
    used = tomllib.loads(config(home).read_text()).get("planner") if config(home).exists() else None
    assert (used == str(made)) == (data["accuracy_after"] >= data["accuracy_before"])
    assert nlsh("model", "info", "mine")[0] == 0
    assert nlsh("model", "adapt", "mine", "--yes")[0] == 1  # nothing is overwritten


def test_training_without_what_it_needs_says_so(nlsh: Nlsh, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status, _, err = nlsh("model", "adapt", "mine")
    assert status == 1 and "learned nothing" in err
    taught()
    really = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, package=None: None if name == "torch" else really(name, package))
    for verb in ("adapt", "train"):
        status, out, err = nlsh("model", verb, "mine", "--yes")
        assert status == 1 and out == "" and "torch" in err and "nlsh[train]" in err
    for words in (("adapt",), ("train", "a/b"), ("train", ".."), ("adapt", "shipped")):
        assert nlsh("model", *words)[0] == 2
