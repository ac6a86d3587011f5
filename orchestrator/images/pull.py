"""Fetch an image from a registry: platform first, stalls and errors told apart. Decides nothing about builds."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, cast

from orchestrator.domain.image import ImageRef
from orchestrator.domain.ports import Output, Say
from orchestrator.errors import ImageError, TransientImageError
from orchestrator.host.docker_api import engine_errors
from orchestrator.host.retry import transient
from orchestrator.images.credentials import engine_header
from orchestrator.images.places import STALL_S
from orchestrator.images.registry_faults import WrongPlatformError, classify, registry_host

if TYPE_CHECKING:
    import docker
    import requests

_CONNECT_S = 10.0
_WAITING = ("Retrying in",)  # events of the engine while a registry brings nothing on


class RawApi(Protocol):
    """The parts of the SDK's client below its own `pull` and `push`, which cannot be given a time-out."""

    def _url(self, path: str, *parts: str) -> str: ...

    def _get(self, url: str, *, headers: Mapping[str, bytes], timeout: tuple[float, float]) -> requests.Response: ...

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """What a registry says of an image before any of it is fetched; no platforms: it does not say."""

    digest: str
    platforms: tuple[str, ...]


def inquire(
    client: docker.DockerClient, reference: ImageRef, *, say: Say, stall_s: float = STALL_S, attempts: int = 4
) -> Remote | None:
    """Ask the registry, through the engine, for digest and platforms; None for an engine that cannot ask."""
    return transient(lambda: _inquire(client, reference, stall_s), say=say, attempts=attempts)


def pull(
    client: docker.DockerClient,
    reference: ImageRef,
    platform: str,
    *,
    digest: str | None = None,
    log: Output,
    say: Say,
    stall_s: float = STALL_S,
    attempts: int = 4,
    inquired: bool = False,
) -> str:
    """Fetch an image and return the engine's id of it. Passing troubles are tried again, `attempts` times in all.

    With `digest`, exactly the image of that manifest digest, which is given the reference's tag in this engine.

    The platform is checked before anything is fetched (unless the caller has `inquired`), and again on what came.
    Raises ImageError, whose kind and cause tell a missing image, missing rights, an unreachable or untrusted
    registry, spoilt content and an image for another platform apart. A registry that brings nothing on for `stall_s`
    seconds counts as a passing trouble.
    """
    exact = replace(reference, tag=None, digest=digest) if digest is not None else reference
    say(f"pulling {exact}")
    remote = None if inquired else inquire(client, exact, say=say, stall_s=stall_s, attempts=attempts)
    if remote is not None and remote.platforms and platform not in remote.platforms:
        raise _wrong(exact, ", ".join(remote.platforms), platform)
    transfer = _Transfer(client, exact, platform, log, stall_s)
    transient(transfer.once, say=say, attempts=attempts)
    with engine_errors("inspect the pulled image"):
        found = client.images.get(str(exact))
    pulled = f"{found.attrs['Os']}/{found.attrs['Architecture']}"
    if pulled != platform:
        raise _wrong(exact, pulled, platform)
    if digest is not None and reference.tag is not None:
        with engine_errors(f"name the pulled image {reference}"):
            found.tag(reference.name, reference.tag)
    return str(found.attrs["Id"])


def _wrong(reference: ImageRef, found: str, wanted: str) -> WrongPlatformError:
    return WrongPlatformError(
        f"{reference} is an image for {found}, and this run needs {wanted}",
        hint="name an image for this platform, or leave --image out to have it built here",
    )


def _inquire(client: docker.DockerClient, reference: ImageRef, stall_s: float) -> Remote | None:
    import requests
    from docker.errors import APIError

    api = cast(RawApi, client.api)
    header = engine_header(registry_host(reference))
    name = str(replace(reference, tag=None) if reference.digest else reference)
    try:
        answer = api._get(api._url("/distribution/{0}/json", name), headers=header, timeout=(_CONNECT_S, stall_s))
        api._raise_for_status(answer)
        found = answer.json()
    except APIError as error:
        text = str(error.explanation or error)
        if "page not found" in text or error.status_code == 405:
            return None  # an engine without this call
        raise classify(reference, text) from error
    except requests.exceptions.RequestException as error:
        raise classify(reference, f"the registry stalled: nothing came for {stall_s:g} s ({error})") from error
    platforms = {f"{one.get('os')}/{one.get('architecture')}" for one in found.get("Platforms") or ()}
    known = sorted(one for one in platforms if "None" not in one and "unknown" not in one and not one.endswith("/"))
    return Remote(digest=str(found["Descriptor"]["digest"]), platforms=tuple(known))


class _Transfer:
    """One pull over its attempts: whether anything had come already decides what a broken connection means."""

    def __init__(
        self, client: docker.DockerClient, reference: ImageRef, platform: str, log: Output, stall_s: float
    ) -> None:
        self._client = client
        self._reference = reference
        self._platform = platform
        self._log = log
        self._stall_s = stall_s
        self._begun = False

    def once(self) -> None:
        """One attempt. The engine keeps the layers that are whole, and begins the others again."""
        import requests
        import urllib3
        from docker.errors import APIError

        try:
            for event in self._watched():
                if "error" in event:
                    raise classify(self._reference, str(event["error"]), begun=self._begun)
                if "progressDetail" not in event or not event["progressDetail"]:
                    self._log(f"{event.get('id', '')} {event.get('status', '')}\n".lstrip().encode())
        except APIError as error:
            raise classify(self._reference, str(error.explanation or error), begun=self._begun) from error
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
            raise self._stalled(str(error)) from error

    def _watched(self) -> Iterator[Mapping[str, object]]:
        """The engine's events, ended when nothing but announcements of other tries comes for too long."""
        last_s = time.monotonic()
        for event in self._events():
            if str(event.get("status", "")).startswith(_WAITING):
                if time.monotonic() - last_s > self._stall_s:
                    raise self._stalled(f"the engine says: {event['status']}")
            else:
                last_s = time.monotonic()
                self._begun = self._begun or "id" in event
            yield event

    def _events(self) -> Iterator[Mapping[str, object]]:
        """The engine's pull events. The SDK's own pull waits for ever on a silent registry, hence the time-out."""
        api, reference = cast(RawApi, self._client.api), self._reference
        parameters = {
            "fromImage": reference.name if reference.digest is None else f"{reference.name}@{reference.digest}",
            "tag": "" if reference.digest else reference.tag or "latest",
            "platform": self._platform,
        }
        response = api._post(
            api._url("/images/create"),
            params=parameters,
            headers=engine_header(registry_host(reference)),
            stream=True,
            timeout=(_CONNECT_S, self._stall_s),
        )
        try:
            api._raise_for_status(response)
            yield from api._stream_helper(response, decode=True)
        finally:
            response.close()

    def _stalled(self, text: str) -> ImageError:
        return TransientImageError(
            f"cannot pull {self._reference}: the transfer stalled: nothing came for {self._stall_s:g} s ({text})",
            hint="the registry or the network is in trouble; try again later, or raise the setting "
            "'registry_timeout_s'",
        )
