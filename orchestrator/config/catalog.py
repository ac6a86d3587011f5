"""Read the catalogue: rounds, benchmarks, offers, implementations and assets, and only the files named.

A folder given with `--catalog` stands before the shipped one: its files add to it, or replace those of the same name.
Judges nothing; `config/consistency.py` checks that the parts fit together.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar, cast

from orchestrator.domain.asset import Asset
from orchestrator.domain.benchmark import Benchmark, Implementation, OfferSheet, Round
from orchestrator.domain.compliance import ComplianceTest
from orchestrator.domain.redact import redact_text
from orchestrator.domain.subset import first_samples, split_name
from orchestrator.errors import ConfigError
from orchestrator.host.shipped import overlays, package

T = TypeVar("T")

_ALIASES = re.compile(r"^aliases: \[(.*)\]$", re.MULTILINE)
_VARIANTS = re.compile(r"^variants:\n((?: .*\n)+)", re.MULTILINE)
_VARIANT = re.compile(r"^  ([^\s:#]+):", re.MULTILINE)
_DEFAULT = re.compile(r"^default: true$", re.MULTILINE)


def rounds() -> tuple[str, ...]:
    """Names of the rounds, oldest first."""
    return _names("rounds")


def load_round(name: str | None = None) -> Round:
    """A round by name, or the default one; UsageError with the nearest match when unknown."""
    return _load(Round, "rounds", "round", name or default_round())


@functools.cache
def default_round() -> str:
    """The round that holds when none is named (the file that says `default: true`)."""
    for name in rounds():
        if _DEFAULT.search(_file("rounds", name).read_text(encoding="utf-8")):
            return name
    raise ConfigError(("the catalogue names no default round",))


def benchmark_names() -> tuple[str, ...]:
    """Names of the catalogue models, without aliases."""
    return _names("benchmarks")


@functools.cache
def benchmark_aliases() -> Mapping[str, str]:
    """Alias or variant to name, out of the files' `aliases: […]` lines and `variants:` (nothing else is parsed)."""
    found: dict[str, str] = {}
    for name in benchmark_names():
        text = _file("benchmarks", name).read_text(encoding="utf-8")
        line, variants = _ALIASES.search(text), _VARIANTS.search(text)
        if line is not None:
            found.update({alias.strip(): name for alias in line[1].split(",") if alias.strip()})
        if variants is not None:
            found.update(dict.fromkeys(_VARIANT.findall(variants[1]), name))
    return MappingProxyType(found)


def load_benchmark(name: str) -> Benchmark:
    """A benchmark by name or alias, or one variant of it; UsageError with the nearest match when unknown."""
    known = benchmark_names()
    asked, name = name, name if name in known else benchmark_aliases().get(name, name)
    if name in known:
        found = _with_offers(name)
        return found.variant(asked) if asked in found.variants else found
    from orchestrator.domain.suggest import unknown

    raise unknown("model", name, (*known, *benchmark_aliases()))


def offer_sheets(family: str) -> Iterator[tuple[str, OfferSheet]]:
    """What each implementation offers for a family of benchmarks, as (implementation, sheet)."""
    for implementation in _folders("offers"):
        folder = f"offers/{implementation}"
        if family in _names(folder):
            yield implementation, cast(OfferSheet, _read(cast(Hashable, OfferSheet), folder, family))


def offer_files() -> tuple[tuple[str, str], ...]:
    """Every file under `catalog/offers/`, as (implementation, family)."""
    return tuple((folder, name) for folder in _folders("offers") for name in _names(f"offers/{folder}"))


@functools.cache
def _with_offers(name: str) -> Benchmark:
    """A benchmark with the offers of all implementations joined to its own."""
    benchmark = _load(Benchmark, "benchmarks", "model", name)
    found = list(benchmark.offers)
    for implementation, sheet in offer_sheets(benchmark.family or name):
        if sheet.benchmarks and name not in sheet.benchmarks:
            continue
        for offer in sheet.offers:
            if offer.implementation != implementation:
                raise ConfigError(
                    (f"catalog/offers/{implementation}: an offer names the implementation '{offer.implementation}'",)
                )
            if not offer.benchmarks or name in offer.benchmarks:
                found.append(offer)
    return replace(benchmark, offers=tuple(found))


def implementation_names() -> tuple[str, ...]:
    """Names of the implementations."""
    return _names("implementations")


def load_implementation(name: str) -> Implementation:
    """An implementation by name; UsageError with the nearest match when unknown."""
    return _load(Implementation, "implementations", "implementation", name)


def asset_names() -> tuple[str, ...]:
    """Names of the assets: models, data sets and what they are prepared from."""
    return _names("assets")


@functools.cache
def asset_aliases() -> Mapping[str, str]:
    """Alias to name, out of the files' `aliases: […]` lines (nothing else is parsed)."""
    found: dict[str, str] = {}
    for name in asset_names():
        line = _ALIASES.search(_file("assets", name).read_text(encoding="utf-8"))
        if line is not None:
            found.update({alias.strip(): name for alias in line[1].split(",") if alias.strip()})
    return MappingProxyType(found)


def load_asset(name: str) -> Asset:
    """An asset by name or alias, or with `@500` behind it the first 500 samples of a data set.

    UsageError with the nearest match when unknown, and when it cannot be cut.
    """
    base, count = split_name(name)
    known = asset_names()
    found = base if base in known else asset_aliases().get(base, base)
    if found not in known:
        from orchestrator.domain.suggest import unknown

        raise unknown("asset", base, (*known, *asset_aliases()))
    asset = _load(Asset, "assets", "asset", found)
    _refuse_secrets(asset)
    return asset if count is None else first_samples(asset, count)


def _refuse_secrets(asset: Asset) -> None:
    """An entry is shown and kept in records as it stands: a login or a signature in an address would be, too."""
    source = asset.source
    addresses = (*getattr(source, "urls", ()), getattr(source, "uri", None), getattr(source, "repository", None))
    if any(address is not None and redact_text(address) != address for address in addresses):
        raise ConfigError(
            (f"{_file('assets', asset.name)}: an address in it holds a login or a signature",),
            hint=f"fetch the file yourself and give it with --asset {asset.name}=PATH; for logins: mlperf-docker login",
        )


def compliance_names() -> tuple[str, ...]:
    """Names of the compliance tests."""
    return _names("compliance")


def load_compliance(name: str) -> ComplianceTest:
    """A compliance test by name; UsageError with the nearest match when unknown."""
    return _load(ComplianceTest, "compliance", "compliance test", name)


def catalogue_file(folder: str, name: str) -> Path:
    """Path of one catalogue file, whether it exists or not."""
    return _file(folder, name)


def forget() -> None:
    """Drop what was read (after a change of the catalogue folders)."""
    for cached in (default_round, benchmark_aliases, asset_aliases, _with_offers, _names, _folders, _read):
        cached.cache_clear()


def _roots() -> tuple[Path, ...]:
    return (*overlays(), package("catalog"))


@functools.cache
def _names(folder: str) -> tuple[str, ...]:
    return tuple(sorted({path.stem for root in _roots() for path in (root / folder).glob("*.yaml")}))


@functools.cache
def _folders(folder: str) -> tuple[str, ...]:
    return tuple(sorted({path.name for root in _roots() for path in (root / folder).glob("*/")}))


def _file(folder: str, name: str) -> Path:
    places = [root / folder / f"{name}.yaml" for root in _roots()]
    return next((place for place in places if place.is_file()), places[-1])


def _load(kind: type[T], folder: str, what: str, name: str) -> T:
    if name not in _names(folder):
        from orchestrator.domain.suggest import unknown

        raise unknown(what, name, _names(folder))
    return cast(T, _read(cast(Hashable, kind), folder, name))


@functools.cache
def _read(kind: Hashable, folder: str, name: str) -> object:
    from orchestrator.config.decode import decode_yaml

    path = _file(folder, name)
    shown = f"catalog/{folder}/{name}.yaml" if path.is_relative_to(package("catalog")) else str(path)
    return decode_yaml(cast(type[object], kind), path.read_text(encoding="utf-8"), shown)
