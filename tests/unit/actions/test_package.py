"""Packages, on scratch roots: a repository made with dpkg-deb, an environment of Python's own making, a project of npm. The machine's stay as they are."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import socketserver
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nlsh.plan import registry
from nlsh.plan.errors import BadArgument, NotFound, Refused
from nlsh.plan.records import Note
from nlsh.steps.packages import ChangePackages, words
from nlsh.testing import Scene
from nlsh.world import World, packages
from nlsh.world.packages import backend
from nlsh.world.packages_of_rpm import Dnf, Zypper
from nlsh.world.packages_of_system import Apt, Pacman
from nlsh.world.packages_of_user import Flatpak, Npm, Pip, Snap
from tests.unit.actions.fake_bus import Bus, Systemd, scene

needs_apt = pytest.mark.skipif(not all(map(shutil.which, ("apt-get", "dpkg-deb", "dpkg-query"))) or os.geteuid() != 0, reason="needs apt and root")
needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm")


def deb(pool: Path, name: str, version: str, *more: str) -> None:
    folder = pool / f"{name}-{version}"
    (folder / "DEBIAN").mkdir(parents=True)
    (folder / "usr/share" / name).mkdir(parents=True)
    (folder / "usr/share" / name / "it's [here]").write_text(version)
    fields = (f"Package: {name}", f"Version: {version}", "Architecture: all", "Maintainer: A <a@example.org>", f"Description: the {name} of the tests", *more)
    (folder / "DEBIAN/control").write_text("\n".join(fields) + "\n")
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", str(folder), str(pool / f"{name}_{version}_all.deb")], check=True, capture_output=True)
    shutil.rmtree(folder)


def index(pool: Path) -> None:
    """Write the list of a repository: the control paragraph of each package, with what apt must know of its file."""
    from hashlib import sha256

    paragraphs = []
    for file in sorted(pool.glob("*.deb")):
        control = subprocess.run(["dpkg-deb", "--field", str(file)], check=True, capture_output=True, text=True).stdout.strip()
        paragraphs.append(f"{control}\nFilename: ./{file.name}\nSize: {file.stat().st_size}\nSHA256: {sha256(file.read_bytes()).hexdigest()}\n")
    (pool / "Packages").write_text("\n".join(paragraphs))


@pytest.fixture
def debian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root, pool = tmp_path / "root", tmp_path / "pool"
    for folder in (
        "etc/apt/apt.conf.d",
        "etc/apt/preferences.d",
        "var/lib/dpkg/info",
        "var/lib/dpkg/updates",
        "var/lib/apt/lists/partial",
        "var/cache/apt/archives/partial",
        "var/log/apt",
    ):
        (root / folder).mkdir(parents=True)
    for file in ("var/lib/dpkg/status", "var/lib/dpkg/available", "var/lib/dpkg/diversions", "etc/apt/apt.conf"):
        (root / file).touch()
    pool.mkdir()
    deb(pool, "nlsh-lib", "1.0")
    deb(pool, "nlsh-tool", "1.0", "Depends: nlsh-lib")
    deb(pool, "nlsh-vital", "1.0", "Essential: yes")
    deb(pool, "nlsh-rival", "1.0", "Conflicts: nlsh-tool")
    index(pool)
    (root / "etc/apt/sources.list").write_text(f"deb [trusted=yes] file:{pool} ./\n")
    options = (
        "-o", f"Dir={root}", "-o", "APT::Sandbox::User=root", "-o", f"Dir::State::status={root}/var/lib/dpkg/status", "-o", f"Dpkg::Options::=--root={root}",
        "-o", f"Dpkg::Options::=--log={root}/dpkg.log", "-o", "Dpkg::Options::=--force-not-root", "-o", "APT::Get::AllowUnauthenticated=true",
    )  # fmt: skip
    monkeypatch.setattr(Apt, "apt_options", options)
    monkeypatch.setattr(Apt, "folders", lambda self: (str(root), str(pool)))
    monkeypatch.setattr(Apt, "dpkg_options", (f"--admindir={root}/var/lib/dpkg",))
    monkeypatch.setattr(Apt, "status", f"{root}/var/lib/dpkg/status")
    monkeypatch.setattr(Apt, "lists", f"{root}/var/lib/apt/lists")
    monkeypatch.setattr(Apt, "index", f"{root}/var/cache/apt/pkgcache.bin")
    monkeypatch.setattr(Apt, "stamp", f"{root}/var/lib/apt/periodic/update-success-stamp")
    subprocess.run(["apt-get", *options, "-q", "update"], check=True, capture_output=True)
    return root


@pytest.fixture
def systemd() -> Systemd:
    return Systemd()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, systemd: Systemd) -> Iterator[Scene]:
    bus = Bus(tmp_path)
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
    try:
        bus.serve(systemd)
        with scene(tmp_path) as found:
            yield found
    finally:
        bus.close()


def installed() -> dict[str, str]:
    return {p.name: p.version for p in Apt().installed()}


def rows(machine: Scene, plan: str) -> list[Any]:
    played = machine.play(plan)
    assert played.error is None, (played.error, getattr(machine, "printed", ""))
    return list(played.records)


@needs_apt
def test_install_is_previewed_done_and_taken_back(debian: Path, machine: Scene, systemd: Systemd) -> None:
    played = machine.play('package.install(names="nlsh-tool", backend="apt")')
    assert played.error is None, (played.error, systemd.printed)
    assert played.preview is not None
    (step,) = played.preview.calls[0].steps
    assert isinstance(step, ChangePackages) and step.describe() == "apt: install nlsh-lib 1.0, nlsh-tool 1.0"
    assert {e.kind for e in step.effects()} >= {"bus.call", "sys.control", "priv.root", "tool.read"}
    assert any("as root and outside nlsh's sandbox" in n and "scripts of their own" in n for n in played.preview.calls[0].notes)
    assert installed() == {"nlsh-lib": "1.0", "nlsh-tool": "1.0"} and (debian / "usr/share/nlsh-tool/it's [here]").read_text() == "1.0"
    assert [p.name for p in Apt().owner("/usr/share/nlsh-tool/it's [here]")] == ["nlsh-tool"]
    assert "/usr/share/nlsh-tool/it's [here]" in list(Apt().files("nlsh-tool"))
    outcome = machine.play('package.install(names="nlsh-tool", backend="apt")').outcome
    assert outcome is not None and outcome.status == "nothing"
    rows(machine, "history.undo()")
    assert installed() == {} and not (debian / "usr/share/nlsh-tool").exists()
    rows(machine, 'history.undo(run="2")')
    assert installed() == {"nlsh-lib": "1.0", "nlsh-tool": "1.0"}


@needs_apt
def test_remove_says_what_goes_along_and_that_it_is_for_good(debian: Path, machine: Scene) -> None:
    rows(machine, 'package.install(names="nlsh-tool", backend="apt")')
    played = machine.play('package.remove(names="nlsh-lib", backend="apt")')
    assert played.error is None and played.preview is not None
    assert played.preview.calls[0].steps[0].describe() == "apt: remove nlsh-lib 1.0, nlsh-tool 1.0"
    assert "fetched again" in played.preview.calls[0].no_undo and installed() == {}


@needs_apt
def test_update_and_pending(debian: Path, machine: Scene, tmp_path: Path) -> None:
    rows(machine, 'package.install(names="nlsh-tool", backend="apt")')
    assert rows(machine, 'package.pending(backend="apt")') == []
    deb(tmp_path / "pool", "nlsh-lib", "2.0~beta+1")
    index(tmp_path / "pool")
    subprocess.run(["apt-get", *Apt.apt_options, "-q", "update"], check=True, capture_output=True)
    (waiting,) = rows(machine, 'package.pending(backend="apt")')
    assert (waiting.name, waiting.version, waiting.new_version) == ("nlsh-lib", "1.0", "2.0~beta+1")
    played = machine.play('package.update(backend="apt")')
    assert played.error is None and played.preview is not None
    assert played.preview.calls[0].steps[0].describe() == "apt: update nlsh-lib 1.0 → 2.0~beta+1" and played.preview.calls[0].no_undo
    assert installed()["nlsh-lib"] == "2.0~beta+1"
    error = machine.play('package.update(names="nlsh-rival", backend="apt")').error
    assert error is not None and error.code == "world.not-found"


def aged(debian: Path, days: float) -> None:
    """Make the lists as old as that."""
    at = time.time() - days * 86400
    for place in ("lists", "lists/partial"):
        os.utime(debian / "var/lib/apt" / place, (at, at))


@needs_apt
def test_old_lists_are_told_of_and_never_taken_for_up_to_date(debian: Path, machine: Scene, tmp_path: Path) -> None:
    rows(machine, 'package.install(names="nlsh-tool", backend="apt")')
    aged(debian, 21.5)
    note = "apt goes by package lists of 21 days ago: newer updates are not in them."
    played = machine.play('package.pending(backend="apt")')
    assert played.error is None and [r.text for r in played.outcome.records if isinstance(r, Note)] == [f"{note} `apt-get update`, as root, fetches them anew."]  # type: ignore[union-attr]
    error = machine.play('package.update(backend="apt")').error
    assert error is not None and error.code == "action.refused" and note in error.message and "Nothing was changed." in error.hint
    played = machine.play('package.install(names="nlsh-vital", backend="apt")')
    assert played.error is None and played.preview is not None and any(note in n for n in played.preview.calls[0].notes)
    # Fetched anew, though nothing is new: that is up to date.
    subprocess.run(["apt-get", *Apt.apt_options, "-q", "update"], check=True, capture_output=True)
    outcome = machine.play('package.update(backend="apt")').outcome
    assert outcome is not None and outcome.status == "nothing"
    # Something to do, and lists that may lack more.
    deb(tmp_path / "pool", "nlsh-lib", "2.0")
    index(tmp_path / "pool")
    subprocess.run(["apt-get", *Apt.apt_options, "-q", "update"], check=True, capture_output=True)
    aged(debian, 2)
    played = machine.play('package.update(backend="apt")')
    assert played.error is None and played.preview is not None and any("of 2 days ago" in n for n in played.preview.calls[0].notes)
    assert installed()["nlsh-lib"] == "2.0"


@needs_apt
def test_lists_that_were_never_fetched(debian: Path, machine: Scene) -> None:
    shutil.rmtree(debian / "var/lib/apt/lists")
    error = machine.play('package.update(backend="apt")').error
    assert error is not None and error.code == "action.refused" and "fetched no package lists" in error.message


def test_pacman_fetches_its_lists_and_says_that_more_may_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nlsh.world.tools.find", lambda name, **_: f"/usr/bin/{name}")
    monkeypatch.setattr("nlsh.world.tools.output", lambda argv, **_: "vim 9.1-2\n")
    order = Pacman().order("update", ())
    assert order.argv == ("/usr/bin/pacman", "-Syu", "--noconfirm") and not order.complete
    assert words(order.changes, order.complete) == "update vim 9.1-2, whatever else has a newer version by then, and what that needs or frees"
    monkeypatch.setattr("nlsh.world.tools.output", lambda argv, **_: "")
    assert words(Pacman().order("update", ()).changes, True) == "update everything that has a newer version by then"
    assert Pacman().order("install", ("vim",)).argv == ("/usr/bin/pacman", "-S", "--needed", "--noconfirm", "--", "vim")
    monkeypatch.setattr(Pacman, "lists", str(tmp_path))
    assert "no package lists" in packages.of_lists(Pacman(), 1e9)
    (tmp_path / "core.db").touch()
    for place, at in ((tmp_path / "core.db", 5 * 86400), (tmp_path, 86400)):
        os.utime(place, (at, at))
    assert packages.of_lists(Pacman(), 5.5 * 86400) == "" and "of 3 days ago" in packages.of_lists(Pacman(), 8.5 * 86400)


def test_what_else_installs_programs_is_named_where_nobody_said_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Snap, "present", lambda self: True)
    monkeypatch.setattr(Flatpak, "present", lambda self: False)
    assert packages.others(Apt()) == 'This is what apt has. snap is here, too: backend="snap".' and packages.others(Snap()) == ""
    monkeypatch.setattr(Flatpak, "present", lambda self: True)
    assert packages.others(Apt()).endswith('flatpak and snap are here, too: backend="flatpak" or backend="snap".')
    monkeypatch.setattr(packages, "backend", lambda name: Apt())
    for action in ("package.list", "package.pending"):
        unit = registry.get(action)
        monkeypatch.setattr(Apt, "pending", lambda self: iter(()))
        for written, told in (({}, True), ({"backend": "apt"}, False)):
            args = unit.Args.bind(action, written)
            assert any("flatpak" in str(text) for text in unit.look(args, World()).values()) is told


@needs_apt
def test_what_would_do_something_else_by_now_is_not_done(debian: Path, machine: Scene, tmp_path: Path) -> None:
    from nlsh.plan import registry

    assert machine.kernel is not None
    preview = machine.kernel.preview(registry.parse('package.install(names="nlsh-tool", backend="apt")'), "")
    deb(tmp_path / "pool", "nlsh-lib", "3.0")
    index(tmp_path / "pool")
    subprocess.run(["apt-get", *Apt.apt_options, "-q", "update"], check=True, capture_output=True)
    outcome = machine.kernel.run(preview)
    assert outcome.errors[0].code == "step.stale" and "3.0" in outcome.errors[0].message and installed() == {}


@needs_apt
def test_an_install_that_removes_another_says_so_and_is_for_good(debian: Path, machine: Scene) -> None:
    rows(machine, 'package.install(names="nlsh-tool", backend="apt")')
    played = machine.play('package.install(names="nlsh-rival", backend="apt")')
    assert played.preview is not None and "remove nlsh-tool 1.0" in played.preview.calls[0].steps[0].describe()
    assert played.preview.calls[0].no_undo


@needs_apt
def test_what_is_vital_is_not_removed(debian: Path, machine: Scene) -> None:
    rows(machine, 'package.install(names="nlsh-vital", backend="apt")')
    error = machine.play('package.remove(names="nlsh-vital", backend="apt")').error
    assert error is not None and error.code in ("action.refused", "tool.failed") and "nlsh-vital" in installed()


@needs_apt
def test_search_info_and_what_is_not_there(debian: Path, machine: Scene) -> None:
    assert [p.name for p in Apt().search("nlsh tests")] == ["nlsh-lib", "nlsh-rival", "nlsh-tool", "nlsh-vital"]
    assert [p.name for p in Apt().search("nlsh-tool")] == ["nlsh-tool"]
    assert list(Apt().search("(.*")) == []
    facts = {f.name: f.value for f in Apt().info("nlsh-tool")}
    assert facts["installed"] == "no" and facts["available"] == "1.0" and facts["needs"] == "nlsh-lib"
    for ask in (
        lambda: list(Apt().info("nlsh-none")),
        lambda: list(Apt().files("nlsh-tool")),
        lambda: Apt().order("install", ("nlsh-none",)),
        lambda: Apt().order("remove", ("nlsh-tool",)),
    ):
        with pytest.raises(NotFound):
            ask()
    assert list(Apt().owner("/nowhere*")) == []


@needs_apt
def test_a_package_manager_that_fails(debian: Path, machine: Scene, tmp_path: Path) -> None:
    from nlsh.plan import registry

    assert machine.kernel is not None
    preview = machine.kernel.preview(registry.parse('package.install(names="nlsh-tool", backend="apt")'), "")
    for file in (tmp_path / "pool").glob("nlsh-lib*.deb"):
        file.write_bytes(b"no package")
    outcome = machine.kernel.run(preview)
    assert outcome.errors[0].code == "tool.failed" and "status" in outcome.errors[0].message and installed() == {}


@pytest.mark.parametrize("name", ["foo-", "-y", "--purge", "a b", "a;b", "Foo", "*", "a=1", "/etc/passwd", "a\nb", "ü", "a/stable"])
def test_what_is_no_name_of_a_debian_package(name: str) -> None:
    with pytest.raises(BadArgument):
        Apt().checked((name,))


@pytest.mark.parametrize("name", ["g++", "libstdc++6", "python3.11", "gcc-12-base", "libc6:amd64", "7zip"])
def test_names_of_debian_packages(name: str) -> None:
    assert Apt().checked((name, name)) == (name,)


def test_changes_of_apt() -> None:
    said = "NOTE: This is only a simulation!\nRemv old [1.0]\nPurg older [0.9] [x ]\nInst libc6:i386 [2.36-9] (2.36-10 Debian:12 [i386]) []\n"
    said += "Inst new (1:2.0~b Debian [all])\nConf new (1:2.0~b)\n"
    assert Apt().parse(said) == (
        ("install", "new", "", "1:2.0~b"),
        ("remove", "old", "1.0", ""),
        ("remove", "older", "0.9", ""),
        ("upgrade", "libc6:i386", "2.36-9", "2.36-10"),
    )


def test_changes_of_zypper_and_pacman() -> None:
    xml = '<?xml version="1.0"?><stream><install-summary><to-install><solvable type="package" name="vim" edition="9.1-1"/></to-install>'
    xml += '<to-upgrade><solvable name="b" edition="2" edition-old="1"/></to-upgrade>'
    xml += '<to-remove><solvable name="c" edition="3"/></to-remove></install-summary></stream>'
    assert Zypper().parse(xml) == (("install", "vim", "", "9.1-1"), ("remove", "c", "3", ""), ("upgrade", "b", "1", "2"))
    assert Pacman().parse("warning: x is up to date -- skipping\nvim 9.1-1\nvim-runtime 9.1-1\n") == (
        ("install", "vim", "", "9.1-1"),
        ("install", "vim-runtime", "", "9.1-1"),
    )


def test_without_systemd_nothing_of_the_system_changes(tmp_path: Path) -> None:
    if not Apt().present():
        pytest.skip("needs apt")
    with scene(tmp_path) as machine:
        error = machine.play('package.install(names="htop", backend="apt")').error
    assert error is not None and error.code == "world.not-possible" and "systemd" in error.message


def test_a_backend_that_is_not_here() -> None:
    for kind in (Dnf, Zypper, Pacman):
        if not kind().present():
            from nlsh.plan.errors import NotPossible

            with pytest.raises(NotPossible):
                backend(kind.name)


def wheel(folder: Path, name: str, version: str, needs: str = "") -> None:
    folder.mkdir(exist_ok=True)
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as file:
        file.writestr(f"{name}.py", "x = 1\n")
        file.writestr(
            f"{info}/METADATA",
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: of the tests\n" + (f"Requires-Dist: {needs}\n" if needs else ""),
        )
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    with scene(tmp_path) as machine:
        made = subprocess.run([sys.executable, "-m", "venv", str(machine.home / ".venv")], capture_output=True, check=False)
        if made.returncode:
            pytest.skip("venv cannot make an environment here")
        wheels = tmp_path / "wheels"
        wheel(wheels, "nlshlib", "1.0")
        wheel(wheels, "nlshtool", "1.0", "nlshlib")
        wheel(wheels, "nlshtool", "2.0", "nlshlib")
        shutil.copytree(wheels, machine.home / ".venv/wheels")
        (machine.home / ".venv/pip.conf").write_text(f"[global]\nno-index = true\nfind-links = {machine.home}/.venv/wheels\n")
        yield machine


def test_pip_installs_updates_and_removes(python: Scene) -> None:
    played = python.play('package.install(names="nlshtool==1.0", backend="pip")')
    assert played.error is None, played.error
    assert played.preview is not None and played.preview.calls[0].no_undo
    assert {p.name: p.version for p in Pip().installed() if p.name.startswith("nlsh")} == {"nlshlib": "1.0", "nlshtool": "1.0"}
    found = rows(python, 'package.list(backend="pip")')
    assert {p.name for p in found} >= {"pip", "nlshlib", "nlshtool"}
    facts = {f.name: f.value for f in rows(python, 'package.info(name="NLSHtool", backend="pip")')}
    assert facts["needs"] == "nlshlib" and facts["summary"] == "of the tests"
    (module,) = [f for f in Pip().files("nlshtool") if f.endswith("/nlshtool.py")]
    assert [p.name for p in Pip().owner(module)] == ["nlshtool"]
    assert [(p.name, p.new_version) for p in rows(python, 'package.pending(backend="pip")')] == [("nlshtool", "2.0")]
    rows(python, 'package.update(names="nlshtool", backend="pip")')
    assert {p.name: p.version for p in Pip().installed()}["nlshtool"] == "2.0"
    rows(python, 'package.remove(names="nlshtool", backend="pip")')
    assert "nlshtool" not in {p.name for p in Pip().installed()} and not os.path.exists(module)


def test_what_pip_refuses(python: Scene) -> None:
    for plan, code in {
        'package.remove(names="nlsh-none", backend="pip")': "world.not-found",
        'package.install(names="--index-url=http://evil", backend="pip")': "plan.bad-argument",
        'package.install(names="git+https://x/y", backend="pip")': "plan.bad-argument",
        'package.install(names="nlsh-none", backend="pip")': "tool.failed",
        'package.update(backend="pip")': "action.refused",
        'package.search(text="x", backend="pip")': "world.not-possible",
    }.items():
        error = python.play(plan).error
        assert error is not None and error.code == code, (plan, error)


def test_pip_changes_no_environment_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    with scene(tmp_path) as machine:
        error = machine.play('package.install(names="x", backend="pip")').error
    assert error is not None and error.code == "world.not-possible" and "venv" in error.hint


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    with scene(tmp_path) as machine:
        folder = machine.home / "project"
        for name in ("left", "@a/right"):
            (folder / "node_modules" / name).mkdir(parents=True)
            (folder / "node_modules" / name / "package.json").write_text(json.dumps({"name": name, "version": "1.0.0", "description": f"the {name}"}))
        (folder / "package.json").write_text(json.dumps({"name": "p", "version": "0.0.1", "dependencies": {"left": "1.0.0", "@a/right": "1.0.0"}}))
        monkeypatch.chdir(folder)
        yield machine


@needs_npm
def test_npm_of_a_project(project: Scene) -> None:
    assert [(p.name, p.version) for p in Npm().installed()] == [("@a/right", "1.0.0"), ("left", "1.0.0")]
    assert {f.name: f.value for f in Npm().info("left")}["summary"] == "the left"
    (file,) = Npm().files("@a/right")
    assert [p.name for p in Npm().owner(file)] == ["@a/right"]
    with pytest.raises(NotFound):
        list(Npm().info("none"))
    with pytest.raises(BadArgument):
        Npm().checked(("--global",))
    outcome = project.play('package.install(names="left", backend="npm")').outcome
    assert outcome is not None and outcome.status == "nothing"


@needs_npm
def test_npm_removes(project: Scene, tmp_path: Path) -> None:
    from nlsh.world import World

    assert project.kernel is not None
    project.kernel._world = World(cwd=os.getcwd(), home=str(project.home))
    played = project.play('package.remove(names="left", backend="npm")')
    assert played.error is None, played.error
    assert played.preview is not None and played.preview.calls[0].no_undo
    assert not (project.home / "project/node_modules/left").exists() and (project.home / "project/node_modules/@a/right").exists()
    assert "left" not in json.loads((project.home / "project/package.json").read_text())["dependencies"]


class Snapd(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False


@pytest.fixture
def snapd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    state: dict[str, Any] = {"snaps": {"core": "16"}, "polls": 0, "error": ""}

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def reply(self, result: Any, type: str = "sync", **more: Any) -> None:
            data = json.dumps({"type": type, "result": result, **more}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            if self.path == "/v2/snaps":
                self.reply([{"name": n, "version": v, "summary": f"the {n}"} for n, v in state["snaps"].items()])
            elif self.path.startswith("/v2/find"):
                self.reply([{"name": "hello", "version": "2.0", "summary": self.path}])
            else:
                state["polls"] += 1
                self.reply({"ready": state["polls"] > 2, "err": state["error"], "tasks": [{"status": "Done"}, {"status": "Do"}]})

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if asked["snaps"] == ["forbidden"]:
                self.reply({"message": "access denied"}, "error")
                return
            for name in asked["snaps"]:
                state["snaps"].pop(name, None) if asked["action"] == "remove" else state["snaps"].update({name: "2.0"})
            self.reply(None, "async", change="7")

        def log_message(self, *_: Any) -> None:
            return

        def address_string(self) -> str:
            return "local"

    path = str(tmp_path / "snapd.socket")
    server = Snapd(path, Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(Snap, "socket", path)
    yield state
    server.shutdown()
    server.server_close()


def test_snaps(snapd: dict[str, Any]) -> None:
    chosen = Snap()
    assert [(p.name, p.version) for p in chosen.installed()] == [("core", "16")]
    assert [p.summary for p in chosen.search("a b&c")] == ["/v2/find?q=a%20b%26c"]
    order = chosen.order("install", ("hello",))
    assert order.changes == (("install", "hello", "", ""),)
    from nlsh.steps.packages import change

    list(change(chosen, order).apply())
    assert snapd["snaps"] == {"core": "16", "hello": "2.0"} and snapd["polls"] == 3
    list(change(chosen, chosen.order("remove", ("hello",))).apply())
    assert snapd["snaps"] == {"core": "16"}
    with pytest.raises(NotFound):
        chosen.order("remove", ("hello",))


def test_what_snapd_refuses(snapd: dict[str, Any]) -> None:
    from nlsh.plan.errors import NlshError
    from nlsh.steps.packages import change

    with pytest.raises(NlshError, match="access denied"):
        list(change(Snap(), Snap().order("install", ("forbidden",))).apply())
    snapd["error"] = "cannot\n- fetch it"
    with pytest.raises(NlshError, match="fetch it"):
        list(change(Snap(), Snap().order("install", ("hello",))).apply())


def test_pacman_updates_all_or_none() -> None:
    with pytest.raises(Refused):
        Pacman().order("update", ("vim",))
