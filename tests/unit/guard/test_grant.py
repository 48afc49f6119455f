"""Grants: what effects amount to, and that they amount to no more."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlsh.guard import secrets
from nlsh.guard.grant import Grant
from nlsh.guard.sandbox import landlock
from nlsh.plan.effects import KINDS, Effect
from nlsh.plan.errors import Denied

NAMES = st.sampled_from(["a", "b", "c", "file", "link", "up", "missing", "..", ".", ".ssh", ".config", "deep"])
ODD = st.binary(min_size=1, max_size=20).map(lambda b: os.fsdecode(b.replace(b"\0", b"0")))
FILE_KINDS = ("fs.read", "fs.write", "fs.delete", "fs.meta")


def grant_of(*effects: tuple[str, str | Path]) -> Grant:
    """The grant of these effects."""
    return Grant.of([Effect(kind, str(target)) for kind, target in effects])


@pytest.fixture
def tree(home: Path) -> Path:
    """A folder with files, folders and links, some of which lead out."""
    top = home / "top"
    (top / "a" / "b" / "c").mkdir(parents=True)
    (top / "a" / "file").write_text("x")
    (top / "file").write_text("x")
    (top / "link").symlink_to(top / "a")
    (top / "a" / "up").symlink_to(home)
    (top / "deep").mkdir()
    (top / ".config").mkdir()
    return top


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.lists(st.tuples(st.sampled_from(FILE_KINDS), st.lists(NAMES, min_size=1, max_size=5)), min_size=1, max_size=6))
def test_never_more_than_the_targets_and_their_folders(tree: Path, data: list[tuple[str, list[str]]]) -> None:
    effects = [Effect(kind, str(tree.joinpath(*parts))) for kind, parts in data]
    try:
        grant = Grant.of(effects)
    except Denied:
        return
    assert set(grant.effects) == set(effects)

    def place(effect: Effect) -> str:
        # As the kernel goes: what ".." is the parent of is known only once the links before it are followed.
        folder, name = os.path.split(effect.target)
        return os.path.realpath(effect.target) if name in ("", ".", "..") else os.path.join(os.path.realpath(folder), name)

    def standing(folder: str) -> str:
        while not os.path.isdir(folder):
            folder = os.path.dirname(folder)
        return os.path.realpath(folder)

    allowed = {"read": set(), "change": set(), "remove": set(), "meta": set()}
    for effect in effects:
        at = place(effect)
        name = {"fs.read": "read", "fs.write": "change", "fs.delete": "remove", "fs.meta": "meta"}[effect.kind]
        if effect.kind == "fs.read":
            allowed[name].add(os.path.realpath(effect.target))
        elif effect.kind == "fs.meta":
            allowed[name].add(at)
        else:
            allowed[name] |= {standing(os.path.dirname(at))} | ({at} if os.path.isdir(at) and not os.path.islink(at) else set())
    for name, places in allowed.items():
        assert set(getattr(grant, name)) <= places, name
    # And no less: every target lies in what is granted for it.
    for effect in effects:
        name = {"fs.read": "read", "fs.write": "change", "fs.delete": "remove", "fs.meta": "meta"}[effect.kind]
        at = os.path.realpath(effect.target) if effect.kind == "fs.read" else place(effect)
        assert any(landlock.within(at, root) for root in getattr(grant, name))
    # And no kind of effect gives another's places.
    for name in allowed:
        if not any(e.kind == {"read": "fs.read", "change": "fs.write", "remove": "fs.delete", "meta": "fs.meta"}[name] for e in effects):
            assert getattr(grant, name) == ()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.lists(st.tuples(st.sampled_from(sorted(KINDS)), ODD), max_size=6))
def test_as_data_and_back(home: Path, data: list[tuple[str, str]]) -> None:
    effects = [Effect(k, str(len(t)) if k in ("proc.signal", "proc.tune") else f"/nowhere/{t}" if k in FILE_KINDS else t) for k, t in data]
    try:
        grant = Grant.of(effects)
    except Denied:
        return
    again = Grant.from_data(json.loads(json.dumps(grant.as_data())))
    assert again == grant
    assert again.digest() == grant.digest()


def test_the_order_of_effects_does_not_matter(home: Path) -> None:
    one, two = ("fs.read", home), ("fs.write", home / "x")
    assert grant_of(one, two).digest() == grant_of(two, one).digest()
    assert grant_of(one).digest() != grant_of(one, two).digest()


def test_a_new_file_is_made_in_its_folder(tree: Path) -> None:
    assert grant_of(("fs.write", tree / "new")).change == (str(tree),)
    assert grant_of(("fs.write", tree / "x" / "y" / "new")).change == (str(tree),)


def test_a_folder_that_is_there_is_a_tree(tree: Path) -> None:
    assert grant_of(("fs.write", tree / "a")).change == (str(tree / "a"),)


def test_a_command_s_folder_does_not_give_its_parent(tree: Path) -> None:
    grant = grant_of(("fs.write", tree / "a"), ("fs.delete", tree / "a"), ("fs.meta", tree / "a"))
    assert (grant.change, grant.remove, grant.meta) == ((str(tree / "a"),),) * 3


def test_a_link_is_changed_itself(tree: Path) -> None:
    assert grant_of(("fs.delete", tree / "link")).remove == (str(tree),)
    assert grant_of(("fs.write", tree / "link" / "new")).change == (str(tree / "a"),)


@pytest.mark.parametrize("kind", FILE_KINDS)
@pytest.mark.parametrize("target", [".config/nlsh/policy.toml", ".local/state/nlsh/journal.db", ".local/state/nlsh", ".ssh/id", ".gnupg", ".aws/credentials"])
def test_never_nlsh_s_own_nor_secrets(home: Path, kind: str, target: str) -> None:
    with pytest.raises(Denied):
        grant_of((kind, home / target))
    assert grant_of((kind, home / ("not" + target.replace("/", "-"))))


@pytest.mark.parametrize("kind", FILE_KINDS)
def test_not_through_a_link_either(home: Path, kind: str) -> None:
    (home / ".config" / "nlsh").mkdir(parents=True)
    (home / "way").symlink_to(home / ".config")
    with pytest.raises(Denied):
        grant_of((kind, home / "way" / "nlsh" / "policy.toml"))
    with pytest.raises(Denied):
        grant_of((kind, home / "x" / ".." / ".config" / "nlsh"))


@pytest.mark.parametrize("kind", ["fs.write", "fs.delete"])
def test_not_as_part_of_a_tree(home: Path, kind: str) -> None:
    (home / ".config" / "nlsh").mkdir(parents=True)
    with pytest.raises(Denied):
        grant_of((kind, home / ".config"))


def test_a_secret_that_is_a_link_is_hidden_where_it_leads(home: Path, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (home / ".ssh").symlink_to(tmp_path / "keys")
    with pytest.raises(Denied):
        grant_of(("fs.read", tmp_path / "keys" / "id"))


def test_a_signal_needs_one_process(home: Path) -> None:
    with pytest.raises(Denied):
        grant_of(("proc.signal", "*"))
    assert grant_of(("proc.signal", str(os.getpid()))).processes[0][1] > 0


def test_what_changes_needs_landlock(home: Path) -> None:
    assert grant_of(("fs.write", home / "x")).level_required == "L1"
    assert grant_of(("fs.read", home)).level_required == "L0"


def test_it_says_what_is_not_confined(home: Path) -> None:
    assert any("not confined" in s for s in grant_of(("proc.read", "*")).describe())
    assert not any("not confined" in s for s in grant_of(("proc.read", "*"), ("exec", "ls")).describe())


def test_what_is_refused(tree: Path) -> None:
    grant = grant_of(("fs.read", tree), ("fs.write", tree / "a" / "x"))
    assert grant.refused("/etc/hosts")
    assert grant.refused(str(tree / "file"))  # readable by its owner: it was a change that was refused
    assert not grant.refused(str(tree / "a" / "x"))
    assert grant.refused(str(secrets.own()[0]))


def test_splitting_leaves_out_what_is_hidden(home: Path) -> None:
    for name in (".ssh", ".config/gcloud", ".config/app", "docs"):
        (home / name).mkdir(parents=True)
    (home / "leads").symlink_to(home / ".ssh")
    found = dict(landlock.split(str(home), secrets.hidden()))
    assert found.pop(str(home)) is False
    assert set(found) == {str(home / ".config/app"), str(home / "docs")}
    assert all(found.values())
    assert dict(landlock.split(str(home / "docs"), secrets.hidden())) == {str(home / "docs"): True}
    assert dict(landlock.split(str(home / ".ssh"), secrets.hidden())) == {}


def test_the_daemons_socket_is_its_own_where_the_runtime_folder_is_a_link(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("real/nlsh", "real/mine"):
        (home / folder).mkdir(parents=True)
    (home / "runtime").symlink_to(home / "real")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home / "runtime"))
    for top in ("runtime", "real"):
        with pytest.raises(Denied):
            grant_of(("fs.write", home / top / "nlsh" / "x.sock"))
        assert grant_of(("fs.write", home / top / "mine" / "x.sock")).change == (str(home / "real" / "mine"),)
