"""Turn YAML or JSON text into the frozen values of domain/, reporting every problem at once with its place.

Opens no file. Validation is pydantic's core, imported late; one validator per type is kept.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Hashable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar, cast

from orchestrator.config.yaml_text import Document, Steps, read_yaml
from orchestrator.domain.canonical import JsonValue
from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from pydantic_core import SchemaValidator

T = TypeVar("T")

SCHEMA_VERSION = 1  # of files that hold several entries


def decode_yaml(kind: type[T], text: str, name: str) -> T:
    """A frozen value out of YAML text; `name` is the file's name as faults show it. ConfigError lists them all."""
    return decode_document(kind, read_yaml(text, name))


def decode_document(kind: type[T], document: Document) -> T:
    """A frozen value out of YAML that was read before (for callers that need the places, too)."""
    value, faults = _decode(kind, document, document.value, ())
    if value is None:
        raise ConfigError(faults)
    return value


def decode_entries(kind: type[T], text: str, name: str, *, section: str) -> Mapping[str, T]:
    """A file of entries: `schema_version: 1` and a section whose keys become the field `name` of each value.

    The order is the file's. ConfigError lists the faults of all entries.
    """
    document = read_yaml(text, name)
    entries, faults = _section(document, section)
    found: dict[str, T] = {}
    for key, entry in entries.items():
        path = (section, key)
        if not isinstance(entry, dict):
            faults.append(f"{document.where(path)}: '{key}' must be a mapping")
        elif "name" in entry:
            faults.append(f"{document.where((*path, 'name'), of_key=True)}: unknown field 'name' in '{key}'")
        else:
            value, wrong = _decode(kind, document, {"name": key, **entry}, path)
            faults += wrong
            if value is not None:
                found[key] = value
    if faults:
        raise ConfigError(tuple(faults))
    return MappingProxyType(found)


def _section(document: Document, section: str) -> tuple[dict[str, JsonValue], list[str]]:
    """The entries of a file, and the faults of what stands around them."""
    from orchestrator.domain.suggest import nearest

    top = document.value if isinstance(document.value, dict) else {}
    faults: list[str] = []
    for key in top:
        if key not in {"schema_version", section}:
            guess = nearest(key, ("schema_version", section))
            meant = f"; did you mean '{guess}'?" if guess else ""
            faults.append(f"{document.where((key,), of_key=True)}: unknown field '{key}'{meant}")
    if top.get("schema_version") != SCHEMA_VERSION:
        faults.append(f"{document.where(('schema_version',))}: 'schema_version' must be {SCHEMA_VERSION}")
    entries = top.get(section)
    if isinstance(entries, dict):
        return entries, faults
    faults.append(f"{document.where((section,))}: '{section}' must be a mapping from names to entries")
    return {}, faults


def decode_json(kind: type[T], text: str, name: str) -> T:
    """A frozen value out of JSON text as `domain.canonical` writes it; equal, and with the same fingerprint."""
    from pydantic_core import ValidationError

    try:
        return cast(T, _validator(cast(Hashable, kind), keep_numbers=True).validate_json(text, strict=True))
    except ValidationError as error:
        from orchestrator.config.faults import json_faults

        raise ConfigError(json_faults(error, text, name, kind)) from error


def _decode(kind: type[T], document: Document, value: JsonValue, path: Steps) -> tuple[T | None, tuple[str, ...]]:
    """The value at a path of a document, or the faults in it."""
    from pydantic_core import ValidationError

    validator = _validator(cast(Hashable, kind), keep_numbers=False)
    try:
        return cast(T, validator.validate_json(json.dumps(value), strict=True)), ()
    except ValidationError as error:
        from orchestrator.config.faults import value_faults

        return None, value_faults(error, document, value, path, kind)


@functools.cache
def _validator(kind: Hashable, *, keep_numbers: bool) -> SchemaValidator:
    from pydantic_core import SchemaValidator

    from orchestrator.config.shapes import schema_of

    return SchemaValidator(schema_of(kind, keep_numbers=keep_numbers))
