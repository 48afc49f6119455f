"""Ground a plan's paths in what exists here: a span that names nothing is widened, or narrowed, to the nearest one that does.

“rename the folder Pension Papers” points at “Pension”, “打开回忆录.txt” at “.txt”, “清样练习题.pdf共几页” at a word too many: a model that sees words cannot
know where a name begins and ends, the file system does. Only the request's own text is ever taken, only where the span as it stands means nothing here,
and the longest name that exists wins. What is to be made is not narrowed: “old notes” is no “notes”. Nothing is changed or read but names.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from itertools import combinations

from nlsh.plan.errors import NlshError
from nlsh.plan.plan import Call, Plan, Ref, Value
from nlsh.plan.values import Files, Paths, ValueType
from nlsh.planner.lexer import Word, lex
from nlsh.planner.vocabulary import Catalogue
from nlsh.world.places import absolute, bare_names, well_known

_IN, _WITHIN = ("in", "under", "inside", "within", "在"), ("里", "中", "下", "内")
REACH = 6  # words to each side: a Chinese character is a word
MAKES = ("file.create", "file.template", "file.touch", "folder.create")  # what they name need not be here
_TARGETS = ("to", "log")
_COMPARED = ("file.compare", "file.diff")  # with what there is
_ADDS = (  # what they are about stays as it is
    "archive.create", "archive.extract", "document.", "file.copy", "file.join", "image.convert", "image.crop", "image.join", "image.resize", "media.", "pdf.",
)  # fmt: skip
_UNITS = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")


def ground(plan: Plan, request: str, *, cwd: str, home: str) -> Plan:
    """Return the plan with each path that does not exist replaced by the nearest span that does, where there is one."""
    words = lex(request)
    return Plan(tuple(_call(c, request, words, cwd, home) for c in plan.calls))


def heard(plan: Plan, request: str) -> Plan:
    """Return the plan with what the words around a value make of it: of “50% louder” the model copies “50%”, which would be half as loud."""
    from nlsh.plan.registry import get, names

    calls = []
    for call in plan.calls:
        fields = get(call.action).Args.fields if call.action in names() else {}
        args = {k: fields[k].type.heard(v, request) if k in fields and isinstance(v, str) else v for k, v in call.args.items()}
        calls.append(replace(call, args=args))
    return Plan(tuple(calls))


def must_exist(action: str, argument: str) -> bool:
    """Return whether the paths of an argument are of what is there, and not of what is made."""
    return action not in MAKES and (argument not in _TARGETS or action in _COMPARED)


def existing(plan: Plan, request: str, *, cwd: str, home: str) -> int:
    """Return how many of the request's names that the plan takes as paths are of something here: evidence for the reading.

    A folder where only files can be meant counts against it. Services are here, too: is nginx one, or only a program?
    """
    from nlsh.plan.registry import get, names

    found = 0
    for call in plan.calls:
        found += call.action.startswith("service.") and _is_service(call.args.get("name"))
        fields = get(call.action).Args.fields if call.action in names() else {}
        for name, value in call.args.items():
            if name in fields and isinstance(fields[name].type, Paths) and not isinstance(value, Ref):
                items = _items(value)
                # A name alone was said too where `located` put the folder before it.
                said = [i for i in items if i in request or os.path.basename(i.rstrip("/")) in request]
                here = [i for i in said if _is_here(i, cwd, home)]
                wrong = [i for i in here if isinstance(fields[name].type, Files) and _is_folder(i, cwd, home)]
                found += len(here) - 2 * len(wrong)
    return found


def _is_service(name: Value | None) -> bool:
    """Return whether a service that is called so is installed. No manager of services is asked: that would take longer than to plan."""
    from nlsh.world.services import unit_name

    try:
        unit = unit_name(name) if isinstance(name, str) else ""
    except NlshError:
        return False
    before, at, _ = unit.partition("@")
    return bool(unit) and any(os.path.lexists(os.path.join(folder, one)) for folder in _UNITS for one in (unit, *((f"{before}@.service",) if at else ())))


def taken_twice(plan: Plan, request: str, actions: Catalogue) -> int:
    """Return how many pairs of a call's values share words that the request says once: “find the logs folder” is not about logs in the logs folder.

    `actions` say which values are fixed, and need not be said. At most two.
    """
    found = 0
    for call in plan.calls:
        fixed = {slot.name: slot.fixed for slot in actions.get(call.action, ())}
        values = [i for k, v in call.args.items() if not isinstance(v, Ref | bool) for i in _items(v) if i not in fixed.get(k, ()) and len(i) > 1]
        for one, other in combinations(sorted(values, key=len), 2):
            found += one in other and request.count(one) == 1
    return min(2, found)


def places_left(plan: Plan, request: str, *, cwd: str, home: str) -> int:
    """Return how many folders the request says something is in, that are here, and that the plan takes no notice of: “… in src”, “src里的…”."""
    values = [str(one).lower() for c in plan.calls for v in c.args.values() if not isinstance(v, Ref | bool) for one in (v if isinstance(v, tuple) else (v,))]
    words = lex(request)
    found = 0
    for n, word in enumerate(words):
        said = (n > 0 and words[n - 1].text.lower() in _IN) or (n + 1 < len(words) and words[n + 1].text in _WITHIN)
        if not said or any(word.text.lower() in value for value in values):
            continue
        places = [absolute(word.text, cwd=base, home=home) for base in (cwd, home)]
        found += any(map(os.path.isdir, [*places, *filter(None, [well_known(word.text, home, cwd)])]))
    return found


def located(plan: Plan, request: str, *, cwd: str, home: str) -> Plan:
    """Return the plan with names that are not here put into the folder that the request says they are in: “delete plan.txt in Documents”, “下载里的a.zip”.

    A folder that the plan takes for one more thing of the same kind is then only where the other lies.
    """
    from nlsh.plan.registry import get, names

    places: list[str] | None = None

    def found(written: str) -> str | None:
        nonlocal places
        if "/" in written or any(c in written for c in "*?[") or _exists(written, cwd, home) or well_known(written, home, cwd):
            return None
        places = _places_said(request, cwd, home) if places is None else places
        hits = [path for place in places if os.path.lexists(path := os.path.join(place, written))]
        return hits[0] if len(hits) == 1 else None

    calls = []
    for call in plan.calls:
        fields = get(call.action).Args.fields if call.action in names() else {}
        args = dict(call.args)
        for name, value in call.args.items():
            if name == "to" or name not in fields or not isinstance(fields[name].type, Paths) or isinstance(value, Ref | bool):
                continue
            items = _items(value)
            put = {i: path for i in items if (path := found(i))}
            if put:
                above = {os.path.dirname(path) for path in put.values()}
                kept = [
                    _written(put[i], cwd, home) if i in put else i
                    for i in items
                    if i in put or not (_is_folder(i, cwd, home) and _place(i, cwd, home) in above)
                ]
                args[name] = tuple(kept) if len(kept) > 1 else kept[0]
        calls.append(replace(call, args=args))
    return Plan(tuple(calls), plan.schedule)


def _written(path: str, cwd: str, home: str) -> str:
    """Return a path as a person would write it here."""
    for base, before in ((cwd, ""), (home, "~/")):
        if path.startswith(base.rstrip("/") + "/") and (below := path[len(base.rstrip("/")) + 1 :])[:1] not in ("~", "-"):
            return before + below
    return path


def _places_said(request: str, cwd: str, home: str) -> list[str]:
    """Return the folders that are here and that the request says something is in."""
    words = lex(request)
    found: dict[str, None] = {}
    for n, word in enumerate(words):
        if word.text.lower() in _IN:
            spans = [(n + 1, t) for t in range(min(len(words) - 1, n + REACH), n, -1)]
        elif word.text in _WITHIN:
            spans = [(f, n - 1) for f in range(max(0, n - REACH), n)]
        else:
            continue
        for f, t in spans:
            path = _place(request[words[f].start : words[t].end], cwd, home)
            if os.path.isdir(path):
                found[path] = None
                break
    return list(found)


def _place(text: str, cwd: str, home: str) -> str:
    """Return the folder that is called so, here or at home; where there is none, what would be it here."""
    here = [absolute(text, cwd=base, home=home) for base in (cwd, home)]
    return next((p for p in here if os.path.isdir(p)), None) or well_known(text, home, cwd) or here[0]


def as_a_name(plan: Plan, *, cwd: str, home: str) -> Plan | None:
    """Return the plan that means one thing by its name where `plan` finds a kind of file to do something with, and such a thing is here; else None.

    “pack the logs”: the log files, or the folder that is called logs? Where there is such a folder, both are readings.
    """
    if len(plan.calls) != 2:
        return None
    found, then = plan.calls
    kind = found.args.get("kind")
    if found.action != "file.find" or set(found.args) != {"kind"} or not isinstance(kind, str) or not _exists(kind, cwd, home):
        return None
    args = {k: kind if isinstance(v, Ref) and v.name == found.result else v for k, v in then.args.items()}
    return Plan((replace(then, args=args),)) if kind in args.values() else None


def for_folders(plan: Plan, *, cwd: str, home: str) -> Plan | None:
    """Return the plan for folders where `plan` is one for files and all that it names here are folders; else None: “compress logs”, “show me src”."""
    from nlsh.plan.registry import get, names

    if len(plan.calls) != 1 or len(plan.calls[0].args) != 1 or plan.calls[0].action not in names():
        return None
    ((name, value),) = plan.calls[0].args.items()
    fields = get(plan.calls[0].action).Args.fields
    kind = fields[name].type if name in fields else None
    if not isinstance(kind, Files) or not kind.for_folders or isinstance(value, Ref) or not all(_is_folder(i, cwd, home) for i in _items(value)):
        return None
    first = get(kind.for_folders).first_argument()
    return Plan((replace(plan.calls[0], action=kind.for_folders, args={first: value}),)) if first else None


def sense(plan: Plan, *, cwd: str, home: str) -> tuple[object, ...]:
    """Return what a plan means here, to compare: “logs” and “the logs folder”, “one” and “one core” are the same, whatever the words."""
    from nlsh.plan.registry import get, names

    meant: list[object] = []
    for call in plan.calls:
        fields = get(call.action).Args.fields if call.action in names() else {}
        items = ((k, _sense(fields[k].type, v, cwd, home) if k in fields else v) for k, v in call.args.items())
        meant.append((call.action, tuple(sorted(items, key=lambda kv: kv[0])), call.result))
    return tuple(meant)


def _sense(kind: ValueType, value: Value, cwd: str, home: str) -> object:
    from nlsh.world.places import resolve

    if isinstance(value, Ref):
        return value
    try:
        if isinstance(kind, Paths):
            items = value if isinstance(value, tuple) else (str(value),)
            return tuple(sorted(i if any(c in i for c in "*?[") else resolve(i, cwd=cwd, home=home, must_exist=False) for i in items))
        return repr(kind.parse(value))
    except (ValueError, TypeError, NlshError):
        return repr(value)


def _call(call: Call, request: str, words: list[Word], cwd: str, home: str) -> Call:
    from nlsh.plan.registry import get, names

    if call.action not in names():
        return call
    action = get(call.action)
    fields = action.Args.fields
    # Never what is to be removed, moved or changed: “delete old notes.txt” is not about notes.txt, nor is “delete all but notes.txt”.
    narrows = action.reads_only() or call.action.startswith(_ADDS)
    args: dict[str, Value] = {}
    for name, value in call.args.items():
        if not isinstance(fields[name].type, Paths):
            args[name] = value
            continue
        items = _items(value) if not isinstance(value, Ref | bool) else ()
        nearest = [_wider(i, request, words, cwd, home) for i in items]
        if narrows and must_exist(call.action, name):
            narrower = [_narrower(i, request, words, cwd, home) if i == near else near for i, near in zip(items, nearest, strict=True)]
            # Two names that end alike are not one file.
            nearest = narrower if len(set(narrower)) == len(set(nearest)) else nearest
        # The two halves of “1920x1080” are one name.
        nearest = list(dict.fromkeys(nearest))
        args[name] = value if not items else tuple(nearest) if len(nearest) > 1 else nearest[0]
    return replace(call, args=args)


def _narrower(written: str, request: str, words: list[Word], cwd: str, home: str) -> str:
    """Return the longest beginning or end of a span that is here, where the span as it stands is not, whatever its case."""
    if any(c in written for c in "*?[") or _is_here(written, cwd, home):
        return written
    start = request.find(written)
    first = next((i for i, w in enumerate(words) if w.start == start), None)
    last = next((i for i, w in enumerate(words) if w.end == start + len(written)), None)
    if start < 0 or first is None or last is None or not first < last <= first + 3 * REACH:
        return written
    ends, beginnings = [(f, last) for f in range(first + 1, last + 1)], [(first, t) for t in range(first, last)]
    for f, t in sorted(ends + beginnings, key=lambda s: words[s[0]].start - words[s[1]].end):
        text = request[words[f].start : words[t].end]
        if len(text) > 1 and _exists(text, cwd, home) and not _is_around(text, cwd, home):
            return written if _in_another_case(written, cwd, home) else text
    return written


def _is_around(text: str, cwd: str, home: str) -> bool:
    """Return whether it is where one is, or at home, or a folder around these."""
    places = [absolute(text, cwd=base, home=home).rstrip("/") + "/" for base in (cwd, home)]
    return any(f"{here.rstrip('/')}/".startswith(place) for here in (cwd, home) for place in places)


def _in_another_case(written: str, cwd: str, home: str) -> bool:
    for folder in dict.fromkeys((cwd, home)):
        with suppress(OSError):
            if any(name.lower() == written.lower() for name in os.listdir(folder)):
                return True
    return False


def _wider(written: str, request: str, words: list[Word], cwd: str, home: str) -> str:
    start = request.find(written)
    if start < 0 or any(c in written for c in "*?[") or _exists(written, cwd, home) or well_known(written, home, cwd):
        return written
    first = next((i for i, w in enumerate(words) if w.end > start), None)
    last = next((i for i, w in enumerate(words) if w.end >= start + len(written)), None)
    if first is None or last is None:
        return written
    spans = [(f, t) for f in range(max(0, first - REACH), first + 1) for t in range(last, min(len(words), last + REACH + 1)) if (f, t) != (first, last)]
    for f, t in sorted(spans, key=lambda s: s[0] - s[1]):
        text = request[words[f].start : words[t].end]
        # A name of several words, not a sentence that happens to be a path: what is joined must exist as it is written.
        if _exists(text, cwd, home):
            return text
    return written


def _exists(text: str, cwd: str, home: str) -> bool:
    return any(os.path.lexists(absolute(text, cwd=base, home=home)) for base in (cwd, home))


def _is_here(text: str, cwd: str, home: str) -> bool:
    """Return whether what is written means something here, also by a place's own name, and with “the … folder” around it."""
    return any(_exists(form, cwd, home) for form in dict.fromkeys((text, *bare_names(text)))) or os.path.lexists(well_known(text, home, cwd) or "")


def _is_folder(text: str, cwd: str, home: str) -> bool:
    from nlsh.world.places import resolve

    try:
        return os.path.isdir(resolve(text, cwd=cwd, home=home, must_exist=False))
    except NlshError:  # it may be one or another
        return False


def _items(value: Value) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, tuple) else (str(value),)
