"""Every cell that the catalogue offers for Qualcomm and Red Hat, as specs and situations for their drivers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from orchestrator.config.catalog import (
    benchmark_names,
    load_benchmark,
    load_compliance,
    load_implementation,
    load_round,
)
from orchestrator.domain.benchmark import Benchmark, Offer
from orchestrator.domain.plan import Execution
from orchestrator.domain.situation import Audit, Host, Situation
from orchestrator.domain.spec import LoadGenWishes, RunSpec
from orchestrator.domain.terms import Division, EngineName, ExecutionMode, Mode, Scenario
from orchestrator.host.shipped import shipped
from orchestrator.implementations.common import RATED
from orchestrator.implementations.drivers import driver_of


@dataclass(frozen=True)
class Cell:
    """One benchmark × round × scenario of an implementation's offers."""

    benchmark: Benchmark
    offer: Offer
    round: str
    scenario: Scenario

    def __str__(self) -> str:
        return f"{self.offer.implementation}-{self.round}-{self.benchmark.name}-{self.scenario.value}"

    def spec(self, mode: Mode = Mode.PERFORMANCE, **changes: object) -> RunSpec:
        """A valid run with a target; any field can be changed."""
        rated = self.scenario in RATED
        spec = RunSpec(
            model=self.benchmark.name,
            implementation=self.offer.implementation,
            backend=self.offer.backend,
            device=self.offer.devices[0],
            scenario=self.scenario,
            mode=mode,
            execution_mode=ExecutionMode.VALID,
            round=self.round,
            division=Division.CLOSED,
            system="my-box",
            submitter="me",
            engine=EngineName.DOCKER,
            loadgen=LoadGenWishes(target_qps=39.5) if rated else LoadGenWishes(target_latency_ms=2.5),
        )
        return replace(spec, **changes)  # type: ignore[arg-type]

    def on(self, **changes: object) -> Situation:
        """The ground of it; any field can be changed."""
        rules = self.benchmark.rules_of(self.round)
        assert rules is not None
        situation = Situation(
            benchmark=self.benchmark,
            rules=rules,
            offer=self.offer,
            round=load_round(self.round),
            implementation=load_implementation(self.offer.implementation),
            image=self.offer.image,
            model=Path("/assets/model") / (self.offer.model_file or ""),
            dataset=Path("/assets/data"),
            assets={name: Path("/assets") / name for name in self.offer.assets},
            host=Host(usable_cpus=32, cores=16),
            user=(1000, 1000),
            work=Path("/cache/work"),
        )
        return replace(situation, **changes)  # type: ignore[arg-type]

    def runs(self) -> Iterator[tuple[RunSpec, Situation]]:
        """Performance, accuracy, and each compliance test of the round."""
        yield self.spec(), self.on()
        yield self.spec(Mode.ACCURACY), self.on()
        for test in self.on().rules.compliance:
            audit = Audit(test=test, text=load_compliance(test).audit_text(str(self.benchmark.family)))
            yield self.spec(Mode.COMPLIANCE, compliance_test=test), self.on(audit=audit)


def cells(implementation: str) -> tuple[Cell, ...]:
    """All of one implementation."""
    found = []
    for name in benchmark_names():
        benchmark = load_benchmark(name)
        for offer in benchmark.offers:
            if offer.implementation == implementation:
                found += [
                    Cell(benchmark, offer, each, scenario) for each in offer.rounds for scenario in offer.scenarios
                ]
    return tuple(found)


def cell(implementation: str, model: str, scenario: Scenario) -> Cell:
    """One of them."""
    return next(one for one in cells(implementation) if (one.benchmark.name, one.scenario) == (model, scenario))


def steps(spec: RunSpec, on: Situation) -> dict[str, Execution]:
    """The run's executions by name, in order, from the driver that the catalogue names."""
    return {one.name: one for one in driver_of(on.implementation)(spec, on)}


def documented(implementation: str) -> Any:
    """The table by which the rehearsal's stand-in refuses."""
    return json.loads((shipped("dockerfiles") / "rehearsal" / implementation / "documented.json").read_text())


def options(command: tuple[str, ...]) -> set[str]:
    """The names of the options in a command line."""
    return {word.partition("=")[0] for word in command if word.startswith("-")}
