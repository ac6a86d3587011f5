"""What `models get`, `datasets …` and their `verify` print: tables and JSON of assets and orders. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from orchestrator.cli.output import say, write_json, write_lines, write_table
from orchestrator.controller.assets import announced, cost_text
from orchestrator.controller.space import amount, contents_bytes
from orchestrator.domain.source import origin_of

if TYPE_CHECKING:
    from orchestrator.controller.asset_checks import Checked
    from orchestrator.controller.assets import Listed, Order
    from orchestrator.domain.asset import Asset, PlannedAsset, ReadyAsset
    from orchestrator.domain.canonical import JsonValue


def write_listed(found: Iterable[Listed], *, as_json: bool) -> None:
    """Assets with the models that use them."""
    rows = list(found)
    if as_json:
        write_json({"schema_version": 1, "assets": [{"asset": one.asset, "models": one.models} for one in rows]})
        return
    write_table(
        ("name", "kind", "size", "from", "gate", "first N", "models"),
        [
            (
                one.asset.name,
                one.asset.kind.value,
                held_text(one.asset),
                one.asset.source.kind,
                one.asset.gate.kind.value if one.asset.gate else "-",
                "yes" if one.asset.subset else "-",
                ", ".join(one.models) or "-",
            )
            for one in rows
        ],
    )


def write_asset(asset: Asset, models: tuple[str, ...], *, as_json: bool) -> None:
    """One catalogue entry in full."""
    if as_json:
        write_json({"schema_version": 1, "asset": asset, "models": models})
        return
    fetch = asset.transfer_bytes
    lines = [f"{asset.name}: a {asset.kind.value}", f"from: {origin_of(asset.source)}"]
    lines.append(f"size: {held_text(asset)}; to fetch: {'unknown' if fetch is None else amount(fetch)}")
    lines.append(f"licence: {asset.licence}{'' if asset.redistributable else '; not to be passed on'}")
    if asset.gate is not None:
        lines.append(f"first: {asset.gate.text} ({asset.gate.apply_at})")
    lines += [f"holds: {file.name}{f', sha256 {file.sha256}' if file.sha256 else ''}" for file in asset.files]
    lines += [f"holds: {one.count if one.count is not None else 'some'} files '{one.pattern}'" for one in asset.layout]
    if asset.subset is not None:
        lines.append(f"its first N samples alone: {asset.name}@N")
    if asset.aliases:
        lines.append(f"also known as: {', '.join(asset.aliases)}")
    if models:
        lines.append(f"used by: {', '.join(models)}")
    if asset.note:
        lines.append(f"note: {asset.note}")
    write_lines([*lines, f"evidence: {asset.evidence.value}"])


def held_text(asset: Asset) -> str:
    """How big an asset is as it lies, marked when that is estimated."""
    size = contents_bytes(asset)
    return "unknown" if size is None else f"{'about ' if asset.size_estimated else ''}{amount(size)}"


def write_order(order: Order, *, as_json: bool) -> None:
    """What a request would cost, and what stands in its way; for --dry-run."""
    if as_json:
        write_json(
            {
                "schema_version": 1,
                "dry_run": True,
                "assets": [_planned(item) for item in order.needed],
                "fetch_bytes": order.fetch_bytes,
                "of_unknown_size": order.of_unknown_size,
                "free_bytes": order.free_bytes,
                "findings": order.findings,
                "paths": [str(item.path) for item in order.asked],
            }
        )
        return
    columns = ("asset", "kind", "to fetch", "from", "licence", "gate", "path")
    rows = [
        (
            item.asset.name,
            item.asset.kind.value,
            "here" if item.present else cost_text(item),
            origin_of(item.asset.source),
            item.asset.licence,
            item.asset.gate.kind.value if item.asset.gate else "-",
            str(item.path),
        )
        for item in order.needed
    ]
    write_table(columns, rows)
    write_lines([f"{one.level.value}: {one.name}: {one.text}" for one in order.findings])
    write_lines([f"to fetch: {amount(order.fetch_bytes)}; free: {amount(order.free_bytes)} at {order.cache}"])


def _planned(item: PlannedAsset) -> dict[str, JsonValue]:
    asset = item.asset
    return {
        "name": asset.name,
        "kind": asset.kind.value,
        "present": item.present,
        "fetch_bytes": item.fetch_bytes,
        "size_bytes": contents_bytes(asset),
        "size_estimated": asset.size_estimated,
        "source": asset.source.kind,
        "origin": origin_of(asset.source),
        "licence": asset.licence,
        "gate": asset.gate.kind.value if asset.gate else None,
        "apply_at": asset.gate.apply_at if asset.gate else None,
        "path": str(item.path),
    }


def announce(order: Order) -> None:
    """Say on stderr what is about to be fetched, under which terms."""
    for line in announced(order):
        say(line)


def write_ready(ready: tuple[ReadyAsset, ...], *, as_json: bool) -> None:
    """Where the assets lie: the paths, one a line, the last asked for last."""
    if as_json:
        write_json({"schema_version": 1, "assets": ready})
        return
    write_lines([str(one.path) for one in ready])


def write_checked(found: tuple[Checked, ...], *, as_json: bool) -> None:
    """What a full check found, each differing file by name."""
    if as_json:
        write_json({"schema_version": 1, "assets": found})
        return
    for one in found:
        write_lines([f"{one.name}: {one.text}"])
        write_lines([f"  {line}" for line in one.differences])
