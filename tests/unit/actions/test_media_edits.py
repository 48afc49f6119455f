"""What is made of recordings, by the real ffmpeg: how long, how loud, how large it is; and that the recording itself stays."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from nlsh.plan import registry
from nlsh.plan.errors import NlshError, NotPossible, Refused
from nlsh.plan.steps import Step, step_from_data
from nlsh.plan.terms import Factor, Moment
from nlsh.testing import Scene
from nlsh.world import World

pytestmark = pytest.mark.skipif(not (shutil.which("ffmpeg") and shutil.which("ffprobe")), reason="ffmpeg is not installed")


def made(*arguments: str) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *arguments], check=True)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    tone, picture = ("-f", "lavfi", "-i", "sine=f=440:d=4:r=16000"), ("-f", "lavfi", "-i", "testsrc=s=64x48:r=5:d=4")
    made(*tone, str(folder / "tone.wav"))
    made(*picture, *tone, "-c:v", "mpeg4", "-c:a", "aac", str(folder / "film.mp4"))
    made("-f", "lavfi", "-i", "testsrc=s=32x32:r=5:d=2", "-c:v", "mpeg4", str(folder / "silent.mp4"))
    return folder


@pytest.fixture
def clips(home: Path, recordings: Path) -> Path:
    return Path(shutil.copytree(recordings, home / "clips"))


def do(action: str, **written: Any) -> tuple[Step, ...]:
    unit = registry.get(action)
    args = unit.Args.bind(action, written)
    steps = tuple(unit.steps(args, unit.look(args, World())))
    for step in steps:
        received = step_from_data(json.loads(json.dumps(step.as_data())))
        assert received == step
        received.check()
        list(received.apply() or ())
    return steps


def facts(path: Path) -> tuple[float, set[str]]:
    """Return how long a recording is, and of what its streams are."""
    asked = ["ffprobe", "-v", "error", "-of", "json", "-show_format", "-show_streams", str(path)]
    said = json.loads(subprocess.run(asked, capture_output=True, check=True).stdout)
    return float(said["format"]["duration"]), {s["codec_type"] for s in said["streams"]}


def loudness(path: Path) -> float:
    said = subprocess.run(["ffmpeg", "-nostdin", "-i", str(path), "-af", "volumedetect", "-f", "null", "-"], capture_output=True, text=True, check=True).stderr
    return float(said.partition("mean_volume: ")[2].split()[0])


def test_what_is_made(clips: Path) -> None:
    before = {name: (clips / name).read_bytes() for name in os.listdir(clips)}
    do("media.cut", path="clips/tone.wav", start="1", end="2.5")
    assert facts(clips / "tone-0.01-0.02.5.wav") == (pytest.approx(1.5, abs=0.1), {"audio"})
    do("media.cut", path="clips/film.mp4", start="3 seconds")
    assert facts(clips / "film-0.03-end.mp4") == (pytest.approx(1, abs=0.2), {"video", "audio"})
    do("media.mute", paths="clips/film.mp4")
    assert facts(clips / "film-silent.mp4") == (pytest.approx(4, abs=0.2), {"video"})
    do("media.volume", paths="clips/tone.wav", by="half")
    assert loudness(clips / "tone-loud50.wav") == pytest.approx(loudness(clips / "tone.wav") - 6, abs=0.3)
    do("media.speed", paths=("clips/tone.wav", "clips/film.mp4"), by="25%")
    assert facts(clips / "tone-25speed.wav")[0] == pytest.approx(16, abs=0.5)
    assert facts(clips / "film-25speed.mp4") == (pytest.approx(16, abs=0.8), {"video", "audio"})
    do("media.frame", path="clips/film.mp4", at="2s")
    assert (clips / "film-0.02.png").read_bytes().startswith(b"\x89PNG")
    (step,) = do("media.join", paths=("clips/film.mp4", "clips/silent.mp4"), to="clips/all.mp4")
    assert facts(clips / "all.mp4") == (pytest.approx(6, abs=0.3), {"video", "audio"})
    step.inverse().apply()  # type: ignore[union-attr]
    assert not (clips / "all.mp4").exists()
    (clips / "again.mp4").write_bytes((clips / "film-0.03-end.mp4").read_bytes())
    do("media.join", paths=("clips/film-0.03-end.mp4", "clips/again.mp4"), to="clips/all.mp4")
    assert facts(clips / "all.mp4") == (pytest.approx(2, abs=0.3), {"video", "audio"})
    do("media.join", paths=("clips/tone.wav", "clips/tone-0.01-0.02.5.wav"), to="clips/all.mp3")
    assert facts(clips / "all.mp3") == (pytest.approx(5.5, abs=0.3), {"audio"})
    assert {name: (clips / name).read_bytes() for name in before} == before


def test_smaller(clips: Path) -> None:
    made("-f", "lavfi", "-i", "anoisesrc=d=8:r=44100", str(clips / "loud.wav"))
    made("-i", str(clips / "loud.wav"), "-b:a", "256k", str(clips / "noise.mp3"))
    do("media.shrink", paths="clips/noise.mp3", to="60KB")
    assert (clips / "noise-small.mp3").stat().st_size <= 60 << 10 and facts(clips / "noise-small.mp3")[0] == pytest.approx(8, abs=0.3)
    do("media.shrink", paths="clips/loud.wav")
    assert (clips / "loud-small.mp3").stat().st_size < (clips / "loud.wav").stat().st_size / 5
    (clips / "loud-small.mp3").unlink()
    # A film that stands upright keeps its shorter side.
    made("-f", "lavfi", "-i", "testsrc=s=480x960:r=5:d=2", "-c:v", "mpeg4", "-q:v", "1", str(clips / "tall.mp4"))
    do("media.shrink", paths="clips/tall.mp4", height="240p")
    asked = ["ffprobe", "-v", "error", "-of", "csv=p=0", "-show_entries", "stream=width,height", str(clips / "tall-small.mp4")]
    assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip() == "240,480"
    # What cannot be made small enough is not made at all.
    with pytest.raises(NotPossible, match="does not fit"):
        do("media.shrink", paths="clips/loud.wav", to="1KB")
    with pytest.raises(Refused, match="not larger"):
        do("media.shrink", paths="clips/tone.wav", to="1GB")
    assert not (clips / "loud-small.mp3").exists() and not [n for n in os.listdir(clips) if n.startswith(".nlsh")]


def test_what_is_refused(clips: Path) -> None:
    for action, written in (
        ("media.mute", {"paths": "clips/tone.wav"}), ("media.frame", {"path": "clips/tone.wav"}),
        ("media.join", {"paths": "clips/tone.wav", "to": "clips/x.wav"}), ("media.join", {"paths": ("clips/tone.wav", "clips/film.mp4"), "to": "clips/x.mp4"}),
        ("media.cut", {"path": "clips/tone.wav", "start": "3", "end": "2"}),
        ("media.cut", {"path": "clips/tone.wav", "start": "0:30"}),
    ):  # fmt: skip
        with pytest.raises(NlshError):
            do(action, **written)
    assert sorted(os.listdir(clips)) == ["film.mp4", "silent.mp4", "tone.wav"]


def test_a_confined_worker_makes_and_takes_back(tmp_path: Path, recordings: Path) -> None:
    given = {f"clips/{n}": (recordings / n).read_bytes() for n in ("film.mp4", "silent.mp4")}
    with Scene(tmp_path / "scene", given) as scene:
        played = scene.play('media.join(["clips/film.mp4", "clips/silent.mp4"], to="clips/all.mkv")')
        assert played.error is None, played.error
        assert facts(scene.home / "clips" / "all.mkv")[0] == pytest.approx(6, abs=0.3)
        assert scene.play("history.undo()").error is None
        assert sorted(os.listdir(scene.home / "clips")) == ["film.mp4", "silent.mp4"]


def test_how_people_write_places_and_factors() -> None:
    for written, seconds in (("1:30", 90), ("1:02:03.5", 3723.5), ("90", 90), ("1 min 30 s", 90), ("2分10秒", 130), ("half a minute", 30), ("beginning", 0)):
        assert Moment().parse(written) == seconds
    for written, times in (("2x", 2), ("150%", 1.5), ("half", 0.5), ("两倍", 2), ("1.5 times", 1.5), ("0.5", 0.5)):
        assert Factor().parse(written) == times
    for wrong in ("soon", "1:2:3:4", ""):
        with pytest.raises(ValueError):
            Moment().parse(wrong)
    for wrong in ("0", "-1", "100x", "loud"):
        with pytest.raises(ValueError):
            Factor().parse(wrong)
