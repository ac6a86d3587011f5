"""RUN_ARGS of NVIDIA's harness for a run: its names, flags and units. Pure.

Its parsers ignore what they do not know, so nothing that is not a flag of the round may get in here.
"""

from __future__ import annotations

import re

from orchestrator.domain.situation import Situation
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.terms import ExecutionMode, Mode, Scenario
from orchestrator.errors import UsageError
from orchestrator.implementations.common import require_target
from orchestrator.implementations.nvidia_rounds import CODES

_SAFE = re.compile(r"[\w.,:=/+-]+")  # RUN_ARGS passes through make and a shell
_BATCH = re.compile(r"[\w.-]+:\d+(,[\w.-]+:\d+)*")
_RATES = {
    Scenario.OFFLINE: "offline_expected_qps",
    Scenario.SERVER: "server_target_qps",
    Scenario.INTERACTIVE: "server_target_qps",
}
_LATENCIES_NS = {
    Scenario.SINGLE_STREAM: "single_stream_expected_latency_ns",
    Scenario.MULTI_STREAM: "multi_stream_expected_latency_ns",
}
# `--set` names that are flags of the harness; those in _SWITCHES have no value there.
_FLAGS = (
    "gpu_copy_streams",
    "gpu_inference_streams",
    "precision",
    "server_num_issue_query_threads",
    "vboost_slider",
    "warmup_duration",
    "workspace_size",
    "tensor_parallelism",
    "pipeline_parallelism",
)
_SWITCHES = ("use_graphs", "use_fp8", "verbose")


def benchmark_name(on: Situation) -> str:
    """The benchmark as `--benchmarks` and `BENCHMARKS` name it."""
    name = on.offer.parameters.get("benchmark", on.benchmark.family or on.benchmark.name)
    return f"{name}-interactive" if "-interactive" in on.benchmark.name else name


def is_high_accuracy(on: Situation) -> bool:
    """Whether this is the 99.9 % variant."""
    return on.benchmark.name.endswith("-99.9")


def workload(spec: RunSpec, on: Situation) -> tuple[str, ...]:
    """Which workload: benchmark, scenario, accuracy target; and how engines are made of it."""
    flags = [f"--benchmarks={benchmark_name(on)}", f"--scenarios={spec.scenario.value}"]
    if is_high_accuracy(on):
        flags.append(CODES[spec.round].high_accuracy)
    core = core_type(spec, on)
    if core is not None:
        flags.append(f"--core_type={core}")
    return (*flags, *_tuning(spec, on))


def core_type(spec: RunSpec, on: Situation) -> str | None:
    """How an LLM of v5.1 is driven; None for everything else."""
    default = on.offer.parameters.get("core_type")
    return dict(spec.knobs.extra).get("core_type", default) if default is not None else None


def measuring(spec: RunSpec, on: Situation) -> tuple[str, ...]:
    """RUN_ARGS of the LoadGen run itself. UsageError for a valid run without a target."""
    flags = [*workload(spec, on)]
    if spec.mode is not Mode.COMPLIANCE:
        mode = "AccuracyOnly" if spec.mode is Mode.ACCURACY else "PerformanceOnly"
        flags.append(f"--test_mode={mode}")
    else:
        flags.append("--no_audit_verify")  # its own check wants a staged submission tree; ours reads the logs
    if spec.execution_mode is ExecutionMode.VALID and spec.mode is not Mode.ACCURACY:
        require_target(spec, on)
    return (*flags, *_targets(spec), *_length(spec))


def _targets(spec: RunSpec) -> tuple[str, ...]:
    wishes, flags = spec.loadgen, []
    if wishes.target_qps is not None and spec.scenario in _RATES:
        flags.append(f"--{_RATES[spec.scenario]}={wishes.target_qps:g}")
    if wishes.target_latency_ms is not None:
        name = _LATENCIES_NS.get(spec.scenario, "server_target_latency_ns")
        flags.append(f"--{name}={round(wishes.target_latency_ms * 1e6)}")
    if wishes.user_conf is not None:
        flags.append("--user_conf_path=/out/user.conf")
    return tuple(flags)


def _length(spec: RunSpec) -> tuple[str, ...]:
    """Durations and counts. A test is one minute long by the harness's own switch, unless the user says otherwise."""
    wishes = spec.loadgen
    if spec.mode is Mode.ACCURACY:
        return ()
    if spec.execution_mode is ExecutionMode.VALID:
        return () if wishes.min_duration_ms is None else (f"--min_duration={max(wishes.min_duration_ms, 1)}",)
    if wishes.min_duration_ms is None and wishes.test_query_count is None:
        return ("--test_run",)
    # Zero counts as 'not given' there, so the shortest duration is one millisecond.
    flags = [f"--min_duration={max(wishes.min_duration_ms or 1, 1)}"]
    if wishes.test_query_count is not None:
        flags.append(f"--min_query_count={wishes.test_query_count}")
    return tuple(flags)


def _tuning(spec: RunSpec, on: Situation) -> tuple[str, ...]:
    options, flags = dict(spec.knobs.extra), []
    for name in CODES[spec.round].lacks:
        if name in options:
            raise UsageError(f"--set {name}: NVIDIA's code of {spec.round} has no such flag, and would ignore it")
    batch = options.get("gpu_batch_size") or _batch_of(spec.knobs.batch_size, on)
    if batch is not None:
        if not _BATCH.fullmatch(batch):
            raise UsageError(
                f"--set gpu_batch_size={batch}: NVIDIA's harness wants COMPONENT:SIZE[,COMPONENT:SIZE…]",
                hint=f"its components here: {on.offer.parameters.get('components', benchmark_name(on))}",
            )
        flags.append(f"--gpu_batch_size={batch}")
    flags += [f"--{name}={options[name]}" for name in _FLAGS if name in options]
    flags += [f"--{name}" for name in _SWITCHES if options.get(name) == "1"]
    for flag in flags:
        if not _SAFE.fullmatch(flag.removeprefix("--")):
            raise UsageError(f"{flag}: holds a character that make or its shell would take for its own")
    return tuple(flags)


def _batch_of(size: int | None, on: Situation) -> str | None:
    if size is None:
        return None
    components = on.offer.parameters.get("components", benchmark_name(on)).split()
    return ",".join(f"{component}:{size}" for component in components)
