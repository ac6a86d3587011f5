"""Small assets that a step makes out of nothing, and caches that hold them: shared by the tests of the cache."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.assets.cache_layout import CacheLayout
from orchestrator.assets.store import CacheStore
from orchestrator.domain.asset import Asset, AssetKind, PlannedAsset, PreparationJob, ReadyAsset
from orchestrator.domain.ports import Say
from orchestrator.domain.source import Prepared

Files = Mapping[str, bytes]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def silent(_line: str) -> None:
    """A Say that says nothing."""


def no_catalogue(name: str) -> Asset:
    """A catalogue in which nothing may be looked up."""
    raise AssertionError(f"{name} was looked up")


def asset(name: str, **changes: object) -> Asset:
    """An asset that a step makes from nothing."""
    source = Prepared(step=f"make-{name}", image="none", inputs=())
    made = Asset(name=name, kind=AssetKind.DATASET, source=source, licence="none")
    return replace(made, **changes)  # type: ignore[arg-type]


class Maker:
    """A Preparer that writes the files it was told for each asset."""

    def __init__(self, files: Mapping[str, Files]) -> None:
        self.files = dict(files)
        self.jobs: list[str] = []

    def __call__(self, job: PreparationJob, *, say: Say) -> None:
        self.jobs.append(job.asset)
        for name, content in self.files[job.asset].items():
            target = job.output / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


def plan(store: CacheStore, wanted: Asset) -> PlannedAsset:
    """The plan of an asset that is made from nothing else."""
    (planned,) = store.plan(wanted, no_catalogue)
    return planned


def have(
    root: Path, files: Mapping[str, Files], *, at: datetime = NOON, used_by: str | None = None
) -> list[ReadyAsset]:
    """Make each asset in the cache at `root`, in order."""
    store = CacheStore(root, prepare=Maker(files), now=lambda: at)
    return [store.ensure(plan(store, asset(name)), say=silent, used_by=used_by) for name in files]


def layout(root: Path) -> CacheLayout:
    """Where things lie."""
    return CacheLayout(root)


def writable(path: Path, content: bytes) -> None:
    """Damage a file that is read-only."""
    path.chmod(0o644)
    path.write_bytes(content)


@contextmanager
def another_user(root: Path) -> Iterator[None]:
    """Act as somebody who owns nothing, with a way into the folder; only root can."""
    if os.geteuid() != 0:
        pytest.skip("only root can act as another user")
    for folder in (root, *root.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o055)
    os.setegid(65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def snapshot(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Everything below a folder: mode, time, content."""
    found = {}
    for place, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = Path(place) / name
            stat = path.lstat()
            content = path.read_bytes() if path.is_file() else b""
            found[str(path.relative_to(root))] = (stat.st_mode, stat.st_mtime_ns, content)
    return found
