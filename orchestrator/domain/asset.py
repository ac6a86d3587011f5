"""Models and data sets as values: where they come from, how they are verified, how they are prepared. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath

from orchestrator.domain.canonical import fingerprint
from orchestrator.domain.source import LocalPath, Prepared, Scripted, Source, StandIn, size_of
from orchestrator.domain.terms import Evidence


class AssetKind(StrEnum):
    """What an asset is for."""

    MODEL = "model"
    DATASET = "dataset"
    MATERIAL = "material"  # what others are prepared from


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetFile:
    """One file that the asset must hold once it is there; `sha256` null where only trust on first use is possible."""

    name: str
    sha256: str | None = None
    size_bytes: int | None = None


class GateKind(StrEnum):
    """What stands before an asset."""

    FORM = "form"  # terms to accept, a registration
    TOKEN = "token"  # noqa: S105 - an access token of a hub, after its licence was accepted
    LOGIN = "login"  # an account
    MEMBERSHIP = "membership"


class Service(StrEnum):
    """Who lets one in: what `mlperf-docker login` knows and what can be asked whether access works."""

    HUGGINGFACE = "huggingface"
    MLCOMMONS = "mlcommons"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What a user has to do before an asset may be fetched: `text` in words, `apply_at` an address.

    `service` is null where access cannot be tested from here.
    """

    kind: GateKind
    text: str
    apply_at: str
    service: Service | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Files that an asset must hold: a glob relative to its folder, and how many match (null: at least one)."""

    pattern: str
    count: int | None = None


class SubsetForm(StrEnum):
    """How the first N samples of a data set are told: by a list file, COCO's annotations, JSON or by name alone."""

    LIST = "list"  # lines `file label`
    COCO = "coco"  # images and annotations of a COCO file
    JSON = "json"  # an array
    SQUAD = "squad"  # questions of SQuAD's paragraphs
    FILES = "files"  # files in the order of their names


@dataclass(frozen=True, slots=True, kw_only=True)
class Subsetting:
    """How to make a smaller data set: `index` is the file that lists the samples, `folder` holds what it names."""

    form: SubsetForm
    index: str | None = None
    folder: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One catalogue entry: what is fetched or made, what must come out, under which licence.

    `size_bytes` is that of the asset as it lies (null: unknown); `size_estimated` marks sizes that are neither
    published nor measured. `aliases`: other names that users know it by.
    """

    name: str
    kind: AssetKind
    source: Source = field(metadata={"discriminator": "kind"})
    files: tuple[AssetFile, ...] = ()
    layout: tuple[Layout, ...] = ()
    licence: str
    gate: Gate | None = None
    redistributable: bool = False
    size_bytes: int | None = None
    size_estimated: bool = False
    subset: Subsetting | None = None
    aliases: tuple[str, ...] = ()
    note: str | None = None
    evidence: Evidence = Evidence.PUBLISHED

    def key(self, inputs: tuple[str, ...] = ()) -> str:
        """Identity by content, 64 hex digits: source and the keys of what it is made from, not its name."""
        return fingerprint({"source": self.source, "files": self.files, "layout": self.layout, "inputs": inputs})

    @property
    def transfer_bytes(self) -> int | None:
        """Bytes that it costs to fetch: the source's where it says so, else the asset's; 0 for what is made here.

        None: nobody knows.
        """
        if isinstance(self.source, LocalPath | Prepared | StandIn) or (
            isinstance(self.source, Scripted) and not self.source.network
        ):
            return 0
        found = size_of(self.source)
        return self.size_bytes if found is None else found


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

    asset: str
    source: Prepared | Scripted
    inputs: tuple[tuple[str, Path], ...]
    output: Path


CONTAINER_MODEL = PurePosixPath("/model")
CONTAINER_DATASET = PurePosixPath("/dataset")
CONTAINER_OUTPUT = PurePosixPath("/out")
