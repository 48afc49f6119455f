"""The broker, the relay and the gate under random input: what a program says in its system calls, and what a broker says that has been taken over.

Whatever comes, nothing but nlsh's own refusals comes of it: no other exception, no question about what is hidden, and nothing is done that the client was
not shown and did not agree to. `NLSH_FUZZ_EXAMPLES=100000` gives it so many inputs in all.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import socket
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nlsh.guard import policy, secrets
from nlsh.guard.sandbox import notify, relay
from nlsh.guard.sandbox.broker import LARGEST
from nlsh.guard.sandbox.wants import Refused, Wants, within
from nlsh.guard.sandbox.zygote import END, NO, SHOWS, YES, about
from nlsh.kernel.gate import ALWAYS, JOB, LATE, ONCE, Gate, Question
from nlsh.kernel.gate import NO as SAID_NO
from nlsh.settings import config_dir
from tests.property.test_fuzz_gate import JSON, some

KINDS = ["connect", "open", "kill", "unlink", "rmdir", "mkdir", "rename", "x"]
ODD = st.sampled_from([float("inf"), float("nan"), -1, 0, 1 << 70, "", "0", None, [], {}, True, "9" * 5000])


@pytest.fixture
def furnished(home: Path) -> Path:
    """Return a home with a secret, a folder to work in, and links that lead out of it."""
    for folder in (".ssh", "work", "work/sub", "outside"):
        (home / folder).mkdir()
    for file in (".ssh/id", "outside/a", "work/a"):
        (home / file).write_text("x")
    for name, goal in (("work/to-key", "../.ssh/id"), ("work/to-ssh", "../.ssh"), ("work/out", "../outside"), ("outside/loop", "loop")):
        (home / name).symlink_to(goal)
    config_dir().mkdir(parents=True)
    (config_dir() / "policy.toml").write_text("")
    return home


PLACES = ["outside/a", "outside/new", ".ssh/id", "work/a", "work/to-key", "work/out/a", "work/to-ssh/id", ".config/nlsh/policy.toml", "outside/loop", "outside"]
PATHS = st.one_of(
    st.sampled_from(PLACES).map(lambda p: f"~/{p}"),
    st.lists(st.sampled_from(["..", ".", "", "work", "outside", ".ssh", "a", "to-key", "\udcff", "\n"]), max_size=6).map(lambda p: "~/" + "/".join(p)),
    st.text(max_size=12), st.sampled_from(["/", "/proc/self/root/etc/passwd", "/proc/self/cwd/a", "/proc/self/fd/0", "/dev/null", "/" * 4000, "a" * 5000]),
)  # fmt: skip
FIELDS = {
    "path": st.one_of(PATHS, ODD), "to": st.one_of(PATHS, ODD), "program": st.one_of(st.text(max_size=8), ODD), "host": st.one_of(st.text(max_size=9), ODD),
    "port": st.one_of(st.integers(-1, 1 << 17), ODD), "target": st.one_of(st.integers(-2, 1 << 23), ODD), "signal": st.one_of(st.integers(-2, 99), ODD),
    "name": st.text(max_size=8), "flags": st.one_of(st.integers(0, 1 << 32), ODD), "family": ODD, "pid": ODD,
}  # fmt: skip
WORDS = st.fixed_dictionaries({"kind": st.one_of(st.sampled_from(KINDS), ODD)}, optional=FIELDS)


def settled(what: Any, home: Path) -> Any:
    return {k: v.replace("~", str(home), 1) if isinstance(v, str) else v for k, v in what.items()} if isinstance(what, dict) else what


class _Still:
    def begin(self) -> bool:
        return True


@some(200, 0.02)
@given(said=st.lists(st.tuples(st.one_of(WORDS, JSON), st.sampled_from([ONCE, JOB, ALWAYS, SAID_NO, LATE])), max_size=4))
@example(said=[({"kind": "connect", "program": "x", "host": "h", "port": float("inf")}, ONCE)])
@example(said=[({"kind": "unlink", "program": "x", "path": "~/work/to-key"}, ONCE), ({"kind": "connect", "program": "x", "path": "~/work/to-key"}, ONCE)])
def test_whatever_a_broker_asks_nobody_is_asked_about_what_is_hidden(furnished: Path, said: list[tuple[Any, str]]) -> None:
    answers = iter([answer for _, answer in said])
    asked: list[Question] = []

    def ask(question: Question, still: object) -> str:
        asked.append(question)
        question.rules()
        return next(answers, SAID_NO)

    gate = Gate(policy.load(), ask, 9.0, (), lambda event: None)
    hidden = secrets.hidden()
    for what, _ in said:
        before = len(asked)
        answer = gate.answer({"what": settled(what, furnished), "question": 1}, _Still())  # type: ignore[arg-type]
        gate.note(what)
        assert answer in ("yes", "no", "end")
        # Not asked, and yet a yes: only what was said for this job.
        assert answer != "yes" or len(asked) > before or gate._said
    for question in asked:
        for effect in question.effects:
            if effect.kind.startswith(("fs.", "bus.")):
                # A link is removed or replaced itself; the hand opens none.
                folder, name = os.path.split(effect.target)
                place = os.path.realpath(effect.target) if effect.kind in ("fs.read", "bus.call") else os.path.join(os.path.realpath(folder), name)
                assert not any(within(place, h) for h in hidden), question


# --- the relay ----------------------------------------------------------------------------------------------------------

NUMBERS = st.one_of(st.integers(0, 3), ODD)
MESSAGES = st.one_of(
    st.fixed_dictionaries({"ask": NUMBERS, "what": st.one_of(WORDS, JSON)}), st.fixed_dictionaries({"go": NUMBERS}),
    st.fixed_dictionaries({"gone": NUMBERS}), st.fixed_dictionaries({"note": JSON}), st.fixed_dictionaries({"worker": ODD}),
    st.fixed_dictionaries({"ended": ODD}), JSON,
)  # fmt: skip
SAID = st.one_of(
    MESSAGES.map(lambda m: ("broker", json.dumps(m).encode())), st.binary(min_size=1, max_size=9).map(lambda b: ("broker", b)),
    # A client that is misled was shown other words with that number: a worker that was taken over writes to the same pipe.
    st.tuples(st.sampled_from(["client", "misled"]), st.sampled_from([YES, NO, END, SHOWS]), st.integers(0, 4)).map(lambda a: (a[0], a[1] + bytes([a[2]]))),
)  # fmt: skip


@some(200, 0.02)
@given(said=st.lists(SAID, max_size=12))
@example(said=[("broker", b"[" * 9000)])
@example(said=[("broker", b'{"ask":1,"what":{"kind":"open","path":"/a"}}'), ("client", YES + b"\1"), ("broker", b'{"go":1}'), ("broker", b'{"go":1}')])
@example(said=[("broker", b'{"ask":1,"what":{"kind":"open","path":"/%s"}}' % (b"a" * 4000)), ("client", YES + b"\1"), ("broker", b'{"go":1}')])
@example(said=[("broker", b'{"ask":1,"what":{"kind":"open","path":"/a"}}'), ("misled", YES + b"\1"), ("broker", b'{"go":1}')])
@example(
    said=[
        ("broker", b'{"ask":1,"what":{"path":"/a"}}'), ("client", YES + b"\1"), ("broker", b'{"ask":2,"what":{"path":"/b"}}'), ("client", END + b"\2"),
        ("broker", b'{"go":1}'),
    ]
)  # fmt: skip
@example(said=[*(("broker", b'{"ask":1,"what":{"path":"/%s"}}' % w) for w in (b"a", b"b")), ("client", YES + b"\1"), ("broker", b'{"go":1}')])
def test_only_what_the_client_was_shown_and_agreed_to_is_reached(furnished: Path, said: list[tuple[str, bytes]]) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control, client = socket.socketpair()
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    hidden = tuple(str(furnished / n) for n in (".ssh", ".config/nlsh"))
    found = relay.Relay(ours, writer, control.fileno(), 60.0, hidden)
    reached: list[Any] = []
    # A hand for what was agreed to, but for its making.
    found._reach = lambda number: reached.append(found._agreed.pop(number)[0]) if number in found._agreed else None  # type: ignore[method-assign]
    shown: dict[int, Any] = {}
    agreed: list[Any] = []
    try:
        for who, data in said:
            if who == "broker":
                theirs.send(data)
                if not found.hear():
                    break
            else:
                number = data[1]
                client.send(about(number, shown.get(number) if who == "client" else {"path": "/other"}))
                if who == "client" and found._shown == number:
                    # What was agreed to and is not done yet is not done after Ctrl-C.
                    agreed = [*agreed, shown[number]] if data[:1] == YES else list(reached) if data[:1] == END else agreed
                found.answer(data[:1], 0)
            with contextlib.suppress(BlockingIOError):
                for line in os.read(reader, 1 << 20).splitlines():
                    assert len(line) <= LARGEST + 500
                    message = json.loads(line)
                    if message["type"] == "question":
                        shown[message["question"]] = message["what"]
        assert [json.dumps(r) for r in reached] == [json.dumps(a) for a in agreed[: len(reached)]] or all(r in agreed for r in reached)
        for what in reached:
            assert not any(within(str(what[key]), h) for key in ("path", "to") if key in what for h in hidden)
    finally:
        for end in (ours, theirs, control, client):
            end.close()
        os.close(reader)
        os.close(writer)


# --- what a program says ------------------------------------------------------------------------------------------------

CALLS = ["openat", "open", "unlink", "unlinkat", "rmdir", "mkdir", "mkdirat", "rename", "renameat", "renameat2", "connect", "kill", "execve"]
ADDRESSES = st.one_of(
    st.binary(max_size=130), st.tuples(st.sampled_from([1, 2, 10, 0, 43]), st.binary(max_size=126)).map(lambda a: struct.pack("=H", a[0]) + a[1]),
    PATHS.map(lambda p: struct.pack("=H", 1) + os.fsencode(p)[:126]),
)  # fmt: skip
NUMBER_64 = st.one_of(st.integers(0, (1 << 64) - 1), st.integers(0, 40), st.sampled_from([(1 << 64) - 100, 0o1101, 0o2000000]))


@some(200, 0.02)
@given(call=st.sampled_from(CALLS), paths=st.lists(PATHS, min_size=2, max_size=2), address=ADDRESSES, numbers=st.lists(NUMBER_64, min_size=6, max_size=6))
def test_whatever_a_program_says_it_wants_what_it_wants_or_nothing(furnished: Path, call: str, paths: list[str], address: bytes, numbers: list[int]) -> None:
    work, hidden = str(furnished / "work"), secrets.hidden()
    held = [ctypes.create_string_buffer(os.fsencode(p.replace("~", str(furnished), 1).replace("\0", ""))) for p in paths]
    where = ctypes.create_string_buffer(address.replace(b"~", os.fsencode(furnished), 1) + b"\0")
    at = [ctypes.addressof(h) for h in held]
    arguments = list(numbers)
    for place, address_ in {
        "openat": ((1, at[0]),), "unlinkat": ((1, at[0]),), "mkdirat": ((1, at[0]),), "renameat": ((1, at[0]), (3, at[1])), "kill": (),
        "renameat2": ((1, at[0]), (3, at[1])), "rename": ((0, at[0]), (1, at[1])), "connect": ((1, ctypes.addressof(where)), (2, len(address))),
    }.get(call, ((0, at[0]),)):  # fmt: skip
        arguments[place] = address_
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as local:
        if call == "connect":
            arguments[0] = (tcp, local)[numbers[0] % 2].fileno()
        try:
            found = Wants((work,), hidden).of(notify.Call(1, os.getpid(), call, tuple(arguments)))
        except (Refused, OSError):
            return
        if found is None:
            return
        request, given_ = found
        for descriptor in given_:
            os.close(descriptor)
    for key in {"path", "to"} & request.keys():
        place = request[key]
        assert place == os.path.join(os.path.realpath(os.path.dirname(place)), os.path.basename(place)) and place.startswith("/")
        if request["kind"] != "connect":
            assert not within(place, work) and not any(within(place, h) for h in hidden), request
    assert json.loads(json.dumps(request)) == request
