"""Read the catalogue: rounds, benchmarks, implementations and assets, one file each, and only the files named.

Judges nothing; `config/consistency.py` checks that the parts fit together.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar, cast

from orchestrator.domain.asset import Asset
from orchestrator.domain.benchmark import Benchmark, Implementation, Round
from orchestrator.errors import ConfigError
from orchestrator.host.shipped import package

T = TypeVar("T")

_ALIASES = re.compile(r"^aliases: \[(.*)\]$", re.MULTILINE)
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
    """Alias to name, out of the files' `aliases: […]` lines (nothing else of them is parsed)."""
    found: dict[str, str] = {}
    for name in benchmark_names():
        line = _ALIASES.search(_file("benchmarks", name).read_text(encoding="utf-8"))
        if line is not None:
            found.update({alias.strip(): name for alias in line[1].split(",") if alias.strip()})
    return MappingProxyType(found)


def load_benchmark(name: str) -> Benchmark:
    """A benchmark by name or alias; UsageError with the nearest match when unknown."""
    known = benchmark_names()
    if name in known:
        return _load(Benchmark, "benchmarks", "model", name)
    aliases = benchmark_aliases()
    if name in aliases:
        return _load(Benchmark, "benchmarks", "model", aliases[name])
    from orchestrator.domain.suggest import unknown

    raise unknown("model", name, (*known, *aliases))


def implementation_names() -> tuple[str, ...]:
    """Names of the implementations."""
    return _names("implementations")


def load_implementation(name: str) -> Implementation:
    """An implementation by name; UsageError with the nearest match when unknown."""
    return _load(Implementation, "implementations", "implementation", name)


def asset_names() -> tuple[str, ...]:
    """Names of the assets: models, data sets and what they are prepared from."""
    return _names("assets")


def load_asset(name: str) -> Asset:
    """An asset by name; UsageError with the nearest match when unknown."""
    return _load(Asset, "assets", "asset", name)


def catalogue_file(folder: str, name: str) -> Path:
    """Path of one catalogue file, whether it exists or not."""
    return _file(folder, name)


@functools.cache
def _names(folder: str) -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in package("catalog", folder).glob("*.yaml")))


def _file(folder: str, name: str) -> Path:
    return package("catalog", folder, f"{name}.yaml")


def _load(kind: type[T], folder: str, what: str, name: str) -> T:
    if name not in _names(folder):
        from orchestrator.domain.suggest import unknown

        raise unknown(what, name, _names(folder))
    return cast(T, _read(cast(Hashable, kind), folder, name))


@functools.cache
def _read(kind: Hashable, folder: str, name: str) -> object:
    from orchestrator.config.decode import decode_yaml

    text = _file(folder, name).read_text(encoding="utf-8")
    return decode_yaml(cast(type[object], kind), text, f"catalog/{folder}/{name}.yaml")
