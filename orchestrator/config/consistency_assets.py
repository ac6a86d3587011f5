"""Check the catalogue's assets for form: source, hashes, sizes, licence, gate, layout, names. Fetches nothing.

Finds faults of the catalogue, not of the user.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import assert_never
from urllib.parse import urlsplit

from orchestrator.config.catalog import asset_aliases, rounds
from orchestrator.domain.asset import Asset, AssetKind, Gate, GateKind, Service, SubsetForm
from orchestrator.domain.image import ImageEntry
from orchestrator.domain.script import script_faults
from orchestrator.domain.source import (
    Bucket,
    DebianPackage,
    Download,
    GitTree,
    HuggingFace,
    LocalPath,
    NpmPackage,
    Prepared,
    PypiPackage,
    Scripted,
    StandIn,
    UserSupplied,
    inputs_of,
)

_COMMIT = re.compile(r"[0-9a-f]{40}")
_HASHES = {"sha256": re.compile(r"[0-9a-f]{64}"), "md5": re.compile(r"[0-9a-f]{32}")}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SIZE_UNKNOWN = "size unknown"
_OWN_HOSTS = {Service.HUGGINGFACE: "huggingface.co", Service.MLCOMMONS: "mlcommons.org"}


def asset_faults(assets: Mapping[str, Asset], images: Mapping[str, ImageEntry]) -> Iterator[str]:
    """One line for each fault of the assets, each by itself and all together."""
    for name, asset in assets.items():
        for fault in _one(asset, assets, images):
            yield f"assets/{name}: {fault}"
    yield from _aliases(assets)
    yield from _circles(assets)


def _one(asset: Asset, assets: Mapping[str, Asset], images: Mapping[str, ImageEntry]) -> Iterator[str]:
    if not _NAME.fullmatch(asset.name):
        yield "its name is none: letters, digits, '.', '_' and '-' only"
    if not asset.licence.strip():
        yield "says nothing of its licence"
    yield from _source(asset, assets, images)
    yield from _sizes(asset)
    if asset.gate is not None:
        yield from _gate(asset, asset.gate)
    yield from _contents(asset)
    yield from _subset(asset)


def _source(asset: Asset, assets: Mapping[str, Asset], images: Mapping[str, ImageEntry]) -> Iterator[str]:
    source = asset.source
    match source:
        case Prepared() | Scripted():
            yield from _step(source, assets, images)
        case Download():
            yield from _download(asset, source)
        case Bucket():
            if not (_secure(source.uri) and source.uri.endswith(".uri")):
                yield f"'{source.uri}' is no metadata file of a bucket (https://….uri)"
            yield from _hash("md5", source.md5)
        case HuggingFace():
            yield from _hub(source)
        case GitTree():
            yield from _tree(source)
        case PypiPackage() | DebianPackage() | NpmPackage():
            yield from _hash("sha256", source.sha256)
            yield from (fault for member in source.members for fault in _hash("sha256", member.sha256))
        case UserSupplied():
            if f"{asset.name}=" not in source.how and f"cache import {asset.name} " not in source.how:
                yield f"does not say how a user gets it and hands it over (--asset {asset.name}=…)"
        case LocalPath() | StandIn():
            yield "is no source for a catalogue"
        case _:
            assert_never(source)


def _step(source: Prepared | Scripted, assets: Mapping[str, Asset], images: Mapping[str, ImageEntry]) -> Iterator[str]:
    yield from (f"is made from '{name}', which does not exist" for name in source.inputs if name not in assets)
    if source.image not in images:
        yield f"is made in the image '{source.image}', which does not exist"
    if isinstance(source, Scripted):
        yield from script_faults(source)
        yield from (f"is made in the unknown round '{name}'" for name in source.rounds if name not in rounds())


def _download(asset: Asset, source: Download) -> Iterator[str]:
    if not source.urls:
        yield "names no address"
    checked = source.sha256 is not None or source.md5 is not None
    for url in source.urls:
        if not _address(url):
            yield f"'{url}' is no web address"
        elif not url.startswith("https://") and not checked:
            yield f"'{url}' is not https, and no hash says what must come"
    if len(set(source.urls)) != len(source.urls):
        yield "names an address twice"
    yield from _hash("sha256", source.sha256)
    yield from _hash("md5", source.md5)
    if not source.unpack and len(asset.files) != 1:
        yield "is one file, so 'files' names it"
    if source.members and not source.unpack:
        yield "takes members of what is not unpacked"


def _hub(source: HuggingFace) -> Iterator[str]:
    if source.repository.count("/") != 1 or source.repository_type not in {"model", "dataset"}:
        yield f"'{source.repository}' is no OWNER/NAME of a model or dataset repository"
    if source.revision is not None and not _COMMIT.fullmatch(source.revision):
        yield f"the revision '{source.revision}' is not a full commit id"


def _tree(source: GitTree) -> Iterator[str]:
    if not _secure(source.repository):
        yield f"'{source.repository}' is no https address of a repository"
    if not _COMMIT.fullmatch(source.commit):
        yield f"'{source.commit}' is not a full commit id"
    yield from (f"'{path}' is no path inside a repository" for path in source.paths if not _relative(path))


def _hash(kind: str, found: str | None) -> Iterator[str]:
    if found is not None and not _HASHES[kind].fullmatch(found):
        yield f"its {kind} is not one"


def _sizes(asset: Asset) -> Iterator[str]:
    made = isinstance(asset.source, Prepared | Scripted)
    known = asset.size_bytes is not None or (asset.files and all(file.size_bytes for file in asset.files))
    if not known and not made and _SIZE_UNKNOWN not in (asset.note or ""):
        yield f"has no size_bytes, and its note does not say '{_SIZE_UNKNOWN}'"
    if asset.size_estimated and asset.size_bytes is None:
        yield "its size is estimated, but stands nowhere"
    if any(size is not None and size <= 0 for size in (asset.size_bytes, getattr(asset.source, "size_bytes", None))):
        yield "has a size that is none"
    if isinstance(asset.source, Download) and asset.source.size_bytes is not None and not asset.source.unpack:
        if asset.size_estimated:
            yield "its size is exact in the source, which the download is held to, and estimated beside it"
        elif asset.size_bytes is not None and asset.size_bytes != asset.source.size_bytes:
            yield "has two sizes"


def _gate(asset: Asset, gate: Gate) -> Iterator[str]:
    if asset.redistributable:
        yield "is gated, so it is not redistributable"
    if not gate.text.strip():
        yield "its gate says nothing"
    if not _secure(gate.apply_at):
        yield f"its gate: '{gate.apply_at}' is no https address"
    host = urlsplit(gate.apply_at).hostname or ""
    own = _OWN_HOSTS.get(gate.service) if gate.service is not None else None
    if own is not None and host != own and not host.endswith(f".{own}"):
        yield f"its gate is {gate.service}'s, but one applies at {host}"
    if gate.kind is GateKind.TOKEN and gate.service is None:
        yield "wants a token, and its gate does not say whose"
    if isinstance(asset.source, HuggingFace) and gate.service is not Service.HUGGINGFACE:
        yield "is behind the hub's gate, so its service is huggingface"


def _contents(asset: Asset) -> Iterator[str]:
    """Files and patterns stay inside the asset's folder, each is named once, and hashes are hashes."""
    for file in asset.files:
        if not _relative(file.name):
            yield f"'{file.name}' is no file of it"
        for fault in _hash("sha256", file.sha256):
            yield f"{file.name}: {fault}"
    for layout in asset.layout:
        if not _relative(layout.pattern):
            yield f"'{layout.pattern}' is no pattern of files inside it"
        if layout.count is not None and layout.count < 1:
            yield f"'{layout.pattern}': {layout.count} files are none"
    names = [*(file.name for file in asset.files), *(layout.pattern for layout in asset.layout)]
    yield from (f"names '{name}' twice" for name in sorted({name for name in names if names.count(name) > 1}))


def _subset(asset: Asset) -> Iterator[str]:
    told = asset.subset
    if told is None:
        return
    if asset.kind is not AssetKind.DATASET:
        yield f"is a {asset.kind}: only data sets have parts"
    if told.form is SubsetForm.FILES:
        if told.index is not None or told.folder is None:
            yield "is cut by its files' names, so its subset names their folder and no index"
    elif told.index is None:
        yield f"is cut by {told.form}, so its subset names the index"
    elif told.index not in {file.name for file in asset.files} | {layout.pattern for layout in asset.layout}:
        yield f"is cut by '{told.index}', which is none of its files"
    yield from (
        f"its subset's '{place}' is no path inside it"
        for place in (told.index, told.folder)
        if place is not None and place != "." and not _relative(place)
    )


def _aliases(assets: Mapping[str, Asset]) -> Iterator[str]:
    """Aliases are looked up without parsing; both readings must agree, and none may hide a name."""
    parsed = [(alias, name) for name, asset in assets.items() for alias in asset.aliases]
    for alias, name in parsed:
        others = [other for same, other in parsed if same == alias and other != name]
        if others:
            yield f"assets/{name}: its alias '{alias}' is one of {', '.join(others)}, too"
        if alias in assets:
            yield f"assets/{name}: its alias '{alias}' is the name of another"
        if not _NAME.fullmatch(alias):
            yield f"assets/{name}: '{alias}' is no name"
    if dict(parsed) != dict(asset_aliases()):
        yield "assets: write aliases on one line, `aliases: [a, b]`"


def _circles(assets: Mapping[str, Asset]) -> Iterator[str]:
    for name, asset in assets.items():
        if name in _made_from(asset, assets):
            yield f"assets/{name}: is made from itself"


def _made_from(asset: Asset, assets: Mapping[str, Asset]) -> set[str]:
    found: set[str] = set()
    waiting: list[str] = list(inputs_of(asset.source))
    while waiting:
        name = waiting.pop()
        if name not in found and name in assets:
            found.add(name)
            waiting += inputs_of(assets[name].source)
    return found


def _relative(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(name) and name == path.as_posix() and not path.is_absolute() and not {"..", "."} & set(path.parts)


def _address(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in {"https", "http"} and bool(parts.hostname) and parts.username is None and " " not in url


def _secure(url: str) -> bool:
    return _address(url) and url.startswith("https://")
