"""Publish an image to a registry: refusals of licences first, stalls and errors told apart. Builds nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, cast

from orchestrator.domain.image import ImageEntry, ImageRef
from orchestrator.domain.ports import Output, Say
from orchestrator.errors import ImageError, TransientImageError
from orchestrator.host.docker_api import engine_errors
from orchestrator.host.retry import transient
from orchestrator.images.credentials import engine_header
from orchestrator.images.places import STALL_S
from orchestrator.images.pull import RawApi
from orchestrator.images.registry_faults import classify, registry_host

if TYPE_CHECKING:
    import docker

_CONNECT_S = 10.0


def unpublishable(entry: ImageEntry) -> str | None:
    """Why an entry's image must not leave this machine, or None when it may."""
    if entry.rehearsal:
        return "it only stands in for a vendor's image; it is for rehearsals on the machine that made it"
    if entry.sdks:
        return f"it is made from archives that only their licensee may have ({', '.join(sorted(entry.sdks))})"
    if not entry.pushable:
        return "the licence of what it is made from does not allow passing it on (`pushable: false` in images.yaml)"
    return None


def push(
    client: docker.DockerClient,
    image_id: str,
    target: ImageRef,
    *,
    log: Output,
    say: Say,
    stall_s: float = STALL_S,
    attempts: int = 4,
) -> str:
    """Give an image its public name, push it, and return the manifest digest that the registry now has.

    Passing troubles are tried again; layers that arrived are not sent twice. ImageError tells them apart.
    """
    if target.tag is None:
        raise ImageError(f"{target} names no tag to push to", hint="write REGISTRY/NAME:TAG")
    say(f"pushing {target}")
    with engine_errors(f"name the image {target}"):
        client.images.get(image_id).tag(target.name, target.tag)
    return transient(lambda: _once(client, target, log, stall_s), say=say, attempts=attempts)


def _once(client: docker.DockerClient, target: ImageRef, log: Output, stall_s: float) -> str:
    import requests
    import urllib3
    from docker.errors import APIError

    digest: str | None = None
    try:
        for event in _events(client, target, stall_s):
            if "error" in event:
                raise classify(target, str(event["error"]), doing="push", begun=True)
            if not event.get("progressDetail"):
                log(f"{event.get('id', '')} {event.get('status', '')}\n".lstrip().encode())
            aux = event.get("aux")
            if isinstance(aux, dict) and "Digest" in aux:
                digest = str(aux["Digest"])
    except APIError as error:
        raise classify(target, str(error.explanation or error), doing="push") from error
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
        raise TransientImageError(
            f"cannot push {target}: the transfer stalled: nothing went on for {stall_s:g} s ({error})",
            hint="the registry or the network is in trouble; try again later, or raise 'registry_timeout_s'",
        ) from error
    if digest is None:
        raise ImageError(f"{target} was pushed, but the engine tells no digest", hint="look at the engine's log")
    return digest


def _events(client: docker.DockerClient, target: ImageRef, stall_s: float) -> Iterator[Mapping[str, object]]:
    api = cast(RawApi, client.api)
    header = engine_header(registry_host(target)) or {"X-Registry-Auth": b"e30="}  # the engine wants one: {}
    response = api._post(
        api._url("/images/{0}/push", target.name),
        params={"tag": target.tag or "latest"},
        headers=header,
        stream=True,
        timeout=(_CONNECT_S, stall_s),
    )
    try:
        api._raise_for_status(response)
        yield from api._stream_helper(response, decode=True)
    finally:
        response.close()
