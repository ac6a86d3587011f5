"""Secrets planted on the host are in nothing that a real run says or leaves. (Image layers: test_images_build.)"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import docker
import pytest

from orchestrator.host.docker_api import connect
from tests.e2e.command import call, run_dirs
from tests.unit.planted import PROXY_PASSWORD, in_bytes, in_tree, plant

pytestmark = pytest.mark.engine

PROXY = f"http://planted-user:{quote(PROXY_PASSWORD, safe='')}@127.0.0.1:9"


@pytest.fixture
def client(docker_url: str) -> Iterator[docker.DockerClient]:
    found = connect(docker_url)
    yield found
    found.close()


def test_a_real_run_with_secrets_all_around_leaves_none(
    docker_url: str, client: docker.DockerClient, tmp_path: Path
) -> None:
    cache = os.environ.get("MLPERF_DOCKER_CACHE") or str(Path.home() / ".cache" / "mlperf-docker")
    variables = plant(tmp_path / "home") | {
        "http_proxy": PROXY,
        "https_proxy": PROXY,
        "no_proxy": "*",
        "MLPERF_DOCKER_CACHE": cache,
    }
    work = tmp_path / "work"
    work.mkdir()
    called = call(
        work, "run", "--model", "resnet8-cifar10", "--mode", "accuracy", "-v", "--json", timeout_s=600.0, **variables
    )
    assert called.code == 0, called.stderr
    assert in_bytes("output", (called.stdout + called.stderr).encode()) == []
    assert len(run_dirs(work)) == 1
    assert in_tree(work) == []
    (finished,) = called.document["runs"]
    image = client.images.get(finished["image_digest"])
    assert in_bytes("the run's image", f"{image.history()} {image.attrs}".encode()) == []
    for folder in ("entries", "uses", "partial", "logs"):
        for path in (Path(cache) / folder).rglob("*"):
            assert not path.is_file() or in_bytes(str(path), path.read_bytes()) == []
