"""Sound and video: the arguments of ffmpeg and ffprobe, and what they are let near.

Neither is needed here: small programs of these tests' own stand for them on PATH. They say with which arguments they were run and what they
could reach; what the real ones make of the arguments is for a machine that has them (`may_lack` examples run there).
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import stat
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nlsh.plan import registry
from nlsh.plan.errors import NlshError, NotFound, NotPossible, Refused, StaleStep
from nlsh.plan.records.media import Media
from nlsh.plan.steps import Step, step_from_data
from nlsh.testing import Scene, snapshot
from nlsh.world import World, tools

SAYS = {
    "streams": [
        {"codec_type": "video", "codec_name": "mjpeg", "width": 9, "height": 9, "disposition": {"attached_pic": 1}},
        {"codec_type": "video", "codec_name": "h264", "width": 1280, "height": 720, "avg_frame_rate": "30000/1001"},
        {"codec_type": "audio", "codec_name": "aac", "sample_rate": "48000", "channels": 2},
        {"codec_type": "subtitle"},
    ],
    "format": {"format_name": "mov,mp4", "duration": "61.5", "size": "1000", "bit_rate": "130", "tags": {"TITLE": "A film"}},
}
FFPROBE = """
    #!/bin/sh
    printf '%s\\n' "$@" >&2
    cat "${0%/*}/says.json"
"""
# It writes its arguments and what it could do to its output: the only place it may write to.
FFMPEG = """
    #!/bin/sh
    for last; do :; done
    out="${last#file:}"
    input=""; before=""
    for a; do [ "$before" = -i ] && input="${a#file:}"; before="$a"; done
    [ -e "$out" ] && { echo "$out is there already" >&2; exit 1; }
    echo out_time_us=1500000
    echo progress=continue
    beside="${input%/*}"
    {
        for a; do printf 'arg %s\\n' "$a"; done
        printf 'content '; cat "$input"; echo
        cat "$beside/secret.txt" >/dev/null 2>&1 && echo "could read beside"
        (echo x > "$beside/planted") 2>/dev/null && echo "could write beside"
        (echo x >> "$input") 2>/dev/null && echo "could write input"
        (: > "${0%/*}/planted") 2>/dev/null && echo "could write elsewhere"
        cat /etc/passwd >/dev/null && echo "could read the system"
        env | sort | sed 's/^/env /'
    } > "$out"
    case "$input" in *broken*) echo "Invalid data found" >&2; exit 69;; esac
    echo progress=end
"""


def program(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(textwrap.dedent(text).lstrip())
    path.chmod(0o755)
    return path


@pytest.fixture
def ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "programs"
    program(folder, "ffmpeg", FFMPEG)
    program(folder, "ffprobe", FFPROBE)
    (folder / "says.json").write_text(json.dumps(SAYS))
    monkeypatch.setattr(tools, "SYSTEM_PATH", str(folder))
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    yield folder


def steps(action: str, **written: Any) -> tuple[Step, ...]:
    unit = registry.get(action)
    args = unit.Args.bind(action, written)
    return tuple(unit.steps(args, unit.look(args, World())))


def run(*found: Step) -> None:
    for step in found:
        received = step_from_data(json.loads(json.dumps(step.as_data())))
        assert received == step
        received.check()
        received.apply()


def test_info_reads_what_ffprobe_says(home: Path, ffmpeg: Path) -> None:
    (home / "film.mp4").write_bytes(b"film")
    unit = registry.get("media.info")
    args = unit.Args.bind("media.info", {"paths": "film.mp4"})
    seen = unit.look(args, World())
    (found,) = unit.observe(args, seen, World())
    assert (found.format, found.duration_s, found.size_bytes, found.video, found.width_px, found.sound, found.sample_rate_hz, found.subtitles, found.title) == (
        "mov,mp4", 61.5, 1000, "h264", 1280, "aac", 48000, 1, "A film"
    )  # fmt: skip
    assert found.frames_per_s == pytest.approx(29.97)
    effects = unit.needs(args, seen)
    assert [shlex.split(e.target)[1:] for e in effects if e.kind == "tool.read"] == [
        ["-hide_banner", "-v", "error", "-protocol_whitelist", "file", "-of", "json", "-show_format", "-show_streams", "-i", f"file:{home}/film.mp4"]
    ]
    for nonsense in ("", "no json", "[]", '{"format": 1, "streams": []}', '{"streams": []}'):
        (ffmpeg / "says.json").write_text(nonsense)
        with pytest.raises(NotPossible):
            list(unit.observe(args, seen, World()))
    (ffmpeg / "says.json").write_text('{"format": {"duration": "N/A"}, "streams": [{"avg_frame_rate": "0/0", "codec_type": "video"}]}')
    (found,) = unit.observe(args, seen, World())
    assert (found.duration_s, found.frames_per_s) == (None, None)


def test_the_arguments_are_fixed(home: Path, ffmpeg: Path) -> None:
    (home / "m").mkdir()
    (home / "m" / "film.mp4").write_bytes(b"film")
    (step,) = steps("media.convert", paths="m/film.mp4", to="mp3")
    assert step.argv("OUT") == (  # type: ignore[attr-defined]
        f"{ffmpeg}/ffmpeg", "-nostdin", "-hide_banner", "-v", "error", "-n", "-protocol_whitelist", "file", "-i", f"file:{home}/m/film.mp4",
        "-vn", "-sn", "-dn", "-nostats", "-progress", "pipe:1", "file:OUT",
    )  # fmt: skip
    assert {(e.kind, e.target) for e in step.effects() if e.kind.startswith("fs.")} == {
        ("fs.read", f"{home}/m/film.mp4"), ("fs.read", f"{ffmpeg}/ffmpeg"), ("fs.read", f"{ffmpeg}/ffprobe"), ("fs.write", f"{home}/m"),
    }  # fmt: skip
    (film,) = steps("media.convert", paths="m/film.mp4", to="mkv")
    assert "-vn" not in film.argv("OUT")  # type: ignore[attr-defined]


def given(**more: Any) -> dict[str, Any]:
    return {"m/talk.wav": {"text": "sound", "mode": "640"}, "m/secret.txt": "s", **more}


def test_confined_ffmpeg_reaches_its_input_and_its_output_only(tmp_path: Path, ffmpeg: Path) -> None:
    with Scene(tmp_path / "scene", given()) as scene:
        before = snapshot(scene.home)
        played = scene.play('media.convert("m/talk.wav", to="mp3")')
        assert played.error is None, played.error
        made = scene.home / "m" / "talk.mp3"
        lines = made.read_text().splitlines()
        assert "content sound" in lines and "could read the system" in lines
        assert not [line for line in lines if line.startswith("could ") and line != "could read the system"]
        # The twin: the same program, run without nlsh, can do all that.
        argv = [str(ffmpeg / "ffmpeg"), "-i", f"file:{scene.home}/m/talk.wav", f"file:{tmp_path}/free.mp3"]
        assert os.spawnv(os.P_WAIT, argv[0], argv) == 0
        free = (tmp_path / "free.mp3").read_text()
        assert all(f"could {what}" in free for what in ("read beside", "write beside", "write input", "write elsewhere"))
        (scene.home / "m" / "planted").unlink()
        (scene.home / "m" / "talk.wav").write_text("sound")
        assert stat.S_IMODE(made.stat().st_mode) == 0o640
        assert sorted(os.listdir(scene.home / "m")) == ["secret.txt", "talk.mp3", "talk.wav"]
        undone = scene.play("history.undo()")
        assert undone.error is None, undone.error
        assert set(snapshot(scene.home)) == set(before)


def test_ffmpeg_learns_little_of_the_environment(tmp_path: Path, ffmpeg: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "hush")
    monkeypatch.setenv("FFREPORT", "file=/tmp/report")
    with Scene(tmp_path / "scene", given()) as scene:
        assert scene.play('media.convert("m/talk.wav", to="ogg")').error is None
        text = (scene.home / "m" / "talk.ogg").read_text()
        assert "hush" not in text and "FFREPORT" not in text and "env LC_ALL=C.UTF-8" in text


def test_what_ffmpeg_cannot_read_leaves_nothing_behind(tmp_path: Path, ffmpeg: Path) -> None:
    with Scene(tmp_path / "scene", given(**{"m/broken.wav": "x"})) as scene:
        before = snapshot(scene.home)
        played = scene.play('media.convert("m/broken.wav", to="mp3")')
        assert played.error is not None and played.error.code == "tool.failed" and "Invalid data found" in str(played.error)
        assert set(snapshot(scene.home)) == set(before)


def test_a_program_that_writes_a_link_or_nothing_is_not_believed(tmp_path: Path, ffmpeg: Path) -> None:
    program(ffmpeg, "ffmpeg", '#!/bin/sh\nfor last; do :; done\nln -s /etc/passwd "${last#file:}"\n')
    with Scene(tmp_path / "scene", given()) as scene:
        before = snapshot(scene.home)
        played = scene.play('media.convert("m/talk.wav", to="mp3")')
        assert played.error is not None and "something else than a file" in str(played.error)
        assert set(snapshot(scene.home)) == set(before)
        program(ffmpeg, "ffmpeg", "#!/bin/sh\nexit 0\n")
        assert scene.play('media.convert("m/talk.wav", to="mp3")').error is not None
        assert set(snapshot(scene.home)) == set(before)


@pytest.mark.parametrize("name", ["a b.wav", "-i.wav", "http:x.wav", "new\nline.wav", "'q\".wav", "%d.wav", os.fsdecode(b"\xff.wav")])
def test_odd_names(home: Path, ffmpeg: Path, name: str) -> None:
    program(ffmpeg, "ffmpeg", '#!/bin/sh\nfor last; do :; done\ncat "$9" "${9#file:}" > "${last#file:}" 2>/dev/null\nexit 0\n')
    (home / "m").mkdir()
    (home / "m" / name).write_text("content sound")
    found = steps("media.convert", paths=(os.path.join("m", name),), to="mp3")
    run(*found)
    made = home / "m" / f"{name.removesuffix('.wav')}.mp3"
    assert b"content sound" in made.read_bytes()
    run(found[0].inverse())  # type: ignore[arg-type]
    assert os.listdir(home / "m") == [name]


def test_what_is_refused_while_looking(home: Path, ffmpeg: Path) -> None:
    (home / "m").mkdir()
    for name in ("talk.wav", "m/a.wav", "m/a.ogg", "m/b.mp3"):
        (home / name).write_text("x")
    for paths, to, words in (
        ("talk.wav", "mp3", "let into all of it"), ("m/b.mp3", "mp3", "already"), (("m/a.wav", "m/a.ogg"), "mp3", "both become"),
        ("m/a.wav", "ogg", "already something"), ("m", "ogg", "is a folder"),
    ):  # fmt: skip
        with pytest.raises(Refused, match=words):
            steps("media.convert", paths=paths, to=to)
    with pytest.raises(NotFound):
        steps("media.convert", paths="m/none.wav", to="mp3")
    found = steps("media.convert", paths="m/a.wav", to="flac")
    (home / "m" / "a.wav").write_text("changed meanwhile")
    with pytest.raises(StaleStep):
        run(*found)


def test_without_ffmpeg_it_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "SYSTEM_PATH", str(home))
    monkeypatch.setenv("PATH", str(home))
    (home / "m").mkdir()
    (home / "m" / "a.wav").write_text("x")
    for action, written in (("media.info", {"paths": "m/a.wav"}), ("media.convert", {"paths": "m/a.wav", "to": "mp3"})):
        with pytest.raises(NotPossible, match="Not available here"):
            steps(action, **written)


def test_ffprobe_is_not_needed_to_convert(home: Path, ffmpeg: Path) -> None:
    (ffmpeg / "ffprobe").unlink()
    (home / "m").mkdir()
    (home / "m" / "a.wav").write_text("sound")
    if shutil.which("ffprobe"):
        pytest.skip("there is a real ffprobe elsewhere on PATH")
    try:
        run(*steps("media.convert", paths="m/a.wav", to="mp3"))
    except NlshError as error:
        pytest.fail(str(error))
    assert (home / "m" / "a.mp3").exists()


def films(home: Path, *names: str) -> None:
    (home / "m").mkdir(exist_ok=True)
    for name in names:
        (home / "m" / name).write_bytes(b"film")


def seen(length: float | None, sound: str = "aac") -> Media:
    return Media("", "mov,mp4", length, None, "h264", 1280, 720, None, sound)


def test_a_silent_film_among_others_takes_no_sound_away(home: Path, ffmpeg: Path) -> None:
    films(home, "card.mp4", "episode.mp4", "end.mp4")
    (step,) = steps("media.join", paths=("m/card.mp4", "m/episode.mp4", "m/end.mp4"), to="m/all.mp4")
    argv = step.argv("OUT", (seen(4.5, ""), seen(60.0), seen(None, "")))  # type: ignore[attr-defined]
    filters = argv[argv.index("-filter_complex") + 1].split(";")
    assert [f for f in filters if f.startswith("anullsrc")] == [
        "anullsrc=channel_layout=stereo:sample_rate=48000,atrim=duration=4.500[a0]",
        "anullsrc=channel_layout=stereo:sample_rate=48000,atrim=duration=0.100[a2]",
    ]
    assert filters[-1] == "[v0][a0][v1][1:a:0][v2][a2]concat=n=3:v=1:a=1[film][sound]" and "[sound]" in argv
    # Where none has sound, there is none to make.
    argv = step.argv("OUT", (seen(4.5, ""),) * 3)  # type: ignore[attr-defined]
    filters = argv[argv.index("-filter_complex") + 1].split(";")
    assert filters[-1] == "[v0][v1][v2]concat=n=3:v=1:a=0[film]" and "[sound]" not in argv and not any("anullsrc" in f for f in filters)


def test_a_thumbnail_is_not_the_first_picture(home: Path, ffmpeg: Path) -> None:
    films(home, "film.mp4")
    (step,) = steps("media.frame", path="m/film.mp4")
    assert step.describe().startswith(f"make {home}/m/film-thumbnail.png, a picture from a tenth into")
    argv = step.argv("OUT", (seen(61.5),))  # type: ignore[attr-defined]
    assert argv[argv.index("-ss") + 1] == "6.150" and argv.index("-ss") < argv.index("-i")
    assert "0.000" in step.argv("OUT", (seen(None),))  # type: ignore[attr-defined]
    run(step)
    assert "arg 6.150" in (home / "m" / "film-thumbnail.png").read_text()
    (first,) = steps("media.frame", path="m/film.mp4", at="first frame")
    assert first.argv("OUT")[6:8] == ("-ss", "0.000") and first.target == f"{home}/m/film-0.00.png"  # type: ignore[attr-defined]


def test_what_stands_upright_is_not_made_tiny(home: Path, ffmpeg: Path) -> None:
    films(home, "film.mp4")
    (step,) = steps("media.shrink", paths="m/film.mp4", height="480p")
    argv = step.argv("OUT", (seen(9.0),))  # type: ignore[attr-defined]
    assert argv[argv.index("-filter:v") + 1] == "scale='if(gt(iw,ih),-2,min(480,trunc(iw/2)*2))':'if(gt(iw,ih),min(480,trunc(ih/2)*2),-2)'"
    assert "at most 480 pixels on its shorter side" in step.describe()


@pytest.mark.parametrize(("name", "made"), [("a.wav", "a-small.mp3"), ("b.FLAC", "b-small.mp3"), ("c.aif", "c-small.mp3"), ("d.ogg", "d-small.ogg")])
def test_sound_as_it_is_gets_smaller_as_an_mp3(home: Path, ffmpeg: Path, name: str, made: str) -> None:
    films(home, name)
    for more in ({}, {"to": "1B"}):
        (step,) = steps("media.shrink", paths=f"m/{name}", **more)
        assert step.target == f"{home}/m/{made}"  # type: ignore[attr-defined]


def test_more_and_less_are_what_people_mean(home: Path, ffmpeg: Path) -> None:
    films(home, "talk.mp3")
    for action, by, name, words in (
        ("media.volume", "50% louder", "talk-loud150.mp3", "1.5 times as loud"), ("media.volume", "20% quieter", "talk-loud80.mp3", "0.8 times as loud"),
        ("media.speed", "2x slower", "talk-50speed.mp3", "0.5 times as fast"), ("media.speed", "快50%", "talk-150speed.mp3", "1.5 times as fast"),
    ):  # fmt: skip
        (step,) = steps(action, paths="m/talk.mp3", by=by)
        assert step.target == f"{home}/m/{name}" and words in step.describe()  # type: ignore[attr-defined]
    with pytest.raises(NlshError, match="less was asked for"):
        steps("media.speed", paths="m/talk.mp3", by="down to 2x")
