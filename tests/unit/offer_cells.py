"""What the catalogue offers of an implementation, each cell as a spec and the ground that its driver stands on."""

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
from orchestrator.domain.situation import Audit, Gpu, Host, Situation
from orchestrator.domain.spec import Knobs, LoadGenWishes, RunSpec
from orchestrator.domain.terms import Device, Division, EngineName, ExecutionMode, Mode, Scenario
from orchestrator.implementations.common import RATED
from orchestrator.implementations.drivers import driver_of

GIB = 1024**3
GEFORCE = Gpu(name="NVIDIA GeForce RTX 4090", memory_bytes=24 * GIB)
PLAIN = Host(usable_cpus=32, cores=16, render_group="109")
HOSTS = {"nvidia": replace(PLAIN, sockets=1, processor="A processor", memory_bytes=128 * GIB, gpus=(GEFORCE,))}


@dataclass(frozen=True)
class Cell:
    """One offer of one benchmark in one round and scenario."""

    benchmark: Benchmark
    offer: Offer
    round: str
    scenario: Scenario

    def __str__(self) -> str:
        words = (self.benchmark.name, self.offer.backend, self.offer.devices[0], self.round, self.scenario)
        return "-".join(str(word) for word in words)

    def spec(self, mode: Mode = Mode.PERFORMANCE, test: str | None = None, **changes: object) -> RunSpec:
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
            loadgen=LoadGenWishes(target_qps=12.5) if rated else LoadGenWishes(target_latency_ms=2.5),
            compliance_test=test,
        )
        return replace(spec, **changes)  # type: ignore[arg-type]

    def on(self, test: str | None = None, **changes: object) -> Situation:
        """A machine without anything special, its assets where they would lie; any field can be changed."""
        rules = self.benchmark.rules_of(self.round)
        assert rules is not None
        family = self.benchmark.family or self.benchmark.name
        model = Path("/cache/model") / (self.offer.model_file or "") if self.offer.model else None
        situation = Situation(
            benchmark=self.benchmark,
            rules=rules,
            offer=self.offer,
            round=load_round(self.round),
            implementation=load_implementation(self.offer.implementation),
            image=self.offer.image,
            model=model,
            dataset=Path("/cache/dataset") if self.offer.dataset else None,
            assets={name: Path("/cache") / name for name in self.offer.assets},
            host=HOSTS.get(self.offer.implementation, PLAIN),
            user=(1000, 1001),
            work=Path("/cache/work"),
            audit=Audit(test=test, text=load_compliance(test).audit_text(family)) if test else None,
        )
        return replace(situation, **changes)  # type: ignore[arg-type]

    def runs(self) -> Iterator[tuple[RunSpec, Situation]]:
        """Performance, accuracy, and each compliance test of the round."""
        yield self.spec(), self.on()
        yield self.spec(Mode.ACCURACY), self.on()
        for test in self.on().rules.compliance:
            yield self.spec(Mode.COMPLIANCE, test), self.on(test)

    def steps(self, mode: Mode = Mode.PERFORMANCE, test: str | None = None, **changes: object) -> tuple[Execution, ...]:
        """What the driver makes of it."""
        on = self.on(test)
        return driver_of(on.implementation)(self.spec(mode, test, **changes), on)

    def result(self, mode: Mode = Mode.PERFORMANCE, test: str | None = None, **changes: object) -> Execution:
        """The one result among the steps."""
        found = [one for one in self.steps(mode, test, **changes) if one.role is Role.RESULT]
        assert len(found) == 1
        return found[0]


def cells(implementation: str) -> tuple[Cell, ...]:
    """Every cell that an implementation offers."""
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


def steps(spec: RunSpec, on: Situation) -> dict[str, Execution]:
    """The run's executions by name, in order, from the driver that the catalogue names."""
    return {one.name: one for one in driver_of(on.implementation)(spec, on)}
