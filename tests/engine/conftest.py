"""The engines under test, each with something to run in."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.domain.container import RUN_LABEL
from orchestrator.engines.docker import DockerEngine
from orchestrator.engines.native import NativeEngine
from orchestrator.host.docker_api import connect
from orchestrator.host.process import run
from tests.engine.carriers import Carrier
from tests.engine.quick_base import BASE, FOREIGN, QUICK, foreign_image_tar, quick_base_tar


@pytest.fixture(scope="session")
def docker_carrier(docker_url: str) -> Iterator[Carrier]:
    """Docker with the base image that is there, else with one made of this machine's own Python."""
    api = connect(docker_url).api
    quick = not api.images(BASE)
    if quick:
        api.import_image_from_data(quick_base_tar(), repository=QUICK.split(":")[0], tag=QUICK.split(":")[1])

    def containers(run_id: str) -> list[dict[str, object]]:
        return api.containers(all=True, filters={"label": f"{RUN_LABEL}={run_id}"})

    yield Carrier(
        engine=DockerEngine(docker_url),
        image=api.inspect_image(QUICK if quick else BASE)["Id"],
        controller=(sys.executable, "-m", "tests.engine.controller_program", "docker"),
        objects=lambda run_id: [f"container {item['Id']}" for item in containers(run_id)],
        labels=lambda run_id: dict(containers(run_id)[0]["Labels"]),
    )
    if quick:
        api.remove_image(QUICK, force=True)
    api.close()


@pytest.fixture(scope="session")
def foreign_image(docker_url: str) -> Iterator[str]:
    """An image that says it is of another processor, though its one program is of this."""
    other = "amd64" if platform.machine() == "aarch64" else "arm64"
    api = connect(docker_url).api
    list(api.load_image(foreign_image_tar(other)))
    yield FOREIGN
    api.remove_image(FOREIGN, force=True)
    api.close()


@pytest.fixture(scope="session")
def native_carrier(tmp_path_factory: pytest.TempPathFactory) -> Carrier:
    """The native engine with an empty virtual environment of this very Python."""
    folder: Path = tmp_path_factory.mktemp("environment")
    made = run([sys.executable, "-m", "venv", "--without-pip", str(folder)])
    assert made.ok, made.stderr
    (folder / "code").mkdir()
    return Carrier(
        engine=NativeEngine(),
        image=str(folder),
        controller=(sys.executable, "-m", "tests.engine.controller_program", "native"),
        objects=lambda _: [],
        labels=lambda _: {},
    )


@pytest.fixture(params=["docker", "native"])
def carrier(request: pytest.FixtureRequest) -> Carrier:
    """Each engine in turn."""
    found: Carrier = request.getfixturevalue(f"{request.param}_carrier")
    return found
