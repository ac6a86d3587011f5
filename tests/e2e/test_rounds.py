"""Every round with its own LoadGen: the seeds of its log are the round's, and the harness works with each version."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.config.catalog import load_round
from tests.e2e.command import call

pytestmark = [pytest.mark.engine, pytest.mark.slow]


@pytest.mark.parametrize("name", ["v4.1", "v5.0", "v5.1", "v6.0"])
def test_a_round_runs_with_its_own_loadgen(tmp_path: Path, name: str) -> None:
    called = call(
        tmp_path, "run", "--model", "resnet8-cifar10", "--round", name, "--scenario", "all", "--mode", "all", "--json"
    )
    assert called.code == 0, called.stderr
    runs = called.document["runs"]
    assert len(runs) == 8
    round_ = load_round(name)
    for run in runs:
        assert run["verdict"]["clean"], run["verdict"]["reasons"]
        assert run["loadgen"]["version"].split(" ")[0] == round_.loadgen
        assert run["loadgen"]["qsl_rng_seed"] == round_.seeds.qsl_rng_seed
        assert run["loadgen"]["sample_index_rng_seed"] == round_.seeds.sample_index_rng_seed
        assert run["loadgen"]["schedule_rng_seed"] == round_.seeds.schedule_rng_seed
