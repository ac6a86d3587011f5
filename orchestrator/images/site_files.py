"""The site's network settings as files of a build context. They are read in stages that are thrown away, nowhere else.

dockerfiles/_macros/site.sh is the reader; these files are no part of a recipe's hash.
"""

from __future__ import annotations

import shlex

from orchestrator.domain.site import Site
from orchestrator.errors import ImageError
from orchestrator.images.context import ContextFile

_APT_CERTIFICATES = 'Acquire::https::CaInfo "/tmp/site-ca.pem";'


def site_files(site: Site) -> tuple[ContextFile, ...]:
    """Everything under `site/`; there is always at least one file, so that it can be copied."""
    certificates = _certificates(site)
    apt = "\n".join(line for line in (site.apt_config, _APT_CERTIFICATES if certificates else None) if line)
    found = {
        "README": "Settings of the network this image is built in; not part of it.\n",
        "ca.pem": certificates,
        "proxy.env": _proxies(site),
        "pip.conf": site.pip_config or "",
        "apt.conf": f"{apt}\n" if apt else "",
    }
    return tuple(
        ContextFile(path=f"site/{name}", mode=0o644, content=text.encode()) for name, text in found.items() if text
    )


def _certificates(site: Site) -> str:
    texts = []
    for path in site.certificates:
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
