"""What the tests of sources fetch with: a cache of their own, short waits, and logins for servers on the loopback."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from orchestrator.assets.blobs import BlobStore
from orchestrator.assets.credentials import Credentials, Login
from orchestrator.assets.kit import Kit
from orchestrator.assets.transfer import Line
from orchestrator.domain.asset import Asset, AssetFile, AssetKind, Service
from orchestrator.domain.source import Source


def an_asset(source: Source, *files: str, name: str = "an-asset", size_bytes: int | None = None) -> Asset:
    """An entry with this source."""
    return Asset(
        name=name,
        kind=AssetKind.DATASET,
        source=source,
        files=tuple(AssetFile(name=file) for file in files),
        size_bytes=size_bytes,
        licence="none",
    )


def kit_for(
    place: Path,
    said: list[str] | None = None,
    *,
    members: tuple[str, Mapping[str, str]] | None = None,
    hub: tuple[str, str | None] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Kit:
    """A kit on `place`/cache. `members`: address and headers of a bucket, `hub`: address and token."""
    logins, endpoints = {}, {}
    if members is not None:
        endpoints[Service.MLCOMMONS] = members[0]
        logins[Service.MLCOMMONS] = Login(headers=members[1], secrets=tuple(members[1].values()), origin="a test")
    if hub is not None:
        endpoints[Service.HUGGINGFACE] = hub[0]
        if hub[1] is not None:
            headers = {"Authorization": f"Bearer {hub[1]}"}
            logins[Service.HUGGINGFACE] = Login(headers=headers, secrets=(hub[1],), origin="HF_TOKEN")
    scratch = place / "cache" / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    return Kit(
        line=Line(
            environment={"no_proxy": "*", **(environment or {})},
            credentials=Credentials(logins=MappingProxyType(logins), endpoints=MappingProxyType(endpoints)),
            connect_s=5.0,
            silence_s=5.0,
            attempts=2,
            first_wait_s=0.01,
        ),
        blobs=BlobStore(place / "cache"),
        scratch=scratch,
        say=(said if said is not None else []).append,
    )


def lines_of(found: Mapping[str, str]) -> list[str]:
    """The files among what lies in a folder."""
    return [name for name, kind in found.items() if kind == "file"]
