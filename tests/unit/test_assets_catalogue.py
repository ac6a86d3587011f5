"""The shipped assets: all there, pinned, and made from what exists by steps that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.assets.store import CacheStore
from orchestrator.config.catalog import asset_names, benchmark_names, load_asset, load_benchmark
from orchestrator.config.consistency_assets import asset_faults
from orchestrator.config.images import image_entries
from orchestrator.controller.assets import every_asset
from orchestrator.controller.space import contents_bytes
from orchestrator.domain.asset import AssetKind
from orchestrator.domain.source import (
    Bucket,
    Download,
    GitTree,
    HuggingFace,
    Prepared,
    PypiPackage,
    Scripted,
    UserSupplied,
    is_fetched,
)
from orchestrator.errors import UsageError
from orchestrator.preparation.__main__ import STEPS
from tests.unit.assets_wheels import refuse

SMALL_SUITE = {
    "resnet8-cifar10-tflite",
    "efficientnet-lite0-weights",
    "efficientnet-lite0-onnx",
    "minilm-l6-v2-int8-onnx",
    "minilm-l6-v2-tokenizer",
    "foolbox-pictures",
    "gensim-newsgroups",
    "cifar10-20",
    "imagenet-20",
    "newsgroups-200",
    "smollm2-135m-gguf",
    "smollm2-135m-ctranslate2",
    "countryinfo-countries",
    "capitals-64",
    "whisper-tiny-en-ctranslate2",
    "spoken-prompts-32",
    "efficientnet-lite0-torch",
}
SHA256 = re.compile(r"^[0-9a-f]{64}$")


def test_the_small_suite_has_its_assets() -> None:
    assert set(asset_names()) >= SMALL_SUITE


@pytest.mark.parametrize("name", sorted(SMALL_SUITE))
def test_every_small_asset_is_pinned(name: str, tmp_path: Path) -> None:
    asset = load_asset(name)
    assert asset.name == name
    assert asset.licence
    if isinstance(asset.source, PypiPackage):
        assert SHA256.match(asset.source.sha256)
        assert asset.source.filename.endswith(".whl")
        pins = {item.name: item.sha256 for item in asset.files}
        assert pins == {item.name: item.sha256 for item in asset.source.members if item.sha256 is not None}
    else:
        assert asset.files
    assert all(item.sha256 is not None and SHA256.match(item.sha256) and item.size_bytes for item in asset.files)
    planned = CacheStore(tmp_path, prepare=refuse).plan(asset, load_asset)
    assert planned[-1].asset is asset
    assert all(not item.present for item in planned)


@pytest.mark.parametrize("name", sorted(SMALL_SUITE))
def test_every_preparation_step_exists(name: str) -> None:
    source = load_asset(name).source
    if isinstance(source, Prepared):
        assert source.step in STEPS
        assert source.image in {
            *("generic-prepare", "generic-prepare-speech"),
            *("generic-ctranslate2", "generic-pytorch"),
        }
        assert {load_asset(item).kind for item in source.inputs} <= {AssetKind.MATERIAL}
        assert source.inputs or source.image == "generic-prepare-speech"  # whose material is in the image


@pytest.mark.parametrize(
    "name", ["foolbox-pictures", "gensim-newsgroups", "cifar10-20", "imagenet-20", "newsgroups-200"]
)
def test_pictures_and_texts_with_owners_are_never_passed_on(name: str) -> None:
    assert not load_asset(name).redistributable


# -- the benchmarks' own material: described here, fetched by whoever may -------------------------------------------

OFFICIAL = {
    *("bert-large-onnx", "bert-large-onnx-int8", "bert-large-pytorch", "bert-large-tf", "bert-vocab", "squad-v1.1-dev"),
    *("resnet50-onnx", "resnet50-tf", "resnet50-pytorch", "resnet50-tflite", "imagenet-2012-val"),
    *("retinanet-onnx", "retinanet-pytorch", "openimages-v6-mlperf", "3d-unet-onnx", "3d-unet-pytorch", "kits19"),
    *("dlrm-v2-pytorch", "criteo-1tb-multihot", "dlrm-v3", "dlrm-v3-streaming", "gptj-pytorch", "cnn-dailymail-v3"),
    *("llama2-70b-chat", "open-orca", "llama3.1-8b-instruct", "llama3.1-405b-instruct", "llama3.1-405b-mixed"),
    *("mixtral-8x7b-instruct", "mixtral-mixed", "sdxl-fp32", "sdxl-fp16", "coco-2014-1024", "rgat-fp32", "igbh-full"),
    *("pointpainting-pytorch", "pointpainting-onnx", "waymo", "deepseek-r1", "deepseek-r1-mixed"),
    *("whisper-large-v3", "librispeech-dev", "librispeech-dev-clean", "rnnt-pytorch", "gpt-oss-120b", "gpt-oss-mixed"),
    *("wan-2.2-t2v-a14b", "vbench-prompts", "qwen3-vl-235b-a22b", "shopify-catalogue", "qwen3.6-27b"),
    *("yolo11-pytorch", "coco-2017-safe", "frames-benchmark"),
}
GATED = {
    *(
        "imagenet-2012-val-archive",
        "waymo",
        "pointpainting-pytorch",
        "pointpainting-onnx",
        "criteo-1tb",
        "criteo-1tb-multihot",
    ),
    *("llama2-70b-chat", "llama3.1-8b-instruct", "llama3.1-405b-instruct"),
}
EVERY = asset_names()


def test_the_benchmarks_have_their_material() -> None:
    assert set(EVERY) >= OFFICIAL


def test_every_asset_keeps_to_the_form() -> None:
    assets = {name: load_asset(name) for name in EVERY}
    assert len(assets) > 200
    assert list(asset_faults(assets, image_entries())) == []


@pytest.mark.parametrize("name", EVERY)
def test_every_asset_says_where_it_comes_from_how_big_it_is_and_under_which_terms(name: str) -> None:
    asset = load_asset(name)
    assert asset.name == name
    assert asset.licence.strip()
    match asset.source:
        case Bucket() as source:
            assert re.match(r"^https://[a-z0-9.-]+\.mlcommons-storage\.org/metadata/[\w.-]+\.uri$", source.uri)
        case UserSupplied() as source:
            assert len(source.how.split()) > 4
        case Prepared() | Scripted():
            assert is_fetched(asset.source)
            return  # what is made here is as big as it comes out
        case source:
            assert is_fetched(source)
    assert contents_bytes(asset)
    assert asset.transfer_bytes


def test_what_is_gated_says_where_to_apply_and_is_never_passed_on() -> None:
    gated = {name for name in EVERY if load_asset(name).gate is not None}
    assert gated >= GATED
    for name in gated:
        asset = load_asset(name)
        assert not asset.redistributable
        assert asset.gate is not None
        assert asset.gate.apply_at.startswith("https://"), name


def test_weights_of_a_gated_hub_repository_are_gated() -> None:
    found = [asset for asset in map(load_asset, EVERY) if isinstance(asset.source, HuggingFace)]
    llamas = [asset for asset in found if asset.source.repository.startswith("meta-llama/")]  # type: ignore[union-attr]
    assert llamas
    assert all(asset.gate is not None and "HF_TOKEN" in asset.gate.text for asset in llamas)


def test_a_download_is_held_to_exact_sizes_only() -> None:
    downloads = [(asset, asset.source) for asset in map(load_asset, EVERY) if isinstance(asset.source, Download)]
    held = {asset.name: source.size_bytes for asset, source in downloads if source.size_bytes is not None}
    assert len(held) > 15
    assert [name for name, size in held.items() if size % 100_000 == 0] == []  # a round figure is a guess
    assert sum(asset.size_estimated for asset, _ in downloads) > 50


def test_every_benchmark_has_its_calibration_lists() -> None:
    lists = {asset.name for asset in map(load_asset, EVERY) if (asset.note or "").startswith("calibration list")}
    used = {name for model in benchmark_names() for name in load_benchmark(model).calibration}
    assert used >= lists
    assert load_benchmark("bert-99").calibration == ("squad-calibration-features", "squad-calibration-questions")


def test_all_calibration_lists_come_with_one_command() -> None:
    asset = load_asset("calibration-lists")
    assert isinstance(asset.source, GitTree)
    assert asset.source.paths == ("calibration",)


@pytest.mark.parametrize(
    ("alias", "name"),
    [("squad-v1.1", "squad-v1.1-dev"), ("imagenet", "imagenet-2012-val"), ("openimages", "openimages-v6-mlperf")],
)
def test_a_data_set_answers_to_the_names_that_people_type(alias: str, name: str) -> None:
    assert load_asset(alias) is load_asset(name)


def test_the_first_samples_of_a_data_set_are_an_asset_of_their_own() -> None:
    part = load_asset("imagenet@500")
    assert part.name == "imagenet-2012-val@500"
    assert isinstance(part.source, Prepared)
    assert part.source.inputs == ("imagenet-2012-val",)
    assert dict(part.source.parameters) == {"form": "list", "index": "val_map.txt", "folder": ".", "count": "500"}
    assert part.source.step in STEPS
    assert part.licence == load_asset("imagenet").licence
    assert part.key() != load_asset("imagenet@501").key()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("imagenet@0", "'0' is no number of samples"),
        ("imagenet@", "'' is no number of samples"),
        ("imagenet@5e3", "'5e3' is no number of samples"),
        ("imagenet@-1", "'-1' is no number of samples"),
        ("imagenet@007", "'007' is no number of samples"),
        ("imagenet@²", "'²' is no number of samples"),
        ("imagenet@99999999999", "'99999999999' is no number of samples"),
        ("deepseek-r1-mixed@5", "cannot be cut to 5 samples"),
        ("bert-large-onnx@5", "cannot be cut to 5 samples"),
        ("imagenett@5", "did you mean 'imagenet'?"),
        ("squad-v1.2", "did you mean 'squad-v1.1'?"),
        ("../rounds/v6.1", "unknown asset '../rounds/v6.1'"),
    ],
)
def test_a_name_that_is_none_is_told_with_what_was_meant(name: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_asset(name)
    assert says in caught.value.cause
    assert caught.value.hint


def test_calibration_lists_are_pinned_to_a_byte() -> None:
    lists = [asset for asset in map(load_asset, EVERY) if (asset.note or "").startswith("calibration list")]
    assert len(lists) >= 12
    for asset in lists:
        assert isinstance(asset.source, Download), asset.name
        (file,) = asset.files
        assert asset.kind is AssetKind.MATERIAL
        assert file.sha256 == asset.source.sha256
        assert file.size_bytes == asset.source.size_bytes is not None


def test_every_benchmarks_data_set_is_an_asset() -> None:
    for name in benchmark_names():
        assert load_asset(load_benchmark(name).dataset).kind is AssetKind.DATASET


def test_every_asset_can_be_planned_and_costs_what_its_sources_cost(tmp_path: Path) -> None:
    store = CacheStore(tmp_path, prepare=refuse)
    for name in EVERY:
        plan = store.plan(load_asset(name), load_asset)
        assert plan[-1].asset.name == name
        assert not any(item.present for item in plan)
        for item in plan:
            made = isinstance(item.asset.source, Prepared | Scripted)
            assert item.fetch_bytes or made or any(item.asset.source == other.asset.source for other in plan[:-1]), name
    assert not any(tmp_path.iterdir())


def test_every_way_to_run_a_model_names_assets_that_it_can_have() -> None:
    ways = 0
    for model in benchmark_names():
        benchmark = load_benchmark(model)
        names = every_asset(benchmark)
        assert benchmark.dataset in names
        assert set(names) <= set(EVERY)
        for offer in benchmark.offers:
            ways += 1
            assert {offer.model, offer.dataset, *offer.assets} - {None} <= set(names)
    assert ways > 60
