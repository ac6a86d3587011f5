"""Log in to the services that gate assets: test a login, keep it, forget it, and tell what it opens."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from orchestrator.config.catalog import asset_names, load_asset
from orchestrator.config.settings import Settings
from orchestrator.controller.access import Access, Standing, doctors_findings, is_gated, try_access
from orchestrator.controller.line import line_of
from orchestrator.domain.asset import Asset, Service
from orchestrator.domain.finding import Finding, fault, note, ok
from orchestrator.domain.redact import remember
from orchestrator.domain.source import Bucket
from orchestrator.errors import AssetError, UsageError

if TYPE_CHECKING:
    from orchestrator.assets.credentials import Credentials, Login
    from orchestrator.assets.transfer import Line

TITLES = MappingProxyType({Service.HUGGINGFACE: "Hugging Face", Service.MLCOMMONS: "MLCommons (members' buckets)"})
TOKEN_PAGES = MappingProxyType(
    {
        Service.HUGGINGFACE: "a token with read access: https://huggingface.co/settings/tokens",
        Service.MLCOMMONS: "a service token (client ID and secret) that MLCommons gave you, "
        "or what `cloudflared access token --app=ADDRESS` prints after a login in the browser",
    }
)
_WHOAMI = "/api/whoami-v2"
_REFUSED = frozenset({401, 403})
_OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A login that is kept now: in which file, whether it was tested, and which variables win over it."""

    path: Path
    tested: bool
    overruled_by: tuple[str, ...]


def gated_assets(names: Iterable[str] = ()) -> tuple[Asset, ...]:
    """The gated assets of those names, or all of the catalogue; UsageError for a name that is not gated."""
    named = tuple(load_asset(name) for name in names)
    for asset in named:
        if not is_gated(asset):
            raise UsageError(
                f"'{asset.name}' is not gated: nothing stands before it", hint="mlperf-docker login status"
            )
    return named or tuple(asset for name in asset_names() if is_gated(asset := load_asset(name)))


def assets_of(service: Service) -> tuple[Asset, ...]:
    """The gated assets that a login to the service is for."""
    return tuple(asset for asset in gated_assets() if asset.gate is not None and asset.gate.service is service)


def status(names: Iterable[str], settings: Settings) -> tuple[Access, ...]:
    """Whether access works now, for each gated asset."""
    return try_access(gated_assets(names), line_of(settings))


def access_to_gated(settings: Settings, *, ask: bool) -> tuple[Finding, ...]:
    """The doctor's findings: a login for each service that gates assets, and with `ask` what it opens."""
    try:
        line = line_of(settings)
    except UsageError as error:
        return (fault("logins", str(error), error.hint or "mlperf-docker login"),)
    return (*(_login(service, line) for service in Service), *(doctors_findings(gated_assets(), line) if ask else ()))


def _login(service: Service, line: Line) -> Finding:
    origin = line.credentials.origin(service)
    if origin is not None:
        return ok("logins", f"{TITLES[service]}: {origin}; doctor --network tries it")
    text = f"{TITLES[service]}: none; {len(assets_of(service))} gated assets of the catalogue want one"
    return note("logins", text, f"mlperf-docker login {service.value}, if you need one of them")


def log_in(service: Service, text: str, origin: str, settings: Settings, *, check: bool) -> Stored:
    """Keep a login, after it was seen to work. AssetError when it does not; then nothing was stored.

    `text` is what the user gave, `origin` from where, in words.
    """
    from orchestrator.assets.credentials import config_folder, hub_login, members_login, store_login, variables_of

    login = hub_login(text, origin) if service is Service.HUGGINGFACE else members_login(text, origin)
    remember(secret.encode() for secret in login.secrets)
    tested = check and _works(service, login, settings)
    home = Path.home()
    folder = config_folder(os.environ, home)
    try:
        path = store_login(service, login, environ=os.environ, home=home, config_dir=folder)
    except OSError as error:
        raise UsageError(
            f"the login cannot be kept: {error.filename or folder}: {error.strerror}", hint="check its permissions"
        ) from error
    return Stored(path=path, tested=tested, overruled_by=variables_of(service, os.environ))


def log_out(service: Service) -> tuple[Path | None, tuple[str, ...]]:
    """Forget a stored login: the file that went (None: there was none), and the variables that still hold one."""
    from orchestrator.assets.credentials import config_folder, remove_login, variables_of

    home = Path.home()
    gone = remove_login(service, environ=os.environ, home=home, config_dir=config_folder(os.environ, home))
    return gone, variables_of(service, os.environ)


def _works(service: Service, login: Login, settings: Settings) -> bool:
    """Whether the service takes the login; False where that cannot be tested, AssetError where it does not."""
    line = _line_with(service, login, settings)
    return _hub_knows(line) if service is Service.HUGGINGFACE else _opens_a_bucket(line)


def _line_with(service: Service, login: Login, settings: Settings) -> Line:
    """The line with this login in place of any other: one that is stored and unusable must not stand in its way."""
    from orchestrator.assets.credentials import endpoints_of

    found: Credentials = replace(endpoints_of(os.environ), logins=MappingProxyType({service: login}))
    return line_of(settings, found)


def _hub_knows(line: Line) -> bool:
    from orchestrator.assets.transfer import probe

    address = f"{line.credentials.endpoint(Service.HUGGINGFACE)}{_WHOAMI}"
    try:
        status_code = probe(address, line=line).status
    except AssetError as error:
        raise _untested(error.cause) from error
    if status_code in _REFUSED:
        raise AssetError(
            f"Hugging Face does not know this token (it answered {status_code}); it was not stored",
            hint=f"copy it anew; {TOKEN_PAGES[Service.HUGGINGFACE]}",
        )
    if status_code != _OK:
        raise _untested(f"Hugging Face answered {status_code}")
    return True


def _opens_a_bucket(line: Line) -> bool:
    tried = try_access((one for one in assets_of(Service.MLCOMMONS) if isinstance(one.source, Bucket)), line)
    if any(one.standing is Standing.WORKS for one in tried):
        return True
    unreachable = next((one.text for one in tried if one.standing is Standing.UNREACHABLE), None)
    if unreachable is not None:
        raise _untested(unreachable)
    if any(one.standing is Standing.REFUSED for one in tried):
        names = ", ".join(one.asset.name for one in tried)
        raise AssetError(
            f"this login opens none of {names}; it was not stored",
            hint="apply where `mlperf-docker login status` says; an access token ends after a day or so",
        )
    return False


def _untested(reason: str) -> AssetError:
    return AssetError(
        f"the login could not be tested, and was not stored: {reason}", hint="--no-check stores it unseen"
    )
