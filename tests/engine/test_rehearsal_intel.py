"""Intel's driver, rehearsed: all phases through the real command, engine and LoadGen; the system answers nothing.

The stand-in refuses whatever Intel does not document. It proves the driver, never Intel's code: that is what
tests/unit/test_intel_published.py holds the commands against.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine.rehearsals import Rehearsed, attempt, refusal, rehearse

pytestmark = [pytest.mark.engine]

WORDS = ("--implementation", "intel", "--scenario", "offline")
ALL = (*WORDS, "--mode", "performance,accuracy,compliance")


@pytest.fixture(scope="module")
def retinanet(docker_url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rehearsed]:
    """RetinaNet of v5.1: performance, accuracy and TEST01."""
    return rehearse(tmp_path_factory.mktemp("intel"), "--model", "retinanet", "--round", "v5.1", *ALL)


def test_performance_accuracy_and_compliance_go_through_every_phase(retinanet: dict[str, Rehearsed]) -> None:
    assert [one.steps for one in retinanet.values()] == [["calibrate", "result"]] * 3


def test_the_logs_come_out_of_the_tree_that_the_harness_leaves(retinanet: dict[str, Rehearsed]) -> None:
    performance, accuracy, compliance = retinanet.values()
    assert list(performance.logs.glob("results/*/retinanet/Offline/performance/run_1"))
    assert (accuracy.logs / "accuracy.txt").read_text() == "mAP=0.000%\n"
    assert list(compliance.logs.glob("compliance/*/retinanet/Offline/TEST01/verify_accuracy.txt"))
    assert (performance.audited, compliance.audited) == (False, True)


def test_everything_says_that_it_is_a_rehearsal_and_nothing_is_submittable(retinanet: dict[str, Rehearsed]) -> None:
    for one in retinanet.values():
        one.check()


def test_the_host_is_left_as_it_is(retinanet: dict[str, Rehearsed]) -> None:
    log = retinanet["performance"].said
    assert "host tuning left out (run_clean.sh would change this machine's settings)" in log
    assert "REHEARSAL REFUSED" not in log


def test_what_the_container_wrote_belongs_to_the_caller(retinanet: dict[str, Rehearsed]) -> None:
    for one in retinanet.values():
        one.check_owner()


def test_test01_without_the_earlier_runs_is_named_with_what_to_do(docker_url: str, tmp_path: Path) -> None:
    alone = attempt(tmp_path, "--model", "retinanet", "--round", "v5.1", *WORDS, "--mode", "compliance")
    assert alone.code == 8
    assert "run modes performance and accuracy first" in alone.stderr + json.dumps(alone.document)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("model", "round_name", "device"),
    [
        ("retinanet", "v4.1", "cpu"),
        ("resnet50", "v5.0", "cpu"),
        ("dlrm-v2-99", "v5.1", "cpu"),
        ("llama3.1-8b", "v5.1", "cpu"),
        ("llama2-70b-99.9", "v5.1", "xpu"),
        ("llama2-70b-99", "v5.0", "hpu"),
    ],
)
def test_every_other_interface_goes_through_all_modes(
    model: str, round_name: str, device: str, docker_url: str, tmp_path: Path
) -> None:
    runs = rehearse(tmp_path, "--model", model, "--round", round_name, "--device", device, *ALL)
    assert runs["compliance"].audited


@pytest.mark.parametrize(
    ("environment", "volumes", "said"),
    [
        ({"BATCH_SIZE": "1"}, {}, "variable BATCH_SIZE=1 is not documented"),
        ({"MODE": "performance"}, {}, "MODE=performance: "),
        ({}, {"/tmp": {"bind": "/results", "mode": "ro"}}, "something is mounted at /results"),
    ],
)
def test_the_stand_in_refuses_what_intel_does_not_document(
    retinanet: dict[str, Rehearsed], docker_url: str, environment: dict[str, str], volumes: dict[str, Any], said: str
) -> None:
    refused = in_the_stand_in(retinanet, docker_url, ["bash", "run_mlperf.sh"], environment, volumes)
    assert f"REHEARSAL REFUSED: {said}" in refused


@pytest.mark.parametrize("command", [["bash", "run_mlperf.sh", "--fast"], ["bash", "run_performance_offline.sh"]])
def test_the_stand_in_refuses_arguments_and_scripts_of_other_images(
    retinanet: dict[str, Rehearsed], docker_url: str, command: list[str]
) -> None:
    assert "REHEARSAL REFUSED" in in_the_stand_in(retinanet, docker_url, command, {}, {})


def in_the_stand_in(
    runs: dict[str, Rehearsed],
    docker_url: str,
    command: list[str],
    environment: dict[str, str],
    volumes: dict[str, Any],
) -> str:
    """What a command says that is run by hand in the image of a rehearsal; it must fail."""
    image = runs["performance"].record["image"]["handle"]
    return refusal(docker_url, image, command, environment, volumes=volumes, user=None)
