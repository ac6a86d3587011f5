"""`datasets get NAME@N` on a real engine: the whole from a web server on loopback, the part made in a container."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from orchestrator.host import process
from tests.unit.asset_shelf import shelf

pytestmark = pytest.mark.engine


def test_the_first_samples_of_a_data_set_come_by_one_command(docker_url: str, tmp_path: Path) -> None:
    samples = [f"sample {number}" for number in range(10)]
    with shelf(tmp_path / "catalog") as shop:
        shop.file("numbers", json.dumps(samples).encode(), subset={"form": "json", "index": "numbers.json"})
        command = [sys.executable, "-m", "orchestrator.cli", "datasets", "get", "numbers@3"]
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("MLPERF_DOCKER_")},
            "DOCKER_HOST": docker_url,
            "MLPERF_DOCKER_CACHE": str(tmp_path / "cache"),
            "MLPERF_DOCKER_CATALOG": str(shop.catalog),
        }
        first = process.run([*command], environment=environment, timeout_s=300)
        assert first.ok, first.stderr
        asked = len(shop.asked)
        second = process.run([*command], environment=environment, timeout_s=60)
        assert (second.stdout, len(shop.asked)) == (first.stdout, asked)
    path = Path(first.stdout.splitlines()[-1])
    assert path.parent.name == "numbers@3"
    assert json.loads((path / "numbers.json").read_text()) == samples[:3]
    verified = process.run([*command[:4], "verify", "numbers@3"], environment=environment, timeout_s=60)
    assert verified.stdout.startswith("numbers@3: whole, ")
