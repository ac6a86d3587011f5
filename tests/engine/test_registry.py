"""Images through a real registry with a login: published, locked, pulled by digest, refused when spoilt or denied."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from orchestrator.domain.image import BaseImage, ImageChoice, ImageRef
from orchestrator.domain.site import Site
from orchestrator.domain.terms import Pull
from orchestrator.errors import ImageError, TransientImageError
from orchestrator.host.docker_api import connect
from orchestrator.images.lock import ImagesLock, Pin, write_lock
from orchestrator.images.places import Places
from orchestrator.images.pull import pull
from orchestrator.images.push import push
from orchestrator.images.registry import Registry
from orchestrator.images.registry_faults import (
    AccessDeniedError,
    ImageMissingError,
    TamperedImageError,
    WrongPlatformError,
)
from tests.engine.registry_server import PASSWORD, USER, Cable, Server, registry_server
from tests.engine.tiny_images import (
    BASE,
    ENTRY,
    PLATFORM,
    ROUND,
    Tiny,
    import_base,
    load_image,
    log_in,
    names_with,
    rounds_of,
    tiny_images,
)

pytestmark = pytest.mark.engine

ONLY = ImageChoice(pull=Pull.ONLY)
LARGE_BYTES = 3 << 20


@pytest.fixture
def client(docker_url: str) -> Iterator[docker.DockerClient]:
    """The real engine."""
    found = connect(docker_url)
    yield found
    found.close()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A registry that knows alice alone; the user is logged in."""
    with registry_server(tmp_path / "registry", login=True) as serving:
        monkeypatch.setenv("DOCKER_CONFIG", str(log_in(tmp_path / "docker", serving.host, USER, PASSWORD)))
        yield serving


@pytest.fixture
def tiny(tmp_path: Path, docker_url: str, client: docker.DockerClient) -> Iterator[Tiny]:
    """A tiny entry and its base."""
    with tiny_images(tmp_path / "tiny", docker_url, client) as made:
        yield made


@pytest.fixture
def places(server: Server) -> Places:
    """Settings that name the registry."""
    return Places(registry=f"{server.host}/{ENTRY}s", stall_s=20.0)


@pytest.fixture
def cable(server: Server, tmp_path: Path) -> Iterator[Cable]:
    """A cable to the registry; the user is logged in at its end, too."""
    made = Cable(server.host)
    log_in(tmp_path / "docker", made.host, USER, PASSWORD)
    yield made
    made.close()


def target_of(tiny: Tiny, places: Places) -> ImageRef:
    found = places.published(tiny.entry, None, PLATFORM, tiny.wanted().recipe)
    assert found is not None
    return found


def publish(tiny: Tiny, places: Places, image_id: str | None = None) -> tuple[ImageRef, str, str]:
    """Pushed, and gone from the engine with its base: the reference, its manifest digest, and the image's id."""
    image_id, target = image_id or tiny.made_elsewhere(), target_of(tiny, places)
    digest = push(tiny.client, image_id, target, log=lambda _: None, say=lambda _: None)
    tiny.forget()
    assert tiny.present(places) is None
    return target, digest, image_id


def fetch(client: docker.DockerClient, reference: ImageRef, *, attempts: int = 1, stall_s: float = 20.0) -> list[str]:
    said: list[str] = []
    pull(client, reference, PLATFORM, log=lambda _: None, say=said.append, attempts=attempts, stall_s=stall_s)
    return said


# -- published, locked, and used where building is forbidden


def test_a_published_image_is_used_on_a_clean_engine_where_building_is_forbidden(
    tiny: Tiny, places: Places, server: Server
) -> None:
    built = tiny.ensure().image_id
    labels = tiny.client.images.get(built).labels
    target, digest, image_id = publish(tiny, places, built)
    assert str(target) == f"{places.registry}/{ENTRY}:any-{tiny.wanted().recipe[:12]}-{PLATFORM.partition('/')[2]}"
    assert not names_with(tiny.client, ENTRY + ":")
    ready = tiny.ensure(places, ONLY)
    assert (ready.origin, ready.image_id, ready.manifest_digest) == ("pulled", image_id, digest)
    assert (ready.reference, ready.warnings) == (str(target), ())
    assert labels == tiny.client.images.get(image_id).labels
    assert labels["mlperf-docker.recipe"] == tiny.wanted().recipe
    assert labels["mlperf-docker.round"] == "any"
    assert labels["org.opencontainers.image.title"] == ENTRY
    assert labels["org.opencontainers.image.base.name"] == BASE
    assert "org.opencontainers.image.created" not in labels
    server.kill()  # what is here is not asked for again
    assert tiny.ensure(places, ONLY) == replace(ready, origin="present")
    assert tiny.present(places) == replace(ready, origin="present")
    assert tiny.ensure(places, ImageChoice(pull=Pull.NEVER)).origin == "present"
    assert tiny.heard.lines == []


def test_what_is_not_published_is_built_and_the_reason_is_said(tiny: Tiny, places: Places) -> None:
    assert tiny.ensure(places).origin == "built"
    assert any("unknown" in line and "building it instead" in line for line in tiny.heard.lines), tiny.heard.lines
    tiny.forget()
    import_base(tiny.client, b"new")
    with pytest.raises(ImageMissingError):
        tiny.ensure(places, ONLY)


def test_without_a_registry_images_are_built_here_and_that_is_said_once(tiny: Tiny) -> None:
    with pytest.raises(ImageError, match="no registry is configured") as caught:
        tiny.ensure(None, ONLY)
    assert caught.value.hint is not None
    tiny.forget()  # the base, too: nothing can be built, which is quicker than building it
    images, wanted = tiny.images(), tiny.wanted(ImageChoice(pull=Pull.NEVER))
    said: list[str] = []
    for _ in range(2):
        with pytest.raises(ImageError, match="no base image"):
            images.ensure(wanted, log=lambda _: None, say=said.append)
    assert said == ["no registry is configured (setting 'registry'): images are built here"]


def test_nothing_is_pulled_where_pulling_is_off(tiny: Tiny, places: Places) -> None:
    publish(tiny, places)
    import_base(tiny.client, b"base")
    assert tiny.ensure(places, ImageChoice(pull=Pull.NEVER)).origin == "built"
    assert not [line for line in tiny.heard.lines if line.startswith("pulling")]


def lock_for(tiny: Tiny, target: ImageRef, digest: str, image_id: str) -> Path:
    path = tiny.folder / "images.lock"
    pin = Pin(
        entry=ENTRY,
        round="any",
        platform=PLATFORM,
        reference=str(target),
        manifest_digest=digest,
        config_digest=image_id,
        recipe=tiny.wanted().recipe,
    )
    write_lock(path, ImagesLock().with_pins([pin]))
    return path


def test_a_pinned_image_is_pulled_by_its_digest_whatever_the_tag_became(tiny: Tiny, places: Places) -> None:
    target, digest, image_id = publish(tiny, places)
    locked = replace(places, lock_file=lock_for(tiny, target, digest, image_id))
    other = import_base(tiny.client, b"another image", "registry-test-base:other")
    push(tiny.client, other, target, log=lambda _: None, say=lambda _: None)
    tiny.forget()
    with pytest.raises(ImageError, match="another recipe"):
        tiny.ensure(places, ONLY)
    tiny.forget()
    ready = tiny.ensure(locked, ONLY)
    assert (ready.image_id, ready.manifest_digest, ready.origin) == (image_id, digest, "pulled")


def test_a_pinned_image_that_is_gone_is_named_and_never_replaced_by_the_tags(tiny: Tiny, places: Places) -> None:
    target, _, image_id = publish(tiny, places)
    locked = replace(places, lock_file=lock_for(tiny, target, f"sha256:{'0' * 64}", image_id))
    with pytest.raises(ImageMissingError):
        tiny.ensure(locked, ONLY)
    import_base(tiny.client, b"base")
    assert tiny.ensure(locked).origin == "built"
    assert any("building it instead" in line for line in tiny.heard.lines)


# -- who may


def test_without_a_login_the_command_that_logs_in_is_named(
    tiny: Tiny, places: Places, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, _, image_id = publish(tiny, places)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "nobody"))
    for action in (
        lambda: fetch(tiny.client, target, attempts=3),
        lambda: tiny.ensure(places, ONLY),
        lambda: Registry(target).manifest("1"),
    ):
        with pytest.raises(AccessDeniedError) as caught:
            action()
        assert caught.value.hint is not None
        assert f"docker login {server.host}" in caught.value.hint
    import_base(tiny.client, b"x", "registry-test-base:1")
    with pytest.raises(AccessDeniedError, match="cannot push"):
        push(tiny.client, BASE, target, log=lambda _: None, say=lambda _: None)
    assert image_id


def test_a_wrong_password_is_told_and_not_shown(
    tiny: Tiny, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(log_in(tmp_path / "wrong", server.host, USER, "not-this-one")))
    reference = ImageRef.parse(f"{server.host}/{ENTRY}s/x:1")
    with pytest.raises(AccessDeniedError) as by_engine:
        fetch(tiny.client, reference)
    with pytest.raises(AccessDeniedError) as by_us:
        Registry(reference).manifest("1")
    assert "not-this-one" not in f"{by_engine.value}{by_us.value}"


def test_a_credential_helper_is_asked(
    tiny: Tiny, places: Places, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, _, _ = publish(tiny, places)
    program = tmp_path / "bin" / "docker-credential-of-the-test"
    program.parent.mkdir()
    answer = json.dumps({"ServerURL": server.host, "Username": USER, "Secret": PASSWORD})
    program.write_text(f"#!/bin/sh\ncat >/dev/null\necho '{answer}'\n")
    program.chmod(0o755)
    (tmp_path / "helped").mkdir()
    (tmp_path / "helped" / "config.json").write_text(json.dumps({"credHelpers": {server.host: "of-the-test"}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "helped"))
    with pytest.raises(ImageError, match="docker-credential-of-the-test"):
        fetch(tiny.client, target)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    fetch(tiny.client, target)
    with Registry(target) as registry:
        assert registry.manifest(target.tag or "").config_digest


# -- what a registry can do wrong


def test_a_tampered_layer_is_refused_and_not_built_around(tiny: Tiny, places: Places, server: Server) -> None:
    target, _, _ = publish(tiny, places)
    with Registry(target) as registry:
        layers = registry.manifest(target.tag or "").document["layers"]
    blob = server.blob(layers[-1]["digest"])
    content = bytearray(blob.read_bytes())
    content[len(content) // 2] ^= 1
    blob.write_bytes(content)
    import_base(tiny.client, b"a base, so that it could be built")
    for choice in (ImageChoice(), ONLY):
        with pytest.raises(TamperedImageError) as caught:
            tiny.ensure(places, choice)
        assert caught.value.hint is not None
        assert server.host in caught.value.hint
    assert not names_with(tiny.client, f"{ENTRY}:")


def test_a_tampered_configuration_is_refused_by_us_too(tiny: Tiny, places: Places, server: Server) -> None:
    target, _, _ = publish(tiny, places)
    with Registry(target) as registry:
        manifest = registry.manifest(target.tag or "")
        blob = server.blob(str(manifest.config_digest))
        blob.write_bytes(blob.read_bytes().replace(b'"linux"', b'"minix"'))
        with pytest.raises(TamperedImageError):
            registry.config(manifest)
    with pytest.raises(ImageError):
        fetch(tiny.client, target)


def test_another_platform_is_named_before_a_layer_is_fetched(
    tiny: Tiny, cable: Cable, places: Places, client: docker.DockerClient
) -> None:
    reference = ImageRef.parse(f"{cable.host}/{ENTRY}s/foreign:1")
    other = "linux/amd64" if PLATFORM.endswith("arm64") else "linux/arm64"
    image = load_image(client, f"{ENTRY}-foreign:1", platform=other, content=os.urandom(1 << 20))
    push(client, image, reference, log=lambda _: None, say=lambda _: None)
    tiny.forget()
    cable.passed_bytes = 0
    with pytest.raises(WrongPlatformError, match=PLATFORM) as caught:
        fetch(client, reference)
    assert caught.value.hint
    assert cable.passed_bytes < 20_000


def test_a_registry_whose_certificate_nobody_knows_is_named_with_where_to_put_it(
    tiny: Tiny, tmp_path: Path, client: docker.DockerClient
) -> None:
    address = next(
        (item["Gateway"] for item in client.networks.get("bridge").attrs["IPAM"]["Config"] if "Gateway" in item), None
    )
    assert address is not None  # the engine trusts its own loopback blindly, so another address is needed
    with registry_server(tmp_path / "secure", address=address, tls=True) as serving:
        reference = ImageRef.parse(f"{serving.host}/{ENTRY}s/x:1")
        with pytest.raises(ImageError, match="x509") as by_engine:
            fetch(client, reference, attempts=3)
        with pytest.raises(ImageError, match=r"self.signed") as by_us:
            Registry(reference).manifest("1")
        for caught in (by_engine, by_us):
            assert not caught.value.retryable
            assert caught.value.hint is not None
            assert f"certs.d/{serving.host}/ca.crt" in caught.value.hint
        with pytest.raises(ImageMissingError):
            Registry(reference, site=Site(certificates=(tmp_path / "secure" / "tls.crt",))).manifest("1")


def large(tiny: Tiny, places: Places, cable: Cable) -> ImageRef:
    """An image with a layer that takes a while over the cable."""
    tiny.write(os.urandom(LARGE_BYTES))
    target, _, _ = publish(tiny, places)
    cable.passed_bytes = 0
    return replace(target, name=target.name.replace(target.name.partition("/")[0], cable.host))


@contextmanager
def power_cut(cable: Cable, server: Server, *, back: bool) -> Iterator[None]:
    """While this is open, the registry is killed after a megabyte has passed, and is back at once or never."""
    cable.pause_s = 0.03

    def cut() -> None:
        cable.wait_for(1 << 20)
        server.kill()
        cable.cut()
        if back:
            cable.pause_s = 0.0
            server.start_again()

    cutting = threading.Thread(target=cut)
    cutting.start()
    try:
        yield
    finally:
        cutting.join()


def test_a_registry_that_is_killed_in_mid_pull_and_comes_back_is_pulled_to_the_end(
    tiny: Tiny, places: Places, cable: Cable, server: Server
) -> None:
    reference = large(tiny, places, cable)
    with power_cut(cable, server, back=True):
        fetch(tiny.client, reference, attempts=3)
    assert tiny.client.images.get(str(reference))
    assert cable.passed_bytes > LARGE_BYTES


def test_a_registry_that_is_killed_in_mid_pull_for_good_is_given_up_and_a_later_pull_is_whole(
    tiny: Tiny, places: Places, cable: Cable, server: Server
) -> None:
    reference = large(tiny, places, cable)
    with power_cut(cable, server, back=False), pytest.raises(TransientImageError) as caught:
        fetch(tiny.client, reference, stall_s=1.5)
    assert caught.value.hint
    assert not names_with(tiny.client, str(reference))
    cable.pause_s = 0.0
    server.start_again()
    fetch(tiny.client, reference)
    assert tiny.client.images.get(str(reference))


def test_a_registry_that_stalls_in_mid_pull_is_given_up_in_time(tiny: Tiny, places: Places, cable: Cable) -> None:
    reference = large(tiny, places, cable)
    cable.pause_s = 0.03

    def stall() -> None:
        cable.wait_for(1 << 20)
        cable.stall()

    stalling = threading.Thread(target=stall)
    stalling.start()
    begun = time.monotonic()
    with pytest.raises(TransientImageError, match="stalled"):
        fetch(tiny.client, reference, stall_s=1.5)
    assert time.monotonic() - begun < 60
    stalling.join()
    cable.cut()
    cable.go_on()


def test_a_push_to_a_registry_that_stalls_is_given_up_in_time(tiny: Tiny, places: Places, cable: Cable) -> None:
    tiny.write(os.urandom(LARGE_BYTES))
    image_id = tiny.made_elsewhere()
    cable.stall()
    target = ImageRef.parse(f"{cable.host}/{ENTRY}s/pushed:1")
    with pytest.raises(TransientImageError):
        push(tiny.client, image_id, target, log=lambda _: None, say=lambda _: None, stall_s=1.5, attempts=1)
    cable.cut()
    cable.go_on()


# -- bases


def test_a_base_comes_from_the_mirror_of_its_registry_and_that_is_recorded(
    tiny: Tiny, server: Server, places: Places
) -> None:
    mirror = f"{server.host}/{ENTRY}-mirror"
    base = import_base(tiny.client, b"of the mirror", "registry-test-base:mirrored")
    push(
        tiny.client,
        base,
        ImageRef.parse(f"{mirror}/library/registry-test-base:2"),
        log=lambda _: None,
        say=lambda _: None,
    )
    tiny.forget()
    tiny.entry = replace(tiny.entry, base=BaseImage(registry="registry-test-base:2"))
    ready = tiny.ensure(Places(mirrors=(("docker.io", mirror),)))
    assert (ready.origin, ready.base_id) == ("built", base)
    assert ready.base_origin == f"registry-test-base:2 (by the mirror {server.host})"
    assert any(f"asking the mirror {server.host}" in line for line in tiny.heard.lines)
    labels = tiny.client.images.get(ready.image_id).labels
    assert labels["org.opencontainers.image.base.digest"].startswith("sha256:")


def test_a_base_that_does_not_exist_for_the_round_is_refused_with_those_that_do(tiny: Tiny, places: Places) -> None:
    here = PLATFORM.partition("/")[2]
    tiny.entry = rounds_of(
        tiny,
        BaseImage(registry="registry-test-base:5", rounds=("v5.0", "v5.1")),
        BaseImage(registry="registry-test-base:6", rounds=(ROUND,), architectures=("riscv64",)),
    )
    with pytest.raises(ImageError, match=f"no base for round {ROUND} on {PLATFORM}") as caught:
        tiny.ensure()
    assert caught.value.hint is not None
    assert "registry-test-base:5 (v5.0, v5.1; any architecture)" in caught.value.hint
    assert "registry-test-base:6 (v6.1; riscv64)" in caught.value.hint
    assert not [line for line in tiny.heard.lines if line.startswith("pulling")]
    assert tiny.ensure(choice=ImageChoice(base=ImageRef.parse(BASE))).origin == "built"
    tiny.entry = rounds_of(
        tiny, BaseImage(registry="registry-test-base:none"), BaseImage(registry=BASE, architectures=(here,))
    )
    tiny.entry = rounds_of(
        tiny,
        BaseImage(registry="registry-test-base:none", rounds=("v5.0",)),
        BaseImage(registry=BASE, architectures=(here,)),
    )
    assert tiny.ensure().base_origin == BASE
