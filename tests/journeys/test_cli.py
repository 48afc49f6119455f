"""The command line as other programs and people meet it: flags, streams, statuses, terminals. No model is needed, except where said."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.journeys.conftest import Run, Terminal, ended, plain

TRASH_OLD = 'file.trash("old.txt")'
EVIL = "evil\x1b[2Jname.txt"
RTL = "invoice\u202efdp.exe"
NEWLINE = "two\nlines.txt"


@pytest.fixture
def files(home: Path) -> Path:
    (home / "old.txt").write_text("old")
    (home / "keep.txt").write_text("keep")
    return home


def visible(home: Path) -> set[str]:
    return {p.name for p in home.iterdir() if not p.name.startswith(".")}


# --- streams and statuses ------------------------------------------------------------------------------------------


def test_version_is_the_whole_of_stdout(nlsh: Run) -> None:
    from nlsh import __version__

    for flag in ("--version", "-V"):
        done = nlsh(flag)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"nlsh {__version__}\n", "")


def test_results_go_to_stdout_and_nothing_else_does(nlsh: Run, files: Path) -> None:
    done = nlsh("plan", "-", stdin="file.list()")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [str(files / "keep.txt"), str(files / "old.txt")]


def test_json_lines_are_records(nlsh: Run, files: Path) -> None:
    done = nlsh("plan", "-", "--json", stdin="file.list()")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(r["record"], Path(r["path"]).name, r["size_bytes"]) for r in records] == [("File", "keep.txt", 4), ("File", "old.txt", 3)]


def test_flags_may_stand_before_and_after_the_command(nlsh: Run, files: Path) -> None:
    before = nlsh("--json", "plan", "-", stdin="file.list()")
    after = nlsh("plan", "-", "--json", stdin="file.list()")
    assert before.stdout == after.stdout != ""


def test_a_change_without_a_terminal_is_refused_and_changes_nothing(nlsh: Run, files: Path) -> None:
    done = nlsh("plan", "-", stdin=TRASH_OLD)
    assert done.returncode == 3
    assert done.stdout == ""
    assert "--yes" in done.stderr and "old.txt" in done.stderr
    assert visible(files) == {"old.txt", "keep.txt"}


def test_yes_approves_and_undo_brings_it_back(nlsh: Run, files: Path) -> None:
    before = (files / "old.txt").stat()
    done = nlsh("plan", "-", "--yes", stdin=TRASH_OLD)
    assert done.returncode == 0, done.stderr
    assert visible(files) == {"keep.txt"}
    assert "nlsh undo 1" in done.stderr
    undone = nlsh("undo", "--yes")
    assert undone.returncode == 0, undone.stderr
    after = (files / "old.txt").stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_mode) == (before.st_ino, before.st_mtime_ns, before.st_mode)
    assert nlsh("undo", "1", "--yes").returncode != 0


def test_no_input_never_asks(terminal: Terminal, files: Path) -> None:
    (files / "p.nlsh").write_text(TRASH_OLD)
    child = terminal("plan", "p.nlsh", "--no-input")
    assert ended(child) == 3
    assert "old.txt" in visible(files)


def test_dry_run_prints_the_plan_and_changes_nothing(nlsh: Run, files: Path) -> None:
    done = nlsh("plan", "-", "-n", stdin='a = file.find(named="old*")\nfile.trash(a)')
    assert done.returncode == 0
    assert done.stdout == 'a = file.find(named="old*")\nfile.trash(a)\n'
    assert "move ~/old.txt to the trash" in done.stderr
    assert visible(files) == {"old.txt", "keep.txt"}
    assert nlsh("history").stdout == ""
    # What it prints is a plan again.
    assert nlsh("plan", "-", "-n", stdin=done.stdout).stdout == done.stdout


def test_dry_run_as_json_holds_plan_steps_effects_and_decision(nlsh: Run, files: Path) -> None:
    done = nlsh("plan", "-", "-n", "--json", stdin=TRASH_OLD)
    preview = json.loads(done.stdout)["preview"]
    assert preview["plan"] == TRASH_OLD
    assert preview["decision"]["answer"] == "ask"
    (call,) = preview["calls"]
    assert call["steps"][0]["says"].startswith("move ")
    assert {"kind": "fs.delete", "target": str(files / "old.txt")} in call["effects"]
    assert nlsh("plan", "-", "-n", stdin=done.stdout).stdout.strip() == TRASH_OLD


def test_dry_run_of_what_is_denied_says_so(nlsh: Run, files: Path) -> None:
    (files / ".ssh").mkdir()
    (files / ".ssh" / "id_ed25519").write_text("key")
    done = nlsh("plan", "-", "-n", stdin='file.trash(".ssh/id_ed25519")')
    assert done.returncode == 3
    assert "denied" in done.stderr


def test_yes_does_not_approve_what_is_denied(nlsh: Run, files: Path) -> None:
    (files / ".ssh").mkdir()
    (files / ".ssh" / "id_ed25519").write_text("key")
    done = nlsh("plan", "-", "--yes", "--allow", "fs.delete", "--allow", "fs.write", "--allow", "fs.read", stdin='file.trash(".ssh/id_ed25519")')
    assert done.returncode == 3
    assert (files / ".ssh" / "id_ed25519").read_text() == "key"


def test_allow_turns_a_question_into_a_yes(nlsh: Run, files: Path) -> None:
    done = nlsh("plan", "-", "--allow", "fs.write", "--allow", "fs.delete", stdin=TRASH_OLD)
    assert done.returncode == 0, done.stderr
    assert visible(files) == {"keep.txt"}


def test_quiet_says_nothing_where_all_is_well(nlsh: Run, files: Path) -> None:
    done = nlsh("plan", "-", "--yes", "-q", stdin=TRASH_OLD)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_failed_plan_is_no_success(nlsh: Run, files: Path) -> None:
    done = nlsh("plan", "-", "--yes", stdin='file.move("old.txt", to="keep.txt")')
    assert done.returncode == 1
    assert "Nothing was changed" in done.stderr
    as_json = nlsh("plan", "-", "--yes", "--json", stdin='file.move("old.txt", to="keep.txt")')
    assert as_json.returncode == 1
    assert json.loads(as_json.stdout)["error"]["code"] == "action.refused"


def test_a_plan_that_fails_in_the_middle_is_5_and_can_be_taken_back(nlsh: Run, files: Path) -> None:
    work = files / "work"
    work.mkdir()
    done = nlsh("plan", "-", "--yes", stdin='file.copy("../old.txt", to="copy.txt")\nshell.run("touch made; exit 3")', cwd=work)
    assert done.returncode == 5, done.stderr
    assert (work / "copy.txt").exists() and "1 of 2 steps was done" in done.stderr
    assert nlsh("undo", "--yes", cwd=work).returncode == 0
    assert not (work / "copy.txt").exists()


def test_json_ends_a_change_with_its_outcome(nlsh: Run, files: Path) -> None:
    lines = [json.loads(line) for line in nlsh("plan", "-", "--yes", "--json", stdin=TRASH_OLD).stdout.splitlines()]
    assert lines[0]["record"] == "Change"
    assert lines[-1]["outcome"] == {"status": "done", "exit_status": 0, "run": 1, "errors": []}


def test_a_reader_that_goes_away_is_no_error(environment: dict[str, str], home: Path) -> None:
    for number in range(3000):
        (home / f"file-with-a-rather-long-name-{number:05}").touch()
    (home / ".plan").write_text("file.list()")
    script = f'set -o pipefail; "{sys.executable}" -m nlsh plan .plan | head -n 1'
    done = subprocess.run(["bash", "-c", script], cwd=home, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


@pytest.mark.parametrize("redirect", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_streams_are_no_fault(environment: dict[str, str], files: Path, redirect: str) -> None:
    (files / ".plan").write_text(TRASH_OLD)
    script = f'"{sys.executable}" -m nlsh plan .plan --yes {redirect}'
    done = subprocess.run(["bash", "-c", script], cwd=files, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr and visible(files) == {"keep.txt"}


def test_a_full_disk_under_stdout_is_said(environment: dict[str, str], files: Path) -> None:
    script = f'"{sys.executable}" -m nlsh actions >/dev/full'
    done = subprocess.run(["bash", "-c", script], cwd=files, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == "nlsh: No space left on device.\n"


def test_a_working_directory_that_is_gone(environment: dict[str, str], home: Path) -> None:
    script = f'mkdir gone && cd gone && rmdir ../gone && "{sys.executable}" -m nlsh -c "!ls"'
    done = subprocess.run(["bash", "-c", script], cwd=home, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("nlsh: ") and done.stderr.count("\n") == 1


def test_a_state_folder_that_cannot_be_made(nlsh: Run, files: Path) -> None:
    (files / "in-the-way").write_text("a file")
    done = nlsh("plan", "-", "--yes", stdin=TRASH_OLD, XDG_STATE_HOME=str(files / "in-the-way"))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("nlsh: ") and "Traceback" not in done.stderr
    assert "old.txt" in visible(files)


# --- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (("-c", ""), 2, "empty"),
        (("-c", "   "), 2, "empty"),
        (("-c", "!"), 2, "empty"),
        (("-c", "x" * 10_000), 2, "at most 2,000"),
        (("-c", "a\x01b"), 2, "control characters"),
        (("-c", os.fsdecode(b"caf\xe9")), 2, "UTF-8"),
        (("-c",), 2, "expected one argument"),
        (("--yess",), 2, "Did you mean --yes?"),
        (("undoo",), 2, "Did you mean nlsh undo?"),
        (("find big files",), 2, "nlsh -c"),
        (("undo", "x"), 2, "not a run's number"),
        (("undo", "99"), 1, "no run 99"),
        (("undo",), 1, "nothing to undo"),
        (("audit", "burn"), 2, "verify"),
        (("policy", "burn"), 2, "check"),
        (("plan", "missing.nlsh"), 2, "no file of that name"),
        (("actions", "file.fnd"), 2, "file.find"),
        (("run", "tidy"), 1, "tidy-downloads"),
        (("run", "tidy-downloads.sort", "foldr=x"), 2, "folder"),
        (("run", "tidy-downloads.old", "age=soon"), 2, "age"),
        (("--allow", "fs.writ", "plan", "-"), 2, "fs.write"),
        (("--model", "/missing.gguf", "-c", "?find pdfs"), 1, "/missing.gguf"),
        ((), 2, "nlsh -c"),
    ],
)
def test_bad_input_is_one_line_on_stderr(nlsh: Run, home: Path, words: tuple[str, ...], status: int, says: str) -> None:
    done = nlsh(*words, stdin="file.list()")
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("nlsh: ")
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("junk", [b"\xff\xfe\x00", b"find \xc3"])
def test_a_request_on_stdin_that_is_not_utf8(nlsh: Run, junk: bytes) -> None:
    for words in (("-c", "-"), ("plan", "-")):
        done = nlsh(*words, stdin=junk)
        assert done.returncode == 2
        assert "UTF-8" in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("text", ["", "import os", "os.system('x')", "file.fnd()", 'file.list(nope="1")', "file.list(", "x = 1", '{"a": 1}', "[1]", "[" * 9999])
def test_what_is_no_plan_is_status_2(nlsh: Run, home: Path, text: str) -> None:
    done = nlsh("plan", "-", "--yes", stdin=text)
    assert done.returncode == 2
    assert done.stdout == "" and done.stderr.count("\n") == 1


def test_a_corrupt_model_is_one_line(nlsh: Run, home: Path, shipped_models: None) -> None:
    (home / "broken.gguf").write_bytes(b"GGUF" + b"\0" * 64)
    (home / "no.gguf").write_bytes(b"hello")
    for name in ("broken.gguf", "no.gguf"):
        done = nlsh("-c", "?find pdfs", NLSH_PLANNER=str(home / name), NLSH_ENCODER=str(home / name))
        assert done.returncode == 1
        assert done.stdout == "" and done.stderr.count("\n") == 1 and name in done.stderr


def test_a_broken_policy_stops_everything(nlsh: Run, files: Path) -> None:
    folder = files / ".config" / "nlsh"
    folder.mkdir(parents=True)
    (folder / "policy.toml").write_text("[[rule]\n")
    done = nlsh("plan", "-", "--yes", stdin=TRASH_OLD)
    assert done.returncode == 2
    assert "policy.toml" in done.stderr and done.stderr.count("\n") == 1
    assert "old.txt" in visible(files)


# --- raw commands --------------------------------------------------------------------------------------------------


def test_a_raw_command_reads_stdin_and_writes_stdout(nlsh: Run) -> None:
    done = nlsh("-c", "!tr a-z A-Z", stdin="hello\n")
    assert (done.returncode, done.stdout) == (0, "HELLO\n")


def test_a_raw_command_gives_its_own_status(nlsh: Run) -> None:
    assert nlsh("-c", "!grep -q nlsh-is-not-in-here /etc/passwd").returncode == 1
    assert nlsh("-c", "!test -e /missing").returncode == 1


def test_a_plain_command_needs_no_mark(nlsh: Run, files: Path) -> None:
    done = nlsh("-c", "ls -1")
    assert done.stdout.split() == ["keep.txt", "old.txt"]


def test_a_raw_command_that_may_change_something_is_asked_about(nlsh: Run, files: Path) -> None:
    folder = files / "work"
    folder.mkdir()
    (folder / "a").touch()
    assert nlsh("-c", "!rm a", cwd=folder).returncode == 3
    assert (folder / "a").exists()
    assert nlsh("-c", "!rm a", "--yes", cwd=folder).returncode == 0
    assert not (folder / "a").exists()


# --- the other commands --------------------------------------------------------------------------------------------


def test_history_and_audit_tell_what_was_done(nlsh: Run, files: Path) -> None:
    assert nlsh("history").stdout == ""
    nlsh("plan", "-", "--yes", stdin=TRASH_OLD)
    (line,) = nlsh("history").stdout.splitlines()
    assert line.split("\t")[0] == "1" and TRASH_OLD in line and "done" in line
    assert json.loads(nlsh("history", "--json").stdout)["plan"] == TRASH_OLD
    entries = [json.loads(line) for line in nlsh("audit", "show", "100", "--json").stdout.splitlines()]
    assert any(e.get("who") == "flag" and e.get("plan") == TRASH_OLD for e in entries)
    assert nlsh("audit", "verify").returncode == 0
    log = files / ".local/state/nlsh/audit.jsonl"
    log.write_text(log.read_text().replace('"flag"', '"user"'))
    broken = nlsh("audit", "verify")
    assert broken.returncode == 1 and "broken" in broken.stdout


def test_the_audit_is_filtered_exported_and_anchored(nlsh: Run, files: Path) -> None:
    assert nlsh("plan", "-", "--yes", stdin='folder.create("one")').returncode == 0
    assert nlsh("plan", "-", "--yes", stdin='folder.create("two")').returncode == 0
    assert nlsh("plan", "-", "--no-input", stdin='folder.create("three")').returncode == 3

    def shown(*words: str) -> list[dict[str, object]]:
        done = nlsh("audit", "show", "--json", *words)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    assert [e["event"] for e in shown("--plan", "2")] == ["decision", "outcome"]
    digest = str(shown("--plan", "2")[0]["digest"])
    assert shown("--plan", digest[:12]) == shown("--plan", "2")
    assert [e["decision"] for e in shown("--decision", "deny")] == ["deny"]
    assert shown("--since", "1h") == shown()
    assert shown("--since", "2999-01-01") == shown("--step", "4") == []
    for words, hint in ((("--plan", "ab"), "digest"), (("--since", "yesteryear"), "7d"), (("--decision", "maybe"), "allow")):
        refused = nlsh("audit", "show", *words)
        assert (refused.returncode, refused.stdout) == (2, "") and hint in refused.stderr

    log = files / ".local/state/nlsh/audit.jsonl"
    assert nlsh("audit", "export").stdout == log.read_text()
    assert nlsh("audit", "export", "--json", "--since", "2999-01-01").stdout == ""
    # The end cut off, and the head with it: the journal remembers.
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(lines[:2]))
    (log.parent / "audit.head").unlink()
    broken = json.loads(nlsh("audit", "verify", "--json").stdout)
    assert ("truncated", 3) in [(b["kind"], b["entry"]) for b in broken["breaks"]]
    exported = nlsh("audit", "export")
    assert (exported.returncode, exported.stdout) == (1, "".join(lines[:2])) and "broken" in exported.stderr


def test_actions_lists_the_catalogue_and_describes_one(nlsh: Run) -> None:
    listed = nlsh("actions")
    assert "file.find\treads\t" in listed.stdout
    one = nlsh("actions", "file.trash")
    assert "file.trash(" in one.stdout and "effects: " in one.stdout
    data = json.loads(nlsh("actions", "file.trash", "--json").stdout)
    assert data["action"] == "file.trash" and data["reads_only"] is False


def test_policy_check_names_the_rule_its_layer_and_file(nlsh: Run, home: Path) -> None:
    (home / "p").mkdir()
    found = json.loads(nlsh("policy", "--json", "check", "!cd x && rm -rf y", cwd=home / "p").stdout)
    assert (found["answer"], found["rule"], found["layer"]) == ("ask", "raw-commands", "shipped") and found["file"].endswith("guard/policy.toml")
    assert found["tried"] and "undone" not in found["reason"]
    assert json.loads(nlsh("policy", "--json", "check", "!ls -la | wc -l", cwd=home / "p").stdout)["answer"] == "allow"


def test_policy_add_shows_and_writes_what_always_would(nlsh: Run, home: Path) -> None:
    (home / "p").mkdir()
    path = home / ".config" / "nlsh" / "policy.toml"
    shown = nlsh("policy", "add", "!make test", cwd=home / "p")
    assert shown.returncode == 3 and "target = [" in shown.stderr and "make test" in shown.stderr and not path.exists()
    written = nlsh("policy", "-y", "add", "!make test", cwd=home / "p")
    assert written.returncode == 0 and path.exists(), written.stderr
    assert all(line in written.stderr for line in path.read_text().splitlines() if line.startswith("name"))
    assert json.loads(nlsh("policy", "--json", "check", "!make test", cwd=home / "p").stdout)["layer"] == "user"
    assert json.loads(nlsh("policy", "--json", "check", "!make tests", cwd=home / "p").stdout)["answer"] == "ask"
    again = nlsh("policy", "-y", "add", "!ls", cwd=home / "p")
    assert again.returncode == 3 and "nothing to remember" in again.stderr
    path.parent.chmod(0o777)
    assert "not obeyed" in nlsh("-c", "!ls", cwd=home / "p").stderr


def test_policy_shows_rules_and_checks_a_command(nlsh: Run, home: Path) -> None:
    assert "own-files" in nlsh("policy").stdout
    allowed = nlsh("policy", "check", "!ls")
    assert allowed.returncode == 0 and allowed.stdout.startswith("allow")
    folder = home / "work"
    folder.mkdir()
    asked = nlsh("policy", "check", "!touch x", cwd=folder)
    assert asked.returncode == 0 and asked.stdout.startswith("ask")
    # It is tried on a copy, and what is kept of that can be taken back.
    assert "undone" not in asked.stdout and "  tried: on a copy first" in asked.stdout
    assert not (folder / "x").exists()
    # What cannot be tried is asked about for what it is.
    assert "it cannot be undone (rule cannot-undo)" in nlsh("policy", "check", "!vim x", cwd=folder).stdout


def test_policy_check_of_what_the_action_refuses_is_a_decision_and_its_reason(nlsh: Run, home: Path) -> None:
    denied = nlsh("policy", "check", "!touch x")
    assert (denied.returncode, denied.stderr) == (3, "")
    assert denied.stdout.startswith("deny: “touch x” may change files, and your whole home folder is too much") and "  layer: none\n" in denied.stdout
    found = json.loads(nlsh("policy", "--json", "check", "!touch x").stdout)
    assert found["answer"] == "deny" and "whole home folder" in found["reason"] and found["plan"] == 'shell.run("touch x")'


def test_a_program_that_is_not_there_is_not_found_in_the_home_folder_too(nlsh: Run, home: Path) -> None:
    (home / "work").mkdir()
    for folder in (home, home / "work"):
        done = nlsh("-c", "!nosuchcmd 'a b' c", cwd=folder)
        assert done.returncode == 127 and "not found" in done.stderr and "too much" not in done.stderr
    # What there is to run, or to write, is refused there as before.
    for command in ("touch x", "nosuchcmd > x", "nosuchcmd; touch x", "nosuchcmd $(touch x)"):
        done = nlsh("-c", f"!{command}")
        assert done.returncode == 1 and "whole home folder" in done.stderr, command
    assert not (home / "x").exists()


def test_undo_of_a_raw_command_counts_what_was_shown(nlsh: Run, home: Path) -> None:
    (home / "work").mkdir()
    kept = nlsh("--yes", "-c", "!touch x", cwd=home / "work")
    assert "1 file created" in kept.stderr and "Done: 1 step." in kept.stderr
    undone = nlsh("undo", "--yes")
    assert "remove ~/work/x again" in undone.stderr and "put back the modification times of 1 folder\n" in undone.stderr
    assert "Done: 1 step." in undone.stderr and " steps" not in undone.stderr and "set the time of" not in undone.stderr


def test_a_pack_runs_through_the_same_gate(nlsh: Run, home: Path) -> None:
    (home / "Downloads").mkdir()
    (home / "Downloads" / "a.jpg").write_text("1")
    assert nlsh("run", "tidy-downloads").returncode == 3
    assert (home / "Downloads" / "a.jpg").exists()
    done = nlsh("run", "tidy-downloads", "--yes")
    assert done.returncode == 0, done.stderr
    assert (home / "Downloads" / "Pictures" / "a.jpg").read_text() == "1"
    assert nlsh("undo", "--yes").returncode == 0
    assert (home / "Downloads" / "a.jpg").exists() and not (home / "Downloads" / "Pictures").exists()
    assert "tidy-downloads.sort" in nlsh("run").stdout
    # What people call it does the same, through the same gate.
    assert nlsh("-c", "tidy my downloads").returncode == 3
    assert nlsh("-c", "tidy my downloads", "--yes").returncode == 0
    assert (home / "Downloads" / "Pictures" / "a.jpg").exists()


def test_doctor_says_what_each_check_found(nlsh: Run, files: Path) -> None:
    found = {c["what"]: c for c in map(json.loads, nlsh("doctor", "--json").stdout.splitlines())}
    assert found["enforcement"]["ok"] and found["a confined worker"]["ok"] and found["policy"]["ok"]
    folder = files / ".config" / "nlsh"
    folder.mkdir(parents=True)
    (folder / "policy.toml").write_text("[[rule]\n")
    broken = nlsh("doctor", "--json")
    assert broken.returncode == 1
    assert {c["what"]: c["ok"] for c in map(json.loads, broken.stdout.splitlines())}["policy"] is False


def test_doctor_and_model_find_everything(nlsh: Run, shipped_models: None) -> None:
    done = nlsh("doctor")
    assert done.returncode == 0, done.stdout
    models = [json.loads(line) for line in nlsh("model", "--json").stdout.splitlines()]
    assert {m["model"] for m in models} == {"planner", "encoder"} and all(m["found"] for m in models)


# --- with the shipped models ---------------------------------------------------------------------------------------


def test_a_reading_request(nlsh: Run, home: Path, shipped_models: None) -> None:
    (home / "Downloads").mkdir()
    for name in ("a.pdf", "b.txt"):
        (home / "Downloads" / name).touch()
    done = nlsh("-c", "find pdfs in my downloads folder")
    assert (done.returncode, done.stdout) == (0, f"{home}/Downloads/a.pdf\n"), done.stderr
    assert nlsh("-c", "-", stdin="find pdfs in my downloads folder\n").stdout == done.stdout


def test_a_changing_request_without_a_terminal_changes_nothing(nlsh: Run, files: Path, shipped_models: None) -> None:
    done = nlsh("-c", "delete old.txt")
    assert done.returncode == 3 and "old.txt" in visible(files)
    assert nlsh("-c", "delete old.txt", "-n").stdout == 'file.trash("old.txt")\n'
    assert nlsh("-c", "delete old.txt", "--yes").returncode == 0
    assert "old.txt" not in visible(files)


@pytest.mark.parametrize("text", ["what is the meaning of life", "book me a flight to rome", "asdf qwer zxcv"])
def test_what_is_not_understood_is_4(nlsh: Run, files: Path, shipped_models: None, text: str) -> None:
    done = nlsh("-c", text, "--yes")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr and visible(files) == {"old.txt", "keep.txt"}


@pytest.mark.parametrize(
    ("request_", "found"),
    [
        ("sort these lines", "apple pie\napple pie\npear\n"), ("sort the input in reverse", "pear\napple pie\napple pie\n"), ("count the lines", "3\n"),
        ("only the lines with pie", "apple pie\napple pie\n"), ("how many words is that", "5\n"), ("remove duplicate lines", "pear\napple pie\n"),
        ("the first line of it", "pear\n"), ("how many of these lines have pie", "2\n"), ("把这些行排序", "apple pie\napple pie\npear\n"),
    ],
)  # fmt: skip
def test_a_text_from_a_pipe_is_what_a_request_points_at(nlsh: Run, home: Path, shipped_models: None, request_: str, found: str) -> None:
    done = nlsh("-c", request_, stdin="pear\napple pie\napple pie\n")
    assert (done.returncode, done.stdout) == (0, found), done.stderr


def test_what_cannot_be_done_with_a_text_from_a_pipe_says_so(nlsh: Run, files: Path, shipped_models: None) -> None:
    for request_, status, says in (
        ("save the input as new.txt", 4, "only its text"), ("delete these lines", 4, "only its text"), ("delete those", 2, "came on stdin is not files"),
    ):  # fmt: skip
        done = nlsh("--yes", "-c", request_, stdin="pear\napple\n")
        assert (done.returncode, done.stdout) == (status, "") and says in done.stderr, request_
    nothing = nlsh("-c", "sort these lines", stdin="")
    assert nothing.returncode == 1 and "Nothing came on stdin" in nothing.stderr
    assert visible(files) == {"old.txt", "keep.txt"}


def test_paths_on_a_pipe_are_files_where_nothing_is_said_of_lines(nlsh: Run, files: Path, shipped_models: None) -> None:
    assert nlsh("-c", "count the lines", stdin="old.txt\nkeep.txt\n").stdout == "2\n"
    assert nlsh("-c", "only the ones that contain keep", stdin="old.txt\nkeep.txt\n").stdout.strip().endswith("keep.txt")


# --- on a terminal -------------------------------------------------------------------------------------------------


def test_the_question_defaults_to_no(terminal: Terminal, files: Path) -> None:
    (files / ".p").write_text(TRASH_OLD)
    child = terminal("plan", ".p")
    child.expect_exact("Run this? [y/N/a/e/?] ")
    assert "move ~/old.txt to the trash" in plain(child.before)
    child.sendline("")
    assert ended(child) == 3
    assert "Nothing was changed." in plain(child.before)
    assert "old.txt" in visible(files)


def test_why_then_yes(terminal: Terminal, files: Path) -> None:
    (files / ".p").write_text(TRASH_OLD)
    child = terminal("plan", ".p")
    child.expect_exact("Run this? [y/N/a/e/?] ")
    child.sendline("?")
    child.expect_exact("Run this? [y/N/a/e/?] ")
    assert "rule changes" in plain(child.before) and "fs.delete: ~/old.txt" in plain(child.before)
    child.sendline("y")
    child.expect_exact("Done: 1 step")
    assert ended(child) == 0
    assert visible(files) == {"keep.txt"}


def test_an_edited_plan_is_previewed_again(terminal: Terminal, files: Path) -> None:
    editor = files / ".editor"
    editor.write_text('#!/bin/sh\nsed -i s/old/keep/ "$1"\n')
    editor.chmod(0o755)
    (files / ".p").write_text(TRASH_OLD)
    child = terminal("plan", ".p", EDITOR=str(editor))
    child.expect_exact("Run this? [y/N/a/e/?] ")
    child.sendline("e")
    child.expect_exact("move ~/keep.txt to the trash")
    child.expect_exact("Run this? [y/N/a/e/?] ")
    child.sendline("y")
    assert ended(child) == 0
    assert visible(files) == {"old.txt"}


def test_an_edit_that_is_no_plan_leaves_the_plan_as_it_was(terminal: Terminal, files: Path) -> None:
    editor = files / ".editor"
    editor.write_text('#!/bin/sh\necho "import os" > "$1"\n')
    editor.chmod(0o755)
    (files / ".p").write_text(TRASH_OLD)
    child = terminal("plan", ".p", EDITOR=str(editor))
    child.expect_exact("Run this? [y/N/a/e/?] ")
    child.sendline("e")
    child.expect_exact("The plan is as it was.")
    child.expect_exact("Run this? [y/N/a/e/?] ")
    child.sendline("n")
    assert ended(child) == 3
    assert visible(files) == {"old.txt", "keep.txt"}


def test_ctrl_c_at_the_question_is_130_and_changes_nothing(terminal: Terminal, files: Path) -> None:
    (files / ".p").write_text(TRASH_OLD)
    child = terminal("plan", ".p")
    child.expect_exact("Run this? [y/N/a/e/?] ")
    child.sendintr()
    assert ended(child) == 130
    assert "old.txt" in visible(files)


def test_ctrl_d_at_the_question_is_a_no(terminal: Terminal, files: Path) -> None:
    (files / ".p").write_text(TRASH_OLD)
    child = terminal("plan", ".p")
    child.expect_exact("Run this? [y/N/a/e/?] ")
    child.sendeof()
    assert ended(child) == 3
    assert "old.txt" in visible(files)


def test_interrupting_a_command_is_130(environment: dict[str, str], home: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "nlsh", "-c", "!cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=home, env=environment
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(b"started\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"started\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    for stream in (process.stdin, process.stdout, process.stderr):
        assert stream is not None
        stream.close()


def test_hostile_names_cannot_draw_the_prompt(terminal: Terminal, home: Path) -> None:
    for name in (EVIL, RTL, NEWLINE):
        (home / name).write_text("x")
    (home / ".p").write_text("a = file.list()\nfile.trash(a)")
    child = terminal("plan", ".p", NO_COLOR="")
    child.expect_exact("Run this? [y/N/a/e/?] ")
    shown = child.before
    assert "\x1b[2J" not in shown and "\u202e" not in shown
    assert r"evil\x1b[2Jname.txt" in shown and r"invoice\u202efdp.exe" in shown and r"two\nlines.txt" in shown
    child.sendline("n")
    assert ended(child) == 3


def test_hostile_names_in_results(nlsh: Run, terminal: Terminal, home: Path) -> None:
    for name in (EVIL, RTL, NEWLINE):
        (home / name).write_text("x")
    (home / ".p").write_text("file.list()")
    child = terminal("plan", ".p")
    assert ended(child) == 0
    assert "\x1b[2J" not in child.before and "\u202e" not in child.before
    piped = nlsh("plan", ".p").stdout
    assert len(piped.splitlines()) == 3 and "\x1b" not in piped
    exact = [json.loads(line)["path"] for line in nlsh("plan", ".p", "--json").stdout.splitlines()]
    assert {Path(p).name for p in exact} == {EVIL, RTL, NEWLINE}


def test_a_name_that_is_not_utf8_survives_a_pipe(nlsh: Run, home: Path) -> None:
    name = os.fsdecode(b"caf\xe9.txt")
    (home / name).write_text("x")
    assert nlsh("plan", "-", stdin="file.list()").stdout == f"{home}/{name}\n"
    done = nlsh("plan", "-", "--yes", stdin="a = file.list()\nfile.trash(a)")
    assert done.returncode == 0, done.stderr
    assert r"caf\xe9.txt" in done.stderr
    assert visible(home) == set()


def test_no_colour_where_none_is_wanted(terminal: Terminal, files: Path) -> None:
    (files / ".p").write_text("file.list()")
    coloured = terminal("plan", ".p", NO_COLOR="")
    ended(coloured)
    assert "\x1b[2m" in coloured.before
    for words, more in (
        ((), {"NO_COLOR": "1"}),
        ((), {"TERM": "dumb", "NO_COLOR": ""}),
        (("--color", "never"), {"NO_COLOR": ""}),
        (("--plain",), {"NO_COLOR": ""}),
    ):
        child = terminal("plan", ".p", *words, **more)
        ended(child)
        assert "\x1b[" not in child.before, (words, more)


def test_a_table_on_a_terminal_and_plain_lines_with_plain(terminal: Terminal, files: Path) -> None:
    (files / ".p").write_text("file.list()")
    child = terminal("plan", ".p")
    ended(child)
    assert "size" in child.before and "3 B" in child.before
    child = terminal("plan", ".p", "--plain")
    ended(child)
    assert f"{files}/old.txt" in child.before and "3 B" not in child.before


def test_a_thousand_steps_are_counted_not_listed(nlsh: Run, home: Path) -> None:
    (home / "d").mkdir()
    for number in range(1000):
        (home / "d" / f"{number:04}").write_text("12345")
    done = nlsh("plan", "-", "-n", stdin='a = file.find(under="d", type="file")\nfile.trash(a)')
    assert "and 980 more" in done.stderr and "1,000 steps, 4.9 KB" in done.stderr
    assert len(done.stderr.splitlines()) < 40


def test_two_requests_cannot_be_mixed(nlsh: Run) -> None:
    assert nlsh("-c", "!ls", "undo").returncode == 2
