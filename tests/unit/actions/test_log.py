"""The logs: a real journal written by journald in namespaces of its own, files as syslog writes them, and the kernel's buffer."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from nlsh.plan import registry
from nlsh.plan.errors import NotPossible
from nlsh.plan.records import Note
from nlsh.testing import Scene
from nlsh.world import World, logs
from tests.unit.actions.fake_bus import scene

JOURNALD = "/usr/lib/systemd/systemd-journald"
# The file systems that journald writes to are replaced before it starts: nothing of this machine's own logs is touched.
SCRIPT = """
set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/log
mkdir -p /run/systemd/journal
{journald} & daemon=$!
trap 'kill $daemon' EXIT
until [ -S /run/systemd/journal/socket ]; do kill -0 $daemon; sleep 0.02; done
{python} - <<'END'
import socket
said = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
def say(data):
    said.sendto(data, "/run/systemd/journal/socket")
say(b"MESSAGE=quite well\\nPRIORITY=6\\nSYSLOG_IDENTIFIER=nlsh-one\\n")
say(b"MESSAGE=it failed\\nPRIORITY=3\\nSYSLOG_IDENTIFIER=nlsh-two\\n")
say(b"MESSAGE\\n" + (10).to_bytes(8, "little") + b"two\\nl\\xff\\x00nes"[:10] + b"\\nPRIORITY=5\\nSYSLOG_IDENTIFIER=nlsh-three\\n")
END
until journalctl --quiet --output=cat SYSLOG_IDENTIFIER=nlsh-three | grep -q .; do sleep 0.05; done
cp -r /run/log/journal/. {out}/
"""


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if os.geteuid() != 0 or not os.path.exists(JOURNALD) or shutil.which("unshare") is None or shutil.which("journalctl") is None:
        pytest.skip("needs root and systemd-journald")
    out = tmp_path_factory.mktemp("journal")
    python = shutil.which("python3") or "python3"
    script = SCRIPT.format(journald=JOURNALD, python=python, out=out)
    done = subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True, timeout=60, check=False)
    if done.returncode or not list(out.glob("*/*.journal")):
        pytest.skip(f"journald does not run here: {done.stderr.decode()[-200:]}")
    return out


@pytest.fixture
def where(journal: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(logs, "JOURNALS", (str(journal),))
    return logs.find()


def test_a_journal(where: dict[str, Any]) -> None:
    assert where["kind"] == "journal"
    found = {e.source: e for e in logs.entries(where) if e.source.startswith("nlsh-")}
    assert (found["nlsh-one"].text, found["nlsh-one"].level) == ("quite well", "info")
    assert found["nlsh-three"].text.startswith("two\nl\udcff")
    assert found["nlsh-two"].at is not None and abs(found["nlsh-two"].at - time.time()) < 300
    assert [e.source for e in logs.entries(where, errors=True) if e.source.startswith("nlsh-")] == ["nlsh-two"]
    assert [e.source for e in logs.entries(where, text="IT FAILED")] == ["nlsh-two"]
    assert len(list(logs.entries(where, last=2))) == 2
    assert list(logs.entries(where, since=time.time() + 3600)) == []
    assert list(logs.entries(where, unit="nlsh-none.service")) == []


OLD = [
    "Nov  3 04:05:06 host kernel: [    1.2] usb 1-1: new device",
    "Nov  3 04:05:07 host sshd[4711]: Failed password for root",
    "Nov  3 04:05:08 host my prog says: something",
    "no form at all",
    "",
]
NEW = [
    "2024-05-06T07:08:09.123456+02:00 host cron[12]: (root) CMD (true)",
    "2024-05-06T07:08:10Z host kernel: oops",
    "2024-05-06T07:08:11+00:00 host app: line with \udcff byte",
]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "syslog"
    monkeypatch.setattr(logs, "JOURNALS", ())
    monkeypatch.setattr(logs, "FILES", (str(path),))
    monkeypatch.setattr(logs, "KERNEL_FILES", ())
    return path


def write(path: Path, lines: list[str]) -> dict[str, Any]:
    path.write_bytes("".join(line + "\n" for line in lines).encode("utf-8", "surrogateescape"))
    return logs.find()


def test_a_file_of_the_older_form(files: Path) -> None:
    where = write(files, OLD)
    found = list(logs.entries(where))
    assert [(e.source, e.pid) for e in found] == [("kernel", None), ("sshd", 4711), ("my", None), ("", None), ("", None)] or found[2].source == ""
    assert found[1].text == "Failed password for root" and found[3].text == "no form at all"
    now = time.time()
    assert all(e.at is None or now - 367 * 86400 < e.at < now + 86400 for e in found)
    assert [e.source for e in logs.entries(where, errors=True)] == ["sshd"]
    assert [e.text for e in logs.entries(where, kernel=True)] == ["[    1.2] usb 1-1: new device"]


def test_a_file_of_the_newer_form(files: Path) -> None:
    where = write(files, NEW)
    found = list(logs.entries(where))
    assert found[0].at == pytest.approx(1714972089.123456) and found[1].at == 1714979290.0
    assert found[2].text == "line with \udcff byte"
    assert [e.source for e in logs.entries(where, since=1714979290.0)] == ["kernel", "app"]
    assert [e.source for e in logs.entries(where, text="LINE")] == ["app"]
    assert [e.source for e in logs.entries(where, errors=True)] == ["kernel"]


@pytest.mark.parametrize("last", [1, 2, 3, 5000, 20_000])
def test_the_last_lines_of_a_long_file(files: Path, last: int) -> None:
    lines = [f"2024-05-06T07:08:09Z host a: entry {n} {'x' * (n % 50)}" for n in range(10_000)]
    where = write(files, lines)
    assert [e.text.split()[1] for e in logs.entries(where, last=last)] == [str(n) for n in range(10_000)][-last:]


def test_a_file_without_an_end(files: Path) -> None:
    files.write_text("one\ntwo")
    assert [e.text for e in logs.entries(logs.find(), last=1)] == ["two"]
    files.write_text("")
    assert list(logs.entries(logs.find(), last=5)) == []


def observed(plan_action: str, **written: Any) -> list[Any]:
    unit = registry.get(plan_action)
    args = unit.Args.bind(plan_action, written)
    seen = unit.look(args, World())
    assert unit.needs(args, seen)
    return list(unit.observe(args, seen, World()))


def test_errors_are_the_last_ones_unless_a_time_or_a_number_is_said(files: Path) -> None:
    lines = [f"2024-05-06T07:08:09Z host a: error {n}" for n in range(51)]
    write(files, lines)
    told, *found, more = observed("log.errors")
    assert isinstance(told, Note) and [e.text for e in found] == [f"error {n}" for n in range(1, 51)]
    assert isinstance(more, Note) and "last 50 errors" in more.text
    for written in ({"since": "20 years"}, {"last": "51"}, {"since": "20 years", "last": "60"}):
        assert len([e for e in observed("log.errors", **written) if not isinstance(e, Note)]) == 51, written
    assert [e.text for e in observed("log.errors", last="1")[1:]] == ["error 50"]
    write(files, lines[1:])
    assert [isinstance(e, Note) for e in observed("log.errors")] == [True, *[False] * 50]


@pytest.fixture
def shut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: Path) -> Path:
    """A journal as an ordinary user meets it: of the system's file only the name can be seen."""
    folder = tmp_path / "journal" / "0123"
    folder.mkdir(parents=True)
    for name in ("system.journal", "system@1-2.journal", "user-1000.journal"):
        (folder / name).touch()
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda p, mode: allowed(p, mode) and "/system" not in str(p))
    monkeypatch.setattr(logs, "JOURNALS", (str(tmp_path / "journal"),))
    monkeypatch.setattr(logs, "KERNEL_BUFFER", str(tmp_path / "none"))
    monkeypatch.setattr(logs.tools, "present", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(logs, "_journal", lambda *_, **__: iter(()))
    return folder


def test_a_journal_of_which_only_the_own_part_may_be_read_says_so(shut: Path) -> None:
    for action, written in (("log.show", {}), ("log.errors", {}), ("log.search", {"text": "x"})):
        first, *_ = observed(action, **written)
        assert isinstance(first, Note) and "your own programs" in first.text and "systemd-journal" in first.text, action
    for action, written in (("log.kernel", {}), ("service.logs", {"name": "nginx"})):
        with pytest.raises(NotPossible, match="may not read the system's journal") as said:
            observed(action, **written)
        assert "Nothing was changed." in said.value.hint and "systemd-journal" in said.value.hint
    (shut / "user-1000.journal").unlink()
    with pytest.raises(NotPossible, match="may not read the system's journal"):
        logs.find()


def test_who_may_read_the_systems_journal_is_told_nothing(shut: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda p, mode: True)
    assert logs.find()["own"] is False and observed("log.show") == [] and observed("log.kernel") == [] and observed("service.logs", name="nginx") == []


def test_a_log_file_is_read_rather_than_a_journal_that_is_shut(shut: Path, files: Path) -> None:
    assert write(files, NEW)["kind"] == "file"


def test_a_journal_whose_files_cannot_be_seen_is_no_missing_one(tmp_path: Path, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run" / "0123").mkdir(parents=True)
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda p, mode: allowed(p, mode) and not str(p).endswith("0123/"))
    monkeypatch.setattr(logs, "JOURNALS", (str(tmp_path / "run"),))
    monkeypatch.setattr(logs.tools, "present", lambda name: f"/usr/bin/{name}")
    with pytest.raises(NotPossible, match="may not read the system's journal"):
        logs.find(journal_only=True)


def test_no_log_at_all(files: Path) -> None:
    for journal_only in (False, True):
        with pytest.raises(NotPossible):
            logs.find(journal_only=journal_only)


def test_the_kernels_buffer_in_a_worker(tmp_path: Path) -> None:
    """Only root may read it here where the kernel restricts it, and a worker of root's keeps just the one capability for it."""
    try:
        if logs.find(kernel=True)["kind"] != "buffer":
            pytest.skip("the kernel's log is elsewhere here")
    except NotPossible as error:
        pytest.skip(str(error))
    with scene(tmp_path) as machine:
        played = machine.play('log.kernel(last="3")')
    assert played.error is None and 0 < len(played.records) <= 3
    assert all(r.level in logs.LEVELS and r.at is not None for r in played.records)  # type: ignore[attr-defined]


def test_files_in_a_worker(tmp_path: Path) -> None:
    with scene(tmp_path) as machine:
        check_confined(machine)


def check_confined(machine: Scene) -> None:
    played = machine.play("log.show()")
    assert played.error is None or played.error.code == "world.not-possible"
