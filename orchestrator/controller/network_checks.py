"""Can this machine fetch what a build and the assets need: certificates, proxies, the package index of pip's settings.

No host is named here: what is asked is what the user's pip is set up for.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener, url2pathname

from orchestrator.domain.finding import Finding, fault, note, ok, warning
from orchestrator.domain.site import Site
from orchestrator.host import process

_TRUST_VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy")
_ANSWER_S = 5.0
_PIP_S = 30.0
_DAY_S = 86400.0
_SOON_DAYS = 30


def network_findings(
    site: Site, environment: Mapping[str, str], *, pip: tuple[str, ...], ask_pip: bool
) -> tuple[Finding, ...]:
    """Certificates, proxies, index. `pip` is the command that starts pip; `ask_pip` lets it query its default index."""
    return (
        *certificate_findings(site, environment, now_s=time.time()),
        *proxy_findings(site, environment),
        *_index_findings(site, environment, pip=pip, ask_pip=ask_pip),
    )


def certificate_findings(site: Site, environment: Mapping[str, str], *, now_s: float) -> tuple[Finding, ...]:
    """Trust files named by variables can be read; the site's certificates are certificates and still hold."""
    named = [(name, Path(environment[name])) for name in _TRUST_VARIABLES if environment.get(name)]
    found = [problem for name, path in named if (problem := _unreadable(name, path)) is not None]
    for path in site.certificates:
        found.extend(_site_certificate(path, now_s))
    if found:
        return tuple(found)
    of_site = f"{len(site.certificates)} certificate file(s) of the site" if site.certificates else "none of the site's"
    return (ok("certificates", f"{of_site}; {', '.join(name for name, _ in named) or 'no variable'} set and readable"),)


def _unreadable(name: str, path: Path) -> Finding | None:
    _, problem = _loaded(path)
    if problem is None:
        return None
    return fault(
        "certificates", f"{name}={path}: {problem}", f"point {name} to a PEM bundle that you may read, or unset it"
    )


def _site_certificate(path: Path, now_s: float) -> tuple[Finding, ...]:
    remedy = "name a PEM file with the site's CA certificate (--ca-bundle, or 'certificates' in the configuration)"
    ends, problem = _loaded(path)
    if problem is not None:
        return (fault("certificates", f"site certificate {path}: {problem}", remedy),)
    if not ends:
        return (warning("certificates", f"site certificate {path}: no CA certificate in it", remedy),)
    days = (min(ends) - now_s) / _DAY_S
    if days < 0:
        return (fault("certificates", f"site certificate {path}: expired {-days:.0f} days ago", remedy),)
    if days < _SOON_DAYS:
        return (warning("certificates", f"site certificate {path}: expires in {days:.0f} days", remedy),)
    return ()


def _loaded(path: Path) -> tuple[tuple[float, ...], str | None]:
    """When the CA certificates in a file end (UNIX seconds); or why it cannot be used."""
    if path.is_dir():
        return (), None  # some variables may name a folder of hashed certificates
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=path)
    except ssl.SSLError:
        return (), "is not a PEM file of certificates"
    except OSError as error:
        return (), error.strerror or "cannot be read"
    ends = (certificate.get("notAfter") for certificate in context.get_ca_certs())
    return tuple(float(ssl.cert_time_to_seconds(end)) for end in ends if isinstance(end, str)), None


def proxy_findings(site: Site, environment: Mapping[str, str]) -> tuple[Finding, ...]:
    """Proxies in force are addresses, and say which hosts to spare."""
    set_ = {name: environment.get(name) or environment.get(name.upper()) for name in _PROXY_VARIABLES}
    named = {name: value for name, value in set_.items() if value}
    for name, value in (("http_proxy", site.http_proxy), ("https_proxy", site.https_proxy)):
        if value:
            named[name] = value
    if not named:
        return (ok("proxy", "no proxy is set"),)
    for name, value in named.items():
        if not _host_of(value):
            remedy = f"write {name}=http://HOST:PORT"
            return (fault("proxy", f"{name} is not an address: {_without_credentials(value)}", remedy),)
    text = ", ".join(f"{name} {_without_credentials(value)}" for name, value in sorted(named.items()))
    if not (site.no_proxy or environment.get("no_proxy") or environment.get("NO_PROXY")):
        remedy = "set no_proxy=localhost,127.0.0.1 and the site's own domains, or local registries go through the proxy"
        return (note("proxy", f"{text}; no_proxy is not set", remedy),)
    return (ok("proxy", text),)


def _index_findings(
    site: Site, environment: Mapping[str, str], *, pip: tuple[str, ...], ask_pip: bool
) -> tuple[Finding, ...]:
    asked = process.run((*pip, "config", "list"), environment=environment, timeout_s=_PIP_S)
    if not asked.ok:
        remedy = "install pip for this Python: package assets are fetched with it"
        return (fault("package-index", f"pip does not run: {_last_line(asked.stderr)}", remedy),)
    settings = pip_settings(asked.stdout)
    indexes = (*settings.get("index-url", ()), *settings.get("extra-index-url", ()))
    found = tuple(_index(index, site, environment, settings) for index in indexes)
    if "index-url" in settings or "no-index" in settings:
        return found or (ok("package-index", "pip is told to use no index"),)
    return (*found, _default_index(pip, environment, ask=ask_pip))


def pip_settings(listed: str) -> dict[str, tuple[str, ...]]:
    """`pip config list` as the values in force: the environment over a command's section over `global`."""
    ranked: dict[str, tuple[int, tuple[str, ...]]] = {}
    for line in listed.splitlines():
        name, equals, value = line.partition("=")
        section, _, key = name.strip().rpartition(".")
        rank = {":env:": 2, "global": 0}.get(section, 1)
        if equals and section in {":env:", "global", "install", "download"} and rank >= ranked.get(key, (0, ()))[0]:
            words = value.strip().strip("'\"").replace("\\n", " ").split()
            ranked[key] = (rank, tuple(words))
    return {key: words for key, (_, words) in ranked.items()}


def _index(index: str, site: Site, environment: Mapping[str, str], settings: Mapping[str, tuple[str, ...]]) -> Finding:
    shown = _without_credentials(index)
    parts = urlsplit(index)
    if parts.scheme in {"", "file"}:
        folder = Path(url2pathname(parts.path))
        if folder.is_dir():
            return ok("package-index", f"{shown}: a folder of this machine")
        return fault("package-index", f"{shown}: no such folder", "correct index-url in pip's configuration")
    if parts.scheme not in {"http", "https"}:
        return fault(
            "package-index", f"{shown}: not an address pip can use", "correct index-url in pip's configuration"
        )
    trust = settings.get("cert") or ((environment["SSL_CERT_FILE"],) if environment.get("SSL_CERT_FILE") else ())
    problem = _answers(index, site, trust[0] if trust else None)
    if problem is None:
        return ok("package-index", f"{shown} answers")
    remedy = "check the address in pip's configuration, the proxy variables and the site's certificates (--ca-bundle)"
    return fault("package-index", f"{shown} does not answer: {problem}", remedy)


def _answers(index: str, site: Site, trust: str | None) -> str | None:
    """None when any HTTP answer comes back (an index may refuse HEAD or want a login), else what went wrong."""
    parts = urlsplit(index)
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    try:
        context = ssl.create_default_context(cafile=trust)
        for path in site.certificates:
            context.load_verify_locations(cafile=path)
        of_site = {"http": site.http_proxy, "https": site.https_proxy}
        proxies = {scheme: address for scheme, address in of_site.items() if address}
        opener = build_opener(HTTPSHandler(context=context), ProxyHandler(proxies or None))
        opener.open(Request(bare, method="HEAD"), timeout=_ANSWER_S).close()  # noqa: S310 - http and https only
    except HTTPError as error:
        error.close()
        return None if error.code < 500 else f"HTTP status {error.code}"
    except URLError as error:
        return str(error.reason)
    except (OSError, ValueError) as error:
        return str(error)
    return None


def _default_index(pip: tuple[str, ...], environment: Mapping[str, str], *, ask: bool) -> Finding:
    if not ask:
        remedy = "doctor --network asks it; a mirror is named by index-url in pip's configuration"
        return note("package-index", "pip's configuration names no index: pip's own default is used, not asked", remedy)
    asked = process.run((*pip, "index", "versions", "pip"), environment=environment, timeout_s=_PIP_S)
    if asked.ok:
        return ok("package-index", "pip's default index answers")
    remedy = "name a reachable mirror by index-url in pip's configuration, or check proxy and certificates"
    return fault("package-index", f"pip's default index does not answer: {_last_line(asked.stderr)}", remedy)


def _host_of(address: str) -> str | None:
    try:
        return urlsplit(address if "://" in address else f"http://{address}").hostname
    except ValueError:
        return None


def _without_credentials(address: str) -> str:
    scheme, separator, rest = address.rpartition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}"


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it said nothing"
