"""The site's network settings as files of a build context. They are read in stages that are thrown away, nowhere else.

dockerfiles/_macros/site.sh is the reader; these files are no part of a recipe's hash.
"""

from __future__ import annotations

import re
import shlex
import ssl
from collections.abc import Iterable
from pathlib import Path

from orchestrator.domain.site import Site
from orchestrator.errors import ImageError
from orchestrator.images.context import ContextFile

_WHEELS = "site/wheels"
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==(\S+)", re.MULTILINE)
_APT_CERTIFICATES = 'Acquire::https::CaInfo "/tmp/site-ca.pem";'


def site_files(site: Site, requirements: str = "") -> tuple[ContextFile, ...]:
    """Everything under `site/`; there is always at least one file, so that it can be copied.

    Of the wheels that lie on this machine those are taken along that `requirements`, the text of a lock file, pins.
    """
    wheels = tuple(
        ContextFile(path=f"{_WHEELS}/{path.name}", mode=0o644, origin=path)
        for path in _pinned_wheels(site.wheel_folders, requirements)
    )
    certificates = site_certificates(site)
    apt = "\n".join(line for line in (site.apt_config, _APT_CERTIFICATES if certificates else None) if line)
    found = {
        "README": "Settings of the network this image is built in; not part of it.\n",
        "ca.pem": certificates,
        "proxy.env": _proxies(site),
        "pip.conf": _pip_config(site.pip_config or "", with_wheels=bool(wheels)),
        "apt.conf": f"{apt}\n" if apt else "",
    }
    texts = tuple(
        ContextFile(path=f"site/{name}", mode=0o644, content=text.encode()) for name, text in found.items() if text
    )
    return (*texts, *wheels)


def _pinned_wheels(folders: Iterable[Path], requirements: str) -> tuple[Path, ...]:
    """Wheels of pinned versions, the first folder's of each name; pip itself checks their hashes."""
    pins = {(_plain(name), version) for name, version in _PIN.findall(requirements)}
    found: dict[str, Path] = {}
    for folder in folders if pins else ():
        for path in sorted(folder.glob("*.whl")):
            name, _, rest = path.name.partition("-")
            if (_plain(name), rest.partition("-")[0]) in pins:
                found.setdefault(path.name, path)
    return tuple(found.values())


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _pip_config(text: str, *, with_wheels: bool) -> str:
    """The site's pip.conf, and where its wheels lie in the build."""
    if not with_wheels:
        return text
    head, key, rest = text.partition("find-links = ")
    if key:
        return f"{head}{key}/{_WHEELS}\n    {rest}"
    return f"{text or '[global]' + chr(10)}find-links = /{_WHEELS}\n"


def site_certificates(site: Site, *, public: bool = False) -> str:
    """The site's certificates as one PEM text, empty where it has none; `public`: after those this host trusts."""
    trusted = ssl.get_default_verify_paths().cafile if public and site.certificates else None
    texts = []
    for path in (*((Path(trusted),) if trusted else ()), *site.certificates):
        try:
            texts.append(path.read_text().strip())
        except (OSError, UnicodeDecodeError) as error:
            raise ImageError(
                f"the certificate file {path} cannot be read: {error}",
                hint="name a PEM file with --ca-bundle, or correct SSL_CERT_FILE, REQUESTS_CA_BUNDLE or PIP_CERT",
            ) from error
    return "\n".join(dict.fromkeys(texts)) + "\n" if texts else ""


def _proxies(site: Site) -> str:
    values = {"http_proxy": site.http_proxy, "https_proxy": site.https_proxy, "no_proxy": site.no_proxy}
    return "".join(
        f"{spelling}={shlex.quote(value)}\n"
        for name, value in values.items()
        if value
        for spelling in (name, name.upper())
    )
