"""Connect to a Docker-compatible engine through the SDK, and translate its failures to ours. Starts nothing."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from orchestrator.errors import EngineError, TransientEngineError

if TYPE_CHECKING:
    import docker

_REMEDY = "start it (scripts/engine does, as root), check your right to use its socket, or use --engine native"
DEFAULT_URL = "unix:///var/run/docker.sock"


def engine_url(url: str | None = None) -> str:
    """The address in force: the one given, else DOCKER_HOST, else Docker's own default."""
    return url or os.environ.get("DOCKER_HOST") or DEFAULT_URL


def connect(url: str | None = None) -> docker.DockerClient:
    """A client that has spoken with the engine; EngineError with a remedy when none answers."""
    address = engine_url(url)
    _knock(address)
    import docker
    import requests
    from docker.errors import DockerException

    try:
        return docker.DockerClient(base_url=address, version="auto", timeout=120)
    except (DockerException, requests.exceptions.RequestException, ValueError) as error:
        raise EngineError(f"no container engine answers at {address}", hint=_REMEDY) from error


def _knock(address: str) -> None:
    """Fail at a local socket where nobody listens with its own reason, before the SDK is asked."""
    if not address.startswith("unix://"):
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(address.removeprefix("unix://"))
        except OSError as error:
            reason = error.strerror or error
            raise EngineError(f"no container engine answers at {address}: {reason}", hint=_REMEDY) from error


@contextmanager
def engine_errors(doing: str) -> Iterator[None]:
    """Turn what the SDK raises while `doing` something into EngineError, transient where another try may help."""
    import requests
    from docker.errors import APIError, DockerException

    try:
        yield
    except APIError as error:
        raise EngineError(f"the engine refused to {doing}: {error.explanation or error}") from error
    except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
        raise TransientEngineError(f"the engine went away while it was to {doing}: {error}") from error
    except (DockerException, requests.exceptions.RequestException) as error:
        raise EngineError(f"could not {doing}: {error}") from error
