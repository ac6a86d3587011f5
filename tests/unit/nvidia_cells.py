"""Every cell that the catalogue offers for NVIDIA, as specs and situations for its driver."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.config.catalog import benchmark_names, load_benchmark, load_implementation, load_round
from orchestrator.domain.benchmark import Benchmark, Offer
from orchestrator.domain.plan import Execution, Role
from orchestrator.domain.situation import Audit, Gpu, Host, Situation
from orchestrator.domain.spec import LoadGenWishes, RunSpec
from orchestrator.domain.terms import Device, Division, EngineName, ExecutionMode, Mode, Scenario
from orchestrator.implementations.nvidia import steps

GIB = 1024**3
GEFORCE = Gpu(name="NVIDIA GeForce RTX 4090", memory_bytes=24 * GIB)
RATED = {Scenario.OFFLINE, Scenario.SERVER, Scenario.INTERACTIVE}


def host(*gpus: Gpu) -> Host:
    """A machine with these GPUs."""
    return Host(
        usable_cpus=32, cores=16, sockets=1, processor="A processor", memory_bytes=128 * GIB, gpus=gpus or (GEFORCE,)
    )


@dataclass(frozen=True)
class Cell:
    """One benchmark × round × scenario of NVIDIA's offers."""

    benchmark: Benchmark
    offer: Offer
    round: str
    scenario: Scenario

    def __str__(self) -> str:
        return f"{self.round}-{self.benchmark.name}-{self.scenario.value}"

    def spec(self, mode: Mode = Mode.PERFORMANCE, **changes: object) -> RunSpec:
        """A valid run with a target; any field can be changed."""
        rated = self.scenario in RATED
        spec = RunSpec(
            model=self.benchmark.name,
            implementation="nvidia",
            backend=self.offer.backend,
            device=Device.CUDA,
            scenario=self.scenario,
            mode=mode,
            execution_mode=ExecutionMode.VALID,
            round=self.round,
            division=Division.CLOSED,
            system="my-box",
            submitter="me",
            engine=EngineName.DOCKER,
            loadgen=LoadGenWishes(target_qps=12.5) if rated else LoadGenWishes(target_latency_ms=2.5),
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
            implementation=load_implementation("nvidia"),
            image=self.offer.image,
            model=None,
            dataset=Path("/assets/data") if self.offer.dataset else None,
            assets={},
            host=host(),
            user=(1000, 1000),
            work=Path("/cache/work/nvidia"),
        )
        return replace(situation, **changes)  # type: ignore[arg-type]

    def compliance(self) -> Iterator[tuple[RunSpec, Situation]]:
        """Its compliance tests that NVIDIA's code has a target for."""
        for test in self.on().rules.compliance:
            if test in {"TEST01", "TEST04", "TEST06"} or (test == "TEST05" and self.round == "v4.1"):
                audit = Audit(test=test, text=f"*.*.{test} = 1\n")
                yield self.spec(Mode.COMPLIANCE, compliance_test=test), self.on(audit=audit)

    def runs(self) -> Iterator[tuple[RunSpec, Situation]]:
        """All runs of the cell: performance, accuracy where NVIDIA's container can score, compliance."""
        yield self.spec(), self.on()
        if self.offer.parameters.get("scored_outside") != "1":
            yield self.spec(Mode.ACCURACY), self.on()
        yield from self.compliance()


def cells() -> tuple[Cell, ...]:
    """All of them."""
    found = []
    for name in benchmark_names():
        benchmark = load_benchmark(name)
        for offer in benchmark.offers:
            if offer.implementation != "nvidia":
                continue
            for round_name in offer.rounds:
                rules = benchmark.rules_of(round_name)
                scenarios = () if rules is None else tuple(one for one in offer.scenarios if one in rules.scenarios)
                found += [Cell(benchmark, offer, round_name, scenario) for scenario in scenarios]
    return tuple(found)


def cell(round_name: str, model: str, scenario: Scenario) -> Cell:
    """One of them."""
    return next(
        one for one in cells() if (one.round, one.benchmark.name, one.scenario) == (round_name, model, scenario)
    )


def by_name(executions: tuple[Execution, ...]) -> dict[str, Execution]:
    """Steps by name."""
    return {one.name: one for one in executions}


def result_of(spec: RunSpec, on: Situation) -> Execution:
    """The result execution."""
    return next(one for one in steps(spec, on) if one.role is Role.RESULT)


def run_args(execution: Execution) -> list[str]:
    """The words of RUN_ARGS of a step."""
    found = [word for word in execution.container.command if word.startswith("RUN_ARGS=")]
    return found[0].removeprefix("RUN_ARGS=").split() if found else []
