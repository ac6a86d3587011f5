"""Check that the catalogue fits together: every name that one file uses exists in another.

Finds faults of the catalogue, not of the user; returns them all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from orchestrator.config import catalog
from orchestrator.config.consistency_assets import asset_faults
from orchestrator.config.consistency_offers import benchmark_offers, offer_folders
from orchestrator.config.consistency_rules import benchmark_faults
from orchestrator.config.images import image_entries
from orchestrator.domain.benchmark import Benchmark, Round
from orchestrator.errors import ConfigError

T = TypeVar("T")

LAYOUTS = frozenset({"measurements", "results"})
_COMMIT = re.compile(r"[0-9a-f]{40}")


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
    faults += asset_faults(assets, images)
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


def _aliases(benchmarks: Mapping[str, Benchmark]) -> Iterator[str]:
    """Aliases are looked up without parsing; both readings must agree, and none may hide a name."""
    parsed = {alias: name for name, one in benchmarks.items() for alias in (*one.aliases, *one.variants)}
    if parsed != catalog.benchmark_aliases():
        yield "benchmarks: write aliases on one line, `aliases: [a, b]`, each for one benchmark only"
    yield from (f"benchmarks: the alias '{alias}' is a name" for alias in parsed if alias in benchmarks)
