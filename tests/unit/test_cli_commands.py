"""What the commands that need no engine answer: as text for people, as one JSON document for programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli_calls import Call

SMALL = {"resnet8-cifar10", "efficientnet-lite0", "minilm-l6-v2"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("models", "list"),
        ("models", "show", "bert-99"),
        ("implementations", "list"),
        ("implementations", "show", "nvidia"),
        ("images", "list"),
        ("images", "render", "generic-tflite"),
        ("config", "show"),
        ("results", "list"),
        ("run", "--model", "resnet8-cifar10", "--dry-run"),
    ],
    ids=" ".join,
)
def test_an_answer_is_a_text_or_one_document(call: Call, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    text = call(*arguments)
    assert text.code == 0, text.stderr
    assert text.stdout
    document = call(*arguments, "--json")
    assert document.code == 0
    assert document.document["schema_version"] == 1
    assert list(tmp_path.iterdir()) == []


def test_the_catalogue_says_how_far_each_way_was_tried(call: Call) -> None:
    found = {model["name"]: model for model in call("models", "list", "--json").document["models"]}
    assert found.keys() >= SMALL | {"bert-99", "resnet50"}
    for name in SMALL:
        here = [offer for offer in found[name]["offers"] if offer["implementation"] == "generic"]
        newest = [offer for offer in here if not offer["rounds"] or "v6.1" in offer["rounds"]]
        assert newest
        assert {offer["evidence"] for offer in newest} == {"proven here"}, name
    cpp = [offer for name in SMALL for offer in found[name]["offers"] if "cpp" in offer["implementation"]]
    assert {"v6.1"} <= {round_ for offer in cpp if offer["evidence"] == "proven here" for round_ in offer["rounds"]}
    assert "from published instructions" in {offer["evidence"] for offer in found["bert-99"]["offers"]}


def test_a_model_is_shown_with_its_rules_and_every_way_to_run_it(call: Call) -> None:
    text = call("models", "show", "efficientnet-lite0").stdout
    assert "onnxruntime" in text
    assert "openvino" in text
    assert "top1 >= 0.891" in text


def test_an_implementation_is_shown_with_what_the_user_brings(call: Call) -> None:
    assert "NGC" in call("implementations", "show", "nvidia").stdout


def test_a_recipe_is_rendered_to_the_same_bytes(call: Call) -> None:
    first = call("images", "render", "generic-tflite").stdout
    assert first == call("images", "render", "generic-tflite").stdout
    assert first.startswith(("#", "FROM", "ARG"))


def test_settings_are_shown_with_where_each_came_from(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLPERF_DOCKER_SUBMITTER", "an-organisation")
    text = call("config", "show", "--origin").stdout
    line = next(line for line in text.splitlines() if "an-organisation" in line)
    assert "MLPERF_DOCKER_SUBMITTER" in line


def test_a_settings_file_is_written_once_and_can_be_read(call: Call, tmp_path: Path) -> None:
    made = call("config", "init")
    assert made.code == 0, made.stderr
    again = call("config", "init")
    assert again.code == 2
    assert "exists" in again.stderr
    assert call("config", "show").code == 0


def test_nothing_is_said_on_stdout_but_the_answer_of_a_dry_run(call: Call) -> None:
    dry = call("run", "--model", "resnet8-cifar10", "--dry-run")
    assert dry.stderr == ""
    assert "docker run --rm" in dry.stdout


def test_completion_is_offered_for_a_named_shell(call: Call) -> None:
    shown = call("--show-completion", "bash")
    assert shown.code == 0
    assert "_MLPERF_DOCKER_COMPLETE" in shown.stdout


@pytest.mark.parametrize(
    ("words", "number", "found"),
    [("mlperf-docker ru", 1, "run"), ("mlperf-docker run --mod", 2, "--model"), ("mlperf-docker models sh", 2, "show")],
)
def test_a_completing_shell_gets_the_words_it_asks_for(
    call: Call, monkeypatch: pytest.MonkeyPatch, words: str, number: int, found: str
) -> None:
    monkeypatch.setenv("_MLPERF_DOCKER_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(number))
    assert found in call().stdout.split()
