"""The C++ implementations' pure planning, their pins, and that their sources keep together with the catalogue."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from orchestrator.config.catalog import load_benchmark, load_implementation, load_round, rounds
from orchestrator.config.images import image_entries
from orchestrator.domain.plan import Execution, Role
from orchestrator.domain.situation import Situation
from orchestrator.domain.spec import Knobs
from orchestrator.domain.terms import EngineName, Mode, Scenario
from orchestrator.errors import UsageError
from orchestrator.host.shipped import shipped
from orchestrator.images.render import render
from orchestrator.implementations import generic
from orchestrator.implementations.cpp import steps
from orchestrator.implementations.drivers import driver_of
from tests.unit.plans import a_situation, a_spec

CPP = shipped("dockerfiles", "cpp")
ALL = (Scenario.OFFLINE, Scenario.SERVER, Scenario.SINGLE_STREAM, Scenario.MULTI_STREAM)


def on(model: str, implementation: str = "cpp", **changes: object) -> Situation:
    """The ground of a run of a catalogue model in v6.1."""
    benchmark = load_benchmark(model)
    offer = next(each for each in benchmark.offers if each.implementation == implementation)
    rules = benchmark.rules_of("v6.1")
    assert rules is not None
    situation = a_situation(
        benchmark=benchmark,
        rules=rules,
        offer=offer,
        implementation=load_implementation(implementation),
        image=offer.image,
        model=Path("/cache/model") / (offer.model_file or "model"),
        dataset=Path("/cache/data"),
        assets={name: Path("/cache") / name for name in offer.assets},
        work=Path("/cache/work") / implementation / "image-of-a-recipe",
    )
    return replace(situation, **changes)  # type: ignore[arg-type]


def official(model: str, implementation: str = "cpp", **changes: object) -> tuple[Execution, ...]:
    """The steps of an accuracy run of a model of a round."""
    backend = "tflite" if implementation == "tflite-cpp" else "onnxruntime"
    spec = a_spec(model=model, implementation=implementation, backend=backend, mode=Mode.ACCURACY, **changes)
    return steps(spec, on(model, implementation))


@pytest.mark.parametrize("scenario", ALL)
@pytest.mark.parametrize(
    ("model", "implementation"),
    [("efficientnet-lite0", "cpp"), ("minilm-l6-v2", "cpp"), ("resnet8-cifar10", "tflite-cpp")],
)
def test_a_run_is_that_of_the_python_harness_but_for_the_program_and_image(
    model: str, implementation: str, scenario: Scenario
) -> None:
    spec = a_spec(model=model, implementation=implementation, scenario=scenario)
    ground = on(model, implementation)
    (ours,), (python,) = driver_of(ground.implementation)(spec, ground), generic.steps(spec, ground)
    assert ours.container.command == ("mlperf-sut", "harness.json")
    assert ours == replace(python, container=replace(python.container, command=ours.container.command))


def test_the_native_engine_is_refused_with_what_to_do() -> None:
    with pytest.raises(UsageError, match="container image only"):
        steps(a_spec(engine=EngineName.NATIVE), on("efficientnet-lite0"))


def test_data_of_a_round_is_prepared_once_and_scored_by_the_official_script() -> None:
    prepare, result, evaluate = official("bert-99")
    assert [each.role for each in (prepare, result, evaluate)] == [Role.PREPARE, Role.RESULT, Role.EVALUATE]
    assert prepare.container.image == evaluate.container.image == "reference-bert-onnxruntime"
    assert prepare.once is not None
    assert prepare.once.suffix == ".done"
    assert prepare.container.command[1:] == (
        "/scripts/squad.py",
        "/dataset/dev-v1.1.json",
        "/assets/bert-vocab/vocab.txt",
        "input_mask",
        "segment_ids",
        "/prepared",
    )
    made = next(mount.source for mount in prepare.container.mounts if not mount.read_only)
    assert made in {mount.source for mount in result.container.mounts}
    assert "accuracy-squad.py" in evaluate.container.command
    assert evaluate.produces == (PurePosixPath("accuracy.txt"),)
    assert PurePosixPath("accuracy.txt") not in result.produces


def prepared_in(**changes: object) -> Path:
    """Where the data of a run of bert-99 is prepared."""
    spec = a_spec(model="bert-99", implementation="cpp", backend="onnxruntime", mode=Mode.ACCURACY)
    prepare, *_ = steps(spec, replace(on("bert-99"), **changes))  # type: ignore[arg-type]
    return next(mount.source for mount in prepare.container.mounts if not mount.read_only)


def test_a_rebuilt_image_finds_the_prepared_data_and_another_copy_of_the_data_or_round_does_not() -> None:
    here = prepared_in()
    assert here.parent.parent == Path("/cache/work/cpp")
    assert prepared_in(work=Path("/cache/work/cpp/image-of-another-recipe")) == here
    assert prepared_in(dataset=Path("/cache/other-data")) != here
    assert prepared_in(round=load_round("v6.0")) != here


def test_the_stamp_of_prepared_data_goes_with_it() -> None:
    prepare, *_ = official("bert-99")
    assert prepare.once is not None
    assert prepare.once.parent == prepared_in().parent


@pytest.mark.parametrize(("implementation", "layout"), [("cpp", "nchw"), ("tflite-cpp", "nhwc")])
def test_pictures_are_prepared_in_the_layout_of_the_graph(implementation: str, layout: str) -> None:
    prepare, _, evaluate = official("resnet50", implementation)
    assert prepare.container.command[1:] == (
        *("/scripts/imagenet.py", "/dataset", layout, "224", "vgg", "1001", "/prepared"),
    )
    assert evaluate.container.command[-2:] == ("--dtype", "int32")


def test_a_prepared_data_set_of_the_users_is_taken_as_it_is() -> None:
    result, _ = official("resnet50", knobs=Knobs(extra=(("prepared", "1"), ("workers", "2"))))
    assert Path("/cache/data") in {mount.source for mount in result.container.mounts}
    assert dict(result.harness)["options"] == {}
    assert dict(result.harness)["workers"] == 2


def test_a_model_of_the_users_is_checked_first_and_says_what_it_stands_for() -> None:
    check, _, result, _ = official("bert-99", model_path=Path("/mine/bert.onnx"), model_name="my-bert")
    assert check.name == "signature"
    assert check.container.command[-2:] == (
        "input_ids:int64:?x384,input_mask:int64:?x384,segment_ids:int64:?x384",
        "*:float:?x384,*:float:?x384",
    )
    assert dict(result.files)[PurePosixPath("model_mapping.json")] == '{\n  "my-bert": "bert-99"\n}\n'


@pytest.mark.parametrize("name", ["cpp", "tflite-cpp"])
@pytest.mark.parametrize("platform", ["linux/amd64", "linux/arm64"])
@pytest.mark.parametrize("round_name", ["v4.1", "v5.0", "v5.1", "v6.0", "v6.1"])
def test_every_round_pins_the_sources_of_the_catalogues_loadgen(name: str, platform: str, round_name: str) -> None:
    found = render(image_entries()[name], round_name, platform)
    files = {file.path: file.content.decode() for file in found.files}
    assert f"mlcommons-loadgen=={load_round(round_name).loadgen} " in files["build/requirements.txt"]
    for path in ("build/requirements.txt", "toolchain/tools.txt", "program/requirements.txt"):
        pins = [line for line in files[path].splitlines() if "==" in line]
        assert pins
        assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", files[path])) >= len(pins)
    assert re.search(
        rf"^[0-9a-f]{{64}}  \S*({platform.split('/')[1]}\.deb|\.tgz)$", files["program/runtime.sha256"], re.M
    )


def test_every_round_has_a_pin_and_every_pin_a_round() -> None:
    pinned = {path.stem.removeprefix("loadgen-") for path in (CPP / "requirements").glob("loadgen-*.txt")}
    assert pinned == set(rounds())


@pytest.mark.parametrize("name", ["cpp", "tflite-cpp"])
def test_the_last_stage_takes_only_what_was_built(name: str) -> None:
    last = render(image_entries()[name], "v6.1", "linux/amd64").text.split("\nFROM ")[-1]
    assert "RUN" not in last
    assert re.findall(r"^COPY .*$", last, re.M) == ["COPY --from=program /opt/mlperf-docker /opt/mlperf-docker"]


def test_both_images_share_every_stage_but_the_last_two() -> None:
    first, second = (render(image_entries()[name], "v6.1", "linux/amd64") for name in ("cpp", "tflite-cpp"))
    stages = [found.text.split("AS program")[0].splitlines()[1:] for found in (first, second)]
    assert stages[0] == stages[1]
    files = [
        {each.path: each.content for each in found.files if not each.path.startswith("program/")}
        for found in (first, second)
    ]
    assert files[0]
    assert files[0] == files[1]


def test_every_source_is_compiled_and_warnings_are_errors() -> None:
    build = (CPP / "src" / "CMakeLists.txt").read_text()
    sources = {path.name for path in (CPP / "src").glob("*.cc")} - {"backend_onnxruntime.cc", "backend_tflite.cc"}
    assert len(sources) > 10
    assert [name for name in sorted(sources) if not re.search(rf"\b{re.escape(name)}\b", build)] == []
    assert "-Werror" in build


def test_no_source_is_long() -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in (CPP / "src").glob("*.*")}
    assert lengths
    assert {name: length for name, length in lengths.items() if length > 350} == {}


@pytest.mark.parametrize(
    ("member", "arguments"),
    [
        ("mobilenet-v1-precision_float-0.5-160", ("nhwc", "160", "mobilenet", "1001")),
        ("mobilenet-v2-precision_uint8-0.35-128", ("nhwc", "128", "pixels", "1001")),
        ("efficientnet-fp32-lite4", ("nhwc", "300", "efficientnet", "1000")),
        ("efficientnet-int8-lite0", ("nhwc", "224", "pixels", "1000")),
    ],
)
def test_a_member_of_a_family_gets_pictures_of_its_size_and_type(member: str, arguments: tuple[str, ...]) -> None:
    ground = on(member, "tflite-cpp", dataset=Path("/data/imagenet"))
    spec = a_spec(model=member, implementation="tflite-cpp", backend="tflite")
    driver = driver_of(ground.implementation)
    prepare = next(step for step in driver(spec, ground) if step.name == "prepare-data")
    assert prepare.container.command[3:7] == arguments
