"""Who we are to the services that gate assets: tokens found where the user keeps them, sent to their own hosts only.

Reads the environment, the hub library's token file and our own; the one place that writes them. Contacts nobody.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from urllib.parse import SplitResult, urlsplit

from orchestrator.domain.asset import Service
from orchestrator.errors import AssetError, ConfigError, UsageError
from orchestrator.host.files import write_atomic

FILE_NAME = "credentials.yaml"
HUB_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
HUB_ENDPOINT_VARIABLE = "HF_ENDPOINT"
HUB = "https://huggingface.co"
CLIENT_ID_VARIABLE, CLIENT_SECRET_VARIABLE = "CF_ACCESS_CLIENT_ID", "CF_ACCESS_CLIENT_SECRET"
MLCOMMONS_ENDPOINT_VARIABLE = "MLPERF_DOCKER_MLCOMMONS_ENDPOINT"
LOGIN_HOST = "cloudflareaccess.com"  # where whoever has no access to a members' bucket is sent

_HOSTS = MappingProxyType({Service.HUGGINGFACE: ("huggingface.co",), Service.MLCOMMONS: ("mlcommons-storage.org",)})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_PRIVATE = 0o600
_SHORTEST_TOKEN = 16
_KEYS = MappingProxyType({"client_id": "CF-Access-Client-Id", "client_secret": "CF-Access-Client-Secret"})
_ACCESS_TOKEN = "access_token"  # noqa: S105 - the name of a field


class LoginWantedError(AssetError):
    """A server sent us to where people log in: we have no login, or it gives no access."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What one service is shown: header names and values, and where they came from. Never printed."""

    headers: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    origin: str

    def __str__(self) -> str:
        return f"a login from {self.origin}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """All logins there are. `endpoints` are addresses that take a service's place (a mirror; a server under test)."""

    logins: Mapping[Service, Login] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    endpoints: Mapping[Service, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)

    def headers_for(self, url: str) -> Mapping[str, str]:
        """The headers to send with a request of this address; none where the host is not the service's own.

        Only over https, or to an endpoint that was set; to be asked anew for every address, redirects included.
        """
        service = self.service_of(url)
        login = self.logins.get(service) if service is not None else None
        return login.headers if login is not None else MappingProxyType({})

    def service_of(self, url: str) -> Service | None:
        """Whose host an address names, as far as that host may be shown a login."""
        if "\\" in url or not url.isprintable() or " " in url:
            return None  # programs disagree about which host such an address names
        try:
            parts = urlsplit(url)
            host = (parts.hostname or "").rstrip(".")
            for service, endpoint in self.endpoints.items():
                if _origin(parts) == _origin(urlsplit(endpoint)) and _may_be_shown(parts):
                    return service
            if parts.scheme != "https" or parts.port not in {None, 443}:
                return None
        except ValueError:
            return None
        owners = (one for one, hosts in _HOSTS.items() for own in hosts if host == own or host.endswith(f".{own}"))
        return next(owners, None)

    def endpoint(self, service: Service) -> str | None:
        """The address that takes the service's place, or the service's own; None where each asset names it."""
        return self.endpoints.get(service) or (HUB if service is Service.HUGGINGFACE else None)

    def token(self, service: Service) -> str | None:
        """The token (of a pair: its secret half) for libraries that want it by itself; None when there is none."""
        login = self.logins.get(service)
        return login.secrets[0] if login is not None else None

    def origin(self, service: Service) -> str | None:
        """Where the login was found: a variable's name or a path; None when there is none."""
        login = self.logins.get(service)
        return login.origin if login is not None else None

    def secrets(self) -> tuple[bytes, ...]:
        """Every secret there is, for taking out of logs."""
        return tuple(secret.encode() for login in self.logins.values() for secret in login.secrets)


NO_CREDENTIALS = Credentials()


def load_credentials(environ: Mapping[str, str], home: Path, config_dir: Path) -> Credentials:
    """What the user has: variables first, then the hub library's token file, then `config_dir`/credentials.yaml.

    ConfigError for a credentials file that others may read or that is malformed, and for a token that is none.
    """
    found: dict[Service, Login] = {}
    if (hub := _hub_login(environ, home)) is not None:
        found[Service.HUGGINGFACE] = hub
    if (members := _members_login(environ, config_dir / FILE_NAME)) is not None:
        found[Service.MLCOMMONS] = members
    return Credentials(logins=MappingProxyType(found), endpoints=endpoints_of(environ).endpoints)


def endpoints_of(environ: Mapping[str, str]) -> Credentials:
    """No login, but the addresses that variables put in the place of the services'."""
    named = {
        Service.HUGGINGFACE: environ.get(HUB_ENDPOINT_VARIABLE, "").strip(),
        Service.MLCOMMONS: environ.get(MLCOMMONS_ENDPOINT_VARIABLE, "").strip(),
    }
    endpoints = {service: address.rstrip("/") for service, address in named.items() if address}
    return Credentials(endpoints=MappingProxyType(endpoints))


def stored_secrets(environ: Mapping[str, str], home: Path) -> tuple[bytes, ...]:
    """Everything in the files where logins are kept that may be one, for taking out of logs; nothing is judged."""
    found: set[bytes] = set()
    for path in (hub_token_file(environ, home), config_folder(environ, home) / FILE_NAME):
        with suppress(OSError):
            words = path.read_bytes().replace(b'"', b" ").replace(b"'", b" ").split()
            found.update(word for word in words if len(word) >= _SHORTEST_TOKEN and not word.endswith(b":"))
    return tuple(sorted(found))


def hub_token_file(environ: Mapping[str, str], home: Path) -> Path:
    """Where the hub's own library keeps its token."""
    if environ.get("HF_TOKEN_PATH"):
        return _at_home(environ["HF_TOKEN_PATH"], home)
    if environ.get("HF_HOME"):
        return _at_home(environ["HF_HOME"], home) / "token"
    cache = _at_home(environ["XDG_CACHE_HOME"], home) if environ.get("XDG_CACHE_HOME") else home / ".cache"
    return cache / "huggingface" / "token"


def config_folder(environ: Mapping[str, str], home: Path) -> Path:
    """The folder of the user's settings, and of the credentials file."""
    named = Path(environ.get("XDG_CONFIG_HOME") or "")
    return (named if named.is_absolute() else home / ".config") / "mlperf-docker"


def hub_login(token: str, origin: str) -> Login:
    """A login to Hugging Face; UsageError for what cannot be a token."""
    clean = _clean(token, origin)
    return Login(headers=MappingProxyType({"Authorization": f"Bearer {clean}"}), secrets=(clean,), origin=origin)


def members_login(text: str, origin: str) -> Login:
    """A login to the members' buckets: `CLIENT_ID CLIENT_SECRET` of a service token, or one access token (a JWT)."""
    words = text.split()
    if len(words) == 2:
        return _pair(words[0], words[1], origin)
    if len(words) == 1 and words[0].count(".") == 2:
        token = _clean(words[0], origin)
        return Login(headers=MappingProxyType({"cf-access-token": token}), secrets=(token,), origin=origin)
    raise UsageError(
        f"{origin}: neither a service token nor an access token",
        hint="give CLIENT_ID and CLIENT_SECRET, one after the other, or what `cloudflared access token` prints",
    )


def store_login(service: Service, login: Login, *, environ: Mapping[str, str], home: Path, config_dir: Path) -> Path:
    """Keep a login where it will be found, readable by its owner alone; the file's path."""
    if service is Service.HUGGINGFACE:
        path, content = hub_token_file(environ, home), login.secrets[0]
    else:
        import yaml

        path = config_dir / FILE_NAME
        names = {header: key for key, header in _KEYS.items()}
        fields = {names.get(header, _ACCESS_TOKEN): value for header, value in login.headers.items()}
        content = yaml.safe_dump({service.value: fields}, sort_keys=True)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomic(path, content, mode=_PRIVATE)
    return path


def remove_login(service: Service, *, environ: Mapping[str, str], home: Path, config_dir: Path) -> Path | None:
    """Forget a stored login; the file that went, or None when there was none. What a variable holds is not ours."""
    path = hub_token_file(environ, home) if service is Service.HUGGINGFACE else config_dir / FILE_NAME
    if not path.exists():
        return None
    path.unlink()
    return path


def variables_of(service: Service, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The variables in force that hold a login to the service: they win over any file."""
    names = HUB_VARIABLES if service is Service.HUGGINGFACE else (CLIENT_ID_VARIABLE, CLIENT_SECRET_VARIABLE)
    return tuple(name for name in names if environ.get(name, "").strip())


def _hub_login(environ: Mapping[str, str], home: Path) -> Login | None:
    for name in HUB_VARIABLES:
        if environ.get(name, "").strip():
            return hub_login(environ[name], name)
    path = hub_token_file(environ, home)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise ConfigError((f"{path}: cannot be read: {reason}",), hint="mlperf-docker login huggingface") from None
    return hub_login(text, str(path)) if text.strip() else None


def _members_login(environ: Mapping[str, str], path: Path) -> Login | None:
    names = variables_of(Service.MLCOMMONS, environ)
    if len(names) == 2:
        return _pair(environ[CLIENT_ID_VARIABLE], environ[CLIENT_SECRET_VARIABLE], CLIENT_ID_VARIABLE)
    if names:
        (lacking,) = {CLIENT_ID_VARIABLE, CLIENT_SECRET_VARIABLE} - set(names)
        raise ConfigError((f"{names[0]} is set, and {lacking} is not",), hint="set both, or unset it")
    fields = _stored(path)
    if not fields:
        return None
    if set(fields) == {_ACCESS_TOKEN}:
        return members_login(fields[_ACCESS_TOKEN], str(path))
    return _pair(fields["client_id"], fields["client_secret"], str(path))


def _stored(path: Path) -> Mapping[str, str]:
    """The `mlcommons` entry of our file; ConfigError for one that is not private or not as `login` writes it."""
    from orchestrator.config.yaml_text import read_yaml

    try:
        _refuse_readable(path)
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise ConfigError((f"{path}: cannot be read: {reason}",), hint="mlperf-docker login mlcommons") from None
    document = read_yaml(text, str(path))
    entry = document.value.get(Service.MLCOMMONS.value) if isinstance(document.value, dict) else None
    others = set(document.value) - {Service.MLCOMMONS.value} if isinstance(document.value, dict) else {""}
    if not others and entry is None:
        return {}
    keys = set(entry) if isinstance(entry, dict) else set()
    whole = keys in ({*_KEYS}, {_ACCESS_TOKEN}) and isinstance(entry, dict)
    if others or not whole or not isinstance(entry, dict) or not all(isinstance(one, str) for one in entry.values()):
        raise ConfigError(
            (f"{path}: not as `mlperf-docker login mlcommons` writes it",),
            hint=f"it holds 'mlcommons' with client_id and client_secret, or with {_ACCESS_TOKEN}, as quoted text",
        )
    return {key: str(value) for key, value in entry.items()}


def _refuse_readable(path: Path) -> None:
    mode = path.stat()
    if stat.S_IMODE(mode.st_mode) & 0o077:
        raise ConfigError(
            (f"{path}: others may read it (mode {stat.S_IMODE(mode.st_mode):03o}), so it is not used",),
            hint=f"chmod 600 {path}; if others had the chance, ask for a new token",
        )
    if mode.st_uid not in {os.geteuid(), 0}:
        raise ConfigError((f"{path}: belongs to another user ({mode.st_uid})",), hint="have a file of your own")


def _pair(client_id: str, client_secret: str, origin: str) -> Login:
    identity, secret = _clean(client_id, origin), _clean(client_secret, origin)
    headers = {_KEYS["client_id"]: identity, _KEYS["client_secret"]: secret}
    return Login(headers=MappingProxyType(headers), secrets=(secret, identity), origin=origin)


def _clean(token: str, origin: str) -> str:
    """A token fit for a header; the fault never shows it."""
    text = token.strip()
    if text and text.isascii() and text.isprintable() and " " not in text:
        return text
    raise UsageError(
        f"{origin}: {'holds no token' if not text else 'what it holds is not a token (one word of plain characters)'}",
        hint="copy the token anew",
    )


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    return (
        parts.scheme,
        (parts.hostname or "").rstrip("."),
        parts.port or {"http": 80, "https": 443}.get(parts.scheme),
    )


def _may_be_shown(parts: SplitResult) -> bool:
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def _at_home(text: str, home: Path) -> Path:
    return home / text[2:] if text.startswith("~/") else Path(text)
