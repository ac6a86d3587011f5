"""The catalogue loads, fits together, holds the rounds' own numbers, and only what is named is read."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.config import catalog
from orchestrator.config.consistency import check_catalogue
from orchestrator.config.json_schemas import json_schemas
from orchestrator.domain.benchmark import Benchmark, BenchmarkRules, KnobKind
from orchestrator.domain.terms import Category, Scenario, Suite
from orchestrator.errors import UsageError
from orchestrator.host.shipped import package, shipped

SMALL = {"resnet8-cifar10", "efficientnet-lite0", "minilm-l6-v2"}  # four scenarios each
SPEECH_AND_TEXT = {"whisper-tiny", "smollm2-135m"}
OF_ROUNDS = {
    "v4.1": 14,
    "v5.0": 19,
    "v5.1": 19,
    "v6.0": 23,
    "v6.1": 21,
}
RETIRED = {"rnnt": "v4.0", "dlrm-99": "v3.0", "dlrm-99.9": "v3.0", "ssd-mobilenet": "v2.0", "ssd-resnet34": "v2.0"}
FAMILIES = {"mobilenet": 71, "efficientnet": 10}


def benchmarks() -> list[Benchmark]:
    return [catalog.load_benchmark(name) for name in catalog.benchmark_names()]


def rules(name: str, round_name: str) -> BenchmarkRules:
    found = catalog.load_benchmark(name).rules_of(round_name)
    assert found is not None
    return found


def test_the_catalogue_fits_together() -> None:
    assert check_catalogue() == ()


def test_rounds_are_told_apart_by_seeds_and_pin_their_loadgen() -> None:
    assert catalog.rounds() == ("v4.1", "v5.0", "v5.1", "v6.0", "v6.1")
    pins = {name: catalog.load_round(name).loadgen for name in catalog.rounds()}
    assert pins == {"v4.1": "5.0.7", "v5.0": "5.0.21", "v5.1": "6.0.4", "v6.0": "6.0.15", "v6.1": "6.0.17"}
    assert {catalog.load_round(name).min_duration_ms for name in catalog.rounds()} == {600_000}
    assert catalog.load_round("v5.1").seeds.schedule_rng_seed == 18209322760996052031
    assert catalog.load_round().name == catalog.default_round() == "v6.1"


def test_a_round_names_its_revision_and_the_form_of_its_trees() -> None:
    found = [catalog.load_round(name) for name in catalog.rounds()]
    assert all(one.commit is not None and len(one.commit) == 40 for one in found)
    assert [one.layout for one in found] == ["measurements"] * 3 + ["results"] * 2
    assert [one.name for one in found if one.test05_seeds is not None] == ["v4.1"]


def test_models_are_of_the_small_suite_or_official() -> None:
    suites = {one.name: one.suite for one in benchmarks()}
    assert {name for name, suite in suites.items() if suite is Suite.SMALL} == SMALL | SPEECH_AND_TEXT
    assert {name for name, suite in suites.items() if suite is Suite.MLPERF} >= {*RETIRED, *FAMILIES}
    official = {name for name, suite in suites.items() if suite is Suite.MLPERF}
    assert len(official) == 32 + len(RETIRED) + len(FAMILIES)


@pytest.mark.parametrize(("round_name", "count"), OF_ROUNDS.items())
def test_a_round_has_all_its_benchmarks(round_name: str, count: int) -> None:
    found = [one for one in benchmarks() if round_name in one.rules and not one.open_only]
    assert len(found) == count
    for one in found:
        there = one.rules[round_name]
        assert there.required or there.datacenter_edge is not None
        assert there.accuracy
        assert one.family is not None
        assert one.accuracy_script is not None


@pytest.mark.parametrize(("name", "last"), RETIRED.items())
def test_a_retired_benchmark_runs_in_any_round_under_its_last_rules(name: str, last: str) -> None:
    one = catalog.load_benchmark(name)
    assert (one.retired, one.open_only, one.last_round) == (True, True, last)
    assert one.rules_of("v6.1") is one.rules_of("v4.1") is one.rules["any"]


@pytest.mark.parametrize("name", sorted(SMALL))
def test_a_small_model_has_four_scenarios_in_any_round_and_a_way_to_run_each(name: str) -> None:
    benchmark = catalog.load_benchmark(name)
    four = {Scenario.OFFLINE, Scenario.SERVER, Scenario.SINGLE_STREAM, Scenario.MULTI_STREAM}
    for round_name in (*catalog.rounds(), "v9.9"):
        there = benchmark.rules_of(round_name)
        assert there is not None
        assert set(there.scenarios) == four
        assert there.required == {}
    assert set(benchmark.test) == four
    assert benchmark.test[Scenario.SERVER].target_qps is not None
    assert all(catalog.load_implementation(offer.implementation).drives for offer in benchmark.offers)
    assert benchmark.offers[0].implementation == "generic"
    assert benchmark.offers[0].default


@pytest.mark.parametrize(
    ("name", "samples", "lowest", "lower"),
    [("resnet8-cifar10", 20, 0.80, 0.75), ("efficientnet-lite0", 20, 0.90, 0.85), ("minilm-l6-v2", 200, 0.925, 0.920)],
)
def test_small_targets_are_exact_to_a_sample(name: str, samples: int, lowest: float, lower: float) -> None:
    there = rules(name, "v6.1")
    (target,) = there.accuracy
    assert there.dataset_samples == there.performance_sample_count == samples
    assert lower < target.lower_limit(samples) <= lowest


def test_bert_has_the_rounds_numbers() -> None:
    for name, lowest in {"bert-99": 89.96526, "bert-99.9": 90.783126}.items():
        benchmark = catalog.load_benchmark(name)
        assert set(benchmark.rules) == set(catalog.rounds())
        for round_name, there in benchmark.rules.items():
            assert there.accuracy[0].lower_limit(10833) == pytest.approx(lowest, abs=1e-6)
            assert there.offline_min_samples == there.performance_sample_count == there.dataset_samples == 10833
            if round_name == "v4.1":
                assert there.latency_limit_ns == {Scenario.SERVER: 130_000_000}
                assert there.compliance == ("TEST01", "TEST05")
                continue
            assert there.min_queries == {Scenario.SINGLE_STREAM: 1024, Scenario.OFFLINE: 1}
            assert there.required == {Category.EDGE: (Scenario.SINGLE_STREAM, Scenario.OFFLINE)}
            assert there.compliance == ("TEST01",)
    assert set(rules("bert-99.9", "v4.1").required) == {Category.DATACENTER}


def test_resnet_left_the_datacenter_after_v5_0() -> None:
    benchmark = catalog.load_benchmark("resnet50")
    assert (benchmark.loadgen_model, benchmark.checker_model) == ("resnet50", "resnet")
    required = {name: set(there.required) for name, there in benchmark.rules.items()}
    assert required["v4.1"] == required["v5.0"] == {Category.DATACENTER, Category.EDGE}
    assert required["v5.1"] == required["v6.0"] == required["v6.1"] == {Category.EDGE}
    for round_name, there in benchmark.rules.items():
        assert there.accuracy[0].lower_limit(50000) == pytest.approx(75.6954, abs=1e-6)
        assert there.latency_limit_ns == {Scenario.SERVER: 15_000_000}
        assert there.min_queries[Scenario.SERVER] == 270_336
        assert there.offline_min_samples == 24_576
        assert there.compliance[:2] == ("TEST01", "TEST04")
        assert (there.compliance[2:] == ("TEST05",)) == (round_name == "v4.1")


def test_a_language_model_is_limited_by_its_tokens_and_interactive_has_a_name_of_its_own() -> None:
    there = rules("llama2-70b-99.9", "v6.1")
    limits = {scenario: (one.ttft_ns, one.tpot_ns) for scenario, one in there.token_limits.items()}
    assert limits == {
        Scenario.SERVER: (2_000_000_000, 200_000_000),
        Scenario.INTERACTIVE: (450_000_000, 40_000_000),
    }
    assert there.loadgen_model == {Scenario.INTERACTIVE: "llama2-70b-interactive"}
    assert there.one_of == {Category.DATACENTER: (Scenario.SERVER, Scenario.INTERACTIVE)}
    assert (there.token_latencies, there.equal_issue) == ("measured", True)
    length = there.accuracy[-1]
    assert length.bounds(there.dataset_samples) == "TOKENS_PER_SAMPLE 265.005 to 323.895"


def test_bounds_without_a_reference_are_bounds_all_the_same() -> None:
    there = rules("stable-diffusion-xl", "v6.1")
    clip, fid = there.accuracy
    assert clip.bounds(5000) == "CLIP_SCORE 31.6863 to 31.8133"
    assert fid.lower_limit(5000) == pytest.approx(23.01085758)
    assert fid.lower_is_better
    upper_only = rules("gpt-oss-120b", "v6.1").accuracy[-1]
    assert upper_only.bounds(4395) == "TOKENS_PER_SAMPLE <= 10998.9"
    assert upper_only.lower_limit(4395) <= 0
    assert rules("mobilenet", "v6.1").accuracy[0].bounds(50_000) == "acc, no limit"


def test_what_differs_in_one_scenario_stands_there_only() -> None:
    there = rules("qwen3-vl-235b-a22b", "v6.1")
    assert there.targets(Scenario.OFFLINE) == there.accuracy
    assert there.targets(Scenario.INTERACTIVE)[0].reference == 0.7878
    assert there.accuracy_count(Scenario.SERVER) == 48_289
    assert there.accuracy_count(Scenario.INTERACTIVE) == 8_000
    assert rules("gpt-oss-120b", "v6.1").accuracy_count(Scenario.OFFLINE) == 4_395
    assert rules("pointpainting", "v6.0").percentile == {Scenario.SINGLE_STREAM: 99.9}
    assert rules("e2e-rag-db", "v6.1").min_duration_ms == 0


@pytest.mark.parametrize(("name", "members"), FAMILIES.items())
def test_a_member_of_a_family_is_run_by_its_published_name(name: str, members: int) -> None:
    family = catalog.load_benchmark(name)
    assert family.open_only
    assert len(family.variants) == members
    for member in family.variants:
        one = catalog.load_benchmark(member)
        (variant,) = one.variants.values()
        assert (one.name, one.family) == (member, name)
        assert variant.model is not None
        assert catalog.load_asset(variant.model).files
        assert all(offer.model == variant.model for offer in one.offers)


def test_every_offer_names_the_material_or_says_what_a_user_must_bring() -> None:
    offers = [(one.name, offer) for one in benchmarks() for offer in one.offers if one.suite is Suite.MLPERF]
    assert offers
    for name, offer in offers:
        assert (offer.model and offer.dataset) or offer.needs, (name, offer.implementation)


def test_the_named_implementations_are_there_and_generic_takes_models_of_ones_own() -> None:
    ways = {name: catalog.load_implementation(name) for name in catalog.implementation_names()}
    named = {"reference", "nvidia", "intel", "qualcomm", "amd", "redhat", "cpp", "tflite-cpp", "generic"}
    assert set(ways) >= named
    assert ways["generic"].drives
    assert set(ways["generic"].custom_models) >= {".onnx", ".tflite"}
    assert all(way.user_supplies for way in ways.values() if not way.drives)


def test_an_alias_leads_to_its_model() -> None:
    assert catalog.load_benchmark("resnet") is catalog.load_benchmark("resnet50")
    assert catalog.load_benchmark("llama3_1-8b").name == "llama3.1-8b"


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
def test_an_unknown_name_gets_its_nearest_match(load: Callable[[str], object], name: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(name)
    assert caught.value.cause.startswith(says)
    assert caught.value.exit_code == 2
    assert caught.value.hint is not None


@pytest.mark.parametrize("model", ["resnet8-cifar10", "bert-99"])
def test_only_what_is_named_is_read_and_pydantic_stays_out(model: str) -> None:
    code = (
        "import sys; opened = [];"
        "sys.addaudithook(lambda event, a: opened.append(str(a[0])) if event == 'open' and str(a[0]).endswith('.yaml') "
        "else None);"
        "from orchestrator.config import catalog as c;"
        "b = c.load_benchmark(sys.argv[1]); c.load_round('v6.1');"
        "c.load_implementation(b.offers[0].implementation);"
        "print('pydantic' in sys.modules, *opened, sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", code, model], capture_output=True, text=True, check=True)
    pydantic, *opened = done.stdout.splitlines()
    assert pydantic == "False"
    family = catalog.load_benchmark(model).family or model
    sheets = [f"{folder}/{name}" for folder, name in catalog.offer_files() if name == family]
    assert len(opened) == len(set(opened)) == 3 + len(sheets)


def test_the_schemas_are_current() -> None:
    folder = package("..", "docs", "schemas")
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    assert found, "docs/schemas is empty"
    assert found == json_schemas(), "run scripts/generate-schemas"


def test_the_catalogue_knows_the_very_options_that_each_backend_of_the_harness_takes() -> None:
    knobs = catalog.load_implementation("generic").knobs
    assert {name for name, one in knobs["any"].items() if one.kind is KnobKind.WHOLE} >= {"workers", "queue_depth"}
    backends = catalog.load_implementation("generic").backends
    assert set(knobs) - {"any"} <= set(backends)
    read = (*package("sut").rglob("*.py"), *package("implementations").glob("generic*.py"))
    everywhere = "".join(path.read_text() for path in read)  # options that are no choices are read one by one
    for backend in backends:
        text = package("sut", "backends", f"{backend}.py").read_text()
        listed = [
            ast.literal_eval(node.value)
            for node in ast.parse(text).body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_KNOWN"
        ]
        own = knobs.get(backend, {})
        known = {name: values for each in listed for name, values in each.items()}
        assert {name: one.values for name, one in own.items() if name in known} == known
        assert [name for name in own if name not in known and f'"{name}"' not in everywhere] == []


def test_what_does_not_fit_together_is_told(tmp_path: Path) -> None:
    root = tmp_path / "tree" / "orchestrator"
    shutil.copytree(package("catalog"), root / "catalog")
    shutil.copy(shipped("images.yaml"), root.parent)

    def change(file: str, *changes: tuple[str, str]) -> None:
        path = root / "catalog" / f"{file}.yaml"
        text = path.read_text(encoding="utf-8")
        for old, new in changes:
            assert old in text, (file, old)
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")

    change("rounds/v6.0", ("name: v6.0", "name: v6\ndefault: true"), ("2465351861681999779", "2085463073848966840"))
    change("rounds/v5.1", ("loadgen:", "loadgne:"))
    change("rounds/v5.0", ("layout: measurements", "layout: tidy"), ("\ncommit: e618", "\ncommit: e6x8"))
    change("assets/cifar10-20", ("[foolbox-pictures]", "[gone]"), ("image: generic-prepare", "image: nowhere"))
    change("assets/bert-vocab", ("    - https://", "    - "), ("64800d5d", "64800d5"))
    change("assets/rgat-fp32", ("rgat-model.uri", "rgat-model"))
    change("assets/waymo", ("redistributable: false", "redistributable: true"))
    change("implementations/generic", ("[cpu]", "[cuda]"))
    change(
        "benchmarks/resnet50",
        ("aliases: [resnet]", "aliases:\n  - bert-99"),
        ("  v6.1: *r5_1", "  v9.9: *r5_1"),
        ("performance_sample_count: 1024", "performance_sample_count: 60000"),
        ("[TEST01, TEST04]", "[TEST01, TEST99]"),
        ("acc: '^(?:", "acc: '^(("),
    )
    change(
        "benchmarks/llama2-70b-99.9",
        ("tpot_ns: 40000000", "tpot_ns: 400000000000"),
        ("optional: {datacenter: [Server, Interactive]}", "optional: {datacenter: [Server]}"),
        ("dataset: open-orca", "dataset: open-orcas"),
        ('"{model}"', '"{modell}"'),
    )
    change("benchmarks/rnnt", ("last_round: v4.0\n", ""), ("{metric: WER, reference: 92.548, ", "{metric: CER, "))
    change("benchmarks/whisper", ("{metric: ACCURACY, reference: 97.9329, multiplier: 0.99}", "{metric: ACCURACY}"))
    change("benchmarks/efficientnet", ("efficientnet-lite4-tflite, file", "efficientnet-lite9-tflite, file"))
    change(
        "benchmarks/resnet8-cifar10",
        ("MultiStream]", "Interactive]"),
        ("image: generic-tflite", "image: generic-tf"),
        ("model: resnet8-cifar10-tflite", "model: cifar10-20"),
        ("dataset: cifar10-20\n    batch", "dataset: cifar10-21\n    batch"),
    )
    change(
        "benchmarks/minilm-l6-v2",
        ("backend: openvino", "backend: openvinno"),
        ("implementation: gen", "implementation: jen"),
    )
    sheet = root / "catalog" / "offers" / "generic" / "bart.yaml"
    sheet.parent.mkdir(parents=True, exist_ok=True)
    sheet.write_text("family: bert\nbenchmarks: [bert-98]\noffers: []\n")
    code = (
        "import sys; from pathlib import Path; from orchestrator.host import shipped;"
        "shipped._PACKAGE = Path(sys.argv[1]);"
        "from orchestrator.config.consistency import check_catalogue; print(*check_catalogue(), sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", code, str(root)], capture_output=True, text=True, check=True)
    faults = done.stdout.splitlines()
    missing = [expected for expected in FAULTS if expected not in faults]
    assert not missing, "\n".join(faults)


FAULTS = (
    "catalog/rounds/v5.1.yaml:4:1: unknown field 'loadgne' in 'v5.1'; did you mean 'loadgen'?",
    "rounds/v6.0.yaml: its name is 'v6', not the file's",
    "rounds: one must be the default, found ['v6.0', 'v6.1']",
    "rounds/v5.0: the layout 'tidy' is none of ['measurements', 'results']",
    "rounds/v5.0: 'e6x8c314fc3c323e9b3e82578ce3774e72d9ac2b' is not a full commit id",
    "assets/cifar10-20: is made from 'gone', which does not exist",
    "assets/cifar10-20: is made in the image 'nowhere', which does not exist",
    "assets/bert-vocab: 'zenodo.org/record/3733868/files/vocab.txt' is no web address",
    "assets/bert-vocab: its md5 is not one",
    "assets/rgat-fp32: 'https://inference.mlcommons-storage.org/metadata/rgat-model' is no metadata file of a bucket "
    "(https://….uri)",
    "assets/waymo: is gated, so it is not redistributable",
    "benchmarks: write aliases on one line, `aliases: [a, b]`, each for one benchmark only",
    "benchmarks: the alias 'bert-99' is a name",
    "benchmarks/resnet50: has rules for the unknown round 'v9.9'",
    "benchmarks/resnet50: rules of 'v5.0': the performance sample count exceeds the data set",
    "benchmarks/resnet50: rules of 'v5.0': the compliance test 'TEST99' does not exist",
    "benchmarks/llama2-70b-99.9: rules of 'v6.1': token limits of Interactive: a further token may not take as long as "
    "the first",
    "benchmarks/llama2-70b-99.9: rules of 'v6.1': datacenter: one of Server, Interactive is asked, but they are "
    "not optional",
    "benchmarks/llama2-70b-99.9: its data set, the asset 'open-orcas', does not exist",
    "benchmarks/llama2-70b-99.9: accuracy_script: nothing fills in '{modell}'",
    "benchmarks/rnnt: only a retired benchmark has a last_round, and it must",
    "benchmarks/rnnt: rules of 'any': the accuracy of WER may differ, but it is no metric",
    "benchmarks/whisper: rules of 'v6.1': ACCURACY has neither a reference nor a limit",
    "benchmarks/rnnt: accuracy_script: no line for CER",
    "benchmarks/efficientnet: variant efficientnet-fp32-lite4: there is no model 'efficientnet-lite9-tflite'",
    "benchmarks/resnet8-cifar10: tests MultiStream, which it does not have",
    "benchmarks/resnet8-cifar10: offer generic/tflite: the implementation has no cpu",
    "benchmarks/resnet8-cifar10: offer generic/tflite: the image 'generic-tf' does not exist",
    "benchmarks/resnet8-cifar10: offer generic/tflite: the asset 'cifar10-20' is a dataset, not a model",
    "benchmarks/resnet8-cifar10: offer generic/tflite: the asset 'cifar10-21' does not exist",
    "benchmarks/minilm-l6-v2: offer jeneric/openvinno: the implementation does not exist",
    "offers/generic/bart: no benchmark is of the family 'bart'",
    "offers/generic/bart: its family is 'bert', not the file's",
    "offers/generic/bart: 'bert-98' is not of this family",
    "offers/generic/bart: offers nothing",
)
