"""Logins to registries out of the user's own docker configuration: `auths`, `credsStore`, `credHelpers`.

Reads them the way the docker SDK does; keeps, writes and shows none.
"""

from __future__ import annotations

import json
import os
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from orchestrator.errors import ImageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who to be at a registry: a name with a password, or an identity token. Never printed."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)


def login_for(host: str) -> Login | None:
    """The user's login for a registry (empty host: the public hub), or None when there is none.

    ImageError when the configuration or the credential helper that it names does not work.
    """
    found = _configured(host)
    if not found:
        return None
    by_name = {key.lower(): value for key, value in found.items() if isinstance(value, str)}
    if by_name.get("identitytoken"):
        return Login(username=by_name.get("username"), token=by_name["identitytoken"])
    if "username" not in by_name:
        return None
    return Login(username=by_name["username"], password=by_name.get("password", ""))


def engine_header(host: str) -> dict[str, bytes]:
    """The header that hands the user's login for a registry to the engine; empty when there is none."""
    from docker import auth

    found = _configured(host)
    return {"X-Registry-Auth": auth.encode_header(found)} if found else {}


def _configured(host: str) -> dict[str, object] | None:
    from docker import auth
    from docker.errors import DockerException

    where = os.environ.get("DOCKER_CONFIG") or str(Path("~/.docker").expanduser())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the SDK warns of a helper that is missing, and then raises
            found = auth.load_config().resolve_authconfig(host or None)
    except (DockerException, OSError, ValueError, json.JSONDecodeError) as error:
        raise ImageError(
            f"the docker configuration in {where} gives no login for {host or 'the public hub'}: {error}",
            hint="install the credential helper that it names, or take `credsStore`/`credHelpers` out and log in anew",
        ) from error
    return cast("dict[str, object] | None", found)
