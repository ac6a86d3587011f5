"""What the machine lacks: an engine, a GPU, a whole model file; each with its exit code and remedy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.e2e.command import call, run_dirs, sealed
from tests.e2e.conftest import SMALL

NOWHERE = "unix:///nonexistent.sock"


def test_a_missing_engine_is_exit_6_with_a_remedy_and_nothing_is_left(tmp_path: Path) -> None:
    called = call(tmp_path, *SMALL, "--scenario", "all", DOCKER_HOST=NOWHERE)
    assert called.code == 6
    assert called.stderr.splitlines()[0].startswith(f"error: no container engine answers at {NOWHERE}")
    assert "scripts/engine" in called.stderr
    assert "--engine native" in called.stderr
    assert not (tmp_path / "mlperf-results").exists()


@pytest.mark.parametrize("command", [SMALL, ("clean",), ("images", "build", "generic-tflite")])
def test_a_missing_engine_under_json_is_the_one_document(tmp_path: Path, command: tuple[str, ...]) -> None:
    called = call(tmp_path, *command, "--json", DOCKER_HOST=NOWHERE)
    assert called.code == 6
    assert called.document["exit_code"] == 6
    assert NOWHERE in called.document["error"]["cause"]
    assert called.document["error"]["hint"]


def test_bert_on_cuda_lists_everything_that_is_missing(tmp_path: Path) -> None:
    called = call(tmp_path, "run", "--model", "bert-99", "--device", "cuda")
    assert called.code == 3
    assert "cuda-device: no NVIDIA GPU" in called.stderr
    assert "you bring:" in called.stderr
    assert "  -> " in called.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.engine
def test_a_corrupt_model_file_is_exit_4_with_both_hashes_and_nothing_is_deleted(
    docker_url: str, resnet8_model: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    shutil.copytree(resnet8_model.parents[2], cache / "assets")
    model = cache / "assets" / resnet8_model.relative_to(resnet8_model.parents[2])
    good = model.read_bytes()
    model.chmod(0o644)
    model.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    before = {path: path.stat().st_mtime_ns for path in (cache / "assets").rglob("*")}
    called = call(tmp_path, *SMALL, "--mode", "performance", "--json", MLPERF_DOCKER_CACHE=str(cache))
    assert called.code == 4
    failure = called.document["runs"][0]["failure"]
    assert failure["exit_code"] == 4
    assert str(model) in failure["cause"] + failure["hint"]
    assert len([word for word in failure["cause"].split() if len(word.strip("',;:.()")) == 64]) == 2
    assert before == {path: path.stat().st_mtime_ns for path in (cache / "assets").rglob("*")}
    assert all(sealed(path) for path in run_dirs(tmp_path))


@pytest.mark.engine
def test_the_doctor_finds_the_engine_that_answers(docker_url: str, tmp_path: Path) -> None:
    called = call(tmp_path, "doctor", "--json")
    assert called.code in {0, 3}
    good = [finding["text"] for finding in called.document["findings"] if finding["level"] == "ok"]
    assert any(f"answers at {docker_url}" in text for text in good)


def test_the_doctor_says_that_no_engine_answers(tmp_path: Path) -> None:
    called = call(tmp_path, "doctor", "--json", DOCKER_HOST=NOWHERE)
    assert called.code == 3
    found = {finding["name"]: finding for finding in called.document["findings"]}
    assert found["engine"]["level"] == "fault"
    assert found["engine"]["remedy"]
