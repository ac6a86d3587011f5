"""One request and its answer over http(s): proxies, certificates, redirects. Knows nothing of files; never retries."""

from __future__ import annotations

import ipaddress
import os
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

from orchestrator import __version__
from orchestrator.assets.credentials import LOGIN_HOST, Credentials, LoginWantedError
from orchestrator.assets.transfer_faults import LocalAssetError, network_error, shown
from orchestrator.errors import AssetError

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 10
_SHORT_BYTES = 1 << 16
_MOST_KEPT = 32  # idle connections to one server; several files come at once, each in parts
_BUNDLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


class _Connections:
    """Open connections by proxy, kept from one transfer to the next."""

    def __init__(self) -> None:
        self._pools: dict[str | None, PoolManager] = {}
        self._lock = threading.Lock()

    def pool(self, proxy: str | None, line: Line) -> PoolManager:
        """The pool of a proxy, or that of direct connections."""
        with self._lock:
            if proxy not in self._pools:
                self._pools[proxy] = _new_pool(proxy, line)
            return self._pools[proxy]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """How servers are reached: `environment` holds proxies and `PIP_CERT`, above what our own environment says.

    `silence_s`: longest time without a byte. Files of two `part_bytes` or more come in `parts` parallel parts.
    `attempts`: tries that lead nowhere before an address is given up; `first_wait_s` between the first two.
    """

    environment: Mapping[str, str] = field(repr=False)
    credentials: Credentials
    connect_s: float = 15.0
    silence_s: float = 60.0
    parts: int = 4
    part_bytes: int = 64 << 20
    attempts: int = 4
    first_wait_s: float = 1.0
    _connections: _Connections = field(default_factory=_Connections, init=False, repr=False, compare=False)


class Answer:
    """What a server sends: status and headers at once, the body as it is read. Close it."""

    def __init__(self, response: BaseHTTPResponse, url: str, *, own: bool, line: Line) -> None:
        self._response, self._line = response, line
        self.url = url
        self.own = own  # whether it is the server that was asked at first, which gets our credentials
        self.status = response.status
        self.reason = response.reason
        self.headers: Mapping[str, str] = response.headers

    @property
    def length(self) -> int | None:
        """Bytes of the body as the server announced them."""
        text = self.headers.get("Content-Length", "")
        return int(text) if text.isdecimal() and not self.chunked else None

    @property
    def chunked(self) -> bool:
        """Whether the body tells its own end."""
        return "chunked" in self.headers.get("Transfer-Encoding", "").lower()

    def read(self, most_bytes: int) -> bytes:
        """What has come, at most so much; empty at the end. AssetError (mostly transient) when it breaks off."""
        from urllib3.exceptions import HTTPError

        try:
            return self._response.read1(most_bytes, decode_content=False)
        except (HTTPError, OSError) as error:
            raise network_error(error, self.url, silence_s=self._line.silence_s) from error

    def abort(self) -> None:
        """Wake whoever reads; from any thread."""
        try:
            self._response.shutdown()
        except (OSError, ValueError, RuntimeError):
            return  # it has ended by itself

    def close(self) -> None:
        """End it; the connection of an answer that was read to its end, or is short, is kept for the next request."""
        if self.length is not None and self.length <= _SHORT_BYTES and not self._response.closed:
            self._response.drain_conn()
        self._response.close()


def ask(
    url: str, *, line: Line, method: str = "GET", headers: Mapping[str, str] | None = None, trusted: bool = True
) -> Answer:
    """Send a request and follow redirects, to another host without our credentials (and never, if not `trusted`).

    Raises AssetError or TransientAssetError where no answer comes; any status that is no redirect is an answer.
    """
    at, own = url, trusted
    for _ in range(_MOST_REDIRECTS):
        answer = Answer(_send(at, method, headers or {}, own, line), at, own=own, line=line)
        if answer.status not in _REDIRECTS:
            return answer
        answer.close()
        to = _sent_on(at, answer.headers.get("Location", ""))
        own = own and _origin(to) == _origin(url)
        at = to
    raise AssetError(f"{shown(url)} sends one on and on ({_MOST_REDIRECTS} redirects)")


def _send(url: str, method: str, headers: Mapping[str, str], own: bool, line: Line) -> BaseHTTPResponse:
    from urllib3 import Timeout
    from urllib3.exceptions import HTTPError

    if not _is_address(url):
        raise AssetError(f"not an address of the web: {shown(url)}")
    sent = {"User-Agent": f"mlperf-docker/{__version__}", "Accept-Encoding": "identity", **headers}
    if own:
        sent |= line.credentials.headers_for(url)
    try:
        pool = line._connections.pool(proxy_for(url, line.environment), line)
        return pool.urlopen(
            method,
            url,
            headers=sent,
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=False,
            timeout=Timeout(connect=line.connect_s, read=line.silence_s),
        )
    except (HTTPError, OSError, UnicodeError) as error:
        raise network_error(error, url, silence_s=line.silence_s) from error


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    # programs disagree about which host an address with a backslash names
    return named and parts.scheme in {"http", "https"} and "\\" not in url and url.isprintable()


def _sent_on(came_from: str, location: str) -> str:
    """Where a redirect leads, if one may follow it."""
    try:
        to = urljoin(came_from, location.encode("latin-1").decode("utf-8"))  # headers are read as the former
    except ValueError:
        to = ""
    if not location or not _is_address(to):
        raise AssetError(f"{shown(came_from)} sends one to {shown(to)}, which is not an address of the web")
    if _is_login(urlsplit(to).hostname or ""):
        raise LoginWantedError(
            f"{shown(came_from)} wants a login: it does not let you have this file",
            hint="`mlperf-docker login status` shows what you have access to, and where to ask for it",
        )
    if urlsplit(came_from).scheme == "https" and urlsplit(to).scheme != "https":
        raise AssetError(
            f"{shown(came_from)} sends one from https to {shown(to)}, where anybody could change the file",
            hint="name an https address of the file",
        )
    return to


def _is_login(host: str) -> bool:
    return host == LOGIN_HOST or host.endswith(f".{LOGIN_HOST}")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def proxy_for(url: str, environment: Mapping[str, str]) -> str | None:
    """The proxy that an address is reached by: what `environment` says, else our own; None: directly."""
    parts = urlsplit(url)
    if _is_exempt(parts.hostname or "", parts.port, _setting("no_proxy", environment) or ""):
        return None
    named = _setting(f"{parts.scheme}_proxy", environment) or _setting("all_proxy", environment)
    return named if not named or "://" in named else f"http://{named}"


def _setting(name: str, environment: Mapping[str, str]) -> str | None:
    # HTTP_PROXY in capitals is not read: a web server's children get it from strangers
    upper = None if name == "http_proxy" else os.environ.get(name.upper())
    return environment.get(name) or os.environ.get(name) or upper or None


def _is_exempt(host: str, port: int | None, exempt: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    for entry in (word.strip().lower() for word in exempt.split(",")):
        if not entry:
            continue
        if entry in {"*", f"{host}:{port}"}:
            return True
        if address is None:
            name = entry.lstrip("*").lstrip(".")
            if host == name or host.endswith(f".{name}"):
                return True
            continue
        try:
            if address in ipaddress.ip_network(entry, strict=False):
                return True
        except ValueError:
            continue
    return False


def _new_pool(proxy: str | None, line: Line) -> PoolManager:
    from urllib3 import PoolManager, ProxyManager, make_headers
    from urllib3.exceptions import LocationValueError

    options = {"ssl_context": _tls(line.environment), "maxsize": _MOST_KEPT, "block": False}
    if proxy is None:
        return PoolManager(**options)  # type: ignore[arg-type]
    login = urlsplit(proxy)
    headers = None
    if login.username is not None:
        headers = make_headers(proxy_basic_auth=f"{unquote(login.username)}:{unquote(login.password or '')}")
    try:
        return ProxyManager(proxy, proxy_headers=headers, **options)  # type: ignore[arg-type]
    except (LocationValueError, ValueError) as error:
        raise LocalAssetError(
            f"not a proxy that can be used: {shown(proxy)}", hint="--proxy http://HOST:PORT"
        ) from error


def _tls(environment: Mapping[str, str]) -> ssl.SSLContext:
    """The host's certificates, those that Python packages share, and the user's own beside them."""
    context = ssl.create_default_context()
    try:
        import certifi

        context.load_verify_locations(certifi.where())
    except (ImportError, OSError):
        pass  # the host's own will do
    bundle = next((found for name in _BUNDLES if (found := environment.get(name) or os.environ.get(name))), None)
    if bundle is None:
        return context
    try:
        context.load_verify_locations(**{"capath" if Path(bundle).is_dir() else "cafile": bundle})
    except (OSError, ssl.SSLError) as error:
        raise LocalAssetError(f"cannot read the certificates in {bundle}: {error}", hint="--ca-bundle FILE") from error
    return context
