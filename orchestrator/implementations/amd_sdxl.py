"""AMD's SDXL harness (shortfin, CPX partitions): v5.1 calls it for one mode, v5.0 runs its all-in-one script. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from orchestrator.domain.container import ContainerSpec
from orchestrator.domain.plan import Execution, Role
from orchestrator.domain.situation import Situation
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.terms import Mode, Scenario
from orchestrator.errors import UsageError
from orchestrator.implementations import common, vendor
from orchestrator.implementations.common import ACCURACY_LOG, ACCURACY_TEXT, DETAIL, SUMMARY

HARNESS = "sdxl-harness"
SCRIPT = "sdxl-script"
FOLDER = PurePosixPath("/mlperf/harness")
SUBMISSION = FOLDER / "Submission"
_PARTITIONS = 64
_ALL = ",".join(str(number) for number in range(_PARTITIONS))
_SAMPLES = 5000

Made = Callable[[tuple[str, ...], bool], ContainerSpec]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tuning:
    """What AMD's script of a scenario passes to the harness (MI325X, v5.1)."""

    batch_size: int
    cores_per_device: int
    sample_loops: int
    batcher: bool
    model_json: str
    gil: str
    count: int | None


_TUNING = {
    Scenario.OFFLINE: _Tuning(
        batch_size=32,
        cores_per_device=1,
        sample_loops=2,
        batcher=False,
        model_json="sdxl_config_fp8_sched_unet_bs32.json",
        gil="0",
        count=107_400,
    ),
    Scenario.SERVER: _Tuning(
        batch_size=2,
        cores_per_device=2,
        sample_loops=1,
        batcher=True,
        model_json="sdxl_config_fp8_sched_unet_bs2.json",
        gil="1",
        count=None,
    ),
}


def harness(spec: RunSpec, on: Situation, made: Made) -> tuple[Execution, ...]:
    """v5.1: harness.py for one mode, as AMD's script calls it, then its scorer."""
    vendor.refuse_settings(spec, "AMD's SDXL harness", takes="a rate (--target-qps)")
    short = common.is_short(spec)
    if not short:
        common.require_target(spec, on)
    audited = on.audit is not None
    audit = FOLDER / "audit.config"
    entry = vendor.Entry(
        own=(SUBMISSION,),
        place=((SUBMISSION / "audit.config", audit),) if audited else (),
        absent=(audit,),
    )
    tuning = _TUNING[spec.scenario]
    variables = (("HIP_VISIBLE_DEVICES", _ALL), ("PYTHON_GIL", tuning.gil), ("ROCR_VISIBLE_DEVICES", _ALL))
    container = made(entry.command(on, "python3.13", "harness.py", *_arguments(spec, on, tuning)), False)
    result = Execution(
        name="result",
        role=Role.RESULT,
        scenario=spec.scenario,
        folder=common.RESULT_FOLDER,
        container=replace(container, workdir=FOLDER, environment=(*vendor.ROOT_VARIABLES, *variables)),
        files=((PurePosixPath("audit.config"), on.audit.text),) if on.audit is not None else (),
        output_at=SUBMISSION,
        produces=(DETAIL, SUMMARY, ACCURACY_LOG),
        timeout_s=spec.timeout_s,
    )
    return (result, _score(spec, on, made)) if spec.mode is Mode.ACCURACY else (result,)


def _arguments(spec: RunSpec, on: Situation, tuning: _Tuning) -> tuple[str, ...]:
    rate = spec.loadgen.target_qps or (common.short_rate(spec, on) or 1.0)
    count = _count(spec, on, tuning)
    return (
        "--devices",
        _ALL,
        "--gpu_batch_size",
        str(tuning.batch_size),
        "--cores_per_devices",
        str(tuning.cores_per_device),
        *(("--count", str(count)) if count is not None else ()),
        "--qps",
        f"{rate:g}",
        "--fibers_per_device",
        "1",
        "--scenario",
        spec.scenario.value,
        "--test_mode",
        "AccuracyOnly" if spec.mode is Mode.ACCURACY else "PerformanceOnly",
        "--logfile_outdir",
        str(SUBMISSION),
        "--vae_batch_size",
        "1",
        "--num_sample_loops",
        str(tuning.sample_loops),
        *(("--enable_batcher", "True") if tuning.batcher else ()),
        "--td_spec=attention_and_matmul_spec_gfx942_MI325.mlir",
        f"--model_json={tuning.model_json}",
    )


def _count(spec: RunSpec, on: Situation, tuning: _Tuning) -> int | None:
    """The number of samples the harness is told; as published for what counts, a few for a test run."""
    if spec.mode is Mode.ACCURACY:
        return _SAMPLES if spec.scenario is Scenario.OFFLINE else None
    if common.is_short(spec):
        return common.short_queries(spec, on)
    return tuning.count if spec.mode is Mode.PERFORMANCE else None


def _score(spec: RunSpec, on: Situation, made: Made) -> Execution:
    entry = vendor.Entry(own=(SUBMISSION,), first=("./setup_accuracy_env.sh",))
    log = str(SUBMISSION / str(ACCURACY_LOG))
    return Execution(
        name="score",
        role=Role.EVALUATE,
        scenario=spec.scenario,
        folder=common.RESULT_FOLDER,
        container=replace(made(entry.command(on, "bash", "./check_accuracy_scores.sh", log), True), workdir=FOLDER),
        output_at=SUBMISSION,
        produces=(ACCURACY_TEXT,),
    )


def script(spec: RunSpec, on: Situation, made: Made) -> tuple[Execution, ...]:
    """v5.0: the published script does performance, accuracy, TEST01 and TEST04 in one; the mode's part is taken."""
    vendor.refuse_settings(spec, "AMD's SDXL script of v5.0", takes="nothing")
    if spec.loadgen.target_qps is not None:
        raise UsageError(
            "AMD's SDXL script of v5.0 has its rate written in it: --target-qps cannot be given",
            hint="leave it out, or take round v5.1, whose harness is called directly",
        )
    tree = f"closed/AMD/results/*/stable-diffusion-xl/{spec.scenario.value}"
    part = {
        Mode.PERFORMANCE: f"{tree}/performance/run_1",
        Mode.ACCURACY: f"{tree}/accuracy",
        Mode.COMPLIANCE: f"{tree}/{spec.compliance_test}",
    }[spec.mode]
    command = vendor.Entry(own=(SUBMISSION,), absent=(FOLDER / "audit.config",)).command(
        on, "bash", f"./run_scenario_{spec.scenario.value.lower()}_MI325x_cpx.sh"
    )
    variables = (("HIP_VISIBLE_DEVICES", _ALL), ("ROCR_VISIBLE_DEVICES", _ALL))
    accuracy = (ACCURACY_TEXT,) if spec.mode is Mode.ACCURACY else ()
    return (
        Execution(
            name="result",
            role=Role.RESULT,
            scenario=spec.scenario,
            folder=common.RESULT_FOLDER,
            container=replace(made(command, True), workdir=FOLDER, environment=(*vendor.ROOT_VARIABLES, *variables)),
            output_at=SUBMISSION,
            logs_from=(part,),
            produces=(DETAIL, SUMMARY, ACCURACY_LOG, *accuracy),
            timeout_s=spec.timeout_s,
        ),
    )
