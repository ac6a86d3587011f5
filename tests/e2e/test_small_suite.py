"""A whole set of runs on the real engine: judged, sealed, and of the image that was said."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.host.docker_api import connect
from tests.e2e.command import blockers, call, logged, record, sealed
from tests.e2e.conftest import SMALL, FinishedSet

pytestmark = pytest.mark.engine
ACCURACY = {"efficientnet-lite0": ("top1", 18, 20), "minilm-l6-v2": ("nn1", 186, 200)}
ALL = ("Offline", "Server", "SingleStream", "MultiStream")


def test_all_scenarios_and_modes_are_eight_clean_runs(finished: FinishedSet) -> None:
    assert finished.called.code == 0, finished.called.stderr
    assert [(run["scenario"], run["mode"]) for run in finished.runs] == [
        (scenario, mode) for scenario in ALL for mode in ("performance", "accuracy")
    ]
    assert {run["exit_code"] for run in finished.runs} == {0}
    assert len(set(finished.run_dirs)) == 8


def test_every_run_is_sealed_and_sha256sum_agrees(finished: FinishedSet) -> None:
    assert len(finished.run_dirs) == 8
    assert [path.name for path in finished.run_dirs if not sealed(path)] == []


def test_every_figure_stands_in_loadgen_s_own_log(finished: FinishedSet) -> None:
    measured = [run for run in finished.runs if run["mode"] == "performance"]
    assert len(measured) == 4
    for run in measured:
        result = run["result"]
        in_log = logged(Path(run["run_dir"]), result["key"])
        assert result["value"] == pytest.approx(in_log / (1e6 if result["unit"] == "Latency (ms)" else 1.0))
        assert result["value"] > 0


def test_the_accuracy_is_the_published_one_within_one_sample(finished: FinishedSet) -> None:
    found = [run["accuracy"] for run in finished.runs if run["mode"] == "accuracy"]
    assert len(found) == 4
    assert all(each["metric"] == "top1" and each["total"] == 20 for each in found)
    assert all(abs(each["good"] - 17) <= 1 for each in found)


def test_the_recorded_image_is_the_one_the_engine_ran(finished: FinishedSet) -> None:
    client = connect()
    for run, path in zip(finished.runs, finished.run_dirs, strict=True):
        ran = {execution["exit"]["image_id"] for execution in record(path)["executions"]}
        assert ran == {run["image_digest"]}
        assert client.api.inspect_image(run["image_digest"])["Id"] == run["image_digest"]
    client.close()


def test_loadgen_s_seeds_are_the_round_s(finished: FinishedSet) -> None:
    for path in finished.run_dirs:
        found = record(path)["loadgen"]
        assert found["qsl_rng_seed"] == 2085463073848966840
        assert found["schedule_rng_seed"] == 16159082839903944936


def test_a_test_run_is_never_called_judged_or_submittable(finished: FinishedSet) -> None:
    assert {run["verdict"]["standing"] for run in finished.runs} == {"not judged (test)"}
    assert all("a test run is never submittable" in blockers(run) for run in finished.runs)


def test_stdout_is_one_document_and_stderr_has_the_progress(finished: FinishedSet) -> None:
    assert set(finished.called.document) == {"schema_version", "exit_code", "runs"}
    assert finished.called.stdout.startswith("{")
    assert "[8/8] resnet8-cifar10 MultiStream accuracy" in finished.called.stderr
    *_, record_line, next_line = finished.called.stderr.splitlines()
    assert record_line.startswith(f"record: {finished.run_dirs[-1]}")
    assert next_line == f"next: mlperf-docker results show {finished.run_dirs[-1]}"


def test_loadgen_s_progress_reaches_the_person(finished: FinishedSet) -> None:
    assert "of 256 samples" in finished.called.stderr


def test_every_phase_is_timed_in_order(finished: FinishedSet) -> None:
    phases = record(finished.run_dirs[0])["phases"]
    assert [each["phase"] for each in phases] == [
        "image",
        "assets",
        "configure",
        "measure",
        "collect",
        "judge",
        "seal",
    ]
    assert all(each["seconds"] is not None for each in phases)


def test_a_valid_run_is_judged_and_says_why_it_could_not_be_submitted(docker_url: str, tmp_path: Path) -> None:
    valid = ("--mode", "performance", "--execution-mode", "valid", "--min-duration", "1500")
    called = call(tmp_path, *SMALL, *valid, "--json")
    assert called.code in {0, 9}, called.stderr
    (run,) = called.document["runs"]
    assert run["verdict"]["standing"] == {0: "VALID", 9: "INVALID"}[called.code]
    assert "min duration 1500 ms < 600000 ms of the rules" in blockers(run)
    estimate = Path(run["run_dir"]) / "estimate"
    assert (estimate / "mlperf_log_detail.txt").stat().st_size > 0
    assert sealed(Path(run["run_dir"]))


def test_a_run_that_ends_far_too_early_is_invalid_and_says_why(docker_url: str, tmp_path: Path) -> None:
    short = ("--execution-mode", "valid", "--target-qps", "1", "--min-duration", "20000")
    called = call(tmp_path, *SMALL, "--mode", "performance", *short, "--json")
    assert called.code == 9, called.stderr
    (run,) = called.document["runs"]
    assert run["verdict"]["standing"] == "INVALID"
    assert run["verdict"]["loadgen_validity"] == "INVALID"
    assert run["verdict"]["reasons"]
    assert "--target-qps" in called.stderr


def test_each_processor_limit_reaches_the_harness(docker_url: str, tmp_path: Path) -> None:
    called = call(tmp_path, *SMALL, "--mode", "performance", "--threads", "1", "--test-query-count", "20", "--json")
    assert called.code == 0, called.stderr
    (run,) = called.document["runs"]
    harness = (Path(run["run_dir"]) / "loadgen" / "harness.json").read_text()
    assert '"threads": 1,' in harness


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("model", sorted(ACCURACY))
def test_each_model_of_the_small_suite_reaches_its_accuracy(
    docker_url: str, tmp_path: Path, model: str, backend: str
) -> None:
    metric, good, total = ACCURACY[model]
    called = call(tmp_path, "run", "--model", model, "--backend", backend, "--mode", "accuracy", "--json")
    assert called.code == 0, called.stderr
    found = called.document["runs"][0]["accuracy"]
    assert (found["metric"], found["total"]) == (metric, total)
    assert abs(found["good"] - good) <= 1
