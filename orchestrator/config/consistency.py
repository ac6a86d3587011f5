"""Check that the catalogue fits together: every name that one file uses exists in another.

Finds faults of the catalogue, not of the user; returns them all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from orchestrator.config import catalog
from orchestrator.config.consistency_offers import benchmark_offers, offer_folders
from orchestrator.config.consistency_rules import benchmark_faults
from orchestrator.config.images import image_entries
from orchestrator.domain.asset import Asset
from orchestrator.domain.benchmark import Benchmark, Round
from orchestrator.domain.image import ImageEntry
from orchestrator.domain.source import Bucket, Download, HuggingFace, Prepared, UserSupplied
from orchestrator.errors import ConfigError

T = TypeVar("T")

LAYOUTS = frozenset({"measurements", "results"})
_COMMIT = re.compile(r"[0-9a-f]{40}")
_HASHES = {"sha256": re.compile(r"[0-9a-f]{64}"), "md5": re.compile(r"[0-9a-f]{32}")}


def check_catalogue() -> tuple[str, ...]:
    """One line for each fault; empty when everything that is named exists and the numbers can hold together."""
    faults: list[str] = []
    rounds = _all("rounds", catalog.rounds(), catalog.load_round, faults)
    assets = _all("assets", catalog.asset_names(), catalog.load_asset, faults)
    ways = _all("implementations", catalog.implementation_names(), catalog.load_implementation, faults)
    tests = _all("compliance", catalog.compliance_names(), catalog.load_compliance, faults)
    benchmarks = _all("benchmarks", catalog.benchmark_names(), catalog.load_benchmark, faults)
    try:
        images = image_entries()
    except ConfigError as error:
        faults += error.faults
        images = {}
    faults += _rounds(rounds)
    faults += _assets(assets, images)
    faults += _aliases(benchmarks)
    faults += offer_folders(benchmarks, ways)
    known = catalog.rounds()
    for name, benchmark in benchmarks.items():
        faults += [f"benchmarks/{name}: {fault}" for fault in benchmark_faults(benchmark, known, assets, tests)]
        faults += [f"benchmarks/{name}: {fault}" for fault in benchmark_offers(benchmark, ways, assets, images)]
    return tuple(dict.fromkeys(faults))


def _all(folder: str, names: tuple[str, ...], load: Callable[[str], T], faults: list[str]) -> dict[str, T]:
    found: dict[str, T] = {}
    for name in names:
        try:
            found[name] = load(name)
        except ConfigError as error:
            faults += error.faults
            continue
        inner = getattr(found[name], "name", None)
        if inner != name:
            faults.append(f"{folder}/{name}.yaml: its name is '{inner}', not the file's")
    return found


def _rounds(rounds: Mapping[str, Round]) -> Iterator[str]:
    defaults = [name for name, entry in rounds.items() if entry.default]
    if len(defaults) != 1:
        yield f"rounds: one must be the default, found {defaults}"
    seeds = {entry.seeds for entry in rounds.values()}
    if len(seeds) != len(rounds):
        yield "rounds: two have the same seeds"
    for name, entry in rounds.items():
        for commit in (entry.commit, entry.settings_commit):
            if commit is not None and not _COMMIT.fullmatch(commit):
                yield f"rounds/{name}: '{commit}' is not a full commit id"
        if entry.layout is not None and entry.layout not in LAYOUTS:
            yield f"rounds/{name}: the layout '{entry.layout}' is none of {sorted(LAYOUTS)}"


def _assets(assets: Mapping[str, Asset], images: Mapping[str, ImageEntry]) -> Iterator[str]:
    for name, asset in assets.items():
        for fault in _source(asset, assets, images):
            yield f"assets/{name}: {fault}"
        if not asset.licence.strip():
            yield f"assets/{name}: says nothing of its licence"
        if asset.gate is not None and asset.redistributable:
            yield f"assets/{name}: is gated, so it is not redistributable"
        for file in asset.files:
            if file.sha256 is not None and not _HASHES["sha256"].fullmatch(file.sha256):
                yield f"assets/{name}: the sha256 of {file.name} is not one"


def _source(asset: Asset, assets: Mapping[str, Asset], images: Mapping[str, ImageEntry]) -> Iterator[str]:
    source = asset.source
    if isinstance(source, Prepared):
        yield from (f"is made from '{name}', which does not exist" for name in source.inputs if name not in assets)
        if source.image not in images:
            yield f"is made in the image '{source.image}', which does not exist"
    elif isinstance(source, Download):
        yield from _download(source)
    elif isinstance(source, Bucket):
        if not (_address(source.uri) and source.uri.endswith(".uri")):
            yield f"'{source.uri}' is no metadata file of a bucket (https://….uri)"
    elif isinstance(source, HuggingFace):
        yield from _hub(source)
    elif isinstance(source, UserSupplied) and not source.how.strip():
        yield "does not say how a user gets it"


def _download(source: Download) -> Iterator[str]:
    if not source.urls:
        yield "names no address"
    yield from (f"'{url}' is no web address" for url in source.urls if not _address(url))
    for kind, found in (("sha256", source.sha256), ("md5", source.md5)):
        if found is not None and not _HASHES[kind].fullmatch(found):
            yield f"its {kind} is not one"


def _hub(source: HuggingFace) -> Iterator[str]:
    if source.repository.count("/") != 1 or source.repository_type not in {"model", "dataset"}:
        yield f"'{source.repository}' is no OWNER/NAME of a model or dataset repository"
    if source.revision is not None and not _COMMIT.fullmatch(source.revision):
        yield f"the revision '{source.revision}' is not a full commit id"


def _address(text: str) -> bool:
    return text.startswith(("https://", "http://"))


def _aliases(benchmarks: Mapping[str, Benchmark]) -> Iterator[str]:
    """Aliases are looked up without parsing; both readings must agree, and none may hide a name."""
    parsed = {alias: name for name, one in benchmarks.items() for alias in (*one.aliases, *one.variants)}
    if parsed != catalog.benchmark_aliases():
        yield "benchmarks: write aliases on one line, `aliases: [a, b]`, each for one benchmark only"
    yield from (f"benchmarks: the alias '{alias}' is a name" for alias in parsed if alias in benchmarks)
