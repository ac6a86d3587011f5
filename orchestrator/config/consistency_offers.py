"""Check what the catalogue's implementations offer: folders, names, assets, images, defaults.

Finds faults of the catalogue, not of the user.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from orchestrator.config import catalog
from orchestrator.domain.asset import Asset, AssetKind
from orchestrator.domain.benchmark import Benchmark, Implementation, Offer, OfferSheet
from orchestrator.domain.image import ImageEntry
from orchestrator.domain.terms import Evidence, Suite
from orchestrator.errors import ConfigError


def offer_folders(benchmarks: Mapping[str, Benchmark], ways: Mapping[str, Implementation]) -> Iterator[str]:
    """Faults of `catalog/offers/`: each folder an implementation, each file a family of benchmarks that exist."""
    for implementation, family in catalog.offer_files():
        where = f"offers/{implementation}/{family}"
        if implementation not in ways:
            yield f"{where}: there is no implementation '{implementation}'"
        members = [name for name, one in benchmarks.items() if (one.family or name) == family]
        if not members:
            yield f"{where}: no benchmark is of the family '{family}'"
        try:
            sheets = [sheet for name, sheet in catalog.offer_sheets(family) if name == implementation]
        except ConfigError:
            continue  # its faults are told with the benchmarks that it serves
        for sheet in sheets:
            if sheet.family != family:
                yield f"{where}: its family is '{sheet.family}', not the file's"
            named = {*sheet.benchmarks, *(name for offer in sheet.offers for name in offer.benchmarks)}
            yield from (f"{where}: '{name}' is not of this family" for name in sorted(named - set(members)))
            yield from (f"{where}: {fault}" for fault in _idle(sheet, [benchmarks[name] for name in members]))


def _idle(sheet: OfferSheet, members: list[Benchmark]) -> Iterator[str]:
    if not sheet.offers:
        yield "offers nothing"
    for offer in sheet.offers:
        named = offer.benchmarks or sheet.benchmarks
        if not any(_serves(offer, one) for one in members if not named or one.name in named):
            yield f"an offer of {offer.backend} is for {', '.join(offer.rounds)}, where nothing has rules"


def _serves(offer: Offer, benchmark: Benchmark) -> bool:
    return not offer.rounds or any(benchmark.rules_of(name) is not None for name in offer.rounds)


def benchmark_offers(
    benchmark: Benchmark,
    ways: Mapping[str, Implementation],
    assets: Mapping[str, Asset],
    images: Mapping[str, ImageEntry],
) -> Iterator[str]:
    """Faults of the offers of one benchmark, wherever they are written."""
    for offer in benchmark.offers:
        label = f"offer {offer.implementation}/{offer.backend}"
        yield from (f"{label}: {fault}" for fault in _offer(benchmark, offer, ways, assets, images))
    yield from _defaults(benchmark)


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
    if not offer.devices:
        yield "names no device"
    yield from (f"the implementation has no {device}" for device in offer.devices if device not in way.devices)
    if offer.image not in images and (way.drives or offer.evidence is not Evidence.PUBLISHED):
        yield f"the image '{offer.image}' does not exist"
    yield from _material(offer.model, AssetKind.MODEL, assets)
    yield from _material(offer.dataset, AssetKind.DATASET, assets)
    yield from (f"the asset '{name}' does not exist" for name in offer.assets if name not in assets)
    if offer.evidence is Evidence.PROVEN and (offer.model is None or offer.dataset is None):
        yield "is proven, but names no model or data set"
    model = assets.get(offer.model) if offer.model is not None else None
    files = {file.name for file in model.files} if model is not None else set()
    if files and offer.model_file is not None and offer.model_file not in files:
        yield f"the model file '{offer.model_file}' is none of {sorted(files)}"
    yield from _reach(benchmark, offer)


def _reach(benchmark: Benchmark, offer: Offer) -> Iterator[str]:
    """Rounds and scenarios of an offer must be some that the benchmark has."""
    yield from (f"is for the unknown round '{name}'" for name in offer.rounds if name not in catalog.rounds())
    rounds = offer.rounds or tuple(benchmark.rules)
    there = {each for name in rounds if (rules := benchmark.rules_of(name)) for each in rules.scenarios}
    if there and offer.scenarios and not there & set(offer.scenarios):
        yield f"is for {', '.join(offer.scenarios)} only, which the benchmark does not have there"
    metrics = {target.metric for rules in benchmark.rules.values() for target in rules.accuracy}
    if metrics:
        yield from (f"{each.metric} is no metric of it" for each in offer.accuracy if each.metric not in metrics)


def _material(name: str | None, kind: AssetKind, assets: Mapping[str, Asset]) -> Iterator[str]:
    if name is None:
        return
    if name not in assets:
        yield f"the asset '{name}' does not exist"
    elif assets[name].kind is not kind:
        yield f"the asset '{name}' is a {assets[name].kind}, not a {kind}"


def _defaults(benchmark: Benchmark) -> Iterator[str]:
    """At most one default of an implementation for a device in a round; each device of a small model has one."""
    for device in sorted({device for offer in benchmark.offers for device in offer.devices}):
        chosen = [offer for offer in benchmark.offers if offer.default and device in offer.devices]
        if benchmark.suite is Suite.SMALL and not chosen:
            yield f"no offer is the default for {device}"
        for name in benchmark.rules:
            there = [offer.implementation for offer in chosen if not offer.rounds or name in offer.rounds]
            for way in sorted({way for way in there if there.count(way) > 1}):
                yield f"{there.count(way)} offers of {way} are the default for {device} in {name}"
