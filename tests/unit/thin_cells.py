"""Cells of the catalogue for drivers with our thin layer over a vendor's image: spec and situation as planned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.config.catalog import (
    benchmark_names,
    load_benchmark,
    load_compliance,
    load_implementation,
    load_round,
)
from orchestrator.domain.benchmark import Benchmark, Offer
from orchestrator.domain.plan import Execution, Role
from orchestrator.domain.situation import Audit, Host, Situation
from orchestrator.domain.spec import Knobs, LoadGenWishes, RunSpec
from orchestrator.domain.terms import Device, Division, EngineName, ExecutionMode, Mode, Scenario, Tier
from orchestrator.implementations.drivers import driver_of

VENDOR = Tier.VENDOR


@dataclass(frozen=True)
class Cell:
    """One offer of one benchmark in one round and scenario."""

    benchmark: Benchmark
    offer: Offer
    round: str
    scenario: Scenario

    def __str__(self) -> str:
        return f"{self.benchmark.name}-{self.offer.devices[0].value}-{self.round}-{self.scenario.value}"

    def spec(self, mode: Mode = Mode.PERFORMANCE, test: str | None = None, **changes: object) -> RunSpec:
        """A valid run with a target; any field can be changed."""
        rated = self.scenario in {Scenario.OFFLINE, Scenario.SERVER, Scenario.INTERACTIVE}
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
            system="a-system",
            submitter="a-submitter",
            engine=EngineName.DOCKER,
            loadgen=LoadGenWishes(target_qps=10.0) if rated else LoadGenWishes(target_latency_ms=100.0),
            compliance_test=test,
        )
        return replace(spec, **changes)  # type: ignore[arg-type]

    def situation(self, test: str | None = None, **changes: object) -> Situation:
        """On a machine without anything special; any field can be changed."""
        rules = self.benchmark.rules_of(self.round)
        assert rules is not None
        family = self.benchmark.family or self.benchmark.name
        situation = Situation(
            benchmark=self.benchmark,
            rules=rules,
            offer=self.offer,
            round=load_round(self.round),
            implementation=load_implementation(self.offer.implementation),
            image=self.offer.image,
            model=Path("/cache/model") if self.offer.model else None,
            dataset=Path("/cache/dataset") if self.offer.dataset else None,
            assets={name: Path("/cache") / name for name in self.offer.assets},
            host=Host(usable_cpus=2, render_group="109"),
            user=(1000, 1001),
            work=Path("/cache/work"),
            audit=Audit(test=test, text=load_compliance(test).audit_text(family)) if test else None,
        )
        return replace(situation, **changes)  # type: ignore[arg-type]

    def steps(self, mode: Mode = Mode.PERFORMANCE, test: str | None = None, **changes: object) -> tuple[Execution, ...]:
        """What the driver makes of it."""
        situation = self.situation(test)
        return driver_of(situation.implementation)(self.spec(mode, test, **changes), situation)

    def result(self, mode: Mode = Mode.PERFORMANCE, test: str | None = None, **changes: object) -> Execution:
        """The one result among the steps."""
        found = [one for one in self.steps(mode, test, **changes) if one.role is Role.RESULT]
        assert len(found) == 1
        return found[0]


def cells(implementation: str) -> tuple[Cell, ...]:
    """Every cell an implementation offers."""
    return tuple(_cells(implementation))


def _cells(implementation: str) -> Iterator[Cell]:
    for name in benchmark_names():
        benchmark = load_benchmark(name)
        for offer in benchmark.offers:
            if offer.implementation == implementation:
                for round_name in offer.rounds:
                    rules = benchmark.rules_of(round_name)
                    for scenario in offer.scenarios:
                        if rules is not None and scenario in rules.scenarios:
                            yield Cell(benchmark, offer, round_name, scenario)


def cell(implementation: str, name: str, round_name: str, scenario: Scenario, device: Device | None = None) -> Cell:
    """One of them by name."""
    return next(
        one
        for one in cells(implementation)
        if (one.benchmark.name, one.round, one.scenario) == (name, round_name, scenario)
        and (device is None or device in one.offer.devices)
    )


def knobs(**given: str) -> Knobs:
    """`--set` options."""
    return Knobs(extra=tuple(given.items()))


def options(execution: Execution) -> dict[str, list[str]]:
    """The entry script's options of a step, by name."""
    words = execution.container.command
    end = words.index("--")
    found: dict[str, list[str]] = {}
    for name, value in zip(words[2:end:2], words[3:end:2], strict=True):
        found.setdefault(name, []).append(value)
    return found


def harness_command(execution: Execution) -> tuple[str, ...]:
    """The vendor's own command of a step."""
    words = execution.container.command
    return words[words.index("--") + 1 :]
