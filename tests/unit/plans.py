"""Plans for tests, made by the real planner's pure parts from values written out here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orchestrator.config.catalog import load_benchmark, load_implementation, load_round
from orchestrator.domain.benchmark import AccuracyTarget, Seeds, TestCount
from orchestrator.domain.image import PlannedImage
from orchestrator.domain.plan import Rules, RunPlan
from orchestrator.domain.situation import Host, Situation
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.terms import Device, Division, EngineName, Evidence, ExecutionMode, Mode, Scenario, Suite
from orchestrator.implementations.generic import executions

SEEDS_V61 = Seeds(
    qsl_rng_seed=2085463073848966840,
    sample_index_rng_seed=2747215439041700203,
    schedule_rng_seed=16159082839903944936,
)


def a_spec(**changes: object) -> RunSpec:
    """A test run of resnet8-cifar10, Offline, performance; any field can be changed."""
    spec = RunSpec(
        model="resnet8-cifar10",
        implementation="generic",
        backend="tflite",
        device=Device.CPU,
        scenario=Scenario.OFFLINE,
        mode=Mode.PERFORMANCE,
        execution_mode=ExecutionMode.TEST,
        round="v6.1",
        division=Division.OPEN,
        system="a-system",
        submitter="a-submitter",
        engine=EngineName.DOCKER,
    )
    return replace(spec, **changes)  # type: ignore[arg-type]


def a_situation(
    *, test: TestCount | None = None, server_latency_limit_ms: float | None = None, **changes: object
) -> Situation:
    """The ground that a generic run stands on; any field can be changed."""
    benchmark = load_benchmark("resnet8-cifar10")
    limits = {} if server_latency_limit_ms is None else {Scenario.SERVER: int(server_latency_limit_ms * 1e6)}
    situation = Situation(
        benchmark=replace(benchmark, test=dict.fromkeys(Scenario, test) if test is not None else {}),
        rules=replace(benchmark.rules["any"], latency_limit_ns=limits),
        offer=replace(benchmark.offers[0], batch_size=1),
        round=load_round("v6.1"),
        implementation=load_implementation("generic"),
        image="generic-tflite",
        model=Path("/cache/model/image_classification.tflite"),
        dataset=Path("/cache/cifar10-20"),
        assets={},
        host=Host(usable_cpus=2),
        user=(1000, 1000),
        work=Path("/cache/work/generic"),
    )
    return replace(situation, **changes)  # type: ignore[arg-type]


def a_plan(spec: RunSpec | None = None) -> RunPlan:
    """A sealed plan for a spec."""
    spec = spec or a_spec()
    return RunPlan(
        tool_version="0.1.0",
        run_id=f"20261122T000000Z-{spec.model}-{spec.scenario.value}-{spec.mode.value}-00000000",
        spec=spec,
        image=PlannedImage(entry="generic-tflite", round="v6.1", platform="linux/amd64", recipe="0" * 64),
        assets=(),
        executions=executions(spec, a_situation()),
        rules=Rules(
            suite=Suite.SMALL,
            seeds=SEEDS_V61,
            loadgen="6.0.17",
            judged=spec.execution_mode is ExecutionMode.VALID,
            min_duration_ms=600_000,
            min_query_count=None,
            offline_min_samples=None,
            performance_sample_count=20,
            dataset_samples=20,
            latency_limit_ns=None,
            accuracy=(AccuracyTarget(metric="top1", reference=0.85, tolerance_samples=1),),
            not_submittable=("the small suite is for trying and testing; it is part of no round",),
        ),
        evidence=Evidence.PROVEN,
    ).sealed()
