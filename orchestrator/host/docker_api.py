"""Connect to a Docker-compatible engine through the SDK, and translate its failures to ours. Starts nothing."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import EngineError, TransientEngineError

if TYPE_CHECKING:
    import docker

_REMEDY = "start it (scripts/engine does, as root), check your right to use its socket, or use --engine native"
_QUICK_S = 2.0
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


def local_data_root(url: str | None = None) -> Path | None:
    """Where the images of an engine on this machine lie; None where none answers or it is elsewhere.

    Asks without the SDK, whose loading would cost more than all the rest of a dry run.
    """
    address = engine_url(url)
    if not address.startswith("unix://"):
        return None
    answer = b""
    try:
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(_QUICK_S)
            channel.connect(address.removeprefix("unix://"))
            channel.sendall(b"GET /info HTTP/1.0\r\nHost: localhost\r\n\r\n")
            while piece := channel.recv(1 << 16):
                answer += piece
        told = json.loads(answer.partition(b"\r\n\r\n")[2])
    except (OSError, ValueError):
        return None
    root = told.get("DockerRootDir") if isinstance(told, dict) else None
    return Path(root) if isinstance(root, str) and Path(root).exists() else None


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
