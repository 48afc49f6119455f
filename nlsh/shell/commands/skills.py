"""nlsh skills: list, show, test, make, add, trust, pin and remove skill packs. Adding and trusting ask first; nothing of a pack is run by it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from nlsh.plan.errors import NlshError, NotUnderstood
from nlsh.shell.options import Options, UsageError, not_so
from nlsh.shell.show import Look, escape, show_table
from nlsh.shell.turn import DENIED, Session
from nlsh.skills import load, own
from nlsh.skills.ceiling import ceiling
from nlsh.skills.load import Entry, Pack, load_pack

_WORDS = "list; show PACK[.ENTRY]; test [PACK…]; new NAME [--from-last N]; add FOLDER; trust PACK; pin PACK.ENTRY [KEY=VALUE…]; remove PACK"


def run(options: Options, look: Look) -> int:
    """Do what `nlsh skills` is told. Raises UsageError, BadPack and NotFound."""
    match options.words:
        case [] | ["list"]:
            return _list(look)
        case ["show", name]:
            return _show(name, look)
        case ["test", *names]:
            return _test(names)
        case ["new", name]:
            return _new(name, _last(options.from_last))
        case ["add", folder]:
            return _add(Path(folder), options)
        case ["trust", name]:
            return _trust(load.find_pack(name), options)
        case ["pin", name, *given]:
            return _pin(name, given, options)
        case ["remove", name]:
            return _remove(name, options)
    raise not_so("skills", options.words, [form.split()[0] for form in _WORDS.split("; ")], f"There is: {_WORDS}.")


def _say(*lines: str) -> None:
    for line in lines:
        print(escape(line), file=sys.stderr)


def _agreed(question: str, options: Options) -> bool:
    """Ask; without anybody to ask it is no, but for --yes."""
    if options.yes:
        return True
    if options.no_input or not (sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()):
        _say("nlsh: this needs an approval and there is nobody to ask. Nothing was changed. --yes approves it.")
        return False
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _list(look: Look) -> int:
    packs, status = [], 0
    for name, folder in load.found():
        try:
            packs.append(load_pack(folder))
        except load.BadPack as error:
            _say(f"nlsh: {name}: {error}")
            status = error.exit_status
    consent = own.Consent()
    rows = [(p.name, str(len(p.entries)), _whose(p), _trusted(p, consent), p.description) for p in packs]
    data = [{"pack": p.name, "description": p.description, "folder": str(p.folder), "entries": list(p.entries), "own_actions": list(p.actions)} for p in packs]
    show_table(("pack", "entries", "from", "own code", "description"), rows, look, data=data)
    return status


def _trusted(pack: Pack, consent: own.Consent) -> str:
    return "" if not pack.actions else "trusted" if consent.holds(pack, own.sources(pack)) else "not trusted"


def _whose(pack: Pack) -> str:
    parents = dict(zip(map(str, load.folders()), ("you", "you", "nlsh", "project"), strict=True))
    return parents.get(str(pack.folder.parent), str(pack.folder.parent))


def _show(name: str, look: Look) -> int:
    pack = load.find_pack(name.partition(".")[0])
    entries = [load.find(name)] if "." in name else list(pack.entries.values())
    if look.json:
        import json

        for entry in entries:
            print(json.dumps({**entry.as_data(), "ceiling": list(_ceiling(entry)), "folder": str(pack.folder)}))
        return 0
    lines = [look.paint(pack.name, "bold", err=False) + f"  {escape(pack.description)}", f"  in {escape(str(pack.folder))}"]
    lines += _code_lines(pack)
    for entry in entries:
        lines += ["", look.paint(entry.full_name, "bold", err=False) + f"  {escape(entry.summary)}"]
        lines += [f"  {escape(text)}" for part in entry.parts for text in part.strip().splitlines()]
        lines += [f"  sentence: {escape(entry.sentence)}"] if entry.sentence else []
        lines += [f"  called by: “{escape(say)}”" for say in entry.say]
        for p in entry.parameters.values():
            usual = "needed" if p.default is None else f"usually {p.default}"
            lines.append(f"  {p.name}: {p.type.name}, {escape(usual)}. {escape(p.help)}")
        lines.append(f"  may at most: {escape(', '.join(_ceiling(entry)))}{'; always asked about' if entry.ask else ''}")
    print("\n".join(lines))
    return 0


def _ceiling(entry: Entry) -> tuple[str, ...]:
    try:
        return ceiling(entry)
    except NlshError as error:
        return (f"nothing, as it is: {error.message}",)


def _code_lines(pack: Pack) -> list[str]:
    if not pack.actions:
        return []
    trusted = "you agreed to it" if own.Consent().holds(pack, own.sources(pack)) else f"not run before: nlsh skills trust {pack.name}"
    lines = [f"  has Python code of its own ({trusted}), which may change nothing and read:"]
    return lines + [f"    {a.name}: {escape(', '.join(a.reads) or 'nothing')}; {escape(str(a.file))}" for a in pack.actions.values()]


def _test(names: list[str]) -> int:
    from nlsh.skills.check import check_pack

    # Those that others have put there are tested where they are named.
    packs = [load_pack(Path(n).resolve()) if os.path.isdir(n) else load.find_pack(n) for n in names] or [load_pack(f) for _, f in load.added()]
    failures = 0
    for pack in packs:
        problems = check_pack(pack)
        failures += len(problems)
        _say(*problems)
        if not problems:
            count = sum(len(e.tests) for e in pack.entries.values())
            print(escape(f"{pack.name}: {count} test{'' if count == 1 else 's'} passed."))
    return 1 if failures else 0


def said(session: Session, name: str, count: int, request: str) -> int:
    """Do what a sentence that asks for a pack of the last requests means, once the user has seen what would be in it. Raises what `nlsh skills new` raises."""
    from nlsh.skills.new import of_requests

    name = name or _free_name()
    command = f"nlsh skills new {name} --from-last {count}"
    if session.options.dry_run or session.mode == "plan":
        print(escape(command))
        return 0
    requests = _last(count)
    entries = of_requests(requests)[0]["entries"]
    lines = [f"  A skill pack: {name}, in {load.folders()[0] / name}"]
    for entry, fields in entries.items():
        lines += [f"    {name}.{entry}: {fields['summary']}", *(f"      {line}" for line in fields["plan"].splitlines())]
    session.say(*map(escape, lines))
    who = _said_yes(session)
    decided: dict[str, Any] = {"request": request, "decision": "allow" if who else "deny", "rule": command, "who": who or "user", "level": session.level}
    session.audit.append("decision", **decided)
    if not who:
        session.say("Nothing was written.")
        return DENIED
    return _new(name, requests)


def _said_yes(session: Session) -> str:
    """Return who approves: "user", "flag", or nobody."""
    if session.options.yes:
        return "flag"
    if not session.can_ask():
        session.say("nlsh: this needs an approval and there is nobody to ask. --yes approves it, -n shows it.")
        return ""
    try:
        return "user" if session.read("Write this pack? Nothing of it is run now. [y/N] ").strip().lower() in ("y", "yes", "是", "好") else ""
    except EOFError:
        return ""


def _free_name() -> str:
    folder, name, number = load.folders()[0], "last-requests", 2
    while (folder / name).exists():
        name, number = f"last-requests-{number}", number + 1
    return name


def _last(count: int) -> list[tuple[str, str]]:
    """Return the last requests that were done and not taken back, with their plans, oldest first. Raises UsageError where there are none."""
    from nlsh.journal.store import Journal

    if not count:
        return []
    journal = Journal()
    runs = [r for r in journal.recent(10 * count) if r.turn == "do" and r.status == "done" and r.undone_by is None]
    journal.close()
    if not runs:
        raise UsageError("The journal has no requests that were done and not taken back.", hint="Nothing was written. What only reads is not journalled.")
    return [(r.request or r.plan, r.plan) for r in reversed(runs[:count])]


def _new(name: str, requests: list[tuple[str, str]]) -> int:
    from nlsh.skills.new import write_pack

    folder, left_out = write_pack(name, requests)
    pack = load_pack(folder)
    _say(*(f"Left out: {reason}" for reason in left_out), *_hidden_by(name))
    print(escape(f"{folder}: {', '.join(e.full_name for e in pack.entries.values())}."))
    return 0


def _add(folder: Path, options: Options) -> int:
    pack = load_pack(folder.resolve())
    target = load.folders()[0] / pack.name
    if target.exists():
        raise UsageError(f"You have a pack {pack.name} already.", hint=f"Nothing was changed. First: nlsh skills remove {pack.name}.")
    _check_links(pack.folder, pack.folder)
    _say(f"{pack.name}: {pack.description}", *(f"  {e.full_name} may at most: {', '.join(_ceiling(e))}" for e in pack.entries.values()), *_code_lines(pack))
    if not _agreed(f"Copy it to {escape(str(target))}?", options):
        return DENIED
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix=".", dir=target.parent) as aside:
        copy = Path(aside) / pack.name
        shutil.copytree(pack.folder, copy, symlinks=True)
        # What is added is what was shown, whatever became of the folder while it was copied.
        _check_links(copy, pack.folder)
        if _promises(load_pack(copy)) != _promises(pack):
            raise UsageError(f"{pack.folder} was changed while it was copied.", hint="Nothing was changed. Look at it and add it again.")
        copy.rename(target)
    print(escape(f"Added: {pack.name}."))
    _say(*_hidden_by(pack.name))
    if pack.actions:
        _say(f"Its own code is not run until you have read it and said: nlsh skills trust {pack.name}")
    return 0


def _hidden_by(name: str) -> list[str]:
    """Return what is to be said where one's own pack has the name of another, which is not found any more."""
    other = dict(load.found(load.folders()[1:])).get(name)
    return [f"It comes before {other}, which has the same name. To have that one again: nlsh skills remove {name}."] if other is not None else []


def _check_links(folder: Path, named: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_symlink():
            raise UsageError(f"{named} has links in it, which may lead anywhere.", hint="Nothing was changed. Replace them by what they lead to.")
        if not file.is_file() and not file.is_dir():
            raise UsageError(f"{file} is neither a file nor a folder.", hint="Nothing was changed. Remove it and add the pack again.")


def _promises(pack: Pack) -> tuple[object, ...]:
    return pack.description, [e.as_data() for e in pack.entries.values()], {a.name: a.reads for a in pack.actions.values()}


def _trust(pack: Pack, options: Options) -> int:
    if not pack.actions:
        print(escape(f"{pack.name} has no code of its own: there is nothing to agree to."))
        return 0
    code = own.sources(pack)
    for action in pack.actions.values():
        _say(f"--- {action.file}", *code[action.name].splitlines())
    _say(*_code_lines(pack))
    if not _agreed("Let this code run, confined to reading these?", options):
        return DENIED
    own.Consent().give(pack, code)
    print(escape(f"Trusted: {pack.name}, as it was shown. A change of its code asks again."))
    return 0


def _pin(name: str, words: list[str], options: Options) -> int:
    """Plan an entry's sentence, show it, and keep the plan that is approved."""
    from nlsh.shell.preview import preview_lines
    from nlsh.skills import pins
    from nlsh.skills.ceiling import held
    from nlsh.skills.run import sentence_plan

    entry = load.find(name)
    given = entry.given(words)
    if not entry.sentence or entry.parts:
        raise UsageError(f"{entry.full_name} has its plan written down: there is nothing to pin.")
    if entry.folder.parent != load.folders()[0]:
        raise UsageError(f"{entry.pack} is not one of your own packs: it lies in {entry.folder}.", hint=f"Nothing was pinned. {_copy_first(entry)}")
    with Session.start(options) as session:
        own.load(entry)
        with held(entry, given, session, session.kernel):
            plan = sentence_plan(entry, given, session)
            try:
                preview = session.kernel.preview(plan, f"pin {entry.full_name}")
            except NlshError as error:
                if error.code != "plan.nothing-found":
                    raise
                raise NotUnderstood(f"Its plan finds nothing here that could be shown: {error.message}", hint="Nothing was pinned.") from error
            decision = session.policy.decide(preview)
        session.say(*preview_lines(preview, session.look, decision=decision, cwd=os.getcwd()))
        if decision.answer == "deny":
            raise UsageError(f"This would be denied: {decision.reason}.", hint="Nothing was pinned.")
        if not _agreed("Pin this plan? Nothing of it is run now.", options):
            return DENIED
        try:
            file = pins.write(entry.folder, pins.make(entry, given, plan, preview.digest()))
        except OSError as error:
            raise UsageError(f"{error.filename}: {error.strerror}.", hint=f"Nothing was pinned. {_copy_first(entry)}") from error
        session.audit.append("note", request=f"pin {entry.full_name}", digest=preview.digest(), who="user")
    print(escape(f"Pinned in {file}."))
    return 0


def _copy_first(entry: Entry) -> str:
    return f"Add a copy first: nlsh skills add {entry.folder}."


def _remove(name: str, options: Options) -> int:
    folder = load.folders()[0] / name
    if "/" in name or not (folder / "pack.toml").is_file():
        found = load.find_pack(name)
        raise UsageError(f"{name} is not one of your own packs: it lies in {found.folder}.", hint="Nothing was removed. Only what you added can be removed.")
    if not _agreed(f"Remove {escape(str(folder))} for good?", options):
        return DENIED
    shutil.rmtree(folder)
    own.Consent().forget(folder)
    print(escape(f"Removed: {name}."))
    return 0
