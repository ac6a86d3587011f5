"""The shipped assets: all there, pinned, and made from what exists by steps that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.assets.store import CacheStore
from orchestrator.config.catalog import asset_names, load_asset
from orchestrator.domain.asset import AssetKind, Prepared, PypiPackage
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
        assert source.image == "generic-prepare"
        assert {load_asset(item).kind for item in source.inputs} == {AssetKind.MATERIAL}


@pytest.mark.parametrize(
    "name", ["foolbox-pictures", "gensim-newsgroups", "cifar10-20", "imagenet-20", "newsgroups-200"]
)
def test_pictures_and_texts_with_owners_are_never_passed_on(name: str) -> None:
    assert not load_asset(name).redistributable
