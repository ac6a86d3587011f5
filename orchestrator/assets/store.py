"""The cache as `Assets`: plans what an asset costs, and has it, verified. Views on a content-addressed store.

`assets/NAME/KEY` is there whole or not at all, whatever dies when; it is never changed, only removed by the user.
Decides nothing about benchmarks; containers are the Preparer's affair.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from orchestrator.assets import manifest
from orchestrator.assets.blobs import BlobStore
from orchestrator.assets.cache_layout import SITE_REMEDY, CacheLayout
from orchestrator.assets.cache_plan import CodeKey, Planner, is_there, needed
from orchestrator.assets.cache_publish import Content, Learned, Shelf, making, publish
from orchestrator.assets.cache_uses import note_use
from orchestrator.assets.local import check_place, hash_local
from orchestrator.assets.manifest import Manifest
from orchestrator.assets.workspace import remove_leftovers, workspace
from orchestrator.domain.asset import Asset, FileHash, PlannedAsset, PreparationJob, ReadyAsset
from orchestrator.domain.ports import Meter, Preparer, Say, no_meter
from orchestrator.domain.source import (
    LocalPath,
    Prepared,
    Scripted,
    StandIn,
    UserSupplied,
    origin_of,
)
from orchestrator.errors import AssetError
from orchestrator.host.files import lock, write_atomic

if TYPE_CHECKING:
    from orchestrator.assets.cache_import import How
    from orchestrator.assets.transfer import Line

STAND_IN_TEXT = "Stand-in for '{name}', made for a rehearsal. It holds nothing of the real thing.\n"
_NO_ENVIRONMENT: Mapping[str, str] = MappingProxyType({})


class CacheStore:
    """Implements `Assets` on a folder; processes on one machine or one shared file system may use it together.

    `site_caches` are looked into after it and never written. `code_key` gives, for what is prepared without pinned
    hashes, a hash of the code and image that make it. `line` says how servers are reached (a function is asked when
    the first is); without it, with nothing but `environment` (variables for the programs that download).
    """

    def __init__(
        self,
        root: Path,
        *,
        prepare: Preparer,
        line: Line | Callable[[], Line] | None = None,
        site_caches: tuple[Path, ...] = (),
        code_key: CodeKey | None = None,
        environment: Mapping[str, str] = _NO_ENVIRONMENT,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._layout = CacheLayout(root.absolute())
        sites = tuple(CacheLayout(site.absolute()) for site in site_caches)
        self._blobs = BlobStore(self._layout.root, tuple(site.root for site in sites))
        self._planner = Planner(layout=self._layout, sites=sites, blobs=self._blobs, code_key=code_key)
        self._prepare = prepare
        self._line = line
        self._environment = environment
        self._now = now or partial(datetime.now, UTC)

    def plan(self, asset: Asset, catalogue: Callable[[str], Asset]) -> tuple[PlannedAsset, ...]:
        """The asset and all it is made from, in order of making (the asked one last); reads, never writes.

        `fetch_bytes` is what is still to be downloaded, nothing for what only serves an asset that is there.
        """
        return self._planner.plan(asset, catalogue)

    def needed(self, planned: tuple[PlannedAsset, ...]) -> tuple[PlannedAsset, ...]:
        """Those of a plan that have to be there now: without what only served to make an asset that is there."""
        return needed(planned)

    def ensure(
        self, planned: PlannedAsset, *, say: Say, meter: Meter = no_meter, used_by: str | None = None
    ) -> ReadyAsset:
        """Have it, verified: what is there is checked, what is not is made (by one process, others wait for it).

        `used_by`: the run that is going to use it, noted. AssetError names expected and found hash; then nothing was
        removed, and nothing half-made is left.
        """
        try:
            return self._ensure(planned, say, meter, used_by)
        except OSError as error:
            raise self._refused(planned, error) from error

    def bring(self, planned: PlannedAsset, given: Path, how: How, *, say: Say, meter: Meter = no_meter) -> ReadyAsset:
        """Have it from what the user has at `given`: a folder, a file, or the archive that it comes in.

        AssetError when it is there already, or is not what the catalogue says; then nothing of the user's was touched.
        """
        try:
            known = self._bring(planned, given.expanduser().absolute(), how, say, meter)
        except OSError as error:
            raise self._refused(planned, error) from error
        return _ready(planned, known, fetched=True)

    def _bring(self, planned: PlannedAsset, given: Path, how: How, say: Say, meter: Meter) -> Manifest:
        from orchestrator.assets import cache_import

        asset = planned.asset
        with making(self._layout, planned, say=say):
            if is_there(planned.path):
                raise AssetError(
                    f"asset '{asset.name}' is in the cache already: {planned.path}",
                    hint=f"mlperf-docker cache rm {asset.name} removes it",
                )
            with workspace(self._layout.tmp, f"asset-{asset.name}-{planned.path.name}") as work:
                made = work / "made"
                if cache_import.take_archive(asset, given, self._blobs, say=say):
                    known = self._make(planned, made, say, meter)
                else:
                    made.mkdir()
                    content = cache_import.fill_from_user(asset, given, made, how, meter)
                    known = publish(planned, made, self._shelf(say), content)
        if how is cache_import.How.MOVE:
            cache_import.remove_taken(given)
        return known

    def _shelf(self, say: Say) -> Shelf:
        return Shelf(layout=self._layout, blobs=self._blobs, when=self._when(), say=say)

    def _refused(self, planned: PlannedAsset, error: OSError) -> AssetError:
        place = error.filename2 or error.filename or planned.path
        return AssetError(
            f"asset '{planned.asset.name}': {error.strerror or error}: {place}",
            hint=f"check space and permissions under {self._layout.root}: `mlperf-docker cache prune` frees some, "
            "MLPERF_DOCKER_CACHE names another place",
        )

    def _ensure(self, planned: PlannedAsset, say: Say, meter: Meter, used_by: str | None) -> ReadyAsset:
        asset = planned.asset
        if isinstance(asset.source, LocalPath):
            check_place(asset.name, planned.path)
            memory = self._layout.local
            self._note(planned, used_by)
            return _ready(planned, hash_local(asset, planned.path, key=planned.key, memory=memory, when=self._when()))
        if not planned.path.is_relative_to(self._layout.root):
            return self._at_site(planned, used_by)
        remove_leftovers(self._layout.tmp)
        if (known := self._found(planned, used_by)) is not None:
            return _ready(planned, known)
        with making(self._layout, planned, say=say):
            if (known := self._check(planned)) is None:
                purpose = f"asset-{asset.name}-{planned.path.name}"
                with workspace(self._layout.tmp, purpose) as work:
                    known = self._make(planned, work / "made", say, meter)
                self._note(planned, used_by)
                return _ready(planned, known, fetched=True)
            self._note(planned, used_by)
            return _ready(planned, known)

    def _make(self, planned: PlannedAsset, made: Path, say: Say, meter: Meter) -> Manifest:
        """Fetch or prepare it, and publish it."""
        made.mkdir()
        learned = Learned()
        hashes = self._fill(planned, made, say, meter, learned)
        return publish(planned, made, self._shelf(say), Content(hashes=hashes, learned=learned.facts))

    def _at_site(self, planned: PlannedAsset, used_by: str | None) -> ReadyAsset:
        """It is used where it lies; what is wrong with it only its keeper can put right."""
        try:
            known = self._check(planned)
        except AssetError as error:
            raise AssetError(error.cause, hint=SITE_REMEDY) from error
        if known is None:
            raise AssetError(
                f"asset '{planned.asset.name}' is no longer in the site's cache: {planned.path}", hint="run again"
            )
        self._note(planned, used_by)
        return _ready(planned, known)

    def _found(self, planned: PlannedAsset, used_by: str | None) -> Manifest | None:
        """What is there, checked. A user notes its use first, under a lock that keeps it from being removed."""
        if used_by is None or not is_there(planned.path):
            return self._check(planned)
        with ExitStack() as held:
            try:
                held.enter_context(lock(self._layout.asset_lock(planned.asset.name, planned.key), shared=True))
            except OSError:
                return self._check(planned)  # a cache that we may only read: we cannot remove anything either
            self._note(planned, used_by)
            return self._check(planned)

    def _check(self, planned: PlannedAsset) -> Manifest | None:
        """The manifest of what is there, checked against the files; None when nothing is."""
        known = manifest.read(planned.path / manifest.FILE_NAME)
        if known is not None:
            manifest.check_tree(planned.path, known, planned.asset)
        elif planned.path.exists():
            raise AssetError(
                f"{planned.path} has lost its {manifest.FILE_NAME}",
                hint=f"remove the folder {planned.path} and run again: it will be had anew",
            )
        return known

    def _fill(
        self, planned: PlannedAsset, made: Path, say: Say, meter: Meter, learned: Learned
    ) -> tuple[FileHash, ...]:
        source = planned.asset.source
        match source:
            case Prepared() | Scripted():
                self._run_step(planned, source, made, say)
                return ()
            case LocalPath():
                raise TypeError("a local asset is used where it lies")
            case StandIn():
                for name in (*source.names, "STAND-IN.txt"):
                    (made / name).parent.mkdir(parents=True, exist_ok=True)
                    write_atomic(made / name, STAND_IN_TEXT.format(name=source.of))
                return ()
            case UserSupplied():
                name = planned.asset.name
                raise AssetError(
                    f"asset '{name}' cannot be fetched: {origin_of(source)}",
                    hint=f"get it, then `mlperf-docker cache import {name} PATH`, or give it with --asset {name}=PATH",
                )
            case _:
                from orchestrator.assets.fetch import Kit, fill

                scratch = self._layout.tmp
                kit = Kit(
                    line=self._reach(), blobs=self._blobs, scratch=scratch, say=say, meter=meter, learn=learned.note
                )
                return fill(planned.asset, made, kit)

    def _reach(self) -> Line:
        if self._line is not None:
            return self._line() if callable(self._line) else self._line
        from orchestrator.assets.credentials import NO_CREDENTIALS
        from orchestrator.assets.transfer import Line

        return Line(environment=self._environment, credentials=NO_CREDENTIALS)

    def _run_step(self, planned: PlannedAsset, source: Prepared | Scripted, made: Path, say: Say) -> None:
        for name, path in planned.inputs:
            if not path.exists():
                raise AssetError(f"asset '{planned.asset.name}' is made from '{name}', which is not at {path} yet")
        how = f"the step '{source.step}'" if isinstance(source, Prepared) else "the benchmark's own script"
        say(f"preparing '{planned.asset.name}' ({how})")
        job = PreparationJob(asset=planned.asset.name, source=source, inputs=planned.inputs, output=made)
        self._prepare(job, say=say)
        if not manifest.asset_files(made):
            raise AssetError(f"{how} said it was done but wrote nothing")

    def _note(self, planned: PlannedAsset, used_by: str | None) -> None:
        if used_by is not None:
            note_use(self._layout, planned.asset.name, planned.key, run=used_by, when=self._when())

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
