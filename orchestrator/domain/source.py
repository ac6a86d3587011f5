"""Where models and data sets come from: one value for each kind of source. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


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
class DebianPackage:
    """Files out of one pinned package of Debian's archive, asked of the mirror that the host's apt is set up for."""

    kind: Literal["deb"] = "deb"
    package: str
    version: str
    filename: str
    sha256: str
    size_bytes: int
    members: tuple[Member, ...]
    architecture: str = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class NpmPackage:
    """Files out of one pinned package of the npm registry that the user's npm is set up for; paths start `package/`."""

    kind: Literal["npm"] = "npm"
    package: str
    version: str
    sha256: str
    size_bytes: int
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GitTree:
    """Files of a public repository at one commit (40 hex digits); all of them, or those below `paths`."""

    kind: Literal["git"] = "git"
    repository: str
    commit: str
    paths: tuple[str, ...] = ()
    size_bytes: int | None = None


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
class Scripted:
    """Made from other assets by the benchmark repository's own script of the round, in `image`, which holds it.

    `commands` are argument vectors, carried out in order in `workdir`; `{in:NAME}` stands for the folder of an input
    (read-only), `{out}` for the folder to fill, `{work}` for a scratch folder. `network`: the script downloads by
    itself. `rounds`: where the repository has the script (empty: in all).
    """

    kind: Literal["script"] = "script"
    image: str
    commands: tuple[tuple[str, ...], ...]
    inputs: tuple[str, ...] = ()
    workdir: str | None = None
    environment: tuple[tuple[str, str], ...] = ()
    network: bool = False
    rounds: tuple[str, ...] = ()
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file at one of several addresses, tried in order; hash and size (exact) where they are published.

    `unpack`: it is an archive, and the asset is what is in it, or its `members` alone; `strip` leading folders go.
    """

    kind: Literal["download"] = "download"
    urls: tuple[str, ...]
    sha256: str | None = None
    md5: str | None = None
    size_bytes: int | None = None
    unpack: bool = False
    members: tuple[Member, ...] = ()
    strip: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A set of files in the MLCommons bucket, named by its metadata file (`….uri`), which points to their md5 list.

    `paths` (globs) take some of them; `strip` leading folders go. `md5` is that of the list, where one is known.
    `unpack`: the archives among them are unpacked in place of themselves.
    """

    kind: Literal["bucket"] = "bucket"
    uri: str
    size_bytes: int | None = None
    paths: tuple[str, ...] = ()
    strip: int = 0
    md5: str | None = None
    unpack: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HuggingFace:
    """A model or data repository of the Hugging Face hub at a pinned revision (null: not pinned upstream).

    `paths` (globs) take some of its files, `leave_out` leaves some out; all of them otherwise.
    """

    kind: Literal["huggingface"] = "huggingface"
    repository: str
    repository_type: str = "model"
    revision: str | None = None
    size_bytes: int | None = None
    paths: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()


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


Source = (
    PypiPackage
    | DebianPackage
    | NpmPackage
    | GitTree
    | LocalPath
    | Prepared
    | Scripted
    | Download
    | Bucket
    | HuggingFace
    | UserSupplied
    | StandIn
)
Package = PypiPackage | DebianPackage | NpmPackage


def is_fetched(source: Source) -> bool:
    """Whether this program fetches or makes it; else it is described, and the user brings it."""
    return not isinstance(source, UserSupplied)


def inputs_of(source: Source) -> tuple[str, ...]:
    """Names of the assets that it is made from."""
    return source.inputs if isinstance(source, Prepared | Scripted) else ()


def size_of(source: Source) -> int | None:
    """Bytes that it costs to fetch, where known; nothing for what is made here or lies here."""
    return None if isinstance(source, LocalPath | Prepared | StandIn) else source.size_bytes


def origin_of(source: Source) -> str:
    """Where an asset comes from, in words for a person."""
    match source:
        case PypiPackage() | DebianPackage() | NpmPackage():
            return f"{_ARCHIVES[source.kind]} {source.package} {source.version}"
        case GitTree():
            return f"{source.repository} at {source.commit[:12]}"
        case LocalPath():
            return str(source.path)
        case Prepared():
            return f"made from {', '.join(source.inputs)}"
        case Scripted():
            made_from = ", ".join(source.inputs) or ("the network" if source.network else "what its repository holds")
            return f"made from {made_from} by the benchmark's own script"
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


_ARCHIVES = {"pypi": "package", "deb": "Debian package", "npm": "npm package"}
