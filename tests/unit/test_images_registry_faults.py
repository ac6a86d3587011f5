"""What a registry's text is taken to mean: whose fault, worth another try or not, what to do."""

from __future__ import annotations

import pytest

from orchestrator.domain.image import ImageRef
from orchestrator.errors import ImageError, TransientImageError
from orchestrator.images.registry_faults import (
    AccessDeniedError,
    ImageMissingError,
    TamperedImageError,
    classify,
    registry_host,
)

REF = ImageRef.parse("registry.example:5000/team/image:1")


@pytest.mark.parametrize(
    ("text", "kind", "remedy"),
    [
        ("Get https://registry.example:5000/v2/: x509: certificate signed by unknown authority", ImageError, "certs.d"),
        ("http: server gave HTTP response to HTTPS client", ImageError, "insecure-registries"),
        ("Head https://…: no basic auth credentials", AccessDeniedError, "docker login registry.example:5000"),
        ("unauthorized: authentication required", AccessDeniedError, "docker login"),
        ("received unexpected HTTP status: 403 Forbidden", AccessDeniedError, "docker login"),
        ("manifest for team/image:1 not found: manifest unknown", ImageMissingError, "name, tag"),
        ("dial tcp: lookup registry.example: no such host", ImageError, "network"),
        ("dial tcp 127.0.0.1:5000: connect: connection refused", ImageError, "network"),
        ("received unexpected HTTP status: 503 Service Unavailable", TransientImageError, "later"),
        ("net/http: TLS handshake timeout", TransientImageError, "later"),
        ("read tcp: connection reset by peer", TransientImageError, "later"),
        ("unexpected EOF", TransientImageError, "later"),
        ("toomanyrequests: slow down", TransientImageError, "later"),
        ("filesystem layer verification failed for digest sha256:00", TamperedImageError, "do not use it"),
        ("write /var/lib/x: no space left on device", ImageError, "docker system df"),
        ("something else altogether", ImageError, None),
    ],
)
def test_a_registrys_text_is_classified(text: str, kind: type[ImageError], remedy: str | None) -> None:
    error = classify(REF, text)
    assert type(error) is kind
    assert text in str(error)
    assert (remedy in (error.hint or "")) if remedy else error.hint is None


def test_a_registry_that_goes_away_after_something_came_is_a_passing_trouble() -> None:
    text = "dial tcp 127.0.0.1:5000: connect: connection refused"
    assert not classify(REF, text).retryable
    assert classify(REF, text, begun=True).retryable
    assert not classify(REF, "unauthorized", begun=True).retryable


def test_credentials_in_a_registrys_text_are_not_shown() -> None:
    assert "s3cret" not in str(classify(REF, "Get https://alice:s3cret@registry.example/v2/: EOF"))


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("registry.example:5000/team/image", "registry.example:5000"),
        ("localhost/image", "localhost"),
        ("team/image", ""),
        ("python", ""),
    ],
)
def test_the_host_is_what_docker_login_takes(name: str, host: str) -> None:
    assert registry_host(ImageRef.parse(name)) == host
