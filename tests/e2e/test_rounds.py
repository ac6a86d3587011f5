"""Every round with its own LoadGen: the seeds of its log are the round's, and the harness works with each version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.config.catalog import load_round
from tests.e2e.command import call

pytestmark = [pytest.mark.engine, pytest.mark.slow]


OTHER_ROUNDS = ("v4.1", "v5.0", "v5.1", "v6.0")


def clean_with_the_rounds_loadgen(runs: list[dict[str, Any]], name: str) -> None:
    """Each log is without errors, from the round's LoadGen with the round's seeds."""
    round_ = load_round(name)
    for run in runs:
        assert run["verdict"]["clean"], run["verdict"]["reasons"]
        assert run["loadgen"]["version"].split(" ")[0] == round_.loadgen
        assert run["loadgen"]["qsl_rng_seed"] == round_.seeds.qsl_rng_seed
        assert run["loadgen"]["sample_index_rng_seed"] == round_.seeds.sample_index_rng_seed
        assert run["loadgen"]["schedule_rng_seed"] == round_.seeds.schedule_rng_seed


@pytest.mark.parametrize("name", OTHER_ROUNDS)
def test_a_round_runs_with_its_own_loadgen(tmp_path: Path, name: str) -> None:
    called = call(
        tmp_path, "run", "--model", "resnet8-cifar10", "--round", name, "--scenario", "all", "--mode", "all", "--json"
    )
    assert called.code == 0, called.stderr
    assert len(called.document["runs"]) == 8
    clean_with_the_rounds_loadgen(called.document["runs"], name)


def scored(runs: list[dict[str, Any]]) -> set[float]:
    """The accuracies of those of the runs that have one."""
    return {run["accuracy"]["value"] for run in runs if run["accuracy"] is not None}


@pytest.mark.thorough
@pytest.mark.parametrize("name", OTHER_ROUNDS)
@pytest.mark.parametrize(
    ("model", "implementation", "accuracy"),
    [("efficientnet-lite0", "cpp", 0.9), ("minilm-l6-v2", "cpp", 0.93), ("resnet8-cifar10", "tflite-cpp", 0.85)],
)
def test_the_cpp_harness_runs_over_the_loadgen_sources_of_every_round(
    tmp_path: Path, name: str, model: str, implementation: str, accuracy: float
) -> None:
    named = ("--model", model, "--implementation", implementation, "--round", name)
    called = call(tmp_path, "run", *named, "--scenario", "all", "--mode", "all", "--json", timeout_s=1800)
    assert called.code == 0, called.stderr
    assert len(called.document["runs"]) == 8
    clean_with_the_rounds_loadgen(called.document["runs"], name)
    assert scored(called.document["runs"]) == {pytest.approx(accuracy)}


@pytest.mark.thorough
@pytest.mark.parametrize("name", OTHER_ROUNDS)
@pytest.mark.parametrize(
    ("model", "backend", "scenario"),
    [
        ("efficientnet-lite0", "onnxruntime", "Offline"),
        ("efficientnet-lite0", "openvino", "Offline"),
        ("minilm-l6-v2", "onnxruntime", "Offline"),
        ("minilm-l6-v2", "openvino", "Offline"),
        ("whisper-tiny", "ctranslate2", "Offline"),
        ("smollm2-135m", "ctranslate2", "Server"),
    ],
)
def test_a_model_of_the_small_suite_runs_with_the_loadgen_of_every_round(
    tmp_path: Path, name: str, model: str, backend: str, scenario: str
) -> None:
    named = ("--model", model, "--implementation", "generic", "--backend", backend, "--round", name)
    modes = ("--scenario", scenario, "--mode", "performance,accuracy")
    called = call(tmp_path, "run", *named, *modes, "--json", timeout_s=1800)
    assert called.code == 0, called.stderr
    assert len(called.document["runs"]) == 2
    clean_with_the_rounds_loadgen(called.document["runs"], name)
    assert scored(called.document["runs"])
