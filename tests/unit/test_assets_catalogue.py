"""The shipped assets: all there, pinned, and made from what exists by steps that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.assets.store import CacheStore
from orchestrator.config.catalog import asset_names, benchmark_names, load_asset, load_benchmark
from orchestrator.domain.asset import AssetKind
from orchestrator.domain.source import Bucket, Download, HuggingFace, Prepared, PypiPackage, UserSupplied
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
    *("imagenet-2012-val", "waymo", "pointpainting-pytorch", "pointpainting-onnx", "criteo-1tb", "criteo-1tb-multihot"),
    *("llama2-70b-chat", "llama3.1-8b-instruct", "llama3.1-405b-instruct"),
}
EVERY = asset_names()


def test_the_benchmarks_have_their_material() -> None:
    assert set(EVERY) >= OFFICIAL


@pytest.mark.parametrize("name", EVERY)
def test_every_asset_says_where_it_comes_from_and_under_which_terms(name: str) -> None:
    asset = load_asset(name)
    assert asset.name == name
    assert asset.licence.strip()
    source = asset.source
    match source:
        case Download():
            assert source.urls
            assert all(url.startswith(("https://", "http://")) for url in source.urls)
        case Bucket():
            assert re.match(r"^https://[a-z0-9.-]+\.mlcommons-storage\.org/metadata/[\w.-]+\.uri$", source.uri)
        case HuggingFace():
            assert source.repository.count("/") == 1
            assert source.revision is None or re.match(r"^[0-9a-f]{40}$", source.revision)
        case UserSupplied():
            assert len(source.how.split()) > 4
        case PypiPackage() | Prepared():
            pass
        case _:
            pytest.fail(f"{name} comes from a place of this machine")


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


def test_a_size_that_nobody_published_is_marked() -> None:
    sized = [asset for asset in map(load_asset, EVERY) if getattr(asset.source, "size_bytes", None) is not None]
    assert sum(asset.size_estimated for asset in sized) > 20
    unmarked = [asset for asset in map(load_asset, EVERY) if asset.size_estimated and asset not in sized]
    assert unmarked == []


def test_calibration_lists_are_pinned_to_a_byte() -> None:
    lists = [asset for asset in map(load_asset, EVERY) if (asset.note or "").startswith("calibration list")]
    assert len(lists) >= 12
    for asset in lists:
        assert isinstance(asset.source, Download)
        (file,) = asset.files
        assert asset.kind is AssetKind.MATERIAL
        assert file.sha256 == asset.source.sha256
        assert file.size_bytes == asset.source.size_bytes is not None


def test_every_benchmarks_data_set_is_an_asset() -> None:
    for name in benchmark_names():
        assert load_asset(load_benchmark(name).dataset).kind is AssetKind.DATASET
