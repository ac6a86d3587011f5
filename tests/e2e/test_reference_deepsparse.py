"""Neural Magic's fork of the BERT harness with DeepSparse, from a clone of it, on stand-in model and data.

MLPERF_DEEPSPARSE_CLONE names a clone of github.com/neuralmagic/inference (a work tree or a bare directory); without it
these tests say so and are left out.
"""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path

import pytest

from orchestrator.config.images import image_entries
from tests.e2e import reference_material as material
from tests.e2e.command import call

pytestmark = [pytest.mark.engine, pytest.mark.thorough]


@pytest.fixture(scope="module")
def source(docker_url: str) -> str:
    """The clone at the pinned commit, as `--source` takes it."""
    clone = os.environ.get("MLPERF_DEEPSPARSE_CLONE")
    if not clone:
        pytest.skip("MLPERF_DEEPSPARSE_CLONE names no clone of github.com/neuralmagic/inference")
    (pinned,) = image_entries()["reference-bert-deepsparse"].sources
    return f"{pinned.name}={clone}@{pinned.ref}"


@pytest.mark.parametrize("round_name", ["v4.1", "v6.1"])
def test_the_fork_runs_is_scored_and_audited_and_leaves_the_model_alone(
    source: str, tmp_path: Path, round_name: str
) -> None:
    material.squad(tmp_path / "squad")
    material.vocabulary(tmp_path / "vocabulary")
    model = material.question_answerer()
    (tmp_path / "masons.onnx").write_bytes(model)
    named = ("--model", "bert-99", "--model-path", "masons.onnx", "--model-name", "masons", "--division", "open")
    data = ("--dataset-path", "squad", "--asset", "bert-vocab=vocabulary", "--source", source)
    way = ("--implementation", "reference", "--backend", "deepsparse", "--round", round_name)
    modes = ("--scenario", "all", "--mode", "performance,accuracy,compliance", "--compliance-test", "TEST01")
    called = call(tmp_path, "run", *named, *data, *way, *modes, "--json", timeout_s=1200)
    assert called.code == 0, called.stderr
    seen = set()
    for one in called.document["runs"]:
        folder = Path(one["run_dir"])
        spec = json.loads((folder / "plan.json").read_text())["spec"]
        record = json.loads((folder / "run.json").read_text())
        answers = json.loads((folder / "loadgen" / "mlperf_log_accuracy.json").read_text())
        assert record["verdict"]["clean"], record["verdict"]["reasons"]
        seen.add((spec["scenario"], spec["mode"]))
        assert bool(answers) == (spec["mode"] != "performance")  # kept for the score, and when audited
        if spec["mode"] == "accuracy":
            assert record["accuracy"]["value"] == pytest.approx(material.EXACT_PERCENT)
    assert len(seen) == (9 if round_name == "v4.1" else 6)
    assert sha256((tmp_path / "masons.onnx").read_bytes()).digest() == sha256(model).digest()
