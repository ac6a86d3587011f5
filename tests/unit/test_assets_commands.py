"""`models get|verify` and `datasets list|show|get|verify` against a web server on loopback and a real cache."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.config import catalog
from orchestrator.config.images import image_entries
from orchestrator.host.shipped import use_overlays
from tests.unit.asset_shelf import Shelf, shelf
from tests.unit.cli_calls import Call

CONTENT = b'["one", "two", "three"]\n'


@pytest.fixture
def shop(tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    """A catalogue with one data set of 24 bytes, a gated one, and one that only a user can bring."""
    monkeypatch.setenv("MLPERF_DOCKER_CACHE", str(tmp_path / "cache"))
    with shelf(tmp_path / "catalog") as found:
        monkeypatch.setenv("MLPERF_DOCKER_CATALOG", str(found.catalog))
        found.file("numbers", CONTENT, aliases=["digits"], subset={"form": "json", "index": "numbers.json"})
        gate = {"kind": "form", "text": "sign their paper", "apply_at": "https://example.org/apply"}
        found.file("secret-numbers", b"[]", gate=gate)
        found.entry(
            "private-numbers",
            source={"kind": "user", "how": "ask Ann; then --asset private-numbers=DIR"},
            size_bytes=7,
        )
        yield found
    use_overlays(())
    catalog.forget()
    image_entries.cache_clear()


def test_get_ends_with_the_path_and_says_the_terms_before_the_first_byte(call: Call, shop: Shelf) -> None:
    done = call("datasets", "get", "digits")
    assert done.code == 0, done.stderr
    (path,) = done.stdout.splitlines()
    assert (Path(path) / "numbers.json").read_bytes() == CONTENT
    lines = done.stderr.splitlines()
    assert lines[0] == f"numbers: {shop.base}/numbers.json; 24 bytes; licence: MIT"
    assert lines[1].startswith("to fetch: 24 bytes; free: ")
    assert "GET /numbers.json" in shop.asked


def test_what_is_here_is_not_fetched_again(call: Call, shop: Shelf) -> None:
    first = call("datasets", "get", "numbers")
    shop.asked.clear()
    second = call("datasets", "get", "numbers")
    assert (second.code, second.stdout) == (0, first.stdout)
    assert "numbers: here, " in second.stderr
    assert shop.asked == []


def test_a_dry_run_fetches_nothing_and_shows_the_path(call: Call, shop: Shelf) -> None:
    plan = call("datasets", "get", "numbers", "--dry-run", "--json")
    assert plan.code == 0
    (planned,) = plan.document["assets"]
    assert (planned["name"], planned["fetch_bytes"], planned["present"]) == ("numbers", 24, False)
    assert plan.document["fetch_bytes"] == 24
    assert shop.asked == []
    done = call("datasets", "get", "numbers")
    assert done.stdout.splitlines() == plan.document["paths"]
    assert "here" in call("datasets", "get", "numbers", "--dry-run").stdout


def test_json_has_the_hash_of_what_came(call: Call, shop: Shelf) -> None:
    sha256 = shop.file("letters", b'["a"]')
    done = call("datasets", "get", "letters", "--json")
    (ready,) = done.document["assets"]
    assert ready["files"] == [{"name": "letters.json", "sha256": sha256, "size_bytes": 5}]
    assert ready["fetched"] is True


def test_a_gate_is_told_before_the_fetch(call: Call, shop: Shelf) -> None:
    done = call("datasets", "get", "secret-numbers")
    assert "  first: sign their paper (https://example.org/apply)" in done.stderr.splitlines()
    assert done.code == 0  # a form that nobody can test from here is said, and does not stop whoever has filled it in


def test_what_only_the_user_has_is_refused_before_anything_is_fetched(call: Call, shop: Shelf) -> None:
    refused = call("datasets", "get", "numbers", "private-numbers")
    assert refused.code == 3
    assert "ask Ann; then --asset private-numbers=DIR" in refused.stderr
    assert refused.stdout == ""
    assert shop.asked == []


def test_wrong_bytes_are_refused_with_both_hashes_and_leave_nothing(call: Call, shop: Shelf) -> None:
    sha256 = shop.file("letters", b'["a"]')
    shop.put("/letters.json", b'["b"]')
    refused = call("datasets", "get", "letters")
    assert refused.code == 4
    assert sha256 in refused.stderr
    assert "Traceback" not in refused.stderr
    shop.put("/letters.json", b'["a"]')
    assert call("datasets", "get", "letters").code == 0


def test_verify_names_each_file_that_differs(call: Call, shop: Shelf) -> None:
    path = Path(call("datasets", "get", "numbers").stdout.strip())
    whole = call("datasets", "verify", "numbers")
    assert (whole.code, whole.stdout) == (0, "numbers: whole, 1 files, 24 bytes\n")
    (path / "numbers.json").chmod(0o644)
    (path / "numbers.json").write_bytes(CONTENT.replace(b"two", b"owt"))
    (path / "more.txt").write_text("x")
    damaged = call("datasets", "verify", "digits")
    assert damaged.code == 4
    told = damaged.stdout.splitlines()
    assert told[0].startswith("numbers: damaged: 2 files differ")
    assert any(line.startswith("  numbers.json: expected sha256 ") and ", found " in line for line in told)
    assert "  more.txt: does not belong to it" in told
    (found,) = call("datasets", "verify", "numbers", "--json").document["assets"]
    assert (found["whole"], found["present"], len(found["differences"])) == (False, True, 2)


def test_verify_of_what_is_not_here_says_how_to_have_it(call: Call, shop: Shelf) -> None:
    missing = call("datasets", "verify", "numbers")
    assert missing.code == 4
    assert missing.stdout == "numbers: is not here; 'mlperf-docker datasets get numbers' has it\n"
    assert shop.asked == []


def test_the_list_of_a_model_has_its_data_and_its_calibration_lists(call: Call) -> None:
    listed = call("datasets", "list", "--model", "bert-99", "--json").document["assets"]
    names = {one["asset"]["name"] for one in listed}
    assert names >= {"squad-v1.1-dev", "squad-calibration-features", "squad-calibration-questions", "bert-vocab"}
    assert "bert-large-onnx" not in names
    assert "openimages-v6-mlperf" not in names


def test_the_list_of_a_round_has_what_its_models_use(call: Call) -> None:
    names = {
        round_: {
            one["asset"]["name"] for one in call("datasets", "list", "--round", round_, "--json").document["assets"]
        }
        for round_ in ("v4.1", "v6.1")
    }
    assert "vbench-prompts" in names["v6.1"] - names["v4.1"]
    assert "openimages-v6-mlperf" in names["v4.1"] - names["v6.1"]


def test_the_whole_list_is_a_table_with_sizes_and_gates(call: Call) -> None:
    listed = call("datasets", "list")
    assert listed.code == 0
    rows = {line.split()[0]: line for line in listed.stdout.splitlines() if line.strip()}
    assert "4.85 MB" in rows["squad-v1.1-dev"]
    assert "membership" in rows["waymo"]
    assert "bert-vocab" not in rows
    assert "bert-vocab" in call("datasets", "list", "--all").stdout


def test_show_tells_what_a_data_set_must_hold(call: Call) -> None:
    shown = call("datasets", "show", "openimages").stdout
    assert "24781 files 'validation/data/*.jpg'" in shown
    assert "its first N samples alone: openimages-v6-mlperf@N" in shown
    assert "used by: retinanet" in shown
    part = call("datasets", "show", "openimages@10", "--json").document
    assert part["asset"]["source"]["inputs"] == ["openimages-v6-mlperf"]
    assert part["models"] == ["retinanet"]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("bert-99",), ["bert-vocab", "squad-v1.1-dev", "bert-large-onnx"]),
        (("bert-99", "--asset-only", "--backend", "pytorch"), ["bert-vocab", "bert-large-pytorch"]),
        (("retinanet",), ["openimages-v6-mlperf", "retinanet-onnx"]),  # not in the default round: its newest
        (("bert-large-tf",), ["bert-large-tf"]),
        (("qwen3.6-27b",), ["bfcl-v4", "qwen3.6-27b"]),  # nobody here runs it
    ],
)
def test_a_model_comes_with_all_that_it_needs_the_weights_last(
    call: Call, shop: Shelf, arguments: tuple[str, ...], names: list[str]
) -> None:
    planned = call("models", "get", *arguments, "--dry-run", "--json")
    assert planned.code == 0, planned.stderr
    wanted = [one["name"] for one in planned.document["assets"]]
    assert set(names) <= set(wanted)
    assert wanted[-1] == names[-1]
    assert f"/{names[-1]}/" in planned.document["paths"][-1]


def test_calibration_lists_come_along_when_asked_for(call: Call, shop: Shelf) -> None:
    planned = call("models", "get", "resnet8-cifar10", "--calibration", "--dry-run", "--json")
    assert planned.code == 0  # it has none, which is no fault
    planned = call("models", "get", "bert-99", "--calibration", "--dry-run", "--json")
    assert "squad-calibration-features" in [one["name"] for one in planned.document["assets"]]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("models", "get", "bert-9"), "unknown model 'bert-9'; did you mean 'bert-99'?"),
        (("models", "get", "bert-large-onx"), "did you mean 'bert-large-onnx'?"),
        (("models", "get", "bert-large-onnx", "--backend", "tf"), "are weights, not a model with several ways"),
        (("models", "get", "retinanet", "--round", "v6.1"), "'retinanet' is not part of round v6.1"),
        (("models", "get", "bert-99", "--backend", "tflite"), "has no backend 'tflite'"),
        (("models", "get", "bert-99", "--device", "cpuu"), "did you mean 'cpu'?"),
        (("models", "verify", "bert-9"), "did you mean 'bert-99'?"),
        (("datasets", "get", "squad-v1.2"), "unknown asset 'squad-v1.2'; did you mean 'squad-v1.1'?"),
        (("datasets", "get", "squad@x"), "'x' is no number of samples"),
        (("datasets", "get", "squad", "--engine", "dokker"), "did you mean 'docker'?"),
        (("datasets", "list", "--model", "bert-9"), "did you mean 'bert-99'?"),
        (("datasets", "list", "--round", "v9"), "unknown round 'v9'"),
        (("datasets", "show", "nothing-like-it"), "unknown asset 'nothing-like-it'"),
        (("datasets", "gett", "squad"), "did you mean 'get'?"),
    ],
)
def test_bad_input_is_an_error_with_the_nearest_match(
    call: Call, shop: Shelf, arguments: tuple[str, ...], says: str
) -> None:
    refused = call(*arguments)
    assert refused.code == 2
    assert says in refused.stderr
    assert shop.asked == []


def test_a_run_takes_an_asset_by_its_alias(call: Call, shop: Shelf, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    refused = call("run", "--model", "resnet50", "--asset", f"imagenet={folder}", "--dry-run")
    assert "asset 'imagenet-2012-val (dataset of the user's)'" in refused.stderr
    refused = call(
        *("run", "--model", "resnet50", "--dry-run"),
        *("--asset", f"imagenet={folder}", "--asset", f"imagenet-2012-val={folder}"),
    )
    assert refused.code == 2
    assert "one asset was given twice" in refused.stderr
    refused = call("run", "--model", "resnet50", "--asset", f"imagenett={folder}", "--dry-run")
    assert "unknown asset 'imagenett'; did you mean 'imagenet'?" in refused.stderr


def test_of_many_names_those_that_are_like_it_are_listed(call: Call) -> None:
    refused = call("datasets", "show", "squad-v1.2")
    (hint,) = [line for line in refused.stderr.splitlines() if line.startswith("hint: ")]
    assert "squad-v1.1-dev" in hint
    assert "more" in hint
    assert len(hint) < 300


def test_a_script_that_only_one_round_has_is_run_in_that_round(call: Call, shop: Shelf) -> None:
    script = {"kind": "script", "image": "generic-prepare", "commands": [["cp", "{in:numbers}", "{out}"]]}
    shop.entry("old-numbers", source={**script, "inputs": ["numbers"], "rounds": ["v4.1", "v5.0"]})
    shop.entry("new-numbers", source={**script, "inputs": ["numbers"], "rounds": ["v6.0"]})
    planned = call("datasets", "get", "old-numbers", "--dry-run", "--json")
    assert planned.code == 0, planned.stderr
    assert [one["name"] for one in planned.document["assets"]] == ["numbers", "old-numbers"]
    in_v5_0 = call("datasets", "get", "old-numbers", "--round", "v5.0", "--dry-run", "--json")
    assert in_v5_0.document["paths"] == planned.document["paths"]
    refused = call("datasets", "get", "old-numbers", "--round", "v6.1")
    assert refused.code == 2
    assert "no script of round v6.1 makes what is asked for (old-numbers: v4.1, v5.0)" in refused.stderr
    refused = call("datasets", "get", "old-numbers", "new-numbers")
    assert refused.code == 2
    assert "no one round makes all" in refused.stderr
    assert shop.asked == []
