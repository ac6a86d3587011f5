"""The harness in its own images, with the real LoadGen and real runtimes, on tiny models."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.config.images import image_entries
from orchestrator.domain.image import PlannedImage
from orchestrator.host.docker_api import connect
from orchestrator.host.site import detect_site
from orchestrator.images.docker_images import DockerImages
from tests.engine.sut_runs import CONF, Ended, Harness, a_dataset

pytestmark = pytest.mark.engine

SCENARIOS = ("Offline", "Server", "SingleStream", "MultiStream")
CLASSES = (0, 1, 2, 2, 1, 0, 0, 1, 2)
LABELS = (0, 1, 2, 2, 1, 0, 0, 1, 0)  # the last one is wrong: 8 of 9


@pytest.fixture(scope="session")
def harness(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    """The generic images, each made when first asked for."""
    if "SUT_PYTHON" in os.environ:
        yield Harness(None, str)
        return
    url = request.getfixturevalue("docker_url")
    images = DockerImages(image_entries(), url=url, site=detect_site(), cache=tmp_path_factory.mktemp("images"))
    made: dict[str, str] = {}

    def image(name: str) -> str:
        if name not in made:
            recipe = images.plan(name, round_name="v6.1", platform="linux/amd64")
            wanted = PlannedImage(entry=name, round="v6.1", platform="linux/amd64", recipe=recipe)
            made[name] = images.ensure(wanted, log=lambda _: None, say=lambda _: None).handle
        return made[name]

    client = connect(url)
    yield Harness(client, image)
    client.close()


def pictures(folder: Path, **changes: object) -> Path:
    """Nine samples of four numbers; the biggest tells the class."""
    values = [float(place == kind) + 0.1 * place for kind in CLASSES for place in range(4)]
    settings = {"labels": LABELS, "metric": "top1", **changes}
    return a_dataset(folder, inputs={"pictures": ("<f4", (len(CLASSES), 4), values)}, **settings)  # type: ignore[arg-type]


def texts(folder: Path) -> Path:
    """Six token sequences; without the mask the nearest neighbours would be others."""
    ids = [1, 1, 3, 1, 3, 3, 1, 1, 1, 2, 2, 3, 2, 3, 3, 2, 2, 2]
    mask = [1, 1, 0, 1, 0, 0, 1, 1, 1, 1, 1, 0, 1, 0, 0, 1, 1, 1]
    kinds = {"input_ids": ids, "attention_mask": mask}
    return a_dataset(
        folder,
        inputs={name: ("<i8", (6, 3), values) for name, values in kinds.items()},
        labels=(0, 0, 0, 1, 1, 1),
        metric="nn1",
        response="mean_pool",
    )


def good(ended: Ended) -> Ended:
    """The same, once it is sure that the harness was content."""
    assert ended.code == 0, ended.stderr
    assert not ended.errors
    return ended


def refused(ended: Ended, code: int, *fragments: str) -> None:
    """The harness said what is wrong in one line, and left no report and no traceback."""
    assert ended.code == code, ended.stderr
    assert len(ended.errors) == 1
    assert all(fragment in ended.errors[0] for fragment in fragments), ended.errors[0]
    assert "Traceback" not in ended.stderr
    assert not (ended.folder / "report.json").exists()
    assert not list(ended.folder.glob("core*"))


BACKENDS = (
    ("onnxruntime", "classifier.onnx"),
    ("onnxruntime", "classifier-static.onnx"),
    ("tflite", "classifier.tflite"),
    pytest.param("openvino", "classifier.onnx", marks=pytest.mark.slow),
    pytest.param("openvino", "classifier.tflite", marks=pytest.mark.slow),
)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize(("backend", "model"), BACKENDS)
def test_every_backend_answers_every_scenario_rightly(
    harness: Harness, tmp_path: Path, backend: str, model: str, scenario: str
) -> None:
    ended = good(
        harness.run(
            tmp_path,
            backend=backend,
            model=model,
            dataset=pictures(tmp_path),
            scenario=scenario,
            mode="accuracy",
            workers=2,
            performance_sample_count=9,
        )
    )
    log = (ended.folder / "mlperf_log_accuracy.json").read_bytes()
    digest = hashlib.sha256(log).hexdigest()
    assert ended.report["accuracy"] == {
        "metric": "top1",
        "value": 8 / 9,
        "good": 8,
        "total": 9,
        "log_sha256": digest,
    }
    assert (ended.folder / "accuracy.txt").read_text() == f"accuracy=88.889%, good=8, total=9\nhash={digest}\n"
    answers = {entry["qsl_idx"]: entry["data"] for entry in json.loads(log)}
    assert answers == {place: f"{kind:02X}000000" for place, kind in enumerate(CLASSES)}


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize(("backend", "model"), BACKENDS[:4])
def test_every_backend_is_measured_in_every_scenario(
    harness: Harness, tmp_path: Path, backend: str, model: str, scenario: str
) -> None:
    ended = good(
        harness.run(tmp_path, backend=backend, model=model, dataset=pictures(tmp_path), scenario=scenario, workers=2)
    )
    assert ended.logged("effective_scenario") == [scenario]
    assert ended.logged("qsl_reported_performance_count") == [8]
    assert len(ended.logged("effective_qsl_rng_seed")) == 1
    assert ended.logged("effective_qsl_rng_seed") != [0]
    assert ended.report["qsl"] == {"total": 9, "performance": 8}
    responses = ended.report["responses"]
    assert isinstance(responses, dict)
    assert responses["issued"] == responses["completed"] >= 20
    assert ended.report["accuracy"] is None
    assert f"progress completed={responses['completed']} issued={responses['issued']}" in ended.stdout


@pytest.mark.parametrize(
    ("model", "effective"),
    [("classifier.onnx", 6), ("classifier-static.onnx", 1), ("classifier-by4.onnx", 4), ("classifier-reshape.onnx", 1)],
)
def test_the_report_tells_the_batch_that_the_graph_allows(
    harness: Harness, tmp_path: Path, model: str, effective: int
) -> None:
    ended = good(harness.run(tmp_path, model=model, dataset=pictures(tmp_path), mode="accuracy", batch_size=6))
    backend = ended.report["backend"]
    accuracy = ended.report["accuracy"]
    assert isinstance(backend, dict)
    assert isinstance(accuracy, dict)
    assert (backend["batch_size"], backend["effective_batch_size"], accuracy["good"]) == (6, effective, 8)


def test_a_frozen_tflite_graph_is_resized_to_the_batch(harness: Harness, tmp_path: Path) -> None:
    ended = good(harness.run(tmp_path, backend="tflite", model="classifier.tflite", dataset=pictures(tmp_path)))
    backend = ended.report["backend"]
    assert isinstance(backend, dict)
    assert backend["effective_batch_size"] == 4


def test_pooled_vectors_are_judged_by_their_nearest_neighbours(harness: Harness, tmp_path: Path) -> None:
    ended = good(harness.run(tmp_path, model="encoder.onnx", dataset=texts(tmp_path), mode="accuracy"))
    accuracy = ended.report["accuracy"]
    assert isinstance(accuracy, dict)
    assert (accuracy["metric"], accuracy["good"], accuracy["total"]) == ("nn1", 6, 6)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_null_backend_measures_the_harness_itself(harness: Harness, tmp_path: Path, scenario: str) -> None:
    ended = good(harness.run(tmp_path, backend="null", model=None, scenario=scenario))
    assert ended.report["inputs"] == []


@pytest.mark.parametrize("model", ["classifier.onnx", "encoder.onnx", "scaled.onnx", "table.onnx"])
def test_inputs_are_generated_from_any_graphs_signature(harness: Harness, tmp_path: Path, model: str) -> None:
    ended = good(harness.run(tmp_path, model=model, options={"dim.tokens": "5"}))
    assert ended.report["dataset"] == "generated"


def test_the_bare_loop_prints_the_yardstick(harness: Harness, tmp_path: Path) -> None:
    program = ("orchestrator.sut.bare", "--seconds", "0.2", "--json")
    ended = harness.run(tmp_path, model="classifier.onnx", dataset=pictures(tmp_path), program=program)
    assert ended.code == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["batch"] == 4
    assert found["samples_per_s"] > 0
    assert found["p90_ns"] > 0


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_model_that_fails_half_way_ends_the_run_on_purpose(harness: Harness, tmp_path: Path, scenario: str) -> None:
    ids = a_dataset(tmp_path, inputs={"ids": ("<i8", (8,), [0, 1, 2, 3, 99, 0, 1, 2])})
    refused(harness.run(tmp_path, model="table.onnx", dataset=ids, scenario=scenario), 1, "99")


def test_a_full_queue_is_an_error_and_not_a_loss(harness: Harness, tmp_path: Path) -> None:
    conf = "*.*.min_duration = 0\n*.*.min_query_count = 200000\n*.Server.target_qps = 1000000\n"
    ended = harness.run(
        tmp_path, model="classifier.onnx", dataset=pictures(tmp_path), conf=conf, scenario="Server", queue_depth=2
    )
    refused(ended, 1, "queue overflow", "target_qps", "queue_depth")


@pytest.mark.parametrize(
    ("conf", "fragment"),
    [("*.*.min_duration = soon\n", "user.conf"), ("*.*.mode = 1\n", "sets 'mode'")],
)
def test_a_bad_user_conf_is_refused(harness: Harness, tmp_path: Path, conf: str, fragment: str) -> None:
    refused(harness.run(tmp_path, model="classifier.onnx", conf=conf), 2, fragment)


@pytest.mark.parametrize("backend", ["onnxruntime", "tflite", pytest.param("openvino", marks=pytest.mark.slow)])
@pytest.mark.parametrize("content", [b"no model", b""])
def test_a_file_that_is_no_model_is_refused(harness: Harness, tmp_path: Path, backend: str, content: bytes) -> None:
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "broken.onnx").write_bytes(content)
    refused(harness.run(tmp_path, backend=backend, model="../dataset/broken.onnx"), 2, "broken.onnx")


def test_a_missing_model_is_refused(harness: Harness, tmp_path: Path) -> None:
    refused(harness.run(tmp_path, model="none.onnx"), 2, "none.onnx", "no such")


def test_a_data_set_of_another_type_or_shape_is_refused(harness: Harness, tmp_path: Path) -> None:
    whole = a_dataset(tmp_path, inputs={"x": ("<i8", (8, 4), [0] * 32)})
    refused(harness.run(tmp_path, model="classifier.onnx", dataset=whole), 2, "int64", "float32")
    narrow = a_dataset(tmp_path, inputs={"x": ("<f4", (8, 3), [0] * 24)})
    refused(harness.run(tmp_path, model="classifier.onnx", dataset=narrow), 2, "[3]", "[4]")


def test_a_truncated_array_is_refused(harness: Harness, tmp_path: Path) -> None:
    place = pictures(tmp_path)
    (place / "pictures.npy").write_bytes((place / "pictures.npy").read_bytes()[:-9])
    refused(harness.run(tmp_path, model="classifier.onnx", dataset=place), 2, "pictures.npy")


def test_an_unknown_option_names_the_nearest(harness: Harness, tmp_path: Path) -> None:
    ended = harness.run(tmp_path, model="classifier.onnx", options={"alow_spinning": "0"})
    refused(ended, 2, "did you mean 'allow_spinning'")


def test_an_audit_config_in_the_output_folder_is_obeyed(harness: Harness, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "audit.config").write_text(
        "*.*.accuracy_log_rng_seed = 7\n*.*.accuracy_log_sampling_target = 4\n"
    )
    ended = good(harness.run(tmp_path, model="classifier.onnx", dataset=pictures(tmp_path), conf=CONF))
    assert ended.logged("effective_accuracy_log_rng_seed") == [7]
    assert json.loads((ended.folder / "mlperf_log_accuracy.json").read_text())


def test_big_samples_are_run_in_another_order_and_answered_in_their_own(harness: Harness, tmp_path: Path) -> None:
    """Offline puts neighbours in RAM together; LoadGen's log (as an audit asks for it) tells whose answer is whose."""
    tokens, kinds = 8192, (1, 2, 1, 1, 2, 2)
    ids = [kind for kind in kinds for _ in range(tokens)]
    place = a_dataset(
        tmp_path,
        inputs={
            "input_ids": ("<i8", (len(kinds), tokens), ids),
            "attention_mask": ("<i8", (len(kinds), tokens), [1] * len(ids)),
        },
        response="mean_pool",
    )
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "audit.config").write_text("*.*.accuracy_log_sampling_target = 1000\n")
    ended = good(harness.run(tmp_path, model="encoder.onnx", dataset=place, workers=2))
    entries = json.loads((ended.folder / "mlperf_log_accuracy.json").read_text())
    assert len(entries) >= 20
    assert len({entry["qsl_idx"] for entry in entries}) > 1
    answers = {1: "0000803F00000000", 2: "000000000000803F"}  # (1, 0) and (0, 1) as float32
    assert all(entry["data"] == answers[kinds[entry["qsl_idx"]]] for entry in entries)


@pytest.mark.skipif("SUT_PYTHON" in os.environ, reason="about process 1 of a container")
def test_the_harness_as_process_1_ends_when_asked(harness: Harness, tmp_path: Path) -> None:
    conf = "*.*.min_duration = 60000\n*.*.min_query_count = 1\n"
    code, stderr, seconds = harness.ended_by_sigterm(tmp_path, model="classifier.onnx", conf=conf, scenario="Server")
    assert code == 143
    assert "error: ended by SIGTERM" in stderr
    assert seconds < 5
