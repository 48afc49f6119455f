"""Pinned plans: what a sentence of a pack was made into, with the hash of what was approved. A run of a pinned sentence needs no model.

A pin holds for the sentence as it is written and, where its plan could not be written with the parameters' names in it, for their values
alone. A pin that was changed since is refused, not run: whoever changes a pack's file can also change its hash, so this is against
accidents; against others stand the preview, the policy and the ceiling, as for every plan.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from nlsh.plan import registry
from nlsh.plan.errors import Refused
from nlsh.plan.frozen import frozen
from nlsh.plan.plan import Plan, plan_from_data
from nlsh.skills.front import read_text
from nlsh.skills.load import BadPack, Entry, filled

FILE = "pins.toml"


@frozen(slots=False)
class Pin:
    """The plan of an entry's sentence. `given`: the parameters' values it holds for, empty for all. `approved`: the digest of the preview."""

    entry: str
    sentence: str
    plan: str
    given: Mapping[str, str]
    approved: str
    sha256: str = ""

    def digest(self) -> str:
        """Return the SHA-256 of all that the pin says but itself."""
        fields = {k: v for k, v in asdict(self).items() if k != "sha256"}
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def make(entry: Entry, given: Mapping[str, str], plan: Plan, approved: str) -> Pin:
    """Return the pin of an approved plan, with the parameters' names in it where their values stand there and nowhere else."""
    text, values = registry.format(_with_names(entry, given, plan)), {}
    if registry.format(filled(registry.parse(text), entry, given)) != registry.format(plan) or not all(f"{{{name}}}" in text for name in given):
        text, values = registry.format(plan), dict(given)
    pin = Pin(entry.name, entry.sentence, text, values, approved)
    return Pin(**{**asdict(pin), "sha256": pin.digest()})


def _with_names(entry: Entry, given: Mapping[str, str], plan: Plan) -> Plan:
    data = plan.as_data()
    for call in data:
        for key, value in call["args"].items():
            names = [n for n, v in given.items() if v and v == value]
            if len(names) == 1:
                call["args"][key] = f"{{{names[0]}}}"
    return plan_from_data(data)


def read(folder: Path) -> list[Pin]:
    """Return the pins of a pack. Raises BadPack."""
    import tomllib

    file = folder / FILE
    try:
        written = tomllib.loads(read_text(file)).get("pin", []) if os.path.lexists(file) else []
        return [_checked(Pin(**pin)) for pin in written]
    except (tomllib.TOMLDecodeError, RecursionError, TypeError, AttributeError) as error:
        raise BadPack(f"{file} cannot be read: {error}. Nothing was run.") from error


def _checked(pin: Pin) -> Pin:
    texts = (pin.entry, pin.sentence, pin.plan, pin.approved, pin.sha256)
    if not isinstance(pin.given, dict) or not all(isinstance(text, str) for text in (*texts, *pin.given.values())):
        raise TypeError("a pin has texts in it, and nothing else")
    return pin


def write(folder: Path, pin: Pin) -> Path:
    """Add a pin to a pack, in the place of one for the same entry and values. Raises OSError, and BadPack where a pin that would be kept was changed."""
    import tomli_w

    kept = [p for p in read(folder) if (p.entry, dict(p.given)) != (pin.entry, dict(pin.given)) and (p.entry != pin.entry or pin.given)]
    file = folder / FILE
    if changed := sorted({p.entry for p in kept if p.digest() != p.sha256}):
        raise BadPack(f"{file} has a pin of {', '.join(changed)} that is not as it was approved. Nothing was pinned: take it out first.")
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    new = f".{FILE}-{secrets.token_hex(8)}"
    try:
        # A name that nobody can have put a link under, in the very folder that was opened.
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=opened), "w", encoding="utf-8") as written:
            written.write(tomli_w.dumps({"pin": [asdict(p) for p in (*kept, pin)]}))
        os.replace(new, FILE, src_dir_fd=opened, dst_dir_fd=opened)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(new, dir_fd=opened)
        raise
    finally:
        os.close(opened)
    return file


def pinned(entry: Entry, given: Mapping[str, str]) -> Plan | None:
    """Return the plan that the entry's sentence is pinned to for these values. Raises Refused where the pin was changed."""
    for pin in read(entry.folder):
        if pin.entry != entry.name or pin.sentence != entry.sentence or (pin.given and dict(pin.given) != dict(given)):
            continue
        if pin.digest() != pin.sha256:
            raise Refused(
                f"The plan that {entry.full_name} is pinned to is not the one that was approved.",
                hint=f"Nothing was run. Look at {entry.folder / FILE}, or pin it again: nlsh skills pin {entry.full_name}.",
            )
        return filled(registry.parse(pin.plan), entry, given)
    return None
