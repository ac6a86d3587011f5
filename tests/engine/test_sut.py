"""The harness in its own images, with the real LoadGen and real runtimes, on tiny models."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.config.images import image_entries
from orchestrator.domain.image import PlannedImage
from orchestrator.host.docker_api import connect
from orchestrator.host.site import detect_site
from orchestrator.images.docker_images import DockerImages
from tests.engine import sut_claims
from tests.engine.sut_claims import SCENARIOS, good, pictures, refused
from tests.engine.sut_runs import Harness

pytestmark = pytest.mark.engine

PROGRAM = ("python", "-m", "orchestrator.sut")
IMAGES = {name: f"generic-{name}" for name in ("onnxruntime", "tflite", "openvino")}


@pytest.fixture(scope="module")  # its containers would keep the images in the engine
def harness(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    """The generic images, each made when first asked for."""
    shared = tmp_path_factory.getbasetemp()
    if "SUT_PYTHON" in os.environ:
        yield Harness(None, str, shared, program=PROGRAM, images=IMAGES)
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
    found = Harness(client, image, shared, program=PROGRAM, images=IMAGES)
    yield found
    found.close()
    client.close()


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
    sut_claims.answered_rightly(harness, tmp_path, backend=backend, model=model, scenario=scenario)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize(("backend", "model"), BACKENDS[:4])
def test_every_backend_is_measured_in_every_scenario(
    harness: Harness, tmp_path: Path, backend: str, model: str, scenario: str
) -> None:
    sut_claims.measured(harness, tmp_path, backend=backend, model=model, scenario=scenario)


@pytest.mark.parametrize(
    ("model", "effective"),
    [("classifier.onnx", 6), ("classifier-static.onnx", 1), ("classifier-by4.onnx", 4), ("classifier-reshape.onnx", 1)],
)
def test_the_report_tells_the_batch_that_the_graph_allows(
    harness: Harness, tmp_path: Path, model: str, effective: int
) -> None:
    sut_claims.batched(harness, tmp_path, backend="onnxruntime", model=model, effective=effective)


def test_a_frozen_tflite_graph_is_resized_to_the_batch(harness: Harness, tmp_path: Path) -> None:
    ended = good(harness.run(tmp_path, backend="tflite", model="classifier.tflite", dataset=pictures(tmp_path)))
    backend = ended.report["backend"]
    assert isinstance(backend, dict)
    assert backend["effective_batch_size"] == 4


def test_pooled_vectors_are_judged_by_their_nearest_neighbours(harness: Harness, tmp_path: Path) -> None:
    sut_claims.judged_by_neighbours(harness, tmp_path)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_null_backend_measures_the_harness_itself(harness: Harness, tmp_path: Path, scenario: str) -> None:
    ended = good(harness.run(tmp_path, backend="null", model=None, scenario=scenario))
    assert ended.report["inputs"] == []


@pytest.mark.parametrize("model", ["classifier.onnx", "encoder.onnx", "scaled.onnx", "table.onnx"])
def test_inputs_are_generated_from_any_graphs_signature(harness: Harness, tmp_path: Path, model: str) -> None:
    ended = good(harness.run(tmp_path, model=model, options={"dim.tokens": "5"}))
    assert ended.report["dataset"] == "generated"


def test_the_bare_loop_prints_the_yardstick(harness: Harness, tmp_path: Path) -> None:
    program, after = ("python", "-m", "orchestrator.sut.bare"), ("--seconds", "0.2", "--json")
    data = pictures(tmp_path)
    sut_claims.yardstick(harness.run(tmp_path, model="classifier.onnx", dataset=data, program=program, after=after))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_model_that_fails_half_way_ends_the_run_on_purpose(harness: Harness, tmp_path: Path, scenario: str) -> None:
    sut_claims.fails_half_way(harness, tmp_path, scenario)


def test_a_full_queue_is_an_error_and_not_a_loss(harness: Harness, tmp_path: Path) -> None:
    sut_claims.overflows(harness, tmp_path)


@pytest.mark.parametrize(
    ("conf", "fragment"),
    [("*.*.min_duration = soon\n", "user.conf"), ("*.*.mode = 1\n", "sets 'mode'")],
)
def test_a_bad_user_conf_is_refused(harness: Harness, tmp_path: Path, conf: str, fragment: str) -> None:
    refused(harness.run(tmp_path, model="classifier.onnx", conf=conf), 2, fragment)


@pytest.mark.parametrize("backend", ["onnxruntime", "tflite", pytest.param("openvino", marks=pytest.mark.slow)])
@pytest.mark.parametrize("content", [b"no model", b""])
def test_a_file_that_is_no_model_is_refused(harness: Harness, tmp_path: Path, backend: str, content: bytes) -> None:
    (tmp_path / "broken.onnx").write_bytes(content)
    refused(harness.run(tmp_path, backend=backend, model=tmp_path / "broken.onnx"), 2, "broken.onnx")


def test_a_missing_model_is_refused(harness: Harness, tmp_path: Path) -> None:
    refused(harness.run(tmp_path, model="none.onnx"), 2, "none.onnx", "no such")


def test_a_data_set_of_another_type_or_shape_is_refused(harness: Harness, tmp_path: Path) -> None:
    sut_claims.refuses_other_signatures(harness, tmp_path)


def test_a_truncated_array_is_refused(harness: Harness, tmp_path: Path) -> None:
    place = pictures(tmp_path)
    (place / "pictures.npy").write_bytes((place / "pictures.npy").read_bytes()[:-9])
    refused(harness.run(tmp_path, model="classifier.onnx", dataset=place), 2, "pictures.npy")


def test_an_unknown_option_names_the_nearest(harness: Harness, tmp_path: Path) -> None:
    ended = harness.run(tmp_path, model="classifier.onnx", options={"alow_spinning": "0"})
    refused(ended, 2, "did you mean 'allow_spinning'")


def test_an_audit_config_in_the_output_folder_is_obeyed(harness: Harness, tmp_path: Path) -> None:
    sut_claims.audited(harness, tmp_path)


def test_big_samples_are_run_in_another_order_and_answered_in_their_own(harness: Harness, tmp_path: Path) -> None:
    sut_claims.reordered(harness, tmp_path)


@pytest.mark.skipif("SUT_PYTHON" in os.environ, reason="about process 1 of a container")
def test_the_harness_as_process_1_ends_when_asked(harness: Harness, tmp_path: Path) -> None:
    sut_claims.ends_when_asked(harness, tmp_path)
