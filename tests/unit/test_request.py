"""From what was typed to single runs: defaults, lists, what a model, round or division allows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.controller.request import Choice, RunRequest, choose
from orchestrator.domain.spec import LoadGenWishes
from orchestrator.domain.terms import Category, Device, Division, ExecutionMode, Mode, Scenario, Suite
from orchestrator.errors import UsageError

FOUR = (Scenario.OFFLINE, Scenario.SERVER, Scenario.SINGLE_STREAM, Scenario.MULTI_STREAM)
REQUEST = RunRequest(model="resnet8-cifar10")
BERT = RunRequest(model="bert-99", implementation="reference", device=Device.CPU)


def what(choices: tuple[Choice, ...]) -> list[tuple[Scenario, Mode]]:
    return [(choice.spec.scenario, choice.spec.mode) for choice in choices]


def refused(request: RunRequest) -> UsageError:
    with pytest.raises(UsageError) as caught:
        choose(request)
    return caught.value


def test_by_default_offline_is_tested_in_both_modes_with_what_the_catalogue_names() -> None:
    choices = choose(REQUEST)
    assert what(choices) == [(Scenario.OFFLINE, Mode.PERFORMANCE), (Scenario.OFFLINE, Mode.ACCURACY)]
    spec = choices[0].spec
    assert (spec.implementation, spec.backend, spec.device) == ("generic", "tflite", Device.CPU)
    assert (spec.execution_mode, spec.division, spec.round) == (ExecutionMode.TEST, Division.OPEN, "v6.1")


def test_all_means_four_scenarios_for_the_small_suite() -> None:
    assert what(choose(replace(REQUEST, scenarios="all"))) == [
        (scenario, mode) for scenario in FOUR for mode in (Mode.PERFORMANCE, Mode.ACCURACY)
    ]


def test_all_means_what_the_category_requires_for_a_benchmark() -> None:
    edge = choose(replace(BERT, round="v5.0", scenarios="all", category=Category.EDGE, modes="accuracy"))
    assert edge[0].benchmark.suite is Suite.MLPERF
    required = edge[0].rules.required[Category.EDGE]
    assert required
    assert tuple(choice.spec.scenario for choice in edge) == required


@pytest.mark.parametrize("text", ["server,OFFLINE", " Server , Offline ,", "Server,Offline,server"])
def test_lists_are_read_in_order_letter_case_aside_without_repetition(text: str) -> None:
    choices = choose(replace(REQUEST, scenarios=text, modes="accuracy"))
    assert [choice.spec.scenario for choice in choices] == [Scenario.SERVER, Scenario.OFFLINE]


@pytest.mark.parametrize("field", ["scenarios", "modes"])
@pytest.mark.parametrize("text", ["", " ", ",", ", ,"])
def test_an_empty_list_is_refused(field: str, text: str) -> None:
    assert "was named" in str(refused(replace(REQUEST, **{field: text})))


def test_an_alias_is_the_model_itself() -> None:
    assert choose(replace(REQUEST, model="resnet8"))[0].spec.model == "resnet8-cifar10"


def test_a_backend_chooses_among_the_ways_to_run_a_model() -> None:
    assert choose(RunRequest(model="efficientnet-lite0"))[0].offer.backend == "onnxruntime"
    chosen = choose(RunRequest(model="efficientnet-lite0", backend="openvino"))[0]
    assert (chosen.spec.backend, chosen.offer.image) == ("openvino", "generic-openvino")


def test_a_combination_that_is_not_offered_says_what_is() -> None:
    error = refused(RunRequest(model="efficientnet-lite0", backend="tflite"))
    assert "'efficientnet-lite0' has no backend 'tflite'" in str(error)
    assert (error.hint or "").startswith("it has: ")
    assert "generic/onnxruntime on cpu; generic/openvino on cpu" in (error.hint or "")


def test_an_unknown_implementation_is_told_from_one_that_is_not_offered() -> None:
    assert "unknown implementation 'generik'" in str(refused(replace(REQUEST, implementation="generik")))
    assert "has no implementation 'nvidia'" in str(refused(replace(REQUEST, implementation="nvidia")))


def test_a_small_model_is_never_offered_for_the_closed_division() -> None:
    assert "closed division" in str(refused(replace(REQUEST, division=Division.CLOSED)))
    assert choose(replace(REQUEST, division=Division.NETWORK))[0].spec.division is Division.NETWORK


def test_a_benchmark_is_run_for_the_closed_division_unless_said_otherwise() -> None:
    request = replace(BERT, round="v5.0")
    assert choose(request)[0].spec.division is Division.CLOSED
    assert choose(replace(request, division=Division.OPEN))[0].spec.division is Division.OPEN


def test_a_scenario_that_a_model_does_not_have_is_refused_with_those_it_has() -> None:
    error = refused(replace(REQUEST, scenarios="Offline,Interactive"))
    assert "has no scenario Interactive" in str(error)
    assert "SingleStream" in (error.hint or "")


def test_what_would_be_ignored_is_refused() -> None:
    counted = LoadGenWishes(test_query_count=5)
    valid = ExecutionMode.VALID
    assert "--test-query-count" in str(refused(replace(REQUEST, loadgen=counted, execution_mode=valid)))
    assert "--gpus" in str(refused(replace(REQUEST, gpus=("all",))))
    assert "--model-name" in str(refused(replace(REQUEST, model_name="mine")))


def test_a_model_of_ones_own_is_measured_for_performance_only() -> None:
    request = RunRequest(model=None, model_path=Path("my model.ONNX"), scenarios="all")
    choices = choose(request)
    assert what(choices) == [(scenario, Mode.PERFORMANCE) for scenario in FOUR]
    assert (choices[0].spec.model, choices[0].spec.backend) == ("my-model", "onnxruntime")
    assert choices[0].benchmark.suite is Suite.CUSTOM
    assert choices[0].spec.model_path == Path.cwd() / "my model.ONNX"
    assert "generated inputs has no accuracy" in str(refused(replace(request, modes="accuracy")))


def test_a_model_of_ones_own_with_a_data_set_has_an_accuracy() -> None:
    request = RunRequest(model=None, model_path=Path("m.tflite"), dataset_path=Path("data"))
    assert what(choose(request))[1] == (Scenario.OFFLINE, Mode.ACCURACY)


def test_an_onnx_file_can_be_given_to_openvino() -> None:
    assert choose(RunRequest(model=None, model_path=Path("m.onnx"), backend="openvino"))[0].offer.backend == "openvino"
    assert "has no backend" in str(refused(RunRequest(model=None, model_path=Path("m.tflite"), backend="openvino")))


@pytest.mark.parametrize("path", ["model.gguf", "model", "model.onnx.gz"])
def test_a_file_that_no_backend_reads_is_refused_with_those_that_are(path: str) -> None:
    assert ".onnx, .pt, .pt2, .tflite" in (refused(RunRequest(model=None, model_path=Path(path))).hint or "")


@pytest.mark.parametrize("name", ["", "a/b", "../x", "a b", "-x"])
def test_a_name_that_could_not_stand_in_a_path_is_refused(name: str) -> None:
    request = RunRequest(model=None, model_path=Path("m.onnx"), model_name=name)
    if name == "":
        assert choose(request)[0].spec.model == "m"
    else:
        assert "--model-name" in str(refused(request))


def test_dots_in_a_name_do_not_reach_loadgen_s_settings() -> None:
    choice = choose(RunRequest(model=None, model_path=Path("m.onnx"), model_name="net.v1.5"))[0]
    assert choice.spec.model == "net.v1.5"
    assert choice.benchmark.loadgen_model == "net_v1_5"


def test_no_model_at_all_says_how_to_name_one() -> None:
    assert "--model NAME" in (refused(RunRequest(model=None)).hint or "")


def test_what_only_another_round_offers_says_which() -> None:
    error = refused(RunRequest(model="bert-99", implementation="nvidia", round="v6.1"))
    assert "has no implementation 'nvidia' in round v6.1" in str(error)
    assert "it has it in v4.1, v5.0" in (error.hint or "")
    assert choose(RunRequest(model="bert-99", implementation="nvidia", round="v5.0"))[0].offer.backend == "tensorrt"
