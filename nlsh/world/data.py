"""Data files: JSON, YAML, TOML, CSV and XML, read without running anything in them; what is wrong in one, and in which line.

Values are plain: dict with text keys, list, str, int, float, bool, None. What would not survive that (keys given twice, values that hold
themselves, numbers out of range) is refused in words, never silently changed.
"""

from __future__ import annotations

import datetime
import io
import json
import math
import os
import re
from collections.abc import Iterator
from typing import IO, Any

from nlsh.plan.errors import NotFound, NotPossible

# A file is parsed as a whole, in memory.
MOST_BYTES = 32 << 20
_MOST_NODES = 2_000_000
_MOST_MERGED = 100_000
_ENDINGS = {
    "json": "json", "geojson": "json", "ipynb": "json", "webmanifest": "json", "yaml": "yaml", "yml": "yaml", "toml": "toml", "csv": "csv", "tsv": "csv",
    "xml": "xml", "svg": "xml", "xhtml": "xml", "xsd": "xml", "xsl": "xml", "rss": "xml", "plist": "xml", "gpx": "xml", "kml": "xml",
}  # fmt: skip


class Malformed(Exception):
    """A file is not well formed: what is wrong, and in which line (from 1; 0: not known)."""

    def __init__(self, problem: str, line: int = 0, remedy: str = "Correct that first.") -> None:
        super().__init__(sayable(problem))
        self.line = line
        self.remedy = remedy

    def of(self, path: str) -> NotPossible:
        """Return the error that says so of `path`."""
        where = f"{path}, line {self.line}" if self.line else path
        return NotPossible(f"{where}: {self}.", hint=f"Nothing was changed. {self.remedy}")


def sayable(text: str) -> str:
    """Return a text of a data file as it can be shown: JSON can hold half of a character, which nothing else can."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def format_of(path: str, start: bytes = b"") -> str | None:
    """Return json, yaml, toml, csv or xml by the ending of a name, else by what a file begins with; None where neither says it."""
    if found := _ENDINGS.get(os.path.basename(path).rpartition(".")[2].lower()):
        return found
    first = start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    return {b"{": "json", b"<": "xml"}.get(first)


def refuse_large(path: str) -> None:
    """Raise NotPossible for a file that is too large to be parsed as a whole."""
    size = os.stat(path).st_size
    if size > MOST_BYTES:
        raise NotPossible(f"{path} has {size >> 20} MB; files of up to {MOST_BYTES >> 20} MB can be read as data.", hint="Nothing was changed.")


def text_of(raw: bytes) -> str:
    """Return the text of a data file: UTF-8, or UTF-16 with its mark. Raises Malformed, with the line."""
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        problem = f"a byte that is no {encoding.removesuffix('-sig').upper()} text (0x{raw[error.start]:02x})"
        raise Malformed(problem, line, "If it is a text in another encoding, text.encoding converts it.") from error


def parse(raw: bytes, format: str) -> Any:
    """Return the value that a JSON, YAML, TOML or CSV file holds. Raises Malformed; never runs or fetches anything."""
    text = text_of(raw)
    try:
        value = {"json": _json, "yaml": _yaml, "toml": _toml, "csv": _csv}[format](text)
    except RecursionError as error:
        raise Malformed("it is nested too deeply") from error
    return _plain(value)


def guess_and_parse(raw: bytes) -> Any:
    """Return the value of a file whose name does not say what it is. Raises NotPossible."""
    for format in ("json", "toml", "yaml"):
        try:
            value = parse(raw, format)
        except Malformed:
            continue
        if isinstance(value, (dict, list)):
            return value
    raise NotPossible("It is neither JSON nor TOML nor YAML.", hint="Nothing was changed. Give it the ending of what it is.")


def _json(text: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise Malformed(f"the key “{_twice(k for k, _ in pairs)}” is there twice")
        return found

    try:
        return json.loads(text, object_pairs_hook=once, parse_constant=_no_constant, parse_float=_float)
    except json.JSONDecodeError as error:
        raise Malformed(f"{error.msg[:1].lower()}{error.msg[1:]}, column {error.colno}", error.lineno) from error
    except ValueError as error:  # a number of thousands of digits
        raise Malformed("a number is too long") from error


def _float(written: str) -> float:
    """Return a number of a JSON or TOML file. Raises Malformed where it is beyond what nlsh can hold: it would become infinite."""
    value = float(written)
    if math.isinf(value) and "inf" not in written:
        raise Malformed(f"the number {written[:40]} is too large")
    return value


def _no_constant(name: str) -> Any:
    raise Malformed(f"{name} is no JSON")


def _twice(keys: Iterator[Any]) -> Any:
    seen: set[Any] = set()
    for key in keys:
        if key in seen:
            return key
        seen.add(key)
    return ""


def _yaml(text: str) -> Any:
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        def as_written(self, node: Any) -> Any:
            # YAML 1.1 takes 12:30 for 750 in base 60; whoever wrote it meant a time or a pair of ports, and YAML 1.2 reads it so.
            number = super().construct_yaml_int if node.tag.endswith(":int") else super().construct_yaml_float
            return node.value if ":" in node.value else number(node)

        def flatten_mapping(self, node: Any) -> None:
            # Each level of merges that names the one below twice doubles it: a kilobyte could become more than memory holds.
            merged = 0
            for key, value in node.value:
                if key.tag == "tag:yaml.org,2002:merge":
                    for one in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                        if isinstance(one, yaml.MappingNode):
                            self.flatten_mapping(one)
                            merged += len(one.value)
                            if merged > _MOST_MERGED:
                                raise Malformed("its references multiply", node.start_mark.line + 1)
            super().flatten_mapping(node)

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            keys = [k.value for k, _ in node.value if isinstance(k, yaml.ScalarNode) and k.tag != "tag:yaml.org,2002:merge"]
            if len(set(keys)) < len(keys):
                raise Malformed(f"the key “{_twice(iter(keys))}” is there twice", node.start_mark.line + 1)
            found = super().construct_mapping(node, deep)
            if len(found) < len(keys):
                raise Malformed("two keys are the same, as 1 and true are", node.start_mark.line + 1)
            return found

    for tag in ("int", "float"):
        Loader.add_constructor(f"tag:yaml.org,2002:{tag}", Loader.as_written)
    try:
        found = list(yaml.load_all(text, Loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise Malformed(str(error.problem or error.context or "it is no YAML"), mark.line + 1 if mark else 0) from error
    except yaml.YAMLError as error:
        raise Malformed(str(error).splitlines()[0] if str(error) else "it is no YAML") from error
    except (ValueError, TypeError) as error:  # 2023-99-99 is written like a date
        raise Malformed(str(error)) from error
    return found[0] if len(found) == 1 else found or None


def _toml(text: str) -> Any:
    import tomllib

    try:
        return tomllib.loads(text, parse_float=_float)
    except tomllib.TOMLDecodeError as error:
        where = re.search(r" \(at line (\d+), column \d+\)$", str(error))
        problem = str(error)[: where.start()] if where else str(error)
        raise Malformed(f"{problem[:1].lower()}{problem[1:]}", int(where[1]) if where else 0) from error


def _csv(text: str) -> Any:
    import csv

    from nlsh.world.tables import guessed

    # Not splitlines(): that ends lines within a cell, at the separators of Unicode, too.
    lines = io.StringIO(text, newline="").readlines()
    rows = csv.reader(lines, delimiter=guessed("x.csv", lines[:20]) or ",", strict=True)
    names: list[str] | None = None
    found = []
    try:
        for row in rows:
            if names is None:
                names = [c.strip() for c in row]
                if len(set(names)) < len(names) or not all(names):
                    raise Malformed("the first row must hold a name for each column, each only once", 1)
            elif row:
                if len(row) != len(names):
                    raise Malformed(f"{len(row)} cells where the first row has {len(names)}", rows.line_num)
                found.append({name: _cell(cell) for name, cell in zip(names, row, strict=True)})
    except csv.Error as error:
        raise Malformed(str(error), rows.line_num) from error
    return found


def _cell(cell: str) -> Any:
    """Return a number where the cell is written just as that number is, else the text: 007 and 1.50 stay what they are."""
    for kind in (int, float):
        try:
            value = kind(cell)
        except ValueError:
            continue
        if str(value) == cell and (kind is int or math.isfinite(value)):
            return value
    return cell


def _plain(value: Any) -> Any:
    """Return a value of plain types; times become text. Raises Malformed for what is too large or holds itself."""
    count = 0

    def walk(item: Any, above: frozenset[int]) -> Any:
        nonlocal count
        count += 1
        if count > _MOST_NODES:
            raise Malformed("it has too many values, or its references multiply")
        if isinstance(item, (dict, list, tuple, set)):
            if id(item) in above:
                raise Malformed("a value holds itself")
            inside = above | {id(item)}
            if isinstance(item, dict):
                found = {_key(k): walk(v, inside) for k, v in item.items()}
                if len(found) < len(item):
                    raise Malformed("two keys are the same as text")
                return found
            return [walk(v, inside) for v in item]
        if isinstance(item, (datetime.datetime, datetime.date, datetime.time)):
            return item.isoformat()
        if isinstance(item, bytes):
            import base64

            return base64.b64encode(item).decode()
        return item

    try:
        return walk(value, frozenset())
    except RecursionError as error:
        raise Malformed("it is nested too deeply") from error


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    return key.isoformat() if isinstance(key, (datetime.date, datetime.datetime)) else str(key)


def check_xml(file: IO[bytes]) -> None:
    """Read an XML file as a stream. Raises Malformed, with the line; entities are not expanded, and declared ones are refused."""
    from xml.parsers import expat

    parser = expat.ParserCreate()

    def entity(name: str, *_: Any) -> None:
        raise Malformed(f"it declares the entity “{name}”; nlsh reads no such files", parser.CurrentLineNumber)

    parser.EntityDeclHandler = entity
    try:
        parser.ParseFile(file)
    except expat.ExpatError as error:
        raise Malformed(expat.ErrorString(error.code), error.lineno) from error


def look_up(value: Any, key: str) -> Any:
    """Return what the way `key` (users.0.name, users[0].name) leads to in `value`. Raises NotFound, saying what there is instead, and Malformed."""
    parts = [p for p in re.sub(r"\[(-?\d+|\"[^\"]*\"|'[^']*')\]", lambda m: "." + m[1].strip("\"'"), key.strip().lstrip("$")).split(".") if p]
    try:
        return _along(value, parts, "")
    except RecursionError as error:
        raise Malformed("it is nested too deeply") from error


def _along(value: Any, parts: list[str], way: str) -> Any:
    if not parts:
        return value
    step = parts[0]
    if isinstance(value, dict):
        # A key may itself hold dots: the longest that is there goes first, unless nothing lies behind it.
        taken = [n for n in range(len(parts), 0, -1) if ".".join(parts[:n]) in value]
        for n in taken:
            key = ".".join(parts[:n])
            try:
                return _along(value[key], parts[n:], f"{way}.{key}".lstrip("."))
            except NotFound:
                if n == taken[-1]:
                    raise
        close = [k for k in value if k.lower() == step.lower()]
        if len(close) != 1:
            raise NotFound(f"There is no “{step}”{_in(way)}.", hint=f"It has: {_some(value)}.")
        step, value = close[0], value[close[0]]
    elif isinstance(value, list):
        if not step.lstrip("-").isdecimal():
            raise NotFound(f"“{step}” is no place in the list{_in(way)}.", hint=f"It has {len(value)} values, counted from 0.")
        if not -len(value) <= int(step) < len(value):
            raise NotFound(f"There is no value {step}{_in(way)}.", hint=f"It has {len(value)} values, counted from 0.")
        value = value[int(step)]
    else:
        raise NotFound(f"There is nothing below “{way}”: it is a single value.", hint="Ask for that.")
    return _along(value, parts[1:], f"{way}.{step}".lstrip("."))


def _in(way: str) -> str:
    return f" in “{way}”" if way else ""


def _some(value: dict[str, Any]) -> str:
    names = [sayable(n) for n in value]
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "") if names else "nothing"
