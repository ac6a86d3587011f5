"""Intel's driver, rehearsed: all phases through the real command, engine and LoadGen; the system answers nothing.

The stand-in refuses whatever Intel does not document. It proves the driver, never Intel's code: that is what
tests/unit/test_intel_published.py holds the commands against.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.host.docker_api import connect
from tests.e2e.command import Called, call

pytestmark = [pytest.mark.engine]

WORDS = ("run", "--implementation", "intel", "--rehearse", "--json", "--scenario", "offline")
ALL = ("--mode", "performance,accuracy,compliance")


def rehearse(cwd: Path, *arguments: str) -> Called:
    """A rehearsal with a cache of its own, so that every phase runs."""
    return call(cwd, *WORDS, *arguments, MLPERF_DOCKER_CACHE=str(cwd / "cache"))


@pytest.fixture(scope="module")
def retinanet(docker_url: str, tmp_path_factory: pytest.TempPathFactory) -> Called:
    """RetinaNet of v5.1: performance, accuracy and TEST01."""
    return rehearse(tmp_path_factory.mktemp("intel"), "--model", "retinanet", "--round", "v5.1", *ALL)


def records(called: Called) -> list[dict[str, Any]]:
    """The records of a command's runs."""
    found = [json.loads((Path(one["run_dir"]) / "run.json").read_text()) for one in called.document["runs"]]
    assert found, called.stderr
    return found


def folders(called: Called) -> list[Path]:
    """Where the results of a command's runs lie."""
    return [Path(one["run_dir"]) / "loadgen" for one in called.document["runs"]]


def test_performance_accuracy_and_compliance_go_through_every_phase(retinanet: Called) -> None:
    assert retinanet.code == 0, retinanet.stderr
    assert [[step["name"] for step in one["executions"]] for one in records(retinanet)] == [["calibrate", "result"]] * 3


def test_the_logs_come_out_of_the_tree_that_the_harness_leaves(retinanet: Called) -> None:
    performance, accuracy, compliance = folders(retinanet)
    for folder in (performance, accuracy, compliance):
        assert (folder / "mlperf_log_detail.txt").is_file()
    assert list(performance.glob("results/*/retinanet/Offline/performance/run_1"))
    assert (accuracy / "accuracy.txt").read_text() == "mAP=0.000%\n"
    assert list(compliance.glob("compliance/*/retinanet/Offline/TEST01/verify_accuracy.txt"))
    assert "Found Audit Config file" in (compliance / "mlperf_log_detail.txt").read_text()
    assert "Found Audit Config file" not in (performance / "mlperf_log_detail.txt").read_text()


def test_everything_says_that_it_is_a_rehearsal_and_nothing_is_submittable(retinanet: Called) -> None:
    for one in retinanet.document["runs"]:
        text = (Path(one["run_dir"]) / "run.json").read_text()
        assert "REHEARSAL" in text
        assert "a rehearsal measures a stand-in, not the vendor's software" in text


def test_the_host_is_left_as_it_is(retinanet: Called) -> None:
    log = (Path(retinanet.document["runs"][0]["run_dir"]) / "run.log").read_text()
    assert "host tuning left out (run_clean.sh would change this machine's settings)" in log
    assert "REHEARSAL REFUSED" not in log


def test_what_the_container_wrote_belongs_to_the_caller(retinanet: Called) -> None:
    for folder in folders(retinanet):
        written = [path for path in folder.rglob("*") if path.is_file()]
        assert written
        assert {path.stat().st_uid for path in written} == {folder.parent.stat().st_uid}


def test_test01_without_the_earlier_runs_is_named_with_what_to_do(docker_url: str, tmp_path: Path) -> None:
    alone = rehearse(tmp_path, "--model", "retinanet", "--round", "v5.1", "--mode", "compliance")
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
    done = rehearse(tmp_path, "--model", model, "--round", round_name, "--device", device, *ALL)
    assert done.code == 0, done.stderr
    *_, compliance = folders(done)
    assert "Found Audit Config file" in (compliance / "mlperf_log_detail.txt").read_text()


@pytest.mark.parametrize(
    ("environment", "volumes", "said"),
    [
        ({"BATCH_SIZE": "1"}, {}, "variable BATCH_SIZE=1 is not documented"),
        ({"MODE": "performance"}, {}, "MODE=performance: "),
        ({}, {"/tmp": {"bind": "/results", "mode": "ro"}}, "something is mounted at /results"),
    ],
)
def test_the_stand_in_refuses_what_intel_does_not_document(
    retinanet: Called, docker_url: str, environment: dict[str, str], volumes: dict[str, Any], said: str
) -> None:
    refused = in_the_stand_in(retinanet, docker_url, ["bash", "run_mlperf.sh"], environment, volumes)
    assert f"REHEARSAL REFUSED: {said}" in refused


@pytest.mark.parametrize("command", [["bash", "run_mlperf.sh", "--fast"], ["bash", "run_performance_offline.sh"]])
def test_the_stand_in_refuses_arguments_and_scripts_of_other_images(
    retinanet: Called, docker_url: str, command: list[str]
) -> None:
    assert "REHEARSAL REFUSED" in in_the_stand_in(retinanet, docker_url, command, {}, {})


def in_the_stand_in(
    called: Called, docker_url: str, command: list[str], environment: dict[str, str], volumes: dict[str, Any]
) -> str:
    """What a command says that is run by hand in the image of a rehearsal; it must fail."""
    from docker.errors import ContainerError

    with pytest.raises(ContainerError) as failed:
        connect(docker_url).containers.run(
            records(called)[0]["image"]["handle"],
            command,
            environment=environment,
            volumes=volumes,
            network_mode="none",
            remove=True,
        )
    return str(failed.value)
