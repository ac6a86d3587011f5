"""One set of finished runs for all tests that only read; the cache and the images are the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import Called, call

SMALL = ("run", "--model", "resnet8-cifar10")


class FinishedSet:
    """Every scenario and mode of resnet8-cifar10, measured once by one command."""

    def __init__(self, cwd: Path, called: Called) -> None:
        self.cwd = cwd
        self.called = called

    @property
    def runs(self) -> list[dict[str, Any]]:
        """The runs of its JSON document."""
        found: list[dict[str, Any]] = self.called.document["runs"]
        return found

    @property
    def run_dirs(self) -> list[Path]:
        """Their directories."""
        return [Path(run["run_dir"]) for run in self.runs]


@pytest.fixture(scope="session")
def finished(docker_url: str, tmp_path_factory: pytest.TempPathFactory) -> FinishedSet:
    """The set; never written to."""
    cwd = tmp_path_factory.mktemp("finished")
    arguments = (*SMALL, "--scenario", "all", "--mode", "all", "--execution-mode", "test", "--json")
    return FinishedSet(cwd, call(cwd, *arguments))


@pytest.fixture(scope="session")
def resnet8_model(docker_url: str, finished: FinishedSet) -> Path:
    """The TFLite file of resnet8-cifar10 in the cache."""
    plan = call(finished.cwd, *SMALL, "--dry-run", "--json").document["plans"][0]
    folder = next(item["path"] for item in plan["assets"] if item["asset"]["kind"] == "model")
    return Path(folder) / "model.tflite"
