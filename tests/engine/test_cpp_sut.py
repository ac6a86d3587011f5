"""The C++ harness in its own images, with LoadGen's C++ sources and real runtimes, on tiny models."""

from __future__ import annotations

import hashlib
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
from tests.engine.cpp_runs import CppHarness
from tests.engine.sut_runs import Ended, a_dataset
from tests.engine.tiny_graphs import question_answering

pytestmark = pytest.mark.engine

SCENARIOS = ("Offline", "Server", "SingleStream", "MultiStream")
BACKENDS = (("onnxruntime", "classifier.onnx"), ("tflite", "classifier.tflite"))
CLASSES = (0, 1, 2, 2, 1, 0, 0, 1, 2)
LABELS = (0, 1, 2, 2, 1, 0, 0, 1, 0)  # the last one is wrong: 8 of 9
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


@pytest.fixture(scope="session")
def harness(
    docker_url: str, images: dict[str, tuple[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CppHarness]:
    """The program in both images."""
    client = connect(docker_url)
    found = CppHarness(client, lambda name: images[name][0], tmp_path_factory.getbasetemp())
    yield found
    found.close()
    client.close()


def pictures(folder: Path, **changes: object) -> Path:
    """Nine samples of four numbers; the biggest tells the class."""
    values = [float(place == kind) + 0.1 * place for kind in CLASSES for place in range(4)]
    settings: dict[str, Any] = {"labels": LABELS, "metric": "top1", **changes}
    return a_dataset(folder, inputs={"pictures": ("<f4", (len(CLASSES), 4), values)}, **settings)


def good(ended: Ended) -> Ended:
    """The same, once it is sure that the harness was content."""
    assert ended.code == 0, ended.stderr
    assert not ended.errors
    return ended


def refused(ended: Ended, code: int, *fragments: str) -> None:
    """The harness said what is wrong in one line, and left no report."""
    assert ended.code == code, ended.stderr
    assert len(ended.errors) == 1, ended.stderr
    assert all(fragment in ended.errors[0] for fragment in fragments), ended.errors[0]
    assert not (ended.folder / "report.json").exists()
    assert not list(ended.folder.glob("core*"))


# -- the images


@pytest.mark.parametrize(("name", "limit_bytes"), [("cpp", 35 * MEGABYTE), ("tflite-cpp", 10 * MEGABYTE)])
def test_the_image_is_small_and_holds_no_compiler(
    harness: CppHarness, images: dict[str, tuple[str, int]], name: str, limit_bytes: int
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
def test_the_image_says_what_it_was_built_from(harness: CppHarness, name: str) -> None:
    _, said = harness.shell(name, "cat", "/opt/mlperf-docker/versions.txt")
    assert "LoadGen 6.0.17" in said
    assert "mlcommons-loadgen==6.0.17" in said
    assert "g++-12=" in said
    assert "libc6=" in said


def test_seeds_of_another_round_are_refused(harness: CppHarness, tmp_path: Path) -> None:
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
    harness: CppHarness, tmp_path: Path, backend: str, model: str, scenario: str
) -> None:
    settings: dict[str, Any] = {"scenario": scenario, "mode": "accuracy", "workers": 2, "performance_sample_count": 9}
    ended = good(harness.run(tmp_path, backend=backend, model=model, dataset=pictures(tmp_path), **settings))
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
@pytest.mark.parametrize(("backend", "model"), [*BACKENDS, ("null", None)])
def test_every_scenario_is_measured(
    harness: CppHarness, tmp_path: Path, backend: str, model: str | None, scenario: str
) -> None:
    ended = good(
        harness.run(tmp_path, backend=backend, model=model, dataset=pictures(tmp_path), scenario=scenario, workers=2)
    )
    assert ended.logged("effective_scenario") == [scenario]
    assert ended.logged("sut_name") == ["mlperf-docker-cpp"]
    assert ended.logged("qsl_reported_performance_count") == [8]
    assert ended.logged("effective_qsl_rng_seed") == [2085463073848966840]
    assert ended.report["qsl"] == {"total": 9, "performance": 8}
    responses = ended.report["responses"]
    assert isinstance(responses, dict)
    assert responses["issued"] == responses["completed"] >= 20
    assert ended.report["accuracy"] is None
    assert f"progress completed={responses['completed']} issued={responses['issued']}" in ended.stdout


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
    harness: CppHarness, tmp_path: Path, backend: str, model: str, effective: int
) -> None:
    ended = good(
        harness.run(tmp_path, backend=backend, model=model, dataset=pictures(tmp_path), mode="accuracy", batch_size=6)
    )
    said, accuracy = ended.report["backend"], ended.report["accuracy"]
    assert isinstance(said, dict)
    assert isinstance(accuracy, dict)
    assert (said["batch_size"], said["effective_batch_size"], accuracy["good"]) == (6, effective, 8)


def test_pooled_vectors_are_judged_by_their_nearest_neighbours(harness: CppHarness, tmp_path: Path) -> None:
    ids = [1, 1, 3, 1, 3, 3, 1, 1, 1, 2, 2, 3, 2, 3, 3, 2, 2, 2]
    mask = [1, 1, 0, 1, 0, 0, 1, 1, 1, 1, 1, 0, 1, 0, 0, 1, 1, 1]
    inputs: dict[str, Any] = {"input_ids": ("<i8", (6, 3), ids), "attention_mask": ("<i8", (6, 3), mask)}
    place = a_dataset(tmp_path, inputs=inputs, labels=(0, 0, 0, 1, 1, 1), metric="nn1", response="mean_pool")
    ended = good(harness.run(tmp_path, model="encoder.onnx", dataset=place, mode="accuracy"))
    accuracy = ended.report["accuracy"]
    assert isinstance(accuracy, dict)
    assert (accuracy["metric"], accuracy["good"], accuracy["total"]) == ("nn1", 6, 6)


@pytest.mark.parametrize("scenario", ["Offline", "SingleStream"])
def test_start_and_end_logits_lie_side_by_side_as_the_official_script_reads_them(
    harness: CppHarness, tmp_path: Path, scenario: str
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
def test_inputs_are_generated_from_any_graphs_signature(harness: CppHarness, tmp_path: Path, model: str) -> None:
    ended = good(harness.run(tmp_path, model=model, options={"dim.tokens": "5"}))
    assert ended.report["dataset"] == "generated"


def test_the_bare_loop_prints_the_yardstick(harness: CppHarness, tmp_path: Path) -> None:
    ended = harness.run(
        tmp_path,
        model="classifier.onnx",
        dataset=pictures(tmp_path),
        before=("--bare",),
        after=("--seconds", "0.2", "--json"),
    )
    assert ended.code == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["batch"] == 4
    assert found["samples_per_s"] > 0
    assert found["p90_ns"] > 0


def test_an_audit_config_in_the_output_folder_is_obeyed(harness: CppHarness, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "audit.config").write_text(
        "*.*.accuracy_log_rng_seed = 7\n*.*.accuracy_log_sampling_target = 4\n"
    )
    ended = good(harness.run(tmp_path, model="classifier.onnx", dataset=pictures(tmp_path)))
    assert ended.logged("effective_accuracy_log_rng_seed") == [7]
    assert json.loads((ended.folder / "mlperf_log_accuracy.json").read_text())


def test_big_samples_are_run_in_another_order_and_answered_in_their_own(harness: CppHarness, tmp_path: Path) -> None:
    tokens, kinds = 8192, (1, 2, 1, 1, 2, 2)
    ids = [kind for kind in kinds for _ in range(tokens)]
    columns = {"input_ids": ids, "attention_mask": [1] * len(ids)}
    inputs: dict[str, Any] = {name: ("<i8", (len(kinds), tokens), values) for name, values in columns.items()}
    place = a_dataset(tmp_path, inputs=inputs, response="mean_pool")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "audit.config").write_text("*.*.accuracy_log_sampling_target = 1000\n")
    ended = good(harness.run(tmp_path, model="encoder.onnx", dataset=place, workers=2))
    entries = json.loads((ended.folder / "mlperf_log_accuracy.json").read_text())
    assert len(entries) >= 20
    assert len({entry["qsl_idx"] for entry in entries}) > 1
    answers = {1: "0000803F00000000", 2: "000000000000803F"}  # (1, 0) and (0, 1) as float32
    assert all(entry["data"] == answers[kinds[entry["qsl_idx"]]] for entry in entries)


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
    harness: CppHarness, tmp_path: Path, settings: dict[str, Any], fragments: tuple[str, ...]
) -> None:
    refused(harness.run(tmp_path, model="classifier.onnx", **{"backend": "onnxruntime", **settings}), 2, *fragments)


@pytest.mark.parametrize(
    ("text", "fragment"), [("{", "is not JSON"), ("[]", "is not a JSON object"), ("{}", "missing key")]
)
def test_a_broken_harness_json_is_refused(harness: CppHarness, tmp_path: Path, text: str, fragment: str) -> None:
    (tmp_path / "harness.json").write_text(text)
    refused(harness.call(tmp_path, "cpp", str(tmp_path / "harness.json")), 2, "harness.json", fragment)


@pytest.mark.parametrize("arguments", [(), ("--bare",), ("--what",), ("a", "b"), ("--bare", "x", "--seconds", "soon")])
def test_a_wrong_call_is_refused(harness: CppHarness, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    refused(harness.call(tmp_path, "cpp", *arguments), 2, "soon" if "soon" in arguments else "usage: mlperf-sut")


@pytest.mark.parametrize("image", ["cpp", "tflite-cpp"])
@pytest.mark.parametrize("content", [b"no model", b""])
def test_a_file_that_is_no_model_is_refused(harness: CppHarness, tmp_path: Path, image: str, content: bytes) -> None:
    (tmp_path / "broken.model").write_bytes(content)
    backend = {"cpp": "onnxruntime", "tflite-cpp": "tflite"}[image]
    refused(harness.run(tmp_path, backend=backend, model=tmp_path / "broken.model"), 2, "broken.model", "cannot load")


def test_a_missing_model_is_refused(harness: CppHarness, tmp_path: Path) -> None:
    refused(harness.run(tmp_path, model="none.onnx"), 2, "none.onnx", "no such")


def test_a_data_set_of_another_signature_is_refused(harness: CppHarness, tmp_path: Path) -> None:
    whole = a_dataset(tmp_path, inputs={"x": ("<i8", (8, 4), [0] * 32)})
    refused(harness.run(tmp_path, model="classifier.onnx", dataset=whole), 2, "int64", "float32")
    narrow = a_dataset(tmp_path, inputs={"x": ("<f4", (8, 3), [0] * 24)})
    refused(harness.run(tmp_path, model="classifier.onnx", dataset=narrow), 2, "[3]", "[4]")
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
def test_a_damaged_array_is_refused(harness: CppHarness, tmp_path: Path, damage: object, fragment: str) -> None:
    place = pictures(tmp_path)
    array = place / "pictures.npy"
    assert callable(damage)
    array.write_bytes(damage(array.read_bytes()))
    refused(harness.run(tmp_path, model="classifier.onnx", dataset=place), 2, "pictures.npy", fragment)


@pytest.mark.parametrize(
    ("conf", "fragment"), [("*.*.min_duration = soon\n", "user.conf"), ("*.*.mode = 1\n", "sets 'mode'")]
)
def test_a_bad_user_conf_is_refused(harness: CppHarness, tmp_path: Path, conf: str, fragment: str) -> None:
    refused(harness.run(tmp_path, model="classifier.onnx", conf=conf), 2, fragment)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_model_that_fails_half_way_ends_the_run_on_purpose(
    harness: CppHarness, tmp_path: Path, scenario: str
) -> None:
    ids = a_dataset(tmp_path, inputs={"ids": ("<i8", (8,), [0, 1, 2, 3, 99, 0, 1, 2])})
    refused(harness.run(tmp_path, model="table.onnx", dataset=ids, scenario=scenario), 1, "99")


def test_a_full_queue_is_an_error_and_not_a_loss(harness: CppHarness, tmp_path: Path) -> None:
    conf = "*.*.min_duration = 0\n*.*.min_query_count = 200000\n*.Server.target_qps = 1000000\n"
    ended = harness.run(
        tmp_path, model="classifier.onnx", dataset=pictures(tmp_path), conf=conf, scenario="Server", queue_depth=2
    )
    refused(ended, 1, "queue overflow", "target_qps", "queue_depth")


def test_the_harness_as_process_1_ends_when_asked(harness: CppHarness, tmp_path: Path) -> None:
    conf = "*.*.min_duration = 60000\n*.*.min_query_count = 1\n"
    code, stderr, seconds = harness.ended_by_sigterm(tmp_path, model="classifier.onnx", conf=conf, scenario="Server")
    assert code == 143
    assert "error: ended by SIGTERM" in stderr
    assert seconds < 5
