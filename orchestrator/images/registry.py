"""Talk to an OCI registry without an engine: manifests and small blobs, for locks and signatures. Moves no layers.

Everything that is read is checked against its digest. Logins are the user's docker logins.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urljoin, urlsplit

from orchestrator.domain.image import ImageRef
from orchestrator.domain.site import Site
from orchestrator.errors import ImageError
from orchestrator.images.credentials import Login, login_for
from orchestrator.images.places import HUB, STALL_S
from orchestrator.images.registry_faults import TamperedImageError, classify, registry_host

if TYPE_CHECKING:
    import requests

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_MANIFESTS = (
    OCI_MANIFEST,
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_HUB_API = "registry-1.docker.io"
_CERTIFICATES = Path("/etc/docker/certs.d")
_LARGEST_BYTES = 8 << 20  # of a manifest, a configuration or a signature
_CONNECT_S = 10.0
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A manifest as the registry holds it: its digest, and what it says."""

    digest: str
    document: Json

    @property
    def config_digest(self) -> str | None:
        """The image's config digest, which is its id in an engine; None for a list of manifests."""
        config = self.document.get("config")
        return str(config["digest"]) if isinstance(config, dict) and "digest" in config else None


class Registry:
    """One repository of a registry. Opens a connection at the first request; use as a context manager."""

    def __init__(self, reference: ImageRef, *, site: Site | None = None, timeout_s: float = STALL_S) -> None:
        self._reference = reference
        self._host = registry_host(reference)
        self._site = site or Site()
        self._timeout = (_CONNECT_S, timeout_s)
        path = reference.name.removeprefix(f"{self._host}/")
        self._path = path if self._host or "/" in path else f"library/{path}"
        self._opened: tuple[requests.Session, str] | None = None
        self._authorization: str | None = None

    def __enter__(self) -> Registry:
        return self

    def __exit__(self, *_: object) -> None:
        if self._opened is not None:
            self._opened[0].close()
            self._opened = None

    def manifest(self, name: str) -> Manifest:
        """The manifest of a tag or digest; ImageMissingError when there is none."""
        answer = self._call("GET", f"manifests/{name}", headers={"Accept": ", ".join(_MANIFESTS)})
        found = _digest(answer.content)
        for promised in (name if name.startswith("sha256:") else None, answer.headers.get("Docker-Content-Digest")):
            if promised is not None and promised != found:
                raise self._tampered(f"manifest {promised}", found)
        return Manifest(digest=found, document=self._document(answer.content, name))

    def config(self, manifest: Manifest) -> Json:
        """The image configuration that a manifest names."""
        if manifest.config_digest is None:
            raise ImageError(
                f"{self._reference} is a list of images for several platforms; ours are published one by one",
                hint="name the image of one platform",
            )
        return self._document(self.blob(manifest.config_digest), manifest.config_digest)

    def blob(self, digest: str) -> bytes:
        """A small blob, checked."""
        content = self._call("GET", f"blobs/{digest}").content
        if _digest(content) != digest:
            raise self._tampered(f"blob {digest}", _digest(content))
        return content

    def put_blob(self, content: bytes) -> str:
        """Store a small blob; its digest."""
        digest = _digest(content)
        if self._call("HEAD", f"blobs/{digest}", may_miss=True).status_code == 200:
            return digest
        place = self._call("POST", "blobs/uploads/").headers["Location"]
        joint = "&" if "?" in place else "?"
        headers = {"Content-Type": "application/octet-stream"}
        self._call("PUT", f"{place}{joint}digest={digest}", headers=headers, body=content)
        return digest

    def put_manifest(self, tag: str, document: Json) -> str:
        """Store a manifest under a tag; its digest."""
        content = json.dumps(document, separators=(",", ":")).encode()
        self._call("PUT", f"manifests/{tag}", headers={"Content-Type": str(document["mediaType"])}, body=content)
        return _digest(content)

    # -- one request

    def _call(
        self,
        method: str,
        where: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        may_miss: bool = False,
    ) -> requests.Response:
        session, root = self._open()
        url = urljoin(f"{root}/v2/{self._path}/", where)
        answer = self._request(session, method, url, headers or {}, body)
        if answer.status_code == 401:
            self._authorization = self._authorize(session, answer)
            answer = self._request(session, method, url, headers or {}, body)
        if answer.status_code >= 400 and not (may_miss and answer.status_code == 404):
            raise classify(self._reference, _complaint(answer), doing=f"{method.lower()} {where.partition('?')[0]} of")
        return answer

    def _request(
        self, session: requests.Session, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> requests.Response:
        """One request of the registry's own; the login goes to its own address alone."""
        ours = urlsplit(url).netloc == urlsplit(self._open()[1]).netloc
        login = {"Authorization": self._authorization} if self._authorization and ours else {}
        answer = self._sent(session, method, url, headers={**headers, **login}, data=body)
        declared = int(answer.headers.get("Content-Length") or 0) if method == "GET" else 0
        if declared > _LARGEST_BYTES:
            raise ImageError(f"{self._reference}: {url} is larger than a manifest or a signature can be")
        with self._translated():
            _ = answer.content
        return answer

    def _sent(self, session: requests.Session, method: str, url: str, **named: Any) -> requests.Response:
        with self._translated():
            return session.request(method, url, timeout=self._timeout, stream=True, **named)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """What goes wrong on the way, as our errors."""
        import requests

        try:
            yield
        except requests.exceptions.SSLError as error:
            raise classify(self._reference, f"x509: {_reason(error)}", doing="reach") from error
        except requests.exceptions.Timeout as error:
            raise classify(self._reference, f"the registry stalled: {_reason(error)}", doing="read") from error
        except requests.exceptions.RequestException as error:
            raise classify(self._reference, _reason(error), doing="reach") from error

    def _open(self) -> tuple[requests.Session, str]:
        if self._opened is None:
            self._opened = self._connected()
        return self._opened

    def _connected(self) -> tuple[requests.Session, str]:
        """A session and the registry's address. As with the engine, a loopback registry needs no TLS."""
        import requests
        from requests.utils import should_bypass_proxies

        host = self._host or _HUB_API
        session = requests.Session()
        session.trust_env = False  # no ~/.netrc: logins are docker's
        local = _is_loopback(host)
        proxies = {"http": self._site.http_proxy, "https": self._site.https_proxy}
        if not local and not should_bypass_proxies(f"https://{host}/", self._site.no_proxy or ""):
            session.proxies = {scheme: proxy for scheme, proxy in proxies.items() if proxy}
        if not local or not _speaks_plainly(session, host):
            session.mount("https://", _trusting(host, self._site, verify=not local))
            session.verify = not local
            return session, f"https://{host}"
        return session, f"http://{host}"

    # -- logins

    def _authorize(self, session: requests.Session, refused: requests.Response) -> str:
        """The header for a challenge; the error that names the login where there is none that is taken."""
        challenge = refused.headers.get("WWW-Authenticate", "")
        kind, _, rest = challenge.partition(" ")
        login = login_for(self._host or HUB)
        if kind.lower() == "bearer":
            return f"Bearer {self._token(session, dict(_PARAMETER.findall(rest)), login)}"
        if login is None or login.username is None or login.password is None or self._authorization is not None:
            raise classify(self._reference, "no basic auth credentials" if login is None else "unauthorized")
        return _basic(login.username, login.password)

    def _token(self, session: requests.Session, asked: Mapping[str, str], login: Login | None) -> str:
        """A bearer token of the registry's own token server; anonymous where the user has no login."""
        realm = asked.get("realm", "")
        if not realm.startswith("https://") and not _is_loopback(urlsplit(realm).netloc):
            raise ImageError(
                f"{self._host} sends logins to {realm}, without TLS",
                hint="tell whoever runs the registry; none was sent",
            )
        scope = asked.get("scope") or f"repository:{self._path}:pull"
        query = {"service": asked.get("service", ""), "scope": scope}
        if login is not None and login.token is not None:
            form = {**query, "grant_type": "refresh_token", "refresh_token": login.token, "client_id": "mlperf-docker"}
            answer = self._sent(session, "POST", realm, data=form)
        else:
            named = login is not None and login.username is not None
            headers = {"Authorization": _basic(login.username or "", login.password or "")} if login and named else {}
            answer = self._sent(session, "GET", realm, params=query, headers=headers)
        with self._translated():
            content = answer.content
        if answer.status_code >= 400:
            raise classify(self._reference, _complaint(answer))
        document = self._document(content, "token")
        return str(document.get("token") or document.get("access_token") or "")

    def _document(self, content: bytes, name: str) -> Json:
        try:
            document = json.loads(content)
        except ValueError as error:
            raise ImageError(f"{self._reference}: the registry's {name} is not JSON: {error}") from error
        if not isinstance(document, dict):
            raise ImageError(f"{self._reference}: the registry's {name} is not a JSON object")
        return cast(Json, document)

    def _tampered(self, what: str, found: str) -> TamperedImageError:
        return TamperedImageError(
            f"{self._reference}: verification failed: the registry's {what} has the digest {found}",
            hint=f"do not use it, and tell whoever runs {self._host or HUB}",
        )


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _basic(username: str, password: str) -> str:
    import base64

    return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"


def _complaint(answer: requests.Response) -> str:
    """What a registry says with its refusal; the standard's error list, or the bare status."""
    try:
        errors = answer.json()["errors"]
        said = "; ".join(f"{one.get('code', '')} {one.get('message', '')}".strip() for one in errors)
    except (ValueError, KeyError, TypeError, AttributeError):
        said = answer.reason or ""
    words = {401: "unauthorized", 403: "denied", 404: "not found"}.get(answer.status_code, "")
    return f"status {answer.status_code} {words} {said}".strip()


def _reason(error: Exception) -> str:
    """The innermost cause; the outer texts are addresses of objects."""
    inner: BaseException = error
    while (below := inner.__cause__ or inner.__context__) is not None:
        inner = below
    return str(inner) or str(error)


def _is_loopback(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _speaks_plainly(session: requests.Session, host: str) -> bool:
    """Whether a loopback registry answers without TLS; one with TLS answers 400 to such a request."""
    import requests

    try:
        return session.get(f"http://{host}/v2/", timeout=_CONNECT_S).status_code != 400
    except requests.exceptions.RequestException:
        return True  # the request that follows says why


def _trusting(host: str, site: Site, *, verify: bool) -> requests.adapters.HTTPAdapter:
    """TLS with the system's certificates, the site's, and those that the engine has for this registry."""
    from requests.adapters import HTTPAdapter

    context = ssl.create_default_context()
    for path in (*site.certificates, *sorted((_CERTIFICATES / host).glob("*.crt"))):
        try:
            context.load_verify_locations(cafile=path)
        except (OSError, ssl.SSLError):
            continue  # doctor names those that cannot be read
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *arguments: Any, **named: Any) -> Any:
            return super().init_poolmanager(*arguments, **named, ssl_context=context)

    return Adapter()
