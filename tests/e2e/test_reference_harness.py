"""MLCommons' own harnesses, from a clone of theirs, on stand-in models and data: run, scored, audited, told apart.

MLPERF_INFERENCE_CLONE names a clone of github.com/mlcommons/inference (a work tree or a bare directory) that holds the
commit of the default round; without it these tests say so and are left out.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.config.catalog import default_round, load_round
from orchestrator.host.process import run
from tests.e2e import reference_material as material
from tests.e2e.command import Called, call

pytestmark = [pytest.mark.engine, pytest.mark.slow]
FOLDER = Path("loadgen")


@dataclass(frozen=True)
class Ground:
    """A folder of its own, with the stand-ins, and the clone at the round's commit."""

    cwd: Path
    source: str

    def run(self, *arguments: str) -> Called:
        """`mlperf-docker run … --json` with the clone."""
        return call(
            self.cwd,
            "run",
            "--implementation",
            "reference",
            "--source",
            f"inference={self.source}",
            "--json",
            *arguments,
        )

    def vision(self, *arguments: str) -> Called:
        """The classifier of greys, as a model of the user's in the open division."""
        named = ("--model-path", "greys.onnx", "--model-name", "greys", "--division", "open")
        return self.run("--model", "resnet50", "--dataset-path", "imagenet", *named, *arguments)

    def bert(self, *arguments: str, model: str = "masons.onnx") -> Called:
        """The graph that knows one word, in the same way."""
        named = ("--model-path", model, "--model-name", "masons", "--division", "open")
        data = ("--dataset-path", "squad", "--asset", "bert-vocab=vocabulary")
        return self.run("--model", "bert-99", *data, *named, *arguments)


@pytest.fixture(scope="module")
def ground(docker_url: str, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    clone, commit = os.environ.get("MLPERF_INFERENCE_CLONE"), load_round(default_round()).commit
    if not clone:
        pytest.skip("MLPERF_INFERENCE_CLONE names no clone of github.com/mlcommons/inference")
    known = run(("git", "-c", "safe.directory=*", "-C", clone, "cat-file", "-e", f"{commit}^{{commit}}"))
    if not known.ok:
        pytest.skip(f"the clone {clone} does not hold {commit}, the commit of {default_round()}")
    folder = tmp_path_factory.mktemp("reference")
    material.fake_imagenet(folder / "imagenet")
    material.squad(folder / "squad")
    material.vocabulary(folder / "vocabulary")
    (folder / "greys.onnx").write_bytes(material.classifier())
    (folder / "masons.onnx").write_bytes(material.question_answerer())
    return Ground(folder, f"{clone}@{commit}")


def records(called: Called) -> dict[str, tuple[Path, dict[str, Any]]]:
    """Run directory and record of each run, by mode."""
    assert called.code == 0, called.stderr
    found = {}
    for one in called.document["runs"]:
        folder = Path(one["run_dir"])
        plan = json.loads((folder / "plan.json").read_text())
        found[plan["spec"]["mode"]] = (folder, json.loads((folder / "run.json").read_text()))
    return found


def test_the_upstream_vision_harness_runs_and_its_own_script_scores_it(ground: Ground) -> None:
    found = records(ground.vision("--mode", "all"))
    folder, record = found["performance"]
    assert record["result"]["value"] > 0
    assert record["verdict"]["clean"]
    folder, record = found["accuracy"]
    text = (folder / FOLDER / "accuracy.txt").read_text()
    assert f"good={material.RIGHT_PICTURES}, total={material.PICTURES}" in text
    assert record["accuracy"]["value"] == pytest.approx(100 * material.RIGHT_PICTURES / material.PICTURES)
    assert json.loads((folder / FOLDER / "model_mapping.json").read_text()) == {"greys": "resnet"}


def test_the_upstream_bert_harness_runs_and_its_own_script_scores_it(ground: Ground) -> None:
    found = records(ground.bert("--mode", "all"))
    assert found["performance"][1]["verdict"]["clean"]
    folder, record = found["accuracy"]
    scores = json.loads((folder / FOLDER / "accuracy.txt").read_text().strip().splitlines()[-1])
    assert scores["exact_match"] == pytest.approx(material.EXACT_PERCENT)
    assert record["accuracy"]["value"] == pytest.approx(scores["f1"])


def test_a_compliance_run_is_audited_and_the_run_after_it_is_not(ground: Ground) -> None:
    audited, _ = records(ground.vision("--mode", "compliance", "--compliance-test", "TEST01"))["compliance"]
    answers = json.loads((audited / FOLDER / "mlperf_log_accuracy.json").read_text())
    assert len(answers) > 0  # LoadGen keeps answers of a performance run only when it is audited
    plain, _ = records(ground.vision("--mode", "performance"))["performance"]
    assert json.loads((plain / FOLDER / "mlperf_log_accuracy.json").read_text()) == []


def test_a_model_of_another_shape_is_refused_before_loadgen_starts(ground: Ground) -> None:
    called = ground.bert("--mode", "performance", model="greys.onnx")
    assert called.code != 0
    assert "the model does not fit the benchmark" in called.stderr + called.stdout
    assert "no input fits input_ids:int64:?x384" in called.stderr + called.stdout


@pytest.mark.parametrize("scenario", ["SingleStream", "MultiStream", "Server"])
def test_every_scenario_of_the_vision_harness_answers_all_it_is_asked(ground: Ground, scenario: str) -> None:
    _, record = records(ground.vision("--mode", "performance", "--scenario", scenario))["performance"]
    assert record["verdict"]["clean"]
