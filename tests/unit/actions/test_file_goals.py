"""Where several things go: what is there already, and what has the same name."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlsh.actions.file import _chosen
from nlsh.plan.errors import Refused
from nlsh.testing import Played, Scene, build, snapshot
from nlsh.world import World


def files(scene: Scene) -> dict[str, str]:
    return {p: (scene.home / p).read_text() for p, facts in sorted(snapshot(scene.home).items()) if facts[0][0] == "-"}


def played(scene: Scene, plan: str) -> Played:
    """Run a plan, take it back, find everything as it was, and run it again."""
    before = snapshot(scene.home)
    assert scene.play(plan).error is None
    assert scene.play("history.undo()").error is None
    assert snapshot(scene.home) == before
    again = scene.play(plan)
    assert again.error is None, again.error
    return again


def notes(found: Played) -> list[str]:
    assert found.preview is not None
    return [note for call in found.preview.calls for note in call.notes]


PDFS = 'a = file.find(under="Downloads", kind="pdfs"); file.move(a, to="Downloads/pdfs")'


def test_what_lies_there_already_is_left_and_the_rest_is_moved(scene: Scene) -> None:
    build(scene.home, {"Downloads/a.pdf": "a", "Downloads/sub/b.pdf": "b", "Downloads/pdfs/c.pdf": "c"})
    said = notes(played(scene, PDFS))
    assert said == [f"1 of the 3 lies in {scene.home}/Downloads/pdfs already: left as it is."]
    assert files(scene) == {"Downloads/pdfs/a.pdf": "a", "Downloads/pdfs/b.pdf": "b", "Downloads/pdfs/c.pdf": "c"}
    # Nothing is left to be done.
    again = scene.play(PDFS)
    assert again.error is not None and again.error.code == "action.refused" and "is in" in str(again.error) and "Nothing was changed" in str(again.error)


def test_a_copy_leaves_what_lies_there_too(scene: Scene) -> None:
    build(scene.home, {"in/a.pdf": "a", "in/out/b.pdf": "b", "in/out/c.pdf": "c"})
    assert "2 of the 3 lie in" in notes(played(scene, 'a = file.find(under="in"); file.copy(a, to="in/out")'))[0]
    assert files(scene) == {"in/a.pdf": "a", "in/out/a.pdf": "a", "in/out/b.pdf": "b", "in/out/c.pdf": "c"}


@pytest.mark.parametrize("to", ["in/old", "in/old/2024"])
def test_the_folder_they_go_to_does_not_go_into_itself(scene: Scene, to: str) -> None:
    build(scene.home, {"in/a": "a", "in/b": "b", "in/old/2024/c": "c"})
    said = notes(played(scene, f'file.move("in/*", to="{to}")'))
    assert said == [f"{scene.home}/in/old is where they go: it stays."]
    assert files(scene) == {f"{to}/a": "a", f"{to}/b": "b", "in/old/2024/c": "c"}


def test_one_thing_that_is_there_is_refused_as_ever(scene: Scene) -> None:
    build(scene.home, {"in/a": "a", "in/old/b": "b"})
    for plan in ('file.move("in/a", to="in")', 'file.move("in/old", to="in/old")', 'file.copy("in/a", to="in", number=true)'):
        refused = scene.play(plan)
        assert refused.error is not None and refused.error.code == "action.refused", plan
    assert files(scene) == {"in/a": "a", "in/old/b": "b"}


@pytest.mark.parametrize("action", ["move", "copy"])
def test_equal_names_are_refused_with_an_offer_and_numbered_where_that_is_said(scene: Scene, action: str) -> None:
    """Cameras begin at DSC_0001 with every card."""
    build(scene.home, {"one/DSC.jpg": "1", "two/DSC.jpg": "2", "three/DSC.jpg": "3", "all/DSC-2.jpg": "4", "two/x.tar.gz": "5", "all/x.tar.gz": "6"})
    found = 'a = file.find(under=["one", "two", "three"]);'
    before = files(scene)
    refused = scene.play(f'{found} file.{action}(a, to="all")')
    assert refused.error is not None and "number=true" in str(refused.error) and files(scene) == before
    said = notes(played(scene, f'{found} file.{action}(a, to="all", number=true)'))
    assert said == ["3 get a number behind the name, which is taken."]
    after = {p: t for p, t in files(scene).items() if p.startswith("all/")}
    assert sorted(after) == ["all/DSC-2.jpg", "all/DSC-3.jpg", "all/DSC-4.jpg", "all/DSC.jpg", "all/x-2.tar.gz", "all/x.tar.gz"]
    assert after["all/DSC-2.jpg"] == "4" and after["all/x.tar.gz"] == "6" and after["all/x-2.tar.gz"] == "5"
    assert sorted(after[f"all/DSC{n}.jpg"] for n in ("", "-3", "-4")) == ["1", "2", "3"]


def test_a_single_thing_too_gets_a_number_and_others_are_not_offered_one(scene: Scene) -> None:
    build(scene.home, {"a.txt": "a", "b.txt": "b", "in/a.txt": "x", "in/b.d/y": "y", "b.d/z": "z"})
    assert notes(played(scene, 'file.copy("a.txt", to="b.txt", number=true)')) == ["1 gets a number behind the name, which is taken."]
    played(scene, 'file.move("b.d", to="in", number=true)')
    assert files(scene) == {"a.txt": "a", "b.txt": "b", "b-2.txt": "a", "in/a.txt": "x", "in/b.d/y": "y", "in/b.d-2/z": "z"}
    refused = scene.play('file.link("a.txt", to="b.txt")')
    assert refused.error is not None and "number=true" not in str(refused.error)


NAMES = st.sampled_from(["a", "a-2", "a-3", "b.txt", "b-2.txt", "c.tar.gz"])


@settings(max_examples=60, deadline=None)
@given(sources=st.lists(st.tuples(st.sampled_from(["x", "y", "z", "to"]), NAMES), unique=True, min_size=2, max_size=12), there=st.sets(NAMES))
def test_numbered_targets_are_free_and_each_its_own(tmp_path_factory: Any, sources: list[tuple[str, str]], there: set[str]) -> None:
    home = tmp_path_factory.mktemp("home")
    build(home, {"to": None, **{f"to/{n}": "there" for n in there}, **{f"{d}/{n}": "s" for d, n in sources}})
    named = tuple(str(home / d / n) for d, n in sources)
    try:
        goal = _chosen.goal(named, str(home / "to"), World(), plural=True, verb="move", number=True)
    except Refused:
        assert all(d == "to" for d, _ in sources)
        return
    assert goal.sources == tuple(s for s in named if os.path.dirname(s) != str(home / "to"))
    assert len(set(goal.targets)) == len(goal.targets) == len(goal.sources)
    assert not any(os.path.lexists(t) for t in goal.targets)
    assert all(os.path.dirname(t) == str(home / "to") for t in goal.targets)
