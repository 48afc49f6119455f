"""How data files are written: laid out anew with the same data in them, or in another format. What a format cannot hold is refused in words."""

from __future__ import annotations

import io
import json
from typing import Any

from nlsh.plan.errors import NotPossible
from nlsh.world.data import Malformed, check_xml, parse, sayable, text_of

_UNCHANGED = "Nothing was changed."


def written(value: Any, to: str) -> bytes:
    """Return a value as JSON, YAML, TOML or CSV, in UTF-8. Raises NotPossible where that format cannot hold it."""
    try:
        return {"json": _json, "yaml": _yaml, "toml": _toml, "csv": _csv}[to](value).encode("utf-8")
    except UnicodeEncodeError as error:
        raise NotPossible("It holds half of a character, which no UTF-8 file can.", hint=_UNCHANGED) from error


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    except ValueError as error:
        raise NotPossible("It holds a number that is infinite or none, which JSON has not.", hint=_UNCHANGED) from error


def _yaml(value: Any) -> str:
    import yaml

    return yaml.dump(value, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), allow_unicode=True, sort_keys=False, width=4096)


def _toml(value: Any) -> str:
    import tomli_w

    if not isinstance(value, dict):
        raise NotPossible("TOML holds names with their values, and this is a list or a single value.", hint=f"{_UNCHANGED} JSON and YAML can hold it.")
    if (where := _null_in(value, "")) is not None:
        raise NotPossible(f"TOML has no empty value, and “{sayable(where)}” is one.", hint=f"{_UNCHANGED} JSON and YAML can hold it.")
    return tomli_w.dumps(value)


def _null_in(value: Any, way: str) -> str | None:
    if value is None:
        return way
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return next((found for k, v in pairs if (found := _null_in(v, f"{way}.{k}".lstrip("."))) is not None), None)


def _csv(value: Any) -> str:
    import csv

    if not isinstance(value, list) or not value or not all(isinstance(row, dict) for row in value):
        raise NotPossible("CSV holds rows with the same names, and this is something else.", hint=f"{_UNCHANGED} JSON and YAML can hold it.")
    names = list(dict.fromkeys(name for row in value for name in row))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for number, row in enumerate(value, start=1):
        for name, cell in row.items():
            if isinstance(cell, (dict, list)):
                raise NotPossible(f"“{sayable(name)}” of row {number} holds several values, and a cell of a CSV file holds one.", hint=_UNCHANGED)
        writer.writerow([_cell(row.get(name)) for name in names])
    return out.getvalue()


def _cell(value: Any) -> str:
    return "" if value is None else json.dumps(value) if isinstance(value, bool) else str(value)


def laid_out(raw: bytes, format: str) -> bytes:
    """Return a JSON, YAML or XML file laid out anew, two blanks for each level, with the same data. Raises Malformed and NotPossible."""
    return {"json": _json_anew, "yaml": _yaml_anew, "xml": _xml_anew}[format](raw)


class _Literal(str):
    """A number as it is written: 1.10 stays 1.10, and one of a hundred digits keeps them."""


def _json_anew(raw: bytes) -> bytes:
    parse(raw, "json")  # says what is wrong, and refuses what would get lost
    value = json.loads(text_of(raw), parse_int=_Literal, parse_float=_Literal)
    parts: list[str] = []
    _json_value(value, "\n", parts)
    return ("".join(parts) + "\n").encode("utf-8")


def _json_value(value: Any, line: str, parts: list[str]) -> None:
    if isinstance(value, _Literal):
        parts.append(value)
    elif isinstance(value, (dict, list)) and value:
        is_dict, inner = isinstance(value, dict), line + "  "
        parts.append("{" if is_dict else "[")
        for number, item in enumerate(value.items() if isinstance(value, dict) else value):
            parts.append(("," if number else "") + inner)
            if is_dict:
                parts.append(_json_text(item[0]) + ": ")
            _json_value(item[1] if is_dict else item, inner, parts)
        parts.append(line + ("}" if is_dict else "]"))
    else:
        parts.append(_json_text(value) if isinstance(value, str) else json.dumps(value))


def _json_text(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # half of a character, as \\ud83d
        return json.dumps(text)
    return json.dumps(text, ensure_ascii=False)


def _yaml_anew(raw: bytes) -> bytes:
    import yaml

    text = text_of(raw)
    before = parse(raw, "yaml")
    # Scanned without the C library: only so do the tokens say where in the text they are, and comments stand between them.
    if _has_comments(text):
        raise NotPossible("It has comments, which would get lost.", hint=f"{_UNCHANGED} Lay it out by hand.")
    out = yaml.emit(yaml.parse(text, yaml.SafeLoader), allow_unicode=True, indent=2, width=4096).encode("utf-8")
    if parse(out, "yaml") != before:
        raise NotPossible("It cannot be laid out without a change of what it says.", hint=_UNCHANGED)
    return out


def _has_comments(text: str) -> bool:
    import re

    import yaml

    if "#" not in text:
        return False
    end = 0
    for token in yaml.scan(text, yaml.SafeLoader):
        if "#" in text[end : token.start_mark.index]:
            return True
        end = max(end, token.end_mark.index)
        if isinstance(token, yaml.ScalarToken) and token.style in ("|", ">"):
            # After the sign of a block there may be one; and the block may end in comments.
            block = text[token.start_mark.index : token.end_mark.index]
            if re.match(r"[|>][^\n#]*\s#", block) or re.search(r"\n#[^\n]*\s*\Z", block):
                return True
    return "#" in text[end:]


def _xml_anew(raw: bytes) -> bytes:
    from xml.etree.ElementTree import canonicalize

    from defusedxml import minidom

    check_xml(io.BytesIO(raw))
    document = minidom.parseString(raw)  # type: ignore[arg-type]  # it takes bytes, too: the stubs do not know
    if document.encoding and document.encoding.lower() not in ("utf-8", "us-ascii", "ascii"):
        raise NotPossible(f"It is written in {document.encoding}, not in UTF-8.", hint=f"{_UNCHANGED} Convert it with text.encoding first.")
    parts = ['<?xml version="1.0" encoding="UTF-8"?>\n'] if raw.lstrip(b"\xef\xbb\xbf").startswith(b"<?xml") else []
    for node in document.childNodes:
        _xml_node(node, "", parts)
    out = "".join(parts).encode("utf-8")
    # What was between elements may have changed, nothing else.
    if _essence(canonicalize(text_of(raw), strip_text=True)) != _essence(canonicalize(out.decode(), strip_text=True)):
        raise Malformed("it cannot be laid out without a change of what it says")
    return out


def _essence(text: str) -> str:
    return "".join(text.split())


def _xml_node(node: Any, indent: str, parts: list[str]) -> None:
    kids = node.childNodes
    words = any(k.nodeType in (k.TEXT_NODE, k.CDATA_SECTION_NODE) and k.data.strip() for k in kids)
    if node.nodeType != node.ELEMENT_NODE or words or node.getAttribute("xml:space") == "preserve" or not any(k.nodeType != k.TEXT_NODE for k in kids):
        # Text between elements belongs to what it says: that part stays as it is.
        if node.nodeType == node.TEXT_NODE and not node.data.strip():
            return
        parts.append(f"{indent}{node.toxml()}\n")
        return
    shell = node.cloneNode(False).toxml()
    parts.append(f"{indent}{shell.removesuffix('/>')}>\n")
    for kid in kids:
        _xml_node(kid, indent + "  ", parts)
    parts.append(f"{indent}</{node.tagName}>\n")
