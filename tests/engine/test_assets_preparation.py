"""The real assets of the small suite: fetched by the real pip, prepared in the real container, as pinned."""

from __future__ import annotations

import os

import pytest

from orchestrator.config.catalog import default_round, load_asset
from orchestrator.config.settings_layers import load_settings
from orchestrator.controller.connect import connect_to
from orchestrator.domain.image import ImageChoice
from orchestrator.domain.ports import Assets
from orchestrator.domain.terms import EngineName

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def assets(docker_url: str, tmp_path_factory: pytest.TempPathFactory) -> Assets:
    assert docker_url
    cache = tmp_path_factory.mktemp("assets-cache")
    settings = load_settings({"cache_dir": str(cache)}, environ={}, cwd=cache, home=cache)
    return connect_to(EngineName.DOCKER, settings, round_name=default_round(), choice=ImageChoice()).assets


@pytest.mark.parametrize(
    "name",
    [
        *("cifar10-20", "imagenet-20", "efficientnet-lite0-onnx", "newsgroups-200"),
        *("capitals-64", "smollm2-135m-ctranslate2"),
        pytest.param("spoken-prompts-32", marks=pytest.mark.slow),
        pytest.param("efficientnet-lite0-torch", marks=pytest.mark.thorough),
    ],
)
def test_a_prepared_asset_comes_out_as_pinned(assets: Assets, name: str) -> None:
    asset = load_asset(name)
    said: list[str] = []
    ready = [assets.ensure(planned, say=said.append) for planned in assets.plan(asset, load_asset)][-1]
    assert ready.trust == "pinned"
    assert {file.name: file.sha256 for file in ready.files} == {file.name: file.sha256 for file in asset.files}
    assert {(ready.path / file.name).stat().st_uid for file in ready.files} == {os.geteuid()}
    assert any(asset.name in line for line in said)
