"""Publish, forget, and run where building is forbidden: the real images, a real registry with a login."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import docker
import pytest

from orchestrator.host import process
from orchestrator.host.docker_api import connect
from tests.e2e.command import call, environment, record, run_dirs
from tests.engine.registry_server import PASSWORD, USER, registry_server
from tests.engine.tiny_images import drop, log_in

pytestmark = [pytest.mark.engine, pytest.mark.slow]

NAMES = ("generic-tflite", "generic-prepare")
SCRIPT = Path(__file__).parents[2] / "scripts" / "publish-images"


@pytest.fixture
def registry(tmp_path: Path, docker_url: str) -> Iterator[str]:
    """A registry that knows alice; what came from it is gone afterwards, and what was built here is back."""
    with registry_server(tmp_path / "registry", login=True) as server:
        log_in(tmp_path / "docker", server.host, USER, PASSWORD)
        yield f"{server.host}/published-test"
    client = connect(docker_url)
    for image in client.api.images():
        for name in published(image):
            entry = re.split("[:@]", name.rpartition("/")[2])[0]
            if (tmp_path / entry).is_file():
                client.api.tag(image["Id"], f"mlperf-docker/{entry}", (tmp_path / entry).read_text())
            drop(client, [name])
    client.close()


def published(image: Mapping[str, Any]) -> list[str]:
    """Every name and digest by which the engine knows an image of this test's registries, of earlier runs, too."""
    names = [*(image.get("RepoTags") or ()), *(image.get("RepoDigests") or ())]
    return [name for name in names if "/published-test/" in name]


def test_a_clean_engine_runs_published_images_where_building_is_forbidden(registry: str, tmp_path: Path) -> None:
    variables = {
        **environment(),
        "DOCKER_CONFIG": str(tmp_path / "docker"),
        "MLPERF_DOCKER_PROGRAM": str(Path(sys.executable).parent / "mlperf-docker"),
    }
    lock = tmp_path / "images.lock"
    published = process.run([str(SCRIPT), registry, "--file", str(lock), *NAMES], environment=variables, cwd=tmp_path)
    assert published.ok, published.stderr
    pins = {pin["entry"]: pin for pin in json.loads(lock.read_text())["images"]}
    assert set(pins) == set(NAMES)
    forget(tmp_path, pins)

    only = {"DOCKER_CONFIG": str(tmp_path / "docker"), "MLPERF_DOCKER_REGISTRY": registry}
    done = call(tmp_path, "run", "--model", "resnet8-cifar10", "--mode", "performance", "--pull", "only", **only)
    assert done.code == 0, done.stderr
    assert "building" not in done.stderr
    ran = record(run_dirs(tmp_path)[-1])["image"]
    assert ran["origin"] == "pulled"
    assert ran["manifest_digest"] == pins["generic-tflite"]["manifest_digest"]
    assert ran["image_id"] == pins["generic-tflite"]["config_digest"]

    verified = call(tmp_path, "images", "verify", "generic-tflite", "--json", **only)
    outcomes = {check["name"]: check["outcome"] for check in verified.document["images"][0]["checks"]}
    expected = {"digest": "ok", "labels": "ok", "recipe": "ok", "signature": "not checked", "seeds": "ok"}
    assert (verified.code, outcomes) == (0, expected)
    denied = call(tmp_path, "images", "pull", f"{registry}/generic-tflite:none", DOCKER_CONFIG=str(tmp_path / "nobody"))
    assert denied.code == 5
    assert "docker login" in denied.stderr


def standing_on(client: docker.DockerClient, image_id: str) -> list[str]:
    """What was built on an image (the layer for debugging), topmost first: it would keep the image in the engine."""
    above = [str(image["Id"]) for image in client.api.images(all=True) if image.get("ParentId") == image_id]
    return [one for child in above for one in (*standing_on(client, child), child)]


def forget(folder: Path, pins: dict[str, dict[str, str]]) -> None:
    """Take the images away from the engine, by every name; their local tags are noted for their return."""
    client = connect()
    for pin in pins.values():
        image = client.images.get(pin["config_digest"])
        local = next(name for name in image.tags if name.startswith("mlperf-docker/"))
        (folder / pin["entry"]).write_text(local.rpartition(":")[2])
        drop(client, [*standing_on(client, pin["config_digest"]), *published(image.attrs), *image.tags])
    client.close()
