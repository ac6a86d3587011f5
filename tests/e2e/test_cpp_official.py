"""Models of a round with the C++ harness: MLCommons' own code prepares the data and scores the answers.

On stand-in models and data (tests/e2e/reference_material.py): it shows that the steps fit together, not a figure.
MLPERF_INFERENCE_CLONE names a clone of github.com/mlcommons/inference that holds the commit of the default round;
without it these tests say so and are left out.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from orchestrator.config.catalog import default_round, load_round
from orchestrator.host.process import run
from tests.e2e import reference_material as material
from tests.e2e.command import call

pytestmark = [pytest.mark.engine, pytest.mark.slow]


@pytest.fixture(scope="module")
def source(docker_url: str) -> str:
    """The clone, as `--source` takes it."""
    clone, commit = os.environ.get("MLPERF_INFERENCE_CLONE"), load_round(default_round()).commit
    if not clone:
        pytest.skip("MLPERF_INFERENCE_CLONE names no clone of github.com/mlcommons/inference")
    known = run(("git", "-c", "safe.directory=*", "-C", clone, "cat-file", "-e", f"{commit}^{{commit}}"))
    if not known.ok:
        pytest.skip(f"the clone {clone} does not hold {commit}, the commit of {default_round()}")
    return f"inference={clone}@{commit}"


def accuracy(folder: Path, source: str, *arguments: str) -> tuple[Path, dict[str, Any]]:
    """Folder of the logs and record of one accuracy run."""
    shared = ("--implementation", "cpp", "--source", source, "--scenario", "Offline", "--mode", "accuracy")
    called = call(folder, "run", *shared, "--division", "open", *arguments, "--json")
    assert called.code == 0, called.stderr
    (found,) = called.document["runs"]
    run_dir = Path(found["run_dir"])
    return run_dir / "loadgen", json.loads((run_dir / "run.json").read_text())


def test_questions_are_answered_and_scored_as_by_the_reference(source: str, tmp_path: Path) -> None:
    material.squad(tmp_path / "squad")
    material.vocabulary(tmp_path / "vocabulary")
    (tmp_path / "masons.onnx").write_bytes(material.question_answerer())
    data = ("--dataset-path", "squad", "--asset", "bert-vocab=vocabulary")
    named = ("--model-path", "masons.onnx", "--model-name", "masons")
    logs, record = accuracy(tmp_path, source, "--model", "bert-99", *data, *named)
    scores = json.loads((logs / "accuracy.txt").read_text().strip().splitlines()[-1])
    assert scores["exact_match"] == pytest.approx(material.EXACT_PERCENT)
    assert record["accuracy"]["value"] == pytest.approx(scores["f1"])
    assert json.loads((logs / "model_mapping.json").read_text()) == {"masons": "bert-99"}


def test_pictures_are_classified_and_scored_as_by_the_reference(source: str, tmp_path: Path) -> None:
    material.fake_imagenet(tmp_path / "imagenet")
    (tmp_path / "greys.onnx").write_bytes(material.classifier())
    named = ("--model-path", "greys.onnx", "--model-name", "greys")
    logs, record = accuracy(tmp_path, source, "--model", "resnet50", "--dataset-path", "imagenet", *named)
    assert f"good={material.RIGHT_PICTURES}, total={material.PICTURES}" in (logs / "accuracy.txt").read_text()
    assert record["accuracy"]["value"] == pytest.approx(100 * material.RIGHT_PICTURES / material.PICTURES)
