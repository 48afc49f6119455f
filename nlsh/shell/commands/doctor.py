"""What `nlsh doctor` and `nlsh model` look at: this machine, this installation, the models. Every check says what it found."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from typing import Any

from nlsh import __version__, settings, shipped
from nlsh.plan.errors import NlshError, NotPossible
from nlsh.shell.options import Options
from nlsh.shell.show import count, size


def checks(options: Options) -> list[dict[str, Any]]:
    """Run every check and return what each found: `what`, `ok`, `found`."""
    every: tuple[tuple[str, Callable[[Options], str]], ...] = (
        ("nlsh", _version),
        ("enforcement", _enforcement),
        ("a confined worker", _worker),
        ("policy", _policy),
        ("settings", _settings),
        ("state folder", _state),
        ("journal", _journal),
        ("audit", _audit),
        ("actions", _actions),
        ("skill packs", _packs),
        ("llama.cpp", _llama),
        ("models", _models),
        ("a request", _request),
    )
    found = []
    for what, check in every:
        try:
            found.append({"what": what, "ok": True, "found": check(options)})
        except (NlshError, OSError, ImportError) as error:
            found.append({"what": what, "ok": False, "found": str(error)})
    return found


def _version(options: Options) -> str:
    return f"{__version__}, Python {platform.python_version()}, {platform.system()} {platform.release()} on {platform.machine()}"


def _enforcement(options: Options) -> str:
    from nlsh.guard import demands
    from nlsh.guard.sandbox.probe import apparmor_profile, probe

    found = probe()
    said = " ".join(found.sentences())
    if found.lacks_view and (profile := apparmor_profile()):
        place = settings.state_dir() / "apparmor-profile"
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        place.write_text(profile)
        said += f" Such a profile was written to {place}: sudo install -m 644 {place} /etc/apparmor.d/nlsh && sudo apparmor_parser -r /etc/apparmor.d/nlsh"
    required = demands.found().require
    if found.level == "L0" or found.level < required:
        wanted = f" Your policy requires {required}, so nothing that needs a worker is run." if required else ""
        raise NotPossible(said + wanted, hint="Changes are refused; typed reading works." if not required else "")
    return said


def _worker(options: Options) -> str:
    """Run one step in a worker that may read one folder: the whole way, on this machine."""
    import time

    from nlsh.guard.grant import Grant
    from nlsh.guard.sandbox.zygote import Zygote
    from nlsh.plan.effects import Effect
    from nlsh.steps.observe import Observe

    effect = Effect("fs.read", os.getcwd())
    step = Observe("file.list", {"limit": "1"}, {"paths": [os.getcwd()]}, (effect,))
    zygote = Zygote.start()
    try:
        started = time.perf_counter()
        job = {"steps": [step.as_data()], "grant": Grant.of((effect,)).as_data(), "cwd": os.getcwd(), "env": dict(os.environ)}
        last = [m for m in zygote.run(job) if m["type"] in ("done", "failed", "denied")][-1]
        took = time.perf_counter() - started
    finally:
        zygote.close()
    if last["type"] != "done":
        raise NlshError.from_data(last["error"])
    return f"starts, confines itself and answers in {took * 1000:.0f} ms"


def _policy(options: Options) -> str:
    from nlsh.guard.policy import load

    return f"{count(len(load().rules), 'rule')}, from the shipped defaults, {settings.config_dir()}/policy.toml and .nlsh/policy.toml"


def _settings(options: Options) -> str:
    settings.load_settings()
    return str(settings.config_dir() / "config.toml")


def _state(options: Options) -> str:
    folder = settings.state_dir()
    mode = folder.stat().st_mode & 0o777
    if not os.access(folder, os.W_OK):
        raise NotPossible(f"{folder} cannot be written.", hint="Make it yours.")
    if mode & 0o077:
        raise NotPossible(f"{folder} can be read by others (mode {mode:o}).", hint=f"chmod 700 {folder}")
    return str(folder)


def _journal(options: Options) -> str:
    from nlsh.journal.store import Journal
    from nlsh.kernel.recover import unfinished

    journal = Journal()
    try:
        left = [r for r in unfinished(journal) if not r.settled]
        runs = journal.recent(1)
    finally:
        journal.close()
    return f"{f'{runs[0].id} runs so far' if runs else 'empty'}" + "".join(f"; {r.message}" for r in left)


def _audit(options: Options) -> str:
    from nlsh.journal.audit import Audit

    verdict = Audit().verify()
    if not verdict.holds:
        where = f" at entry {verdict.breaks[0].entry}" if verdict.breaks[0].entry else ""
        raise NotPossible(f"the chain is broken{where}: {verdict.problem}.", hint="See nlsh audit verify.")
    return f"the chain holds, {verdict.entries} entries"


def _actions(options: Options) -> str:
    from nlsh.plan import registry

    return f"{len(registry.all_actions())} in the catalogue"


def _packs(options: Options) -> str:
    from nlsh.skills.load import all_packs

    return ", ".join(p.name for p in all_packs()) or "none"


def _llama(options: Options) -> str:
    from nlsh.planner.engine import library

    library()
    for entry in sys.path:
        try:
            for name in os.listdir(entry or "."):
                if name.startswith("llama_cpp_python-") and name.endswith(".dist-info"):
                    return f"llama-cpp-python {name.removeprefix('llama_cpp_python-').removesuffix('.dist-info')}"
        except OSError:
            continue
    return "loads"


def _models(options: Options) -> str:
    facts = model_facts(options)
    missing = [f for f in facts if not f["found"]]
    if missing:
        raise NotPossible("; ".join(f"the {f['model']} {f['path']}: {f['what']}" for f in missing), hint="Reinstall nlsh, or choose another with --model.")
    return "; ".join(f"{f['model']} {f['path']} ({f['what']})" for f in facts)


def _request(options: Options) -> str:
    """Plan a sentence the models must know; run nothing."""
    import time

    from nlsh.plan import registry
    from nlsh.planner.answer import Context
    from nlsh.planner.models import planner_for

    started = time.perf_counter()
    answer = planner_for(settings.load_settings()).plan("find pdfs in my downloads folder", Context(os.getcwd(), os.path.expanduser("~")))
    took = time.perf_counter() - started
    if not answer.readings:
        raise NotPossible(f"“find pdfs in my downloads folder” was not understood: {answer.message}")
    return f"“find pdfs in my downloads folder” becomes {'; '.join(registry.format(answer.readings[0].plan).splitlines())} in {took * 1000:.0f} ms"


def model_facts(options: Options) -> list[dict[str, Any]]:
    """Return which model files are used: `model`, `path`, `what`, `found`."""
    chosen = settings.load_settings()
    facts = []
    for role, asked in (("planner", options.model or chosen.planner), ("encoder", chosen.encoder)):
        files = [_place(asked)] if asked else sorted(str(p) for p in (shipped.models_dir() / role).glob("*.gguf"))
        if not files:
            facts.append({"model": role, "path": str(shipped.models_dir() / role), "what": "no model lies there", "found": False})
        for path in files:
            facts.append({"model": role, "path": path, **_file_facts(path, bool(asked))})
    return facts


def _place(asked: str) -> str:
    """Return the file that is meant, whether or not it is there."""
    from nlsh.planner.models import resolve

    try:
        return str(resolve(asked))
    except NlshError:
        return os.path.abspath(os.path.expanduser(asked))


def _file_facts(path: str, chosen: bool) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            magic = file.read(4)
            amount = os.fstat(file.fileno()).st_size
    except OSError as error:
        return {"what": f"cannot be read: {error.strerror}", "found": False}
    if magic != b"GGUF":
        return {"what": "is not a GGUF model", "found": False}
    return {"what": f"{size(amount)}, {'chosen by you' if chosen else 'shipped'}", "found": True, "size_bytes": amount}
