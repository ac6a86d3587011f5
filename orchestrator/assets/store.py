"""The cache of models and data sets: a content-addressed store of downloads, and named views of what came out.

`<root>/assets/<name>/<key>` is there whole or not at all, whatever dies when; it is never changed, only removed by the
user. Decides nothing about benchmarks; containers are the Preparer's affair.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType

from orchestrator.assets import manifest
from orchestrator.assets.blobs import BlobStore
from orchestrator.assets.local import check_place, hash_local, state_of
from orchestrator.assets.manifest import Manifest, Trust
from orchestrator.assets.pypi import fetch_wheel
from orchestrator.assets.workspace import remove_leftovers, workspace
from orchestrator.domain.asset import Asset, PlannedAsset, PreparationJob, ReadyAsset
from orchestrator.domain.ports import Preparer, Say
from orchestrator.domain.source import (
    Bucket,
    Download,
    HuggingFace,
    LocalPath,
    Prepared,
    PypiPackage,
    StandIn,
    UserSupplied,
    origin_of,
)
from orchestrator.errors import AssetError
from orchestrator.host.files import lock, publish_tree, write_atomic
from orchestrator.host.retry import transient

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
_KEY_DIGITS = 16
STAND_IN_TEXT = "Stand-in for '{name}', made for a rehearsal. It holds nothing of the real thing.\n"
_NO_ENVIRONMENT: Mapping[str, str] = MappingProxyType({})


class CacheStore:
    """Implements `Assets` on a folder; processes on one machine or one shared file system may use it together.

    `code_key` gives, for a preparation step, a hash of the code that carries it out: it enters the key of what is
    prepared without pinned hashes. `environment` is added to ours for the programs that download.
    """

    def __init__(
        self,
        root: Path,
        *,
        prepare: Preparer,
        code_key: Callable[[str], str] | None = None,
        environment: Mapping[str, str] = _NO_ENVIRONMENT,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._root = root.absolute()
        self._blobs = BlobStore(self._root)
        self._prepare = prepare
        self._code_key = code_key
        self._environment = environment
        self._now = now or partial(datetime.now, UTC)

    def plan(self, asset: Asset, catalogue: Callable[[str], Asset]) -> tuple[PlannedAsset, ...]:
        """The asset and all it is made from, in order of making (the asked one last); reads, never writes.

        `fetch_bytes` is what is still to be downloaded, nothing for what only serves an asset that is there.
        """
        planned: dict[str, PlannedAsset] = {}
        self._visit(asset, catalogue, planned, ())
        everything = tuple(planned.values())
        wanted = {item.path for item in self.needed(everything)}
        return tuple(item if item.path in wanted else replace(item, fetch_bytes=0) for item in everything)

    def needed(self, planned: tuple[PlannedAsset, ...]) -> tuple[PlannedAsset, ...]:
        """Those of a plan that have to be there now: without what only served to make an asset that is there."""
        serving = {path for item in planned for _, path in item.inputs}
        wanted: set[Path] = set()
        for item in reversed(planned):
            if item.path not in serving or item.path in wanted:
                wanted.add(item.path)
                wanted.update(path for _, path in item.inputs if not _is_there(item))
        return tuple(item for item in planned if item.path in wanted)

    def ensure(self, planned: PlannedAsset, *, say: Say) -> ReadyAsset:
        """Have it, verified: what is there is checked, what is not is made (by one process, others wait for it).

        AssetError names expected and found hash; then nothing was removed, and nothing half-made is left.
        """
        try:
            return self._ensure(planned, say)
        except OSError as error:
            raise AssetError(
                f"asset '{planned.asset.name}': {error.strerror or error}: {error.filename or planned.path}",
                hint=f"check space and permissions under {self._root} (set MLPERF_DOCKER_CACHE for another place)",
            ) from error

    def _visit(
        self,
        asset: Asset,
        catalogue: Callable[[str], Asset],
        planned: dict[str, PlannedAsset],
        users: tuple[str, ...],
    ) -> PlannedAsset:
        if asset.name in users:
            raise AssetError(f"asset '{asset.name}' is made from itself: {' -> '.join((*users, asset.name))}")
        if not isinstance(asset.source, LocalPath) and not _NAME.match(asset.name):
            raise AssetError(f"'{asset.name}' is not a name for an asset: letters, digits, '.', '_' and '-' only")
        if asset.name not in planned:
            names = asset.source.inputs if isinstance(asset.source, Prepared) else ()
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
        path = self._root / "assets" / asset.name / key[:_KEY_DIGITS]
        present = (path / manifest.FILE_NAME).is_file()
        fetch_bytes = 0
        if isinstance(asset.source, Download | Bucket | HuggingFace | UserSupplied) and not present:
            fetch_bytes = asset.source.size_bytes or 0
        if isinstance(asset.source, PypiPackage) and not present:
            counted = any(_same_wheel(asset.source, other.asset) and other.fetch_bytes for other in planned.values())
            there = counted or self._blobs.path(asset.source.sha256).is_file()
            fetch_bytes = 0 if there else asset.source.size_bytes
        return PlannedAsset(asset=asset, key=key, path=path, present=present, fetch_bytes=fetch_bytes, inputs=named)

    def _ingredients(self, asset: Asset) -> tuple[str, ...]:
        """What besides the entry and its inputs decides the content."""
        match asset.source:
            case LocalPath():
                place = _absolute(asset.source)
                check_place(asset.name, place)
                return (state_of(place),)
            case Prepared():
                pinned = bool(asset.files) and all(item.sha256 is not None for item in asset.files)
                return () if pinned or self._code_key is None else (self._code_key(asset.source.step),)
            case _:
                return ()

    def _ensure(self, planned: PlannedAsset, say: Say) -> ReadyAsset:
        asset = planned.asset
        remove_leftovers(self._root / "tmp")
        if isinstance(asset.source, LocalPath):
            check_place(asset.name, planned.path)
            memory = self._root / "local"
            return _ready(planned, hash_local(asset, planned.path, key=planned.key, memory=memory, when=self._when()))
        if (known := self._check(planned)) is not None:
            return _ready(planned, known)
        purpose = f"asset-{asset.name}"
        held = lock(
            self._root / "locks" / f"{purpose}.lock",
            waiting=lambda: say(f"waiting for another process that makes asset '{asset.name}'"),
        )
        with held:
            if (known := self._check(planned)) is not None:
                return _ready(planned, known)
            with workspace(self._root / "tmp", purpose) as work:
                made = work / "made"
                made.mkdir()
                self._fill(planned, made, say)
                return _ready(planned, self._publish(planned, made), fetched=True)

    def _check(self, planned: PlannedAsset) -> Manifest | None:
        """The manifest of what is there, checked against the files; None when nothing is."""
        known = manifest.read(planned.path / manifest.FILE_NAME)
        if known is not None:
            manifest.check_tree(planned.path, known, planned.asset)
        elif planned.path.exists():
            raise AssetError(f"{planned.path} has lost its {manifest.FILE_NAME}", hint=manifest.remedy(planned.path))
        return known

    def _fill(self, planned: PlannedAsset, made: Path, say: Say) -> None:
        source = planned.asset.source
        match source:
            case PypiPackage():
                from orchestrator.assets.archive import extract

                extract(self._wheel(source, say), source.members, made)
            case Prepared():
                self._run_step(planned, source, made, say)
            case LocalPath():
                raise TypeError("a local asset is used where it lies")
            case StandIn():
                for name in (*source.names, "STAND-IN.txt"):
                    (made / name).parent.mkdir(parents=True, exist_ok=True)
                    write_atomic(made / name, STAND_IN_TEXT.format(name=source.of))
            case Download(unpack=False):
                self._download(planned.asset, source, made, say)
            case _:
                raise AssetError(
                    f"asset '{planned.asset.name}' cannot be fetched by this version: {origin_of(source)}",
                    hint=f"get it, and give it with --asset {planned.asset.name}=PATH",
                )

    def _download(self, asset: Asset, source: Download, made: Path, say: Say) -> None:
        from orchestrator.assets.download import fetch_file

        say(f"fetching '{asset.name}' from {source.urls[0]}")
        with workspace(self._root / "tmp", f"download-{asset.name}") as work:
            fetched = fetch_file(source, work, environment=self._environment, say=say)
            name = asset.files[0].name if len(asset.files) == 1 else fetched.name
            fetched.replace(made / name)

    def _wheel(self, package: PypiPackage, say: Say) -> Path:
        what = f"{package.package} {package.version}"

        def fetch(work: Path) -> Path:
            say(f"fetching {what} ({package.size_bytes / 1e6:.1f} MB) with pip")
            return transient(partial(self._attempt, package, work), say=say, attempts=3)

        return self._blobs.ensure(package.sha256, what=what, fetch=fetch, say=say)

    def _attempt(self, package: PypiPackage, work: Path) -> Path:
        with workspace(work, "attempt") as folder:
            wheel = fetch_wheel(package, folder, environment=self._environment)
            return wheel.replace(work / wheel.name)

    def _run_step(self, planned: PlannedAsset, source: Prepared, made: Path, say: Say) -> None:
        for name, path in planned.inputs:
            if not path.exists():
                raise AssetError(f"asset '{planned.asset.name}' is made from '{name}', which is not at {path} yet")
        say(f"preparing '{planned.asset.name}' ({source.step})")
        job = PreparationJob(asset=planned.asset.name, source=source, inputs=planned.inputs, output=made)
        self._prepare(job, say=say)
        if not manifest.asset_files(made):
            raise AssetError(f"the step '{source.step}' said it was done but wrote nothing")

    def _publish(self, planned: PlannedAsset, made: Path) -> Manifest:
        trust = Trust.PINNED if _pinned(planned.asset) else Trust.FIRST_USE
        found = manifest.describe(planned.asset, key=planned.key, place=made, trust=trust, when=self._when())
        manifest.check_pins(planned.asset, found, hint="nothing was kept; another try will start afresh")
        manifest.write(found, made / manifest.FILE_NAME)
        publish_tree(made, planned.path)
        return found

    def _when(self) -> str:
        return self._now().isoformat(timespec="seconds")


def _ready(planned: PlannedAsset, known: Manifest, *, fetched: bool = False) -> ReadyAsset:
    return ReadyAsset(
        name=planned.asset.name,
        key=planned.key,
        path=planned.path,
        files=known.hashes,
        trust=known.trust.value,
        fetched=fetched,
    )


def _is_there(planned: PlannedAsset) -> bool:
    return (planned.path / manifest.FILE_NAME).is_file()


def _pinned(asset: Asset) -> bool:
    """A wheel's pinned hash covers all that comes out of it; a prepared asset needs a hash for each file."""
    if isinstance(asset.source, PypiPackage):
        return True
    return bool(asset.files) and all(item.sha256 is not None for item in asset.files)


def _absolute(source: LocalPath) -> Path:
    return source.path.expanduser().absolute()


def _same_wheel(package: PypiPackage, other: Asset) -> bool:
    return isinstance(other.source, PypiPackage) and other.source.sha256 == package.sha256
