"""Models and data sets that are here, checked in full: every file hashed, each that differs named. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.config.catalog import load_asset, load_round
from orchestrator.config.settings import Settings
from orchestrator.controller.assets import round_that_makes
from orchestrator.controller.connect import connect_to
from orchestrator.domain.asset import Asset, AssetKind, PlannedAsset
from orchestrator.domain.image import NO_CHOICE
from orchestrator.domain.ports import Meter, no_meter
from orchestrator.domain.terms import EngineName

if TYPE_CHECKING:
    from orchestrator.assets.cache_verify import Verified


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a full check of one asset came to. `differences` has a line for each file; empty when all is as it was."""

    name: str
    path: str
    present: bool
    whole: bool
    text: str
    files: int = 0
    size_bytes: int = 0
    differences: tuple[str, ...] = ()


def verify(
    assets: Iterable[Asset], settings: Settings, *, round_name: str | None = None, meter: Meter = no_meter
) -> tuple[Checked, ...]:
    """Check assets in the order given; one that is not here is told as such."""
    assets = tuple(assets)
    name = round_that_makes(assets, load_round(round_name or settings.round).name, fixed=round_name is not None)
    store = connect_to(EngineName.DOCKER, settings, round_name=name, choice=NO_CHOICE).assets
    return tuple(_check(store.plan(asset, load_asset)[-1], meter) for asset in assets)


def _check(planned: PlannedAsset, meter: Meter) -> Checked:
    from orchestrator.assets.cache_layout import CacheLayout
    from orchestrator.assets.cache_verify import verify_view

    asset = planned.asset
    if not planned.path.exists():
        command = "models" if asset.kind is AssetKind.MODEL else "datasets"
        text = f"is not here; 'mlperf-docker {command} get {asset.name}' has it"
        return Checked(name=asset.name, path=str(planned.path), present=False, whole=False, text=text)
    layout = CacheLayout(planned.path.parents[2])
    found = verify_view(layout, asset.name, planned.path.name, catalogue=lambda _: asset, meter=meter)
    lines = tuple(_lines(found))
    size = f"{found.files:,} files, {found.size_bytes:,} bytes"
    fault = found.fault or f"{len(lines)} files differ ({size})"
    return Checked(
        name=asset.name,
        path=str(found.path),
        present=True,
        whole=found.ok,
        text=f"whole, {size}" if found.ok else f"damaged: {fault}; {found.remedy}",
        files=found.files,
        size_bytes=found.size_bytes,
        differences=lines,
    )


def _lines(found: Verified) -> Iterator[str]:
    yield from (f"{name}: is missing" for name in found.missing)
    yield from (f"{one.name}: expected sha256 {one.expected}, found {one.found}" for one in found.changed)
    yield from (f"{name}: does not belong to it" for name in found.extra)
