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


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file at one of several addresses, tried in order; hash and size where they are published."""

    kind: Literal["download"] = "download"
    urls: tuple[str, ...]
    sha256: str | None = None
    md5: str | None = None
    size_bytes: int | None = None
    unpack: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A set of files in the MLCommons bucket, named by its metadata file (`….uri`)."""

    kind: Literal["bucket"] = "bucket"
    uri: str
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HuggingFace:
    """A model or data repository of the Hugging Face hub at a pinned revision (null: not pinned upstream)."""

    kind: Literal["huggingface"] = "huggingface"
    repository: str
    repository_type: str = "model"
    revision: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSupplied:
    """Only the user can have it (registration, licence, members only): `how` says where and by which steps."""

    kind: Literal["user"] = "user"
    how: str
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """Takes the place of an asset that cannot be had, in a rehearsal: files of those names that only say so."""

    kind: Literal["stand-in"] = "stand-in"
    of: str
    names: tuple[str, ...] = ()


Source = PypiPackage | LocalPath | Prepared | Download | Bucket | HuggingFace | UserSupplied | StandIn


def is_fetched(source: Source) -> bool:
    """Whether this program fetches or makes it; else it is described, and the user brings it."""
    if isinstance(source, Download):
        return not source.unpack
    return not isinstance(source, Bucket | HuggingFace | UserSupplied)


def origin_of(source: Source) -> str:
    """Where an asset comes from, in words for a person."""
    match source:
        case PypiPackage():
            return f"package {source.package} {source.version}"
        case LocalPath():
            return str(source.path)
        case Prepared():
            return f"made from {', '.join(source.inputs)}"
        case Download():
            return source.urls[0]
        case Bucket():
            return f"the MLCommons bucket, {source.uri}"
        case HuggingFace():
            return f"Hugging Face, {source.repository}" + (f" at {source.revision}" if source.revision else "")
        case UserSupplied():
            return source.how
        case StandIn():
            return f"a stand-in for {source.of}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetFile:
    """One file that the asset must hold once it is there; `sha256` null where only trust on first use is possible."""

    name: str
    sha256: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One catalogue entry: what is fetched or made, what must come out, under which licence.

    `gate` names what stands before it (a form, a token, a membership) and where to apply. `size_estimated` marks a size
    that is neither published nor measured.
    """

    name: str
    kind: AssetKind
    source: Source = field(metadata={"discriminator": "kind"})
    files: tuple[AssetFile, ...] = ()
    licence: str
    gate: str | None = None
    redistributable: bool = False
    size_estimated: bool = False
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
