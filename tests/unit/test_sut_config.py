"""harness.json is read strictly: every fault is one line that names the file and the key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.sut.config import Mode, Scenario, read_harness
from orchestrator.sut.faults import BAD_INPUT, SutError

GOOD: dict[str, object] = {
    "schema_version": 1,
    "backend": "tflite",
    "model": "/model/m.tflite",
    "dataset": "/dataset",
    "generated_samples": None,
    "scenario": "Offline",
    "mode": "performance",
    "loadgen_model": "tiny",
    "user_conf": "/out/user.conf",
    "output": "/out",
    "threads": 2,
    "batch_size": 8,
    "workers": 2,
    "queue_depth": 16,
    "performance_sample_count": 20,
    "options": {"xnnpack": "1"},
}


def written(folder: Path, content: object) -> Path:
    path = folder / "harness.json"
    path.write_text(json.dumps(content))
    return path


def test_a_good_file_is_read_as_it_stands(tmp_path: Path) -> None:
    harness = read_harness(written(tmp_path, GOOD))
    assert (harness.scenario, harness.mode, harness.batch_size) == (Scenario.OFFLINE, Mode.PERFORMANCE, 8)
    assert harness.options == {"xnnpack": "1"}
    assert harness.model == Path("/model/m.tflite")


@pytest.mark.parametrize("scenario", ["SingleStream", "MultiStream"])
def test_one_query_at_a_time_gets_all_the_threads(tmp_path: Path, scenario: str) -> None:
    assert read_harness(written(tmp_path, {**GOOD, "scenario": scenario})).lanes == 1
    assert read_harness(written(tmp_path, GOOD)).lanes == 2


@pytest.mark.parametrize("key", sorted(GOOD))
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    path = written(tmp_path, {name: value for name, value in GOOD.items() if name != key})
    with pytest.raises(SutError, match=f"missing key '{key}'") as caught:
        read_harness(path)
    assert caught.value.exit_code == BAD_INPUT
    assert str(path) in str(caught.value)


def test_an_unknown_key_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(SutError, match="unknown key 'bakend'; did you mean 'backend'"):
        read_harness(written(tmp_path, {**GOOD, "bakend": "tflite"}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("schema_version", 2),
        ("backend", "torch"),
        ("scenario", "Interactive"),
        ("mode", "compliance"),
        ("threads", 0),
        ("threads", True),
        ("threads", 1.5),
        ("batch_size", "8"),
        ("queue_depth", None),
        ("model", ""),
        ("model", None),
        ("model", 3),
        ("output", None),
        ("options", {"a": 1}),
        ("options", []),
        ("dataset", None),
        ("generated_samples", 4),
    ],
)
def test_a_bad_value_names_its_key(tmp_path: Path, key: str, value: object) -> None:
    with pytest.raises(SutError, match=key) as caught:
        read_harness(written(tmp_path, {**GOOD, key: value}))
    assert caught.value.exit_code == BAD_INPUT
    assert "\n" not in str(caught.value)


def test_accuracy_needs_labels_that_generated_inputs_lack(tmp_path: Path) -> None:
    changes = {"dataset": None, "generated_samples": 8, "mode": "accuracy"}
    with pytest.raises(SutError, match="generated inputs have no labels"):
        read_harness(written(tmp_path, {**GOOD, **changes}))


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "\x00"])
def test_a_file_that_is_no_object_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "harness.json"
    path.write_text(text)
    with pytest.raises(SutError, match=r"harness\.json"):
        read_harness(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SutError, match="No such file"):
        read_harness(tmp_path / "harness.json")
