"""Turn the frozen dataclasses of domain/ into validation schemas. Validates nothing itself.

The schemas are pydantic-core's, built from the type hints directly: importing pydantic and letting its TypeAdapter
build the same ones costs three times the start-up. Extra fields are refused, nothing is coerced.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from enum import Enum
from pathlib import PurePath
from typing import Literal, Union

from pydantic_core import core_schema as core
from pydantic_core.core_schema import CoreSchema

_PAIR = tuple[str, str]


def schema_of(hint: object, *, keep_numbers: bool = False) -> CoreSchema:
    """The schema of a type: dataclass, enum, path, literal, tuple, mapping, union or plain value.

    `keep_numbers`: a whole number in a float field stays one, so that what is read back has the same fingerprint.
    Raises TypeError for a hint that has no meaning in a text.
    """
    return _Shapes(keep_numbers).of(hint)


def fields_at(schema: CoreSchema, steps: tuple[str | int, ...]) -> tuple[str, ...]:
    """Names of the fields that a dataclass has where an error's path leads; empty when that is no dataclass."""
    match schema:
        case {"type": "dataclass", "schema": {"fields": fields}}:
            if not steps:
                return tuple(field["name"] for field in fields)
            inner = {field["name"]: field["schema"] for field in fields}.get(steps[0])
            return fields_at(inner, steps[1:]) if inner else ()
        case {"type": "tuple", "items_schema": items} if steps:
            return fields_at(items[0 if "variadic_item_index" in schema else int(steps[0])], steps[1:])
        case {"type": "dict", "values_schema": values} if steps:
            return fields_at(values, steps[1:])
        case {"type": "tagged-union", "choices": choices} if steps and steps[0] in choices:
            return fields_at(choices[steps[0]], steps[1:])
        case {"schema": within}:
            return fields_at(within, steps)
    return ()


@dataclasses.dataclass(frozen=True, slots=True)
class _Shapes:
    keep_numbers: bool

    def of(self, hint: object) -> CoreSchema:
        if isinstance(hint, type) and not typing.get_args(hint):
            return self._class(hint)
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin is Literal:
            return core.literal_schema(list(arguments))
        if origin in {Union, types.UnionType}:
            return self._union(arguments)
        if origin is tuple:
            return self._tuple(arguments)
        if origin is frozenset:
            return core.frozenset_schema(self.of(arguments[0]))
        if origin in {Mapping, dict}:
            made = core.dict_schema(self.of(arguments[0]), self.of(arguments[1]))
            return core.no_info_after_validator_function(types.MappingProxyType, made)
        raise TypeError(f"{hint} has no form in a text")

    def _class(self, kind: type) -> CoreSchema:
        if dataclasses.is_dataclass(kind):
            return self._dataclass(kind)
        if issubclass(kind, Enum):
            return core.enum_schema(kind, list(kind.__members__.values()), sub_type="str", missing=None)
        if issubclass(kind, PurePath):
            return core.no_info_after_validator_function(kind, core.str_schema())
        if kind is float and self.keep_numbers:
            return core.no_info_wrap_validator_function(
                lambda value, check: value if type(value) is int else check(value), core.float_schema()
            )
        plain: dict[type, CoreSchema] = {
            str: core.str_schema(),
            int: core.int_schema(),
            float: core.float_schema(allow_inf_nan=False),
            bool: core.bool_schema(),
            types.NoneType: core.none_schema(),
            object: core.any_schema(),
        }
        if kind not in plain:
            raise TypeError(f"{kind.__name__} has no form in a text")
        return plain[kind]

    def _dataclass(self, kind: type) -> CoreSchema:
        hints = _hints(kind)
        fields = [
            core.dataclass_field(field.name, self._field(field, hints[field.name]), kw_only=field.kw_only is True)
            for field in dataclasses.fields(kind)
        ]
        return core.dataclass_schema(
            kind,
            core.dataclass_args_schema(kind.__name__, fields, extra_behavior="forbid"),
            [field.name for field in dataclasses.fields(kind)],
            post_init=hasattr(kind, "__post_init__"),
            slots="__slots__" in kind.__dict__,
            ref=f"{kind.__module__}.{kind.__qualname__}",
        )

    def _field(self, field: dataclasses.Field[object], hint: object) -> CoreSchema:
        schema = self.of(hint)
        if field.default is not dataclasses.MISSING:
            return core.with_default_schema(schema, default=field.default)
        if field.default_factory is not dataclasses.MISSING:
            return core.with_default_schema(schema, default_factory=field.default_factory)
        return schema

    def _tuple(self, arguments: tuple[object, ...]) -> CoreSchema:
        if len(arguments) != 2 or arguments[1] is not Ellipsis:
            return core.tuple_schema([self.of(item) for item in arguments])
        many = core.tuple_schema([self.of(arguments[0])], variadic_item_index=0)
        return _pairs(many) if arguments[0] == _PAIR else many

    def _union(self, members: tuple[object, ...]) -> CoreSchema:
        solid = [member for member in members if member is not types.NoneType]
        if len(solid) < len(members):
            return core.nullable_schema(self._union(tuple(solid)))
        if len(solid) == 1:
            return self.of(solid[0])
        tag = _tag_field(solid)
        if tag is None:
            return core.union_schema([self.of(member) for member in solid], mode="left_to_right")
        choices = {name: self.of(member) for member in solid for name in _tags(member, tag)}
        return core.tagged_union_schema(choices, tag)


def _pairs(as_list: CoreSchema) -> CoreSchema:
    """Pairs of texts: written as a mapping by people, as a list of lists by the program."""
    as_mapping = core.no_info_after_validator_function(
        lambda found: tuple(found.items()), core.dict_schema(core.str_schema(), core.str_schema())
    )
    return core.tagged_union_schema(
        {"<mapping>": as_mapping, "<list>": as_list},
        lambda found: "<mapping>" if isinstance(found, dict) else "<list>",
    )


def _hints(kind: type) -> dict[str, object]:
    """Resolved hints; the recursive JsonValue becomes `object`, that is: anything JSON can hold."""
    return typing.get_type_hints(kind, localns={"JsonValue": object})


def _tag_field(members: list[object]) -> str | None:
    """The field that tells dataclasses of a union apart: one that is a Literal in all of them."""
    if not all(dataclasses.is_dataclass(member) for member in members):
        return None
    names = [field.name for field in dataclasses.fields(typing.cast(type, members[0]))]
    return next((name for name in names if all(_tags(member, name) for member in members)), None)


def _tags(member: object, field: str) -> tuple[str, ...]:
    hint = _hints(typing.cast(type, member)).get(field)
    return typing.get_args(hint) if typing.get_origin(hint) is Literal else ()
