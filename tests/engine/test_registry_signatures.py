"""Signatures in a real registry: what we sign openssl verifies, and nothing else passes for signed."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from orchestrator.domain.image import ImageChoice, ImageRef
from orchestrator.domain.terms import Pull
from orchestrator.errors import ImageError
from orchestrator.host.docker_api import connect
from orchestrator.images.places import Places
from orchestrator.images.push import push
from orchestrator.images.registry import Registry
from orchestrator.images.registry_faults import TamperedImageError
from orchestrator.images.signing import check_signature, payload_of, sign, signature_tag
from tests.engine.registry_server import Server, registry_server
from tests.engine.tiny_images import ENTRY, PLATFORM, Tiny, import_base, tiny_images

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A registry for everybody."""
    with registry_server(tmp_path_factory.mktemp("registry")) as serving:
        yield serving


@pytest.fixture
def tiny(tmp_path: Path, docker_url: str) -> Iterator[Tiny]:
    """A tiny entry and its base."""
    client: docker.DockerClient = connect(docker_url)
    with tiny_images(tmp_path / "tiny", docker_url, client) as made:
        yield made
    client.close()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two pairs of keys that openssl made: ours.key, ours.pub, other.key, other.pub."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("ours", "other"):
        openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", str(folder / f"{name}.key"))
        openssl("ec", "-in", str(folder / f"{name}.key"), "-pubout", "-out", str(folder / f"{name}.pub"))
    return folder


@pytest.fixture
def published(tiny: Tiny, server: Server) -> tuple[ImageRef, str]:
    """An image that is in the registry and nowhere else: its reference and manifest digest."""
    reference = Places(registry=f"{server.host}/{ENTRY}s").published(tiny.entry, None, PLATFORM, tiny.wanted().recipe)
    assert reference is not None
    digest = push(tiny.client, tiny.made_elsewhere(), reference, log=lambda _: None, say=lambda _: None)
    tiny.forget()
    return reference, digest


def openssl(*arguments: str) -> str:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_openssl_verifies_what_was_signed(published: tuple[ImageRef, str], keys: Path, tmp_path: Path) -> None:
    reference, digest = published
    with Registry(reference) as registry:
        tag = sign(registry, reference, digest, keys / "ours.key")
        layer = registry.manifest(tag).document["layers"][0]
        payload = registry.blob(layer["digest"])
    assert tag == f"sha256-{digest.removeprefix('sha256:')}.sig"
    assert layer["mediaType"] == "application/vnd.dev.cosign.simplesigning.v1+json"
    signature = base64.b64decode(layer["annotations"]["dev.cosignproject.cosign/signature"])
    (tmp_path / "payload").write_bytes(payload)
    (tmp_path / "signature").write_bytes(signature)
    said = openssl(
        *("dgst", "-sha256", "-verify", str(keys / "ours.pub"), "-signature", str(tmp_path / "signature")),
        str(tmp_path / "payload"),
    )
    assert "Verified OK" in said
    assert digest.encode() in payload


def test_only_an_image_signed_by_the_configured_key_is_pulled(
    tiny: Tiny, published: tuple[ImageRef, str], keys: Path, server: Server
) -> None:
    reference, digest = published
    only = ImageChoice(pull=Pull.ONLY)
    places = Places(registry=f"{server.host}/{ENTRY}s", key=keys / "ours.pub")
    with pytest.raises(TamperedImageError, match="is not signed"):
        tiny.ensure(places, only)
    import_base(tiny.client, b"a base, so that it could be built")
    with pytest.raises(TamperedImageError, match="is not signed"):
        tiny.ensure(places)
    assert tiny.present(places) is None  # nothing was pulled to be taken for good the next time
    with Registry(reference) as registry:
        sign(registry, reference, digest, keys / "ours.key")
    assert tiny.ensure(places, only).manifest_digest == digest
    tiny.forget()
    with pytest.raises(TamperedImageError, match=r"not signed by the key in .*other\.pub"):
        tiny.ensure(replace(places, key=keys / "other.pub"), only)


def test_the_signature_of_another_image_does_not_count(
    published: tuple[ImageRef, str], keys: Path, server: Server
) -> None:
    reference, digest = published
    another = f"sha256:{'7' * 64}"
    with Registry(reference) as registry:
        document = registry.manifest(sign(registry, reference, another, keys / "ours.key")).document
        registry.put_manifest(signature_tag(digest), document)
        with pytest.raises(TamperedImageError, match="not signed by the key"):
            check_signature(registry, reference, digest, keys / "ours.pub")


def test_a_key_that_is_none_is_named(published: tuple[ImageRef, str], keys: Path, tmp_path: Path) -> None:
    reference, digest = published
    (tmp_path / "text").write_text("not a key")
    with Registry(reference) as registry:
        with pytest.raises(ImageError, match="not a private key"):
            sign(registry, reference, digest, tmp_path / "text")
        with pytest.raises(ImageError, match="cannot be read"):
            sign(registry, reference, digest, tmp_path / "missing")
        sign(registry, reference, digest, keys / "ours.key")
        with pytest.raises(ImageError, match="not a public key"):
            check_signature(registry, reference, digest, tmp_path / "text")
    assert digest.encode() in payload_of(reference, digest)
