"""JSON schemas of the files that people write, from the same shapes that validate them. For editors and docs only."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from orchestrator.config.decode import SCHEMA_VERSION
from orchestrator.config.settings import SettingsFile
from orchestrator.config.shapes import schema_of
from orchestrator.domain.asset import Asset
from orchestrator.domain.benchmark import Benchmark, Implementation, OfferSheet, Round
from orchestrator.domain.compliance import ComplianceTest
from orchestrator.domain.image import ImageEntry

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaValue

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_KINDS: dict[str, tuple[type, str]] = {
    "asset.json": (Asset, "A file of orchestrator/catalog/assets"),
    "benchmark.json": (Benchmark, "A file of orchestrator/catalog/benchmarks"),
    "implementation.json": (Implementation, "A file of orchestrator/catalog/implementations"),
    "compliance-test.json": (ComplianceTest, "A file of orchestrator/catalog/compliance"),
    "offer-sheet.json": (OfferSheet, "A file of orchestrator/catalog/offers/<implementation>"),
    "round.json": (Round, "A file of orchestrator/catalog/rounds"),
    "settings.json": (SettingsFile, "mlperf-docker.yaml, ~/.config/mlperf-docker/config.yaml"),
}


def json_schemas() -> dict[str, str]:
    """File name to schema text, the form that is checked in under docs/schemas."""
    found = {name: _schema(kind, title) for name, (kind, title) in _KINDS.items()}
    found["images.json"] = _entries(_schema(ImageEntry, "images.yaml: one entry per image, by name"), "images")
    return {name: json.dumps(schema, indent=2, sort_keys=True) + "\n" for name, schema in sorted(found.items())}


def _schema(kind: type, title: str) -> JsonSchemaValue:
    from pydantic.json_schema import GenerateJsonSchema

    made = GenerateJsonSchema().generate(schema_of(kind), mode="validation")
    _tidy(made)
    return {"$schema": _DRAFT, **made, "title": title}


def _entries(entry: JsonSchemaValue, section: str) -> JsonSchemaValue:
    """A file with a section whose keys are the names of its entries."""
    inner = {key: value for key, value in entry.items() if key not in {"$schema", "$defs", "title"}}
    del inner["properties"]["name"]
    inner["required"].remove("name")
    return {
        "$schema": _DRAFT,
        "$defs": entry.get("$defs", {}),
        "title": entry["title"],
        "type": "object",
        "required": ["schema_version", section],
        "properties": {
            "schema_version": {"const": SCHEMA_VERSION},
            section: {"type": "object", "additionalProperties": inner},
        },
        "additionalProperties": False,
    }


def _tidy(node: Any) -> None:
    """Refuse unknown fields wherever fields are listed; drop titles, which only repeat the names."""
    if isinstance(node, list):
        for item in node:
            _tidy(item)
    elif isinstance(node, dict):
        if isinstance(node.get("title"), str):
            del node["title"]
        if "properties" in node and "type" in node:
            node["additionalProperties"] = False
        for item in node.values():
            _tidy(item)
