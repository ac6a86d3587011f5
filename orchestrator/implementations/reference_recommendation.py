"""Recommendation with its reference harnesses: the retired DLRM, its second version, its third. Pure."""

from __future__ import annotations

from orchestrator.domain.situation import Situation
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.terms import Device, Scenario
from orchestrator.implementations.common import ACCURACY_LOG, OUTPUT
from orchestrator.implementations.reference_harness import (
    OURS,
    USER_CONF,
    Harness,
    dataset_at,
    devices,
    limited,
    model_at,
    old_configuration,
    parameter,
    scenario_word,
)

_LOG = str(OUTPUT / ACCURACY_LOG)
_LOG_ARGUMENT = ("--mlperf-accuracy-file", _LOG)


def dlrm(spec: RunSpec, on: Situation) -> Harness:
    """DLRM v1: it insists on an mlperf.conf, hands LoadGen a path for a name, and imports the training code."""
    model, model_mounts = model_at(on)
    dataset, dataset_mounts = dataset_at(on)
    arguments = (
        *("--profile", parameter(on, "profile"), "--model", "dlrm", "--model-path", str(model)),
        *("--dataset", "terabyte", "--dataset-path", str(dataset)),
        *("--mlperf_conf", str(OURS / "mlperf.conf")),
        *_common(spec, on),
        *(("--use-gpu",) if spec.device is Device.CUDA else ()),
    )
    return Harness(
        folder="retired_benchmarks/recommendation/dlrm/pytorch",
        script="python/main.py",
        arguments=arguments,
        copied=True,
        environment=(("DLRM_DIR", parameter(on, "training_code")),),
        mounts=(*model_mounts, *dataset_mounts),
        score=("tools/accuracy-dlrm.py", *_LOG_ARGUMENT),
        corrected=True,
    )


def _common(spec: RunSpec, on: Situation) -> tuple[str, ...]:
    """What the first two versions have in common: samples are groups of user and item, of sizes from a file."""
    return (
        *("--scenario", scenario_word(spec), "--output", str(OUTPUT), "--user_conf", str(USER_CONF)),
        *("--max-ind-range", "40000000", "--max-batchsize", str(spec.knobs.batch_size or on.offer.batch_size)),
        *("--samples-to-aggregate-quantile-file", "./tools/dist_quantile.txt"),
        *(("--samples-per-query-offline", "204800") if spec.scenario is Scenario.OFFLINE else ()),
        *limited(spec, "--count-samples"),
    )


def dlrm_v2(spec: RunSpec, on: Situation) -> Harness:
    """dlrm_v2: it hands LoadGen a path for a name, and looks for the audit file in its output folder."""
    model, model_mounts = model_at(on)
    dataset, dataset_mounts = dataset_at(on)
    cuda = spec.device is Device.CUDA
    arguments = (
        *("--profile", "dlrm-multihot-pytorch", "--model", "dlrm", "--model-path", str(model)),
        *("--dataset", "multihot-criteo", "--dataset-path", str(dataset)),
        *_common(spec, on),
        *(("--use-gpu",) if cuda else ()),
        *old_configuration(on),
    )
    world = str(devices(spec, on)) if cuda else "1"
    return Harness(
        folder="recommendation/dlrm_v2/pytorch",
        script="python/main.py",
        arguments=arguments,
        copied=True,
        environment=(("WORLD_SIZE", world), ("DATA_DIR", str(dataset)), ("MODEL_DIR", str(model))),
        mounts=(*model_mounts, *dataset_mounts),
        score=("tools/accuracy-dlrm.py", *_LOG_ARGUMENT),
        corrected=True,
    )


def dlrm_v3(spec: RunSpec, on: Situation) -> Harness:
    """dlrm_v3: logs and audit file in the working directory; its user.conf stands beside the code."""
    model, model_mounts = model_at(on)
    dataset, dataset_mounts = dataset_at(on)
    arguments = (
        *("--dataset", "sampled-streaming-100b", "--model-path", str(model)),
        *("--dataset-path-prefix", f"{dataset}/", "--scenario-name", scenario_word(spec)),
        *("--batchsize", str(spec.knobs.batch_size or on.offer.batch_size)),
        *(("--target-qps", f"{spec.loadgen.target_qps:g}") if spec.loadgen.target_qps else ()),
    )
    return Harness(
        folder="recommendation/dlrm_v3",
        script="main.py",
        arguments=arguments,
        accuracy=("--compute-eval", "True"),
        environment=(("WORLD_SIZE", str(devices(spec, on))),),
        mounts=(*model_mounts, *dataset_mounts),
        score=("accuracy.py", "--path", _LOG),
        corrected=True,
    )
