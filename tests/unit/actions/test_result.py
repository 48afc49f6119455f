"""What is made of results: the rows that somebody saw, by what they showed."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from nlsh.kernel.bind import Result
from nlsh.plan import registry
from nlsh.plan.records import Change, Line, Match, Member, Process, Record, Socket
from nlsh.plan.records.users import User
from nlsh.testing import Scene


def found(scene: Scene, plan: str) -> list[Any]:
    played = scene.play(plan)
    assert played.error is None, played.error
    return list(played.records)


def names(scene: Scene, plan: str) -> list[str]:
    return [os.path.relpath(r.path, scene.home) for r in found(scene, plan)]


def test_the_first_second_of_1970_is_a_time(scene: Scene) -> None:
    for name, at in (("old", -(10**9)), ("zero", 0), ("new", 10**9)):
        (scene.home / name).write_text(name)
        os.utime(scene.home / name, (at, at))
    assert names(scene, 'a = file.list(); result.sort(a, by="oldest")') == ["old", "zero", "new"]
    assert names(scene, 'a = file.list(); result.filter(a, older="1 day")') == ["new", "old", "zero"]
    assert len(found(scene, 'a = file.list(); result.group(a, by="day")')) == 3


def test_a_file_is_called_by_its_own_name_not_by_the_folders_it_lies_in(scene: Scene) -> None:
    for name in ("invoices/a.txt", "invoices/Invoice 7.txt", "invoices/more/invoice.txt", "invoices/rest"):
        path = scene.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    assert names(scene, 'a = file.find(under="invoices"); result.filter(a, containing="invoice")') == ["invoices/Invoice 7.txt", "invoices/more/invoice.txt"]
    assert names(scene, 'a = file.find(under="invoices"); result.filter(a, without="INVOICE")') == ["invoices/a.txt", "invoices/rest"]
    found(scene, 'a = file.find(under="invoices"); b = result.filter(a, containing="invoice"); file.trash(b)')
    assert sorted(os.listdir(scene.home / "invoices")) == ["a.txt", "more", "rest"]


def test_a_text_with_a_slash_is_a_part_of_the_path_that_is_shown(scene: Scene, tmp_path: Path) -> None:
    """Every path begins with those of the home and of the folder somebody is in."""
    assert "home" in str(scene.home)
    for name in ("at home/a", "b/c", "b/home/d"):
        path = scene.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    assert names(scene, 'a = file.find(); result.filter(a, containing="home/")') == ["at home/a", "b/home/d"]
    assert names(scene, 'a = file.find(); result.filter(a, without="home/")') == ["b/c"]
    assert names(scene, 'a = file.find(); result.filter(a, containing="/b/")') == ["b/c", "b/home/d"]
    assert names(scene, 'a = file.find(); result.filter(a, containing="~/b/home")') == ["b/home/d"]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "d").write_text("d")
    assert len(found(scene, f'a = file.find("{elsewhere}"); result.filter(a, containing="elsewhere/")')) == 1
    assert found(scene, f'a = file.find("{elsewhere}"); result.filter(a, containing="elsewhere")') == []


def held(scene: Scene, records: tuple[Record, ...], how: str) -> list[Any]:
    """Return what is left of `records`, found by an earlier turn."""
    assert scene.kernel is not None
    scene.kernel.last = Result("some.action", records, str(scene.home))
    return found(scene, f"result.filter(_, {how})")


def test_a_process_is_called_by_its_name_and_command(scene: Scene) -> None:
    """What is killed by such a filter is not taken back."""
    bash = Process(11487, "bash", "root", 0.0, 2355200, command="/bin/bash -l", status="sleeping")
    web = Process(7, "python3", "ann", 0.3, 10, command="python3 -m http.server 8000", status="running")
    for how, left in (
        ('containing="00"', [web]), ('containing="2355200"', []), ('containing="root"', []), ('containing="running"', []), ('containing="11487"', []),
        ('containing="BASH"', [bash]), ('containing="http"', [web]), ('without="root"', [bash, web]), ('without="bash"', [web]), ('containing="/bin/"', [bash]),
    ):  # fmt: skip
        assert held(scene, (bash, web), how) == left, how


def test_other_rows_are_known_by_their_words(scene: Scene) -> None:
    assert held(scene, (Match("log/a.txt", 100, "one cat"), Match("b.txt", 7, "a dog")), 'containing="cat"') == [Match("log/a.txt", 100, "one cat")]
    assert held(scene, (Match("log/a.txt", 100, "one cat"), Match("b.txt", 7, "a dog")), 'containing="log"') == []
    assert held(scene, (Line("cat", path="cat.txt"), Line("dog", path="cat.txt")), 'containing="cat"') == [Line("cat", path="cat.txt")]
    sockets = Socket(8080, "tcp", "0.0.0.0", 80, "nginx"), Socket(80, "tcp", "0.0.0.0", 81, "nginx")
    assert held(scene, sockets, 'containing="80"') == [sockets[1]]
    assert held(scene, sockets, 'containing="nginx"') == list(sockets)
    moved = Change("move /h/invoice to /h/old/invoice", "/h/old/invoice"), Change("move /h/a to /h/old/a", "/h/old/a")
    assert held(scene, moved, 'containing="old"') == []
    assert held(scene, moved, 'containing="invoice"') == [moved[0]]
    stopped = Change("end 12 (chrome)", "12"), Change("end 13 (bash)", "13")
    assert held(scene, stopped, 'containing="chrome"') == [stopped[0]]
    users = User("ann", 1000, "person", "Ann Hall", "/home/ann"), User("bob", 1001, "person", "Bob Ham", "/home/bob")
    assert held(scene, users, 'containing="hall"') == [users[0]]


def test_lines_are_those_of_the_files_and_not_their_names(scene: Scene) -> None:
    texts = {"Smith.txt": "nobody", "a.txt": "dear smith", "b/c.txt": "Dear Mr Smith", "b/d": b"\0\xff smith", "Smith/e": ""}
    for name, text in texts.items():
        path = scene.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    (scene.home / "link").symlink_to("a.txt")
    with_folders = "a = file.find(hidden=true);"
    assert names(scene, f'{with_folders} result.filter(a, containing="smith", where="lines")') == ["a.txt", "b/c.txt", "b/d"]
    assert names(scene, f'{with_folders} result.filter(a, without="smith", where="lines")') == ["Smith.txt", "Smith/e"]
    both = 'result.filter(a, containing="dear", without="Smith", where="lines")'
    assert names(scene, f"{with_folders} {both}") == ["a.txt"]
    assert names(scene, f'a = file.list("."); {both}') == ["a.txt"]
    # A part that other words choose is looked into, the rest is not.
    picked = found_preview(scene, 'a = file.find(); result.filter(a, containing="smith", kind="txt", where="lines")')
    assert sorted(os.path.relpath(e.target, scene.home) for e in picked) == ["Smith.txt", "a.txt", "b/c.txt"]
    # So is it from turn to turn, from another folder, and before a change.
    found(scene, "file.find()")
    assert scene.kernel is not None
    scene.kernel.world = replace(scene.kernel.world, cwd=str(scene.home / "b"))
    assert names(scene, 'result.filter(_, containing="Dear", where="lines")') == ["b/c.txt"]
    scene.kernel.world = replace(scene.kernel.world, cwd=str(scene.home))
    found(scene, 'a = file.find(kind="txt"); b = result.filter(a, containing="smith", where="lines"); file.trash(b)')
    assert (scene.home / "Smith.txt").exists() and not (scene.home / "a.txt").exists()


def found_preview(scene: Scene, plan: str) -> list[Any]:
    assert scene.kernel is not None
    return [e for e in scene.kernel.preview(registry.parse(plan)).calls[-1].effects if e.kind == "fs.read"]


def test_what_cannot_be_read_is_neither_with_a_text_nor_without_it_and_that_is_said(scene: Scene) -> None:
    (scene.home / "good.txt").write_text("milk")
    (scene.home / "locked.pdf").write_bytes(b"%PDF-1.7\n" + b"\0rubbish" * 100)
    played = scene.play('a = file.find(); b = result.filter(a, without="Smith", where="lines"); file.copy(b, to="for print/")')
    assert played.error is None and os.listdir(scene.home / "for print") == ["good.txt"]
    assert played.preview is not None and ["1 pdf" in "".join(c.notes) for c in played.preview.calls] == [False, True, False]


def test_what_is_no_file_has_no_lines_to_look_at(scene: Scene) -> None:
    assert scene.kernel is not None
    for rows in ((Process(7, "bash"),), (Match("a.txt", 1, "a"),), (Member("a.txt", 1),)):
        scene.kernel.last = Result("some.action", rows, str(scene.home))
        refused = scene.play('result.filter(_, containing="a", where="lines")')
        assert refused.error is not None and refused.error.code == "world.not-possible" and "no files" in str(refused.error)
