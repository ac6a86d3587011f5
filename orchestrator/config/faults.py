"""Say validation errors in words: place, what is wrong, in what, the nearest match. Used only when there are any."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestrator.config.shapes import fields_at, schema_of
from orchestrator.config.yaml_text import Document, Place, Steps, read_yaml
from orchestrator.domain.canonical import JsonValue
from orchestrator.domain.suggest import nearest
from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails, ValidationError

_UNKNOWN = "unexpected_keyword_argument"
_MISSING = {"missing", "missing_argument", "missing_keyword_only_argument", "union_tag_not_found"}
_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "none_required": "empty",
    "tuple_type": "a list",
    "list_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a mapping",
    "dataclass_type": "a mapping",
    "dataclass_exact_type": "a mapping",
}
_CHOICE = {"enum": "expected", "literal_error": "expected", "union_tag_invalid": "expected_tags"}


def value_faults(
    error: ValidationError, document: Document, value: JsonValue, path: Steps, kind: type
) -> tuple[str, ...]:
    """One line for each error, in the order of the text; `value` is what was validated, standing at `path`."""
    lines: list[tuple[Place, str]] = []
    for detail in error.errors(include_url=False, include_context=True):
        inner = _real_path(value, detail)
        field = path + inner
        place = document.place(field, of_key=detail["type"] == _UNKNOWN or _of_key(detail))
        where = f"{document.name}:{place.line}:{place.column}"
        lines.append((place, f"{where}: {_sentence(detail, value, inner, path, kind)}"))
    return tuple(line for _, line in sorted(lines, key=lambda pair: pair[0]))


def json_faults(error: ValidationError, text: str, name: str, kind: type) -> tuple[str, ...]:
    """The same for JSON text; YAML's reader finds the places, since JSON is YAML."""
    first = error.errors(include_url=False)[0]
    if first["type"] == "json_invalid":
        reason = re.sub(r" at line (\d+) column (\d+)$", "", str(first.get("ctx", {}).get("error", first["msg"])))
        place = re.search(r"at line (\d+) column (\d+)", first["msg"])
        where = f"{name}:{place[1]}:{max(1, int(place[2]))}" if place else name
        return (f"{where}: not JSON: {reason}",)
    try:
        document = read_yaml(text, name)
    except ConfigError:
        document = Document(name, {}, None)
    return value_faults(error, document, document.value, (), kind)


def _real_path(value: JsonValue, detail: ErrorDetails) -> Steps:
    """The error's path without the names of union branches, which the text does not hold."""
    real: list[str | int] = []
    here = value
    steps = detail["loc"]
    for index, step in enumerate(steps):
        last = index == len(steps) - 1
        inside, found = _inside(here, step)
        if inside:
            here = found
        elif not (last and detail["type"] in _MISSING | {_UNKNOWN}):
            continue
        real.append(step)
    if detail["type"] == "union_tag_not_found":
        real.append(str(detail.get("ctx", {}).get("discriminator", "kind")).strip("'"))
    return tuple(real)


def _inside(here: JsonValue, step: str | int) -> tuple[bool, JsonValue]:
    if isinstance(here, dict) and isinstance(step, str) and step in here:
        return True, here[step]
    if isinstance(here, list) and isinstance(step, int) and step < len(here):
        return True, here[step]
    return False, None


def _of_key(detail: ErrorDetails) -> bool:
    """Whether a mapping's key is at fault, not what stands under it."""
    return bool(detail["loc"]) and detail["loc"][-1] == "[key]"


def _sentence(detail: ErrorDetails, value: JsonValue, inner: Steps, path: Steps, kind: type) -> str:
    fault = detail["type"]
    named = max((index for index, step in enumerate(inner) if isinstance(step, str)), default=0)
    owner = f" in {_owner(value, inner[:named], path, kind)}" if inner else ""
    field = _field_name(inner) if inner else f"{_owner(value, (), path, kind)}"
    if fault == _UNKNOWN:
        return f"unknown field {field}{owner}{_meant(str(inner[-1]), _siblings(detail, kind))}"
    if fault in _MISSING:
        return f"the field {field} is missing{owner}"
    found = _found(detail["input"])
    if _of_key(detail):
        return f"unknown key {field}{owner}{_meant(str(inner[-1]), _choices(detail))}"
    if fault in _CHOICE:
        choices = _choices(detail)
        given = detail.get("ctx", {}).get("tag", detail["input"])
        meant = _meant(given, choices) if isinstance(given, str) else ""
        return f"{field}{owner} cannot be {_found(given)}{meant or '; it is one of ' + ', '.join(choices)}"
    if fault in _WANTED:
        return f"{field}{owner} must be {_WANTED[fault]}, not {found}{_quoting(fault, detail['input'])}"
    return f"{field}{owner}: {detail['msg'][:1].lower()}{detail['msg'][1:]}"


def _choices(detail: ErrorDetails) -> list[str]:
    return re.findall(r"'([^']*)'", str(detail.get("ctx", {}).get(_CHOICE.get(detail["type"], ""), "")))


def _siblings(detail: ErrorDetails, kind: type) -> tuple[str, ...]:
    return fields_at(schema_of(kind), detail["loc"][:-1])


def _meant(word: str, choices: tuple[str, ...] | list[str]) -> str:
    guess = nearest(word, choices)
    return f"; did you mean '{guess}'?" if guess else ""


def _quoting(kind: str, found: object) -> str:
    return " (put it in quotes)" if kind == "string_type" and isinstance(found, int | float | bool) else ""


def _field_name(inner: Steps) -> str:
    """`'offers'`, or `item 2 of 'offers'` (items count from 1)."""
    if isinstance(inner[-1], str) or len(inner) == 1:
        return f"'{inner[-1]}'"
    return f"item {int(inner[-1]) + 1} of {_field_name(inner[:-1])}"


def _owner(value: JsonValue, inner: Steps, path: Steps, kind: type) -> str:
    """The nearest thing around that has a name: its `name`, its key, or what the whole text is."""
    here, owner = value, f"'{path[-1]}'" if path else f"this {_title(kind)}"
    if isinstance(here, dict) and isinstance(here.get("name"), str):
        owner = f"'{here['name']}'"
    for step in inner:
        if isinstance(here, dict):
            here = here.get(str(step))
            owner = f"'{step}'"
        elif isinstance(here, list) and isinstance(step, int):
            here = here[step]
            owner = f"item {step + 1} of {owner}"
        if isinstance(here, dict) and isinstance(here.get("name"), str):
            owner = f"'{here['name']}'"
    return owner


def _found(value: object) -> str:
    match value:
        case None:
            return "empty"
        case bool():
            return str(value).lower()
        case str():
            return f"the text '{value}'"
        case int() | float():
            return f"the number {value}"
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case _:
            return f"'{value}'"


def _title(kind: type) -> str:
    """`ImageEntry` as people say it: `image entry`."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in kind.__name__).strip()
