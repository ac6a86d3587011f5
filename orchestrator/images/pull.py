"""Fetch an image from a registry: stalls and errors told apart, the platform checked. Decides nothing about builds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol, cast

from orchestrator.domain.image import ImageRef
from orchestrator.domain.ports import Output, Say
from orchestrator.errors import ImageError, TransientImageError
from orchestrator.host.docker_api import engine_errors
from orchestrator.host.retry import transient

if TYPE_CHECKING:
    import docker
    import requests

_CONNECT_S = 10.0
_STALL_S = 60.0
_DENIED = re.compile(r"no basic auth|unauthorized|denied|authentication required|authorization failed", re.IGNORECASE)
_MISSING = re.compile(r"not found|manifest unknown|name unknown|does not exist", re.IGNORECASE)
_UNREACHABLE = re.compile(r"no such host|connection refused|no route|network is unreachable", re.IGNORECASE)
_UNTRUSTED = re.compile(r"x509|certificate", re.IGNORECASE)
_PASSING = re.compile(
    r"timeout|timed out|reset by peer|unexpected EOF|TLS handshake|temporary failure|server misbehaving"
    r"|50[0234] |toomanyrequests|too many requests|went away|stalled",
    re.IGNORECASE,
)


class _RawApi(Protocol):
    """The parts of the SDK's client below its own `pull`, which cannot be given a time-out."""

    def _url(self, path: str) -> str: ...

    def _post(
        self,
        url: str,
        *,
        params: Mapping[str, str],
        headers: Mapping[str, bytes],
        stream: bool,
        timeout: tuple[float, float],
    ) -> requests.Response: ...

    def _raise_for_status(self, response: requests.Response) -> None: ...

    def _stream_helper(self, response: requests.Response, *, decode: bool) -> Iterator[Mapping[str, object]]: ...


class ImageMissingError(ImageError):
    """The registry answered and has no such image."""


def pull(
    client: docker.DockerClient,
    reference: ImageRef,
    platform: str,
    *,
    log: Output,
    say: Say,
    stall_s: float = _STALL_S,
    attempts: int = 4,
) -> str:
    """Fetch an image and return the engine's id of it. Passing troubles are tried again, `attempts` times in all.

    Raises ImageError, whose cause tells a missing image, missing rights, an unreachable or untrusted registry and an
    image for another platform apart. A registry that sends nothing for `stall_s` seconds counts as a passing trouble.
    """
    say(f"pulling {reference}")
    transient(lambda: _once(client, reference, platform, log, stall_s), say=say, attempts=attempts)
    name = str(reference)
    with engine_errors("inspect the pulled image"):
        found = client.images.get(name).attrs
    pulled = f"{found['Os']}/{found['Architecture']}"
    if pulled != platform:
        raise ImageError(
            f"{name} is an image for {pulled}, and this run needs {platform}",
            hint="name an image for this platform, or leave --image out to have it built here",
        )
    return str(found["Id"])


def classify(reference: ImageRef, text: str) -> ImageError:
    """The error that a registry's text stands for; the first of these that fits: rights, absence, reach, trust."""
    about = f"cannot pull {reference}: {text.strip()}"
    name = str(reference)
    cases: tuple[tuple[re.Pattern[str], Callable[[], ImageError]], ...] = (
        (
            _UNTRUSTED,
            lambda: ImageError(about, hint="put the registry's certificate into /etc/docker/certs.d/HOST/ca.crt"),
        ),
        (_DENIED, lambda: ImageError(about, hint=f"check the name; log in with: docker login {_host(name)}".rstrip())),
        (_MISSING, lambda: ImageMissingError(about, hint="check name, tag and digest")),
        (
            _UNREACHABLE,
            lambda: ImageError(about, hint="no registry can be reached there: check network and proxy of the engine"),
        ),
        (
            _PASSING,
            lambda: TransientImageError(about, hint="the registry or the network is in trouble; try again later"),
        ),
    )
    return next((make() for pattern, make in cases if pattern.search(text)), ImageError(about))


def _once(client: docker.DockerClient, reference: ImageRef, platform: str, log: Output, stall_s: float) -> None:
    import requests
    import urllib3
    from docker.errors import APIError

    try:
        for event in _events(client, reference, platform, stall_s):
            if "error" in event:
                raise classify(reference, str(event["error"]))
            if "progressDetail" not in event or not event["progressDetail"]:
                log(f"{event.get('id', '')} {event.get('status', '')}\n".lstrip().encode())
    except APIError as error:
        raise classify(reference, str(error.explanation or error)) from error
    except (requests.exceptions.ConnectionError, requests.exceptions.Timeout, urllib3.exceptions.HTTPError) as error:
        raise classify(reference, f"the transfer stalled: {error}") from error


def _events(
    client: docker.DockerClient, reference: ImageRef, platform: str, stall_s: float
) -> Iterator[Mapping[str, object]]:
    """The engine's pull events. The SDK's own pull waits for ever on a silent registry, hence the time-out of ours."""
    from docker import auth

    api = cast(_RawApi, client.api)
    registry, _ = auth.resolve_repository_name(reference.name)
    header = auth.get_config_header(client.api, registry)
    parameters = {
        "fromImage": reference.name if reference.digest is None else f"{reference.name}@{reference.digest}",
        "tag": "" if reference.digest else reference.tag or "latest",
        "platform": platform,
    }
    response = api._post(
        api._url("/images/create"),
        params=parameters,
        headers={"X-Registry-Auth": header} if header else {},
        stream=True,
        timeout=(_CONNECT_S, stall_s),
    )
    try:
        api._raise_for_status(response)
        yield from api._stream_helper(response, decode=True)
    finally:
        response.close()


def _host(name: str) -> str:
    first = name.partition("/")[0]
    return first if "/" in name and ("." in first or ":" in first) else ""
