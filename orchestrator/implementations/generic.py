"""Drive the project's own harness (`orchestrator.sut`): one LoadGen process per execution. Pure; starts nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

from orchestrator.domain.asset import CONTAINER_DATASET, CONTAINER_MODEL
from orchestrator.domain.canonical import JsonValue
from orchestrator.domain.container import Mount
from orchestrator.domain.plan import Execution, LoadGenSettings, Role
from orchestrator.domain.situation import Situation
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.terms import EngineName, ExecutionMode, Mode, Scenario
from orchestrator.errors import UsageError
from orchestrator.implementations.common import (
    ACCURACY_TEXT,
    LOADGEN_LOGS,
    RESULT_FOLDER,
    container,
    is_short,
    loadgen_model,
    loadgen_scenario,
    named_in_file,
    offline_minimum,
    short_count,
    short_queries,
    short_settings,
    target_latency_ms,
)
from orchestrator.implementations.generic_serving import client, is_served, server

ESTIMATE_FOLDER = PurePosixPath("estimate")
CUSTOM_SAMPLES = 64
DEFAULT_QUEUE_DEPTH = 4096
PYTHON_HARNESS = ("python", "-m", "orchestrator.sut", "harness.json")

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
_FOLDER_MODELS = frozenset({"ctranslate2"})  # the model's file has its vocabulary and settings beside it
_LOGS = (*LOADGEN_LOGS, PurePosixPath("report.json"))


def steps(spec: RunSpec, on: Situation) -> tuple[Execution, ...]:
    """The LoadGen processes of one run of our Python harness, in order; the last one is the result."""
    return executions(spec, on, harness=PYTHON_HARNESS)


def executions(spec: RunSpec, on: Situation, *, harness: tuple[str, ...] = PYTHON_HARNESS) -> tuple[Execution, ...]:
    """The same for any program that keeps to the contract of orchestrator/sut/README.md; `harness` is its command."""
    found = _loadgen_runs(spec, on, harness)
    return (server(spec, on), *(client(spec, on, each) for each in found)) if is_served(on) else found


def _loadgen_runs(spec: RunSpec, on: Situation, harness: tuple[str, ...]) -> tuple[Execution, ...]:
    result = _execution(spec, on, settings(spec, on), Role.RESULT, harness)
    if result.settings is None or result.settings.fit is None:
        return (result,)
    scenario = _ESTIMATE_WITH.get(spec.scenario, spec.scenario)
    estimating = replace(spec, scenario=scenario, execution_mode=ExecutionMode.TEST, mode=Mode.PERFORMANCE)
    short = short_settings(
        estimating,
        on,
        short_count(estimating, on).queries * _ESTIMATE_TIMES,
        performance_sample_count=on.rules.performance_sample_count,
    )
    estimate = _execution(estimating, on, replace(short, min_duration_ms=0), Role.ESTIMATE, harness)
    return (estimate, result)


def settings(spec: RunSpec, on: Situation) -> LoadGenSettings:
    """LoadGen's settings for the result; what the user named wins, what nobody knows is fitted by an estimate."""
    samples = on.rules.performance_sample_count
    if is_short(spec):
        return short_settings(spec, on, short_queries(spec, on), performance_sample_count=samples)
    wishes = spec.loadgen
    fit, factor = _FIT[spec.scenario]
    named = {"target_qps": wishes.target_qps, "target_latency_ms": wishes.target_latency_ms}[fit]
    in_file = fit.removesuffix("_ms") in named_in_file(spec, on)
    return LoadGenSettings(
        loadgen_model=loadgen_model(spec.scenario, on),
        min_duration_ms=wishes.min_duration_ms,
        min_query_count=offline_minimum(spec, on),
        target_qps=wishes.target_qps,
        target_latency_ms=target_latency_ms(spec, on),
        performance_sample_count=samples,
        fit=None if named is not None or in_file else fit,
        fit_factor=factor,
        user_conf=wishes.user_conf,
    )


def _execution(spec: RunSpec, on: Situation, conf: LoadGenSettings, role: Role, command: tuple[str, ...]) -> Execution:
    threads = spec.knobs.threads or on.host.usable_cpus
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
        "scenario": loadgen_scenario(spec.scenario),
        "mode": "accuracy" if spec.mode is Mode.ACCURACY else "performance",
        "loadgen_model": conf.loadgen_model,
        "user_conf": "user.conf",
        "output": ".",
        "threads": threads,
        "batch_size": spec.knobs.batch_size or on.offer.batch_size,
        "workers": workers,
        "queue_depth": queue_depth,
        "performance_sample_count": on.rules.performance_sample_count,
        "options": dict(sorted(options.items())),
    }
    inside = container(
        spec,
        on,
        command,
        mounts=mounts,
        environment=(("OMP_NUM_THREADS", str(threads)), ("PYTHONUNBUFFERED", "1")),
    )
    accuracy = (ACCURACY_TEXT,) if spec.mode is Mode.ACCURACY and role is Role.RESULT else ()
    return Execution(
        name=role.value,
        role=role,
        scenario=spec.scenario,
        folder=RESULT_FOLDER if role is Role.RESULT else ESTIMATE_FOLDER,
        settings=conf,
        container=inside,
        harness=tuple(harness.items()),
        produces=_LOGS + accuracy,
        timeout_s=spec.timeout_s,
        files=((PurePosixPath("audit.config"), on.audit.text),) if on.audit is not None and role is Role.RESULT else (),
    )


def _sides(spec: RunSpec, on: Situation) -> tuple[PurePosixPath | None, PurePosixPath | None, tuple[Mount, ...]]:
    """Where model and data set stand for the harness: host paths natively, fixed places in a container."""
    native = spec.engine is EngineName.NATIVE
    model = dataset = None
    mounts = []
    if on.model is not None:
        model = PurePosixPath(on.model) if native else CONTAINER_MODEL / on.model.name
        folder = spec.backend in _FOLDER_MODELS
        mounts.append(Mount(source=on.model.parent if folder else on.model, target=model.parent if folder else model))
    if on.dataset is not None:
        dataset = PurePosixPath(on.dataset) if native else CONTAINER_DATASET
        mounts.append(Mount(source=on.dataset, target=dataset))
    return model, dataset, tuple(mounts)


def _whole(text: str, name: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise UsageError(f"--set {name}={text}: must be a whole number of at least 1")
    return int(text)
