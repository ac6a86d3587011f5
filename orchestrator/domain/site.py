"""What a closed network needs: certificates, proxies, mirrors. Values only; secrets stay in build stages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Settings of the host's network that builds and downloads have to know. Empty: nothing special.

    `certificates` are PEM files or bundles; `pip_config` is the effective text of a pip.conf (it may hold
    credentials), `apt_config` lines for apt.conf.
    """

    certificates: tuple[Path, ...] = ()
    http_proxy: str | None = None
    https_proxy: str | None = None
    no_proxy: str | None = None
    pip_config: str | None = None
    apt_config: str | None = None
    build_network: str | None = None
