"""Pulling through the real engine from a stand-in for a registry that fails in ways a real one cannot be made to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from orchestrator.domain.image import BaseImage, ImageChoice, ImageEntry, ImageRef
from orchestrator.domain.terms import Pull
from orchestrator.errors import ImageError, TransientImageError
from orchestrator.host.docker_api import connect
from orchestrator.images.pull import pull
from orchestrator.images.registry_faults import ImageMissingError
from tests.engine.fake_registry import FakeRegistry, fake_registry
from tests.engine.small_images import PLATFORM, Heard, Workshop, small_workshop

pytestmark = pytest.mark.engine


@pytest.fixture
def client(docker_url: str) -> Iterator[docker.DockerClient]:
    """The real engine; pulled test images are removed."""
    found = connect(docker_url)
    yield found
    for image in found.images.list():
        if any("/images-test/pulled" in name for name in (*image.tags, *image.attrs.get("RepoDigests", []))):
            found.images.remove(image.id, force=True)
    found.close()


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    """A registry that behaves until told otherwise."""
    with fake_registry() as serving:
        yield serving


@pytest.fixture
def workshop(tmp_path: Path, docker_url: str) -> Workshop:
    """A small entry of the real templates."""
    return small_workshop(tmp_path, docker_url)


def fetch(client: docker.DockerClient, name: str, *, attempts: int = 1, stall_s: float = 5.0) -> tuple[str, Heard]:
    heard = Heard()
    reference = ImageRef.parse(name)
    say = heard.lines.append
    found = pull(client, reference, PLATFORM, log=heard.log.extend, say=say, attempts=attempts, stall_s=stall_s)
    return found, heard


def test_an_image_is_pulled_by_tag_and_by_digest(client: docker.DockerClient, registry: FakeRegistry) -> None:
    by_tag, heard = fetch(client, registry.name())
    assert by_tag.startswith("sha256:")
    assert "Pull complete" in heard.text
    name = registry.name().rpartition(":")[0]
    by_digest, _ = fetch(client, f"{name}@{registry.digest}")
    assert by_digest == by_tag


def test_a_missing_tag_is_told_from_everything_else_and_asked_for_once(
    client: docker.DockerClient, registry: FakeRegistry
) -> None:
    with pytest.raises(ImageMissingError):
        fetch(client, registry.name("missing"), attempts=3)
    assert registry.manifest_requests <= 2  # the engine itself may ask by HEAD and by GET


def test_a_passing_trouble_is_tried_again_and_said(client: docker.DockerClient, registry: FakeRegistry) -> None:
    registry.fails = [503, 503]  # the engine itself asks twice, by HEAD and by GET
    _, heard = fetch(client, registry.name(), attempts=3)
    assert any("trying again" in line for line in heard.lines)


def test_a_lasting_trouble_is_an_image_error_in_the_end(client: docker.DockerClient, registry: FakeRegistry) -> None:
    registry.fails = [503] * 20
    with pytest.raises(TransientImageError) as caught:
        fetch(client, registry.name(), attempts=2)
    assert caught.value.hint


def test_a_silent_registry_is_given_up_in_time(client: docker.DockerClient, registry: FakeRegistry) -> None:
    registry.stalls = True
    start = time.monotonic()
    with pytest.raises(TransientImageError, match="stalled"):
        fetch(client, registry.name(), stall_s=1.0)
    assert time.monotonic() - start < 5


def test_nobody_at_the_address_is_not_tried_again(client: docker.DockerClient) -> None:
    with pytest.raises(ImageError, match="connection refused") as caught:
        fetch(client, "127.0.0.1:1/images-test/pulled:1", attempts=3)
    assert not caught.value.retryable


def test_a_chosen_image_is_pulled_when_it_is_missing_and_recorded_by_digest(
    client: docker.DockerClient, registry: FakeRegistry, workshop: Workshop
) -> None:
    choice = ImageChoice(reference=ImageRef.parse(registry.name()))
    with pytest.raises(ImageError, match="pulling is off"):
        workshop.ensure(replace(choice, pull=Pull.NEVER))
    pulled = workshop.ensure(choice)
    assert (pulled.origin, pulled.manifest_digest) == ("pulled", registry.digest)
    assert pulled.reference == registry.name()
    assert pulled.warnings
    asked = registry.manifest_requests
    assert workshop.ensure(choice).origin == "present"
    assert registry.manifest_requests == asked
    assert workshop.ensure(replace(choice, pull=Pull.ALWAYS)).origin == "pulled"
    assert registry.manifest_requests > asked


def test_a_prebuilt_image_of_this_recipe_is_pulled_instead_of_built(
    client: docker.DockerClient, workshop: Workshop
) -> None:
    recipe = workshop.planned(workshop.images()).recipe
    with fake_registry(labels={"mlperf-docker.recipe": recipe}) as serving:
        workshop.write_code("print('first')\n")
        ready = workshop.ensure(entry=entry_with(workshop, serving, base="127.0.0.1:1/images-test/none:1"))
    assert (ready.origin, ready.warnings, ready.reference) == ("pulled", (), serving.name())


def entry_with(workshop: Workshop, registry: FakeRegistry, *, base: str) -> ImageEntry:
    """The small entry with a prebuilt image, and a base that cannot be had, so that nothing is built by mistake."""
    return replace(workshop.entry, prebuilt=registry.name(), base=BaseImage(registry=base))
