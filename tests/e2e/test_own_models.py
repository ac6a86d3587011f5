"""A model file of the user's own: inputs made from its signature, performance only, its hash on the record."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from orchestrator.host.files import sha256_file
from tests.e2e.command import call, record, sealed
from tests.tiny_graphs import rectifier

pytestmark = pytest.mark.engine


def test_an_onnx_file_is_measured_and_recorded_by_hash(docker_url: str, tmp_path: Path) -> None:
    (tmp_path / "tiny.onnx").write_bytes(rectifier())
    called = call(tmp_path, "run", "--model-path", "tiny.onnx", "--scenario", "Offline,SingleStream", "--json")
    assert called.code == 0, called.stderr
    assert [(run["scenario"], run["mode"]) for run in called.document["runs"]] == [
        ("Offline", "performance"),
        ("SingleStream", "performance"),
    ]
    for run in called.document["runs"]:
        assert run["model"] == "tiny"
        assert run["result"]["value"] > 0
        directory = Path(run["run_dir"])
        hashes = {file["sha256"] for asset in record(directory)["assets"] for file in asset["files"]}
        assert hashes == {hashlib.sha256(rectifier()).hexdigest()}
        assert sealed(directory)


def test_a_tflite_file_is_measured_without_accuracy(docker_url: str, resnet8_model: Path, tmp_path: Path) -> None:
    shutil.copy(resnet8_model, tmp_path / "mine.tflite")
    called = call(tmp_path, "run", "--model-path", "mine.tflite", "--test-query-count", "20", "--json")
    assert called.code == 0, called.stderr
    (run,) = called.document["runs"]
    assert (run["mode"], run["accuracy"], run["backend"]) == ("performance", None, "tflite")
    assert record(Path(run["run_dir"]))["assets"][0]["files"][0]["sha256"] == sha256_file(resnet8_model)


def test_no_accuracy_is_measured_on_generated_inputs(docker_url: str, tmp_path: Path) -> None:
    (tmp_path / "tiny.onnx").write_bytes(rectifier())
    called = call(tmp_path, "run", "--model-path", "tiny.onnx", "--mode", "accuracy")
    assert called.code == 2
    assert "generated inputs has no accuracy" in called.stderr


def test_the_plan_says_that_inputs_are_generated(tmp_path: Path) -> None:
    (tmp_path / "tiny.onnx").write_bytes(rectifier())
    called = call(tmp_path, "run", "--model-path", "tiny.onnx", "--dry-run", "--json")
    harness = dict(called.document["plans"][0]["executions"][0]["harness"])
    assert harness["dataset"] is None
    assert harness["generated_samples"] == 64


@pytest.mark.parametrize("name", ["garbage.onnx", "garbage.tflite"])
def test_a_file_that_is_no_model_is_exit_8_with_the_harness_s_own_line(
    docker_url: str, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text("garbage")
    called = call(tmp_path, "run", "--model-path", name)
    assert called.code == 8
    errors = [line for line in called.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert f"/model/{name}" in errors[0]
    assert "run.log" in called.stderr


def test_a_file_that_no_backend_reads_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_text("")
    called = call(tmp_path, "run", "--model-path", "model.pkl")
    assert called.code == 2
    assert ".onnx, .pt, .pt2, .tflite" in called.stderr
