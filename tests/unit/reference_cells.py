"""Every way of running a reference harness that the catalogue offers, as a spec and the ground it stands on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config.catalog import (
    benchmark_names,
    load_benchmark,
    load_compliance,
    load_implementation,
    load_round,
)
from orchestrator.domain.benchmark import Benchmark, Offer
from orchestrator.domain.situation import Audit, Gpu, Host, Situation
from orchestrator.domain.spec import LoadGenWishes, RunSpec
from orchestrator.domain.terms import Device, ExecutionMode, Mode, Scenario
from tests.unit.plans import a_situation, a_spec

ROUNDS = ("v4.1", "v5.0", "v5.1", "v6.0", "v6.1")
HOST = Host(usable_cpus=16, cores=16, numa_nodes=2, gpus=(Gpu(name="a GPU"), Gpu(name="a GPU")))


@dataclass(frozen=True)
class Cell:
    """One offer, device, scenario and round of a benchmark."""

    benchmark: Benchmark
    offer: Offer
    device: Device
    scenario: Scenario
    round: str

    def __str__(self) -> str:
        words = (self.benchmark.name, self.offer.backend, self.device, self.scenario, self.round)
        return "-".join(str(word) for word in words)

    def spec(self, mode: Mode, **changes: object) -> RunSpec:
        """A valid run of the cell."""
        wishes = LoadGenWishes(target_qps=10.0, target_latency_ms=100.0)
        test = "TEST01" if mode is Mode.COMPLIANCE else None
        return a_spec(
            **{
                "model": self.benchmark.name,
                "implementation": "reference",
                "backend": self.offer.backend,
                "device": self.device,
                "scenario": self.scenario,
                "mode": mode,
                "execution_mode": ExecutionMode.VALID,
                "round": self.round,
                "loadgen": wishes,
                "compliance_test": test,
                **changes,
            }
        )

    def situation(self, mode: Mode) -> Situation:
        """The ground that it stands on, with assets where they would lie."""
        offer, rules = self.offer, self.benchmark.rules_of(self.round)
        assert rules is not None
        family = self.benchmark.family or self.benchmark.name
        model = Path("/cache/model")
        audit = Audit(test="TEST01", text=load_compliance("TEST01").audit_text(family))
        return a_situation(
            benchmark=self.benchmark,
            rules=rules,
            offer=offer,
            round=load_round(self.round),
            implementation=load_implementation("reference"),
            image=offer.image,
            model=model / offer.model_file if offer.model_file else model,
            dataset=Path("/cache/dataset"),
            assets={name: Path("/cache") / name for name in offer.assets},
            host=HOST,
            work=Path("/cache/work/reference"),
            audit=audit if mode is Mode.COMPLIANCE else None,
        )


def cells() -> Iterator[Cell]:
    """All of them, in the catalogue's order."""
    for name in benchmark_names():
        benchmark = load_benchmark(name)
        for offer in benchmark.offers:
            if offer.implementation != "reference":
                continue
            for round_name in offer.rounds or ROUNDS:
                rules = benchmark.rules_of(round_name)
                if rules is None:
                    continue
                for scenario in offer.scenarios or rules.scenarios:
                    if scenario in rules.scenarios:
                        for device in offer.devices:
                            yield Cell(benchmark, offer, device, scenario, round_name)
