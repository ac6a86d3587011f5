"""The coverage matrix: every combination that the catalogue offers, and how far each was tried. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from orchestrator.domain.benchmark import Benchmark, Offer
from orchestrator.domain.terms import Device, Evidence, Scenario

ANY_ROUND = "any"
LETTERS = {
    Scenario.OFFLINE: "O",
    Scenario.SERVER: "S",
    Scenario.INTERACTIVE: "I",
    Scenario.SINGLE_STREAM: "SS",
    Scenario.MULTI_STREAM: "MS",
}


_Way = tuple[str, str, tuple[Device, ...], Evidence]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One thing that can be asked for: model × implementation × backend × device × scenario × round."""

    model: str
    implementation: str
    backend: str
    device: Device
    scenario: Scenario
    round: str
    evidence: Evidence
    image: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The cells of one model, implementation, backend and evidence: devices, and the scenarios of each round."""

    model: str
    implementation: str
    backend: str
    devices: tuple[Device, ...]
    scenarios: tuple[tuple[str, tuple[Scenario, ...]], ...]
    evidence: Evidence

    def letters(self, round_name: str) -> str:
        """The scenarios of a round in letters (O, S, I, SS, MS), or a dash."""
        return " ".join(LETTERS[scenario] for scenario in dict(self.scenarios).get(round_name, ())) or "-"


def cells(benchmarks: Iterable[Benchmark], rounds: Sequence[str]) -> Iterator[Cell]:
    """Every cell, in the catalogue's order."""
    for benchmark in benchmarks:
        for offer in benchmark.offers:
            for round_name in rounds:
                for scenario in offered(benchmark, offer, round_name):
                    for device in offer.devices:
                        yield Cell(
                            model=benchmark.name,
                            implementation=offer.implementation,
                            backend=offer.backend,
                            device=device,
                            scenario=scenario,
                            round=round_name,
                            evidence=offer.evidence,
                            image=offer.image,
                        )


def rows(benchmarks: Iterable[Benchmark], rounds: Sequence[str]) -> Iterator[Row]:
    """The matrix with a row for each way to run a benchmark; offers that differ only in image or assets are one."""
    for benchmark in benchmarks:
        ways: dict[_Way, dict[str, set[Scenario]]] = {}
        for offer in benchmark.offers:
            found = ways.setdefault((offer.implementation, offer.backend, offer.devices, offer.evidence), {})
            for name in rounds:
                found.setdefault(name, set()).update(offered(benchmark, offer, name))
        for (implementation, backend, devices, evidence), by_round in ways.items():
            yield Row(
                model=benchmark.name,
                implementation=implementation,
                backend=backend,
                devices=devices,
                scenarios=tuple(
                    (name, tuple(each for each in LETTERS if each in scenarios))
                    for name, scenarios in by_round.items()
                    if scenarios
                ),
                evidence=evidence,
            )


def offered(benchmark: Benchmark, offer: Offer, round_name: str) -> tuple[Scenario, ...]:
    """The scenarios in which an offer can be run in a round; none when it is not part of it."""
    rules = benchmark.rules_of(round_name)
    if rules is None or (offer.rounds and round_name not in offer.rounds):
        return ()
    return tuple(each for each in rules.scenarios if not offer.scenarios or each in offer.scenarios)


def machine_needs(benchmarks: Iterable[Benchmark]) -> Iterator[tuple[str, str, str]]:
    """What ways of running ask of a machine: model, `intel/pytorch on cpu`, and the figures in words; each once."""
    found: dict[tuple[str, str, str], None] = {}
    for benchmark in benchmarks:
        for offer in benchmark.offers:
            for device in offer.devices:
                if texts := offer.requires.texts(device.value):
                    way = f"{offer.implementation}/{offer.backend} on {device.value}"
                    found[benchmark.name, way, "; ".join(texts)] = None
    yield from found
