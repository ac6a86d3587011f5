"""What every driver needs: LoadGen's settings for a run, the plain container, and who is refused what. Pure."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from orchestrator.domain.benchmark import Knob, KnobKind, TestCount
from orchestrator.domain.container import ContainerSpec, Limits, Mount, Network
from orchestrator.domain.plan import LoadGenSettings
from orchestrator.domain.situation import Situation
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.terms import EngineName, ExecutionMode, Mode, Scenario, Suite
from orchestrator.errors import UsageError
from orchestrator.loadgen.user_conf import loadgen_scenario, parse_user_conf

RESULT_FOLDER = PurePosixPath("loadgen")
OUTPUT = PurePosixPath("/out")
DETAIL = PurePosixPath("mlperf_log_detail.txt")
SUMMARY = PurePosixPath("mlperf_log_summary.txt")
ACCURACY_LOG = PurePosixPath("mlperf_log_accuracy.json")
ACCURACY_TEXT = PurePosixPath("accuracy.txt")
LOADGEN_LOGS = (DETAIL, SUMMARY, ACCURACY_LOG)

DEFAULT_TEST = {
    Scenario.OFFLINE: TestCount(queries=64),
    Scenario.SERVER: TestCount(queries=32, target_qps=4.0),
    Scenario.INTERACTIVE: TestCount(queries=32, target_qps=4.0),
    Scenario.SINGLE_STREAM: TestCount(queries=64),
    Scenario.MULTI_STREAM: TestCount(queries=16),
}
RATED = frozenset({Scenario.OFFLINE, Scenario.SERVER, Scenario.INTERACTIVE})
SERVED = frozenset({Scenario.SERVER, Scenario.INTERACTIVE})


def loadgen_model(scenario: Scenario, on: Situation) -> str:
    """The name under which LoadGen looks up its built-in settings; Interactive may have its own."""
    return on.rules.loadgen_model.get(scenario, on.benchmark.loadgen_model)


def is_short(spec: RunSpec) -> bool:
    """Whether a fixed count decides the length: test runs, and accuracy runs of any kind."""
    return spec.execution_mode is ExecutionMode.TEST or spec.mode is Mode.ACCURACY


def loadgen_settings(spec: RunSpec, on: Situation, *, performance_sample_count: int | None = None) -> LoadGenSettings:
    """The user.conf of a result whose harness makes no estimate of its own.

    UsageError for a valid performance or compliance run without a target: LoadGen's default of one query a second gives
    an INVALID or meaningless result after hours. `performance_sample_count` only where the harness leaves it to us.
    """
    if is_short(spec):
        return short_settings(spec, on, short_queries(spec, on), performance_sample_count=performance_sample_count)
    require_target(spec, on)
    wishes = spec.loadgen
    return LoadGenSettings(
        loadgen_model=loadgen_model(spec.scenario, on),
        min_duration_ms=wishes.min_duration_ms,
        min_query_count=offline_minimum(spec, on),
        target_qps=wishes.target_qps,
        target_latency_ms=wishes.target_latency_ms,
        performance_sample_count=performance_sample_count,
        user_conf=wishes.user_conf,
    )


def short_settings(
    spec: RunSpec, on: Situation, queries: int, *, performance_sample_count: int | None
) -> LoadGenSettings:
    """A test run of so many queries (Offline: samples), or an accuracy run, which LoadGen ends by itself."""
    wishes = spec.loadgen
    valid = spec.execution_mode is ExecutionMode.VALID
    return LoadGenSettings(
        loadgen_model=loadgen_model(spec.scenario, on),
        min_duration_ms=wishes.min_duration_ms if valid else wishes.min_duration_ms or 0,
        # No max_query_count: LoadGen logs an error when that ends a test; with no duration to fill the minimum does it.
        min_query_count=None if valid else queries,
        target_qps=short_rate(spec, on) if spec.scenario in SERVED else wishes.target_qps,
        target_latency_ms=target_latency_ms(spec, on),
        performance_sample_count=performance_sample_count,
        # Where the rules have whole passes over the data set, LoadGen would fill a test run up to one.
        sample_concatenate_permutation=0 if on.rules.equal_issue and not valid else None,
        user_conf=wishes.user_conf,
    )


def short_count(spec: RunSpec, on: Situation) -> TestCount:
    """How long a test run of the scenario is, by the catalogue."""
    return on.benchmark.test.get(spec.scenario) or DEFAULT_TEST[spec.scenario]


def short_queries(spec: RunSpec, on: Situation) -> int:
    """Queries (Offline: samples) of a test run; the user's own number wins."""
    return spec.loadgen.test_query_count or short_count(spec, on).queries


def short_rate(spec: RunSpec, on: Situation) -> float | None:
    """Queries per second of a test run of Server or Interactive."""
    return spec.loadgen.target_qps or short_count(spec, on).target_qps or DEFAULT_TEST[spec.scenario].target_qps


def target_latency_ms(spec: RunSpec, on: Situation) -> float | None:
    """The user's, else the round's limit in Server."""
    if spec.loadgen.target_latency_ms is not None:
        return spec.loadgen.target_latency_ms
    limit_ns = on.rules.latency_limit_ns.get(Scenario.SERVER)
    return limit_ns / 1e6 if spec.scenario is Scenario.SERVER and limit_ns is not None else None


def offline_minimum(spec: RunSpec, on: Situation) -> int | None:
    """The round's least number of Offline samples: LoadGen's built-in settings lack it for several models."""
    if spec.scenario is not Scenario.OFFLINE or on.benchmark.suite is not Suite.MLPERF:
        return None
    if spec.loadgen.min_duration_ms is not None:
        return None
    return on.rules.offline_min_samples


def named_in_file(spec: RunSpec, on: Situation) -> frozenset[str]:
    """Keys that the user's own user.conf sets for this model and scenario."""
    if spec.loadgen.user_conf is None:
        return frozenset()
    found = parse_user_conf(spec.loadgen.user_conf, "--user-conf")
    return frozenset(found.effective(loadgen_model(spec.scenario, on), spec.scenario))


def require_target(spec: RunSpec, on: Situation) -> None:
    """UsageError when a valid run names neither rate nor latency, with what to give."""
    wishes = spec.loadgen
    rated = spec.scenario in RATED
    key = "target_qps" if rated else "target_latency"
    given = wishes.target_qps if rated else wishes.target_latency_ms
    if given is None and key not in named_in_file(spec, on):
        option = "--target-qps RATE" if rated else "--target-latency MS"
        raise UsageError(
            f"a valid {spec.scenario.value} run of '{spec.model}' with {spec.implementation} needs {option}: without "
            f"it LoadGen takes its default, and the result is INVALID or means nothing",
            hint=f"give {option} (what the system can do, or a little more for Offline), or {key} in --user-conf; "
            "a test run (--execution-mode test) shows what to expect",
        )


def container(
    spec: RunSpec,
    on: Situation,
    command: tuple[str, ...],
    *,
    mounts: tuple[Mount, ...] = (),
    environment: tuple[tuple[str, str], ...] = (),
) -> ContainerSpec:
    """The least a harness gets: no network, no capability, a read-only root, the caller's user; no GPU but those asked.

    A driver that needs more says so with `dataclasses.replace`, field by field.
    """
    return ContainerSpec(
        image=on.image,
        command=(*spec.run_prefix, *command),
        mounts=mounts,
        environment=environment,
        user=None if spec.engine is EngineName.NATIVE else on.user,
        network=Network.NONE,
        limits=Limits(memory_bytes=spec.memory_bytes),
        hostname=None if spec.engine is EngineName.NATIVE else host_name(spec.system),
        add_capabilities=("SYS_PTRACE",) if spec.run_prefix else (),
        gpus=spec.gpus,
    )


def host_name(system: str) -> str | None:
    """The system's name as a host name: harnesses write it into results, where a container's id would mean nothing."""
    text = re.sub(r"[^A-Za-z0-9-]+", "-", system).strip("-")[:63].strip("-")
    return text or None


def knobs_of(spec: RunSpec, on: Situation) -> dict[str, Knob]:
    """The `--set` options of this implementation and backend."""
    known = on.implementation.knobs
    return {**known.get("any", {}), **known.get(spec.backend, {})}


def check_knob(name: str, knob: Knob, value: str) -> None:
    """UsageError when the value is not of the knob's kind."""
    if knob.kind is KnobKind.WHOLE and not (value.isdigit() and int(value) >= 1):
        raise UsageError(f"--set {name}={value}: must be a whole number of at least 1")
    if knob.kind is KnobKind.NUMBER and not _is_positive(value):
        raise UsageError(f"--set {name}={value}: must be a number above 0")
    if knob.kind is KnobKind.CHOICE and value not in knob.values:
        from orchestrator.domain.suggest import unknown

        raise unknown(f"value of --set {name}", value, knob.values)


def _is_positive(text: str) -> bool:
    try:
        return 0 < float(text) < float("inf")
    except ValueError:
        return False


__all__ = [
    "ACCURACY_LOG",
    "ACCURACY_TEXT",
    "DEFAULT_TEST",
    "DETAIL",
    "LOADGEN_LOGS",
    "OUTPUT",
    "RATED",
    "RESULT_FOLDER",
    "SERVED",
    "SUMMARY",
    "check_knob",
    "container",
    "host_name",
    "is_short",
    "knobs_of",
    "loadgen_model",
    "loadgen_scenario",
    "loadgen_settings",
    "named_in_file",
    "offline_minimum",
    "require_target",
    "short_count",
    "short_queries",
    "short_rate",
    "short_settings",
    "target_latency_ms",
]
