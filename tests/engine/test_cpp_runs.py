"""The C++ implementations by the real command, on the small suite: every scenario, the published accuracies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import call

pytestmark = pytest.mark.engine

SCENARIOS = ["Offline", "Server", "SingleStream", "MultiStream"]


def runs(folder: Path, model: str, implementation: str, *arguments: str) -> list[dict[str, Any]]:
    """The runs of one command that ended well."""
    called = call(folder, "run", "--model", model, "--implementation", implementation, *arguments, "--json")
    assert called.code == 0, called.stderr
    found: list[dict[str, Any]] = called.document["runs"]
    assert {run["exit_code"] for run in found} == {0}
    return found


@pytest.mark.parametrize(
    ("model", "implementation"), [("efficientnet-lite0", "cpp"), ("resnet8-cifar10", "tflite-cpp")]
)
def test_every_scenario_is_measured(docker_url: str, tmp_path: Path, model: str, implementation: str) -> None:
    short = ("--scenario", "all", "--mode", "performance", "--test-query-count", "24")
    found = runs(tmp_path, model, implementation, *short)
    assert [run["scenario"] for run in found] == SCENARIOS
    assert all(run["result"]["value"] > 0 for run in found)


@pytest.mark.parametrize(
    ("model", "implementation", "accuracy"),
    [
        ("efficientnet-lite0", "cpp", ("top1", 18, 20)),
        ("minilm-l6-v2", "cpp", ("nn1", 186, 200)),
        ("resnet8-cifar10", "tflite-cpp", ("top1", 17, 20)),
    ],
)
def test_the_accuracy_is_that_of_the_python_harness(
    docker_url: str, tmp_path: Path, model: str, implementation: str, accuracy: tuple[str, int, int]
) -> None:
    (run,) = runs(tmp_path, model, implementation, "--scenario", "Offline", "--mode", "accuracy")
    found = run["accuracy"]
    assert (found["metric"], found["good"], found["total"]) == accuracy


def test_the_native_engine_is_refused_before_anything_starts(docker_url: str, tmp_path: Path) -> None:
    called = call(tmp_path, "run", "--model", "efficientnet-lite0", "--implementation", "cpp", "--engine", "native")
    assert called.code != 0
    assert "container image only" in called.stderr
    assert "--implementation generic" in called.stderr
