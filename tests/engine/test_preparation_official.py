"""Steps of this program for official data sets, in their real image, on generated stand-ins of the raw layout."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from orchestrator.config.catalog import default_round, load_asset
from orchestrator.config.settings_layers import load_settings
from orchestrator.controller.connect import connect_to
from orchestrator.domain.asset import Asset
from orchestrator.domain.image import ImageChoice
from orchestrator.domain.ports import Assets
from orchestrator.domain.source import LocalPath, Prepared
from orchestrator.domain.terms import EngineName
from tests.e2e import reference_material
from tests.unit.test_preparation_imagenet import NAMES, archive, labels

pytestmark = pytest.mark.engine


@pytest.fixture
def assets(docker_url: str, tmp_path: Path) -> Assets:
    assert docker_url
    settings = load_settings({"cache_dir": str(tmp_path / "cache")}, environ={}, cwd=tmp_path, home=tmp_path)
    return connect_to(EngineName.DOCKER, settings, round_name=default_round(), choice=ImageChoice()).assets


def given(**places: Path) -> Callable[[str], Asset]:
    """A catalogue in which these assets are the user's own."""
    known = {name.replace("_", "-"): path for name, path in places.items()}

    def load(name: str) -> Asset:
        asset = load_asset(name)
        return replace(asset, files=(), layout=(), source=LocalPath(path=known[name])) if name in known else asset

    return load


def make(assets: Assets, asset: Asset, catalogue: Callable[[str], Asset]) -> tuple[Path, list[str]]:
    said: list[str] = []
    return [assets.ensure(each, say=said.append) for each in assets.plan(asset, catalogue)][-1].path, said


def test_imagenet_is_unpacked_and_labelled_once_and_cut_to_a_calibration_set(assets: Assets, tmp_path: Path) -> None:
    catalogue = given(
        **{"imagenet-2012-val-archive": archive(tmp_path / "tar"), "imagenet-aux": labels(tmp_path / "aux")}
    )
    whole = load_asset("imagenet-2012-val")
    few = replace(cast(Prepared, whole.source), parameters=(("count", str(len(NAMES))),))
    asset = replace(whole, layout=(), source=few)
    place, said = make(assets, asset, catalogue)
    assert (place / "val_map.txt").read_text().startswith(f"{NAMES[0]} 0\n")
    assert {path.name for path in place.glob("*.JPEG")} == set(NAMES)
    assert any("imagenet-2012-val" in line for line in said)
    assert make(assets, asset, catalogue) == (place, [])
    (tmp_path / "list").mkdir()
    (tmp_path / "list" / "cal_image_list_option_1.txt").write_text(f"{NAMES[2]}\n")
    listed = load_asset("imagenet-calibration-pictures-1")
    one = replace(cast(Prepared, listed.source), parameters=(("count", "1"),))
    chosen = given(**{"imagenet-2012-val": place, "imagenet-calibration-1": tmp_path / "list"})
    calibration, _ = make(assets, replace(listed, layout=(), source=one), chosen)
    assert (calibration / "val_map.txt").read_text() == f"{NAMES[2]} 14\n"


def test_the_first_questions_of_squad_are_cut_out_of_it(assets: Assets, tmp_path: Path) -> None:
    whole = reference_material.squad(tmp_path / "squad")
    place, _ = make(assets, load_asset("squad-v1.1-dev@4"), given(**{"squad-v1.1-dev": whole}))
    document = json.loads((place / "dev-v1.1.json").read_text())
    questions = [each["id"] for article in document["data"] for part in article["paragraphs"] for each in part["qas"]]
    assert questions == ["question-0-0", "question-0-1", "question-0-2", "question-1-0"]
