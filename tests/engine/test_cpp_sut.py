"""The C++ harness in its own images, with LoadGen's C++ sources and real runtimes, on tiny models."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.config.images import image_entries
from orchestrator.domain.image import PlannedImage
from orchestrator.host.docker_api import connect
from orchestrator.host.site import detect_site
from orchestrator.images.docker_images import DockerImages
from tests.engine import sut_claims
from tests.engine.sut_claims import SCENARIOS, good, pictures, refused
from tests.engine.sut_runs import Harness, a_dataset
from tests.tiny_graphs import question_answering

pytestmark = pytest.mark.engine

BACKENDS = (("onnxruntime", "classifier.onnx"), ("tflite", "classifier.tflite"))
IMAGES = {"onnxruntime": "cpp", "tflite": "tflite-cpp"}
MEGABYTE = 1_000_000


@pytest.fixture(scope="session")
def images(docker_url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, int]]:
    """Both images, built once, or found by their identity: the engine's id, and the size above the base."""
    held = DockerImages(image_entries(), url=docker_url, site=detect_site(), cache=tmp_path_factory.mktemp("images"))
    made = {}
    for name in ("cpp", "tflite-cpp"):
        recipe = held.recipe(name, round_name="v6.1", platform="linux/amd64")
        wanted = PlannedImage(entry=name, round="v6.1", platform="linux/amd64", recipe=recipe.hash)
        ready = held.ensure(wanted, log=lambda _: None, say=lambda _: None)
        assert ready.size_bytes is not None
        assert ready.base_size_bytes is not None
        made[name] = (ready.handle, ready.size_bytes - ready.base_size_bytes)
    return made


@pytest.fixture(scope="module")  # its containers would keep the images in the engine
def harness(
    docker_url: str, images: dict[str, tuple[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Harness]:
    """The program in both images."""
    client = connect(docker_url)
    found = Harness(
        client,
        lambda name: images[name][0],
        tmp_path_factory.getbasetemp(),
        program=("mlperf-sut",),
        images=IMAGES,
    )
    yield found
    found.close()
    client.close()


# -- the images


@pytest.mark.parametrize(("name", "limit_bytes"), [("cpp", 35 * MEGABYTE), ("tflite-cpp", 10 * MEGABYTE)])
def test_the_image_is_small_and_holds_no_compiler(
    harness: Harness, images: dict[str, tuple[str, int]], name: str, limit_bytes: int
) -> None:
    assert images[name][1] <= limit_bytes
    tools = ("gcc", "cc", "c++", "g++", "cpp", "ld", "as", "make", "cmake", "ninja", "clang", "npm", "node", "pip")
    look = (
        "for tool; do command -v $tool; done; find / -xdev \\( -name 'cc1*' -o -name '*.hpp' -o -name '*.a' \\) -print"
    )
    _, found = harness.shell(name, "/bin/sh", "-c", look, "look", *tools)
    assert found == ""
    _, there = harness.shell(name, "/bin/sh", "-c", look, "look", "mlperf-sut")
    assert there == "/opt/mlperf-docker/bin/mlperf-sut\n"


@pytest.mark.parametrize("name", ["cpp", "tflite-cpp"])
def test_the_image_says_what_it_was_built_from(harness: Harness, name: str) -> None:
    _, said = harness.shell(name, "cat", "/opt/mlperf-docker/versions.txt")
    assert "LoadGen 6.0.17" in said
    assert "mlcommons-loadgen==6.0.17" in said
    assert "g++-12=" in said
    assert "libc6=" in said


def test_seeds_of_another_round_are_refused(harness: Harness, tmp_path: Path) -> None:
    seeds = Path("dockerfiles/generic/seeds")
    (tmp_path / "right.json").write_text((seeds / "v6.1.json").read_text())
    (tmp_path / "wrong.json").write_text((seeds / "v6.0.json").read_text())
    assert harness.call(tmp_path, "cpp", "--check-seeds", str(tmp_path / "right.json")).code == 0
    refused(
        harness.call(tmp_path, "cpp", "--check-seeds", str(tmp_path / "wrong.json")), 1, "seeds", "2085463073848966840"
    )


# -- what is measured


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize(("backend", "model"), BACKENDS)
def test_every_scenario_is_answered_rightly(
    harness: Harness, tmp_path: Path, backend: str, model: str, scenario: str
) -> None:
    sut_claims.answered_rightly(harness, tmp_path, backend=backend, model=model, scenario=scenario)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize(("backend", "model"), [*BACKENDS, ("null", None)])
def test_every_scenario_is_measured(
    harness: Harness, tmp_path: Path, backend: str, model: str | None, scenario: str
) -> None:
    ended = sut_claims.measured(harness, tmp_path, backend=backend, model=model, scenario=scenario)
    assert ended.logged("sut_name") == ["mlperf-docker-cpp"]


@pytest.mark.parametrize(
    ("backend", "model", "effective"),
    [
        ("onnxruntime", "classifier.onnx", 6),
        ("onnxruntime", "classifier-static.onnx", 1),
        ("onnxruntime", "classifier-by4.onnx", 4),
        ("onnxruntime", "classifier-reshape.onnx", 1),
        ("tflite", "classifier.tflite", 6),
    ],
)
def test_the_report_tells_the_batch_that_the_graph_allows(
    harness: Harness, tmp_path: Path, backend: str, model: str, effective: int
) -> None:
    sut_claims.batched(harness, tmp_path, backend=backend, model=model, effective=effective)


def test_pooled_vectors_are_judged_by_their_nearest_neighbours(harness: Harness, tmp_path: Path) -> None:
    sut_claims.judged_by_neighbours(harness, tmp_path)


@pytest.mark.parametrize("scenario", ["Offline", "SingleStream"])
def test_start_and_end_logits_lie_side_by_side_as_the_official_script_reads_them(
    harness: Harness, tmp_path: Path, scenario: str
) -> None:
    samples, tokens = 5, 3
    ids = list(range(samples * tokens))
    mask = [place % 2 for place in ids]
    segments = [100] * len(ids)
    columns = {"input_ids": ids, "input_mask": mask, "segment_ids": segments}
    inputs: dict[str, Any] = {name: ("<i8", (samples, tokens), values) for name, values in columns.items()}
    place = a_dataset(tmp_path, inputs=inputs, response="stacked")
    (tmp_path / "qa.onnx").write_bytes(question_answering(tokens))
    settings: dict[str, Any] = {"scenario": scenario, "mode": "accuracy", "performance_sample_count": samples}
    ended = good(harness.run(tmp_path, model=tmp_path / "qa.onnx", dataset=place, **settings))
    assert ended.report["accuracy"] is None
    entries = json.loads((ended.folder / "mlperf_log_accuracy.json").read_text())
    assert len(entries) == samples
    for entry in entries:
        first = entry["qsl_idx"] * tokens
        pairs = [(float(each * (each % 2)), float(each + 100)) for each in range(first, first + tokens)]
        found = struct.unpack(f"<{2 * tokens}f", bytes.fromhex(entry["data"]))
        assert list(zip(found[::2], found[1::2], strict=True)) == pairs


@pytest.mark.parametrize("model", ["classifier.onnx", "encoder.onnx", "scaled.onnx", "table.onnx"])
def test_inputs_are_generated_from_any_graphs_signature(harness: Harness, tmp_path: Path, model: str) -> None:
    ended = good(harness.run(tmp_path, model=model, options={"dim.tokens": "5"}))
    assert ended.report["dataset"] == "generated"


def test_the_bare_loop_prints_the_yardstick(harness: Harness, tmp_path: Path) -> None:
    after = ("--seconds", "0.2", "--json")
    data = pictures(tmp_path)
    sut_claims.yardstick(harness.run(tmp_path, model="classifier.onnx", dataset=data, before=("--bare",), after=after))


def test_an_audit_config_in_the_output_folder_is_obeyed(harness: Harness, tmp_path: Path) -> None:
    sut_claims.audited(harness, tmp_path)


def test_big_samples_are_run_in_another_order_and_answered_in_their_own(harness: Harness, tmp_path: Path) -> None:
    sut_claims.reordered(harness, tmp_path)


# -- what is refused


@pytest.mark.parametrize(
    ("settings", "fragments"),
    [
        ({"bach_size": 4}, ("harness.json", "unknown key 'bach_size'", "did you mean 'batch_size'")),
        ({"threads": 0}, ("'threads'", "at least 1")),
        ({"threads": True}, ("'threads'", "true")),
        ({"scenario": "Interactive"}, ("'scenario'", "Offline, Server, SingleStream, MultiStream")),
        ({"schema_version": 2}, ("'schema_version'",)),
        ({"generated_samples": None}, ("'dataset'", "exactly one")),
        ({"mode": "accuracy"}, ("'mode'", "labels")),
        ({"options": {"alow_spinning": "0"}}, ("did you mean 'allow_spinning'",)),
        ({"options": {"allow_spinning": "2"}}, ("'allow_spinning'", "1, 0")),
        ({"backend": "openvino"}, ("not in this image",)),
        ({"output": "nowhere"}, ("nowhere", "does not exist")),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(
    harness: Harness, tmp_path: Path, settings: dict[str, Any], fragments: tuple[str, ...]
) -> None:
    refused(harness.run(tmp_path, model="classifier.onnx", **{"backend": "onnxruntime", **settings}), 2, *fragments)


@pytest.mark.parametrize(
    ("text", "fragment"), [("{", "is not JSON"), ("[]", "is not a JSON object"), ("{}", "missing key")]
)
def test_a_broken_harness_json_is_refused(harness: Harness, tmp_path: Path, text: str, fragment: str) -> None:
    (tmp_path / "harness.json").write_text(text)
    refused(harness.call(tmp_path, "cpp", str(tmp_path / "harness.json")), 2, "harness.json", fragment)


@pytest.mark.parametrize("arguments", [(), ("--bare",), ("--what",), ("a", "b"), ("--bare", "x", "--seconds", "soon")])
def test_a_wrong_call_is_refused(harness: Harness, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    refused(harness.call(tmp_path, "cpp", *arguments), 2, "soon" if "soon" in arguments else "usage: mlperf-sut")


@pytest.mark.parametrize("image", ["cpp", "tflite-cpp"])
@pytest.mark.parametrize("content", [b"no model", b""])
def test_a_file_that_is_no_model_is_refused(harness: Harness, tmp_path: Path, image: str, content: bytes) -> None:
    (tmp_path / "broken.model").write_bytes(content)
    backend = {"cpp": "onnxruntime", "tflite-cpp": "tflite"}[image]
    refused(harness.run(tmp_path, backend=backend, model=tmp_path / "broken.model"), 2, "broken.model", "cannot load")


def test_a_missing_model_is_refused(harness: Harness, tmp_path: Path) -> None:
    refused(harness.run(tmp_path, model="none.onnx"), 2, "none.onnx", "no such")


def test_a_data_set_of_another_signature_is_refused(harness: Harness, tmp_path: Path) -> None:
    sut_claims.refuses_other_signatures(harness, tmp_path)
    other = a_dataset(tmp_path, inputs={name: ("<i8", (8, 3), [0] * 24) for name in ("ids", "kinds")})
    refused(harness.run(tmp_path, model="encoder.onnx", dataset=other), 2, "has no input 'input_ids'", "ids, kinds")


@pytest.mark.parametrize(
    ("damage", "fragment"),
    [
        (lambda raw: raw[:-9], "cut off"),
        (lambda raw: raw[:5], "no such header"),
        (lambda raw: raw.replace(b"'<f4'", b"'|O8'"), "'|O8'"),
        (lambda raw: raw.replace(b"False,", b"True, "), "C order"),
        (lambda raw: raw.replace(b"(9, 4,)", b"(8, 4,)"), "promises 9"),
    ],
)
def test_a_damaged_array_is_refused(harness: Harness, tmp_path: Path, damage: object, fragment: str) -> None:
    place = pictures(tmp_path)
    array = place / "pictures.npy"
    assert callable(damage)
    array.write_bytes(damage(array.read_bytes()))
    refused(harness.run(tmp_path, model="classifier.onnx", dataset=place), 2, "pictures.npy", fragment)


@pytest.mark.parametrize(
    ("conf", "fragment"), [("*.*.min_duration = soon\n", "user.conf"), ("*.*.mode = 1\n", "sets 'mode'")]
)
def test_a_bad_user_conf_is_refused(harness: Harness, tmp_path: Path, conf: str, fragment: str) -> None:
    refused(harness.run(tmp_path, model="classifier.onnx", conf=conf), 2, fragment)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_model_that_fails_half_way_ends_the_run_on_purpose(harness: Harness, tmp_path: Path, scenario: str) -> None:
    sut_claims.fails_half_way(harness, tmp_path, scenario)


def test_a_full_queue_is_an_error_and_not_a_loss(harness: Harness, tmp_path: Path) -> None:
    sut_claims.overflows(harness, tmp_path)


def test_the_harness_as_process_1_ends_when_asked(harness: Harness, tmp_path: Path) -> None:
    sut_claims.ends_when_asked(harness, tmp_path)
