"""Turn frozen values into canonical JSON and fingerprints. Does not read JSON back: that is config's work."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from enum import Enum
from pathlib import PurePath
from typing import cast

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]


def to_json(value: object) -> JsonValue:
    """Plain JSON form of a frozen value: enums by value, paths as text, tuples and sets as lists (sets sorted)."""
    if value is None or isinstance(value, bool | int | float | str):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, Enum):
        return cast(JsonValue, value.value)
    if isinstance(value, PurePath):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(to_json(key)): to_json(item) for key, item in value.items()}
    if isinstance(value, frozenset | set):
        return sorted((to_json(item) for item in value), key=str)
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no JSON form")


def canonical_json(value: object) -> str:
    """One line, sorted keys, no blanks: equal values give equal bytes."""
    return json.dumps(to_json(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def pretty_json(value: object) -> str:
    """Sorted keys, two blanks of indent, final newline: the form of the files that people read."""
    return json.dumps(to_json(value), sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def fingerprint(value: object) -> str:
    """sha256 (64 hex digits) over the canonical JSON of a value."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
