"""What a registry's refusal means: whose fault, worth another try or not, what to do. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

from orchestrator.domain.image import ImageRef
from orchestrator.domain.redact import redact
from orchestrator.errors import ImageError, TransientImageError

_TAMPERED = re.compile(
    r"verification failed for digest|digest (?:mismatch|invalid)|does not match digest", re.IGNORECASE
)
_DENIED = re.compile(
    r"no basic auth|unauthorized|denied|authentication required|authorization failed|(?:status|code)\W{1,4}40[13]\b",
    re.IGNORECASE,
)
_MISSING = re.compile(r"not found|manifest unknown|name unknown|does not exist", re.IGNORECASE)
_UNREACHABLE = re.compile(
    r"no such host|name or service not known|name resolution|connection refused|no route|network is unreachable",
    re.IGNORECASE,
)
_PLAIN = re.compile(r"HTTP response to HTTPS", re.IGNORECASE)
_UNTRUSTED = re.compile(r"x509|certificate|\btls: ", re.IGNORECASE)
_PASSING = re.compile(
    r"timeout|timed out|reset by peer|\bEOF\b|TLS handshake|temporary failure|server misbehaving|broken pipe"
    r"|\b50[0234]\b|toomanyrequests|too many requests|went away|stalled|connection aborted",
    re.IGNORECASE,
)
_FULL = re.compile(r"no space left", re.IGNORECASE)


class ImageMissingError(ImageError):
    """The registry answered and has no such image."""


class AccessDeniedError(ImageError):
    """The registry wants a login, or another one."""


class TamperedImageError(ImageError):
    """What a registry gave is not what its name or a signature promises; never worked around."""


class WrongPlatformError(ImageError):
    """The image exists, for another kind of machine."""


def classify(reference: ImageRef, text: str, *, doing: str = "pull", begun: bool = False) -> ImageError:
    """The error that a registry's text stands for; the first that fits: integrity, trust, rights, absence, reach.

    `begun`: something had come already, so that a registry that cannot be reached now is a passing trouble.
    """
    about = f"cannot {doing} {reference}: {redact(text.strip().encode()).decode()}"
    host = registry_host(reference)
    unreachable = TransientImageError if begun else ImageError
    cases: tuple[tuple[re.Pattern[str], Callable[[], ImageError]], ...] = (
        (
            _TAMPERED,
            lambda: TamperedImageError(
                about,
                hint=f"{host or 'the registry'} gave other bytes than the image's digest says: do not use it, "
                "and tell whoever runs it",
            ),
        ),
        (_FULL, lambda: ImageError(about, hint="free space where the engine keeps its images: docker system df")),
        (
            re.compile(r"TLS handshake timeout", re.IGNORECASE),
            lambda: TransientImageError(about, hint="the registry or the network is in trouble; try again later"),
        ),
        (
            _PLAIN,
            lambda: ImageError(
                about, hint=f"it speaks no TLS: put {host} into the engine's `insecure-registries`, or give it TLS"
            ),
        ),
        (
            _UNTRUSTED,
            lambda: ImageError(
                about, hint=f"put the registry's certificate into /etc/docker/certs.d/{host or 'HOST'}/ca.crt"
            ),
        ),
        (
            _DENIED,
            lambda: AccessDeniedError(about, hint=f"check the name; log in with: docker login {host}".rstrip()),
        ),
        (_MISSING, lambda: ImageMissingError(about, hint="check name, tag and digest")),
        (
            _UNREACHABLE,
            lambda: unreachable(about, hint="no registry can be reached there: check network and proxy of the engine"),
        ),
        (
            _PASSING,
            lambda: TransientImageError(about, hint="the registry or the network is in trouble; try again later"),
        ),
    )
    return next((make() for pattern, make in cases if pattern.search(text)), ImageError(about))


def registry_host(reference: ImageRef) -> str:
    """The registry's host as `docker login` takes it; empty for the public hub."""
    first, slash, _ = reference.name.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else ""
