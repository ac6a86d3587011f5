"""Qualcomm's driver through stand-ins for KILT and the SDKs, on the real engine with the real LoadGen.

The SDK archives are stand-ins that dockerfiles/rehearsal/qualcomm/sdk_archives.py makes; nothing of Qualcomm's is in
them. The programs stand in for KILT; that KILT itself takes what the driver gives it is test_qualcomm_published.py's
claim.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from orchestrator.host.process import run as run_process
from orchestrator.host.shipped import shipped
from tests.e2e.command import call
from tests.engine.rehearsals import Rehearsed, refusal, rehearse

pytestmark = pytest.mark.engine
ALL_MODES = ("--mode", "performance,accuracy,compliance")


@pytest.fixture(scope="module")
def sdks(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The options that name stand-ins for the two archives."""
    program = shipped("dockerfiles") / "rehearsal" / "qualcomm" / "sdk_archives.py"
    done = run_process((sys.executable, str(program), str(tmp_path_factory.mktemp("sdk"))))
    assert done.ok, done.stderr
    options = tuple(done.stdout.split())
    assert len(options) == 4
    return options


def asked(model: str, *more: str) -> tuple[str, ...]:
    """The options of a run of a model."""
    return ("--model", model, "--implementation", "qualcomm", "--round", "v4.1", *more)


@pytest.fixture(scope="module")
def resnet50(docker_url: str, tmp_path_factory: pytest.TempPathFactory, sdks: tuple[str, ...]) -> dict[str, Rehearsed]:
    """ResNet-50: performance, accuracy and TEST01."""
    arguments = asked("resnet50", *sdks, *ALL_MODES, "--compliance-test", "TEST01")
    folder = tmp_path_factory.mktemp("qualcomm")
    return rehearse(folder, *arguments, "--scenario", "Offline", "--set", "devices=0,1")


def test_resnet50_runs_in_every_mode_and_its_model_is_compiled_once(resnet50: dict[str, Rehearsed]) -> None:
    for run in resnet50.values():
        run.check_programs()
    assert "accuracy=76.456%" in (resnet50["accuracy"].logs / "accuracy.txt").read_text()
    assert "8 of 2 cards are ready" in resnet50["performance"].said
    assert "qaic-exec is a stand-in" not in resnet50["compliance"].said, "compiled once"


@pytest.mark.thorough
@pytest.mark.usefixtures("docker_url")
@pytest.mark.parametrize("model", ["bert-99", "bert-99.9", "retinanet"])
def test_every_other_model_runs_in_every_mode(model: str, tmp_path: Path, sdks: tuple[str, ...]) -> None:
    runs = rehearse(tmp_path, *asked(model, *sdks, *ALL_MODES, "--compliance-test", "TEST01", "--scenario", "Offline"))
    for run in runs.values():
        run.check_programs()


@pytest.mark.thorough
@pytest.mark.usefixtures("docker_url")
@pytest.mark.parametrize("scenario", ["SingleStream", "MultiStream"])
def test_streams_take_one_card(scenario: str, tmp_path: Path, sdks: tuple[str, ...]) -> None:
    runs = rehearse(tmp_path, *asked("resnet50", *sdks, "--scenario", scenario, "--mode", "performance"))
    runs["performance"].check_programs()
    assert "of 1 cards are ready" in runs["performance"].said


@pytest.mark.usefixtures("docker_url")
def test_a_missing_archive_is_named_before_anything_starts(tmp_path: Path, sdks: tuple[str, ...]) -> None:
    done = call(tmp_path, "run", "--rehearse", *asked("resnet50", *sdks[:2]))
    assert done.code != 0
    assert "it needs the SDK archive 'qaic-platform'" in done.stderr
    assert "Qualcomm Package Manager" in done.stderr
    assert not list(tmp_path.glob("mlperf-results/runs/*"))


def test_the_stand_ins_refuse_what_is_not_published(docker_url: str, resnet50: dict[str, Rehearsed]) -> None:
    image = str(resnet50["performance"].run["image_digest"])
    kilt, compiler = "/opt/kilt/resnet50/run.out", "/opt/qti-aic/exec/qaic-exec"
    said = {
        "takes no arguments": [kilt, "--scenario=Offline"],
        "-fast is not documented": [compiler, "-model=/etc/hostname", "-fast"],
        "neither calibrates nor compiles": [compiler, "-model=/etc/hostname"],
        "-load-profile /nowhere is not there": [compiler, "-load-profile=/nowhere"],
        "qaic-util": ["/opt/qti-aic/tools/qaic-util", "--reset"],
    }
    for reason, command in said.items():
        assert reason in refusal(docker_url, image, command), reason
    for variable, reason in {
        "kilt_fast_mode": "variable kilt_fast_mode=1 is not documented",
        "kilt_model_seq_length": "variable kilt_model_seq_length=1 is not documented",
        "loadgen_mode": "takes AccuracyOnly, PerformanceOnly",
    }.items():
        assert reason in refusal(docker_url, image, [kilt], {variable: "1"})
    assert "Required environment variable" in refusal(docker_url, image, [kilt])
