"""What an asset will cost and where it lies: the asset and all it is made from, in order. Reads, never writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.assets.blobs import BlobStore
from orchestrator.assets.cache_layout import MANIFEST, CacheLayout, is_name
from orchestrator.assets.local import check_place, state_of
from orchestrator.domain.asset import Asset, PlannedAsset
from orchestrator.domain.source import Download, LocalPath, Package, Prepared, Scripted, inputs_of
from orchestrator.errors import AssetError

CodeKey = Callable[[Prepared | Scripted], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Plans on a cache and those of the site below it."""

    layout: CacheLayout
    sites: tuple[CacheLayout, ...]
    blobs: BlobStore
    code_key: CodeKey | None

    def plan(self, asset: Asset, catalogue: Callable[[str], Asset]) -> tuple[PlannedAsset, ...]:
        """The asset and all it is made from, in order of making (the asked one last); reads, never writes.

        `fetch_bytes` is what is still to be downloaded, nothing for what only serves an asset that is there.
        """
        planned: dict[str, PlannedAsset] = {}
        self._visit(asset, catalogue, planned, ())
        everything = tuple(planned.values())
        wanted = {item.path for item in needed(everything)}
        return tuple(item if item.path in wanted else replace(item, fetch_bytes=0) for item in everything)

    def _visit(
        self,
        asset: Asset,
        catalogue: Callable[[str], Asset],
        planned: dict[str, PlannedAsset],
        users: tuple[str, ...],
    ) -> PlannedAsset:
        if asset.name in users:
            raise AssetError(f"asset '{asset.name}' is made from itself: {' -> '.join((*users, asset.name))}")
        if not isinstance(asset.source, LocalPath) and not is_name(asset.name):
            raise AssetError(f"'{asset.name}' is not a name for an asset: letters, digits, '.', '_', '@' and '-' only")
        if asset.name not in planned:
            names = inputs_of(asset.source)
            inputs = tuple(self._visit(catalogue(name), catalogue, planned, (*users, asset.name)) for name in names)
            planned[asset.name] = self._plan_one(asset, inputs, planned)
        return planned[asset.name]

    def _plan_one(
        self, asset: Asset, inputs: tuple[PlannedAsset, ...], planned: Mapping[str, PlannedAsset]
    ) -> PlannedAsset:
        ingredients = (*(item.key for item in inputs), *self._ingredients(asset))
        key = asset.key(ingredients)
        named = tuple((item.asset.name, item.path) for item in inputs)
        if isinstance(asset.source, LocalPath):
            place = _absolute(asset.source)
            return PlannedAsset(asset=asset, key=key, path=place, present=True, fetch_bytes=0, inputs=named)
        path = self._place(asset.name, key)
        present = is_there(path)
        costs = 0 if present or self._has_blob(asset, planned) else asset.transfer_bytes or 0
        return PlannedAsset(asset=asset, key=key, path=path, present=present, fetch_bytes=costs, inputs=named)

    def _place(self, name: str, key: str) -> Path:
        """Where it lies: in our cache, else in the first of the site's that has it; else where it will."""
        own = self.layout.view(name, key)
        with suppress(OSError):  # what may not be read is not there for us
            if own.exists():
                return own
        return next((site.view(name, key) for site in self.sites if is_there(site.view(name, key))), own)

    def _has_blob(self, asset: Asset, planned: Mapping[str, PlannedAsset]) -> bool:
        """Whether its one file was downloaded before, or will be for another asset of the plan."""
        source = asset.source
        if not isinstance(source, Package | Download) or source.sha256 is None:
            return False
        counted = any(
            isinstance(other.asset.source, Package | Download)
            and other.asset.source.sha256 == source.sha256
            and other.fetch_bytes
            for other in planned.values()
        )
        return counted or self.blobs.present(source.sha256) is not None

    def _ingredients(self, asset: Asset) -> tuple[str, ...]:
        """What besides the entry and its inputs decides the content."""
        match asset.source:
            case LocalPath():
                place = _absolute(asset.source)
                check_place(asset.name, place)
                return (state_of(place),)
            case Prepared() | Scripted():
                pinned = bool(asset.files) and all(item.sha256 is not None for item in asset.files)
                return () if pinned or self.code_key is None else (self.code_key(asset.source),)
            case _:
                return ()


def needed(planned: tuple[PlannedAsset, ...]) -> tuple[PlannedAsset, ...]:
    """Those of a plan that have to be there now: without what only served to make an asset that is there."""
    serving = {path for item in planned for _, path in item.inputs}
    wanted: set[Path] = set()
    for item in reversed(planned):
        if item.path not in serving or item.path in wanted:
            wanted.add(item.path)
            wanted.update(path for _, path in item.inputs if not is_there(item.path))
    return tuple(item for item in planned if item.path in wanted)


def is_there(view: Path) -> bool:
    """Whether an asset lies there, as far as a look tells."""
    try:
        return (view / MANIFEST).is_file()
    except OSError:
        return False  # what may not be read is not there for us


def _absolute(source: LocalPath) -> Path:
    return source.path.expanduser().absolute()
