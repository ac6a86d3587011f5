"""Drive the project's own harness (`orchestrator.sut`): one LoadGen process per execution. Pure; starts nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from orchestrator.domain.asset import CONTAINER_DATASET, CONTAINER_MODEL
from orchestrator.domain.benchmark import TestCount
from orchestrator.domain.canonical import JsonValue
from orchestrator.domain.container import ContainerSpec, Limits, Mount, Network
from orchestrator.domain.plan import Execution, LoadGenSettings, Role
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.terms import EngineName, ExecutionMode, Mode, Scenario
from orchestrator.errors import UsageError
from orchestrator.loadgen.user_conf import parse_user_conf

RESULT_FOLDER = PurePosixPath("loadgen")
ESTIMATE_FOLDER = PurePosixPath("estimate")
CUSTOM_SAMPLES = 64
DEFAULT_QUEUE_DEPTH = 4096

_DEFAULT_TEST = {
    Scenario.OFFLINE: TestCount(queries=64),
    Scenario.SERVER: TestCount(queries=32, target_qps=4.0),
    Scenario.INTERACTIVE: TestCount(queries=32, target_qps=4.0),
    Scenario.SINGLE_STREAM: TestCount(queries=64),
    Scenario.MULTI_STREAM: TestCount(queries=16),
}
# What an estimating run measures, and how much of it is asked of the system: a little more than it can do Offline
# (too low a rate ends the run early and makes it INVALID), less than it can do where latency counts.
_ESTIMATE_TIMES = 4  # as many queries as a test run has: the first ones are slow everywhere
_ESTIMATE_WITH = {Scenario.SERVER: Scenario.SINGLE_STREAM, Scenario.INTERACTIVE: Scenario.SINGLE_STREAM}
_FIT = {
    Scenario.OFFLINE: ("target_qps", 1.5),
    Scenario.SERVER: ("target_qps", 0.6),
    Scenario.INTERACTIVE: ("target_qps", 0.6),
    Scenario.SINGLE_STREAM: ("target_latency_ms", 0.5),
    Scenario.MULTI_STREAM: ("target_latency_ms", 0.5),
}
_MLPERF_LOGS = (
    PurePosixPath("mlperf_log_detail.txt"),
    PurePosixPath("mlperf_log_summary.txt"),
    PurePosixPath("mlperf_log_accuracy.json"),
    PurePosixPath("report.json"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a generic run stands on. `model` and `dataset` are host paths (a file; a folder, None for generated inputs).

    `image` names the image entry; `usable_cpus` is how many processors this machine lets us use; `user` is the caller.
    """

    image: str
    loadgen_model: str
    model: Path | None
    dataset: Path | None
    performance_sample_count: int
    batch_size: int
    test: TestCount | None
    server_latency_limit_ms: float | None
    usable_cpus: int
    user: tuple[int, int]


def executions(spec: RunSpec, on: Situation) -> tuple[Execution, ...]:
    """The LoadGen processes of one run, in order; the last one is the result."""
    result = _execution(spec, on, settings(spec, on), Role.RESULT)
    if result.settings.fit is None:
        return (result,)
    scenario = _ESTIMATE_WITH.get(spec.scenario, spec.scenario)
    estimating = replace(spec, scenario=scenario, execution_mode=ExecutionMode.TEST, mode=Mode.PERFORMANCE)
    count = on.test or _DEFAULT_TEST[scenario]
    short = _test_settings(estimating, on, count.queries * _ESTIMATE_TIMES)
    estimate = _execution(estimating, on, replace(short, min_duration_ms=0), Role.ESTIMATE)
    return (estimate, result)


def settings(spec: RunSpec, on: Situation) -> LoadGenSettings:
    """LoadGen's settings for the result; what the user named wins, what nobody knows is fitted by an estimate."""
    wishes = spec.loadgen
    if spec.execution_mode is ExecutionMode.TEST or spec.mode is Mode.ACCURACY:
        count = on.test or _DEFAULT_TEST[spec.scenario]
        return _test_settings(spec, on, wishes.test_query_count or count.queries)
    fit, factor = _FIT[spec.scenario]
    named = {"target_qps": wishes.target_qps, "target_latency_ms": wishes.target_latency_ms}[fit]
    in_file = fit.removesuffix("_ms") in _named_in_file(spec, on)
    return LoadGenSettings(
        loadgen_model=on.loadgen_model,
        min_duration_ms=wishes.min_duration_ms,
        target_qps=wishes.target_qps,
        target_latency_ms=_target_latency_ms(spec, on),
        performance_sample_count=on.performance_sample_count,
        fit=None if named is not None or in_file else fit,
        fit_factor=factor,
        user_conf=wishes.user_conf,
    )


def _named_in_file(spec: RunSpec, on: Situation) -> frozenset[str]:
    """Keys that the user's own user.conf sets for this model and scenario."""
    if spec.loadgen.user_conf is None:
        return frozenset()
    found = parse_user_conf(spec.loadgen.user_conf, "--user-conf")
    return frozenset(found.effective(on.loadgen_model, spec.scenario))


def _test_settings(spec: RunSpec, on: Situation, queries: int) -> LoadGenSettings:
    wishes = spec.loadgen
    count = on.test or _DEFAULT_TEST[spec.scenario]
    rate = wishes.target_qps or count.target_qps or _DEFAULT_TEST[spec.scenario].target_qps
    valid = spec.execution_mode is ExecutionMode.VALID
    return LoadGenSettings(
        loadgen_model=on.loadgen_model,
        min_duration_ms=wishes.min_duration_ms if valid else wishes.min_duration_ms or 0,
        # No max_query_count: LoadGen logs an error when that ends a test; with no duration to fill the minimum does it.
        min_query_count=None if valid else queries,
        target_qps=rate if spec.scenario in {Scenario.SERVER, Scenario.INTERACTIVE} else wishes.target_qps,
        target_latency_ms=_target_latency_ms(spec, on),
        performance_sample_count=on.performance_sample_count,
        user_conf=wishes.user_conf,
    )


def _target_latency_ms(spec: RunSpec, on: Situation) -> float | None:
    if spec.loadgen.target_latency_ms is not None:
        return spec.loadgen.target_latency_ms
    return on.server_latency_limit_ms if spec.scenario is Scenario.SERVER else None


def _execution(spec: RunSpec, on: Situation, conf: LoadGenSettings, role: Role) -> Execution:
    threads = spec.knobs.threads or on.usable_cpus
    model, dataset, mounts = _sides(spec, on)
    options = dict(spec.knobs.extra)
    workers = _whole(options.pop("workers", "1"), "workers")
    queue_depth = _whole(options.pop("queue_depth", str(DEFAULT_QUEUE_DEPTH)), "queue_depth")
    harness: dict[str, JsonValue] = {
        "schema_version": 1,
        "backend": spec.backend,
        "model": str(model) if model else None,
        "dataset": str(dataset) if dataset else None,
        "generated_samples": None if dataset else CUSTOM_SAMPLES,
        "scenario": spec.scenario.value,
        "mode": spec.mode.value,
        "loadgen_model": on.loadgen_model,
        "user_conf": "user.conf",
        "output": ".",
        "threads": threads,
        "batch_size": spec.knobs.batch_size or on.batch_size,
        "workers": workers,
        "queue_depth": queue_depth,
        "performance_sample_count": on.performance_sample_count,
        "options": dict(sorted(options.items())),
    }
    container = ContainerSpec(
        image=on.image,
        command=(*spec.run_prefix, "python", "-m", "orchestrator.sut", "harness.json"),
        mounts=mounts,
        environment=(("OMP_NUM_THREADS", str(threads)), ("PYTHONUNBUFFERED", "1")),
        user=None if spec.engine is EngineName.NATIVE else on.user,
        network=Network.NONE,
        limits=Limits(memory_bytes=spec.memory_bytes),
        add_capabilities=("SYS_PTRACE",) if spec.run_prefix else (),
        gpus=spec.gpus,
    )
    accuracy = (PurePosixPath("accuracy.txt"),) if spec.mode is Mode.ACCURACY and role is Role.RESULT else ()
    return Execution(
        name=role.value,
        role=role,
        scenario=spec.scenario,
        folder=RESULT_FOLDER if role is Role.RESULT else ESTIMATE_FOLDER,
        settings=conf,
        container=container,
        harness=tuple(harness.items()),
        produces=_MLPERF_LOGS + accuracy,
        timeout_s=spec.timeout_s,
    )


def _sides(spec: RunSpec, on: Situation) -> tuple[PurePosixPath | None, PurePosixPath | None, tuple[Mount, ...]]:
    """Where model and data set stand for the harness: host paths natively, fixed places in a container."""
    native = spec.engine is EngineName.NATIVE
    model = dataset = None
    mounts = []
    if on.model is not None:
        model = PurePosixPath(on.model) if native else CONTAINER_MODEL / on.model.name
        mounts.append(Mount(source=on.model, target=model))
    if on.dataset is not None:
        dataset = PurePosixPath(on.dataset) if native else CONTAINER_DATASET
        mounts.append(Mount(source=on.dataset, target=dataset))
    return model, dataset, tuple(mounts)


def _whole(text: str, name: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise UsageError(f"--set {name}={text}: must be a whole number of at least 1")
    return int(text)
