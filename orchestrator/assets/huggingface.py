"""A repository of the Hugging Face hub: its files at one commit, listed by the hub's own library, fetched by ours.

Big files are held to the sha256 that the hub publishes, small ones to their git hash: both follow from the commit.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Literal, cast

from orchestrator.assets.kit import Kit, each
from orchestrator.assets.names import chosen, placed
from orchestrator.assets.transfer import Expected
from orchestrator.domain.asset import Asset, FileHash, Service
from orchestrator.domain.source import HuggingFace
from orchestrator.errors import AssetError, TransientAssetError
from orchestrator.host.retry import transient

_TIMEOUT_S = 60.0
_LISTED_RELIABLY = 50_000  # the hub's answer leaves files out of bigger repositories
_BUSY = frozenset({408, 429, 500, 502, 503, 504})
_DEFAULT_REVISION = "main"
_SURROUNDINGS = threading.Lock()
_RepositoryType = Literal["model", "dataset", "space"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFile:
    """A file as the hub lists it: its git hash (sha1 of a blob), and for big ones the sha256 of their bytes."""

    path: str
    size_bytes: int | None
    git_sha1: str | None
    sha256: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HubListing:
    """All files of a repository at a commit (40 hex digits)."""

    commit: str
    files: tuple[HubFile, ...]


def fill_from_hub(asset: Asset, source: HuggingFace, made: Path, kit: Kit) -> tuple[FileHash, ...]:
    """Fetch what is wanted of a repository. AssetError says who lets one in, where that is a matter of access."""
    listing = list_repository(asset, source, kit)
    if source.revision is None:
        kit.say(
            f"'{asset.name}': no revision of {source.repository} is pinned; taking '{_DEFAULT_REVISION}' as it is now, "
            f"{listing.commit} (trust on first use)"
        )
    elif source.revision != listing.commit:
        kit.say(f"'{asset.name}': '{source.revision}' of {source.repository} is now {listing.commit}")
    if source.revision != listing.commit:
        kit.learn("revision", listing.commit)
    files = {file.path: file for file in listing.files}
    names = chosen(tuple(files), source.paths, source.leave_out, label=source.repository)
    placed(names, 0, label=source.repository)
    sizes = [files[name].size_bytes for name in names]
    total = sum(size for size in sizes if size is not None) if None not in sizes else source.size_bytes
    kit.say(f"'{asset.name}': {len(names):,} files of {source.repository} at {listing.commit[:12]}")
    fetch = partial(_fetch, source, listing.commit, _endpoint(kit))
    received = each((files[name] for name in names), fetch, kit, what=asset.name, total_bytes=total)
    for name, (blob, _) in zip(names, received, strict=True):
        kit.place(blob, made, name)
    return tuple(
        FileHash(name=name, sha256=known.sha256, size_bytes=known.size_bytes)
        for name, (_, known) in zip(names, received, strict=True)
    )


def list_repository(asset: Asset, source: HuggingFace, kit: Kit) -> HubListing:
    """Ask the hub for the commit and the files; what may pass is tried again."""
    return transient(
        partial(_list, asset, source, kit),
        say=kit.say,
        attempts=kit.line.attempts,
        first_wait_s=kit.line.first_wait_s,
    )


def _list(asset: Asset, source: HuggingFace, kit: Kit) -> HubListing:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    credentials = kit.line.credentials
    # without a token the library would look for one by itself: credentials.py has looked already
    api = HfApi(endpoint=_endpoint(kit), token=credentials.token(Service.HUGGINGFACE) or False)
    try:
        with _surroundings(kit.line.environment):
            answer = api.repo_info(
                source.repository,
                repo_type=cast(_RepositoryType, source.repository_type),
                revision=source.revision,
                timeout=_TIMEOUT_S,
                files_metadata=True,
            )
    except HfHubHTTPError as error:
        raise _refusal(asset, source, error, known=credentials.origin(Service.HUGGINGFACE)) from error
    except HFValidationError as error:
        raise AssetError(f"'{source.repository}' is no name of a repository of the hub") from error
    except OfflineModeIsEnabled as error:
        raise AssetError(
            "HF_HUB_OFFLINE is set: the hub is not asked", hint=f"unset it, or give --asset {asset.name}=PATH"
        ) from error
    except Exception as error:  # the library's own stack below: requests or httpx, as its version has it
        raise TransientAssetError(
            f"{_endpoint(kit)} did not answer ({type(error).__name__})",
            hint=f"check the network and proxies, or give the files with --asset {asset.name}=PATH",
        ) from error
    siblings = getattr(answer, "siblings", None) or []  # kinds of repository without files have none
    if len(siblings) >= _LISTED_RELIABLY:
        raise AssetError(
            f"{source.repository} has more than {_LISTED_RELIABLY:,} files: the hub does not list them all"
        )
    if not answer.sha:
        raise AssetError(f"the hub names no commit of {source.repository}")
    files = (
        HubFile(
            path=item.rfilename,
            size_bytes=item.size,
            git_sha1=item.blob_id,
            sha256=item.lfs.sha256 if item.lfs is not None else None,
        )
        for item in siblings
    )
    return HubListing(commit=answer.sha, files=tuple(files))


def _fetch(source: HuggingFace, commit: str, endpoint: str, file: HubFile, kit: Kit) -> tuple[Path, FileHash]:
    from huggingface_hub import hf_hub_url

    url = hf_hub_url(source.repository, file.path, repo_type=source.repository_type, revision=commit, endpoint=endpoint)
    expected = Expected(sha256=file.sha256, size_bytes=file.size_bytes)
    blob, known = kit.blobs.receive(
        (url,),
        name=PurePosixPath(file.path).name,
        expected=expected,
        line=kit.line,
        say=kit.say,
        meter=kit.meter,
    )
    if file.sha256 is None and file.git_sha1 is not None:
        found = git_sha1(blob)
        if found != file.git_sha1:
            raise AssetError(
                f"'{file.path}' of {source.repository} is not that of the commit {commit[:12]}: "
                f"expected git hash {file.git_sha1}, found {found}",
                hint="what lies between here and the hub changes files; nothing of the asset was kept",
            )
    return blob, known


def git_sha1(path: Path) -> str:
    """The hash that git gives a file's bytes, 40 hex digits."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _endpoint(kit: Kit) -> str:
    return kit.line.credentials.endpoint(Service.HUGGINGFACE) or "https://huggingface.co"


def _refusal(asset: Asset, source: HuggingFace, error: Exception, *, known: str | None) -> AssetError:
    """What the hub's answer means for a person, and what to do next."""
    from huggingface_hub.errors import DisabledRepoError, GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    status = int(getattr(getattr(error, "response", None), "status_code", 0) or 0)
    kind = "datasets/" if source.repository_type == "dataset" else ""
    page = asset.gate.apply_at if asset.gate else f"https://huggingface.co/{kind}{source.repository}"
    login = "`mlperf-docker login huggingface` (a token of https://huggingface.co/settings/tokens)"
    if isinstance(error, RevisionNotFoundError):
        return AssetError(
            f"{source.repository} has no revision '{source.revision}'",
            hint="its publisher has removed it, or the catalogue is wrong",
        )
    if isinstance(error, DisabledRepoError):
        return AssetError(f"the hub has closed {source.repository}", hint=f"see {page}")
    if isinstance(error, GatedRepoError) or status == 403:
        if known is None:
            return AssetError(f"{source.repository} is gated", hint=f"ask for access at {page}, then {login}")
        return AssetError(
            f"{source.repository} is gated, and the token from {known} has no access",
            hint=f"ask for access at {page} with the token's account, and wait until it is granted",
        )
    if status == 401 and known is not None and not isinstance(error, RepositoryNotFoundError):
        return AssetError(f"the hub does not take the token from {known}", hint=f"it may have expired: {login}")
    if isinstance(error, RepositoryNotFoundError) or status in {401, 404}:
        return AssetError(
            f"{source.repository} is not there, or not shown to "
            + ("everybody" if known is None else f"the token from {known}"),
            hint=f"see {page}; for a private or gated one: {login}",
        )
    if status in _BUSY:
        return TransientAssetError(f"the hub answered {status} for {source.repository}")
    return AssetError(f"the hub answered {status or 'with an error'} for {source.repository}", hint=f"see {page}")


@contextmanager
def _surroundings(environment: Mapping[str, str]) -> Iterator[None]:
    """Proxies and certificates as the library takes them: from this process's own variables, and from nowhere else."""
    bundle = environment.get("PIP_CERT")
    named = {name: value for name, value in environment.items() if name.endswith("_proxy")}
    if bundle:
        named |= {"REQUESTS_CA_BUNDLE": bundle, "SSL_CERT_FILE": bundle}
    with _SURROUNDINGS:
        before = {name: os.environ.get(name) for name in named}
        os.environ.update(named)
        try:
            yield
        finally:
            _end_session()
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def _end_session() -> None:
    """Have the next call begin with connections of its own: they keep the proxy that they began with."""
    import huggingface_hub

    close = getattr(huggingface_hub, "close_session", None)  # versions before 1 look at the variables each time
    if close is not None:
        close()
