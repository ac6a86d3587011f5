"""What our harnesses in Python and in C++ both have to do: tiny data sets with known answers, and what is checked."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tests.engine.sut_runs import Ended, Harness, a_dataset

SCENARIOS = ("Offline", "Server", "SingleStream", "MultiStream")
CLASSES = (0, 1, 2, 2, 1, 0, 0, 1, 2)
LABELS = (0, 1, 2, 2, 1, 0, 0, 1, 0)  # the last one is wrong: 8 of 9


def pictures(folder: Path, **changes: object) -> Path:
    """Nine samples of four numbers; the biggest tells the class."""
    values = [float(place == kind) + 0.1 * place for kind in CLASSES for place in range(4)]
    settings: dict[str, Any] = {"labels": LABELS, "metric": "top1", **changes}
    return a_dataset(folder, inputs={"pictures": ("<f4", (len(CLASSES), 4), values)}, **settings)


def texts(folder: Path) -> Path:
    """Six token sequences; without the mask the nearest neighbours would be others."""
    ids = [1, 1, 3, 1, 3, 3, 1, 1, 1, 2, 2, 3, 2, 3, 3, 2, 2, 2]
    mask = [1, 1, 0, 1, 0, 0, 1, 1, 1, 1, 1, 0, 1, 0, 0, 1, 1, 1]
    return a_dataset(
        folder,
        inputs={"input_ids": ("<i8", (6, 3), ids), "attention_mask": ("<i8", (6, 3), mask)},
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
    """The harness said what is wrong in one line, and left no report, no traceback and no core."""
    assert ended.code == code, ended.stderr
    assert len(ended.errors) == 1, ended.stderr
    assert all(fragment in ended.errors[0] for fragment in fragments), ended.errors[0]
    assert "Traceback" not in ended.stderr
    assert not (ended.folder / "report.json").exists()
    assert not list(ended.folder.glob("core*"))


def answered_rightly(harness: Harness, folder: Path, *, backend: str, model: str, scenario: str) -> None:
    """Eight of nine pictures, each answer under its own index, the hash of the log in both reports."""
    settings: dict[str, Any] = {"scenario": scenario, "mode": "accuracy", "workers": 2, "performance_sample_count": 9}
    ended = good(harness.run(folder, backend=backend, model=model, dataset=pictures(folder), **settings))
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


def measured(harness: Harness, folder: Path, *, backend: str, model: str | None, scenario: str) -> Ended:
    """A performance run in which every query was answered and LoadGen's settings are in force."""
    ended = good(
        harness.run(folder, backend=backend, model=model, dataset=pictures(folder), scenario=scenario, workers=2)
    )
    assert ended.logged("effective_scenario") == [scenario]
    assert ended.logged("qsl_reported_performance_count") == [8]
    assert ended.logged("effective_qsl_rng_seed") == [2085463073848966840]
    assert ended.report["qsl"] == {"total": 9, "performance": 8}
    responses = ended.report["responses"]
    assert isinstance(responses, dict)
    assert responses["issued"] == responses["completed"] >= 20
    assert ended.report["accuracy"] is None
    assert f"progress completed={responses['completed']} issued={responses['issued']}" in ended.stdout
    return ended


def batched(harness: Harness, folder: Path, *, backend: str, model: str, effective: int) -> None:
    """Of a batch of 6 the report tells what the graph allows, and the answers are right."""
    data = pictures(folder)
    ended = good(harness.run(folder, backend=backend, model=model, dataset=data, mode="accuracy", batch_size=6))
    said, accuracy = ended.report["backend"], ended.report["accuracy"]
    assert isinstance(said, dict)
    assert isinstance(accuracy, dict)
    assert (said["batch_size"], said["effective_batch_size"], accuracy["good"]) == (6, effective, 8)


def judged_by_neighbours(harness: Harness, folder: Path) -> None:
    """Pooled vectors of a text encoder."""
    ended = good(harness.run(folder, model="encoder.onnx", dataset=texts(folder), mode="accuracy"))
    accuracy = ended.report["accuracy"]
    assert isinstance(accuracy, dict)
    assert (accuracy["metric"], accuracy["good"], accuracy["total"]) == ("nn1", 6, 6)


def yardstick(ended: Ended) -> None:
    """What the bare loop prints."""
    assert ended.code == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["batch"] == 4
    assert found["samples_per_s"] > 0
    assert found["p90_ns"] > 0


def audited(harness: Harness, folder: Path) -> None:
    """An audit.config in the output folder is obeyed."""
    (folder / "out").mkdir()
    (folder / "out" / "audit.config").write_text(
        "*.*.accuracy_log_rng_seed = 7\n*.*.accuracy_log_sampling_target = 4\n"
    )
    ended = good(harness.run(folder, model="classifier.onnx", dataset=pictures(folder)))
    assert ended.logged("effective_accuracy_log_rng_seed") == [7]
    assert json.loads((ended.folder / "mlperf_log_accuracy.json").read_text())


def reordered(harness: Harness, folder: Path) -> None:
    """Offline puts neighbours in RAM together; LoadGen's log (as an audit asks for it) tells whose answer is whose."""
    tokens, kinds = 8192, (1, 2, 1, 1, 2, 2)
    ids = [kind for kind in kinds for _ in range(tokens)]
    shape = (len(kinds), tokens)
    inputs: dict[str, Any] = {"input_ids": ("<i8", shape, ids), "attention_mask": ("<i8", shape, [1] * len(ids))}
    place = a_dataset(folder, inputs=inputs, response="mean_pool")
    (folder / "out").mkdir()
    (folder / "out" / "audit.config").write_text("*.*.accuracy_log_sampling_target = 1000\n")
    ended = good(harness.run(folder, model="encoder.onnx", dataset=place, workers=2))
    entries = json.loads((ended.folder / "mlperf_log_accuracy.json").read_text())
    assert len(entries) >= 20
    assert len({entry["qsl_idx"] for entry in entries}) > 1
    answers = {1: "0000803F00000000", 2: "000000000000803F"}  # (1, 0) and (0, 1) as float32
    assert all(entry["data"] == answers[kinds[entry["qsl_idx"]]] for entry in entries)


def fails_half_way(harness: Harness, folder: Path, scenario: str) -> None:
    """A model that fails on its fifth sample ends the run on purpose."""
    ids = a_dataset(folder, inputs={"ids": ("<i8", (8,), [0, 1, 2, 3, 99, 0, 1, 2])})
    refused(harness.run(folder, model="table.onnx", dataset=ids, scenario=scenario), 1, "99")


def overflows(harness: Harness, folder: Path) -> None:
    """A full queue is an error and not a loss."""
    conf = "*.*.min_duration = 0\n*.*.min_query_count = 200000\n*.Server.target_qps = 1000000\n"
    wanted: dict[str, Any] = {"conf": conf, "scenario": "Server", "queue_depth": 2}
    ended = harness.run(folder, model="classifier.onnx", dataset=pictures(folder), **wanted)
    refused(ended, 1, "queue overflow", "target_qps", "queue_depth")


def refuses_other_signatures(harness: Harness, folder: Path) -> None:
    """A data set of another type or shape than the graph's."""
    whole = a_dataset(folder, inputs={"x": ("<i8", (8, 4), [0] * 32)})
    refused(harness.run(folder, model="classifier.onnx", dataset=whole), 2, "int64", "float32")
    narrow = a_dataset(folder, inputs={"x": ("<f4", (8, 3), [0] * 24)})
    refused(harness.run(folder, model="classifier.onnx", dataset=narrow), 2, "[3]", "[4]")


def ends_when_asked(harness: Harness, folder: Path) -> None:
    """As process 1 of a container, on SIGTERM."""
    conf = "*.*.min_duration = 60000\n*.*.min_query_count = 1\n"
    code, stderr, seconds = harness.ended_by_sigterm(folder, model="classifier.onnx", conf=conf, scenario="Server")
    assert code == 143
    assert "error: ended by SIGTERM" in stderr
    assert seconds < 5
