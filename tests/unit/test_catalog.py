"""The catalogue loads, fits together, holds the rounds' own numbers, and only what is named is read."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.config import catalog
from orchestrator.config.consistency import check_catalogue
from orchestrator.config.json_schemas import json_schemas
from orchestrator.domain.terms import Category, Device, Scenario, Suite
from orchestrator.errors import UsageError
from orchestrator.host.shipped import package, shipped

SMALL = {"resnet8-cifar10", "efficientnet-lite0", "minilm-l6-v2"}
OFFICIAL = {"bert-99", "bert-99.9", "resnet50"}


def test_the_catalogue_fits_together() -> None:
    assert check_catalogue() == ()


def test_rounds_are_told_apart_by_seeds_and_pin_their_loadgen() -> None:
    assert catalog.rounds() == ("v5.0", "v5.1", "v6.0", "v6.1")
    pins = {name: catalog.load_round(name).loadgen for name in catalog.rounds()}
    assert pins == {"v5.0": "5.0.21", "v5.1": "6.0.4", "v6.0": "6.0.15", "v6.1": "6.0.17"}
    assert {catalog.load_round(name).min_duration_ms for name in catalog.rounds()} == {600_000}
    assert catalog.load_round("v5.1").seeds.schedule_rng_seed == 18209322760996052031
    assert catalog.load_round().name == catalog.default_round() == "v6.1"


def test_models_are_of_the_small_suite_or_official() -> None:
    suites = {name: catalog.load_benchmark(name).suite for name in catalog.benchmark_names()}
    assert {name for name, suite in suites.items() if suite is Suite.SMALL} == SMALL
    assert {name for name, suite in suites.items() if suite is Suite.MLPERF} >= OFFICIAL


@pytest.mark.parametrize("name", sorted(SMALL))
def test_a_small_model_has_four_scenarios_in_any_round_and_a_way_to_run_each(name: str) -> None:
    benchmark = catalog.load_benchmark(name)
    four = {Scenario.OFFLINE, Scenario.SERVER, Scenario.SINGLE_STREAM, Scenario.MULTI_STREAM}
    for round_name in (*catalog.rounds(), "v9.9"):
        rules = benchmark.rules_of(round_name)
        assert rules is not None
        assert set(rules.scenarios) == four
        assert rules.required == {}
    assert set(benchmark.test) == four
    assert benchmark.test[Scenario.SERVER].target_qps is not None
    assert all(catalog.load_implementation(offer.implementation).drives for offer in benchmark.offers)
    assert sum(offer.default for offer in benchmark.offers) == 1


@pytest.mark.parametrize(
    ("name", "samples", "lowest", "lower"),
    [("resnet8-cifar10", 20, 0.80, 0.75), ("efficientnet-lite0", 20, 0.90, 0.85), ("minilm-l6-v2", 200, 0.925, 0.920)],
)
def test_small_targets_are_exact_to_a_sample(name: str, samples: int, lowest: float, lower: float) -> None:
    rules = catalog.load_benchmark(name).rules_of("v6.1")
    assert rules is not None
    (target,) = rules.accuracy
    assert rules.dataset_samples == rules.performance_sample_count == samples
    assert lower < target.lower_limit(samples) <= lowest


def test_bert_has_the_rounds_numbers() -> None:
    for name, lowest in {"bert-99": 89.96526, "bert-99.9": 90.783126}.items():
        benchmark = catalog.load_benchmark(name)
        assert set(benchmark.rules) == set(catalog.rounds())
        for rules in benchmark.rules.values():
            assert rules.accuracy[0].lower_limit(10833) == pytest.approx(lowest, abs=1e-6)
            assert rules.offline_min_samples == rules.performance_sample_count == rules.dataset_samples == 10833
            assert rules.min_queries == {Scenario.SINGLE_STREAM: 1024, Scenario.OFFLINE: 1}
            assert rules.required == {Category.EDGE: (Scenario.SINGLE_STREAM, Scenario.OFFLINE)}
            assert rules.compliance == ("TEST01",)


def test_resnet_left_the_datacenter_after_v5_0() -> None:
    benchmark = catalog.load_benchmark("resnet50")
    assert (benchmark.loadgen_model, benchmark.checker_model) == ("resnet50", "resnet")
    required = {name: set(rules.required) for name, rules in benchmark.rules.items()}
    assert required["v5.0"] == {Category.DATACENTER, Category.EDGE}
    assert required["v5.1"] == required["v6.0"] == required["v6.1"] == {Category.EDGE}
    for rules in benchmark.rules.values():
        assert rules.accuracy[0].lower_limit(50000) == pytest.approx(75.6954, abs=1e-6)
        assert rules.latency_limit_ns == {Scenario.SERVER: 15_000_000}
        assert rules.min_queries[Scenario.SERVER] == 270_336
        assert rules.offline_min_samples == 24_576
        assert rules.compliance == ("TEST01", "TEST04")


@pytest.mark.parametrize("name", sorted(OFFICIAL))
def test_an_official_model_says_what_a_user_must_bring_on_every_device(name: str) -> None:
    offers = catalog.load_benchmark(name).offers
    assert {offer.implementation for offer in offers} >= {"reference", "nvidia"}
    assert {device for offer in offers for device in offer.devices} >= {Device.CPU, Device.CUDA}
    for offer in offers:
        assert any("weights" in need for need in offer.needs)
        assert any("data set" in need for need in offer.needs)
        if Device.CUDA in offer.devices:
            assert any("NVIDIA GPU" in need for need in offer.needs)


def test_only_generic_is_driven_so_far_and_it_takes_models_of_ones_own() -> None:
    ways = {name: catalog.load_implementation(name) for name in catalog.implementation_names()}
    assert [name for name, way in ways.items() if way.drives] == ["generic"]
    assert ways["generic"].custom_models == (".onnx", ".tflite")
    named = {"reference", "nvidia", "intel", "qualcomm", "amd", "redhat", "cpp", "tflite-cpp", "generic"}
    assert set(ways) == named
    assert all(way.user_supplies for way in ways.values() if not way.drives)


def test_an_alias_leads_to_its_model() -> None:
    assert catalog.load_benchmark("resnet") is catalog.load_benchmark("resnet50")


@pytest.mark.parametrize(
    ("load", "name", "says"),
    [
        (catalog.load_benchmark, "bert-9", "unknown model 'bert-9'; did you mean 'bert-99'?"),
        (catalog.load_benchmark, "../rounds/v6.1", "unknown model '../rounds/v6.1'"),
        (catalog.load_round, "v6.11", "unknown round 'v6.11'; did you mean 'v6.1'?"),
        (catalog.load_implementation, "nvida", "unknown implementation 'nvida'; did you mean 'nvidia'?"),
        (catalog.load_asset, "cifar10-2", "unknown asset 'cifar10-2'; did you mean 'cifar10-20'?"),
    ],
)
def test_an_unknown_name_gets_its_nearest_match(load: object, name: str, says: str) -> None:
    assert callable(load)
    with pytest.raises(UsageError) as caught:
        load(name)
    assert caught.value.cause.startswith(says)
    assert caught.value.exit_code == 2
    assert caught.value.hint is not None


def test_only_what_is_named_is_read_and_pydantic_stays_out() -> None:
    code = (
        "import sys; opened = [];"
        "sys.addaudithook(lambda event, a: opened.append(a[0]) if event == 'open' and str(a[0]).endswith('.yaml') "
        "else None);"
        "from orchestrator.config import catalog as c;"
        "b = c.load_benchmark('resnet8-cifar10'); c.load_round('v6.1');"
        "c.load_implementation(b.offers[0].implementation);"
        "print(len(opened), 'pydantic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "3 False"


def test_the_schemas_are_current() -> None:
    folder = package("..", "docs", "schemas")
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    assert found, "docs/schemas is empty"
    assert found == json_schemas(), "run scripts/generate-schemas"


def test_what_does_not_fit_together_is_told(tmp_path: Path) -> None:
    root = tmp_path / "tree" / "orchestrator"
    shutil.copytree(package("catalog"), root / "catalog")
    shutil.copy(shipped("images.yaml"), root.parent)

    def change(file: str, *changes: tuple[str, str]) -> None:
        path = root / "catalog" / f"{file}.yaml"
        text = path.read_text(encoding="utf-8")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")

    change("rounds/v6.0", ("name: v6.0", "name: v6\ndefault: true"), ("2465351861681999779", "2085463073848966840"))
    change("rounds/v5.1", ("loadgen:", "loadgne:"))
    change("assets/cifar10-20", ("[foolbox-pictures]", "[gone]"), ("image: generic-prepare", "image: nowhere"))
    change("implementations/generic", ("[cpu]", "[cuda]"))
    change(
        "benchmarks/resnet50",
        ("aliases: [resnet]", "aliases:\n  - bert-99"),
        ("  v6.1: *rules", "  v9.9: *rules"),
        ("performance_sample_count: 1024", "performance_sample_count: 60000"),
        ("implementation: nvidia", "implementation: nvidea"),
        ("backend: tf", "backend: tff"),
    )
    change(
        "benchmarks/resnet8-cifar10",
        ("MultiStream]", "Interactive]"),
        ("image: generic-tflite", "image: generic-tf"),
        ("model: resnet8-cifar10-tflite", "model: cifar10-20"),
        ("dataset: cifar10-20\n    batch", "dataset: cifar10-21\n    batch"),
        ("    default: true\n", ""),
    )
    code = (
        "import sys; from pathlib import Path; from orchestrator.host import shipped;"
        "shipped._PACKAGE = Path(sys.argv[1]);"
        "from orchestrator.config.consistency import check_catalogue; print(*check_catalogue(), sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", code, str(root)], capture_output=True, text=True, check=True)
    faults = done.stdout.splitlines()
    for expected in (
        "catalog/rounds/v5.1.yaml:4:1: unknown field 'loadgne' in 'v5.1'; did you mean 'loadgen'?",
        "rounds/v6.0.yaml: its name is 'v6', not the file's",
        "rounds: one must be the default, found ['v6.0', 'v6.1']",
        "assets/cifar10-20: is made from 'gone', which does not exist",
        "assets/cifar10-20: is made in the image 'nowhere', which does not exist",
        "benchmarks: write aliases on one line, `aliases: [a, b]`, each for one benchmark only",
        "benchmarks: the alias 'bert-99' is a name",
        "benchmarks/resnet50: has rules for the unknown round 'v9.9'",
        "benchmarks/resnet50: rules of 'v5.0': the performance sample count exceeds the data set",
        "benchmarks/resnet50: offer nvidea/tensorrt: the implementation does not exist",
        "benchmarks/resnet50: offer reference/tff: the implementation does not know this backend",
        "benchmarks/resnet8-cifar10: tests MultiStream, which it does not have",
        "benchmarks/resnet8-cifar10: offer generic/tflite: the implementation has no cpu",
        "benchmarks/resnet8-cifar10: offer generic/tflite: the image 'generic-tf' does not exist",
        "benchmarks/resnet8-cifar10: offer generic/tflite: the asset 'cifar10-20' is a dataset, not a model",
        "benchmarks/resnet8-cifar10: offer generic/tflite: the asset 'cifar10-21' does not exist",
        "benchmarks/resnet8-cifar10: 0 offers are the default for cpu",
    ):
        assert expected in faults


def test_the_catalogue_knows_the_very_options_that_each_backend_of_the_harness_takes() -> None:
    knobs = catalog.load_implementation("generic").knobs
    assert set(knobs) == set(catalog.load_implementation("generic").backends)
    for backend, names in knobs.items():
        tree = ast.parse(package("sut", "backends", f"{backend}.py").read_text())
        (known,) = (
            ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_KNOWN"
        )
        assert {name: values for name, values in names.items() if values} == known
        assert {name for name, values in names.items() if not values} == {"workers", "queue_depth"}
