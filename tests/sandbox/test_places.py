"""What was previewed is where it is: a link that is put on the way afterwards changes neither what policy judges nor what is granted."""

from __future__ import annotations

import contextlib
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from nlsh.guard import policy
from nlsh.guard.grant import Grant
from nlsh.guard.paths import places_of
from nlsh.guard.sandbox import view
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.journal.audit import Audit
from nlsh.journal.store import Journal
from nlsh.kernel.kernel import Kernel
from nlsh.plan import registry
from nlsh.plan.effects import Effect
from nlsh.plan.errors import Denied
from nlsh.plan.plan import Call, Plan, Preview, PreviewedCall
from nlsh.world import World
from tests.sandbox.conftest import changing, in_child


@pytest.fixture
def scene(home: Path) -> Path:
    for folder in ("p/sub", "elsewhere/sub"):
        (home / folder).mkdir(parents=True)
        (home / folder / "file").write_text(folder)
    return home


def swap(home: Path) -> None:
    """Put a link to elsewhere in the place of the folder p."""
    (home / "p").rename(home / "was")
    (home / "p").symlink_to(home / "elsewhere")


@pytest.mark.parametrize("swapped", [True, False])
def test_a_command_runs_in_the_folder_that_was_approved_or_not_at_all(scene: Path, zygote: Zygote, swapped: bool) -> None:
    os.chdir(scene / "p/sub")
    kernel = Kernel(policy.load(), zygote, Journal(), Audit(), World(), approve=lambda preview, decision: not swapped or swap(scene) is None)
    outcome = kernel.run(kernel.preview(registry.parse('shell.run("echo x > made; chmod 700 file")')))
    assert (outcome.status == "done") is not swapped, outcome
    assert (scene / "p/sub/made").exists() is not swapped
    assert not (scene / "elsewhere/sub/made").exists() and (scene / "elsewhere/sub/file").stat().st_mode & 0o777 != 0o700


def test_a_grant_holds_what_was_previewed_while_links_come_and_go(scene: Path) -> None:
    (scene / "link").symlink_to(scene / "p/sub/file")
    wanted = [Effect("fs.write", f"{scene}/p/sub/file"), Effect("fs.write", f"{scene}/p/new/deep/x"), Effect("fs.read", f"{scene}/link")]
    places = places_of(wanted)
    assert Grant.of(wanted).read == Grant.of(wanted, places=places).read == (f"{scene}/p/sub/file",)
    done = threading.Event()

    def flip() -> None:
        while not done.is_set():
            swap(scene)
            (scene / "link").unlink()
            (scene / "link").symlink_to(scene / "elsewhere/sub/file")
            (scene / "p").unlink()
            (scene / "was").rename(scene / "p")
            (scene / "p/new").symlink_to(scene / "elsewhere")
            (scene / "p/new").unlink()

    thread = threading.Thread(target=flip)
    thread.start()
    try:
        widened = 0
        for _ in range(25):
            grant = Grant.of(wanted, places=places)
            assert not any("elsewhere" in p for p in (*grant.read, *grant.change)), grant
            with contextlib.suppress(OSError):
                anew = Grant.of(wanted)
                widened += any("elsewhere" in p for p in (*anew.read, *anew.change))
    finally:
        done.set()
        thread.join()
    assert widened  # the control: without what the preview kept, it is granted wherever the link leads by then


def test_policy_judges_the_place_that_is_granted(scene: Path) -> None:
    rules = f'[[rule]]\nname = "not-there"\nanswer = "deny"\neffect = ["fs.write"]\ntarget = ["{scene}/elsewhere"]\nreason = "no"\n'
    own = scene / ".config/nlsh/policy.toml"
    own.parent.mkdir(parents=True)
    own.write_text(rules)
    effect = Effect("fs.write", f"{scene}/p/sub/file")

    def previewed() -> Preview:
        call = PreviewedCall(Call("file.touch"), (), (effect,), places=places_of((effect,)))
        return Preview(Plan((call.call,)), (call,))

    harmless = previewed()
    swap(scene)
    led_elsewhere = previewed()
    (scene / "p").unlink()
    (scene / "was").rename(scene / "p")
    assert policy.load().decide(led_elsewhere).answer == "deny" and policy.load().decide(harmless).answer != "deny"


@pytest.mark.skipif(bool(view.why_not()), reason=f"no view can be had here: {view.why_not()}")
def test_a_root_to_which_a_link_leads_by_now_is_not_writable_in_the_view(scene: Path) -> None:
    file = scene / "elsewhere/sub/file"
    (scene / "way").symlink_to(scene / "elsewhere")
    real = changing(scene / "elsewhere/sub")
    assert in_child(lambda: os.chmod(file, 0o640), grant=real).done
    came = in_child(lambda: os.chmod(file, 0o600), grant=replace(real, change=(f"{scene}/way/sub",), remove=(), meta=()))
    assert came.errno and file.stat().st_mode & 0o777 == 0o640
    with pytest.raises(Denied):
        Grant.of(real.effects, places={str(scene / "elsewhere"): str(scene / "way")})
