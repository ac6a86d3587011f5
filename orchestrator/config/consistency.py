"""Check that the catalogue fits together: every name that one file uses exists in another.

Finds faults of the catalogue, not of the user; returns them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from orchestrator.config import catalog
from orchestrator.config.images import image_entries
from orchestrator.domain.asset import Asset, AssetKind, Prepared
from orchestrator.domain.benchmark import Benchmark, BenchmarkRules, Implementation, Offer, Round
from orchestrator.domain.image import ImageEntry
from orchestrator.domain.terms import Evidence, Suite
from orchestrator.errors import ConfigError

T = TypeVar("T")

ANY_ROUND = "any"


def check_catalogue() -> tuple[str, ...]:
    """One line for each fault; empty when everything that is named exists and the numbers can hold together."""
    faults: list[str] = []
    rounds = _all("rounds", catalog.rounds(), catalog.load_round, faults)
    assets = _all("assets", catalog.asset_names(), catalog.load_asset, faults)
    ways = _all("implementations", catalog.implementation_names(), catalog.load_implementation, faults)
    benchmarks = _all("benchmarks", catalog.benchmark_names(), catalog.load_benchmark, faults)
    try:
        images = image_entries()
    except ConfigError as error:
        faults += error.faults
        images = {}
    faults += _rounds(rounds)
    faults += _assets(assets, images)
    faults += _aliases(benchmarks)
    for name, benchmark in benchmarks.items():
        faults += [f"benchmarks/{name}: {fault}" for fault in _rules(benchmark, rounds)]
        for offer in benchmark.offers:
            label = f"benchmarks/{name}: offer {offer.implementation}/{offer.backend}"
            faults += [f"{label}: {fault}" for fault in _offer(benchmark, offer, ways, assets, images)]
        faults += [f"benchmarks/{name}: {fault}" for fault in _defaults(benchmark)]
    return tuple(faults)


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


def _assets(assets: Mapping[str, Asset], images: Mapping[str, ImageEntry]) -> Iterator[str]:
    for name, asset in assets.items():
        if isinstance(asset.source, Prepared):
            for needed in asset.source.inputs:
                if needed not in assets:
                    yield f"assets/{name}: is made from '{needed}', which does not exist"
            if asset.source.image not in images:
                yield f"assets/{name}: is made in the image '{asset.source.image}', which does not exist"


def _aliases(benchmarks: Mapping[str, Benchmark]) -> Iterator[str]:
    """Aliases are looked up without parsing; both readings must agree, and none may hide a name."""
    parsed = {alias: name for name, benchmark in benchmarks.items() for alias in benchmark.aliases}
    if parsed != catalog.benchmark_aliases():
        yield "benchmarks: write aliases on one line, `aliases: [a, b]`, each for one benchmark only"
    yield from (f"benchmarks: the alias '{alias}' is a name" for alias in parsed if alias in benchmarks)


def _rules(benchmark: Benchmark, rounds: Mapping[str, Round]) -> Iterator[str]:
    for name, rules in benchmark.rules.items():
        if name not in rounds and name != ANY_ROUND:
            yield f"has rules for the unknown round '{name}'"
        if (name == ANY_ROUND) != (benchmark.suite is Suite.SMALL):
            yield f"rules of '{name}': only the small suite has rules for any round, and only those"
        yield from (f"rules of '{name}': {fault}" for fault in _numbers(rules))
    scenarios = {scenario for rules in benchmark.rules.values() for scenario in rules.scenarios}
    yield from (f"tests {scenario}, which it does not have" for scenario in benchmark.test if scenario not in scenarios)


def _numbers(rules: BenchmarkRules) -> Iterator[str]:
    used = {scenario for needed in rules.required.values() for scenario in needed}
    used |= set(rules.min_queries) | set(rules.latency_limit_ns)
    yield from (f"{scenario} is used, but no scenario of it" for scenario in sorted(used - set(rules.scenarios)))
    if rules.performance_sample_count > rules.dataset_samples:
        yield "the performance sample count exceeds the data set"
    if not rules.accuracy:
        yield "no accuracy target"


def _offer(
    benchmark: Benchmark,
    offer: Offer,
    ways: Mapping[str, Implementation],
    assets: Mapping[str, Asset],
    images: Mapping[str, ImageEntry],
) -> Iterator[str]:
    way = ways.get(offer.implementation)
    if way is None:
        yield "the implementation does not exist"
        return
    if offer.backend not in way.backends:
        yield "the implementation does not know this backend"
    yield from (f"the implementation has no {device}" for device in offer.devices if device not in way.devices)
    if offer.image not in images and (way.drives or offer.evidence is not Evidence.PUBLISHED):
        yield f"the image '{offer.image}' does not exist"
    yield from _material(offer.model, AssetKind.MODEL, assets)
    yield from _material(offer.dataset, AssetKind.DATASET, assets)
    if way.drives and (offer.model is None or offer.dataset is None or offer.model_file is None):
        yield "can be run, but names no model, model file or data set"
    model = assets.get(offer.model) if offer.model is not None else None
    files = {file.name for file in model.files} if model is not None else set()
    if files and offer.model_file is not None and offer.model_file not in files:
        yield f"the model file '{offer.model_file}' is none of {sorted(files)}"
    yield from (f"is for {name}, which has no rules" for name in offer.rounds if benchmark.rules_of(name) is None)


def _material(name: str | None, kind: AssetKind, assets: Mapping[str, Asset]) -> Iterator[str]:
    if name is None:
        return
    if name not in assets:
        yield f"the asset '{name}' does not exist"
    elif assets[name].kind is not kind:
        yield f"the asset '{name}' is a {assets[name].kind}, not a {kind}"


def _defaults(benchmark: Benchmark) -> Iterator[str]:
    for device in sorted({device for offer in benchmark.offers for device in offer.devices}):
        chosen = [offer for offer in benchmark.offers if offer.default and device in offer.devices]
        if len(chosen) != 1:
            yield f"{len(chosen)} offers are the default for {device}"
